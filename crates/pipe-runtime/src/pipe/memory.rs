//! How one budget of memory is divided: what is fetched ahead, the batches that are filled, and those in flight.

/// What each part of a pipe may hold, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Records fetched ahead, over all partitions.
    pub(super) prefetch_bytes_max: usize,
    /// At which a batch is closed.
    pub(super) batch_bytes_max: usize,
    /// Of all open batches of a worker, where each partition has one of its own.
    pub(super) open_bytes_max: usize,
}

impl Shares {
    /// Divides `memory_bytes`: a quarter at most for what is fetched ahead, the rest in equal parts for the batches that
    /// may exist at the same time. A batch never gets more than the pipe file wants.
    pub(super) fn of(
        memory_bytes: usize,
        prefetch_wanted: usize,
        batch_wanted: usize,
        workers: usize,
        inserts_in_flight_max: usize,
        is_exactly_once: bool,
    ) -> Shares {
        let prefetch_bytes_max = prefetch_wanted.min(memory_bytes / 4);
        // Where each partition has a batch of its own, those of a worker hold as much as two.
        let open = if is_exactly_once { 2 } else { 1 };
        let batches = workers.max(1) * open + inserts_in_flight_max.max(1);
        let share = (memory_bytes - prefetch_bytes_max) / batches;
        let batch_bytes_max = batch_wanted.min(share).max(1);
        Shares { prefetch_bytes_max, batch_bytes_max, open_bytes_max: batch_bytes_max.saturating_mul(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_shares_together_are_the_budget_or_less() {
        for memory in [16 * MIB, 64 * MIB, 256 * MIB, 4_096 * MIB] {
            for (workers, in_flight) in [(1, 1), (2, 2), (8, 4), (64, 64)] {
                for is_exactly_once in [false, true] {
                    let shares = Shares::of(memory, 24 * MIB, 32 * MIB, workers, in_flight, is_exactly_once);
                    let open = if is_exactly_once { shares.open_bytes_max } else { shares.batch_bytes_max };
                    let all = shares.prefetch_bytes_max + workers * open + in_flight * shares.batch_bytes_max;
                    assert!(all <= memory, "{memory} {workers} {in_flight}: {shares:?}");
                }
            }
        }
    }

    #[test]
    fn the_usual_budget_cuts_no_batch_short() {
        for is_exactly_once in [false, true] {
            let shares = Shares::of(256 * MIB, 24 * MIB, 32 * MIB, 2, 2, is_exactly_once);
            assert_eq!((shares.prefetch_bytes_max, shares.batch_bytes_max), (24 * MIB, 32 * MIB));
        }
    }
}
