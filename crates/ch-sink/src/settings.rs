//! Settings of an insert: what this server knows of those that keep a batch one block.

use std::collections::HashSet;

use crate::insert::Insert;

/// Rows above every insert, so that the server never cuts a batch into blocks.
const BLOCK_ROWS: &str = "1048576";

/// Every setting that an insert may send; the server is asked once which of them it has.
pub(crate) const WANTED: &[&str] = &[
    "async_insert",
    "deduplicate_blocks_in_dependent_materialized_views",
    "deduplicate_insert",
    "input_format_binary_read_json_as_string",
    "input_format_max_block_size_bytes",
    "input_format_parallel_parsing",
    "insert_deduplicate",
    "insert_deduplication_token",
    "max_execution_time",
    "max_insert_block_size",
    "max_insert_block_size_bytes",
    "max_insert_threads",
    "min_insert_block_size_bytes",
    "min_insert_block_size_rows",
];

/// Names and values for `insert`, of the settings in `known`. The server gives it up after `seconds_max`.
pub(crate) fn of_insert<'a>(
    insert: &Insert<'a>,
    seconds_max: &'a str,
    known: &HashSet<String>,
) -> Vec<(&'static str, &'a str)> {
    let mut settings = vec![
        // A part per insert, acknowledged when it is written: tokens and asynchronous inserts do not go together.
        ("async_insert", "0"),
        ("max_insert_block_size", BLOCK_ROWS),
        ("max_insert_block_size_bytes", "0"),
        ("input_format_max_block_size_bytes", "0"),
        ("min_insert_block_size_rows", BLOCK_ROWS),
        ("min_insert_block_size_bytes", "0"),
        ("input_format_parallel_parsing", "0"),
        ("max_insert_threads", "1"),
        // What is given up here must not be stored there much later.
        ("max_execution_time", seconds_max),
    ];
    if insert.json_as_string {
        settings.push(("input_format_binary_read_json_as_string", "1"));
    }
    match insert.token {
        Some(token) => {
            settings.push(("insert_deduplicate", "1"));
            settings.push(("deduplicate_insert", "enable"));
            settings.push(("insert_deduplication_token", token));
            // Or a repetition that the table drops would never reach a view that failed the first time.
            settings.push(("deduplicate_blocks_in_dependent_materialized_views", "1"));
        }
        // Else the server makes a token out of the rows: it would drop other inserts of the same rows, and forget a token of
        // somebody else for it.
        None => {
            settings.push(("insert_deduplicate", "0"));
            settings.push(("deduplicate_insert", "disable"));
        }
    }
    settings.retain(|(name, _)| known.contains(*name));
    settings
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::InsertFormat;

    fn insert(token: Option<&str>, json_as_string: bool) -> Insert<'_> {
        let (format, body) = (InsertFormat::RowBinary, Bytes::new());
        Insert { table: "t", columns: &[], format, body, rows: 1, token, json_as_string, session: None }
    }

    #[test]
    fn every_setting_is_asked_for_before_it_is_sent() {
        let all: HashSet<String> = WANTED.iter().map(|name| (*name).to_owned()).collect();
        let sent = of_insert(&insert(Some("t"), true), "9", &all);
        assert_eq!(sent.len(), WANTED.len());
        assert!(of_insert(&insert(Some("t"), true), "9", &HashSet::new()).is_empty());
        let without = of_insert(&insert(None, false), "9", &all);
        assert!(!without.iter().any(|(name, _)| name.contains("token") || name.contains("json")));
        assert!(without.contains(&("insert_deduplicate", "0")));
        assert!(without.contains(&("deduplicate_insert", "disable")));
    }
}
