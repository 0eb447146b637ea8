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
        _ if says("certificate verify failed") || says("Failed to verify broker certificate") => {
            SourceError::CertificateUntrusted { brokers, reason: text }
        }
        _ if says("alert bad certificate") || says("alert certificate") || says("alert unknown ca") => {
            SourceError::ClientCertificateRefused { brokers, reason: text }
        }
        // A port that accepts and never answers: the state in the words says how far it came, not what it speaks.
        _ if says("Connection setup timed out") => SourceError::Unreachable { brokers, reason: text },
        // librdkafka adds its guess about the listener to most such lines, not to all. The wrong number is OpenSSL's word for an
        // answer that is no TLS.
        _ if says("PLAINTEXT broker listener")
            || says("wrong version number")
            || (says("Disconnected") && says("in state SSL_HANDSHAKE")) =>
        {
            SourceError::TlsToPlainPort { brokers, reason: text }
        }
        // A connection that broke off in the handshake is told by the same code.
        Code::SSL if quotes_openssl(&text) || says("did not provide a certificate") => {
            SourceError::TlsFailed { brokers, reason: text }
        }
        _ if is_answered_by_another_protocol(&text) => match FirstBytes::in_words(&text) {
            Some(FirstBytes::Tls) if config.security.tls().is_none() => {
                SourceError::PlainToTlsPort { brokers, reason: text }
            }
            Some(FirstBytes::Http) => SourceError::Unreachable {
                brokers,
                reason: format!("{text}; what answers there speaks HTTP"),
            },
            _ => SourceError::Unreachable { brokers, reason: text },
        },
        // A client that has both is not hung up on for want of either.
        _ if (is_before_versions(&text) && !has_tls_and_credentials(&config.security))
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
        // What is between the two may have trouble that passes: versions and ciphers have fitted before.
        SourceError::TlsFailed { brokers, reason } => {
            SourceError::Request { brokers, request: "a TLS handshake", reason }
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

/// Whether `text` has words of OpenSSL about TLS: `error:0A000410:SSL routines::…`, or `error:1409…` of older versions. Those of the system
/// begin with an 8.
fn quotes_openssl(text: &str) -> bool {
    text.split("error:").skip(1).any(|rest| rest.starts_with(['0', '1']))
}

/// Whether `text` says that a connection ended before the broker has told which requests it knows: the first thing that it is asked.
fn is_before_versions(text: &str) -> bool {
    text.contains("APIVERSION_QUERY") || text.contains("ApiVersionRequest failed")
}

/// Whether `text` says that the answer to that first question does not begin as one of Kafka: with its length, which is as good as never
/// that large.
fn is_answered_by_another_protocol(text: &str) -> bool {
    is_before_versions(text) && text.contains(WRONG_SIZE)
}

/// librdkafka's words for an answer whose length cannot be.
const WRONG_SIZE: &str = "Invalid response size ";

/// What the first bytes of an answer that is none of Kafka belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstBytes {
    /// An alert.
    Tls,
    Http,
}

impl FirstBytes {
    /// librdkafka tells them as the number that it took them for.
    fn in_words(text: &str) -> Option<FirstBytes> {
        let (_, rest) = text.split_once(WRONG_SIZE)?;
        let number: i32 = rest.split(' ').next()?.parse().ok()?;
        match number.to_be_bytes() {
            [0x15, 0x03, ..] => Some(FirstBytes::Tls),
            [b'H', b'T', b'T', b'P'] => Some(FirstBytes::Http),
            _ => None,
        }
    }
}

/// Whether a client says who it is, over TLS. It may be hung up on all the same, and lacks nothing then.
fn has_tls_and_credentials(security: &Security) -> bool {
    match security {
        Security::Plaintext | Security::Tls(_) => false,
        Security::Sasl { tls, .. } | Security::Token { tls, .. } => tls.is_some(),
    }
}

/// Whether a code says that records are damaged. A broker that answers nonsense is told by the first of them, too, with its name before
/// the words.
pub(crate) fn is_damage(code: Code) -> bool {
    matches!(
        code,
        Code::BadMessage
            | Code::BadCompression
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::MessageSizeTooLarge
    )
}

/// Whether a code says that a log does not have the position that was asked for.
pub(crate) fn is_out_of_range(code: Code) -> bool {
    matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange)
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

