//! What can go wrong, with what, where and how to mend it. Secrets and payloads never get into a message.

use std::fmt;

use crate::failure::{FailureClass, class_of_code, class_of_status};
use crate::grants::ACCESS_DENIED;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorDomain {
    /// The settings of the sink or of the pipe.
    User,
    /// The server, or the way there.
    External,
    /// The caller of this crate.
    Internal,
}

/// What happened on the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkFault {
    /// Nothing listens there.
    Refused,
    /// The name does not resolve.
    Dns,
    /// No TLS connection came about: certificate, name, or a port that does not speak TLS.
    Tls,
    /// No connection within the time for it.
    ConnectTimeout,
    /// The connection ended before the answer.
    Lost,
    /// What came back is not HTTP, or not an answer that this client reads.
    Protocol,
}

/// ClickHouse's own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// ClickHouse's code, such as 60.
    pub code: i32,
    /// Its name, such as `UNKNOWN_TABLE`; empty where the server gave none.
    pub name: String,
    /// Its text without code, name, version and the values of rows; cut to a limit.
    pub message: String,
    /// Whether it came from a materialized view. The table itself may have stored the rows by then.
    pub is_of_view: bool,
    /// Whether the rows are of more partitions than one insert may reach, which has the code of too many parts.
    pub is_of_partitions: bool,
    /// The row of the insert that it names, counted from 0. A hint: not every error names one, and what a server counts
    /// may be the rows of a block.
    pub row: Option<usize>,
}

/// Why the sink could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The URL names no HTTP interface.
    #[error("the clickhouse url cannot be used: {problem}")]
    Url {
        /// What is wrong with it and how to mend it.
        problem: String,
    },
    /// The system's certificate authorities could not be loaded.
    #[error("the system's certificate authorities cannot be loaded; install the package `ca-certificates`")]
    TrustStore {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// ClickHouse answered with an error.
    #[error("clickhouse refused {operation} (code {}{}): {}{mend}", .error.code, Named(&.error.name), .error.message)]
    Server {
        /// What was being done, such as ``the insert into `t` ``.
        operation: String,
        /// ClickHouse's error.
        error: Box<ServerError>,
        /// How to mend it, beginning with `; `; empty where nothing general can be said.
        mend: &'static str,
    },
    /// Something that is not ClickHouse answered: a proxy, a load balancer, another service.
    #[error(
        "{operation} was answered by something other than clickhouse: {answer}; check the url and what is in between"
    )]
    NotClickhouse {
        /// What was being done.
        operation: String,
        /// The HTTP status, where it is known.
        status: Option<u16>,
        /// The beginning of the answer.
        answer: String,
    },
    /// The server was not reached, or the connection was lost.
    #[error("{operation} failed: {}", fault_text(*.fault, .server))]
    Network {
        /// What was being done.
        operation: String,
        /// Scheme, host and port.
        server: String,
        /// What happened.
        fault: NetworkFault,
        /// The client's error.
        #[source]
        source: Box<clickhouse::error::Error>,
    },
    /// No answer in time. Whether an insert was applied is unknown.
    #[error("{operation} had no answer from {server} within {timeout_ms} ms")]
    TimedOut {
        /// What was being done.
        operation: String,
        /// Scheme, host and port.
        server: String,
        /// The limit, in milliseconds.
        timeout_ms: u64,
    },
    /// An answer that this crate cannot read.
    #[error("the answer to {operation} cannot be read")]
    Answer {
        /// What was being done.
        operation: String,
        /// The client's error.
        #[source]
        source: Box<clickhouse::error::Error>,
    },
    /// An insert beyond a limit: it would not be one block.
    #[error(
        "an insert of {rows} rows and {bytes} bytes is beyond one block ({rows_max} rows, {bytes_max} bytes)"
    )]
    TooLarge {
        /// Rows of the insert.
        rows: u64,
        /// Bytes of the insert.
        bytes: u64,
        /// The limit of rows.
        rows_max: u64,
        /// The limit of bytes.
        bytes_max: u64,
    },
    /// A column has another type than rows are encoded for. Nothing was sent.
    #[error(
        "column `{column}` of table `{table}` is of type {is} now, and was {was} when the pipe started; change it back, or \
         run the pipe anew for the new type"
    )]
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type as it was.
        was: String,
        /// Its type as it is.
        is: String,
    },
    /// A part of a table's definition that is not what it should be.
    #[error("the table definition cannot be used: {part} `{text}` {problem}")]
    Definition {
        /// Which part, such as `engine`.
        part: &'static str,
        /// Its text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A user of this name is there, and was not made for the pipe that wants one.
    #[error(
        "the user `{user}` is there already and was not made for this pipe, so it is left as it is; choose another name, or drop it where nobody needs it (without a service, a pipe is another one once its name, topic, brokers or table are changed)"
    )]
    ForeignUser {
        /// Its name.
        user: String,
    },
    /// What was created is not there.
    #[error(
        "{what} was created and is not there yet: a cluster carries statements out one after another, so it may come; or somebody has dropped it meanwhile"
    )]
    NotThereYet {
        /// What it is, such as ``the user `loader` ``.
        what: String,
    },
    /// A condition that is not one expression which is true or false.
    #[error("it {problem}; give one expression over the columns of the error table, such as `offset > 5`")]
    Condition {
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl SinkError {
    /// Whether the server has ended a query that took too long (error 159, TIMEOUT_EXCEEDED).
    pub fn is_given_up_for_its_time(&self) -> bool {
        matches!(self, SinkError::Server { error, .. } if error.code == 159)
    }

    /// Whether the server does not allow it to this user (error 497, ACCESS_DENIED).
    pub fn is_denied(&self) -> bool {
        self.code() == Some(ACCESS_DENIED)
    }

    /// What to do about it.
    pub fn class(&self) -> FailureClass {
        match self {
            SinkError::Server { error, .. } => match error.class() {
                // The table itself may have stored the rows by then: parts of them, with tokens of their own, would be
                // stored again. The same insert is dropped by the table and reaches the view.
                FailureClass::IsolateRow | FailureClass::Divide if error.is_of_view => FailureClass::Hold,
                class => class,
            },
            SinkError::NotClickhouse { status, .. } => status.map_or(FailureClass::Hold, class_of_status),
            SinkError::Network { .. } | SinkError::TimedOut { .. } | SinkError::NotThereYet { .. } => {
                FailureClass::Retry
            }
            SinkError::Url { .. }
            | SinkError::TrustStore { .. }
            | SinkError::Answer { .. }
            | SinkError::TooLarge { .. }
            | SinkError::ColumnType { .. }
            | SinkError::Definition { .. }
            | SinkError::ForeignUser { .. }
            | SinkError::Condition { .. } => FailureClass::Hold,
        }
    }

    /// ClickHouse's code, where ClickHouse answered with an error.
    pub fn code(&self) -> Option<i32> {
        match self {
            SinkError::Server { error, .. } => Some(error.code),
            _ => None,
        }
    }

    /// The row of the insert that ClickHouse names, counted from 0; a hint where to look first.
    pub fn named_row(&self) -> Option<usize> {
        match self {
            SinkError::Server { error, .. } => error.row,
            _ => None,
        }
    }

    /// Whether nothing of the insert that it refused was stored, as far as one attempt tells: rows that break a
    /// constraint or are of too many partitions, a table or a column that is not there, a right that is missing. After a failure of the network, or of a
    /// materialized view, that is unknown.
    pub fn has_stored_nothing(&self) -> bool {
        match self {
            SinkError::Server { error, .. } if error.is_of_view => false,
            SinkError::Server { error, .. } => match error.class() {
                FailureClass::IsolateRow | FailureClass::Divide => true,
                FailureClass::Hold => {
                    matches!(error.code, 16 | 47 | 60 | 81 | 164 | 192..=195 | 452 | 497 | 516)
                }
                FailureClass::Retry => false,
            },
            SinkError::TooLarge { .. }
            | SinkError::ColumnType { .. }
            | SinkError::Definition { .. }
            | SinkError::Url { .. } => true,
            _ => false,
        }
    }

    /// Whether the server has not begun the insert: nothing listened, or it does not know the session.
    pub fn was_not_begun(&self) -> bool {
        match self {
            SinkError::Server { error, .. } => matches!(error.code, 372 | 373),
            SinkError::Network { fault, .. } => *fault == NetworkFault::Refused,
            _ => false,
        }
    }

    /// Whose fault it is.
    pub fn domain(&self) -> ErrorDomain {
        match self {
            SinkError::Url { .. }
            | SinkError::ColumnType { .. }
            | SinkError::Definition { .. }
            | SinkError::ForeignUser { .. }
            | SinkError::Condition { .. } => ErrorDomain::User,
            SinkError::TooLarge { .. } => ErrorDomain::Internal,
            SinkError::Server { .. } if self.class() == FailureClass::Hold => ErrorDomain::User,
            _ => ErrorDomain::External,
        }
    }
}

impl ServerError {
    /// What to do about it, wherever it came from.
    fn class(&self) -> FailureClass {
        if self.is_of_partitions { FailureClass::Divide } else { class_of_code(self.code) }
    }

    /// How to mend it; begins with `; `, or is empty.
    pub(crate) fn mend(&self) -> &'static str {
        if self.is_of_partitions {
            return "; raise `max_partitions_per_insert_block` for this user, as by ALTER USER ... SETTINGS, or lower \
                    `batch.max_rows`";
        }
        mend_of_code(self.code)
    }
}

