//! Records of the error table, encoded once more and loaded where they are accepted.

use std::sync::Arc;
use std::time::Instant;

use housepipe_ch_sink::{
    Deduplication, DeduplicationFacts, Finding, KeptRecord, ReplayMark, Severity, Sink, judge,
};
use housepipe_transform::Encoder;

use super::encode::Batch;
use super::error::ErrorsError;
use super::list::ErrorQuery;
use super::load::Loader;
use super::open::{check_condition, destination, errors_of};
use super::report::ReplayReport;
use super::resume::finish_interrupted;
use crate::check::deduplication::inserts_per_second;
use crate::error::PipeError;
use crate::pipe::CODE_NO_VALUE;
use crate::pipe_file::PipeFile;
use crate::schemas::{Judge, Refusal, Verdict};

/// Records of one page, at most. Each is a row of each mark, and all rows of a mark have to arrive in one insert.
const PAGE_RECORDS_MAX: usize = 10_000;

/// Bytes of values, keys and headers of one page, at most; one record alone may have more.
const PAGE_BYTES_MAX: u64 = 32 << 20;

/// Which records are replayed, and how.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// Which records. Kinds and records that are replayed already do not count.
    pub query: ErrorQuery,
    /// Records to load, at most.
    pub limit: Option<u64>,
    /// Writes nothing.
    pub dry_run: bool,
}

/// What somebody has found out of a batch that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Its records are in the table.
    Loaded,
    /// None of its records is in the table.
    Missing,
}

/// Loads the records of the error table that the pipe's columns accept by now, each once. `progress` is called with what
/// was done so far, after each page.
///
/// It may be killed at any point and run again: what was begun is finished first. It depends on the table's memory of
/// tokens, which is looked at before anything is written.
///
/// # Errors
/// [`ErrorsError`]; what was loaded before is marked as such.
///
/// ```no_run
/// use housepipe_runtime::{PipeFile, ReplayOptions, replay_errors};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let file = PipeFile::read("pipe.yaml".as_ref())?;
/// let options = ReplayOptions { dry_run: true, ..ReplayOptions::default() };
/// let report = replay_errors(&file, &options, |_| {}).await?;
/// println!("{} of {} would be loaded", report.loadable, report.examined);
/// # Ok(()) }
/// ```
pub async fn replay_errors(
    file: &PipeFile,
    options: &ReplayOptions,
    mut progress: impl FnMut(&ReplayReport),
) -> Result<ReplayReport, ErrorsError> {
    let started = Instant::now();
    let (sink, errors) = errors_of(file).await?;
    let destination = destination(file, &sink).await?;
    let filter = options.query.filter(file);
    check_condition(&sink, &errors, &filter).await?;
    let facts = facts_of(&sink, file).await?;
    let mut report = ReplayReport::default();
    report.pipe = file.name.to_string();
    report.table.clone_from(&destination.target.table);
    errors.name().clone_into(&mut report.error_table);
    report.dry_run = options.dry_run;
    let judged = judge(&facts, inserts_per_second(&file.batch, 1));
    report.depends_on = match (problems(&judged), options.dry_run) {
        (problems, _) if problems.is_empty() => dependence(&facts),
        (problems, true) => problems,
        (problems, false) => return Err(ErrorsError::NotRemembered { problems: problems.join("; ") }),
    };
    if destination.target.is_of_one_server()
        && let Some(fault) = sink.session_fault().await?
        && !options.dry_run
    {
        let problems = format!("{fault}; to mend it: {}", fault.mend());
        return Err(ErrorsError::NotRemembered { problems });
    }
    let mut encoder = Encoder::new(Arc::clone(&destination.plan));
    let mut judge = destination.schemas.clone().map(Judge::new);
    let mut loader = Loader::new(&sink, file.name.as_str(), &errors, &destination, facts);
    if options.dry_run {
        report.interrupted = sink.open_claims(errors.name(), loader.pipe).await?.len() as u64;
    } else {
        finish_interrupted(&loader, &mut encoder, &mut report).await?;
    }
    let mut after = None;
    loop {
        let page = sink
            .replayable_page(errors.name(), &filter, after.as_ref(), PAGE_RECORDS_MAX, PAGE_BYTES_MAX)
            .await?;
        let mut batch = Batch::default();
        for record in &page.records {
            if options.limit.is_some_and(|limit| report.loadable >= limit) {
                break;
            }
            report.examined += 1;
            if report.is_unkept(record, &destination.plan) {
                continue;
            }
            if let Some(refusal) = refused(judge.as_mut(), record).await? {
                report.refuse(refusal.code, &refusal.key, &refusal.message);
                continue;
            }
            match batch.push(&mut encoder, record) {
                Ok(()) => report.loadable += 1,
                Err(reject) => report.refuse(
                    reject.code.as_str(),
                    reject.column.as_deref().unwrap_or_default(),
                    &reject.message,
                ),
            }
            if batch.len() >= file.batch.rows_max || batch.bytes() >= file.batch.bytes_max {
                load(&mut loader, std::mem::take(&mut batch), &mut report).await?;
            }
        }
        load(&mut loader, batch, &mut report).await?;
        report.wall_seconds = started.elapsed().as_secs_f64();
        progress(&report);
        after = page.next;
        if after.is_none() || options.limit.is_some_and(|limit| report.loadable >= limit) {
            return Ok(report);
        }
        // Others insert as well, so what is noted of the next batches is read anew.
        loader.facts = facts_of(&sink, file).await?;
    }
}

