//! What each row of the matrix breaks.

use std::time::Duration;

use housepipe_local_stack::Broker;
use nix::sys::signal::Signal;

use super::scene::Scene;
use crate::query;

/// Places where a pipe may die: before and behind each arrow of the state machine.
const FAILPOINTS: [&str; 6] =
    ["commit_before", "commit_after", "insert_before", "insert_rows", "insert_rejects", "insert_after"];

/// Time for a pipe to reach the place where it dies.
const UNTIL_DEATH: Duration = Duration::from_secs(30);

/// Longer than a member's session.
const PAST_SESSION: Duration = Duration::from_millis(3_500);

/// Longer than an insert may be late: its session in ClickHouse has ended, and a commit that was acknowledged before it
/// counts no more.
const PAST_FENCE: Duration = Duration::from_secs(33);

/// Longer than it takes until a broker leads again what it led before it went; where it never did so, this much is waited.
const UNTIL_BACK: Duration = Duration::from_secs(10);

pub(super) fn pipe_killed(scene: &mut Scene<'_>) {
    for _ in 0..1 + scene.below(3) {
        let run = scene.start();
        scene.wait_for_some();
        scene.produce(2_000);
        scene.pass_some(300);
        run.signal(Signal::SIGKILL);
        run.wait();
    }
}

pub(super) fn pipe_killed_at(scene: &mut Scene<'_>) {
    let chosen = scene.below(FAILPOINTS.len() as u64);
    let failpoint = FAILPOINTS[usize::try_from(chosen).unwrap_or(0)];
    for _ in 0..2 {
        let count = 1 + scene.below(8);
        let mut run = scene.start_at(&format!("{failpoint}:{count}"));
        scene.produce(3_000);
        let produced = scene.numbered.produced();
        // A pipe that has done everything before it came there that often is killed where it stands.
        scene.pass_until(UNTIL_DEATH, |scene| {
            !run.is_running() || scene.numbered.settled(scene.stack) == produced
        });
        if run.is_running() {
            run.signal(Signal::SIGKILL);
        }
        let outcome = run.wait();
        assert_eq!(outcome.code, None, "{}", outcome.stderr);
    }
}

pub(super) fn pipe_frozen_at(scene: &mut Scene<'_>) {
    let chosen = scene.below(FAILPOINTS.len() as u64);
    let failpoint = FAILPOINTS[usize::try_from(chosen).unwrap_or(0)];
    let count = 1 + scene.below(8);
    let mut frozen = scene.start_at(&format!("{failpoint}:{count}:freeze"));
    scene.produce(3_000);
    let produced = scene.numbered.produced();
    // One that has done everything before it came there that often is frozen where it stands.
    scene.pass_until(UNTIL_DEATH, |scene| {
        frozen.is_frozen() || scene.numbered.settled(scene.stack) == produced
    });
    frozen.signal(Signal::SIGSTOP);
    // Its partitions get another owner, which does what it was about to do.
    let other = scene.start();
    scene.produce(2_000);
    let is_long = scene.below(16) == 0;
    scene.pass_until(if is_long { PAST_FENCE } else { PAST_SESSION }, |_| false);
    scene.pass_some(3_000);
    frozen.signal(Signal::SIGCONT);
    scene.produce(2_000);
    scene.pass_some(2_000);
    if scene.below(2) == 0 {
        other.signal(Signal::SIGKILL);
        other.wait();
        scene.pass_some(2_000);
        frozen.signal(Signal::SIGTERM);
        frozen.wait();
    } else {
        assert!(frozen.is_running(), "frozen and woken, it goes on as a member like any other");
        frozen.signal(Signal::SIGKILL);
        frozen.wait();
        scene.pass_some(2_000);
        other.signal(Signal::SIGTERM);
        other.wait();
    }
}

pub(super) fn clickhouse_killed(scene: &mut Scene<'_>) {
    let run = scene.start();
    for _ in 0..1 + scene.below(2) {
        scene.wait_for_some();
        scene.produce(2_000);
        scene.pass_some(200);
        scene.stack.clickhouse.kill().unwrap_or_else(|error| panic!("{error}"));
        scene.pass_some(1_500);
        scene.stack.clickhouse.restart().unwrap_or_else(|error| panic!("{error}"));
    }
    if scene.below(2) == 0 {
        // The pipe goes too, with what it was about to try again.
        run.signal(Signal::SIGKILL);
    } else {
        scene.wait_for_some();
        run.signal(Signal::SIGTERM);
    }
    run.wait();
}

