//! Encrypted connections with credentials.

use housepipe_local_stack::{
    Conduct, ISSUER_CLIENT, Issuer, KafkaOptions, Stack, USER_APP, USER_PLAIN, USER_SCRAM, User,
};
use housepipe_tests::{
    PipeText, create_topic, group_of, housepipe, own_stack_with, produce, query_number, shared_stack, unique,
    wait_until,
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

/// The exit code of `check`, and what has failed: names and words.
#[expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]
fn failed(pipe: &PipeText) -> (Option<i32>, Vec<(String, String)>) {
    let outcome = housepipe(&["check", "pipe.yaml", "--json"], Some(pipe), b"").wait();
    let report = outcome.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks
        .filter(|check| check["verdict"] == "failed")
        .map(|check| (text(&check["name"]), text(&check["detail"])))
        .collect();
    (outcome.code, failed)
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
        "`confluent_cloud` sets a session of 45 s, unless `--session-timeout` says otherwise, and the mechanism PLAIN, for an API key and \
         its secret"
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
    assert_eq!(
        checked(&pipe, "preset"),
        "`confluent_cloud` sets a session of 45 s, unless `--session-timeout` says otherwise"
    );
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

#[test]
fn check_fails_where_a_user_may_look_and_not_read() {
    let stack = own_stack_with(KafkaOptions::default().with_acl());
    let topic = unique("looked_at");
    create_topic(&stack, &topic, 2);
    let (user, group) = (USER_PLAIN, group_of(&topic));
    let pipe = PipeText::new(&stack, &topic)
        .with_sasl(&stack, "PLAIN", user.name, user.password)
        .with_clickhouse_user(USER_APP)
        .with_new_table("id UInt64", "id");
    stack.kafka.allow_describe_topic(user.name, &topic).unwrap();
    stack.kafka.allow_describe_group(user.name, &group).unwrap();
    // A broker hears of a right a moment after the controller has it.
    let mut told = (None, Vec::new());
    wait_until("the rights to look", || {
        told = failed(&pipe);
        told.1.iter().any(|(name, _)| name == "topic")
    });
    let (code, told) = told;
    assert_eq!(code, Some(1), "{told:?}");
    let command = format!(
        "kafka-acls.sh --bootstrap-server {} --command-config admin.properties --add --allow-principal User:{} --operation Read",
        stack.kafka.bootstrap_sasl_ssl(),
        user.name
    );
    let [(first, of_topic), (second, of_group)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("topic", "group"));
    assert!(
        of_topic.ends_with(&format!("READ and DESCRIBE on the topic: {command} --topic {topic}")),
        "{of_topic}"
    );
    assert!(of_group.ends_with(&format!("READ on the group: {command} --group {group}")), "{of_group}");

    stack.kafka.allow_topic(user.name, &topic).unwrap();
    stack.kafka.allow_group(user.name, &group).unwrap();
    wait_until("the rights to read", || failed(&pipe) == (Some(0), Vec::new()));
}

#[test]
fn check_fails_where_a_broker_names_an_address_that_leads_nowhere() {
    // Nobody listens there.
    let stack = own_stack_with(KafkaOptions::default().behind(1));
    let topic = unique("nowhere");
    create_topic(&stack, &topic, 2);
    let pipe = PipeText::new(&stack, &topic)
        .with_new_table("id UInt64", "id")
        .replacing(stack.kafka.bootstrap(), stack.kafka.bootstrap_behind());
    let (code, told) = failed(&pipe);
    assert_eq!(code, Some(1), "{told:?}");
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["topic", "group"], "{told:?}");
    for (_, detail) in &told {
        for words in [stack.kafka.bootstrap_behind(), "names 127.0.0.1:1 as the ", "`advertised.listeners`"] {
            assert!(detail.contains(words), "no `{words}` in: {detail}");
        }
    }
}

#[test]
fn a_key_without_its_armour_is_named_and_shown_nowhere() {
    let stack = shared_stack();
    let topic = unique("bare_key");
    create_topic(stack, &topic, 1);
    let key = std::fs::read_to_string(stack.kafka.client_key()).unwrap();
    let bare: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let tls = format!(
        "type: kafka\n  tls: {{ ca: '{}', certificate: '{}', key: '{bare}' }}",
        stack.kafka.ca_pem().display(),
        stack.kafka.client_pem().display()
    );
    let pipe = PipeText::new(stack, &topic)
        .with_new_table("id UInt64", "id")
        .replacing(stack.kafka.bootstrap(), stack.kafka.bootstrap_mtls())
        .replacing("type: kafka", &tls);
    for command in ["check", "run"] {
        let outcome = housepipe(&["--log", "trace", command, "pipe.yaml"], Some(&pipe), b"").wait();
        assert_ne!(outcome.code, Some(0), "{}", outcome.stderr);
        let printed = format!("{}{}", String::from_utf8_lossy(&outcome.stdout), outcome.stderr);
        assert!(printed.contains("`tls.key`"), "{printed}");
        for part in [&bare[..16], &bare[bare.len() - 32..]] {
            assert!(!printed.contains(part), "`{part}` is in: {printed}");
        }
    }
}
