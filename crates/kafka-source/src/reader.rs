//! Reading one partition.

use std::sync::Arc;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::context::{Destination, Reposition};
use crate::gone::Gone;
use crate::queue::{MessageBatch, PartitionQueue};
use crate::reason::{classify, is_damage};
use crate::{GonePolicy, Offset, PartitionId, Record, SourceError};

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
    committed: Option<Committed>,
    begins: Option<Offset>,
}

/// What the group had committed for a partition when it was assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The record to be read next.
    pub offset: Offset,
    /// What stands with it, as whoever committed it wrote it; empty where there is nothing. Any bytes, up to 4,096 by
    /// the broker's default.
    pub metadata: Vec<u8>,
    /// It was committed by a member or a tool of this crate, as a mark of the topic behind the metadata says. Brokers without
    /// topic ids have none.
    pub is_marked: bool,
}

impl PartitionReader {
    /// Where `refused` is given, it is what the first read says, and nothing is read.
    pub(crate) fn new(
        queue: Arc<PartitionQueue>,
        committed: Option<Committed>,
        begins: Option<Offset>,
        refused: Option<SourceError>,
    ) -> PartitionReader {
        if refused.is_some() {
            queue.hold();
        }
        PartitionReader {
            queue,
            batch: MessageBatch::default(),
            pending: refused,
            paused: false,
            position: None,
            told_end: None,
            committed,
            begins,
        }
    }

    /// What the group had committed when the partition was assigned. This is where the reading begins; `None` where it
    /// had nothing for this topic, and the reading begins where [`SourceConfig::start`](crate::SourceConfig::start) says, or,
    /// where an offset of a former topic of the same name was there, at the first record.
    pub fn committed(&self) -> Option<&Committed> {
        self.committed.as_ref()
    }

    /// The offset at which the reading begins: what was committed, or what [`SourceConfig::start`](crate::SourceConfig::start) has come to.
    /// `None` where it begins at the first record that the log has, and where nothing may be read.
    pub fn begins(&self) -> Option<Offset> {
        self.begins
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
        if self.batch.len() > 0 {
            return Ok(self.left_over(records_max));
        }
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        if records_max == 0
            || self.paused
            || !self.queue.read(&mut self.batch, records_max.min(READ_RECORDS_MAX))
        {
            return Ok(self.fetched(0, Seen::default()));
        }
        let (mut seen, mut broken) = (Seen::default(), None);
        for message in self.batch.messages() {
            match message.error() {
                None => seen.record(message.offset()),
                Some(code) => {
                    let words = message.error_text();
                    let error = judge(&self.queue, code, message.offset(), &words);
                    self.pending = self.pending.take().or(error);
                    broken = Some((code, message.offset(), words));
                }
            }
        }
        self.position = seen.next().or(self.position);
        if let Some((code, at, words)) = broken {
            self.interrupted(code, at, &words);
        }
        if seen.records == 0
            && let Some(error) = self.pending.take()
        {
            self.batch.clear();
            return Err(error);
        }
        let covers = self.batch.len();
        Ok(self.fetched(covers, seen))
    }

    /// An error has moved librdkafka's position, or ended the reading; see `queue`.
    fn interrupted(&mut self, code: Code, at: Offset, words: &str) {
        self.queue.hold();
        let context = self.queue.consumer().context();
        let partition = self.queue.partition();
        let to = if code == Code::AutoOffsetReset {
            let own = self.position.or(self.committed.as_ref().map(|committed| committed.offset));
            let gone = Gone::told(at, words, own);
            if context.config().gone == GonePolicy::Fail {
                // Nothing more is read: whoever owns this reader decides.
                self.pending = Some(gone.into_error(context.config(), partition));
                return;
            }
            Destination::Earliest(gone)
        } else {
            Destination::Offset(self.position.unwrap_or(at))
        };
        context.ask_reposition(Reposition { partition, to });
    }

    /// Records that the last read handed out and that were left.
    fn left_over(&mut self, records_max: usize) -> Fetched<'_> {
        let covers = if self.paused { 0 } else { records_max.min(self.batch.len()) };
        let mut seen = Seen::default();
        for message in self.batch.messages().take(covers).filter(|message| message.error().is_none()) {
            seen.record(message.offset());
        }
        self.fetched(covers, seen)
    }

    /// The first `covers` messages of the batch, in which these records are, and the end of the partition where nothing is behind
    /// them.
    fn fetched(&mut self, covers: usize, seen: Seen) -> Fetched<'_> {
        let mut next = seen.next();
        let mut end = None;
        if covers == self.batch.len() {
            let partition = self.queue.partition();
            let consumer = self.queue.consumer();
            end = match next {
                // What was just read came with the end of that moment.
                Some(next) => {
                    let topic = &consumer.context().config().topic;
                    let end = PartitionQueue::cached_end(consumer, topic, partition);
                    end.filter(|end| next >= *end).map(|_| next)
                }
                None => self
                    .queue
                    .take_caught_up()
                    .filter(|end| self.position.is_none_or(|position| position <= *end)),
            };
            end = end.filter(|end| self.told_end != Some(*end));
            if let Some(end) = end {
                self.told_end = Some(end);
                self.position = Some(end);
                next = Some(end);
            }
        }
        let records = seen.records;
        Fetched { batch: &mut self.batch, told_end: &mut self.told_end, covers, records, end, next }
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

/// Records among messages.
#[derive(Clone, Copy, Default)]
struct Seen {
    records: usize,
    last: Option<Offset>,
}

impl Seen {
    #[inline]
    fn record(&mut self, offset: Offset) {
        self.records += 1;
        self.last = Some(offset);
    }

    /// The position behind them.
    fn next(self) -> Option<Offset> {
        self.last.map(|last| Offset(last.0.saturating_add(1)))
    }
}

/// The error of a message where a person is needed; others are logged here.
fn judge(queue: &PartitionQueue, code: Code, offset: Offset, text: &str) -> Option<SourceError> {
    let partition = queue.partition();
    let error = match code {
        damage if is_damage(damage) => {
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
    told_end: &'a mut Option<Offset>,
    /// Messages of the batch that this speaks of, those that are no records among them.
    covers: usize,
    records: usize,
    end: Option<Offset>,
    next: Option<Offset>,
}

impl Fetched<'_> {
    /// The records, in the order of the partition.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let messages = self.batch.messages().take(self.covers);
        messages.filter(|message| message.error().is_none()).map(|message| message.record())
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether there are no records; there may be an [`end_of_partition`](Fetched::end_of_partition) all the same.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Keeps the first `records` records and leaves those behind them to the next read. From then on this speaks of
    /// what it has kept; the end of the partition is told again by the read that comes there.
    pub fn leave_behind(&mut self, records: usize) {
        if records >= self.records {
            return;
        }
        let mut kept = 0;
        let mut covers = 0;
        let mut next = None;
        for message in self.batch.messages() {
            if kept == records {
                break;
            }
            covers += 1;
            if message.error().is_none() {
                kept += 1;
                next = Some(Offset(message.offset().0.saturating_add(1)));
            }
        }
        if self.end.take().is_some() {
            *self.told_end = None;
        }
        (self.covers, self.records, self.next) = (covers, kept, next);
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
        self.batch.drop_front(self.covers);
    }
}
