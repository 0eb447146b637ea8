//! Both servers together.

use crate::clickhouse::{Clickhouse, ClickhouseOptions};
use crate::error::{Result, StackError};
use crate::kafka::{Kafka, KafkaOptions};
use crate::prepare::Parts;

/// A ClickHouse and a Kafka. Dropping it kills both and removes their folders.
#[derive(Debug)]
pub struct Stack {
    /// The destination.
    pub clickhouse: Clickhouse,
    /// The source.
    pub kafka: Kafka,
}

impl Stack {
    /// Starts both side by side with default options; servers that `CLICKHOUSE_URL` and `KAFKA_BROKERS` named when
    /// `parts` were prepared are taken instead.
    ///
    /// # Errors
    /// As [`Clickhouse::start`] and [`Kafka::start`].
    pub fn start(parts: &Parts) -> Result<Self> {
        Self::start_with(parts, &ClickhouseOptions::default(), &KafkaOptions::default())
    }

    /// As [`Stack::start`], with options.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn start_with(parts: &Parts, clickhouse: &ClickhouseOptions, kafka: &KafkaOptions) -> Result<Self> {
        let (clickhouse, kafka) = std::thread::scope(|scope| {
            let kafka = scope.spawn(|| Kafka::start(parts, kafka));
            (Clickhouse::start(parts, clickhouse), kafka.join())
        });
        let kafka = kafka.unwrap_or_else(|_| {
            Err(StackError::Keeper {
                server: "Kafka",
                what: "could not be asked: its thread panicked".to_owned(),
            })
        });
        Ok(Self { clickhouse: clickhouse?, kafka: kafka? })
    }
}
