//! Commits whose outcome is told, and the metadata that stands with committed offsets.
//!
//! `rd_kafka_commit` tells the outcome of an asynchronous commit only to a callback that rust-rdkafka does not set
//! (read in librdkafka 2.12.1, `rd_kafka_cgrp_propagate_commit_result`), and waits for a synchronous one without a
//! bound. `rd_kafka_commit_queue` sends the outcome to a queue of our choice, which mends both.
//!
//! rust-rdkafka's `metadata` panics on bytes that are not UTF-8, and anybody may commit those; so metadata is read here.

use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::PartitionId;
use crate::context::GroupConsumer;

pub(super) const NO_ERROR: rd::rd_kafka_resp_err_t = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

/// A handle of a queue, given back when dropped.
pub(super) struct Handle(pub(super) NonNull<rd::rd_kafka_queue_t>);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and is used no more.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) };
    }
}

/// The answer to a commit: a code for all of it, and one for each partition.
pub(crate) struct Answer {
    pub(crate) all: Option<Code>,
    pub(crate) partitions: Vec<(PartitionId, Option<Code>)>,
}

/// Sends a commit; its outcome comes to the consumer's main queue, that is to the commit callback during a poll.
pub(crate) fn commit_later(consumer: &GroupConsumer, offsets: &TopicPartitionList) -> Result<(), Code> {
    // SAFETY: the client is alive; the function returns a handle of ours, or null where there is no group.
    let queue = unsafe { rd::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    let queue = Handle(NonNull::new(queue).ok_or(Code::UnknownGroup)?);
    send(consumer, offsets, &queue)
}

/// Commits and waits for the answer, for up to `timeout`; then the outcome is unknown.
pub(crate) fn commit_now(
    consumer: &GroupConsumer,
    offsets: &TopicPartitionList,
    timeout: Duration,
) -> Result<(), Code> {
    let answer = commit_answered(consumer, offsets, timeout)?.ok_or(Code::OperationTimedOut)?;
    let first = answer.partitions.into_iter().find_map(|(_, code)| code);
    answer.all.or(first).map_or(Ok(()), Err)
}

/// Commits and waits for the answer, for up to `timeout`; none where it did not come.
///
/// # Errors
/// The code where it could not be sent at all.
pub(crate) fn commit_answered<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    timeout: Duration,
) -> Result<Option<Answer>, Code> {
    // SAFETY: the client is alive; the function returns a new queue of ours.
    let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
    let queue = Handle(NonNull::new(queue).ok_or(Code::Fail)?);
    send(consumer, offsets, &queue)?;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue is alive; the event is ours, or null at the time-out.
    let event = unsafe { rd::rd_kafka_queue_poll(queue.0.as_ptr(), timeout_ms) };
    let Some(event) = NonNull::new(event) else { return Ok(None) };
    // SAFETY: the event is the answer to the commit, alive until it is destroyed below. Its list belongs to it and may
    // be null.
    let answer = unsafe {
        let all = rd::rd_kafka_event_error(event.as_ptr());
        let list = rd::rd_kafka_event_topic_partition_list(event.as_ptr());
        let partitions = elements(list)
            .iter()
            .map(|element| (PartitionId(element.partition), told(element.err)))
            .collect();
        rd::rd_kafka_event_destroy(event.as_ptr());
        Answer { all: told(all), partitions }
    };
    Ok(Some(answer))
}

/// The metadata that stands with each element of the list; empty where there is none.
pub(crate) fn metadata(list: &TopicPartitionList) -> Vec<(PartitionId, Vec<u8>)> {
    // SAFETY: the list is alive as long as `list`; an element's metadata is null or points to as many bytes as its size
    // says, which belong to the list and are copied here.
    unsafe { elements(list.ptr()) }
        .iter()
        .map(|element| {
            let bytes = match (element.metadata.is_null(), element.metadata_size) {
                (true, _) | (_, 0) => Vec::new(),
                // SAFETY: as above.
                (false, size) => unsafe {
                    slice::from_raw_parts(element.metadata.cast::<u8>(), size).to_vec()
                },
            };
            (PartitionId(element.partition), bytes)
        })
        .collect()
}

fn told(code: rd::rd_kafka_resp_err_t) -> Option<Code> {
    (code != NO_ERROR).then(|| code.into())
}

/// # Safety
/// `list` is null, or a list that lives and does not change for `'a`.
pub(super) unsafe fn elements<'a>(
    list: *const rd::rd_kafka_topic_partition_list_t,
) -> &'a [rd::rd_kafka_topic_partition_t] {
    if list.is_null() {
        return &[];
    }
    // SAFETY: promised by the caller; a list has `cnt` elements at `elems`, which is null only where it has none.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        if count == 0 { &[] } else { slice::from_raw_parts((*list).elems, count) }
    }
}

fn send<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    queue: &Handle,
) -> Result<(), Code> {
    // SAFETY: the client and the queue are alive, the list is copied, and the answer keeps the queue by a reference
    // of its own.
    let code = unsafe {
        rd::rd_kafka_commit_queue(
            consumer.client().native_ptr(),
            offsets.ptr(),
            queue.0.as_ptr(),
            None,
            ptr::null_mut(),
        )
    };
    if code == NO_ERROR { Ok(()) } else { Err(code.into()) }
}
