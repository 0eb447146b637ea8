//! ClickHouse as the pipe sees it: two tables that remember tokens, sessions in memory, a process that can be killed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use housepipe_ch_sink::{BlockMark, TablesMark};

use super::clock::unix_s;
use super::random::Random;

/// Seconds by which the question for what is left of an insert reaches back, as the sink's does.
const CLOCK_SKEW_S: u64 = 30;

/// Which of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Rows,
    Errors,
}

impl Target {
    pub(crate) const ALL: [Target; 2] = [Target::Rows, Target::Errors];

    /// Its place in a pair.
    pub(crate) fn place(self) -> usize {
        usize::from(self == Target::Errors)
    }

    /// The blocks of its table.
    pub(crate) fn number(self, mark: BlockMark) -> u64 {
        let rows = mark.rows.map_or(0, |rows| rows.number);
        if self == Target::Rows { rows } else { mark.all.number - rows }
    }
}

/// An insert as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) target: Target,
    pub(crate) partition: usize,
    pub(crate) offsets: Vec<i64>,
    pub(crate) token: Option<String>,
    /// The column `batch_token` of error rows.
    pub(crate) batch: String,
    pub(crate) session: Option<u64>,
    /// Blocks that the tables had given out when it was known last that they would remember its token.
    pub(crate) sure_at_blocks: u64,
}

/// What a server that is killed in the middle of an insert has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOver {
    Nothing,
    /// It writes the token first, as ClickHouse 26.9 does.
    Token,
    /// It makes the rows visible first, as later ones do, or the token was not on the disk yet.
    Rows,
    Everything,
}

/// A table of MergeTree without replication.
#[derive(Debug, Default)]
pub(crate) struct Table {
    window_blocks: usize,
    tokens: VecDeque<String>,
    known: HashSet<String>,
    /// Tokens of rows that a server which is about to die has made visible, and that are not on the disk. Until then it knows them: it
    /// looks for a token, notes it and adds the part under one lock (`MergeTreeSink`), so that of two inserts with one token that it
    /// has at the same time one is stored at most.
    in_memory: HashSet<String>,
    /// When each part came, in seconds since 1970, in the order of their numbers.
    parts: Vec<u64>,
    /// When a row of a partition and offset came last.
    rows: HashMap<(usize, i64), u64>,
    /// Error rows by their batch.
    batches: HashMap<String, usize>,
}

impl Table {
    fn knows(&self, token: Option<&String>) -> bool {
        token.is_some_and(|token| self.known.contains(token) || self.in_memory.contains(token))
    }

