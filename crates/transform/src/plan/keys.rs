//! From a key of the record to its column.

/// What the table knows about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    /// No column takes it.
    None,
    /// The index of its column.
    One(usize),
    /// Several columns differ from it in letter case alone.
    Several,
}

/// A hash table of keys: an exact match first, else, unless keys are taken as they stand, one without regard to ASCII letter case.
#[derive(Debug)]
pub(crate) struct KeyTable {
    /// Indices of keys plus 1, 0 where the slot is empty. Keys that differ only in case lie in one run.
    slots: Vec<u32>,
    keys: Vec<Box<[u8]>>,
    mask: usize,
    is_exact: bool,
}

impl KeyTable {
    pub(crate) fn new(keys: Vec<Box<[u8]>>, is_exact: bool) -> Self {
        let mask = (keys.len() * 2).next_power_of_two() - 1;
        let mut slots = vec![0u32; mask + 1];
        for (index, key) in (1u32..).zip(&keys) {
            let mut slot = hash(key) & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = index;
        }
        Self { slots, keys, mask, is_exact }
    }

    /// The column of the key.
    pub(crate) fn find(&self, key: &[u8]) -> KeyMatch {
        let mut folded = KeyMatch::None;
        let mut slot = hash(key) & self.mask;
        loop {
            let index = (self.slots[slot] as usize).checked_sub(1);
            let Some(index) = index else { return folded };
            let known = &*self.keys[index];
            if known == key {
                return KeyMatch::One(index);
            }
            if !self.is_exact && known.eq_ignore_ascii_case(key) {
                folded = if folded == KeyMatch::None { KeyMatch::One(index) } else { KeyMatch::Several };
            }
            slot = (slot + 1) & self.mask;
        }
    }
}

/// FNV-1a over the letters in lower case, its high bits folded in.
fn hash(key: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key {
        hash = (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x0100_0000_01b3);
    }
    // Only the low bits are used, on every platform.
    ((hash ^ (hash >> 32)) & 0xFFFF_FFFF) as usize
}
