//! Asks where the logs of partitions end, where nothing is fetched that would tell.
//!
//! Each answer to a fetch tells the end of its log, and costs nothing. Nothing is fetched of a partition that has as much fetched ahead as it
//! may, as while records cannot be stored: then the end that was told last stays, however long the log becomes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::metadata::MetadataTopic;

use crate::context::GroupConsumer;
use crate::log::{Place, asked_of_topics};
use crate::{Offset, PartitionId};

/// Time between two looks at partitions whose end is not told by fetches, in milliseconds.
const LOOK_EVERY_MS: u64 = 10_000;

/// Time for each question of a look, at most, in milliseconds.
const QUESTION_MS_MAX: u64 = 5_000;

/// Time in which further questions of a look are begun where the first was not answered, in milliseconds: many leaders may be away.
const LOOK_MS_MAX: u64 = 30_000;

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
    /// The last look has told less than was asked for, and that was said.
    has_warned: bool,
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
        let asks_nothing = ends.is_empty() && unread.is_empty();
        if known.is_asking || asks_nothing {
            known.has_warned &= !asks_nothing;
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
        let since = Instant::now();
        let of_ends: Vec<PartitionId> = self.ends.iter().map(|(partition, _)| *partition).collect();
        let ends = self.told(&of_ends, Place::End, since);
        let starts = self.told(&self.starts, Place::Start, since);
        let untold = Untold::among(&of_ends, &ends).or(Untold::among(&self.starts, &starts));
        let mut known = lock(&self.known);
        for (partition, end) in ends {
            let fetched = self.ends.iter().find(|(asked, _)| *asked == partition).and_then(|(_, end)| *end);
            known.asked.insert(partition, Asked { fetched, end });
        }
        known.starts.retain(|partition, _| self.starts.contains(partition));
        known.starts.extend(starts);
        known.is_asking = false;
        let has_warned = std::mem::replace(&mut known.has_warned, untold.is_some());
        drop(known);
        // A membership that ends is answered nothing either.
        let is_member = self.consumer.strong_count() > 0;
        if let Some(Untold { partitions, first }) = untold.filter(|_| !has_warned && is_member) {
            tracing::warn!(
                partitions,
                first = first.0,
                "the brokers do not tell where the logs of some partitions end; how far behind these are is not known, or as it was seen last"
            );
        }
    }

    /// What the brokers tell of a place of these partitions; nothing of those that they say nothing of.
    ///
    /// All are asked for at once. librdkafka tells nothing at all where a single broker does not answer, or refuses a single partition: then
    /// each leader's partitions are asked for by themselves.
    fn told(&self, partitions: &[PartitionId], place: Place, since: Instant) -> Vec<(PartitionId, Offset)> {
        if let Some(told) = self.answer(partitions, place) {
            return told;
        }
        let groups = self.by_leader(partitions).into_iter();
        let in_time = groups.take_while(|_| since.elapsed() < Duration::from_millis(LOOK_MS_MAX));
        in_time.filter_map(|group| self.answer(&group, place)).flatten().collect()
    }

    /// None where the question failed.
    fn answer(&self, partitions: &[PartitionId], place: Place) -> Option<Vec<(PartitionId, Offset)>> {
        // Anew for each question: a member that leaves need not wait for all of them.
        let consumer = self.consumer.upgrade()?;
        let config = consumer.context().config();
        let places: Vec<(&str, i32)> =
            partitions.iter().map(|partition| (config.topic.as_str(), partition.0)).collect();
        let timeout = Duration::from_millis(QUESTION_MS_MAX);
        match asked_of_topics(&consumer, config, &places, place, timeout) {
            Ok(told) => {
                let told = partitions.iter().zip(told);
                Some(told.filter_map(|(partition, told)| Some((*partition, Offset(told.ok()??)))).collect())
            }
            Err(error) => {
                tracing::debug!(error = %error, "the ends of partitions were not told");
                None
            }
        }
    }

    /// Those of `partitions` that have a leader, by their leaders; each by itself where these are not told, since the question for them goes
    /// to any broker, and so to one that does not answer.
    fn by_leader(&self, partitions: &[PartitionId]) -> Vec<Vec<PartitionId>> {
        let Some(consumer) = self.consumer.upgrade() else { return Vec::new() };
        let topic = &consumer.context().config().topic;
        let timeout = Duration::from_millis(QUESTION_MS_MAX);
        let metadata = match consumer.fetch_metadata(Some(topic), timeout) {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::debug!(error = %error, "the leaders of partitions were not told");
                return partitions.iter().map(|partition| vec![*partition]).collect();
            }
        };
        let leaders = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        let leaders = leaders.map(|partition| (PartitionId(partition.id()), partition.leader()));
        grouped(partitions, &leaders.collect())
    }
}

/// `partitions` by their leaders; without those that have none.
fn grouped(partitions: &[PartitionId], leaders: &HashMap<PartitionId, i32>) -> Vec<Vec<PartitionId>> {
    let mut groups: BTreeMap<i32, Vec<PartitionId>> = BTreeMap::new();
    for partition in partitions {
        if let Some(leader) = leaders.get(partition).filter(|leader| **leader >= 0) {
            groups.entry(*leader).or_default().push(*partition);
        }
    }
    groups.into_values().collect()
}

/// Partitions of which nothing was told.
#[derive(Debug, PartialEq, Eq)]
struct Untold {
    partitions: usize,
    first: PartitionId,
}

impl Untold {
    fn among(asked: &[PartitionId], told: &[(PartitionId, Offset)]) -> Option<Untold> {
        let told: HashSet<PartitionId> = told.iter().map(|(partition, _)| *partition).collect();
        let untold = asked.iter().filter(|partition| !told.contains(partition));
        let first = untold.clone().min()?;
        Some(Untold { partitions: untold.count(), first: *first })
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

    #[test]
    fn partitions_are_grouped_by_their_leaders_and_those_without_one_are_left_out() {
        let [zero, one, two, three] = [0, 1, 2, 3].map(PartitionId);
        let leaders = HashMap::from([(zero, 2), (one, -1), (two, 1), (three, 2)]);
        let unheard_of = PartitionId(9);
        let groups = grouped(&[zero, one, two, three, unheard_of], &leaders);
        assert_eq!(groups, [vec![two], vec![zero, three]]);
    }

    #[test]
    fn what_was_not_told_is_counted() {
        let all = [2, 0, 1].map(PartitionId);
        let told = [(PartitionId(2), Offset(5))];
        assert_eq!(Untold::among(&all, &told), Some(Untold { partitions: 2, first: PartitionId(0) }));
        assert_eq!(Untold::among(&all[..1], &told), None);
    }
}
