//! A run: generates, checks bytes, measures, judges.

use anyhow::ensure;

use super::cases::{self, Case, Engines, OURS, SLICE_BYTES};
use super::clickhouse::Reader;
use super::corpora::{Dataset, Kind};
use super::flat::{self, Flat};
use super::machine::Machine;
use super::measure::{self, Effort};
use super::report::{CorpusReport, Report};
use super::targets;

/// The row beside that of the corpus with bad records: the same events before they were spoilt.
pub const UNSPOILT: &str = "housepipe, the same events unspoilt";
/// The corpora whose cost by the number of records is measured.
const FLAT: [&str; 2] = ["logs", "events"];

/// How much of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// In reports.
    pub name: &'static str,
    /// Bytes of JSON.
    pub bytes: usize,
}

impl Size {
    /// Records and rows stay in the L2 cache.
    pub const L2: Size = Size { name: "l2", bytes: 800_000 };
    /// They come from memory.
    pub const DRAM: Size = Size { name: "dram", bytes: 30_000_000 };
    /// To see that everything works.
    pub const QUICK: Size = Size { name: "quick", bytes: 100_000 };
}

/// What to measure.
pub struct Wanted {
    /// The corpora.
    pub kinds: Vec<Kind>,
    /// Their sizes.
    pub sizes: Vec<Size>,
    /// A user's own records, instead of the corpora.
    pub own: Option<Dataset>,
    /// The seed of the corpora.
    pub seed: u64,
    /// Engines beside the default one.
    pub engines: Engines,
    /// How long.
    pub effort: Effort,
    /// A ClickHouse to compare with, and how many runs it gets.
    pub clickhouse: Option<(Reader, usize)>,
    /// Whether the cost by number of records is measured too.
    pub flat: bool,
}

/// Measures everything that is wanted; says on `progress` what is under way.
///
/// # Errors
/// Where any reader gives other bytes than the exact path, or the server fails.
pub fn run(wanted: &Wanted, machine: Machine, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Report> {
    let mut corpora = Vec::new();
    if let Some(own) = &wanted.own {
        progress(&own.name);
        corpora.push(corpus(wanted, own, "file")?);
    } else {
        for size in &wanted.sizes {
            for kind in &wanted.kinds {
                progress(&format!("{} ({}): {}", kind.name, size.name, kind.about));
                corpora.push(corpus(wanted, &kind.generate(wanted.seed, size.bytes), size.name)?);
            }
        }
    }
    let flat = if wanted.flat { flat_costs(wanted, progress)? } else { Vec::new() };
    let targets = targets::judge(&corpora, &flat);
    let (seed, rounds) = (wanted.seed, wanted.effort.rounds);
    Ok(Report { machine, seed, rounds, slice_bytes: SLICE_BYTES, corpora, flat, targets })
}

fn corpus(wanted: &Wanted, dataset: &Dataset, size: &'static str) -> anyhow::Result<CorpusReport> {
    let unspoilt =
        if dataset.name == "bad-1-percent" { Some(unspoilt(wanted.seed, dataset.len())?) } else { None };
    let mut cases = cases::cases(dataset, &wanted.engines)?;
    let (expected, rows) = cases::check_equal_bytes(dataset, &mut cases)?;
    ensure!(rows > 0, "{}: every record is rejected; do the columns fit?", dataset.name);
    let columns = cases::plan(&dataset.columns, &Default::default())?.columns().len();
    if let Some(events) = &unspoilt {
        let ours = cases::cases(events, &Engines::default())?.into_iter().find(|case| case.name == OURS);
        // Right behind ours, so that both see the same machine.
        cases.splice(1..1, ours.map(|case| Case { name: UNSPOILT.to_owned(), ..case }));
    }
    let mut timings = measure::measure(&mut cases, dataset.bytes(), dataset.len(), wanted.effort);
    if let Some((reader, runs)) = &wanted.clickhouse {
        timings.extend(reader.measure(dataset, &expected, rows, *runs)?);
    }
    Ok(CorpusReport {
        corpus: dataset.name.clone(),
        size,
        columns,
        bytes: dataset.bytes(),
        records: dataset.len(),
        rejected: dataset.len() - rows,
        timings,
    })
}

/// As many events as the spoilt corpus has, of the same seed.
fn unspoilt(seed: u64, records: usize) -> anyhow::Result<Dataset> {
    let kind = Kind::by_name("events")?;
    let mut events = Dataset::new(kind.name, String::new(), Some(kind.typed));
    // Half a kilobyte a record is more than an event has.
    let all = kind.generate(seed, records * 512);
    events.columns.clone_from(&all.columns);
    for record in all.records().take(records) {
        events.push(record);
    }
    Ok(events)
}

fn flat_costs(wanted: &Wanted, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Flat>> {
    let mut costs = Vec::new();
    for name in FLAT {
        progress(&format!("{name}: cost by number of records"));
        costs.extend(flat::measure(
            &Kind::by_name(name)?.generate(wanted.seed, Size::DRAM.bytes),
            wanted.effort.rounds,
        )?);
    }
    Ok(costs)
}
