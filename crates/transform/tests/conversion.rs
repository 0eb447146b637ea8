//! The conversion cases, on the encoder and, where `CLICKHOUSE_URL` names a server, on ClickHouse itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

mod support;

use std::sync::Arc;

use housepipe_transform::{Columns, Encoder, Plan, PlanOptions, Semantics};
use support::cases::{Case, hex, load, unhex};
use support::oracle::Oracle;

/// The row in hexadecimal digits, or the code of the reject.
fn encode(case: &Case, semantics: Semantics) -> Result<String, String> {
    let columns: Columns = case.columns.parse().unwrap();
    let plan = Plan::compile(&columns, &PlanOptions::default().with_semantics(semantics)).unwrap();
    let mut out = b"before".to_vec();
    let result = Encoder::new(Arc::new(plan)).encode(&case.record(), &mut out);
    assert!(out.starts_with(b"before"));
    match result {
        Ok(()) => Ok(hex(&out[6..])),
        Err(reject) => {
            assert_eq!(out, b"before", "a reject leaves the output as it was");
            assert!(reject.position <= case.record().len());
            Err(reject.code.to_string())
        }
    }
}

fn expected(case: &Case, code: Option<&String>) -> Result<String, String> {
    match (code, &case.row) {
        (Some(code), _) => Err(code.clone()),
        (None, Some(row)) => Ok(row.clone()),
        (None, None) => panic!("a case that ClickHouse refuses needs codes: {case:?}"),
    }
}

/// The codes by which `docs/differences.md` lets the strict semantics alone reject what ClickHouse accepts.
const STRICT_CODES: [&str; 5] =
    ["invalid_json", "invalid_escape", "out_of_range", "null_enum", "wrong_tuple_length"];

#[test]
fn the_encoder_agrees_with_every_case() {
    let cases = load();
    assert!(cases.len() >= 300, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for (path, case) in &cases {
        for (semantics, code) in
            [(Semantics::Strict, &case.strict), (Semantics::ClickHouse, &case.clickhouse)]
        {
            let (is, should) = (encode(case, semantics), expected(case, code.as_ref()));
            if is != should {
                wrong.push(format!(
                    "{}: {semantics:?}: {case:?}\n  is {is:?}\n  should be {should:?}",
                    path.display()
                ));
            }
        }
        if let (Some(_), Some(code), None) = (&case.row, &case.strict, &case.clickhouse) {
            assert!(
                STRICT_CODES.contains(&code.as_str()),
                "strict alone does not reject by {code}: {case:?}"
            );
        }
        let rejects_on_its_own = case.row.is_some() && case.clickhouse.is_some();
        assert!(!rejects_on_its_own || case.differs.is_some(), "a difference needs its reason: {case:?}");
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn clickhouse_agrees_with_every_case() {
    let Some(mut oracle) = Oracle::from_environment() else { return };
    let mut wrong = Vec::new();
    for (path, case) in load() {
        if case.row.is_none() && case.differs.is_some() {
            // What ClickHouse says depends on its clock.
            continue;
        }
        let mut row = oracle.row(&case.columns, &case.record()).ok().map(|row| hex(&row));
        let mut expected = case.row.clone();
        if let (true, Some(text)) = (case.columns.contains("JSON"), &expected) {
            // JSON columns are sent as their text: ClickHouse has to read the same from it.
            expected = oracle.read_back(&case.columns, &unhex(text)).ok().map(|row| hex(&row));
            row = row.or_else(|| Some("refused".to_owned()));
        }
        if row != expected {
            wrong.push(format!("{}: {case:?}\n  ClickHouse says {row:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
