//! The calls that the commands make.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use housepipe_runtime::Document;
use hyper::Method;
use hyper::header::{self, HeaderName};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::http::{Answer, Call, Http};
use super::stream::Events;
use super::{PipeView, RemoteError, ServerUrl};

/// Pipes or events of one page, as many as a service gives.
pub(super) const PAGE: &str = "1000";
/// Times that a call is made that may be made again, where no answer came to it.
const ATTEMPTS_MAX: u32 = 5;
/// Pause before the second of them, in milliseconds; it doubles with each.
const AGAIN_MS: u64 = 250;
/// Names that are shown where one is not known.
const NEAR_MAX: usize = 5;

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(super) http: Http,
    server: ServerUrl,
}

/// A pipe as a service shows it: understood, and as it came.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) view: PipeView,
    pub(crate) document: Box<RawValue>,
    /// Its state, for an edit of just that.
    pub(crate) etag: String,
}

#[derive(Deserialize)]
struct PipePage<T> {
    pipes: Vec<T>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct EventPage<T> {
    events: Vec<T>,
}

#[derive(Deserialize)]
struct PipeFile {
    pipe: Option<Document>,
}

#[derive(Serialize)]
struct NewPipe<'a> {
    pipe: &'a Document,
    run: bool,
}

#[derive(Serialize)]
struct EditedPipe<'a> {
    pipe: &'a Document,
}

impl Shown {
    /// The pipe file, with references in place of secrets; none where the service cannot read it as it has stored it.
    pub(crate) fn pipe_file(&self) -> Result<Option<Document>, serde_json::Error> {
        serde_json::from_str::<PipeFile>(self.document.get()).map(|shown| shown.pipe)
    }
}

impl Remote {
    /// A service that is called with `token`, if it is called with one, and trusted by the authority in the file `ca`.
    pub(crate) fn new(
        server: &ServerUrl,
        ca: Option<&Path>,
        token: Option<&SecretString>,
    ) -> Result<Remote, RemoteError> {
        Ok(Remote { http: Http::new(server, ca, token)?, server: server.clone() })
    }

    /// Where it is.
    pub(crate) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// All pipes by name.
    pub(crate) async fn pipes<T: DeserializeOwned>(&self) -> Result<Vec<T>, RemoteError> {
        let (mut pipes, mut after) = (Vec::new(), String::new());
        loop {
            let page: PipePage<T> = self.pipe_page(&after).await?;
            pipes.extend(page.pipes);
            match page.next {
                Some(next) if next > after => after = next,
                Some(_) => return Err(self.http.foreign("its list of pipes does not end")),
                None => return Ok(pipes),
            }
        }
    }

    async fn pipe_page<T: DeserializeOwned>(&self, after: &str) -> Result<PipePage<T>, RemoteError> {
        let url = self.server.call(&["api", "v1", "pipes"], &[("after", after), ("limit", PAGE)]);
        self.parse(&self.repeat(&Call::new(Method::GET, url)).await?)
    }

    /// The pipe of this id.
    pub(crate) async fn pipe(&self, id: &str) -> Result<Shown, RemoteError> {
        let answer =
            self.repeat(&Call::new(Method::GET, self.server.call(&["api", "v1", "pipes", id], &[]))).await?;
        self.shown(&answer)
    }

    /// The pipe of this name or id.
    pub(crate) async fn find(&self, name: &str) -> Result<Shown, RemoteError> {
        if name.trim().is_empty() {
            return Err(RemoteError::Setting(
                "the pipe's name is empty; `housepipe pipes list` shows the names".to_owned(),
            ));
        }
        if is_id(name) {
            match self.pipe(name).await {
                Err(RemoteError::Refused(problem)) if problem.code == "no_such_pipe" => {}
                found => return found,
            }
        }
        // A part of a name is listed before it, and few others between them.
        let mut after = name.char_indices().next_back().map_or("", |(last, _)| &name[..last]).to_owned();
        let mut near = Vec::new();
        loop {
            let page: PipePage<PipeView> = self.pipe_page(&after).await?;
            if let Some(found) = page.pipes.iter().find(|pipe| pipe.name == name) {
                return self.pipe(&found.id).await;
            }
            near.extend(
                page.pipes.into_iter().map(|pipe| pipe.name).take(NEAR_MAX - near.len().min(NEAR_MAX)),
            );
            match page.next {
                Some(next) if next > after => after = next,
                _ => break,
            }
        }
        let near = match near.as_slice() {
            [] => "; `housepipe pipes list` shows those that it has".to_owned(),
            names => format!("; those behind it are {}", names.join(", ")),
        };
        Err(RemoteError::NoPipe { server: self.server.to_string(), name: name.to_owned(), near })
    }

    /// The pipe file as YAML.
    pub(crate) async fn file(&self, id: &str) -> Result<Bytes, RemoteError> {
        let url = self.server.call(&["api", "v1", "pipes", id, "file"], &[]);
        Ok(self.repeat(&Call::new(Method::GET, url)).await?.body)
    }

