//! What a `$ref` leads to: the document itself and the references, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

use housepipe_json_schema::{Draft, Options, Schema, SchemaError, Validator};

const CITY: &str = r#"{"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}"#;

fn compile(text: &str, references: &[(&str, &str)]) -> Result<Schema, SchemaError> {
    Schema::compile(text, references.iter().copied(), &Options::default())
}

/// Checks two records in both ways; says whether the fast way was enough for the valid one.
#[track_caller]
fn leads(text: &str, references: &[(&str, &str)]) -> bool {
    let mut validator = Validator::new(compile(text, references).unwrap());
    let (right, wrong) = (r#"{"to": {"city": "Köln"}}"#.as_bytes(), br#"{"to": {"town": "Koeln"}}"#);
    for (record, is_right) in [(right, true), (&wrong[..], false)] {
        assert_eq!(validator.check(record).is_ok(), is_right, "{text}");
        assert_eq!(validator.check_by_tree(record).is_ok(), is_right, "{text}");
    }
    validator.is_certainly_valid(right)
}

fn order(id: &str, reference: &str) -> String {
    format!(r#"{{{id}"type": "object", "properties": {{"to": {{"$ref": "{reference}"}}}}}}"#)
}

#[test]
fn names_are_found_as_they_are_written_and_as_they_are_resolved() {
    let http = r#""$id": "http://example.com/schemas/order.json", "#;
    for (id, reference, name) in [
        ("", "address.json", "address.json"),
        ("", "com.example.Address", "com.example.Address"),
        ("", "http://example.com/address.json", "http://example.com/address.json"),
        ("", "http://example.com/address.json#", "http://example.com/address.json"),
        ("", "urn:example:address", "urn:example:address"),
        ("", "/shared/address.json", "/shared/address.json"),
        (http, "address.json", "address.json"),
        (http, "address.json", "http://example.com/schemas/address.json"),
        (http, "../address.json", "http://example.com/address.json"),
        (http, "../address.json", "../address.json"),
        (http, "/address.json", "/address.json"),
        (http, "http://example.com/schemas/address.json", "address.json"),
        (r#""$id": "urn:example:order", "#, "urn:example:address", "urn:example:address"),
    ] {
        assert!(
            leads(&order(id, reference), &[(name, CITY)]),
            "{reference} by {name} is not followed by the fast way"
        );
    }
}

#[test]
fn a_reference_is_found_by_its_own_id_too() {
    let with_id = CITY.replacen('{', r#"{"$id": "http://example.com/address.json", "#, 1);
    leads(&order("", "http://example.com/address.json"), &[("some name", &with_id)]);
    leads(&order("", "http://example.com/address.json"), &[("address.json", &with_id)]);
    // The name that the registry gives goes before what another one calls itself.
    let other = r#"{"$id": "http://example.com/address.json", "type": "integer"}"#;
    leads(
        &order("", "http://example.com/address.json"),
        &[("a", other), ("http://example.com/address.json", CITY)],
    );
}

#[test]
fn references_refer_to_each_other_and_to_places() {
    let address = r##"{"type": "object", "properties": {"city": {"$ref": "#/definitions/name"}, "next": {"$ref": "address.json"}},
        "required": ["city"], "definitions": {"name": {"$ref": "names.json#/definitions/short~1name"}}}"##;
    let names = r#"{"definitions": {"short/name": {"type": "string", "maxLength": 10}}}"#;
    assert!(leads(&order("", "address.json"), &[("address.json", address), ("names.json", names)]));
    let inner = r##"{"type": "object", "properties": {"to": {"$ref": "#/$defs/city"}}, "$defs": {"city": {"type": "object", "required": ["city"]}}}"##;
    assert!(leads(inner, &[]));
    // A schema with a name inside of a document is left to the library.
    let named = r##"{"properties": {"to": {"$ref": "#city"}}, "definitions": {"a": {"$id": "#city", "required": ["city"]}}}"##;
    assert!(!leads(named, &[]));
}

#[test]
fn a_name_with_another_meaning_inside_of_a_document_is_not_taken_for_a_reference() {
    let text = r##"{"$id": "http://example.com/order.json", "properties": {"to": {"$ref": "address.json"}},
        "definitions": {"inner": {"$id": "http://example.com/address.json", "required": ["city"]}}}"##;
    leads(text, &[("other.json", r#"{"type": "integer"}"#)]);
}

#[test]
fn what_is_not_there_is_named() {
    for (reference, shown) in [
        ("address.json", "address.json"),
        ("http://example.com/a.json#/definitions/x", "http://example.com/a.json"),
        ("file:///etc/passwd", "file:///etc/passwd"),
    ] {
        let error = compile(&order("", reference), &[("city.json", CITY)]).unwrap_err();
        let expected = SchemaError::UnknownReference {
            reference: shown.to_owned(),
            known: vec!["city.json".to_owned()],
        };
        assert_eq!(error, expected);
        assert!(error.to_string().contains("register that schema"), "{error}");
    }
    let error = compile(&order("", "#/definitions/none"), &[]).unwrap_err();
    assert!(matches!(&error, SchemaError::UnknownPlace { place } if place.contains("none")), "{error:?}");
    let error = compile(&order("", "city.json#/none"), &[("city.json", CITY)]).unwrap_err();
    assert!(matches!(error, SchemaError::UnknownPlace { .. }), "{error:?}");
}

#[test]
fn drafts_are_told_by_their_uri() {
    for draft in Draft::ALL {
        for uri in
            [draft.uri().to_owned(), format!("{}#", draft.uri()), draft.uri().replace("http:", "https:")]
        {
            assert_eq!(compile(&format!(r#"{{"$schema": "{uri}"}}"#), &[]).unwrap().draft(), draft);
        }
    }
    assert_eq!(compile("{}", &[]).unwrap().draft(), Draft::Draft7);
    let unknown = r#"{"$schema": "http://example.com/my-draft"}"#;
    let error = compile(unknown, &[]).unwrap_err();
    assert!(
        matches!(&error, SchemaError::UnknownDraft { uri, .. } if uri == "http://example.com/my-draft"),
        "{error:?}"
    );
    assert!(
        error.to_string().starts_with("the schema has the `$schema` \"http://example.com/my-draft\""),
        "{error}"
    );
    let error = compile("{}", &[("a.json", unknown)]).unwrap_err();
    assert!(error.to_string().starts_with("the reference \"a.json\" has"), "{error}");
    // What the references bring is a draft as well.
    let own = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "http://example.com/my-draft",
        "$vocabulary": {"https://json-schema.org/draft/2020-12/vocab/core": true, "https://json-schema.org/draft/2020-12/vocab/validation": true}}"#;
    assert!(compile(unknown, &[("http://example.com/my-draft", own)]).is_ok());
}

#[test]
fn references_of_another_draft_keep_it() {
    // `const` came with draft 6.
    let old = r#"{"$schema": "http://json-schema.org/draft-04/schema#", "required": ["city"], "const": 1}"#;
    assert!(!leads(&order("", "old.json"), &[("old.json", old)]));
}
