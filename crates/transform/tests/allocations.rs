//! In the steady state an encoder allocates nothing, and what a hostile record made it hold is given back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

#[path = "support/counting.rs"]
mod counting;

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use counting::{Counting, measure};
use housepipe_transform::{Encoder, Engine, Path, Plan, PlanOptions, Tier};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RECORDS: usize = 64;

/// Columns, and a record of them as a producer sends it, with `@` for a digit that changes.
const STREAMS: [(&str, &str); 11] = [
    ("a UInt8", r#"{"a":@}"#),
    (
        "id UInt64, at DateTime64(6), price Float64, size Int64, live Bool, symbol Nullable(String)",
        r#"{"id":12345@,"at":"2024-01-0@ 10:11:12.12345@","price":10.2@,"size":-@,"live":true,"symbol":"AB@"}"#,
    ),
    (
        "level LowCardinality(String), message String, trace UUID, client IPv4, tags Array(String), labels Map(String, String)",
        r#"{"level":"info","message":"a line of text, long enough for a wide register: number @","trace":"00112233-4455-6677-8899-aabbccddee@f","client":"10.0.0.@","tags":["x@","y"],"labels":{"k":"v@"}}"#,
    ),
    // Keys in another order than the columns, missing and unknown ones.
    ("a UInt8, b String, c Float64, d Date", r#"{"c":@.5,"unknown":[{"k":@}],"b":"x@","a":@}"#),
    (
        "a Array(Tuple(x String, y Nullable(Float64))), b Tuple(UInt8, String)",
        r#"{"a":[{"y":@,"x":"s"},{"x":"@"}],"b":[@,"t"]}"#,
    ),
    // Escapes need a buffer of their own.
    (
        "a String, b Enum8('p' = 1, 'q\n' = 2), c FixedString(8)",
        r#"{"a":"line @\n\u00e9","b":"q\n","c":"\t@"}"#,
    ),
    ("a JSON, b UInt8", r#"{"a":{"k":{"l":[@,{"m":null}]},"n.o":"\u00e9"},"b":@}"#),
    (
        "a DateTime('Europe/Berlin'), b DateTime64(3), c Date32, d IPv6",
        r#"{"a":"2024-03-31 0@:30:00","b":170416464@,"c":"2024-02-2@","d":"::@"}"#,
    ),
    // A key that is one byte too long to be learned.
    (
        "a UInt8, b UInt8",
        r#"{"a":@,"a key of 63 bytes: with its quotes it is longer than a block is":1,"b":1}"#,
    ),
    // A default that is larger than what the buffers of a fast path keep.
    ("a UInt8, b UInt8, c UInt8, d FixedString(300000)", r#"{"c":@,"b":1,"a":2}"#),
    // Containers of a Dynamic allocate: their type is made anew for each.
    ("a Dynamic, b Dynamic, c Dynamic, d Dynamic", r#"{"a":"text @","b":@.5,"c":"2024-01-1@","d":null}"#),
];

fn records(pattern: &str) -> Vec<Vec<u8>> {
    (0..RECORDS).map(|number| pattern.replace('@', &(number % 10).to_string()).into_bytes()).collect()
}

fn engines() -> impl Iterator<Item = Engine> {
    let paths = [Path::Exact, Path::General, Path::Lockstep];
    paths.into_iter().flat_map(|path| Tier::all().into_iter().map(move |tier| Engine::new(path, tier)))
}

fn encoder(columns: &str, engine: Engine) -> Encoder {
    let plan = Plan::compile(&columns.parse().unwrap(), &PlanOptions::default()).unwrap();
    Encoder::with_engine(Arc::new(plan), engine)
}

#[test]
fn the_steady_state_allocates_nothing() {
    for (columns, pattern) in STREAMS {
        let records = records(pattern);
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let lines = records.join(&b'\n');
        for engine in engines() {
            let mut encoder = encoder(columns, engine);
            let mut rows = Vec::new();
            let mut run = |rows: &mut Vec<u8>| {
                rows.clear();
                for record in &records {
                    encoder.encode(record, rows).unwrap();
                }
                let batch = encoder.encode_batch(&records, rows, |_, reject| panic!("{reject}"));
                let counts = encoder.encode_lines(&lines, rows, |line| panic!("{line:?}"));
                (batch, counts.rows)
            };
            // The first rounds grow the buffers and show the encoder the shape of the records.
            for _ in 0..3 {
                run(&mut rows);
            }
            let (counts, usage) = measure(|| run(&mut rows));
            assert_eq!(counts, (RECORDS, RECORDS));
            assert_eq!(usage.allocations, 0, "{usage:?} by {engine:?} for {columns}");
        }
    }
}

/// A batch of these records, which are all accepted, allocates nothing once it has been encoded a few times.
fn assert_allocates_nothing(columns: &str, records: &[&[u8]]) {
    for engine in engines() {
        let mut encoder = encoder(columns, engine);
        let mut rows = Vec::new();
        let mut run = |rows: &mut Vec<u8>| {
            rows.clear();
            encoder.encode_batch(records, rows, |_, reject| panic!("{reject}"))
        };
        for _ in 0..3 {
            run(&mut rows);
        }
        let (count, usage) = measure(|| run(&mut rows));
        assert_eq!(count, records.len());
        assert_eq!(usage.allocations, 0, "{usage:?} by {engine:?} for {columns}");
    }
}

#[test]
fn keys_in_no_order_allocate_nothing() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let columns = "a UInt8, b UInt8, c UInt8, d UInt8, e UInt8, f UInt8";
    for default in ["g UInt8", "g FixedString(300000)"] {
        let columns = format!("{columns}, {default}");
        let record = |number: usize| {
            // Each step from 1 to 6 is another order of the keys.
            let pairs =
                (1..7).map(|at| format!("\"{}\":{}", keys[at * (number % 6 + 1) % 7 - 1], number % 10));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        };
        let records: Vec<String> = (0..RECORDS).map(record).collect();
        let records: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
        assert_allocates_nothing(&columns, &records);
    }
}

#[test]
fn large_records_allocate_nothing() {
    // The UUID goes to the exact path, behind a long text; lengths alternate.
    let record = |number: usize| {
        let text = "x".repeat(if number.is_multiple_of(2) { 140_000 } else { 260_000 });
        format!(r#"{{"s":"{text}","u":"00112233-4455-6677-8899-aabbccddeeff"}}"#)
    };
    let records: Vec<String> = (0..12).map(record).collect();
    let records: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
    assert_allocates_nothing("s String, u UUID", &records);
}

/// Tuples of which every element may be left out.
const WIDE_TUPLES: &str =
    "a Array(Tuple(UInt256, UInt256, UInt256, UInt256, UInt256, UInt256, UInt256, UInt256)), b UInt8";

fn short_keys() -> String {
    let mut keys = String::new();
    for number in 0..9_000 {
        write!(keys, "\"{number}\":1,").unwrap();
    }
    keys
}

/// Records that each make the encoder hold as much as they can.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let long = "\\n".repeat(4 << 20);
    let mut keys = String::new();
    for number in 0..9_990 {
        write!(keys, "\"{number:0>300}\":[],").unwrap();
    }
    let nested = format!("{}1{}", "{\"key\":".repeat(900), "}".repeat(900));
    vec![
        ("a String, b UInt8", format!("{{\"b\":1,\"a\":\"{long}\"}}").into_bytes()),
        ("a String, b UInt8", format!("{{\"b\":1,\"u\":\"{long}\"}}").into_bytes()),
        ("a String, b UInt8", format!("{{\"b\":1,\"{long}\":1}}").into_bytes()),
        ("a String, b UInt8", format!("{{{keys}\"b\":1}}").into_bytes()),
        ("a JSON, b UInt8", format!("{{\"b\":1,\"a\":{{{keys}\"b\":1}}}}").into_bytes()),
        ("a JSON, b UInt8", format!("{{\"b\":1,\"a\":{nested}}}").into_bytes()),
        ("a Array(UInt8), b UInt8", format!("{{\"b\":1,\"a\":[{}1]}}", "1,".repeat(4 << 20)).into_bytes()),
        ("a String, b UInt8", format!("{{\"b\":1,\"u\":{}", "[".repeat(8 << 20)).into_bytes()),
        ("a FixedString(3), b UInt8", format!("{{\"b\":1,\"a\":\"{long}\"}}").into_bytes()),
        (
            "a Array(FixedString(100000)), b UInt8",
            format!("{{\"b\":1,\"a\":[{}\"\"]}}", "\"\",".repeat(1 << 20)).into_bytes(),
        ),
        // Short ones, which the fast paths take.
        (
            "a Array(FixedString(100000)), b UInt8",
            format!("{{\"b\":1,\"a\":[{}\"\"]}}", "\"\",".repeat(600)).into_bytes(),
        ),
        ("a Dynamic, b UInt8", format!("{{\"b\":1,\"a\":[{}1]}}", "1,null,".repeat(2 << 20)).into_bytes()),
        (
            "a Dynamic, b UInt8",
            format!("{{\"b\":1,\"a\":[{}1]}}", "{\"k\":1},{\"l\":2},".repeat(1 << 18)).into_bytes(),
        ),
        (
            "a Dynamic, b UInt8",
            format!(
                "{{\"b\":1,\"a\":{}{}{}}}",
                "[null,".repeat(63),
                "1,\"x\",".repeat(9_000),
                "1]".repeat(63)
            )
            .into_bytes(),
        ),
        (WIDE_TUPLES, format!("{{\"b\":1,\"a\":[{}null]}}", "null,".repeat(49_000)).into_bytes()),
        (
            "a JSON, b UInt8",
            format!("{{\"b\":1,\"a\":{{\"{:0>3000}\":{{{}\"b\":1}}}}}}", 0, short_keys()).into_bytes(),
        ),
    ]
}

#[test]
fn a_hostile_record_leaves_little_behind() {
    /// What an encoder may keep: four buffers of 1 MiB, four lanes of 2.5 MiB, its tables, and 100 names of unknown keys.
    const KEPT_BYTES_MAX: i64 = 16 << 20;
    /// What one record may make it hold for a moment: a row of 64 MiB and its copy, each doubled as vectors grow.
    const PEAK_BYTES_MAX: i64 = 4 * (64 << 20) + (64 << 20);
    for (columns, record) in hostile() {
        for engine in engines() {
            let ((encoder, rejected), usage) = measure(|| {
                let mut encoder = encoder(columns, engine);
                let mut rows = Vec::new();
                let rejected = encoder.encode(&record, &mut rows).is_err();
                // As its neighbours, and in their place.
                let plain: &[u8] = b"{\"b\":1}";
                let mut records = vec![plain; 16];
                records.extend([&*record; 4]);
                let mut count = 0;
                while count < records.len() {
                    rows.clear();
                    count += encoder.encode_each(&records[count..], &mut rows, |_, _| ControlFlow::Break(()));
                }
                (encoder, rejected)
            });
            let start = String::from_utf8_lossy(&record[..20]);
            assert!(
                usage.kept_bytes <= KEPT_BYTES_MAX && usage.peak_bytes <= PEAK_BYTES_MAX,
                "{usage:?} by {engine:?} for {columns}, {start}, rejected {rejected}"
            );
            drop(encoder);
        }
    }
}

#[test]
fn long_paths_of_json_cost_no_more_than_short_ones() {
    let leaves: Vec<String> = (0..9_000).map(|leaf| format!("\"{leaf}\":1")).collect();
    let record = format!("{{\"a\":{{\"{}\":{{{}}}}}}}", "k".repeat(8_000), leaves.join(","));
    let mut encoder = encoder("a JSON", Engine::default());
    let mut rows = Vec::with_capacity(1 << 20);
    let (encoded, usage) = measure(|| encoder.encode(record.as_bytes(), &mut rows));
    encoded.unwrap();
    // A few words for each leaf, doubled as vectors grow, not its path of 8,000 bytes.
    assert!(usage.peak_bytes < 2 << 20, "{usage:?}");
}

#[test]
fn an_encoder_does_not_grow_with_the_records() {
    for engine in engines() {
        let mut encoder = encoder("a UInt8, b String", engine);
        let mut rows = Vec::with_capacity(1 << 20);
        let mut run = |from: usize| {
            rows.clear();
            for number in from..from + 2_000 {
                // Keys that never come again, and shapes that never repeat.
                let record =
                    format!("{{\"key {number}\":{number},\"a\":1,\"b\":\"{}\"}}", "x".repeat(number % 50));
                encoder.encode(record.as_bytes(), &mut rows).unwrap();
            }
        };
        run(0);
        let ((), usage) = measure(|| {
            run(2_000);
            run(4_000);
        });
        assert_eq!(usage.kept_bytes, 0, "{usage:?} by {engine:?}");
    }
}

#[test]
fn the_counting_counts() {
    let (block, usage) = measure(|| vec![0u8; 1_000]);
    assert_eq!((usage.allocations, usage.peak_bytes, usage.kept_bytes), (1, 1_000, 1_000));
    let ((), usage) = measure(|| drop(block));
    assert_eq!((usage.allocations, usage.peak_bytes, usage.kept_bytes), (0, 0, -1_000));
}
