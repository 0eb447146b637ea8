//! What belongs together in what Kubernetes is told: ports by their names, labels and selectors, probes, paths in flags and what is mounted there.

use anyhow::{Context, ensure};
use serde_json::Value;

/// Paths that the probes may ask for.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];
/// Flags that say where the container listens, and the name of the port.
const LISTENS: [(&str, &str); 2] = [("--listen=", "http"), ("--metrics-listen=", "metrics")];

/// Checks the resources of the chart, by their templates.
pub(super) fn check(resources: &Value) -> anyhow::Result<()> {
    let pod = &resources["deployment.yaml"]["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let ports = list(&container["ports"]);
    let has_port = |name: &Value| ports.iter().any(|port| port["name"] == *name && name.is_string());
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let get = &container[probe]["httpGet"];
        ensure!(HEALTH.iter().any(|path| get["path"] == *path), "{probe} asks for {}", get["path"]);
        ensure!(has_port(&get["port"]), "{probe} asks at the port {}", get["port"]);
    }
    let words: Vec<&str> = list(&container["args"]).iter().filter_map(Value::as_str).collect();
    for (flag, name) in LISTENS {
        let address =
            words.iter().find_map(|word| word.strip_prefix(flag)).with_context(|| format!("no {flag}"))?;
        let number = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u64>().ok());
        let port =
            ports.iter().find(|port| port["name"] == name).and_then(|port| port["containerPort"].as_u64());
        ensure!(number == port, "{flag}{address}, and the port `{name}` is {port:?}");
    }
    let mounted: Vec<&str> =
        list(&container["volumeMounts"]).iter().filter_map(|mount| mount["mountPath"].as_str()).collect();
    let state = list(&container["env"]).iter().find(|one| one["name"] == "HOUSEPIPE_STATE");
    let paths = words.iter().filter_map(|word| word.split_once('=')).map(|(_, value)| value);
    for path in
        paths.chain(state.and_then(|state| state["value"].as_str())).filter(|path| path.starts_with('/'))
    {
        let is_within = |folder: &&&str| {
            path.strip_prefix(**folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        ensure!(mounted.iter().any(|folder| is_within(&folder)), "nothing is mounted where {path} is");
    }
    let volumes = list(&pod["spec"]["volumes"]);
    for mount in list(&container["volumeMounts"]) {
        ensure!(
            volumes.iter().any(|volume| volume["name"] == mount["name"]),
            "there is no volume {}",
            mount["name"]
        );
    }
    let labels = &pod["metadata"]["labels"];
    let spec = |name: &str| &resources[name]["spec"];
    for (name, selector) in [
        ("deployment.yaml", &spec("deployment.yaml")["selector"]["matchLabels"]),
        ("service.yaml", &spec("service.yaml")["selector"]),
        ("metrics-service.yaml", &spec("metrics-service.yaml")["selector"]),
        ("networkpolicy.yaml", &spec("networkpolicy.yaml")["podSelector"]["matchLabels"]),
        ("poddisruptionbudget.yaml", &spec("poddisruptionbudget.yaml")["selector"]["matchLabels"]),
        ("servicemonitor.yaml", &spec("servicemonitor.yaml")["selector"]["matchLabels"]),
    ] {
        if resources[name].is_null() {
            continue;
        }
        let labels = if name == "servicemonitor.yaml" {
            &resources["metrics-service.yaml"]["metadata"]["labels"]
        } else {
            labels
        };
        let selected = selector.as_object().with_context(|| format!("{name} selects nothing"))?;
        ensure!(!selected.is_empty(), "{name} selects everything");
        for (key, value) in selected {
            ensure!(labels[key] == *value, "{name} selects {key}={value}, and the label is {}", labels[key]);
        }
    }
    // What takes longer than a call is in the memory of one replica.
    let replicas = resources["deployment.yaml"]["spec"]["replicas"].as_u64();
    let affinity = &spec("service.yaml")["sessionAffinity"];
    ensure!(
        replicas.is_none_or(|replicas| replicas <= 1) || affinity == "ClientIP",
        "service.yaml spreads the calls of one caller over {replicas:?} replicas: its affinity is {affinity}"
    );
    for name in ["service.yaml", "metrics-service.yaml"] {
        for port in list(&spec(name)["ports"]) {
            ensure!(has_port(&port["targetPort"]), "{name} leads to the port {}", port["targetPort"]);
        }
    }
    for rule in list(&spec("networkpolicy.yaml")["ingress"]) {
        for port in list(&rule["ports"]) {
            ensure!(has_port(&port["port"]), "networkpolicy.yaml lets in to the port {}", port["port"]);
        }
    }
    let of_service =
        |service: &str, port: &Value| list(&spec(service)["ports"]).iter().any(|one| one["name"] == *port);
    for endpoint in list(&spec("servicemonitor.yaml")["endpoints"]) {
        ensure!(
            of_service("metrics-service.yaml", &endpoint["port"]),
            "servicemonitor.yaml scrapes {}",
            endpoint["port"]
        );
    }
    for rule in list(&spec("ingress.yaml")["rules"]) {
        for path in list(&rule["http"]["paths"]) {
            let backend = &path["backend"]["service"];
            ensure!(
                backend["name"] == resources["service.yaml"]["metadata"]["name"],
                "ingress.yaml leads to {backend}"
            );
            ensure!(of_service("service.yaml", &backend["port"]["name"]), "ingress.yaml leads to {backend}");
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chart() -> Value {
        let probe = json!({ "httpGet": { "path": "/healthz", "port": "http" } });
        let labels = json!({ "app": "housepipe", "version": "1" });
        json!({
            "deployment.yaml": { "spec": { "replicas": 3,
                "selector": { "matchLabels": { "app": "housepipe" } },
                "template": { "metadata": { "labels": labels }, "spec": {
                    "volumes": [{ "name": "state" }],
                    "containers": [{
                        "args": ["serve", "--listen=0.0.0.0:8080", "--metrics-listen=0.0.0.0:9464", "--secret-key-file=/state/key"],
                        "ports": [{ "name": "http", "containerPort": 8080 }, { "name": "metrics", "containerPort": 9464 }],
                        "startupProbe": probe, "livenessProbe": probe, "readinessProbe": probe,
                        "env": [{ "name": "HOUSEPIPE_STATE", "value": "/state/housepipe.db" }],
                        "volumeMounts": [{ "name": "state", "mountPath": "/state" }]
                    }]
                } }
            } },
            "service.yaml": { "metadata": { "name": "pipes" }, "spec": { "sessionAffinity": "ClientIP",
                "selector": { "app": "housepipe" }, "ports": [{ "name": "http", "targetPort": "http" }] } },
            "metrics-service.yaml": { "metadata": { "labels": { "part": "metrics" } }, "spec": {
                "selector": { "app": "housepipe" }, "ports": [{ "name": "metrics", "targetPort": "metrics" }] } },
            "servicemonitor.yaml": { "spec": { "selector": { "matchLabels": { "part": "metrics" } }, "endpoints": [{ "port": "metrics" }] } },
            "networkpolicy.yaml": { "spec": { "podSelector": { "matchLabels": { "app": "housepipe" } }, "ingress": [{ "ports": [{ "port": "http" }] }] } },
            "ingress.yaml": { "spec": { "rules": [{ "http": { "paths": [{ "backend": { "service": { "name": "pipes", "port": { "name": "http" } } } }] } }] } }
        })
    }

    #[test]
    fn whatever_does_not_fit_is_found() {
        check(&chart()).unwrap();
        let container = "/deployment.yaml/spec/template/spec/containers/0";
        for (pointer, value, wanted) in [
            (format!("{container}/startupProbe/httpGet/path"), "/helthz", "startupProbe asks for"),
            (format!("{container}/livenessProbe/httpGet/port"), "web", "livenessProbe asks at the port"),
            (format!("{container}/args/1"), "--listen=0.0.0.0:8081", "the port `http` is Some(8080)"),
            (format!("{container}/args/2"), "--metrics=0.0.0.0:9464", "no --metrics-listen="),
            (
                format!("{container}/args/3"),
                "--secret-key-file=/stat/key",
                "nothing is mounted where /stat/key",
            ),
            (format!("{container}/env/0/value"), "/statehousepipe.db", "nothing is mounted where"),
            (format!("{container}/volumeMounts/0/name"), "stat", "there is no volume"),
            ("/deployment.yaml/spec/selector/matchLabels/app".into(), "x", "deployment.yaml selects app"),
            ("/service.yaml/spec/selector/app".into(), "x", "service.yaml selects app"),
            ("/service.yaml/spec/sessionAffinity".into(), "None", "spreads the calls of one caller"),
            ("/service.yaml/spec/ports/0/targetPort".into(), "htpp", "service.yaml leads to the port"),
            ("/metrics-service.yaml/spec/ports/0/name".into(), "m", "servicemonitor.yaml scrapes"),
            (
                "/servicemonitor.yaml/spec/selector/matchLabels/part".into(),
                "x",
                "servicemonitor.yaml selects",
            ),
            ("/networkpolicy.yaml/spec/ingress/0/ports/0/port".into(), "x", "lets in to the port"),
            (
                "/ingress.yaml/spec/rules/0/http/paths/0/backend/service/port/name".into(),
                "x",
                "ingress.yaml leads to",
            ),
            (
                "/ingress.yaml/spec/rules/0/http/paths/0/backend/service/name".into(),
                "x",
                "ingress.yaml leads to",
            ),
        ] {
            let mut chart = chart();
            *chart.pointer_mut(&pointer).unwrap() = value.into();
            let error = check(&chart).unwrap_err().to_string();
            assert!(error.contains(wanted), "{pointer}: {error}");
        }
    }
}
