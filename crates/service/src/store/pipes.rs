//! What is wanted of each pipe.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use housepipe_runtime::{Document, Generation, PipeFile, failpoint};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Connection as _, Row, Transaction};

use super::events::{self, EventKind};
use super::left_behind::left_behind;
use super::repeats::IdempotencyKey;
use super::{Store, StoreError, damaged, now_ms};
use crate::seal::{Seal, SealError};

/// Bytes of the pipe files on one page, at most (16 MiB).
pub const PAGE_BYTES_MAX: i64 = 16 << 20;

/// Who acts where nobody else does.
pub(super) const HOUSEPIPE: &str = "housepipe";

/// The secrets of a pipe by the paths of their keys.
pub type Secrets = BTreeMap<String, SecretString>;

/// What is wanted of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It runs.
    Running,
    /// It rests.
    Paused,
    /// It goes, once what was asked for is cleaned up.
    Removed,
}

impl Wanted {
    const ALL: [Wanted; 3] = [Wanted::Running, Wanted::Paused, Wanted::Removed];

    fn as_str(self) -> &'static str {
        match self {
            Wanted::Running => "running",
            Wanted::Paused => "paused",
            Wanted::Removed => "removed",
        }
    }
}

/// What goes with a pipe that is removed. Its table stays in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CleanUp {
    /// The consumer group, with its offsets.
    pub consumer_group: bool,
    /// The ClickHouse user that was made for it.
    pub user: bool,
}

impl CleanUp {
    /// What goes with the pipe, in words; none where nothing does.
    pub fn words(self) -> Option<&'static str> {
        match (self.consumer_group, self.user) {
            (true, true) => Some("with its consumer group and its ClickHouse user"),
            (true, false) => Some("with its consumer group"),
            (false, true) => Some("with its ClickHouse user"),
            (false, false) => None,
        }
    }
}

/// A pipe that somebody defines.
#[derive(Debug)]
pub struct NewPipe {
    /// Its name, which no other pipe has.
    pub name: String,
    /// What its consumer group is, and where.
    pub consumer: Consumer,
    /// Its pipe file, with references in place of secrets.
    pub document: Document,
    /// Those secrets.
    pub secrets: Secrets,
    /// Whether it runs at once.
    pub runs: bool,
}

/// A pipe as it is to be from now on.
#[derive(Debug)]
pub struct Edit {
    /// What its consumer group is, and where.
    pub consumer: Consumer,
    /// Its pipe file, with references in place of secrets.
    pub document: Document,
    /// Secrets that are new.
    pub secrets: Secrets,
    /// Paths whose secrets stay; all others go.
    pub kept: Vec<String>,
}

/// A consumer group at its brokers, as a text. Of the pipes that name one of its brokers one has the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer(String);

impl Consumer {
    /// That of a pipe, whatever the order of its brokers and the case of their names. The names of this machine are one.
    pub fn of(file: &PipeFile) -> Consumer {
        let brokers: BTreeSet<String> = file.source.brokers.split(',').map(broker).collect();
        let brokers: Vec<String> = brokers.into_iter().collect();
        Consumer(format!("{} {}", brokers.join(","), file.source.consumer_group))
    }

    /// The brokers, and the group; a list of brokers has no space in it.
    fn parts(&self) -> (BTreeSet<String>, &str) {
        let (brokers, group) = self.0.split_once(' ').unwrap_or(("", &self.0));
        (brokers.split(',').map(broker).collect(), group)
    }

    /// Whether both are the same group at a broker that both name. Other names of the same broker are not known as such.
    fn meets(&self, other: &Consumer) -> bool {
        let ((brokers, group), (of_other, group_of_other)) = (self.parts(), other.parts());
        group == group_of_other && !brokers.is_disjoint(&of_other)
    }
}

/// A broker by the name under which it is compared.
fn broker(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let Some((host, port)) = text.rsplit_once(':') else { return text };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_here = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    format!("{}:{port}", if is_here { "localhost" } else { host })
}

