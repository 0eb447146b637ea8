//! What goes wrong, and how it ends.

use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::Recorded;

use super::clickhouse::LeftOver;
use super::event::{Ask, Event, Mishap, News, Recovery};
use super::process::Process;
use super::world::{Operator, World};

/// Until whoever stops the pipe everywhere sets offsets: longer than any session, request and insert, in milliseconds.
const OPERATOR_MS: u64 = 260_000;

/// Time between two starts of ClickHouse, at least, in milliseconds.
const STARTS_APART_MS: u64 = 500;

/// Longest time until a frozen process that wakes up hears from the group, in milliseconds.
const HEARTBEAT_MS: u64 = 3_000;

impl World {
    /// Plans the first mishap of each kind.
    pub(crate) fn plan_mishaps(&mut self) {
        for mishap in [
            Mishap::ProcessKilled,
            Mishap::ProcessFrozen,
            Mishap::KafkaCut,
            Mishap::PartitionMoved,
            Mishap::ServerKilled,
            Mishap::ServerStalls,
            Mishap::OffsetSet,
            Mishap::OtherColumns,
        ] {
            self.plan_mishap(mishap);
        }
    }

    fn plan_mishap(&mut self, mishap: Mishap) {
        let setting = &self.setting;
        let mean_ms = match mishap {
            Mishap::ProcessKilled => setting.kills_ms,
            Mishap::ProcessFrozen => setting.freezes_ms,
            Mishap::KafkaCut => setting.kafka_cuts_ms,
            Mishap::PartitionMoved => setting.moves_ms,
            Mishap::ServerKilled => setting.server_kills_ms,
            Mishap::ServerStalls => setting.server_stalls_ms,
            Mishap::OffsetSet => setting.operator_ms,
            Mishap::OtherColumns => setting.deploys_ms,
        };
        if let Some(mean_ms) = mean_ms {
            let delay_ms = self.random.between(1, mean_ms * 2);
            self.clock.after(delay_ms, Event::Mishap(mishap));
        }
    }

    /// A mishap comes, where it can.
    pub(crate) fn mishap(&mut self, mishap: Mishap) {
        if self.is_calm {
            return;
        }
        self.plan_mishap(mishap);
        let who = self.random.index(self.processes.len());
        let happened = match mishap {
            Mishap::ProcessKilled => self.kill(who),
            Mishap::ProcessFrozen => self.freeze(who),
            Mishap::KafkaCut => self.cut(who),
            Mishap::PartitionMoved => self.move_partition(),
            Mishap::ServerKilled => self.kill_server(),
            Mishap::ServerStalls => {
                let stall_ms = self.random.between(100, 100_000);
                self.clickhouse.stalls_until_ms = self.clock.now_ms() + stall_ms;
                self.note(|| format!("clickhouse stalls for {stall_ms} ms"));
                true
            }
            Mishap::OffsetSet => self.operator.is_none() && self.stop_everywhere(Operator::Moves),
            Mishap::OtherColumns => {
                self.processes[who].plan = 1 + u32::from(self.processes[who].plan == 1);
                self.kill(who)
            }
        };
        if happened {
            *self.stats.mishaps.entry(mishap).or_default() += 1;
        }
    }

    fn kill(&mut self, who: usize) -> bool {
        if !self.processes[who].is_up {
            return false;
        }
        self.note(|| format!("process {who} is killed"));
        self.end_process(who);
        let delay_ms = self.random.between(100, 20_000);
        self.clock.after(delay_ms, Event::Recovery(Recovery::Process(who)));
        true
    }

    fn end_process(&mut self, who: usize) {
        self.processes[who].end();
        self.fall_silent(who);
    }

    /// The group hears no more of a process, and throws its members out in time.
    fn fall_silent(&mut self, who: usize) {
        self.processes[who].silence += 1;
        let silence = self.processes[who].silence;
        let members: Vec<u64> =
            self.kafka.members.iter().filter(|(_, of)| **of == who).map(|(member, _)| *member).collect();
        for member in members {
            self.clock.after(self.setting.session_ms, Event::SessionOver { member, silence });
        }
    }

