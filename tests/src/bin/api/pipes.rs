//! Pipes that are there before anybody calls, so that calls meet some.

use std::collections::BTreeSet;

use housepipe_local_stack::{DATABASE, USER_APP};
use housepipe_tests::{Served, create_topic, produce, shared_stack, unique, wait_until};
use serde_json::json;

/// Records of the topic, and how many of them no pipe accepts.
const RECORDS: usize = 200;
const REJECTED: usize = 20;

/// Pipes that run, and pipes that may be removed.
const RUNNING: usize = 2;
const DOOMED: usize = 20;

/// Calls on a pipe, but its removal.
const ON_A_PIPE: [&str; 9] = [
    "show_pipe",
    "show_pipe_file",
    "edit_pipe",
    "pause_pipe",
    "resume_pipe",
    "sample_pipe_(source|destination)",
    "list_errors",
    "summarize_errors",
    "replay_errors",
];

/// Of the calls on a pipe so many in a hundred are on one of these.
const MET_PERCENT: u32 = 70;

pub(crate) struct Pipes {
    /// Their ids.
    running: Vec<String>,
    doomed: Vec<String>,
}

impl Pipes {
    /// Makes them, and waits for what they load.
    pub(crate) fn make(service: &Served) -> Pipes {
        let stack = shared_stack();
        let topic = unique("called");
        create_topic(stack, &topic, 2);
        let records = (0..RECORDS).map(|number| match number % (RECORDS / REJECTED) {
            0 => format!("{{\"id\":\"none\",\"at\":{number}}}"),
            _ => format!("{{\"id\":{number},\"at\":{number}}}"),
        });
        produce(stack, &topic, 2, records);
        let create = |name: &str, run: bool| -> String {
            let pipe = json!({
                "name": name, "description": "for calls",
                "source": { "type": "kafka", "brokers": stack.kafka.bootstrap(), "topic": topic },
                "destination": {
                    "url": stack.clickhouse.url(), "database": DATABASE, "table": format!("of_{name}").replace('-', "_"),
                    "username": USER_APP.name, "password": USER_APP.password,
                    "managed_table": { "order_by": ["id"] },
                    "columns": [{ "name": "id", "type": "UInt64" }, { "name": "at", "type": "Int64" }]
                },
                "batch": { "max_wait": "200ms" }
            });
            let new = json!({ "pipe": pipe, "run": run });
            let created = service.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201).body;
            assert!(created["id"].is_string(), "{created}");
            created["id"].as_str().unwrap_or_default().to_owned()
        };
        let running: Vec<String> =
            (0..RUNNING).map(|number| create(&format!("runs-{number}"), true)).collect();
        let doomed = (0..DOOMED).map(|number| create(&format!("doomed-{number}"), false)).collect();
        for id in &running {
            wait_until("the records to be loaded and rejected", || {
                let counters = &service.pipe(id)["counters"];
                counters["loaded"] == RECORDS - REJECTED && counters["rejected"] == REJECTED
            });
        }
        Pipes { running, doomed }
    }

    /// The configuration that has Schemathesis call them, in whichever state they are.
    pub(crate) fn config(&self) -> String {
        let probability = f64::from(MET_PERCENT) / 100.0;
        let on = |dictionary: &str| {
            let bound = |dictionary: &str| {
                format!("{{ dictionary = \"{dictionary}\", probability = {probability} }}")
            };
            let (id, state) = (bound(dictionary), bound("any"));
            format!("parameters = {{ \"path.id\" = {id}, \"header.If-Match\" = {state} }}\n")
        };
        format!(
            "[dictionaries]\nany = {{ values = [\"*\"] }}\nrunning = {{ values = {:?} }}\ndoomed = {{ values = {:?} }}\n\n\
             [[operations]]\ninclude-operation-id-regex = \"^({})$\"\n{}\n\
             [[operations]]\ninclude-operation-id = \"remove_pipe\"\n{}",
            self.running,
            self.doomed,
            ON_A_PIPE.join("|"),
            on("running"),
            on("doomed")
        )
    }

    /// Whether calls were made on them, as their events tell.
    pub(crate) fn were_met(&self, service: &Served) -> Result<(), String> {
        let kinds = |ids: &[String]| -> BTreeSet<String> {
            let events = ids.iter().flat_map(|id| {
                let path = format!("/api/v1/events?pipe={id}&order=newest&limit=1000");
                let page = service.call("GET", &path, &[], None).expect(200).body;
                page["events"].as_array().cloned().unwrap_or_default()
            });
            events.filter_map(|event| event["kind"].as_str().map(str::to_owned)).collect()
        };
        let (running, doomed) = (kinds(&self.running), kinds(&self.doomed));
        let is_met = |wanted: &str| running.contains(wanted);
        if ["paused", "resumed", "replayed"].into_iter().all(is_met) && doomed.contains("removed") {
            return Ok(());
        }
        Err(format!(
            "too few calls were made on them: {running:?}, and of those that may be removed {doomed:?}"
        ))
    }
}
