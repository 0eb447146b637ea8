//! Pipes that cannot start, beside each other.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::starts::TURN_MS_MAX;
use super::*;
use crate::pipe_file::PipeFile;

/// A pipe whose broker, and whose ClickHouse, takes a connection and says nothing.
fn pipe(number: usize, silent: &TcpListener) -> PipeFile {
    let address = silent.local_addr().unwrap();
    let text = format!(
        "name: pipe-{number}\nsource: {{ type: kafka, brokers: '{address}', topic: t }}\n\
         destination: {{ url: 'http://{address}', table: t, columns: [{{ name: id, type: UInt64 }}] }}\n"
    );
    PipeFile::parse(&text, "a pipe").unwrap()
}

fn id(number: usize) -> PipeId {
    PipeId::from(format!("pipe-{number}").as_str())
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn holding(supervisor: &Supervisor) -> usize {
    supervisor.metrics().into_values().filter(|pipe| pipe.memory_bytes > 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_that_wait_for_their_turn_hold_no_memory_and_may_be_told_to_rest() {
    const PIPES: usize = 50;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    // Memory for four of them, and turns for two.
    let options = SupervisorOptions {
        memory_bytes_max: 4 * division::SHARE_BYTES_MIN,
        starts_at_once_max: 2,
        ..SupervisorOptions::default()
    };
    let supervisor = Supervisor::new(options);
    supervisor.apply(
        (0..PIPES)
            .map(|number| (id(number), Generation::of(1), Intent::Run(Arc::new(pipe(number, &silent))))),
    );
    let applied = Instant::now();
    until("those whose turn it is", || holding(&supervisor) >= 2).await;
    let holding = holding(&supervisor);
    let turns = 1 + applied.elapsed().as_millis() / u128::from(TURN_MS_MAX);
    assert!(holding as u128 <= 2 * turns, "{holding} in {turns} turns");
    for (pipe, status) in supervisor.statuses() {
        assert_eq!(status.stage, Stage::Provisioning, "{pipe}");
        let waits = ["waits for its turn", "waits for the brokers and the topic"];
        // None yet where its task has not begun.
        assert!(
            status.reason.as_deref().is_none_or(|reason| waits.contains(&reason)),
            "{pipe}: {:?}",
            status.reason
        );
    }
    // The last in the row leaves it.
    let last = id(PIPES - 1);
    supervisor.rest(&last, Generation::of(1));
    until("it to rest", || supervisor.status(&last).unwrap().stage == Stage::Paused).await;
    supervisor.remove(&id(PIPES - 2)).await;
    assert!(supervisor.status(&id(PIPES - 2)).is_none());
    drop(supervisor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pipes_that_there_is_no_memory_for_say_so() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = SupervisorOptions {
        memory_bytes_max: division::SHARE_BYTES_MIN,
        starts_at_once_max: 8,
        ..SupervisorOptions::default()
    };
    let supervisor = Supervisor::new(options);
    supervisor.apply(
        (0..20).map(|number| (id(number), Generation::of(1), Intent::Run(Arc::new(pipe(number, &silent))))),
    );
    let lacking = || {
        let reasons = supervisor.statuses().into_values().filter_map(|status| status.reason);
        reasons.filter(|reason| reason.starts_with("waits for memory")).count()
    };
    until("all others to say so", || lacking() == 19).await;
    drop(supervisor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_that_nobody_answers_let_the_next_begin_and_others_go_first() {
    const PIPES: usize = 20;
    let (silent, other) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let supervisor =
        Supervisor::new(SupervisorOptions { starts_at_once_max: 2, ..SupervisorOptions::default() });
    supervisor.apply(
        (0..PIPES)
            .map(|number| (id(number), Generation::of(1), Intent::Run(Arc::new(pipe(number, &silent)))))
            // With ends of its own, and the last of all.
            .chain([(id(PIPES), Generation::of(1), Intent::Run(Arc::new(pipe(PIPES, &other))))]),
    );
    let holds = |number| supervisor.metrics().get(&id(number)).is_some_and(|pipe| pipe.memory_bytes > 0);
    until("the one whose ends are its own", || holds(PIPES)).await;
    let gone_before = holding(&supervisor) - 1;
    assert!(gone_before < PIPES / 2, "{gone_before} of those whose ends are silent went before");
    until("the next one of those", || holding(&supervisor) > gone_before + 1).await;
    drop(supervisor);
}
