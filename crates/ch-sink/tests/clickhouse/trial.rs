//! A definition is judged by the server before a table of it exists, as it is when the table is created.

use housepipe_ch_sink::{ColumnDef, CreateTable, Sink, Trial};
use housepipe_local_stack::USER_LIMITED;

use super::{config, sink, start};

fn table() -> CreateTable {
    let column =
        |name: &str, type_sql: &str| ColumnDef { name: name.to_owned(), type_sql: type_sql.to_owned() };
    CreateTable {
        name: "t".to_owned(),
        columns: vec![
            column("ts", "DateTime64(3, 'UTC')"),
            column("odd `name", "String"),
            column("maybe", "Nullable(UInt64)"),
            column("n", "UInt64"),
        ],
        engine: "MergeTree".to_owned(),
        order_by: vec!["ts".to_owned()],
        partition_by: Some("toYYYYMM(ts)".to_owned()),
        ttl: None,
        settings: Vec::new(),
        on_cluster: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_no_table_can_have_are_known_before() {
    let server = start();
    let sink = sink(&server);
    let named = |name: &str| CreateTable { name: name.to_owned(), ..table() };
    // What is said beforehand is what the server does, however it writes the letters into names of files.
    for (letters, counted) in [("n", 1), ("-", 3), ("ü", 6), ("_.9", 5)] {
        let (mut longest, mut shortest_refused) = (String::new(), String::new());
        for length in (150 / counted)..=(250 / counted) {
            let name = letters.repeat(length);
            let may_be = sink.check_table_names(&["t", &name]).await;
            let created = sink.create_table(&named(&name)).await;
            assert_eq!(may_be.is_ok(), created.is_ok(), "{length} × {letters}: {may_be:?} {created:?}");
            match created {
                Ok(()) => longest = name,
                Err(_) if shortest_refused.is_empty() => shortest_refused = name,
                Err(_) => {}
            }
        }
        assert!(!longest.is_empty(), "{letters}: none was created");
        // One that is there may be there.
        assert!(sink.check_table_names(&[&longest]).await.is_ok());
        let error = sink.check_table_names(&["t", &shortest_refused]).await.unwrap_err().to_string();
        assert!(error.contains("is longer than a table's name may be"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_trial_says_is_what_becomes_of_the_table() {
    let server = start();
    let sink = sink(&server);
    let key = |key: &str| CreateTable { order_by: vec![key.to_owned()], ..table() };
    let partition = |key: &str| CreateTable { partition_by: Some(key.to_owned()), ..table() };
    let ttl = |ttl: &str| CreateTable { ttl: Some(ttl.to_owned()), ..table() };
    let engine = |engine: &str| CreateTable { engine: engine.to_owned(), ..table() };
    let cases = [
        (table(), None),
        (key("odd `name"), None),
        (key("cityHash64(n, ts)"), None),
        (ttl("toDateTime(ts) + INTERVAL 30 DAY"), None),
        (engine("ReplacingMergeTree(n)"), None),
        (CreateTable { order_by: vec![], partition_by: None, engine: "Memory".to_owned(), ..table() }, None),
        (key("tsx"), Some("tsx")),
        (key("maybe"), Some("nullable")),
        (key("ts) SETTINGS x = 1"), Some("parentheses")),
        (partition("toYYYYMM(gone)"), Some("gone")),
        (partition("toYYYYMM(`odd \\`name`)"), Some("toYYYYMM")),
        (ttl("gone + INTERVAL 1 DAY"), Some("gone")),
        (engine("ReplacingMergeTree(gone)"), Some("gone")),
        (engine("NoSuchMergeTree"), Some("NoSuchMergeTree")),
    ];
    for (create, refused) in cases {
        let said = match sink.try_table(&create).await.unwrap() {
            Trial::Taken => None,
            Trial::Refused(error) => Some(error.to_string()),
            Trial::Unknown(error) => panic!("{}: {error}", create.sql()),
        };
        match (&said, refused) {
            (None, None) => {}
            (Some(said), Some(words)) => {
                assert!(said.to_lowercase().contains(&words.to_lowercase()), "no `{words}` in {said}");
            }
            _ => panic!("{}: {said:?}", create.sql()),
        }
        assert_eq!(
            server.query("SELECT count() FROM system.tables WHERE database = 'housepipe'").unwrap(),
            "0\n"
        );
        assert_eq!(sink.create_table(&create).await.is_ok(), refused.is_none(), "{}", create.sql());
        server.query("DROP TABLE IF EXISTS t SYNC").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicated_table_is_tried_without_keeper_and_without_the_right_nothing_is_known() {
    let server = start();
    let engine = "ReplicatedReplacingMergeTree('/t/{shard}', '{replica}', n)".to_owned();
    let replicated = CreateTable { engine, ..table() };
    let limited = Sink::new(&config(&server, USER_LIMITED)).unwrap();
    assert!(matches!(sink(&server).try_table(&replicated).await.unwrap(), Trial::Taken));
    assert!(matches!(limited.try_table(&replicated).await.unwrap(), Trial::Unknown(_)));
    assert!(matches!(limited.try_table(&table()).await.unwrap(), Trial::Unknown(_)));
}
