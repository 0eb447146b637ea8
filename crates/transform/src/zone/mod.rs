//! The time zones that ClickHouse has, by name, and their clocks.

mod rule;
mod table;
mod timeline;

use std::fmt;
use std::str::FromStr;

use table::Table;
pub(crate) use timeline::{Change, Timeline};

/// A time zone of ClickHouse, such as `Europe/Berlin`.
///
/// There are those of `system.time_zones` of ClickHouse 26.9, with its own data. Names are compared as they stand,
/// as ClickHouse compares them.
///
/// ```
/// use housepipe_transform::{PlanOptions, TimeZone};
///
/// let zone: TimeZone = "America/Vancouver".parse()?;
/// assert_eq!(zone.name(), "America/Vancouver");
/// let options = PlanOptions::default().with_server_timezone(zone);
///
/// let error = "europe/berlin".parse::<TimeZone>().unwrap_err();
/// assert_eq!(error.to_string(), "`europe/berlin` is not a time zone that is known here");
/// # Ok::<(), housepipe_transform::UnknownTimeZone>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeZone(&'static str);

/// A name that no time zone of ClickHouse has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a time zone that is known here")]
#[non_exhaustive]
pub struct UnknownTimeZone {
    /// The name, as it was given.
    pub name: String,
}

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self("UTC");

    /// The name, as `system.time_zones` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Every zone, in the order of the names.
    ///
    /// ```
    /// use housepipe_transform::TimeZone;
    /// assert!(TimeZone::all().any(|zone| zone == TimeZone::UTC));
    /// ```
    pub fn all() -> impl Iterator<Item = Self> {
        Table::built_in().into_iter().flat_map(Table::names).map(Self)
    }

    /// The version of the time zone database that the zones are from, as `TZDATA_VERSION` of ClickHouse's
    /// `system.build_options`.
    ///
    /// ```
    /// assert_eq!(housepipe_transform::TimeZone::database_version(), "2026c");
    /// ```
    #[must_use]
    pub fn database_version() -> &'static str {
        Table::built_in().map_or("", |table| table.version())
    }

    /// What the clocks of the zone show, and when.
    pub(crate) fn timeline(self) -> Timeline<'static> {
        // Every name comes from the table; a test reads the timelines of all of them.
        Table::built_in().and_then(|table| table.timeline(self.0)).unwrap_or(Timeline::UTC)
    }
}

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Table::built_in().and_then(|table| table.name(name));
        known.map(Self).ok_or_else(|| UnknownTimeZone { name: name.to_owned() })
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_is_found_by_its_name() {
        assert_eq!(TimeZone::all().count(), 598);
        for zone in TimeZone::all() {
            assert_eq!(zone.name().parse(), Ok(zone));
            assert!(Table::built_in().unwrap().timeline(zone.name()).is_some(), "{zone}");
        }
        assert!(TimeZone::all().is_sorted());
        assert_eq!("UTC".parse(), Ok(TimeZone::UTC));
        for unknown in ["", "utc", "Europe", "Europe/Berlin ", "Z", "\u{e9}"] {
            assert!(unknown.parse::<TimeZone>().is_err(), "{unknown:?}");
        }
    }
}
