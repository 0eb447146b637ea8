//! What the fast way accepts, the library accepts: on schemas and records that are made at random.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

use std::collections::BTreeMap;

use housepipe_json_schema::{Draft, Formats, Options, Schema, Validator};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Names of members, some of them odd.
const NAMES: [&str; 9] = [
    "id",
    "name",
    "",
    "a_name_of_more_than_sixteen_bytes",
    "ä",
    "quo\"te",
    "back\\slash",
    "fourteen bytes",
    "x",
];

/// Texts as they stand between quotes in a record.
const TEXTS: [&str; 27] = [
    "",
    "a",
    "red",
    "green",
    "sixteen letters!",
    "a text that is longer than two blocks of sixteen",
    "ä",
    "日本語のテキスト",
    "😀",
    r"\u0061",
    r"\ud83d\ude00",
    r"\ud800",
    r"\n",
    r"\x",
    "tab\tinside",
    "2026-02-16T10:23:45Z",
    "2026-02-16T10:23:45.123456+02:00",
    "2026-02-30T10:23:45Z",
    "2026-06-30T23:59:60Z",
    "2026-02-16t10:23:45z",
    "2026-02-16",
    "10:23:45Z",
    "123e4567-e89b-12d3-a456-426614174000",
    "192.168.0.1",
    "2001:db8::1",
    "joe.bloggs@example.com",
    "https://www.example.com/p/1?x=y#z",
];

/// Numbers as they stand in a record, right and wrong ones.
const NUMBERS: [&str; 32] = [
    "0",
    "-0",
    "1",
    "-1",
    "7",
    "10",
    "42",
    "100",
    "1.0",
    "1.5",
    "99.99",
    "-0.5",
    "0.1",
    "1e3",
    "1E+2",
    "1e-2",
    "1e400",
    "-1e400",
    "1e-400",
    "9007199254740993",
    "9007199254740993.5",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "99999999999999999.5",
    "01",
    "1.",
    "-",
];

/// Numbers as they stand in a schema.
const LIMITS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "5",
    "10",
    "42",
    "100",
    "1.5",
    "99.99",
    "0.1",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
];

const PATTERNS: [&str; 12] = [
    "^[a-z]+$",
    "a",
    "^.$",
    r"^\d{4}-\d{2}",
    r"^\S*$",
    r"\w+@\w+",
    "^(red|green)$",
    "(?=a)a",
    r"^[^\s@]+$",
    r"\.",
    "^a?$",
    "[日本]",
];

const FORMATS: [&str; 12] = [
    "date-time",
    "date",
    "time",
    "uuid",
    "ipv4",
    "ipv6",
    "email",
    "uri",
    "hostname",
    "duration",
    "int64",
    "regex",
];

const TYPES: [&str; 7] = ["string", "integer", "number", "object", "array", "boolean", "null"];

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text of a schema as JSON, which is right there.
fn schema_text() -> impl Strategy<Value = String> {
    select(TEXTS.iter().filter(|text| !text.contains(['\\', '\t'])).collect::<Vec<_>>())
        .prop_map(|text| quoted(text))
}

fn keyword(name: &str, value: impl std::fmt::Display) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// A keyword and its value, of those that hold no schema.
fn plain_keyword() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        4 => select(&TYPES[..]).prop_map(|name| keyword("type", quoted(name))),
        2 => vec(select(&TYPES[..]), 1..4).prop_map(|mut names| {
            names.sort_unstable();
            names.dedup();
            keyword("type", format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",")))
        }),
        2 => (select(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"][..]), select(&LIMITS[..]))
            .prop_map(|(name, limit)| keyword(name, limit)),
        1 => select(&["1", "2", "7", "0.1", "0.5", "1e3", "1.5"][..]).prop_map(|of| keyword("multipleOf", of)),
        2 => (select(&["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"][..]), 0..6)
            .prop_map(|(name, count)| keyword(name, count)),
        1 => select(&PATTERNS[..]).prop_map(|pattern| keyword("pattern", quoted(pattern))),
        2 => select(&FORMATS[..]).prop_map(|format| keyword("format", quoted(format))),
        1 => vec(scalar(), 1..4).prop_map(|mut values| {
            values.sort_unstable();
            values.dedup();
            keyword("enum", format!("[{}]", values.join(",")))
        }),
        1 => scalar().prop_map(|value| keyword("const", value)),
        1 => vec(select(&NAMES[..]), 1..4).prop_map(|mut names| {
            names.sort_unstable();
            names.dedup();
            keyword("required", format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",")))
        }),
        1 => any::<bool>().prop_map(|is_unique| keyword("uniqueItems", is_unique)),
        1 => schema_text().prop_map(|text| keyword("description", text)),
        1 => Just(keyword("title", "\"\"")),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        schema_text(),
        select(&LIMITS[..]).prop_map(str::to_owned),
        select(&["null", "true", "false", "[1]", "{}", "1.0"][..]).prop_map(str::to_owned),
    ]
}

