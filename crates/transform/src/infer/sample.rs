//! One sample: whether it can be loaded at all, and where its values stand.

use std::borrow::Cow;
use std::collections::HashSet;

use super::InferenceLimits;
use super::node::Objects;
use super::trial::Trial;
use crate::encode::{Cursor, Fault, decode_text, not_an_object, scan_text, skip_value};
use crate::reject::RejectCode;

/// A key of the sample, and where its value begins.
pub(super) type Entry<'s> = (Cow<'s, [u8]>, usize);

/// Reads over the sample, and lists its keys. What no choice of types would mend is a fault, as the encoder has it.
pub(super) fn entries<'s>(
    sample: &'s [u8],
    limits: &InferenceLimits,
    trial: &mut Trial,
) -> Result<Vec<Entry<'s>>, Fault> {
    if sample.len() > limits.sample_bytes_max {
        let message = "the sample is larger than the limit";
        return Err(Fault::new(RejectCode::RecordTooLarge, limits.sample_bytes_max, message));
    }
    let state = &mut trial.state;
    state.begin(0);
    let mut c = Cursor::new(sample);
    c.blank(false);
    if !c.eat(b'{') {
        return Err(not_an_object(&mut c, state));
    }
    let mut entries: Vec<Entry<'s>> = Vec::new();
    let mut seen: HashSet<Cow<'s, [u8]>> = HashSet::new();
    c.blank(false);
    if !c.eat(b'}') {
        loop {
            let key_at = c.at;
            state.count_field(key_at)?;
            let key = key(&mut c)?;
            if !seen.insert(key.clone()) {
                return Err(Fault::new(RejectCode::DuplicateKey, key_at, "the key appears twice"));
            }
            entries.push((key, c.at));
            skip_value(&mut c, state)?;
            c.blank(false);
            if c.eat(b',') {
                c.blank(false);
            } else if c.eat(b'}') {
                break;
            } else {
                return Err(c.unexpected("`,` or `}`"));
            }
        }
    }
    c.blank(false);
    if c.is_at_end() {
        Ok(entries)
    } else {
        Err(Fault::new(RejectCode::TrailingData, c.at, "something follows the object"))
    }
}

/// Reads a key and the colon behind it, up to its value.
pub(super) fn key<'s>(c: &mut Cursor<'s>) -> Result<Cow<'s, [u8]>, Fault> {
    if c.peek() != b'"' {
        return Err(c.unexpected("a key in double quotes"));
    }
    let raw = scan_text(c)?;
    let key = if raw.escaped {
        let mut text = Vec::new();
        decode_text(&raw, false, &mut text)?;
        Cow::Owned(text)
    } else {
        Cow::Borrowed(raw.bytes)
    };
    c.blank(false);
    if !c.eat(b':') {
        return Err(c.unexpected("`:`"));
    }
    c.blank(false);
    Ok(key)
}

/// Refuses a sample with a key for which there is no column any more, and which the encoder would take for that of
/// another column, since only letter case tells them apart.
pub(super) fn check_case(
    entries: &[Entry<'_>],
    columns: &Objects,
    limits: &InferenceLimits,
) -> Result<(), Fault> {
    let columns_max = limits.columns_max;
    if columns.fields.len() + entries.len() <= columns_max {
        return Ok(());
    }
    let room = columns_max.saturating_sub(columns.fields.len());
    let fresh: Vec<&Entry<'_>> = entries
        .iter()
        .filter(|(key, _)| key.len() <= limits.key_bytes_max && columns.find(key, usize::MAX).is_none())
        .collect();
    let (new, left_out) = fresh.split_at(room.min(fresh.len()));
    let known = columns.fields.iter().map(|field| &*field.key).chain(new.iter().map(|(key, _)| &**key));
    let folded: HashSet<Vec<u8>> = known.map(<[u8]>::to_ascii_lowercase).collect();
    match left_out.iter().find(|(key, _)| folded.contains(&key.to_ascii_lowercase())) {
        Some((_, at)) => {
            let message =
                "the key differs from a column's by letter case alone, and there are too many columns";
            Err(Fault::new(RejectCode::AmbiguousKey, *at, message))
        }
        None => Ok(()),
    }
}
