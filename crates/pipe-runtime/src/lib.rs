//! Runs pipes: Kafka topics into ClickHouse tables, at least once.
