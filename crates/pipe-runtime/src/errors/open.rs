//! Both tables of a pipe, as they are now.

use std::sync::Arc;

use housepipe_ch_sink::{ErrorFilter, ErrorTable, Sink, SinkError};
use housepipe_transform::{Plan, TimeZone};

use super::error::ErrorsError;
use crate::error::PipeError;
use crate::pipe::provision::{compile, error_table, match_columns, plan_hash};
use crate::pipe::sink_config;
use crate::pipe_file::PipeFile;
use crate::schemas::Schemas;
use crate::target::Target;

/// Where records go that are encoded once more.
pub(super) struct Destination {
    pub(super) target: Target,
    pub(super) plan: Arc<Plan>,
    /// What rows are made by, in 32 bits.
    pub(super) plan_hash: u32,
    /// Where records are checked against schemas.
    pub(super) schemas: Option<Schemas>,
}

/// The sink and the error table, which must exist.
pub(super) async fn errors_of(file: &PipeFile) -> Result<(Sink, ErrorTable), ErrorsError> {
    if !file.error_table.enabled {
        return Err(ErrorsError::Disabled);
    }
    let (sink, table) = (Sink::new(&sink_config(file))?, error_table(file));
    if sink.describe(table.name()).await?.is_none() {
        return Err(ErrorsError::NoTable { table: table.name().to_owned() });
    }
    Ok((sink, table))
}

/// The destination, with the plan that a pipe would have that starts now. Nothing is created: what was rejected once was
/// rejected for a table that was there.
pub(super) async fn destination(file: &PipeFile, sink: &Sink) -> Result<Destination, ErrorsError> {
    let server = sink.server().await?;
    let zone: TimeZone =
        server.timezone.parse().map_err(|_| PipeError::TimeZone { zone: server.timezone.clone() })?;
    let table = file.destination.table.clone();
    let Some(info) = sink.describe(&table).await? else {
        return Err(PipeError::NoTable { database: file.destination.database.clone(), table }.into());
    };
    let schemas = match &file.schema_registry {
        Some(registry) => Some(Schemas::open(registry).await?),
        None => None,
    };
    let columns = match_columns(file, &info.columns, zone)?;
    let plan = compile(file, &columns, zone)?;
    let target = Target::new(&table, info, plan.columns().as_slice(), plan.options().format);
    Ok(Destination { target, plan_hash: plan_hash(file, &columns, zone), plan: Arc::new(plan), schemas })
}

/// Checks the condition of `filter`, so that a mistake in it is told as one.
pub(super) async fn check_condition(
    sink: &Sink,
    table: &ErrorTable,
    filter: &ErrorFilter,
) -> Result<(), ErrorsError> {
    let Some(condition) = &filter.condition else { return Ok(()) };
    let of_condition = |source: SinkError| match &source {
        SinkError::Server { .. } | SinkError::Condition { .. } => {
            ErrorsError::Condition { condition: condition.clone(), source: Box::new(source) }
        }
        _ => source.into(),
    };
    sink.check_condition(table.name(), condition).await.map_err(of_condition)
}
