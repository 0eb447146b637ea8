//! Samples page by page, from the newest record backwards.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use housepipe_kafka_source::{Offset, OwnedRecord, PartitionId, SampleRequest, Sampled};
use serde::Serialize;

use super::{SampleFilter, SampleRecord, Samples, newest_of, show};
use crate::error::{PipeError, explain};
use crate::pipe_file::PipeFile;

/// Partitions that a place names, at most.
const PARTITIONS_MAX: usize = 10_000;

/// Where a page of samples ends: of some partitions, the oldest record that it has looked at. As a text it is `PARTITION:OFFSET` with commas
/// between.
///
/// ```
/// use housepipe_runtime::SamplePlace;
///
/// let place: SamplePlace = "0:17,3:5".parse()?;
/// assert_eq!(place.to_string(), "0:17,3:5");
/// assert!("0:-1".parse::<SamplePlace>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SamplePlace(BTreeMap<PartitionId, Offset>);

impl fmt::Display for SamplePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (partition, offset)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{partition}:{offset}")?;
        }
        Ok(())
    }
}

impl FromStr for SamplePlace {
    type Err = String;

    /// # Errors
    /// In words that it is no such place.
    fn from_str(text: &str) -> Result<SamplePlace, String> {
        let refuse = || "a place is what the page before has as `next`, such as 0:17,3:5".to_owned();
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let mut place = BTreeMap::new();
        for part in text.split(',') {
            let (partition, offset) = part.split_once(':').ok_or_else(refuse)?;
            if !is_number(partition) || !is_number(offset) {
                return Err(refuse());
            }
            let partition = partition.parse().map_err(|_| refuse())?;
            let offset = offset.parse().map_err(|_| refuse())?;
            place.insert(PartitionId(partition), Offset(offset));
            if place.len() > PARTITIONS_MAX {
                return Err(refuse());
            }
        }
        Ok(SamplePlace(place))
    }
}

/// Which samples.
#[derive(Debug, Clone)]
pub struct SampleQuery {
    /// Records of the page, at most.
    pub count: usize,
    /// Which of them.
    pub filter: SampleFilter,
    /// Where the filter says anything: among how many records they are looked for, and within how many bytes.
    pub samples: Samples,
    /// Where the page before has ended; none for the newest.
    pub before: Option<SamplePlace>,
    /// Bytes of a value that are shown, at most.
    pub value_bytes_max: usize,
}

/// A page of samples.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SamplePage {
    /// The topic.
    pub topic: String,
    /// The records, the newest first. A value that is cut is shorter than its `value_bytes`.
    pub records: Vec<SampleRecord>,
    /// How many records were looked at.
    pub looked_at: usize,
    /// Where the next page goes on; absent where there are no more. Of partitions without a record here it begins at their ends, so that
    /// records that have come since may be on it.
    pub next: Option<String>,
    /// Why some were not looked at, where reading them ended early: also the newest may be among those.
    pub cut_short: Option<String>,
}

/// A page of samples over all partitions. Joins no group and commits nothing.
///
/// # Errors
/// [`PipeError::Source`] where the topic cannot be read.
pub async fn sample_page(file: &PipeFile, query: &SampleQuery) -> Result<SamplePage, PipeError> {
    let wanted = if query.filter.is_empty() { query.count } else { query.samples.count.max(query.count) };
    let before = query.before.clone().unwrap_or_default();
    let mut request = SampleRequest::newest(wanted);
    request.bytes_max = query.samples.bytes_max;
    request.before.clone_from(&before.0);
    let Sampled { records, cut_short } = newest_of(file, request, query.samples.timeout()).await?;
    let (taken, looked_at, place) = walk(&records, query, before);
    let has_room = records.iter().map(bytes).sum::<usize>() < query.samples.bytes_max / 2;
    let is_all = looked_at == records.len() && looked_at < wanted && cut_short.is_none() && has_room;
    Ok(SamplePage {
        topic: file.source.topic.clone(),
        records: taken.into_iter().map(|record| show(record).cut(query.value_bytes_max)).collect(),
        looked_at,
        next: (!records.is_empty() && !is_all).then(|| place.to_string()),
        cut_short: cut_short.map(|error| explain(&error)),
    })
}

/// Goes from the newest record backwards until there are enough: those that were taken, how many were looked at, and where that ended.
fn walk<'r>(
    records: &'r [OwnedRecord],
    query: &SampleQuery,
    before: SamplePlace,
) -> (Vec<&'r OwnedRecord>, usize, SamplePlace) {
    let (mut taken, mut looked_at, mut place) = (Vec::new(), 0, before.0);
    for record in records.iter().rev() {
        if taken.len() == query.count {
            break;
        }
        looked_at += 1;
        let lowest = place.entry(record.partition).or_insert(record.offset);
        *lowest = record.offset.min(*lowest);
        if query.filter.takes(record) {
            taken.push(record);
        }
    }
    (taken, looked_at, SamplePlace(place))
}

fn bytes(record: &OwnedRecord) -> usize {
    record.payload.as_ref().map_or(0, Vec::len) + record.key.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64) -> OwnedRecord {
        OwnedRecord {
            partition: PartitionId(partition),
            offset: Offset(offset),
            timestamp_ms: Some(offset),
            key: None,
            payload: Some(format!("{{\"n\":{offset}}}").into_bytes()),
            headers: Vec::new(),
        }
    }

    fn query(count: usize, fields: &[&str]) -> SampleQuery {
        let fields = fields.iter().map(|field| field.parse().unwrap()).collect();
        SampleQuery {
            count,
            filter: SampleFilter { fields, ..SampleFilter::default() },
            samples: Samples::from(100),
            before: None,
            value_bytes_max: 100,
        }
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_has_ended() {
        let records: Vec<OwnedRecord> = [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3)]
            .map(|(partition, offset)| record(partition, offset))
            .into();
        let places = |taken: &[&OwnedRecord]| -> Vec<(i32, i64)> {
            taken.iter().map(|record| (record.partition.0, record.offset.0)).collect()
        };
        let (taken, looked_at, place) = walk(&records, &query(2, &[]), SamplePlace::default());
        assert_eq!((places(&taken), looked_at), (vec![(0, 3), (1, 2)], 2));
        assert_eq!(place.to_string(), "0:3,1:2");
        let (taken, _, place) = walk(&records[..3], &query(2, &[]), place);
        assert_eq!(places(&taken), [(0, 2), (1, 1)]);
        assert_eq!(place.to_string(), "0:2,1:1");
        // What was looked at and left out does not come again.
        let (taken, looked_at, place) = walk(&records, &query(1, &["n=1"]), SamplePlace::default());
        assert_eq!((places(&taken), looked_at), (vec![(1, 1)], 4));
        assert_eq!(place.to_string(), "0:2,1:1");
        let (taken, looked_at, _) = walk(&records, &query(5, &["n=9"]), SamplePlace::default());
        assert_eq!((taken.len(), looked_at), (0, 5));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "0",
            "0:",
            ":1",
            "a:1",
            "0:1,",
            "0:-1",
            "-1:0",
            "+1:2",
            "0:99999999999999999999",
            "99999999999:1",
        ] {
            assert!(text.parse::<SamplePlace>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let mut long = record(0, 1);
        long.payload = Some("äöü".as_bytes().to_vec());
        let shown = show(&long).cut(3);
        assert_eq!((shown.value.as_deref(), shown.value_bytes), (Some("ä"), Some(6)));
        assert_eq!(show(&long).cut(6).value.as_deref(), Some("äöü"));
    }
}
