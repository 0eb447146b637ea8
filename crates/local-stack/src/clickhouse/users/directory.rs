//! The users that statements have made, and what becomes of them by the next one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sha2::{Digest, Sha256};

/// An answer as ClickHouse gives it: the code, and the words.
pub(super) type Refusal = (i32, String);

/// Asks the engine, which knows the users and roles of its configuration.
pub(super) type Ask<'a> = &'a dyn Fn(&str) -> Result<String, Refusal>;

/// A kept user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    hash: String,
    salt: String,
    pub(super) mark: String,
    /// What stands behind GRANT, of rights and of roles.
    pub(super) rights: String,
    pub(super) role: String,
}

impl Kept {
    pub(super) fn is_let_in(&self, password: &str) -> bool {
        let hash = Sha256::new().chain_update(password).chain_update(&self.salt).finalize();
        self.hash == hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"))
    }

    fn identify(&mut self, sql: &str) {
        (self.hash, self.salt) = (unquoted(sql, " BY "), unquoted(sql, " SALT "));
    }
}

/// What becomes of a request.
pub(super) enum Outcome {
    /// It goes on as it is.
    Pass,
    /// Another statement goes on.
    Instead(String),
    /// Nothing is left to do.
    Done,
}

/// The kept users by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directory(BTreeMap<String, Kept>);

impl Directory {
    pub(super) fn get(&self, name: &str) -> Option<&Kept> {
        self.0.get(name)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = (&String, &Kept)> {
        self.0.iter()
    }

    /// Carries a statement out that the engine has written in its own way.
    pub(super) fn carry_out(&mut self, sql: &str, ask: Ask<'_>) -> Result<Outcome, Refusal> {
        if sql.contains(" ON CLUSTER ") {
            return Err((701, "Requested cluster not found. (CLUSTER_DOESNT_EXIST)".to_owned()));
        }
        if sql.starts_with("SHOW ") {
            let Some(kept) = self.get(&name(sql, "SHOW CREATE USER ")) else { return Ok(Outcome::Pass) };
            let definition = format!(
                "CREATE USER u IDENTIFIED WITH sha256_password SETTINGS log_comment = {}",
                text(&kept.mark)
            );
            return Ok(Outcome::Instead(format!("SELECT {}", text(&definition))));
        }
        match sql.split_whitespace().next() {
            Some("CREATE") => self.create(sql, ask)?,
            Some("DROP") => drop(self.0.remove(&name(sql, "IF EXISTS "))),
            Some("ALTER") => self.known(&name(sql, "ALTER USER "))?.identify(sql),
            Some("GRANT") => self.grant(sql, ask)?,
            _ => {
                let user = self.known(&name(sql, " FROM "))?;
                if sql.contains(" ON ") { user.rights.clear() } else { user.role.clear() }
            }
        }
        Ok(Outcome::Done)
    }

    fn create(&mut self, sql: &str, ask: Ask<'_>) -> Result<(), Refusal> {
        let name = name(sql, "IF NOT EXISTS ");
        let Entry::Vacant(free) = self.0.entry(name.clone()) else { return Ok(()) };
        if ask(&format!("SHOW CREATE USER `{name}`")).is_ok() {
            let words =
                format!("User `{name}` already exists in storage users_xml. (ACCESS_ENTITY_ALREADY_EXISTS)");
            return Err((493, words));
        }
        let mut user = Kept { mark: unquoted(sql, "log_comment = "), ..Kept::default() };
        user.identify(sql);
        free.insert(user);
        Ok(())
    }

    /// With the option that replaces what was granted before, which all of these statements have.
    fn grant(&mut self, sql: &str, ask: Ask<'_>) -> Result<(), Refusal> {
        let (what, _) = sql.trim_start_matches("GRANT ").split_once(" TO ").unwrap_or_default();
        let user = self.known(&name(sql, " TO "))?;
        if what.contains(" ON ") {
            what.clone_into(&mut user.rights);
        } else {
            ask(&format!("SHOW CREATE ROLE {what}"))?;
            what.clone_into(&mut user.role);
        }
        Ok(())
    }

    fn known(&mut self, name: &str) -> Result<&mut Kept, Refusal> {
        let unknown = || (192, format!("There is no user `{name}` in `user directories`. (UNKNOWN_USER)"));
        self.0.get_mut(name).ok_or_else(unknown)
    }
}

/// The name that stands behind `before`.
fn name(sql: &str, before: &str) -> String {
    let rest = sql.split_once(before).map_or("", |(_, rest)| rest);
    let end = rest.find(' ').unwrap_or(rest.len());
    rest[..end].trim_matches('`').to_owned()
}

/// What stands in quotes behind `before`, without them.
fn unquoted(sql: &str, before: &str) -> String {
    let rest = sql.split_once(before).map_or("", |(_, rest)| rest).trim_start_matches('\'');
    let (mut out, mut characters) = (String::new(), rest.chars());
    while let Some(character) = characters.next() {
        match character {
            '\'' => break,
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// `text` as a literal of SQL.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
