//! A service in numbers.

use std::collections::BTreeMap;

use housepipe_runtime::metrics::PipeMetrics;
use housepipe_runtime::{PipeId, Stage};

use super::Service;
use super::follow::Told;
use crate::watch::Calls;

impl Service {
    /// Its pipes in numbers, by their names.
    pub fn metrics(&self) -> BTreeMap<String, PipeMetrics> {
        let metrics = self.inner.supervisor.metrics();
        by_name(metrics, &self.inner.told())
    }

    /// Memory for records and batches of all pipes together, in bytes.
    pub fn memory_bytes_max(&self) -> usize {
        self.inner.supervisor.memory_bytes_max()
    }

    /// Calls of the API.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }
}

/// The same by name, as far as names are known, and with what the supervisor does not know of stages.
fn by_name(
    mut metrics: BTreeMap<PipeId, PipeMetrics>,
    told: &BTreeMap<String, Told>,
) -> BTreeMap<String, PipeMetrics> {
    let mut named = BTreeMap::new();
    // A pipe that goes may have a successor of the same name already, whose numbers count.
    let (going, staying): (Vec<_>, Vec<_>) = told.iter().partition(|(_, told)| told.leaves);
    for (id, told) in going.into_iter().chain(staying) {
        let Some(mut pipe) = metrics.remove(&PipeId::from(id.as_str())) else { continue };
        if told.leaves {
            pipe.stage = Stage::Stopping;
        } else if told.problem.is_some() {
            pipe.stage = Stage::Misconfigured;
        }
        named.insert(told.name.clone(), pipe);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, problem: Option<&str>, leaves: bool) -> Told {
        let problem = problem.map(str::to_owned);
        Told { revision: Some(1), name: name.to_owned(), problem, leaves, has_ended: false }
    }

    #[test]
    fn each_name_is_there_once_with_what_is_wrong_with_it() {
        let pipe = |memory_bytes| {
            let mut pipe = PipeMetrics::default();
            pipe.memory_bytes = memory_bytes;
            pipe
        };
        let metrics =
            (1..=5).map(|number| (PipeId::from(format!("p{number}").as_str()), pipe(number))).collect();
        let told = BTreeMap::from([
            ("p1".to_owned(), told("successor", None, false)),
            ("p2".to_owned(), told("successor", Some("ends"), true)),
            ("p3".to_owned(), told("broken", Some("no such file"), false)),
            ("p4".to_owned(), told("going", Some("ends"), true)),
            ("p9".to_owned(), told("to come", None, false)),
        ]);
        let named = by_name(metrics, &told);
        let seen: Vec<(&str, Stage, u64)> =
            named.iter().map(|(name, pipe)| (name.as_str(), pipe.stage, pipe.memory_bytes)).collect();
        assert_eq!(
            seen,
            [
                ("broken", Stage::Misconfigured, 3),
                ("going", Stage::Stopping, 4),
                ("successor", Stage::Paused, 1)
            ]
        );
    }
}
