//! Records that fit columns, made of bytes: random text seldom gets behind the first key.

use housepipe_transform::{Columns, DataType, PathStep, Source};

use crate::input::Input;

/// Elements of an array that paths lead through, at most: a path may name the millionth.
const ELEMENTS_MAX: usize = 8;

/// A value that is wanted at the end of these steps.
#[derive(Debug, Clone, Copy)]
struct Wanted<'c> {
    steps: &'c [PathStep],
    ty: &'c DataType,
}

/// A record of these columns: keys of some are missing, of some in another order, some have values of another type.
pub(crate) fn made(columns: &Columns, input: &mut Input<'_>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    let style = input.byte();
    let space: &[u8] = if style & 1 == 0 { b"" } else { b" " };
    let fields = fields(columns);
    let start = if style & 6 == 6 && !fields.is_empty() { input.below(fields.len()) } else { 0 };
    for at in 0..fields.len() {
        let (key, wanted) = &fields[(start + at) % fields.len()];
        if style & 8 != 0 && input.byte() < 32 {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
            out.extend_from_slice(space);
        }
        quote(key.as_bytes(), &mut out);
        out.push(b':');
        out.extend_from_slice(space);
        below(wanted, input, &mut out);
        if style & 16 != 0 && input.byte() < 32 {
            out.extend_from_slice(b",\"unknown\":");
            anything(input, &mut out, 2);
        }
    }
    out.push(b'}');
    out
}

/// The keys that columns are filled from, and what is wanted below each.
fn fields(columns: &Columns) -> Vec<(&str, Vec<Wanted<'_>>)> {
    let mut fields: Vec<(&str, Vec<Wanted<'_>>)> = Vec::new();
    for column in columns {
        let (key, steps) = match &column.source {
            Source::Field(key) => (key.as_str(), &[][..]),
            Source::Path(path) => (path.key(), path.rest()),
            _ => continue,
        };
        let wanted = Wanted { steps, ty: &column.ty };
        match fields.iter_mut().find(|(known, _)| *known == key) {
            Some((_, list)) => list.push(wanted),
            None => fields.push((key, vec![wanted])),
        }
    }
    fields
}

/// A value in which most of what is wanted stands. Recursion ends with the steps of the paths.
fn below(wanted: &[Wanted<'_>], input: &mut Input<'_>, out: &mut Vec<u8>) {
    let step = match wanted {
        [only] if only.steps.is_empty() => return value(only.ty, input, out),
        [first, ..] => first.steps.first(),
        [] => None,
    };
    match (step, input.byte()) {
        (None, _) | (_, 255) => anything(input, out, 2),
        (_, 254) => out.extend_from_slice(b"null"),
        (Some(PathStep::Key(_)), style) => object(wanted, style, input, out),
        (Some(PathStep::Index(_)), _) => array(wanted, input, out),
    }
}

/// What is wanted behind a step.
fn behind<'c>(step: &PathStep, wanted: &[Wanted<'c>]) -> Vec<Wanted<'c>> {
    let rest = wanted.iter().filter(|wanted| wanted.steps.first() == Some(step));
    rest.map(|wanted| Wanted { steps: &wanted.steps[1..], ..*wanted }).collect()
}

