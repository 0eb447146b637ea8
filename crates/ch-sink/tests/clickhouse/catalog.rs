//! Lists of what a server has.

use housepipe_ch_sink::Sink;
use housepipe_local_stack::{DATABASE, ROLE_LOADERS, USER_NARROW, USER_WRITER};

use super::{config, sink, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_tables_and_roles_are_those_that_the_user_may_see() {
    let server = start();
    let sink = sink(&server);
    let run = |sql: &str| server.query(sql).unwrap();
    run("CREATE DATABASE `odd \\` name`");
    let listed = sink.databases().await.unwrap();
    let databases = listed.names;
    assert!(listed.are_all);
    assert!(databases.is_sorted() && databases.iter().any(|name| name == DATABASE), "{databases:?}");
    assert!(databases.iter().any(|name| name == "odd ` name"), "{databases:?}");
    assert!(!databases.iter().any(|name| name == "system" || name == "information_schema"), "{databases:?}");

    run("CREATE TABLE Clicks (n UInt64) ENGINE = MergeTree ORDER BY n COMMENT 'it''s of the shop'");
    run("INSERT INTO Clicks SELECT number FROM numbers(7)");
    run("CREATE VIEW clicks_seen AS SELECT n FROM Clicks");
    run("CREATE MATERIALIZED VIEW clicks_kept ENGINE = MergeTree ORDER BY n AS SELECT n FROM Clicks");
    run("CREATE TABLE `100%_odd'` (n UInt64) ENGINE = Memory");
    let (total, tables) = sink.tables(Some("CLICKS"), 0, 10).await.unwrap();
    let names: Vec<(&str, &str)> =
        tables.iter().map(|table| (table.name.as_str(), table.engine.as_str())).collect();
    assert_eq!(
        (total, names),
        (3, vec![("Clicks", "MergeTree"), ("clicks_kept", "MaterializedView"), ("clicks_seen", "View")])
    );
    assert_eq!((tables[0].rows, tables[0].comment.as_str()), (Some(7), "it's of the shop"));
    assert!(tables[0].bytes.is_some_and(|bytes| bytes > 0) && tables[2].rows.is_none(), "{tables:?}");
    let (total, tables) = sink.tables(Some("clicks"), 1, 1).await.unwrap();
    assert_eq!((total, tables.len(), tables[0].name.as_str()), (3, 1, "clicks_kept"));
    // A part is no pattern.
    for (part, found) in [("%_odd'", 1), ("100%", 1), ("1_0", 0)] {
        assert_eq!(sink.tables(Some(part), 0, 10).await.unwrap().0, found, "{part}");
    }
    let (total, _) = sink.tables(None, 0, 10).await.unwrap();
    assert_eq!(total, 4, "what a view keeps its rows in is its own");
    let mut elsewhere = config(&server, USER_WRITER);
    elsewhere.database = "nowhere".to_owned();
    assert_eq!(Sink::new(&elsewhere).unwrap().tables(None, 0, 10).await.unwrap_err().code(), Some(81));

    let roles = sink.roles().await.unwrap();
    assert!(roles.are_all && roles.names.iter().any(|name| name == ROLE_LOADERS), "{roles:?}");
    let limited = Sink::new(&config(&server, USER_WRITER)).unwrap();
    let roles = limited.roles().await.unwrap();
    assert!(!roles.are_all, "{roles:?}");
    let narrow = Sink::new(&config(&server, USER_NARROW)).unwrap();
    assert_eq!(narrow.databases().await.unwrap().names, [DATABASE]);
    // Also from within a database of which it may read nothing.
    let mut within = config(&server, USER_NARROW);
    within.database = "system".to_owned();
    let within = Sink::new(&within).unwrap();
    assert_eq!(within.databases().await.unwrap().names, [DATABASE]);
    assert!(!within.roles().await.unwrap().are_all);
}
