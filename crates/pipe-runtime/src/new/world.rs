//! What is looked up between the questions.

use std::path::Path;
use std::time::Duration;

use housepipe_ch_sink::{Sink, Trial};
use housepipe_kafka_source::{ListedTopic, OwnedRecord, Sampled, list_topics};
use tokio::runtime::Handle;

use crate::error::explain;
use crate::infer::{Declared, declared_schema};
use crate::pipe::provision::create_table;
use crate::pipe::{RunOptions, sink_config, source_config};
use crate::pipe_file::PipeFile;
use crate::preview::{PreviewReport, Previewed, preview, preview_documents};
use crate::sample;

/// Time to ask the brokers for their topics, at most, in milliseconds.
const TOPICS_TIMEOUT_MS: u64 = 8_000;

/// Time to fetch samples, at most, in milliseconds.
const SAMPLES_TIMEOUT_MS: u64 = 30_000;

/// What ClickHouse says of itself and of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) version: String,
    /// Columns of the table; none where it does not exist.
    pub(super) table: Option<usize>,
}

/// Both ends of a pipe, the environment and the folder. Errors are words for people, with the mend.
pub(super) trait World {
    fn topics(&self, file: &PipeFile) -> Result<Vec<ListedTopic>, String>;
    /// The newest records, oldest first, or a part of them.
    fn samples(&self, file: &PipeFile, count: usize) -> Result<Sampled, String>;
    /// The schema of these records; an error where it cannot be used.
    fn schema(&self, file: &PipeFile, samples: &[OwnedRecord]) -> Result<Option<Declared>, String>;
    fn server(&self, file: &PipeFile) -> Result<Server, String>;
    /// Why ClickHouse would not create the table; none where it would. An error where that is not known.
    fn refusal(&self, file: &PipeFile) -> Result<Option<String>, String>;
    /// Over `documents` where there are some, else over the newest records.
    fn preview(&self, file: &PipeFile, count: usize, documents: &[Vec<u8>]) -> Result<PreviewReport, String>;
    fn variable(&self, name: &str) -> Option<String>;
    /// Whether there is something of this name.
    fn has_file(&self, path: &Path) -> bool;
    fn is_folder(&self, path: &Path) -> bool;
    fn read_file(&self, path: &Path) -> Result<Vec<u8>, String>;
}

/// The world as it is.
pub(super) struct Live {
    runtime: Handle,
}

impl Live {
    pub(super) fn new(runtime: Handle) -> Live {
        Live { runtime }
    }
}

impl World for Live {
    fn topics(&self, file: &PipeFile) -> Result<Vec<ListedTopic>, String> {
        let config = source_config(file, &RunOptions::default());
        list_topics(&config, Duration::from_millis(TOPICS_TIMEOUT_MS)).map_err(|error| explain(&error))
    }

    fn samples(&self, file: &PipeFile, count: usize) -> Result<Sampled, String> {
        let newest = sample::newest(file, count, Duration::from_millis(SAMPLES_TIMEOUT_MS));
        self.runtime.block_on(newest).map_err(|error| explain(&error))
    }

    fn schema(&self, file: &PipeFile, samples: &[OwnedRecord]) -> Result<Option<Declared>, String> {
        let schema = self.runtime.block_on(declared_schema(file, samples));
        match schema.map_err(|error| explain(&error))? {
            (_, Some(problem)) => Err(problem),
            (declared, None) => Ok(declared),
        }
    }

    fn server(&self, file: &PipeFile) -> Result<Server, String> {
        self.runtime.block_on(async {
            let sink = Sink::new(&sink_config(file)).map_err(|error| explain(&error))?;
            let version = sink.server().await.map_err(|error| explain(&error))?.version;
            let table = sink.describe(&file.destination.table).await.map_err(|error| explain(&error))?;
            Ok(Server { version, table: table.map(|info| info.columns.len()) })
        })
    }

    fn refusal(&self, file: &PipeFile) -> Result<Option<String>, String> {
        let Some(create) = create_table(&file.destination) else { return Ok(None) };
        self.runtime.block_on(async {
            let sink = Sink::new(&sink_config(file)).map_err(|error| explain(&error))?;
            match sink.try_table(&create).await {
                Ok(Trial::Taken) => Ok(None),
                Ok(Trial::Refused(error)) => Ok(Some(explain(&error))),
                Ok(Trial::Unknown(error)) | Err(error) => Err(explain(&error)),
            }
        })
    }

    fn preview(&self, file: &PipeFile, count: usize, documents: &[Vec<u8>]) -> Result<PreviewReport, String> {
        self.runtime.block_on(async {
            let report = if documents.is_empty() {
                preview(file, count).await
            } else {
                let documents = (1..).zip(documents).take(count);
                preview_documents(
                    file,
                    documents.map(|(line, text)| Previewed::document(line, text)).collect(),
                )
                .await
            };
            report.map_err(|error| explain(&error))
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn has_file(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn read_file(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }
}
