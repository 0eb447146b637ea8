//! `housepipe errors replay`: what was mended is loaded, each record once, whatever happens meanwhile.

use housepipe_local_stack::Stack;
use housepipe_tests::{
    Held, Outcome, PipeText, Proxy, create_topic, housepipe, produce, query, query_number, shared_stack,
    unique, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A pipe whose records were rejected, since `n` was too narrow; `ids` and nothing else of a table is compared.
struct Rejected {
    stack: &'static Stack,
    topic: String,
    /// The pipe as it was mended.
    pipe: PipeText,
}

pub(super) const WINDOW: &str = "SETTINGS non_replicated_deduplication_window = 100";

fn mended(name: &str, count: u64, layout: &str) -> Rejected {
    let stack = shared_stack();
    let (topic, pipe) = mended_at(stack, name, count, layout);
    Rejected { stack, topic, pipe }
}

/// Lets a pipe reject `count` records and one that no column can take, then mends table and pipe file. Returns the topic,
/// which names the table too, and the pipe.
pub(super) fn mended_at(stack: &Stack, name: &str, count: u64, layout: &str) -> (String, PipeText) {
    let topic = unique(name);
    create_topic(stack, &topic, 2);
    query(stack, &format!("CREATE TABLE {topic} (id UInt64, n UInt8) ENGINE = MergeTree {layout}"));
    let records = (0..count).map(|id| format!("{{\"id\":{id},\"n\":{}}}", 300 + id));
    produce(stack, &topic, 2, records.chain(["?".to_owned()]));
    let pipe = PipeText::new(stack, &topic);
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"").wait();
    assert_eq!(outcome.expect_success().number("rejected"), count + 1);
    query(stack, &format!("ALTER TABLE {topic} MODIFY COLUMN n UInt32"));
    (topic, pipe.with("batch: { max_rows: 3 }"))
}

impl Rejected {
    fn replay(&self, arguments: &[&str]) -> Outcome {
        replay(&self.pipe, arguments)
    }

    /// Rows of the table, and different ids among them.
    fn rows(&self) -> (u64, u64) {
        let number = |what| query_number(self.stack, &format!("SELECT {what} FROM {}", self.topic));
        (number("count()"), number("uniqExact(id)"))
    }

    fn error_rows(&self) -> u64 {
        query_number(self.stack, &format!("SELECT count() FROM {}_clickpipes_error", self.topic))
    }

    fn behind_proxy(&self) -> (Proxy, PipeText) {
        behind_proxy(self.stack, &self.pipe)
    }

    /// Kills a replay at its insert number `number`. Each batch has three: it is begun, its rows, it is loaded.
    fn kill_at(&self, number: usize, held: Held) {
        let (proxy, pipe) = self.behind_proxy();
        proxy.hold(number, held);
        let run = housepipe(&["errors", "replay", "pipe.yaml"], Some(&pipe), b"");
        wait_until("an insert that is held up", || proxy.is_holding());
        run.signal(Signal::SIGKILL);
        assert_eq!(run.wait().code, None);
    }

    fn open_token(&self) -> String {
        open_token(self.stack, &self.topic)
    }
}

/// The pipe file with a proxy before ClickHouse.
pub(super) fn behind_proxy(stack: &Stack, pipe: &PipeText) -> (Proxy, PipeText) {
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let pipe = pipe.clone().replacing(&server, &proxy.address().to_string());
    (proxy, pipe)
}

/// The token of the batch that was begun and is neither loaded nor dropped.
pub(super) fn open_token(stack: &Stack, topic: &str) -> String {
    query(
        stack,
        &format!(
            "SELECT batch_token FROM {topic}_clickpipes_error WHERE partition = -1 GROUP BY batch_token \
             HAVING countIf(kind != 'replay') = 0"
        ),
    )
}

pub(super) fn replay(pipe: &PipeText, arguments: &[&str]) -> Outcome {
    let all = [&["errors", "replay", "pipe.yaml"], arguments].concat();
    housepipe(&all, Some(pipe), b"").wait()
}

