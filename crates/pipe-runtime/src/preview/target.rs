//! The columns that a run would fill, without creating anything.

use housepipe_ch_sink::{Sink, SinkError, TableColumn, Trial};
use housepipe_transform::{Column, Plan, TimeZone};

use super::report::TableState;
use crate::error::{PipeError, explain};
use crate::pipe::provision::{compile, create_table, match_columns, spec_columns};
use crate::pipe_file::PipeFile;
use crate::set_up;

/// What rows would go into.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) plan: Plan,
    pub(super) state: TableState,
    pub(super) create_table: Option<String>,
    pub(super) without_clickhouse: Option<String>,
}

/// What ClickHouse says of the table.
struct Asked {
    sink: Sink,
    zone: String,
    /// None where the table does not exist.
    columns: Option<Vec<TableColumn>>,
}

pub(super) async fn find(file: &PipeFile) -> Result<Target, PipeError> {
    let Asked { sink, zone, columns } = match ask(file).await {
        Ok(asked) => asked,
        Err(error) if file.destination.columns.is_empty() => return Err(error.into()),
        Err(error) => {
            let plan = compile(file, &spec_columns(&file.destination.columns), TimeZone::UTC)?;
            let why = Some(explain(&error));
            return Ok(Target {
                plan,
                state: TableState::Unknown,
                create_table: None,
                without_clickhouse: why,
            });
        }
    };
    let zone: TimeZone = zone.parse().map_err(|_| PipeError::TimeZone { zone })?;
    let (columns, state, create_table): (Vec<Column>, _, _) = match columns {
        Some(columns) => (match_columns(file, &columns, zone)?, TableState::Exists, None),
        None => {
            let create = create_table(&file.destination).ok_or_else(|| PipeError::NoTable {
                database: file.destination.database.clone(),
                table: file.destination.table.clone(),
            })?;
            if let Trial::Refused(error) = sink.try_table(&create).await? {
                return Err(error.into());
            }
            (spec_columns(&file.destination.columns), TableState::WillBeCreated, Some(create.sql()))
        }
    };
    Ok(Target { plan: compile(file, &columns, zone)?, state, create_table, without_clickhouse: None })
}

async fn ask(file: &PipeFile) -> Result<Asked, SinkError> {
    // The pipe's own user may not be there yet.
    let sink = set_up::maker(file)?;
    let zone = sink.server().await?.timezone;
    let columns = sink.describe(&file.destination.table).await?.map(|info| info.columns);
    Ok(Asked { sink, zone, columns })
}
