//! The kernels: all unsafe code of this crate, and nothing that decides about a record.
//!
//! A kernel either encodes a record just as the exact path would, or gives up and leaves it to the exact path.
//! [`lane`] says why every access stays inside its buffer. [`Simd`](simd::Simd) has one implementation for each level of
//! instructions; everything else is generic over it and inlined into one function per level, which alone carries the
//! level's instructions.
#![expect(
    unsafe_code,
    reason = "blocks of bytes are read and written through pointers; each block says why it holds"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bits are cut and joined on purpose; each cast that could lose says why it does not"
)]
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a level's function has its instructions"
)]

#[cfg(test)]
mod agreement;
mod append;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod by_column;
mod group;
mod index;
mod lane;
mod moment;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
mod nested;
mod number;
mod padded;
mod portable;
mod record;
mod simd;
mod text;
mod utf8;
mod value;

pub(crate) use append::{BLOCK_BYTES, append};
pub(crate) use by_column::Survey;
pub(crate) use group::LANES;
pub(crate) use index::Index;
pub(crate) use lane::{Bounds, GRAIN_BYTES, ROOM_BYTES};
pub(crate) use padded::Padded;
pub(crate) use record::{Stranger, Walk};
pub(crate) use value::{Context, opens_with_quote};

use simd::Simd;

use crate::engine::{Level, Tier};
use crate::fast::Shape;
use crate::plan::Plan;

/// Defines the entries with the instructions of a level.
macro_rules! entries {
    ($name:ident, $level:ty, $(#[$features:meta])*) => {
        mod $name {
            use super::{
                Bounds, Context, Index, LANES, Plan, Shape, Simd as _, Survey, Walk, by_column, group, record,
            };

            /// # Safety
            /// The processor has the instructions.
            $(#[$features])*
            pub(super) unsafe fn encode_record(
                walk: &mut Walk<'_>,
                bounds: &mut Bounds<'_>,
                context: &mut Context<'_>,
            ) -> Option<()> {
                // SAFETY: bounds are made from live buffers alone.
                unsafe { record::record::<$level>(walk, bounds, context) }
            }

            /// # Safety
            /// The processor has the instructions.
            $(#[$features])*
            pub(super) unsafe fn record_by_column(
                survey: &mut Survey<'_>,
                index: &mut Index,
                bounds: &mut Bounds<'_>,
                context: &mut Context<'_>,
            ) -> Option<()> {
                // SAFETY: bounds are made from live buffers alone.
                unsafe { by_column::record::<$level>(survey, index, bounds, context) }
            }

            /// # Safety
            /// The processor has the instructions.
            $(#[$features])*
            pub(super) unsafe fn group_by_column(
                survey: &mut Survey<'_>,
                indexes: &mut [Index; LANES],
                bounds: &mut [Bounds<'_>; LANES],
                context: &mut Context<'_>,
            ) -> Option<()> {
                // SAFETY: bounds are made from live buffers alone.
                unsafe { by_column::group::<$level>(survey, indexes, bounds, context) }
            }

            /// # Safety
            /// The processor has the instructions.
            $(#[$features])*
            pub(super) unsafe fn are_utf8(records: &[&[u8]], is_ascii: &mut bool) -> bool {
                // SAFETY: the same contract.
                records.iter().all(|record| unsafe { <$level>::is_utf8(record, is_ascii) })
            }

            /// # Safety
            /// The processor has the instructions.
            $(#[$features])*
            pub(super) unsafe fn encode_group(
                plan: &Plan,
                shape: &Shape,
                bounds: &mut [Bounds<'_>; LANES],
                context: &mut Context<'_>,
                starts: &mut [Vec<usize>; LANES],
            ) -> Option<()> {
                // SAFETY: bounds are made from live buffers alone.
                unsafe { group::group::<$level>(plan, shape, bounds, context, starts) }
            }
        }
    };
}

entries!(with_portable, crate::kernels::portable::Portable,);
#[cfg(target_arch = "x86_64")]
entries!(
    with_avx2,
    crate::kernels::avx2::Avx2,
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
);
#[cfg(target_arch = "x86_64")]
entries!(
    with_avx512,
    crate::kernels::avx512::Avx512,
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
);

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
entries!(
    with_neon,
    crate::kernels::neon::Neon,
    #[target_feature(enable = "neon")]
);

/// Calls the entry of a tier. A [`Tier`] exists only where its level was seen to be there.
macro_rules! by_tier {
    ($tier:ident, $entry:ident($($argument:ident),*)) => {
        // SAFETY: the processor has the tier's instructions.
        unsafe {
            match $tier.level() {
                Level::Portable => with_portable::$entry($($argument),*),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => with_avx2::$entry($($argument),*),
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => with_avx512::$entry($($argument),*),
                #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
                Level::Neon => with_neon::$entry($($argument),*),
            }
        }
    };
}

/// Whether the processor has the instructions of the level.
pub(crate) fn has(level: Level) -> bool {
    match level {
        Level::Portable => true,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("bmi1")
                && std::arch::is_x86_feature_detected!("bmi2")
                && std::arch::is_x86_feature_detected!("lzcnt")
                && std::arch::is_x86_feature_detected!("popcnt")
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            has(Level::Avx2)
                && std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512bw")
                && std::arch::is_x86_feature_detected!("avx512vl")
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
    }
}

/// Encodes one record into the buffer of its bounds; none where the exact path has to say more.
pub(crate) fn encode_record(
    tier: Tier,
    walk: &mut Walk<'_>,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<()> {
    by_tier!(tier, encode_record(walk, bounds, context))
}

/// Encodes one flat record into the buffer of its bounds; none where another path has to say more.
pub(crate) fn record_by_column(
    tier: Tier,
    survey: &mut Survey<'_>,
    index: &mut Index,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<()> {
    by_tier!(tier, record_by_column(survey, index, bounds, context))
}

/// Encodes a group of flat records, as [`record_by_column`] does each.
pub(crate) fn group_by_column(
    tier: Tier,
    survey: &mut Survey<'_>,
    indexes: &mut [Index; LANES],
    bounds: &mut [Bounds<'_>; LANES],
    context: &mut Context<'_>,
) -> Option<()> {
    by_tier!(tier, group_by_column(survey, indexes, bounds, context))
}

/// Whether all records are UTF-8. `is_ascii` is kept from call to call: whether the last record was ASCII.
pub(crate) fn are_utf8(tier: Tier, records: &[&[u8]], is_ascii: &mut bool) -> bool {
    by_tier!(tier, are_utf8(records, is_ascii))
}

/// Encodes a group of records that have the shape; none where one of them does not, or where the exact path has to say
/// more.
pub(crate) fn encode_group(
    tier: Tier,
    plan: &Plan,
    shape: &Shape,
    bounds: &mut [Bounds<'_>; LANES],
    context: &mut Context<'_>,
    starts: &mut [Vec<usize>; LANES],
) -> Option<()> {
    by_tier!(tier, encode_group(plan, shape, bounds, context, starts))
}
