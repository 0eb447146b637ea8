//! The comparison of one list of records: ours against ClickHouse's, both semantics, both paths.

use std::collections::BTreeMap;

use housepipe_transform::{Columns, Semantics};

use crate::cells::without_json;
use crate::known;
use crate::reference::{Reference, code_of};
use crate::shape::compiles;
use crate::subject::{Subject, Verdict};

/// How two verdicts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// Both accept, with different rows.
    OtherBytes,
    /// We accept what ClickHouse refuses.
    Accepts,
    /// We refuse what ClickHouse accepts, without a reason in `docs/differences.md`.
    Refuses,
    /// The strict semantics have another row, or a row where the others have none.
    StrictAccepts,
    /// The strict semantics refuse with a code that is not listed.
    StrictRefuses,
    /// The engine differs from the exact path.
    Engine,
    /// There is a plan for columns that ClickHouse refuses, whatever the record.
    Columns,
}

/// A difference that is not listed.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) class: Class,
    /// The record in its list.
    pub(crate) record: usize,
    /// Our verdict with ClickHouse's semantics.
    pub(crate) ours: Verdict,
    /// Our verdict with the strict semantics.
    pub(crate) strict: Verdict,
    /// ClickHouse's verdict, where it was asked.
    pub(crate) theirs: Option<Result<Vec<u8>, String>>,
    /// More about it.
    pub(crate) note: String,
}

impl Finding {
    /// What findings of one cause mostly share.
    pub(crate) fn signature(&self) -> String {
        let code = |verdict: &Verdict| verdict.as_ref().map_or_else(|reject| reject.code.as_str(), |_| "row");
        let theirs =
            self.theirs.as_ref().map(|theirs| theirs.as_ref().map_or_else(|text| code_of(text), |_| 0));
        format!("{:?} {} {} {theirs:?}", self.class, code(&self.ours), code(&self.strict))
    }
}

/// What the comparison of a list found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) findings: Vec<Finding>,
    /// Listed differences, by reason.
    pub(crate) known: BTreeMap<&'static str, u64>,
    /// Verdicts with ClickHouse's semantics, `accepted` or the code.
    pub(crate) verdicts: BTreeMap<&'static str, u64>,
    /// The same with the strict semantics.
    pub(crate) strict_verdicts: BTreeMap<&'static str, u64>,
    /// Which records were accepted with ClickHouse's semantics.
    pub(crate) accepted: u64,
}

/// Compares. None where the columns have no plan.
pub(crate) fn compare(
    columns: &str,
    records: &[Vec<u8>],
    subject: &mut impl Subject,
    reference: &mut impl Reference,
) -> anyhow::Result<Option<Outcome>> {
    let Ok(list) = columns.parse() else { return Ok(None) };
    let Ok(flat) = compiles(columns) else { return Ok(None) };
    let (Ok(ours), Ok(strict)) = (
        subject.encode(&list, Semantics::ClickHouse, records),
        subject.encode(&list, Semantics::Strict, records),
    ) else {
        return Ok(None);
    };
    let mut outcome = Outcome::default();
    for (semantics, encoded) in [("clickhouse", &ours), ("strict", &strict)] {
        if let Some(difference) = &encoded.engine_differs {
            outcome.findings.push(Finding {
                class: Class::Engine,
                record: 0,
                ours: ours.verdicts[0].clone(),
                strict: strict.verdicts[0].clone(),
                theirs: None,
                note: format!("{semantics}: {difference}"),
            });
        }
    }
    // ClickHouse reads the types as they were spelled; but a Nested column is an array for each of its elements, and
    // it is asked for those.
    let columns = if columns.contains("Nested") { flat.to_string() } else { columns.to_owned() };
    let reads_back = columns.to_ascii_lowercase().contains("json");
    if let Err(refusal) = reference.rows(&columns, b"")? {
        outcome.findings.push(Finding {
            class: Class::Columns,
            record: 0,
            ours: ours.verdicts[0].clone(),
            strict: strict.verdicts[0].clone(),
            theirs: Some(Err(refusal)),
            note: "the columns are refused, not the record".to_owned(),
        });
        return Ok(Some(outcome));
    }
    let mut judge = Judge { columns, flat, reads_back, records, ours: &ours.verdicts, reference };
    let accepted: Vec<usize> = (0..records.len()).filter(|at| ours.verdicts[*at].is_ok()).collect();
    outcome.accepted = accepted.len() as u64;
    let mut differing = BTreeMap::new();
    judge.accepted(&accepted, &mut differing)?;
    for (at, verdict) in ours.verdicts.iter().enumerate() {
        if verdict.is_err()
            && let Ok(row) = judge.alone(at)?
        {
            differing.insert(at, Ok(row));
        }
    }
    for (at, (ours, strict)) in ours.verdicts.iter().zip(&strict.verdicts).enumerate() {
        count(&mut outcome.verdicts, ours);
        count(&mut outcome.strict_verdicts, strict);
        let finding = |class, theirs| Finding {
            class,
            record: at,
            ours: ours.clone(),
            strict: strict.clone(),
            theirs,
            note: String::new(),
        };
        if let Some(theirs) = differing.remove(&at) {
            let reason = match (ours, &theirs) {
                (Err(reject), _) => known::reason(reject, &judge.columns, &records[at]),
                (Ok(_), Err(text)) => known::unwritten(text, &records[at]),
                (Ok(_), Ok(_)) => None,
            };
            let reason = match reason {
                None if judge.depends_on_buffer(at)? => Some(known::BUFFER_END),
                reason => reason,
            };
            let class = match (ours, &theirs) {
                (Ok(_), Ok(_)) => Class::OtherBytes,
                (Ok(_), Err(_)) => Class::Accepts,
                _ => Class::Refuses,
            };
            match reason {
                Some(reason) => *outcome.known.entry(reason).or_default() += 1,
                None => outcome.findings.push(finding(class, Some(theirs))),
            }
        }
        match (ours, strict) {
            (Ok(ours), Ok(strict)) if ours == strict => {}
            (_, Ok(_)) => outcome.findings.push(finding(Class::StrictAccepts, None)),
            (Ok(_), Err(reject)) => match known::strict_reason(reject, &records[at]) {
                Some(reason) => *outcome.known.entry(reason).or_default() += 1,
                None => outcome.findings.push(finding(Class::StrictRefuses, None)),
            },
            (Err(_), Err(_)) => {}
        }
    }
    Ok(Some(outcome))
}

