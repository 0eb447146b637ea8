//! The pass over a record.

use super::block::{byte, load, low};
use super::objects::ObjectRule;
use super::part::{ANY, Node, Part, Word};
use super::{Acceptor, NodeId, numbers, texts};

/// What is remembered from record to record: which key followed which.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The two keys that followed last, as places among the properties.
    next: Vec<[u16; 2]>,
}

/// No property.
const NONE: u16 = u16::MAX;
/// Places that are remembered.
const PLACE_MAX: usize = NONE as usize;

/// Work that trying things in several ways may cost, for each byte of the record.
const WORK_PER_BYTE: usize = 16;
/// The same for any record.
const WORK_MIN: usize = 4096;

impl Memory {
    pub(crate) fn new(acceptor: &Acceptor) -> Memory {
        Memory { next: vec![[NONE; 2]; acceptor.memory_slots] }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.next.capacity() * size_of::<[u16; 2]>()
    }
}

impl Acceptor {
    /// Whether the record is valid for certain.
    pub(crate) fn accepts(&self, record: &[u8], memory: &mut Memory) -> bool {
        let work_max = record.len().saturating_mul(WORK_PER_BYTE).saturating_add(WORK_MIN);
        let mut pass = Pass { rules: self, bytes: record, memory, depth: 0, work: 0, work_max };
        let at = pass.skip_blanks(0);
        match pass.value(self.root, at) {
            Some(end) => end == record.len() || pass.skip_blanks(end) == record.len(),
            None => false,
        }
    }
}

struct Pass<'p> {
    rules: &'p Acceptor,
    bytes: &'p [u8],
    memory: &'p mut Memory,
    depth: usize,
    /// Values that were looked at, and bytes of texts that had to be looked at closely.
    work: usize,
    work_max: usize,
}

