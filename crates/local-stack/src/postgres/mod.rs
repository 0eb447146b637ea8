//! A PostgreSQL server.

mod files;
mod scram;
mod template;
mod wire;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Result, StackError};
use crate::keeper::{Keeper, Launch};
use crate::prepare::Parts;
use crate::run_folder::RunFolder;
use crate::{User, wait};
pub(crate) use files::PostgresFiles;
use template::DATA;
use wire::Failure;

const SERVER: &str = "PostgreSQL";
/// A start takes half a second on an idle machine, and more after a kill; one under load gets this long.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long the last process of a killed server may take to be gone.
const GONE_MAX: Duration = Duration::from_secs(20);
/// Attempts with other ports, where somebody took one between the choice and the start.
const ATTEMPTS_MAX: usize = 3;
/// The database that is always there.
const FIRST_DATABASE: &str = "postgres";
/// Removes the shared memory that the file `postmaster.pid` of a killed server names in its seventh line, by key and id.
const FORGET_PY: &str = "import ctypes, sys
ctypes.CDLL(None).shmctl(int(open(sys.argv[1]).read().splitlines()[6].split()[1]), 0, None)";

/// May do everything. It is asked for its password by SCRAM-SHA-256.
pub const USER_POSTGRES: User = User { name: "postgres", password: "postgres-secret" };

/// A PostgreSQL server on loopback. Dropping it kills the server and removes its folder.
///
/// Its encoding is UTF-8, its locale `C`, its time zone UTC, and what it has acknowledged is on disk.
///
/// ```no_run
/// use housepipe_local_stack::{Postgres, Silent, Wanted, prepare_wanted};
/// let parts = prepare_wanted(&Wanted::pinned().with_postgres(), &mut Silent)?;
/// let postgres = Postgres::start(&parts)?;
/// println!("{}", postgres.new_database()?);
/// assert_eq!(postgres.query("postgres", "SELECT 1 + 1")?, "2\n");
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
#[derive(Debug)]
pub struct Postgres {
    keeper: Mutex<Keeper>,
    launch: Launch,
    python: PathBuf,
    port: u16,
    token: String,
    folder: PathBuf,
    /// How many databases were made.
    databases: AtomicU32,
}

