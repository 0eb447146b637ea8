//! The real servers: start, stop, kill, restart, freeze, users.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code, though outside of a #[test] function")]

mod support;

use std::net::TcpStream;

use housepipe_local_stack::{
    Clickhouse, ClickhouseOptions, Kafka, KafkaOptions, Progress, Stack, StackError, USER_APP, USER_LIMITED,
    USER_READER, User, Wanted, prepare_wanted,
};
use support::{create_topic, has_topic, parts, soon};

fn clickhouse() -> Clickhouse {
    Clickhouse::start(&parts(), &ClickhouseOptions::default()).unwrap()
}

fn code(result: Result<String, StackError>) -> Option<i32> {
    match result {
        Err(StackError::Query { code, .. }) => code,
        other => panic!("no error of ClickHouse: {other:?}"),
    }
}

#[test]
fn a_second_preparation_has_nothing_to_do() {
    struct Nothing;
    impl Progress for Nothing {
        fn step(&mut self, what: &str) {
            panic!("a step: {what}");
        }
        fn bytes(&mut self, _done: u64, _total: Option<u64>) {}
    }
    parts();
    prepare_wanted(&Wanted::pinned(), &mut Nothing).unwrap();
}

#[test]
fn clickhouse_keeps_its_tables_over_kill_and_stop() {
    let mut clickhouse = clickhouse();
    let url = clickhouse.url().to_owned();
    assert!(clickhouse.query("SELECT version()").unwrap().starts_with("26.9."));
    clickhouse.query("CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id").unwrap();
    clickhouse.query("INSERT INTO t SELECT number FROM numbers(1000)").unwrap();

    let pid = clickhouse.pid().unwrap();
    clickhouse.kill().unwrap();
    assert_eq!(clickhouse.pid(), None);
    assert!(matches!(clickhouse.query("SELECT 1"), Err(StackError::Http { .. })));
    assert!(matches!(clickhouse.wait_ready(soon(5)), Err(StackError::Ended { .. })));
    clickhouse.restart().unwrap();
    assert_ne!(clickhouse.pid(), Some(pid));
    assert_eq!(clickhouse.url(), url);
    assert_eq!(clickhouse.query("SELECT count(), sum(id) FROM t").unwrap(), "1000\t499500\n");

    clickhouse.stop().unwrap();
    assert_eq!(clickhouse.pid(), None);
    clickhouse.restart().unwrap();
    assert_eq!(clickhouse.query("SELECT count() FROM t").unwrap(), "1000\n");

    let folder = clickhouse.folder().to_owned();
    drop(clickhouse);
    assert!(!folder.exists());
}

#[test]
fn a_frozen_clickhouse_is_silent_and_comes_back() {
    let clickhouse = clickhouse();
    clickhouse.freeze().unwrap();
    assert!(matches!(clickhouse.wait_ready(soon(1)), Err(StackError::NotReady { .. })));
    clickhouse.thaw().unwrap();
    clickhouse.wait_ready(soon(10)).unwrap();
    assert_eq!(clickhouse.query("SELECT 1").unwrap(), "1\n");
}

