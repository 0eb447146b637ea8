//! The questions about the keys of a new table.

use housepipe_transform::{Column, DataType};

use super::ask::{self, NONE};
use super::columns::typed;
use super::interview::NoAnswer;
use super::session::Session;
use super::source::writable;
use super::words::list;
use crate::error::explain;
use crate::pipe::provision::create_statement;
use crate::pipe_file::{ManagedTable, TableLines};
use crate::shown::shown;

/// Why a key is as it is, where somebody has chosen it.
const BY_HAND: &str = "chosen by hand";

/// Characters of a reason that are shown, at most. It has names of columns in it.
const WHY_WIDTH: usize = 400;

impl Session<'_> {
    /// Sorting key and partitioning.
    pub(super) fn keys(&mut self) -> Result<(), NoAnswer> {
        let Some(mut managed) = self.answers.managed.take() else { return Ok(()) };
        let columns = typed(&self.answers.columns);
        managed.order_by.retain(|key| problem(key, &columns).is_none());
        let default = if managed.order_by.is_empty() { NONE.to_owned() } else { managed.order_by.join(", ") };
        let explanation = format!(
            "The sorting key, by which ClickHouse finds rows: columns or expressions, separated by commas; `-` for none.\n  \
             Proposed: {}.",
            shown(&managed.order_by_comment, WHY_WIDTH)
        );
        let keys = ask::value(self.talk, "Sorting key", &explanation, &default, |text| {
            let keys = match text {
                NONE => Vec::new(),
                // What is proposed is not cut again: a name may have a comma.
                text if text == default => managed.order_by.clone(),
                text => list(text),
            };
            check(&keys, None, &columns).map(|()| keys)
        })?;
        if keys != managed.order_by {
            managed.order_by = keys;
            BY_HAND.clone_into(&mut managed.order_by_comment);
        }
        let default = managed.partition_by.clone().filter(|key| check(&[], Some(key), &columns).is_ok());
        let explanation = format!(
            "The partitioning, by which whole parts of the table can be dropped: an expression; `-` for none.\n  Proposed: {}.",
            shown(&managed.partition_by_comment, WHY_WIDTH)
        );
        let key = ask::value(
            self.talk,
            "Partition by",
            &explanation,
            default.as_deref().unwrap_or(NONE),
            |text| {
                let key = (text != NONE).then(|| text.to_owned());
                check(&[], key.as_ref(), &columns).map(|()| key)
            },
        )?;
        if key != managed.partition_by {
            managed.partition_by = key;
            BY_HAND.clone_into(&mut managed.partition_by_comment);
        }
        self.say_statement(&managed, &columns)?;
        self.answers.managed = Some(managed);
        Ok(())
    }

    fn say_statement(&mut self, managed: &TableLines, columns: &[Column]) -> Result<(), NoAnswer> {
        let managed = ManagedTable {
            engine: managed.engine.clone(),
            order_by: managed.order_by.clone(),
            partition_by: managed.partition_by.clone(),
            ttl: managed.ttl.clone(),
            settings: managed.settings.clone(),
        };
        let create = create_statement(
            &self.answers.table,
            columns.iter().map(|it| (&it.name, &it.ty)),
            &managed,
            None,
        );
        self.talk.say("\nThe pipe will create the table with:")?;
        for line in create.sql().lines() {
            self.talk.say(&format!("  {}", shown(line, 1_000)))?;
        }
        Ok(())
    }
}

/// Whether the keys can be written down, and are keys.
fn check(order_by: &[String], partition_by: Option<&String>, columns: &[Column]) -> Result<(), String> {
    for key in order_by.iter().chain(partition_by) {
        writable(key)?;
    }
    if let Some(problem) = order_by.iter().find_map(|key| problem(key, columns)) {
        return Err(problem);
    }
    let managed = ManagedTable {
        engine: "MergeTree".to_owned(),
        order_by: order_by.to_vec(),
        partition_by: partition_by.cloned(),
        ttl: None,
        settings: Vec::new(),
    };
    let create = create_statement("t", columns.iter().map(|it| (&it.name, &it.ty)), &managed, None);
    create.check().map_err(|error| explain(&error))
}

/// Why a column cannot be part of the sorting key. An expression is left to ClickHouse, which is asked once there are all keys.
fn problem(key: &str, columns: &[Column]) -> Option<String> {
    let is_name = key.chars().all(|c| c.is_alphanumeric() || c == '_');
    match columns.iter().find(|column| column.name == key) {
        Some(column) if is_nullable(&column.ty) => Some(format!(
            "`{key}` may be NULL, and a sorting key may not; take another column, or change its type"
        )),
        Some(_) => None,
        None if is_name => Some(format!("there is no column `{key}`")),
        None => None,
    }
}

/// Whether values of the type may be NULL.
pub(super) fn is_nullable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Nullable(_) => true,
        DataType::LowCardinality(inner) => is_nullable(inner),
        _ => false,
    }
}