/// How to mend what `code` says; begins with `; `, or is empty.
const fn mend_of_code(code: i32) -> &'static str {
    match code {
        16 => "; the table has other columns than the pipe: correct `columns`, or ALTER the table",
        60 => "; create the table, or correct its name and database",
        81 => "; create the database, or correct its name",
        164 => "; this user may only read: choose another user, or lift `readonly` from its profile",
        192 | 193 | 194 | 195 | 516 => "; check the user name and the password",
        252 => "; insert larger batches less often, or let merges catch up",
        241 => "; it is tried again; give the server more memory if it persists",
        452 => "; the user's profile forbids a setting that inserts need: lift the constraint",
        497 => "; GRANT it to this user",
        511 => "; create the role, or correct its name",
        514 => {
            "; this server keeps no users but those of its configuration: add `local_directory` to its `user_directories`, or make the \
             pipe's user there and leave `access` out of the pipe file"
        }
        _ => "",
    }
}

/// ` NAME`, or nothing.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " {}", self.0) }
    }
}

fn fault_text(fault: NetworkFault, server: &str) -> String {
    match fault {
        NetworkFault::Refused => {
            format!(
                "nothing listens at {server} (connection refused); check host and port, and whether the server runs"
            )
        }
        NetworkFault::Dns => format!("the host of {server} does not resolve; check its name"),
        NetworkFault::Tls => format!(
            "no TLS connection to {server}; check that the port speaks TLS, and that the certificate is valid for the host \
             and from an authority that this system trusts"
        ),
        NetworkFault::ConnectTimeout => {
            format!("no connection to {server} in time; check host, port and firewall")
        }
        NetworkFault::Lost => format!("the connection to {server} was lost before the answer"),
        NetworkFault::Protocol => {
            format!("{server} does not answer in HTTP; check the port, and http or https")
        }
    }
}