/// An object, its keys in the order of the paths or against it, one of them twice now and then.
fn object(wanted: &[Wanted<'_>], style: u8, input: &mut Input<'_>, out: &mut Vec<u8>) {
    let mut steps: Vec<&PathStep> = Vec::new();
    for step in wanted.iter().filter_map(|wanted| wanted.steps.first()) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    if style & 1 != 0 {
        steps.reverse();
    }
    if style & 62 == 62 {
        steps.extend_from_within(..1);
    }
    out.push(b'{');
    for (at, step) in steps.into_iter().enumerate() {
        let PathStep::Key(key) = step else { continue };
        if at > 0 {
            out.push(b',');
        }
        quote(key.as_bytes(), out);
        out.push(b':');
        below(&behind(step, wanted), input, out);
    }
    out.push(b'}');
}

/// An array in which the first elements that paths name stand, most often.
fn array(wanted: &[Wanted<'_>], input: &mut Input<'_>, out: &mut Vec<u8>) {
    let indexes = wanted.iter().filter_map(|wanted| match wanted.steps.first() {
        Some(PathStep::Index(index)) => Some(*index),
        _ => None,
    });
    let last = indexes.max().unwrap_or(0).min(ELEMENTS_MAX - 1);
    out.push(b'[');
    for index in 0..=last {
        if index > 0 {
            out.push(b',');
        }
        match behind(&PathStep::Index(index), wanted).as_slice() {
            [] => anything(input, out, 1),
            wanted => below(wanted, input, out),
        }
        if input.byte() > 240 {
            break;
        }
    }
    out.push(b']');
}

/// The text between quotes, its quotes and backslashes escaped.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// A value that the type is likely to take.
fn value(ty: &DataType, input: &mut Input<'_>, out: &mut Vec<u8>) {
    match input.byte() {
        255 => return anything(input, out, 2),
        254 => return out.extend_from_slice(b"null"),
        _ => {}
    }
    match ty {
        DataType::Int8 | DataType::UInt8 => number(input, 300, out),
        DataType::Int16 | DataType::UInt16 => number(input, 70_000, out),
        DataType::Int32 | DataType::UInt32 => number(input, 1 << 33, out),
        DataType::Int64 | DataType::UInt64 | DataType::Int128 | DataType::UInt128 => {
            number(input, u64::MAX, out);
        }
        DataType::Float32 | DataType::Float64 => {
            number(input, 1 << 40, out);
            out.extend_from_slice(
                input.pick(&["", ".5", ".25e3", "e-7", "E+300", ".000000000001"]).as_bytes(),
            );
        }
        DataType::Bool => out.extend_from_slice(input.pick(&["true", "false", "1", "0"]).as_bytes()),
        DataType::FixedString(bytes) => {
            let length = input.below(bytes + 1);
            text(length, input, out);
        }
        DataType::Date | DataType::Date32 => {
            let day = 1 + input.below(28);
            let month = 1 + input.below(12);
            let text = format!("{:04}-{month:02}-{day:02}", 1960 + input.below(200));
            quote(text.as_bytes(), out);
        }
        DataType::DateTime(_) | DataType::DateTime64(..) => moment(input, out),
        DataType::Enum8(items) => quote(items[input.below(items.len())].name.as_bytes(), out),
        DataType::Enum16(items) => quote(items[input.below(items.len())].name.as_bytes(), out),
        DataType::Uuid => {
            let (high, low) = (input.number(), input.number());
            let text = format!(
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xffff,
                low >> 48,
                low & 0xffff_ffff_ffff
            );
            quote(text.as_bytes(), out);
        }
        DataType::Ipv4 => {
            let parts: Vec<String> = (0..4).map(|_| input.byte().to_string()).collect();
            quote(parts.join(".").as_bytes(), out);
        }
        DataType::Ipv6 => quote(format!("{:x}::{:x}", input.byte(), input.byte()).as_bytes(), out),
        DataType::LowCardinality(inner) | DataType::Nullable(inner) => value(inner, input, out),
        DataType::Array(inner) => list(input, out, |input, out| value(inner, input, out)),
        DataType::Map(key, item) => {
            out.push(b'{');
            for at in 0..input.below(4) {
                if at > 0 {
                    out.push(b',');
                }
                let start = out.len();
                value(key, input, out);
                if out[start] != b'"' {
                    out.insert(start, b'"');
                    out.push(b'"');
                }
                out.push(b':');
                value(item, input, out);
            }
            out.push(b'}');
        }
        DataType::Tuple(elements) => {
            let named = elements.iter().all(|element| element.name.is_some());
            out.push(if named { b'{' } else { b'[' });
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                if let Some(name) = &element.name {
                    quote(name.as_bytes(), out);
                    out.push(b':');
                }
                value(&element.ty, input, out);
            }
            out.push(if named { b'}' } else { b']' });
        }
        DataType::Nested(elements) => {
            list(input, out, |input, out| value(&DataType::Tuple(elements.clone()), input, out));
        }
        DataType::Json(_) => {
            out.extend_from_slice(b"{\"k\":");
            anything(input, out, 3);
            out.push(b'}');
        }
        DataType::Dynamic(_) | DataType::Geo(_) => anything(input, out, 4),
        DataType::Variant(members) => value(&members[input.below(members.len())], input, out),
        DataType::SimpleAggregateFunction(_, inner) => value(inner, input, out),
        DataType::QBit(vector) => {
            out.push(b'[');
            for at in 0..vector.dimension {
                if at > 0 {
                    out.push(b',');
                }
                number(input, 1 << 20, out);
            }
            out.push(b']');
        }
        DataType::Int256 | DataType::UInt256 | DataType::Decimal(..) | DataType::Interval(_) => {
            number(input, u64::MAX, out);
        }
        // Text is what most types have a reading of.
        _ => {
            let length = input.below(40);
            text(length, input, out);
        }
    }
}

fn list(input: &mut Input<'_>, out: &mut Vec<u8>, mut item: impl FnMut(&mut Input<'_>, &mut Vec<u8>)) {
    out.push(b'[');
    for at in 0..input.below(5) {
        if at > 0 {
            out.push(b',');
        }
        item(input, out);
    }
    out.push(b']');
}

