//! What ClickHouse cannot hold, with its reason.

use super::DataType;

/// Returns the reason why ClickHouse would not create a column of the type.
pub(crate) fn check(ty: &DataType) -> Result<(), String> {
    match ty {
        DataType::Nullable(inner) => {
            if !inside_nullable(inner) {
                return Err(format!("Nested type {inner} cannot be inside Nullable type"));
            }
            check(inner)
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
            check(inner)
        }
        DataType::Array(inner) => check(inner),
        DataType::Tuple(elements) if elements.is_empty() => {
            Err("a Tuple without elements has no value to write".to_owned())
        }
        DataType::Tuple(elements) | DataType::Nested(elements) => {
            elements.iter().try_for_each(|element| check(&element.ty))
        }
        DataType::Map(key, value) => {
            if !map_key(key) {
                return Err(format!("Map cannot have a key of type {key}"));
            }
            check(key)?;
            check(value)
        }
        DataType::Json(args) => args.paths.iter().try_for_each(|(_, ty)| check(ty)),
        _ => Ok(()),
    }
}

fn inside_nullable(ty: &DataType) -> bool {
    !matches!(
        ty,
        DataType::Array(_)
            | DataType::Map(..)
            | DataType::Nested(_)
            | DataType::Nullable(_)
            | DataType::LowCardinality(_)
            | DataType::ObjectJson
    )
}

fn inside_low_cardinality(ty: &DataType) -> bool {
    !matches!(
        ty,
        DataType::Array(_)
            | DataType::Map(..)
            | DataType::Tuple(_)
            | DataType::Nested(_)
            | DataType::Nullable(_)
            | DataType::LowCardinality(_)
            | DataType::Json(_)
            | DataType::ObjectJson
            | DataType::Enum8(_)
            | DataType::Enum16(_)
            | DataType::DateTime64(..)
    )
}

fn map_key(ty: &DataType) -> bool {
    match ty {
        DataType::Nullable(_) | DataType::Json(_) | DataType::ObjectJson => false,
        DataType::LowCardinality(inner) => !matches!(inner.as_ref(), DataType::Nullable(_)),
        _ => true,
    }
}
