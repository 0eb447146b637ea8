//! The delivery core: which offsets may be committed, decided from events alone.
//!
//! Sans-IO: no clock, no network, no threads, no randomness. The workers and the sink drive it, and its answers are
//! values. A committed offset `s` means that everything below `s` is in the table or in the error table.

mod ledger;

pub use ledger::{BatchId, Epoch, Ledger, Span};
