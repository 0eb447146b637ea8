//! `housepipe demo`: the main job on real parts, from an empty machine to a filling table.

mod producer;
mod stack;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use housepipe_local_stack::corpus::Events;
use housepipe_local_stack::{DATABASE, Stack, USER_DEFAULT};
use housepipe_runtime::{Pipe, PipeFile, RunOptions};
use serde::Serialize;

use crate::args::DemoArgs;
use crate::commands::run::drive;
use crate::exit::Exit;
use crate::signals::Stops;
use crate::ui::{Ui, count};
use producer::Producer;

/// Events a second where neither --rows nor --rate says more.
const RATE_DEFAULT: u32 = 20_000;

const TOPIC: &str = "events";

/// The result of a demo with `--rows`.
#[derive(Serialize)]
struct DemoReport {
    #[serde(flatten)]
    summary: housepipe_runtime::Summary,
    produced: u64,
    rows_in_table: u64,
    rows_in_error_table: u64,
}

pub(crate) async fn run(args: DemoArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let stops = Stops::listen()?;
    let started = tokio::select! {
        started = stack::start(ui) => started?,
        () = stops.heard(1) => return Err(Exit::failed(anyhow!("stopped during the set-up; nothing is left running"))),
    };
    let stack = started;
    let result = with_stack(&args, &stack, &stops, ui).await;
    // Dropping the stack ends both servers and removes their folders.
    drop(stack);
    result
}

async fn with_stack(args: &DemoArgs, stack: &Stack, stops: &Stops, ui: &Ui) -> Result<ExitCode, Exit> {
    ui.note("\nThe pipe file:\n");
    ui.note(&pipe_file(stack, "********"));
    let file = PipeFile::parse(&pipe_file(stack, stack.clickhouse.password()), "demo.yaml")?;
    let rate = args.rate.or(args.rows.is_none().then_some(RATE_DEFAULT));
    let producer =
        Producer::start(stack.kafka.bootstrap(), TOPIC, args.partitions, args.rows, args.bad_records, rate)?;
    let expected = args.rows.map(|rows| rows + args.bad_records);
    ui.note(&match args.rows {
        Some(rows) => format!("Loading {} events from `{TOPIC}` into `{DATABASE}.{TOPIC}` …", count(rows)),
        None => format!(
            "Producing events until Ctrl-C. Look at the table meanwhile:\n  curl {}'{}' --data 'SELECT event, count() FROM {DATABASE}.{TOPIC} GROUP BY event'",
            curl_user(stack),
            stack.clickhouse.url()
        ),
    });
    let pipe = tokio::select! {
        pipe = Pipe::start(&file, RunOptions::default()) => pipe?,
        () = stops.heard(1) => return Err(Exit::failed(anyhow!("stopped before the pipe had started"))),
    };
    let summary = drive(pipe, stops, ui, |handle| {
        // A stop stores what was read at once; waiting for the rows would wait for the last batch to fill.
        let read = handle.snapshot().counters.read;
        producer.has_failed() || expected.is_some_and(|expected| read >= expected)
    })
    .await?;
    let produced = producer.finish()?;
    let report = DemoReport {
        rows_in_table: number(stack, &format!("SELECT count() FROM {TOPIC}"))?,
        rows_in_error_table: number(stack, &format!("SELECT count() FROM {TOPIC}_clickpipes_error"))?,
        produced,
        summary,
    };
    show(&report, stack, ui)?;
    let stored = report.rows_in_table == report.summary.loaded
        && report.rows_in_error_table == report.summary.rejected;
    if !stored {
        return Err(Exit::failed(anyhow!(
            "the tables hold {} rows and {} errors, the pipe counted {} and {}",
            report.rows_in_table,
            report.rows_in_error_table,
            report.summary.loaded,
            report.summary.rejected
        )));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(report: &DemoReport, stack: &Stack, ui: &Ui) -> Result<(), Exit> {
    if ui.json() {
        ui.document(report)?;
        return Ok(());
    }
    ui.line("")?;
    ui.summary(&report.summary)?;
    ui.line("  (CPU and memory include the demo's own producer of events)")?;
    ui.line(&format!(
        "\nIn ClickHouse now: {} rows in `{TOPIC}`, {} in `{TOPIC}_clickpipes_error`",
        count(report.rows_in_table),
        count(report.rows_in_error_table)
    ))?;
    let table = stack.clickhouse.query(&format!(
        "SELECT event, count() AS rows, uniq(user_id) AS users, round(avg(value), 2) AS mean_value, \
         max(ts) AS latest FROM {TOPIC} GROUP BY event ORDER BY rows DESC FORMAT PrettyCompactMonoBlock"
    ))?;
    ui.line(table.trim_end())?;
    if report.rows_in_error_table > 0 {
        let errors = stack.clickhouse.query(&format!(
            "SELECT code, column, any(message) AS example, count() AS records FROM {TOPIC}_clickpipes_error \
             GROUP BY code, column ORDER BY records DESC FORMAT PrettyCompactMonoBlock"
        ))?;
        ui.line(errors.trim_end())?;
    }
    ui.line("\nNext: write a pipe file for your own topic (see the README), then `housepipe check` and `housepipe run`.")?;
    Ok(())
}

fn number(stack: &Stack, sql: &str) -> Result<u64, Exit> {
    let answer = stack.clickhouse.query(sql)?;
    answer
        .trim()
        .parse()
        .map_err(|_| Exit::failed(anyhow!("clickhouse answered `{}` to `{sql}`", answer.trim())))
}

/// What curl needs besides the URL where `CLICKHOUSE_URL` names a user; curl asks for the password.
fn curl_user(stack: &Stack) -> String {
    if has_credentials(stack) { format!("-u {} ", stack.clickhouse.user()) } else { String::new() }
}

/// Whether somebody else than `default` without a password has to log in.
fn has_credentials(stack: &Stack) -> bool {
    (stack.clickhouse.user(), stack.clickhouse.password()) != (USER_DEFAULT.name, USER_DEFAULT.password)
}

/// The pipe file of the demo, as a user would write it, with `password` in the place of ClickHouse's.
fn pipe_file(stack: &Stack, password: &str) -> String {
    let credentials = if has_credentials(stack) {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        format!("  username: {}\n  password: {}\n", quoted(stack.clickhouse.user()), quoted(password))
    } else {
        String::new()
    };
    format!(
        "name: demo\n\
         source:\n  type: kafka\n  brokers: {}\n  topic: {TOPIC}\n  offset: earliest\n\
         destination:\n  url: {}\n{credentials}  database: {DATABASE}\n  table: {TOPIC}\n  managed_table: {{ engine: MergeTree, order_by: [event, ts] }}\n  columns: \"{}\"\n\
         error_table: {{ stop_ratio: off }}\n",
        stack.kafka.bootstrap(),
        stack.clickhouse.url(),
        Events::COLUMNS
    )
}

/// How long the demo waits for the broker to take what was produced.
const FLUSH_MAX: Duration = Duration::from_secs(30);
