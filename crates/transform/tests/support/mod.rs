//! What the runners share: the cases of `testdata/conversion` and ClickHouse as the oracle.
#![allow(clippy::panic, clippy::cast_possible_truncation, reason = "a helper of tests; digits are below 16")]
#![allow(dead_code, unreachable_pub, reason = "each runner uses its own part")]

pub mod cases;
pub mod oracle;
