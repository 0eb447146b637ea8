//! Server-sent events, which go on where a connection broke off.

use std::collections::VecDeque;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderName;

use super::RemoteError;
use super::http::{Call, Http};

/// Bytes of one message, at most.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Silence after which a connection is taken for lost, in seconds: a service says something every 15.
const SILENCE_S_MAX: u64 = 45;
/// Pause before a lost connection is made anew, in milliseconds; it doubles with each failure.
const AGAIN_MS: u64 = 500;
/// The longest of them, in milliseconds.
const AGAIN_MS_MAX: u64 = 15_000;

/// What happens at a service, as it happens.
#[derive(Debug)]
pub(crate) struct Events {
    http: Http,
    call: Call,
    /// The number of the last event that was seen.
    last: Option<i64>,
    open: Option<(Incoming, Messages)>,
    ready: VecDeque<Message>,
    /// It was connected once, so that a failure may pass.
    is_known: bool,
    pause_ms: u64,
}

/// Something that a follower sees.
#[derive(Debug)]
pub(crate) enum Happening {
    /// An event, as JSON on one line.
    Event(String),
    /// The connection is there.
    Connected,
    /// The connection is lost, and made anew. Where no event was seen before, those of the meantime are missed.
    Broke { why: RemoteError, misses: bool },
}

impl Events {
    pub(super) fn new(http: Http, call: Call, last: Option<i64>) -> Events {
        Events { http, call, last, open: None, ready: VecDeque::new(), is_known: false, pause_ms: AGAIN_MS }
    }

    /// What happens next, waited for.
    ///
    /// # Errors
    /// Where the service refuses, and would refuse the next time.
    pub(crate) async fn next(&mut self) -> Result<Happening, RemoteError> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                self.last = message.id.or(self.last);
                return Ok(Happening::Event(message.data));
            }
            let Some((incoming, messages)) = &mut self.open else {
                match self.connect().await {
                    Ok(()) => return Ok(Happening::Connected),
                    Err(why) => return self.broke(why).await,
                }
            };
            let frame = tokio::time::timeout(Duration::from_secs(SILENCE_S_MAX), incoming.frame()).await;
            let why = match frame {
                Ok(Some(Ok(frame))) => match messages.push(frame.data_ref().map_or(&[], |data| data)) {
                    Ok(new) => {
                        self.ready.extend(new);
                        self.pause_ms = AGAIN_MS;
                        continue;
                    }
                    Err(why) => return Err(self.http.foreign(why)),
                },
                Ok(Some(Err(error))) => self.http.failure(&error),
                Ok(None) => self.http.failure(&std::io::Error::other("the service has ended it")),
                Err(_) => self.http.failure(&std::io::Error::other("it was silent for too long")),
            };
            self.open = None;
            return self.broke(why).await;
        }
    }

    async fn connect(&mut self) -> Result<(), RemoteError> {
        let mut call = self.call.clone();
        if let Some(last) = self.last {
            call = call.with(HeaderName::from_static("last-event-id"), last.to_string());
        }
        let response = self.http.open(&call).await?;
        self.open = Some((response.into_body(), Messages::default()));
        self.is_known = true;
        Ok(())
    }

    /// Waits before the next try, where there is any use in one.
    async fn broke(&mut self, why: RemoteError) -> Result<Happening, RemoteError> {
        let is_passing =
            why.may_pass() || matches!(why, RemoteError::Unreachable { .. } | RemoteError::TimedOut { .. });
        if !is_passing || !self.is_known {
            return Err(why);
        }
        tokio::time::sleep(Duration::from_millis(self.pause_ms)).await;
        self.pause_ms = (self.pause_ms * 2).min(AGAIN_MS_MAX);
        Ok(Happening::Broke { why, misses: self.last.is_none() })
    }
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    id: Option<i64>,
    data: String,
}

/// Bytes to messages, as the HTML standard has them (section 9.2, server-sent events), as far as a service sends them.
#[derive(Debug, Default)]
struct Messages {
    /// A line whose end has not come yet.
    line: Vec<u8>,
    id: Option<i64>,
    data: Option<String>,
}

impl Messages {
    /// The messages that `bytes` end.
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, &'static str> {
        let mut ended = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
            if held + part.len() > MESSAGE_BYTES_MAX {
                return Err("an event is longer than any of a service");
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8(line).map_err(|_| "an event is no UTF-8")?;
                ended.extend(self.end_line(line.trim_end_matches(['\n', '\r'])));
            }
        }
        Ok(ended)
    }

    fn end_line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let (id, data) = (self.id.take(), self.data.take());
            return data.map(|data| Message { id, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = value.parse().ok(),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments, which keep the connection, and fields that say nothing here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ":\n\nid: 7\nevent: paused\ndata: {\"number\":7}\n\nretry: 5\n\ndata: a\r\ndata: b\r\n\r\nid: 9\n\ndata: c";

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        for size in 1..TEXT.len() {
            let mut messages = Messages::default();
            let mut seen = Vec::new();
            for chunk in TEXT.as_bytes().chunks(size) {
                seen.extend(messages.push(chunk).unwrap());
            }
            let expected = [
                Message { id: Some(7), data: "{\"number\":7}".to_owned() },
                Message { id: None, data: "a\nb".to_owned() },
            ];
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_message_without_an_end_is_not_kept() {
        let mut messages = Messages::default();
        let line = vec![b'x'; 1 << 18];
        let refused = (0..8).find_map(|_| messages.push(&line).err());
        assert_eq!(refused, Some("an event is longer than any of a service"));
        let mut messages = Messages::default();
        let refused = (0..8).find_map(|_| messages.push(&[b"data: ", line.as_slice(), b"\n"].concat()).err());
        assert_eq!(refused, Some("an event is longer than any of a service"));
    }
}
