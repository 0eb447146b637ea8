//! Whole conversations, with answers from a script and a world of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;

use expect_test::expect;
use housepipe_kafka_source::{ListedTopic, Offset, OwnedRecord, PartitionId, Sampled, Security, SourceError};
use housepipe_schema_registry::Credentials;
use housepipe_transform::ExpectedColumn;
use secrecy::{ExposeSecret as _, SecretString};

use super::NewPipe;
use super::answers::{Answers, AuthAnswers, OidcAnswers, Secret, TlsAnswers};
use super::interview::{Interview, NoAnswer, Question};
use super::session::Session;
use super::world::{Server, World};
use crate::infer::{Declared, newest_schema};
use crate::pipe_file::PipeFile;
use crate::preview::{PreviewReport, TableState};
use crate::shown::shown;

mod columns;
mod credentials;

/// Answers in their order, each for the question that is expected, and all that was said meanwhile.
struct Script {
    answers: VecDeque<(&'static str, &'static str)>,
    said: String,
}

impl Script {
    fn next(&mut self, question: Question<'_>) -> Result<String, NoAnswer> {
        // As a terminal shows them.
        self.said.push_str(&format!("{} [{}]\n", question.text, shown(question.default, usize::MAX)));
        let Some((expected, answer)) = self.answers.pop_front() else { return Err(NoAnswer::Ended) };
        assert_eq!(question.text, expected, "after:\n{}", self.said);
        Ok(answer.to_owned())
    }
}

impl Interview for Script {
    fn say(&mut self, text: &str) -> Result<(), NoAnswer> {
        self.said.push_str(text);
        self.said.push('\n');
        Ok(())
    }

    fn ask(&mut self, question: Question<'_>) -> Result<String, NoAnswer> {
        self.next(question)
    }

    fn ask_secret(&mut self, question: Question<'_>) -> Result<SecretString, NoAnswer> {
        assert!(["Password", "Client secret", "Token"].contains(&question.text), "{}", question.text);
        self.next(question).map(SecretString::from)
    }

    fn show_preview(&mut self, report: &PreviewReport) -> Result<(), NoAnswer> {
        self.say(&format!("preview of {} for {}", report.read, report.table))
    }
}

/// A broker with two topics, a ClickHouse with the table `there`, one variable and one file.
#[derive(Default)]
struct Fake {
    is_empty: bool,
    /// Some records do not come in time.
    is_slow: bool,
    /// Records name this schema of a registry.
    schema: Option<u32>,
    /// The key of the moments, as JSON has it, where it is not `at`.
    time_key: Option<&'static str>,
    files: RefCell<Vec<String>>,
    previews: RefCell<Vec<(usize, usize)>>,
}

fn password(file: &PipeFile) -> Option<&str> {
    match &file.source.security {
        Security::Sasl { password, .. } => Some(password.expose_secret()),
        _ => None,
    }
}

impl World for Fake {
    fn topics(&self, file: &PipeFile) -> Result<Vec<ListedTopic>, String> {
        if file.source.brokers != "broker:9092" {
            return Err(format!("no kafka broker answers at {}", file.source.brokers));
        }
        if password(file).is_some_and(|password| password != "right") {
            return Err("kafka at broker:9092 refused the user name or password".to_owned());
        }
        let topic = |name: &str, partitions| ListedTopic { name: name.to_owned(), partitions };
        Ok(vec![topic("audit", 1), topic("shop.orders", 6)])
    }

