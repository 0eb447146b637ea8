//! Replays of the error table that are broken.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::CALM;
use super::scene::Scene;
use crate::{Held, Housepipe};

/// Time for a replay to come to the insert that is held up, or to its end.
const UNTIL_HELD: Duration = Duration::from_secs(20);

/// What is killed while an insert is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    Replay,
    ClickHouse,
    Both,
}

/// Some 200 records in batches of some 20, three inserts for each: one says that it begins, one has its rows, one says that
/// it is loaded.
pub(super) fn killed(scene: &mut Scene<'_>) {
    let rows_max = 10 + scene.below(30);
    scene.reject_and_mend(CALM, rows_max);
    let proxy = scene.before_clickhouse();
    for _ in 0..1 + scene.below(3) {
        let number = 1 + usize::try_from(scene.below(12)).unwrap_or(0);
        proxy.hold(number, if scene.below(2) == 0 { Held::Before } else { Held::After });
        let mut first = scene.start_replay();
        // The one of both that is held up is not known.
        let mut second = (scene.below(2) == 0).then(|| scene.start_replay());
        let is_over = |run: &mut Housepipe| !run.is_running();
        scene.pass_until(UNTIL_HELD, |_| {
            proxy.is_holding() || (is_over(&mut first) && second.as_mut().is_none_or(is_over))
        });
        scene.pass_some(100);
        let killed = [Killed::Replay, Killed::ClickHouse, Killed::Both];
        let killed = killed[usize::try_from(scene.below(3)).unwrap_or(0)];
        if killed != Killed::ClickHouse {
            kill(&mut first);
        }
        if killed != Killed::Replay {
            scene.stack.clickhouse.kill().unwrap_or_else(|error| panic!("{error}"));
            scene.stack.clickhouse.restart().unwrap_or_else(|error| panic!("{error}"));
        }
        proxy.release();
        if scene.below(2) == 0 {
            // In the middle of what it finds out, or tries again.
            scene.pass_some(2_000);
            second.iter_mut().for_each(kill);
            kill(&mut first);
        }
        for run in [Some(first), second].into_iter().flatten() {
            let outcome = run.wait();
            // Killed, done, or it has found the other one's rows.
            assert!(matches!(outcome.code, None | Some(0 | 1)), "{:?}: {}", outcome.code, outcome.stderr);
        }
    }
}

/// Kills it, unless it has come to its end.
fn kill(run: &mut Housepipe) {
    if run.is_running() {
        run.signal(Signal::SIGKILL);
    }
}
