//! One partition's way to exactly once: what may be inserted and committed when, decided from events alone.
//!
//! ```text
//! recovering ─ clean ─► filling ─ sealed ─► preparing ─ acknowledged ─► inserting ─ stored ─┬─► preparing the next
//!      │                   ▲                   ▲                            │                 └─► clearing ─► filling
//!      └─ pending ─► replaying ─ the same range ─► confirming ─ acknowledged ►┘
//! ```
//!
//! A range is *prepared* by a commit of its start with the range in the metadata, and inserted only once that commit is
//! acknowledged, with a token made of the range. Whoever owns the partition next finds the range, reads it again and
//! inserts it with the same token: ClickHouse drops what it has. Before that it commits the range once more as it stands:
//! whoever has lost the partition without knowing is refused, and inserts nothing. The commit that ends a range prepares the next
//! one.
//!
//! Time comes with the events, as a [`Moment`], as the lineage's random bits do. The driver checks that it still
//! owns the partition at every step, carries out the [`Action`]s, and tells what became of them.

use std::collections::VecDeque;

use housepipe_kafka_source::Offset;

use super::action::{Action, Commit, CommitOutcome, Halt, Sealed, Terms, TokenMemory};
use super::metadata::{Lineage, Metadata, Pending, Recorded};
use super::moment::Moment;

/// The delivery of one assigned partition. A new assignment has a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExactlyOnce {
    terms: Terms,
    phase: Phase,
    lineage: Lineage,
    /// Everything below is stored, as far as this owner knows.
    settled: Offset,
    /// Batches that are sealed and not stored, in order. The front one is what the phase speaks of.
    sealed: VecDeque<Sealed>,
    /// No new range is begun: the partition is asked for.
    is_draining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// What the group has committed is asked for.
    Recovering,
    /// A recorded range is read again.
    Replaying(Pending),
    /// The commit is out that says once more what is read again, since then.
    Confirming { commit: Commit, since_unix_s: u64 },
    /// Nothing is under way.
    Filling,
    /// The commit is out that prepares the front batch.
    Preparing(Commit),
    /// The front batch is being inserted, as it was prepared at this moment.
    Inserting(Moment),
    /// The front batch was refused, and is being divided.
    Dividing,
    /// The commit is out that says that nothing is pending.
    Clearing(Commit),
    /// This owner's part is over.
    Over,
}

impl ExactlyOnce {
    /// A partition that was just assigned. The driver asks the group for its commit, and tells it to
    /// [`recover`](Self::recover).
    pub fn assigned(terms: Terms) -> ExactlyOnce {
        ExactlyOnce {
            terms,
            phase: Phase::Recovering,
            lineage: Lineage::from_bits(0),
            settled: Offset(0),
            sealed: VecDeque::new(),
            is_draining: false,
        }
    }

    /// The group's commit is known: `position` is its offset, or 0 where it has none. `fresh` is used where no lineage is
    /// recorded; `memory` is about the range that is pending, and means nothing where none is.
    pub fn recover(
        &mut self,
        position: Offset,
        recorded: Recorded,
        fresh: Lineage,
        memory: TokenMemory,
        now: Moment,
    ) -> Action {
        if self.phase != Phase::Recovering {
            return Action::Wait;
        }
        self.settled = position;
        let (lineage, pending) = match recorded {
            Recorded::Ours(metadata) => (metadata.lineage, metadata.pending),
            // An operator or another program has set this position; what was before it is not ours to know.
            Recorded::Nothing | Recorded::Foreign | Recorded::Moved { .. } => (fresh, None),
            Recorded::Newer { version } => return self.halt(Halt::Newer { version }),
            Recorded::Damaged => return self.halt(Halt::Damaged),
        };
        self.lineage = lineage;
        if self.is_draining {
            return self.release();
        }
        let Some(pending) = pending else {
            self.phase = Phase::Filling;
            return Action::Read { from: position };
        };
        if pending.plan != self.terms.plan {
            return self.halt(Halt::OtherPlan);
        }
        if memory == TokenMemory::Unsure {
            return self.halt(Halt::TooOld { age_s: pending.prepared.seconds_to(now) });
        }
        self.phase = Phase::Replaying(pending);
        Action::Replay { start: position, pending }
    }

