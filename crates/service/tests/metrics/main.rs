//! Metrics: what was published stays so until somebody means to change it, the reference has all of it, and the dashboard and the alerts
//! ask for nothing else.

#![expect(clippy::panic, reason = "a helper of a test that fails has failed the test")]

mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use housepipe_runtime::metrics::{Family, Kind};
use housepipe_service::metric_families;
use promql::{Use, uses};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

/// Labels that Prometheus adds to whatever it scrapes.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn names_types_labels_and_help_are_as_published() {
    let mut text = String::new();
    for family in metric_families() {
        let Family { name, kind, labels, help, .. } = family;
        writeln!(text, "{name}{{{}}} {kind}\n    {help}", labels.join(",")).unwrap();
    }
    expect_file![root().join("testdata/goldens/metrics.txt")].assert_eq(&text);
}

/// Between these lines of the reference stands what is made from the code.
const MADE: [&str; 2] = ["<!-- made from the code -->\n", "<!-- end of what is made from the code -->\n"];

#[test]
fn the_reference_has_every_metric() {
    let reference = file("docs/metrics.md");
    let (before, rest) = reference.split_once(MADE[0]).unwrap();
    let (_, behind) = rest.split_once(MADE[1]).unwrap();
    let mut table = "| metric | type | labels | tells |\n|---|---|---|---|\n".to_owned();
    for family in metric_families() {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let Family { name, kind, help, .. } = family;
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(" ")).unwrap();
    }
    let [begin, end] = MADE;
    let made = format!("{before}{begin}{table}{end}{behind}");
    expect_file![root().join("docs/metrics.md")].assert_eq(&made);
}

/// What asks for metrics, and the labels that are shown beside it.
struct Asked {
    place: String,
    query: String,
    shown: BTreeSet<String>,
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/housepipe.json")).unwrap();
    let mut asked = Vec::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "two panels have one id: {panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
            asked.push(Asked {
                place: panel["title"].as_str().unwrap().to_owned(),
                query: target["expr"].as_str().unwrap().to_owned(),
                shown: templates(target["legendFormat"].as_str().unwrap(), "{{", "}}"),
            });
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        let query = variable["query"]["query"].as_str().unwrap();
        let (metric, label) =
            query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap().split_once(", ").unwrap();
        let (query, shown) = (metric.to_owned(), BTreeSet::from([label.to_owned()]));
        asked.push(Asked { place: "a variable".to_owned(), query, shown });
    }
    let families = asked_for(&asked);
    let told: BTreeSet<&str> = metric_families().map(|family| family.name).collect();
    // Those that another one shows as well.
    assert_eq!(
        told.difference(&families).collect::<Vec<_>>(),
        [
            &"housepipe_batches_total",
            &"housepipe_last_insert_timestamp_seconds",
            &"housepipe_partition_lag_seconds"
        ]
    );
}

#[test]
fn the_alerts_ask_for_what_there_is() {
    let text = file("deploy/prometheus/alerts.yaml");
    let document = Yaml::load_from_str(&text).unwrap().remove(0);
    let at = |node: &Yaml<'_>, key: &str| -> Option<String> {
        node.as_mapping_get(key).and_then(Yaml::as_str).map(str::to_owned)
    };
    let mut asked = Vec::new();
    for group in document.as_mapping_get("groups").unwrap().as_sequence().unwrap() {
        for rule in group.as_mapping_get("rules").unwrap().as_sequence().unwrap() {
            let place = at(rule, "alert").unwrap();
            let severity = at(rule.as_mapping_get("labels").unwrap(), "severity").unwrap();
            assert!(["critical", "warning"].contains(&severity.as_str()), "{place}");
            let mut shown = BTreeSet::new();
            for words in ["summary", "description"] {
                let words = at(rule.as_mapping_get("annotations").unwrap(), words).unwrap();
                shown.extend(templates(&words, "$labels.", " "));
            }
            asked.push(Asked { place, query: at(rule, "expr").unwrap(), shown });
        }
    }
    let families = asked_for(&asked);
    for metric in ["housepipe_identity_difference", "housepipe_pipe_stage", "housepipe_lag_seconds"] {
        assert!(families.contains(metric), "{metric}");
    }
}

/// Checks what is asked for, and returns the families that are.
fn asked_for(asked: &[Asked]) -> BTreeSet<&'static str> {
    let known: BTreeMap<&str, &Family> = metric_families().flat_map(series).collect();
    assert!(!asked.is_empty());
    let mut families = BTreeSet::new();
    for Asked { place, query, shown } in asked {
        let Use { metrics, grouped } =
            uses(query).unwrap_or_else(|problem| panic!("{place}: {problem}: {query}"));
        assert!(!metrics.is_empty(), "{place}: {query}");
        let mut labels: BTreeSet<&str> = OF_PROMETHEUS.into();
        for (metric, matched) in &metrics {
            if metric == "up" {
                assert!(
                    matched.iter().all(|label| OF_PROMETHEUS.contains(&label.as_str())),
                    "{place}: {query}"
                );
                continue;
            }
            let family =
                known.get(metric.as_str()).unwrap_or_else(|| panic!("{place}: no metric {metric}: {query}"));
            families.insert(family.name);
            for label in matched {
                assert!(
                    family.labels.contains(&label.as_str()),
                    "{place}: {metric} has no label {label}: {query}"
                );
            }
            labels.extend(family.labels);
            labels.extend((family.kind == Kind::Histogram).then_some("le"));
        }
        for label in grouped.iter().chain(shown) {
            assert!(labels.contains(label.as_str()), "{place}: nothing has the label {label}: {query}");
        }
        // What an aggregation leaves out cannot be shown.
        let aggregates = !grouped.is_empty();
        for label in shown.iter().filter(|_| aggregates) {
            assert!(grouped.contains(label), "{place}: {label} is not what it is grouped by: {query}");
        }
    }
    families
}

/// The names of a family's series.
fn series(family: &'static Family) -> Vec<(&'static str, &'static Family)> {
    let suffixes: &[&str] =
        if family.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
    suffixes.iter().map(|suffix| (&*format!("{}{suffix}", family.name).leak(), family)).collect()
}

/// Names behind `begin`, up to `end` or the first letter that is in no name.
fn templates(text: &str, begin: &str, end: &str) -> BTreeSet<String> {
    let names = text.split(begin).skip(1).map(|rest| {
        let name = rest.split(end).next().unwrap_or_default();
        name.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
    });
    names.collect()
}
