//! Whether keys are guessed: as long as that pays.

/// Wrong guesses in a record, in percent of its keys, above which guessing does not pay.
const MISSES_PERCENT_MAX: usize = 12;
/// What a record with more wrong guesses adds to the debt; one with fewer takes 1 from it. Guessing stops to pay where a
/// third of the records are such.
const BAD_RECORD_DEBT: u32 = 2;
/// The debt at which guessing stops for a while.
const DEBT_MAX: u32 = 16;
/// Records without guesses before the next try: the first time.
const PAUSE_RECORDS_FIRST: u32 = 128;
/// Records without guesses before the next try: each time twice as many, up to this.
const PAUSE_RECORDS_MAX: u32 = 8_192;

/// What guesses have cost lately, and for how long they rest.
#[derive(Debug, Default)]
pub(super) struct Guessing {
    debt: u32,
    /// Records that were guessed since the last pause.
    records: u32,
    /// Records that are still not guessed, and how many they were at first.
    pause: u32,
    last_pause: u32,
}

impl Guessing {
    /// Whether the keys of the next record are guessed.
    #[inline(always)]
    pub(super) fn is_on(&self) -> bool {
        self.pause == 0
    }

    /// Counts records that were not guessed.
    #[inline(always)]
    pub(super) fn passed(&mut self, records: usize) {
        self.pause = self.pause.saturating_sub(u32::try_from(records).unwrap_or(u32::MAX));
    }

    /// Judges a record by its wrong guesses.
    #[inline(always)]
    pub(super) fn judge(&mut self, misses: usize, keys: usize) {
        self.records = self.records.saturating_add(1);
        if misses * 100 <= keys * MISSES_PERCENT_MAX {
            self.debt = self.debt.saturating_sub(1);
            return;
        }
        self.debt += BAD_RECORD_DEBT;
        if self.debt > DEBT_MAX {
            // Guesses that have paid for longer than the last pause are soon tried again.
            let twice = (self.last_pause * 2).clamp(PAUSE_RECORDS_FIRST, PAUSE_RECORDS_MAX);
            let pause = if self.records > self.last_pause { PAUSE_RECORDS_FIRST } else { twice };
            *self = Guessing { debt: 0, records: 0, pause, last_pause: pause };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges records with ten keys each, `bad` of a hundred with a wrong guess in every key, until guessing stops.
    fn records_until_a_pause(guessing: &mut Guessing, bad: usize) -> Option<usize> {
        (0..10_000).find(|index| {
            let misses = if index * bad % 100 < bad { 10 } else { 0 };
            guessing.judge(misses, 10);
            !guessing.is_on()
        })
    }

    #[test]
    fn guessing_stops_where_more_than_a_third_of_the_records_are_bad() {
        assert_eq!(records_until_a_pause(&mut Guessing::default(), 30), None);
        assert!(records_until_a_pause(&mut Guessing::default(), 40).is_some());
        assert_eq!(records_until_a_pause(&mut Guessing::default(), 100), Some(8));
    }

    #[test]
    fn pauses_grow_while_guesses_stay_wrong_and_start_anew_where_they_paid() {
        let mut guessing = Guessing::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            records_until_a_pause(&mut guessing, 100);
            let pause = (0..).find(|_| {
                guessing.passed(1);
                guessing.is_on()
            });
            pauses.push(pause.map_or(0, |passed: u32| passed + 1));
        }
        assert_eq!(pauses, [128, 256, 512, 1_024, 2_048, 4_096, 8_192, 8_192, 8_192]);
        for _ in 0..8_192 {
            guessing.judge(0, 10);
        }
        records_until_a_pause(&mut guessing, 100);
        guessing.passed(127);
        assert!(!guessing.is_on());
        guessing.passed(4);
        assert!(guessing.is_on());
    }
}
