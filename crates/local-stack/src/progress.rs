//! How the set-up tells what it does, since some of it takes a minute.

use std::io::Write;

/// Hears about the steps of [`crate::prepare`].
pub trait Progress {
    /// A new step begins; `what` is a sentence without a full stop.
    fn step(&mut self, what: &str);
    /// The current step has come to `done` bytes, of `total` where that is known.
    fn bytes(&mut self, done: u64, total: Option<u64>);
}

/// Says nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _what: &str) {}
    fn bytes(&mut self, _done: u64, _total: Option<u64>) {}
}

/// Prints one line for each step, and one for each further tenth of a download, to standard error.
#[derive(Debug, Default)]
pub struct Lines {
    last_shown: u64,
}

/// Where the total is unknown, a line is printed for each further 50 MB.
const UNKNOWN_STEP_BYTES: u64 = 50_000_000;

impl Progress for Lines {
    fn step(&mut self, what: &str) {
        self.last_shown = 0;
        // A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "{what}");
    }

    fn bytes(&mut self, done: u64, total: Option<u64>) {
        let stride = total.map_or(UNKNOWN_STEP_BYTES, |total| (total / 10).max(1));
        let shown = done / stride;
        if shown <= self.last_shown {
            return;
        }
        self.last_shown = shown;
        let done_mb = done / 1_000_000;
        let _ = match total {
            Some(total) => writeln!(std::io::stderr(), "  {done_mb} of {} MB", total / 1_000_000),
            None => writeln!(std::io::stderr(), "  {done_mb} MB"),
        };
    }
}
