//! A record between zeros.

/// Zeros before the record: a number's digits are read from their end.
const LEAD_BYTES: usize = 64;
/// Zeros behind the record: a block may begin at its last byte, and as much again is to spare.
const TAIL_BYTES: usize = 128;

/// A copy of a record with zeros around it, so that the kernels may read blocks where records end.
///
/// The copy costs a few hundredths of what encoding costs, and makes every read lie inside one buffer.
#[derive(Debug)]
pub(crate) struct Padded {
    bytes: Vec<u8>,
    len: usize,
}

impl Default for Padded {
    /// An empty record, between its zeros.
    fn default() -> Self {
        Self { bytes: vec![0; LEAD_BYTES + TAIL_BYTES], len: 0 }
    }
}

impl Padded {
    /// Takes a copy of the record.
    pub(crate) fn load(&mut self, record: &[u8]) {
        let needed = LEAD_BYTES + record.len() + TAIL_BYTES;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.next_power_of_two(), 0);
        }
        #[cfg(fuzzing)]
        {
            // Of this size alone, so that a sanitizer sees every byte that is read beyond.
            self.bytes = vec![0; needed];
        }
        let end = LEAD_BYTES + record.len();
        self.bytes[LEAD_BYTES..end].copy_from_slice(record);
        self.bytes[end..end + TAIL_BYTES].fill(0);
        self.len = record.len();
    }

    /// The record, inside its zeros.
    #[inline]
    pub(crate) fn record(&self) -> &[u8] {
        self.bytes.get(LEAD_BYTES..LEAD_BYTES + self.len).unwrap_or_default()
    }

    /// The first byte of the record; zeros lie around the record, as the constants say.
    #[inline]
    pub(super) fn start(&self) -> *const u8 {
        self.bytes.as_ptr().wrapping_add(LEAD_BYTES)
    }
}
