//! The fault matrix: what is broken, how, and what is found in the tables afterwards.
//!
//! Everything that is random follows from a seed. Safety and liveness are judged apart: after the faults have stopped,
//! every record has to be in its place within [`CALM`], and then the tables are looked at row by row.

mod backlog;
mod memory;
mod replays;
mod rows;
mod scene;
mod soak;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub use backlog::{Backlog, backlog};
pub use scene::{Ground, Mode, Scene};
pub use soak::soak;

use crate::{Layout, Verdict, own_cluster, take_ended};

/// Time in which everything has to be in its place once nothing breaks any more.
pub const CALM: Duration = Duration::from_secs(90);

/// One row of the matrix.
#[derive(Debug)]
pub struct Row {
    /// Its name, for the command line.
    pub name: &'static str,
    /// What is broken.
    pub what: &'static str,
    /// Whether it needs several brokers. They are started for a run of this row alone.
    pub is_on_cluster: bool,
    /// Whether ClickHouse is killed.
    kills_clickhouse: bool,
    /// Modes that it is run in.
    pub modes: &'static [Mode],
    run: fn(&mut Scene<'_>),
}

impl Row {
    /// Tables in which a mode keeps its promise: a table of partitions may have a part of an insert only when its server is
    /// killed, and exactly once stops there; and what a view passes on is not promised then.
    fn layouts(&self, mode: Mode) -> &'static [Layout] {
        match (self.kills_clickhouse, mode) {
            (false, _) => &Layout::ALL,
            (true, Mode::AtLeastOnce) => &[Layout::Plain, Layout::Partitioned],
            (true, Mode::ExactlyOnce) => &[Layout::Plain],
        }
    }
}

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "pipe-killed",
        what: "the pipe is killed with -9 at random times",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::pipe_killed,
    },
    Row {
        name: "pipe-killed-at",
        what: "the pipe is killed with -9 at an arrow of its state machine",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::pipe_killed_at,
    },
    Row {
        name: "pipe-frozen-at",
        what: "the pipe is frozen at an arrow of its state machine, past its session, and wakes beside its successor",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::pipe_frozen_at,
    },
    Row {
        name: "clickhouse-killed",
        what: "ClickHouse is killed with -9 in the middle of inserts, and started again",
        is_on_cluster: false,
        kills_clickhouse: true,
        modes: &Mode::ALL,
        run: rows::clickhouse_killed,
    },
    Row {
        name: "both-killed",
        what: "ClickHouse is killed with -9 and started again, and then the pipe is, while it finds out",
        is_on_cluster: false,
        kills_clickhouse: true,
        modes: &Mode::ALL,
        run: rows::clickhouse_and_pipe_killed,
    },
    Row {
        name: "answers-lost",
        what: "answers to inserts are lost after the inserts were done",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::answers_lost,
    },
    Row {
        name: "broker-killed",
        what: "the broker is killed with -9 and comes back",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::broker_killed,
    },
    Row {
        name: "coordinator-moves",
        what: "of three brokers, the one that coordinates the group is killed with -9 or stopped, and comes back",
        is_on_cluster: true,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::coordinator_moves,
    },
    Row {
        name: "kafka-network",
        what: "the network to Kafka is cut, stalls, and loses the answers to commits",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::kafka_network,
    },
    Row {
        name: "members",
        what: "other members join, leave, and are frozen past their session",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::members,
    },
    Row {
        name: "clickhouse-troubled",
        what: "ClickHouse stalls, has too many parts or too little memory, is read-only, or its table is away",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::clickhouse_troubled,
    },
    Row {
        name: "registry-away",
        what: "the schema registry is killed with -9 or frozen while records name schemas that the pipe does not know yet, and comes back",
        is_on_cluster: false,
        kills_clickhouse: false,
        modes: &Mode::ALL,
        run: rows::registry_away,
    },
    Row {
        name: "replays",
        what: "`errors replay` is killed with -9 at any of its inserts, ClickHouse is, or both, or two of them run at once",
        is_on_cluster: false,
        kills_clickhouse: true,
        // Records of the error table are loaded once, however a pipe delivers.
        modes: &[Mode::ExactlyOnce],
        run: replays::killed,
    },
];

/// What one run of a row found.
#[derive(Debug)]
pub struct Found {
    /// The tables at the end; none where they did not come to rest.
    pub verdict: Option<Verdict>,
    /// Records written.
    pub produced: u64,
    /// From the last fault until every record was in its place.
    pub calm: Duration,
    /// What went wrong besides the tables.
    pub trouble: Option<String>,
    /// Something to know of the run.
    pub note: String,
}

impl Found {
    /// Of a run that did not begin.
    fn nothing(trouble: String) -> Found {
        let (verdict, calm, note) = (None, Duration::ZERO, String::new());
        Found { verdict, produced: 0, calm, trouble: Some(trouble), note }
    }

    /// Whether what the mode promises was found.
    pub fn is_right(&self, mode: Mode) -> bool {
        self.trouble.is_none() && self.verdict.is_some_and(|verdict| mode.allows(verdict))
    }
}

/// Runs one row on the ground, whose servers are up afterwards. Whatever is waited for in vain ends the run by a panic, which
/// is then its trouble.
pub fn run(row: &Row, ground: &mut Ground, mode: Mode, seed: u64) -> Found {
    if !row.is_on_cluster {
        return run_here(row, ground, mode, seed);
    }
    let cluster = match catch_unwind(own_cluster) {
        Ok(cluster) => cluster,
        Err(panic) => return Found::nothing(message(panic)),
    };
    let usual = std::mem::replace(&mut ground.stack.kafka, cluster);
    let found = run_here(row, ground, mode, seed);
    // Its brokers end here, and cost the rows after it nothing.
    ground.stack.kafka = usual;
    found
}

/// The same on the servers that are there.
fn run_here(row: &Row, ground: &mut Ground, mode: Mode, seed: u64) -> Found {
    let since = Cell::new(Instant::now());
    let produced = Cell::new(0);
    // Of the run before.
    drop(take_ended());
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut scene = Scene::new(ground, row, mode, seed);
        let broken = catch_unwind(AssertUnwindSafe(|| (row.run)(&mut scene))).err().map(message);
        scene.repair();
        produced.set(scene.produced());
        since.set(Instant::now());
        if let Some(broken) = broken {
            return (None, Some(broken));
        }
        scene.calm_down(CALM);
        let (verdict, calm) = (scene.verdict(), since.get().elapsed());
        let trouble = (!mode.allows(verdict)).then(|| scene.evidence());
        (Some((verdict, calm)), trouble)
    }));
    let (verdict, trouble) = judged.unwrap_or_else(|panic| (None, Some(message(panic))));
    let trouble = trouble.map(|trouble| trouble + &what_was_said());
    let calm = verdict.map_or_else(|| since.get().elapsed(), |(_, calm)| calm);
    let verdict = verdict.map(|(verdict, _)| verdict);
    Found { verdict, produced: produced.get(), calm, trouble, note: String::new() }
}

/// What the pipes have said besides their progress.
fn what_was_said() -> String {
    let pipes = take_ended();
    let told = (1..).zip(&pipes).map(|(number, said)| {
        let lines: Vec<&str> = said.lines().filter(|line| !line.contains(" progress ")).collect();
        let kept = &lines[lines.len().saturating_sub(SAID_LINES_MAX)..];
        format!("\n  pipe {number}:\n    {}", kept.join("\n    "))
    });
    told.collect()
}

/// Lines of a pipe that are shown.
const SAID_LINES_MAX: usize = 60;

#[expect(clippy::needless_pass_by_value, reason = "a panic is passed on by value")]
fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
