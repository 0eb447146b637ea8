//! What becomes of the keys of a new table where one of its columns is left out, or gets another type.

use housepipe_transform::{Column, DataType, PartitionKey};

use super::keys::is_nullable;
use super::words::names;
use crate::pipe_file::TableLines;

/// What expressions of a key are made for. Functions take all types of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moment,
    Integer,
    Text,
}

/// Takes out of the keys what was made of the column at `at` of `columns`, unless its type `now` does for it as well; none
/// is left out. Months are proposed in its place where the column has become a moment.
pub(super) fn rekey(table: &mut TableLines, columns: &[Column], at: usize, now: Option<&DataType>) {
    let Some(Column { name, ty: before, .. }) = columns.get(at) else { return };
    let why = match now {
        None => format!("`{name}` was left out"),
        Some(_) => format!("the type of `{name}` was chosen by hand"),
    };
    // The name of a column is no expression, whatever it looks like.
    let is_column = |key: &str| columns.iter().any(|column| column.name == key);
    let is_of_it = |key: &str| if is_column(key) { key == name } else { mentions(key, name) };
    let is_of_its_kind = now.is_some_and(|now| kind(before).is_some() && kind(before) == kind(now));
    let may_sort = now.is_some_and(|now| !is_nullable(now));
    let keys_before = table.order_by.len();
    table.order_by.retain(|key| !is_of_it(key) || is_of_its_kind || (key == name && may_sort));
    if table.order_by.len() < keys_before {
        table.order_by_comment.clone_from(&why);
    }
    if !is_of_its_kind && table.partition_by.as_deref().is_some_and(is_of_it) {
        let is_moment = now.is_some_and(|now| kind(now) == Some(Kind::Moment));
        table.partition_by = is_moment.then(|| PartitionKey::Month { column: name.clone() }.to_string());
        table.partition_by_comment = if is_moment { format!("months of {name}: {why}") } else { why };
    }
}

/// Whether the expression has the column in it, or a part of it.
fn mentions(expression: &str, column: &str) -> bool {
    names(expression)
        .iter()
        .any(|name| name.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// None for what may be NULL, and for types whose functions take no other.
fn kind(data_type: &DataType) -> Option<Kind> {
    match data_type {
        DataType::LowCardinality(inner) => kind(inner),
        DataType::Date | DataType::Date32 | DataType::DateTime(_) | DataType::DateTime64(..) => {
            Some(Kind::Moment)
        }
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => Some(Kind::Integer),
        DataType::String | DataType::FixedString(_) => Some(Kind::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of a table after the first of `columns` has got the type `now`, or was left out.
    fn keys(
        columns: &str,
        order_by: &[&str],
        partition_by: &str,
        now: Option<&str>,
    ) -> (Vec<String>, Option<String>) {
        let columns: housepipe_transform::Columns = columns.parse().unwrap();
        let now: Option<DataType> = now.map(|now| now.parse().unwrap());
        let mut table = TableLines {
            engine: "MergeTree".to_owned(),
            order_by: order_by.iter().map(|key| (*key).to_owned()).collect(),
            order_by_comment: "as proposed".to_owned(),
            partition_by: Some(partition_by.to_owned()),
            partition_by_comment: "as proposed".to_owned(),
            ttl: None,
            settings: Vec::new(),
        };
        let before = table.clone();
        rekey(&mut table, columns.as_slice(), 0, now.as_ref());
        assert_eq!(table.order_by_comment == "as proposed", table.order_by == before.order_by);
        assert_eq!(table.partition_by_comment == "as proposed", table.partition_by == before.partition_by);
        (table.order_by, table.partition_by)
    }

    #[test]
    fn a_column_that_is_left_out_is_in_no_key() {
        let left = keys("ts DateTime, id UInt64", &["ts", "id"], "toYYYYMM(ts)", None);
        assert_eq!(left, (vec!["id".to_owned()], None));
        let left = keys("`odd ts` Date, ts Date", &["cityHash64(`odd ts`)", "ts"], "toYYYYMM(ts)", None);
        assert_eq!(left, (vec!["ts".to_owned()], Some("toYYYYMM(ts)".to_owned())));
        // It only looks like an expression of it.
        let left = keys("ts Date, `toDate(ts)` Date", &["toDate(ts)"], "tuple(ts.x, 1)", None);
        assert_eq!(left, (vec!["toDate(ts)".to_owned()], None));
    }

    #[test]
    fn a_key_stays_where_the_new_type_does_for_it() {
        let months = "toYYYYMM(ts)";
        for (was, now, sorts, partition) in [
            ("DateTime64(3, 'UTC')", "DateTime('UTC')", true, Some(months)),
            ("DateTime64(3, 'UTC')", "Date", true, Some(months)),
            ("DateTime", "Nullable(DateTime)", false, None),
            ("DateTime", "String", true, None),
            ("DateTime", "LowCardinality(Nullable(String))", false, None),
            ("Int64", "DateTime64(3)", true, Some(months)),
            ("Int64", "UInt64", true, Some("toYYYYMM(fromUnixTimestamp64Milli(ts))")),
        ] {
            let key = if was == "Int64" { "toYYYYMM(fromUnixTimestamp64Milli(ts))" } else { months };
            let columns = format!("ts {was}, id UInt64");
            let (order_by, partition_by) = keys(&columns, &["ts", "id"], key, Some(now));
            assert_eq!(order_by.contains(&"ts".to_owned()), sorts, "{was} to {now}");
            assert_eq!(partition_by.as_deref(), partition, "{was} to {now}");
        }
    }

    #[test]
    fn months_of_an_odd_name_are_quoted() {
        let (_, partition_by) = keys("`a b` Int64", &[], "intDiv(`a b`, 100)", Some("Date"));
        assert_eq!(partition_by.as_deref(), Some("toYYYYMM(`a b`)"));
    }
}
