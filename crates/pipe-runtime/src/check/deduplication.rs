//! Whether an insert that is repeated is loaded once, and for how long that holds.

use housepipe_ch_sink::{Deduplication, Severity, Sink, SinkError, judge};

use super::{Check, Verdict};
use crate::pipe::provision::{create_table, error_table};
use crate::pipe_file::{BatchLimits, PipeFile};

/// The name of the check.
const NAME: &str = "deduplication";

/// Judges the destination for a topic of `partitions`, and the error table, whose rows are repeated with the others. `None`
/// where the destination is missing and would not be created.
pub(crate) async fn look(
    sink: &Sink,
    file: &PipeFile,
    partitions: usize,
) -> Result<Option<Deduplication>, SinkError> {
    let facts = match sink.deduplication_facts(&file.destination.table).await? {
        Some(facts) => Some(facts),
        None => match create_table(&file.destination) {
            Some(create) => Some(sink.planned_deduplication_facts(&create).await?),
            None => None,
        },
    };
    let Some(facts) = facts else { return Ok(None) };
    // Error rows come with a batch, and more seldom: for the error table this rate is the highest that there may be.
    let rate = inserts_per_second(&file.batch, partitions);
    let judged = judge(&facts, rate);
    if !file.error_table.enabled {
        return Ok(Some(judged));
    }
    let errors = error_table(file);
    let of_errors = match sink.deduplication_facts(errors.name()).await? {
        Some(facts) => facts,
        None => sink.planned_error_table_facts(&errors).await?,
    };
    Ok(Some(judged.and(judge(&of_errors, rate))))
}

/// Inserts that a pipe makes in a second while it keeps up: one for each partition every `max_wait`, at most.
///
/// A pipe that catches up with a backlog closes its batches earlier, because they are full.
pub(crate) fn inserts_per_second(limits: &BatchLimits, partitions: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate, of numbers far below 2^52")]
    let rate = partitions.max(1) as f64 * 1_000.0 / limits.wait_max_ms.max(1) as f64;
    rate
}

/// The check. At least once, whatever it finds is a warning; exactly once, what cannot hold fails.
pub(crate) fn verdict(
    judged: &Deduplication,
    limits: &BatchLimits,
    partitions: usize,
    is_exactly_once: bool,
) -> Check {
    let mut said: Vec<String> = Vec::new();
    for severity in [Severity::Refusal, Severity::Warning] {
        said.extend(
            judged.with(severity).map(|finding| format!("{finding}; to mend it: {}", finding.mend())),
        );
    }
    let verdict = match (judged.refusals().next(), said.is_empty()) {
        (Some(_), _) if is_exactly_once => Verdict::Failed,
        (_, false) => Verdict::Warning,
        (_, true) => Verdict::Ok,
    };
    if judged.refusals().next().is_some() {
        said.insert(
            0,
            match is_exactly_once {
                true => "exactly once cannot hold, since a repeated insert is loaded again".to_owned(),
                false => "an insert whose answer is lost is repeated, and loaded again".to_owned(),
            },
        );
    }
    if let Some(horizon) = &judged.horizon {
        said.push(format!(
            "a repeated insert is dropped within {} s, which {} remembers: {}; reckoned with one insert for each of \
             {partitions} partition(s) every {} ms (batch.max_wait), and more often where batches fill up earlier",
            horizon.seconds, horizon.table, horizon.arithmetic, limits.wait_max_ms
        ));
    }
    // Of several tables one is enough to make the point.
    if let Some(note) = judged.with(Severity::Note).next() {
        said.push(format!("{note}; to have it there: {}", note.mend()));
    }
    Check { name: NAME, verdict, detail: said.join("; ") }
}

/// What is said where the facts could not be read.
pub(super) fn unknown(reason: &str) -> Check {
    Check { name: NAME, verdict: Verdict::Warning, detail: format!("cannot be told: {reason}") }
}

#[cfg(test)]
mod tests {
    use housepipe_ch_sink::{Finding, TableName};

    use super::*;

    fn judged(findings: Vec<Finding>) -> Deduplication {
        // Deduplication is made by `judge` alone; an empty verdict is one without findings and without a horizon.
        let mut judged = Deduplication::default();
        judged.findings = findings;
        judged
    }

    #[test]
    fn a_missing_window_is_a_warning_at_least_once_and_fails_exactly_once() {
        let table = TableName { database: "d".to_owned(), table: "t".to_owned() };
        let setting = "non_replicated_deduplication_window";
        let none = judged(vec![Finding::NoWindow { table: table.clone(), view: None, setting }]);
        let limits = BatchLimits::default();
        let at_least_once = verdict(&none, &limits, 4, false);
        assert_eq!(at_least_once.verdict, Verdict::Warning);
        assert!(
            at_least_once.detail.contains("ALTER TABLE `d`.`t` MODIFY SETTING"),
            "{}",
            at_least_once.detail
        );
        assert_eq!(verdict(&none, &limits, 4, true).verdict, Verdict::Failed);

        let unsynced = judged(vec![Finding::NotSynced { table: table.clone() }]);
        assert_eq!(verdict(&unsynced, &limits, 4, true).verdict, Verdict::Ok);
        assert!(verdict(&unsynced, &limits, 4, true).detail.contains("fsync_after_insert = 1"));
        let unseen = judged(vec![Finding::ShardsUnseen { table }]);
        assert_eq!(verdict(&unseen, &limits, 4, true).verdict, Verdict::Warning);
    }

    #[test]
    fn the_rate_is_one_insert_for_each_partition_and_wait() {
        assert_eq!(inserts_per_second(&BatchLimits::default(), 4), 0.8);
        assert!(inserts_per_second(&BatchLimits { wait_max_ms: 0, ..BatchLimits::default() }, 0) > 0.0);
    }
}
