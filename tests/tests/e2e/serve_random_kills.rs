//! A service that is killed at random moments while pipes are made, edited, paused, resumed and removed: each is as it was asked for last, or before
//! the call whose answer was lost, and its records are there once.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use housepipe_local_stack::{Stack, USER_APP};
use housepipe_tests::{
    Answer, Numbered, committed, document, expect_identity, query, shared_stack, unique, wait_until,
};
use serde_json::{Value, json};

use crate::states::{Kept, Place};

/// Kills of a service with its state in one kind of place: a hundred in both.
const KILLS: u64 = 50;
/// Pipes at a time.
const PIPES: u64 = 3;
/// The longest life between two kills, in milliseconds; one in [`LONG_EVERY`] lives for longer.
const LIFE_MS_MAX: u64 = 700;
/// One in so many lives until a pipe has loaded something, so that the kill meets inserts as well.
const LONG_EVERY: u64 = 10;
/// The longest time between a call and the kill that it meets, in what the last call took: so some are killed on their way, and some are done.
const KILL_AFTER_CALLS: u32 = 2;

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged() {
    kill(&Place::Files, 0x9e37_79b9_7f4a_7c15);
}

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged_in_postgresql() {
    kill(&Place::postgres(), 0x2545_f491_4f6c_dd1d);
}

/// What there is of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    /// There is none.
    Absent,
    /// It is wanted so, and its definition is the one with this patience of its batches.
    There { runs: bool, wait_ms: u64 },
    /// It was removed, and goes or has gone.
    Leaving { with_group: bool },
}

/// One pipe of a few.
struct Slot {
    /// Its records. A pipe that is removed without its group may be made again, and goes on with them.
    numbered: Numbered,
    /// The id of the last one that is known.
    id: String,
    /// What was acknowledged, and what it may be after an answer that was lost.
    may_be: Vec<Is>,
}

/// What was seen of a pipe with an id.
#[derive(Debug, Default)]
struct Seen {
    edits: usize,
    removals: usize,
}

/// A pipe that was removed with its group, and its records.
struct Retired {
    numbered: Numbered,
    id: String,
}

/// A call, and what there is once it has come about.
struct Call {
    slot: usize,
    method: &'static str,
    path: String,
    header: (&'static str, String),
    body: Option<Value>,
    then: Is,
}

impl Call {
    fn makes_a_pipe(&self) -> bool {
        self.path == "/api/v1/pipes"
    }
}

struct World<'a> {
    stack: &'static Stack,
    kept: Kept<'a>,
    random: u64,
    slots: Vec<Slot>,
    retired: Vec<Retired>,
    seen: BTreeMap<String, Seen>,
    /// Counts definitions and keys.
    next: u64,
    /// What the last call took.
    took: Duration,
}

