//! What a row plays on: a topic, a table, pipes, and random numbers.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use housepipe_local_stack::{Broker, KafkaOptions, Registry, SchemaText, Stack};

use super::Row;
use crate::{
    Housepipe, Network, Numbered, PipeText, Proxy, Verdict, group_of, housepipe, housepipe_at, own_registry,
    own_stack_with, unique, wait_until,
};

/// Records of a run, before anything breaks.
const RECORDS: u64 = 20_000;
/// Partitions of the topic.
const PARTITIONS: i32 = 3;
/// The session of a member, in seconds: the partitions of one that was killed are free after it.
const SESSION: &str = "2";

/// Time for a registry that runs to answer.
const REGISTRY_ANSWER_MAX: Duration = Duration::from_secs(5);

/// How a pipe delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is lost.
    AtLeastOnce,
    /// And nothing is loaded twice.
    ExactlyOnce,
}

impl Mode {
    /// Both.
    pub const ALL: [Mode; 2] = [Mode::AtLeastOnce, Mode::ExactlyOnce];

    /// Whether it promises no more than what was found.
    pub fn allows(self, verdict: Verdict) -> bool {
        match self {
            Mode::AtLeastOnce => verdict.is_complete(),
            Mode::ExactlyOnce => verdict.is_exact(),
        }
    }

    /// As the pipe file spells it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::AtLeastOnce => "at_least_once",
            Mode::ExactlyOnce => "exactly_once",
        }
    }
}

/// Random numbers that follow from a seed: SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// Servers that may be broken, and the network before one of them.
#[derive(Debug)]
pub struct Ground {
    /// The servers.
    pub(super) stack: Stack,
    /// Between pipes and Kafka, for those that come by it.
    pub(super) network: Network,
    /// Schemas of records, for those that name one.
    registry: OnceCell<Registry>,
}

impl Ground {
    /// Starts the servers.
    ///
    /// # Panics
    /// Where they do not start.
    pub fn prepare() -> Ground {
        let network = Network::new();
        let stack = own_stack_with(KafkaOptions::default().behind(network.port()));
        network.lead_to(stack.kafka.bootstrap_behind());
        Ground { stack, network, registry: OnceCell::new() }
    }
}

/// One run of a row.
pub struct Scene<'a> {
    /// The servers.
    pub(super) stack: &'a mut Stack,
    /// Between pipes and Kafka, for those that come by it.
    pub(super) network: &'a Network,
    registry: &'a OnceCell<Registry>,
    /// The records and their places.
    pub(super) numbered: Numbered,
    pipe: PipeText,
    random: Random,
}

impl<'a> Scene<'a> {
    /// A topic with records, a table, and a pipe between them.
    pub(super) fn new(ground: &'a mut Ground, row: &Row, mode: Mode, seed: u64) -> Scene<'a> {
        let Ground { stack, network, registry } = ground;
        let topic = unique(&format!("{}_{seed}", row.name.replace('-', "_")));
        let mut random = Random::new(seed);
        let layouts = row.layouts(mode);
        let layout = layouts[usize::try_from(random.below(layouts.len() as u64)).unwrap_or(0)];
        let mut numbered = Numbered::laid_out(stack, &topic, PARTITIONS, true, layout);
        numbered.produce(stack, RECORDS);
        let mut scene = Scene { stack, network, registry, numbered, pipe: PipeText::default(), random };
        let rows_max = 300 + scene.below(1_500);
        let wait_ms = 50 + scene.below(400);
        scene.pipe = scene
            .numbered
            .pipe(scene.stack)
            .with(&format!("delivery: {}", mode.name()))
            .with(&format!("batch: {{ max_rows: {rows_max}, max_wait: {wait_ms}ms }}"));
        scene
    }

    /// The next random number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    /// Puts a proxy before ClickHouse.
    pub(super) fn before_clickhouse(&mut self) -> Proxy {
        let server = self.stack.clickhouse.url().trim_start_matches("http://").to_owned();
        let proxy = Proxy::before(&server);
        self.pipe = self.pipe.clone().replacing(&server, &proxy.address().to_string());
        proxy
    }

    /// Reaches Kafka over the network that can be broken.
    pub(super) fn reach_kafka_by_network(&mut self) {
        let network = format!("127.0.0.1:{}", self.network.port());
        self.pipe = self.pipe.clone().replacing(self.stack.kafka.bootstrap(), &network);
    }

    /// The registry, which is started where none was needed before.
    pub(super) fn registry(&self) -> &'a Registry {
        self.registry.get_or_init(own_registry)
    }

