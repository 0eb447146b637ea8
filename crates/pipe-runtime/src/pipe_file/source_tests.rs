//! Whose brokers a file names and who connects to them, good and bad, with what is said about it.

use expect_test::{Expect, expect};
use housepipe_kafka_source::{SaslMechanism, Security};

use super::parse::{destination, parse};
use super::surroundings::{Key, Surroundings, ThisMachine};
use super::{PipeFile, SourceSpec, Vendor};

const OIDC: &str = "mechanism: OAUTHBEARER, token_url: 'https://login.example.com/token', client_id: loader, client_secret: hush";

/// A file with this type, broker and lines of the source, from line 6 on.
fn text(vendor: &str, broker: &str, lines: &str) -> String {
    format!(
        "name: clicks\nsource:\n  type: {vendor}\n  brokers: {broker}\n  topic: clicks\n{lines}destination:\n  url: http://localhost:8123\n  table: clicks\n"
    )
}

/// Variables of the environment: those of an access key, with a session.
fn aws(name: &str) -> Option<String> {
    let value = match name {
        "AWS_ACCESS_KEY_ID" => "AKIDENV",
        "AWS_SECRET_ACCESS_KEY" => "hush",
        "AWS_SESSION_TOKEN" => "hush-hush",
        "AWS_REGION" => "ap-south-1",
        _ => return None,
    };
    Some(value.to_owned())
}

fn nothing(_: &str) -> Option<String> {
    None
}

/// A machine with these variables of the environment alone.
struct Machine(fn(&str) -> Option<String>);

impl Surroundings for Machine {
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
        ThisMachine.reference(kind, name, key)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0(name)
    }
}

fn source_in(env: fn(&str) -> Option<String>, vendor: &str, broker: &str, lines: &str) -> SourceSpec {
    let parsed: Result<PipeFile, _> = parse(&text(vendor, broker, lines), destination, &Machine(env));
    let source = parsed.unwrap_or_else(|problems| panic!("{lines}: {problems:?}")).source;
    let shown = format!("{source:?}");
    assert!(!shown.contains("hush"), "secrets stay out of Debug: {shown}");
    source
}

fn source(vendor: &str, lines: &str) -> SourceSpec {
    source_in(nothing, vendor, "broker.example.com:9092", lines)
}

fn refuses_in(env: fn(&str) -> Option<String>, vendor: &str, lines: &str, expected: &Expect) {
    let text = text(vendor, "broker.example.com:9092", lines);
    let problems = parse(&text, destination, &Machine(env)).unwrap_err();
    let told: Vec<String> = problems
        .iter()
        .map(|p| format!("{} {}: {}; {}", p.line, p.key, p.message, p.mend.as_deref().unwrap_or("-")))
        .collect();
    assert!(!told.join("").contains("hush"), "{told:?}");
    expected.assert_eq(&told.join("\n"));
}

fn refuses(vendor: &str, lines: &str, expected: &Expect) {
    refuses_in(nothing, vendor, lines, expected);
}

#[test]
fn confluent_cloud_needs_an_api_key_alone() {
    let source = source("confluent_cloud", "  auth: { username: KEY, password: hush }\n");
    assert_eq!(source.preset.vendor, Vendor::ConfluentCloud);
    assert_eq!(
        source.preset.sets,
        [
            "a session of 45 s, unless `--session-timeout` says otherwise",
            "TLS with the certificate authorities of the system",
            "the mechanism PLAIN, for an API key and its secret"
        ]
    );
    assert!(source.preset.doubts.is_empty());
    assert!(
        matches!(&source.security, Security::Sasl { mechanism: SaslMechanism::Plain, username, tls: Some(_), .. } if username == "KEY")
    );
}

