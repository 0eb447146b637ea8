//! Decimals: digits behind a point, those beyond the scale cut off.

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::wide::Wide;
use super::{number, string};
use crate::plan::DecimalKind;
use crate::reject::RejectCode;

/// A decimal number, in quotes or not.
pub(crate) fn decimal(
    kind: DecimalKind,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let start = c.at;
    let quoted = c.eat(b'"');
    if !quoted {
        if matches!(c.peek(), b'[' | b'{' | b't' | b'f') {
            return Err(string::mismatch(c, s, "a Decimal"));
        }
        if !s.lenient {
            number::json_number_end(c.bytes, c.at)?;
        }
    }
    let (value, stop) = read(kind, c, start)?;
    if quoted && !c.eat(b'"') {
        return Err(Fault::new(RejectCode::InvalidNumber, start, "the text is not a number"));
    }
    if s.in_variant && stop == Stop::Stranger {
        let message = "a Decimal in a Variant ends with the text or with an exponent";
        return Err(Fault::new(RejectCode::InvalidNumber, start, message));
    }
    out.extend_from_slice(&value.to_le_bytes()[..kind.bytes]);
    Ok(())
}

/// The largest power of ten that a word holds.
const WORD_DIGITS: u32 = 19;

/// What a number ends with. The reader that ClickHouse has for Variants takes no stranger for an end, not even the quote
/// or the bracket behind the number; it stops behind an exponent, or where the text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    End,
    Exponent,
    Stranger,
}

/// Reads a number as ClickHouse does: nothing at all is 0, a second point is passed over, and digits that the precision
/// has no room for are cut off behind the point, refused before it.
fn read(kind: DecimalKind, c: &mut Cursor<'_>, start: usize) -> Result<(Wide, Stop), Fault> {
    let too_large = || {
        let message = format!("the number does not fit Decimal({}, {})", kind.precision, kind.scale);
        Fault::new(RejectCode::OutOfRange, start, message)
    };
    let negative = c.peek() == b'-';
    c.at += usize::from(matches!(c.peek(), b'-' | b'+'));
    let precision = i64::from(kind.precision);
    let (mut digits, mut exponent) = (0i64, 0i64);
    // Zeros behind the point count once another digit follows.
    let mut zeros = 0i64;
    let (mut is_leading, mut behind_point) = (true, false);
    let mut value = Wide::default();
    let mut stop = Stop::End;
    while let Some(byte) = c.bytes.get(c.at) {
        match byte {
            b'.' => {
                behind_point = true;
                is_leading = false;
            }
            b'0' if is_leading => {}
            b'0' if behind_point => zeros += 1,
            b'0'..=b'9' => {
                is_leading = false;
                let places = zeros + 1;
                if digits + places <= precision {
                    digits += places;
                    if behind_point {
                        exponent -= places;
                    }
                    shift_up(&mut value, zeros);
                    value.multiply_add(10, u64::from(byte - b'0'));
                    zeros = 0;
                } else if !behind_point {
                    return Err(too_large());
                } else {
                    zeros += 1;
                }
            }
            b'e' | b'E' => {
                c.at += 1;
                exponent += written_exponent(c, start)?;
                stop = Stop::Exponent;
                break;
            }
            _ => {
                stop = Stop::Stranger;
                break;
            }
        }
        c.at += 1;
    }
    let scale = i64::from(kind.scale);
    if digits + exponent > precision - scale {
        return Err(too_large());
    }
    let missing = scale + exponent;
    if missing >= 0 {
        shift_up(&mut value, missing);
    } else {
        shift_down(&mut value, -missing);
    }
    if negative {
        value.negate();
    }
    Ok((value, stop))
}

/// An exponent of 31 bits; nothing at all is 0. At -2^31 ClickHouse 26.9 ends with a fault of its own.
fn written_exponent(c: &mut Cursor<'_>, start: usize) -> Result<i64, Fault> {
    let fault = || Fault::new(RejectCode::InvalidNumber, start, "the exponent cannot be read");
    let negative = c.peek() == b'-';
    let signed = matches!(c.peek(), b'-' | b'+');
    c.at += usize::from(signed);
    let first = c.at;
    let mut value = 0i64;
    while c.peek().is_ascii_digit() {
        value = value * 10 + i64::from(c.peek() - b'0');
        if value > i64::from(i32::MAX) {
            return Err(fault());
        }
        c.at += 1;
    }
    if signed && c.at == first {
        return Err(fault());
    }
    Ok(if negative { -value } else { value })
}

/// Multiplies by a power of ten; the caller knows that the product fits.
fn shift_up(value: &mut Wide, mut places: i64) {
    if value.is_zero() {
        return;
    }
    while places > 0 {
        let step = places.min(i64::from(WORD_DIGITS));
        value.multiply_add(power(step), 0);
        places -= step;
    }
}

/// Divides by a power of ten and cuts off what is behind the point.
fn shift_down(value: &mut Wide, mut places: i64) {
    while places > 0 && !value.is_zero() {
        let step = places.min(i64::from(WORD_DIGITS));
        value.divide(power(step));
        places -= step;
    }
}

/// A power of ten of at most 19 places.
fn power(places: i64) -> u64 {
    10u64.pow(u32::try_from(places).unwrap_or(0).min(WORD_DIGITS))
}
