//! A global allocator that counts, for each thread, what is asked of it.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait; every call is handed on as it came")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, live_bytes: 0, peak_bytes: 0 }) };
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    allocations: u64,
    /// Below zero where this thread frees what another one allocated.
    live_bytes: i64,
    peak_bytes: i64,
}

/// The system's allocator, counted.
#[derive(Debug)]
pub(crate) struct Counting;

/// What a piece of code asked of the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Blocks that were allocated or grown.
    pub(crate) allocations: u64,
    /// Bytes that were held at once, at most, beyond those held before.
    pub(crate) peak_bytes: i64,
    /// Bytes that are still held, beyond those held before.
    pub(crate) kept_bytes: i64,
}

/// Runs the code on this thread and tells what it asked of the allocator.
pub(crate) fn measure<T>(code: impl FnOnce() -> T) -> (T, Usage) {
    let before = COUNTS.get();
    COUNTS.set(Counts { peak_bytes: before.live_bytes, ..before });
    let result = code();
    let after = COUNTS.get();
    COUNTS.set(Counts { peak_bytes: after.peak_bytes.max(before.peak_bytes), ..after });
    let usage = Usage {
        allocations: after.allocations - before.allocations,
        peak_bytes: after.peak_bytes - before.live_bytes,
        kept_bytes: after.live_bytes - before.live_bytes,
    };
    (result, usage)
}

fn count(allocations: u64, grown_bytes: i64) {
    // A thread that ends frees its own variables last, when there is nothing left to count in.
    let _ = COUNTS.try_with(|cell| {
        let Counts { allocations: so_far, live_bytes, peak_bytes } = cell.get();
        let live_bytes = live_bytes + grown_bytes;
        cell.set(Counts {
            allocations: so_far + allocations,
            live_bytes,
            peak_bytes: peak_bytes.max(live_bytes),
        });
    });
}

/// A size is at most `isize::MAX`, which `Layout` guarantees.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: `System` does the work with the very arguments that came, and the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: the caller's promise is that of `System::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: the caller's promise is that of `System::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, -signed(layout.size()));
        // SAFETY: the caller's promise is that of `System::dealloc`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, signed(new_size) - signed(layout.size()));
        // SAFETY: the caller's promise is that of `System::realloc`.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
