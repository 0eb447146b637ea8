//! What a pipe makes at its destination: its tables, and a user of its own.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::sync::Arc;

use housepipe_local_stack::{Stack, USER_APP, USER_LIMITED, USER_NARROW, USER_WRITER, User, UserKeeper};
use housepipe_tests::{
    Answer, PipeText, Served, create_topic, document, housepipe, housepipe_at, housepipe_with, own_stack,
    produce, query, query_number, shared_stack, unique, wait_until,
};
use serde_json::{Value, json};

const PASSWORD: &str = "canary-of-the-pipe";

/// Servers that keep users.
struct Stage {
    stack: Arc<Stack>,
    keeper: UserKeeper,
}

impl Stage {
    fn set() -> Stage {
        let stack = Arc::new(own_stack());
        let keeper = UserKeeper::before(&stack).unwrap();
        Stage { stack, keeper }
    }

    /// A topic with so many good records, and one that is rejected.
    fn topic(&self, name: &str, records: u64) -> String {
        let topic = unique(name);
        create_topic(&self.stack, &topic, 1);
        self.produce(&topic, records);
        produce(&self.stack, &topic, 1, [r#"{"id":"none"}"#]);
        topic
    }

    fn produce(&self, topic: &str, records: u64) {
        produce(&self.stack, topic, 1, (0..records).map(|id| format!(r#"{{"id":{id}}}"#)));
    }

    /// A pipe of the topic into a new table, of whose user these lines are.
    fn pipe(&self, topic: &str, own: &str) -> PipeText {
        let maker = format!("  setup: {{ username: {}, password: {} }}\n", USER_APP.name, USER_APP.password);
        PipeText::new(&self.stack, topic)
            .replacing(self.stack.clickhouse.url(), &self.keeper.url())
            .with_new_table("id UInt64", "id")
            .with_columns(&format!("{maker}{own}"))
            .with("batch: { max_wait: 200ms }")
    }

    fn rows(&self, table: &str) -> u64 {
        query_number(&self.stack, &format!("SELECT count() FROM {table}"))
    }
}

fn own(user: &str, password: &str) -> String {
    format!("  username: {user}\n  password: {password}\n  access: only_destination\n")
}

/// Runs it to the end of its topic, and says what was told.
fn run(pipe: &PipeText) -> String {
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(pipe), b"").wait();
    let outcome = outcome.expect_success();
    format!("{}{}", outcome.stderr, String::from_utf8_lossy(&outcome.stdout))
}

fn check(pipe: &PipeText) -> (Option<i32>, Value) {
    let outcome = housepipe(&["check", "pipe.yaml", "--json"], Some(pipe), b"").wait();
    (outcome.code, outcome.json())
}

/// What a check says, by its name.
fn told<'a>(checks: &'a Value, name: &str) -> &'a str {
    let all = checks["checks"].as_array().unwrap();
    all.iter().find(|check| check["name"] == name).map_or("", |check| check["detail"].as_str().unwrap())
}

#[test]
fn a_pipe_makes_its_tables_and_its_user_in_both_modes() {
    let stage = Stage::set();
    for (delivery, user) in [("at_least_once", "housepipe_least"), ("exactly_once", "housepipe_exactly")] {
        let topic = stage.topic(delivery, 1_000);
        let delivery = format!("delivery: {delivery}");
        let pipe = stage.pipe(&topic, &own(user, PASSWORD)).with(&delivery);
        let (code, checks) = check(&pipe);
        assert_eq!(code, Some(0), "{checks}");
        assert!(told(&checks, "user").contains("will be created: CREATE USER IF NOT EXISTS"), "{checks}");
        let preview =
            housepipe(&["preview", "pipe.yaml", "--json"], Some(&pipe), b"").wait().expect_success();
        assert_eq!(preview.json()["table_state"], "will_be_created", "{}", preview.json());
        assert!(!stage.keeper.knows(user).unwrap(), "looking makes nothing");

        let said = run(&pipe);
        assert!(!said.contains(PASSWORD) && !said.contains(USER_APP.password), "{said}");
        assert!(stage.keeper.knows(user).unwrap());
        assert_eq!((stage.rows(&topic), stage.rows(&format!("{topic}_clickpipes_error"))), (1_000, 1));

        // Again, with everything there; and with another password.
        for password in [PASSWORD, "another-canary"] {
            let pipe = stage.pipe(&topic, &own(user, password)).with(&delivery);
            let before = stage.rows(&topic);
            stage.produce(&topic, 100);
            run(&pipe);
            assert_eq!(stage.rows(&topic), before + 100);
            let (code, checks) = check(&pipe);
            assert_eq!(
                (code, told(&checks, "user").contains("was made for this pipe")),
                (Some(0), true),
                "{checks}"
            );
            assert!(told(&checks, "grants").contains("may insert"), "{checks}");
        }

        // The user has no business in another table, whoever has made that.
        let other = unique("other");
        query(&stage.stack, &format!("CREATE TABLE {other} (id UInt64) ENGINE = MergeTree ORDER BY id"));
        let astray = PipeText::new(&stage.stack, &topic)
            .replacing(stage.stack.clickhouse.url(), &stage.keeper.url())
            .replacing(&format!("table: {topic}"), &format!("table: {other}"))
            .with_columns(&format!("  username: {user}\n  password: another-canary\n"))
            .with("error_table: { enabled: false }");
        let (code, checks) = check(&astray);
        assert_eq!(code, Some(1), "{checks}");
        assert!(checks.to_string().contains("ACCESS_DENIED"), "{checks}");
    }
}

/// Where views write to, in the database of the table and in another one, before the first start and while it runs.
#[test]
fn exactly_once_sees_the_tables_of_views_by_its_own_user() {
    let stage = Stage::set();
    let topic = stage.topic("viewed", 100);
    let other = unique("archive");
    let window = "SETTINGS non_replicated_deduplication_window = 1000";
    for sql in [
        format!("CREATE DATABASE {other}"),
        format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id {window}"),
        format!("CREATE TABLE {topic}_near (id UInt64) ENGINE = MergeTree ORDER BY id {window}"),
        format!("CREATE TABLE {other}.far (id UInt64) ENGINE = MergeTree ORDER BY id {window}"),
        format!("CREATE MATERIALIZED VIEW {topic}_to_near TO {topic}_near AS SELECT id FROM {topic}"),
        format!("CREATE MATERIALIZED VIEW {topic}_to_far TO {other}.far AS SELECT id FROM {topic}"),
    ] {
        query(&stage.stack, &sql);
    }
    let pipe = stage.pipe(&topic, &own("housepipe_viewed", PASSWORD)).with("delivery: exactly_once");
    for start in 0..2 {
        let (code, checks) = check(&pipe);
        assert_eq!(code, Some(0), "before start {start}: {checks}");
        run(&pipe);
        let (code, checks) = check(&pipe);
        assert_eq!(code, Some(0), "after start {start}: {checks}");
        assert!(told(&checks, "deduplication").contains("which `housepipe`"), "{checks}");
        stage.produce(&topic, 100);
    }
    assert_eq!((stage.rows(&topic), stage.rows(&format!("{other}.far"))), (200, 200));

    // A repeated insert of a running pipe finds one that was attached meanwhile.
    let killed = housepipe_at("insert_after", &["run", "pipe.yaml", "--until-caught-up"], &pipe).wait();
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let late = format!("CREATE MATERIALIZED VIEW {topic}_late TO {topic}_near AS SELECT id FROM {topic}");
    query(&stage.stack, &late);
    run(&pipe);
    assert_eq!(stage.rows(&topic), 300);
}

/// A check is made as the user that will insert, where its rights are not the pipe's to give.
#[test]
fn a_check_sees_what_the_user_sees_that_inserts() {
    let stack = shared_stack();
    let (topic, other) = (unique("unseen"), unique("hidden"));
    create_topic(stack, &topic, 1);
    let window = "SETTINGS non_replicated_deduplication_window = 1000";
    for sql in [
        format!("CREATE DATABASE {other}"),
        format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id {window}"),
        format!("CREATE TABLE {other}.far (id UInt64) ENGINE = MergeTree ORDER BY id {window}"),
        format!("CREATE MATERIALIZED VIEW {other}.view TO {other}.far AS SELECT id FROM {topic}"),
    ] {
        query(stack, &sql);
    }
    let pipe = PipeText::new(stack, &topic)
        .with_clickhouse_user(USER_NARROW)
        .with_columns(&format!(
            "  setup: {{ username: {}, password: {} }}\n",
            USER_APP.name, USER_APP.password
        ))
        .with("delivery: exactly_once");
    let (code, checks) = check(&pipe);
    assert_eq!(code, Some(1), "{checks}");
    let seen = told(&checks, "deduplication");
    assert!(seen.contains("exactly once cannot hold") && seen.contains("TO `narrow`"), "{checks}");
}

#[test]
fn a_start_that_is_killed_at_any_step_is_finished_by_the_next() {
    let stage = Stage::set();
    for (number, step) in
        ["set_up_table", "set_up_error_table", "set_up_user", "set_up_grants"].into_iter().enumerate()
    {
        let (topic, user) = (stage.topic(step, 10), format!("housepipe_killed_{number}"));
        let pipe = stage.pipe(&topic, &own(&user, PASSWORD));
        let killed = housepipe_at(step, &["run", "pipe.yaml", "--until-caught-up"], &pipe).wait();
        assert_eq!(killed.code, None, "{step}: {}", killed.stderr);
        assert_eq!(stage.keeper.knows(&user).unwrap(), number >= 2, "{step}");
        run(&pipe);
        assert_eq!((stage.rows(&topic), stage.rows(&format!("{topic}_clickpipes_error"))), (10, 1), "{step}");
    }
}

#[test]
fn a_service_that_is_killed_at_any_step_of_a_set_up_finishes_it_when_it_comes_back() {
    let stage = Stage::set();
    for step in ["set_up_table", "set_up_error_table", "set_up_user", "set_up_grants"] {
        let topic = stage.topic(&format!("served_{step}"), 10);
        let pipe =
            document(&stage.pipe(&topic, "  access: only_destination\n").with("delivery: exactly_once"));
        let user = format!("housepipe_{}", pipe["name"].as_str().unwrap());
        let mut served = Served::start();
        served.kill();
        assert!(served.start_to_die_at(step), "{step}: it comes up");
        // The answer may be lost with the service; the pipe is not.
        drop(served.try_call("POST", "/api/v1/pipes", &[], Some(&json!({ "pipe": pipe }))));
        wait_until(&format!("the service to die, {step}"), || !served.is_running());
        served.start_again();
        let pipes = served.call("GET", "/api/v1/pipes", &[], None).expect(200).body;
        assert_eq!(pipes["pipes"].as_array().map(Vec::len), Some(1), "{step}: {pipes}");
        served.wait_for_stage(pipes["pipes"][0]["id"].as_str().unwrap(), "running");
        wait_until(&format!("the records, {step}"), || {
            stage.rows(&topic) == 10 && stage.rows(&format!("{topic}_clickpipes_error")) == 1
        });
        assert!(stage.keeper.knows(&user).unwrap(), "{step}");
        served.stop();
    }
}

#[test]
fn a_command_may_leave_the_user_to_the_service_and_has_it_dropped_with_the_pipe() {
    let stage = Stage::set();
    let topic = stage.topic("commanded", 10);
    let name = topic.replace('_', "-");
    let pipe = stage.pipe(&topic, "  access: only_destination\n");
    let user = format!("housepipe_{}", document(&pipe)["name"].as_str().unwrap());
    let mut served = Served::start();
    let address = format!("http://{}", served.address());
    let variables = [("HOUSEPIPE_SERVER", address.as_str()), ("HOUSEPIPE_TOKEN", served.token())];
    let pipes = |arguments: &[&str], pipe: Option<&PipeText>| {
        housepipe_with(&variables, &[&["pipes"], arguments].concat(), pipe).wait().expect_success()
    };
    pipes(&["create", "pipe.yaml", "--wait"], Some(&pipe));
    wait_until("the records", || stage.rows(&topic) == 10);
    assert!(stage.keeper.knows(&user).unwrap());
    let removed = pipes(&["remove", &name, "--user", "--yes", "--wait"], None);
    assert!(!removed.stderr.contains("No ClickHouse user"), "{}", removed.stderr);
    assert!(!stage.keeper.knows(&user).unwrap());
    served.stop();
}

#[test]
fn a_user_of_somebody_else_is_left_alone() {
    let stage = Stage::set();
    let topic = stage.topic("foreign", 10);
    // Another pipe's, and one of the server's configuration.
    run(&stage.pipe(&topic, &own("housepipe_mine", "p")));
    let other = stage.topic("foreign", 10);
    for user in ["housepipe_mine", "writer"] {
        let pipe = stage.pipe(&other, &own(user, PASSWORD));
        let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("was not made for this pipe"), "{}", outcome.stderr);
        let (code, checks) = check(&pipe);
        assert_eq!(
            (code, told(&checks, "user").contains("was not made for this pipe")),
            (Some(1), true),
            "{checks}"
        );
    }
    stage.produce(&topic, 10);
    run(&stage.pipe(&topic, &own("housepipe_mine", "p")));
    assert_eq!(stage.rows(&topic), 20, "its password is as it was");
}

#[test]
fn another_user_creates_the_tables_that_the_pipe_inserts_into() {
    let stack = shared_stack();
    let topic = unique("set_up");
    create_topic(stack, &topic, 1);
    produce(stack, &topic, 1, [r#"{"id":1}"#, r#"{"id":"none"}"#]);
    let pipe = |maker: User| {
        PipeText::new(stack, &topic)
            .with_new_table("id UInt64", "id")
            .with_clickhouse_user(USER_WRITER)
            .with_columns(&format!("  setup: {{ username: {}, password: {} }}\n", maker.name, maker.password))
    };
    let (code, checks) = check(&pipe(USER_LIMITED));
    assert_eq!(code, Some(1), "{checks}");
    assert!(told(&checks, "setup").contains("GRANT CREATE TABLE ON `housepipe`"), "{checks}");
    let (code, checks) = check(&pipe(USER_APP));
    assert_eq!((code, told(&checks, "setup")), (Some(0), "`app` may create what is missing"), "{checks}");
    run(&pipe(USER_APP));
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 1);
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}_clickpipes_error")), 1);
    let own =
        pipe(USER_LIMITED).replacing("username: writer", "username: loader").with_columns("  access: full\n");
    let (code, checks) = check(&own);
    assert_eq!(code, Some(1), "{checks}");
    for right in ["SHOW USERS", "CREATE USER", "ALTER USER"] {
        assert!(checks.to_string().contains(&format!("GRANT {right} ON *.* TO `limited`")), "{checks}");
    }
}

#[test]
fn a_role_is_granted_and_one_that_is_missing_is_named() {
    let stage = Stage::set();
    let topic = stage.topic("role", 10);
    let with_role = |role: &str| {
        let lines = format!("  username: housepipe_roled\n  password: p\n  access: {{ role: {role} }}\n");
        stage.pipe(&topic, &lines)
    };
    let outcome =
        housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&with_role("nobody")), b"").wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let said = &outcome.stderr;
    assert!(
        said.contains("the grants of the user `housepipe_roled`") && said.contains("create the role"),
        "{said}"
    );
    // What that start has made is no obstacle to the next one.
    run(&with_role("loaders"));
    assert_eq!(stage.rows(&topic), 10);
}

