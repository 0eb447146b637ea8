//! Encrypted connections with credentials.

use housepipe_local_stack::{USER_APP, USER_PLAIN, USER_SCRAM, User};
use housepipe_tests::{PipeText, create_topic, housepipe, produce, query_number, shared_stack, unique};

fn load_as(mechanism: &str, user: User) {
    let stack = shared_stack();
    let topic = unique("sasl");
    create_topic(stack, &topic, 2);
    produce(stack, &topic, 2, (0..1_000).map(|id| format!("{{\"id\":{id}}}")));
    let pipe = PipeText::new(stack, &topic)
        .with_sasl(stack, mechanism, user.name, user.password)
        .with_clickhouse_user(USER_APP)
        .with_new_table("id UInt64", "id");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("loaded"), 1_000);
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), 1_000);
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
