//! What outlives the process: what is wanted of each pipe, its secrets, and what has happened. In SQLite, or in PostgreSQL, where several
//! processes share it.
//!
//! The store holds intents, not progress: where each partition stands is kept by Kafka. So whatever is killed goes on from what is wanted.

mod audit;
mod codes;
mod connections;
mod events;
mod file;
mod left_behind;
mod look;
mod pipes;
mod refused;
mod repeats;
mod replicas;
mod schema;
mod tokens;
mod trouble;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection};

use connections::Connections;
use refused::Door;

pub use audit::{AUDIT_AT_ONCE_MAX, Asked, AuditEntry};
pub use events::{EVENTS_AT_ONCE_MAX, Event, EventKind};
pub use pipes::{CleanUp, Consumer, Edit, NewPipe, PAGE_BYTES_MAX, Secrets, StoredPipe, Wanted};
pub use repeats::IdempotencyKey;
pub use tokens::{FIRST_ADMIN, Role, StoredToken, TokenOwner};
pub use trouble::Trouble;

use crate::seal::{Seal, SealError};

/// Connections to PostgreSQL, at most.
const CONNECTIONS_MAX: u32 = 8;
/// Time for a connection, in seconds.
const CONNECT_S: u64 = 8;
/// Time for a call of the store, in seconds. A connection that was lost without a word would otherwise be waited for until the system gives it
/// up, a quarter of an hour later.
const CALL_S_MAX: u64 = 10;
/// Time for the tables to be made, or brought up to date, in seconds.
const MIGRATE_S_MAX: u64 = 120;
/// Time for a connection to prove that it works, behind a call and before the next one, in seconds.
const PROVE_S_MAX: u64 = 2;
/// Time for connections to end, in seconds. Whoever is left then is cut off with the process.
const CLOSE_S_MAX: u64 = 5;

/// Time for one statement in PostgreSQL, in milliseconds: it ends there as well where nobody waits for it any more.
const STATEMENT_MS_MAX: u32 = 8_000;
/// Time for a lock that another session holds, in milliseconds. All changes need one row, so whoever holds it would hold up every one of them.
const LOCK_MS_MAX: u32 = 5_000;
/// Time that a transaction may hold its locks between two statements, in milliseconds: a process that was frozen holds up the others for as long.
const IDLE_MS_MAX: u32 = 15_000;

/// Where the store is.
#[derive(Debug, Clone)]
pub enum StoreAddress {
    /// A file, which one process uses at a time.
    Sqlite(PathBuf),
    /// A database of PostgreSQL by its URL, such as `postgres://user:password@host/database`.
    Postgres(SecretString),
}