/// Why the record's schema refuses it, where it does.
async fn refused(judge: Option<&mut Judge>, record: &KeptRecord) -> Result<Option<Refusal>, ErrorsError> {
    let Some(judge) = judge.filter(|_| record.code != CODE_NO_VALUE) else { return Ok(None) };
    loop {
        judge.prepare(Some(&record.raw)).await.map_err(PipeError::from)?;
        match judge.judge(&record.raw) {
            Verdict::Fine => return Ok(None),
            Verdict::Refused(refusal) => return Ok(Some(refusal)),
            // It was forgotten in between.
            Verdict::Lacks(_) => {}
        }
    }
}

/// Loads a batch, or only looks at it in a dry run.
async fn load(loader: &mut Loader<'_>, batch: Batch, report: &mut ReplayReport) -> Result<(), ErrorsError> {
    if report.dry_run || batch.len() == 0 {
        return Ok(());
    }
    loader.load(&batch.close(), report).await
}

/// Settles a batch that was cut off by what somebody has found out; returns how many records it has.
///
/// # Errors
/// [`ErrorsError::NoSuchBatch`] where none of this token is open.
pub async fn settle_replay(file: &PipeFile, token: &str, found: Settled) -> Result<usize, ErrorsError> {
    let (sink, errors) = errors_of(file).await?;
    let claims = sink.open_claims(errors.name(), file.name.as_str()).await?;
    if !claims.iter().any(|claim| claim.token == token) {
        let open: Vec<&str> = claims.iter().map(|claim| claim.token.as_str()).collect();
        let open = if open.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there is {}", open.join(", "))
        };
        return Err(ErrorsError::NoSuchBatch { token: token.to_owned(), open });
    }
    let (ids, _) = sink.claimed_records(errors.name(), file.name.as_str(), token).await?;
    let mark = match found {
        Settled::Loaded => ReplayMark::Loaded,
        Settled::Missing => ReplayMark::Dropped,
    };
    sink.mark_replay(&errors, file.name.as_str(), mark, (token, ""), &ids).await?;
    Ok(ids.len())
}

async fn facts_of(sink: &Sink, file: &PipeFile) -> Result<DeduplicationFacts, ErrorsError> {
    let facts = sink.deduplication_facts(&file.destination.table).await?;
    facts.ok_or_else(|| {
        let (database, table) = (file.destination.database.clone(), file.destination.table.clone());
        PipeError::NoTable { database, table }.into()
    })
}

/// Why a batch that is repeated could be loaded again. How soon the table forgets is looked at for each batch.
fn problems(judged: &Deduplication) -> Vec<String> {
    judged
        .refusals()
        .chain(
            judged.with(Severity::Warning).filter(|finding| matches!(finding, Finding::ShardsUnseen { .. })),
        )
        .map(|finding| format!("{finding}; to mend it: {}", finding.mend()))
        .collect()
}

/// What a batch that is repeated depends on.
fn dependence(facts: &DeduplicationFacts) -> Vec<String> {
    let remembers = facts.tables().filter(|(table, _)| table.window_blocks > 0).map(|(table, _)| {
        let seconds =
            table.window_seconds.map_or(String::new(), |seconds| format!(" of the last {seconds} s"));
        format!("{} remembers the last {} blocks{seconds}", table.name, table.window_blocks)
    });
    remembers.collect()
}
