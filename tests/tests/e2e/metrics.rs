//! Metrics: what is scraped adds up in every scrape, goes on over everything that happens to a pipe, and is read by Prometheus' own reader.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use housepipe_local_stack::{Silent, Wanted, prepare_wanted};
use housepipe_runtime::metrics::{Kind, families};
use housepipe_tests::{
    Answer, Housepipe, Numbered, PipeText, Proxy, Served, document, housepipe, query_number, shared_stack,
    unique, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Asks for a path of a listener for metrics: the status, and what it says.
fn get(address: &str, path: &str, accept: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The value of each series, by its name and labels as they are written.
pub(crate) type Series = BTreeMap<String, f64>;

fn series(text: &str) -> Series {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    let all: Vec<(String, f64)> = samples.collect();
    let count = all.len();
    let series: Series = all.into_iter().collect();
    assert_eq!(series.len(), count, "no series is there twice");
    series
}

/// Looks at metrics again and again, and at what has to hold in each scrape.
pub(crate) struct Watcher {
    address: String,
    last: Series,
    scrapes: u32,
}

impl Watcher {
    fn new(url: &str) -> Watcher {
        let address = url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
        Watcher { address, last: Series::new(), scrapes: 0 }
    }

    /// Scrapes once.
    fn look(&mut self) {
        let (status, text) = get(&self.address, "/metrics", "*/*");
        assert_eq!(status, 200);
        let now = series(&text);
        for pipe in pipes(&now) {
            let of = |family: &str| sum(&now, family, &pipe);
            let read = of("housepipe_records_read_total");
            let loaded = of("housepipe_records_loaded_total");
            let rejected = of("housepipe_records_rejected_total");
            let elsewhere = of("housepipe_records_in_flight") + of("housepipe_records_given_back_total");
            assert_eq!(read, loaded + rejected + elsewhere, "{pipe} {text}");
            assert_eq!(of("housepipe_identity_difference"), 0.0, "{pipe} {text}");
            assert_eq!(of("housepipe_records_rejected_by_code_total"), rejected, "{pipe} {text}");
            let timed = of("housepipe_end_to_end_latency_seconds_count");
            assert_eq!(timed + of("housepipe_rows_without_latency_total"), loaded, "{pipe} {text}");
            assert_eq!(of("housepipe_pipe_stage"), 1.0, "one stage: {pipe} {text}");
        }
        for (series, before) in self.last.iter().filter(|(series, _)| only_grows(series)) {
            let value = now.get(series);
            assert!(value.is_some_and(|value| value >= before), "{series}: {before}, then {value:?}");
        }
        self.last = now;
        self.scrapes += 1;
    }

    /// Looks until `holds` does.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Series) -> bool) {
        wait_until(what, || {
            self.look();
            holds(&self.last)
        });
    }
}

fn pipes(series: &Series) -> BTreeSet<String> {
    let marked =
        series.keys().filter_map(|series| series.strip_prefix("housepipe_records_read_total{pipe=\""));
    marked.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// All series of a family that are of a pipe, together.
pub(crate) fn sum(series: &Series, family: &str, pipe: &str) -> f64 {
    let own = format!("{family}{{pipe=\"{pipe}\"");
    series.iter().filter(|(series, _)| series.starts_with(&own)).map(|(_, value)| value).sum()
}

/// Whether it is of a counter or a histogram.
fn only_grows(series: &str) -> bool {
    let name = series.split('{').next().unwrap();
    name.ends_with("_total") || ["_bucket", "_sum", "_count"].iter().any(|suffix| name.ends_with(suffix))
}

/// What Prometheus' own reader says of a scrape, in both formats: as many samples as there are lines, of families that are known.
fn is_read_by_prometheus(address: &str) {
    let parts = prepare_wanted(&Wanted::pinned().with_metrics_reader(), &mut Silent).unwrap();
    for (accept, is_openmetrics) in
        [("text/plain", false), ("application/openmetrics-text; version=1.0.0", true)]
    {
        let (_, text) = get(address, "/metrics", accept);
        assert_eq!(text.ends_with("# EOF\n"), is_openmetrics);
        let read =
            parts.read_metrics(&text, is_openmetrics).unwrap_or_else(|error| panic!("{error}: {text}"));
        let read: Value = serde_json::from_str(&read).unwrap();
        let read = read.as_array().unwrap();
        let samples: usize = read.iter().map(|family| family["samples"].as_array().unwrap().len()).sum();
        assert_eq!(samples, series(&text).len(), "{text}");
        for family in families().filter(|family| text.contains(&format!("{}{{", family.name))) {
            let name = family.name.strip_suffix("_total").unwrap_or(family.name);
            let found = read.iter().find(|read| read["name"] == name);
            let found = found.unwrap_or_else(|| panic!("{name} is not among {read:?}"));
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            assert_eq!((found["type"].as_str(), found["help"].as_str()), (Some(kind), Some(family.help)));
            if is_openmetrics {
                assert_eq!(found["unit"].as_str(), Some(family.unit().unwrap_or_default()), "{name}");
            }
        }
    }
    let broken = parts.read_metrics("# TYPE a counter\na 1\n# EOF\n", true);
    assert!(broken.is_err(), "the reader looks at what it reads: {broken:?}");
}

#[test]
fn every_scrape_adds_up_over_all_that_happens_to_pipes() {
    let stack = shared_stack();
    let mut served = Served::start();
    let mut watcher = Watcher::new(&served.metrics_url());
    watcher.look();
    let mut all = Vec::new();
    for delivery in ["at_least_once", "exactly_once"] {
        let numbered = Numbered::new(stack, &unique("measured"), 2, true);
        let with = |batch: &str| {
            let pipe = numbered.pipe(stack).with(batch).with(&format!("delivery: {delivery}"));
            json!({ "pipe": document(&pipe) })
        };
        let first = with("batch: { max_wait: 100ms, max_rows: 1000 }");
        let edited = with("batch: { max_wait: 150ms, max_rows: 700 }");
        let Answer { status, body: created, .. } = served.call("POST", "/api/v1/pipes", &[], Some(&first));
        assert_eq!(status, 201, "{created}");
        let id = created["id"].as_str().unwrap().to_owned();
        let name = numbered.topic().replace('_', "-");
        all.push((numbered, name, id, edited));
    }
    for round in 0..3 {
        for (numbered, ..) in &mut all {
            numbered.produce(stack, 6_000);
        }
        if round > 0 {
            watcher.until("some records of a round", |_| {
                all.iter().all(|(numbered, ..)| numbered.settled(stack) > 0)
            });
        }
        for (_, _, id, edited) in &all {
            let path = format!("/api/v1/pipes/{id}");
            match round {
                // While it reads.
                1 => {
                    let etag = format!("\"{}\"", served.pipe(id)["revision"]);
                    let Answer { status, body: answer, .. } =
                        served.call("PUT", &path, &[("If-Match", &etag)], Some(edited));
                    assert_eq!(status, 200, "{answer}");
                }
                2 => {
                    served.call("POST", &format!("{path}/pause"), &[], None);
                    watcher.until("the pipe to rest", |_| served.pipe(id)["stage"] == "paused");
                    served.call("POST", &format!("{path}/resume"), &[], None);
                }
                _ => {}
            }
        }
        watcher.until("the records of a round", |series| {
            all.iter().all(|(numbered, name, ..)| {
                let settled = sum(series, "housepipe_records_loaded_total", name)
                    + sum(series, "housepipe_records_rejected_total", name);
                numbered.settled(stack) == numbered.expected() && settled >= numbered.expected() as f64
            })
        });
    }
    // What was read before the last pause may be all there is: then it is stored before they run again.
    watcher.until("both to run again", |series| {
        let partitions = |name| sum(series, "housepipe_partitions", name);
        all.iter().all(|(_, name, ..)| partitions(name) == 2.0)
    });
    assert!(watcher.scrapes > 20, "{}", watcher.scrapes);
    for (numbered, name, ..) in &all {
        assert!(
            numbered.verdict(stack).is_once(),
            "{:?} {}",
            numbered.verdict(stack),
            numbered.evidence(stack)
        );
        let of = |family: &str| sum(&watcher.last, family, name);
        let stored = query_number(stack, &format!("SELECT count() FROM {}", numbered.topic()));
        assert_eq!(of("housepipe_records_loaded_total"), stored as f64, "{name}");
        assert_eq!(of("housepipe_insert_rows_sum"), stored as f64, "{name}");
        assert_eq!(
            of("housepipe_insert_rows_count"),
            of("housepipe_insert_duration_seconds_count"),
            "{name}"
        );
        assert!(of("housepipe_inserts_total") >= of("housepipe_insert_rows_count"), "{name}");
        for code in ["out_of_range", "refused_by_clickhouse"] {
            let by_code =
                format!("housepipe_records_rejected_by_code_total{{pipe=\"{name}\",code=\"{code}\"}}");
            assert!(watcher.last[&by_code] > 0.0, "{by_code}");
        }
        assert!(of("housepipe_partition_moves_total") >= 6.0, "{name}: three runs of two partitions");
        watcher.until("no lag", |series| sum(series, "housepipe_lag_records", name) == 0.0);
        watcher.until("nothing pending", |series| sum(series, "housepipe_pending_age_seconds", name) == 0.0);
    }
    let is_exactly_once = |name: &str| {
        watcher.last.keys().any(|series| {
            series.starts_with(&format!("housepipe_deduplication_window_blocks{{pipe=\"{name}\""))
        })
    };
    assert!(!is_exactly_once(&all[0].1) && is_exactly_once(&all[1].1), "{:?}", watcher.last);
    let calls = "housepipe_api_requests_total{route=\"/api/v1/pipes\",method=\"POST\",status=\"2xx\"}";
    assert_eq!(watcher.last[calls], 2.0);
    assert_eq!(
        (watcher.last["housepipe_store_up"], watcher.last["housepipe_pipes{stage=\"running\"}"]),
        (1.0, 2.0)
    );
    assert!(watcher.last["housepipe_events_stored_total"] >= 8.0);
    is_read_by_prometheus(&watcher.address);
    assert_eq!(get(&watcher.address, "/healthz", "").0, 200);
    assert_eq!(get(&watcher.address, "/readyz", "").0, 200);
    assert_eq!(get(&watcher.address, "/api/v1/pipes", "").0, 404, "the API is elsewhere");

    let (_, name, id, _) = all.swap_remove(0);
    let Answer { status, body: leaving, .. } =
        served.call("DELETE", &format!("/api/v1/pipes/{id}"), &[], None);
    assert_eq!(status, 202, "{leaving}");
    wait_until("the pipe's series to be gone", || {
        let (_, text) = get(&watcher.address, "/metrics", "");
        !text.contains(&name)
    });
    served.stop();
}

/// A run of the pipe that serves metrics, once it does.
pub(crate) fn scraped(pipe: &PipeText) -> (Housepipe, Watcher) {
    let arguments = ["run", "pipe.yaml", "--metrics-listen", "127.0.0.1:0", "--json"];
    let process = housepipe(&arguments, Some(pipe), b"");
    let mut url = None;
    wait_until("the listener", || {
        let said = process.said();
        let told = said.split_once("url=\"").and_then(|(_, rest)| rest.split_once('"'));
        url = told.map(|(url, _)| url.to_owned());
        url.is_some()
    });
    let watcher = Watcher::new(&url.unwrap());
    (process, watcher)
}

#[test]
fn a_single_pipe_is_scraped_while_it_runs() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("scraped"), 2, true);
    numbered.produce(stack, 3_000);
    let pipe = numbered.pipe(stack).with("batch: { max_wait: 100ms }");
    let (process, mut watcher) = scraped(&pipe);
    let name = numbered.topic().replace('_', "-");
    watcher.until("all records", |series| {
        sum(series, "housepipe_records_loaded_total", &name)
            + sum(series, "housepipe_records_rejected_total", &name)
            == 3_000.0
    });
    assert_eq!(get(&watcher.address, "/readyz", ""), (200, "ok\n".to_owned()));
    is_read_by_prometheus(&watcher.address);
    // The metrics of a single pipe are enough for a look at it.
    let url = format!("http://{}", watcher.address);
    let seen = housepipe(&["top", "--metrics", &url, "--json"], None, b"").wait().expect_success().json();
    let seen = &seen["pipes"][0];
    assert_eq!(
        (seen["name"].as_str(), seen["stage"].as_str()),
        (Some(name.as_str()), Some("running")),
        "{seen}"
    );
    assert_eq!(
        seen["loaded"].as_u64().zip(seen["rejected"].as_u64()).map(|(a, b)| a + b),
        Some(3_000),
        "{seen}"
    );
    // Whoever asked for that address gets it, or an error.
    let taken =
        housepipe(&["run", "pipe.yaml", "--metrics-listen", &watcher.address], Some(&pipe), b"").wait();
    assert_eq!(taken.code, Some(1), "{}", taken.stderr);
    assert!(
        taken.stderr.contains(&format!("cannot serve metrics on {}", watcher.address)),
        "{}",
        taken.stderr
    );
    process.signal(Signal::SIGTERM);
    let outcome = process.wait().expect_success();
    assert_eq!(outcome.number("read"), 3_000);
}

