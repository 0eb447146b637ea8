//! One run: the world of a seed from its first event to the last.

use std::collections::BTreeMap;

use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::Recorded;

use super::clickhouse::ClickHouse;
use super::clock::Clock;
use super::delivery::QUIET_MS;
use super::event::{Asked, Event, Mishap, News};
use super::kafka::Kafka;
use super::mistake::Mistake;
use super::oracle::Oracle;
use super::process::Process;
use super::random::Random;
use super::setting::Setting;
use super::task::Work;
use super::topic::Log;

/// Simulated time after the last mishap within which everything has to be loaded, in milliseconds. The longest wait that a
/// mishap leaves behind is that for the answer to an insert, two minutes; then a session, a commit and a pause. Where tokens may be
/// forgotten, a range is looked for when nothing of it can be under way; its rejects may be, after that.
pub(crate) const CALM_MS_MAX: u64 = 300_000 + 3 * QUIET_MS;

/// Simulated time for which a run goes on when everything is loaded, in milliseconds: whatever is still on its way comes.
const AFTERMATH_MS: u64 = 230_000;

/// Time between two looks whether everything is loaded, in milliseconds.
const LOOK_AFTER_MS: u64 = 2_000;

/// Events of a run, at most.
const EVENTS_MAX: u64 = 3_000_000;

/// How often an operator mends partitions that have stopped, in one run, at most.
const MENDS_MAX: u64 = 20;

/// What a run has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats {
    pub(crate) events: u64,
    pub(crate) simulated_ms: u64,
    pub(crate) records: u64,
    pub(crate) mishaps: BTreeMap<Mishap, u64>,
    /// Requests and answers that were lost or late.
    pub(crate) network: u64,
    pub(crate) inserts: u64,
    /// Inserts that were dropped as repetitions.
    pub(crate) dropped: u64,
    pub(crate) refusals: u64,
    pub(crate) commits: u64,
    pub(crate) replays: u64,
    pub(crate) prepared_again: u64,
    /// Ranges that were looked for, since their tokens may have been forgotten.
    pub(crate) looked_back: u64,
    pub(crate) sessions_unknown: u64,
    /// Memberships that ended since a commit's fate was unknown, and that the group had ended.
    pub(crate) leaves: u64,
    pub(crate) lost: u64,
    pub(crate) mends: u64,
    /// Records that an insert has doubled which took longer than half of the tables' memory.
    pub(crate) beyond_horizon: u64,
    /// Partitions that were stopped by processes which had lost them, and did not know.
    pub(crate) false_alarms: u64,
    /// From the last mishap, or the last time that an operator mended something, until everything was loaded.
    pub(crate) calm_ms: u64,
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock<Event>,
    pub(crate) random: Random,
    pub(crate) setting: Setting,
    pub(crate) kafka: Kafka,
    pub(crate) clickhouse: ClickHouse,
    /// Inserts that the server does, by number.
    pub(crate) running: BTreeMap<u64, Asked>,
    pub(crate) processes: Vec<Process>,
    pub(crate) oracle: Oracle,
    pub(crate) stats: Stats,
    pub(crate) is_calm: bool,
    /// Somebody has stopped the pipe everywhere to set offsets; where nobody knows what is loaded, to mend.
    pub(crate) operator: Option<Operator>,
    /// Partitions that have stopped, and wait for the operator.
    pub(crate) stopped: Vec<usize>,
    calm_since_ms: u64,
    ends_ms: Option<u64>,
    serial: u64,
    traces: bool,
}

/// Why the pipe is stopped everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Moves,
    Mends,
}

