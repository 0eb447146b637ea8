//! `housepipe new`: a pipe file by questions and answers.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use housepipe_runtime::{NewPipe, new_pipe};
use serde::Serialize;

use crate::args::NewArgs;
use crate::exit::Exit;
use crate::signals::Stops;
use crate::ui::{Prompt, Ui, show_input};

/// The result as a document.
#[derive(Serialize)]
struct Document<'a> {
    pipe: &'a str,
    file: String,
    /// Variables that the file names and that are not set.
    variables: &'a [String],
}

pub(crate) async fn run(args: NewArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Exit::usage(anyhow!(
            "`housepipe new` asks its questions on a terminal, and here is none; write a file with `name:`, `source:` and \
             `destination:`, and `housepipe infer -f FILE` proposes its columns"
        )));
    }
    let stops = Stops::listen()?;
    let runtime = tokio::runtime::Handle::current();
    let asked = tokio::task::spawn_blocking(move || new_pipe(&mut Prompt, runtime, args.file.as_deref()));
    let pipe = tokio::select! {
        pipe = asked => pipe.context("the questions broke off; nothing was written")??,
        () = stops.heard(1) => {
            show_input();
            // The terminal shows ^C, and what follows is a line of its own.
            ui.note("");
            return Err(Exit::failed(anyhow!("stopped; nothing was written")));
        }
    };
    // From here on nothing is waited for, so that no signal ends it half way.
    if let Err(error) = write(&pipe) {
        // All the answers are in it.
        ui.note(&format!("\nThe file as it would have been:\n\n{}", pipe.text));
        return Err(error)
            .with_context(|| format!("cannot write {}; nothing was changed", pipe.path.display()))?;
    }
    tell(&pipe, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the file: whole, or not at all.
fn write(pipe: &NewPipe) -> io::Result<()> {
    let folder = match pipe.path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !pipe.may_replace {
        // Somebody may have made one since it was looked for.
        let mut file = OpenOptions::new().write(true).create_new(true).open(&pipe.path)?;
        return file.write_all(pipe.text.as_bytes()).inspect_err(|_| {
            // Half a file is of no use to anybody.
            let _ = std::fs::remove_file(&pipe.path);
        });
    }
    let before = std::fs::metadata(&pipe.path).ok();
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pipe.text.as_bytes())?;
    if let Some(before) = before {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.persist(&pipe.path).map_err(|error| error.error)?;
    Ok(())
}

fn tell(pipe: &NewPipe, ui: &Ui) -> io::Result<()> {
    let file = pipe.path.display().to_string();
    if ui.json() {
        return ui.document(&Document { pipe: &pipe.name, file, variables: &pipe.variables });
    }
    let shell = quoted(&file);
    ui.line(&format!("\nWritten: {file}. Next:"))?;
    for variable in &pipe.variables {
        ui.line(&format!(
            "  read -rs {variable} && export {variable}   # the file names it, and does not hold it"
        ))?;
    }
    ui.line(&format!("  housepipe check {shell}   # everything that the pipe needs, looked at"))?;
    ui.line(&format!(
        "  housepipe run {shell}     # until Ctrl-C; --until-caught-up ends at the end of the topic"
    ))
}

/// A path as a word of a shell.
fn quoted(path: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    if path.chars().all(is_word) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn pipe(path: PathBuf, may_replace: bool) -> NewPipe {
        let text = "name: x\n".to_owned();
        NewPipe { name: "x".to_owned(), path, may_replace, text, variables: Vec::new() }
    }

    #[test]
    fn a_file_is_replaced_only_where_somebody_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe.yaml");
        write(&pipe(path.clone(), false)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "name: x\n");
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(write(&pipe(path.clone(), false)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        write(&pipe(path.clone(), true)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "name: x\n");
        assert!(write(&pipe(folder.path().join("nowhere/pipe.yaml"), false)).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn paths_are_words_of_a_shell() {
        assert_eq!(quoted("pipes/a-b.yaml"), "pipes/a-b.yaml");
        assert_eq!(quoted("a b's.yaml"), r"'a b'\''s.yaml'");
    }
}
