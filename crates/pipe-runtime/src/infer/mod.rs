//! Columns out of samples of the topic, or of documents that somebody has at hand.

mod error;
mod gather;
pub(crate) mod lines;
mod report;
mod schema;
mod table;
mod text;

use std::io::BufRead;

use housepipe_kafka_source::{OwnedRecord, Sampled};
use housepipe_schema_registry::{Framing, parse_framing};

use crate::error::{PipeError, explain};
use crate::pasted;
use crate::pipe_file::{PipeDraft, PipeFile};
use crate::sample::{self, Samples};

pub use error::InferError;
pub use report::{ColumnReport, InferReport, LeftOut, RefusedReport, SampleOrigin};

use gather::{Gathered, Origins};
use lines::Lines;
pub(crate) use schema::{Declared, newest_id as newest_schema};

/// Infers the columns of the newest records over all partitions, at most 10,000. A frame of a schema registry is
/// taken off, as a pipe does. Where the draft has a registry, what the schema of the newest record says goes before what the
/// samples show, or else the schema that the draft names, also of a topic that is empty yet. Joins no group, commits nothing,
/// and asks nothing of ClickHouse.
///
/// # Errors
/// [`InferError`] where the topic or the schema cannot be read, or where nothing says which columns there are.
pub async fn infer_topic(draft: &PipeDraft, samples: impl Into<Samples>) -> Result<InferReport, InferError> {
    let sampled = sample::within(draft.file(), samples.into()).await?;
    let Sampled { records, cut_short } = sampled;
    let (declared, problem) = declared_schema(draft.file(), &records).await?;
    let draft = draft.clone();
    // It takes all of a core: a second for some ten megabytes.
    let work = move || infer_records(&draft, &records, declared);
    let report = tokio::task::spawn_blocking(work).await.map_err(|_| PipeError::WorkerPanicked)??;
    let cut_short = cut_short.map(|error| explain(&error));
    Ok(InferReport { schema_problem: problem, cut_short, ..report })
}

/// The schema of these records, where the file has a registry; see [`schema::of_topic`].
pub(crate) async fn declared_schema(
    file: &PipeFile,
    records: &[OwnedRecord],
) -> Result<(Option<Declared>, Option<String>), PipeError> {
    match &file.schema_registry {
        Some(registry) => schema::of_topic(registry, records).await,
        None => Ok((None, None)),
    }
}

/// The columns of records that were read already, and of their schema.
pub(crate) fn infer_records(
    draft: &PipeDraft,
    records: &[OwnedRecord],
    declared: Option<Declared>,
) -> Result<InferReport, InferError> {
    let mut gathered = Gathered::new(Origins::Records);
    if let Some(declared) = declared {
        gathered.expect(declared);
    }
    if records.is_empty() && gathered.schema.is_none() {
        return Err(InferError::EmptyTopic { topic: draft.topic().to_owned() });
    }
    for record in records {
        let origin = SampleOrigin::Record { partition: record.partition.0, offset: record.offset.0 };
        match record.payload.as_deref().map(parse_framing) {
            None => gathered.without_value(),
            Some(Framing::Framed { body, .. }) => gathered.add(body, true, origin),
            Some(Framing::Unframed(body)) => gathered.add(body, false, origin),
        }
    }
    report::report(&gathered, Some(draft), draft.table())
}

/// Infers the columns of the first `count` lines of newline-delimited JSON; `source` says where they come from, for
/// messages. Blank lines are no samples. Without a draft the table is called `table`.
///
/// ```
/// use housepipe_runtime::infer_lines;
///
/// let documents = "{\"id\":1,\"at\":\"2026-01-01T10:00:00Z\"}\n{\"id\":2,\"at\":\"2026-01-01T10:00:01Z\"}\n";
/// let report = infer_lines(documents.as_bytes(), "documents", None, "events", 1_000)?;
/// assert_eq!(report.columns[1].data_type, "DateTime64(3, 'UTC')");
/// assert!(report.create_table.starts_with("CREATE TABLE IF NOT EXISTS `events`"));
/// # Ok::<(), housepipe_runtime::InferError>(())
/// ```
///
/// # Errors
/// [`InferError`] where the lines cannot be read, or hold nothing that columns could be inferred from.
pub fn infer_lines(
    input: impl BufRead,
    source: &str,
    draft: Option<&PipeDraft>,
    table: &str,
    count: usize,
) -> Result<InferReport, InferError> {
    let mut gathered = Gathered::new(Origins::Lines);
    let mut lines = Lines::new(input);
    while gathered.read() < count as u64 {
        let line =
            lines.next().map_err(|cause| InferError::Read { source_name: source.to_owned(), cause })?;
        let Some((number, line)) = line else { break };
        gathered.add(line, false, SampleOrigin::Line { line: number });
    }
    if gathered.read() == 0 {
        return Err(InferError::NoLines { source_name: source.to_owned() });
    }
    report::report(&gathered, draft, draft.map_or(table, PipeDraft::table))
}

/// Infers the columns of the first `count` documents that somebody has pasted: one a line, over several lines each, or as an array.
///
/// # Errors
/// [`InferError`] where they hold nothing that columns could be inferred from.
pub async fn infer_documents(
    draft: &PipeDraft,
    documents: String,
    count: usize,
) -> Result<InferReport, InferError> {
    let draft = draft.clone();
    // It takes all of a core: a second for some ten megabytes.
    let work = move || {
        let mut gathered = Gathered::new(Origins::Lines);
        for document in pasted::documents(&documents, count) {
            gathered.add(&document.text, false, SampleOrigin::Line { line: document.line });
        }
        if gathered.read() == 0 {
            return Err(InferError::NoLines { source_name: "what was sent".to_owned() });
        }
        report::report(&gathered, Some(&draft), draft.table())
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| PipeError::WorkerPanicked)?
}