impl World {
    pub(crate) fn new(seed: u64, mistake: Option<Mistake>, traces: bool) -> World {
        let mut random = Random::new(seed);
        let setting = Setting::of(&mut random, mistake);
        let logs: Vec<Log> = (0..setting.partitions).map(|_| Log::of(&setting, &mut random)).collect();
        let remembers = !setting.has(Mistake::WithoutDeduplication);
        let clickhouse =
            ClickHouse::new(setting.window_blocks, remembers, setting.merges, setting.start_jitter);
        let records = logs.iter().map(|log| log.records.iter().flatten().count() as u64).sum();
        World {
            clock: Clock::new(),
            random,
            oracle: Oracle::new(&logs),
            kafka: Kafka::new(logs),
            clickhouse,
            running: BTreeMap::new(),
            processes: (0..setting.processes).map(|_| Process::default()).collect(),
            setting,
            stats: Stats { records, ..Stats::default() },
            is_calm: false,
            operator: None,
            stopped: Vec::new(),
            calm_since_ms: 0,
            ends_ms: None,
            serial: 0,
            traces,
        }
    }

    /// Runs to the end, or to the first violation.
    pub(crate) fn run(&mut self) {
        self.note_setting();
        for partition in 0..self.setting.partitions {
            self.clock.at(0, Event::Produce(partition));
        }
        for who in 0..self.setting.processes {
            self.processes[who].plan = 1;
            self.start_process(who);
        }
        self.plan_mishaps();
        self.clock.at(self.setting.mishaps_ms, Event::Calm);
        while self.oracle.violation.is_none() {
            let Some(event) = self.clock.next() else { break };
            if self.ends_ms.is_some_and(|ends_ms| self.clock.now_ms() >= ends_ms) {
                break;
            }
            self.stats.events += 1;
            if self.stats.events > EVENTS_MAX {
                self.oracle.violated(format!("more than {EVENTS_MAX} events"));
            }
            self.happen(event);
        }
        if self.oracle.violation.is_none() {
            self.oracle.finish();
        }
        self.stats.simulated_ms = self.clock.now_ms();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Produce(partition) => self.produce(partition),
            Event::Process { who, life, news } => {
                let process = &mut self.processes[who];
                if process.life != life {
                    return;
                }
                if process.is_frozen {
                    process.deferred.push(Event::Process { who, life, news });
                } else {
                    self.news(who, news);
                }
            }
            Event::Coordinator(wish) => self.coordinate(wish),
            Event::Server(asked) => self.serve(asked),
            Event::InsertDone(number) => self.insert_done(number),
            Event::SessionOver { member, silence } => self.session_over(member, silence),
            Event::Mishap(mishap) => self.mishap(mishap),
            Event::Recovery(recovery) => self.recover(recovery),
            Event::Calm => {
                self.calm();
                self.calm_since_ms = self.clock.now_ms();
                self.clock.after(LOOK_AFTER_MS, Event::LookAfter);
            }
            Event::LookAfter => self.look_after(),
        }
    }

    fn news(&mut self, who: usize, news: News) {
        match news {
            News::Join => {
                let life = self.processes[who].life;
                let trip_ms = self.random.trip_ms(20);
                self.tell_coordinator(who, trip_ms, super::event::Wish::Join { who, life });
            }
            News::Joined(member) => self.joined(who, member),
            News::Assigned { member, partition } => self.assigned(who, member, partition),
            News::Fetched { partition, epoch, committed } => self.fetched(who, partition, epoch, committed),
            News::Revoke { member, partitions } => self.revoke(who, member, partitions),
            News::Lost(member) => self.lost(who, member),
            News::Committed { serial, outcomes } => self.commit_answered(who, serial, outcomes),
            News::CommitterWakes => {
                self.processes[who].committer.pauses = false;
                self.send_commits(who);
            }
            News::DrainOver(stamp) => self.drain_over(who, stamp),
            News::Poll => self.poll(who),
            News::Read { partition, epoch } => self.read(who, partition, epoch),
            News::Watch => self.watch(who),
            News::Reply { task, serial, reply } => self.heard(who, task, serial, reply),
            News::Resume { task, serial } => self.resumed(who, task, serial),
        }
    }

    /// Records come, and whoever owns the partition sees them.
    fn produce(&mut self, partition: usize) {
        let some = 1 + self.random.index(24);
        let log = &mut self.kafka.logs[partition];
        log.end = if self.is_calm { log.records.len() } else { (log.end + some).min(log.records.len()) };
        if !log.is_whole() {
            let steps = (self.setting.records / 12).max(1) as u64;
            let usual_ms = (self.setting.mishaps_ms / steps).max(1);
            let delay_ms = self.random.between(1, usual_ms * 2);
            self.clock.after(delay_ms, Event::Produce(partition));
        }
        for who in 0..self.processes.len() {
            let owned = self.processes[who].owned.get(&partition);
            // A batch that is open is closed in its time.
            if let Some(reader) = owned.and_then(|owned| owned.reader.as_ref())
                && (!reader.is_woken || reader.open.is_empty())
                && !(self.setting.has(Mistake::ForgetsAPartition) && self.processes[who].silence > 2)
            {
                self.wake_reader(who, partition);
            }
        }
    }

    /// A process begins.
    pub(crate) fn start_process(&mut self, who: usize) {
        if self.processes[who].is_up {
            return;
        }
        self.processes[who].is_up = true;
        self.note(|| format!("process {who} starts"));
        self.begin(who, Work::Start);
    }

    /// Looks whether everything is loaded, and what stands in the way.
    fn look_after(&mut self) {
        if self.ends_ms.is_some() {
            return;
        }
        self.clock.after(LOOK_AFTER_MS, Event::LookAfter);
        if self.operator.is_some() {
            self.calm_since_ms = self.clock.now_ms();
            return;
        }
        let open: Vec<usize> =
            (0..self.setting.partitions).filter(|partition| !self.is_done(*partition)).collect();
        let waited_ms = self.clock.now_ms() - self.calm_since_ms;
        if open.is_empty() {
            self.stats.calm_ms = waited_ms;
            self.ends_ms = Some(self.clock.now_ms() + AFTERMATH_MS);
            return;
        }
        let (halted, stuck): (Vec<usize>, Vec<usize>) =
            open.into_iter().partition(|partition| self.is_halted(*partition));
        if stuck.is_empty() {
            self.stats.mends += 1;
            if self.stats.mends > MENDS_MAX {
                self.oracle.violated(format!("partitions {halted:?} stop again and again"));
            }
            self.stopped = halted;
            self.stop_everywhere(Operator::Mends);
        } else if waited_ms > CALM_MS_MAX {
            let committed = &self.kafka.committed;
            let state: Vec<String> =
                stuck.iter().map(|partition| format!("{partition}: {:?}", committed[*partition])).collect();
            self.oracle
                .violated(format!("not loaded {waited_ms} ms after the last mishap: {}", state.join("; ")));
        }
    }

    fn is_done(&self, partition: usize) -> bool {
        let log = &self.kafka.logs[partition];
        let Some(committed) = &self.kafka.committed[partition] else { return false };
        let has_all = usize::try_from(committed.offset).is_ok_and(|offset| offset >= log.records.len());
        let is_clean = match Recorded::read(&committed.metadata, Offset(committed.offset)) {
            Recorded::Ours(metadata) => metadata.pending.is_none(),
            Recorded::Damaged | Recorded::Newer { .. } => false,
            Recorded::Nothing | Recorded::Foreign | Recorded::Moved { .. } => true,
        };
        log.is_whole() && has_all && is_clean
    }

    pub(crate) fn is_halted(&self, partition: usize) -> bool {
        let halted =
            |process: &Process| process.owned.get(&partition).is_some_and(|owned| owned.halted.is_some());
        self.processes.iter().any(halted)
    }

    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A process hears of something, or tells itself.
    pub(crate) fn tell_after(&mut self, who: usize, delay_ms: u64, news: News) {
        let life = self.processes[who].life;
        self.clock.after(delay_ms, Event::Process { who, life, news });
    }

    /// Says what happens, where somebody wants to know.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        if self.traces {
            super::report::line(&format!("{:>9.3} s  {}", seconds(self.clock.now_ms()), what()));
        }
    }

    fn note_setting(&self) {
        self.note(|| format!("{:#?}", self.setting));
    }
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "simulated times are far below 2^52 ms")]
pub(crate) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
