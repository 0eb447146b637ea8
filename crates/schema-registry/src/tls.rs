//! From PEM to the settings of a TLS connection.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;

use crate::config::{Pem, Tls};
use crate::error::RegistryError;

/// The settings of TLS: certificates and host names are verified.
pub(crate) fn client_config(tls: &Tls) -> Result<ClientConfig, RegistryError> {
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| config_error(format!("TLS cannot be set up ({error})")))?
        .with_root_certificates(roots(tls.ca.as_ref())?);
    let Some((certificate, key)) = &tls.client else { return Ok(config.with_no_client_auth()) };
    let chain = certificates(certificate, "client certificate")?;
    let key = private_key(key)?;
    config.with_client_auth_cert(chain, key).map_err(|error| {
        config_error(format!(
            "client certificate and key do not go together or are of no known kind ({error})"
        ))
    })
}

fn roots(ca: Option<&Pem>) -> Result<RootCertStore, RegistryError> {
    let mut store = RootCertStore::empty();
    let Some(ca) = ca else {
        // Single certificates of the system that cannot be read are no reason to trust none of the others.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if store.is_empty() {
            Err(config_error(
                "the system has no certificate authorities; install the package `ca-certificates`, or name a `ca`"
                    .to_owned(),
            ))
        } else {
            Ok(store)
        };
    };
    for certificate in certificates(ca, "ca")? {
        store.add(certificate).map_err(|error| {
            config_error(format!("the ca is no certificate that can be trusted ({error})"))
        })?;
    }
    Ok(store)
}

fn certificates(pem: &Pem, what: &str) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
    let read: Result<Vec<_>, pem::Error> = match pem {
        Pem::Path(path) => CertificateDer::pem_file_iter(path).and_then(Iterator::collect),
        Pem::Inline(text) => CertificateDer::pem_slice_iter(text.expose_secret().as_bytes()).collect(),
    };
    let certificates = read.map_err(|error| unreadable(pem, what, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(pem, what, &"it holds no certificate"));
    }
    Ok(certificates)
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, RegistryError> {
    let read = match pem {
        Pem::Path(path) => PrivateKeyDer::from_pem_file(path),
        Pem::Inline(text) => PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()),
    };
    read.map_err(|error| match pem {
        Pem::Inline(_) => unreadable(pem, "client key", &error),
        // It may be the key itself without its armour.
        Pem::Path(path) => {
            let length = path.len();
            config_error(format!(
                "the client key is neither PEM (`-----BEGIN …`) nor the path of a file with it; its {length} bytes are not shown ({error})"
            ))
        }
    })
}

fn unreadable(pem: &Pem, what: &str, error: &dyn std::fmt::Display) -> RegistryError {
    let place = match pem {
        Pem::Path(path) => format!(" in `{path}`"),
        Pem::Inline(_) => String::new(),
    };
    config_error(format!("the {what}{place} cannot be read as PEM ({error})"))
}

fn config_error(problem: String) -> RegistryError {
    RegistryError::Config { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(tls: &Tls) -> String {
        client_config(tls).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_pem_says_which_setting_and_where() {
        let ca = |pem: Pem| Tls { ca: Some(pem), client: None };
        let missing = problem(&ca(Pem::Path("/no/such/ca.pem".to_owned())));
        assert!(missing.contains("the ca in `/no/such/ca.pem` cannot be read"), "{missing}");
        let empty = problem(&ca(Pem::Inline("".into())));
        assert!(empty.contains("the ca cannot be read as PEM (it holds no certificate)"), "{empty}");
        let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let garbled = problem(&ca(Pem::from_path_or_inline(garbled)));
        assert!(garbled.contains("no certificate that can be trusted"), "{garbled}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_before_any_connection() {
        let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let pem = Pem::from_path_or_inline;
        let tls = |key: String| Tls {
            ca: Some(pem(one.cert.pem())),
            client: Some((pem(one.cert.pem()), pem(key))),
        };
        client_config(&tls(one.signing_key.serialize_pem())).unwrap();
        let error = problem(&tls(other.signing_key.serialize_pem()));
        assert!(error.contains("do not go together"), "{error}");
        let error = problem(&tls(one.cert.pem()));
        assert!(error.contains("the client key cannot be read as PEM"), "{error}");
    }

    #[test]
    fn a_key_is_never_shown() {
        let key =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().signing_key.serialize_pem();
        let certificate = Pem::from_path_or_inline(
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem(),
        );
        let bare = key.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
        assert_eq!(format!("{:?}", Pem::from_path_or_inline(key)), "Inline(..)");
        let bare_key = Pem::from_path_or_inline(bare.as_str());
        assert_eq!(format!("{bare_key:?}"), "Path(..)");
        let error = problem(&Tls { ca: Some(certificate.clone()), client: Some((certificate, bare_key)) });
        assert!(error.contains("the client key is neither PEM") && !error.contains(&bare[..8]), "{error}");
    }
}
