//! Lengths as RowBinary writes them.

/// Bytes of a length, at most.
pub(crate) const LENGTH_BYTES_MAX: usize = 10;

/// Appends a length, seven bits a byte, the low ones first.
#[inline]
pub(crate) fn push_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push((length & 0x7F).to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}
