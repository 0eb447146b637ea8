//! A pipe file in the making: its source is known, its columns are not.

use std::path::Path;

use housepipe_ch_sink::Compression;

use super::fields::{Fields, Located};
use super::surroundings::ThisMachine;
use super::types::{DestinationSpec, PipeFile};
use super::yaml::Value;
use super::{PipeFileError, Problem, parse, read_text};

/// A pipe file that need not say how ClickHouse is reached, nor which columns are filled; what it says of them is not
/// looked at, secrets of the destination included. Good for looking at the topic, not for running.
///
/// ```
/// use housepipe_runtime::PipeDraft;
///
/// let draft = PipeDraft::parse(
///     "name: clicks\n\
///      source: { type: kafka, brokers: 'localhost:9092', topic: clicks }\n\
///      destination: { managed_table: { engine: ReplacingMergeTree } }\n",
///     "pipe.yaml",
/// )?;
/// assert_eq!((draft.topic(), draft.table()), ("clicks", "clicks"));
/// # Ok::<(), housepipe_runtime::PipeFileError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PipeDraft {
    /// With what the file leaves out filled in.
    file: PipeFile,
}

impl PipeDraft {
    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found.
    pub fn read(path: &Path) -> Result<PipeDraft, PipeFileError> {
        PipeDraft::parse(&read_text(path)?, &path.display().to_string())
    }

    /// Parses `text`; `file` is the name that messages carry.
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found.
    pub fn parse(text: &str, file: &str) -> Result<PipeDraft, PipeFileError> {
        let parsed = parse::parse(text, destination, &ThisMachine);
        Ok(PipeDraft::from(parsed.map_err(|problems| PipeFileError::of(file, problems))?))
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.file.source.topic
    }

    /// The table; named as the topic where the file names none.
    pub fn table(&self) -> &str {
        &self.file.destination.table
    }

    /// The pipe with its placeholders.
    pub(crate) fn file(&self) -> &PipeFile {
        &self.file
    }

    pub(super) fn into_file(self) -> PipeFile {
        self.file
    }
}

impl From<PipeFile> for PipeDraft {
    fn from(mut file: PipeFile) -> PipeDraft {
        if file.destination.table.is_empty() {
            file.destination.table.clone_from(&file.source.topic);
        }
        PipeDraft { file }
    }
}

/// What a draft needs of `destination:`.
pub(super) fn destination(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<DestinationSpec> {
    let mut spec = DestinationSpec {
        url: String::new(),
        username: String::new(),
        password: None,
        set_up: None,
        access: None,
        on_cluster: None,
        database: String::new(),
        table: String::new(),
        compression: Compression::None,
        managed_table: None,
        columns: Vec::new(),
    };
    if matches!(at.node.value, Value::Null) {
        return Some(spec);
    }
    let mut fields = Fields::of(at, problems)?;
    for unused in ["url", "username", "password", "setup", "access", "database", "compression", "columns"] {
        fields.take(unused);
    }
    spec.on_cluster = fields.take("on_cluster").and_then(|v| v.nonempty(problems));
    if let Some(table) = fields.take("table") {
        spec.table = table.nonempty(problems)?;
    }
    if let Some(managed) = fields.take("managed_table") {
        spec.managed_table = Some(parse::managed_table(&managed, problems)?);
    }
    fields.finish(problems);
    Some(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        "name: clicks\nsource: { type: kafka, brokers: 'localhost:9092', topic: clicks.v1 }\n";

    fn draft(destination: &str) -> Result<PipeDraft, PipeFileError> {
        PipeDraft::parse(&format!("{SOURCE}{destination}"), "p.yaml")
    }

    #[test]
    fn a_destination_may_be_nearly_empty() {
        for (destination, table) in [
            ("destination:\n", "clicks.v1"),
            ("destination: {}\n", "clicks.v1"),
            ("destination: { table: t }\n", "t"),
            ("destination: { table: t, columns: , managed_table: { order_by: [a] } }\n", "t"),
            (
                "destination: { url: '${env:HOUSEPIPE_NOT_SET}', password: '${env:HOUSEPIPE_NOT_SET}' }\n",
                "clicks.v1",
            ),
        ] {
            assert_eq!(draft(destination).unwrap().table(), table, "{destination}");
        }
    }

    #[test]
    fn what_is_there_has_to_be_right() {
        for (destination, said) in [
            ("", "p.yaml:1: `destination`: missing"),
            ("destination: { tabel: t }\n", "did you mean `table`?"),
            ("destination: { managed_table: { odrer_by: [a] } }\n", "did you mean `order_by`?"),
            ("destination: 7\n", "expected a mapping"),
        ] {
            let error = draft(destination).unwrap_err().to_string();
            assert!(error.contains(said), "{destination}: {error}");
        }
    }
}
