//! The preflight: everything that a pipe needs, looked at before it runs. Nothing is written that stays.

pub(crate) mod deduplication;
pub(crate) mod exactly_once;
mod grant;
mod registry;
mod set_up;
mod source;

use housepipe_ch_sink::{CreateTable, Sink, Trial};
use housepipe_kafka_source::Security;
use housepipe_transform::TimeZone;
use serde::Serialize;

use crate::error::explain;
use crate::pipe::provision::{
    check_table_names, compile, create_table, error_table, match_columns, spec_columns,
};
use crate::pipe::{RunOptions, sink_config, source_config};
use crate::pipe_file::{AccessSpec, DeliveryMode, PipeFile, Vendor};
pub(crate) use registry::ask as ask_registry;
use source::{Tried, told};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and there is something to know.
    Warning,
    /// The pipe would not run.
    Failed,
    /// Could not be looked at because an earlier check failed.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Check {
    /// What was looked at, in a word.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen; for a failure, the cause and how to mend it.
    pub detail: String,
}

/// Every check of a pipe, in the order in which they were made.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckReport {
    /// The pipe's name.
    pub pipe: String,
    /// Whether no check failed.
    pub passed: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// Looks at both ends of the pipe. Nothing is written, the consumer group is not joined.
pub async fn check(file: &PipeFile) -> CheckReport {
    check_telling(file, |_| ()).await
}

/// The same, and tells what it is about to look at.
pub async fn check_telling(file: &PipeFile, tell: impl Fn(&'static str) + Send + Sync) -> CheckReport {
    let config = source_config(file, &RunOptions::default());
    let tried = tokio::task::spawn_blocking(move || Tried::by(&config));
    let mut checks = Checks(Vec::new());
    tell("clickhouse, its table and its grants");
    let destination = destination(file, &mut checks).await;
    tell("the brokers, the topic and the group");
    let mut all = Checks(Vec::new());
    preset(file, &mut all);
    let mut partitions = None;
    match tried.await {
        Ok(Ok(tried)) => {
            partitions = Some(tried.partitions());
            tried.verdicts(file, &mut all);
        }
        Ok(Err(error)) => all.add("broker and topic", Verdict::Failed, told(file, &error)),
        Err(panicked) => all.add("broker and topic", Verdict::Failed, panicked.to_string()),
    }
    security(file, &mut all);
    if let Some(spec) = &file.schema_registry {
        tell("the schema registry");
        all.0.push(registry::look(spec, file.delivery).await);
    }
    all.0.extend(checks.0);
    tell("whether repeated inserts are dropped");
    match (destination, partitions) {
        (None, _) => all.add("table", Verdict::Skipped, "clickhouse did not answer".to_owned()),
        (Some(sink), Some(partitions)) => all.0.extend(repetitions(&sink, file, partitions).await),
        (Some(_), None) => {}
    }
    let passed = all.0.iter().all(|check| check.verdict != Verdict::Failed);
    CheckReport { pipe: file.name.to_string(), passed, checks: all.0 }
}

/// What the preset of the vendor has set, and what it doubts.
fn preset(file: &PipeFile, checks: &mut Checks) {
    let preset = &file.source.preset;
    if preset.vendor != Vendor::Kafka {
        let name = preset.vendor.as_str();
        let sets = if preset.sets.is_empty() {
            format!("`{name}` sets nothing: the file says it all")
        } else {
            format!("`{name}` sets {}", preset.sets.join(", and "))
        };
        checks.ok("preset", sets);
    }
    for doubt in &preset.doubts {
        checks.add("preset", Verdict::Warning, doubt.clone());
    }
    let raw: Vec<&str> = file.source.unsafe_librdkafka.names().collect();
    if !raw.is_empty() {
        let detail =
            format!("`unsafe_librdkafka` sets {}, and nobody has tested what that does", raw.join(", "));
        checks.add("client", Verdict::Warning, detail);
    }
}

fn security(file: &PipeFile, checks: &mut Checks) {
    if let Some(plain) = unencrypted(&file.source.security) {
        checks.add("encryption", Verdict::Warning, format!("{plain}; add `tls:` to the source"));
    }
}

/// What everybody on the way can read or change, in words; none where the connection to kafka is encrypted.
pub(crate) fn unencrypted(security: &Security) -> Option<&'static str> {
    match security {
        Security::Plaintext => Some(
            "the connection to kafka has neither encryption nor credentials: whoever is on the way reads and changes records",
        ),
        Security::Sasl { tls: None, .. } => Some(
            "the connection to kafka has a password without encryption: whoever is on the way reads the password and the records",
        ),
        Security::Token { tls: None, .. } => Some(
            "the connection to kafka has a token without encryption: whoever is on the way reads the token and the records",
        ),
        Security::Tls(_) | Security::Sasl { tls: Some(_), .. } | Security::Token { tls: Some(_), .. } => None,
    }
}

/// Whether a repeated insert is dropped; nothing where there is no table to look at, which has failed already.
async fn repetitions(sink: &Sink, file: &PipeFile, partitions: usize) -> Option<Check> {
    let is_exactly_once = file.delivery == DeliveryMode::ExactlyOnce;
    match deduplication::look(sink, file, partitions).await {
        Ok(Some(judged)) => Some(deduplication::verdict(&judged, &file.batch, partitions, is_exactly_once)),
        Ok(None) => None,
        Err(error) => Some(deduplication::unknown(&explain(&error))),
    }
}

