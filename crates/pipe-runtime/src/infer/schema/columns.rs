//! From what a schema allows to the types of columns.

use housepipe_json_schema::{Others, Outline, Property, Types};
use housepipe_schema_registry::SchemaId;
use housepipe_transform::{DataType, ExpectedColumn, JsonTypeArgs, TimeZone, TupleElement};

use crate::pipe_file::unwritable;

/// Texts of a list that a dictionary may have: what ClickHouse keeps in one for a part, by default.
const CHOICES_MAX: usize = 8_192;

/// Tuples, arrays and maps inside of each other that are made of a schema; what lies deeper is JSON.
const LEVELS_MAX: usize = 16;

const NUMBER: Types = Types::INTEGER.or(Types::FRACTION);

/// A column for each member that the schema names.
pub(super) fn of(outline: &Outline, id: SchemaId) -> Vec<ExpectedColumn> {
    outline.properties.iter().filter_map(|property| column(property, id)).collect()
}

fn column(property: &Property, id: SchemaId) -> Option<ExpectedColumn> {
    let Property { name, outline, is_required, .. } = property;
    if name.is_empty() || unwritable(name).is_some() || outline.types == Types::NONE {
        return None;
    }
    let mut reason = format!("schema {id}: {}", said(outline, *is_required));
    let mut is_certain = outline.types != Types::ANY;
    let ty = data_type(outline, LEVELS_MAX, &mut is_certain).unwrap_or_else(|| {
        reason.push_str(", kept as its text");
        DataType::String
    });
    let column = ExpectedColumn::new(name, nullable(ty, outline, *is_required), reason);
    Some(if is_certain { column } else { column.unless_seen() })
}

/// What the schema says, in words.
fn said(outline: &Outline, is_required: bool) -> String {
    let mut words = match outline.types.without(Types::NULL) {
        types if types == NUMBER => "number".to_owned(),
        Types::NONE => "null".to_owned(),
        types if types.has(Types::ANY.without(Types::NULL)) => "anything".to_owned(),
        types => types.to_string().replace("integer, fraction", "number"),
    };
    match (&outline.format, outline.choices) {
        (Some(format), _) => words.push_str(&format!(" of format {format:?}")),
        (None, Some(count)) if outline.types.has(Types::STRING) => {
            words.push_str(&format!(", one of {count}"));
        }
        _ => {}
    }
    match (outline.minimum, outline.maximum) {
        (Some(low), Some(high)) => words.push_str(&format!(" from {low} to {high}")),
        (Some(low), None) => words.push_str(&format!(" from {low} on")),
        (None, Some(high)) => words.push_str(&format!(" up to {high}")),
        (None, None) => {}
    }
    if outline.types.has(Types::NULL) && outline.types != Types::ANY {
        words.push_str(", or null");
    }
    words.push_str(if is_required { ", always there" } else { ", may be missing" });
    words
}

/// The type of the values that are not null; none where it is not said, or there are several. What samples show goes before it
/// where it becomes less than certain: the schema allows more than the type has room for, or says too little.
fn data_type(outline: &Outline, levels: usize, is_certain: &mut bool) -> Option<DataType> {
    let types = outline.types.without(Types::NULL);
    Some(match types {
        Types::BOOLEAN => DataType::Bool,
        Types::INTEGER => integer(outline),
        types if types == NUMBER || types == Types::FRACTION => DataType::Float64,
        Types::STRING => text(outline, is_certain),
        Types::ARRAY => {
            let items = outline.items.as_deref();
            let element = items.and_then(|items| element(items, true, levels, is_certain));
            *is_certain &= element.is_some();
            DataType::Array(Box::new(
                element.unwrap_or_else(|| DataType::Nullable(Box::new(DataType::String))),
            ))
        }
        Types::OBJECT => object(outline, levels, is_certain),
        _ => return None,
    })
}

