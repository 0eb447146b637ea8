//! Finds out whether a range is in the tables that may have forgotten its token: its rows are looked for there, each of which
//! has its partition and its offset in it. So no row is taken for that of another record.

use std::time::{Duration, Instant};

use housepipe_ch_sink::{Insert, Left};

use super::attempt::Undelivered;
use super::guard::{Guard, LATE_S};
use super::part::Part;
use super::recovery::until_answered;
use super::shared::Shared;
use super::state::Phase;

/// Time for the last step of an insert, which ClickHouse ends although the time of the insert is over, in seconds.
pub(crate) const LAST_STEP_S: u64 = 90;

/// Rows of a batch that are looked for: an insert is stored as a whole or not at all.
const SAMPLE_ROWS_MAX: usize = 16;

/// Bytes of these rows.
const SAMPLE_BYTES_MAX: usize = 64 << 10;

/// Milliseconds between two looks at whether there is somebody to wait for.
const WAIT_MS: u64 = 200;

/// Whether ranges of so many rows can be looked for where their tokens may be forgotten.
///
/// Views may lack rows that the table has, and of several servers each has its own.
pub(super) fn can_look_back(shared: &Shared, rows: usize) -> bool {
    let target = &shared.setup.target;
    target.is_of_one_server() && (rows == 0 || target.names_records && !shared.windows().feeds_others)
}

/// Waits until no insert of the range can come or be under way any more that was begun by whoever found the token
/// remembered, or did not have to ask: a try that was allowed is sent in its session, and ends within its time.
pub(super) async fn until_quiet(shared: &Shared, guard: &Guard, part: &Part) -> Result<(), Undelivered> {
    let wait_s = quiet_s(shared);
    tracing::warn!(
        start = part.sealed.start.0,
        end = part.sealed.end.0,
        wait_s,
        "the token of a range may be forgotten; its rows are looked for as soon as no insert of it can be under way any more"
    );
    let mut phase = shared.phase();
    let until = Instant::now() + Duration::from_secs(wait_s);
    while Instant::now() < until {
        if !guard.is_owner(shared) {
            return Err(Undelivered::Abandoned);
        }
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            () = tokio::time::sleep(Duration::from_millis(WAIT_MS)) => {}
        }
    }
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
pub(super) async fn rows_left(
    shared: &Shared,
    guard: &Guard,
    part: &Part,
    insert: &Insert<'_>,
) -> Option<Left> {
    let target = &shared.setup.target;
    // Each partition of the table takes its rows by itself, so that all rows are looked for there.
    let (rows_max, bytes_max) = match target.is_partitioned {
        true => (usize::MAX, usize::MAX),
        false => (SAMPLE_ROWS_MAX, SAMPLE_BYTES_MAX),
    };
    let (body, rows) = part.batch.sample(rows_max, bytes_max);
    let sample = Insert { body, rows, token: None, ..insert.clone() };
    let since = guard.since();
    until_answered(shared, Phase::Aborted, || {
        let sink = &shared.setup.sink;
        guard.is_owner(shared).then(|| sink.rows_left(&sample, &target.types, &target.filled, since.unix_s))
    })
    .await
}
