//! Columns out of samples: what was added can be loaded, and five corpora give the tables of their goldens.
//!
//! A golden is a table that somebody was content with, so a change of one has to be meant: `UPDATE_EXPECT=1` writes the
//! files of `testdata/infer` anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use expect_test::expect_file;
use housepipe_transform::{
    Encoder, Inference, InferenceLimits, InferenceOptions, Inferred, Plan, PlanOptions, Semantics,
};
use proptest::prelude::*;

/// Encodes all samples into the columns, with both semantics.
fn load(samples: &[Vec<u8>], inferred: &Inferred) -> Result<(), String> {
    let columns = inferred.columns();
    for semantics in [Semantics::Strict, Semantics::ClickHouse] {
        let options = PlanOptions::default().with_semantics(semantics);
        let plan = Plan::compile(&columns, &options).map_err(|error| format!("{columns}: {error}"))?;
        let mut encoder = Encoder::new(Arc::new(plan));
        for sample in samples {
            if let Err(reject) = encoder.encode(sample, &mut Vec::new()) {
                return Err(format!("{columns}\n{}\n{reject}", String::from_utf8_lossy(sample)));
            }
        }
    }
    Ok(())
}

/// The table as people read it.
fn table(inferred: &Inferred) -> String {
    let mut text = String::new();
    for column in &inferred.columns {
        let decided_by = column.decided_by.map_or_else(String::new, |line| format!(" (line {line})"));
        writeln!(text, "{} {}", column.column.name, column.column.ty).unwrap();
        writeln!(text, "    {:.2}  {}{decided_by}", column.confidence, column.reason).unwrap();
        for note in &column.notes {
            writeln!(text, "    note: {note}").unwrap();
        }
    }
    let partition_by =
        inferred.partition_by.as_ref().map_or_else(|| "tuple()".to_owned(), ToString::to_string);
    writeln!(text, "ORDER BY ({})\n    {}", inferred.order_by.join(", "), inferred.order_by_reason).unwrap();
    writeln!(text, "PARTITION BY {partition_by}\n    {}", inferred.partition_by_reason).unwrap();
    text
}

fn corpus(name: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/infer");
    let text = std::fs::read(folder.join(format!("{name}.jsonl"))).unwrap();
    let samples: Vec<Vec<u8>> =
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    let mut inference = Inference::new();
    for (line, sample) in (1..).zip(&samples) {
        inference.add(sample, line).unwrap();
    }
    let inferred = inference.finish(&InferenceOptions::default());
    load(&samples, &inferred).unwrap();
    expect_file![folder.join(format!("{name}.txt"))].assert_eq(&table(&inferred));
}

#[test]
fn clickstream() {
    corpus("clickstream");
}

#[test]
fn logs() {
    corpus("logs");
}

#[test]
fn events_as_github_has_them() {
    corpus("github");
}

#[test]
fn readings_of_devices() {
    corpus("iot");
}

#[test]
fn orders_with_line_items() {
    corpus("orders");
}

/// Keys with a meaning, odd ones, and ones that repeat often, so that paths meet.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "a", "b", "c", "id", "ts", "created_at", "price", "status_code", "is_new", "port", "rssi", "attributes", "total",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "", "A", "Id", "a.b", "c.d", "c.e", "_key", "7", "select", "it's `q`", "x y", "é", "\\u0061", "\\n", "null",
        ]).prop_map(str::to_owned),
        1 => (0..40u8).prop_map(|n| format!("k{n}")),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "", "x", "de", "2024-01-02", "1969-12-31", "2200-01-01", "1850-01-01", "2024-02-30", "2024/01/02",
            "2024-01-02T03:04:05Z", "2024-01-02 03:04:05.123456789", "2290-01-02 03:04:05.1234567", "2024-01-02T03:04",
            "2024-01-02T03:04:05+02:00", "0000-00-00", "0000-01-01T00:00:00Z", "2024-01-02T24:00:00Z", "10.0.0.1",
            "010.0.0.1", "::1", "2001:db8::1", "::ffff:1.2.3.4", "1::", "6f0e2a4c-1b7d-4c3e-9a51-0d2f6b8c7e90",
            "6F0E2A4C1B7D4C3E9A510D2F6B8C7E90", "1714557600", "1.5", "true", "NULL", "nan", "\\u0041", "\\ud83d\\ude00",
            "\\udc00", "2024-01-02T03\\u003a04:05Z",
        ]).prop_map(str::to_owned),
        1 => "[ -!#-\\[\\]-~]{0,12}",
    ]
}

/// A JSON value as its text.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => Just("null".to_owned()),
        1 => prop::sample::select(vec!["true", "false"]).prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            "0", "1", "-0", "-1", "200", "599", "65535", "65536", "1714557600", "1714557600123", "1714557600123456",
            "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809",
            "170141183460469231731687303715884105728", "340282366920938463463374607431768211456",
            "-340282366920938463463374607431768211456",
            "57896044618658097711785492504343953926634992332820282019728792003956564819968",
            "115792089237316195423570985008687907853269984665640564039457584007913129639936",
            "-57896044618658097711785492504343953926634992332820282019728792003956564819969",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "0.5", "-0.0", "1e3", "1E-400", "1e400", "19.99", "0.123456789", "1714557600.25", "1714557600.1234567891",
            "123456789012345.5", "1.00000", "1e-7",
        ]).prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|n| n.to_string()),
        6 => text().prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(|values| format!("[{}]", values.join(","))),
            2 => object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((key(), value), 0..6).prop_map(|pairs| {
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", pairs.join(","))
    })
}

