//! Numbered records, and what has to become of each: the judge of every test that breaks something.

use housepipe_local_stack::Stack;

use crate::stack::produce_from;
use crate::text::{text, text_sql};
use crate::{Layout, PipeText, create_topic, create_topic_with, delete_topic, query, query_number};

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
    /// Phrases of a text that the table has too; without one, the records have a short text that it has not.
    phrases: Option<u64>,
    layout: Layout,
    produced: u64,
    /// Each record is in the partition of its number, modulo their number.
    is_round_robin: bool,
}

/// What was found in the tables. All zero is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Records that are in no table.
    pub lost: u64,
    /// Rows and error rows beyond the first of a record.
    pub duplicated: u64,
    /// Rows of records that were never written.
    pub phantom: u64,
    /// Rows whose values are not those of their record.
    pub corrupted: u64,
    /// Records in the table that belong into the error table, or the other way round.
    pub misplaced: u64,
    /// Rows that were inserted before one of an earlier record of their partition.
    #[serde(default)]
    pub disordered: u64,
}

impl Verdict {
    /// Nothing lost, nothing made up; repetitions are allowed, and with them another order.
    pub fn is_complete(&self) -> bool {
        Verdict { duplicated: 0, disordered: 0, ..*self } == Verdict::default()
    }

    /// Each record is in its place once, in the order of its partition.
    pub fn is_exact(&self) -> bool {
        *self == Verdict::default()
    }
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

    /// The same with bad records and a table of this layout.
    ///
    /// # Panics
    /// As [`Numbered::new`].
    pub fn laid_out(stack: &Stack, topic: &str, partitions: i32, layout: Layout) -> Numbered {
        create_topic(stack, topic, partitions);
        Numbered::into_table(stack, topic, partitions, true, None, layout)
    }

    /// The same with a text of so many phrases, of some 70 bytes each, in each record and each row. The topic's
    /// `compression.type` is `compression`; zstd makes the records ten times as small.
    ///
    /// # Panics
    /// As [`Numbered::new`].
    pub fn with_text(
        stack: &Stack,
        topic: &str,
        partitions: i32,
        phrases: u64,
        compression: &str,
    ) -> Numbered {
        create_topic_with(stack, topic, partitions, &[("compression.type", compression)]);
        Numbered::into_table(stack, topic, partitions, true, Some(phrases), Layout::Plain)
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
        phrases: Option<u64>,
        layout: Layout,
    ) -> Numbered {
        let text = if phrases.is_some() { "text String, " } else { "" };
        query(
            stack,
            &format!(
                "CREATE TABLE {topic} (id UInt64, n UInt8, check UInt64, {text}at DateTime64(6) DEFAULT now64(6), \
                 CONSTRAINT refuses CHECK check % {REFUSED_EVERY} != 1) \
                 ENGINE = MergeTree {}ORDER BY id SETTINGS non_replicated_deduplication_window = 10000",
                layout.partition_by()
            ),
        );
        for statement in layout.beside(topic) {
            query(stack, &statement);
        }
        let topic = topic.to_owned();
        Numbered { topic, partitions, has_bad, phrases, layout, produced: 0, is_round_robin: true }
    }

    /// The pipe into the table.
    pub fn pipe(&self, stack: &Stack) -> PipeText {
        // The server fills `at`.
        let text = if self.phrases.is_some() { ", text String" } else { "" };
        let columns = format!("  columns: \"id UInt64, n UInt8, check UInt64{text}\"\n");
        PipeText::new(stack, &self.topic).with_columns(&columns)
    }