#[test]
fn a_frozen_clickhouse_can_be_stopped() {
    let mut clickhouse = clickhouse();
    clickhouse.freeze().unwrap();
    clickhouse.kill().unwrap();
    assert_eq!(clickhouse.pid(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_without_its_keeper_is_known_to_be_gone() {
    let mut clickhouse = clickhouse();
    support::kill(support::parent(clickhouse.pid().unwrap()));
    support::wait_for("the server is missed", soon(10), || clickhouse.pid().is_none());
    let error = clickhouse.wait_ready(soon(5)).unwrap_err();
    assert!(matches!(&error, StackError::Ended { reason, .. } if reason == "its keeper is gone"), "{error}");
    assert!(error.mend().unwrap().starts_with("start another ClickHouse"));
    let error = clickhouse.restart().unwrap_err();
    assert!(matches!(error, StackError::Keeper { .. }) && error.mend().is_some(), "{error}");
}

#[test]
fn each_clickhouse_user_has_the_rights_it_is_meant_for() {
    let clickhouse = clickhouse();
    clickhouse.query_as(USER_APP, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id").unwrap();
    clickhouse.query_as(USER_APP, "INSERT INTO t VALUES (1)").unwrap();
    for user in [USER_READER, USER_LIMITED] {
        assert_eq!(clickhouse.query_as(user, "SELECT id FROM t").unwrap(), "1\n");
    }
    assert_eq!(code(clickhouse.query_as(USER_READER, "INSERT INTO t VALUES (2)")), Some(164));
    assert_eq!(code(clickhouse.query_as(USER_LIMITED, "INSERT INTO t VALUES (2)")), Some(497));
    assert_eq!(code(clickhouse.query_as(USER_LIMITED, "DROP TABLE t")), Some(497));
    let mut stranger: User = USER_APP;
    stranger.password = "wrong";
    assert_eq!(code(clickhouse.query_as(stranger, "SELECT 1")), Some(516));
    assert_eq!(code(clickhouse.query("SELECT * FROM missing")), Some(60));
}

#[test]
fn a_server_of_the_users_own_is_used_but_never_ended() {
    let ours = clickhouse();
    let mut wanted = Wanted::pinned();
    wanted.clickhouse_url = Some(format!("{}/", ours.url()));
    wanted.kafka_brokers = Some("127.0.0.1:9".to_owned());
    let mut external =
        Stack::start(&prepare_wanted(&wanted, &mut housepipe_local_stack::Silent).unwrap()).unwrap();
    assert_eq!(external.clickhouse.url(), ours.url());
    assert_eq!(external.kafka.bootstrap(), "127.0.0.1:9");
    assert_eq!(external.clickhouse.query("SELECT currentDatabase()").unwrap(), "housepipe\n");
    assert!(matches!(external.clickhouse.kill(), Err(StackError::External { .. })));
    assert!(matches!(external.kafka.restart(), Err(StackError::External { .. })));
    drop(external);
    assert_eq!(ours.query("SELECT 1").unwrap(), "1\n");
}

#[test]
fn kafka_keeps_its_topics_over_a_kill() {
    let mut kafka = Kafka::start(&parts(), &KafkaOptions::default()).unwrap();
    create_topic(kafka.bootstrap(), "kept");
    kafka.kill().unwrap();
    assert!(TcpStream::connect(kafka.bootstrap()).is_err());
    kafka.restart().unwrap();
    assert!(has_topic(kafka.bootstrap(), "kept"));
    assert!(!has_topic(kafka.bootstrap(), "another"));

    kafka.freeze().unwrap();
    let frozen = kafka.wait_ready(soon(1));
    assert!(matches!(frozen, Err(StackError::NotReady { .. })), "{frozen:?}");
    kafka.thaw().unwrap();
    kafka.wait_ready(soon(10)).unwrap();

    let folder = kafka.folder().to_owned();
    kafka.stop().unwrap();
    assert_eq!(kafka.pid(), None);
    assert!(folder.exists(), "stop keeps the data");
    drop(kafka);
    assert!(!folder.exists());
}

#[test]
fn two_stacks_stand_side_by_side() {
    let parts = parts();
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Stack::start(&parts).unwrap());
        (Stack::start(&parts).unwrap(), one.join().unwrap())
    });
    one.clickhouse.query("CREATE TABLE only_in_one (id UInt64) ENGINE = MergeTree ORDER BY id").unwrap();
    assert_eq!(code(two.clickhouse.query("SELECT * FROM only_in_one")), Some(60));
    create_topic(one.kafka.bootstrap(), "only-in-one");
    assert!(!has_topic(two.kafka.bootstrap(), "only-in-one"));
}
