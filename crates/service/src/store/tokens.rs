//! Who may call the API: tokens with a role each, of which only digests are kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Connection as _, Row, Transaction};
use utoipa::ToSchema;

use super::{Store, StoreError, damaged, now_ms};
use crate::seal::SealError;

/// How a token begins, so that people and scanners of leaks know one.
const PREFIX: &str = "hpt_";
/// Random bytes of a token. So many need no slow digest: nobody guesses them.
const TOKEN_BYTES: usize = 32;

/// The name of the first token.
pub const FIRST_ADMIN: &str = "admin";

/// What the holder of a token may do; each may also do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Define, change and remove pipes.
    Operator,
    /// Say who may do what.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// The role in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// A token as it is shown: without itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOwner {
    /// The token's name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
}

impl Store {
    /// Makes a token. It is told here and never again.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] where there is one of that name, [`StoreError::TokenName`] where none may have it, or the database's.
    pub async fn new_token(&self, name: &str, role: Role) -> Result<SecretString, StoreError> {
        self.make_token(None, name, role).await
    }

    /// The same where the token `by` asks for it, which is there as the new one is made.
    ///
    /// # Errors
    /// [`StoreError::Forgotten`] where `by` opens nothing any more, or as [`Store::new_token`].
    pub async fn new_token_by(
        &self,
        by: &SecretString,
        name: &str,
        role: Role,
    ) -> Result<SecretString, StoreError> {
        self.make_token(Some(by), name, role).await
    }

    async fn make_token(
        &self,
        by: Option<&SecretString>,
        name: &str,
        role: Role,
    ) -> Result<SecretString, StoreError> {
        self.connections.in_time(|mut connection| async move {
            let mut bytes = [0; TOKEN_BYTES];
            SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::NoRandom)?;
            let token = SecretString::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)));
            let mut transaction = begun_by(&mut connection, by).await?;
            let inserted = sqlx::query(
                "INSERT INTO tokens (name, role, digest, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
            )
            .bind(name.to_owned())
            .bind(role.as_str())
            .bind(digest_of(token.expose_secret()))
            .bind(now_ms())
            .execute(&mut *transaction)
            .await?;
            match inserted.rows_affected() {
                0 => Err(StoreError::NameTaken(name.to_owned())),
                // Dropped, the transaction has made none.
                _ if name.contains(PREFIX) => Err(StoreError::TokenName),
                _ => {
                    transaction.commit().await?;
                    Ok(token)
                }
            }
        })
        .await
    }

    /// Makes the first token of an empty store, an admin's; none where there is a token already.
    ///
    /// # Errors
    /// As [`Store::new_token`].
    pub async fn first_token(&self) -> Result<Option<SecretString>, StoreError> {
        let has_some = self.connections.in_time(|mut connection| async move {
            let row = sqlx::query("SELECT COUNT(*) FROM tokens").fetch_one(&mut *connection).await?;
            Ok(row.try_get::<i64, _>(0)? > 0)
        });
        if has_some.await? {
            return Ok(None);
        }
        match self.new_token(FIRST_ADMIN, Role::Admin).await {
            Ok(token) => Ok(Some(token)),
            // Another process was faster.
            Err(StoreError::NameTaken(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All tokens by name.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let rows = sqlx::query("SELECT name, role, created_ms FROM tokens ORDER BY name")
                    .fetch_all(&mut *connection)
                    .await?;
                let token = |row: &AnyRow| {
                    let name: String = row.try_get(0)?;
                    let role = role_of(&name, &row.try_get::<String, _>(1)?)?;
                    Ok(StoredToken { name, role, created_ms: row.try_get(2)? })
                };
                rows.iter().map(token).collect()
            })
            .await
    }

    /// Forgets a token, so that it opens nothing any more. The last one of an admin stays: without it nobody could make another.
    ///
    /// # Errors
    /// [`StoreError::NoToken`], [`StoreError::LastAdmin`], or the database's.
    pub async fn forget_token(&self, name: &str) -> Result<(), StoreError> {
        self.remove_token(None, name).await
    }

    /// The same where the token `by` asks for it, which is there as the other one is forgotten. It may be the same.
    ///
    /// # Errors
    /// [`StoreError::Forgotten`] where `by` opens nothing any more, or as [`Store::forget_token`].
    pub async fn forget_token_by(&self, by: &SecretString, name: &str) -> Result<(), StoreError> {
        self.remove_token(Some(by), name).await
    }

    async fn remove_token(&self, by: Option<&SecretString>, name: &str) -> Result<(), StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                let mut transaction = begun_by(&mut connection, by).await?;
                // No token has such a name, and PostgreSQL refuses the text.
                if name.contains('\0') {
                    return Err(StoreError::NoToken(name.to_owned()));
                }
                let deleted = sqlx::query("DELETE FROM tokens WHERE name = $1")
                    .bind(name.to_owned())
                    .execute(&mut *transaction)
                    .await?;
                if deleted.rows_affected() == 0 {
                    return Err(StoreError::NoToken(name.to_owned()));
                }
                let row = sqlx::query("SELECT COUNT(*) FROM tokens WHERE role = 'admin'")
                    .fetch_one(&mut *transaction)
                    .await?;
                if row.try_get::<i64, _>(0)? == 0 {
                    return Err(StoreError::LastAdmin);
                }
                transaction.commit().await?;
                Ok(())
            })
            .await
    }

    /// Whose `token` is; nobody's where it is not known.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn token_owner(&self, token: &str) -> Result<Option<TokenOwner>, StoreError> {
        if !token.starts_with(PREFIX) {
            return Ok(None);
        }
        self.connections
            .in_time(|mut connection| async move {
                // By its digest, so that what is compared tells nothing of the token.
                let row = sqlx::query("SELECT name, role FROM tokens WHERE digest = $1")
                    .bind(digest_of(token))
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let (name, word): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let role = role_of(&name, &word)?;
                Ok(Some(TokenOwner { name, role }))
            })
            .await
    }
}

/// Begins a change of tokens. Two admins who forget each other at once would otherwise both succeed, and one who is forgotten could leave a token
/// behind: such changes wait for each other, and whoever asks for one is judged once it is its turn.
async fn begun_by<'a>(
    connection: &'a mut AnyConnection,
    by: Option<&SecretString>,
) -> Result<Transaction<'a, Any>, StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query("UPDATE housepipe_store SET version = version").execute(&mut *transaction).await?;
    if let Some(by) = by {
        let known = sqlx::query("SELECT name FROM tokens WHERE digest = $1")
            .bind(digest_of(by.expose_secret()))
            .fetch_optional(&mut *transaction)
            .await?;
        known.ok_or(StoreError::Forgotten)?;
    }
    Ok(transaction)
}

#[cfg(test)]
impl Store {
    /// Gives a token another name, also one that a new token may not have.
    pub(crate) async fn rename_token(&self, name: &str, new: &str) -> Result<(), StoreError> {
        self.connections
            .in_time(|mut connection| async move {
                sqlx::query("UPDATE tokens SET name = $1 WHERE name = $2")
                    .bind(new.to_owned())
                    .bind(name.to_owned())
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            })
            .await
    }
}

pub(super) fn role_of(token: &str, word: &str) -> Result<Role, StoreError> {
    let role = Role::ALL.into_iter().find(|role| role.as_str() == word);
    role.ok_or_else(|| damaged(token, &format!("its role is `{word}`")))
}

fn digest_of(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
}
