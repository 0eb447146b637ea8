//! The sink itself: one server, one user, one database.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clickhouse::Client;
use tokio::sync::OnceCell;

use crate::config::{SinkConfig, parse_url};
use crate::connect;
use crate::error::SinkError;
use crate::quote::{quote_identifier, quote_string};
use crate::response::sink_error;
use crate::settings;

/// Time that is left of a request when a server ends to wait for the others of its cluster, in seconds.
const CLUSTER_MARGIN_S: u64 = 10;

/// A ClickHouse database to insert into. Clones share connections and what is known of the server.
#[derive(Clone)]
pub struct Sink {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    config: SinkConfig,
    /// Scheme, host and port, for messages.
    server: String,
    known_settings: OnceCell<HashSet<String>>,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Such as `26.9.1.1`.
    pub version: String,
    /// The server's time zone, an IANA name.
    pub timezone: String,
    /// The user as the server sees it.
    pub user: String,
    /// The host's name as the server sees it.
    pub host: String,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct ServerRow {
    version: String,
    timezone: String,
    user: String,
    host: String,
}

impl Sink {
    /// A sink for `config`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SinkError::Url`] and [`SinkError::TrustStore`].
    pub fn new(config: &SinkConfig) -> Result<Sink, SinkError> {
        let server = parse_url(&config.url)?.origin().ascii_serialization();
        let client = connect::client(config)?;
        let inner = Inner { client, config: config.clone(), server, known_settings: OnceCell::new() };
        Ok(Sink { inner: Arc::new(inner) })
    }

    /// Asks the server who it is: one round trip that shows that the address, the user, the password and the database
    /// are right.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn server(&self) -> Result<ServerInfo, SinkError> {
        let sql = "SELECT version() AS version, serverTimeZone() AS timezone, currentUser() AS user, hostName() AS host";
        let row: ServerRow = self.fetch_one("a question for the version", sql).await?;
        Ok(ServerInfo { version: row.version, timezone: row.timezone, user: row.user, host: row.host })
    }

    /// Whether the server has the setting `name`, of those that inserts may send. Asked once for each sink.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn has_setting(&self, name: &str) -> Result<bool, SinkError> {
        Ok(self.known_settings().await?.contains(name))
    }

    /// Rows of `table`.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn count(&self, table: &str) -> Result<u64, SinkError> {
        let operation = format!("the count of {}", quote_identifier(table));
        self.fetch_one(&operation, &format!("SELECT count() FROM {}", quote_identifier(table))).await
    }

    pub(crate) async fn known_settings(&self) -> Result<&HashSet<String>, SinkError> {
        let known = &self.inner.known_settings;
        known
            .get_or_try_init(|| async {
                let names: Vec<String> = settings::WANTED.iter().map(|name| quote_string(name)).collect();
                let sql = format!("SELECT name FROM system.settings WHERE name IN ({})", names.join(", "));
                let rows: Vec<String> = self.fetch_all("a question for the server's settings", &sql).await?;
                Ok(rows.into_iter().collect())
            })
            .await
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn config(&self) -> &SinkConfig {
        &self.inner.config
    }

    pub(crate) fn error(
        &self,
        error: clickhouse::error::Error,
        operation: &str,
        timeout_ms: u64,
    ) -> SinkError {
        sink_error(error, operation, &self.inner.server, timeout_ms)
    }

    /// Runs a statement without a result.
    pub(crate) async fn execute(&self, operation: &str, sql: &str) -> Result<(), SinkError> {
        self.request(operation, self.client().query_raw(sql).execute()).await
    }

    /// Runs a statement that defines something. One for all servers of a cluster waits for them for a part of the time that a request has, and
    /// then leaves it to those that are away to carry it out when they are back: one dead server must not keep the others from it.
    pub(crate) async fn define(
        &self,
        operation: &str,
        sql: &str,
        is_for_cluster: bool,
    ) -> Result<(), SinkError> {
        if !is_for_cluster {
            return self.execute(operation, sql).await;
        }
        let wait_s = (self.config().request_timeout_ms / 1_000).saturating_sub(CLUSTER_MARGIN_S).max(1);
        let query = self
            .client()
            .query_raw(sql)
            .with_setting("distributed_ddl_output_mode", "null_status_on_timeout")
            .with_setting("distributed_ddl_task_timeout", wait_s.to_string());
        self.request(operation, query.execute()).await
    }

    pub(crate) async fn fetch_one<T>(&self, operation: &str, sql: &str) -> Result<T, SinkError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        self.request(operation, self.client().query_raw(sql).fetch_one::<T>()).await
    }

    pub(crate) async fn fetch_all<T>(&self, operation: &str, sql: &str) -> Result<Vec<T>, SinkError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        self.request(operation, self.client().query_raw(sql).fetch_all::<T>()).await
    }

    /// Like [`fetch_all`](Self::fetch_all), by position and read-only: names and types of the answer are not compared
    /// with those of `T`, so that strings of any bytes are read as bytes, and expressions need no names. The server
    /// refuses whatever is not a question.
    pub(crate) async fn read_all<T>(&self, operation: &str, sql: &str) -> Result<Vec<T>, SinkError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        let client = self.client().clone().with_validation(false);
        // 2 and not 1: the settings of the request itself may still be set.
        self.request(operation, client.query_raw(sql).with_setting("readonly", "2").fetch_all::<T>()).await
    }

    /// The one row of the answer, as [`read_all`](Self::read_all) reads it.
    pub(crate) async fn read_one<T>(&self, operation: &str, sql: &str) -> Result<T, SinkError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        let client = self.client().clone().with_validation(false);
        self.request(operation, client.query_raw(sql).with_setting("readonly", "2").fetch_one::<T>()).await
    }

    pub(crate) async fn request<T>(
        &self,
        operation: &str,
        request: impl Future<Output = clickhouse::error::Result<T>>,
    ) -> Result<T, SinkError> {
        let timeout_ms = self.config().request_timeout_ms;
        match tokio::time::timeout(Duration::from_millis(timeout_ms), request).await {
            Ok(result) => result,
            Err(_) => Err(clickhouse::error::Error::TimedOut),
        }
        .map_err(|error| self.error(error, operation, timeout_ms))
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("server", &self.inner.server)
            .field("username", &self.inner.config.username)
            .field("database", &self.inner.config.database)
            .finish_non_exhaustive()
    }
}
