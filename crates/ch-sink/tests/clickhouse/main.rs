//! The sink against a real ClickHouse.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

mod aftermath;
mod catalog;
mod deduplication;
mod error_log;
mod error_system;
mod exactly_once_check;
mod look;
mod newest_rows;
mod partitions;
mod trial;
mod users;

use bytes::Bytes;
use housepipe_ch_sink::{
    ColumnDef, Compression, CreateTable, DefaultKind, ErrorRow, ErrorTable, FailureClass, Insert,
    InsertFormat, NetworkFault, Sink, SinkConfig, SinkError,
};
use housepipe_local_stack::{
    Clickhouse, ClickhouseOptions, Silent, USER_APP, USER_LIMITED, User, Wanted, prepare_wanted,
};

fn start() -> Clickhouse {
    let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
    Clickhouse::start(&parts, &ClickhouseOptions::default()).unwrap()
}

fn config(server: &Clickhouse, user: User) -> SinkConfig {
    let mut config = SinkConfig::new(server.url(), server.database());
    config.username = user.name.to_owned();
    config.password = Some(user.password.to_owned().into());
    config
}

fn sink(server: &Clickhouse) -> Sink {
    Sink::new(&config(server, USER_APP)).unwrap()
}

fn rows<'a>(table: &'a str, columns: &'a [String], body: &[u8], rows: u64) -> Insert<'a> {
    let body = Bytes::copy_from_slice(body);
    Insert {
        table,
        columns,
        format: InsertFormat::RowBinary,
        body,
        rows,
        token: None,
        json_as_string: false,
        session: None,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_definitions_arrive_as_sent() {
    let server = start();
    let sink = sink(&server);
    assert_eq!(sink.server().await.unwrap().timezone, "UTC");
    assert!(sink.describe("t").await.unwrap().is_none());

    let column =
        |name: &str, type_sql: &str| ColumnDef { name: name.to_owned(), type_sql: type_sql.to_owned() };
    let create = CreateTable {
        name: "t".to_owned(),
        columns: vec![column("n", "UInt8"), column("odd `\\ name", "UInt8")],
        engine: "MergeTree".to_owned(),
        order_by: vec!["n".to_owned(), "odd `\\ name".to_owned()],
        partition_by: Some("n % 2".to_owned()),
        ttl: None,
        settings: Vec::new(),
        on_cluster: None,
    };
    sink.create_table(&create).await.unwrap();
    sink.create_table(&create).await.unwrap();
    let info = sink.describe("t").await.unwrap().unwrap();
    assert_eq!((info.engine.as_str(), info.columns[1].name.as_str()), ("MergeTree", "odd `\\ name"));
    let columns = names(&["odd `\\ name", "n"]);
    assert_eq!(sink.insert(&rows("t", &columns, &[1, 2, 3, 4], 2)).await.unwrap().rows, 2);
    assert_eq!(server.query("SELECT * FROM t ORDER BY n").unwrap(), "2\t1\n4\t3\n");
    assert_eq!(sink.count("t").await.unwrap(), 2);

    // DEFAULT columns are left out by a byte before each value.
    server.query("CREATE TABLE f (a UInt8, b UInt8 DEFAULT a + 1, c UInt8 ALIAS a, m UInt8 MATERIALIZED a) ENGINE = Memory").unwrap();
    let kinds: Vec<_> =
        sink.describe("f").await.unwrap().unwrap().columns.iter().map(|c| c.default_kind).collect();
    assert_eq!(
        kinds,
        [DefaultKind::None, DefaultKind::Default, DefaultKind::Alias, DefaultKind::Materialized]
    );
    let columns = names(&["a", "b"]);
    let with_defaults = Insert {
        format: InsertFormat::RowBinaryWithDefaults,
        ..rows("f", &columns, &[0, 7, 1, 0, 8, 0, 9], 2)
    };
    sink.insert(&with_defaults).await.unwrap();
    assert_eq!(server.query("SELECT a, b FROM f ORDER BY a").unwrap(), "7\t8\n8\t9\n");

    server.query("CREATE TABLE j (v JSON) ENGINE = Memory").unwrap();
    let json = Insert { json_as_string: true, ..rows("j", &[], b"\x07{\"a\":1}", 1) };
    sink.insert(&json).await.unwrap();
    assert_eq!(server.query("SELECT v.a FROM j").unwrap(), "1\n");

    // More than one chunk, compressed, in one block.
    server.query("CREATE TABLE big (n UInt64) ENGINE = MergeTree ORDER BY ()").unwrap();
    let mut lz4 = config(&server, USER_APP);
    lz4.compression = Compression::Lz4;
    let body: Vec<u8> = (0..500_000_u64).flat_map(u64::to_le_bytes).collect();
    Sink::new(&lz4).unwrap().insert(&rows("big", &[], &body, 500_000)).await.unwrap();
    assert_eq!(
        server.query("SELECT count(), sum(n), uniqExact(_part) FROM big").unwrap(),
        "500000\t124999750000\t1\n"
    );

    // A token is applied once where the table has a window.
    server
        .query("CREATE TABLE d (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100")
        .unwrap();
    for token in ["x", "x", "y"] {
        sink.insert(&Insert { token: Some(token), ..rows("d", &[], &[1], 1) }).await.unwrap();
    }
    assert_eq!(sink.count("d").await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_class() {
    let mut server = start();
    let sink = sink(&server);
    let refused = |error: SinkError| (error.code(), error.class());
    server
        .query("CREATE TABLE t (n UInt8, CONSTRAINT c CHECK n < 10) ENGINE = MergeTree ORDER BY n")
        .unwrap();

    let error = sink.insert(&rows("absent", &[], &[1], 1)).await.unwrap_err();
    assert_eq!(refused(error), (Some(60), FailureClass::Hold));
    let error = sink.insert(&rows("t", &names(&["absent"]), &[1], 1)).await.unwrap_err();
    assert_eq!(refused(error), (Some(16), FailureClass::Hold));
    let error = sink.insert(&rows("t", &[], &[1, 200], 2)).await.unwrap_err();
    assert!(!error.to_string().contains("200"), "{error}");
    assert_eq!(error.named_row(), Some(1), "the server names the row: {error}");
    assert_eq!(refused(error), (Some(469), FailureClass::IsolateRow));
    assert_eq!(sink.count("t").await.unwrap(), 0, "a refused insert stores nothing");

    let mut nowhere = config(&server, USER_APP);
    nowhere.database = "absent".to_owned();
    let error = Sink::new(&nowhere).unwrap().server().await.unwrap_err();
    assert_eq!(refused(error), (Some(81), FailureClass::Hold));

    let wrong = Sink::new(&config(&server, User { name: USER_APP.name, password: "hunter2" })).unwrap();
    let error = wrong.insert(&rows("t", &[], &[1], 1)).await.unwrap_err();
    assert!(error.to_string().contains("password") && !error.to_string().contains("hunter2"), "{error}");
    assert_eq!(refused(error), (Some(516), FailureClass::Hold));

    let errors = ErrorTable::new("e", 7);
    assert!(sink.grants_check("t", Some(&errors)).await.unwrap().is_empty());
    let problems =
        Sink::new(&config(&server, USER_LIMITED)).unwrap().grants_check("t", Some(&errors)).await.unwrap();
    let missing: Vec<_> = problems.iter().map(|problem| problem.privilege).collect();
    assert_eq!(missing, ["INSERT", "CREATE TABLE"], "{problems:?}");

    let mut hasty = config(&server, USER_APP);
    hasty.insert_timeout_ms = 300;
    let hasty = Sink::new(&hasty).unwrap();
    hasty.has_setting("async_insert").await.unwrap();
    // Few rows, so that they are one block, and more bytes than the sockets take.
    server.query("CREATE TABLE long (s String) ENGINE = MergeTree ORDER BY tuple()").unwrap();
    let row = [&[0x80, 0x80, 0x40][..], &vec![b'x'; 1 << 20]].concat();
    let failed = || {
        let sql = "SELECT sum(value) FROM system.events WHERE event = 'FailedInsertQuery'";
        server.query(sql).unwrap().trim().parse::<u64>().unwrap()
    };
    let failed_before = failed();
    server.freeze().unwrap();
    let error = hasty.insert(&rows("long", &[], &row.repeat(20), 20)).await.unwrap_err();
    server.thaw().unwrap();
    assert!(matches!(error, SinkError::TimedOut { timeout_ms: 300, .. }), "{error:?}");
    assert_eq!(error.class(), FailureClass::Retry);
    // The server reads on what the sockets hold, and finds that it is not all.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while failed() == failed_before {
        assert!(std::time::Instant::now() < deadline, "the server has not given up the insert");
    }
    assert_eq!(sink.count("long").await.unwrap(), 0, "the body was cut short, so nothing is stored");

    server.kill().unwrap();
    let is_refused =
        |error: &SinkError| matches!(error, SinkError::Network { fault: NetworkFault::Refused, .. });
    let mut error = sink.insert(&rows("t", &[], &[1], 1)).await.unwrap_err();
    // The connections that are open are lost first, one by one.
    for _ in 0..10 {
        assert_eq!(error.class(), FailureClass::Retry);
        if is_refused(&error) {
            break;
        }
        error = sink.insert(&rows("t", &[], &[1], 1)).await.unwrap_err();
    }
    assert!(is_refused(&error), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_rows_keep_any_bytes() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    let mut row = ErrorRow::record("p", "topic", 3, 42, "bad_json");
    row.message = "größe".to_owned();
    row.timestamp_ms = Some(1_700_000_000_123);
    row.key = Some(vec![0xff, 0, b'k']);
    row.headers = vec![("h".to_owned(), vec![0xfe])];
    row.schema_id = Some(7);
    row.set_raw(b"\xff\xfe\0{");
    let rows = [row, ErrorRow::system("p", "topic", "code", "text")];
    sink.insert_errors(&table, &rows, Some("token"), None).await.unwrap();
    let stored = server
        .query(
            "SELECT kind, partition, offset, timestamp, hex(key), hex(raw_message), raw_length, headers.name, \
             hex(headers[1].value), schema_id, message, _time > now() - 60 FROM e ORDER BY offset DESC",
        )
        .unwrap();
    assert_eq!(
        stored,
        "record\t3\t42\t2023-11-14 22:13:20.123\tFF006B\tFFFE007B\t4\t['h']\tFE\t7\tgröße\t1\n\
         system\t-1\t-1\t\\N\t\\N\t\t0\t[]\t\t\\N\ttext\t1\n"
    );
}
