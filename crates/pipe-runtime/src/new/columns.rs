//! The questions about the columns of a new table.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use housepipe_schema_registry::parse_framing;
use housepipe_transform::{Column, Columns, DataType, Encoder, Plan, PlanOptions, Source};

use super::ask::{self, NONE, REASON_WIDTH};
use super::interview::{NoAnswer, Question};
use super::rekey::rekey;
use super::session::Session;
use crate::error::explain;
use crate::infer::{ColumnReport, InferReport, infer_lines, infer_records};
use crate::pipe_file::{ColumnLines, PipeDraft, TableLines};
use crate::shown::shown;

/// Documents that are pasted, at most.
const DOCUMENTS_MAX: usize = 1_000;

/// Columns where there is nothing to infer them from.
const COLUMNS_DEFAULT: &str = "message String";

impl Session<'_> {
    /// Proposes columns and keys.
    pub(super) fn columns(&mut self) -> Result<(), NoAnswer> {
        match self.inferred()? {
            Some(report) => {
                self.answers.managed = Some(TableLines {
                    engine: report.engine.clone(),
                    order_by: report.order_by.clone(),
                    order_by_comment: report.order_by_reason.clone(),
                    partition_by: report.partition_by.clone(),
                    partition_by_comment: report.partition_by_reason.clone(),
                    ttl: None,
                    settings: Vec::new(),
                });
                self.answers.columns = report.columns.iter().map(ColumnReport::lines).collect();
                for left in &report.left_out {
                    let key = shown(&left.key, 100);
                    self.talk.say(&format!("  left out, the key `{key}`: {}", shown(&left.reason, 400)))?;
                }
            }
            None => self.columns_by_hand()?,
        }
        Ok(())
    }

    /// Columns of the samples, or of documents that are pasted.
    fn inferred(&mut self) -> Result<Option<InferReport>, NoAnswer> {
        if !self.samples.is_empty() {
            let draft = self.answers.file().map(PipeDraft::from);
            let report = draft.map_err(|error| error.to_string()).and_then(|draft| {
                infer_records(&draft, &self.samples, self.declared.clone()).map_err(|error| explain(&error))
            });
            match report {
                Ok(report) => {
                    self.talk.say(&format!("\nColumns of {} sample(s):", report.samples))?;
                    return Ok(Some(report));
                }
                Err(reason) => self.talk.say(&format!("\n  {}", shown(&reason, REASON_WIDTH)))?,
            }
        }
        loop {
            // Another table has the same records.
            let documents =
                if self.documents.is_empty() { self.pasted()? } else { std::mem::take(&mut self.documents) };
            if documents.is_empty() {
                return Ok(None);
            }
            let text = documents.join(&b'\n');
            match infer_lines(&text[..], "what was pasted", None, &self.answers.table, DOCUMENTS_MAX) {
                Ok(report) => {
                    self.documents = documents;
                    self.talk.say(&format!("\nColumns of {} document(s):", report.samples))?;
                    return Ok(Some(report));
                }
                Err(error) => self.talk.say(&format!("  {}", shown(&explain(&error), REASON_WIDTH)))?,
            }
        }
    }

    fn pasted(&mut self) -> Result<Vec<Vec<u8>>, NoAnswer> {
        self.talk.say(
            "\nPaste documents like those that will come, one JSON object a line, and end with an empty line; or give a file \
             of them as @FILE, which takes long ones as well. An empty line at once leaves the columns to you.",
        )?;
        let (mut documents, mut beyond) = (Vec::new(), 0_usize);
        // Beyond the most that is taken lines are read on: the rest of a paste is no answer to the next questions.
        loop {
            let line = self.talk.ask(Question { text: "Document", default: "" })?;
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if documents.len() == DOCUMENTS_MAX {
                beyond += 1;
                continue;
            }
            let Some(path) = line.strip_prefix('@') else {
                documents.push(line.as_bytes().to_vec());
                continue;
            };
            match self.world.read_file(Path::new(path)) {
                Err(reason) => self.talk.say(&format!("  {}", shown(&reason, 400)))?,
                Ok(text) => {
                    let mut lines = crate::infer::lines::Lines::new(BufReader::new(&text[..]));
                    // A slice is read without errors.
                    while let Ok(Some((_, line))) = lines.next() {
                        if documents.len() == DOCUMENTS_MAX {
                            break;
                        }
                        documents.push(line.to_vec());
                    }
                    break;
                }
            }
        }
        if beyond > 0 {
            self.talk.say(&format!("  {DOCUMENTS_MAX} of them are taken, and {beyond} left out."))?;
        }
        Ok(documents)
    }

    fn columns_by_hand(&mut self) -> Result<(), NoAnswer> {
        let explanation = "The columns as ClickHouse writes them: names and types, such as id UInt64, at DateTime64(3), tags Array(String). \
                           One called _offset, _timestamp, _key or as another virtual column is filled by what Kafka knows.";
        let columns = ask::value(self.talk, "Columns", explanation, COLUMNS_DEFAULT, |text| {
            let columns: Columns =
                text.parse().map_err(|error| format!("that is no list of columns: {error}"))?;
            // As a pipe file takes such a list.
            let filled = |column: &Column| column.clone().from_source(Source::of_column(&column.name));
            let columns: Vec<Column> = columns.iter().map(filled).collect();
            compile(&columns).map(|_| columns)
        })?;
        self.answers.columns = columns
            .into_iter()
            .map(|column| ColumnLines {
                name: column.name,
                type_sql: column.ty.to_string(),
                source: column.source,
                comments: Vec::new(),
            })
            .collect();
        self.answers.managed = Some(TableLines {
            engine: "MergeTree".to_owned(),
            order_by: Vec::new(),
            order_by_comment: "nothing was inferred".to_owned(),
            partition_by: None,
            partition_by_comment: "nothing was inferred".to_owned(),
            ttl: None,
            settings: Vec::new(),
        });
        Ok(())
    }

    /// Lets columns be changed one by one, until nobody wants more.
    pub(super) fn edit_columns(&mut self) -> Result<(), NoAnswer> {
        loop {
            self.list_columns()?;
            let columns = &self.answers.columns;
            let explanation =
                "A column to change or to leave out, by number or name; `-` keeps them as they are.";
            let chosen = ask::value(self.talk, "Change column", explanation, NONE, |text| {
                if text == NONE {
                    return Ok(None);
                }
                let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let by_name = columns.iter().position(|column| column.name == text);
                let at = by_name.or(number.filter(|at| *at < columns.len()));
                at.map(Some).ok_or_else(|| format!("there is no column `{}`", shown(text, 100)))
            })?;
            let Some(at) = chosen else { return Ok(()) };
            self.edit_column(at)?;
        }
    }

    fn list_columns(&mut self) -> Result<(), NoAnswer> {
        let mut lines = String::new();
        for (number, column) in (1..).zip(&self.answers.columns) {
            let (name, type_sql) = (shown(&column.name, 60), shown(&column.type_sql, 200));
            lines.push_str(&format!("\n  {number:>2}  {name}  {type_sql}"));
            for comment in &column.comments {
                lines.push_str(&format!("\n        {}", shown(comment, 300)));
            }
        }
        self.talk.say(lines.trim_start_matches('\n'))
    }

    fn edit_column(&mut self, at: usize) -> Result<(), NoAnswer> {
        let all = typed(&self.answers.columns);
        let Some(column) = self.answers.columns.get_mut(at) else { return Ok(()) };
        let text = format!("Type of {}", shown(&column.name, 60));
        let explanation =
            "Its type as ClickHouse writes it; `-` leaves the column out, and its key is skipped.";
        let chosen = ask::value(self.talk, &text, explanation, &column.type_sql, |text| {
            if text == NONE {
                return match all.len() {
                    1 => Err("a table needs a column".to_owned()),
                    _ => Ok(None),
                };
            }
            let data_type: DataType = text
                .parse()
                .map_err(|error| format!("`{}` is no ClickHouse type: {error}", shown(text, 100)))?;
            let mut columns = all.clone();
            if let Some(column) = columns.get_mut(at) {
                column.ty = data_type.clone();
            }
            compile(&columns)?;
            Ok(Some(data_type))
        })?;
        let now = chosen.as_ref();
        if now.is_some_and(|now| now.to_string() == column.type_sql) {
            return Ok(());
        }
        if let Some(managed) = &mut self.answers.managed {
            rekey(managed, &all, at, now);
        }
        match now {
            None => {
                self.answers.columns.remove(at);
                Ok(())
            }
            Some(now) => {
                column.type_sql = now.to_string();
                column.comments = vec!["chosen by hand".to_owned()];
                self.tell_what_it_rejects()
            }
        }
    }

    /// Says how many samples the columns would reject.
    fn tell_what_it_rejects(&mut self) -> Result<(), NoAnswer> {
        let Ok(plan) = compile(&typed(&self.answers.columns)) else { return Ok(()) };
        let mut encoder = Encoder::new(Arc::new(plan));
        let (mut all, mut first, mut rejected) = (0, None, BTreeMap::<&str, u64>::new());
        let records = self.samples.iter().filter_map(|record| record.payload.as_deref());
        for document in
            records.map(|value| parse_framing(value).body()).chain(self.documents.iter().map(Vec::as_slice))
        {
            all += 1;
            if let Err(reject) = encoder.encode(document, &mut Vec::new()) {
                *rejected.entry(reject.code.as_str()).or_default() += 1;
                first.get_or_insert(reject);
            }
        }
        let words = match first {
            None => format!("  All {all} samples fit."),
            Some(reject) => {
                let codes: Vec<String> =
                    rejected.iter().map(|(code, count)| format!("{count} {code}")).collect();
                let why = shown(&reject.to_string(), 300);
                format!("  Of {all} samples it would reject {}; the first: {why}", codes.join(", "))
            }
        };
        self.talk.say(&words)
    }
}

/// The columns with their types.
pub(super) fn typed(columns: &[ColumnLines]) -> Vec<Column> {
    // Types were parsed before they were written down.
    columns
        .iter()
        .filter_map(|column| {
            let filled = Column::new(column.name.clone(), column.type_sql.parse().ok()?);
            Some(filled.from_source(column.source.clone()))
        })
        .collect()
}

fn compile(columns: &[Column]) -> Result<Plan, String> {
    if columns.is_empty() {
        return Err("there is no column".to_owned());
    }
    Plan::compile(&Columns::new(columns.to_vec()), &PlanOptions::default()).map_err(|error| explain(&error))
}
