//! The real PostgreSQL: start, databases, kill, restart, and what is left at the end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code, though outside of a #[test] function")]

mod support;

use std::net::TcpStream;

use housepipe_local_stack::{Postgres, Silent, StackError, USER_POSTGRES, Wanted, prepare_wanted};
use support::{address, is_running, soon, wait_for};

/// Keeps a processor busy for hours, and asks nobody whether it should.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000000)";

fn postgres() -> Postgres {
    let parts = prepare_wanted(&Wanted::pinned().with_postgres(), &mut Silent).unwrap();
    Postgres::start(&parts).unwrap()
}

fn sqlstate(result: Result<String, StackError>) -> String {
    match result {
        Err(StackError::Sql { sqlstate, .. }) => sqlstate,
        other => panic!("no error of PostgreSQL: {other:?}"),
    }
}

#[test]
fn it_answers_as_it_is_meant_to() {
    let postgres = postgres();
    let show = |setting: &str| postgres.query("postgres", &format!("SHOW {setting}")).unwrap();
    assert!(show("server_version").starts_with("18."));
    for (setting, value) in [
        ("server_encoding", "UTF8"),
        ("lc_messages", "C"),
        ("timezone", "UTC"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("max_connections", "50"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
    ] {
        assert_eq!(show(setting), format!("{value}\n"), "{setting}");
    }
    assert_eq!(
        postgres.query("postgres", "SELECT 'ä', NULL, 1 UNION SELECT '', 'b', 2 ORDER BY 3").unwrap(),
        "ä\t\\N\t1\n\tb\t2\n"
    );
    assert_eq!(sqlstate(postgres.query("postgres", "SELECT missing")), "42703");
    assert_eq!(sqlstate(postgres.query("missing", "SELECT 1")), "3D000");
    assert_eq!(
        postgres.query("postgres", "SELECT rolname FROM pg_roles WHERE rolsuper").unwrap(),
        "postgres\n"
    );
    let collation = "SELECT datcollate, datctype FROM pg_database WHERE datname = current_database()";
    assert_eq!(postgres.query("postgres", collation).unwrap(), "C\tC\n");
    let scram = "SELECT DISTINCT auth_method FROM pg_hba_file_rules";
    assert_eq!(postgres.query("postgres", scram).unwrap(), "scram-sha-256\n");
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let postgres = postgres();
    let (first, second) = (postgres.new_database().unwrap(), postgres.new_database().unwrap());
    let secret = format!("postgres://{}:{}@", USER_POSTGRES.name, USER_POSTGRES.password);
    assert!(first.starts_with(&secret) && first != second, "{first} {second}");
    let name = |url: &str| url.rsplit_once('/').unwrap().1.to_owned();
    let (first, second) = (name(&first), name(&second));
    postgres.query(&first, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id").unwrap();
    assert_eq!(sqlstate(postgres.query(&second, "SELECT * FROM t")), "42P01");

    let (url, pid) = (postgres.url(&first), postgres.pid().unwrap());
    postgres.kill().unwrap();
    assert_eq!(postgres.pid(), None);
    assert!(matches!(postgres.query(&first, "SELECT 1"), Err(StackError::NoAnswer { .. })));
    assert!(matches!(postgres.wait_ready(soon(5)), Err(StackError::Ended { .. })));
    postgres.restart().unwrap();
    assert_ne!(postgres.pid(), Some(pid));
    assert_eq!(postgres.url(&first), url);
    assert_eq!(postgres.query(&first, "SELECT count(*), sum(id) FROM t").unwrap(), "1000\t500500\n");

    // It runs when it is told to start again.
    postgres.query(&first, "DELETE FROM t WHERE id > 10").unwrap();
    postgres.restart().unwrap();
    assert_eq!(postgres.query(&first, "SELECT count(*) FROM t").unwrap(), "10\n");
    assert_eq!(name(&postgres.new_database().unwrap()), "db_3");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_of_a_busy_server() {
    let postgres = postgres();
    let (pid, folder, address) = (postgres.pid().unwrap(), postgres.folder().to_owned(), address(&postgres));
    let children = std::thread::scope(|scope| {
        let busy = scope.spawn(|| postgres.query("postgres", ENDLESS));
        let is_busy = format!("SELECT count(*) FROM pg_stat_activity WHERE query = '{ENDLESS}'");
        wait_for("the query runs", soon(30), || postgres.query("postgres", &is_busy).unwrap() == "1\n");
        let children = support::children(pid);
        postgres.kill().unwrap();
        assert!(matches!(busy.join().unwrap(), Err(StackError::NoAnswer { .. })));
        children
    });
    assert!(children.len() > 1, "{children:?}");
    assert!(!children.iter().any(|pid| is_running(*pid)), "a kill waits for all of them");
    assert_eq!(support::memory_pieces(pid), 0);
    assert!(folder.join("data").exists(), "a kill keeps the data");

    postgres.restart().unwrap();
    let pid = postgres.pid().unwrap();
    let children = support::children(pid);
    assert_eq!(support::memory_pieces(pid), 1);
    drop(postgres);
    assert!(!children.iter().any(|child| is_running(*child)) && !is_running(pid));
    assert_eq!(support::memory_pieces(pid), 0);
    assert!(TcpStream::connect(address).is_err());
    assert!(!folder.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_without_its_keeper_ends_in_order() {
    let postgres = postgres();
    let pid = postgres.pid().unwrap();
    let children = support::children(pid);
    support::kill(support::parent(pid));
    wait_for("all of its processes end", soon(20), || {
        !is_running(pid) && !children.iter().any(|child| is_running(*child))
    });
    assert_eq!(support::memory_pieces(pid), 0);
    assert!(matches!(postgres.wait_ready(soon(5)), Err(StackError::Ended { .. })));
}

#[test]
fn a_server_that_was_not_prepared_is_refused() {
    let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
    let error = Postgres::start(&parts).unwrap_err();
    assert!(matches!(error, StackError::NotPrepared { .. }), "{error:?}");
    assert!(error.mend().is_some_and(|mend| mend.contains("with_postgres")));
}
