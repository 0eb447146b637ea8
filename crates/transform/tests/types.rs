//! Types that ClickHouse was asked about: what it takes, what it refuses and why, and how it prints them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use housepipe_transform::{Column, Columns, DataType, Plan, PlanError, PlanOptions};
use serde::Deserialize;

#[derive(Deserialize)]
struct Types {
    /// A type, and how ClickHouse prints it where it prints another one.
    accepted: Vec<Vec<String>>,
    /// A type, and how ClickHouse's reason begins.
    refused: Vec<[String; 2]>,
}

fn compile(ty: &str) -> Result<String, String> {
    let ty: DataType = ty.parse().map_err(|error| format!("{error}"))?;
    let printed = ty.to_string();
    match Plan::compile(&Columns::new(vec![Column::new("a", ty)]), &PlanOptions::default()) {
        Ok(_) | Err(PlanError::NotSupported { .. } | PlanError::NoBytes) => Ok(printed),
        Err(PlanError::ImpossibleType { reason, .. }) => Err(reason),
        Err(other) => panic!("{printed}: {other}"),
    }
}

fn check(text: &str) {
    let types: Types = toml::from_str(text).unwrap();
    let mut wrong = Vec::new();
    for list in &types.accepted {
        let (ty, printed) = (&list[0], list.last().unwrap());
        if compile(ty).as_ref() != Ok(printed) {
            wrong.push(format!("{ty} is accepted as {printed}, here: {:?}", compile(ty)));
        }
    }
    for [ty, reason] in &types.refused {
        if !compile(ty).is_err_and(|said| said.contains(reason.as_str())) {
            wrong.push(format!("{ty} is refused: {reason}\n  here: {:?}", compile(ty)));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn functions_of_aggregates_take_the_types_that_they_return() {
    check(include_str!("../../../testdata/types/simple_aggregates.toml"));
}

#[test]
fn arguments_of_json_have_limits_and_expressions_that_compile() {
    check(include_str!("../../../testdata/types/json.toml"));
}
