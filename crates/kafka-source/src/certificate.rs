//! Why a broker's certificate is not trusted. OpenSSL knows, and librdkafka has one text for every cause; so the broker is asked for
//! its certificate once more, by a client that tells them apart.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};

use crate::roots::roots;
use crate::{Pem, SourceConfig, SourceError};

/// Time for each step of the look, in milliseconds.
const STEP_MS_MAX: u64 = 1_000;

/// `error`, or what stands behind it where it is about the broker's certificate. Takes up to three seconds then.
pub(crate) fn diagnose(config: &SourceConfig, error: SourceError) -> SourceError {
    let SourceError::CertificateUntrusted { brokers, reason } = error else { return error };
    let ca = config.security.tls().and_then(|tls| tls.ca.as_ref());
    let first = brokers.split(',').next().unwrap_or_default();
    let found = look(address_in(&reason).unwrap_or(first), ca);
    let Some(rustls::Error::InvalidCertificate(cause)) = found else {
        return SourceError::CertificateUntrusted { brokers, reason };
    };
    let words = cause.to_string();
    match cause {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            SourceError::CertificateExpired { brokers, reason: words }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            SourceError::CertificateOfOtherHost { brokers, reason: words }
        }
        _ => SourceError::CertificateUntrusted { brokers, reason: format!("{reason}; {words}") },
    }
}

/// The broker that librdkafka's words begin with: `sasl_ssl://localhost:9093/bootstrap: …`.
fn address_in(reason: &str) -> Option<&str> {
    reason.split_once("://")?.1.split_once('/').map(|(address, _)| address)
}

/// What a handshake with `address` fails at; none where it works, or nobody answers.
fn look(address: &str, ca: Option<&Pem>) -> Option<rustls::Error> {
    let step = Duration::from_millis(STEP_MS_MAX);
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots(ca).ok()?);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(store)
        .with_no_client_auth();
    let host = address.rsplit_once(':')?.0.trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut stream = TcpStream::connect_timeout(&address.to_socket_addrs().ok()?.next()?, step).ok()?;
    stream.set_read_timeout(Some(step)).ok()?;
    stream.set_write_timeout(Some(step)).ok()?;
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            return error.get_ref()?.downcast_ref::<rustls::Error>().cloned();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use housepipe_local_stack::{Issuer, ServerCertificate};

    use super::*;
    use crate::{Security, Tls};

    #[test]
    fn the_broker_is_taken_from_the_words() {
        let words = "sasl_ssl://kafka.example.com:9093/bootstrap: SSL handshake failed: error:0A000086";
        assert_eq!(address_in(words), Some("kafka.example.com:9093"));
        for other in ["", "SSL handshake failed", "ssl://nothing"] {
            assert_eq!(address_in(other), None);
        }
    }

    /// What is found at a server with this certificate, by a client that trusts its authority or does not.
    fn found(certificate: ServerCertificate, is_trusted: bool) -> SourceError {
        let server = Issuer::start_with_tls(certificate).unwrap();
        let address = format!("127.0.0.1:{}", server.port());
        let mut config = SourceConfig::new(&address, "clicks", "g");
        let ca = server.ca_pem().filter(|_| is_trusted).map(|path| Pem::Path(path.display().to_string()));
        config.security = Security::Tls(Tls { ca, client: None });
        let reason = format!("ssl://{address}/bootstrap: SSL handshake failed: certificate verify failed");
        diagnose(&config, SourceError::CertificateUntrusted { brokers: address, reason })
    }

    #[test]
    fn each_cause_is_found() {
        let error = found(ServerCertificate::Expired, true);
        assert!(
            matches!(&error, SourceError::CertificateExpired { reason, .. } if reason.contains("expired")),
            "{error:?}"
        );
        let error = found(ServerCertificate::OtherHost, true);
        assert!(
            matches!(&error, SourceError::CertificateOfOtherHost { reason, .. } if reason.contains("kafka.example.com")),
            "{error:?}"
        );
        let error = found(ServerCertificate::Valid, false);
        assert!(
            matches!(&error, SourceError::CertificateUntrusted { reason, .. } if reason.contains("verify failed; unknown issuer") || reason.contains("UnknownIssuer")),
            "{error:?}"
        );
        // Here it is in order, so that what librdkafka has said stays.
        assert!(matches!(found(ServerCertificate::Valid, true), SourceError::CertificateUntrusted { .. }));
    }

    #[test]
    fn other_errors_stay_as_they_are_and_who_does_not_answer_is_no_cause() {
        let config = SourceConfig::new("127.0.0.1:1", "clicks", "g");
        let other = SourceError::UnknownTopic { brokers: "b".to_owned(), topic: "clicks".to_owned() };
        assert_eq!(diagnose(&config, other.clone()), other);
        let untrusted = SourceError::CertificateUntrusted {
            brokers: "127.0.0.1:1".to_owned(),
            reason: "certificate verify failed".to_owned(),
        };
        assert_eq!(diagnose(&config, untrusted.clone()), untrusted);
    }
}
