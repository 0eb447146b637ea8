//! What inference returns.

use std::fmt;

use super::choose::{Chooser, expected};
use super::clash::Clash;
use super::keys::{self, TimeUnit};
use super::node::{Field, Node};
use super::{Inference, InferenceOptions};
use crate::columns::{Column, Columns, Source};
use crate::reject::Reject;
use crate::types::Identifier;

/// The columns that fit the samples, and the keys of a table for them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inferred {
    /// The samples that were looked at, refused ones not counted.
    pub samples: u64,
    /// Samples that no columns could take.
    pub refused: u64,
    /// The first of them.
    pub first_refused: Option<RefusedSample>,
    /// The columns, in the order in which their keys were seen first; behind them those that were expected and that no sample
    /// has.
    pub columns: Vec<InferredColumn>,
    /// Keys of the samples that have no column.
    pub left_out: Vec<LeftOutKey>,
    /// The proposed sorting key: names of columns, unquoted, none of them Nullable. Nothing stands for `tuple()`.
    pub order_by: Vec<String>,
    /// Why, in one sentence.
    pub order_by_reason: String,
    /// The proposed partitioning; none is one partition.
    pub partition_by: Option<PartitionKey>,
    /// Why, in one sentence.
    pub partition_by_reason: String,
}

impl Inferred {
    /// The columns as a plan takes them.
    ///
    /// ```
    /// use housepipe_transform::{Inference, Plan, PlanOptions};
    ///
    /// let mut inference = Inference::new();
    /// inference.add(br#"{"a":[1,2.5]}"#, 0)?;
    /// let columns = inference.finish(&Default::default()).columns();
    /// assert_eq!(columns.to_string(), "a Array(Float64)");
    /// assert!(Plan::compile(&columns, &PlanOptions::default()).is_ok());
    /// # Ok::<(), housepipe_transform::Reject>(())
    /// ```
    #[must_use]
    pub fn columns(&self) -> Columns {
        self.columns.iter().map(|column| column.column.clone()).collect()
    }
}

/// A column, and why it is as it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InferredColumn {
    /// Name, type, and the key that fills it, which is the name.
    pub column: Column,
    /// How sure the type is, above 0 and below 1: `(k + 1) / (n + 2)` for `k` of `n` values that are of the kind which
    /// the type is made for, and the least of that and of all that is inside.
    pub confidence: f64,
    /// Why it has this type, in one sentence.
    pub reason: String,
    /// The sample that made the type as wide as it is, by the number that [`Inference::add`] was given with it: the last
    /// one behind which the type had to change.
    pub decided_by: Option<u64>,
    /// What to know before the column is used, a sentence each: mostly nothing.
    pub notes: Vec<String>,
    /// Samples that had a value for it, nulls not counted.
    pub values: u64,
    /// Samples in which it was null.
    pub nulls: u64,
    /// Samples without its key.
    pub missing: u64,
}

/// A sample that no columns could take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedSample {
    /// The number that [`Inference::add`] was given with it.
    pub origin: u64,
    /// Why.
    pub reject: Reject,
}

/// A key of the samples that has no column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOutKey {
    /// The key; bytes that are not UTF-8 are replaced.
    pub key: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// A partition key. It prints as the expression, names quoted where they need it.
///
/// ```
/// use housepipe_transform::PartitionKey;
/// let key = PartitionKey::MonthOfTicks { column: "sent at".to_owned(), digits: 3 };
/// assert_eq!(key.to_string(), "toYYYYMM(fromUnixTimestamp64Milli(`sent at`))");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionKey {
    /// The month of a Date, a DateTime or a DateTime64.
    Month {
        /// The column's name, unquoted.
        column: String,
    },
    /// The month of an Int64 that counts units of `10^-digits` seconds since 1970.
    MonthOfTicks {
        /// The column's name, unquoted.
        column: String,
        /// 3 for milliseconds, 6 for microseconds, 9 for nanoseconds.
        digits: u8,
    },
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month { column } => write!(f, "toYYYYMM({})", Identifier(column)),
            Self::MonthOfTicks { column, digits } => {
                write!(f, "toYYYYMM({})", moment_of_ticks(column, *digits))
            }
        }
    }
}

/// The expression that makes a moment of a column that counts units of `10^-digits` seconds.
fn moment_of_ticks(column: &str, digits: u8) -> String {
    let unit = match digits {
        0..=3 => "Milli",
        4..=6 => "Micro",
        _ => "Nano",
    };
    format!("fromUnixTimestamp64{unit}({})", Identifier(column))
}

