//! Questions to ClickHouse: their way there, what the server makes of them, and the way back.

use housepipe_ch_sink::{Backoff, Insert as SinkInsert};
use housepipe_runtime::delivery::{Metadata, Moment, Recorded, TokenMemory};

use super::clickhouse::{Insert, Target};
use super::delivery::{QUIET_MS, SETTLED_MS, SETTLED_S};
use super::event::{Ask, Asked, Event, News, Reply};
use super::mistake::Mistake;
use super::process::Quiet;
use super::task::{Task, Work};
use super::topic::Kind;
use super::world::World;

/// Longest wait for an answer, in milliseconds, and for that to an insert.
const ANSWER_MS_MAX: u64 = 30_000;
const INSERT_MS_MAX: u64 = 120_000;

/// Longest time from a question for the server's clock to an answer that is believed, in milliseconds.
const CLOCK_ANSWER_MS_MAX: u64 = 5_000;

/// Longest way of a request whose sender may not wait any more, in milliseconds.
const LATE_MS_MAX: u64 = 90_000;

/// Time between two looks at the blocks, in milliseconds, and how many are left out where nothing is inserted.
const WATCH_MS: u64 = 5_000;
const IDLE_LOOKS: u64 = 12;

impl World {
    /// Begins a task. It asks at once, but for a delivery, which does so by itself.
    pub(crate) fn begin(&mut self, who: usize, work: Work) -> u64 {
        let task = self.next_serial();
        let question = self.question_of(&work);
        let begun = Task { serial: 0, asked_ms: 0, backoff: Backoff::default(), work };
        self.processes[who].tasks.insert(task, begun);
        if let Some(ask) = question {
            self.ask(who, task, ask);
        }
        task
    }

    fn question_of(&self, work: &Work) -> Option<Ask> {
        match work {
            Work::Start => Some(Ask::Start),
            Work::Watch => Some(Ask::Mark),
            Work::Recover { metadata, .. } => {
                let since = metadata.pending.map_or_else(|| Moment::at(0), |pending| pending.prepared);
                Some(Ask::Memory { since })
            }
            Work::Deliver(_) | Work::Quiet { .. } => None,
        }
    }

    /// Sends a question of a task.
    pub(crate) fn ask(&mut self, who: usize, task: u64, ask: Ask) {
        let serial = self.next_serial();
        let now_ms = self.clock.now_ms();
        let Some(waiting) = self.processes[who].tasks.get_mut(&task) else { return };
        waiting.serial = serial;
        waiting.asked_ms = now_ms;
        let wait_ms = if matches!(ask, Ask::Insert(_)) { INSERT_MS_MAX } else { ANSWER_MS_MAX };
        let life = self.processes[who].life;
        let deadline_ms = now_ms + wait_ms;
        let mut asked = Asked { who, life, task, serial, deadline_ms, loses_answer: false, ask };
        let mut trip_ms = self.random.trip_ms(10);
        if self.has_network_trouble() {
            self.stats.network += 1;
            match self.random.below(4) {
                0 => return self.fail_later(&asked, deadline_ms),
                1 => asked.loses_answer = true,
                2 => {
                    asked.loses_answer = true;
                    trip_ms = self.random.between(1, LATE_MS_MAX);
                }
                _ => trip_ms = self.random.between(1, LATE_MS_MAX),
            }
            if trip_ms > wait_ms {
                self.fail_later(&asked, deadline_ms);
            }
        }
        self.clock.after(trip_ms, Event::Server(asked));
    }

    fn has_network_trouble(&mut self) -> bool {
        !self.is_calm && self.random.permille(self.setting.network_permille)
    }

    /// Whoever has asked hears of an error, at the latest when its wait is over.
    fn fail_later(&mut self, asked: &Asked, deadline_ms: u64) {
        let now_ms = self.clock.now_ms();
        let at_ms = match self.random.below(2) {
            0 => deadline_ms,
            _ => (now_ms + self.random.trip_ms(500)).min(deadline_ms),
        };
        self.hand(asked, at_ms, Reply::Failed { may_have_begun: true });
    }