#[test]
fn what_was_mended_is_loaded_once_and_the_rest_stays() {
    let all = mended("replay", 20, &format!("ORDER BY id {WINDOW}"));
    // A pipe that was killed before its commit rejects its records again.
    let table = format!("{}_clickpipes_error", all.topic);
    query(all.stack, &format!("INSERT INTO {table} SELECT * FROM {table} WHERE partition = 1"));
    let before = all.error_rows();

    let dry = all.replay(&["--dry-run", "--json"]).expect_success();
    assert_eq!((dry.number("examined"), dry.number("loadable"), dry.number("refused")), (21, 20, 1));
    assert_eq!((all.rows(), all.error_rows()), ((0, 0), before), "a dry run writes nothing");

    let some = all.replay(&["--json", "--limit", "5", "--where", "offset % 2 = 0"]).expect_success();
    assert_eq!((some.number("loaded"), all.rows()), (5, (5, 5)));
    let rest = all.replay(&["--json"]).expect_success();
    assert_eq!((rest.number("loaded"), rest.number("refused")), (15, 1));
    assert_eq!(all.rows(), (20, 20));
    let text = String::from_utf8(all.replay(&[]).expect_success().stdout).unwrap();
    assert!(text.contains("examined 1 = loaded 0 + still refused 1"), "{text}");
    assert!(text.contains("remembers the last 100 blocks"), "{text}");
    assert_eq!(all.rows(), (20, 20));
    assert_eq!(query(all.stack, &format!("SELECT min(n), max(n) FROM {}", all.topic)), "300\t319");

    // What was replayed is hidden, unless it is asked for.
    let listed = |arguments: &[&str]| {
        let all_arguments =
            [&["errors", "list", "pipe.yaml", "--json", "--limit", "1000"], arguments].concat();
        let document = housepipe(&all_arguments, Some(&all.pipe), b"").wait().expect_success().json();
        document["errors"].as_array().unwrap().clone()
    };
    let raw: Vec<Value> = listed(&[]).iter().map(|error| error["raw_message"].clone()).collect();
    assert_eq!(raw, [json!("?")]);
    assert_eq!(listed(&["--all"]).iter().filter(|error| error["replayed"] == true).count(), 30);
}

#[test]
fn a_replay_that_is_killed_anywhere_and_run_again_loads_each_record_once() {
    let all = mended("replay_killed", 60, &format!("PARTITION BY id % 2 ORDER BY id {WINDOW}"));
    for number in 1..=6 {
        for held in [Held::Before, Held::After] {
            all.kill_at(number, held);
            let (rows, ids) = all.rows();
            assert_eq!(rows, ids, "killed at insert {number}, {held:?}");
        }
    }
    let last = all.replay(&["--json"]).expect_success();
    assert!(last.number("finished") > 0, "the last kill left something to finish");
    assert_eq!(all.rows(), (60, 60));
    let again = all.replay(&["--json"]).expect_success();
    assert_eq!((again.number("loaded"), again.number("finished"), again.number("refused")), (0, 0, 1));
    assert_eq!(all.rows(), (60, 60));
}

#[test]
fn an_answer_that_is_lost_loads_nothing_twice() {
    let all = mended("replay_lost", 12, &format!("ORDER BY id {WINDOW}"));
    let (proxy, pipe) = all.behind_proxy();
    proxy.lose_answers(7);
    let outcome = replay(&pipe, &["--json"]).expect_success();
    assert_eq!((proxy.left_to_lose(), outcome.number("loaded"), all.rows()), (0, 12, (12, 12)));
}

#[test]
fn two_replays_at_once_load_each_record_once() {
    let all = mended("replay_twice", 12, &format!("ORDER BY id {WINDOW}"));
    let (proxy, pipe) = all.behind_proxy();
    proxy.hold(2, Held::Before);
    let first = housepipe(&["errors", "replay", "pipe.yaml"], Some(&pipe), b"");
    wait_until("the rows of the first batch", || proxy.is_holding());
    // The second one finishes what the first has begun, and goes on.
    let second = all.replay(&["--json"]).expect_success();
    assert_eq!((second.number("finished"), second.number("loaded")), (3, 9));
    proxy.release();
    let first = first.wait();
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    assert!(first.stderr.contains("another replay"), "{}", first.stderr);
    assert_eq!(all.rows(), (12, 12));
    all.replay(&[]).expect_success();
    assert_eq!(all.rows(), (12, 12));
}

