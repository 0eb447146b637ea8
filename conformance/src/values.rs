//! Values as JSON text: most suit their type, in many spellings, some are hostile.

use crate::random::Random;
use crate::shape::{Kind, Shape};
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
            key = if r.chance(50) { other_case(&key) } else { format!("{key}?") };
        }
        format!("\"{key}\"{}{}", colon(r), value(r, shape, hostile))
    })
}

/// The text with the letters in the other case.
pub(crate) fn other_case(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect()
}

fn count(r: &mut Random) -> usize {
    r.pick(&[0, 1, 1, 2, 2, 3, 5, 17])
}

fn colon(r: &mut Random) -> &'static str {
    r.pick(&[":", ":", ":", ":", ":", ":", ": ", " :", "\t:\t"])
}

/// Items between brackets, mostly with single commas.
fn list(
    r: &mut Random,
    count: usize,
    [open, close]: [&str; 2],
    hostile: usize,
    mut item: impl FnMut(&mut Random, usize) -> String,
) -> String {
    let comma = r.pick(&[",", ",", ",", ",", ", ", " ,", ",\t", "\u{b},\u{c}"]);
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
            let count = r.below(bytes + 1) + usize::from(r.chance(3));
            format!("\"{}\"", r.digits(count))
        }
        Kind::Date => moments::date(r),
        Kind::DateTime => moments::date_time(r),
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
        Kind::Document(paths) => document(r, paths),
        Kind::Any => any(r, 3),
        Kind::Mixed if r.chance(10) => any(r, 3),
        Kind::Mixed => mixed::value(r),
        Kind::Geo(levels) => geo(r, levels),
        Kind::Geometry => {
            let levels = r.below(4);
            geo(r, levels)
        }
        Kind::Vector => list(r, 2, ["[", "]"], 5, |r, _| {
            if r.chance(50) {
                r.pick(&["1", "-7", "0.5", "inf", "-nan", "1e400", "128"]).to_owned()
            } else {
                scalar(r, Kind::Float)
            }
        }),
    }
}

/// Whole numbers: small, at the edges of every width, and of any number of digits.
fn integer(r: &mut Random, bits: u32, signed: bool) -> String {
    let number = match r.below(12) {
        0 => {
            const EDGES: &[&str] = &[
                "127",
                "128",
                "255",
                "256",
                "32767",
                "32768",
                "65535",
                "65536",
                "2147483647",
                "2147483648",
                "4294967295",
                "4294967296",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "18446744073709551616",
                "170141183460469231731687303715884105727",
                "170141183460469231731687303715884105728",
                "340282366920938463463374607431768211455",
                "340282366920938463463374607431768211456",
                "57896044618658097711785492504343953926634992332820282019728792003956564819967",
                "57896044618658097711785492504343953926634992332820282019728792003956564819968",
                "115792089237316195423570985008687907853269984665640564039457584007913129639935",
                "115792089237316195423570985008687907853269984665640564039457584007913129639936",
                "100000000",
                "99999999",
                "10000000000000000",
                "9999999999999999",
            ];
            r.pick(EDGES).to_owned()
        }
        1 => {
            let count = r.pick(&[7, 8, 9, 15, 16, 17, 18, 19, 20, 21, 38, 39, 77, 78, 100, 400]);
            r.digits(count)
        }
        2 => r.below(120).to_string(),
        3 => format!("0{}", r.below(200)),
        // Most fit, of any length that fits.
        _ => {
            let digits_max = (bits - u32::from(signed)) as usize * 3 / 10;
            let count = r.range(1, digits_max.max(1) + 1);
            let text = r.digits(count);
            let text = text.trim_start_matches('0');
            if text.is_empty() { "0".to_owned() } else { text.to_owned() }
        }
    };
    let sign = if r.chance(if signed { 40 } else { 2 }) {
        "-"
    } else {
        r.pick(&["", "", "", "", "", "", "", "", "", "+"])
    };
    if r.chance(20) { format!("\"{sign}{number}\"") } else { format!("{sign}{number}") }
}