fn object(keywords: Vec<(String, String)>) -> String {
    let keywords: BTreeMap<String, String> = keywords.into_iter().collect();
    let members: Vec<String> =
        keywords.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn list(schemas: &[String]) -> String {
    format!("[{}]", schemas.join(","))
}

/// A schema, most of it what the fast way knows.
fn schema() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => vec(plain_keyword(), 0..4).prop_map(object),
        1 => Just("{}".to_owned()),
        1 => select(&["#/definitions/shared", "#"][..]).prop_map(|to| format!("{{\"$ref\":\"{to}\"}}")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let members = vec((select(&NAMES[..]), inner.clone()), 0..5).prop_map(|members| {
            keyword("properties", object(members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()))
        });
        let nullable = inner.clone().prop_map(|schema| list(&["{\"type\":\"null\"}".to_owned(), schema]));
        let holder = prop_oneof![
            6 => members,
            2 => inner.clone().prop_map(|schema| keyword("additionalProperties", schema)),
            2 => Just(keyword("additionalProperties", "false")),
            3 => inner.clone().prop_map(|schema| keyword("items", schema)),
            2 => (select(&["oneOf", "anyOf"][..]), nullable).prop_map(|(name, schemas)| keyword(name, schemas)),
            2 => (select(&["allOf", "anyOf", "oneOf"][..]), vec(inner.clone(), 1..4))
                .prop_map(|(name, schemas)| keyword(name, list(&schemas))),
            1 => (select(&["not", "if", "then", "else", "contains", "propertyNames"][..]), inner.clone())
                .prop_map(|(name, schema)| keyword(name, schema)),
            1 => inner.clone().prop_map(|schema| keyword("patternProperties", format!("{{\"^a\":{schema}}}"))),
        ];
        vec(prop_oneof![2 => holder, 1 => plain_keyword()], 1..5).prop_map(object)
    })
}

/// A record, mostly right JSON.
fn record() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => select(&TEXTS[..]).prop_map(|text| format!("\"{text}\"")),
        4 => select(&NUMBERS[..]).prop_map(str::to_owned),
        2 => (-120_i64..120).prop_map(|number| number.to_string()),
        // Beside what schemas have as limits.
        3 => (select(&LIMITS[..]), select(&["", "0", ".0", ".5", ".00000000000000001", "00000000000000000001", ".99999999999999999"][..]))
            .prop_map(|(limit, more)| format!("{limit}{more}")),
        1 => (-120_i64..120, 0_u64..10_000_000_000_000_000).prop_map(|(whole, fraction)| format!("{whole}.{fraction:016}")),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| number.to_string()),
        3 => select(&["null", "true", "false", "[]", "{}", "nul", "TRUE"][..]).prop_map(str::to_owned),
    ];
    let blank = select(&["", "", "", " ", "\n\t "][..]);
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let name = prop_oneof![
            9 => select(&NAMES[..]).prop_map(quoted),
            1 => Just(r#""\u0069d""#.to_owned()),
        ];
        prop_oneof![
            (vec((name, inner.clone()), 0..6), blank.clone()).prop_map(|(members, blank)| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name}{blank}:{blank}{value}")).collect();
                format!("{{{blank}{}{blank}}}", members.join(&format!("{blank},{blank}")))
            }),
            (vec(inner, 0..5), blank.clone()).prop_map(|(items, blank)| {
                format!("[{blank}{}{blank}]", items.join(&format!("{blank},{blank}")))
            }),
        ]
    })
}

/// What may happen to the bytes of a record.
fn mutated(record: &str, at: usize, byte: Option<u8>, cut: bool) -> Vec<u8> {
    let mut bytes = record.as_bytes().to_vec();
    if let Some(byte) = byte.filter(|_| !bytes.is_empty()) {
        let at = at % bytes.len();
        bytes[at] = byte;
    }
    if cut && !bytes.is_empty() {
        bytes.truncate(at % bytes.len());
    }
    bytes
}

fn compiled(schema: &str, draft: Draft, formats: Formats) -> Option<Schema> {
    let mut options = Options::default();
    (options.default_draft, options.formats) = (draft, formats);
    let text = if schema.starts_with("{}") || !schema.starts_with('{') {
        schema.to_owned()
    } else {
        let shared = r#"{"type":["object","integer"],"properties":{"id":{"minimum":5}}}"#;
        format!("{{\"definitions\":{{\"shared\":{shared}}},{}", &schema[1..])
    };
    let none: [(&str, &str); 0] = [];
    Schema::compile(&text, none, &options).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1500), ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_at_once_is_valid(
        schema in schema(),
        records in vec((record(), any::<usize>(), prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)], prop::bool::weighted(0.1)), 8),
        draft in select(&Draft::ALL[..]),
        formats in select(&[Formats::ByDraft, Formats::Assert, Formats::Ignore][..]),
    ) {
        let Some(compiled) = compiled(&schema, draft, formats) else { return Ok(()) };
        let mut warm = Validator::new(compiled.clone());
        for (record, at, byte, cut) in records {
            let bytes = mutated(&record, at, byte, cut);
            let mut cold = Validator::new(compiled.clone());
            let verdict = cold.check_by_tree(&bytes);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            // Also with a memory of the records before.
            for _ in 0..2 {
                if warm.is_certainly_valid(&bytes) {
                    prop_assert_eq!(&verdict, &Ok(()), "{} {:?} {:?}: {}", draft, formats, &schema, &shown);
                }
                prop_assert_eq!(&warm.check(&bytes), &verdict, "{} {}", &schema, &shown);
            }
            prop_assert_eq!(cold.is_certainly_valid(&bytes), warm.is_certainly_valid(&bytes), "{} {}", &schema, &shown);
        }
    }
}

