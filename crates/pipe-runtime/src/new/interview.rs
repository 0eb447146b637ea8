//! How somebody is asked, without knowing by what means.

use std::io;

use secrecy::SecretString;

use crate::preview::PreviewReport;

/// A question. Keys of records may be among what is proposed, with any characters in them: whoever shows it on a terminal
/// escapes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'q> {
    /// What is asked, without a question mark at its end.
    pub text: &'q str,
    /// What an empty answer means; empty where there is nothing to take.
    pub default: &'q str,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The input has ended, or somebody has left.
    #[error("the answers ended before the file was complete; nothing was written")]
    Ended,
    /// Nobody can be asked.
    #[error("cannot ask; nothing was written")]
    Io(#[from] io::Error),
}

/// Somebody who answers.
pub trait Interview {
    /// Says something, one or more lines.
    ///
    /// # Errors
    /// [`NoAnswer`] where nobody listens.
    fn say(&mut self, text: &str) -> Result<(), NoAnswer>;

    /// Asks, and gives the answer as it was typed, without the end of its line.
    ///
    /// # Errors
    /// [`NoAnswer`] where no answer comes.
    fn ask(&mut self, question: Question<'_>) -> Result<String, NoAnswer>;

    /// Asks for something that must not be shown as it is typed.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    fn ask_secret(&mut self, question: Question<'_>) -> Result<SecretString, NoAnswer>;

    /// Shows a preview.
    ///
    /// # Errors
    /// As for [`say`](Self::say).
    fn show_preview(&mut self, report: &PreviewReport) -> Result<(), NoAnswer>;
}
