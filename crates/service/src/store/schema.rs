//! The tables of the store, and how older ones become today's. They are the same in SQLite and PostgreSQL.

use std::time::Duration;

use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Row, Transaction};

use super::codes::{is_broken_off, is_kept_waiting};
use super::file::RESTORE;
use super::{Kind, StoreError, damaged};
use crate::seal::Seal;

/// Each makes a store of one version one of the next. What is published is never changed.
static MIGRATIONS: [Migration; 4] = [
    Migration::of_both(include_str!("migrations/1.sql")),
    Migration::of_both(include_str!("migrations/2.sql")),
    Migration::of_both(include_str!("migrations/3.sql")),
    Migration {
        sqlite: include_str!("migrations/4.sqlite.sql"),
        postgres: include_str!("migrations/4.postgres.sql"),
    },
];

/// What makes a store one of the next version.
#[derive(Clone, Copy)]
struct Migration {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Migration {
    const fn of_both(sql: &'static str) -> Migration {
        Migration { sqlite: sql, postgres: sql }
    }

    fn of(self, kind: Kind) -> &'static str {
        match kind {
            Kind::Sqlite => self.sqlite,
            Kind::Postgres => self.postgres,
        }
    }
}

/// The tables that a store has, and the version that made each.
const TABLES: [(&str, i64); 8] = [
    (ITSELF, 1),
    ("pipes", 1),
    ("replicas", 1),
    ("secrets", 1),
    ("events", 1),
    ("tokens", 1),
    ("idempotency", 1),
    ("audit", 2),
];

/// The table by which a store is known as one.
const ITSELF: &str = "housepipe_store";

/// A number that all replicas lock, of those that PostgreSQL lets applications choose.
const LOCK: i64 = 0x686f_7573_6570_6970;

/// Time for the lock of a table that others write, in milliseconds: less than the second behind which PostgreSQL looks whether two wait for each other
/// (`deadlock_timeout`).
const TABLE_MS_MAX: u32 = 500;
/// Pause before it is asked for again, in milliseconds: whoever was in the way goes on meanwhile.
const AGAIN_MS: u64 = 100;

/// The version of a store without tables.
const EMPTY: i64 = 0;

/// What the check of the key is sealed for.
const KEY_CHECK: &str = "the key of the store";

/// Refuses a store in a file that is newer, damaged, of another key, or something else, and writes nothing.
pub(super) async fn look(connection: &mut AnyConnection, seal: &Seal) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    usable(&mut transaction, Kind::Sqlite, seal).await?;
    Ok(transaction.rollback().await?)
}

/// The version of a store that may be used, and what brings it up to today's.
async fn usable(
    transaction: &mut Transaction<'_, Any>,
    kind: Kind,
    seal: &Seal,
) -> Result<(i64, &'static [Migration]), StoreError> {
    let found = version(transaction, kind).await?;
    let steps = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..));
    let steps = steps.ok_or(StoreError::Newer { found, known: newest() })?;
    if found != EMPTY {
        check_key(transaction, kind, seal).await?;
    }
    Ok((found, steps))
}

/// Brings the store up to today's version. One that is newer, damaged, of another key, or something else is left as it is. Where PostgreSQL breaks it
/// off for the sake of those who write, it is begun again, for as long as the caller waits.
pub(super) async fn migrate(pool: &AnyPool, kind: Kind, seal: &Seal) -> Result<(), StoreError> {
    loop {
        match try_migrate(pool, kind, seal).await {
            Err(StoreError::Database(error)) if is_broken_off(&error) || is_kept_waiting(&error) => {
                tracing::debug!(%error, "the tables are not brought up to date yet, since somebody writes");
                tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await;
            }
            other => return other,
        }
    }
}

async fn try_migrate(pool: &AnyPool, kind: Kind, seal: &Seal) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    if kind == Kind::Postgres {
        // Large tables take their time, and so does another process that is at it.
        sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    }
    let (found, steps) = usable(&mut transaction, kind, seal).await?;
    if kind == Kind::Postgres && found != EMPTY && !steps.is_empty() {
        lock_tables(&mut transaction).await?;
    }
    for step in steps {
        sqlx::raw_sql(step.of(kind)).execute(&mut *transaction).await?;
    }
    if !steps.is_empty() {
        sqlx::query("UPDATE housepipe_store SET version = $1")
            .bind(newest())
            .execute(&mut *transaction)
            .await?;
    }
    if found == EMPTY {
        let sealed = seal.seal(KEY_CHECK, &"it fits".into())?;
        sqlx::query("UPDATE housepipe_store SET key_check = $1")
            .bind(sealed)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Keeps processes of the version before out of all tables that are changed here: they take nothing of the others before they have something of
/// these two. Whoever changes a pipe has its row first, and whoever makes one that of all changes. So in either order one of them could wait for this
/// process while this one waits for it, and the wait is given up before PostgreSQL looks for such a pair and ends one of the two.
async fn lock_tables(transaction: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
    let lock = format!(
        "SET LOCAL lock_timeout = {TABLE_MS_MAX}; LOCK TABLE pipes, housepipe_store IN ACCESS EXCLUSIVE MODE; \
         SET LOCAL lock_timeout = 0"
    );
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut **transaction).await?;
    Ok(())
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// What is damaged of the pages of a file; none where nothing is.
pub(super) async fn damage(connection: &mut AnyConnection) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(connection).await?;
    let verdict: String = row.try_get(0)?;
    Ok((verdict != "ok").then_some(verdict))
}

/// The version of the tables that are there.
async fn version(transaction: &mut Transaction<'_, Any>, kind: Kind) -> Result<i64, StoreError> {
    let tables = match kind {
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Kind::Postgres => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        }
    };
    let tables = sqlx::query(tables).fetch_all(&mut **transaction).await?;
    let names = tables.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
    if !names.iter().any(|name| name == ITSELF) {
        return match names.first() {
            None => Ok(EMPTY),
            Some(table) => Err(StoreError::NotOurs { table: table.clone() }),
        };
    }
    let rows = sqlx::query("SELECT version FROM housepipe_store").fetch_all(&mut **transaction).await?;
    let [row] = &rows[..] else {
        return Err(harmed(kind, &format!("its table `{ITSELF}` has {} rows in place of one", rows.len())));
    };
    let version: i64 = row.try_get(0)?;
    if version <= EMPTY {
        return Err(harmed(kind, &format!("its version is {version}")));
    }
    // Which tables a newer one has is not known.
    let missing =
        TABLES.iter().find(|(table, since)| *since <= version && !names.iter().any(|name| name == table));
    match missing {
        Some((table, _)) if version <= newest() => {
            Err(harmed(kind, &format!("its table `{table}` is missing")))
        }
        _ => Ok(version),
    }
}

fn harmed(kind: Kind, why: &str) -> StoreError {
    let mend = match kind {
        Kind::Sqlite => RESTORE,
        Kind::Postgres => "restore it from a backup",
    };
    damaged("the state", &format!("{why}; it was left as it is: {mend}"))
}

/// Refuses another key than that of the secrets which are there.
async fn check_key(
    transaction: &mut Transaction<'_, Any>,
    kind: Kind,
    seal: &Seal,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT key_check FROM housepipe_store").fetch_one(&mut **transaction).await?;
    let sealed: Option<String> = row.try_get(0)?;
    let sealed = sealed.ok_or_else(|| harmed(kind, "the check of its key is missing"))?;
    seal.open(KEY_CHECK, &sealed).map(drop).map_err(|_| StoreError::AnotherKey)
}
