//! Three replicas, killed again and again while records are written.

use std::time::{Duration, Instant};

use housepipe_local_stack::Stack;
use nix::sys::signal::Signal;

use super::Found;
use super::scene::{Mode, Random};
use crate::{Housepipe, Numbered, PipeText, housepipe, unique};

/// Processes with the same pipe file.
const REPLICAS: usize = 3;
/// Partitions of the topic.
const PARTITIONS: i32 = 6;
/// Records that are written in one go.
const CHUNK_RECORDS: u64 = 25_000;
/// Time for what is left, once nobody is killed any more.
const CALM: Duration = Duration::from_secs(300);

/// Writes `records` while a random replica is killed with -9 every few seconds and started again.
pub fn soak(stack: &Stack, records: u64, mode: Mode, seed: u64) -> Found {
    let mut random = Random::new(seed);
    let mut numbered = Numbered::new(stack, &unique("soak"), PARTITIONS, true);
    let pipe = numbered
        .pipe(stack)
        .with(&format!("delivery: {}", mode.name()))
        .with("batch: { max_rows: 20000, max_wait: 1s }");
    let mut replicas: Vec<Housepipe> = (0..REPLICAS).map(|_| start(&pipe)).collect();
    let mut kills = 0_u32;
    let mut ended = Vec::new();
    let mut next_kill = Instant::now() + Duration::from_secs(3);
    while numbered.produced() < records {
        numbered.produce(stack, CHUNK_RECORDS.min(records - numbered.produced()));
        if Instant::now() >= next_kill {
            let victim = usize::try_from(random.below(REPLICAS as u64)).unwrap_or(0);
            replicas[victim].signal(Signal::SIGKILL);
            let killed = std::mem::replace(&mut replicas[victim], start(&pipe)).wait();
            if killed.code.is_some() {
                ended.push(format!("replica {victim} had ended by itself: {}", complaints(&killed.stderr)));
            }
            kills += 1;
            next_kill = Instant::now() + Duration::from_millis(1_500 + random.below(4_000));
        }
        // Readers that are killed all the time must not fall behind without a bound.
        pace(stack, &numbered);
    }
    let since = Instant::now();
    while numbered.settled(stack) < records && since.elapsed() < CALM {
        pause();
    }
    let calm = since.elapsed();
    for (at, replica) in replicas.into_iter().enumerate() {
        replica.signal(Signal::SIGTERM);
        let outcome = replica.wait();
        if outcome.code != Some(0) {
            ended.push(format!(
                "replica {at} ended with {:?}: {}",
                outcome.code,
                complaints(&outcome.stderr)
            ));
        }
    }
    let verdict = numbered.verdict(stack);
    let trouble = (!ended.is_empty()).then(|| ended.join("\n"));
    Found { verdict: Some(verdict), produced: records, calm, trouble, note: format!("{kills} kills") }
}

/// The last warnings and errors of a replica.
fn complaints(stderr: &str) -> String {
    let loud = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
    let lines: Vec<&str> = stderr.lines().filter(loud).collect();
    lines[lines.len().saturating_sub(COMPLAINTS_MAX)..].join("\n  ")
}

/// Lines of a replica that are shown.
const COMPLAINTS_MAX: usize = 30;

fn start(pipe: &PipeText) -> Housepipe {
    housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(pipe), b"")
}

/// Records that may be written and not yet loaded.
const AHEAD_RECORDS_MAX: u64 = 400_000;

fn pace(stack: &Stack, numbered: &Numbered) {
    let since = Instant::now();
    while numbered.produced() > numbered.settled(stack) + AHEAD_RECORDS_MAX
        && since.elapsed() < Duration::from_secs(4)
    {
        pause();
    }
}

fn pause() {
    #[expect(
        clippy::disallowed_methods,
        reason = "conditions of other processes can only be looked at again and again"
    )]
    std::thread::sleep(Duration::from_millis(300));
}
