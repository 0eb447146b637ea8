//! How long an attempt that fails is not made again.

/// Attempts that are passed over after one that failed, at most.
const ATTEMPTS_MAX: u32 = 64;

/// Attempts to pass over: none after a failure that stands alone, such as a bad record among good ones; one after the
/// second in a row, twice as many after each further one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    left: u32,
    next: u32,
}

impl Pause {
    pub(super) const NONE: Pause = Pause { left: 0, next: 0 };

    /// Whether to make the attempt; counts it where it is passed over.
    #[inline(always)]
    pub(super) fn is_over(&mut self) -> bool {
        let is_over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_over
    }

    /// Notes whether the attempt succeeded.
    #[inline(always)]
    pub(super) fn note(&mut self, succeeded: bool) {
        if succeeded {
            self.next = 0;
        } else {
            self.left = self.next;
            self.next = (self.next * 2).clamp(1, ATTEMPTS_MAX);
        }
    }
}

impl Default for Pause {
    fn default() -> Self {
        Pause::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many attempts are passed over before the next one is made.
    fn passed_over(pause: &mut Pause) -> usize {
        (0..).take_while(|_| !pause.is_over()).count()
    }

    #[test]
    fn a_failure_alone_costs_nothing_and_many_cost_more_and_more() {
        let mut pause = Pause::NONE;
        let mut costs = Vec::new();
        for _ in 0..10 {
            assert_eq!(passed_over(&mut pause), costs.last().copied().unwrap_or(0));
            pause.note(false);
            costs.push(pause.left as usize);
        }
        assert_eq!(costs, [0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
        assert_eq!(passed_over(&mut pause), 64);
        pause.note(true);
        pause.note(false);
        assert_eq!(passed_over(&mut pause), 0);
    }
}
