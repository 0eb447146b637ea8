//! `housepipe serve`: what a console's wizard asks for, as calls.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use housepipe_local_stack::{
    DATABASE, ROLE_LOADERS, Registry, RegistryOptions, Silent, Stack, USER_APP, USER_PLAIN, USER_REGISTRY,
    Wanted, prepare_wanted,
};
use housepipe_tests::{
    Answer, Served, create_topic, produce, query_number, shared_stack, unique, wait_until,
    while_identity_holds,
};
use serde_json::{Value, json};

/// Documents of the topics here, of which the last two are JSON for ClickHouse alone.
const DOCUMENTS: usize = 40;
const DOUBTFUL: usize = 2;

/// A topic of two partitions with [`DOCUMENTS`] records; the same is the name of its table.
fn topic(stack: &Stack, name: &str) -> String {
    let topic = unique(name);
    create_topic(stack, &topic, 2);
    let documents = (0..DOCUMENTS).map(|number| {
        let reading = if number < DOCUMENTS - DOUBTFUL { "0.5" } else { ".5" };
        format!("{{\"id\":{number},\"user\":{{\"name\":\"u{}\"}},\"reading\":{reading}}}", number % 3)
    });
    produce(stack, &topic, 2, documents);
    topic
}

fn destination(stack: &Stack, table: &str) -> Value {
    json!({
        "url": stack.clickhouse.url(), "database": DATABASE, "table": table,
        "username": USER_APP.name, "password": USER_APP.password
    })
}

fn source(stack: &Stack, topic: &str) -> Value {
    json!({ "type": "kafka", "brokers": stack.kafka.bootstrap(), "topic": topic })
}

/// Calls of the wizard.
trait Wizard {
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value);
    fn post(&self, path: &str, body: &Value) -> Value;
    fn get(&self, path: &str) -> Value;
    fn refused(&self, path: &str, body: &Value) -> (u16, String, String);
}

