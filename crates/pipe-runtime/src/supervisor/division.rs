//! How one budget of memory is divided among the pipes of a process.

/// Divides a budget among the pipes that run.
///
/// A pipe takes its share when it starts. Shares are cut for a power of two of pipes, so that few of the pipes that come make those that run
/// start anew with less.
#[derive(Debug, Clone, Copy)]
pub(super) struct Division {
    bytes: usize,
}

/// The least share, in bytes: with less, batches would be so small that ClickHouse gets too many parts. Where there is no room for another one, a
/// pipe waits.
pub(super) const SHARE_BYTES_MIN: usize = 4 << 20;

impl Division {
    pub(super) fn of(bytes: usize) -> Division {
        Division { bytes }
    }

    /// The share of each of `pipes` pipes, in bytes.
    pub(super) fn share(self, pipes: usize) -> usize {
        (self.bytes / pipes.max(1).next_power_of_two()).max(SHARE_BYTES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_are_the_budget_at_most() {
        let division = Division::of(1 << 30);
        for pipes in 1..=256 {
            let share = division.share(pipes);
            assert!(share * pipes <= 1 << 30, "{pipes} pipes of {share}");
            assert!(share * pipes * 2 > 1 << 30, "{pipes} pipes leave more than half of it");
        }
        assert_eq!(division.share(0), 1 << 30);
        assert_eq!(division.share(100_000), SHARE_BYTES_MIN, "those beyond it wait");
    }

    #[test]
    fn pipes_start_anew_only_as_often_as_their_number_doubles() {
        let division = Division::of(1 << 30);
        let mut renewed = 0;
        let mut share = division.share(1);
        for pipes in 1..=1_000 {
            if share > division.share(pipes) {
                (share, renewed) = (division.share(pipes), renewed + 1);
            }
        }
        assert_eq!(renewed, 8);
    }
}
