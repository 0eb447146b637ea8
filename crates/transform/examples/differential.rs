//! Compares the encoder with the ClickHouse that `CLICKHOUSE_URL` names, on random columns and hostile records.
//!
//! `cargo run -p housepipe-transform --example differential -- [SECONDS] [SEED]`; exits with 1 where a difference was
//! found. Differences on purpose (`docs/differences.md`) are left out by the code of the reject.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a tool for developers")]
#![allow(clippy::cast_possible_truncation, reason = "indices below small lengths")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use housepipe_transform::{Columns, Encoder, Plan, PlanOptions, RejectCode, Semantics};
use support::cases::hex;
use support::oracle::Oracle;

const RECORDS_PER_PLAN: usize = 40;
const FOUND_MAX: usize = 40;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const SCALARS: &[&str] = &[
    "UInt8",
    "Int8",
    "UInt16",
    "Int16",
    "UInt32",
    "Int32",
    "UInt64",
    "Int64",
    "UInt128",
    "Int128",
    "Float32",
    "Float64",
    "Bool",
    "String",
    "String",
    "FixedString(3)",
    "Date",
    "Date32",
    "DateTime",
    "DateTime('Europe/Berlin')",
    "DateTime64(3)",
    "DateTime64(9, 'America/New_York')",
    "DateTime64(0, 'Australia/Lord_Howe')",
    "DateTime64(6, 'America/Sao_Paulo')",
    "Enum8('a' = 1, 'b' = -2)",
    "Enum16('a' = 0, '5' = 7)",
    "UUID",
    "IPv4",
    "IPv6",
];

fn ty(r: &mut Random, depth: usize) -> String {
    if depth == 0 || r.chance(55) {
        let scalar = r.pick(SCALARS);
        return match r.below(8) {
            0 => format!("Nullable({scalar})"),
            1 if scalar.starts_with("String") || scalar.starts_with("Fixed") => {
                format!("LowCardinality(Nullable({scalar}))")
            }
            _ => scalar.to_owned(),
        };
    }
    match r.below(5) {
        0 | 1 => format!("Array({})", ty(r, depth - 1)),
        2 => {
            let key =
                r.pick(&["String", "UInt8", "Date", "LowCardinality(String)", "Int64", "Enum8('a' = 1)"]);
            format!("Map({key}, {})", ty(r, depth - 1))
        }
        3 => format!("Tuple({}, {})", ty(r, depth - 1), ty(r, depth - 1)),
        _ => format!("Tuple(x {}, y {})", ty(r, depth - 1), ty(r, depth - 1)),
    }
}

const ODD: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "7",
    "300",
    "65537",
    "-0",
    "01",
    "+1",
    "1.5",
    "1e3",
    "1e400",
    ".5",
    "1.",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "\"\"",
    "\"1\"",
    "\"a\"",
    "\"b\"",
    "\"5\"",
    "\"-3\"",
    "\"true\"",
    "\"null\"",
    "\"\\u0061\"",
    "\"\\q\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\udc00\"",
    "[]",
    "{}",
    "[1]",
    "{\"x\":1}",
    "[null]",
    "",
    "18446744073709551616",
    "9223372036854775807",
    "340282366920938463463374607431768211455",
    "\"2024-01-02\"",
    "\"2024-01-02 03:04:05\"",
    "\"2024-03-31T02:30:00\"",
    "\"1700000000\"",
    "\"1700000000123\"",
    "1700000000.5",
    "\"1.2.3.4\"",
    "\"::1\"",
    "\"61f0c404-5cb3-11e7-907b-a6006ad3dba0\"",
    "tru",
    "nul",
    "1 2",
    "'a'",
    "\"nan\"",
    "\"1e5\"",
    "0.1",
    "-1.5e-3",
    "123456789.987654321",
    "\"é\"",
    "\"long text with \\\"quotes\\\" and \\n\"",
];

fn date_time(r: &mut Random) -> String {
    let date = match r.below(8) {
        0 => format!("{:04}{:02}{:02}", 1900 + r.below(300), r.below(14), r.below(33)),
        1 => format!("{}/{}/{}", 1960 + r.below(100), 1 + r.below(12), 1 + r.below(31)),
        2 => format!(
            "{} {} {}",
            r.below(32),
            r.pick(&["Jan", "feb", "March", "APR", "Sept", "Foo"]),
            r.below(3000)
        ),
        3 => format!("{:02}.{:02}.{}", r.below(32), r.below(13), r.below(3000)),
        _ => format!("{:04}-{:02}-{:02}", 1890 + r.below(420), 1 + r.below(12), 1 + r.below(30)),
    };
    let time = match r.below(6) {
        0 => String::new(),
        1 => format!("{}{}:{}", r.pick(&[" ", "T"]), r.below(26), r.below(62)),
        2 => format!("T{:02}{:02}{:02}", r.below(25), r.below(61), r.below(61)),
        _ => format!(
            "{}{:02}:{:02}:{:02}",
            r.pick(&[" ", "T", "  ", "t"]),
            r.below(25),
            r.below(61),
            r.below(61)
        ),
    };
    let fraction = if r.chance(30) { format!(".{}", r.below(10_000_000_000)) } else { String::new() };
    let zone = r.pick(&[
        "", "", "", "Z", " UTC", "+02:00", "-0330", " PM", " am", "+5", " MSK", " CET", "Z+1", "+99:99",
    ]);
    format!("\"{date}{time}{fraction}{zone}\"")
}

