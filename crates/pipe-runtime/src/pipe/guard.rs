//! Whether an insert may be tried: whose it is, which server it was prepared for, and what that remembers.

use std::time::Instant;

use housepipe_ch_sink::{Look, SinkError};
use housepipe_kafka_source::PartitionId;

use super::attempt::{Attempt, Undelivered};
use super::recovery;
use super::shared::Shared;
use crate::delivery::{Epoch, Moment, Pending};
use crate::server_start::{SETTLING, is_another, is_settled};

/// Under what an insert may be tried, and tried again.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// In exactly-once mode, in whose name.
    owner: Option<(PartitionId, Epoch)>,
    /// Since when it may have been tried, by whomever: in exactly-once mode, when its range was prepared first.
    since: Moment,
    /// When its range was prepared last, in seconds since 1970.
    last_unix_s: u64,
    /// It may have been tried before, so that the next try has to be asked for.
    is_repetition: bool,
    /// It was tried by this process since it was prepared.
    was_sent: bool,
    /// The start of the server that the range was prepared under, or that has heard of the token, where that is known.
    server: Option<u64>,
    /// The same, where the server was started anew after the first try.
    another: Option<u64>,
}

/// Seconds after which a first try is taken for one of a process that was frozen meanwhile.
pub(super) const LATE_S: u64 = 30;

impl Guard {
    /// Of at-least-once mode: a repetition does no harm but the obvious one.
    pub(super) fn of_nobody(shared: &Shared) -> Guard {
        let since = shared.now();
        let last_unix_s = since.unix_s;
        Guard {
            owner: None,
            since,
            last_unix_s,
            is_repetition: false,
            was_sent: false,
            server: None,
            another: None,
        }
    }

    /// Of a prepared range of a partition; where `is_repetition`, an earlier owner may have tried it.
    pub(super) fn of(
        shared: &Shared,
        partition: PartitionId,
        epoch: Epoch,
        pending: &Pending,
        is_repetition: bool,
    ) -> Guard {
        // Of several servers behind one address each has a start of its own.
        let is_of_one = shared.setup.target.is_of_one_server();
        Guard {
            owner: Some((partition, epoch)),
            since: pending.prepared,
            last_unix_s: pending.last_unix_s(),
            is_repetition,
            was_sent: false,
            server: pending.prepared.server_start_unix_s.filter(|_| is_of_one),
            another: None,
        }
    }

    /// When the server was started anew after the first try, where it was.
    pub(super) fn another_start(&self) -> Option<u64> {
        self.another
    }

    pub(super) fn since(&self) -> Moment {
        self.since
    }

    /// It has a token that nobody had before that moment, and nobody but this process where that `is_own`: then it is tried for the
    /// first time.
    pub(super) fn count_from(&mut self, moment: Moment, is_own: bool) {
        self.since = Moment { server_start_unix_s: self.since.server_start_unix_s, ..moment };
        self.is_repetition &= !is_own;
    }

    /// Whether it may have been tried before.
    pub(super) fn is_repetition(&self) -> bool {
        self.is_repetition
    }

    /// Whether this process has tried it since it was prepared.
    pub(super) fn was_sent(&self) -> bool {
        self.was_sent
    }

    /// It is tried now; says whether it may have been before.
    pub(super) fn tries(&mut self) -> bool {
        self.was_sent = true;
        std::mem::replace(&mut self.is_repetition, true)
    }

    /// The server has not begun the last try.
    pub(super) fn was_not_begun(&mut self, was_tried: bool) {
        self.is_repetition = was_tried;
    }

    /// Whether the group wants the partition back, or has given it to somebody else.
    pub(super) fn is_wanted_back(&self, shared: &Shared) -> bool {
        self.owner.is_some_and(|(partition, epoch)| {
            shared.deliveries.as_ref().is_none_or(|all| all.is_wanted_back(partition, epoch))
        })
    }

