//! Each cause of a failure has an error of its own, in time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use housepipe_kafka_source::{
    Domain, Pem, SaslMechanism, SecretPem, Security, Source, SourceConfig, SourceError, Tls, describe_topic,
};
use housepipe_local_stack::{Kafka, KafkaOptions, USER_PLAIN, USER_SCRAM};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::harness::{Journal, Member, broker, fill, own_broker_with, topic, topic_on};

/// The promise: every cause is told within this time.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_secs(10);

fn pem(path: &Path) -> Pem {
    Pem::Path(path.display().to_string())
}

fn tls() -> Tls {
    tls_of(broker())
}

/// TLS that trusts the authority of `broker`.
pub(crate) fn tls_of(broker: &Kafka) -> Tls {
    Tls { ca: Some(pem(broker.ca_pem())), client: None }
}

fn sasl(config: &SourceConfig, mechanism: SaslMechanism, username: &str, password: &str) -> SourceConfig {
    sasl_on(broker(), config, mechanism, username, password)
}

/// The same topic over SASL_SSL.
pub(crate) fn sasl_on(
    broker: &Kafka,
    config: &SourceConfig,
    mechanism: SaslMechanism,
    username: &str,
    password: &str,
) -> SourceConfig {
    let mut config = config.clone();
    config.brokers = broker.bootstrap_sasl_ssl().to_owned();
    config.security = Security::Sasl {
        mechanism,
        username: username.to_owned(),
        password: password.into(),
        tls: Some(tls_of(broker)),
    };
    config
}

/// The error of opening and of describing, which must agree.
pub(crate) fn told(config: &SourceConfig) -> SourceError {
    let started = Instant::now();
    let described = describe_topic(config, Duration::from_secs(8)).expect_err("an error");
    assert!(started.elapsed() < TOLD_WITHIN, "{described} after {:?}", started.elapsed());
    let started = Instant::now();
    let opened = Source::open(config, Arc::new(Journal::default())).err().expect("an error");
    assert!(started.elapsed() < TOLD_WITHIN, "{opened} after {:?}", started.elapsed());
    assert_eq!(std::mem::discriminant(&described), std::mem::discriminant(&opened), "{described} / {opened}");
    described
}

#[test]
fn every_mechanism_reads() {
    let plain = topic(1);
    fill(&plain, 1, 0..10);
    for (mechanism, user) in [
        (SaslMechanism::ScramSha512, USER_SCRAM),
        (SaslMechanism::ScramSha256, USER_SCRAM),
        (SaslMechanism::Plain, USER_PLAIN),
    ] {
        let mut config = sasl(&plain, mechanism, user.name, user.password);
        config.group = format!("group-{mechanism}");
        let mut member = Member::join(&config);
        member.until("ten records", |member| member.count() == 10);
    }
}

#[test]
fn a_client_certificate_reads_from_files_and_inline() {
    let mut config = topic(1);
    fill(&config, 1, 0..10);
    config.brokers = broker().bootstrap_mtls().to_owned();
    let (certificate, key) = (broker().client_pem(), broker().client_key());
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let files = (pem(certificate), SecretPem::Path(key.display().to_string()));
    let inline = (Pem::from_path_or_inline(text(certificate)), SecretPem::from_path_or_inline(text(key)));
    let inline_ca = Pem::from_path_or_inline(text(broker().ca_pem()));
    for (ca, client) in [(pem(broker().ca_pem()), files), (inline_ca, inline)] {
        config.security = Security::Tls(Tls { ca: Some(ca), client: Some(client) });
        assert_eq!(describe_topic(&config, TOLD_WITHIN).unwrap().partitions, 1);
    }
    config.security = Security::Tls(tls());
    let error = told(&config);
    assert!(matches!(error, SourceError::ClientCertificateRefused { .. }), "{error:?}");
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let config = topic(1);
    for (mechanism, user) in [(SaslMechanism::ScramSha512, USER_SCRAM), (SaslMechanism::Plain, USER_PLAIN)] {
        let error = told(&sasl(&config, mechanism, user.name, "not-the-password"));
        assert!(matches!(error, SourceError::WrongCredentials { .. }), "{error:?}");
        assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
        assert!(error.to_string().contains(broker().bootstrap_sasl_ssl()), "{error}");
        assert!(!format!("{error:?}").contains("not-the-password"), "{error:?}");
    }
}

#[test]
fn an_unknown_topic_is_named() {
    let mut config = topic(1);
    config.topic = "no-such-topic".to_owned();
    let error = told(&config);
    assert!(
        matches!(&error, SourceError::UnknownTopic { topic, .. } if topic == "no-such-topic"),
        "{error:?}"
    );
    assert!(error.to_string().contains("no-such-topic"));
}

