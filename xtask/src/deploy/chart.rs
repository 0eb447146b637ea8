//! `deploy/helm/housepipe`: linted and rendered with several values, and held against the schemas of Kubernetes.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use housepipe_local_stack::Checkers;
use serde_json::Value;

use super::command_line::CommandLine;
use super::{checked, file, is_json, tell, wiring};

const NAME: &str = "helm/housepipe";

/// The oldest version of Kubernetes that the chart is for, as its `kubeVersion` says, and the newest that there are schemas of.
const KUBERNETES: [&str; 2] = ["1.27.0", "1.37.0"];

/// What a pod's container has to be, as JSON, so that it runs in a namespace with the `restricted` standard for pods, and more.
const RESTRICTED: [(&str, &str); 7] = [
    ("/spec/template/spec/automountServiceAccountToken", "false"),
    ("/spec/template/spec/securityContext/runAsNonRoot", "true"),
    ("/spec/template/spec/securityContext/seccompProfile/type", "\"RuntimeDefault\""),
    ("/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation", "false"),
    ("/spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem", "true"),
    ("/spec/template/spec/containers/0/securityContext/capabilities/drop", "[\"ALL\"]"),
    ("/spec/template/spec/containers/0/readinessProbe/httpGet/path", "\"/readyz\""),
];

pub(super) fn check(checkers: &Checkers) -> anyhow::Result<Vec<CommandLine>> {
    let mut lines = Vec::new();
    for values in files("ci")? {
        let place = format!("deploy/{NAME} with {}", name(&values));
        let mut rendered = Value::Null;
        for version in KUBERNETES {
            rendered = render(checkers, version, &values).with_context(|| format!("{place}, {version}"))?;
        }
        let deployment = &rendered["deployment.yaml"];
        for (pointer, wanted) in RESTRICTED {
            let found = deployment.pointer(pointer).unwrap_or(&Value::Null);
            ensure!(is_json(found, wanted), "{place}: {pointer} is {found}");
        }
        wiring::check(&rendered).with_context(|| place.clone())?;
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        lines.push(command_line(place, container));
    }
    for values in files("refused")? {
        refused(checkers, &values)?;
    }
    tell(&file(NAME), "Helm lints and renders it, and Kubernetes knows what it makes");
    Ok(lines)
}

fn render(checkers: &Checkers, version: &str, values: &Path) -> anyhow::Result<Value> {
    let schemas = checkers.kubernetes_version(version).display().to_string();
    let chart = file(NAME).display().to_string();
    checked(checkers, &["chart", &schemas, &chart, &values.display().to_string()], &[])
}

/// Values that the chart refuses, in the words that their first line has.
fn refused(checkers: &Checkers, values: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(values)?;
    let words = text.lines().next().and_then(|line| line.strip_prefix("# refused: "));
    let words = words.with_context(|| format!("{} does not begin with `# refused: `", values.display()))?;
    match render(checkers, KUBERNETES[1], values) {
        Ok(_) => bail!("the chart takes {}", values.display()),
        Err(error) => {
            ensure!(
                format!("{error:#}").contains(words),
                "{} is refused otherwise: {error:#}",
                values.display()
            );
            Ok(())
        }
    }
}

fn command_line(place: String, container: &Value) -> CommandLine {
    let list = |key: &str| container[key].as_array().into_iter().flatten();
    let words = list("args").filter_map(Value::as_str).map(str::to_owned).collect();
    let variables = list("env").filter_map(|one| one["name"].as_str()).map(str::to_owned).collect();
    CommandLine { place, words, variables }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a folder of the chart, by their names; there is one at least.
fn files(folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = file(NAME).join(folder);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    ensure!(!files.is_empty(), "{} is empty", folder.display());
    files.sort();
    Ok(files)
}
