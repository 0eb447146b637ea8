//! The API's description: what callers were told stays so until somebody means to change it.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use expect_test::expect_file;
use serde_json::Value;

fn description() -> Value {
    serde_json::to_value(housepipe_service::openapi()).unwrap()
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
