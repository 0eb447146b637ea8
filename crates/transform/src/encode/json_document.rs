//! The paths of one JSON document: whether one stands twice.
//!
//! A path is noted as a hash of its names, so that long ones cost no more than short ones. Only where two hashes are
//! equal the document is walked a second time, and those paths are compared as they stand.

use super::json_path::Scratch;

/// Paths of one document, with their buffers.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The path of the key at hand, behind those of the scopes around it.
    current: Vec<u8>,
    /// Hashes of the key at hand, and of its path from the start of its scope.
    key: u64,
    path: u64,
    /// The brackets that are open.
    open: Vec<Open>,
    /// Hashes of what may not stand twice.
    notes: Vec<u64>,
    /// Hashes that were noted twice, sorted: what the second walk looks at.
    suspects: Vec<u64>,
    /// The paths that the second walk looks at, and the notes that stand for them.
    bytes: Vec<u8>,
    leaves: Vec<Leaf>,
    /// Scopes met so far: the document, and each object that is an element of an array.
    scopes: usize,
    /// Buffers for the values of typed paths.
    pub(super) scratch: Scratch,
}

/// The scope of the document itself.
const DOCUMENT: usize = 1;

/// An open bracket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    is_object: bool,
    /// Its object is the top of a scope.
    is_top: bool,
    scope: usize,
    /// Where it stands in the record.
    pub(super) position: usize,
    /// Where the paths of its scope start in `current`, and where its own path ends.
    scope_start: usize,
    end: usize,
    /// The hash of its own path.
    path: u64,
}

/// What kind of value a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Null,
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Leaf {
    start: usize,
    end: usize,
    position: usize,
}

/// The hash of a path without names.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const FACTOR: u64 = 0xD6E8_FEB8_6659_FD93;

/// Both halves of a product: the mixing step of wyhash (<https://github.com/wangyi-fudan/wyhash>).
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // The half above 64 bits always fits.
    a.wrapping_mul(b) ^ u64::try_from(product >> 64).unwrap_or(0)
}

/// The hash with the names of a key behind it: a key with points stands for several names.
#[inline]
fn with_names(mut hash: u64, key: &[u8]) -> u64 {
    for name in key.split(|byte| *byte == b'.') {
        let mut words = name.chunks_exact(8);
        for word in &mut words {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            hash = mix(hash ^ u64::from_le_bytes(bytes), FACTOR);
        }
        let mut rest = [0; 8];
        rest[..words.remainder().len()].copy_from_slice(words.remainder());
        hash = mix(hash ^ u64::from_le_bytes(rest), FACTOR ^ name.len() as u64);
    }
    hash
}

impl Paths {
    pub(super) fn clear(&mut self) {
        self.suspects.clear();
        self.begin();
    }

    fn begin(&mut self) {
        self.current.clear();
        self.open.clear();
        self.notes.clear();
        self.bytes.clear();
        self.leaves.clear();
        self.scopes = 0;
    }

    /// Gives back buffers that have grown beyond the size.
    pub(crate) fn give_back(&mut self, bytes_max: usize) {
        let hashes = self.notes.capacity() + self.suspects.capacity();
        let notes = hashes * size_of::<u64>() + self.leaves.capacity() * size_of::<Leaf>();
        let texts = self.bytes.capacity() + self.current.capacity() + self.scratch.capacity();
        if notes + texts > bytes_max {
            *self = Self::default();
        }
    }