    /// The server is gone in the middle of a request.
    pub(crate) fn break_off(&mut self, asked: &Asked) {
        let at_ms = (self.clock.now_ms() + self.random.trip_ms(10)).min(asked.deadline_ms);
        self.hand(asked, at_ms, Reply::Failed { may_have_begun: true });
    }

    fn hand(&mut self, asked: &Asked, at_ms: u64, reply: Reply) {
        let Asked { who, life, task, serial, .. } = *asked;
        self.clock.at(at_ms, Event::Process { who, life, news: News::Reply { task, serial, reply } });
    }

    /// Sends an answer, which may be lost or come too late.
    fn answer(&mut self, asked: &Asked, reply: Reply) {
        let stall_ms = self.clickhouse.stalls_until_ms.saturating_sub(self.clock.now_ms());
        let at_ms = self.clock.now_ms() + stall_ms + self.random.trip_ms(10);
        if asked.loses_answer || at_ms > asked.deadline_ms {
            self.fail_later(asked, asked.deadline_ms);
        } else {
            self.hand(asked, at_ms, reply);
        }
    }

    /// A question comes to the server.
    pub(crate) fn serve(&mut self, asked: Asked) {
        let now_ms = self.clock.now_ms();
        if !self.clickhouse.is_up {
            let at_ms = (now_ms + self.random.trip_ms(5)).min(asked.deadline_ms);
            return self.hand(&asked, at_ms, Reply::Failed { may_have_begun: false });
        }
        let reply = match &asked.ask {
            Ask::Start => {
                let (now_unix_s, started_unix_s) = self.clickhouse.clock(now_ms, &mut self.random);
                Reply::Start { now_unix_s, started_unix_s, mark: self.clickhouse.mark() }
            }
            Ask::Mark => Reply::Mark(self.clickhouse.mark()),
            Ask::Look { opens_session } => {
                let (now_unix_s, started_unix_s) = self.clickhouse.clock(now_ms, &mut self.random);
                let session = opens_session.then(|| self.next_serial());
                if let Some(session) = session {
                    self.clickhouse.open_session(session, now_ms + SinkInsert::SESSION_S * 1_000);
                }
                Reply::Look { now_unix_s, started_unix_s, session, mark: self.clickhouse.mark() }
            }
            Ask::Memory { since } => {
                Reply::Memory { remembered: self.remembered(*since), mark: self.clickhouse.mark() }
            }
            Ask::RowsLeft { partition, offsets, since_unix_s } => Reply::Left {
                found: self.clickhouse.rows_left(*partition, offsets, *since_unix_s),
                wanted: offsets.len(),
            },
            Ask::ErrorsLeft { batch, wanted } => {
                Reply::Left { found: self.clickhouse.errors_left(batch), wanted: *wanted }
            }
            Ask::Insert(insert) => {
                if let Some(session) = insert.session
                    && !self.clickhouse.takes_session(session, now_ms)
                {
                    self.stats.sessions_unknown += 1;
                    return self.answer(&asked, Reply::Failed { may_have_begun: false });
                }
                let stall_ms = self.clickhouse.stalls_until_ms.saturating_sub(now_ms);
                let takes_ms = (self.random.trip_ms(60) + stall_ms).min(INSERT_MS_MAX);
                let number = self.next_serial();
                self.running.insert(number, asked);
                return self.clock.after(takes_ms, Event::InsertDone(number));
            }
        };
        self.answer(&asked, reply);
    }

    /// The rules of `crates/pipe-runtime/src/pipe/recovery.rs`. The tables are always the same ones.
    fn remembered(&self, since: Moment) -> [bool; 2] {
        let now = self.clickhouse.mark();
        let half = self.setting.window_blocks / 2;
        let is_sure = |target: Target| {
            let counted = since.blocks.and_then(|before| match target {
                Target::Rows => now.rows_since(before),
                Target::Errors => now.others_since(before),
            });
            counted.is_some_and(|blocks| blocks <= half)
                || self.clickhouse.taken_since(target, since.unix_s) <= half
        };
        Target::ALL.map(|target| self.setting.has(Mistake::IgnoresTheMemory) || is_sure(target))
    }

