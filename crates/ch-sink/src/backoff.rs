//! How long to wait before the next attempt.

/// Exponential backoff with jitter. It draws no random numbers and reads no clock: the caller gives and takes numbers.
///
/// ```
/// let mut backoff = housepipe_ch_sink::Backoff::default();
/// assert_eq!(backoff.next_delay_ms(0.0), 100); // half of 200 ms
/// assert_eq!(backoff.next_delay_ms(0.0), 200);
/// backoff.reset();
/// assert_eq!(backoff.next_delay_ms(0.0), 100);
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    next_ms: u64,
}

impl Backoff {
    /// The first delay before jitter, in milliseconds.
    pub const FIRST_MS: u64 = 200;
    /// The longest delay, in milliseconds.
    pub const LONGEST_MS: u64 = 30_000;

    /// The next delay in milliseconds, between half of the step and the step; steps double up to [`Self::LONGEST_MS`].
    ///
    /// `random` is a number in `[0, 1)`; what lies outside is taken as the nearest bound.
    pub fn next_delay_ms(&mut self, random: f64) -> u64 {
        let step_ms = self.next_ms;
        self.next_ms = (step_ms * 2).min(Self::LONGEST_MS);
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.0 };
        // 10 bits of randomness spread the retries enough, and keep the arithmetic in integers.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in [0, 1024] by the clamp"
        )]
        let share = (random * 1024.0) as u64;
        step_ms / 2 + (step_ms / 2) * share / 1024
    }

    /// Starts again from the first delay, after a success.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { next_ms: Self::FIRST_MS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_limit_and_stay_there() {
        let mut backoff = Backoff::default();
        let delays: Vec<u64> = (0..12).map(|_| backoff.next_delay_ms(1.0)).collect();
        assert_eq!(delays[..5], [200, 400, 800, 1_600, 3_200]);
        assert_eq!(delays[8..], [Backoff::LONGEST_MS; 4]);
    }

    #[test]
    fn odd_random_numbers_stay_within_bounds() {
        for random in [f64::NAN, f64::INFINITY, -1.0, 7.0] {
            let delay_ms = Backoff::default().next_delay_ms(random);
            assert!((Backoff::FIRST_MS / 2..=Backoff::FIRST_MS).contains(&delay_ms), "{random}: {delay_ms}");
        }
    }
}
