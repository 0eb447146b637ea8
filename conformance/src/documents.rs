//! Values of any kind as JSON text: what JSON columns and unknown keys hold.

use crate::moments;
use crate::numbers::{float, integer};
use crate::random::Random;
use crate::values::{colon, count, list, text};

/// Keys of JSON columns: some are paths, some collide.
const PATHS: &[&str] = &["a", "b", "b.c", "c", "A", "a.b", "x y", "é", "\\u0061", "", "0", "q\\\"q"];

pub(crate) fn object(r: &mut Random, depth: usize) -> String {
    let count = r.below(4);
    let mut keys = PATHS.to_vec();
    r.shuffle(&mut keys);
    list(r, count, ["{", "}"], 0, |r, at| format!("\"{}\"{}{}", keys[at], colon(r), any(r, depth - 1)))
}

/// A few of the paths, as keys with dots or as objects in objects, now and then twice or with a value of any kind;
/// `item` makes the value of the path of this index.
pub(crate) fn document(
    r: &mut Random,
    paths: &[String],
    mut item: impl FnMut(&mut Random, usize) -> String,
) -> String {
    let mut order: Vec<usize> = (0..paths.len()).collect();
    r.shuffle(&mut order);
    let count = r.range(1, paths.len() + 1);
    order.truncate(count);
    if r.chance(5) {
        order.push(0);
    }
    list(r, order.len(), ["{", "}"], 0, |r, at| {
        let value = match r.below(10) {
            0 => "null".to_owned(),
            1 => any(r, 2),
            _ => item(r, order[at]),
        };
        let path = &paths[order[at]];
        match path.split_once('.') {
            Some((outer, inner)) if r.chance(50) => format!("\"{outer}\":{{\"{inner}\":{value}}}"),
            _ => format!("\"{path}\"{}{value}", colon(r)),
        }
    })
}

pub(crate) fn any(r: &mut Random, depth: usize) -> String {
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

pub(crate) fn geo(r: &mut Random, levels: usize) -> String {
    if levels == 0 {
        return format!("[{},{}]", float(r), float(r));
    }
    let count = count(r).min(4);
    list(r, count, ["[", "]"], 0, |r, _| geo(r, levels - 1))
}

/// Deep nesting, around the limits that there are, mostly closed.
pub(crate) fn nested(r: &mut Random) -> String {
    let levels = if r.chance(40) {
        r.pick(&[500, 996, 998, 999, 1_000, 1_001, 1_002, 1_022, 1_023, 1_024, 1_500, 3_000])
    } else {
        r.pick(&[3, 10, 100, 300]) + r.below(3)
    };
    let (open, close) = r.pick(&[("[", "]"), ("{\"a\":", "}"), ("[[", "]"), ("[{\"b\":", "}]")]);
    let levels = if open.len() > 5 { levels / 2 } else { levels };
    let inner = r.pick(&["1", "", "null", "\"x\"", "[]"]);
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}
