//! Counting what is allocated, for a program that makes [`Counting`] its allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static COUNTS: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The system's allocator; it counts during [`count`] alone, so that nobody pays for it while time is taken.
///
/// ```
/// use housepipe_benches::transform::allocations::{Counting, count};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// assert_eq!(count(|| drop(Vec::<u8>::with_capacity(10))), 1);
/// ```
#[derive(Debug)]
pub struct Counting;

impl Counting {
    #[inline]
    fn note() {
        if COUNTS.load(Ordering::Relaxed) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by contract; every call goes to the system's as it came"
)]
// SAFETY: each method hands its arguments to `System` unchanged and returns what that returns, so the contract that
// the caller keeps with us is the one that `System` asks for. Counting touches atomics alone and never allocates.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::note();
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Counting::note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        Counting::note();
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, bytes) }
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

/// How often all threads allocate or grow memory meanwhile. Zero in a program whose allocator is another one.
pub fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.load(Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    work();
    COUNTS.store(false, Ordering::Relaxed);
    COUNT.load(Ordering::Relaxed) - before
}
