//! What type a function returns for an argument, or why it does not take it.

use super::same::{bare, shape};
use crate::types::{DataType, GeoType, TupleElement};

/// The type that the function returns. The argument has no dictionaries.
pub(super) fn returned(name: &str, parameters: &[u64], argument: &DataType) -> Result<DataType, String> {
    // What is NULL is left out, and the result is NULL where nothing is left.
    if let DataType::Nullable(argument) = argument {
        return returned(name, parameters, argument).map(|ty| DataType::Nullable(Box::new(ty)));
    }
    // The names of combinators, the outermost last.
    if let Some(inner) = name.strip_suffix("MappedArrays") {
        mapped_arrays(name, inner, parameters, argument)
    } else if let Some(inner) = name.strip_suffix("Map") {
        map(name, inner, parameters, argument)
    } else {
        simple(name, parameters, argument)
    }
}

fn simple(name: &str, parameters: &[u64], argument: &DataType) -> Result<DataType, String> {
    if name != "timeSeriesGroupArray" && name.ends_with("Array") {
        return array(name, parameters, argument);
    }
    if !parameters.is_empty() {
        return Err(format!("Aggregate function {name} cannot have parameters"));
    }
    match name {
        "min" | "max" => ordered(name, argument),
        "sum" | "sumWithOverflow" => {
            let sum = if name == "sum" { sum_of(argument) } else { overflowing_sum_of(argument) };
            sum.ok_or_else(|| format!("Illegal type {argument} of argument for aggregate function {name}"))
        }
        "groupBitAnd" | "groupBitOr" | "groupBitXor" => bits(name, argument),
        "timeSeriesGroupArray" => time_series(name, argument),
        _ => Ok(argument.clone()),
    }
}

/// The smallest or the largest: of types whose values can all be compared with each other.
fn ordered(name: &str, argument: &DataType) -> Result<DataType, String> {
    let illegal = |why: &str| {
        Err(format!(
            "Illegal type {argument} of argument of aggregate function {name} because the values of that data type {why}"
        ))
    };
    let is_mixed = |ty: &DataType| {
        matches!(ty, DataType::Variant(_) | DataType::Dynamic(_) | DataType::Geo(GeoType::Geometry))
    };
    if argument.any(&is_mixed) {
        return illegal(
            "can contain values with different data types. Consider using typed subcolumns or cast column to a specific \
             data type",
        );
    }
    if argument.any(&|ty| matches!(ty, DataType::QBit(_))) {
        return illegal("are not comparable");
    }
    Ok(argument.clone())
}

/// The type of a sum that has room for many numbers.
fn sum_of(argument: &DataType) -> Option<DataType> {
    Some(match bare(argument) {
        DataType::Enum8(_) | DataType::Enum16(_) => DataType::Int64,
        number => widened(number)?,
    })
}

fn widened(number: &DataType) -> Option<DataType> {
    Some(match number {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
        DataType::Bool | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            DataType::UInt64
        }
        DataType::Int128 | DataType::Int256 | DataType::UInt128 | DataType::UInt256 => number.clone(),
        DataType::BFloat16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Decimal(39.., scale) => DataType::Decimal(76, *scale),
        DataType::Decimal(_, scale) => DataType::Decimal(38, *scale),
        _ => return None,
    })
}

fn overflowing_sum_of(argument: &DataType) -> Option<DataType> {
    match bare(argument) {
        DataType::Enum8(_) => Some(DataType::Int8),
        DataType::Enum16(_) => Some(DataType::Int16),
        number => widened(number).map(|_| number.clone()),
    }
}

fn bits(name: &str, argument: &DataType) -> Result<DataType, String> {
    match bare(argument) {
        DataType::BFloat16
        | DataType::Float32
        | DataType::Float64
        | DataType::Uuid
        | DataType::Ipv4
        | DataType::Ipv6 => Err(format!("Illegal type {argument} of argument for aggregate function {name}")),
        DataType::Bool => Ok(DataType::UInt8),
        number if is_integer(number) => Ok(number.clone()),
        _ => Err(format!(
            "The type {argument} of argument for aggregate function {name} is illegal, because it cannot be used in bitwise \
             operations"
        )),
    }
}

/// Points of time with values, sorted. The server has it where `enable_time_series_aggregate_functions` is set.
fn time_series(name: &str, argument: &DataType) -> Result<DataType, String> {
    let element =
        if let DataType::Array(element) = shape(argument) { shape(&element) } else { DataType::String };
    let pair = if let DataType::Tuple(elements) = element { elements } else { Vec::new() };
    let [time, value] = pair.as_slice() else {
        return Err(format!(
            "Illegal type {argument} of argument for aggregate function {name}, expected Array(Tuple(timestamp, value))"
        ));
    };
    let is_time =
        matches!(bare(&time.ty), DataType::DateTime(_) | DataType::DateTime64(..) | DataType::UInt32);
    if !is_time {
        return Err(format!(
            "Illegal type {} of 1st argument (timestamp) for aggregate function {name}",
            time.ty
        ));
    }
    if !matches!(bare(&value.ty), DataType::Float32 | DataType::Float64) {
        return Err(format!(
            "Illegal type {} of 2nd argument (value) for aggregate function {name}",
            value.ty
        ));
    }
    Ok(argument.clone())
}

