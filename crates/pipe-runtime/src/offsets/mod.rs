//! The offsets of a pipe's group: looked at at any time, and set while no process runs the pipe.
//!
//! Setting goes in two steps, so that a person sees what will happen before it does: [`plan_offsets`] reckons and writes
//! nothing, [`OffsetsPlan::write`] writes what was shown, or nothing where it is not so any more.

mod consequence;
mod delete;
mod error;
mod facts;
mod place;
mod plan;
mod show;
mod stored;
mod target;

pub use delete::delete_offsets;
pub use error::OffsetsError;
pub use plan::{OffsetMove, OffsetsPlan, OffsetsRequest, plan_offsets};
pub use show::{GroupReport, MemberReport, OffsetsReport, PartitionOffsets, show_offsets};
pub use stored::{PendingRange, Stored};
pub use target::OffsetTarget;
