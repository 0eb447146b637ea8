//! JSON values for a Dynamic: of few kinds each, so that values have a type in common often, and as often just not.

use crate::moments;
use crate::random::Random;

/// Values, one or more of each kind that ClickHouse tells apart.
const SCALARS: &[&str] = &[
    "1",
    "-1",
    "0",
    "2.5",
    "-0.0",
    "1e3",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "true",
    "false",
    "null",
    "null",
    "\"\"",
    "\"x\"",
    "\"1\"",
    "\"2020-01-01\"",
    "\"2020-01-01 10:00:00\"",
    "\"2020-01-01 10:00:00.5\"",
    "[]",
    "{}",
];
/// Keys of objects.
const KEYS: &[&str] = &["a", "b", "c", "a.b", "é", "\\u0061", ""];

/// Any value.
pub(crate) fn value(r: &mut Random) -> String {
    if r.chance(20) {
        return moments::date_time(r);
    }
    let palette: Vec<String> = (0..r.range(1, 6))
        .map(|_| if r.chance(4) { moments::date_time(r) } else { r.pick(SCALARS).to_owned() })
        .collect();
    let depth = r.below(6);
    nested(r, &palette, depth)
}

fn nested(r: &mut Random, palette: &[String], depth: usize) -> String {
    match r.below(20) {
        _ if depth == 0 => palette[r.below(palette.len())].clone(),
        0..6 => palette[r.below(palette.len())].clone(),
        6..15 => {
            let count = r.pick(&[0, 1, 2, 2, 2, 3, 4]);
            if r.chance(25) {
                return join(&vec![nested(r, palette, depth - 1); count], ["[", "]"]);
            }
            let elements: Vec<String> = (0..count).map(|_| nested(r, palette, depth - 1)).collect();
            join(&elements, ["[", "]"])
        }
        _ => {
            let count = r.below(4);
            let mut keys = KEYS.to_vec();
            // The last one, the empty key, makes a value that ClickHouse refuses.
            keys.truncate(if r.chance(2) { KEYS.len() } else { KEYS.len() - 1 });
            if r.chance(95) {
                r.shuffle(&mut keys);
            } else {
                keys = vec![r.pick(&keys); count];
            }
            let pairs: Vec<String> = keys
                .iter()
                .take(count)
                .map(|key| format!("\"{key}\":{}", nested(r, palette, depth - 1)))
                .collect();
            join(&pairs, ["{", "}"])
        }
    }
}

fn join(parts: &[String], [open, close]: [&str; 2]) -> String {
    format!("{open}{}{close}", parts.join(","))
}
