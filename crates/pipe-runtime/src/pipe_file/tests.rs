//! Pipe files, good and bad, with what is said about them.

use expect_test::{Expect, expect};

use super::{AccessSpec, BatchLimits, ErrorTableSpec, PipeFile, Starts};
use crate::delivery::Share;
use housepipe_ch_sink::Compression;
use housepipe_kafka_source::{Offset, PartitionId, Security, StartOffset};
use housepipe_schema_registry::{Credentials, SchemaId, Subject, Target, Version};
use housepipe_transform::{Semantics, Source, Virtual};

const MINIMAL: &str = "\
name: clicks
source:
  type: kafka
  brokers: localhost:9092
  topic: clicks
destination:
  url: http://localhost:8123
  table: clicks
";

fn refuses(text: &str, expected: &Expect) {
    expected.assert_eq(&PipeFile::parse(text, "p.yaml").unwrap_err().to_string());
}

#[test]
fn what_is_wrong_and_long_is_told_in_short() {
    let long = "k".repeat(1 << 20);
    for text in [
        format!("{MINIMAL}{}: 1\n", &long[..1_000]),
        MINIMAL.replace("type: kafka", &format!("type: {long}")),
        MINIMAL.replace("name: clicks", &format!("name: {long}")),
        MINIMAL.replace("localhost:9092", &long),
        format!("{MINIMAL}  columns: [{{ name: a, type: {long} }}]\n"),
        format!("{MINIMAL}  columns: '{long}'\n"),
    ] {
        let told = PipeFile::parse(&text, "p.yaml").unwrap_err().to_string();
        assert!(told.len() < 2_500 && told.contains('…'), "{} bytes: {:.300}", told.len(), told);
    }
    let many: String = (0..500).map(|number| format!("k{number}: 1\n")).collect();
    let error = PipeFile::parse(&format!("{MINIMAL}{many}"), "p.yaml").unwrap_err();
    assert_eq!(error.problems.len(), 101);
    assert_eq!(error.problems[100].message, "there are more problems than these");
}

#[test]
fn a_minimal_file_gets_defaults() {
    let pipe = PipeFile::parse(MINIMAL, "p.yaml").unwrap();
    assert_eq!(pipe.name.as_str(), "clicks");
    assert_eq!(pipe.source.consumer_group, "housepipe-clicks");
    assert_eq!(pipe.source.starts, Starts::default());
    assert!(matches!(pipe.source.security, Security::Plaintext));
    assert_eq!(
        (pipe.destination.username.as_str(), pipe.destination.database.as_str()),
        ("default", "default")
    );
    assert_eq!(pipe.destination.compression, Compression::None);
    assert!(pipe.destination.columns.is_empty() && pipe.destination.managed_table.is_none());
    assert_eq!(pipe.batch, BatchLimits { rows_max: 100_000, bytes_max: 32 << 20, wait_max_ms: 5_000 });
    assert_eq!(pipe.error_table, ErrorTableSpec::default());
    assert_eq!((pipe.error_table.stop_ratio, pipe.error_table.warn_ratio), (Some(Share::HALF), None));
    assert_eq!(pipe.semantics, Semantics::Strict);
}

