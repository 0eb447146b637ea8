//! A pipe file by questions and answers: what is asked, what is a good answer, and the file that comes of it.
//!
//! `interview.rs` is how somebody is talked to, `world.rs` what is looked up meanwhile; both are traits, so that the
//! questions can be tried without either. `answers.rs` is the file.

mod answers;
mod ask;
mod columns;
mod destination;
mod interview;
mod keys;
mod registry;
mod rekey;
mod session;
mod source;
#[cfg(test)]
mod tests;
mod words;
mod world;

use std::path::{Path, PathBuf};

pub use interview::{Interview, NoAnswer, Question};

use session::Session;
use world::Live;

/// A pipe file that was agreed upon and is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPipe {
    /// The pipe's name.
    pub name: String,
    /// Where the file goes.
    pub path: PathBuf,
    /// Whether somebody has agreed that a file which is there already is replaced.
    pub may_replace: bool,
    /// The file.
    pub text: String,
    /// Environment variables that the file refers to and that are not set.
    pub variables: Vec<String>,
}

/// Asks everything that a pipe file needs, looks at both ends meanwhile, and ends with the file. Writes nothing.
///
/// Runs on the calling thread, which waits for answers, and must not be one of `runtime`. Secrets are asked for to look
/// at the ends; the file names environment variables in their place.
///
/// # Errors
/// [`NoAnswer`] where nobody answers any more.
pub fn new_pipe(
    talk: &mut dyn Interview,
    runtime: tokio::runtime::Handle,
    path: Option<&Path>,
) -> Result<NewPipe, NoAnswer> {
    Session::new(talk, &Live::new(runtime)).run(path)
}