impl Wizard for Served {
    /// A call of the wizard: its status and its answer, which is that of the work where it takes longer. No answer has a secret in it.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let Answer { mut status, head, body: mut answer } = self.call(method, path, &[], body);
        if status == 202 {
            let id = answer["id"].as_str().unwrap().to_owned();
            assert!(head.contains(&format!("location: /api/v1/work/{id}")), "{head}");
            wait_until("the end of some work", || {
                let Answer { body: work, .. } =
                    self.call("GET", &format!("/api/v1/work/{id}?wait_ms=2000"), &[], None);
                let state = work["state"].as_str().unwrap();
                if state == "running" {
                    return false;
                }
                if state == "done" {
                    (status, answer) = (200, work["result"].clone());
                } else {
                    assert_eq!(state, "failed", "{work}");
                    answer = work["problem"].clone();
                    status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
                }
                true
            });
        }
        let text = answer.to_string();
        for secret in [USER_APP.password, USER_PLAIN.password, USER_REGISTRY.password, "canary"] {
            assert!(!text.contains(secret), "{path} shows a secret: {text}");
        }
        (status, answer)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, Some(body));
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The code and the words of what is refused.
    fn refused(&self, path: &str, body: &Value) -> (u16, String, String) {
        let (status, answer) = self.ask("POST", path, Some(body));
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        (status, text("code"), text("detail"))
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn a_pipe_is_set_up_step_by_step() {
    let (stack, served) = (shared_stack(), Served::start());
    let topic = topic(stack, "wizard");
    let mut pipe = json!({
        "name": topic.replace('_', "-"), "source": source(stack, &topic), "destination": destination(stack, &topic)
    });

    let topics =
        served.post("/api/v1/topics", &json!({ "pipe": pipe, "name_contains": topic.to_uppercase() }));
    assert_eq!((topics["total"].as_u64(), topics["brokers"].as_u64()), (Some(1), Some(1)), "{topics}");
    let found = &topics["topics"][0];
    assert_eq!((found["name"].as_str(), found["partitions"].as_u64()), (Some(topic.as_str()), Some(2)));
    assert_eq!(found["records"].as_u64(), Some(DOCUMENTS as u64), "{topics}");
    // Their timestamps are from the start of the year.
    assert_eq!(
        (found["records_per_second"].as_f64(), topics["rate_over_seconds"].as_u64()),
        (Some(0.0), Some(60))
    );
    let all =
        served.post("/api/v1/topics", &json!({ "pipe": pipe, "order": "records", "with_internal": true }));
    let sizes: Vec<u64> =
        list(&all["topics"]).iter().map(|topic| topic["records"].as_u64().unwrap()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{all}");

    let databases = served.post("/api/v1/databases", &json!({ "pipe": pipe }));
    assert!(list(&databases["databases"]).contains(&DATABASE.into()), "{databases}");
    stack.clickhouse.query(&format!("CREATE TABLE {topic}_there (n UInt8) ENGINE = Memory")).unwrap();
    let tables =
        served.post("/api/v1/tables", &json!({ "pipe": pipe, "name_contains": topic.to_uppercase() }));
    assert_eq!(
        (tables["database"].as_str(), tables["total"].as_u64()),
        (Some(DATABASE), Some(1)),
        "{tables}"
    );
    assert_eq!(tables["tables"][0]["engine"], "Memory", "{tables}");
    let roles = served.post("/api/v1/roles", &json!({ "pipe": pipe }));
    assert_eq!(roles["are_all"], true, "{roles}");
    assert!(list(&roles["roles"]).contains(&ROLE_LOADERS.into()), "{roles}");
    let nowhere =
        json!({ "pipe": { "destination": { "url": stack.clickhouse.url(), "database": "nowhere" } } });
    assert_eq!(served.refused("/api/v1/tables", &nowhere).1, "destination_refused");

    let first = served.post("/api/v1/samples/source", &json!({ "pipe": pipe, "limit": 3 }));
    let second =
        served.post("/api/v1/samples/source", &json!({ "pipe": pipe, "limit": 3, "before": first["next"] }));
    let ids: Vec<i64> = [first, second]
        .iter()
        .flat_map(|page| list(&page["records"]).clone())
        .map(|record| record["timestamp_ms"].as_i64().unwrap() - 1_767_225_600_000)
        .collect();
    assert_eq!(ids, [39, 38, 37, 36, 35, 34]);
    let filter = json!({ "fields": ["user.name=u1"], "partition": 1 });
    let some = served.post("/api/v1/samples/source", &json!({ "pipe": pipe, "limit": 2, "filter": filter }));
    for record in list(&some["records"]) {
        assert!(record["value"].as_str().unwrap().contains("\"u1\"") && record["partition"] == 1, "{some}");
    }

    let inferred = served.post("/api/v1/infer", &json!({ "pipe": pipe }));
    let columns = list(&inferred["columns"]);
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "user", "reading"], "{inferred}");
    assert_eq!(columns[2]["type"], "Float64", "{inferred}");
    for column in columns {
        assert!(
            column["confidence"].as_f64().unwrap() > 0.5 && column["decided_by"]["offset"].is_u64(),
            "{column}"
        );
    }
    assert!(inferred["create_table"].as_str().unwrap().starts_with("CREATE TABLE"), "{inferred}");
    assert_eq!((inferred["samples"].as_u64(), inferred["refused"].as_u64()), (Some(38), Some(2)));

    let columns = json!([
        { "name": "id", "type": "UInt64" }, { "name": "reading", "type": "Float64" },
        { "name": "place", "type": "Int64", "from": "_offset" }
    ]);
    pipe["destination"]["columns"] = columns;
    pipe["destination"]["managed_table"] = json!({ "order_by": ["id"] });
    pipe["batch"] = json!({ "max_wait": "200ms" });
    let preview = served.post("/api/v1/preview", &json!({ "pipe": pipe, "limit": 10 }));
    assert_eq!((preview["accepted"].as_u64(), preview["rejected"].as_u64()), (Some(8), Some(2)), "{preview}");
    assert_eq!(preview["rows"][7]["row"], json!({ "id": 37, "reading": 0.5, "place": 18 }));
    assert_eq!(
        (&preview["rejects"][0]["code"], &preview["table_state"]),
        (&json!("invalid_json"), &json!("will_be_created"))
    );

    let checked = served.post("/api/v1/check", &json!({ "pipe": pipe }));
    assert_eq!(checked["passed"], true, "{checked}");
    assert!(list(&checked["checks"]).iter().any(|check| check["name"] == "grants"), "{checked}");

    let Answer { status, body: created, .. } =
        served.call("POST", "/api/v1/pipes", &[], Some(&json!({ "pipe": pipe })));
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_str().unwrap();
    let path = format!("/api/v1/pipes/{id}");
    wait_until("the records", || served.pipe(id)["counters"]["loaded"] == 38);
    wait_until("the rejects", || {
        let (status, listed) = served.ask("GET", &format!("{path}/errors?kind=record"), None);
        status == 200 && list(&listed["errors"]).len() == DOUBTFUL
    });

    let page = served.get(&format!("{path}/errors?code=invalid_json&limit=1"));
    let rest = served
        .get(&format!("{path}/errors?code=invalid_json&limit=1&after={}", page["next"].as_str().unwrap()));
    assert_ne!(
        page["errors"][0]["offset"].to_string() + &page["errors"][0]["partition"].to_string(),
        rest["errors"][0]["offset"].to_string() + &rest["errors"][0]["partition"].to_string()
    );
    assert!(rest["next"].is_null() && list(&rest["errors"]).len() == 1, "{rest}");
    assert!(list(&served.get(&format!("{path}/errors?column=id&since=1h"))["errors"]).is_empty());
    let groups = served.get(&format!("{path}/errors/summary"));
    assert_eq!(
        (&groups["groups"][0]["code"], &groups["groups"][0]["records"]),
        (&json!("invalid_json"), &json!(2))
    );

    let rows = served.get(&format!("{path}/samples/destination?limit=5"));
    assert!(list(&rows["rows"]).len() == 5 && rows["rows"][0]["reading"] == 0.5, "{rows}");
    let records = served.get(&format!("{path}/samples/source?limit=2"));
    assert_eq!(list(&records["records"]).len(), 2);

    let dry = served.post(&format!("{path}/errors/replay"), &json!({ "dry_run": true }));
    assert_eq!((dry["loadable"].as_u64(), dry["refused"].as_u64()), (Some(0), Some(2)), "{dry}");
    let mut edited = served.pipe(id)["pipe"].clone();
    edited["semantics"] = "clickhouse".into();
    let etag = format!("\"{}\"", served.pipe(id)["revision"]);
    let Answer { status, body: answer, .. } =
        served.call("PUT", &path, &[("If-Match", &etag)], Some(&json!({ "pipe": edited })));
    assert_eq!(status, 200, "{answer}");
    let replayed =
        served.post(&format!("{path}/errors/replay"), &json!({ "codes": ["invalid_json"], "limit": 10 }));
    assert_eq!((replayed["loaded"].as_u64(), replayed["refused"].as_u64()), (Some(2), Some(0)), "{replayed}");
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), DOCUMENTS as u64);
    assert!(list(&served.get(&format!("{path}/errors?kind=record"))["errors"]).is_empty());
    let events = served.get(&format!("/api/v1/events?pipe={id}"));
    for kind in ["replaying", "replayed"] {
        let event = list(&events["events"]).iter().find(|event| event["kind"] == kind);
        assert_eq!(event.unwrap()["actor"], "admin", "{events}");
    }

    // The kept secret goes where it was given for, and nowhere else.
    let shown = json!({ "destination": served.pipe(id)["pipe"]["destination"], "source": pipe["source"] });
    let rows = served.post("/api/v1/samples/destination", &json!({ "pipe": shown, "of": id, "limit": 1 }));
    assert_eq!(list(&rows["rows"]).len(), 1);
    let tested = served.post("/api/v1/connections/test", &json!({ "of": id }));
    assert!(tested["ok"] == true && list(&tested["ends"]).len() == 2, "{tested}");
    for (key, other) in [("url", "http://127.0.0.1:1"), ("username", "somebody")] {
        let mut elsewhere = shown.clone();
        elsewhere["destination"][key] = other.into();
        for path in ["/api/v1/samples/destination", "/api/v1/connections/test", "/api/v1/preview"] {
            let (status, code, detail) = served.refused(path, &json!({ "pipe": elsewhere, "of": id }));
            assert_eq!((status, code.as_str()), (422, "invalid_pipe"), "{path} {detail}");
            assert!(detail.contains("another address or login"), "{detail}");
        }
    }
    let (status, _, detail) = served.refused("/api/v1/samples/destination", &json!({ "pipe": shown }));
    assert!(status == 422 && detail.contains("no secret is kept"), "{detail}");
}

