//! Topics full of records.

use std::time::Duration;

use housepipe_kafka_source::seed::{self, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{PartitionId, SourceConfig};

use crate::Shape;

/// Time for the last records to reach the broker.
const FLUSH_MAX: Duration = Duration::from_secs(120);

/// Creates the topic of `config` and fills it with so many megabytes of JSON, round robin over its partitions. Returns
/// the number of records and of their bytes.
///
/// # Errors
/// Where the broker does not take it.
pub fn fill(
    config: &SourceConfig,
    shape: Shape,
    partitions: u16,
    megabytes: u64,
) -> anyhow::Result<(u64, u64)> {
    TopicAdmin::create_topic(config, &config.topic, partitions.into())?;
    let producer = seed::Producer::connect(config)?;
    let corpus = shape.corpus();
    let mut record = Vec::new();
    let (mut count, mut bytes) = (0u64, 0u64);
    while bytes < megabytes * 1_000_000 {
        corpus.write(count, &mut record);
        let partition = Some(PartitionId(i32::try_from(count % u64::from(partitions))?));
        producer.send(SeedRecord { partition, payload: Some(&record), ..SeedRecord::default() })?;
        count += 1;
        bytes += record.len() as u64;
    }
    producer.flush(FLUSH_MAX)?;
    Ok((count, bytes))
}
