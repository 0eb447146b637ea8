//! The owner's side of a keeper: a small Python process for each server, which starts and signals it, and which
//! ends it when the owner is gone for whatever reason. `keeper.py` has the other half of the story.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Result, StackError};
use crate::run_folder::RunFolder;
use crate::wait;

/// The keeper's program.
const KEEPER_PY: &str = include_str!("keeper/keeper.py");
/// An answer takes milliseconds; a machine under load gets this long.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// How long the removal of a folder may take before we no longer wait for it.
const LEAVE_MAX: Duration = Duration::from_secs(30);
/// How many lines of a log an error quotes.
const TAIL_LINES: usize = 20;

/// Why a server ended that was not told to: somebody killed the process that looked after it.
pub(crate) const KEEPER_GONE: &str = "its keeper is gone";

/// What a server process is started with.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) argv: Vec<String>,
    /// What differs from our own environment; `None` takes a variable out.
    pub(crate) env: BTreeMap<String, Option<String>>,
    /// What the keeper asks it to end with when the owner is gone, before it kills it: for a server that leaves
    /// something outside of its folder when it is killed.
    pub(crate) end: Option<Signal>,
}

/// One of the signals that the stack sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Kill,
    Terminate,
    Quit,
    Stop,
    Continue,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Terminate => "SIGTERM",
            Self::Quit => "SIGQUIT",
            Self::Stop => "SIGSTOP",
            Self::Continue => "SIGCONT",
        }
    }
}

/// A keeper and its server. Dropping it kills the server and removes the folder.
#[derive(Debug)]
pub(crate) struct Keeper {
    server: &'static str,
    folder: PathBuf,
    logs: &'static [&'static str],
    process: Child,
    commands: Option<ChildStdin>,
    events: Receiver<Event>,
    pid: Option<u32>,
    last_exit: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Order<'a> {
    Start {
        argv: &'a [String],
        env: &'a BTreeMap<String, Option<String>>,
        folder: &'a Path,
        log: &'a Path,
        end: Option<&'a str>,
    },
    Signal {
        name: &'a str,
    },
    Write {
        path: &'a Path,
        text: &'a str,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Event {
    Started {
        started: u32,
    },
    Exited {
        exited: u32,
        status: i32,
    },
    Done {
        #[serde(rename = "done")]
        _done: bool,
    },
    Failed {
        failed: String,
    },
}

