//! Counts of the keys that no column takes.

use crate::limits::UNKNOWN_KEY_BYTES_MAX;

/// Counts of the keys that no column takes: by name for the first ones, and in total.
#[derive(Debug, Clone)]
pub struct UnknownKeys {
    counts: Vec<(Box<[u8]>, u64)>,
    names_max: usize,
    /// Where the last key was found: producers repeat themselves, so the next one is likely behind it.
    next: usize,
    total: u64,
}

impl UnknownKeys {
    pub(crate) fn new(names_max: usize) -> Self {
        Self { counts: Vec::new(), names_max, next: 0, total: 0 }
    }

    pub(crate) fn count(&mut self, key: &[u8]) {
        self.total += 1;
        let name = &key[..key.len().min(UNKNOWN_KEY_BYTES_MAX)];
        let guess = if self.next < self.counts.len() { self.next } else { 0 };
        let found = match self.counts.get(guess) {
            Some((known, _)) if **known == *name => Some(guess),
            _ => self.counts.iter().position(|(known, _)| **known == *name),
        };
        match found {
            Some(index) => {
                self.counts[index].1 += 1;
                self.next = index + 1;
            }
            None if self.counts.len() < self.names_max => self.counts.push((name.into(), 1)),
            None => {}
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.names_max);
    }

    /// How often a key was met that no column takes, the keys without a name here included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The names (cut to [`UNKNOWN_KEY_BYTES_MAX`] bytes, what is not UTF-8 replaced) and how often each was met, in
    /// the order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, u64)> {
        self.counts.iter().map(|(name, count)| (String::from_utf8_lossy(name), *count))
    }
}
