//! From librdkafka's codes and words to our errors.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::{Security, SourceConfig, SourceError};

/// Time after which a connection without credentials that is closed was not closed for want of them, in milliseconds; librdkafka has
/// the same.
const HUNG_UP_MS_MAX: u64 = 2_000;

/// The error behind a code that librdkafka told with `reason`, as [`meaning`]; a token that was refused is forgotten.
pub(crate) fn classify(config: &SourceConfig, code: Code, reason: &str) -> SourceError {
    let error = meaning(config, code, reason);
    if is_refusal_of_token(&error) {
        forget_token(config);
    }
    error
}

/// Has another token asked for, should somebody mend what is wrong with the last one while this process goes on.
pub(crate) fn forget_token(config: &SourceConfig) {
    if let Some(source) = config.security.token_source() {
        source.forget();
    }
}

/// Whether a broker refused a token; whether that is final, a [`TokenKeeper`](crate::token::TokenKeeper) knows.
pub(crate) fn is_refusal_of_token(error: &SourceError) -> bool {
    matches!(error, SourceError::TokenRefused { .. } | SourceError::IamRefused { .. })
}

/// The error behind a code that librdkafka told with `reason`.
///
/// librdkafka often has one code for several causes, so the words decide between them.
pub(crate) fn meaning(config: &SourceConfig, code: Code, reason: &str) -> SourceError {
    let brokers = config.brokers.clone();
    let text = if reason.is_empty() { code.to_string() } else { reason.to_owned() };
    let says = |words: &str| text.contains(words);
    match code {
        // The connection ended before the broker said which mechanisms it has.
        Code::Authentication if says("mechanism handshake failed: Local: ") => {
            SourceError::Unreachable { brokers, reason: text }
        }
        Code::Authentication | Code::SaslAuthenticationFailed
            if says("mechanism handshake failed") || says("Unsupported SASL mechanism") =>
        {
            SourceError::MechanismRefused { brokers, reason: text }
        }
        Code::UnsupportedSASLMechanism => SourceError::MechanismRefused { brokers, reason: text },
        Code::Authentication | Code::SaslAuthenticationFailed => match config.security.token_source() {
            Some(source) if source.is_msk_iam() => SourceError::IamRefused { brokers, reason: text },
            Some(_) => SourceError::TokenRefused { brokers, reason: text },
            None => SourceError::WrongCredentials { brokers, reason: text },
        },
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            SourceError::UnknownTopic { brokers, topic: config.topic.clone() }
        }
        Code::TopicAuthorizationFailed => SourceError::TopicDenied { brokers, topic: config.topic.clone() },
        Code::GroupAuthorizationFailed => SourceError::GroupDenied { brokers, group: config.group.clone() },
        // librdkafka asks to join again without an end: nothing of it changes by itself.
        Code::InvalidSessionTimeout => SourceError::SessionTimeoutRefused {
            brokers,
            group: config.group.clone(),
            session_timeout_ms: config.session_timeout_ms,
        },
        Code::InconsistentGroupProtocol | Code::UnsupportedAssignor => {
            SourceError::GroupOfOthers { brokers, group: config.group.clone() }
        }
        Code::GroupMaxSizeReached => SourceError::GroupFull { brokers, group: config.group.clone() },
        Code::InvalidGroupId => SourceError::Config { key: "group.id".to_owned(), reason: text },
        Code::Resolve => SourceError::NameResolution { brokers, reason: text },
        _ if says("certificate verify failed") => SourceError::CertificateUntrusted { brokers, reason: text },
        _ if says("alert bad certificate") || says("alert certificate") || says("alert unknown ca") => {
            SourceError::ClientCertificateRefused { brokers, reason: text }
        }
        // A port that accepts and never answers: the state in the words says how far it came, not what it speaks.
        _ if says("Connection setup timed out") => SourceError::Unreachable { brokers, reason: text },
        // librdkafka adds its guess about the listener to most such lines, not to all.
        _ if says("PLAINTEXT broker listener")
            || (says("Disconnected") && says("in state SSL_HANDSHAKE")) =>
        {
            SourceError::TlsToPlainPort { brokers, reason: text }
        }
        _ if says("APIVERSION_QUERY")
            || says("ApiVersionRequest failed")
            || is_hung_up_on_without_credentials(config, &text) =>
        {
            SourceError::PlainToTlsPort { brokers, reason: text }
        }
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::SSL => {
            SourceError::Unreachable { brokers, reason: text }
        }
        Code::Fatal | Code::FencedInstanceId | Code::UnreleasedInstanceId => {
            SourceError::Fatal { brokers, reason: text }
        }
        _ => SourceError::Request { brokers, request: "a request", reason: text },
    }
}

/// As [`meaning`], to a member of the group: it has been connected before.
pub(crate) fn meaning_to_member(config: &SourceConfig, code: Code, reason: &str) -> SourceError {
    match meaning(config, code, reason) {
        // A broker that goes down or comes up hangs up in the same way.
        SourceError::PlainToTlsPort { brokers, reason } | SourceError::TlsToPlainPort { brokers, reason } => {
            SourceError::Unreachable { brokers, reason }
        }
        // A session ends with its token. One that has less than a second left is renewed sooner than a broker lets anybody renew one,
        // and it answers as a listener does that knows no SASL.
        SourceError::MechanismRefused { brokers, reason }
            if reason.contains("Request not valid in current SASL state") =>
        {
            SourceError::Request { brokers, request: "a login", reason }
        }
        known => known,
    }
}

