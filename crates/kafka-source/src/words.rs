//! What librdkafka has said to a client that looks at a topic, and which of it says most.

use std::cmp::Ordering;

use crate::SourceError;
use crate::reason::is_decisive;

/// What was said until now.
#[derive(Debug, Default)]
pub(crate) struct Words {
    said: Option<Said>,
    /// What stood behind a refusal that may pass, the last one.
    passing: Option<SourceError>,
    /// Whether no broker is connected.
    pub(crate) all_down: bool,
}

#[derive(Debug)]
struct Said {
    error: SourceError,
    weight: Weight,
    /// The broker that it is about, as librdkafka's words begin with it; empty where they do not.
    broker: String,
}

/// How much it says, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A line of the log: that a broker is not reached, or does not answer.
    Logged,
    /// The same, as an error.
    Reported,
    /// What it is that keeps the client away.
    Cause,
    /// A cause that stays until a person changes something.
    Decisive,
}

impl Weight {
    fn of(error: &SourceError, least: Weight) -> Weight {
        match error {
            SourceError::Unreachable { .. } | SourceError::Request { .. } => least,
            known if is_decisive(known) => Weight::Decisive,
            _ => Weight::Cause,
        }
    }
}

impl Words {
    /// What says most: the first cause, unless a decisive one came behind it or its broker is not there any more; and where no
    /// cause was told, what may pass, or the last words.
    pub(crate) fn error(&self) -> Option<&SourceError> {
        let said = self.said.as_ref();
        let cause = said.filter(|said| said.weight >= Weight::Cause).map(|said| &said.error);
        cause.or(self.passing.as_ref()).or(said.map(|said| &said.error))
    }

    /// What was said until now is of something that may pass; `trouble` stands behind it.
    pub(crate) fn passes(&mut self, trouble: SourceError) {
        self.said = None;
        self.passing = Some(trouble);
    }

    /// An error whose meaning is `error` was reported with `text`.
    pub(crate) fn reported(&mut self, error: SourceError, text: &str) {
        self.hear(error, text, Weight::Reported);
    }

    /// The same of a line of the log.
    pub(crate) fn logged(&mut self, error: SourceError, text: &str) {
        self.hear(error, text, Weight::Logged);
    }

    fn hear(&mut self, error: SourceError, text: &str, least: Weight) {
        let new = Said {
            weight: Weight::of(&error, least),
            broker: broker_in(text).unwrap_or_default().to_owned(),
            error,
        };
        let replaces = self.said.as_ref().is_none_or(|held| match new.weight.cmp(&held.weight) {
            Ordering::Greater => true,
            Ordering::Equal => new.weight < Weight::Cause,
            // A broker that hung up for whatever cause, and where nobody listens now, was on its way down.
            Ordering::Less => {
                held.weight == Weight::Cause && held.broker == new.broker && is_nobody_there(text)
            }
        });
        if replaces {
            self.said = Some(new);
        }
    }
}

/// A line of the log without the name of the thread that librdkafka puts before it.
pub(crate) fn without_thread(line: &str) -> &str {
    match line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")) {
        Some((_, text)) => text,
        None => line,
    }
}

/// The broker that librdkafka's words begin with: `sasl_ssl://localhost:9093/bootstrap: …`.
fn broker_in(text: &str) -> Option<&str> {
    text.split_once(": ").map(|(broker, _)| broker).filter(|broker| broker.contains("://"))
}

