//! A ClickHouse server: the engine of chdb-core, a `clickhouse` binary, or one of the user's own.

mod http;
mod users;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Result, StackError};
use crate::keeper::{Keeper, Launch, Signal};
use crate::prepare::{ClickhousePart, Parts};
use crate::run_folder::RunFolder;
use crate::{User, wait};
use http::Session;
pub use users::{KeepsUsers, UserKeeper};

const CONFIG_XML: &str = include_str!("config.xml");
const USERS_XML: &str = include_str!("users.xml");
const LAUNCHER_PY: &str = include_str!("launcher.py");

const SERVER: &str = "ClickHouse";
/// A start takes about a second; a machine under load gets this long.
const READY_MAX: Duration = Duration::from_secs(60);
/// A stop in order takes a fraction of a second, unless large merges run; then the server is killed, which is safe.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Attempts with other ports, where somebody took one between the choice and the start.
const ATTEMPTS_MAX: usize = 3;

/// May do everything, without a password.
pub const USER_DEFAULT: User = User { name: "default", password: "" };
/// May do everything, with a password.
pub const USER_APP: User = User { name: "app", password: "app-secret" };
/// May read and nothing else, not even change a setting (error 164, READONLY).
pub const USER_READER: User = User { name: "reader", password: "reader-secret" };
/// May read, but neither insert nor create (error 497, ACCESS_DENIED).
pub const USER_LIMITED: User = User { name: "limited", password: "limited-secret" };
/// May read and insert in [`DATABASE`], and sees no other.
pub const USER_NARROW: User = User { name: "narrow", password: "narrow-secret" };
/// May insert in [`DATABASE`], and reads nothing of it.
pub const USER_WRITER: User = User { name: "writer", password: "writer-secret" };

/// May do everything; its queries end after 100 rows, as if there were no more.
pub const USER_BRIEF: User = User { name: "brief", password: "brief-secret" };

/// A role that may insert in [`DATABASE`].
pub const ROLE_LOADERS: &str = "loaders";

/// The working database, made at the start. `default` is an overlay in chdb-core and refuses tables of some engines.
pub const DATABASE: &str = "housepipe";

/// How ClickHouse is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClickhouseOptions {
    /// Memory that the server as a whole may use.
    pub memory_bytes_max: u64,
    /// Memory that one query may use.
    pub query_memory_bytes_max: u64,
}

impl Default for ClickhouseOptions {
    fn default() -> Self {
        Self { memory_bytes_max: 4 << 30, query_memory_bytes_max: 3 << 30 }
    }
}

/// A ClickHouse on loopback. Dropping it kills the server and removes its folder.
///
/// ```no_run
/// use housepipe_local_stack::{Clickhouse, ClickhouseOptions, Silent, prepare};
/// let clickhouse = Clickhouse::start(&prepare(&mut Silent)?, &ClickhouseOptions::default())?;
/// assert_eq!(clickhouse.query("SELECT 1 + 1")?, "2\n");
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
#[derive(Debug)]
pub struct Clickhouse {
    url: String,
    user: String,
    password: String,
    tcp_port: Option<u16>,
    agent: ureq::Agent,
    folder: PathBuf,
    own: Option<Own>,
}

/// What there is besides where the server is ours.
#[derive(Debug)]
struct Own {
    keeper: Mutex<Keeper>,
    launch: Launch,
    stop: Stop,
    /// What the server answers when it is asked for its macro `housepipe_run`.
    token: String,
}

/// How the server is asked to end.
#[derive(Debug)]
enum Stop {
    /// A line into this named pipe.
    Pipe(PathBuf),
    /// SIGTERM.
    Signal,
}

