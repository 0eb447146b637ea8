//! Plans of which the first bytes of an input choose one.

use std::sync::Arc;

use housepipe_transform::{Columns, Limits, Plan, PlanOptions, RowFormat, Semantics, Source};

use crate::input::Input;

/// Lists that stand for what people have: every type, flat and nested, few columns and many, and at the end such as are
/// filled by what their names say.
const LISTS: [&str; 31] = [
    "a UInt8",
    "a UInt8, b String",
    "a Int64, b Float64, c String, d Nullable(String)",
    "a DateTime, b DateTime64(3), c DateTime64(6, 'Europe/Berlin'), d Date, e Date32",
    "a Array(UInt8), b Array(Array(String)), c Map(String, Int64)",
    "a Tuple(x UInt8, y String), b Array(Tuple(x String, y Nullable(Float64)))",
    "a Tuple(UInt8, String), b Nullable(Float32), c Bool",
    "a JSON, b String",
    "a Enum8('p' = 1, 'q' = 2), b Enum16('' = 0, 'r' = -5), c LowCardinality(String)",
    "a UUID, b IPv4, c IPv6, d FixedString(4)",
    "a UInt128, b Int128, c UInt64, d Int8, e UInt16, f Int32",
    "a String, A String, b UInt8",
    "`n.a` Array(UInt8), `n.b` Array(String)",
    "n Nested(a UInt8, b String)",
    "a Map(LowCardinality(String), Array(Tuple(x UInt8, y Map(String, String))))",
    "a LowCardinality(Nullable(String)), b Nullable(UInt64), c Nullable(DateTime64(3, 'UTC'))",
    "a Array(Nullable(Tuple(x Enum8('p' = 3), y FixedString(8)))), b Nullable(Enum8('p' = 1))",
    "`é` UInt8, `x y` String, `a\"b` UInt8, `\\\\` String",
    "a Map(UInt8, String), b Map(Bool, UInt8), c Map(Date, UInt8), d Map(Enum8('p' = 1), UInt8)",
    "timestamp DateTime64(3), level LowCardinality(String), service LowCardinality(String), host String, \
     message String, trace_id UUID, status UInt16, bytes UInt64, took_ms Float64, cached Bool, \
     client IPv4, user Nullable(String), labels Map(String, String), tags Array(String)",
    "id UInt64, at DateTime64(6), price Float64, size Int64, live Bool, symbol Nullable(String)",
    "a DateTime64(9, 'Asia/Kolkata'), b DateTime('America/New_York'), c DateTime64(0, 'Australia/Lord_Howe')",
    "a String, b String, c String, d String, e String, f String, g String, h String, i String, j String",
    "a FixedString(1000), b Array(FixedString(100)), c Tuple(x FixedString(100), y UInt8)",
    "a Dynamic, b Array(Dynamic), c Map(String, Dynamic)",
    "a Variant(UInt8, String, Array(Int32)), b Variant(Date, Map(String, Dynamic), Decimal(9, 2)), c Geometry",
    "a Decimal(9, 2), b Decimal(76, 10), c Int256, d UInt256, e BFloat16, f Time, g Time64(6), h IntervalDay",
    "a JSON(x UInt8, y.z Array(DateTime), v Variant(UInt8, Date), SKIP s, SKIP REGEXP 'r'), b QBit(Float32, 4), \
     c SimpleAggregateFunction(sum, Int64), d Point, e Array(Time)",
    "a UInt8, `b.x` String, `b.y.z` Nullable(Float64), `c[0].x` DateTime, `c[2]` String, `_offset` Int64",
    "`a.x` Array(UInt8), `a._y` Tuple(x UInt8, y String), `=7` UInt8, `_timestamp` DateTime, `_key` Nullable(String), \
     `_header_values` Array(Nullable(String)), `_header_keys` Array(String)",
    "`_raw_message` Nullable(String), `_topic` String, `_partition` UInt16, `=text` LowCardinality(String)",
];

/// Rows of inputs are kept this small, so that the bound is met.
const ROW_BYTES_MAX: usize = 16 * 1024;

/// The bit of the options by which columns are filled by what their names say.
const NAMES_ARE_SOURCES: u8 = 4;

/// Says that the columns are written out, up to the first newline.
const WRITTEN_OUT: u8 = 0xff;

