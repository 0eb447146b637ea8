//! One value of any type. Recursion is bounded by the depth of the column's type.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::reader::Reader;
use super::{dynamic, json, moment};
use crate::encode::Wide;
use crate::plan::DecimalKind;
use crate::types::{DataType, TupleElement, members};
use crate::zone::TimeZone;

/// Appends the value as JSON.
pub(super) fn value(
    ty: &DataType,
    r: &mut Reader<'_>,
    zone: TimeZone,
    out: &mut String,
) -> Result<(), String> {
    macro_rules! number {
        ($number:ty) => {
            json::push(out, format_args!("{}", <$number>::from_le_bytes(r.array()?)))
        };
    }
    match ty {
        DataType::Int8 => number!(i8),
        DataType::Int16 => number!(i16),
        DataType::Int32 => number!(i32),
        DataType::Int64 => number!(i64),
        DataType::Int128 => number!(i128),
        DataType::UInt8 => number!(u8),
        DataType::UInt16 => number!(u16),
        DataType::UInt32 => number!(u32),
        DataType::UInt64 => number!(u64),
        DataType::UInt128 => number!(u128),
        DataType::Int256 => wide(r.array()?, true, 0, out),
        DataType::UInt256 => wide(r.array()?, false, 0, out),
        DataType::BFloat16 => {
            let [low, high] = r.array()?;
            let value = f32::from_le_bytes([0, 0, low, high]);
            json::float(value.into(), value, out);
        }
        DataType::Decimal(precision, scale) => {
            let bytes = r.take(DecimalKind::new(*precision, *scale).bytes)?;
            let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xFF } else { 0 };
            let mut whole = [sign; 32];
            whole[..bytes.len()].copy_from_slice(bytes);
            wide(whole, true, usize::from(*scale), out);
        }
        DataType::Time => moment::time(i32::from_le_bytes(r.array()?).into(), 0, out),
        DataType::Time64(precision) => moment::time(i64::from_le_bytes(r.array()?), *precision, out),
        DataType::Interval(_) => number!(i64),
        DataType::Geo(geo) => value(&geo.stands_for(), r, zone, out)?,
        DataType::SimpleAggregateFunction(_, inner) => value(inner, r, zone, out)?,
        DataType::Float32 => {
            let value = f32::from_le_bytes(r.array()?);
            json::float(value.into(), value, out);
        }
        DataType::Float64 => {
            let value = f64::from_le_bytes(r.array()?);
            json::float(value, value, out);
        }
        DataType::Bool => out.push_str(if r.byte()? == 0 { "false" } else { "true" }),
        DataType::String => json::bytes(r.text()?, out),
        DataType::FixedString(bytes) => json::bytes(r.take(*bytes)?, out),
        DataType::Date => moment::date(i64::from(u16::from_le_bytes(r.array()?)), out),
        DataType::Date32 => moment::date(i64::from(i32::from_le_bytes(r.array()?)), out),
        DataType::DateTime(own) => {
            let seconds = u32::from_le_bytes(r.array()?);
            moment::moment(i64::from(seconds), 0, own.unwrap_or(zone), out);
        }
        DataType::DateTime64(precision, own) => {
            moment::moment(i64::from_le_bytes(r.array()?), *precision, own.unwrap_or(zone), out);
        }
        DataType::Enum8(items) => {
            let number = i8::from_le_bytes(r.array()?);
            name(items.iter().find(|item| item.value == number).map(|item| &*item.name), number.into(), out);
        }
        DataType::Enum16(items) => {
            let number = i16::from_le_bytes(r.array()?);
            name(items.iter().find(|item| item.value == number).map(|item| &*item.name), number.into(), out);
        }
        DataType::Uuid => {
            let (high, low) = (u64::from_le_bytes(r.array()?), u64::from_le_bytes(r.array()?));
            json::push(
                out,
                format_args!(
                    "\"{:08x}-{:04x}-{:04x}-{:04x}-{:012x}\"",
                    high >> 32,
                    (high >> 16) & 0xFFFF,
                    high & 0xFFFF,
                    low >> 48,
                    low & 0xFFFF_FFFF_FFFF
                ),
            );
        }
        DataType::Ipv4 => {
            json::push(out, format_args!("\"{}\"", Ipv4Addr::from(u32::from_le_bytes(r.array()?))));
        }
        DataType::Ipv6 => {
            let octets = r.array::<16>()?;
            match octets {
                // Two groups behind six of zeros are printed as IPv4.
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if (a, b) != (0, 0) => {
                    json::push(out, format_args!("\"::{a}.{b}.{c}.{d}\""));
                }
                octets => json::push(out, format_args!("\"{}\"", Ipv6Addr::from(octets))),
            }
        }
        DataType::LowCardinality(inner) => value(inner, r, zone, out)?,
        DataType::Nullable(inner) => match r.byte()? {
            0 => value(inner, r, zone, out)?,
            1 => out.push_str("null"),
            _ => return Err("the mark of a Nullable is 0 or 1".to_owned()),
        },
        DataType::Array(inner) => list(r, out, |r, out| value(inner, r, zone, out))?,
        DataType::Map(key, item) => map(key, item, r, zone, out)?,
        DataType::Tuple(elements) => tuple(elements, r, zone, out)?,
        DataType::Nested(elements) => list(r, out, |r, out| tuple(elements, r, zone, out))?,
        DataType::Variant(list) => match r.byte()? {
            0xFF => out.push_str("null"),
            discriminator => {
                let members = members(list);
                let (_, member) =
                    members.get(usize::from(discriminator)).ok_or("the Variant has no such discriminator")?;
                value(member, r, zone, out)?;
            }
        },
        DataType::Dynamic(_) => match dynamic::data_type(r)? {
            None => out.push_str("null"),
            Some(ty) => {
                r.dynamics += 1;
                if r.dynamics > dynamic::LEVELS_MAX {
                    return Err("values of a Dynamic are nested too deeply".to_owned());
                }
                value(&ty, r, zone, out)?;
                r.dynamics -= 1;
            }
        },
        DataType::QBit(qbit) => list(r, out, |r, out| value(&qbit.element, r, zone, out))?,
        // The text of a JSON column was validated when it was encoded.
        DataType::Json(_) => out.push_str(&String::from_utf8_lossy(r.text()?)),
    }
    Ok(())
}

