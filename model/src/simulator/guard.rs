//! Under what an insert may be tried: the rules of `crates/pipe-runtime/src/pipe/guard.rs`.

use housepipe_runtime::delivery::{Moment, Pending};

/// Seconds after which a first try is taken for one of a process that was frozen meanwhile.
pub(crate) const LATE_S: u64 = 30;

/// Seconds by which a server's start differs from one question to the next.
pub(crate) const START_JITTER_S: u64 = 2;

#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// Since when it may have been tried, by whomever.
    pub(crate) since: Moment,
    /// When its range was prepared last.
    pub(crate) last_unix_s: u64,
    pub(crate) is_repetition: bool,
    /// It was tried by this process since it was prepared.
    pub(crate) was_sent: bool,
    /// The start of the server that it was prepared under, or that has heard of it.
    pub(crate) server: Option<u64>,
}

impl Guard {
    pub(crate) fn of(pending: &Pending, is_repetition: bool) -> Guard {
        Guard {
            since: pending.prepared,
            last_unix_s: pending.last_unix_s(),
            is_repetition,
            was_sent: false,
            server: pending.prepared.server_start_unix_s,
        }
    }

    /// It has a token that nobody had before that moment, and nobody but this process where that `is_own`.
    pub(crate) fn count_from(&mut self, moment: Moment, is_own: bool) {
        self.since = Moment { server_start_unix_s: self.since.server_start_unix_s, ..moment };
        self.is_repetition &= !is_own;
    }

    /// Whether to ask first what the server remembers.
    pub(crate) fn asks_for_memory(&self, now: Moment) -> bool {
        self.is_repetition || now.unix_s.abs_diff(self.last_unix_s) > LATE_S
    }

    /// Whether the server that was started then is another one than that which the range was prepared under.
    pub(crate) fn is_another(&self, started_unix_s: u64, jitter_s: u64) -> bool {
        match self.server {
            Some(known) => started_unix_s.abs_diff(known) > jitter_s,
            // By the moment, held to less where it may have been sent.
            None => {
                let jitter_s = if self.is_repetition { START_JITTER_S } else { 2 * START_JITTER_S };
                started_unix_s + jitter_s >= self.last_unix_s
            }
        }
    }
}
