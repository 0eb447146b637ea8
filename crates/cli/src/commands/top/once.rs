//! The pipes once: as a table, or as one document.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::draw::list_lines;
use super::history::Row;
use super::lag::Lag;
use crate::ui::Ui;

/// The result as a document.
#[derive(Serialize)]
struct Document<'a> {
    server: &'a str,
    at: String,
    totals: Totals,
    pipes: Vec<Line<'a>>,
}

/// Sums over all pipes.
#[derive(Serialize)]
struct Totals {
    pipes: usize,
    read_per_second: f64,
    /// None where the lag of a pipe is not known.
    lag_records: Option<u64>,
    /// That of the pipes whose lag is known.
    lag_records_known: u64,
    /// Pipes whose lag is not known.
    lag_unknown: u64,
    read: u64,
    loaded: u64,
    rejected: u64,
}

/// A pipe.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
    stage: &'a str,
    reason: Option<&'a str>,
    since: Option<&'a str>,
    read_per_second: Option<f64>,
    lag_records: Option<u64>,
    lag_seconds: Option<f64>,
    read: u64,
    loaded: u64,
    rejected: u64,
    in_flight: u64,
}

/// Prints the pipes, by name.
pub(super) fn print(server: &str, mut rows: Vec<Row>, now: DateTime<Utc>, ui: &Ui) -> io::Result<()> {
    rows.sort_by(|a, b| a.pipe.name.cmp(&b.pipe.name));
    if ui.json() {
        return ui.document(&document(server, &rows, now));
    }
    if rows.is_empty() {
        ui.note(&format!("{server} has no pipes."));
        return Ok(());
    }
    list_lines(&rows.iter().collect::<Vec<_>>(), now).iter().try_for_each(|line| ui.line(line))
}

fn document<'a>(server: &'a str, rows: &'a [Row], now: DateTime<Utc>) -> Document<'a> {
    let lag = Lag::of(rows);
    let sum = |number: fn(&Row) -> u64| rows.iter().map(number).sum();
    let line = |row: &'a Row| Line {
        id: &row.pipe.id,
        name: &row.pipe.name,
        stage: &row.pipe.stage,
        reason: row.pipe.reason.as_deref(),
        since: row.pipe.since.as_deref(),
        read_per_second: row.read_per_second,
        lag_records: row.pipe.lag_records(),
        lag_seconds: row.pipe.lag_seconds(),
        read: row.pipe.counters.read,
        loaded: row.pipe.counters.loaded,
        rejected: row.pipe.counters.rejected,
        in_flight: row.pipe.counters.in_flight,
    };
    Document {
        server,
        at: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        totals: Totals {
            pipes: rows.len(),
            read_per_second: rows.iter().filter_map(|row| row.read_per_second).sum(),
            lag_records: lag.records(),
            lag_records_known: lag.known_records,
            lag_unknown: lag.unknown_pipes,
            read: sum(|row| row.pipe.counters.read),
            loaded: sum(|row| row.pipe.counters.loaded),
            rejected: sum(|row| row.pipe.counters.rejected),
        },
        pipes: rows.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::PipeView;

    #[test]
    fn a_lag_that_is_not_known_is_not_taken_for_none() {
        let row = |told: Option<u64>| Row {
            pipe: PipeView { told_lag_records: told, ..PipeView::default() },
            read_per_second: None,
            past: Vec::new(),
        };
        let totals = |rows: &[Row]| {
            let totals = document("s", rows, DateTime::UNIX_EPOCH).totals;
            (totals.lag_records, totals.lag_records_known, totals.lag_unknown, Lag::of(rows).words())
        };
        assert_eq!(totals(&[]), (Some(0), 0, 0, "0".to_owned()));
        assert_eq!(totals(&[row(Some(3)), row(Some(4))]), (Some(7), 7, 0, "7".to_owned()));
        assert_eq!(totals(&[row(Some(3)), row(None)]), (None, 3, 1, "3 + ? of 1 pipe".to_owned()));
        assert_eq!(totals(&[row(None), row(None)]), (None, 0, 2, "0 + ? of 2 pipes".to_owned()));
    }
}
