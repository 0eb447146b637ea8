//! The newest records of a topic.

mod newest;
mod tail;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::log::LogRange;
use crate::reading::Event;
use crate::topic::Probe;
use crate::{Offset, OwnedRecord, PartitionId, SourceConfig, SourceError};

use newest::{Newest, age};
use tail::{Stretch, Tail, adjust};

/// Records that one sample may ask for.
const SAMPLE_RECORDS_MAX: usize = 10_000;

/// Bytes of keys, values and headers in a sample, at most (128 MiB): there are fewer records where they are so large. One record may
/// be larger by itself. Twice as many are held while they are read.
const SAMPLE_BYTES_MAX: usize = 128 << 20;

/// How much further back each look goes.
const FURTHER_FACTOR: i64 = 4;

/// Which records of a topic are wanted: the newest, or those before others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SampleRequest {
    /// Records over all partitions; at most 10,000.
    pub count: usize,
    /// Bytes of their keys, values and headers; at most 128 MiB. There are fewer records where they are so large; one record may be larger by
    /// itself. Twice as many are held while they are read.
    pub bytes_max: usize,
    /// Of these partitions only records before an offset.
    pub before: BTreeMap<PartitionId, Offset>,
}

impl SampleRequest {
    /// The newest `count` records.
    pub fn newest(count: usize) -> SampleRequest {
        SampleRequest { count, bytes_max: SAMPLE_BYTES_MAX, before: BTreeMap::new() }
    }
}

/// The newest records of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sampled {
    /// The records, oldest first.
    pub records: Vec<OwnedRecord>,
    /// Why some of those that were wanted are missing, where reading ended early: also newer ones than these may be among them.
    pub cut_short: Option<SourceError>,
}

/// The newest `n` records over all partitions; at most 10,000, and fewer where they have more than 128 MiB. Joins no group and
/// commits nothing.
///
/// "Newest" is by timestamp, as far as those of a partition ascend. Where `timeout` passes, or reading fails, what was read until then
/// is returned, and [`Sampled::cut_short`] says why it is not all.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), also of the brokers that lead the partitions; [`SourceError::Request`] where no record
/// comes within `timeout`, [`SourceError::DamagedRecords`] where none can be read. A cause that is known is told within ten seconds.
pub fn sample(config: &SourceConfig, n: usize, timeout: Duration) -> Result<Sampled, SourceError> {
    sample_of(config, &SampleRequest::newest(n), timeout)
}

/// The same of what `request` says. What came before a page of records is had by the offsets of that page.
///
/// # Errors
/// As [`sample`].
pub fn sample_of(
    config: &SourceConfig,
    request: &SampleRequest,
    timeout: Duration,
) -> Result<Sampled, SourceError> {
    let deadline = Instant::now() + timeout;
    let count = request.count.min(SAMPLE_RECORDS_MAX);
    let bytes_max = request.bytes_max.min(SAMPLE_BYTES_MAX);
    let probe = Probe::of_newest(config, count, bytes_max)?;
    let info = probe.begin(timeout)?;
    if count == 0 {
        return Ok(Sampled::default());
    }
    let partitions: Vec<PartitionId> = (0_i32..).take(info.partitions).map(PartitionId).collect();
    let logs = probe.ranges(&partitions, deadline)?.into_iter();
    let until = |partition: PartitionId, log: LogRange| {
        let end = request.before.get(&partition).map_or(log.end, |before| log.end.min(*before));
        (partition, LogRange { start: log.start, end })
    };
    let mut tails: Vec<Tail> = logs
        .map(|(partition, log)| until(partition, log))
        .filter(|(_, log)| log.start < log.end)
        .map(|(partition, log)| Tail::new(partition, log))
        .collect();
    let mut newest = Newest::new(count, bytes_max);
    let cut_short = look_back(&probe, &mut tails, &mut newest, count, deadline).err();
    let records = newest.finish();
    match cut_short {
        Some(error) if records.is_empty() => Err(error),
        cut_short => Ok(Sampled { records, cut_short }),
    }
}

