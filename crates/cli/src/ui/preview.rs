//! A preview as text.

use std::collections::BTreeMap;

use housepipe_runtime::{PreviewReject, PreviewReport, SampleOrigin, TableState};
use serde_json::value::RawValue;

use super::grid::{GridColumn, cut, grid};
use super::numbers::count;
use super::table::Align;
use super::text::shown;

/// Columns of a terminal where none tells its own.
const WIDTH_DEFAULT: usize = 120;

/// Columns of a terminal that are made use of, at least.
const WIDTH_MIN: usize = 40;

/// Keys without a column that are named, at most.
const SKIPPED_KEYS_SHOWN_MAX: usize = 10;

/// The width of the terminal at hand.
pub(crate) fn terminal_width() -> usize {
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    width.unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN)
}

/// Rows, rejects and what they come to, in lines of at most `width` where that is possible.
pub(crate) fn preview_lines(report: &PreviewReport, width: usize) -> Vec<String> {
    let mut lines = vec![title(report)];
    if let Some(why) = &report.without_clickhouse {
        lines.push(format!(
            "warning: clickhouse could not be asked, so the columns are those of the file, and times without a zone are \
             read as UTC: {}",
            shown(why, usize::MAX)
        ));
    }
    if let Some(why) = &report.cut_short {
        let why = shown(why, usize::MAX);
        lines.push(format!("warning: not all of the records came, and the newest may be missing: {why}"));
    }
    if report.read == 0 {
        lines.push(format!("The topic `{}` is empty.", report.topic));
        return lines;
    }
    let blocks = rows(report, width);
    for (number, block) in blocks.iter().enumerate() {
        lines.push(match blocks.len() {
            1 => String::new(),
            all => format!("\nrows, part {} of {all}:", number + 1),
        });
        lines.extend_from_slice(block);
    }
    if !report.rejects.is_empty() {
        lines.push("\nrejected:".to_owned());
        lines.extend(report.rejects.iter().flat_map(|reject| rejected(reject, width)));
    }
    if !report.skipped_keys.is_empty() {
        lines.push(String::new());
        lines.push(skipped(report));
    }
    lines.push(String::new());
    if report.passes_stop_ratio {
        lines.push(
            "warning: more of them are rejected than `error_table.stop_ratio` allows: a run stops where that holds for 1,000 \
             records or more"
                .to_owned(),
        );
    }
    lines.push(summary(report));
    lines
}

fn title(report: &PreviewReport) -> String {
    let state = match report.table_state {
        TableState::Exists => "an existing table",
        TableState::WillBeCreated => "a table that a run will create",
        TableState::Unknown => "a table that was not looked at",
    };
    format!("{}: topic `{}` into `{}`, {state}; nothing is written", report.pipe, report.topic, report.table)
}

/// The rows as blocks of a table, each value under its column.
fn rows(report: &PreviewReport, width: usize) -> Vec<Vec<String>> {
    if report.rows.is_empty() {
        return Vec::new();
    }
    let values: Vec<BTreeMap<String, Box<RawValue>>> = report
        .rows
        .iter()
        // What was decoded is an object.
        .map(|row| serde_json::from_str(row.row.get()).unwrap_or_default())
        .collect();
    let is_line = matches!(report.rows.first().map(|row| row.origin), Some(SampleOrigin::Line { .. }));
    let head = if is_line { "line" } else { "partition:offset" };
    let key = GridColumn {
        head: vec![head.to_owned(), String::new()],
        align: Align::Left,
        cells: report.rows.iter().map(|row| place(row.origin)).collect(),
    };
    let columns: Vec<GridColumn> = report
        .columns
        .iter()
        .map(|column| {
            let of_rows = || values.iter().map(|row| row.get(&column.name).map(|value| value.get()));
            let is_number = |value: Option<&str>| {
                value.is_none_or(|value| {
                    value == "null" || value.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                })
            };
            GridColumn {
                head: vec![shown(&column.name, width), cut(&shown(&column.data_type, width), TYPE_WIDTH)],
                align: if of_rows().all(is_number) { Align::Right } else { Align::Left },
                cells: of_rows().map(|value| cell(value, width)).collect(),
            }
        })
        .collect();
    grid(&key, &columns, width)
}

/// Columns that a type may take in a head: it need not make a column of short values wide.
const TYPE_WIDTH: usize = 20;

/// Where a record is, in short.
fn place(origin: SampleOrigin) -> String {
    match origin {
        SampleOrigin::Record { partition, offset } => format!("{partition}:{offset}"),
        SampleOrigin::Line { line } => line.to_string(),
    }
}

/// A value as people read it: text without its quotes.
fn cell(value: Option<&str>, width: usize) -> String {
    match value {
        None => "DEFAULT".to_owned(),
        Some("null") => "NULL".to_owned(),
        Some(json) => match serde_json::from_str::<String>(json) {
            Ok(text) => shown(&text, width),
            Err(_) => shown(json, width),
        },
    }
}

fn rejected(reject: &PreviewReject, width: usize) -> Vec<String> {
    let column = match &reject.column {
        Some(column) => format!("  column {}", shown(column, width)),
        None => String::new(),
    };
    let head = format!("{}  {}{column}  at byte {}", reject.origin, reject.code, reject.position);
    let mut lines = vec![head, format!("  {}", shown(&reject.message, usize::MAX))];
    if reject.raw_bytes > 0 {
        lines.push(format!("  {}", cut(&shown(&reject.raw, width), width.saturating_sub(2))));
    }
    lines
}

