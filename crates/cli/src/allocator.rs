//! The allocator of the C library, told to keep less memory than it would.

/// Arenas of glibc's allocator, at most; its own limit is eight for each core. An arena keeps what its threads have freed, and
/// librdkafka frees in one thread what it has got in another: with many arenas tens of MiB stay behind in each of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MAX: std::ffi::c_int = 2;

/// Limits the arenas. To be called before another thread is there.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc has this setting in its interface for C alone")]
pub(crate) fn limit_arenas() {
    if ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"].iter().any(|name| std::env::var_os(name).is_some()) {
        // Whoever runs it has a wish.
        return;
    }
    // SAFETY: two numbers are handed over, and no other thread runs. Where it is refused, everything stays as it was.
    unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, ARENAS_MAX) };
}

/// Other allocators have no arenas of this kind.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn limit_arenas() {}