/// Whether `text` says that a broker closed the connection at the first request of a client that has no credentials.
///
/// A listener that wants them tells its versions to anybody, upon which such a client takes the connection to be up, and closes it at
/// the next request. Whether librdkafka sees that as it reads or as it writes is chance. It has a guess of its own about this
/// (`rd_kafka_broker_set_error`, rdkafka_broker.c of 2.12.1), which it looks for in a format string and so does not make.
fn is_hung_up_on_without_credentials(config: &SourceConfig, text: &str) -> bool {
    let is_closed = ["Disconnected", "Broken pipe", "reset by peer"].iter().any(|words| text.contains(words));
    let is_soon = text
        .split_once("ms in state UP")
        .and_then(|(before, _)| before.rsplit_once("(after ")?.1.parse::<u64>().ok())
        .is_some_and(|up_ms| up_ms < HUNG_UP_MS_MAX);
    matches!(config.security, Security::Plaintext | Security::Tls(_)) && is_closed && is_soon
}

/// The error of a call that names its `request`.
pub(crate) fn of_call(config: &SourceConfig, error: &KafkaError, request: &'static str) -> SourceError {
    match error {
        // The value is left out: it may be a secret.
        KafkaError::ClientConfig(_, reason, key, _) => {
            SourceError::Config { key: key.clone(), reason: reason.clone() }
        }
        KafkaError::ClientCreation(reason) => {
            SourceError::Config { key: "client".to_owned(), reason: reason.clone() }
        }
        KafkaError::Nul(_) => SourceError::Config {
            key: "a text".to_owned(),
            reason: "it contains a zero byte, which kafka settings cannot hold".to_owned(),
        },
        other => match other.rdkafka_error_code() {
            Some(code) => match classify(config, code, "") {
                SourceError::Request { brokers, reason, .. } => {
                    SourceError::Request { brokers, request, reason }
                }
                known => known,
            },
            None => {
                SourceError::Request { brokers: config.brokers.clone(), request, reason: other.to_string() }
            }
        },
    }
}

/// Whether trying on is pointless: every attempt will end the same until a person changes something.
pub(crate) fn is_decisive(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::WrongCredentials { .. }
            | SourceError::MechanismRefused { .. }
            | SourceError::TokenRefused { .. }
            | SourceError::IamRefused { .. }
            | SourceError::CertificateUntrusted { .. }
            | SourceError::ClientCertificateRefused { .. }
            | SourceError::TopicDenied { .. }
            | SourceError::Fatal { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SaslMechanism, Tls};

    #[test]
    fn a_connection_that_ends_in_the_handshake_refuses_no_mechanism() {
        let config = SourceConfig::new("localhost:9093", "clicks", "g");
        let text = "sasl_ssl://localhost:9093/1: SASL OAUTHBEARER mechanism handshake failed: Local: Broker transport failure: \
                    broker's supported mechanisms: (n/a) (after 0ms in state DOWN)";
        let error = meaning(&config, Code::Authentication, text);
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    }

    #[test]
    fn a_member_has_been_connected_before() {
        let config = SourceConfig::new("localhost:9093", "clicks", "g");
        let handshake = |words: &str| {
            let text = format!(
                "SASL OAUTHBEARER mechanism handshake failed: Broker: {words}: broker's supported mechanisms:  \
                 (after 2ms in state AUTH_HANDSHAKE)"
            );
            let probe = meaning(&config, Code::Authentication, &text);
            assert!(matches!(probe, SourceError::MechanismRefused { .. }), "{probe:?}");
            meaning_to_member(&config, Code::Authentication, &text)
        };
        let error = handshake("Request not valid in current SASL state");
        assert!(matches!(error, SourceError::Request { .. }) && error.retryable(), "{error:?}");
        let error = handshake("Unsupported SASL mechanism");
        assert!(matches!(error, SourceError::MechanismRefused { .. }), "{error:?}");
        let hung_up = "Disconnected: connection closed by peer (after 0ms in state UP)";
        let error = meaning_to_member(&config, Code::BrokerTransportFailure, hung_up);
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    }

    #[test]
    fn a_client_without_credentials_that_is_hung_up_on_at_once_lacks_them() {
        let mut config = SourceConfig::new("localhost:9093", "clicks", "g");
        let told = |config: &SourceConfig, text: &str| {
            classify(config, Code::BrokerTransportFailure, &format!("ssl://localhost:9093/bootstrap: {text}"))
        };
        for security in [Security::Plaintext, Security::Tls(Tls::default())] {
            config.security = security;
            for text in [
                "Disconnected: SSL connection closed by peer (after 0ms in state UP)",
                "Disconnected: connection reset by peer (after 1999ms in state UP, 3 identical error(s) suppressed)",
                "Disconnected: connection closed by peer: POLLHUP (after 3ms in state UP)",
                "Send failed: SSL transport error: Broken pipe (after 0ms in state UP)",
                "Send failed: Connection reset by peer (after 7ms in state UP)",
            ] {
                let error = told(&config, text);
                assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "{text}: {error:?}");
            }
            for text in [
                "Disconnected: SSL connection closed by peer (after 2000ms in state UP)",
                "Send failed: SSL transport error: Broken pipe (after 86400000ms in state UP)",
                "Receive failed: Invalid response size (after 0ms in state UP)",
                "Disconnected: connection closed by peer (in state UP)",
            ] {
                let error = told(&config, text);
                assert!(matches!(error, SourceError::Unreachable { .. }), "{text}: {error:?}");
            }
        }
        config.security = Security::Sasl {
            mechanism: SaslMechanism::Plain,
            username: "u".to_owned(),
            password: "p".into(),
            tls: None,
        };
        let error = told(&config, "Disconnected: connection closed by peer (after 0ms in state UP)");
        assert!(matches!(error, SourceError::Unreachable { .. }), "it has credentials: {error:?}");
    }
}
