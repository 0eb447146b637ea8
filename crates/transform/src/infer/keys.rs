//! A sorting key and a partitioning for the columns.

use super::inferred::{InferredColumn, PartitionKey};
use super::names::Name;
use super::node::Node;
use crate::types::DataType;

/// What the values of a column are, where they are moments: their range in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) enum TimeUnit {
    /// The column's type holds moments or dates.
    Column { low: i64, high: i64 },
    /// Its numbers count units of `10^-digits` seconds.
    Ticks { digits: u8, low: i64, high: i64 },
}

impl TimeUnit {
    fn range(self) -> (i64, i64) {
        match self {
            TimeUnit::Column { low, high } | TimeUnit::Ticks { low, high, .. } => (low, high),
        }
    }
}

/// Columns of few values at the head of a sorting key, at most.
const HEAD_COLUMNS_MAX: usize = 2;
/// Moments of events: 2000-01-01 to 2099-12-31, in seconds since 1970.
pub(super) const EVENT_SECONDS: std::ops::RangeInclusive<i64> = 946_684_800..=4_102_444_799;
/// The time that samples may span where a partition is a month: 90 months. ClickHouse refuses an insert with rows of more
/// than 100 partitions, and inserts hold what the topic has.
const SPAN_SECONDS_MAX: i64 = 90 * 30 * 86_400;

/// The keys of a table, and why.
pub(super) struct Keys {
    pub(super) order_by: Vec<String>,
    pub(super) order_by_reason: String,
    pub(super) partition_by: Option<PartitionKey>,
    pub(super) partition_by_reason: String,
}

/// A column that may be part of a key.
struct Candidate<'c> {
    column: &'c InferredColumn,
    name: Name,
    node: &'c Node,
    time: Option<TimeUnit>,
}

impl Candidate<'_> {
    fn column_name(&self) -> String {
        self.column.column.name.clone()
    }

    /// How many different texts it has, where it is LowCardinality and has more than one.
    fn few(&self) -> Option<usize> {
        let count = self.node.texts.as_ref()?.distinct.count()?;
        (matches!(self.column.column.ty, DataType::LowCardinality(_)) && count > 1).then_some(count)
    }

    /// How sure it is that this is the time of the event, the lower the surer.
    fn time_rank(&self) -> Option<u8> {
        let (low, high) = self.time?.range();
        let is_event = EVENT_SECONDS.contains(&low) && EVENT_SECONDS.contains(&high);
        let rank = self.name.event_time().filter(|_| is_event)?;
        // A moment is a better key than a date.
        Some(2 * rank + u8::from(matches!(self.column.column.ty, DataType::Date | DataType::Date32)))
    }

    /// How sure it is that its values tell rows apart, the lower the surer: they were all different, and the name says so. Of
    /// values that were not seen the name alone does.
    fn id_rank(&self) -> Option<u8> {
        if self.node.values() == 0
            && matches!(self.column.column.ty, DataType::Int64 | DataType::UInt64 | DataType::Uuid)
        {
            return self.name.id_rank();
        }
        let distinct = match &self.column.column.ty {
            DataType::UInt64 | DataType::UInt128 => self.node.integers.as_ref().map(|it| &it.distinct),
            DataType::String | DataType::Uuid => self.node.texts.as_ref().map(|it| &it.distinct),
            _ => None,
        };
        distinct.filter(|distinct| distinct.is_unique()).and_then(|_| self.name.id_rank())
    }
}

