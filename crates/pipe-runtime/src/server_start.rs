//! Whether the server that answers is the one that has heard of an insert, told by its start.

/// Seconds by which a server's start, reckoned from its uptime, differs from one question to the next.
pub(crate) const START_JITTER_S: u64 = 2;

/// Whether the server that was started at `started_unix_s` is another one than that which was `known` when an insert was
/// prepared, at `prepared_unix_s`, each where it is known. Starts tell; moments do where a server runs for a few seconds
/// only. What `was_sent` is held to less, so that the same server is never taken for another one of what was.
pub(crate) fn is_another(
    started_unix_s: u64,
    known: Option<u64>,
    prepared_unix_s: Option<u64>,
    was_sent: bool,
) -> bool {
    let jitter_s = if was_sent { START_JITTER_S } else { 2 * START_JITTER_S };
    known.is_some_and(|known| started_unix_s.abs_diff(known) > START_JITTER_S)
        || prepared_unix_s.is_some_and(|prepared| started_unix_s + jitter_s >= prepared)
}

/// Whether a moment, by the server's clock, can be told from the server's start, for what was never sent as well.
pub(crate) fn is_surely_after_start(now_unix_s: u64, started_unix_s: u64) -> bool {
    now_unix_s > started_unix_s + 2 * START_JITTER_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_told_by_its_start_or_by_the_moment() {
        // A start is told a second more or less exactly.
        assert!(!is_another(1_001, Some(1_000), Some(5_000), true));
        assert!(is_another(4_990, Some(1_000), Some(5_000), true));
        // Also where its clock is behind that of the one before it.
        assert!(is_another(3_990, Some(4_000), Some(5_000), true));
        // A server that ran for a moment only, and one of which nothing is known.
        assert!(is_another(5_001, Some(4_999), Some(5_000), true));
        assert!(is_another(5_001, None, Some(5_000), true));
        assert!(!is_another(1_000, None, Some(5_000), true));
        assert!(!is_another(1_000, None, None, true));
    }

    #[test]
    fn what_was_sent_under_a_server_is_always_taken_for_sent_under_it() {
        // Whatever passes the first look passes every later one at the same server, whose start may be told a second later.
        for prepared in 990..1_020 {
            for (first, later) in [(1_000, 1_000), (1_000, 1_001), (1_001, 1_000)] {
                let sent = !is_another(first, None, Some(prepared), false);
                assert!(!sent || !is_another(later, None, Some(prepared), true), "{prepared}");
                // And what is surely after the start passes.
                assert!(!is_surely_after_start(prepared, first) || sent, "{prepared}");
            }
        }
    }
}
