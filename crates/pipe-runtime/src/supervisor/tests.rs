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

const LOOKS: &str = "waits for the brokers and the topic";

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

/// Pipes that look at their ends, or have done so.
fn looking(supervisor: &Supervisor) -> usize {
    assert!(supervisor.metrics().into_values().all(|pipe| pipe.memory_bytes == 0), "no end has answered");
    (0..supervisor.statuses().len()).filter(|number| looks(supervisor, *number)).count()
}

fn looks(supervisor: &Supervisor, number: usize) -> bool {
    let reason = supervisor.status(&id(number)).and_then(|status| status.reason);
    reason.is_some_and(|reason| reason == LOOKS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_that_wait_for_their_turn_hold_no_memory_and_may_be_told_to_rest() {
    const PIPES: usize = 50;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = SupervisorOptions { starts_at_once_max: 2, ..SupervisorOptions::default() };
    let supervisor = Supervisor::new(options);
    supervisor.apply(
        (0..PIPES)
            .map(|number| (id(number), Generation::of(1), Intent::Run(Arc::new(pipe(number, &silent))))),
    );
    let applied = Instant::now();
    until("those whose turn it is", || looking(&supervisor) >= 2).await;
    let looking = looking(&supervisor);
    let turns = 1 + applied.elapsed().as_millis() / u128::from(TURN_MS_MAX);
    assert!(looking as u128 <= 2 * turns, "{looking} in {turns} turns");
    for (pipe, status) in supervisor.statuses() {
        assert_eq!(status.stage, Stage::Provisioning, "{pipe}");
        let waits = ["waits for its turn", LOOKS];
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
    until("the one whose ends are its own", || looks(&supervisor, PIPES)).await;
    let gone_before = looking(&supervisor) - 1;
    assert!(gone_before < PIPES / 2, "{gone_before} of those whose ends are silent went before");
    until("the next one of those", || looking(&supervisor) > gone_before + 1).await;
    drop(supervisor);
}
