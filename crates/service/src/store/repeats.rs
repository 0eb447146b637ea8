//! Calls that are repeated since their answer was lost: the same key makes no second pipe.

use sqlx::{Any, Row, Transaction};

use super::{StoreError, now_ms};

/// Time for which a key is known, in milliseconds.
const KNOWN_MS: i64 = 24 * 60 * 60 * 1_000;

/// A key that a caller gave, and what it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// A digest of the request.
    pub request: String,
}

impl IdempotencyKey {
    /// The pipe that the same call made before. The caller has the row that every event takes, so that the pipe does not go meanwhile.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`] where it was another call, [`StoreError::Gone`] where the pipe has gone since: whoever repeats a call does not mean
    /// another pipe.
    pub(super) async fn known(
        &self,
        transaction: &mut Transaction<'_, Any>,
        actor: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT request, pipe, (SELECT COUNT(*) FROM pipes WHERE id = pipe) FROM idempotency \
             WHERE actor = $1 AND key_text = $2 AND at_ms > $3",
        )
        .bind(actor.to_owned())
        .bind(self.key.clone())
        .bind(now_ms() - KNOWN_MS)
        .fetch_optional(&mut **transaction)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let request: String = row.try_get(0)?;
        if request != self.request {
            return Err(StoreError::KeyReused);
        }
        let pipe: String = row.try_get(1)?;
        match row.try_get::<i64, _>(2)? {
            0 => Err(StoreError::Gone(pipe)),
            _ => Ok(Some(pipe)),
        }
    }

    /// Notes what the call has made, and forgets what is old.
    pub(super) async fn note(
        &self,
        transaction: &mut Transaction<'_, Any>,
        actor: &str,
        pipe: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM idempotency WHERE at_ms <= $1")
            .bind(now_ms() - KNOWN_MS)
            .execute(&mut **transaction)
            .await?;
        let noted = sqlx::query(
            "INSERT INTO idempotency (actor, key_text, request, pipe, at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(actor.to_owned())
        .bind(self.key.clone())
        .bind(self.request.clone())
        .bind(pipe.to_owned())
        .bind(now_ms())
        .execute(&mut **transaction)
        .await?;
        match noted.rows_affected() {
            // Another call with the key was faster, and is done by now.
            0 => Err(StoreError::KeyReused),
            _ => Ok(()),
        }
    }
}
