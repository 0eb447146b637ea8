//! The members of a Variant: how they are numbered, and in which order a text is tried on them.

use super::DataType;

/// The members with their names, sorted by name, each of them once: their discriminators count this list.
pub(crate) fn members(list: &[DataType]) -> Vec<(String, &DataType)> {
    let mut members: Vec<(String, &DataType)> = list.iter().map(|ty| (ty.to_string(), ty)).collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    members.dedup_by(|a, b| a.0 == b.0);
    members
}

/// The order in which ClickHouse tries members on a text: the first that takes all of it has the value. The indices
/// count the members as [`members`] gives them.
pub(crate) fn attempts(members: &[(String, &DataType)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    // Ties keep the order of the names.
    order.sort_by_key(|at| std::cmp::Reverse(priority(members[*at].1, 0, 0)));
    order
}

/// What is tried first has the greatest priority: the deepest nesting of containers, then what the type is, then the
/// most wrappers. The figures are those of `SerializationVariant::getVariantsDeserializeTextOrder` in ClickHouse.
fn priority(ty: &DataType, depth: usize, wrappers: usize) -> (usize, usize, usize) {
    /// The largest of the children's depths and wrappers, and what `join` makes of their ranks.
    fn of<'t>(
        children: impl Iterator<Item = &'t DataType>,
        depth: usize,
        wrappers: usize,
        join: fn(usize, usize) -> usize,
    ) -> (usize, usize, usize) {
        children
            .map(|child| priority(child, depth, wrappers))
            .fold((0, 0, 0), |all, one| (all.0.max(one.0), join(all.1, one.1), all.2.max(one.2)))
    }
    let sum = |a: usize, b: usize| a + b;
    let container =
        |rank: usize, (depth, ranks, wrappers): (usize, usize, usize)| (depth, ranks + rank, wrappers);
    match ty {
        DataType::Nullable(inner) | DataType::LowCardinality(inner) => priority(inner, depth, wrappers + 1),
        DataType::SimpleAggregateFunction(_, inner) => priority(inner, depth, wrappers),
        DataType::Geo(geo) => priority(&geo.stands_for(), depth, wrappers),
        DataType::Array(inner) => container(ARRAY, priority(inner, depth + 1, wrappers)),
        DataType::Tuple(elements) => {
            container(TUPLE, of(elements.iter().map(|element| &element.ty), depth + 1, wrappers, sum))
        }
        DataType::Nested(elements) => {
            let tuple = of(elements.iter().map(|element| &element.ty), depth + 2, wrappers, sum);
            container(ARRAY + TUPLE, tuple)
        }
        DataType::Map(key, value) => {
            container(MAP, of([&**key, &**value].into_iter(), depth + 1, wrappers, sum))
        }
        DataType::Variant(list) => of(list.iter(), depth, wrappers, usize::max),
        _ => (depth, rank(ty), wrappers),
    }
}

const ARRAY: usize = 33;
const TUPLE: usize = 32;
const MAP: usize = 31;

/// What a type without types inside is worth.
fn rank(ty: &DataType) -> usize {
    match ty {
        DataType::Enum8(_) => 29,
        DataType::Enum16(_) => 28,
        DataType::Uuid => 27,
        DataType::Ipv4 => 26,
        DataType::Ipv6 | DataType::Bool => 25,
        DataType::Int8 => 24,
        DataType::UInt8 => 23,
        DataType::Int16 => 22,
        DataType::UInt16 => 21,
        DataType::Int32 => 20,
        DataType::UInt32 => 19,
        DataType::Int64 => 18,
        DataType::UInt64 => 17,
        DataType::Int128 => 16,
        DataType::UInt128 => 15,
        DataType::Int256 => 14,
        DataType::UInt256 => 13,
        DataType::Decimal(0..=9, _) => 12,
        DataType::Decimal(10..=18, _) => 11,
        DataType::Decimal(19..=38, _) => 10,
        DataType::Decimal(..) => 9,
        DataType::Float32 => 8,
        DataType::Float64 => 7,
        DataType::Date => 6,
        DataType::Date32 => 5,
        DataType::DateTime(_) => 4,
        DataType::DateTime64(..) => 3,
        DataType::FixedString(_) => 2,
        DataType::String => 1,
        _ => 0,
    }
}
