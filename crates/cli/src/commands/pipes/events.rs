//! `housepipe pipes events`.

use std::process::ExitCode;

use serde_json::value::RawValue;

use crate::args::EventsArgs;
use crate::exit::Exit;
use crate::remote::{EventView, Happening, Remote, RemoteError};
use crate::signals::Stops;
use crate::ui::{Ui, shown};

/// Events that are asked for at once.
const PAGE: u16 = 1_000;
/// Letters of a reason, at most.
const REASON_WIDTH: usize = 400;
/// Letters of a name, at most.
const NAME_WIDTH: usize = 100;

pub(super) async fn run(remote: &Remote, args: &EventsArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = match &args.pipe {
        Some(name) => Some(remote.find(name).await?.view.id),
        None => None,
    };
    if args.follow {
        follow(remote, pipe.as_deref(), args.after, ui).await
    } else {
        list(remote, pipe.as_deref(), args.after.unwrap_or(0), ui).await
    }
}

async fn list(remote: &Remote, pipe: Option<&str>, mut after: i64, ui: &Ui) -> Result<ExitCode, Exit> {
    loop {
        let events: Vec<Box<RawValue>> = remote.events(pipe, after, PAGE).await?;
        let is_last = events.len() < usize::from(PAGE);
        for event in &events {
            after = tell(event.get(), ui)?.max(after);
        }
        if is_last {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

async fn follow(remote: &Remote, pipe: Option<&str>, after: Option<i64>, ui: &Ui) -> Result<ExitCode, Exit> {
    let stops = Stops::listen()?;
    let mut events = remote.follow(pipe, after);
    let mut is_lost = false;
    loop {
        let happening = tokio::select! {
            happening = events.next() => happening?,
            () = stops.heard(1) => return Ok(ExitCode::SUCCESS),
        };
        match happening {
            Happening::Event(event) => {
                tell(&event, ui)?;
            }
            Happening::Connected if is_lost => {
                is_lost = false;
                ui.note("connected again");
            }
            Happening::Connected => {}
            Happening::Broke { why, misses } => {
                if !is_lost {
                    let missed = if misses { "; what happens meanwhile is not shown" } else { "" };
                    ui.note(&format!("{}; it is tried again{missed}", shown(&why.to_string(), REASON_WIDTH)));
                }
                is_lost = true;
            }
        }
    }
}

/// Prints an event, and gives its number.
fn tell(json: &str, ui: &Ui) -> Result<i64, Exit> {
    let event: EventView = serde_json::from_str(json).map_err(|error| RemoteError::Foreign {
        server: "the service".to_owned(),
        why: format!("an event is not as the API says: {error}"),
    })?;
    if ui.json() { ui.line(json) } else { ui.line(&line(&event)) }?;
    Ok(event.number)
}

/// An event on one line.
pub(crate) fn line(event: &EventView) -> String {
    let reason = event
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!("  {}", shown(reason, REASON_WIDTH)));
    format!(
        "{}  {}  {}  {}  by {}{reason}",
        event.number,
        shown(&event.at, NAME_WIDTH),
        shown(&event.pipe_name, NAME_WIDTH),
        shown(&event.kind, NAME_WIDTH),
        shown(&event.actor, NAME_WIDTH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_that_does_not_act_on_the_terminal() {
        let event: EventView = serde_json::from_str(
            r#"{"number":7,"at":"2026-01-01T00:00:00.000Z","pipe":"p1","pipe_name":"clicks","actor":"ops","kind":"stage","reason":"failed:\n\u001b[2J"}"#,
        )
        .unwrap();
        assert_eq!(line(&event), r"7  2026-01-01T00:00:00.000Z  clicks  stage  by ops  failed:\n\u{1b}[2J");
    }
}
