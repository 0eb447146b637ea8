//! What inference found, as a document.

use std::collections::BTreeMap;

use housepipe_transform::{InferenceOptions, InferredColumn, RejectCode, Source};
use serde::Serialize;

use super::error::InferError;
use super::gather::{Gathered, Origins};
use super::table;
use crate::error::PipeError;
use crate::pipe::provision::create_statement;
use crate::pipe_file::{ColumnLines, ManagedTable, PipeDraft, TableLines, unwritable};

/// Where a sample came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum SampleOrigin {
    /// A record of the topic.
    Record {
        /// Its partition.
        partition: i32,
        /// Its offset there.
        offset: i64,
    },
    /// A line of a file.
    Line {
        /// Its number, from 1.
        line: u64,
    },
}

impl std::fmt::Display for SampleOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SampleOrigin::Record { partition, offset } => write!(f, "partition {partition}, offset {offset}"),
            SampleOrigin::Line { line } => write!(f, "line {line}"),
        }
    }
}

/// What was inferred of samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InferReport {
    /// The pipe's name, where there is a pipe file.
    pub pipe: Option<String>,
    /// The topic that was sampled; absent for lines of a file.
    pub topic: Option<String>,
    /// The table.
    pub table: String,
    /// The id of the schema that goes before the samples, where a registry has one.
    pub schema: Option<u32>,
    /// Why the schema that the newest record names does not.
    pub schema_problem: Option<String>,
    /// Why there are fewer samples than were wanted and the topic has, where reading them ended early: also the newest may be missing.
    pub cut_short: Option<String>,
    /// Samples that were read.
    pub read: u64,
    /// Of these, samples that the columns were inferred from; all of them can be loaded.
    pub samples: u64,
    /// Samples that no columns could take.
    pub refused: u64,
    /// The same by code.
    pub refused_by_code: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first_refused: Option<RefusedReport>,
    /// Records without a value, of which there is nothing to infer.
    pub without_value: u64,
    /// Records that were framed for a schema registry.
    pub framed: u64,
    /// The columns, in the order in which their keys were seen first; behind them those that the schema alone has.
    pub columns: Vec<ColumnReport>,
    /// Keys of the samples that have no column.
    pub left_out: Vec<LeftOut>,
    /// The sorting key: a column or an expression each.
    pub order_by: Vec<String>,
    /// Why.
    pub order_by_reason: String,
    /// The partition key.
    pub partition_by: Option<String>,
    /// Why.
    pub partition_by_reason: String,
    /// The engine.
    pub engine: String,
    /// The statement with which a run creates the table.
    pub create_table: String,
    /// `managed_table:` and `columns:` as they stand below `destination:` of a pipe file.
    pub destination_yaml: String,
}

/// An inferred column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ColumnReport {
    /// Its name, which is the key that fills it.
    pub name: String,
    /// Its type, as ClickHouse writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// How sure the type is, above 0 and below 1.
    pub confidence: f64,
    /// Why it has this type.
    pub reason: String,
    /// The sample that made the type as wide as it is.
    pub decided_by: Option<SampleOrigin>,
    /// What to know before the column is used.
    pub notes: Vec<String>,
    /// Samples that had a value for it, nulls not counted.
    pub values: u64,
    /// Samples in which it was null.
    pub nulls: u64,
    /// Samples without its key.
    pub missing: u64,
}

/// A sample that no columns could take.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedReport {
    /// Where it came from.
    #[serde(flatten)]
    pub origin: SampleOrigin,
    /// Why, as a code.
    pub code: &'static str,
    /// The byte of the document at which that was seen.
    pub position: usize,
    /// Why.
    pub message: String,
}

/// A key that has no column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOut {
    /// The key.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl ColumnReport {
    /// The column as a pipe file has it.
    pub(crate) fn lines(&self) -> ColumnLines {
        ColumnLines {
            name: self.name.clone(),
            type_sql: self.data_type.clone(),
            source: Source::Field(self.name.clone()),
            comments: self.comments(),
        }
    }

    /// What a reader of the pipe file is told of it.
    fn comments(&self) -> Vec<String> {
        let origin = self.decided_by.map_or_else(String::new, |origin| format!(" ({origin})"));
        // A share that is rounded up to 100 would promise what nobody knows.
        let head = format!("{:.0} %: {}{origin}", (self.confidence * 100.0).min(99.0), self.reason);
        std::iter::once(head).chain(self.notes.iter().map(|note| format!("note: {note}"))).collect()
    }
}

