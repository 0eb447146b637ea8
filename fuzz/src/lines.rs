//! Lines are cut as by hand, whatever they hold, and wherever the input is cut between two of them.

use std::ops::Range;
use std::sync::Arc;

use housepipe_transform::{Encoder, LineCounts, Plan, Reject, Semantics};

use crate::input::Input;
use crate::plans;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(plan) = plans::choose(&mut input) else { return };
    let cut = input.below(256);
    let text = input.rest();
    let whole = encode(&plan, text);
    let (mut rows, mut counts, mut rejects) = (Vec::new(), LineCounts::default(), Vec::new());
    counts.bytes = text.len();
    let mut encoder = Encoder::new(plan.clone());
    for (line, bytes) in by_hand(text) {
        counts.lines += 1;
        if is_blank(&text[bytes.clone()], &plan) {
            continue;
        }
        counts.records += 1;
        match encoder.encode(&text[bytes.clone()], &mut rows) {
            Ok(()) => counts.rows += 1,
            Err(reject) => rejects.push((line, bytes, reject)),
        }
    }
    assert_eq!(whole, (rows, counts, rejects));

    // Handed over in two pieces of whole lines, the rows are the same.
    let ends: Vec<usize> = by_hand(text).map(|(_, bytes)| text.len().min(bytes.end + 1)).collect();
    if let Some(end) = ends.get(cut % ends.len().max(1)) {
        let (first, second) = (encode(&plan, &text[..*end]), encode(&plan, &text[*end..]));
        assert_eq!([first.0, second.0].concat(), whole.0);
        assert_eq!(first.1.lines + second.1.lines, whole.1.lines);
        assert_eq!(first.2.len() + second.2.len(), whole.2.len());
    }

    // So they are where each call may append so many bytes; every call goes on where the last one ended.
    let (mut rows, mut rejects, mut lines, mut left) = (Vec::new(), 0, 0, text);
    let mut encoder = Encoder::new(plan.clone());
    while !left.is_empty() {
        let bytes_max = rows.len() + cut;
        let counts = encoder.encode_lines_up_to(left, &mut rows, bytes_max, |_| rejects += 1);
        assert!(counts.bytes > 0 && counts.bytes <= left.len(), "{counts:?}");
        lines += counts.lines;
        left = &left[counts.bytes..];
    }
    assert_eq!((rows, rejects, lines), (whole.0, whole.2.len(), whole.1.lines));
}

/// A reject with its line and the line's place.
type Line = (usize, Range<usize>, Reject);

fn encode(plan: &Arc<Plan>, text: &[u8]) -> (Vec<u8>, LineCounts, Vec<Line>) {
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    let counts = Encoder::new(plan.clone()).encode_lines(text, &mut rows, |line| {
        rejects.push((line.line, line.bytes, line.reject));
    });
    (rows, counts, rejects)
}

/// The lines of a text with their numbers, newlines left out; a newline at the very end starts no line.
pub(crate) fn by_hand(text: &[u8]) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut start = 0;
    let pieces = text.split(|byte| *byte == b'\n').enumerate();
    pieces
        .map(move |(number, piece)| {
            let range = start..start + piece.len();
            start = range.end + 1;
            (number, range)
        })
        .filter(move |(_, range)| range.start < text.len())
}

/// Whether the line holds nothing but white space, as the semantics of the plan have it.
pub(crate) fn is_blank(line: &[u8], plan: &Plan) -> bool {
    let is_lenient = plan.options().semantics == Semantics::ClickHouse;
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r') || is_lenient && matches!(byte, 0x0b | 0x0c))
}