/// The plan that the first bytes choose: its columns written out, from the list or made of bytes, and its options.
pub(crate) fn choose(input: &mut Input<'_>) -> Option<Arc<Plan>> {
    let list = input.byte();
    let flags = input.byte();
    let text = match LISTS.get(usize::from(list)) {
        Some(list) => (*list).to_owned(),
        None if list == WRITTEN_OUT => String::from_utf8_lossy(input.line()).into_owned(),
        None => made_columns(input),
    };
    let columns: Columns = match text.parse() {
        Ok(columns) => columns,
        Err(_) if list == WRITTEN_OUT => return None,
        Err(error) => panic!("{text}: {error}"),
    };
    let options = options(flags, columns.len());
    let columns = if flags & (1 << NAMES_ARE_SOURCES) == 0 { columns } else { filled(&columns) };
    // Types that ClickHouse cannot hold are made too; they end here.
    Plan::compile(&columns, &options).ok().map(Arc::new)
}

/// The columns filled by what their names say: a path, a virtual column, or behind `=` a constant; else by their fields.
fn filled(columns: &Columns) -> Columns {
    let filled = columns.iter().map(|column| match column.name.strip_prefix('=') {
        Some(text) => column.clone().from_source(Source::Constant(text.to_owned())),
        None => match column.name.parse() {
            Ok(source) => column.clone().from_source(source),
            Err(_) => column.clone(),
        },
    });
    filled.collect()
}

/// The options that the bits of the byte stand for.
fn options(flags: u8, columns: usize) -> PlanOptions {
    let has = |bit: u8| flags & (1 << bit) != 0;
    let mut limits = Limits::default();
    limits.row_bytes_max = ROW_BYTES_MAX;
    if has(3) {
        limits.depth_max = 2;
        limits.fields_max = columns + 2;
        limits.record_bytes_max = 256;
        limits.unknown_keys_max = 2;
        limits.row_bytes_max = ROW_BYTES_MAX / 8;
    }
    PlanOptions::default()
        .with_semantics(if has(0) { Semantics::ClickHouse } else { Semantics::Strict })
        .with_strict_utf8(has(1))
        .with_format(if has(2) { RowFormat::RowBinaryWithDefaults } else { RowFormat::RowBinary })
        .with_limits(limits)
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "A", "`x y`", "é"];

/// One to five columns of types that the bytes make.
fn made_columns(input: &mut Input<'_>) -> String {
    let count = 1 + input.below(5);
    let columns: Vec<String> =
        NAMES.iter().take(count).map(|name| format!("{} {}", quoted(name), made_type(input, 3))).collect();
    columns.join(", ")
}

/// The name in back quotes where it has to have them.
fn quoted(name: &str) -> String {
    if name.is_ascii() { name.to_owned() } else { format!("`{name}`") }
}

/// A type that nests at most this deep.
pub(crate) fn made_type(input: &mut Input<'_>, depth: usize) -> String {
    const LEAVES: [&str; 28] = [
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
        "UInt128",
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "Int128",
        "Float32",
        "Float64",
        "Bool",
        "String",
        "FixedString(3)",
        "Date",
        "Date32",
        "DateTime",
        "DateTime('Europe/Berlin')",
        "DateTime64(3)",
        "DateTime64(9, 'America/New_York')",
        "Enum8('p' = 1, 'q' = 2)",
        "Enum16('p' = 0, '1' = 300)",
        "UUID",
        "IPv4",
        "IPv6",
        "LowCardinality(String)",
        "JSON",
    ];
    let choice = input.below(if depth == 0 { LEAVES.len() } else { LEAVES.len() + 8 });
    if let Some(leaf) = LEAVES.get(choice) {
        return (*leaf).to_owned();
    }
    let mut inner = || made_type(input, depth - 1);
    match choice - LEAVES.len() {
        0 => format!("Nullable({})", inner()),
        1 | 2 => format!("Array({})", inner()),
        3 => format!("Map(String, {})", inner()),
        4 => format!("Map({}, {})", inner(), inner()),
        5 => format!("Tuple({}, {})", inner(), inner()),
        6 => format!("Tuple(x {}, y {})", inner(), inner()),
        _ => format!("Nested(x {}, y {})", inner(), inner()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Columns, LISTS, NAMES, Plan, PlanOptions, filled, quoted};

    #[test]
    fn every_list_compiles() {
        for list in LISTS {
            let columns: Columns = list.parse().unwrap();
            Plan::compile(&columns, &PlanOptions::default()).unwrap();
            Plan::compile(&filled(&columns), &PlanOptions::default()).unwrap();
        }
        for name in NAMES {
            let columns: Columns = format!("{} UInt8", quoted(name)).parse().unwrap();
            assert_eq!(columns.len(), 1);
        }
    }
}
