//! What has happened to pipes, in one order.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Any, Connection as _, Row, Transaction};

use super::{Store, StoreError, now_ms, storable};

/// Events that one answer holds, at most.
pub const EVENTS_AT_ONCE_MAX: i64 = 1_000;

/// Events that are kept, at most; the oldest go first.
const KEPT_MAX: i64 = 100_000;

/// What kind of thing has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody defined the pipe.
    Created,
    /// Somebody changed its definition.
    Edited,
    /// Somebody paused it.
    Paused,
    /// Somebody resumed it.
    Resumed,
    /// Somebody removed it; it ends, and is cleaned up after.
    Removed,
    /// Somebody has begun to load records of its error table.
    Replaying,
    /// That has come to its end; the reason says what was loaded.
    Replayed,
    /// Nothing is left of it but its events.
    Gone,
    /// It has come to another stage of its life by itself; the reason begins with its name.
    Stage,
}

impl EventKind {
    /// The kind in a word, as it is stored and serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Created => "created",
            EventKind::Edited => "edited",
            EventKind::Paused => "paused",
            EventKind::Resumed => "resumed",
            EventKind::Removed => "removed",
            EventKind::Replaying => "replaying",
            EventKind::Replayed => "replayed",
            EventKind::Gone => "gone",
            EventKind::Stage => "stage",
        }
    }
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Counted from 1 over all pipes, in the order in which events become visible.
    pub number: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The pipe's id.
    pub pipe: String,
    /// The pipe's name at that time.
    pub pipe_name: String,
    /// Who did it.
    pub actor: String,
    /// What happened: an [`EventKind`] as a word, which may be one of a later version.
    pub kind: String,
    /// Why, or to what.
    pub reason: Option<String>,
}

impl Store {
    /// Events behind number `after`, in their order; of one pipe, or of all. At most [`EVENTS_AT_ONCE_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events(&self, pipe: Option<&str>, after: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let limit = limit.clamp(0, EVENTS_AT_ONCE_MAX);
                let pipe = match pipe {
                    // Such a text is no id, and PostgreSQL refuses it.
                    Some(pipe) if pipe.contains('\0') => return Ok(Vec::new()),
                    pipe => pipe,
                };
                let query = match pipe {
                    Some(pipe) => sqlx::query(
                        "SELECT number, at_ms, pipe, pipe_name, actor, kind, reason FROM events \
                     WHERE number > $1 AND pipe = $3 ORDER BY number LIMIT $2",
                    )
                    .bind(after)
                    .bind(limit)
                    .bind(pipe.to_owned()),
                    None => sqlx::query(
                        "SELECT number, at_ms, pipe, pipe_name, actor, kind, reason FROM events \
                     WHERE number > $1 ORDER BY number LIMIT $2",
                    )
                    .bind(after)
                    .bind(limit),
                };
                let rows = query.fetch_all(&mut *connection).await?;
                rows.iter().map(event).collect()
            })
            .await
    }

    /// Events before number `before`, the newest first; of one pipe, or of all. At most [`EVENTS_AT_ONCE_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events_before(
        &self,
        pipe: Option<&str>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let limit = limit.clamp(0, EVENTS_AT_ONCE_MAX);
                let query = match pipe {
                    // Such a text is no id, and PostgreSQL refuses it.
                    Some(pipe) if pipe.contains('\0') => return Ok(Vec::new()),
                    Some(pipe) => sqlx::query(
                        "SELECT number, at_ms, pipe, pipe_name, actor, kind, reason FROM events \
                     WHERE number < $1 AND pipe = $3 ORDER BY number DESC LIMIT $2",
                    )
                    .bind(before)
                    .bind(limit)
                    .bind(pipe.to_owned()),
                    None => sqlx::query(
                        "SELECT number, at_ms, pipe, pipe_name, actor, kind, reason FROM events \
                     WHERE number < $1 ORDER BY number DESC LIMIT $2",
                    )
                    .bind(before)
                    .bind(limit),
                };
                let rows = query.fetch_all(&mut *connection).await?;
                rows.iter().map(event).collect()
            })
            .await
    }

    /// The number of the last event; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let row =
                    sqlx::query("SELECT last_event FROM housepipe_store").fetch_one(&mut *connection).await?;
                Ok(row.try_get(0)?)
            })
            .await
    }

    /// The number of the oldest event that is kept; none where there is none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn first_event(&self) -> Result<Option<i64>, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let row = sqlx::query("SELECT MIN(number) FROM events").fetch_one(&mut *connection).await?;
                Ok(row.try_get(0)?)
            })
            .await
    }

    /// Tells of something that a pipe came to by itself.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn tell(
        &self,
        pipe: &str,
        name: &str,
        at_ms: i64,
        kind: EventKind,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let mut transaction = connection.begin().await?;
                add_at(&mut transaction, pipe, name, super::pipes::HOUSEPIPE, at_ms, kind, reason).await?;
                transaction.commit().await?;
                Ok(())
            })
            .await
    }

    /// Tells of something that somebody does with a pipe now, and that changes nothing of what is wanted.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn tell_by(
        &self,
        actor: &str,
        pipe: (&str, &str),
        kind: EventKind,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let mut transaction = connection.begin().await?;
                add(&mut transaction, pipe.0, pipe.1, actor, kind, reason).await?;
                transaction.commit().await?;
                Ok(())
            })
            .await
    }
}

/// Adds an event. Other transactions that add one wait until this one has ended, so it comes last in a transaction.
pub(super) async fn add(
    transaction: &mut Transaction<'_, Any>,
    pipe: &str,
    name: &str,
    actor: &str,
    kind: EventKind,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    add_at(transaction, pipe, name, actor, now_ms(), kind, reason).await
}

/// The same of something that happened before.
async fn add_at(
    transaction: &mut Transaction<'_, Any>,
    pipe: &str,
    name: &str,
    actor: &str,
    at_ms: i64,
    kind: EventKind,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let row = sqlx::query("UPDATE housepipe_store SET last_event = last_event + 1 RETURNING last_event")
        .fetch_one(&mut **transaction)
        .await?;
    let number: i64 = row.try_get(0)?;
    sqlx::query(
        "INSERT INTO events (number, at_ms, pipe, pipe_name, actor, kind, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(number)
    .bind(at_ms)
    .bind(pipe.to_owned())
    .bind(storable(name))
    .bind(storable(actor))
    .bind(kind.as_str())
    .bind(reason.map(storable))
    .execute(&mut **transaction)
    .await?;
    sqlx::query("DELETE FROM events WHERE number <= $1")
        .bind(number - KEPT_MAX)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn event(row: &AnyRow) -> Result<Event, StoreError> {
    Ok(Event {
        number: row.try_get("number")?,
        at_ms: row.try_get("at_ms")?,
        pipe: row.try_get("pipe")?,
        pipe_name: row.try_get("pipe_name")?,
        actor: row.try_get("actor")?,
        kind: row.try_get("kind")?,
        reason: row.try_get("reason")?,
    })
}
