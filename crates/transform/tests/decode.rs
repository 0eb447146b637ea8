//! Rows decoded back are what ClickHouse prints, and garbage is an error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

mod support;

use std::sync::Arc;

use housepipe_transform::{Columns, Encoder, Plan, PlanOptions, RowFormat, Semantics};
use proptest::prelude::*;
use serde_json::Value;
use support::cases::{load, unhex};
use support::oracle::Oracle;

fn plan(columns: &str) -> Plan {
    Plan::compile(&columns.parse::<Columns>().unwrap(), &PlanOptions::default()).unwrap()
}

/// Equal, floats up to their last digits: ClickHouse prints them in another way.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        (Value::Number(a), Value::Number(b)) if a != b => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-6
        }
        (Value::String(a), Value::String(b)) => {
            // How many replacements stand for bytes that are no text is a matter of taste.
            a.split('\u{FFFD}')
                .filter(|part| !part.is_empty())
                .eq(b.split('\u{FFFD}').filter(|part| !part.is_empty()))
        }
        _ => a == b,
    }
}

#[test]
fn rows_of_every_case_are_json_and_what_clickhouse_prints() {
    let mut oracle = Oracle::from_environment();
    let mut wrong = Vec::new();
    for (path, case) in load() {
        let (Some(row), None) = (&case.row, &case.clickhouse) else { continue };
        let row = unhex(row);
        let texts: Vec<String> = plan(&case.columns).decode(&row).collect::<Result<_, _>>().unwrap();
        let [text] = texts.as_slice() else { panic!("{} rows: {case:?}", texts.len()) };
        if text.matches(['{', '[']).count() > 100 || text.contains(&"9".repeat(309)) {
            // Deeper than the parser of this test goes, or a number that no double holds.
            continue;
        }
        let ours: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        // JSON columns are sent as text; ClickHouse prints them by its own order of paths.
        let Some(oracle) = oracle.as_mut().filter(|_| !case.columns.contains("JSON")) else { continue };
        match oracle.print(&case.columns, &row) {
            Ok(printed) => {
                let Ok(theirs) = serde_json::from_slice::<Value>(&printed) else {
                    // ClickHouse prints what is no number in a QBit without quotes, which is not JSON.
                    let printed = String::from_utf8_lossy(&printed);
                    assert!(
                        case.columns.contains("QBit") && (printed.contains("nan") || printed.contains("inf")),
                        "{printed}"
                    );
                    continue;
                };
                if !alike(&ours, &theirs) {
                    wrong.push(format!(
                        "{}: {case:?}\n  ours {ours}\n  ClickHouse's {theirs}",
                        path.display()
                    ));
                }
            }
            // A number that its Enum does not have.
            Err(error) => assert!(error.contains("691"), "{case:?}: {error}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn moments_beyond_the_calendar_are_cut_to_it() {
    let plan = plan("a DateTime64(0, 'Europe/Berlin'), b DateTime64(3), c Date32");
    let row = [i64::MAX.to_le_bytes(), i64::MIN.to_le_bytes()].concat();
    let mut rows = plan.decode(&[&row[..], &i32::MIN.to_le_bytes()].concat()).collect::<Vec<_>>();
    let text = r#"{"a":"9999-12-31 23:59:59","b":"0000-01-01 00:00:00.000","c":"0000-01-01"}"#;
    assert_eq!(rows.pop().unwrap().unwrap(), text);
}

#[test]
fn markers_leave_a_column_to_the_server() {
    let columns: Columns = "a UInt8, b String".parse().unwrap();
    let columns: Columns = columns.iter().map(|column| column.clone().with_default_expression()).collect();
    let options = PlanOptions::default()
        .with_format(RowFormat::RowBinaryWithDefaults)
        .with_semantics(Semantics::Strict);
    let plan = Arc::new(Plan::compile(&columns, &options).unwrap());
    let mut rows = Vec::new();
    let mut encoder = Encoder::new(Arc::clone(&plan));
    for record in [&br#"{"b":"x\n"}"#[..], br#"{"a":7}"#, b"{}"] {
        encoder.encode(record, &mut rows).unwrap();
    }
    let texts: Vec<String> = plan.decode(&rows).collect::<Result<_, _>>().unwrap();
    assert_eq!(texts, [r#"{"b":"x\n"}"#, r#"{"a":7}"#, "{}"]);
}

#[test]
fn what_is_cut_off_is_an_error_with_its_place() {
    let plan = plan("a UInt32, b String");
    let mut rows = plan.decode(b"\x01\0\0\0\x02hi\x02\0\0\0\x05hi");
    assert_eq!(rows.next().unwrap().unwrap(), r#"{"a":1,"b":"hi"}"#);
    let error = rows.next().unwrap().unwrap_err();
    assert_eq!((error.position, error.column.as_str()), (12, "b"));
    assert_eq!(error.to_string(), "at byte 12 of the rows: the rows end inside a value");
    assert!(rows.next().is_none());
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let plan = plan(
            "a UInt8, b Array(Tuple(x String, y Nullable(Float64))), c Map(UInt8, Array(Date32)), \
             d DateTime64(9, 'Europe/Berlin'), e Enum8('p' = 1), g FixedString(4), i IPv6, j UUID",
        );
        for text in plan.decode(&bytes).flatten() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }
}

#[test]
fn a_length_that_lies_is_an_error() {
    for (columns, rows) in [
        ("a Array(Tuple())", &[0xFF, 0xFF, 0xFF, 0x7F][..]),
        ("a Array(Tuple())", &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        ("a Array(UInt8)", &[0x80, 0x80, 0x80, 0x01, 1]),
        ("a Map(Tuple(), Tuple())", &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
    ] {
        let plan = plan(columns);
        assert!(plan.decode(rows).next().is_some_and(|row| row.is_err()), "{columns}");
    }
    assert_eq!(plan("a Array(Tuple())").decode(&[2]).next().unwrap().unwrap(), r#"{"a":[[],[]]}"#);
}
