//! Which rows of an error table are meant.

use crate::error::SinkError;
use crate::error_row::RowKind;
use crate::expression::check_condition;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// Types that a condition may have.
const BOOLEAN_TYPES: [&str; 2] = ["UInt8", "Bool"];

/// Conditions on rows of one pipe; those that are empty hold for every row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorFilter {
    /// The pipe's name.
    pub pipe: String,
    /// Kinds of rows.
    pub kinds: Vec<RowKind>,
    /// Codes.
    pub codes: Vec<String>,
    /// Columns of the destination.
    pub columns: Vec<String>,
    /// Rows from this time on, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Rows before this time, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// An expression over the table's columns; see [`Sink::check_condition`].
    pub condition: Option<String>,
    /// Leaves out records that were replayed.
    pub is_open: bool,
}

impl ErrorFilter {
    /// Every row of `pipe`.
    pub fn of_pipe(pipe: &str) -> ErrorFilter {
        ErrorFilter { pipe: pipe.to_owned(), ..ErrorFilter::default() }
    }

    /// The expression behind WHERE. The condition stands in parentheses that it cannot leave.
    pub(super) fn sql(&self, table: &str) -> Result<String, SinkError> {
        let mut parts = vec![format!("pipe = {}", quote_string(&self.pipe))];
        let mut one_of = |name: &str, values: Vec<&str>| {
            if !values.is_empty() {
                let values: Vec<String> = values.into_iter().map(quote_string).collect();
                parts.push(format!("{} IN ({})", quote_identifier(name), values.join(", ")));
            }
        };
        one_of("kind", self.kinds.iter().map(|kind| kind.name()).collect());
        one_of("code", self.codes.iter().map(String::as_str).collect());
        one_of("column", self.columns.iter().map(String::as_str).collect());
        for (operator, time_ms) in [(">=", self.since_ms), ("<", self.until_ms)] {
            if let Some(time_ms) = time_ms {
                parts.push(format!("_time {operator} fromUnixTimestamp64Milli(toInt64({time_ms}))"));
            }
        }
        if let Some(condition) = &self.condition {
            check_condition(condition)?;
            parts.push(format!("({condition})"));
        }
        if self.is_open {
            parts.push(format!(
                "NOT (kind = 'record' AND {})",
                super::claims::replayed_sql(table, &self.pipe)
            ));
        }
        Ok(parts.join(" AND "))
    }
}

impl Sink {
    /// Checks that `condition` is one boolean expression over the columns of the error table `table`. Only its type is
    /// asked for; no row is read.
    ///
    /// # Errors
    /// [`SinkError::Condition`] where it is more than an expression or no condition; [`SinkError::Server`] with what
    /// the server says of it.
    pub async fn check_condition(&self, table: &str, condition: &str) -> Result<(), SinkError> {
        check_condition(condition)?;
        // Behind WHERE as well: what is no condition there, such as an aggregate, is refused by the server.
        let sql = format!(
            "DESCRIBE TABLE (SELECT ({condition}) AS verdict FROM {} WHERE ({condition})) SETTINGS describe_compact_output = 1",
            quote_identifier(table)
        );
        let (_, type_name): (String, String) = self.read_one("the condition", &sql).await?;
        let bare = ["LowCardinality(", "Nullable("].iter().fold(type_name.as_str(), |text, wrapper| {
            text.strip_prefix(wrapper).and_then(|text| text.strip_suffix(')')).unwrap_or(text)
        });
        if BOOLEAN_TYPES.contains(&bare) {
            return Ok(());
        }
        Err(SinkError::Condition { problem: "is not true or false" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_quoted_and_joined() {
        let filter = ErrorFilter {
            kinds: vec![RowKind::Record, RowKind::System],
            codes: vec!["it's".to_owned()],
            columns: vec!["n".to_owned()],
            since_ms: Some(-1),
            until_ms: Some(5),
            condition: Some("offset > 5 OR partition = 1".to_owned()),
            ..ErrorFilter::of_pipe("p")
        };
        assert_eq!(
            filter.sql("t").unwrap(),
            r"pipe = 'p' AND `kind` IN ('record', 'system') AND `code` IN ('it\'s') AND `column` IN ('n') AND _time >= fromUnixTimestamp64Milli(toInt64(-1)) AND _time < fromUnixTimestamp64Milli(toInt64(5)) AND (offset > 5 OR partition = 1)"
        );
        assert_eq!(ErrorFilter::of_pipe("p").sql("t").unwrap(), "pipe = 'p'");
    }

    #[test]
    fn a_condition_cannot_leave_its_parentheses() {
        for condition in [
            "1) OR (1",
            "1 AS kind",
            "((1 as pipe))",
            "1; DROP TABLE t",
            "offset IN (SELECT 1)",
            "1 -- ",
            "1 /*",
            "'",
            "",
        ] {
            let filter = ErrorFilter { condition: Some(condition.to_owned()), ..ErrorFilter::of_pipe("p") };
            assert!(filter.sql("t").is_err(), "{condition}");
        }
    }
}
