//! A user of ClickHouse that is made for one pipe: created, given what it needs and nothing else, and dropped.
//!
//! Whether a user that is there is this pipe's is told by a mark, which is the `log_comment` among its settings. The statement that creates
//! the user sets it, so that there is no moment in which the user is there without it; the server writes it beside each query of the user
//! into `system.query_log`, and shows it with `SHOW CREATE USER`. A user without it, or with another, is somebody else's, and is left alone.
//!
//! The password never stands in a statement: its SHA-256 with a salt does, and what is shown of a statement has not even that.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::ddl::cluster_sql;
use crate::deduplication::TableName;
use crate::error::SinkError;
use crate::grants::GrantProblem;
use crate::quote::{quote_identifier, quote_string};
use crate::random_name::random_name;
use crate::sink::Sink;

/// Code of ClickHouse's UNKNOWN_USER.
const UNKNOWN_USER: i32 = 192;
/// Code of ClickHouse's ACCESS_ENTITY_ALREADY_EXISTS: another place of users has the name, such as the server's configuration.
const ALREADY_EXISTS: i32 = 493;
/// Codes with which servers refuse a password: UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED.
const NOT_LET_IN: [i32; 4] = [UNKNOWN_USER, 193, 194, 516];

/// Rights by which the definition of a table is seen, and nothing of its rows.
const SEES: &str = "SHOW TABLES, SHOW COLUMNS";

/// What is shown in place of a hash.
const HIDDEN: &str = "'…'";

/// Rights that a user needs who makes the users of pipes, and what for.
const RIGHTS: [(&str, &str); 3] = [
    ("SHOW USERS", "see whether the pipe's user is there"),
    ("CREATE USER", "make the pipe's user"),
    ("ALTER USER", "change the password of the pipe's user"),
];

/// A user that is made for one pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeUser {
    /// Its name, any text.
    pub name: String,
    /// By what it is known as the pipe's, any text.
    pub mark: String,
    /// The cluster on whose servers it is made, rather than on the one that is asked alone.
    pub on_cluster: Option<String>,
}

/// What a pipe's user may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Insert into these tables of a database, and read them.
    Tables {
        /// The database.
        database: String,
        /// Its tables.
        tables: Vec<String>,
        /// Where it also looks back, as exactly-once delivery does.
        looks_back: Option<LookBack>,
    },
    /// Everything in a database, and looking back as above.
    Database {
        /// The database.
        database: String,
        /// As above.
        looks_back: Option<LookBack>,
    },
    /// What an existing role may do.
    Role(String),
}

/// Looking for rows after a kill of the server, and seeing how long the tables remember what was inserted: see [`Sink::rows_check`],
/// [`Sink::parts_check`] and [`Sink::deduplication_facts`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookBack {
    /// Views of other databases that an insert feeds, and the tables in them that views write to. Those of its own database it sees.
    pub elsewhere: Vec<TableName>,
}

impl LookBack {
    /// What stands behind GRANT for it, beside seeing the tables of its own database.
    fn granted(&self) -> impl Iterator<Item = String> {
        let rights = [
            "SELECT ON system.parts",
            "SELECT ON system.merge_tree_settings",
            "SELECT ON system.replicated_merge_tree_settings",
            "CREATE TEMPORARY TABLE ON *.*",
        ];
        let seen = self.elsewhere.iter().map(|table| format!("{SEES} ON {table}"));
        rights.into_iter().map(str::to_owned).chain(seen)
    }
}

/// Whose a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// There is no such user.
    Nobody,
    /// It was made for this pipe.
    ThisPipe,
    /// It was not made for this pipe.
    SomebodyElse,
}

/// A statement about a user, and what it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct UserStatement {
    purpose: String,
    shown: String,
    sent: String,
    is_for_cluster: bool,
}

impl UserStatement {
    fn new(user: &PipeUser, purpose: String, sql: String) -> UserStatement {
        UserStatement { purpose, shown: sql.clone(), sent: sql, is_for_cluster: user.on_cluster.is_some() }
    }

    /// What it is for, such as ``the creation of the user `loader` ``.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The statement, without the hash of a password that it may have.
    pub fn sql(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for UserStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserStatement")
            .field("purpose", &self.purpose)
            .field("sql", &self.shown)
            .finish_non_exhaustive()
    }
}

impl PipeUser {
    /// Creates it with this password, unless a user of its name is there.
    pub fn create(&self, password: &SecretString) -> UserStatement {
        let (name, cluster) = (quote_identifier(&self.name), cluster_sql(self.on_cluster.as_deref()));
        let mark = quote_string(&self.mark);
        self.identified(password, &format!("the creation of the user {name}"), &|who| {
            format!("CREATE USER IF NOT EXISTS {name}{cluster}\n{who}\nSETTINGS log_comment = {mark}")
        })
    }

