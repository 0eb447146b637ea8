//! Nothing of a secret or a token comes into the log, however much is logged. A process of its own, since a log is the process's.
#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use housepipe_kafka_source::{OidcClient, Security, SourceConfig, TokenSource, describe_topic};
use housepipe_local_stack::{ISSUER_CLIENT, Issuer};

/// A log that may write a secret over several lines still has this many bytes of it together.
const WINDOW_BYTES: usize = 8;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_part_of_a_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let issuer = Issuer::start().unwrap();
    for secret in [ISSUER_CLIENT.password, "another-secret-that-is-wrong"] {
        let client = OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, secret);
        let mut config = SourceConfig::new("127.0.0.1:1", "clicks", "g");
        config.security = Security::Token { source: TokenSource::oidc(client).unwrap(), tls: None };
        describe_topic(&config, Duration::from_secs(3)).unwrap_err();
    }
    assert_eq!(issuer.requests().len(), 2);

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("127.0.0.1:1"), "the log has lines of the client: {logged}");
    let encoded = "loader%2Bsecret%2F100%25";
    let basic = BASE64_STANDARD.encode(format!("{}:{encoded}", ISSUER_CLIENT.name));
    // The beginning of every token of this issuer is its header.
    let header = "eyJhbGciOiJFUzI1NiI";
    for secret in [ISSUER_CLIENT.password, encoded, "another-secret-that-is-wrong", &basic, header] {
        for window in secret.as_bytes().windows(WINDOW_BYTES) {
            let window = std::str::from_utf8(window).unwrap();
            assert!(!logged.contains(window), "`{window}` is in the log: {logged}");
        }
    }
}
