//! Tables and topics, and what is proposed for them.

use expect_test::{Expect, expect};
use housepipe_ch_sink::{DefaultKind, TableColumn, TableInfo};

use super::{Filling, Fit, Mapping, TopicField, propose};

fn fields(columns: &str) -> Vec<TopicField> {
    let columns: housepipe_transform::Columns = columns.parse().unwrap();
    columns.iter().map(|it| TopicField { name: it.name.clone(), data_type: it.ty.clone() }).collect()
}

fn column(name: &str, type_name: &str) -> TableColumn {
    TableColumn::new(name, type_name)
}

fn table(columns: Vec<TableColumn>) -> TableInfo {
    TableInfo::new("MergeTree", columns)
}

/// A line for each column, and one for the fields that are left over.
fn words(mapping: &Mapping) -> String {
    let mut text = String::new();
    for column in &mapping.columns {
        let filled = match &column.filling {
            Filling::Field { from, likeness, fit: Fit { verdict, note } } => {
                format!("{from} ({likeness:?}), fits: {verdict:?} {note}")
            }
            other => format!("{other:?}"),
        };
        text.push_str(&format!("{} {} <- {}\n", column.name, column.data_type, filled.trim_end()));
    }
    text + &format!("left over: {}\n", mapping.left_over.join(", "))
}

fn proposes(columns: Vec<TableColumn>, fields_of_topic: &str, expected: &Expect) {
    expected.assert_eq(&words(&propose("t", &table(columns), &fields(fields_of_topic))));
}