#[test]
fn a_full_file_is_read() {
    let pipe = PipeFile::parse(
        "\
name: clicks
source:
  type: kafka
  brokers: 'a:9092, b:9093'
  topic: clicks
  consumer_group: mine
  offset: { timestamp: 2026-01-01T00:00:00Z }
  auth: { mechanism: SCRAM-SHA-512, username: app, password: 0123 }
  tls: { ca: ca.pem, certificate: client.pem, key: client.key }
format: json
destination:
  url: https://localhost:8443
  username: loader
  password: secret
  database: analytics
  table: clicks
  compression: lz4
  managed_table: { engine: MergeTree, order_by: [ts], partition_by: toYYYYMM(ts) }
  columns:
    - { name: id, type: UInt64 }
    - { name: ts, type: \"DateTime64(3,'UTC')\", from: time }
error_table: { enabled: false, suffix: _bad, ttl_days: 3, stop_ratio: 0.25, warn_ratio: off }
batch: { max_rows: 10_000, max_bytes: 1MiB, max_wait: 200ms }
semantics: clickhouse
delivery: at_least_once
",
        "p.yaml",
    )
    .unwrap();
    assert_eq!(pipe.source.brokers, "a:9092,b:9093");
    assert_eq!(pipe.source.starts, all(StartOffset::Timestamp { unix_ms: 1_767_225_600_000 }));
    let Security::Sasl { username, tls: Some(tls), .. } = &pipe.source.security else { panic!("{pipe:?}") };
    assert_eq!(
        pipe.error_table,
        ErrorTableSpec {
            enabled: false,
            suffix: "_bad".to_owned(),
            ttl_days: 3,
            stop_ratio: Some("0.25".parse().unwrap()),
            warn_ratio: None,
        }
    );
    assert_eq!(username, "app");
    assert!(tls.ca.is_some() && tls.client.is_some());
    assert_eq!(pipe.destination.columns[1].data_type.to_string(), "DateTime64(3, 'UTC')");
    assert_eq!(pipe.destination.columns[1].from, Source::Field("time".to_owned()));
    assert_eq!(pipe.batch, BatchLimits { rows_max: 10_000, bytes_max: 1 << 20, wait_max_ms: 200 });
    assert!(!pipe.error_table.enabled);
    let shown = format!("{pipe:?}");
    assert!(!shown.contains("0123") && !shown.contains("secret"), "secrets stay out of Debug: {shown}");
}

fn with_destination(lines: &str) -> String {
    format!("{MINIMAL}{lines}")
}

#[test]
fn a_user_of_the_pipes_own_is_read() {
    let own = "  username: loader\n  password: hunter1\n  setup: { username: admin, password: hunter2 }\n";
    let read = |access: &str| {
        let text = with_destination(&format!("{own}  access: {access}\n  on_cluster: '{{cluster}}'\n"));
        PipeFile::parse(&text, "p.yaml").unwrap().destination
    };
    let destination = read("only_destination");
    assert_eq!(destination.set_up.as_ref().unwrap().username, "admin");
    assert_eq!(destination.on_cluster.as_deref(), Some("{cluster}"));
    assert!(!format!("{destination:?}").contains("hunter"), "{destination:?}");
    let accesses =
        ["only_destination", "full", "{ role: loaders }"].map(|access| read(access).access.unwrap());
    let role = AccessSpec::Role("loaders".to_owned());
    assert_eq!(accesses, [AccessSpec::OnlyDestination, AccessSpec::Full, role]);
    // Without `access` the user is there already, and another one may create the table.
    let without = PipeFile::parse(&with_destination("  setup: { username: admin }\n"), "p.yaml").unwrap();
    assert!(without.destination.access.is_none() && without.destination.set_up.unwrap().password.is_none());
}

#[test]
fn every_block_about_provisioning_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/provisioning.md");
    let text = std::fs::read_to_string(path).unwrap();
    let source = MINIMAL.split_once("destination:").unwrap().0;
    let mut seen = Vec::new();
    for block in text.split("```yaml\n").skip(1) {
        let mut block = block.split("```").next().unwrap().to_owned();
        // What a reference stands for is of no interest here.
        while let Some((before, rest)) = block.split_once("${") {
            let number = rest.len();
            block = format!("{before}hush{number}{}", rest.split_once('}').unwrap().1);
        }
        let file = PipeFile::parse(&format!("{source}{block}"), "p.yaml");
        let destination = file.unwrap_or_else(|error| panic!("{error}\n{block}")).destination;
        seen.push((destination.managed_table.is_some(), destination.access));
    }
    assert_eq!(seen, [(true, None), (false, Some(AccessSpec::OnlyDestination))]);
}

