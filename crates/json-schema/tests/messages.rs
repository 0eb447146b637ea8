//! What a rejected record says: where, which keyword, in which words, and how little of the record.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

use housepipe_json_schema::{Draft, Formats, Options, Rejected, Schema, Validator, Violation};

const NONE: [(&str, &str); 0] = [];

fn rejected(schema: &str, record: &str) -> Rejected {
    let mut options = Options::default();
    options.formats = Formats::Assert;
    Validator::new(Schema::compile(schema, NONE, &options).unwrap()).check(record.as_bytes()).unwrap_err()
}

fn violation(schema: &str, record: &str) -> Violation {
    match rejected(schema, record) {
        Rejected::Violation(violation) => *violation,
        other => panic!("{schema} {record}: {other:?}"),
    }
}

#[test]
fn messages_say_what_is_wrong() {
    for (schema, record, expected) in [
        (r#"{"type": "integer"}"#, "1.5", "1.5 is not of type integer"),
        (r#"{"type": ["integer", "null"]}"#, r#""x""#, r#""x" is not of type null or integer"#),
        (r#"{"type": "string"}"#, r#"{"a": 1}"#, "an object of 1 member is not of type string"),
        (r#"{"required": ["id"]}"#, "{}", r#"the member "id" is missing"#),
        (
            r#"{"properties": {"a": {}}, "additionalProperties": false}"#,
            r#"{"a": 1, "b": 2}"#,
            r#"members that the schema does not have: "b""#,
        ),
        (r#"{"enum": ["a", 1, null]}"#, r#""b""#, r#""b" is none of "a", 1, null"#),
        (r#"{"const": "a"}"#, "2", r#"2 is not "a""#),
        (r#"{"minimum": 3}"#, "2", "2 is less than 3"),
        (r#"{"maximum": 3}"#, "4", "4 is greater than 3"),
        (r#"{"exclusiveMinimum": 3}"#, "3", "3 is not greater than 3"),
        (r#"{"exclusiveMaximum": 3}"#, "3", "3 is not less than 3"),
        (r#"{"multipleOf": 2}"#, "3", "3 is no multiple of 2"),
        (r#"{"minLength": 2}"#, r#""x""#, r#""x" is shorter than 2 characters"#),
        (r#"{"maxLength": 1}"#, r#""xy""#, r#""xy" is longer than 1 character"#),
        (r#"{"pattern": "^a"}"#, r#""b""#, r#""b" does not match "^a""#),
        (r#"{"format": "date"}"#, r#""b""#, r#""b" is no date"#),
        (r#"{"minItems": 2}"#, "[1]", "1 item are fewer than 2"),
        (r#"{"maxItems": 1}"#, "[1,2]", "2 items are more than 1"),
        (r#"{"minProperties": 1}"#, "{}", "0 members are fewer than 1"),
        (r#"{"maxProperties": 0}"#, r#"{"a":1}"#, "1 member are more than 0"),
        (r#"{"uniqueItems": true}"#, "[1, 1.0]", "an item comes twice"),
        (
            r#"{"contains": {"type": "null"}}"#,
            "[1]",
            "none of the items is one that the array has to contain",
        ),
        ("false", "1", "nothing is allowed here"),
        (r#"{"additionalProperties": false}"#, r#"{"a": 1}"#, "no member is allowed here"),
        (r#"{"not": {}}"#, "1", "1 is what the schema forbids"),
        (r#"{"oneOf": [{}, {}]}"#, "1", "1 fits more than one of the schemas"),
        (
            r#"{"propertyNames": {"maxLength": 1}}"#,
            r#"{"ab": 1}"#,
            r#"the name "ab" is not allowed: "ab" is longer than 1 character"#,
        ),
        (
            r#"{"oneOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}]}"#,
            r#"{"a": {"b": 1}}"#,
            "an object of 1 member fits none of the schemas; the closest is number 2: /a/b: 1 is not of type string",
        ),
    ] {
        assert_eq!(violation(schema, record).message, expected, "{schema} {record}");
    }
}

#[test]
fn the_place_is_a_pointer_into_the_record_and_one_into_the_schema() {
    let schema = r##"{"properties": {"a/b": {"items": {"$ref": "#/definitions/n"}}}, "definitions": {"n": {"type": "integer"}}}"##;
    let Violation { instance_path, keyword, schema_path, .. } = violation(schema, r#"{"a/b": [1, "x"]}"#);
    assert_eq!(instance_path, "/a~1b/1");
    assert_eq!(keyword, "type");
    assert_eq!(schema_path, "/properties/a~1b/items/$ref/type");
    let shown = rejected(schema, r#"{"a/b": [1, "x"]}"#).to_string();
    assert_eq!(
        shown,
        "/a~1b/1: \"x\" is not of type integer (type, at #/properties/a~1b/items/$ref/type of the schema)"
    );
    let shown = rejected(r#"{"required": ["a"]}"#, "{}").to_string();
    assert_eq!(shown, "the record: the member \"a\" is missing (required, at #/required of the schema)");
    assert_eq!(
        rejected("{}", "{]").to_string(),
        "not JSON: something else where a name in quotes has to follow at byte 1"
    );
}

#[test]
fn a_message_quotes_no_more_than_a_piece_of_the_record() {
    let secret = "secret".repeat(100_000);
    for schema in [
        r#"{"type": "integer"}"#,
        r#"{"maxLength": 5}"#,
        r#"{"pattern": "^a"}"#,
        r#"{"enum": ["a"]}"#,
        r#"{"format": "date"}"#,
        r#"{"anyOf": [{"type": "integer"}]}"#,
        r#"{"not": {}}"#,
        r#"{"additionalProperties": false}"#,
        r#"{"propertyNames": {"maxLength": 1}}"#,
        r#"{"additionalProperties": {"type": "integer"}}"#,
        r#"{"additionalProperties": {"additionalProperties": {"type": "integer"}}}"#,
    ] {
        for record in [
            format!("{secret:?}"),
            format!(r#"{{"{secret}": {{"{secret}": "{secret}"}}}}"#),
            format!(r#"{{"{secret}": ["{secret}"]}}"#),
        ] {
            let mut validator = Validator::new(Schema::compile(schema, NONE, &Options::default()).unwrap());
            if let Err(rejected) = validator.check(record.as_bytes()) {
                assert!(rejected.to_string().len() < 1_500, "{schema}: {} bytes", rejected.to_string().len());
            }
        }
    }
}

/// What the documentation says of numbers, names that come twice and formats.
#[test]
fn what_json_leaves_open_is_as_documented() {
    let is_valid = |schema: &str, draft: Draft, record: &str| {
        let mut options = Options::default();
        options.default_draft = draft;
        let mut validator = Validator::new(Schema::compile(schema, NONE, &options).unwrap());
        let verdict = validator.check(record.as_bytes()).is_ok();
        assert_eq!(validator.check_by_tree(record.as_bytes()).is_ok(), verdict);
        verdict
    };
    let integer = r#"{"type": "integer"}"#;
    for record in ["1", "-0", "123456789012345678901234567890"] {
        assert!(Draft::ALL.iter().all(|draft| is_valid(integer, *draft, record)), "{record}");
    }
    for record in ["1.0", "1e3", "1e400", "12345678901234567890.0"] {
        for draft in Draft::ALL {
            assert_eq!(is_valid(integer, draft, record), draft > Draft::Draft4, "{draft} {record}");
        }
    }
    assert!(!is_valid(integer, Draft::Draft7, "12345678901234567890.5"));
    for (schema, record, expected) in [
        (r#"{"maximum": 1e300}"#, "1e400", false),
        (r#"{"minimum": 1e300}"#, "1e400", true),
        (r#"{"maximum": 9007199254740992}"#, "9007199254740993", false),
        (r#"{"const": 9007199254740992}"#, "9007199254740993", false),
        (r#"{"const": 1}"#, "1.0", true),
        (r#"{"uniqueItems": true}"#, "[100000000000000000001, 100000000000000000002]", true),
        (r#"{"properties": {"a": {"type": "integer"}}}"#, r#"{"a": "x", "a": 1}"#, true),
        (r#"{"properties": {"a": {"type": "integer"}}}"#, r#"{"a": 1, "\u0061": "x"}"#, false),
        (r#"{"maxProperties": 1}"#, r#"{"a": 1, "a": 2}"#, true),
        (r#"{"minProperties": 2}"#, r#"{"a": 1, "a": 2}"#, false),
    ] {
        assert_eq!(is_valid(schema, Draft::Draft7, record), expected, "{schema} {record}");
    }
    let date = r#"{"format": "date"}"#;
    for draft in Draft::ALL {
        assert_eq!(is_valid(date, draft, r#""no date""#), draft >= Draft::Draft201909, "{draft}");
    }
}
