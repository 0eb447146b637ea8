//! Both servers together.

use crate::clickhouse::{Clickhouse, ClickhouseOptions, KeepsUsers};
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

impl KeepsUsers for Stack {
    fn clickhouse(&self) -> &Clickhouse {
        &self.clickhouse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::{Silent, Wanted, prepare_wanted};

    #[test]
    fn the_cache_may_have_an_odd_name() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("Ann's & Bob's <cache>");
        let mut parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
        parts.cache = Cache::at(odd.clone());
        let mut stack = Stack::start(&parts).unwrap();
        assert!(stack.clickhouse.folder().starts_with(&odd) && stack.kafka.folder().starts_with(&odd));
        assert_eq!(stack.clickhouse.query("SELECT 1").unwrap(), "1\n");
        stack.clickhouse.stop().unwrap();
        stack.kafka.stop().unwrap();
    }
}