#[test]
fn names_are_likened_step_by_step_and_each_field_fills_one_column() {
    proposes(
        vec![
            column("user_id", "UInt64"),
            column("UserID", "UInt64"),
            column("userid", "UInt64"),
            column("place_city_name", "String"),
            column("none", "Int8"),
        ],
        "userId UInt64, UserID UInt32, `USER-ID` Int8, place Tuple(city Tuple(`Name` String), zip String), more String",
        &expect![[r#"
            user_id UInt64 <- USER-ID (Words), fits: Some numbers beyond the column's range are rejected
            UserID UInt64 <- UserID (Exact), fits: Yes
            userid UInt64 <- userId (LetterCase), fits: Yes
            place_city_name String <- place.city.Name (Path), fits: Yes
            none Int8 <- TypeDefault
            left over: more
        "#]],
    );
}

#[test]
fn what_the_server_fills_is_left_to_it() {
    let of = |name: &str, kind: DefaultKind, expression: &str| {
        column(name, "UInt64").with_default(kind, expression)
    };
    proposes(
        vec![
            of("a", DefaultKind::Default, "7"),
            of("b", DefaultKind::Default, "8"),
            of("c", DefaultKind::Materialized, "a + 1"),
            of("d", DefaultKind::Alias, "a"),
            of("e", DefaultKind::Ephemeral, ""),
            of("f", DefaultKind::Ephemeral, ""),
            column("_offset", "UInt64"),
            column("g", "String"),
        ],
        "a UInt64, c UInt64, d UInt64, e UInt64, _offset UInt64",
        &expect![[r#"
            a UInt64 <- a (Exact), fits: Yes
            b UInt64 <- Default { expression: "8" }
            c UInt64 <- Server { expression: "a + 1" }
            d UInt64 <- Server { expression: "a" }
            e UInt64 <- e (Exact), fits: Yes
            f UInt64 <- Nothing
            _offset UInt64 <- Virtual { from: "_offset" }
            g String <- TypeDefault
            left over: c, d, _offset
        "#]],
    );
}

#[test]
fn types_tell_what_goes_into_a_column() {
    let told = |field: &str, column: &str| {
        let Fit { verdict, note } = Fit::of(&field.parse().unwrap(), column);
        format!("{field} into {column}: {verdict:?} {note}\n").replace(" \n", "\n")
    };
    let pairs = [
        ("UInt8", "UInt8"),
        ("UInt32", "Int64"),
        ("Int64", "UInt64"),
        ("UInt64", "Int64"),
        ("Int64", "Float64"),
        ("UInt32", "DateTime"),
        ("Int32", "Array(Int32)"),
        ("Nullable(Int32)", "Int64"),
        ("Nullable(Int64)", "Int32"),
        ("Nullable(Int32)", "Nullable(Int64)"),
        ("Int32", "Nullable(Int64)"),
        ("Float64", "Float32"),
        ("Float64", "Int64"),
        ("Float64", "Decimal(18, 2)"),
        ("Float32", "BFloat16"),
        ("Decimal(18, 2)", "Float64"),
        ("Decimal(18, 2)", "Decimal(18, 4)"),
        ("Decimal(18, 4)", "Decimal(18, 2)"),
        ("Decimal(9, 2)", "Decimal(18, 4)"),
        ("Bool", "UInt8"),
        ("Bool", "Date"),
        ("LowCardinality(String)", "String"),
        ("String", "LowCardinality(Nullable(String))"),
        ("String", "Enum8('a' = 1)"),
        ("String", "UUID"),
        ("String", "Array(String)"),
        ("UUID", "String"),
        ("Array(String)", "String"),
        ("DateTime64(3, 'UTC')", "DateTime64(6)"),
        ("DateTime64(3, 'UTC')", "DateTime"),
        ("Date", "Date32"),
        ("IPv4", "IPv6"),
        ("Array(UInt8)", "Array(UInt16)"),
        ("Array(UInt16)", "Array(UInt8)"),
        ("Map(String, UInt8)", "Map(String, String)"),
        ("Tuple(a UInt8, b String)", "Tuple(b String)"),
        ("Tuple(a UInt8)", "Tuple(a UInt8, b String)"),
        ("Tuple(a Int64)", "Tuple(a UInt8, b String)"),
        ("Tuple(a UInt8)", "JSON"),
        ("Tuple(a UInt8)", "Map(String, UInt8)"),
        ("UInt8", "JSON"),
        ("UInt8", "Dynamic"),
        ("Nullable(UInt8)", "Variant(String, UInt8)"),
        ("UInt8", "SimpleAggregateFunction(sum, UInt64)"),
        ("UInt8", "AggregateFunction(sum, UInt64)"),
    ];
    let all: String = pairs.iter().map(|(field, column)| told(field, column)).collect();
    expect![[r#"
        UInt8 into UInt8: Yes
        UInt32 into Int64: Yes
        Int64 into UInt64: Some numbers beyond the column's range are rejected
        UInt64 into Int64: Some numbers beyond the column's range are rejected
        Int64 into Float64: Yes digits that the column has no room for are cut off
        UInt32 into DateTime: Some numbers are taken for seconds since 1970
        Int32 into Array(Int32): No values of this type are rejected
        Nullable(Int32) into Int64: Yes null becomes the column's default
        Nullable(Int64) into Int32: Some numbers beyond the column's range are rejected
        Nullable(Int32) into Nullable(Int64): Yes
        Int32 into Nullable(Int64): Yes
        Float64 into Float32: Yes digits that the column has no room for are cut off, and numbers beyond its range become infinite
        Float64 into Int64: No values of this type are rejected
        Float64 into Decimal(18, 2): Some numbers beyond the column's range are rejected
        Float32 into BFloat16: Yes digits that the column has no room for are cut off
        Decimal(18, 2) into Float64: Yes digits that the column has no room for are cut off
        Decimal(18, 2) into Decimal(18, 4): Some numbers beyond the column's range are rejected
        Decimal(18, 4) into Decimal(18, 2): Yes digits that the column has no room for are cut off
        Decimal(9, 2) into Decimal(18, 4): Yes
        Bool into UInt8: Yes true becomes 1, and false 0
        Bool into Date: No values of this type are rejected
        LowCardinality(String) into String: Yes
        String into LowCardinality(Nullable(String)): Yes
        String into Enum8('a' = 1): Some texts have to be written as values of the column
        String into UUID: Some texts have to be written as values of the column
        String into Array(String): No values of this type are rejected
        UUID into String: Yes
        Array(String) into String: Yes
        DateTime64(3, 'UTC') into DateTime64(6): Yes
        DateTime64(3, 'UTC') into DateTime: Some texts have to be written as the column is read
        Date into Date32: Yes
        IPv4 into IPv6: Yes
        Array(UInt8) into Array(UInt16): Yes
        Array(UInt16) into Array(UInt8): Some numbers beyond the column's range are rejected
        Map(String, UInt8) into Map(String, String): Yes
        Tuple(a UInt8, b String) into Tuple(b String): Yes
        Tuple(a UInt8) into Tuple(a UInt8, b String): Yes a member that is missing becomes its default
        Tuple(a Int64) into Tuple(a UInt8, b String): Some numbers beyond the column's range are rejected
        Tuple(a UInt8) into JSON: Yes
        Tuple(a UInt8) into Map(String, UInt8): Some its members have to be of the column's types
        UInt8 into JSON: No values of this type are rejected
        UInt8 into Dynamic: Yes
        Nullable(UInt8) into Variant(String, UInt8): Yes
        UInt8 into SimpleAggregateFunction(sum, UInt64): Yes
        UInt8 into AggregateFunction(sum, UInt64): No this version cannot fill the column's type
    "#]]
    .assert_eq(&all);
}
