//! Limits, formats and options: what the conversion cases cannot say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::sync::Arc;

use housepipe_transform::{
    Column, Columns, DataType, Encoder, Limits, Plan, PlanError, PlanOptions, Reject, RejectCode, RowFormat,
    Semantics,
};

fn encoder(columns: &str, options: &PlanOptions) -> Encoder {
    Encoder::new(Arc::new(Plan::compile(&columns.parse().unwrap(), options).unwrap()))
}

fn encode(columns: &str, record: &[u8]) -> Result<Vec<u8>, Reject> {
    let mut out = Vec::new();
    encoder(columns, &PlanOptions::default()).encode(record, &mut out).map(|()| out)
}

fn code(columns: &str, record: &[u8]) -> RejectCode {
    encode(columns, record).unwrap_err().code
}

#[test]
fn a_reject_says_where() {
    let reject =
        encode("a UInt8, b Array(Tuple(x UInt8))", br#"{"a":1,"b":[{"x":1},{"x":-1}]}"#).unwrap_err();
    assert_eq!(reject.code, RejectCode::OutOfRange);
    assert_eq!(reject.column.as_deref(), Some("b[1].x"));
    assert_eq!(reject.position, 25);
    assert_eq!(code("a UInt8", b"not json"), RejectCode::InvalidJson);
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| format!("{{\"u\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let document =
        |depth: usize| format!("{{\"a\":{}1{}}}", "{\"k\":".repeat(depth), "}".repeat(depth)).into_bytes();
    // A thread's stack of 1 MiB, in a debug build, is far below the 2 MiB that threads have.
    let check = move || {
        assert!(encode("a UInt8", &nested(1_000)).is_ok());
        assert_eq!(code("a UInt8", &nested(1_001)), RejectCode::TooDeep);
        assert_eq!(code("a UInt8", &nested(1_000_000)), RejectCode::TooDeep);
        assert_eq!(code("u String", &nested(1_001)), RejectCode::TooDeep);
        // The document of a JSON column counts its own levels.
        assert!(encode("a JSON", &document(1_000)).is_ok());
        assert_eq!(code("a JSON", &document(1_001)), RejectCode::TooDeep);
        let deep = "Array(".repeat(60) + "UInt8" + &")".repeat(60);
        let record = format!("{{\"a\":{}1{}}}", "[".repeat(60), "]".repeat(60));
        assert!(encode(&format!("a {deep}"), record.as_bytes()).is_ok());
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(check).unwrap().join().unwrap();
    assert!("Array(".repeat(100_000).parse::<DataType>().is_err());
}

#[test]
fn keys_of_a_json_column_count_once() {
    let keys = |count: usize| (0..count).map(|key| format!("\"{key}\":1")).collect::<Vec<_>>().join(",");
    for columns in
        ["a JSON", "a JSON(SKIP x)", "a JSON(x Map(String, UInt8))", "a Variant(JSON, UInt8)", "a Dynamic"]
    {
        let record = |count| format!("{{\"a\":{{\"x\":{{{}}}}}}}", keys(count));
        if columns != "a Dynamic" {
            assert!(encode(columns, record(9_998).as_bytes()).is_ok(), "{columns}");
        }
        assert_eq!(code(columns, record(9_999).as_bytes()), RejectCode::TooManyFields, "{columns}");
    }
}

#[test]
fn a_dynamic_is_bounded() {
    let nested = |depth: usize, (open, close): (&str, &str)| {
        format!("{{\"a\":{}1{}}}", open.repeat(depth), close.repeat(depth)).into_bytes()
    };
    let check = move || {
        let (arrays, objects, mixed) = (("[", "]"), ("{\"k\":", "}"), ("[true,", "]"));
        let nulls = ("[null,", "]");
        for brackets in [arrays, objects, mixed, nulls] {
            assert!(encode("a Dynamic", &nested(64, brackets)).is_ok(), "{brackets:?}");
            assert_eq!(code("a Dynamic", &nested(65, brackets)), RejectCode::TooDeep, "{brackets:?}");
        }
        // Each value of a column counts its own levels.
        let both = [b"{\"b\":[", &nested(64, mixed)[5..][..64 * 7 + 1], b"],\"a\":1}"].concat();
        assert!(encode("a Dynamic, b Array(Dynamic)", &both).is_ok());
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(check).unwrap().join().unwrap();

    // The server reads no type of more parts: a tuple and its elements.
    let object = |keys: usize| {
        let keys: Vec<String> = (0..keys).map(|key| format!("\"{key}\":1")).collect();
        format!("{{\"a\":{{{}}}}}", keys.join(","))
    };
    assert!(encode("a Dynamic", object(999).as_bytes()).is_ok());
    assert_eq!(code("a Dynamic", object(1_000).as_bytes()), RejectCode::TooManyFields);

    // A long array of one kind is nothing special, one of many kinds is held to be hostile.
    let long = |element: &str, count| format!("{{\"a\":[{}1]}}", element.repeat(count));
    assert!(encode("a Dynamic", long("1,2,", 600_000).as_bytes()).is_ok());
    assert!(encode("a Dynamic", long("[1,null],", 600_000).replace(",1]", ",[1]]").as_bytes()).is_ok());
    assert!(encode("a Dynamic", long("1,null,", 100_000).as_bytes()).is_ok());
    assert_eq!(code("a Dynamic", long("1,null,", 600_000).as_bytes()), RejectCode::RecordTooLarge);
}

#[test]
fn raw_text_is_bounded_in_both_semantics() {
    for semantics in [Semantics::Strict, Semantics::ClickHouse] {
        let options = PlanOptions::default().with_semantics(semantics);
        let code = |record: String| {
            encoder("a String", &options)
                .encode(record.as_bytes(), &mut Vec::new())
                .map_err(|reject| reject.code)
        };
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(code(nested(1_000)), Ok(()));
        assert_eq!(code(nested(1_001)), Err(RejectCode::TooDeep));
        assert_eq!(code(format!("{{\"a\":{}", "[".repeat(1_000_000))), Err(RejectCode::TooDeep));
        let keys = |count: usize| format!("{{\"a\":{{{}}}}}", vec!["\"k\":1"; count].join(","));
        assert_eq!(code(keys(9_999)), Ok(()));
        assert_eq!(code(keys(10_000)), Err(RejectCode::TooManyFields));
    }
}

#[test]
fn sizes_are_bounded() {
    let mut record = br#"{"a":""#.to_vec();
    record.resize(16 * 1024 * 1024, b'x');
    record.extend_from_slice(b"\"}");
    assert_eq!(code("a String", &record), RejectCode::RecordTooLarge);
    let keys: Vec<String> = (0..10_001).map(|n| format!("\"k{n}\":1")).collect();
    assert_eq!(code("a UInt8", format!("{{{}}}", keys.join(",")).as_bytes()), RejectCode::TooManyFields);
    let wide = format!("{{\"a\":[{}]}}", vec!["\"\""; 100_000].join(","));
    assert_eq!(code("a Array(FixedString(100000))", wide.as_bytes()), RejectCode::RecordTooLarge);
    let mut limits = Limits::default();
    limits.depth_max = 2;
    let options = PlanOptions::default().with_limits(limits);
    let mut out = Vec::new();
    assert!(encoder("a UInt8", &options).encode(b"{\"u\":[[]]}", &mut out).is_ok());
    assert!(encoder("a UInt8", &options).encode(b"{\"u\":[[[]]]}", &mut out).is_err());
}

#[test]
fn defaults_of_the_server_get_a_marker() {
    let number = Column::new("a", DataType::UInt8).with_default_expression();
    let columns = Columns::new(vec![number, Column::new("b", DataType::String).from_field("text")]);
    let error = Plan::compile(&columns, &PlanOptions::default()).unwrap_err();
    assert!(matches!(error, PlanError::DefaultNeedsMarkers { .. }));
    let options = PlanOptions::default().with_format(RowFormat::RowBinaryWithDefaults);
    let mut encoder = Encoder::new(Arc::new(Plan::compile(&columns, &options).unwrap()));
    let mut row = |record: &[u8]| {
        let mut out = Vec::new();
        encoder.encode(record, &mut out).unwrap();
        out
    };
    assert_eq!(row(br#"{"a":7,"text":"x"}"#), b"\x00\x07\x00\x01x");
    assert_eq!(row(br#"{"text":"x"}"#), b"\x01\x00\x01x");
    assert_eq!(row(br#"{"a":null}"#), b"\x01\x00\x00");
}

#[test]
fn strict_utf8_rejects_what_is_not() {
    let record = b"{\"a\":\"\xff\"}";
    assert_eq!(encode("a String", record).unwrap(), b"\x01\xff");
    let options = PlanOptions::default().with_strict_utf8(true);
    let reject = encoder("a String", &options).encode(record, &mut Vec::new()).unwrap_err();
    assert_eq!((reject.code, reject.position), (RejectCode::InvalidUtf8, 6));
}

#[test]
fn unknown_keys_are_counted() {
    let mut encoder = encoder("a UInt8", &PlanOptions::default());
    let mut out = Vec::new();
    for _ in 0..3 {
        encoder.encode(br#"{"x":1,"a":1,"y":2}"#, &mut out).unwrap();
    }
    let keys: Vec<(String, u64)> =
        encoder.unknown_keys().iter().map(|(name, count)| (name.into_owned(), count)).collect();
    assert_eq!(keys, [("x".to_owned(), 3), ("y".to_owned(), 3)]);
    assert_eq!(encoder.unknown_keys().total(), 6);
}

#[test]
fn nested_columns_are_flattened() {
    let plan =
        Plan::compile(&"n Nested(a UInt8, b String)".parse().unwrap(), &PlanOptions::default()).unwrap();
    assert_eq!(plan.columns().to_string(), "`n.a` Array(UInt8), `n.b` Array(String)");
    let mut out = Vec::new();
    Encoder::new(Arc::new(plan)).encode(br#"{"n.a":[1],"n.b":["x","y"]}"#, &mut out).unwrap();
    assert_eq!(out, b"\x01\x01\x02\x01x\x01y");
}

#[test]
fn impossible_types_are_refused() {
    for ty in [
        "Nullable(Array(UInt8))",
        "Nullable(Nullable(UInt8))",
        "Map(Nullable(String), UInt8)",
        "LowCardinality(Array(UInt8))",
        "Nullable(LowCardinality(String))",
        "Array(Nullable(Map(String, String)))",
    ] {
        let columns = Columns::new(vec![Column::new("c", ty.parse().unwrap())]);
        let error = Plan::compile(&columns, &PlanOptions::default()).unwrap_err();
        assert!(matches!(error, PlanError::ImpossibleType { .. }), "{ty}");
        assert!(error.to_string().contains("column `c`"), "{error}");
    }
}

#[test]
fn the_zone_of_the_server_counts_where_the_column_has_none() {
    let options = PlanOptions::default()
        .with_server_timezone("Europe/Berlin".parse().unwrap())
        .with_semantics(Semantics::ClickHouse);
    let mut out = Vec::new();
    encoder("a DateTime", &options).encode(br#"{"a":"1970-01-01 01:00:01"}"#, &mut out).unwrap();
    assert_eq!(out, 1u32.to_le_bytes());
}