/// A pipe as it is stored.
#[derive(Debug, Clone)]
pub struct StoredPipe {
    /// Its id, which no other pipe ever has.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its pipe file, with references in place of secrets; or why it cannot be read.
    pub document: Result<Document, String>,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// What goes with it, where it is to be removed.
    pub clean_up: CleanUp,
    /// Counts its definitions, and the wishes to try again.
    pub generation: Generation,
    /// Counts every change.
    pub revision: i64,
    /// When it was defined, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was changed last, in milliseconds since 1970.
    pub changed_ms: i64,
}

impl Store {
    /// Defines a pipe. Called again by the same actor with the same key it makes no other one, and gives the first.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::GroupTaken`], [`StoreError::KeyReused`], [`StoreError::Gone`], or the database's.
    pub async fn create(
        &self,
        new: &NewPipe,
        key: Option<&IdempotencyKey>,
        actor: &str,
    ) -> Result<StoredPipe, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                match self.try_create(&mut connection, new, key, actor).await {
                    // The same call may have been under way, and is done now.
                    Err(StoreError::NameTaken(_) | StoreError::KeyReused) if key.is_some() => {
                        self.try_create(&mut connection, new, key, actor).await
                    }
                    other => other,
                }
            })
            .await
    }

    async fn try_create(
        &self,
        connection: &mut AnyConnection,
        new: &NewPipe,
        key: Option<&IdempotencyKey>,
        actor: &str,
    ) -> Result<StoredPipe, StoreError> {
        let id = new_id()?;
        let wanted = if new.runs { Wanted::Running } else { Wanted::Paused };
        let mut transaction = connection.begin().await?;
        lock_groups(&mut transaction).await?;
        if let Some(key) = key
            && let Some(made) = key.known(&mut transaction, actor).await?
        {
            return locked(&mut transaction, &made).await;
        }
        let other = group_taken(&mut transaction, &id, &new.consumer).await?;
        if let Some(other) = other.filter(|other| *other != new.name) {
            return Err(StoreError::GroupTaken(other));
        }
        // Looked for without its lock: whoever changes that pipe at the moment waits for this transaction.
        if name_taken(&mut transaction, &new.name).await? {
            return Err(StoreError::NameTaken(new.name.clone()));
        }
        // Names and groups are given under the lock that is held, so that there is nothing left to wait for.
        let inserted = sqlx::query(
            "INSERT INTO pipes (id, name, consumer, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms) \
             VALUES ($1, $2, $6, $3, $4, '', 1, 0, 1, $5, $5) ON CONFLICT DO NOTHING",
        )
        .bind(id.clone())
        .bind(new.name.clone())
        .bind(text_of(&new.document)?)
        .bind(wanted.as_str())
        .bind(now_ms())
        .bind(new.consumer.0.clone())
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::NameTaken(new.name.clone()));
        }
        failpoint("create_begun");
        keep(&mut transaction, &self.seal, &id, &new.secrets).await?;
        if let Some(key) = key {
            key.note(&mut transaction, actor, &id).await?;
        }
        events::add(&mut transaction, &id, &new.name, actor, EventKind::Created, None).await?;
        let stored = locked(&mut transaction, &id).await?;
        failpoint("create_stored");
        transaction.commit().await?;
        failpoint("create_done");
        Ok(stored)
    }

    /// Pipes by name, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] of the database, or of a row that cannot be read.
    pub async fn pipes(&self, after: &str, limit: i64) -> Result<Vec<StoredPipe>, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let rows = sqlx::query(
                "SELECT id, name, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms FROM pipes \
                 WHERE name > $1 ORDER BY name LIMIT $2",
            )
            .bind(after.to_owned())
            .bind(limit.max(0))
            .fetch_all(&mut *connection)
            .await?;
            rows.iter().map(stored).collect()
        })
        .await
    }

    /// How many pipes behind `after` fit on a page: `limit` at most, and those whose pipe files have [`PAGE_BYTES_MAX`] together, but one in any case.
    /// And whether there are more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn page(&self, after: &str, limit: i64) -> Result<(i64, bool), StoreError> {
        self.connections.in_time(|mut connection| async move {
            let rows = sqlx::query(
                "SELECT CAST(OCTET_LENGTH(document) AS BIGINT) FROM pipes WHERE name > $1 ORDER BY name LIMIT $2",
            )
            .bind(after.to_owned())
            .bind(limit.max(0).saturating_add(1))
            .fetch_all(&mut *connection)
            .await?;
            let (mut fit, mut bytes) = (0_i64, 0_i64);
            for row in &rows {
                bytes = bytes.saturating_add(row.try_get(0)?);
                if fit >= limit || (fit > 0 && bytes > PAGE_BYTES_MAX) {
                    return Ok((fit, true));
                }
                fit += 1;
            }
            Ok((fit, false))
        })
        .await
    }

    /// The revision of each pipe by its id: what has to be looked at again is seen by it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn revisions(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let rows = sqlx::query("SELECT id, revision FROM pipes").fetch_all(&mut *connection).await?;
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
            })
            .await
    }

    /// One pipe.
    ///
    /// # Errors
    /// [`StoreError::NoPipe`], or as [`Store::pipes`].
    pub async fn pipe(&self, id: &str) -> Result<StoredPipe, StoreError> {
        if !is_id(id) {
            return Err(StoreError::NoPipe(id.to_owned()));
        }
        self.connections.in_time(|mut connection| async move {
            let row = sqlx::query(
                "SELECT id, name, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms FROM pipes WHERE id = $1",
            )
            .bind(id.to_owned())
            .fetch_optional(&mut *connection)
            .await?;
            row.as_ref().map_or_else(|| Err(StoreError::NoPipe(id.to_owned())), stored)
        })
        .await
    }

    /// One pipe and its secrets, of the same revision; or why the secrets do not open.
    ///
    /// # Errors
    /// As [`Store::pipe`].
    pub async fn pipe_with_secrets(
        &self,
        id: &str,
    ) -> Result<(StoredPipe, Result<Secrets, SealError>), StoreError> {
        loop {
            let pipe = self.pipe(id).await?;
            let secrets = match self.secrets(id).await {
                Ok(secrets) => Ok(secrets),
                Err(StoreError::Seal(error)) => Err(error),
                Err(error) => return Err(error),
            };
            if self.pipe(id).await?.revision == pipe.revision {
                return Ok((pipe, secrets));
            }
        }
    }

    /// The secrets of a pipe.
    ///
    /// # Errors
    /// [`StoreError`] of the database, or where one does not open.
    pub async fn secrets(&self, id: &str) -> Result<Secrets, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let rows = sqlx::query("SELECT path, sealed FROM secrets WHERE pipe = $1")
                    .bind(id.to_owned())
                    .fetch_all(&mut *connection)
                    .await?;
                let open = |row: &AnyRow| {
                    let (path, sealed): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                    let secret = self.seal.open(&place(id, &path), &sealed)?;
                    Ok((path, secret))
                };
                rows.iter().map(open).collect()
            })
            .await
    }

    /// Replaces the definition of a pipe that is at `revision`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] where somebody was faster, [`StoreError::NoPipe`], [`StoreError::Leaving`], [`StoreError::GroupTaken`], or the
    /// database's.
    pub async fn edit(
        &self,
        id: &str,
        revision: i64,
        edit: &Edit,
        actor: &str,
    ) -> Result<StoredPipe, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let mut transaction = connection.begin().await?;
            let found = changeable(&mut transaction, id, Some(revision)).await?;
            lock_groups(&mut transaction).await?;
            if consumer_of(&mut transaction, id).await? != edit.consumer
                && let Some(other) = group_taken(&mut transaction, id, &edit.consumer).await?
            {
                return Err(StoreError::GroupTaken(other));
            }
            sqlx::query(
                "UPDATE pipes SET document = $2, consumer = $4, definition = definition + 1, attempt = 0, revision = revision + 1, \
                 changed_ms = $3 WHERE id = $1",
            )
            .bind(id.to_owned())
            .bind(text_of(&edit.document)?)
            .bind(now_ms())
            .bind(edit.consumer.0.clone())
            .execute(&mut *transaction)
            .await?;
            failpoint("edit_begun");
            let rows = sqlx::query("SELECT path FROM secrets WHERE pipe = $1")
                .bind(id.to_owned())
                .fetch_all(&mut *transaction)
                .await?;
            for row in &rows {
                let path: String = row.try_get(0)?;
                if !edit.kept.contains(&path) {
                    sqlx::query("DELETE FROM secrets WHERE pipe = $1 AND path = $2")
                        .bind(id.to_owned())
                        .bind(path)
                        .execute(&mut *transaction)
                        .await?;
                }
            }
            keep(&mut transaction, &self.seal, id, &edit.secrets).await?;
            let left = found.document.as_ref().ok().and_then(|before| left_behind(&found.name, before, &edit.document));
            events::add(&mut transaction, id, &found.name, actor, EventKind::Edited, left.as_deref()).await?;
            let stored = locked(&mut transaction, id).await?;
            failpoint("edit_stored");
            transaction.commit().await?;
            failpoint("edit_done");
            Ok(stored)
        })
        .await
    }

    /// Has a pipe run, also where it has failed, or rest. One that does so already goes on as it is.
    ///
    /// # Errors
    /// As [`Store::edit`]; without a revision whoever comes last has it.
    pub async fn want(
        &self,
        id: &str,
        revision: Option<i64>,
        runs: bool,
        actor: &str,
    ) -> Result<StoredPipe, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let mut transaction = connection.begin().await?;
            let found = changeable(&mut transaction, id, revision).await?;
            if !runs && found.wanted == Wanted::Paused {
                return Ok(found);
            }
            let (wanted, kind, again) = if runs {
                (Wanted::Running, EventKind::Resumed, 1_i64)
            } else {
                (Wanted::Paused, EventKind::Paused, 0)
            };
            sqlx::query(
                "UPDATE pipes SET wanted = $2, attempt = attempt + $3, revision = revision + 1, changed_ms = $4 WHERE id = $1",
            )
            .bind(id.to_owned())
            .bind(wanted.as_str())
            .bind(again)
            .bind(now_ms())
            .execute(&mut *transaction)
            .await?;
            events::add(&mut transaction, id, &found.name, actor, kind, None).await?;
            let stored = locked(&mut transaction, id).await?;
            transaction.commit().await?;
            Ok(stored)
        })
        .await
    }

    /// Has a pipe end, and go once what was asked for is cleaned up. Asked for again, what is cleaned up is as it was asked for last.
    ///
    /// # Errors
    /// As [`Store::want`].
    pub async fn remove(
        &self,
        id: &str,
        revision: Option<i64>,
        clean_up: CleanUp,
        actor: &str,
    ) -> Result<StoredPipe, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let mut transaction = connection.begin().await?;
            let (found, is_new) = match changeable(&mut transaction, id, revision).await {
                Err(StoreError::Leaving) => {
                    let found = locked(&mut transaction, id).await?;
                    if revision.is_some_and(|revision| revision != found.revision) {
                        return Err(StoreError::Changed(found.revision));
                    }
                    (found, false)
                }
                other => (other?, true),
            };
            // Also where it is asked for again, and something else is to go with it.
            let is_told = is_new || found.clean_up != clean_up;
            let reason = clean_up.words();
            let clean_up = serde_json::to_string(&clean_up).map_err(|error| damaged(id, &error))?;
            sqlx::query(
                "UPDATE pipes SET wanted = 'removed', clean_up = $2, revision = revision + 1, changed_ms = $3 WHERE id = $1",
            )
            .bind(id.to_owned())
            .bind(clean_up)
            .bind(now_ms())
            .execute(&mut *transaction)
            .await?;
            if is_told {
                events::add(&mut transaction, id, &found.name, actor, EventKind::Removed, reason).await?;
            }
            let stored = locked(&mut transaction, id).await?;
            failpoint("remove_stored");
            transaction.commit().await?;
            failpoint("remove_done");
            Ok(stored)
        })
        .await
    }

    /// Forgets a pipe that was removed and is cleaned up after. Whether it was there still, at this revision.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget(&self, pipe: &StoredPipe) -> Result<bool, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let mut transaction = connection.begin().await?;
                let deleted =
                    sqlx::query("DELETE FROM pipes WHERE id = $1 AND wanted = 'removed' AND revision = $2")
                        .bind(pipe.id.clone())
                        .bind(pipe.revision)
                        .execute(&mut *transaction)
                        .await?;
                let was_there = deleted.rows_affected() > 0;
                if was_there {
                    events::add(&mut transaction, &pipe.id, &pipe.name, HOUSEPIPE, EventKind::Gone, None)
                        .await?;
                }
                transaction.commit().await?;
                Ok(was_there)
            })
            .await
    }
}