fn count(counts: &mut BTreeMap<&'static str, u64>, verdict: &Verdict) {
    let name = verdict.as_ref().map_or_else(|reject| reject.code.as_str(), |_| "accepted");
    *counts.entry(name).or_default() += 1;
}

/// ClickHouse's verdicts, by record.
type Theirs = BTreeMap<usize, Result<Vec<u8>, String>>;

/// Asks ClickHouse about the records of one list.
struct Judge<'a, R> {
    columns: String,
    /// The columns of a row, their types as we read them.
    flat: Columns,
    /// JSON columns are compared by what ClickHouse reads from our bytes, the other columns by their bytes.
    reads_back: bool,
    records: &'a [Vec<u8>],
    ours: &'a [Verdict],
    reference: &'a mut R,
}

impl<R: Reference> Judge<'_, R> {
    /// Compares records that we accept, all at once; where they differ, by halves.
    fn accepted(&mut self, which: &[usize], differing: &mut Theirs) -> anyhow::Result<()> {
        if which.is_empty() {
            return Ok(());
        }
        let (mut lines, mut rows) = (Vec::new(), Vec::new());
        for at in which {
            lines.extend_from_slice(&self.records[*at]);
            lines.push(b'\n');
            rows.extend_from_slice(self.ours[*at].as_deref().unwrap_or_default());
        }
        let theirs = self.reference.rows(&self.columns, &lines)?;
        if let Ok(theirs) = &theirs
            && self.same(&lines, &rows, theirs)?
        {
            return Ok(());
        }
        if let [at] = which {
            differing.insert(*at, theirs);
            return Ok(());
        }
        let (first, second) = which.split_at(which.len() / 2);
        self.accepted(first, differing)?;
        self.accepted(second, differing)
    }

    /// Whether our rows are ClickHouse's.
    fn same(&mut self, lines: &[u8], ours: &[u8], theirs: &[u8]) -> anyhow::Result<bool> {
        if !self.reads_back {
            return Ok(ours == theirs);
        }
        let is_same = self.reference.read_back(&self.columns, ours, false)?.as_deref() == Ok(theirs);
        // Inside of a Variant the order in which ClickHouse writes the paths of a JSON depends on the values that it has
        // tried before. In its texts they are sorted.
        if !is_same && !self.columns.contains("Variant") {
            return Ok(false);
        }
        let texts = self.reference.texts(&self.columns, lines)?;
        if !is_same && self.reference.read_back(&self.columns, ours, true)? != texts {
            return Ok(false);
        }
        // ClickHouse reads a Bool of 2 and writes 1: what it reads from our bytes does not show them.
        let theirs = texts.as_ref().ok().and_then(|rows| without_json(&self.flat, rows));
        Ok(theirs.is_some() && without_json(&self.flat, ours) == theirs)
    }

    fn alone(&mut self, at: usize) -> anyhow::Result<Result<Vec<u8>, String>> {
        self.reference.rows(&self.columns, &[&self.records[at][..], b"\n"].concat())
    }

    /// Whether ClickHouse agrees with us once more bytes follow the record.
    fn depends_on_buffer(&mut self, at: usize) -> anyhow::Result<bool> {
        let padded = [&self.records[at][..], &[b' '; 300], b"\n"].concat();
        let theirs = self.reference.rows(&self.columns, &padded)?;
        Ok(match (&self.ours[at], theirs) {
            (Ok(ours), Ok(theirs)) => self.same(&padded, ours, &theirs)?,
            (ours, theirs) => ours.is_err() && theirs.is_err(),
        })
    }
}
