//! Notices that the topic was deleted and created anew while it is read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use crate::context::GroupConsumer;
use crate::queue::TopicIdQuestions;
use crate::topic_mark::TopicId;

/// Time between two questions, in milliseconds. Each is one small request.
const ASK_EVERY_MS: u64 = 5_000;

/// Time for the first answer, in milliseconds. Without it the first one that comes counts.
const FIRST_ANSWER_MS: u64 = 2_000;

/// Asks for the topic's id again and again.
pub(crate) struct TopicWatch {
    questions: TopicIdQuestions,
    asked_at: Mutex<Instant>,
}

impl TopicWatch {
    /// Begins, and asks for the first time; none where nothing can be asked.
    pub(crate) fn begin(consumer: &Arc<GroupConsumer>, topic: &str) -> Option<TopicWatch> {
        let questions = TopicIdQuestions::new(Arc::clone(consumer), topic)?;
        let watch = TopicWatch { questions, asked_at: Mutex::new(Instant::now()) };
        watch.questions.ask();
        watch.look(consumer, Duration::from_millis(FIRST_ANSWER_MS));
        Some(watch)
    }

    /// Asks where it is time to, and takes an answer that is there, waiting for up to `timeout`.
    pub(crate) fn look(&self, consumer: &GroupConsumer, timeout: Duration) {
        let mut asked_at = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if asked_at.elapsed() >= Duration::from_millis(ASK_EVERY_MS) {
            *asked_at = Instant::now();
            self.questions.ask();
        }
        drop(asked_at);
        if let Some(Some(id)) = self.questions.answer(timeout) {
            consumer.context().topic_id.hear(id);
        }
    }
}

/// The topic's id, as a member learns it first.
#[derive(Debug, Default)]
pub(crate) struct KnownTopicId {
    first: Mutex<Option<TopicId>>,
    is_another: AtomicBool,
}

impl KnownTopicId {
    pub(crate) fn get(&self) -> Option<TopicId> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic has this id. The first that is heard is the member's.
    pub(crate) fn hear(&self, id: TopicId) {
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(id);
        if first != id {
            self.is_another.store(true, Ordering::Release);
        }
    }

    /// Whether the topic is not the one any more that the member began with.
    pub(crate) fn is_another(&self) -> bool {
        self.is_another.load(Ordering::Acquire)
    }
}
