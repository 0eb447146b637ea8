//! Flags of `housepipe serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{MetricsListen, Tuning};

fn address_and_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "not an address with a port, such as 127.0.0.1:8080 or [::1]:8080; names are not looked up here"
            .to_owned()
    })
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where the state is: a file, which is created where it is missing, or `postgres://user:password@host/database`. Its
    /// secrets are sealed.
    #[arg(
        long,
        value_name = "FILE|URL",
        default_value = "housepipe.db",
        env = "HOUSEPIPE_STATE",
        hide_env_values = true
    )]
    pub(crate) state: String,

    /// The file with the key that seals secrets: 32 letters or more that were made at random. Without it, and without
    /// HOUSEPIPE_SECRET_KEY, a state in a file gets a key in a file beside it at the first start; keep that one safe, and
    /// apart from backups of the state. Processes that share a state in PostgreSQL need the same key.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,

    /// The folder with files that `${file:NAME}` in a pipe file may name; without it none may.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) secrets_folder: Option<PathBuf>,

    /// Where the API listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address_and_port)]
    pub(crate) listen: SocketAddr,

    /// Names under which the service is called from elsewhere, beside those of this machine.
    #[arg(long, value_name = "NAME")]
    pub(crate) public_host: Vec<String>,

    /// A PEM file with the certificate of the API's TLS and those that it is signed by; read again where it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// A PEM file with the private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Listen on an address that others reach although tokens and secrets cross the network unencrypted, such as behind a
    /// proxy that does TLS.
    #[arg(long)]
    pub(crate) insecure_http: bool,

    /// Where /metrics, /healthz and /readyz are served, without a token: there are no secrets in them. Without it
    /// 127.0.0.1:9464, where nothing else listens there.
    #[arg(long, value_name = "ADDRESS|off")]
    pub(crate) metrics_listen: Option<MetricsListen>,

    /// Memory for records and batches of all pipes together, in MiB; `--memory-mib` is the most that one of them gets.
    #[arg(long, value_name = "MIB", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(16..=4_194_304))]
    pub(crate) total_memory_mib: u32,

    /// Make another admin's token of this name at the start, and tell it once: where the others are lost.
    #[arg(long, value_name = "NAME")]
    pub(crate) new_admin: Option<String>,

    #[command(flatten)]
    pub(crate) tuning: Tuning,
}
