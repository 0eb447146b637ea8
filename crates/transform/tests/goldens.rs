//! What rejects say: code, place and text of each, as `testdata/goldens/rejects.txt` has them.
//!
//! Texts reach people and error tables, so a change of one has to be meant: `UPDATE_EXPECT=1` writes the file anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::expect_file;
use housepipe_transform::{
    Encoder, Engine, Limits, Path, Plan, PlanOptions, Reject, RejectCode, Semantics, Tier,
};

/// What a case asks for beside its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    /// `Semantics::ClickHouse`.
    Lenient,
    Utf8,
    /// The smallest limits.
    Limits,
}

use Asks::{Lenient, Limits as SmallLimits, Nothing, Utf8};

/// One for each text, and for each way of getting a place into it.
const CASES: &[(&str, &[u8], Asks)] = &[
    // The document.
    ("a UInt8", br"", Nothing),
    ("a UInt8", br"  ", Nothing),
    ("a UInt8", br"text", Nothing),
    ("a UInt8", br"trve", Nothing),
    ("a UInt8", br"[1]", Nothing),
    ("a UInt8", br"1", Nothing),
    ("a UInt8", br"null", Nothing),
    ("a UInt8", br"[1] 2", Nothing),
    ("a UInt8", br#"{"a":1} {"a":2}"#, Nothing),
    ("a UInt8", br#"{"a":1},"#, Nothing),
    ("a UInt8", br"{", Nothing),
    ("a UInt8", br"{1:2}", Nothing),
    ("a UInt8", br#"{"a"}"#, Nothing),
    ("a UInt8", br#"{"a""#, Nothing),
    ("a UInt8", br#"{"a":"#, Nothing),
    ("a UInt8", br#"{"a":}"#, Nothing),
    ("a UInt8", br#"{"a":1"#, Nothing),
    ("a UInt8", br#"{"a":1 "b":2}"#, Nothing),
    ("a UInt8", br#"{"a":1,}"#, Nothing),
    ("a UInt8", br#"{"a":1,"b"#, Nothing),
    ("a UInt8", br#"{"a":nul}"#, Nothing),
    // Limits.
    ("a UInt8", br#"{"a":1,"u":"a record of more than 64 bytes, which is the limit here"}"#, SmallLimits),
    ("a UInt8", br#"{"u":[[[]]]}"#, SmallLimits),
    ("a Array(Array(Array(UInt8)))", br#"{"a":[[[]]]}"#, SmallLimits),
    ("a UInt8", br#"{"b":1,"c":2,"d":3,"e":4}"#, SmallLimits),
    ("a Array(FixedString(9))", br#"{"a":["","",""]}"#, SmallLimits),
    ("a JSON", br#"{"a":{"aaaaaaaaaaaaaaa":1,"aaaaaaaaaaaaaaa":1}}"#, SmallLimits),
    // Keys.
    ("a UInt8, b UInt8", br#"{"a":1,"a":2}"#, Nothing),
    ("a UInt8, b UInt8", br#"{"a":1,"A":2}"#, Nothing),
    ("ab UInt8, AB UInt8", br#"{"Ab":1}"#, Nothing),
    ("a Tuple(x UInt8, y UInt8)", br#"{"a":{"x":1,"x":2}}"#, Nothing),
    // Values that are skipped.
    ("a UInt8", br#"{"u":[1,]}"#, Nothing),
    ("a UInt8", br#"{"u":[1 2]}"#, Nothing),
    ("a UInt8", br#"{"u":[1"#, Nothing),
    ("a UInt8", br#"{"u":{"k":1 "l":2}}"#, Nothing),
    ("a UInt8", br#"{"u":{"k":1,}}"#, Nothing),
    ("a UInt8", br#"{"u":{"k" 1}}"#, Nothing),
    ("a UInt8", br#"{"u":{k:1}}"#, Nothing),
    ("a UInt8", br#"{"u":tru}"#, Nothing),
    ("a UInt8", br#"{"u":"text"#, Nothing),
    ("a UInt8", br#"{"u":"text\"#, Nothing),
    ("a String", br#"{"a":[1"#, Lenient),
    // Strings and escapes.
    ("a String", br#"{"a":"\q"}"#, Nothing),
    ("a String", br#"{"a":"\u12"}"#, Nothing),
    ("a String", br#"{"a":"\uzzzz"}"#, Nothing),
    ("a String", br#"{"a":"\ud83d"}"#, Nothing),
    ("a String", br#"{"a":"\ud83d\u0061"}"#, Nothing),
    ("a String", br#"{"a":"\ud83d\uzzzz"}"#, Nothing),
    ("a String", br#"{"a":"\u12"}"#, Lenient),
    ("a String", br#"{"a":nope}"#, Nothing),
    ("a String", b"{\"a\":\"\xff\"}", Utf8),
    ("a FixedString(3)", br#"{"a":"four"}"#, Nothing),
    ("a FixedString(3)", br#"{"a":1}"#, Nothing),
    // Numbers.
    ("a UInt8", br#"{"a":256}"#, Nothing),
    ("a UInt8", br#"{"a":-1}"#, Nothing),
    ("a Int16", br#"{"a":-32769}"#, Nothing),
    ("a UInt128", br#"{"a":340282366920938463463374607431768211456}"#, Nothing),
    ("a UInt8", br#"{"a":1.5}"#, Nothing),
    ("a UInt8", br#"{"a":1e2}"#, Nothing),
    ("a UInt8", br#"{"a":"x"}"#, Nothing),
    ("a UInt8", br#"{"a":"1.0"}"#, Nothing),
    ("a UInt8", br#"{"a":"tru"}"#, Nothing),
    ("a UInt8", br#"{"a":"fals"}"#, Nothing),
    ("a UInt8", br#"{"a":fals}"#, Nothing),
    ("a UInt8", br#"{"a":01}"#, Nothing),
    ("a UInt8", br#"{"a":+1}"#, Nothing),
    ("a Int8", br#"{"a":"-"}"#, Nothing),
    ("a Int8", br#"{"a":1-2}"#, Nothing),
    ("a UInt8", br#"{"a":[]}"#, Nothing),
    ("a Float64", br#"{"a":"x"}"#, Nothing),
    ("a Float64", br#"{"a":.5}"#, Nothing),
    ("a Float64", br#"{"a":1.}"#, Nothing),
    ("a Float64", br#"{"a":1e}"#, Nothing),
    ("a Float64", br#"{"a":01}"#, Nothing),
    ("a Float64", br#"{"a":"#, Nothing),
    ("a Float32", br#"{"a":{}}"#, Nothing),
    ("a Bool", br#"{"a":2}"#, Nothing),
    ("a Bool", br#"{"a":"true"}"#, Nothing),
    ("a Bool", br#"{"a":tru}"#, Nothing),
    // Values with a type of their own.
    ("a Dynamic", br#"{"a":{"":1}}"#, Nothing),
    ("a Dynamic", br#"{"a":{"k":1,"k":{"l":1}}}"#, Nothing),
    ("a Dynamic", br#"{"a":[{"k":"x"},{"k":1,"l":2}]}"#, Nothing),
    ("a Dynamic", br#"{"a":[true,1,{}]}"#, Nothing),
    ("a Dynamic", br#"{"a":[{"k":1},{"k":"x"}]}"#, Nothing),
    ("a Dynamic", br#"{"a":"\u0032020-01-01"}"#, Nothing),
    // Dates and times.
    ("a Date", br#"{"a":"2024"}"#, Nothing),
    ("a Date", br#"{"a":[]}"#, Nothing),
    ("a Date", br#"{"a":65536}"#, Nothing),
    ("a Time", br#"{"a":"100:00"}"#, Nothing),
    ("a Time64(3)", br#"{"a":true}"#, Nothing),
    // Wide numbers and decimals.
    ("a Int256", br#"{"a":1.5}"#, Nothing),
    ("a UInt256", br#"{"a":-1}"#, Nothing),
    (
        "a UInt256",
        br#"{"a":115792089237316195423570985008687907853269984665640564039457584007913129639936}"#,
        Nothing,
    ),
    ("a Decimal(9, 2)", br#"{"a":12345678}"#, Nothing),
    ("a Decimal(9, 2)", br#"{"a":"1,5"}"#, Nothing),
    ("a Decimal(9, 2)", br#"{"a":"1e+"}"#, Nothing),
    ("a Decimal(9, 2)", br#"{"a":true}"#, Nothing),
    ("a Date32", br#"{"a":"2024-01-02 03:04:05"}"#, Nothing),
    ("a DateTime", br#"{"a":"tomorrow"}"#, Nothing),
    ("a DateTime", br#"{"a":"12:30"}"#, Nothing),
    ("a DateTime", br#"{"a":true}"#, Nothing),
    ("a DateTime", br#"{"a":-inf}"#, Lenient),
    ("a DateTime64(3)", br#"{"a":"2024-02-30 00:00:00"}"#, Nothing),
    ("a DateTime64(9)", br#"{"a":"2300-01-01 00:00:00"}"#, Nothing),
    ("a DateTime64(3)", br#"{"a":1e40}"#, Nothing),
    ("a DateTime64(3)", br#"{"a":[]}"#, Nothing),
    // Enums.
    ("a Enum8('p' = 1)", br#"{"a":"q"}"#, Nothing),
    ("a Enum8('p' = 1)", br#"{"a":2}"#, Nothing),
    ("a Enum8('p' = 1)", br#"{"a":300}"#, Nothing),
    ("a Enum8('p' = 1)", br#"{"a":true}"#, Nothing),
    ("a Enum16('p' = 1)", br#"{"a":null}"#, Nothing),
    ("a Tuple(e Enum8('p' = 1), x UInt8)", br#"{"a":{"x":1}}"#, Nothing),
    // Addresses and UUIDs.
    ("a UUID", br#"{"a":"00112233"}"#, Nothing),
    ("a UUID", br#"{"a":1}"#, Nothing),
    ("a IPv4", br#"{"a":"1.2.3"}"#, Nothing),
    ("a IPv4", br#"{"a":1}"#, Nothing),
    ("a IPv6", br#"{"a":"::g"}"#, Nothing),
    ("a IPv6", br#"{"a":[]}"#, Nothing),
    // Containers.
    ("a Array(UInt8)", br#"{"a":1}"#, Nothing),
    ("a Array(UInt8)", br#"{"a":[1,2,300]}"#, Nothing),
    ("a Array(UInt8)", br#"{"a":[1 2]}"#, Nothing),
    ("a Array(UInt8)", br#"{"a":[1,]}"#, Nothing),
    ("a Array(UInt8)", br#"{"a":[1"#, Nothing),
    ("a Map(String, UInt8)", br#"{"a":[]}"#, Nothing),
    ("a Map(String, UInt8)", br#"{"a":{"k":1,"l":-1}}"#, Nothing),
    ("a Map(String, UInt8)", br#"{"a":{1:1}}"#, Nothing),
    ("a Map(String, UInt8)", br#"{"a":{"k" 1}}"#, Nothing),
    ("a Map(String, UInt8)", br#"{"a":{"k":1 "l":2}}"#, Nothing),
    ("a Tuple(UInt8, String)", br#"{"a":{}}"#, Nothing),
    ("a Tuple(UInt8, String)", br#"{"a":[]}"#, Nothing),
    ("a Tuple(UInt8, String)", br#"{"a":[1]}"#, Nothing),
    ("a Tuple(UInt8, String)", br#"{"a":[1,"x",2]}"#, Nothing),
    ("a Tuple(UInt8, String)", br#"{"a":[1 "x"]}"#, Nothing),
    ("a Tuple(UInt8, String)", br#"{"a":[1,"x"}"#, Nothing),
    ("a Tuple(x UInt8)", br#"{"a":[1]}"#, Nothing),
    ("a Tuple(x UInt8)", br#"{"a":{x:1}}"#, Nothing),
    ("a Tuple(x UInt8)", br#"{"a":{"x" 1}}"#, Nothing),
    ("a Tuple(x UInt8)", br#"{"a":{"x":1 "y":2}}"#, Nothing),
    ("a Array(Tuple(x Map(String, Tuple(UInt8))))", br#"{"a":[{},{"x":{"k":[300]}}]}"#, Nothing),
    ("a Nullable(UInt8)", br#"{"a":"NULL"}"#, Nothing),
    // JSON columns.
    ("a JSON", br#"{"a":1}"#, Nothing),
    ("a JSON", br#"{"a":[1]}"#, Nothing),
    ("a JSON", br#"{"a":{"k":1,"k":2}}"#, Nothing),
    ("a JSON", br#"{"a":{"k":1e400}}"#, Nothing),
    ("a JSON", br#"{"a":{"k":"\udc00"}}"#, Nothing),
    ("a JSON", b"{\"a\":{\"k\":\"\t\"}}", Nothing),
    ("a JSON", b"{\"a\":{\"k\":\"\xff\"}}", Nothing),
    ("a JSON", br#"{"a":{"k":1,}}"#, Nothing),
];

fn encode(columns: &str, record: &[u8], asks: Asks, engine: Engine) -> Result<(), Reject> {
    let mut options = PlanOptions::default();
    match asks {
        Nothing => {}
        Lenient => options = options.with_semantics(Semantics::ClickHouse),
        Utf8 => options = options.with_strict_utf8(true),
        SmallLimits => {
            let mut limits = Limits::default();
            (limits.record_bytes_max, limits.depth_max, limits.fields_max) = (64, 2, 3);
            limits.row_bytes_max = 20;
            options = options.with_limits(limits);
        }
    }
    let plan = Plan::compile(&columns.parse().unwrap(), &options).unwrap();
    Encoder::with_engine(Arc::new(plan), engine).encode(record, &mut Vec::new())
}

/// A JSON document that is nested deeper than a JSON column takes, and a limit that lets it get there.
fn deep_json() -> Reject {
    let mut limits = Limits::default();
    limits.depth_max = 2_000;
    let options = PlanOptions::default().with_limits(limits);
    let plan = Plan::compile(&"a JSON".parse().unwrap(), &options).unwrap();
    let record = format!("{{\"a\":{}1{}}}", "{\"k\":".repeat(1_024), "}".repeat(1_024));
    Encoder::new(Arc::new(plan)).encode(record.as_bytes(), &mut Vec::new()).unwrap_err()
}

fn describe(reject: &Reject) -> String {
    let column = reject.column.as_ref().map_or_else(String::new, |column| format!(" in {column}"));
    format!("{} at {}{column}: {}", reject.code, reject.position, reject.message)
}

#[test]
fn rejects_say_what_they_said() {
    let mut text = String::new();
    let mut codes = HashSet::new();
    for (columns, record, asks) in CASES {
        let Err(reject) = encode(columns, record, *asks, Engine::EXACT) else {
            panic!("{columns}: {} is accepted", record.escape_ascii());
        };
        for path in [Path::General, Path::Lockstep] {
            for tier in Tier::all() {
                let other = encode(columns, record, *asks, Engine::new(path, tier));
                assert_eq!(other.as_ref(), Err(&reject), "{path:?}, {tier}: {}", record.escape_ascii());
            }
        }
        let note = if *asks == Nothing { String::new() } else { format!("   ({asks:?})") };
        let shown = String::from_utf8_lossy(record).replace('\t', "\u{2409}");
        writeln!(text, "{columns}{note}\n  `{shown}`\n  {}\n", describe(&reject)).unwrap();
        codes.insert(reject.code);
    }
    let reject = deep_json();
    writeln!(text, "a JSON\n  1,024 objects in one another\n  {}", describe(&reject)).unwrap();
    let missing: Vec<_> = RejectCode::ALL.iter().filter(|code| !codes.contains(code)).collect();
    assert!(missing.is_empty(), "no case gives {missing:?}");
    expect_file!["../../../testdata/goldens/rejects.txt"].assert_eq(&text);
}

/// Values may be secret, and messages go to logs and error tables.
#[test]
fn a_message_never_quotes_the_record() {
    let types = "UInt8 Int64 Float64 Bool FixedString(3) Date Date32 DateTime DateTime64(3) UUID IPv4 IPv6 JSON \
                 Enum8('p'=1) Array(UInt8) Map(String,UInt8) Tuple(UInt8,UInt8) Tuple(x_UInt8)";
    let values = [
        "\"hunter2\"",
        "\"hunter2\\q\"",
        "hunter2",
        "{\"hunter2\":-77777777777777777777777}",
        "{\"hunter2\":1,\"hunter2\":1}",
        "[\"hunter2\"",
        "77777777777777777777777.5",
        "-77777777777777777777777",
        "\"2024-77-77\"",
    ];
    let mut rejects = 0;
    for ty in types.split_whitespace() {
        let columns = format!("a {}", ty.replace('_', " "));
        for value in values {
            let record = format!("{{\"a\":{value}}}");
            if let Err(reject) = encode(&columns, record.as_bytes(), Nothing, Engine::EXACT) {
                rejects += 1;
                let said = format!("{} {:?}", reject.message, reject.column);
                assert!(!said.contains("hunter2") && !said.contains("77"), "{columns}, {record}: {said}");
            }
        }
    }
    assert!(rejects > 100, "only {rejects} records were rejected");
}
