//! A running pipe, as it changes: two lines on a terminal, a log line every ten seconds elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use housepipe_runtime::Snapshot;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::numbers::{bytes, count, rate, seconds};
use super::text::shown;

/// Time between two log lines where no terminal shows the progress.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The rate shown is the mean over this time, about: longer than two batches of a slow topic take by default.
const RATE_WINDOW: Duration = Duration::from_secs(12);

/// Characters before the first line: the spinner, and a blank.
const SPINNER_WIDTH: usize = 2;

pub(crate) struct PipeDisplay {
    bar: Option<ProgressBar>,
    logged: Instant,
    loaded: Rate,
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
        PipeDisplay { bar, logged: Instant::now(), loaded: Rate::default() }
    }

    /// Shows the pipe as it stands now.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        let now = Instant::now();
        let per_second = self.loaded.at(now, snapshot.counters.loaded);
        if let Some(bar) = &self.bar {
            let size = terminal_size::terminal_size_of(std::io::stderr());
            bar.set_message(fitted(&text(snapshot, per_second), size.map(|(width, _)| usize::from(width.0))));
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
}

/// The rate of a count that grows by leaps, a batch at a time: from leap to leap, or it would depend on how many of them happen
/// to fall into a window. Leaps may be further apart than the window is long, as with a long `batch.max_wait`.
#[derive(Debug, Default)]
struct Rate {
    /// When the count was first seen, or grew, and to what.
    leaps: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// A second, now that the count is `total`. Where no leap comes for longer than those before it took together, it falls.
    fn at(&mut self, now: Instant, total: u64) -> f64 {
        if self.leaps.back().is_none_or(|(_, before)| *before != total) {
            self.leaps.push_back((now, total));
        }
        // What is older than the window, and a pause, as soon as there is something behind it.
        while let [first, second, _, ..] = *self.leaps.make_contiguous()
            && (now.duration_since(second.0) > RATE_WINDOW || second.0.duration_since(first.0) > RATE_WINDOW)
        {
            self.leaps.pop_front();
        }
        let [first, .., before_last, last] = match *self.leaps.make_contiguous() {
            [first, last] => [first, first, last],
            [first, .., before_last, last] => [first, before_last, last],
            _ => return 0.0,
        };
        let between = last.0.duration_since(first.0);
        let silent = now.duration_since(last.0);
        if silent > RATE_WINDOW.max(2 * last.0.duration_since(before_last.0)) {
            return 0.0;
        }
        let elapsed = if silent > between { now.duration_since(first.0) } else { between }.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
        let gained = total.saturating_sub(first.1) as f64;
        if elapsed > 0.0 { gained / elapsed } else { 0.0 }
    }
}

/// The lines of `text`, each on one line of a terminal that is so wide: one that wraps would be left there when the next is drawn. What is
/// in a reason may come from elsewhere.
fn fitted(text: &str, width: Option<usize>) -> String {
    let width = width.map_or(usize::MAX, |width| width.saturating_sub(SPINNER_WIDTH + 1));
    let lines: Vec<String> = text.split('\n').map(|line| shown(line, width)).collect();
    lines.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates of a count that is looked at ten times a second, from second to second.
    fn rates(seconds: u32, total: impl Fn(u64) -> u64) -> Vec<f64> {
        let (began, mut rate) = (Instant::now(), Rate::default());
        let mut seen = Vec::new();
        for tenth in 0..=u64::from(seconds) * 10 {
            let now = rate.at(began + Duration::from_millis(tenth * 100), total(tenth));
            if tenth % 10 == 0 {
                seen.push(now);
            }
        }
        seen
    }

    #[test]
    fn a_steady_topic_has_one_rate_between_its_batches_too() {
        for every_tenths in [1, 3, 20, 50, 150, 600] {
            let seen = rates(300, |tenth| tenth / every_tenths * every_tenths * 2_000);
            for rate in &seen[60..] {
                assert!((rate - 20_000.0).abs() < 1.0, "every {every_tenths} tenths: {seen:?}");
            }
        }
    }

    #[test]
    fn what_comes_behind_a_pause_is_not_reckoned_with_it() {
        for pause in [14_u16, 60, 600] {
            let again = 30 + pause;
            let active = |tenth: u64| tenth.min(300) + tenth.saturating_sub(u64::from(again) * 10);
            let seen = rates(u32::from(again) + 30, |tenth| active(tenth) / 5 * 10_000);
            let (before, behind) = seen.split_at(usize::from(again));
            assert_eq!(before.last(), Some(&0.0), "at the end of {pause} s: {seen:?}");
            for rate in &behind[2..] {
                assert!((rate - 20_000.0).abs() < 1.0, "behind {pause} s: {behind:?}");
            }
        }
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_or_acts_on_it() {
        assert_eq!(fitted("0123456789\n  0123", Some(10)), "0123456…\n  0123");
        assert_eq!(fitted("a\u{1b}[2J\nb", None), "a\\u{1b}[2J\nb");
        assert_eq!(fitted("abc", Some(0)), "…");
    }

    #[test]
    fn a_topic_that_ends_falls_to_nothing() {
        let seen = rates(60, |tenth| tenth.min(300) / 10 * 20_000);
        assert!((seen[30] - 20_000.0).abs() < 1.0, "{seen:?}");
        assert!(seen[31..=42].windows(2).all(|pair| pair[1] <= pair[0]), "{seen:?}");
        assert_eq!(seen[43..], [0.0; 18], "{seen:?}");
    }
}