#[test]
fn inserts_that_fail_are_counted_by_their_code_and_what_waits_grows_older() {
    let stack = shared_stack();
    for delivery in ["at_least_once", "exactly_once"] {
        let proxy = Proxy::before(stack.clickhouse.url().trim_start_matches("http://"));
        let mut numbered = Numbered::new(stack, &unique("refusing"), 1, false);
        numbered.produce(stack, 1_000);
        let pipe = numbered
            .pipe(stack)
            .replacing(stack.clickhouse.url(), &format!("http://{}", proxy.address()))
            .with("batch: { max_wait: 100ms, max_rows: 500 }")
            .with(&format!("delivery: {delivery}"));
        let (process, mut watcher) = scraped(&pipe);
        let name = numbered.topic().replace('_', "-");
        let loaded = |series: &Series| sum(series, "housepipe_records_loaded_total", &name);
        watcher.until("the first rows", |series| loaded(series) == 1_000.0);
        proxy.refuse(252, "Too many parts");
        numbered.produce(stack, 2_000);
        let code = format!("housepipe_insert_retries_total{{pipe=\"{name}\",code=\"252\"}}");
        watcher.until("retries", |series| series.get(&code).is_some_and(|retries| *retries >= 2.0));
        assert_eq!(loaded(&watcher.last), 1_000.0, "{delivery}");
        watcher
            .until("records in flight", |series| sum(series, "housepipe_records_in_flight", &name) >= 500.0);
        // What is read and not stored is behind as well, and grows older.
        watcher.until("a lag that grows", |series| {
            sum(series, "housepipe_lag_records", &name) == 2_000.0
                && sum(series, "housepipe_lag_seconds", &name) >= 2.0
        });
        if delivery == "exactly_once" {
            watcher
                .until("an older range", |series| sum(series, "housepipe_pending_age_seconds", &name) >= 2.0);
        }
        proxy.pass_on_again();
        watcher.until("all rows", |series| loaded(series) == 3_000.0);
        watcher.until("nothing pending", |series| sum(series, "housepipe_pending_age_seconds", &name) == 0.0);
        assert!(numbered.verdict(stack).is_once(), "{:?}", numbered.verdict(stack));
        process.signal(Signal::SIGTERM);
        process.wait().expect_success();
    }
}

