//! What can go wrong with an error table.

use housepipe_ch_sink::{Left, SinkError};

use crate::error::PipeError;

/// Why an error table could not be read, or a replay did not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorsError {
    /// The pipe's columns or its table cannot be used.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// ClickHouse refused, or is out of reach.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The pipe keeps no errors.
    #[error("the pipe has no error table: `error_table.enabled` is false in its file")]
    Disabled,
    /// There is no error table.
    #[error(
        "the error table `{table}` does not exist; a pipe creates it when it runs, under the name that \
         `error_table.suffix` says"
    )]
    NoTable {
        /// Its name.
        table: String,
    },
    /// The condition is no condition.
    #[error("the condition `{condition}` cannot be used")]
    Condition {
        /// Its text.
        condition: String,
        /// What is wrong with it.
        source: Box<SinkError>,
    },
    /// A repeated insert would be loaded again.
    #[error(
        "a replay that is cut off and run again would load records twice, so it is not begun: {problems}"
    )]
    NotRemembered {
        /// What stands in the way, and what mends it.
        problems: String,
    },
    /// Somebody else replays.
    #[error(
        "another replay of this pipe is under way ({by}); nothing of this batch was loaded, and what was loaded before \
         is marked: run it again when the other has ended"
    )]
    Conflict {
        /// What was seen of it.
        by: String,
    },
    /// An interrupted replay that cannot be finished without the risk of loading records twice or leaving them out.
    #[error(
        "the batch `{token}` of {records} record(s) was begun and cut off, and cannot be finished: {problem}. Look whether \
         its records are in the table (error table: kind = 'replay' and this batch_token), then run `housepipe errors \
         replay` with `--settle-loaded {token}` where they are, or `--settle-missing {token}` where they are not"
    )]
    Interrupted {
        /// The token of its insert.
        token: String,
        /// How many.
        records: usize,
        /// Why it cannot be finished.
        problem: String,
    },
    /// No answer that tells whether a batch was stored.
    #[error(
        "whether the batch `{token}` was loaded is not known; run the replay again, and it is finished first"
    )]
    Unsure {
        /// The token of its insert.
        token: String,
        /// The last answer.
        source: Box<SinkError>,
    },
    /// ClickHouse was killed behind an insert, and what is left of it does not tell whether it was done.
    #[error(
        "clickhouse was started anew behind the insert of the batch `{token}`, and {}; run the replay again to be told how \
         to settle it",
        .why
    )]
    Untold {
        /// The token of its insert.
        token: String,
        /// Why what is left of it does not tell.
        why: &'static str,
    },
    /// ClickHouse is killed again and again.
    #[error("clickhouse was started anew {times} times behind an insert; nothing of this batch was loaded")]
    Restarting {
        /// How often.
        times: usize,
    },
    /// Too much time passed before a batch could be inserted.
    #[error(
        "the batch `{token}` was begun too long ago to be inserted by this process (was it stopped?); run the replay \
         again, and it is finished first"
    )]
    Late {
        /// The token of its insert.
        token: String,
    },
    /// ClickHouse does not take the insert, whatever is in it.
    #[error("clickhouse does not take the insert; nothing of this batch was loaded")]
    Insert(#[source] Box<SinkError>),
    /// So many rows of a batch were refused that the set-up must be wrong.
    #[error(
        "clickhouse refused {refused} and more rows of one batch; mend the table, or leave these records out by \
         `--where` or `--code`; it said: {last}"
    )]
    TooManyRefused {
        /// Rows refused when the search was given up.
        refused: usize,
        /// The last refusal.
        last: String,
    },
    /// There is no interrupted batch of this token.
    #[error("no batch `{token}` was begun and cut off; {open}")]
    NoSuchBatch {
        /// The token that was asked for.
        token: String,
        /// What there is.
        open: String,
    },
}

impl ErrorsError {
    /// Whether it is a mistake in what was asked for, and not of the work.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            ErrorsError::Condition { .. } | ErrorsError::NoSuchBatch { .. } | ErrorsError::Disabled
        )
    }
}

/// Why what is left of an insert does not tell whether it was done.
pub(super) fn untold(left: Left, is_same: bool) -> &'static str {
    match left {
        _ if !is_same => "the columns have changed since, so that its rows may be there with other values",
        Left::Nothing => "none of its rows are there, which its engine may have merged into others",
        Left::Some | Left::All => "some of its rows are there, and others are not",
    }
}
