//! What a run found, as a line of JSON that outlives this process.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Mutex;

use housepipe_tests::Verdict;
use housepipe_tests::faults::{Found, Mode, Row};
use serde::{Deserialize, Serialize};

use crate::{Task, lock};

/// What one run of a row found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) row: String,
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    /// Records written.
    pub(crate) produced: u64,
    /// The tables at the end; none where they did not come to rest.
    pub(crate) verdict: Option<Verdict>,
    /// From the last fault until every record was in its place, in seconds.
    pub(crate) calm_s: f64,
    /// What went wrong besides the tables.
    pub(crate) trouble: Option<String>,
}

impl Record {
    pub(crate) fn new(row: &Row, mode: Mode, seed: u64, found: Found) -> Record {
        let Found { verdict, produced, calm, trouble, note: _ } = found;
        Record {
            row: row.name.to_owned(),
            mode,
            seed,
            produced,
            verdict,
            calm_s: calm.as_secs_f64(),
            trouble,
        }
    }

    /// Whether what the mode promises was found.
    pub(crate) fn is_right(&self) -> bool {
        self.trouble.is_none() && self.verdict.is_some_and(|verdict| self.mode.allows(verdict))
    }

    /// What is wrong, and how to see it again.
    pub(crate) fn complaint(&self) -> Option<String> {
        let Record { row, mode, seed, verdict, trouble, .. } = self;
        let (mode, trouble) = (mode.name(), trouble.as_deref().unwrap_or_default());
        (!self.is_right()).then(|| {
            format!(
                "WRONG: {row} {mode} seed {seed}: {verdict:?} {trouble}\n  \
                 again: cargo xtask faults --row {row} --mode {mode} --seed {seed}"
            )
        })
    }

    fn is_of(&self, task: &Task) -> bool {
        self.row == task.row.name && self.mode == task.mode && self.seed == task.seed
    }
}

/// The results of earlier runs, and the place for further ones.
pub(crate) struct Records {
    known: Vec<Record>,
    file: Option<Mutex<File>>,
}

impl Records {
    /// Those of the file, which is made where there is none.
    pub(crate) fn open(path: Option<&Path>) -> Result<Records, String> {
        let Some(path) = path else { return Ok(Records { known: Vec::new(), file: None }) };
        let told = |error: io::Error| format!("{}: {error}", path.display());
        let file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(told)?;
        let mut known = Vec::new();
        for (number, line) in (1..).zip(BufReader::new(&file).lines()) {
            let record = serde_json::from_str(&line.map_err(told)?);
            known.push(record.map_err(|error| {
                format!("{}: line {number} is no result: {error}; remove it", path.display())
            })?);
        }
        Ok(Records { known, file: Some(Mutex::new(file)) })
    }

    /// The results of those runs that need not be made.
    pub(crate) fn take_known(&self, tasks: &mut VecDeque<Task>) -> Vec<Record> {
        let mut taken = Vec::new();
        tasks.retain(|task| {
            let known = self.known.iter().find(|record| record.is_of(task));
            taken.extend(known.cloned());
            known.is_none()
        });
        taken
    }

    /// Writes one down.
    pub(crate) fn keep(&self, record: &Record) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let line = serde_json::to_string(record)? + "\n";
        lock(file).write_all(line.as_bytes())
    }
}