    /// A batch was closed. It follows the one before it, or is the range that was to be replayed.
    pub fn seal(&mut self, batch: Sealed, now: Moment) -> Action {
        match self.phase {
            Phase::Replaying(pending) => {
                let recorded = Sealed::recorded(self.settled, pending);
                let Sealed { cut, attempt, first, .. } = recorded;
                if (Sealed { cut, attempt, first, ..batch }) != recorded {
                    return self.halt(Halt::OtherRecords);
                }
                self.sealed.push_back(recorded);
                self.confirm(pending, now)
            }
            Phase::Recovering | Phase::Over => Action::Wait,
            _ if self.is_draining => Action::Wait,
            _ => {
                self.sealed.push_back(batch);
                if self.phase == Phase::Filling { self.prepare(batch, now) } else { Action::Wait }
            }
        }
    }

    /// A commit was answered, or its answer did not come in time.
    pub fn committed(&mut self, outcome: CommitOutcome, now: Moment) -> Action {
        let (Phase::Preparing(commit) | Phase::Confirming { commit, .. } | Phase::Clearing(commit)) =
            self.phase
        else {
            return Action::Wait;
        };
        match outcome {
            CommitOutcome::Unknown => self.leave(),
            // Not applied, and nothing else was done in its name. Whoever has lost the partition hears so from the group.
            CommitOutcome::Refused if self.is_draining => self.release(),
            CommitOutcome::Refused => Action::Commit(commit),
            CommitOutcome::Acknowledged => match self.phase {
                // The next owner finds the range.
                _ if self.is_draining => self.release(),
                Phase::Confirming { commit, since_unix_s } => {
                    match (self.sealed.front().copied(), commit.metadata.pending) {
                        (Some(front), Some(pending)) if self.is_in_time(since_unix_s, now) => {
                            self.phase = Phase::Inserting(pending.prepared);
                            Action::Insert(front)
                        }
                        (_, Some(pending)) => self.confirm(pending, now),
                        (_, None) => self.fill(now),
                    }
                }
                Phase::Preparing(_) => match self.sealed.front().copied() {
                    Some(front) if self.is_in_time(prepared_last_unix_s(commit, now), now) => {
                        let prepared = commit.metadata.pending.map_or(now, |pending| pending.prepared);
                        self.phase = Phase::Inserting(prepared);
                        Action::Insert(front)
                    }
                    // A process that was frozen meanwhile. What it prepared counts from now on, if the partition is
                    // still its own.
                    _ => self.fill(now),
                },
                _ => self.fill(now),
            },
        }
    }

    /// Rows and rejects of the front batch are stored, or ClickHouse has dropped them as a repetition.
    pub fn stored(&mut self, now: Moment) -> Action {
        if !matches!(self.phase, Phase::Inserting(_)) {
            return Action::Wait;
        }
        if let Some(front) = self.sealed.pop_front() {
            self.settled = front.end;
        }
        match self.sealed.front().copied() {
            Some(next) if !self.is_draining => self.prepare(next, now),
            _ => self.clear(),
        }
    }

    /// ClickHouse has refused the front batch for what is in it: nothing of it was inserted.
    pub fn refused(&mut self) -> Action {
        match (self.phase, self.sealed.front().copied()) {
            (Phase::Inserting(_), Some(front)) => {
                self.phase = Phase::Dividing;
                Action::Divide(front)
            }
            _ => Action::Wait,
        }
    }

    /// The front batch was divided: these ranges, in order, take its place. Each is prepared by itself, so that a next
    /// owner knows how far its predecessor came.
    pub fn divided(&mut self, parts: &[Sealed], now: Moment) -> Action {
        if self.phase != Phase::Dividing {
            return Action::Wait;
        }
        self.sealed.pop_front();
        for part in parts.iter().rev() {
            self.sealed.push_front(*part);
        }
        match self.sealed.front().copied() {
            Some(first) if !self.is_draining => self.prepare(first, now),
            _ => self.clear(),
        }
    }