/// Chooses columns and puts them into words.
pub(super) fn report(
    gathered: &Gathered,
    draft: Option<&PipeDraft>,
    table: &str,
) -> Result<InferReport, InferError> {
    let inferred = gathered.inference.finish(&InferenceOptions::default());
    if inferred.samples == 0 && inferred.columns.is_empty() {
        return Err(no_objects(gathered));
    }
    let mut left_out: Vec<LeftOut> = inferred
        .left_out
        .iter()
        .map(|key| LeftOut { key: key.key.clone(), reason: key.reason.clone() })
        .chain(gathered.left_out.iter().cloned())
        .collect();
    let (kept, unwritten): (Vec<&InferredColumn>, Vec<_>) =
        inferred.columns.iter().partition(|column| problem(column).is_none());
    left_out.extend(unwritten.iter().map(|column| LeftOut {
        key: column.column.name.clone(),
        reason: format!(
            "its name or its type cannot be written into a pipe file: {}",
            problem(column).unwrap_or_default()
        ),
    }));
    if kept.is_empty() {
        let first = left_out.first();
        return Err(InferError::NoColumns {
            samples: inferred.samples,
            first: first.map_or_else(String::new, |key| format!(" ({:?}: {})", key.key, key.reason)),
        });
    }
    let columns: Vec<ColumnReport> = kept.iter().map(|column| column_report(column, gathered)).collect();
    let table_lines = table::lines(draft, &inferred);
    let on_cluster = draft.and_then(|draft| draft.file().destination.on_cluster.clone());
    let create = create_statement(
        table,
        kept.iter().map(|column| (&column.column.name, &column.column.ty)),
        &managed(&table_lines),
        on_cluster,
    );
    create.check().map_err(PipeError::from)?;
    let TableLines { engine, order_by, order_by_comment, partition_by, partition_by_comment, .. } =
        &table_lines;
    Ok(InferReport {
        pipe: draft.map(|draft| draft.file().name.to_string()),
        topic: draft.filter(|_| gathered.origins == Origins::Records).map(|draft| draft.topic().to_owned()),
        table: table.to_owned(),
        schema: gathered.schema.map(|id| id.0),
        schema_problem: None,
        cut_short: None,
        read: gathered.read(),
        samples: inferred.samples,
        refused: inferred.refused,
        refused_by_code: gathered.refused_by_code.clone(),
        first_refused: gathered.first_refused.as_ref().map(|first| RefusedReport {
            origin: first.origin,
            code: first.reject.code.as_str(),
            position: first.reject.position,
            message: first.reject.message.to_string(),
        }),
        without_value: gathered.without_value,
        framed: gathered.framed,
        left_out,
        order_by: order_by.clone(),
        order_by_reason: order_by_comment.clone(),
        partition_by: partition_by.clone(),
        partition_by_reason: partition_by_comment.clone(),
        engine: engine.clone(),
        create_table: create.sql(),
        destination_yaml: destination_yaml(&table_lines, &columns),
        columns,
    })
}

/// Why a pipe file cannot hold the column.
fn problem(column: &InferredColumn) -> Option<&'static str> {
    unwritable(&column.column.name).or_else(|| unwritable(&column.column.ty.to_string()))
}

fn managed(lines: &TableLines) -> ManagedTable {
    ManagedTable {
        engine: lines.engine.clone(),
        order_by: lines.order_by.clone(),
        partition_by: lines.partition_by.clone(),
        ttl: lines.ttl.clone(),
        settings: lines.settings.clone(),
    }
}

fn column_report(column: &InferredColumn, gathered: &Gathered) -> ColumnReport {
    ColumnReport {
        name: column.column.name.clone(),
        data_type: column.column.ty.to_string(),
        confidence: column.confidence,
        reason: column.reason.clone(),
        decided_by: column.decided_by.and_then(|number| gathered.origin(number)),
        notes: column.notes.clone(),
        values: column.values,
        nulls: column.nulls,
        missing: column.missing,
    }
}

fn destination_yaml(table: &TableLines, columns: &[ColumnReport]) -> String {
    let lines: Vec<ColumnLines> = columns.iter().map(ColumnReport::lines).collect();
    format!("{}{}", table.block(), ColumnLines::block(&lines))
}

