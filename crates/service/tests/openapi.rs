//! The API's description: what callers were told stays so until somebody means to change it.

use expect_test::expect_file;
use serde_json::Value;

fn description() -> Value {
    housepipe_service::openapi()
}

#[test]
fn the_description_is_as_published() {
    let text = serde_json::to_string_pretty(&description()).unwrap();
    expect_file!["../../../testdata/goldens/openapi.json"].assert_eq(&format!("{text}\n"));
}

#[test]
fn every_call_says_who_may_and_how_it_fails() {
    let description = description();
    assert_eq!(description["openapi"], "3.1.0");
    let mut calls = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            calls += 1;
            let named = format!("{method} {path}");
            assert!(call["operationId"].is_string() && call["summary"].is_string(), "{named}");
            if path.starts_with("/api/") {
                for status in ["401", "500", "503"] {
                    let problem = &call["responses"][status]["content"]["application/problem+json"];
                    assert!(problem.is_object(), "{named} {status}");
                }
            }
        }
    }
    assert!(calls >= 11, "{calls}");
}

/// Whatever is referred to is there, and a pipe that is shown has the schema of pipe files.
#[test]
fn a_shown_pipe_has_the_schema_of_pipe_files() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(keys) => {
                found.extend(keys.get("$ref").and_then(Value::as_str).map(str::to_owned));
                keys.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    let description = description();
    let mut found = Vec::new();
    references(&description, &mut found);
    for reference in &found {
        assert!(description.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let schemas = &description["components"]["schemas"];
    let shown = &schemas["PipeView"]["properties"]["pipe"]["oneOf"][0]["$ref"];
    assert_eq!(shown, "#/components/schemas/PipeFile");
    assert_eq!(schemas["PipeFile"]["additionalProperties"], false);
    assert!(schemas["PipeFileColumn"]["properties"]["from"].is_object());
    assert!(!description.to_string().contains("$defs"));
}

/// Calls that something else may stand in the way of. A pipe that is being removed may be removed again.
const WITH_CONFLICTS: [&str; 7] = [
    "create_pipe",
    "create_token",
    "edit_pipe",
    "pause_pipe",
    "remove_token",
    "replay_errors",
    "resume_pipe",
];

/// Of every call, what it takes tells which of these answers it may give.
#[test]
fn a_call_says_no_answer_that_it_never_gives() {
    let description = description();
    let parameters = |call: &Value| call["parameters"].as_array().cloned().unwrap_or_default();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap().iter().filter(|_| path.starts_with("/api/")) {
            let id = call["operationId"].as_str().unwrap();
            let parameter = |name: &str| parameters(call).into_iter().find(|one| one["name"] == name);
            let body = &call["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let has_body = call["requestBody"].is_object();
            assert_eq!(body.is_string(), has_body, "{id}: a body has a schema");
            let keys =
                body.as_str().and_then(|body| description.pointer(&body[1..])).map(|it| &it["properties"]);
            let may_name_a_pipe = keys.is_some_and(|keys| keys["of"].is_object());
            let is_work = call["responses"]["202"]["headers"]["location"].is_object();
            let is_stream = call["responses"]["200"]["content"]["text/event-stream"].is_object();
            let if_match = parameter("If-Match");
            for (status, may_be) in [
                ("404", path.contains('{') || may_name_a_pipe),
                ("408", has_body),
                ("409", WITH_CONFLICTS.contains(&id)),
                ("412", if_match.is_some()),
                ("415", has_body),
                ("422", has_body || is_work),
                ("428", if_match.is_some_and(|if_match| if_match["required"] == true)),
                ("429", method != "get" || is_work || is_stream),
            ] {
                let says = call["responses"][status].is_object();
                assert_eq!(says, may_be, "{method} {path} ({id}): {status}");
            }
        }
    }
}
