//! The command lines of the documents, read as the program reads its own.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::Cli;

fn documents() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md")];
    below(&root.join("docs"), &mut found);
    found
}

/// The commands of the blocks of shell, a line each.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks
        .flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The words behind `housepipe`, where the line starts it: up to a comment, a pipe or a redirection, without quotes, behind variables that are
/// set for it.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '\'' | '"') => quote = Some(letter),
            (None, '#' | '|' | '<' | '>') if word.is_empty() => break,
            (None, _) if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (None, _) => word.push(letter),
        }
    }
    let is_variable = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let words: Vec<String> = words.into_iter().skip_while(is_variable).collect();
    (words.first()? == "housepipe").then_some(words)
}

#[test]
fn every_command_of_the_documents_is_one() {
    let mut read = 0;
    for path in documents() {
        for line in commands(&std::fs::read_to_string(&path).unwrap()) {
            let Some(words) = words(&line) else { continue };
            read += 1;
            if let Err(error) = Cli::try_parse_from(&words)
                && error.use_stderr()
            {
                panic!("{}: {line}\n{error}", path.display());
            }
        }
    }
    assert!(read >= 15, "{read}");
}

#[test]
fn words_are_those_of_a_shell() {
    let of = |line| words(line).map(|words| words.join("·"));
    assert_eq!(
        of("housepipe transform --columns 'a UInt8' < in > out").unwrap(),
        "housepipe·transform·--columns·a UInt8"
    );
    assert_eq!(of("A=1 housepipe run p.yaml   # why").unwrap(), "housepipe·run·p.yaml");
    assert_eq!(of("cargo install housepipe"), None);
}
