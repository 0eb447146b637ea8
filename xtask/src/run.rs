//! Running other programs, cargo above all.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    // What cargo has set for this program. The build script of ring asks for it, so that each change between `cargo build` and `cargo xtask` would
    // build ring anew, and all that needs it.
    let of_this_program = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_program)) {
        command.env_remove(name);
    }
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
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
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

/// What cargo says of this workspace.
pub(crate) fn metadata() -> anyhow::Result<serde_json::Value> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    serde_json::from_slice(&output.stdout).context("`cargo metadata` gives no JSON")
}

/// Where cargo puts its output, as it says itself.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let folder = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// Builds the release binary and says where it is.
pub(crate) fn release_binary() -> anyhow::Result<PathBuf> {
    build_binary(&[])
}

/// Does `work`, and builds the release binary meanwhile, which gives way to whatever else wants to run. For work that waits for servers.
pub(crate) fn with_release_binary(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut build = giving_way(&release_build());
    println!("meanwhile: {}", show(&build));
    let child = build.arg("--quiet").stdout(Stdio::null()).spawn();
    let mut child = child.with_context(|| format!("cannot run {:?}", build.get_program()))?;
    if let Err(error) = work() {
        // Nobody needs it any more.
        child.kill().and_then(|()| child.wait())?;
        return Err(error);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{} ended with {status}", show(&build));
    }
    Ok(())
}

/// The same command at the lowest priority.
fn giving_way(command: &Command) -> Command {
    let mut niced = Command::new("nice");
    niced.args(["-n", "19"]).arg(command.get_program()).args(command.get_args()).current_dir(root());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => niced.env(name, value),
            None => niced.env_remove(name),
        };
    }
    niced
}

/// Builds a release binary that tests can end at named places, and says where it is. To be called before
/// [`release_binary`], since cargo has one place for both.
pub(crate) fn binary_with_failpoints() -> anyhow::Result<PathBuf> {
    let built = build_binary(&["--features", "failpoints"])?;
    let kept = built.with_file_name("housepipe-failpoints");
    std::fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(kept)
}

/// The same out of the build of the tests, for a run of all of them: a second release build would take minutes, and only to be killed.
pub(crate) fn test_binary_with_failpoints() -> anyhow::Result<PathBuf> {
    built_with_tests("housepipe")
}

/// A binary out of the build of the tests, and where it is.
pub(crate) fn built_with_tests(name: &str) -> anyhow::Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--locked", "--workspace", "--all-features", "--exclude", "housepipe-fuzz"]);
    // With a test among them the dependencies are those that all tests have.
    build.args(["--bin", name, "--test", "e2e"]);
    built(build, name)
}

fn build_binary(more: &[&str]) -> anyhow::Result<PathBuf> {
    let mut build = release_build();
    build.args(more);
    built(build, "housepipe")
}

fn release_build() -> Command {
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "housepipe", "--bin", "housepipe"]);
    build
}

/// Where the binary `name` is that `build` builds.
fn built(mut build: Command, name: &str) -> anyhow::Result<PathBuf> {
    // Cargo alone knows where its output goes, by an environment variable, a configuration file or neither.
    build.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = build.output().with_context(|| format!("cannot run {:?}", build.get_program()))?;
    if !output.status.success() {
        bail!("{} ended with {}", show(&build), output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .with_context(|| format!("{} told of no executable", show(&build)))
}

/// The executable of the binary `name` among the messages that cargo wrote, one a line.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

/// Checks what comes into the build. cargo-deny is not installed by the way: building it takes many minutes.
pub(crate) fn deny() -> anyhow::Result<()> {
    let installed = cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        bail!("cargo-deny is not here; install it once: cargo install --locked cargo-deny");
    }
    succeed(cargo().args(["deny", "check"]))
}

/// Checks the delivery core under the model checker in `model/`.
pub(crate) fn model(args: &[String]) -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["run", "--release", "--locked", "--quiet", "--package", "housepipe-model", "--"]);
    succeed(command.args(args))
}

/// Simulates exactly-once delivery, by the simulator in `model/src/simulator/`.
pub(crate) fn simulate(args: &[String]) -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["run", "--release", "--locked", "--quiet", "--package", "housepipe-model"]);
    succeed(command.args(["--bin", "simulate", "--"]).args(args))
}

/// Runs the fault matrix on real servers.
pub(crate) fn faults(args: &[String]) -> anyhow::Result<()> {
    crate::setup::tools()?;
    faults_with(&binary_with_failpoints()?, args)
}

/// The same with a binary that has failpoints.
pub(crate) fn faults_with(with_failpoints: &Path, args: &[String]) -> anyhow::Result<()> {
    let binary = release_binary()?;
    let mut command = Command::new(built_with_tests("faults")?);
    command
        .current_dir(root())
        .args(args)
        .env("HOUSEPIPE_BINARY", binary)
        .env("HOUSEPIPE_FAILPOINTS_BINARY", with_failpoints);
    succeed(&mut command)
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
    fn the_executable_is_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"other"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"other"},"executable":"/t/release/other"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"housepipe"},"executable":"/t/release/housepipe"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "housepipe"), Some(PathBuf::from("/t/release/housepipe")));
        assert_eq!(executable(messages, "absent"), None);
    }

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
