//! The binary on a terminal, with somebody who types.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::housepipe::{Collected, binary};
use crate::wait_until;

/// A run of the binary on a pseudo-terminal, in an empty folder of its own. Killed when dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Collected,
    /// Up to where the screen was read.
    seen: usize,
    folder: TempDir,
}

impl Terminal {
    /// Starts `housepipe` with `arguments`. Needs `setsid` (util-linux), which gives it the terminal as its own, so that
    /// Ctrl-C reaches it.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(arguments: &[&str]) -> Terminal {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder: {error}"));
        let pair = openpty(None, None).unwrap_or_else(|error| panic!("a terminal: {error}"));
        let copy = |file: &std::os::fd::OwnedFd| {
            file.try_clone().unwrap_or_else(|error| panic!("a terminal: {error}"))
        };
        let child = Command::new("setsid")
            .args(["--ctty", "setpriv", "--pdeathsig", "KILL", "--"])
            .arg(binary())
            .args(arguments)
            .env_remove("HOUSEPIPE_LOG")
            .current_dir(folder.path())
            .stdin(Stdio::from(copy(&pair.slave)))
            .stdout(Stdio::from(copy(&pair.slave)))
            .stderr(Stdio::from(pair.slave))
            .spawn()
            .unwrap_or_else(|error| panic!("setsid: {error}"));
        let screen = Collected::from(File::from(copy(&pair.master)));
        Terminal { child, keyboard: File::from(pair.master), screen, seen: 0, folder }
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Everything that the screen has shown.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.so_far()).into_owned()
    }

    /// Waits until `question` is on the screen, behind what was waited for before.
    ///
    /// # Panics
    /// Where it does not come.
    pub fn wait_for(&mut self, question: &str) {
        let find = |screen: &[u8], seen: usize| {
            let new = screen.get(seen..).unwrap_or_default();
            new.windows(question.len()).position(|part| part == question.as_bytes())
        };
        let mut at = None;
        wait_until(&format!("`{question}`"), || {
            // Once it has ended, all that it has said is on the screen.
            let screen = if self.is_running() { self.screen.so_far() } else { self.screen.whole() };
            at = find(&screen, self.seen);
            at.is_some() || !self.is_running()
        });
        let at = at.or_else(|| find(&self.screen.whole(), self.seen));
        let at = at.unwrap_or_else(|| panic!("it ended before `{question}`:\n{}", self.shown()));
        self.seen += at + question.len();
    }

    /// Types `keys` as they are.
    ///
    /// # Panics
    /// Where the terminal takes none.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap_or_else(|error| panic!("typing: {error}"));
    }

    /// Answers each question in turn, with what is typed before the end of the line.
    ///
    /// # Panics
    /// Where a question does not come.
    pub fn answer(&mut self, answers: &[(&str, &str)]) {
        for (question, answer) in answers {
            self.wait_for(question);
            self.type_keys(&format!("{answer}\n"));
        }
    }

    /// Sends a signal, which no key of the terminal does.
    ///
    /// # Panics
    /// Where the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_else(|error| panic!("{error}")));
        kill(pid, signal).unwrap_or_else(|error| panic!("{signal}: {error}"));
    }

    /// Whether the terminal shows what is typed.
    ///
    /// # Panics
    /// Where the terminal does not tell.
    pub fn shows_typing(&self) -> bool {
        let settings = nix::sys::termios::tcgetattr(&self.keyboard)
            .unwrap_or_else(|error| panic!("the terminal: {error}"));
        settings.local_flags.contains(nix::sys::termios::LocalFlags::ECHO)
    }

    /// Waits for its end, and gives the exit code.
    ///
    /// # Panics
    /// Where it does not come.
    pub fn wait(&mut self) -> Option<i32> {
        wait_until("the end of housepipe", || !self.is_running());
        self.screen.whole();
        self.child.wait().ok().and_then(|status| status.code())
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap_or_else(|error| panic!("{error}")).is_none()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed must not leave its process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
