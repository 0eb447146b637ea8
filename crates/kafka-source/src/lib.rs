//! Batches of Kafka records per partition, with a consumer group that commits only what was stored.
//!
//! A [`Source`] is one member of a consumer group. One thread drives it with [`Source::poll`]; the group's decisions
//! reach an [`Assignment`] on that thread. Each assigned partition comes as a [`PartitionReader`], which any thread
//! may own: it takes whole batches out of librdkafka's buffers without copying, and never blocks.
//!
//! ```no_run
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//! use housepipe_kafka_source::{Assignment, Offset, PartitionId, PartitionReader, Source, SourceConfig};
//!
//! #[derive(Default)]
//! struct Readers(Mutex<Vec<PartitionReader>>);
//!
//! impl Assignment for Readers {
//!     fn assigned(&self, readers: Vec<PartitionReader>) {
//!         self.0.lock().expect("no thread panicked").extend(readers);
//!     }
//!     fn revoked(&self, partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
//!         self.lost(partitions);
//!         Vec::new() // what is stored and not committed yet would be returned here
//!     }
//!     fn lost(&self, partitions: &[PartitionId]) {
//!         self.0.lock().expect("no thread panicked").retain(|r| !partitions.contains(&r.partition()));
//!     }
//! }
//!
//! # fn main() -> Result<(), housepipe_kafka_source::SourceError> {
//! let readers = Arc::new(Readers::default());
//! let config = SourceConfig::new("localhost:9092", "orders", "orders-loader");
//! let source = Source::open(&config, readers.clone())?;
//! loop {
//!     source.poll(Duration::from_millis(50))?;
//!     for reader in readers.0.lock().expect("no thread panicked").iter_mut() {
//!         let partition = reader.partition();
//!         let fetched = reader.read(1_000)?;
//!         for record in fetched.records() {
//!             println!("{partition} {}: {} bytes", record.offset, record.payload.map_or(0, <[u8]>::len));
//!         }
//!         if let Some(next) = fetched.next_offset() {
//!             source.commit(&[(partition, next)])?; // in earnest: once the records are stored
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! Beside the group: [`list_topics`], [`Cluster`], [`describe_topic`], [`sample`], [`fetch`] and [`group_committed`] look at a topic without joining,
//! [`preflight`] tries what a member needs, [`GroupOffsets`] looks at a group's offsets and sets them, and [`delete_group`] deletes a group.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod ids;
mod known;

mod config;
mod pem_file;
mod raw;
mod roots;
mod security;
mod token;

mod certificate;
mod error;
mod reason;

mod record;
mod source;

mod assignment;
mod commit;
mod context;
mod gone;
mod log;
mod start;

mod queue;
mod reader;

mod client;
mod connections;
mod ends;
mod health;
mod id_news;

mod admin;
mod asking;
mod group;
mod group_offsets;
mod lookup;
mod preflight;
mod reading;
mod sample;
mod topic;
mod topic_mark;
mod topic_watch;
mod topics;
mod words;

#[cfg(feature = "seed")]
pub mod seed;

pub use admin::{GroupEnd, delete_group};
pub use assignment::Assignment;
pub use commit::{CommitOutcome, Committer, PartitionCommit};
pub use config::{GonePolicy, SourceConfig, StartOffset};
pub use error::{Domain, SourceError};
pub use group::{GroupInfo, GroupMember, GroupProtocol, GroupState};
pub use group_offsets::{GroupOffsets, GroupPosition};
pub use health::SourceHealth;
pub use ids::{Offset, PartitionId};
pub use known::KnownPartitions;
pub use log::LogRange;
pub use lookup::{fetch, group_committed};
pub use preflight::{Preflight, preflight};
pub use raw::RawSettings;
pub use reader::{Committed, Fetched, PartitionReader, Waker};
pub use record::{Headers, OwnedRecord, Record};
pub use sample::{SampleRequest, Sampled, sample, sample_of};
pub use security::{Pem, SaslMechanism, SecretPem, Security, Tls};
pub use source::{CommitCounts, Source};
pub use token::{MskIam, OidcClient, TokenSource};
pub use topic::{TopicInfo, describe_topic};
pub use topics::{Cluster, ListedTopic, TopicActivity, list_topics};
