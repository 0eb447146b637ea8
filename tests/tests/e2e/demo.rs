//! The demo, as a new user starts it.

use housepipe_tests::{housepipe, wait_until};
use nix::sys::signal::Signal;

/// Processes that `pid` started and that still run.
fn processes_of(pid: u32) -> usize {
    let parent = format!("\nPPid:\t{pid}\n");
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("status")).ok())
        .filter(|status| status.contains(&parent))
        .count()
}

#[test]
fn ends_by_itself_with_every_row() {
    let outcome = housepipe(&["--json", "demo", "--rows", "50000", "--bad-records", "10"], None, b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("rows_in_table"), 50_000);
    assert_eq!(outcome.number("rows_in_error_table"), 10);
    assert_eq!(
        (outcome.number("read"), outcome.number("loaded"), outcome.number("rejected")),
        (50_010, 50_000, 10)
    );
}

#[test]
fn ctrl_c_ends_it_and_its_servers() {
    let run = housepipe(&["demo", "--rate", "1000"], None, b"");
    let pid = run.pid();
    wait_until("the servers of the demo", || processes_of(pid) >= 2);
    run.signal(Signal::SIGINT);
    run.wait();
    wait_until("the end of the servers", || processes_of(pid) == 0);
}
