//! `housepipe pipes list`, `show` and `file`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::made_from::MadeFrom;
use super::wait::words;
use crate::exit::Exit;
use crate::remote::{PipeView, Remote};
use crate::ui::{Align, Ui, bytes, count, seconds, shown, shown_lines, table};

/// Letters of a reason in a list, at most.
const REASON_WIDTH: usize = 80;
/// Letters of a name, at most.
const NAME_WIDTH: usize = 200;

/// All pipes, as the API shows them.
#[derive(Serialize)]
struct Pipes {
    pipes: Vec<Box<RawValue>>,
}

pub(super) async fn list(remote: &Remote, ui: &Ui) -> Result<ExitCode, Exit> {
    if ui.json() {
        ui.document(&Pipes { pipes: remote.pipes().await? })?;
        return Ok(ExitCode::SUCCESS);
    }
    let pipes: Vec<PipeView> = remote.pipes().await?;
    if pipes.is_empty() {
        ui.note(&format!("{} has no pipes; `housepipe pipes create pipe.yaml` makes one.", remote.server()));
        return Ok(ExitCode::SUCCESS);
    }
    let head = [
        ("NAME", Align::Left),
        ("STAGE", Align::Left),
        ("LAG", Align::Right),
        ("LAG AGE", Align::Right),
        ("READ", Align::Right),
        ("LOADED", Align::Right),
        ("REJECTED", Align::Right),
        ("SINCE", Align::Right),
        ("REASON", Align::Left),
    ];
    let now = now();
    let rows: Vec<_> = pipes.iter().map(|pipe| row(pipe, now)).collect();
    for line in table(head, &rows) {
        ui.line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(pipe: &PipeView, now: DateTime<Utc>) -> [String; 9] {
    let [name, stage, lag, lag_age, reason] = cells(pipe);
    let counters = pipe.counters;
    [
        name,
        stage,
        lag,
        lag_age,
        count(counters.read),
        count(counters.loaded),
        count(counters.rejected),
        since(pipe, now).unwrap_or_else(|| "-".to_owned()),
        reason,
    ]
}

/// Name, stage, lag in records and in time, and reason of a pipe, fit for a terminal.
pub(crate) fn cells(pipe: &PipeView) -> [String; 5] {
    let unknown = || "-".to_owned();
    [
        shown(&pipe.name, NAME_WIDTH),
        shown(&pipe.stage, NAME_WIDTH),
        pipe.lag_records().map_or_else(unknown, count),
        pipe.lag_seconds().map_or_else(unknown, seconds),
        shown(pipe.reason.as_deref().unwrap_or_default(), REASON_WIDTH),
    ]
}

/// This moment.
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// For how long the pipe has been at its stage.
pub(crate) fn since(pipe: &PipeView, now: DateTime<Utc>) -> Option<String> {
    let since = DateTime::parse_from_rfc3339(pipe.since.as_deref()?).ok()?;
    // Clocks differ by a little.
    let age_ms = now.signed_duration_since(since).num_milliseconds().max(0);
    #[expect(clippy::cast_precision_loss, reason = "an age for display")]
    Some(seconds(age_ms as f64 / 1_000.0))
}

pub(super) async fn show(remote: &Remote, name: &str, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = remote.find(name).await?;
    if ui.json() {
        ui.document(&pipe.document)?;
    } else {
        for line in details(&pipe.view, now()) {
            ui.line(&shown_lines(&line))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn details(pipe: &PipeView, now: DateTime<Utc>) -> Vec<String> {
    let for_long = since(pipe, now).map_or_else(String::new, |age| format!(", for {age}"));
    let mut lines = vec![
        format!("{} ({})", pipe.name, pipe.id),
        format!("  stage       {}{for_long}", shown(&words(pipe), usize::MAX)),
        format!("  wanted      {}", pipe.wanted),
        format!(
            "  defined     {}, changed {} (revision {})",
            pipe.created_at, pipe.changed_at, pipe.revision
        ),
    ];
    let counters = pipe.counters;
    lines.push(format!(
        "  records     read {} = loaded {} + rejected {} + in flight {} + given back {}",
        count(counters.read),
        count(counters.loaded),
        count(counters.rejected),
        count(counters.in_flight),
        count(counters.given_back)
    ));
    lines.push(format!(
        "  inserts     {}, tried again {}; {} of JSON",
        count(counters.inserts),
        count(counters.retries),
        bytes(counters.bytes_read)
    ));
    let Some(run) = &pipe.run else {
        lines.push("  it does not run in the process that answers".to_owned());
        return lines;
    };
    let last = run
        .last_insert_age_seconds
        .map_or_else(|| "none yet".to_owned(), |age| format!("{} ago", seconds(age)));
    // Beside counts over all runs.
    lines.push(format!("  this run    for {}; last insert {last}", seconds(run.seconds)));
    for (code, records) in &run.rejected_by_code {
        lines.push(format!("  rejected    {} × {code} in this run", count(*records)));
    }
    if run.partitions.is_empty() {
        lines.push("  no partition is read by the process that answers".to_owned());
        return lines;
    }
    let head = [
        ("  partition", Align::Right),
        ("position", Align::Right),
        ("end", Align::Right),
        ("lag", Align::Right),
        ("lag age", Align::Right),
    ];
    let unknown = || "-".to_owned();
    let rows: Vec<_> = run
        .partitions
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
    lines.extend(table(head, &rows));
    lines
}

/// The result of `file` as a document.
#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    file: &'a str,
}

pub(super) async fn file(remote: &Remote, name: &str, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = remote.find(name).await?;
    // Where somebody edits the pipe between these two calls, the line is of the definition before, and an edit by the file is refused.
    let line = MadeFrom::of_pipe(&pipe.view).line();
    let text = [line.as_bytes(), &remote.file(&pipe.view.id).await?].concat();
    if ui.json() {
        let text = std::str::from_utf8(&text)?;
        ui.document(&File { name: &pipe.view.name, file: text })?;
    } else {
        let mut out = io::stdout();
        if out.is_terminal() {
            // It is what somebody has sent to the service.
            out.write_all(shown_lines(&String::from_utf8_lossy(&text)).as_bytes())?;
        } else {
            out.write_all(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const PIPE: &str = r#"{"id":"p1","name":"clicks\u001b[2J","wanted":"running","stage":"running","reason":"clickhouse\nis away",
        "since":"2026-01-01T00:00:00.000Z","revision":3,"created_at":"2026-01-01T00:00:00.000Z","changed_at":"2026-01-02T00:00:00.000Z",
        "counters":{"read":1200,"loaded":1000,"rejected":100,"in_flight":100,"given_back":0,"inserts":7,"retries":1,"bytes_read":2048,"bytes_loaded":9},
        "run":{"seconds":60.0,"rejected_by_code":{"invalid_number":100},"last_insert_age_seconds":null,
          "partitions":[{"partition":0,"position":10,"end":12,"lag_records":2,"lag_seconds":1.5},{"partition":1,"position":null,"end":null,"lag_records":3,"lag_seconds":4.0}]},
        "pipe":{"name":"clicks"},"of_a_later_version":1}"#;

    fn pipe() -> PipeView {
        serde_json::from_str(PIPE).unwrap()
    }

    #[test]
    fn a_pipe_is_shown_with_its_partitions() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:01:00Z").unwrap().into();
        expect![[r#"
            clicks\u{1b}[2J (p1)
              stage       running: clickhouse\nis away, for 60.0 s
              wanted      running
              defined     2026-01-01T00:00:00.000Z, changed 2026-01-02T00:00:00.000Z (revision 3)
              records     read 1,200 = loaded 1,000 + rejected 100 + in flight 100 + given back 0
              inserts     7, tried again 1; 2.0 KiB of JSON
              this run    for 60.0 s; last insert none yet
              rejected    100 × invalid_number in this run
              partition  position  end  lag  lag age
                      0        10   12    2   1.50 s
                      1         -    -    3   4.00 s"#]]
        .assert_eq(&shown_lines(&details(&pipe(), now).join("\n")));
        assert_eq!(
            row(&pipe(), now).join("|"),
            r"clicks\u{1b}[2J|running|5|4.00 s|1,200|1,000|100|60.0 s|clickhouse\nis away"
        );
    }

    #[test]
    fn what_does_not_run_has_no_lag() {
        let rests = PipeView { run: None, since: None, ..pipe() };
        let row = row(&rests, now());
        assert_eq!((row[2].as_str(), row[3].as_str(), row[7].as_str()), ("-", "-", "-"));
        assert!(details(&rests, now()).last().unwrap().contains("does not run"));
    }
}
