//! ClickHouse's HTTP interface, as far as a harness needs it.

use std::time::Duration;

use crate::error::{Result, StackError};

/// A query of a test that takes longer than this hangs.
const QUERY_MAX: Duration = Duration::from_secs(120);
/// How long one question for readiness may take.
const PING_MAX: Duration = Duration::from_millis(500);
/// Largest answer that is kept in memory.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// An agent that keeps no connection between queries: a kept one would fail once after each restart of the server.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(QUERY_MAX))
        .proxy(None)
        .build()
        .new_agent()
}

/// Whether the server answers; else why not.
pub(super) fn ping(agent: &ureq::Agent, url: &str) -> std::result::Result<(), String> {
    let request = agent.get(format!("{url}/ping")).config().timeout_global(Some(PING_MAX)).build();
    match request.call() {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("HTTP {}", response.status())),
        Err(error) => Err(error.to_string()),
    }
}

/// Who asks, and where.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Session<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) database: Option<&'a str>,
}

/// Posts a statement and returns the answer.
pub(super) fn send(agent: &ureq::Agent, url: &str, session: Session<'_>, sql: &str) -> Result<String> {
    let no_answer = |source: ureq::Error| StackError::Http { url: url.to_owned(), source: Box::new(source) };
    // Without wait_end_of_query, an error in the middle would come after status 200 and a part of the answer.
    let mut request = agent.post(format!("{url}/")).query("wait_end_of_query", "1");
    request = request.header("X-ClickHouse-User", session.user);
    if !session.password.is_empty() {
        request = request.header("X-ClickHouse-Key", session.password);
    }
    if let Some(database) = session.database {
        request = request.query("database", database);
    }
    let mut response = request.send(sql).map_err(no_answer)?;
    let status = response.status();
    let code = response
        .headers()
        .get("X-ClickHouse-Exception-Code")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let text = response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .lossy_utf8(true)
        .read_to_string()
        .map_err(no_answer)?;
    if status.is_success() && code.is_none() {
        Ok(text)
    } else {
        Err(StackError::Query { status: status.as_u16(), code, text })
    }
}
