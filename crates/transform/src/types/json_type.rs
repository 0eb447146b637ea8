//! What the arguments of a JSON type cannot be.

use std::collections::HashSet;

use super::{DataType, JsonSkip, JsonTypeArgs, regexp};

/// `max_dynamic_types` of a JSON type, at most.
const DYNAMIC_TYPES_MAX: u64 = 254;

/// `max_dynamic_paths` of a JSON type, at most.
const DYNAMIC_PATHS_MAX: u64 = 10_000;

/// Returns the reason why ClickHouse would not create a column of these arguments.
pub(super) fn check(args: &JsonTypeArgs) -> Result<(), String> {
    for (name, value, max) in [
        ("max_dynamic_types", args.max_dynamic_types, DYNAMIC_TYPES_MAX),
        ("max_dynamic_paths", args.max_dynamic_paths, DYNAMIC_PATHS_MAX),
    ] {
        if let Some(value) = value.filter(|value| *value > max) {
            return Err(format!(
                "'{name}' parameter for JSON type should be a positive integer between 0 and {max}. Got {value}"
            ));
        }
    }
    let mut paths = HashSet::new();
    for (path, ty) in &args.paths {
        if !paths.insert(path) {
            return Err(format!("Found duplicated path with type: {path}"));
        }
        json_path(ty)?;
        // Any beginning of the path counts here, not only whole names.
        let skipped = |skip: &&JsonSkip| matches!(skip, JsonSkip::Path(skip) if path.starts_with(skip));
        if let Some(JsonSkip::Path(skip)) = args.skips.iter().find(skipped) {
            return Err(format!(
                "Path '{path}' is specified with the data type ('{ty}') and matches the SKIP path prefix '{skip}'."
            ));
        }
    }
    args.skips.iter().try_for_each(|skip| match skip {
        JsonSkip::Path(_) => Ok(()),
        JsonSkip::Regexp(pattern) => {
            regexp::check(pattern).map_err(|why| format!("Invalid regexp '{pattern}': {why}"))
        }
    })
}

/// Types that a path of a JSON type cannot have.
fn json_path(ty: &DataType) -> Result<(), String> {
    let refused = match ty {
        DataType::BFloat16 | DataType::Interval(_) | DataType::QBit(_) => Some(String::new()),
        DataType::Map(key, _) => {
            let key = if let DataType::LowCardinality(inner) = &**key { inner } else { key };
            (**key != DataType::String).then(|| " with key type not String".to_owned())
        }
        _ => None,
    };
    match refused {
        Some(why) => Err(format!("JSON serialization doesn't support the return type schema: {ty}{why}")),
        None => ty.children().into_iter().try_for_each(json_path),
    }
}
