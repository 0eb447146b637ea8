//! From nodes to typed values, one function per block of the file.

use std::collections::HashSet;

use housepipe_ch_sink::{Compression, TableSetting, check_settings};
use housepipe_transform::{Column, Columns, Semantics, Source, Virtual};
use secrecy::ExposeSecret;

use super::access::{Beside, access, check_own_user, set_up};
use super::fields::{Fields, Located};
use super::registry::registry;
use super::source::{named_texts, source};
use super::suggest::{cut, nearest};
use super::surroundings::{Outside, Surroundings, host_of_url};
use super::types::{
    BatchLimits, ColumnSpec, Deadlines, DeliveryMode, DestinationSpec, ErrorTableSpec, ManagedTable,
    PipeFile, PipeName,
};
use super::yaml::{self, Node, Value};
use super::{Problem, WORD_LETTERS_MAX, units};

/// Letters of a pipe's name, at most.
const NAME_LENGTH_MAX: usize = 63;
/// Letters of a pipe's description, at most.
const DESCRIPTION_LETTERS_MAX: usize = 1_000;
/// Columns of a pipe, at most.
const COLUMNS_MAX: usize = 10_000;
/// Days that an error row may be kept, at most.
const TTL_DAYS_MOST: u64 = 3_650;
/// The longest time a record may wait for its batch, in milliseconds.
const WAIT_MOST_MS: u64 = 10 * 60 * 1_000;

/// The longest time that a pipe may wait for one of its ends, in milliseconds.
const DEADLINE_MOST_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Reads `destination:`.
pub(super) type ReadDestination = fn(&Located<'_>, &mut Vec<Problem>) -> Option<DestinationSpec>;

/// The pipe that `text` describes, or everything that is wrong with it.
pub(super) fn parse(
    text: &str,
    destination: ReadDestination,
    surroundings: &dyn Surroundings,
) -> Result<PipeFile, Vec<Problem>> {
    let root = yaml::load(text).map_err(|problem| vec![problem])?;
    parse_node(&root, destination, &Outside::new(surroundings))
}

/// The pipe that the nodes describe, or everything that is wrong with it.
pub(super) fn parse_node(
    root: &Node,
    destination: ReadDestination,
    outside: &Outside<'_>,
) -> Result<PipeFile, Vec<Problem>> {
    let mut problems = Vec::new();
    let root = Located { path: String::new(), node: root, outside };
    let pipe = Fields::of(&root, &mut problems).and_then(|fields| pipe(fields, destination, &mut problems));
    match pipe {
        Some(pipe) if problems.is_empty() => Ok(pipe),
        _ => Err(problems),
    }
}

fn pipe(
    mut fields: Fields<'_>,
    destination: ReadDestination,
    problems: &mut Vec<Problem>,
) -> Option<PipeFile> {
    let name = fields.require("name", problems).and_then(|v| v.parsed(problems, pipe_name));
    let description = fields.take("description").and_then(|v| v.parsed(problems, description));
    let source = fields.require("source", problems).and_then(|v| source(&v, name.as_ref(), problems));
    if let Some(format) = fields.take("format") {
        format.choice(&[("json", ())], problems);
    }
    let schema_registry = match fields.take("schema_registry") {
        Some(v) => registry(&v, problems).map(Some),
        None => Some(None),
    };
    let destination = fields.require("destination", problems).and_then(|v| destination(&v, problems));
    let error_table = match fields.take("error_table") {
        Some(v) => error_table(&v, problems),
        None => Some(ErrorTableSpec::default()),
    };
    let batch = match fields.take("batch") {
        Some(v) => batch(&v, problems),
        None => Some(BatchLimits::default()),
    };
    let semantics = match fields.take("semantics") {
        Some(v) => {
            v.choice(&[("strict", Semantics::Strict), ("clickhouse", Semantics::ClickHouse)], problems)
        }
        None => Some(Semantics::Strict),
    };
    let delivery = match fields.take("delivery") {
        Some(v) => v.choice(
            &[("at_least_once", DeliveryMode::AtLeastOnce), ("exactly_once", DeliveryMode::ExactlyOnce)],
            problems,
        ),
        None => Some(DeliveryMode::AtLeastOnce),
    };
    let deadlines = match fields.take("deadlines") {
        Some(v) => deadlines(&v, problems),
        None => Some(Deadlines::default()),
    };
    fields.finish(problems);
    Some(PipeFile {
        name: name?,
        id: None,
        description,
        source: source?,
        schema_registry: schema_registry?,
        destination: destination?,
        error_table: error_table?,
        batch: batch?,
        semantics: semantics?,
        delivery: delivery?,
        deadlines: deadlines?,
    })
}

fn pipe_name(text: &str) -> Result<PipeName, String> {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if starts && text.len() <= NAME_LENGTH_MAX && text.bytes().all(fine) {
        Ok(PipeName(text.to_owned()))
    } else {
        Err(format!(
            "`{}` is no pipe name: up to {NAME_LENGTH_MAX} of a-z, 0-9, `_` and `-`, starting with a letter or digit",
            cut(text, WORD_LETTERS_MAX)
        ))
    }
}

fn description(text: &str) -> Result<String, String> {
    if text.chars().count() > DESCRIPTION_LETTERS_MAX {
        return Err(format!("a description has up to {DESCRIPTION_LETTERS_MAX} letters"));
    }
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        Some(c) => Err(format!("a description has no control characters, and here is {c:?}")),
        None => Ok(text.to_owned()),
    }
}

