//! Finds out whether a range is in the tables that may have forgotten its token, or have lost it with their server: its rows are
//! looked for there.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use housepipe_ch_sink::{Insert, Left, Places, SinkError};
use housepipe_kafka_source::Offset;

use super::attempt::Undelivered;
use super::guard::{Guard, LATE_S};
use super::part::Part;
use super::recovery::{Remembered, until_answered};
use super::shared::Shared;
use super::state::Phase;

/// Time for the last step of an insert, which ClickHouse ends although the time of the insert is over, in seconds.
pub(crate) const LAST_STEP_S: u64 = 90;

/// Rows of a batch whose values are looked for: an insert is stored as a whole or not at all in each partition of a table.
const SAMPLE_ROWS_MAX: usize = 16;

/// Bytes of these rows, and of those of a batch that is looked for as a whole, in one question.
const SAMPLE_BYTES_MAX: usize = 64 << 10;
const WHOLE_BYTES_MAX: usize = 4 << 20;

/// Questions in a row that ClickHouse gives up for their time, before the range counts as one of which nothing can be told.
const GIVEN_UP_MAX: u32 = 3;

/// Milliseconds between two looks at whether there is somebody to wait for.
const WAIT_MS: u64 = 200;

/// Whether ranges of so many rows can be looked for where their tokens may be forgotten.
///
/// Views may lack rows that the table has, and of several servers each has its own.
pub(super) fn can_look_back(shared: &Shared, rows: usize) -> bool {
    let target = &shared.setup.target;
    target.is_of_one_server() && (rows == 0 || target.places.is_some() && !shared.windows().feeds_others)
}

/// The time in which an insert of a range may still be under way that was begun by whoever found its token remembered, or did not
/// have to ask: a try that was allowed is sent in its session, and ends within its time. Since it began, nobody is allowed one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet {
    began: Instant,
    wait: Duration,
    /// What the tables were sure to remember then: of that a try may still be allowed.
    remembered: Remembered,
}

impl Quiet {
    /// Begins now, when it was found what the tables remember of the range.
    pub(super) fn begun(shared: &Shared, range: Range<Offset>, remembered: Remembered) -> Quiet {
        let wait_s = quiet_s(shared);
        tracing::warn!(
            start = range.start.0,
            end = range.end.0,
            wait_s,
            "the token of a range may be forgotten; its rows are looked for as soon as no insert of it can be under way any more"
        );
        Quiet { began: Instant::now(), wait: Duration::from_secs(wait_s), remembered }
    }

    /// Waits for its end, while it is worth while by `goes_on`, and the pipe is not told to stop.
    pub(super) async fn wait(self, shared: &Shared, goes_on: impl Fn() -> bool) -> Result<(), Undelivered> {
        let mut phase = shared.phase();
        let mut asked = shared.stop_asked.subscribe();
        while self.began.elapsed() < self.wait {
            if !goes_on() {
                return Err(Undelivered::GivenUp);
            }
            tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
                _ = asked.wait_for(|asked| *asked) => return Err(Undelivered::GivenUp),
                () = tokio::time::sleep(Duration::from_millis(WAIT_MS)) => {}
            }
        }
        Ok(())
    }
}

/// What of a part is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Rows,
    Rejects,
}

/// Waits until no insert of that half of the part can come or be under way any more, now that its token may be forgotten.
pub(super) async fn until_quiet(
    shared: &Shared,
    guard: &Guard,
    part: &Part,
    half: Half,
) -> Result<(), Undelivered> {
    let was_forgotten = |quiet: &Quiet| match half {
        Half::Rows => !quiet.remembered.rows,
        // The token of those that were prepared again is another one.
        Half::Rejects => !quiet.remembered.rejects && part.renewed.is_none(),
    };
    // Behind a try of its own it waits anew.
    let known = part.quiet.filter(|quiet| was_forgotten(quiet) && !guard.was_sent());
    let forgotten = Remembered { rows: false, rejects: false };
    let quiet = known.unwrap_or_else(|| Quiet::begun(shared, part.range(), forgotten));
    quiet.wait(shared, || guard.is_owner(shared) && !guard.is_wanted_back(shared)).await?;
    shared.progress.lock().counters.recoveries.ranges_looked_for += 1;
    Ok(())
}

