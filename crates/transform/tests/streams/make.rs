//! Columns, and streams of records for them.

use super::random::Random;

/// Columns: names and types.
pub(crate) struct List(Vec<(String, &'static str)>);

impl List {
    pub(crate) fn text(&self) -> String {
        let columns: Vec<String> = self.0.iter().map(|(name, ty)| format!("`{name}` {ty}")).collect();
        columns.join(", ")
    }
}

const TYPES: &[&str] = &[
    "UInt8",
    "Int8",
    "UInt16",
    "Int16",
    "UInt32",
    "Int32",
    "UInt64",
    "Int64",
    "Int128",
    "UInt256",
    "Float32",
    "Float64",
    "BFloat16",
    "Bool",
    "String",
    "FixedString(3)",
    "Date",
    "Date32",
    "DateTime",
    "DateTime('America/New_York')",
    "DateTime64(3)",
    "DateTime64(9, 'Europe/Berlin')",
    "UUID",
    "IPv4",
    "IPv6",
    "Enum8('a' = 1, 'b' = 2)",
    "Enum16('a' = 0, 'b' = 300)",
    "Decimal(9, 2)",
    "Time64(3)",
    "JSON",
    "Nullable(String)",
    "Nullable(UInt8)",
    "Nullable(Float64)",
    "Nullable(DateTime64(6))",
    "LowCardinality(Nullable(String))",
    "Array(UInt8)",
    "Array(String)",
    "Array(Array(Int16))",
    "Array(Nullable(Float64))",
    "Array(Date)",
    "Array(DateTime64(3, 'UTC'))",
    "Array(FixedString(7))",
    "Array(Array(Array(Array(Array(Array(Array(Array(Array(UInt8)))))))))",
    "Map(String, UInt64)",
    "Map(String, Array(String))",
    "Tuple(UInt8, String)",
    "Tuple(x UInt8, y String)",
    "Array(Tuple(x UInt8, y String))",
    "Variant(UInt8, String, Array(UInt8))",
    "Dynamic",
];

const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "A",
    "Bb",
    "bB",
    "a_column_name",
    "event.time",
    // As long as a step may be, and longer; two that differ in their middle alone.
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk1",
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk2",
    "sensor_0001_temperature_of_the_room",
    "sensor_0002_temperature_of_the_room",
];

pub(crate) fn columns(r: &mut Random) -> List {
    let mut names = NAMES.to_vec();
    r.shuffle(&mut names);
    names.truncate(1 + r.below(7));
    List(names.into_iter().map(|name| (name.to_owned(), *r.one(TYPES))).collect())
}

/// Pieces of records, which may pass for the end of one.
const PIECES: &[&str] = &["}", "}", "}", "{}", " }", "", "\n", "{", "\"", "}\n", "{}}", ",\"a\":1}"];

const STRANGERS: &[&str] =
    &["other", "another", "aA", "BB", "bb", "", "u1", "esc\\u0061", "sensor_0003_temperature_of_the_room"];

/// A few runs of records.
pub(crate) fn stream(r: &mut Random, columns: &List, hostile: usize) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for _ in 0..1 + r.below(6) {
        let mut keys = columns.0.clone();
        match r.below(6) {
            // Keys that never come again, in any order: guessing stops for a while.
            0 => {
                for _ in 0..8 + r.below(12) {
                    let mut keys = keys.clone();
                    r.shuffle(&mut keys);
                    for _ in 0..r.below(4) {
                        keys.insert(0, (format!("u{}", r.below(1_000_000)), "String"));
                    }
                    records.push(record(r, &keys, 0, hostile));
                }
            }
            1 => {
                for _ in 0..4 + r.below(9) {
                    records.push(r.one(PIECES).as_bytes().to_vec());
                }
            }
            _ => {
                if r.chance(40) {
                    r.shuffle(&mut keys);
                }
                if r.chance(30) {
                    let count = r.below(keys.len() + 1);
                    keys.truncate(count);
                }
                if r.chance(30) {
                    for _ in 0..1 + r.below(3) {
                        let at = r.below(keys.len() + 1);
                        keys.insert(at, ((*r.one(STRANGERS)).to_owned(), *r.one(TYPES)));
                    }
                }
                if r.chance(10) && !keys.is_empty() {
                    let twice = r.one(&keys).clone();
                    keys.push(twice);
                }
                let style = r.below(4);
                for _ in 0..5 + r.below(14) {
                    records.push(record(r, &keys, style, hostile));
                }
            }
        }
    }
    records
}

