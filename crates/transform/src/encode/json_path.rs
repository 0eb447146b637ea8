//! Values at paths of a JSON column that have a type of their own: whether the server can put them there.
//!
//! The column is sent as its text, so nothing is written here. The server reads such a value from the elements that its
//! JSON parser made, by rules that are not those of columns: numbers are converted where the target can hold them, a
//! text may hold a number, a text takes anything (`JSONExtractTree` in ClickHouse).

use super::cursor::Cursor;
use super::fault::Fault;
use super::json_column::refused;
use super::{State, number, skip, string, value};
use crate::plan::{DecimalKind, EnumTable, IntKind, Op, TupleOp};
use crate::reject::RejectCode;

/// Buffers for texts whose escapes were decoded.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    text: Vec<u8>,
    value: Vec<u8>,
    /// Integers take no double that is not whole: other members of a Variant may.
    is_exact: bool,
}

impl Scratch {
    /// Bytes that are held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity() + self.value.capacity()
    }
}

/// A scalar as the server's JSON parser sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    /// What 64 bits hold, with a sign or without.
    Whole(i128),
    /// Anything else.
    Double(f64),
}

/// Checks the value at the cursor, which is known to be JSON, and moves behind it.
pub(crate) fn check(op: &Op, c: &mut Cursor<'_>, s: &mut State, scratch: &mut Scratch) -> Result<(), Fault> {
    let at = c.at;
    if c.peek() == b'n' {
        c.at += 4;
        return Ok(());
    }
    let fits = match op {
        Op::Nullable(inner) | Op::DictionaryFloat(inner) => return check(inner, c, s, scratch),
        Op::String => skip::value_strict(c, s).map(|()| true),
        Op::Array(inner) => return elements(c, s, at, |c, s, _| check(inner, c, s, scratch)).map(drop),
        Op::Map(_, item) => return pairs(c, s, at, |c, s, _| check(item, c, s, scratch)).map(drop),
        Op::Tuple(tuple) => return self::tuple(tuple, c, s, scratch),
        Op::Variant(variant) => {
            // In that order, since a number that a Decimal has no room for is no other member's either; and first without
            // digits being cut off.
            let around = scratch.is_exact;
            // Inside of an exact attempt there is no other.
            let attempts: &[bool] = if around { &[true] } else { &[true, false] };
            for is_exact in attempts.iter().copied() {
                for member in variant.attempts.iter().filter_map(|at| variant.members.get(usize::from(*at))) {
                    scratch.is_exact = is_exact;
                    let taken = check(member, c, s, scratch);
                    scratch.is_exact = around;
                    if taken.as_ref().map_or_else(Fault::is_final, |()| true) {
                        return taken;
                    }
                    c.at = at;
                }
            }
            Ok(false)
        }
        _ => match c.peek() {
            b'"' => text(op, c, s, scratch),
            b't' | b'f' => {
                let bytes = c.rest().iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                c.at += bytes;
                Ok(match op {
                    Op::Int(_) | Op::WideInt { .. } | Op::Float32 | Op::Float64 | Op::Bool => true,
                    Op::FixedString(width) => bytes <= *width,
                    _ => false,
                })
            }
            b'[' | b'{' => skip::value_strict(c, s).map(|()| match op {
                Op::FixedString(width) => {
                    plain_bytes(&c.bytes[at..c.at]).is_some_and(|bytes| bytes <= *width)
                }
                _ => false,
            }),
            _ => {
                let end = number::json_number_end(c.bytes, at)?;
                c.at = end;
                let bytes = &c.bytes[at..end];
                let Some(number) = number_of(bytes) else {
                    // The server's parser hands out what 64 bits do not hold as a text.
                    let fits = takes(op, bytes, s, scratch).map_err(|fault| fault.moved_to(at))?;
                    return if fits { Ok(()) } else { Err(misfit(at)) };
                };
                let fits = converts(op, number, scratch.is_exact);
                if !fits && wraps(op, number) {
                    let message =
                        "the number does not fit the Decimal, and ClickHouse would store another one";
                    return Err(Fault::new(RejectCode::OutOfRange, at, message).made_final());
                }
                if !fits && matches!(op, Op::Decimal(_) | Op::Time64 { .. }) {
                    // The server's conversion gives up on the whole record.
                    return Err(misfit(at).made_final());
                }
                Ok(fits)
            }
        },
    };
    if fits? { Ok(()) } else { Err(misfit(at)) }
}

