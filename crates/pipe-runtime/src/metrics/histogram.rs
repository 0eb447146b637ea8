//! Values counted by their size.

/// The buckets of a histogram, in whole numbers of a small unit, so that adding up is exact.
#[derive(Debug, PartialEq, Eq)]
pub struct Scale {
    /// The largest value of each bucket, ascending; behind the last bound is one bucket more.
    pub bounds: &'static [u64],
    /// How many of the small unit make one of the unit that is shown: 1,000 where values are milliseconds and seconds are shown.
    pub per_unit: u32,
}

/// From a record's timestamp to its acknowledged insert, in milliseconds: from the least wait of a batch to a day of backlog.
pub static LATENCY_MS: Scale = Scale {
    bounds: &[
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000,
        86_400_000,
    ],
    per_unit: 1_000,
};

/// Rows of an insert.
pub static INSERT_ROWS: Scale = Scale {
    bounds: &[1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000],
    per_unit: 1,
};

/// Time of an insert, in microseconds.
pub static INSERT_US: Scale = Scale {
    bounds: &[
        5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000, 30_000_000, 60_000_000,
    ],
    per_unit: 1_000_000,
};

/// Counts of values by their size, and their sum.
///
/// ```
/// use housepipe_runtime::metrics::{Histogram, INSERT_ROWS};
/// let mut rows = Histogram::new(&INSERT_ROWS);
/// rows.observe(10, 1);
/// rows.observe(11, 2);
/// assert_eq!((rows.count(), rows.sum()), (3, 32.0));
/// assert_eq!(rows.cumulative().nth(1), Some((Some(10.0), 1)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    scale: &'static Scale,
    /// Of each bucket by itself.
    counts: Vec<u64>,
    /// A day of backlog at a million rows a second would fill 64 bits within a few days.
    sum: u128,
}

impl Histogram {
    /// One without values.
    pub fn new(scale: &'static Scale) -> Histogram {
        Histogram { scale, counts: vec![0; scale.bounds.len() + 1], sum: 0 }
    }

    /// Counts `value`, in the small unit of the scale, so many times.
    pub fn observe(&mut self, value: u64, times: u64) {
        let bucket = self.scale.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += times;
        self.sum += u128::from(value) * u128::from(times);
    }

    /// Adds the values of another one of the same scale.
    pub fn add(&mut self, other: &Histogram) {
        debug_assert_eq!(self.scale, other.scale, "values of one kind are added to those of the same");
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        self.sum += other.sum;
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum, in the unit that is shown.
    pub fn sum(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a sum for display")]
        let sum = self.sum as f64;
        sum / f64::from(self.scale.per_unit)
    }

    /// For each bound, in the unit that is shown, how many values are not above it; without a bound, of all of them.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = self.scale.bounds.iter().map(|bound| {
            #[expect(clippy::cast_precision_loss, reason = "a bound, far below 53 bits")]
            let bound = *bound as f64;
            Some(bound / f64::from(self.scale.per_unit))
        });
        bounds.chain([None]).zip(&self.counts).scan(0, |seen, (bound, count)| {
            *seen += count;
            Some((bound, *seen))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_whose_bound_it_does_not_pass() {
        for scale in [&LATENCY_MS, &INSERT_ROWS, &INSERT_US] {
            assert!(scale.bounds.is_sorted_by(|a, b| a < b), "{scale:?}");
            for (at, bound) in scale.bounds.iter().enumerate() {
                let mut histogram = Histogram::new(scale);
                histogram.observe(*bound, 3);
                histogram.observe(bound + 1, 4);
                let below: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
                assert!(below[..at].iter().all(|count| *count == 0), "{bound}: {below:?}");
                assert_eq!(below[at], 3, "{bound}: {below:?}");
                assert!(below[at + 1..].iter().all(|count| *count == 7), "{bound}: {below:?}");
                assert_eq!(histogram.count(), 7);
            }
        }
    }

    #[test]
    fn bounds_and_sums_are_shown_in_the_unit_of_the_metric() {
        let mut latency = Histogram::new(&LATENCY_MS);
        latency.observe(1_500, 2);
        latency.observe(u64::MAX, 1);
        let mut both = latency.clone();
        both.add(&latency);
        assert_eq!(both.count(), 6);
        assert!(both.sum() > 3e16 && both.sum() == 2.0 * latency.sum());
        let (first, _) = latency.cumulative().next().unwrap();
        assert_eq!((first, latency.cumulative().last()), (Some(0.1), Some((None, 3))));
    }
}