    /// The server was started anew since the front batch was prepared: what it remembers of the token is not believed where
    /// the rows are not there. The batch is prepared again, with another token, or, where its rows `are_there`, with the
    /// same one: a process that is not the owner any more is told so, and a next owner knows the token.
    pub fn prepare_again(&mut self, are_there: bool, now: Moment) -> Action {
        match (self.phase, self.sealed.front_mut()) {
            (Phase::Inserting(prepared), Some(front)) => {
                if are_there {
                    front.first = Some(prepared);
                } else {
                    (front.first, front.attempt) = (None, front.attempt.saturating_add(1));
                }
                let front = *front;
                // Also on the way out: with the old token the same range could be dropped as one that is there.
                self.prepare(front, now)
            }
            _ => Action::Wait,
        }
    }

    /// Tries of the front batch have failed for so long that ClickHouse may have forgotten its token.
    pub fn overdue(&mut self, age_s: u64) -> Action {
        if matches!(self.phase, Phase::Inserting(_)) {
            self.halt(Halt::TooOld { age_s })
        } else {
            Action::Wait
        }
    }

    /// What is left of the front batch was looked for, and does not tell whether it was inserted.
    pub fn untold(&mut self, age_s: u64) -> Action {
        if matches!(self.phase, Phase::Inserting(_)) {
            self.halt(Halt::Untold { age_s })
        } else {
            Action::Wait
        }
    }

    /// The group wants the partition back. What is being inserted is finished and committed; what is only sealed is
    /// dropped, and read again by the next owner.
    pub fn revoke(&mut self) -> Action {
        self.is_draining = true;
        match self.phase {
            Phase::Recovering
            | Phase::Preparing(_)
            | Phase::Confirming { .. }
            | Phase::Inserting(_)
            | Phase::Dividing
            | Phase::Clearing(_) => Action::Wait,
            Phase::Replaying(_) | Phase::Filling | Phase::Over => self.release(),
        }
    }

    /// The time to drain is over. An insert that is under way is the next owner's to repeat, with the same token; a
    /// commit that is under way must not come behind those of the next owner.
    pub fn give_up(&mut self) -> Action {
        match self.phase {
            Phase::Preparing(_) | Phase::Confirming { .. } | Phase::Clearing(_) => self.leave(),
            _ => self.release(),
        }
    }

    /// The partition has another owner already. A commit that is under way must not come behind those of that owner.
    pub fn lose(&mut self) -> Action {
        self.give_up()
    }

    /// The life of the partition's offsets, for tokens.
    pub fn lineage(&self) -> Lineage {
        self.lineage
    }

    /// Whether a batch that is sealed now is taken; else it is to be dropped, and its records are read by the next owner.
    pub fn takes_batches(&self) -> bool {
        !self.is_draining && !matches!(self.phase, Phase::Recovering | Phase::Over)
    }

    /// The range that is being read again.
    pub fn replaying(&self) -> Option<Pending> {
        match self.phase {
            Phase::Replaying(pending) => Some(pending),
            _ => None,
        }
    }

    /// Whether nothing is under way: no batch is sealed and not stored, and no answer is waited for.
    pub fn is_idle(&self) -> bool {
        let waits = matches!(
            self.phase,
            Phase::Preparing(_)
                | Phase::Confirming { .. }
                | Phase::Inserting(_)
                | Phase::Dividing
                | Phase::Clearing(_)
        );
        !waits && self.sealed.is_empty()
    }

