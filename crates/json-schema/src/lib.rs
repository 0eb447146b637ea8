//! Checks raw JSON records, such as the bytes of Kafka messages, against [JSON Schemas](https://json-schema.org).
//!
//! - [`Schema::compile`] takes the text of a schema and those that it refers to. It fetches nothing, and bounds what a schema may
//!   cost ([`Limits`]).
//! - [`Validator::check`] checks one record after the other: at once where a single pass over the bytes tells that it is valid,
//!   and value by value otherwise, with the `jsonschema` crate. Many validators can share [`Buffers`].
//! - [`Outline::read`] says what a schema allows, as far as a table's columns can be made of it.
//! - [`Rejected`] says why a record is rejected: where, by which keyword, in plain words, quoting a few bytes at most.
//!
//! ```
//! use housepipe_json_schema::{Options, Schema, Validator};
//!
//! let none: [(&str, &str); 0] = [];
//! let schema = Schema::compile(r#"{"required": ["id"]}"#, none, &Options::default())?;
//! let mut validator = Validator::new(schema);
//! assert!(validator.check(br#"{"id": 1}"#).is_ok());
//! assert_eq!(
//!     validator.check(b"{}").unwrap_err().to_string(),
//!     "the record: the member \"id\" is missing (required, at #/required of the schema)"
//! );
//! # Ok::<(), housepipe_json_schema::SchemaError>(())
//! ```
#![forbid(unsafe_code)]

mod draft;
mod error;
mod limits;
mod options;
mod rejected;

mod accept;
mod library;
mod outline;
mod record;

mod schema;
mod validator;

pub use draft::Draft;
pub use error::SchemaError;
pub use limits::Limits;
pub use options::{Formats, Names, Options};
pub use outline::{Others, Outline, Property, Types};
pub use rejected::{NotJson, Rejected, Violation};
pub use schema::Schema;
pub use validator::{Buffers, Validator};

// The README's example is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
