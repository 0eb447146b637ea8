//! Confluent Schema Registry framing for Rust.