impl StoreAddress {
    /// Whether a first start makes a file there, since there is none yet. What PostgreSQL has is not asked.
    ///
    /// # Errors
    /// [`StoreError::File`] where nothing can be made there, and [`Store::open`] would refuse it.
    pub fn is_to_be_made(&self) -> Result<bool, StoreError> {
        match self {
            StoreAddress::Sqlite(path) => file::is_missing(&file::whole(path)?),
            StoreAddress::Postgres(_) => Ok(false),
        }
    }
}

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// The store of a service.
#[derive(Debug)]
pub struct Store {
    connections: Connections,
    kind: Kind,
    seal: Seal,
    /// Keeps other processes out of the file.
    _lock: Option<File>,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refuses, or is out of reach.
    #[error("the store does not answer as it should")]
    Database(#[from] sqlx::Error),
    /// The database did not answer in time.
    #[error(
        "the store gave no answer within {CALL_S_MAX} s; look at the load of PostgreSQL, at the network to it, and at the disk of a state in a file"
    )]
    Late,
    /// Nobody listens where the database was.
    #[error(
        "the PostgreSQL of the state refuses connections; start it again, or look whether it still listens where --state says"
    )]
    Refused,
    /// The server of the database cannot be used.
    #[error("the PostgreSQL of the state at {place} cannot be used: {why}")]
    Away {
        /// Where it is, without user and password.
        place: String,
        /// Why.
        why: String,
    },
    /// The file cannot be used.
    #[error("the store `{path}` cannot be opened: {why}")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Its tables are of a version that is not known yet.
    #[error(
        "the store has version {found}, and this housepipe knows {known} and older ones; take a newer housepipe: the store was left as it is"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The database is used for something else.
    #[error(
        "the database has tables of something else, such as `{table}`, and was left as it is; name one of its own"
    )]
    NotOurs {
        /// One of them.
        table: String,
    },
    /// The secrets were sealed with another key.
    #[error(
        "the secrets of this store were sealed with another key; start with that one: the store was left as it is"
    )]
    AnotherKey,
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no such pipe.
    #[error("there is no pipe `{0}`")]
    NoPipe(String),
    /// The consumer group is another pipe's.
    #[error(
        "the pipe `{0}` has the same consumer group at the same brokers, and offsets of one group are one pipe's; name another `consumer_group`"
    )]
    GroupTaken(String),
    /// There is no such token.
    #[error("there is no token of the name `{0}`")]
    NoToken(String),
    /// A token may not have this name.
    #[error(
        "a token's name has no `hpt_` in it, as tokens begin: where names are written down, what begins so is left out"
    )]
    TokenName,
    /// The token that asks for a change opens nothing any more.
    #[error("the token was forgotten meanwhile; send another one")]
    Forgotten,
    /// It is the last token of an admin.
    #[error(
        "it is the last token of an admin, and without one nobody could make another; make a new one first"
    )]
    LastAdmin,
    /// There is a pipe, or a token, of that name.
    #[error("the name `{0}` is taken already")]
    NameTaken(String),
    /// The key of a call came with another call before.
    #[error("the idempotency key came with another request before; take a new one for each pipe")]
    KeyReused,
    /// The call was made before with its key, and its pipe has gone since.
    #[error(
        "the same call has made the pipe `{0}` before, which was removed since; take a new idempotency key to define it anew"
    )]
    Gone(String),
    /// Somebody else has changed the pipe.
    #[error("the pipe was changed meanwhile: it is at revision {0}")]
    Changed(i64),
    /// The pipe is being removed.
    #[error("the pipe is being removed")]
    Leaving,
    /// What is stored cannot be read.
    #[error("what is stored of `{what}` cannot be read: {why}")]
    Damaged {
        /// What it is of.
        what: String,
        /// Why.
        why: String,
    },
}

impl StoreError {
    /// Whether the same call would be refused however often it is repeated.
    pub fn is_for_good(&self) -> bool {
        match self {
            StoreError::Database(error) => codes::is_for_good(error),
            StoreError::Late | StoreError::Refused | StoreError::Away { .. } => false,
            _ => true,
        }
    }

    /// What keeps the database from writing, where it is that.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            StoreError::Database(error) => codes::trouble(error),
            _ => None,
        }
    }
}

impl Store {
    /// A digest of `text` that only this store's key makes, so that it tells nothing of a short secret in it.
    pub fn fingerprint(&self, text: &str) -> String {
        self.seal.fingerprint(text)
    }

