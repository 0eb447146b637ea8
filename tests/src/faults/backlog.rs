//! A backlog of 100 times the memory that a pipe may use, beside a ClickHouse that stands still every other moment.

use std::time::{Duration, Instant};

use housepipe_local_stack::Stack;

use super::Found;
use super::memory::{Memory, Sample};
use super::scene::{Mode, Random};
use crate::{Housepipe, Numbered, housepipe, unique};

/// Size of the backlog's JSON, in budgets.
const BUDGETS: u64 = 100;
/// Partitions of the topic.
const PARTITIONS: i32 = 4;
/// Time for the whole backlog: it fails where it comes to a halt, and not where the machine is slow.
const LOAD_MAX: Duration = Duration::from_secs(1_800);
/// Time between two samples of the memory.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// Writes the backlog, has a pipe with a budget of `budget_mib` load it, and looks at its memory and at every row.
///
/// ClickHouse stands still and takes inserts in turns, so that the pipe is full again and again.
///
/// # Panics
/// Where a server or the pipe does not do what it has to.
pub fn backlog(stack: &Stack, budget_mib: u64, mode: Mode, seed: u64) -> Found {
    let mut random = Random::new(seed);
    let text_bytes = 300 + usize::try_from(random.below(2_000)).unwrap_or(0);
    let mut numbered = Numbered::with_text(stack, &unique("backlog"), PARTITIONS, text_bytes);
    let records = (BUDGETS * (budget_mib << 20)).div_ceil(numbered.record_bytes_min());
    numbered.produce(stack, records);

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
        trouble.push(format!("the pipe ended with {:?}: {}", outcome.code, outcome.stderr));
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
        "{} for a budget of {budget_mib} MiB; {records} records of {} bytes in {:.0} s, ClickHouse stood still {stalls} times",
        memory.map_or_else(|few| few, |memory| memory.to_string()),
        numbered.record_bytes_min(),
        took.as_secs_f64()
    );
    let produced = numbered.produced();
    numbered.remove(stack);
    let trouble = (!trouble.is_empty()).then(|| trouble.join("\n"));
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
            next_turn = Instant::now() + Duration::from_millis(300 + random.below(1_200));
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
