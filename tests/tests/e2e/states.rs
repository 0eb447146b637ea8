//! Where the services of a test keep what is wanted of them: in a file, or in PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::path::{Path, PathBuf};

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
        self.serve_with(&[])
    }

    /// The same with further arguments.
    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Kept<'_> {
        match self {
            Place::Files => Kept { served: Served::start_with(arguments), database: None },
            Place::Postgres(server) => {
                let url = server.new_database().unwrap();
                let database = url.rsplit('/').next().unwrap().to_owned();
                let served = Served::start_on_with(&url, arguments);
                Kept { served, database: Some((server, database)) }
            }
        }
    }
}

impl Kept<'_> {
    /// All that its state holds, as text, and what PostgreSQL has written down of it.
    pub(crate) fn contents(&self) -> Vec<String> {
        let text = |path: PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let files_of = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.is_file()).collect()
        };
        let Some((server, database)) = &self.database else {
            return files_of(self.served.folder()).into_iter().map(text).collect();
        };
        let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
        let tables = server.query(database, tables).unwrap();
        let rows = |table: &str| server.query(database, &format!("SELECT t::text FROM {table} t")).unwrap();
        tables.lines().map(rows).chain(files_of(server.folder()).into_iter().map(text)).collect()
    }

    /// Starts it again where it has ended. In PostgreSQL a process that was killed would be waited for a minute wherever a pipe is removed, since
    /// it may run the pipe elsewhere: it is made one of long ago.
    pub(crate) fn start_again(&mut self) {
        if let Some((server, database)) = &self.database {
            server.query(database, "UPDATE replicas SET seen_ms = 0").unwrap();
        }
        self.served.start_again();
    }
}