    fn freeze(&mut self, who: usize) -> bool {
        let Process { is_up, is_frozen, cut_until_ms, .. } = &mut self.processes[who];
        if !*is_up || *is_frozen || cut_until_ms.is_some() {
            return false;
        }
        *is_frozen = true;
        self.note(|| format!("process {who} is frozen"));
        self.fall_silent(who);
        let silence = self.processes[who].silence;
        // Also for longer than a range that may be forgotten is waited for.
        let longest_ms = [3 * self.setting.session_ms, 150_000, 400_000][self.random.index(3)];
        let delay_ms = self.random.between(200, longest_ms);
        self.clock.after(delay_ms, Event::Recovery(Recovery::Wakes { who, silence }));
        true
    }

    fn wake(&mut self, who: usize) {
        self.note(|| format!("process {who} wakes up"));
        let process = &mut self.processes[who];
        process.is_frozen = false;
        process.silence += 1;
        let deferred = std::mem::take(&mut process.deferred);
        for event in deferred {
            // That it is thrown out it hears from its next heartbeat; all else is there already.
            let is_lost = matches!(event, Event::Process { news: News::Lost(_), .. });
            let delay_ms = if is_lost { self.random.below(HEARTBEAT_MS) } else { 0 };
            self.clock.after(delay_ms, event);
        }
    }

    fn cut(&mut self, who: usize) -> bool {
        let delay_ms = self.random.between(100, 60_000);
        let now_ms = self.clock.now_ms();
        let Process { is_up, is_frozen, cut_until_ms, .. } = &mut self.processes[who];
        if !*is_up || *is_frozen || cut_until_ms.is_some() {
            return false;
        }
        *cut_until_ms = Some(now_ms + delay_ms);
        self.note(|| format!("process {who} does not reach kafka for {delay_ms} ms"));
        self.fall_silent(who);
        let silence = self.processes[who].silence;
        self.clock.after(delay_ms, Event::Recovery(Recovery::Connects { who, silence }));
        true
    }

    fn move_partition(&mut self) -> bool {
        let partition = self.random.index(self.setting.partitions);
        let owner = self.kafka.owners[partition].filter(|_| !self.kafka.asked[partition]);
        if let Some(member) = owner {
            self.ask_back(member, partition);
        }
        owner.is_some()
    }

    /// ClickHouse is killed, in the middle of whatever it does.
    fn kill_server(&mut self) -> bool {
        if !self.clickhouse.is_up {
            return false;
        }
        self.note(|| "clickhouse is killed".to_owned());
        let now_ms = self.clock.now_ms();
        for (_, asked) in std::mem::take(&mut self.running) {
            let Ask::Insert(insert) = &asked.ask else { continue };
            let left = match self.random.below(10) {
                _ if self.refused_row(insert).is_some() => LeftOver::Nothing,
                0..=3 => LeftOver::Nothing,
                4 | 5 => LeftOver::Token,
                6 | 7 if !self.setting.views => LeftOver::Rows,
                _ => LeftOver::Everything,
            };
            let is_stored = self.clickhouse.leave_over(insert, left, now_ms);
            self.note(|| format!("it has {left:?} of {:?} {:?}", insert.token, insert.offsets));
            if is_stored {
                self.judge_rows(insert);
            }
            self.break_off(&asked);
        }
        self.clickhouse.kill();
        self.clickhouse.stalls_until_ms = 0;
        let delay_ms = self.random.between(300, 20_000);
        let at_ms = (now_ms + delay_ms).max(self.clickhouse.started_ms + STARTS_APART_MS);
        self.clock.at(at_ms, Event::Recovery(Recovery::Server));
        true
    }

    /// Somebody stops the pipe everywhere, so that the group is empty.
    pub(crate) fn stop_everywhere(&mut self, operator: Operator) -> bool {
        self.note(|| "an operator stops the pipe everywhere".to_owned());
        self.operator = Some(operator);
        for who in 0..self.processes.len() {
            if self.processes[who].is_up {
                self.end_process(who);
            }
        }
        self.clock.after(OPERATOR_MS, Event::Recovery(Recovery::Operator));
        true
    }