pub(super) fn destination(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<DestinationSpec> {
    let mut fields = Fields::of(at, problems)?;
    let url = fields.require("url", problems).and_then(|v| {
        let url = v.parsed(problems, |text| {
            housepipe_ch_sink::check_url(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
        })?;
        let host = host_of_url(&url);
        host.is_none_or(|host| v.reaches(&host, problems)).then_some(url)
    });
    let named = fields.take("username");
    let username = match &named {
        Some(v) => v.nonempty(problems),
        None => Some("default".to_owned()),
    };
    let password = fields.take("password").and_then(|v| v.secret(problems));
    let set_up = optional(fields.take("setup"), |v| set_up(v, problems));
    let access_at = fields.take("access");
    if let (Some(at), Some(set_up)) = (&access_at, &set_up) {
        let has_password = password.as_ref().is_some_and(|password| !password.expose_secret().is_empty());
        let username = named.is_some().then_some(username.as_deref()).flatten();
        check_own_user(at, &Beside { username, has_password, set_up: set_up.as_ref() }, problems);
    }
    let access = optional(access_at, |v| access(v, problems));
    let on_cluster = optional(fields.take("on_cluster"), |v| v.nonempty(problems));
    let database = match fields.take("database") {
        Some(v) => v.nonempty(problems),
        None => Some("default".to_owned()),
    };
    let table = fields.require("table", problems).and_then(|v| v.nonempty(problems));
    let compression = match fields.take("compression") {
        Some(v) => v.choice(&[("none", Compression::None), ("lz4", Compression::Lz4)], problems),
        None => Some(Compression::None),
    };
    let managed_table = fields.take("managed_table");
    let columns = fields.take("columns");
    if let (Some(managed), None) = (&managed_table, &columns) {
        problems.push(
            managed.problem("a table cannot be created without columns").mend("add `columns:` beside it"),
        );
    }
    let managed_table = match managed_table {
        Some(v) => Some(self::managed_table(&v, problems)?),
        None => None,
    };
    let columns = columns.map_or_else(Vec::new, |v| self::columns(&v, problems));
    fields.finish(problems);
    Some(DestinationSpec {
        url: url?,
        username: username?,
        password,
        set_up: set_up?,
        access: access?,
        on_cluster: on_cluster?,
        database: database?,
        table: table?,
        compression: compression?,
        managed_table,
        columns,
    })
}

/// What `read` makes of a value, where it is there; none where it cannot.
fn optional<'a, T>(
    at: Option<Located<'a>>,
    read: impl FnOnce(&Located<'a>) -> Option<T>,
) -> Option<Option<T>> {
    at.map_or(Some(None), |at| read(&at).map(Some))
}

pub(super) fn managed_table(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<ManagedTable> {
    let mut fields = Fields::of(at, problems)?;
    let engine = match fields.take("engine") {
        Some(v) => v.nonempty_text(problems),
        None => Some("MergeTree".to_owned()),
    };
    let order_by = fields.take("order_by").map_or_else(Vec::new, |v| {
        v.items().iter().filter_map(|item| item.nonempty_text(problems)).collect()
    });
    let partition_by = fields.take("partition_by").and_then(|v| v.nonempty_text(problems));
    let ttl = fields.take("ttl").and_then(|v| v.nonempty_text(problems));
    let settings = fields.take("settings").map_or_else(Vec::new, |v| table_settings(&v, problems));
    fields.finish(problems);
    Some(ManagedTable { engine: engine?, order_by, partition_by, ttl, settings })
}

/// Settings by their names. Which there are, ClickHouse knows.
fn table_settings(at: &Located<'_>, problems: &mut Vec<Problem>) -> Vec<TableSetting> {
    let values = named_texts(at, "{ index_granularity: 8192 }", problems).unwrap_or_default();
    let settings: Vec<TableSetting> =
        values.into_iter().map(|(name, value)| TableSetting { name, value }).collect();
    if let Err(error) = check_settings(&settings) {
        problems.push(at.problem(error.to_string()));
    }
    settings
}

fn columns(at: &Located<'_>, problems: &mut Vec<Problem>) -> Vec<ColumnSpec> {
    if let Value::Text(_) | Value::Plain(_) = at.node.value {
        return column_text(at, problems);
    }
    let items = at.items();
    if !are_few_enough(items.len(), at, problems) {
        return Vec::new();
    }
    let (mut columns, mut names) = (Vec::new(), HashSet::new());
    for item in items {
        let Some(column) = column(&item, problems) else { continue };
        if !names.insert(column.name.clone()) {
            problems.push(item.problem(format!("the column `{}` is listed twice", column.name)));
            continue;
        }
        columns.push(column);
    }
    if columns.is_empty() && problems.is_empty() {
        problems.push(at.problem("no columns").mend("list them as `- { name: id, type: UInt64 }`"));
    }
    columns
}

/// Whether there are not more columns than a table may have here.
fn are_few_enough(columns: usize, at: &Located<'_>, problems: &mut Vec<Problem>) -> bool {
    if columns > COLUMNS_MAX {
        problems.push(at.problem(format!("{columns} columns, and a pipe has {COLUMNS_MAX} at most")));
    }
    columns <= COLUMNS_MAX
}

/// Columns as one text, in ClickHouse's words: `id UInt64, tags Array(String)`.
fn column_text(at: &Located<'_>, problems: &mut Vec<Problem>) -> Vec<ColumnSpec> {
    let parsed = at.parsed(problems, |text| {
        text.parse::<Columns>()
            .map_err(|error| format!("`{}` is no list of columns: {error}", cut(text, WORD_LETTERS_MAX)))
    });
    let spec = |column: &Column| ColumnSpec {
        name: column.name.clone(),
        data_type: column.ty.clone(),
        from: Source::of_column(&column.name),
    };
    let parsed = parsed.filter(|columns| are_few_enough(columns.as_slice().len(), at, problems));
    parsed.map_or_else(Vec::new, |columns| columns.iter().map(spec).collect())
}

fn column(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<ColumnSpec> {
    let mut fields = Fields::of(at, problems)?;
    let name = fields.require("name", problems).and_then(|v| v.nonempty_text(problems));
    let data_type = fields.require("type", problems).and_then(|v| {
        v.parsed(problems, |text| {
            text.parse().map_err(|e| format!("`{}` is no ClickHouse type: {e}", cut(text, WORD_LETTERS_MAX)))
        })
    });
    let (from, value) = (fields.take("from"), fields.take("value"));
    if let (Some(_), Some(value)) = (&from, &value) {
        problems.push(value.problem("a column has either `from` or `value`").mend("remove one of them"));
    }
    let from = match (from, value) {
        (Some(v), _) => v.text(problems).and_then(|text| filled_by(&v, &text, problems)),
        (None, Some(v)) if matches!(v.node.value, Value::Null) => Some(Source::Null),
        (None, Some(v)) => v.text(problems).map(Source::Constant),
        (None, None) => name.as_deref().map(Source::of_column),
    };
    fields.finish(problems);
    Some(ColumnSpec { name: name?, data_type: data_type?, from: from? })
}

/// What `from` names.
fn filled_by(at: &Located<'_>, text: &str, problems: &mut Vec<Problem>) -> Option<Source> {
    let error = match text.parse() {
        Ok(source) => return Some(source),
        Err(error) => error,
    };
    let mend = if text.starts_with('_') && error.position == 0 {
        let near = nearest(text, &Virtual::ALL.map(Virtual::as_str));
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        format!("{near}a field of that name is written '{}'", Source::Field(text.to_owned()))
    } else {
        "write it as a.b[0].c, or _offset for a virtual column".to_owned()
    };
    problems.push(
        at.problem(format!("`{}` is no place in a record: {error}", cut(text, WORD_LETTERS_MAX))).mend(mend),
    );
    None
}

fn error_table(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<ErrorTableSpec> {
    let mut fields = Fields::of(at, problems)?;
    let default = ErrorTableSpec::default();
    let enabled = fields.take("enabled").map_or(Some(default.enabled), |v| v.flag(problems));
    let suffix = fields.take("suffix").map_or(Some(default.suffix), |v| v.nonempty(problems));
    let ttl_days = fields
        .take("ttl_days")
        .map_or(Some(u64::from(default.ttl_days)), |v| v.integer(1, TTL_DAYS_MOST, problems))
        .and_then(|days| u32::try_from(days).ok());
    let stop_ratio = fields
        .take("stop_ratio")
        .map_or(Some(default.stop_ratio), |v| v.parsed(problems, units::share_or_off));
    let warn_ratio = fields
        .take("warn_ratio")
        .map_or(Some(default.warn_ratio), |v| v.parsed(problems, units::share_or_off));
    fields.finish(problems);
    Some(ErrorTableSpec {
        enabled: enabled?,
        suffix: suffix?,
        ttl_days: ttl_days?,
        stop_ratio: stop_ratio?,
        warn_ratio: warn_ratio?,
    })
}

fn deadlines(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<Deadlines> {
    let mut fields = Fields::of(at, problems)?;
    let default = Deadlines::default();
    let mut of = |name, default_ms| match fields.take(name) {
        Some(v) => v.parsed(problems, |text| units::duration_ms(text, 1_000, DEADLINE_MOST_MS)),
        None => Some(default_ms),
    };
    let source_ms = of("source", default.source_ms);
    let destination_ms = of("destination", default.destination_ms);
    fields.finish(problems);
    Some(Deadlines { source_ms: source_ms?, destination_ms: destination_ms? })
}

fn batch(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<BatchLimits> {
    let mut fields = Fields::of(at, problems)?;
    let default = BatchLimits::default();
    let rows_max = match fields.take("max_rows") {
        Some(v) => v.integer(1, BatchLimits::ROWS_MOST, problems).and_then(|n| usize::try_from(n).ok()),
        None => Some(default.rows_max),
    };
    let bytes_max = match fields.take("max_bytes") {
        Some(v) => v
            .parsed(problems, |text| units::bytes(text, 1, BatchLimits::BYTES_MOST))
            .and_then(|n| usize::try_from(n).ok()),
        None => Some(default.bytes_max),
    };
    let wait_max_ms = match fields.take("max_wait") {
        Some(v) => v.parsed(problems, |text| units::duration_ms(text, 1, WAIT_MOST_MS)),
        None => Some(default.wait_max_ms),
    };
    fields.finish(problems);
    Some(BatchLimits { rows_max: rows_max?, bytes_max: bytes_max?, wait_max_ms: wait_max_ms? })
}
