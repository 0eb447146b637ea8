//! Metrics of the process as a whole.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::exposition::{Exposition, Samples};
use super::family::Family;
use super::{PipeMetrics, ProcessMetrics};
use crate::supervisor::Stage;

type Take = fn(&BTreeMap<String, PipeMetrics>, &ProcessMetrics, &mut Samples<'_>);

/// What is told of the process: each family, and where its samples come from. Names without `housepipe_` are those that Prometheus'
/// client libraries give to the same things, so that dashboards for any process show this one.
static FAMILIES: [(Family, Take); 6] = [
    (
        Family::gauge("housepipe_build_info", &["version"], "1, with the version of the program."),
        |_, _, samples| samples.value(&[env!("CARGO_PKG_VERSION")], 1_u64),
    ),
    (
        Family::gauge(
            "process_start_time_seconds",
            &[],
            "When the process was started, in seconds since 1970.",
        ),
        |_, process, samples| {
            let since = process.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            samples.value(&[], since.as_secs_f64());
        },
    ),
    (
        Family::counter("process_cpu_seconds_total", &[], "User and system CPU time of all threads."),
        |_, process, samples| samples.value(&[], process.cpu_seconds),
    ),
    (
        Family::gauge("process_resident_memory_bytes", &[], "Memory that the process holds."),
        |_, process, samples| {
            process.resident_bytes.into_iter().for_each(|bytes| samples.value(&[], bytes));
        },
    ),
    (
        Family::gauge(
            "housepipe_memory_budget_bytes",
            &[],
            "Memory for records and batches of all pipes together, at most.",
        ),
        |_, process, samples| process.memory_bytes.into_iter().for_each(|bytes| samples.value(&[], bytes)),
    ),
    (Family::gauge("housepipe_pipes", &["stage"], "Pipes in each stage."), |pipes, _, samples| {
        for stage in Stage::ALL {
            let count = pipes.values().filter(|pipe| pipe.stage == stage).count();
            samples.value(&[stage.as_str()], count as u64);
        }
    }),
];

pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().map(|(family, _)| family)
}

pub(super) fn write(
    pipes: &BTreeMap<String, PipeMetrics>,
    process: &ProcessMetrics,
    exposition: &mut Exposition,
) {
    for (family, take) in &FAMILIES {
        exposition.family(family, |samples| take(pipes, process, samples));
    }
}
