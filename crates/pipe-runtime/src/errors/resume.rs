//! Finishes what a replay that was cut off had begun.

use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;
use housepipe_ch_sink::{Claim, KeptRecord, RecordId, ReplayMark, ServerClock};
use housepipe_transform::Encoder;

use super::encode::Batch;
use super::error::ErrorsError;
use super::insert::{Attempted, Sent};
use super::load::Loader;
use super::note::Note;
use super::report::ReplayReport;
use crate::error::explain;

/// Finishes every batch that was begun and neither loaded nor dropped, the oldest first.
pub(super) async fn finish_interrupted(
    loader: &Loader<'_>,
    encoder: &mut Encoder,
    report: &mut ReplayReport,
) -> Result<(), ErrorsError> {
    let (errors, pipe) = (loader.errors.name(), loader.pipe);
    let claims = loader.sink.open_claims(errors, pipe).await?;
    let mut seen: HashSet<RecordId> = HashSet::new();
    for claim in claims {
        let looked_at = Instant::now();
        let (ids, records) = loader.sink.claimed_records(errors, pipe, &claim.token).await?;
        if loader.sink.records_loaded_meanwhile(errors, pipe, &claim.token).await? > 0 {
            // It was begun while another replay loaded the same records, and ended before it saw that: an insert comes
            // after the look at the others, so there was none.
            loader.mark(ReplayMark::Dropped, (&claim.token, ""), &ids).await?;
            continue;
        }
        let problem = |problem: String| ErrorsError::Interrupted {
            token: claim.token.clone(),
            records: ids.len(),
            problem,
        };
        if ids.iter().any(|id| !seen.insert(id.clone())) {
            return Err(problem(
                "another batch that was cut off has some of the same records, and one of the two at most was inserted"
                    .to_owned(),
            ));
        }
        let (rows, server) = rows_again(loader, encoder, &claim, &ids, &records).map_err(problem)?;
        let insert = loader.destination.target.insert(rows, ids.len(), &claim.token);
        match loader.insert(&insert, server, Attempted::Perhaps(looked_at)).await {
            Ok(Sent::Stored) => {}
            Ok(Sent::Nothing | Sent::Refused(_)) => {
                // They are records like the others again, and follow; rows that are refused are told apart then.
                loader.mark(ReplayMark::Dropped, (&claim.token, ""), &ids).await?;
                continue;
            }
            Err(ErrorsError::Untold { left, .. }) => {
                return Err(problem(format!(
                    "clickhouse was started anew since, and {}",
                    super::error::untold(left)
                )));
            }
            Err(ErrorsError::Unsure { source, .. }) if !is_passing(&source) => {
                return Err(problem(format!(
                    "the table refuses it now, which does not tell whether it took it before ({})",
                    explain(&*source)
                )));
            }
            Err(error) => return Err(error),
        }
        loader.mark(ReplayMark::Loaded, (&claim.token, ""), &ids).await?;
        tracing::info!(token = claim.token, records = ids.len(), "a replay that was cut off is finished");
        report.finished += ids.len() as u64;
        report.inserts += 1;
    }
    Ok(())
}

fn is_passing(error: &housepipe_ch_sink::SinkError) -> bool {
    error.class() == housepipe_ch_sink::FailureClass::Retry
}

/// The rows that were to be inserted, where it is safe to insert them again, and the server's clock of when they were begun.
///
/// A token stands for records. Where the columns have changed since, the rows differ; then the table keeps what came
/// first, which is one row for each record in either case, as long as the token is looked for where the rows go: in a
/// table without partitions.
fn rows_again(
    loader: &Loader<'_>,
    encoder: &mut Encoder,
    claim: &Claim,
    ids: &[RecordId],
    records: &[KeptRecord],
) -> Result<(Bytes, ServerClock), String> {
    let note = Note::parse(&claim.note).ok_or_else(|| {
        "what was noted of it cannot be read; another version of housepipe has begun it".to_owned()
    })?;
    if records.len() != ids.len() {
        let gone = ids.len() - records.len().min(ids.len());
        return Err(format!("{gone} of its records are no longer in the error table"));
    }
    note.remembered(claim.age_s, &loader.facts)?;
    let mut batch = Batch::default();
    let mends = "put the pipe file and the table back as they were then, and run the replay again";
    for record in records {
        if let Err(reject) = batch.push(encoder, record) {
            return Err(format!(
                "the columns have changed since, and refuse a record of it now ({}: {}); {mends}",
                reject.code.as_str(),
                reject.message
            ));
        }
    }
    let rows = batch.close();
    let body = rows.slice(&(0..rows.len()));
    let is_partitioned = loader.facts.tables().any(|(table, _)| !table.partition_key.is_empty());
    if !note.is_of(&body) && is_partitioned {
        let plans = (note.plan, loader.destination.plan_hash);
        return Err(format!(
            "the columns have changed since ({:08x} is now {:08x}), so its rows may belong to other partitions of the \
             table, which do not know its token; {mends}",
            plans.0, plans.1
        ));
    }
    Ok((body, note.server()))
}
