//! Values as JSON text: most suit their type, in many spellings, some are hostile.

use crate::documents::{any, document, geo, nested, object};
use crate::numbers::{decimal, float, integer};
use crate::random::Random;
use crate::shape::Shape;
use crate::types::Kind;
use crate::{mixed, moments};

/// Values that suit nobody, or the wrong one.
const ODD: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "7",
    "300",
    "65537",
    "-0",
    "01",
    "+1",
    "1.5",
    "1e3",
    "1e400",
    "-1e-400",
    ".5",
    "1.",
    "1.e5",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "-nan",
    "\"\"",
    "\"1\"",
    "\"a\"",
    "\"-3\"",
    "\"true\"",
    "\"null\"",
    "\"NULL\"",
    "\"\\u0061\"",
    "\"\\u0031\"",
    "\"\\q\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\udc00\"",
    "\"\\udc00\\ud83d\"",
    "\"\\ud83d\\u0041\"",
    "\"\\u12\"",
    "\"\\uZZZZ\"",
    "\"\\",
    "\"\\\"",
    "[]",
    "{}",
    "[1]",
    "{\"x\":1}",
    "[null]",
    "[,]",
    "[1,]",
    "{\"x\":1,}",
    "{\"x\":}",
    "[1 2]",
    "{\"x\" 1}",
    "",
    " ",
    "18446744073709551616",
    "-9223372036854775809",
    "\"2024-01-02\"",
    "\"2024-01-02 03:04:05\"",
    "\"1700000000\"",
    "1700000000.5",
    "\"1.2.3.4\"",
    "\"::1\"",
    "\"61f0c404-5cb3-11e7-907b-a6006ad3dba0\"",
    "tru",
    "truex",
    "nul",
    "nulll",
    "1 2",
    "'a'",
    "\"nan\"",
    "\"nan(1)\"",
    "--1",
    "\"1e5\"",
    "0.1",
    "-1.5e-3",
    "1e",
    "1e+",
    "0x10",
    "1_000",
    "\"é\"",
    "\"\u{1F600}\"",
    "\"\u{7f}\u{80}\u{7ff}\u{ffff}\"",
    "\"\u{1}\"",
    "\"\t\"",
    "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
    "[[[[[]]]]]",
    "{\"a\":{\"a\":{\"a\":{}}}}",
    "{\"a\":1,\"a\":2}",
    "{\"a.b\":1,\"a\":{\"b\":2}}",
    "\"[1]\"",
    "/**/1",
    "1\u{b}",
    "\n1\n",
    "\"a\nb\"",
    "[\n]",
];

/// A value, written as JSON, that mostly suits the type. `hostile` is the chance, of a hundred, that it does not.
pub(crate) fn value(r: &mut Random, shape: &Shape, hostile: usize) -> String {
    if r.chance(hostile) {
        return if r.chance(5) { nested(r) } else { r.pick(ODD).to_owned() };
    }
    match shape {
        Shape::Scalar(_, kind) => scalar(r, *kind),
        Shape::Nullable(_) if r.chance(25) => "null".to_owned(),
        Shape::Nullable(inner) | Shape::LowCardinality(inner) => value(r, inner, hostile),
        Shape::Array(inner) => {
            let count = count(r);
            list(r, count, ["[", "]"], hostile, |r, _| value(r, inner, hostile))
        }
        Shape::Map(key, item) => {
            let count = count(r);
            list(r, count, ["{", "}"], hostile, |r, _| {
                let key = value(r, key, hostile / 2);
                let bare = key.starts_with('"') || r.chance(10);
                let key = if bare { key } else { format!("\"{key}\"") };
                format!("{key}{}{}", colon(r), value(r, item, hostile))
            })
        }
        Shape::Tuple(elements) if elements.iter().all(|(name, _)| name.is_none()) => {
            let less = usize::from(r.chance(hostile / 2));
            list(r, elements.len() - less, ["[", "]"], hostile / 4, |r, at| {
                value(r, &elements[at].1, hostile)
            })
        }
        Shape::Tuple(elements) => tuple(r, elements, hostile),
        Shape::Nested(elements) => {
            let count = count(r);
            list(r, count, ["[", "]"], hostile, |r, _| tuple(r, elements, hostile))
        }
        Shape::Variant(members) => {
            let at = r.below(members.len());
            value(r, &members[at], hostile)
        }
        Shape::Json(paths, skipped) => {
            let mut names: Vec<String> =
                paths.iter().map(|(path, _)| path_of(path.unwrap_or_default())).collect();
            names.extend(skipped.map(path_of));
            document(r, &names, |r, at| match paths.get(at) {
                Some((_, shape)) => value(r, shape, hostile),
                None => any(r, 2),
            })
        }
    }
}