/// Chooses columns and keys.
pub(super) fn infer(inference: &Inference, options: &InferenceOptions) -> Inferred {
    let samples = inference.samples();
    let mut left_out = Vec::new();
    let mut columns = Vec::new();
    let mut candidates = Vec::new();
    let mut chooser = Chooser::new(options, inference.limits.distinct_max);
    chooser.beside(&inference.columns.fields);
    for field in &inference.columns.fields {
        let Some(name) = std::str::from_utf8(&field.key).ok().filter(|name| !name.is_empty()) else {
            left_out.push(nameless(field));
            continue;
        };
        let clash = Clash::of(field, &inference.columns.fields);
        let mut choice = chooser.column(&field.node, name, samples, clash);
        if let Some(expected) = inference.expected.of(&field.key)
            && expected.is_free(clash, &inference.columns.fields, &inference.expected)
        {
            choice = expected::agreed(expected, choice, &field.node, samples);
        }
        if let Some(TimeUnit::Ticks { digits, .. }) = choice.time {
            let moment = moment_of_ticks(name, digits);
            choice.notes.push(format!("{moment} is the moment; a column may be MATERIALIZED from it"));
        }
        let column = InferredColumn {
            column: Column::new(name, choice.ty),
            confidence: choice.confidence,
            reason: choice.reason,
            decided_by: choice.mark.map(|mark| mark.origin),
            notes: notes(name, &inference.columns.fields).into_iter().chain(choice.notes).collect(),
            values: field.node.values(),
            nulls: field.node.nulls.count,
            missing: samples - field.node.present,
        };
        candidates.push((&field.node, choice.time));
        columns.push(column);
    }
    let nothing = Node::default();
    for expected in inference.expected.unseen(&inference.columns) {
        let name = &expected.column.name;
        let fields = &inference.columns.fields;
        if expected.is_beside(fields) || expected.clashes(fields, &inference.expected) {
            let reason = format!(
                "{}, and no sample has it: ClickHouse would take it and columns whose names are the same up to a point for \
                 parts of one",
                expected.column.reason
            );
            left_out.push(LeftOutKey { key: name.clone(), reason });
            continue;
        }
        let choice = expected::unseen(expected, &nothing, samples);
        candidates.push((&nothing, choice.time));
        columns.push(InferredColumn {
            column: Column::new(name, choice.ty),
            confidence: choice.confidence,
            reason: choice.reason,
            decided_by: None,
            notes: notes(name, &inference.columns.fields),
            values: 0,
            nulls: 0,
            missing: samples,
        });
    }
    if let Some(key) = &inference.first_without_column {
        let reason = format!(
            "the first of the keys beyond the limit, which is {} columns with names of {} bytes; samples had such keys {} \
             times",
            inference.limits.columns_max, inference.limits.key_bytes_max, inference.without_column
        );
        left_out.push(LeftOutKey { key: String::from_utf8_lossy(key).into_owned(), reason });
    }
    let keys = keys::propose(&columns, &candidates);
    Inferred {
        samples,
        refused: inference.refused,
        first_refused: inference.first_refused.clone(),
        columns,
        left_out,
        order_by: keys.order_by,
        order_by_reason: keys.order_by_reason,
        partition_by: keys.partition_by,
        partition_by_reason: keys.partition_by_reason,
    }
}

fn nameless(field: &Field) -> LeftOutKey {
    let reason = if field.key.is_empty() {
        "a column has a name, and this key is empty"
    } else {
        "a column's name is UTF-8, and this key is not"
    };
    LeftOutKey { key: String::from_utf8_lossy(&field.key).into_owned(), reason: reason.to_owned() }
}

fn notes(name: &str, fields: &[Field]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Source::Virtual(_) = Source::of_column(name) {
        notes.push(
            "the key has the name of a virtual column: `from` with the name in backquotes stands for the key; without it the \
             column would hold what Kafka has by that name"
                .to_owned(),
        );
    } else if name.starts_with('_') {
        notes.push(
            "the key begins with `_`, as names of virtual columns do: leave `from` out, so that the column's name \
             stands for the key"
                .to_owned(),
        );
    } else if name.contains(['.', '[']) {
        notes.push(
            "the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for \
             the key"
                .to_owned(),
        );
    }
    let twin = fields
        .iter()
        .find(|field| *field.key != *name.as_bytes() && field.key.eq_ignore_ascii_case(name.as_bytes()));
    if let Some(twin) = twin {
        let twin = String::from_utf8_lossy(&twin.key);
        notes.push(format!("only letter case tells the key from `{twin}`, which is a column of its own"));
    }
    notes
}