#[test]
fn msk_needs_a_user_alone_or_nothing_but_the_environment() {
    let scram = source("aws_msk", "  auth: { username: app, password: hush }\n");
    assert!(matches!(
        &scram.security,
        Security::Sasl { mechanism: SaslMechanism::ScramSha512, tls: Some(_), .. }
    ));
    assert_eq!(scram.preset.sets.len(), 2);

    let broker = "b-1.demo.x1.c2.kafka.eu-west-1.amazonaws.com:9098";
    let iam = |lines: &str| source_in(aws, "aws_msk", broker, lines);
    let shown = |source: &SourceSpec| format!("{:?}", source.security);
    let from_env = iam("  auth: { mechanism: AWS_MSK_IAM }\n");
    assert!(shown(&from_env).contains("eu-west-1"), "the broker's host tells the region: {from_env:?}");
    assert_eq!(from_env.preset.sets, ["TLS with the certificate authorities of the system"]);
    assert!(from_env.preset.doubts.is_empty(), "{from_env:?}");
    let all = "  auth: { mechanism: AWS_MSK_IAM, region: us-east-2, access_key_id: AKID, secret_access_key: hush, session_token: hush }\n";
    assert!(shown(&iam(all)).contains("us-east-2"));
    let elsewhere =
        source_in(aws, "kafka", "msk.example.com:9098", "  tls: {}\n  auth: { mechanism: AWS_MSK_IAM }\n");
    assert!(shown(&elsewhere).contains("ap-south-1"));

    assert!(matches!(source("aws_msk", "").security, Security::Tls(_)), "MSK has listeners for everybody");
}

