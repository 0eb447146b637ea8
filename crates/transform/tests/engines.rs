//! Every engine gives the rows, the rejects and the counts of the exact path.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use housepipe_transform::{
    Columns, EachHeader, Encoder, Engine, Envelope, Limits, Path, Plan, PlanOptions, Reject, RowFormat,
    Semantics, Source, Tier,
};
use proptest::prelude::*;
use support::cases::load;

/// What an encoder made of a list of records.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<u8>,
    rejects: Vec<(usize, Reject)>,
    unknown: Vec<(String, u64)>,
    unknown_total: u64,
}

/// What is known of the record of an index: rows of records that changed places would differ.
struct Place(usize);

impl Envelope for Place {
    fn topic(&self) -> &str {
        "topic"
    }

    fn partition(&self) -> i32 {
        3
    }

    fn offset(&self) -> i64 {
        i64::try_from(self.0).unwrap()
    }

    /// Now and then one that a DateTime does not hold.
    fn timestamp_ms(&self) -> Option<i64> {
        (!self.0.is_multiple_of(3)).then_some(self.offset() % 16 * 1_000 - 1_000)
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.is_multiple_of(2).then_some(b"key")
    }

    fn raw_message(&self) -> Option<&[u8]> {
        None
    }

    fn each_header(&self, each: &mut EachHeader<'_>) {
        (0..self.0 % 4).for_each(|number| each(b"name", (number > 0).then_some(b"value")));
    }
}

fn run(plan: &Arc<Plan>, engine: Engine, records: &[&[u8]]) -> Outcome {
    let mut encoder = Encoder::with_engine(Arc::clone(plan), engine);
    let mut rows = b"before".to_vec();
    let mut rejects = Vec::new();
    let count = encoder.encode_each_with(records, Place, &mut rows, |index, row| {
        rejects.extend(row.err().map(|reject| (index, reject)));
        ControlFlow::Continue(())
    });
    assert_eq!(count, records.len());
    assert!(rows.starts_with(b"before"));
    let unknown = encoder.unknown_keys();
    let names = unknown.iter().map(|(name, count)| (name.into_owned(), count)).collect();
    Outcome { rows, rejects, unknown: names, unknown_total: unknown.total() }
}

fn engines() -> Vec<Engine> {
    let tiers = Tier::all();
    let paths = [Path::General, Path::Lockstep];
    paths.iter().flat_map(|path| tiers.iter().map(|tier| Engine::new(*path, *tier))).collect()
}

fn assert_engines_agree(columns: &str, options: &PlanOptions, records: &[&[u8]]) {
    assert_agree(&columns.parse().unwrap(), options, records);
}

fn assert_agree(columns: &Columns, options: &PlanOptions, records: &[&[u8]]) {
    let plan = Arc::new(Plan::compile(columns, options).unwrap());
    let exact = run(&plan, Engine::EXACT, records);
    for engine in engines() {
        let outcome = run(&plan, engine, records);
        if outcome == exact {
            continue;
        }
        let first = records
            .iter()
            .position(|record| run(&plan, engine, &[record]) != run(&plan, Engine::EXACT, &[record]));
        let text = first.map(|index| String::from_utf8_lossy(records[index]));
        panic!("{engine:?} differs on `{columns}`; alone on {text:?}\n{outcome:?}\n{exact:?}");
    }
}

fn options() -> Vec<PlanOptions> {
    let mut options = Vec::new();
    for semantics in [Semantics::Strict, Semantics::ClickHouse] {
        for format in [RowFormat::RowBinary, RowFormat::RowBinaryWithDefaults] {
            let one = PlanOptions::default().with_semantics(semantics).with_format(format);
            options.push(one.clone().with_strict_utf8(true));
            options.push(one);
        }
    }
    options
}

/// Records in which every key follows another one than it did in the last few, after which keys are not guessed for a
/// while. No column takes them.
fn disorder() -> Vec<String> {
    let record = |step: usize| {
        let keys: Vec<String> = (1..7).map(|at| format!("\"out of order {}\":0", at * step % 7)).collect();
        format!("{{{}}}", keys.join(","))
    };
    (0..18).map(|n| record(n % 6 + 1)).collect()
}

