//! What librdkafka has said to a client that looks at a topic, and which of it says most.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::SourceError;
use crate::connections::COORDINATOR;
use crate::reason::is_decisive;

/// Addresses of which it is kept what was said, at most.
const ADDRESSES_MAX: usize = 1_000;

/// What was said until now.
#[derive(Debug, Default)]
pub(crate) struct Words {
    said: Option<Said>,
    /// What stood behind a refusal that may pass, the last one.
    passing: Option<SourceError>,
    /// What was said of each address: of all that says most, the last.
    of_address: BTreeMap<String, (Weight, String)>,
    /// What was told last of the records of a partition.
    of_records: Option<String>,
    /// Whether no broker is connected.
    pub(crate) all_down: bool,
    /// Whether a broker has answered; see [`Words::answered`].
    pub(crate) has_answered: bool,
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

    /// A broker has answered, and what is wanted now are records: what was said until now keeps nobody away from them, and who hangs up
    /// from here on was connected before. The group, its coordinator and the right to it are not needed for them.
    pub(crate) fn answered(&mut self) {
        (self.said, self.passing, self.all_down) = (None, None, false);
        self.has_answered = true;
    }

    /// Something was told of the records of a partition, with `text`: no trouble of a connection.
    pub(crate) fn told_of_records(&mut self, text: &str) {
        self.of_records = Some(text.to_owned());
    }

    /// What was told last of the records of a partition, once.
    pub(crate) fn take_of_records(&mut self) -> Option<String> {
        self.of_records.take()
    }

    /// An error whose meaning is `error` was reported with `text`.
    pub(crate) fn reported(&mut self, error: SourceError, text: &str) {
        self.hear(error, text, Weight::Reported);
    }

    /// The same of a line of the log.
    pub(crate) fn logged(&mut self, error: SourceError, text: &str) {
        self.hear(error, text, Weight::Logged);
    }

    /// What was said of the broker at `address`, without its name.
    pub(crate) fn about(&self, address: &str) -> Option<&str> {
        self.of_address.get(address).map(|(_, said)| said.as_str())
    }

    fn keep(&mut self, text: &str, weight: Weight) {
        let Some((address, said)) = address_in(text) else { return };
        let is_full = self.of_address.len() >= ADDRESSES_MAX;
        match self.of_address.get_mut(address) {
            Some(held) if weight >= held.0 => *held = (weight, said.to_owned()),
            Some(_) => {}
            None if is_full => {}
            None => {
                self.of_address.insert(address.to_owned(), (weight, said.to_owned()));
            }
        }
    }

    fn hear(&mut self, error: SourceError, text: &str, least: Weight) {
        self.keep(text, Weight::of(&error, least));
        let is_of_group = text.starts_with(COORDINATOR) || matches!(error, SourceError::GroupDenied { .. });
        if self.has_answered && is_of_group {
            return;
        }
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

/// Whether librdkafka's words are about a connection, and not about records.
pub(crate) fn is_of_connection(text: &str) -> bool {
    address_in(text).is_some()
}

/// The address of the broker that librdkafka's words begin with, and what they say: `ssl://localhost:9093/1: …`, `localhost:9092/1: …`,
/// and of the coordinator `GroupCoordinator: localhost:9092: …`.
pub(crate) fn address_in(text: &str) -> Option<(&str, &str)> {
    let of_coordinator = text.strip_prefix(COORDINATOR).and_then(|rest| rest.strip_prefix(": "));
    let (broker, said) = of_coordinator.unwrap_or(text).split_once(": ")?;
    let broker = broker.split_once("://").map_or(broker, |(_, rest)| rest);
    let address = broker.split_once('/').map_or(broker, |(address, _)| address);
    (address.contains(':') && !address.contains(' ')).then_some((address, said))
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
    fn what_was_said_of_an_address_is_kept_with_it() {
        for text in [
            "ssl://a:9093/1: X: y",
            "a:9093/1: X: y",
            "a:9093/bootstrap: X: y",
            "GroupCoordinator: a:9093: X: y",
        ] {
            assert_eq!(address_in(text), Some(("a:9093", "X: y")), "{text}");
        }
        for text in ["", "GroupCoordinator: Broker changed", "Connect to ipv4#127.0.0.1:9093 failed: refused"]
        {
            assert_eq!(address_in(text), None, "{text}");
        }
        let config = SourceConfig::new("a:9093", "t", "g");
        let mut words = Words::default();
        let mut say = |broker: &str, said: &str| {
            let text = format!("{broker}: {said}");
            words.logged(classify(&config, Code::AllBrokersDown, &text), &text);
        };
        say("b:9093/2", "SSL handshake failed: certificate verify failed");
        say("b:9093/2", REFUSED);
        say("GroupCoordinator: c:9093", REFUSED);
        say("c:9093/3", BROKEN_PIPE);
        assert_eq!(words.about("a:9093"), None);
        assert!(words.about("b:9093").is_some_and(|said| said.starts_with("SSL")), "{words:?}");
        assert_eq!(words.about("c:9093"), Some(BROKEN_PIPE));
    }

    #[test]
    fn once_a_broker_has_answered_only_what_is_said_from_then_on_counts() {
        let mut config = SourceConfig::new("a:9093,b:9093", "t", "g");
        config.security = Security::Tls(Tls::default());
        let mut words = Words::default();
        let say = |words: &mut Words, broker: &str, said: &str| {
            let text = format!("{broker}: {said}");
            words.reported(classify(&config, Code::BrokerTransportFailure, &text), &text);
        };
        say(&mut words, A, REFUSED);
        words.all_down = true;
        words.answered();
        assert!(words.error().is_none() && !words.all_down && words.has_answered);
        assert!(words.about("a:9093").is_some(), "of the address it is known all the same");
        say(&mut words, "GroupCoordinator: c:9093", REFUSED);
        let denied = SourceError::GroupDenied { brokers: "a:9093".to_owned(), group: "g".to_owned() };
        words.reported(denied, "FindCoordinator response error: Broker: Group authorization failed");
        assert_eq!(words.error(), None, "records do not come from there");
        say(&mut words, B, REFUSED);
        assert_eq!(reason(words.error().cloned().unwrap()), format!("{B}: {REFUSED}"));
    }

    #[test]
    fn words_about_records_have_no_address() {
        for text in [
            "Decompression (codec 0x1) of message at 5 of 80 bytes failed: Local: Invalid compressed data",
            "MessageSet at offset 5 (80 bytes) failed CRC32C check (original 0x1 != calculated 0x2)",
            "fetch failed due to requested offset not available on the broker: Broker: Offset out of range (broker 1)",
            "Fetch from broker 1 failed at offset 5 (leader epoch 0): Broker: Message size too large",
            "Fetch from broker 1 reached end of partition at offset 5 (HighwaterMark 5)",
        ] {
            assert!(!is_of_connection(text), "{text}");
        }
        assert!(is_of_connection(
            "localhost:443/bootstrap: Receive failed: Invalid response size 1213486160"
        ));
        let mut words = Words::default();
        words.told_of_records("MessageSet at offset 5");
        assert!(words.error().is_none());
        assert_eq!(words.take_of_records().as_deref(), Some("MessageSet at offset 5"));
        assert_eq!(words.take_of_records(), None);
    }

    #[test]
    fn the_thread_is_taken_off_a_line_of_the_log() {
        let line = format!("{A}: {HUNG_UP}");
        assert_eq!(without_thread(&format!("[thrd:{A}]: {line}")), line);
        assert_eq!(without_thread(&line), line);
    }
}
