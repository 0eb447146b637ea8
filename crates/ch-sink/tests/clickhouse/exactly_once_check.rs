//! What exactly-once delivery needs of a server is found out beforehand, each lack with the statement that mends it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use housepipe_ch_sink::{ErrorTable, GrantProblem, SessionFault, Sink};
use housepipe_local_stack::{Clickhouse, USER_APP, USER_WRITER};

use super::{config, names, sink, start};

/// What `USER_WRITER` lacks to look back.
async fn problems(server: &Clickhouse) -> Vec<GrantProblem> {
    let sink = Sink::new(&config(server, USER_WRITER)).unwrap();
    let (columns, types) = (names(&["n"]), names(&["UInt8"]));
    let mut problems = sink.rows_check("t", &columns, &types).await.unwrap();
    problems.extend(sink.error_rows_check(&ErrorTable::new("e", 7)).await.unwrap());
    problems.extend(sink.parts_check().await.unwrap());
    problems
}

async fn missing(server: &Clickhouse) -> Vec<String> {
    let problems = problems(server).await;
    problems.into_iter().map(|problem| problem.statement.unwrap_or(problem.detail)).collect()
}

/// Grants by the file of users, which is all that the server of these tests reads: a statement there names no user.
fn grant(server: &mut Clickhouse, statement: &str) {
    let file = server.folder().join("users.xml");
    let text = std::fs::read_to_string(&file).unwrap();
    let right = statement.strip_suffix(" TO `writer`").unwrap();
    let had = "<query>GRANT INSERT ON housepipe.*</query>";
    let has = format!("{had}<query>{right}</query>");
    assert!(text.contains(had));
    std::fs::write(&file, text.replace(had, &has)).unwrap();
    server.restart().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_are_missing_are_mended_by_the_statements() {
    let mut server = start();
    server.query("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n").unwrap();
    let rights = [
        "GRANT SELECT ON `housepipe`.`t` TO `writer`",
        "GRANT SELECT ON system.parts TO `writer`",
        "GRANT CREATE TEMPORARY TABLE ON *.* TO `writer`",
        // Missing, and to be read when it is there.
        "GRANT SELECT ON `housepipe`.`e` TO `writer`",
    ];
    assert_eq!(missing(&server).await, [&rights[..], &rights[1..2]].concat());
    // Each of them is needed, and all of them are enough.
    for (number, right) in rights.iter().enumerate() {
        grant(&mut server, right);
        let left = missing(&server).await;
        assert!(!left.iter().any(|left| rights[..=number].contains(&left.as_str())), "{left:?}");
        assert_eq!(left.is_empty(), number == rights.len() - 1, "{left:?}");
    }
    // With the table there it is asked in another way, and the same is needed.
    sink(&server).create_error_table(&ErrorTable::new("e", 7)).await.unwrap();
    assert_eq!(missing(&server).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_table_that_may_not_be_read_is_named() {
    let server = start();
    sink(&server).create_error_table(&ErrorTable::new("e", 7)).await.unwrap();
    let problems: Vec<String> = problems(&server).await.iter().map(ToString::to_string).collect();
    let words = problems.iter().find(|words| words.contains("`e`")).unwrap();
    assert!(words.starts_with("SELECT on `e`: ") && words.contains("ACCESS_DENIED"), "{problems:?}");
    assert!(words.ends_with("; to mend it: GRANT SELECT ON `housepipe`.`e` TO `writer`"), "{problems:?}");
}

/// A proxy before `server` that changes the first line of each request.
pub(super) fn proxy(server: &str, change: impl Fn(&str) -> String + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&server).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let change = change.clone();
            thread::spawn(move || {
                let mut chunk = vec![0; 64 << 10];
                while let Ok(read @ 1..) = from.read(&mut chunk) {
                    let bytes = &chunk[..read];
                    let changed = match (bytes.starts_with(b"POST "), std::str::from_utf8(bytes)) {
                        (true, Ok(text)) => change(text).into_bytes(),
                        _ => bytes.to_vec(),
                    };
                    if to.write_all(&changed).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
            let (mut from, mut to) = (server, client);
            thread::spawn(move || {
                // Either side may hang up.
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
    format!("http://{address}")
}

/// Every request is in a session of its own, as where several servers answer.
fn another_session(request: &str) -> String {
    let own = request.len() as u64 ^ std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    request.replace("session_id=housepipe-", &format!("session_id=housepipe-{own}-"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_tried_as_inserts_use_them() {
    let mut server = start();
    assert_eq!(sink(&server).session_fault().await.unwrap(), None);
    let through = |change: fn(&str) -> String| {
        let mut config = config(&server, USER_APP);
        config.url = proxy(server.url(), change);
        Sink::new(&config).unwrap()
    };
    assert_eq!(through(str::to_owned).session_fault().await.unwrap(), None, "a proxy alone is no fault");
    let unchecked = through(|request| request.replace("&session_check=1", ""));
    assert_eq!(unchecked.session_fault().await.unwrap(), Some(SessionFault::Unchecked));
    let no_session = through(|request| request.replace("session_id=", "log_comment="));
    assert_eq!(no_session.session_fault().await.unwrap(), Some(SessionFault::Unchecked));
    assert_eq!(through(another_session).session_fault().await.unwrap(), Some(SessionFault::Lost));

    let file = server.folder().join(".clickhouse-local/config.xml");
    let text = std::fs::read_to_string(&file).unwrap();
    let short = "<max_session_timeout>29</max_session_timeout></clickhouse>";
    std::fs::write(&file, text.replace("</clickhouse>", short)).unwrap();
    server.restart().unwrap();
    let fault = sink(&server).session_fault().await.unwrap();
    assert!(matches!(fault, Some(SessionFault::TooShort { .. })), "{fault:?}");
    // As it says.
    std::fs::write(&file, text.replace("</clickhouse>", &short.replace("29", "30"))).unwrap();
    server.restart().unwrap();
    assert_eq!(sink(&server).session_fault().await.unwrap(), None);
}
