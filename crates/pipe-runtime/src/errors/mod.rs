//! The error table of a pipe: what stands in it, and loading what was mended.
//!
//! A replay reads records from the error table, encodes them by the columns of today, and inserts those that are
//! accepted. Each batch goes three steps, and every step is a row in the error table before the next begins:
//!
//! ```text
//! begun (token, records) ─► no other replay is in the way ─► insert with the token ─► loaded
//!            └───── refused, or another is, or ClickHouse was killed before it ──────► dropped
//! ```
//!
//! Whoever comes after a process that was killed finds what was begun and neither loaded nor dropped, and inserts exactly
//! that again, with the same token: the table drops it where it has it. So a record is loaded once as long as the table
//! remembers the token, which is looked at before; where that cannot be told, the replay stops and says so. A ClickHouse
//! that was killed meanwhile may remember tokens without their rows: then the rows themselves are looked for.

mod encode;
mod error;
mod insert;
mod list;
mod load;
mod moment;
mod note;
mod open;
mod replay;
mod report;
mod resume;

pub use error::ErrorsError;
pub use list::{ErrorList, ErrorQuery, ErrorSummary, list_errors, summarize_errors};
pub use moment::parse_moment;
pub use replay::{ReplayOptions, Settled, replay_errors, settle_replay};
pub use report::{NotReplayable, ReplayReport, StillRefused};
