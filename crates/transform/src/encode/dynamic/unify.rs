//! One kind for values of several kinds, as ClickHouse finds it when it infers types from JSON
//! (`transformInferredJSONTypesIfNeeded` in its `SchemaInferenceUtils.cpp`).

use std::rc::Rc;

use super::kind::{Aligned, Budget, Kind, Node, Object, Run, Tree, are_same, push_run, size, size_of_copy};
use super::settle::check_name;
use crate::encode::fault::Fault;

/// Changes the kinds to one where they have one in common. Where they have none, some may still change.
pub(super) fn unify(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    if has(kinds, |kind| matches!(kind, Kind::Nullable(_))) {
        unify_nullable(kinds, budget)?;
        return unify_containers(kinds, budget);
    }
    if has(kinds, |kind| matches!(kind, Kind::Array(_))) {
        if kinds.iter().all(|kind| matches!(kind, Kind::Array(_))) {
            unify_elements(kinds, budget)?;
        }
        return unify_containers(kinds, budget);
    }
    if has(kinds, |kind| matches!(kind, Kind::Mixed(_) | Kind::Named(_))) {
        unify_places(kinds, budget)?;
        return unify_containers(kinds, budget);
    }
    unify_scalars(kinds, budget)
}

fn has(kinds: &[Kind], is_so: impl Fn(&Kind) -> bool) -> bool {
    kinds.iter().any(is_so)
}

fn replace(
    kinds: &mut [Kind],
    is_so: impl Fn(&Kind) -> bool,
    by: &Kind,
    budget: &mut Budget,
) -> Result<(), Fault> {
    let more = size_of_copy(by) - 1;
    for kind in kinds.iter_mut().filter(|kind| is_so(kind)) {
        budget.take(more)?;
        *kind = by.clone();
    }
    Ok(())
}

/// Nullable ones and others: what is inside becomes one.
fn unify_nullable(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    let mut inner = Vec::with_capacity(kinds.len());
    let mut nullable = Vec::with_capacity(kinds.len());
    for kind in kinds.iter_mut() {
        let (is_nullable, kind) = match std::mem::replace(kind, Kind::Nothing) {
            Kind::Nullable(inner) => (true, *inner),
            kind => (false, kind),
        };
        nullable.push(is_nullable);
        inner.push(kind);
    }
    unify(&mut inner, budget)?;
    for ((kind, inner), is_nullable) in kinds.iter_mut().zip(inner).zip(nullable) {
        *kind = if is_nullable && inner.can_be_null() { Kind::Nullable(Box::new(inner)) } else { inner };
    }
    Ok(())
}

/// Arrays: their elements become one.
fn unify_elements(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    let mut elements: Vec<Kind> = kinds
        .iter_mut()
        .map(|kind| match std::mem::replace(kind, Kind::Nothing) {
            Kind::Array(element) => *element,
            kind => kind,
        })
        .collect();
    unify(&mut elements, budget)?;
    for (kind, element) in kinds.iter_mut().zip(elements) {
        *kind = Kind::Array(Box::new(element));
    }
    Ok(())
}

/// Mixed arrays of one length: the elements at each place become one.
fn unify_places(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    let lists: Option<Vec<&[Run]>> =
        kinds.iter().map(|kind| if let Kind::Mixed(runs) = kind { Some(&**runs) } else { None }).collect();
    let Some(lists) = lists else { return Ok(()) };
    if lists.iter().any(|runs| length(runs) != length(lists[0])) {
        return Ok(());
    }
    let mut unified: Vec<Vec<Run>> = lists.iter().map(|_| Vec::new()).collect();
    let mut aligned = Aligned::new(&lists);
    while let Some((place, count)) = aligned.next() {
        let mut place = budget.copy(place)?;
        unify(&mut place, budget)?;
        for (runs, kind) in unified.iter_mut().zip(place) {
            push_run(runs, kind, count);
        }
    }
    for (kind, runs) in kinds.iter_mut().zip(unified) {
        *kind = Kind::Mixed(runs.into());
    }
    Ok(())
}

/// Kinds of which none is nullable, an array or mixed.
fn unify_scalars(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    if let Some(first) = kinds.iter().find(|kind| !matches!(kind, Kind::Nothing)).cloned() {
        replace(kinds, |kind| matches!(kind, Kind::Nothing), &first, budget)?;
    }
    if has(kinds, |kind| matches!(kind, Kind::UInt)) {
        replace(kinds, |kind| matches!(kind, Kind::Int { is_negative: false }), &Kind::UInt, budget)?;
    }
    let is_integer = |kind: &Kind| matches!(kind, Kind::Int { .. } | Kind::UInt);
    if has(kinds, |kind| matches!(kind, Kind::Float)) {
        replace(kinds, is_integer, &Kind::Float, budget)?;
    }
    unify_dates(kinds, budget)?;
    if has(kinds, |kind| matches!(kind, Kind::Bool)) {
        let other = [Kind::Int { is_negative: false }, Kind::UInt, Kind::Float, Kind::String]
            .into_iter()
            .find(|other| has(kinds, |kind| kind.is(other)));
        if let Some(other) = other {
            // ClickHouse finds the Bools by the names of all kinds, and some have none.
            kinds.iter().try_for_each(|kind| check_name(kind, budget))?;
            replace(kinds, |kind| matches!(kind, Kind::Bool), &other, budget)?;
        }
    }
    unify_objects(kinds, budget)
}

