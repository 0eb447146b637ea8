//! `housepipe pipes`: the whole life of a pipe by commands, and what goes wrong.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use housepipe_local_stack::{Stack, USER_APP};
use housepipe_tests::{
    Housepipe, Outcome, PipeText, Terminal, create_topic, housepipe, housepipe_with, produce, query_number,
    shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// The variable that pipe files of these tests name for the password.
const PASSWORD_VARIABLE: &str = "PIPES_TEST_PASSWORD";

/// A running service, and a caller with its token.
pub(crate) struct Service {
    process: Option<Housepipe>,
    folder: tempfile::TempDir,
    pub(crate) url: String,
    token: String,
}

impl Service {
    pub(crate) fn start() -> Service {
        let folder = tempfile::tempdir().unwrap();
        let mut service = Service { process: None, folder, url: String::new(), token: String::new() };
        service.listen("127.0.0.1:0");
        std::fs::write(service.token_file(), format!("{}\n", service.token)).unwrap();
        service
    }

    fn listen(&mut self, address: &str) {
        let state = self.folder.path().join("state.db").display().to_string();
        let arguments = [
            "serve",
            "--state",
            &state,
            "--listen",
            address,
            "--metrics-listen",
            "off",
            "--json",
            "--session-timeout",
            "6",
        ];
        let process = housepipe(&arguments, None, b"");
        let mut told = Value::Null;
        wait_until("the service to say where it listens", || {
            told = process.told().unwrap_or_default();
            told.is_object()
        });
        told["url"].as_str().unwrap().clone_into(&mut self.url);
        if let Some(token) = told["token"].as_str() {
            token.clone_into(&mut self.token);
        }
        self.process = Some(process);
    }

    /// The file that has the token.
    pub(crate) fn token_file(&self) -> String {
        self.folder.path().join("token").display().to_string()
    }

    /// Starts a command of `housepipe pipes`; `pipe` is its `pipe.yaml`.
    fn begin(&self, arguments: &[&str], pipe: Option<&PipeText>) -> Housepipe {
        let variables = [
            ("HOUSEPIPE_SERVER", self.url.as_str()),
            ("HOUSEPIPE_TOKEN", &self.token),
            (PASSWORD_VARIABLE, USER_APP.password),
        ];
        housepipe_with(&variables, &[&["pipes"], arguments].concat(), pipe)
    }

    /// The same to its end. No secret is ever printed.
    pub(crate) fn pipes(&self, arguments: &[&str], pipe: Option<&PipeText>) -> Outcome {
        let outcome = self.begin(arguments, pipe).wait();
        for text in [&text(&outcome), &outcome.stderr] {
            assert!(
                !text.contains(USER_APP.password) && !text.contains(&self.token),
                "{arguments:?}: {text}"
            );
        }
        outcome
    }
}

fn text(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

/// A pipe of its own topic, whose password is a variable's.
pub(crate) fn pipe(stack: &Stack, topic: &str) -> PipeText {
    create_topic(stack, topic, 2);
    let login = format!("  username: {}\n  password: '${{env:{PASSWORD_VARIABLE}}}'\n", USER_APP.name);
    let pipe = PipeText::new(stack, topic).with_new_table("id UInt64", "id").with_columns(&login);
    pipe.with("batch: { max_wait: 200ms }")
}

fn load(stack: &Stack, topic: &str, ids: std::ops::Range<u64>) {
    produce(stack, topic, 2, ids.clone().map(|id| format!("{{\"id\":{id}}}")));
    wait_until("the records to be loaded", || {
        query_number(stack, &format!("SELECT count() FROM {topic}")) == ids.end
    });
}

#[test]
fn a_pipe_lives_by_commands() {
    let stack = shared_stack();
    let topic = unique("commanded");
    let name = topic.replace('_', "-");
    let mut service = Service::start();
    let pipe = pipe(stack, &topic);
    let follower = service.begin(&["events", "--follow", "--after", "0", "--json"], None);

    let created = service.pipes(&["create", "pipe.yaml", "--wait", "--json"], Some(&pipe)).expect_success();
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(created.json()["stage"], "running");
    let again = service.pipes(&["create", "pipe.yaml"], Some(&pipe));
    assert!(again.code == Some(1) && again.stderr.contains("name_taken"), "{}", again.stderr);
    load(stack, &topic, 0..100);

    let listed = service.pipes(&["list"], None).expect_success();
    let line = text(&listed).lines().find(|line| line.starts_with(&name)).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains("running")), "{}", text(&listed));
    let listed = service.pipes(&["list", "--json"], None).expect_success().json();
    assert_eq!(listed["pipes"].as_array().map(Vec::len), Some(1), "{listed}");
    for called in [&name, &id] {
        let shown = service.pipes(&["show", called, "--json"], None).expect_success().json();
        assert_eq!((shown["id"].as_str(), shown["name"].as_str()), (Some(id.as_str()), Some(name.as_str())));
        assert_eq!(shown["pipe"]["destination"]["password"], "${secret:destination.password}");
    }
    wait_until("both partitions to be shown without a lag", || {
        let shown = text(&service.pipes(&["show", &name], None).expect_success());
        shown.contains("read 100 = loaded 100")
            && shown.lines().filter(|line| line.ends_with("0   0.00 s")).count() == 2
    });

    // What the service shows as the pipe file may be sent back as it is.
    let shown = text(&service.pipes(&["file", &name], None).expect_success());
    assert!(shown.contains("${secret:destination.password}"), "{shown}");
    assert!(shown.starts_with(&format!("# definition: 1 of {id}\n")), "{shown}");
    let edited = pipe.clone().replacing("200ms", "100ms");
    let asked = service.pipes(&["edit", "pipe.yaml", "--json"], Some(&edited));
    assert!(asked.code == Some(2) && asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(asked.json()["code"], "needs_yes");
    let planned = service.pipes(&["edit", "pipe.yaml", "--dry-run"], Some(&edited)).expect_success();
    let diff = text(&planned);
    assert!(diff.contains("-  max_wait: \"200ms\"") && diff.contains("+  max_wait: \"100ms\""), "{diff}");
    assert!(diff.contains("sent anew: destination.password") && diff.contains("stays as it is"), "{diff}");
    // Nobody knows whose changes a file would undo that does not say what it was made from.
    let unsaid = service.pipes(&["edit", "pipe.yaml", "--yes", "--json"], Some(&edited));
    assert_eq!((unsaid.code, unsaid.json()["code"].as_str()), (Some(2), Some("needs_force")));
    let arguments = ["edit", "pipe.yaml", "--yes", "--force", "--wait", "--json"];
    let done = service.pipes(&arguments, Some(&edited)).expect_success().json();
    assert_eq!((&done["written"], &done["pipe"]["revision"]), (&true.into(), &2.into()), "{done}");
    assert_eq!((&done["pipe"]["stage"], &done["pipe"]["stage_definition"]), (&"running".into(), &2.into()));
    load(stack, &topic, 100..200);

    let paused = service.pipes(&["pause", &name, "--wait"], None).expect_success();
    assert!(text(&paused).contains(": paused"), "{}", text(&paused));
    // A service that goes away and comes back is followed on, and nothing of the meantime is missed.
    let process = service.process.take().unwrap();
    process.signal(Signal::SIGTERM);
    process.wait().expect_success();
    wait_until("the follower to notice", || follower.has_said("it is tried again"));
    let address = service.url.trim_start_matches("http://").to_owned();
    service.listen(&address);
    wait_until("the follower to be back", || follower.has_said("connected again"));
    let resumed = service.pipes(&["resume", &name, "--wait", "--json"], None).expect_success().json();
    assert_eq!(resumed["stage"], "running");
    load(stack, &topic, 200..300);

    let refused = service.pipes(&["remove", &name], None);
    assert!(refused.code == Some(2) && refused.stderr.contains("--yes"), "{}", refused.stderr);
    let removed = service
        .pipes(&["remove", &name, "--yes", "--consumer-group", "--user", "--wait"], None)
        .expect_success();
    assert!(removed.stderr.contains("No ClickHouse user was made for"), "{}", removed.stderr);
    assert!(text(&removed).contains(": gone"), "{}", text(&removed));
    let gone = service.pipes(&["show", &name], None);
    assert!(
        gone.code == Some(1) && gone.stderr.contains(&format!("has no pipe `{name}`")),
        "{}",
        gone.stderr
    );

    wait_until("the last event", || follower.printed().contains("\"gone\""));
    follower.signal(Signal::SIGTERM);
    let followed = follower.wait().expect_success();
    let kinds = |text: &str| -> Vec<String> {
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    };
    let listed = service.pipes(&["events", "--json"], None).expect_success();
    assert_eq!(kinds(&text(&followed)), kinds(&text(&listed)), "each event once, in its order");
    for kind in ["created", "stage", "edited", "paused", "resumed", "removed", "gone"] {
        assert!(kinds(&text(&listed)).iter().any(|seen| seen == kind), "{kind}: {}", text(&listed));
    }
}

#[test]
fn errors_are_looked_at_and_replayed_by_commands() {
    let stack = shared_stack();
    let topic = unique("mended");
    let name = topic.replace('_', "-");
    let service = Service::start();
    let pipe = pipe(stack, &topic);
    service.pipes(&["create", "pipe.yaml", "--wait"], Some(&pipe)).expect_success();
    let none = service.pipes(&["errors", &name], None).expect_success();
    assert!(text(&none).starts_with("No such errors in `"), "{}", text(&none));
    // ClickHouse itself would take a leading zero.
    produce(stack, &topic, 2, ["{\"id\":1}", "{\"id\":03}", "{\"id\":-1}"].map(str::to_owned));
    wait_until("the rejects", || {
        let summary = service.pipes(&["errors", &name, "--summary", "--json"], None).expect_success().json();
        summary["groups"].as_array().map(Vec::len) == Some(2)
    });
    let groups = text(&service.pipes(&["errors", &name, "--summary"], None).expect_success());
    assert!(groups.contains("1 × invalid_json") && groups.contains("column id"), "{groups}");
    let listed =
        text(&service.pipes(&["errors", &name, "--column", "id", "--since", "1h"], None).expect_success());
    assert!(listed.contains("{\"id\":-1}") && listed.contains("out_of_range"), "{listed}");
    let wrong = service.pipes(&["errors", &name, "--since", "yesterday", "--json"], None);
    assert_eq!(
        (wrong.code, wrong.json()["code"].as_str()),
        (Some(2), Some("invalid_request")),
        "{}",
        wrong.stderr
    );
    // Page by page, each row once.
    let page = |also: &[&str]| {
        service
            .pipes(&[&["errors", &name, "--kind", "record", "--limit", "1"], also].concat(), None)
            .expect_success()
    };
    let first = page(&["--json"]).json();
    let next = first["next"].as_str().unwrap();
    assert!(page(&[]).stderr.contains(&format!("--after {next}")), "{first}");
    let last = page(&["--json", "--after", next]).json();
    assert!(last["next"].is_null() && last["errors"][0] != first["errors"][0], "{first} {last}");
    let system =
        service.pipes(&["errors", &name, "--kind", "system", "--json"], None).expect_success().json();
    assert!(system["errors"].as_array().unwrap().iter().all(|row| row["kind"] == "system"), "{system}");

    let lenient = pipe.with("semantics: clickhouse");
    service.pipes(&["edit", "pipe.yaml", "--yes", "--force"], Some(&lenient)).expect_success();
    let dry = text(&service.pipes(&["replay", &name, "--dry-run"], None).expect_success());
    assert!(dry.contains("examined 2 = would be loaded 1 + still refused 1"), "{dry}");
    let done =
        service.pipes(&["replay", &name, "--code", "invalid_json", "--json"], None).expect_success().json();
    assert_eq!((&done["loaded"], &done["refused"]), (&1.into(), &0.into()), "{done}");
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic} WHERE id IN (1, 3)")), 2);
}

