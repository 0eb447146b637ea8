//! YAML text to nodes that remember their line.
//!
//! Scalars stay text: what a value means is decided by the key that holds it, so `password: 0123` keeps its zero.

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::Parser;

use super::Problem;

/// Nodes that aliases (`*anchor`) may expand into, at most.
const ALIAS_NODES_MAX: usize = 10_000;

/// Levels of nesting that a pipe file may have, at most.
pub(super) const DEPTH_MAX: usize = 32;

/// A value of the file with the line (1-based) that it starts on.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// No value, `~` or `null`.
    Null,
    /// Text as written, without its quotes.
    Text(String),
    /// The same, where it was written without quotes and may be a number or a truth value. Which it is, the key decides.
    Plain(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) node: Node,
}

impl Node {
    /// The value at a path of keys with dots between them.
    pub(super) fn value_at(&mut self, path: &str) -> Option<&mut Value> {
        let node = path.split('.').try_fold(self, |node, key| match &mut node.value {
            Value::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
            }
            _ => None,
        })?;
        Some(&mut node.value)
    }
}

impl Value {
    /// How an error message calls such a value.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Text(_) | Value::Plain(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads the one document of `text`.
pub(super) fn load(text: &str) -> Result<Node, Problem> {
    let mut loader: YamlLoader<'_, MarkedYaml<'_>> = YamlLoader::default();
    loader.early_parse(false);
    loader.alias_limit(ALIAS_NODES_MAX);
    let mut parser = Parser::new_from_str(text);
    let scanned = parser.load(&mut loader, true).map_err(|e| scan_problem(&e));
    if let Some(error) = loader.error() {
        return Err(scan_problem(error));
    }
    scanned?;
    let documents = loader.into_documents();
    match documents.as_slice() {
        [] => {
            Err(Problem::at(1, "", "the file is empty")
                .mend("start with `name:`, `source:` and `destination:`"))
        }
        [document] => convert(document, 0),
        [_, second, ..] => Err(Problem::at(second.span.start.line(), "", "a second document starts here")
            .mend("one file holds one pipe: put the other document into a file of its own")),
    }
}

fn scan_problem(error: &saphyr::ScanError) -> Problem {
    Problem::at(error.marker().line(), "", format!("not valid YAML: {}", error.info()))
}

fn convert(node: &MarkedYaml<'_>, depth: usize) -> Result<Node, Problem> {
    let line = node.span.start.line();
    if depth > DEPTH_MAX {
        return Err(Problem::at(line, "", format!("nested deeper than {DEPTH_MAX} levels")));
    }
    let value = match &node.data {
        YamlData::Representation(text, style, _) => scalar(text, *style),
        YamlData::Sequence(items) => {
            Value::List(items.iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        YamlData::Mapping(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, node)| {
                    let line = key.span.start.line();
                    let YamlData::Representation(name, ..) = &key.data else {
                        return Err(Problem::at(line, "", "a key must be plain text"));
                    };
                    Ok(Entry { key: name.to_string(), line, node: convert(node, depth + 1)? })
                })
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Tagged(tag, _) => {
            return Err(Problem::at(line, "", format!("the tag `{tag}` is not supported")).mend("remove it"));
        }
        YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
            return Err(Problem::at(line, "", "a value that cannot be read"));
        }
    };
    Ok(Node { line, value })
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    match (plain, text) {
        (true, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        (true, _) => Value::Plain(text.to_owned()),
        (false, _) => Value::Text(text.to_owned()),
    }
}
