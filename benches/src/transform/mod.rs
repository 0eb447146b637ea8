//! The benchmark of the transform: corpora from a seed, peers that write the same bytes, interleaved rounds, and
//! reports that compare ratios of medians.

pub mod corpora;
pub mod peers;

pub mod allocations;
pub mod cases;
pub mod clickhouse;
pub mod flat;
pub mod measure;

pub mod machine;
pub mod report;
pub mod run;
pub mod svg;
pub mod table;
pub mod targets;