#[test]
fn the_service_makes_a_user_and_drops_it_with_the_pipe() {
    let stage = Stage::set();
    let topic = stage.topic("served_user", 500);
    // So that what was loaded before a kill is not loaded again.
    let pipe = stage.pipe(&topic, "  access: only_destination\n").with("delivery: exactly_once");
    let pipe = document(&pipe);
    let name = pipe["name"].as_str().unwrap();
    let user = format!("housepipe_{name}");
    let mut served = Served::start();

    let Answer { status, body: planned, .. } =
        served.call("POST", "/api/v1/ddl", &[], Some(&json!({ "pipe": pipe })));
    assert_eq!(status, 200, "{planned}");
    let purposes: Vec<&str> =
        planned["statements"].as_array().unwrap().iter().map(|it| it["purpose"].as_str().unwrap()).collect();
    assert_eq!(purposes.len(), 4, "{planned}");
    assert!(purposes[2].contains(&user) && !planned.to_string().contains(USER_APP.password), "{planned}");
    assert!(!stage.keeper.knows(&user).unwrap());

    let Answer { status, body: created, .. } =
        served.call("POST", "/api/v1/pipes", &[], Some(&json!({ "pipe": pipe })));
    assert_eq!(status, 201, "{created}");
    let destination = &created["pipe"]["destination"];
    assert_eq!(destination["username"], user, "{created}");
    assert_eq!(destination["password"], "${secret:destination.password}", "{created}");
    assert_eq!(destination["setup"]["password"], "${secret:destination.setup.password}", "{created}");
    let id = created["id"].as_str().unwrap().to_owned();
    served.wait_for_stage(&id, "running");
    wait_until("the records", || stage.rows(&topic) == 500);
    assert!(stage.keeper.knows(&user).unwrap());

    served.kill();
    stage.produce(&topic, 100);
    served.start_again();
    wait_until("the records after a kill", || stage.rows(&topic) == 600);

    let map = json!({ "pipe": pipe, "samples": [{ "ID": 1, "more": "x" }] });
    let shown = json!({ "pipe": created["pipe"] });
    let Answer { status, body: again, .. } = served.call("POST", "/api/v1/ddl", &[], Some(&shown));
    assert_eq!((status, &again), (200, &planned), "what is shown of a pipe is enough");
    let Answer { status, body: mapping, .. } = served.call("POST", "/api/v1/mapping", &[], Some(&map));
    assert_eq!(status, 200, "{mapping}");
    assert_eq!(mapping["columns"][0]["filled_by"], "field", "{mapping}");
    assert_eq!(mapping["columns"][0]["likeness"], "letter_case", "{mapping}");
    assert_eq!(mapping["left_over"], json!(["more"]), "{mapping}");

    let with = |key: &str, value: Value| {
        let mut changed = map.clone();
        changed[key] = value;
        changed
    };
    let columns = json!([{ "name": "id", "type": "UInt64" }]);
    let mut elsewhere = with("samples", json!([]));
    elsewhere["pipe"]["destination"]["table"] = "nothing_there".into();
    for (body, status, code) in [
        (with("columns", columns.clone()), 400, "invalid_request"),
        (with("samples", json!([7])), 422, "nothing_to_infer"),
        (elsewhere, 422, "no_such_table"),
        (json!({ "pipe": pipe, "columns": [{ "name": "id", "type": "Uint" }] }), 400, "invalid_request"),
        (json!({ "pipe": {}, "columns": columns }), 422, "invalid_pipe"),
    ] {
        let Answer { status: was, body: problem, .. } =
            served.call("POST", "/api/v1/mapping", &[], Some(&body));
        assert_eq!((was, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }

    // An edit takes nothing of the pipe away, whatever it reads by.
    let path = format!("/api/v1/pipes/{id}");
    let stored = served.call("GET", &path, &[], None);
    let mut edited = stored.body["pipe"].clone();
    edited["source"]["consumer_group"] = unique("another_group").into();
    let etag = format!("\"{}\"", stored.body["revision"]);
    let Answer { status, body: answer, .. } =
        served.call("PUT", &path, &[("If-Match", &etag)], Some(&json!({ "pipe": edited })));
    assert_eq!(status, 200, "{answer}");
    stage.produce(&topic, 100);
    // The new group begins with the topic.
    wait_until("the records after an edit", || stage.rows(&topic) == 1_300);

    let Answer { status, body: leaving, .. } =
        served.call("DELETE", &format!("{path}?consumer_group=true&user=true"), &[], None);
    assert_eq!(status, 202, "{leaving}");
    wait_until("the pipe to be gone", || served.call("GET", &path, &[], None).status == 404);
    assert!(!stage.keeper.knows(&user).unwrap(), "its user went with it");
    assert_eq!(stage.rows(&topic), 1_300, "the table stays");
}
