//! Asks where the logs of partitions end, where nothing is fetched that would tell.
//!
//! Each answer to a fetch tells the end of its log, and costs nothing. Nothing is fetched of a partition that has as much fetched ahead as it
//! may, as while records cannot be stored: then the end that was told last stays, however long the log becomes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use crate::context::GroupConsumer;
use crate::log::{Place, asked_of_topics};
use crate::{Offset, PartitionId};

/// Time between two looks at partitions whose end is not told by fetches, in milliseconds.
const LOOK_EVERY_MS: u64 = 10_000;

/// Time for each of the two questions of a look, at most, in milliseconds.
const QUESTION_MS_MAX: u64 = 5_000;

/// Where the log of a partition begins and ends, as its last fetch has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ToldRange {
    pub(crate) start: Option<Offset>,
    /// Open transactions are behind it, as they are where it is asked for: nobody can read them yet.
    pub(crate) end: Option<Offset>,
}

impl ToldRange {
    /// As librdkafka has them; what was not told yet is negative.
    pub(crate) fn of(start: i64, end: i64) -> ToldRange {
        let told = |offset: i64| (offset >= 0).then_some(Offset(offset));
        ToldRange { start: told(start), end: told(end) }
    }
}

/// What is known of the ends, beside what fetches tell.
pub(crate) struct EndWatch {
    known: Arc<Mutex<Known>>,
    looked_at: Mutex<Instant>,
}

#[derive(Default)]
struct Known {
    /// The end that fetches had told when it was looked at last.
    fetched: HashMap<PartitionId, Option<Offset>>,
    asked: HashMap<PartitionId, Asked>,
    starts: HashMap<PartitionId, Offset>,
    /// A question is under way.
    is_asking: bool,
}

/// An end that was asked for. It holds until a fetch tells another one than it had told by then.
#[derive(Debug, Clone, Copy)]
struct Asked {
    fetched: Option<Offset>,
    end: Offset,
}

impl EndWatch {
    /// The first look comes after a while: until then fetches have begun.
    pub(crate) fn begin() -> EndWatch {
        EndWatch { known: Arc::default(), looked_at: Mutex::new(Instant::now()) }
    }

    /// Where it is time to, asks for the ends of those of `behind` whose end was not told anew since the last look, and where the logs of
    /// `unread` begin. `fetched` is what fetches tell. Does not wait: a thread does.
    pub(crate) fn look(
        &self,
        consumer: &Arc<GroupConsumer>,
        behind: &[PartitionId],
        unread: &[PartitionId],
        fetched: impl Fn(PartitionId) -> Option<Offset>,
    ) {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_at.elapsed() < Duration::from_millis(LOOK_EVERY_MS) {
            return;
        }
        *looked_at = Instant::now();
        let mut known = lock(&self.known);
        let ends = known.unmoved(behind, fetched);
        if known.is_asking || (ends.is_empty() && unread.is_empty()) {
            return;
        }
        let questions = Questions {
            consumer: Arc::downgrade(consumer),
            known: Arc::clone(&self.known),
            ends,
            starts: unread.to_vec(),
        };
        match thread::Builder::new().name("housepipe-ends".to_owned()).spawn(move || questions.ask()) {
            Ok(_) => known.is_asking = true,
            Err(error) => tracing::debug!(error = %error, "the ends of partitions could not be asked for"),
        }
    }

    /// The end of `partition`, where fetches have told `fetched`.
    pub(crate) fn end(&self, partition: PartitionId, fetched: Option<Offset>) -> Option<Offset> {
        lock(&self.known).end(partition, fetched)
    }

    /// The first offset of the log of `partition`, where it was asked for.
    pub(crate) fn start(&self, partition: PartitionId) -> Option<Offset> {
        lock(&self.known).starts.get(&partition).copied()
    }
}

impl Known {
    /// Those of `partitions` whose end was not told anew since this was asked last, each with the end that was told.
    fn unmoved(
        &mut self,
        partitions: &[PartitionId],
        fetched: impl Fn(PartitionId) -> Option<Offset>,
    ) -> Vec<(PartitionId, Option<Offset>)> {
        let now: HashMap<PartitionId, Option<Offset>> =
            partitions.iter().map(|partition| (*partition, fetched(*partition))).collect();
        let before = std::mem::replace(&mut self.fetched, now);
        let owned: HashSet<&PartitionId> = self.fetched.keys().collect();
        self.asked.retain(|partition, _| owned.contains(partition));
        let is_unmoved = |partition: &PartitionId, end: &Option<Offset>| {
            end.is_none() || before.get(partition) == Some(end)
        };
        let unmoved = self.fetched.iter().filter(|(partition, end)| is_unmoved(partition, end));
        unmoved.map(|(partition, end)| (*partition, *end)).collect()
    }

