//! Whether ClickHouse would create a table, found out without creating it.
//!
//! Which columns the keys, the TTL and the engine's arguments name, of which types those are, and whether a key may be of
//! them, is known to the server alone, and no `EXPLAIN` of it asks. A temporary table goes through the same checks as any
//! other. It is in no database, has a name that nothing else has, and belongs to the session of its request, which has no
//! other and ends with it. Whoever may create some table may create one.

use crate::ddl::{ColumnDef, CreateTable};
use crate::error::SinkError;
use crate::expression::parts;
use crate::failure::FailureClass;
use crate::grants::ACCESS_DENIED;
use crate::quote::quote_identifier;
use crate::random_name::random_name;
use crate::sink::Sink;

/// What the trial of a definition has come to.
#[derive(Debug)]
pub enum Trial {
    /// ClickHouse would create the table.
    Taken,
    /// It would not, for this reason.
    Refused(SinkError),
    /// It makes no such temporary tables for this user, so that nothing is known of the definition. This is what it said.
    Unknown(SinkError),
}

impl Sink {
    /// Tries whether the server would create `table`. Nothing stays, whatever comes of it.
    ///
    /// # Errors
    /// Any [`SinkError`] that says nothing of the definition, such as a server that does not answer.
    pub async fn try_table(&self, table: &CreateTable) -> Result<Trial, SinkError> {
        if let Err(error) = table.check() {
            return Ok(Trial::Refused(error));
        }
        let operation = format!("the definition of {}", quote_identifier(&table.name));
        let error = match self.execute(&operation, &trial_sql(table, &random_name())).await {
            Ok(()) => return Ok(Trial::Taken),
            Err(error) => error,
        };
        if says_nothing(&error) {
            return Err(error);
        }
        // What the user may do is asked elsewhere.
        if error.code() == Some(ACCESS_DENIED) {
            return Ok(Trial::Unknown(error));
        }
        // The definition is what was refused only where a table with which nothing can be wrong is taken.
        match self.execute("a temporary table", &trial_sql(&plain(), &random_name())).await {
            Ok(()) => Ok(Trial::Refused(error)),
            Err(of_plain) if says_nothing(&of_plain) => Err(of_plain),
            Err(of_plain) => Ok(Trial::Unknown(of_plain)),
        }
    }
}

/// Whether an error is none of ClickHouse's that would come again.
fn says_nothing(error: &SinkError) -> bool {
    error.code().is_none() || error.class() == FailureClass::Retry
}

/// The statement that tries `table` under another name.
fn trial_sql(table: &CreateTable, name: &str) -> String {
    table.statement(
        "CREATE TEMPORARY TABLE",
        &quote_identifier(name),
        &without_replication(table.engine.trim()),
    )
}

/// A table that every server takes which takes temporary ones of the MergeTree family.
fn plain() -> CreateTable {
    CreateTable {
        name: String::new(),
        columns: vec![ColumnDef { name: "n".to_owned(), type_sql: "UInt8".to_owned() }],
        engine: "MergeTree".to_owned(),
        order_by: Vec::new(),
        partition_by: None,
        ttl: None,
        settings: Vec::new(),
        on_cluster: None,
    }
}

/// The engine without replication, which no temporary table may have. Where Keeper has the table says nothing of its keys.
fn without_replication(engine: &str) -> String {
    let replicated = ["Replicated", "Shared"].iter().find_map(|prefix| engine.strip_prefix(prefix));
    let Some(alone) = replicated else { return engine.to_owned() };
    let Some((name, arguments)) = alone.split_once('(') else { return alone.to_owned() };
    // Nothing stands behind the arguments: that was checked.
    let arguments = parts(arguments.strip_suffix(')').unwrap_or(arguments));
    let own = match arguments.as_slice() {
        [path, replica, own @ ..] if path.starts_with('\'') && replica.starts_with('\'') => own,
        all => all,
    };
    format!("{name}({})", own.join(", "))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_trial_is_a_temporary_table_of_another_name() {
        let table = CreateTable {
            name: "clicks".to_owned(),
            engine: "ReplicatedReplacingMergeTree('/t/{shard}', '{replica}', n)".to_owned(),
            order_by: vec!["n".to_owned()],
            partition_by: Some("n % 2".to_owned()),
            ..plain()
        };
        table.check().unwrap();
        expect![[r"
            CREATE TEMPORARY TABLE `odd \`name`
            (
                `n` UInt8
            )
            ENGINE = ReplacingMergeTree(n)
            PARTITION BY (n % 2)
            ORDER BY (`n`)"]]
        .assert_eq(&trial_sql(&table, "odd `name"));
        plain().check().unwrap();
    }

    #[test]
    fn replication_is_left_out_of_engines() {
        for (engine, alone) in [
            ("MergeTree", "MergeTree"),
            ("ReplacingMergeTree(version)", "ReplacingMergeTree(version)"),
            ("Null", "Null"),
            ("ReplicatedMergeTree", "MergeTree"),
            ("ReplicatedMergeTree()", "MergeTree()"),
            ("ReplicatedMergeTree('/t/{shard}', '{replica}')", "MergeTree()"),
            ("ReplicatedSummingMergeTree('/t', 'r', (a, b))", "SummingMergeTree((a, b))"),
            ("ReplicatedReplacingMergeTree(version)", "ReplacingMergeTree(version)"),
            ("SharedMergeTree('/a', '{r}')", "MergeTree()"),
            ("ReplicatedGraphiteMergeTree('/t', 'r', 'rollup')", "GraphiteMergeTree('rollup')"),
        ] {
            assert_eq!(without_replication(engine), alone);
        }
    }
}
