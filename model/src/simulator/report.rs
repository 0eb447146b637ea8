//! What is told of the runs.

use std::collections::BTreeMap;

use super::event::Mishap;
use super::world::{Stats, seconds};

/// What all runs have seen together.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) seeds: u64,
    pub(crate) stats: Stats,
    pub(crate) halts: BTreeMap<&'static str, u64>,
    pub(crate) seeds_with_halts: u64,
    /// The longest time until everything was loaded, in milliseconds, and its seed.
    pub(crate) slowest_calm: (u64, u64),
}

impl Totals {
    /// Adds one run.
    pub(crate) fn add(&mut self, seed: u64, stats: &Stats, halts: &BTreeMap<&'static str, u64>) {
        self.seeds += 1;
        self.slowest_calm = self.slowest_calm.max((stats.calm_ms, seed));
        self.seeds_with_halts += u64::from(!halts.is_empty());
        self.stats.add(stats);
        add_all(&mut self.halts, halts);
    }

    /// Adds the runs of others.
    pub(crate) fn merge(&mut self, other: &Totals) {
        self.seeds += other.seeds;
        self.slowest_calm = self.slowest_calm.max(other.slowest_calm);
        self.seeds_with_halts += other.seeds_with_halts;
        self.stats.add(&other.stats);
        add_all(&mut self.halts, &other.halts);
    }

    /// Each number with its name, in the order in which they are shown.
    fn rows(&self) -> Vec<(String, u64)> {
        let stats = &self.stats;
        let mut rows: Vec<(String, u64)> = [
            ("seeds", self.seeds),
            ("events", stats.events),
            ("simulated hours", stats.simulated_ms / 3_600_000),
            ("records", stats.records),
            ("inserts", stats.inserts),
            ("inserts dropped as repetitions", stats.dropped),
            ("inserts refused for a row", stats.refusals),
            ("inserts refused for their session", stats.sessions_unknown),
            ("commits", stats.commits),
            ("ranges read again", stats.replays),
            ("ranges prepared again", stats.prepared_again),
            ("ranges looked for, their tokens forgotten", stats.looked_back),
            ("requests and answers lost or late", stats.network),
            ("memberships left, a commit's fate unknown", stats.leaves),
            ("memberships ended by the group", stats.lost),
        ]
        .map(|(name, number)| (name.to_owned(), number))
        .into();
        rows.extend(stats.mishaps.iter().map(|(mishap, number)| (words(*mishap).to_owned(), *number)));
        rows.push(("runs with partitions that stopped".to_owned(), self.seeds_with_halts));
        rows.extend(self.halts.iter().map(|(reason, number)| (format!("stops: {reason}"), *number)));
        rows.push(("stops of processes that had lost the partition".to_owned(), stats.false_alarms));
        rows.push(("records doubled beyond the horizon".to_owned(), stats.beyond_horizon));
        rows.push(("times that an operator mended".to_owned(), stats.mends));
        rows
    }

    /// A table for people.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for (name, number) in self.rows() {
            table.push_str(&format!("  {name:<44} {number:>14}\n"));
        }
        let (calm_ms, seed) = self.slowest_calm;
        table + &format!("  slowest calm: {:.1} s of simulated time (seed {seed})", seconds(calm_ms))
    }

    /// The same as one line of JSON.
    pub(crate) fn json(&self, violations: &[(u64, String)], missed: &[String]) -> serde_json::Value {
        let numbers: serde_json::Map<String, serde_json::Value> =
            self.rows().into_iter().map(|(name, number)| (name, number.into())).collect();
        let violations: Vec<serde_json::Value> = violations
            .iter()
            .map(|(seed, what)| serde_json::json!({ "seed": seed, "violation": what }))
            .collect();
        serde_json::json!({
            "numbers": numbers,
            "slowest_calm_ms": self.slowest_calm.0,
            "slowest_calm_seed": self.slowest_calm.1,
            "violations": violations,
            "mistakes_not_found": missed,
        })
    }
}

impl Stats {
    fn add(&mut self, other: &Stats) {
        self.events += other.events;
        self.simulated_ms += other.simulated_ms;
        self.records += other.records;
        self.network += other.network;
        self.inserts += other.inserts;
        self.dropped += other.dropped;
        self.refusals += other.refusals;
        self.commits += other.commits;
        self.replays += other.replays;
        self.prepared_again += other.prepared_again;
        self.looked_back += other.looked_back;
        self.sessions_unknown += other.sessions_unknown;
        self.leaves += other.leaves;
        self.lost += other.lost;
        self.mends += other.mends;
        self.false_alarms += other.false_alarms;
        self.beyond_horizon += other.beyond_horizon;
        add_all(&mut self.mishaps, &other.mishaps);
    }
}

fn add_all<K: Ord + Copy>(all: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, number) in more {
        *all.entry(*key).or_default() += number;
    }
}

fn words(mishap: Mishap) -> &'static str {
    match mishap {
        Mishap::ProcessKilled => "processes killed",
        Mishap::ProcessFrozen => "processes frozen",
        Mishap::KafkaCut => "processes cut off from Kafka",
        Mishap::PartitionMoved => "partitions handed over",
        Mishap::ServerKilled => "ClickHouse killed",
        Mishap::ServerStalls => "ClickHouse stalled",
        Mishap::OffsetSet => "offsets set or damaged by an operator",
        Mishap::OtherColumns => "processes started with other columns",
    }
}

/// Prints a line.
pub(crate) fn line(text: &str) {
    println!("{text}");
}
