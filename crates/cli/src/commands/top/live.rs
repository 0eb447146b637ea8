//! The screen, kept up to date until somebody has seen enough.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::app::{Act, App, Wish};
use super::draw::draw;
use super::history::{History, Row};
use super::source::Source;
use crate::commands::pipes::now;
use crate::exit::Exit;
use crate::remote::{EventView, PipeView, Remote, RemoteError};
use crate::signals::Stops;
use crate::ui::{Screen, pressed};

/// News that wait to be shown, at most.
const NEWS_MAX: usize = 4;
/// Events that are asked for at once.
const EVENTS_PAGE: u16 = 1_000;
/// Time after which the screen is drawn again where nothing happens, in milliseconds: ages go on.
const DRAW_EVERY_MS: u64 = 1_000;

/// What tasks have found out.
enum News {
    Look(Result<Vec<PipeView>, RemoteError>),
    /// Events of the pipe of this id.
    Events(String, Vec<EventView>),
    /// What came of a wish.
    Told(String),
}

pub(super) async fn run(
    source: Source,
    mut history: History,
    rows: Vec<Row>,
    every: Duration,
) -> Result<ExitCode, Exit> {
    let stops = Stops::listen()?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut app = App::new(source.name(), source.service().is_some(), rows);
    let (news, mut heard) = mpsc::channel(NEWS_MAX);
    let (opens, opened) = watch::channel(None);
    tokio::spawn(keep_looking(source.clone(), every, opened, news.clone()));
    let screen = Screen::enter()?;
    let mut keys = pressed();
    let mut tick = tokio::time::interval(Duration::from_millis(DRAW_EVERY_MS));
    loop {
        let (width, height) = screen.size();
        screen.draw(&draw(&app, width, height, now()))?;
        tokio::select! {
            key = keys.recv() => match key.map(|key| app.press(key)) {
                // The terminal is gone.
                None | Some(Some(Act::Quit)) => return Ok(ExitCode::SUCCESS),
                Some(Some(Act::Tell(wish))) => {
                    if let Some(remote) = source.service() {
                        tokio::spawn(tell(remote.clone(), wish, news.clone()));
                    }
                }
                Some(None) => {}
            },
            () = stops.heard(1) => return Ok(ExitCode::SUCCESS),
            _ = resized.recv() => {}
            _ = tick.tick() => {}
            new = heard.recv() => match new {
                Some(News::Look(look)) => {
                    let look = look.map(|pipes| history.take(Instant::now(), pipes));
                    app.look(look.map_err(|error| error.to_string()));
                }
                Some(News::Events(id, events)) => app.tell(&id, events),
                Some(News::Told(words)) => app.message = Some(words),
                None => return Err(Exit::failed(anyhow!("nobody looks at the pipes any more"))),
            },
        }
        opens.send_if_modified(|id| {
            let now = app.opened().map(str::to_owned);
            let is_new = *id != now;
            *id = now;
            is_new
        });
    }
}

/// Looks at the pipes again and again, and at the events of the one that is opened.
async fn keep_looking(
    source: Source,
    every: Duration,
    mut opened: watch::Receiver<Option<String>>,
    news: mpsc::Sender<News>,
) {
    let (mut id, mut last) = (None, 0);
    let mut looks = tokio::time::interval(every);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                if news.send(News::Look(source.look().await)).await.is_err() {
                    return;
                }
            }
            changed = opened.changed() => {
                if changed.is_err() {
                    return;
                }
                (id, last) = (opened.borrow_and_update().clone(), 0);
            }
        }
        let (Some(id), Some(remote)) = (&id, source.service()) else { continue };
        // Where they cannot be had, the look says why.
        while let Ok(events) = remote.events::<EventView>(Some(id), last, EVENTS_PAGE).await {
            let Some(newest) = events.last().map(|event| event.number).filter(|number| *number > last) else {
                break;
            };
            last = newest;
            if news.send(News::Events(id.clone(), events)).await.is_err() {
                return;
            }
        }
    }
}

async fn tell(remote: Remote, wish: Wish, news: mpsc::Sender<News>) {
    let Wish { id, name, pause } = wish;
    let told = if pause { remote.pause(&id).await } else { remote.resume(&id).await };
    let words = match told {
        Ok(pipe) => format!("{name}: wanted {}", pipe.view.wanted),
        Err(error) => format!("{name}: {error}"),
    };
    // Nobody looks any more, perhaps.
    let _ = news.send(News::Told(words)).await;
}