#[test]
fn a_pipe_that_cannot_start_is_alive_and_not_ready() {
    let stack = shared_stack();
    let topic = unique("not_there");
    let pipe = PipeText::new(stack, &topic).replacing(stack.kafka.bootstrap(), "127.0.0.1:1");
    let (mut process, Watcher { address, .. }) = scraped(&pipe);
    let (alive, ready) = (get(&address, "/healthz", ""), get(&address, "/readyz", ""));
    assert_eq!(alive, (200, "ok\n".to_owned()));
    assert_eq!(ready, (503, "the pipe has not started yet\n".to_owned()));
    let text = get(&address, "/metrics", "").1;
    assert!(text.contains("process_cpu_seconds_total ") && !text.contains("pipe="), "{text}");
    wait_until("its end", || !process.is_running());
}

#[test]
fn a_second_service_on_a_machine_runs_without_metrics_unless_it_is_given_another_address() {
    // Where somebody else has it, it is taken as well.
    let _taken = TcpListener::bind("127.0.0.1:9464");
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db").display().to_string();
    for (more, is_served) in [
        (&[][..], false),
        (&["--metrics-listen", "off"], false),
        (&["--metrics-listen", "127.0.0.1:0"], true),
    ] {
        let mut arguments = vec!["serve", "--state", &state, "--listen", "127.0.0.1:0", "--json"];
        arguments.extend(more);
        let process = housepipe(&arguments, None, b"");
        wait_until("the service", || process.told().is_some());
        let told = process.told().unwrap();
        assert_eq!(told["metrics"].is_string(), is_served, "{told}");
        assert_eq!(process.has_said("so no metrics are served"), more.is_empty(), "{}", process.said());
        process.signal(Signal::SIGTERM);
        process.wait().expect_success();
    }
}
