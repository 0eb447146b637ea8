//! Whom a connection to a service trusts.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::RemoteError;

/// The settings of TLS: certificates and host names are verified, by the authorities of the file `ca`, or by the system's. Those are not asked
/// for where the address `is_https` not, so that a machine without any can call a service without TLS.
pub(super) fn client_config(is_https: bool, ca: Option<&Path>) -> Result<ClientConfig, RemoteError> {
    let provider = rustls::crypto::ring::default_provider();
    let roots = match (is_https, ca) {
        (false, Some(_)) => return Err(setting("--ca is for https://, and --server is http://")),
        (false, None) => RootCertStore::empty(),
        (true, Some(ca)) => of_file(ca)?,
        (true, None) => of_the_system()?,
    };
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| setting(format!("TLS cannot be set up ({error})")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn of_the_system() -> Result<RootCertStore, RemoteError> {
    let mut store = RootCertStore::empty();
    // Single certificates of the system that cannot be read are no reason to trust none of the others.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(setting(
            "the system has no certificate authorities; install the package `ca-certificates`, or name one with --ca",
        ));
    }
    Ok(store)
}

fn of_file(ca: &Path) -> Result<RootCertStore, RemoteError> {
    let file = ca.display();
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(ca).and_then(Iterator::collect);
    let certificates =
        read.map_err(|error| setting(format!("--ca {file} cannot be read as PEM ({error})")))?;
    if certificates.is_empty() {
        return Err(setting(format!(
            "--ca {file} holds no certificate; it begins with `-----BEGIN CERTIFICATE-----`"
        )));
    }
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate).map_err(|error| {
            setting(format!("--ca {file} is no certificate that can be trusted ({error})"))
        })?;
    }
    Ok(store)
}

fn setting(what: impl Into<String>) -> RemoteError {
    RemoteError::Setting(what.into())
}

/// Why TLS failed, and what to do.
pub(super) fn problem(error: &rustls::Error) -> (String, &'static str) {
    use rustls::{CertificateError as Certificate, Error};
    let mend = match error {
        Error::InvalidCertificate(problem) => match problem {
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "nobody trusted here has signed its certificate; name its authority with --ca FILE"
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "its certificate has expired; renew it, or correct this machine's clock"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid yet; correct the clocks of both machines"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is for another host name; write the name that it was made for"
            }
            Certificate::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate says that it is an authority's (`CA:TRUE`), as `openssl req -x509` makes them; make one with \
                 `-addext basicConstraints=critical,CA:FALSE`, or have an authority sign one"
            }
            _ => "its certificate is not valid",
        },
        Error::InvalidMessage(_) => "what answers there speaks no TLS; check the port, or write http://",
        _ => "the two could not agree on a connection",
    };
    (error.to_string(), mend)
}
