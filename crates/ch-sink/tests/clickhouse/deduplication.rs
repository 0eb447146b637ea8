//! The facts of deduplication are those of the server, and the verdicts are what it does.

use housepipe_ch_sink::{
    ColumnDef, CreateTable, DEDUPLICATION_WINDOW_BLOCKS, Deduplication, ErrorTable, Finding, Insert,
    Severity, Sink, judge,
};
use housepipe_local_stack::{Clickhouse, USER_NARROW};

use super::{config, names, rows, sink, start};

async fn judged(sink: &Sink, table: &str) -> Deduplication {
    judge(&sink.deduplication_facts(table).await.unwrap().unwrap(), 1.0)
}

/// Inserts the same row twice with the same token; returns how many `counted` has then.
async fn count_of_a_repetition(sink: &Sink, table: &str, counted: &str) -> u64 {
    let columns = names(&["a"]);
    for _ in 0..2 {
        sink.insert(&Insert { token: Some("same"), ..rows(table, &columns, &[1], 1) }).await.unwrap();
    }
    sink.count(counted).await.unwrap()
}

fn run(server: &Clickhouse, statements: &[&str]) {
    for statement in statements {
        server.query(statement).unwrap();
    }
}

const WINDOW: &str = "SETTINGS non_replicated_deduplication_window = 100";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_table_remembers_is_read_and_mended_by_the_statement() {
    let server = start();
    let sink = sink(&server);
    assert_eq!(sink.deduplication_facts("absent").await.unwrap(), None);
    run(
        &server,
        &[
            "CREATE TABLE `o``dd` (a UInt8) ENGINE = MergeTree ORDER BY a",
            &format!(
                "CREATE TABLE daily (a UInt8) ENGINE = MergeTree PARTITION BY a ORDER BY a {WINDOW}, fsync_after_insert = 1"
            ),
        ],
    );

    let facts = sink.deduplication_facts("o`dd").await.unwrap().unwrap();
    assert!(facts.has_deduplicate_insert);
    let verdict = judge(&facts, 1.0);
    let refusals: Vec<&Finding> = verdict.refusals().collect();
    assert!(matches!(refusals[..], [Finding::NoWindow { view: None, .. }]), "{verdict:?}");
    assert_eq!(count_of_a_repetition(&sink, "o`dd", "o`dd").await, 2, "as the verdict says");
    server.query(&refusals[0].statement().unwrap()).unwrap();
    let note = verdict.with(Severity::Note).next().unwrap();
    server.query(&note.statement().unwrap()).unwrap();
    let mended = judged(&sink, "o`dd").await;
    assert_eq!((mended.findings, mended.horizon.unwrap().seconds), (vec![], DEDUPLICATION_WINDOW_BLOCKS));
    // The second of the two stands in the table, and a third with its token is dropped.
    let columns = names(&["a"]);
    for _ in 0..2 {
        sink.insert(&Insert { token: Some("other"), ..rows("o`dd", &columns, &[1], 1) }).await.unwrap();
    }
    assert_eq!(sink.count("o`dd").await.unwrap(), 3);

    assert_eq!(count_of_a_repetition(&sink, "daily", "daily").await, 1);
    sink.insert(&rows("daily", &columns, &[1, 2, 3], 3)).await.unwrap();
    let facts = sink.deduplication_facts("daily").await.unwrap().unwrap();
    let daily = &facts.destination;
    assert_eq!((daily.window_blocks, daily.window_seconds, daily.partitions_per_insert), (100, None, 3));
    assert!(daily.fsync_after_insert && daily.blocks_written >= Some(4), "{daily:?}");
    assert_eq!(judge(&facts, 1.0).horizon.unwrap().seconds, 33);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_of_views_count_and_a_null_table_passes_on() {
    let server = start();
    let sink = sink(&server);
    run(
        &server,
        &[
            &format!("CREATE TABLE source (a UInt8) ENGINE = MergeTree ORDER BY a {WINDOW}"),
            &format!("CREATE TABLE first (a UInt8) ENGINE = MergeTree ORDER BY a {WINDOW}"),
            "CREATE TABLE second (a UInt8) ENGINE = MergeTree ORDER BY a",
            "CREATE MATERIALIZED VIEW v1 TO first AS SELECT a FROM source",
            "CREATE MATERIALIZED VIEW v2 TO second AS SELECT a FROM first",
            "CREATE TABLE nothing (a UInt8) ENGINE = Null",
            "CREATE MATERIALIZED VIEW v3 TO first AS SELECT a FROM nothing",
        ],
    );
    let verdict = judged(&sink, "source").await;
    let refusals: Vec<&Finding> = verdict.refusals().collect();
    let [Finding::NoWindow { table, view: Some(view), .. }] = refusals[..] else { panic!("{verdict:?}") };
    assert_eq!((table.table.as_str(), view.table.as_str()), ("second", "v2"));
    assert_eq!(count_of_a_repetition(&sink, "source", "second").await, 2, "as the verdict says");
    server.query(&refusals[0].statement().unwrap()).unwrap();
    assert_eq!(judged(&sink, "source").await.refusals().count(), 0);

    // The inner table of a view counts as well.
    run(&server, &["CREATE MATERIALIZED VIEW v4 ENGINE = MergeTree ORDER BY a AS SELECT a FROM source"]);
    let verdict = judged(&sink, "source").await;
    server.query(&verdict.refusals().next().unwrap().statement().unwrap()).unwrap();
    assert_eq!(judged(&sink, "source").await.refusals().count(), 0);

    let verdict = judged(&sink, "nothing").await;
    assert_eq!(
        (verdict.refusals().count(), verdict.horizon.map(|h| h.table.table)),
        (0, Some("first".to_owned()))
    );
    let before = sink.count("first").await.unwrap();
    let after = count_of_a_repetition(&sink, "nothing", "first").await;
    assert_eq!(after, before + 1, "each view has tokens of its own, and drops what is repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_window_helps_against_is_refused() {
    let server = start();
    let sink = sink(&server);
    run(
        &server,
        &[
            "CREATE TABLE memory (a UInt8) ENGINE = Memory",
            &format!(
                "CREATE TABLE scattered (a UInt8, r UInt32 DEFAULT rand(), k UInt8 MATERIALIZED r % 200) \
                 ENGINE = MergeTree PARTITION BY k ORDER BY a {WINDOW}"
            ),
            &format!(
                "CREATE TABLE stamped (a UInt8, t DateTime64(6) DEFAULT now64(6)) ENGINE = MergeTree ORDER BY a {WINDOW}"
            ),
            "CREATE TABLE lottery AS stamped ENGINE = Distributed('housepipe', currentDatabase(), 'stamped', rand())",
            "CREATE TABLE sharded AS stamped ENGINE = Distributed('housepipe', currentDatabase(), 'stamped', cityHash64(a))",
        ],
    );
    let found = |verdict: &Deduplication| verdict.refusals().next().cloned();
    let verdict = judged(&sink, "memory").await;
    assert!(matches!(found(&verdict), Some(Finding::EngineForgets { .. })), "{verdict:?}");
    assert_eq!(count_of_a_repetition(&sink, "memory", "memory").await, 2);

    let verdict = judged(&sink, "scattered").await;
    let Some(Finding::VolatilePartition { column, cause, .. }) = found(&verdict) else {
        panic!("{verdict:?}")
    };
    assert_eq!((column.as_str(), cause.as_str()), ("k", "r"));
    server.query(&found(&verdict).unwrap().statement().unwrap()).unwrap();
    assert_eq!(judged(&sink, "scattered").await.refusals().count(), 0);

    // A time of arrival that no partition depends on does no harm: the first attempt's stays.
    assert_eq!(judged(&sink, "stamped").await.refusals().count(), 0);
    assert_eq!(count_of_a_repetition(&sink, "stamped", "stamped").await, 1);

    let verdict = judged(&sink, "lottery").await;
    assert!(matches!(found(&verdict), Some(Finding::RandomSharding { .. })), "{verdict:?}");
    let verdict = judged(&sink, "sharded").await;
    assert_eq!((verdict.refusals().count(), verdict.with(Severity::Warning).count()), (0, 1), "{verdict:?}");

    // A target that the user may not see.
    run(
        &server,
        &[
            "CREATE DATABASE hidden",
            "CREATE TABLE hidden.target (a UInt8) ENGINE = MergeTree ORDER BY a",
            "CREATE MATERIALIZED VIEW v TO hidden.target AS SELECT a FROM stamped",
        ],
    );
    let narrow = Sink::new(&config(&server, USER_NARROW)).unwrap();
    let verdict = judged(&narrow, "stamped").await;
    let Some(unseen @ Finding::TargetUnseen { .. }) = found(&verdict) else { panic!("{verdict:?}") };
    assert_eq!(unseen.statement().unwrap(), "GRANT SHOW TABLES, SHOW COLUMNS ON `hidden`.* TO `narrow`");
    // Nor the server's settings; what the table sets by itself is known.
    assert!(verdict.findings.iter().any(|finding| matches!(finding, Finding::DefaultsUnseen { .. })));
    let facts = narrow.deduplication_facts("stamped").await.unwrap().unwrap();
    assert_eq!((facts.destination.window_blocks, facts.destination.blocks_written), (100, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_ours_is_as_planned() {
    let server = start();
    let sink = sink(&server);
    let create = CreateTable {
        name: "ours".to_owned(),
        columns: vec![ColumnDef { name: "a".to_owned(), type_sql: "UInt8".to_owned() }],
        engine: "ReplacingMergeTree()".to_owned(),
        order_by: vec!["a".to_owned()],
        partition_by: None,
        ttl: None,
        settings: Vec::new(),
        on_cluster: None,
    };
    let planned = sink.planned_deduplication_facts(&create).await.unwrap();
    assert_eq!(planned.destination.window_blocks, DEDUPLICATION_WINDOW_BLOCKS);
    sink.create_table(&create).await.unwrap();
    assert_eq!(sink.deduplication_facts("ours").await.unwrap().unwrap(), planned);
    assert_eq!(count_of_a_repetition(&sink, "ours", "ours").await, 1);

    let errors = ErrorTable::new("errors", 7);
    let planned = sink.planned_error_table_facts(&errors).await.unwrap();
    assert_eq!(planned.destination.window_blocks, DEDUPLICATION_WINDOW_BLOCKS);
    sink.create_error_table(&errors).await.unwrap();
    assert_eq!(sink.deduplication_facts("errors").await.unwrap().unwrap(), planned);

    // Replicated tables keep the server's defaults.
    let replicated = CreateTable { engine: "ReplicatedMergeTree".to_owned(), ..create };
    let planned = sink.planned_deduplication_facts(&replicated).await.unwrap().destination;
    assert_eq!((planned.window_blocks, planned.window_seconds), (10_000, Some(3_600)));
}
