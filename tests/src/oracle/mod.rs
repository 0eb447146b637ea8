//! Numbered records, and what has to become of each: the judge of every test that breaks something.

mod judge;

use housepipe_local_stack::Stack;

pub use judge::Verdict;

use crate::stack::produce_from;
use crate::text::Text;
use crate::{Layout, PipeText, create_topic, create_topic_with, delete_topic, query};

/// One record in so many has a value that its column cannot hold.
const REJECTED_EVERY: u64 = 101;
/// One record in so many breaks the table's constraint, which only ClickHouse can tell.
const REFUSED_EVERY: u64 = 5_003;
/// The first number of records that are never to be read.
const PHANTOM_IDS: u64 = 1_000_000_000;

/// A topic of numbered records, and the table that they go to.
#[derive(Debug, Clone)]
pub struct Numbered {
    topic: String,
    partitions: i32,
    /// With records that are rejected, and others that ClickHouse refuses.
    has_bad: bool,
    /// The schema that records name in a frame.
    schema: Option<u32>,
    /// A text that the table has too; without one, the records have a short text that it has not.
    text: Option<Text>,
    layout: Layout,
    /// The column that rejects records was made wide enough for them; they belong into the table then.
    is_mended: bool,
    produced: u64,
    /// Each record is in the partition of its number, modulo their number.
    is_round_robin: bool,
}

impl Numbered {
    /// Creates the topic and the table, whose inserts are deduplicated.
    ///
    /// # Panics
    /// Where a server does not.
    pub fn new(stack: &Stack, topic: &str, partitions: i32, has_bad: bool) -> Numbered {
        create_topic(stack, topic, partitions);
        Numbered::on(stack, topic, partitions, has_bad)
    }

    /// The same with a table of this layout.
    ///
    /// # Panics
    /// As [`Numbered::new`].
    pub fn laid_out(stack: &Stack, topic: &str, partitions: i32, has_bad: bool, layout: Layout) -> Numbered {
        create_topic(stack, topic, partitions);
        Numbered::into_table(stack, topic, partitions, has_bad, None, layout)
    }

    /// The same with such a text in each record and each row. The topic's `compression.type` is `compression`.
    ///
    /// # Panics
    /// As [`Numbered::new`].
    pub(crate) fn with_text(
        stack: &Stack,
        topic: &str,
        partitions: i32,
        text: Text,
        compression: &str,
    ) -> Numbered {
        create_topic_with(stack, topic, partitions, &[("compression.type", compression)]);
        Numbered::into_table(stack, topic, partitions, true, Some(text), Layout::Plain)
    }

    /// The same on a topic that is there.
    ///
    /// # Panics
    /// Where ClickHouse does not.
    pub fn on(stack: &Stack, topic: &str, partitions: i32, has_bad: bool) -> Numbered {
        Numbered::into_table(stack, topic, partitions, has_bad, None, Layout::Plain)
    }

    fn into_table(
        stack: &Stack,
        topic: &str,
        partitions: i32,
        has_bad: bool,
        text: Option<Text>,
        layout: Layout,
    ) -> Numbered {
        let more = layout.more_columns();
        let text_column = if text.is_some() { "text String, " } else { "" };
        query(
            stack,
            &format!(
                "CREATE TABLE {topic} (id UInt64, n UInt8, check UInt64{more}, {text_column}at DateTime64(6) DEFAULT now64(6), \
                 CONSTRAINT refuses CHECK check % {REFUSED_EVERY} != 1) \
                 ENGINE = MergeTree {}ORDER BY id SETTINGS non_replicated_deduplication_window = 10000",
                layout.partition_by()
            ),
        );
        for statement in layout.beside(topic) {
            query(stack, &statement);
        }
        let topic = topic.to_owned();
        Numbered {
            topic,
            partitions,
            has_bad,
            schema: None,
            text,
            layout,
            is_mended: false,
            produced: 0,
            is_round_robin: true,
        }
    }

