//! The summary of a run as text.

use housepipe_runtime::{Recoveries, Summary};

use super::numbers::{bytes, count, rate, seconds};

/// Several lines, the first of which is enough for most.
pub(super) fn text(summary: &Summary) -> String {
    let mut lines = vec![format!(
        "{}: read {} = loaded {} + rejected {}{}",
        summary.pipe,
        count(summary.read),
        count(summary.loaded),
        count(summary.rejected),
        match summary.in_flight {
            0 => String::new(),
            n => format!(" + in flight {} (not stored, not committed)", count(n)),
        }
    )];
    for (code, number) in &summary.rejected_by_code {
        lines.push(format!("  rejected      {} {code}", count(*number)));
    }
    lines.push(format!(
        "  time          {} wall, {} CPU",
        seconds(summary.wall_seconds),
        seconds(summary.cpu_seconds)
    ));
    lines.push(format!(
        "  speed         {} rows/s, {} rows per core-second",
        rate(summary.rows_per_second),
        rate(summary.rows_per_core_second)
    ));
    lines.push(format!(
        "  inserts       {} for {} batches, {} retried",
        count(summary.inserts),
        count(summary.batches),
        count(summary.retries)
    ));
    let Recoveries { ranges_replayed, ranges_prepared_again, ranges_looked_for, memberships_renewed, .. } =
        summary.recoveries;
    if ranges_replayed + ranges_prepared_again + ranges_looked_for + memberships_renewed > 0 {
        lines.push(format!(
            "  recoveries    {} ranges read again, {} prepared again, {} looked for, group joined anew {} times",
            count(ranges_replayed),
            count(ranges_prepared_again),
            count(ranges_looked_for),
            count(memberships_renewed)
        ));
    }
    lines.push(format!(
        "  bytes         {} of JSON read, {} of rows stored",
        bytes(summary.bytes_read),
        bytes(summary.bytes_loaded)
    ));
    lines.push(format!("  peak memory   {}", bytes(summary.peak_rss_bytes)));
    lines.join("\n")
}
