//! Columns that records are said to have.

use expect_test::{Expect, expect};

use super::{columns, infer};
use crate::infer::{ExpectedColumn, Inference, InferenceLimits};

/// Columns by `name type`, of which those that begin with `?` are for samples that do not have them.
fn check(expected: &[&str], samples: &[&str], outcome: &Expect) {
    let mut inference = Inference::new();
    for column in expected {
        let (name, ty) = column.trim_start_matches('?').split_once(' ').unwrap();
        let column_of = ExpectedColumn::new(name, ty.parse().unwrap(), "it says so");
        let is_open = column.starts_with('?');
        inference.expect(if is_open { column_of.unless_seen() } else { column_of }).unwrap();
    }
    let inferred = infer(&mut inference, samples);
    let keys = format!("ORDER BY {:?} PARTITION BY {:?}\n", inferred.order_by, inferred.partition_by);
    outcome.assert_eq(&(columns(&inferred) + &keys));
}

#[test]
fn without_samples_they_are_all_there_is() {
    check(
        &["id UInt64", "at DateTime64(3, 'UTC')", "kind LowCardinality(String)", "?note Nullable(String)"],
        &[],
        &expect![[r#"
            id UInt64 | 0.99, sample -: it says so
            at DateTime64(3, 'UTC') | 0.99, sample -: it says so
            kind LowCardinality(String) | 0.99, sample -: it says so
            note Nullable(String) | 0.50, sample -: it says so
            ORDER BY ["at", "id"] PARTITION BY Some(Month { column: "at" })
        "#]],
    );
}

#[test]
fn they_go_before_samples_that_fit() {
    check(
        &["level UInt8", "kind LowCardinality(String)", "?text String", "gone Int64", "more Array(String)"],
        &[r#"{"text":"10.0.0.1","level":3,"kind":"a"}"#, r#"{"text":"10.0.0.2","level":4,"kind":"b"}"#],
        &expect![[r#"
            text IPv4 | 0.75, sample 0: 2 IPv4 addresses
            level UInt8 | 0.99, sample -: it says so
            kind LowCardinality(String) | 0.99, sample -: it says so
            gone Nullable(Int64) | 0.99, sample -: it says so; no sample has it
            more Array(String) | 0.99, sample -: it says so; no sample has it
            ORDER BY ["kind"] PARTITION BY None
        "#]],
    );
}

#[test]
fn samples_that_do_not_fit_go_before_them() {
    check(
        &["a UInt8", "b DateTime64(3, 'UTC')", "c Tuple(x Int64)", "d UUID"],
        &[
            r#"{"a":3,"b":"2026-01-01T10:00:00Z","c":{"x":1},"d":null}"#,
            r#"{"a":300,"b":"soon","c":{"x":"y"}}"#,
        ],
        &expect![[r#"
            a UInt64 | 0.75, sample 0: 2 whole numbers, none below zero
              note: not every sample fits UInt8, which was expected: it says so
            b String | 0.75, sample 1: 2 texts, all different
              note: not every sample fits DateTime64(3, 'UTC'), which was expected: it says so
            c Tuple(x String) | 0.50, sample 1: 2 objects with the same key
              note: not every sample fits Tuple(x Int64), which was expected: it says so
            d Nullable(UUID) | 0.99, sample 0: it says so; missing in 1 and null in 1 of 2 samples
            ORDER BY [] PARTITION BY None
        "#]],
    );
}

#[test]
fn samples_may_know_it_better() {
    check(
        &["created_at Int64", "price Float64", "at DateTime64(3, 'UTC')", "sent_ms Int64"],
        &[
            r#"{"created_at":1767261600,"price":3.99,"at":"2026-01-01T10:00:00.123456Z","sent_ms":1767261600000}"#,
        ],
        &expect![[r#"
            created_at DateTime('UTC') | 0.67, sample 0: 1 number of seconds since 1970, by name and size
            price Decimal(18, 4) | 0.67, sample 0: 1 number with up to 2 digits behind the point, under the name of an amount of money
            at DateTime64(6, 'UTC') | 0.67, sample 0: 1 date with time, with up to 6 digits of a second
            sent_ms Int64 | 0.99, sample -: it says so
              note: fromUnixTimestamp64Milli(sent_ms) is the moment; a column may be MATERIALIZED from it
            ORDER BY ["created_at"] PARTITION BY Some(Month { column: "created_at" })
        "#]],
    );
}

#[test]
fn nothing_that_samples_show_is_stored_otherwise() {
    check(
        &[
            "n Float64",
            "small Float64",
            "day Date32",
            "at Array(DateTime64(3, 'UTC'))",
            "list Array(String)",
            "o Tuple(a Int64)",
            "empty Array(UInt8)",
            "text String",
        ],
        &[
            r#"{"n":9007199254740993,"small":7,"day":"9999-12-31","at":["2026-01-01T10:00:00.123456Z"],"list":[null,"a"],
               "o":{"a":1,"b":2},"empty":[],"text":1}"#,
        ],
        &expect![[r#"
            n UInt64 | 0.67, sample 0: 1 whole number, none below zero
            small Float64 | 0.99, sample -: it says so
            day String | 0.67, sample 0: 1 text
            at Array(DateTime64(6, 'UTC')) | 0.67, sample 0: 1 array of 1 date with time, with up to 6 digits of a second
            list Array(Nullable(String)) | 0.67, sample 0: 1 array of 1 text
            o Tuple(a UInt64, b UInt64) | 0.67, sample 0: 1 object with the same 2 keys
            empty Array(UInt8) | 0.99, sample -: it says so
            text String | 0.99, sample -: it says so
            ORDER BY [] PARTITION BY None
        "#]],
    );
}

#[test]
fn a_key_without_a_place_is_no_column() {
    let limits = InferenceLimits { columns_max: 2, ..InferenceLimits::default() };
    let mut inference = Inference::with_limits(limits);
    for name in ["b", "c"] {
        inference.expect(ExpectedColumn::new(name, "UInt8".parse().unwrap(), "")).unwrap();
    }
    let inferred = infer(&mut inference, &[r#"{"x":1,"y":1,"b":"text"}"#]);
    assert_eq!(inferred.columns().to_string(), "x UInt64, y UInt64, c Nullable(UInt8)");
}

#[test]
fn parts_of_others_are_left_out() {
    check(
        &["a Tuple(b Int64)", "c.d Array(String)", "e Tuple(f Int64)", "e.f Int64", "g.h Int64"],
        &[r#"{"a.b":1,"g":{"h":1}}"#],
        &expect![[r#"
            a.b UInt64 | 0.67, sample 0: 1 whole number, none below zero
              note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
            g Tuple(h UInt64) | 0.67, sample 0: 1 object with the same key
            e.f Nullable(Int64) | 0.99, sample -: it says so; no sample has it
              note: the key has a point or a bracket, as paths have: leave `from` out, so that the column's name stands for the key
            left out: "a": it says so, and no sample has it: ClickHouse would take it and columns whose names are the same up to a point for parts of one
            left out: "c.d": it says so, and no sample has it: ClickHouse would take it and columns whose names are the same up to a point for parts of one
            left out: "e": it says so, and no sample has it: ClickHouse would take it and columns whose names are the same up to a point for parts of one
            left out: "g.h": it says so, and no sample has it: ClickHouse would take it and columns whose names are the same up to a point for parts of one
            ORDER BY [] PARTITION BY None
        "#]],
    );
}

#[test]
fn what_no_plan_could_have_is_refused() {
    let limits = InferenceLimits { columns_max: 1, ..InferenceLimits::default() };
    let mut inference = Inference::with_limits(limits);
    let mut expect_type = |name: &str, ty: &str| {
        let column = ExpectedColumn::new(name, ty.parse().unwrap(), "");
        inference.expect(column).map_err(|error| error.to_string())
    };
    for (name, ty, said) in [
        ("a", "Nullable(Array(String))", "Nullable"),
        ("a", "DateTime('Asia/Tokyo')", "in UTC"),
        ("a", "Nested(x Int8, y Int8)", "one column"),
        ("", "Int8", "no name"),
    ] {
        let error = expect_type(name, ty).unwrap_err();
        assert!(error.contains(said), "{ty}: {error}");
    }
    expect_type("a", "Int8").unwrap();
    assert!(expect_type("b", "Int8").unwrap_err().contains("more columns than the limit"));
}
