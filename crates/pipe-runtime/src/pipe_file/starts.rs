//! `source.offset:` — where a new group starts, for all partitions or for each.
//!
//! ```yaml
//! offset: earliest               # or latest, or { timestamp: 2026-01-01T00:00:00Z }
//! offset:
//!   partitions: { 0: 100, 1: latest, 2: { timestamp: 2026-01-01T00:00:00Z } }
//!   others: earliest             # partitions that are not named; this is what it is where it is left out
//! ```

use std::collections::BTreeMap;

use chrono::DateTime;
use housepipe_kafka_source::{Offset, PartitionId, StartOffset};

use super::fields::{Fields, Located};
use super::suggest::{cut, nearest};
use super::types::Starts;
use super::yaml::Value;
use super::{Problem, WORD_LETTERS_MAX, units};

/// The highest offset of a partition, and the highest number of one.
const OFFSET_MOST: u64 = i64::MAX.cast_unsigned();
const PARTITION_MOST: u64 = i32::MAX.cast_unsigned() as u64;

pub(super) fn starts(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<Starts> {
    if !matches!(at.node.value, Value::Map(_)) {
        return start(at, false, problems).map(everywhere);
    }
    let mut fields = Fields::of(at, problems)?;
    let (timestamp, named, others) =
        (fields.take("timestamp"), fields.take("partitions"), fields.take("others"));
    let starts = match (timestamp, named, others) {
        (Some(timestamp), None, None) => time(&timestamp, problems).map(everywhere),
        (Some(timestamp), ..) => {
            problems.push(
                timestamp
                    .problem("stands for all partitions, beside some that are named")
                    .mend("write `others: { timestamp: … }`"),
            );
            None
        }
        (None, Some(named), others) => {
            let partitions = partitions(&named, problems);
            let others = others.map_or(Some(StartOffset::Earliest), |v| start(&v, false, problems));
            partitions.zip(others).map(|(partitions, others)| Starts { partitions, others })
        }
        (None, None, _) => {
            problems.push(
                at.problem("names neither a time nor partitions")
                    .mend("write `{ timestamp: 2026-01-01T00:00:00Z }` or `{ partitions: { 0: 100 } }`"),
            );
            None
        }
    };
    fields.finish(problems);
    starts
}

fn everywhere(others: StartOffset) -> Starts {
    Starts { others, ..Starts::default() }
}

/// The partitions that are named, none of them twice.
fn partitions(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<BTreeMap<PartitionId, StartOffset>> {
    let Value::Map(entries) = &at.node.value else {
        problems.push(
            at.problem(format!("expected a mapping of partitions, found {}", at.node.value.describe()))
                .mend("write it as `{ 0: 100, 1: latest }`"),
        );
        return None;
    };
    let before = problems.len();
    let mut named = BTreeMap::new();
    for entry in entries {
        let path = format!("{}.{}", at.path, entry.key);
        let Ok(partition) = units::integer(&entry.key, 0, PARTITION_MOST) else {
            problems.push(
                Problem::at(
                    entry.line,
                    &path,
                    format!("`{}` is no partition", cut(&entry.key, WORD_LETTERS_MAX)),
                )
                .mend("partitions are numbered from 0"),
            );
            continue;
        };
        let Some(start) = start(&at.inner(path.clone(), &entry.node), true, problems) else {
            continue;
        };
        // A number that is in bounds; a YAML mapping may still have it twice, as `1` and `01`.
        let partition = PartitionId(i32::try_from(partition).unwrap_or(i32::MAX));
        if named.insert(partition, start).is_some() {
            problems.push(Problem::at(entry.line, &path, format!("partition {partition} is named twice")));
        }
    }
    if entries.is_empty() {
        problems.push(at.problem("no partition is named").mend("name one, or write `offset: earliest`"));
    }
    (problems.len() == before).then_some(named)
}

/// Where one partition starts, or all of them, which cannot be one offset.
fn start(at: &Located<'_>, is_one: bool, problems: &mut Vec<Problem>) -> Option<StartOffset> {
    if let Value::Map(_) = at.node.value {
        let mut fields = Fields::of(at, problems)?;
        let start = fields.require("timestamp", problems).and_then(|v| time(&v, problems));
        fields.finish(problems);
        return start;
    }
    let text = at.text(problems)?;
    match text.as_str() {
        "earliest" => return Some(StartOffset::Earliest),
        "latest" => return Some(StartOffset::Latest),
        _ => {}
    }
    if let Ok(offset) = units::integer(&text, 0, OFFSET_MOST) {
        if is_one {
            return Some(StartOffset::At(Offset(i64::try_from(offset).unwrap_or(i64::MAX))));
        }
        problems.push(
            at.problem(format!("{text} is an offset, and each partition has offsets of its own"))
                .mend(format!("write `{{ partitions: {{ 0: {text} }} }}`")),
        );
        return None;
    }
    let is_negative =
        text.strip_prefix('-').is_some_and(|digits| units::integer(digits, 0, OFFSET_MOST).is_ok());
    let word = cut(&text, WORD_LETTERS_MAX);
    let problem = match nearest(&text, &["earliest", "latest"]) {
        _ if is_negative => at.problem(format!("{text} is no offset")).mend("offsets are numbered from 0"),
        Some(near) => {
            at.problem(format!("`{word}` is not a choice here")).mend(format!("did you mean `{near}`?"))
        }
        None if is_one => at
            .problem(format!("`{word}` is not a choice here"))
            .mend("one of: earliest, latest, { timestamp: … }, or an offset"),
        None => at.problem(format!("`{word}` is not a choice here")).mend("one of: earliest, latest"),
    };
    problems.push(problem);
    None
}

fn time(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<StartOffset> {
    at.parsed(problems, |text| match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(StartOffset::Timestamp { unix_ms: time.timestamp_millis() }),
        Err(_) => Err(format!(
            "`{}` is no time with a zone; write it as 2026-01-01T00:00:00Z",
            cut(text, WORD_LETTERS_MAX)
        )),
    })
}