#[cold]
fn misfit(at: usize) -> Fault {
    refused(at, "the value does not fit the type of its path")
}

/// The items of an array: each is looked at by `item`, which moves behind it. Returns how many there are.
fn elements(
    c: &mut Cursor<'_>,
    s: &mut State,
    at: usize,
    mut item: impl FnMut(&mut Cursor<'_>, &mut State, usize) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    if !c.eat(b'[') {
        return Err(misfit(at));
    }
    let mut count = 0;
    c.blank(false);
    while !c.eat(b']') {
        item(c, s, count)?;
        count += 1;
        c.blank(false);
        c.eat(b',');
        c.blank(false);
    }
    Ok(count)
}

/// The same for the values of an object, with their keys as they stand.
fn pairs(
    c: &mut Cursor<'_>,
    s: &mut State,
    at: usize,
    mut item: impl FnMut(&mut Cursor<'_>, &mut State, (usize, string::Raw<'_>)) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    if !c.eat(b'{') {
        return Err(misfit(at));
    }
    let mut count = 0;
    c.blank(false);
    while !c.eat(b'}') {
        let key = string::scan(c)?;
        c.blank(false);
        c.eat(b':');
        c.blank(false);
        item(c, s, (count, key))?;
        count += 1;
        c.blank(false);
        c.eat(b',');
        c.blank(false);
    }
    Ok(count)
}

/// A tuple takes arrays and objects, by place or by name; one of its elements at least has to be there.
fn tuple(tuple: &TupleOp, c: &mut Cursor<'_>, s: &mut State, scratch: &mut Scratch) -> Result<(), Fault> {
    let at = c.at;
    let mut known = 0;
    let mut element = |index: Option<usize>, c: &mut Cursor<'_>, s: &mut State| match index
        .and_then(|index| tuple.elements.get(index))
    {
        Some(element) => {
            known += 1;
            check(&element.op, c, s, scratch)
        }
        None => skip::value_strict(c, s),
    };
    match c.peek() {
        b'[' => elements(c, s, at, |c, s, index| element(Some(index), c, s))?,
        _ => pairs(c, s, at, |c, s, (index, key)| {
            if !tuple.named {
                return element(Some(index), c, s);
            }
            let mut name = std::mem::take(&mut s.text);
            let found = string::decode(&key, false, &mut name).map(|name| tuple.names.get(name).copied());
            s.text = name;
            element(found?, c, s)
        })?,
    };
    if known > 0 { Ok(()) } else { Err(misfit(at)) }
}

/// The number that the token is, where it is not a whole one that 64 bits do not hold.
fn number_of(token: &[u8]) -> Option<Number> {
    if token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return fast_float2::parse(token).ok().map(Number::Double);
    }
    let whole: Option<i128> = std::str::from_utf8(token).ok().and_then(|text| text.parse().ok());
    let bounds = i128::from(i64::MIN)..=i128::from(u64::MAX);
    whole.filter(|whole| bounds.contains(whole)).map(Number::Whole)
}

/// The server reads seconds with a fraction as a decimal of 38 digits.
const DATE_TIME_END: f64 = 1e38;

/// The bytes of an array or an object as the server writes it anew, where that is only a matter of blanks.
fn plain_bytes(text: &[u8]) -> Option<usize> {
    let kept = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let is_plain = |byte: &u8| matches!(byte, b'[' | b']' | b'{' | b'}' | b',' | b':' | b'"' | b'0'..=b'9' | b'a'..=b'd' | b'f'..=b'z');
    kept.clone().all(is_plain).then(|| kept.count())
}

/// The bytes of a double as the server writes it, where it does without an exponent.
fn double_bytes(double: f64) -> Option<usize> {
    let is_plain = double == 0.0 || (1e-6..1e21).contains(&double.abs());
    is_plain.then(|| double.to_string().len())
}