impl Postgres {
    /// Starts a server in a folder of its own and waits until it answers. Where we are root it runs as `nobody`.
    ///
    /// # Errors
    /// [`StackError::Ended`] and [`StackError::NotReady`] quote its log; [`StackError::NotPrepared`] where `parts` were prepared
    /// without one.
    pub fn start(parts: &Parts) -> Result<Self> {
        let not_prepared = StackError::NotPrepared { server: SERVER, with: "with_postgres" };
        let files = parts.postgres.as_ref().ok_or(not_prepared)?;
        let mut attempt = 1;
        loop {
            let run = RunFolder::make(&parts.cache, "postgres", 1)?;
            match Self::start_in(run, files, parts.python()?) {
                Err(StackError::PortTaken { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                result => return result,
            }
        }
    }

    fn start_in(run: RunFolder, files: &PostgresFiles, python: &Path) -> Result<Self> {
        let (folder, token) = (run.path.clone(), run.token.clone());
        // RunFolder gave as many ports as were asked for.
        let port = run.ports[0];
        let launch = files.launch(python, &folder, port, &token);
        let mut keeper = Keeper::new(SERVER, python, run, &[])?;
        files.copy_data(&folder)?;
        keeper.start(&launch)?;
        let postgres = Self {
            keeper: Mutex::new(keeper),
            launch,
            python: python.to_owned(),
            port,
            token,
            folder,
            databases: AtomicU32::new(0),
        };
        postgres.wait_ready(Instant::now() + READY_MAX).map_err(|error| postgres.keeper().explain(error))?;
        Ok(postgres)
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A panic elsewhere leaves the keeper as usable as before.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a database is, with [`USER_POSTGRES`]: `postgres://user:password@127.0.0.1:PORT/database`. The database
    /// `postgres` is always there. The name is taken as it is, so one of letters, digits and underscores.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let User { name, password } = USER_POSTGRES;
        format!("postgres://{name}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database that is nobody else's and returns its [`Postgres::url`].
    ///
    /// # Errors
    /// As [`Postgres::query`].
    pub fn new_database(&self) -> Result<String> {
        let name = format!("db_{}", self.databases.fetch_add(1, Ordering::Relaxed) + 1);
        self.query(FIRST_DATABASE, &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// Runs a statement in a session of its own, as [`USER_POSTGRES`], and returns its rows: columns are parted by tabs,
    /// each row ends with a line feed, null is `\N`. For what a test sets up and looks at; nothing in it is escaped.
    ///
    /// # Errors
    /// [`StackError::Sql`] in the server's own words, [`StackError::NoAnswer`] where there is none within 30 seconds.
    pub fn query(&self, database: &str, sql: &str) -> Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        wire::query(address, USER_POSTGRES, database, sql).map_err(|failure| match failure {
            Failure::Io(source) => StackError::NoAnswer { address, source },
            Failure::Refused { sqlstate, text } => StackError::Sql { sqlstate, text },
        })
    }

    /// The folder with its data and log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The id of the server's first process, or `None` where it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.keeper().pid()
    }

    /// Waits until it answers, and not another one that took its port.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let mut last = String::new();
        let ready = wait::until(deadline, || {
            match self.query(FIRST_DATABASE, "SHOW cluster_name") {
                Ok(name) if name.trim_end() == self.token => return Some(Ok(())),
                Ok(_) => last = format!("another server answers at port {}", self.port),
                Err(StackError::NoAnswer { source, .. }) => last = source.to_string(),
                Err(error) => last = error.to_string(),
            }
            self.keeper().check_alive().err().map(Err)
        });
        ready.unwrap_or_else(|| {
            let tail = self.keeper().log_tail();
            Err(StackError::NotReady { server: SERVER, waited: began.elapsed(), last, tail })
        })
    }

    /// SIGKILL, and wait until the last of its processes is gone. Its folder stays; its shared memory does not, as after
    /// a power cut.
    ///
    /// # Errors
    /// [`StackError::Keeper`] where it cannot be ended.
    pub fn kill(&self) -> Result<()> {
        self.kill_by(&mut self.keeper())
    }

    fn kill_by(&self, keeper: &mut Keeper) -> Result<()> {
        keeper.kill()?;
        let log = keeper.log();
        let is_gone = || is_unlocked(&log).then_some(());
        if wait::until(Instant::now() + GONE_MAX, is_gone).is_none() {
            let what = "could not end the last of its processes".to_owned();
            return Err(StackError::Keeper { server: SERVER, what });
        }
        self.forget_memory();
        Ok(())
    }

    /// Removes the shared memory of a killed server, which no one else would where it is not started again.
    fn forget_memory(&self) {
        let note = self.folder.join(DATA).join("postmaster.pid");
        if note.is_file() {
            // The note of a server that was killed early names none.
            let _ = Command::new(&self.python)
                .args(["-I", "-S", "-c", FORGET_PY])
                .arg(&note)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .status();
            // The next server would look for the process, whose number may be another's by then.
            let _ = fs::remove_file(&note);
        }
    }

    /// Kills it where it runs, starts it again with the same data on the same port, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn restart(&self) -> Result<()> {
        {
            let mut keeper = self.keeper();
            self.kill_by(&mut keeper)?;
            keeper.start(&self.launch)?;
        }
        self.wait_ready(Instant::now() + READY_MAX)
    }
}

/// Whether no process of a server is left: all of them hold the lock of its log; see `launcher.py`.
fn is_unlocked(log: &Path) -> bool {
    match File::open(log) {
        Ok(log) => log.try_lock().is_ok(),
        // The keeper was killed and another owner has removed the folder.
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