/// The name as a JSON string holds it: without the back quotes, with what JSON escapes.
pub(crate) fn key_of(name: &str) -> String {
    let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name);
    let mut key = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
        match c {
            '"' | '\\' => key.extend(['\\', c]),
            _ => key.push(c),
        }
    }
    key
}

/// The path as keys with dots hold it: none of those in the table needs an escape.
fn path_of(path: &str) -> String {
    path.replace('`', "")
}

fn tuple(r: &mut Random, elements: &[(Option<&'static str>, Shape)], hostile: usize) -> String {
    let mut order: Vec<usize> = (0..elements.len()).collect();
    if r.chance(25) {
        r.shuffle(&mut order);
    }
    if r.chance(15) {
        order.pop();
    }
    if r.chance(hostile / 2) {
        order.push(0);
    }
    list(r, order.len(), ["{", "}"], hostile / 4, |r, at| {
        let (name, shape) = &elements[order[at]];
        let mut key = key_of(name.unwrap_or_default());
        if r.chance(hostile / 2) {
            key = other_key(r, &key);
        }
        format!("\"{key}\"{}{}", colon(r), value(r, shape, hostile))
    })
}

/// The key in another case, with letters as escapes, or another key.
pub(crate) fn other_key(r: &mut Random, key: &str) -> String {
    if r.chance(40) && !key.contains('\\') && !key.is_empty() {
        return escaped(r, key);
    }
    if r.chance(80) { other_case(key) } else { format!("{key}{}", r.pick(&[" ", "?", "\n", "\\u0000"])) }
}

/// The text with one of its letters, or some, as escapes.
fn escaped(r: &mut Random, key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    let (at, all) = (r.below(chars.len()), r.chance(20));
    let mut text = String::new();
    for (index, c) in chars.into_iter().enumerate() {
        if index != at && !(all && r.chance(50)) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            text += &if r.chance(50) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
        }
    }
    text
}

/// The text with the letters in the other case.
pub(crate) fn other_case(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect()
}

/// Items of an array or a map: mostly few, now and then many.
pub(crate) fn count(r: &mut Random) -> usize {
    if r.below(MANY_ONE_IN) == 0 {
        return r.pick(&[31, 32, 33, 63, 64, 65, 127, 128, 129, 300]);
    }
    r.pick(&[0, 1, 1, 2, 2, 3, 5, 17])
}

/// One array of so many has many items.
const MANY_ONE_IN: usize = 150;

/// One text of so many is as long as buffers are.
const LONG_ONE_IN: usize = 1_500;

pub(crate) fn colon(r: &mut Random) -> &'static str {
    r.pick(&[":", ":", ":", ":", ":", ":", ":", ": ", " :", "\t:\t", ":\n"])
}

/// Items between brackets, mostly with single commas.
pub(crate) fn list(
    r: &mut Random,
    count: usize,
    [open, close]: [&str; 2],
    hostile: usize,
    mut item: impl FnMut(&mut Random, usize) -> String,
) -> String {
    let comma = r.pick(&[",", ",", ",", ",", ", ", " ,", ",\t", "\n,\r\n  ", "\u{b},\u{c}"]);
    let mut text = open.to_owned();
    for at in 0..count {
        if at > 0 {
            text.push_str(if r.chance(hostile / 8) { r.pick(&["", ",,", " ", ";"]) } else { comma });
        }
        text.push_str(&item(r, at));
    }
    if r.chance(hostile / 4) {
        text.push_str(r.pick(&[",", " ", ",,"]));
    }
    text.push_str(close);
    text
}

