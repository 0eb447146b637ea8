//! What a commit carries in its metadata, so that the next owner of a partition can finish what the last one began.
//!
//! Kafka keeps up to 4,096 bytes of text with a committed offset. Here it is one line of ASCII, at most
//! [`BYTES_MAX`] for offsets below 10^15:
//!
//! ```text
//! 1;L=9f3a5c01d27e;s=1000;h=09dcfa56
//! 1;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;t=1764000000;h=544d80ca
//! 2;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;b=5eed1234:4711;h=466a9ec1
//! 3;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;u=1763000000;b=5eed1234:4711;r=1764000100;h=ac4fa187
//! 4;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;u=1763000000;b=5eed1234:4711;o=0bad5eed:4700;h=fab11d64
//! 5;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;u=1763000000;b=5eed1234:4711;o=0bad5eed:4700;w=feed5eed:10000:1000:;h=07913971
//! ```
//!
//! Version, lineage and the committed offset; for a range whose insert may be under way also its end, rows, rejects, the
//! plan's hash, why the batch was cut, how often it was begun anew, when it was prepared (seconds since 1970), and, where
//! that is known, when the server was started, which tables store what is
//! inserted, how many blocks they had given out together, the same of those for rows alone, a hash of what the tables remembered, how many blocks those for
//! rows and those for rejects did and for how many seconds, and when the range was prepared once more for a server that was started anew. The CRC-32 (ISO-HDLC, as in zip)
//! covers the text before it. Keeping the range in the commit is an idea of eBay's Block Aggregator.

use std::fmt::{self, Write};

use housepipe_ch_sink::{BlockMark, TablesMark};
use housepipe_kafka_source::Offset;

use super::moment::{Moment, WindowMark};

/// Bytes of the text, at most, as long as offsets have 15 digits.
pub const BYTES_MAX: usize = 272;

/// The newest version. What an older one can say is written as that, so that older programs read it.
const VERSION: u32 = 5;

/// Names one life of a partition's offsets; part of every insert token.
///
/// A new one is minted whenever the group holds no metadata of ours: at the first start, after an operator set the
/// offsets, after a topic was made anew. So tokens of an earlier life never meet those of a later one. 48 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lineage(u64);

impl Lineage {
    const BITS: u32 = 48;

    /// The lineage of these bits; the upper 16 do not count.
    pub fn from_bits(bits: u64) -> Lineage {
        Lineage(bits & ((1 << Self::BITS) - 1))
    }

    /// Its bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// Why a batch ended where it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Rows or bytes: a *deterministic* cut. Whoever reads from the same offset cuts there again.
    Size,
    /// It had waited long enough.
    Time,
    /// Memory ran short.
    Memory,
    /// The partition goes away, or the pipe ends.
    Drain,
    /// A part of a batch that ClickHouse refused as a whole.
    Isolation,
}

impl Cut {
    const ALL: [(Cut, &'static str); 5] =
        [(Cut::Size, "S"), (Cut::Time, "T"), (Cut::Memory, "M"), (Cut::Drain, "D"), (Cut::Isolation, "I")];

    fn letter(self) -> &'static str {
        Cut::ALL.iter().find(|(cut, _)| *cut == self).map_or("", |(_, letter)| letter)
    }
}

/// A range `[start, end)` of a partition that was about to be inserted, where `start` is the committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pending {
    /// The position behind the range.
    pub end: Offset,
    /// Rows of the insert.
    pub rows: u32,
    /// Records that go to the error table.
    pub rejects: u32,
    /// What the rows were encoded by; another plan makes other rows.
    pub plan: u32,
    /// Why it ends there.
    pub cut: Cut,
    /// How often it was begun anew, with another token each time: after a server was killed.
    pub attempt: u32,
    /// When it was prepared: when the commit was sent. What the tables took since tells whether they remember its token. The
    /// server's start is that of the last time, where it was prepared more than once.
    pub prepared: Moment,
    /// When it was prepared once more, with the same token, where the server was started anew and has its rows. Seconds since
    /// 1970.
    pub renewed_unix_s: Option<u64>,
}