impl World<'_> {
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn slot_of(&mut self) -> usize {
        usize::try_from(self.random(PIPES)).unwrap()
    }

    /// Its only state: there is one wherever no answer was lost since the last look.
    fn is(&self, slot: usize) -> Is {
        let [is] = self.slots[slot].may_be[..] else { unreachable!("{:?}", self.slots[slot].may_be) };
        is
    }

    /// A definition that no other one is like.
    fn definition(&mut self, slot: usize) -> (Value, u64) {
        self.next += 1;
        // Always so many letters, and about a tenth of a second.
        let wait_ms = 100 + self.next;
        let pipe = self.slots[slot].numbered.pipe(self.stack).with_clickhouse_user(USER_APP);
        // Every other one changes live, the rest by a start.
        let kib = 1_000 + self.next / 2;
        let batch = format!("batch: {{ max_wait: {wait_ms}ms, max_bytes: {kib}KiB }}");
        let pipe = pipe.with("delivery: exactly_once").with(&batch);
        (document(&pipe), wait_ms)
    }

    fn create(&mut self, slot: usize, runs: bool) -> Call {
        let (pipe, wait_ms) = self.definition(slot);
        Call {
            slot,
            method: "POST",
            path: "/api/v1/pipes".to_owned(),
            header: ("Idempotency-Key", format!("key-{wait_ms}")),
            body: Some(json!({ "pipe": pipe, "run": runs })),
            then: Is::There { runs, wait_ms },
        }
    }

    fn change(&mut self, slot: usize, (was_running, was_ms): (bool, u64)) -> Call {
        let path = format!("/api/v1/pipes/{}", self.slots[slot].id);
        let header = ("If-Match", "*".to_owned());
        let to = |method, verb: &str, then| {
            let path = format!("{path}{verb}");
            Call { slot, method, path, header: header.clone(), body: None, then }
        };
        match self.random(8) {
            0..3 => to("POST", "/pause", Is::There { runs: false, wait_ms: was_ms }),
            3..5 => to("POST", "/resume", Is::There { runs: true, wait_ms: was_ms }),
            5 | 6 => {
                let (pipe, wait_ms) = self.definition(slot);
                let then = Is::There { runs: was_running, wait_ms };
                Call { body: Some(json!({ "pipe": pipe })), ..to("PUT", "", then) }
            }
            _ => {
                let with_group = self.random(2) == 0;
                let query = if with_group { "?consumer_group=true" } else { "" };
                to("DELETE", query, Is::Leaving { with_group })
            }
        }
    }

    /// A call that makes sense of one of the pipes.
    fn some_call(&mut self) -> Call {
        let slot = self.slot_of();
        match self.is(slot) {
            Is::Absent | Is::Leaving { .. } => {
                let runs = self.random(4) != 0;
                self.create(slot, runs)
            }
            Is::There { runs, wait_ms } => self.change(slot, (runs, wait_ms)),
        }
    }

    fn send(&self, call: &Call) -> std::io::Result<Answer> {
        let (name, value) = &call.header;
        self.kept.served.try_call(call.method, &call.path, &[(name, value)], call.body.as_ref())
    }

    /// Notes what has come of a call that was answered.
    fn note(&mut self, call: &Call, answer: &Answer) {
        if call.makes_a_pipe() {
            let is_leaving = matches!(self.slots[call.slot].may_be[..], [Is::Leaving { .. }]);
            // One of its name goes still.
            if is_leaving && answer.status == 409 {
                return;
            }
            assert_eq!(answer.status, 201, "{answer:?} {}", self.kept.served.said());
            self.made(call.slot, answer.body["id"].as_str().unwrap());
        } else {
            let (method, path, said) = (call.method, &call.path, self.kept.served.said());
            assert!([200, 202].contains(&answer.status), "{method} {path}: {answer:?} {said}");
        }
        self.settle(call.slot, call.then);
    }

    /// A pipe of this id was made, now or by a call whose answer was lost.
    fn made(&mut self, slot: usize, id: &str) {
        id.clone_into(&mut self.slots[slot].id);
        self.seen.entry(id.to_owned()).or_default();
    }

    /// It is so now. One whose group goes leaves its place to another one, which has records of its own.
    fn settle(&mut self, slot: usize, is: Is) {
        let place = &mut self.slots[slot];
        // Of one that was never there nothing is counted.
        if let Some(seen) = self.seen.get_mut(&place.id) {
            match (&place.may_be[..], is) {
                ([Is::There { wait_ms: was_ms, .. }, ..], Is::There { wait_ms, .. })
                    if *was_ms != wait_ms =>
                {
                    seen.edits += 1;
                }
                ([Is::There { .. }, ..], Is::Leaving { .. }) => seen.removals += 1,
                _ => {}
            }
        }
        place.may_be = vec![is];
        if is == (Is::Leaving { with_group: true }) {
            let numbered = Numbered::new(self.stack, &unique("kills"), 2, true);
            let numbered = std::mem::replace(&mut place.numbered, numbered);
            self.retired.push(Retired { numbered, id: place.id.clone() });
            place.may_be = vec![Is::Absent];
        }
    }

    /// Calls until the process is to be killed.
    #[expect(clippy::disallowed_methods, reason = "how long each process lives is the point")]
    fn live(&mut self) {
        let mut life_ms = self.random(LIFE_MS_MAX);
        while life_ms > 0 {
            let pause_ms = self.random(life_ms) + 1;
            std::thread::sleep(Duration::from_millis(pause_ms));
            life_ms -= pause_ms;
            let (call, sent) = (self.some_call(), Instant::now());
            let answer = self.send(&call).unwrap();
            self.took = sent.elapsed();
            self.note(&call, &answer);
        }
    }

    /// A call that meets a kill. Returns it where its answer was lost.
    #[expect(clippy::disallowed_methods, reason = "the kill comes at any point of the call")]
    fn kill_in_a_call(&mut self) -> Option<Call> {
        let call = self.some_call();
        let longest_us = (self.took * KILL_AFTER_CALLS).as_micros();
        let after = Duration::from_micros(self.random(u64::try_from(longest_us).unwrap() + 1));
        let answered = std::thread::scope(|scope| {
            let answer = scope.spawn(|| self.send(&call));
            std::thread::sleep(after);
            self.kept.served.begin_kill();
            answer.join().unwrap()
        });
        self.kept.served.kill();
        match answered {
            Ok(answer) => {
                self.note(&call, &answer);
                None
            }
            Err(_) => {
                self.slots[call.slot].may_be.push(call.then);
                Some(call)
            }
        }
    }

    /// Holds what there is against what was asked for. Nothing else is there.
    fn look(&mut self, lost: Option<&Call>, when: &str) {
        let all = self.kept.served.call("GET", "/api/v1/pipes?limit=1000", &[], None).expect(200).body;
        let mut shown: BTreeMap<&str, &Value> = BTreeMap::new();
        for pipe in all["pipes"].as_array().unwrap() {
            assert!(shown.insert(pipe["name"].as_str().unwrap(), pipe).is_none(), "{when}: {all}");
        }
        for slot in 0..self.slots.len() {
            let place = &self.slots[slot];
            let pipe = shown.remove(&*name_of(&place.numbered));
            let found = place.may_be.iter().copied().find(|may_be| matches(*may_be, pipe));
            assert!(found.is_some(), "{when}: {:?} was asked for, and it is {pipe:?}", place.may_be);
            let found = found.unwrap();
            if let (Some(pipe), Is::There { .. }) = (pipe, found) {
                let id = pipe["id"].as_str().unwrap();
                if !lost.is_some_and(|call| call.slot == slot && call.makes_a_pipe()) {
                    assert_eq!(id, place.id, "{when}: it is another one of its name");
                }
                self.made(slot, id);
            }
            self.settle(slot, found);
        }
        for Retired { numbered, id } in &self.retired {
            if let Some(pipe) = shown.remove(&*name_of(numbered)) {
                assert!(pipe["wanted"] == "removed" && pipe["id"] == **id, "{when}: {pipe}");
            }
        }
        assert!(shown.is_empty(), "{when}: nobody asked for {shown:?}");
    }

    /// Whoever lost the answer to a call that makes a pipe sends it again, and there is one pipe.
    fn repeat(&mut self, call: &Call) {
        if call.makes_a_pipe() {
            let (was, id) = (self.is(call.slot), self.slots[call.slot].id.clone());
            let answer = self.send(call).unwrap();
            self.note(call, &answer);
            if matches!(was, Is::There { .. }) {
                assert_eq!(self.slots[call.slot].id, id, "the same call has made a second pipe");
            }
        }
    }

    /// Has each pipe be there and run, and waits for its records.
    fn finish(&mut self) {
        for slot in 0..self.slots.len() {
            // Also one that was made behind the last kill has some.
            self.slots[slot].numbered.produce(self.stack, 50);
            if !matches!(self.is(slot), Is::There { .. }) {
                let create = self.create(slot, true);
                wait_until("the former pipe of its name to go", || {
                    let answer = self.send(&create).unwrap();
                    self.note(&create, &answer);
                    answer.status == 201
                });
            }
            let path = format!("/api/v1/pipes/{}/resume", self.slots[slot].id);
            self.kept.served.call("POST", &path, &[], None).expect(200);
        }
        for Slot { numbered, id, .. } in &self.slots {
            wait_until("all records", || numbered.settled(self.stack) == numbered.expected());
            let verdict = numbered.verdict(self.stack);
            assert!(verdict.is_exact(), "{verdict:?} {}", numbered.evidence(self.stack));
            expect_identity(&self.kept.served.pipe(id)["counters"]);
        }
        for retired in &self.retired {
            self.expect_gone(retired);
        }
    }

    /// Nothing is left of it but its rows, each of them once.
    fn expect_gone(&self, Retired { numbered, id }: &Retired) {
        let (path, topic) = (format!("/api/v1/pipes/{id}"), numbered.topic());
        wait_until("a removed pipe to go", || self.kept.served.call("GET", &path, &[], None).status == 404);
        assert_eq!(committed(self.stack, topic), None, "{topic}: the group went with its offsets");
        // One that never came to run has made none.
        let has_errors = query(self.stack, &format!("EXISTS TABLE {topic}_clickpipes_error"));
        if has_errors == "1" {
            let verdict = numbered.verdict(self.stack);
            let unread = housepipe_tests::Verdict { lost: 0, ..verdict };
            assert!(unread.is_exact(), "{topic}: {verdict:?} {}", numbered.evidence(self.stack));
        }
    }

    /// Each change that came about was told once, and nothing else was.
    fn expect_events(&self) {
        let mut told: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let mut last = 0;
        loop {
            let path = format!("/api/v1/events?limit=1000&after={last}");
            let page = self.kept.served.call("GET", &path, &[], None).expect(200).body;
            let events = page["events"].as_array().unwrap();
            for event in events {
                let text = |key: &str| event[key].as_str().unwrap().to_owned();
                assert_eq!(event["number"], last + 1, "a kill has left a hole");
                last += 1;
                *told.entry(text("pipe")).or_default().entry(text("kind")).or_default() += 1;
            }
            if events.is_empty() {
                break;
            }
        }
        assert!(told.keys().eq(self.seen.keys()), "{told:?} {:?}", self.seen);
        for (id, Seen { edits, removals }) in &self.seen {
            let counts = ["created", "edited", "removed", "gone"]
                .map(|kind| told[id].get(kind).copied().unwrap_or_default());
            assert_eq!(counts, [1, *edits, *removals, *removals], "{id}: {told:?}");
        }
    }
}

