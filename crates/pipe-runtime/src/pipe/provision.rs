//! From the pipe file and the table as it is to a compiled plan and an insert target.

use std::sync::Arc;

use housepipe_ch_sink::{
    ColumnDef, CreateTable, DefaultKind as TableDefault, ErrorTable, Sink, SinkError, TableColumn,
    quote_identifier,
};
use housepipe_transform::{
    Column, Columns, DataType, DefaultKind, Plan, PlanOptions, RowFormat, Source, TimeZone,
};

use super::start::Telling;
use super::windows::Windows;
use crate::check::exactly_once::obstacles;
use crate::error::PipeError;
use crate::failpoint::failpoint;
use crate::pipe_file::{ColumnSpec, DestinationSpec, ManagedTable, PipeFile};
use crate::schemas::Schemas;
use crate::set_up::{self, OwnUser};
use crate::target::Target;

/// A destination that is ready for inserts.
pub(super) struct Provisioned {
    pub(super) target: Target,
    pub(super) error_table: Option<ErrorTable>,
    pub(super) plan: Arc<Plan>,
    /// The columns that it fills.
    pub(super) columns: Vec<Column>,
    /// What ranges are inserted by, in 32 bits: the plan, since another one may make other rows of the same records, and the
    /// pipe's name, which is in their tokens.
    pub(super) range_hash: u32,
}

/// Makes sure that the tables exist, and the pipe's own user where it is to have one, and compiles the plan.
pub(super) async fn provision(
    file: &PipeFile,
    sink: &Sink,
    schemas: Option<&Schemas>,
    tell: &Telling<'_>,
) -> Result<Provisioned, PipeError> {
    let destination = &file.destination;
    tell("clickhouse and the table");
    let maker = set_up::maker(file)?;
    let server = maker.server().await?;
    let zone: TimeZone =
        server.timezone.parse().map_err(|_| PipeError::TimeZone { zone: server.timezone.clone() })?;
    let existing = match maker.describe(&destination.table).await? {
        Some(info) => info,
        None => {
            let Some(create) = create_table(destination) else {
                return Err(PipeError::NoTable {
                    database: destination.database.clone(),
                    table: destination.table.clone(),
                });
            };
            // Compile before the table exists: a type that cannot be filled must not leave a table behind.
            compile(file, &spec_columns(&destination.columns), zone)?;
            check_table_names(file, &maker).await?;
            tell("clickhouse to create the table");
            maker.create_table(&create).await?;
            failpoint("set_up_table");
            tracing::info!(table = destination.table, "table created");
            maker.describe(&destination.table).await?.ok_or_else(|| SinkError::NotThereYet {
                what: format!("the table {}", quote_identifier(&destination.table)),
            })?
        }
    };
    let columns = match_columns(file, &existing.columns, zone)?;
    let plan = compile(file, &columns, zone)?;
    let error_table = file.error_table.enabled.then(|| error_table(file));
    if let Some(table) = &error_table
        && maker.describe(table.name()).await?.is_none()
    {
        // Nobody has looked at its name where the table itself was there.
        check_table_names(file, &maker).await?;
        tell("clickhouse to create the error table");
        maker.create_error_table(table).await?;
        failpoint("set_up_error_table");
        tracing::info!(table = table.name(), "error table created");
    }
    if let Some(own) = OwnUser::of(file) {
        tell("clickhouse to make the user of the pipe");
        own.make(&maker, sink).await?;
    }
    if file.destination.set_up.is_some() {
        // Whoever inserts is not the one that was heard so far.
        sink.server().await?;
    }
    let target = Target::new(&destination.table, existing, plan.columns().as_slice(), plan.options().format);
    let range_hash = range_hash(file, &columns, zone, schemas);
    Ok(Provisioned { target, error_table, plan: Arc::new(plan), columns, range_hash })
}

