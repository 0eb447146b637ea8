//! The table of inferred columns: what the pipe file says of it, and what is proposed for the rest.

use housepipe_transform::Inferred;

use crate::pipe_file::{ManagedTable, PipeDraft, TableLines, unwritable};

const OF_FILE: &str = "as the pipe file says";

/// Of a key with columns that are left out.
const NOT_WRITABLE: &str = "a column that would be part of it has a name that a pipe file cannot hold";

/// How the table is made, with the reasons.
pub(super) fn lines(draft: Option<&PipeDraft>, inferred: &Inferred) -> TableLines {
    let of_file = draft.and_then(|draft| draft.file().destination.managed_table.clone());
    let ManagedTable { engine, order_by, partition_by, ttl, settings } =
        of_file.unwrap_or_else(|| ManagedTable {
            engine: "MergeTree".to_owned(),
            order_by: Vec::new(),
            partition_by: None,
            ttl: None,
            settings: Vec::new(),
        });
    let is_writable = |key: &String| unwritable(key).is_none();
    let (order_by, order_by_comment) = if !order_by.is_empty() {
        (order_by, OF_FILE)
    } else if inferred.order_by.iter().all(is_writable) {
        (inferred.order_by.clone(), &*inferred.order_by_reason)
    } else {
        (inferred.order_by.iter().filter(|key| is_writable(key)).cloned().collect(), NOT_WRITABLE)
    };
    let proposed = inferred.partition_by.as_ref().map(ToString::to_string);
    let (partition_by, partition_by_comment) = match partition_by {
        Some(key) => (Some(key), OF_FILE),
        None if proposed.as_ref().is_none_or(is_writable) => (proposed, &*inferred.partition_by_reason),
        None => (None, NOT_WRITABLE),
    };
    TableLines {
        engine,
        order_by,
        order_by_comment: order_by_comment.to_owned(),
        partition_by,
        partition_by_comment: partition_by_comment.to_owned(),
        ttl,
        settings,
    }
}
