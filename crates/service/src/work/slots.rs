//! How much work is under way at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::{Problem, ProblemCode};

/// Work under way in this process, at most. Each may hold some ten megabytes of samples, and a thread.
pub(super) const RUNNING_MAX: usize = 12;
/// Work under way for one token, at most.
pub(super) const RUNNING_OF_ACTOR_MAX: usize = 4;

/// How much of it each actor has under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Arc<Mutex<HashMap<String, usize>>>);

impl Slots {
    /// Room for one more.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchWork`].
    pub(super) fn take(&self, actor: &str) -> Result<Slot, Problem> {
        let mut taken = self.lock();
        let (of_all, of_actor) = (taken.values().sum::<usize>(), taken.get(actor).copied().unwrap_or(0));
        let refuse = |whose: String| {
            let detail = format!("{whose}; wait until some of it has ended, or cancel it");
            Err(Problem::new(ProblemCode::TooMuchWork, detail))
        };
        if of_actor >= RUNNING_OF_ACTOR_MAX {
            return refuse(format!(
                "this token has {of_actor} pieces of work under way, and may have no more"
            ));
        }
        if of_all >= RUNNING_MAX {
            return refuse(format!(
                "the service has {of_all} pieces of work under way, and does no more at once"
            ));
        }
        *taken.entry(actor.to_owned()).or_default() += 1;
        Ok(Slot { slots: self.clone(), actor: actor.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // Nothing that panics is done with the lock held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one piece of work, for as long as it is held.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    actor: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        match taken.get_mut(&self.actor) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.actor);
            }
        }
    }
}
