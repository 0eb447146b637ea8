//! Staying until what was asked for has come about.

use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::args::WaitArgs;
use crate::exit::Exit;
use crate::remote::{PipeView, Remote, RemoteError, Shown};
use crate::signals::Stops;
use crate::ui::{Ui, shown};

/// Time between two looks, in milliseconds.
const LOOK_EVERY_MS: u64 = 500;
/// Letters of a reason that are shown on the way, at most.
const REASON_WIDTH: usize = 160;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Runs,
    /// It runs as it was edited.
    RunsAnew,
    Rests,
    Gone,
}

/// How a look at a pipe ends the wait.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Done,
    /// It will not come about by itself.
    Never,
    NotYet,
}

impl Until {
    /// `before` is since when the pipe was at its stage as it was asked for: an old failure is none of the new try.
    fn judge(self, pipe: &PipeView, before: Option<&str>) -> Seen {
        let is_same = before.is_some() && pipe.since.as_deref() == before;
        let is_old = match (self, pipe.definition) {
            (Until::RunsAnew, Some(definition)) => pipe.stage_definition != Some(definition),
            _ => is_same,
        };
        match (self, pipe.stage.as_str()) {
            (Until::Rests, "paused") => Seen::Done,
            // Somebody else wants something else by now.
            (Until::RunsAnew, _) if pipe.wanted != "running" => Seen::Never,
            (Until::RunsAnew, _) if is_old => Seen::NotYet,
            // What is told of one that runs keeps it from loading, for now.
            (Until::Runs | Until::RunsAnew, "running") if pipe.reason.is_none() => Seen::Done,
            (Until::Runs | Until::RunsAnew, "failed" | "misconfigured") if !is_old => Seen::Never,
            (Until::Runs, _) if pipe.wanted != "running" => Seen::Never,
            (Until::Rests, _) if pipe.wanted != "paused" => Seen::Never,
            _ => Seen::NotYet,
        }
    }
}

/// Stays until the pipe `begun` is as `until` says, and gives it as it is then; none where it is gone.
pub(super) async fn stay(
    remote: &Remote,
    begun: &Shown,
    until: Until,
    args: WaitArgs,
    ui: &Ui,
) -> Result<Option<Shown>, Exit> {
    let stops = Stops::listen()?;
    let id = &begun.view.id;
    let before = begun.view.since.as_deref();
    let spinner = ui.spinner();
    let limit = Duration::from_secs(args.timeout.into());
    let began = Instant::now();
    loop {
        let seen = tokio::select! {
            seen = remote.pipe(id) => seen,
            () = stops.heard(1) => return Err(stopped()),
        };
        let pipe = match seen {
            Err(RemoteError::Refused(problem)) if until == Until::Gone && problem.code == "no_such_pipe" => {
                return Ok(None);
            }
            seen => seen?,
        };
        let stage = words(&pipe.view);
        match until.judge(&pipe.view, before) {
            Seen::Done => return Ok(Some(pipe)),
            Seen::Never => {
                let error = anyhow!("{}: {stage}", pipe.view.name);
                return Err(Exit::failed(error).in_a_word(never(&pipe.view)).about(pipe.document));
            }
            Seen::NotYet if began.elapsed() >= limit => {
                let error = anyhow!(
                    "{}: after {} s it is still {stage}; the service goes on, and `housepipe pipes show {}` tells how far it is",
                    pipe.view.name,
                    args.timeout,
                    pipe.view.name
                );
                return Err(Exit::failed(error).in_a_word("timed_out").about(pipe.document));
            }
            Seen::NotYet => spinner.show(format!("{} is {}", pipe.view.name, shown(&stage, REASON_WIDTH))),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)) => {}
            () = stops.heard(1) => return Err(stopped()),
        }
    }
}

fn stopped() -> Exit {
    Exit::failed(anyhow!("stopped waiting; the service goes on with what was asked for")).in_a_word("stopped")
}

/// Why it will not come about, in a word.
fn never(pipe: &PipeView) -> &'static str {
    match pipe.stage.as_str() {
        "misconfigured" => "misconfigured",
        "failed" => "failed",
        _ => "wanted_otherwise",
    }
}

/// The stage with its reason.
pub(super) fn words(pipe: &PipeView) -> String {
    match &pipe.reason {
        Some(reason) => format!("{}: {reason}", pipe.stage),
        None => pipe.stage.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(wanted: &str, stage: &str, since: &str) -> PipeView {
        PipeView {
            wanted: wanted.into(),
            stage: stage.into(),
            since: Some(since.into()),
            ..PipeView::default()
        }
    }

    #[test]
    fn a_wait_ends_as_soon_as_its_end_is_known() {
        for (until, wanted, stage, since, seen) in [
            (Until::Runs, "running", "running", "1", Seen::Done),
            (Until::Runs, "running", "provisioning", "2", Seen::NotYet),
            (Until::Runs, "running", "misconfigured", "2", Seen::Never),
            (Until::Runs, "running", "failed", "2", Seen::Never),
            // It had failed before it was resumed, and the supervisor has not come to it yet.
            (Until::Runs, "running", "failed", "1", Seen::NotYet),
            (Until::Runs, "paused", "stopping", "2", Seen::Never),
            (Until::Rests, "paused", "stopping", "2", Seen::NotYet),
            (Until::Rests, "paused", "paused", "2", Seen::Done),
            (Until::Rests, "running", "provisioning", "2", Seen::Never),
            (Until::Gone, "removed", "stopping", "2", Seen::NotYet),
            (Until::Gone, "removed", "failed", "2", Seen::NotYet),
        ] {
            assert_eq!(
                until.judge(&pipe(wanted, stage, since), Some("1")),
                seen,
                "{until:?} {wanted} {stage} {since}"
            );
        }
        assert_eq!(Until::Runs.judge(&pipe("running", "failed", "1"), None), Seen::Never);
        let hampered =
            PipeView { reason: Some("connection refused".to_owned()), ..pipe("running", "running", "2") };
        assert_eq!(Until::Runs.judge(&hampered, Some("1")), Seen::NotYet, "it loads nothing");
    }

    #[test]
    fn the_stage_of_before_says_nothing_of_an_edit() {
        let edited = |stage: &str, of: Option<u64>| PipeView {
            definition: Some(2),
            stage_definition: of,
            ..pipe("running", stage, "1")
        };
        for (stage, of, seen) in [
            ("running", Some(1), Seen::NotYet),
            ("misconfigured", Some(1), Seen::NotYet),
            ("running", None, Seen::NotYet),
            ("stopping", Some(2), Seen::NotYet),
            ("running", Some(2), Seen::Done),
            ("misconfigured", Some(2), Seen::Never),
            ("failed", Some(2), Seen::Never),
        ] {
            assert_eq!(Until::RunsAnew.judge(&edited(stage, of), Some("1")), seen, "{stage} {of:?}");
        }
        let of_an_older_service = pipe("running", "running", "1");
        assert_eq!(Until::RunsAnew.judge(&of_an_older_service, Some("1")), Seen::NotYet);
        assert_eq!(Until::RunsAnew.judge(&of_an_older_service, Some("0")), Seen::Done);
        let paused = PipeView { wanted: "paused".into(), ..edited("running", Some(1)) };
        assert_eq!(Until::RunsAnew.judge(&paused, Some("1")), Seen::Never);
    }
}