fn skipped(report: &PreviewReport) -> String {
    let mut keys: Vec<String> = report
        .skipped_keys
        .iter()
        .take(SKIPPED_KEYS_SHOWN_MAX)
        .map(|key| format!("{} ({})", shown(&key.key, 60), count(key.records)))
        .collect();
    if report.skipped_keys.len() > SKIPPED_KEYS_SHOWN_MAX {
        keys.push(format!("and {} more", report.skipped_keys.len() - SKIPPED_KEYS_SHOWN_MAX));
    }
    format!("keys without a column, which are skipped: {}", keys.join(", "))
}

/// One line.
fn summary(report: &PreviewReport) -> String {
    let codes: Vec<String> =
        report.rejected_by_code.iter().map(|(code, records)| format!("{} {code}", count(*records))).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
    format!(
        "{} read: {} rows, {} rejected{codes}; nothing was written",
        count(report.read),
        count(report.accepted),
        count(report.rejected)
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use housepipe_runtime::{PreviewColumn, PreviewRow, SkippedKey};

    use super::*;

    fn report(rows: &[&str]) -> PreviewReport {
        let column = |name: &str, data_type: &str| PreviewColumn {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            has_default: false,
        };
        let at = |offset| SampleOrigin::Record { partition: 2, offset };
        PreviewReport {
            pipe: "clicks".to_owned(),
            topic: "clicks".to_owned(),
            table: "clicks".to_owned(),
            table_state: TableState::Exists,
            create_table: None,
            without_clickhouse: None,
            cut_short: None,
            columns: vec![
                column("id", "UInt64"),
                column("word", "LowCardinality(String)"),
                column("tags", "Array(String)"),
            ],
            read: rows.len() as u64 + 1,
            accepted: rows.len() as u64,
            rejected: 1,
            passes_stop_ratio: false,
            rejected_by_code: BTreeMap::from([("out_of_range", 1)]),
            rows: (7..)
                .zip(rows)
                .map(|(offset, row)| PreviewRow {
                    origin: at(offset),
                    timestamp_ms: None,
                    row: RawValue::from_string((*row).to_owned()).unwrap(),
                })
                .collect(),
            rejects: vec![PreviewReject {
                origin: at(6),
                timestamp_ms: None,
                code: "out_of_range",
                column: Some("id".to_owned()),
                position: 6,
                message: "too large".to_owned(),
                raw: format!("{{\"id\":-1,\"x\":\"\u{1b}[31m{}\"}}", "y".repeat(200)),
                raw_bytes: 230,
            }],
            skipped_keys: vec![SkippedKey { key: "x".to_owned(), records: 1_000 }],
        }
    }

    const ROWS: [&str; 3] = [
        r#"{"id":18446744073709551615,"word":"größer","tags":["a","b"]}"#,
        r#"{"id":1,"word":"\u001b[31m and so on, for longer than there is room in one line of it","tags":[]}"#,
        r#"{"id":2,"tags":null}"#,
    ];

    #[test]
    fn rows_rejects_and_the_sum_of_them() {
        let lines = preview_lines(&report(&ROWS), 80);
        expect![[r#"
            clicks: topic `clicks` into `clicks`, an existing table; nothing is written

            partition:offset                    id  word                       tags
                                            UInt64  LowCardinality(Stri…       Array(String)
            2:7               18446744073709551615  größer                     ["a","b"]
            2:8                                  1  \u{1b}[31m and so on, fo…  []
            2:9                                  2  DEFAULT                    NULL

            rejected:
            partition 2, offset 6  out_of_range  column id  at byte 6
              too large
              {"id":-1,"x":"\u{1b}[31myyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…

            keys without a column, which are skipped: x (1,000)

            4 read: 3 rows, 1 rejected (1 out_of_range); nothing was written
        "#]]
        .assert_eq(&(lines.join("\n") + "\n"));
        let rows_and_raw = lines.iter().filter(|line| line.starts_with("2:") || line.starts_with("  {"));
        assert!(
            rows_and_raw.clone().count() == 4
                && rows_and_raw.into_iter().all(|line| line.chars().count() <= 80)
        );
    }

    #[test]
    fn narrow_terminals_have_the_columns_below_each_other() {
        let cut_short = Some("it took too long".to_owned());
        let lines = preview_lines(&PreviewReport { passes_stop_ratio: true, cut_short, ..report(&ROWS) }, 40);
        let is_told = |line: &String| line.ends_with("the newest may be missing: it took too long");
        assert!(lines.iter().any(is_told), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("warning: more of them are rejected")), "{lines:?}");
        assert!(lines.iter().any(|line| line == "\nrows, part 1 of 3:"), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("2:7")).count(), 3, "{lines:?}");
    }

    #[test]
    fn an_empty_topic_and_a_clickhouse_that_is_away_are_told() {
        let empty = PreviewReport {
            read: 0,
            table_state: TableState::Unknown,
            without_clickhouse: Some("nothing listens there".to_owned()),
            ..report(&[])
        };
        expect![[r#"
            clicks: topic `clicks` into `clicks`, a table that was not looked at; nothing is written
            warning: clickhouse could not be asked, so the columns are those of the file, and times without a zone are read as UTC: nothing listens there
            The topic `clicks` is empty.
        "#]].assert_eq(&(preview_lines(&empty, 80).join("\n") + "\n"));
    }
}