    /// Whether the group wants the partition back.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Whether this owner does nothing any more.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn prepare(&mut self, batch: Sealed, now: Moment) -> Action {
        // No record lies between the last batch and this one.
        self.settled = batch.start;
        let pending = Pending {
            end: batch.end,
            rows: batch.rows,
            rejects: batch.rejects,
            plan: self.terms.plan,
            cut: batch.cut,
            attempt: batch.attempt,
            prepared: Moment { server_start_unix_s: now.server_start_unix_s, ..batch.first.unwrap_or(now) },
            renewed_unix_s: batch.first.map(|_| now.unix_s),
        };
        let commit = Commit {
            offset: batch.start,
            metadata: Metadata { lineage: self.lineage, pending: Some(pending) },
        };
        self.phase = Phase::Preparing(commit);
        Action::Commit(commit)
    }

    /// Commits the range that was read again as it stands: an insert of it comes from whoever owns the partition.
    fn confirm(&mut self, pending: Pending, now: Moment) -> Action {
        let metadata = Metadata { lineage: self.lineage, pending: Some(pending) };
        let commit = Commit { offset: self.settled, metadata };
        self.phase = Phase::Confirming { commit, since_unix_s: now.unix_s };
        Action::Commit(commit)
    }

    /// Whether an insert may begin now on the grounds of a commit that was sent then.
    fn is_in_time(&self, since_unix_s: u64, now: Moment) -> bool {
        since_unix_s.abs_diff(now.unix_s) <= self.terms.fence_s
    }

    fn clear(&mut self) -> Action {
        let metadata = Metadata { lineage: self.lineage, pending: None };
        let commit = Commit { offset: self.settled, metadata };
        self.phase = Phase::Clearing(commit);
        Action::Commit(commit)
    }

    fn fill(&mut self, now: Moment) -> Action {
        self.phase = Phase::Filling;
        match self.sealed.front().copied() {
            Some(next) => self.prepare(next, now),
            None => Action::Wait,
        }
    }

    fn leave(&mut self) -> Action {
        self.phase = Phase::Over;
        self.sealed.clear();
        Action::LeaveGroup
    }

    fn release(&mut self) -> Action {
        self.phase = Phase::Over;
        self.sealed.clear();
        Action::Release
    }

    fn halt(&mut self, halt: Halt) -> Action {
        self.phase = Phase::Over;
        self.sealed.clear();
        Action::Halt(halt)
    }
}