/// How many cases, unless `PROPTEST_CASES` says so.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

/// Cases that say nothing would let the fast way accept whatever it likes.
#[test]
fn the_cases_above_say_something() {
    let mut runner = TestRunner::deterministic();
    let cases = (schema(), vec(record(), 8));
    let (mut schemas, mut valid, mut invalid, mut accepted) = (0, 0, 0, 0);
    for _ in 0..600 {
        let (schema, records) = cases.new_tree(&mut runner).unwrap().current();
        let Some(compiled) = compiled(&schema, Draft::Draft7, Formats::Assert) else { continue };
        schemas += 1;
        let mut validator = Validator::new(compiled);
        for record in records {
            let is_valid = validator.check(record.as_bytes()).is_ok();
            valid += usize::from(is_valid);
            invalid += usize::from(!is_valid);
            accepted += usize::from(validator.is_certainly_valid(record.as_bytes()));
        }
    }
    assert!(
        schemas > 300 && valid > 300 && invalid > 300,
        "{schemas} schemas, {valid} valid, {invalid} invalid"
    );
    assert!(accepted * 2 > valid, "{accepted} of {valid} accepted at once");
}

/// The flat schemas that producers register, and records of theirs.
fn flat() -> (Schema, Vec<String>) {
    let schema = r##"{
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false,
        "properties": {
            "id": {"type": "integer", "minimum": 0}, "at": {"type": "string", "format": "date-time"},
            "name": {"oneOf": [{"type": "null"}, {"type": "string", "maxLength": 20}]},
            "price": {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 1000.5},
            "kind": {"enum": ["a", "b"]}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "to": {"$ref": "#/definitions/place"}, "ok": {"type": "boolean"}
        },
        "required": ["id", "at"],
        "definitions": {"place": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}
    }"##;
    let none: [(&str, &str); 0] = [];
    let records = [
        r#"{"id":1,"at":"2026-02-16T10:23:45Z","name":null,"price":9.99,"kind":"a","tags":["x","y"],"to":{"city":"Köln"},"ok":true}"#,
        r#"{"at": "2026-02-16T10:23:45.5Z", "id": 12, "name": "Zoë", "price": null, "kind": "b", "tags": [], "ok": false}"#,
        r#" { "id" : 0 , "at" : "2026-02-16T10:23:45.5+01:00" } "#,
    ];
    (Schema::compile(schema, none, &Options::default()).unwrap(), records.map(str::to_owned).to_vec())
}

#[test]
fn the_fast_way_takes_what_producers_write() {
    let (schema, records) = flat();
    let mut validator = Validator::new(schema);
    for _ in 0..3 {
        for record in &records {
            assert!(validator.is_certainly_valid(record.as_bytes()), "{record}");
            assert_eq!(validator.check_by_tree(record.as_bytes()), Ok(()), "{record}");
        }
    }
}

#[test]
fn every_beginning_and_every_changed_byte_of_a_record_comes_to_the_same() {
    let (schema, records) = flat();
    let (mut fast, mut slow) = (Validator::new(schema.clone()), Validator::new(schema));
    for record in &records {
        let bytes = record.as_bytes();
        for length in 0..=bytes.len() {
            assert_eq!(fast.check(&bytes[..length]), slow.check_by_tree(&bytes[..length]));
        }
        for at in 0..bytes.len() {
            for byte in [
                0, b' ', b'"', b'\\', b'0', b'9', b'-', b'.', b'e', b'{', b'}', b'[', b']', b',', b':', 0x7f,
                0x80, 0xff,
            ] {
                let mut changed = bytes.to_vec();
                changed[at] = byte;
                assert_eq!(
                    fast.check(&changed),
                    slow.check_by_tree(&changed),
                    "{}",
                    String::from_utf8_lossy(&changed)
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(500), ..ProptestConfig::default() })]

    #[test]
    fn bytes_at_random_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut validator = Validator::new(flat().0);
        let verdict = validator.check(&bytes);
        prop_assert_eq!(verdict, validator.check_by_tree(&bytes));
    }
}