fn scalar(r: &mut Random, kind: Kind) -> String {
    match kind {
        Kind::Int { bits, signed } => integer(r, bits, signed),
        Kind::Float => float(r),
        Kind::Decimal => decimal(r),
        Kind::Bool => r.pick(&["true", "false", "1", "0"]).to_owned(),
        Kind::Text => text(r),
        Kind::Fixed(bytes) => {
            let count = match r.below(10) {
                0 => bytes + 1,
                1..5 => bytes,
                _ => r.below(bytes + 1),
            };
            let mut text = r.digits(count);
            if count > 0 && r.chance(20) {
                // An escape or a letter of more bytes in the place of as many digits, or of fewer.
                let (piece, length) =
                    r.pick(&[("é", 2), ("\\u0041", 1), ("\\n", 1), ("\\ud83d\\ude00", 4), ("\n", 1)]);
                let at = r.below(count);
                text.replace_range(at..(at + length).min(count), piece);
            }
            format!("\"{text}\"")
        }
        Kind::Date => moments::date(r),
        Kind::DateTime => moments::date_time(r),
        Kind::Zoned => moments::zoned(r),
        Kind::Time => moments::time(r),
        Kind::Enum(names) => match r.below(12) {
            0 => r
                .pick(&["65537", "257", "-254", "0", "\"0\"", "-0", "1.0", "\"A\"", "\"a \"", "\"\\u0061\""])
                .to_owned(),
            _ => {
                let name = r.pick(names);
                let bare = name.parse::<i16>().is_ok() && r.chance(50);
                if bare { name.to_owned() } else { format!("\"{name}\"") }
            }
        },
        Kind::Uuid => uuid(r),
        Kind::Ipv4 => match r.below(10) {
            0 => r
                .pick(&[
                    "\"1.2.3\"",
                    "\"0001.2.3.4\"",
                    "\"1.2.3.4.5\"",
                    "\" 1.2.3.4\"",
                    "\"1.2.3.256\"",
                    "16909060",
                    "\"1.2.3.4/8\"",
                ])
                .to_owned(),
            _ => format!("\"{}\"", ipv4(r)),
        },
        Kind::Ipv6 => ipv6(r),
        Kind::Json => object(r, 3),
        Kind::Document(paths) => {
            let names: Vec<String> = paths.iter().map(|(path, _)| (*path).to_owned()).collect();
            document(r, &names, |r, at| scalar(r, paths[at].1))
        }
        Kind::Any => any(r, 3),
        Kind::Mixed if r.chance(10) => any(r, 3),
        Kind::Mixed => mixed::value(r),
        Kind::Geo(levels) => geo(r, levels),
        Kind::Geometry => {
            let levels = r.below(4);
            geo(r, levels)
        }
        Kind::Vector(count) => list(r, count, ["[", "]"], 5, |r, _| {
            if r.chance(50) {
                r.pick(&["1", "-7", "0.5", "inf", "-nan", "1e400", "128"]).to_owned()
            } else {
                scalar(r, Kind::Float)
            }
        }),
        Kind::List(item) => {
            let count = count(r);
            list(r, count, ["[", "]"], 0, |r, _| scalar(r, *item))
        }
        Kind::Row(items) => list(r, items.len(), ["[", "]"], 0, |r, at| scalar(r, items[at])),
        Kind::Pairs(key, item) => {
            let count = count(r);
            list(r, count, ["{", "}"], 0, |r, _| {
                let key = scalar(r, *key);
                let key = if key.starts_with('"') { key } else { format!("\"{key}\"") };
                format!("{key}:{}", scalar(r, *item))
            })
        }
    }
}

