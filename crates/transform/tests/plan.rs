//! What a plan refuses, however its columns were made.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::sync::Arc;

use housepipe_transform::{
    AggregateFunction, Column, Columns, DataType, Encoder, Engine, EnumItem, Limits, Path, Plan, PlanError,
    PlanOptions, QBitType, Tier, TupleElement,
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
    name.map_or_else(
        || TupleElement::unnamed(DataType::UInt8),
        |name| TupleElement::named(name, DataType::UInt8),
    )
}

#[test]
fn types_built_by_hand_are_held_to_the_parsers_rules() {
    let twice = vec![EnumItem::new("x", 1i8), EnumItem::new("x", 2)];
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
fn object_is_refused_with_its_successor() {
    let error = "Object('json')".parse::<DataType>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 0: ClickHouse has no Object('json') any more; its successor is JSON"
    );
}

#[test]
fn a_type_that_cannot_be_read_is_told_with_its_column() {
    for ty in [
        "Decimal(77, 0)",
        "FixedString(0)",
        "DateTime64(10)",
        "Enum8('a' = 1, 'a' = 2)",
        "QBit(UInt8, 3)",
        "Map(String)",
        "Array()",
        "Nothing",
        "AggregateFunction(sum, UInt8)",
        "Object('json')",
        "",
    ] {
        let error = format!("a UInt8, the_column {ty}").parse::<Columns>().unwrap_err();
        assert_eq!(error.column.as_deref(), Some("the_column"), "{ty}");
        assert!(error.to_string().starts_with("column `the_column`: at byte "), "{error}");
    }
    let error = "a UInt8, ,".parse::<Columns>().unwrap_err();
    assert_eq!((error.column, error.position), (None, 9));
}

#[test]
fn functions_of_aggregates_have_one_name() {
    for (written, printed) in [
        ("SimpleAggregateFunction(first_value, UInt8)", "SimpleAggregateFunction(any, UInt8)"),
        ("SimpleAggregateFunction(LAST_VALUE, UInt8)", "SimpleAggregateFunction(anyLast, UInt8)"),
        ("SimpleAggregateFunction(SUM, UInt64)", "SimpleAggregateFunction(sum, UInt64)"),
    ] {
        let ty: DataType = written.parse().unwrap();
        assert_eq!(ty.to_string(), printed);
        assert_eq!(printed.parse::<DataType>().unwrap(), ty);
        let columns = Columns::new(vec![Column::new("a", ty)]);
        assert!(Plan::compile(&columns, &PlanOptions::default()).is_ok());
    }
    let by_hand = AggregateFunction::new("SUM", Vec::new());
    let by_hand = DataType::SimpleAggregateFunction(by_hand, Box::new(DataType::UInt32));
    assert_eq!(by_hand.to_string(), "SimpleAggregateFunction(sum, UInt32)");
    assert_eq!(
        refused(by_hand),
        "Incompatible data types between aggregate function 'sum' which returns UInt64 and column storage type UInt32"
    );
}

#[test]
fn a_row_has_bytes() {
    let compile = |columns: &str| Plan::compile(&columns.parse().unwrap(), &PlanOptions::default());
    assert_eq!(compile("a Tuple(), b Tuple(Tuple())").unwrap_err(), PlanError::NoBytes);
    assert!(compile("a Tuple(), b UInt8").is_ok());
    assert!(compile("a Array(Tuple())").is_ok());
}

#[test]
fn variants_and_vectors_have_rules() {
    let variant = |list: Vec<DataType>| refused(DataType::Variant(list));
    let nullable = |ty: DataType| DataType::Nullable(Box::new(ty));
    assert_eq!(variant(vec![]), "Variant type should have at least one nested type");
    assert_eq!(
        variant(vec![nullable(DataType::UInt8)]),
        "Nullable/LowCardinality(Nullable) types are not allowed inside Variant type"
    );
    assert_eq!(
        variant(vec![DataType::Variant(vec![DataType::UInt8])]),
        "Nested Variant types are not allowed"
    );
    assert_eq!(
        refused(nullable(DataType::Variant(vec![DataType::UInt8]))),
        "Nested type Variant(UInt8) cannot be inside Nullable type"
    );
    let many = (1..=256).map(DataType::FixedString).collect();
    assert_eq!(variant(many), "Variant type with more than 255 nested types is not allowed");
    assert_eq!(
        refused(DataType::QBit(QBitType::new(DataType::UInt8, 2))),
        "QBit data type only supports Int8, BFloat16, Float32, or Float64 as element type. Got: UInt8"
    );
    let mut vector = QBitType::new(DataType::Float32, 16);
    for (stride, reason) in [
        (5, "QBit stride must be a positive divisor of the dimension 16. Got: 5"),
        (4, "QBit stride must be a multiple of 8 when it is smaller than the dimension. Got: 4"),
    ] {
        vector.stride = Some(stride);
        assert_eq!(refused(DataType::QBit(vector.clone())), reason);
    }
}

