//! The queue of one partition, through librdkafka's C interface. The only module with `unsafe`, its children included.
//!
//! # Why a record cannot reach the main queue
//! Read in librdkafka 2.12.1, `rdkafka_partition.c` and `rdkafka_queue.c`:
//! - `rd_kafka_queue_get_partition` creates the partition's object where it is missing and marks it as desired, so it
//!   is the same object that a later assign finds.
//! - `rd_kafka_queue_forward(queue, NULL)` sets `RD_KAFKA_Q_F_FWD_APP` on the partition's fetch queue. Starting to
//!   fetch forwards that queue to the consumer's main queue only where the flag is *not* set, under the queue's lock.
//!   Nothing ever clears the flag: stopping to fetch removes the forward and keeps it.
//!
//! So the order without a race is: get the queue, switch forwarding off, and then assign. (After the assign, the
//! first records may be in the main queue already, which is what the documentation of rust-rdkafka warns of.)
//!
//! # Why librdkafka never tells of the end of a partition here
//! The batch call adds one to the offset of *every* message to get the application's position, also where the message
//! is the news of an end or of an error (`rd_kafka_q_serve_rkmessages`). A rebalance pauses the partitions that stay,
//! and goes on at that position (`rd_kafka_toppar_pause_resume`): the next record would be skipped. So
//! `enable.partition.eof` is off, the end is taken from the statistics, and after an error the position is set anew
//! before anything else is read.
//!
//! # Why a reader cannot see records of an assignment that ended
//! Ending an assignment bumps the version of the partition, and the batch call drops what is older. But the next
//! assignment of the same partition uses the same queue, so an old reader could take records from the new one:
//! [`PartitionQueue::close`] therefore shuts the old handle, and waits until a read under way is over.
#![allow(unsafe_code, reason = "librdkafka's batch call has no safe wrapper; each block states why it holds")]

mod commit;
mod group;
mod log;
mod token;
mod topic_id;

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;

pub(crate) use commit::{commit_answered, commit_later, commit_now, metadata};
pub(crate) use group::{GroupQuestion, describe_group};
pub(crate) use log::LogQueue;
pub(crate) use token::TakesToken;
pub(crate) use topic_id::{TopicIdQuestions, ask_topic_id};

use crate::context::GroupConsumer;
use crate::reader::Waker;
use crate::record::HeaderSource;
use crate::{Offset, PartitionId, Record};

/// The fetch queue of one partition for the time of one assignment.
pub(crate) struct PartitionQueue {
    handle: NonNull<rd::rd_kafka_queue_t>,
    /// Held during a read; false once the assignment has ended.
    open: Mutex<bool>,
    /// What librdkafka's callback points to; replaced only after the callback was taken away.
    waker: Mutex<Option<Box<Waker>>>,
    /// The end of the partition, where everything before it was fetched and taken; else -1.
    caught_up: AtomicI64,
    /// Nothing may be read until the position was set anew.
    holding: AtomicBool,
    partition: PartitionId,
    log: Option<Arc<LogQueue>>,
    /// Declared last: the handle must be given back before the client can be destroyed.
    consumer: Arc<GroupConsumer>,
}

// SAFETY: librdkafka's queues may be used from any thread: each function on them takes the queue's own lock. The
// other fields are `Send` and `Sync` themselves.
unsafe impl Send for PartitionQueue {}
// SAFETY: as above; `&self` functions only call into librdkafka or lock a mutex.
unsafe impl Sync for PartitionQueue {}

