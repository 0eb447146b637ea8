//! A pipe file in the making, of which a look needs a part only: the rest may be missing, or be wrong.

use super::{Document, TakenApart};
use crate::pipe_file::surroundings::Surroundings;
use crate::pipe_file::yaml::{Entry, Node, Value};
use crate::pipe_file::{PipeDraft, PipeFileError, draft, parse};

/// What stands in place of a name that a look does not need.
const UNNAMED: &str = "draft";

/// Keys of the whole that only a run or its preview needs.
const OF_A_RUN: [&str; 6] = ["description", "error_table", "batch", "semantics", "delivery", "deadlines"];

/// Which part of a draft a look needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// How each end is reached that it has.
    Connections,
    /// How the brokers are reached.
    Brokers,
    /// The topic and how it is reached.
    Topic,
    /// The topic, the registry, and what it says of a table that is to be.
    NewTable,
    /// Only what it says of a table that is to be: documents are at hand.
    NewTableAlone,
    /// How ClickHouse is reached, and the database.
    Destination,
    /// The table and how it is reached.
    Table,
    /// How records become rows: the topic, the registry, and the table with its columns.
    Rows,
    /// The same, where documents are at hand.
    Columns,
    /// Everything.
    Whole,
}

impl Document {
    /// As [`Document::take_apart`], of the part that is needed. What is not looked at has placeholders in the pipe.
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem of that part.
    ///
    /// ```
    /// use housepipe_runtime::{Document, Need, ThisMachine};
    ///
    /// let text = "source: { type: kafka, brokers: 'localhost:9092' }\ndestination: { columns: unfinished }\n";
    /// let draft = Document::parse(text, "draft")?;
    /// let part = draft.clone().take_part("draft", Need::Brokers, &ThisMachine)?;
    /// assert_eq!(part.file.source.brokers, "localhost:9092");
    /// let error = draft.take_part("draft", Need::Topic, &ThisMachine).unwrap_err().to_string();
    /// assert!(error.contains("`source.topic`: missing"), "{error}");
    /// # Ok::<(), housepipe_runtime::PipeFileError>(())
    /// ```
    pub fn take_part(
        mut self,
        file: &str,
        need: Need,
        surroundings: &dyn Surroundings,
    ) -> Result<TakenApart, PipeFileError> {
        if let Value::Map(root) = &mut self.root.value {
            reduce(root, need);
        }
        let (read, is_draft): (parse::ReadDestination, bool) = match need {
            Need::NewTable | Need::NewTableAlone => (draft::destination, true),
            _ => (parse::destination, false),
        };
        let mut apart = self.take_apart_by(file, read, surroundings)?;
        if is_draft {
            apart.file = PipeDraft::from(apart.file).into_file();
        }
        Ok(apart)
    }
}

