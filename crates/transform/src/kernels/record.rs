//! One record, keys in any order: each key is guessed from the key before it, else looked up.

use super::lane::{Bounds, Lane};
use super::simd::Simd;
use super::value::{Context, quoted_value, skip, value};
use crate::fast::{Guesses, KeyId, Places, START, Shapes, Target, hash, target};
use crate::plan::{Field, LITERAL_BYTES_MAX, Plan};

/// What is known across records, and about the record at hand.
#[derive(Debug)]
pub(crate) struct Walk<'w> {
    pub(crate) plan: &'w Plan,
    pub(crate) guesses: &'w mut Guesses,
    pub(crate) shapes: &'w mut Shapes,
    pub(crate) places: &'w mut Places,
    /// Keys without a column, in the order of the record.
    pub(crate) unknown: &'w mut Vec<Stranger>,
    /// Whether keys are guessed and learned.
    pub(crate) guess: bool,
    /// Keys that were guessed wrong.
    pub(crate) misses: usize,
}

/// A key without a column: known by its number, or by where it stands in the record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stranger {
    Known(KeyId),
    At { start: usize, len: usize },
}

/// A key was read, and the lane stands at its value.
struct Key {
    id: Option<KeyId>,
    target: Target,
    lane: Lane,
    quoted: bool,
    /// Where the key itself stands, for strangers that are not known.
    start: usize,
    len: usize,
}

/// What comes behind a value.
enum Next {
    Key(Key),
    End(Lane),
}

/// Encodes the record; the row is then in the lane's buffer, with its length set. None where the exact path has to
/// say more.
///
/// # Safety
/// The bounds are those of a live record, and the processor has the level's instructions.
#[inline(always)]
pub(super) unsafe fn record<S: Simd>(
    walk: &mut Walk<'_>,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<()> {
    let mut before = Some(START);
    // SAFETY: the lane starts at the first byte of live buffers; all steps keep the contract.
    unsafe {
        let mut lane = bounds.lane(0, 0);
        loop {
            let value_end = bounds.read(lane);
            let key = match guessed::<S>(walk, before, lane) {
                Some(key) => key,
                None => match read::<S>(walk, before, lane, bounds, value_end == 0)? {
                    Next::Key(key) => key,
                    Next::End(lane) => {
                        let lane = lane.blank();
                        if !bounds.is_at_end(lane) {
                            return None;
                        }
                        bounds.buffer.set_len(bounds.written(lane));
                        let tail = bounds.record.get(value_end..)?;
                        walk.shapes.end(walk.guesses, walk.places, tail);
                        return Some(());
                    }
                },
            };
            context.count_field()?;
            lane = key.lane;
            before = key.id;
            match key.target {
                Target::Column(column) => {
                    if !walk.places.add(column, bounds.written(lane)) {
                        return None;
                    }
                    let field = walk.plan.fields.get(column)?;
                    lane = column_value::<S>(field, key.quoted, lane, bounds, context)?;
                }
                Target::Several => return None,
                Target::Unknown | Target::Ignored => {
                    if key.target == Target::Unknown {
                        let stranger = match key.id {
                            Some(id) => Stranger::Known(id),
                            None => Stranger::At { start: key.start, len: key.len },
                        };
                        walk.unknown.push(stranger);
                    }
                    if key.quoted {
                        // Only the value behind the quote is left to skip.
                        lane = Lane { at: lane.at.sub(1), out: lane.out };
                    }
                    lane = skip::<S>(lane, bounds, context)?;
                }
            }
        }
    }
}

/// The value of a column, with the marker that the row format asks for.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
pub(super) unsafe fn column_value<S: Simd>(
    field: &Field,
    quoted: bool,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract; there is room for a marker where it is written.
    unsafe {
        let mut lane = lane;
        if field.marks {
            if lane.peek() == b'n' && !quoted && field.null.is_some() {
                return None;
            }
            if !bounds.has_room(lane) {
                return None;
            }
            lane = lane.push([0]);
        }
        if quoted {
            quoted_value::<S>(&field.op, lane, bounds, context)
        } else {
            value::<S>(&field.op, lane, bounds, context)
        }
    }
}

