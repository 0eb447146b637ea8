//! The functions of a SimpleAggregateFunction: their names, and the types that each takes and returns.
//!
//! ClickHouse wants a function that gives back the type of the column. What each function returns was found by asking
//! the server (`testdata/types/simple_aggregates.toml`).

mod returned;
mod same;

use returned::returned;
use same::{same, without_dictionaries};

use super::{AggregateFunction, DataType};

/// The functions that a SimpleAggregateFunction takes.
const FUNCTIONS: [&str; 22] = [
    "any",
    "any_respect_nulls",
    "anyLast",
    "anyLast_respect_nulls",
    "min",
    "max",
    "sum",
    "sumWithOverflow",
    "groupBitAnd",
    "groupBitOr",
    "groupBitXor",
    "sumMap",
    "minMap",
    "maxMap",
    "groupArrayArray",
    "groupArrayLastArray",
    "groupUniqArrayArray",
    "groupUniqArrayArrayMap",
    "sumMappedArrays",
    "minMappedArrays",
    "maxMappedArrays",
    "timeSeriesGroupArray",
];

/// Other names of these functions. Letter case does not matter where all is in small letters, the names of combinators
/// left out.
const ALIASES: [(&str, &str); 22] = [
    ("first_value", "any"),
    ("any_value", "any"),
    ("anyRespectNulls", "any_respect_nulls"),
    ("anyValueRespectNulls", "any_respect_nulls"),
    ("any_value_respect_nulls", "any_respect_nulls"),
    ("first_value_respect_nulls", "any_respect_nulls"),
    ("firstValueRespectNulls", "any_respect_nulls"),
    ("last_value", "anyLast"),
    ("anyLastRespectNulls", "anyLast_respect_nulls"),
    ("last_value_respect_nulls", "anyLast_respect_nulls"),
    ("lastValueRespectNulls", "anyLast_respect_nulls"),
    ("bit_and", "groupBitAnd"),
    ("bit_or", "groupBitOr"),
    ("bit_xor", "groupBitXor"),
    ("array_concat_agg", "groupArrayArray"),
    ("min", "min"),
    ("max", "max"),
    ("sum", "sum"),
    ("sumMap", "sumMap"),
    ("minMap", "minMap"),
    ("maxMap", "maxMap"),
    ("array_aggArray", "groupArrayArray"),
];

/// The name that ClickHouse prints for the function, where it knows it.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    let exact = FUNCTIONS.into_iter().find(|function| *function == name);
    exact.or_else(|| {
        let (_, function) = ALIASES.into_iter().find(|(alias, _)| {
            let caseless = alias.trim_end_matches("Map").trim_end_matches("Array");
            if caseless.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return *alias == name;
            }
            name.len() == alias.len()
                && name.is_char_boundary(caseless.len())
                && name[..caseless.len()].eq_ignore_ascii_case(caseless)
                && name[caseless.len()..] == alias[caseless.len()..]
        })?;
        Some(function)
    })
}

/// The name that ClickHouse prints for a function over this type.
fn printed<'n>(name: &'n str, argument: &DataType) -> &'n str {
    match (name, argument) {
        ("sumMappedArrays", DataType::Tuple(_)) => "sumMap",
        ("minMappedArrays", DataType::Tuple(_)) => "minMap",
        ("maxMappedArrays", DataType::Tuple(_)) => "maxMap",
        _ => name,
    }
}

/// The function by the name that ClickHouse prints, where it can have this type by that name.
pub(super) fn named(function: AggregateFunction, argument: &DataType) -> AggregateFunction {
    let Some(name) = canonical(&function.name) else { return function };
    let printed = AggregateFunction::new(printed(name, argument), function.parameters.clone());
    let is_held = check(&function, argument).is_ok() && check(&printed, argument).is_ok();
    if is_held { printed } else { function }
}

/// Returns the reason why ClickHouse would not create a column of this function and type.
pub(super) fn check(function: &AggregateFunction, storage: &DataType) -> Result<(), String> {
    let Some(name) = canonical(&function.name) else {
        return Err(format!(
            "Unsupported aggregate function {}, supported functions are {}",
            function.name,
            FUNCTIONS.join(", ")
        ));
    };
    let argument = without_dictionaries(storage);
    let returned = returned(name, &function.parameters, &argument)?;
    let held = match storage {
        DataType::LowCardinality(inner) => inner,
        storage => storage,
    };
    if same(&returned, held) {
        return Ok(());
    }
    Err(format!(
        "Incompatible data types between aggregate function '{}' which returns {returned} and column storage type {storage}",
        printed(name, &argument)
    ))
}
