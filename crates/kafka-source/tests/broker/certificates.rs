//! Each thing that may be wrong with a broker's certificate has an error of its own.

use std::time::{Duration, Instant};

use housepipe_kafka_source::{Domain, SaslMechanism, SourceConfig, SourceError, list_topics};
use housepipe_local_stack::{Kafka, KafkaOptions, ServerCertificate, USER_PLAIN};

use crate::causes::{TOLD_WITHIN, sasl_on, told};
use crate::harness::own_broker_with;

/// The error of a client that trusts the broker's authority, over SASL_SSL.
fn told_of(broker: &Kafka) -> SourceError {
    let config = SourceConfig::new("set below", "no-such-topic", "g");
    let config = sasl_on(broker, &config, SaslMechanism::Plain, USER_PLAIN.name, USER_PLAIN.password);
    let error = told(&config);
    // Whoever asks for the topics first is told the same.
    let started = Instant::now();
    let listed = list_topics(&config, Duration::from_secs(8)).unwrap_err();
    assert!(started.elapsed() < TOLD_WITHIN, "{listed} after {:?}", started.elapsed());
    assert_eq!(std::mem::discriminant(&listed), std::mem::discriminant(&error), "{listed} / {error}");
    error
}

#[test]
fn an_expired_certificate_is_told_as_such() {
    let broker = own_broker_with(KafkaOptions::default().with_certificate(ServerCertificate::Expired));
    let error = told_of(&broker);
    assert!(matches!(error, SourceError::CertificateExpired { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    for words in [broker.bootstrap_sasl_ssl(), "expired", "renewed"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
}

#[test]
fn a_certificate_of_another_host_is_told_with_its_names() {
    let broker = own_broker_with(KafkaOptions::default().with_certificate(ServerCertificate::OtherHost));
    let error = told_of(&broker);
    assert!(matches!(error, SourceError::CertificateOfOtherHost { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    for words in [broker.bootstrap_sasl_ssl(), "kafka.example.com", "`brokers`"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
}
