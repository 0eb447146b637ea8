//! Which rows of an insert a table has, and what it has taken since a moment.

use housepipe_ch_sink::{
    CountedTable, ErrorRow, ErrorTable, Insert, InsertFormat, Left, PlaceColumns, Places, Sink, SinkError,
    TableName,
};

use housepipe_local_stack::USER_BRIEF;

use super::{config, names, rows, sink, start};

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
            sink.rows_left(&sample, &types, &["s".to_owned()], None, 0).await.unwrap()
        }
    };
    assert_eq!(look(&[&nan, &null]).await, Left::Nothing);
    sink.insert(&insert(&[&nan, &null])).await.unwrap();
    assert_eq!(look(&[&nan, &null]).await, Left::All);
    assert_eq!(look(&[&nan, &other]).await, Left::Some);
    assert_eq!(look(&[&other]).await, Left::Nothing);
}

/// A text of at most 127 bytes, as RowBinary has it.
fn text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// ClickHouse writes the paths of a document in another order when it has just read it than when it has stored it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_many_keys_are_found() {
    let server = start();
    let sink = sink(&server);
    let documents = [
        r#"{"name":"x","id":7,"tags":["b","a"],"user":{"id":1,"city":"Lisbon"},"ok":true,"n":null,"f":1.5}"#,
        r#"{"z":1,"y":{"b":2,"a":[{"q":1,"p":2},{"p":3}]},"x":"a\"b","w":-3,"v":1e300,"u":"2026-01-01"}"#,
        r#"{"k9":9,"k8":8,"k7":7,"k6":6,"k5":5,"k4":4,"k3":3,"k2":2,"k1":1,"k0":0}"#,
    ];
    for (name, ty, nested) in [
        ("j1", "JSON", false),
        ("j2", "JSON(max_dynamic_paths = 2, id UInt32)", false),
        ("j3", "Array(JSON)", true),
    ] {
        server.query(&format!("CREATE TABLE {name} (a {ty}) ENGINE = MergeTree ORDER BY tuple()")).unwrap();
        let bytes = |document: &str| match nested {
            true => [&[2][..], &text(document), &text(document)].concat(),
            false => text(document),
        };
        let (columns, types) = (names(&["a"]), names(&[ty]));
        let insert =
            |body: &[u8], count: u64| Insert { json_as_string: true, ..rows(name, &columns, body, count) };
        let all: Vec<u8> = documents.iter().flat_map(|document| bytes(document)).collect();
        sink.insert(&insert(&all, 3)).await.unwrap();
        server.query(&format!("OPTIMIZE TABLE {name} FINAL")).unwrap();
        for document in documents {
            let left = sink.rows_left(&insert(&bytes(document), 1), &types, &[], None, 0).await.unwrap();
            assert_eq!(left, Left::All, "{ty}: {document}");
        }
        let other = bytes(r#"{"name":"x","id":8}"#);
        let left = sink.rows_left(&insert(&other, 1), &types, &[], None, 0).await.unwrap();
        assert_eq!(left, Left::Nothing, "{ty}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_found_by_their_places() {
    let server = start();
    let sink = sink(&server);
    server
        .query(
            "CREATE TABLE p (`the topic` LowCardinality(String), part UInt16, off Nullable(Int64), v String) \
             ENGINE = MergeTree ORDER BY v",
        )
        .unwrap();
    server
        .query(
            "INSERT INTO p VALUES ('a', 1, 10, 'x'), ('a', 1, 12, 'y'), ('a', 1, 12, 'y'), ('b', 1, 11, 'z')",
        )
        .unwrap();
    let columns = PlaceColumns {
        topic: "the topic".to_owned(),
        partition: "part".to_owned(),
        offset: "off".to_owned(),
    };
    let left = |topic: &'static str, partition, offsets: &'static [i64]| {
        let (sink, columns) = (sink.clone(), columns.clone());
        async move {
            let places = Places { columns: &columns, topic, partition, start: 10, end: 20 };
            sink.records_left("p", &places, offsets.iter().copied(), 0).await.unwrap()
        }
    };
    assert_eq!(left("a", 1, &[10, 12]).await, Left::All);
    assert_eq!(left("a", 1, &[10, 12, 13]).await, Left::Some);
    assert_eq!(left("a", 1, &[10]).await, Left::Some, "also one that is not wanted");
    assert_eq!(left("a", 2, &[10, 12]).await, Left::Nothing);
    assert_eq!(left("b", 1, &[11]).await, Left::All);
    assert_eq!(left("c", 1, &[11]).await, Left::Nothing);
    // Values are looked for at their places alone.
    let (names, types) = (names(&["v"]), names(&["String"]));
    let sample = rows("p", &names, &text("x"), 1);
    for (start, expected) in [(10, Left::All), (11, Left::Nothing)] {
        let places = Places { columns: &columns, topic: "a", partition: 1, start, end: 20 };
        let left = sink.rows_left(&sample, &types, &[], Some(&places), 0).await.unwrap();
        assert_eq!(left, expected);
    }
}

/// A profile that ends queries early does not make rows look as if they were not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_may_not_read_enough_is_an_error() {
    let server = start();
    server.query("CREATE TABLE q (v UInt8) ENGINE = MergeTree ORDER BY v").unwrap();
    server.query("INSERT INTO q SELECT 1 FROM numbers(20000) UNION ALL SELECT 7").unwrap();
    let sink = Sink::new(&config(&server, USER_BRIEF)).unwrap();
    let (columns, types) = (names(&["v"]), names(&["UInt8"]));
    let error = sink.rows_left(&rows("q", &columns, &[7], 1), &types, &[], None, 0).await.unwrap_err();
    assert!(matches!(&error, SinkError::Server { error, .. } if error.code == 158), "{error:?}");
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
                assert_eq!(
                    sink.rows_left(&sample, &types, &[], None, 0).await.unwrap(),
                    Left::All,
                    "row {n}"
                );
            }
        };
        tokio::join!(look, merge);
    }
}
