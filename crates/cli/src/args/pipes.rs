//! The flags of `housepipe pipes`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ServerArgs;

#[derive(Debug, Args)]
pub(crate) struct PipesArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(subcommand)]
    pub(crate) command: PipesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PipesCommand {
    /// List the pipes of the service, by name.
    ///
    /// Counts, lag and partitions are those of the process that answers, where several share one state. With --json one
    /// document, whose `pipes` are as the API shows them.
    List,
    /// Show a pipe: what is wanted of it, how it stands, and its partitions.
    ///
    /// With --json the document of the API.
    Show(PipeArg),
    /// Define a pipe by a pipe file, as `housepipe run` takes it.
    ///
    /// `${env:NAME}`, `${file:PATH}` and the paths of PEM files are looked up here: what they stand for goes to the service,
    /// which keeps secrets apart and shows none of them. The call is made again where its answer is lost, and makes no second
    /// pipe. Exit code 2 where the pipe file is wrong; 1 where the service refuses, or with --wait where the pipe does not
    /// come to run.
    #[command(
        after_help = "Examples:\n  housepipe pipes create clicks.yaml --wait\n  KAFKA_PASSWORD=… housepipe pipes create clicks.yaml      # the file says `password: \"${env:KAFKA_PASSWORD}\"`\n  housepipe pipes create clicks.yaml --keep-references     # `${file:NAME}` of the service's --secrets-folder"
    )]
    Create(CreateArgs),
    /// Replace the definition of a pipe by a pipe file; its `name:` says which pipe.
    ///
    /// Shows what changes, with secrets masked, and asks. A pipe that runs goes on as it is edited: at once where
    /// nothing changes but the description, `batch.max_rows`, `batch.max_wait`, `deadlines` and the ratios of `error_table`, and
    /// otherwise once it has stored what it has read and started anew. One that is paused stays so, and --wait does not wait for it. A
    /// pipe keeps its name. Where the pipe has been edited since `pipes file` printed the file, also by an earlier edit of your own, or
    /// where the file was printed of another pipe, nothing is done: print it anew for each edit. `${secret:…}`, which `pipes file` shows
    /// in place of a secret, leaves that secret as it is. Exit code 2 where the pipe file is wrong, or does not say what it was made
    /// from and nobody is asked; 1 where it is out of date or of another pipe, where the service refuses, where the answer is no, or
    /// with --wait where the pipe does not come to run as it was edited: it stays edited then.
    #[command(
        after_help = "Examples:\n  housepipe pipes file clicks > clicks.yaml\n  $EDITOR clicks.yaml\n  housepipe pipes edit clicks.yaml"
    )]
    Edit(EditArgs),
    /// Have a pipe store what it has read, and rest.
    Pause(TellArgs),
    /// Have a pipe run, also one that has failed.
    Resume(TellArgs),
    /// End a pipe and forget it. Its table stays.
    ///
    /// Asks on a terminal unless --yes is given.
    Remove(RemoveArgs),
    /// Print the pipe file of a pipe, with references in place of its secrets.
    ///
    /// Its first line says of which pipe, and of which definition of it, the file was made: `pipes edit` refuses the file once the
    /// pipe has been edited, and for another pipe. A pause is no edit. Comments of the file that the pipe was defined by are not kept.
    /// With --json one document, whose `file` is the text.
    File(PipeArg),
    /// Show what has happened, and who did it; with --follow as it happens.
    ///
    /// Without --follow, everything behind the event --after, and an end; with it, what happens from now on, or behind
    /// --after, until Ctrl-C, also where the connection breaks meanwhile. With --json an event is one line.
    #[command(
        after_help = "Examples:\n  housepipe pipes events clicks\n  housepipe pipes events --follow --json | jq -r 'select(.kind == \"stage\") | .reason'\n  housepipe pipes events --after 1200 --follow"
    )]
    Events(EventsArgs),
    /// Show the newest errors of a pipe, or with --summary what kinds of them there are.
    ///
    /// What `housepipe errors list` shows of a pipe file, without its passwords: the service has them. It takes the role of an
    /// operator, since errors show what is in records. Records that a replay has loaded are left out, unless --all is given.
    #[command(
        after_help = "Examples:\n  housepipe pipes errors clicks --summary\n  housepipe pipes errors clicks --code invalid_number --column price --since 2h\n  housepipe pipes errors clicks --kind system --limit 5"
    )]
    Errors(PipeErrorsArgs),
    /// Load records of a pipe's error table that the pipe accepts by now, each once.
    ///
    /// Mend the pipe or the table first. Those that are still refused stay where they are. The replay goes on in the service
    /// where this command is ended; the pipe's events tell what has come of it. Exit code 1 where it did not come to its end.
    #[command(
        after_help = "Examples:\n  housepipe pipes replay clicks --dry-run\n  housepipe pipes replay clicks --code invalid_number --column price"
    )]
    Replay(PipeReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PipeArg {
    /// The pipe's name, or its id.
    #[arg(value_name = "PIPE")]
    pub(crate) pipe: String,
}

/// Which errors are meant. Times are the service's to read.
#[derive(Debug, Args)]
pub(crate) struct PipeErrorsFilter {
    /// Only errors from this time on: RFC 3339, or how long ago, such as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// Only errors before this time, written in the same way.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,

    /// Only errors for which this expression over the columns of the error table is true.
    #[arg(long = "where", value_name = "EXPRESSION")]
    pub(crate) condition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PipeErrorsArgs {
    #[command(flatten)]
    pub(crate) pipe: PipeArg,

    /// Only errors with this code.
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,

    /// Only errors at this column.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) column: Option<String>,

    #[command(flatten)]
    pub(crate) filter: PipeErrorsFilter,

    /// What kind of rows. Default: both.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) kind: Option<PipeKindArg>,

    /// How many errors, or groups of errors, at most.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,

    /// Go on behind these: what the page before has said, which is its `next` with --json.
    #[arg(long, value_name = "PLACE", conflicts_with = "summary")]
    pub(crate) after: Option<String>,

    /// Count errors by code, column and the shape of their message.
    #[arg(long)]
    pub(crate) summary: bool,

    /// Also records that a replay has loaded.
    #[arg(long)]
    pub(crate) all: bool,
}

/// Spelled as in the column `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum PipeKindArg {
    /// Records that could not be loaded.
    Record,
    /// What has happened to the pipe itself.
    System,
}

impl PipeKindArg {
    /// As the API has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            PipeKindArg::Record => "record",
            PipeKindArg::System => "system",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PipeReplayArgs {
    #[command(flatten)]
    pub(crate) pipe: PipeArg,

    /// Only errors with this code; may be given several times.
    #[arg(long = "code", value_name = "CODE")]
    pub(crate) codes: Vec<String>,

    /// Only errors at this column; may be given several times.
    #[arg(long = "column", value_name = "COLUMN")]
    pub(crate) columns: Vec<String>,

    #[command(flatten)]
    pub(crate) filter: PipeErrorsFilter,

    /// How many records to load, at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// Say what would be loaded and what not, and write nothing. What ClickHouse itself would refuse is not known then.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SentFile {
    /// The pipe file.
    #[arg(value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    /// Leave `${file:NAME}` as it is where NAME has no `/`: the service reads it from its --secrets-folder.
    #[arg(long)]
    pub(crate) keep_references: bool,
}

/// Whether to stay until what was asked for has come about.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Stay until what was asked for has come about. Exit code 1, with the reason, where it does not: what was asked for stays so.
    #[arg(long)]
    pub(crate) wait: bool,

    /// Seconds to stay, at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: u32,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) sent: SentFile,

    /// Define it, and let it rest.
    #[arg(long, conflicts_with = "wait")]
    pub(crate) paused: bool,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    pub(crate) sent: SentFile,

    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// Edit whatever the file was made from, and undo what others may have edited since: where it has no line `# definition: N of ID`
    /// above its first key, as `pipes file` prints it, where that N is out of date, and where that ID is another pipe's. For files that
    /// have the last word, such as those of a repository.
    #[arg(long)]
    pub(crate) force: bool,

    /// Show what would change, and change nothing.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TellArgs {
    #[command(flatten)]
    pub(crate) pipe: PipeArg,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) pipe: PipeArg,

    /// Delete its consumer group too, with the offsets: a pipe of that group begins anew.
    #[arg(long)]
    pub(crate) consumer_group: bool,

    /// Drop the ClickHouse user that was made for it.
    #[arg(long)]
    pub(crate) user: bool,

    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// The pipe's name or id; without it, those of all pipes.
    #[arg(value_name = "PIPE")]
    pub(crate) pipe: Option<String>,

    /// Show events as they happen, until Ctrl-C.
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// Only events behind the one of this number.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) after: Option<i64>,
}
