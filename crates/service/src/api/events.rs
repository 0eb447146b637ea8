//! What has happened, page by page, or as it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Actor;
use super::extract::{At, Params, PipePath};
use super::numbered::{Begin, Order, begin};
use super::problem::{Problem, ProblemCode};
use super::view::moment_of_ms;
use crate::store::{EVENTS_AT_ONCE_MAX, Event};
use crate::work::Slot;

/// Events of one page unless the query says otherwise.
const PAGE: i64 = 100;
/// How often the store is looked at for events of other processes, in milliseconds.
const LOOK_MS: u64 = 500;
/// How often a line is sent where nothing happens, so that proxies keep the connection, in seconds.
const KEEP_ALIVE_S: u64 = 15;

/// Something that has happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Counted from 1 over all pipes. Between two events of all pipes no number is left out but where the older ones are not kept any more.
    number: i64,
    /// When.
    at: String,
    /// The pipe's id.
    pipe: String,
    /// The pipe's name at that time.
    pipe_name: String,
    /// Who did it: the name of a token, or `housepipe`.
    actor: String,
    /// What happened: `created`, `edited`, `paused`, `resumed`, `removed`, `replaying`, `replayed`, `gone`, or `stage`, and more to come.
    kind: String,
    /// Why, or to what.
    reason: Option<String>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> EventView {
        EventView {
            number: event.number,
            at: moment_of_ms(event.at_ms),
            pipe: event.pipe,
            pipe_name: event.pipe_name,
            actor: event.actor,
            kind: event.kind,
            reason: event.reason,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    /// In the order of their numbers, or the newest first.
    events: Vec<EventView>,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Those of this pipe alone.
    pipe: Option<String>,
    /// Those behind this number.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Those before this number, where the newest come first.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Which come first: `oldest`, as unless it says otherwise, or `newest`.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// Events on the page, at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Lists what has happened.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "list_events", params(EventQuery),
    responses((status = 200, body = EventPage), super::docs::Failures)
)]
pub(crate) async fn list(
    State(api): State<Api>,
    _: Actor,
    Params(query): Params<EventQuery>,
) -> Result<Json<EventPage>, Problem> {
    let EventQuery { pipe, after, before, order, limit } = query;
    page(&api, pipe.as_deref(), PageQuery { after, before, order, limit }).await
}

async fn page(api: &Api, pipe: Option<&str>, query: PageQuery) -> Result<Json<EventPage>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=EVENTS_AT_ONCE_MAX).contains(&limit) {
        let detail = format!("`limit` is from 1 to {EVENTS_AT_ONCE_MAX}");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    let store = api.service.store();
    let events = match begin(query.order, query.after, query.before)? {
        Begin::After(after) => store.events(pipe, after, limit).await?,
        Begin::Before(before) => store.events_before(pipe, before, limit).await?,
    };
    Ok(Json(EventPage { events: events.into_iter().map(EventView::from).collect() }))
}

/// Which events of a pipe.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Those behind this number.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Those before this number, where the newest come first.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Which come first: `oldest`, as unless it says otherwise, or `newest`.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// Events on the page, at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Lists what has happened to a pipe; with `Accept: text/event-stream`, sends it as it happens, as `/api/v1/events/stream?pipe=` does, and then the
/// query has nothing in it.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}/events", tag = "events", operation_id = "list_pipe_events",
    params(
        PipePath, PageQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Of a stream: the number behind which it begins; without it, what happens from now on")
    ),
    responses(
        (status = 200, content((EventPage = "application/json"), (EventView = "text/event-stream"))),
        super::docs::Failures
    )
)]
pub(crate) async fn of_pipe(
    State(api): State<Api>,
    actor: Actor,
    At(path): At<PipePath>,
    Params(query): Params<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Also where nothing is made of it: what is malformed is told.
    last_event_id(&headers)?;
    // Of one that is not known there may be events still, which `/api/v1/events` has.
    api.service.store().pipe(&path.id).await?;
    if !wants_stream(&headers) {
        return Ok(page(&api, Some(&path.id), query).await?.into_response());
    }
    if !matches!(query, PageQuery { after: None, before: None, order: Order::Oldest, limit: None }) {
        let detail = "a stream has no pages; it begins behind `Last-Event-ID`, and its query is empty";
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    Ok(follow(api, actor, Some(path.id), &headers).await?.into_response())
}

/// The number of the event that a listener has had last.
fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|number| *number >= 0);
    let refuse = || Problem::new(ProblemCode::InvalidRequest, "`Last-Event-ID` is the number of an event");
    number.map(Some).ok_or_else(refuse)
}

/// Whether a stream is asked for by its media type.
fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(',')).filter_map(|kind| kind.split(';').next());
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Which events are sent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// Those of this pipe alone.
    pipe: Option<String>,
}

