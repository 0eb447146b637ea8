//! Where rows go, as it was when the pipe was set up.

use bytes::Bytes;
use housepipe_ch_sink::{
    DefaultKind as TableDefault, Insert, InsertFormat, PlaceColumns, TableColumn, TableInfo,
};
use housepipe_transform::{Column, DefaultKind, RowFormat, Source, Virtual};

/// A table, and the columns of it that are filled.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) table: String,
    pub(crate) engine: String,
    /// It has a partition key.
    pub(crate) is_partitioned: bool,
    pub(crate) columns: Vec<String>,
    /// The same as the server described them, with the types that rows are encoded for.
    pub(crate) known_columns: Vec<TableColumn>,
    /// Their types as SQL.
    pub(crate) types: Vec<String>,
    /// Those that the server may fill.
    pub(crate) filled: Vec<String>,
    /// The columns that name the record of each row; none where one of them is not there.
    pub(crate) places: Option<PlaceColumns>,
    format: InsertFormat,
}

impl Target {
    /// The table `name`, which `info` describes, and the `columns` of it that rows have, in `format`.
    pub(crate) fn new(name: &str, info: TableInfo, columns: &[Column], format: RowFormat) -> Target {
        let of = |known| {
            let named = columns.iter().filter(|column| column.source == Source::Virtual(known));
            let mut stored = named.filter(|column| !is_ephemeral(column, &info.columns));
            stored.next().map(|column| column.name.clone())
        };
        let places = match (of(Virtual::Topic), of(Virtual::Partition), of(Virtual::Offset)) {
            (Some(topic), Some(partition), Some(offset)) => Some(PlaceColumns { topic, partition, offset }),
            _ => None,
        };
        let filled = columns.iter().filter(|column| may_be_filled(column, &info.columns));
        let filled = filled.map(|column| column.name.clone()).collect();
        let is_filled = |known: &TableColumn| columns.iter().any(|column| column.name == known.name);
        Target {
            table: name.to_owned(),
            engine: info.engine,
            is_partitioned: info.is_partitioned,
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            known_columns: info.columns.into_iter().filter(is_filled).collect(),
            types: columns.iter().map(|column| column.ty.to_string()).collect(),
            filled,
            places,
            format: match format {
                RowFormat::RowBinaryWithDefaults => InsertFormat::RowBinaryWithDefaults,
                _ => InsertFormat::RowBinary,
            },
        }
    }

    /// The insert of `rows` encoded rows.
    pub(crate) fn insert<'a>(&'a self, body: Bytes, rows: usize, token: &'a str) -> Insert<'a> {
        Insert {
            table: &self.table,
            columns: &self.columns,
            format: self.format,
            body,
            rows: rows as u64,
            token: Some(token),
            // JSON columns are encoded as text; the setting is nothing to tables without one.
            json_as_string: true,
            session: None,
        }
    }

    /// Whether the table keeps every row as it was inserted, as a plain MergeTree does.
    pub(crate) fn keeps_rows(&self) -> bool {
        self.engine == "MergeTree"
    }

    /// Whether one server has it, the same one for every request, and so its rows and its tokens.
    pub(crate) fn is_of_one_server(&self) -> bool {
        is_of_one_server(&self.engine)
    }

    /// Whether the tokens that it remembers outlive its server.
    pub(crate) fn is_in_keeper(&self) -> bool {
        is_in_keeper(&self.engine)
    }
}

/// Whether the column of a `table` need not have what an insert has for it: the table does not store it, or it has a DEFAULT, and what
/// fills it may be missing. A table that is not there yet has no columns.
pub(crate) fn may_be_filled(column: &Column, table: &[TableColumn]) -> bool {
    let is_there =
        matches!(column.source, Source::Virtual(Virtual::Partition | Virtual::Offset | Virtual::Topic));
    is_ephemeral(column, table) || column.default == DefaultKind::Expression && !is_there
}

fn is_ephemeral(column: &Column, table: &[TableColumn]) -> bool {
    let mut named = table.iter().filter(|known| known.name == column.name);
    named.any(|known| known.default_kind == TableDefault::Ephemeral)
}

/// Whether one server has a table of this engine.
pub(crate) fn is_of_one_server(engine: &str) -> bool {
    engine.ends_with("MergeTree") && !is_in_keeper(engine)
}

fn is_in_keeper(engine: &str) -> bool {
    engine.starts_with("Replicated") || engine.starts_with("Shared")
}
