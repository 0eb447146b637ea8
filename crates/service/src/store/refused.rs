//! Whether the database refuses connections at the moment.
//!
//! A pool tries again for as long as a call may wait for a connection, which is longer than probes and callers wait. So a call that waits for
//! one looks whether anybody listens there, and the calls behind it believe what it has found for a moment.

use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Time without a connection behind which a call looks whether connections are refused, in milliseconds, and then again and again.
const LOOK_MS: u64 = 500;
/// Time for which calls believe that they are, in milliseconds.
const REFUSED_MS: u64 = 1_000;
/// Time for a look, in milliseconds.
const LOOK_MS_MAX: u64 = 2_000;

/// Where a database listens.
#[derive(Debug)]
pub(super) struct Door {
    host: String,
    port: u16,
    /// When it was found to be shut.
    refused: Mutex<Option<Instant>>,
    /// Held by whoever looks: one at a time is enough.
    looks: tokio::sync::Mutex<()>,
}

impl Door {
    /// That of a URL of PostgreSQL; none where it is a socket of this machine, or the URL cannot be read.
    pub(super) fn of(url: &str) -> Option<Door> {
        let options = PgConnectOptions::from_str(url).ok()?;
        let host = options.get_host().to_owned();
        let is_socket = options.get_socket().is_some() || host.starts_with('/');
        let looks = tokio::sync::Mutex::default();
        (!is_socket).then(|| Door { host, port: options.get_port(), refused: Mutex::default(), looks })
    }

    /// Whether it was shut a moment ago.
    pub(super) fn is_shut(&self) -> bool {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|at| at.elapsed() < Duration::from_millis(REFUSED_MS))
    }

    /// Returns once it is found to be shut.
    pub(super) async fn until_shut(&self) {
        while !self.is_shut() {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            if let Ok(_looks) = self.looks.try_lock() {
                self.look().await;
            }
        }
    }

    async fn look(&self) {
        let knock = TcpStream::connect((self.host.trim_matches(['[', ']']), self.port));
        let found = tokio::time::timeout(Duration::from_millis(LOOK_MS_MAX), knock).await;
        let is_shut =
            matches!(found, Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = is_shut.then(Instant::now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_where_the_url_says() {
        let door = |url: &str| Door::of(url).map(|door| format!("{} {}", door.host, door.port));
        assert_eq!(door("postgres://u:p@db.invalid:7/d?sslmode=require").as_deref(), Some("db.invalid 7"));
        assert_eq!(door("postgres://u@%2Fvar%2Frun/d"), None);
        assert_eq!(door("postgres:///d?host=/var/run"), None);
    }
}
