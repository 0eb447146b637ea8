//! Compiled time zones (TZif, RFC 9636) inside of a larger file.

use anyhow::{Context, ensure};

use super::posix::{self, Rule};

/// The clocks of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    /// Seconds ahead of UTC before the first change.
    pub(super) first: i32,
    /// Moments in seconds since 1970, and the seconds ahead of UTC from then on.
    pub(super) changes: Vec<(i64, i32)>,
    /// What holds after the last change.
    pub(super) rule: Option<Rule>,
}

/// How such a file begins, up to its version.
const MAGIC: &[u8] = b"TZif";
/// Magic, version, 15 bytes that are zeros, and six counts.
const HEADER_BYTES: usize = 44;

/// The zones in the order in which they stand in `bytes`.
pub(super) fn find_all(bytes: &[u8]) -> anyhow::Result<Vec<Zone>> {
    let mut zones = Vec::new();
    let mut end = 0;
    for at in memchr::memmem::find_iter(bytes, MAGIC) {
        // A file holds a second header behind its first block; the letters also stand in texts.
        if at < end || !is_header(&bytes[at..]) {
            continue;
        }
        let mut rest = &bytes[at..];
        zones.push(zone(&mut rest).with_context(|| format!("the zone at byte {at}"))?);
        end = bytes.len() - rest.len();
    }
    Ok(zones)
}

fn is_header(bytes: &[u8]) -> bool {
    let version = bytes.get(MAGIC.len());
    matches!(version, Some(b'2'..=b'4')) && bytes.get(5..20).is_some_and(|zeros| zeros == [0; 15])
}

/// The numbers of what a block holds, in their order in the header.
struct Counts {
    universal: usize,
    standard: usize,
    leaps: usize,
    changes: usize,
    kinds: usize,
    letters: usize,
}

fn zone(rest: &mut &[u8]) -> anyhow::Result<Zone> {
    // The first block has moments of 32 bits; what counts is the second one.
    let counts = header(rest)?;
    block(rest, &counts, 4)?;
    let counts = header(rest)?;
    let block = block(rest, &counts, 8)?;
    ensure!(counts.leaps == 0, "it counts leap seconds, which ClickHouse does not");
    let (moments, block) = block.split_at(counts.changes * 8);
    let (numbers, block) = block.split_at(counts.changes);
    let kinds = block.as_chunks::<6>().0;
    let offset = |number: usize| -> anyhow::Result<i32> {
        let kind =
            kinds.get(..counts.kinds).and_then(|kinds| kinds.get(number)).context("no such kind of time")?;
        let [a, b, c, d, ..] = *kind;
        Ok(i32::from_be_bytes([a, b, c, d]))
    };
    let moments = moments.as_chunks::<8>().0.iter().map(|moment| i64::from_be_bytes(*moment));
    let changes = moments
        .zip(numbers)
        .map(|(moment, number)| Ok((moment, offset(usize::from(*number))?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let first = offset(0)?;
    let (winter, rule) = posix::parse(footer(rest)?)?;
    let last = changes.last().map_or(first, |(_, offset)| *offset);
    ensure!(rule.is_some() || winter == last, "its rule differs from its last change");
    Ok(Zone { first, changes, rule })
}

fn header(rest: &mut &[u8]) -> anyhow::Result<Counts> {
    let (header, tail) = rest.split_at_checked(HEADER_BYTES).context("cut off in a header")?;
    ensure!(header.starts_with(MAGIC) && is_header(header), "no header");
    *rest = tail;
    let mut counts = header[20..].as_chunks::<4>().0.iter().map(|count| u32::from_be_bytes(*count));
    let mut next = || -> anyhow::Result<usize> { Ok(usize::try_from(counts.next().unwrap_or_default())?) };
    Ok(Counts {
        universal: next()?,
        standard: next()?,
        leaps: next()?,
        changes: next()?,
        kinds: next()?,
        letters: next()?,
    })
}

/// The bytes of a block whose moments have so many bytes.
fn block<'a>(rest: &mut &'a [u8], counts: &Counts, width: usize) -> anyhow::Result<&'a [u8]> {
    let changes = counts.changes * (width + 1) + counts.kinds * 6 + counts.letters;
    let len = changes + counts.leaps * (width + 4) + counts.standard + counts.universal;
    let (block, tail) = rest.split_at_checked(len).context("cut off in a block")?;
    *rest = tail;
    Ok(block)
}

/// The text between the two line feeds at the end.
fn footer<'a>(rest: &mut &'a [u8]) -> anyhow::Result<&'a str> {
    let text = rest.strip_prefix(b"\n").context("no rule")?;
    let len = text.iter().position(|byte| *byte == b'\n').context("cut off in its rule")?;
    *rest = &text[len + 1..];
    Ok(std::str::from_utf8(&text[..len])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zone of one change, as `zic` writes it.
    fn file() -> Vec<u8> {
        let header = |changes: u32, kinds: u32| {
            let counts = [0, 0, 0, changes, kinds, 4].map(u32::to_be_bytes).concat();
            [&b"TZif2"[..], &[0; 15], &counts].concat()
        };
        let kind = |offset: i32| [&offset.to_be_bytes()[..], &[0, 0]].concat();
        let first = [header(0, 1), kind(0), b"LMT\0".to_vec()].concat();
        let moment = (-2_000_000_000i64).to_be_bytes().to_vec();
        let second = [header(1, 2), moment, vec![1], kind(-1234), kind(3600), b"LMT\0".to_vec()].concat();
        [first, second, b"\nCET-1\n".to_vec()].concat()
    }

    #[test]
    fn zones_are_found_among_other_bytes() {
        let zone = Zone { first: -1234, changes: vec![(-2_000_000_000, 3600)], rule: None };
        let bytes = [&b"TZif version"[..], &file(), &file(), b"TZif"].concat();
        assert_eq!(find_all(&bytes).unwrap(), [zone.clone(), zone]);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let file = file();
        for len in HEADER_BYTES..file.len() {
            assert!(find_all(&file[..len]).is_err(), "{len}");
        }
    }
}
