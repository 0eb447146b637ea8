//! Running other programs, cargo above all.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs `command` with this process's output; an error where it does not succeed.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{} ended with {status}", show(command));
    }
    Ok(())
}

/// The command line as one would type it, with the environment that it sets.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let environment = command.get_envs().map(|(name, value)| match value {
        Some(value) => format!("{}={}", name.to_string_lossy(), quoted(value)),
        None => format!("{}=", name.to_string_lossy()),
    });
    let words = std::iter::once(program).chain(command.get_args()).map(quoted);
    environment.chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Where cargo puts its output.
pub(crate) fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(folder)
}

/// Builds the release binary and says where it is.
pub(crate) fn release_binary() -> anyhow::Result<PathBuf> {
    succeed(cargo().args(["build", "--release", "--locked", "--package", "housepipe"]))?;
    Ok(target_folder().join("release").join("housepipe"))
}

/// Replaces this process by `housepipe <command> <args>`, so that signals and the exit code are its own.
pub(crate) fn housepipe(command: &str, args: &[String]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let binary = release_binary()?;
    let failed = Command::new(&binary).arg(command).args(args).exec();
    Err(failed).with_context(|| format!("cannot run {}", binary.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_shown_can_be_typed() {
        let mut command = Command::new("/opt/bin/cargo");
        command.args(["doc", "it's", ""]).env("RUSTDOCFLAGS", "-D warnings").env("URL", "http://127.0.0.1:1");
        assert_eq!(
            show(&command),
            r"RUSTDOCFLAGS='-D warnings' URL=http://127.0.0.1:1 cargo doc 'it'\''s' ''"
        );
    }
}