#[test]
fn each_connection_is_told_with_its_cause_and_mend() {
    let (stack, served) = (shared_stack(), Served::start());
    let parts = prepare_wanted(&Wanted::pinned().with_registry(), &mut Silent).unwrap();
    let registry = Registry::start(&parts, RegistryOptions { basic: true }).unwrap();
    let ca = std::fs::read_to_string(stack.kafka.ca_pem()).unwrap();
    let of_registry = |password: &str| {
        json!({
            "url": registry.url(), "username": USER_REGISTRY.name, "password": password
        })
    };
    let sasl = |password: &str| {
        json!({
            "type": "kafka", "brokers": stack.kafka.bootstrap_sasl_ssl(), "tls": { "ca": ca },
            "auth": { "mechanism": "PLAIN", "username": USER_PLAIN.name, "password": password }
        })
    };
    let mut clickhouse = destination(stack, "t");
    let all = json!({
        "source": sasl(USER_PLAIN.password), "schema_registry": of_registry(USER_REGISTRY.password),
        "destination": clickhouse
    });
    let tested = served.post("/api/v1/connections/test", &json!({ "pipe": all }));
    assert_eq!(tested["ok"], true, "{tested}");
    let ends: Vec<&str> = list(&tested["ends"]).iter().map(|end| end["end"].as_str().unwrap()).collect();
    assert_eq!(ends, ["source", "schema_registry", "destination"]);
    assert!(tested["ends"][2]["version"].is_string() && tested["ends"][0]["took_ms"].is_u64(), "{tested}");

    clickhouse["password"] = "canary-1".into();
    let wrong = json!({
        "source": sasl("canary-2"), "schema_registry": of_registry("canary-3"), "destination": clickhouse
    });
    let tested = served.post("/api/v1/connections/test", &json!({ "pipe": wrong }));
    assert_eq!(tested["ok"], false);
    for end in list(&tested["ends"]) {
        assert_eq!((&end["ok"], &end["fault"]), (&json!(false), &json!("not_authenticated_there")), "{end}");
        assert!(end["detail"].as_str().unwrap().contains("check"), "{end}");
    }
    let nobody = json!({
        "source": { "type": "kafka", "brokers": "127.0.0.1:1" },
        "schema_registry": { "url": "http://127.0.0.1:1" },
        "destination": { "url": "http://127.0.0.1:1" }
    });
    let tested = served.post("/api/v1/connections/test", &json!({ "pipe": nobody }));
    let faults: Vec<&str> = list(&tested["ends"]).iter().map(|end| end["fault"].as_str().unwrap()).collect();
    assert_eq!(faults, ["source_unreachable", "registry_unreachable", "destination_unreachable"], "{tested}");
    let alone = served
        .post("/api/v1/connections/test", &json!({ "pipe": { "destination": destination(stack, "t") } }));
    assert_eq!((list(&alone["ends"]).len(), &alone["ok"]), (1, &json!(true)));
}