#[test]
fn tokens_are_made_and_forgotten_by_commands() {
    let service = Service::start();
    let tokens = |token: &str, arguments: &[&str]| {
        let variables = [("HOUSEPIPE_SERVER", service.url.as_str()), ("HOUSEPIPE_TOKEN", token)];
        housepipe_with(&variables, &[&["tokens"], arguments].concat(), None).wait()
    };
    let made = tokens(&service.token, &["create", "me", "--role", "admin"]).expect_success();
    // Nothing else is printed where it goes into a file.
    let mine = text(&made).trim_end().to_owned();
    assert!(mine.starts_with("hpt_") && !mine.contains('\n') && !made.stderr.contains(&mine), "{mine}");
    tokens(&mine, &["create", "grafana", "--role", "viewer", "--json"]).expect_success();
    tokens(&mine, &["remove", "admin"]).expect_success();
    let gone = tokens(&service.token, &["list", "--json"]);
    assert_eq!(
        (gone.code, gone.json()["code"].as_str()),
        (Some(1), Some("unauthenticated")),
        "{}",
        gone.stderr
    );
    let listed = tokens(&mine, &["list", "--json"]).expect_success().json();
    let names: Vec<_> =
        listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["grafana", "me"]);
    for (arguments, code) in [
        (&["create", "me", "--role", "viewer"][..], "name_taken"),
        (&["remove", "me"], "last_admin"),
        (&["remove", "nobody"], "no_such_token"),
    ] {
        let refused = tokens(&mine, &[arguments, &["--json"]].concat());
        assert_eq!(
            (refused.code, refused.json()["code"].as_str()),
            (Some(1), Some(code)),
            "{}",
            refused.stderr
        );
        assert!(!refused.stderr.contains("housepipe pipes"), "{}", refused.stderr);
    }
    let wrong = tokens(&mine, &["create", "M e", "--role", "viewer"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("invalid_request"), "{}", wrong.stderr);
}

