//! What a broker is shown of a token: a listener that speaks as much of Kafka's protocol as comes before it, writes down the
//! message of the client, and refuses it. A real broker shows nobody what it was shown.
#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use housepipe_kafka_source::seed::{Producer, TopicAdmin};
use housepipe_kafka_source::{
    Domain, MskIam, OidcClient, Security, SourceConfig, SourceError, TokenSource, describe_topic, sample,
};
use housepipe_local_stack::{ISSUER_CLIENT, Issuer};

/// The promise: every cause is told within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;
/// Error code 58, SASL_AUTHENTICATION_FAILED.
const REFUSED: i16 = 58;

/// The listener's address, and what clients show to it.
fn listener() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, shown) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let told = told.clone();
            // A client that hangs up has seen enough.
            thread::spawn(move || drop(serve(stream.unwrap(), &told)));
        }
    });
    (address, shown)
}

fn serve(mut stream: TcpStream, told: &mpsc::Sender<String>) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        stream.read_exact(&mut request)?;
        let short = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let (key, version) = (short(0), short(2));
        // Behind the client's name, where the header ends in these versions.
        let body = &request[10 + usize::try_from(short(8)).unwrap()..];
        let mut answer = request[4..8].to_vec();
        match key {
            API_VERSIONS => {
                answer.extend(0_i16.to_be_bytes());
                let known = [(API_VERSIONS, 3_i16), (SASL_HANDSHAKE, 1), (SASL_AUTHENTICATE, 1), (3, 2)];
                if version >= 3 {
                    answer.push(5);
                } else {
                    answer.extend(4_i32.to_be_bytes());
                }
                for (key, most) in known {
                    answer.extend([key.to_be_bytes(), 0_i16.to_be_bytes(), most.to_be_bytes()].concat());
                    answer.extend((version >= 3).then_some(0));
                }
                if version >= 1 {
                    answer.extend(0_i32.to_be_bytes());
                }
                answer.extend((version >= 3).then_some(0));
            }
            SASL_HANDSHAKE => {
                assert!(body.ends_with(b"OAUTHBEARER"));
                answer.extend(0_i16.to_be_bytes());
                answer.extend(1_i32.to_be_bytes());
                answer.extend(11_i16.to_be_bytes());
                answer.extend(b"OAUTHBEARER");
            }
            SASL_AUTHENTICATE => {
                let _ = told.send(String::from_utf8(body[4..].to_vec()).unwrap());
                answer.extend(REFUSED.to_be_bytes());
                answer.extend(9_i16.to_be_bytes());
                answer.extend(b"not today");
                answer.extend(0_i32.to_be_bytes());
                if version >= 1 {
                    answer.extend(0_i64.to_be_bytes());
                }
            }
            // Nobody may ask for anything else before it is let in.
            _ => return Err(std::io::ErrorKind::InvalidData.into()),
        }
        stream.write_all(&i32::try_from(answer.len()).unwrap().to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

fn config(address: &str, source: &TokenSource) -> SourceConfig {
    let mut config = SourceConfig::new(address, "clicks", "g");
    config.security = Security::Token { source: source.clone(), tls: None };
    config
}

/// Token and extensions of a client's first message: <https://www.rfc-editor.org/rfc/rfc7628#section-3.1>.
fn parts(message: &str) -> (String, BTreeMap<String, String>) {
    let fields = message.strip_prefix("n,,\u{1}").and_then(|rest| rest.strip_suffix("\u{1}\u{1}")).unwrap();
    let mut fields: BTreeMap<String, String> = fields
        .split('\u{1}')
        .map(|field| field.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let token = fields.remove("auth").unwrap();
    (token.strip_prefix("Bearer ").unwrap().to_owned(), fields)
}

#[test]
fn an_issuers_token_comes_with_its_extensions_and_a_refusal_is_told() {
    let issuer = Issuer::start().unwrap();
    let mut client = OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, ISSUER_CLIENT.password);
    client.extensions.insert("logicalCluster".to_owned(), "lkc-1".to_owned());
    client.extensions.insert("identityPoolId".to_owned(), "pool-1".to_owned());
    let source = TokenSource::oidc(client).unwrap();
    let (address, shown) = listener();
    let started = Instant::now();
    let error = describe_topic(&config(&address, &source), Duration::from_secs(8)).unwrap_err();
    assert!(started.elapsed() < TOLD_WITHIN);
    assert!(matches!(error, SourceError::TokenRefused { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    assert!(error.to_string().contains(&address) && error.to_string().contains("not today"), "{error}");

    let (token, extensions) = parts(&shown.recv_timeout(TOLD_WITHIN).unwrap());
    assert_eq!(extensions["logicalCluster"], "lkc-1");
    assert_eq!(extensions["identityPoolId"], "pool-1");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    assert!(String::from_utf8(claims).unwrap().contains("\"sub\":\"loader\""));
    assert!(!format!("{error:?}").contains(&token));
}

#[test]
fn a_token_of_msk_is_shown_to_the_broker_and_to_nobody_else() {
    let identity = MskIam::new("eu-central-1", "AKIDEXAMPLE", "secret", Some("session".into())).unwrap();
    let source = TokenSource::msk_iam(identity);
    let (address, shown) = listener();
    let error = describe_topic(&config(&address, &source), Duration::from_secs(8)).unwrap_err();
    assert!(matches!(error, SourceError::IamRefused { .. }), "{error:?}");
    for words in [&*address, "not today", "kafka-cluster:Connect", "`region`"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
    let (token, extensions) = parts(&shown.recv_timeout(TOLD_WITHIN).unwrap());
    assert!(extensions.is_empty());
    let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    assert!(
        url.starts_with("https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        "{url}"
    );
    assert!(url.contains("&X-Amz-Expires=900&") && url.contains("&X-Amz-Security-Token=session&"), "{url}");
}

#[test]
fn every_kind_of_client_has_its_token_before_it_connects() {
    let source = TokenSource::msk_iam(MskIam::new("eu-central-1", "AKID", "secret", None).unwrap());
    let (address, shown) = listener();
    let config = config(&address, &source);
    let next = |who: &str| {
        let message = shown.recv_timeout(TOLD_WITHIN).unwrap_or_else(|_| panic!("{who} showed nothing"));
        assert!(message.contains("auth=Bearer "), "{who}");
        while shown.try_recv().is_ok() {}
    };
    assert!(sample(&config, 1, Duration::from_secs(3)).is_err());
    next("a sample");
    let producer = Producer::connect(&config).unwrap();
    next("a producer");
    drop(producer);
    while shown.try_recv().is_ok() {}
    thread::scope(|scope| {
        // It gives up in its own time.
        scope.spawn(|| TopicAdmin::create_topic(&config, "clicks", 1).unwrap_err());
        next("a client for administration");
    });
}