/// Whether the number is converted to the type; to an integer, where it is to be exact, only if it is whole.
fn converts(op: &Op, number: Number, is_exact: bool) -> bool {
    match (op, number) {
        (Op::Int(_) | Op::WideInt { .. } | Op::Bool, Number::Double(double))
            if is_exact && double.fract() != 0.0 =>
        {
            false
        }
        (Op::Float32 | Op::Float64 | Op::Time64 { .. }, Number::Whole(_))
        | (Op::Float32 | Op::Float64, Number::Double(_))
        | (Op::DateTime { .. } | Op::Time, Number::Whole(_)) => true,
        (Op::Int(_) | Op::WideInt { .. } | Op::Bool, number) => fits_integer(integer_kind(op), number),
        (Op::Enum8(table), Number::Whole(whole)) => {
            i8::try_from(whole).is_ok_and(|value| table.has(value.into()))
        }
        (Op::Enum16(table), Number::Whole(whole)) => i16::try_from(whole).is_ok_and(|value| table.has(value)),
        (Op::Decimal(kind), number) => fits_decimal(*kind, number),
        (Op::DateTime64 { precision, .. }, number) => fits_decimal(ticks(*precision), number),
        (Op::DateTime { .. }, Number::Double(double)) => double.abs() < DATE_TIME_END,
        (Op::Time64 { precision }, number) => fits_decimal(ticks(*precision), number),
        // The server writes the number anew.
        (Op::FixedString(width), Number::Whole(whole)) => whole.to_string().len() <= *width,
        (Op::FixedString(width), Number::Double(double)) => {
            double_bytes(double).is_some_and(|bytes| bytes <= *width)
        }
        _ => false,
    }
}

/// Whether the server multiplies the number by the power of the scale and lets it wrap around: it checks 64 bits alone.
fn wraps(op: &Op, number: Number) -> bool {
    matches!((op, number), (Op::Decimal(kind), Number::Whole(_)) if kind.bytes > 8)
}

fn ticks(scale: u8) -> DecimalKind {
    DecimalKind { bytes: 8, precision: 18, scale }
}

/// The width and the sign of an integer, 32 bytes too.
fn integer_kind(op: &Op) -> IntKind {
    match op {
        Op::Int(kind) => *kind,
        Op::WideInt { signed } => IntKind { bytes: 32, signed: *signed },
        _ => IntKind { bytes: 1, signed: false },
    }
}

/// A whole number has to be in the range; of a double only the value counts, digits behind the point are cut off.
fn fits_integer(kind: IntKind, number: Number) -> bool {
    let IntKind { bytes, signed } = kind;
    let bits = 8 * i32::try_from(bytes).unwrap_or(32) - i32::from(signed);
    match number {
        Number::Whole(whole) => {
            let min = if signed { bits } else { 0 };
            (bits >= 127 || whole < 1 << bits)
                && (whole >= 0 || (signed && (min >= 127 || whole >= -(1 << min))))
        }
        Number::Double(double) => {
            let end = 2f64.powi(bits);
            // Up to 32 bits a double tells the largest number from the next one.
            let max = if bits <= 32 { end - 1.0 } else { end };
            let is_below = if bits <= 32 { double <= max } else { double < max };
            double.is_nan() || (is_below && double >= if signed { -end } else { 0.0 })
        }
    }
}

/// The number times a power of ten has to be in the range of the bytes, whatever the precision.
fn fits_decimal(kind: DecimalKind, number: Number) -> bool {
    let bits = 8 * i32::try_from(kind.bytes).unwrap_or(32) - 1;
    match number {
        Number::Whole(whole) if kind.bytes <= 16 => {
            let scaled = 10i128.checked_pow(kind.scale.into()).and_then(|power| whole.checked_mul(power));
            scaled.is_some_and(|scaled| bits >= 127 || (-(1 << bits)..1 << bits).contains(&scaled))
        }
        Number::Whole(whole) => {
            // 64 bits have 20 digits; 256 bits hold any 76.
            let digits = whole.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
            digits + u32::from(kind.scale) <= 76
        }
        Number::Double(double) => {
            let scaled = double * 10f64.powi(kind.scale.into());
            scaled.abs() < 2f64.powi(bits)
        }
    }
}

/// A text, which the cursor stands at.
fn text(op: &Op, c: &mut Cursor<'_>, s: &mut State, scratch: &mut Scratch) -> Result<bool, Fault> {
    let at = c.at;
    let raw = string::scan(c)?;
    let mut decoded = std::mem::take(&mut s.text);
    let fits = string::decode(&raw, false, &mut decoded).and_then(|text| takes(op, text, s, scratch));
    s.text = decoded;
    fits.map_err(|fault| fault.moved_to(at))
}

