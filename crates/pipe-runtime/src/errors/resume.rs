//! Finishes what a replay that was cut off had begun.

use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;
use housepipe_ch_sink::{Claim, FailureClass, Insert, KeptRecord, Left, RecordId, ReplayMark, SinkError};
use housepipe_transform::Encoder;

use super::encode::{Batch, is_cut};
use super::error::{ErrorsError, untold};
use super::insert::{Attempted, Sent};
use super::load::{Loader, RETRY_MS_MAX};
use super::note::Note;
use super::report::ReplayReport;
use crate::error::explain;
use crate::pipe::look_back::LAST_STEP_S;

/// Finishes every batch that was begun and neither loaded nor dropped, the oldest first.
pub(super) async fn finish_interrupted(
    loader: &Loader<'_>,
    encoder: &mut Encoder,
    report: &mut ReplayReport,
) -> Result<(), ErrorsError> {
    let (errors, pipe) = (loader.errors.name(), loader.pipe);
    let claims = loader.sink.open_claims(errors, pipe).await?;
    // Of two batches with the same records one at most was inserted. Where it was not the first of them, none of its rows is
    // there, and the second is looked at like any other.
    let mut finished: HashSet<RecordId> = HashSet::new();
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
        if ids.iter().any(|id| finished.contains(id)) {
            return Err(problem(
                "another batch that was cut off has some of the same records, and one of the two at most was inserted"
                    .to_owned(),
            ));
        }
        let (rows, note) = rows_again(loader, encoder, &claim, &ids, &records).map_err(problem)?;
        let is_same = note.is_of(loader.destination.plan_hash, &rows);
        let insert = loader.destination.target.insert(rows, ids.len(), &claim.token);
        match loader.insert(&insert, note.server(), Attempted::Perhaps { looked_at, is_same }).await {
            Ok(Sent::Stored) => {}
            Ok(Sent::Nothing) => {
                // They are records like the others again, and follow.
                loader.mark(ReplayMark::Dropped, (&claim.token, ""), &ids).await?;
                continue;
            }
            Err(ErrorsError::Untold { why, .. }) => {
                return Err(problem(format!("clickhouse was started anew since, and {why}")));
            }
            // Not reached: a repeated insert that is refused is not known to be undone.
            Ok(Sent::Refused(error)) => return Err(problem(explain(&error))),
            Err(ErrorsError::Unsure { source, .. }) if !is_passing(&source) => {
                let age_s = claim.age_s + looked_at.elapsed().as_secs();
                if let Err(why) = was_never_done(loader, &insert, &note, age_s, &source).await {
                    return Err(problem(format!(
                        "the table refuses it now, which does not tell whether it took it before ({}){why}",
                        explain(&*source)
                    )));
                }
                // The rows that are refused are told apart from the others when they follow.
                loader.mark(ReplayMark::Dropped, (&claim.token, ""), &ids).await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        loader.mark(ReplayMark::Loaded, (&claim.token, ""), &ids).await?;
        finished.extend(ids.iter().cloned());
        tracing::info!(token = claim.token, records = ids.len(), "a replay that was cut off is finished");
        report.finished += ids.len() as u64;
        report.inserts += 1;
    }
    Ok(())
}

/// Whether an insert that is refused now was not done before, as its rows tell, which are not there.
///
/// That tells it where no attempt can be under way any more; where the rows are those that were sent then; and where the table
/// keeps rows as they are, on one server.
///
/// # Errors
/// Why it is not known, to be put behind other words; empty where time will not tell either.
async fn was_never_done(
    loader: &Loader<'_>,
    insert: &Insert<'_>,
    note: &Note,
    age_s: u64,
    refusal: &SinkError,
) -> Result<(), String> {
    let target = &loader.destination.target;
    let tells = matches!(refusal.class(), FailureClass::IsolateRow | FailureClass::Divide)
        && note.is_of(loader.destination.plan_hash, &insert.body)
        && target.is_of_one_server()
        && target.keeps_rows();
    if !tells {
        return Err(String::new());
    }
    let over_s = RETRY_MS_MAX / 1_000 + Insert::SESSION_S + loader.sink.insert_seconds_max() + LAST_STEP_S;
    if age_s < over_s {
        return Err(format!(
            "; in {} s no insert of it can be under way any more, and a replay that is run then looks for its rows",
            over_s - age_s
        ));
    }
    match loader.left_of(insert, note.server()).await {
        Ok(Left::Nothing) => Ok(()),
        Ok(Left::All) => Err("; rows like its own are there".to_owned()),
        Ok(Left::Some) => Err(format!("; {}", untold(Left::Some, true))),
        Err(error) => Err(format!("; its rows could not be looked for: {}", explain(&error))),
    }
}

fn is_passing(error: &SinkError) -> bool {
    error.class() == FailureClass::Retry
}

/// The rows that were to be inserted, where it is safe to insert them again, and what was noted of them.
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
) -> Result<(Bytes, Note), String> {
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
        // None of the batch was cut for the columns of then.
        if is_cut(record, &loader.destination.plan) {
            return Err(format!(
                "the columns ask for more of a record than the error table keeps of it; {mends}"
            ));
        }
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
    if !note.is_of(loader.destination.plan_hash, &body) && is_partitioned {
        let plans = (note.plan, loader.destination.plan_hash);
        return Err(format!(
            "the columns have changed since ({:08x} is now {:08x}), so its rows may belong to other partitions of the \
             table, which do not know its token; {mends}",
            plans.0, plans.1
        ));
    }
    Ok((body, note))
}
