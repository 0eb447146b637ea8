//! Columns that are filled by something else than a field of their own: paths, virtual columns, constants.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use housepipe_transform::{
    Column, Columns, DataType, EachHeader, Encoder, Engine, Envelope, Limits, Path, Plan, PlanError,
    PlanOptions, Reject, RejectCode, RowFormat, Semantics, Source, Tier, Virtual,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Columns from `name type` and what fills each.
fn columns(list: &[(&str, &str, &str)]) -> Columns {
    let column = |(name, ty, from): &(&str, &str, &str)| {
        let source = match from.strip_prefix('=') {
            Some(text) => Source::Constant(text.to_owned()),
            None => from.parse().unwrap(),
        };
        Column::new(*name, ty.parse::<DataType>().unwrap()).from_source(source)
    };
    list.iter().map(column).collect()
}

fn plan(list: &[(&str, &str, &str)], options: &PlanOptions) -> Result<Arc<Plan>, PlanError> {
    Plan::compile(&columns(list), options).map(Arc::new)
}

/// Row format with markers, so that columns may have DEFAULT expressions.
fn marked() -> PlanOptions {
    PlanOptions::default().with_format(RowFormat::RowBinaryWithDefaults)
}

#[derive(Debug, Clone, Copy)]
struct Message<'a> {
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<&'a [u8]>,
    raw: Option<&'a [u8]>,
    headers: &'a [(&'a str, Option<&'a str>)],
}

impl Message<'_> {
    const PLAIN: Message<'static> = Message {
        partition: 3,
        offset: 1_000_000_000_000,
        timestamp_ms: Some(1_700_000_000_123),
        key: Some(b"k\xff"),
        raw: Some(b"\0\0\0\0\x01{}"),
        headers: &[("trace", Some("7")), ("none", None), ("trace", Some(""))],
    };
    const BARE: Message<'static> =
        Message { partition: 0, offset: 0, timestamp_ms: None, key: None, raw: None, headers: &[] };
}

impl Envelope for Message<'_> {
    fn topic(&self) -> &str {
        "clicks"
    }

    fn partition(&self) -> i32 {
        self.partition
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp_ms(&self) -> Option<i64> {
        self.timestamp_ms
    }

    fn key(&self) -> Option<&[u8]> {
        self.key
    }

    fn raw_message(&self) -> Option<&[u8]> {
        self.raw
    }

    fn each_header(&self, each: &mut EachHeader<'_>) {
        self.headers.iter().for_each(|(name, value)| each(name.as_bytes(), value.map(str::as_bytes)));
    }
}

/// The row of a record as JSON; else code, column and message of its reject.
fn row(plan: &Arc<Plan>, record: &[u8], message: &Message<'_>) -> Result<Value, String> {
    let mut rows = Vec::new();
    match Encoder::new(Arc::clone(plan)).encode_with(record, message, &mut rows) {
        Ok(()) => {
            let texts: Vec<String> = plan.decode(&rows).collect::<Result<_, _>>().unwrap();
            assert_eq!(texts.len(), 1);
            Ok(serde_json::from_str(&texts[0]).unwrap())
        }
        Err(reject) => {
            assert!(rows.is_empty());
            Err(format!("{reject}"))
        }
    }
}

const ALL_VIRTUAL: [(&str, &str, &str); 9] = [
    ("key", "String", "_key"),
    ("ts", "DateTime64(3, 'UTC')", "_timestamp"),
    ("part", "Int32", "_partition"),
    ("off", "Int64", "_offset"),
    ("topic", "LowCardinality(String)", "_topic"),
    ("names", "Array(LowCardinality(String))", "_header_keys"),
    ("values", "Array(String)", "_header_values"),
    ("raw", "String", "_raw_message"),
    ("a", "UInt8", "a"),
];