impl Own {
    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A panic elsewhere leaves the keeper as usable as before.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clickhouse {
    /// Starts a server in a folder of its own and waits until it answers, or takes the one that
    /// `CLICKHOUSE_URL` named when `parts` were prepared.
    ///
    /// # Errors
    /// [`StackError::Ended`] and [`StackError::NotReady`] quote the server's log.
    pub fn start(parts: &Parts, options: &ClickhouseOptions) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::attempt(parts, options) {
                Err(StackError::PortTaken { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                result => return result,
            }
        }
    }

    fn attempt(parts: &Parts, options: &ClickhouseOptions) -> Result<Self> {
        if let ClickhousePart::External { url } = &parts.clickhouse {
            let (url, user, password) = split_credentials(url);
            let agent = http::agent();
            let external =
                Self { url, user, password, tcp_port: None, agent, folder: PathBuf::new(), own: None };
            external.become_ready()?;
            return Ok(external);
        }
        Self::start_in(RunFolder::make(&parts.cache, "clickhouse", 2)?, parts, options)
    }

    /// Starts a server in `run`, on its ports.
    fn start_in(run: RunFolder, parts: &Parts, options: &ClickhouseOptions) -> Result<Self> {
        let (folder, token) = (run.path.clone(), run.token.clone());
        // RunFolder gave as many ports as were asked for.
        let (http, tcp) = (run.ports[0], run.ports[1]);
        write_configuration(&folder, http, tcp, &token, options)?;
        let (launch, stop) = launch(parts, &folder)?;
        let mut keeper = Keeper::new(SERVER, parts.python()?, run, &["clickhouse.err.log"])?;
        keeper.start(&launch)?;
        let clickhouse = Self {
            url: format!("http://127.0.0.1:{http}"),
            user: USER_DEFAULT.name.to_owned(),
            password: USER_DEFAULT.password.to_owned(),
            tcp_port: Some(tcp),
            agent: http::agent(),
            folder,
            own: Some(Own { keeper: Mutex::new(keeper), launch, stop, token }),
        };
        match clickhouse.become_ready() {
            Ok(()) => Ok(clickhouse),
            Err(error) => Err(clickhouse.own("start")?.keeper().explain(error)),
        }
    }

    fn become_ready(&self) -> Result<()> {
        self.wait_ready(Instant::now() + READY_MAX)?;
        let session = Session { database: None, ..self.session() };
        let sql = format!("CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic");
        http::send(&self.agent, &self.url, session, &sql).map(drop)
    }

    fn session(&self) -> Session<'_> {
        Session { user: &self.user, password: &self.password, database: Some(DATABASE) }
    }

    /// Base of the HTTP interface, such as `http://127.0.0.1:20123`. It may be shown: what `CLICKHOUSE_URL` says about
    /// the user is in [`Clickhouse::user`] and [`Clickhouse::password`] alone.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The user with all rights: `default`, or the one in `CLICKHOUSE_URL`.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password of [`Clickhouse::user`]; empty where none is asked for.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Port of the native protocol on 127.0.0.1; `None` where the server is the user's own.
    #[must_use]
    pub const fn tcp_port(&self) -> Option<u16> {
        self.tcp_port
    }

