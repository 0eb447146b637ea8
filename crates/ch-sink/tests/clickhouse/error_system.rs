//! Rows about the operation of a pipe: when they happened, and what the table remembers of them.

use std::time::Duration;

use housepipe_ch_sink::{ErrorFilter, ErrorRow, ErrorTable};

use super::{sink, start};

fn system(code: &str, age_s: u64) -> (ErrorRow, Duration) {
    (ErrorRow::system("p", "t", code, &format!("message {age_s}")), Duration::from_secs(age_s))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_have_the_time_at_which_they_happened() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    sink.insert_system_errors(&table, &[]).await.unwrap();
    sink.insert_system_errors(&table, &[system("b", 3_600), system("a", 60), system("c", 60)]).await.unwrap();
    assert_eq!(
        server
            .query("SELECT code, kind, partition, offset, round((toFloat64(now64(3)) - toFloat64(_time)) / 60) FROM e ORDER BY _time")
            .unwrap(),
        "b\tsystem\t-1\t-1\t60\na\tsystem\t-1\t-1\t1\nc\tsystem\t-1\t-1\t1\n"
    );
    // Two of a code are two things that happened, and not one record that was read twice.
    sink.insert_system_errors(&table, &[system("a", 7)]).await.unwrap();
    let groups = sink.group_errors("e", &ErrorFilter::of_pipe("p"), 10).await.unwrap();
    let seen: Vec<_> = groups.iter().map(|group| (group.code.as_str(), group.records, group.rows)).collect();
    assert_eq!(seen, [("a", 2, 2), ("b", 1, 1), ("c", 1, 1)]);
    assert_eq!(groups[0].shape, "message N");
}

/// A window of one token is the strictest judge: whatever took a slot would push that token out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_push_no_token_out_of_the_window_and_none_is_dropped() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    server.query("ALTER TABLE e MODIFY SETTING non_replicated_deduplication_window = 1").unwrap();
    let rejects = [ErrorRow::record("p", "t", 0, 1, "c")];
    let rows = |kind: &str| server.query(&format!("SELECT count() FROM e WHERE kind = '{kind}'")).unwrap();
    sink.insert_errors(&table, &rejects, Some("token"), None).await.unwrap();
    for _ in 0..5 {
        sink.insert_system_errors(&table, &[system("a", 1)]).await.unwrap();
    }
    assert_eq!(rows("system"), "5\n");
    sink.insert_errors(&table, &rejects, Some("token"), None).await.unwrap();
    assert_eq!(rows("record"), "1\n", "the table still remembers the token");
    // The window is as small as it says.
    sink.insert_errors(&table, &rejects, Some("other"), None).await.unwrap();
    sink.insert_errors(&table, &rejects, Some("token"), None).await.unwrap();
    assert_eq!(rows("record"), "3\n");
}