    /// Opens the store, and creates its tables where there are none.
    ///
    /// # Errors
    /// [`StoreError`] where it is out of reach, damaged, newer than this program, or of another key; it is left as it was then.
    pub async fn open(address: &StoreAddress, seal: Seal) -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let (pool, kind, lock, door) = match address {
            StoreAddress::Sqlite(path) => {
                let path = file::whole(path)?;
                let lock = file::lock(&path)?;
                if file::is_missing(&path)? {
                    // Under another name until it is whole: an empty file is never one that was just begun.
                    let begun = file::make_beside(&path)?;
                    brought_up_to_date(&begun, &seal).await?.close().await;
                    file::give_its_name(&begun, &path)?;
                }
                look::look(&path, &seal).await?;
                let pool = brought_up_to_date(&path, &seal).await?;
                // Kept in the file, so it is set once the file is known to be ours.
                sqlx::query("PRAGMA journal_mode = WAL").execute(&pool).await?;
                // Nobody else uses the file, so whoever is noted there is gone.
                sqlx::query("DELETE FROM replicas").execute(&pool).await?;
                (pool, Kind::Sqlite, Some(lock), None)
            }
            StoreAddress::Postgres(url) => {
                let away = |why: String| StoreError::Away { place: place(url.expose_secret()), why };
                // A pool would try until its time is over, and tell no cause.
                let first = async { AnyConnection::connect(url.expose_secret()).await?.close().await };
                tokio::time::timeout(Duration::from_secs(CONNECT_S), first)
                    .await
                    .map_err(|_| away(format!("no answer within {CONNECT_S} s")))?
                    .map_err(|error| away(error.to_string()))?;
                let pool = postgres(url.expose_secret()).await?;
                let migrated = schema::migrate(&pool, Kind::Postgres, &seal);
                tokio::time::timeout(Duration::from_secs(MIGRATE_S_MAX), migrated).await.map_err(
                    |_| {
                        away(format!(
                            "its tables were not made or brought up to date within {MIGRATE_S_MAX} s"
                        ))
                    },
                )??;
                (pool, Kind::Postgres, None, Door::of(url.expose_secret()))
            }
        };
        Ok(Store { connections: Connections::new(pool, door), kind, seal, _lock: lock })
    }

    /// What has kept it from writing of late. That it writes again is known by what each process tells of itself ([`Store::tell_alive`]).
    pub fn trouble(&self) -> Option<Trouble> {
        self.connections.trouble.get()
    }

    /// Has it write nothing from now on, as on a disk that is read-only, or that is full.
    #[cfg(test)]
    pub(crate) async fn write_nothing(&self, because: Trouble) -> Result<(), StoreError> {
        let how = match because {
            Trouble::Full => "PRAGMA max_page_count = 1",
            _ => "PRAGMA query_only = 1",
        };
        let told = self.connections.in_time(|mut connection| async move {
            sqlx::raw_sql(how).execute(&mut *connection).await?;
            Ok(())
        });
        told.await
    }

    /// Ends its connections; those that do not answer are left to the end of the process.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

/// Connections that have limits in PostgreSQL as well, and that are only used again where they answer.
async fn postgres(url: &str) -> Result<AnyPool, sqlx::Error> {
    let limits = format!(
        "SET statement_timeout = {STATEMENT_MS_MAX}; SET lock_timeout = {LOCK_MS_MAX}; \
         SET idle_in_transaction_session_timeout = {IDLE_MS_MAX}"
    );
    AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_secs(CONNECT_S))
        .after_connect(move |connection, _| {
            let limits = AssertSqlSafe(limits.clone());
            Box::pin(async move { sqlx::raw_sql(limits).execute(connection).await.map(drop) })
        })
        // A look of the pool's own would be waited for as long as for a connection.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(proof(connection)))
        .after_release(|connection, _| Box::pin(proof(connection)))
        .connect(url)
        .await
}

/// That a connection works. An error has it cut off without a farewell, for which it would be waited as well.
async fn proof(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let proof = tokio::time::timeout(Duration::from_secs(PROVE_S_MAX), connection.ping()).await;
    proof.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

/// One connection, so that transactions come one after the other; every commit is on the disk before it is acknowledged, as SQLite does it
/// unless it is told otherwise (`synchronous = FULL`).
async fn sqlite(path: &Path) -> Result<AnyPool, sqlx::Error> {
    let url = format!("sqlite://{}?mode=rw", percent(path));
    AnyPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(CONNECT_S))
        // A connection that ends would only be made anew.
        .idle_timeout(None)
        .max_lifetime(None)
        .connect(&url)
        .await
}

/// Host and port of a URL of PostgreSQL, without what is secret in it.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() { "its usual place (the URL names no host)".to_owned() } else { format!("`{host}`") }
}

/// The store in a file of SQLite, whose tables are today's.
async fn brought_up_to_date(path: &Path, seal: &Seal) -> Result<AnyPool, StoreError> {
    let pool = sqlite(path).await.map_err(|error| file::error_of(path, &error))?;
    schema::migrate(&pool, Kind::Sqlite, seal).await.map_err(|error| match error {
        StoreError::Database(error) => file::error_of(path, &error),
        other => other,
    })?;
    Ok(pool)
}

/// A path as a part of a URL.
fn percent(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

fn damaged(what: &str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged { what: what.to_owned(), why: why.to_string() }
}

/// A text of somebody else's as both databases keep it: PostgreSQL refuses one with a zero in it.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// This moment, in milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
