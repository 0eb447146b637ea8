//! Connections to the database, which nobody is given without an end to what is done with them.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool};

use super::codes::is_broken_off;
use super::refused::Door;
use super::trouble::OfLate;
use super::{CALL_S_MAX, CLOSE_S_MAX, StoreError};

/// How often a call is begun again that PostgreSQL has broken off for the sake of another one.
const AGAIN_MAX: u32 = 2;
/// Pause before that, in milliseconds: the other one gets what it waits for meanwhile.
const AGAIN_MS: u64 = 100;

/// The connections of a store.
#[derive(Debug)]
pub(super) struct Connections {
    pool: AnyPool,
    /// What keeps the database from writing.
    pub(super) trouble: OfLate,
    /// Where it listens, if it is reached over a network.
    door: Option<Door>,
}

impl Connections {
    pub(super) fn new(pool: AnyPool, door: Option<Door>) -> Connections {
        Connections { pool, trouble: OfLate::default(), door }
    }

    /// Returns once the database is found to refuse connections.
    async fn refused(&self) -> StoreError {
        match &self.door {
            Some(door) => door.until_shut().await,
            None => std::future::pending().await,
        }
        StoreError::Refused
    }

    /// A connection; none once the database is found to refuse them.
    async fn connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        tokio::select! {
            biased;
            connection = self.pool.acquire() => Ok(connection?),
            refused = self.refused() => Err(refused),
        }
    }

    /// What `work` comes to within the time that a call has, however often it is begun. What is broken off gives its connection back, which has to
    /// prove then that it works ([`super::postgres`]). Work that has a connection goes on with it also where others are refused meanwhile: it may be
    /// at its commit.
    pub(super) async fn in_time<T, W>(&self, work: impl Fn(PoolConnection<Any>) -> W) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, StoreError>>,
    {
        let begun = async {
            for _ in 0..AGAIN_MAX {
                match work(self.connection().await?).await {
                    Err(StoreError::Database(error)) if is_broken_off(&error) => {
                        tracing::debug!(%error, "a call of the store is begun again");
                        tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await;
                    }
                    other => return other,
                }
            }
            work(self.connection().await?).await
        };
        if self.door.as_ref().is_some_and(Door::is_shut) {
            return Err(StoreError::Refused);
        }
        let longest = Duration::from_secs(CALL_S_MAX);
        let result = tokio::time::timeout(longest, begun).await.unwrap_or(Err(StoreError::Late));
        if let Some(trouble) = result.as_ref().err().and_then(StoreError::trouble) {
            self.trouble.came(trouble);
        }
        result
    }

    /// Ends them; those that do not answer are left to the end of the process.
    pub(super) async fn close(&self) {
        if tokio::time::timeout(Duration::from_secs(CLOSE_S_MAX), self.pool.close()).await.is_err() {
            tracing::warn!("connections to the store did not end within {CLOSE_S_MAX} s, and are cut off");
        }
    }
}
