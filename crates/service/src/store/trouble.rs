//! What keeps a database from writing until somebody mends it. Reads may go on meanwhile, so it is remembered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time for which trouble is remembered at least, in seconds: on a full disk a small write may find room where a larger one does not.
const REMEMBERED_S_MIN: u64 = 30;

/// Why nothing can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room.
    Full,
    /// It may only be read.
    ReadOnly,
    /// The disk gives errors.
    Disk,
    /// What is stored is damaged.
    Damaged,
}

impl Trouble {
    /// The same in words.
    pub fn words(self) -> &'static str {
        match self {
            Trouble::Full => "the store cannot be written: the disk is full",
            Trouble::ReadOnly => "the store cannot be written: it is read-only",
            Trouble::Disk => "the store cannot be written: its disk gives errors",
            Trouble::Damaged => "the store is damaged: restore it from a backup",
        }
    }
}

/// The trouble of late.
#[derive(Debug, Default)]
pub(super) struct OfLate(Mutex<Option<(Trouble, Instant)>>);

impl OfLate {
    pub(super) fn came(&self, trouble: Trouble) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((trouble, Instant::now()));
    }

    /// Something was written.
    pub(super) fn wrote(&self) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.take_if(|(_, at)| at.elapsed() >= Duration::from_secs(REMEMBERED_S_MIN));
    }

    pub(super) fn get(&self) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|(trouble, _)| trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_is_remembered_until_something_is_written_a_while_later() {
        let of_late = OfLate::default();
        assert_eq!(of_late.get(), None);
        of_late.came(Trouble::Full);
        of_late.wrote();
        assert_eq!(of_late.get(), Some(Trouble::Full), "a small write has found room");
        tokio::time::advance(Duration::from_secs(REMEMBERED_S_MIN)).await;
        assert_eq!(of_late.get(), Some(Trouble::Full), "nothing was written since");
        of_late.wrote();
        assert_eq!(of_late.get(), None);
    }
}