#[test]
fn what_cannot_be_looked_at_is_a_problem_with_a_code() {
    let (stack, served) = (shared_stack(), Served::start());
    let topic = unique("wizard_wrong");
    create_topic(stack, &topic, 1);
    let good = json!({ "source": source(stack, &topic), "destination": destination(stack, &topic) });
    let source_of = |brokers: &str, topic: &str| json!({ "source": { "type": "kafka", "brokers": brokers, "topic": topic } });
    let here = stack.kafka.bootstrap();
    let mut columns = good.clone();
    columns["destination"]["columns"] = json!([{ "name": "n", "type": "UInt8" }]);
    let paste = |text: &str| json!({ "pipe": columns, "documents": text });
    for (path, body, status, code, says) in [
        (
            "/api/v1/topics",
            json!({ "pipe": source_of("127.0.0.1:1", "t") }),
            422,
            "source_unreachable",
            "no kafka broker answers",
        ),
        (
            "/api/v1/samples/source",
            json!({ "pipe": source_of(here, "no-such-topic") }),
            422,
            "no_such_topic",
            "no-such-topic",
        ),
        ("/api/v1/infer", json!({ "pipe": good }), 422, "nothing_to_infer", "no records"),
        ("/api/v1/infer", json!({ "documents": "[1]" }), 422, "nothing_to_infer", "JSON object"),
        ("/api/v1/samples/destination", json!({ "pipe": good }), 422, "no_such_table", "create the table"),
        ("/api/v1/preview", json!({ "pipe": columns }), 422, "no_such_table", "does not exist"),
        ("/api/v1/preview", paste("{}"), 422, "no_such_table", ""),
        ("/api/v1/check", json!({ "pipe": good }), 422, "invalid_pipe", "`name`: missing"),
        ("/api/v1/check", json!({}), 422, "invalid_pipe", "send `pipe`, or `of`"),
        ("/api/v1/check", json!({ "of": "p0" }), 404, "no_such_pipe", ""),
        (
            "/api/v1/topics",
            json!({ "pipe": { "sources": 1 } }),
            422,
            "invalid_pipe",
            "did you mean `source`?",
        ),
        ("/api/v1/topics", json!({ "pipe": good, "limit": 0 }), 400, "invalid_request", "`limit`"),
        ("/api/v1/topics", json!({ "pipe": good, "ordr": "name" }), 400, "invalid_request", "ordr"),
        ("/api/v1/connections/test", json!({ "pipe": {} }), 400, "invalid_request", "names no end"),
        (
            "/api/v1/samples/source",
            json!({ "pipe": good, "before": "x" }),
            400,
            "invalid_request",
            "`before`",
        ),
        (
            "/api/v1/samples/source",
            json!({ "pipe": good, "filter": { "fields": ["a"] } }),
            400,
            "invalid_request",
            "PATH=VALUE",
        ),
        (
            "/api/v1/topics",
            json!({ "pipe": source_of("169.254.169.254:80", "t") }),
            422,
            "invalid_pipe",
            "link-local",
        ),
        (
            "/api/v1/topics",
            json!({ "pipe": source_of("2852039166:80", "t") }),
            422,
            "invalid_pipe",
            "link-local",
        ),
        (
            "/api/v1/connections/test",
            json!({ "pipe": { "destination": { "url": "http://0xa9fea9fe" } } }),
            422,
            "invalid_pipe",
            "link-local",
        ),
        ("/api/v1/pipes/p0/errors/replay", json!({}), 404, "no_such_pipe", ""),
        ("/api/v1/pipes/p0/errors/replay", json!({ "limit": 0 }), 400, "invalid_request", "`limit`"),
    ] {
        let (was, found, detail) = served.refused(path, &body);
        assert_eq!((was, found.as_str()), (status, code), "{path} {body}: {detail}");
        assert!(detail.contains(says), "{path} {body}: {detail}");
    }
    let pasted = "{\n  \"id\": 1,\n  \"at\": \"2026-01-01T00:00:00Z\"\n}\n{\"id\": 2, \"at\": null}";
    let inferred = served.post("/api/v1/infer", &json!({ "documents": pasted }));
    let decided = |column: usize| inferred["columns"][column]["decided_by"]["line"].as_u64();
    assert_eq!((decided(0), decided(1)), (Some(1), Some(5)), "{inferred}");

    // A viewer sees no records, and neither does she have work done.
    let Answer { status, body: made, .. } =
        served.call("POST", "/api/v1/tokens", &[], Some(&json!({ "name": "eve", "role": "viewer" })));
    assert_eq!(status, 201);
    let eve = format!("Bearer {}", made["token"].as_str().unwrap());
    for (method, path) in [
        ("POST", "/api/v1/topics"),
        ("POST", "/api/v1/samples/source"),
        ("GET", "/api/v1/pipes/p0/errors"),
        ("GET", "/api/v1/pipes/p0/samples/source"),
        ("GET", "/api/v1/work/w0"),
    ] {
        let Answer { status, body: problem, .. } =
            served.call(method, path, &[("Authorization", &eve)], Some(&json!({})));
        assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{path}");
    }
}

