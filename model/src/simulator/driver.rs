//! Drives the delivery core of each partition by the rules of `crates/pipe-runtime/src/pipe/exactly_once.rs`.

use housepipe_ch_sink::cuts;
use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::{
    Action, CommitOutcome, Cut, ExactlyOnce, Halt, Lineage, Metadata, Moment, Pending, Recorded, Sealed,
    Terms, TokenMemory,
};

use super::clickhouse::Target;
use super::event::News;
use super::guard::Guard;
use super::kafka::Committed;
use super::mistake::Mistake;
use super::process::{Order, Owned, Part, Quiet, Reader};
use super::task::Work;
use super::world::World;

/// Seconds after the commit of a range in which its insert may begin.
const FENCE_S: u64 = 30;

impl World {
    /// A partition was assigned, and the group's commit is known.
    pub(crate) fn assign(&mut self, who: usize, partition: usize, epoch: u64, committed: Option<Committed>) {
        let (position, recorded) = match committed {
            None => (0, Recorded::Nothing),
            Some(Committed { offset, metadata }) => (offset, Recorded::read(&metadata, Offset(offset))),
        };
        self.note(|| format!("process {who} owns partition {partition} at {position}: {recorded:?}"));
        let terms = Terms { plan: self.processes[who].plan, fence_s: FENCE_S };
        let owned = Owned::new(epoch, ExactlyOnce::assigned(terms));
        self.processes[who].owned.insert(partition, owned);
        match recorded {
            Recorded::Ours(metadata) if metadata.pending.is_some() => {
                self.begin(who, Work::Recover { partition, epoch, position, metadata });
            }
            _ => self.recovered(who, partition, epoch, position, recorded, (TokenMemory::Sure, None)),
        }
    }

    /// It is known whether ClickHouse remembers what the last owner may have inserted.
    pub(crate) fn recovered(
        &mut self,
        who: usize,
        partition: usize,
        epoch: u64,
        position: i64,
        mut recorded: Recorded,
        (memory, quiet): (TokenMemory, Option<Quiet>),
    ) {
        let fresh = match recorded {
            _ if !self.setting.has(Mistake::KeepsTheLineage) => self.random.bits(),
            _ => partition as u64,
        };
        if self.setting.has(Mistake::IgnoresPending)
            && let Recorded::Ours(metadata) = recorded
        {
            recorded = Recorded::Ours(Metadata { pending: None, ..metadata });
        }
        let pending = match recorded {
            Recorded::Ours(metadata) => metadata.pending,
            _ => None,
        };
        self.step(who, partition, epoch, |owned, now| {
            owned.prepared = pending.map(|pending| (Offset(position), pending));
            owned.quiet = quiet;
            owned.core.recover(Offset(position), recorded, Lineage::from_bits(fresh), memory, now)
        });
    }

    /// A worker has closed a batch.
    pub(crate) fn sealed(&mut self, who: usize, partition: usize, epoch: u64, mut part: Part) {
        let is_unconfirmed = self.setting.has(Mistake::ReplaysUnconfirmed);
        self.step(who, partition, epoch, |owned, now| {
            if !owned.core.takes_batches() {
                return Action::Wait;
            }
            if let Some(pending) = owned.core.replaying() {
                part.refuse_as_recorded(&pending);
                part.is_repetition = true;
                part.quiet = owned.quiet.take();
            }
            part.lineage = owned.core.lineage();
            let (sealed, replays) = (part.sealed, owned.core.replaying().is_some());
            owned.parts.push_back(part);
            match owned.core.seal(sealed, now) {
                Action::Commit(_) if replays && is_unconfirmed => {
                    owned.core.committed(CommitOutcome::Acknowledged, now)
                }
                action => action,
            }
        });
    }

    pub(crate) fn committed(&mut self, who: usize, order: Order, outcome: CommitOutcome) {
        let Order { partition, epoch, commit } = order;
        match (self.setting.mistake, outcome) {
            (Some(Mistake::SendsCommitsAgain), CommitOutcome::Unknown) => {
                self.step(who, partition, epoch, |owned, now| {
                    owned.core.committed(CommitOutcome::Refused, now)
                });
            }
            (Some(Mistake::RecoversInPlace), CommitOutcome::Unknown)
                if self.processes[who].owns(partition, epoch) =>
            {
                if let Some(mut owned) = self.processes[who].owned.remove(&partition) {
                    owned.drop_all();
                }
                self.fetch(who, partition);
            }
            _ => {
                let is_ours = self.processes[who].owns(partition, epoch);
                if is_ours && outcome == CommitOutcome::Acknowledged {
                    self.stats.commits += 1;
                }
                self.note(|| {
                    format!("process {who}: commit of {partition} at {}: {outcome:?}", commit.offset)
                });
                self.step(who, partition, epoch, |owned, now| owned.core.committed(outcome, now));
            }
        }
    }

