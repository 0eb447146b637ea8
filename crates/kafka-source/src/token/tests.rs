//! Tokens of an issuer on loopback, and every way in which it may give none.

use std::net::TcpListener;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use housepipe_local_stack::{
    Conduct, ISSUER_CLIENT, Issuer, Kafka, KafkaOptions, ServerCertificate, Silent, Wanted, prepare_wanted,
};
use secrecy::ExposeSecret;

use super::*;
use crate::{Pem, Security, SourceConfig, Tls, describe_topic, list_topics};

/// The promise: every cause is told within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

fn client(issuer: &Issuer) -> OidcClient {
    OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, ISSUER_CLIENT.password)
}

fn source(client: OidcClient) -> TokenSource {
    TokenSource::oidc(client).unwrap()
}

/// The error of a source, which shows no secret.
fn told(source: &TokenSource) -> SourceError {
    let started = Instant::now();
    let error = source.token().unwrap_err();
    assert!(started.elapsed() < TOLD_WITHIN, "{error} after {:?}", started.elapsed());
    assert!(!format!("{error} {error:?}").contains(ISSUER_CLIENT.password), "{error:?}");
    error
}

#[test]
fn a_client_gets_a_token_for_its_secret_and_keeps_it() {
    let issuer = Issuer::start().unwrap();
    let mut client = client(&issuer);
    client.scope = Some("kafka read".to_owned());
    client.audience = Some("https://kafka.example.com/".to_owned());
    client.extensions.insert("logicalCluster".to_owned(), "lkc-1".to_owned());
    let source = source(client);
    let token = source.token().unwrap();
    assert_eq!(token.value.expose_secret().split('.').count(), 3);
    assert_eq!(token.principal, ISSUER_CLIENT.name);
    assert_eq!(token.extensions, [("logicalCluster".to_owned(), "lkc-1".to_owned())]);
    let holds_ms = token.expires_ms - now_ms();
    assert!((290_000..=300_000).contains(&holds_ms), "{holds_ms}");
    assert!((token.made_ms..token.expires_ms).contains(&token.renew_ms()));

    let again = source.clone().token().unwrap();
    assert_eq!(again.value.expose_secret(), token.value.expose_secret());
    assert_eq!(
        issuer.requests(),
        ["grant_type=client_credentials&scope=kafka%20read&audience=https%3A%2F%2Fkafka.example.com%2F"]
    );
    source.forget();
    source.token().unwrap();
    assert_eq!(issuer.requests().len(), 2);
}

#[test]
fn clients_that_want_a_token_at_once_share_one_request() {
    let issuer = Issuer::start().unwrap();
    let source = source(client(&issuer));
    let together = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                together.wait();
                source.token().unwrap();
            });
        }
    });
    assert_eq!(issuer.requests().len(), 1);
}

#[test]
fn a_token_is_renewed_in_time_and_the_old_one_serves_while_it_holds() {
    let issuer = Issuer::start().unwrap();
    issuer.set_lifetime(Duration::from_secs(3));
    let source = source(client(&issuer));
    let first = source.token().unwrap();
    let deadline = Instant::now() + TOLD_WITHIN;
    let renewed = loop {
        let token = source.token().unwrap();
        if token.made_ms != first.made_ms {
            break token;
        }
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    };
    assert!(now_ms() >= first.renew_ms());

    issuer.set_lifetime(Duration::from_secs(60));
    source.forget();
    let long = source.token().unwrap();
    assert!(long.expires_ms > renewed.expires_ms);
    issuer.set_conduct(Conduct::Answer { status: 503, body: String::new() });
    // Another machine's clock: this token is due, and has not ended.
    let due = Token { made_ms: now_ms() - 1_000_000, expires_ms: now_ms() + 100_000, ..long };
    source.lock().token = Some(due.clone());
    assert_eq!(source.token().unwrap().expires_ms, due.expires_ms);
    assert!(matches!(source.renewed(), Err(SourceError::TokenEndpointUnavailable { .. })));
    issuer.set_conduct(Conduct::Answer { status: 401, body: String::new() });
    assert!(matches!(told(&source), SourceError::TokenRequestRefused { .. }));
}

#[test]
fn a_wrong_secret_is_told_at_once_with_the_issuers_words() {
    let issuer = Issuer::start().unwrap();
    let error = told(&source(OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, "wrong-secret")));
    assert!(
        matches!(&error, SourceError::TokenRequestRefused { url, .. } if *url == issuer.token_url()),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("invalid_client") && text.contains("`client_secret`"), "{text}");
    assert!(!text.contains("wrong-secret") && !error.retryable());
    assert_eq!(issuer.requests().len(), 1, "a refusal is not asked for again");
}

#[test]
fn an_issuer_that_is_away_for_a_moment_is_asked_again() {
    let issuer = Issuer::start().unwrap();
    for status in [500, 503, 429] {
        let before = issuer.requests().len();
        issuer.set_conduct(Conduct::Answer { status, body: "<html>".to_owned() });
        let error = told(&source(client(&issuer)));
        assert!(
            matches!(error, SourceError::TokenEndpointUnavailable { .. }) && error.retryable(),
            "{error:?}"
        );
        assert!(error.to_string().contains(&format!("status {status}")), "{error}");
        assert!(issuer.requests().len() > before + 1);
    }
}