/// What a key fills at this point of the record: once every column has its value, columns take no more.
#[inline(always)]
fn settled(target: Target, plan: &Plan, places: &Places) -> Target {
    match target {
        Target::Column(_) | Target::Several if places.count() == plan.fields.len() => Target::Ignored,
        target => target,
    }
}

/// The key that one of the two guesses says, where it is there.
#[inline(always)]
unsafe fn guessed<S: Simd>(walk: &mut Walk<'_>, before: Option<KeyId>, lane: Lane) -> Option<Key> {
    if !walk.guess {
        return None;
    }
    let before = before?;
    let followers = walk.guesses.followers(before);
    // SAFETY: the lane is live.
    unsafe {
        let first = followers.first;
        let (place, lane) = match lane.literal::<S>(&followers.steps[first].literal) {
            Some(lane) => (first, lane),
            None => (1 - first, lane.literal::<S>(&followers.steps[1 - first].literal)?),
        };
        let step = &followers.steps[place];
        let (key, target, quoted) = (step.key, settled(step.target, walk.plan, walk.places), step.quoted);
        walk.shapes.step(before, place, step.serial, target);
        Some(Key { id: Some(key), target, lane, quoted, start: 0, len: 0 })
    }
}

/// Reads what comes behind a value: a key, or the end of the object.
#[inline(always)]
unsafe fn read<S: Simd>(
    walk: &mut Walk<'_>,
    before: Option<KeyId>,
    from: Lane,
    bounds: &Bounds<'_>,
    is_first: bool,
) -> Option<Next> {
    // SAFETY: the lane is live; what is skipped was compared.
    unsafe {
        let mut lane = from.blank();
        if lane.peek() == b',' && !is_first {
            lane = lane.skip(1).blank();
        } else if is_first {
            lane = lane.eat(b'{')?.blank();
            if let Some(end) = lane.eat(b'}') {
                return Some(Next::End(end));
            }
        } else {
            return Some(Next::End(lane.eat(b'}')?));
        }
        let text = lane.eat(b'"')?;
        let marks = S::marks_64(text.at.as_ptr());
        let len = marks.trailing_zeros() as usize;
        if marks == 0 || len == 0 || text.byte(len) != b'"' {
            return None;
        }
        let start = bounds.read(text);
        let lane = text.skip(len + 1).blank().eat(b':')?.blank();
        let id = find::<S>(walk, text, len, bounds);
        let (target, opens) = match id {
            Some(id) => walk.guesses.known(id),
            None => (target(bounds.record.get(start..start + len)?, &walk.plan.keys), false),
        };
        let quoted = opens && lane.peek() == b'"';
        let target = settled(target, walk.plan, walk.places);
        let lane = if quoted { lane.skip(1) } else { lane };
        if walk.guess {
            walk.misses += 1;
            learn(walk, before, bounds.record.get(bounds.read(from)..bounds.read(lane))?, id, target, quoted);
        }
        Some(Next::Key(Key { id, target, lane, quoted, start, len }))
    }
}

#[cold]
#[inline(never)]
fn learn(
    walk: &mut Walk<'_>,
    before: Option<KeyId>,
    literal: &[u8],
    id: Option<KeyId>,
    target: Target,
    quoted: bool,
) {
    let learned = match (before, id) {
        (Some(before), Some(id)) if literal.len() <= LITERAL_BYTES_MAX => {
            walk.guesses.learn(before, literal, id, quoted).map(|(place, serial)| (before, place, serial))
        }
        _ => None,
    };
    match learned {
        Some((before, place, serial)) => walk.shapes.step(before, place, serial, target),
        None => walk.shapes.broken(),
    }
}

/// The number of a key of at least one byte.
#[inline(always)]
unsafe fn find<S: Simd>(walk: &mut Walk<'_>, text: Lane, len: usize, bounds: &Bounds<'_>) -> Option<KeyId> {
    // SAFETY: the lane is live, and every word lies in the 64 bytes behind it.
    let hash = hash(len, |at| unsafe { text.word(at) });
    // SAFETY: the lane is live, and a quote stands before it.
    let found = walk.guesses.find(hash, |quoted| unsafe { text.quoted_literal::<S>(quoted) });
    match found {
        Some(id) => Some(id),
        None => {
            let start = bounds.read(text);
            walk.guesses.note(hash, bounds.record.get(start..start + len)?, walk.plan)
        }
    }
}