    /// What holds for a range of an earlier owner, where the tables remember so much.
    fn memory_of_earlier(&self, metadata: &Metadata, remembered: [bool; 2]) -> TokenMemory {
        let counts = metadata.pending.map_or([0, 0], |pending| [pending.rows, pending.rejects]);
        let mut memory = TokenMemory::Sure;
        for target in Target::ALL {
            let (count, is_sure) = (counts[target.place()], remembered[target.place()]);
            let rows = if target == Target::Rows { count as usize } else { 0 };
            if count == 0 || is_sure {
                continue;
            }
            if !self.setting.looks_back(rows) {
                return TokenMemory::Unsure;
            }
            memory = TokenMemory::InRows;
        }
        memory
    }

    /// An insert has come to its end at the server.
    pub(crate) fn insert_done(&mut self, number: u64) {
        // One that is not there any more was killed with its server.
        let Some(asked) = self.running.remove(&number) else { return };
        let Ask::Insert(insert) = &asked.ask else { return };
        if let Some(row) = self.refused_row(insert) {
            let named = self.setting.names_rows.then_some(row);
            return self.answer(&asked, Reply::Refused { named });
        }
        if !self.is_calm && self.random.permille(self.setting.network_permille / 2) {
            // Too many parts, or too little memory: nothing of it is stored.
            return self.answer(&asked, Reply::Failed { may_have_begun: true });
        }
        self.apply(insert);
        self.answer(&asked, Reply::Inserted);
    }

    /// The first row that ClickHouse refuses.
    pub(crate) fn refused_row(&self, insert: &Insert) -> Option<usize> {
        let log = &self.kafka.logs[insert.partition];
        let is_refused = |offset: &i64| log.at(*offset) == Some(Kind::Refused);
        (insert.target == Target::Rows).then(|| insert.offsets.iter().position(is_refused)).flatten()
    }

    fn apply(&mut self, insert: &Insert) {
        let is_stored = self.clickhouse.apply(insert, self.clock.now_ms());
        self.stats.inserts += 1;
        self.stats.dropped += u64::from(!is_stored);
        self.note(|| {
            let what = if is_stored { "stores" } else { "drops" };
            format!("clickhouse {what} {:?} {:?} {:?}", insert.target, insert.token, insert.offsets)
        });
        if is_stored {
            self.judge_rows(insert);
        }
    }

    /// Rows have become visible.
    pub(crate) fn judge_rows(&mut self, insert: &Insert) {
        let taken = insert.target.number(self.clickhouse.mark()).saturating_sub(insert.sure_at_blocks);
        let may_be_forgotten = taken > self.setting.window_blocks / 2;
        self.stats.beyond_horizon += self.oracle.stored(insert, &self.kafka.logs, may_be_forgotten);
    }

    /// An answer, or an error instead of it, comes to a process.
    pub(crate) fn heard(&mut self, who: usize, task: u64, serial: u64, reply: Reply) {
        let now_ms = self.clock.now_ms();
        let process = &mut self.processes[who];
        let Some(waiting) = process.tasks.get_mut(&task).filter(|task| task.serial == serial) else { return };
        if let Work::Deliver(_) = waiting.work {
            return self.delivery_heard(who, task, reply);
        }
        if let Reply::Failed { .. } = reply {
            if let Work::Watch = waiting.work {
                process.tasks.remove(&task);
                return;
            }
            let delay_ms = waiting.backoff.next_delay_ms(self.random.fraction());
            return self.pause(who, task, delay_ms);
        }
        let Some(Task { work, .. }) = process.tasks.remove(&task) else { return };
        match (work, reply) {
            (Work::Start, Reply::Start { now_unix_s, started_unix_s, .. })
                if now_unix_s <= started_unix_s + SETTLED_S && !self.setting.has(Mistake::InsertsAtOnce) =>
            {
                self.begin_later(who, Work::Start, SETTLED_MS);
            }
            (Work::Start, Reply::Start { now_unix_s, started_unix_s, mark }) => {
                process.server = Some((now_unix_s, started_unix_s, now_ms));
                process.blocks = Some(mark);
                self.tell_after(who, WATCH_MS, News::Watch);
                self.join_group(who);
            }
            (Work::Watch, Reply::Mark(mark)) => process.blocks = Some(mark),
            (Work::Recover { partition, epoch, position, metadata }, Reply::Memory { remembered, mark }) => {
                process.blocks = Some(mark);
                let memory = self.memory_of_earlier(&metadata, remembered);
                if memory == TokenMemory::InRows {
                    let was_forgotten = remembered.map(|is_sure| !is_sure);
                    let quiet = Quiet { until_ms: self.clock.now_ms() + QUIET_MS, was_forgotten };
                    let work = Work::Quiet { partition, epoch, position, metadata, quiet };
                    // For rejects alone it is waited later.
                    let waits =
                        was_forgotten[Target::Rows.place()] && !self.setting.has(Mistake::LooksAtOnce);
                    return self.begin_later(who, work, if waits { QUIET_MS } else { 0 });
                }
                let known = (memory, None);
                self.recovered(who, partition, epoch, position, Recorded::Ours(metadata), known);
            }
            (work, reply) => self.oracle.violated(format!("the simulator hears {reply:?} for {work:?}")),
        }
    }

