//! Columns whose names have points, beside others that ClickHouse stores under the same names.

use super::node::Field;

/// What a column cannot be because of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// It can be all.
    None,
    /// Neither an Array nor a Map: ClickHouse takes arrays whose names are the same up to the first point for the columns of
    /// one Nested, and stores their lengths once, and a Map is an array to it. It refuses rows where the lengths differ,
    /// and where the text before the point is a column of its own.
    Arrays,
    /// Nothing that is stored in parts, since other names begin with this one and a point: `a.b` is also the name of the
    /// element `b` of a Tuple `a`.
    Parts,
}

impl Clash {
    pub(super) fn of(field: &Field, fields: &[Field]) -> Clash {
        let others = || fields.iter().filter(|other| other.key != field.key);
        let is_below =
            |other: &Field| other.key.strip_prefix(&*field.key).is_some_and(|rest| rest.starts_with(b"."));
        if others().any(is_below) {
            return Clash::Parts;
        }
        let has_parts = |field: &Field| field.node.arrays.is_some() || field.node.objects.is_some();
        let Some(outer) = before_point(&field.key).filter(|_| has_parts(field)) else { return Clash::None };
        let is_like = |other: &Field| {
            *other.key == *outer || (has_parts(other) && before_point(&other.key) == Some(outer))
        };
        // No column of a Nested may be called so.
        let is_reserved = field.key.get(outer.len()..) == Some(b".null");
        if is_reserved || others().any(is_like) { Clash::Arrays } else { Clash::None }
    }
}

/// The text before the first point.
fn before_point(key: &[u8]) -> Option<&[u8]> {
    let at = key.iter().position(|byte| *byte == b'.')?;
    Some(&key[..at])
}