    /// Gives it another password.
    pub fn change_password(&self, password: &SecretString) -> UserStatement {
        let (name, cluster) = (quote_identifier(&self.name), cluster_sql(self.on_cluster.as_deref()));
        self.identified(password, &format!("the change of the password of the user {name}"), &|who| {
            format!("ALTER USER {name}{cluster}\n{who}")
        })
    }

    fn identified(
        &self,
        password: &SecretString,
        purpose: &str,
        statement: &dyn Fn(&str) -> String,
    ) -> UserStatement {
        let salt = random_name();
        let hash = Sha256::new().chain_update(password.expose_secret()).chain_update(&salt).finalize();
        let hash = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
        let who = |hash: &str, salt: &str| format!("IDENTIFIED WITH sha256_hash BY {hash} SALT {salt}");
        UserStatement {
            purpose: purpose.to_owned(),
            shown: statement(&who(HIDDEN, HIDDEN)),
            sent: statement(&who(&quote_string(&hash), &quote_string(&salt))),
            is_for_cluster: self.on_cluster.is_some(),
        }
    }

    /// Gives it `access` in place of all rights, or of all roles, that it has.
    pub fn grant(&self, access: &Access) -> UserStatement {
        let name = quote_identifier(&self.name);
        let sql = format!(
            "GRANT{} {} TO {name} WITH REPLACE OPTION",
            cluster_sql(self.on_cluster.as_deref()),
            access.granted().join(", ")
        );
        UserStatement::new(self, format!("the grants of the user {name}"), sql)
    }

    /// Takes from it what [`grant`](Self::grant) leaves it: the roles that are no part of rights, or the rights beside a role.
    pub fn revoke_others(&self, access: &Access) -> UserStatement {
        let name = quote_identifier(&self.name);
        let what = match access {
            Access::Tables { .. } | Access::Database { .. } => "ALL",
            Access::Role(_) => "ALL ON *.*",
        };
        let sql = format!("REVOKE{} {what} FROM {name}", cluster_sql(self.on_cluster.as_deref()));
        UserStatement::new(self, format!("the end of other grants of the user {name}"), sql)
    }

    /// Drops it.
    pub fn drop(&self) -> UserStatement {
        let name = quote_identifier(&self.name);
        let sql = format!("DROP USER IF EXISTS {name}{}", cluster_sql(self.on_cluster.as_deref()));
        UserStatement::new(self, format!("the removal of the user {name}"), sql)
    }
}

impl Access {
    /// What stands behind GRANT, element by element.
    pub(crate) fn granted(&self) -> Vec<String> {
        match self {
            Access::Tables { database, tables, looks_back } => {
                let database = quote_identifier(database);
                let of_table =
                    |table: &String| format!("INSERT, SELECT ON {database}.{}", quote_identifier(table));
                // Views write there, also those that are made while the pipe runs.
                let sees = looks_back.iter().map(|_| format!("{SEES} ON {database}.*"));
                let look_back = sees.chain(looks_back.iter().flat_map(LookBack::granted));
                tables.iter().map(of_table).chain(look_back).collect()
            }
            Access::Database { database, looks_back } => {
                let all = format!("ALL ON {}.*", quote_identifier(database));
                std::iter::once(all).chain(looks_back.iter().flat_map(LookBack::granted)).collect()
            }
            Access::Role(role) => vec![quote_identifier(role)],
        }
    }
}

impl Sink {
    /// Runs a statement about a user.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; its text has the statement's purpose, and neither a password nor a hash.
    pub async fn run(&self, statement: &UserStatement) -> Result<(), SinkError> {
        self.define(&statement.purpose, &statement.sent, statement.is_for_cluster).await
    }

    /// Whose the user of this name is, as this one may see.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; code 497 where this user may not see others.
    pub async fn owner(&self, user: &PipeUser) -> Result<Owner, SinkError> {
        let name = quote_identifier(&user.name);
        let operation = format!("a question for the user {name}");
        match self.read_one::<String>(&operation, &format!("SHOW CREATE USER {name}")).await {
            Ok(definition) if is_marked(&definition, &user.mark) => Ok(Owner::ThisPipe),
            Ok(_) => Ok(Owner::SomebodyElse),
            Err(error) if error.code() == Some(UNKNOWN_USER) => Ok(Owner::Nobody),
            Err(error) => Err(error),
        }
    }