/// The error of an answer to `request` that is a code alone.
pub(crate) fn of_code(config: &SourceConfig, code: Code, request: &'static str) -> SourceError {
    match classify(config, code, "") {
        SourceError::Request { brokers, reason, .. } => SourceError::Request { brokers, request, reason },
        known => known,
    }
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
            Some(code) => of_code(config, code, request),
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

    fn with_password(tls: Option<Tls>) -> Security {
        Security::Sasl {
            mechanism: SaslMechanism::Plain,
            username: "u".to_owned(),
            password: "p".into(),
            tls,
        }
    }

    #[test]
    fn who_has_tls_and_credentials_is_not_asked_for_them() {
        let mut config = SourceConfig::new("localhost:443", "clicks", "g");
        let versions = |words: &str| {
            format!("sasl_ssl://localhost:443/bootstrap: {words} (after 5ms in state APIVERSION_QUERY)")
        };
        let of_size = |size: i32| {
            versions(&format!(
                "Receive failed: Invalid response size {size} (0..100000000): increase receive.message.max.bytes"
            ))
        };
        let (http, alert, other) = (of_size(1_213_486_160), of_size(352_518_912), of_size(-7));
        let hung_up = versions("Disconnected: connection closed by peer");
        let failed = "localhost:443/bootstrap: ApiVersionRequest failed: Local: Bad message format: probably due to broker version";
        let (plain, tls) = (Security::Plaintext, Security::Tls(Tls::default()));
        let (sasl, both) = (with_password(None), with_password(Some(Tls::default())));
        for (text, lacking) in [
            (&*hung_up, &[&plain, &tls, &sasl][..]),
            (failed, &[&plain, &tls, &sasl]),
            (&*alert, &[&plain, &sasl]),
            (&*http, &[]),
            (&*other, &[]),
        ] {
            for security in [&plain, &tls, &sasl, &both] {
                config.security = security.clone();
                let lacks = lacking.iter().any(|lacking| std::ptr::eq(*lacking, security));
                for code in [Code::BadMessage, Code::BrokerTransportFailure, Code::AllBrokersDown] {
                    let error = meaning(&config, code, text);
                    let is_told = match &error {
                        SourceError::PlainToTlsPort { .. } => lacks,
                        SourceError::Unreachable { reason, .. } => {
                            !lacks && reason.contains("speaks HTTP") == (text == http)
                        }
                        // A code that says nothing of a connection, which comes with the size alone.
                        SourceError::Request { .. } => code == Code::BadMessage && !text.contains(WRONG_SIZE),
                        _ => false,
                    };
                    assert!(is_told, "{security:?}: {text}: {error:?}");
                }
            }
        }
    }

    #[test]
    fn a_handshake_that_fails_is_told_in_the_words_of_openssl() {
        let mut config = SourceConfig::new("localhost:9093", "clicks", "g");
        config.security = Security::Tls(Tls::default());
        let told = |words: &str| {
            let text = format!("ssl://localhost:9093/bootstrap: SSL handshake failed: {words}");
            (meaning(&config, Code::SSL, &text), meaning_to_member(&config, Code::SSL, &text))
        };
        for words in [
            "error:0A00042E:SSL routines::tlsv1 alert protocol version: SSL alert number 70",
            "error:0A000410:SSL routines::sslv3 alert handshake failure: SSL alert number 40",
            "error:0A0000F4:SSL routines::unexpected message: client SSL authentication might be required",
            "error:0A000102:SSL routines::unsupported protocol",
            "Broker did not provide a certificate",
        ] {
            let (error, to_member) = told(words);
            assert!(matches!(error, SourceError::TlsFailed { .. }), "{error:?}");
            assert!(error.to_string().contains(words) && !error.retryable(), "{error}");
            assert!(to_member.retryable() && to_member.to_string().contains(words), "{to_member}");
        }
        let (error, _) = told("error:0A00010B:SSL routines::wrong version number");
        assert!(matches!(error, SourceError::TlsToPlainPort { .. }), "{error:?}");
        let (error, _) = told("error:0A000086:SSL routines::certificate verify failed");
        assert!(matches!(error, SourceError::CertificateUntrusted { .. }), "{error:?}");
        let (error, _) = told("error:0A00045C:SSL routines::tlsv13 alert certificate required");
        assert!(matches!(error, SourceError::ClientCertificateRefused { .. }), "{error:?}");
        // What breaks off says nothing of TLS, and so does the code by itself.
        for words in [
            "SSL transport error: Connection timed out",
            "error:80000068:system library::Connection reset by peer",
        ] {
            let (error, _) = told(words);
            assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
        }
        assert!(meaning(&config, Code::SSL, "").retryable());
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
        config.security = with_password(None);
        let error = told(&config, "Disconnected: connection closed by peer (after 0ms in state UP)");
        assert!(matches!(error, SourceError::Unreachable { .. }), "it has credentials: {error:?}");
    }
}