#[test]
fn what_takes_longer_says_what_it_waits_for_and_may_be_cancelled() {
    let served = Served::start();
    // It is connected to by its operating system, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = silent.local_addr().unwrap().to_string();
    let body = json!({ "pipe": { "source": { "type": "kafka", "brokers": brokers, "topic": "t" } } });
    let Answer { status, head, body: work } = served.call("POST", "/api/v1/samples/source", &[], Some(&body));
    assert_eq!(status, 202, "{work}");
    assert_eq!((&work["state"], &work["kind"]), (&json!("running"), &json!("sample_source")));
    assert_eq!(work["waits_for"], "the newest records of `t`");
    let path = format!("/api/v1/work/{}", work["id"].as_str().unwrap());
    assert!(head.contains(&format!("location: {path}")), "{head}");
    let Answer { status, body: made, .. } =
        served.call("POST", "/api/v1/tokens", &[], Some(&json!({ "name": "bob", "role": "operator" })));
    assert_eq!(status, 201);
    let bob = format!("Bearer {}", made["token"].as_str().unwrap());
    for method in ["GET", "DELETE"] {
        let Answer { status, body: problem, .. } =
            served.call(method, &path, &[("Authorization", &bob)], None);
        assert_eq!((status, problem["code"].as_str()), (404, Some("no_such_work")));
    }
    assert_eq!(served.call("GET", &format!("{path}?wait_ms=2501"), &[], None).status, 400);
    let Answer { body: shown, .. } = served.call("GET", &format!("{path}?wait_ms=1"), &[], None);
    assert_eq!(shown["state"], "running");
    assert_eq!(served.call("DELETE", &path, &[], None).status, 204);
    assert_eq!(served.call("GET", &path, &[], None).status, 404);

    // Left alone it comes to an end by itself.
    let (status, code, detail) = served.refused("/api/v1/topics", &body);
    assert_eq!((status, code.as_str()), (422, "source_unreachable"), "{detail}");
}

