//! What exactly-once delivery needs of ClickHouse beside tables that remember tokens: rights to look back, and sessions.

use housepipe_ch_sink::{GrantProblem, Sink, SinkError, TableColumn};
use housepipe_transform::Column;

use super::{Check, Verdict};
use crate::pipe::provision::error_table;
use crate::pipe_file::PipeFile;
use crate::target::{is_of_one_server, may_be_filled};

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// The check that finds it.
    name: &'static str,
    pub(crate) problem: String,
    pub(crate) mend: String,
}

const RIGHTS: &str = "grants to look back";
const SESSIONS: &str = "sessions";

/// What stands in the way of a table of this engine that is filled in these columns; `known` are those that the table has, none where it
/// is not there yet.
pub(crate) async fn obstacles(
    sink: &Sink,
    file: &PipeFile,
    engine: &str,
    columns: &[Column],
    known: &[TableColumn],
) -> Result<Vec<Obstacle>, SinkError> {
    let mut problems = Vec::new();
    let mut obstacles = Vec::new();
    if is_of_one_server(engine) {
        // What the server fills is not looked for.
        let compared = || columns.iter().filter(|column| !may_be_filled(column, known));
        let names: Vec<String> = compared().map(|column| column.name.clone()).collect();
        let types: Vec<String> = compared().map(|column| column.ty.to_string()).collect();
        problems.extend(sink.rows_check(&file.destination.table, &names, &types).await?);
        obstacles.extend(sink.session_fault().await?.map(|fault| Obstacle {
            name: SESSIONS,
            problem: fault.to_string(),
            mend: fault.mend(),
        }));
    }
    if file.error_table.enabled {
        problems.extend(sink.error_rows_check(&error_table(file)).await?);
    }
    problems.extend(sink.parts_check().await?);
    for GrantProblem { table, privilege, detail, statement, .. } in problems {
        let mend = statement.unwrap_or_else(|| "GRANT what it names to this user".to_owned());
        // Two looks may lack the same right.
        if obstacles.iter().all(|known| known.mend != mend) {
            let problem =
                format!("this user cannot look for rows of `{table}`, for want of {privilege}: {detail}");
            obstacles.push(Obstacle { name: RIGHTS, problem, mend });
        }
    }
    Ok(obstacles)
}

/// The checks: one of each kind that is in order, and one for each obstacle.
pub(super) fn verdicts(found: Result<Vec<Obstacle>, SinkError>) -> Vec<Check> {
    let obstacles = match found {
        Ok(obstacles) => obstacles,
        Err(error) => {
            let detail = crate::error::explain(&error);
            return vec![Check { name: RIGHTS, verdict: Verdict::Failed, detail }];
        }
    };
    let mut checks = Vec::new();
    for (name, in_order) in [
        (RIGHTS, "rows can be looked for after a server was killed"),
        (SESSIONS, "an insert comes to the server that was looked at"),
    ] {
        let of_this = obstacles.iter().filter(|obstacle| obstacle.name == name);
        let failed = of_this.map(|Obstacle { problem, mend, .. }| Check {
            name,
            verdict: Verdict::Failed,
            detail: format!("exactly once cannot hold: {problem}; to mend it: {mend}"),
        });
        let before = checks.len();
        checks.extend(failed);
        if checks.len() == before {
            checks.push(Check { name, verdict: Verdict::Ok, detail: in_order.to_owned() });
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_in_order_or_names_what_is_not() {
        let seen = |obstacles: Vec<Obstacle>| -> Vec<(&str, Verdict)> {
            verdicts(Ok(obstacles)).iter().map(|check| (check.name, check.verdict)).collect()
        };
        assert_eq!(seen(Vec::new()), [(RIGHTS, Verdict::Ok), (SESSIONS, Verdict::Ok)]);
        let of = |name| Obstacle { name, problem: "p".to_owned(), mend: "m".to_owned() };
        assert_eq!(
            seen(vec![of(RIGHTS), of(RIGHTS)]),
            [(RIGHTS, Verdict::Failed), (RIGHTS, Verdict::Failed), (SESSIONS, Verdict::Ok)]
        );
        assert_eq!(seen(vec![of(SESSIONS)]), [(RIGHTS, Verdict::Ok), (SESSIONS, Verdict::Failed)]);
    }
}
