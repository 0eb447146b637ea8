//! The memory of this process, which runs nothing else: lines whose rows are by far larger than they are.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code too")]

use std::io;

use housepipe_runtime::{LineTransform, OfflineOptions};

/// The most memory that this process has had in RAM so far, in bytes.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn short_lines_of_wide_rows_take_no_more_than_a_few_buffers() {
    /// Rows under way, twice as much where a buffer has grown by doubling, and the rest of the process.
    const PEAK_BYTES_MAX: usize = 64 << 20;
    const ROW_BYTES: usize = 1_000_000;
    const LINES: usize = 1_000;
    let transform =
        LineTransform::new(&format!("a FixedString({ROW_BYTES})"), &OfflineOptions::default()).unwrap();
    let summary = transform.run(io::Cursor::new("{}\n".repeat(LINES)), io::sink(), None).unwrap();
    assert_eq!((summary.accepted, summary.bytes_written), (LINES as u64, (LINES * ROW_BYTES) as u64));
    let peak = peak_bytes();
    assert!(peak < PEAK_BYTES_MAX, "{peak} bytes");
}
