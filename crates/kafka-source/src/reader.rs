//! Reading one partition.

use std::sync::Arc;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::context::Reposition;
use crate::queue::{MessageBatch, PartitionQueue};
use crate::reason::classify;
use crate::{Offset, PartitionId, Record, SourceError};

/// Called when records arrive for a reader that had none.
///
/// It runs on a thread of librdkafka, under the queue's lock: it must return at once, must not panic, and must not
/// call the reader. Unparking a thread is what it is for.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Records handed out by one read, at most.
const READ_RECORDS_MAX: usize = 65_536;

/// Reads one partition for as long as it is assigned. Any thread may own it.
///
/// After the partition was revoked or lost a reader yields nothing, and is harmless.
pub struct PartitionReader {
    queue: Arc<PartitionQueue>,
    batch: MessageBatch,
    /// An error that came behind records: told by the next read, after they were handed out.
    pending: Option<SourceError>,
    paused: bool,
    /// Behind everything that was read; unknown before the first record.
    position: Option<Offset>,
    told_end: Option<Offset>,
}

impl PartitionReader {
    pub(crate) fn new(queue: Arc<PartitionQueue>) -> PartitionReader {
        PartitionReader {
            queue,
            batch: MessageBatch::default(),
            pending: None,
            paused: false,
            position: None,
            told_end: None,
        }
    }

    /// The partition.
    pub fn partition(&self) -> PartitionId {
        self.queue.partition()
    }

    /// Calls `waker` whenever records arrive and there were none, and once at once where some wait already.
    ///
    /// Wake-ups are edges: after one, read until a read yields nothing before waiting again. The former waker is
    /// dropped here, and the last one with the reader.
    pub fn set_waker(&self, waker: Waker) {
        self.queue.set_waker(waker);
    }

    /// Takes up to `records_max` records that were fetched already, in the order of the partition; does not block.
    ///
    /// # Errors
    /// What a person must mend, such as [`SourceError::TopicDenied`] or [`SourceError::DamagedRecords`]. Records
    /// ahead of the error were handed out before. Passing errors are logged, and librdkafka tries again.
    pub fn read(&mut self, records_max: usize) -> Result<Fetched<'_>, SourceError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        let mut fetched = Fetched { batch: &mut self.batch, records: 0, end: None, next: None };
        if records_max == 0
            || self.paused
            || !self.queue.read(fetched.batch, records_max.min(READ_RECORDS_MAX))
        {
            return Ok(fetched);
        }
        let mut broken = None;
        for message in fetched.batch.messages() {
            match message.error() {
                None => {
                    fetched.records += 1;
                    fetched.next = Some(Offset(message.offset().0.saturating_add(1)));
                }
                Some(code) => {
                    broken = Some((code, message.offset()));
                    let error = judge(&self.queue, code, message.offset(), &message.error_text());
                    self.pending = self.pending.take().or(error);
                }
            }
        }
        self.position = fetched.next.or(self.position);
        let partition = self.queue.partition();
        let consumer = self.queue.consumer();
        if let Some((code, at)) = broken {
            // See `queue`: the error itself has moved librdkafka's position.
            self.queue.hold();
            let gone = code == Code::AutoOffsetReset;
            let to = if gone { at } else { self.position.unwrap_or(at) };
            consumer.context().ask_reposition(Reposition { partition, to, gone });
        }
        let end = match fetched.next {
            // What was just read came with the end of that moment.
            Some(next) => {
                let end = PartitionQueue::cached_end(consumer, &consumer.context().config().topic, partition);
                end.filter(|end| next >= *end).map(|_| next)
            }
            None => self
                .queue
                .take_caught_up()
                .filter(|end| self.position.is_none_or(|position| position <= *end)),
        };
        if end.is_some() && end != self.told_end {
            self.told_end = end;
            self.position = end;
            fetched.end = end;
            fetched.next = end;
        }
        match self.pending.take() {
            Some(error) if fetched.records == 0 => Err(error),
            later => {
                self.pending = later;
                Ok(fetched)
            }
        }
    }

    /// Reads yield nothing until [`PartitionReader::resume`]. Fetching stops by itself once the prefetch is full.
    ///
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Reads again after [`PartitionReader::pause`]. The waker may have been called in between, so read at once.
    pub fn resume(&mut self) {
        self.paused = false;
    }
}

/// The error of a message where a person is needed; others are logged here.
fn judge(queue: &PartitionQueue, code: Code, offset: Offset, text: &str) -> Option<SourceError> {
    let partition = queue.partition();
    let error = match code {
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::MessageSizeTooLarge => {
            SourceError::DamagedRecords { partition, offset, reason: text.to_owned() }
        }
        other => classify(queue.consumer().context().config(), other, text),
    };
    if error.retryable() {
        tracing::warn!(partition = partition.0, error = %error, "reading a partition is interrupted");
        return None;
    }
    Some(error)
}

impl std::fmt::Debug for PartitionReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionReader").field("partition", &self.partition().0).finish_non_exhaustive()
    }
}

/// What one read took. The records live in librdkafka's buffers until this is dropped.
pub struct Fetched<'a> {
    batch: &'a mut MessageBatch,
    records: usize,
    end: Option<Offset>,
    next: Option<Offset>,
}

impl Fetched<'_> {
    /// The records, in the order of the partition.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.batch.messages().filter(|message| message.error().is_none()).map(|message| message.record())
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether there are no records; there may be an [`end_of_partition`](Fetched::end_of_partition) all the same.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The end of the partition, where it was reached behind the last of these records. Told once each time the
    /// reader catches up: at once where records lead up to it, else (an empty partition, a gap at the end) within
    /// about a second, while [`Source::poll`](crate::Source::poll) is called.
    pub fn end_of_partition(&self) -> Option<Offset> {
        self.end
    }

    /// The position behind these records: what to commit once they are stored. It lies behind the last record, and
    /// at the end of the partition where that was reached: the gaps before it (compaction, transactions) are behind
    /// the consumer then. `None` where nothing was read.
    pub fn next_offset(&self) -> Option<Offset> {
        self.next
    }
}

impl Drop for Fetched<'_> {
    fn drop(&mut self) {
        self.batch.clear();
    }
}
