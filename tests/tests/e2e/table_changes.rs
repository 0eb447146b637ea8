//! A table that is changed while a pipe loads it.

use housepipe_tests::{
    Housepipe, Numbered, Proxy, committed, housepipe, housepipe_at, query, query_number, shared_stack,
    unique, wait_until,
};
use nix::sys::signal::Signal;

const MODES: [&str; 2] = ["at_least_once", "exactly_once"];

/// What a pipe says that waits for a person.
const HOLDS: &str = "the pipe holds; mend this and it goes on";

/// A pipe that has loaded 100 records.
struct Loading {
    numbered: Numbered,
    running: Housepipe,
    /// Before ClickHouse.
    proxy: Proxy,
}

impl Loading {
    fn start(name: &str, mode: &str) -> Loading {
        let stack = shared_stack();
        let mut numbered = Numbered::new(stack, &unique(name), 1, false);
        numbered.produce(stack, 100);
        let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
        let proxy = Proxy::before(&server);
        let pipe = numbered
            .pipe(stack)
            .replacing(&server, &proxy.address().to_string())
            .with("batch: { max_rows: 1000, max_wait: 100ms }")
            .with(&format!("delivery: {mode}"));
        let arguments = ["--log", "info", "run", "pipe.yaml", "--json", "--session-timeout", "2"];
        let running = housepipe(&arguments, Some(&pipe), b"");
        wait_until("the first rows", || numbered.settled(stack) == 100);
        Loading { numbered, running, proxy }
    }

    fn table(&self) -> String {
        self.numbered.topic().to_owned()
    }

    /// Writes 50 records, and waits until the pipe asks for a person with these words.
    fn holds(&mut self, words: &str) {
        self.numbered.produce(shared_stack(), 50);
        wait_until("a pipe that holds", || self.running.has_said(HOLDS));
        assert!(self.running.has_said(words), "no `{words}` in:\n{}", self.running.said());
    }

    /// The pipe goes on by itself, has loaded each record once, and ends well.
    fn goes_on(self, mode: &str) {
        let stack = shared_stack();
        wait_until("every row", || self.numbered.settled(stack) == self.numbered.produced());
        self.running.signal(Signal::SIGTERM);
        let outcome = self.running.wait().expect_success();
        assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (self.numbered.produced(), 0));
        let verdict = self.numbered.verdict(stack);
        assert!(verdict.is_exact(), "{mode}: {verdict:?}");
    }
}

#[test]
fn a_column_that_is_added_with_a_default_disturbs_nothing() {
    for mode in MODES {
        let mut loading = Loading::start("column_added", mode);
        let table = loading.table();
        query(shared_stack(), &format!("ALTER TABLE {table} ADD COLUMN more String DEFAULT 'later'"));
        loading.numbered.produce(shared_stack(), 50);
        loading.goes_on(mode);
        assert_eq!(
            query_number(shared_stack(), &format!("SELECT countIf(more = 'later') FROM {table}")),
            150
        );
    }
}

#[test]
fn a_column_that_is_dropped_holds_the_pipe_until_it_is_back() {
    for mode in MODES {
        let mut loading = Loading::start("column_dropped", mode);
        let table = loading.table();
        query(shared_stack(), &format!("ALTER TABLE {table} DROP COLUMN n"));
        loading.holds("the table has other columns than the pipe");
        assert_eq!(query_number(shared_stack(), &format!("SELECT count() FROM {table}")), 100);
        query(shared_stack(), &format!("ALTER TABLE {table} ADD COLUMN n UInt8 DEFAULT id % 256"));
        loading.goes_on(mode);
    }
}

/// Values would be read as those of the other type: nothing may go in.
#[test]
fn a_column_of_another_type_holds_the_pipe_until_it_is_as_it_was() {
    for mode in MODES {
        // The first is as wide as the column was: what is written would pass for values.
        for other in ["Int8", "UInt16", "String"] {
            let mut loading = Loading::start("column_type", mode);
            let table = loading.table();
            query(shared_stack(), &format!("ALTER TABLE {table} MODIFY COLUMN n {other}"));
            loading.holds("column `n` of table");
            assert_eq!(query_number(shared_stack(), &format!("SELECT count() FROM {table}")), 100, "{other}");
            query(shared_stack(), &format!("ALTER TABLE {table} MODIFY COLUMN n UInt8"));
            loading.goes_on(mode);
        }
    }
}

#[test]
fn a_table_that_is_renamed_away_holds_the_pipe_until_it_is_back() {
    for mode in MODES {
        let mut loading = Loading::start("renamed", mode);
        let table = loading.table();
        query(shared_stack(), &format!("RENAME TABLE {table} TO {table}_away"));
        loading.holds("create the table, or correct its name");
        query(shared_stack(), &format!("RENAME TABLE {table}_away TO {table}"));
        loading.goes_on(mode);
    }
}

