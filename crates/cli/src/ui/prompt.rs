//! Questions on a terminal, line by line: nothing moves a cursor, so every terminal will do.

use std::io::{self, BufRead, Write};
use std::sync::{Mutex, PoisonError};

use housepipe_runtime::{Interview, NoAnswer, PreviewReport, Question};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::preview::{preview_lines, terminal_width};
use super::text::shown;

/// Bytes of a line that a terminal gives at most, its end included. It reads all of a longer one, and drops what is beyond.
/// Linux has 4,096 (`N_TTY_BUF_SIZE`).
const LINE_BYTES_MAX: usize = 4_096;

/// Characters of what is proposed that are shown, at most. Keys of records are among it.
const DEFAULT_WIDTH: usize = 1_000;

/// How the terminal was before typing was hidden; none while it is shown.
static SHOWN: Mutex<Option<Termios>> = Mutex::new(None);

/// Shows what is typed again, if it is hidden. To be called by whoever ends the process meanwhile.
pub(crate) fn show_input() {
    let before = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that is gone has nothing to show.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    }
}

/// Hides what is typed until it is dropped.
struct Hidden;

impl Hidden {
    fn hide() -> io::Result<Hidden> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        // The end of the line is shown, so that the next question does not stand behind this one.
        hidden.local_flags.insert(LocalFlags::ECHONL);
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        // What was typed before belongs to no secret.
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(Hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        show_input();
    }
}

/// Asks on standard error and hears standard input.
pub(crate) struct Prompt;

impl Prompt {
    fn answer(question: Question<'_>) -> Result<String, NoAnswer> {
        loop {
            let mut out = io::stderr().lock();
            write!(out, "{}", asked(question))?;
            out.flush()?;
            drop(out);
            let mut line = Vec::new();
            if io::stdin().lock().read_until(b'\n', &mut line)? == 0 {
                // The terminal's line is left as it is after an end of input.
                let _ = writeln!(io::stderr());
                return Err(NoAnswer::Ended);
            }
            if let Some(answer) = whole(&line) {
                return Ok(answer);
            }
            // What was cut would be taken for an answer, and a document for no JSON.
            writeln!(
                io::stderr(),
                "  a terminal takes lines of less than {LINE_BYTES_MAX} bytes, and this one was cut, so that it does not count; \
                 what is longer comes from a file"
            )?;
        }
    }
}

/// The question, on the line of its answer.
fn asked(question: Question<'_>) -> String {
    let text = shown(question.text, DEFAULT_WIDTH);
    match question.default {
        "" => format!("{text}: "),
        default => format!("{text} [{}]: ", shown(default, DEFAULT_WIDTH)),
    }
}

/// The answer of a line; none where the terminal may have cut it.
fn whole(line: &[u8]) -> Option<String> {
    let text = || String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned();
    (line.len() < LINE_BYTES_MAX).then(text)
}

impl Interview for Prompt {
    fn say(&mut self, text: &str) -> Result<(), NoAnswer> {
        Ok(writeln!(io::stderr(), "{text}")?)
    }

    fn ask(&mut self, question: Question<'_>) -> Result<String, NoAnswer> {
        Prompt::answer(question)
    }

    fn ask_secret(&mut self, question: Question<'_>) -> Result<SecretString, NoAnswer> {
        let _hidden = Hidden::hide()?;
        Ok(Prompt::answer(question)?.into())
    }

    fn show_preview(&mut self, report: &PreviewReport) -> Result<(), NoAnswer> {
        preview_lines(report, terminal_width()).iter().try_for_each(|line| self.say(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_records_do_not_act_on_the_terminal() {
        let question = Question { text: "Sorting key", default: "at\u{1b}]52;c;eA\u{7}, id" };
        assert_eq!(asked(question), r"Sorting key [at\u{1b}]52;c;eA\u{7}, id]: ");
        assert_eq!(asked(Question { text: "Document", default: "" }), "Document: ");
    }

    #[test]
    fn a_line_that_the_terminal_has_cut_is_no_answer() {
        let line = |bytes: usize| [vec![b'x'; bytes], b"\n".to_vec()].concat();
        assert_eq!(whole(b"  a b\r\n").as_deref(), Some("  a b"));
        assert_eq!(whole(&line(4_094)).map(|answer| answer.len()), Some(4_094));
        assert_eq!(whole(&line(4_095)), None);
    }
}
