//! Many pipes in one process: each runs as is wanted of it, and fails alone.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::sync::Arc;
use std::time::Duration;

use housepipe_runtime::{
    Generation, Intent, PipeEvent, PipeFile, PipeId, PipeStatus, RunOptions, Stage, Supervisor,
    SupervisorOptions,
};
use housepipe_tests::{
    Numbered, PipeText, create_topic, produce, query_number, shared_stack, unique, wait_until,
};
use tokio::runtime::Runtime;
use tokio::sync::broadcast::Receiver;

/// A supervisor, and the runtime on which its pipes run.
struct Supervised {
    /// Always there but in the drop.
    runtime: Option<Runtime>,
    supervisor: Supervisor,
    events: Receiver<PipeEvent>,
}

impl Supervised {
    fn new(options: SupervisorOptions) -> Supervised {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let entered = runtime.enter();
        let supervisor = Supervisor::new(options);
        let events = supervisor.events();
        drop(entered);
        Supervised { runtime: Some(runtime), supervisor, events }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Has pipes run.
    fn apply(&self, intents: impl IntoIterator<Item = (PipeId, u64, Intent)>) {
        let _entered = self.runtime().enter();
        let intents =
            intents.into_iter().map(|(id, generation, intent)| (id, Generation::of(generation), intent));
        self.supervisor.apply(intents.collect::<Vec<_>>());
    }

    fn run(&self, id: &PipeId, generation: u64, pipe: &PipeText) {
        self.apply([(id.clone(), generation, Intent::Run(Arc::new(file(pipe))))]);
    }

    fn rest(&self, id: &PipeId, generation: u64) {
        self.apply([(id.clone(), generation, Intent::Rest)]);
    }

    fn status(&self, id: &PipeId) -> PipeStatus {
        self.supervisor.status(id).unwrap()
    }

    fn wait_for(&self, id: &PipeId, stage: Stage) {
        wait_until(&format!("{id} to be {stage}"), || self.status(id).stage == stage);
    }

    /// The stages of a pipe since the last call.
    fn stages(&mut self, id: &PipeId) -> Vec<Stage> {
        let mut stages = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if event.pipe == *id {
                stages.push(event.stage);
            }
        }
        stages
    }

    /// Ends it, and tells what each pipe has done.
    fn end(self) -> Vec<PipeStatus> {
        self.runtime().block_on(self.supervisor.end());
        let statuses: Vec<PipeStatus> = self.supervisor.statuses().into_values().collect();
        for status in &statuses {
            assert!(status.counters.is_balanced() && status.counters.in_flight == 0, "{status:?}");
            assert!(status.run.is_none(), "{status:?}");
        }
        statuses
    }
}

fn file(pipe: &PipeText) -> PipeFile {
    PipeFile::parse(&pipe.text(), "a pipe").unwrap()
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Where a test fails its pipes go on, and nobody would wait for them to an end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[test]
fn a_pipe_is_paused_resumed_edited_and_removed_and_each_record_is_loaded_once() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("supervised"), 3, true);
    let pipe = numbered.pipe(stack).with("batch: { max_wait: 200ms }");
    let edited = numbered.pipe(stack).with("batch: { max_wait: 100ms, max_bytes: 64KiB }");
    let mut supervised = Supervised::new(SupervisorOptions::default());
    let id = PipeId::from("one");
    supervised.run(&id, 1, &pipe);
    for round in 0..4_u64 {
        numbered.produce(stack, 5_000);
        wait_until("the records of a round", || numbered.settled(stack) == numbered.expected());
        supervised.rest(&id, round * 2 + 1);
        supervised.wait_for(&id, Stage::Paused);
        let settled = numbered.settled(stack);
        numbered.produce(stack, 2_000);
        // Nothing reads them: the batches of a pipe that runs wait for 200 ms at most.
        wait_until("some time to pass", || {
            supervised.status(&id).since.elapsed().unwrap() > Duration::from_secs(1)
        });
        assert_eq!(numbered.settled(stack), settled, "a pipe that rests loads nothing");
        // The same generation goes on, and a new one takes over while the old one reads.
        supervised.run(&id, round * 2 + 1, &pipe);
        supervised.wait_for(&id, Stage::Running);
        supervised.run(&id, round * 2 + 2, &edited);
        wait_until("the records of the pause", || numbered.settled(stack) == numbered.expected());
        supervised.run(&id, round * 2 + 3, &pipe);
    }
    wait_until("the last definition", || {
        let status = supervised.status(&id);
        status.stage == Stage::Running && status.definition == 9
    });
    assert!(numbered.verdict(stack).is_once(), "{:?} {}", numbered.verdict(stack), numbered.evidence(stack));
    let counters = supervised.status(&id).counters;
    assert_eq!(counters.loaded + counters.rejected, numbered.expected(), "over all runs");
    let mut stages = supervised.stages(&id);
    // What a start waits for is told as well where it takes long.
    stages.dedup();
    assert_eq!(stages[..2], [Stage::Provisioning, Stage::Running], "{stages:?}");
    assert!(stages.contains(&Stage::Stopping) && stages.contains(&Stage::Paused), "{stages:?}");

    supervised.runtime().block_on(supervised.supervisor.remove(&id));
    assert!(supervised.supervisor.status(&id).is_none());
    assert!(supervised.end().is_empty());
}

