//! How many places there are for something that is held for a while, for all and for each who asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::{Problem, ProblemCode};

/// Looks under way in this process, at most. Each may hold some ten megabytes of samples, and a thread.
pub(super) const RUNNING_MAX: usize = 12;
/// Looks under way for one token, at most.
pub(super) const RUNNING_OF_ACTOR_MAX: usize = 4;
/// Replays under way in this process, at most. They take hours, in which nobody could look at anything if they had places of looks.
pub(super) const REPLAYS_MAX: usize = 8;
/// Replays under way for one token, at most.
pub(super) const REPLAYS_OF_ACTOR_MAX: usize = 4;

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// What has them, for whoever is refused.
    pub(crate) what: &'static str,
    /// At once in this process, at most.
    pub(crate) of_all: usize,
    /// At once for one token, at most.
    pub(crate) of_actor: usize,
}

/// How many of them each actor has.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    places: Places,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

impl Slots {
    pub(crate) fn new(places: Places) -> Slots {
        Slots { places, taken: Arc::default() }
    }

    /// Room for one more.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchWork`].
    pub(crate) fn take(&self, actor: &str) -> Result<Slot, Problem> {
        let mut taken = self.lock();
        let (of_all, of_actor) = (taken.values().sum::<usize>(), taken.get(actor).copied().unwrap_or(0));
        let what = self.places.what;
        let refuse = |whose: String| {
            let detail = format!("{whose}; wait until one of them has ended, or end one");
            Err(Problem::new(ProblemCode::TooMuchWork, detail))
        };
        if of_actor >= self.places.of_actor {
            return refuse(format!("this token has {of_actor} {what} under way, and may have no more"));
        }
        if of_all >= self.places.of_all {
            return refuse(format!("the service has {of_all} {what} under way, and does no more at once"));
        }
        *taken.entry(actor.to_owned()).or_default() += 1;
        Ok(Slot { slots: self.clone(), actor: actor.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // Nothing that panics is done with the lock held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Slot {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_actor_leaves_places_to_the_others() {
        let slots = Slots::new(Places { what: "streams", of_all: 3, of_actor: 2 });
        let anns = [slots.take("ann").unwrap(), slots.take("ann").unwrap()];
        let refused = slots.take("ann").unwrap_err();
        assert!(serde_json::to_string(&refused).unwrap().contains("has 2 streams under way"));
        let bobs = slots.take("bob").unwrap();
        assert!(slots.take("bob").is_err(), "there are three in all");
        drop(anns);
        assert!(slots.take("cid").is_ok());
        drop(bobs);
    }
}
