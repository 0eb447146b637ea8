//! What a run has to say: sums for people and as JSON, findings as cases of `testdata/conversion`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::compare::{Finding, Outcome};
use crate::group::{Group, list_of};
use crate::known;
use crate::reference::hex;

/// A finding in its smallest form.
#[derive(Debug)]
pub(crate) struct Found {
    /// The group in which it was found.
    pub(crate) index: u64,
    pub(crate) finding: Finding,
    pub(crate) group: Group,
}

impl Found {
    /// The finding as an entry of `testdata/conversion/found.toml`, with what we said as a comment.
    pub(crate) fn case(&self, seed: u64) -> String {
        let Found { index, finding, group } = self;
        let mut text = format!("# {:?}; again with --seed {seed} --only {index}\n", finding.class);
        for (name, verdict) in
            [("clickhouse semantics", &finding.ours), ("strict semantics", &finding.strict)]
        {
            let verdict = match verdict {
                Ok(row) => format!("row {}", hex(row)),
                Err(reject) => format!("{} at byte {}", reject.code, reject.position),
            };
            comment(&mut text, &format!("{name}: {verdict}"));
        }
        if !finding.note.is_empty() {
            comment(&mut text, &finding.note);
        }
        if group.records.len() > 1 {
            comment(&mut text, "the records, in this order, of which the case below has one:");
            for record in &group.records {
                comment(&mut text, &String::from_utf8_lossy(record));
            }
        }
        if let Some(Err(refusal)) = &finding.theirs {
            comment(&mut text, &format!("ClickHouse: {}", refusal.chars().take(200).collect::<String>()));
            comment(&mut text, "the codes are to be chosen");
        }
        let record = &group.records[finding.record];
        let _ = writeln!(text, "[[case]]\ncolumns = {}", quote(&list_of(&group.columns)));
        let _ = match std::str::from_utf8(record) {
            Ok(json) if !json.chars().any(char::is_control) => writeln!(text, "json = {}", quote(json)),
            _ => writeln!(text, "json_hex = \"{}\"", hex(record)),
        };
        let row = match &finding.theirs {
            Some(theirs) => theirs.as_ref().ok(),
            None => finding.ours.as_ref().ok(),
        };
        let strict = match (&finding.strict, row) {
            // A code that is on the list of the strict semantics is right; another one is the bug.
            (Err(reject), Some(_)) if known::strict_reason(reject, record).is_none() => None,
            (Err(reject), _) => Some(reject.code.as_str()),
            (Ok(_), Some(_)) => None,
            (Ok(_), None) => Some("type_mismatch"),
        };
        if let Some(row) = row {
            let _ = writeln!(text, "row = \"{}\"", hex(row));
        }
        if let Some(code) = strict {
            let _ = writeln!(text, "strict = \"{code}\"");
        }
        if row.is_none() {
            let code = finding.ours.as_ref().map_or_else(|reject| reject.code.as_str(), |_| "type_mismatch");
            let _ = writeln!(text, "clickhouse = \"{code}\"");
        }
        text
    }
}

fn comment(text: &mut String, line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(2_000).collect();
    let _ = writeln!(text, "# {line}");
}

/// A text of TOML: between single quotes where it has none.
fn quote(text: &str) -> String {
    if text.contains('\'') {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{text}'")
    }
}

/// Pairs of one type.
#[derive(Debug, Default, Clone, Copy)]
struct OfType {
    pairs: u64,
    accepted: u64,
}

/// The sums of a run.
#[derive(Debug)]
pub(crate) struct Report {
    seed: u64,
    skipped: Vec<(String, String)>,
    pub(crate) pairs: u64,
    by_type: BTreeMap<&'static str, OfType>,
    verdicts: BTreeMap<&'static str, u64>,
    strict_verdicts: BTreeMap<&'static str, u64>,
    known: BTreeMap<&'static str, u64>,
    /// Differences that are not listed.
    pub(crate) findings: u64,
    /// Some of them, shrunk.
    pub(crate) found: Vec<Found>,
    pub(crate) took: Duration,
}

