//! UUID, IPv4 and IPv6.

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
    out.extend_from_slice(&u32::from_be_bytes(address).to_le_bytes());
    Ok(())
}

/// Four numbers, as ClickHouse reads them: leading zeros are taken, up to four digits a number.
fn parse_ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut at = 0;
    let octets = [
        octet(text, &mut at)?,
        dot_octet(text, &mut at)?,
        dot_octet(text, &mut at)?,
        dot_octet(text, &mut at)?,
    ];
    (at == text.len()).then_some(octets)
}

/// A point and a number of an IPv4 address.
fn dot_octet(text: &[u8], at: &mut usize) -> Option<u8> {
    if text.get(*at) != Some(&b'.') {
        return None;
    }
    *at += 1;
    octet(text, at)
}

/// A number of an IPv4 address.
fn octet(text: &[u8], at: &mut usize) -> Option<u8> {
    let digits = text[*at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[*at..*at + digits].iter().fold(0u16, |n, digit| n * 10 + u16::from(digit - b'0'));
    *at += digits;
    if digits == 0 { None } else { u8::try_from(value).ok() }
}

/// An IPv6 address; IPv4 text is mapped.
pub(crate) fn ipv6(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let at = c.at;
    let raw = string::quoted(c, s, "an IPv6")?;
    let address = parse_ipv6(raw.bytes)
        .or_else(|| mapped(raw.bytes))
        .ok_or_else(|| Fault::new(RejectCode::InvalidIpAddress, at, "the text is not an IPv6 address"))?;
    out.extend_from_slice(&address);
    Ok(())
}

/// IPv4 text as an IPv6 address. Leading zeros pass in all numbers but the first, which is tried as a group first.
fn mapped(text: &[u8]) -> Option<[u8; 16]> {
    if matches!(text, [b'0', b'0'..=b'9', ..]) {
        return None;
    }
    let mut address = [0; 16];
    address[10..12].fill(0xFF);
    address[12..].copy_from_slice(&parse_ipv4(text)?);
    Some(address)
}

/// The groups of an IPv6 address while they are read.
#[derive(Default)]
struct Groups {
    bytes: [u8; 16],
    /// Groups read so far, two bytes each.
    count: usize,
    /// How many groups stand before `::`.
    zeros_at: Option<usize>,
}

/// An IPv6 address as ClickHouse reads it. It is lax about colons: a third one may follow `::` behind a group, one may stand at the
/// end while groups are missing, and `::` may stand for no group at all.
fn parse_ipv6(text: &[u8]) -> Option<[u8; 16]> {
    let mut groups = Groups::default();
    let mut at = 0;
    let mut expects_group = true;
    while groups.count < 8 {
        if text.get(at) == Some(&b':') {
            at += 1;
            expects_group = true;
            if text.get(at) == Some(&b':') {
                if groups.zeros_at.is_some() {
                    return None;
                }
                groups.zeros_at = Some(groups.count);
                at += 1;
                continue;
            }
            if groups.count == 0 {
                return None;
            }
        }
        if text.get(at) == Some(&b'.') {
            let is_first = groups.count <= 1 && groups.zeros_at.is_none();
            if is_first || expects_group {
                return None;
            }
            groups.end_with_ipv4(text, &mut at)?;
            break;
        }
        if !expects_group {
            break;
        }
        expects_group = false;
        let digits = text[at..].iter().take(4).map_while(|byte| (*byte as char).to_digit(16));
        let (count, value) = digits.fold((0, 0u32), |(count, value), digit| (count + 1, value << 4 | digit));
        if count == 0 {
            break;
        }
        at += count;
        groups.push(value.to_be_bytes());
    }
    if at == text.len() { groups.address() } else { None }
}

impl Groups {
    /// Appends a group, of which the upper two bytes are zero.
    fn push(&mut self, [_, _, high, low]: [u8; 4]) {
        self.bytes[2 * self.count] = high;
        self.bytes[2 * self.count + 1] = low;
        self.count += 1;
    }

    /// Reads the rest of an IPv4 address, whose first number was read as a group, into the last two groups.
    fn end_with_ipv4(&mut self, text: &[u8], at: &mut usize) -> Option<()> {
        self.count -= 1;
        let place = 2 * self.count;
        let mut first = 0u16;
        for byte in [self.bytes[place], self.bytes[place + 1]] {
            if byte >> 4 > 9 || byte & 0x0F > 9 {
                return None;
            }
            first = first * 100 + u16::from(byte >> 4) * 10 + u16::from(byte & 0x0F);
        }
        self.bytes[place] = u8::try_from(first).ok()?;
        for octet in &mut self.bytes[place + 1..place + 4] {
            *octet = dot_octet(text, at)?;
        }
        self.count += 2;
        Some(())
    }

    /// The address: the groups behind `::` at its end, zeros between.
    fn address(mut self) -> Option<[u8; 16]> {
        let end = 2 * self.count;
        match self.zeros_at {
            Some(zeros_at) => {
                let behind = end - 2 * zeros_at;
                self.bytes.copy_within(2 * zeros_at..end, 16 - behind);
                self.bytes[2 * zeros_at..16 - behind].fill(0);
            }
            None if self.count < 8 => return None,
            None => {}
        }
        Some(self.bytes)
    }
}
