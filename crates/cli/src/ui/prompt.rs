//! Questions on a terminal, line by line: nothing moves a cursor, so every terminal will do.

use std::io::{self, BufRead, Write};
use std::sync::{Mutex, PoisonError};

use housepipe_runtime::{Interview, NoAnswer, PreviewReport, Question};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::preview::{preview_lines, terminal_width};

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
        let mut out = io::stderr().lock();
        match question.default {
            "" => write!(out, "{}: ", question.text)?,
            default => write!(out, "{} [{default}]: ", question.text)?,
        }
        out.flush()?;
        drop(out);
        let mut line = Vec::new();
        if io::stdin().lock().read_until(b'\n', &mut line)? == 0 {
            // The terminal's line is left as it is after an end of input.
            let _ = writeln!(io::stderr());
            return Err(NoAnswer::Ended);
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }
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
