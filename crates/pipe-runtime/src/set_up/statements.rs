//! The statements that a start may run, before it runs them.

use housepipe_ch_sink::quote_identifier;
use serde::Serialize;

use super::user::OwnUser;
use crate::error::PipeError;
use crate::pipe::provision::{create_table, error_table};
use crate::pipe_file::PipeFile;

/// A statement for ClickHouse, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// What it is for, such as ``the creation of `clicks` ``.
    pub purpose: String,
    /// Who runs it.
    pub user: String,
    /// The statement, without secrets: `'…'` stands for the hash of a password and its salt.
    pub sql: String,
}

/// What a pipe that is defined for the first time runs at its destination, in this order. A table that must exist, and one that does, is not
/// created.
///
/// ```
/// use housepipe_runtime::{PipeFile, statements};
///
/// let file = PipeFile::parse(
///     "name: clicks\n\
///      source: { type: kafka, brokers: 'localhost:9092', topic: clicks }\n\
///      destination:\n  \
///        url: http://localhost:8123\n  \
///        table: clicks\n  \
///        username: housepipe_clicks\n  \
///        password: hunter2\n  \
///        setup: { username: admin, password: hunter3 }\n  \
///        access: only_destination\n",
///     "pipe.yaml",
/// )?;
/// let statements = statements(&file)?;
/// assert_eq!(statements[1].purpose, "the creation of the user `housepipe_clicks`");
/// assert!(statements.iter().all(|it| it.user == "admin" && !it.sql.contains("hunter")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`PipeError::Sink`] where a part of the table's definition is not what it should be.
pub fn statements(file: &PipeFile) -> Result<Vec<Statement>, PipeError> {
    let destination = &file.destination;
    let user = destination.set_up.as_ref().map_or(&destination.username, |set_up| &set_up.username);
    let statement = |purpose: String, sql: String| Statement { purpose, user: user.clone(), sql };
    let mut statements = Vec::new();
    if let Some(create) = create_table(destination) {
        create.check()?;
        statements
            .push(statement(format!("the creation of {}", quote_identifier(&create.name)), create.sql()));
    }
    if file.error_table.enabled {
        let table = error_table(file);
        statements
            .push(statement(format!("the creation of {}", quote_identifier(table.name())), table.sql()));
    }
    if let Some(own) = OwnUser::of(file) {
        for made in [own.create(), own.grant()] {
            statements.push(statement(made.purpose().to_owned(), made.sql().to_owned()));
        }
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    const FILE: &str = "name: clicks
source: { type: kafka, brokers: 'localhost:9092', topic: clicks }
destination:
  url: http://localhost:8123
  database: analytics
  table: clicks
";
    const OWN: &str = "  username: housepipe_clicks\n  password: hunter2\n  setup: { username: admin, password: hunter3 }\n";
    const TABLE: &str = "  managed_table:
    engine: ENGINE
    order_by: [id]
    partition_by: toYYYYMM(ts)
    ttl: ts + INTERVAL 30 DAY
    settings: { index_granularity: 1024, storage_policy: hot }
  columns: 'id UInt64, ts DateTime'
";

    fn text(file: &str) -> String {
        let file = PipeFile::parse(file, "p.yaml").unwrap();
        let line =
            |Statement { purpose, user, sql }: &Statement| format!("-- {purpose}, by {user}\n{sql};\n\n");
        statements(&file).unwrap().iter().map(line).collect()
    }

    /// Of these, the local engine runs none that names a cluster, Keeper or a user: a test of ch-sink has it parse them.
    #[test]
    fn statements_are_as_published() {
        let with = |lines: &str, more: &str| text(&format!("{FILE}{lines}{more}"));
        let table = |engine: &str| TABLE.replace("ENGINE", engine);
        let cluster = "  on_cluster: '{cluster}'\n";
        let all = [
            ("a table that exists", with("", "")),
            ("a new table", with(&table("MergeTree"), "error_table: { enabled: false }\n")),
            ("a user of its own", with(&format!("{OWN}  access: only_destination\n"), "")),
            (
                "a user of its own, exactly once",
                with(&format!("{OWN}  access: only_destination\n"), "delivery: exactly_once\n"),
            ),
            ("full access", with(&format!("{OWN}  access: full\n"), "error_table: { enabled: false }\n")),
            (
                "a role",
                with(&format!("{OWN}  access: {{ role: loaders }}\n"), "error_table: { enabled: false }\n"),
            ),
            (
                "everything on a cluster",
                with(
                    &format!(
                        "{}{OWN}  access: only_destination\n{cluster}",
                        table("ReplicatedMergeTree('/t/{shard}', '{replica}')")
                    ),
                    "",
                ),
            ),
            (
                "a role on a cluster",
                with(
                    &format!("{OWN}  access: {{ role: loaders }}\n{cluster}"),
                    "error_table: { enabled: false }\n",
                ),
            ),
            ("ClickHouse Cloud", with(&table("SharedMergeTree"), "error_table: { enabled: false }\n")),
        ];
        let all: String = all.iter().map(|(title, text)| format!("---- {title}\n\n{text}")).collect();
        assert!(!all.contains("hunter"), "{all}");
        expect_file!["../../../../testdata/goldens/statements.sql"].assert_eq(&all);
    }

    #[test]
    fn a_definition_that_reaches_out_of_its_place_is_refused() {
        let file = format!("{FILE}{}", TABLE.replace("ENGINE", "MergeTree() AS SELECT 1"));
        let error = statements(&PipeFile::parse(&file, "p.yaml").unwrap()).unwrap_err();
        assert!(error.to_string().contains("engine"), "{error}");
    }
}
