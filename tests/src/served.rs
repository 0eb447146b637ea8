//! A running `housepipe serve`, and whoever calls it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Housepipe, MetricsUrls, PipeText, housepipe_serving, scrape, wait_until};

/// Time for an answer, at most.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The key that seals the secrets of services that share a state.
const KEY: &str = "a key that is long enough for a test";

/// The session timeout of its pipes, in seconds: how long Kafka waits for one that was killed.
pub const SESSION_S: &str = "6";

/// A service with a state of its own, or one that others share.
pub struct Served {
    process: Option<Housepipe>,
    state: String,
    folder: TempDir,
    arguments: Vec<String>,
    /// `host:port` of the API.
    address: String,
    token: String,
    /// Where its metrics are, and were.
    metrics: MetricsUrls,
    /// What processes have said that were ended here.
    said_before: String,
    /// One has ended by itself that was to die.
    has_died: bool,
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the headers, in small letters.
    pub head: String,
    /// The body; null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The problem's code; empty where it is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Fails the test unless the status is `status`.
    ///
    /// # Panics
    /// With the answer.
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{} {}", self.head, self.body);
        self
    }
}

impl Served {
    /// Starts one with a new state in a file.
    ///
    /// # Panics
    /// Where it does not start, or tells no token.
    pub fn start() -> Served {
        Served::start_with(&[])
    }

    /// The same with further arguments.
    ///
    /// # Panics
    /// As [`Served::start`].
    pub fn start_with(arguments: &[&str]) -> Served {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder: {error}"));
        let state = folder.path().join("state.db").display().to_string();
        let mut served = Served::not_started(folder, state, arguments);
        served.start_again();
        assert!(served.token.starts_with("hpt_"), "the first start tells a token");
        served
    }

