//! Why columns were not inferred.

use std::io;

use crate::error::PipeError;

/// Why columns were not inferred.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// The topic cannot be read, or what the file says of the table is wrong.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The topic has no records.
    #[error(
        "the topic `{topic}` has no records to infer columns from; produce some, or give documents that are like them, one a \
         line: `--from FILE`, or `--from -` for standard input"
    )]
    EmptyTopic {
        /// The topic.
        topic: String,
    },
    /// No line holds anything.
    #[error("there is no document in {source_name}; give JSON objects, one a line")]
    NoLines {
        /// Where they were to come from.
        source_name: String,
    },
    /// Lines could not be read.
    #[error("cannot read {source_name}")]
    Read {
        /// Where they come from.
        source_name: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// None of the samples can be loaded into columns.
    #[error("none of {read} samples is a JSON object that columns can be inferred from: {what}{mend}")]
    NoObjects {
        /// Samples that were looked at.
        read: u64,
        /// What they were instead.
        what: String,
        /// What to do, behind a semicolon; empty where there is nothing general to say.
        mend: &'static str,
    },
    /// The objects have no keys that could be columns.
    #[error(
        "the {samples} samples have no key that could be a column{first}; load the records by columns of your own"
    )]
    NoColumns {
        /// Samples that were looked at.
        samples: u64,
        /// The first key that was left out, and why; empty where there was none.
        first: String,
    },
}