#[test]
fn who_edits_what_somebody_else_has_changed_is_told() {
    let stack = shared_stack();
    let topic = unique("contended");
    let service = Service::start();
    let pipe = pipe(stack, &topic).replacing(&format!("${{env:{PASSWORD_VARIABLE}}}"), USER_APP.password);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml").display().to_string();
    std::fs::write(&file, pipe.clone().replacing("200ms", "300ms").text()).unwrap();
    service.pipes(&["create", "pipe.yaml", "--paused"], Some(&pipe)).expect_success();

    let (token_file, url) = (service.token_file(), service.url.clone());
    let arguments = ["pipes", "edit", &file, "--server", &url, "--token-file", &token_file];
    let mut mine = Terminal::start(&arguments);
    mine.wait_for("+  max_wait: \"300ms\"");
    mine.wait_for("does not say which definition");
    mine.wait_for("[y/N] ");
    let theirs = pipe.replacing("200ms", "400ms");
    service.pipes(&["edit", "pipe.yaml", "--yes", "--force"], Some(&theirs)).expect_success();
    mine.type_keys("y\n");
    mine.wait_for("pipe_changed, 412");
    mine.wait_for("make the edit anew");
    assert_eq!(mine.wait(), Some(1), "{}", mine.shown());
    assert!(!mine.shown().contains(USER_APP.password), "{}", mine.shown());

    let mut declined = Terminal::start(&arguments);
    declined.answer(&[("[y/N] ", "n")]);
    declined.wait_for("stays as it is");
    assert_eq!(declined.wait(), Some(1));
    let shown = text(&service.pipes(&["file", &topic.replace('_', "-")], None).expect_success());
    assert!(shown.contains("400ms"), "{shown}");

    // A resume and a pause are no edit. A file of an earlier definition would undo what others have done since, whatever stands above its line.
    let printed = folder.path().join("printed.yaml").display().to_string();
    std::fs::write(
        &printed,
        format!("# yaml-language-server: $schema=x\n---\n{}", shown.replace("400ms", "500ms")),
    )
    .unwrap();
    service.pipes(&["resume", &topic.replace('_', "-")], None).expect_success();
    service.pipes(&["pause", &topic.replace('_', "-")], None).expect_success();
    let edit = |also: &[&str]| service.pipes(&[&["edit", &printed, "--yes", "--json"], also].concat(), None);
    let done = edit(&["--wait"]).expect_success().json();
    assert_eq!(
        (&done["pipe"]["definition"], &done["pipe"]["wanted"]),
        (&3.into(), &"paused".into()),
        "{done}"
    );
    std::fs::write(&printed, std::fs::read_to_string(&printed).unwrap().replace("500ms", "600ms")).unwrap();
    let stale = edit(&[]);
    assert!(
        stale.code == Some(1) && stale.stderr.contains("from definition 2 of the pipe"),
        "{}",
        stale.stderr
    );
    assert_eq!(stale.json()["code"], "pipe_changed");
    edit(&["--force"]).expect_success();
}

