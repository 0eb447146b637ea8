//! The state of the screen as lines.

use chrono::{DateTime, Utc};

use super::app::{App, View, Wish};
use super::history::Row;
use super::lag::Lag;
use crate::commands::pipes::{cells, event_line, since};
use crate::ui::{Align, Look, ScreenLine, bytes, count, rate, seconds, shown, spark, table};

/// Bars of the last minute in a list.
const SPARK_WIDTH: usize = 20;
/// Letters of a name in a list.
const NAME_WIDTH: usize = 40;
/// Letters of a text of somebody else that has a line of its own.
const TEXT_WIDTH: usize = 400;
/// Codes of rejects that are shown, at most.
const CODES_MAX: usize = 5;

/// The screen of `height` lines.
pub(crate) fn draw(app: &App, width: usize, height: usize, now: DateTime<Utc>) -> Vec<ScreenLine> {
    let mut lines = vec![ScreenLine::new(Look::Head, headline(app)), trouble(app)];
    let room = height.saturating_sub(3);
    match app.opened() {
        Some(id) => lines.extend(one(app, id, width, room, now)),
        None => lines.extend(list(app, room, now)),
    }
    lines.truncate(height.saturating_sub(1));
    lines.resize_with(height.saturating_sub(1), ScreenLine::default);
    lines.push(foot(app));
    lines
}

fn headline(app: &App) -> String {
    let rates = app.rows.iter().filter_map(|row| row.read_per_second).sum();
    let rejected = app.rows.iter().map(|row| row.pipe.counters.rejected).sum();
    format!(
        "{}  {}  {} records/s  lag {}  rejected {}",
        app.server,
        stages(&app.rows),
        rate(rates),
        Lag::of(&app.rows).words(),
        count(rejected)
    )
}

/// How many pipes are at which stage.
fn stages(rows: &[Row]) -> String {
    let mut stages: Vec<(&str, u64)> = Vec::new();
    for row in rows {
        match stages.iter_mut().find(|(stage, _)| *stage == row.pipe.stage) {
            Some((_, pipes)) => *pipes += 1,
            None => stages.push((&row.pipe.stage, 1)),
        }
    }
    stages.sort_unstable();
    let words: Vec<String> = stages
        .iter()
        .map(|(stage, pipes)| format!("{} {}", count(*pipes), shown(stage, NAME_WIDTH)))
        .collect();
    if words.is_empty() { "no pipes".to_owned() } else { words.join(", ") }
}

fn trouble(app: &App) -> ScreenLine {
    match &app.trouble {
        Some(why) => ScreenLine::new(Look::Alarm, format!("as it was; {}", shown(why, TEXT_WIDTH))),
        None => ScreenLine::default(),
    }
}

fn list(app: &App, room: usize, now: DateTime<Utc>) -> Vec<ScreenLine> {
    let rows = app.shown();
    if rows.is_empty() {
        let none =
            if app.rows.is_empty() { "There are no pipes." } else { "The filter lets no pipe through." };
        return vec![ScreenLine::new(Look::Dim, none)];
    }
    let at = app.at(&rows);
    // The window goes along with the selection.
    let above = (at + 2).saturating_sub(room.max(2)).min(at);
    let visible: Vec<&Row> = rows.iter().skip(above).take(room.saturating_sub(1)).copied().collect();
    let mut texts = list_lines(&visible, now).into_iter();
    let mut lines: Vec<ScreenLine> =
        texts.next().map(|head| ScreenLine::new(Look::Head, head)).into_iter().collect();
    lines.extend(texts.zip(&visible).enumerate().map(|(index, (text, row))| {
        let look = match row.pipe.stage.as_str() {
            _ if above + index == at => Look::Selected,
            "failed" | "misconfigured" => Look::Alarm,
            "paused" => Look::Dim,
            _ => Look::Plain,
        };
        ScreenLine::new(look, text)
    }));
    lines
}

/// The pipes as a table: its head, and a line for each.
pub(super) fn list_lines(rows: &[&Row], now: DateTime<Utc>) -> Vec<String> {
    let head = [
        ("NAME", Align::Left),
        ("STAGE", Align::Left),
        ("RECORDS/S", Align::Right),
        ("LAG", Align::Right),
        ("LAG AGE", Align::Right),
        ("LOADED", Align::Right),
        ("REJECTED", Align::Right),
        ("SINCE", Align::Right),
        // What a narrow screen cuts off is the least of it.
        ("LAST MINUTE", Align::Left),
        ("REASON", Align::Left),
    ];
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let [_, stage, lag, lag_age, reason] = cells(&row.pipe);
            [
                shown(&row.pipe.name, NAME_WIDTH),
                stage,
                row.read_per_second.map_or_else(|| "-".to_owned(), rate),
                lag,
                lag_age,
                count(row.pipe.counters.loaded),
                count(row.pipe.counters.rejected),
                since(&row.pipe, now).unwrap_or_else(|| "-".to_owned()),
                spark(&row.past, SPARK_WIDTH),
                reason,
            ]
        })
        .collect();
    table(head, &cells)
}