#[test]
fn a_user_that_could_not_be_made_is_refused() {
    for (lines, said) in [
        ("  access: only_destination\n", "there is no `username`; add `username:` beside it"),
        ("  username: u\n  access: full\n", "there is none; add `password:` beside it"),
        ("  username: u\n  password: ''\n  access: full\n", "there is none; add `password:` beside it"),
        ("  username: u\n  password: p\n  access: full\n", "nothing says who makes the pipe's user"),
        (
            "  username: u\n  password: p\n  setup: { username: u }\n  access: full\n",
            "the pipe's user would be made by itself",
        ),
        ("  access: only_destinaton\n", "did you mean `only_destination`?"),
        ("  access: everything\n", "one of: only_destination, full, { role: NAME }"),
        ("  access: { rol: x }\n", "did you mean `role`?"),
        ("  access: { role: '' }\n", "`destination.access.role`: empty"),
        ("  setup: admin\n", "expected a mapping"),
        ("  setup: {}\n", "`destination.setup.username`: missing"),
        ("  setup: { username: a, pasword: b }\n", "did you mean `password`?"),
        ("  on_cluster: ''\n", "`destination.on_cluster`: empty"),
        ("  on_clutser: c\n", "did you mean `on_cluster`?"),
    ] {
        let error = PipeFile::parse(&with_destination(lines), "p.yaml").unwrap_err().to_string();
        assert!(error.contains(said), "{lines}: {error}");
    }
}

#[test]
fn columns_are_as_many_as_a_table_may_have() {
    let listed = |count: usize| -> String {
        let lines = (0..count).map(|number| format!("    - {{ name: c{number}, type: UInt8 }}\n"));
        format!("{MINIMAL}  columns:\n{}", lines.collect::<String>())
    };
    let as_text = |count: usize| -> String {
        let columns: Vec<String> = (0..count).map(|number| format!("c{number} UInt8")).collect();
        format!("{MINIMAL}  columns: '{}'\n", columns.join(", "))
    };
    for text in [&listed as &dyn Fn(usize) -> String, &as_text] {
        assert_eq!(PipeFile::parse(&text(10_000), "p.yaml").unwrap().destination.columns.len(), 10_000);
        let error = PipeFile::parse(&text(10_001), "p.yaml").unwrap_err().to_string();
        assert!(error.contains("10001 columns, and a pipe has 10000 at most"), "{error}");
    }
}

#[test]
fn a_description_is_text_for_people() {
    let described = |description: &str| {
        let text = MINIMAL.replacen('\n', &format!("\ndescription: {description}\n"), 1);
        PipeFile::parse(&text, "p.yaml").map(|pipe| pipe.description)
    };
    assert_eq!(
        described("Clicks of the \u{fc}ber shop").unwrap().as_deref(),
        Some("Clicks of the über shop")
    );
    assert_eq!(described("\"two\\nlines\"").unwrap().as_deref(), Some("two\nlines"));
    assert_eq!(described(&"ü".repeat(1_000)).unwrap().map(|text| text.chars().count()), Some(1_000));
    for (wrong, words) in [
        ("\"a\\u001b[2J\"", "no control characters, and here is '\\u{1b}'"),
        ("[a]", "expected text"),
        (&"ü".repeat(1_001), "up to 1000 letters"),
    ] {
        let error = described(wrong).unwrap_err().to_string();
        assert!(error.contains("`description`") && error.contains(words), "{error}");
    }
}