/// A value that mostly fits the type.
fn value(r: &mut Random, ty: &str) -> String {
    if r.chance(12) {
        return r.pick(ODD).to_owned();
    }
    let (name, args) = match ty.split_once('(') {
        Some((name, args)) => (name, &args[..args.len() - 1]),
        None => (ty, ""),
    };
    let list = |r: &mut Random, items: Vec<String>, close: &str| {
        let separator = r.pick(&[",", ",", ",", ", ", " ,"]);
        let end = if r.chance(3) { "," } else { "" };
        format!("{}{end}{close}", items.join(separator))
    };
    match name {
        "Nullable" | "LowCardinality" => value(r, args),
        "Array" => {
            let items = (0..r.below(4)).map(|_| value(r, args)).collect();
            format!("[{}", list(r, items, "]"))
        }
        "Map" => {
            let (key, item) = split(args);
            let items = (0..r.below(4))
                .map(|_| {
                    let key = value(r, &key);
                    let key = if key.starts_with('"') || r.chance(10) { key } else { format!("\"{key}\"") };
                    format!("{key}:{}", value(r, &item))
                })
                .collect();
            format!("{{{}", list(r, items, "}"))
        }
        "Tuple" => {
            let (first, second) = split(args);
            match first.strip_prefix("x ") {
                None => {
                    let items = vec![value(r, &first), value(r, &second)];
                    format!("[{}", list(r, items, "]"))
                }
                Some(first) => {
                    let second = second.strip_prefix("y ").unwrap().to_owned();
                    let mut items = Vec::new();
                    for _ in 0..1 + r.below(2) {
                        items.push(match r.below(10) {
                            0..=3 => format!("\"x\":{}", value(r, first)),
                            4..=8 => format!("\"y\":{}", value(r, &second)),
                            _ => format!("\"z\":{}", r.pick(ODD)),
                        });
                    }
                    format!("{{{}", list(r, items, "}"))
                }
            }
        }
        "String" | "FixedString" => format!("\"{}\"", &"xyzw"[..r.below(4)]),
        "Float32" | "Float64" => {
            format!("{}.{}e{}", r.below(100_000), r.below(1_000_000_000), r.below(30))
        }
        "Bool" => r.pick(&["true", "false", "1", "0"]).to_owned(),
        "Date" | "Date32" if r.chance(80) => {
            format!(
                "\"{:04}{}{:02}-{:02}\"",
                1890 + r.below(420),
                r.pick(&["-", "-", "/"]),
                r.below(14),
                r.below(33)
            )
        }
        "DateTime" | "DateTime64" if r.chance(85) => date_time(r),
        "Enum8" | "Enum16" => {
            r.pick(&["\"a\"", "\"b\"", "1", "-2", "\"5\"", "7", "0", "\"0\"", "257"]).to_owned()
        }
        "UUID" => "\"61f0c404-5cb3-11e7-907b-a6006ad3dba0\"".to_owned(),
        "IPv4" => format!("\"{}.{}.{}.{}\"", r.below(256), r.below(300), r.below(256), r.below(256)),
        "IPv6" => r
            .pick(&["\"::1\"", "\"2001:db8::1\"", "\"1.2.3.4\"", "\"::ffff:1.2.3.4\"", "\"1::2::3\""])
            .to_owned(),
        _ => {
            let digits = r.below(22);
            let number: String = (0..digits + 1).map(|_| char::from(b'0' + r.below(10) as u8)).collect();
            let number = if r.chance(60) { r.below(120).to_string() } else { number };
            if r.chance(10) { format!("-{number}") } else { number }
        }
    }
}

/// The two arguments of a type.
fn split(args: &str) -> (String, String) {
    let mut level = 0;
    for (at, byte) in args.bytes().enumerate() {
        match byte {
            b'(' => level += 1,
            b')' => level -= 1,
            b',' if level == 0 => return (args[..at].to_owned(), args[at + 2..].to_owned()),
            _ => {}
        }
    }
    panic!("{args} has one argument");
}

