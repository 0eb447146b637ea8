//! Whether what stands in place of PEM is the path of a file.
//!
//! librdkafka opens whatever is no PEM as a file, and its log and its error say what it has opened. A key without its armour, such as
//! the base64 of its bytes, would stand there; so nothing goes on to librdkafka that is neither. Certificates are no secrets, and a
//! path that is mistyped is easier to find where it is shown.

use std::fs::{self, File};
use std::io;

use crate::{Pem, SecretPem, SourceError, Tls};

/// Characters of a value that is no secret, in messages, at most.
const SHOWN_CHARACTERS: usize = 200;

/// Whether each part of `tls` is PEM, or the path of a file that can be read. What is in the file is for whoever uses it.
///
/// # Errors
/// [`SourceError::Config`] with the name of the part, and never with the value of a key.
pub(crate) fn check(tls: &Tls) -> Result<(), SourceError> {
    if let Some(Pem::Path(path)) = &tls.ca {
        readable("tls.ca", path, &shown(path))?;
    }
    if let Some((certificate, key)) = &tls.client {
        if let Pem::Path(path) = certificate {
            readable("tls.certificate", path, &shown(path))?;
        }
        if let SecretPem::Path(path) = key {
            readable("tls.key", path, &format!("its {} bytes, which are not shown, are", path.len()))?;
        }
    }
    Ok(())
}

fn readable(key: &str, path: &str, what: &str) -> Result<(), SourceError> {
    look(path).map_err(|error| SourceError::Config {
        key: key.to_owned(),
        reason: format!(
            "{what} neither PEM (`-----BEGIN …`) nor the path of a file that can be read ({error})"
        ),
    })
}

/// The beginning of a value that is no secret.
fn shown(value: &str) -> String {
    let (begins, is_whole) = match value.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => (&value[..end], false),
        None => (value, true),
    };
    format!("`{}{}` is", begins.escape_debug(), if is_whole { "" } else { "…" })
}

fn look(path: &str) -> io::Result<()> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Something else, such as a pipe of the shell, may be opened only once.
    if found.is_file() { File::open(path).map(drop) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A private key of Ed25519 without its armour; shorter than many a path.
    const BARE: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";

    fn tls(ca: &str, certificate: &str, key: &str) -> Tls {
        let client = (Pem::from_path_or_inline(certificate), SecretPem::from_path_or_inline(key));
        Tls { ca: Some(Pem::from_path_or_inline(ca)), client: Some(client) }
    }

    #[test]
    fn a_value_that_is_neither_is_named_and_not_shown() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let pem = "-----BEGIN CERTIFICATE-----\n";
        let long = BARE.repeat(20);
        for (tls, key, words) in [
            (tls(file, pem, BARE), "tls.key", "its 64 bytes"),
            (tls(pem, file, &long), "tls.key", "its 1280 bytes"),
            (tls(pem, pem, "/no/such/client.key"), "tls.key", "No such file"),
            (tls(pem, pem, env!("CARGO_MANIFEST_DIR")), "tls.key", "directory"),
            (tls(pem, pem, "client\0.key"), "tls.key", "its 11 bytes"),
        ] {
            let error = check(&tls).unwrap_err();
            assert!(matches!(&error, SourceError::Config { key: told, .. } if told == key), "{error:?}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(words), "no `{words}` in: {shown}");
            assert!(!shown.contains("MC4C") && !shown.contains("/no/such"), "{shown}");
        }
    }

    #[test]
    fn a_path_of_what_is_no_secret_is_shown() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (tls, words) in [
            (tls("/no/such/ca.pem", file, file), "tls.ca: `/no/such/ca.pem` is neither PEM"),
            (tls(file, "no.crt", file), "tls.certificate: `no.crt` is neither PEM"),
            (tls(&"x".repeat(1_000), file, file), "xxx…` is neither PEM"),
        ] {
            let Err(SourceError::Config { key, reason }) = check(&tls) else { panic!("{tls:?}") };
            let told = format!("{key}: {reason}");
            assert!(told.contains(words) && told.len() < 400, "{told}");
        }
    }

    #[test]
    fn files_and_texts_go_on() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        check(&tls(file, file, file)).unwrap();
        let pem = "# of the loader\n-----BEGIN PRIVATE KEY-----\n";
        check(&tls(pem, pem, pem)).unwrap();
        check(&Tls::default()).unwrap();
    }
}
