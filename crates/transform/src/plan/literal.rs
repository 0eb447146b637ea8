//! Short texts, padded so that they are compared in one step.

/// Bytes of a literal, at most: one block of the kernels.
pub(crate) const LITERAL_BYTES_MAX: usize = 64;

/// A text of 1 to 64 bytes, none of them zero, in a block of 64; or nothing, which equals nothing.
#[derive(Debug, Clone)]
pub(crate) struct Literal {
    bytes: [u8; LITERAL_BYTES_MAX],
    /// A bit for each byte of the text.
    mask: u64,
    len: usize,
}

impl Literal {
    /// Nothing.
    pub(crate) const EMPTY: Literal = Literal { bytes: [0; LITERAL_BYTES_MAX], mask: 0, len: 0 };

    /// The text as a literal, where it can be one.
    pub(crate) fn new(text: &[u8]) -> Option<Literal> {
        if text.is_empty() || text.len() > LITERAL_BYTES_MAX || text.contains(&0) {
            return None;
        }
        let mut bytes = [0; LITERAL_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Some(Literal { bytes, mask: u64::MAX >> (LITERAL_BYTES_MAX - text.len()), len: text.len() })
    }

    /// The text in double quotes as a literal, where it can be one.
    pub(crate) fn quoted(text: &[u8]) -> Option<Literal> {
        let len = text.len() + 2;
        let mut bytes = [0; LITERAL_BYTES_MAX];
        let quoted = bytes.get_mut(..len)?;
        quoted.fill(b'"');
        quoted[1..len - 1].copy_from_slice(text);
        Literal::new(quoted)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether half a block holds it.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        self.len <= LITERAL_BYTES_MAX / 2
    }

    #[inline]
    pub(crate) fn mask(&self) -> u64 {
        self.mask
    }

    /// The block of 64 bytes.
    #[inline]
    pub(crate) fn block(&self) -> &[u8; LITERAL_BYTES_MAX] {
        &self.bytes
    }
}