    /// The pipe into the table.
    pub fn pipe(&self, stack: &Stack) -> PipeText {
        // The server fills `at`.
        let text = if self.text.is_some() { ", text String" } else { "" };
        let n = if self.is_mended { "UInt16" } else { "UInt8" };
        let more = self.layout.more_columns();
        let columns = format!("  columns: \"id UInt64, n {n}, check UInt64{more}{text}\"\n");
        PipeText::new(stack, &self.topic).with_columns(&columns)
    }

    /// Makes room in the table for the records that were rejected so far. Pipe files from before are of the former table.
    ///
    /// # Panics
    /// Where ClickHouse does not.
    pub fn mend(&mut self, stack: &Stack) {
        query(stack, &format!("ALTER TABLE {} MODIFY COLUMN n UInt16", self.topic));
        self.is_mended = true;
    }

    /// Whether there is room for the records that were rejected.
    pub fn is_mended(&self) -> bool {
        self.is_mended
    }

    /// The topic, and the table.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Records written so far.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// From now on records are framed, and name the schema `id`.
    pub fn name_schema(&mut self, id: u32) {
        self.schema = Some(id);
    }

    fn is_rejected(&self, id: u64) -> bool {
        self.has_bad && id % REJECTED_EVERY == 7
    }

    fn is_refused(&self, id: u64) -> bool {
        self.has_bad && !self.is_rejected(id) && id % REFUSED_EVERY == 11
    }

    /// Writes the next `count` records round robin over the partitions.
    ///
    /// # Panics
    /// Where the broker does not take them.
    pub fn produce(&mut self, stack: &Stack, count: u64) {
        let ids = self.take_ids(count);
        let partitions = u64::from(self.partitions.unsigned_abs());
        let first = usize::try_from(ids.start % partitions).unwrap_or(0);
        produce_from(stack, &self.topic, self.partitions, first, ids.map(|id| self.value(id)));
    }

    /// The next `count` records, for the caller to write.
    pub fn records(&mut self, count: u64) -> Vec<String> {
        self.is_round_robin = false;
        self.take_ids(count).map(|id| self.record(id)).collect()
    }

    fn take_ids(&mut self, count: u64) -> std::ops::Range<u64> {
        let ids = self.produced..self.produced + count;
        self.produced = ids.end;
        ids
    }

    /// A record that nobody may see: in a table it is a phantom.
    pub fn phantom(&self, number: u64) -> String {
        self.record(PHANTOM_IDS + number)
    }

    fn record(&self, id: u64) -> String {
        let n = if self.is_rejected(id) { 300 } else { id % 256 };
        let check = if self.is_refused(id) { 1 } else { check(id) };
        let text = self.text.map_or_else(|| format!("record number {id}"), |text| text.of(id));
        format!("{{\"id\":{id},\"n\":{n},\"check\":{check},\"text\":\"{text}\"}}")
    }

    /// A record with its frame, where it has one.
    fn value(&self, id: u64) -> Vec<u8> {
        let record = self.record(id).into_bytes();
        match self.schema {
            None => record,
            Some(schema) => [&[0][..], &schema.to_be_bytes(), &record].concat(),
        }
    }

    /// Writes records until they have `bytes` or more.
    ///
    /// # Panics
    /// As [`Numbered::produce`].
    pub fn produce_bytes(&mut self, stack: &Stack, bytes: u64) {
        let (topic, partitions) = (self.topic.clone(), self.partitions);
        let mut left = bytes;
        let first = usize::try_from(self.produced % u64::from(partitions.unsigned_abs())).unwrap_or(0);
        let records = std::iter::from_fn(|| {
            let record = (left > 0).then(|| self.record(self.produced))?;
            self.produced += 1;
            left = left.saturating_sub(record.len() as u64);
            Some(record)
        });
        produce_from(stack, &topic, partitions, first, records);
    }

    /// Deletes the topic and the table, to have the space.
    ///
    /// # Panics
    /// Where a server does not.
    pub fn remove(self, stack: &Stack) {
        delete_topic(stack, &self.topic);
        query(stack, &format!("DROP TABLE {} SYNC", self.topic));
    }
}

/// A number that only this record has.
fn check(id: u64) -> u64 {
    id * 10 * REFUSED_EVERY
}