    /// Enters an array or an object, which is a value itself.
    pub(super) fn open(&mut self, is_object: bool, position: usize) {
        let end = self.current.len();
        let opened = match self.open.last().copied() {
            Some(outer) if outer.is_object => {
                self.value(if is_object { Kind::Object } else { Kind::Plain }, position);
                Open { is_object, is_top: false, end, position, path: self.path, ..outer }
            }
            // The document, or an element of an array.
            outer if is_object || outer.is_none() => {
                self.scopes += usize::from(is_object);
                let scope = if is_object { self.scopes } else { 0 };
                Open { is_object, is_top: true, scope, scope_start: end, end, position, path: SEED }
            }
            Some(outer) => Open { is_object, is_top: false, end, position, ..outer },
            None => return,
        };
        self.open.push(opened);
    }

    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.current.truncate(open.end);
        }
    }

    /// Levels that are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Where the innermost bracket stands that is open.
    pub(super) fn innermost(&self) -> Option<usize> {
        self.open.last().map(|open| open.position)
    }

    pub(super) fn in_object(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_object)
    }

    pub(super) fn key(&mut self, key: &[u8]) {
        let Some(open) = self.open.last() else { return };
        self.current.truncate(open.end);
        if !open.is_top {
            self.current.push(b'.');
        }
        self.current.extend_from_slice(key);
        self.key = with_names(SEED, key);
        self.path = if open.is_top { self.key } else { with_names(open.path, key) };
    }

    /// Notes a value of an object. Its key may stand in this object once for plain values and once for an object;
    /// its path, in however many keys it is cut, may have one plain value that is not null.
    pub(super) fn value(&mut self, kind: Kind, position: usize) {
        let Some(open) = self.open.last().copied().filter(|open| open.is_object) else { return };
        self.note(open.position, u8::from(kind == Kind::Object), open.end, position);
        if kind == Kind::Plain {
            self.note(open.scope, OF_SCOPE, open.scope_start, position);
        }
    }

    /// The path of the key at hand in the document, none inside of arrays.
    pub(super) fn in_document(&self) -> Option<&[u8]> {
        self.open.last().filter(|open| open.scope == DOCUMENT).map(|open| &self.current[open.scope_start..])
    }

    /// Notes a value that is read as a whole, or left out: what is inside of it has no path.
    pub(super) fn whole(&mut self, is_object: bool, is_skipped: bool, position: usize) {
        let Some(open) = self.open.last().copied() else { return };
        self.note(open.position, u8::from(is_object), open.end, position);
        if !is_skipped {
            self.note(open.scope, OF_SCOPE, open.scope_start, position);
        }
    }

    /// Notes the path from here on, as one of these that may not be repeated.
    fn note(&mut self, owner: usize, kind: u8, from: usize, position: usize) {
        let names = if kind == OF_SCOPE { self.path } else { self.key };
        let hash = mix(names ^ u64::from(kind), FACTOR ^ owner as u64);
        if self.suspects.is_empty() {
            self.notes.push(hash);
        } else if self.suspects.binary_search(&hash).is_ok() {
            let start = self.bytes.len();
            self.bytes.push(kind);
            self.bytes.extend_from_slice(&owner.to_be_bytes());
            self.bytes.extend_from_slice(&self.current[from..]);
            self.leaves.push(Leaf { start, end: self.bytes.len(), position });
        }
    }

    /// Bytes of the paths that are compared as they stand.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether two paths may be the same: then the document is to be walked again, with this.
    pub(super) fn is_suspicious(&mut self) -> bool {
        self.notes.sort_unstable();
        let repeated = self.notes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        self.suspects.extend(repeated);
        self.begin();
        !self.suspects.is_empty()
    }

    /// The first path that stands for the second time, after the second walk.
    pub(super) fn duplicate(&mut self) -> Option<Duplicate> {
        let Self { bytes, leaves, .. } = self;
        let path = |leaf: &Leaf| &bytes[leaf.start..leaf.end];
        leaves.sort_unstable_by(|a, b| path(a).cmp(path(b)).then(a.position.cmp(&b.position)));
        let pairs = leaves.windows(2).filter(|pair| path(&pair[0]) == path(&pair[1]));
        let all = pairs.map(|pair| {
            let again = pair[1].position;
            let met = match path(&pair[1]).split_first_chunk() {
                Some((&[kind], rest)) if kind != OF_SCOPE => {
                    rest.first_chunk().map_or(again, |owner| usize::from_be_bytes(*owner))
                }
                _ => again,
            };
            Duplicate { position: again, met }
        });
        all.reduce(|a, b| Duplicate { position: a.position.min(b.position), met: a.met.min(b.met) })
    }
}

/// Where a path stands for the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duplicate {
    /// The value behind it.
    pub(super) position: usize,
    /// Where the server meets it: it looks at all keys of an object before it reads the first value.
    pub(super) met: usize,
}

/// The kind of a note for a path of a scope; others are for a key of an object.
const OF_SCOPE: u8 = 2;
