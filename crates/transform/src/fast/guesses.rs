//! What was learned about a producer: its keys, and which key follows which.

use crate::kernels;
use crate::plan::{KeyMatch, KeyTable, Literal, Plan};

/// Keys that are known beside those of the columns.
const OTHER_KEYS_MAX: usize = 1_024;

/// Slots that are looked at for a key: one that finds no room there is not known.
const PROBES_MAX: usize = 8;

/// Keys that found no room after which everything is learned anew: the keys of yesterday make room for those of today.
const REFUSED_KEYS_MAX: usize = 4_096;

/// A key that was met, by its number; 0 is the beginning of a record.
pub(crate) type KeyId = usize;

/// The beginning of a record: what follows it is the first key.
pub(crate) const START: KeyId = 0;

/// What a key fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The column with this index.
    Column(usize),
    /// No column; it is counted.
    Unknown,
    /// A column that has its value already, in a record whose columns all have theirs: not even counted.
    Ignored,
    /// Several columns by letter case: the exact path knows the verdict.
    Several,
}

/// From the end of a value to the beginning of the next one, byte for byte: `,"key":"`.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) literal: Literal,
    pub(crate) key: KeyId,
    pub(crate) target: Target,
    /// The literal ends with the quote that opens the value.
    pub(crate) quoted: bool,
    /// Tells this step from all others that were learned.
    pub(crate) serial: u32,
}

/// The two keys that were last seen to follow a key.
#[derive(Debug)]
pub(crate) struct Followers {
    pub(crate) steps: [Step; 2],
    /// The one that is tried first.
    pub(crate) first: usize,
}

#[derive(Debug)]
struct Known {
    /// Its text, in its quotes.
    quoted: Literal,
    target: Target,
    /// Its values stand in quotes, and a kernel reads them.
    opens_with_quote: bool,
}

/// The keys that were met, and which follows which.
#[derive(Debug)]
pub(crate) struct Guesses {
    /// Numbers of keys, 0 where the slot is empty.
    slots: Vec<u32>,
    known: Vec<Known>,
    followers: Vec<Followers>,
    known_max: usize,
    serial: u32,
    /// Keys that found no room.
    refused: usize,
}

const NO_STEP: Step =
    Step { literal: Literal::EMPTY, key: START, target: Target::Unknown, quoted: false, serial: 0 };

impl Guesses {
    pub(crate) fn new(columns: usize) -> Self {
        let known_max = columns + OTHER_KEYS_MAX;
        let start = Known { quoted: Literal::EMPTY, target: Target::Unknown, opens_with_quote: false };
        let followers = Followers { steps: [NO_STEP; 2], first: 0 };
        Self {
            slots: vec![0; (known_max * 2).next_power_of_two()],
            known: vec![start],
            followers: vec![followers],
            known_max,
            serial: 0,
            refused: 0,
        }
    }

    /// Forgets all keys where too many found no room since they were learned; says whether it did.
    #[inline]
    pub(crate) fn forget_where_full(&mut self) -> bool {
        let is_full = self.refused > REFUSED_KEYS_MAX;
        if is_full {
            self.refused = 0;
            self.slots.fill(0);
            self.known.truncate(1);
            self.followers.truncate(1);
            self.followers[START] = Followers { steps: [NO_STEP; 2], first: 0 };
        }
        is_full
    }

    /// The known key that `is_quoted` recognises by its text in quotes.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_quoted: impl Fn(&Literal) -> bool) -> Option<KeyId> {
        for probe in 0..PROBES_MAX {
            let id = self.slots[self.slot(hash, probe)] as usize;
            if id == 0 {
                return None;
            }
            if is_quoted(&self.known[id].quoted) {
                return Some(id);
            }
        }
        None
    }

    /// The slot for a key of this hash that is looked at after so many others.
    #[inline(always)]
    fn slot(&self, hash: u64, probe: usize) -> usize {
        // There are far fewer slots than 2^32.
        ((hash & 0xFFFF_FFFF) as usize + probe) & (self.slots.len() - 1)
    }

    /// Notes a key; none where there are too many already, or where it is too long.
    #[cold]
    pub(crate) fn note(&mut self, hash: u64, key: &[u8], plan: &Plan) -> Option<KeyId> {
        let quoted = Literal::quoted(key)?;
        let target = target(key, &plan.keys);
        let opens_with_quote =
            matches!(target, Target::Column(column) if kernels::opens_with_quote(&plan.fields[column].op));
        // Strangers do not take the places of columns, nor do other spellings of their names.
        let is_column = matches!(target, Target::Column(column) if *plan.fields[column].key == *key);
        let known_max = if is_column { self.known_max } else { OTHER_KEYS_MAX.min(self.known_max) };
        let id = self.known.len();
        let slot = (0..PROBES_MAX).map(|probe| self.slot(hash, probe)).find(|slot| self.slots[*slot] == 0);
        let Some(slot) = slot.filter(|_| id < known_max) else {
            self.refused += 1;
            return None;
        };
        self.slots[slot] = u32::try_from(id).ok()?;
        self.known.push(Known { quoted, target, opens_with_quote });
        self.followers.push(Followers { steps: [NO_STEP; 2], first: 0 });
        Some(id)
    }

    /// What a key fills, and whether its values stand in quotes and a kernel reads them.
    #[inline(always)]
    pub(crate) fn known(&self, key: KeyId) -> (Target, bool) {
        let known = &self.known[key];
        (known.target, known.opens_with_quote)
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: KeyId) -> &[u8] {
        let quoted = &self.known[key].quoted;
        &quoted.block()[1..quoted.len() - 1]
    }

    #[inline(always)]
    pub(crate) fn followers(&mut self, key: KeyId) -> &mut Followers {
        &mut self.followers[key]
    }

    /// Notes that `key` follows `before` with this literal; returns its place and its serial.
    pub(crate) fn learn(
        &mut self,
        before: KeyId,
        literal: &[u8],
        key: KeyId,
        quoted: bool,
    ) -> Option<(usize, u32)> {
        let literal = Literal::new(literal)?;
        self.serial = self.serial.wrapping_add(1);
        let step = Step { literal, key, target: self.known[key].target, quoted, serial: self.serial };
        let followers = &mut self.followers[before];
        // The one that was tried last makes room, and the new one is tried first.
        let place = 1 - followers.first;
        followers.steps[place] = step;
        followers.first = place;
        Some((place, self.serial))
    }
}

/// What a key fills by the table of the plan.
pub(crate) fn target(key: &[u8], keys: &KeyTable) -> Target {
    match keys.find(key) {
        KeyMatch::One(column) => Target::Column(column),
        KeyMatch::None => Target::Unknown,
        KeyMatch::Several => Target::Several,
    }
}

/// The hash of a key by its length and three words, which `word` reads at their places in it: the first, the last, and
/// one from the middle. Those of shorter keys overlap; what they leave out of longer ones may tell keys apart and costs a
/// few more looks then. What stands behind a key of less than eight bytes is cut off. No branch depends on the length,
/// which is hard to foresee.
#[inline(always)]
pub(crate) fn hash(len: usize, word: impl Fn(usize) -> u64) -> u64 {
    debug_assert!(len > 0);
    let kept = u64::MAX >> (64 - 8 * len.min(8));
    let last = len.max(8) - 8;
    let [head, middle, tail] = [0, last / 2, last].map(|at| word(at) & kept);
    let mixed = (head ^ middle.rotate_left(23)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ tail.wrapping_add(len as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F).rotate_left(29);
    mixed ^ (mixed >> 32)
}
