//! Pipes that cannot start, beside each other.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::starts::TURN_MS_MAX;
use super::*;
use crate::pipe_file::PipeFile;

/// A pipe whose ClickHouse takes a connection and says nothing.
fn pipe(number: usize, silent: &TcpListener) -> PipeFile {
    let text = format!(
        "name: pipe-{number}\nsource: {{ type: kafka, brokers: 'localhost:1', topic: t }}\n\
         destination: {{ url: 'http://{}', table: t, columns: [{{ name: id, type: UInt64 }}] }}\n",
        silent.local_addr().unwrap()
    );
    PipeFile::parse(&text, "a pipe").unwrap()
}

fn id(number: usize) -> PipeId {
    PipeId::from(format!("pipe-{number}").as_str())
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
    tokio::time::sleep(Duration::from_millis(TURN_MS_MAX / 2)).await;
    assert_eq!(holding(&supervisor), 2);
    for (pipe, status) in supervisor.statuses() {
        assert_eq!((status.stage, status.reason), (Stage::Provisioning, None), "{pipe}");
    }
    // The last in the row leaves it.
    let last = id(PIPES - 1);
    supervisor.rest(&last, Generation::of(1));
    let begun = Instant::now();
    while supervisor.status(&last).unwrap().stage != Stage::Paused {
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", supervisor.status(&last));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    supervisor.remove(&id(PIPES - 2)).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
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
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let reasons = supervisor.statuses().into_values().filter_map(|status| status.reason);
    assert_eq!(reasons.filter(|reason| reason.starts_with("waits for memory")).count(), 19);
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
    while !holds(PIPES) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let gone_before = holding(&supervisor) - 1;
    assert!((2..PIPES / 2).contains(&gone_before), "{gone_before}");
    while holding(&supervisor) <= gone_before + 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(supervisor);
}
