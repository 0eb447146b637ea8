//! Checks JSON Lines from standard input against a JSON Schema, and prints what violates it:
//! `cargo run --release -p housepipe-json-schema --example check -- order.schema.json < orders.jsonl`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::io::BufRead as _;
use std::process::ExitCode;

use housepipe_json_schema::{Options, Schema, Validator};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: check SCHEMA < LINES");
        return ExitCode::from(2);
    };
    match check(&path) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::from(2)
        }
    }
}

/// How many lines violate the schema.
fn check(path: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
    let schema = Schema::compile(&text, std::iter::empty::<(&str, &str)>(), &Options::default())?;
    let mut validator = Validator::new(schema);
    let mut violations = 0;
    for (number, line) in (1..).zip(std::io::stdin().lock().split(b'\n')) {
        if let Err(rejected) = validator.check(&line?) {
            println!("line {number}: {rejected}");
            violations += 1;
        }
    }
    Ok(violations)
}