    /// The database that [`Clickhouse::query`] works in: [`DATABASE`].
    #[must_use]
    pub const fn database(&self) -> &'static str {
        DATABASE
    }

    /// Runs one statement as [`Clickhouse::user`] in [`DATABASE`] and returns the answer as text, TabSeparated
    /// unless it says `FORMAT`.
    ///
    /// # Errors
    /// [`StackError::Query`] with ClickHouse's code and words, [`StackError::Http`] where there is no answer.
    pub fn query(&self, sql: &str) -> Result<String> {
        http::send(&self.agent, &self.url, self.session(), sql)
    }

    /// As [`Clickhouse::query`], as another user.
    ///
    /// # Errors
    /// As [`Clickhouse::query`].
    pub fn query_as(&self, user: User, sql: &str) -> Result<String> {
        let session = Session { user: user.name, password: user.password, ..self.session() };
        http::send(&self.agent, &self.url, session, sql)
    }

    /// Waits until the server answers queries, and not another one that took its port.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let mut last = String::new();
        let ready = wait::until(deadline, || {
            match http::ping(&self.agent, &self.url).and_then(|()| self.identify()) {
                Ok(()) => return Some(Ok(())),
                Err(reason) => last = reason,
            }
            self.own.as_ref().and_then(|own| own.keeper().check_alive().err()).map(Err)
        });
        ready.unwrap_or_else(|| {
            let tail = self.own.as_ref().map(|own| own.keeper().log_tail()).unwrap_or_default();
            Err(StackError::NotReady { server: SERVER, waited: began.elapsed(), last, tail })
        })
    }

    /// Whether the server that answers is the one that was started here; else why it seems to be another.
    fn identify(&self) -> std::result::Result<(), String> {
        let Some(own) = &self.own else { return Ok(()) };
        let session = Session { database: None, ..self.session() };
        match http::send(&self.agent, &self.url, session, "SELECT getMacro('housepipe_run')") {
            Ok(answer) if answer.trim_end() == own.token => Ok(()),
            Ok(_) => Err(format!("another server answers at {}", self.url)),
            Err(error) => Err(format!("whoever answers does not say who it is: {error}")),
        }
    }

    /// Process id of the server; `None` where it does not run or is the user's own.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.own.as_ref().and_then(|own| own.keeper().pid())
    }

    /// The server's folder with its data, configuration and logs; empty where the server is the user's own.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the server is the user's own, so that it can be neither stopped nor frozen.
    #[must_use]
    pub const fn is_external(&self) -> bool {
        self.own.is_none()
    }

    /// Ends the server in order, so that everything is on disk, and keeps its folder until this value is dropped.
    /// [`Clickhouse::restart`] brings it back.
    ///
    /// # Errors
    /// [`StackError::External`] where it is the user's own.
    pub fn stop(&mut self) -> Result<()> {
        let own = self.own("stop")?;
        let mut keeper = own.keeper();
        if keeper.pid().is_none() {
            return Ok(());
        }
        let asked = match &own.stop {
            Stop::Pipe(pipe) => keeper.write(pipe, "stop\n"),
            Stop::Signal => keeper.signal(Signal::Terminate),
        };
        // A frozen or hanging server cannot be asked; killing it is safe.
        if asked.is_err() || !keeper.wait_exit(Instant::now() + STOP_MAX) {
            keeper.kill()?;
        }
        Ok(())
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::External`] where it is the user's own.
    pub fn kill(&mut self) -> Result<()> {
        self.own("kill")?.keeper().kill()
    }

    /// Kills the server where it runs, starts it again on the same data and ports, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Clickhouse::start`]; [`StackError::External`] where it is the user's own.
    pub fn restart(&mut self) -> Result<()> {
        self.start_again()
    }

    fn start_again(&self) -> Result<()> {
        let own = self.own("restart")?;
        {
            let mut keeper = own.keeper();
            keeper.kill()?;
            keeper.start(&own.launch)?;
        }
        self.become_ready()
    }

    /// SIGSTOP: the server keeps its ports and answers nothing.
    ///
    /// # Errors
    /// [`StackError::External`] where it is the user's own; [`StackError::Keeper`] where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.own("freeze")?.keeper().signal(Signal::Stop)
    }

    /// SIGCONT: undoes [`Clickhouse::freeze`].
    ///
    /// # Errors
    /// As [`Clickhouse::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.own("thaw")?.keeper().signal(Signal::Continue)
    }

    fn own(&self, operation: &'static str) -> Result<&Own> {
        self.own.as_ref().ok_or(StackError::External {
            operation,
            server: SERVER,
            variable: "CLICKHOUSE_URL",
        })
    }
}

/// Takes `user:password@` out of a URL, since errors quote the URL.
fn split_credentials(url: &str) -> (String, String, String) {
    let url = url.trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (credentials, host) = rest.rsplit_once('@').unwrap_or((USER_DEFAULT.name, rest));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    (format!("{scheme}://{host}"), user.to_owned(), password.to_owned())
}

