//! Tries an insert until it is stored, until ClickHouse refuses its rows, or until it may not be tried again.

use std::time::{Duration, Instant};

use housepipe_ch_sink::{Backoff, ErrorRow, ErrorTable, FailureClass, Insert, SinkError};
use housepipe_kafka_source::PartitionId;

use super::recovery;
use super::shared::Shared;
use super::state::{Phase, PipeState};
use crate::delivery::{Epoch, Moment, TokenMemory};
use crate::error::{PipeError, explain};

/// Time between two tries of a pipe that holds because something must be mended, in milliseconds.
pub(super) const HOLD_RETRY_MS: u64 = 10_000;

/// Why something was not inserted.
pub(super) enum Undelivered {
    /// ClickHouse refuses these rows for what they contain.
    Refused(SinkError),
    /// The pipe ends, or the partition has another owner; what is not committed is read again.
    Abandoned,
    /// It was tried for so long that ClickHouse may have forgotten whether it has it.
    Overdue {
        /// Seconds since it was tried first.
        age_s: u64,
    },
    /// The server was started anew after it was tried, and nothing of it is there.
    Forgotten,
    /// The server was started anew after it was tried: what it remembers of the token is not sure.
    ServerRestarted {
        /// When, in seconds since 1970 by the server's clock.
        started_unix_s: u64,
    },
}

/// What is tried until it succeeds.
pub(super) enum Attempt<'a> {
    Rows(&'a Insert<'a>),
    Errors(&'a ErrorTable, &'a [ErrorRow], &'a str),
}

impl Attempt<'_> {
    async fn run(
        &self,
        shared: &Shared,
        guard: &Guard,
        is_repetition: bool,
    ) -> Result<Result<(), SinkError>, Undelivered> {
        if is_repetition || guard.is_late(shared) {
            match guard.check(shared, self.is_in_keeper(shared)).await {
                Ok(may_go_on) => may_go_on?,
                Err(error) => return Ok(Err(error)),
            }
        }
        if !guard.is_owner(shared) {
            return Err(Undelivered::Abandoned);
        }
        let sink = &shared.setup.sink;
        Ok(match self {
            Attempt::Rows(insert) => {
                // Of another type the server would take the same bytes for other values. An ALTER that comes between this
                // look and the insert is not seen.
                match sink.check_types(insert.table, &shared.setup.target.known_columns).await {
                    Ok(()) => sink.insert(insert).await.map(|_| ()),
                    Err(error) => Err(error),
                }
            }
            Attempt::Errors(table, rows, token) => sink.insert_errors(table, rows, Some(token)).await,
        })
    }
}

impl Attempt<'_> {
    /// Whether tokens of the table outlive its server.
    fn is_in_keeper(&self, shared: &Shared) -> bool {
        match self {
            Attempt::Rows(_) => shared.setup.target.is_in_keeper(),
            // The error table is ours, and not replicated.
            Attempt::Errors(..) => false,
        }
    }
}

/// Under what an insert may be tried again.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// In exactly-once mode, in whose name.
    owner: Option<(PartitionId, Epoch)>,
    /// When it was tried first, by whomever.
    tried: Moment,
    /// It was tried before, so that the next try has to be asked for.
    is_repetition: bool,
    /// The start of the server that has heard of the token, where that is known.
    server: Option<u64>,
    /// The same, where the server was started anew after the first try.
    another: Option<u64>,
}

/// Seconds after which a first try is taken for one of a process that was frozen meanwhile.
const LATE_S: u64 = 30;

/// Seconds by which a server's start, reckoned from its uptime, differs from one question to the next.
const START_JITTER_S: u64 = 2;

impl Guard {
    /// Of at-least-once mode: a repetition does no harm but the obvious one.
    pub(super) fn of_nobody(shared: &Shared) -> Guard {
        let server = shared.server_start();
        Guard { owner: None, tried: shared.now(), is_repetition: false, server, another: None }
    }

    /// Of a partition; `tried` is when an earlier owner may have tried it.
    pub(super) fn of(shared: &Shared, partition: PartitionId, epoch: Epoch, tried: Option<Moment>) -> Guard {
        Guard {
            owner: Some((partition, epoch)),
            tried: tried.unwrap_or_else(|| shared.now()),
            is_repetition: tried.is_some(),
            // Which server an earlier owner has talked to is told by its clock alone.
            server: if tried.is_some() { None } else { shared.server_start() },
            another: None,
        }
    }