#[test]
fn virtual_columns_hold_what_is_known_of_the_record() {
    for options in [PlanOptions::default(), marked()] {
        let plan = plan(&ALL_VIRTUAL, &options).unwrap();
        assert!(plan.columns().to_string().starts_with("a UInt8, key String, "), "{}", plan.columns());
        let full = row(&plan, br#"{"a":1}"#, &Message { key: Some(b"k"), ..Message::PLAIN }).unwrap();
        assert_eq!(
            full,
            json!({
                "a": 1, "key": "k", "ts": "2023-11-14 22:13:20.123", "part": 3, "off": 1_000_000_000_000_i64,
                "topic": "clicks", "names": ["trace", "none", "trace"], "values": ["7", "", ""],
                "raw": "\0\0\0\0\u{1}{}",
            })
        );
        let bare = row(&plan, b"{}", &Message::BARE).unwrap();
        assert_eq!(
            bare,
            json!({
                "a": 0, "key": "", "ts": "1970-01-01 00:00:00.000", "part": 0, "off": 0, "topic": "clicks",
                "names": [], "values": [], "raw": "",
            })
        );
    }
}

#[test]
fn bytes_of_keys_and_messages_are_kept() {
    let plan =
        plan(&[("k", "Nullable(String)", "_key"), ("r", "String", "_raw_message")], &PlanOptions::default());
    let mut rows = Vec::new();
    Encoder::new(plan.unwrap()).encode_with(b"", &Message::PLAIN, &mut rows).unwrap();
    assert_eq!(rows, b"\0\x02k\xff\x07\0\0\0\0\x01{}");
}

#[test]
fn every_type_of_a_virtual_column_has_its_bytes() {
    let late = Message { timestamp_ms: Some(1_999), partition: 65_535, offset: 258, ..Message::BARE };
    let cases: [(&str, &str, &[u8]); 17] = [
        ("_timestamp", "DateTime64(0)", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("_timestamp", "DateTime64(2)", &[199, 0, 0, 0, 0, 0, 0, 0]),
        ("_timestamp", "DateTime64(3)", &[0xcf, 7, 0, 0, 0, 0, 0, 0]),
        ("_timestamp", "DateTime64(6)", &[0x98, 0x80, 0x1e, 0, 0, 0, 0, 0]),
        ("_timestamp", "DateTime64(9)", &[0xc0, 0x51, 0x26, 0x77, 0, 0, 0, 0]),
        ("_timestamp", "DateTime('UTC')", &[1, 0, 0, 0]),
        ("_timestamp", "Nullable(DateTime)", &[0, 1, 0, 0, 0]),
        ("_timestamp", "Int64", &[0xcf, 7, 0, 0, 0, 0, 0, 0]),
        ("_timestamp", "UInt64", &[0xcf, 7, 0, 0, 0, 0, 0, 0]),
        ("_partition", "UInt16", &[0xff, 0xff]),
        ("_partition", "Int32", &[0xff, 0xff, 0, 0]),
        ("_partition", "Nullable(UInt32)", &[0, 0xff, 0xff, 0, 0]),
        ("_partition", "Int64", &[0xff, 0xff, 0, 0, 0, 0, 0, 0]),
        ("_offset", "UInt64", &[2, 1, 0, 0, 0, 0, 0, 0]),
        ("_offset", "Int64", &[2, 1, 0, 0, 0, 0, 0, 0]),
        ("_key", "LowCardinality(Nullable(String))", &[1]),
        ("_topic", "Nullable(String)", b"\0\x06clicks"),
    ];
    for (from, ty, bytes) in cases {
        for (options, marker) in [(PlanOptions::default(), None), (marked(), Some(0))] {
            let plan = plan(&[("c", ty, from)], &options).unwrap();
            let mut rows = Vec::new();
            Encoder::new(plan).encode_with(b"no JSON", &late, &mut rows).unwrap();
            let expected: Vec<u8> = marker.into_iter().chain(bytes.iter().copied()).collect();
            assert_eq!(rows, expected, "{from} as {ty}");
        }
    }
}

#[test]
fn moments_and_numbers_that_no_type_holds_are_rejects() {
    let error = |from, ty, message: &Message<'_>| {
        let plan = plan(&[("c", ty, from)], &PlanOptions::default()).unwrap();
        row(&plan, b"", message).unwrap_err()
    };
    let at = |timestamp_ms| Message { timestamp_ms: Some(timestamp_ms), ..Message::BARE };
    let beyond =
        "c: 10413792000000 is out of the range of milliseconds for a DateTime64 (out_of_range at byte 0)";
    assert_eq!(error("_timestamp", "DateTime64(3)", &at(10_413_792_000_000)), beyond);
    for (ty, timestamp_ms) in [
        ("DateTime64(3)", -2_208_988_800_001),
        ("DateTime64(9)", 9_300_000_000_000),
        ("DateTime64(3)", i64::MIN),
        ("DateTime64(0)", i64::MAX),
        ("DateTime", -1),
        ("DateTime", 4_294_967_296_000),
        ("UInt64", -1),
    ] {
        assert!(error("_timestamp", ty, &at(timestamp_ms)).contains("out_of_range"), "{ty} {timestamp_ms}");
    }
    let negative = Message { partition: -1, offset: -1, ..Message::BARE };
    assert!(error("_partition", "UInt32", &negative).contains("-1 is out of the range of the column's type"));
    assert!(error("_offset", "UInt64", &negative).contains("out_of_range"));
    let wide = Message { partition: 65_536, ..Message::BARE };
    assert!(error("_partition", "UInt16", &wide).contains("out_of_range"));
}

#[test]
fn a_default_of_the_server_stands_in_where_nothing_is_known() {
    let column = |ty: &str, known| {
        let source = Source::Virtual(known);
        Column::new("c", ty.parse().unwrap()).from_source(source).with_default_expression()
    };
    let bytes = |column: Column, message: &Message<'_>| {
        let plan = Plan::compile(&Columns::new(vec![column]), &marked()).unwrap();
        let mut rows = Vec::new();
        Encoder::new(Arc::new(plan)).encode_with(b"", message, &mut rows).unwrap();
        rows
    };
    assert_eq!(bytes(column("DateTime", Virtual::Timestamp), &Message::BARE), [1]);
    assert_eq!(bytes(column("String", Virtual::Key), &Message::BARE), [1]);
    assert_eq!(bytes(column("Nullable(String)", Virtual::Key), &Message::BARE), [0, 1]);
    assert_eq!(bytes(column("String", Virtual::Key), &Message::PLAIN), [0, 2, b'k', 0xff]);
    assert_eq!(bytes(column("String", Virtual::RawMessage), &Message::BARE), [1]);
    assert_eq!(bytes(column("Nullable(String)", Virtual::RawMessage), &Message::BARE), [0, 1]);
    let empty = Message { raw: Some(b""), ..Message::BARE };
    assert_eq!(bytes(column("Nullable(String)", Virtual::RawMessage), &empty), [0, 0, 0]);
}

