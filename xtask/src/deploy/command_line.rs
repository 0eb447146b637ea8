//! What the files of `deploy/` start, against the binary: each flag and each variable is one of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure};

use super::output;

/// How a file starts `housepipe`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// Where it stands.
    pub(super) place: String,
    /// The words behind the program.
    pub(super) words: Vec<String>,
    /// Variables that are set for it.
    pub(super) variables: Vec<String>,
}

/// Has the binary read each of `lines`, and look no further.
pub(super) fn check(binary: &Path, lines: &[CommandLine]) -> anyhow::Result<()> {
    let help = output(Command::new(binary).args(["serve", "--help"]))?;
    let named: Vec<&str> = help.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_').collect();
    for CommandLine { place, words, variables } in lines {
        ensure!(words.first().is_some_and(|word| word == "serve"), "{place} starts no service: {words:?}");
        // With `--help` at its end a line is read up to there, and a word that it does not know is found before.
        if let Err(error) = output(Command::new(binary).args(words).arg("--help")) {
            bail!("{place}: {error}");
        }
        for variable in variables.iter().filter(|name| name.starts_with("HOUSEPIPE_")) {
            ensure!(
                named.contains(&variable.as_str()),
                "{place}: `housepipe serve` does not read {variable}"
            );
        }
        println!("{place}: housepipe {}", words.join(" "));
    }
    ensure!(lines.len() >= 7, "there are only {} command lines in deploy/", lines.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str], variable: &str) -> Vec<CommandLine> {
        let one = || CommandLine {
            place: "a file".to_owned(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            variables: vec![variable.to_owned()],
        };
        std::iter::repeat_with(one).take(7).collect()
    }

    /// Prints a help that names one flag and one variable, and refuses every other flag.
    fn binary(folder: &Path) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.join("housepipe");
        let script = "#!/bin/sh\nfor word; do case $word in serve|--help|--listen=*) ;; *) echo \"unexpected $word\"; exit 2;; esac; done\n\
                      echo '--listen [env: HOUSEPIPE_STATE=]'\n";
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    #[test]
    fn a_flag_or_a_variable_that_the_binary_does_not_know_is_found() {
        let folder = std::env::temp_dir().join(format!("xtask-command-line-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let binary = binary(&folder);
        let error = |lines: &[CommandLine]| check(&binary, lines).unwrap_err().to_string();
        check(&binary, &line(&["serve", "--listen=0.0.0.0:1"], "HOUSEPIPE_STATE")).unwrap();
        assert!(error(&line(&["serve", "--lisen=x"], "HOME")).contains("unexpected --lisen=x"));
        assert!(error(&line(&["serve"], "HOUSEPIPE_STAT3")).contains("does not read HOUSEPIPE_STAT3"));
        assert!(error(&line(&["serve"], "HOUSEPIPE_STAT")).contains("does not read HOUSEPIPE_STAT"));
        assert!(error(&line(&["run"], "HOME")).contains("starts no service"));
        assert!(error(&line(&["serve"], "HOME")[..1]).contains("only 1"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