impl Pending {
    /// When it was prepared last, with this token or another one, in seconds since 1970. An insert of it goes only to a server
    /// that was there then.
    pub fn last_unix_s(&self) -> u64 {
        self.renewed_unix_s.unwrap_or(self.prepared.unix_s)
    }

    /// The first version that can say this.
    fn version(&self) -> u32 {
        let Moment { blocks, server_start_unix_s, windows, .. } = self.prepared;
        match (server_start_unix_s, self.renewed_unix_s) {
            _ if windows.is_some() => VERSION,
            _ if blocks.is_some_and(|mark| mark.rows.is_some()) => 4,
            (None, None) if self.attempt == 0 && blocks.is_none() => 1,
            (None, None) => 2,
            _ => 3,
        }
    }
}

/// What we keep with a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// The life that the offset belongs to.
    pub lineage: Lineage,
    /// A range that may have been inserted; none where nothing was under way.
    pub pending: Option<Pending>,
}

/// What stands with a committed offset, as a new owner finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// Nothing: a first start, or offsets that an operator has set.
    Nothing,
    /// Ours.
    Ours(Metadata),
    /// Ours, for another offset: a tool has moved the offset and kept the text.
    Moved {
        /// The offset that it was written for.
        from: Offset,
    },
    /// Of another program.
    Foreign,
    /// Of a newer version of this one.
    Newer {
        /// The version.
        version: u32,
    },
    /// Ours, and not as it was written.
    Damaged,
}

impl Metadata {
    /// The version of its text: the first that can say it.
    pub fn version(&self) -> u32 {
        self.pending.as_ref().map_or(1, Pending::version)
    }

    /// The text for a commit of `committed`.
    ///
    /// ```
    /// use housepipe_kafka_source::Offset;
    /// use housepipe_runtime::delivery::{Lineage, Metadata, Recorded};
    ///
    /// let clean = Metadata { lineage: Lineage::from_bits(0x9f3a_5c01_d27e), pending: None };
    /// let text = clean.to_text(Offset(1000));
    /// assert_eq!(text, "1;L=9f3a5c01d27e;s=1000;h=09dcfa56");
    /// assert_eq!(Recorded::read(&text, Offset(1000)), Recorded::Ours(clean));
    /// ```
    pub fn to_text(&self, committed: Offset) -> String {
        let version = self.version();
        let mut text = format!("{version};L={};s={committed}", self.lineage);
        if let Some(pending) = &self.pending {
            let Pending { end, rows, rejects, plan, cut, attempt, prepared, renewed_unix_s } = pending;
            // Writing into a String cannot fail.
            let _ = write!(text, ";e={end};k={rows};x={rejects};p={plan:08x};c={}", cut.letter());
            if version > 1 {
                let _ = write!(text, ";a={attempt}");
            }
            let _ = write!(text, ";t={}", prepared.unix_s);
            if let Some(start) = prepared.server_start_unix_s {
                let _ = write!(text, ";u={start}");
            }
            if let Some(BlockMark { all, rows, .. }) = prepared.blocks {
                let _ = write!(text, ";b={:08x}:{}", all.tables, all.number);
                if let Some(rows) = rows {
                    let _ = write!(text, ";o={:08x}:{}", rows.tables, rows.number);
                }
            }
            if let Some(WindowMark { all, rows, rejects, seconds }) = prepared.windows {
                let [rows, rejects, seconds] = [rows, rejects, seconds].map(digits);
                let _ = write!(text, ";w={all:08x}:{rows}:{rejects}:{seconds}");
            }
            if let Some(renewed) = renewed_unix_s {
                let _ = write!(text, ";r={renewed}");
            }
        }
        let checksum = crc32fast::hash(text.as_bytes());
        let _ = write!(text, ";h={checksum:08x}");
        text
    }
}