#[test]
fn headers_may_be_null() {
    for (of_keys, of_values) in [
        ("Array(Nullable(String))", "Array(Nullable(String))"),
        ("Array(LowCardinality(Nullable(String)))", "Array(LowCardinality(Nullable(String)))"),
        ("Array(LowCardinality(String))", "Array(Nullable(String))"),
    ] {
        for options in [PlanOptions::default(), marked()] {
            let list =
                [("k", of_keys, "_header_keys"), ("v", of_values, "_header_values"), ("a", "UInt8", "a")];
            let plan = plan(&list, &options).unwrap();
            let full = row(&plan, br#"{"a":1}"#, &Message::PLAIN).unwrap();
            assert_eq!(
                full,
                json!({"a": 1, "k": ["trace", "none", "trace"], "v": ["7", null, ""]}),
                "{of_values}"
            );
            let bare = row(&plan, br#"{"a":1}"#, &Message::BARE).unwrap();
            assert_eq!(bare, json!({"a": 1, "k": [], "v": []}));
        }
    }
}

/// A record that has one header more each time it is asked.
#[derive(Debug, Default)]
struct Growing(Cell<usize>);

impl Envelope for Growing {
    fn topic(&self) -> &str {
        ""
    }

    fn partition(&self) -> i32 {
        0
    }

    fn offset(&self) -> i64 {
        0
    }

    fn timestamp_ms(&self) -> Option<i64> {
        None
    }

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn raw_message(&self) -> Option<&[u8]> {
        None
    }

    fn each_header(&self, each: &mut EachHeader<'_>) {
        self.0.set(self.0.get() + 1);
        (0..self.0.get()).for_each(|_| each(b"name", None));
    }
}

#[test]
fn an_array_is_as_long_as_what_came() {
    let list = [
        ("k", "Array(String)", "_header_keys"),
        ("v", "Array(Nullable(String))", "_header_values"),
        ("a", "UInt8", "a"),
    ];
    let plan = plan(&list, &PlanOptions::default()).unwrap();
    let (mut encoder, mut rows, growing) = (Encoder::new(Arc::clone(&plan)), Vec::new(), Growing::default());
    for _ in 0..64 {
        encoder.encode_with(br#"{"a":1}"#, &growing, &mut rows).unwrap();
    }
    for (number, text) in plan.decode(&rows).enumerate() {
        let row: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let (keys, values) = (row["k"].as_array().unwrap(), row["v"].as_array().unwrap());
        assert_eq!((keys.len(), values.len()), (2 * number + 1, 2 * number + 2));
        assert!(keys.iter().all(|key| key == "name") && values.iter().all(Value::is_null));
    }
}

#[test]
fn types_that_a_virtual_column_does_not_fill_are_refused() {
    let error = |from, ty| plan(&[("c", ty, from)], &PlanOptions::default()).unwrap_err().to_string();
    assert_eq!(
        error("_offset", "Int32"),
        "column `c`: _offset does not fill Int32; it is an Int64 or a UInt64 (a field of the record that has this name is written `_offset`, in backquotes)"
    );
    for (from, ty) in [
        ("_key", "FixedString(3)"),
        ("_partition", "UInt8"),
        ("_topic", "Enum8('a' = 1)"),
        ("_timestamp", "Date"),
        ("_header_keys", "String"),
        ("_header_values", "Map(String, String)"),
        ("_raw_message", "JSON"),
    ] {
        assert!(error(from, ty).starts_with(&format!("column `c`: {from} does not fill ")), "{from} {ty}");
    }
}

#[test]
fn without_fields_any_bytes_are_a_record() {
    let plan =
        plan(&[("r", "String", "_raw_message"), ("v", "UInt8", "=7")], &PlanOptions::default()).unwrap();
    let message = Message { raw: Some(b"\xff{"), ..Message::BARE };
    let mut rows = Vec::new();
    let mut encoder = Encoder::new(plan);
    let records: [&[u8]; 6] = [b"", b"{", b"\xff", b"[]", b"x", b"{}"];
    let ends: Vec<usize> =
        collect(&mut encoder, &records, |_| message, &mut rows).into_iter().flatten().collect();
    assert_eq!(ends, [4, 8, 12, 16, 20, 24]);
    assert_eq!(&rows[..4], b"\x02\xff{\x07");
}

#[test]
fn without_fields_a_record_still_has_its_limits() {
    let mut limits = Limits::default();
    limits.record_bytes_max = 3;
    let options = PlanOptions::default().with_limits(limits).with_strict_utf8(true);
    let plan = plan(&[("v", "UInt8", "=7")], &options).unwrap();
    let mut rows = Vec::new();
    let records: [&[u8]; 5] = [b"abc", b"abcd", b"\xff", "\u{e9}".as_bytes(), b""];
    let results = collect(&mut Encoder::new(plan), &records, |_| Message::BARE, &mut rows);
    let codes: Vec<_> = results.into_iter().map(|row| row.map_err(|reject| reject.code)).collect();
    assert_eq!(codes, [Ok(1), Err(RejectCode::RecordTooLarge), Err(RejectCode::InvalidUtf8), Ok(2), Ok(3)]);
}

/// What is null on the way to a value is missing; a null in its place is a null.
#[test]
fn null_on_the_way_is_not_null_at_the_end() {
    let y = Column::new("y", "Nullable(UInt8)".parse().unwrap()).with_default_expression();
    let columns = Columns::new(vec![y.from_source("o.y".parse().unwrap())]);
    let plan = Arc::new(Plan::compile(&columns, &marked()).unwrap());
    for (record, row) in
        [(r#"{"o":null}"#, &[1][..]), (r#"{"o":{}}"#, &[1]), ("{}", &[1]), (r#"{"o":{"y":null}}"#, &[0, 1])]
    {
        let mut rows = Vec::new();
        Encoder::new(Arc::clone(&plan)).encode(record.as_bytes(), &mut rows).unwrap();
        assert_eq!(rows, row, "{record}");
    }
}

#[test]
fn constants_are_read_as_the_type_reads_them() {
    for (ty, text, value) in [
        ("String", "shop", json!("shop")),
        ("String", "12", json!("12")),
        ("String", "a \"b\" \\ \n", json!("a \"b\" \\ \n")),
        ("LowCardinality(Nullable(String))", "x", json!("x")),
        ("UInt16", "512", json!(512)),
        ("Float64", "1.5", json!(1.5)),
        ("Bool", "true", json!(true)),
        ("Date", "2024-02-29", json!("2024-02-29")),
        ("DateTime('Europe/Berlin')", "2024-07-01 12:00:00", json!("2024-07-01 12:00:00")),
        ("Enum8('a' = 1, 'b' = 2)", "b", json!("b")),
        ("Array(UInt8)", "[1,2]", json!([1, 2])),
        ("Map(String, UInt8)", " {\"a\":1} ", json!({"a": 1})),
        ("Tuple(x UInt8, y String)", "{\"x\":1,\"y\":\"z\"}", json!({"x": 1, "y": "z"})),
    ] {
        for options in [PlanOptions::default(), marked()] {
            let constant = format!("={text}");
            let plan = plan(&[("a", "UInt8", "a"), ("c", ty, &constant)], &options).unwrap();
            assert_eq!(
                row(&plan, br#"{"a":1,"c":9}"#, &Message::BARE).unwrap(),
                json!({"a": 1, "c": value}),
                "{ty}"
            );
        }
    }
}

/// In either semantics: a constant stands in every row.
#[test]
fn constants_that_do_not_fit_are_refused() {
    let lenient = PlanOptions::default().with_semantics(Semantics::ClickHouse);
    for options in [PlanOptions::default(), lenient] {
        for (ty, text, reason) in [
            ("UInt8", "300", "the number does not fit UInt8"),
            ("Int8", "-129", "the number does not fit Int8"),
            ("Nullable(Enum8('a' = 1))", "2", ""),
            ("Array(UInt8)", "[1] x", "something follows the value"),
            ("DateTime", "yesterday", ""),
            ("UInt8", "", "an empty text is no value of it"),
            ("Int256", "", "an empty text is no value of it"),
            ("Nullable(Float64)", "", "an empty text is no value of it"),
            ("LowCardinality(Nullable(UInt16))", "", "an empty text is no value of it"),
            ("Decimal(9, 2)", "", "an empty text is no value of it"),
            ("DateTime", "", "an empty text is no value of it"),
            ("UInt8", " ", ""),
            ("Float64", " ", ""),
            ("UInt8", "null", "null is no value of it"),
            ("Array(UInt8)", "null", "null is no value of it"),
        ] {
            let error = plan(&[("c", ty, &format!("={text}"))], &options).unwrap_err().to_string();
            let expected = format!("column `c`: {ty} does not take its constant: {reason}");
            assert!(error.starts_with(&expected), "{text:?}: {error}");
        }
        for ty in [
            "UInt8",
            "UUID",
            "Enum8('a' = 1)",
            "FixedString(3)",
            "IPv4",
            "Decimal(9, 2)",
            "Map(String, UInt8)",
        ] {
            let error = plan(&[("c", ty, "=hunter2")], &options).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "it may be a secret: {error}");
        }
        for (ty, row) in [("String", &[0][..]), ("Nullable(String)", &[0, 0]), ("FixedString(2)", &[0, 0])] {
            let plan = plan(&[("c", ty, "=")], &options).unwrap();
            let mut rows = Vec::new();
            Encoder::new(plan).encode(b"", &mut rows).unwrap();
            assert_eq!(rows, row, "{ty}");
        }
    }
}

#[test]
fn a_constant_may_be_null() {
    let columns = |ty: &str| {
        Columns::new(vec![Column::new("c", ty.parse::<DataType>().unwrap()).from_source(Source::Null)])
    };
    for (options, row) in [(PlanOptions::default(), &[1][..]), (marked(), &[0, 1])] {
        for ty in ["Nullable(UInt64)", "LowCardinality(Nullable(String))"] {
            let plan = Plan::compile(&columns(ty), &options).unwrap();
            let mut rows = Vec::new();
            Encoder::new(Arc::new(plan)).encode(b"", &mut rows).unwrap();
            assert_eq!(rows, row, "{ty}");
        }
        let error = Plan::compile(&columns("UInt64"), &options).unwrap_err().to_string();
        assert_eq!(
            error,
            "column `c`: UInt64 does not take its constant: NULL is a value of Nullable types alone"
        );
    }
}

const PATHS: [(&str, &str, &str); 7] = [
    ("id", "UInt32", "user.id"),
    ("n", "UInt8", "n"),
    ("city", "Nullable(String)", "user.address.city"),
    ("zip", "String", "user.address.zip"),
    ("first", "String", "user.mails[0].text"),
    ("third", "String", "user.mails[2].text"),
    ("odd", "String", "user.`a.b`"),
];

#[test]
fn values_are_found_inside_of_objects_and_arrays() {
    for options in [PlanOptions::default(), marked()] {
        let plan = plan(&PATHS, &options).unwrap();
        let names: Vec<&str> = plan.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "city", "zip", "first", "third", "odd", "n"]);
        let row = |record: &str| row(&plan, record.as_bytes(), &Message::BARE);
        let full = r#"{"n":1,"user":{"id":7,"address":{"city":"Ulm","zip":"8"},"mails":[{"text":"x"},{},{"text":"y"}],"a.b":"q"}}"#;
        let all = json!({"id":7,"n":1,"city":"Ulm","zip":"8","first":"x","third":"y","odd":"q"});
        assert_eq!(row(full).unwrap(), all);
        let shuffled = r#" { "user" : { "a.b" : "q" , "more" : { "id" : 9 } , "mails" : [ {"text":"x","a":[]} , 5 , {"text":"y"} , "z" ] ,
            "address" : { "zip" : "8" , "\u0063ity" : "Ulm" } , "id" : 7 } , "other" : [1] , "n" : 1 } "#;
        assert_eq!(row(shuffled).unwrap(), all);
        let nothing = json!({"id":0,"n":0,"city":null,"zip":"","first":"","third":"","odd":""});
        for record in [
            "{}",
            r#"{"user":null}"#,
            r#"{"user":{}}"#,
            r#"{"user":{"address":null,"mails":null,"id":null}}"#,
        ] {
            assert_eq!(row(record).unwrap(), nothing, "{record}");
        }
        let short = json!({"id":0,"n":0,"city":null,"zip":"","first":"x","third":"","odd":""});
        assert_eq!(row(r#"{"user":{"mails":[{"text":"x"}]}}"#).unwrap(), short);
    }
}

#[test]
fn keys_of_a_path_match_in_other_letter_case_as_keys_of_the_record_do() {
    let list =
        [("a", "UInt8", "o.key"), ("b", "UInt8", "o.Key"), ("c", "UInt8", "o.p.q"), ("d", "UInt8", "o.r")];
    let plan = plan(&list, &PlanOptions::default()).unwrap();
    let row = |record: &str| row(&plan, record.as_bytes(), &Message::BARE);
    assert_eq!(
        row(r#"{"O":{"P":{"Q":3},"key":1,"Key":2,"R":4}}"#).unwrap(),
        json!({"a": 1, "b": 2, "c": 3, "d": 4})
    );
    for (record, message) in [
        (
            r#"{"o":{"KEY":1}}"#,
            "a: the key fits several columns of `o` by letter case (ambiguous_key at byte 6)",
        ),
        (r#"{"o":{"r":1,"R":2}}"#, "a: the key appears twice in `o` (duplicate_key at byte 12)"),
    ] {
        assert_eq!(row(record).unwrap_err(), message, "{record}");
    }
}

#[test]
fn a_path_that_meets_something_else_is_a_reject_with_its_place() {
    let plan = plan(&PATHS, &PlanOptions::default()).unwrap();
    for (record, message) in [
        (r#"{"user":5}"#, "id: `user` is no object (type_mismatch at byte 8)"),
        (r#"{"user":{"address":["Ulm"]}}"#, "city: `user.address` is no object (type_mismatch at byte 19)"),
        (r#"{"user":{"mails":{"text":"x"}}}"#, "first: `user.mails` is no array (type_mismatch at byte 17)"),
        (r#"{"user":{"mails":["x"]}}"#, "first: `user.mails[0]` is no object (type_mismatch at byte 18)"),
        (r#"{"user":{"id":1,"id":2}}"#, "id: the key appears twice in `user` (duplicate_key at byte 16)"),
        (r#"{"user":{},"user":{}}"#, "the key appears twice (duplicate_key at byte 11)"),
        (r#"{"user":{"id":-1}}"#, "id: an unsigned integer takes no sign (out_of_range at byte 14)"),
    ] {
        let error = row(&plan, record.as_bytes(), &Message::BARE).unwrap_err();
        assert_eq!(error, message, "{record}");
    }
    for record in [
        r#"{"user":{"id":1"#,
        r#"{"user":{"id" 1}}"#,
        r#"{"user":{"mails":[1 2]}}"#,
        r#"{"user":{,}}"#,
        r#"{"user":nil}"#,
    ] {
        let error = row(&plan, record.as_bytes(), &Message::BARE).unwrap_err();
        assert!(error.contains("invalid_json") || error.contains("type_mismatch"), "{record}: {error}");
    }
}

#[test]
fn a_server_side_default_reaches_into_objects() {
    let path = |name: &str, from: &str| Column::new(name, DataType::UInt8).from_source(from.parse().unwrap());
    let columns = Columns::new(vec![path("x", "o.x"), path("y", "o.y").with_default_expression()]);
    let plan = Arc::new(Plan::compile(&columns, &marked()).unwrap());
    let bytes = |record: &[u8]| {
        let mut rows = Vec::new();
        Encoder::new(Arc::clone(&plan)).encode(record, &mut rows).unwrap();
        rows
    };
    assert_eq!(bytes(br#"{"o":{"y":2,"x":1}}"#), [0, 1, 0, 2]);
    assert_eq!(bytes(br#"{"o":{"y":null,"x":1}}"#), [0, 1, 1]);
    assert_eq!(bytes(br#"{"o":null}"#), [0, 0, 1]);
    assert_eq!(bytes(b"{}"), [0, 0, 1]);
}

#[test]
fn one_value_fills_one_column() {
    for (list, second) in [
        (
            [("a", "UInt8", "x.y"), ("b", "UInt8", "x.y")],
            "`x.y` fills more than one column, by itself or by something inside of it; `b` is the second",
        ),
        ([("a", "JSON", "x"), ("b", "UInt8", "x.y")], "`x.y` fills more"),
        ([("a", "UInt8", "x.y"), ("b", "JSON", "x")], "`x` fills more"),
        ([("a", "UInt8", "x.y.z"), ("b", "UInt8", "x.y")], "`x.y` fills more"),
        ([("a", "UInt8", "x.y"), ("b", "UInt8", "x[0]")], "`x[0]` fills more"),
        ([("a", "UInt8", "x"), ("b", "UInt8", "x")], "`x` fills more"),
    ] {
        let error = plan(&list, &PlanOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with(second) && error.ends_with("`b` is the second"), "{error}");
    }
    let twice =
        [("a", "Int64", "_offset"), ("b", "UInt64", "_offset"), ("c", "UInt8", "=1"), ("d", "UInt8", "=1")];
    assert!(plan(&twice, &PlanOptions::default()).is_ok(), "what is no value of the record may fill several");
    let nested = plan(&[("n", "Nested(a UInt8)", "x.y")], &PlanOptions::default()).unwrap_err().to_string();
    assert!(nested.contains("a Nested column is filled by a field alone"), "{nested}");
}

#[test]
fn a_row_counts_with_its_tail() {
    let mut limits = Limits::default();
    limits.row_bytes_max = 20;
    let options = PlanOptions::default().with_limits(limits);
    let plan = plan(&[("a", "String", "a"), ("r", "String", "_raw_message")], &options).unwrap();
    let short: &[u8] = br#"{"a":"123"}"#;
    for engine in engines() {
        let mut encoder = Encoder::with_engine(Arc::clone(&plan), engine);
        for raw in [15, 16] {
            let raw = vec![b'r'; raw];
            let message = Message { raw: Some(&raw), ..Message::BARE };
            let mut rows = Vec::new();
            let got = collect(&mut encoder, &[short; 9], |_| message, &mut rows);
            let expected = if raw.len() == 15 { None } else { Some(RejectCode::RecordTooLarge) };
            for row in &got {
                assert_eq!(row.as_ref().err().map(|reject| reject.code), expected, "{engine:?}");
            }
            assert_eq!(rows.len(), if expected.is_none() { 9 * 20 } else { 0 });
        }
    }
}

/// Counts how often it is asked.
#[derive(Debug)]
struct Asked<'c>(&'c Cell<usize>);

impl Envelope for Asked<'_> {
    fn topic(&self) -> &str {
        ""
    }

    fn partition(&self) -> i32 {
        0
    }

    fn offset(&self) -> i64 {
        self.0.set(self.0.get() + 1);
        0
    }

    fn timestamp_ms(&self) -> Option<i64> {
        None
    }

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn raw_message(&self) -> Option<&[u8]> {
        None
    }

    fn each_header(&self, _: &mut EachHeader<'_>) {}
}

#[test]
fn a_group_that_is_not_tried_does_not_ask_for_its_tails() {
    let plan = plan(&[("a", "String", "a"), ("o", "Int64", "_offset")], &PlanOptions::default()).unwrap();
    // No shape is known of the first ones, and a record of more than 256 KiB takes no fast path.
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(300 << 10));
    for record in [r#"{"a":"x"}"#, &long] {
        for engine in engines() {
            let (asked, mut rows) = (Cell::new(0), Vec::new());
            let mut encoder = Encoder::with_engine(Arc::clone(&plan), engine);
            let records = [record.as_bytes(); 4];
            encoder.encode_each_with(
                &records,
                |_| Asked(&asked),
                &mut rows,
                |_, row| {
                    assert!(row.is_ok());
                    ControlFlow::Continue(())
                },
            );
            assert_eq!(asked.get(), records.len(), "{engine:?}");
        }
    }
}

fn engines() -> Vec<Engine> {
    let paths = [Path::General, Path::Lockstep];
    let tiers = Tier::all();
    let fast = paths.iter().flat_map(|path| tiers.iter().map(|tier| Engine::new(*path, *tier)));
    std::iter::once(Engine::EXACT).chain(fast).collect()
}

/// Where each row ends, or its reject.
fn collect<'m>(
    encoder: &mut Encoder,
    records: &[&[u8]],
    message: impl Fn(usize) -> Message<'m>,
    rows: &mut Vec<u8>,
) -> Vec<Result<usize, Reject>> {
    let mut results = Vec::new();
    let taken = encoder.encode_each_with(records, message, rows, |index, row| {
        assert_eq!(index, results.len());
        results.push(row);
        ControlFlow::Continue(())
    });
    assert_eq!(taken, records.len());
    results
}

/// A value inside of the record, or none where the path meets nothing; where it meets something else, what it should be.
fn find(record: &Value, path: &str) -> Result<Option<Value>, String> {
    let (mut at, mut place) = (record.clone(), String::new());
    for step in path.replace('[', ".[").split('.') {
        let index = step.strip_prefix('[').and_then(|step| step.strip_suffix(']'));
        let below = match (&at, index) {
            (Value::Null, _) => return Ok(None),
            (Value::Array(list), Some(index)) => list.get(index.parse::<usize>().unwrap()),
            (Value::Object(map), None) => map.get(step),
            (_, index) => {
                return Err(format!("`{place}` is no {}", if index.is_some() { "array" } else { "object" }));
            }
        };
        let Some(below) = below else { return Ok(None) };
        at = below.clone();
        let dot = if place.is_empty() || index.is_some() { "" } else { "." };
        place.extend([dot, step]);
    }
    Ok(Some(at))
}

/// Values of the fields that the paths of the property go through, most of them of the right kind.
fn made_record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => (0..300_u32).prop_map(Value::from),
        2 => "[a-c\"\\\\]{0,3}".prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let object = |leaf: BoxedStrategy<Value>| {
        prop::collection::vec(("[abx]", leaf), 0..5)
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
    };
    let inner = object(leaf.clone().boxed());
    let list = prop::collection::vec(prop_oneof![3 => inner.clone(), 1 => leaf.clone()], 0..4);
    let middle = prop_oneof![
        4 => leaf,
        3 => inner.boxed(),
        2 => list.prop_map(Value::Array),
    ];
    object(object(middle.boxed()).boxed())
}

/// Writes a value as a producer might who has no order of keys, escapes what needs none, and repeats a key now and then.
struct Writer {
    /// Chooses, by numbers that follow from one another.
    seed: u64,
    text: String,
    /// The places of objects in which a key stands twice, and the keys.
    twice: Vec<(String, String)>,
}

impl Writer {
    fn below(&mut self, bound: usize) -> usize {
        self.seed = self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(self.seed >> 33).unwrap() % bound
    }

    fn blank(&mut self) {
        let blank = ["", "", "", " ", "\n\t"][self.below(5)];
        self.text.push_str(blank);
    }

    fn value(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(map) => {
                let mut fields: Vec<(&String, &Value)> = map.iter().collect();
                for at in 1..fields.len() {
                    let other = self.below(at + 1);
                    fields.swap(at, other);
                }
                // A key of the record itself may stand twice where all columns are filled: that is another law.
                if !place.is_empty() && !fields.is_empty() && self.below(32) == 0 {
                    let again = fields[self.below(fields.len())];
                    self.twice.push((place.to_owned(), again.0.clone()));
                    fields.push(again);
                }
                self.list('{', '}', &fields, |writer, (key, value)| {
                    writer.key(key);
                    let dot = if place.is_empty() { "" } else { "." };
                    writer.value(value, &format!("{place}{dot}{key}"));
                });
            }
            Value::Array(list) => {
                let list: Vec<(usize, &Value)> = list.iter().enumerate().collect();
                self.list('[', ']', &list, |writer, (at, value)| {
                    writer.value(value, &format!("{place}[{at}]"));
                });
            }
            leaf => self.text.push_str(&leaf.to_string()),
        }
    }

    fn list<T>(&mut self, open: char, close: char, items: &[T], mut item: impl FnMut(&mut Writer, &T)) {
        self.text.push(open);
        for (at, one) in items.iter().enumerate() {
            self.text.push_str(if at == 0 { "" } else { "," });
            self.blank();
            item(self, one);
            self.blank();
        }
        self.text.push(close);
    }

    /// A key, as it is, in other letter case or escaped, and its colon.
    fn key(&mut self, key: &str) {
        let key = match self.below(8) {
            0 => key.to_uppercase(),
            1 => key.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect(),
            _ => key.to_owned(),
        };
        self.text.push_str(&format!("\"{key}\""));
        self.blank();
        self.text.push(':');
        self.blank();
    }
}

/// Columns of the property, with the paths that fill the first five.
const FILLED: [(&str, &str, &str); 7] = [
    ("p", "Nullable(UInt8)", "a.a"),
    ("q", "String", "a.b.a"),
    ("r", "UInt16", "a.b.b"),
    ("s", "String", "b.x[1].a"),
    ("t", "Nullable(String)", "b.x[0].b"),
    ("o", "Int64", "_offset"),
    ("c", "String", "=k"),
];

/// Objects that paths lead through, with the keys that they look for and the first column below.
const LOOKED_FOR: [(&str, &str, &str); 5] =
    [("a", "ab", "p"), ("a.b", "ab", "q"), ("b", "x", "s"), ("b.x[0]", "b", "t"), ("b.x[1]", "a", "s")];

/// What a reject says beside its position.
type Said = (RejectCode, Option<String>, String);

fn said(reject: Reject) -> Said {
    (reject.code, reject.column, reject.message)
}

/// The row that a record should have, or what its reject may say: any of its faults may come first.
fn expected(
    record: &Value,
    twice: &[(String, String)],
    index: usize,
    flat: &Arc<Plan>,
) -> Result<Vec<u8>, Vec<Said>> {
    let mut encoder = Encoder::with_engine(Arc::clone(flat), Engine::EXACT);
    let mut row_of = |columns: &Map<String, Value>| {
        let mut row = Vec::new();
        encoder.encode(Value::Object(columns.clone()).to_string().as_bytes(), &mut row).map(|()| row)
    };
    let mut columns: Map<String, Value> =
        [("o".to_owned(), json!(index)), ("c".to_owned(), json!("k"))].into_iter().collect();
    let mut faults = Vec::new();
    for (name, _, path) in &FILLED[..5] {
        match find(record, path) {
            Ok(Some(value)) => {
                faults.extend(
                    row_of(&[((*name).to_owned(), value.clone())].into_iter().collect()).err().map(said),
                );
                columns.insert((*name).to_owned(), value);
            }
            Ok(None) => {}
            Err(message) => {
                let place = message.split('`').nth(1).unwrap();
                let first = LOOKED_FOR.iter().find(|(object, ..)| *object == place);
                let first = first.map_or("s", |(.., first)| first);
                faults.push((RejectCode::TypeMismatch, Some(first.to_owned()), message));
            }
        }
    }
    for (place, key) in twice {
        for (object, keys, first) in LOOKED_FOR {
            if object == place && keys.contains(key) {
                let message = format!("the key appears twice in `{place}`");
                faults.push((RejectCode::DuplicateKey, Some(first.to_owned()), message));
            }
        }
    }
    if faults.is_empty() { Ok(row_of(&columns).unwrap()) } else { Err(faults) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// A column that a path fills is what a column of that value alone would be, whatever the order and the writing of the
    /// keys; the rows' ends are those of the records' own envelopes; and every engine says the same of each record.
    #[test]
    fn a_path_is_as_good_as_a_field(
        records in prop::collection::vec((made_record(), any::<u64>()), 1..12),
        repeat in 1..4_usize,
        lenient in any::<bool>(),
        markers in any::<bool>(),
    ) {
        let mut options = if markers { marked() } else { PlanOptions::default() };
        if lenient {
            options = options.with_semantics(Semantics::ClickHouse);
        }
        let plan = plan(&FILLED, &options).unwrap();
        let flat = Arc::new(Plan::compile(&plan.columns().to_string().parse().unwrap(), &options).unwrap());
        let (mut texts, mut wanted) = (Vec::new(), Vec::new());
        for (record, seed) in &records {
            let mut writer = Writer { seed: *seed, text: String::new(), twice: Vec::new() };
            writer.value(record, "");
            for _ in 0..repeat {
                wanted.push(expected(record, &writer.twice, wanted.len(), &flat));
                texts.push(writer.text.clone());
            }
        }
        let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let message = |index| Message { offset: i64::try_from(index).unwrap(), ..Message::BARE };
        let mut exact_rows = Vec::new();
        let exact = collect(&mut Encoder::with_engine(Arc::clone(&plan), Engine::EXACT), &bytes, message, &mut exact_rows);
        let mut start = 0;
        for ((result, wanted), text) in exact.iter().zip(&wanted).zip(&texts) {
            let row = result.clone().map(|end| exact_rows[std::mem::replace(&mut start, end)..end].to_vec());
            match (row.map_err(said), wanted) {
                (Ok(row), Ok(wanted)) => prop_assert_eq!(&row, wanted, "{}", text),
                (Err(said), Err(wanted)) => prop_assert!(wanted.contains(&said), "{}: {:?}, not {:?}", text, said, wanted),
                (row, wanted) => prop_assert!(false, "{}: {:?}, not {:?}", text, row, wanted),
            }
        }
        prop_assert_eq!(start, exact_rows.len());
        for engine in engines() {
            let mut rows = Vec::new();
            let results = collect(&mut Encoder::with_engine(Arc::clone(&plan), engine), &bytes, message, &mut rows);
            prop_assert_eq!(&results, &exact, "{:?}: {:?}", engine, texts);
            prop_assert_eq!(&rows, &exact_rows, "{:?}: {:?}", engine, texts);
        }
    }
}
