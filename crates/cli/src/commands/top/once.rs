//! The pipes once: as a table, or as one document.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::draw::list_lines;
use super::history::Row;
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
    lag_records: u64,
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
            lag_records: rows.iter().filter_map(|row| row.pipe.lag_records()).sum(),
            read: sum(|row| row.pipe.counters.read),
            loaded: sum(|row| row.pipe.counters.loaded),
            rejected: sum(|row| row.pipe.counters.rejected),
        },
        pipes: rows.iter().map(line).collect(),
    }
}
