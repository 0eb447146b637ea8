//! Commands and flags, with the help that teaches them.

mod completions;
#[cfg(test)]
mod documents;
mod errors;
mod infer;
mod metrics;
mod new;
mod offsets;
mod pipes;
mod preview;
#[cfg(test)]
mod reference;
mod remote;
mod sample;
mod serve;
mod tokens;
mod top;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use completions::CompletionsArgs;
pub(crate) use errors::{ERRORS_MAX, ErrorsCommand, ErrorsFilter, ErrorsListArgs, ErrorsReplayArgs, KindArg};
pub(crate) use infer::InferArgs;
pub(crate) use metrics::{METRICS_OF_SERVE, MetricsListen};
pub(crate) use new::NewArgs;
pub(crate) use offsets::{OffsetsCommand, OffsetsSetArgs, OffsetsShowArgs};
pub(crate) use pipes::{
    CreateArgs, EditArgs, EventsArgs, PipeErrorsArgs, PipeErrorsFilter, PipeReplayArgs, PipesArgs,
    PipesCommand, RemoveArgs, SentFile, TellArgs, WaitArgs,
};
pub(crate) use preview::PreviewArgs;
pub(crate) use remote::ServerArgs;
pub(crate) use sample::SampleArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use tokens::{CreateTokenArgs, RoleArg, TokensArgs, TokensCommand};
pub(crate) use top::TopArgs;

