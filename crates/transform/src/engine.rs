//! Which way records take through the encoder. It changes the speed, never a verdict or a byte.

use std::fmt;

use crate::kernels;

/// A level of SIMD instructions that the processor at hand has.
///
/// A value exists only where the processor was seen to have the instructions.
///
/// ```
/// use housepipe_transform::Tier;
/// assert!(Tier::all().contains(&Tier::portable()));
/// assert_eq!(Tier::all().last(), Some(&Tier::best()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    Neon,
}

impl Level {
    /// Every level of this kind of processor, the fastest last.
    const ALL: &[Level] = &[
        Level::Portable,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512,
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        Level::Neon,
    ];
}

impl Tier {
    /// Plain Rust: words of 64 bits, on every processor.
    #[must_use]
    pub const fn portable() -> Tier {
        Tier(Level::Portable)
    }

    /// The tiers that this processor has, the fastest last.
    #[must_use]
    pub fn all() -> Vec<Tier> {
        Level::ALL.iter().copied().filter(|level| kernels::has(*level)).map(Tier).collect()
    }

    /// The fastest tier of this processor.
    #[must_use]
    pub fn best() -> Tier {
        Tier::all().last().copied().unwrap_or(Tier::portable())
    }

    /// The tier of this name, where the processor has it.
    ///
    /// ```
    /// use housepipe_transform::Tier;
    /// assert_eq!(Tier::by_name("portable"), Some(Tier::portable()));
    /// assert_eq!(Tier::by_name("mmx"), None);
    /// ```
    #[must_use]
    pub fn by_name(name: &str) -> Option<Tier> {
        Tier::all().into_iter().find(|tier| tier.name() == name)
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }

    /// Its name: `portable`; `avx2` or `avx512` on x86-64; `neon` on little-endian AArch64.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Level::Neon => "neon",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fastest path that an encoder may take; what a path cannot do falls through to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Path {
    /// One strict walk over every record: the reference for the others.
    Exact,
    /// One record at a time: each key guessed from the key before it, or all of them found first where they have no order.
    General,
    /// Four records side by side, column by column: those of one shape, and flat ones that have nearly all columns,
    /// in any order.
    Lockstep,
}

/// Path and tier of an encoder. The default is the fastest of both; the others are there for tests and measurements.
///
/// ```
/// use housepipe_transform::{Engine, Path, Tier};
/// assert_eq!(Engine::default(), Engine::new(Path::Lockstep, Tier::best()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Engine {
    /// The fastest path that is taken.
    pub path: Path,
    /// The instructions that are used.
    pub tier: Tier,
}

impl Engine {
    /// The engine that takes this path at most, with these instructions.
    #[must_use]
    pub const fn new(path: Path, tier: Tier) -> Engine {
        Engine { path, tier }
    }

    /// The reference: the exact path alone.
    pub const EXACT: Engine = Engine { path: Path::Exact, tier: Tier::portable() };
}

impl Default for Engine {
    fn default() -> Self {
        Engine { path: Path::Lockstep, tier: Tier::best() }
    }
}