    /// Whether the partition is still this process's own.
    pub(super) fn is_owner(&self, shared: &Shared) -> bool {
        self.owner.is_none_or(|(partition, epoch)| {
            shared.deliveries.as_ref().is_some_and(|all| all.owns(partition, epoch))
        })
    }

    /// In at-least-once mode: the server was started anew, and the next try is the first one that this server hears of.
    pub(super) fn restarted(&mut self, started_unix_s: u64) {
        (self.server, self.another) = (Some(started_unix_s), Some(started_unix_s));
        self.is_repetition = false;
    }

    /// Whether the process was frozen before its first try.
    fn is_late(&self, shared: &Shared) -> bool {
        self.owner.is_some() && shared.now().unix_s.abs_diff(self.last_unix_s) > LATE_S
    }

    /// Whether the server that was started then is another one than that which the range was prepared under.
    fn is_another(&self, started_unix_s: u64) -> bool {
        let prepared_unix_s = self.owner.map(|_| self.last_unix_s);
        is_another(started_unix_s, self.server, prepared_unix_s, self.is_repetition)
    }

    /// Looks whether the insert may be tried: the partition is this process's own, the columns are of the types that they
    /// had, the server is the one that the range was prepared under, and it would know the token. Returns the session in
    /// which to try it, so that it does not come to a server that is started after this look.
    ///
    /// Of another type the server would take the same bytes for other values. An ALTER that comes between this look and
    /// the insert is not seen.
    pub(super) async fn look(
        &mut self,
        shared: &Shared,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Option<String>, Undelivered>, SinkError> {
        let opens_session = self.owner.is_some() && shared.setup.target.is_of_one_server();
        let mut was_late = false;
        loop {
            // Until when, by the server's clock, it is known that the server remembers what may have been tried.
            let mut known_unix_s = self.last_unix_s;
            if self.owner.is_some() && (self.is_repetition || was_late || self.is_late(shared)) {
                // Of this server, and before the look that opens a session, whose time is short.
                let first = match self.look_once(shared, attempt, false).await? {
                    Ok(look) => look,
                    Err(undelivered) => return Ok(Err(undelivered)),
                };
                known_unix_s = first.clock.now_unix_s;
                if !attempt.is_remembered(recovery::remembered(shared, self.since).await?) {
                    return Ok(Err(Undelivered::Overdue { age_s: shared.now().seconds_to(self.since) }));
                }
            }
            let look = match self.look_once(shared, attempt, opens_session).await? {
                Ok(look) => look,
                Err(undelivered) => return Ok(Err(undelivered)),
            };
            // A process that was frozen in between, or suspended with its clock, asks again.
            was_late = look.clock.now_unix_s.saturating_sub(known_unix_s) > LATE_S;
            if self.owner.is_none() || !was_late {
                return Ok(Ok(look.session));
            }
        }
    }

    async fn look_once(
        &mut self,
        shared: &Shared,
        attempt: &Attempt<'_>,
        opens_session: bool,
    ) -> Result<Result<Look, Undelivered>, SinkError> {
        if !self.is_owner(shared) {
            return Ok(Err(Undelivered::Abandoned));
        }
        let columns = attempt.known_columns(shared);
        let look = loop {
            let asked = Instant::now();
            let look = shared.setup.sink.look(attempt.table(), columns, opens_session).await?;
            shared.know_server_clock(look.clock, asked);
            // In both modes: of two servers that are taken for one the second may know the token of rows that died with the first.
            if !shared.setup.target.is_of_one_server() || is_settled(look.clock) {
                break look;
            }
            tokio::time::sleep(SETTLING).await;
            if !self.is_owner(shared) {
                return Ok(Err(Undelivered::Abandoned));
            }
        };
        let started_unix_s = look.clock.started_unix_s;
        if self.is_another(started_unix_s) && !attempt.is_in_keeper(shared) {
            return Ok(Err(Undelivered::ServerRestarted { started_unix_s }));
        }
        if self.owner.is_none() || shared.setup.target.is_of_one_server() {
            self.server.get_or_insert(started_unix_s);
        }
        Ok(Ok(look))
    }
}
