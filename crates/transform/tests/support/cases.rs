//! The conversion cases: columns, a record, and what becomes of it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One case of `testdata/conversion`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The columns as ClickHouse takes them.
    pub columns: String,
    /// The record, where it is text.
    pub json: Option<String>,
    /// The record in hexadecimal digits, where it is not.
    pub json_hex: Option<String>,
    /// The bytes that ClickHouse writes; absent where it refuses the record.
    pub row: Option<String>,
    /// The code of the reject with `Semantics::Strict`; absent where the row is accepted.
    pub strict: Option<String>,
    /// The code of the reject with `Semantics::ClickHouse`; absent where the row is accepted.
    pub clickhouse: Option<String>,
    /// Why we differ from ClickHouse on purpose. Then `row` is what ClickHouse says, and we reject.
    pub differs: Option<String>,
}

impl Case {
    /// The record's bytes.
    pub fn record(&self) -> Vec<u8> {
        match (&self.json, &self.json_hex) {
            (Some(json), None) => json.clone().into_bytes(),
            (None, Some(hex)) => unhex(hex),
            _ => panic!("a case has either json or json_hex: {self:?}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// Every case, with the file it stands in.
pub fn load() -> Vec<(PathBuf, Case)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/conversion");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        cases.extend(file.case.into_iter().map(|case| (path.clone(), case)));
    }
    cases
}

/// Bytes from hexadecimal digits.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Hexadecimal digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