impl PartitionQueue {
    /// The queue of `partition`, cut off from the main queue. To be called before the partition is assigned.
    pub(crate) fn split(
        consumer: Arc<GroupConsumer>,
        log: Option<Arc<LogQueue>>,
        topic: &str,
        partition: PartitionId,
    ) -> Option<PartitionQueue> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client lives as long as `consumer`, the topic is a C string, and the function copies it.
        let handle = unsafe {
            rd::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition.0)
        };
        let handle = NonNull::new(handle)?;
        // SAFETY: the handle is fresh and ours; a null destination is the documented way to end forwarding.
        unsafe { rd::rd_kafka_queue_forward(handle.as_ptr(), ptr::null_mut()) };
        Some(PartitionQueue {
            handle,
            open: Mutex::new(true),
            waker: Mutex::new(None),
            caught_up: AtomicI64::new(-1),
            holding: AtomicBool::new(false),
            partition,
            log,
            consumer,
        })
    }

    pub(crate) fn partition(&self) -> PartitionId {
        self.partition
    }

    pub(crate) fn consumer(&self) -> &GroupConsumer {
        &self.consumer
    }

    /// Fills `batch` with up to `records_max` messages that are there already. False once the queue is closed.
    pub(crate) fn read(&self, batch: &mut MessageBatch, records_max: usize) -> bool {
        batch.clear();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if *open && !self.holding.load(Ordering::Acquire) {
            self.take(batch, records_max);
        }
        if batch.len() > 0 && self.is_of_another_topic() {
            batch.clear();
        }
        *open
    }

    /// Whether what was taken before may be of a topic that was made anew under the same name; see `id_news.rs`.
    fn is_of_another_topic(&self) -> bool {
        if let Some(log) = &self.log {
            log.serve();
        }
        self.consumer.context().topic_id.is_another()
    }

    fn take(&self, batch: &mut MessageBatch, records_max: usize) {
        batch.messages.reserve(records_max);
        // SAFETY: the vector is empty and has room for `records_max` pointers, which librdkafka fills from the
        // front. `NonNull` has the layout of a pointer. The call is on a partition's queue, never on the main
        // queue, where rebalance events would be served as messages.
        let count = unsafe {
            rd::rd_kafka_consume_batch_queue(
                self.handle.as_ptr(),
                0,
                batch.messages.as_mut_ptr().cast::<*mut rd::rd_kafka_message_t>(),
                records_max,
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(records_max);
        // SAFETY: the first `count` elements were written with messages, which are never null and now ours.
        unsafe { batch.messages.set_len(count) };
    }

    /// The end of the partition as the last fetch told it; no request is made.
    pub(crate) fn cached_end(
        consumer: &GroupConsumer,
        topic: &str,
        partition: PartitionId,
    ) -> Option<Offset> {
        let topic = CString::new(topic).ok()?;
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client lives as long as `consumer`; both results are plain integers on this stack.
        let code = unsafe {
            rd::rd_kafka_get_watermark_offsets(
                consumer.client().native_ptr(),
                topic.as_ptr(),
                partition.0,
                &raw mut low,
                &raw mut high,
            )
        };
        (code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(Offset(high))
    }

    /// Calls `waker` whenever the queue goes from empty to non-empty, and once now where it is not empty.
    pub(crate) fn set_waker(&self, waker: Waker) {
        let mut slot = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        let boxed = Box::new(waker);
        let opaque = ptr::from_ref::<Waker>(&boxed).cast_mut().cast::<c_void>();
        // SAFETY: the callback is swapped under the queue's lock and runs under that lock, so once this returns the
        // former closure is not running and never will; it is dropped by the insertion below. The new one stays at
        // its address until it is replaced the same way or until `drop` takes the callback away.
        unsafe { rd::rd_kafka_queue_cb_event_enable(self.handle.as_ptr(), Some(wake), opaque) };
        let waker = slot.insert(boxed);
        // SAFETY: a read of the queue's length under its lock.
        let waiting = unsafe { rd::rd_kafka_queue_length(self.handle.as_ptr()) } > 0;
        if waiting || self.caught_up.load(Ordering::Acquire) >= 0 {
            waker();
        }
    }

    /// The statistics say that everything before `end` was fetched and taken, and that nothing is behind it.
    pub(crate) fn set_caught_up(&self, end: Offset) {
        self.caught_up.store(end.0, Ordering::Release);
        self.wake_reader();
    }

    pub(crate) fn take_caught_up(&self) -> Option<Offset> {
        let end = self.caught_up.swap(-1, Ordering::AcqRel);
        (end >= 0).then_some(Offset(end))
    }

    /// Nothing is read until [`PartitionQueue::release`]: librdkafka's position is wrong.
    pub(crate) fn hold(&self) {
        self.holding.store(true, Ordering::Release);
    }

    pub(crate) fn release(&self) {
        self.holding.store(false, Ordering::Release);
        self.wake_reader();
    }

    fn wake_reader(&self) {
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            waker();
        }
    }

    /// Ends the reading for good; returns once a read under way is over.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Drops what was fetched for an assignment that has ended, so that it holds no memory.
    pub(crate) fn purge(&self) {
        let mut batch = MessageBatch::default();
        loop {
            self.take(&mut batch, PURGE_RECORDS);
            if batch.messages.is_empty() {
                return;
            }
            batch.clear();
        }
    }
}

/// Messages dropped at a time by [`PartitionQueue::purge`].
const PURGE_RECORDS: usize = 1_000;

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: after the first call the waker can no longer run (see `set_waker`), so its box may go with the
        // other fields; after the second nobody uses the handle. The client is still alive: `consumer` is dropped
        // after this function.
        unsafe {
            rd::rd_kafka_queue_cb_event_enable(self.handle.as_ptr(), None, ptr::null_mut());
            rd::rd_kafka_queue_destroy(self.handle.as_ptr());
        }
    }
}