#[test]
fn a_client_of_an_issuer_is_read() {
    let lines = format!(
        "  auth: {{ {OIDC}, scope: kafka, audience: me, ca: issuer.pem, extensions: {{ logicalCluster: lkc-1, identityPoolId: pool-1 }} }}\n"
    );
    let cloud = source("confluent_cloud", &lines);
    assert!(cloud.preset.doubts.is_empty(), "{cloud:?}");
    let shown = format!("{cloud:?}");
    for part in ["loader", "\"kafka\"", "\"me\"", "issuer.pem", "lkc-1", "pool-1"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    let doubts = source("confluent_cloud", &format!("  auth: {{ {OIDC} }}\n")).preset.doubts;
    assert!(matches!(&doubts[..], [doubt] if doubt.contains("`logicalCluster`")), "{doubts:?}");
    let plain = source("kafka", &format!("  auth: {{ {OIDC}, allow_without_tls: true }}\n"));
    assert!(matches!(plain.security, Security::Token { tls: None, .. }) && plain.preset.sets.is_empty());
    let inside = OIDC.replace("https://login.example.com", "http://keycloak:8080");
    source("kafka", &format!("  tls: {{}}\n  auth: {{ {inside}, allow_without_tls: true }}\n"));
}

#[test]
fn what_a_file_says_is_not_set_again() {
    let lines =
        "  tls: { ca: ca.pem }\n  auth: { mechanism: SCRAM-SHA-512, username: app, password: hush }\n";
    assert!(source("aws_msk", lines).preset.sets.is_empty());
    let certificate = "  tls: { certificate: c.pem, key: k.pem }\n";
    for vendor in ["kafka", "confluent_cloud", "aws_msk"] {
        let source = source(vendor, certificate);
        assert!(matches!(&source.security, Security::Tls(tls) if tls.client.is_some()), "{source:?}");
    }
}

#[test]
fn a_port_of_msk_that_is_for_something_else_is_doubted() {
    let doubts = |port: &str, lines: &str| {
        source_in(aws, "aws_msk", &format!("b-1.example.com:{port}"), lines).preset.doubts
    };
    let iam = "  auth: { mechanism: AWS_MSK_IAM }\n";
    assert_eq!(
        doubts("9096", iam),
        ["port 9096 of MSK is for SCRAM-SHA-512, and this file says AWS_MSK_IAM, whose port is 9098"]
    );
    assert_eq!(
        doubts("9092", ""),
        [
            "port 9092 of MSK is for connections without TLS, and this file says TLS without SASL, whose port is 9094"
        ]
    );
    for port in ["9098", "9198", "20098", "14001"] {
        assert!(doubts(port, iam).is_empty(), "{port}");
    }
}

#[test]
fn what_a_vendor_does_not_have_is_refused() {
    refuses(
        "confluent_cloud",
        "",
        &expect![
            "3 source: confluent cloud lets nobody in without credentials; add `auth: { username: <API key>, password: <its secret> }`, or `certificate:` and `key:` to `tls:`"
        ],
    );
    refuses(
        "confluent_cloud",
        "  auth: { mechanism: SCRAM-SHA-256, username: u, password: hush }\n",
        &expect![
            "6 source.auth.mechanism: confluent cloud does not have this mechanism; use PLAIN with an API key and its secret, or OAUTHBEARER"
        ],
    );
    refuses_in(
        aws,
        "confluent_cloud",
        "  auth: { mechanism: AWS_MSK_IAM }\n",
        &expect![
            "6 source.auth.mechanism: confluent cloud does not have this mechanism; use PLAIN with an API key and its secret, or OAUTHBEARER"
        ],
    );
    refuses(
        "aws_msk",
        "  auth: { mechanism: PLAIN, username: u, password: hush }\n",
        &expect![
            "6 source.auth.mechanism: MSK does not have this mechanism; use SCRAM-SHA-512 or AWS_MSK_IAM"
        ],
    );
    refuses(
        "aws_msk",
        &format!("  auth: {{ {OIDC} }}\n"),
        &expect![
            "6 source.auth.mechanism: MSK takes no tokens of other issuers; use AWS_MSK_IAM, whose tokens are signed here, or SCRAM-SHA-512"
        ],
    );
    refuses(
        "confluent",
        "  auth: { username: u, password: hush }\n",
        &expect!["3 source.type: `confluent` is not a choice here; one of: kafka, confluent_cloud, aws_msk"],
    );
}

#[test]
fn credentials_that_cannot_work_are_told_with_their_mend() {
    refuses(
        "kafka",
        "  tls: {}\n  auth: { username: u, password: hush }\n",
        &expect![
            "7 source.auth.mechanism: missing; one of: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM"
        ],
    );
    refuses(
        "kafka",
        "  tls: {}\n  auth: { mechanism: OAUTHBEARRER, token_url: x }\n",
        &expect!["7 source.auth.mechanism: `OAUTHBEARRER` is not a choice here; did you mean `OAUTHBEARER`?"],
    );
    refuses(
        "kafka",
        "  tls: {}\n  auth: { mechanism: OAUTHBEARER, token_url: 'login.example.com', client: a, client_secret: '' }\n",
        &expect![[r#"
            7 source.auth.client_id: missing; add `client_id:`
            7 source.auth.client_secret: empty; -
            7 source.auth.client: unknown key; did you mean `client_id`?"#]],
    );
    refuses(
        "kafka",
        &format!("  tls: {{}}\n  auth: {{ {} }}\n", OIDC.replace("https:", "http:")),
        &expect![
            "7 source.auth.token_url: the secret would cross the network unencrypted; write https://, or set `allow_without_tls: true` where the network is trusted; -"
        ],
    );
    refuses(
        "kafka",
        &format!("  auth: {{ {OIDC} }}\n"),
        &expect![
            "6 source.auth: a token would cross the network unencrypted; add `tls: {}` to the source, or `allow_without_tls: true` here where the network is trusted"
        ],
    );
    refuses(
        "kafka",
        &format!("  tls: {{}}\n  auth: {{ {OIDC}, extensions: [lkc-1] }}\n"),
        &expect![
            "7 source.auth.extensions: expected names and values, found a list; write it as `{ logicalCluster: lkc-abc123 }`"
        ],
    );
    refuses(
        "kafka",
        &format!("  tls: {{}}\n  auth: {{ {OIDC}, extensions: {{ auth: x }} }}\n"),
        &expect![
            "7 source.auth.extensions: `auth` cannot be the name of one: it has letters alone, and is not `auth`; -"
        ],
    );
    refuses(
        "aws_msk",
        "  auth: { mechanism: AWS_MSK_IAM }\n",
        &expect![
            "6 source.auth: there is no access key of AWS; export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, where the key is temporary), or give `access_key_id` and `secret_access_key`"
        ],
    );
    refuses_in(
        aws,
        "aws_msk",
        "  auth: { mechanism: AWS_MSK_IAM, access_key_id: AKID }\n",
        &expect![
            "6 source.auth: half an access key; `access_key_id` and `secret_access_key` go together, here or both in the environment"
        ],
    );
    refuses(
        "aws_msk",
        "  auth: { mechanism: AWS_MSK_IAM, access_key_id: AKID, secret_access_key: hush }\n",
        &expect![
            "6 source.auth: the cluster's region is not known: the brokers' names do not tell it; add `region: eu-central-1`, or export AWS_REGION"
        ],
    );
    refuses_in(
        aws,
        "aws_msk",
        "  auth: { mechanism: AWS_MSK_IAM, region: 'us-east-1.evil' }\n",
        &expect!["6 source.auth.region: a region of AWS is written as `eu-central-1`; -"],
    );
    refuses_in(
        aws,
        "kafka",
        "  auth: { mechanism: AWS_MSK_IAM, allow_without_tls: true }\n",
        &expect![
            "6 source.auth: a token would cross the network unencrypted; add `tls: {}` to the source: MSK takes such tokens over TLS alone"
        ],
    );
}

#[test]
fn settings_of_the_client_come_by_name_and_not_those_that_delivery_depends_on() {
    let source = source("kafka", "  unsafe_librdkafka: { client.rack: euc1-az1, ssl.key.password: hush }\n");
    assert_eq!(source.unsafe_librdkafka.names().collect::<Vec<_>>(), ["client.rack", "ssl.key.password"]);
    refuses(
        "kafka",
        "  unsafe_librdkafka: { enable.auto.commit: true, plugin.library.paths: hush, client.rack: x }\n",
        &expect![[r#"
            6 source.unsafe_librdkafka: `enable.auto.commit` is refused: records could be lost or read by two members; it cannot be set by name; remove it
            6 source.unsafe_librdkafka: `plugin.library.paths` is refused: it loads or runs other code, or changes what librdkafka tells of itself; it cannot be set by name; remove it"#]],
    );
    refuses(
        "kafka",
        "  unsafe_librdkafka: { client.rack: '' }\n",
        &expect!["6 source.unsafe_librdkafka.client.rack: empty; -"],
    );
    refuses(
        "kafka",
        "  unsafe_librdkafka: client.rack=hush\n",
        &expect![
            "6 source.unsafe_librdkafka: expected names and values, found a single value; write it as `{ client.rack: euc1-az1 }`"
        ],
    );
}

#[test]
fn only_brokers_on_this_machine_are_that() {
    let is_here = |broker: &str| source_in(nothing, "kafka", broker, "").is_on_this_machine();
    assert!(is_here("localhost:9092") && is_here("127.0.0.1:1, localhost:2") && is_here("'[::1]:9092'"));
    assert!(!is_here("kafka:9092") && !is_here("localhost:1, 10.0.0.1:2"));
}

/// The `source:` blocks of docs/connecting.md.
fn documented() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connecting.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn every_block_of_the_document_is_read() {
    let blocks = documented();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    let mut seen = std::collections::BTreeSet::new();
    for block in blocks {
        let mut text = block.clone();
        // What a reference stands for is of no interest here.
        while let Some((before, rest)) = text.split_once("${") {
            text = format!("{before}hush{}", rest.split_once('}').unwrap().1);
        }
        let file =
            format!("name: clicks\n{text}destination: {{ url: 'http://localhost:8123', table: clicks }}\n");
        let source = parse(&file, destination, &Machine(aws))
            .unwrap_or_else(|problems| panic!("{problems:?}\n{block}"))
            .source;
        assert!(source.preset.doubts.is_empty(), "{:?}\n{block}", source.preset.doubts);
        let who = match &source.security {
            Security::Plaintext => "nobody".to_owned(),
            Security::Tls(_) => "certificate".to_owned(),
            Security::Sasl { mechanism, .. } => mechanism.to_string(),
            Security::Token { source, .. } => if source.is_msk_iam() { "iam" } else { "oidc" }.to_owned(),
        };
        seen.insert((source.preset.vendor.as_str(), who));
    }
    for (vendor, who) in [
        ("kafka", "nobody"),
        ("kafka", "certificate"),
        ("kafka", "PLAIN"),
        ("kafka", "SCRAM-SHA-256"),
        ("kafka", "SCRAM-SHA-512"),
        ("kafka", "oidc"),
        ("confluent_cloud", "PLAIN"),
        ("confluent_cloud", "oidc"),
        ("aws_msk", "SCRAM-SHA-512"),
        ("aws_msk", "iam"),
    ] {
        assert!(seen.contains(&(vendor, who.to_owned())), "no block for {vendor} with {who}");
    }
}
