//! docs/reference/pipe-file.schema.json says what the parser takes, and docs/reference/pipe-file.md what it says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test that fails has failed the test")]

mod documents;
mod keys;
mod reference;
mod schema;