/// Reads from further and further back, until there can be no newer records than those that were found.
fn look_back(
    probe: &Probe<'_>,
    tails: &mut [Tail],
    newest: &mut Newest,
    count: usize,
    deadline: Instant,
) -> Result<(), SourceError> {
    let wanted = i64::try_from(count).unwrap_or(i64::MAX);
    // As if the newest records were spread about evenly, and then further back wherever they are not. None has more than all of them.
    let share = wanted / i64::try_from(tails.len().max(1)).unwrap_or(i64::MAX) + 1;
    let mut distance = share.saturating_mul(2).min(wanted);
    loop {
        let cut = newest.cut();
        let further = tails.iter_mut().filter(|tail| tail.needs_more(cut, wanted));
        let open: Open<'_> = further.map(|tail| (tail.partition, tail.further(distance))).collect();
        if open.is_empty() {
            return Ok(());
        }
        read(probe, open, newest, deadline)?;
        distance = distance.saturating_mul(FURTHER_FACTOR);
    }
}

/// What is left to be read.
type Open<'t> = BTreeMap<PartitionId, Stretch<'t>>;

/// Reads all of `open`.
fn read(
    probe: &Probe<'_>,
    mut open: Open<'_>,
    newest: &mut Newest,
    deadline: Instant,
) -> Result<(), SourceError> {
    let mut was_in_vain = false;
    start(probe, &open)?;
    while !open.is_empty() {
        match probe.next(deadline)? {
            Event::Record(record) => {
                let partition = record.partition;
                let Some(stretch) = open.get_mut(&partition) else { continue };
                let age = age(&record);
                if let Some(record) = stretch.take(record, age) {
                    newest.add(record);
                }
                // The news of its end would take another round trip.
                if stretch.is_over() {
                    open.remove(&partition);
                }
            }
            Event::End(partition) => {
                open.remove(&partition);
            }
            Event::OutOfRange(words) => {
                // Retention has passed one of them since the logs were asked for, or more.
                let is_moved = adjust_to_logs(probe, &mut open, deadline)?;
                if !is_moved && was_in_vain {
                    return Err(probe.no_records(words));
                }
                was_in_vain |= !is_moved;
                start(probe, &open)?;
            }
            Event::Damaged(reason) => return read_around(probe, open, reason, newest, deadline),
        }
    }
    Ok(())
}

fn start(probe: &Probe<'_>, open: &Open<'_>) -> Result<(), SourceError> {
    let places: Vec<(PartitionId, Offset)> =
        open.iter().map(|(partition, stretch)| (*partition, stretch.position())).collect();
    probe.start(&places)
}

/// Asks for the logs anew; whether any of them has lost what was to be read.
fn adjust_to_logs(probe: &Probe<'_>, open: &mut Open<'_>, deadline: Instant) -> Result<bool, SourceError> {
    // What comes meanwhile would be dropped.
    probe.start(&[])?;
    let partitions: Vec<PartitionId> = open.keys().copied().collect();
    let logs = probe.ranges(&partitions, deadline)?;
    // The same news of other partitions has come by now.
    probe.pause();
    Ok(adjust(open, &logs))
}

/// Records are damaged, and which of the partitions they are of was not told: each is read by itself, so that one spoils no other.
fn read_around(
    probe: &Probe<'_>,
    mut open: Open<'_>,
    reason: String,
    newest: &mut Newest,
    deadline: Instant,
) -> Result<(), SourceError> {
    if open.len() == 1
        && let Some((partition, stretch)) = open.pop_first()
    {
        return Err(SourceError::DamagedRecords { partition, offset: stretch.position(), reason });
    }
    let mut damaged = Ok(());
    for (partition, stretch) in open {
        match read(probe, Open::from([(partition, stretch)]), newest, deadline) {
            Err(error @ SourceError::DamagedRecords { .. }) => damaged = damaged.and(Err(error)),
            other => other?,
        }
    }
    damaged
}
