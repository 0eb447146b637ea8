//! docs/reference/errors.md, from the sources that declare the codes, and what they say of each.

use std::fmt::Write;

use expect_test::expect_file;

use crate::{cell, text};

const HEAD: &str =
    "<!-- Written by the tests of xtask: UPDATE_EXPECT=1 cargo test -p xtask --test reference -->

# Codes

Programs may rely on these words and numbers; there will be more of them.
";

/// A code, and what its comment says of it.
#[derive(Debug)]
struct Code {
    name: String,
    says: String,
}

/// The declarations between `from` and `to`, by what `name` makes of the line under a comment.
fn declared(source: &str, from: &str, to: &str, name: fn(&str) -> Option<String>) -> Vec<Code> {
    let inside = source.split_once(from).unwrap_or_else(|| panic!("there is no `{from}` any more")).1;
    let inside = inside.split_once(to).unwrap_or_else(|| panic!("there is no `{to}` behind `{from}`")).0;
    let (mut codes, mut says) = (Vec::new(), String::new());
    for line in inside.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            says.push_str(comment);
        } else if let Some(name) = name(line) {
            assert!(!says.is_empty(), "{name} says nothing of itself");
            codes.push(Code { name, says: cell(&std::mem::take(&mut says)) });
        }
    }
    assert!(codes.len() >= 2, "few codes behind `{from}`: {codes:?}");
    codes
}

/// The text in quotes of a declaration that ends with one.
fn quoted(line: &str) -> Option<String> {
    let inside = line.trim_end_matches([',', ';']).strip_suffix('"')?;
    Some(inside.rsplit_once('"')?.1.to_owned())
}

/// The name of a variant as serde writes it.
fn variant(line: &str) -> Option<String> {
    let name = line.strip_suffix(',')?;
    if !name.chars().all(char::is_alphanumeric) {
        return None;
    }
    let mut snake = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    Some(snake)
}

fn table(out: &mut String, codes: &[Code]) {
    out.push_str("\n| code | |\n|---|---|\n");
    for Code { name, says } in codes {
        let _ = writeln!(out, "| `{name}` | {says} |");
    }
}

/// The rows of a table that stands in a module's comment.
fn rows_of_comment(source: &str) -> Vec<String> {
    let comment = source.lines().map_while(|line| line.strip_prefix("//!"));
    let rows: Vec<String> =
        comment.map(str::trim).filter(|line| line.starts_with('|')).map(str::to_owned).collect();
    assert!(rows.len() >= 8, "{rows:?}");
    rows
}

/// ClickHouse's codes before `class`, each with its name.
fn of_class(source: &str, class: &str) -> Vec<(u32, String)> {
    let before = source.split_once(&format!("=> FailureClass::{class}")).unwrap().0;
    // The arm begins where the one before it ends.
    let arm = before.rsplit_once("=> FailureClass::").map_or(before, |(_, arm)| arm);
    let lines = arm.lines().filter_map(|line| {
        let (number, name) = line.trim().trim_start_matches('|').trim().split_once(" // ")?;
        Some((number.parse().ok()?, name.to_owned()))
    });
    let codes: Vec<(u32, String)> = lines.collect();
    assert!(codes.len() >= 10, "{class}: {codes:?}");
    codes
}

#[test]
fn the_reference_is_what_the_code_says() {
    let mut out = HEAD.to_owned();
    out += "\n## Records\n\n`code` of rows of the kind `record` in the error table, and of the rejects of `transform` and `preview`.\n";
    let mut records = declared(&text("crates/transform/src/reject.rs"), "\ncodes! {", "\n}", quoted);
    for (file, name) in [
        ("crates/pipe-runtime/src/pipe/record.rs", "CODE_NO_VALUE"),
        ("crates/pipe-runtime/src/pipe/isolate.rs", "CODE_REFUSED"),
    ] {
        let source = text(file);
        let (before, after) = source.split_once(&format!("const {name}")).unwrap();
        let says = before.lines().rev().skip(1).find_map(|line| line.strip_prefix("/// ")).unwrap();
        let name = after.lines().next().and_then(quoted).unwrap();
        records.push(Code { name, says: cell(says.trim_start_matches("Code of ")) });
    }
    table(&mut out, &records);
    out += "\nWith `schema_registry:`, see [README.md](../../README.md#schemas) for what each takes:\n";
    let schemas = text("crates/pipe-runtime/src/schemas/mod.rs");
    table(&mut out, &declared(&schemas, "mod codes {", "\n}", quoted));

    out += "\n## The pipe itself\n\n`code` of rows of the kind `system` in the error table; [operations.md](../operations.md) says what to do.\n\n";
    let system = text("crates/pipe-runtime/src/pipe/system_log.rs");
    let rows = rows_of_comment(&system);
    let names = system.split_once("const fn name").unwrap().1.split_once("\n    }").unwrap().0;
    for name in names.lines().filter_map(quoted) {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| `{name}` |"))), "no row for `{name}`");
    }
    out += &rows.join("\n");

    out += "\n\n## Problems of the API\n\n`code` of problem details.\n";
    let problems = text("crates/service/src/api/problem.rs");
    table(&mut out, &declared(&problems, "pub enum ProblemCode {", "\n}", variant));

    out += "\n## What ClickHouse refuses\n\nBy the number of its exception, `Code: 60` say. One that is not listed holds the pipe: somebody has to mend something, its offsets \
            are kept, and it is tried again by itself.\n";
    let failures = text("crates/ch-sink/src/failure.rs");
    for (class, means) in [
        (
            "Retry",
            "It may pass: the same rows are sent again, with the same token, until `deadlines.destination` is over.",
        ),
        (
            "IsolateRow",
            "Rows are refused for what they contain: those are found, and go to the error table as `refused_by_clickhouse`; the others are loaded.",
        ),
    ] {
        let _ = write!(out, "\n{means}\n\n| number | |\n|---:|---|\n");
        for (number, name) in of_class(&failures, class) {
            let name = name.replacen(" (", "` (", 1);
            let name = if name.contains("` (") { format!("`{name}") } else { format!("`{name}`") };
            let _ = writeln!(out, "| {number} | {} |", cell(&name));
        }
    }
    out += "\nToo many partitions for one insert (252, by its text) costs no record: the rows are sent in several inserts.\n";
    expect_file!["../../../docs/reference/errors.md"].assert_eq(&out);
}