/// A number of 256 bits with a point before its last `scale` digits; zeros at its end are left out, as ClickHouse does.
fn wide(bytes: [u8; 32], signed: bool, scale: usize, out: &mut String) {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut array = [0; 8];
        array.copy_from_slice(chunk);
        *word = u64::from_le_bytes(array);
    }
    let mut value = Wide(words);
    if signed && value.is_high() {
        value.negate();
        out.push('-');
    }
    let mut digits = Vec::new();
    while !value.is_zero() || digits.len() <= scale {
        let before = value;
        value.divide(10);
        let mut tens = value;
        tens.multiply_add(10, 0);
        // The last digit is what ten times the quotient lacks.
        digits.push(char::from(b'0' + (before.0[0].wrapping_sub(tens.0[0])).to_le_bytes()[0]));
    }
    let fraction: String = digits[..scale].iter().rev().collect();
    out.extend(digits[scale..].iter().rev());
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        json::push(out, format_args!(".{fraction}"));
    }
}

fn name(name: Option<&str>, number: i64, out: &mut String) {
    match name {
        Some(name) => json::text(name, out),
        // A number without a name: it cannot be read by the server either.
        None => json::push(out, format_args!("{number}")),
    }
}

fn list(
    r: &mut Reader<'_>,
    out: &mut String,
    mut item: impl FnMut(&mut Reader<'_>, &mut String) -> Result<(), String>,
) -> Result<(), String> {
    out.push('[');
    for at in 0..r.count()? {
        if at > 0 {
            out.push(',');
        }
        item(r, out)?;
    }
    out.push(']');
    Ok(())
}

fn map(
    key: &DataType,
    item: &DataType,
    r: &mut Reader<'_>,
    zone: TimeZone,
    out: &mut String,
) -> Result<(), String> {
    out.push('{');
    for at in 0..r.count()? {
        if at > 0 {
            out.push(',');
        }
        let start = out.len();
        value(key, r, zone, out)?;
        if !out[start..].starts_with('"') {
            // Keys of objects are texts.
            let text = out.split_off(start);
            json::text(&text, out);
        }
        out.push(':');
        value(item, r, zone, out)?;
    }
    out.push('}');
    Ok(())
}

fn tuple(
    elements: &[TupleElement],
    r: &mut Reader<'_>,
    zone: TimeZone,
    out: &mut String,
) -> Result<(), String> {
    let named = elements.first().is_some_and(|element| element.name.is_some());
    out.push(if named { '{' } else { '[' });
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if let (true, Some(name)) = (named, &element.name) {
            json::text(name, out);
            out.push(':');
        }
        value(&element.ty, r, zone, out)?;
    }
    out.push(if named { '}' } else { ']' });
    Ok(())
}
