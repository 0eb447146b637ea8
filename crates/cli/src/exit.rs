//! How a command ends: its exit code and its last words.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use housepipe_local_stack::StackError;
use housepipe_runtime::PipeFileError;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::remote::{Problem, RemoteError};
use crate::ui::shown_lines;

/// The exit code that a shell gives to a program whose reader has gone: 128 and SIGPIPE.
const ENDED_BY_SIGPIPE: u8 = 141;
/// The exit code of wrong usage, as `clap` has it.
const USAGE: u8 = 2;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    error: anyhow::Error,
    /// What went wrong in a word, for scripts, where the error itself does not know one.
    word: Option<&'static str>,
    /// The pipe that it is about, as the API shows it.
    pipe: Option<Box<RawValue>>,
    /// What was asked for is stored, and what failed came after it.
    is_written: bool,
}

/// The last words as a document.
#[derive(Serialize)]
struct LastWords<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipe: Option<&'a RawValue>,
    /// Left out where it is not so, or not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    written: bool,
}

impl Exit {
    /// A check or the work failed: exit code 1.
    pub(crate) fn failed(error: anyhow::Error) -> Exit {
        Exit { code: 1, error, word: None, pipe: None, is_written: false }
    }

    /// Wrong usage, or a pipe file that cannot be read: exit code 2.
    pub(crate) fn usage(error: anyhow::Error) -> Exit {
        Exit { code: USAGE, error, word: None, pipe: None, is_written: false }
    }

    /// The same, with what went wrong in a word.
    pub(crate) fn in_a_word(self, word: &'static str) -> Exit {
        Exit { word: Some(word), ..self }
    }

    /// The same, with the pipe that it is about.
    pub(crate) fn about(self, pipe: Box<RawValue>) -> Exit {
        Exit { pipe: Some(pipe), ..self }
    }

    /// The same, where what was asked for is stored all the same.
    pub(crate) fn though_written(self) -> Exit {
        Exit { is_written: true, ..self }
    }

    /// What went wrong in a word.
    fn word(&self) -> Option<&str> {
        let remote = self.error.downcast_ref::<RemoteError>().map(RemoteError::code);
        let file = self.error.downcast_ref::<PipeFileError>().map(|_| "invalid_pipe");
        self.word.or(remote).or(file).or((self.code == USAGE).then_some("usage"))
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
    let exit = match result {
        Ok(code) => return code,
        Err(exit) => exit,
    };
    let Exit { code, error, pipe, is_written, .. } = &exit;
    if is_broken_pipe(error) {
        // Whoever read our output has seen enough; that is no failure to tell of, and shells know the code.
        return ExitCode::from(ENDED_BY_SIGPIPE);
    }
    let text = format!("{error:#}");
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {}", shown_lines(&text));
    let mend = StackError::mend_in(error.as_ref());
    if let Some(mend) = &mend {
        let _ = writeln!(std::io::stderr(), "to mend it:\n{mend}");
    }
    if json {
        print(&LastWords {
            error: &text,
            code: exit.word(),
            exit_code: *code,
            mend: mend.as_deref(),
            problem: error.downcast_ref::<RemoteError>().and_then(RemoteError::problem),
            pipe: pipe.as_deref(),
            written: *is_written,
        });
    }
    ExitCode::from(*code)
}

/// Ends where the flags were not understood, or where they ask for help.
pub(crate) fn not_parsed(error: &clap::Error) -> ! {
    if error.use_stderr() && wants_json(std::env::args_os()) {
        let text = match error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                "a command is missing; --help shows them".to_owned()
            }
            _ => first_paragraph(&error.to_string()),
        };
        let (code, exit_code) = (Some("usage"), USAGE);
        print(&LastWords {
            error: &text,
            code,
            exit_code,
            mend: None,
            problem: None,
            pipe: None,
            written: false,
        });
    }
    error.exit()
}

/// Whether the arguments ask for JSON. That they are wrong says nothing of this one.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// What is wrong, without how it is used.
fn first_paragraph(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    text.split("\n\n").next().unwrap_or(text).trim().to_owned()
}

fn print(words: &LastWords<'_>) {
    // Texts and numbers: that cannot fail. With standard output closed there is nobody left to tell.
    let document = serde_json::to_string(words).unwrap_or_default();
    let _ = writeln!(std::io::stdout(), "{document}");
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use housepipe_runtime::Document;

    use super::*;

    #[test]
    fn each_failure_has_a_word_for_scripts() {
        let file = Document::parse("name: [", "pipe.yaml").unwrap_err();
        let setting = RemoteError::Setting("no token".to_owned());
        for (exit, code, word) in [
            (Exit::from(file), USAGE, Some("invalid_pipe")),
            (Exit::from(setting), USAGE, Some("wrong_setting")),
            (Exit::usage(anyhow!("x")), USAGE, Some("usage")),
            (Exit::usage(anyhow!("x")).in_a_word("needs_yes"), USAGE, Some("needs_yes")),
            (Exit::failed(anyhow!("x")).in_a_word("misconfigured"), 1, Some("misconfigured")),
            (Exit::failed(anyhow!("x")), 1, None),
        ] {
            assert_eq!((exit.code, exit.word()), (code, word), "{exit:?}");
        }
    }

    #[test]
    fn json_is_asked_for_wherever_the_flag_stands() {
        let wants = |line: &str| wants_json(line.split(' ').map(OsString::from));
        assert!(wants("housepipe pipes show --json") && wants("housepipe --json nonsense"));
        assert!(!wants("housepipe pipes show") && !wants("housepipe run -- --json"));
        assert_eq!(
            first_paragraph("error: missing:\n  <PIPE>\n\nUsage: housepipe …\n"),
            "missing:\n  <PIPE>"
        );
    }
}
