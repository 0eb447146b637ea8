//! The binary under test.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::{PipeText, wait_until};

/// A run of the binary, in a folder of its own. Killed when dropped.
pub struct Housepipe {
    child: Child,
    output: [Collected; 2],
    folder: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; absent where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, as text.
    pub stderr: String,
}

/// The binary: the one that `cargo xtask test` built, named by `HOUSEPIPE_BINARY`.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("HOUSEPIPE_BINARY").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "HOUSEPIPE_BINARY is not set; run `cargo xtask test end-to-end`, or set it to a built `housepipe`"
        )
    })
}

/// The binary with failpoints, named by `HOUSEPIPE_FAILPOINTS_BINARY`.
fn binary_with_failpoints() -> PathBuf {
    std::env::var_os("HOUSEPIPE_FAILPOINTS_BINARY").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "HOUSEPIPE_FAILPOINTS_BINARY is not set; run `cargo xtask test end-to-end`, or set it to a `housepipe` \
             that was built with `--features failpoints`"
        )
    })
}

/// A command whose process the kernel kills together with this one, so that a test run that is itself killed leaves no
/// pipe behind. Where the system has no `setpriv` (util-linux), only [`Housepipe`]'s drop ends it.
fn bound_to_us(program: PathBuf) -> Command {
    static HAS_SETPRIV: OnceLock<bool> = OnceLock::new();
    let has_setpriv = HAS_SETPRIV.get_or_init(|| {
        Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success())
    });
    if *has_setpriv {
        // `setpriv` becomes the program, so signals and the exit code are the program's own.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        return command;
    }
    Command::new(program)
}

/// Starts `housepipe` with `arguments`; `pipe` is written to the file `pipe.yaml` in its folder.
///
/// # Panics
/// Where it does not start.
pub fn housepipe(arguments: &[&str], pipe: Option<&PipeText>, input: &[u8]) -> Housepipe {
    start(bound_to_us(binary()), arguments, pipe, input)
}

/// The same with variables in its environment.
///
/// # Panics
/// Where it does not start.
pub fn housepipe_with(variables: &[(&str, &str)], arguments: &[&str], pipe: Option<&PipeText>) -> Housepipe {
    let mut command = bound_to_us(binary());
    command.envs(variables.iter().copied());
    start(command, arguments, pipe, b"")
}

/// The same with a binary that ends as by `kill -9` where it passes `failpoint`, such as `insert_before` or
/// `insert_before:3` for the third time.
///
/// # Panics
/// Where it does not start.
pub fn housepipe_at(failpoint: &str, arguments: &[&str], pipe: &PipeText) -> Housepipe {
    let mut command = bound_to_us(binary_with_failpoints());
    command.env("HOUSEPIPE_FAILPOINT", failpoint);
    start(command, arguments, Some(pipe), b"")
}

/// The same for a service, which takes no pipe file, and has variables in its environment.
///
/// # Panics
/// Where it does not start.
pub fn housepipe_serving(
    variables: &[(&str, &str)],
    failpoint: Option<&str>,
    arguments: &[&str],
) -> Housepipe {
    let mut command = bound_to_us(if failpoint.is_some() { binary_with_failpoints() } else { binary() });
    command.envs(variables.iter().copied());
    if let Some(failpoint) = failpoint {
        command.env("HOUSEPIPE_FAILPOINT", failpoint);
    }
    start(command, arguments, None, b"")
}

/// The same with a binary that waits a second alone, where others wait until nothing can come any more of an insert.
///
/// # Panics
/// Where it does not start.
pub fn housepipe_impatient(arguments: &[&str], pipe: &PipeText) -> Housepipe {
    let mut command = bound_to_us(binary_with_failpoints());
    command.env("HOUSEPIPE_QUIET_S", "1");
    start(command, arguments, Some(pipe), b"")
}

fn start(mut command: Command, arguments: &[&str], pipe: Option<&PipeText>, input: &[u8]) -> Housepipe {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder: {error}"));
    if let Some(pipe) = pipe {
        std::fs::write(folder.path().join("pipe.yaml"), pipe.text())
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let mut child = command
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input may have closed it.
        let _ = stdin.write_all(input);
    }
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        unreachable!("both are piped")
    };
    let output = [Collected::from(out), Collected::from(err)];
    Housepipe { child, output, folder }
}

/// What a stream has said so far.
pub(crate) struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collected {
    pub(crate) fn from(mut stream: impl Read + Send + 'static) -> Collected {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // What was read before an error is what the test sees.
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
            }
        });
        Collected { text, thread: Some(thread) }
    }

    pub(crate) fn so_far(&self) -> Vec<u8> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn whole(&mut self) -> Vec<u8> {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}

impl Housepipe {
    /// The folder that it runs in.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Whether standard error has said `words` so far.
    pub fn has_said(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.output[1].so_far()).contains(words)
    }

    /// What standard error has said so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.output[1].so_far()).into_owned()
    }

    /// What standard output has said so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.output[0].so_far()).into_owned()
    }

    /// What standard output has said so far, once it is a whole JSON document.
    pub fn told(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.output[0].so_far()).ok()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// Where the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_else(|error| panic!("{error}")));
        kill(pid, signal).unwrap_or_else(|error| panic!("{signal}: {error}"));
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// Where the operating system does not tell.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap_or_else(|error| panic!("{error}")).is_none()
    }

    /// Whether it is frozen, by whomever.
    ///
    /// # Panics
    /// Where the operating system does not tell.
    pub fn is_frozen(&self) -> bool {
        let ps = Command::new("ps").args(["-o", "state=", "-p", &self.child.id().to_string()]).output();
        ps.unwrap_or_else(|error| panic!("ps: {error}")).stdout.starts_with(b"T")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it does not come.
    pub fn wait(mut self) -> Outcome {
        wait_until("the end of housepipe", || !self.is_running());
        let code = self.child.wait().ok().and_then(|status| status.code());
        let [stdout, stderr] = self.output.each_mut().map(Collected::whole);
        Outcome { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    }
}

thread_local! {
    /// What the processes of this thread have said that have ended.
    static ENDED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What those processes have said on standard error that this thread has started, and that have ended since it was asked
/// last; in the order of their ends.
pub fn take_ended() -> Vec<String> {
    ENDED.take()
}

impl Drop for Housepipe {
    fn drop(&mut self) {
        // A test that failed must not leave its process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
        ENDED.with_borrow_mut(|ended| ended.push(self.said()));
    }
}

impl Outcome {
    /// Fails the test unless the exit code is 0.
    ///
    /// # Panics
    /// With everything that was printed.
    pub fn expect_success(self) -> Outcome {
        assert_eq!(
            self.code,
            Some(0),
            "stderr:\n{}\nstdout:\n{}",
            self.stderr,
            String::from_utf8_lossy(&self.stdout)
        );
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}:\n{}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr)
        })
    }

    /// A number of the summary.
    ///
    /// # Panics
    /// Where there is none of this name.
    pub fn number(&self, key: &str) -> u64 {
        self.json()[key].as_u64().unwrap_or_else(|| panic!("no number `{key}` in {}", self.json()))
    }
}