    fn remember(&mut self, token: Option<&String>) {
        let Some(token) = token else { return };
        if self.known.insert(token.clone()) {
            self.tokens.push_back(token.clone());
        }
        while self.tokens.len() > self.window_blocks {
            if let Some(oldest) = self.tokens.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    fn store(&mut self, insert: &Insert, now_unix_s: u64) {
        self.parts.push(now_unix_s);
        for offset in &insert.offsets {
            self.rows.insert((insert.partition, *offset), now_unix_s);
        }
        if insert.target == Target::Errors {
            *self.batches.entry(insert.batch.clone()).or_default() += insert.offsets.len();
        }
    }

    /// Blocks that came since, as a look at the parts tells it.
    fn taken_since(&self, since_unix_s: u64, merges: bool) -> u64 {
        let old = if merges { 0 } else { self.parts.partition_point(|at| *at < since_unix_s) };
        (self.parts.len() - old) as u64
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct ClickHouse {
    pub(crate) is_up: bool,
    pub(crate) started_ms: u64,
    rows: Table,
    errors: Table,
    /// Sessions, and when they end.
    sessions: BTreeMap<u64, u64>,
    /// Until when everything takes long.
    pub(crate) stalls_until_ms: u64,
    remembers: bool,
    merges: bool,
    start_jitter: bool,
}

impl ClickHouse {
    pub(crate) fn new(window_blocks: u64, remembers: bool, merges: bool, start_jitter: bool) -> ClickHouse {
        let window_blocks = usize::try_from(window_blocks).unwrap_or(usize::MAX);
        let table = || Table { window_blocks, ..Table::default() };
        ClickHouse {
            is_up: true,
            started_ms: 0,
            rows: table(),
            errors: table(),
            sessions: BTreeMap::new(),
            stalls_until_ms: 0,
            remembers,
            merges,
            start_jitter,
        }
    }

    fn table_mut(&mut self, target: Target) -> &mut Table {
        match target {
            Target::Rows => &mut self.rows,
            Target::Errors => &mut self.errors,
        }
    }

    /// The present second, and that of the start: the present less the uptime, each told in whole seconds.
    pub(crate) fn clock(&self, now_ms: u64, random: &mut Random) -> (u64, u64) {
        let now_unix_s = unix_s(now_ms);
        let uptime_s = (now_ms - self.started_ms) / 1_000;
        let late = if self.start_jitter { random.below(2) } else { 0 };
        (now_unix_s, now_unix_s - uptime_s - late)
    }

    pub(crate) fn open_session(&mut self, session: u64, until_ms: u64) {
        self.sessions.insert(session, until_ms);
    }

    /// Whether the session is known; it ends with the insert in it.
    pub(crate) fn takes_session(&mut self, session: u64, now_ms: u64) -> bool {
        self.sessions.remove(&session).is_some_and(|until_ms| now_ms <= until_ms)
    }

    /// An insert is done. Says whether its rows were stored, and not dropped as a repetition.
    pub(crate) fn apply(&mut self, insert: &Insert, now_ms: u64) -> bool {
        let remembers = self.remembers;
        let table = self.table_mut(insert.target);
        let token = insert.token.as_ref().filter(|_| remembers);
        if table.knows(token) {
            return false;
        }
        table.store(insert, unix_s(now_ms));
        table.remember(token);
        true
    }

    /// The server is killed in the middle of an insert. Says whether its rows were stored.
    pub(crate) fn leave_over(&mut self, insert: &Insert, left: LeftOver, now_ms: u64) -> bool {
        let remembers = self.remembers;
        let table = self.table_mut(insert.target);
        let token = insert.token.as_ref().filter(|_| remembers);
        match left {
            LeftOver::Everything => self.apply(insert, now_ms),
            LeftOver::Rows if !table.knows(token) => {
                table.store(insert, unix_s(now_ms));
                table.in_memory.extend(token.cloned());
                true
            }
            LeftOver::Token => {
                table.remember(token);
                false
            }
            LeftOver::Rows | LeftOver::Nothing => false,
        }
    }

    pub(crate) fn kill(&mut self) {
        self.is_up = false;
        self.sessions.clear();
        self.rows.in_memory.clear();
        self.errors.in_memory.clear();
    }

    pub(crate) fn start(&mut self, now_ms: u64) {
        self.is_up = true;
        self.started_ms = now_ms;
    }

    /// The blocks that both tables have given out together, and that for rows alone.
    pub(crate) fn mark(&self) -> BlockMark {
        let mark = |tables, number: usize| TablesMark { tables, number: number as u64 };
        let (rows, errors) = (self.rows.parts.len(), self.errors.parts.len());
        BlockMark::new(mark(1, rows + errors), Some(mark(2, rows)))
    }

    /// Blocks that a table has taken since, as a look at the parts tells it.
    pub(crate) fn taken_since(&self, target: Target, since_unix_s: u64) -> u64 {
        let since = since_unix_s.saturating_sub(CLOCK_SKEW_S);
        let table = if target == Target::Rows { &self.rows } else { &self.errors };
        table.taken_since(since, self.merges)
    }

    /// How many of these rows are there, in parts that were written since or may have been.
    pub(crate) fn rows_left(&self, partition: usize, offsets: &[i64], since_unix_s: u64) -> usize {
        let since = since_unix_s.saturating_sub(CLOCK_SKEW_S);
        let is_new = |at: &u64| self.merges || *at >= since;
        offsets.iter().filter(|offset| self.rows.rows.get(&(partition, **offset)).is_some_and(is_new)).count()
    }

    /// Error rows of a batch.
    pub(crate) fn errors_left(&self, batch: &str) -> usize {
        self.errors.batches.get(batch).copied().unwrap_or(0)
    }
}