    /// Creates `user` with this password, unless it is there.
    ///
    /// # Errors
    /// [`SinkError::ForeignUser`] where the name is somebody else's; [`SinkError::NotThereYet`] where a cluster has not come to it; any
    /// [`SinkError`] of a request.
    pub async fn create_user(&self, user: &PipeUser, password: &SecretString) -> Result<(), SinkError> {
        let foreign = || SinkError::ForeignUser { user: user.name.clone() };
        match self.run(&user.create(password)).await {
            // It is kept elsewhere, as in the server's configuration.
            Err(error) if error.code() == Some(ALREADY_EXISTS) => return Err(foreign()),
            other => other?,
        }
        // One that was there is left as it was.
        match self.owner(user).await? {
            Owner::ThisPipe => Ok(()),
            Owner::SomebodyElse => Err(foreign()),
            Owner::Nobody => {
                Err(SinkError::NotThereYet { what: format!("the user {}", quote_identifier(&user.name)) })
            }
        }
    }

    /// Drops `user` where it is this pipe's, and says whose it was.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn drop_user(&self, user: &PipeUser) -> Result<Owner, SinkError> {
        let owner = self.owner(user).await?;
        if owner == Owner::ThisPipe {
            self.run(&user.drop()).await?;
        }
        Ok(owner)
    }

    /// Whether the server knows this user with this password.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request that says something else.
    pub async fn is_let_in(&self) -> Result<bool, SinkError> {
        match self.server().await {
            Ok(_) => Ok(true),
            // Whatever else a server refuses, it refuses to somebody whom it knows.
            Err(error) => error.code().map(|code| !NOT_LET_IN.contains(&code)).ok_or(error),
        }
    }

    /// What this user lacks to make another one. Whether it may pass on the rights that a pipe's user gets, the server tells when it does.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn user_rights_check(&self) -> Result<Vec<GrantProblem>, SinkError> {
        let mut problems = Vec::new();
        for (privilege, needed_to) in RIGHTS {
            if !self.is_granted(&format!("{privilege} ON *.*")).await? {
                let detail = format!("without it this user cannot {needed_to}");
                problems.push(self.missing(privilege, "*", "*.*", detail));
            }
        }
        Ok(problems)
    }
}