/// Seconds from a look that allows a try until that has ended, at most.
fn quiet_s(shared: &Shared) -> u64 {
    #[cfg(feature = "failpoints")]
    if let Some(seconds) = std::env::var("HOUSEPIPE_QUIET_S").ok().and_then(|text| text.parse().ok()) {
        return seconds;
    }
    LATE_S + Insert::SESSION_S + shared.setup.sink.insert_seconds_max() + LAST_STEP_S
}

/// How much of the part's rows the table has; none where the partition or the pipe comes to its end meanwhile.
///
/// Where each row says which record it is of, the records are looked for, and then the values of some of them: others at the same
/// places are of another topic of that name, or were changed, and nothing is told.
pub(super) async fn rows_left(
    shared: &Shared,
    guard: &Guard,
    part: &Part,
    insert: &Insert<'_>,
) -> Option<Left> {
    let search = Search { shared, guard, given_up: AtomicU32::new(0) };
    let Some(columns) = &shared.setup.target.places else {
        if !shared.setup.target.is_partitioned {
            let (body, rows) = part.batch.sample(SAMPLE_ROWS_MAX, SAMPLE_BYTES_MAX);
            return search.values(&Insert { body, rows, token: None, ..insert.clone() }, None).await;
        }
        // Each partition of the table takes its rows by itself, so that all rows are looked for there.
        return search.all_values(part, insert).await;
    };
    let places = Places {
        columns,
        topic: &shared.setup.labels.topic,
        partition: part.batch.partition().0,
        start: part.sealed.start.0,
        end: part.sealed.end.0,
    };
    match search.records(part, &places).await? {
        Left::All => {}
        left => return Some(left),
    }
    let (body, rows) = part.batch.sample(SAMPLE_ROWS_MAX, SAMPLE_BYTES_MAX);
    let values = search.values(&Insert { body, rows, token: None, ..insert.clone() }, Some(&places)).await?;
    Some(if values == Left::All { Left::All } else { Left::Some })
}

/// Questions about one range.
struct Search<'s> {
    shared: &'s Shared,
    guard: &'s Guard,
    given_up: AtomicU32,
}

impl Search<'_> {
    async fn records(&self, part: &Part, places: &Places<'_>) -> Option<Left> {
        let (sink, table) = (&self.shared.setup.sink, &self.shared.setup.target.table);
        let since_unix_s = self.guard.since().unix_s;
        self.ask(|| sink.records_left(table, places, part.batch.row_offsets(), since_unix_s)).await
    }

    async fn values(&self, sample: &Insert<'_>, places: Option<&Places<'_>>) -> Option<Left> {
        let (sink, target) = (&self.shared.setup.sink, &self.shared.setup.target);
        let since_unix_s = self.guard.since().unix_s;
        self.ask(|| sink.rows_left(sample, &target.types, &target.filled, places, since_unix_s)).await
    }

    /// Every row, some at a time.
    async fn all_values(&self, part: &Part, insert: &Insert<'_>) -> Option<Left> {
        let mut all: Option<Left> = None;
        for rows in part.batch.inserts(WHOLE_BYTES_MAX) {
            let (body, count) = (part.batch.slice(&rows), rows.len() as u64);
            let left =
                self.values(&Insert { body, rows: count, token: None, ..insert.clone() }, None).await?;
            if left == Left::Some || all.is_some_and(|all| all != left) {
                return Some(Left::Some);
            }
            all = Some(left);
        }
        Some(all.unwrap_or(Left::Nothing))
    }

    /// Asks until there is an answer, or ClickHouse has given up too many questions in a row: then nothing is told.
    async fn ask<F>(&self, ask: impl Fn() -> F) -> Option<Left>
    where
        F: Future<Output = Result<Left, SinkError>>,
    {
        let in_time = async |asked: F| match asked.await {
            Err(error) if error.is_given_up_for_its_time() => {
                let count = self.given_up.fetch_add(1, Ordering::Relaxed) + 1;
                if count < GIVEN_UP_MAX { Err(error) } else { Ok(Left::Some) }
            }
            other => {
                self.given_up.store(0, Ordering::Relaxed);
                other
            }
        };
        until_answered(self.shared, Phase::Aborted, || {
            self.guard.is_owner(self.shared).then(|| in_time(ask()))
        })
        .await
    }
}