    /// The topic, and the table.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Records written so far.
    pub fn produced(&self) -> u64 {
        self.produced
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
        produce_from(stack, &self.topic, self.partitions, first, ids.map(|id| self.record(id)));
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
        let text = self.phrases.map_or_else(|| format!("record number {id}"), |count| text(id, count));
        format!("{{\"id\":{id},\"n\":{n},\"check\":{check},\"text\":\"{text}\"}}")
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

    /// Rows and error rows, repetitions left out; 0 of a table that does not answer at the moment.
    pub fn settled(&self, stack: &Stack) -> u64 {
        let number = |sql: String| -> u64 {
            stack.clickhouse.query(&sql).ok().and_then(|answer| answer.trim().parse().ok()).unwrap_or(0)
        };
        number(format!("SELECT uniqExact(id) FROM {}", self.topic))
            + number(format!(
                "SELECT uniqExact(partition, offset) FROM {}_clickpipes_error WHERE kind = 'record'",
                self.topic
            ))
    }

    /// Some of the rows that are wrong, for whoever looks for the reason.
    pub fn evidence(&self, stack: &Stack) -> String {
        let (topic, bad) = (&self.topic, self.bad_sql());
        let mut questions = vec![
            format!(
                "SELECT 'row', id, count(), groupArray(_part) FROM {topic} GROUP BY id HAVING count() > 1 LIMIT 5"
            ),
            format!(
                "SELECT 'error row', partition, offset, groupArray(code), groupArray(batch_token), groupArray(_time) \
                 FROM {topic}_clickpipes_error WHERE kind = 'record' GROUP BY ALL HAVING count() > 1 LIMIT 5"
            ),
            format!(
                "SELECT 'misplaced', partition, offset, code, message, batch_token FROM {topic}_clickpipes_error \
                 WHERE kind = 'record' AND NOT {} LIMIT 5",
                bad.replace("id ", "JSONExtractUInt(raw_message, 'id') ")
            ),
        ];
        if let Some(copy) = self.layout.copy_of(topic) {
            questions.push(format!(
                "SELECT 'passed on by the view', id, countIf(is_copy), countIf(NOT is_copy) \
                 FROM (SELECT id, false AS is_copy FROM {topic} UNION ALL SELECT id, true FROM {copy}) \
                 GROUP BY id HAVING countIf(is_copy) != 1 LIMIT 5"
            ));
        }
        let answer = |sql: &String| stack.clickhouse.query(sql).unwrap_or_else(|error| error.to_string());
        questions.iter().map(answer).collect()
    }

    /// Whether a record belongs into the error table.
    fn bad_sql(&self) -> String {
        match self.has_bad {
            true => format!("(id % {REJECTED_EVERY} = 7 OR id % {REFUSED_EVERY} = 11)"),
            false => "(id < 0)".to_owned(),
        }
    }

    /// Rows that were inserted before one of an earlier record of their partition; 0 where it is not known which that is.
    fn disordered(&self, stack: &Stack) -> u64 {
        if !self.is_round_robin {
            return 0;
        }
        let (topic, partitions) = (&self.topic, self.partitions);
        let sql = format!(
            "SELECT countIf(first < before) FROM (SELECT first, max(first) OVER (PARTITION BY id % {partitions} ORDER BY id \
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before \
             FROM (SELECT id, min(at) AS first FROM {topic} GROUP BY id))"
        );
        query_number(stack, &sql)
    }

    /// Looks at every row of both tables.
    ///
    /// # Panics
    /// Where ClickHouse does not answer.
    pub fn verdict(&self, stack: &Stack) -> Verdict {
        let topic = &self.topic;
        let numbers = |sql: &str| -> Vec<u64> {
            let answer = query(stack, sql);
            answer.split_whitespace().map(|number| number.parse().unwrap_or(u64::MAX)).collect()
        };
        let bad = self.bad_sql();
        let expected_bad =
            (0..self.produced).filter(|id| self.is_rejected(*id) || self.is_refused(*id)).count() as u64;
        let rows = numbers(&format!(
            "SELECT count(), uniqExact(id), countIf(id >= {produced}), \
                    countIf(n != id % 256 OR check != {check}{text}), countIf({bad}), \
                    uniqExactIf(id, id < {produced} AND NOT {bad}) FROM {topic}",
            produced = self.produced,
            check = check_sql("id"),
            text = self.phrases.map(text_sql).unwrap_or_default(),
        ));
        let errors = numbers(&format!(
            "SELECT count(), uniqExact(partition, offset), \
                    uniqExactIf(JSONExtractUInt(raw_message, 'id') AS id, id < {produced} AND {bad}), \
                    countIf(NOT {bad}) \
             FROM {topic}_clickpipes_error WHERE kind = 'record'",
            produced = self.produced,
        ));
        let [count, distinct, phantom, corrupted, misplaced, good] = rows[..] else {
            unreachable!("six columns")
        };
        let [error_count, error_distinct, bad_found, good_as_bad] = errors[..] else {
            unreachable!("four columns")
        };
        let expected_good = self.produced - expected_bad;
        // What a view has made of the rows.
        let (mut lost_copies, mut doubled_copies, mut strange_copies) = (0, 0, 0);
        if let Some(copy) = self.layout.copy_of(topic) {
            let copies = numbers(&format!(
                "SELECT count(), uniqExact(id), uniqExactIf(id, id < {} AND NOT {bad}) FROM {copy}",
                self.produced
            ));
            let [count, distinct, good] = copies[..] else { unreachable!("three columns") };
            lost_copies = expected_good.saturating_sub(good);
            doubled_copies = count - distinct;
            strange_copies = distinct - good;
        }
        Verdict {
            lost: expected_good.saturating_sub(good) + expected_bad.saturating_sub(bad_found) + lost_copies,
            duplicated: count - distinct + (error_count - error_distinct) + doubled_copies,
            phantom,
            corrupted,
            misplaced: misplaced + good_as_bad + strange_copies,
            disordered: self.disordered(stack),
        }
    }
}

/// A number that only this record has.
fn check(id: u64) -> u64 {
    id * 10 * REFUSED_EVERY
}

fn check_sql(id: &str) -> String {
    format!("{id} * {}", 10 * REFUSED_EVERY)
}
