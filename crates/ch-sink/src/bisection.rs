//! Finds the rows that ClickHouse refuses, and lets every other row in.

use std::ops::Range;

use crate::named_row::{NamedRow, cuts};

/// A row that is refused when it is inserted alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its index in the batch.
    pub index: usize,
    /// What ClickHouse said of it.
    pub message: String,
}

/// So many rows are refused that the search was given up: the set-up must be wrong, and a person must look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{refused} rows were refused one by one, and the search was given up; the last refusal: {last_message}"
)]
pub struct TooManyRefused {
    /// Rows found refused so far.
    pub refused: usize,
    /// The last refusal.
    pub last_message: String,
}

/// A search for refused rows that does no IO: it hands out ranges of rows to insert, in the order of the batch, and is
/// told how each went. Every row that is not refused is accepted exactly once. A row that ClickHouse names is tried alone at
/// once; else a range is halved.
///
/// ```
/// use housepipe_ch_sink::Bisection;
///
/// let mut search = Bisection::after_refusal(8, "refused".to_owned(), None);
/// while let Some(rows) = search.next_range() {
///     if rows.contains(&5) { search.refused("row is bad".to_owned(), Some(0)) } else { search.accepted() }
/// }
/// let refused = search.finish()?;
/// assert_eq!(refused.iter().map(|row| row.index).collect::<Vec<_>>(), [5]);
/// # Ok::<(), housepipe_ch_sink::TooManyRefused>(())
/// ```
#[derive(Debug)]
pub struct Bisection {
    /// Ranges still to insert; the next one is the last.
    pending: Vec<Range<usize>>,
    /// The range that was handed out and not yet answered.
    current: Option<Range<usize>>,
    refused: Vec<RefusedRow>,
    last_message: String,
    hints: NamedRow<usize>,
    inserts: usize,
    inserts_max: usize,
    given_up: bool,
}

impl Bisection {
    /// Inserts that one search may make, at most. One bad row in a million takes 40 where ClickHouse does not name it; this
    /// finds some hundreds.
    pub const INSERTS_MAX: usize = 5_000;
    /// Refused rows that one search may find, at most.
    pub const REFUSED_MAX: usize = 1_000;

    /// A search in `rows` rows that were refused as a whole with `message`, which may name one of them, counted from 0
    /// ([`SinkError::named_row`](crate::SinkError::named_row)).
    pub fn after_refusal(rows: usize, message: String, named: Option<usize>) -> Self {
        let mut bisection = Bisection {
            pending: Vec::new(),
            current: None,
            refused: Vec::new(),
            last_message: message.clone(),
            hints: NamedRow::default(),
            inserts: 0,
            inserts_max: Self::INSERTS_MAX,
            given_up: false,
        };
        bisection.narrow(0..rows, message, named);
        bisection
    }

    /// The half-open range of rows to insert next; `None` where the search has ended. Until it is answered with
    /// [`accepted`](Self::accepted) or [`refused`](Self::refused) the same range comes again.
    pub fn next_range(&mut self) -> Option<Range<usize>> {
        if self.current.is_none() && !self.given_up {
            if self.inserts >= self.inserts_max && !self.pending.is_empty() {
                self.given_up = true;
                return None;
            }
            self.current = self.pending.pop();
            self.inserts += usize::from(self.current.is_some());
        }
        self.current.clone()
    }

    /// A search in `rows` rows, two or more, that are too many for one insert ([`FailureClass::Divide`](crate::FailureClass)).
    pub fn after_excess(rows: usize) -> Self {
        let mut bisection = Self::after_refusal(0, String::new(), None);
        bisection.halve(0..rows);
        bisection
    }

    /// The range that was handed out is stored.
    pub fn accepted(&mut self) {
        if let Some(range) = self.current.take() {
            self.hints.accepted(&range);
        }
    }

    /// The range that was handed out is refused, for what its rows contain. `named` is the row that the refusal names,
    /// counted from 0 at the start of the range.
    pub fn refused(&mut self, message: String, named: Option<usize>) {
        if let Some(range) = self.current.take() {
            self.last_message.clone_from(&message);
            self.narrow(range, message, named);
        }
    }