/// Checks of ClickHouse; a sink of whoever is to judge whether repeated inserts are dropped, or none where the server did not answer.
async fn destination(file: &PipeFile, checks: &mut Checks) -> Option<Sink> {
    let sink = match crate::set_up::maker(file) {
        Ok(sink) => sink,
        Err(error) => {
            checks.add("clickhouse", Verdict::Failed, explain(&error));
            return None;
        }
    };
    let server = match sink.server().await {
        Ok(server) => server,
        Err(error) => {
            checks.add("clickhouse", Verdict::Failed, explain(&error));
            return None;
        }
    };
    checks.ok("clickhouse", format!("version {}, time zone {}", server.version, server.timezone));
    let Ok(zone) = server.timezone.parse::<TimeZone>() else {
        checks.add(
            "time zone",
            Verdict::Failed,
            format!("the server's zone `{}` is unknown", server.timezone),
        );
        return Some(sink);
    };
    if let Err(error) = check_table_names(file, &sink).await {
        checks.add("table", Verdict::Failed, explain(&error));
        return Some(sink);
    }
    let table = &file.destination.table;
    let (engine, columns, known) = match sink.describe(table).await {
        Err(error) => {
            checks.add("table", Verdict::Failed, explain(&error));
            return Some(sink);
        }
        Ok(Some(info)) => {
            checks.ok("table", format!("`{table}` exists ({}, {} columns)", info.engine, info.columns.len()));
            match match_columns(file, &info.columns, zone) {
                Ok(columns) => (info.engine, columns, info.columns),
                Err(error) => {
                    checks.add("columns", Verdict::Failed, explain(&error));
                    return Some(sink);
                }
            }
        }
        Ok(None) => match create_table(&file.destination) {
            Some(create) => {
                let planned = planned(&sink, &create).await;
                let is_refused = planned.verdict == Verdict::Failed;
                checks.0.push(planned);
                if is_refused {
                    return Some(sink);
                }
                (create.engine, spec_columns(&file.destination.columns), Vec::new())
            }
            None => {
                let detail =
                    format!("`{table}` does not exist; create it, or add `managed_table:` and `columns:`");
                checks.add("table", Verdict::Failed, detail);
                return Some(sink);
            }
        },
    };
    match compile(file, &columns, zone) {
        Ok(_) => checks.ok("columns", format!("{} column(s) can be filled from JSON", columns.len())),
        Err(error) => checks.add("columns", Verdict::Failed, explain(&error)),
    }
    if file.destination.set_up.is_some() {
        checks.0.extend(set_up::look(file, &sink).await);
    }
    let Some(inserter) = inserter(file, checks).await else { return Some(sink) };
    grants(file, &inserter, checks).await;
    if file.delivery == DeliveryMode::ExactlyOnce {
        // A planned engine may have arguments.
        let engine = engine.split('(').next().unwrap_or_default().trim();
        let found = exactly_once::obstacles(&inserter, file, engine, &columns, &known).await;
        checks.0.extend(exactly_once::verdicts(found));
    }
    match file.destination.access {
        // The start gives it what it has to see, which may be more than it has at the moment.
        Some(AccessSpec::OnlyDestination | AccessSpec::Full) => Some(sink),
        // It judges at the start, and sees no more than it does here.
        Some(AccessSpec::Role(_)) | None => Some(inserter),
    }
}

/// A sink of the user that inserts; none where it is not let in, as one that is not made yet.
async fn inserter(file: &PipeFile, checks: &mut Checks) -> Option<Sink> {
    let let_in = match Sink::new(&sink_config(file)) {
        Ok(sink) => sink.is_let_in().await.map(|is_let_in| is_let_in.then_some(sink)),
        Err(error) => Err(error),
    };
    match let_in {
        Ok(Some(sink)) => Some(sink),
        Ok(None) if file.destination.access.is_some() => {
            let detail = "the pipe's user gets them as it is made, or with its new password";
            checks.add("grants", Verdict::Skipped, detail.to_owned());
            None
        }
        Ok(None) => {
            let user = &file.destination.username;
            checks.add(
                "grants",
                Verdict::Failed,
                format!("clickhouse does not let `{user}` in; check the user name and the password"),
            );
            None
        }
        Err(error) => {
            checks.add("grants", Verdict::Failed, explain(&error));
            None
        }
    }
}

/// Whether ClickHouse would create a table that is missing.
async fn planned(sink: &Sink, create: &CreateTable) -> Check {
    let (table, sql) = (&create.name, create.sql());
    let (verdict, detail) = match sink.try_table(create).await {
        Ok(Trial::Taken) => (Verdict::Ok, format!("`{table}` is missing and will be created: {sql}")),
        Ok(Trial::Unknown(why)) => {
            let why = explain(&why);
            let detail = format!(
                "`{table}` is missing and will be created, if ClickHouse takes what could not be tried ({why}): {sql}"
            );
            (Verdict::Warning, detail)
        }
        Ok(Trial::Refused(error)) | Err(error) => (Verdict::Failed, explain(&error)),
    };
    Check { name: "table", verdict, detail }
}

async fn grants(file: &PipeFile, sink: &Sink, checks: &mut Checks) {
    let errors = file.error_table.enabled.then(|| error_table(file));
    match sink.grants_check(&file.destination.table, errors.as_ref()).await {
        Ok(mut problems) => {
            // Another user creates what is missing.
            problems
                .retain(|problem| file.destination.set_up.is_none() || problem.privilege != "CREATE TABLE");
            if problems.is_empty() {
                checks.ok("grants", format!("`{}` may insert", file.destination.username));
            }
            for problem in problems {
                checks.add("grants", Verdict::Failed, problem.to_string());
            }
        }
        Err(error) => checks.add("grants", Verdict::Failed, explain(&error)),
    }
}

struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &'static str, verdict: Verdict, detail: String) {
        self.0.push(Check { name, verdict, detail });
    }

    fn ok(&mut self, name: &'static str, detail: String) {
        self.add(name, Verdict::Ok, detail);
    }
}
