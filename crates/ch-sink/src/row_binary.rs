//! As much of RowBinary as the error table needs. Strings are bytes; nothing is assumed to be UTF-8.

/// Appends an unsigned LEB128 number: lengths of strings and arrays.
pub(crate) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}

/// Appends a String.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a Nullable: a byte that says whether it is NULL, then the value that `put` appends.
pub(crate) fn put_nullable<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_none()));
    if let Some(value) = value {
        put(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_nulls_are_as_clickhouse_reads_them() {
        let mut out = Vec::new();
        put_bytes(&mut out, b"\xff\0");
        assert_eq!(out, [2, 0xff, 0]);
        out.clear();
        put_length(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
        out.clear();
        put_nullable(&mut out, None::<u8>, Vec::push);
        put_nullable(&mut out, Some(7), Vec::push);
        assert_eq!(out, [1, 0, 7]);
    }
}