pub(super) fn clickhouse_and_pipe_killed(scene: &mut Scene<'_>) {
    for _ in 0..1 + scene.below(2) {
        let run = scene.start();
        scene.wait_for_some();
        scene.produce(2_000);
        scene.pass_some(200);
        scene.stack.clickhouse.kill().unwrap_or_else(|error| panic!("{error}"));
        scene.pass_some(500);
        scene.stack.clickhouse.restart().unwrap_or_else(|error| panic!("{error}"));
        // Meanwhile the pipe looks for what it has tried, and tries it again.
        scene.pass_some(3_000);
        run.signal(Signal::SIGKILL);
        run.wait();
    }
}

pub(super) fn answers_lost(scene: &mut Scene<'_>) {
    let proxy = scene.before_clickhouse();
    let run = scene.start();
    for _ in 0..1 + scene.below(4) {
        let count = 1 + usize::try_from(scene.below(3)).unwrap_or(0);
        proxy.lose_answers(count);
        scene.produce(2_000);
        scene.wait_for_some();
    }
    if scene.below(2) == 0 {
        // In between: done by ClickHouse, unknown to a pipe that is gone.
        proxy.lose_answers(1);
        scene.produce(1_000);
        scene.pass_until(Duration::from_secs(5), |_| proxy.left_to_lose() == 0);
        run.signal(Signal::SIGKILL);
    } else {
        run.signal(Signal::SIGTERM);
    }
    run.wait();
    proxy.lose_answers(0);
}

pub(super) fn broker_killed(scene: &mut Scene<'_>) {
    let run = scene.start();
    scene.wait_for_some();
    scene.stack.kafka.kill().unwrap_or_else(|error| panic!("{error}"));
    scene.pass_some(2_000);
    if scene.below(3) == 0 {
        run.signal(Signal::SIGKILL);
    }
    scene.stack.kafka.restart().unwrap_or_else(|error| panic!("{error}"));
    scene.produce(2_000);
    scene.pass_some(3_000);
    run.signal(Signal::SIGKILL);
    run.wait();
}