    /// The part that was being inserted is stored.
    pub(crate) fn stored(&mut self, who: usize, partition: usize, epoch: u64, part: &Part) {
        self.step(who, partition, epoch, |owned, now| {
            if part.sealed.rows > 0 {
                owned.named.accepted(&part.range());
            }
            if part.is_last {
                owned.named = housepipe_ch_sink::NamedRow::default();
            }
            owned.core.stored(now)
        });
    }

    /// ClickHouse has refused the part; nothing of it is stored.
    pub(crate) fn refused(
        &mut self,
        who: usize,
        partition: usize,
        epoch: u64,
        part: Part,
        named: Option<usize>,
    ) {
        self.stats.refusals += 1;
        self.step(who, partition, epoch, |owned, now| {
            if owned.core.is_over() {
                return Action::Wait;
            }
            let action = owned.core.refused();
            let named = named.filter(|row| *row < part.rows.len());
            let offset = named.and_then(|row| part.rows.get(row)).map(|offset| Offset(*offset));
            let named = owned.named.refused(&part.range(), offset).and(named);
            let parts = if part.sealed.rows == 1 { vec![part.refuse()] } else { part.divide(named) };
            let sealed: Vec<Sealed> = parts.iter().map(|part| part.sealed).collect();
            for part in parts.into_iter().rev() {
                owned.parts.push_front(part);
            }
            match action {
                Action::Divide(_) => owned.core.divided(&sealed, now),
                other => other,
            }
        });
    }

    /// The server was started anew since the part was prepared.
    pub(crate) fn prepare_again(
        &mut self,
        who: usize,
        partition: usize,
        epoch: u64,
        mut part: Part,
        are_there: bool,
    ) {
        self.stats.prepared_again += 1;
        part.is_repetition = are_there;
        part.quiet = None;
        self.step(who, partition, epoch, |owned, now| {
            part.renewed = are_there.then_some(Moment::at(now.unix_s));
            part.is_renewed_here = are_there;
            let action = owned.core.prepare_again(are_there, now);
            if action != Action::Wait {
                owned.parts.push_front(part);
            }
            action
        });
    }

    /// Of the part it cannot be known whether it is stored: its token may be forgotten, or what was looked for is there in part.
    pub(crate) fn stops(&mut self, who: usize, partition: usize, epoch: u64, age_s: u64, is_untold: bool) {
        self.step(who, partition, epoch, |owned, _| match is_untold {
            true => owned.core.untold(age_s),
            false => owned.core.overdue(age_s),
        });
    }

    fn step(
        &mut self,
        who: usize,
        partition: usize,
        epoch: u64,
        event: impl FnOnce(&mut Owned, Moment) -> Action,
    ) {
        self.act(
            who,
            partition,
            |owned, now| {
                if owned.epoch == epoch { event(owned, now) } else { Action::Wait }
            },
        );
    }

    /// Tells an event to the core of the partition, and carries out what it wants.
    pub(crate) fn act(
        &mut self,
        who: usize,
        partition: usize,
        event: impl FnOnce(&mut Owned, Moment) -> Action,
    ) {
        let now = self.processes[who].now(self.clock.now_ms());
        let Some(owned) = self.processes[who].owned.get_mut(&partition) else { return };
        let action = event(owned, now);
        if action != Action::Wait {
            self.note(|| format!("process {who}, partition {partition}: {action:?}"));
        }
        self.perform(who, partition, action);
        self.wake_reader(who, partition);
        self.look_at_revocation(who);
    }

    fn perform(&mut self, who: usize, partition: usize, action: Action) {
        let Some(owned) = self.processes[who].owned.get_mut(&partition) else { return };
        match action {
            Action::Wait | Action::Divide(_) => {}
            Action::Read { from } => owned.read(from, None),
            Action::Replay { start, pending } => {
                owned.read(start, Some(pending));
                self.stats.replays += 1;
            }
            Action::Commit(commit) => {
                owned.prepared = commit.metadata.pending.map(|pending| (commit.offset, pending));
                let order = Order { partition, epoch: owned.epoch, commit };
                let early = owned.parts.front().cloned().zip(commit.metadata.pending);
                self.processes[who].committer.inbox.push_back(order);
                self.send_commits(who);
                if let (true, Some((part, pending))) =
                    (self.setting.has(Mistake::InsertsBeforePrepared), early)
                {
                    let guard = Guard::of(&pending, part.is_repetition);
                    self.deliver(who, partition, order.epoch, part, guard, true);
                }
            }
            Action::Insert(sealed) => {
                if let (Some(mut part), Some((_, pending))) = (owned.parts.pop_front(), owned.prepared) {
                    part.sealed = sealed;
                    part.renewed = pending.renewed_unix_s.map(Moment::at);
                    let (epoch, guard) = (owned.epoch, Guard::of(&pending, part.is_repetition));
                    self.deliver(who, partition, epoch, part, guard, false);
                }
            }
            Action::LeaveGroup => {
                owned.drop_all();
                self.processes[who].leaves = true;
                self.stats.leaves += 1;
                self.tell_after(who, 50, News::Poll);
            }
            Action::Release => owned.drop_all(),
            Action::Halt(halt) => {
                owned.drop_all();
                owned.halted = Some(halt);
                let prepared = owned.prepared;
                self.judge_halt(who, partition, halt, prepared);
            }
        }
    }

