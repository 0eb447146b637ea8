//! Users that statements make, before an engine that has no place for them.
//!
//! A ClickHouse server keeps such users in its `local_directory`. The engine of chdb-core is that of clickhouse-local, which knows the users of
//! its configuration alone, and answers CREATE USER with error 514. So this stands before it and keeps them: it has the engine parse each
//! statement, writes the user into the configuration with the rights that the statements have given it, and starts the engine again. What a
//! user may then do, the engine itself decides. Before a server that keeps users by itself nothing is done but passing on.

mod directory;
mod request;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::http::{self, Session};
use super::{Clickhouse, USER_APP, xml_text};
use crate::error::{Result, StackError};
use directory::{Directory, Kept, Outcome, Refusal, text};
use request::{answer, header, read_head, without_header};

/// The password by which the engine knows a kept user. Whoever calls gives the user's own, which is looked at here.
const ENGINE_PASSWORD: &str = "kept";

/// Time for the engine to come back after a start, at most.
const BACK_MAX: Duration = Duration::from_secs(60);

/// Something with a ClickHouse in it.
pub trait KeepsUsers: Send + Sync + 'static {
    /// That ClickHouse.
    fn clickhouse(&self) -> &Clickhouse;
}

impl KeepsUsers for Clickhouse {
    fn clickhouse(&self) -> &Clickhouse {
        self
    }
}

/// Stands before a ClickHouse for as long as the process lives.
#[derive(Debug)]
pub struct UserKeeper {
    address: SocketAddr,
}

struct Keeper<T> {
    server: Arc<T>,
    /// It needs nobody to keep its users.
    is_by_itself: bool,
    kept: Mutex<Directory>,
}

