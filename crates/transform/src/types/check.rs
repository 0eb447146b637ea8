//! What ClickHouse cannot hold, with its reason.

use std::collections::HashSet;

use super::{DataType, EnumItem, GeoType, QBitType, TupleElement, aggregate, json_type, members};
use crate::limits::TYPE_DEPTH_MAX;

/// Returns the reason why ClickHouse would not create a column of the type. Types can be built by hand: what the parser
/// refuses is refused here too.
pub(crate) fn check(ty: &DataType) -> Result<(), String> {
    if is_bottomless(ty) {
        return Err(format!("types are nested deeper than {TYPE_DEPTH_MAX}"));
    }
    rules(ty)
}

fn rules(ty: &DataType) -> Result<(), String> {
    match ty {
        DataType::FixedString(bytes) if !FIXED_STRING_BYTES.contains(bytes) => {
            Err("a FixedString has 1 to 16777215 bytes".to_owned())
        }
        DataType::DateTime64(precision, _) if *precision > DATE_TIME_64_PRECISION_MAX => {
            Err("the precision of a DateTime64 is 0 to 9".to_owned())
        }
        DataType::Time64(precision) if *precision > DATE_TIME_64_PRECISION_MAX => {
            Err("the precision of a Time64 is 0 to 9".to_owned())
        }
        DataType::Decimal(precision, scale) => decimal(*precision, *scale),
        DataType::SimpleAggregateFunction(function, inner) => {
            rules(inner)?;
            aggregate::check(function, inner)
        }
        DataType::Enum8(items) => enumeration(items),
        DataType::Enum16(items) => enumeration(items),
        DataType::Nullable(inner) => {
            if !inside_nullable(inner) {
                return Err(format!("Nested type {inner} cannot be inside Nullable type"));
            }
            rules(inner)
        }
        DataType::LowCardinality(inner) => {
            let dictionary = match inner.as_ref() {
                DataType::Nullable(inner) => inner.as_ref(),
                other => other,
            };
            if !inside_low_cardinality(dictionary) {
                return Err(format!(
                    "LowCardinality supports only String, FixedString, numbers, Date, DateTime, UUID and IP addresses, \
                     or Nullable of them, but got {inner}"
                ));
            }
            rules(inner)
        }
        DataType::Array(inner) => rules(inner),
        DataType::Tuple(elements) => {
            names(elements)?;
            elements.iter().try_for_each(|element| rules(&element.ty))
        }
        DataType::Nested(elements) => {
            if elements.iter().any(|element| element.name.is_none()) {
                return Err("the elements of a Nested have names".to_owned());
            }
            names(elements)?;
            elements.iter().try_for_each(|element| rules(&element.ty))
        }
        DataType::Map(key, value) => {
            if !map_key(key) {
                return Err(format!("Map cannot have a key of type {key}"));
            }
            rules(key)?;
            rules(value)
        }
        DataType::Variant(list) => variant(list),
        DataType::Dynamic(Some(max_types)) if *max_types > DYNAMIC_TYPES_MAX => Err(format!(
            "'max_types' argument for Dynamic type should be a positive integer between 0 and {DYNAMIC_TYPES_MAX}."
        )),
        DataType::QBit(qbit) => self::qbit(qbit),
        DataType::Json(args) => {
            args.paths.iter().try_for_each(|(_, ty)| rules(ty))?;
            json_type::check(args)
        }
        _ => Ok(()),
    }
}

/// Whether the type is nested deeper than is looked at.
pub(crate) fn is_bottomless(ty: &DataType) -> bool {
    fn is_below(ty: &DataType, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return true };
        ty.children().into_iter().any(|child| is_below(child, left))
    }
    is_below(ty, TYPE_DEPTH_MAX)
}

/// Types that a Dynamic may keep apart.
const DYNAMIC_TYPES_MAX: u8 = 254;

/// Members that a Variant may have: the last discriminator stands for NULL.
const VARIANT_MEMBERS_MAX: usize = 255;

fn variant(list: &[DataType]) -> Result<(), String> {
    if list.is_empty() {
        return Err("Variant type should have at least one nested type".to_owned());
    }
    for member in list {
        rules(member)?;
        let mut member = member;
        while let DataType::SimpleAggregateFunction(_, inner) = member {
            member = inner;
        }
        match member {
            DataType::Variant(_) | DataType::Geo(GeoType::Geometry) => {
                return Err("Nested Variant types are not allowed".to_owned());
            }
            DataType::Dynamic(_) => return Err("Dynamic type is not allowed inside Variant type".to_owned()),
            DataType::Nullable(_) => return Err(NO_NULLABLE_MEMBER.to_owned()),
            DataType::LowCardinality(inner) if matches!(**inner, DataType::Nullable(_)) => {
                return Err(NO_NULLABLE_MEMBER.to_owned());
            }
            _ => {}
        }
    }
    if members(list).len() > VARIANT_MEMBERS_MAX {
        return Err(format!("Variant type with more than {VARIANT_MEMBERS_MAX} nested types is not allowed"));
    }
    Ok(())
}

