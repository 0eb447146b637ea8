//! Conversations about how to log in, and what of it is written.

use super::*;

#[test]
fn secrets_are_named_and_never_written() {
    let credentials = [
        ("Source", ""),
        ("Brokers", "broker:9092"),
        ("TLS", "n"),
        ("Credentials", "SCRAM-SHA-512"),
        ("Send it without TLS", "y"),
        ("User name", "loader"),
        ("Variable of the password", "no variable"),
        ("Variable of the password", ""),
        ("Password", ""),
        ("Password", "hunter2"),
        // It was refused; the variable that is set has the right one.
        ("Brokers", ""),
        ("TLS", ""),
        ("Credentials", ""),
        ("Send it without TLS", ""),
        ("User name", ""),
        ("Variable of the password", "KAFKA_SECRET"),
        ("Topic", "audit"),
        ("Name of the pipe", ""),
        ("ClickHouse URL", ""),
        ("ClickHouse user", "loader"),
        ("Has a password", ""),
        ("Variable of the password", ""),
        ("Password", "hunter3 ${x}\""),
        ("Database", ""),
        ("Table", "there"),
        ("Fill it", ""),
    ];
    let (pipe, said) = talk(&Fake::default(), &[&credentials[..], &RULES, &END].concat());
    let pipe = pipe.unwrap();
    assert!(!said.contains("hunter") && !pipe.text.contains("hunter"), "{said}\n{}", pipe.text);
    assert!(
        pipe.text.contains("password: \"${env:KAFKA_SECRET}\", allow_without_tls: true"),
        "{}",
        pipe.text
    );
    assert!(pipe.text.contains("  password: \"${env:CLICKHOUSE_PASSWORD}\"\n"), "{}", pipe.text);
    assert!(!pipe.text.contains("managed_table") && !pipe.text.contains("columns:"), "{}", pipe.text);
    assert_eq!(pipe.variables, ["CLICKHOUSE_PASSWORD"], "the other one is set");
}

#[test]
fn tokens_of_an_issuer_are_asked_for_with_what_confluent_wants_beside_them() {
    let source = [
        ("Source", "confluent_cloud"),
        ("Brokers", "broker:9092"),
        ("TLS", ""),
        ("CA file", ""),
        ("Client certificate", ""),
        ("Credentials", "OAUTHBEARER"),
        // What the reader of pipe files refuses is asked for again, with what was given.
        ("Token URL", "login.example.com"),
        ("Client id", "loader-7"),
        ("Variable of the client secret", ""),
        ("Client secret", "hunter2 ${x}"),
        ("Scope", "kafka"),
        ("Logical cluster", "lkc-1"),
        ("Identity pool", ""),
        ("Credentials", ""),
        ("Token URL", "https://login.example.com/token"),
        ("Client id", ""),
        ("Variable of the client secret", ""),
        ("Client secret", "hunter2 ${x}"),
        ("Scope", ""),
        ("Logical cluster", ""),
        ("Identity pool", ""),
        ("Topic", "audit"),
    ];
    let (result, said) = talk(&Fake::default(), &source);
    assert!(matches!(result, Err(NoAnswer::Ended)), "{said}");
    assert!(said.contains("Token URL [login.example.com]") && said.contains("Scope [kafka]"), "{said}");
    assert!(said.contains("Name of the pipe [audit]") && !said.contains("hunter2"), "{said}");
}

#[test]
fn auth_answers_make_a_pipe_file() {
    let secret = Secret { variable: "S".to_owned(), value: "hunter2 ${x}".into() };
    let oidc = AuthAnswers::Oidc(OidcAnswers {
        token_url: "https://login.example.com/token".to_owned(),
        client_id: "loader".to_owned(),
        secret,
        scope: Some("kafka read".to_owned()),
        extensions: vec![("logicalCluster".to_owned(), "lkc-1".to_owned())],
    });
    let with = |auth: AuthAnswers| Answers {
        auth: Some(auth),
        tls: Some(TlsAnswers::default()),
        ..Answers::default()
    };
    let answers = with(oidc);
    assert!(
        answers.text().contains(
            "auth: { mechanism: OAUTHBEARER, token_url: \"https://login.example.com/token\", client_id: loader, \
             client_secret: \"${env:S}\", scope: \"kafka read\", extensions: { logicalCluster: lkc-1 } }"
        ),
        "{}",
        answers.text()
    );
    assert!(matches!(answers.file().unwrap().source.security, Security::Token { .. }));
    assert_eq!(answers.secrets().map(|secret| secret.variable.as_str()).collect::<Vec<_>>(), ["S"]);
    let iam = with(AuthAnswers::AwsMskIam { region: Some("eu-central-1".to_owned()) });
    assert!(iam.text().contains("auth: { mechanism: AWS_MSK_IAM, region: eu-central-1 }"), "{}", iam.text());
    assert_eq!(iam.secrets().count(), 0);
}

#[test]
fn a_password_does_not_cross_the_network_in_the_clear_by_accident() {
    let (result, said) = talk(
        &Fake::default(),
        &[
            ("Source", ""),
            ("Brokers", "broker:9092"),
            ("TLS", "n"),
            ("Credentials", "PLAIN"),
            ("Send it without TLS", ""),
            ("Brokers", ""),
        ],
    );
    assert!(matches!(result, Err(NoAnswer::Ended)));
    assert!(said.ends_with("TLS [yes]\n"), "{said}");
}
