//! Running a tool of the set-up with its output in a log and its growth on disk as progress.

use std::fs::{self, File};
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

/// Runs `command` to its end, its output in `log`.
pub(crate) fn run(
    command: &mut Command,
    log: &Path,
    progress: &mut dyn Progress,
    growth: &Growth<'_>,
) -> Result<()> {
    let words = words(command);
    let file = File::create(log).map_err(StackError::file("create", log))?;
    let errors = file.try_clone().map_err(StackError::file("open", log))?;
    let failed = |status: String| StackError::Command {
        command: words.clone(),
        status,
        log: log.to_owned(),
        tail: wait::log_tail(log, TAIL_LINES),
    };
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;

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
            let _ = child.kill();
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
