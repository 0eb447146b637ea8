//! What is noted of a batch when it is begun, and whether it may be finished later.

use std::collections::BTreeMap;

use bytes::Bytes;
use housepipe_ch_sink::{DeduplicationFacts, EngineKind, ServerClock, TableFacts, judge};
use serde::{Deserialize, Serialize};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 2;

/// Inserts a second that are assumed of everybody else, where this user may not see how many there were.
const INSERTS_PER_SECOND_ASSUMED: f64 = 10.0;

/// What whoever finishes a batch has to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    version: u32,
    /// A hash of the columns.
    pub(super) plan: u32,
    /// CRC-32 and length of the rows.
    pub(super) rows_crc: u32,
    pub(super) rows_bytes: u64,
    /// The server's clock, and when it was started, both in seconds since 1970.
    noted_unix_s: u64,
    started_unix_s: u64,
    /// How far each table's count of blocks was; those that could not be seen are missing.
    blocks: BTreeMap<String, i64>,
}

impl Note {
    pub(super) fn new(plan: u32, rows: &Bytes, server: ServerClock, facts: &DeduplicationFacts) -> Note {
        let blocks =
            facts.tables().filter_map(|(table, _)| Some((table.name.to_string(), table.blocks_written?)));
        let blocks = blocks.collect();
        Note {
            version: VERSION,
            plan,
            rows_crc: crc32fast::hash(rows),
            rows_bytes: rows.len() as u64,
            noted_unix_s: server.now_unix_s,
            started_unix_s: server.started_unix_s,
            blocks,
        }
    }

    /// As it stands in the error table.
    pub(super) fn text(&self) -> String {
        // Numbers and texts only: there is nothing that cannot be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn parse(text: &str) -> Option<Note> {
        serde_json::from_str(text).ok().filter(|note: &Note| note.version == VERSION)
    }

    /// The server's clock when the batch was begun.
    pub(super) fn server(&self) -> ServerClock {
        ServerClock::noted(self.noted_unix_s, self.started_unix_s)
    }

    /// Whether these are the rows that were to be inserted: the same bytes, for the same columns.
    pub(super) fn is_of(&self, plan: u32, rows: &Bytes) -> bool {
        (self.plan, self.rows_crc, self.rows_bytes) == (plan, crc32fast::hash(rows), rows.len() as u64)
    }

    /// Whether every table is sure to remember a token of that time still, `age_s` seconds later.
    ///
    /// No more than half of a window may be used up: the rest is for what happens until the insert arrives.
    ///
    /// # Errors
    /// Which table does not, and why.
    pub(super) fn remembered(&self, age_s: u64, facts: &DeduplicationFacts) -> Result<(), String> {
        for (table, _) in facts.tables() {
            if !matches!(table.kind, EngineKind::Plain | EngineKind::Replicated) {
                continue;
            }
            if let Some(window_s) = table.window_seconds
                && age_s > window_s / 2
            {
                return Err(format!(
                    "it was begun {age_s} s ago, and {} is sure to remember it for {} s",
                    table.name,
                    window_s / 2
                ));
            }
            self.blocks_left(age_s, table, facts)?;
        }
        Ok(())
    }

