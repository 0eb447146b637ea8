//! Batches of Kafka records per partition, with a consumer group that commits only what was stored.
