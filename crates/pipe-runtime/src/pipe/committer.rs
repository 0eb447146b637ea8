//! The committer thread: sends the commits of exactly-once mode, and tells their outcomes.
//!
//! One request is under way at a time. What is wanted meanwhile goes together into the next one.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use housepipe_kafka_source::{CommitOutcome as Outcome, Committer, PartitionCommit, SourceError};
use tracing::Span;

use super::exactly_once::CommitOrder;
use super::shared::{PanicWatch, Shared};
use super::state::PipeState;
use crate::delivery::CommitOutcome;
use crate::error::{PipeError, explain};
use crate::failpoint::failpoint;

/// Time to wait for the answer to a commit beyond the session timeout, in milliseconds; then nobody knows whether it was
/// taken. While the group rebalances, the coordinator answers on the same connection the member's wish to join first, and
/// that only once every member has given back what it is asked for, or its session is over.
const ANSWER_MS_MAX: u64 = 20_000;

/// Pause after a commit that was refused, in milliseconds, before it is sent again.
const REFUSED_PAUSE_MS: u64 = 250;

/// The same after one that is refused until somebody mends something.
const NOT_ALLOWED_PAUSE_MS: u64 = 2_000;

/// Starts the committer of one membership. It ends when the deliveries have no way to it any more.
pub(super) fn spawn(shared: &Arc<Shared>, committer: Committer) -> Result<JoinHandle<()>, PipeError> {
    let (orders, inbox) = unbounded();
    if let Some(deliveries) = &shared.deliveries {
        deliveries.set_committer(Some(orders));
    }
    let (shared, span) = (Arc::clone(shared), Span::current());
    thread::Builder::new()
        .name("housepipe-commit".to_owned())
        .spawn(move || {
            let _entered = span.entered();
            let _watch = PanicWatch::new(Arc::clone(&shared));
            run(&shared, &committer, &inbox);
        })
        .map_err(PipeError::Thread)
}

fn run(shared: &Arc<Shared>, committer: &Committer, inbox: &Receiver<CommitOrder>) {
    let Some(deliveries) = &shared.deliveries else { return };
    while let Ok(first) = inbox.recv() {
        let orders: Vec<CommitOrder> = std::iter::once(first).chain(inbox.try_iter()).collect();
        // What is not the owner's any more is not sent: brokers do not check that a member owns the partition.
        let orders: Vec<CommitOrder> =
            orders.into_iter().filter(|order| deliveries.owns(order.partition, order.epoch)).collect();
        if orders.is_empty() {
            continue;
        }
        let commits: Vec<PartitionCommit> = orders
            .iter()
            .map(|CommitOrder { partition, commit, .. }| PartitionCommit {
                partition: *partition,
                offset: commit.offset,
                metadata: commit.metadata.to_text(commit.offset),
            })
            .collect();
        failpoint("commit_before");
        let session_timeout_ms = u64::from(shared.setup.source.session_timeout_ms);
        let outcomes = committer.commit(&commits, Duration::from_millis(session_timeout_ms + ANSWER_MS_MAX));
        failpoint("commit_after");
        let mut pause_ms = 0;
        for (order, outcome) in orders.iter().zip(outcomes) {
            let outcome = match outcome {
                Outcome::Acknowledged => CommitOutcome::Acknowledged,
                Outcome::Refused { reason } => {
                    tracing::warn!(partition = order.partition.0, reason, "a commit was refused");
                    pause_ms = pause_ms.max(REFUSED_PAUSE_MS);
                    CommitOutcome::Refused
                }
                Outcome::NotAllowed { reason } => {
                    let group = shared.setup.source.group.clone();
                    let error = SourceError::CommitNotAllowed { group, reason };
                    if shared.setup.until_caught_up {
                        shared.fail(error.into());
                        return;
                    }
                    let reason = explain(&error);
                    tracing::warn!(partition = order.partition.0, reason, "a commit was refused");
                    shared.state.set(PipeState::Misconfigured { reason });
                    pause_ms = NOT_ALLOWED_PAUSE_MS;
                    CommitOutcome::Refused
                }
                Outcome::Unknown { reason } => {
                    tracing::warn!(
                        partition = order.partition.0,
                        reason,
                        "what became of a commit is unknown; leaving the consumer group to join it anew"
                    );
                    CommitOutcome::Unknown
                }
            };
            deliveries.committed(shared, order.partition, order.epoch, outcome);
        }
        if pause_ms > 0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "what a group that rebalances refuses is not asked for at once"
            )]
            thread::sleep(Duration::from_millis(pause_ms));
        }
    }
}
