//! A record between zeros.

/// Zeros before the record: a number's digits are read from their end.
const LEAD_BYTES: usize = 64;
/// Zeros behind the record: a block may begin at its last byte, and a second one follow.
const TAIL_BYTES: usize = 128;

/// A copy of a record with zeros around it, so that the kernels may read blocks where records end.
///
/// The copy costs a few hundredths of what encoding costs, and makes every read lie inside one buffer.
#[derive(Debug, Default)]
pub(crate) struct Padded {
    bytes: Vec<u8>,
    len: usize,
}

impl Padded {
    /// Takes a copy of the record.
    pub(crate) fn load(&mut self, record: &[u8]) {
        let needed = LEAD_BYTES + record.len() + TAIL_BYTES;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.next_power_of_two(), 0);
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

    /// The whole buffer, and where the record starts in it.
    #[inline]
    pub(crate) fn buffer(&self) -> (&[u8], usize) {
        (&self.bytes, LEAD_BYTES)
    }
}
