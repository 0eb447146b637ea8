//! What has to remember the tokens of a pipe's inserts, and for how long it does: the tables, those that views of theirs
//! feed, and the error table's.

use std::collections::BTreeMap;

use housepipe_ch_sink::{CountedTable, DeduplicationFacts, EngineKind, Sink, SinkError, TableName, judge};

use crate::delivery::WindowMark;
use crate::error::PipeError;

/// Seconds for which tables that cannot be seen are trusted to remember a token.
const UNSEEN_TRUSTED_S: u64 = 60;

/// A table that has to remember the tokens of inserts, and for how long it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenWindow {
    pub(super) table: TableName,
    /// Blocks; none where the tables that store the rows cannot be seen from here, as behind a Distributed table.
    pub(super) blocks: Option<u64>,
    /// Seconds; none where only the blocks count.
    pub(super) seconds: Option<u64>,
    /// It is for rejects, and not for rows.
    pub(super) is_of_errors: bool,
}

impl TokenWindow {
    /// Whether its blocks are counted as a whole.
    pub(super) fn is_counted(&self) -> bool {
        self.blocks.is_some() && self.seconds.is_none()
    }

    /// Whether a token of an insert after which so much came is sure to be there. Half of the window is kept for what
    /// comes between this look and the insert.
    ///
    /// A window that was made larger since `then` remembers no more of that time than the smaller one did; none says that no window was
    /// changed. Which one was is not known, so that all are held to the smallest.
    pub(super) fn is_sure(&self, blocks: u64, seconds: u64, then: Option<WindowMark>) -> bool {
        match self.blocks {
            Some(window) => {
                let (of_blocks, of_seconds) = self.least(window, then);
                blocks <= of_blocks / 2 && of_seconds.is_none_or(|window| seconds <= window / 2)
            }
            None => seconds <= UNSEEN_TRUSTED_S,
        }
    }
}

