//! UUID, IPv4 and IPv6.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::string;
use crate::reject::RejectCode;

/// A UUID, with hyphens or without: two words of 64 bits, each little-endian.
pub(crate) fn uuid(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let at = c.at;
    let raw = string::quoted(c, s, "a UUID")?;
    let value = parse_uuid(raw.bytes)
        .ok_or_else(|| Fault::new(RejectCode::InvalidUuid, at, "the text is not a UUID"))?;
    out.extend_from_slice(&(value >> 64).to_le_bytes()[..8]);
    out.extend_from_slice(&value.to_le_bytes()[..8]);
    Ok(())
}

fn parse_uuid(text: &[u8]) -> Option<u128> {
    let hyphens = match text.len() {
        36 => true,
        32 => false,
        _ => return None,
    };
    let mut value = 0u128;
    for (at, byte) in text.iter().enumerate() {
        if hyphens && matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        value = value << 4 | u128::from((*byte as char).to_digit(16)?);
    }
    Some(value)
}

/// An IPv4 address, as a number in little-endian order.
pub(crate) fn ipv4(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let at = c.at;
    let raw = string::quoted(c, s, "an IPv4")?;
    let address = parse_ipv4(raw.bytes)
        .ok_or_else(|| Fault::new(RejectCode::InvalidIpAddress, at, "the text is not an IPv4 address"))?;
    out.extend_from_slice(&u32::from(address).to_le_bytes());
    Ok(())
}

/// Four numbers; leading zeros are taken.
fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = [0u8; 4];
    let mut texts = text.split(|b| *b == b'.');
    for part in &mut parts {
        let digits = texts.next()?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value =
            digits.iter().try_fold(0u16, |n, d| n.checked_mul(10)?.checked_add(u16::from(d - b'0')))?;
        *part = u8::try_from(value).ok()?;
    }
    texts.next().is_none().then(|| Ipv4Addr::from(parts))
}

/// An IPv6 address; IPv4 text is mapped.
pub(crate) fn ipv6(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let at = c.at;
    let raw = string::quoted(c, s, "an IPv6")?;
    // ClickHouse reads over a single colon at the end.
    let trimmed = match raw.bytes {
        [.., before, b':'] if *before != b':' => &raw.bytes[..raw.bytes.len() - 1],
        bytes => bytes,
    };
    let text = std::str::from_utf8(trimmed).ok();
    let address = text
        .and_then(|text| text.parse::<Ipv6Addr>().ok())
        .or_else(|| {
            // Leading zeros pass in all numbers but the first, which is tried as a group first.
            let first_is_padded = matches!(raw.bytes, [b'0', b'0'..=b'9', ..]);
            let address = if first_is_padded { None } else { parse_ipv4(raw.bytes) };
            address.map(|address| address.to_ipv6_mapped())
        })
        .ok_or_else(|| Fault::new(RejectCode::InvalidIpAddress, at, "the text is not an IPv6 address"))?;
    out.extend_from_slice(&address.octets());
    Ok(())
}
