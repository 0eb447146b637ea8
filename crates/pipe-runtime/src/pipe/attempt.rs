//! What is inserted, and why it may end without.

use housepipe_ch_sink::{ErrorBlock, ErrorTable, FailureClass, Insert, SinkError, TableColumn};

use super::recovery::Remembered;
use super::shared::Shared;

/// What is tried until it succeeds.
pub(super) enum Attempt<'a> {
    Rows {
        insert: &'a Insert<'a>,
        /// Rows of too many partitions of the table are given back, to go in several inserts.
        may_divide: bool,
    },
    Errors(&'a ErrorTable, &'a ErrorBlock, &'a str),
}

impl Attempt<'_> {
    /// The rows that it inserts, where it is none of rejects.
    pub(super) fn rows(&self) -> Option<u64> {
        match self {
            Attempt::Rows { insert, .. } => Some(insert.rows),
            Attempt::Errors(..) => None,
        }
    }

    pub(super) fn table(&self) -> &str {
        match self {
            Attempt::Rows { insert, .. } => insert.table,
            Attempt::Errors(table, ..) => table.name(),
        }
    }

    /// What is done about a failure of it.
    pub(super) fn class(&self, error: &SinkError) -> FailureClass {
        match (error.class(), self) {
            (FailureClass::Divide, Attempt::Rows { may_divide: true, .. }) => FailureClass::Divide,
            (FailureClass::Divide, _) => FailureClass::Hold,
            (class, _) => class,
        }
    }

    /// The columns whose types have to be those that rows are encoded for.
    pub(super) fn known_columns<'a>(&self, shared: &'a Shared) -> &'a [TableColumn] {
        match self {
            Attempt::Rows { .. } => &shared.setup.target.known_columns,
            Attempt::Errors(..) => &[],
        }
    }

    /// Whether its tokens are remembered.
    pub(super) fn is_remembered(&self, remembered: Remembered) -> bool {
        match self {
            Attempt::Rows { .. } => remembered.rows,
            Attempt::Errors(..) => remembered.rejects,
        }
    }

    /// Whether tokens of the table outlive its server.
    pub(super) fn is_in_keeper(&self, shared: &Shared) -> bool {
        match self {
            Attempt::Rows { .. } => shared.setup.target.is_in_keeper(),
            // The error table is ours, and not replicated.
            Attempt::Errors(..) => false,
        }
    }
}

/// Why something was not inserted.
pub(super) enum Undelivered {
    /// ClickHouse refuses these rows for what they contain.
    Refused(SinkError),
    /// They are of too many partitions of the table for one insert. Nothing of them is stored, and none of them is bad.
    TooManyPartitions(SinkError),
    /// The pipe ends, or the partition has another owner; what is not committed is read again.
    Abandoned,
    /// It was tried for so long that ClickHouse may have forgotten whether it has it.
    Overdue {
        /// Seconds since it may have been tried first.
        age_s: u64,
    },
    /// What is left of it was looked for, and does not tell whether it was stored.
    Untold {
        /// Seconds since it may have been tried first.
        age_s: u64,
    },
    /// The pipe is told to stop, or the group wants the partition back, while something is waited for that takes long.
    GivenUp,
    /// The server was started anew since it was prepared, and it is known what is left of it: it is to be prepared again.
    Outlived {
        /// Whether its rows are there.
        are_there: bool,
    },
    /// The server was started anew since it was prepared: what it remembers of the token is not sure.
    ServerRestarted {
        /// When, in seconds since 1970 by the server's clock.
        started_unix_s: u64,
    },
}
