//! Kafka's listeners with TLS: who is let in, and who is not.
#![allow(clippy::unwrap_used, reason = "test code, though outside of a #[test] function")]

mod support;

use std::io::{ErrorKind, Result};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use housepipe_local_stack::{Kafka, KafkaOptions, USER_ADMIN, USER_PLAIN};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::{ask_kafka, parts, string};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn kafka() -> Kafka {
    Kafka::start(&parts(), &KafkaOptions::default().with_acl()).unwrap()
}

/// Connects as a client that trusts `ca` and may have a certificate; the handshake happens with the first bytes.
fn connect(address: &str, host: &str, ca: &Path, client: Option<(&Path, &Path)>) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    static PROVIDER: LazyLock<Arc<rustls::crypto::CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

/// ApiVersions, version 0: what a client asks first.
fn api_versions(stream: &mut Tls) -> Result<Vec<u8>> {
    ask_kafka(stream, 18, 0, &[])
}

/// SASL/PLAIN; returns the error code of SaslAuthenticate.
fn authenticate(kafka: &Kafka, user: &str, password: &str) -> u16 {
    let mut stream = connect(kafka.bootstrap_sasl_ssl(), "localhost", kafka.ca_pem(), None);
    let answer = ask_kafka(&mut stream, 17, 1, &string("PLAIN")).unwrap();
    assert_eq!(answer[..2], [0, 0], "the mechanism was refused");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
        let name = string(mechanism);
        assert!(answer.windows(name.len()).any(|window| window == name), "{mechanism} is not offered");
    }
    let token = format!("\0{user}\0{password}");
    let body = [&u32::try_from(token.len()).unwrap().to_be_bytes(), token.as_bytes()].concat();
    let answer = ask_kafka(&mut stream, 36, 0, &body).unwrap();
    u16::from_be_bytes([answer[0], answer[1]])
}

#[test]
fn the_listeners_with_tls_let_in_whom_they_should() {
    const SASL_AUTHENTICATION_FAILED: u16 = 58;
    let kafka = kafka();

    for host in ["localhost", "127.0.0.1", "::1"] {
        api_versions(&mut connect(kafka.bootstrap_sasl_ssl(), host, kafka.ca_pem(), None)).unwrap();
    }
    let refused =
        |host, ca| api_versions(&mut connect(kafka.bootstrap_sasl_ssl(), host, ca, None)).unwrap_err();
    assert_eq!(
        refused("localhost", kafka.other_ca_pem()).kind(),
        ErrorKind::InvalidData,
        "an unknown CA is trusted"
    );
    assert_eq!(
        refused("example.com", kafka.ca_pem()).kind(),
        ErrorKind::InvalidData,
        "a wrong name is trusted"
    );

    assert_eq!(authenticate(&kafka, USER_PLAIN.name, USER_PLAIN.password), 0);
    assert_eq!(authenticate(&kafka, USER_ADMIN.name, USER_ADMIN.password), 0);
    assert_eq!(authenticate(&kafka, USER_PLAIN.name, "wrong"), SASL_AUTHENTICATION_FAILED);

    let client = Some((kafka.client_pem(), kafka.client_key()));
    api_versions(&mut connect(kafka.bootstrap_mtls(), "localhost", kafka.ca_pem(), client)).unwrap();
    api_versions(&mut connect(kafka.bootstrap_mtls(), "localhost", kafka.ca_pem(), None)).unwrap_err();
}