#[test]
fn a_table_that_is_dropped_and_made_anew_gets_what_was_held() {
    let stack = shared_stack();
    for mode in MODES {
        let mut loading = Loading::start("made_anew", mode);
        let table = loading.table();
        let ddl = query(stack, &format!("SHOW CREATE TABLE {table} FORMAT TSVRaw"));
        query(stack, &format!("DROP TABLE {table} SYNC"));
        loading.holds("create the table, or correct its name");
        query(stack, &ddl);
        // The rows of the old table went with it; what came later is there once.
        let rows = || query(stack, &format!("SELECT count(), uniqExact(id), min(id) FROM {table}"));
        wait_until("the rows that were held", || rows() == "50\t50\t100");
        loading.running.signal(Signal::SIGTERM);
        assert_eq!(loading.running.wait().expect_success().number("loaded"), 150);
    }
}

/// A range is pending that the old table had, or had not: the new one remembers no token, and has no rows.
#[test]
fn a_pending_range_goes_into_a_table_that_was_made_anew_once() {
    let stack = shared_stack();
    for failpoint in ["insert_before:2", "insert_after:2"] {
        let mut numbered = Numbered::new(stack, &unique("anew_pending"), 1, false);
        let table = numbered.topic().to_owned();
        numbered.produce(stack, 5_000);
        let pipe = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
        let died = housepipe_at(failpoint, &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
        assert_eq!(died.code, None, "{}", died.stderr);
        let ddl = query(stack, &format!("SHOW CREATE TABLE {table} FORMAT TSVRaw"));
        query(stack, &format!("DROP TABLE {table} SYNC"));
        query(stack, &ddl);
        // What is in the error table says nothing of rows.
        let told = format!(
            "INSERT INTO {table}_clickpipes_error (pipe, kind, code) VALUES ('p', 'system', 'pipe_holds')"
        );
        query(stack, &told);
        let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
        housepipe(&arguments, Some(&pipe), b"").wait().expect_success();
        // The first 1,000 rows were settled, and went with the old table.
        let rows = format!("SELECT count(), uniqExact(id), min(id), max(id) FROM {table}");
        assert_eq!(query(stack, &rows), "4000\t4000\t1000\t4999", "{failpoint}");
    }
}

/// What became of the error table says nothing of rows.
#[test]
fn a_pending_range_is_read_again_where_the_error_table_was_made_anew() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("anew_errors"), 1, false);
    let table = numbered.topic().to_owned();
    numbered.produce(stack, 5_000);
    let pipe = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
    let died = housepipe_at("insert_after:2", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    query(stack, &format!("DROP TABLE {table}_clickpipes_error SYNC"));
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    housepipe(&arguments, Some(&pipe), b"").wait().expect_success();
    let verdict = numbered.verdict(stack);
    assert!(verdict.is_exact(), "{verdict:?}");
}

/// The table that is there now has the rows of the range, and not its token.
#[test]
fn a_pending_range_stops_the_partition_where_another_table_with_rows_is_there() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("copied"), 1, false);
    let table = numbered.topic().to_owned();
    numbered.produce(stack, 5_000);
    let pipe = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
    let died = housepipe_at("insert_after:2", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    query(stack, &format!("CREATE TABLE {table}_copy AS {table}"));
    query(stack, &format!("INSERT INTO {table}_copy SELECT * FROM {table}"));
    query(stack, &format!("EXCHANGE TABLES {table} AND {table}_copy"));
    query(stack, &format!("DROP TABLE {table}_copy SYNC"));
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    let outcome = housepipe(&arguments, Some(&pipe), b"").wait();
    let words = "the range from offset 1000 up to, and without, offset 2000";
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    let rows = format!("SELECT count(), uniqExact(id) FROM {table}");
    assert_eq!((outcome.code, query(stack, &rows)), (Some(1), "2000\t2000".to_owned()), "{}", outcome.stderr);
}

/// An error that no version of ClickHouse is known to have is a person's to judge, and no record's fault.
#[test]
fn an_unknown_error_holds_the_pipe_and_keeps_its_offset() {
    for mode in MODES {
        let mut loading = Loading::start("unknown_error", mode);
        let table = loading.table();
        wait_until("the commit of the first rows", || committed(shared_stack(), &table) == Some(100));
        loading.proxy.refuse(31_337, "Something new. (SOMETHING_NEW)");
        loading.holds("code 31337 SOMETHING_NEW");
        assert_eq!(query_number(shared_stack(), &format!("SELECT count() FROM {table}")), 100);
        assert_eq!(committed(shared_stack(), &table), Some(100));
        loading.proxy.pass_on_again();
        loading.goes_on(mode);
    }
}