    /// Registers a schema that nobody has seen, and has the records that follow name it. They are all as it wants them.
    ///
    /// # Panics
    /// Where the registry does not.
    pub(super) fn name_new_schema(&mut self) {
        let subject = unique(self.numbered.topic());
        let text = format!(
            r#"{{"$schema":"http://json-schema.org/draft-07/schema#","title":"{subject}","type":"object","properties":{{"id":{{"type":"integer"}}}},"required":["id","text"]}}"#
        );
        let schema = SchemaText { kind: "JSON", text: &text, references: &[] };
        let id = self.registry().register(&subject, schema).unwrap_or_else(|error| panic!("{error}"));
        self.numbered.name_schema(id);
    }

    /// Pipes check records: those without a frame against a schema that all of them keep.
    ///
    /// # Panics
    /// Where the registry does not take it.
    pub(super) fn check_schemas(&mut self) {
        let subject = format!("{}-value", self.numbered.topic());
        let text = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"id":{"type":"integer"}}}"#;
        let schema = SchemaText { kind: "JSON", text, references: &[] };
        self.registry().register(&subject, schema).unwrap_or_else(|error| panic!("{error}"));
        let url = format!("{}/subjects/{subject}", self.registry().url());
        self.pipe = self.pipe.clone().with(&format!("schema_registry: {{ url: '{url}' }}"));
    }

    /// Starts a pipe.
    pub(super) fn start(&self) -> Housepipe {
        housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", SESSION], Some(&self.pipe), b"")
    }

    /// Starts a pipe that dies at a place.
    pub(super) fn start_at(&self, failpoint: &str) -> Housepipe {
        housepipe_at(failpoint, &["run", "pipe.yaml", "--json", "--session-timeout", SESSION], &self.pipe)
    }

    /// The id of the broker that coordinates the pipes' group, once there is one and it `is_wanted`.
    ///
    /// # Panics
    /// Where there is none for long.
    pub(super) fn coordinator(&self, is_wanted: impl Fn(u16) -> bool) -> u16 {
        let group = group_of(self.numbered.topic());
        let mut found = None;
        wait_until("a broker that coordinates the group", || {
            found = self.stack.kafka.coordinator(&group).map(Broker::id).filter(|id| is_wanted(*id));
            found.is_some()
        });
        found.unwrap_or_default()
    }

    /// Whether this broker coordinates the pipes' group.
    pub(super) fn is_coordinator(&self, id: u16) -> bool {
        let group = group_of(self.numbered.topic());
        self.stack.kafka.coordinator(&group).is_some_and(|broker| broker.id() == id)
    }

    /// A broker by its id.
    ///
    /// # Panics
    /// Where there is none.
    pub(super) fn broker(&self, id: u16) -> &Broker {
        let found = self.stack.kafka.brokers().iter().find(|broker| broker.id() == id);
        found.unwrap_or_else(|| panic!("no broker {id}"))
    }

    /// Writes some records more.
    pub(super) fn produce(&mut self, count: u64) {
        self.numbered.produce(self.stack, count);
    }

    /// Waits until so many records more are in their places, or a random time is over: whichever comes first.
    pub(super) fn wait_for_some(&mut self) {
        let target = self.numbered.settled(self.stack) + 1 + self.below(RECORDS / 3);
        let patience = Duration::from_millis(500 + self.below(4_000));
        self.pass_until(patience, |scene| scene.numbered.settled(scene.stack) >= target);
    }

    /// Lets a random time pass, up to `most_ms` milliseconds.
    pub(super) fn pass_some(&mut self, most_ms: u64) {
        let patience = Duration::from_millis(self.below(most_ms));
        self.pass_until(patience, |_| false);
    }

    /// Lets time pass until `holds`, up to `patience`; says whether it does.
    pub(super) fn pass_until(
        &mut self,
        patience: Duration,
        mut holds: impl FnMut(&mut Scene<'_>) -> bool,
    ) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            if holds(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            #[expect(clippy::disallowed_methods, reason = "faults come at moments, not at conditions")]
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Brings back whatever server is away.
    pub(super) fn repair(&mut self) {
        self.network.lose_commit_answers(0);
        self.network.flow();
        // The pipes of the row are gone; what they left open would add up from run to run.
        self.network.cut();
        if self.stack.clickhouse.query("SELECT 1").is_err() {
            // Frozen or dead: one of both helps.
            let _ = self.stack.clickhouse.thaw();
            if self.stack.clickhouse.query("SELECT 1").is_err() {
                let _ = self.stack.clickhouse.restart();
            }
        }
        if let Some(registry) = self.registry.get() {
            // As above.
            let _ = registry.thaw();
            if registry.wait_ready(Instant::now() + REGISTRY_ANSWER_MAX).is_err() {
                let _ = registry.restart();
            }
        }
        for broker in self.stack.kafka.brokers().iter().filter(|broker| broker.pid().is_none()) {
            let _ = broker.restart();
        }
    }

    /// Loads every record, and makes room for those that were rejected: from then on they are the ones that are brought to
    /// their places, by `errors replay`, in batches of up to `rows_max` rows.
    ///
    /// # Panics
    /// As [`Scene::calm_down`].
    pub(super) fn reject_and_mend(&mut self, patience: Duration, rows_max: u64) {
        self.calm_down(patience);
        self.numbered.mend(self.stack);
        self.pipe = self.numbered.pipe(self.stack).with(&format!("batch: {{ max_rows: {rows_max} }}"));
    }

    /// Starts a replay of what there is room for now. A batch with one of the others would be refused, and could be finished
    /// minutes later only.
    pub(super) fn start_replay(&self) -> Housepipe {
        let arguments =
            ["errors", "replay", "pipe.yaml", "--json", "--where", "code != 'refused_by_clickhouse'"];
        housepipe(&arguments, Some(&self.pipe), b"")
    }

    /// Pipes and replays that nothing disturbs bring every record to its place.
    ///
    /// # Panics
    /// Where they do not within `patience`, or one does not end well.
    pub(super) fn calm_down(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let run =
                if self.numbered.is_mended() { self.start_replay() } else { self.start_until_caught_up() };
            let outcome = run.wait();
            assert_eq!(outcome.code, Some(0), "a process did not end well: {}", outcome.stderr);
            // The first pipe may have had a share only, beside a member that was dead and not yet known to be.
            let (settled, expected) = (self.numbered.settled(self.stack), self.numbered.expected());
            // The last replay finds nothing to do: what was loaded before is marked so.
            let is_done =
                !self.numbered.is_mended() || outcome.number("loaded") + outcome.number("finished") == 0;
            if settled >= expected && is_done {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{settled} of {expected} rows were in their places after {patience:?}; the last process said {}",
                outcome.stderr
            );
        }
    }

    fn start_until_caught_up(&self) -> Housepipe {
        let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", SESSION];
        housepipe(&arguments, Some(&self.pipe), b"")
    }

    /// What is in the tables.
    pub(super) fn verdict(&self) -> Verdict {
        self.numbered.verdict(self.stack)
    }

    /// Some of what is wrong.
    pub(super) fn evidence(&self) -> String {
        self.numbered.evidence(self.stack)
    }

    /// Records written.
    pub(super) fn produced(&self) -> u64 {
        self.numbered.produced()
    }
}
