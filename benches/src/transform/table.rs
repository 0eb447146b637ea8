//! The report as tables for people.

use std::fmt::{self, Write as _};

use super::cases::OURS;
use super::report::{CorpusReport, Report};
use super::targets::Verdict;

/// All tables, in Markdown.
///
/// # Errors
/// Never for a text.
pub fn write(report: &Report) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let machine = &report.machine;
    let versions: Vec<String> =
        machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    writeln!(text, "{}; tier {} of {}", machine.cpu, machine.tier, machine.tiers.join(", "))?;
    writeln!(text, "{}", versions.join(", "))?;
    writeln!(
        text,
        "seed {}, {} rounds, {} KiB of records a call, {}",
        report.seed,
        report.rounds,
        report.slice_bytes / 1024,
        if machine.pinned { "on one core" } else { "not bound to a core" }
    )?;
    for corpus in &report.corpora {
        corpus_table(&mut text, corpus)?;
    }
    if !report.flat.is_empty() {
        writeln!(text, "\n## Cost by number of records\n")?;
        writeln!(
            text,
            "| corpus | records | ns a record | with a new encoder | by 1000, in turns |\n|---|---:|---:|---:|---:|"
        )?;
        for flat in &report.flat {
            writeln!(
                text,
                "| {} | {} | {:.0} | {:.0} | {:.2} |",
                flat.corpus, flat.records, flat.warm_ns_record, flat.new_ns_record, flat.by_base
            )?;
        }
    }
    if !report.targets.is_empty() {
        writeln!(text, "\n## Targets\n")?;
        writeln!(
            text,
            "| corpus | size | what | floor | goal | measured | |\n|---|---|---|---:|---:|---:|---|"
        )?;
        for verdict in &report.targets {
            target_row(&mut text, verdict)?;
        }
    }
    Ok(text)
}

fn corpus_table(text: &mut String, corpus: &CorpusReport) -> fmt::Result {
    writeln!(
        text,
        "\n## {} ({}): {} columns, {:.2} MB, {} records of {} bytes, {} rejected\n",
        corpus.corpus,
        corpus.size,
        corpus.columns,
        corpus.bytes as f64 / 1e6,
        corpus.records,
        corpus.bytes / corpus.records.max(1),
        corpus.rejected
    )?;
    writeln!(text, "| case | GB/s median | best | ns a record | allocations a record | ours by this |")?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|")?;
    let ours = corpus.timing(OURS).map_or(f64::NAN, |timing| timing.median_gb_s);
    for timing in &corpus.timings {
        let allocations =
            timing.allocations_record.map_or_else(String::new, |allocations| format!("{allocations:.2}"));
        writeln!(
            text,
            "| {} | {:.3} | {:.3} | {:.0} | {allocations} | {:.2} |",
            timing.case,
            timing.median_gb_s,
            timing.best_gb_s,
            timing.median_ns_record,
            ours / timing.median_gb_s
        )?;
    }
    Ok(())
}

fn target_row(text: &mut String, verdict: &Verdict) -> fmt::Result {
    let Verdict { corpus, size, what, floor, goal, .. } = verdict;
    let Some(measured) = verdict.measured else {
        return writeln!(text, "| {corpus} | {size} | {what} | {floor} | {goal} | | not measured |");
    };
    let result = match (verdict.goal_reached, verdict.floor_held) {
        (true, _) => "goal reached".to_owned(),
        (false, true) => format!("floor held, {:.0} % of the goal", 100.0 * measured / goal),
        (false, false) if verdict.known_miss => {
            format!("floor missed, as known: {:.0} % of it", 100.0 * measured / floor)
        }
        (false, false) if *floor > 0.0 => format!("FLOOR MISSED, {:.0} % of it", 100.0 * measured / floor),
        (false, false) => "FLOOR MISSED".to_owned(),
    };
    writeln!(text, "| {corpus} | {size} | {what} | {floor} | {goal} | {measured:.2} | {result} |")
}
