//! From what was asked for to the offset of one partition, and how many records lie in between.

use housepipe_kafka_source::{LogRange, Offset};

use super::target::OffsetTarget;

/// What is known of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) committed: Option<Offset>,
    /// The committed offset is of a topic of the same name that was deleted.
    pub(super) is_of_former_topic: bool,
    pub(super) log: LogRange,
    /// The first record as late as the time that was asked for; none where there is none, or another target.
    pub(super) at_time: Option<Offset>,
}

/// The offset to set, or why there is none: an offset that the log does not have is refused and never moved to one that it
/// has, since whoever names a place wants that place.
pub(super) fn resolve(target: OffsetTarget, place: Place) -> Result<Offset, String> {
    let Place { committed, is_of_former_topic, log, at_time } = place;
    let (offset, sum) = match target {
        OffsetTarget::Earliest => return Ok(log.start),
        OffsetTarget::Latest => return Ok(log.end),
        OffsetTarget::Time { .. } => return Ok(at_time.unwrap_or(log.end)),
        OffsetTarget::At(offset) => (offset, String::new()),
        OffsetTarget::Relative(distance) => {
            let Some(from) = committed.filter(|_| !is_of_former_topic) else {
                let what = if is_of_former_topic {
                    "it has an offset of a former topic of this name"
                } else {
                    "it has no committed offset"
                };
                return Err(format!(
                    "{what}, from which {distance:+} cannot be reckoned; give an offset, a time, \
                     `earliest` or `latest`"
                ));
            };
            let sign = if distance < 0 { '-' } else { '+' };
            (from.0.saturating_add(distance), format!("{from} {sign} {} = ", distance.unsigned_abs()))
        }
    };
    if log.holds(Offset(offset)) {
        return Ok(Offset(offset));
    }
    Err(format!(
        "its log does not have the offset {sum}{offset}: it begins at offset {start} and ends before offset {end}; give one \
         from {start} to {end}, or `earliest` or `latest`",
        start = log.start,
        end = log.end
    ))
}

/// What of a partition was read before its offset is set.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reads {
    /// Everything below this offset.
    UpTo(Offset),
    /// Nothing; this is where a pipe would begin.
    Never { starts_at: Offset },
}

/// Records between two offsets, at most: offsets without a record count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) skipped: u64,
    pub(super) read_again: u64,
}

/// What becomes of the records of the log where reading goes on at `to`. Those that retention has taken count for nothing.
pub(super) fn counts(reads: Reads, log: LogRange, to: Offset) -> Counts {
    let between = |from: Offset, to: Offset| to.0.saturating_sub(from.0).max(0).unsigned_abs();
    match reads {
        Reads::UpTo(offset) => {
            let offset = offset.max(log.start).min(log.end);
            Counts { skipped: between(offset, to), read_again: between(to, offset) }
        }
        Reads::Never { starts_at } => Counts { skipped: between(starts_at, to), read_again: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_as_far_as_the_log_has_them() {
        let log = LogRange { start: Offset(100), end: Offset(500) };
        let up_to = |offset| Reads::UpTo(Offset(offset));
        let never = |offset| Reads::Never { starts_at: Offset(offset) };
        for (reads, to, skipped, read_again) in [
            (up_to(200), 200, 0, 0),
            (up_to(200), 450, 250, 0),
            (up_to(200), 120, 0, 80),
            // Retention has passed the position, or the log has lost its end.
            (up_to(20), 150, 50, 0),
            (up_to(20), 100, 0, 0),
            (up_to(900), 400, 0, 100),
            // Before a first start nothing was read.
            (never(100), 300, 200, 0),
            (never(500), 100, 0, 0),
        ] {
            let counted = counts(reads, log, Offset(to));
            assert_eq!(counted, Counts { skipped, read_again }, "{reads:?} to {to}");
        }
    }

    fn place(committed: Option<i64>) -> Place {
        let log = LogRange { start: Offset(100), end: Offset(500) };
        Place { committed: committed.map(Offset), is_of_former_topic: false, log, at_time: None }
    }

    #[test]
    fn every_target_has_its_offset() {
        for (target, committed, offset) in [
            (OffsetTarget::Earliest, None, 100),
            (OffsetTarget::Latest, Some(200), 500),
            (OffsetTarget::At(100), None, 100),
            (OffsetTarget::At(500), Some(200), 500),
            (OffsetTarget::Relative(0), Some(200), 200),
            (OffsetTarget::Relative(-100), Some(200), 100),
            (OffsetTarget::Relative(300), Some(200), 500),
            // A position that retention has passed is one to reckon from all the same.
            (OffsetTarget::Relative(60), Some(50), 110),
        ] {
            assert_eq!(resolve(target, place(committed)), Ok(Offset(offset)), "{target}");
        }
        let by_time = OffsetTarget::Time { unix_ms: 0 };
        assert_eq!(resolve(by_time, Place { at_time: Some(Offset(321)), ..place(None) }), Ok(Offset(321)));
        assert_eq!(resolve(by_time, place(Some(200))), Ok(Offset(500)), "no record is as late");
    }

    #[test]
    fn an_offset_that_is_not_there_is_refused_with_the_range() {
        for (target, committed, words) in [
            (OffsetTarget::At(99), None, "the offset 99: it begins at offset 100 and ends before offset 500"),
            (OffsetTarget::At(501), None, "the offset 501: it begins"),
            (OffsetTarget::Relative(-101), Some(200), "the offset 200 - 101 = 99: it begins"),
            (OffsetTarget::Relative(301), Some(200), "the offset 200 + 301 = 501: it begins"),
            (OffsetTarget::Relative(i64::MAX), Some(200), "= 9223372036854775807: it begins"),
            (OffsetTarget::Relative(i64::MIN), Some(200), "the offset 200 - 9223372036854775808 = "),
            (OffsetTarget::Relative(-1), None, "no committed offset, from which -1 cannot be reckoned"),
        ] {
            let refused = resolve(target, place(committed)).unwrap_err();
            assert!(refused.contains(words), "no `{words}` in {refused}");
        }
        let former = Place { is_of_former_topic: true, ..place(Some(200)) };
        for distance in [-1, 0, 1] {
            let refused = resolve(OffsetTarget::Relative(distance), former).unwrap_err();
            assert!(refused.contains("a former topic of this name"), "{refused}");
        }
        let refused = resolve(OffsetTarget::At(7), place(None)).unwrap_err();
        assert!(refused.contains("give one from 100 to 500, or `earliest` or `latest`"), "{refused}");
    }
}
