//! Many pipes in one process, most of which rest.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use housepipe_benches::{Shape, topic};
use housepipe_kafka_source::SourceConfig;
use housepipe_local_stack::Stack;
use housepipe_tests::{Served, expect_identity, wait_until};
use serde::Serialize;
use serde_json::json;

use crate::{Args, document};

/// Partitions of the topic.
const PARTITIONS: u16 = 4;
/// Time for all pipes to run, in seconds.
const START_S_MAX: u64 = 300;
/// How often it is looked whether they do, in milliseconds.
const LOOK_MS: u64 = 50;

/// What many pipes cost.
#[derive(Serialize)]
pub(crate) struct Crowd {
    pipes: usize,
    active: usize,
    idle_kib_each: f64,
    calls: usize,
    call_ms_median: f64,
    call_ms_p99: f64,
    call_ms_max: f64,
    rows_per_second_meanwhile: f64,
    restart_seconds: f64,
    rss_mib: f64,
}

impl Crowd {
    pub(crate) fn print(&self) {
        println!(
            "{} pipes, {} of them load: one that rests costs {:.0} KiB; of {} calls meanwhile the median took {:.1} ms, 99 % at most \
             {:.1} ms, the longest {:.1} ms, beside {:.0} rows a second; all run again {:.1} s after a kill; {:.0} MiB in all",
            self.pipes,
            self.active,
            self.idle_kib_each,
            self.calls,
            self.call_ms_median,
            self.call_ms_p99,
            self.call_ms_max,
            self.rows_per_second_meanwhile,
            self.restart_seconds,
            self.rss_mib
        );
    }
}

pub(crate) fn measure(args: &Args, stack: &Stack) -> anyhow::Result<Crowd> {
    let config = SourceConfig::new(stack.kafka.bootstrap(), "crowd", "unused");
    eprintln!("crowd: filling {} MB", args.megabytes);
    topic::fill(&config, Shape::Events, PARTITIONS, args.megabytes)?;
    let mut served = Served::start_with(&["--memory-mib", "32"]);
    served.call("GET", "/api/v1/pipes", &[], None).expect(200);
    let before = rss_bytes(served.pid())?;
    let idle = args.pipes.saturating_sub(args.active);
    for number in 0..idle {
        let new = json!({ "pipe": document(stack, "crowd", &format!("idle_{number}")), "run": false });
        served.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201);
    }
    // All are told to the supervisor by then.
    wait_until("the last one to rest", || {
        let page = served.call("GET", "/api/v1/pipes?limit=1000", &[], None).expect(200).body;
        page["pipes"].as_array().is_some_and(|pipes| pipes.iter().all(|pipe| pipe["stage"] == "paused"))
    });
    let idle_bytes = rss_bytes(served.pid())?.saturating_sub(before);
    eprintln!("crowd: {idle} pipes rest");
    let mut ids = Vec::new();
    for number in 0..args.active {
        let new = json!({ "pipe": document(stack, "crowd", &format!("active_{number}")) });
        let created = served.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201).body;
        ids.push(created["id"].as_str().context("no id")?.to_owned());
    }
    wait_for_all(&served, &ids)?;
    eprintln!("crowd: {} pipes run", ids.len());
    let rows_before = loaded(&served, &ids);
    let started = Instant::now();
    let mut took = Vec::new();
    while started.elapsed() < Duration::from_secs(args.seconds) {
        for path in [
            "/api/v1/pipes?limit=100",
            &format!("/api/v1/pipes/{}", ids[took.len() % ids.len()]),
            "/api/v1/events?limit=100",
        ] {
            let asked = Instant::now();
            served.call("GET", path, &[], None).expect(200);
            took.push(asked.elapsed().as_secs_f64() * 1e3);
        }
    }
    let rows = loaded(&served, &ids) - rows_before;
    let rows_per_second_meanwhile = rows as f64 / started.elapsed().as_secs_f64();
    ensure!(rows > 0, "nothing was loaded meanwhile: take a larger topic");
    let rss_mib = rss_bytes(served.pid())? as f64 / f64::from(1 << 20);
    served.kill();
    let killed = Instant::now();
    served.start_again();
    wait_for_all(&served, &ids)?;
    let restart_seconds = killed.elapsed().as_secs_f64();
    for id in &ids {
        expect_identity(&served.pipe(id)["counters"]);
    }
    took.sort_by(f64::total_cmp);
    let at =
        |percent: usize| took.get(took.len() * percent / 100).or(took.last()).copied().unwrap_or(f64::NAN);
    Ok(Crowd {
        pipes: args.pipes,
        active: ids.len(),
        idle_kib_each: idle_bytes as f64 / 1024.0 / idle.max(1) as f64,
        calls: took.len(),
        call_ms_median: at(50),
        call_ms_p99: at(99),
        call_ms_max: at(100),
        rows_per_second_meanwhile,
        restart_seconds,
        rss_mib,
    })
}

/// Rows that these pipes have loaded.
fn loaded(served: &Served, ids: &[String]) -> u64 {
    ids.iter().map(|id| served.pipe(id)["counters"]["loaded"].as_u64().unwrap_or(0)).sum()
}

#[expect(clippy::disallowed_methods, reason = "the API is asked")]
fn wait_for_all(served: &Served, ids: &[String]) -> anyhow::Result<()> {
    let started = Instant::now();
    // A member that was killed keeps its partitions until its session is over, and a pipe without any reads nothing.
    let runs = |id: &String| {
        let pipe = served.pipe(id);
        let has_partitions =
            pipe["run"]["partitions"].as_array().is_some_and(|partitions| !partitions.is_empty());
        pipe["stage"] == "running" && pipe["reason"].is_null() && has_partitions
    };
    while !ids.iter().all(runs) {
        ensure!(started.elapsed() < Duration::from_secs(START_S_MAX), "not all pipes run: {}", served.said());
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
    Ok(())
}

/// Memory of a process, from `/proc/<pid>/status`.
fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib << 10)
}
