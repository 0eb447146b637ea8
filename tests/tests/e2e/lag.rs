//! Lag is what is not stored, and nothing else: seen from outside, in what is scraped.

use housepipe_tests::{
    Numbered, PipeText, Proxy, TransactionEnd, Transactions, grow_topic, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

use crate::metrics::{Series, scraped, sum};

fn proxy() -> Proxy {
    Proxy::before(shared_stack().clickhouse.url().trim_start_matches("http://"))
}

/// The pipe of a topic, with ClickHouse behind `proxy`.
fn behind(proxy: &Proxy, numbered: &Numbered) -> PipeText {
    let stack = shared_stack();
    let address = format!("http://{}", proxy.address());
    numbered.pipe(stack).replacing(stack.clickhouse.url(), &address)
}

fn lag(series: &Series, numbered: &Numbered) -> f64 {
    sum(series, "housepipe_lag_records", &numbered.topic().replace('_', "-"))
}

/// Offsets that a transaction's marker takes lie between two batches, and what is in an open transaction can be read by nobody.
#[test]
fn transactions_are_behind_by_what_can_be_read_of_them_and_is_not_stored() {
    let stack = shared_stack();
    for delivery in ["at_least_once", "exactly_once"] {
        let mut numbered = Numbered::new(stack, &unique("behind_transactions"), 1, false);
        let transactions = Transactions::new(stack, numbered.topic(), "one");
        for records in [500, 10] {
            transactions.begin(numbered.records(records));
            transactions.end(TransactionEnd::Commit);
        }
        transactions.begin(numbered.records(77));
        let pipe = numbered
            .pipe(stack)
            .with("batch: { max_rows: 500, max_wait: 40s }")
            .with(&format!("delivery: {delivery}"));
        let (process, mut watcher) = scraped(&pipe);
        let name = numbered.topic().replace('_', "-");
        watcher.until("the first batch", |series| {
            sum(series, "housepipe_records_loaded_total", &name) == 500.0
                && sum(series, "housepipe_records_in_flight", &name) == 10.0
        });
        // Ten records, and the marker behind them.
        watcher.until("the lag of the second batch", |series| lag(series, &numbered) == 11.0);
        transactions.end(TransactionEnd::Commit);
        watcher.until("the lag with the third", |series| lag(series, &numbered) == 11.0 + 78.0);
        process.signal(Signal::SIGTERM);
        process.wait().expect_success();
        assert!(numbered.verdict(stack).is_exact(), "{delivery}: {:?}", numbered.verdict(stack));
    }
}

/// Where ClickHouse takes nothing, buffers are full before all partitions were read.
#[test]
fn records_before_the_start_are_not_behind_where_nothing_was_read_yet() {
    let stack = shared_stack();
    let proxy = proxy();
    proxy.refuse(252, "Too many parts");
    let mut numbered = Numbered::new(stack, &unique("behind_latest"), 8, false);
    numbered.produce(stack, 4_000);
    let (topic, offset) = (numbered.topic().to_owned(), "{ partitions: { 0: 0 }, others: latest }");
    let pipe = behind(&proxy, &numbered)
        .replacing(&format!("topic: {topic}\n"), &format!("topic: {topic}\n  offset: {offset}\n"))
        .with("batch: { max_rows: 10, max_wait: 100ms }");
    let (process, mut watcher) = scraped(&pipe);
    watcher.until("the lag", |series| lag(series, &numbered) == 500.0);
    proxy.pass_on_again();
    watcher.until("all records", |series| lag(series, &numbered) == 0.0);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait().expect_success().number("loaded"), 500);
}

#[test]
fn lag_grows_while_a_pipe_waits_for_clickhouse_to_stop() {
    let stack = shared_stack();
    let proxy = proxy();
    proxy.refuse(252, "Too many parts");
    let mut numbered = Numbered::new(stack, &unique("behind_stopping"), 1, false);
    numbered.produce(stack, 100);
    let pipe = behind(&proxy, &numbered).with("batch: { max_wait: 100ms }");
    let (process, mut watcher) = scraped(&pipe);
    watcher.until("the lag", |series| lag(series, &numbered) == 100.0);
    process.signal(Signal::SIGTERM);
    wait_until("the stop", || process.has_said("stopping"));
    numbered.produce(stack, 50);
    watcher.until("the lag of what comes meanwhile", |series| lag(series, &numbered) == 150.0);
    proxy.pass_on_again();
    process.wait().expect_success();
}

/// Nothing is fetched then, also of a partition that was read to its end.
#[test]
fn lag_grows_while_memory_is_divided_anew() {
    let stack = shared_stack();
    let proxy = proxy();
    proxy.refuse(252, "Too many parts");
    let mut numbered = Numbered::new(stack, &unique("behind_divided"), 1, false);
    numbered.produce(stack, 100);
    let pipe = behind(&proxy, &numbered).with("batch: { max_wait: 100ms }");
    let (process, mut watcher) = scraped(&pipe);
    watcher.until("the lag", |series| lag(series, &numbered) == 100.0);
    grow_topic(stack, numbered.topic(), 3);
    wait_until("more partitions", || process.has_said("the group is joined again to divide it anew"));
    numbered.produce(stack, 50);
    watcher.until("the lag of what comes meanwhile", |series| lag(series, &numbered) == 150.0);
    proxy.pass_on_again();
    watcher.until("all records", |series| {
        sum(series, "housepipe_records_loaded_total", &numbered.topic().replace('_', "-")) == 150.0
    });
    process.signal(Signal::SIGTERM);
    process.wait().expect_success();
}