/// What the samples were instead of JSON objects.
fn no_objects(gathered: &Gathered) -> InferError {
    let read = gathered.read();
    let Some(first) = &gathered.first_refused else {
        let what = if read > 0 { "they have no value (tombstones)" } else { "the schema names no members" };
        let mend = "; wait for records with a value, or give --from";
        return InferError::NoObjects { read, what: what.to_owned(), mend };
    };
    let codes: Vec<String> =
        gathered.refused_by_code.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let mut what = codes.join(", ");
    if gathered.without_value > 0 {
        what.push_str(&format!(", {} without a value", gathered.without_value));
    }
    what.push_str(&format!(
        "; the first ({}): {} at byte {}",
        first.origin, first.reject.message, first.reject.position
    ));
    let is_json = first.reject.code != RejectCode::InvalidJson;
    let mend = match (gathered.origins, first.is_framed, first.begins_with) {
        (Origins::Records, true, _) if !is_json => {
            "; they are framed for a schema registry, and this version reads JSON only, neither Avro nor Protobuf"
        }
        (Origins::Lines, _, Some(b'[')) => {
            "; give each object a line of its own, without the brackets of an array around them"
        }
        (Origins::Lines, ..) if !is_json || first.begins_with == Some(b'{') => {
            "; give each object a line of its own, and in one line"
        }
        _ => "",
    };
    InferError::NoObjects { read, what, mend }
}

#[cfg(test)]
mod tests {
    use super::super::infer_lines;
    use super::*;

    fn infer(lines: &str) -> Result<InferReport, InferError> {
        infer_lines(lines.as_bytes(), "the test", None, "t", 100)
    }

    #[test]
    fn samples_that_are_no_objects_are_counted_with_the_first_reason() {
        for (lines, said) in [
            ("", "there is no document in the test"),
            ("\n  \n", "there is no document in the test"),
            ("[1,2]\n\"x\"\n", "none of 2 samples is a JSON object"),
            ("[1,2]\n\"x\"\n", "2 not_an_object; the first (line 1)"),
            ("[{\"a\":1},\n{\"a\":2}]\n", "without the brackets of an array"),
            ("{\n  \"a\": 1\n}\n", "in one line"),
            ("id,name\n1,x\n", "invalid_json"),
            ("{}\n", "the 1 samples have no key that could be a column"),
            ("{\"${env:X}\":1}\n", "begins a reference"),
        ] {
            let error = infer(lines).unwrap_err().to_string();
            assert!(error.contains(said), "{lines}: {error}");
        }
    }

    #[test]
    fn what_a_pipe_file_cannot_hold_is_left_out_of_columns_and_keys() {
        let line = |n: usize| {
            format!(
                "{{\"at ${{x}}\":\"2026-01-0{n}T00:00:00Z\",\" \":1,\"o\":{{\"${{y}}\":{n},\"z\":1}},\"id\":{n}}}\n"
            )
        };
        let report = infer(&(1..9).map(line).collect::<String>()).unwrap();
        let names: Vec<&str> = report.columns.iter().map(|column| column.name.as_str()).collect();
        assert!(names.contains(&"id") && !names.contains(&" "), "{names:?}");
        let left: Vec<&str> = report.left_out.iter().map(|key| key.key.as_str()).collect();
        assert!(left.contains(&" ") && left.contains(&"at ${x}"), "{left:?}");
        assert_eq!((report.order_by, report.partition_by), (vec!["id".to_owned()], None));
        let file = format!(
            "name: t\nsource: {{ type: kafka, brokers: 'h:1', topic: t }}\ndestination:\n  url: http://h:8123\n  table: t\n{}",
            report.destination_yaml
        );
        let pipe = crate::PipeFile::parse(&file, "t.yaml").unwrap_or_else(|error| panic!("{error}\n{file}"));
        assert_eq!(pipe.destination.columns.len(), report.columns.len());
    }

    #[test]
    fn refused_samples_are_told_beside_the_others() {
        let report = infer("{\"a\":1}\nno\n{\"a\":1,\"a\":2}\n").unwrap();
        assert_eq!((report.read, report.samples, report.refused), (3, 1, 2));
        assert_eq!(report.refused_by_code, BTreeMap::from([("duplicate_key", 1), ("invalid_json", 1)]));
        assert_eq!(report.first_refused.unwrap().origin, SampleOrigin::Line { line: 2 });
    }
}
