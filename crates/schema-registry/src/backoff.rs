//! How long to wait before the next attempt.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// The first pause before jitter, in milliseconds.
const FIRST_MS: u64 = 100;
/// The longest pause that is not asked for by the registry, in milliseconds.
const LONGEST_MS: u64 = 5_000;

/// The pause after attempt number `attempt`, counted from 0, in milliseconds: between half of the step and the step; steps
/// double. `random` is any number.
pub(crate) fn delay_ms(attempt: u32, random: u64) -> u64 {
    let step_ms = FIRST_MS.saturating_mul(1 << attempt.min(16)).min(LONGEST_MS);
    step_ms / 2 + random % (step_ms / 2 + 1)
}

/// A number that differs from call to call, from the keys that the standard library draws for its maps.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(
            [0, 1, 2, 5, 6, 31, u32::MAX].map(|n| delay_ms(n, 0)),
            [50, 100, 200, 1_600, 2_500, 2_500, 2_500]
        );
        for random in [0, 1, 99, u64::MAX] {
            assert!((2_500..=LONGEST_MS).contains(&delay_ms(9, random)));
        }
    }
}
