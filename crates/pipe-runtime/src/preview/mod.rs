//! A dry run over real records: rows as they would be stored, and records that would be rejected. Nothing is written.

mod look;
mod report;
mod target;

use std::sync::Arc;

use housepipe_kafka_source::{Offset, OwnedRecord, PartitionId, Sampled};
use housepipe_transform::{DecodeError, Plan};

use crate::error::{PipeError, explain};
use crate::infer::SampleOrigin;
use crate::pasted;
use crate::pipe_file::PipeFile;
use crate::sample::{self, Samples};
use crate::schemas::{Judge, Schemas};

pub use report::{PreviewColumn, PreviewReject, PreviewReport, PreviewRow, SkippedKey, TableState};

use target::Target;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviewError {
    /// The topic cannot be read, or the columns do not fit the table.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// A row that was encoded cannot be decoded: a defect of this program.
    #[error("the row of the record at {origin} cannot be shown, which is a defect of housepipe")]
    Row {
        /// Where the record is.
        origin: SampleOrigin,
        /// What is wrong with the row.
        #[source]
        source: DecodeError,
    },
}

/// A record to look at.
#[derive(Debug)]
pub(crate) struct Previewed {
    pub(crate) origin: SampleOrigin,
    pub(crate) record: OwnedRecord,
}

impl Previewed {
    /// A document that somebody has at hand, as the value of a record.
    pub(crate) fn document(line: u64, document: &[u8]) -> Previewed {
        Previewed {
            origin: SampleOrigin::Line { line },
            record: OwnedRecord {
                partition: PartitionId(0),
                offset: Offset(i64::try_from(line).unwrap_or(i64::MAX)),
                timestamp_ms: None,
                key: None,
                payload: Some(document.to_vec()),
                headers: Vec::new(),
            },
        }
    }
}

/// Encodes the newest records over all partitions, at most 10,000, as a run would, and decodes the rows for
/// people to look at. Joins no group, commits nothing, writes nothing and creates nothing that stays.
///
/// An existing table gives the columns as it does for a run, and a missing one has those of the file. Where ClickHouse
/// cannot be asked and the file lists columns, those are taken, and [`PreviewReport::without_clickhouse`] says so. What
/// ClickHouse alone can refuse, such as rows that break a constraint, is not known.
///
/// # Errors
/// [`PreviewError`] where the topic cannot be read, or where a run would not start by its columns, or because ClickHouse refuses
/// the table.
pub async fn preview(file: &PipeFile, samples: impl Into<Samples>) -> Result<PreviewReport, PreviewError> {
    let (sampled, target) = tokio::join!(sample::within(file, samples.into()), target::find(file));
    let Sampled { records, cut_short } = sampled?;
    let records = records
        .into_iter()
        .map(|record| Previewed {
            origin: SampleOrigin::Record { partition: record.partition.0, offset: record.offset.0 },
            record,
        })
        .collect();
    let report = of_records(file, target?, records).await?;
    Ok(PreviewReport { cut_short: cut_short.map(|error| explain(&error)), ..report })
}

/// The same over documents that somebody has at hand, for a topic that is empty yet.
pub(crate) async fn preview_documents(
    file: &PipeFile,
    documents: Vec<Previewed>,
) -> Result<PreviewReport, PreviewError> {
    of_records(file, target::find(file).await?, documents).await
}

/// The same over the first `count` documents that somebody has pasted: one a line, over several lines each, or as an array.
///
/// # Errors
/// [`PreviewError`] where a run would not start by its columns, or because ClickHouse refuses the table.
pub async fn preview_pasted(
    file: &PipeFile,
    documents: &str,
    count: usize,
) -> Result<PreviewReport, PreviewError> {
    let found = pasted::documents(documents, count).into_iter();
    preview_documents(file, found.map(|found| Previewed::document(found.line, &found.text)).collect()).await
}

async fn of_records(
    file: &PipeFile,
    target: Target,
    records: Vec<Previewed>,
) -> Result<PreviewReport, PreviewError> {
    let Target { plan, state, create_table, without_clickhouse } = target;
    let plan: Arc<Plan> = Arc::new(plan);
    let mut judge = None;
    if let Some(registry) = &file.schema_registry {
        let of_registry = judge.insert(Judge::new(Schemas::open(registry).await?));
        for Previewed { record, .. } in &records {
            of_registry.prepare(record.payload.as_deref()).await.map_err(PipeError::from)?;
        }
    }
    let for_work = Arc::clone(&plan);
    let topic = file.source.topic.clone();
    let looked = tokio::task::spawn_blocking(move || look::look(&for_work, judge, &topic, &records));
    let looked = looked.await.map_err(|_| PipeError::WorkerPanicked)??;
    Ok(PreviewReport {
        pipe: file.name.to_string(),
        table: file.destination.table.clone(),
        table_state: state,
        create_table,
        without_clickhouse,
        columns: report::columns(&plan),
        passes_stop_ratio: file
            .error_table
            .stop_ratio
            .is_some_and(|ratio| ratio.is_passed(looked.rejected, looked.read)),
        ..looked
    })
}
