//! Whether sessions of ClickHouse's HTTP interface work from here, as inserts in exactly-once mode need them.
//!
//! A session lives in the memory of one server. Something in between may answer for several of them, or may drop what it
//! does not know from a URL: then an insert is refused for ever, or, what is worse, is not bound to the server of its look.

use std::fmt;

use crate::error::SinkError;
use crate::insert::Insert;
use crate::random_name::random_name;
use crate::sink::Sink;

/// Sessions that are tried: where several servers answer in turn, one may find the same server twice.
const TRIES: usize = 3;

/// Code of ClickHouse's SESSION_NOT_FOUND.
const SESSION_NOT_FOUND: i32 = 372;

/// Code of ClickHouse's INVALID_SESSION_TIMEOUT.
const INVALID_SESSION_TIMEOUT: i32 = 374;

/// Why sessions are of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionFault {
    /// The server lets none live for long enough.
    TooShort {
        /// What it said.
        detail: String,
    },
    /// A session that was just opened is not known to the next request.
    Lost,
    /// A request in a session that has ended is answered as if there were none.
    Unchecked,
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Insert::SESSION_S;
        match self {
            SessionFault::TooShort { detail } => {
                write!(f, "clickhouse opens no session of {seconds} s: {detail}")
            }
            SessionFault::Lost => f.write_str("a session of clickhouse is gone with the next request"),
            SessionFault::Unchecked => {
                f.write_str("a request in a session of clickhouse that has ended is answered")
            }
        }
    }
}

impl SessionFault {
    /// How to mend it.
    pub fn mend(&self) -> String {
        let seconds = Insert::SESSION_S;
        match self {
            SessionFault::TooShort { .. } => {
                format!("set <max_session_timeout>{seconds}</max_session_timeout>, or more, in the server's config.xml")
            }
            SessionFault::Lost => "give the url of one server, or have what is in between send the requests of this user to the same \
                                   server, with `session_id` in their urls"
                .to_owned(),
            SessionFault::Unchecked => "give the url of the server itself, or have what is in between pass on `session_id`, \
                                        `session_check` and `close_session` in urls"
                .to_owned(),
        }
    }
}

impl Sink {
    /// Tries sessions as inserts use them: one is opened by a question, used and ended by the next one, and refused to a third.
    /// None where they work.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request that says nothing about sessions.
    pub async fn session_fault(&self) -> Result<Option<SessionFault>, SinkError> {
        for _ in 0..TRIES {
            let session = random_name();
            let seconds = Insert::SESSION_S.to_string();
            match self.in_session(&session, ("session_timeout", &seconds), false).await {
                Err(error) if error.code() == Some(INVALID_SESSION_TIMEOUT) => {
                    return Ok(Some(SessionFault::TooShort { detail: error.to_string() }));
                }
                opened => opened?,
            }
            match self.in_session(&session, ("session_check", "1"), true).await {
                Err(error) if error.code() == Some(SESSION_NOT_FOUND) => return Ok(Some(SessionFault::Lost)),
                used => used?,
            }
            match self.in_session(&session, ("session_check", "1"), true).await {
                Ok(()) => return Ok(Some(SessionFault::Unchecked)),
                Err(error) if error.code() == Some(SESSION_NOT_FOUND) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn in_session(
        &self,
        session: &str,
        (name, value): (&str, &str),
        is_last: bool,
    ) -> Result<(), SinkError> {
        let mut query =
            self.client().query_raw("SELECT 1").with_setting("session_id", session).with_setting(name, value);
        if is_last {
            query = query.with_setting("close_session", "1");
        }
        self.request("a request in a session", query.fetch_one::<u8>()).await.map(drop)
    }
}