    fn end(&self, partition: PartitionId, fetched: Option<Offset>) -> Option<Offset> {
        let asked = self.asked.get(&partition).filter(|asked| asked.fetched == fetched);
        fetched.max(asked.map(|asked| asked.end))
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one look asks.
struct Questions {
    /// The membership may end meanwhile.
    consumer: Weak<GroupConsumer>,
    known: Arc<Mutex<Known>>,
    ends: Vec<(PartitionId, Option<Offset>)>,
    starts: Vec<PartitionId>,
}

impl Questions {
    fn ask(self) {
        let ends: Vec<PartitionId> = self.ends.iter().map(|(partition, _)| *partition).collect();
        let ends = self.told(&ends, Place::End);
        let starts = self.told(&self.starts, Place::Start);
        let mut known = lock(&self.known);
        for (partition, end) in ends {
            let fetched = self.ends.iter().find(|(asked, _)| *asked == partition).and_then(|(_, end)| *end);
            known.asked.insert(partition, Asked { fetched, end });
        }
        known.starts = starts.into_iter().collect();
        known.is_asking = false;
    }

    /// What the brokers tell of a place of these partitions; nothing of those that they say nothing of.
    fn told(&self, partitions: &[PartitionId], place: Place) -> Vec<(PartitionId, Offset)> {
        let Some(consumer) = self.consumer.upgrade() else { return Vec::new() };
        let config = consumer.context().config();
        let places: Vec<(&str, i32)> =
            partitions.iter().map(|partition| (config.topic.as_str(), partition.0)).collect();
        let timeout = Duration::from_millis(QUESTION_MS_MAX);
        match asked_of_topics(&consumer, config, &places, place, timeout) {
            Ok(told) => {
                let told = partitions.iter().zip(told);
                told.filter_map(|(partition, told)| Some((*partition, Offset(told.ok()??)))).collect()
            }
            Err(error) => {
                tracing::debug!(error = %error, "the ends of partitions were not told");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_fetched_yet_is_not_told() {
        assert_eq!(ToldRange::of(-1_001, -1_001), ToldRange::default());
        assert_eq!(ToldRange::of(0, -1), ToldRange { start: Some(Offset(0)), end: None });
        assert_eq!(ToldRange::of(3, 7), ToldRange { start: Some(Offset(3)), end: Some(Offset(7)) });
    }

    #[test]
    fn an_end_is_asked_for_where_no_fetch_has_told_another_one() {
        let mut known = Known::default();
        let (moves, stands, unread) = (PartitionId(0), PartitionId(1), PartitionId(2));
        let all = [moves, stands, unread];
        let at = |end: i64| {
            move |partition: PartitionId| match partition {
                PartitionId(0) => Some(Offset(end)),
                PartitionId(1) => Some(Offset(7)),
                _ => None,
            }
        };
        assert_eq!(known.unmoved(&all, at(1)), [(unread, None)], "the others are seen for the first time");
        let mut unmoved = known.unmoved(&all, at(2));
        unmoved.sort();
        assert_eq!(unmoved, [(stands, Some(Offset(7))), (unread, None)]);
    }

    #[test]
    fn an_end_that_was_asked_for_holds_until_a_fetch_tells_another() {
        let mut known = Known::default();
        let partition = PartitionId(0);
        assert_eq!(known.end(partition, None), None);
        let told = Some(Offset(10));
        known.asked.insert(partition, Asked { fetched: told, end: Offset(15) });
        assert_eq!(known.end(partition, told), Some(Offset(15)));
        assert_eq!(known.end(partition, Some(Offset(12))), Some(Offset(12)));
        assert_eq!(known.end(partition, Some(Offset(4))), Some(Offset(4)), "a log that has lost its end");
        known.asked.insert(partition, Asked { fetched: told, end: Offset(9) });
        assert_eq!(known.end(partition, told), told, "an answer that is older than the fetch");
        known.unmoved(&[], |_| None);
        assert!(known.asked.is_empty(), "of what is not owned nothing is kept");
    }
}
