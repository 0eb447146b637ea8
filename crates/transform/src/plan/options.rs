//! What the caller chooses about a plan.

use crate::limits::Limits;
use crate::zone::TimeZone;

/// How records are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Semantics {
    /// ClickHouse's bytes for every accepted record; what is not a JSON document, and values that ClickHouse would
    /// store wrong, are rejected. Two leniencies stay, since ClickHouse keeps such bytes as they are: raw control
    /// characters inside of texts, and, without [`PlanOptions::strict_utf8`], bytes that are not UTF-8.
    #[default]
    Strict,
    /// ClickHouse's verdict and bytes, its leniencies included.
    ClickHouse,
}

/// The format of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RowFormat {
    /// Values one after the other.
    #[default]
    RowBinary,
    /// A marker byte before every column: 1 says that the server fills in the default, 0 that a value follows.
    RowBinaryWithDefaults,
}

/// What the caller chooses about a plan.
///
/// ```
/// use housepipe_transform::{PlanOptions, Semantics};
/// let options = PlanOptions::default().with_semantics(Semantics::ClickHouse);
/// assert!(!options.strict_utf8);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// How records are judged.
    pub semantics: Semantics,
    /// The zone of the server: texts without a zone are read in it where the column has none.
    pub server_timezone: TimeZone,
    /// The format of the rows.
    pub format: RowFormat,
    /// Rejects records that are not UTF-8.
    pub strict_utf8: bool,
    /// A key fills a column under its own name alone. Otherwise, as in ClickHouse, one that differs in ASCII letter case does as well.
    pub exact_keys: bool,
    /// Limits for every record.
    pub limits: Limits,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            semantics: Semantics::Strict,
            server_timezone: TimeZone::UTC,
            format: RowFormat::RowBinary,
            strict_utf8: false,
            exact_keys: false,
            limits: Limits::default(),
        }
    }
}

impl PlanOptions {
    /// The same options with these semantics.
    #[must_use]
    pub fn with_semantics(mut self, semantics: Semantics) -> Self {
        self.semantics = semantics;
        self
    }

    /// The same options with the zone of the server.
    #[must_use]
    pub fn with_server_timezone(mut self, zone: TimeZone) -> Self {
        self.server_timezone = zone;
        self
    }

    /// The same options with this format of the rows.
    #[must_use]
    pub fn with_format(mut self, format: RowFormat) -> Self {
        self.format = format;
        self
    }

    /// The same options, rejecting what is not UTF-8 or not.
    #[must_use]
    pub fn with_strict_utf8(mut self, strict_utf8: bool) -> Self {
        self.strict_utf8 = strict_utf8;
        self
    }

    /// The same options, taking keys as they stand or in any letter case: for records that something else has checked by their keys
    /// as they stand, such as a JSON Schema.
    #[must_use]
    pub fn with_exact_keys(mut self, exact_keys: bool) -> Self {
        self.exact_keys = exact_keys;
        self
    }

    /// The same options with these limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
