//! A running pipe, as it changes: two lines on a terminal, a log line every ten seconds elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use housepipe_runtime::Snapshot;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::numbers::{bytes, count, rate, seconds};

/// Time between two log lines where no terminal shows the progress.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The rate shown is the mean over this time: longer than two batches of a slow topic take by default, or it would be 0 between them.
const RATE_WINDOW: Duration = Duration::from_secs(12);

pub(crate) struct PipeDisplay {
    bar: Option<ProgressBar>,
    logged: Instant,
    recent: VecDeque<(Instant, u64)>,
}

impl PipeDisplay {
    pub(super) fn new(bars: Option<&MultiProgress>) -> PipeDisplay {
        let bar = bars.map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        PipeDisplay { bar, logged: Instant::now(), recent: VecDeque::new() }
    }

    /// Shows the pipe as it stands now.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        let now = Instant::now();
        let per_second = self.rate(now, snapshot.counters.loaded);
        if let Some(bar) = &self.bar {
            bar.set_message(text(snapshot, per_second));
            bar.tick();
        } else if now.duration_since(self.logged) >= LOG_EVERY {
            self.logged = now;
            let counters = &snapshot.counters;
            tracing::info!(
                state = snapshot.state.as_str(),
                read = counters.read,
                loaded = counters.loaded,
                rejected = counters.rejected,
                in_flight = counters.in_flight,
                rows_per_second = rate(per_second),
                lag_records = snapshot.lag_records(),
                lag_seconds = snapshot.lag_seconds(),
                "progress"
            );
        }
    }

    /// Takes the display away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn rate(&mut self, now: Instant, loaded: u64) -> f64 {
        self.recent.push_back((now, loaded));
        while self.recent.len() > 2
            && self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_WINDOW)
        {
            self.recent.pop_front();
        }
        let Some((since, before)) = self.recent.front() else { return 0.0 };
        let elapsed = now.duration_since(*since).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
        let gained = loaded.saturating_sub(*before) as f64;
        if elapsed > 0.0 { gained / elapsed } else { 0.0 }
    }
}

fn text(snapshot: &Snapshot, per_second: f64) -> String {
    let counters = &snapshot.counters;
    let lag = match (snapshot.lag_records(), snapshot.lag_seconds()) {
        (Some(records), Some(age)) => format!("{} records, {}", count(records), seconds(age)),
        (Some(records), None) => format!("{} records", count(records)),
        _ => "unknown".to_owned(),
    };
    let last =
        snapshot.last_insert_age_seconds.map_or("none yet".to_owned(), |age| format!("{} ago", seconds(age)));
    let mut text = format!(
        "{} {}  {} rows  {} rows/s  lag {lag}  rejected {}  last insert {last}\n  read {}  in flight {}  {} of JSON  {} inserts  {} retries  {} partitions",
        snapshot.pipe,
        snapshot.state.as_str(),
        count(counters.loaded),
        rate(per_second),
        count(counters.rejected),
        count(counters.read),
        count(counters.in_flight),
        bytes(counters.bytes_read),
        count(counters.inserts),
        count(counters.retries),
        snapshot.partitions.len(),
    );
    if let Some(reason) = snapshot.state.reason() {
        text.push_str("\n  ");
        text.push_str(reason);
    }
    text
}
