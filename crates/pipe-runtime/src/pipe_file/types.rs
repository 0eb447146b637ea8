//! What a pipe file says, as typed values.

use std::collections::BTreeMap;
use std::net::IpAddr;

use housepipe_ch_sink::{Compression, TableSetting};
use housepipe_kafka_source::{PartitionId, RawSettings, Security, StartOffset};
use housepipe_schema_registry::{RegistryConfig, Target};
use housepipe_transform::{DataType, Semantics, Source};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::preset::Preset;
use crate::delivery::Share;

/// A whole pipe: where from, where to, and how.
#[derive(Debug, Clone)]
pub struct PipeFile {
    /// The pipe's name: `[a-z0-9][a-z0-9_-]{0,62}`.
    pub name: PipeName,
    /// The id by which a service keeps the pipe, which no other pipe has anywhere; none of a file alone.
    pub id: Option<String>,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// The Kafka topic and how to reach it.
    pub source: SourceSpec,
    /// Where the schemas of records are; none where records are not checked.
    pub schema_registry: Option<RegistrySpec>,
    /// The ClickHouse table and how to reach it.
    pub destination: DestinationSpec,
    /// The table for records that cannot be loaded.
    pub error_table: ErrorTableSpec,
    /// When a batch is closed and inserted.
    pub batch: BatchLimits,
    /// How strictly values are read.
    pub semantics: Semantics,
    /// What holds where something fails.
    pub delivery: DeliveryMode,
    /// For how long an end may be away.
    pub deadlines: Deadlines,
}

/// `deadlines:` — a pipe that waits in vain for longer stops as failed, with its offsets kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Time without a reachable broker, in milliseconds.
    pub source_ms: u64,
    /// Time in which ClickHouse takes no insert for a passing reason, in milliseconds.
    pub destination_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines { source_ms: 15 * 60 * 1_000, destination_ms: 60 * 60 * 1_000 }
    }
}

/// `delivery:`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Nothing is lost; what was loaded and not committed is loaded again.
    #[default]
    AtLeastOnce,
    /// Nothing is lost and nothing is loaded twice, while ClickHouse remembers the tokens of inserts.
    ExactlyOnce,
}

/// A pipe's name, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PipeName(pub(super) String);

impl PipeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PipeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `source:`
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSpec {
    /// Whose brokers they are, and what that has set.
    pub preset: Preset,
    /// Bootstrap brokers, `host:port` separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group; `housepipe-<name>` unless the file names one.
    pub consumer_group: String,
    /// Where a group without committed offsets starts.
    pub starts: Starts,
    /// Encryption and credentials.
    pub security: Security,
    /// Settings of the client by name.
    pub unsafe_librdkafka: RawSettings,
}

impl SourceSpec {
    /// Whether all brokers are on this machine, so that no network is between.
    pub fn is_on_this_machine(&self) -> bool {
        self.brokers.split(',').all(|broker| {
            let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        })
    }
}

/// `source.offset:` — where a partition starts for which the group has no committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Starts {
    /// Partitions that the file names.
    pub partitions: BTreeMap<PartitionId, StartOffset>,
    /// All others.
    pub others: StartOffset,
}

/// `schema_registry:`
#[derive(Debug, Clone, PartialEq)]
pub struct RegistrySpec {
    /// How to reach it.
    pub config: RegistryConfig,
    /// The schema of records that name none; [`Target::Root`] where each has to name its own.
    pub target: Target,
}

/// `destination:`
#[derive(Debug, Clone)]
pub struct DestinationSpec {
    /// The HTTP interface, such as `http://localhost:8123`.
    pub url: String,
    /// The user; `default` unless the file names one.
    pub username: String,
    /// The user's password.
    pub password: Option<SecretString>,
    /// Who creates what is missing; the user above, unless the file names another.
    pub set_up: Option<SetUpSpec>,
    /// What the user above may do, where it is made for this pipe alone; none where it is there already.
    pub access: Option<AccessSpec>,
    /// The cluster on whose servers everything is created; none where it is the server that is asked.
    pub on_cluster: Option<String>,
    /// The database; `default` unless the file names one.
    pub database: String,
    /// The table.
    pub table: String,
    /// Compression of the inserts on the wire.
    pub compression: Compression,
    /// How to create the table; without it the table must exist.
    pub managed_table: Option<ManagedTable>,
    /// The columns to fill; empty means every column of the existing table.
    pub columns: Vec<ColumnSpec>,
}

