//! The tables of families: what they may say, and that they say it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::pipe::PartitionProgress;

/// A pipe of which every family has a sample.
fn busy() -> PipeMetrics {
    let mut pipe = PipeMetrics { stage: Stage::Running, memory_bytes: 1 << 28, ..PipeMetrics::default() };
    let totals = &mut pipe.totals;
    (totals.counters.read, totals.counters.loaded, totals.counters.rejected) = (10, 6, 2);
    (totals.counters.in_flight, totals.counters.given_back) = (1, 1);
    totals.rejected_by_code.insert("type_mismatch".to_owned(), 2);
    totals.tally.retries_by_code.insert("241".to_owned(), 1);
    pipe.run = Some(RunMetrics {
        partitions: (0..2).map(partition).collect(),
        partitions_stopped: 0,
        last_insert_age_seconds: Some(1.0),
        horizon: Some(Horizon {
            blocks: Some(1_000),
            seconds: Some(60),
            pending_age_seconds: 3,
            used_ratio: Some(0.1),
        }),
    });
    pipe
}

fn partition(partition: i32) -> PartitionProgress {
    PartitionProgress {
        partition,
        position: Some(5),
        stored: Some(5),
        end: Some(7),
        lag_records: Some(2),
        lag_seconds: Some(0.5),
    }
}

fn written(pipes: &[(&str, PipeMetrics)]) -> String {
    let pipes = pipes.iter().map(|(name, pipe)| ((*name).to_owned(), pipe.clone())).collect();
    let process = ProcessMetrics { memory_bytes: Some(1 << 30), ..ProcessMetrics::now() };
    let mut exposition = Exposition::new(Format::Text);
    write(&pipes, &process, &mut exposition);
    exposition.finish()
}

#[test]
fn names_are_as_prometheus_and_openmetrics_want_them() {
    let mut seen = BTreeSet::new();
    for Family { name, kind, labels, help } in families() {
        assert!(seen.insert(*name), "{name} is there twice");
        let own = name.starts_with("housepipe_") || name.starts_with("process_");
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(own && letters, "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        for suffix in ["_count", "_sum", "_bucket", "_created"] {
            assert!(!name.ends_with(suffix), "{name} is taken for a part of another metric");
        }
        for unit in ["milli", "micro", "minutes", "hours", "_ms", "_kb", "_mb", "percent"] {
            assert!(!name.contains(unit), "{name} has a unit that is not a base unit");
        }
        assert!(help.ends_with('.') && help.is_ascii(), "{name}: {help}");
        for label in *labels {
            assert!(*label != "le" && !name.contains(&format!("_by_{label}_total_")), "{name}: {label}");
        }
    }
}

#[test]
fn every_family_is_written_of_a_busy_pipe() {
    let text = written(&[("a", busy())]);
    for family in families() {
        let head =
            format!("# HELP {} {}\n# TYPE {} {}\n", family.name, family.help, family.name, family.kind);
        assert_eq!(text.matches(&head).count(), 1, "{} in {text}", family.name);
    }
}

#[test]
fn a_pipe_that_never_ran_has_a_stage_and_little_more() {
    let both = written(&[("a", busy()), ("idle", PipeMetrics::default())]);
    let idle: Vec<&str> = both.lines().filter(|line| line.contains("pipe=\"idle\"")).collect();
    assert_eq!(idle.len(), Stage::ALL.len() + 1, "{idle:?}");
    assert!(idle.contains(&"housepipe_pipe_stage{pipe=\"idle\",stage=\"paused\"} 1"), "{idle:?}");
    assert!(
        both.contains("housepipe_pipes{stage=\"running\"} 1\n")
            && both.contains("housepipe_pipes{stage=\"paused\"} 1\n")
    );
}

#[test]
fn what_was_counted_stays_of_a_pipe_that_rests() {
    let rested = PipeMetrics { stage: Stage::Paused, memory_bytes: 0, run: None, ..busy() };
    let text = written(&[("a", rested)]);
    assert!(text.contains("housepipe_records_read_total{pipe=\"a\"} 10\n"), "{text}");
    assert!(!text.contains("housepipe_lag_records") && !text.contains("housepipe_partitions{"), "{text}");
}

#[test]
fn a_record_that_is_nowhere_shows_in_the_identity() {
    let mut pipe = busy();
    assert!(written(&[("a", pipe.clone())]).contains("housepipe_identity_difference{pipe=\"a\"} 0\n"));
    pipe.totals.counters.loaded -= 2;
    assert!(written(&[("a", pipe.clone())]).contains("housepipe_identity_difference{pipe=\"a\"} 2\n"));
    pipe.totals.counters.loaded += 3;
    assert!(written(&[("a", pipe)]).contains("housepipe_identity_difference{pipe=\"a\"} -1\n"));
}

#[test]
fn partitions_are_told_one_by_one_up_to_a_limit() {
    let mut pipe = busy();
    let run = pipe.run.as_mut().unwrap();
    run.partitions = (0..).map(partition).take(of_pipe::PARTITIONS_SHOWN_MAX).collect();
    let text = written(&[("a", pipe.clone())]);
    assert_eq!(text.matches("housepipe_partition_lag_records{").count(), of_pipe::PARTITIONS_SHOWN_MAX);
    assert!(
        families()
            .any(|family| family.help.contains(&format!("more than {} ", of_pipe::PARTITIONS_SHOWN_MAX)))
    );
    pipe.run.as_mut().unwrap().partitions.push(partition(1_000));
    let text = written(&[("a", pipe)]);
    assert!(!text.contains("housepipe_partition_lag_"), "{text}");
    assert!(
        text.contains("housepipe_lag_records{pipe=\"a\"} 258\n")
            && text.contains("housepipe_lag_seconds{pipe=\"a\"} 0.5\n")
    );
}

#[test]
fn the_process_tells_what_it_uses() {
    let now = ProcessMetrics::now();
    assert!(now.cpu_seconds > 0.0 && now.started.elapsed().unwrap() < Duration::from_secs(3_600), "{now:?}");
    if cfg!(target_os = "linux") {
        assert!(now.resident_bytes.unwrap() > 1 << 20, "{now:?}");
    }
}