#[test]
fn the_script_of_the_documentation_walks_through_everything() {
    let (stack, served) = (shared_stack(), Served::start());
    let topic = topic(stack, "walk");
    // The identity holds in every scrape for as long as it runs.
    let output = while_identity_holds(&[served.metrics_urls()], || walk(stack, &served, &topic));
    let (told, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{told}\n{errors}");
    for line in [
        "source: 1 broker(s) answer".to_owned(),
        "destination: it answers".to_owned(),
        format!("{topic}: 2 partition(s), 40 records"),
        "reading Float64: ".to_owned(),
        "38 of 40 accepted".to_owned(),
        "rejected: invalid_json".to_owned(),
        format!("CREATE TABLE IF NOT EXISTS `{topic}`"),
        "ok: grants".to_owned(),
        "38 loaded, 2 rejected".to_owned(),
        "2 invalid_json".to_owned(),
        "2 of 2 would be loaded".to_owned(),
        "2 loaded, 0 still refused".to_owned(),
        "admin replayed 2 loaded".to_owned(),
        "housepipe gone".to_owned(),
        "\ndone\n".to_owned(),
    ] {
        assert!(told.contains(&line), "no `{line}` in:\n{told}\n{errors}");
    }
    assert!(!told.contains(USER_APP.password) && !errors.contains(USER_APP.password), "{told}\n{errors}");
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), DOCUMENTS as u64);
}

/// Runs the script of the documentation.
fn walk(stack: &Stack, served: &Served, topic: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wizard.sh");
    Command::new("bash")
        .arg(script)
        .env("HOUSEPIPE", format!("http://{}", served.address()))
        .env("TOKEN", served.token())
        .env("TOPIC", topic)
        .env("BROKERS", stack.kafka.bootstrap())
        .env("CLICKHOUSE", stack.clickhouse.url())
        .env("CLICKHOUSE_USER", USER_APP.name)
        .env("CLICKHOUSE_PASSWORD", USER_APP.password)
        .env("DATABASE", DATABASE)
        .output()
        .unwrap()
}