    fn samples(&self, file: &PipeFile, _: usize) -> Result<Sampled, String> {
        if !["audit", "shop.orders"].contains(&file.source.topic.as_str()) {
            return Err(format!("the topic `{}` does not exist", file.source.topic));
        }
        let record = |offset: i64| OwnedRecord {
            partition: PartitionId(0),
            offset: Offset(offset),
            timestamp_ms: None,
            key: None,
            payload: {
                let key = self.time_key.unwrap_or("at");
                let document = format!(
                    "{{\"id\":{offset},\"{key}\":\"2026-01-01T00:00:0{offset}Z\",\"note\":{}}}",
                    ["null", "\"\x1b\""][usize::from(offset > 2)]
                );
                let frame = self.schema.map(|id| [&[0][..], &id.to_be_bytes()].concat()).unwrap_or_default();
                Some([&frame[..], document.as_bytes()].concat())
            },
            headers: Vec::new(),
        };
        let cut_short = self.is_slow.then(|| SourceError::Request {
            brokers: file.source.brokers.clone(),
            request: "a fetch of records",
            reason: "it took too long".to_owned(),
        });
        Ok(Sampled { records: (0..if self.is_empty { 0 } else { 5 }).map(record).collect(), cut_short })
    }

    fn schema(&self, file: &PipeFile, samples: &[OwnedRecord]) -> Result<Option<Declared>, String> {
        let config = &file.schema_registry.as_ref().unwrap().config;
        if config.roots[0].host_str() == Some("avro") {
            return Err("schema 7 says nothing of columns: it is no JSON Schema".to_owned());
        }
        let is_right = match &config.credentials {
            Credentials::Basic { username, password } => {
                (username.as_str(), password.expose_secret()) == ("key", "right")
            }
            Credentials::Bearer(token) => token.expose_secret() == "right",
            _ => false,
        };
        if !is_right {
            return Err("the registry refused the user name or password".to_owned());
        }
        let column = ExpectedColumn::new("id", "Int64".parse().unwrap(), "an integer by schema 7");
        Ok(Some(Declared { id: newest_schema(samples).unwrap(), columns: vec![column] }))
    }

    fn server(&self, file: &PipeFile) -> Result<Server, String> {
        if file.destination.database == "nowhere" {
            return Err("clickhouse refused (code 81): the database `nowhere` does not exist".to_owned());
        }
        let table = (file.destination.table == "there").then_some(3);
        Ok(Server { version: "26.9.1".to_owned(), table })
    }

    fn refusal(&self, file: &PipeFile) -> Result<Option<String>, String> {
        let table = file.destination.managed_table.as_ref().unwrap();
        let unknown = table.order_by.iter().chain(&table.partition_by).find(|key| key.contains("gone"));
        Ok(unknown.map(|key| format!("clickhouse refused the definition: no column `gone` for {key}\u{1b}")))
    }