fn entries(value: &Value) -> Option<&[Entry]> {
    match value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

/// Leaves what is needed, and puts placeholders where something else has to stand.
fn reduce(root: &mut Vec<Entry>, need: Need) {
    if need == Need::Whole {
        return;
    }
    let is_for_run = matches!(need, Need::Rows | Need::Columns);
    root.retain(|entry| is_for_run || !OF_A_RUN.contains(&entry.key.as_str()));
    fill(root, "name", text(UNNAMED));
    // A table that is to be is called as the topic is.
    let topic = topic_of(root).unwrap_or_else(|| UNNAMED.to_owned());
    match need {
        Need::Connections | Need::Brokers => {
            if need == Need::Brokers || root.iter().any(|entry| entry.key == "source") {
                without(root, "source", &["topic", "offset", "consumer_group"]);
                fill_in(root, "source", "topic", text(UNNAMED));
            }
        }
        Need::NewTableAlone | Need::Destination | Need::Table => root.retain(|entry| entry.key != "source"),
        Need::Columns => fill_in(root, "source", "topic", text(UNNAMED)),
        Need::Topic | Need::NewTable | Need::Rows | Need::Whole => {}
    }
    if !matches!(need, Need::Brokers | Need::Topic | Need::NewTable | Need::Rows | Need::Whole) {
        fill(root, "source", map(&[("type", "kafka"), ("brokers", "localhost:9092"), ("topic", &topic)]));
    }
    if !matches!(need, Need::Connections | Need::NewTable | Need::Rows | Need::Columns | Need::Whole) {
        root.retain(|entry| entry.key != "schema_registry");
    }
    match need {
        Need::Connections | Need::Destination | Need::Table => {
            without(root, "destination", &["columns", "managed_table"]);
            if need != Need::Table {
                without(root, "destination", &["table"]);
                fill_in(root, "destination", "table", text(UNNAMED));
            }
        }
        Need::Brokers | Need::Topic => root.retain(|entry| entry.key != "destination"),
        Need::NewTable | Need::NewTableAlone => fill(root, "destination", Value::Map(Vec::new())),
        Need::Rows | Need::Columns | Need::Whole => {}
    }
    if matches!(need, Need::Connections | Need::Brokers | Need::Topic) {
        fill(root, "destination", map(&[("url", "http://localhost:8123"), ("table", UNNAMED)]));
    }
}

fn topic_of(root: &[Entry]) -> Option<String> {
    let source = entries(&root.iter().find(|entry| entry.key == "source")?.node.value)?;
    match &source.iter().find(|entry| entry.key == "topic")?.node.value {
        Value::Text(topic) | Value::Plain(topic) if !topic.is_empty() => Some(topic.clone()),
        _ => None,
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn map(pairs: &[(&str, &str)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| entry(key, text(value))).collect())
}

fn entry(key: &str, value: Value) -> Entry {
    Entry { key: key.to_owned(), line: 0, node: Node { line: 0, value } }
}

/// Puts a value where there is none.
fn fill(entries: &mut Vec<Entry>, key: &str, value: Value) {
    if !entries.iter().any(|entry| entry.key == key) {
        entries.push(entry(key, value));
    }
}

/// The same within a block that is there.
fn fill_in(root: &mut [Entry], block: &str, key: &str, value: Value) {
    if let Some(Entry { node: Node { value: Value::Map(entries), .. }, .. }) =
        root.iter_mut().find(|entry| entry.key == block)
    {
        fill(entries, key, value);
    }
}

/// Leaves keys out of a block.
fn without(root: &mut [Entry], block: &str, keys: &[&str]) {
    if let Some(Entry { node: Node { value: Value::Map(entries), .. }, .. }) =
        root.iter_mut().find(|entry| entry.key == block)
    {
        entries.retain(|entry| !keys.contains(&entry.key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThisMachine;

    const SOURCE: &str = "source: { type: kafka, brokers: 'a:9092', auth: { mechanism: PLAIN, username: u, password: hunter1, allow_without_tls: true } }\n";
    const DESTINATION: &str = "destination: { url: 'http://b:8123', password: hunter2 }\n";

    fn part(text: &str, need: Need) -> Result<TakenApart, String> {
        let document = Document::parse(text, "draft").unwrap();
        document.take_part("draft", need, &ThisMachine).map_err(|error| error.to_string())
    }

    #[test]
    fn each_look_takes_its_part_and_leaves_the_rest_alone() {
        let unfinished = format!("{SOURCE}destination: {{ columns: [7] }}\nbatch: none\n");
        assert_eq!(part(&unfinished, Need::Brokers).unwrap().file.source.brokers, "a:9092");
        assert!(part(&unfinished, Need::Topic).unwrap_err().contains("`source.topic`: missing"));
        let with_topic = unfinished.replace("brokers:", "topic: t, brokers:");
        assert_eq!(part(&with_topic, Need::Topic).unwrap().file.source.topic, "t");
        let file = part(&with_topic, Need::NewTable).unwrap().file;
        assert_eq!((file.source.topic.as_str(), file.destination.table.as_str()), ("t", "t"));
        let error = part(&with_topic, Need::Whole).unwrap_err();
        assert!(error.contains("`name`: missing") && error.contains("`batch`"), "{error}");
        for need in [Need::Table, Need::Columns, Need::Rows] {
            let error = part("destination: { table: t }", need).unwrap_err();
            assert!(error.contains("`destination.url`: missing"), "{need:?}: {error}");
        }
        let table = part("destination: { url: 'http://b:8123', table: t, columns: [7] }", Need::Table);
        assert_eq!(table.unwrap().file.destination.table, "t");
        let destination =
            part("destination: { url: 'http://b:8123', database: d, table: [] }", Need::Destination);
        assert_eq!(destination.unwrap().file.destination.database, "d");
        assert!(part("{}", Need::Destination).unwrap_err().contains("`destination`: missing"));
        assert_eq!(part("{}", Need::NewTableAlone).unwrap().file.name.as_str(), UNNAMED);
        let alone = part("source: { topic: t, brokers: 7 }", Need::NewTableAlone).unwrap().file;
        assert_eq!(alone.destination.table, "t");
        assert!(part("{}", Need::Brokers).unwrap_err().contains("`source`: missing"));
    }

    #[test]
    fn connections_are_those_that_are_there() {
        let apart = part(&format!("{SOURCE}{DESTINATION}"), Need::Connections).unwrap();
        assert_eq!(
            (apart.file.source.brokers.as_str(), apart.file.destination.url.as_str()),
            ("a:9092", "http://b:8123")
        );
        assert!(part("{}", Need::Connections).is_ok(), "whether there is any is the caller's to see");
        let error = part("destination: { url: 'ftp://b' }", Need::Connections).unwrap_err();
        assert!(error.contains("`destination.url`"), "{error}");
        let document = Document::parse(DESTINATION, "draft").unwrap();
        assert!(document.has("destination") && !document.has("source"));
    }

    #[test]
    fn secrets_are_taken_out_of_the_part() {
        let apart = part(&format!("{SOURCE}{DESTINATION}"), Need::Brokers).unwrap();
        let paths: Vec<&str> = apart.secrets.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["source.auth.password"]);
        assert!(!apart.document.to_yaml().contains("hunter"), "{}", apart.document.to_yaml());
        // A key that nobody knows is told in every part.
        assert!(part(&format!("{SOURCE}suorce: 1\n"), Need::Brokers).unwrap_err().contains("`suorce`"));
    }
}