pub(super) fn coordinator_moves(scene: &mut Scene<'_>) {
    let (first, second) = (scene.start(), scene.start());
    for _ in 0..2 + scene.below(3) {
        scene.wait_for_some();
        scene.produce(2_000);
        scene.pass_some(300);
        let away = scene.coordinator(|_| true);
        let how = scene.below(3);
        let end = if how == 0 { Broker::stop } else { Broker::kill };
        end(scene.broker(away)).unwrap_or_else(|error| panic!("{error}"));
        // To the brokers that are left, as soon as they lead what it led.
        scene.produce(2_000);
        if scene.below(2) == 0 {
            scene.coordinator(|id| id != away);
            scene.wait_for_some();
        } else {
            scene.pass_some(3_000);
        }
        scene.broker(away).restart().unwrap_or_else(|error| panic!("{error}"));
        if scene.below(2) == 0 {
            // Nothing is away, and the group moves back to the broker that it is meant to be at.
            scene.produce(1_000);
            scene.pass_until(UNTIL_BACK, |scene| scene.is_coordinator(away));
        }
    }
    scene.pass_some(2_000);
    first.signal(if scene.below(2) == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
    second.signal(if scene.below(2) == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
    first.wait();
    second.wait();
}

pub(super) fn kafka_network(scene: &mut Scene<'_>) {
    scene.reach_kafka_by_network();
    let (first, second) = (scene.start(), scene.start());
    for _ in 0..1 + scene.below(3) {
        scene.wait_for_some();
        match scene.below(3) {
            0 => scene.network.cut(),
            1 => {
                scene.network.stall();
                // Shorter or longer than a session.
                scene.pass_some(5_000);
                scene.network.flow();
            }
            _ => {
                let count = 1 + usize::try_from(scene.below(5)).unwrap_or(0);
                scene.network.lose_commit_answers(count);
                scene.produce(1_000);
                scene.pass_until(Duration::from_secs(5), |scene| scene.network.left_to_lose() == 0);
            }
        }
        scene.produce(2_000);
        scene.pass_some(1_000);
    }
    let signal = if scene.below(2) == 0 { Signal::SIGKILL } else { Signal::SIGTERM };
    first.signal(signal);
    first.wait();
    scene.produce(1_000);
    scene.pass_some(2_000);
    second.signal(Signal::SIGKILL);
    second.wait();
}

pub(super) fn members(scene: &mut Scene<'_>) {
    let first = scene.start();
    scene.wait_for_some();
    let second = scene.start();
    scene.produce(3_000);
    scene.pass_some(3_000);
    let (frozen, other) = if scene.below(2) == 0 { (first, second) } else { (second, first) };
    frozen.signal(Signal::SIGSTOP);
    scene.produce(2_000);
    let is_long = scene.below(8) == 0;
    scene.pass_until(if is_long { PAST_FENCE } else { PAST_SESSION }, |_| false);
    scene.pass_some(2_000);
    frozen.signal(Signal::SIGCONT);
    scene.produce(2_000);
    scene.pass_some(2_000);
    if scene.below(2) == 0 {
        other.signal(Signal::SIGTERM);
    } else {
        other.signal(Signal::SIGKILL);
    }
    other.wait();
    scene.produce(1_000);
    scene.pass_some(2_000);
    frozen.signal(Signal::SIGTERM);
    frozen.wait();
}

/// What a server in trouble answers, which this one cannot be made to.
const REFUSALS: [(i32, &str); 3] = [
    (241, "(total) memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)"),
    (242, "Table is in readonly mode. (TABLE_IS_READ_ONLY)"),
    (999, "Session expired. (KEEPER_EXCEPTION)"),
];

pub(super) fn clickhouse_troubled(scene: &mut Scene<'_>) {
    let table = scene.numbered.topic().to_owned();
    let proxy = scene.before_clickhouse();
    let run = scene.start();
    scene.wait_for_some();
    match scene.below(4) {
        0 => {
            scene.stack.clickhouse.freeze().unwrap_or_else(|error| panic!("{error}"));
            scene.pass_some(3_000);
            scene.stack.clickhouse.thaw().unwrap_or_else(|error| panic!("{error}"));
        }
        1 => {
            // TOO_MANY_PARTS, as long as it has one.
            let limit = |parts: u32| {
                format!(
                    "ALTER TABLE {table} MODIFY SETTING parts_to_throw_insert = {parts}, \
                     parts_to_delay_insert = {parts}, max_delay_to_insert = 1"
                )
            };
            query(scene.stack, &limit(1));
            scene.produce(2_000);
            scene.pass_some(3_000);
            query(scene.stack, &limit(3_000));
        }
        2 => {
            let (code, text) = REFUSALS[usize::try_from(scene.below(3)).unwrap_or(0)];
            proxy.refuse(code, text);
            scene.produce(2_000);
            scene.pass_some(3_000);
            proxy.pass_on_again();
        }
        _ => {
            query(scene.stack, &format!("RENAME TABLE {table} TO {table}_away"));
            scene.produce(2_000);
            scene.pass_some(3_000);
            query(scene.stack, &format!("RENAME TABLE {table}_away TO {table}"));
        }
    }
    scene.wait_for_some();
    run.signal(if scene.below(2) == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
    run.wait();
}

/// Nothing is rejected for a registry that is away.
pub(super) fn registry_away(scene: &mut Scene<'_>) {
    scene.check_schemas();
    let mut run = scene.start();
    for _ in 0..1 + scene.below(2) {
        scene.name_new_schema();
        scene.produce(1_000);
        scene.wait_for_some();
        scene.name_new_schema();
        let registry = scene.registry();
        let away = if scene.below(2) == 0 { registry.kill() } else { registry.freeze() };
        away.unwrap_or_else(|error| panic!("the registry: {error}"));
        scene.produce(2_000);
        scene.pass_some(4_000);
        let dies = scene.below(2) == 0;
        if dies {
            // One that is started while the registry is away says so, and ends.
            run.signal(Signal::SIGKILL);
        }
        registry
            .thaw()
            .or_else(|_| registry.restart())
            .unwrap_or_else(|error| panic!("the registry: {error}"));
        if dies {
            run.wait();
            run = scene.start();
        }
    }
    scene.wait_for_some();
    run.signal(Signal::SIGTERM);
    run.wait();
}
