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
