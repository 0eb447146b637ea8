//! Which field of a topic fills which column of a table that is there already.
//!
//! By names first: the field of the very name, then one that differs in letter case alone, then one whose words are the same (`userId` and
//! `user_id`), then one inside of an object (`user.id`). Each field fills one column. Types decide nothing, and are told beside: whoever
//! looks at the proposal sees which columns would refuse what the samples have.

mod fit;
mod names;

use housepipe_ch_sink::{DefaultKind, TableColumn, TableInfo};
use housepipe_transform::{DataType, Source};
use serde::Serialize;

use crate::error::PipeError;
use crate::infer::ColumnReport;
use crate::pipe_file::PipeFile;
use crate::set_up;
pub use fit::{Fit, Verdict as FitVerdict};
pub use names::Likeness;
use names::{Candidate, candidates};

/// A field of a topic's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicField {
    /// Its key.
    pub name: String,
    /// The type that its values have.
    pub data_type: DataType,
}

impl TopicField {
    /// The field of an inferred column; none where this version does not know its type.
    pub fn of(column: &ColumnReport) -> Option<TopicField> {
        Some(TopicField { name: column.name.clone(), data_type: column.data_type.parse().ok()? })
    }
}

/// What is proposed for a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// The table.
    pub table: String,
    /// Its engine.
    pub engine: String,
    /// Its columns, in their order.
    pub columns: Vec<MappedColumn>,
    /// Fields that fill no column.
    pub left_over: Vec<String>,
}

/// A column of the table, and what is proposed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// What fills it.
    #[serde(flatten)]
    pub filling: Filling,
}

/// What fills a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "filled_by", rename_all = "snake_case")]
pub enum Filling {
    /// A field of the record.
    Field {
        /// As `from:` of a pipe file names it.
        from: String,
        /// How its name is like the column's.
        likeness: Likeness,
        /// Whether its values go into the column.
        fit: Fit,
    },
    /// What is known of the record, such as its offset.
    Virtual {
        /// As `from:` of a pipe file names it.
        from: String,
    },
    /// The server, by the column's DEFAULT.
    Default {
        /// The expression.
        expression: String,
    },
    /// The server alone, since the column is MATERIALIZED or an ALIAS: it takes no values.
    Server {
        /// The expression.
        expression: String,
    },
    /// Nothing, as the column is EPHEMERAL: it is not stored, and other columns' expressions may use it.
    Nothing,
    /// The type's default, such as 0 or an empty text.
    TypeDefault,
}

/// Proposes what fills the columns of a table. Nothing is asked and nothing is written.
pub(crate) fn propose(table: &str, info: &TableInfo, fields: &[TopicField]) -> Mapping {
    let candidates = candidates(fields);
    let chosen = choose(&info.columns, &candidates);
    let columns = info.columns.iter().zip(&chosen).map(|(column, chosen)| MappedColumn {
        name: column.name.clone(),
        data_type: column.type_name.clone(),
        filling: filling(column, chosen.map(|(at, likeness)| (&candidates[at], likeness))),
    });
    let is_used =
        |field: &TopicField| chosen.iter().flatten().any(|(at, _)| candidates[*at].field == field.name);
    Mapping {
        table: table.to_owned(),
        engine: info.engine.clone(),
        columns: columns.collect(),
        left_over: fields.iter().filter(|field| !is_used(field)).map(|field| field.name.clone()).collect(),
    }
}

/// For each column the candidate that fills it. The likest names are served first, whatever the order of the columns.
fn choose(columns: &[TableColumn], candidates: &[Candidate]) -> Vec<Option<(usize, Likeness)>> {
    let mut chosen: Vec<Option<(usize, Likeness)>> = vec![None; columns.len()];
    let mut is_taken = vec![false; candidates.len()];
    for likeness in Likeness::ALL {
        for (column, chosen) in columns.iter().zip(&mut chosen) {
            if chosen.is_some() || !takes_values(column) || is_virtual(&column.name) {
                continue;
            }
            let mut free = candidates.iter().enumerate().filter(|(at, _)| !is_taken[*at]);
            if let Some((at, _)) = free.find(|(_, it)| it.likeness(&column.name) == Some(likeness)) {
                is_taken[at] = true;
                *chosen = Some((at, likeness));
            }
        }
    }
    chosen
}

fn filling(column: &TableColumn, chosen: Option<(&Candidate, Likeness)>) -> Filling {
    let expression = column.default_expression.clone();
    if !takes_values(column) {
        return Filling::Server { expression };
    }
    if is_virtual(&column.name) {
        return Filling::Virtual { from: column.name.clone() };
    }
    if let Some((candidate, likeness)) = chosen {
        let fit = Fit::of(&candidate.data_type, &column.type_name);
        return Filling::Field { from: candidate.from.clone(), likeness, fit };
    }
    match column.default_kind {
        DefaultKind::Default => Filling::Default { expression },
        DefaultKind::Ephemeral => Filling::Nothing,
        _ => Filling::TypeDefault,
    }
}

fn takes_values(column: &TableColumn) -> bool {
    !matches!(column.default_kind, DefaultKind::Materialized | DefaultKind::Alias)
}

/// Whether the name stands for something that is known of a record.
fn is_virtual(name: &str) -> bool {
    matches!(Source::of_column(name), Source::Virtual(_))
}

/// Reads the table of the pipe, and proposes which of `fields` fill its columns.
///
/// # Errors
/// [`PipeError::NoTable`] where there is none; [`PipeError::Sink`] where ClickHouse does not answer, or refuses.
pub async fn propose_mapping(file: &PipeFile, fields: &[TopicField]) -> Result<Mapping, PipeError> {
    let destination = &file.destination;
    let found = set_up::maker(file)?.describe(&destination.table).await?;
    let info = found.ok_or_else(|| PipeError::NoTable {
        database: destination.database.clone(),
        table: destination.table.clone(),
    })?;
    Ok(propose(&destination.table, &info, fields))
}

#[cfg(test)]
mod tests;