#[test]
fn what_changes_live_changes_while_the_pipe_runs() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("live"), 2, true);
    let pipe = |numbered: &Numbered| numbered.pipe(stack).with("delivery: exactly_once");
    let waits_long = pipe(&numbered).with("batch: { max_wait: 10m }");
    let waits_little = pipe(&numbered)
        .with("batch: { max_wait: 100ms, max_rows: 100 }")
        .with("description: it waits for less time")
        .with("error_table: { stop_ratio: off, warn_ratio: 0.9 }")
        .with("deadlines: { source: 2m, destination: 2m }");
    let mut supervised = Supervised::new(SupervisorOptions::default());
    let id = PipeId::from("live");
    supervised.run(&id, 1, &waits_long);
    supervised.wait_for(&id, Stage::Running);
    // The first batch after a start does not wait.
    numbered.produce(stack, 10);
    wait_until("the first records", || numbered.settled(stack) > 0);
    numbered.produce(stack, 5_000);
    wait_until("all of them to be read", || {
        let counters = supervised.status(&id).counters;
        counters.loaded + counters.rejected + counters.in_flight == numbered.expected()
    });
    assert!(numbered.settled(stack) < numbered.expected(), "the rest waits for ten minutes");

    supervised.run(&id, 2, &waits_little);
    let status = supervised.status(&id);
    assert_eq!((status.stage, status.definition), (Stage::Running, 2), "at once");
    wait_until("the rest", || numbered.settled(stack) == numbered.expected());
    let before = status.run.unwrap().wall_seconds;
    let status = supervised.status(&id);
    assert!(status.run.unwrap().wall_seconds > before, "it is the same run");
    numbered.produce(stack, 2_000);
    wait_until("what came since", || numbered.settled(stack) == numbered.expected());
    let counters = supervised.status(&id).counters;
    assert_eq!(counters.loaded + counters.rejected, numbered.expected(), "{counters:?}");
    let stages = supervised.stages(&id);
    assert!(!stages.contains(&Stage::Stopping) && !stages.contains(&Stage::Paused), "{stages:?}");
    assert!(numbered.verdict(stack).is_once(), "{:?} {}", numbered.verdict(stack), numbered.evidence(stack));

    // Where something else changes as well, it starts anew.
    supervised.run(&id, 3, &pipe(&numbered).with("semantics: clickhouse"));
    wait_until("the third definition to run", || {
        let status = supervised.status(&id);
        status.definition == 3 && status.stage == Stage::Running
    });
    assert!(supervised.stages(&id).contains(&Stage::Stopping));
    supervised.end();
}