#[test]
fn on_every_case() {
    let mut by_columns: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (_, case) in load() {
        by_columns.entry(case.columns.clone()).or_default().push(case.record());
    }
    let disorder = disorder();
    let disorder: Vec<&[u8]> = disorder.iter().map(String::as_bytes).collect();
    for (columns, records) in &by_columns {
        // Each record several times in a row, so that its shape is learned; then all of them mixed.
        let mut batch: Vec<&[u8]> = Vec::new();
        for record in records {
            batch.extend(std::iter::repeat_n(record.as_slice(), 9));
        }
        batch.extend(records.iter().map(Vec::as_slice));
        batch.extend(records.iter().rev().map(Vec::as_slice));
        // Then where keys come in no order: alone in their groups, and mixed.
        for chunk in records.chunks(16) {
            batch.extend(&disorder);
            for record in chunk {
                batch.extend(std::iter::repeat_n(record.as_slice(), 6));
            }
            batch.extend(chunk.iter().map(Vec::as_slice));
        }
        for options in options() {
            assert_engines_agree(columns, &options, &batch);
        }
    }
}

const COLUMNS: [&str; 4] = [
    "a UInt8, b String, c Nullable(Float64), d DateTime64(3, 'Europe/Berlin'), e Int64, f Bool",
    "a Array(UInt16), b Map(String, Int32), c Array(Tuple(x String, y Nullable(Int8))), d Array(Array(Float64))",
    "a Date, b Date32, c DateTime, d UUID, e Enum8('p' = 1, 'q' = 2), f FixedString(3), g IPv4",
    "a String, A UInt32, bb LowCardinality(String), c JSON, d Tuple(UInt8, String), e Nullable(DateTime64(9))",
];

/// Lists of columns whose names say what fills them.
const FILLED: [&str; 3] = [
    "a UInt8, b String, c Nullable(Float64), `_offset` Int64, `_key` Nullable(String), `=7` UInt8",
    "`a[0]` Nullable(Int32), `a[2]` UInt8, `b.k` UInt8, `b.x` String, `c[0].x` String, `c[0].y` Nullable(Int8), \
     `_header_keys` Array(LowCardinality(String)), `_header_values` Array(Nullable(String)), `=text` String",
    "`a.k.l` UInt8, `a.l` UInt16, b String, `c[0][0]` Float64, `c[1][0]` Float64, `_timestamp` DateTime, e Int64",
];

/// The columns of a list whose names say what fills them: a path, a virtual column, or behind `=` a constant.
fn filled(text: &str) -> Columns {
    let columns: Columns = text.parse().unwrap();
    let filled = columns.iter().map(|column| {
        let source = match column.name.strip_prefix('=') {
            Some(text) => Source::Constant(text.to_owned()),
            None => column.name.parse().unwrap(),
        };
        column.clone().from_source(source)
    });
    filled.collect()
}

/// Lists of columns of all kinds.
fn columns() -> impl Strategy<Value = Columns> {
    let plain = COLUMNS.iter().map(|text| text.parse().unwrap());
    prop::sample::select(plain.chain(FILLED.map(filled)).collect::<Vec<Columns>>())
}

/// A value as producers write it, or one that is a little off.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (0..300u32).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no others", |x| x.is_finite()).prop_map(|x| x.to_string()),
        (0u64..1 << 60, 0usize..19).prop_map(|(n, point)| {
            let mut text = format!("{n:019}");
            text.insert(19 - point, '.');
            text.trim_start_matches('0').to_owned()
        }),
        "[a-z \\\\\"/é日]{0,80}".prop_map(|text| format!("{text:?}")),
        "[ -~]{0,200}".prop_map(|text| format!("\"{text}\"")),
        (1900..2300u32, 1..14u32, 0..33u32, 0..25u32, 0..61u32, 0..61u32, "[.]?[0-9]{0,11}Z?").prop_map(
            |(year, month, day, hour, minute, second, tail)| format!(
                "\"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{tail}\""
            )
        ),
        (1900..2300u32, 1..14u32, 0..33u32).prop_map(|(y, m, d)| format!("\"{y}-{m:02}-{d:02}\"")),
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "\"p\"",
            "[]",
            "{}",
            "[1,2,3]",
            "[1, 2 ]",
            "[[1.5],[]]",
            "\"\\u00e9\\n\"",
            "{\"x\":\"s\",\"y\":1}",
            "[{\"x\":\"s\",\"y\":null}]",
            "{\"k\":1,\"l\":2}",
            "{\"k\": {\"l\": 2}}",
            "{\"k\":{\"l\":\"7\"},\"l\":null}",
            "{\"l\":300,\"K\":{\"\\u006c\":2,\"more\":[1]}}",
            "{\"k\":1,\"k\":2}",
            "[[1,2],[3.5]]",
            "[{\"x\":\"s\",\"z\":[1]},7]",
            "[1,]",
            "-",
            "01",
            "1e5",
            "1.5E-3",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"127.0.0.1\"",
            "\"\\q\"",
            "\"61f0c404-5cb3-11e7-907b-a6006ad3dba0\"",
            "[7,\"s\"]",
            "18446744073709551615",
            "-9223372036854775808",
        ])
        .prop_map(str::to_owned),
    ]
}

