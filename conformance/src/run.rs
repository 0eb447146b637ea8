//! A run: groups one after the other, on several connections.

use anyhow::bail;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use housepipe_transform::Engine;

use crate::compare::{Outcome, compare};
use crate::group::{Group, list_of};
use crate::reference::{Clickhouse, Reference as _};
use crate::report::{Found, Report};
use crate::shape::{Shape, Table};
use crate::shrink::Shrinker;
use crate::subject::Product;

/// Findings that are shrunk and printed, at most; all are counted.
const FOUND_MAX: usize = 60;

/// Findings of one signature that are shrunk; the others most likely have the same cause.
const FOUND_PER_SIGNATURE_MAX: usize = 3;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) seed: u64,
    /// The indices of the groups.
    pub(crate) groups: Range<u64>,
    pub(crate) time_max: Option<Duration>,
    pub(crate) types: Option<regex::Regex>,
    pub(crate) engine: Engine,
    pub(crate) connections: usize,
}

/// What a thread has to say.
enum News {
    Group { names: BTreeSet<&'static str>, records: u64, outcome: Outcome },
    Finding { index: u64, signature: String, finding: Box<crate::compare::Finding>, group: Group },
}

/// Runs the groups and reports.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let started = Instant::now();
    let mut server = Clickhouse::new(&plan.url);
    let mut failed = None;
    let table = Table::new(
        |text| plan.types.as_ref().is_none_or(|types| types.is_match(text)),
        |text| match server.rows(&format!("a {text}"), b"{}\n") {
            Ok(verdict) => {
                verdict.map(drop).map_err(|text| text.lines().next().unwrap_or_default().to_owned())
            }
            Err(error) => {
                failed = Some(error);
                Err("not asked".to_owned())
            }
        },
    );
    if let Some(error) = failed {
        return Err(error);
    }
    let table = table.map_err(anyhow::Error::msg)?;
    for (name, reason) in &table.skipped {
        eprintln!("skipped {name}: {}", reason.chars().take(120).collect::<String>());
    }
    let mut report = Report::new(plan.seed, table.skipped.clone());
    let (next, stop) = (AtomicU64::new(plan.groups.start), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers: Vec<_> = (0..plan.connections)
            .map(|_| {
                let (sender, table, next, stop) = (sender.clone(), &table, &next, &stop);
                scope.spawn(move || {
                    let result = work(plan, table, next, stop, &sender);
                    if result.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    result
                })
            })
            .collect();
        drop(sender);
        let result = collect(plan, &receiver, &mut report, &stop, started);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            // A panic of a thread is one of this process.
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        result
    })?;
    report.took = started.elapsed();
    shrink(plan, &mut report, &mut server)?;
    Ok(report)
}

fn work(
    plan: &Plan,
    table: &Table,
    next: &AtomicU64,
    stop: &AtomicBool,
    sender: &mpsc::Sender<News>,
) -> anyhow::Result<()> {
    let mut server = Clickhouse::new(&plan.url);
    let mut product = Product { engine: plan.engine };
    while !stop.load(Ordering::Relaxed) {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= plan.groups.end {
            break;
        }
        let group = Group::generate(plan.seed, index, table);
        let columns = list_of(&group.columns);
        let Some(mut outcome) = compare(&columns, &group.records, &mut product, &mut server)? else {
            bail!("group {index} has columns without a plan: {columns}");
        };
        let names = group.columns.iter().flat_map(|(_, shape)| shape.parts()).map(Shape::name).collect();
        for finding in outcome.findings.drain(..) {
            let signature = finding.signature();
            // A receiver that is gone has stopped the run.
            let _ = sender.send(News::Finding {
                index,
                signature,
                finding: Box::new(finding),
                group: group.clone(),
            });
        }
        let _ = sender.send(News::Group { names, records: group.records.len() as u64, outcome });
    }
    Ok(())
}

/// Makes the findings small that are to be printed. What does not repeat stays as it was.
fn shrink(plan: &Plan, report: &mut Report, server: &mut Clickhouse) -> anyhow::Result<()> {
    // Threads hand findings over in any order; a report does not show it.
    report.found.sort_by_key(|found| (found.index, found.finding.record));
    let mut product = Product { engine: plan.engine };
    let count = report.found.len();
    for (at, found) in report.found.iter_mut().enumerate() {
        eprintln!("shrinking {} of {count}", at + 1);
        let class = found.finding.class;
        let small = Shrinker::new(&mut product, server, class).shrink(&found.group, found.finding.record)?;
        let outcome = compare(&list_of(&small.columns), &small.records, &mut product, server)?;
        let mut findings = outcome.map(|outcome| outcome.findings).unwrap_or_default();
        if let Some(at) = findings.iter().position(|finding| finding.class == class) {
            found.finding = findings.swap_remove(at);
            found.group = small;
        }
    }
    Ok(())
}

/// Adds up what the threads say, and shows the progress once a second.
fn collect(
    plan: &Plan,
    receiver: &mpsc::Receiver<News>,
    report: &mut Report,
    stop: &AtomicBool,
    started: Instant,
) -> anyhow::Result<()> {
    let mut shown = Instant::now();
    let mut signatures: HashMap<String, usize> = HashMap::new();
    loop {
        match receiver.recv_timeout(Duration::from_millis(500)) {
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Ok(News::Group { names, records, outcome }) => report.add(&names, records, &outcome),
            Ok(News::Finding { index, signature, finding, group }) => {
                report.findings += 1;
                let seen = signatures.entry(signature.clone()).or_default();
                *seen += 1;
                if *seen <= FOUND_PER_SIGNATURE_MAX && report.found.len() < FOUND_MAX {
                    eprintln!("group {index}: {signature}");
                    report.found.push(Found { index, finding: *finding, group });
                }
            }
        }
        if plan.time_max.is_some_and(|time_max| started.elapsed() >= time_max) {
            stop.store(true, Ordering::Relaxed);
        }
        if shown.elapsed() >= Duration::from_secs(1) {
            shown = Instant::now();
            let seconds = started.elapsed().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let rate = report.pairs as f64 / seconds;
            eprintln!("{seconds:.0} s: {} pairs, {rate:.0}/s, {} differences", report.pairs, report.findings);
        }
    }
}