impl TokenWindow {
    /// How much of what is believed of the window is used up, where so many blocks and seconds came since an insert: at 1 and more
    /// its token may be forgotten. None where that depends on blocks alone, and they are not known. `then` as in
    /// [`is_sure`](Self::is_sure).
    pub(super) fn used(&self, blocks: Option<u64>, seconds: u64, then: Option<WindowMark>) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
        let part = |used: u64, believed: u64| used as f64 / believed.max(1) as f64;
        let Some(window) = self.blocks else { return Some(part(seconds, UNSEEN_TRUSTED_S)) };
        let (least_blocks, least_seconds) = self.least(window, then);
        let of_blocks = blocks.map(|blocks| part(blocks, least_blocks / 2));
        let of_seconds = least_seconds.map(|window| part(seconds, window / 2));
        of_blocks.into_iter().chain(of_seconds).reduce(f64::max)
    }

    /// The blocks and seconds of a window of `blocks` that hold for an insert of `then`.
    fn least(&self, blocks: u64, then: Option<WindowMark>) -> (u64, Option<u64>) {
        let then = then.unwrap_or_default();
        let least = |now: u64, then: Option<u32>| then.map_or(now, |then| now.min(then.into()));
        let then_blocks = if self.is_of_errors { then.rejects } else { then.rows };
        (least(blocks, then_blocks), self.seconds.map(|now| least(now, then.seconds)))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Windows {
    pub(super) all: Vec<TokenWindow>,
    /// Views pass rows on to further tables.
    pub(super) feeds_others: bool,
}

impl Windows {
    /// What they remembered at that moment, where one was changed since; none where each is as large as it was.
    pub(super) fn changed_since(&self, then: Option<WindowMark>) -> Option<WindowMark> {
        let is_unchanged = self.mark().zip(then).is_some_and(|(now, then)| now.all == then.all);
        then.filter(|_| !is_unchanged)
    }

    /// Reads what stands in the way of a table for rows and of one for rejects, where there is one. None where a table is not
    /// there.
    pub(super) async fn read(
        sink: &Sink,
        table: &str,
        errors: Option<&str>,
    ) -> Result<Option<Result<Windows, PipeError>>, SinkError> {
        let Some(rows) = sink.deduplication_facts(table).await? else { return Ok(None) };
        let mut all = vec![(rows, false)];
        if let Some(errors) = errors {
            let Some(errors) = sink.deduplication_facts(errors).await? else { return Ok(None) };
            all.push((errors, true));
        }
        Ok(Some(Windows::judged(&all)))
    }

    /// Refuses what cannot hold.
    fn judged(all: &[(DeduplicationFacts, bool)]) -> Result<Windows, PipeError> {
        let mut windows = Windows::default();
        for (facts, is_of_errors) in all {
            // The rate is for people alone, and nothing of it is used here.
            if let Some(refusal) = judge(facts, 1.0).refusals().next() {
                let (problem, mend) = (refusal.to_string(), refusal.mend());
                return Err(PipeError::CannotDeduplicate { problem, mend });
            }
            windows.feeds_others |= facts.tables().count() > 1;
            windows.all.extend(facts.tables().filter_map(|(table, _)| {
                let blocks = match table.kind {
                    EngineKind::Plain | EngineKind::Replicated => Some(table.window_blocks),
                    EngineKind::Distributed { .. } => None,
                    EngineKind::Null | EngineKind::Other => return None,
                };
                let (table, seconds) = (table.name.clone(), table.window_seconds);
                Some(TokenWindow { table, blocks, seconds, is_of_errors: *is_of_errors })
            }));
        }
        Ok(windows)
    }

    /// What they remember, for a moment; none where there are none.
    pub(super) fn mark(&self) -> Option<WindowMark> {
        let least = |numbers: &mut dyn Iterator<Item = u64>| {
            numbers.min().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        let blocks = |is_of_errors| {
            let windows = self.all.iter().filter(move |window| window.is_of_errors == is_of_errors);
            least(&mut windows.filter_map(|window| window.blocks))
        };
        let text = |window: &TokenWindow| {
            let TokenWindow { table, blocks, seconds, is_of_errors } = window;
            format!("{table}|{blocks:?}|{seconds:?}|{is_of_errors}")
        };
        let mut texts: Vec<String> = self.all.iter().map(text).collect();
        texts.sort();
        (!self.all.is_empty()).then(|| WindowMark {
            all: crc32fast::hash(texts.join("\n").as_bytes()),
            rows: blocks(false),
            rejects: blocks(true),
            seconds: least(&mut self.all.iter().filter_map(|window| window.seconds)),
        })
    }

    /// The tables whose blocks are counted as a whole, each once.
    pub(super) fn counted(&self) -> Vec<CountedTable> {
        let mut tables: BTreeMap<&TableName, bool> = BTreeMap::new();
        for window in self.all.iter().filter(|window| window.is_counted()) {
            *tables.entry(&window.table).or_default() |= !window.is_of_errors;
        }
        let counted =
            |(name, is_for_rows): (&TableName, bool)| CountedTable { name: name.clone(), is_for_rows };
        tables.into_iter().map(counted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(table: &str, blocks: Option<u64>, seconds: Option<u64>) -> TokenWindow {
        let table = TableName { database: "d".to_owned(), table: table.to_owned() };
        TokenWindow { table, blocks, seconds, is_of_errors: false }
    }

    #[test]
    fn half_of_a_window_is_sure() {
        assert!(window("t", Some(100), None).is_sure(50, 1_000_000, None));
        assert!(!window("t", Some(100), None).is_sure(51, 0, None));
        assert!(!window("t", Some(0), None).is_sure(1, 0, None));
        assert!(window("t", Some(100), Some(3_600)).is_sure(0, 1_800, None));
        assert!(!window("t", Some(100), Some(3_600)).is_sure(0, 1_801, None));
        assert!(window("t", None, None).is_sure(0, 60, None));
        assert!(!window("t", None, None).is_sure(0, 61, None));
    }

    #[test]
    fn a_window_is_used_up_where_it_is_not_sure_any_more() {
        for (window, blocks, seconds) in [
            (window("t", Some(100), None), 50, 1_000_000),
            (window("t", Some(100), Some(3_600)), 50, 0),
            (window("t", Some(100), Some(3_600)), 0, 1_800),
            (window("t", None, None), 0, 60),
        ] {
            assert_eq!(window.used(Some(blocks), seconds, None), Some(1.0), "{window:?}");
            assert!(window.is_sure(blocks, seconds, None), "{window:?}");
            assert!(!window.is_sure(blocks + 1, seconds + 1, None), "{window:?}");
            assert!(window.used(Some(blocks / 2), seconds / 2, None).unwrap() < 1.0, "{window:?}");
        }
        assert_eq!(window("t", Some(100), None).used(None, 0, None), None, "nobody knows");
        assert_eq!(window("t", Some(100), Some(3_600)).used(None, 900, None), Some(0.5));
        // What was made larger since remembers what the smaller one did.
        let then = Windows { all: vec![window("t", Some(10), Some(60))], feeds_others: false }.mark();
        let now = Windows { all: vec![window("t", Some(100), Some(600))], feeds_others: false };
        assert_eq!(now.all[0].used(Some(5), 0, now.changed_since(then)), Some(1.0));
        assert_eq!(now.all[0].used(Some(0), 30, now.changed_since(then)), Some(1.0));
        assert_eq!(now.changed_since(now.mark()), None);
        assert_eq!(now.changed_since(None), None);
    }

    #[test]
    fn a_window_that_was_made_larger_remembers_what_the_smaller_one_did() {
        let of = |rows, seconds| Windows { all: vec![window("t", Some(rows), seconds)], feeds_others: false };
        let (then, now) = (of(100, Some(60)).mark(), &of(10_000, Some(3_600)).all[0]);
        assert!(now.is_sure(50, 30, then) && !now.is_sure(51, 0, then) && !now.is_sure(0, 31, then));
        // A smaller one counts as it is.
        let now = &of(10, None).all[0];
        assert!(now.is_sure(5, 1_000, then) && !now.is_sure(6, 0, then));
        // Those for rejects count apart.
        let rejects = TokenWindow { is_of_errors: true, ..window("e", Some(10), None) };
        let both = Windows { all: vec![window("t", Some(100), None), rejects.clone()], feeds_others: false };
        let then = both.mark();
        let least = then.map(|mark| (mark.rows, mark.rejects, mark.seconds));
        assert_eq!(least, Some((Some(100), Some(10), None)));
        assert!(both.all[0].is_sure(50, 0, then) && !rejects.is_sure(6, 0, then));
        assert_eq!(Windows::default().mark(), None);
        // Whatever was changed is seen.
        let all = [of(100, None), of(101, None), of(100, Some(1)), both];
        let marks: BTreeMap<_, _> =
            all.iter().map(|windows| (windows.mark().map(|mark| mark.all), ())).collect();
        assert_eq!((marks.len(), of(100, None).mark()), (4, all[0].mark()));
    }

    #[test]
    fn a_table_for_both_counts_as_one_for_rows() {
        let rejects = |table| TokenWindow { is_of_errors: true, ..window(table, Some(10), None) };
        let all = vec![
            rejects("both"),
            window("both", Some(10), None),
            rejects("errors"),
            window("replicated", Some(10), Some(60)),
            window("unseen", None, None),
        ];
        let counted = Windows { all, feeds_others: false }.counted();
        let names: Vec<(&str, bool)> =
            counted.iter().map(|table| (table.name.table.as_str(), table.is_for_rows)).collect();
        assert_eq!(names, [("both", true), ("errors", false)]);
    }
}
