//! What schemas say, as lines.

use std::fmt::Write as _;

use super::{Others, Outline, Types};
use crate::{Options, Schema};

/// One line for a place and for each that is inside of it.
fn lines(outline: &Outline, path: &str, text: &mut String) {
    let types = if outline.types == Types::ANY { "any".to_owned() } else { outline.types.to_string() };
    write!(text, "{path}: {types}").unwrap();
    if let Some(format) = &outline.format {
        write!(text, ", format {format}").unwrap();
    }
    for (name, value) in [("from", outline.minimum), ("to", outline.maximum)] {
        if let Some(value) = value {
            write!(text, ", {name} {value}").unwrap();
        }
    }
    if let Some(choices) = outline.choices {
        write!(text, ", {choices} texts").unwrap();
    }
    text.push_str(if outline.others == Others::None { ", closed\n" } else { "\n" });
    for property in &outline.properties {
        let mark = if property.is_required { "!" } else { "" };
        lines(&property.outline, &format!("{path}.{}{mark}", property.name), text);
    }
    if let Others::Of(values) = &outline.others {
        lines(values, &format!("{path}.*"), text);
    }
    if let Some(items) = &outline.items {
        lines(items, &format!("{path}[]"), text);
    }
}

fn outline_of(text: &str, references: &[(&str, &str)]) -> String {
    Schema::compile(text, references.iter().copied(), &Options::default()).unwrap();
    let outline = Outline::read(text, references.iter().copied(), &Options::default()).unwrap();
    let mut text = String::new();
    lines(&outline, "$", &mut text);
    text
}

fn check(text: &str, expected: &str) {
    assert_eq!(outline_of(text, &[]).trim_end(), expected, "{text}");
}