/// Whether the type takes the text. The fault is one that no other type mends.
fn takes(op: &Op, decoded: &[u8], s: &mut State, scratch: &mut Scratch) -> Result<bool, Fault> {
    let Scratch { text, value, .. } = scratch;
    let decoded = match op {
        Op::Int(_) | Op::WideInt { .. } | Op::Bool | Op::Float32 | Op::Float64 => without_payload(decoded),
        _ => decoded,
    };
    text.clear();
    text.push(b'"');
    text.extend_from_slice(decoded);
    text.push(b'"');
    let inner = &text[1..text.len() - 1];
    let named = |table: &EnumTable| Ok(table.by_name(inner).is_some());
    let lenient = std::mem::replace(&mut s.lenient, true);
    let fits = match op {
        // Unquoted, these are numbers; the texts are none.
        Op::Int(_) | Op::WideInt { .. } | Op::Float32 | Op::Float64 | Op::Bool
            if matches!(inner, b"true" | b"false") =>
        {
            Ok(false)
        }
        Op::FixedString(width) => Ok(inner.len() <= *width),
        Op::Enum8(table) | Op::Enum16(table) => named(table),
        Op::Int(_) | Op::WideInt { .. } | Op::Bool => Ok(integer_text(integer_kind(op), text, value, s)),
        Op::Decimal(kind) => {
            // The reader for Variants, with all digits that the bytes have room for.
            let precision = [9, 18, 38].into_iter().find(|p| kind.precision <= *p).unwrap_or(76);
            let kind = DecimalKind { precision, ..*kind };
            let exponent = inner.strip_suffix(b"-").or(inner.strip_suffix(b"+")).unwrap_or(inner);
            let is_cut = inner.is_empty() || matches!(exponent.last(), Some(b'e' | b'E'));
            Ok(!is_cut && reads(&Op::Decimal(kind), inner, false, value, s)?)
        }
        // A text that begins with `nan(` is a final fault elsewhere; here it has one reader, and an end.
        Op::Float32 | Op::Float64 => Ok(reads(op, text, true, value, s).unwrap_or(false)),
        // Other readers leave a colon behind an address alone.
        Op::Ipv6 if inner.ends_with(b":") && (!inner.ends_with(b"::") || inner.ends_with(b":::")) => {
            Ok(false)
        }
        _ => reads(op, text, true, value, s),
    };
    s.lenient = lenient;
    fits
}

/// The `nan` of a text such as `nan(1a)`, whose payload the server reads over; any other text as it is.
fn without_payload(text: &[u8]) -> &[u8] {
    let start = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let Some((head, rest)) = text.split_at_checked(start + 3) else { return text };
    let payload = rest.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")"));
    let is_nan = head[start..].eq_ignore_ascii_case(b"nan")
        && payload.is_some_and(|bytes| bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'));
    if is_nan { head } else { text }
}

/// Whether the operation reads the text, all of it where it has quotes. The fault is one that no other type mends.
fn reads(op: &Op, text: &[u8], is_quoted: bool, out: &mut Vec<u8>, s: &mut State) -> Result<bool, Fault> {
    if text.first() == Some(&b'n') {
        // What was a text is no null.
        return Ok(false);
    }
    out.clear();
    let mut c = Cursor::new(text);
    // What is written here is no part of the row.
    let row_start = std::mem::replace(&mut s.row_start, 0);
    let in_variant = std::mem::replace(&mut s.in_variant, true);
    let read = value::encode(op, &mut c, s, out);
    s.in_variant = in_variant;
    s.row_start = row_start;
    match read {
        Ok(()) => Ok(!is_quoted || c.is_at_end()),
        Err(fault) if fault.is_final() => Err(fault),
        Err(_) => Ok(false),
    }
}

/// A text that holds a whole number in the range, or else a float that is converted.
fn integer_text(kind: IntKind, text: &[u8], out: &mut Vec<u8>, s: &mut State) -> bool {
    let inner = &text[1..text.len() - 1];
    let (sign, digits) = match inner {
        [sign @ (b'-' | b'+'), digits @ ..] => (Some(*sign), digits),
        digits => (None, digits),
    };
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && (kind.signed || sign != Some(b'-')) {
        // Wider numbers are wrapped around.
        let whole = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<i128>().ok());
        let whole = whole.map(|whole| Number::Whole(if sign == Some(b'-') { -whole } else { whole }));
        if kind.bytes > 8 || whole.is_some_and(|whole| fits_integer(kind, whole)) {
            return true;
        }
    }
    let is_float = reads(&Op::Float64, text, true, out, s).unwrap_or(false);
    let float = out.first_chunk::<8>().map(|bytes| f64::from_le_bytes(*bytes));
    is_float && float.is_some_and(|float| fits_integer(kind, Number::Double(float)))
}