#[test]
fn names_have_no_control_characters() {
    let read = |source: &str, destination: &str, rest: &str| {
        let text = format!(
            "name: clicks\nsource: {{ type: kafka, brokers: 'b:9093', {source} }}\n\
             destination: {{ url: 'http://localhost:8123', {destination} }}\n{rest}"
        );
        PipeFile::parse(&text, "p.yaml")
    };
    let nul = "\"a\\u0000b\"";
    let login = |username: &str, password: &str| {
        format!(
            "topic: t, tls: {{}}, auth: {{ mechanism: PLAIN, username: {username}, password: {password} }}"
        )
    };
    for (key, source, destination, rest) in [
        ("source.topic", format!("topic: {nul}"), "table: t".to_owned(), String::new()),
        (
            "source.consumer_group",
            format!("topic: t, consumer_group: {nul}"),
            "table: t".to_owned(),
            String::new(),
        ),
        ("source.auth.username", login(nul, "p"), "table: t".to_owned(), String::new()),
        ("destination.table", "topic: t".to_owned(), format!("table: {nul}"), String::new()),
        ("destination.database", "topic: t".to_owned(), format!("table: t, database: {nul}"), String::new()),
        ("destination.username", "topic: t".to_owned(), format!("table: t, username: {nul}"), String::new()),
        (
            "error_table.suffix",
            "topic: t".to_owned(),
            "table: t".to_owned(),
            format!("error_table: {{ suffix: {nul} }}"),
        ),
    ] {
        let error = read(&source, &destination, &rest).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")) && error.contains("here is '\\0'"), "{key}: {error}");
    }
    for letter in ["\\n", "\\e", "\\u0085"] {
        let error = read(&format!("topic: \"a{letter}b\""), "table: t", "").unwrap_err().to_string();
        assert!(error.contains("no control characters"), "{error}");
    }
    // A secret, an expression and a field of a record are whatever they are.
    read(&login("u", "\"a\\u0001b\""), "table: t", "").unwrap();
    let lines = "\"toDate(at),\\n\\tid\"";
    let managed = format!("managed_table: {{ partition_by: {lines}, order_by: [{lines}] }}");
    let columns = "columns: [{ name: \"a\\eb\", type: UInt8 }]";
    read("topic: t", &format!("table: t, {columns}, {managed}"), "").unwrap();
    let broker = "name: c\nsource: { type: kafka, brokers: \"a\\u0000b:1\", topic: t }\ndestination: { url: 'http://h:1', table: t }\n";
    assert!(PipeFile::parse(broker, "p.yaml").unwrap_err().to_string().contains("is no broker"));
}

#[test]
fn a_consumer_group_has_so_many_letters() {
    let read = |letters: usize| {
        let group = "ä".repeat(letters);
        let text = format!(
            "name: clicks\nsource: {{ type: kafka, brokers: 'b:9093', topic: t, consumer_group: {group} }}\n\
             destination: {{ url: 'http://localhost:8123', table: t }}\n"
        );
        PipeFile::parse(&text, "p.yaml")
    };
    read(249).unwrap();
    let error = read(250).unwrap_err().to_string();
    assert!(error.contains("`source.consumer_group`") && error.contains("249 letters at most"), "{error}");
}

#[test]
fn settings_of_the_table_are_names_and_values() {
    let read = |settings: &str| {
        let lines = format!("  managed_table: {{ settings: {settings} }}\n  columns: 'id UInt8'\n");
        PipeFile::parse(&with_destination(&lines), "p.yaml")
    };
    let managed = read("{ index_granularity: 8192, storage_policy: hot }").unwrap().destination.managed_table;
    let settings: Vec<(String, String)> =
        managed.unwrap().settings.into_iter().map(|it| (it.name, it.value)).collect();
    let expected = [("index_granularity", "8192"), ("storage_policy", "hot")];
    assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (settings, said) in [
        ("{ 'a = 1, b': 2 }", "is no name of a setting"),
        ("[a]", "expected names and values"),
        ("{ a: [1] }", "expected text"),
    ] {
        let error = read(settings).unwrap_err().to_string();
        assert!(error.contains(said), "{settings}: {error}");
    }
}

fn all(others: StartOffset) -> Starts {
    Starts { others, ..Starts::default() }
}

fn with_offset(offset: &str) -> String {
    MINIMAL.replace("  topic: clicks\n", &format!("  topic: clicks\n  offset: {offset}\n"))
}

