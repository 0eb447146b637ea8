//! The source against a real broker.

#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

mod harness;

mod advertised;
mod beside_the_group;
mod causes;
mod certificates;
mod group;
mod group_offsets;
mod odd_headers;
mod outage;
mod reading;
mod refused;
mod rights;
mod starting;
mod tokens;
mod topics;
