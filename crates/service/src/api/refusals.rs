//! Refused calls of one token: the first ones of a minute are written down one by one, and the others as one entry with their number. Whoever
//! may do nothing would otherwise push what was done out of the audit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Asked;

/// Refused calls of a token that are written down one by one within a window, at most.
const ONE_BY_ONE_MAX: usize = 10;
/// How long a window is, in seconds. It begins with the first refused call.
const WINDOW_S: u64 = 60;
/// Tokens whose windows are kept once they are over, at most.
const KEPT_MAX: usize = 1_024;

/// Those of each token by its name.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Window>>);

#[derive(Debug)]
struct Window {
    begun: Instant,
    one_by_one: usize,
    /// How many were left out, and the last of them.
    left_out: Option<(u64, Asked)>,
}

/// What becomes of a refused call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is written down by itself.
    OneByOne,
    /// It was counted with those before.
    Counted,
    /// It is the first that was counted: after this time they are all written down, by [`Refusals::left_out`].
    FirstCounted(Duration),
}

/// Whether a call was refused. What is not has been done, or may have been; what is has changed nothing, unless its answer has [`super::audit::MayHaveActed`].
pub(super) fn is_refused(status: u16) -> bool {
    (400..500).contains(&status)
}

impl Refusals {
    /// One more; `may_be_alone` unless it has to be counted with others in any case.
    pub(super) fn came(&self, asked: &Asked, may_be_alone: bool) -> Refused {
        let length = Duration::from_secs(WINDOW_S);
        let mut windows = self.lock();
        let is_over = |window: &Window| window.left_out.is_none() && window.begun.elapsed() >= length;
        if windows.get(&asked.actor).is_none_or(is_over) {
            if windows.len() >= KEPT_MAX {
                windows.retain(|_, window| !is_over(window));
            }
            let new = Window { begun: Instant::now(), one_by_one: 0, left_out: None };
            windows.insert(asked.actor.clone(), new);
        }
        let Some(window) = windows.get_mut(&asked.actor) else { return Refused::OneByOne };
        if may_be_alone && window.one_by_one < ONE_BY_ONE_MAX {
            window.one_by_one += 1;
            return Refused::OneByOne;
        }
        let before = window.left_out.take().map_or(0, |(calls, _)| calls);
        window.left_out = Some((before + 1, asked.clone()));
        match before {
            0 => Refused::FirstCounted(length.saturating_sub(window.begun.elapsed())),
            _ => Refused::Counted,
        }
    }

    /// What is written down of those that were counted, and how many they are. The next one begins a window.
    pub(super) fn left_out(&self, actor: &str) -> Option<(u64, Asked)> {
        let mut windows = self.lock();
        let (calls, last) = windows.get_mut(actor)?.left_out.take()?;
        windows.remove(actor);
        let detail = format!(
            "the last of {calls} refused calls of this token that are written down as this one entry"
        );
        Some((calls, Asked { detail: Some(detail), ..last }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Window>> {
        // Nothing that panics is done with the lock held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn asked(actor: &str, path: &str) -> Asked {
        let (method, path) = ("POST".to_owned(), path.to_owned());
        Asked {
            actor: actor.to_owned(),
            role: Role::Viewer,
            peer: None,
            method,
            path,
            status: 403,
            detail: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_in_a_minute_are_written_down_and_the_others_counted() {
        let refusals = Refusals::default();
        let came = |actor: &str| refusals.came(&asked(actor, "/"), true);
        assert!((0..ONE_BY_ONE_MAX).all(|_| came("eve") == Refused::OneByOne));
        tokio::time::advance(Duration::from_secs(WINDOW_S / 2)).await;
        assert_eq!(came("eve"), Refused::FirstCounted(Duration::from_secs(WINDOW_S / 2)));
        assert_eq!(came("ann"), Refused::OneByOne, "others have their own");
        tokio::time::advance(Duration::from_secs(WINDOW_S)).await;
        assert_eq!(
            refusals.came(&asked("eve", "/last"), true),
            Refused::Counted,
            "it was not written down yet"
        );
        let (calls, entry) = refusals.left_out("eve").unwrap();
        assert_eq!((calls, entry.path.as_str()), (2, "/last"));
        assert!(entry.detail.unwrap().contains("2 refused calls"));
        assert_eq!(refusals.left_out("eve"), None);
        assert_eq!(came("eve"), Refused::OneByOne, "another minute");
        assert_eq!(refusals.left_out("ann"), None);
        assert_eq!(
            refusals.came(&asked("bob", "/"), false),
            Refused::FirstCounted(Duration::from_secs(WINDOW_S))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn windows_of_tokens_that_are_gone_are_forgotten() {
        let refusals = Refusals::default();
        for round in 0..3 {
            for number in 0..KEPT_MAX {
                refusals.came(&asked(&format!("{round}-{number}"), "/"), true);
            }
            tokio::time::advance(Duration::from_secs(WINDOW_S)).await;
        }
        assert!(refusals.lock().len() <= KEPT_MAX);
    }
}