#[test]
fn a_row_that_only_clickhouse_refuses_costs_nothing_but_itself() {
    let all = mended("replay_check", 10, &format!("ORDER BY id {WINDOW}"));
    query(all.stack, &format!("ALTER TABLE {} ADD CONSTRAINT not_7 CHECK id != 7", all.topic));
    let outcome = all.replay(&["--json"]).expect_success();
    assert_eq!((outcome.number("loadable"), outcome.number("loaded"), outcome.number("refused")), (10, 9, 2));
    let codes: Vec<Value> =
        outcome.json()["refused_by"].as_array().unwrap().iter().map(|by| by["code"].clone()).collect();
    assert!(codes.contains(&json!("refused_by_clickhouse")), "{codes:?}");
    assert_eq!(all.rows(), (9, 9));
    query(all.stack, &format!("ALTER TABLE {} DROP CONSTRAINT not_7", all.topic));
    assert_eq!(all.replay(&["--json"]).expect_success().number("loaded"), 1);
    assert_eq!(all.rows(), (10, 10));
}

/// Makes the batch that was begun older than any insert of it can be under way: a mark that is there twice says no more than
/// once, and the older one tells its age.
fn age(all: &Rejected) {
    let (table, token) = (format!("{}_clickpipes_error", all.topic), all.open_token());
    query(
        all.stack,
        &format!(
            "INSERT INTO {table} SELECT * REPLACE (_time - INTERVAL 400 SECOND AS _time) FROM {table} \
             WHERE batch_token = '{token}'"
        ),
    );
}

/// The second insert of a replay has the rows of its first batch. It was done or not when the replay is killed there, and a
/// repetition is refused; so the rows themselves have to tell.
#[test]
fn a_killed_insert_that_clickhouse_refuses_later_is_finished_once_it_is_known_what_became_of_it() {
    for held in [Held::Before, Held::After] {
        let all = mended("replay_refused_later", 7, &format!("ORDER BY id {WINDOW}"));
        all.kill_at(2, held);
        query(all.stack, &format!("ALTER TABLE {} ADD CONSTRAINT not_300 CHECK n != 300", all.topic));
        let stored = all.rows();
        let young = all.replay(&[]);
        assert_eq!((young.code, all.rows()), (Some(1), stored), "{held:?}: {}", young.stderr);
        assert!(young.stderr.contains("s no insert of it can be under way any more"), "{}", young.stderr);
        age(&all);
        if held == Held::After {
            assert_eq!(stored, (3, 3));
            // Other records may have the same values: somebody has to look.
            let old = all.replay(&[]);
            assert_eq!((old.code, all.rows()), (Some(1), stored), "{}", old.stderr);
            assert!(old.stderr.contains("rows like its own are there"), "{}", old.stderr);
            let token = all.open_token();
            all.replay(&["--settle-loaded", &token]).expect_success();
            assert_eq!(all.replay(&["--json"]).expect_success().number("loaded"), 4);
            assert_eq!(all.rows(), (7, 7));
        } else {
            assert_eq!(stored, (0, 0));
            let old = all.replay(&["--json"]).expect_success();
            assert_eq!((old.number("finished"), old.number("loaded"), old.number("refused")), (0, 6, 2));
            assert_eq!(all.rows(), (6, 6));
        }
    }
}

