//! Rules of objects.

use std::sync::Arc;

use super::NodeId;
use super::block::load;
use super::places::Places;

/// What an object has to keep. A clone shares what is large.
#[derive(Debug, Clone)]
pub(super) struct ObjectRule {
    pub(super) properties: Arc<[Property]>,
    pub(super) places: Places,
    /// The node of members that are no property.
    pub(super) additional: Option<NodeId>,
    /// Bits of the properties that have to be there.
    pub(super) required: u128,
    pub(super) count_max: usize,
    /// Whether it must not be empty.
    pub(super) needs_one: bool,
    /// Where the memory of its keys begins: that of its first key, then one for each property.
    pub(super) memory: usize,
}

/// A member that the schema names.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: Box<[u8]>,
    pub(super) node: NodeId,
    /// Its bit among the required ones, or none.
    pub(super) bit: u128,
    pub(super) key: Key,
}

/// A key with its quotes and its colon, to be compared at once.
#[derive(Debug)]
pub(super) struct Key {
    /// The first sixteen bytes, with zeros behind.
    block: u128,
    mask: u128,
    pub(super) length: usize,
    /// All of it, where it is longer.
    rest: Option<Box<[u8]>>,
}

impl Key {
    pub(super) fn new(name: &[u8]) -> Key {
        let text = [b"\"", name, b"\":"].concat();
        let covered = text.len().min(16);
        let mask = u128::MAX >> (128 - 8 * covered);
        let rest = text.get(16..).filter(|rest| !rest.is_empty()).map(Box::from);
        Key { block: load(&text, 0) & mask, mask, length: text.len(), rest }
    }

    /// Whether the bytes at `at` are this key.
    #[inline(always)]
    pub(super) fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        let is_begun = (load(bytes, at) ^ self.block) & self.mask == 0;
        is_begun
            && self
                .rest
                .as_ref()
                .is_none_or(|rest| bytes.get(at + 16..).is_some_and(|text| text.starts_with(rest)))
    }
}

impl Property {
    /// Bytes that it takes, about: its name stands in its key once more, and its place in up to four slots.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Property>() + 2 * self.name.len() + 4 * size_of::<u32>()
    }
}

impl ObjectRule {
    /// Places that the memory of its keys has.
    pub(super) fn memory_slots(&self) -> usize {
        1 + self.properties.len()
    }

    /// The property of a name as it stands in a record, without escapes.
    pub(super) fn place(&self, name: &[u8]) -> Option<usize> {
        self.places
            .candidates(name)
            .find(|place| self.properties.get(*place).is_some_and(|own| *own.name == *name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_whole() {
        for name in
            ["", "a", "exactly13byte", "fourteen bytes", "a name of more than thirty-two bytes in all"]
        {
            let key = Key::new(name.as_bytes());
            let text = format!("\"{name}\":1");
            assert!(key.is_at(text.as_bytes(), 0), "{name}");
            assert!(key.is_at(format!("x{text}").as_bytes(), 1), "{name}");
            for wrong in
                [format!("\"{name}x\":1"), format!("\"{name}\" :1"), format!("\"{name}\""), String::new()]
            {
                assert!(!key.is_at(wrong.as_bytes(), 0), "{wrong}");
            }
        }
    }
}
