//! Who calls which service.

use secrecy::SecretString;

use crate::args::ServerArgs;
use crate::remote::{Remote, RemoteError, ServerUrl};

/// The variable with the token.
const TOKEN_VARIABLE: &str = "HOUSEPIPE_TOKEN";
/// Bytes of a token's file, at most.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// The service that the flags name; nothing is asked of it yet.
pub(crate) fn connect(args: &ServerArgs) -> Result<Remote, RemoteError> {
    let server = address("--server", &args.server)?;
    if server.is_open() && !args.insecure_http {
        return Err(RemoteError::Setting(format!(
            "the token and secrets would cross the network to {server} unencrypted; write https://, or add --insecure-http where the \
             network is trusted"
        )));
    }
    Remote::new(&server, args.ca.as_deref(), Some(&token(args)?))
}

/// An address that the flag `flag` has.
pub(crate) fn address(flag: &str, text: &str) -> Result<ServerUrl, RemoteError> {
    text.parse().map_err(|why| RemoteError::Setting(format!("{flag}: {why}")))
}

fn token(args: &ServerArgs) -> Result<SecretString, RemoteError> {
    let Some(file) = &args.token_file else {
        let token = std::env::var(TOKEN_VARIABLE).unwrap_or_default();
        return given(&token, || {
            format!(
                "no token: set {TOKEN_VARIABLE}, or --token-file, to one that the service knows; its first start has printed an admin's"
            )
        });
    };
    let fail = |why: &dyn std::fmt::Display| {
        RemoteError::Setting(format!("the token in {} cannot be read: {why}", file.display()))
    };
    let size = std::fs::metadata(file).map_err(|error| fail(&error))?.len();
    if size > TOKEN_BYTES_MAX {
        return Err(fail(&format!("the file has more than {TOKEN_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
    given(&text, || format!("the file {} holds no token", file.display()))
}

/// A token without the end of its line.
fn given(text: &str, none: impl FnOnce() -> String) -> Result<SecretString, RemoteError> {
    match text.trim() {
        "" => Err(RemoteError::Setting(none())),
        token => Ok(token.into()),
    }
}
