//! librdkafka's log in a queue of our own, so that any thread can see what was logged so far.
//!
//! rust-rdkafka hands the log to whoever polls the main queue, that is to one thread, some time later. What a reader has to know of
//! the records that it has just taken may stand in a line that was not polled yet.

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;

use super::commit::{Handle, NO_ERROR};
use crate::context::GroupConsumer;

/// Takes the log's lines, and hands them to the context of the client.
pub(crate) struct LogQueue {
    /// Held until each line that was taken has been handed on.
    lines: Mutex<Handle>,
    /// Declared last: the queue must be given back before the client can be destroyed.
    consumer: Arc<GroupConsumer>,
}

// SAFETY: librdkafka's queues and clients may be used from any thread.
unsafe impl Send for LogQueue {}
// SAFETY: as above; the handle is used under a lock besides.
unsafe impl Sync for LogQueue {}

impl LogQueue {
    /// From now on the log comes here. None where librdkafka does not want that; then it comes by the main queue.
    pub(crate) fn new(consumer: Arc<GroupConsumer>) -> Option<LogQueue> {
        let client = consumer.client().native_ptr();
        // SAFETY: the client is alive; the function returns a new queue of ours.
        let lines = Handle(NonNull::new(unsafe { rd::rd_kafka_queue_new(client) })?);
        // SAFETY: the client and the queue are alive, and the client keeps the queue by a reference of its own.
        let code = unsafe { rd::rd_kafka_set_log_queue(client, lines.0.as_ptr()) };
        (code == NO_ERROR).then_some(LogQueue { lines: Mutex::new(lines), consumer })
    }

    /// Hands on every line that was logged before this call, also those that another thread is about to.
    pub(crate) fn serve(&self) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the queue is alive; the event is ours, or null where none is left.
        while let Some(event) = NonNull::new(unsafe { rd::rd_kafka_queue_poll(lines.0.as_ptr(), 0) }) {
            let (mut facility, mut text, mut level) = (ptr::null::<c_char>(), ptr::null::<c_char>(), 0);
            // SAFETY: the event is alive until it is destroyed here. Where it is a line, which zero says, both texts are C
            // strings that belong to it, and are not used behind it.
            unsafe {
                let code =
                    rd::rd_kafka_event_log(event.as_ptr(), &raw mut facility, &raw mut text, &raw mut level);
                if code == 0 && !facility.is_null() && !text.is_null() {
                    let (facility, text) = (CStr::from_ptr(facility), CStr::from_ptr(text));
                    self.consumer.context().log(
                        level_of(level),
                        &facility.to_string_lossy(),
                        &text.to_string_lossy(),
                    );
                }
                rd::rd_kafka_event_destroy(event.as_ptr());
            }
        }
    }
}

/// The level of a line, by syslog's numbers.
fn level_of(number: i32) -> RDKafkaLogLevel {
    match number {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
