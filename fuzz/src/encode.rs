//! One record: no panic, nothing left behind by a reject, row and memory bounded.

use housepipe_transform::{Encoder, Plan, RowFormat};

use crate::counting::measure;
use crate::input::Input;
use crate::note::Note;
use crate::{plans, record};

/// What stands in the output before the record.
const BEFORE: &[u8] = b"before";

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(plan) = plans::choose(&mut input) else { return };
    let record =
        if input.byte() & 1 == 0 { input.rest().to_vec() } else { record::made(plan.columns(), &mut input) };
    let limits = plan.options().limits.clone();
    let mut encoder = Encoder::new(plan.clone());
    let mut out = BEFORE.to_vec();
    let (result, usage) = measure(|| encoder.encode_with(&record, &Note(record.len()), &mut out));
    assert!(
        usage.peak_bytes <= memory_bound(&plan, record.len()),
        "{usage:?} for a record of {} bytes",
        record.len()
    );
    assert_eq!(&out[..BEFORE.len()], BEFORE, "what stood in the output stays");
    let mut again = Vec::new();
    let second = encoder.encode_with(&record, &Note(record.len()), &mut again);
    assert_eq!(result, second, "a verdict does not depend on what came before");
    match result {
        Ok(()) => {
            let row = &out[BEFORE.len()..];
            assert_eq!(row, again, "nor do the bytes");
            assert!(row.len() <= limits.row_bytes_max, "a row of {} bytes", row.len());
            if plan.options().format == RowFormat::RowBinaryWithDefaults {
                // An empty tuple has no bytes behind its marker.
                assert!(row.len() >= plan.columns().len(), "every column has its marker");
            }
        }
        Err(reject) => {
            assert_eq!(out, BEFORE, "a reject leaves the output as it was");
            assert!(reject.position <= record.len(), "{reject:?} lies behind the record");
            assert!(!reject.message.is_empty(), "{reject:?} says nothing");
        }
    }
}

/// Bytes that a record may make an encoder hold: a row and its copy on their way, doubled as vectors grow, the text of
/// the record, its paths and what a reject says.
fn memory_bound(plan: &Plan, record_bytes: usize) -> i64 {
    let limits = &plan.options().limits;
    let bytes = 256 * 1024 + 16 * limits.row_bytes_max + 64 * record_bytes;
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
