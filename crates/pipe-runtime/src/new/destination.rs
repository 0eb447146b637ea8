//! The questions about ClickHouse.

use super::ask::{self, REASON_WIDTH};
use super::interview::NoAnswer;
use super::session::Session;
use super::source::writable;
use crate::shown::shown;

impl Session<'_> {
    /// Everything up to a table that exists, or may be created. True where it exists.
    pub(super) fn destination(&mut self) -> Result<bool, NoAnswer> {
        self.answers.managed = None;
        self.answers.columns.clear();
        loop {
            self.server()?;
            self.table()?;
            self.talk.say("\nAsking ClickHouse …")?;
            let file = self.answers.file().map_err(|error| error.to_string());
            let server = match file.and_then(|file| self.world.server(&file)) {
                Ok(server) => server,
                Err(reason) => {
                    self.talk.say(&format!(
                        "  {}\nSo the questions about ClickHouse once more; an empty answer keeps what you gave.",
                        shown(&reason, REASON_WIDTH)
                    ))?;
                    continue;
                }
            };
            self.talk.say(&format!("  ClickHouse {} answers.", shown(&server.version, 40)))?;
            let Some(columns) = server.table else { return Ok(false) };
            let explanation = format!(
                "The table exists, with {columns} column(s). Yes fills it as it is; no asks for another table."
            );
            if ask::yes(self.talk, "Fill it", &explanation, true)? {
                return Ok(true);
            }
        }
    }

    fn server(&mut self) -> Result<(), NoAnswer> {
        let Session { talk, answers, .. } = self;
        let default = answers.url.clone();
        let explanation = "ClickHouse's HTTP interface, such as http://localhost:8123 or https://host:8443.";
        ask::value(*talk, "ClickHouse URL", explanation, &default, |text| {
            writable(text)?;
            answers.url = text.to_owned();
            answers.check("destination.url")
        })?;
        let default = answers.username.clone();
        ask::value(
            *talk,
            "ClickHouse user",
            "The user that creates the table and inserts.",
            &default,
            |text| {
                writable(text)?;
                answers.username = text.to_owned();
                Ok(())
            },
        )?;
        let before = answers.password.take();
        let default = before.is_some() || answers.username != "default";
        if ask::yes(*talk, "Has a password", "Whether this user has a password.", default)? {
            self.answers.password = Some(self.secret("password", "CLICKHOUSE_PASSWORD", before.as_ref())?);
        }
        Ok(())
    }

    fn table(&mut self) -> Result<(), NoAnswer> {
        let Session { talk, answers, .. } = self;
        let default = answers.database.clone();
        ask::value(*talk, "Database", "The database of the table; it has to exist.", &default, |text| {
            writable(text)?;
            answers.database = text.to_owned();
            Ok(())
        })?;
        let default = answers.table.clone();
        let explanation =
            "The table: one that exists is filled as it is, another one is created when the pipe runs.";
        ask::value(*talk, "Table", explanation, &default, |text| {
            writable(text)?;
            answers.table = text.to_owned();
            Ok(())
        })
    }
}
