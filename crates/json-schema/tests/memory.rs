//! What hostile schemas and records take of memory at once, and what is left behind them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where something is not as it says")]

#[path = "support/kinds.rs"]
mod kinds;

use housepipe_json_schema::{Options, Schema, Validator};
use kinds::far_from_every_kind;

/// A figure of `/proc/self/status`, in bytes.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: usize = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    kib << 10
}

/// The largest memory that the process had so far, in bytes.
fn peak() -> usize {
    status("VmHWM:")
}

fn resident() -> usize {
    status("VmRSS:")
}

fn validator(text: &str) -> Validator {
    let none: [(&str, &str); 0] = [];
    Validator::new(Schema::compile(text, none, &Options::default()).unwrap())
}

/// One test, since all tests of a process share its memory.
#[test]
fn memory_is_bounded() {
    // Hundreds of things are wrong with a record of a megabyte.
    let (kinds, record) = far_from_every_kind();
    for more in ["", r#", "properties": {"x": {"pattern": "(?=a)b"}}"#] {
        let mut events = validator(&format!(r#"{{"oneOf": [{kinds}]{more}}}"#));
        let before = peak();
        assert!(events.check(record.as_bytes()).is_err());
        assert!(peak() - before < 32 << 20, "{} bytes more", peak() - before);
    }

    // Thousands of properties refer to an object of a thousand.
    let members: Vec<String> = (0..1_000).map(|at| format!(r#""m{at}":{{"type":"integer"}}"#)).collect();
    let references: Vec<String> =
        (0..9_999).map(|at| format!(r##""r{at}":{{"$ref":"#/definitions/o"}}"##)).collect();
    let text = format!(
        r#"{{"definitions":{{"o":{{"properties":{{{}}}}}}},"properties":{{{}}}}}"#,
        members.join(","),
        references.join(",")
    );
    let before = peak();
    let referring = validator(&text);
    assert!(peak() - before < 128 << 20, "{} bytes more", peak() - before);
    drop(referring);

    // A record of as many values as there may be is checked, and nobody comes behind it.
    let record = format!("[1{}]", ",1".repeat((16 << 19) - 2));
    let mut validator = validator(r#"{"not": {"maxItems": 1}}"#);
    let before = resident();
    assert_eq!(validator.check(record.as_bytes()), Ok(()));
    assert!(resident() < before + (32 << 20), "{} bytes more", resident() - before);
}