/// Whether the definition of a user, as the server writes it, has the mark among its settings.
fn is_marked(definition: &str, mark: &str) -> bool {
    let setting = format!("log_comment = {}", quote_string(mark));
    definition.match_indices(&setting).any(|(at, _)| definition[..at].contains(" SETTINGS "))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn user() -> PipeUser {
        PipeUser {
            name: "housepipe_`clicks`".to_owned(),
            mark: "housepipe: pipe clicks, group 'it'".to_owned(),
            on_cluster: None,
        }
    }

    fn tables(looks_back: bool) -> Access {
        let looks_back = looks_back.then(LookBack::default);
        let tables = vec!["clicks".to_owned(), "clicks_clickpipes_error".to_owned()];
        Access::Tables { database: "an`alytics".to_owned(), tables, looks_back }
    }

    #[test]
    fn statements_are_as_published() {
        let elsewhere = vec![TableName { database: "archive".to_owned(), table: "daily".to_owned() }];
        let looks_back = Some(LookBack { elsewhere });
        let database = Access::Database { database: "analytics".to_owned(), looks_back };
        let role = Access::Role("load`ers".to_owned());
        let password = SecretString::from("hunter2");
        let of = |user: &PipeUser| -> String {
            let statements = [
                user.create(&password),
                user.change_password(&password),
                user.grant(&tables(false)),
                user.revoke_others(&tables(false)),
                user.grant(&tables(true)),
                user.grant(&database),
                user.grant(&role),
                user.revoke_others(&role),
                user.drop(),
            ];
            statements.iter().map(|it| format!("{}\n", it.sql())).collect()
        };
        expect![[r#"
            CREATE USER IF NOT EXISTS `housepipe_\`clicks\``
            IDENTIFIED WITH sha256_hash BY '…' SALT '…'
            SETTINGS log_comment = 'housepipe: pipe clicks, group \'it\''
            ALTER USER `housepipe_\`clicks\``
            IDENTIFIED WITH sha256_hash BY '…' SALT '…'
            GRANT INSERT, SELECT ON `an\`alytics`.`clicks`, INSERT, SELECT ON `an\`alytics`.`clicks_clickpipes_error` TO `housepipe_\`clicks\`` WITH REPLACE OPTION
            REVOKE ALL FROM `housepipe_\`clicks\``
            GRANT INSERT, SELECT ON `an\`alytics`.`clicks`, INSERT, SELECT ON `an\`alytics`.`clicks_clickpipes_error`, SHOW TABLES, SHOW COLUMNS ON `an\`alytics`.*, SELECT ON system.parts, SELECT ON system.merge_tree_settings, SELECT ON system.replicated_merge_tree_settings, CREATE TEMPORARY TABLE ON *.* TO `housepipe_\`clicks\`` WITH REPLACE OPTION
            GRANT ALL ON `analytics`.*, SELECT ON system.parts, SELECT ON system.merge_tree_settings, SELECT ON system.replicated_merge_tree_settings, CREATE TEMPORARY TABLE ON *.*, SHOW TABLES, SHOW COLUMNS ON `archive`.`daily` TO `housepipe_\`clicks\`` WITH REPLACE OPTION
            GRANT `load\`ers` TO `housepipe_\`clicks\`` WITH REPLACE OPTION
            REVOKE ALL ON *.* FROM `housepipe_\`clicks\``
            DROP USER IF EXISTS `housepipe_\`clicks\``
        "#]].assert_eq(&of(&user()));
        let everywhere =
            PipeUser { name: "u".to_owned(), mark: "m".to_owned(), on_cluster: Some("{c}".to_owned()) };
        expect![[r#"
            CREATE USER IF NOT EXISTS `u` ON CLUSTER `{c}`
            IDENTIFIED WITH sha256_hash BY '…' SALT '…'
            SETTINGS log_comment = 'm'
            ALTER USER `u` ON CLUSTER `{c}`
            IDENTIFIED WITH sha256_hash BY '…' SALT '…'
            GRANT ON CLUSTER `{c}` INSERT, SELECT ON `an\`alytics`.`clicks`, INSERT, SELECT ON `an\`alytics`.`clicks_clickpipes_error` TO `u` WITH REPLACE OPTION
            REVOKE ON CLUSTER `{c}` ALL FROM `u`
            GRANT ON CLUSTER `{c}` INSERT, SELECT ON `an\`alytics`.`clicks`, INSERT, SELECT ON `an\`alytics`.`clicks_clickpipes_error`, SHOW TABLES, SHOW COLUMNS ON `an\`alytics`.*, SELECT ON system.parts, SELECT ON system.merge_tree_settings, SELECT ON system.replicated_merge_tree_settings, CREATE TEMPORARY TABLE ON *.* TO `u` WITH REPLACE OPTION
            GRANT ON CLUSTER `{c}` ALL ON `analytics`.*, SELECT ON system.parts, SELECT ON system.merge_tree_settings, SELECT ON system.replicated_merge_tree_settings, CREATE TEMPORARY TABLE ON *.*, SHOW TABLES, SHOW COLUMNS ON `archive`.`daily` TO `u` WITH REPLACE OPTION
            GRANT ON CLUSTER `{c}` `load\`ers` TO `u` WITH REPLACE OPTION
            REVOKE ON CLUSTER `{c}` ALL ON *.* FROM `u`
            DROP USER IF EXISTS `u` ON CLUSTER `{c}`
        "#]].assert_eq(&of(&everywhere));
    }

    #[test]
    fn a_password_is_sent_as_a_salted_hash_and_shown_as_nothing() {
        let password = SecretString::from("hunter2");
        let (one, other) = (user().create(&password), user().create(&password));
        assert_ne!(one.sent, other.sent, "the salt is another one each time");
        assert_eq!((one.sql(), one.purpose()), (other.sql(), other.purpose()));
        assert!(!one.sent.contains("hunter2"), "{}", one.sent);
        let (_, salt) = one.sent.rsplit_once("SALT '").unwrap();
        let (salt, _) = salt.split_once('\'').unwrap();
        let hash = Sha256::digest(format!("hunter2{salt}"));
        let hash: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        assert!(one.sent.contains(&format!("BY '{hash}' SALT ")), "{}", one.sent);
        let shown = format!("{one:?} {}", one.sql());
        assert!(!shown.contains(&hash) && !shown.contains(salt), "{shown}");
    }

    #[test]
    fn only_the_settings_mark_a_user() {
        let mark = "housepipe: pipe a, group b's";
        let quoted = quote_string(mark);
        for (definition, is_ours) in [
            (format!("CREATE USER u IDENTIFIED WITH sha256_password SETTINGS log_comment = {quoted}"), true),
            (
                format!("CREATE USER u SETTINGS max_threads = 1, log_comment = {quoted} CONST GRANTEES ANY"),
                true,
            ),
            ("CREATE USER u IDENTIFIED WITH sha256_password SETTINGS PROFILE `default`".to_owned(), false),
            (format!("CREATE USER `log_comment = {quoted}` SETTINGS max_threads = 1"), false),
            (format!("CREATE USER `log_comment = {quoted}`"), false),
            ("CREATE USER u SETTINGS log_comment = 'housepipe: pipe a, group b'".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_marked(&definition, mark), is_ours, "{definition}");
        }
        let mark = "housepipe: pipe a, topic t at b SETTINGS c";
        let definition = format!("CREATE USER u SETTINGS log_comment = {}", quote_string(mark));
        assert!(is_marked(&definition, mark), "whatever stands in a mark");
    }
}
