//! Loads one batch of a replay: begun, inserted, loaded.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use housepipe_ch_sink::{
    Backoff, Bisection, ClaimConflict, DeduplicationFacts, ErrorTable, FailureClass, Insert, RecordId,
    ReplayMark, Sink, SinkError,
};

use super::encode::Rows;
use super::error::ErrorsError;
use super::note::Note;
use super::open::Destination;
use super::report::ReplayReport;
use crate::error::explain;

/// Code of a row that ClickHouse refused.
const CODE_REFUSED: &str = "refused_by_clickhouse";

/// Time for which a request is tried again, in milliseconds; then the replay ends, to be run again.
///
/// An insert is sent within this time of its mark, or not at all: a process that was stopped and wakes hours later must
/// not send what another has finished meanwhile, with a token that the table has forgotten.
const RETRY_MS_MAX: u64 = 60_000;

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

/// Whether an insert may have been done before.
pub(super) enum Attempted {
    /// No: it was marked as begun at this time.
    Never(Instant),
    /// By a process that was cut off; that the table remembers it was found at this time.
    Perhaps(Instant),
}

/// How an insert ended.
pub(super) enum Sent {
    Stored,
    /// Nothing of it is stored, for what its rows contain.
    Refused(SinkError),
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
        let first = match self.attempt(rows, all.clone(), report).await? {
            Sent::Stored => return Ok(()),
            Sent::Refused(error) => error,
        };
        tracing::warn!(
            error = explain(&first),
            rows = all.len(),
            "clickhouse refused an insert; looking for the rows"
        );
        let mut search = Bisection::after_refusal(all.len(), explain(&first), first.named_row());
        while let Some(range) = search.next_range() {
            match self.attempt(rows, range, report).await? {
                Sent::Stored => search.accepted(),
                Sent::Refused(error) => search.refused(explain(&error), error.named_row()),
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

    /// One batch through all its steps.
    async fn attempt(
        &mut self,
        rows: &Rows,
        range: Range<usize>,
        report: &mut ReplayReport,
    ) -> Result<Sent, ErrorsError> {
        let (ids, body) = (rows.ids(&range), rows.slice(&range));
        let (token, began) = (self.new_token(), Instant::now());
        let note = Note::new(self.destination.plan_hash, &body, &self.facts).text();
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
        let sent = match self.insert(&token, &body, range.len(), Attempted::Never(began)).await {
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
            Sent::Refused(_) => self.mark(ReplayMark::Dropped, (&token, ""), ids).await?,
        }
        Ok(sent)
    }

    /// A token that no other batch has.
    fn new_token(&mut self) -> String {
        self.begun += 1;
        format!("housepipe:replay:{}:{:016x}", self.pipe, self.random.hash_one(self.begun))
    }

    /// Inserts rows until it is known what became of them.
    ///
    /// A refusal proves that nothing is stored only where no attempt before it can have been done: the table may have got
    /// a new constraint between the two.
    pub(super) async fn insert(
        &self,
        token: &str,
        body: &Bytes,
        rows: usize,
        attempted: Attempted,
    ) -> Result<Sent, ErrorsError> {
        let insert = Insert {
            table: &self.destination.table,
            columns: &self.destination.columns,
            format: self.destination.format,
            body: body.clone(),
            rows: rows as u64,
            token: Some(token),
            json_as_string: true,
            session: None,
        };
        let unsure = |error| Err(ErrorsError::Unsure { token: token.to_owned(), source: Box::new(error) });
        let (began, mut is_unknown) = match attempted {
            Attempted::Never(began) => (began, false),
            Attempted::Perhaps(looked_at) => (looked_at, true),
        };
        let mut backoff = Backoff::default();
        loop {
            if is_over(began) {
                return Err(ErrorsError::Late { token: token.to_owned() });
            }
            let Err(error) = self.sink.insert(&insert).await else { return Ok(Sent::Stored) };
            match error.class() {
                FailureClass::Retry if is_over(began) => return unsure(error),
                FailureClass::Retry => {
                    is_unknown = true;
                    pause(&mut backoff, &error).await;
                }
                _ if is_unknown || !error.has_stored_nothing() => return unsure(error),
                FailureClass::IsolateRow => return Ok(Sent::Refused(error)),
                FailureClass::Hold => return Err(ErrorsError::Insert(Box::new(error))),
            }
        }
    }

    /// Adds a mark. It may arrive twice: the same mark twice says what it says once.
    pub(super) async fn mark(
        &self,
        mark: ReplayMark,
        claim: (&str, &str),
        ids: &[RecordId],
    ) -> Result<(), ErrorsError> {
        let (mut backoff, started) = (Backoff::default(), Instant::now());
        loop {
            match self.sink.mark_replay(self.errors, self.pipe, mark, claim, ids).await {
                Ok(()) => return Ok(()),
                Err(error) if error.class() == FailureClass::Retry && !is_over(started) => {
                    pause(&mut backoff, &error).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn is_over(started: Instant) -> bool {
    started.elapsed() >= Duration::from_millis(RETRY_MS_MAX)
}

async fn pause(backoff: &mut Backoff, error: &SinkError) {
    tracing::warn!(error = explain(error), "trying again");
    // One command at a terminal: there is nobody to keep out of step with.
    tokio::time::sleep(Duration::from_millis(backoff.next_delay_ms(0.5))).await;
}
