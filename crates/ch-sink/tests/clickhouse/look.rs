//! The look before an insert, and the session that binds both to one server.

use housepipe_ch_sink::{ErrorRow, ErrorTable, FailureClass, Insert, Sink, SinkError};

use super::{names, rows, sink, start};

/// Opens a session with a look at `table`.
async fn session(sink: &Sink, table: &str) -> String {
    sink.look(table, &[], true).await.unwrap().session.unwrap()
}

fn assert_refused(result: Result<housepipe_ch_sink::Inserted, SinkError>) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains("SESSION_NOT_FOUND"), "{error}");
    assert_eq!(error.class(), FailureClass::Retry);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_in_a_session_comes_to_no_other_server() {
    let mut server = start();
    let sink = sink(&server);
    server.query("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n").unwrap();
    let columns = names(&["n"]);
    let insert = rows("t", &columns, &[1, 2, 3], 3);
    let first = session(&sink, "t").await;
    let in_first = Insert { session: Some(&first), ..insert.clone() };
    sink.insert(&in_first).await.unwrap();
    // It has ended with its insert.
    assert_refused(sink.insert(&in_first).await);
    let second = session(&sink, "t").await;
    server.kill().unwrap();
    server.restart().unwrap();
    assert_refused(sink.insert(&Insert { session: Some(&second), ..insert.clone() }).await);
    assert_eq!(sink.count("t").await.unwrap(), 3);
    let third = session(&sink, "t").await;
    sink.insert(&Insert { session: Some(&third), ..insert }).await.unwrap();
    assert_eq!(sink.count("t").await.unwrap(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_rows_of_several_inserts_share_a_session() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    let row = |offset| {
        let mut row = ErrorRow::record("p", "t", 0, offset, "c");
        row.raw_message = vec![b'x'; 20 << 20];
        row
    };
    let rows = [row(1), row(2), row(3)];
    let session = session(&sink, "e").await;
    sink.insert_errors(&table, &rows, Some("token"), Some(&session)).await.unwrap();
    assert_eq!(sink.count("e").await.unwrap(), 3);
    let again = sink.insert_errors(&table, &rows[..1], Some("other"), Some(&session)).await;
    assert_eq!(again.unwrap_err().class(), FailureClass::Retry, "the session has ended");
    assert_eq!(sink.count("e").await.unwrap(), 3);
}
