//! Which records of a range have rows in a table whose rows name their records.
//!
//! Rows say less of their records than it seems: a value may be that of another record, or may have been changed since. A row that
//! has the topic, the partition and the offset of its record in it is that record's, whatever else was done to it.

use crate::aftermath::Left;
use crate::error::SinkError;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// The columns of a table that name the record of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceColumns {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: String,
    /// The offset.
    pub offset: String,
}

/// The half-open range `[start, end)` of a partition, as a table names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places<'a> {
    /// The columns that name it.
    pub columns: &'a PlaceColumns,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The offset behind the last one.
    pub end: i64,
}

impl Places<'_> {
    /// A condition for the rows of the range.
    pub(crate) fn sql(&self) -> String {
        let PlaceColumns { topic, partition, offset } = self.columns;
        let offset = quote_identifier(offset);
        format!(
            "{} = {} AND {} = {} AND {offset} >= {} AND {offset} < {}",
            quote_identifier(topic),
            quote_string(self.topic),
            quote_identifier(partition),
            self.partition,
            self.start,
            self.end
        )
    }
}

/// A set of offsets as far as sums tell it: how many, how far behind the start together, and the sum of the squares of that, where
/// the sums wrap around at 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clickhouse::Row, serde::Deserialize)]
struct Sums {
    count: u64,
    sum: u64,
    squares: u64,
}

impl Sums {
    fn of(start: i64, offsets: impl Iterator<Item = i64>) -> Sums {
        offsets.fold(Sums::default(), |sums, offset| {
            let behind = offset.wrapping_sub(start).cast_unsigned();
            Sums {
                count: sums.count + 1,
                sum: sums.sum.wrapping_add(behind),
                squares: sums.squares.wrapping_add(behind.wrapping_mul(behind)),
            }
        })
    }
}

impl Sink {
    /// How many of the records at `offsets`, which are different and in the range, have rows in `table` in parts that were written
    /// at `unix_s` or later, in seconds since 1970. [`Left::Some`] also where other records of the range have.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn records_left(
        &self,
        table: &str,
        places: &Places<'_>,
        offsets: impl Iterator<Item = i64>,
        unix_s: u64,
    ) -> Result<Left, SinkError> {
        let wanted = Sums::of(places.start, offsets);
        let behind =
            format!("toUInt64(toInt64({}) - {})", quote_identifier(&places.columns.offset), places.start);
        let sql = format!(
            "WITH {} SELECT count() AS count, sum(behind) AS sum, sum(behind * behind) AS squares \
             FROM (SELECT DISTINCT assumeNotNull({behind}) AS behind FROM {} WHERE NOT has(old, _part) AND {})",
            self.old_parts(table, unix_s),
            quote_identifier(table),
            places.sql(),
        );
        let operation = format!("a search for records of {}", quote_identifier(table));
        let found: Sums = self.search(&operation, &sql).await?;
        Ok(match found {
            Sums { count: 0, .. } => Left::Nothing,
            found if found == wanted => Left::All,
            _ => Left::Some,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_tell_sets_apart() {
        let of = |offsets: &[i64]| Sums::of(100, offsets.iter().copied());
        assert_eq!(of(&[100, 103, 107]), Sums { count: 3, sum: 10, squares: 58 });
        assert_ne!(of(&[100, 103]), of(&[101, 102]));
        assert_ne!(of(&[101, 102]), of(&[101, 103]));
        assert_eq!(Sums::of(i64::MIN, [i64::MAX].into_iter()).sum, u64::MAX);
    }

    #[test]
    fn names_are_quoted() {
        let columns =
            PlaceColumns { topic: "a`b".to_owned(), partition: "p".to_owned(), offset: "o".to_owned() };
        let places = Places { columns: &columns, topic: "it's", partition: 3, start: 5, end: 9 };
        assert_eq!(places.sql(), r"`a\`b` = 'it\'s' AND `p` = 3 AND `o` >= 5 AND `o` < 9");
    }
}
