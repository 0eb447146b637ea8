//! The processes that share a store, and what each has ended.
//!
//! A pipe that was removed is cleaned up after once no process runs it any more. So each says up to which event it has ended the pipes that were
//! removed by then, and is waited for as long as it is heard of.

use sqlx::{AnyConnection, Row};

use super::{Kind, Store, StoreError, now_ms};

/// Time after which a process that was not heard of is taken for gone, in milliseconds. Mostly Kafka has thrown it out of its groups by then. One
/// that only the store does not hear of goes on with its pipes: inserts of one whose user is dropped are refused then, and it ends the pipe with its
/// next look at the store.
const GONE_MS: i64 = 60_000;

impl Store {
    /// Tells that the process `replica` lives, and has ended all pipes that were removed up to the event `ended_to`.
    ///
    /// # Errors
    /// [`StoreError::Database`] or [`StoreError::Late`].
    pub async fn tell_alive(&self, replica: &str, ended_to: i64) -> Result<(), StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                sqlx::query(
                    "INSERT INTO replicas (id, seen_ms, ended_to) VALUES ($1, $2, $3) \
                 ON CONFLICT (id) DO UPDATE SET seen_ms = excluded.seen_ms, ended_to = excluded.ended_to",
                )
                .bind(replica.to_owned())
                .bind(self.its_now_ms(&mut connection).await?)
                .bind(ended_to)
                .execute(&mut *connection)
                .await?;
                self.connections.trouble.wrote();
                Ok(())
            })
            .await
    }

    /// Tells that the process `replica` has ended everything.
    ///
    /// # Errors
    /// As [`Store::tell_alive`].
    pub async fn tell_gone(&self, replica: &str) -> Result<(), StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                sqlx::query("DELETE FROM replicas WHERE id = $1 OR seen_ms < $2")
                    .bind(replica.to_owned())
                    .bind(self.its_now_ms(&mut connection).await? - GONE_MS)
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            })
            .await
    }

    /// Whether every process that is heard of has ended the pipe, which was removed, but for the process `asks`: that one knows for itself.
    ///
    /// # Errors
    /// As [`Store::tell_alive`].
    pub async fn is_ended_but_for(&self, asks: &str, pipe: &str) -> Result<bool, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let row = sqlx::query(
                    "SELECT COUNT(*) FROM replicas WHERE id <> $3 AND seen_ms >= $2 AND ended_to < \
                 (SELECT COALESCE(MAX(number), 0) FROM events WHERE pipe = $1 AND kind = 'removed')",
                )
                .bind(pipe.to_owned())
                .bind(self.its_now_ms(&mut connection).await? - GONE_MS)
                .bind(asks.to_owned())
                .fetch_one(&mut *connection)
                .await?;
                Ok(row.try_get::<i64, _>(0)? == 0)
            })
            .await
    }

    /// This moment by the clock that all processes share: those of their machines may be minutes apart.
    async fn its_now_ms(&self, connection: &mut AnyConnection) -> Result<i64, StoreError> {
        match self.kind {
            Kind::Sqlite => Ok(now_ms()),
            Kind::Postgres => {
                let row = sqlx::query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
                    .fetch_one(connection)
                    .await?;
                Ok(row.try_get(0)?)
            }
        }
    }
}
