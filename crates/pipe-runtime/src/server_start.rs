//! Whether the server that answers is the one that has heard of an insert, told by its start.

use std::time::Duration;

use housepipe_ch_sink::ServerClock;

/// Seconds by which a server's start, reckoned from its uptime, differs from one question to the next.
const START_JITTER_S: u64 = 2;

/// Seconds by which it differs from a start that was noted, where an insert may have been sent on the grounds that it differs by no
/// more than the jitter: the server that it went to is told a jitter later now.
const SENT_JITTER_S: u64 = 2 * START_JITTER_S;

/// Seconds for which a server runs before anything is inserted. Of two that are told apart by so little that they are taken for
/// one the first had ended by then, and has heard of nothing: the second was started later than that, and either start may be told a
/// second or two wrongly.
const SETTLED_S: u64 = SENT_JITTER_S + START_JITTER_S + 1;

/// Whether the server has run for so long that its start tells it from every other that may have heard of an insert.
pub(crate) fn is_settled(clock: ServerClock) -> bool {
    clock.now_unix_s > clock.started_unix_s + SETTLED_S
}

/// Time after which one that is not is looked at again.
pub(crate) const SETTLING: Duration = Duration::from_millis(500);

/// Whether the server that was started at `started_unix_s` is another one than that which was `known` when an insert was
/// prepared, at `prepared_unix_s`, each where it is known.
///
/// Two starts that are told of one server differ by the jitter at most, and two of two servers by more than twice that, unless the first
/// was never [settled](is_settled). Such a one may be taken for the second, which then gets what was prepared under the first: so what
/// `was_sent` is held to less, and the server that it went to is never taken for another one. Where the start is not known the moment
/// has to tell, in the same way.
pub(crate) fn is_another(
    started_unix_s: u64,
    known: Option<u64>,
    prepared_unix_s: Option<u64>,
    was_sent: bool,
) -> bool {
    match known {
        Some(known) => {
            let jitter_s = if was_sent { SENT_JITTER_S } else { START_JITTER_S };
            started_unix_s.abs_diff(known) > jitter_s
        }
        None => {
            let jitter_s = if was_sent { START_JITTER_S } else { SENT_JITTER_S };
            prepared_unix_s.is_some_and(|prepared| started_unix_s + jitter_s >= prepared)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_told_by_its_start_or_by_the_moment() {
        // A start is told a second more or less exactly, by whomever: also right behind it.
        for told in 999..=1_001 {
            for known in 999..=1_001 {
                assert!(!is_another(told, Some(known), Some(1_003), true));
                assert!(!is_another(told, Some(known), Some(1_003), false));
            }
        }
        assert!(is_another(4_990, Some(1_000), Some(5_000), true));
        // Also where its clock is behind that of the one before it.
        assert!(is_another(3_990, Some(4_000), Some(5_000), true));
        // One that ran for a moment cannot be told from the next, and has heard of nothing.
        assert!(!is_another(1_002, Some(1_000), Some(1_001), true));
        assert!(
            !is_settled(ServerClock::noted(1_002, 1_000)) && !is_settled(ServerClock::noted(1_007, 1_000))
        );
        assert!(is_settled(ServerClock::noted(1_008, 1_000)));
        // One of which nothing is known.
        assert!(is_another(5_001, None, Some(5_000), true));
        assert!(!is_another(1_000, None, Some(5_000), true));
        assert!(!is_another(1_000, None, None, true));
    }

    /// A server that has run for a moment is taken for the next one, or not: the insert that went to that one is looked for there alone.
    #[test]
    fn the_server_that_an_insert_went_to_is_never_taken_for_another_one() {
        for noted in 999..=1_001_u64 {
            for started in 1_000..1_010_u64 {
                let tells = || started - 1..=started + 1;
                let may_have_it = tells().any(|told| !is_another(told, Some(noted), Some(1_001), false));
                let is_trusted = tells().all(|told| !is_another(told, Some(noted), Some(1_001), true));
                assert!(!may_have_it || is_trusted, "noted {noted}, started {started}");
            }
            // One behind a server that was settled is another one, however either is told.
            let ended = (0..).find(|now| is_settled(ServerClock::noted(*now, 999))).unwrap();
            assert!((ended - 1..=ended + 1).all(|told| is_another(told, Some(noted), Some(1_001), true)));
        }
    }

    #[test]
    fn what_was_sent_under_a_server_is_always_taken_for_sent_under_it() {
        // Whatever passes the first look passes every later one at the same server, whose start may be told a second later.
        for prepared in 990..1_020 {
            for (first, later) in [(1_000, 1_000), (1_000, 1_001), (1_001, 1_000)] {
                let sent = !is_another(first, None, Some(prepared), false);
                assert!(!sent || !is_another(later, None, Some(prepared), true), "{prepared}");
            }
        }
    }
}
