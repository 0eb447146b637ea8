//! What the fast way is enough for, and what is left to the library: no verdict depends on it, but the speed does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

use housepipe_json_schema::{Draft, Formats, Options, Schema, Validator};

const NONE: [(&str, &str); 0] = [];

fn validator(schema: &str, draft: Draft) -> Validator {
    let mut options = Options::default();
    (options.default_draft, options.formats) = (draft, Formats::Assert);
    Validator::new(Schema::compile(schema, NONE, &options).unwrap())
}

/// Valid records, and whether the fast way tells that.
#[track_caller]
fn check(schema: &str, records: &[&str], is_fast: bool) {
    let mut validator = validator(schema, Draft::Draft201909);
    for record in records {
        assert_eq!(validator.check(record.as_bytes()), Ok(()), "{schema} {record}");
        assert_eq!(validator.is_certainly_valid(record.as_bytes()), is_fast, "{schema} {record}");
    }
}

#[test]
fn what_producers_write_is_told_at_once() {
    check("{}", &["1", "[]", "{}", r#"{"a":[1,{"b":"\u00e9"}]}"#, " null ", "1e400", "-0", r#""""#], true);
    check("true", &["1", "[[[]]]"], true);
    check(r#"{"type": "integer"}"#, &["1", "-12", "12345678901234567890123"], true);
    check(r#"{"type": "integer", "minimum": 0, "maximum": 10, "multipleOf": 5}"#, &["0", "5", "10"], true);
    check(
        r#"{"type": "number", "exclusiveMinimum": 0.5, "maximum": 10}"#,
        &["0.51", "1", "10", "10.00"],
        true,
    );
    check(
        r#"{"type": ["string", "null"], "maxLength": 3}"#,
        &["null", r#""abc""#, r#""äöü""#, r#""a\n\u0041""#],
        true,
    );
    check(
        r#"{"enum": ["a", "seventeen letters", 1, null, true]}"#,
        &[r#""a""#, r#""seventeen letters""#, "1", "null", "true"],
        true,
    );
    check(r#"{"const": "a"}"#, &[r#""a""#], true);
    check(r#"{"oneOf": [{"type": "null"}, {"type": "string", "minLength": 1}]}"#, &["null", r#""a""#], true);
    check(
        r##"{"oneOf": [{"type": "null", "title": "Not included"}, {"$ref": "#/definitions/a"}], "definitions": {"a": {"type": "object"}}}"##,
        &["null", "{}"],
        true,
    );
    check(
        r#"{"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "b$"}, {"type": "integer"}]}"#,
        &[r#""ax""#, r#""xb""#, "1"],
        true,
    );
    check(
        r#"{"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "integer"}}}]}"#,
        &[r#"{"a":1,"b":2}"#],
        true,
    );
    check(r#"{"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"}"#, &[r#""DE12""#], true);
    check(
        r#"{"format": "date-time"}"#,
        &[r#""2026-02-16T10:23:45.123Z""#, r#""2026-02-16T10:23:45+01:00""#, "1"],
        true,
    );
    check(r#"{"format": "uuid"}"#, &[r#""123e4567-e89b-12d3-a456-426614174000""#], true);
    check(r#"{"format": "ipv4"}"#, &[r#""192.168.0.1""#], true);
    check(r#"{"format": "ipv6"}"#, &[r#""2001:db8::1""#], true);
    check(r#"{"format": "email"}"#, &[r#""joe@example.com""#], true);
    check(r#"{"format": "int64"}"#, &[r#""x""#, "1"], true);
    check(
        r#"{"items": {"type": "integer"}, "minItems": 1, "maxItems": 3}"#,
        &["[1]", "[ 1 , 2 ]", "[1,2,3]"],
        true,
    );
    check(r#"{"additionalProperties": {"type": "integer"}}"#, &[r#"{"a":1,"\u0062":2}"#, "{}"], true);
    check(
        r#"{"properties": {"a": {"type": "integer"}}, "additionalProperties": false}"#,
        &[r#"{"a":1}"#, "{}"],
        true,
    );
    check(
        r#"{"properties": {"a": {"type": "integer"}}}"#,
        &[r#"{"x":"y","a":1,"z":[{}]}"#, r#"{"z":1,"x":2}"#],
        true,
    );
    check(r#"{"properties": {"ä": {"type": "integer"}}, "required": ["ä"]}"#, &[r#"{"ä":1}"#], true);
    check(
        r#"{"type": "object", "minProperties": 1, "maxProperties": 2}"#,
        &[r#"{"a":1}"#, r#"{"a":1,"b":2}"#],
        true,
    );
    check(
        r##"{"properties": {"next": {"$ref": "#"}, "id": {"type": "integer"}}}"##,
        &[r#"{"id":1,"next":{"id":2,"next":{}}}"#],
        true,
    );
    check(
        r##"{"$defs": {"a": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/a", "minimum": 5}}}"##,
        &[r#"{"a":5}"#],
        true,
    );
    check(
        r#"{"javaType": "com.example.A", "connect.type": "int32", "examples": [1], "default": 5, "readOnly": true}"#,
        &["1"],
        true,
    );
}

#[test]
fn what_cannot_be_told_at_once_is_left_to_the_library() {
    check(r#"{"not": {"type": "null"}}"#, &["1"], false);
    check(r#"{"if": {"type": "null"}, "then": false}"#, &["1"], false);
    check(r#"{"uniqueItems": true}"#, &["[1,2]"], false);
    check(r#"{"contains": {"type": "integer"}}"#, &["[1]"], false);
    check(r#"{"patternProperties": {"^a": {"type": "integer"}}}"#, &[r#"{"a":1}"#], false);
    check(r#"{"propertyNames": {"maxLength": 3}}"#, &[r#"{"a":1}"#], false);
    check(r#"{"dependentRequired": {"a": ["b"]}}"#, &[r#"{"a":1,"b":2}"#], false);
    check(r#"{"unevaluatedProperties": false, "properties": {"a": {}}}"#, &[r#"{"a":1}"#], false);
    check(r#"{"oneOf": [{"minimum": 5}, {"maximum": 3}]}"#, &["1"], false);
    check(r#"{"type": "integer"}"#, &["1.0", "1e3"], false);
    check(r#"{"maximum": 5.5}"#, &["1e0", "5.12345678901234567890123"], false);
    check(r#"{"multipleOf": 0.01}"#, &["1"], false);
    check(r#"{"pattern": "(?=a)a"}"#, &[r#""a""#], false);
    check(r#"{"pattern": "^.$"}"#, &[r#""ä""#, r#""\u0061""#], false);
    check(r#"{"enum": ["ä", [1]]}"#, &[r#""ä""#, "[1]", r#""\u00e4""#], false);
    check(r#"{"format": "uri"}"#, &[r#""https://example.com/""#], false);
    check(r#"{"format": "date-time"}"#, &[r#""2026-06-30T23:59:60Z""#, r#""2026-02-16t10:23:45z""#], false);
    check(r#"{"properties": {"a": {"type": "integer"}}}"#, &[r#"{"\u0061":1}"#], false);
    check(r#"{"properties": {"a": {"type": "integer"}}}"#, &[r#"{"a":"x","a":1}"#], false);
}

#[test]
fn keys_in_any_order_are_told_at_once() {
    let names = ["a", "bb", "ccc", "a name that is longer than a block", "e"];
    let properties: Vec<String> =
        names.iter().map(|name| format!(r#""{name}":{{"type":"integer"}}"#)).collect();
    let required: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let schema = format!(
        r#"{{"properties":{{{}}},"required":[{}],"additionalProperties":false}}"#,
        properties.join(","),
        required.join(",")
    );
    let mut validator = validator(&schema, Draft::Draft7);
    // Every order, and then some at random.
    for seed in 0..500_usize {
        let mut order: Vec<&str> = names.to_vec();
        let mut state = seed;
        for at in (1..order.len()).rev() {
            order.swap(at, state % (at + 1));
            state /= at + 1;
        }
        let members: Vec<String> = order.iter().map(|name| format!("\"{name}\":1")).collect();
        let record = format!("{{{}}}", members.join(","));
        assert!(validator.is_certainly_valid(record.as_bytes()), "{record}");
        let short = format!("{{{}}}", members[1..].join(","));
        assert!(
            !validator.is_certainly_valid(short.as_bytes()) && validator.check(short.as_bytes()).is_err(),
            "{short}"
        );
    }
}

#[test]
fn a_hundred_and_more_required_members_are_counted() {
    for count in [64, 65, 127, 128, 129, 200] {
        let required: Vec<String> = (0..count).map(|at| format!("\"k{at}\"")).collect();
        let members: Vec<String> = (0..count).map(|at| format!("\"k{at}\":0")).collect();
        let mut validator = validator(&format!(r#"{{"required":[{}]}}"#, required.join(",")), Draft::Draft7);
        assert!(validator.check(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
        for missing in [0, count / 2, count - 1] {
            let mut members = members.clone();
            members.remove(missing);
            assert!(
                validator.check(format!("{{{}}}", members.join(",")).as_bytes()).is_err(),
                "{count} {missing}"
            );
        }
    }
}