const KEYS: [&str; 13] = ["a", "b", "c", "d", "e", "f", "g", "A", "B", "bb", "other", "another key", ""];

/// Blanks around the colon and behind the comma.
fn glue() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![("", ""), ("", " "), (" ", " "), ("\n\t", "")])
}

/// A record of these fields.
fn written<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>, (before, behind): (&str, &str)) -> Vec<u8> {
    let fields: Vec<String> =
        fields.map(|(key, value)| format!("\"{key}\"{before}:{behind}{value}")).collect();
    format!("{{{}}}", fields.join(&format!(",{behind}"))).into_bytes()
}

/// Where a record is damaged: another byte, or cut off.
type Damage = (prop::sample::Index, u8, bool, bool);

fn damage() -> impl Strategy<Value = Damage> {
    (any::<prop::sample::Index>(), any::<u8>(), prop::bool::weighted(0.1), prop::bool::weighted(0.05))
}

fn damaged(mut record: Vec<u8>, (at, byte, is_changed, is_cut): Damage) -> Vec<u8> {
    let at = at.index(record.len());
    if is_changed {
        record[at] = byte;
    }
    if is_cut {
        record.truncate(at);
    }
    record
}

/// Records of a few shapes, each repeated with other values, and some of them damaged.
fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let key = prop::sample::select(KEYS.to_vec());
    let glue = glue();
    let shape = (prop::collection::vec(key, 0..9), glue);
    let record = (prop::collection::vec(value(), 9), damage());
    let groups = prop::collection::vec((shape, prop::collection::vec(record, 1..16)), 1..4);
    let pieces = prop::sample::select(vec!["}", " }", "{}", "{"]);
    (groups, prop::bool::weighted(0.2), pieces).prop_map(|(groups, has_pause, piece)| {
        let mut list = if has_pause { behind_a_pause(12, "{}", 4, piece) } else { Vec::new() };
        for ((keys, glue), values) in groups {
            for (values, damage) in values {
                let fields = keys.iter().copied().zip(values.iter().map(String::as_str));
                list.push(damaged(written(fields, glue), damage));
            }
            if has_pause {
                list.extend(vec![piece.into(); 4]);
            }
        }
        list
    })
}

/// Records that have keys, each one at most, in any order, after keys are not guessed any more. Most of them have values
/// that fit the first list of columns, so that whole groups do.
fn unordered() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let number = (0..300u32).prop_map(|n| n.to_string());
    let fitting = [
        number.clone().boxed(),
        "\"[ -!#-Z]{0,70}\"".boxed(),
        prop_oneof![Just("null".to_owned()), number.clone()].boxed(),
        (10..29u32, 0..70u32).prop_map(|(d, s)| format!("\"2024-03-{d} 01:02:{s:02}.5\"")).boxed(),
        any::<i64>().prop_map(|n| n.to_string()).boxed(),
        prop::sample::select(vec!["true", "false"]).prop_map(str::to_owned).boxed(),
    ];
    let fields = KEYS.iter().enumerate().map(|(at, key)| {
        let fits = fitting.get(at).cloned().unwrap_or(value().boxed());
        let value = prop_oneof![15 => fits, 1 => value()];
        // Keys of the columns are there most often.
        let is_there = prop::bool::weighted(if at < 6 { 0.95 } else { 0.1 });
        (Just(*key), value, is_there).boxed()
    });
    let record = (fields.collect::<Vec<_>>().prop_shuffle(), glue(), damage());
    prop::collection::vec(record, 1..48).prop_map(|records| {
        let mut list: Vec<Vec<u8>> = disorder().into_iter().map(String::into_bytes).collect();
        list.extend(records.into_iter().map(|(fields, glue, damage)| {
            let fields = fields.iter().filter(|(.., is_there)| *is_there);
            damaged(written(fields.map(|(key, value, _)| (*key, value.as_str())), glue), damage)
        }));
        list
    })
}