/// Whether the pipe's tables may be called as they are to be.
pub(crate) async fn check_table_names(file: &PipeFile, maker: &Sink) -> Result<(), SinkError> {
    let errors = file.error_table.enabled.then(|| error_table(file));
    let names = [Some(file.destination.table.as_str()), errors.as_ref().map(ErrorTable::name)];
    maker.check_table_names(&names.into_iter().flatten().collect::<Vec<_>>()).await
}

/// What has to remember the tokens of this pipe's inserts. Refuses what cannot hold.
pub(super) async fn token_windows(file: &PipeFile, sink: &Sink) -> Result<Windows, PipeError> {
    let errors = file.error_table.enabled.then(|| error_table(file));
    let read = Windows::read(sink, &file.destination.table, errors.as_ref().map(ErrorTable::name)).await?;
    // Both were made a moment ago.
    read.unwrap_or_else(|| {
        Err(PipeError::NoTable {
            database: file.destination.database.clone(),
            table: file.destination.table.clone(),
        })
    })
}

/// Refuses what exactly once needs of ClickHouse beside tokens and cannot have.
pub(super) async fn look_back(
    file: &PipeFile,
    sink: &Sink,
    provisioned: &Provisioned,
) -> Result<(), PipeError> {
    let target = &provisioned.target;
    let obstacles =
        obstacles(sink, file, &target.engine, &provisioned.columns, &target.known_columns).await?;
    let Some(first) = obstacles.first() else { return Ok(()) };
    let mends: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.mend.as_str()).collect();
    Err(PipeError::CannotDeduplicate { problem: first.problem.clone(), mend: mends.join("; ") })
}

/// A hash of all that decides what becomes of a record.
pub(crate) fn plan_hash(file: &PipeFile, columns: &[Column], zone: TimeZone) -> u32 {
    let mut text = format!("1|{:?}|{zone}", file.semantics);
    for column in columns {
        text.push_str(&format!("|{}|{}|{:?}|{:?}", column.name, column.ty, column.source, column.default));
    }
    crc32fast::hash(text.as_bytes())
}

/// A hash of all that decides what an insert of a range is: its rows, and its token.
fn range_hash(file: &PipeFile, columns: &[Column], zone: TimeZone, schemas: Option<&Schemas>) -> u32 {
    let mut text = format!("2|{}|{:08x}", file.name, plan_hash(file, columns, zone));
    if let Some(schemas) = schemas {
        // Which records are rows; the schemas that they name themselves never change.
        text.push_str(&format!("|exact keys|{:?}", schemas.configured().map(|id| id.0)));
    }
    crc32fast::hash(text.as_bytes())
}

/// The error table of a pipe: `<table><suffix>` beside the destination.
pub(crate) fn error_table(file: &PipeFile) -> ErrorTable {
    ErrorTable::new(
        format!("{}{}", file.destination.table, file.error_table.suffix),
        file.error_table.ttl_days,
    )
    .on_cluster(file.destination.on_cluster.clone())
}

/// The CREATE TABLE of a managed destination; none where the table must exist.
pub(crate) fn create_table(destination: &DestinationSpec) -> Option<CreateTable> {
    let managed = destination.managed_table.as_ref()?;
    let columns = destination.columns.iter().map(|column| (&column.name, &column.data_type));
    Some(create_statement(&destination.table, columns, managed, destination.on_cluster.clone()))
}

/// The CREATE TABLE of a table that is made as `managed` says.
pub(crate) fn create_statement<'c>(
    table: &str,
    columns: impl Iterator<Item = (&'c String, &'c DataType)>,
    managed: &ManagedTable,
    on_cluster: Option<String>,
) -> CreateTable {
    CreateTable {
        name: table.to_owned(),
        columns: columns
            .map(|(name, data_type)| ColumnDef { name: name.clone(), type_sql: data_type.to_string() })
            .collect(),
        engine: managed.engine.clone(),
        order_by: managed.order_by.clone(),
        partition_by: managed.partition_by.clone(),
        ttl: managed.ttl.clone(),
        settings: managed.settings.clone(),
        on_cluster,
    }
}

