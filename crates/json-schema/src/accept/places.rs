//! Finding a key of a record among those of an object's rule.

use std::sync::Arc;

use super::block::{load, low};

/// The places of keys, by a hash of their bytes. A clone shares them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// One more than the place; zero where there is none.
    slots: Arc<[u32]>,
}

impl Places {
    /// The places of names that differ.
    pub(super) fn new<'n>(names: impl ExactSizeIterator<Item = &'n [u8]>) -> Places {
        let mut slots: Vec<u32> = vec![0; (names.len() * 2).next_power_of_two().max(2)];
        for (place, name) in names.enumerate() {
            let mut at = slot(name, slots.len());
            while slots.get(at).is_some_and(|taken| *taken != 0) {
                at = (at + 1) % slots.len();
            }
            if let Some(free) = slots.get_mut(at) {
                *free = u32::try_from(place + 1).unwrap_or(0);
            }
        }
        Places { slots: slots.into() }
    }

    /// The places whose names may be this one, up to the first gap.
    pub(super) fn candidates(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let first = slot(name, self.slots.len());
        let (behind, before) = (self.slots.get(first..), self.slots.get(..first));
        let all = behind.unwrap_or_default().iter().chain(before.unwrap_or_default());
        all.take_while(|slot| **slot != 0).map(|slot| *slot as usize - 1)
    }
}

fn slot(name: &[u8], slots: usize) -> usize {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let first = low(load(name, 0));
    let last = low(load(name, name.len().saturating_sub(8)));
    let mixed = (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(MIX);
    // The upper bits are mixed best.
    usize::try_from(mixed >> 40).unwrap_or(0) & (slots - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_among_its_candidates() {
        let names: Vec<String> = (0..500).map(|at| format!("{}_{at}", "x".repeat(at % 20))).collect();
        let places = Places::new(names.iter().map(String::as_bytes));
        for (at, name) in names.iter().enumerate() {
            assert!(places.candidates(name.as_bytes()).any(|place| place == at), "{name}");
        }
        assert_eq!(Places::new(std::iter::empty::<&[u8]>()).candidates(b"a").count(), 0);
    }
}
