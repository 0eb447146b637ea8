//! Pipes out of metrics in Prometheus text: of `housepipe run`, or of a service.

use std::collections::BTreeMap;

use crate::remote::{PartitionView, PipeView, RunView};

/// Families that are looked at.
mod names {
    pub(super) const STAGE: &str = "housepipe_pipe_stage";
    pub(super) const READ: &str = "housepipe_records_read_total";
    pub(super) const LOADED: &str = "housepipe_records_loaded_total";
    pub(super) const REJECTED: &str = "housepipe_records_rejected_total";
    pub(super) const REJECTED_BY_CODE: &str = "housepipe_records_rejected_by_code_total";
    pub(super) const IN_FLIGHT: &str = "housepipe_records_in_flight";
    pub(super) const INSERTS: &str = "housepipe_inserts_total";
    pub(super) const RETRIES: &str = "housepipe_insert_retries_total";
    pub(super) const READ_BYTES: &str = "housepipe_read_bytes_total";
    pub(super) const LAG_RECORDS: &str = "housepipe_lag_records";
    pub(super) const LAG_SECONDS: &str = "housepipe_lag_seconds";
    pub(super) const PARTITION_LAG_RECORDS: &str = "housepipe_partition_lag_records";
    pub(super) const PARTITION_LAG_SECONDS: &str = "housepipe_partition_lag_seconds";
}

/// One sample.
#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

impl Sample<'_> {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_str())
    }
}

/// The pipes that the samples of `text` tell of, by name. Their names are their ids.
///
/// # Errors
/// The first line that is no sample; and where none tells of a pipe of housepipe, what the text may be.
pub(super) fn pipes(text: &str) -> Result<Vec<PipeView>, String> {
    let (mut pipes, mut knows_us) = (BTreeMap::new(), false);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let sample = sample(line).ok_or_else(|| format!("`{line}` is no sample of Prometheus text"))?;
        knows_us |= sample.name.starts_with("housepipe_");
        let Some(name) = sample.label("pipe") else { continue };
        let pipe = pipes.entry(name.to_owned()).or_insert_with(|| PipeView {
            id: name.to_owned(),
            name: name.to_owned(),
            ..PipeView::default()
        });
        take(pipe, &sample);
    }
    if !knows_us {
        return Err("none of its metrics are of housepipe".to_owned());
    }
    Ok(pipes.into_values().collect())
}

fn take(pipe: &mut PipeView, sample: &Sample<'_>) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as saturates, and counts are not negative"
    )]
    let count = sample.value as u64;
    let counters = &mut pipe.counters;
    match sample.name {
        names::STAGE if sample.value > 0.0 => {
            pipe.stage = sample.label("stage").unwrap_or_default().to_owned();
        }
        names::READ => counters.read = count,
        names::LOADED => counters.loaded = count,
        names::REJECTED => counters.rejected = count,
        names::IN_FLIGHT => counters.in_flight = count,
        names::INSERTS => counters.inserts += count,
        names::RETRIES => counters.retries += count,
        names::READ_BYTES => counters.bytes_read = count,
        names::LAG_RECORDS => pipe.told_lag_records = Some(count),
        names::LAG_SECONDS => pipe.told_lag_seconds = Some(sample.value),
        names::REJECTED_BY_CODE => {
            let run = pipe.run.get_or_insert_with(RunView::default);
            run.rejected_by_code.insert(sample.label("code").unwrap_or_default().to_owned(), count);
        }
        names::PARTITION_LAG_RECORDS => {
            if let Some(partition) = partition(pipe, sample) {
                partition.lag_records = Some(count);
            }
        }
        names::PARTITION_LAG_SECONDS => {
            if let Some(partition) = partition(pipe, sample) {
                partition.lag_seconds = Some(sample.value);
            }
        }
        _ => {}
    }
}

/// The partition that a sample is about.
fn partition<'a>(pipe: &'a mut PipeView, sample: &Sample<'_>) -> Option<&'a mut PartitionView> {
    let number = sample.label("partition")?.parse().ok()?;
    let partitions = &mut pipe.run.get_or_insert_with(RunView::default).partitions;
    let at = match partitions.iter().position(|partition| partition.partition == number) {
        Some(at) => at,
        None => {
            partitions.push(PartitionView { partition: number, ..PartitionView::default() });
            partitions.len() - 1
        }
    };
    partitions.get_mut(at)
}

/// A line as a sample: a name, labels in braces, and a value; a time may follow.
fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once('=')?;
            let (value, after) = quoted(after.trim_start())?;
            labels.push((label.trim(), value));
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then_some(Sample { name, labels, value })
}

/// The text in the quotes at the front, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.strip_prefix('"')?.char_indices();
    let mut value = String::new();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, text.get(at + 2..)?)),
            (_, '\\') => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            (_, other) => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP housepipe_records_read_total Records taken from Kafka.
# TYPE housepipe_records_read_total counter
housepipe_records_read_total{pipe="clicks"} 1200
housepipe_records_loaded_total{pipe="clicks"} 1.1e3
housepipe_records_rejected_total{pipe="clicks",} 50 1767225600000
housepipe_records_rejected_by_code_total{pipe="clicks",code="invalid_number"} 50
housepipe_pipe_stage{pipe="clicks",stage="paused"} 0
housepipe_pipe_stage{pipe="clicks",stage="running"} 1
housepipe_pipe_stage{ pipe = "a \"b\"\\\n", stage="failed" } 1
housepipe_partition_lag_records{pipe="clicks",partition="3"} 7
housepipe_partition_lag_seconds{pipe="clicks",partition="3"} 0.5
housepipe_partition_lag_records{pipe="clicks",partition="0"} 0
housepipe_lag_records{pipe="clicks"} 9
housepipe_end_to_end_latency_seconds_bucket{pipe="clicks",le="+Inf"} 4
process_resident_memory_bytes 12345
"#;

    #[test]
    fn pipes_are_put_together_out_of_their_samples() {
        let pipes = pipes(TEXT).unwrap();
        let [odd, clicks] = &pipes[..] else { panic!("{pipes:?}") };
        assert_eq!((odd.name.as_str(), odd.stage.as_str()), ("a \"b\"\\\n", "failed"));
        assert_eq!((clicks.id.as_str(), clicks.stage.as_str()), ("clicks", "running"));
        let counters = clicks.counters;
        assert_eq!((counters.read, counters.loaded, counters.rejected), (1_200, 1_100, 50));
        let run = clicks.run.as_ref().unwrap();
        assert_eq!(run.rejected_by_code["invalid_number"], 50);
        assert_eq!(run.partitions.len(), 2);
        // What is told of the pipe as a whole stands, also where not each partition is told of.
        assert_eq!((clicks.lag_records(), clicks.lag_seconds()), (Some(9), Some(0.5)));
    }

    #[test]
    fn what_is_no_exposition_is_refused() {
        for text in ["<html>", "x{", "x{a=\"b\" 1", "x{a=b} 1", "x{} y", "x{a=\"b", "{} 1"] {
            assert!(pipes(text).unwrap_err().contains("is no sample"), "{text}");
        }
        for text in ["", "go_goroutines 7\n"] {
            assert!(pipes(text).unwrap_err().contains("none of its metrics"), "{text}");
        }
        assert_eq!(pipes("housepipe_build_info{version=\"1\"} 1\n"), Ok(Vec::new()));
    }
}