#[test]
fn a_variant_has_the_order_of_its_names() {
    let ty: DataType = "Variant(UInt8, Array(String), String, UInt8)".parse().unwrap();
    assert_eq!(ty.to_string(), "Variant(Array(String), String, UInt8)");
    let by_hand = DataType::Variant(vec![DataType::UInt8, DataType::String]);
    assert_eq!(by_hand.to_string(), "Variant(String, UInt8)");
    let columns = Columns::new(vec![Column::new("a", by_hand)]);
    let plan = Plan::compile(&columns, &PlanOptions::default()).unwrap();
    let mut rows = Vec::new();
    Encoder::new(Arc::new(plan)).encode(br#"{"a":1}"#, &mut rows).unwrap();
    assert_eq!(rows, [1, 1]);
}

#[test]
fn paths_of_json_that_are_not_checked_are_refused() {
    for (ty, part) in [
        ("JSON(a JSON)", "JSON itself"),
        ("Array(JSON(a Array(JSON)))", "JSON itself"),
        ("JSON(a Enum8('x' = 1))", "smallest number is not 0"),
        ("JSON(a Enum16('x' = -1, 'y' = 0))", "smallest number is not 0"),
        ("JSON(a Dynamic)", "Dynamic"),
        ("JSON(a UInt8, a.b UInt8)", "below another"),
        ("Map(String, Tuple(x JSON(a Tuple(b Int8), a.b Int8)))", "below another"),
    ] {
        let columns = Columns::new(vec![Column::new("a", ty.parse().unwrap())]);
        match Plan::compile(&columns, &PlanOptions::default()) {
            Err(PlanError::NotSupported { reason, .. }) => assert!(reason.contains(part), "{ty}: {reason}"),
            other => panic!("{ty}: {other:?}"),
        }
    }
    assert_eq!(
        refused("JSON(a BFloat16)".parse().unwrap()),
        "JSON serialization doesn't support the return type schema: BFloat16"
    );
    assert_eq!(
        refused("JSON(cd Int8, SKIP c)".parse().unwrap()),
        "Path 'cd' is specified with the data type ('Int8') and matches the SKIP path prefix 'c'."
    );
}

/// In the order that is learned, and out of it; by either engine.
#[test]
fn keys_that_are_taken_as_they_stand_have_one_letter_case() {
    let columns: Columns = "id UInt8, n Int8, o Int8".parse().unwrap();
    let records = [
        r#"{"id":1,"n":2,"o":3}"#,
        r#"{"id":1,"N":-5,"o":3}"#,
        r#"{"id":1,"N":-5,"n":2}"#,
        r#"{"N":-5,"O":-6,"o":3,"n":2,"ID":9,"id":1}"#,
    ];
    let rows = |exact: bool, engine: Engine| -> Vec<Vec<u8>> {
        let options = PlanOptions::default().with_exact_keys(exact);
        let plan = Arc::new(Plan::compile(&columns, &options).unwrap());
        let mut encoder = Encoder::with_engine(plan, engine);
        let mut row_of = |record: &str| {
            let mut row = Vec::new();
            encoder
                .encode(record.as_bytes(), &mut row)
                .map_or_else(|reject| reject.code.to_string().into_bytes(), |()| row)
        };
        // Often enough that the keys of the first one are learned.
        for _ in 0..100 {
            row_of(records[0]);
        }
        records.iter().map(|record| row_of(record)).collect()
    };
    let paths = [Path::Exact, Path::General, Path::Lockstep];
    for engine in
        paths.into_iter().flat_map(|path| Tier::all().into_iter().map(move |tier| Engine::new(path, tier)))
    {
        assert_eq!(rows(true, engine), [[1, 2, 3], [1, 0, 3], [1, 2, 0], [1, 2, 3]], "{engine:?}");
        let folded = rows(false, engine);
        assert_eq!(folded[1], [1, 251, 3], "{engine:?}");
        assert_eq!(folded[2], b"duplicate_key", "{engine:?}");
    }
}
