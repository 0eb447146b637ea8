//! A map with a limit on its entries and on their weight; what was not asked for longest is forgotten first.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    entries: HashMap<K, Entry<V>>,
    entries_max: usize,
    weight: usize,
    weight_max: usize,
    /// Counts the uses; an entry's own count is that of its last use.
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    pub(crate) fn new(entries_max: usize, weight_max: usize) -> Self {
        Bounded { entries: HashMap::new(), entries_max, weight: 0, weight_max, uses: 0 }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.uses;
        Some(&entry.value)
    }

    /// Keeps `value`, unless it alone is heavier than everything may be together.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.weight_max || self.entries_max == 0 {
            return;
        }
        while self.entries.len() >= self.entries_max || self.weight > self.weight_max - weight {
            // A walk over all entries, once for each that is forgotten: a request over the network goes before it.
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.weight += weight;
        self.entries.insert(key, Entry { value, weight, used: self.uses });
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(map: &Bounded<u32, ()>) -> Vec<u32> {
        let mut keys: Vec<u32> = map.entries.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let mut map = Bounded::new(3, 100);
        (1..=3).for_each(|key| map.insert(key, (), 1));
        assert!(map.get(&1).is_some());
        map.insert(4, (), 1);
        assert_eq!(keys(&map), [1, 3, 4]);
        assert!(map.get(&2).is_none());
    }

    #[test]
    fn the_weight_is_bounded_too() {
        let mut map = Bounded::new(10, 10);
        map.insert(1, (), 4);
        map.insert(2, (), 4);
        map.insert(3, (), 6);
        assert_eq!((keys(&map), map.weight), (vec![2, 3], 10));
        map.insert(2, (), 1);
        assert_eq!((keys(&map), map.weight), (vec![2, 3], 7));
        map.insert(4, (), 11);
        assert_eq!((keys(&map), map.weight), (vec![2, 3], 7), "what is too heavy costs the others nothing");
        map.insert(5, (), 10);
        assert_eq!((keys(&map), map.weight), (vec![5], 10));
    }

    #[test]
    fn a_map_without_room_keeps_nothing() {
        let mut map = Bounded::new(0, 10);
        map.insert(1, (), 0);
        assert!(map.get(&1).is_none());
    }
}
