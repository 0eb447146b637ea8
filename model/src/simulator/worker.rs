//! Reads partitions and closes batches, by the rules of `crates/pipe-runtime/src/pipe/worker.rs`.

use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::{Cut, Lineage, Sealed};

use super::driver::count;
use super::event::News;
use super::mistake::Mistake;
use super::process::Part;
use super::topic::Kind;
use super::world::World;

/// Batches that are sealed and not being inserted, at most; a worker that finds no spare buffer reads no further.
const PARTS_MAX: usize = 2;

/// Records that are read at once, at most.
const CHUNK_RECORDS_MAX: u64 = 20;

impl World {
    /// The worker has something to do soon.
    pub(crate) fn wake_reader(&mut self, who: usize, partition: usize) {
        let delay_ms = self.random.between(1, 60);
        self.wake_reader_in(who, partition, delay_ms);
    }

    fn wake_reader_in(&mut self, who: usize, partition: usize, delay_ms: u64) {
        let Some(owned) = self.processes[who].owned.get_mut(&partition) else { return };
        let epoch = owned.epoch;
        let is_full = owned.parts.len() >= PARTS_MAX;
        let Some(reader) = owned.reader.as_mut().filter(|reader| !reader.is_woken && !is_full) else {
            return;
        };
        reader.is_woken = true;
        self.tell_after(who, delay_ms, News::Read { partition, epoch });
    }

    /// A chunk is read, and a batch closed where it is time.
    pub(crate) fn read(&mut self, who: usize, partition: usize, epoch: u64) {
        let now_ms = self.clock.now_ms();
        let chunk = self.random.between(1, CHUNK_RECORDS_MAX);
        let (passes_gap, is_short, replays_anew) = (
            self.random.permille(500),
            self.random.permille(20) && !self.is_calm,
            self.setting.has(Mistake::CutsReplaysAnew),
        );
        let (records_max, wait_ms) = (self.setting.batch_records_max, self.setting.batch_wait_ms);
        let log = &self.kafka.logs[partition];
        let Some(owned) = self.processes[who].owned.get_mut(&partition).filter(|owned| owned.epoch == epoch)
        else {
            return;
        };
        let has_room = owned.parts.len() < PARTS_MAX;
        let Some(reader) = owned.reader.as_mut() else { return };
        reader.is_woken = false;
        if !has_room {
            return;
        }
        let replay = reader.replay.filter(|_| !replays_anew);
        let mut whole = None;
        for _ in 0..chunk {
            if replay.is_none() && reader.open.len() >= records_max {
                break;
            }
            let next = log.next(reader.position);
            if let Some(pending) = replay
                && (next.is_some_and(|(offset, _)| offset >= pending.end.0)
                    || reader.position >= pending.end.0)
            {
                whole = Some(pending);
                reader.position = reader.position.max(pending.end.0);
                break;
            }
            let Some((offset, kind)) = next else { break };
            if reader.open.is_empty() {
                reader.opened_ms = now_ms;
            }
            reader.open.push((offset, kind));
            reader.position = offset + 1;
            // The position is behind a gap once the consumer has seen what comes there.
            if passes_gap
                && replay.is_none()
                && let Some((behind, _)) = log.next(reader.position)
            {
                reader.position = behind;
            }
        }
        let waited = now_ms.saturating_sub(reader.opened_ms);
        let cut = match whole {
            _ if reader.open.is_empty() => None,
            Some(pending) => Some(pending.cut),
            None if replay.is_some() => None,
            None if reader.open.len() >= records_max => Some(Cut::Size),
            None if is_short => Some(Cut::Memory),
            None => (waited >= wait_ms).then_some(Cut::Time),
        };
        let has_more = log.next(reader.position).is_some();
        let is_open = !reader.open.is_empty();
        if let (Some(cut), Some((first, _))) = (cut, reader.open.first().copied()) {
            let end = whole.map_or(reader.position, |pending| pending.end.0);
            reader.replay = None;
            let records = std::mem::take(&mut reader.open);
            self.sealed(who, partition, epoch, part_of(&records, first, end, cut));
            self.wake_reader(who, partition);
        } else if has_more || whole.is_some() {
            self.wake_reader(who, partition);
        } else if is_open {
            self.wake_reader_in(who, partition, wait_ms.saturating_sub(waited).max(1));
        } else if replay.is_some() {
            self.wake_reader_in(who, partition, 100);
        }
    }
}

fn part_of(records: &[(i64, Kind)], first: i64, end: i64, cut: Cut) -> Part {
    let of = |rejected: bool| {
        let wanted = records.iter().filter(|(_, kind)| (*kind == Kind::Reject) == rejected);
        wanted.map(|(offset, _)| *offset).collect::<Vec<i64>>()
    };
    let (rows, rejects) = (of(false), of(true));
    Part {
        sealed: Sealed {
            start: Offset(first),
            end: Offset(end),
            rows: count(rows.len()),
            rejects: count(rejects.len()),
            cut,
            attempt: 0,
            first: None,
        },
        rows,
        rejects,
        is_last: true,
        lineage: Lineage::from_bits(0),
        is_repetition: false,
        renewed: None,
        is_renewed_here: false,
        quiet: None,
    }
}
