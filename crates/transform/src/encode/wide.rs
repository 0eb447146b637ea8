//! Numbers of 256 bits.

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::number;
use crate::reject::RejectCode;

/// A number of 256 bits, the lowest word first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wide(pub(crate) [u64; 4]);

impl Wide {
    /// `self * factor + summand` modulo 2^256; whether it was larger than that.
    pub(crate) fn multiply_add(&mut self, factor: u64, summand: u64) -> bool {
        let mut carry = summand;
        for word in &mut self.0 {
            let product = u128::from(*word) * u128::from(factor) + u128::from(carry);
            let [low, high] = halves(product);
            (*word, carry) = (low, high);
        }
        carry != 0
    }

    /// `self / divisor`, cut off. The divisor is not 0.
    pub(crate) fn divide(&mut self, divisor: u64) {
        let mut rest = 0u64;
        for word in self.0.iter_mut().rev() {
            let dividend = u128::from(rest) << 64 | u128::from(*word);
            let divisor = u128::from(divisor);
            // The rest is below the divisor, so the quotient fits a word.
            let [quotient, _] = halves(dividend / divisor);
            let [left, _] = halves(dividend % divisor);
            (*word, rest) = (quotient, left);
        }
    }

    /// `-self` modulo 2^256.
    pub(crate) fn negate(&mut self) {
        let mut carry = true;
        for word in &mut self.0 {
            (*word, carry) = (!*word).overflowing_add(u64::from(carry));
        }
    }

    /// Whether the highest bit is set.
    pub(crate) fn is_high(self) -> bool {
        self.0[3] >> 63 != 0
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == [0; 4]
    }

    /// The bytes, the lowest first.
    pub(crate) fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// The low and the high half.
fn halves(value: u128) -> [u64; 2] {
    let bytes = value.to_le_bytes();
    let mut halves = [0; 2];
    for (half, chunk) in halves.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        *half = u64::from_le_bytes(word);
    }
    halves
}

/// An Int256 or a UInt256.
pub(crate) fn integer(
    signed: bool,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let start = c.at;
    let strict = !s.lenient;
    let value = number::integer_with(c, s, |c| {
        let sign = number::sign(c, signed)?;
        let mut value = Wide::default();
        let mut overflow = false;
        let first = c.at;
        while let Some(digit) =
            c.bytes.get(c.at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
        {
            overflow |= value.multiply_add(10, u64::from(digit));
            c.at += 1;
        }
        number::check_sign(c, start, first, sign)?;
        let negative = sign == Some(b'-');
        let mut lowest = value;
        lowest.negate();
        // Of the values with the highest bit, -2^255 alone is an Int256.
        let fits = !overflow && (!signed || !value.is_high() || (negative && lowest == value));
        if strict && !fits {
            let sign = if signed { "" } else { "U" };
            return Err(Fault::new(
                RejectCode::OutOfRange,
                start,
                format!("the number does not fit {sign}Int256"),
            ));
        }
        Ok(if negative { lowest } else { value })
    })?;
    let value = match value {
        number::Read::Truth(truth) => Wide([u64::from(truth), 0, 0, 0]),
        number::Read::Number(value) => value,
    };
    out.extend_from_slice(&value.to_le_bytes());
    Ok(())
}