#[test]
fn what_does_not_answer_is_told_in_time() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Issuer::start().unwrap();
    silent.set_conduct(Conduct::Silence);
    for (url, words) in [
        (format!("http://{closed}/token"), "refused"),
        (silent.token_url(), "no answer within 6 s"),
        ("https://no-such-host.invalid/token".to_owned(), "lookup"),
    ] {
        let error = told(&source(OidcClient::new(&url, "loader", ISSUER_CLIENT.password)));
        assert!(matches!(error, SourceError::TokenEndpointUnavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(words) && error.to_string().contains(&url), "{error}");
    }
}

#[test]
fn what_is_no_token_endpoint_is_told() {
    let issuer = Issuer::start().unwrap();
    for (status, body, words) in [
        (200, "<html>welcome</html>".to_owned(), "no JSON"),
        (200, "{}".to_owned(), "access_token"),
        (200, "x".repeat(70 << 10), "more than 65536 bytes"),
        (302, String::new(), "leads elsewhere"),
        (404, String::new(), "status 404"),
    ] {
        issuer.set_conduct(Conduct::Answer { status, body });
        let error = told(&source(client(&issuer)));
        assert!(matches!(error, SourceError::TokenAnswerInvalid { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn the_issuers_certificate_is_checked() {
    let issuer = Issuer::start_with_tls(ServerCertificate::Valid).unwrap();
    let ca = issuer.ca_pem().unwrap();
    let mut client = client(&issuer);
    let error = told(&source(client.clone()));
    assert!(matches!(error, SourceError::TokenEndpointUntrusted { .. }), "{error:?}");
    assert!(error.to_string().contains("`auth.ca`"), "{error}");
    assert!(issuer.requests().is_empty(), "the secret was sent to somebody who is not trusted");

    for pem in
        [Pem::Path(ca.display().to_string()), Pem::from_path_or_inline(std::fs::read_to_string(ca).unwrap())]
    {
        client.ca = Some(pem);
        source(client.clone()).token().unwrap();
    }
    for (pem, words) in [
        (Pem::Path("/no/such/ca.pem".to_owned()), "`/no/such/ca.pem` cannot be read"),
        (Pem::Inline("-----BEGIN NOTHING-----".to_owned()), "cannot be read"),
        (Pem::Inline(String::new()), "no certificate authority"),
    ] {
        client.ca = Some(pem);
        let error = told(&source(client.clone()));
        assert!(matches!(error, SourceError::Config { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    for (certificate, words) in
        [(ServerCertificate::Expired, "expired"), (ServerCertificate::OtherHost, "kafka.example.com")]
    {
        let other = Issuer::start_with_tls(certificate).unwrap();
        let mut client = OidcClient::new(other.token_url(), ISSUER_CLIENT.name, ISSUER_CLIENT.password);
        client.ca = other.ca_pem().map(|path| Pem::Path(path.display().to_string()));
        let error = told(&source(client));
        assert!(matches!(error, SourceError::TokenEndpointUntrusted { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // TLS to a port without it.
    let plain = Issuer::start().unwrap();
    client.ca = Some(Pem::Path(ca.display().to_string()));
    client.token_url = plain.token_url().replace("http:", "https:");
    let error = told(&source(client));
    assert!(
        matches!(
            error,
            SourceError::TokenEndpointUntrusted { .. } | SourceError::TokenEndpointUnavailable { .. }
        ),
        "{error:?}"
    );
}

/// A look at a cluster, for at most a time.
type Look = fn(&SourceConfig, Duration) -> Result<(), SourceError>;

/// A process that was frozen, or a machine that slept: what a client logs in with has ended, and the issuer is not back yet.
#[test]
fn a_look_whose_token_has_ended_on_its_way_comes_through_with_the_next_one() {
    let patience = Duration::from_secs(60);
    let issuer = Issuer::start().unwrap();
    let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
    let to_the_second = "listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.clock.skew.seconds=0";
    let options = KafkaOptions::default().with_issuer(issuer.port()).with_settings(to_the_second);
    let broker = Kafka::start(&parts, &options).unwrap();
    let source = source(client(&issuer));
    let mut config = SourceConfig::new(broker.bootstrap_sasl_ssl(), "clicks", "g");
    let ca = Some(Pem::Path(broker.ca_pem().display().to_string()));
    config.security = Security::Token { source: source.clone(), tls: Some(Tls { ca, ..Tls::default() }) };

    let looks: [Look; 2] = [
        |config, patience| list_topics(config, patience).map(drop),
        |config, patience| match describe_topic(config, patience) {
            Err(SourceError::UnknownTopic { .. }) => Ok(()),
            other => other.map(drop),
        },
    ];
    for look in looks {
        issuer.set_conduct(Conduct::Issue);
        // Tokens end at whole seconds, and a machine may be busy for one.
        issuer.set_lifetime(Duration::from_secs(3));
        source.forget();
        let ended = source.token().unwrap();
        while now_ms() < ended.expires_ms {
            std::thread::yield_now();
        }
        // By the client's clock it is due, and holds for a while.
        let due = Token { made_ms: now_ms() - 1_000_000, expires_ms: now_ms() + 60_000, ..ended };
        source.lock().token = Some(due);
        issuer.set_conduct(Conduct::Answer { status: 503, body: String::new() });
        issuer.set_lifetime(Duration::from_secs(300));
        let before = issuer.requests().len();
        let looked = std::thread::scope(|scope| {
            let looking = scope.spawn(|| look(&config, patience));
            // Until the keeper of the client that was given it asks as well, once more at least.
            let deadline = Instant::now() + patience;
            while issuer.requests().len() < before + 10 && !looking.is_finished() {
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
            issuer.set_conduct(Conduct::Issue);
            looking.join().unwrap()
        });
        assert_eq!(looked, Ok(()));
    }
}
