//! What a plan refuses, however its columns were made.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use housepipe_transform::{
    Column, Columns, DataType, EnumItem, Limits, Plan, PlanError, PlanOptions, TupleElement,
};

fn refused(ty: DataType) -> String {
    let columns = Columns::new(vec![Column::new("a", ty)]);
    match Plan::compile(&columns, &PlanOptions::default()) {
        Err(PlanError::ImpossibleType { column, reason, .. }) => {
            assert_eq!(column, "a");
            reason
        }
        other => panic!("{other:?}"),
    }
}

fn element(name: Option<&str>) -> TupleElement {
    TupleElement { name: name.map(str::to_owned), ty: DataType::UInt8 }
}

#[test]
fn types_built_by_hand_are_held_to_the_parsers_rules() {
    let twice =
        vec![EnumItem { name: "x".to_owned(), value: 1i8 }, EnumItem { name: "x".to_owned(), value: 2 }];
    for (ty, reason) in [
        (DataType::FixedString(0), "1 to 16777215 bytes"),
        (DataType::FixedString(16_777_216), "1 to 16777215 bytes"),
        (DataType::DateTime64(10, None), "the precision of a DateTime64"),
        (DataType::Enum8(Vec::new()), "at least one name"),
        (DataType::Enum8(twice), "stands twice in the Enum"),
        (DataType::Tuple(vec![element(Some("x")), element(Some("x"))]), "stands twice in the Tuple"),
        (DataType::Tuple(vec![element(Some("x")), element(None)]), "either all elements"),
        (DataType::Array(Box::new(DataType::Nested(vec![element(None)]))), "elements of a Nested have names"),
    ] {
        let said = refused(ty.clone());
        assert!(said.contains(reason), "{ty:?}: {said}");
    }
}

#[test]
fn a_type_without_a_bottom_is_refused() {
    let mut ty = DataType::Int8;
    for _ in 0..500 {
        ty = DataType::Array(Box::new(ty));
    }
    assert_eq!(refused(ty), "types are nested deeper than 64");
}

#[test]
fn a_column_needs_a_name() {
    let columns = Columns::new(vec![Column::new("", DataType::Int8)]);
    let error = Plan::compile(&columns, &PlanOptions::default()).unwrap_err();
    assert_eq!(error, PlanError::NamelessColumn);
}

#[test]
fn defaults_of_all_columns_together_stay_below_the_limit_of_a_row() {
    let columns: Columns = (0..40).map(|n| Column::new(format!("c{n}"), DataType::FixedString(50))).collect();
    let mut limits = Limits::default();
    limits.row_bytes_max = 1_999;
    let error = Plan::compile(&columns, &PlanOptions::default().with_limits(limits.clone())).unwrap_err();
    assert!(matches!(error, PlanError::RowTooLarge { column, .. } if column == "c39"));
    limits.row_bytes_max = 2_000;
    Plan::compile(&columns, &PlanOptions::default().with_limits(limits)).unwrap();
}

#[test]
fn long_lists_of_names_are_read_in_a_moment() {
    let names: Vec<String> = (0..60_000).map(|n| format!("'name {n}' = {}", n - 30_000)).collect();
    let ty: DataType = format!("Enum16({})", names.join(", ")).parse().unwrap();
    let DataType::Enum16(items) = ty else { panic!("{ty}") };
    assert_eq!(items.len(), 60_000);
}

#[test]
fn a_json_type_with_typed_paths_is_refused_wherever_it_stands() {
    for ty in ["JSON(a.b UInt32)", "Array(JSON(a String))", "Map(String, Tuple(x JSON(a Int8)))"] {
        let columns: Columns = format!("a {ty}").parse().unwrap();
        let error = Plan::compile(&columns, &PlanOptions::default()).unwrap_err();
        assert!(matches!(error, PlanError::NotSupported { .. }), "{ty}: {error}");
    }
    let error = "Object('json')".parse::<DataType>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 0: ClickHouse has no Object('json') any more; its successor is JSON"
    );
}
