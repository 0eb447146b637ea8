//! The end of a row: what is known of the record beside its fields.

use super::containers;
use super::fault::Fault;
use crate::envelope::Envelope;
use crate::kernels::LANES;
use crate::plan::{IntKind, Plan, TailField, TailOp, push_length};
use crate::reject::RejectCode;

/// The first moment that a DateTime64 holds, 1900-01-01, in milliseconds since 1970-01-01 UTC.
const FIRST_MS: i64 = -2_208_988_800_000;

/// The last moment that a DateTime64 holds, the end of 2299, in milliseconds since 1970-01-01 UTC.
const LAST_MS: i64 = 10_413_791_999_999;

/// The ends of the rows of a group.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    bytes: Vec<u8>,
    ends: [usize; LANES],
}

impl Tails {
    /// Writes the ends of the rows of these records; false where one of them cannot be written.
    pub(super) fn fill<E: Envelope>(&mut self, plan: &Plan, envelopes: &[E; LANES]) -> bool {
        self.bytes.clear();
        for (end, envelope) in self.ends.iter_mut().zip(envelopes) {
            if push(plan, envelope, &mut self.bytes).is_err() {
                return false;
            }
            *end = self.bytes.len();
        }
        true
    }

    /// There are none.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends = [0; LANES];
    }

    /// Gives the buffer back where large records made it large.
    pub(super) fn give_back(&mut self, kept_bytes_max: usize) {
        if self.bytes.capacity() > kept_bytes_max {
            self.bytes = Vec::new();
        }
    }

    /// The end of the row of a lane.
    #[inline(always)]
    pub(crate) fn of(&self, lane: usize) -> &[u8] {
        let start = if lane == 0 { 0 } else { self.ends[lane - 1] };
        &self.bytes[start..self.ends[lane]]
    }
}

/// Appends the end of a row.
pub(super) fn push(plan: &Plan, envelope: &impl Envelope, out: &mut Vec<u8>) -> Result<(), Fault> {
    plan.tail
        .iter()
        .try_for_each(|field| value(field, envelope, out).map_err(|fault| fault.in_column(&field.name)))
}

fn value(field: &TailField, envelope: &impl Envelope, out: &mut Vec<u8>) -> Result<(), Fault> {
    match &field.op {
        TailOp::Constant(bytes) => out.extend_from_slice(bytes),
        TailOp::Key => text(field, envelope.key(), out),
        TailOp::Topic => text(field, Some(envelope.topic().as_bytes()), out),
        TailOp::RawMessage => text(field, envelope.raw_message(), out),
        TailOp::Partition(kind) => {
            begin(field, out);
            integer(*kind, envelope.partition().into(), out)?;
        }
        TailOp::Offset(kind) => {
            begin(field, out);
            integer(*kind, envelope.offset(), out)?;
        }
        TailOp::Ticks { .. } | TailOp::Seconds | TailOp::Milliseconds(_) => match envelope.timestamp_ms() {
            Some(timestamp_ms) => {
                begin(field, out);
                moment(&field.op, timestamp_ms, out)?;
            }
            None => out.extend_from_slice(&field.missing),
        },
        TailOp::HeaderKeys { nullable } => {
            begin(field, out);
            headers(envelope, out, |name, _, out| push_element(*nullable, Some(name), out));
        }
        TailOp::HeaderValues { nullable } => {
            begin(field, out);
            headers(envelope, out, |_, value, out| push_element(*nullable, value, out));
        }
    }
    Ok(())
}

/// What stands before a value that is there.
#[inline(always)]
fn begin(field: &TailField, out: &mut Vec<u8>) {
    if field.marks {
        out.push(0);
    }
    if field.nullable {
        out.push(0);
    }
}

fn text(field: &TailField, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => {
            begin(field, out);
            push_text(bytes, out);
        }
        None => out.extend_from_slice(&field.missing),
    }
}

/// An array of what `push` makes of each header: of as many as came, whatever a next call would say.
fn headers(envelope: &impl Envelope, out: &mut Vec<u8>, push: impl Fn(&[u8], Option<&[u8]>, &mut Vec<u8>)) {
    let (length_at, mut length) = (containers::reserve_length(out), 0);
    envelope.each_header(&mut |name, value| {
        length += 1;
        push(name, value, out);
    });
    containers::write_length(length_at, length, out);
}

/// Where there is no text it is NULL, or empty where elements are not Nullable.
fn push_element(nullable: bool, text: Option<&[u8]>, out: &mut Vec<u8>) {
    if nullable {
        out.push(u8::from(text.is_none()));
    }
    if text.is_some() || !nullable {
        push_text(text.unwrap_or_default(), out);
    }
}

fn push_text(bytes: &[u8], out: &mut Vec<u8>) {
    push_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn integer(kind: IntKind, number: i64, out: &mut Vec<u8>) -> Result<(), Fault> {
    let fits = match (kind.signed, kind.bytes) {
        (true, 4) => i32::try_from(number).is_ok(),
        (false, 2) => u16::try_from(number).is_ok(),
        (false, 4) => u32::try_from(number).is_ok(),
        (false, _) => number >= 0,
        (true, _) => true,
    };
    if !fits {
        return Err(out_of_range(number, "the column's type"));
    }
    out.extend_from_slice(&number.to_le_bytes()[..kind.bytes]);
    Ok(())
}

fn moment(op: &TailOp, timestamp_ms: i64, out: &mut Vec<u8>) -> Result<(), Fault> {
    match op {
        TailOp::Ticks { precision } => {
            let ticks = if (FIRST_MS..=LAST_MS).contains(&timestamp_ms) {
                match precision.checked_sub(3) {
                    Some(places) => timestamp_ms.checked_mul(10i64.pow(places.into())),
                    None => Some(timestamp_ms.div_euclid(10i64.pow((3 - precision).into()))),
                }
            } else {
                None
            };
            let ticks = ticks.ok_or_else(|| out_of_range(timestamp_ms, "milliseconds for a DateTime64"))?;
            out.extend_from_slice(&ticks.to_le_bytes());
        }
        TailOp::Milliseconds(kind) => integer(*kind, timestamp_ms, out)?,
        _ => {
            let seconds = u32::try_from(timestamp_ms.div_euclid(1_000))
                .map_err(|_| out_of_range(timestamp_ms, "milliseconds for a DateTime"))?;
            out.extend_from_slice(&seconds.to_le_bytes());
        }
    }
    Ok(())
}

#[cold]
fn out_of_range(number: i64, what: &str) -> Fault {
    Fault::new(RejectCode::OutOfRange, 0, format!("{number} is out of the range of {what}"))
}