fn one(app: &App, id: &str, width: usize, room: usize, now: DateTime<Utc>) -> Vec<ScreenLine> {
    let Some(row) = app.rows.iter().find(|row| row.pipe.id == id) else {
        return vec![ScreenLine::new(Look::Dim, "The pipe is gone.")];
    };
    let mut lines = summary(row, width, now);
    let plain = |text: String| ScreenLine::new(Look::Plain, text);
    if let Some(run) = &row.pipe.run {
        let mut codes: Vec<_> = run.rejected_by_code.iter().collect();
        codes.sort_by_key(|(_, records)| std::cmp::Reverse(**records));
        // Metrics count over all runs.
        let since = if app.is_service { " in this run" } else { "" };
        lines.extend(codes.iter().take(CODES_MAX).map(|(code, records)| {
            plain(format!("rejected    {} × {}{since}", count(**records), shown(code, NAME_WIDTH)))
        }));
    }
    lines.push(ScreenLine::default());
    let mut events: Vec<ScreenLine> = app.events.iter().map(|event| plain(event_line(event))).collect();
    if !events.is_empty() {
        events.insert(0, ScreenLine::new(Look::Head, "EVENTS"));
    }
    // Half of what is left is the events', more where there are few partitions.
    let left = room.saturating_sub(lines.len());
    let mut partitions = partitions(row);
    partitions.truncate(left.saturating_sub(events.len().min(left / 2)));
    lines.extend(partitions);
    let left = room.saturating_sub(lines.len());
    if events.len() > left {
        // The newest are the last, below the head.
        let surplus = events.len() - left;
        events.drain(1..(1 + surplus).min(events.len()));
    }
    lines.extend(events);
    lines
}

fn summary(row: &Row, width: usize, now: DateTime<Utc>) -> Vec<ScreenLine> {
    let pipe = &row.pipe;
    let [name, stage, lag, lag_age, _] = cells(pipe);
    let for_long = since(pipe, now).map_or_else(String::new, |age| format!(" for {age}"));
    let look =
        if matches!(pipe.stage.as_str(), "failed" | "misconfigured") { Look::Alarm } else { Look::Plain };
    let counters = pipe.counters;
    let mut lines = vec![ScreenLine::new(Look::Head, format!("{name}  {stage}{for_long}"))];
    if let Some(reason) = &pipe.reason {
        lines.push(ScreenLine::new(look, shown(reason, TEXT_WIDTH)));
    }
    let label = "last minute ";
    let bars = spark(&row.past, width.saturating_sub(label.len()).min(row.past.len()));
    for text in [
        format!("{label}{bars}"),
        format!(
            "rate        {} records/s   lag {lag} records, {lag_age}",
            row.read_per_second.map_or_else(|| "-".to_owned(), rate)
        ),
        format!(
            "records     read {}   loaded {}   rejected {}   in flight {}",
            count(counters.read),
            count(counters.loaded),
            count(counters.rejected),
            count(counters.in_flight)
        ),
        format!(
            "inserts     {}   tried again {}   {} of JSON",
            count(counters.inserts),
            count(counters.retries),
            bytes(counters.bytes_read)
        ),
    ] {
        lines.push(ScreenLine::new(Look::Plain, text));
    }
    lines
}

/// The partitions, the furthest behind first.
fn partitions(row: &Row) -> Vec<ScreenLine> {
    let mut partitions = row.pipe.run.as_ref().map_or_else(Vec::new, |run| run.partitions.clone());
    if partitions.is_empty() {
        return vec![ScreenLine::new(Look::Dim, "No partition is read by the process that answers.")];
    }
    partitions.sort_by(|a, b| b.lag_records.cmp(&a.lag_records).then(a.partition.cmp(&b.partition)));
    let head = [
        ("PARTITION", Align::Right),
        ("POSITION", Align::Right),
        ("END", Align::Right),
        ("LAG", Align::Right),
        ("LAG AGE", Align::Right),
    ];
    let unknown = || "-".to_owned();
    let cells: Vec<_> = partitions
        .iter()
        .map(|partition| {
            [
                partition.partition.to_string(),
                partition.position.map_or_else(unknown, |offset| offset.to_string()),
                partition.end.map_or_else(unknown, |offset| offset.to_string()),
                partition.lag_records.map_or_else(unknown, count),
                partition.lag_seconds.map_or_else(unknown, seconds),
            ]
        })
        .collect();
    let look = |index| if index == 0 { Look::Head } else { Look::Plain };
    table(head, &cells)
        .into_iter()
        .enumerate()
        .map(|(index, text)| ScreenLine::new(look(index), text))
        .collect()
}

fn foot(app: &App) -> ScreenLine {
    if let Some(Wish { name, pause, .. }) = &app.asks {
        let what = if *pause { "Pause" } else { "Resume" };
        return ScreenLine::new(Look::Head, format!("{what} {}? y/n", shown(name, NAME_WIDTH)));
    }
    if let Some(message) = &app.message {
        return ScreenLine::new(Look::Head, shown(message, TEXT_WIDTH));
    }
    let filter = shown(&app.filter, NAME_WIDTH);
    // Metrics tell, and cannot be told anything.
    let tell = if app.is_service { "p pause or resume   " } else { "" };
    let text = match &app.view {
        View::Filter => return ScreenLine::new(Look::Head, format!("/{filter}  (enter: keep, esc: all)")),
        View::One(_) => format!("{tell}esc back   q quit"),
        View::List => {
            let filtered =
                if filter.is_empty() { String::new() } else { format!("   filter: {filter}, esc: all") };
            format!(
                "↑↓ select   enter open   {tell}s sort (by {})   / filter   q quit{filtered}",
                app.order.word()
            )
        }
    };
    ScreenLine::new(Look::Dim, text)
}
