//! Encrypted connections with credentials.

use housepipe_local_stack::{
    Conduct, ISSUER_CLIENT, Issuer, KafkaOptions, Stack, USER_APP, USER_PLAIN, USER_SCRAM, User,
};
use housepipe_tests::{
    PipeText, create_topic, housepipe, own_stack_with, produce, query_number, shared_stack, unique,
};

fn load_as(mechanism: &str, user: User) {
    let stack = shared_stack();
    load(stack, |pipe| pipe.with_sasl(stack, mechanism, user.name, user.password));
}

/// Loads a thousand records through the pipe that `secured` makes of a plain one, which is returned.
fn load(stack: &Stack, secured: impl FnOnce(PipeText) -> PipeText) -> PipeText {
    let topic = unique("sasl");
    create_topic(stack, &topic, 2);
    produce(stack, &topic, 2, (0..1_000).map(|id| format!("{{\"id\":{id}}}")));
    let pipe = secured(PipeText::new(stack, &topic))
        .with_clickhouse_user(USER_APP)
        .with_new_table("id UInt64", "id");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("loaded"), 1_000);
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), 1_000);
    pipe
}

/// What `check` says under `name`.
#[expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]
fn checked(pipe: &PipeText, name: &str) -> String {
    let report = housepipe(&["check", "pipe.yaml", "--json"], Some(pipe), b"").wait().json();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    check["detail"].as_str().unwrap().to_owned()
}

#[test]
fn loads_over_sasl_ssl_with_scram_sha_512() {
    load_as("SCRAM-SHA-512", USER_SCRAM);
}

#[test]
fn loads_over_sasl_ssl_with_scram_sha_256() {
    load_as("SCRAM-SHA-256", USER_SCRAM);
}

#[test]
fn loads_over_sasl_ssl_with_plain() {
    load_as("PLAIN", USER_PLAIN);
}

#[test]
fn loads_by_the_presets_of_vendors() {
    let stack = shared_stack();
    let user = |user: User| format!("username: {}, password: '{}'", user.name, user.password);
    let cloud = load(stack, |pipe| pipe.with_preset(stack, "confluent_cloud", &user(USER_PLAIN)));
    assert_eq!(
        checked(&cloud, "preset"),
        "`confluent_cloud` sets the mechanism PLAIN, for an API key and its secret"
    );
    assert!(checked(&cloud, "group").ends_with("may be joined, and nobody is in it"));
    let msk = load(stack, |pipe| pipe.with_preset(stack, "aws_msk", &user(USER_SCRAM)));
    assert_eq!(checked(&msk, "preset"), "`aws_msk` sets the mechanism SCRAM-SHA-512");
}

#[test]
fn loads_with_tokens_of_an_issuer_and_tells_when_it_gives_none() {
    let issuer = Issuer::start().unwrap();
    let stack = own_stack_with(KafkaOptions::default().with_issuer(issuer.port()));
    let auth = format!(
        "mechanism: OAUTHBEARER, token_url: '{}', client_id: {}, client_secret: '{}', extensions: {{ logicalCluster: lkc-1 }}",
        issuer.token_url(),
        ISSUER_CLIENT.name,
        ISSUER_CLIENT.password
    );
    let pipe = load(&stack, |pipe| pipe.with_preset(&stack, "confluent_cloud", &auth));
    assert_eq!(checked(&pipe, "preset"), "`confluent_cloud` sets nothing: the file says it all");
    assert!(checked(&pipe, "broker").starts_with("1 broker(s) answer"));

    let wrong = pipe.clone().replacing(ISSUER_CLIENT.password, "hunter2");
    let told = checked(&wrong, "broker and topic");
    assert!(told.contains(&issuer.token_url()) && told.contains("`client_secret`"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&wrong), b"").wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("`client_secret`") && !outcome.stderr.contains("hunter2"),
        "{}",
        outcome.stderr
    );

    issuer.set_conduct(Conduct::Answer { status: 503, body: String::new() });
    let told = checked(&pipe, "broker and topic");
    assert!(told.contains("gives no answer") && told.contains("status 503"), "{told}");
}
