//! An insert into more partitions of a table than the server lets one have.

use housepipe_ch_sink::{FailureClass, Insert};

use super::{names, rows, sink, start};

const WINDOW: &str = "SETTINGS non_replicated_deduplication_window = 1000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_partitions_are_no_passing_failure_and_store_nothing() {
    let server = start();
    let sink = sink(&server);
    let create = |name: &str, rest: &str| {
        server.query(&format!("CREATE TABLE {name} (n UInt8) ENGINE = MergeTree {rest} {WINDOW}")).unwrap();
    };
    create("t", "PARTITION BY n ORDER BY n");
    let (columns, all): (_, Vec<u8>) = (names(&["n"]), (0..150).collect());
    let whole = Insert { token: Some("whole"), ..rows("t", &columns, &all, 150) };
    let error = sink.insert(&whole).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("(code 252 TOO_MANY_PARTS): Too many partitions for"), "{text}");
    assert!(text.contains("raise `max_partitions_per_insert_block`"), "{text}");
    assert_eq!((error.class(), error.named_row()), (FailureClass::Divide, None));
    assert!(error.has_stored_nothing());
    assert_eq!(sink.count("t").await.unwrap(), 0);
    // Each partition knows tokens of its own.
    for half in [&all[..75], &all[75..]] {
        sink.insert(&Insert { token: Some("half"), ..rows("t", &columns, half, 75) }).await.unwrap();
    }
    assert_eq!(sink.count("t").await.unwrap(), 150);

    // Too many parts have the same code, and pass by themselves.
    create("parts", "ORDER BY n");
    server
        .query("ALTER TABLE parts MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1, max_delay_to_insert = 1")
        .unwrap();
    server.query("SYSTEM STOP MERGES parts").unwrap();
    let mut refused = None;
    for n in 0..10 {
        refused = refused.or(sink.insert(&rows("parts", &columns, &[n], 1)).await.err());
    }
    let error = refused.unwrap();
    assert_eq!((error.code(), error.class()), (Some(252), FailureClass::Retry), "{error}");

    // Behind a view the table before it has the rows: divided, they would be there twice.
    create("seen", "PARTITION BY n ORDER BY n");
    create("viewed", "ORDER BY n");
    server.query("CREATE MATERIALIZED VIEW v TO seen AS SELECT n FROM viewed").unwrap();
    let error = sink.insert(&rows("viewed", &columns, &all, 150)).await.unwrap_err();
    assert_eq!((error.class(), error.has_stored_nothing()), (FailureClass::Hold, false), "{error}");
}
