//! The order of the questions, from the greeting to the file.

use std::path::{Path, PathBuf};

use housepipe_kafka_source::OwnedRecord;

use super::NewPipe;
use super::answers::Answers;
use super::ask::{self, REASON_WIDTH};
use super::interview::{Interview, NoAnswer};
use super::world::World;
use crate::infer::Declared;
use crate::shown::shown;

/// Records of a preview.
const PREVIEW_RECORDS: usize = 100;

/// One conversation.
pub(super) struct Session<'s> {
    pub(super) talk: &'s mut dyn Interview,
    pub(super) world: &'s dyn World,
    pub(super) answers: Answers,
    /// Records of the topic.
    pub(super) samples: Vec<OwnedRecord>,
    /// The columns that their schema says.
    pub(super) declared: Option<Declared>,
    /// What was pasted in their place.
    pub(super) documents: Vec<Vec<u8>>,
}

impl<'s> Session<'s> {
    pub(super) fn new(talk: &'s mut dyn Interview, world: &'s dyn World) -> Session<'s> {
        let (samples, documents) = (Vec::new(), Vec::new());
        Session { talk, world, answers: Answers::default(), samples, declared: None, documents }
    }

    /// Asks everything. `path` is where the file is wanted.
    pub(super) fn run(mut self, path: Option<&Path>) -> Result<NewPipe, NoAnswer> {
        self.talk.say(
            "A pipe loads a Kafka topic into a ClickHouse table. This asks what its file has to say.\n\
             An empty answer takes what stands in brackets; Ctrl-C ends, and leaves nothing behind.",
        )?;
        self.source()?;
        self.destination_and_columns()?;
        self.rules()?;
        while !self.is_content()? {}
        self.file(path)
    }

    /// The destination, and the columns of a table that is missing.
    fn destination_and_columns(&mut self) -> Result<(), NoAnswer> {
        if !self.destination()? {
            self.columns()?;
            self.columns_and_keys()?;
        }
        Ok(())
    }

    /// Lets columns and keys be changed until ClickHouse takes a table of them, or until nothing is changed any more.
    fn columns_and_keys(&mut self) -> Result<(), NoAnswer> {
        let mut refused = None;
        loop {
            self.edit_columns()?;
            self.keys()?;
            let text = self.answers.text();
            if refused.as_ref() == Some(&text) || self.is_taken()? {
                return Ok(());
            }
            refused = Some(text);
        }
    }

    /// Whether ClickHouse would create the table, as far as it tells.
    fn is_taken(&mut self) -> Result<bool, NoAnswer> {
        let file = self.answers.file().map_err(|error| error.to_string());
        match file.and_then(|file| self.world.refusal(&file)) {
            Ok(None) => Ok(true),
            Ok(Some(reason)) => {
                self.talk.say(&format!(
                    "\n  {}\nSo the columns and the keys once more; an empty answer keeps what you gave.",
                    shown(&reason, REASON_WIDTH)
                ))?;
                Ok(false)
            }
            // Nobody can mend that by other columns.
            Err(reason) => {
                let reason = shown(&reason, REASON_WIDTH);
                self.talk.say(&format!("\n  Whether ClickHouse takes it is not known: {reason}"))?;
                Ok(true)
            }
        }
    }

    /// Delivery, start and what happens to errors.
    fn rules(&mut self) -> Result<(), NoAnswer> {
        let Session { talk, answers, .. } = self;
        let options = [
            ("at_least_once", "nothing is lost; a crash may load a batch twice".to_owned()),
            ("exactly_once", "each record once, while the table remembers the tokens of inserts".to_owned()),
        ];
        let at =
            ask::choice(*talk, "Delivery", "What holds where something fails.", &options, &answers.delivery)?;
        answers.delivery = options.get(at).map_or(&options[0].0, |(word, _)| word).to_string();
        let default = answers.offset.clone();
        let explanation =
            "Where the pipe starts in the topic: earliest, latest, or a time such as 2026-01-01T00:00:00Z.";
        ask::value(*talk, "Start", explanation, &default, |text| {
            answers.offset = text.to_owned();
            answers.check("source.offset")
        })?;
        let default = answers.stop_ratio.clone();
        let explanation = "Records that cannot be loaded go to an error table. The share of the last 1,000 or more that stops the pipe, or off.";
        ask::value(*talk, "Stop at", explanation, &default, |text| {
            answers.stop_ratio = text.to_owned();
            answers.check("error_table.stop_ratio")
        })?;
        let default = answers.ttl_days.clone();
        ask::value(
            *talk,
            "Keep errors",
            "Days after which ClickHouse deletes a row of the error table.",
            &default,
            |text| {
                answers.ttl_days = text.to_owned();
                answers.check("error_table.ttl_days")
            },
        )
    }

    /// Shows rows and rejects, and asks what is to be changed; true once nothing is.
    fn is_content(&mut self) -> Result<bool, NoAnswer> {
        self.talk.say("\nA preview of real records; nothing is written.")?;
        let file = self.answers.file().map_err(|error| error.to_string());
        let report = file.and_then(|file| self.world.preview(&file, PREVIEW_RECORDS, &self.documents));
        let mut default = "write";
        match report {
            Ok(report) => {
                self.talk.show_preview(&report)?;
                if report.accepted == 0 && report.read > 0 {
                    default = "columns";
                }
            }
            Err(reason) => {
                self.talk.say(&format!("  {}", shown(&reason, REASON_WIDTH)))?;
                default = "columns";
            }
        }
        let mut options = vec![("write", "write the pipe file".to_owned())];
        if self.answers.managed.is_some() {
            options.push(("columns", "change columns and keys".to_owned()));
        }
        options.push(("table", "another table, or another ClickHouse".to_owned()));
        options.push(("rules", "delivery, start and errors once more".to_owned()));
        if default == "columns" && self.answers.managed.is_none() {
            default = "table";
        }
        let at = ask::choice(self.talk, "Next", "What to do now.", &options, default)?;
        match options.get(at).map(|(word, _)| *word) {
            Some("columns") => self.columns_and_keys()?,
            Some("table") => self.destination_and_columns()?,
            Some("rules") => self.rules()?,
            _ => return Ok(true),
        }
        Ok(false)
    }

    /// Where the file goes.
    fn file(self, wanted: Option<&Path>) -> Result<NewPipe, NoAnswer> {
        let default = wanted.map_or("pipe.yaml".to_owned(), |path| path.display().to_string());
        let (path, may_replace) = loop {
            let path = ask::value(self.talk, "File", "Where the pipe file is written.", &default, |text| {
                let path = PathBuf::from(text);
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !self.world.is_folder(folder)) {
                    return Err(format!("there is no folder `{}`", folder.display()));
                }
                if self.world.is_folder(&path) {
                    return Err(format!("`{}` is a folder; name a file in it", path.display()));
                }
                Ok(path)
            })?;
            if !self.world.has_file(&path) {
                break (path, false);
            }
            let text = format!("Replace {}", shown(&path.display().to_string(), 200));
            if ask::yes(self.talk, &text, "There is such a file already. No asks for another name.", false)? {
                break (path, true);
            }
        };
        let is_unset = |variable: &String| self.world.variable(variable).is_none_or(|value| value.is_empty());
        let mut variables: Vec<String> =
            self.answers.secrets().map(|secret| secret.variable.clone()).filter(is_unset).collect();
        variables.dedup();
        Ok(NewPipe {
            name: self.answers.name.clone(),
            path,
            may_replace,
            text: self.answers.text(),
            variables,
        })
    }
}