impl Report {
    pub(crate) fn new(seed: u64, skipped: Vec<(String, String)>) -> Report {
        Report {
            seed,
            skipped,
            pairs: 0,
            by_type: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            strict_verdicts: BTreeMap::new(),
            known: BTreeMap::new(),
            findings: 0,
            found: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// Adds what a group brought, whose columns have these types.
    pub(crate) fn add(&mut self, names: &BTreeSet<&'static str>, records: u64, outcome: &Outcome) {
        self.pairs += records;
        for name in names {
            let of_type = self.by_type.entry(name).or_default();
            of_type.pairs += records;
            of_type.accepted += outcome.accepted;
        }
        for (sum, counts) in [
            (&mut self.verdicts, &outcome.verdicts),
            (&mut self.strict_verdicts, &outcome.strict_verdicts),
            (&mut self.known, &outcome.known),
        ] {
            for (name, count) in counts {
                *sum.entry(name).or_default() += count;
            }
        }
    }

    fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let pairs = self.pairs as f64;
        pairs / self.took.as_secs_f64().max(0.001)
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let by_type: BTreeMap<_, _> = self
            .by_type
            .iter()
            .map(|(name, of)| (*name, serde_json::json!({"pairs": of.pairs, "accepted": of.accepted})))
            .collect();
        serde_json::json!({
            "seed": self.seed,
            "pairs": self.pairs,
            "seconds": self.took.as_secs_f64(),
            "pairs_per_second": self.rate(),
            "types": by_type,
            "skipped": self.skipped.iter().cloned().collect::<BTreeMap<_, _>>(),
            "clickhouse": self.verdicts,
            "strict": self.strict_verdicts,
            "known": self.known,
            "unexplained": self.findings,
            "found": self.found.iter().map(|found| found.case(self.seed)).collect::<Vec<_>>(),
        })
    }

    /// Appends the findings to a file of cases.
    pub(crate) fn append_cases(&self, file: &Path) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file)?;
        for found in &self.found {
            write!(file, "\n{}", found.case(self.seed))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "type{:>60} {:>10}", "pairs", "accepted")?;
        for (name, of) in &self.by_type {
            writeln!(f, "{name:<54}{:>10} {:>10}", of.pairs, of.accepted)?;
        }
        for (title, counts) in [
            ("verdicts with ClickHouse's semantics", &self.verdicts),
            ("verdicts with the strict semantics", &self.strict_verdicts),
            ("differences on purpose (docs/differences.md)", &self.known),
        ] {
            writeln!(f, "\n{title}")?;
            for (name, count) in counts {
                writeln!(f, "{name:<54}{count:>10}")?;
            }
        }
        if !self.found.is_empty() {
            writeln!(f, "\nunexplained differences, as cases for testdata/conversion/found.toml")?;
            for found in &self.found {
                writeln!(f, "\n{}", found.case(self.seed))?;
            }
        }
        let skipped: Vec<&str> = self.skipped.iter().map(|(name, _)| name.as_str()).collect();
        writeln!(
            f,
            "\nskipped: {}",
            if skipped.is_empty() { "no type".to_owned() } else { skipped.join("; ") }
        )?;
        write!(
            f,
            "seed {}: {} pairs in {:.1} s, {:.0} a second, {} unexplained differences",
            self.seed,
            self.pairs,
            self.took.as_secs_f64(),
            self.rate(),
            self.findings
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Class;
    use crate::shape::Shape;
    use crate::types::Kind;

    fn found(record: &[u8], theirs: Result<Vec<u8>, String>) -> Found {
        let shape = Shape::Scalar("Enum8('a' = 1)", Kind::Bool);
        Found {
            index: 5,
            finding: Finding {
                class: Class::OtherBytes,
                record: 0,
                ours: Ok(vec![1]),
                strict: Ok(vec![1]),
                theirs: Some(theirs),
                note: String::new(),
            },
            group: Group { columns: vec![("a".to_owned(), shape)], records: vec![record.to_vec()] },
        }
    }

    #[test]
    fn a_finding_is_a_case_that_toml_reads() {
        let text = found(br#"{"a":"it's"}"#, Ok(vec![2])).case(9);
        assert!(text.contains("--seed 9 --only 5"), "{text}");
        let case = &toml::from_str::<toml::Table>(&text).unwrap()["case"][0];
        assert_eq!(case["columns"].as_str(), Some("a Enum8('a' = 1)"));
        assert_eq!(case["json"].as_str(), Some(r#"{"a":"it's"}"#));
        assert_eq!(case["row"].as_str(), Some("02"));
        assert!(case.get("clickhouse").is_none());

        let text = found(b"\xff\n", Err("Code: 27.\nx".to_owned())).case(9);
        let case = &toml::from_str::<toml::Table>(&text).unwrap()["case"][0];
        assert_eq!(case["json_hex"].as_str(), Some("ff0a"));
        assert!(
            case.get("row").is_none() && case.get("strict").is_some() && case.get("clickhouse").is_some()
        );
    }
}