#[test]
fn a_view_that_refuses_leaves_nothing_twice_before_it() {
    let all = mended("replay_view", 3, &format!("ORDER BY id {WINDOW}"));
    let topic = &all.topic;
    let columns = "id UInt64, CONSTRAINT not_1 CHECK id != 1";
    query(
        all.stack,
        &format!("CREATE TABLE {topic}_target ({columns}) ENGINE = MergeTree ORDER BY id {WINDOW}"),
    );
    query(
        all.stack,
        &format!("CREATE MATERIALIZED VIEW {topic}_view TO {topic}_target AS SELECT id FROM {topic}"),
    );
    // The table has the rows when the view refuses them: dividing the batch would load them again.
    let outcome = all.replay(&[]);
    assert_eq!((outcome.code, all.rows()), (Some(1), (3, 3)), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("is not known"), "{}", outcome.stderr);
    let outcome = all.replay(&[]);
    assert_eq!((outcome.code, all.rows()), (Some(1), (3, 3)), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--settle-loaded"), "{}", outcome.stderr);
    query(all.stack, &format!("ALTER TABLE {topic}_target DROP CONSTRAINT not_1"));
    assert_eq!(all.replay(&["--json"]).expect_success().number("finished"), 3);
    assert_eq!(all.rows(), (3, 3));
    assert_eq!(query_number(all.stack, &format!("SELECT count() FROM {topic}_target")), 3);
}

#[test]
fn a_value_that_was_cut_is_never_loaded() {
    let all = mended("replay_cut", 1, &format!("ORDER BY id {WINDOW}"));
    let name = all.topic.replace('_', "-");
    let columns = "pipe, kind, code, topic, partition, offset, raw_message, raw_length";
    query(
        all.stack,
        &format!(
            "INSERT INTO {}_clickpipes_error ({columns}) VALUES ('{name}', 'record', 'x', 't', 0, 7, '{{\"id\":7}}', 2000000), \
             ('{name}', 'record', 'refused_by_clickhouse', 't', 0, 8, '', 0)",
            all.topic
        ),
    );
    let outcome = all.replay(&["--json"]).expect_success();
    assert_eq!(outcome.json()["not_replayable"], json!({ "cut": 1, "without_value": 1 }));
    assert_eq!((outcome.number("loaded"), all.rows()), (1, (1, 1)));
}

#[test]
fn a_table_that_remembers_no_tokens_is_refused_with_what_mends_it() {
    let all = mended("replay_no_window", 4, "ORDER BY id");
    let dry = all.replay(&["--dry-run"]).expect_success();
    assert!(String::from_utf8_lossy(&dry.stdout).contains("remembers no tokens"));
    let outcome = all.replay(&[]);
    assert_eq!((outcome.code, all.rows()), (Some(1), (0, 0)), "{}", outcome.stderr);
    let statement = outcome.stderr.split("to mend it: ").nth(1).unwrap().trim();
    query(all.stack, statement);
    all.replay(&[]).expect_success();
    assert_eq!(all.rows(), (4, 4));
}

#[test]
fn a_batch_that_cannot_be_finished_safely_stops_the_replay_until_it_is_settled() {
    // Its token may be forgotten: the table remembers 4 inserts, and is sure of the last 2.
    let old = mended("replay_old", 3, "ORDER BY id SETTINGS non_replicated_deduplication_window = 4");
    old.kill_at(2, Held::After);
    for id in 1_000..1_004 {
        query(old.stack, &format!("INSERT INTO {} VALUES ({id}, 0)", old.topic));
    }
    let outcome = old.replay(&[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("--settle-loaded") && outcome.stderr.contains("blocks"),
        "{}",
        outcome.stderr
    );
    let token = old.open_token();
    assert_eq!(old.replay(&["--settle-loaded", "nonsense"]).code, Some(2));
    old.replay(&["--settle-loaded", &token]).expect_success();
    assert_eq!(old.replay(&["--json"]).expect_success().number("loaded"), 0);
    assert_eq!(old.rows(), (7, 7));

    // Its rows may belong elsewhere by now: the columns are others, and the table has partitions.
    let other = mended("replay_columns", 3, &format!("PARTITION BY id ORDER BY id {WINDOW}"));
    other.kill_at(2, Held::Before);
    query(other.stack, &format!("ALTER TABLE {} MODIFY COLUMN n UInt64", other.topic));
    let outcome = other.replay(&[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the columns have changed"), "{}", outcome.stderr);
    other.replay(&["--settle-missing", &other.open_token()]).expect_success();
    assert_eq!(other.replay(&["--json"]).expect_success().number("loaded"), 3);
    assert_eq!(other.rows(), (3, 3));

    // Without partitions the token is enough: the table keeps what came first.
    let same = mended("replay_same", 3, &format!("ORDER BY id {WINDOW}"));
    same.kill_at(2, Held::After);
    query(same.stack, &format!("ALTER TABLE {} MODIFY COLUMN n UInt64", same.topic));
    assert_eq!(same.replay(&["--json"]).expect_success().number("finished"), 3);
    assert_eq!(same.rows(), (3, 3));
}