/// Loads Kafka topics into ClickHouse tables, continuously.
///
/// Try `housepipe demo` first: it starts a real broker and a real ClickHouse on this machine and fills a table.
#[derive(Debug, Parser)]
#[command(name = "housepipe", version, max_term_width = 110)]
pub(crate) struct Cli {
    /// Print the result as one JSON document on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Show no live progress.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// What to log on standard error: error, warn, info, debug, or a filter such as `housepipe_runtime=debug`.
    /// Default: `warn` with live progress on a terminal, `info` elsewhere.
    #[arg(long, global = true, value_name = "FILTER", env = "HOUSEPIPE_LOG")]
    pub(crate) log: Option<String>,

    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "HOUSEPIPE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line for people: time, level, message, key=value.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipe in the foreground until Ctrl-C, or until it has caught up.
    ///
    /// Missing tables are created where the pipe file says how. The first Ctrl-C stores what was read, commits and
    /// ends; the second ends at once. Exit code: 0 done, 1 failed, 2 wrong usage or pipe file.
    Run(RunArgs),
    /// Check everything that a pipe needs before it runs; nothing is written.
    ///
    /// Looks at the broker, the credentials, the topic, ClickHouse, the table, its types and the grants. Exit code 1
    /// where a check fails.
    Check(CheckArgs),
    /// Print the newest records of a pipe's topic with key, partition, offset, timestamp and headers, the newest first.
    ///
    /// Does not join the consumer group and commits nothing. A frame of a schema registry is taken off, and its id shown. With
    /// a filter, the newest records are looked through for those that are as all of its parts say.
    #[command(
        after_help = "Examples:\n  housepipe sample -f pipe.yaml -n 5\n  housepipe sample -f pipe.yaml --contains timeout --partition 3\n  housepipe sample -f pipe.yaml --match user.id=7 --match 'items[0].sku=A-1'"
    )]
    Sample(SampleArgs),
    /// Write a pipe file by questions and answers.
    ///
    /// Asks, step by step, for the brokers, the topic, ClickHouse and the table; looks at both ends meanwhile, shows a
    /// sample and the columns inferred from it, and at last the rows and the rejects of real records. Each question has a
    /// default. A secret is typed unseen, used for these questions only, and stands in the file as `${env:NAME}`. Nothing
    /// is written before the last answer, and no file is replaced unless you say so. Ctrl-C ends it. Needs a terminal;
    /// without one, `housepipe infer` proposes the columns for a file of your own. Exit code: 0 written, 1 not written, 2 no
    /// terminal.
    #[command(after_help = "Examples:\n  housepipe new\n  housepipe new pipes/clicks.yaml")]
    New(NewArgs),
    /// Infer columns, a sorting key and a partitioning from samples, and show the table that they make.
    ///
    /// Reads the newest records over all partitions; joins no group, commits nothing, asks nothing of ClickHouse. The pipe
    /// file needs a name, a source and `destination:`; what it says of columns is not looked at, and an engine, a sorting
    /// key, a partitioning or a TTL that it has under `managed_table:` stay. Each column comes with its confidence, the
    /// reason, and the sample that made its type as wide as it is. All samples that were not refused can be loaded into
    /// the columns. What is printed is YAML: where `destination:` is the last block of the file, and has neither columns
    /// nor a managed table yet, it may be appended. Exit code 1 where nothing can be inferred.
    #[command(
        after_help = "Examples:\n  housepipe infer -f pipe.yaml\n  housepipe infer -f pipe.yaml -n 10000 >> pipe.yaml\n  housepipe infer --from events.jsonl              # documents instead of a topic, and no pipe file\n  housepipe infer -f pipe.yaml --from - < events.jsonl"
    )]
    Infer(InferArgs),
    /// Show rows as a run would store them, and records that it would reject; nothing is written.
    ///
    /// Takes the newest records over all partitions; joins no group, commits nothing, creates no table. An existing table
    /// gives the columns as it does for a run, a missing one has those of the file; where ClickHouse cannot be asked and
    /// the file lists columns, those are taken, with a warning. Each rejected record comes with its code, column, byte,
    /// reason and place. What ClickHouse alone can refuse, such as a row that breaks a constraint, is not known here. The
    /// exit code is 0 also where records would be rejected, and 1 where the preview failed.
    #[command(
        after_help = "Examples:\n  housepipe preview pipe.yaml\n  housepipe preview pipe.yaml -n 10000 --json | jq .rejected_by_code"
    )]
    Preview(PreviewArgs),
    /// Look at records that could not be loaded, and load those that were mended.
    ///
    /// Both commands read the pipe's error table, `<table>_clickpipes_error` unless the pipe file says otherwise.
    #[command(subcommand)]
    Errors(ErrorsCommand),
    /// Look at the offsets of a pipe's consumer group, and set them while the pipe is stopped.
    #[command(subcommand)]
    Offsets(OffsetsCommand),
    /// Turn newline-delimited JSON into RowBinary, without Kafka and without a server.
    ///
    /// Rows of accepted records are written in the order of the input. Refused records go to --rejects as JSON Lines
    /// with line (1-based), offset (byte in the line), column, code, message and raw; raw_base64 has the bytes of a line
    /// that is not UTF-8, and raw_bytes the length of one that was cut because no record may be so long (17 MiB). The
    /// exit code is 0 also where records were refused; the summary on standard error counts them.
    #[command(
        after_help = "Example:\n  printf '%s\\n' '{\"a\":1}' | housepipe transform --columns 'a UInt8' | xxd"
    )]
    Transform(TransformArgs),
    /// Run many pipes, and an API over them, until Ctrl-C.
    ///
    /// What is wanted of each pipe is kept in the state, so that a restart, also after a kill, goes on as before. Several
    /// processes with one state in PostgreSQL run the same pipes and share their partitions. The first start prints a token for
    /// the API, once; its description is at /api/v1/openapi.json. The first Ctrl-C has all pipes store what they have read; the
    /// second ends at once. Exit code: 0 ended, 1 failed, 2 wrong usage.
    #[command(
        after_help = "Examples:\n  housepipe serve\n  housepipe serve --state /var/lib/housepipe/state.db --listen 127.0.0.1:9000\n  HOUSEPIPE_STATE=postgres://… HOUSEPIPE_SECRET_KEY=… housepipe serve"
    )]
    Serve(Box<ServeArgs>),
    /// Look at the pipes of a running service, and define and change them.
    ///
    /// The service is the one of --server, and knows you by a token: HOUSEPIPE_TOKEN, or --token-file. Pipes are named by
    /// their names or ids. A pipe file is the same that `housepipe run` takes, but that a service takes no `unsafe_librdkafka`.
    #[command(
        after_help = "Examples:\n  export HOUSEPIPE_SERVER=https://pipes.example.com HOUSEPIPE_TOKEN=hpt_…\n  housepipe pipes create clicks.yaml --wait\n  housepipe pipes list\n  housepipe pipes show clicks --json | jq .stage\n  housepipe pipes events clicks --follow\n  housepipe pipes file clicks > clicks.yaml && $EDITOR clicks.yaml && housepipe pipes edit clicks.yaml\n  housepipe pipes pause clicks --wait && housepipe pipes resume clicks\n  housepipe pipes remove clicks --consumer-group"
    )]
    Pipes(PipesArgs),
    /// Say who may call a running service: make tokens, list them, forget them. It takes a token of an admin.
    #[command(
        after_help = "Examples:\n  housepipe tokens create grafana --role viewer\n  (umask 077 && housepipe tokens create me --role admin > ~/.housepipe-token)\n  housepipe tokens list\n  housepipe tokens remove admin --token-file ~/.housepipe-token"
    )]
    Tokens(TokensArgs),
    /// Watch the pipes of a running service on a terminal.
    ///
    /// A table of pipes with rates, lag and rejects, which is looked at each second, or as --every says: those that have failed or are
    /// misconfigured come first, then those whose lag is not known, then the furthest behind, and those that are paused last.
    /// Keys: arrows or j and k select, enter opens a pipe with its partitions, rejects and events, p asks whether to pause or resume it, s
    /// sorts by something else, / filters, q ends. Without a terminal, with --once and with --json the pipes are printed once, by
    /// name. With --json `totals.lag_records` is null where the lag of a pipe is not known, as of one that is paused or has failed;
    /// `lag_records_known` is that of the others, and `lag_unknown` counts them. With --metrics it watches what metrics in Prometheus
    /// text tell.
    #[command(
        after_help = "Examples:\n  housepipe top\n  housepipe top --server https://pipes.example.com --ca ca.pem --token-file ~/.housepipe-token\n  housepipe top --json | jq '.pipes[] | select(.stage != \"running\")'\n  housepipe top --metrics http://127.0.0.1:9464"
    )]
    Top(TopArgs),
    /// Print what a shell needs to complete commands and flags.
    #[command(
        after_help = "Examples:\n  housepipe completions bash > /etc/bash_completion.d/housepipe\n  housepipe completions zsh > \"${fpath[1]}/_housepipe\"\n  housepipe completions fish > ~/.config/fish/completions/housepipe.fish"
    )]
    Completions(CompletionsArgs),
    /// Start a real broker and a real ClickHouse on this machine, fill a topic with sample events, and run a pipe.
    ///
    /// Everything listens on loopback, on free ports, in a folder that goes away at the end. The first run downloads
    /// the parts into a cache. Ctrl-C ends it and leaves nothing behind.
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The pipe file.
    #[arg(value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    /// End once every partition that this process was given was read to its end and everything is stored.
    #[arg(long)]
    pub(crate) until_caught_up: bool,

    /// Serve /metrics, /healthz and /readyz there, without a token; there are no secrets in them. Without it nothing listens.
    #[arg(long, value_name = "ADDRESS|off")]
    pub(crate) metrics_listen: Option<MetricsListen>,

    #[command(flatten)]
    pub(crate) tuning: Tuning,
}