impl Recorded {
    /// Reads what stands with the committed offset. Any text is taken; none makes a range out of what was not written.
    pub fn read(text: &str, committed: Offset) -> Recorded {
        if text.is_empty() {
            return Recorded::Nothing;
        }
        let Some(version) = version(text) else { return Recorded::Foreign };
        if version > VERSION {
            return Recorded::Newer { version };
        }
        match parse(text) {
            Some((start, metadata)) if start == committed => Recorded::Ours(metadata),
            Some((start, _)) => Recorded::Moved { from: start },
            None => Recorded::Damaged,
        }
    }
}

/// The version of a text that is ours: one that begins with a number and a semicolon.
fn version(text: &str) -> Option<u32> {
    let (version, _) = text.split_once(';')?;
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number beyond all versions is one that was changed.
    Some(version.parse().unwrap_or(0))
}

/// The number of a field that may be missing; none where it is no number.
#[expect(clippy::option_option, reason = "a field may be missing, or damaged")]
fn number(field: Option<&str>) -> Option<Option<u64>> {
    field.map_or(Some(None), |digits| digits.parse().ok().map(Some))
}

/// A number as it is written; nothing for none.
fn digits(number: Option<u32>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn window_mark(text: &str) -> Option<WindowMark> {
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    let (all, rest) = text.split_once(':')?;
    let (rows, rest) = rest.split_once(':')?;
    let (rejects, seconds) = rest.split_once(':')?;
    Some(WindowMark {
        all: u32::from_str_radix(all, 16).ok()?,
        rows: number(rows)?,
        rejects: number(rejects)?,
        seconds: number(seconds)?,
    })
}

fn tables_mark(text: &str) -> Option<TablesMark> {
    let (tables, number) = text.split_once(':')?;
    Some(TablesMark { tables: u32::from_str_radix(tables, 16).ok()?, number: number.parse().ok()? })
}

fn parse(text: &str) -> Option<(Offset, Metadata)> {
    let (covered, checksum) = text.rsplit_once(";h=")?;
    if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(covered.as_bytes()) {
        return None;
    }
    let mut fields = covered.split(';').skip(1).peekable();
    let mut field = |name: &str| {
        let has_name = |field: &&str| field.split_once('=').is_some_and(|(key, _)| key == name);
        fields.next_if(has_name)?.split_once('=').map(|(_, value)| value)
    };
    let lineage = Lineage::from_bits(u64::from_str_radix(field("L")?, 16).ok()?);
    let start = Offset(field("s")?.parse().ok()?);
    let pending = match field("e") {
        None => None,
        Some(end) => Some(Pending {
            end: Offset(end.parse().ok()?),
            rows: field("k")?.parse().ok()?,
            rejects: field("x")?.parse().ok()?,
            plan: u32::from_str_radix(field("p")?, 16).ok()?,
            cut: {
                let letter = field("c")?;
                Cut::ALL.iter().find(|(_, known)| *known == letter)?.0
            },
            attempt: field("a").map_or(Some(0), |attempt| attempt.parse().ok())?,
            prepared: Moment {
                unix_s: field("t")?.parse().ok()?,
                server_start_unix_s: number(field("u"))?,
                blocks: match field("b") {
                    None => None,
                    Some(all) => {
                        let rows = match field("o") {
                            None => None,
                            Some(rows) => Some(tables_mark(rows)?),
                        };
                        Some(BlockMark::new(tables_mark(all)?, rows))
                    }
                },
                windows: match field("w") {
                    None => None,
                    Some(windows) => Some(window_mark(windows)?),
                },
            },
            renewed_unix_s: number(field("r"))?,
        }),
    };
    let metadata = Metadata { lineage, pending };
    // Nothing but what is written for these values: what a later version adds has to have another number.
    (metadata.to_text(start) == text).then_some((start, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pending(end: i64) -> Pending {
        Pending {
            end: Offset(end),
            rows: 899,
            rejects: 1,
            plan: 0x0bad_cafe,
            cut: Cut::Size,
            attempt: 0,
            prepared: Moment::at(1_764_000_000),
            renewed_unix_s: None,
        }
    }

    fn with_blocks(number: u64) -> Pending {
        let blocks = Some(BlockMark::new(TablesMark { tables: 0x5eed_1234, number }, None));
        let pending = pending(1_900);
        Pending { prepared: Moment { blocks, ..pending.prepared }, ..pending }
    }

    fn with_rows(number: u64) -> Moment {
        let rows = Some(TablesMark { tables: 0x0bad_5eed, number: number - 11 });
        let blocks = Some(BlockMark::new(TablesMark { tables: 0x5eed_1234, number }, rows));
        Moment { blocks, server_start_unix_s: Some(1_763_000_000), ..Moment::at(1_764_000_000) }
    }

    const WINDOWS: WindowMark =
        WindowMark { all: 0xfeed_5eed, rows: Some(10_000), rejects: Some(1_000), seconds: None };

    fn metadata(pending: Option<Pending>) -> Metadata {
        Metadata { lineage: Lineage::from_bits(0x9f3a_5c01_d27e), pending }
    }

    #[test]
    fn the_texts_stay_as_they_are() {
        // A pipe that is upgraded reads what the older one has written.
        let goldens = [
            (metadata(None), 0, "1;L=9f3a5c01d27e;s=0;h=c0add79d"),
            (
                metadata(Some(pending(1_900))),
                1_000,
                "1;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;t=1764000000;h=544d80ca",
            ),
            (
                metadata(Some(with_blocks(4_711))),
                1_000,
                "2;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;b=5eed1234:4711;h=466a9ec1",
            ),
            (
                metadata(Some(Pending { attempt: 1, ..pending(1_900) })),
                1_000,
                "2;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=1;t=1764000000;h=ecb1e132",
            ),
            (
                metadata(Some(Pending {
                    prepared: Moment {
                        server_start_unix_s: Some(1_763_000_000),
                        ..with_blocks(4_711).prepared
                    },
                    renewed_unix_s: Some(1_764_000_100),
                    ..with_blocks(4_711)
                })),
                1_000,
                "3;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;u=1763000000;b=5eed1234:4711;r=1764000100;h=ac4fa187",
            ),
            (
                metadata(Some(Pending { prepared: with_rows(4_711), ..pending(1_900) })),
                1_000,
                "4;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;u=1763000000;b=5eed1234:4711;o=0bad5eed:4700;h=fab11d64",
            ),
            (
                metadata(Some(Pending {
                    prepared: Moment { windows: Some(WINDOWS), ..with_rows(4_711) },
                    ..pending(1_900)
                })),
                1_000,
                "5;L=9f3a5c01d27e;s=1000;e=1900;k=899;x=1;p=0badcafe;c=S;a=0;t=1764000000;u=1763000000;b=5eed1234:4711;o=0bad5eed:4700;w=feed5eed:10000:1000:;h=07913971",
            ),
        ];
        for (metadata, committed, text) in goldens {
            assert_eq!(metadata.to_text(Offset(committed)), text);
            assert_eq!(Recorded::read(text, Offset(committed)), Recorded::Ours(metadata));
        }
    }

    #[test]
    fn the_longest_text_is_short() {
        let longest = Pending {
            end: Offset(999_999_999_999_999),
            rows: 1_000_000,
            rejects: 1_000_000,
            attempt: 1_000,
            prepared: Moment {
                unix_s: 9_999_999_999,
                server_start_unix_s: Some(9_999_999_999),
                windows: Some(WindowMark {
                    all: u32::MAX,
                    rows: Some(u32::MAX),
                    rejects: Some(u32::MAX),
                    seconds: Some(u32::MAX),
                }),
                ..with_rows(999_999_999_999)
            },
            renewed_unix_s: Some(9_999_999_999),
            ..pending(0)
        };
        let text = metadata(Some(longest)).to_text(Offset(999_999_999_999_998));
        assert!(text.len() <= BYTES_MAX && text.is_ascii(), "{} bytes: {text}", text.len());
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        let ours = metadata(Some(pending(10))).to_text(Offset(5));
        assert_eq!(Recorded::read("", Offset(5)), Recorded::Nothing);
        assert_eq!(Recorded::read(&ours, Offset(6)), Recorded::Moved { from: Offset(5) });
        for text in
            ["consumer-1", "12", ";", "{}", ";L=", "x;L=1", " 1;L=9f3a5c01d27e;s=0;h=c0add79d", "\u{1F600}"]
        {
            assert_eq!(Recorded::read(text, Offset(5)), Recorded::Foreign, "{text}");
        }
        assert_eq!(Recorded::read("6;L=anything", Offset(5)), Recorded::Newer { version: 6 });
        let upper = ours.to_uppercase().replace(";L=9F3A5C01D27E;S", ";L=9f3a5c01d27e;s");
        for text in [
            "1;L=",
            "1;l=1",
            "0;L=9f3a5c01d27e",
            "99999999999;L=",
            "1;L=9f3a5c01d27e;s=5",
            &ours[..ours.len() - 1],
            &format!("{ours} "),
            &upper,
        ] {
            assert_eq!(Recorded::read(text, Offset(5)), Recorded::Damaged, "{text}");
        }
        // A field of a version that does not have it, with a checksum that fits.
        let covered = "1;L=9f3a5c01d27e;s=5;z=1";
        let text = format!("{covered};h={:08x}", crc32fast::hash(covered.as_bytes()));
        assert_eq!(Recorded::read(&text, Offset(5)), Recorded::Damaged);
    }

    fn any_metadata() -> impl Strategy<Value = (Metadata, Offset)> {
        let cut = prop::sample::select(Cut::ALL.map(|(cut, _)| cut).to_vec());
        let pending = (
            0..i64::MAX,
            any::<(u32, u32, u32, u32, (u64, Option<u64>, Option<u64>))>(),
            any::<Option<(u32, u64, Option<(u32, u64)>)>>(),
            any::<Option<(u32, Option<u32>, Option<u32>, Option<u32>)>>(),
            cut,
        )
            .prop_map(|(end, numbers, blocks, windows, cut)| {
                let windows =
                    windows.map(|(all, rows, rejects, seconds)| WindowMark { all, rows, rejects, seconds });
                let (rows, rejects, plan, attempt, (unix_s, renewed_unix_s, server_start_unix_s)) = numbers;
                let mark = |(tables, number)| TablesMark { tables, number };
                let blocks = blocks
                    .map(|(tables, number, rows)| BlockMark::new(mark((tables, number)), rows.map(mark)));
                Pending {
                    end: Offset(end),
                    rows,
                    rejects,
                    plan,
                    cut,
                    attempt,
                    prepared: Moment { unix_s, blocks, server_start_unix_s, windows },
                    renewed_unix_s,
                }
            });
        (any::<u64>(), prop::option::of(pending), 0..i64::MAX).prop_map(|(bits, pending, committed)| {
            (Metadata { lineage: Lineage::from_bits(bits), pending }, Offset(committed))
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read((metadata, committed) in any_metadata()) {
            prop_assert_eq!(Recorded::read(&metadata.to_text(committed), committed), Recorded::Ours(metadata));
        }

        /// One byte changed, left out or put in never gives another range.
        #[test]
        fn a_wrong_byte_gives_no_range(
            (metadata, committed) in any_metadata(),
            at in any::<prop::sample::Index>(),
            byte in 0x20u8..0x7f,
            how in 0..3,
        ) {
            let mut text = metadata.to_text(committed).into_bytes();
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
            let recorded = Recorded::read(&String::from_utf8(text).unwrap(), committed);
            if let Recorded::Ours(read) = recorded {
                prop_assert_eq!(read, metadata);
            }
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,200}", committed in 0..i64::MAX) {
            let recorded = Recorded::read(&text, Offset(committed));
            prop_assert!(!matches!(recorded, Recorded::Ours(_)));
        }
    }
}
