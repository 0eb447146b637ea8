//! Records of the topic, shown without joining the group or committing.

mod filter;
mod page;

use std::time::Duration;

use housepipe_kafka_source::{OwnedRecord, SampleRequest, Sampled};
use housepipe_schema_registry::{Framing, parse_framing};
use serde::Serialize;

use crate::error::{PipeError, explain};
use crate::pipe::{RunOptions, source_config};
use crate::pipe_file::PipeFile;

pub use filter::{FieldFilter, SampleFilter};
pub use page::{SamplePage, SamplePlace, SampleQuery, sample_page};

/// Time to fetch samples, at most, in milliseconds.
const SAMPLE_TIMEOUT_MS: u64 = 10_000;

/// Bytes of samples that are held, at most, unless somebody asks for fewer.
const SAMPLE_BYTES_MAX: usize = 128 << 20;

/// How many of the newest records are looked at, within which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples {
    /// Records over all partitions; at most 10,000.
    pub count: usize,
    /// Bytes of them, at most; twice as many are held while they are read. Up to 128 MiB.
    pub bytes_max: usize,
    /// Time to fetch them, at most, in milliseconds.
    pub timeout_ms: u64,
}

impl Samples {
    fn timeout(self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) fn request(self) -> SampleRequest {
        let mut request = SampleRequest::newest(self.count);
        request.bytes_max = self.bytes_max;
        request
    }
}

/// So many records, in a minute at most.
impl From<usize> for Samples {
    fn from(count: usize) -> Samples {
        Samples { count, bytes_max: SAMPLE_BYTES_MAX, timeout_ms: 60_000 }
    }
}

/// One record of the topic, as text where it is text.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SampleRecord {
    /// The partition that it is in.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since 1970, where the record has a timestamp.
    pub timestamp_ms: Option<i64>,
    /// The key; bytes that are not UTF-8 are shown as U+FFFD.
    pub key: Option<String>,
    /// Header names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// Schema id of a record framed for a schema registry.
    pub schema_id: Option<u32>,
    /// Length of the value in bytes, framing included; absent for a tombstone.
    pub value_bytes: Option<usize>,
    /// The value without its framing; bytes that are not UTF-8 are shown as U+FFFD.
    pub value: Option<String>,
}

impl SampleRecord {
    /// The same with so many bytes of its value, at most.
    #[must_use]
    pub fn cut(mut self, bytes_max: usize) -> SampleRecord {
        if let Some(value) = &mut self.value
            && value.len() > bytes_max
        {
            value.truncate(value.floor_char_boundary(bytes_max));
        }
        self
    }
}

/// Records of a topic.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Those that were asked for, the newest first.
    pub records: Vec<SampleRecord>,
    /// How many of the newest records were looked at.
    pub looked_at: usize,
    /// Why some were not, where reading them ended early: also the newest may be among those.
    pub cut_short: Option<String>,
}

/// The newest `count` records over all partitions that are as `filter` says, the newest first. Where it says anything, they are
/// looked for among the newest `looked_at_max` records, at most 10,000.
///
/// # Errors
/// [`PipeError::Source`] where the topic cannot be reached.
pub async fn sample(
    file: &PipeFile,
    count: usize,
    filter: &SampleFilter,
    looked_at_max: usize,
) -> Result<Sample, PipeError> {
    let wanted = if filter.is_empty() { count } else { looked_at_max.max(count) };
    let sampled = newest(file, wanted, Duration::from_millis(SAMPLE_TIMEOUT_MS)).await?;
    let Sampled { records, cut_short } = sampled;
    let taken = records.iter().rev().filter(|record| filter.takes(record)).take(count);
    let cut_short = cut_short.map(|error| explain(&error));
    Ok(Sample { records: taken.map(show).collect(), looked_at: records.len(), cut_short })
}

/// The newest `count` records as they are, oldest first; a part of them where no more came in time.
pub(crate) async fn newest(file: &PipeFile, count: usize, timeout: Duration) -> Result<Sampled, PipeError> {
    newest_of(file, SampleRequest::newest(count), timeout).await
}

/// The same of what `request` says.
pub(crate) async fn newest_of(
    file: &PipeFile,
    request: SampleRequest,
    timeout: Duration,
) -> Result<Sampled, PipeError> {
    let config = source_config(file, &RunOptions::default());
    let sampled =
        tokio::task::spawn_blocking(move || housepipe_kafka_source::sample_of(&config, &request, timeout));
    Ok(sampled.await.map_err(|_| PipeError::WorkerPanicked)??)
}

/// The newest records within these limits.
pub(crate) async fn within(file: &PipeFile, samples: Samples) -> Result<Sampled, PipeError> {
    newest_of(file, samples.request(), samples.timeout()).await
}

fn show(record: &OwnedRecord) -> SampleRecord {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let view = record.as_record();
    let framing = view.payload.map(parse_framing);
    let (schema_id, body) = match framing {
        Some(Framing::Framed { schema_id, body }) => (Some(schema_id.0), Some(body)),
        Some(Framing::Unframed(body)) => (None, Some(body)),
        None => (None, None),
    };
    SampleRecord {
        partition: record.partition.0,
        offset: record.offset.0,
        timestamp_ms: record.timestamp_ms,
        key: view.key.map(text),
        headers: view
            .headers()
            .map(|(name, value)| (name.to_owned(), value.map(text).unwrap_or_default()))
            .collect(),
        schema_id,
        value_bytes: view.payload.map(<[u8]>::len),
        value: body.map(text),
    }
}
