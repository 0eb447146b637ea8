//! The documents of docs/reference/ that are written from the code: they say what it says, or a test fails.
//! `UPDATE_EXPECT=1 cargo test -p xtask --test reference` writes them anew.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test that fails has failed the test")]

mod api;
mod codes;
mod links;
mod versions;

use std::path::PathBuf;

/// Something at the root of the checkout.
fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
