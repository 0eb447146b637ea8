//! Rows for people to look at.

use housepipe_ch_sink::{RowsOf, Sink};
use housepipe_local_stack::USER_WRITER;

use super::{config, sink, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_of_the_last_inserts_are_shown_as_json() {
    let server = start();
    let sink = sink(&server);
    let run = |sql: &str| server.query(sql).unwrap();
    run("CREATE TABLE seen (n UInt64, f Float64, s String) ENGINE = MergeTree ORDER BY n");
    run("SYSTEM STOP MERGES seen");
    run("INSERT INTO seen SELECT number, number, 'old' FROM numbers(1000)");
    run("INSERT INTO seen VALUES (18446744073709551615, nan, 'a\"b'), (2000, 1.5, 'ü')");
    let shown = sink.newest_rows("seen", 2, 1 << 20).await.unwrap();
    assert_eq!((shown.rows_of, shown.is_cut), (RowsOf::NewestParts, false));
    assert_eq!(
        shown.rows,
        [r#"{"n":2000,"f":1.5,"s":"ü"}"#, r#"{"n":18446744073709551615,"f":"nan","s":"a\"b"}"#,]
    );
    let more = sink.newest_rows("seen", 500, 1 << 20).await.unwrap();
    assert_eq!(more.rows.len(), 500);
    assert!(more.rows.iter().any(|row| row.contains("old")));
    let cut = sink.newest_rows("seen", 500, 100).await.unwrap();
    assert!(cut.is_cut && !cut.rows.is_empty() && cut.rows.len() < 5, "{cut:?}");
    assert!(cut.rows.iter().all(|row| row.ends_with('}')), "{cut:?}");

    run("CREATE TABLE of_memory (n UInt8) ENGINE = Memory");
    run("INSERT INTO of_memory VALUES (7)");
    let shown = sink.newest_rows("of_memory", 10, 1 << 20).await.unwrap();
    assert_eq!((shown.rows_of, shown.rows), (RowsOf::AnyParts, vec![r#"{"n":7}"#.to_owned()]));

    assert_eq!(sink.newest_rows("nothing", 10, 1 << 20).await.unwrap_err().code(), Some(60));
    let limited = Sink::new(&config(&server, USER_WRITER)).unwrap();
    assert_eq!(limited.newest_rows("seen", 10, 1 << 20).await.unwrap_err().code(), Some(497));
}
