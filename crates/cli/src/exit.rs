//! How a command ends: its exit code and its last words.

use std::io::Write;
use std::process::ExitCode;

use housepipe_local_stack::StackError;
use housepipe_runtime::PipeFileError;

use crate::remote::RemoteError;
use crate::ui::shown_lines;

/// The exit code that a shell gives to a program whose reader has gone: 128 and SIGPIPE.
const ENDED_BY_SIGPIPE: u8 = 141;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    error: anyhow::Error,
}

impl Exit {
    /// A check or the work failed: exit code 1.
    pub(crate) fn failed(error: anyhow::Error) -> Exit {
        Exit { code: 1, error }
    }

    /// Wrong usage, or a pipe file that cannot be read: exit code 2.
    pub(crate) fn usage(error: anyhow::Error) -> Exit {
        Exit { code: 2, error }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Exit {
    fn from(error: E) -> Exit {
        let error = error.into();
        let is_usage = error.downcast_ref::<PipeFileError>().is_some()
            || error.downcast_ref::<RemoteError>().is_some_and(RemoteError::is_usage);
        if is_usage { Exit::usage(error) } else { Exit::failed(error) }
    }
}

/// Prints the error of `result`, if any, and gives the exit code.
pub(crate) fn report(json: bool, result: Result<ExitCode, Exit>) -> ExitCode {
    let Exit { code, error } = match result {
        Ok(code) => return code,
        Err(exit) => exit,
    };
    if is_broken_pipe(&error) {
        // Whoever read our output has seen enough; that is no failure to tell of, and shells know the code.
        return ExitCode::from(ENDED_BY_SIGPIPE);
    }
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {}", shown_lines(&format!("{error:#}")));
    let mend = StackError::mend_in(error.as_ref());
    if let Some(mend) = &mend {
        let _ = writeln!(std::io::stderr(), "to mend it:\n{mend}");
    }
    if json {
        let mut document = serde_json::json!({ "error": format!("{error:#}"), "exit_code": code });
        if let Some(mend) = mend {
            document["mend"] = mend.into();
        }
        if let Some(remote) = error.downcast_ref::<RemoteError>() {
            document["code"] = remote.code().into();
            if let Some(problem) = remote.problem() {
                document["problem"] = serde_json::json!(problem);
            }
        }
        let _ = writeln!(std::io::stdout(), "{document}");
    }
    ExitCode::from(code)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