fn name_of(numbered: &Numbered) -> String {
    numbered.topic().replace('_', "-")
}

/// Whether a pipe as it is shown, or not, may be so.
fn matches(is: Is, pipe: Option<&Value>) -> bool {
    match (is, pipe) {
        (Is::Absent | Is::Leaving { .. }, None) => true,
        (Is::Leaving { .. }, Some(pipe)) => pipe["wanted"] == "removed",
        (Is::There { runs, wait_ms }, Some(pipe)) => {
            pipe["wanted"] == if runs { "running" } else { "paused" }
                && pipe["pipe"]["batch"]["max_wait"] == format!("{wait_ms}ms")
        }
        (Is::Absent, Some(_)) | (Is::There { .. }, None) => false,
    }
}

fn kill(states: &Place, seed: u64) {
    let stack = shared_stack();
    let slot = |_| {
        let numbered = Numbered::new(stack, &unique("kills"), 2, true);
        Slot { numbered, id: String::new(), may_be: vec![Is::Absent] }
    };
    let mut world = World {
        stack,
        kept: states.serve(),
        random: seed,
        slots: (0..PIPES).map(slot).collect(),
        retired: Vec::new(),
        seen: BTreeMap::new(),
        next: 0,
        took: Duration::ZERO,
    };
    for slot in 0..world.slots.len() {
        let create = world.create(slot, true);
        let answer = world.send(&create).unwrap();
        world.note(&create, &answer);
    }
    for kill in 0..KILLS {
        for slot in &mut world.slots {
            slot.numbered.produce(stack, 50);
        }
        if kill % LONG_EVERY == LONG_EVERY - 1 {
            let slot = world.slot_of();
            if matches!(world.is(slot), Is::There { runs: true, .. }) {
                let Slot { numbered, id, .. } = &world.slots[slot];
                wait_until("a pipe to load what is there", || numbered.settled(stack) == numbered.expected());
                expect_identity(&world.kept.served.pipe(id)["counters"]);
            }
        }
        world.live();
        let lost = world.kill_in_a_call();
        world.kept.start_again();
        world.look(lost.as_ref(), &format!("after kill {kill}"));
        if let Some(call) = &lost {
            world.repeat(call);
        }
    }
    world.finish();
    world.expect_events();
    let has = |count: fn(&Seen) -> usize| world.seen.values().any(|seen| count(seen) > 0);
    assert!(has(|seen| seen.edits) && has(|seen| seen.removals), "{:?}", world.seen);
    assert!(!world.retired.is_empty() && world.seen.len() > world.slots.len() + world.retired.len());
    world.kept.served.stop();
}
