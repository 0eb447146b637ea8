//! An error table as it is read, and the marks of a replay in it.

use housepipe_ch_sink::{
    ClaimConflict, ErrorFilter, ErrorRow, ErrorTable, RecordId, ReplayMark, Sink, SinkError,
};

use super::{sink, start};

fn record(offset: i64, raw: &[u8]) -> ErrorRow {
    let mut row = ErrorRow::record("p", "t", 0, offset, "c");
    row.timestamp_ms = Some(1_700_000_000_000 + offset);
    row.message = format!("row {offset}");
    row.set_raw(raw);
    row
}

fn id(offset: i64) -> RecordId {
    RecordId { topic: "t".to_owned(), partition: 0, offset, timestamp_ms: 1_700_000_000_000 + offset }
}

/// Offsets of every page, with pages of at most `rows` and `bytes`.
async fn pages(sink: &Sink, filter: &ErrorFilter, rows: usize, bytes: u64) -> Vec<Vec<i64>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = sink.replayable_page("e", filter, after.as_ref(), rows, bytes).await.unwrap();
        all.push(page.records.iter().map(|record| record.id.offset).collect());
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_read_in_pages_each_once_and_with_any_bytes() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    let filter = ErrorFilter::of_pipe("p");
    assert_eq!(pages(&sink, &filter, 10, 100).await, [Vec::<i64>::new()]);

    let mut again = record(2, b"second read, longer");
    again.timestamp_ms = record(2, b"").timestamp_ms;
    // The topic was made anew: another record at the same offset.
    let mut other = record(1, b"anew");
    other.timestamp_ms = Some(1_800_000_000_000);
    let rows = [
        record(3, &[7; 60]),
        record(1, b"\xff\0\xfe"),
        record(2, b""),
        again,
        other,
        ErrorRow::system("p", "t", "c", "of the operation"),
        ErrorRow::record("q", "t", 0, 9, "of another pipe"),
    ];
    sink.insert_errors(&table, &rows, None, None).await.unwrap();
    let page = sink.replayable_page("e", &filter, None, 10, 1 << 20).await.unwrap();
    let raw: Vec<&[u8]> = page.records.iter().map(|record| record.raw.as_slice()).collect();
    assert_eq!(raw, [b"\xff\0\xfe".as_slice(), b"anew", b"second read, longer", &[7; 60]]);
    assert_eq!((page.next, page.records[0].is_cut()), (None, false));
    assert_eq!(pages(&sink, &filter, 3, 1 << 20).await, [vec![1, 1, 2], vec![3]]);
    assert_eq!(pages(&sink, &filter, 10, 30).await, [vec![1, 1, 2], vec![3]]);
    assert_eq!(pages(&sink, &filter, 10, 0).await, [[1], [1], [2], [3]], "one at least");
    let some = ErrorFilter { condition: Some("offset >= 2".to_owned()), ..filter };
    assert_eq!(pages(&sink, &some, 10, 1 << 20).await, [[2, 3]]);
}

