//! The delivery core: which offsets may be committed, and whether to go on, decided from events alone.
//!
//! Sans-IO: no clock, no network, no threads, no randomness. The workers and the sink drive it, and its answers are
//! values. A committed offset `s` means that everything below `s` is in the table or in the error table.

mod action;
mod exactly_once;
mod ledger;
mod metadata;
mod moment;
mod reject_rule;
mod token;

pub use action::{Action, Commit, CommitOutcome, Halt, Sealed, Terms, TokenMemory};
pub use exactly_once::ExactlyOnce;
pub use ledger::{BatchId, Epoch, Ledger, Span};
pub use metadata::{BYTES_MAX, Cut, Lineage, Metadata, Pending, Recorded};
pub use moment::{Moment, WindowMark};
pub use reject_rule::{Judged, JudgedBatch, RECORDS_MIN, RejectRule, RejectVerdict, Rejected, Share};
pub use token::BatchToken;