/// What collects the elements of arrays: those that are NULL are left out.
fn array(name: &str, parameters: &[u64], argument: &DataType) -> Result<DataType, String> {
    let DataType::Array(element) = shape(argument) else {
        return Err(format!(
            "Illegal type {argument} of argument for aggregate function with Array suffix. Must be array"
        ));
    };
    let inner = name.strip_suffix("Array").unwrap_or(name);
    match parameters {
        [] if inner == "groupArrayLast" => {
            return Err(
                "groupArrayLast make sense only with max_elems (groupArrayLast(max_elems)())".to_owned()
            );
        }
        [0] => return Err(format!("Parameter for aggregate function {inner} should be positive number")),
        [] | [_] => {}
        _ => {
            return Err(format!(
                "Incorrect number of parameters for aggregate function {inner}, should be 0 or 1"
            ));
        }
    }
    Ok(DataType::Array(Box::new(match *element {
        DataType::Nullable(element) => *element,
        element => element,
    })))
}

/// The function `inner` for the values of each key.
fn map(name: &str, inner: &str, parameters: &[u64], argument: &DataType) -> Result<DataType, String> {
    match shape(argument) {
        DataType::Map(key, value) => {
            let value = returned(inner, parameters, &value)?;
            if !is_key(bare(&key)) {
                return Err(format!("Map key type {key} is not is not supported by combinator Map"));
            }
            Ok(DataType::Map(key, Box::new(value)))
        }
        DataType::Tuple(elements) if elements.len() > 1 && elements.iter().all(|each| is_array(&each.ty)) => {
            if let DataType::Array(value) = shape(&elements[1].ty) {
                returned(inner, parameters, &value)?;
            }
            if inner.ends_with("Array") {
                return Err(format!("Aggregation '{name}' is not implemented for mapped arrays"));
            }
            mapped_arrays(&format!("{inner}MappedArrays"), inner, parameters, argument)
        }
        _ => Err("Aggregate function Map requires map as argument".to_owned()),
    }
}

/// The function `inner` for the values of each key, where keys and values are arrays.
fn mapped_arrays(
    name: &str,
    inner: &str,
    parameters: &[u64],
    argument: &DataType,
) -> Result<DataType, String> {
    let DataType::Tuple(elements) = shape(argument) else {
        return Err(format!("When function {name} gets one argument it must be a tuple"));
    };
    if elements.len() < 2 {
        return Err(format!(
            "Aggregate function {name} requires at least two arguments of Array type or one argument of tuple of two arrays"
        ));
    }
    let array = |(at, element): (usize, TupleElement)| {
        let DataType::Array(ty) = shape(&element.ty) else {
            return Err(format!(
                "Argument #{} for function {name} must be an array, not {}",
                at + 1,
                element.ty
            ));
        };
        if at == 0 {
            return Ok(TupleElement::unnamed(DataType::Array(ty)));
        }
        let value: &DataType = if let DataType::Nullable(value) = &*ty { value } else { &ty };
        let value = match (inner, widened(bare(value))) {
            ("sum", None) => return Err(format!("Values for -Map cannot be summed, passed type {ty}")),
            // Decimals keep their width here.
            ("sum", Some(sum)) if !matches!(sum, DataType::Decimal(..)) => sum,
            _ => value.clone(),
        };
        Ok(TupleElement::unnamed(DataType::Array(Box::new(value))))
    };
    let elements = elements.into_iter().enumerate().map(array).collect::<Result<_, _>>()?;
    if parameters.is_empty() {
        Ok(DataType::Tuple(elements))
    } else {
        Err(format!("Aggregate function {inner}Map cannot have parameters"))
    }
}

/// Whether the type can be a key of what the functions for maps count in.
fn is_key(key: &DataType) -> bool {
    is_integer(key)
        || matches!(
            key,
            DataType::Bool
                | DataType::String
                | DataType::FixedString(_)
                | DataType::Date
                | DataType::DateTime(_)
                | DataType::Enum8(_)
                | DataType::Enum16(_)
                | DataType::Uuid
                | DataType::Ipv4
                | DataType::Ipv6
        )
}

fn is_integer(ty: &DataType) -> bool {
    use DataType::{
        Int8, Int16, Int32, Int64, Int128, Int256, UInt8, UInt16, UInt32, UInt64, UInt128, UInt256,
    };
    matches!(
        ty,
        Int8 | Int16 | Int32 | Int64 | Int128 | Int256 | UInt8 | UInt16 | UInt32 | UInt64 | UInt128 | UInt256
    )
}

fn is_array(ty: &DataType) -> bool {
    matches!(shape(ty), DataType::Array(_))
}
