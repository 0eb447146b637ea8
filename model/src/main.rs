//! The delivery core under a model checker: every order in which a small world of two processes, a broker, a table and
//! a network that delays and repeats can go.
//!
//! The core is the one that pipes run, [`housepipe_runtime::delivery::ExactlyOnce`]; here are only its surroundings. A
//! [`Driver`] that breaks a rule of the protocol shows that the checker would see it.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod protocol;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use protocol::{Driver, Protocol};
use stateright::{Checker, HasDiscoveries, Model};
use world::Mishaps;

/// Model checks the delivery core: no record lost, none twice, in every order of events.
///
/// Without a number of mishaps it goes through several worlds one after the other, since one with all kinds of them at once
/// does not fit into memory.
#[derive(Debug, Parser)]
struct Cli {
    /// Records in the partition
    #[arg(long, default_value_t = 3)]
    records: usize,
    /// Number of a record that ClickHouse refuses, with all that is in the same insert
    #[arg(long)]
    refused: Option<i64>,
    /// Processes killed, at most [default where another mishap is named: 1]
    #[arg(long)]
    crashes: Option<u8>,
    /// Members thrown out without their knowledge, at most [likewise 1]
    #[arg(long)]
    expiries: Option<u8>,
    /// Hand-overs, at most [likewise 1]
    #[arg(long)]
    revocations: Option<u8>,
    /// Commits and hand-overs that take too long, at most [likewise 1]
    #[arg(long)]
    timeouts: Option<u8>,
    /// Commits and inserts whose answers are lost, at most [likewise 1]
    #[arg(long)]
    repeats: Option<u8>,
    /// Times that ClickHouse is killed, in the middle of an insert or not, and started again, at most [likewise 0]
    #[arg(long)]
    restarts: Option<u8>,
    /// Views pass rows on to further tables
    #[arg(long)]
    views: bool,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Cli {
    /// The mishaps of each world, and whether it has views.
    fn worlds(&self) -> Vec<(Mishaps, bool)> {
        let named =
            [self.crashes, self.expiries, self.revocations, self.timeouts, self.repeats, self.restarts];
        if named.iter().all(Option::is_none) {
            return Mishaps::WORLDS.to_vec();
        }
        let mishaps = Mishaps {
            crashes: self.crashes.unwrap_or(1),
            expiries: self.expiries.unwrap_or(1),
            revocations: self.revocations.unwrap_or(1),
            timeouts: self.timeouts.unwrap_or(1),
            repeats: self.repeats.unwrap_or(1),
            restarts: self.restarts.unwrap_or(0),
        };
        vec![(mishaps, self.views)]
    }
}

/// What one exploration found.
struct Explored {
    states: usize,
    /// A property that does not hold, and the steps to where it breaks.
    broken: Option<(&'static str, Vec<String>)>,
    /// Some order of events loads everything.
    can_end: bool,
}

/// Goes through every state, or up to the first that breaks a property.
fn explore(protocol: Protocol, threads: usize) -> Explored {
    let builder = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let checker = builder.spawn_bfs().join();
    let broken = protocol::SAFETY.iter().find_map(|name| {
        let steps = checker.discovery(name)?.into_actions();
        Some((*name, steps.iter().map(|step| format!("{step:?}")).collect()))
    });
    let can_end = checker.discovery(protocol::EVERYTHING_LOADED).is_some();
    Explored { states: checker.unique_state_count(), broken, can_end }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut states = 0;
    for (mishaps, views) in cli.worlds() {
        let began = Instant::now();
        println!("{} records, {mishaps:?}{}", cli.records, if views { ", with views" } else { "" });
        let (records, refused, driver) = (cli.records, cli.refused, Driver::Correct);
        let protocol = Protocol { records, refused, driver, mishaps, views };
        let explored = explore(protocol, cli.threads);
        println!("  {} states in {:.1} s", explored.states, began.elapsed().as_secs_f64());
        states += explored.states;
        if let Some((name, steps)) = explored.broken {
            println!("`{name}` does not hold:\n  {}", steps.join("\n  "));
            return ExitCode::FAILURE;
        }
        if !explored.can_end {
            println!("no order of events loads everything");
            return ExitCode::FAILURE;
        }
    }
    println!("the core: {states} states; holds: {}", protocol::SAFETY.join(", "));
    let mut is_blind = false;
    for driver in Driver::BROKEN {
        let (mishaps, views) = (driver.mishaps(), driver.needs_views());
        let broken = Protocol { driver, refused: None, mishaps, views, records: FEW_RECORDS };
        let explored = explore(broken, cli.threads);
        match explored.broken {
            Some((name, steps)) => {
                println!(
                    "{driver:?}: breaks `{name}` after {} steps, {} states",
                    steps.len(),
                    explored.states
                );
            }
            None => {
                is_blind = true;
                println!("{driver:?}: not found in {} states", explored.states);
            }
        }
    }
    if is_blind { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Records among which every broken driver is found with few mishaps.
const FEW_RECORDS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn few(driver: Driver, refused: Option<i64>, mishaps: Mishaps, views: bool) -> Explored {
        explore(Protocol { records: FEW_RECORDS, refused, driver, mishaps, views }, 1)
    }

    #[test]
    fn no_record_is_lost_and_none_is_loaded_twice() {
        let worlds = [None, Some(0), Some(1), Some(2)].map(|refused| (refused, Mishaps::FEW, false));
        let none = Mishaps::RESTART;
        let with_restarts = [
            (Some(1), Mishaps { expiries: 1, ..none }, true),
            (None, Mishaps { expiries: 1, ..none }, false),
            (None, Mishaps { revocations: 1, timeouts: 1, ..none }, false),
        ];
        for (refused, mishaps, views) in worlds.into_iter().chain(with_restarts) {
            let explored = few(Driver::Correct, refused, mishaps, views);
            assert_eq!(explored.broken, None);
            assert!(explored.can_end);
            assert!(explored.states > 100_000, "{} states are not all", explored.states);
        }
    }

    #[test]
    fn every_broken_driver_is_found() {
        for driver in Driver::BROKEN {
            assert!(few(driver, None, driver.mishaps(), driver.needs_views()).broken.is_some(), "{driver:?}");
        }
    }
}
