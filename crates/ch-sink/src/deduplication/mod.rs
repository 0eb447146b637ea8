//! For how long a repeated insert is dropped: what a table remembers of tokens, and what stands in the way.
//!
//! ClickHouse drops an insert whose token it remembers for the table *and* the table partition that the rows fall into.
//! How many it remembers is a setting of the table, and none by default for tables that are not replicated. Here the
//! facts are read ([`Sink::deduplication_facts`](crate::Sink::deduplication_facts)), and judged without IO ([`judge`]).
//!
//! ```no_run
//! # async fn example(sink: housepipe_ch_sink::Sink) -> Result<(), housepipe_ch_sink::SinkError> {
//! if let Some(facts) = sink.deduplication_facts("clicks").await? {
//!     let judged = housepipe_ch_sink::judge(&facts, 0.8);
//!     for refusal in judged.refusals() {
//!         println!("{refusal}; {}", refusal.mend());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod assemble;
mod engine_text;
mod facts;
mod finding;
mod horizon;
mod judge;
mod read;

pub use facts::{DeduplicationFacts, EngineKind, TableFacts, TableName, ViewFacts, VolatileColumn};
pub use finding::{Finding, Severity};
pub use horizon::Horizon;
pub use judge::{Deduplication, judge};