impl UserKeeper {
    /// Before `server`.
    ///
    /// # Errors
    /// [`StackError`] where the server does not answer.
    pub fn before<T: KeepsUsers>(server: &Arc<T>) -> Result<UserKeeper> {
        let probe = "CREATE USER IF NOT EXISTS housepipe_probe IDENTIFIED WITH no_password HOST NONE";
        let is_by_itself = match server.clickhouse().query(probe) {
            Ok(_) => server.clickhouse().query("DROP USER housepipe_probe").map(|_| true)?,
            Err(StackError::Query { code: Some(514), .. }) => false,
            Err(error) => return Err(error),
        };
        let bound =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr().map(|address| (it, address)));
        let (listener, address) = bound.map_err(StackError::file("listen for", "127.0.0.1:0".as_ref()))?;
        let keeper = Arc::new(Keeper { server: Arc::clone(server), is_by_itself, kept: Mutex::default() });
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::result::Result::ok) {
                let keeper = Arc::clone(&keeper);
                // Whoever hangs up is of no interest.
                thread::spawn(move || keeper.serve(client).ok());
            }
        });
        Ok(UserKeeper { address })
    }

    /// Where it listens, as the URL of an HTTP interface.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether there is a user of this name.
    ///
    /// # Errors
    /// [`StackError`] where the server does not say.
    pub fn knows(&self, name: &str) -> Result<bool> {
        let session = Session { user: USER_APP.name, password: USER_APP.password, database: None };
        match http::send(&http::agent(), &self.url(), session, &format!("SHOW CREATE USER `{name}`")) {
            Ok(_) => Ok(true),
            Err(StackError::Query { code: Some(192), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl<T: KeepsUsers> Keeper<T> {
    fn kept(&self) -> MutexGuard<'_, Directory> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request; each has a connection of its own.
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some((mut head, mut body)) = read_head(&mut client)? else { return Ok(()) };
        let target = head.lines().next().unwrap_or_default();
        let is_statement = !target.contains("?query=") && !target.contains("&query=");
        if let (true, Some(length)) = (is_statement, header(&head, "content-length")) {
            let length: usize = length.parse().unwrap_or_default();
            let (had, mut rest) = (body.len(), vec![0; length.saturating_sub(body.len())]);
            client.read_exact(&mut rest)?;
            body.extend(rest);
            body.truncate(length.max(had));
        }
        if !self.is_by_itself {
            let text = String::from_utf8_lossy(&body).into_owned();
            match self.look(&head, text.trim(), is_statement) {
                Ok(Outcome::Pass) => {}
                Ok(Outcome::Instead(sql)) => {
                    head = without_header(&head, "content-length");
                    head.push_str(&format!("content-length: {}\r\n", sql.len()));
                    body = sql.into_bytes();
                }
                Ok(Outcome::Done) => return answer(&mut client, None),
                Err(refusal) => return answer(&mut client, Some(refusal)),
            }
            if header(&head, "x-clickhouse-user").is_some_and(|user| self.kept().get(user).is_some()) {
                head = without_header(&head, "x-clickhouse-key");
                head.push_str(&format!("x-clickhouse-key: {ENGINE_PASSWORD}\r\n"));
            }
        }
        head = without_header(&head, "connection");
        let mut server = TcpStream::connect(self.server.clickhouse().url().trim_start_matches("http://"))?;
        server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
        server.write_all(&body)?;
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            // What is left of a body that comes in pieces; either side may hang up.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        std::io::copy(&mut server, &mut client)?;
        client.shutdown(Shutdown::Both)
    }

    /// Does what a statement about users asks for, or says what is to be passed on.
    fn look(&self, head: &str, sql: &str, is_statement: bool) -> std::result::Result<Outcome, Refusal> {
        let user = header(head, "x-clickhouse-user").unwrap_or("default");
        let key = header(head, "x-clickhouse-key").unwrap_or_default();
        let known = self.kept().get(user).cloned();
        if let Some(kept) = &known
            && !kept.is_let_in(key)
        {
            let words = "Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)";
            return Err((516, format!("{user}: {words}")));
        }
        let first = sql.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let right = match first.as_str() {
            _ if !is_statement => return Ok(Outcome::Pass),
            "CREATE USER" | "ALTER USER" | "DROP USER" => first.as_str(),
            "SHOW CREATE" if sql.starts_with("SHOW CREATE USER") => "SHOW USERS",
            _ if first.starts_with("GRANT ") || first.starts_with("REVOKE ") => "ALTER USER",
            _ => return Ok(Outcome::Pass),
        };
        let clickhouse = self.server.clickhouse();
        // The engine knows what is a statement.
        let parsed = clickhouse.query(&format!("SELECT formatQuerySingleLine({}) FORMAT RawBLOB", text(sql)));
        let parsed = parsed.map_err(refusal)?;
        let password = if known.is_some() { ENGINE_PASSWORD } else { key };
        let session = Session { user, password, database: None };
        let question = format!("CHECK GRANT {right} ON *.*");
        let may = http::send(&clickhouse.agent, &clickhouse.url, session, &question).map_err(refusal)?;
        if may.trim() != "1" {
            let words = format!(
                "{user}: Not enough privileges. To execute this query, it's necessary to have the grant {right} ON *.*. (ACCESS_DENIED)"
            );
            return Err((497, words));
        }
        let mut kept = self.kept();
        let before = kept.clone();
        let outcome = kept.carry_out(parsed.trim(), &|sql| clickhouse.query(sql).map_err(refusal))?;
        if *kept != before {
            self.renew(&kept).map_err(refusal)?;
        }
        Ok(outcome)
    }

    /// Starts the engine with these users beside its own.
    fn renew(&self, kept: &Directory) -> Result<()> {
        let (mut users, mut profiles) = (String::new(), String::new());
        for (name, Kept { mark, rights, role, .. }) in kept.users() {
            let rights = if rights.is_empty() { "NONE ON *.*" } else { rights };
            let grants: String = [rights, role.as_str()]
                .iter()
                .filter(|it| !it.is_empty())
                .map(|it| format!("<query>GRANT {}</query>", xml_text(it)))
                .collect();
            users.push_str(&format!(
                "<{name}><password>{ENGINE_PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>\
                 <profile>{name}</profile><quota>default</quota><grants>{grants}</grants></{name}>\n"
            ));
            profiles.push_str(&format!("<{name}><log_comment>{}</log_comment></{name}>\n", xml_text(mark)));
        }
        let clickhouse = self.server.clickhouse();
        let file = clickhouse.folder().join("users.xml");
        let base = clickhouse.folder().join("users.base.xml");
        if !base.exists() {
            fs::copy(&file, &base).map_err(StackError::file("copy", &file))?;
        }
        let text = fs::read_to_string(&base).map_err(StackError::file("read", &base))?;
        let text = text.replace("<!-- @USERS@ -->", &users).replace("<!-- @PROFILES@ -->", &profiles);
        fs::write(&file, text).map_err(StackError::file("write", &file))?;
        clickhouse.start_again()?;
        clickhouse.wait_ready(Instant::now() + BACK_MAX)
    }
}

/// What the engine has refused.
fn refusal(error: StackError) -> Refusal {
    match error {
        StackError::Query { code: Some(code), text, .. } => {
            let words = text.split_once("DB::Exception: ").map_or(text.as_str(), |(_, words)| words);
            let words = words.rsplit_once(" (version ").map_or(words, |(words, _)| words);
            (code, words.to_owned())
        }
        other => (1001, format!("{other} (STD_EXCEPTION)")),
    }
}