pub(crate) fn text(r: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "abc",
        "hello world",
        "é",
        "日本語",
        "\u{1F600}",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\t",
        "\\u00e9",
        "\\u0000",
        "\\ud83d\\ude00",
        "{}[],:",
        "'",
        "`",
        "\u{7f}",
        "\u{2028}",
        "0",
        " ",
        "\n",
        "\\r\r\n",
    ];
    if r.below(LONG_ONE_IN) == 0 {
        return long_text(r, PIECES);
    }
    match r.below(10) {
        0 => {
            return r
                .pick(&[
                    "123",
                    "-1.5e3",
                    "true",
                    "false",
                    "[1,[2],{\"a\":\"]\"}]",
                    "{\"a\":[1,2,\"}\"]}",
                    "[]",
                    "{}",
                ])
                .to_owned();
        }
        1 => {
            // Texts as long as the words and vectors that scanners take at once, and one more or less.
            let count = r.pick(&[7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300]);
            let at = r.below(count);
            let mut text = r.digits(count);
            if r.chance(50) {
                text.insert_str(at, r.pick(PIECES));
            }
            return format!("\"{text}\"");
        }
        _ => {}
    }
    let pieces: String = (0..r.below(6)).map(|_| r.pick(PIECES)).collect();
    format!("\"{pieces}\"")
}

/// A text as long as buffers and the counters of lengths are, and one more or less.
fn long_text(r: &mut Random, pieces: &[&str]) -> String {
    let length = r.pick(&[1_000, 4_096, 16_383, 16_384, 65_535, 65_536, 65_537, 100_000]);
    // A period that no word of a scanner divides.
    let filling = r.digits(997);
    let mut text = filling.repeat(length / filling.len() + 1);
    text.truncate(length);
    for _ in 0..r.below(4) {
        let mut at = r.below(length);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.insert_str(at, r.pick(pieces));
    }
    // Pieces may have cut others in two: that makes texts that are refused, or other ones.
    format!("\"{text}\"")
}

fn hex(r: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(r.pick(b"0123456789abcdefABCDEF"))).collect()
}

fn uuid(r: &mut Random) -> String {
    let groups = [8, 4, 4, 4, 12].map(|count| hex(r, count));
    match r.below(14) {
        0 => format!("\"{}\"", groups.concat()),
        1 => format!("\"{{{}}}\"", groups.join("-")),
        2 => format!("\"{}\"", &groups.join("-")[..r.below(36)]),
        3 => format!("\"{}g\"", &groups.join("-")[..35]),
        4 => format!("\"{}\"", groups.join(r.pick(&["_", " ", "--"]))),
        5 => format!("\"{}0\"", groups.join("-")),
        _ => format!("\"{}\"", groups.join("-")),
    }
}

fn ipv4(r: &mut Random) -> String {
    let parts: Vec<String> = (0..4)
        .map(|_| {
            if r.chance(5) {
                r.pick(&["256", "01", "", "1e1", "999"]).to_owned()
            } else {
                r.below(256).to_string()
            }
        })
        .collect();
    parts.join(".")
}

fn ipv6(r: &mut Random) -> String {
    const EDGES: &[&str] = &[
        "::",
        "::1",
        "1::",
        "2001:db8::1",
        "1::2::3",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:1.2.3.4",
        "12345::",
        "fe80::1%eth0",
        "[::1]",
        ":1",
        "1:",
        ":::",
        "::1.2.3",
        "::g",
        "1:2:3:4:5:6:7:8:9",
    ];
    match r.below(6) {
        0 | 1 => format!("\"{}\"", r.pick(EDGES)),
        2 => format!("\"{}\"", ipv4(r)),
        _ => {
            let mut groups: Vec<String> = (0..8)
                .map(|_| {
                    let count = r.range(1, 5);
                    hex(r, count)
                })
                .collect();
            if r.chance(50) {
                let start = r.range(1, 7);
                let end = r.range(start, 8);
                groups.splice(start..end, [String::new()]);
            }
            format!("\"{}\"", groups.join(":"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Table;

    #[test]
    fn without_hostility_most_values_are_json() {
        let table = Table::new(|_| true, |_| Ok(())).unwrap();
        let mut r = Random::of_group(9, 9);
        let texts: Vec<String> = (0..5_000)
            .map(|_| {
                let shape = table.shape(&mut r, 3);
                value(&mut r, &shape, 0)
            })
            .collect();
        let valid =
            texts.iter().filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()).count();
        assert!((3_000..5_000).contains(&valid), "{valid} of 5000 are JSON");
    }

    #[test]
    fn keys_are_what_json_holds() {
        assert_eq!(key_of("a"), "a");
        assert_eq!(key_of("`a b`"), "a b");
        assert_eq!(key_of("`q\"\\`\\\\`"), "q\\\"`\\\\");
    }
}