impl PartialEq for DestinationSpec {
    fn eq(&self, other: &DestinationSpec) -> bool {
        let DestinationSpec {
            url,
            username,
            password,
            set_up,
            access,
            on_cluster,
            database,
            table,
            compression,
            managed_table,
            columns,
        } = self;
        exposed(password) == exposed(&other.password)
            && (url, username, set_up, access) == (&other.url, &other.username, &other.set_up, &other.access)
            && (on_cluster, database, table) == (&other.on_cluster, &other.database, &other.table)
            && (compression, managed_table, columns)
                == (&other.compression, &other.managed_table, &other.columns)
    }
}

fn exposed(password: &Option<SecretString>) -> Option<&str> {
    password.as_ref().map(ExposeSecret::expose_secret)
}

/// `destination.setup:` — the user that creates tables, and the pipe's own user.
#[derive(Debug, Clone)]
pub struct SetUpSpec {
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Option<SecretString>,
}

impl PartialEq for SetUpSpec {
    fn eq(&self, other: &SetUpSpec) -> bool {
        let SetUpSpec { username, password } = self;
        *username == other.username && exposed(password) == exposed(&other.password)
    }
}

/// `destination.access:` — what the user that is made for the pipe may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessSpec {
    /// Insert into the table and the error table, and read them.
    OnlyDestination,
    /// Everything in the database.
    Full,
    /// What this role may do, which is there already.
    Role(String),
}

/// `destination.managed_table:` — the table is created where it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedTable {
    /// Engine with its parameters, such as `MergeTree` or `ReplacingMergeTree(version)`.
    pub engine: String,
    /// Sorting key, a column or expression each.
    pub order_by: Vec<String>,
    /// Partition key expression.
    pub partition_by: Option<String>,
    /// TTL expression.
    pub ttl: Option<String>,
    /// Settings of the table.
    pub settings: Vec<TableSetting>,
}

/// One of `destination.columns:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    /// The column's name in the table.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// What fills it; the virtual column or the field of its name unless the file says otherwise.
    pub from: Source,
}

/// `error_table:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorTableSpec {
    /// Whether rejected records are kept in a table; otherwise they are counted and logged without their content.
    pub enabled: bool,
    /// What the error table's name adds to the destination's.
    pub suffix: String,
    /// Days after which ClickHouse deletes an error row.
    pub ttl_days: u32,
    /// The pipe stops where more than this share of its last records is rejected.
    pub stop_ratio: Option<Share>,
    /// The pipe warns where more than this share of its last records is rejected.
    pub warn_ratio: Option<Share>,
}

impl Default for ErrorTableSpec {
    fn default() -> Self {
        ErrorTableSpec {
            enabled: true,
            suffix: "_clickpipes_error".to_owned(),
            ttl_days: 7,
            stop_ratio: Some(Share::HALF),
            warn_ratio: None,
        }
    }
}

/// `batch:` — a batch is inserted as soon as it reaches one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows of a batch, at most; up to [`BatchLimits::ROWS_MOST`].
    pub rows_max: usize,
    /// Bytes of a batch at which it is closed: of its encoded rows, with 16 to 32 for each beside them. Up to [`BatchLimits::BYTES_MOST`].
    pub bytes_max: usize,
    /// Time a record waits for its batch to fill, at most, in milliseconds.
    pub wait_max_ms: u64,
}

impl BatchLimits {
    /// The most rows that one insert may carry: one ClickHouse block.
    pub const ROWS_MOST: u64 = 1_000_000;
    /// The highest limit of bytes. A batch may pass its limit by its last records, and must stay below the 256 MB of one
    /// ClickHouse block.
    pub const BYTES_MOST: u64 = 128 << 20;
}

impl Default for BatchLimits {
    fn default() -> Self {
        BatchLimits { rows_max: 100_000, bytes_max: 32 << 20, wait_max_ms: 5_000 }
    }
}