/// Records of which some look like one another, as those of a topic do, and some do not.
fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let alike = (key(), prop::collection::vec(value(), 1..4), 1..30usize).prop_map(|(key, values, count)| {
        let record = |at: usize| format!("{{\"{key}\":{}}}", values[at % values.len()]).into_bytes();
        (0..count).map(record).collect::<Vec<_>>()
    });
    let other = prop::collection::vec(object(value()).prop_map(String::into_bytes), 1..6);
    let raw = prop::collection::vec(any::<u8>(), 0..4)
        .prop_map(|bytes| vec![[b"{\"a\":\"", &*bytes, b"\",\"b\":{\"k\":\"", &*bytes, b"\"}}"].concat()]);
    prop::collection::vec(prop_oneof![4 => alike, 6 => other, 1 => raw], 1..5)
        .prop_map(|groups| groups.concat())
}

/// Small limits, so that all of them are met.
fn limits() -> impl Strategy<Value = InferenceLimits> {
    (1..8usize, 0..12usize, 0..4usize, 0..3usize, 1..4usize, any::<bool>()).prop_map(
        |(columns, paths, keys, levels, distinct, is_default)| {
            let mut limits = InferenceLimits::default();
            if !is_default {
                (limits.columns_max, limits.paths_max, limits.keys_max) = (columns, paths, keys);
                (limits.levels_max, limits.distinct_max) = (levels, distinct);
            }
            limits
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The law: what was added can be loaded into the columns, with both semantics.
    #[test]
    fn what_was_added_can_be_loaded(
        records in records(),
        limits in limits(),
        json in any::<bool>(),
        low_cardinality in any::<bool>(),
    ) {
        let mut inference = Inference::with_limits(limits);
        let mut added = Vec::new();
        for (number, record) in (0..).zip(records) {
            if inference.add(&record, number).is_ok() {
                added.push(record);
            }
        }
        let options = InferenceOptions::default().with_json(json).with_low_cardinality(low_cardinality);
        let inferred = inference.finish(&options);
        prop_assert_eq!(inferred.samples, added.len() as u64);
        if !inferred.columns.is_empty() {
            let loaded = load(&added, &inferred);
            prop_assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
        }
        for column in &inferred.columns {
            prop_assert!(column.confidence > 0.0 && column.confidence < 1.0, "{:?}", column);
            prop_assert!(column.decided_by.is_some(), "{:?}", column);
            prop_assert_eq!(column.values + column.nulls + column.missing, inferred.samples);
        }
        for key in &inferred.order_by {
            let column = inferred.columns.iter().find(|column| column.column.name == *key).unwrap();
            prop_assert!(!column.column.ty.to_string().contains("Nullable"), "{:?}", column);
        }
    }

    /// The law of whole numbers: each keeps its digits, whatever stands beside it.
    #[test]
    fn whole_numbers_keep_their_digits(
        whole in prop::collection::vec(any::<i64>().prop_flat_map(|n| (0..40u32).prop_map(move |shift| n >> shift)), 1..5),
        others in prop::collection::vec(prop::sample::select(vec!["0.5", "-1.25", "1e3", "null"]), 0..3),
    ) {
        let whole = whole.iter().map(i64::to_string);
        let values: Vec<String> = whole.chain(others.iter().map(|other| (*other).to_owned())).collect();
        let mut inference = Inference::new();
        let samples: Vec<String> = values.iter().map(|value| format!("{{\"a\":{value}}}")).collect();
        for (number, sample) in (0..).zip(&samples) {
            inference.add(sample.as_bytes(), number).unwrap();
        }
        let columns = inference.finish(&InferenceOptions::default()).columns();
        let plan = Arc::new(Plan::compile(&columns, &PlanOptions::default()).unwrap());
        let mut encoder = Encoder::new(Arc::clone(&plan));
        for (value, sample) in values.iter().zip(&samples).filter(|(value, _)| value.parse::<i64>().is_ok()) {
            let mut row = Vec::new();
            encoder.encode(sample.as_bytes(), &mut row).unwrap();
            let stored = plan.decode(&row).next().unwrap().unwrap();
            let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
            let same = match &stored["a"] {
                serde_json::Value::String(text) => text == value,
                // A Float64 is printed with a point.
                number => {
                    number.as_i64() == value.parse().ok()
                        || number.as_f64().is_some_and(|float| format!("{float:.0}") == *value)
                }
            };
            prop_assert!(same, "{} stores {} for {}", columns, stored, value);
        }
    }

    #[test]
    fn no_bytes_are_too_odd(sample in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut inference = Inference::new();
        let _ = inference.add(&sample, 0);
        prop_assert!(inference.finish(&InferenceOptions::default()).columns.len() < 64);
    }
}