#[test]
fn a_closed_port_and_a_silent_one_are_unreachable() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let error = told(&SourceConfig::new(&closed, "t", "g"));
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(error.retryable());

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = told(&SourceConfig::new(silent.local_addr().unwrap().to_string(), "t", "g"));
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_host_without_an_address_is_named() {
    let error = told(&SourceConfig::new("no-such-host.invalid:9092", "t", "g"));
    assert!(matches!(error, SourceError::NameResolution { .. }), "{error:?}");
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let config = topic(1);
    let mut config = sasl(&config, SaslMechanism::Plain, USER_PLAIN.name, USER_PLAIN.password);
    if let Security::Sasl { tls, .. } = &mut config.security {
        *tls = Some(Tls { ca: Some(pem(broker().other_ca_pem())), client: None });
    }
    let error = told(&config);
    assert!(matches!(error, SourceError::CertificateUntrusted { .. }), "{error:?}");
}

#[test]
fn the_wrong_port_is_told() {
    let mut config = topic(1);
    config.security = Security::Tls(tls());
    let error = told(&config);
    assert!(matches!(error, SourceError::TlsToPlainPort { .. }), "{error:?}");

    config.security = Security::Plaintext;
    config.brokers = broker().bootstrap_sasl_ssl().to_owned();
    let error = told(&config);
    assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_missing_and_a_key_without_its_armour_are_wrong_settings() {
    let mut config = topic(1);
    config.brokers = broker().bootstrap_mtls().to_owned();
    config.security = Security::Tls(Tls { ca: Some(Pem::Path("/no/such/ca.pem".to_owned())), client: None });
    let error = told(&config);
    assert!(matches!(error, SourceError::Config { .. }), "{error:?}");
    assert!(error.to_string().contains("`tls.ca`"), "{error}");

    let key = std::fs::read_to_string(broker().client_key()).unwrap();
    let bare: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let client = (pem(broker().client_pem()), SecretPem::from_path_or_inline(bare.clone()));
    config.security = Security::Tls(Tls { client: Some(client), ..tls() });
    let error = told(&config);
    assert!(matches!(error, SourceError::Config { .. }), "{error:?}");
    assert!(error.to_string().contains("`tls.key`"), "{error}");
    assert!(!format!("{error} {error:?} {config:?}").contains(&bare[..16]), "{error}");
}

#[test]
fn a_mechanism_that_the_listener_lacks_is_named() {
    let only_scram = "listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512";
    let broker = own_broker_with(KafkaOptions::default().with_settings(only_scram));
    let config = topic_on(&broker, 1);
    let error = told(&sasl_on(&broker, &config, SaslMechanism::Plain, USER_PLAIN.name, USER_PLAIN.password));
    assert!(matches!(error, SourceError::MechanismRefused { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    for words in [broker.bootstrap_sasl_ssl(), "SCRAM-SHA-512"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
}

/// The address of a web server, which has the certificate of the shared broker: it answers in HTTP whatever comes.
fn web_server() -> String {
    let folder = broker().folder().join("certificates");
    let chain = CertificateDer::pem_file_iter(folder.join("server.pem")).and_then(Iterator::collect).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Who hangs up instead has seen enough.
            let _ = stream.read(&mut [0; 1_024]).and_then(|_| {
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
                stream.flush()
            });
        }
    });
    address
}

#[test]
fn a_port_that_speaks_http_wants_neither_tls_nor_credentials() {
    let mut config = topic(1);
    config = sasl(&config, SaslMechanism::Plain, USER_PLAIN.name, USER_PLAIN.password);
    config.brokers = web_server();
    let error = told(&config);
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("speaks HTTP") && !error.to_string().contains("`auth`"), "{error}");
}

#[test]
fn a_handshake_without_a_common_cipher_is_told_in_the_words_of_openssl() {
    let strong = "listener.name.sasl_ssl.ssl.enabled.protocols=TLSv1.2\n\
        listener.name.sasl_ssl.ssl.cipher.suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    let broker = own_broker_with(KafkaOptions::default().with_settings(strong));
    let config = topic_on(&broker, 1);
    let mut config = sasl_on(&broker, &config, SaslMechanism::Plain, USER_PLAIN.name, USER_PLAIN.password);
    assert_eq!(describe_topic(&config, TOLD_WITHIN).unwrap().partitions, 1);
    let weak = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    config.raw.insert("ssl.cipher.suites", weak).unwrap();
    let error = told(&config);
    assert!(matches!(error, SourceError::TlsFailed { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    for words in [broker.bootstrap_sasl_ssl(), "handshake failure", "a version and a cipher"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
}

#[test]
fn tls_without_credentials_to_a_listener_that_wants_them_is_told() {
    let mut config = topic(1);
    config.brokers = broker().bootstrap_sasl_ssl().to_owned();
    config.security = Security::Tls(tls());
    let error = told(&config);
    assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "{error:?}");
    assert!(error.to_string().contains("`auth`"), "{error}");
}
