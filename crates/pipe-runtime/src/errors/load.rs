//! Loads one batch of a replay: begun, inserted, loaded.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{
    Backoff, Bisection, ClaimConflict, DeduplicationFacts, ErrorTable, FailureClass, RecordId, ReplayMark,
    ServerClock, Sink, SinkError, may_divide,
};

use super::encode::Rows;
use super::error::ErrorsError;
use super::insert::{Attempted, Sent};
use super::note::Note;
use super::open::Destination;
use super::report::ReplayReport;
use crate::error::explain;
use crate::server_start::{SETTLING, is_settled};

/// Code of a row that ClickHouse refused.
const CODE_REFUSED: &str = "refused_by_clickhouse";

/// Time for which a request is tried again, in milliseconds; then the replay ends, to be run again.
///
/// An insert is sent within this time of its mark, or not at all: a process that was stopped and wakes hours later must
/// not send what another has finished meanwhile, with a token that the table has forgotten.
pub(super) const RETRY_MS_MAX: u64 = 60_000;

/// How often a batch is begun anew because ClickHouse was started anew behind its insert.
const BEGUN_ANEW_MAX: usize = 5;

/// Writes to both tables.
pub(super) struct Loader<'a> {
    pub(super) sink: &'a Sink,
    pub(super) pipe: &'a str,
    pub(super) errors: &'a ErrorTable,
    pub(super) destination: &'a Destination,
    pub(super) facts: DeduplicationFacts,
    random: RandomState,
    begun: u64,
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        sink: &'a Sink,
        pipe: &'a str,
        errors: &'a ErrorTable,
        destination: &'a Destination,
        facts: DeduplicationFacts,
    ) -> Loader<'a> {
        Loader { sink, pipe, errors, destination, facts, random: RandomState::new(), begun: 0 }
    }

    /// Loads the rows that ClickHouse takes; the others are counted as still refused, each alone.
    ///
    /// Each range that the search hands out is a batch of its own, with a token of its own. So whoever finishes this after
    /// a kill does not depend on the table refusing the same rows then.
    pub(super) async fn load(&mut self, rows: &Rows, report: &mut ReplayReport) -> Result<(), ErrorsError> {
        let all = 0..rows.len();
        let Some(first) = self.attempt(rows, all.clone(), report).await? else { return Ok(()) };
        let (whole_rows, error) = (all.len(), explain(&first));
        tracing::warn!(error, rows = whole_rows, "clickhouse refused an insert; its rows go in several");
        let is_too_much = |error: &SinkError| error.class() == FailureClass::Divide;
        let mut search = match is_too_much(&first) {
            true if !may_divide(whole_rows, whole_rows) => return Err(ErrorsError::Insert(Box::new(first))),
            true => Bisection::after_excess(whole_rows),
            false => Bisection::after_refusal(whole_rows, error, first.named_row()),
        };
        while let Some(range) = search.next_range() {
            match self.attempt(rows, range.clone(), report).await? {
                None => search.accepted(),
                Some(error) if is_too_much(&error) => match may_divide(range.len(), whole_rows) {
                    true => search.exceeded(),
                    false => return Err(ErrorsError::Insert(Box::new(error))),
                },
                Some(error) => search.refused(explain(&error), error.named_row()),
            }
        }
        let refused = search.finish().map_err(|too_many| ErrorsError::TooManyRefused {
            refused: too_many.refused,
            last: too_many.last_message,
        })?;
        for row in refused {
            report.refuse(CODE_REFUSED, "", &row.message);
        }
        Ok(())
    }

    /// Rows under a token of their own, or several, until they are stored; or why they are refused.
    async fn attempt(
        &mut self,
        rows: &Rows,
        range: Range<usize>,
        report: &mut ReplayReport,
    ) -> Result<Option<SinkError>, ErrorsError> {
        for _ in 0..BEGUN_ANEW_MAX {
            match self.attempt_once(rows, &range, report).await? {
                Sent::Stored => return Ok(None),
                Sent::Refused(error) => return Ok(Some(error)),
                Sent::Nothing => {}
            }
        }
        Err(ErrorsError::Restarting { times: BEGUN_ANEW_MAX })
    }

    /// The server's clock, once it has run for so long that no other one is taken for it.
    async fn settled_server(&self) -> Result<ServerClock, SinkError> {
        loop {
            let clock = until_answered(|| self.sink.server_clock()).await?;
            if is_settled(clock) || !self.destination.target.is_of_one_server() {
                return Ok(clock);
            }
            tokio::time::sleep(SETTLING).await;
        }
    }

    /// One batch through all its steps.
    async fn attempt_once(
        &mut self,
        rows: &Rows,
        range: &Range<usize>,
        report: &mut ReplayReport,
    ) -> Result<Sent, ErrorsError> {
        let (ids, body) = (rows.ids(range), rows.slice(range));
        let server = self.settled_server().await?;
        let (token, began) = (self.new_token(), Instant::now());
        let note = Note::new(self.destination.plan_hash, &body, server, &self.facts).text();
        self.mark(ReplayMark::Begun, (&token, &note), ids).await?;
        // Between the mark and the insert: of two replays that begin at the same time one at least sees the other.
        if let Some(conflict) = self.sink.claim_conflict(self.errors.name(), self.pipe, &token).await? {
            self.mark(ReplayMark::Dropped, (&token, ""), ids).await?;
            let by = match conflict {
                ClaimConflict::Another { token } => format!("it has begun the batch `{token}`"),
                ClaimConflict::Loaded { records } => format!("it has just loaded {records} of these records"),
            };
            return Err(ErrorsError::Conflict { by });
        }
        let insert = self.destination.target.insert(body, range.len(), &token);
        let sent = match self.insert(&insert, server, Attempted::Never(began)).await {
            Ok(sent) => sent,
            Err(error @ ErrorsError::Insert(_)) => {
                self.mark(ReplayMark::Dropped, (&token, ""), ids).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        match &sent {
            Sent::Stored => {
                self.mark(ReplayMark::Loaded, (&token, ""), ids).await?;
                report.loaded += ids.len() as u64;
                report.inserts += 1;
            }
            Sent::Refused(_) | Sent::Nothing => self.mark(ReplayMark::Dropped, (&token, ""), ids).await?,
        }
        Ok(sent)
    }

    /// A token that no other batch has.
    fn new_token(&mut self) -> String {
        self.begun += 1;
        format!("housepipe:replay:{}:{:016x}", self.pipe, self.random.hash_one(self.begun))
    }

    /// Adds a mark. It may arrive twice: the same mark twice says what it says once.
    pub(super) async fn mark(
        &self,
        mark: ReplayMark,
        claim: (&str, &str),
        ids: &[RecordId],
    ) -> Result<(), ErrorsError> {
        Ok(until_answered(|| self.sink.mark_replay(self.errors, self.pipe, mark, claim, ids)).await?)
    }
}

/// Asks until there is an answer, for as long as a request is tried.
pub(super) async fn until_answered<T, F>(ask: impl Fn() -> F) -> Result<T, SinkError>
where
    F: Future<Output = Result<T, SinkError>>,
{
    let (mut backoff, started) = (Backoff::default(), Instant::now());
    loop {
        match ask().await {
            Err(error) if error.class() == FailureClass::Retry && !is_over(started) => {
                pause(&mut backoff, &error).await;
            }
            answer => return answer,
        }
    }
}

pub(super) fn is_over(started: Instant) -> bool {
    started.elapsed() >= Duration::from_millis(RETRY_MS_MAX)
}

pub(super) async fn pause(backoff: &mut Backoff, error: &SinkError) {
    tracing::warn!(error = explain(error), "trying again");
    // One command at a terminal: there is nobody to keep out of step with.
    tokio::time::sleep(Duration::from_millis(backoff.next_delay_ms(0.5))).await;
}
