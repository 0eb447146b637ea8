//! From a kind to a type: its name in binary, and the operation that encodes its values.

use std::rc::Rc;

use super::kind::{Budget, Kind, Object, Tree, are_same};
use super::unify::unify;
use crate::encode::fault::Fault;
use crate::encode::temporal::NANOSECONDS;
use crate::plan::{IntKind, Op, TupleElementOp, TupleOp, push_length};
use crate::reject::RejectCode;

/// Settles what is open, as ClickHouse does at the end of a value (`transformFinalInferredJSONTypeIfNeeded`). While it
/// is not known whether a mixed array is one, its empty elements stay open.
pub(super) fn settle(kind: Kind, stays_open: bool, budget: &mut Budget) -> Result<Kind, Fault> {
    Ok(match kind {
        Kind::Nothing if !stays_open => Kind::String,
        Kind::Nullable(inner) => Kind::Nullable(Box::new(settle(*inner, stays_open, budget)?)),
        Kind::Array(element) => Kind::Array(Box::new(settle(*element, stays_open, budget)?)),
        Kind::Object(object) if object.tree.is_empty() => Kind::String,
        Kind::Object(object) => settle(named(Rc::unwrap_or_clone(object), budget)?, stays_open, budget)?,
        Kind::Named(elements) => Kind::Named(
            elements
                .into_iter()
                .map(|(name, kind)| Ok((name, settle(kind, stays_open, budget)?)))
                .collect::<Result<_, Fault>>()?,
        ),
        Kind::Mixed(runs) => {
            let kinds: Vec<Kind> = runs.into_vec().into_iter().map(|run| run.kind).collect();
            let mut tried = budget.copy(&kinds)?;
            unify(&mut tried, budget)?;
            if are_same(&tried) {
                let element = tried.pop().unwrap_or(Kind::Nothing);
                return settle(Kind::Array(Box::new(element)), false, budget);
            }
            let mut settled =
                kinds.into_iter().map(|kind| settle(kind, true, budget)).collect::<Result<Vec<_>, _>>()?;
            unify(&mut settled, budget)?;
            let element =
                if are_same(&settled) { settled.pop().unwrap_or(Kind::Nothing) } else { Kind::Dynamic };
            Kind::Array(Box::new(element))
        }
        kind => kind,
    })
}

/// An object as a tuple with names.
fn named(object: Object, budget: &Budget) -> Result<Kind, Fault> {
    if object.is_unclear {
        let message = "objects of one array have values of several types at the same key";
        // No member of a Variant is tried after that.
        return Err(budget.fault(RejectCode::TypeMismatch, message).made_final());
    }
    tuple(object.tree, budget)
}

fn tuple(tree: Tree, budget: &Budget) -> Result<Kind, Fault> {
    let mut elements = Vec::with_capacity(tree.len());
    for (name, node) in tree {
        if name.is_empty() {
            let message = "an object with an empty key: ClickHouse has no tuple with such a name";
            return Err(budget.fault(RejectCode::TypeMismatch, message).made_final());
        }
        let kind = match node.leaf {
            Some(leaf) if node.below.is_empty() => leaf,
            Some(leaf) if !leaf.is_nothing() => {
                let message = "an object and another value stand at the same key";
                return Err(budget.fault(RejectCode::TypeMismatch, message));
            }
            _ => tuple(node.below, budget)?,
        };
        elements.push((name, kind));
    }
    Ok(Kind::Named(elements))
}

