//! Drives the delivery core of each partition in exactly-once mode: carries out its actions, and tells it what became
//! of them.
//!
//! Events come from the workers (a batch is closed), the committer (an answer), the insert tasks (stored, refused) and
//! the membership thread (assigned, revoked, lost). Each is told to the core under one lock; what the core wants next is
//! handed on without waiting.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Sender;
use housepipe_ch_sink::NamedRow;
use housepipe_kafka_source::{Offset, PartitionId, PartitionReader};

use super::batch::SealedBatch;
use super::deliver_part;
use super::guard::Guard;
use super::look_back::Quiet;
use super::part::{Part, RowsRefused};
use super::recovery;
use super::replay_slot::ReplaySlot;
use super::shared::Shared;
use super::system_log::SystemCode;
use super::worker::Share;
use crate::delivery::{
    Action, BatchToken, Commit, CommitOutcome, Epoch, ExactlyOnce, Halt, Lineage, Moment, Pending, Recorded,
    Sealed, Terms, TokenMemory,
};
use crate::error::PipeError;

/// Rows of one batch that ClickHouse may refuse, at most; more mean that the set-up is wrong.
const REFUSED_ROWS_MAX: usize = 1_000;

/// Partitions that one message names, at most.
const STANDING_PARTITIONS_MAX: usize = 20;

/// A commit to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommitOrder {
    pub(super) partition: PartitionId,
    pub(super) epoch: Epoch,
    pub(super) commit: Commit,
}

/// The partitions that this process owns in exactly-once mode.
pub(super) struct Deliveries {
    terms: Terms,
    owned: Mutex<BTreeMap<PartitionId, Owned>>,
    /// Something has come to an end.
    changed: Condvar,
    /// The way to the committer of the present membership. At most one commit of each partition is under way.
    commits: Mutex<Option<Sender<CommitOrder>>>,
}

struct Owned {
    epoch: Epoch,
    core: ExactlyOnce,
    /// The offset that the group has committed, or is about to.
    committed: Offset,
    /// Sealed and not being inserted, in the order in which the core knows them.
    parts: VecDeque<Part>,
    /// The range that was prepared last, by this owner or the one before it, and its start; none where it is stored.
    prepared: Option<(Offset, Pending)>,
    /// Since when no insert of the range that is read again was allowed any more, where its token may be forgotten.
    quiet: Option<Quiet>,
    /// Until the core says where to read.
    reader: Option<PartitionReader>,
    /// The group had no offset for it, and nothing was read of it yet.
    begins_from_nothing: bool,
    /// Rows that ClickHouse has refused of the batch that is being divided, and the offset of the one that it named last.
    refused: usize,
    named: NamedRow<Offset>,
}

impl Owned {
    /// Nothing is done for the partition any more.
    fn drop_all(&mut self, shared: &Shared) {
        self.reader = None;
        std::mem::take(&mut self.parts).into_iter().for_each(|part| part.give_back(shared));
    }
}

impl Deliveries {
    pub(super) fn new(terms: Terms) -> Deliveries {
        Deliveries { terms, owned: Mutex::default(), changed: Condvar::new(), commits: Mutex::default() }
    }

