//! Drivers and surroundings with a mistake each, which the simulator has to find.

use clap::ValueEnum;

/// A rule that is broken. The first twelve are those of the model checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mistake {
    /// Inserts when the commit that prepares is sent, not when it is acknowledged
    InsertsBeforePrepared,
    /// Takes a commit without an answer for refused, and sends it again
    SendsCommitsAgain,
    /// Asks for the group's commit again after one without an answer, and stays in the group
    RecoversInPlace,
    /// Begins at the committed offset, whatever range is pending
    IgnoresPending,
    /// The broker takes commits of those who are not in the group any more
    Unfenced,
    /// The tables remember no tokens
    WithoutDeduplication,
    /// Gives a partition back while a commit is under way
    ReleasesEarly,
    /// Takes a server that was started anew for the one before it, and repeats the insert
    TrustsTheToken,
    /// Inserts with another token after the server was killed, and does not tell the group before
    TellsNobody,
    /// Inserts again with the same token where the rows are there, and does not tell the group before
    RepeatsUntold,
    /// Takes a server that was started anew before the first try of an insert for the one before it
    TrustsTheFirstTry,
    /// Inserts that were sent to a server before its last start come to the one after it
    WithoutSessions,
    /// Inserts rejects without a token
    RejectsWithoutToken,
    /// Inserts rejects before the rows of the same range
    RejectsBeforeRows,
    /// Inserts with another token after the server was killed, without a look for the rows
    NeverLooks,
    /// Believes that ClickHouse remembers every token
    IgnoresTheMemory,
    /// Looks for the rows of a range whose token may be forgotten while an insert of it may be under way
    LooksAtOnce,
    /// Takes the server's start for told exactly
    ExactStarts,
    /// Does not see that it was frozen before its insert: it takes the server's clock from an answer that came before that, and
    /// does not compare the last look with when the server was asked for its memory
    InsertsLate,
    /// Inserts right behind a start of the server, which a next one may be taken for
    InsertsAtOnce,
    /// Inserts a range that it has read again without a commit before, though it may have lost the partition
    ReplaysUnconfirmed,
    /// Keeps the lineage where an operator has moved the offset
    KeepsTheLineage,
    /// Cuts a range that is read again as if it were new
    CutsReplaysAnew,
    /// Stops reading a partition that was handed to it until the process is started anew
    ForgetsAPartition,
    /// Commits the end of a range that has rows and rejects once its rows are stored
    CommitsBeforeRejects,
}

impl Mistake {
    /// The seed from which on it is looked for: some show in one of thousands of runs, and are looked for where they do.
    pub(crate) fn first_seed(self) -> u64 {
        match self {
            Mistake::SendsCommitsAgain => 44_000,
            Mistake::RecoversInPlace => 6_000,
            Mistake::ExactStarts => 1_500,
            Mistake::InsertsAtOnce => 24_500,
            Mistake::ReplaysUnconfirmed => 16_000,
            _ => 1,
        }
    }
}
