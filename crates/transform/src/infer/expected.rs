//! Columns that records are said to have, as by their schema, beside what samples show.

use std::collections::HashMap;

use super::clash::Clash;
use super::mark::Mark;
use super::node::{Field, Objects};
use super::trial::Trial;
use crate::columns::{Column, Columns};
use crate::encode::Cursor;
use crate::plan::{Op, Plan, PlanError, PlanOptions};
use crate::types::DataType;
use crate::zone::TimeZone;

/// A column that records are said to have, as by their schema.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExpectedColumn {
    /// Its name, which is the key that fills it.
    pub name: String,
    /// Its type. Times are in UTC.
    pub ty: DataType,
    /// What says so, for the column's reason.
    pub reason: String,
    /// Whether the type goes before what samples show. Otherwise it is for a column that no sample has.
    pub is_certain: bool,
}

impl ExpectedColumn {
    /// A column whose type goes before what samples show, as long as all of them fit it.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: DataType, reason: impl Into<String>) -> ExpectedColumn {
        ExpectedColumn { name: name.into(), ty, reason: reason.into(), is_certain: true }
    }

    /// The same column, whose type samples know better.
    #[must_use]
    pub fn unless_seen(mut self) -> ExpectedColumn {
        self.is_certain = false;
        self
    }
}

/// One of them, and what samples say of it.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) column: ExpectedColumn,
    op: Op,
    /// The first sample that does not fit the type.
    pub(super) otherwise: Option<Mark>,
    /// A sample has it, and there was no room for one more column.
    has_no_place: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ExpectedColumns {
    all: Vec<Expected>,
    by_key: HashMap<Box<[u8]>, usize>,
}

impl ExpectedColumns {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// One more. The last one of a name counts.
    pub(super) fn push(&mut self, column: ExpectedColumn) -> Result<(), PlanError> {
        let columns = Columns::new(vec![Column::new(column.name.as_str(), column.ty.clone())]);
        let plan = Plan::compile(&columns, &PlanOptions::default())?;
        let not_supported = |reason| PlanError::NotSupported {
            column: column.name.clone(),
            ty: column.ty.to_string(),
            reason,
        };
        if plan.zones.iter().any(|zone| *zone != TimeZone::UTC) {
            return Err(not_supported("the times of expected columns are in UTC"));
        }
        let mut fields = plan.fields.into_iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(not_supported("an expected column is one column"));
        };
        self.by_key.insert(column.name.as_bytes().into(), self.all.len());
        self.all.push(Expected { column, op: field.op, otherwise: None, has_no_place: false });
        Ok(())
    }

    pub(super) fn of(&self, key: &[u8]) -> Option<&Expected> {
        self.by_key.get(key).and_then(|at| self.all.get(*at))
    }

    /// Notes whether the value at the cursor, which stands under the key, fits. Of nulls it is known elsewhere.
    pub(super) fn note(&mut self, key: &[u8], c: &Cursor<'_>, trial: &mut Trial, mark: Mark) {
        let Some(expected) = self.by_key.get(key).and_then(|at| self.all.get_mut(*at)) else { return };
        let is_open = expected.column.is_certain && expected.otherwise.is_none() && c.peek() != b'n';
        if is_open && !trial.fits(&expected.op, c) {
            expected.otherwise = Some(mark);
        }
    }

    /// Notes that a sample has the key, and that no column could be made of it.
    pub(super) fn has_no_place(&mut self, key: &[u8]) {
        if let Some(expected) = self.by_key.get(key).and_then(|at| self.all.get_mut(*at)) {
            expected.has_no_place = true;
        }
    }

    /// Those that no sample has, in their order.
    pub(super) fn unseen<'e>(&'e self, seen: &'e Objects) -> impl Iterator<Item = &'e Expected> {
        let is_last = |at: usize, it: &Expected| self.by_key.get(it.column.name.as_bytes()) == Some(&at);
        let all = self.all.iter().enumerate().filter(move |(at, it)| is_last(*at, it) && !it.has_no_place);
        all.map(|(_, it)| it).filter(|it| seen.find(it.column.name.as_bytes(), usize::MAX).is_none())
    }
}

impl Expected {
    /// Whether its name is that of a part of one of these, or the other way round.
    pub(super) fn is_beside(&self, fields: &[Field]) -> bool {
        let name = self.column.name.as_bytes();
        let is_below =
            |inner: &[u8], outer: &[u8]| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(b"."));
        fields.iter().any(|field| is_below(&field.key, name) || is_below(name, &field.key))
    }

    /// Whether ClickHouse would take it and another column for parts of one, if it is stored in parts.
    pub(super) fn clashes(&self, fields: &[Field], others: &ExpectedColumns) -> bool {
        let name = self.column.name.as_bytes();
        let is_below = |other: &[u8]| other.strip_prefix(name).is_some_and(|rest| rest.starts_with(b"."));
        let is_in_parts =
            matches!(self.column.ty, DataType::Array(_) | DataType::Map(..) | DataType::Tuple(_));
        let mut keys = fields.iter().map(|field| &*field.key).chain(others.by_key.keys().map(|key| &**key));
        is_in_parts && (name.contains(&b'.') || keys.any(is_below))
    }

    /// Whether what samples show of the other columns leaves it its type.
    pub(super) fn is_free(&self, clash: Clash, fields: &[Field], others: &ExpectedColumns) -> bool {
        clash == Clash::None && !self.clashes(fields, others)
    }
}
