//! The release binary against a real Kafka and a real ClickHouse.

mod command_line;
mod deadlines;
mod demo;
mod errors_list;
mod errors_replay;
mod errors_replay_restart;
mod exactly_once;
mod existing_table;
mod faults;
mod halts;
mod load;
mod mistakes;
mod offsets;
mod partitions;
mod rebalance;
mod refused_rows;
mod rejects;
mod security;
mod starts;
mod stopping;
mod system_errors;
mod table_changes;
mod topic_changes;
mod topic_gaps;
mod topic_made_anew;
mod topic_retention;
