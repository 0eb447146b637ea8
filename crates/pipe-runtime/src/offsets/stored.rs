//! What stands with a committed offset, in words.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use housepipe_kafka_source::{GroupPosition, Offset};
use serde::Serialize;

use crate::delivery::{Metadata, Pending, Recorded};

/// What stands with a committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stored {
    /// Nothing but the offset, as at-least-once delivery commits it, and as tools set it. Exactly-once delivery begins a new
    /// lineage there.
    Nothing,
    /// The offset was committed for a former topic of the same name.
    FormerTopic,
    /// Exactly-once delivery, and everything below the offset is stored.
    Clean {
        /// Version of the text.
        format: u32,
        /// The life that the offset belongs to; part of every insert's token.
        lineage: String,
    },
    /// Exactly-once delivery, and a range behind the offset may be stored or not.
    Pending {
        /// Version of the text.
        format: u32,
        /// The life that the offset belongs to; part of every insert's token.
        lineage: String,
        /// The range.
        #[serde(flatten)]
        range: PendingRange,
    },
    /// Of exactly-once delivery for another offset: a tool has moved the offset and kept the text.
    Moved {
        /// The offset that it was written for.
        from: i64,
    },
    /// The text of another program.
    Foreign,
    /// Of a newer version of Housepipe.
    Newer {
        /// The version of its text.
        format: u32,
    },
    /// Of exactly-once delivery, and not as it was written.
    Damaged,
}

/// A range whose insert was prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingRange {
    /// Its first offset: the committed one.
    pub start: i64,
    /// The offset behind it.
    pub end: i64,
    /// Rows of its insert.
    pub rows: u32,
    /// Its records that go to the error table.
    pub rejects: u32,
    /// When its insert was prepared, in seconds since 1970.
    pub prepared_unix_s: u64,
}

impl Stored {
    /// What stands with the position; none where the group has no offset.
    pub(super) fn of(position: &GroupPosition) -> Option<Stored> {
        let committed = position.committed.as_ref()?;
        if position.is_of_former_topic {
            return Some(Stored::FormerTopic);
        }
        let recorded = std::str::from_utf8(&committed.metadata)
            .map_or(Recorded::Foreign, |text| Recorded::read(text, committed.offset));
        Some(Stored::recorded(recorded, committed.offset))
    }

    fn recorded(recorded: Recorded, offset: Offset) -> Stored {
        match recorded {
            Recorded::Nothing => Stored::Nothing,
            Recorded::Ours(metadata) => Stored::ours(metadata, offset),
            Recorded::Moved { from } => Stored::Moved { from: from.0 },
            Recorded::Foreign => Stored::Foreign,
            Recorded::Newer { version } => Stored::Newer { format: version },
            Recorded::Damaged => Stored::Damaged,
        }
    }

    fn ours(metadata: Metadata, offset: Offset) -> Stored {
        let (format, lineage) = (metadata.version(), metadata.lineage.to_string());
        match metadata.pending {
            None => Stored::Clean { format, lineage },
            Some(Pending { end, rows, rejects, prepared, .. }) => Stored::Pending {
                format,
                lineage,
                range: PendingRange {
                    start: offset.0,
                    end: end.0,
                    rows,
                    rejects,
                    prepared_unix_s: prepared.unix_s,
                },
            },
        }
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stored::Nothing => f.write_str("nothing else"),
            Stored::FormerTopic => f.write_str("of a former topic of this name"),
            Stored::Clean { format, lineage } => {
                write!(f, "exactly once, nothing pending (lineage {lineage}, format {format})")
            }
            Stored::Pending { format, lineage, range } => {
                write!(f, "exactly once, {range} (lineage {lineage}, format {format})")
            }
            Stored::Moved { from } => {
                write!(f, "a text of exactly-once delivery for offset {from}, from where a tool has moved it")
            }
            Stored::Foreign => f.write_str("a text of another program"),
            Stored::Newer { format } => {
                write!(f, "a text of a newer version of housepipe (format {format}); run that version")
            }
            Stored::Damaged => f.write_str("a text of exactly-once delivery that is damaged"),
        }
    }
}

impl fmt::Display for PendingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prepared = i64::try_from(self.prepared_unix_s).ok().and_then(|s| DateTime::from_timestamp(s, 0));
        let prepared = prepared.map_or_else(
            || format!("{} s after 1970", self.prepared_unix_s),
            |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
        );
        write!(
            f,
            "offsets {} up to, and without, {} pending: {} row(s) and {} reject(s) that may be stored, prepared at {prepared}",
            self.start, self.end, self.rows, self.rejects
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_its_words() {
        let of = |text: &str, offset: i64| {
            Stored::recorded(Recorded::read(text, Offset(offset)), Offset(offset)).to_string()
        };
        let clean = "1;L=9f3a5c01d27e;s=1000;h=09dcfa56";
        for (text, offset, words) in [
            ("", 1_000, "nothing else"),
            (clean, 1_000, "exactly once, nothing pending (lineage 9f3a5c01d27e, format 1)"),
            (clean, 999, "a text of exactly-once delivery for offset 1000, from where a tool has moved it"),
            (
                "2;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;b=5eed1234:4711;h=466a9ec1",
                1_000,
                "exactly once, offsets 1000 up to, and without, 1900 pending: 899 row(s) and 1 reject(s) that may be \
                 stored, prepared at 2025-11-24T16:00:00Z (lineage 9f3a5c01d27e, format 2)",
            ),
            ("consumer-1", 5, "a text of another program"),
            ("99;L=1", 5, "a text of a newer version of housepipe (format 99); run that version"),
            ("1;L=1", 5, "a text of exactly-once delivery that is damaged"),
        ] {
            assert_eq!(of(text, offset), words);
        }
    }

    #[test]
    fn documents_name_the_kind() {
        let pending = Stored::recorded(
            Recorded::read(
                "1;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;t=1764000000;h=544d80ca",
                Offset(1_000),
            ),
            Offset(1_000),
        );
        let expected = r#"{"kind":"pending","format":1,"lineage":"9f3a5c01d27e","start":1000,"end":1900,"rows":899,"rejects":1,"prepared_unix_s":1764000000}"#;
        assert_eq!(serde_json::to_string(&pending).unwrap(), expected);
        assert_eq!(
            serde_json::to_string(&Stored::Moved { from: 7 }).unwrap(),
            r#"{"kind":"moved","from":7}"#
        );
        assert_eq!(serde_json::to_string(&Stored::FormerTopic).unwrap(), r#"{"kind":"former_topic"}"#);
    }
}