fn number(input: &mut Input<'_>, bound: u64, out: &mut Vec<u8>) {
    let style = input.byte();
    let number = if style & 1 == 0 { u64::from(input.byte()) } else { input.number() % bound };
    let sign = if style & 6 == 6 { "-" } else { "" };
    let text = format!("{sign}{number}");
    if style & 24 == 24 {
        quote(text.as_bytes(), out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn moment(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let style = input.byte();
    if style & 7 == 7 {
        return number(input, 1 << 34, out);
    }
    let separator = if style & 8 == 0 { ' ' } else { 'T' };
    let mut text = format!(
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
        1970 + input.below(140),
        1 + input.below(13),
        1 + input.below(32),
        input.below(25),
        input.below(61),
        input.below(61)
    );
    text.push_str(input.pick(&["", ".5", ".123", ".123456", ".123456789", ".1234567891"]));
    text.push_str(input.pick(&["", "Z", "+02:00", "-0530", " UTC"]));
    quote(text.as_bytes(), out);
}

/// Text of this many characters, some of them escaped or of several bytes.
fn text(length: usize, input: &mut Input<'_>, out: &mut Vec<u8>) {
    let style = input.byte();
    out.push(b'"');
    for at in 0..length {
        if style & 3 == 3 && at % 8 == 5 {
            let odd = input.pick(&["\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\\\", "é", "€", "😀", "\t"]);
            out.extend_from_slice(odd.as_bytes());
        } else {
            out.push(b"etaoin shrdlu-_/{}[],:0123456789"[(at + usize::from(style)) % 32]);
        }
    }
    out.push(b'"');
}

/// Any JSON value.
fn anything(input: &mut Input<'_>, out: &mut Vec<u8>, depth: usize) {
    match input.below(if depth == 0 { 5 } else { 8 }) {
        0 => out.extend_from_slice(input.pick(&["null", "true", "false"]).as_bytes()),
        1 => number(input, u64::MAX, out),
        2 => out.extend_from_slice(
            input.pick(&["1.5", "-0.0", "1e400", "01", "-", "NaN", "1.", ".5"]).as_bytes(),
        ),
        3 => {
            let length = input.below(20);
            text(length, input, out);
        }
        4 => {
            let raw = input.take(3);
            quote(raw, out);
        }
        5 | 6 => list(input, out, |input, out| anything(input, out, depth - 1)),
        _ => {
            out.push(b'{');
            for at in 0..input.below(4) {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(input.pick(&["\"k\":", "\"a\":", "\"a.b\":", "\"\":"]).as_bytes());
                anything(input, out, depth - 1);
            }
            out.push(b'}');
        }
    }
}
