//! Lines are cut as by hand, whatever they hold, and wherever the input is cut between two of them.

use std::ops::Range;
use std::sync::Arc;

use housepipe_transform::{Encoder, LineCounts, Plan, Reject};

use crate::input::Input;
use crate::plans;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(plan) = plans::choose(&mut input) else { return };
    let cut = input.below(256);
    let text = input.rest();
    let whole = encode(&plan, text);
    let (mut rows, mut counts, mut rejects) = (Vec::new(), LineCounts::default(), Vec::new());
    let mut encoder = Encoder::new(plan.clone());
    for (line, bytes) in by_hand(text) {
        counts.lines += 1;
        if is_blank(&text[bytes.clone()]) {
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

/// Whether the line holds nothing but white space of ASCII.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | 0x0c))
}