/// When the range of the commit was prepared last.
fn prepared_last_unix_s(commit: Commit, now: Moment) -> u64 {
    commit.metadata.pending.map_or(now.unix_s, |pending| pending.last_unix_s())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Cut;

    const NOW: Moment =
        Moment { unix_s: 1_764_000_000, blocks: None, server_start_unix_s: None, windows: None };
    const TERMS: Terms = Terms { plan: 7, fence_s: 300 };

    fn lineage() -> Lineage {
        Lineage::from_bits(0xabc)
    }

    fn batch(start: i64, end: i64) -> Sealed {
        let rows = u32::try_from(end - start).unwrap();
        Sealed {
            start: Offset(start),
            end: Offset(end),
            rows,
            rejects: 0,
            cut: Cut::Size,
            attempt: 0,
            first: None,
        }
    }

    fn pending(end: i64, rows: u32) -> Pending {
        Pending {
            end: Offset(end),
            rows,
            rejects: 0,
            plan: 7,
            cut: Cut::Size,
            attempt: 0,
            prepared: NOW,
            renewed_unix_s: None,
        }
    }

    fn prepares(batch: Sealed) -> Action {
        let pending = pending(batch.end.0, batch.rows);
        let pending = Some(Pending { rejects: batch.rejects, cut: batch.cut, ..pending });
        Action::Commit(Commit { offset: batch.start, metadata: Metadata { lineage: lineage(), pending } })
    }

    fn clears(offset: i64) -> Action {
        let metadata = Metadata { lineage: lineage(), pending: None };
        Action::Commit(Commit { offset: Offset(offset), metadata })
    }

    /// A partition that reads from 0 and has nothing under way.
    fn filling() -> ExactlyOnce {
        let mut core = ExactlyOnce::assigned(TERMS);
        let action = core.recover(Offset(0), Recorded::Nothing, lineage(), TokenMemory::Sure, NOW);
        assert_eq!(action, Action::Read { from: Offset(0) });
        core
    }

    /// A partition that inserts `[0, 10)`.
    fn inserting() -> ExactlyOnce {
        let mut core = filling();
        assert_eq!(core.seal(batch(0, 10), NOW), prepares(batch(0, 10)));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(batch(0, 10)));
        core
    }

    fn recovered(recorded: Recorded) -> (ExactlyOnce, Action) {
        let mut core = ExactlyOnce::assigned(TERMS);
        let action = core.recover(Offset(0), recorded, lineage(), TokenMemory::Sure, NOW);
        (core, action)
    }

    fn ours(pending: Pending) -> Recorded {
        Recorded::Ours(Metadata { lineage: lineage(), pending: Some(pending) })
    }

    #[test]
    fn the_commit_that_ends_a_batch_prepares_the_next() {
        let mut core = inserting();
        assert_eq!(core.seal(batch(10, 15), NOW), Action::Wait);
        assert_eq!(core.stored(NOW), prepares(batch(10, 15)));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(batch(10, 15)));
        assert_eq!(core.stored(NOW), clears(15));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Wait);
        assert_eq!(core.seal(batch(15, 16), NOW), prepares(batch(15, 16)));
    }

    #[test]
    fn a_batch_that_is_sealed_while_a_commit_is_out_waits_for_it() {
        let mut core = inserting();
        assert_eq!(core.stored(NOW), clears(10));
        assert_eq!(core.seal(batch(10, 12), NOW), Action::Wait);
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), prepares(batch(10, 12)));
    }

    #[test]
    fn nothing_is_inserted_before_its_commit_is_acknowledged() {
        let mut core = filling();
        assert_eq!(core.seal(batch(0, 10), NOW), prepares(batch(0, 10)));
        assert_eq!(core.seal(batch(10, 20), NOW), Action::Wait);
        assert_eq!(core.committed(CommitOutcome::Refused, NOW), prepares(batch(0, 10)));
        assert_eq!(core.committed(CommitOutcome::Unknown, NOW), Action::LeaveGroup);
        assert!(core.is_over());
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Wait);
    }

    #[test]
    fn a_pending_range_is_replayed_exactly() {
        let (mut core, action) = recovered(ours(pending(10, 10)));
        assert_eq!(action, Action::Replay { start: Offset(0), pending: pending(10, 10) });
        assert_eq!(core.lineage(), lineage());
        // However the driver came to cut it there.
        let again = Sealed { cut: Cut::Drain, ..batch(0, 10) };
        assert_eq!(core.seal(again, NOW), prepares(batch(0, 10)));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(batch(0, 10)));
        assert_eq!(core.stored(NOW), clears(10));
    }

    #[test]
    fn a_range_that_is_read_again_is_confirmed_before_it_is_inserted() {
        let old = Pending { prepared: Moment::at(NOW.unix_s - 1_000), ..pending(10, 10) };
        let (mut core, _) = recovered(ours(old));
        let Action::Commit(commit) = core.seal(batch(0, 10), NOW) else { panic!("no commit") };
        assert_eq!((commit.offset, commit.metadata.pending), (Offset(0), Some(old)), "its age counts on");
        // A member that was thrown out, one that does not know, and one that is asked for the partition.
        assert_eq!(core.clone().committed(CommitOutcome::Refused, NOW), Action::Commit(commit));
        assert_eq!(core.clone().committed(CommitOutcome::Unknown, NOW), Action::LeaveGroup);
        assert_eq!(core.clone().give_up(), Action::LeaveGroup);
        let mut asked = core.clone();
        assert_eq!(asked.revoke(), Action::Wait);
        assert_eq!(asked.committed(CommitOutcome::Acknowledged, NOW), Action::Release);
        // One that was frozen asks once more.
        let woken = Moment::at(NOW.unix_s + 301);
        assert_eq!(core.committed(CommitOutcome::Acknowledged, woken), Action::Commit(commit));
        assert!(!core.is_idle());
        assert_eq!(core.committed(CommitOutcome::Acknowledged, woken), Action::Insert(batch(0, 10)));
    }

    #[test]
    fn a_range_that_reads_otherwise_halts() {
        for other in [batch(0, 9), batch(1, 10), Sealed { rejects: 1, ..batch(0, 10) }] {
            let (mut core, _) = recovered(ours(pending(10, 10)));
            assert_eq!(core.seal(other, NOW), Action::Halt(Halt::OtherRecords));
            assert!(core.is_over());
        }
    }

    #[test]
    fn what_cannot_be_replayed_halts_and_says_why() {
        let other_plan = ours(Pending { plan: 8, ..pending(10, 10) });
        assert_eq!(recovered(other_plan).1, Action::Halt(Halt::OtherPlan));
        let old = ours(Pending { prepared: Moment::at(NOW.unix_s - 301), ..pending(10, 10) });
        let mut core = ExactlyOnce::assigned(TERMS);
        let action = core.recover(Offset(0), old, lineage(), TokenMemory::Unsure, NOW);
        assert_eq!(action, Action::Halt(Halt::TooOld { age_s: 301 }));
        // Where nothing is pending there is nothing to remember.
        let mut core = ExactlyOnce::assigned(TERMS);
        let action = core.recover(Offset(5), Recorded::Nothing, lineage(), TokenMemory::Unsure, NOW);
        assert_eq!(action, Action::Read { from: Offset(5) });
        assert_eq!(recovered(Recorded::Damaged).1, Action::Halt(Halt::Damaged));
        assert_eq!(recovered(Recorded::Newer { version: 2 }).1, Action::Halt(Halt::Newer { version: 2 }));
        let mut core = inserting();
        assert_eq!(core.overdue(301), Action::Halt(Halt::TooOld { age_s: 301 }));
    }

    #[test]
    fn offsets_that_others_have_set_begin_a_new_lineage() {
        for recorded in [Recorded::Nothing, Recorded::Foreign, Recorded::Moved { from: Offset(5) }] {
            let (core, action) = recovered(recorded);
            assert_eq!(action, Action::Read { from: Offset(0) });
            assert_eq!(core.lineage(), lineage());
        }
        let before = Lineage::from_bits(0x123);
        let (core, _) = recovered(Recorded::Ours(Metadata { lineage: before, pending: None }));
        assert_eq!(core.lineage(), before);
    }

    #[test]
    fn a_process_that_was_frozen_prepares_again() {
        let mut core = filling();
        core.seal(batch(0, 10), NOW);
        let woken = Moment::at(NOW.unix_s + 301);
        let Action::Commit(commit) = core.committed(CommitOutcome::Acknowledged, woken) else {
            panic!("an insert, so late")
        };
        assert_eq!(commit.metadata.pending.unwrap().prepared, woken);
        assert_eq!(core.committed(CommitOutcome::Acknowledged, woken), Action::Insert(batch(0, 10)));
    }

    #[test]
    fn a_range_that_is_begun_anew_is_prepared_with_its_new_token() {
        let mut core = inserting();
        let again = Sealed { attempt: 1, ..batch(0, 10) };
        let Action::Commit(commit) = core.prepare_again(false, NOW) else { panic!("no commit") };
        let pending = commit.metadata.pending.unwrap();
        assert_eq!((commit.offset, pending.end, pending.attempt), (Offset(0), Offset(10), 1));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(again));
        // The next owner takes the token of the last attempt.
        let (mut next, action) = recovered(ours(pending));
        assert_eq!(action, Action::Replay { start: Offset(0), pending });
        assert_eq!(next.seal(batch(0, 10), NOW), Action::Commit(commit));
        assert_eq!(next.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(again));
        // On its way out it leaves the range to the next owner, with the new token.
        let mut core = inserting();
        core.revoke();
        assert_eq!(core.prepare_again(false, NOW), Action::Commit(commit));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Release);
    }

    #[test]
    fn a_range_whose_rows_are_there_is_prepared_again_with_its_token() {
        let mut core = inserting();
        let later = Moment::at(NOW.unix_s + 10);
        let Action::Commit(commit) = core.prepare_again(true, later) else { panic!("no commit") };
        let renewed = Pending { renewed_unix_s: Some(later.unix_s), ..pending(10, 10) };
        assert_eq!(commit.metadata.pending, Some(renewed), "its age counts from the first time on");
        let again = Sealed { first: Some(NOW), ..batch(0, 10) };
        assert_eq!(core.committed(CommitOutcome::Acknowledged, later), Action::Insert(again));
        // The next owner goes on with the same range, and may have to renew it too, or begin anew.
        let (mut next, _) = recovered(ours(renewed));
        assert_eq!(next.seal(batch(0, 10), later), Action::Commit(commit));
        assert_eq!(next.committed(CommitOutcome::Acknowledged, later), Action::Insert(again));
        let Action::Commit(commit) = next.clone().prepare_again(true, NOW) else { panic!("no commit") };
        assert_eq!(commit.metadata.pending.unwrap().prepared, NOW);
        let Action::Commit(commit) = next.prepare_again(false, later) else { panic!("no commit") };
        let anew = commit.metadata.pending.unwrap();
        assert_eq!((anew.attempt, anew.prepared, anew.renewed_unix_s), (1, later, None));
        // One that wakes up late renews it once more, and does not forget since when its rows may be there.
        let mut core = inserting();
        core.prepare_again(true, NOW);
        let woken = Moment::at(NOW.unix_s + 301);
        let Action::Commit(commit) = core.committed(CommitOutcome::Acknowledged, woken) else {
            panic!("an insert, so late")
        };
        let pending = commit.metadata.pending.unwrap();
        assert_eq!((pending.prepared, pending.renewed_unix_s), (NOW, Some(woken.unix_s)));
    }

    #[test]
    fn a_refused_batch_goes_on_in_parts_that_are_prepared_one_by_one() {
        let mut core = inserting();
        core.seal(batch(10, 20), NOW);
        assert_eq!(core.refused(), Action::Divide(batch(0, 10)));
        let parts = [batch(0, 5), batch(5, 10)];
        assert_eq!(core.divided(&parts, NOW), prepares(batch(0, 5)));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(batch(0, 5)));
        assert_eq!(core.stored(NOW), prepares(batch(5, 10)));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Insert(batch(5, 10)));
        assert_eq!(core.stored(NOW), prepares(batch(10, 20)));
    }

    #[test]
    fn a_revoked_partition_ends_with_what_it_inserts() {
        let mut core = inserting();
        core.seal(batch(10, 20), NOW);
        assert_eq!(core.revoke(), Action::Wait);
        assert_eq!(core.seal(batch(20, 30), NOW), Action::Wait);
        assert_eq!(core.stored(NOW), clears(10));
        assert_eq!(core.committed(CommitOutcome::Acknowledged, NOW), Action::Release);
        assert!(core.is_over());
        assert_eq!(filling().revoke(), Action::Release);
    }

    #[test]
    fn a_partition_is_not_given_back_with_a_commit_under_way() {
        let mut core = filling();
        core.seal(batch(0, 10), NOW);
        assert_eq!(core.revoke(), Action::Wait);
        assert_eq!(core.clone().committed(CommitOutcome::Acknowledged, NOW), Action::Release);
        assert_eq!(core.clone().committed(CommitOutcome::Refused, NOW), Action::Release);
        assert_eq!(core.give_up(), Action::LeaveGroup);
        // An insert under way is the next owner's to repeat.
        let mut core = inserting();
        core.revoke();
        assert_eq!(core.give_up(), Action::Release);
    }

    #[test]
    fn nothing_happens_after_the_end() {
        let mut core = inserting();
        assert_eq!(core.lose(), Action::Release);
        assert!(core.is_over());
        let mut core = filling();
        core.seal(batch(0, 10), NOW);
        assert_eq!(core.lose(), Action::LeaveGroup, "its commit is under way");
        assert!(core.is_over());
        assert_eq!(core.stored(NOW), Action::Wait);
        assert_eq!(core.refused(), Action::Wait);
        assert_eq!(core.overdue(1), Action::Wait);
        assert_eq!(core.seal(batch(10, 11), NOW), Action::Wait);
        assert_eq!(core.divided(&[], NOW), Action::Wait);
        assert_eq!(
            core.recover(Offset(0), Recorded::Nothing, lineage(), TokenMemory::Sure, NOW),
            Action::Wait
        );
    }
}