fn is_nobody_there(text: &str) -> bool {
    text.contains("Connect to ") && text.contains(" failed: ")
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode as Code;

    use super::*;
    use crate::reason::classify;
    use crate::{Security, SourceConfig, Tls};

    const A: &str = "ssl://a:9093/bootstrap";
    const B: &str = "ssl://b:9093/bootstrap";
    const BROKEN_PIPE: &str = "Send failed: SSL transport error: Broken pipe (after 2400ms in state UP)";
    const HUNG_UP: &str = "Disconnected: SSL connection closed by peer (after 1ms in state APIVERSION_QUERY)";
    const REFUSED: &str =
        "Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT)";

    /// What is told of these words, each with its broker and its code; without a code it is a line of the log.
    fn told(words: &[(&str, &str, Option<Code>)]) -> SourceError {
        let mut config = SourceConfig::new("a:9093,b:9093", "t", "g");
        config.security = Security::Tls(Tls::default());
        let mut heard = Words::default();
        for (broker, text, code) in words {
            let text = format!("{broker}: {text}");
            match code {
                Some(code) => heard.reported(classify(&config, *code, &text), &text),
                None => heard.logged(classify(&config, Code::AllBrokersDown, &text), &text),
            }
        }
        heard.error().expect("something was said").clone()
    }

    fn reason(error: SourceError) -> String {
        match error {
            SourceError::Unreachable { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cause_is_kept_when_less_is_said_behind_it() {
        let transport = Some(Code::BrokerTransportFailure);
        for code in [transport, None] {
            let error = told(&[(A, HUNG_UP, code), (A, BROKEN_PIPE, transport), (A, BROKEN_PIPE, None)]);
            assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "{error:?}");
            let error = told(&[(A, BROKEN_PIPE, transport), (A, HUNG_UP, code)]);
            assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "{error:?}");
        }
        let resolve = (B, "Failed to resolve 'b:9093': Name or service not known", Some(Code::Resolve));
        let error = told(&[(A, HUNG_UP, transport), resolve]);
        assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "the first: {error:?}");
        let error = told(&[resolve, (A, HUNG_UP, transport)]);
        assert!(matches!(error, SourceError::NameResolution { .. }), "the first: {error:?}");
    }

    #[test]
    fn what_is_decisive_comes_before_everything() {
        let transport = Some(Code::BrokerTransportFailure);
        let untrusted = (A, "SSL handshake failed: certificate verify failed", Some(Code::SSL));
        for words in [
            [(A, HUNG_UP, transport), untrusted, (A, REFUSED, transport)],
            [untrusted, (A, HUNG_UP, transport), (A, BROKEN_PIPE, None)],
        ] {
            let error = told(&words);
            assert!(matches!(error, SourceError::CertificateUntrusted { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_broker_that_is_gone_was_on_its_way_down_and_others_tell_nothing_of_it() {
        let transport = Some(Code::BrokerTransportFailure);
        assert!(
            reason(told(&[(A, HUNG_UP, None), (A, REFUSED, transport)])).contains("refused"),
            "of the same broker"
        );
        let error = told(&[(A, HUNG_UP, None), (B, REFUSED, transport)]);
        assert!(matches!(error, SourceError::PlainToTlsPort { .. }), "{error:?}");
    }

    #[test]
    fn without_a_cause_the_last_error_is_told_and_the_log_where_there_is_none() {
        let transport = Some(Code::BrokerTransportFailure);
        let last = reason(told(&[(A, REFUSED, transport), (B, BROKEN_PIPE, transport), (A, REFUSED, None)]));
        assert_eq!(last, format!("{B}: {BROKEN_PIPE}"));
        assert_eq!(reason(told(&[(A, REFUSED, None), (B, REFUSED, None)])), format!("{B}: {REFUSED}"));
    }

    #[test]
    fn what_may_pass_is_not_told_again_and_stands_behind_what_is_said_then() {
        let config = SourceConfig::new("a:9093", "t", "g");
        let refusal =
            SourceError::TokenRefused { brokers: "a:9093".to_owned(), reason: "invalid_token".to_owned() };
        let trouble = SourceError::Request {
            brokers: "a:9093".to_owned(),
            request: "a login",
            reason: "the token has ended".to_owned(),
        };
        let mut words = Words::default();
        words.reported(refusal.clone(), "");
        words.passes(trouble.clone());
        assert_eq!(words.error(), Some(&trouble));
        words.logged(classify(&config, Code::AllBrokersDown, REFUSED), REFUSED);
        assert_eq!(words.error(), Some(&trouble));
        words.reported(refusal.clone(), "");
        assert_eq!(words.error(), Some(&refusal), "of the next token");
    }

    #[test]
    fn the_thread_is_taken_off_a_line_of_the_log() {
        let line = format!("{A}: {HUNG_UP}");
        assert_eq!(without_thread(&format!("[thrd:{A}]: {line}")), line);
        assert_eq!(without_thread(&line), line);
    }
}
