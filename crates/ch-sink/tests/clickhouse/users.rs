//! Users that are made for pipes: they may do what they should, and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use housepipe_ch_sink::{
    Access, DeduplicationFacts, ErrorTable, Insert, LookBack, Owner, PipeUser, Sink, SinkConfig, SinkError,
    TableName,
};
use housepipe_local_stack::{Clickhouse, ROLE_LOADERS, USER_APP, USER_LIMITED, User, UserKeeper};
use secrecy::SecretString;

use super::exactly_once_check::proxy;
use super::{config, names, rows, start};

const ACCESS_DENIED: i32 = 497;

struct Stage {
    server: Arc<Clickhouse>,
    keeper: UserKeeper,
}

impl Stage {
    /// A server with a table, its error table and another table.
    fn set() -> Stage {
        let server = Arc::new(start());
        for table in ["t", "other"] {
            server.query(&format!("CREATE TABLE {table} (n UInt8) ENGINE = MergeTree ORDER BY n")).unwrap();
        }
        server.query(&ErrorTable::new("t_errors", 7).sql()).unwrap();
        let keeper = UserKeeper::before(&server).unwrap();
        Stage { server, keeper }
    }

    fn sink(&self, user: &str, password: &str) -> Sink {
        let mut config = SinkConfig::new(self.keeper.url(), self.server.database());
        config.username = user.to_owned();
        config.password = Some(password.to_owned().into());
        Sink::new(&config).unwrap()
    }

    fn of(&self, user: User) -> Sink {
        self.sink(user.name, user.password)
    }
}

fn user(name: &str) -> PipeUser {
    PipeUser { name: name.to_owned(), mark: format!("housepipe: pipe of {name}, 'quoted'"), on_cluster: None }
}

fn tables(looks_back: bool) -> Access {
    let tables = names(&["t", "t_errors"]);
    let looks_back = looks_back.then(LookBack::default);
    Access::Tables { database: "housepipe".to_owned(), tables, looks_back }
}

/// Makes the user, as a pipe does that is defined for the first time.
async fn make(maker: &Sink, user: &PipeUser, password: &str, access: &Access) -> Result<(), SinkError> {
    maker.create_user(user, &SecretString::from(password)).await?;
    maker.run(&user.grant(access)).await
}

fn code(result: Result<impl std::fmt::Debug, SinkError>) -> Option<i32> {
    result.unwrap_err().code()
}