/// Records with keys that never come again, after which a fast path stops to guess for a while; then records of one
/// shape, and many times a text that begins where a record of that shape might end.
fn behind_a_pause(fresh: usize, record: &str, regular: usize, tail: &str) -> Vec<Vec<u8>> {
    let fresh = (0..fresh).map(|n| format!(r#"{{"x{n}":1,"y{n}":2,"z{n}":3}}"#));
    let regular = (0..regular).map(|n| record.replace('@', &n.to_string()));
    fresh.chain(regular).chain((0..16).map(|_| tail.to_owned())).map(String::into_bytes).collect()
}

#[test]
fn on_pieces_of_records_behind_a_pause() {
    let tails = ["}", " }", "\n}", "{}", "", ",\"a\":1}", "{", "{\"a\":1", "1}", "\"}", "{}}"];
    for (columns, record) in [
        ("a UInt8", r#"{"a":@}"#),
        ("a UInt8, b UInt8", r#"{"b":@}"#),
        ("a UInt8, b String", "{\"b\":\"x@\",\"a\":@ }"),
        ("a String, b UInt8", "{\"u\":@,\"a\":\"@\"\n}"),
    ] {
        for tail in tails {
            for (fresh, regular) in [(12, 4), (9, 4), (9, 8), (8, 9), (12, 0), (9, 3)] {
                let records = behind_a_pause(fresh, record, regular, tail);
                let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
                assert_engines_agree(columns, &PlanOptions::default(), &records);
            }
        }
    }
}

/// All records that differ from this one in one byte: another one, one too few, or one too many.
fn with_a_byte_wrong(record: &[u8]) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    for at in 0..=record.len() {
        let (before, behind) = record.split_at(at);
        let rest = behind.get(1..).unwrap_or_default();
        list.push([before, rest].concat());
        for byte in b",:{}[]\"\\ 0n\0\x0b\x0c" {
            list.push([before, &[*byte], rest].concat());
            list.push([before, &[*byte], behind].concat());
        }
    }
    list
}

#[test]
fn on_flat_records_with_a_byte_wrong() {
    let disorder = disorder();
    for (columns, records) in [
        (
            "a UInt8, b String, c Nullable(Float64)",
            [r#"{"b":"x:y","c":1.5,"u":7,"a":1}"#, r#"{"u":"v,w","a":2,"c":null,"b":""}"#],
        ),
        (
            "a UInt8, B Bool, s Array(UInt8)",
            [r#"{ "s": [7], "b": true, "a": 1 }"#, r#"{"a":2,"s":[],"b":false}"#],
        ),
        ("a UInt8", [r#"{"a":1}"#, r#"{ "a" : 1 }"#]),
    ] {
        for good in records.map(str::as_bytes) {
            for bad in with_a_byte_wrong(good) {
                let mut list: Vec<&[u8]> = disorder.iter().map(String::as_bytes).collect();
                // The keys are known then, and groups are made of four.
                list.extend([good; 6]);
                list.extend([&bad, good, good, good]);
                assert_engines_agree(columns, &PlanOptions::default(), &list);
            }
        }
    }
}

#[test]
fn on_paths_with_a_byte_wrong() {
    let good: &[u8] = br#"{"b":{"x":"s","k":1},"c":[{"y":null,"x":"t"},2],"u":7,"a":[1,2,3]}"#;
    let disorder = disorder();
    for bad in with_a_byte_wrong(good) {
        let mut list: Vec<&[u8]> = disorder.iter().map(String::as_bytes).collect();
        list.extend([good; 6]);
        list.extend([&bad, good, good, good]);
        assert_agree(&filled(FILLED[1]), &PlanOptions::default(), &list);
    }
}

#[test]
fn on_records_at_the_limit_on_keys() {
    const FIELDS_MAX: usize = 100;
    let mut limits = Limits::default();
    limits.fields_max = FIELDS_MAX;
    for semantics in [Semantics::Strict, Semantics::ClickHouse] {
        let options = PlanOptions::default().with_semantics(semantics).with_limits(limits.clone());
        for keys in FIELDS_MAX - 2..FIELDS_MAX + 2 {
            // To ClickHouse, every colon in the raw text of a String parts a key from a value.
            let colons = format!(r#"{{"s":[{}]}}"#, ":".repeat(keys));
            let pairs = format!(r#"{{"s":{{{}}}}}"#, vec![r#""k":1"#; keys].join(","));
            for odd in [colons.as_bytes(), pairs.as_bytes()] {
                let plain: &[u8] = br#"{"s":[1]}"#;
                let mut records = vec![plain; 8];
                records.extend([odd, plain, plain, odd, odd, odd, odd, odd]);
                assert_engines_agree("s String", &options, &records);
            }
        }
    }
}

/// Records with these pairs, each time in another order, so that keys are looked up and not guessed.
fn in_turns(pairs: &[String], records: usize) -> Vec<Vec<u8>> {
    let record = |step: usize| {
        let mut pairs = pairs.to_vec();
        let mut state = step as u64 + 1;
        for last in (1..pairs.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            pairs.swap(last, usize::try_from(state >> 33).unwrap() % (last + 1));
        }
        format!("{{{}}}", pairs.join(",")).into_bytes()
    };
    (0..records).map(record).collect()
}

#[test]
fn on_members_of_a_variant_that_are_too_long_for_what_the_row_has() {
    let mut limits = Limits::default();
    limits.row_bytes_max = 500;
    let options = PlanOptions::default().with_limits(limits);
    let pairs = [r#""v":[]"#, r#""a":1"#, r#""b":2"#, r#""s":"x""#].map(str::to_owned);
    let long =
        format!(r#"{{"s":"{}","b":1,"a":2,"v":["\"","b","c","{}","\""]}}"#, "s".repeat(250), "t".repeat(101));
    let mut records = in_turns(&pairs, 200);
    for regular in in_turns(&pairs, 40) {
        records.push(regular);
        records.push(long.clone().into_bytes());
    }
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let columns = "v Variant(Array(FixedString(100)), Array(String)), a UInt8, b UInt8, s String";
    assert_engines_agree(columns, &options, &records);
}

#[test]
fn on_texts_that_begin_with_a_known_key() {
    let pairs: Vec<String> = ["ab", "cd", "ef", "gh", "ij"].map(|key| format!("\"{key}\":1")).to_vec();
    let mut records = in_turns(&pairs, 200);
    // A few of so many have the hash of the key that they begin with.
    for (n, regular) in in_turns(&pairs, 60_000).into_iter().enumerate() {
        records.push(regular);
        records.push(format!(r#"{{"cd":1,"ab"{n:x}x:7,"ij":5,"gh":4,"ef":3}}"#).into_bytes());
    }
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let columns = "ab UInt8, cd UInt8, ef UInt8, gh UInt8, ij UInt8";
    assert_engines_agree(columns, &PlanOptions::default(), &records);
}

#[test]
fn on_keys_hidden_behind_quotes_at_the_limit_on_keys() {
    const FIELDS_MAX: usize = 100;
    let mut limits = Limits::default();
    limits.fields_max = FIELDS_MAX;
    let options = PlanOptions::default().with_limits(limits);
    let few: Vec<String> = ["a", "b", "c", "d"].map(|key| format!("\"{key}\":1")).to_vec();
    let other: Vec<String> = (0..40).map(|n| format!("\"other {n}\":1")).collect();
    let map = |keys: usize| format!(r#""m":{{"k\"":1{},"m":"\""}}"#, r#","":1"#.repeat(keys));
    let regular = in_turns(&[few.clone(), other.clone(), vec![map(0)]].concat(), 400);
    for keys in [20, FIELDS_MAX - 48, FIELDS_MAX - 47, FIELDS_MAX - 46, FIELDS_MAX - 20] {
        let mut records = regular.clone();
        let small = [few.clone(), vec!["\"m\":{}".to_owned()]].concat();
        for large in in_turns(&[few.clone(), other.clone(), vec![map(keys)]].concat(), 8) {
            records.push(large);
            records.extend(in_turns(&small, 3));
        }
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let columns = "m Map(String, String), a UInt8, b UInt8, c UInt8, d UInt8";
        assert_engines_agree(columns, &options, &records);
    }
}

#[test]
fn a_break_ends_with_the_row_of_its_record() {
    let plan = Arc::new(Plan::compile(&"a UInt8".parse().unwrap(), &PlanOptions::default()).unwrap());
    let records: Vec<Vec<u8>> = (0..32).map(|n| format!(r#"{{"a":{n}}}"#).into_bytes()).collect();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    for engine in engines().into_iter().chain([Engine::EXACT]) {
        for last in 0..records.len() {
            let mut encoder = Encoder::with_engine(Arc::clone(&plan), engine);
            let mut rows = Vec::new();
            let count = encoder.encode_each(&records, &mut rows, |index, row| {
                assert_eq!(row, Ok(index + 1));
                if index == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!((count, rows.len()), (last + 1, last + 1), "{engine:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn on_keys_in_no_order(columns in columns(), records in unordered()) {
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        for options in options() {
            assert_agree(&columns, &options, &records);
        }
    }

    #[test]
    fn on_shapes_that_repeat(columns in columns(), records in records()) {
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        for options in options() {
            assert_agree(&columns, &options, &records);
        }
    }
}