const NO_NULLABLE_MEMBER: &str =
    "Nullable/LowCardinality(Nullable) types are not allowed inside Variant type";

fn qbit(qbit: &QBitType) -> Result<(), String> {
    let QBitType { element, dimension, stride } = qbit;
    if !matches!(**element, DataType::Int8 | DataType::BFloat16 | DataType::Float32 | DataType::Float64) {
        return Err(format!(
            "QBit data type only supports Int8, BFloat16, Float32, or Float64 as element type. Got: {element}"
        ));
    }
    if *dimension == 0 {
        return Err(
            "QBit data type must have a number (positive integer) as its second argument. Got: 0".to_owned()
        );
    }
    match stride {
        Some(stride) if *stride == 0 || dimension % stride != 0 => {
            Err(format!("QBit stride must be a positive divisor of the dimension {dimension}. Got: {stride}"))
        }
        Some(stride) if stride < dimension && stride % 8 != 0 => Err(format!(
            "QBit stride must be a multiple of 8 when it is smaller than the dimension. Got: {stride}"
        )),
        _ => Ok(()),
    }
}

/// Digits that a Decimal may have.
const DECIMAL_PRECISION: std::ops::RangeInclusive<u8> = 1..=76;

fn decimal(precision: u8, scale: u8) -> Result<(), String> {
    if !DECIMAL_PRECISION.contains(&precision) {
        return Err(format!("Wrong precision: it must be between 1 and 76, got {precision}"));
    }
    if scale > precision {
        return Err("Negative scales and scales larger than precision are not supported".to_owned());
    }
    Ok(())
}

/// Bytes that a FixedString may have.
pub(crate) const FIXED_STRING_BYTES: std::ops::RangeInclusive<usize> = 1..=0xFF_FFFF;
/// Digits of a second that a DateTime64 may keep.
pub(crate) const DATE_TIME_64_PRECISION_MAX: u8 = 9;

fn enumeration<N: Copy + Eq + std::hash::Hash>(items: &[EnumItem<N>]) -> Result<(), String> {
    let (mut names, mut values) = (HashSet::new(), HashSet::new());
    if items.is_empty() {
        return Err("an Enum has at least one name".to_owned());
    }
    if items.iter().all(|item| names.insert(item.name.as_str()) && values.insert(item.value)) {
        Ok(())
    } else {
        Err("a name or number stands twice in the Enum".to_owned())
    }
}

fn names(elements: &[TupleElement]) -> Result<(), String> {
    let named: Vec<&str> = elements.iter().filter_map(|element| element.name.as_deref()).collect();
    if !named.is_empty() && named.len() < elements.len() {
        return Err("either all elements of a Tuple have names, or none".to_owned());
    }
    let mut seen = HashSet::new();
    if named.iter().all(|name| seen.insert(*name)) {
        Ok(())
    } else {
        Err("a name stands twice in the Tuple".to_owned())
    }
}

fn inside_nullable(ty: &DataType) -> bool {
    if let DataType::SimpleAggregateFunction(_, inner) = ty {
        return inside_nullable(inner);
    }
    if let DataType::Geo(geo) = ty {
        return *geo == GeoType::Point;
    }
    !matches!(
        ty,
        DataType::Array(_)
            | DataType::Map(..)
            | DataType::Nested(_)
            | DataType::Nullable(_)
            | DataType::LowCardinality(_)
            | DataType::Variant(_)
            | DataType::Dynamic(_)
    )
}

fn inside_low_cardinality(ty: &DataType) -> bool {
    if let DataType::SimpleAggregateFunction(_, inner) = ty {
        return inside_low_cardinality(inner);
    }
    !matches!(
        ty,
        DataType::Array(_)
            | DataType::Map(..)
            | DataType::Tuple(_)
            | DataType::Nested(_)
            | DataType::Nullable(_)
            | DataType::LowCardinality(_)
            | DataType::Json(_)
            | DataType::Enum8(_)
            | DataType::Enum16(_)
            | DataType::DateTime64(..)
            | DataType::Time64(_)
            | DataType::Decimal(..)
            | DataType::Geo(_)
            | DataType::Variant(_)
            | DataType::Dynamic(_)
            | DataType::QBit(_)
    )
}

fn map_key(ty: &DataType) -> bool {
    match ty {
        DataType::SimpleAggregateFunction(_, inner) => map_key(inner),
        DataType::Nullable(_) => false,
        DataType::LowCardinality(inner) => !matches!(inner.as_ref(), DataType::Nullable(_)),
        _ => true,
    }
}
