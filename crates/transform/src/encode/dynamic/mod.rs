//! Dynamic: a value with a type of its own, which is found by looking at the value.
//!
//! ClickHouse infers the type from the text of the value alone, then reads the text by that type. So does this.

mod kind;
mod look;
mod settle;
mod unify;

use super::cursor::Cursor;
use super::fault::Fault;
use super::{State, skip, value};
use crate::plan::Op;
use crate::reject::RejectCode;
use kind::Budget;
use look::{Look, Miss};

/// A Dynamic: the type of the value in binary, then the value.
pub(crate) fn dynamic(
    zone: usize,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let around = s.dynamic_from;
    let outermost = around.unwrap_or(s.depth);
    s.dynamic_from = Some(outermost);
    let encoded = skip::again(c, s, |text, s| typed(zone, outermost, text, s, out));
    // After a fault too: another member of a Variant may be tried then.
    s.dynamic_from = around;
    encoded
}

/// The type of the text from the cursor on, and its value.
fn typed(
    zone: usize,
    outermost: usize,
    mut text: Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let level = s.depth - outermost;
    let start = text.at;
    let c = Cursor { bytes: text.bytes, at: start };
    let mut look = Look { c, s, zone, level, budget: Budget::new(start) };
    let kind = match look.whole() {
        Ok(kind) => kind,
        Err(Miss::Unclear) => {
            let message = "the value of a Dynamic is not JSON";
            // ClickHouse makes a text of it, and tries no other member of a Variant.
            return Err(Fault::new(RejectCode::InvalidJson, start, message).made_final());
        }
        Err(Miss::Fault(fault)) => return Err(fault),
    };
    let mut budget = look.budget;
    let kind = settle::settle(kind, false, &mut budget)?;
    settle::write_type(&kind, &budget, out)?;
    s.check_row_bytes(start, out)?;
    let op: Op = settle::op(kind, zone);
    // The readers are the usual ones, in a Variant too.
    let in_variant = std::mem::replace(&mut s.in_variant, false);
    let encoded = value::encode(&op, &mut text, s, out);
    s.in_variant = in_variant;
    encoded?;
    if text.is_at_end() { Ok(()) } else { Err(text.unexpected("the end of the value")) }
}
