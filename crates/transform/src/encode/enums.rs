//! Enums: names, numbers, or numbers in quotes.

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::{number, string};
use crate::plan::{EnumTable, IntKind};
use crate::reject::RejectCode;

/// An Enum of one byte.
pub(crate) fn enum8(
    table: &EnumTable,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let value = read(table, 1, c, s)?;
    out.push(value.to_le_bytes()[0]);
    Ok(())
}

/// An Enum of two bytes.
pub(crate) fn enum16(
    table: &EnumTable,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let value = read(table, 2, c, s)?;
    out.extend_from_slice(&value.to_le_bytes());
    Ok(())
}

fn read(table: &EnumTable, bytes: usize, c: &mut Cursor<'_>, s: &mut State) -> Result<i16, Fault> {
    let at = c.at;
    let unknown = || Fault::new(RejectCode::UnknownEnumValue, at, "the Enum has no such value");
    let kind = IntKind { bytes, signed: true };
    if c.peek() != b'"' {
        if matches!(c.peek(), b'[' | b'{' | b't' | b'f') {
            return Err(string::mismatch(c, s, "an Enum"));
        }
        let value = narrow(number::integer_value(kind, c, s)?, bytes);
        return if table.has(value) { Ok(value) } else { Err(unknown()) };
    }
    let raw = string::scan(c)?;
    let name = if raw.escaped { string::decode(&raw, s.lenient, &mut s.text)? } else { raw.bytes };
    if let Some(value) = table.by_name(name) {
        return Ok(value);
    }
    // A number in quotes, where no name matches.
    let value = std::str::from_utf8(name).ok().and_then(|text| text.parse::<i16>().ok());
    value.filter(|value| table.has(*value)).ok_or_else(unknown)
}

/// The number wrapped to the Enum's width.
fn narrow(value: u128, bytes: usize) -> i16 {
    let le = value.to_le_bytes();
    if bytes == 1 { i16::from(i8::from_le_bytes([le[0]])) } else { i16::from_le_bytes([le[0], le[1]]) }
}