#[test]
fn types_and_bounds() {
    check("true", "$: any");
    check("{}", "$: any");
    check(r#"{"type":"number"}"#, "$: integer, fraction");
    check(
        r#"{"type":["integer","null"],"minimum":0,"exclusiveMaximum":256}"#,
        "$: null, integer, from 0, to 255",
    );
    check(
        r#"{"type":"integer","minimum":0.5,"maximum":-0.5,"exclusiveMinimum":3}"#,
        "$: integer, from 4, to -1",
    );
    check(r#"{"type":"integer","minimum":5,"exclusiveMinimum":3.5}"#, "$: integer, from 5");
    check(
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer","minimum":3,"exclusiveMinimum":true}"#,
        "$: integer, from 4",
    );
    check(r#"{"type":"integer","maximum":18446744073709551615}"#, "$: integer, to 18446744073709551615");
    check(r#"{"enum":["a","b",null]}"#, "$: null, string, 2 texts");
    check(r#"{"const":1.0}"#, "$: integer, 0 texts");
    check(r#"{"enum":[1,"a"],"type":"string"}"#, "$: string, 1 texts");
}

#[test]
fn what_is_listed_is_what_is_meant() {
    check(r#"{"format":"date"}"#, "$: string, format date");
    check(r#"{"items":{"type":"boolean"}}"#, "$: array\n$[]: boolean");
    check(r#"{"items":[{"type":"boolean"}]}"#, "$: any");
    check(r#"{"required":["a"]}"#, "$: object\n$.a!: any");
    check(
        r#"{"properties":{"b":{"type":"string"},"a":false},"additionalProperties":false}"#,
        "$: object, closed\n$.a: \n$.b: string",
    );
    check(r#"{"additionalProperties":{"type":"number"}}"#, "$: object\n$.*: integer, fraction");
    check(r#"{"type":"object","additionalProperties":false,"patternProperties":{"^x":{}}}"#, "$: object");
}

#[test]
fn schemas_of_one_place_are_one() {
    check(
        r#"{"allOf":[{"properties":{"a":{"type":"integer","minimum":0}}},{"properties":{"a":{"maximum":9},"b":{}},"required":["a"]}]}"#,
        "$: object\n$.a!: integer, from 0, to 9\n$.b: any",
    );
    check(r#"{"oneOf":[{"type":"null"},{"type":"string","format":"uuid"}]}"#, "$: null, string, format uuid");
    check(r#"{"anyOf":[{"type":"string","format":"uuid"},{"type":"string","format":"date"}]}"#, "$: string");
    check(
        r#"{"anyOf":[{"type":"integer","minimum":1,"maximum":5},{"type":"integer","minimum":0},false]}"#,
        "$: integer, from 0",
    );
    // Two kinds of events.
    check(
        r#"{"oneOf":[{"type":"object","properties":{"id":{"type":"integer"},"x":{"type":"string"}},"required":["id","x"]},
            {"type":"object","properties":{"id":{"type":"integer"},"y":{"type":"boolean"}},"required":["id"]}]}"#,
        "$: object\n$.id!: integer\n$.x: string\n$.y: boolean",
    );
}

#[test]
fn references_are_followed_and_circles_end() {
    check(
        r##"{"definitions":{"id":{"type":"string","format":"uuid"}},"properties":{"id":{"$ref":"#/definitions/id","type":"integer"}}}"##,
        "$: object\n$.id: string, format uuid",
    );
    check(
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"id":{"type":["string","null"]}},
            "properties":{"id":{"$ref":"#/$defs/id","type":"string"}}}"##,
        "$: object\n$.id: string",
    );
    check(
        r##"{"properties":{"name":{"type":"string"},"child":{"$ref":"#"}}}"##,
        "$: object\n$.child: any\n$.name: string",
    );
    let order = r#"{"properties":{"to":{"$ref":"address.json"}},"required":["to"]}"#;
    let address =
        r##"{"definitions":{"city":{"type":"string"}},"properties":{"city":{"$ref":"#/definitions/city"}}}"##;
    assert_eq!(
        outline_of(order, &[("address.json", address)]),
        "$: object\n$.to!: object\n$.to!.city: string\n"
    );
}

#[test]
fn what_grows_with_each_step_ends() {
    // Each definition has the next one four times.
    let mut definitions: Vec<String> = (0..60)
        .map(|n| {
            let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, n + 1);
            format!(r#""d{n}":{{"properties":{{"a":{next},"b":{next},"c":{next},"d":{next}}}}}"#)
        })
        .collect();
    definitions.push(r#""d60":{"type":"string"}"#.to_owned());
    let text = format!(
        r##"{{"definitions":{{{}}},"properties":{{"a":{{"$ref":"#/definitions/d0"}}}}}}"##,
        definitions.join(",")
    );
    let none: [(&str, &str); 0] = [];
    let outline = Outline::read(&text, none, &Options::default()).unwrap();
    let mut lines_of = String::new();
    lines(&outline, "$", &mut lines_of);
    assert!(lines_of.lines().count() < 100_000);
}

#[test]
fn names_that_are_asked_for_cost_as_schemas_do() {
    let required: Vec<String> = (0..1_000).map(|n| format!("\"r{n}\"")).collect();
    let properties: Vec<String> =
        (0..10_000).map(|n| format!(r##""p{n}":{{"$ref":"#/definitions/d"}}"##)).collect();
    let text = format!(
        r#"{{"definitions":{{"d":{{"required":[{}]}}}},"properties":{{{}}}}}"#,
        required.join(","),
        properties.join(",")
    );
    let none: [(&str, &str); 0] = [];
    let outline = Outline::read(&text, none, &Options::default()).unwrap();
    let inner: usize = outline.properties.iter().map(|property| property.outline.properties.len()).sum();
    assert_eq!(outline.properties.len(), 10_000);
    assert!(inner > 0 && inner < 20_000, "{inner}");
}

#[test]
fn bounds_beyond_all_numbers_are_bounds() {
    check(
        r#"{"type":"integer","minimum":1e300,"exclusiveMinimum":-1e300}"#,
        &format!("$: integer, from {}", i128::MAX),
    );
}
