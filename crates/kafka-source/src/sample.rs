//! The newest records of a topic.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::lookup::Event;
use crate::topic::Probe;
use crate::{Offset, OwnedRecord, PartitionId, SourceConfig, SourceError};

/// Records that one sample may ask for.
const SAMPLE_RECORDS_MAX: usize = 10_000;

/// How far back a partition is looked at where the newest offsets hold no records (markers of transactions, gaps of
/// compaction): this many times the wanted number, at most.
const LOOK_BACK_FACTOR_MAX: i64 = 64;

/// The newest `n` records over all partitions, oldest first; at most 10,000. Joins no group and commits nothing.
///
/// "Newest" is by timestamp, as far as the last `n` records of each partition tell.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), and [`SourceError::Request`] where the records do not come within
/// `timeout`.
pub fn sample(config: &SourceConfig, n: usize, timeout: Duration) -> Result<Vec<OwnedRecord>, SourceError> {
    let deadline = Instant::now() + timeout;
    let n = n.min(SAMPLE_RECORDS_MAX);
    let wanted = i64::try_from(n).unwrap_or(i64::MAX);
    let probe = Probe::with_group(config)?;
    let info = probe.describe(timeout)?;
    let mut newest = Vec::new();
    if n == 0 {
        return Ok(newest);
    }
    let mut bounds = Vec::new();
    for number in (0_i32..).take(info.partitions) {
        let (low, high) = probe.watermarks(PartitionId(number), deadline)?;
        if low < high {
            bounds.push((PartitionId(number), low, high));
        }
    }
    let mut factor = 1;
    // Partitions whose tail held too few records are looked at again, further back.
    while !bounds.is_empty() {
        let places: Vec<_> = bounds
            .iter()
            .map(|(partition, low, high)| {
                (*partition, Offset((high - wanted.saturating_mul(factor)).max(*low)))
            })
            .collect();
        let read = read_to_end(&probe, &places, deadline)?;
        bounds.retain(|(partition, low, high)| {
            let mut of_this: Vec<_> =
                read.iter().filter(|record| record.partition == *partition).cloned().collect();
            let enough = of_this.len() >= n
                || high - wanted.saturating_mul(factor) <= *low
                || factor >= LOOK_BACK_FACTOR_MAX;
            if enough {
                newest.extend(of_this.split_off(of_this.len().saturating_sub(n)));
            }
            !enough
        });
        factor *= 8;
    }
    newest.sort_by_key(|record| (record.timestamp_ms, record.partition, record.offset));
    Ok(newest.split_off(newest.len().saturating_sub(n)))
}

fn read_to_end(
    probe: &Probe<'_>,
    places: &[(PartitionId, Offset)],
    deadline: Instant,
) -> Result<Vec<OwnedRecord>, SourceError> {
    probe.start(places)?;
    let mut open: BTreeSet<PartitionId> = places.iter().map(|(partition, _)| *partition).collect();
    let mut records = Vec::new();
    while !open.is_empty() {
        match probe.next(deadline)? {
            Event::Record(record) if open.contains(&record.partition) => records.push(record),
            Event::Record(_) => {}
            Event::End(partition) => {
                open.remove(&partition);
            }
        }
    }
    Ok(records)
}
