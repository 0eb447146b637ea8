//! The flags of `housepipe tokens`.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::ServerArgs;

#[derive(Debug, Args)]
pub(crate) struct TokensArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(subcommand)]
    pub(crate) command: TokensCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List the tokens that the service knows, by name. They are not kept themselves, and not shown.
    List,
    /// Make a token and print it, on a line of its own. It is told this once.
    Create(CreateTokenArgs),
    /// Have the service forget a token: it opens nothing any more. The last one of an admin stays.
    Remove(TokenArg),
}

#[derive(Debug, Args)]
pub(crate) struct CreateTokenArgs {
    #[command(flatten)]
    pub(crate) token: TokenArg,

    /// What its holder may do.
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: RoleArg,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArg {
    /// The token's name, by which events and the audit log tell who did something: up to 63 of a-z, 0-9, `_` and `-`, without `hpt_`, as tokens begin.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// What the holder of a token may do; each may also do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleArg {
    /// Look at pipes, their stages, events and counters.
    Viewer,
    /// Define, change and remove pipes, and look at records.
    Operator,
    /// Say who may do what.
    Admin,
}
