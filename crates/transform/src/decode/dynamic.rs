//! The type of a value of a Dynamic, as it stands before the value.

use super::reader::Reader;
use crate::types::{DataType, TupleElement};

/// Levels of a type, and of values inside of one another, at most: an encoder writes fewer.
pub(super) const LEVELS_MAX: usize = 100;

/// The type in binary, of those that an encoder writes
/// (<https://clickhouse.com/docs/sql-reference/data-types/data-types-binary-encoding>); none for NULL.
pub(super) fn data_type(r: &mut Reader<'_>) -> Result<Option<DataType>, String> {
    match r.byte()? {
        0x00 => Ok(None),
        code => inner(code, LEVELS_MAX, r).map(Some),
    }
}

fn inner(code: u8, levels: usize, r: &mut Reader<'_>) -> Result<DataType, String> {
    let levels = levels.checked_sub(1).ok_or("the type of a Dynamic is nested too deeply")?;
    let next = |r: &mut Reader<'_>| -> Result<Box<DataType>, String> {
        let code = r.byte()?;
        Ok(Box::new(inner(code, levels, r)?))
    };
    Ok(match code {
        0x04 => DataType::UInt64,
        0x0A => DataType::Int64,
        0x0E => DataType::Float64,
        0x0F => DataType::Date,
        0x11 => DataType::DateTime(None),
        0x13 => DataType::DateTime64(r.byte()?, None),
        0x15 => DataType::String,
        0x1E => DataType::Array(next(r)?),
        0x20 => {
            let mut elements = Vec::new();
            for _ in 0..r.count()? {
                let name = String::from_utf8_lossy(r.text()?).into_owned();
                elements.push(TupleElement::named(name, *next(r)?));
            }
            DataType::Tuple(elements)
        }
        0x23 => DataType::Nullable(next(r)?),
        0x2B => DataType::Dynamic(Some(r.byte()?)),
        0x2D => DataType::Bool,
        code => return Err(format!("no encoder writes a value of type {code:#04x} in a Dynamic")),
    })
}