/// The pipe, where it may be changed. Whoever changes it at the same time waits until this transaction ends.
async fn changeable(
    transaction: &mut Transaction<'_, Any>,
    id: &str,
    revision: Option<i64>,
) -> Result<StoredPipe, StoreError> {
    if !is_id(id) {
        return Err(StoreError::NoPipe(id.to_owned()));
    }
    // The write takes the lock in both databases.
    sqlx::query("UPDATE pipes SET revision = revision WHERE id = $1")
        .bind(id.to_owned())
        .execute(&mut **transaction)
        .await?;
    let found = locked(transaction, id).await?;
    if found.wanted == Wanted::Removed {
        return Err(StoreError::Leaving);
    }
    match revision {
        Some(revision) if revision != found.revision => Err(StoreError::Changed(found.revision)),
        _ => Ok(found),
    }
}

/// Has whoever else gives a pipe a name or a consumer group wait until this transaction ends. It takes the row that every event takes. So whoever
/// needs the row of a pipe that is there takes that one before, and behind this one waits for none any more: two that wait for each other would be
/// broken off.
async fn lock_groups(transaction: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
    sqlx::query("UPDATE housepipe_store SET version = version").execute(&mut **transaction).await?;
    Ok(())
}

/// Whether there is a pipe of the name, as far as it is known without waiting for anybody.
async fn name_taken(transaction: &mut Transaction<'_, Any>, name: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) FROM pipes WHERE name = $1")
        .bind(name.to_owned())
        .fetch_one(&mut **transaction)
        .await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

/// The consumer group that a pipe has.
async fn consumer_of(transaction: &mut Transaction<'_, Any>, id: &str) -> Result<Consumer, StoreError> {
    let row = sqlx::query("SELECT consumer FROM pipes WHERE id = $1")
        .bind(id.to_owned())
        .fetch_one(&mut **transaction)
        .await?;
    Ok(Consumer(row.try_get(0)?))
}

/// The name of another pipe that has the consumer group.
async fn group_taken(
    transaction: &mut Transaction<'_, Any>,
    id: &str,
    consumer: &Consumer,
) -> Result<Option<String>, StoreError> {
    let (_, group) = consumer.parts();
    let group = group.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let rows = sqlx::query("SELECT name, consumer FROM pipes WHERE id <> $1 AND consumer LIKE $2 ESCAPE '!'")
        .bind(id.to_owned())
        .bind(format!("% {group}"))
        .fetch_all(&mut **transaction)
        .await?;
    for row in &rows {
        if Consumer(row.try_get(1)?).meets(consumer) {
            return Ok(Some(row.try_get(0)?));
        }
    }
    Ok(None)
}

/// The pipe as this transaction sees it.
async fn locked(transaction: &mut Transaction<'_, Any>, id: &str) -> Result<StoredPipe, StoreError> {
    let row = sqlx::query(
        "SELECT id, name, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms FROM pipes WHERE id = $1",
    )
    .bind(id.to_owned())
    .fetch_optional(&mut **transaction)
    .await?;
    row.as_ref().map_or_else(|| Err(StoreError::NoPipe(id.to_owned())), stored)
}

/// Seals secrets, in place of those that are there.
async fn keep(
    transaction: &mut Transaction<'_, Any>,
    seal: &Seal,
    id: &str,
    secrets: &Secrets,
) -> Result<(), StoreError> {
    for (path, secret) in secrets {
        let sealed = seal.seal(&place(id, path), secret)?;
        sqlx::query(
            "INSERT INTO secrets (pipe, path, sealed) VALUES ($1, $2, $3) \
             ON CONFLICT (pipe, path) DO UPDATE SET sealed = excluded.sealed",
        )
        .bind(id.to_owned())
        .bind(path.clone())
        .bind(sealed)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// What a secret is sealed for.
fn place(id: &str, path: &str) -> String {
    format!("{id}/{path}")
}

/// Whether it may be the id of a pipe. PostgreSQL refuses texts with a zero in them.
fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn new_id() -> Result<String, StoreError> {
    Ok(format!("p{}", Seal::random_id()?))
}

fn text_of(document: &Document) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|error| damaged("a pipe file", &error))
}

fn stored(row: &AnyRow) -> Result<StoredPipe, StoreError> {
    let id: String = row.try_get("id")?;
    let document: String = row.try_get("document")?;
    // One that cannot be read can still be seen, and removed.
    let document = serde_json::from_str(&document).map_err(|error| error.to_string());
    let word: String = row.try_get("wanted")?;
    let wanted = Wanted::ALL.into_iter().find(|wanted| wanted.as_str() == word);
    let wanted = wanted.ok_or_else(|| damaged(&id, &format!("`{word}` is wanted of it")))?;
    let clean_up: String = row.try_get("clean_up")?;
    let count = |column: &str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|error| damaged(&id, &error))
    };
    Ok(StoredPipe {
        name: row.try_get("name")?,
        document,
        wanted,
        // One of a later version may ask for more, which that version sees to.
        clean_up: serde_json::from_str(&clean_up).unwrap_or_default(),
        generation: Generation { definition: count("definition")?, attempt: count("attempt")? },
        revision: row.try_get("revision")?,
        created_ms: row.try_get("created_ms")?,
        changed_ms: row.try_get("changed_ms")?,
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_met_at_any_broker_that_both_name() {
        let consumer = |text: &str| Consumer(text.to_owned());
        let first = consumer("b1.example.com:9092,b2.example.com:9092 clicks");
        for same in [
            "b2.example.com:9092 clicks",
            "B1.Example.com:9092,b7:9092 clicks",
            "b1.example.com.:9092 clicks",
        ] {
            assert!(first.meets(&consumer(same)), "{same}");
        }
        for other in ["b1.example.com:9093 clicks", "b3.example.com:9092 clicks", "b2.example.com:9092 views"]
        {
            assert!(!first.meets(&consumer(other)), "{other}");
        }
        let here = consumer("localhost:1 a group");
        for same in ["127.0.0.1:1 a group", "[::1]:1 a group", "127.0.0.1:3,127.9.9.9:1 a group"] {
            assert!(here.meets(&consumer(same)), "{same}");
        }
        assert!(!here.meets(&consumer("127.0.0.1:2 a group")));
    }
}