impl Keeper {
    /// Starts a keeper for `folder`; the server itself is started by [`Keeper::start`].
    /// `logs` names the files in it that an error should quote besides the server's output.
    pub(crate) fn new(
        server: &'static str,
        python: &Path,
        folder: RunFolder,
        logs: &'static [&'static str],
    ) -> Result<Self> {
        let RunFolder { path, lock, .. } = folder;
        let program = path.join("keeper.py");
        fs::write(&program, KEEPER_PY).map_err(StackError::file("write", &program))?;
        let mut process = Command::new(python)
            // Isolated and without site packages: nothing of the user's set-up, and a start in 20 ms.
            .args(["-I", "-S"])
            .arg(&program)
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(lock)
            .spawn()
            .map_err(StackError::file("start the keeper with", python))?;
        let commands = process.stdin.take();
        let (sender, events) = mpsc::channel();
        if let Some(output) = process.stdout.take() {
            // The thread ends with the keeper, whose output it reads.
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                    let Ok(event) = serde_json::from_str(&line) else { break };
                    if sender.send(event).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self {
            server,
            folder: path,
            logs,
            process,
            commands,
            events,
            pid: None,
            last_exit: String::new(),
        })
    }

    /// Starts the server; its output is appended to [`Keeper::log`].
    pub(crate) fn start(&mut self, launch: &Launch) -> Result<u32> {
        let (folder, log) = (self.folder.clone(), self.log());
        let Launch { argv, env, end } = launch;
        self.order(&Order::Start { argv, env, folder: &folder, log: &log, end: end.map(Signal::name) })?;
        match self.answer()? {
            Event::Started { started } => {
                self.pid = Some(started);
                Ok(started)
            }
            other => Err(self.fault(format!("answered {other:?} to a start"))),
        }
    }

    /// Sends a signal to the server's process group.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        self.order(&Order::Signal { name: signal.name() })?;
        self.answer().map(drop)
    }

    /// Writes into a named pipe that the server reads.
    pub(crate) fn write(&mut self, path: &Path, text: &str) -> Result<()> {
        self.order(&Order::Write { path, text })?;
        self.answer().map(drop)
    }

    /// The server's process id, or `None` where it has ended.
    pub(crate) fn pid(&mut self) -> Option<u32> {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.note(&event),
                Err(TryRecvError::Empty) => return self.pid,
                Err(TryRecvError::Disconnected) => {
                    self.note_gone();
                    return None;
                }
            }
        }
    }

    /// Waits until the server has ended; `false` where it still runs at the deadline.
    pub(crate) fn wait_exit(&mut self, deadline: Instant) -> bool {
        while self.pid.is_some() {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => self.note(&event),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => self.note_gone(),
            }
        }
        true
    }

    /// SIGKILL, and wait until the process is gone. A server that has ended already is fine.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if self.pid().is_some() {
            // It may end between the question and the signal; what counts is that it is gone.
            let _ = self.signal(Signal::Kill);
            if !self.wait_exit(Instant::now() + ANSWER_MAX) {
                return Err(self.fault("could not kill it".to_owned()));
            }
        }
        Ok(())
    }

    /// Fails with the server's last words where it does not run.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.pid() {
            Some(_) => Ok(()),
            None => Err(StackError::Ended {
                server: self.server,
                reason: self.last_exit.clone(),
                tail: self.log_tail(),
            }),
        }
    }

    /// Tells the start that failed because of a taken port from others, since it is worth another attempt.
    pub(crate) fn explain(&self, error: StackError) -> StackError {
        let failed_start = matches!(error, StackError::Ended { .. } | StackError::NotReady { .. });
        let output = fs::read(self.log()).unwrap_or_default();
        if failed_start && String::from_utf8_lossy(&output).contains("Address already in use") {
            StackError::PortTaken { server: self.server, tail: self.log_tail() }
        } else {
            error
        }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    pub(crate) fn log_tail(&self) -> String {
        let mut tail = wait::log_tail(&self.log(), TAIL_LINES);
        for log in self.logs {
            let more = wait::log_tail(&self.folder.join(log), TAIL_LINES);
            if !more.is_empty() {
                tail.push('\n');
                tail.push_str(&more);
            }
        }
        tail
    }

    fn order(&mut self, order: &Order<'_>) -> Result<()> {
        let mut line = serde_json::to_vec(order).map_err(|error| self.fault(error.to_string()))?;
        line.push(b'\n');
        match &mut self.commands {
            Some(commands) => {
                commands.write_all(&line).map_err(|error| self.fault(format!("is gone: {error}")))
            }
            None => Err(self.fault("was sent away".to_owned())),
        }
    }

    /// The next event that is not about the server's end.
    fn answer(&mut self) -> Result<Event> {
        let deadline = Instant::now() + ANSWER_MAX;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event @ Event::Exited { .. }) => self.note(&event),
                Ok(Event::Failed { failed }) => return Err(self.fault(format!("refused: {failed}"))),
                Ok(event) => return Ok(event),
                Err(_) => {
                    let words = wait::log_tail(&self.folder.join("keeper.log"), TAIL_LINES);
                    return Err(self.fault(format!("did not answer {words}")));
                }
            }
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::Exited { exited, status } = event {
            if self.pid == Some(*exited) {
                self.pid = None;
            }
            // Python reports the death by a signal as its negative number.
            self.last_exit =
                if *status < 0 { format!("signal {}", -status) } else { format!("exit status {status}") };
        }
    }

    /// The keeper is gone, and its server with it.
    fn note_gone(&mut self) {
        if self.pid.take().is_some() {
            KEEPER_GONE.clone_into(&mut self.last_exit);
        }
    }

    fn fault(&self, what: String) -> StackError {
        StackError::Keeper { server: self.server, what }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The end of its input makes the keeper kill the server and remove the folder.
        drop(self.commands.take());
        let process = &mut self.process;
        let ended = wait::until(Instant::now() + LEAVE_MAX, || match process.try_wait() {
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(()),
        });
        if ended.is_none() {
            // The server dies with it; the folder is left to the next sweep.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::requirements;

    /// A keeper whose server is a program in Python with the path of a named pipe as its argument.
    fn keep(program: &str) -> (Keeper, PathBuf) {
        let cache = Cache::from_environment().unwrap();
        let python = requirements::python(&cache).unwrap();
        let run = RunFolder::make(&cache, "keeper-test", 0).unwrap();
        let pipe = run.path.join("pipe");
        let mut keeper = Keeper::new("test", &python, run, &[]).unwrap();
        let argv = [&*python.to_string_lossy(), "-I", "-S", "-c", program, &*pipe.to_string_lossy()];
        let argv = argv.map(str::to_owned).to_vec();
        keeper.start(&Launch { argv, env: BTreeMap::new(), end: None }).unwrap();
        assert!(wait::until(Instant::now() + ANSWER_MAX, || pipe.exists().then_some(())).is_some());
        (keeper, pipe)
    }

    #[test]
    fn a_pipe_is_written_to_although_its_reader_comes_later() {
        let (mut keeper, pipe) = keep(
            "import os, sys, time; os.mkfifo(sys.argv[1]); time.sleep(0.5); \
             os._exit(7 if open(sys.argv[1]).read() == 'a line' else 1)",
        );
        keeper.write(&pipe, "a line").unwrap();
        assert!(keeper.wait_exit(Instant::now() + ANSWER_MAX));
        assert_eq!(keeper.last_exit, "exit status 7");
    }

    #[test]
    fn a_pipe_whose_reader_is_gone_is_not_waited_for() {
        let (mut keeper, pipe) = keep("import os, sys; os.mkfifo(sys.argv[1])");
        let error = keeper.write(&pipe, "a line").unwrap_err().to_string();
        assert!(error.contains("No such device or address"), "{error}");
        assert!(keeper.wait_exit(Instant::now() + ANSWER_MAX));
    }
}