#[test]
fn partitions_may_start_at_places_of_their_own() {
    let read = |offset: &str| PipeFile::parse(&with_offset(offset), "p.yaml").unwrap().source.starts;
    assert_eq!(read("latest"), all(StartOffset::Latest));
    let time = StartOffset::Timestamp { unix_ms: 1_767_225_600_000 };
    let expected = Starts {
        partitions: [
            (0, StartOffset::At(Offset(100))),
            (1, StartOffset::Earliest),
            (2, StartOffset::Latest),
            (11, time),
        ]
        .map(|(partition, start)| (PartitionId(partition), start))
        .into(),
        others: StartOffset::Latest,
    };
    let partitions = "{ 0: 1_00, 1: earliest, 2: latest, 11: { timestamp: 2026-01-01T01:00:00+01:00 } }";
    assert_eq!(read(&format!("{{ partitions: {partitions}, others: latest }}")), expected);
    assert_eq!(read("{ others: { timestamp: 2026-01-01T00:00:00Z }, partitions: { 3: 0 } }").others, time);
    // What is not named starts where everything does that nobody has said anything about.
    assert_eq!(read("{ partitions: { 0: latest } }").others, StartOffset::Earliest);
}

#[test]
fn a_start_that_cannot_be_is_named_with_its_mend() {
    refuses(
        &with_offset("100"),
        &expect![
            "p.yaml:6: `source.offset`: 100 is an offset, and each partition has offsets of its own; write `{ partitions: { 0: 100 } }`"
        ],
    );
    refuses(
        &with_offset("lastest"),
        &expect!["p.yaml:6: `source.offset`: `lastest` is not a choice here; did you mean `latest`?"],
    );
    refuses(
        &with_offset(
            "{ partitions: { -1: 5, 0: -5, one: 5, 1: newest, 2: earlist, 3: { timestamp: 2026-01-01 }, 4: [1] } }",
        ),
        &expect![[r#"
            p.yaml:6: `source.offset.partitions.-1`: `-1` is no partition; partitions are numbered from 0
            p.yaml:6: `source.offset.partitions.0`: -5 is no offset; offsets are numbered from 0
            p.yaml:6: `source.offset.partitions.one`: `one` is no partition; partitions are numbered from 0
            p.yaml:6: `source.offset.partitions.1`: `newest` is not a choice here; one of: earliest, latest, { timestamp: … }, or an offset
            p.yaml:6: `source.offset.partitions.2`: `earlist` is not a choice here; did you mean `earliest`?
            p.yaml:6: `source.offset.partitions.3.timestamp`: `2026-01-01` is no time with a zone; write it as 2026-01-01T00:00:00Z
            p.yaml:6: `source.offset.partitions.4`: expected text, found a list"#]],
    );
    refuses(
        &with_offset("{ partitions: { 1: 5, 01: 6 }, others: 7 }"),
        &expect![[r#"
        p.yaml:6: `source.offset.partitions.01`: partition 1 is named twice
        p.yaml:6: `source.offset.others`: 7 is an offset, and each partition has offsets of its own; write `{ partitions: { 0: 7 } }`"#]],
    );
    refuses(
        &with_offset("{ partitions: { 1: 5, 1: 6 } }"),
        &expect!["p.yaml:6: not valid YAML: duplicated key in mapping"],
    );
    refuses(
        &with_offset("{ partitions: {}, other: latest }"),
        &expect![[r#"
        p.yaml:6: `source.offset.partitions`: no partition is named; name one, or write `offset: earliest`
        p.yaml:6: `source.offset.other`: unknown key; did you mean `others`?"#]],
    );
    refuses(
        &with_offset("{ others: latest }"),
        &expect![
            "p.yaml:6: `source.offset`: names neither a time nor partitions; write `{ timestamp: 2026-01-01T00:00:00Z }` or `{ partitions: { 0: 100 } }`"
        ],
    );
    refuses(
        &with_offset("{ partitions: { 0: 1 }, timestamp: 2026-01-01T00:00:00Z }"),
        &expect![
            "p.yaml:6: `source.offset.timestamp`: stands for all partitions, beside some that are named; write `others: { timestamp: … }`"
        ],
    );
    refuses(
        &with_offset("{}"),
        &expect![
            "p.yaml:6: `source.offset`: names neither a time nor partitions; write `{ timestamp: 2026-01-01T00:00:00Z }` or `{ partitions: { 0: 100 } }`"
        ],
    );
    refuses(
        &with_offset("{ timestmp: 2026-01-01T00:00:00Z }"),
        &expect![[r#"
        p.yaml:6: `source.offset`: names neither a time nor partitions; write `{ timestamp: 2026-01-01T00:00:00Z }` or `{ partitions: { 0: 100 } }`
        p.yaml:6: `source.offset.timestmp`: unknown key; did you mean `timestamp`?"#]],
    );
    refuses(
        &with_offset("{ partitions: [0, 1] }"),
        &expect![
            "p.yaml:6: `source.offset.partitions`: expected a mapping of partitions, found a list; write it as `{ 0: 100, 1: latest }`"
        ],
    );
    refuses(
        &with_offset("{ partition: { 0: 1 } }"),
        &expect![[r#"
            p.yaml:6: `source.offset`: names neither a time nor partitions; write `{ timestamp: 2026-01-01T00:00:00Z }` or `{ partitions: { 0: 100 } }`
            p.yaml:6: `source.offset.partition`: unknown key; did you mean `partitions`?"#]],
    );
}

#[test]
fn columns_may_be_one_text() {
    let text = MINIMAL.to_owned()
        + "  managed_table: { order_by: [id] }\n  columns: \"id UInt64, tags Array(String)\"\n";
    let pipe = PipeFile::parse(&text, "p.yaml").unwrap();
    let columns: Vec<String> = pipe
        .destination
        .columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.data_type))
        .collect();
    assert_eq!(columns, ["id UInt64", "tags Array(String)"]);
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    refuses(
        "\
name: Clicks!
source:
  type: kafak
  broker: localhost:9092
  topic: ''
  offset: newest
destination:
  url: localhost:8123
  tabel: clicks
batch: { max_rows: 2000000, max_bytes: 1 TB, max_wait: 5 }
",
        &expect![[r#"
            p.yaml:1: `name`: `Clicks!` is no pipe name: up to 63 of a-z, 0-9, `_` and `-`, starting with a letter or digit
            p.yaml:3: `source.type`: `kafak` is not a choice here; did you mean `kafka`?
            p.yaml:3: `source.brokers`: missing; add `brokers:`
            p.yaml:4: `source.broker`: unknown key; did you mean `brokers`?
            p.yaml:5: `source.topic`: empty
            p.yaml:6: `source.offset`: `newest` is not a choice here; one of: earliest, latest
            p.yaml:8: `destination.url`: the clickhouse url cannot be used: its scheme is `localhost`; use the HTTP interface: http://host:8123 or https://host:8443
            p.yaml:8: `destination.table`: missing; add `table:`
            p.yaml:9: `destination.tabel`: unknown key; did you mean `table`?
            p.yaml:10: `batch.max_rows`: 2000000 is out of bounds: from 1 to 1000000
            p.yaml:10: `batch.max_bytes`: expected a size such as 32MiB, found `1 TB`
            p.yaml:10: `batch.max_wait`: expected a duration such as 5s or 200ms, found `5`"#]],
    );
}

#[test]
fn columns_are_filled_by_fields_paths_virtual_columns_and_constants() {
    let columns = "  table: clicks
  columns:
    - { name: id, type: UInt64 }
    - { name: _offset, type: Int64 }
    - { name: at, type: DateTime64(3), from: _timestamp }
    - { name: own, type: Int64, from: '`_offset`' }
    - { name: city, type: String, from: 'user.address[0].`a.b`' }
    - { name: source, type: String, value: shop }
    - { name: none, type: String, value: '' }
    - { name: nothing, type: Nullable(String), value: null }
    - { name: word, type: Nullable(String), value: 'null' }";
    let pipe = PipeFile::parse(&MINIMAL.replace("  table: clicks", columns), "p.yaml").unwrap();
    let from: Vec<&Source> = pipe.destination.columns.iter().map(|column| &column.from).collect();
    assert_eq!(
        from,
        [
            &Source::Field("id".to_owned()),
            &Source::Virtual(Virtual::Offset),
            &Source::Virtual(Virtual::Timestamp),
            &Source::Field("_offset".to_owned()),
            &Source::Path("user.address[0].`a.b`".parse().unwrap()),
            &Source::Constant("shop".to_owned()),
            &Source::Constant(String::new()),
            &Source::Null,
            &Source::Constant("null".to_owned()),
        ]
    );
    let wrong = "  table: clicks
  columns:
    - { name: a, type: UInt8, from: 'b[x]' }
    - { name: at, type: DateTime, from: _timestmp }
    - { name: id, type: String, from: _id }
    - { name: c, type: UInt8, from: d, value: 1 }";
    refuses(
        &MINIMAL.replace("  table: clicks", wrong),
        &expect![[r#"
            p.yaml:10: `destination.columns[0].from`: `b[x]` is no place in a record: an index is a number from 0 to 1000000, at byte 2; write it as a.b[0].c, or _offset for a virtual column
            p.yaml:11: `destination.columns[1].from`: `_timestmp` is no place in a record: a key that begins with an underscore is a virtual column, or stands in backquotes, at byte 0; did you mean `_timestamp`? a field of that name is written '`_timestmp`'
            p.yaml:12: `destination.columns[2].from`: `_id` is no place in a record: a key that begins with an underscore is a virtual column, or stands in backquotes, at byte 0; a field of that name is written '`_id`'
            p.yaml:13: `destination.columns[3].value`: a column has either `from` or `value`; remove one of them"#]],
    );
}

#[test]
fn a_share_is_a_decimal_or_off() {
    refuses(
        &(MINIMAL.to_owned() + "error_table: { stop_ratio: 50%, warn_ratio: 0 }\n"),
        &expect![[r#"
            p.yaml:9: `error_table.stop_ratio`: expected a share such as 0.5, above 0 and at most 1, found `50%`; `off` turns the rule off
            p.yaml:9: `error_table.warn_ratio`: expected a share such as 0.5, above 0 and at most 1, found `0`; `off` turns the rule off"#]],
    );
}

#[test]
fn a_registry_has_a_schema_credentials_and_other_hosts() {
    let of = |block: &str| {
        PipeFile::parse(&format!("{MINIMAL}schema_registry: {block}\n"), "p.yaml")
            .unwrap()
            .schema_registry
            .unwrap()
    };
    let one = of("{ url: 'https://r/api/subjects/clicks-value/versions/3', username: u, password: p }");
    assert_eq!(one.target, Target::Version(Subject("clicks-value".to_owned()), Version::Number(3)));
    assert_eq!(one.config.roots, ["https://r/api/".parse().unwrap()]);
    assert!(matches!(one.config.credentials, Credentials::Basic { .. }));
    let two = of("{ url: 'https://a/schemas/ids/7, https://b', token: t, tls: { ca: ca.pem } }");
    assert_eq!((two.target, two.config.roots.len()), (Target::Id(SchemaId(7)), 2));
    assert!(matches!(two.config.credentials, Credentials::Bearer(_)) && two.config.tls.ca.is_some());
    // On this machine, or where somebody says so.
    for block in [
        "{ url: 'http://localhost:8081', username: u, password: p }",
        "{ url: 'http://r', username: u, password: p, allow_without_tls: true }",
        "{ url: 'http://r' }",
    ] {
        assert_eq!(of(block).target, Target::Root);
    }
}

#[test]
fn a_registry_that_cannot_be_used_says_why() {
    for (block, expected) in [
        ("{}", "p.yaml:9: `schema_registry.url`: missing; add `url:`"),
        (
            "{ url: '' }",
            "p.yaml:9: `schema_registry.url`: empty: write it as https://host:port/subjects/NAME",
        ),
        (
            "{ url: 'http://r', username: u }",
            "p.yaml:9: `schema_registry`: half a login; `username` and `password` go together",
        ),
        (
            "{ url: 'https://r', username: u, password: p, token: t }",
            "p.yaml:9: `schema_registry`: credentials of two kinds; give `username` and `password`, or `token`",
        ),
        (
            "{ url: 'http://r', token: t }",
            "p.yaml:9: `schema_registry.url`: the credentials would cross the network unencrypted; write https://, or add `allow_without_tls: true` beside the url where the network is trusted",
        ),
        (
            "{ url: 'https://a/schemas/ids/7, https://b/schemas/ids/8' }",
            "p.yaml:9: `schema_registry.url`: its addresses name different schemas; name one with the first, and the registry alone with the others",
        ),
        (
            "{ url: 'https://key:pa,ss@a/subjects/x' }",
            "p.yaml:9: `schema_registry.url`: it holds an address that is none, or credentials, which would end up in logs; give them as `username` and `password`",
        ),
        (
            "{ url: 'https://a/contexts/:.dev:/subjects/x, https://b' }",
            "p.yaml:9: `schema_registry.url`: its addresses name different contexts, whose ids stand for different schemas; name the same one in each, as in https://host:port/contexts/:.NAME:",
        ),
        (
            "{ url: 'https://a/subjects/:.dev:clicks' }",
            "p.yaml:9: `schema_registry.url`: `:.dev:clicks` is in a context of its own, whose ids are others than those of the registry at large; name the context before: https://host:port/contexts/:.NAME:/subjects/SUBJECT",
        ),
    ] {
        let error = PipeFile::parse(&format!("{MINIMAL}schema_registry: {block}\n"), "p.yaml").unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn credentials_need_encryption_or_an_explicit_word() {
    let with_auth = |more: &str| {
        MINIMAL.replace(
            "  topic: clicks",
            &format!("  topic: clicks\n  auth: {{ mechanism: PLAIN, username: u, password: p{more} }}"),
        )
    };
    refuses(
        &with_auth(""),
        &expect![
            "p.yaml:6: `source.auth`: a password would cross the network unencrypted; add `tls: {}` to the source, or `allow_without_tls: true` here where the network is trusted"
        ],
    );
    assert!(PipeFile::parse(&with_auth(", allow_without_tls: true"), "p.yaml").is_ok());
}

#[test]
fn odd_documents_are_refused() {
    refuses("", &expect!["p.yaml:1: the file is empty; start with `name:`, `source:` and `destination:`"]);
    refuses(
        "just text",
        &expect![
            "p.yaml:1: expected a mapping of keys, found a single value; write it as `key: value` lines, indented below"
        ],
    );
    refuses(
        "a: [1",
        &expect!["p.yaml:2: not valid YAML: while parsing a flow sequence, expected ',' or ']'"],
    );
    refuses("a: 1\na: 2\n", &expect!["p.yaml:2: not valid YAML: duplicated key in mapping"]);
    refuses(
        &format!("{MINIMAL}---\nname: other\n"),
        &expect![
            "p.yaml:10: a second document starts here; one file holds one pipe: put the other document into a file of its own"
        ],
    );
    refuses(
        &MINIMAL.replace("localhost:9092", "localhost"),
        &expect![
            "p.yaml:4: `source.brokers`: `localhost` is no broker: write `host:port`, separated by commas"
        ],
    );
    refuses(
        &MINIMAL.replace("localhost:9092", "http://localhost:9092"),
        &expect![
            "p.yaml:4: `source.brokers`: `http://localhost:9092` is no broker: write `host:port`, separated by commas"
        ],
    );
}
