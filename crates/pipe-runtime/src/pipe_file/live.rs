//! What a running pipe takes over as it runs. For everything else it stores what it has read, and starts anew.

use super::types::{BatchLimits, Deadlines, ErrorTableSpec, PipeFile};
use crate::delivery::Share;

/// The part of a pipe file that holds for the next batch, or the next look at a clock, without anything being opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveSettings {
    /// As [`BatchLimits::rows_max`].
    pub(crate) rows_max: usize,
    /// As [`BatchLimits::wait_max_ms`].
    pub(crate) wait_max_ms: u64,
    /// As [`ErrorTableSpec::stop_ratio`].
    pub(crate) stop_ratio: Option<Share>,
    /// As [`ErrorTableSpec::warn_ratio`].
    pub(crate) warn_ratio: Option<Share>,
    /// As [`PipeFile::deadlines`].
    pub(crate) deadlines: Deadlines,
}

impl PipeFile {
    pub(crate) fn live_settings(&self) -> LiveSettings {
        LiveSettings {
            rows_max: self.batch.rows_max,
            wait_max_ms: self.batch.wait_max_ms,
            stop_ratio: self.error_table.stop_ratio,
            warn_ratio: self.error_table.warn_ratio,
            deadlines: self.deadlines,
        }
    }

    /// Whether a pipe that runs as this file says may run as `other` says without being started anew: they differ in nothing but the
    /// description, `batch.max_rows`, `batch.max_wait`, the ratios of the error table and the deadlines.
    ///
    /// Secrets are compared as they were read, files that are named (such as a certificate) by their paths.
    ///
    /// ```
    /// use housepipe_runtime::PipeFile;
    ///
    /// let file = |topic: &str, more: &str| {
    ///     let text = format!(
    ///         "name: clicks\n\
    ///          source: {{ type: kafka, brokers: 'localhost:9092', topic: {topic} }}\n\
    ///          destination: {{ url: 'http://localhost:8123', table: clicks }}\n{more}"
    ///     );
    ///     PipeFile::parse(&text, "pipe.yaml")
    /// };
    /// let pipe = file("clicks", "")?;
    /// assert!(pipe.can_become(&file("clicks", "batch: { max_wait: 1s }\n")?));
    /// assert!(!pipe.can_become(&file("views", "")?));
    /// # Ok::<(), housepipe_runtime::PipeFileError>(())
    /// ```
    pub fn can_become(&self, other: &PipeFile) -> bool {
        // Each field by its name: one that comes has to be thought of here.
        let PipeFile {
            name,
            id,
            description: _,
            source,
            schema_registry,
            destination,
            error_table,
            batch,
            semantics,
            delivery,
            deadlines: _,
        } = self;
        let BatchLimits { rows_max: _, bytes_max, wait_max_ms: _ } = batch;
        let ErrorTableSpec { enabled, suffix, ttl_days, stop_ratio: _, warn_ratio: _ } = error_table;
        let of_other = &other.error_table;
        (name, id, source, schema_registry) == (&other.name, &other.id, &other.source, &other.schema_registry)
            && (destination, semantics, delivery) == (&other.destination, &other.semantics, &other.delivery)
            && (enabled, suffix, ttl_days) == (&of_other.enabled, &of_other.suffix, &of_other.ttl_days)
            && *bytes_max == other.batch.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
name: clicks
description: what for
source:
  type: kafka
  brokers: 'localhost:9092'
  topic: clicks
  consumer_group: g
  offset: earliest
  tls: { ca: /etc/ca.pem }
  auth: { mechanism: SCRAM-SHA-256, username: app, password: secret }
  unsafe_librdkafka: { client.rack: a }
schema_registry: { url: 'http://localhost:8081', username: app, password: secret }
destination:
  url: 'http://localhost:8123'
  username: app
  password: secret
  setup: { username: admin, password: secret }
  database: d
  table: t
  managed_table: { engine: MergeTree, order_by: [a] }
  columns:
    - { name: a, type: UInt8 }
error_table: { enabled: true, suffix: _e, ttl_days: 3, stop_ratio: 0.5, warn_ratio: 0.1 }
batch: { max_rows: 10, max_bytes: 1MiB, max_wait: 1s }
semantics: clickhouse
delivery: at_least_once
deadlines: { source: 1m, destination: 1m }
";

    fn with(old: &str, new: &str) -> PipeFile {
        assert!(TEXT.contains(old), "{old}");
        PipeFile::parse(&TEXT.replacen(old, new, 1), "pipe.yaml").unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_changes_live_is_taken_over() {
        let pipe = with("", "");
        assert!(pipe.can_become(&pipe));
        for (old, new) in [
            ("what for", "another word"),
            ("max_rows: 10", "max_rows: 11"),
            ("max_wait: 1s", "max_wait: 2s"),
            ("stop_ratio: 0.5", "stop_ratio: 0.6"),
            ("warn_ratio: 0.1", "warn_ratio: 0.2"),
            ("source: 1m", "source: 2m"),
            ("destination: 1m", "destination: 2m"),
        ] {
            let other = with(old, new);
            assert!(pipe.can_become(&other) && other.can_become(&pipe), "{new}");
            let is_description = new == "another word";
            assert_eq!(pipe.live_settings() == other.live_settings(), is_description, "{new}");
        }
    }

    #[test]
    fn for_everything_else_it_starts_anew() {
        let pipe = with("", "");
        for (old, new) in [
            ("name: clicks", "name: views"),
            ("9092", "9093"),
            ("topic: clicks", "topic: views"),
            ("consumer_group: g", "consumer_group: h"),
            ("offset: earliest", "offset: latest"),
            ("/etc/ca.pem", "/etc/other.pem"),
            ("SCRAM-SHA-256", "SCRAM-SHA-512"),
            ("username: app, password: secret }\n  unsafe", "username: app, password: other }\n  unsafe"),
            ("client.rack: a", "client.rack: b"),
            ("8081", "8082"),
            ("password: secret }\ndest", "password: other }\ndest"),
            ("8123", "8124"),
            ("  password: secret\n", "  password: other\n"),
            ("admin, password: secret", "admin, password: other"),
            ("database: d", "database: e"),
            ("table: t\n", "table: u\n"),
            ("engine: MergeTree", "engine: ReplacingMergeTree"),
            ("type: UInt8", "type: UInt16"),
            ("enabled: true", "enabled: false"),
            ("_e", "_f"),
            ("ttl_days: 3", "ttl_days: 4"),
            ("max_bytes: 1MiB", "max_bytes: 2MiB"),
            ("clickhouse\ndel", "strict\ndel"),
            ("at_least_once", "exactly_once"),
        ] {
            let other = with(old, new);
            assert!(!pipe.can_become(&other) && !other.can_become(&pipe), "{new}");
        }
        let kept = PipeFile { id: Some("p1".to_owned()), ..pipe.clone() };
        assert!(!pipe.can_become(&kept));
    }
}