    pub(super) fn set_committer(&self, commits: Option<Sender<CommitOrder>>) {
        *self.commits.lock().unwrap_or_else(PoisonError::into_inner) = commits;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Owned>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partition was assigned. What its last owner left is looked at first.
    pub(super) fn assign(&self, shared: &Arc<Shared>, reader: PartitionReader, epoch: Epoch) {
        let partition = reader.partition();
        let (position, recorded) = match reader.committed() {
            None => (Offset(0), Recorded::Nothing),
            Some(committed) => {
                let text = std::str::from_utf8(&committed.metadata);
                let recorded = text.map_or(Recorded::Foreign, |text| Recorded::read(text, committed.offset));
                (committed.offset, recorded)
            }
        };
        let begins_from_nothing = reader.committed().is_none();
        // One with a mark is a first start that was pinned, or was made at least once: nothing was pending.
        if reader.committed().is_some_and(|committed| committed.metadata.is_empty() && !committed.is_marked) {
            let message = "the committed offset says nothing of this pipe: it was set by a tool, or committed by another program; \
                           reading goes on there, in a new lineage, and a range that was pending is not known any more";
            tracing::warn!(partition = partition.0, offset = position.0, "{message}");
            shared.system_log.tell_of(SystemCode::NewLineage, partition, position, message);
        }
        let owned = Owned {
            epoch,
            core: ExactlyOnce::assigned(self.terms),
            committed: position,
            parts: VecDeque::new(),
            prepared: None,
            quiet: None,
            reader: Some(reader),
            begins_from_nothing,
            refused: 0,
            named: NamedRow::default(),
        };
        self.lock().insert(partition, owned);
        match recorded {
            Recorded::Ours(metadata) if metadata.pending.is_some() => {
                recovery::spawn(shared, partition, epoch, position, metadata);
            }
            _ => self.recovered(shared, partition, epoch, position, (recorded, TokenMemory::Sure), None),
        }
    }

    /// It is known whether ClickHouse remembers what the last owner may have inserted; where it may not, nothing of that can be under
    /// way any more.
    pub(super) fn recovered(
        &self,
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        position: Offset,
        (recorded, memory): (Recorded, TokenMemory),
        quiet: Option<Quiet>,
    ) {
        match recorded {
            Recorded::Foreign => {
                let message = "the committed offset was set by another program; reading goes on there, in a new lineage";
                tracing::warn!(partition = partition.0, offset = position.0, "{message}");
                shared.system_log.tell_of(SystemCode::NewLineage, partition, position, message);
            }
            Recorded::Moved { from } => {
                let message =
                    "the committed offset was moved by a tool; reading goes on there, in a new lineage";
                tracing::warn!(partition = partition.0, offset = position.0, from = from.0, "{message}");
                let message = format!("{message}: from offset {from} to offset {position}");
                shared.system_log.tell_of(SystemCode::NewLineage, partition, position, &message);
            }
            Recorded::Nothing | Recorded::Ours(_) | Recorded::Newer { .. } | Recorded::Damaged => {}
        }
        let fresh = fresh_lineage(partition);
        let pending = match recorded {
            Recorded::Ours(metadata) => metadata.pending,
            _ => None,
        };
        self.step(shared, partition, epoch, |owned| {
            owned.prepared = pending.map(|pending| (position, pending));
            owned.quiet = quiet;
            owned.core.recover(position, recorded, fresh, memory, shared.now())
        });
    }

    /// A worker has closed a batch of the partition.
    pub(super) fn sealed(
        &self,
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        mut sealed: Sealed,
        batch: SealedBatch,
        slot: Option<ReplaySlot>,
    ) {
        let mut left = Some(Part {
            sealed,
            batch,
            is_last: true,
            lineage: Lineage::from_bits(0),
            is_repetition: false,
            renewed: None,
            is_renewed_here: false,
            quiet: None,
            lacks_raw: false,
            slot,
        });
        self.step(shared, partition, epoch, |owned| {
            if !owned.core.takes_batches() {
                return Action::Wait;
            }
            let Some(mut part) = left.take() else { return Action::Wait };
            if std::mem::take(&mut owned.begins_from_nothing) && shared.setup.found_rows {
                tell_of_nothing(shared, partition, sealed.start);
            }
            if let Some(pending) = owned.core.replaying() {
                part.refuse_as_recorded(shared, &pending);
                part.is_repetition = true;
                part.quiet = owned.quiet.take();
                sealed = part.sealed;
            }
            part.lineage = owned.core.lineage();
            owned.parts.push_back(part);
            owned.core.seal(sealed, shared.now())
        });
        if let Some(part) = left {
            part.give_back(shared);
        }
    }

    /// A commit was answered.
    pub(super) fn committed(
        &self,
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        outcome: CommitOutcome,
    ) {
        self.step(shared, partition, epoch, |owned| owned.core.committed(outcome, shared.now()));
    }

    /// The part that was being inserted is stored.
    pub(super) fn stored(&self, shared: &Arc<Shared>, partition: PartitionId, epoch: Epoch, part: &Part) {
        self.step(shared, partition, epoch, |owned| {
            if part.sealed.rows > 0 {
                owned.named.accepted(&part.range());
            }
            if part.is_last {
                (owned.refused, owned.named) = (0, NamedRow::default());
            }
            owned.core.stored(shared.now())
        });
    }

    /// ClickHouse has refused the part for what is in it; nothing of it is stored.
    pub(super) fn refused(
        &self,
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        part: Part,
        refusal: &RowsRefused,
    ) {
        let mut left = Some(part);
        self.step(shared, partition, epoch, |owned| {
            if owned.core.is_over() {
                return Action::Wait;
            }
            let Some(part) = left.take() else { return Action::Wait };
            let action = owned.core.refused();
            let named = refusal.named.filter(|row| *row < part.batch.row_count());
            let offset = named.map(|row| part.batch.origin(row).1);
            let named = owned.named.refused(&part.range(), offset).and(named);
            let parts = match part.sealed.rows {
                1 => {
                    owned.refused += 1;
                    shared.progress.lock().refused(part.batch.judged, 1);
                    if owned.refused > REFUSED_ROWS_MAX {
                        let (refused, last) = (owned.refused, refusal.message.clone());
                        shared.fail(PipeError::TooManyRefused { refused, last });
                    }
                    vec![part.refuse(shared, refusal)]
                }
                _ => part.divide(named),
            };
            let sealed: Vec<Sealed> = parts.iter().map(|part| part.sealed).collect();
            for part in parts.into_iter().rev() {
                owned.parts.push_front(part);
            }
            match action {
                Action::Divide(_) => owned.core.divided(&sealed, shared.now()),
                other => other,
            }
        });
        if let Some(part) = left {
            part.give_back(shared);
        }
    }

    /// What the server remembers of the part's token is not believed any more: it is prepared again, with another token, or with the same
    /// one where its rows `are_there`.
    pub(super) fn prepare_again(
        &self,
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        mut part: Part,
        are_there: bool,
    ) {
        let now = shared.now();
        part.is_repetition = are_there;
        // Without what the tables had taken then: whoever comes next does not know that, and has to judge as this process does.
        part.renewed = are_there.then_some(Moment::at(now.unix_s));
        part.is_renewed_here = are_there;
        part.quiet = None;
        let mut left = Some(part);
        self.step(shared, partition, epoch, |owned| {
            let action = owned.core.prepare_again(are_there, now);
            if action != Action::Wait {
                owned.parts.extend(left.take());
                owned.parts.rotate_right(1);
                shared.progress.lock().counters.recoveries.ranges_prepared_again += 1;
            }
            action
        });
        if let Some(part) = left {
            part.give_back(shared);
        }
    }

    /// The part was tried for so long that ClickHouse may have forgotten its token.
    pub(super) fn overdue(&self, shared: &Arc<Shared>, partition: PartitionId, epoch: Epoch, age_s: u64) {
        self.step(shared, partition, epoch, |owned| owned.core.overdue(age_s));
    }

    /// What is left of the part was looked for, and does not tell whether it was inserted.
    pub(super) fn untold(&self, shared: &Arc<Shared>, partition: PartitionId, epoch: Epoch, age_s: u64) {
        self.step(shared, partition, epoch, |owned| owned.core.untold(age_s));
    }

    /// The part is not waited for any more: the partition's next owner finds its range.
    pub(super) fn give_up(&self, shared: &Arc<Shared>, partition: PartitionId, epoch: Epoch) {
        self.step(shared, partition, epoch, |owned| owned.core.give_up());
    }

    /// Whether the group wants the partition back, or it has another owner.
    pub(super) fn is_wanted_back(&self, partition: PartitionId, epoch: Epoch) -> bool {
        let all = self.lock();
        all.get(&partition).is_none_or(|owned| owned.epoch != epoch || owned.core.is_draining())
    }

    /// The offset that the group has committed for the partition.
    pub(super) fn committed_offset(&self, partition: PartitionId) -> Option<Offset> {
        self.lock().get(&partition).map(|owned| owned.committed)
    }

    /// Where the group stands in each partition, in words, and the ranges that may be loaded behind that.
    pub(super) fn standing(&self) -> String {
        let all = self.lock();
        let mut parts: Vec<String> = all
            .iter()
            .take(STANDING_PARTITIONS_MAX)
            .map(|(partition, owned)| {
                let prepared = owned.prepared.map_or_else(String::new, |prepared| {
                    format!(" ({} may be loaded)", words_of_range(prepared))
                });
                format!("offset {} of partition {partition}{prepared}", owned.committed)
            })
            .collect();
        match all.len() {
            0 => parts.push("no offset of a partition of this process".to_owned()),
            count if count > parts.len() => parts.push(format!("{} partitions more", count - parts.len())),
            _ => {}
        }
        parts.join(", ")
    }

    /// The ranges that are prepared, and not known to be stored.
    pub(super) fn pending(&self) -> Vec<Pending> {
        self.lock().values().filter_map(|owned| owned.prepared).map(|(_, pending)| pending).collect()
    }

    /// The range that is being read again, in words, where there is one: it may be loaded.
    pub(super) fn range_read_again(&self, partition: PartitionId) -> Option<String> {
        let all = self.lock();
        let owned = all.get(&partition).filter(|owned| owned.core.replaying().is_some())?;
        owned.prepared.map(words_of_range)
    }

    /// Whether the partition is still owned as it was then: what was begun for it may go on.
    pub(super) fn owns(&self, partition: PartitionId, epoch: Epoch) -> bool {
        self.lock().get(&partition).is_some_and(|owned| owned.epoch == epoch && !owned.core.is_over())
    }

    /// Whether nothing is under way for any partition.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().values().all(|owned| owned.core.is_idle())
    }