/// Dates and moments become the finest of them; beside anything else they are texts.
fn unify_dates(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    let is_date = |kind: &Kind| matches!(kind, Kind::Date | Kind::DateTime | Kind::DateTime64);
    if !has(kinds, is_date) {
        return Ok(());
    }
    let finest = if !kinds.iter().all(is_date) {
        Kind::String
    } else if has(kinds, |kind| matches!(kind, Kind::DateTime64)) {
        Kind::DateTime64
    } else if has(kinds, |kind| matches!(kind, Kind::DateTime)) {
        Kind::DateTime
    } else {
        Kind::Date
    };
    replace(kinds, is_date, &finest, budget)
}

/// Objects become one with the keys of all.
fn unify_objects(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    let mut all: Option<Object> = None;
    for kind in kinds.iter() {
        let Kind::Object(object) = kind else { continue };
        match &mut all {
            Some(all) => {
                let mut merge = Merge::default();
                merge.tree(&mut all.tree, &object.tree, budget)?;
                all.is_unclear |= object.is_unclear || merge.clashes && merge.changes > 1;
            }
            None => {
                budget.take(size(kind))?;
                all = Some(Object::clone(object));
            }
        }
    }
    let Some(all) = all else { return Ok(()) };
    replace(kinds, |kind| matches!(kind, Kind::Object(_)), &Kind::Object(Rc::new(all)), budget)
}

/// What the merging of one object into others did. ClickHouse gives up at the first key whose values have no kind in
/// common, and which of the other keys came before it depends on a hash: then only one change is no guess.
#[derive(Debug, Default)]
struct Merge {
    clashes: bool,
    changes: usize,
}

impl Merge {
    fn tree(&mut self, all: &mut Tree, other: &Tree, budget: &mut Budget) -> Result<(), Fault> {
        for (key, node) in other {
            let into: &mut Node = all.entry(key.clone()).or_default();
            match (&mut into.leaf, &node.leaf) {
                (Some(known), Some(kind)) if !known.is(kind) => {
                    self.changes += 1;
                    let mut pair = budget.copy([&*known, kind])?;
                    unify(&mut pair, budget)?;
                    self.clashes |= !are_same(&pair);
                    *known = pair.swap_remove(0);
                }
                (None, Some(kind)) => {
                    self.changes += 1;
                    into.leaf = budget.copy([kind])?.pop();
                }
                _ => {}
            }
            self.tree(&mut into.below, &node.below, budget)?;
        }
        Ok(())
    }
}

/// What is done where containers or nulls are among the kinds.
fn unify_containers(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    if has(kinds, |kind| matches!(kind, Kind::Nullable(_))) {
        for kind in kinds.iter_mut().filter(|kind| kind.can_be_null()) {
            *kind = Kind::Nullable(Box::new(std::mem::replace(kind, Kind::Nothing)));
        }
    }
    if let Some(last) = kinds.iter().rfind(|kind| !kind.is_nothing()).cloned() {
        replace(kinds, Kind::is_nothing, &last, budget)?;
    }
    if has(kinds, |kind| matches!(kind, Kind::Named(_))) {
        return Ok(());
    }
    for kind in kinds.iter_mut() {
        let Kind::Mixed(runs) = kind else { continue };
        if let Some(last) = runs.last()
            && runs.iter().all(|run| run.kind.is(&last.kind))
        {
            *kind = Kind::Array(Box::new(last.kind.clone()));
        }
    }
    if has(kinds, |kind| matches!(kind, Kind::Mixed(_))) {
        unify_mixed(kinds, budget)?;
    }
    Ok(())
}

/// Arrays of which some are mixed: one kind for the elements of all, or each element by itself.
fn unify_mixed(kinds: &mut [Kind], budget: &mut Budget) -> Result<(), Fault> {
    let mut elements = Vec::new();
    let mut has_arrays = false;
    let mut lengths = Vec::new();
    for kind in kinds.iter() {
        match kind {
            Kind::Array(element) => {
                has_arrays = true;
                elements.extend(budget.copy([&**element])?);
            }
            Kind::Mixed(runs) => {
                lengths.push(length(runs));
                elements.extend(budget.copy(runs.iter().map(|run| &run.kind))?);
            }
            _ => {}
        }
    }
    let mut element = Kind::Dynamic;
    // ClickHouse does not look into mixed arrays of several lengths where there is no other array.
    if has_arrays || lengths.windows(2).all(|pair| pair[0] == pair[1]) {
        without_repetitions(&mut elements);
        unify(&mut elements, budget)?;
        if are_same(&elements) {
            element = elements.pop().unwrap_or(Kind::Nothing);
        }
    }
    let array = Kind::Array(Box::new(element));
    replace(kinds, |kind| matches!(kind, Kind::Array(_) | Kind::Mixed(_)), &array, budget)
}

/// Kinds of which repetitions are looked for, at most.
const REPETITIONS_LIST_MAX: usize = 64;

/// Keeps the first of what is alike, and the last of all: which ones there are, which is the first and which the last
/// is all that counts. Without it each level of nulls beside arrays would double the list.
fn without_repetitions(kinds: &mut Vec<Kind>) {
    if kinds.len() > REPETITIONS_LIST_MAX {
        return;
    }
    let Some(last) = kinds.iter().rfind(|kind| !kind.is_nothing()).cloned() else { return };
    let mut kept: Vec<Kind> = Vec::with_capacity(kinds.len());
    for kind in kinds.drain(..) {
        if !kept.iter().any(|one| one.is(&kind) && one.has_signs_of(&kind)) {
            kept.push(kind);
        }
    }
    kept.push(last);
    *kinds = kept;
}

fn length(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.count).sum()
}
