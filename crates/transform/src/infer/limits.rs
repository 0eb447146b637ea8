//! Limits on what inference keeps, and what a caller may switch off.

/// Samples that are looked at, at most.
const SAMPLES_MAX: u64 = 1_000_000;
/// Bytes of one sample, at most (1 MiB, which is also what a Kafka broker takes unless it is told otherwise).
const SAMPLE_BYTES_MAX: usize = 1024 * 1024;
/// Columns, at most: keys of the samples themselves.
const COLUMNS_MAX: usize = 1_000;
/// Paths below the columns that are followed, at most, in all columns together: members of objects, elements of arrays.
const PATHS_MAX: usize = 4_000;
/// Keys of one nested object that are followed, at most; the others count as values of a Map.
const KEYS_MAX: usize = 256;
/// Bytes of a key, at most, of one that may become a column or the element of a Tuple.
const KEY_BYTES_MAX: usize = 256;
/// Levels of arrays and objects that are followed below a column, at most.
pub(super) const LEVELS_MAX: usize = 16;
/// Distinct values of one path that are told apart, at most: eight bytes each.
const DISTINCT_MAX: usize = 256;

/// Limits on what an [`Inference`](super::Inference) keeps. What lies beyond one is not an error: a value there becomes
/// JSON or String, and the reason says so. Only a sample that is too large, or one too many, is refused.
///
/// What is kept of a path is about 500 bytes, its key, and 2 KiB where its values are told apart: with the defaults 16 MiB
/// at most, and a few times as much for a moment while types are chosen.
///
/// ```
/// use housepipe_transform::{Inference, InferenceLimits};
///
/// let mut limits = InferenceLimits::default();
/// limits.levels_max = 0;
/// let mut inference = Inference::with_limits(limits);
/// inference.add(br#"{"user":{"id":7}}"#, 0)?;
/// assert_eq!(inference.finish(&Default::default()).columns[0].column.ty.to_string(), "JSON");
/// # Ok::<(), housepipe_transform::Reject>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InferenceLimits {
    /// Samples that are looked at, at most.
    pub samples_max: u64,
    /// Bytes of one sample, at most.
    pub sample_bytes_max: usize,
    /// Columns, at most.
    pub columns_max: usize,
    /// Paths below the columns that are followed, at most.
    pub paths_max: usize,
    /// Keys of one nested object that are followed, at most.
    pub keys_max: usize,
    /// Bytes of a key, at most, of one that may become a column or the element of a Tuple.
    pub key_bytes_max: usize,
    /// Levels of arrays and objects that are followed below a column, at most 16.
    pub levels_max: usize,
    /// Distinct values of one path that are told apart, at most.
    pub distinct_max: usize,
}

impl Default for InferenceLimits {
    fn default() -> Self {
        Self {
            samples_max: SAMPLES_MAX,
            sample_bytes_max: SAMPLE_BYTES_MAX,
            columns_max: COLUMNS_MAX,
            paths_max: PATHS_MAX,
            keys_max: KEYS_MAX,
            key_bytes_max: KEY_BYTES_MAX,
            levels_max: LEVELS_MAX,
            distinct_max: DISTINCT_MAX,
        }
    }
}

/// What a caller may switch off.
///
/// ```
/// use housepipe_transform::{Inference, InferenceOptions};
///
/// let mut inference = Inference::new();
/// inference.add(br#"{"anything":{}}"#, 0)?;
/// let options = InferenceOptions::default().with_json(false);
/// assert_eq!(inference.finish(&options).columns[0].column.ty.to_string(), "String");
/// # Ok::<(), housepipe_transform::Reject>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InferenceOptions {
    /// Whether a column may be JSON. Otherwise such values are kept as their text, in a String.
    pub json: bool,
    /// Whether a column may be LowCardinality.
    pub low_cardinality: bool,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self { json: true, low_cardinality: true }
    }
}

impl InferenceOptions {
    /// The same options, with JSON or without.
    #[must_use]
    pub fn with_json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// The same options, with LowCardinality or without.
    #[must_use]
    pub fn with_low_cardinality(mut self, low_cardinality: bool) -> Self {
        self.low_cardinality = low_cardinality;
        self
    }
}