/// The narrowest type that has room for all that is allowed; 64 bits where that is more, or not said.
fn integer(outline: &Outline) -> DataType {
    let (low, high) = (outline.minimum.unwrap_or(i128::MIN), outline.maximum.unwrap_or(i128::MAX));
    let fits = |min: i128, max: i128| low >= min && high <= max;
    let unsigned = [
        (u8::MAX.into(), DataType::UInt8),
        (u16::MAX.into(), DataType::UInt16),
        (u32::MAX.into(), DataType::UInt32),
    ];
    let signed = [
        (i8::MIN.into(), i8::MAX.into(), DataType::Int8),
        (i16::MIN.into(), i16::MAX.into(), DataType::Int16),
        (i32::MIN.into(), i32::MAX.into(), DataType::Int32),
    ];
    if low >= 0 {
        let narrow = unsigned.into_iter().find(|(max, _)| fits(0, *max));
        return narrow.map_or(DataType::UInt64, |(_, ty)| ty);
    }
    let narrow = signed.into_iter().find(|(min, max, _)| fits(*min, *max));
    narrow.map_or(DataType::Int64, |(.., ty)| ty)
}

/// A type for texts of a format, a dictionary for those that are listed. A format that nobody checks is a hope, and a text of no
/// format may be of any.
fn text(outline: &Outline, is_certain: &mut bool) -> DataType {
    if let Some(..=CHOICES_MAX) = outline.choices {
        return DataType::LowCardinality(Box::new(DataType::String));
    }
    *is_certain &= outline.is_format_asserted;
    match outline.format.as_deref() {
        Some("date-time") => DataType::DateTime64(6, Some(TimeZone::UTC)),
        Some("date") => DataType::Date32,
        Some("uuid") => DataType::Uuid,
        Some("ipv4") => DataType::Ipv4,
        Some("ipv6") => DataType::Ipv6,
        _ => DataType::String,
    }
}

/// A Tuple of the members that are named where there are no others, a Map where all are alike, else JSON, which keeps whatever
/// members there are.
fn object(outline: &Outline, levels: usize, is_certain: &mut bool) -> DataType {
    let json = DataType::Json(JsonTypeArgs::default());
    let Some(levels) = levels.checked_sub(1) else { return json };
    match &outline.others {
        Others::Of(values) if outline.properties.is_empty() => {
            let ty = element(values, true, levels, is_certain);
            ty.map_or(json, |ty| DataType::Map(Box::new(DataType::String), Box::new(ty)))
        }
        Others::None if !outline.properties.is_empty() => {
            let elements = outline.properties.iter().map(|property| {
                let ty = element(&property.outline, property.is_required, levels, is_certain)?;
                can_name(&property.name).then(|| TupleElement::named(property.name.as_str(), ty))
            });
            elements.collect::<Option<Vec<_>>>().map_or(json, DataType::Tuple)
        }
        _ => {
            *is_certain &= outline.properties.is_empty();
            json
        }
    }
}

/// Whether a key may be the name of an element of a Tuple, and is read as that one.
fn can_name(name: &str) -> bool {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    !is_number && name != "null" && !name.contains('.') && unwritable(name).is_none()
}

/// The type of what stands inside of another value; none where it is not said.
fn element(outline: &Outline, is_required: bool, levels: usize, is_certain: &mut bool) -> Option<DataType> {
    let levels = levels.checked_sub(1)?;
    data_type(outline, levels, is_certain).map(|ty| nullable(ty, outline, is_required))
}

/// The type with NULL, where the value may be null or missing and the type has room for it.
fn nullable(ty: DataType, outline: &Outline, is_required: bool) -> DataType {
    if is_required && !outline.types.has(Types::NULL) {
        return ty;
    }
    match ty {
        DataType::LowCardinality(inner) => DataType::LowCardinality(Box::new(DataType::Nullable(inner))),
        ty @ (DataType::Array(_) | DataType::Map(..) | DataType::Tuple(_) | DataType::Json(_)) => ty,
        ty => DataType::Nullable(Box::new(ty)),
    }
}
