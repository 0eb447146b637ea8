//! The flags of `housepipe top`.

use clap::Args;

use super::ServerArgs;

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Watch what these metrics tell, in Prometheus text, instead of a service's API. Needs no token, and has no events and
    /// no pause.
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Option<String>,

    /// Print the pipes once, behind a second look that the rates come of, and end. That is also what comes where the input or the output
    /// is no terminal, and with --json.
    #[arg(long)]
    pub(crate) once: bool,

    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub(crate) every: u16,
}
