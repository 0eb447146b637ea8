//! Whether the ends of a pipe are reached, with the credentials that it has: the first thing that somebody who sets one up wants to know.
//!
//! Each end is asked one thing, and has a few seconds for it. [`check`](crate::check) looks at everything.

use std::time::{Duration, Instant};

use housepipe_ch_sink::{Sink, SinkError};
use housepipe_kafka_source::{Cluster, SourceError};
use housepipe_schema_registry::RegistryError;
use serde::Serialize;

use crate::check;
use crate::error::explain;
use crate::fault::Fault;
use crate::pipe::{RunOptions, sink_config, source_config};
use crate::pipe_file::{PipeFile, RegistrySpec};
use crate::shown::shown;

/// Time for the brokers, in milliseconds.
const BROKERS_MS_MAX: u64 = 6_000;
/// Time for the registry, in milliseconds.
const REGISTRY_MS_MAX: u64 = 5_000;
/// Time for ClickHouse, in milliseconds; for its connection alone it is less.
const CLICKHOUSE_MS_MAX: u64 = 5_000;
const CLICKHOUSE_CONNECT_MS_MAX: u64 = 3_000;

/// Characters that are shown of an error, at most: words of others are part of it.
const ERROR_WIDTH: usize = 2_000;

/// An end of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The brokers: `source`.
    Source,
    /// The schema registry: `schema_registry`.
    SchemaRegistry,
    /// ClickHouse: `destination`.
    Destination,
}

/// How the connection to one end is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EndReport {
    /// Which one.
    pub end: End,
    /// Whether it is reached, and lets this user in.
    pub ok: bool,
    /// What is at fault, where it is not.
    pub fault: Option<Fault>,
    /// What was seen; of what fails the cause, and how to mend it.
    pub detail: String,
    /// The version of the server, where it tells one.
    pub version: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How the connections are.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionReport {
    /// Whether each of them is as it should be.
    pub ok: bool,
    /// One by one, in the order in which records pass them.
    pub ends: Vec<EndReport>,
}

/// Asks those `ends` of the pipe, all at once. Nothing is joined, written or read of any topic or table.
pub async fn test_connections(file: &PipeFile, ends: &[End]) -> ConnectionReport {
    let wanted = |end| ends.contains(&end);
    let registry = file.schema_registry.as_ref().filter(|_| wanted(End::SchemaRegistry));
    let (source, registry, destination) = tokio::join!(
        async { if wanted(End::Source) { Some(source(file).await) } else { None } },
        async {
            match registry {
                Some(spec) => Some(timed(End::SchemaRegistry, self::registry(spec.clone())).await),
                None => None,
            }
        },
        async {
            match wanted(End::Destination) {
                true => Some(timed(End::Destination, destination(file)).await),
                false => None,
            }
        },
    );
    let ends: Vec<EndReport> = [source, registry, destination].into_iter().flatten().collect();
    ConnectionReport { ok: ends.iter().all(|end| end.ok), ends }
}

/// What an end has said: in words, and its version.
struct Seen {
    detail: String,
    version: Option<String>,
}

/// What keeps an end from it.
struct Failed {
    fault: Fault,
    detail: String,
}

async fn timed(end: End, asked: impl Future<Output = Result<Seen, Failed>>) -> EndReport {
    let started = Instant::now();
    let (fault, detail, version) = match asked.await {
        Ok(Seen { detail, version }) => (None, detail, version),
        Err(Failed { fault, detail }) => (Some(fault), shown(&detail, ERROR_WIDTH), None),
    };
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    EndReport { end, ok: fault.is_none(), fault, detail, version, took_ms }
}

async fn source(file: &PipeFile) -> EndReport {
    let config = source_config(file, &RunOptions::default());
    let asked = tokio::task::spawn_blocking(move || -> Result<(usize, usize), SourceError> {
        let cluster = Cluster::ask(&config, Duration::from_millis(BROKERS_MS_MAX))?;
        let topics = cluster.topics().iter().filter(|topic| !topic.is_internal()).count();
        Ok((cluster.brokers(), topics))
    });
    timed(End::Source, async {
        match asked.await {
            Ok(Ok((brokers, topics))) => Ok(Seen {
                detail: format!("{brokers} broker(s) answer, and show this user {topics} topic(s)"),
                version: None,
            }),
            Ok(Err(error)) => Err(Failed { fault: Fault::of_source(&error), detail: error.to_string() }),
            Err(panicked) => Err(Failed { fault: Fault::Defect, detail: panicked.to_string() }),
        }
    })
    .await
}

async fn registry(mut spec: RegistrySpec) -> Result<Seen, Failed> {
    let limits = &mut spec.config.limits;
    limits.attempts = 1;
    limits.request_ms = limits.request_ms.min(REGISTRY_MS_MAX);
    let failed = |error: RegistryError| Failed { fault: Fault::of_registry(&error), detail: explain(&error) };
    check::ask_registry(spec).await.map_err(failed)?;
    Ok(Seen { detail: "it answers, and lets this user in".to_owned(), version: None })
}

async fn destination(file: &PipeFile) -> Result<Seen, Failed> {
    let mut config = sink_config(file);
    config.request_timeout_ms = CLICKHOUSE_MS_MAX;
    config.connect_timeout_ms = CLICKHOUSE_CONNECT_MS_MAX;
    let failed = |error: SinkError| Failed { fault: Fault::of_sink(&error), detail: explain(&error) };
    let server = Sink::new(&config).map_err(failed)?.server().await.map_err(failed)?;
    let detail = format!("it answers, and knows this user as `{}`", server.user);
    Ok(Seen { detail, version: Some(server.version) })
}
