//! What can go wrong with the local stack, always with the place and, where there is one, the mend.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::keeper::KEEPER_GONE;
use crate::requirements::Missing;

/// Short for results of this crate.
pub type Result<T> = std::result::Result<T, StackError>;

/// Why the local stack could not be prepared, started or used.
///
/// `Display` says what failed and where; [`StackError::mend`] says what to do about it. Sources are chained and
/// not repeated in the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// A file or a folder could not be read, written or locked.
    #[error("could not {what} {}", path.display())]
    File {
        /// The verb, such as `create` or `read`.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Neither an environment variable nor a home folder says where the cache is.
    #[error("no folder for the cache: HOUSEPIPE_CACHE, XDG_CACHE_HOME and HOME are all unset")]
    NoCache,
    /// Tools that the machine must have are missing.
    #[error("missing on this machine: {}", names(.0))]
    Missing(Vec<Missing>),
    /// `parts.toml` has no checksum for this operating system and processor.
    #[error("{part} is not published for {platform}")]
    Platform {
        /// Name of the part.
        part: String,
        /// Such as `linux-x86_64`.
        platform: String,
    },
    /// A command of the set-up failed.
    #[error("{command} failed ({status}); the end of its log, {}:\n{tail}", log.display())]
    Command {
        /// The program and its first arguments.
        command: String,
        /// Exit status in words.
        status: String,
        /// The whole output.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A downloaded file is not the one that `parts.toml` names.
    #[error("{} has the SHA-256 sum {found}, not {expected}", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// The sum in `parts.toml`.
        expected: String,
        /// The sum of the file, or a word where there is no such file.
        found: String,
    },
    /// A server ended, or was never there, when it should have been running.
    #[error("{server} ended: {reason}; the end of its log:\n{tail}")]
    Ended {
        /// `ClickHouse`, `Kafka`, `Schema Registry` or `PostgreSQL`.
        server: &'static str,
        /// Exit status, or the keeper's words.
        reason: String,
        /// The last lines of the server's log.
        tail: String,
    },
    /// Another process took one of the server's ports between their choice and the start, several times over.
    #[error("a port of {server} was taken by another process; the end of its log:\n{tail}")]
    PortTaken {
        /// `ClickHouse`, `Kafka`, `Schema Registry` or `PostgreSQL`.
        server: &'static str,
        /// The last lines of the server's log.
        tail: String,
    },
    /// A server runs, but did not become ready in time.
    #[error("{server} was not ready after {:.1} s ({last}); the end of its log:\n{tail}", waited.as_secs_f64())]
    NotReady {
        /// `ClickHouse`, `Kafka`, `Schema Registry` or `PostgreSQL`.
        server: &'static str,
        /// For how long it was asked.
        waited: Duration,
        /// What the last question brought.
        last: String,
        /// The last lines of the server's log.
        tail: String,
    },
    /// No free ports were found on the loopback interface.
    #[error("no {wanted} free ports on 127.0.0.1 between {} and {}", range.start, range.end)]
    NoPorts {
        /// How many were looked for.
        wanted: usize,
        /// Where they were looked for.
        range: std::ops::Range<u16>,
    },
    /// The certificates for the broker could not be made.
    #[error("could not make the {which} certificate")]
    Certificate {
        /// Which one.
        which: &'static str,
        /// The reason.
        #[source]
        source: rcgen::Error,
    },
    /// A broker did not give a right.
    #[error("could not let {user} read {name}")]
    Acl {
        /// Who was to have it.
        user: String,
        /// The topic or the group.
        name: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// An issuer of tokens could not be started.
    #[error("could not start an issuer of tokens")]
    Issuer {
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// The small process that looks after a server did not answer or refused.
    #[error("the keeper of {server} {what}")]
    Keeper {
        /// `ClickHouse`, `Kafka`, `Schema Registry` or `PostgreSQL`.
        server: &'static str,
        /// What it did, or did not do.
        what: String,
    },
    /// ClickHouse refused a query.
    #[error("ClickHouse answered {status}{}: {}", code_text(*.code), text.trim_end())]
    Query {
        /// HTTP status.
        status: u16,
        /// ClickHouse's error code, from `X-ClickHouse-Exception-Code`.
        code: Option<i32>,
        /// ClickHouse's words.
        text: String,
    },
    /// A query got no answer.
    #[error("no answer from ClickHouse at {url}")]
    Http {
        /// Where it was sent.
        url: String,
        /// The reason.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server is the user's own, so this crate neither stops nor signals it.
    #[error("cannot {operation} {server}: it is not ours, {variable} names it")]
    External {
        /// What was asked for.
        operation: &'static str,
        /// `ClickHouse`, `Kafka`, `Schema Registry` or `PostgreSQL`.
        server: &'static str,
        /// The environment variable.
        variable: &'static str,
    },
    /// The parts were prepared without this server.
    #[error("{server} is not among the parts that were prepared")]
    NotPrepared {
        /// `Schema Registry` or `PostgreSQL`.
        server: &'static str,
        /// The function of [`Wanted`](crate::Wanted) that asks for it.
        with: &'static str,
    },
    /// The reader of metrics did not read them.
    #[error("the reader of metrics failed: {says}")]
    MetricsReader {
        /// Its own words.
        says: String,
    },
    /// A server other than ClickHouse refused a request.
    #[error("{server} refused it (HTTP {status}): {text}")]
    Refused {
        /// `Schema Registry`.
        server: &'static str,
        /// The status of HTTP.
        status: u16,
        /// Its own words.
        text: String,
    },
    /// PostgreSQL refused a statement or a session.
    #[error("PostgreSQL answered {sqlstate}: {text}")]
    Sql {
        /// Five letters and digits; see <https://www.postgresql.org/docs/18/errcodes-appendix.html>.
        sqlstate: String,
        /// PostgreSQL's words.
        text: String,
    },
    /// A statement got no answer.
    #[error("no answer from PostgreSQL at {address}")]
    NoAnswer {
        /// Where it was sent.
        address: std::net::SocketAddr,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
}

impl StackError {
    /// What the user can do about it, where we know.
    ///
    /// ```
    /// use housepipe_local_stack::StackError;
    /// assert!(StackError::NoCache.mend().is_some_and(|mend| mend.contains("HOUSEPIPE_CACHE")));
    /// ```
    #[must_use]
    pub fn mend(&self) -> Option<String> {
        match self {
            Self::NoCache => Some("set HOUSEPIPE_CACHE to a folder with 1 GB of free space".to_owned()),
            Self::Missing(missing) => {
                Some(missing.iter().map(|m| m.mend.as_str()).collect::<Vec<_>>().join("\n"))
            }
            Self::Platform { part, .. } => Some(format!(
                "set CLICKHOUSE_URL and KAFKA_BROKERS to servers of your own; {part} is then not needed"
            )),
            Self::Command { .. } => {
                Some("check the network and the space on the disk, then try again".to_owned())
            }
            Self::Checksum { file, .. } => Some(format!(
                "try again; where {} stays wrong, your registry, your proxy or a mirror in the settings of Maven \
                 delivers another file",
                file.file_name().unwrap_or_default().display()
            )),
            Self::Keeper { server, .. } => Some(start_anew(server)),
            Self::Ended { server, reason, .. } if reason == KEEPER_GONE => Some(start_anew(server)),
            Self::PortTaken { .. } => Some("try again".to_owned()),
            Self::NotPrepared { with, .. } => Some(format!("prepare the parts with `Wanted::{with}`")),
            Self::External { variable, .. } => Some(format!("unset {variable} to use servers of our own")),
            _ => None,
        }
    }

    /// The mend of the first error of this crate in the chain that starts with `error`.
    ///
    /// ```
    /// use housepipe_local_stack::StackError;
    /// assert!(StackError::mend_in(&StackError::NoCache).is_some_and(|mend| mend.contains("HOUSEPIPE_CACHE")));
    /// assert_eq!(StackError::mend_in(&std::io::Error::other("of somebody else")), None);
    /// ```
    #[must_use]
    pub fn mend_in(error: &(dyn std::error::Error + 'static)) -> Option<String> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
            .and_then(Self::mend)
    }

    /// Wraps an I/O error with the verb and the path; made for `map_err`.
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

fn start_anew(server: &str) -> String {
    format!("start another {server}: one without its keeper cannot be restarted, and its data is gone")
}

fn names(missing: &[Missing]) -> String {
    missing.iter().map(|m| m.what.as_str()).collect::<Vec<_>>().join(", ")
}

fn code_text(code: Option<i32>) -> String {
    code.map_or_else(String::new, |code| format!(" (error {code})"))
}
