//! A backlog of 100 times the memory that a pipe may use, beside a ClickHouse that stands still again and again.

use std::time::{Duration, Instant};

use housepipe_local_stack::Stack;

use super::memory::{Memory, Sample};
use super::scene::{Mode, Random};
use super::{Found, what_was_said};
use crate::text::Text;
use crate::{Housepipe, Numbered, housepipe, take_ended, unique};

/// Size of the backlog's JSON, in budgets.
const BUDGETS: u64 = 100;
/// Partitions of the topic.
const PARTITIONS: i32 = 4;
/// Time for the whole backlog: it fails where it comes to a halt, and not where the machine is slow.
const LOAD_MAX: Duration = Duration::from_secs(1_800);
/// Time between two samples of the memory.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// Different numbers in the texts of records that are alike.
const ALIKE_NUMBERS: u64 = 7;

/// What a backlog is like.
#[derive(Debug, Clone, Copy)]
pub struct Backlog<'a> {
    /// Memory of the pipe, in MiB. The backlog is 100 times that.
    pub budget_mib: u64,
    /// The topic's `compression.type`.
    pub compression: &'a str,
    /// Whether records differ little from each other: zstd makes them a 27th of their size, and others a sixth.
    pub is_alike: bool,
}

/// Writes the backlog, has a pipe load it, and looks at its memory and at every row.
///
/// ClickHouse stands still and takes inserts in turns, from the beginning to the end alike, so that the pipe is full again
/// and again and the thirds of the run may be compared.
///
/// # Panics
/// Where a server or the pipe does not do what it has to.
pub fn backlog(stack: &Stack, backlog: Backlog<'_>, mode: Mode, seed: u64) -> Found {
    let Backlog { budget_mib, compression, is_alike } = backlog;
    // Of the run before.
    drop(take_ended());
    let mut random = Random::new(seed);
    let text =
        Text { phrases: 4 + random.below(28), numbers: if is_alike { ALIKE_NUMBERS } else { u64::MAX } };
    let mut numbered = Numbered::with_text(stack, &unique("backlog"), PARTITIONS, text, compression);
    let bytes = BUDGETS * (budget_mib << 20);
    numbered.produce_bytes(stack, bytes);

    let pipe = numbered.pipe(stack).with(&format!("delivery: {}", mode.name()));
    let memory_mib = budget_mib.to_string();
    let arguments = ["run", "pipe.yaml", "--json", "--until-caught-up", "--memory-mib", &memory_mib];
    let began = Instant::now();
    let mut run = housepipe(&arguments, Some(&pipe), b"");
    let (samples, stalls) = watch(&mut run, stack, &mut random);
    let took = began.elapsed();
    let outcome = run.wait();

    let mut trouble = Vec::new();
    if outcome.code != Some(0) {
        trouble.push(format!("the pipe ended with {:?}", outcome.code));
    }
    let memory = Memory::of(&samples);
    let complaint =
        memory.as_ref().map_or_else(|few| Some(few.clone()), |memory| memory.complaint(budget_mib));
    trouble.extend(complaint);
    let verdict = numbered.verdict(stack);
    if !mode.allows(verdict) {
        trouble.push(numbered.evidence(stack));
    }
    let note = format!(
        "{} for a budget of {budget_mib} MiB; {} records of {} bytes in {:.0} s, ClickHouse stood still {stalls} times",
        memory.map_or_else(|few| few, |memory| memory.to_string()),
        numbered.produced(),
        bytes / numbered.produced(),
        took.as_secs_f64()
    );
    let produced = numbered.produced();
    numbered.remove(stack);
    let trouble = (!trouble.is_empty()).then(|| trouble.join("\n") + &what_was_said());
    Found { verdict: Some(verdict), produced, calm: took, trouble, note }
}

/// Samples the memory of the pipe until it ends, and stops and wakes ClickHouse meanwhile; says how often it stood still.
fn watch(run: &mut Housepipe, stack: &Stack, random: &mut Random) -> (Vec<Sample>, u32) {
    let (mut samples, mut stalls, mut is_still) = (Vec::new(), 0, false);
    let deadline = Instant::now() + LOAD_MAX;
    let mut next_turn = Instant::now();
    while run.is_running() {
        assert!(Instant::now() < deadline, "the backlog was not loaded in {LOAD_MAX:?}: {}", run.said());
        samples.extend(Sample::of(run.pid()));
        if Instant::now() >= next_turn {
            let turn = if is_still { stack.clickhouse.thaw() } else { stack.clickhouse.freeze() };
            turn.unwrap_or_else(|error| panic!("{error}"));
            stalls += u32::from(!is_still);
            is_still = !is_still;
            let turn_ms = if is_still { 300 + random.below(700) } else { 1_000 + random.below(2_000) };
            next_turn = Instant::now() + Duration::from_millis(turn_ms);
        }
        pause();
    }
    if is_still {
        stack.clickhouse.thaw().unwrap_or_else(|error| panic!("{error}"));
    }
    (samples, stalls)
}

fn pause() {
    #[expect(clippy::disallowed_methods, reason = "samples are taken at equal distances")]
    std::thread::sleep(SAMPLE_EVERY);
}
