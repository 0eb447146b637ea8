//! Who asked for which change, and what came of it.

use sqlx::any::AnyRow;
use sqlx::{Connection as _, Row};

use super::{Role, Store, StoreError, damaged, now_ms, storable};

/// Entries that are kept, at most; the oldest go first.
const KEPT_MAX: i64 = 100_000;
/// Entries that one answer holds, at most.
pub const AUDIT_AT_ONCE_MAX: i64 = 1_000;

/// A change that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name of the token.
    pub actor: String,
    /// Its role at that time.
    pub role: Role,
    /// The address that the call came from, as this process saw it: that of a proxy where there is one.
    pub peer: Option<String>,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// What it was about, where the path does not say it and it was done: the pipe or the token that was made, and what goes with a pipe.
    pub detail: Option<String>,
}

/// The same as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Counted from 1.
    pub number: i64,
    /// When it was answered, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was asked for.
    pub asked: Asked,
}

impl Store {
    /// Writes down what was asked for.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn note(&self, asked: &Asked) -> Result<(), StoreError> {
        self.connections.in_time(|mut connection| async move {
            let mut transaction = connection.begin().await?;
            let row = sqlx::query("UPDATE housepipe_store SET last_audit = last_audit + 1 RETURNING last_audit")
                .fetch_one(&mut *transaction)
                .await?;
            let number: i64 = row.try_get(0)?;
            sqlx::query(
                "INSERT INTO audit (number, at_ms, actor, role, peer, method, path, status, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(number)
            .bind(now_ms())
            .bind(storable(&asked.actor))
            .bind(asked.role.as_str())
            .bind(asked.peer.as_deref().map(storable))
            .bind(storable(&asked.method))
            .bind(storable(&asked.path))
            .bind(i64::from(asked.status))
            .bind(asked.detail.as_deref().map(storable))
            .execute(&mut *transaction)
            .await?;
            sqlx::query("DELETE FROM audit WHERE number <= $1")
                .bind(number - KEPT_MAX)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Entries behind number `after`, in their order, at most [`AUDIT_AT_ONCE_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] of the database, or of a row that cannot be read.
    pub async fn audit(&self, after: i64, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let rows = sqlx::query(
                "SELECT number, at_ms, actor, role, peer, method, path, status, detail FROM audit WHERE number > $1 ORDER BY number LIMIT $2",
            )
            .bind(after)
            .bind(limit.clamp(0, AUDIT_AT_ONCE_MAX))
            .fetch_all(&mut *connection)
            .await?;
            rows.iter().map(entry).collect()
        })
        .await
    }

    /// Entries before number `before`, the newest first, at most [`AUDIT_AT_ONCE_MAX`].
    ///
    /// # Errors
    /// As [`Store::audit`].
    pub async fn audit_before(&self, before: i64, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let rows = sqlx::query(
                "SELECT number, at_ms, actor, role, peer, method, path, status, detail FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2",
            )
            .bind(before)
            .bind(limit.clamp(0, AUDIT_AT_ONCE_MAX))
            .fetch_all(&mut *connection)
            .await?;
            rows.iter().map(entry).collect()
        })
        .await
    }
}

fn entry(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    let (number, word, status): (i64, String, i64) =
        (row.try_get("number")?, row.try_get("role")?, row.try_get("status")?);
    let what = format!("the audit's entry {number}");
    let asked = Asked {
        actor: row.try_get("actor")?,
        role: super::tokens::role_of(&what, &word)?,
        peer: row.try_get("peer")?,
        method: row.try_get("method")?,
        path: row.try_get("path")?,
        status: u16::try_from(status).map_err(|error| damaged(&what, &error))?,
        detail: row.try_get("detail")?,
    };
    Ok(AuditEntry { number, at_ms: row.try_get("at_ms")?, asked })
}