    /// One with its state in the PostgreSQL at `url`. The first one there knows a token; the others are given it.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_on(url: &str, token: Option<&str>) -> Served {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder: {error}"));
        let mut served = Served::not_started(folder, url.to_owned(), &[]);
        if let Some(token) = token {
            token.clone_into(&mut served.token);
        }
        served.start_again();
        served
    }

    /// One with its state in the PostgreSQL at `url`, where there was none before, with further arguments.
    ///
    /// # Panics
    /// As [`Served::start`].
    pub fn start_on_with(url: &str, arguments: &[&str]) -> Served {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder: {error}"));
        let mut served = Served::not_started(folder, url.to_owned(), arguments);
        served.start_again();
        assert!(served.token.starts_with("hpt_"), "the first start tells a token");
        served
    }

    fn not_started(folder: TempDir, state: String, arguments: &[&str]) -> Served {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let (address, token, metrics) = (String::new(), String::new(), MetricsUrls::default());
        Served {
            process: None,
            state,
            folder,
            arguments,
            address,
            token,
            metrics,
            said_before: String::new(),
            has_died: false,
        }
    }

    /// Starts it where it has ended, with the state that it had.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again(&mut self) {
        assert!(self.try_start(None), "the service did not start: {}", self.said());
    }

    /// The same, to end as by `kill -9` where it passes `failpoint`. Whether it has come up before.
    ///
    /// # Panics
    /// Where it neither comes up nor ends.
    pub fn start_to_die_at(&mut self, failpoint: &str) -> bool {
        self.try_start(Some(failpoint))
    }

    fn try_start(&mut self, failpoint: Option<&str>) -> bool {
        // Whoever ends one here puts it away as well.
        self.has_died |= self.process.as_mut().is_some_and(|process| !process.is_running());
        self.put_away();
        let mut arguments = vec![
            "serve",
            "--state",
            &self.state,
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
            "--json",
            "--session-timeout",
            SESSION_S,
        ];
        arguments.extend(self.arguments.iter().map(String::as_str));
        // A state in a file has its key beside it.
        let key: &[_] = if self.state.contains("://") { &[("HOUSEPIPE_SECRET_KEY", KEY)] } else { &[] };
        let mut process = housepipe_serving(key, failpoint, &arguments);
        let mut told = Value::Null;
        wait_until("the service to say where it listens", || {
            told = process.told().unwrap_or_default();
            told.is_object() || !process.is_running()
        });
        self.process = Some(process);
        let Some(url) = told["url"].as_str() else { return false };
        self.metrics.push(told["metrics"].as_str().unwrap_or_default());
        let (_, address) = url.split_once("://").unwrap_or_else(|| panic!("{url}"));
        address.clone_into(&mut self.address);
        if let Some(token) = told["token"].as_str() {
            token.clone_into(&mut self.token);
        }
        true
    }

    /// Whether a process has ended that nobody here has ended: where it was to die.
    pub fn has_died(&self) -> bool {
        self.has_died
    }

    /// Remembers what an ended process has said.
    fn put_away(&mut self) {
        if let Some(process) = self.process.take() {
            self.said_before.push_str(&process.said());
        }
    }

    /// `host:port` of the API.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where its metrics are now.
    pub fn metrics_url(&self) -> String {
        self.metrics.now()
    }

    /// Where its metrics are, also once it is started again.
    pub fn metrics_urls(&self) -> MetricsUrls {
        self.metrics.clone()
    }

    /// The token of the first admin.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The folder with its state.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or_else(|| panic!("the service does not run"), Housepipe::pid)
    }

    /// What all its processes have said on standard error.
    pub fn said(&self) -> String {
        let now = self.process.as_ref().map(Housepipe::said).unwrap_or_default();
        format!("{}{now}", self.said_before)
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Housepipe::is_running)
    }

    /// Ends it as by `kill -9`, while others may call it; [`Served::kill`] waits for its end.
    pub fn begin_kill(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::SIGKILL);
        }
    }

    /// Ends it as by `kill -9`.
    pub fn kill(&mut self) {
        self.begin_kill();
        if let Some(process) = &mut self.process {
            wait_until("the end of the service", || !process.is_running());
        }
        self.put_away();
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// Where it does not end with 0.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::SIGTERM);
            let outcome = process.wait().expect_success();
            self.said_before.push_str(&outcome.stderr);
        }
    }

    /// One call as the first admin.
    ///
    /// # Panics
    /// Where no answer comes.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let answer = self.try_call(method, path, headers, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}: {}", self.said()))
    }

    /// The same of a service that may end meanwhile.
    ///
    /// # Errors
    /// That of the connection.
    ///
    /// # Panics
    /// Where the answer is no HTTP.
    pub fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> std::io::Result<Answer> {
        let answer = self.send(method, path, headers, body)?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            // It ended in the middle.
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no HTTP: {head}"));
        Ok(Answer {
            status,
            head: head.to_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        })
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut all = BTreeMap::from([
            ("Host", self.address.clone()),
            ("Connection", "close".to_owned()),
            ("Authorization", format!("Bearer {}", self.token)),
            ("Content-Type", "application/json".to_owned()),
            ("Content-Length", body.len().to_string()),
        ]);
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let lines: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\n{lines}");
        stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The whole answer as text, for calls whose answer is no JSON.
    ///
    /// # Panics
    /// As [`Served::call`].
    pub fn call_raw(&self, method: &str, path: &str) -> String {
        let answer = self.send(method, path, &[], None);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}: {}", self.said()))
    }

    /// Its metrics, scraped now.
    ///
    /// # Panics
    /// Where they are not answered.
    pub fn scrape(&self) -> String {
        scrape(&self.metrics_url())
    }

    /// A pipe by its id.
    ///
    /// # Panics
    /// Where there is none.
    pub fn pipe(&self, id: &str) -> Value {
        self.call("GET", &format!("/api/v1/pipes/{id}"), &[], None).expect(200).body
    }

    /// Waits until the pipe is in `stage`.
    ///
    /// # Panics
    /// Where it does not come to it.
    pub fn wait_for_stage(&self, id: &str, stage: &str) {
        wait_until(&format!("the pipe to be {stage}"), || self.pipe(id)["stage"] == stage);
    }
}

/// A pipe file as the API takes it.
///
/// # Panics
/// Where it is none.
pub fn document(pipe: &PipeText) -> Value {
    let document = housepipe_runtime::Document::parse(&pipe.text(), "a pipe");
    let document = document.unwrap_or_else(|error| panic!("{error}"));
    serde_json::to_value(document).unwrap_or_else(|error| panic!("{error}"))
}