    /// What was stopped goes on.
    pub(crate) fn recover(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Process(who) if self.operator.is_none() => self.start_process(who),
            Recovery::Process(_) => {}
            Recovery::Wakes { who, silence } => {
                if self.processes[who].is_frozen && self.processes[who].silence == silence {
                    self.wake(who);
                }
            }
            Recovery::Connects { who, silence } => {
                let process = &mut self.processes[who];
                if process.cut_until_ms.is_some() && process.silence == silence {
                    process.cut_until_ms = None;
                    process.silence += 1;
                }
            }
            Recovery::Server => {
                if !self.clickhouse.is_up {
                    self.note(|| "clickhouse is started".to_owned());
                    self.clickhouse.start(self.clock.now_ms());
                }
            }
            Recovery::Operator => {
                match self.operator.take() {
                    Some(Operator::Moves) => self.move_an_offset(),
                    Some(Operator::Mends) => self.mend(),
                    None => {}
                }
                for who in 0..self.processes.len() {
                    if self.is_calm {
                        self.processes[who].plan = 1;
                    }
                    self.start_process(who);
                }
            }
        }
    }

    /// An operator sets the offset of one partition, or damages what stands beside it.
    fn move_an_offset(&mut self) {
        let partition = self.random.index(self.setting.partitions);
        let to = i64::try_from(self.random.index(self.kafka.logs[partition].end + 1)).unwrap_or(0);
        let before = self.kafka.committed[partition].clone().unwrap_or_default();
        let text = before.metadata;
        let may_be_there = match Recorded::read(&text, Offset(before.offset)) {
            Recorded::Ours(metadata) => metadata.pending.map_or(before.offset, |pending| pending.end.0),
            Recorded::Nothing | Recorded::Foreign | Recorded::Moved { .. } => before.offset,
            // What may be there cannot be told; it stops, and is mended.
            Recorded::Damaged | Recorded::Newer { .. } => return,
        };
        let metadata = match self.random.below(5) {
            0 | 1 => String::new(),
            2 => "of another program".to_owned(),
            3 if !text.is_empty() => {
                let other = if self.random.permille(500) {
                    text.replacen("L=", "L=0", 1)
                } else {
                    text.replacen(|c: char| c.is_ascii_digit(), "9", 1)
                };
                return self.set_offset(partition, Offset(before.offset), other);
            }
            _ if to == before.offset => return,
            _ => text,
        };
        self.oracle.moved(partition, before.offset, may_be_there, to);
        self.set_offset(partition, Offset(to), metadata);
    }

    /// An operator looks into the tables what is there of each partition that has stopped, and sets its offset.
    fn mend(&mut self) {
        for partition in std::mem::take(&mut self.stopped) {
            let committed = self.kafka.committed[partition].as_ref().map_or(0, |committed| committed.offset);
            let to = self.oracle.mended(partition, committed);
            self.set_offset(partition, Offset(to), String::new());
        }
    }

    /// No mishap comes any more, and what is broken is mended.
    pub(crate) fn calm(&mut self) {
        self.note(|| "no mishap comes any more".to_owned());
        self.is_calm = true;
        self.clickhouse.stalls_until_ms = 0;
        self.recover(Recovery::Server);
        for who in 0..self.processes.len() {
            let silence = self.processes[who].silence;
            self.recover(Recovery::Wakes { who, silence });
            self.recover(Recovery::Connects { who, silence });
            if self.processes[who].plan != 1 {
                self.end_process(who);
                self.processes[who].plan = 1;
            }
        }
        if self.setting.deploys_ms.is_some() {
            // Those with the right columns have to take over what has stopped elsewhere.
            (0..self.processes.len()).for_each(|who| self.end_process(who));
        }
        (0..self.processes.len()).for_each(|who| self.recover(Recovery::Process(who)));
        (0..self.setting.partitions).for_each(|partition| self.clock.after(1, Event::Produce(partition)));
    }
}
