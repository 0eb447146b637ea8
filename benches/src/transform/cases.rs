//! What is measured on a corpus: our engines and the peers, each a function from all records to all rows.

use std::sync::Arc;

use anyhow::{Context, ensure};
use housepipe_transform::{Encoder, Engine, Path, Plan, PlanOptions, Tier};

use super::corpora::Dataset;
use super::peers::{Peer, Scratch};

/// Bytes of records that one call of ours gets, as the pipe hands over what a fetch brought.
pub const SLICE_BYTES: usize = 256 * 1024;
/// Other sizes of a slice.
const OTHER_SLICES_BYTES: [usize; 2] = [128 * 1024, 512 * 1024];

/// The name of our row that the others are compared with.
pub const OURS: &str = "housepipe";
/// The same, rejecting what is not UTF-8.
pub const STRICT: &str = "housepipe, strict UTF-8";

/// The same without lockstep: key by key, or by the columns.
pub const GENERAL: &str = "housepipe, path General";

/// Replaces the bytes by the rows of all records and says how many there are.
pub type Run<'d> = Box<dyn FnMut(&mut Vec<u8>) -> usize + 'd>;

/// One way from the records to the rows.
pub struct Case<'d> {
    /// Its name in the reports.
    pub name: String,
    /// Does it.
    pub run: Run<'d>,
}

/// Which of our engines are measured beside the default one.
#[derive(Debug, Clone, Default)]
pub struct Engines {
    /// Paths, each with the best tier.
    pub paths: Vec<Path>,
    /// Tiers, each with the fastest path.
    pub tiers: Vec<Tier>,
}

/// Compiles the columns.
///
/// # Errors
/// Where the columns cannot be read or compiled.
pub fn plan(columns: &str, options: &PlanOptions) -> anyhow::Result<Arc<Plan>> {
    let columns = columns.parse().with_context(|| format!("cannot read the columns `{columns}`"))?;
    Ok(Arc::new(Plan::compile(&columns, options)?))
}

/// All cases of a corpus, ours first.
///
/// # Errors
/// Where the columns cannot be compiled.
pub fn cases<'d>(dataset: &'d Dataset, engines: &Engines) -> anyhow::Result<Vec<Case<'d>>> {
    let lenient = plan(&dataset.columns, &PlanOptions::default())?;
    let strict = plan(&dataset.columns, &PlanOptions::default().with_strict_utf8(true))?;
    let best = Engine::default();
    let batch = |name: String, plan: &Arc<Plan>, engine| {
        slices(name, dataset, Encoder::with_engine(Arc::clone(plan), engine), SLICE_BYTES)
    };
    let mut cases = vec![batch(OURS.to_owned(), &lenient, best)];
    if matches!(dataset.name.as_str(), "logs" | "events" | "multibyte") {
        cases.push(batch(STRICT.to_owned(), &strict, best));
    }
    let mut paths = engines.paths.clone();
    if dataset.name.starts_with("shapes-") && !paths.contains(&Path::General) {
        paths.push(Path::General);
    }
    for path in &paths {
        cases.push(batch(format!("{OURS}, path {path:?}"), &lenient, Engine::new(*path, best.tier)));
    }
    for tier in &engines.tiers {
        cases.push(batch(format!("{OURS}, tier {tier}"), &lenient, Engine::new(best.path, *tier)));
    }
    for bytes in OTHER_SLICES_BYTES {
        let name = format!("{OURS}, slices of {} KiB", bytes / 1024);
        cases.push(slices(name, dataset, Encoder::new(Arc::clone(&lenient)), bytes));
    }
    cases.push(lines(format!("{OURS}, lines"), dataset, Encoder::new(Arc::clone(&lenient))));
    cases.push(records(format!("{OURS}, one record a call"), dataset, Encoder::new(lenient)));
    if let Some(typed) = dataset.typed {
        for peer in Peer::ALL {
            let mut scratch = Scratch::default();
            let run = move |out: &mut Vec<u8>| {
                out.clear();
                peer.encode(typed, dataset, &mut scratch, out)
            };
            cases.push(Case { name: format!("{} typed", peer.name()), run: Box::new(run) });
        }
    }
    Ok(cases)
}

fn slices(name: String, dataset: &Dataset, mut encoder: Encoder, bytes_max: usize) -> Case<'_> {
    let slices = dataset.slices(bytes_max);
    let run = move |out: &mut Vec<u8>| {
        out.clear();
        slices.iter().map(|slice| encoder.encode_batch(slice, out, |_, _| {})).sum()
    };
    Case { name, run: Box::new(run) }
}

fn lines(name: String, dataset: &Dataset, mut encoder: Encoder) -> Case<'_> {
    let run = move |out: &mut Vec<u8>| {
        out.clear();
        encoder.encode_lines(dataset.lines(), out, |_| {}).rows
    };
    Case { name, run: Box::new(run) }
}

fn records(name: String, dataset: &Dataset, mut encoder: Encoder) -> Case<'_> {
    let run = move |out: &mut Vec<u8>| {
        out.clear();
        dataset.records().filter(|record| encoder.encode(record, out).is_ok()).count()
    };
    Case { name, run: Box::new(run) }
}

/// Runs every case once and compares its rows with those of the exact path. Returns those rows and their number.
///
/// # Errors
/// The first case whose bytes differ, and where.
pub fn check_equal_bytes(dataset: &Dataset, cases: &mut [Case<'_>]) -> anyhow::Result<(Vec<u8>, usize)> {
    let mut encoder = Encoder::with_engine(plan(&dataset.columns, &PlanOptions::default())?, Engine::EXACT);
    let (mut expected, mut rows) = (Vec::new(), 0);
    for record in dataset.records() {
        rows += usize::from(encoder.encode(record, &mut expected).is_ok());
    }
    let mut out = Vec::new();
    for case in cases {
        let count = (case.run)(&mut out);
        same_bytes(&dataset.name, &case.name, &expected, &out)?;
        ensure!(count == rows, "{}: {} counts {count} rows, the exact path {rows}", dataset.name, case.name);
    }
    Ok((expected, rows))
}

/// Compares rows with those of the exact path.
///
/// # Errors
/// The first byte that differs.
pub fn same_bytes(corpus: &str, case: &str, expected: &[u8], out: &[u8]) -> anyhow::Result<()> {
    if expected == out {
        return Ok(());
    }
    let at = expected.iter().zip(out).take_while(|(a, b)| a == b).count();
    let shown = |bytes: &[u8]| {
        let shown = &bytes[at.saturating_sub(24)..bytes.len().min(at + 24)];
        String::from_utf8_lossy(shown).into_owned()
    };
    anyhow::bail!(
        "{corpus}: {case} gives other bytes than the exact path: {} and {} bytes, the first difference at {at}: {:?} and {:?}",
        out.len(),
        expected.len(),
        shown(out),
        shown(expected)
    )
}