/// Proposes keys. Each column comes with its node and what its values are as moments.
pub(super) fn propose(columns: &[InferredColumn], seen: &[(&Node, Option<TimeUnit>)]) -> Keys {
    let all = columns.iter().zip(seen).map(|(column, (node, time))| Candidate {
        column,
        name: Name::new(&column.column.name),
        node,
        time: *time,
    });
    let candidates: Vec<Candidate<'_>> = all.filter(|it| !is_nullable(&it.column.column.ty)).collect();
    let time = candidates.iter().filter_map(|it| Some((it.time_rank()?, it))).min_by_key(|(rank, _)| *rank);
    let time = time.map(|(_, it)| it);
    let id = candidates.iter().filter_map(|it| Some((it.id_rank()?, it))).min_by_key(|(rank, _)| *rank);
    let id = id.map(|(_, it)| it);
    let head = head(&candidates);
    let mut parts = Vec::new();
    let mut order_by: Vec<String> = Vec::new();
    if !head.is_empty() {
        let names: Vec<String> = head.iter().map(|(it, _)| it.column_name()).collect();
        let counts: Vec<String> = head.iter().map(|(_, count)| count.to_string()).collect();
        let values = if head.len() == 1 { "different values" } else { "different values each" };
        parts.push(format!(
            "{} first, since {} {values} keep equal rows together",
            names.join(" and "),
            counts.join(" and ")
        ));
        order_by.extend(names);
    }
    if let Some(time) = time {
        parts.push(format!("{} for ranges of time", time.column_name()));
        order_by.push(time.column_name());
    }
    if let Some(id) = id {
        parts.push(format!("{} to tell rows apart", id.column_name()));
        order_by.push(id.column_name());
    }
    let order_by_reason = if order_by.is_empty() {
        "no column that is always there has few values, is a time, or is an id".to_owned()
    } else {
        parts.join(", then ")
    };
    let (partition_by, partition_by_reason) = partition(time);
    Keys { order_by, order_by_reason, partition_by, partition_by_reason }
}

/// The columns with few values that come first: those whose name queries ask for, the fewer values the earlier. Without
/// such names one that will do, or the one with the fewest values that stays as it is.
fn head<'c>(candidates: &'c [Candidate<'c>]) -> Vec<(&'c Candidate<'c>, usize)> {
    let few = || candidates.iter().filter_map(|it| Some((it, it.few()?)));
    let ranked = |rank: fn(&Name) -> Option<usize>| {
        let mut ranked: Vec<_> = few().filter_map(|(it, count)| Some((rank(&it.name)?, it, count))).collect();
        ranked.sort_by_key(|(rank, ..)| *rank);
        ranked.into_iter().map(|(_, it, count)| (it, count))
    };
    let mut head: Vec<_> = ranked(Name::sorting_rank).take(HEAD_COLUMNS_MAX).collect();
    head.sort_by_key(|(_, count)| *count);
    if head.is_empty() {
        let fewest = || few().filter(|(it, _)| !it.name.is_state()).min_by_key(|(_, count)| *count);
        head.extend(ranked(Name::second_sorting_rank).next().or_else(fewest));
    }
    head
}

fn partition(time: Option<&Candidate<'_>>) -> (Option<PartitionKey>, String) {
    let Some((column, unit)) = time.and_then(|it| Some((it.column_name(), it.time?))) else {
        let why =
            "no column that is always there is the time of an event, so that all rows are one partition";
        return (None, why.to_owned());
    };
    let (low, high) = unit.range();
    if high - low > SPAN_SECONDS_MAX {
        let why = format!(
            "the samples span more than {} months of {column}: an insert of them would make too many partitions of a month",
            SPAN_SECONDS_MAX / (30 * 86_400)
        );
        return (None, why);
    }
    let why = format!(
        "months of {column}: whole partitions can be dropped when they are old, and there are few of them"
    );
    let key = match unit {
        TimeUnit::Column { .. } => PartitionKey::Month { column },
        TimeUnit::Ticks { digits, .. } => PartitionKey::MonthOfTicks { column, digits },
    };
    (Some(key), why)
}

/// Whether a sorting key refuses the type, unless a setting allows it.
pub(super) fn is_nullable(ty: &DataType) -> bool {
    match ty {
        DataType::Nullable(_) => true,
        DataType::LowCardinality(inner) => is_nullable(inner),
        _ => false,
    }
}