/// A record with the keys in this order, in one of four ways to set blanks.
fn record(r: &mut Random, keys: &[(String, &'static str)], style: usize, hostile: usize) -> Vec<u8> {
    let (before, colon, comma, behind) =
        [("", ":", ",", ""), ("", ": ", ", ", ""), ("", ":", ",", "\n"), (" ", " : ", " ,\n ", " ")][style];
    let fields: Vec<String> =
        keys.iter().map(|(key, ty)| format!("\"{key}\"{colon}{}", value(r, ty, hostile))).collect();
    let mut record = format!("{before}{{{}}}{behind}", fields.join(comma)).into_bytes();
    if r.chance(hostile / 4) {
        let at = r.below(record.len());
        record[at] = r.next().to_le_bytes()[0];
    }
    if r.chance(hostile / 8) {
        let at = r.below(record.len());
        record.truncate(at);
    }
    if r.chance(hostile / 8) && !record.is_empty() {
        let at = r.below(record.len());
        record.insert(at, *r.one(b"\"\\{}[],: \n\t\x0b\x00019-"));
    }
    record
}

/// A value that fits the type, but for so many times of a hundred.
fn value(r: &mut Random, ty: &str, hostile: usize) -> String {
    if r.chance(hostile) {
        return odd(r);
    }
    let inside = |name: &str| ty.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
    if let Some(inner) = inside("LowCardinality(") {
        return value(r, inner, hostile);
    }
    if let Some(inner) = inside("Nullable(") {
        return if r.chance(20) { "null".to_owned() } else { value(r, inner, hostile) };
    }
    if let Some(inner) = inside("Array(") {
        // A length of more than one byte now and then.
        let count = if r.chance(2) && !inner.contains("Array") { 126 + r.below(4) } else { r.below(4) };
        let items: Vec<String> = (0..count).map(|_| value(r, inner, hostile)).collect();
        return format!("[{}]", items.join(*r.one(&[",", ",", ", "])));
    }
    if let Some(inner) = inside("Map(String, ") {
        let pairs: Vec<String> = (0..r.below(4))
            .map(|_| format!("\"{}\":{}", text(r, hostile), value(r, inner, hostile)))
            .collect();
        return format!("{{{}}}", pairs.join(","));
    }
    match ty {
        "Bool" => r.one(&["true", "false"]).to_string(),
        "String" => format!("\"{}\"", text(r, hostile)),
        "FixedString(3)" | "FixedString(7)" => r.one(&["\"abc\"", "\"é\"", "\"\""]).to_string(),
        "Date" | "Date32" => format!("\"{}\"", date(r)),
        "UUID" => "\"61f0c404-5cb3-11e7-907b-a6006ad3dba0\"".to_owned(),
        "IPv4" => "\"1.2.3.4\"".to_owned(),
        "IPv6" => r.one(&["\"::1\"", "\"2001:db8::ff00:42:8329\""]).to_string(),
        "JSON" => r.one(&["{}", "{\"a\":1}", "{\"a\":{\"b\":[1,{\"c\":null}]}}"]).to_string(),
        "Time64(3)" => r.one(&["\"12:13:14.5\"", "7"]).to_string(),
        "Tuple(UInt8, String)" => format!("[{},\"{}\"]", r.below(9), text(r, hostile)),
        "Tuple(x UInt8, y String)" => match r.below(4) {
            0 => format!("{{\"y\":\"{}\",\"x\":{}}}", text(r, hostile), r.below(9)),
            1 => "{\"x\":1}".to_owned(),
            2 => "{\"x\": 1, \"z\": [2], \"y\": \"s\"}".to_owned(),
            _ => format!("{{\"x\":{},\"y\":\"{}\"}}", r.below(9), text(r, hostile)),
        },
        _ if ty.starts_with("DateTime") => moment(r),
        _ if ty.starts_with("Enum") => r.one(&["\"a\"", "\"b\""]).to_string(),
        "Dynamic" => match r.below(8) {
            0 => moment(r),
            1 => format!("\"{}\"", text(r, hostile)),
            2 => format!("[1,{}]", float(r)),
            3 => format!("{{\"k\":[\"{}\",null,{{}}]}}", text(r, hostile)),
            4 => r.one(&["true", "[1,\"x\"]", "{\"\":1}", "[[1],[null]]"]).to_string(),
            _ => float(r),
        },
        _ if ty.starts_with("Variant") => r.one(&["1", "\"s\"", "[1,2]", "null", "300"]).to_string(),
        _ if ty.starts_with("Float") || ty == "BFloat16" || ty.starts_with("Decimal") => float(r),
        _ => r.below(100).to_string(),
    }
}

fn float(r: &mut Random) -> String {
    match r.below(5) {
        0 => r.below(1_000).to_string(),
        1 => format!("-{}.{:03}", r.below(1_000), r.below(1_000)),
        2 => format!("0.{}", r.below(1_000_000)),
        3 => format!("{}.{}", r.below(100_000), r.below(100)),
        _ => format!("{}", r.next() as f64 / 1e17),
    }
}

/// A day of a month, one that a change of clocks makes odd, or one at the edge of a type.
fn date(r: &mut Random) -> String {
    let (year, month, day) = match r.below(6) {
        0 => (*r.one(&[1900, 1969, 1970, 2106, 2149, 2299]), 1 + r.below(12), 1 + r.below(28)),
        1 => (2024, *r.one(&[3, 10, 11]), *r.one(&[3, 10, 27, 31])),
        _ => (2024, 1 + r.below(12), 1 + r.below(28)),
    };
    format!("{year:04}-{month:02}-{day:02}")
}

fn moment(r: &mut Random) -> String {
    let clock = format!("{:02}:{:02}:{:02}", r.below(24), r.below(60), r.below(60));
    let fraction = match r.below(4) {
        0 => String::new(),
        1 => format!(".{}", r.below(10)),
        2 => format!(".{:03}", r.below(1_000)),
        _ => format!(".{:06}", r.below(1_000_000)),
    };
    format!("\"{}{}{clock}{fraction}{}\"", date(r), r.one(&[" ", "T"]), r.one(&["", "Z"]))
}

/// A text around the sizes at which kernels change their way.
fn text(r: &mut Random, hostile: usize) -> String {
    const ESCAPES: &[&str] =
        &["\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\u0000", "\\ud83d\\ude00", "é", "日", "😀"];
    const ODD: &[&str] =
        &["\\udc00", "\\ud83d", "\\ud83d\\uf000", "\\q", "\\u12", "\\uXYZW", "\u{0}", "\n", "{", "]"];
    let length = match r.below(5) {
        0 => 55 + r.below(20),
        1 => 120 + r.below(20),
        2 => r.below(300),
        _ => r.below(40),
    };
    let has_escapes = r.chance(25);
    let mut text = String::new();
    while text.len() < length {
        if has_escapes && r.chance(8) {
            text.push_str(r.one::<&str>(ESCAPES));
        } else if r.chance(hostile / 4) && r.chance(5) {
            text.push_str(r.one::<&str>(ODD));
        } else {
            text.push(char::from(b'a' + r.next().to_le_bytes()[0] % 26));
        }
    }
    text
}

/// A value that fits few types.
fn odd(r: &mut Random) -> String {
    const ODD: &[&str] = &[
        "null",
        "nul",
        "true",
        "tru",
        "",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "-0",
        "01",
        "+1",
        ".5",
        "1.",
        "1e5",
        "1e400",
        "NaN",
        "inf",
        "256",
        "-129",
        "65536",
        "4294967296",
        "18446744073709551616",
        "9007199254740993",
        "\"300\"",
        "\"true\"",
        "\"2024-02-30\"",
        "\"0999-01-01 00:00:00\"",
        "\"2024-01-01 23:59:60\"",
        "\"2300-01-01\"",
        "\"1969-12-31T23:59:59Z\"",
        "[1,2,]",
        "[1,[2]]",
        "[[[[[[[[[1]]]]]]]]]",
        "[[[[[[[[[[1]]]]]]]]]]",
        "{\"x\":1,\"x\":2}",
        "{\"x\":{\"x\":{\"x\":1}}}",
        "{\"k\":1,\"l\":2,\"m\":3}",
        "[null]",
        "\"\\u0061\"",
        "[\"\\n\"]",
        "{\"x\":300,\"y\":\"s\"}",
    ];
    (*r.one(ODD)).to_owned()
}
