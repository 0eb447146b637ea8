//! The shape of a topic: the keys of its records as bytes, learned from records that repeat them.

use super::guesses::{Guesses, KeyId, Step, Target};
use super::pause::Pause;
use super::places::Places;
use crate::plan::{LITERAL_BYTES_MAX, Literal};

/// Records of one shape in a row after which the shape is taken for the topic's.
const REPEATS_MIN: u32 = 3;

/// Bytes that are kept of what stands behind the last value: more than a shape has.
const TAIL_BYTES_MAX: usize = LITERAL_BYTES_MAX + 1;

/// The keys of a record as bytes: each step leads from the end of a value to the beginning of the next one.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) steps: Vec<Step>,
    /// From the end of the last value to the end of the record.
    pub(crate) tail: Literal,
    /// For each column, the number of its value plus 1, or 0 where it has none.
    pub(crate) of_column: Vec<usize>,
    /// The values are the row as it stands.
    pub(crate) is_row: bool,
    /// The keys that no column takes.
    pub(crate) unknown: Vec<KeyId>,
}

impl Shape {
    fn empty(tail: Literal) -> Shape {
        Shape { steps: Vec::new(), tail, of_column: Vec::new(), is_row: false, unknown: Vec::new() }
    }
}

/// A step of the record at hand: after which key it came, in which place it was kept, and which one it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trace {
    before: KeyId,
    place: usize,
    serial: u32,
    target: Target,
}

/// Watches for records that repeat a shape.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    shape: Option<Shape>,
    serials: Vec<u32>,
    /// The record at hand, then the one before it.
    trace: Vec<Trace>,
    last: Vec<Trace>,
    /// What stood behind the last value of the record before.
    last_tail: Vec<u8>,
    /// A key of the record at hand was not kept.
    broken: bool,
    repeats: u32,
    /// After a group that did not fit.
    pause: Pause,
}

impl Shapes {
    /// Forgets all shapes, since the numbers of the keys have a new meaning.
    pub(crate) fn forget(&mut self) {
        self.shape = None;
        self.serials.clear();
        self.last.clear();
        self.repeats = 0;
    }

    pub(crate) fn begin(&mut self) {
        self.trace.clear();
        self.broken = false;
    }

    #[inline(always)]
    pub(crate) fn step(&mut self, before: KeyId, place: usize, serial: u32, target: Target) {
        self.trace.push(Trace { before, place, serial, target });
    }

    /// A key of the record was not kept.
    pub(crate) fn broken(&mut self) {
        self.broken = true;
    }

    /// The record was encoded, and behind its last value stands `tail`.
    #[inline(always)]
    pub(crate) fn end(&mut self, guesses: &mut Guesses, places: &Places, tail: &[u8]) {
        if self.broken || self.trace != self.last || self.last_tail != tail {
            self.repeats = 0;
            std::mem::swap(&mut self.trace, &mut self.last);
            self.last_tail.clear();
            self.last_tail.extend_from_slice(tail.get(..TAIL_BYTES_MAX).unwrap_or(tail));
            return;
        }
        self.repeats += 1;
        if self.repeats == REPEATS_MIN {
            self.install(guesses, places, tail);
        }
    }

    #[cold]
    fn install(&mut self, guesses: &mut Guesses, places: &Places, tail: &[u8]) {
        let serials = self.trace.iter().map(|trace| trace.serial);
        if self.shape.as_ref().is_some_and(|shape| shape.tail.block()[..shape.tail.len()] == *tail)
            && serials.clone().eq(self.serials.iter().copied())
        {
            return;
        }
        let Some(tail) = Literal::new(tail) else { return };
        // A shape that lacks a key would fit what is no record.
        let columns = self.trace.iter().filter(|trace| matches!(trace.target, Target::Column(_))).count();
        let is_current =
            |trace: &Trace| guesses.followers(trace.before).steps[trace.place].serial == trace.serial;
        if columns != places.count() || !self.trace.iter().all(is_current) {
            return;
        }
        self.serials.clear();
        self.serials.extend(serials);
        // The buffers of the shape before are taken over: shapes come and go where a topic has several.
        let mut shape = self.shape.take().unwrap_or_else(|| Shape::empty(tail.clone()));
        shape.steps.clear();
        shape.steps.extend(self.trace.iter().map(|trace| {
            let step = guesses.followers(trace.before).steps[trace.place].clone();
            Step { target: trace.target, ..step }
        }));
        shape.unknown.clear();
        let strangers = shape.steps.iter().filter(|step| step.target == Target::Unknown);
        shape.unknown.extend(strangers.map(|step| step.key));
        shape.of_column.clear();
        shape.of_column.extend_from_slice(places.of_column());
        shape.tail = tail;
        shape.is_row = places.is_row();
        self.shape = Some(shape);
        self.pause = Pause::NONE;
    }

    /// Whether there is a shape to try on the next group of records.
    #[inline(always)]
    pub(crate) fn takes_group(&mut self) -> bool {
        self.shape.is_some() && self.pause.is_over()
    }

    /// The shape, if any.
    #[inline(always)]
    pub(crate) fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// Notes whether the group had the shape.
    #[inline(always)]
    pub(crate) fn note(&mut self, fits: bool) {
        self.pause.note(fits);
    }
}
