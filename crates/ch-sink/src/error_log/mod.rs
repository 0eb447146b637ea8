//! Reads an error table, and marks in it which of its records were loaded after all.
//!
//! Rows are only ever added. A record that is loaded again leaves a row of the kind `replay` before its insert and one of
//! the kind `replayed` behind it, each with the place of the record and the insert's token; a batch that came to nothing
//! leaves `replay_dropped`. So whoever comes after a process that was killed knows which inserts may have been done.

mod claims;
mod filter;
mod list;
mod replayable;

pub use claims::{Claim, ClaimConflict, ReplayMark};
pub use filter::ErrorFilter;
pub use list::{ErrorGroup, ErrorPlace, ListedError};
pub use replayable::{KeptRecord, RecordId, RecordPage};

/// What makes a record the same record, as a tuple: where it stood and when it was written. A topic that was made anew
/// has other records at the same offsets, and those were written at other times.
const IDENTITY: &str = "(topic, partition, offset, ifNull(toUnixTimestamp64Milli(timestamp), -1))";
