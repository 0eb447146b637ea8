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

#[test]
fn a_call_says_no_answer_that_it_never_gives() {
    let description = description();
    let says = |method: &str, path: &str, status: &str| {
        let responses = &description["paths"][path][method]["responses"];
        assert!(responses.is_object(), "{method} {path}");
        responses[status].is_object()
    };
    for (method, path, has, has_not) in [
        ("get", "/api/v1/pipes", vec!["400"], vec!["404", "409", "412", "415", "422", "428", "429"]),
        ("post", "/api/v1/pipes", vec!["409", "415", "422"], vec!["412", "428"]),
        ("put", "/api/v1/pipes/{id}", vec!["404", "409", "412", "422", "428"], vec![]),
        ("delete", "/api/v1/pipes/{id}", vec!["404", "409", "412"], vec!["415", "422", "428"]),
        ("get", "/api/v1/pipes/{id}/samples/source", vec!["404", "422", "429"], vec!["409", "412", "415"]),
        ("delete", "/api/v1/work/{id}", vec!["404"], vec!["409", "412", "422"]),
    ] {
        assert!(has.iter().all(|status| says(method, path, status)), "{method} {path} lacks one of {has:?}");
        assert!(
            !has_not.iter().any(|status| says(method, path, status)),
            "{method} {path} has one of {has_not:?}"
        );
    }
}
