//! What counters tell from look to look: rates, and the last minute.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::remote::PipeView;

/// Looks that are kept of each pipe, at most.
const LOOKS_MAX: usize = 61;
/// Time that they go back, in seconds.
const WINDOW_S: u64 = 60;
/// The rate shown is the mean over this time, in seconds, or over two looks that are further apart.
const RATE_WINDOW_S: u64 = 5;

/// A pipe with what its past tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) pipe: PipeView,
    /// Records read in a second; none before the second look.
    pub(crate) read_per_second: Option<f64>,
    /// Records read in a second between the looks of the last minute.
    pub(crate) past: Vec<u64>,
}

/// The past of all pipes.
#[derive(Debug, Default)]
pub(crate) struct History {
    looks: HashMap<String, VecDeque<(Instant, u64)>>,
}

impl History {
    /// Takes a look in. What is not in it is forgotten.
    pub(crate) fn take(&mut self, now: Instant, pipes: Vec<PipeView>) -> Vec<Row> {
        let mut before = std::mem::take(&mut self.looks);
        let mut rows = Vec::with_capacity(pipes.len());
        for pipe in pipes {
            let mut looks = before.remove(&pipe.id).unwrap_or_default();
            note(&mut looks, now, pipe.counters.read);
            rows.push(Row { read_per_second: rate(&looks), past: past(&looks), pipe });
            if let Some(row) = rows.last() {
                self.looks.insert(row.pipe.id.clone(), looks);
            }
        }
        rows
    }
}

fn note(looks: &mut VecDeque<(Instant, u64)>, now: Instant, read: u64) {
    // A counter that falls begins anew: another process counts.
    if looks.back().is_some_and(|(_, before)| read < *before) {
        looks.clear();
    }
    looks.push_back((now, read));
    let is_old = |at: Instant| now.duration_since(at) > Duration::from_secs(WINDOW_S);
    while looks.len() > LOOKS_MAX || (looks.len() > 2 && looks.front().is_some_and(|(at, _)| is_old(*at))) {
        looks.pop_front();
    }
}

fn rate(looks: &VecDeque<(Instant, u64)>) -> Option<f64> {
    let (now, read) = *looks.back()?;
    let before = looks.iter().rev().skip(1);
    let window = Duration::from_secs(RATE_WINDOW_S);
    let first = before.clone().take_while(|(at, _)| now.duration_since(*at) <= window).last();
    let (at, then) = *first.or_else(|| before.clone().next())?;
    per_second(read - then, now.duration_since(at))
}

fn past(looks: &VecDeque<(Instant, u64)>) -> Vec<u64> {
    let steps = looks.iter().zip(looks.iter().skip(1));
    let rates = steps
        .filter_map(|((from, before), (to, after))| per_second(after - before, to.duration_since(*from)));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as saturates, and rates are not negative"
    )]
    rates.map(|rate| rate.round() as u64).collect()
}

fn per_second(records: u64, time: Duration) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
    let rate = records as f64 / time.as_secs_f64();
    rate.is_finite().then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Counters;

    fn pipe(id: &str, read: u64) -> PipeView {
        PipeView { id: id.into(), counters: Counters { read, ..Counters::default() }, ..PipeView::default() }
    }

    #[test]
    fn rates_are_means_of_some_looks() {
        let (began, mut history) = (Instant::now(), History::default());
        let mut look = |second: u64, read: u64| {
            let rows = history.take(began + Duration::from_secs(second), vec![pipe("a", read)]);
            (rows[0].read_per_second, rows[0].past.clone())
        };
        assert_eq!(look(0, 100), (None, vec![]));
        assert_eq!(look(1, 200), (Some(100.0), vec![100]));
        assert_eq!(look(2, 400), (Some(150.0), vec![100, 200]));
        for second in 3..=10 {
            look(second, 400 + (second - 2) * 10);
        }
        assert_eq!(look(11, 490).0, Some(10.0), "what is older counts no more");
        // A service that was started again counts from nothing.
        assert_eq!(look(12, 5), (None, vec![]));
        assert_eq!(look(13, 8).0, Some(3.0));
        // Two looks far apart are all there is.
        assert_eq!(look(113, 208).0, Some(2.0));
    }

    #[test]
    fn the_past_is_a_minute_and_ends_with_the_pipe() {
        let (began, mut history) = (Instant::now(), History::default());
        for second in 0..200_u64 {
            let rows = history.take(began + Duration::from_secs(second), vec![pipe("a", second * 7)]);
            assert!(rows[0].past.len() <= LOOKS_MAX && rows[0].past.iter().all(|rate| *rate == 7));
        }
        assert_eq!(history.looks["a"].len(), LOOKS_MAX);
        history.take(began + Duration::from_secs(300), vec![pipe("b", 0)]);
        assert!(!history.looks.contains_key("a"));
        let rows = history.take(began + Duration::from_secs(300), vec![pipe("b", 9)]);
        assert_eq!(rows[0].read_per_second, None, "no time has passed");
    }
}