    /// The server has told its clock. An answer that was long on its way tells a former time: whoever was frozen meanwhile
    /// would not see how late it is.
    pub(crate) fn know_server_clock(
        &mut self,
        who: usize,
        asked_ms: u64,
        now_unix_s: u64,
        started_unix_s: u64,
    ) {
        let now_ms = self.clock.now_ms();
        let told = match self.setting.has(Mistake::InsertsLate) {
            true => now_ms,
            false => asked_ms,
        };
        match self.processes[who].server.as_mut().filter(|_| now_ms - told > CLOCK_ANSWER_MS_MAX) {
            Some((.., known, _)) => *known = started_unix_s,
            None => self.processes[who].server = Some((now_unix_s, started_unix_s, told)),
        }
    }

    /// A task waits.
    pub(crate) fn pause(&mut self, who: usize, task: u64, delay_ms: u64) {
        let serial = self.next_serial();
        if let Some(waiting) = self.processes[who].tasks.get_mut(&task) {
            waiting.serial = serial;
            self.tell_after(who, delay_ms, News::Resume { task, serial });
        }
    }

    /// A pause is over.
    pub(crate) fn resumed(&mut self, who: usize, task: u64, serial: u64) {
        let waiting = self.processes[who].tasks.get(&task).filter(|task| task.serial == serial);
        let Some(waiting) = waiting else { return };
        match &waiting.work {
            Work::Deliver(_) => self.delivery_resumes(who, task),
            // Nobody waits for it any more.
            Work::Recover { partition, epoch, .. } | Work::Quiet { partition, epoch, .. }
                if !self.processes[who].owns(*partition, *epoch) =>
            {
                self.processes[who].tasks.remove(&task);
            }
            Work::Quiet { partition, epoch, position, metadata, quiet } => {
                let (partition, epoch, position) = (*partition, *epoch, *position);
                let (recorded, known) = (Recorded::Ours(*metadata), (TokenMemory::InRows, Some(*quiet)));
                self.processes[who].tasks.remove(&task);
                self.recovered(who, partition, epoch, position, recorded, known);
            }
            work => {
                if let Some(ask) = self.question_of(work) {
                    self.ask(who, task, ask);
                }
            }
        }
    }

    /// Begins a task with a wait.
    fn begin_later(&mut self, who: usize, work: Work, delay_ms: u64) {
        let task = self.next_serial();
        let waiting = Task { serial: 0, asked_ms: 0, backoff: Backoff::default(), work };
        self.processes[who].tasks.insert(task, waiting);
        self.pause(who, task, delay_ms);
    }

    /// A process looks how many blocks the tables have given out, as long as it inserts.
    pub(crate) fn watch(&mut self, who: usize) {
        let process = &mut self.processes[who];
        let (inserts, looks) = (process.inserts, process.looks.1);
        let idle = if process.looks.0 == inserts { looks + 1 } else { 0 };
        process.looks = (inserts, idle);
        if idle.is_multiple_of(IDLE_LOOKS) {
            self.begin(who, Work::Watch);
        }
        self.tell_after(who, WATCH_MS, News::Watch);
    }
}