impl Pass<'_> {
    #[inline(always)]
    fn skip_blanks(&self, mut at: usize) -> usize {
        while matches!(byte(self.bytes, at), b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        at
    }

    /// Where the value ends that begins at `at`, where it is valid for certain.
    #[inline(always)]
    fn value(&mut self, id: NodeId, at: usize) -> Option<usize> {
        let node = self.rules.nodes.get(id as usize)?;
        match byte(self.bytes, at) {
            b'"' => match &node.text {
                Part::Any => texts::text_end(self.bytes, at + 1).map(|end| end + 1),
                Part::One(rule) => texts::ruled_end(rule, self.bytes, at + 1).map(|end| end + 1),
                part => self.in_parts(part, at, |pass, rule, at| {
                    let end = texts::ruled_end(rule, pass.bytes, at + 1)?;
                    pass.work += end - at;
                    Some(end + 1)
                }),
            },
            b'-' | b'0'..=b'9' => match &node.number {
                Part::Any => numbers::number_end(self.bytes, at),
                Part::One(rule) => numbers::ruled_end(rule, self.bytes, at),
                part => self.in_parts(part, at, |pass, rule, at| numbers::ruled_end(rule, pass.bytes, at)),
            },
            first @ (b't' | b'f' | b'n') => {
                // One way for all of them, since nobody foresees which one it is.
                let place = Word::place(first);
                let Word { text, mask, length } = Word::ALL[place];
                let is_there = low(load(self.bytes, at)) & mask == text;
                (is_there & (node.words >> place & 1 == 1)).then_some(at + length)
            }
            b'{' => self.object_value(node, at),
            b'[' => self.array_value(node, at),
            _ => None,
        }
    }

    fn object_value(&mut self, node: &Node, at: usize) -> Option<usize> {
        match &node.object {
            Part::Any => self.object(ANY_OBJECT, at),
            Part::One(rule) => self.object(*rule, at),
            part => self.in_parts(part, at, |pass, rule, at| pass.object(*rule, at)),
        }
    }

    fn array_value(&mut self, node: &Node, at: usize) -> Option<usize> {
        match &node.array {
            Part::Any => self.array(ANY_ARRAY, at),
            Part::One(rule) => self.array(*rule, at),
            part => self.in_parts(part, at, |pass, rule, at| pass.array(*rule, at)),
        }
    }

    /// Tries a value in several ways.
    #[cold]
    fn in_parts<R>(
        &mut self,
        part: &Part<R>,
        at: usize,
        try_rule: impl Fn(&mut Self, &R, usize) -> Option<usize> + Copy,
    ) -> Option<usize> {
        self.work += 1;
        if self.work > self.work_max {
            return None;
        }
        let depth = self.depth;
        match part {
            // What is certain of anything of this kind is asked for by kind, and not here.
            Part::Never | Part::Unknown | Part::Any => None,
            Part::One(rule) => try_rule(self, rule, at),
            Part::All(parts) => {
                let mut end = None;
                for part in parts {
                    end = Some(self.in_parts(part, at, try_rule)?);
                }
                end
            }
            Part::Either(parts) => parts.iter().find_map(|part| {
                // An attempt that was given up leaves its depth behind.
                self.depth = depth;
                self.in_parts(part, at, try_rule)
            }),
        }
    }

    fn array(&mut self, rule: u32, at: usize) -> Option<usize> {
        let rule = *self.rules.arrays.get(rule as usize)?;
        self.depth += 1;
        if self.depth > self.rules.depth_max {
            return None;
        }
        let (mut at, mut count) = (self.skip_blanks(at + 1), 0_usize);
        if byte(self.bytes, at) == b']' {
            self.depth -= 1;
            return (rule.count_min == 0).then_some(at + 1);
        }
        loop {
            self.work += 1;
            at = self.value(rule.items, at)?;
            count += 1;
            let mut next = byte(self.bytes, at);
            if next != b',' && next != b']' {
                at = self.skip_blanks(at);
                next = byte(self.bytes, at);
            }
            match next {
                b',' => at = self.skip_blanks(at + 1),
                b']' => break,
                _ => return None,
            }
        }
        self.depth -= 1;
        (rule.count_min <= count && count <= rule.count_max).then_some(at + 1)
    }

    fn object(&mut self, rule: u32, at: usize) -> Option<usize> {
        let rule: &ObjectRule = self.rules.objects.get(rule as usize)?;
        self.depth += 1;
        if self.depth > self.rules.depth_max {
            return None;
        }
        let mut at = at + 1;
        if byte(self.bytes, at) != b'"' {
            at = self.skip_blanks(at);
            if byte(self.bytes, at) == b'}' {
                self.depth -= 1;
                return (rule.required == 0 && !rule.needs_one).then_some(at + 1);
            }
        }
        // The place of the key that was read last; the first key follows none.
        let (mut slot, mut seen, mut count) = (rule.memory, 0_u128, 0_usize);
        loop {
            let [first, second] = *self.memory.next.get(slot)?;
            let is_next = |place: u16| {
                let property = rule.properties.get(place as usize)?;
                property.key.is_at(self.bytes, at).then_some((property, place as usize))
            };
            let known = is_next(first).or_else(|| is_next(second).inspect(|_| self.memory.turn(slot)));
            let node = if let Some((property, place)) = known {
                at += property.key.length;
                slot = rule.memory + 1 + place;
                seen |= property.bit;
                property.node
            } else {
                let (place, behind) = self.unforeseen(rule, at)?;
                at = behind;
                match place.and_then(|place| Some((rule.properties.get(place)?, place))) {
                    Some((property, place)) => {
                        self.memory.learn(slot, place);
                        slot = rule.memory + 1 + place;
                        seen |= property.bit;
                        property.node
                    }
                    None => rule.additional?,
                }
            };
            if byte(self.bytes, at) <= b' ' {
                at = self.skip_blanks(at);
            }
            at = self.value(node, at)?;
            count += 1;
            self.work += 1;
            let mut next = byte(self.bytes, at);
            if next != b',' && next != b'}' {
                at = self.skip_blanks(at);
                next = byte(self.bytes, at);
            }
            at += 1;
            match next {
                b',' if byte(self.bytes, at) <= b' ' => at = self.skip_blanks(at),
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        self.depth -= 1;
        (seen & rule.required == rule.required && count <= rule.count_max).then_some(at)
    }

    /// Reads a key that was not foreseen: its property, and the place behind its colon.
    #[inline(never)]
    fn unforeseen(&self, rule: &ObjectRule, at: usize) -> Option<(Option<usize>, usize)> {
        if byte(self.bytes, at) != b'"' {
            return None;
        }
        let end = texts::text_end(self.bytes, at + 1)?;
        let name = self.bytes.get(at + 1..end)?;
        // With an escape it may be any name.
        let are_alike = rule.properties.is_empty() && rule.additional.is_some();
        if !are_alike && memchr::memchr(b'\\', name).is_some() {
            return None;
        }
        let behind = self.skip_blanks(end + 1);
        if byte(self.bytes, behind) != b':' {
            return None;
        }
        Some((rule.place(name), behind + 1))
    }
}

/// The rule of objects of which everything is valid.
pub(super) const ANY_OBJECT: u32 = 0;
/// The rule of arrays of which everything is valid.
pub(super) const ANY_ARRAY: u32 = 0;

impl Memory {
    /// The second key that was foreseen came: it goes first.
    fn turn(&mut self, slot: usize) {
        if let Some(next) = self.next.get_mut(slot) {
            next.swap(0, 1);
        }
    }

    /// A key came that was not foreseen.
    fn learn(&mut self, slot: usize, place: usize) {
        if let (Some(next), Ok(place)) = (self.next.get_mut(slot), u16::try_from(place))
            && usize::from(place) < PLACE_MAX
        {
            *next = [place, next[0]];
        }
    }
}

/// The first node is that of everything.
const _: () = assert!(ANY == 0);
