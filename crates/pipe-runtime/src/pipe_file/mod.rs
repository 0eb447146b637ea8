//! The pipe file: YAML, parsed once into typed values.
//!
//! Unknown keys are errors that name the nearest known key; every problem of a file is reported in one go, with
//! its line. `${env:NAME}` and `${file:PATH}` are resolved after parsing, in string values only.

mod access;
mod auth;
mod document;
mod draft;
mod fields;
mod live;
mod parse;
mod preset;
mod print;
mod registry;
mod source;
mod starts;
mod suggest;
mod surroundings;
mod tls;
mod types;
mod units;
mod yaml;

#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

pub use document::{Document, Need, TakenApart};
pub use draft::PipeDraft;
pub(crate) use live::LiveSettings;
pub use preset::{Preset, Vendor};
pub(crate) use print::{ColumnLines, TableLines, comment, quoted, unwritable};
use suggest::cut;
pub use surroundings::{Key, Surroundings, ThisMachine};
pub use types::{
    AccessSpec, BatchLimits, ColumnSpec, Deadlines, DeliveryMode, DestinationSpec, ErrorTableSpec,
    ManagedTable, PipeFile, PipeName, RegistrySpec, SetUpSpec, SourceSpec, Starts,
};

/// What a pipe file may say, as a JSON Schema of 2020-12. It refuses nothing that the parser takes.
pub const PIPE_FILE_SCHEMA: &str = include_str!("schema.json");

/// A pipe file may have this many bytes, at most.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Letters of a key, or of a word of the file, that a problem quotes, at most.
const WORD_LETTERS_MAX: usize = 100;
/// Problems that are told of one file, at most.
const PROBLEMS_MAX: usize = 100;
/// Letters of a problem's message, or of how to mend it, at most: what others have sent may stand in it.
const MESSAGE_LETTERS_MAX: usize = 2_000;

impl PipeFile {
    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found.
    pub fn read(path: &Path) -> Result<PipeFile, PipeFileError> {
        PipeFile::parse(&read_text(path)?, &path.display().to_string())
    }

    /// Parses `text`; `file` is the name that messages carry.
    ///
    /// ```
    /// use housepipe_runtime::PipeFile;
    ///
    /// let pipe = PipeFile::parse(
    ///     "name: clicks\n\
    ///      source: { type: kafka, brokers: 'localhost:9092', topic: clicks }\n\
    ///      destination: { url: 'http://localhost:8123', database: analytics, table: clicks }\n",
    ///     "pipe.yaml",
    /// )?;
    /// assert_eq!(pipe.source.consumer_group, "housepipe-clicks");
    ///
    /// let error = PipeFile::parse("name: clicks\nsuorce: {}\n", "pipe.yaml").unwrap_err();
    /// assert!(error.to_string().contains("pipe.yaml:2: `suorce`: unknown key; did you mean `source`?"));
    /// # Ok::<(), housepipe_runtime::PipeFileError>(())
    /// ```
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found.
    pub fn parse(text: &str, file: &str) -> Result<PipeFile, PipeFileError> {
        parse::parse(text, parse::destination, &ThisMachine)
            .map_err(|problems| PipeFileError::of(file, problems))
    }
}

/// The text of the file at `path`.
fn read_text(path: &Path) -> Result<String, PipeFileError> {
    let refuse = |message: String, mend: &str| PipeFileError {
        file: path.display().to_string(),
        problems: vec![Problem::at(0, "", message).mend(mend)],
    };
    let size =
        std::fs::metadata(path).map_err(|e| refuse(format!("cannot be read: {e}"), "check the path"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refuse(format!("has {size} bytes, more than {FILE_BYTES_MAX}"), "is it a pipe file?"));
    }
    std::fs::read_to_string(path)
        .map_err(|e| refuse(format!("cannot be read: {e}"), "a pipe file is UTF-8 text"))
}

/// One thing that is wrong with a pipe file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, 1-based; 0 where the file as a whole is meant.
    pub line: usize,
    /// Path of the key, such as `source.offset`; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, where there is more to say than the message does.
    pub mend: Option<String>,
}

impl Problem {
    fn at(line: usize, key: &str, message: impl Into<String>) -> Problem {
        let (key, message) = (cut(key, WORD_LETTERS_MAX).into_owned(), message.into());
        Problem { line, key, message: cut(&message, MESSAGE_LETTERS_MAX).into_owned(), mend: None }
    }

    fn mend(mut self, mend: impl Into<String>) -> Problem {
        self.mend = Some(cut(&mend.into(), MESSAGE_LETTERS_MAX).into_owned());
        self
    }
}

/// Why a pipe file was refused: every problem, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeFileError {
    /// The file's name as the user gave it.
    pub file: String,
    /// What is wrong with it; never empty.
    pub problems: Vec<Problem>,
}

impl PipeFileError {
    fn of(file: &str, mut problems: Vec<Problem>) -> PipeFileError {
        problems.sort_by_key(|problem| problem.line);
        if problems.len() > PROBLEMS_MAX {
            problems.truncate(PROBLEMS_MAX);
            problems.push(Problem::at(0, "", "there are more problems than these").mend("mend these first"));
        }
        PipeFileError { file: file.to_owned(), problems }
    }
}

impl fmt::Display for PipeFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file)?;
            if problem.line > 0 {
                write!(f, ":{}", problem.line)?;
            }
            write!(f, ": ")?;
            if !problem.key.is_empty() {
                write!(f, "`{}`: ", problem.key)?;
            }
            write!(f, "{}", problem.message)?;
            if let Some(mend) = &problem.mend {
                write!(f, "; {mend}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for PipeFileError {}
