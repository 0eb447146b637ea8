//! Turns lines of `columns<TAB>record` on standard input into cases for `testdata/conversion`, with the verdict of
//! the ClickHouse that `CLICKHOUSE_URL` names. In the record, `\xHH` stands for a byte. A case on which we differ
//! gets a `differs` that has to be filled in, or a bug to be mended.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::BufRead as _;
use std::sync::Arc;

use housepipe_transform::{Columns, Encoder, Plan, PlanOptions, Semantics};
use support::cases::hex;
use support::oracle::Oracle;

fn main() {
    let mut oracle = Oracle::from_environment().expect("CLICKHOUSE_URL names a server");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let Some((columns, record)) = line.split_once('\t') else {
            if !line.is_empty() {
                println!("# {line}\n");
            }
            continue;
        };
        let record = bytes(record);
        let list: Columns = columns.parse().unwrap_or_else(|error| panic!("{columns}: {error}"));
        let verdict = |semantics| {
            let options = PlanOptions::default().with_semantics(semantics);
            let plan = Plan::compile(&list, &options).unwrap_or_else(|error| panic!("{columns}: {error}"));
            let mut out = Vec::new();
            Encoder::new(Arc::new(plan)).encode(&record, &mut out).map(|()| out).map_err(|reject| reject.code)
        };
        let (strict, lenient) = (verdict(Semantics::Strict), verdict(Semantics::ClickHouse));
        let mut row = oracle.row(columns, &record);
        // JSON columns are sent as their text: ours is the row when ClickHouse reads the same from it.
        if columns.contains("JSON")
            && let (Ok(theirs), Ok(ours)) = (&row, &lenient)
            && oracle.read_back(columns, ours).as_ref() == Ok(theirs)
        {
            row = Ok(ours.clone());
        }
        println!("[[case]]\ncolumns = {}", quote(columns));
        match std::str::from_utf8(&record) {
            Ok(text) if !text.chars().any(char::is_control) => println!("json = {}", quote(text)),
            _ => println!("json_hex = \"{}\"", hex(&record)),
        }
        if let Ok(row) = &row {
            println!("row = \"{}\"", hex(row));
        }
        for (name, verdict) in [("strict", &strict), ("clickhouse", &lenient)] {
            if let Err(code) = verdict {
                println!("{name} = \"{code}\"");
            }
        }
        let agrees = match (&row, &lenient) {
            (Ok(row), Ok(ours)) => row == ours,
            (Err(_), Err(_)) => true,
            _ => false,
        } && strict.as_ref().map_or(true, |ours| row.as_ref() == Ok(ours));
        if !agrees {
            println!("differs = \"?\"");
            let theirs = row.map(|row| hex(&row)).unwrap_or_else(|text| text.chars().take(150).collect());
            eprintln!(
                "DIFF {columns} {} ours {:?} strict {:?} theirs {theirs}",
                String::from_utf8_lossy(&record),
                lenient.map(|row| hex(&row)),
                strict.map(|row| hex(&row))
            );
        }
        println!();
    }
}

fn quote(text: &str) -> String {
    if text.contains('\'') {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{text}'")
    }
}

/// The bytes of the text, `\xHH` decoded.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("\\x") {
        out.extend_from_slice(head.as_bytes());
        out.push(u8::from_str_radix(&tail[..2], 16).expect("two digits behind \\x"));
        rest = &tail[2..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
