//! Schemas and records that are meant to hang, to overflow a stack or to eat memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

use std::fmt::Write as _;
use std::thread;

#[path = "support/kinds.rs"]
mod kinds;

use housepipe_json_schema::{
    Draft, Formats, Names, NotJson, Options, Rejected, Schema, SchemaError, Validator,
};
use kinds::far_from_every_kind;

const NONE: [(&str, &str); 0] = [];

fn compile(text: &str) -> Result<Schema, SchemaError> {
    Schema::compile(text, NONE, &Options::default())
}

fn check(schema: &str, record: &str) -> Result<(), Rejected> {
    let mut validator = Validator::new(compile(schema).unwrap());
    let verdict = validator.check(record.as_bytes());
    assert_eq!(verdict, validator.check_by_tree(record.as_bytes()));
    verdict
}

/// As threads of Rust have it by default.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_schema_that_only_refers_to_itself_is_refused() {
    for text in [
        r##"{"$ref": "#"}"##,
        r##"{"allOf": [{"$ref": "#"}]}"##,
        r##"{"definitions": {"a": {"anyOf": [{"$ref": "#/definitions/b"}]}, "b": {"not": {"$ref": "#/definitions/a"}}}}"##,
    ] {
        let error = compile(text).unwrap_err();
        assert!(matches!(error, SchemaError::Endless { .. }), "{text}: {error:?}");
    }
    // One that looks at a part each time comes to an end.
    let list =
        r##"{"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}"##;
    assert_eq!(check(list, r#"{"next": {"next": {}}}"#), Ok(()));
    assert!(check(list, r#"{"next": {"other": 1}}"#).is_err());
}

#[test]
fn a_schema_that_doubles_with_every_step_is_refused() {
    let mut definitions = String::from(r#""s0": {"type": "integer"}"#);
    for step in 1..40 {
        let before = format!(r##"{{"$ref": "#/definitions/s{}"}}"##, step - 1);
        write!(definitions, r#", "s{step}": {{"allOf": [{before}, {before}]}}"#).unwrap();
    }
    let text = format!(r##"{{"$ref": "#/definitions/s39", "definitions": {{{definitions}}}}}"##);
    let error = compile(&text).unwrap_err();
    assert!(
        matches!(error, SchemaError::TooLarge { what: "schemas for one and the same value", .. }),
        "{error:?}"
    );
}

/// A validator whose records may be looked at so often, and what it says of one that takes more.
fn with_steps(schema: &str, record_steps: u64) -> (Validator, Result<(), Rejected>) {
    let mut options = Options::default();
    options.limits.record_steps = record_steps;
    let validator = Validator::new(Schema::compile(schema, NONE, &options).unwrap());
    let what = "values to look at for this schema";
    (validator, Err(Rejected::TooMuch { what, limit: record_steps }))
}

#[test]
fn a_schema_that_doubles_with_every_level_of_the_record_is_given_up_where_it_has_to_say_why() {
    // Valid is what is an array, and holds nothing else.
    let text = r##"{"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}, {"not": {"items": {"$ref": "#"}, "maxItems": 0, "minItems": 1}}]}"##;
    let (mut validator, too_much) = with_steps(text, 100_000);
    let deep = format!("{}[]{}", "[".repeat(98), "]".repeat(98));
    // Whether a value is valid is remembered, so that it takes two thousand looks.
    assert_eq!(validator.check(format!("[{deep}]").as_bytes()), Ok(()));
    // What is wrong behind it is found by going each way through it.
    assert_eq!(validator.check(format!("[{deep},1]").as_bytes()), too_much);
    // Beside a record that is no such thing it still works.
    assert_eq!(validator.check(b"[[[]]]"), Ok(()));
    let violation = validator.check(b"[[[1]]]").unwrap_err();
    assert!(violation.to_string().starts_with("/0/0/0: 1 is what the schema forbids"), "{violation}");
}

#[test]
fn deep_schemas_and_records_keep_to_a_small_stack() {
    on_a_small_stack(|| {
        let nested = |levels: usize| format!("{}true{}", r#"{"not":"#.repeat(levels), "}".repeat(levels));
        assert!(compile(&nested(128)).is_ok());
        let error = compile(&nested(129)).unwrap_err();
        assert!(
            matches!(error, SchemaError::TooLarge { what: "levels of arrays and objects", limit: 128, .. }),
            "{error:?}"
        );
        assert!(compile(&nested(1_000_000)).is_err());
    });
    on_a_small_stack(|| {
        let tree = r##"{"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "object", "additionalProperties": {"allOf": [{"$ref": "#"}]}}, {"enum": [1]}]}"##;
        let mut validator = Validator::new(compile(tree).unwrap());
        for inner in ["1", "2"] {
            let record = |levels: usize| {
                let (open, close) = (r#"[{"a":"#.repeat(levels / 2), "}]".repeat(levels / 2));
                format!("{open}{inner}{close}")
            };
            assert_eq!(validator.check(record(128).as_bytes()).is_ok(), inner == "1");
            assert_eq!(validator.check_by_tree(record(128).as_bytes()).is_ok(), inner == "1");
            let error = validator.check(record(130).as_bytes()).unwrap_err();
            assert_eq!(error, Rejected::TooMuch { what: "levels of arrays and objects", limit: 128 });
            assert!(validator.check(record(2_000_000).as_bytes()).is_err());
        }
        assert!(validator.check("[".repeat(1_000_000).as_bytes()).is_err());
    });
}

#[test]
fn patterns_cannot_hang() {
    let text = "a".repeat(200) + "!";
    for pattern in ["^(a+)+$", "(a|a)*b", "^(?=(a+)+$)x", r"^(a*)*\1$", "(?<!a)(a|aa)+$"] {
        let schema = format!(r#"{{"pattern": {}}}"#, serde_json::Value::from(pattern));
        let verdict = check(&schema, &format!("{text:?}"));
        assert!(
            matches!(&verdict, Err(Rejected::Violation(violation)) if violation.keyword == "pattern"),
            "{pattern}: {verdict:?}"
        );
    }
    for pattern in ["(a{1000}){1000}", "((a{100}){100}){100}", r"(\p{L}{500}){50}"] {
        let error = compile(&format!(r#"{{"pattern": {}}}"#, serde_json::Value::from(pattern))).unwrap_err();
        assert!(matches!(error, SchemaError::Invalid { .. }), "{pattern}: {error}");
    }
    // A record's own patterns are looked at by their grammar alone.
    let format = r#"{"format": "regex"}"#;
    assert!(check(format, r#""((a{1000}){1000}){1000}""#).is_ok());
    let many: Vec<String> = (0..1001).map(|at| format!(r#"{{"pattern": "^{at}$"}}"#)).collect();
    let error = compile(&format!(r#"{{"anyOf": [{}]}}"#, many.join(","))).unwrap_err();
    assert!(
        matches!(error, SchemaError::TooLarge { what: "regular expressions", limit: 1000, .. }),
        "{error}"
    );
}

/// A pattern that takes steps back, and a text that takes too many for it.
const UNDECIDED: &str = r#"{"items": {"pattern": "^(a*)*\\1$"}}"#;

fn undecided_text() -> String {
    format!("\"{}!\"", "a".repeat(200))
}

#[test]
fn many_texts_that_each_take_all_of_the_steps_cannot_hang() {
    let schema = r#"{"items": {"anyOf": [{"pattern": "^(a*)*\\1$"}, {"maxLength": 1}]}}"#;
    let record = |count: usize| format!("[{}]", vec![undecided_text(); count].join(","));
    let (mut validator, too_much) = with_steps(schema, Options::default().limits.record_steps);
    let few = validator.check(record(20).as_bytes());
    assert!(
        matches!(&few, Err(Rejected::Violation(violation)) if violation.keyword == "pattern" && violation.instance_path == "/0"),
        "{few:?}"
    );
    assert_eq!(validator.check(record(25_000).as_bytes()), too_much);
}

/// Where the library cannot decide a pattern it collects what is wrong in either case, and then looks for the pattern's place in the
/// record, which has to be there also once nothing may be looked at any more.
#[test]
fn a_pattern_that_is_left_undecided_panics_in_no_record() {
    let steps = Options::default().limits.record_steps;
    let (mut validator, too_much) = with_steps(UNDECIDED, steps);
    let record = |count: usize| format!("[{}{}]", undecided_text(), r#","aa""#.repeat(count));
    let few = validator.check(record(10).as_bytes()).unwrap_err();
    assert_eq!(
        few.to_string(),
        format!(
            "/0: \"{}…\" takes too many steps to match; simplify the pattern (pattern, at #/items/pattern of the schema)",
            "a".repeat(40)
        )
    );
    // Whether it is valid takes two thirds of the looks that there are, and what is wrong with it more than all.
    assert_eq!(validator.check(record(13_000).as_bytes()), too_much);
    // So it is with any number of looks.
    for steps in (0..60_000).step_by(997) {
        let (mut validator, too_much) = with_steps(UNDECIDED, steps);
        let verdict = validator.check(record(9).as_bytes());
        assert!(verdict == too_much || verdict == Err(few.clone()), "{steps}: {verdict:?}");
    }
    // And wherever the pattern is, and whatever else is wrong: that is told where it is so in either case.
    for (schema, record, expected) in [
        (r#"{"properties": {"a/b~c": ITEMS}}"#, r#"{"x": {}, "a/b~c": [1, TEXT]}"#, "/a~1b~0c/1: \"aaa"),
        (
            r#"{"patternProperties": {"PATTERN": {"type": "integer"}}}"#,
            r#"{TEXT: "x"}"#,
            "the record: an object of 1 member takes too many steps",
        ),
        (
            r#"{"additionalProperties": {"propertyNames": {"pattern": "PATTERN"}}}"#,
            r#"{"a": {TEXT: 1}}"#,
            "/a: an object of 1 member takes too many steps",
        ),
        (
            r#"{"oneOf": [{"properties": {"a": ITEMS}}, {"required": ["b"]}]}"#,
            r#"{"a": [TEXT]}"#,
            "/a/0: \"aaa",
        ),
        (
            r#"{"items": [{"pattern": "PATTERN"}, {}], "additionalItems": false}"#,
            "[TEXT, 1, 2]",
            "the record: 3 items, and the schema has 2 (additionalItems",
        ),
        (
            r#"{"properties": {"a": ITEMS, "b": {"items": [{}], "additionalItems": false}}}"#,
            r#"{"a": [TEXT], "b": [1, 2, 3]}"#,
            "/b: 3 items, and the schema has 1 (additionalItems",
        ),
        (r#"{"not": ITEMS}"#, "[TEXT]", "the record: an array of 1 item takes too many steps"),
    ] {
        let schema = schema.replace("ITEMS", UNDECIDED).replace("PATTERN", r"^(a*)*\\1$");
        let rejected = check(&schema, &record.replace("TEXT", &undecided_text())).unwrap_err();
        assert!(rejected.to_string().starts_with(expected), "{schema}: {rejected}");
    }
}

/// Each error of the library may hold what it is about, and all of them together no more than a few bytes of it.
#[test]
fn what_is_wrong_with_a_large_record_is_told_in_a_small_message() {
    let (kinds, record) = far_from_every_kind();
    for keyword in ["oneOf", "anyOf"] {
        let rejected = check(&format!(r#"{{"{keyword}": [{kinds}]}}"#), &record).unwrap_err();
        assert_eq!(
            rejected.to_string(),
            format!(
                "the record: an object of 1 member fits none of the schemas ({keyword}, at #/{keyword} of the schema)"
            )
        );
    }
    // Names of members are copied as well, which costs looks.
    let record = format!(r#"{{"{}": 1}}"#, "x".repeat(1 << 20));
    let closed = vec![r#"{"additionalProperties": false, "properties": {"a": {}}}"#; 440].join(",");
    let (mut validator, too_much) =
        with_steps(&format!(r#"{{"anyOf": [{closed}]}}"#), Options::default().limits.record_steps);
    assert_eq!(validator.check(record.as_bytes()), too_much);
}

#[test]
fn errors_without_number_are_given_up() {
    // One for each item, of each of the alternatives.
    let schema = r#"{"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "null"}}]}"#;
    let (mut validator, too_much) = with_steps(schema, 1_000_000);
    let record = |count: usize| format!("[{}1]", "1,".repeat(count));
    assert_eq!(validator.check(record(100_000).as_bytes()), too_much);
    let few = validator.check(record(100).as_bytes()).unwrap_err();
    assert_eq!(
        few.to_string(),
        "the record: an array of 101 items fits none of the schemas; the closest is number 1: /0: 1 is not of type string \
         (anyOf, at #/anyOf of the schema)"
    );
}

#[test]
fn what_is_referred_to_thousands_of_times_is_compiled_once() {
    let members: Vec<String> = (0..1_000).map(|at| format!(r#""m{at}":{{"type":"integer"}}"#)).collect();
    let references: Vec<String> =
        (0..9_999).map(|at| format!(r##""r{at}":{{"$ref":"#/definitions/o"}}"##)).collect();
    let text = format!(
        r#"{{"definitions":{{"o":{{"properties":{{{}}}}}}},"properties":{{{}}}}}"#,
        members.join(","),
        references.join(",")
    );
    let schema = compile(&text).unwrap();
    assert!(schema.bytes() < 64 << 20, "{}", schema.bytes());
    let mut validator = Validator::new(schema);
    assert!(validator.bytes() < 1 << 20, "{}", validator.bytes());
    assert!(validator.is_certainly_valid(br#"{"r0":{"m0":1},"r9998":{"m999":2,"m0":3}}"#));
    assert!(!validator.is_certainly_valid(br#"{"r9998":{"m999":"2"}}"#));
}

#[test]
fn rules_that_take_too_much_are_left_to_the_library() {
    let properties: Vec<String> = (0..1_000).map(|at| format!(r#""k{at}":{{"type":"integer"}}"#)).collect();
    let text = format!(r#"{{"properties":{{{}}}}}"#, properties.join(","));
    let mut options = Options::default();
    options.limits.acceptor_bytes = 64 << 10;
    let mut validator = Validator::new(Schema::compile(&text, NONE, &options).unwrap());
    let record = br#"{"k0":1,"k999":2}"#;
    assert!(validator.check(record).is_ok() && !validator.is_certainly_valid(record));
    let mut validator = Validator::new(compile(&text).unwrap());
    assert!(validator.is_certainly_valid(record));
}

/// A reference inside of a document may be relative to each id in it.
#[test]
fn many_ids_beside_many_references_are_refused() {
    let text = |id: &str, reference: &str, count: usize| {
        let (ids, references) = (vec![id; count].join(","), vec![reference; count].join(","));
        format!(r#"{{"examples":[{ids},{references}]}}"#)
    };
    for (id, reference) in [
        (r#"{"$id":"a"}"#, r##"{"$ref":"#"}"##),
        (r#"{"$id":"a"}"#, r##"{"$ref":"#/x"}"##),
        (r#"{"$id":"a"}"#, r#"{"$ref":"a"}"#),
        (r#"{"$anchor":"a"}"#, r##"{"$ref":"#a"}"##),
    ] {
        let error = compile(&text(id, reference, 80_000)).unwrap_err();
        assert!(matches!(error, SchemaError::TooLarge { limit: 2_000_000, .. }), "{id} {reference}: {error}");
        let few = compile(&text(id, reference, 100));
        assert!(!matches!(few, Err(SchemaError::TooLarge { .. })), "{id} {reference}: {few:?}");
    }
}

#[test]
fn sizes_are_limited() {
    let mut options = Options::default();
    options.limits.schema_bytes = 100;
    options.limits.references = 2;
    options.limits.record_bytes = 10;
    let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(100));
    assert!(matches!(Schema::compile(&long, NONE, &options), Err(SchemaError::TooLarge { limit: 100, .. })));
    let half = format!(r#"{{"title": "{}"}}"#, "x".repeat(40));
    let both = Schema::compile(&half, [("a", &half)], &options);
    assert!(matches!(both, Err(SchemaError::TooLarge { limit: 100, .. })), "{both:?}");
    let many = Schema::compile("{}", [("a", "{}"), ("b", "{}"), ("c", "{}")], &options);
    assert!(matches!(many, Err(SchemaError::TooLarge { what: "references", limit: 2, .. })), "{many:?}");
    let mut validator = Validator::new(Schema::compile("{}", NONE, &options).unwrap());
    assert_eq!(validator.check(b"[1,2,3,4]"), Ok(()));
    assert_eq!(validator.check(b"[1,2,3,4,5]"), Err(Rejected::TooMuch { what: "bytes", limit: 10 }));
}

#[test]
fn wide_records_and_schemas_come_to_an_end() {
    let members: Vec<String> = (0..20_000).map(|at| format!("\"k{at}\":{at}")).collect();
    let record = format!("{{{}}}", members.join(","));
    let properties: Vec<String> =
        (0..2_000).map(|at| format!(r#""k{}":{{"type":"integer"}}"#, at * 7)).collect();
    let required: Vec<String> = (0..2_000).map(|at| format!("\"k{}\"", at * 3)).collect();
    let schema =
        format!(r#"{{"properties":{{{}}},"required":[{}]}}"#, properties.join(","), required.join(","));
    assert_eq!(check(&schema, &record), Ok(()));
    let items: Vec<String> = (0..20_000).map(|at| at.to_string()).collect();
    assert_eq!(check(r#"{"uniqueItems": true}"#, &format!("[{}]", items.join(","))), Ok(()));
    // Alternatives that each go to the end before they fail.
    let branch =
        |name: &str| format!(r##"{{"additionalProperties": {{"$ref": "#"}}, "required": ["{name}"]}}"##);
    let schema = format!(
        r#"{{"type": "object", "anyOf": [{}, {}, {{"maxProperties": 0}}]}}"#,
        branch("x"),
        branch("y")
    );
    let record = |inner: &str| format!("{}{inner}{}", r#"{"y":"#.repeat(40), "}".repeat(40));
    assert_eq!(check(&schema, &record("{}")), Ok(()));
    // Of what is not valid each alternative says why, and each of those inside of it.
    let (mut validator, too_much) = with_steps(&schema, 100_000);
    assert_eq!(validator.check(record("{}").as_bytes()), Ok(()));
    assert_eq!(validator.check(record("1").as_bytes()), too_much);
    let few = validator.check(br#"{"y":{"y":1}}"#);
    assert!(matches!(&few, Err(Rejected::Violation(violation)) if violation.keyword == "anyOf"), "{few:?}");
}

#[test]
fn names_that_hash_alike_cost_no_more_than_a_look_each() {
    // Equal in length, in the first and in the last eight bytes.
    let members: Vec<String> = (0..3_000).map(|at| format!("\"samehead{at:06}sametail\":1")).collect();
    let record = format!("{{{}}}", members.join(","));
    let properties: Vec<String> =
        (0..300).map(|at| format!(r#""samehead{at:06}sametail":{{"type":"integer"}}"#)).collect();
    assert_eq!(check(&format!(r#"{{"properties":{{{}}}}}"#, properties.join(",")), &record), Ok(()));
}

#[test]
fn the_first_violation_is_always_the_same() {
    let schema = r#"{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"minimum": 3}},
        "required": ["d", "e"], "additionalProperties": false, "anyOf": [{"required": ["f"]}, {"required": ["g"]}]}"#;
    let records = [r#"{"a": "x", "b": 1, "c": 2, "y": 1, "z": 2}"#, r#"{"z":1,"c":1,"d":1,"e":1,"b":[]}"#];
    for record in records {
        let first = check(schema, record);
        for _ in 0..50 {
            assert_eq!(check(schema, record), first);
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_no_json() {
    let mut validator = Validator::new(compile("{}").unwrap());
    let mut record = br#"{"a": "xx", "b": 1}"#.to_vec();
    record[7] = 0xff;
    let Err(Rejected::NotJson(NotJson { position, reason, .. })) = validator.check(&record) else { panic!() };
    assert_eq!((position, reason), (7, "bytes that are not UTF-8"));
}

#[test]
fn every_draft_takes_hostile_schemas_without_harm() {
    for draft in Draft::ALL {
        for text in [
            "",
            "1",
            "null",
            "[]",
            "\"x\"",
            "{",
            r#"{"type": 5}"#,
            r#"{"properties": []}"#,
            r#"{"$ref": 5}"#,
            r#"{"$schema": 5}"#,
            r##"{"$ref": "#/%ff"}"##,
            r#"{"$ref": "::"}"#,
            r#"{"$id": "::", "$ref": "a"}"#,
            r#"{"id": "::"}"#,
            r#"{"pattern": "("}"#,
            r#"{"multipleOf": 0}"#,
        ] {
            let mut options = Options::default();
            (options.default_draft, options.formats) = (draft, Formats::Assert);
            if let Ok(schema) = Schema::compile(text, [("::", "{}"), ("", "{}"), ("a b", "[]")], &options) {
                let mut validator = Validator::new(schema);
                for record in ["1", "{}", "[]", "\"x\"", "null", ""] {
                    assert_eq!(
                        validator.check(record.as_bytes()),
                        validator.check_by_tree(record.as_bytes())
                    );
                }
            }
        }
    }
}

/// Where the reader behind the check takes another value than the last, only records are let through of which it does not matter.
#[test]
fn names_that_stand_twice_may_be_refused() {
    let mut options = Options::default();
    options.names = Names::Unique;
    // The first schema is checked in one pass, the second one is not.
    for text in [
        r#"{"properties":{"n":{"minimum":0}}}"#,
        r#"{"properties":{"n":{"minimum":0}},"not":{"required":["x"]}}"#,
    ] {
        let mut validator = Validator::new(Schema::compile(text, NONE, &options).unwrap());
        let error = validator.check(br#"{"n":-5,"m":[1],"n":1}"#).unwrap_err();
        assert_eq!(error.to_string(), "not JSON: a name that stands in its object already at byte 16");
        let deep = validator.check(br#"{"n":-1,"a":[{"b":1,"\u0062":2}]}"#).unwrap_err();
        assert_eq!(deep.to_string(), "not JSON: a name that stands in its object already at byte 20");
        assert!(validator.check(br#"{"n":5,"a":[{"b":1},{"b":2}]}"#).is_ok());
        let mut validator = Validator::new(Schema::compile(text, NONE, &Options::default()).unwrap());
        assert!(validator.check(br#"{"n":-5,"n":1}"#).is_ok(), "by default the last one counts");
    }
}
