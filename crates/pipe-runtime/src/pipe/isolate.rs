//! Rows that only ClickHouse refuses: found by bisection, kept with their raw bytes, their neighbours loaded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use housepipe_ch_sink::{Bisection, ErrorRow, SinkError};
use housepipe_kafka_source::{Offset, OwnedRecord, PartitionId, SourceError};

use super::batch::SealedBatch;
use super::inserter::{Undelivered, count_codes, insert_rejects, insert_rows};
use super::record::{Labels, error_row};
use super::shared::Shared;
use super::state::Phase;
use crate::error::{PipeError, explain};

/// Time to read refused records again from Kafka, at most, in milliseconds; then it is tried again.
const REREAD_TIMEOUT_MS: u64 = 30_000;

/// Code of a row that ClickHouse refused.
const CODE_REFUSED: &str = "refused_by_clickhouse";

/// Inserts every row of `batch` that ClickHouse takes and keeps the others in the error table.
///
/// `first` is the refusal of the batch as a whole. Returns how many rows were refused.
pub(super) async fn deliver(
    shared: &Arc<Shared>,
    batch: &SealedBatch,
    first: SinkError,
) -> Result<u64, Undelivered> {
    tracing::warn!(
        error = explain(&first),
        rows = batch.row_count(),
        "clickhouse refused a batch; looking for the rows"
    );
    let mut bisection = Bisection::after_refusal(batch.row_count(), explain(&first));
    while let Some(rows) = bisection.next_range() {
        match insert_rows(shared, batch, rows).await {
            Ok(()) => bisection.accepted(),
            Err(Undelivered::Refused(error)) => bisection.refused(explain(&error)),
            Err(abandoned @ Undelivered::Abandoned) => return Err(abandoned),
        }
    }
    let refused = match bisection.finish() {
        Ok(refused) => refused,
        Err(too_many) => {
            shared.fail(PipeError::TooManyRefused { refused: too_many.refused, last: too_many.last_message });
            return Err(Undelivered::Abandoned);
        }
    };
    let origins: Vec<(PartitionId, Offset, &str)> = refused
        .iter()
        .map(|row| {
            let (partition, offset) = batch.origin(row.index);
            (partition, offset, row.message.as_str())
        })
        .collect();
    let rows = error_rows(shared, &origins).await?;
    insert_rejects(shared, &rows).await?;
    count_codes(shared, &rows);
    Ok(refused.len() as u64)
}

/// Error rows for the records at `origins`, read again from Kafka for their raw bytes.
async fn error_rows(
    shared: &Arc<Shared>,
    origins: &[(PartitionId, Offset, &str)],
) -> Result<Vec<ErrorRow>, Undelivered> {
    let mut wanted: BTreeMap<PartitionId, Vec<Offset>> = BTreeMap::new();
    for (partition, offset, _) in origins {
        wanted.entry(*partition).or_default().push(*offset);
    }
    let mut found: BTreeMap<(PartitionId, Offset), OwnedRecord> = BTreeMap::new();
    for (partition, offsets) in wanted {
        for record in reread(shared, partition, offsets).await? {
            found.insert((partition, record.offset), record);
        }
    }
    Ok(origins
        .iter()
        .map(|(partition, offset, message)| {
            let mut row = match found.get(&(*partition, *offset)) {
                Some(record) => error_row(&shared.labels, *partition, &record.as_record(), CODE_REFUSED),
                // Retention removed it between the first read and this one: the place and the reason remain.
                None => bare_row(&shared.labels, *partition, *offset),
            };
            row.message = (*message).to_owned();
            row
        })
        .collect())
}

fn bare_row(labels: &Labels, partition: PartitionId, offset: Offset) -> ErrorRow {
    ErrorRow::record(&labels.pipe, &labels.topic, partition.0, offset.0, CODE_REFUSED)
}

async fn reread(
    shared: &Arc<Shared>,
    partition: PartitionId,
    offsets: Vec<Offset>,
) -> Result<Vec<OwnedRecord>, Undelivered> {
    let mut phase = shared.phase();
    loop {
        let (source, offsets) = (shared.source.clone(), offsets.clone());
        let fetched: Result<Result<Vec<OwnedRecord>, SourceError>, _> =
            tokio::task::spawn_blocking(move || {
                housepipe_kafka_source::fetch(
                    &source,
                    partition,
                    &offsets,
                    Duration::from_millis(REREAD_TIMEOUT_MS),
                )
            })
            .await;
        match fetched {
            Ok(Ok(records)) => return Ok(records),
            Ok(Err(error)) => {
                tracing::warn!(error = explain(&error), "refused records cannot be read again yet");
            }
            Err(stopped) => tracing::warn!(error = %stopped, "reading refused records again was cut off"),
        }
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