/// A page is held whole, with everything that stands around the values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_by_the_bytes_of_values_keys_and_headers() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    let filter = ErrorFilter::of_pipe("p");
    let with_key = |offset| {
        let mut row = record(offset, b"short");
        row.key = Some(vec![0xff; 60_000]);
        row
    };
    let with_headers = |offset, value: &[u8], count: usize| {
        let mut row = record(offset, b"short");
        row.headers = (0..count).map(|header| (format!("h{header}"), value.to_vec())).collect();
        row
    };
    let rows = [
        with_key(1),
        with_key(2),
        record(3, b"short"),
        with_headers(4, &[0xff; 60_000], 1),
        with_headers(5, b"", 256),
        with_headers(6, b"", 256),
        record(7, b"short"),
    ];
    sink.insert_errors(&table, &rows, None, None).await.unwrap();
    assert_eq!(pages(&sink, &filter, 10, 100_000).await, [vec![1], vec![2, 3], vec![4, 5], vec![6, 7]]);
    assert_eq!(pages(&sink, &filter, 10, 20_000).await, [[1], [2], [3], [4], [5], [6], [7]]);
    assert_eq!(pages(&sink, &filter, 10, 1 << 20).await, [[1, 2, 3, 4, 5, 6, 7]]);

    // Of two rows of a record the one with the longer value is read; the page has room for either.
    let mut again = record(1, b"longer than the other");
    again.key = Some(b"k".to_vec());
    sink.insert_errors(&table, &[again], None, None).await.unwrap();
    let page = sink.replayable_page("e", &filter, None, 10, 100_000).await.unwrap();
    let read: Vec<_> = page.records.iter().map(|record| (record.id.offset, record.raw.len())).collect();
    assert_eq!(read, [(1, 21)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_say_what_is_under_way_and_what_was_loaded() {
    let server = start();
    let sink = sink(&server);
    let table = ErrorTable::new("e", 7);
    sink.create_error_table(&table).await.unwrap();
    sink.insert_errors(&table, &[record(1, b"1"), record(2, b"2"), record(3, b"3")], None, None)
        .await
        .unwrap();
    let mark = async |mark, token: &str, ids: &[RecordId]| {
        sink.mark_replay(&table, "p", mark, (token, "note"), ids).await.unwrap();
    };
    let conflict = async |token: &str| sink.claim_conflict("e", "p", token).await.unwrap();

    mark(ReplayMark::Begun, "a", &[id(1), id(2)]).await;
    let open = sink.open_claims("e", "p").await.unwrap();
    assert_eq!((open.len(), open[0].token.as_str(), open[0].note.as_str()), (1, "a", "note"));
    assert!(open[0].age_s < 60);
    assert_eq!(conflict("a").await, None);
    let (ids, kept) = sink.claimed_records("e", "p", "a").await.unwrap();
    assert_eq!((ids, kept.len()), (vec![id(1), id(2)], 2));

    // Another one that begins sees it, and the other way round.
    mark(ReplayMark::Begun, "b", &[id(2), id(3)]).await;
    assert_eq!(conflict("b").await, Some(ClaimConflict::Another { token: "a".to_owned() }));
    assert_eq!(conflict("a").await, Some(ClaimConflict::Another { token: "b".to_owned() }));
    mark(ReplayMark::Loaded, "a", &[id(1), id(2)]).await;
    assert_eq!(conflict("b").await, Some(ClaimConflict::Loaded { records: 1 }));
    mark(ReplayMark::Dropped, "b", &[id(2), id(3)]).await;
    assert_eq!(sink.open_claims("e", "p").await.unwrap(), []);

    let filter = ErrorFilter::of_pipe("p");
    assert_eq!(pages(&sink, &filter, 10, 1 << 20).await, [[3]], "what was dropped can be replayed");
    let listed =
        sink.list_errors("e", &ErrorFilter { is_open: true, ..filter.clone() }, None, 100, 10).await.unwrap();
    let records = listed.iter().filter(|row| row.kind == "record");
    assert_eq!(records.map(|row| row.offset).collect::<Vec<_>>(), [3]);
    let listed = sink.list_errors("e", &filter, None, 100, 10).await.unwrap();
    assert_eq!(listed.iter().filter(|row| row.replayed).count(), 2);
    assert_eq!(listed.len(), 3 + 4 * 3, "each mark is a row for the batch and one for each record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_is_a_boolean_expression_and_nothing_else() {
    let server = start();
    let sink = sink(&server);
    sink.create_error_table(&ErrorTable::new("e", 7)).await.unwrap();
    for condition in [
        "offset > 5",
        "partition = 1 OR `column` = 'a'",
        "column IN ('a', 'b')",
        "timestamp > now() - INTERVAL 1 DAY",
        "raw_message LIKE '%AS select%'",
        "(offset::String) = '5'",
        "true",
    ] {
        sink.check_condition("e", condition).await.unwrap_or_else(|error| panic!("{condition}: {error}"));
    }
    for condition in [
        "offset",
        "'a'",
        "NULL",
        "count() > 1",
        "nope",
        "offset >",
        "offset IN (SELECT 1)",
        "1 AS kind",
        "offset > 5; DROP TABLE e",
        "1) UNION ALL (1",
        "{x:UInt8}",
    ] {
        let error = sink.check_condition("e", condition).await.unwrap_err();
        assert!(
            matches!(error, SinkError::Condition { .. } | SinkError::Server { .. }),
            "{condition}: {error:?}"
        );
    }
}
