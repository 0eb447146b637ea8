//! Which rows of an insert a table has, and what it has taken since a moment.

use housepipe_ch_sink::{CountedTable, ErrorRow, ErrorTable, Insert, InsertFormat, Left, TableName};

use super::{names, rows, sink, start};

const COLUMNS: &str = "a Nullable(Float64), j JSON, s String DEFAULT 'x'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_an_insert_are_found_by_their_bytes() {
    let server = start();
    let sink = sink(&server);
    server.query(&format!("CREATE TABLE t ({COLUMNS}) ENGINE = MergeTree ORDER BY tuple()")).unwrap();
    let columns = names(&["a", "j", "s"]);
    let types = names(&["Nullable(Float64)", "JSON", "String"]);
    // Each value behind a byte that says whether the server fills it: NaN with a given text, null with the default one.
    let nan: Vec<u8> = [&[0, 0][..], &f64::NAN.to_le_bytes(), b"\x00\x07{\"b\":1}", b"\x00\x01y"].concat();
    let null: Vec<u8> = [&[0, 1][..], b"\x00\x02{}", b"\x01"].concat();
    let other: Vec<u8> = [&[0, 1][..], b"\x00\x07{\"b\":2}", b"\x01"].concat();
    let insert = |body: &[&[u8]]| Insert {
        format: InsertFormat::RowBinaryWithDefaults,
        json_as_string: true,
        ..rows("t", &columns, &body.concat(), body.len() as u64)
    };
    let look = |body: &[&[u8]]| {
        let (sample, types, sink) = (insert(body), types.clone(), sink.clone());
        let (sample_columns, body) = (columns.clone(), sample.body.clone());
        async move {
            let sample = Insert {
                table: "t",
                columns: &sample_columns,
                format: InsertFormat::RowBinaryWithDefaults,
                body,
                rows: 2,
                token: None,
                json_as_string: true,
                session: None,
            };
            sink.rows_left(&sample, &types, &["s".to_owned()], 0).await.unwrap()
        }
    };
    assert_eq!(look(&[&nan, &null]).await, Left::Nothing);
    sink.insert(&insert(&[&nan, &null])).await.unwrap();
    assert_eq!(look(&[&nan, &null]).await, Left::All);
    assert_eq!(look(&[&nan, &other]).await, Left::Some);
    assert_eq!(look(&[&other]).await, Left::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_rows_are_found_by_their_batch() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    let mut row = ErrorRow::record("p", "t", 0, 1, "c");
    row.batch_token = "it's one".to_owned();
    let clock = sink.server_clock().await.unwrap();
    assert!(clock.started_unix_s <= clock.now_unix_s);
    let before = clock.started_unix_s;
    assert!(sink.error_offsets_left("e", &["x".to_owned(), "it's one".to_owned()]).await.unwrap().is_empty());
    sink.insert_errors(&table, &[row.clone()], None, None).await.unwrap();
    assert_eq!(
        sink.error_offsets_left("e", &["x".to_owned(), "it's one".to_owned()]).await.unwrap(),
        [1].into()
    );
    assert!(sink.error_offsets_left("e", &["another".to_owned()]).await.unwrap().is_empty());
    // Blocks count from a moment on; what was before does not.
    let name = TableName { database: server.database().to_owned(), table: "e".to_owned() };
    assert_eq!(sink.taken_since(&name, before).await.unwrap().blocks_max, 1);
    for offset in 2..5 {
        // The same rows once more would be dropped, and no block.
        row.offset = offset;
        sink.insert_errors(&table, &[row.clone()], None, None).await.unwrap();
    }
    assert_eq!(sink.taken_since(&name, before).await.unwrap().blocks_max, 4);
    let later = before + 1_000;
    assert_eq!(sink.taken_since(&name, later).await.unwrap().blocks_max, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_counts_blocks_that_merges_have_dated_anew() {
    let server = start();
    let sink = sink(&server);
    let create = |name: &str, engine: &str| {
        server
            .query(&format!(
                "CREATE TABLE {name} (n UInt8) ENGINE = {engine} SETTINGS old_parts_lifetime = 0"
            ))
            .unwrap();
    };
    create("m", "MergeTree ORDER BY n");
    create("other", "ReplacingMergeTree ORDER BY n");
    let table = |table: &str, is_for_rows| {
        let name = TableName { database: server.database().to_owned(), table: table.to_owned() };
        CountedTable { name, is_for_rows }
    };
    let tables = [table("m", true), table("other", false)];
    let insert = |table: &str, count: u8| {
        for n in 0..count {
            server.query(&format!("INSERT INTO {table} SETTINGS async_insert = 0 VALUES ({n})")).unwrap();
        }
    };
    let empty = sink.block_mark(&tables).await.unwrap().unwrap();
    assert_eq!((empty.all.number, empty.rows.unwrap().number), (0, 0));
    insert("m", 5);
    insert("other", 2);
    let before = sink.block_mark(&tables).await.unwrap().unwrap();
    assert_eq!(before.all.since(empty.all), Some(7));
    assert_eq!((before.rows_since(empty), before.others_since(empty)), (Some(5), Some(2)));
    insert("m", 3);
    server.query("OPTIMIZE TABLE m FINAL").unwrap();
    let now = sink.block_mark(&tables).await.unwrap().unwrap();
    assert_eq!((now.rows_since(before), now.others_since(before)), (Some(3), Some(0)));
    // One for rejects that was made anew says nothing of the others, and nothing can be said of it.
    server.query("DROP TABLE other SYNC").unwrap();
    create("other", "ReplacingMergeTree ORDER BY n");
    let anew = sink.block_mark(&tables).await.unwrap().unwrap();
    assert_eq!((anew.rows_since(before), anew.others_since(before)), (Some(3), None));
    assert!(!anew.is_of_other_tables(before));
    // A table that was made anew is another one, and one that is not there tells nothing.
    server.query("DROP TABLE m SYNC").unwrap();
    assert_eq!(sink.block_mark(&tables).await.unwrap(), None);
    create("m", "MergeTree ORDER BY n");
    insert("m", 20);
    let other = sink.block_mark(&tables).await.unwrap().unwrap();
    assert_eq!(other.rows_since(before), None);
    assert!(other.is_of_other_tables(before));
    assert!(sink.has_rows("m").await.unwrap() && !sink.has_rows("other").await.unwrap());
    server.query("CREATE TABLE log (n UInt8) ENGINE = Log").unwrap();
    assert_eq!(sink.block_mark(&[table("m", true), table("log", true)]).await.unwrap(), None);
    assert_eq!(sink.block_mark(&[]).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_found_while_parts_are_merged() {
    let server = start();
    let sink = sink(&server);
    server.query("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n").unwrap();
    let (columns, types) = (names(&["n"]), names(&["UInt64"]));
    let insert = |n: u64| rows("t", &columns, &n.to_le_bytes(), 1);
    for n in 0..300u64 {
        sink.insert(&insert(n)).await.unwrap();
        let sample = insert(n);
        let merge = async {
            tokio::task::block_in_place(|| server.query("OPTIMIZE TABLE t FINAL").unwrap());
        };
        let look = async {
            for _ in 0..3 {
                assert_eq!(sink.rows_left(&sample, &types, &[], 0).await.unwrap(), Left::All, "row {n}");
            }
        };
        tokio::join!(look, merge);
    }
}