#[test]
fn a_file_of_another_pipe_edits_none() {
    let stack = shared_stack();
    let service = Service::start();
    let (topic, other) = (unique("anew"), unique("other"));
    let (name, other_name) = (topic.replace('_', "-"), other.replace('_', "-"));
    let pipes = [pipe(stack, &topic), pipe(stack, &other)];
    let create = |pipe: &PipeText| {
        service.pipes(&["create", "pipe.yaml", "--paused"], Some(pipe)).expect_success();
    };
    pipes.iter().for_each(create);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.yaml").display().to_string();
    let old = text(&service.pipes(&["file", &name], None).expect_success());
    let edit = |text: &str, also: &[&str]| {
        std::fs::write(&file, text).unwrap();
        service.pipes(&[&["edit", &file, "--json"], also].concat(), None)
    };
    let shown = |name: &str| text(&service.pipes(&["file", name], None).expect_success());

    // Created anew under its name, and as often edited as the one before.
    service.pipes(&["remove", &name, "--yes", "--wait"], None).expect_success();
    create(&pipes[0].clone().replacing("200ms", "300ms"));
    // The name of another one, which is as often edited.
    let renamed = old.replace(&format!("name: {name}\n"), &format!("name: {other_name}\n"));
    for (text, name, max_wait) in [(&old, &name, "300ms"), (&renamed, &other_name, "200ms")] {
        for also in ["--yes", "--dry-run"] {
            let refused = edit(text, &[also]);
            assert_eq!(
                (refused.code, refused.json()["code"].as_str()),
                (Some(1), Some("another_pipe")),
                "{text}"
            );
            assert!(
                refused.stderr.contains("was made from another pipe (p")
                    && refused.stderr.contains(&format!("housepipe pipes file {name}")),
                "{}",
                refused.stderr
            );
        }
        assert!(shown(name).contains(&format!("max_wait: \"{max_wait}\"")), "{}", shown(name));
    }
    // Files of before named no pipe: such a one may be of any.
    let (_, rest) = old.split_once('\n').unwrap();
    let unsaid = edit(&format!("# definition: 1\n{rest}"), &["--yes"]);
    assert_eq!((unsaid.code, unsaid.json()["code"].as_str()), (Some(2), Some("needs_force")));
    edit(&old, &["--yes", "--force"]).expect_success();
    assert!(shown(&name).contains("200ms"), "{}", shown(&name));
}

