//! Asking the brokers for the id of a topic: a topic that is deleted and created anew has another one.
//!
//! rust-rdkafka has no call for it, and librdkafka itself goes on at the old position when it notices (read in
//! `rd_kafka_topic_metadata_update`, librdkafka 2.12.1).

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use super::commit::{Handle, NO_ERROR};
use crate::context::GroupConsumer;
use crate::topic_mark::TopicId;

/// Asks, and hands out the answers when they come.
pub(crate) struct TopicIdQuestions {
    answers: Handle,
    topic: CString,
    /// Declared last: the queue must be given back before the client can be destroyed.
    consumer: Arc<GroupConsumer>,
}

// SAFETY: librdkafka's queues and clients may be used from any thread.
unsafe impl Send for TopicIdQuestions {}
// SAFETY: as above.
unsafe impl Sync for TopicIdQuestions {}

impl TopicIdQuestions {
    /// None where the name holds a zero byte, or no queue can be had.
    pub(crate) fn new(consumer: Arc<GroupConsumer>, topic: &str) -> Option<TopicIdQuestions> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client is alive; the function returns a new queue of ours.
        let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Some(TopicIdQuestions { answers: Handle(NonNull::new(queue)?), topic, consumer })
    }

    /// Sends a question.
    pub(crate) fn ask(&self) {
        ask(&*self.consumer, &self.topic, &self.answers);
    }

    /// The next answer, waited for up to `timeout`. The inner one is none where the brokers have no such topic, do not
    /// answer, or are older than ids.
    pub(crate) fn answer(&self, timeout: Duration) -> Option<Option<TopicId>> {
        answer(&self.answers, timeout)
    }
}

/// Asks once, and waits for the answer for up to `timeout`: as [`TopicIdQuestions::answer`].
pub(crate) fn ask_topic_id<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    timeout: Duration,
) -> Option<Option<TopicId>> {
    let topic = CString::new(topic).ok()?;
    // SAFETY: the client is alive; the function returns a new queue of ours, which is given back before the client is.
    let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
    let answers = Handle(NonNull::new(queue)?);
    ask(consumer, &topic, &answers);
    answer(&answers, timeout)
}

fn ask<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &CStr, answers: &Handle) {
    let mut names = [topic.as_ptr()];
    // SAFETY: the name is a C string; the collection copies it, is ours, and is destroyed once the question has copied
    // it in turn. The client and the queue are alive, and the question keeps the queue by a reference of its own.
    unsafe {
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let client = consumer.client().native_ptr();
        rd::rd_kafka_DescribeTopics(client, topics, ptr::null(), answers.0.as_ptr());
        rd::rd_kafka_TopicCollection_destroy(topics);
    }
}

fn answer(answers: &Handle, timeout: Duration) -> Option<Option<TopicId>> {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue is alive; the event is ours, or null at the time-out.
    let event = NonNull::new(unsafe { rd::rd_kafka_queue_poll(answers.0.as_ptr(), timeout_ms) })?;
    // SAFETY: the event is alive until it is destroyed here, and what is read of it belongs to it. The result is null
    // where the event is of another kind, and is not looked at where the question as a whole has failed.
    unsafe {
        let code = rd::rd_kafka_event_error(event.as_ptr());
        let failed = code != NO_ERROR;
        if failed {
            tracing::debug!(code = ?code, "the id of the topic was not told");
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        let id = if failed || result.is_null() { None } else { first_id(result) };
        rd::rd_kafka_event_destroy(event.as_ptr());
        Some(id)
    }
}

/// # Safety
/// `result` is alive.
unsafe fn first_id(result: *const rd::rd_kafka_DescribeTopics_result_t) -> Option<TopicId> {
    let mut count = 0;
    // SAFETY: promised by the caller. The descriptions are an array of `count` pointers, or null, and belong to the result;
    // an error is null or belongs to its description, and an id is never null.
    unsafe {
        let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() {
            return None;
        }
        let topic = *slice::from_raw_parts(topics, count).first()?;
        let error = rd::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() && rd::rd_kafka_error_code(error) != NO_ERROR {
            return None;
        }
        let id = rd::rd_kafka_TopicDescription_topic_id(topic);
        let (high, low) =
            (rd::rd_kafka_Uuid_most_significant_bits(id), rd::rd_kafka_Uuid_least_significant_bits(id));
        TopicId::from_bits(high, low)
    }
}