    /// When the server was started anew after the first try, where it was.
    pub(super) fn another_start(&self) -> Option<u64> {
        self.another
    }

    pub(super) fn tried(&self) -> Moment {
        self.tried
    }

    /// Whether the partition is still this process's own.
    pub(super) fn is_owner(&self, shared: &Shared) -> bool {
        self.owner.is_none_or(|(partition, epoch)| {
            shared.deliveries.as_ref().is_some_and(|all| all.owns(partition, epoch))
        })
    }

    /// The server was started anew, and the next try is the first one that this server hears of.
    pub(super) fn restarted(&mut self, started_unix_s: u64) {
        (self.server, self.another) = (Some(started_unix_s), Some(started_unix_s));
        self.is_repetition = false;
    }

    /// Whether the process was frozen before its first try.
    fn is_late(&self, shared: &Shared) -> bool {
        self.owner.is_some() && shared.now().seconds_to(self.tried) > LATE_S
    }

    /// Whether the insert may be tried again: the partition is this process's own, the server is the one that was asked
    /// before, and it would know the token.
    async fn check(&self, shared: &Shared, is_in_keeper: bool) -> Result<Result<(), Undelivered>, SinkError> {
        if !self.is_owner(shared) {
            return Ok(Err(Undelivered::Abandoned));
        }
        let clock = shared.setup.sink.server_clock().await?;
        shared.know_server_clock(clock);
        let started_unix_s = clock.started_unix_s;
        let is_another = match self.server {
            Some(known) => started_unix_s > known + START_JITTER_S,
            None => started_unix_s + START_JITTER_S > self.tried.unix_s,
        };
        if is_another && !is_in_keeper {
            return Ok(Err(Undelivered::ServerRestarted { started_unix_s }));
        }
        if self.owner.is_some() && recovery::memory(shared, self.tried).await? == TokenMemory::Unsure {
            return Ok(Err(Undelivered::Overdue { age_s: shared.now().seconds_to(self.tried) }));
        }
        Ok(Ok(()))
    }
}

/// Runs `attempt` until it succeeds, ClickHouse refuses the rows themselves, or the pipe ends.
pub(super) async fn persist(shared: &Shared, attempt: Attempt<'_>, guard: &Guard) -> Result<(), Undelivered> {
    let mut phase = shared.phase();
    let mut backoff = Backoff::default();
    let mut failing_since: Option<Instant> = None;
    let mut is_repetition = guard.is_repetition;
    loop {
        let outcome = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            outcome = attempt.run(shared, guard, is_repetition) => outcome?,
        };
        is_repetition = true;
        let error = match outcome {
            Ok(()) => {
                shared.progress.lock().counters.inserts += 1;
                return Ok(());
            }
            Err(error) => error,
        };
        let delay_ms = match error.class() {
            FailureClass::IsolateRow => return Err(Undelivered::Refused(error)),
            FailureClass::Hold if shared.setup.until_caught_up => {
                shared.fail(PipeError::Insert(Box::new(error)));
                return Err(Undelivered::Abandoned);
            }
            FailureClass::Hold => {
                failing_since = None;
                shared.state.set(PipeState::Misconfigured { reason: explain(&error) });
                HOLD_RETRY_MS
            }
            FailureClass::Retry => {
                let since = *failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= Duration::from_millis(shared.setup.destination_deadline_ms) {
                    shared.fail(PipeError::Destination { source: Box::new(error), after: since.elapsed() });
                    return Err(Undelivered::Abandoned);
                }
                shared.state.set(PipeState::Retrying { reason: explain(&error) });
                backoff.next_delay_ms(jitter())
            }
        };
        shared.progress.lock().counters.retries += 1;
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
        }
    }
}

/// A number in `[0, 1)` that differs from pipe to pipe and from try to try, so that they do not retry in step.
pub(super) fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(Instant::now());
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let fraction = (bits >> 11) as f64 / (1u64 << 53) as f64;
    fraction
}
