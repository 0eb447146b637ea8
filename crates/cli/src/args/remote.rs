//! Which service is meant, and who calls.

use std::path::PathBuf;

use clap::Args;

/// The heading of these flags.
const HEADING: &str = "The service";

/// The service. The token comes by HOUSEPIPE_TOKEN or by a file, and by no flag: others of the machine see flags in its list of processes.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Where the service is.
    // A text: what is wrong with an address is told without it, since it may hold a password.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "HOUSEPIPE_SERVER",
        hide_env_values = true,
        global = true,
        help_heading = HEADING
    )]
    pub(crate) server: String,

    /// The file with the token that the service knows you by; without it, the variable HOUSEPIPE_TOKEN has it. There is no
    /// flag for the token itself: everybody on this machine could see it in the list of processes.
    #[arg(long, value_name = "FILE", global = true, help_heading = HEADING)]
    pub(crate) token_file: Option<PathBuf>,

    /// The file with the certificate authority, in PEM, that has signed the certificate of an https:// service; without it
    /// those of the system are trusted.
    #[arg(long, value_name = "FILE", env = "HOUSEPIPE_CA", global = true, help_heading = HEADING)]
    pub(crate) ca: Option<PathBuf>,

    /// Send the token, and the secrets of pipe files, unencrypted to another machine, where the network is trusted.
    #[arg(long, global = true, help_heading = HEADING)]
    pub(crate) insecure_http: bool,
}
