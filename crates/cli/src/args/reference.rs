//! The reference of all commands in `docs/reference/cli.md`, made of the help that teaches them.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};
use expect_test::expect_file;

use super::Cli;

const BEGINNING: &str = "# Commands\n\n\
    What `housepipe <command> --help` says, in one place. This page is made of the program itself: \
    `UPDATE_EXPECT=1 cargo test -p housepipe --bin housepipe reference` writes it anew.\n\n\
    Exit codes: 0 done, 1 a check or the work failed, 2 wrong usage or a pipe file that cannot be read.\n";

#[test]
fn the_reference_has_every_command_and_flag() {
    let mut cli = Cli::command();
    cli.build();
    let mut page = BEGINNING.to_owned();
    write(&cli, &BTreeSet::new(), &mut page);
    for word in ["housepipe pipes create", "--token-file <FILE>", "HOUSEPIPE_TOKEN", "housepipe top"] {
        assert!(page.contains(word), "{word}");
    }
    expect_file!["../../../../docs/reference/cli.md"].assert_eq(&page);
}

/// A command and those below it. What is `known` of those above is not said again.
fn write(command: &Command, known: &BTreeSet<String>, page: &mut String) {
    let name = command.get_bin_name().unwrap_or("housepipe");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## {name}\n\n{}\n", about.trim());
    if !command.has_subcommands() {
        let usage = command.clone().render_usage().to_string();
        let _ = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage:").trim());
    }
    let is_told = |arg: &&Arg| {
        !arg.is_hide_set()
            && !["help", "version"].contains(&arg.get_id().as_str())
            && !known.contains(arg.get_id().as_str())
    };
    let args: Vec<&Arg> = command.get_arguments().filter(is_told).collect();
    if !args.is_empty() {
        page.push('\n');
    }
    for arg in &args {
        let _ = writeln!(page, "- `{}`: {}", form(arg), told(arg));
    }
    if let Some(after) = command.get_after_help() {
        let _ = write!(page, "\n```text\n{}\n```\n", after.to_string().trim());
    }
    let known = known.iter().cloned().chain(args.iter().map(|arg| arg.get_id().to_string())).collect();
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        write(below, &known, page);
    }
}

/// A flag or a value as it is written.
fn form(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let takes = arg.get_action().takes_values();
    let value = if takes {
        values.iter().map(|value| format!("<{value}>")).collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    };
    let flags: Vec<String> =
        [arg.get_short().map(|short| format!("-{short}")), arg.get_long().map(|long| format!("--{long}"))]
            .into_iter()
            .flatten()
            .collect();
    let words: Vec<String> = [flags.join(", "), value].into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn told(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut told = help.split_whitespace().collect::<Vec<_>>().join(" ");
    // The parser takes the last full stop off.
    if !told.ends_with(['.', ')']) {
        told.push('.');
    }
    let takes = arg.get_action().takes_values();
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if takes && !defaults.is_empty() {
        let _ = write!(told, " Default: {}.", defaults.join(", "));
    }
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| takes && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !choices.is_empty() {
        let _ = write!(told, " One of {}.", choices.join(", "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(told, " Also by the variable `{}`.", variable.to_string_lossy());
    }
    told
}
