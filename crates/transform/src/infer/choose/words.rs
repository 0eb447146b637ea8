//! Reasons in words.

use super::super::node::{Kinds, Node};
use crate::types::DataType;

/// What to say of samples without a value.
pub(super) fn absences(node: &Node, samples: u64, ty: &DataType) -> String {
    let (missing, nulls) = (samples - node.present, node.nulls.count);
    let stored = match ty {
        DataType::Array(_) | DataType::Map(..) | DataType::Json(_) => ", stored as empty",
        DataType::Tuple(_) => ", where its elements are NULL or empty",
        _ => "",
    };
    match (missing, nulls) {
        (0, 0) => String::new(),
        (missing, 0) => format!("; missing in {missing} of {samples} samples{stored}"),
        (0, nulls) if nulls == samples => String::new(),
        (0, nulls) => format!("; null in {nulls} of {samples} samples{stored}"),
        (missing, nulls) => {
            format!("; missing in {missing} and null in {nulls} of {samples} samples{stored}")
        }
    }
}

/// So many of something, in words.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

impl Kinds {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kinds::BOOL => "true or false",
            Kinds::INTEGER => "whole number",
            Kinds::FLOAT => "number with a point",
            Kinds::TEXT => "text",
            Kinds::ARRAY => "array",
            _ => "object",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Kinds::BOOL => "times true or false",
            Kinds::INTEGER => "whole numbers",
            Kinds::FLOAT => "numbers with a point",
            Kinds::TEXT => "texts",
            Kinds::ARRAY => "arrays",
            _ => "objects",
        }
    }
}
