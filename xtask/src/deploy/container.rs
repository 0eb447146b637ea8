//! `deploy/container/Containerfile`: what hadolint says of it, and what it starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use housepipe_local_stack::Checkers;

use super::command_line::CommandLine;
use super::{file, output, tell, text};
use crate::run::root;
use crate::served::Served;

const NAME: &str = "container/Containerfile";

/// The port of the health check, which is that of `serve`.
const PORT: &str = "8080";

pub(super) fn check(checkers: &Checkers) -> anyhow::Result<Vec<CommandLine>> {
    let path = file(NAME);
    output(Command::new(&checkers.hadolint).args(["--trusted-registry", "docker.io", "--"]).arg(&path))?;
    let file = Containerfile::parse(&text(NAME)?);
    let cargo = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let wanted = cargo.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let wanted = wanted.context("Cargo.toml names no `rust-version`")?;
    ensure!(
        file.bases.first().is_some_and(|base| base.contains(&format!("/rust:{wanted}"))),
        "{NAME} does not build with the toolchain {wanted} of Cargo.toml: {:?}",
        file.bases
    );
    let toolchain = file.variables.get("RUSTUP_TOOLCHAIN").map(String::as_str).unwrap_or_default();
    ensure!(
        file.bases.iter().any(|base| base.contains(&format!("/rust:{toolchain}-"))),
        "{NAME}: RUSTUP_TOOLCHAIN={toolchain} is not the toolchain of its image"
    );
    let user: u32 = file.user.split(':').next().and_then(|user| user.parse().ok()).unwrap_or_default();
    ensure!(
        user != 0,
        "{NAME} runs as root: it needs a USER that is a number, which Kubernetes can tell from root"
    );
    ensure!(file.entry == ["housepipe"], "{NAME}: its entry point is {:?}", file.entry);
    tell(&path, "hadolint has nothing to say");
    let variables = file.variables.into_keys().collect();
    Ok(vec![CommandLine { place: format!("deploy/{NAME}"), words: file.command, variables }])
}

/// Has the health check of the file look at a real service, and at none.
pub(super) fn check_health(binary: &Path) -> anyhow::Result<()> {
    let words = Containerfile::parse(&text(NAME)?).health;
    ensure!(words.join(" ").contains(&format!("/{PORT} ")), "{NAME}: its health check asks no port {PORT}");
    let mut service = Served::start(binary)?;
    let port = service.url.rsplit(':').next().unwrap_or_default().to_owned();
    let looks = || {
        let words: Vec<String> =
            words.iter().map(|word| word.replace(&format!("/{PORT} "), &format!("/{port} "))).collect();
        let (program, arguments) = words.split_first().context("there is no health check")?;
        output(Command::new(program).args(arguments))
    };
    looks().context("the health check calls a service that lives dead")?;
    service.end()?;
    if looks().is_ok() {
        bail!("the health check calls a service that is dead alive");
    }
    tell(&file(NAME), "its health check tells a service that lives from one that does not");
    Ok(())
}

/// What matters here of a container file; of instructions that come again, the last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Containerfile {
    bases: Vec<String>,
    variables: BTreeMap<String, String>,
    user: String,
    entry: Vec<String>,
    command: Vec<String>,
    health: Vec<String>,
}

impl Containerfile {
    fn parse(text: &str) -> Containerfile {
        let words = |text: &str| serde_json::from_str::<Vec<String>>(text.trim()).unwrap_or_default();
        let mut file = Containerfile::default();
        let whole: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        for line in whole.join("\n").replace("\\\n", " ").lines() {
            let Some((instruction, rest)) = line.trim().split_once(' ') else { continue };
            match instruction {
                "FROM" => file.bases.push(rest.to_owned()),
                "USER" => rest.clone_into(&mut file.user),
                "ENTRYPOINT" => file.entry = words(rest),
                "CMD" => file.command = words(rest),
                "HEALTHCHECK" => {
                    file.health = rest.split_once("CMD").map(|(_, rest)| words(rest)).unwrap_or_default();
                }
                "ENV" => file.variables.extend(rest.split_whitespace().filter_map(|word| {
                    let (name, value) = word.split_once('=')?;
                    Some((name.to_owned(), value.to_owned()))
                })),
                _ => {}
            }
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_over_several_lines() {
        let text = "# a comment\nFROM a/rust:1 AS build\nFROM b\nENV A=1 \\\n    B=/x\nUSER 7:7\n\
                    HEALTHCHECK --interval=1s \\\n    CMD [\"x\", \"\\\\r\"]\nENTRYPOINT [\"housepipe\"]\nCMD [\"serve\"]\n";
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            Containerfile::parse(text),
            Containerfile {
                bases: words(&["a/rust:1 AS build", "b"]),
                variables: [("A", "1"), ("B", "/x")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
                user: "7:7".to_owned(),
                entry: words(&["housepipe"]),
                command: words(&["serve"]),
                health: words(&["x", "\\r"]),
            }
        );
    }
}