/// Limits of one process; the defaults fit a machine of 2 to 8 cores.
#[derive(Debug, Args)]
pub(crate) struct Tuning {
    /// Worker threads that read and encode; 0 takes one per core, at most one per partition.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) workers: u16,

    /// Inserts under way at the same time, at most; each holds one batch in memory.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) inserts_in_flight: u16,

    /// Memory for records and batches, in MiB; batches are closed earlier where it would not hold them.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u16).range(16..=65_535))]
    pub(crate) memory_mib: u16,

    /// Of these, records fetched ahead from Kafka, in MiB over all partitions; a quarter at most.
    #[arg(long, value_name = "MIB", default_value_t = 24, value_parser = clap::value_parser!(u16).range(4..=16384))]
    pub(crate) prefetch_mib: u16,

    /// Seconds after which the group gives the partitions of a killed process to others; brokers take 6 and more,
    /// unless they are set up otherwise. Without it 10, and 45 with `type: confluent_cloud`.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=1_800))]
    pub(crate) session_timeout: Option<u16>,

    /// Seconds that a stop may take that somebody asks for; the end of `--until-caught-up` is none.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) stop_deadline: u32,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The pipe file.
    #[arg(value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct TransformArgs {
    /// Names and ClickHouse types of the columns, such as 'id UInt64, tags Array(String)'.
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) columns: String,

    /// The format of the input.
    #[arg(long, value_enum, default_value_t = InputFormat::Json)]
    pub(crate) format: InputFormat,

    /// strict refuses what ClickHouse would store wrong; clickhouse takes all that ClickHouse takes.
    #[arg(long, value_enum, default_value_t = SemanticsArg::Strict)]
    pub(crate) semantics: SemanticsArg,

    /// Where refused records go, as JSON Lines.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,

    /// The input; standard input where absent.
    #[arg(value_name = "IN")]
    pub(crate) input: Option<PathBuf>,

    /// Where the rows go; standard output where absent.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum InputFormat {
    /// One JSON document a line.
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SemanticsArg {
    /// Refuse what ClickHouse would store wrong.
    Strict,
    /// ClickHouse's own verdict for every record.
    Clickhouse,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after this many rows, with a summary. Without it the demo runs until Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) rows: Option<u64>,

    /// Events produced each second; without --rows the default is 20,000, with it as fast as the broker takes them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,

    /// Records that cannot be loaded, mixed into the events, to see the error table at work.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "rows")]
    pub(crate) bad_records: u64,

    /// Partitions of the demo's topic.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) partitions: u16,
}