fn float(r: &mut Random) -> String {
    const EDGES: &[&str] = &[
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.2250738585072011e-308",
        "3.4028235e38",
        "3.4028236e38",
        "1.1754944e-38",
        "1e-45",
        "7e-46",
        "16777217",
        "16777217.0000001",
        "9007199254740993",
        "9007199254740992.5",
        "0.1",
        "1e23",
        "8.5e22",
        "0.30000000000000004",
        "1.00000017881393432617187499",
        "1.00000017881393432617187501",
        "123456789012345678901234567890",
        "0e99999",
        "1e99999",
        "1e-99999",
        "-0.0",
        "0.5e+1",
    ];
    let text = match r.below(8) {
        0 => r.pick(EDGES).to_owned(),
        1 => {
            let (whole, fraction) = (r.pick(&[1, 5, 15, 17, 19, 20, 21, 40]), r.pick(&[0, 1, 9, 17, 20, 45]));
            let (whole, fraction) = (r.digits(whole), r.digits(fraction));
            let exponent = r.pick(&["", "", "e5", "E-7", "e+20", "e-300", "e300", "e-30"]);
            format!("{whole}.{fraction}{exponent}")
        }
        2 => f64::from_bits(r.bits()).to_string().replace("NaN", "1.5").replace("inf", "1e9"),
        3 => format!("{:e}", f64::from_bits(r.bits() >> 1)).replace("NaN", "1e5").replace("inf", "1e9"),
        4 => r.below(100_000).to_string(),
        5 => {
            return r
                .pick(&["\"nan\"", "\"inf\"", "\"-inf\"", "\"NaN\"", "\"Infinity\"", "\"+inf\""])
                .to_owned();
        }
        _ => format!("{}.{}", r.below(100_000), r.below(1_000_000)),
    };
    let sign = if r.chance(20) && !text.starts_with('-') { "-" } else { "" };
    if r.chance(12) { format!("\"{sign}{text}\"") } else { format!("{sign}{text}") }
}

fn decimal(r: &mut Random) -> String {
    let whole = r.pick(&[0, 1, 1, 2, 3, 5, 7, 8, 16, 28, 39, 76, 77]);
    let fraction = r.pick(&[0, 0, 1, 2, 2, 3, 10, 18, 19, 40, 80]);
    let (whole, fraction) = (r.digits(whole), r.digits(fraction));
    let point = if fraction.is_empty() && r.chance(90) { "" } else { "." };
    let exponent =
        if r.chance(10) { r.pick(&["e3", "E-2", "e+1", "e", "e40", "e-99", "e99999"]) } else { "" };
    let text = format!("{}{whole}{point}{fraction}{exponent}", r.pick(&["", "", "", "-", "+"]));
    if r.chance(30) || text.is_empty() { format!("\"{text}\"") } else { text }
}

fn text(r: &mut Random) -> String {
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
    ];
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

/// Keys of JSON columns: some are paths, some collide.
const PATHS: &[&str] = &["a", "b", "b.c", "c", "A", "a.b", "x y", "é", "\\u0061", "", "0", "q\\\"q"];

fn object(r: &mut Random, depth: usize) -> String {
    let count = r.below(4);
    let mut keys = PATHS.to_vec();
    r.shuffle(&mut keys);
    list(r, count, ["{", "}"], 0, |r, at| format!("\"{}\"{}{}", keys[at], colon(r), any(r, depth - 1)))
}

/// A few of the paths, as keys with dots or as objects in objects, now and then twice or with a value of any kind.
fn document(r: &mut Random, paths: &[(&str, Kind)]) -> String {
    let mut order: Vec<usize> = (0..paths.len()).collect();
    r.shuffle(&mut order);
    let count = r.range(1, paths.len() + 1);
    order.truncate(count);
    if r.chance(5) {
        order.push(0);
    }
    list(r, order.len(), ["{", "}"], 0, |r, at| {
        let (path, kind) = paths[order[at]];
        let value = match r.below(10) {
            0 => "null".to_owned(),
            1 => any(r, 2),
            _ => scalar(r, kind),
        };
        match path.split_once('.') {
            Some((outer, inner)) if r.chance(50) => format!("\"{outer}\":{{\"{inner}\":{value}}}"),
            _ => format!("\"{path}\"{}{value}", colon(r)),
        }
    })
}

fn any(r: &mut Random, depth: usize) -> String {
    match r.below(if depth == 0 { 7 } else { 10 }) {
        0 => text(r),
        1 => integer(r, 64, true),
        2 => float(r),
        3 => r.pick(&["true", "false", "null"]).to_owned(),
        4 => moments::date_time(r),
        5 => r.below(1000).to_string(),
        6 => format!("\"{}\"", r.pick(&["a", "b", "c"])),
        7 => {
            let count = count(r);
            list(r, count, ["[", "]"], 0, |r, _| any(r, depth - 1))
        }
        _ => object(r, depth),
    }
}

fn geo(r: &mut Random, levels: usize) -> String {
    if levels == 0 {
        return format!("[{},{}]", float(r), float(r));
    }
    let count = count(r).min(4);
    list(r, count, ["[", "]"], 0, |r, _| geo(r, levels - 1))
}

/// Deep nesting, around the limits that there are, mostly closed.
fn nested(r: &mut Random) -> String {
    let levels = r.pick(&[3, 10, 100, 300]) + r.below(3);
    let (open, close) = r.pick(&[("[", "]"), ("{\"a\":", "}"), ("[[", "]")]);
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
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
