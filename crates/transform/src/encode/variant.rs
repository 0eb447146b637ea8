//! Variants: the first member that takes all of the text has the value.

use super::cursor::Cursor;
use super::fault::Fault;
use super::{State, skip, value};
use crate::plan::{Op, VariantOp};
use crate::reject::RejectCode;

/// A Variant: the discriminator of a member, and its value.
///
/// ClickHouse cuts the text of the value out first and reads it again for each member, by readers that are lenient, but
/// wrap few numbers around. Which member that is does not depend on the semantics: where strict semantics refuse the
/// value of the member that ClickHouse chooses, the record is refused.
pub(crate) fn variant(
    variant: &VariantOp,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    skip::again(c, s, |text, s| choose(variant, &text, s, out))
}

/// The first member that takes the text from the cursor on.
fn choose(variant: &VariantOp, text: &Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let first = text.peek();
    let row_end = out.len();
    for discriminator in &variant.attempts {
        let member = &variant.members[usize::from(*discriminator)];
        if !may_begin(member, first) {
            continue;
        }
        out.push(*discriminator);
        match attempt(member, text, s, out) {
            Ok(()) => return Ok(()),
            Err(fault) if fault.is_final() => return Err(fault),
            Err(fault) => {
                out.truncate(row_end + 1);
                let lenient = std::mem::replace(&mut s.lenient, true);
                let chosen = !lenient && attempt(member, text, s, out).is_ok();
                s.lenient = lenient;
                if chosen {
                    return Err(fault);
                }
                out.truncate(row_end);
            }
        }
    }
    Err(Fault::new(RejectCode::TypeMismatch, text.at, "no member of the Variant takes this value"))
}

/// Encodes the text from the cursor on as the member, which has to take all of it.
fn attempt(member: &Op, text: &Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (depth, spans, in_variant) = (s.depth, s.spans.len(), std::mem::replace(&mut s.in_variant, true));
    let mut c = Cursor { bytes: text.bytes, at: text.at };
    let taken = value::encode(member, &mut c, s, out)
        .and_then(|()| if c.is_at_end() { Ok(()) } else { Err(c.unexpected("the end of the value")) });
    s.depth = depth;
    s.spans.truncate(spans);
    s.in_variant = in_variant;
    taken
}

/// Whether a text that begins with the byte can be a value of the type. It may say yes to what turns out to be none.
fn may_begin(op: &Op, first: u8) -> bool {
    match op {
        Op::Array(_) | Op::Vector(_) => first == b'[',
        Op::Map(..) | Op::Json(_) => first == b'{',
        Op::Tuple(tuple) => first == if tuple.named { b'{' } else { b'[' },
        Op::Nullable(inner) => may_begin(inner, first),
        Op::String | Op::Variant(_) => true,
        Op::FixedString(_) | Op::Uuid | Op::Ipv4 | Op::Ipv6 => first == b'"',
        _ => !matches!(first, b'[' | b'{'),
    }
}
