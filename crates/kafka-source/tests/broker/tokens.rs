//! Tokens, from an issuer to the broker that checks them by its key.

use std::time::{Duration, Instant};

use housepipe_kafka_source::seed::{Producer, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{
    Domain, MskIam, OidcClient, PartitionId, Security, SourceConfig, SourceError, TokenSource,
    describe_topic, sample,
};
use housepipe_local_stack::{Conduct, ISSUER_CLIENT, Issuer, Kafka, KafkaOptions};

use crate::causes::{tls_of, told};
use crate::harness::{Member, PATIENCE, broker, fill, own_broker_with, topic_on};

/// Sessions end when their token does, to the second, or after three seconds, whichever comes first; a client that renews its session
/// stays.
const SHORT_SESSIONS: &str = "listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms=3000\n\
     listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.clock.skew.seconds=0";

fn client(issuer: &Issuer) -> OidcClient {
    OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, ISSUER_CLIENT.password)
}

fn with(broker: &Kafka, plain: &SourceConfig, source: TokenSource) -> SourceConfig {
    let mut config = plain.clone();
    config.brokers = broker.bootstrap_sasl_ssl().to_owned();
    config.security = Security::Token { source, tls: Some(tls_of(broker)) };
    config
}

fn oidc(broker: &Kafka, plain: &SourceConfig, client: OidcClient) -> SourceConfig {
    with(broker, plain, TokenSource::oidc(client).unwrap())
}

#[test]
fn tokens_of_an_issuer_are_taken_and_renewed_while_a_member_reads() {
    let issuer = Issuer::start().unwrap();
    let broker =
        own_broker_with(KafkaOptions::default().with_issuer(issuer.port()).with_settings(SHORT_SESSIONS));
    let plain = topic_on(&broker, 1);
    fill(&plain, 1, 0..10);
    issuer.set_lifetime(Duration::from_secs(10));
    let mut asked = client(&issuer);
    asked.scope = Some("kafka".to_owned());
    asked.extensions.insert("logicalCluster".to_owned(), "lkc-1".to_owned());
    let config = oidc(&broker, &plain, asked);

    let mut member = Member::join(&config);
    member.until("ten records", |member| member.count() == 10);
    // Past the end of the first token, and of the second.
    let before = issuer.requests().len();
    member.until("two more tokens", |_| issuer.requests().len() >= before + 2);
    fill(&plain, 1, 10..20);
    member.until("ten more records", |member| member.count() == 20);
    member.until("a connection", |member| member.source.health().is_reachable());
    assert!(issuer.requests().iter().all(|form| form == "grant_type=client_credentials&scope=kafka"));

    // Everything else that connects has its token, too.
    assert_eq!(sample(&config, 5, PATIENCE).unwrap().records.len(), 5);
    let mut made = config.clone();
    made.topic = "made-by-token".to_owned();
    TopicAdmin::create_topic(&made, &made.topic, 1).unwrap();
    let producer = Producer::connect(&made).unwrap();
    producer
        .send(SeedRecord { partition: Some(PartitionId(0)), payload: Some(b"{}"), ..SeedRecord::default() })
        .unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn a_member_outlives_an_issuer_that_is_away_for_a_while() {
    let issuer = Issuer::start().unwrap();
    let broker =
        own_broker_with(KafkaOptions::default().with_issuer(issuer.port()).with_settings(SHORT_SESSIONS));
    let plain = topic_on(&broker, 1);
    fill(&plain, 1, 0..10);
    issuer.set_lifetime(Duration::from_secs(8));
    let config = oidc(&broker, &plain, client(&issuer));
    let mut member = Member::join(&config);
    member.until("ten records", |member| member.count() == 10);

    issuer.set_conduct(Conduct::Answer { status: 503, body: String::new() });
    let mut told = None;
    let deadline = Instant::now() + PATIENCE;
    while told.is_none() {
        assert!(Instant::now() < deadline, "nothing was told; last: {:?}", member.source.health());
        match member.source.poll(Duration::from_millis(20)) {
            Err(error @ SourceError::TokenEndpointUnavailable { .. }) => told = Some(error),
            Err(error) => assert!(error.retryable(), "{error}"),
            Ok(()) => {}
        }
    }
    assert!(told.unwrap().to_string().contains(&issuer.token_url()));

    issuer.set_conduct(Conduct::Issue);
    issuer.set_lifetime(Duration::from_secs(300));
    fill(&plain, 1, 10..20);
    member.until("the records from after the outage", |member| member.offsets(0).last() == Some(&19));
}

#[test]
fn each_cause_of_a_token_that_is_missing_or_refused_is_told() {
    let issuer = Issuer::start().unwrap();
    let broker = own_broker_with(KafkaOptions::default().with_issuer(issuer.port()));
    let plain = topic_on(&broker, 1);
    let in_order = describe_topic(&oidc(&broker, &plain, client(&issuer)), PATIENCE);
    assert_eq!(in_order.unwrap().partitions, 1, "what is refused below is refused for its cause");

    let error =
        told(&oidc(&broker, &plain, OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, "wrong-secret")));
    assert!(matches!(error, SourceError::TokenRequestRefused { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("wrong-secret"));

    let away = OidcClient::new("http://127.0.0.1:1/token", "loader", "secret");
    let error = told(&oidc(&broker, &plain, away));
    assert!(matches!(error, SourceError::TokenEndpointUnavailable { .. }), "{error:?}");

    let mut elsewhere = client(&issuer);
    elsewhere.audience = Some("another-cluster".to_owned());
    let error = told(&oidc(&broker, &plain, elsewhere));
    assert!(matches!(error, SourceError::TokenRefused { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    for words in [broker.bootstrap_sasl_ssl(), "`audience`", "invalid_token"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }

    let other_issuer = Issuer::start().unwrap();
    let error = told(&oidc(&broker, &plain, client(&other_issuer)));
    assert!(matches!(error, SourceError::TokenRefused { .. }), "{error:?}");
}

#[test]
fn a_broker_that_is_not_msk_refuses_its_tokens() {
    let plain = topic_on(broker(), 1);
    let identity = MskIam::new("eu-central-1", "AKIDEXAMPLE", "secret", None).unwrap();
    let error = told(&with(broker(), &plain, TokenSource::msk_iam(identity)));
    assert!(matches!(error, SourceError::IamRefused { .. }), "{error:?}");
    assert!(error.to_string().contains(broker().bootstrap_sasl_ssl()), "{error}");
}
