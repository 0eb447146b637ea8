//! One INSERT: one attempt, one block, acknowledged or not.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clickhouse::insert_formatted::InsertFormatted;

use crate::config::Compression;
use crate::connect;
use crate::error::SinkError;
use crate::quote::quote_identifier;
use crate::settings;
use crate::sink::Sink;

/// Bytes of the body that are handed to the connection at a time. With compression this is the size of a block before
/// it is compressed, so that never more than one block is held besides the batch.
const CHUNK_BYTES: usize = 1 << 20;

/// How the rows of an insert are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InsertFormat {
    /// Values of the columns one after the other.
    RowBinary,
    /// Each value preceded by a byte that says whether the column's DEFAULT is taken instead.
    RowBinaryWithDefaults,
}

impl InsertFormat {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            InsertFormat::RowBinary => "RowBinary",
            InsertFormat::RowBinaryWithDefaults => "RowBinaryWithDefaults",
        }
    }
}

/// Encoded rows for one table.
#[derive(Debug, Clone)]
pub struct Insert<'a> {
    /// The table, in the sink's database.
    pub table: &'a str,
    /// The columns in the order of the encoding; empty means every column of the table.
    pub columns: &'a [String],
    /// The encoding of `body`.
    pub format: InsertFormat,
    /// The rows. Cheap to clone: the bytes are shared, never copied.
    pub body: Bytes,
    /// How many rows `body` holds.
    pub rows: u64,
    /// The deduplication token: an insert that is repeated with the same token and bytes is applied once, where the
    /// table has a deduplication window. Without one it is applied each time, and the table remembers nothing of it.
    pub token: Option<&'a str>,
    /// Whether values of JSON columns are encoded as text.
    pub json_as_string: bool,
    /// The session that a [look](Sink::look) has opened: only the server that was looked at takes the insert, and only for
    /// [`Insert::SESSION_S`]. It ends with the insert.
    pub session: Option<&'a str>,
}

impl Insert<'_> {
    /// Rows of one insert, at most: it must stay below one ClickHouse block.
    pub const ROWS_MAX: u64 = 1_000_000;
    /// Bytes of one insert, at most.
    pub const BYTES_MAX: u64 = 256 << 20;
    /// Seconds between a look and the insert in its session, at most. A process that was frozen for longer is refused.
    pub const SESSION_S: u64 = 30;

    /// The statement without its data.
    pub(crate) fn sql(&self) -> String {
        let mut sql = format!("INSERT INTO {}", quote_identifier(self.table));
        if !self.columns.is_empty() {
            let names: Vec<String> = self.columns.iter().map(|name| quote_identifier(name)).collect();
            sql.push_str(&format!(" ({})", names.join(", ")));
        }
        sql + " FORMAT " + self.format.name()
    }
}

/// An insert that ClickHouse acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inserted {
    /// Rows sent. ClickHouse may have dropped them as a repetition of the same token.
    pub rows: u64,
    /// Bytes of the body before compression.
    pub body_bytes: u64,
    /// Time from the first byte to the acknowledgement, in milliseconds.
    pub elapsed_ms: u64,
}

impl Sink {
    /// Inserts once. Nothing is repeated inside: the caller repeats by [`SinkError::class`], with the same bytes and
    /// token. Where the future is dropped, or the body cannot be sent whole, the connection is aborted, so that the
    /// server never takes a part of the batch for the whole.
    ///
    /// # Errors
    /// Any [`SinkError`]; after [`SinkError::TimedOut`] and [`SinkError::Network`] it is unknown whether the insert was
    /// applied.
    pub async fn insert(&self, insert: &Insert<'_>) -> Result<Inserted, SinkError> {
        self.insert_one(insert, true).await
    }

    /// Seconds for which ClickHouse works on one insert, at most; it looks at the time between two steps, and ends a step that
    /// it has begun.
    pub fn insert_seconds_max(&self) -> u64 {
        self.config().insert_timeout_ms.div_ceil(1_000)
    }

    /// The same; its session ends with the last insert in it.
    pub(crate) async fn insert_one(&self, insert: &Insert<'_>, is_last: bool) -> Result<Inserted, SinkError> {
        let body_bytes = insert.body.len() as u64;
        let began = Instant::now();
        if insert.rows == 0 && insert.body.is_empty() {
            return Ok(Inserted { rows: 0, body_bytes, elapsed_ms: 0 });
        }
        if insert.rows > Insert::ROWS_MAX || body_bytes > Insert::BYTES_MAX {
            let (rows_max, bytes_max) = (Insert::ROWS_MAX, Insert::BYTES_MAX);
            return Err(SinkError::TooLarge { rows: insert.rows, bytes: body_bytes, rows_max, bytes_max });
        }
        self.send(insert, is_last).await?;
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Inserted { rows: insert.rows, body_bytes, elapsed_ms })
    }

    /// Sends `insert` even where it is empty, and waits for the outcome.
    pub(crate) async fn send(&self, insert: &Insert<'_>, is_last: bool) -> Result<(), SinkError> {
        let operation = format!("the insert into {}", quote_identifier(insert.table));
        let known = self.known_settings().await?;
        // A compressed block of nothing is not a block.
        let compression = if insert.body.is_empty() { Compression::None } else { self.config().compression };
        let mut request =
            connect::insert_client(self.client(), compression).insert_formatted_with(insert.sql());
        let seconds_max = self.insert_seconds_max().to_string();
        for (name, value) in settings::of_insert(insert, &seconds_max, known) {
            request = request.with_setting(name, value);
        }
        if let Some(session) = insert.session {
            request = request.with_setting("session_id", session).with_setting("session_check", "1");
            if is_last {
                request = request.with_setting("close_session", "1");
            }
        }
        let timeout = Duration::from_millis(self.config().insert_timeout_ms);
        send_body(request, insert.body.clone(), Instant::now() + timeout)
            .await
            .map_err(|error| self.error(error, &operation, self.config().insert_timeout_ms))
    }
}

async fn send_body(
    mut request: InsertFormatted,
    mut body: Bytes,
    deadline: Instant,
) -> clickhouse::error::Result<()> {
    loop {
        // An empty body is sent too: sending is what starts the request.
        let chunk = body.split_to(body.len().min(CHUNK_BYTES));
        request = request.with_timeouts(Some(time_left(deadline)), Some(time_left(deadline)));
        if let Err(error) = request.send(chunk).await {
            // The client has aborted the body by now; ending with no time left also drops the connection, which
            // would otherwise stay with a server that does not read.
            if matches!(error, clickhouse::error::Error::TimedOut) {
                let _ = request.with_timeouts(None, Some(Duration::ZERO)).end().await;
            }
            return Err(error);
        }
        if body.is_empty() {
            break;
        }
    }
    request.with_timeouts(None, Some(time_left(deadline))).end().await
}

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