#[test]
fn a_pipe_that_does_not_come_to_run_is_told_with_its_reason() {
    let stack = shared_stack();
    let service = Service::start();
    // Nobody has made the topic.
    let pipe = PipeText::new(stack, &unique("absent")).with_new_table("id UInt64", "id");
    let outcome = service.pipes(&["create", "pipe.yaml", "--wait", "--json"], Some(&pipe));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let told = outcome.json();
    assert_eq!(
        (&told["code"], &told["pipe"]["stage"]),
        (&"misconfigured".into(), &"misconfigured".into()),
        "{told}"
    );
    let edited = pipe.with("batch: { max_wait: 200ms }");
    let outcome = service.pipes(&["edit", "pipe.yaml", "--yes", "--force", "--wait"], Some(&edited));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("misconfigured: ") && outcome.stderr.contains("topic"),
        "{}",
        outcome.stderr
    );
    // The edit is there all the same, and its file is out of date by now.
    assert!(outcome.stderr.contains("(revision 2)."), "{}", outcome.stderr);
    let edited = edited.replacing("200ms", "300ms");
    let arguments = ["edit", "pipe.yaml", "--yes", "--force", "--wait", "--json"];
    let told = service.pipes(&arguments, Some(&edited)).json();
    assert_eq!(
        (&told["code"], &told["written"], &told["pipe"]["revision"]),
        (&"misconfigured".into(), &true.into(), &3.into()),
        "{told}"
    );
    // Nothing is stored of what is refused.
    let refused =
        service.pipes(&["edit", "pipe.yaml", "--yes", "--json"], Some(&edited.with("description: x")));
    assert_eq!(
        (refused.json()["code"].as_str(), refused.json()["written"].as_bool()),
        (Some("needs_force"), None)
    );
}

