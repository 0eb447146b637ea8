//! For how long a table remembers a token.

use super::facts::{EngineKind, TableFacts, TableName};
use super::finding::Finding;
use crate::ddl::DEDUPLICATION_WINDOW_BLOCKS;

/// The setting of tables without replication.
pub(super) const WINDOW_PLAIN: &str = "non_replicated_deduplication_window";
/// The setting of Replicated and Shared tables.
pub(super) const WINDOW_REPLICATED: &str = "replicated_deduplication_window";
/// The limit in seconds of the latter.
pub(super) const WINDOW_SECONDS: &str = "replicated_deduplication_window_seconds";

/// Seconds below which a horizon is called short: a server restarts, or a pipe's group finds its next member, within it.
const HORIZON_SECONDS_MIN: u64 = 60;

/// For how long a token is remembered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Horizon {
    /// Seconds from an insert until its token may be forgotten.
    pub seconds: u64,
    /// The table that forgets first.
    pub table: TableName,
    /// How it was found, for people.
    pub arithmetic: String,
}

/// What to do where a table with a window has a short horizon: enough for an hour at the same rate.
pub(super) fn short_horizon(table: &TableFacts, seconds: u64) -> Option<Finding> {
    if table.window_blocks == 0 || seconds >= HORIZON_SECONDS_MIN {
        return None;
    }
    let name = table.name.clone();
    let finding = |setting, wanted| Some(Finding::ShortHorizon { table: name, seconds, setting, wanted });
    match table.window_seconds {
        Some(0) => None,
        Some(limit) if limit < HORIZON_SECONDS_MIN => finding(WINDOW_SECONDS, 3_600),
        _ => {
            let setting = if table.kind == EngineKind::Plain { WINDOW_PLAIN } else { WINDOW_REPLICATED };
            let for_an_hour = table.window_blocks.saturating_mul(3_600) / seconds.max(1);
            finding(setting, for_an_hour.max(DEDUPLICATION_WINDOW_BLOCKS))
        }
    }
}

/// For how long `table` remembers a token; none where it remembers none, or is no table that could.
pub(super) fn horizon_of(table: &TableFacts, inserts_per_second: f64) -> Option<Horizon> {
    if !matches!(table.kind, EngineKind::Plain | EngineKind::Replicated) {
        return None;
    }
    let rate = if inserts_per_second > 0.0 { inserts_per_second } else { 1.0 / 86_400.0 };
    let partitions = table.partitions_per_insert.max(1);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive by the lines above; as saturates, and whole seconds are what is wanted"
    )]
    let by_blocks = (table.window_blocks as f64 / (rate * partitions as f64)) as u64;
    let mut arithmetic = format!(
        "{} blocks / ({} inserts/s x {partitions} table partition(s)) = {}",
        table.window_blocks,
        short(rate),
        span(by_blocks)
    );
    let seconds = match table.window_seconds {
        Some(limit) => {
            arithmetic.push_str(&format!(", and at most {}", span(limit)));
            by_blocks.min(limit)
        }
        None => by_blocks,
    };
    Some(Horizon { seconds, table: table.name.clone(), arithmetic })
}

/// A rate with two digits behind the point, and more for small ones.
fn short(rate: f64) -> String {
    if rate >= 0.1 { format!("{rate:.2}") } else { format!("{rate:.5}") }
}

/// Seconds in units that people read.
fn span(seconds: u64) -> String {
    match seconds {
        0..600 => format!("{seconds} s"),
        600..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