/// Refuses what has no name to ClickHouse: an empty object whose keys are not known, and what is no tuple.
pub(super) fn check_name(kind: &Kind, budget: &Budget) -> Result<(), Fault> {
    match kind {
        Kind::Object(object) if object.tree.is_empty() => {
            let message = "an empty object in an array beside `true` or `false` and other values has no type";
            // Nor is one tried after this.
            Err(budget.fault(RejectCode::TypeMismatch, message).made_final())
        }
        Kind::Object(object) if object.is_unclear => Ok(()),
        Kind::Object(object) => check_name(&named(Object::clone(object), budget)?, budget),
        Kind::Nullable(inner) | Kind::Array(inner) => check_name(inner, budget),
        Kind::Mixed(runs) => runs.iter().try_for_each(|run| check_name(&run.kind, budget)),
        Kind::Named(elements) => elements.iter().try_for_each(|(_, kind)| check_name(kind, budget)),
        _ => Ok(()),
    }
}

/// Types that a value's type may consist of: ClickHouse reads no more (`input_format_binary_max_type_complexity`).
const TYPES_MAX: usize = 1_000;
/// Types that a column of Dynamic keeps apart from one another, as ClickHouse has it where nothing is said.
const MAX_TYPES: u8 = 32;

/// Writes the type as ClickHouse encodes types in binary
/// (<https://clickhouse.com/docs/sql-reference/data-types/data-types-binary-encoding>).
pub(super) fn write_type(kind: &Kind, budget: &Budget, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut left = TYPES_MAX;
    if write(kind, &mut left, out) {
        return Ok(());
    }
    let message = format!("the type of the value of a Dynamic has more than {TYPES_MAX} parts");
    Err(budget.fault(RejectCode::TooManyFields, message))
}

fn write(kind: &Kind, left: &mut usize, out: &mut Vec<u8>) -> bool {
    let Some(fewer) = left.checked_sub(1) else { return false };
    *left = fewer;
    match kind {
        Kind::Nothing => out.push(0x00),
        Kind::UInt => out.push(0x04),
        Kind::Int { .. } => out.push(0x0A),
        Kind::Float => out.push(0x0E),
        Kind::Date => out.push(0x0F),
        Kind::DateTime => out.push(0x11),
        Kind::DateTime64 => out.extend_from_slice(&[0x13, NANOSECONDS]),
        Kind::Bool => out.push(0x2D),
        Kind::Dynamic => out.extend_from_slice(&[0x2B, MAX_TYPES]),
        Kind::Array(element) => {
            out.push(0x1E);
            return write(element, left, out);
        }
        Kind::Nullable(inner) => {
            out.push(0x23);
            return write(inner, left, out);
        }
        Kind::Named(elements) => {
            out.push(0x20);
            push_length(elements.len(), out);
            return elements.iter().all(|(name, kind)| {
                push_length(name.len(), out);
                out.extend_from_slice(name);
                write(kind, left, out)
            });
        }
        // The others were settled.
        Kind::String | Kind::Mixed(_) | Kind::Object(_) => out.push(0x15),
    }
    true
}

/// The operation for values of the kind.
pub(super) fn op(kind: Kind, zone: usize) -> Op {
    match kind {
        Kind::Int { .. } => Op::Int(IntKind { bytes: 8, signed: true }),
        Kind::UInt => Op::Int(IntKind { bytes: 8, signed: false }),
        Kind::Float => Op::Float64,
        Kind::Bool => Op::Bool,
        Kind::Date => Op::Date,
        Kind::DateTime => Op::DateTime { zone },
        Kind::DateTime64 => Op::DateTime64 { zone, precision: NANOSECONDS },
        Kind::Dynamic => Op::Dynamic { zone },
        Kind::Nullable(inner) => Op::Nullable(Box::new(op(*inner, zone))),
        Kind::Array(element) => Op::Array(Box::new(op(*element, zone))),
        Kind::Named(elements) => {
            let names = elements.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
            let elements = elements.into_iter().map(|(name, kind)| TupleElementOp {
                name: String::from_utf8_lossy(&name).into(),
                literal: None,
                op: op(kind, zone),
            });
            Op::Tuple(TupleOp { named: true, elements: elements.collect(), names })
        }
        Kind::Nothing | Kind::String | Kind::Mixed(_) | Kind::Object(_) => Op::String,
    }
}
