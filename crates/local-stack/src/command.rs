//! Running a tool of the set-up with its output in a log and its growth on disk as progress.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Result, StackError};
use crate::progress::Progress;
use crate::wait;

/// How many lines of a log an error quotes.
const TAIL_LINES: usize = 15;
/// How often the growth of the folder is looked at.
const MEASURE_EVERY: Duration = Duration::from_millis(500);
/// A registry that hangs must end some day; this is far above what a slow line needs.
const COMMAND_MAX: Duration = Duration::from_secs(3600);

/// The program that looks after a guarded command.
const GUARD_PY: &str = include_str!("guard.py");

/// What to watch while a command runs.
pub(crate) struct Growth<'a> {
    /// The folders whose files grow.
    pub(crate) folders: &'a [&'a Path],
    /// What they grow to.
    pub(crate) total: Option<u64>,
    /// What of them counts.
    pub(crate) measure: Measure,
}

/// How the growth of folders is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// All files together.
    Sum,
    /// The largest file alone: pip writes a download into several files at once.
    LargestFile,
}

impl Growth<'_> {
    /// For a command that leaves nothing to watch.
    pub(crate) const NONE: Growth<'static> = Growth { folders: &[], total: None, measure: Measure::Sum };

    fn bytes(&self) -> u64 {
        let sizes = self.folders.iter().flat_map(|folder| file_bytes(folder));
        let bytes = match self.measure {
            Measure::Sum => sizes.sum(),
            Measure::LargestFile => sizes.max().unwrap_or(0),
        };
        bytes.min(self.total.unwrap_or(u64::MAX))
    }
}

/// Runs `command` to its end, its output in `log`, and ends it with all it started when this process ends, however
/// that happens: a tool that outlives a killed set-up would write into the next one's way.
pub(crate) fn run_guarded(
    python: &Path,
    command: &Command,
    log: &Path,
    progress: &mut dyn Progress,
    growth: &Growth<'_>,
) -> Result<()> {
    let mut guard = guarded(python, command);
    run_to_end(&mut guard, &words(command), log, progress, growth)
}

/// `command` under a guard, which ends it at the end of the standard input that the caller holds.
fn guarded(python: &Path, command: &Command) -> Command {
    let mut guard = Command::new(python);
    guard.args(["-I", "-S", "-c", GUARD_PY]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guard.env(name, value),
            None => guard.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guard.current_dir(folder);
    }
    // A group of its own, so that the guard can kill it as a whole and a terminal's Ctrl-C is for us alone.
    guard.stdin(Stdio::piped()).process_group(0);
    guard
}

/// Runs `command` to its end, its output in `log`. It goes on when this process is killed, as a package manager should.
pub(crate) fn run(
    command: &mut Command,
    log: &Path,
    progress: &mut dyn Progress,
    growth: &Growth<'_>,
) -> Result<()> {
    command.stdin(Stdio::null());
    let words = words(command);
    run_to_end(command, &words, log, progress, growth)
}

fn run_to_end(
    command: &mut Command,
    words: &str,
    log: &Path,
    progress: &mut dyn Progress,
    growth: &Growth<'_>,
) -> Result<()> {
    let file = File::create(log).map_err(StackError::file("create", log))?;
    let errors = file.try_clone().map_err(StackError::file("open", log))?;
    let failed = |status: String| StackError::Command {
        command: words.to_owned(),
        status,
        log: log.to_owned(),
        tail: wait::log_tail(log, TAIL_LINES),
    };
    command.stdout(file).stderr(errors);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    // A guard's; held, and not closed by `Child::wait`, until the tool has ended.
    let hold = child.stdin.take();

    let mut measured = Instant::now();
    let ended = wait::until(Instant::now() + COMMAND_MAX, || {
        if measured.elapsed() >= MEASURE_EVERY {
            measured = Instant::now();
            progress.bytes(growth.bytes(), growth.total);
        }
        child.try_wait().transpose()
    });
    match ended {
        Some(Ok(status)) if status.success() => Ok(()),
        Some(Ok(status)) => Err(failed(status.to_string())),
        Some(Err(error)) => Err(failed(error.to_string())),
        None => {
            // It may have ended by itself just now; either way it is gone afterwards.
            match hold {
                Some(pipe) => drop(pipe),
                None => drop(child.kill()),
            }
            let _ = child.wait();
            Err(failed(format!("still running after {} s", COMMAND_MAX.as_secs())))
        }
    }
}

/// The program and its first arguments, for a message.
fn words(command: &Command) -> String {
    const WORDS_MAX: usize = 5;
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .take(WORDS_MAX)
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Sizes of all files below a folder. Files may come and go meanwhile; what cannot be read is left out.
fn file_bytes(folder: &Path) -> Vec<u64> {
    let mut sizes = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => sizes.push(metadata.len()),
                Err(_) => {}
            }
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::io::{BufRead, BufReader, Read};

    #[test]
    fn a_failing_command_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let error =
            run(Command::new("sh").args(["-c", "echo told you; exit 3"]), &log, &mut Silent, &Growth::NONE)
                .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status: 3") && text.ends_with("told you"), "{text}");
    }

    #[test]
    fn a_guarded_command_is_the_same_command() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo $MENU in $(pwd -P); exit $1", "sh", "3"]).env("MENU", "soup");
        command.current_dir(folder.path());
        let error =
            run_guarded(Path::new("python3"), &command, &log, &mut Silent, &Growth::NONE).unwrap_err();
        let text = error.to_string();
        let place = folder.path().canonicalize().unwrap();
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.ends_with(&format!("soup in {}", place.display())), "{text}");
    }

    #[test]
    fn a_guarded_command_and_what_it_started_end_with_the_owner() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo started; wait"]);
        let mut guard = guarded(Path::new("python3"), &command).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(guard.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        // What the kernel does when the owner is killed.
        drop(guard.stdin.take());
        // The output ends when none of them is left to hold it.
        assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(!guard.wait().unwrap().success());
    }

    #[test]
    fn growth_is_measured_through_folders_and_never_above_its_total() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), [0; 10]).unwrap();
        fs::write(folder.path().join("c"), [0; 5]).unwrap();
        let bytes = |total, measure| Growth { folders: &[folder.path()], total, measure }.bytes();
        assert_eq!(bytes(None, Measure::Sum), 15);
        assert_eq!(bytes(None, Measure::LargestFile), 10);
        assert_eq!(bytes(Some(12), Measure::Sum), 12);
    }
}
