//! What became of each record: the tables, row by row.

use housepipe_local_stack::Stack;

use super::{Numbered, REFUSED_EVERY, REJECTED_EVERY};
use crate::layout::Layout;
use crate::text::Text;
use crate::{query, query_number};

/// The number of a record that an error row keeps, whose frame is left out.
const ID_OF_RAW: &str = "JSONExtractUInt(substring(raw_message, position(raw_message, '{')), 'id')";

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

    /// Each record is in its place once. At least once, two batches of a partition may be under way, and the later one be stored
    /// first.
    pub fn is_once(&self) -> bool {
        Verdict { disordered: 0, ..*self } == Verdict::default()
    }

    /// Each record is in its place once, in the order of its partition.
    pub fn is_exact(&self) -> bool {
        *self == Verdict::default()
    }
}

impl Numbered {
    /// Rows and error rows that will be there in the end, repetitions left out. Records that are loaded from the error table
    /// stay there.
    pub fn expected(&self) -> u64 {
        let replayed = (0..self.produced).filter(|id| self.is_mended && self.is_rejected(*id)).count();
        self.produced + replayed as u64
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
                "SELECT 'no row', number AS id FROM numbers({}) WHERE NOT {} AND id NOT IN (SELECT id FROM {topic}) \
                 LIMIT 5",
                self.produced,
                self.absent_sql()
            ),
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
                bad.replace("id ", &format!("{ID_OF_RAW} "))
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

    /// Whether a record does not belong into the table.
    fn absent_sql(&self) -> String {
        if self.has_bad && self.is_mended {
            return format!("(id % {REFUSED_EVERY} = 11 AND id % {REJECTED_EVERY} != 7)");
        }
        self.bad_sql()
    }

    /// Rows that were inserted before one of an earlier record of their partition, those of the error table left out; 0 where it is not known which that is.
    fn disordered(&self, stack: &Stack) -> u64 {
        if !self.is_round_robin {
            return 0;
        }
        let (topic, partitions, bad) = (&self.topic, self.partitions, self.bad_sql());
        let sql = format!(
            "SELECT countIf(first < before) FROM (SELECT first, max(first) OVER (PARTITION BY id % {partitions} ORDER BY id \
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before \
             FROM (SELECT id, min(at) AS first FROM {topic} WHERE NOT {bad} GROUP BY id))"
        );
        query_number(stack, &sql)
    }

    /// Looks at every row of both tables.
    ///
    /// # Panics
    /// Where ClickHouse does not answer.
    pub fn verdict(&self, stack: &Stack) -> Verdict {
        let topic = &self.topic;
        let (bad, absent) = (self.bad_sql(), self.absent_sql());
        let count_ids =
            |is_one: &dyn Fn(u64) -> bool| (0..self.produced).filter(|id| is_one(*id)).count() as u64;
        let (rejected, refused) =
            (count_ids(&|id| self.is_rejected(id)), count_ids(&|id| self.is_refused(id)));
        let expected_bad = rejected + refused;
        let expected_rows = self.produced - refused - if self.is_mended { 0 } else { rejected };
        let rows = numbers(
            stack,
            &format!(
                "SELECT count(), uniqExact(id), countIf(id >= {produced}), \
                    countIf(n != if({bad}, 300, id % 256) OR check != {check}{text}), countIf({absent}), \
                    uniqExactIf(id, id < {produced} AND NOT {absent}) FROM {topic}",
                produced = self.produced,
                check = check_sql("id"),
                text = self.text.map(Text::differs_sql).unwrap_or_default(),
            ),
        );
        let errors = numbers(
            stack,
            &format!(
                "SELECT count(), uniqExact(partition, offset), \
                    uniqExactIf({ID_OF_RAW} AS id, id < {produced} AND {bad}), \
                    countIf(NOT {bad}) \
             FROM {topic}_clickpipes_error WHERE kind = 'record'",
                produced = self.produced,
            ),
        );
        let [count, distinct, phantom, corrupted, misplaced, good] = rows[..] else {
            unreachable!("six columns")
        };
        let [error_count, error_distinct, bad_found, good_as_bad] = errors[..] else {
            unreachable!("four columns")
        };
        let copies = self.copies(stack, expected_rows);
        Verdict {
            lost: expected_rows.saturating_sub(good) + expected_bad.saturating_sub(bad_found) + copies.lost,
            duplicated: count - distinct + (error_count - error_distinct) + copies.duplicated,
            phantom,
            corrupted: corrupted + self.displaced(stack),
            misplaced: misplaced + good_as_bad + copies.misplaced,
            disordered: self.disordered(stack),
        }
    }

    /// Rows that have another partition or another offset than their record.
    fn displaced(&self, stack: &Stack) -> u64 {
        if self.layout != Layout::Placed || !self.is_round_robin {
            return 0;
        }
        let (topic, partitions) = (&self.topic, self.partitions);
        let sql = format!(
            "SELECT countIf(_topic != '{topic}' OR _partition != id % {partitions} OR _offset != intDiv(id, {partitions})) FROM {topic}"
        );
        numbers(stack, &sql).iter().sum()
    }

    /// What a view has made of the rows, of which `expected` have to be there.
    fn copies(&self, stack: &Stack, expected: u64) -> Verdict {
        let Some(copy) = self.layout.copy_of(&self.topic) else { return Verdict::default() };
        let sql = format!(
            "SELECT count(), uniqExact(id), uniqExactIf(id, id < {} AND NOT {}) FROM {copy}",
            self.produced,
            self.absent_sql()
        );
        let [count, distinct, good] = numbers(stack, &sql)[..] else { unreachable!("three columns") };
        Verdict {
            lost: expected.saturating_sub(good),
            duplicated: count - distinct,
            misplaced: distinct - good,
            ..Verdict::default()
        }
    }
}

/// The numbers of the only row of an answer.
fn numbers(stack: &Stack, sql: &str) -> Vec<u64> {
    query(stack, sql).split_whitespace().map(|number| number.parse().unwrap_or(u64::MAX)).collect()
}

fn check_sql(id: &str) -> String {
    format!("{id} * {}", 10 * REFUSED_EVERY)
}
