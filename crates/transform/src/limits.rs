//! Limits on what one record may make the encoder do. The constants are their defaults; [`Limits`] holds those of a plan.

/// Bytes of one record, at most (16 MiB).
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Levels of nested arrays and objects in one record, at most.
pub const DEPTH_MAX: usize = 1_000;
/// Keys of all objects of one record together, at most.
pub const FIELDS_MAX: usize = 10_000;
/// Bytes of one encoded row, at most (64 MiB): a short record can stand for many wide defaults.
pub const ROW_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Unknown keys counted by name; the others only enter the total.
pub const UNKNOWN_KEYS_MAX: usize = 100;
/// Bytes kept of the name of an unknown key.
pub const UNKNOWN_KEY_BYTES_MAX: usize = 256;
/// Nesting of a column's type, at most. It bounds the recursion of the encoder, together with its stack.
pub const TYPE_DEPTH_MAX: usize = 64;

/// Limits that a plan enforces on every record. A record that passes one is rejected, never cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one record, at most.
    pub record_bytes_max: usize,
    /// Levels of nested arrays and objects, at most.
    pub depth_max: usize,
    /// Keys of all objects of one record together, at most.
    pub fields_max: usize,
    /// Bytes of one encoded row, at most.
    pub row_bytes_max: usize,
    /// Unknown keys counted by name.
    pub unknown_keys_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: RECORD_BYTES_MAX,
            depth_max: DEPTH_MAX,
            fields_max: FIELDS_MAX,
            row_bytes_max: ROW_BYTES_MAX,
            unknown_keys_max: UNKNOWN_KEYS_MAX,
        }
    }
}
