//! What follows from setting an offset, in words.

use super::plan::OffsetMove;
use super::stored::{PendingRange, Stored};
use crate::pipe_file::DeliveryMode;

/// What a person has to know before offsets are set.
pub(super) fn warnings(moves: &[OffsetMove], delivery: DeliveryMode) -> Vec<String> {
    let mut warnings = Vec::new();
    let total = |count: fn(&OffsetMove) -> u64| moves.iter().map(count).fold(0_u64, u64::saturating_add);
    let read_again = total(|moved| moved.read_again);
    if read_again > 0 {
        let why = match delivery {
            DeliveryMode::AtLeastOnce => "",
            DeliveryMode::ExactlyOnce => {
                " (a new lineage begins, so that clickhouse does not take their inserts for repetitions)"
            }
        };
        warnings.push(format!(
            "up to {read_again} record(s) are read again and loaded again{why}: their rows, and their error rows, are there \
             twice unless you remove them first"
        ));
    }
    let skipped = total(|moved| moved.skipped);
    if skipped > 0 {
        warnings.push(format!(
            "up to {skipped} record(s) are skipped: they come neither into the table nor into the error table, until the \
             offset is set back while the topic still has them"
        ));
    }
    for moved in moves {
        match &moved.stored {
            Some(Stored::Pending { range, .. }) => warnings.push(format!(
                "partition {}: {range}; once forgotten, {}",
                moved.partition,
                fate(range, moved.to)
            )),
            Some(Stored::Newer { .. } | Stored::Damaged) => warnings.push(format!(
                "partition {}: whether a range was pending cannot be read; once forgotten, one that was loaded and is read \
                 again is there twice, and one that was not loaded and is not read again is lost",
                moved.partition
            )),
            _ => {}
        }
    }
    if delivery == DeliveryMode::ExactlyOnce && !moves.is_empty() {
        warnings.push(
            "exactly once holds from the new offsets on: each record that is read from there is loaded once from then on, \
             whatever was loaded before"
                .to_owned(),
        );
    }
    warnings
}

/// What becomes of a range that is forgotten where reading goes on at `to`.
fn fate(range: &PendingRange, to: i64) -> String {
    if to <= range.start {
        "it is read again: where it was loaded, its rows are there twice".to_owned()
    } else if to >= range.end {
        "it is not read again: where it was not loaded, its records are lost".to_owned()
    } else {
        format!(
            "its records below {to} are not read again and are lost where it was not loaded, and those from {to} on are \
             read again and are there twice where it was loaded"
        )
    }
}

/// Why the offset of a partition is not set without a word more.
pub(super) fn needs_a_word(moved: &OffsetMove, delivery: DeliveryMode) -> Option<String> {
    const LOOK: &str = "look into the table what is there, and add `--forget-pending`";
    let reason = match &moved.stored {
        Some(Stored::Pending { range, .. }) => {
            let run = match delivery {
                DeliveryMode::ExactlyOnce => {
                    "run the pipe with `--until-caught-up`, which finishes it without loading it twice, or "
                }
                DeliveryMode::AtLeastOnce => "",
            };
            format!("{range}; {run}{LOOK}")
        }
        Some(stored @ (Stored::Newer { .. } | Stored::Damaged)) => {
            format!("there is {stored}, which may name a range that is loaded or not; {LOOK}")
        }
        _ => return None,
    };
    Some(format!("partition {}: {reason}", moved.partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(from: i64, to: i64, stored: Stored) -> OffsetMove {
        OffsetMove {
            partition: 3,
            from: Some(from),
            starts_at: None,
            to,
            log_start: 0,
            log_end: 5_000,
            skipped: (to - from).max(0).unsigned_abs(),
            read_again: (from - to).max(0).unsigned_abs(),
            stored: Some(stored),
        }
    }

    fn pending() -> Stored {
        let range =
            PendingRange { start: 1_000, end: 1_900, rows: 899, rejects: 1, prepared_unix_s: 1_764_000_000 };
        Stored::Pending { format: 3, lineage: "9f3a5c01d27e".to_owned(), range }
    }

    #[test]
    fn what_is_read_again_is_doubled_and_what_is_skipped_is_missing() {
        let back = warnings(&[moved(900, 100, Stored::Nothing)], DeliveryMode::AtLeastOnce);
        assert_eq!(back.len(), 1, "{back:?}");
        assert!(
            back[0].starts_with("up to 800 record(s) are read again and loaded again: their rows"),
            "{back:?}"
        );
        let on = warnings(&[moved(100, 900, Stored::Nothing)], DeliveryMode::AtLeastOnce);
        assert!(on.len() == 1 && on[0].starts_with("up to 800 record(s) are skipped"), "{on:?}");
        assert!(warnings(&[moved(5, 5, Stored::Nothing)], DeliveryMode::AtLeastOnce).is_empty());
        let back = warnings(&[moved(900, 100, Stored::Nothing)], DeliveryMode::ExactlyOnce);
        assert!(back[0].contains("a new lineage begins"), "{back:?}");
        assert!(back[1].starts_with("exactly once holds from the new offsets on"), "{back:?}");
    }

    #[test]
    fn a_pending_range_has_a_fate_by_where_reading_goes_on() {
        for (to, words) in [
            (0, "it is read again: where it was loaded"),
            (1_000, "it is read again: where it was loaded"),
            (1_001, "its records below 1001 are not read again"),
            (1_899, "its records below 1899 are not read again"),
            (1_900, "it is not read again: where it was not loaded"),
            (4_000, "it is not read again: where it was not loaded"),
        ] {
            let said = warnings(&[moved(1_000, to, pending())], DeliveryMode::AtLeastOnce).join("\n");
            assert!(said.contains(words), "{to}: no `{words}` in {said}");
        }
    }

    #[test]
    fn what_may_be_pending_needs_a_word() {
        for stored in [pending(), Stored::Newer { format: 99 }, Stored::Damaged] {
            let said = needs_a_word(&moved(1_000, 0, stored), DeliveryMode::ExactlyOnce).unwrap();
            assert!(said.starts_with("partition 3: ") && said.contains("--forget-pending"), "{said}");
        }
        let clean = Stored::Clean { format: 1, lineage: "9f3a5c01d27e".to_owned() };
        for stored in
            [Stored::Nothing, Stored::FormerTopic, Stored::Foreign, Stored::Moved { from: 5 }, clean]
        {
            assert_eq!(needs_a_word(&moved(1_000, 0, stored), DeliveryMode::ExactlyOnce), None);
        }
    }
}