/// Sends what happens, as it happens: server-sent events, whose ids are the events' numbers. `Last-Event-ID` goes on where a connection broke off.
/// The stream ends where its token is forgotten. The last 100,000 events are kept: where some behind that number are not any more, an event `gap`
/// comes first, with `from` and `to`, the numbers of those that are missed. Where that number is above the newest event's, as after a state was
/// restored from a backup, the stream begins behind the newest event, and the `gap` has `"anew": true`: `from` and `to` are the numbers that are
/// given once more, to other events. Whoever shows what the events are about looks at it anew in both cases.
#[utoipa::path(
    get, path = "/api/v1/events/stream", tag = "events", operation_id = "stream_events",
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header, description = "The number behind which it begins; without it, what happens from now on")),
    responses((status = 200, body = EventView, content_type = "text/event-stream"), super::docs::Failures)
)]
pub(crate) async fn stream(
    State(api): State<Api>,
    actor: Actor,
    Params(query): Params<StreamQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    follow(api, actor, query.pipe, &headers).await
}

async fn follow(
    api: Api,
    actor: Actor,
    pipe: Option<String>,
    headers: &HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>> + use<>>, Problem> {
    let last = api.service.store().last_event().await?;
    let after = last_event_id(headers)?.unwrap_or(last);
    let place = api.streams.take(actor.name())?;
    let gap = gap(after, api.service.store().first_event().await?, last);
    let after = after.min(last);
    let forgotten = Box::pin(actor.forgotten(&api));
    let follow = Follow { _place: place, api, pipe, after, gap, ready: Vec::new().into_iter() };
    let events = stream::unfold(follow, |mut follow| async move {
        let message = follow.next().await;
        Some((Ok(message), follow))
    })
    .take_until(forgotten);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_S))))
}

/// Where one listener is.
struct Follow {
    /// Free again once it goes.
    _place: Slot,
    api: Api,
    pipe: Option<String>,
    after: i64,
    /// Told first.
    gap: Option<Gap>,
    ready: std::vec::IntoIter<Event>,
}

/// Events that a listener does not know as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Gap {
    /// The first of them.
    from: i64,
    /// The last of them.
    to: i64,
    /// The listener knows others of these numbers, which this state does not have, and they are given anew. Otherwise those of these numbers are not
    /// kept any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    anew: bool,
}

impl Gap {
    /// The number behind which the stream goes on.
    fn goes_on_behind(self) -> i64 {
        if self.anew { self.from - 1 } else { self.to }
    }
}

/// What is missing behind `after` where `first` is the oldest event that is kept, and `last` the newest that there was.
fn gap(after: i64, first: Option<i64>, last: i64) -> Option<Gap> {
    if after > last {
        return Some(Gap { from: last + 1, to: after, anew: true });
    }
    let (from, to) = (after.saturating_add(1), first?.saturating_sub(1));
    (from <= to).then_some(Gap { from, to, anew: false })
}

impl Follow {
    /// The next event, waited for.
    async fn next(&mut self) -> Message {
        if let Some(gap) = self.gap.take() {
            let text = serde_json::to_string(&gap).unwrap_or_default();
            return Message::default().id(gap.goes_on_behind().to_string()).event("gap").data(text);
        }
        loop {
            if let Some(event) = self.ready.next() {
                self.after = event.number;
                let (number, kind) = (event.number.to_string(), event.kind.clone());
                let text = serde_json::to_string(&EventView::from(event)).unwrap_or_default();
                return Message::default().id(number).event(kind).data(text);
            }
            match self.api.service.store().events(self.pipe.as_deref(), self.after, PAGE).await {
                Ok(events) if events.is_empty() => {}
                Ok(events) => {
                    self.ready = events.into_iter();
                    continue;
                }
                Err(error) => tracing::warn!(%error, "events cannot be read at the moment"),
            }
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_any_more_is_told_as_a_gap() {
        let missed = |from, to| Some(Gap { from, to, anew: false });
        assert_eq!(gap(0, Some(4), 9), missed(1, 3));
        assert_eq!(gap(2, Some(4), 9), missed(3, 3));
        for (after, first, last) in
            [(3, Some(4), 9), (9, Some(4), 9), (0, Some(1), 9), (0, None, 0), (i64::MAX, Some(4), i64::MAX)]
        {
            assert_eq!(gap(after, first, last), None, "{after} {first:?} {last}");
        }
    }

    #[test]
    fn numbers_that_are_given_anew_are_told_as_a_gap() {
        for (after, first, last) in [(10, Some(4), 9), (i64::MAX, Some(1), 1), (7, None, 0)] {
            let gap = gap(after, first, last).unwrap();
            assert_eq!(gap, Gap { from: last + 1, to: after, anew: true });
            assert_eq!(gap.goes_on_behind(), last);
        }
    }
}
