//! From a list of columns to a plan.

use std::collections::{HashMap, HashSet};

use super::op::Default as OpDefault;
use super::paths::{Leaf, Overlap, PathNode};
use super::tail::TailField;
use super::{
    DecimalKind, EnumTable, Field, IntKind, JsonOp, KeyTable, Literal, Op, Plan, PlanError, PlanOptions,
    RowFormat, TupleElementOp, TupleOp, VariantOp, VectorOp,
};
use crate::columns::{Column, Columns, DefaultKind, Source};
use crate::encode::constant;
use crate::types::{DataType, JsonSkip, JsonTypeArgs, TupleElement, attempts, check, is_bottomless, members};
use crate::zone::TimeZone;

pub(super) fn compile(columns: &Columns, options: &PlanOptions) -> Result<Plan, PlanError> {
    let columns = flatten(columns);
    if columns.is_empty() {
        return Err(PlanError::NoColumns);
    }
    check_names(&columns)?;
    let mut compiler = Compiler { server_timezone: options.server_timezone, zones: Vec::new() };
    let mut default_bytes = 0usize;
    let (mut roots, mut tail): (Vec<(&str, Vec<Leaf<'_>>)>, Vec<TailField>) = (Vec::new(), Vec::new());
    let mut places: HashMap<&str, usize> = HashMap::new();
    for column in &columns {
        let field = compiler.field(column, options)?;
        let (key, steps) = match &column.source {
            Source::Field(key) => (key.as_str(), [].as_slice()),
            Source::Path(path) => (path.key(), path.rest()),
            Source::Virtual(_) | Source::Constant(_) | Source::Null => {
                let marks = options.format == RowFormat::RowBinaryWithDefaults;
                tail.push(TailField::compile(column, &field.op, marks, |text| {
                    constant(text, &field.op, &compiler.zones, &options.limits)
                })?);
                continue;
            }
        };
        default_bytes = default_bytes.saturating_add(field.missing.len());
        if default_bytes > options.limits.row_bytes_max {
            return Err(too_large(column, options));
        }
        let leaf = Leaf { steps, field };
        let place = *places.entry(key).or_insert(roots.len());
        match roots.get_mut(place) {
            Some((_, leaves)) => leaves.push(leaf),
            None => roots.push((key, vec![leaf])),
        }
    }
    let exact = options.exact_keys;
    let fields = roots.into_iter().map(|(key, leaves)| root(key, leaves, &columns, exact));
    let fields = fields.collect::<Result<Vec<Field>, PlanError>>()?;
    let is_bare = options.format == RowFormat::RowBinary && tail.is_empty();
    if is_bare && fields.iter().all(|field| field.op.has_no_bytes()) {
        return Err(PlanError::NoBytes);
    }
    let keys = KeyTable::new(fields.iter().map(|field| field.key.clone()).collect(), exact);
    let columns = in_order(&columns, &fields, &tail);
    Ok(Plan { columns, options: options.clone(), fields, tail, keys, zones: compiler.zones })
}

fn check_names(columns: &Columns) -> Result<(), PlanError> {
    let mut names = HashSet::new();
    for column in columns {
        if column.name.is_empty() {
            return Err(PlanError::NamelessColumn);
        }
        if !names.insert(column.name.as_str()) {
            return Err(PlanError::DuplicateColumn { column: column.name.clone() });
        }
    }
    Ok(())
}

/// A field of the record, for the columns that it fills.
fn root(key: &str, leaves: Vec<Leaf<'_>>, columns: &Columns, exact: bool) -> Result<Field, PlanError> {
    let overlap = |Overlap(column): Overlap| {
        let second = columns.iter().find(|known| known.name == column);
        PlanError::DuplicateSource {
            key: second.map_or_else(|| key.to_owned(), |second| second.source.to_string()),
            column,
        }
    };
    let key_bytes: Box<[u8]> = key.as_bytes().into();
    match PathNode::build(key, leaves, exact).map_err(overlap)? {
        PathNode::Column(field) => Ok(Field { key: key_bytes, ..*field }),
        node => {
            let mut missing = Vec::new();
            node.push_missing(&mut missing);
            Ok(Field {
                name: String::new(),
                key: key_bytes,
                op: Op::Paths(Box::new(node)),
                missing: missing.into_boxed_slice(),
                null: None,
                marks: false,
            })
        }
    }
}

/// The columns in the order of the row.
fn in_order(columns: &Columns, fields: &[Field], tail: &[TailField]) -> Columns {
    let mut names = Vec::with_capacity(columns.len());
    for field in fields {
        match &field.op {
            Op::Paths(node) => node.columns(&mut names),
            _ => names.push(&field.name),
        }
    }
    names.extend(tail.iter().map(|field| field.name.as_str()));
    let by_name: HashMap<&str, &Column> =
        columns.iter().map(|column| (column.name.as_str(), column)).collect();
    names.iter().filter_map(|name| by_name.get(name).map(|column| (*column).clone())).collect()
}

/// What a JSON type in it has that is not supported: a value for it could make the server refuse a whole insert.
fn odd_json(ty: &DataType) -> Option<&'static str> {
    let DataType::Json(args) = ty else { return ty.children().into_iter().find_map(odd_json) };
    let is_json = |ty: &DataType| matches!(ty, DataType::Json(_));
    let is_dynamic = |ty: &DataType| matches!(ty, DataType::Dynamic(_));
    let lacks_zero = |ty: &DataType| match ty {
        DataType::Enum8(items) => items.iter().map(|item| item.value).min() != Some(0),
        DataType::Enum16(items) => items.iter().map(|item| item.value).min() != Some(0),
        _ => false,
    };
    let is_below =
        |path: &str, outer: &str| path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    let mut paths = args.paths.iter();
    if args.paths.iter().any(|(_, ty)| ty.any(&is_json)) {
        Some("a path of a JSON type that is JSON itself")
    } else if args.paths.iter().any(|(_, ty)| ty.any(&is_dynamic)) {
        Some("a path of a JSON type that is Dynamic, as paths without a type are")
    } else if args.paths.iter().any(|(_, ty)| ty.any(&lacks_zero)) {
        Some(
            "a path of a JSON type with an Enum whose smallest number is not 0: ClickHouse makes 0 of a JSON that is null, \
             and the smallest one of a path that is missing",
        )
    } else if paths.any(|(path, _)| args.paths.iter().any(|(outer, _)| is_below(path, outer))) {
        Some("a typed path of a JSON type below another one")
    } else {
        None
    }
}

/// The type as ClickHouse prints it, where it is not nested beyond all measure.
fn name_of(ty: &DataType) -> String {
    if is_bottomless(ty) { "a type".to_owned() } else { ty.to_string() }
}

fn too_large(column: &Column, options: &PlanOptions) -> PlanError {
    PlanError::RowTooLarge {
        column: column.name.clone(),
        ty: column.ty.to_string(),
        limit_bytes: options.limits.row_bytes_max,
    }
}

/// The operation for a value that went through a dictionary.
fn dictionary(op: Op) -> Op {
    match op {
        Op::BFloat16 | Op::Float32 | Op::Float64 => Op::DictionaryFloat(Box::new(op)),
        Op::Nullable(inner) => Op::Nullable(Box::new(dictionary(*inner))),
        op => op,
    }
}

/// Replaces every Nested column by its arrays, as ClickHouse does when it creates the table.
fn flatten(columns: &Columns) -> Columns {
    let mut flat = Vec::new();
    for column in columns {
        let (DataType::Nested(elements), Source::Field(key)) = (&column.ty, &column.source) else {
            flat.push(column.clone());
            continue;
        };
        for element in elements {
            let name = element.name.as_deref().unwrap_or_default();
            let mut array =
                Column::new(format!("{}.{name}", column.name), DataType::Array(Box::new(element.ty.clone())))
                    .from_field(format!("{key}.{name}"));
            array.default = column.default;
            flat.push(array);
        }
    }
    Columns::new(flat)
}

struct Compiler {
    server_timezone: TimeZone,
    zones: Vec<TimeZone>,
}

impl Compiler {
    /// The column as a field that does not know its key yet.
    fn field(&mut self, column: &Column, options: &PlanOptions) -> Result<Field, PlanError> {
        check(&column.ty).map_err(|reason| PlanError::ImpossibleType {
            column: column.name.clone(),
            ty: name_of(&column.ty),
            reason,
        })?;
        let is_nested = matches!(column.ty, DataType::Nested(_));
        let reason = if is_nested && !matches!(column.source, Source::Field(_)) {
            Some("a Nested column is filled by a field alone; list its arrays as columns of their own")
        } else {
            odd_json(&column.ty)
        };
        if let Some(reason) = reason {
            return Err(PlanError::NotSupported {
                column: column.name.clone(),
                ty: column.ty.to_string(),
                reason,
            });
        }
        let op = self.op(&column.ty);
        if op.default_bytes() > options.limits.row_bytes_max {
            return Err(too_large(column, options));
        }
        let markers = options.format == RowFormat::RowBinaryWithDefaults;
        let server_side = column.default == DefaultKind::Expression;
        if server_side && !markers {
            return Err(PlanError::DefaultNeedsMarkers { column: column.name.clone() });
        }
        let mut missing = Vec::new();
        if server_side {
            missing.push(1);
        } else {
            if markers {
                missing.push(0);
            }
            op.write_default(OpDefault::OfType, &mut missing);
        }
        // With `input_format_null_as_default`, `null` asks for the column's default as a missing key does.
        let null = (server_side && !matches!(op, Op::Nullable(_))).then(|| Box::from([1u8]));
        Ok(Field {
            name: column.name.clone(),
            key: Box::default(),
            op,
            missing: missing.into_boxed_slice(),
            null,
            marks: markers,
        })
    }

    fn zone(&mut self, zone: Option<TimeZone>) -> usize {
        let zone = zone.unwrap_or(self.server_timezone);
        self.zones.iter().position(|known| *known == zone).unwrap_or_else(|| {
            self.zones.push(zone);
            self.zones.len() - 1
        })
    }

    fn op(&mut self, ty: &DataType) -> Op {
        let int = |bytes, signed| Op::Int(IntKind { bytes, signed });
        match ty {
            DataType::Int8 => int(1, true),
            DataType::Int16 => int(2, true),
            DataType::Int32 => int(4, true),
            DataType::Int64 => int(8, true),
            DataType::Int128 => int(16, true),
            DataType::UInt8 => int(1, false),
            DataType::UInt16 => int(2, false),
            DataType::UInt32 => int(4, false),
            DataType::UInt64 => int(8, false),
            DataType::UInt128 => int(16, false),
            DataType::Int256 => Op::WideInt { signed: true },
            DataType::UInt256 => Op::WideInt { signed: false },
            DataType::BFloat16 => Op::BFloat16,
            DataType::Decimal(precision, scale) => Op::Decimal(DecimalKind::new(*precision, *scale)),
            DataType::Time => Op::Time,
            DataType::Time64(precision) => Op::Time64 { precision: *precision },
            DataType::Interval(_) => int(8, true),
            DataType::Geo(geo) => self.op(&geo.stands_for()),
            DataType::SimpleAggregateFunction(_, inner) => self.op(inner),
            DataType::Float32 => Op::Float32,
            DataType::Float64 => Op::Float64,
            DataType::Bool => Op::Bool,
            DataType::String => Op::String,
            DataType::FixedString(bytes) => Op::FixedString(*bytes),
            DataType::Date => Op::Date,
            DataType::Date32 => Op::Date32,
            DataType::DateTime(zone) => Op::DateTime { zone: self.zone(*zone) },
            DataType::DateTime64(precision, zone) => {
                Op::DateTime64 { zone: self.zone(*zone), precision: *precision }
            }
            DataType::Enum8(items) => Op::Enum8(EnumTable::new(items)),
            DataType::Enum16(items) => Op::Enum16(EnumTable::new(items)),
            DataType::Uuid => Op::Uuid,
            DataType::Ipv4 => Op::Ipv4,
            DataType::Ipv6 => Op::Ipv6,
            // The dictionary exists at rest; on the wire the values stand as they are.
            DataType::LowCardinality(inner) => dictionary(self.op(inner)),
            DataType::Nullable(inner) => Op::Nullable(Box::new(self.op(inner))),
            DataType::Array(inner) => Op::Array(Box::new(self.op(inner))),
            DataType::Tuple(elements) => self.tuple(elements),
            DataType::Map(key, value) => Op::Map(Box::new(self.op(key)), Box::new(self.op(value))),
            DataType::Nested(elements) => Op::Array(Box::new(self.tuple(elements))),
            DataType::Json(args) => Op::Json(self.json(args)),
            DataType::Variant(list) => self.variant(list),
            DataType::Dynamic(_) => Op::Dynamic { zone: self.zone(None) },
            DataType::QBit(qbit) => {
                Op::Vector(VectorOp { element: Box::new(self.op(&qbit.element)), dimension: qbit.dimension })
            }
        }
    }

    fn json(&mut self, args: &JsonTypeArgs) -> JsonOp {
        let mut typed: Vec<(Box<str>, Op)> =
            args.paths.iter().map(|(path, ty)| (path.as_str().into(), self.op(ty))).collect();
        typed.sort_by(|a, b| a.0.cmp(&b.0));
        let skips = args.skips.iter().filter_map(|skip| match skip {
            JsonSkip::Path(path) => Some(path.as_str().into()),
            JsonSkip::Regexp(_) => None,
        });
        JsonOp { typed, skips: skips.collect() }
    }

    fn variant(&mut self, list: &[DataType]) -> Op {
        let members = members(list);
        // At most 255 members were checked.
        let attempts = attempts(&members).into_iter().map(|at| at.to_le_bytes()[0]).collect();
        Op::Variant(VariantOp { members: members.iter().map(|(_, ty)| self.op(ty)).collect(), attempts })
    }

    fn tuple(&mut self, elements: &[TupleElement]) -> Op {
        let ops: Vec<TupleElementOp> = elements
            .iter()
            .map(|element| {
                let name = element.name.as_deref().unwrap_or_default();
                let plain = !name.contains(['"', '\\']);
                let literal = plain.then(|| Literal::new(format!("\"{name}\":").as_bytes())).flatten();
                TupleElementOp { name: name.into(), literal, op: self.op(&element.ty) }
            })
            .collect();
        let named = elements.first().is_some_and(|element| element.name.is_some());
        let names = if named {
            ops.iter().enumerate().map(|(at, element)| (element.name.as_bytes().into(), at)).collect()
        } else {
            std::collections::HashMap::new()
        };
        Op::Tuple(TupleOp { named, elements: ops, names })
    }
}
