//! Texts that are hard to read: full of escapes, or outside of ASCII.

use super::Writer;
use super::random::{Random, text};

const COLUMNS: &str = "id UInt64, title String, body String, place String, notes Array(String)";

const ESCAPED: [&str; 8] = [
    r"C:\\Users\\operator\\",
    r#"<a href=\"\/p\/17\">"#,
    r"line one\nline two\r\n",
    r"\u0441\u043b\u043e\u0432\u043e ",
    r"\ud83d\ude00\u00e9 ",
    r"\tcolumn\tcolumn",
    "plain words between ",
    r#"{\"inner\":\"json\"} "#,
];

const MULTIBYTE: [&str; 8] = [
    "数据管道正在加载",
    "取引が完了しました",
    "поток данных ",
    "сообщение принято ",
    "🚚📦✅ ",
    "naïve café ",
    "주문이 접수되었습니다 ",
    "plain words ",
];

pub(super) fn escaped(seed: u64) -> (String, Writer) {
    make(seed, &ESCAPED)
}

pub(super) fn multibyte(seed: u64) -> (String, Writer) {
    make(seed, &MULTIBYTE)
}

fn make(seed: u64, pieces: &'static [&'static str]) -> (String, Writer) {
    let writer = move |index, record: &mut Vec<u8>| {
        let random = &mut Random::new(seed, index);
        text(record, format_args!("{{\"id\":{},\"title\":\"", random.below(1 << 30)));
        phrase(random, pieces, 3, record);
        record.extend_from_slice(b"\",\"body\":\"");
        let length = 5 + random.below(15);
        phrase(random, pieces, length, record);
        record.extend_from_slice(b"\",\"place\":\"");
        phrase(random, pieces, 1, record);
        record.extend_from_slice(b"\",\"notes\":[\"");
        phrase(random, pieces, 2, record);
        record.extend_from_slice(b"\",\"");
        phrase(random, pieces, 1, record);
        record.extend_from_slice(b"\"]}");
    };
    (COLUMNS.to_owned(), Box::new(writer))
}

fn phrase(random: &mut Random, pieces: &[&str], count: u64, record: &mut Vec<u8>) {
    for _ in 0..count {
        record.extend_from_slice(random.pick(pieces).as_bytes());
    }
}
