//! The allocator of the process: jemalloc, for librdkafka as well.
//!
//! librdkafka allocates a record's bookkeeping in one thread, and the thread that reads the records frees it. With glibc both
//! wait for the lock of one arena; jemalloc's threads have caches of their own, and give back in lots.
//!
//! A static of this name is where jemalloc looks for its options, and `MALLOC_CONF` in the environment has the last word:
//! <https://jemalloc.net/jemalloc.3.html#tuning>.

use std::ffi::c_char;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// - `narenas`: four arenas, whatever the number of cores. Each keeps what was freed in it, and two have their threads wait for
///   each other.
/// - `dirty_decay_ms`: freed pages are back with the system after 1 s, and not after 10.
/// - `oversize_threshold`: none. Otherwise a buffer of 8 MiB goes back at once when it is freed, and its pages are asked for
///   again, one fault each, with the next fetch.
#[expect(unsafe_code, reason = "jemalloc finds its options by the name of a C symbol")]
// SAFETY: jemalloc declares `const char *malloc_conf`, a weak symbol that this one takes the place of, and nothing else in the process
// has this name. A reference is a pointer to it, and never null; the text ends with a null byte and is never written.
#[unsafe(export_name = "malloc_conf")]
static OPTIONS: &c_char = {
    const TEXT: &std::ffi::CStr = c"narenas:4,dirty_decay_ms:1000,oversize_threshold:0";
    // SAFETY: it points to the first byte of a text that lives for ever.
    unsafe { &*TEXT.as_ptr() }
};