#[test]
fn a_pipe_that_cannot_start_is_tried_again_and_its_neighbours_run() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("neighbour"), 2, false);
    let late = unique("late");
    let waiting =
        PipeText::new(stack, &late).with_new_table("id UInt64", "id").with("batch: { max_wait: 100ms }");
    let supervised = Supervised::new(SupervisorOptions::default());
    let (first, second) = (PipeId::from("late"), PipeId::from("neighbour"));
    supervised.run(&first, 1, &waiting);
    supervised.run(&second, 1, &numbered.pipe(stack).with("batch: { max_wait: 100ms }"));
    supervised.wait_for(&first, Stage::Misconfigured);
    let status = supervised.status(&first);
    assert!(status.reason.as_ref().is_some_and(|reason| reason.contains(&late)), "{status:?}");
    assert!(status.tries >= 1 && status.run.is_none(), "{status:?}");
    numbered.produce(stack, 1_000);
    wait_until("the neighbour's records", || numbered.settled(stack) == numbered.expected());

    create_topic(stack, &late, 1);
    produce(stack, &late, 1, [r#"{"id":1}"#]);
    // Nobody has to tell it.
    supervised.wait_for(&first, Stage::Running);
    wait_until("its record", || query_number(stack, &format!("SELECT count() FROM {late}")) == 1);
    supervised.end();
}

#[test]
fn a_pipe_that_is_mended_gets_memory_from_those_that_have_it_all() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("full"), 1, false);
    let late = unique("full_late");
    let waiting =
        PipeText::new(stack, &late).with_new_table("id UInt64", "id").with("batch: { max_wait: 100ms }");
    let pipe = RunOptions { memory_bytes_max: 16 << 20, ..RunOptions::default() };
    let supervised = Supervised::new(SupervisorOptions {
        memory_bytes_max: 16 << 20,
        pipe,
        ..SupervisorOptions::default()
    });
    let (first, second) = (PipeId::from("late"), PipeId::from("neighbour"));
    supervised.run(&first, 1, &waiting);
    supervised.wait_for(&first, Stage::Misconfigured);
    supervised.run(&second, 1, &numbered.pipe(stack).with("batch: { max_wait: 100ms }"));
    supervised.wait_for(&second, Stage::Running);
    let memory = |id: &PipeId| supervised.supervisor.metrics()[id].memory_bytes;
    // What cannot start takes nothing away, as often as it is tried.
    wait_until("some more tries", || supervised.status(&first).tries > 2);
    assert_eq!((memory(&first), memory(&second)), (0, 16 << 20));

    create_topic(stack, &late, 1);
    produce(stack, &late, 1, [r#"{"id":1}"#]);
    supervised.wait_for(&first, Stage::Running);
    wait_until("its record", || query_number(stack, &format!("SELECT count() FROM {late}")) == 1);
    supervised.wait_for(&second, Stage::Running);
    numbered.produce(stack, 1_000);
    wait_until("the neighbour's records", || numbered.settled(stack) == numbered.expected());
    assert_eq!((memory(&first), memory(&second)), (8 << 20, 8 << 20));
    supervised.end();
}

#[test]
fn pipes_that_run_go_on_where_there_is_no_memory_for_more() {
    const PIPES: usize = 4;
    let stack = shared_stack();
    let topics: Vec<Numbered> =
        (0..PIPES + 2).map(|_| Numbered::new(stack, &unique("crowd"), 1, false)).collect();
    // Of 5 MiB for each of four; of the least that one may have there are five.
    let supervised =
        Supervised::new(SupervisorOptions { memory_bytes_max: 20 << 20, ..SupervisorOptions::default() });
    let ids: Vec<PipeId> =
        (0..topics.len()).map(|number| PipeId::from(format!("crowd-{number}").as_str())).collect();
    let start = |range: std::ops::Range<usize>| {
        let intent = |number: usize| Intent::Run(Arc::new(file(&topics[number].pipe(stack))));
        supervised.apply(range.map(|number| (ids[number].clone(), 1, intent(number))));
    };
    start(0..PIPES);
    let memory = |number: usize| supervised.supervisor.metrics()[&ids[number]].memory_bytes;
    let run = |number: usize| supervised.status(&ids[number]).stage == Stage::Running;
    wait_until("the first ones", || (0..PIPES).all(run));
    assert!((0..PIPES).all(|number| memory(number) == 5 << 20));
    start(PIPES..PIPES + 2);
    wait_until("one of the new ones beside them", || {
        (0..PIPES).all(run) && (PIPES..PIPES + 2).filter(|number| run(*number)).count() == 1
    });
    assert_eq!((0..PIPES + 2).filter(|number| memory(*number) == 4 << 20).count(), PIPES + 1);
    let waits = (PIPES..PIPES + 2).find(|number| !run(*number)).unwrap();
    // An edit takes nothing away from the one that is edited.
    supervised.run(&ids[0], 2, &topics[0].pipe(stack).with("semantics: clickhouse"));
    wait_until("it to run on", || run(0) && supervised.status(&ids[0]).definition == 2);
    let status = supervised.status(&ids[waits]);
    assert!(
        status.stage == Stage::Provisioning
            && status.reason.as_ref().is_some_and(|reason| reason.starts_with("waits for memory")),
        "{status:?}"
    );
    supervised.end();
}

#[test]
fn all_pipes_that_there_is_no_memory_for_say_so() {
    const PIPES: usize = 4;
    let stack = shared_stack();
    let topics: Vec<Numbered> =
        (0..PIPES).map(|_| Numbered::new(stack, &unique("lacking"), 1, false)).collect();
    // The least that one pipe may have.
    let supervised =
        Supervised::new(SupervisorOptions { memory_bytes_max: 4 << 20, ..SupervisorOptions::default() });
    let ids: Vec<PipeId> =
        (0..PIPES).map(|number| PipeId::from(format!("lacking-{number}").as_str())).collect();
    supervised.apply(
        ids.iter()
            .zip(&topics)
            .map(|(id, topic)| (id.clone(), 1, Intent::Run(Arc::new(file(&topic.pipe(stack)))))),
    );
    let of_stage = |stage: Stage, reason: &str| -> Vec<&PipeId> {
        let is_so = |status: PipeStatus| {
            status.stage == stage && status.reason.unwrap_or_default().starts_with(reason)
        };
        ids.iter().filter(|id| is_so(supervised.status(id))).collect()
    };
    wait_until("all others to say so", || {
        of_stage(Stage::Running, "").len() == 1
            && of_stage(Stage::Provisioning, "waits for memory").len() == PIPES - 1
    });
    let first = of_stage(Stage::Running, "")[0];
    supervised.rest(first, 1);
    wait_until("another one to run", || of_stage(Stage::Running, "").iter().any(|id| *id != first));
    supervised.end();
}

#[test]
fn a_pipe_that_has_failed_stays_so_until_it_is_resumed() {
    let stack = shared_stack();
    let topic = unique("fails");
    create_topic(stack, &topic, 1);
    produce(stack, &topic, 1, (0..3_000).map(|id| format!(r#"{{"id":{id},"n":"none"}}"#)));
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64, n UInt8", "id");
    let supervised = Supervised::new(SupervisorOptions::default());
    let id = PipeId::from("fails");
    supervised.run(&id, 1, &pipe);
    supervised.wait_for(&id, Stage::Failed);
    let status = supervised.status(&id);
    assert!(status.reason.as_ref().is_some_and(|reason| reason.contains("stop_ratio")), "{status:?}");
    supervised.run(&id, 1, &pipe);
    assert_eq!(supervised.status(&id).stage, Stage::Failed, "what was wanted before is no news");
    supervised.run(&id, 2, &pipe.with("error_table: { stop_ratio: off }"));
    let errors = format!("SELECT uniqExact(offset) FROM {topic}_clickpipes_error WHERE kind = 'record'");
    wait_until("its rejects", || query_number(stack, &errors) == 3_000);
    let ended = supervised.end();
    assert!(ended[0].counters.rejected >= 3_000, "{:?}", ended[0]);
}

#[test]
fn memory_is_divided_anew_where_more_pipes_run() {
    const PIPES: usize = 5;
    let stack = shared_stack();
    let mut topics: Vec<Numbered> =
        (0..PIPES).map(|_| Numbered::new(stack, &unique("shares"), 1, false)).collect();
    let pipe = RunOptions { memory_bytes_max: 32 << 20, ..RunOptions::default() };
    let mut supervised = Supervised::new(SupervisorOptions {
        memory_bytes_max: 64 << 20,
        left_over_after: Duration::from_secs(1),
        pipe,
        ..SupervisorOptions::default()
    });
    let ids: Vec<PipeId> =
        (0..PIPES).map(|number| PipeId::from(format!("share-{number}").as_str())).collect();
    let text = |topic: &Numbered| topic.pipe(stack).with("batch: { max_wait: 100ms }");
    for (id, topic) in ids.iter().zip(&topics).take(2) {
        supervised.run(id, 1, &text(topic));
        supervised.wait_for(id, Stage::Running);
    }
    assert!(!supervised.stages(&ids[0]).contains(&Stage::Stopping), "there is room for two");
    let others: Vec<_> = ids.iter().zip(&topics).skip(2).collect();
    supervised.apply(
        others.iter().map(|(id, topic)| ((*id).clone(), 1, Intent::Run(Arc::new(file(&text(topic)))))),
    );
    for topic in &mut topics {
        topic.produce(stack, 2_000);
    }
    for (id, topic) in ids.iter().zip(&topics) {
        wait_until("the records of all", || topic.settled(stack) == topic.expected());
        assert!(topic.verdict(stack).is_once(), "{id}: {:?}", topic.verdict(stack));
    }
    let stages = supervised.stages(&ids[0]);
    let stopped = stages.iter().position(|stage| *stage == Stage::Stopping);
    let again = stages.iter().rposition(|stage| *stage == Stage::Running);
    assert!(stopped.is_some() && stopped < again, "the first ones have given back a part: {stages:?}");

    // Of 8 MiB each, until one is left, for which there is four times as much.
    for id in &ids[1..] {
        supervised.rest(id, 1);
        supervised.wait_for(id, Stage::Paused);
    }
    wait_until("the last one to get more", || supervised.stages(&ids[0]).contains(&Stage::Stopping));
    supervised.wait_for(&ids[0], Stage::Running);
    topics[0].produce(stack, 1_000);
    wait_until("its records", || topics[0].settled(stack) == topics[0].expected());
    assert!(topics[0].verdict(stack).is_once(), "{:?}", topics[0].verdict(stack));
    supervised.end();
}