unsafe extern "C" fn wake(_client: *mut rd::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `opaque` is the address of the boxed waker that `set_waker` keeps while this callback is enabled.
    let waker = unsafe { &*opaque.cast_const().cast::<Waker>() };
    waker();
}

/// Messages taken out of a queue; destroyed when the batch is cleared or dropped.
#[derive(Default)]
pub(crate) struct MessageBatch {
    messages: Vec<NonNull<rd::rd_kafka_message_t>>,
}

// SAFETY: messages are owned by the batch alone and librdkafka lets any thread use and destroy them. The batch is
// not `Sync`: parsing headers changes a message.
unsafe impl Send for MessageBatch {}

impl MessageBatch {
    pub(crate) fn messages(&self) -> impl DoubleEndedIterator<Item = &RawMessage> {
        // SAFETY: each pointer is a live message of this batch, borrowed as long as the batch; `RawMessage` is a
        // transparent wrapper of the struct.
        self.messages.iter().map(|message| unsafe { message.cast::<RawMessage>().as_ref() })
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn clear(&mut self) {
        self.drop_front(self.messages.len());
    }

    /// Drops the first `count` messages; those behind them stay.
    pub(crate) fn drop_front(&mut self, count: usize) {
        for message in self.messages.drain(..count.min(self.messages.len())) {
            // SAFETY: the message is ours, is destroyed once, and no borrow of it is left: borrows hold the batch.
            unsafe { rd::rd_kafka_message_destroy(message.as_ptr()) };
        }
    }
}

impl Drop for MessageBatch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One message inside librdkafka's memory: a record, or the news of an error or of the end.
#[repr(transparent)]
pub(crate) struct RawMessage(rd::rd_kafka_message_t, std::marker::PhantomData<*const ()>);

impl RawMessage {
    /// The message that a consumer of rdkafka has given out, which is a record then. rdkafka's own way to headers panics where
    /// a name is not UTF-8.
    pub(crate) fn of<'m>(message: &'m mut BorrowedMessage<'_>) -> &'m RawMessage {
        // SAFETY: the pointer is to a live message, which stays as long as `message` is borrowed; `RawMessage` is a
        // transparent wrapper of it. Nobody else has the message meanwhile, since it is borrowed mutably.
        unsafe { &*message.ptr().cast::<RawMessage>() }
    }

    /// The code of a message that is no record.
    pub(crate) fn error(&self) -> Option<RDKafkaErrorCode> {
        match self.0.err {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            code => Some(code.into()),
        }
    }

    /// The words that come with [`RawMessage::error`].
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: the message is alive; the text is a C string inside it or static.
        unsafe {
            let text = rd::rd_kafka_message_errstr(&raw const self.0);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }

    pub(crate) fn offset(&self) -> Offset {
        Offset(self.0.offset)
    }

    /// The record. Only for messages without an error, whose payload would be a text.
    pub(crate) fn record(&self) -> Record<'_> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, `kind` is on this stack.
        let timestamp_ms = unsafe { rd::rd_kafka_message_timestamp(&raw const self.0, &raw mut kind) };
        let known =
            kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && timestamp_ms >= 0;
        Record {
            offset: self.offset(),
            timestamp_ms: known.then_some(timestamp_ms),
            // SAFETY: for a record, each pointer is null or points to as many bytes as its length says, which stay
            // in place until the message is destroyed, and the borrow of `self` prevents that.
            key: unsafe { bytes(self.0.key, self.0.key_len) },
            // SAFETY: as above.
            payload: unsafe { bytes(self.0.payload, self.0.len) },
            headers: HeaderSource::Native(self),
        }
    }

    pub(crate) fn header(&self, index: usize) -> Option<(&str, Option<&[u8]>)> {
        let mut headers: *mut rd::rd_kafka_headers_t = ptr::null_mut();
        // SAFETY: the first call parses the headers into the message; `RawMessage` is not `Sync`, so no other
        // thread does that at the same time. The headers belong to the message.
        let code = unsafe { rd::rd_kafka_message_headers(&raw const self.0, &raw mut headers) };
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut value_bytes) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0_usize);
        // SAFETY: all three results are on this stack; an index past the end is answered with an error code.
        let code = unsafe {
            rd::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut value_bytes)
        };
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: a header's name is a C string and its value null or `value_bytes` long; both live in the message.
        let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value, value_bytes)) };
        Some((name.to_str().unwrap_or("\u{FFFD}"), value))
    }
}

/// # Safety
/// `data` is null or points to `length` bytes that live and do not change for `'a`.
unsafe fn bytes<'a>(data: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), length) })
}