    /// The range that was handed out, two rows or more, is too much for one insert; none of its rows is refused for that.
    pub fn exceeded(&mut self) {
        if let Some(range) = self.current.take() {
            self.halve(range);
        }
    }

    fn halve(&mut self, range: Range<usize>) {
        let middle = range.start + range.len() / 2;
        let parts = [middle..range.end, range.start..middle];
        self.pending.extend(parts.into_iter().filter(|part| !part.is_empty()));
    }

    fn narrow(&mut self, range: Range<usize>, message: String, named: Option<usize>) {
        let named = self.hints.refused(&range, named.map(|row| range.start.saturating_add(row)));
        match range.len() {
            0 => {}
            1 if self.refused.len() >= Self::REFUSED_MAX => {
                self.pending.clear();
                self.given_up = true;
            }
            1 => self.refused.push(RefusedRow { index: range.start, message }),
            rows => {
                let cuts = cuts(rows, named.map(|row| row - range.start));
                let [first, second] = cuts.map(|cut| range.start + cut);
                let parts = [second..range.end, first..second, range.start..first];
                self.pending.extend(parts.into_iter().filter(|part| !part.is_empty()));
            }
        }
    }

    /// The refused rows, in the order of the batch.
    ///
    /// # Errors
    /// [`TooManyRefused`] where the search was given up, or ended before [`next_range`](Self::next_range) said `None`.
    /// Rows that were accepted until then are stored.
    pub fn finish(self) -> Result<Vec<RefusedRow>, TooManyRefused> {
        if self.given_up || self.current.is_some() || !self.pending.is_empty() {
            return Err(TooManyRefused { refused: self.refused.len(), last_message: self.last_message });
        }
        Ok(self.refused)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Runs a search in which the server names the rows that `name` says; returns how often each row was accepted, the
    /// inserts that it took, and the outcome.
    fn run(
        rows: usize,
        bad: &BTreeSet<usize>,
        mut name: impl FnMut(&Range<usize>, usize) -> Option<usize>,
    ) -> (Vec<usize>, usize, Result<Vec<RefusedRow>, TooManyRefused>) {
        let mut accepted = vec![0; rows];
        let mut inserts = 0;
        let mut search = Bisection::after_refusal(rows, "batch".to_owned(), None);
        let mut last_end = 0;
        while let Some(range) = search.next_range() {
            inserts += 1;
            match bad.range(range.clone()).next() {
                Some(first) => search.refused(format!("row {first}"), name(&range, first - range.start)),
                None => {
                    assert!(range.start >= last_end, "rows are stored in order");
                    last_end = range.end;
                    accepted[range].iter_mut().for_each(|times| *times += 1);
                    search.accepted();
                }
            }
        }
        (accepted, inserts, search.finish())
    }

    proptest! {
        #[test]
        fn each_good_row_is_stored_once_and_each_bad_row_is_found(
            rows in 1_usize..3_000,
            bad in prop::collection::btree_set(0_usize..3_000, 1..40),
            hints in prop::collection::vec(prop::option::of(0_usize..4_000), 1..20),
            honest in 0_usize..20,
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().map(|row| row % rows).collect();
            // Some hints are right, some are missing, and some mislead.
            let mut asked = 0;
            let (accepted, _, refused) = run(rows, &bad, |_, first| {
                asked += 1;
                if asked % (honest + 1) != 0 { Some(first) } else { hints[asked % hints.len()] }
            });
            let found: BTreeSet<usize> = refused.unwrap().into_iter().map(|row| {
                // The message is the row's own wherever it was inserted alone.
                assert!(rows == 1 || row.message == format!("row {}", row.index));
                row.index
            }).collect();
            prop_assert_eq!(&found, &bad);
            for (row, times) in accepted.into_iter().enumerate() {
                prop_assert_eq!(times, usize::from(!bad.contains(&row)));
            }
        }
    }

    proptest! {
        /// The server takes `reach_max` groups of rows in one insert, and says so before it looks at rows.
        #[test]
        fn what_is_too_much_for_one_insert_arrives_in_several_and_is_no_refused_row(
            groups in prop::collection::vec(0_u8..40, 2..400),
            reach_max in 1_usize..30,
            bad in prop::collection::btree_set(0_usize..400, 0..10),
        ) {
            let is_bad = |row: usize| bad.contains(&row);
            let mut accepted = vec![0; groups.len()];
            let mut search = Bisection::after_excess(groups.len());
            while let Some(range) = search.next_range() {
                let reach = groups[range.clone()].iter().collect::<BTreeSet<_>>().len();
                if reach > reach_max {
                    search.exceeded();
                } else if let Some(first) = range.clone().find(|row| is_bad(*row)) {
                    search.refused(String::new(), Some(first - range.start));
                } else {
                    accepted[range].iter_mut().for_each(|times| *times += 1);
                    search.accepted();
                }
            }
            let found: BTreeSet<usize> = search.finish().unwrap().into_iter().map(|row| row.index).collect();
            for (row, times) in accepted.into_iter().enumerate() {
                prop_assert_eq!(times, usize::from(!is_bad(row)));
                prop_assert_eq!(found.contains(&row), is_bad(row));
            }
        }
    }

    #[test]
    fn one_bad_row_in_a_million_is_found_with_forty_inserts() {
        let mut search = Bisection::after_refusal(1_000_000, String::new(), None);
        let mut inserts = 0;
        while let Some(range) = search.next_range() {
            inserts += 1;
            if range.contains(&777_777) { search.refused(String::new(), None) } else { search.accepted() }
        }
        assert!(inserts <= 40, "{inserts}");
        assert_eq!(search.finish().unwrap().len(), 1);
    }

    #[test]
    fn rows_that_are_named_take_three_inserts_each() {
        let bad: BTreeSet<usize> = [5, 70_000, 777_777].into();
        let (_, inserts, refused) = run(1_000_000, &bad, |_, first| Some(first));
        assert_eq!(refused.unwrap().len(), 3);
        // The first refusal of all names none.
        assert!(inserts <= 3 * 3 + 3, "{inserts}");
    }

    #[test]
    fn a_server_that_always_misleads_costs_little_more_than_one_that_names_nothing() {
        let bad: BTreeSet<usize> = [777_777].into();
        let (_, silent, _) = run(1_000_000, &bad, |_, _| None);
        for name in [0, usize::MAX] {
            let (_, inserts, refused) = run(1_000_000, &bad, |range, _| Some(name.min(range.len() - 1)));
            assert_eq!(refused.unwrap().len(), 1);
            assert!(inserts <= 3 * silent, "{inserts} for {silent}");
        }
    }

    #[test]
    fn a_batch_that_is_all_bad_is_given_up_within_the_limit() {
        let rows = 100_000;
        let mut search = Bisection::after_refusal(rows, String::new(), Some(0));
        let mut inserts = 0;
        while search.next_range().is_some() {
            inserts += 1;
            search.refused("bad".to_owned(), Some(0));
        }
        assert!(inserts <= Bisection::INSERTS_MAX);
        let too_many = search.finish().unwrap_err();
        assert!(too_many.refused <= Bisection::REFUSED_MAX);
        assert_eq!(too_many.last_message, "bad");
    }

    #[test]
    fn a_search_that_was_cut_off_does_not_report_success() {
        let mut search = Bisection::after_refusal(4, "batch".to_owned(), None);
        assert_eq!(search.next_range(), Some(0..2));
        assert_eq!(search.next_range(), Some(0..2), "an unanswered range comes again");
        assert!(search.finish().is_err());
    }

    #[test]
    fn a_single_row_needs_no_insert() {
        let mut search = Bisection::after_refusal(1, "bad".to_owned(), Some(0));
        assert_eq!(search.next_range(), None);
        assert_eq!(search.finish().unwrap(), [RefusedRow { index: 0, message: "bad".to_owned() }]);
    }
}
