//! Deduplication tokens: what makes a repeated insert one insert.

use std::ops::Range;

use housepipe_kafka_source::{Offset, PartitionId};

use super::ledger::BatchId;
use super::metadata::Lineage;

/// The tokens of one batch. ClickHouse drops an insert whose token it remembers for the table.
///
/// A token stands for the same bytes for ever: other bytes with a token that was used would be dropped in silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchToken(String);

impl BatchToken {
    /// The token of a batch of at-least-once delivery, which nobody but this run of the pipe will send again. `run` is a
    /// random number of the run.
    ///
    /// ```
    /// use housepipe_runtime::delivery::{BatchId, BatchToken};
    ///
    /// let token = BatchToken::of_run("shop", "orders", 0xc0ffee, BatchId(7));
    /// assert_eq!(token.as_str(), "housepipe:shop:orders:0000000000c0ffee:7");
    /// assert_eq!(token.rows(&(0..500)), "housepipe:shop:orders:0000000000c0ffee:7:0-500");
    /// ```
    pub fn of_run(pipe: &str, topic: &str, run: u64, batch: BatchId) -> BatchToken {
        BatchToken(format!("housepipe:{pipe}:{topic}:{run:016x}:{}", batch.0))
    }

    /// The token of a range `[start, end)` of a partition, which every owner of the partition makes in the same way: of
    /// exactly-once delivery. The lineage is random, so that no other cluster, topic or life of the offsets has it.
    ///
    /// ```
    /// use housepipe_kafka_source::{Offset, PartitionId};
    /// use housepipe_runtime::delivery::{BatchToken, Lineage};
    ///
    /// let lineage = Lineage::from_bits(0x9f3a_5c01_d27e);
    /// let token = BatchToken::of_range("shop", "orders", lineage, PartitionId(3), Offset(10), Offset(20));
    /// assert_eq!(token.as_str(), "housepipe:shop:orders:9f3a5c01d27e:3:10-20");
    /// assert_eq!(token.attempt(2).as_str(), "housepipe:shop:orders:9f3a5c01d27e:3:10-20#2");
    /// ```
    pub fn of_range(
        pipe: &str,
        topic: &str,
        lineage: Lineage,
        partition: PartitionId,
        start: Offset,
        end: Offset,
    ) -> BatchToken {
        BatchToken(format!("housepipe:{pipe}:{topic}:{lineage}:{partition}:{start}-{end}"))
    }

    /// The same range, begun anew so often.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> BatchToken {
        if attempt == 0 { self } else { BatchToken(format!("{}#{attempt}", self.0)) }
    }

    /// The batch's name in the error table.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same batch after the server was started anew: what it may remember of the first token is not believed.
    ///
    /// ```
    /// use housepipe_runtime::delivery::{BatchId, BatchToken};
    ///
    /// let token = BatchToken::of_run("shop", "orders", 0xc0ffee, BatchId(7));
    /// assert_eq!(token.after_start(1_764_000_000).as_str(), "housepipe:shop:orders:0000000000c0ffee:7@1764000000");
    /// ```
    #[must_use]
    pub fn after_start(&self, started_unix_s: u64) -> BatchToken {
        BatchToken(format!("{}@{started_unix_s}", self.0))
    }

    /// For an insert of the rows `[start, end)` of the batch.
    pub fn rows(&self, rows: &Range<usize>) -> String {
        format!("{}:{}-{}", self.0, rows.start, rows.end)
    }

    /// For the records of the batch that could not be encoded.
    pub fn rejects(&self) -> String {
        format!("{}|err", self.0)
    }

    /// For those of the rows `[start, end)` that ClickHouse refused.
    pub fn refused(&self, rows: &Range<usize>) -> String {
        format!("{}:{}-{}|err", self.0, rows.start, rows.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_insert_has_a_token_of_its_own() {
        let token = |run, batch| BatchToken::of_run("p", "t", run, BatchId(batch));
        let mut all = Vec::new();
        for (run, batch) in [(1, 1), (1, 11), (11, 1)] {
            let token = token(run, batch);
            all.extend([token.rejects(), token.refused(&(0..10)), token.as_str().to_owned()]);
            all.extend([0..1, 0..10, 1..10].iter().map(|rows| token.rows(rows)));
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
