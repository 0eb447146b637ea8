//! What is a JSON document and what is none: the documents of `testdata/suite`, in every place where one can stand,
//! by every engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

mod support;

use std::path::Path as FilePath;
use std::sync::Arc;

use housepipe_transform::{Encoder, Engine, Path, Plan, PlanOptions, Reject, RejectCode, Tier};
use serde::Deserialize;
use support::cases::unhex;

/// A document. Its name starts with `y_` where every parser has to accept it, with `n_` where every parser has to
/// refuse it, and with `i_` where we have a choice, which then stands in `accepted`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    json: Option<String>,
    json_hex: Option<String>,
    repeat: Option<Repeat>,
    accepted: Option<bool>,
    /// What a JSON column says, where it is stricter.
    json_column: Option<bool>,
    /// Why we choose this.
    why: Option<String>,
}

/// A document that is too long to be written out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    open: String,
    middle: String,
    close: String,
    times: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

impl Case {
    fn document(&self) -> Vec<u8> {
        match (&self.json, &self.json_hex, &self.repeat) {
            (Some(json), None, None) => json.clone().into_bytes(),
            (None, Some(hex), None) => unhex(hex),
            (None, None, Some(Repeat { open, middle, close, times })) => {
                format!("{}{middle}{}", open.repeat(*times), close.repeat(*times)).into_bytes()
            }
            _ => panic!("a document is written in one way: {}", self.name),
        }
    }

    fn is_accepted(&self) -> bool {
        match (self.name.split('_').next(), self.accepted) {
            (Some("y"), None) => true,
            (Some("n"), None) => false,
            (Some("i"), Some(accepted)) => accepted,
            _ => panic!("the name and `accepted` do not fit together: {}", self.name),
        }
    }

    fn is_accepted_as_json_column(&self) -> bool {
        assert!(self.json_column.is_none() || self.why.is_some(), "{} does not say why", self.name);
        self.is_accepted() && self.json_column.unwrap_or(true)
    }
}

fn load() -> Vec<(String, Case)> {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/suite");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let file: File =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            cases.extend(file.case.into_iter().map(|case| (format!("{stem}/{}", case.name), case)));
        }
    }
    cases
}

/// A place where a document can stand, with what has to become of the record.
struct Place {
    name: &'static str,
    columns: &'static str,
    record: Vec<u8>,
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    Row(Vec<u8>),
    /// A row, of which the documents do not say the bytes.
    AnyRow,
    Reject,
    RejectBecause(RejectCode),
}

impl Expected {
    fn is(&self, result: &Result<Vec<u8>, Reject>) -> bool {
        match (self, result) {
            (Expected::Row(row), Ok(is)) => row == is,
            (Expected::AnyRow, Ok(_)) => true,
            (Expected::Reject, Err(reject)) => reject.code != RejectCode::NotAnObject,
            (Expected::RejectBecause(code), Err(reject)) => reject.code == *code,
            _ => false,
        }
    }
}

fn places(case: &Case) -> Vec<Place> {
    let document = case.document();
    let wrapped = |before: &str, after: &str| [before.as_bytes(), &document, after.as_bytes()].concat();
    let text = trim(&document);
    let accepted = case.is_accepted();
    let row = |row: Expected| if accepted { row } else { Expected::Reject };
    let json_row = |text: &[u8]| {
        if case.is_accepted_as_json_column() { Expected::Row(counted(text)) } else { Expected::Reject }
    };
    let has_raw_text = !text.starts_with(b"\"") && text != b"null";
    let inside = wrapped("{\"v\":", "}");
    let mut places = vec![
        Place {
            name: "the value of an unknown key",
            columns: "a UInt8",
            record: wrapped("{\"u\":", ",\"a\":7}"),
            expected: row(Expected::Row(vec![7])),
        },
        Place {
            name: "a String column",
            columns: "s String",
            record: wrapped("{\"s\":", "}"),
            expected: row(if has_raw_text { Expected::Row(counted(text)) } else { Expected::AnyRow }),
        },
        Place {
            name: "a value inside a JSON column",
            columns: "j JSON",
            record: [b"{\"j\":", &*inside, b"}"].concat(),
            expected: json_row(&inside),
        },
        Place {
            name: "the record",
            columns: "column_of_no_document UInt8",
            record: document.clone(),
            expected: match (accepted, text.starts_with(b"{")) {
                (true, true) => Expected::Row(vec![0]),
                (true, false) => Expected::RejectBecause(RejectCode::NotAnObject),
                (false, _) => Expected::Reject,
            },
        },
    ];
    if text.starts_with(b"{") {
        places.push(Place {
            name: "a JSON column",
            columns: "j JSON",
            record: wrapped("{\"j\":", "}"),
            expected: json_row(text),
        });
    }
    places
}

/// The text without the white space of JSON around it.
fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// The text behind its length, seven bits a byte.
fn counted(text: &[u8]) -> Vec<u8> {
    let mut row = Vec::new();
    let mut length = text.len();
    while length >= 0x80 {
        row.push((length & 0x7f).to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    row.push(length.to_le_bytes()[0]);
    row.extend_from_slice(text);
    row
}

fn engines() -> impl Iterator<Item = Engine> {
    let paths = [Path::Exact, Path::General, Path::Lockstep];
    paths.into_iter().flat_map(|path| Tier::all().into_iter().map(move |tier| Engine::new(path, tier)))
}

/// Records side by side, so that the paths for many are taken too.
const COPIES: usize = 9;

#[test]
fn every_document_is_judged_in_every_place_by_every_engine() {
    let cases = load();
    assert!(cases.len() >= 500, "only {} documents were found", cases.len());
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        for place in places(case) {
            let plan = Plan::compile(&place.columns.parse().unwrap(), &PlanOptions::default()).unwrap();
            let plan = Arc::new(plan);
            for engine in engines() {
                let mut encoder = Encoder::with_engine(plan.clone(), engine);
                let mut row = Vec::new();
                let result = encoder.encode(&place.record, &mut row).map(|()| row);
                if !place.expected.is(&result) {
                    wrong.push(format!(
                        "{name} as {}, {engine:?}: {result:02x?} instead of {:02x?}",
                        place.name, place.expected
                    ));
                }
                let (mut rows, mut rejects) = (Vec::new(), Vec::new());
                let records = [&*place.record; COPIES];
                let count = encoder.encode_batch(&records, &mut rows, |_, reject| rejects.push(reject));
                let (same_rows, same_rejects) = match &result {
                    Ok(row) => (row.repeat(COPIES), Vec::new()),
                    Err(reject) => (Vec::new(), vec![reject.clone(); COPIES]),
                };
                if count + rejects.len() != COPIES || rows != same_rows || rejects != same_rejects {
                    wrong.push(format!("{name} as {}, {engine:?}: a batch says {rejects:?}", place.name));
                }
            }
        }
    }
    wrong.iter_mut().for_each(|text| text.truncate(1_000));
    assert!(wrong.is_empty(), "{} verdicts:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_are_unique_and_choices_have_a_reason() {
    let mut names: Vec<String> = Vec::new();
    for (name, case) in load() {
        assert!(!names.contains(&name), "{name} stands twice");
        let is_taken_everywhere = case.why.is_none() && case.is_accepted() && case.json_column.is_none();
        assert!(
            !case.name.starts_with("i_") || case.why.is_some() || is_taken_everywhere,
            "{name} has no reason"
        );
        names.push(name);
    }
}