async fn insert(sink: &Sink, table: &str) -> Result<(), SinkError> {
    sink.insert(&rows(table, &[], &[7], 1)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_the_tables_reaches_nothing_else() {
    let stage = Stage::set();
    let (maker, loader) = (stage.of(USER_APP), user("housepipe_loader"));
    assert_eq!(maker.owner(&loader).await.unwrap(), Owner::Nobody);
    for _ in 0..2 {
        make(&maker, &loader, "p'ass\\word", &tables(false)).await.unwrap();
    }
    assert_eq!(maker.owner(&loader).await.unwrap(), Owner::ThisPipe);
    let sink = stage.sink(&loader.name, "p'ass\\word");
    assert!(sink.is_let_in().await.unwrap());
    assert!(!stage.sink(&loader.name, "other").is_let_in().await.unwrap());
    assert!(sink.grants_check("t", Some(&ErrorTable::new("t_errors", 7))).await.unwrap().is_empty());
    insert(&sink, "t").await.unwrap();
    assert_eq!(sink.count("t").await.unwrap(), 1);
    assert_eq!(sink.count("t_errors").await.unwrap(), 0);
    assert!(sink.describe("t").await.unwrap().is_some());

    assert_eq!(code(insert(&sink, "other").await), Some(ACCESS_DENIED));
    assert_eq!(code(sink.count("other").await), Some(ACCESS_DENIED));
    assert_eq!(code(sink.describe("other").await), Some(ACCESS_DENIED));
    assert_eq!(code(sink.create_error_table(&ErrorTable::new("more", 7)).await), Some(ACCESS_DENIED));
    assert_eq!(code(sink.owner(&loader).await), Some(ACCESS_DENIED));
    assert_eq!(code(sink.run(&loader.grant(&tables(true))).await), Some(ACCESS_DENIED));

    let stored = stage.server.query("SELECT count() FROM t").unwrap();
    assert_eq!(maker.drop_user(&loader).await.unwrap(), Owner::ThisPipe);
    assert_eq!(maker.drop_user(&loader).await.unwrap(), Owner::Nobody);
    assert!(!sink.is_let_in().await.unwrap());
    assert_eq!(stage.server.query("SELECT count() FROM t").unwrap(), stored, "its rows stay");
}

/// The tables of views, and what holds for each table that does not say it itself, as somebody sees them who may see everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_looks_back_sees_what_remembers_its_inserts() {
    let stage = Stage::set();
    for sql in [
        "CREATE DATABASE archive",
        "CREATE TABLE near (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 7",
        "CREATE TABLE archive.far (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 9",
        "CREATE MATERIALIZED VIEW to_near TO near AS SELECT n FROM t",
        "CREATE MATERIALIZED VIEW archive.to_far TO archive.far AS SELECT n FROM t",
    ] {
        stage.server.query(sql).unwrap();
    }
    let (maker, loader) = (stage.of(USER_APP), user("housepipe_seeing"));
    let elsewhere =
        ["far", "to_far"].map(|table| TableName { database: "archive".to_owned(), table: table.to_owned() });
    let looks_back = Some(LookBack { elsewhere: elsewhere.to_vec() });
    let mut all = tables(true);
    if let Access::Tables { looks_back: wanted, .. } = &mut all {
        *wanted = looks_back;
    }
    make(&maker, &loader, "p", &all).await.unwrap();
    let sink = stage.sink(&loader.name, "p");
    let facts = async |sink: &Sink| {
        let facts = sink.deduplication_facts("t").await.unwrap().unwrap();
        DeduplicationFacts { user: String::new(), ..facts }
    };
    let seen = facts(&sink).await;
    assert_eq!(seen, facts(&maker).await);
    assert_eq!(seen.views.iter().filter(|view| view.target.is_some()).count(), 2, "{seen:?}");
    assert!(seen.tables().all(|(table, _)| !table.is_assumed), "{seen:?}");
    // Their rows are nobody's business.
    assert_eq!(code(sink.count("near").await), Some(ACCESS_DENIED));

    // A view that is made later, beside the table.
    stage.server.query("CREATE MATERIALIZED VIEW later TO near AS SELECT n FROM t").unwrap();
    assert_eq!(facts(&sink).await, facts(&maker).await);

    assert!(maker.has_exactly(&loader, &all).await.unwrap());
    for other in [&tables(true), &tables(false), &Access::Role(ROLE_LOADERS.to_owned())] {
        assert!(!maker.has_exactly(&loader, other).await.unwrap(), "{other:?}");
    }
    assert!(!maker.has_exactly(&user("housepipe_nobody"), &all).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_is_exactly_what_was_asked_for_last() {
    let stage = Stage::set();
    let (maker, loader) = (stage.of(USER_APP), user("housepipe_exact"));
    let (columns, types) = (names(&["n"]), names(&["UInt8"]));
    make(&maker, &loader, "p", &tables(true)).await.unwrap();
    let sink = stage.sink(&loader.name, "p");
    assert_eq!(sink.rows_check("t", &columns, &types).await.unwrap(), []);
    assert_eq!(sink.parts_check().await.unwrap(), []);
    assert_eq!(sink.error_rows_check(&ErrorTable::new("t_errors", 7)).await.unwrap(), []);

    let change = async |access: &Access| {
        assert!(!maker.has_exactly(&loader, access).await.unwrap(), "{access:?}");
        maker.run(&loader.grant(access)).await.unwrap();
        maker.run(&loader.revoke_others(access)).await.unwrap();
        // Which rights are all of a database differs from server to server.
        let is_told = !matches!(access, Access::Database { .. });
        assert_eq!(maker.has_exactly(&loader, access).await.unwrap(), is_told, "{access:?}");
    };
    change(&Access::Database { database: "housepipe".to_owned(), looks_back: None }).await;
    insert(&sink, "other").await.unwrap();
    assert_eq!(sink.count("other").await.unwrap(), 1);
    assert_ne!(sink.parts_check().await.unwrap(), [], "that was for looking back");

    // The role inserts, and does not read.
    change(&Access::Role(ROLE_LOADERS.to_owned())).await;
    insert(&sink, "t").await.unwrap();
    assert_eq!(code(sink.count("t").await), Some(ACCESS_DENIED));

    change(&tables(false)).await;
    sink.count("t").await.unwrap();
    assert_eq!(code(insert(&sink, "other").await), Some(ACCESS_DENIED));

    maker.run(&loader.change_password(&SecretString::from("q"))).await.unwrap();
    assert!(!sink.is_let_in().await.unwrap());
    assert!(stage.sink(&loader.name, "q").is_let_in().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_somebody_else_is_left_alone() {
    let stage = Stage::set();
    let maker = stage.of(USER_APP);
    let (mine, other) = (user("housepipe_taken"), user("housepipe_taken"));
    make(&maker, &mine, "p", &tables(false)).await.unwrap();
    let other = PipeUser { mark: "housepipe: another pipe".to_owned(), ..other };
    let of_the_configuration = user("writer");
    for user in [&other, &of_the_configuration] {
        let error = make(&maker, user, "mine now", &tables(false)).await.unwrap_err();
        assert!(matches!(&error, SinkError::ForeignUser { user: named } if *named == user.name), "{error}");
        assert_eq!(maker.owner(user).await.unwrap(), Owner::SomebodyElse);
        assert_eq!(maker.drop_user(user).await.unwrap(), Owner::SomebodyElse);
        assert!(!stage.sink(&user.name, "mine now").is_let_in().await.unwrap());
    }
    assert!(stage.sink("housepipe_taken", "p").is_let_in().await.unwrap());
    assert!(stage.sink("writer", "writer-secret").is_let_in().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_make_no_users_is_told_what_is_missing() {
    let stage = Stage::set();
    let limited = stage.of(USER_LIMITED);
    assert!(stage.of(USER_APP).user_rights_check().await.unwrap().is_empty());
    let missing: Vec<String> =
        limited.user_rights_check().await.unwrap().into_iter().filter_map(|it| it.statement).collect();
    let grant = |right: &str| format!("GRANT {right} ON *.* TO `limited`");
    assert_eq!(missing, ["SHOW USERS", "CREATE USER", "ALTER USER"].map(grant));
    let error = limited.create_user(&user("housepipe_u"), &SecretString::from("hunter2")).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("the creation of the user `housepipe_u`") && told.contains("GRANT it"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    assert!(limited.creation_check("new").await.unwrap().is_some());
    assert!(stage.of(USER_APP).creation_check("new").await.unwrap().is_none());
}

/// A server that is away does what it is told when it is back: who asks waits for a part of the time, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_for_a_cluster_do_not_wait_for_dead_servers() {
    let stage = Stage::set();
    let (requests, seen) = std::sync::mpsc::channel();
    let url = proxy(&stage.keeper.url(), move |request| {
        requests.send(request.to_owned()).unwrap();
        request.to_owned()
    });
    let mut config = config(&stage.server, USER_APP);
    config.url = url;
    let maker = Sink::new(&config).unwrap();
    let everywhere = PipeUser { on_cluster: Some("c".to_owned()), ..user("housepipe_everywhere") };
    let errors = ErrorTable::new("everywhere", 7).on_cluster(Some("c".to_owned()));
    // There is no such cluster, which is enough to see what is asked of it.
    assert!(maker.run(&everywhere.grant(&tables(false))).await.is_err());
    assert!(maker.create_error_table(&errors).await.is_err());
    let asked: Vec<String> = seen.try_iter().filter(|request| request.contains("POST")).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for request in asked {
        for part in ["distributed_ddl_output_mode=null_status_on_timeout", "distributed_ddl_task_timeout=20"]
        {
            assert!(request.contains(part), "{request}");
        }
    }
    assert!(maker.run(&user("housepipe_alone").drop()).await.is_ok());
    let asked: String = seen.try_iter().collect();
    assert!(!asked.contains("distributed_ddl"), "{asked}");
    // The settings are ones that a server knows.
    let known = "SELECT count() FROM system.settings WHERE name IN ('distributed_ddl_output_mode', 'distributed_ddl_task_timeout')";
    assert_eq!(stage.server.query(known).unwrap().trim(), "2");
    stage.server.query("SELECT 1 SETTINGS distributed_ddl_output_mode = 'null_status_on_timeout'").unwrap();
}

/// Those that a single node without Keeper, or an engine that keeps no users, does not run: it parses them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clickhouse_reads_every_published_statement() {
    let server = start();
    let golden = include_str!("../../../../testdata/goldens/statements.sql");
    let mut seen = 0;
    for statement in golden.split(";\n").map(str::trim).filter(|it| !it.is_empty()) {
        let lines: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--")).collect();
        // In place of what is not shown: it is of this form.
        let sql = lines.join("\n").trim().replace("'…'", "'00'");
        let literal = housepipe_ch_sink::quote_string(&sql);
        let read = server.query(&format!("SELECT formatQuerySingleLine({literal})")).unwrap();
        assert!(!read.is_empty(), "{sql}");
        // It knows no engine of ClickHouse Cloud.
        if !sql.contains("SharedMergeTree") {
            server.query(&format!("EXPLAIN AST {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        seen += 1;
    }
    assert_eq!(seen, golden.matches("\n-- ").count());
    assert!(server.query("SELECT formatQuerySingleLine('GRANT ON CLUSTER c TO x')").is_err());
}

/// A body that is cut into pieces goes through the keeper of the tests as through nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_inserts_of_a_made_user_arrive() {
    let stage = Stage::set();
    let (maker, loader) = (stage.of(USER_APP), user("housepipe_large"));
    make(&maker, &loader, "p", &tables(false)).await.unwrap();
    let sink = stage.sink(&loader.name, "p");
    let insert = Insert { body: Bytes::from(vec![1; 900_000]), ..rows("t", &[], &[], 900_000) };
    sink.insert(&insert).await.unwrap();
    assert_eq!(sink.count("t").await.unwrap(), 900_000);
}
