//! Where the services of a test keep what is wanted of them: in a file, or in PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use housepipe_local_stack::Postgres;
use housepipe_tests::{Served, own_postgres};

/// A place for states.
pub(crate) enum Place {
    /// A file for each.
    Files,
    /// A database for each.
    Postgres(Box<Postgres>),
}

/// A service with a new state there.
pub(crate) struct Kept<'a> {
    pub(crate) served: Served,
    /// The server and the database, where it is none in a file.
    database: Option<(&'a Postgres, String)>,
}

impl Place {
    /// On a PostgreSQL of its own.
    pub(crate) fn postgres() -> Place {
        Place::Postgres(Box::new(own_postgres()))
    }

    /// A service with a new state.
    pub(crate) fn serve(&self) -> Kept<'_> {
        match self {
            Place::Files => Kept { served: Served::start(), database: None },
            Place::Postgres(server) => {
                let url = server.new_database().unwrap();
                let database = url.rsplit('/').next().unwrap().to_owned();
                let served = Served::start_on(&url, None);
                Kept { served, database: Some((server, database)) }
            }
        }
    }
}

impl Kept<'_> {
    /// Starts it again where it has ended. In PostgreSQL a process that was killed would be waited for a minute wherever a pipe is removed, since
    /// it may run the pipe elsewhere: it is made one of long ago.
    pub(crate) fn start_again(&mut self) {
        if let Some((server, database)) = &self.database {
            server.query(database, "UPDATE replicas SET seen_ms = 0").unwrap();
        }
        self.served.start_again();
    }
}