    fn blocks_left(&self, age_s: u64, table: &TableFacts, facts: &DeduplicationFacts) -> Result<(), String> {
        let (then, now) = (self.blocks.get(&table.name.to_string()), table.blocks_written);
        let (Some(then), Some(now)) = (then, now) else {
            let horizon_s =
                judge(facts, INSERTS_PER_SECOND_ASSUMED).horizon.map_or(0, |horizon| horizon.seconds);
            return if age_s <= horizon_s / 2 {
                Ok(())
            } else {
                Err(format!(
                    "it was begun {age_s} s ago, and how much was inserted into {} since cannot be seen; GRANT SELECT ON \
                     system.parts to this user",
                    table.name
                ))
            };
        };
        match u64::try_from(now - then) {
            Ok(since) if since <= table.window_blocks / 2 => Ok(()),
            Ok(since) => Err(format!(
                "{} blocks were written to {} since it was begun, and the table is sure to remember {} of the last {}",
                since,
                table.name,
                table.window_blocks / 2,
                table.window_blocks
            )),
            // Dropped partitions take their tokens with them, and so does a table that was made anew.
            Err(_) => Err(format!("parts of {} were dropped since it was begun", table.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use housepipe_ch_sink::{TableName, ViewFacts};

    use super::*;

    fn table(name: &str, kind: EngineKind, blocks_written: Option<i64>) -> TableFacts {
        TableFacts {
            name: TableName { database: "d".to_owned(), table: name.to_owned() },
            engine: "Engine".to_owned(),
            window_seconds: (kind == EngineKind::Replicated).then_some(3_600),
            kind,
            window_blocks: 100,
            partition_key: String::new(),
            volatile_columns: Vec::new(),
            partitions_per_insert: 1,
            fsync_after_insert: false,
            is_assumed: false,
            blocks_written,
        }
    }

    fn facts(destination: TableFacts) -> DeduplicationFacts {
        DeduplicationFacts {
            destination,
            views: Vec::new(),
            has_deduplicate_insert: true,
            user: "u".to_owned(),
        }
    }

    fn plain(blocks_written: Option<i64>) -> DeduplicationFacts {
        facts(table("t", EngineKind::Plain, blocks_written))
    }

    fn noted(facts: &DeduplicationFacts) -> Note {
        let server = ServerClock::noted(1_764_000_000, 1_763_000_000);
        Note::new(7, &Bytes::from_static(b"rows"), server, facts)
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let note = noted(&plain(Some(5)));
        assert_eq!(
            note.text(),
            r#"{"version":2,"plan":7,"rows_crc":176944289,"rows_bytes":4,"noted_unix_s":1764000000,"started_unix_s":1763000000,"blocks":{"`d`.`t`":5}}"#
        );
        assert_eq!(Note::parse(&note.text()), Some(note.clone()));
        assert!(note.is_of(7, &Bytes::from_static(b"rows")));
        assert!(!note.is_of(7, &Bytes::from_static(b"rowz")) && !note.is_of(8, &Bytes::from_static(b"rows")));
        for text in ["", "{}", "null", &note.text().replace(":2,", ":3,"), &note.text()[1..]] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }

    #[test]
    fn half_a_window_of_blocks_is_remembered_however_long_ago() {
        let note = noted(&plain(Some(1_000)));
        assert_eq!(note.remembered(u64::MAX, &plain(Some(1_050))), Ok(()));
        assert!(note.remembered(0, &plain(Some(1_051))).unwrap_err().contains("51 blocks"));
        assert!(note.remembered(0, &plain(Some(999))).unwrap_err().contains("dropped"));
        // A view that came later was not noted.
        let mut more = plain(Some(1_000));
        more.views.push(ViewFacts {
            view: TableName { database: "d".to_owned(), table: "v".to_owned() },
            target_name: None,
            target: Some(table("target", EngineKind::Plain, Some(0))),
        });
        assert!(note.remembered(9, &more).is_err());
    }

    #[test]
    fn where_blocks_cannot_be_seen_time_counts() {
        // 100 blocks at 10 a second are 10 s, and half of it is sure.
        let note = noted(&plain(None));
        assert_eq!(note.remembered(5, &plain(None)), Ok(()));
        assert!(note.remembered(6, &plain(None)).unwrap_err().contains("system.parts"));
    }

    #[test]
    fn replicated_tables_have_a_limit_of_time_as_well() {
        let replicated = facts(table("t", EngineKind::Replicated, Some(1)));
        let note = noted(&replicated);
        assert_eq!(note.remembered(1_800, &replicated), Ok(()));
        assert!(note.remembered(1_801, &replicated).unwrap_err().contains("1801 s ago"));
    }
}
