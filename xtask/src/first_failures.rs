//! The first tests that failed, in their own words. They stand far above the end of a long output, and where a server or the
//! disk is gone, hundreds follow them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::run::show;

/// Tests that are quoted, at most.
const TESTS_MAX: usize = 4;
/// Lines of each, at most.
const LINES_MAX: usize = 12;

/// What libtest writes ahead of the output of a test that failed.
const HEADING: (&str, &str) = ("---- ", " stdout ----");

/// Runs `command` with this process's output; where it does not succeed, the error quotes the first tests that failed.
pub(crate) fn succeed_or_quote(command: &mut Command) -> anyhow::Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let mut first = FirstFailures::default();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            first.line(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{} ended with {status}{}", show(command), first.quoted());
    }
    Ok(())
}

#[derive(Default)]
struct FirstFailures {
    /// The lines of each, its name ahead of them.
    tests: Vec<Vec<String>>,
    is_within: bool,
}

impl FirstFailures {
    fn line(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix(HEADING.0).and_then(|rest| rest.strip_suffix(HEADING.1)) {
            self.is_within = self.tests.len() < TESTS_MAX;
            if self.is_within {
                self.tests.push(vec![name.to_owned()]);
            }
            return;
        }
        // What libtest writes behind the outputs.
        self.is_within &= line != "failures:";
        if let Some(test) = self.tests.last_mut()
            && self.is_within
            && !line.is_empty()
            && test.len() <= LINES_MAX
        {
            test.push(format!("  {line}"));
        }
    }

    fn quoted(&self) -> String {
        if self.tests.is_empty() {
            return String::new();
        }
        let tests: Vec<String> = self.tests.iter().map(|lines| lines.join("\n")).collect();
        format!("\n\nthe first that failed:\n{}", tests.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(output: &str) -> String {
        let mut first = FirstFailures::default();
        output.lines().for_each(|line| first.line(line));
        first.quoted()
    }

    #[test]
    fn the_words_of_the_first_are_quoted() {
        let output = "test a ... ok\n\nfailures:\n\n---- b stdout ----\n\nthread 'b' panicked at b.rs:1:\nno disk\n\n\nfailures:\n    b\n\ntest result: FAILED.";
        assert_eq!(
            quoted(output),
            "\n\nthe first that failed:\nb\n  thread 'b' panicked at b.rs:1:\n  no disk"
        );
    }

    #[test]
    fn many_and_long_ones_are_cut() {
        let output: String =
            (0..9).map(|test| format!("---- t{test} stdout ----\n{}", "x\n".repeat(99))).collect();
        assert_eq!(quoted(&output).matches("t").count(), TESTS_MAX + "the first that".matches('t').count());
        assert_eq!(quoted(&output).matches("  x").count(), TESTS_MAX * LINES_MAX);
    }

    #[test]
    fn where_nothing_is_told_nothing_is_quoted() {
        assert_eq!(quoted("test a ... ok\nerror: could not compile"), "");
        let failed =
            succeed_or_quote(Command::new("sh").args(["-c", "echo '---- a stdout ----'; echo why; exit 3"]));
        let error = failed.unwrap_err().to_string();
        assert!(error.contains("status: 3\n\nthe first that failed:\na\n  why"), "{error}");
    }
}
