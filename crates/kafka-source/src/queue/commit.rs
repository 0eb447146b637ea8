//! Commits whose outcome is told.
//!
//! `rd_kafka_commit` tells the outcome of an asynchronous commit only to a callback that rust-rdkafka does not set
//! (read in librdkafka 2.12.1, `rd_kafka_cgrp_propagate_commit_result`), and waits for a synchronous one without a
//! bound. `rd_kafka_commit_queue` sends the outcome to a queue of our choice, which mends both.

use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::context::GroupConsumer;

const NO_ERROR: rd::rd_kafka_resp_err_t = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

/// A handle of a queue, given back when dropped.
struct Handle(NonNull<rd::rd_kafka_queue_t>);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and is used no more.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) };
    }
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
    // SAFETY: the client is alive; the function returns a new queue of ours.
    let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
    let queue = Handle(NonNull::new(queue).ok_or(Code::Fail)?);
    send(consumer, offsets, &queue)?;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue is alive; the event is ours, or null at the time-out.
    let event = unsafe { rd::rd_kafka_queue_poll(queue.0.as_ptr(), timeout_ms) };
    let Some(event) = NonNull::new(event) else { return Err(Code::OperationTimedOut) };
    // SAFETY: the event is the answer to the commit, alive until it is destroyed below. Its list belongs to it, has
    // `cnt` elements at `elems`, and may be null.
    let code = unsafe {
        let mut code = rd::rd_kafka_event_error(event.as_ptr());
        let list = rd::rd_kafka_event_topic_partition_list(event.as_ptr());
        if code == NO_ERROR && !list.is_null() {
            let count = usize::try_from((*list).cnt).unwrap_or(0);
            code = (0..count)
                .map(|index| (*(*list).elems.add(index)).err)
                .find(|code| *code != NO_ERROR)
                .unwrap_or(NO_ERROR);
        }
        rd::rd_kafka_event_destroy(event.as_ptr());
        code
    };
    if code == NO_ERROR { Ok(()) } else { Err(code.into()) }
}

fn send(consumer: &GroupConsumer, offsets: &TopicPartitionList, queue: &Handle) -> Result<(), Code> {
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
