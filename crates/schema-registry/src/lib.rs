//! A client of the Confluent Schema Registry, for whoever reads records that refer to it.
//!
//! - [`parse_framing`] takes the frame off a record: a zero byte, the schema's id as four big-endian bytes, and the body
//!   ([wire format](https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format)).
//! - [`Registry`] brings schemas by id or by subject and version, with everything that they refer to
//!   ([API](https://docs.confluent.io/platform/current/schema-registry/develop/api.html), also served by Apicurio, Karapace
//!   and Redpanda). What it has seen it remembers, within limits; who asks for the same at once shares one request.
//! - [`RegistryError::class`] says what to do about an error: ask again, wait for a person, or give the record up.
//!
//! ```
//! use housepipe_schema_registry::{Framing, SchemaId, parse_framing};
//!
//! let Framing::Framed { schema_id, body } = parse_framing(b"\0\0\0\0\x2a{}") else { panic!() };
//! assert_eq!((schema_id, body), (SchemaId(42), b"{}".as_slice()));
//! assert_eq!(parse_framing(b"{}"), Framing::Unframed(b"{}"));
//! ```
#![forbid(unsafe_code)]

mod address;
mod config;
mod error;
mod framing;
mod schema;

mod client;
mod references;

mod answer;
mod backoff;
mod beginning;
mod bounded;
mod cache;
mod http;
mod said;
mod silence;
mod tls;

pub use address::{Address, Subject, Target, Version};
pub use client::Registry;
pub use config::{Credentials, Limits, Pem, RegistryConfig, Tls};
pub use error::{Cause, ErrorClass, Fault, RegistryError};
pub use framing::{Framed, Framing, SchemaId, parse_framing};
pub use schema::{Reference, Resolved, Schema, SchemaKind};

// The README's example is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