    /// Gives the partitions back: what is being inserted is finished and committed, until `patience` is over.
    pub(super) fn revoke(&self, shared: &Arc<Shared>, partitions: &[PartitionId], patience: Duration) {
        for partition in partitions {
            self.act(shared, *partition, |owned| {
                if owned.reader.is_some() {
                    // Not read yet: nothing was done in its name.
                    return owned.core.lose();
                }
                owned.core.revoke()
            });
        }
        let deadline = Instant::now() + patience;
        let mut owned = self.lock();
        let is_over = |owned: &BTreeMap<PartitionId, Owned>| {
            partitions.iter().all(|partition| owned.get(partition).is_none_or(|owned| owned.core.is_over()))
        };
        while !is_over(&owned) && !shared.is_aborted() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!(
                    "partitions are given back before their inserts are done; the next owner finishes them"
                );
                break;
            }
            let wait = left.min(Duration::from_millis(WAIT_MS));
            owned = self.changed.wait_timeout(owned, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(owned);
        for partition in partitions {
            self.act(shared, *partition, |owned| {
                if owned.core.is_over() { Action::Wait } else { owned.core.give_up() }
            });
        }
        self.forget(shared, partitions);
    }

    /// The partitions have other owners already.
    pub(super) fn lose(&self, shared: &Arc<Shared>, partitions: &[PartitionId]) {
        for partition in partitions {
            self.act(shared, *partition, |owned| owned.core.lose());
        }
        self.forget(shared, partitions);
    }

