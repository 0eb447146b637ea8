//! The framing of the Confluent Schema Registry: which schema a record was written with.
//!
//! A framed record is a zero byte, the schema's id as four big-endian bytes, and the body. The format is
//! [Confluent's wire format](https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format).
//!
//! ```
//! use housepipe_schema_registry::{Framing, SchemaId, parse_framing};
//!
//! let Framing::Framed { schema_id, body } = parse_framing(b"\0\0\0\0\x2a{}") else { panic!() };
//! assert_eq!((schema_id, body), (SchemaId(42), b"{}".as_slice()));
//! assert_eq!(parse_framing(b"{}"), Framing::Unframed(b"{}"));
//! ```
#![forbid(unsafe_code)]

mod framing;

pub use framing::{Framed, Framing, SchemaId, parse_framing};