#[test]
fn mistakes_are_told_with_their_mend() {
    let stack = shared_stack();
    let service = Service::start();
    let topic = unique("mistaken");
    let pipe = pipe(stack, &topic);
    let https = service.url.replace("http://", "https://");
    let call = |server: &str, token: &str, arguments: &[&str], pipe: Option<&PipeText>| {
        let variables = [("HOUSEPIPE_SERVER", server), ("HOUSEPIPE_TOKEN", token)];
        housepipe_with(&variables, &[&["pipes"], arguments].concat(), pipe).wait()
    };
    let url = service.url.as_str();
    let list: &[&str] = &["list"];
    for (server, token, arguments, code, says) in [
        (url, "hpt_wrong", list, 1, "unauthenticated, 401"),
        (url, "hpt_wrong", list, 1, "HOUSEPIPE_TOKEN"),
        (url, "", list, 2, "no token: set HOUSEPIPE_TOKEN"),
        (url, "x", &["list", "--token-file", "/no/such/file"], 2, "/no/such/file"),
        (url, "x", &["list", "--ca", "/no/such/ca.pem"], 2, "--ca is for https://"),
        ("http://127.0.0.1:1", "x", list, 1, "start it with `housepipe serve`"),
        (&https, "x", list, 1, "write http://"),
        ("http://pipes.example.com", "x", list, 2, "--insecure-http"),
        ("pipes.example.com", "x", list, 2, "write it as http://"),
        ("http://x:hunter2@127.0.0.1:1", "x", list, 2, "HOUSEPIPE_TOKEN"),
        (stack.clickhouse.url(), "x", list, 1, "is no service of housepipe"),
        (url, "x", &["show", ""], 2, "the pipe's name is empty"),
    ] {
        let outcome = call(server, token, arguments, None);
        assert_eq!(outcome.code, Some(code), "{server} {arguments:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains(says) && !outcome.stderr.contains("hunter2"),
            "{server}: {}",
            outcome.stderr
        );
    }
    // The variable is not set, and that is noticed here, on its line.
    let unset = call(url, "x", &["create", "pipe.yaml"], Some(&pipe));
    assert!(unset.code == Some(2) && unset.stderr.contains("pipe.yaml:"), "{}", unset.stderr);
    assert!(unset.stderr.contains(&format!("`{PASSWORD_VARIABLE}` is not set")), "{}", unset.stderr);
    let unset = call(url, "x", &["create", "pipe.yaml", "--json"], Some(&pipe));
    assert_eq!(unset.json()["code"], "invalid_pipe");
    let unnamed = call(url, "x", &["show", "--json"], None);
    let told = unnamed.json();
    assert_eq!(
        (unnamed.code, &told["code"], &told["exit_code"]),
        (Some(2), &"usage".into(), &2.into()),
        "{told}"
    );
    // What the service alone refuses comes with its key, and as a document for programs.
    let raw = pipe.clone().replacing("  topic:", "  unsafe_librdkafka: { client.rack: a }\n  topic:");
    let refused = service.pipes(&["create", "pipe.yaml", "--json"], Some(&raw));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("invalid_pipe, 422") && refused.stderr.contains("`source.unsafe_librdkafka`"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.json()["problem"]["code"], "invalid_pipe");
    assert_eq!(refused.json()["problem"]["errors"][0]["key"], "source.unsafe_librdkafka");
    let unknown = service.pipes(&["pause", "nobody"], None);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("has no pipe `nobody`"), "{}", unknown.stderr);
    let left =
        service.pipes(&["create", "pipe.yaml", "--keep-references"], Some(&pipe.replacing("env:", "file:")));
    assert!(left.code == Some(2) && left.stderr.contains("reads no files"), "{}", left.stderr);
}
