//! Creating and filling topics: for demonstrations, tests and benchmarks. Behind the feature `seed`.
//!
//! ```no_run
//! use std::time::Duration;
//! use housepipe_kafka_source::SourceConfig;
//! use housepipe_kafka_source::seed::{Producer, SeedRecord, TopicAdmin};
//!
//! # fn main() -> Result<(), housepipe_kafka_source::SourceError> {
//! let config = SourceConfig::new("localhost:9092", "orders", "unused");
//! TopicAdmin::create_topic(&config, "orders", 4)?;
//! let producer = Producer::connect(&config)?;
//! for number in 0..1_000 {
//!     let payload = format!("{{\"number\": {number}}}");
//!     producer.send(SeedRecord { payload: Some(payload.as_bytes()), ..SeedRecord::default() })?;
//! }
//! producer.flush(Duration::from_secs(30))
//! # }
//! ```

mod admin;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

pub use admin::TopicAdmin;

use crate::context::log_line;
use crate::reason::of_call;
use crate::token::TokenKeeper;
use crate::{PartitionId, SourceConfig, SourceError, client};

/// Records that wait in the producer, at most; `send` blocks at that.
const QUEUED_RECORDS_MAX: usize = 200_000;

/// Longest wait for room in the producer, in milliseconds: without a broker it would never come.
const ROOM_TIMEOUT_MS: u64 = 30_000;

/// A record to be produced.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeedRecord<'a> {
    /// The partition; the hash of the key decides where there is none, and chance where there is no key either.
    pub partition: Option<PartitionId>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Milliseconds since 1970-01-01 UTC; now where there is none.
    pub timestamp_ms: Option<i64>,
    /// Header names and values; `None` is a header without a value.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// Fills the configured topic, fast, with every record acknowledged by all replicas.
pub struct Producer {
    producer: Arc<BaseProducer<Deliveries>>,
    config: SourceConfig,
    _tokens: Option<TokenKeeper>,
}

impl Producer {
    /// A producer for `config.topic`.
    ///
    /// # Errors
    /// [`SourceError::Config`] where a setting cannot be used, and what keeps a token away. The broker is not waited for.
    pub fn connect(config: &SourceConfig) -> Result<Producer, SourceError> {
        Producer::with(config, None)
    }

    /// A producer that writes in transactions, as `transactional_id`: records may be sent once one has
    /// [begun](Producer::begin).
    ///
    /// # Errors
    /// As [`Producer::connect`]; [`SourceError::Request`] where the broker does not take the transactional id.
    pub fn transactional(config: &SourceConfig, transactional_id: &str) -> Result<Producer, SourceError> {
        let producer = Producer::with(config, Some(transactional_id))?;
        let ready = producer.producer.init_transactions(Duration::from_millis(TRANSACTION_TIMEOUT_MS));
        ready.map_err(|error| of_call(config, &error, "a transactional id"))?;
        Ok(producer)
    }

    fn with(config: &SourceConfig, transactional_id: Option<&str>) -> Result<Producer, SourceError> {
        let mut settings = client::base(config)?;
        if let Some(id) = transactional_id {
            settings.set("transactional.id", id);
        }
        settings
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", QUEUED_RECORDS_MAX.to_string())
            .set("queue.buffering.max.kbytes", "131072");
        let producer = BaseProducer::from_config_and_context(&settings, Deliveries::default())
            .map_err(|error| of_call(config, &error, "the set-up of a client"))?;
        let producer = Arc::new(producer);
        let tokens = TokenKeeper::begin(config, &producer)?;
        Ok(Producer { producer, config: config.clone(), _tokens: tokens })
    }

    /// Begins a transaction. While it is open, its records and all behind them wait for readers of what is committed.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the producer is not transactional, or one is open.
    pub fn begin(&self) -> Result<(), SourceError> {
        self.producer.begin_transaction().map_err(|error| of_call(&self.config, &error, "a transaction"))
    }

    /// Commits the open transaction.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the broker does not.
    pub fn commit(&self) -> Result<(), SourceError> {
        let done = self.producer.commit_transaction(Duration::from_millis(TRANSACTION_TIMEOUT_MS));
        done.map_err(|error| of_call(&self.config, &error, "the commit of a transaction"))
    }

    /// Aborts the open transaction.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the broker does not.
    pub fn abort(&self) -> Result<(), SourceError> {
        let done = self.producer.abort_transaction(Duration::from_millis(TRANSACTION_TIMEOUT_MS));
        done.map_err(|error| of_call(&self.config, &error, "the end of a transaction"))
    }

    /// Hands `record` to the producer; waits while the producer is full.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the record is refused (too large, no such partition), or no room comes.
    pub fn send(&self, record: SeedRecord<'_>) -> Result<(), SourceError> {
        let mut headers = None;
        for (key, value) in record.headers {
            let list: OwnedHeaders = headers.take().unwrap_or_default();
            headers = Some(list.insert(Header { key, value: *value }));
        }
        let mut base = BaseRecord::<[u8], [u8]> {
            topic: &self.config.topic,
            partition: record.partition.map(|partition| partition.0),
            payload: record.payload,
            key: record.key,
            timestamp: record.timestamp_ms,
            headers,
            delivery_opaque: (),
        };
        let deadline = Instant::now() + Duration::from_millis(ROOM_TIMEOUT_MS);
        loop {
            match self.producer.send(base) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), again)) if Instant::now() < deadline => {
                    base = again;
                    self.producer.poll(Duration::from_millis(50));
                }
                Err((error, _)) => return Err(of_call(&self.config, &error, "a record")),
            }
        }
    }

    /// Waits until every record is acknowledged.
    ///
    /// # Errors
    /// [`SourceError::Request`] where some were refused, or not all were acknowledged within `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), SourceError> {
        self.producer.flush(timeout).map_err(|error| of_call(&self.config, &error, "some records"))?;
        let deliveries = self.producer.context();
        match deliveries.failed.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            failed => Err(SourceError::Request {
                brokers: self.config.brokers.clone(),
                request: "some records",
                reason: format!(
                    "{failed} were not stored; the last reason: {}",
                    deliveries.reason.lock().unwrap_or_else(PoisonError::into_inner)
                ),
            }),
        }
    }
}

/// Time for a step of a transaction, in milliseconds.
const TRANSACTION_TIMEOUT_MS: u64 = 30_000;

#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
    reason: Mutex<String>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, reason, "librdkafka reports an error");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
        }
    }
}
