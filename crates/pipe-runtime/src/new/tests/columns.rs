//! Conversations about the columns and the keys of a new table.

use housepipe_transform::{Source, Virtual};

use super::*;

#[test]
fn virtual_columns_by_hand_are_what_a_pipe_file_means_by_them() {
    let world = Fake { is_empty: true, ..Fake::default() };
    let by_hand = [
        ("Document", ""),
        // No type of it.
        ("Columns", "_offset String"),
        ("Columns", "_raw_message String, _offset UInt64, _id String"),
        ("Change column", "_offset"),
        ("Type of _offset", "String"),
        ("Type of _offset", "Int64"),
    ];
    let (pipe, _) = talk(&world, &[&SOURCE[..], &CLICKHOUSE, &by_hand, &TABLE, &RULES, &END].concat());
    let text = pipe.unwrap().text;
    assert!(!text.contains("from:"), "{text}");
    let file = PipeFile::parse(&text, "p.yaml").unwrap();
    let columns: Vec<_> = file
        .destination
        .columns
        .iter()
        .map(|column| (column.data_type.to_string(), column.from.clone()))
        .collect();
    assert_eq!(
        columns,
        [
            ("String".to_owned(), Source::Virtual(Virtual::RawMessage)),
            ("Int64".to_owned(), Source::Virtual(Virtual::Offset)),
            ("String".to_owned(), Source::Field("_id".to_owned())),
        ]
    );
}

#[test]
fn a_key_of_a_record_is_no_virtual_column() {
    let world = Fake { is_empty: true, ..Fake::default() };
    let documents = [("Document", r#"{"_topic":"a","_id":1}"#), ("Document", "")];
    let (pipe, said) = talk(&world, &[&SOURCE[..], &CLICKHOUSE, &documents, &TABLE, &RULES, &END].concat());
    let text = pipe.unwrap().text;
    assert!(text.contains("name: _topic, type: String, from: \"`_topic`\" }"), "{text}");
    assert!(text.contains("name: _id, type: UInt64 }"), "{text}");
    assert!(said.contains("`from` with the name in backquotes stands for the key"), "{said}");
}

#[test]
fn the_rest_of_a_long_paste_answers_no_question() {
    let world = Fake { is_empty: true, ..Fake::default() };
    let mut all = [&SOURCE[..], &CLICKHOUSE].concat();
    all.extend(std::iter::repeat_n(("Document", "{\"a\":1}"), 1_003));
    all.push(("Document", ""));
    all.extend([&TABLE[..], &RULES, &END].concat());
    let (pipe, said) = talk(&world, &all);
    pipe.unwrap();
    for words in ["Columns of 1000 document(s)", "1000 of them are taken, and 3 left out"] {
        assert!(said.contains(words), "no `{words}` in:\n{said}");
    }
}

/// The keys of the file that comes of these answers about columns and keys, and what was said.
fn keys_after(
    world: &Fake,
    answers: &[(&'static str, &'static str)],
) -> (Vec<String>, Option<String>, String) {
    let (pipe, said) = talk(world, &[&SOURCE[..], &CLICKHOUSE, answers, &RULES, &END].concat());
    let file = PipeFile::parse(&pipe.unwrap().text, "p.yaml").unwrap();
    let managed = file.destination.managed_table.unwrap();
    (managed.order_by, managed.partition_by, said)
}

#[test]
fn a_column_that_is_left_out_or_gets_another_type_takes_its_keys_along() {
    for (answer, order_by, partition_by) in [
        ("-", &["id"][..], None),
        ("Nullable(DateTime)", &["id"], None),
        ("String", &["at", "id"], None),
        ("Date", &["at", "id"], Some("toYYYYMM(at)")),
    ] {
        let answers = [&[("Change column", "at"), ("Type of at", answer)][..], &TABLE].concat();
        let (sorting, partition, said) = keys_after(&Fake::default(), &answers);
        assert_eq!(sorting, order_by, "{answer}");
        assert_eq!(partition.as_deref(), partition_by, "{answer}");
        let default = format!("Partition by [{}]", partition_by.unwrap_or("-"));
        assert!(said.contains(&default), "no `{default}` in:\n{said}");
    }
}

#[test]
fn keys_that_clickhouse_refuses_are_asked_for_again_and_kept_on_request() {
    let refused = [("Change column", ""), ("Sorting key", "toDate(gone), id"), ("Partition by", "-")];
    let mended = [("Change column", ""), ("Sorting key", "id"), ("Partition by", "")];
    let (order_by, partition_by, said) = keys_after(&Fake::default(), &[refused, mended].concat());
    assert_eq!((order_by, partition_by), (vec!["id".to_owned()], None));
    assert!(said.contains("no column `gone`") && !said.contains('\u{1b}'), "{said:?}");
    let (order_by, ..) = keys_after(&Fake::default(), &[refused, TABLE].concat());
    assert_eq!(order_by, ["toDate(gone)", "id"]);
}

#[test]
fn keys_of_strangers_do_not_act_on_a_terminal() {
    let world = Fake { time_key: Some(r"at\u001b]52;c;eA\u0007"), ..Fake::default() };
    let (order_by, partition_by, said) = keys_after(&world, &TABLE);
    assert_eq!(order_by, ["at\u{1b}]52;c;eA\u{7}", "id"]);
    assert_eq!(partition_by.as_deref(), Some("toYYYYMM(`at\u{1b}]52;c;eA\u{7}`)"));
    assert!(said.contains(r"Sorting key [at\u{1b}]52;c;eA\u{7}, id]"), "{said}");
    assert!(said.contains(r"at\u{1b}]52;c;eA\u{7} for ranges of time"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
}