    /// Whether a partition may stop. Other columns and damaged metadata are mishaps of their own; the log never changes; and a
    /// token may be forgotten only where a table has taken more than half of its window since the range was prepared, which is
    /// no reason where the rows tell of which records they are.
    fn judge_halt(&mut self, who: usize, partition: usize, halt: Halt, prepared: Option<(Offset, Pending)>) {
        let owner = self.kafka.owners[partition];
        if owner.is_none() || owner != self.processes[who].member {
            // It has lost the partition, and finds what its successor does. It hears so soon, and nothing stops.
            self.stats.false_alarms += 1;
            return;
        }
        self.oracle.halted(halt);
        let is_legitimate = match halt {
            Halt::OtherPlan => self.setting.deploys_ms.is_some(),
            Halt::Damaged | Halt::Newer { .. } => self.setting.operator_ms.is_some(),
            Halt::OtherRecords => false,
            // An insert is there as a whole, or not at all; but a range that overlaps others of a former life of the offsets.
            Halt::Untold { .. } => self.setting.operator_ms.is_some(),
            Halt::TooOld { .. } => prepared.is_some_and(|(_, pending)| {
                let since = pending.prepared.unix_s.saturating_sub(1);
                let half = self.setting.window_blocks / 2;
                !self.setting.looks_back(pending.rows as usize)
                    && Target::ALL.into_iter().any(|target| self.clickhouse.taken_since(target, since) > half)
            }),
        };
        if !is_legitimate {
            self.oracle.violated(format!("partition {partition} stops without need: {halt:?}, {prepared:?}"));
        }
    }
}

impl Owned {
    fn read(&mut self, from: Offset, replay: Option<Pending>) {
        if std::mem::take(&mut self.is_untouched) {
            let (open, opened_ms, is_woken) = (Vec::new(), 0, false);
            self.reader = Some(Reader { position: from.0, replay, open, opened_ms, is_woken });
        }
    }
}

impl Part {
    pub(crate) fn range(&self) -> std::ops::Range<Offset> {
        self.sealed.start..self.sealed.end
    }

    /// The row that was named and what is before and behind it, or both halves.
    fn divide(self, named: Option<usize>) -> Vec<Part> {
        let [first, second] = cuts(self.rows.len(), named);
        let (mut front, mut pieces) = (self, Vec::new());
        for row in [second, first] {
            if row > 0 && row < front.rows.len() {
                let [before, behind] = front.cut(row);
                front = before;
                pieces.push(behind);
            }
        }
        pieces.push(front);
        pieces.reverse();
        pieces
    }

    fn cut(self, row: usize) -> [Part; 2] {
        let Part { sealed, mut rows, mut rejects, is_last, lineage, .. } = self;
        let middle = rows[row];
        let rows_behind = rows.split_off(row);
        let rejects_behind = rejects.split_off(rejects.partition_point(|reject| *reject < middle));
        let part = |rows: Vec<i64>, rejects: Vec<i64>, start, end, is_last| Part {
            sealed: Sealed {
                start,
                end,
                rows: count(rows.len()),
                rejects: count(rejects.len()),
                cut: Cut::Isolation,
                attempt: 0,
                first: None,
            },
            rows,
            rejects,
            is_last,
            lineage,
            is_repetition: false,
            renewed: None,
            is_renewed_here: false,
            quiet: None,
        };
        [
            part(rows, rejects, sealed.start, Offset(middle), false),
            part(rows_behind, rejects_behind, Offset(middle), sealed.end, is_last),
        ]
    }

    /// Its one row becomes a reject.
    fn refuse(mut self) -> Part {
        self.rejects.append(&mut self.rows);
        let rejects = self.sealed.rejects + 1;
        self.sealed =
            Sealed { rows: 0, rejects, cut: Cut::Isolation, attempt: 0, first: None, ..self.sealed };
        self.is_repetition = false;
        self
    }

    /// Where the range was recorded as a row that ClickHouse had refused, it is that again.
    fn refuse_as_recorded(&mut self, pending: &Pending) {
        let is_refused = pending.cut == Cut::Isolation
            && pending.rows == 0
            && self.sealed.rows == 1
            && pending.rejects == self.sealed.rejects + 1;
        if is_refused {
            self.rejects.append(&mut self.rows);
            self.sealed = Sealed { rows: 0, rejects: pending.rejects, cut: pending.cut, ..self.sealed };
        }
    }
}

/// A count of rows, which a batch bounds far below.
pub(crate) fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