    /// Defines a pipe. The call is made again where no answer comes, and `key` sees to it that it makes no second pipe.
    pub(crate) async fn create(&self, pipe: &Document, run: bool, key: &str) -> Result<Shown, RemoteError> {
        let call = Call::new(Method::POST, self.server.call(&["api", "v1", "pipes"], &[]))
            .with(HeaderName::from_static("idempotency-key"), key);
        let body = self.body(&NewPipe { pipe, run })?;
        self.shown(&self.repeat(&Call { body: Some(body), ..call }).await?)
    }

    /// Replaces a pipe that is in the state of `etag`. It is asked once: an edit that was made would be refused the second time.
    pub(crate) async fn edit(&self, id: &str, etag: &str, pipe: &Document) -> Result<Shown, RemoteError> {
        let call = Call::new(Method::PUT, self.server.call(&["api", "v1", "pipes", id], &[]))
            .with(header::IF_MATCH, etag);
        let body = self.body(&EditedPipe { pipe })?;
        self.shown(&self.http.ask(&Call { body: Some(body), ..call }).await?)
    }

    /// Has a pipe rest.
    pub(crate) async fn pause(&self, id: &str) -> Result<Shown, RemoteError> {
        self.tell(id, "pause").await
    }

    /// Has a pipe run.
    pub(crate) async fn resume(&self, id: &str) -> Result<Shown, RemoteError> {
        self.tell(id, "resume").await
    }

    async fn tell(&self, id: &str, what: &str) -> Result<Shown, RemoteError> {
        let call = Call::new(Method::POST, self.server.call(&["api", "v1", "pipes", id, what], &[]));
        self.shown(&self.repeat(&call).await?)
    }

    /// Has a pipe end and go, and with it what `query` says. It is asked once: a pipe that is gone is not known the second time.
    pub(crate) async fn remove(&self, id: &str, query: &[(&str, &str)]) -> Result<Shown, RemoteError> {
        let call = Call::new(Method::DELETE, self.server.call(&["api", "v1", "pipes", id], query));
        self.shown(&self.http.ask(&call).await?)
    }

    /// A page of what has happened behind the event `after`, of one pipe or of all.
    pub(crate) async fn events<T: DeserializeOwned>(
        &self,
        pipe: Option<&str>,
        after: i64,
        limit: u16,
    ) -> Result<Vec<T>, RemoteError> {
        let (after, limit) = (after.to_string(), limit.to_string());
        let mut query = vec![("after", after.as_str()), ("limit", &limit)];
        query.extend(pipe.map(|id| ("pipe", id)));
        let url = self.server.call(&["api", "v1", "events"], &query);
        let page: EventPage<T> = self.parse(&self.repeat(&Call::new(Method::GET, url)).await?)?;
        Ok(page.events)
    }

    /// What happens from now on, or behind the event `after`.
    pub(crate) fn follow(&self, pipe: Option<&str>, after: Option<i64>) -> Events {
        let query: Vec<_> = pipe.map(|id| ("pipe", id)).into_iter().collect();
        let url = self.server.call(&["api", "v1", "events", "stream"], &query);
        Events::new(self.http.clone(), Call::new(Method::GET, url), after)
    }

    /// Metrics in Prometheus text: at the address itself, or below it where it has no path.
    pub(crate) async fn metrics(&self) -> Result<Bytes, RemoteError> {
        let url = self.server.call(if self.server.has_path() { &[] } else { &["metrics"] }, &[]);
        Ok(self.repeat(&Call::new(Method::GET, url)).await?.body)
    }

    /// Asks again where no answer came, for calls that may be made twice.
    pub(super) async fn repeat(&self, call: &Call) -> Result<Answer, RemoteError> {
        let mut pause_ms = AGAIN_MS;
        for _ in 1..ATTEMPTS_MAX {
            match self.http.ask(call).await {
                Err(error) if error.may_pass() => {
                    tracing::debug!(%error, "the call is made again");
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    pause_ms *= 2;
                }
                result => return result,
            }
        }
        self.http.ask(call).await
    }

    pub(super) fn body(&self, body: &impl Serialize) -> Result<Bytes, RemoteError> {
        serde_json::to_vec(body)
            .map(Bytes::from)
            .map_err(|error| RemoteError::Setting(format!("the pipe file cannot be sent as JSON ({error})")))
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, RemoteError> {
        serde_json::from_slice(&answer.body).map_err(|error| self.http.foreign(error.to_string()))
    }

    fn shown(&self, answer: &Answer) -> Result<Shown, RemoteError> {
        let etag = answer.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok());
        let view: PipeView = self.parse(answer)?;
        let etag = etag.map_or_else(|| format!("\"{}\"", view.revision), str::to_owned);
        Ok(Shown { view, document: self.parse(answer)?, etag })
    }
}

/// Whether a text has the form of a pipe's id. A name may have it as well; the id is meant then.
fn is_id(text: &str) -> bool {
    const DIGITS: usize = 24;
    text.strip_prefix('p').is_some_and(|digits| {
        digits.len() == DIGITS && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}
