//! What the databases mean by the codes of their errors.

use super::Trouble;

/// What PostgreSQL calls it: `serialization_failure` and `deadlock_detected`. Nothing of the transaction has come about then, also where it was at
/// its end: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const BROKEN_OFF: [&str; 2] = ["40001", "40P01"];

/// `lock_not_available`: it was waited for as long as the session may.
const KEPT_WAITING: &str = "55P03";

/// Classes of PostgreSQL's codes: data that it does not take, a constraint that is violated, a limit that is exceeded.
const FOR_GOOD: [&str; 3] = ["22", "23", "54"];
/// The length of PostgreSQL's codes; those of SQLite are shorter.
const SQLSTATE_LENGTH: usize = 5;
/// The same of SQLite, `SQLITE_TOOBIG`, `SQLITE_CONSTRAINT`, `SQLITE_MISMATCH` and `SQLITE_RANGE`: <https://www.sqlite.org/rescode.html>.
const FOR_GOOD_IN_SQLITE: [u32; 4] = [18, 19, 20, 25];

/// Whether the database has broken a transaction off for the sake of another one.
pub(super) fn is_broken_off(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| BROKEN_OFF.contains(&code.as_str()))
}

/// Whether the database has broken a transaction off since another one had a lock for too long.
pub(super) fn is_kept_waiting(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == KEPT_WAITING)
}

/// Whether the same call would be refused however often it is repeated.
pub(super) fn is_for_good(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::Encode(_)) {
        return true;
    }
    let Some(code) = code(error) else { return false };
    if code.len() == SQLSTATE_LENGTH {
        return FOR_GOOD.iter().any(|class| code.starts_with(class));
    }
    // The lowest byte says what it is, the others say more.
    code.parse::<u32>().is_ok_and(|code| FOR_GOOD_IN_SQLITE.contains(&(code & 0xff)))
}

/// What keeps the database from writing, where that is neither the call's fault nor another one's.
pub(super) fn trouble(error: &sqlx::Error) -> Option<Trouble> {
    let code = code(error)?;
    if code.len() == SQLSTATE_LENGTH {
        // `disk_full`, `read_only_sql_transaction`, as of a server that is another one's replica, `io_error`, `data_corrupted`, `index_corrupted`.
        return match code.as_str() {
            "53100" => Some(Trouble::Full),
            "25006" => Some(Trouble::ReadOnly),
            "58030" => Some(Trouble::Disk),
            "XX001" | "XX002" => Some(Trouble::Damaged),
            _ => None,
        };
    }
    // `SQLITE_FULL`, `SQLITE_READONLY`, `SQLITE_IOERR`, `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
    match code.parse::<u32>().ok()? & 0xff {
        13 => Some(Trouble::Full),
        8 => Some(Trouble::ReadOnly),
        10 => Some(Trouble::Disk),
        11 | 26 => Some(Trouble::Damaged),
        _ => None,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