    fn forget(&self, shared: &Arc<Shared>, partitions: &[PartitionId]) {
        let mut owned = self.lock();
        for partition in partitions {
            if let Some(owned) = owned.remove(partition) {
                owned.parts.into_iter().for_each(|part| part.give_back(shared));
            }
        }
    }

    /// Tells an event to the core of the partition, if that is still the owner, and carries out what it wants.
    fn step(
        &self,
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        event: impl FnOnce(&mut Owned) -> Action,
    ) {
        self.act(shared, partition, |owned| if owned.epoch == epoch { event(owned) } else { Action::Wait });
    }

    fn act(&self, shared: &Arc<Shared>, partition: PartitionId, event: impl FnOnce(&mut Owned) -> Action) {
        let mut all = self.lock();
        let Some(owned) = all.get_mut(&partition) else { return };
        let action = event(owned);
        self.perform(shared, partition, owned, action);
        drop(all);
        self.changed.notify_all();
        shared.progress.notify();
    }

    /// Carries out an action. Nothing here waits.
    fn perform(&self, shared: &Arc<Shared>, partition: PartitionId, owned: &mut Owned, action: Action) {
        match action {
            Action::Wait | Action::Divide(_) => {}
            Action::Read { .. } => read(shared, owned, None),
            Action::Replay { start, pending } => {
                tracing::info!(
                    partition = partition.0,
                    start = start.0,
                    end = pending.end.0,
                    "a range that may be loaded already is read again"
                );
                shared.progress.lock().counters.recoveries.ranges_replayed += 1;
                read(shared, owned, Some(pending));
            }
            Action::Commit(commit) => {
                owned.committed = commit.offset;
                owned.prepared = commit.metadata.pending.map(|pending| (commit.offset, pending));
                let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(commits) = commits.as_ref() {
                    // A committer that is gone has ended with the membership, and the partition with it.
                    let _ = commits.send(CommitOrder { partition, epoch: owned.epoch, commit });
                }
            }
            Action::Insert(sealed) => {
                if let (Some(mut part), Some((_, pending))) = (owned.parts.pop_front(), owned.prepared) {
                    part.sealed = sealed;
                    part.renewed = pending.renewed_unix_s.map(Moment::at);
                    let guard = Guard::of(shared, partition, owned.epoch, &pending, part.is_repetition);
                    shared.spawn(deliver_part::deliver_part(
                        Arc::clone(shared),
                        partition,
                        owned.epoch,
                        part,
                        guard,
                    ));
                }
            }
            Action::LeaveGroup => {
                owned.drop_all(shared);
                shared.leave_group();
            }
            Action::Release => owned.drop_all(shared),
            Action::Halt(halt) => {
                owned.drop_all(shared);
                shared.orders.release_later(partition);
                shared.halt(partition, owned.committed, explain_halt(halt, owned.prepared));
            }
        }
    }
}