    fn preview(&self, file: &PipeFile, count: usize, documents: &[Vec<u8>]) -> Result<PreviewReport, String> {
        self.previews.borrow_mut().push((count, documents.len()));
        Ok(PreviewReport {
            pipe: file.name.to_string(),
            topic: file.source.topic.clone(),
            table: file.destination.table.clone(),
            table_state: TableState::WillBeCreated,
            create_table: None,
            without_clickhouse: None,
            cut_short: None,
            columns: Vec::new(),
            read: 5,
            accepted: 5,
            rejected: 0,
            passes_stop_ratio: false,
            rejected_by_code: Default::default(),
            rows: Vec::new(),
            rejects: Vec::new(),
            skipped_keys: Vec::new(),
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "KAFKA_SECRET").then(|| "right".to_owned())
    }

    fn has_file(&self, path: &Path) -> bool {
        self.files.borrow().iter().any(|file| Path::new(file) == path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        path == Path::new("there")
    }

    fn read_file(&self, path: &Path) -> Result<Vec<u8>, String> {
        match path.to_str() {
            Some("docs.jsonl") => Ok(b"{\"a\":1}\n\n{\"a\":2}\n".to_vec()),
            _ => Err("cannot read it".to_owned()),
        }
    }
}

/// Runs the conversation to its end, or to the end of the script.
fn talk(world: &Fake, answers: &[(&'static str, &'static str)]) -> (Result<NewPipe, NoAnswer>, String) {
    let mut script = Script { answers: answers.iter().copied().collect(), said: String::new() };
    let result = Session::new(&mut script, world).run(None);
    assert!(script.answers.is_empty(), "left over: {:?} after:\n{}", script.answers, script.said);
    (result, script.said)
}

const SOURCE: [(&str, &str); 6] = [
    ("Source", ""),
    ("Brokers", "broker:9092"),
    ("TLS", "n"),
    ("Credentials", ""),
    ("Topic", "2"),
    ("Name of the pipe", ""),
];
const CLICKHOUSE: [(&str, &str); 5] = [
    ("ClickHouse URL", ""),
    ("ClickHouse user", ""),
    ("Has a password", ""),
    ("Database", ""),
    ("Table", ""),
];
const TABLE: [(&str, &str); 3] = [("Change column", ""), ("Sorting key", ""), ("Partition by", "")];
const RULES: [(&str, &str); 4] = [("Delivery", ""), ("Start", ""), ("Stop at", ""), ("Keep errors", "")];
const END: [(&str, &str); 2] = [("Next", ""), ("File", "")];

#[test]
fn defaults_make_a_file_that_can_be_read() {
    let all = [&SOURCE[..], &CLICKHOUSE, &TABLE, &RULES, &END].concat();
    let world = Fake::default();
    let (pipe, said) = talk(&world, &all);
    let pipe = pipe.unwrap();
    assert_eq!(
        (pipe.path.to_str(), pipe.may_replace, pipe.name.as_str()),
        (Some("pipe.yaml"), false, "shop-orders")
    );
    assert!(pipe.variables.is_empty());
    expect![[r##"
        # From a Kafka topic into a ClickHouse table. README describes every key; `housepipe check` looks at both ends.
        name: shop-orders
        source:
          type: kafka
          brokers: "broker:9092"
          topic: shop.orders
          # consumer_group: housepipe-shop-orders   # the default
          # Where a new group starts: earliest, latest, or { timestamp: 2026-01-01T00:00:00Z }.
          offset: earliest
        format: json
        destination:
          url: "http://localhost:8123"
          username: default
          database: default
          table: shop_orders
          # The table is created with this where it is missing.
          managed_table:
            engine: MergeTree
            # at for ranges of time, then id to tell rows apart
            order_by: [at, id]
            # months of at: whole partitions can be dropped when they are old, and there are few of them
            partition_by: toYYYYMM(at)
          columns:
            # 86 %: 5 whole numbers, none below zero (partition 0, offset 0)
            - { name: id, type: UInt64 }
            # 86 %: 5 dates with time, to the second, with room for three digits more (partition 0, offset 0)
            - { name: at, type: "DateTime64(3, 'UTC')" }
            # 75 %: 2 texts, all the same; null in 3 of 5 samples (partition 0, offset 3)
            - { name: note, type: Nullable(String) }
        # Records that cannot be loaded go to shop_orders_clickpipes_error, where ClickHouse deletes them after
        # so many days. Where more than this share of the last 1,000 records or more is rejected, the pipe stops;
        # `off` turns that off.
        error_table: { stop_ratio: 0.5, ttl_days: 7 }
        # at_least_once: a crash may load a batch twice, and loses nothing. exactly_once: each record once, while the
        # table remembers the tokens of inserts; `housepipe check` says for how long.
        delivery: at_least_once
    "##]].assert_eq(&pipe.text);
    let file = PipeFile::parse(&pipe.text, "pipe.yaml").unwrap();
    assert_eq!((file.destination.table.as_str(), file.destination.columns.len()), ("shop_orders", 3));
    assert_eq!(*world.previews.borrow(), [(100, 0)]);
    for words in [
        "shop.orders  6 partition(s)",
        "partition 0, offset 4",
        "preview of 5 for shop_orders",
        "CREATE TABLE",
    ] {
        assert!(said.contains(words), "no `{words}` in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn wrong_answers_are_asked_again_with_the_reason() {
    let (pipe, said) = talk(
        &Fake::default(),
        &[
            ("Source", "rabbit"),
            ("Source", "1"),
            ("Brokers", "broker"),
            ("Brokers", "http://broker:9092"),
            ("Brokers", "nobody:9092"),
            ("TLS", "maybe"),
            ("TLS", "no"),
            ("Credentials", "9"),
            ("Credentials", "none"),
            // The broker did not answer.
            ("Brokers", "broker:9092"),
            ("TLS", "no"),
            ("Credentials", ""),
            ("Topic", "${env:HOME}"),
            ("Topic", "nope"),
            ("Topic", "audit"),
            ("Name of the pipe", "Audit!"),
            ("Name of the pipe", "audit"),
            ("ClickHouse URL", "clickhouse://h:9000"),
            ("ClickHouse URL", "http://u:hunter2@h:8123"),
            ("ClickHouse URL", ""),
            ("ClickHouse user", ""),
            ("Has a password", ""),
            ("Database", "nowhere"),
            ("Table", ""),
            // ClickHouse has refused.
            ("ClickHouse URL", ""),
            ("ClickHouse user", ""),
            ("Has a password", ""),
            ("Database", "default"),
            ("Table", "audit log"),
            ("Change column", "7"),
            ("Change column", "at"),
            ("Type of at", "DateTime65"),
            ("Type of at", "Nullable(Array(String))"),
            ("Type of at", "DateTime('UTC')"),
            ("Change column", "1"),
            ("Type of id", "UInt8"),
            ("Change column", "note"),
            ("Type of note", "-"),
            ("Change column", "-"),
            ("Sorting key", "nope"),
            ("Sorting key", "at) SETTINGS x = 1"),
            ("Sorting key", "cityHash64(id, at), at"),
            ("Partition by", "now("),
            ("Partition by", "-"),
            ("Delivery", "twice"),
            ("Delivery", "2"),
            ("Start", "yesterday"),
            ("Start", "2026-01-01T00:00:00Z"),
            ("Stop at", "1.5"),
            ("Stop at", "off"),
            ("Keep errors", "0"),
            ("Keep errors", "30"),
            ("Next", "write"),
            ("File", "nowhere/pipe.yaml"),
            ("File", "audit.yaml"),
        ],
    );
    let pipe = pipe.unwrap();
    let file = PipeFile::parse(&pipe.text, "audit.yaml").unwrap();
    assert_eq!(file.destination.managed_table.unwrap().order_by, ["cityHash64(id, at)", "at"]);
    let columns: Vec<String> =
        file.destination.columns.iter().map(|it| format!("{} {}", it.name, it.data_type)).collect();
    assert_eq!(columns, ["id UInt8", "at DateTime('UTC')"]);
    assert_eq!(file.error_table.ttl_days, 30);
    assert!(file.error_table.stop_ratio.is_none());
    for words in [
        "`rabbit` is none of them",
        "`broker` is no broker",
        "neither yes nor no",
        "no kafka broker answers at nobody:9092",
        "begins a reference",
        "the topic `nope` does not exist",
        "is no pipe name",
        "its scheme is `clickhouse`",
        "it carries credentials",
        "code 81",
        "there is no column `7`",
        "is no ClickHouse type",
        "All 5 samples fit",
        "there is no column `nope`",
        "there is no folder `nowhere`",
    ] {
        assert!(said.contains(words), "no `{words}` in:\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_registry_is_asked_for_where_records_name_schemas() {
    let world = Fake { schema: Some(7), ..Fake::default() };
    let registry = [
        ("Schema registry", "registry"),
        ("Schema registry", "http://avro"),
        ("Registry credentials", ""),
        // It was no JSON Schema.
        ("Schema registry", "http://key:hunter2@registry:8081"),
        ("Schema registry", "http://registry:8081"),
        ("Registry credentials", "password"),
        ("Registry user", "key"),
        ("Variable of the password", ""),
        ("Password", "hunter2"),
        ("Send them without TLS", ""),
        ("Schema registry", "https://registry:8081/subjects/audit-value"),
        ("Registry with its own CA", "y"),
        ("CA file", "ca.pem"),
        ("Client certificate", ""),
        ("Registry credentials", ""),
        ("Registry user", ""),
        ("Variable of the password", ""),
        ("Password", "hunter2"),
        // It was refused; the variable that is set has the right one.
        ("Schema registry", ""),
        ("Registry with its own CA", ""),
        ("CA file", ""),
        ("Client certificate", ""),
        ("Registry credentials", ""),
        ("Registry user", ""),
        ("Variable of the password", "KAFKA_SECRET"),
    ];
    world.files.borrow_mut().push("ca.pem".to_owned());
    let (before, name) = SOURCE.split_at(SOURCE.len() - 1);
    let all = [before, &registry, name, &CLICKHOUSE, &TABLE, &RULES, &END].concat();
    let (pipe, said) = talk(&world, &all);
    let text = pipe.unwrap().text;
    expect![[r##"
        schema_registry:
          url: "https://registry:8081/subjects/audit-value"
          username: key
          password: "${env:KAFKA_SECRET}"
          tls: { ca: ca.pem }
        format: json
    "##]]
    .assert_eq(&text[text.find("schema_registry:").unwrap()..text.find("destination:").unwrap()]);
    assert!(text.contains("{ name: id, type: Int64 }"), "{text}");
    for words in ["the newest one 7", "no JSON Schema", "refused the user name", "Schema 7 is a JSON Schema"]
    {
        assert!(said.contains(words), "no `{words}` in:\n{said}");
    }
    assert!(!said.contains("hunter2") && !text.contains("hunter2"), "{said}\n{text}");
}

#[test]
fn a_registry_takes_a_token_or_is_left_out() {
    let world = Fake { schema: Some(7), ..Fake::default() };
    let (before, name) = SOURCE.split_at(SOURCE.len() - 1);
    let token = [
        ("Schema registry", "http://registry:8081"),
        ("Registry credentials", "token"),
        ("Variable of the token", ""),
        ("Token", "right"),
        ("Send them without TLS", "y"),
    ];
    let all = [before, &token, name, &CLICKHOUSE, &TABLE, &RULES, &END].concat();
    let pipe = talk(&world, &all).0.unwrap();
    assert!(
        pipe.text.contains("  token: \"${env:REGISTRY_TOKEN}\"\n  allow_without_tls: true\n"),
        "{}",
        pipe.text
    );
    assert_eq!(pipe.variables, ["REGISTRY_TOKEN"]);

    let none = [("Schema registry", "")];
    let all = [before, &none, name, &CLICKHOUSE, &TABLE, &RULES, &END].concat();
    let pipe = talk(&world, &all).0.unwrap();
    assert!(
        !pipe.text.contains("schema_registry") && pipe.text.contains("name: id, type: UInt64"),
        "{}",
        pipe.text
    );
}

#[test]
fn samples_that_did_not_come_are_told_of() {
    let all = [&SOURCE[..], &CLICKHOUSE, &TABLE, &RULES, &END].concat();
    let (pipe, said) = talk(&Fake { is_slow: true, ..Fake::default() }, &all);
    pipe.unwrap();
    let line = "Not all of them came, and the newest may be missing: kafka at broker:9092 did not answer";
    assert!(said.contains(line) && said.contains("5 sample(s)"), "{said}");
}

#[test]
fn documents_stand_in_for_an_empty_topic() {
    let world = Fake { is_empty: true, ..Fake::default() };
    let columns = [
        ("Document", "no json"),
        ("Document", ""),
        // None of them was an object.
        ("Document", "@nowhere"),
        ("Document", "{\"a\":0}"),
        ("Document", "@docs.jsonl"),
    ];
    let (pipe, said) = talk(&world, &[&SOURCE[..], &CLICKHOUSE, &columns, &TABLE, &RULES, &END].concat());
    assert!(said.contains("no records with a value yet") && said.contains("cannot read it"), "{said}");
    assert!(said.contains("Columns of 3 document(s)"), "{said}");
    assert!(pipe.unwrap().text.contains("{ name: a, type: UInt64 }"));
    assert_eq!(*world.previews.borrow(), [(100, 3)]);

    // Another table is proposed from the same documents.
    let another = [("Next", "table")];
    let all = [
        &SOURCE[..],
        &CLICKHOUSE,
        &[("Document", "{\"b\":1}"), ("Document", "")],
        &TABLE,
        &RULES,
        &another,
        &CLICKHOUSE,
        &TABLE,
        &END,
    ];
    assert!(talk(&world, &all.concat()).0.unwrap().text.contains("{ name: b, type: UInt64 }"));

    let by_hand = [("Document", ""), ("Columns", "id UInt65"), ("Columns", "id UInt64")];
    let (pipe, _) = talk(&world, &[&SOURCE[..], &CLICKHOUSE, &by_hand, &TABLE, &RULES, &END].concat());
    let file = PipeFile::parse(&pipe.unwrap().text, "p.yaml").unwrap();
    assert_eq!(file.destination.columns.len(), 1);
}

#[test]
fn after_the_preview_everything_may_be_changed() {
    let rest = [
        ("Next", "columns"),
        ("Change column", "note"),
        ("Type of note", "-"),
        ("Change column", ""),
        ("Sorting key", "-"),
        ("Partition by", ""),
        ("Next", "rules"),
        ("Delivery", "exactly_once"),
        ("Start", "latest"),
        ("Stop at", ""),
        ("Keep errors", ""),
        ("Next", "table"),
        ("ClickHouse URL", ""),
        ("ClickHouse user", ""),
        ("Has a password", ""),
        ("Database", ""),
        ("Table", "there"),
        ("Fill it", "no"),
        ("ClickHouse URL", ""),
        ("ClickHouse user", ""),
        ("Has a password", ""),
        ("Database", ""),
        ("Table", "other"),
        ("Change column", ""),
        ("Sorting key", ""),
        ("Partition by", ""),
        ("Next", ""),
        ("File", ""),
    ];
    let (pipe, _) = talk(&Fake::default(), &[&SOURCE[..], &CLICKHOUSE, &TABLE, &RULES, &rest].concat());
    let file = PipeFile::parse(&pipe.unwrap().text, "p.yaml").unwrap();
    assert_eq!((file.destination.table.as_str(), file.destination.columns.len()), ("other", 3));
    assert_eq!(file.delivery, crate::DeliveryMode::ExactlyOnce);
}

#[test]
fn a_file_is_replaced_only_on_request() {
    let world = Fake::default();
    world.files.borrow_mut().extend(["pipe.yaml".to_owned(), "there".to_owned()]);
    let rest =
        [("Next", ""), ("File", ""), ("Replace pipe.yaml", ""), ("File", "there"), ("File", "there/p.yaml")];
    let (pipe, _) = talk(&world, &[&SOURCE[..], &CLICKHOUSE, &TABLE, &RULES, &rest].concat());
    let pipe = pipe.unwrap();
    assert_eq!((pipe.path.to_str(), pipe.may_replace), (Some("there/p.yaml"), false));
    let rest = [("Next", ""), ("File", ""), ("Replace pipe.yaml", "y")];
    let (pipe, _) = talk(&world, &[&SOURCE[..], &CLICKHOUSE, &TABLE, &RULES, &rest].concat());
    assert!(pipe.unwrap().may_replace);
}

#[test]
fn answers_with_odd_characters_are_read_back() {
    let answers = Answers {
        topic: "a: b # c".to_owned(),
        brokers: "h:1, i:2".to_owned(),
        table: "t \"x\" \\".to_owned(),
        database: "null".to_owned(),
        username: "0123".to_owned(),
        ..Answers::default()
    };
    let file = answers.file().unwrap();
    assert_eq!((file.source.topic, file.source.brokers), ("a: b # c".to_owned(), "h:1,i:2".to_owned()));
    let destination = file.destination;
    assert_eq!(
        (destination.table.as_str(), destination.database.as_str(), destination.username.as_str()),
        ("t \"x\" \\", "null", "0123")
    );
}
