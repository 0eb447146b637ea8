//! What the end-to-end tests share: one stack for a test binary, topics, pipe files, and the binary under test.
//!
//! Tests wait for conditions with a deadline; a deadline that passes is a failure that says what was waited for.

#![expect(
    clippy::panic,
    reason = "a helper of tests ends the test where a server or the binary does not answer"
)]

pub mod faults;
mod group;
mod housepipe;
mod identity;
mod layout;
mod network;
mod oracle;
mod pipe;
mod proxy;
mod served;
mod stack;
mod terminal;
mod text;
mod topics;
mod wait;

pub use group::{commit, commit_late, committed, group_of, set_offset};
pub use housepipe::{
    Housepipe, Outcome, housepipe, housepipe_at, housepipe_impatient, housepipe_serving, housepipe_with,
    take_ended,
};
pub use identity::{MetricsUrls, expect_identity, expect_identity_in, scrape, while_identity_holds};
pub use layout::Layout;
pub use network::Network;
pub use oracle::{Numbered, Verdict};
pub use pipe::PipeText;
pub use proxy::{Held, Proxy};
pub use served::{Answer, SESSION_S, Served, document};
pub(crate) use stack::create_topic_with;
pub use stack::{
    create_topic, fill, own_cluster, own_postgres, own_registry, own_stack, own_stack_with, produce, query,
    query_number, shared_stack, unique,
};
pub use terminal::Terminal;
pub use topics::{
    Compacted, TransactionEnd, Transactions, delete_records, delete_topic, grow_topic, recreate_topic,
};
pub use wait::wait_until;