/// A group without an offset reads what may be loaded: that of a new pipe, or of one that has stood still for so long that Kafka has
/// forgotten where it was.
fn tell_of_nothing(shared: &Shared, partition: PartitionId, start: Offset) {
    let message = "the group has no offset for the partition, and the table has rows: what is read from here on is loaded. If the \
                   pipe has loaded it before, the group's offsets have expired or were deleted, and it is there twice then; \
                   stop the pipe, and set them (`housepipe offsets set`)";
    tracing::warn!(partition = partition.0, offset = start.0, "{message}");
    shared.system_log.tell_of(SystemCode::NewLineage, partition, start, message);
}

/// Longest wait for a change, in milliseconds, so that an abort is seen.
const WAIT_MS: u64 = 100;

fn read(shared: &Shared, owned: &mut Owned, replay: Option<Pending>) {
    if let Some(reader) = owned.reader.take() {
        shared.orders.take(Share { reader, epoch: owned.epoch, replay });
    }
}

/// A lineage that nobody had before.
pub(crate) fn fresh_lineage(partition: PartitionId) -> Lineage {
    Lineage::from_bits(RandomState::new().hash_one((SystemTime::now(), partition)))
}

/// The token of a part.
pub(super) fn token(shared: &Shared, partition: PartitionId, part: &Part) -> BatchToken {
    token_of_attempt(shared, partition, part, part.sealed.attempt)
}

/// The token of a part when it was begun for the time number `attempt`, counted from 0.
pub(super) fn token_of_attempt(
    shared: &Shared,
    partition: PartitionId,
    part: &Part,
    attempt: u32,
) -> BatchToken {
    let labels = &shared.setup.labels;
    let Sealed { start, end, .. } = part.sealed;
    BatchToken::of_range(&labels.pipe, &labels.topic, part.lineage, partition, start, end).attempt(attempt)
}

fn words_of_range((start, pending): (Offset, Pending)) -> String {
    format!("the range from offset {start} up to, and without, offset {}", pending.end)
}

/// Why a partition stops, and what to do.
fn explain_halt(halt: Halt, prepared: Option<(Offset, Pending)>) -> String {
    let loaded = format!(
        "look into the table whether {} is there, stop the pipe everywhere, and set the group's offset before it or \
         behind it (`housepipe offsets set --forget-pending`)",
        prepared.map_or_else(|| "the range that was pending".to_owned(), words_of_range)
    );
    match halt {
        Halt::Newer { version } => format!(
            "its committed offset was written by a newer version of housepipe (format {version}); run that version"
        ),
        Halt::Damaged => format!("the metadata of its committed offset is damaged; {loaded}"),
        Halt::OtherPlan => format!(
            "a batch that may be loaded already was made with other columns, another schema for records that name none, or under \
             another name of the pipe; run the pipe once as it was, or {loaded}"
        ),
        Halt::OtherRecords => format!(
            "a batch that may be loaded already reads otherwise now (retention, compaction, a new topic, or a schema that the registry \
             did not have then); {loaded}"
        ),
        Halt::TooOld { age_s } => format!(
            "a batch that may be loaded already is {age_s} s old, and the table may have forgotten its token, or have lost it \
             when clickhouse was started anew, or another table or view has taken its place; {loaded}. A MergeTree on one server \
             without views, with columns for _topic, _partition and _offset, is looked into instead"
        ),
        Halt::Untold { age_s } => format!(
            "a batch that may be loaded already is {age_s} s old, its token is not believed, and what the tables have of it does not \
             tell whether it was loaded: a part of it, other values than it has, nothing in a table whose engine merges rows, or so \
             much that clickhouse gives up the search for its time; {loaded}"
        ),
    }
}