/// Compiles the plan for `columns`.
pub(crate) fn compile(file: &PipeFile, columns: &[Column], zone: TimeZone) -> Result<Plan, PipeError> {
    let options = PlanOptions::default()
        .with_semantics(file.semantics)
        .with_server_timezone(zone)
        // A schema judges keys as they stand: one in other letter case was checked as another member, or not at all.
        .with_exact_keys(file.schema_registry.is_some())
        .with_format(row_format(columns));
    Ok(Plan::compile(&Columns::new(columns.to_vec()), &options)?)
}

/// A column whose DEFAULT the server evaluates needs the format that can leave values out.
fn row_format(columns: &[Column]) -> RowFormat {
    if columns.iter().any(|column| column.default == DefaultKind::Expression) {
        RowFormat::RowBinaryWithDefaults
    } else {
        RowFormat::RowBinary
    }
}

/// The columns as the file lists them.
pub(crate) fn spec_columns(specs: &[ColumnSpec]) -> Vec<Column> {
    specs
        .iter()
        .map(|spec| Column::new(spec.name.clone(), spec.data_type.clone()).from_source(spec.from.clone()))
        .collect()
}

/// The columns to insert into an existing table: the listed ones, or every one that takes values.
pub(crate) fn match_columns(
    file: &PipeFile,
    table: &[TableColumn],
    zone: TimeZone,
) -> Result<Vec<Column>, PipeError> {
    let destination = &file.destination;
    let mismatch = |problem: String| PipeError::TableMismatch { table: destination.table.clone(), problem };
    let parse = |column: &TableColumn| {
        column.type_name.parse::<DataType>().map_err(|error| {
            mismatch(format!(
                "its column `{}` has the type {}, which this version cannot fill ({error}); list the other columns in `columns:`",
                column.name, column.type_name
            ))
        })
    };
    if destination.columns.is_empty() {
        let of_table = |column: &TableColumn| -> Result<Column, PipeError> {
            let filled = Column::new(column.name.clone(), parse(column)?);
            Ok(filled.from_source(Source::of_column(&column.name)))
        };
        let mut columns = Vec::new();
        for column in table {
            match column.default_kind {
                TableDefault::None => columns.push(of_table(column)?),
                TableDefault::Default => columns.push(of_table(column)?.with_default_expression()),
                TableDefault::Materialized | TableDefault::Alias | TableDefault::Ephemeral => {}
            }
        }
        return Ok(columns);
    }
    // Compiling flattens a Nested column into its arrays, which is how the table lists them.
    let wanted = compile(file, &spec_columns(&destination.columns), zone)?;
    let mut columns = Vec::new();
    for column in wanted.columns() {
        let Some(actual) = table.iter().find(|actual| actual.name == column.name) else {
            let names: Vec<&str> = table.iter().map(|column| column.name.as_str()).collect();
            return Err(mismatch(format!("it has no column `{}`; it has {}", column.name, names.join(", "))));
        };
        match actual.default_kind {
            TableDefault::Materialized | TableDefault::Alias => {
                return Err(mismatch(format!(
                    "its column `{}` is {:?} and takes no values; remove it from `columns:`",
                    column.name, actual.default_kind
                )));
            }
            TableDefault::None | TableDefault::Default | TableDefault::Ephemeral => {}
        }
        if actual.type_name != column.ty.to_string() {
            return Err(mismatch(format!(
                "its column `{}` has the type {}, the pipe file says {}; make them the same",
                column.name, actual.type_name, column.ty
            )));
        }
        let column = column.clone();
        columns.push(match actual.default_kind {
            TableDefault::None => column,
            _ => column.with_default_expression(),
        });
    }
    Ok(columns)
}
