//! Keys of samples as names of columns, and the keys of the table.

use expect_test::{Expect, expect};

use super::super::Inference;
use super::{check, infer};

fn check_keys(samples: &[&str], expected: &Expect) {
    let inferred = infer(&mut Inference::new(), samples);
    let partition_by = inferred.partition_by.map_or_else(|| "tuple()".to_owned(), |key| key.to_string());
    expected.assert_eq(&format!(
        "ORDER BY ({}): {}\nPARTITION BY {partition_by}: {}\n",
        inferred.order_by.join(", "),
        inferred.order_by_reason,
        inferred.partition_by_reason
    ));
}

#[test]
fn keys_of_samples() {
    check(
        &[r#"{"select":1,"it's":2,"é":3,"":4,"_id":5,"_topic":8,"a.b":6,"c[0]":7}"#],
        &expect![[r#"
        select UInt64 | 0.67, sample 0: 1 whole number, none below zero
        it's UInt64 | 0.67, sample 0: 1 whole number, none below zero
        é UInt64 | 0.67, sample 0: 1 whole number, none below zero
        _id UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key begins with `_`, as names of virtual columns do: leave `from` out, so that the column's name stands for the key
        _topic UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key has the name of a virtual column: `from` with the name in backquotes stands for the key; without it the column would hold what Kafka has by that name
        a.b UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        c[0] UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        left out: "": a column has a name, and this key is empty
    "#]],
    );
    check(
        &[r#"{"id":1,"ID":"x"}"#, r#"{"Id":true}"#],
        &expect![[r#"
        id Nullable(UInt64) | 0.67, sample 1: 1 whole number, none below zero; missing in 1 of 2 samples
          note: only letter case tells the key from `ID`, which is a column of its own
        ID Nullable(String) | 0.67, sample 1: 1 text; missing in 1 of 2 samples
          note: only letter case tells the key from `id`, which is a column of its own
        Id Nullable(Bool) | 0.67, sample 1: 1 true or false; missing in 1 of 2 samples
          note: only letter case tells the key from `id`, which is a column of its own
    "#]],
    );
    check(
        &[r#"{"n.a":[1],"n.b":[1,2]}"#],
        &expect![[r#"
            n.a String | 0.33, sample 0: 1 array, kept as text: ClickHouse takes it and columns whose names are the same up to a point for parts of one
              note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
            n.b String | 0.33, sample 0: 1 array, kept as text: ClickHouse takes it and columns whose names are the same up to a point for parts of one
              note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        "#]],
    );
}

#[test]
fn names_that_clash() {
    check(
        &[r#"{"n":1,"n.a":[1]}"#],
        &expect![[r#"
        n UInt64 | 0.67, sample 0: 1 whole number, none below zero
        n.a String | 0.33, sample 0: 1 array, kept as text: ClickHouse takes it and columns whose names are the same up to a point for parts of one
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
    "#]],
    );
    check(
        &[r#"{"n":{"a":1},"n.a":{"b":[]},"n.a.b":2}"#],
        &expect![[r#"
        n JSON | 0.67, sample 0: 1 object, not taken apart: ClickHouse takes it and columns whose names are the same up to a point for parts of one
        n.a JSON | 0.67, sample 0: 1 object, not taken apart: ClickHouse takes it and columns whose names are the same up to a point for parts of one
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        n.a.b UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
    "#]],
    );
    check(
        &[r#"{"n":[{"a":1}],"n.a":2,"m.a":[1],"m.b":2}"#],
        &expect![[r#"
        n String | 0.33, sample 0: 1 array, kept as text: ClickHouse takes it and columns whose names are the same up to a point for parts of one
        n.a UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        m.a Array(UInt64) | 0.67, sample 0: 1 array of 1 whole number, none below zero
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        m.b UInt64 | 0.67, sample 0: 1 whole number, none below zero
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
    "#]],
    );
    check(
        &[r#"{"m.a":{"1":1},"m.b":{"1":2},"t.a":{"x":1},"t.b":{"x":2}}"#],
        &expect![[r#"
        m.a JSON | 0.67, sample 0: 1 object, not taken apart: ClickHouse takes it and columns whose names are the same up to a point for parts of one
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        m.b JSON | 0.67, sample 0: 1 object, not taken apart: ClickHouse takes it and columns whose names are the same up to a point for parts of one
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        t.a Tuple(x UInt64) | 0.67, sample 0: 1 object with the same key
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
        t.b Tuple(x UInt64) | 0.67, sample 0: 1 object with the same key
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
    "#]],
    );
    check(
        &[r#"{"n.null":[1]}"#],
        &expect![[r#"
        n.null String | 0.33, sample 0: 1 array, kept as text: ClickHouse takes it and columns whose names are the same up to a point for parts of one
          note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
    "#]],
    );
    check(
        &[r#"{"t":{"null":1,"x":"y"}}"#],
        &expect![[r#"
        t JSON | 0.67, sample 0: 1 object with values of several kinds, whose keys cannot name elements of a Tuple
    "#]],
    );
}

#[test]
fn sorting_keys() {
    check_keys(
        &[
            r#"{"id":1,"created_at":"2024-01-02T03:04:05Z"}"#,
            r#"{"id":2,"created_at":"2024-01-02T03:04:06Z"}"#,
        ],
        &expect![[r#"
            ORDER BY (created_at, id): created_at for ranges of time, then id to tell rows apart
            PARTITION BY toYYYYMM(created_at): months of created_at: whole partitions can be dropped when they are old, and there are few of them
        "#]],
    );
    check_keys(
        &[r#"{"id":1,"ts":null}"#, r#"{"id":2,"ts":"2024-01-02T03:04:06Z"}"#],
        &expect![[r#"
        ORDER BY (id): id to tell rows apart
        PARTITION BY tuple(): no column that is always there is the time of an event, so that all rows are one partition
    "#]],
    );
    check_keys(
        &[r#"{"day":"1970-01-01","expires_at":"2024-01-02T03:04:06Z"}"#],
        &expect![[r#"
        ORDER BY (): no column that is always there has few values, is a time, or is an id
        PARTITION BY tuple(): no column that is always there is the time of an event, so that all rows are one partition
    "#]],
    );
    check_keys(
        &[r#"{"time":"2004-01-02T03:04:05Z"}"#, r#"{"time":"2024-01-02T03:04:06Z"}"#],
        &expect![[r#"
        ORDER BY (time): time for ranges of time
        PARTITION BY tuple(): the samples span more than 90 months of time: an insert of them would make too many partitions of a month
    "#]],
    );
    check_keys(
        &[r#"{"event time":1714557600123}"#],
        &expect![[r#"
        ORDER BY (event time): event time for ranges of time
        PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(`event time`)): months of event time: whole partitions can be dropped when they are old, and there are few of them
    "#]],
    );
    check_keys(
        &[r#"{"x":1.5}"#],
        &expect![[r#"
        ORDER BY (): no column that is always there has few values, is a time, or is an id
        PARTITION BY tuple(): no column that is always there is the time of an event, so that all rows are one partition
    "#]],
    );
}