fn record(r: &mut Random, columns: &[(String, String)]) -> Vec<u8> {
    let mut fields: Vec<String> = Vec::new();
    for (name, ty) in columns {
        if !r.chance(8) {
            let name = if r.chance(3) { name.to_uppercase() } else { name.clone() };
            fields.push(format!("\"{name}\":{}", value(r, ty)));
        }
    }
    if r.chance(15) {
        fields.push(format!("\"u\":{}", value(r, "Array(Map(String, Float64))")));
    }
    if r.chance(20) && fields.len() > 1 {
        let at = r.below(fields.len());
        fields.swap(0, at);
    }
    if r.chance(3) {
        let copy = fields.first().cloned().unwrap_or_default();
        fields.push(copy);
    }
    let mut record = format!("{{{}}}", fields.join(r.pick(&[",", ", ", " ,\t"]))).into_bytes();
    if r.chance(12) {
        for _ in 0..1 + r.below(2) {
            let at = r.below(record.len());
            match r.below(3) {
                0 => {
                    record.remove(at);
                }
                1 => record.insert(at, b"\",:{}[]\\ 0-+.eE1tn\x0b\x01\xff/"[r.below(22)]),
                _ => record[at] = b"\",:{}[]\\ 0-+.eE1tn\x0b\x01\xff/"[r.below(22)],
            }
            if record.is_empty() {
                record.push(b'{');
            }
        }
    }
    record
}

fn main() {
    let mut oracle = Oracle::from_environment().expect("CLICKHOUSE_URL names a server");
    let mut args = std::env::args().skip(1);
    let seconds = args.next().map_or(60, |text| text.parse().unwrap());
    let seed: u64 = args.next().map_or_else(
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into(),
        |text| text.parse().unwrap(),
    );
    println!("seed {seed}");
    let mut r = Random(seed | 1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut pairs, mut accepted, mut found) = (0u64, 0u64, 0usize);
    while Instant::now() < end && found < FOUND_MAX {
        let columns: Vec<(String, String)> =
            (0..1 + r.below(3)).map(|n| (["a", "b", "c"][n].to_owned(), ty(&mut r, 3))).collect();
        let text = columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect::<Vec<_>>().join(", ");
        let list: Columns = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let encoder = |semantics| {
            let options = PlanOptions::default().with_semantics(semantics);
            Encoder::new(Arc::new(
                Plan::compile(&list, &options).unwrap_or_else(|error| panic!("{text}: {error}")),
            ))
        };
        let (mut strict, mut lenient) = (encoder(Semantics::Strict), encoder(Semantics::ClickHouse));
        let records: Vec<Vec<u8>> = (0..RECORDS_PER_PLAN).map(|_| record(&mut r, &columns)).collect();
        // What we accept goes to ClickHouse as one file; only where that differs, and for what we refuse, one by one.
        let mut batch = (Vec::new(), Vec::new());
        let mut alone = Vec::new();
        for record in &records {
            let mut ours = Vec::new();
            let verdict = lenient.encode(record, &mut ours);
            let mut strictly = Vec::new();
            if strict.encode(record, &mut strictly).is_ok() && (verdict.is_err() || strictly != ours) {
                found += 1;
                println!("STRICT DIFFERS\t{text}\t{}", String::from_utf8_lossy(record));
            }
            match verdict {
                Ok(()) => {
                    accepted += 1;
                    batch.0.extend_from_slice(record);
                    batch.0.push(b'\n');
                    batch.1.extend_from_slice(&ours);
                    alone.push((record, Ok(ours)));
                }
                Err(reject) => alone.push((record, Err(reject.code))),
            }
        }
        pairs += records.len() as u64;
        let batch_agrees = oracle.row(&text, &batch.0).as_ref() == Ok(&batch.1);
        for (record, ours) in alone {
            if batch_agrees && ours.is_ok() {
                continue;
            }
            let intended =
                [RejectCode::DateTimeWithoutYear, RejectCode::TrailingData, RejectCode::NotAnObject];
            let is_blank = record.iter().all(|b| b" \t\r\n\x0b\x0c".contains(b));
            if is_blank || ours.as_ref().is_err_and(|code| intended.contains(code)) {
                continue;
            }
            let theirs = oracle.row(&text, record);
            if ours.as_ref().ok() != theirs.as_ref().ok() {
                found += 1;
                let theirs =
                    theirs.map(|row| hex(&row)).unwrap_or_else(|text| text.chars().take(160).collect());
                println!(
                    "{text}\t{}\n  ours {:?}\n  theirs {theirs}",
                    String::from_utf8_lossy(record),
                    ours.map(|row| hex(&row))
                );
            }
        }
    }
    println!("seed {seed}: {pairs} pairs, {accepted} accepted, {found} differences");
    std::process::exit(i32::from(found > 0));
}
