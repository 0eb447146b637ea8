//! JSON-Schema-Test-Suite, every case of every draft through the public API, each in both ways.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use housepipe_json_schema::{Draft, Formats, Options, Schema, Validator};
use serde_json::Value;

/// What does not come out as the suite has it: the draft, the beginning of `file: group: case`, and the reason. There is
/// nothing as yet.
type Exceptions<'e> = &'e [(Draft, &'e str, &'e str)];

const EXCEPTIONS: Exceptions<'static> = &[];

fn lines(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/json-schema-suite").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap()
}

fn file(draft: Draft) -> &'static str {
    match draft {
        Draft::Draft4 => "draft4",
        Draft::Draft6 => "draft6",
        Draft::Draft7 => "draft7",
        Draft::Draft201909 => "draft2019-09",
        Draft::Draft202012 => "draft2020-12",
    }
}

/// Every schema that others of this draft refer to, where the suite says that it is served.
fn remotes(draft: Draft) -> Vec<(String, String)> {
    let others: Vec<&str> = Draft::ALL.into_iter().filter(|other| *other != draft).map(file).collect();
    let is_of_another = |name: &str| others.iter().any(|other| name.contains(&format!("/{other}/")));
    lines("remotes.jsonl")
        .iter()
        .map(|remote| (text(remote, "name").to_owned(), text(remote, "schema").to_owned()))
        .filter(|(name, _)| !is_of_another(name))
        .collect()
}

/// The cases of a draft that do not come out as they should, as `file: group: case`.
fn differences(draft: Draft) -> (usize, BTreeSet<String>) {
    let mut remotes = remotes(draft);
    let all = lines("remotes.jsonl");
    let (mut count, mut different) = (0, BTreeSet::new());
    for group in lines(&format!("{}.jsonl", file(draft))) {
        let mut options = Options::default();
        options.default_draft = draft;
        if text(&group, "file").starts_with("optional/format/") {
            options.formats = Formats::Assert;
        }
        if text(&group, "file") == "optional/cross-draft.json" {
            remotes = all
                .iter()
                .map(|remote| (text(remote, "name").to_owned(), text(remote, "schema").to_owned()))
                .collect();
        }
        let name = format!("{}: {}", text(&group, "file"), text(&group, "description"));
        let schema = Schema::compile(text(&group, "schema"), remotes.iter().map(|(a, b)| (a, b)), &options);
        for case in group["tests"].as_array().unwrap() {
            count += 1;
            let name = format!("{name}: {}", text(case, "description"));
            let verdict = schema.as_ref().map(|schema| {
                let mut validator = Validator::new(schema.clone());
                let record = text(case, "data").as_bytes();
                let (fast, slow) = (validator.check(record), validator.check_by_tree(record));
                assert_eq!(fast, slow, "{name}");
                slow.is_ok()
            });
            match verdict {
                Ok(verdict) if verdict == case["valid"].as_bool().unwrap() => {}
                Ok(_) => drop(different.insert(name)),
                Err(error) => drop(different.insert(format!("{name} [{error}]"))),
            }
        }
    }
    (count, different)
}

/// What is wrong with the differences: those that nobody expects, and exceptions that have passed.
fn judge(draft: Draft, different: &BTreeSet<String>, exceptions: Exceptions<'_>) -> Vec<String> {
    let own: Vec<_> = exceptions.iter().filter(|(of, ..)| *of == draft).collect();
    let unexpected =
        different.iter().filter(|name| !own.iter().any(|(_, prefix, _)| name.starts_with(prefix)));
    let passed = own.iter().filter(|(_, prefix, _)| !different.iter().any(|name| name.starts_with(prefix)));
    unexpected
        .map(|name| format!("comes out otherwise: {name}"))
        .chain(passed.map(|(_, prefix, reason)| format!("is no exception any more: {prefix} ({reason})")))
        .collect()
}

fn check(draft: Draft, expected_count: usize) {
    let (count, different) = differences(draft);
    let wrong = judge(draft, &different, EXCEPTIONS);
    assert!(wrong.is_empty(), "{draft}: {} of {count}: {wrong:#?}", wrong.len());
    assert_eq!(count, expected_count, "{draft}: the number of cases");
}

#[test]
fn an_exception_excuses_its_case_until_it_passes() {
    let different = BTreeSet::from(["a.json: group: case".to_owned()]);
    let exceptions: Exceptions<'_> = &[(Draft::Draft7, "a.json: group", "a reason")];
    assert!(judge(Draft::Draft7, &different, exceptions).is_empty());
    assert_eq!(judge(Draft::Draft6, &different, exceptions), ["comes out otherwise: a.json: group: case"]);
    let passed = judge(Draft::Draft7, &BTreeSet::new(), exceptions);
    assert_eq!(passed, ["is no exception any more: a.json: group (a reason)"]);
}

#[test]
fn draft_4() {
    check(Draft::Draft4, 937);
}

#[test]
fn draft_6() {
    check(Draft::Draft6, 1270);
}

#[test]
fn draft_7() {
    check(Draft::Draft7, 1721);
}

#[test]
fn draft_2019_09() {
    check(Draft::Draft201909, 2174);
}

#[test]
fn draft_2020_12() {
    check(Draft::Draft202012, 2225);
}
