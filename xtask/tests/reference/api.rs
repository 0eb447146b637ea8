//! docs/reference/api.md, from the API's description.

use std::fmt::Write;

use expect_test::expect_file;
use serde_json::Value;

use crate::{cell, text};

const HEAD: &str = "<!-- Written by the tests of xtask: UPDATE_EXPECT=1 cargo test -p xtask --test reference -->

# The API, call by call

From the description that the service serves at `/api/v1/openapi.json` (OpenAPI 3.1, without a token), from which clients can be generated. [service.md](../service.md) tells how
the calls go together.

Every call but those of `health` and the description itself wants `Authorization: Bearer TOKEN`. What is refused is answered with problem details (RFC 9457, `application/problem+json`), whose `code`
is one of [a closed set](errors.md#problems-of-the-api). A body that has a key which is not listed here is refused.
";

/// The type of a value in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(alternatives) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["any"],
    };
    let words = types.iter().map(|word| match *word {
        "array" => format!("array of {}", kind(&schema["items"])),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

fn call(out: &mut String, method: &str, path: &str, call: &Value) {
    let _ =
        write!(out, "\n### `{} {path}`\n\n{}\n", method.to_uppercase(), call["summary"].as_str().unwrap());
    let parameters = call["parameters"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = parameters
        .map(|parameter| {
            let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            let needed = if parameter["required"] == true { ", required" } else { "" };
            let says = cell(parameter["description"].as_str().unwrap_or_default());
            format!("| `{name}` | {place}{needed} | {says} |")
        })
        .collect();
    let body = &call["requestBody"]["content"];
    for (media_type, content) in body.as_object().into_iter().flatten() {
        lines.push(format!("| the body | `{media_type}` | {} |", kind(&content["schema"])));
    }
    if !lines.is_empty() {
        let _ = write!(out, "\n| takes | | |\n|---|---|---|\n{}\n", lines.join("\n"));
    }
    let _ = write!(out, "\n| answers | |\n|---|---|\n");
    let mut refusals = Vec::new();
    for (status, response) in call["responses"].as_object().unwrap() {
        let contents: Vec<(&String, &Value)> =
            response["content"].as_object().into_iter().flatten().collect();
        if contents.iter().any(|(media_type, _)| *media_type == "application/problem+json") {
            refusals.push(format!("`{status}`"));
            continue;
        }
        let says = response["description"].as_str().unwrap_or_default();
        let bodies = contents.iter().map(|(media_type, content)| match *media_type == "application/json" {
            true => kind(&content["schema"]),
            false => format!("`{media_type}`"),
        });
        let parts: Vec<String> =
            std::iter::once(cell(says)).chain(bodies).filter(|part| !part.is_empty()).collect();
        let _ = writeln!(out, "| `{status}` | {} |", parts.join(" "));
    }
    if !refusals.is_empty() {
        let _ = writeln!(out, "| {} | a problem |", refusals.join(", "));
    }
}

fn schema(out: &mut String, name: &str, schema: &Value) {
    let says = schema["description"].as_str().unwrap_or_default();
    let _ = write!(out, "\n### {name}\n\n{says}\n");
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        let _ = write!(out, "\nOne of {}.\n", words.join(", "));
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let _ = write!(out, "\n| key | | |\n|---|---|---|\n");
    for (key, property) in properties {
        let needed = if required.contains(&key.as_str()) { "" } else { ", may be missing" };
        // Of one that may be null it stands beside the other alternative.
        let of_alternative =
            || property["oneOf"].as_array()?.iter().find_map(|one| one["description"].as_str());
        let says = cell(property["description"].as_str().or_else(of_alternative).unwrap_or_default());
        let _ = writeln!(out, "| `{key}` | {}{needed} | {says} |", kind(property));
    }
}

#[test]
fn the_reference_is_what_the_description_says() {
    let described: Value = serde_json::from_str(&text("testdata/goldens/openapi.json")).unwrap();
    let mut out = HEAD.to_owned();
    let mut calls = 0;
    for tag in described["tags"].as_array().unwrap() {
        let name = tag["name"].as_str().unwrap();
        let _ = write!(out, "\n## {name}\n\n{}.\n", tag["description"].as_str().unwrap());
        for (path, methods) in described["paths"].as_object().unwrap() {
            for (method, one) in methods.as_object().unwrap() {
                if one["tags"][0] == name {
                    calls += 1;
                    call(&mut out, method, path, one);
                }
            }
        }
    }
    let all: usize =
        described["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(calls, all, "a call without one of the tags that are described");
    out += "\n## Bodies\n";
    for (name, one) in described["components"]["schemas"].as_object().unwrap() {
        schema(&mut out, name, one);
    }
    expect_file!["../../../docs/reference/api.md"].assert_eq(&out);
}