fn write_configuration(
    folder: &Path,
    http: u16,
    tcp: u16,
    token: &str,
    options: &ClickhouseOptions,
) -> Result<()> {
    let fill = |text: &str| {
        text.replace("@FOLDER@", &xml_text(&folder.to_string_lossy()))
            .replace("@HTTP@", &http.to_string())
            .replace("@TCP@", &tcp.to_string())
            .replace("@TOKEN@", token)
            .replace("@MEMORY@", &options.memory_bytes_max.to_string())
            .replace("@QUERY_MEMORY@", &options.query_memory_bytes_max.to_string())
    };
    // chdb-core looks for its configuration below its HOME, which is this folder.
    for (name, text) in [
        (".clickhouse-local/config.xml", fill(CONFIG_XML)),
        ("users.xml", fill(USERS_XML)),
        ("launcher.py", LAUNCHER_PY.to_owned()),
    ] {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(StackError::file("create", parent))?;
        }
        fs::write(&path, text).map_err(StackError::file("write", &path))?;
    }
    Ok(())
}

/// Text as it stands between two tags.
fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn launch(parts: &Parts, folder: &Path) -> Result<(Launch, Stop)> {
    let in_folder = |name: &str| folder.join(name).to_string_lossy().into_owned();
    // chdb-core takes its time zone from the environment, a server from its configuration.
    let env = BTreeMap::from([
        ("HOME".to_owned(), Some(folder.to_string_lossy().into_owned())),
        ("TZ".to_owned(), Some("UTC".to_owned())),
    ]);
    match &parts.clickhouse {
        ClickhousePart::Binary { program } => {
            let argv = vec![
                program.to_string_lossy().into_owned(),
                "server".to_owned(),
                format!("--config-file={}", in_folder(".clickhouse-local/config.xml")),
            ];
            Ok((Launch { argv, env, end: None }, Stop::Signal))
        }
        ClickhousePart::Chdb { extension } => {
            let argv = vec![
                parts.python()?.to_string_lossy().into_owned(),
                "-I".to_owned(),
                "-S".to_owned(),
                in_folder("launcher.py"),
                extension.to_string_lossy().into_owned(),
                in_folder("data"),
                in_folder("stop.fifo"),
            ];
            Ok((Launch { argv, env, end: None }, Stop::Pipe(folder.join("stop.fifo"))))
        }
        // `attempt` has returned before.
        ClickhousePart::External { .. } => {
            Err(StackError::External { operation: "start", server: SERVER, variable: "CLICKHOUSE_URL" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Silent, Wanted, prepare_wanted};

    #[test]
    fn the_exit_tells_a_stop_from_a_failure() {
        let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
        let mut clickhouse = Clickhouse::start(&parts, &ClickhouseOptions::default()).unwrap();
        clickhouse.stop().unwrap();
        let ended = |clickhouse: &Clickhouse| clickhouse.wait_ready(Instant::now()).unwrap_err().to_string();
        assert!(ended(&clickhouse).contains("ended: exit status 0"), "{}", ended(&clickhouse));

        clickhouse.restart().unwrap();
        let own = clickhouse.own("stop").unwrap();
        let Stop::Pipe(pipe) = &own.stop else { panic!("chdb-core stops by a pipe") };
        own.keeper().write(pipe, "another line\n").unwrap();
        assert!(own.keeper().wait_exit(Instant::now() + STOP_MAX));
        assert!(ended(&clickhouse).contains("ended: exit status 1"), "{}", ended(&clickhouse));
    }

    #[test]
    fn a_server_that_holds_the_port_is_not_taken_for_ours() {
        let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
        let options = ClickhouseOptions::default();
        let stranger = Clickhouse::start(&parts, &options).unwrap();
        let mut run = RunFolder::make(&parts.cache, "clickhouse", 2).unwrap();
        run.ports[0] = stranger.url().rsplit(':').next().unwrap().parse().unwrap();
        let error = Clickhouse::start_in(run, &parts, &options).unwrap_err();
        assert!(matches!(error, StackError::PortTaken { .. }), "{error}");
    }

    #[test]
    fn credentials_leave_the_url() {
        let split = |url| {
            let (url, user, password) = split_credentials(url);
            format!("{url} {user} {password}")
        };
        assert_eq!(split("http://localhost:8123/"), "http://localhost:8123 default ");
        assert_eq!(split("http://app:se@cret@host:1"), "http://host:1 app se@cret");
        assert_eq!(split("http://app@host:1"), "http://host:1 app ");
        assert_eq!(split("host:8123"), "http://host:8123 default ");
    }
}
