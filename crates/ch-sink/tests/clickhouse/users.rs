//! Users that are made for pipes: they may do what they should, and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use housepipe_ch_sink::{Access, ErrorTable, Insert, Owner, PipeUser, Sink, SinkConfig, SinkError};
use housepipe_local_stack::{Clickhouse, ROLE_LOADERS, USER_APP, USER_LIMITED, User, UserKeeper};
use secrecy::SecretString;

use super::{names, rows, start};

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
        maker.run(&loader.grant(access)).await.unwrap();
        maker.run(&loader.revoke_others(access)).await.unwrap();
    };
    change(&Access::Database { database: "housepipe".to_owned(), looks_back: false }).await;
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
