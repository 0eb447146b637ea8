//! A real ClickHouse and a real Kafka on loopback, for demos, tests and benchmarks.
