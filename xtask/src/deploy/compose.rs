//! `deploy/compose*.yaml`: loaded as Compose does, alone and one over the other.

use anyhow::{Context, ensure};
use housepipe_local_stack::Checkers;
use serde_json::Value;

use super::command_line::CommandLine;
use super::{checked, file, is_json, tell};

/// Which files go together.
const VARIANTS: [&[&str]; 2] = [&["compose.yaml"], &["compose.yaml", "compose.postgres.yaml"]];

/// What holds our service back, whatever runs in it, as JSON.
const HARDENED: [(&str, &str); 4] = [
    ("read_only", "true"),
    ("cap_drop", "[\"ALL\"]"),
    ("security_opt", "[\"no-new-privileges:true\"]"),
    ("mem_limit", "\"1610612736\""),
];

/// Where the image has its state.
const STATE: &str = "/state";

pub(super) fn check(checkers: &Checkers) -> anyhow::Result<Vec<CommandLine>> {
    VARIANTS.iter().map(|files| variant(checkers, files)).collect()
}

fn variant(checkers: &Checkers, files: &[&str]) -> anyhow::Result<CommandLine> {
    let paths: Vec<String> = files.iter().map(|name| file(name).display().to_string()).collect();
    let mut words = vec!["compose"];
    words.extend(paths.iter().map(String::as_str));
    let project = checked(checkers, &words, &[("POSTGRES_PASSWORD", "a-password")])?;
    let place = format!("deploy/{}", files.join(" + "));
    let service = &project["services"]["housepipe"];
    for (key, wanted) in HARDENED {
        ensure!(is_json(&service[key], wanted), "{place}: `{key}` of housepipe is {}", service[key]);
    }
    let command = texts(&service["command"]);
    let mut listens: Vec<&str> = command
        .iter()
        .filter(|word| word.contains("listen="))
        .filter_map(|word| Some(word.rsplit_once(':')?.1))
        .collect();
    let ports = service["ports"].as_array().context("housepipe publishes nothing")?;
    let mut published: Vec<String> = ports.iter().map(|port| port["target"].to_string()).collect();
    listens.sort_unstable();
    published.sort_unstable();
    ensure!(
        listens == published,
        "{place}: housepipe listens at {listens:?}, and {published:?} are published"
    );
    let volumes = service["volumes"].as_array().context("housepipe has no volume")?;
    ensure!(volumes.iter().any(|volume| volume["target"] == STATE), "{place}: nothing is mounted at {STATE}");
    // What is published is for this machine: without TLS, nobody else may reach it.
    for (name, service) in project["services"].as_object().context("no services")? {
        for port in service["ports"].as_array().into_iter().flatten() {
            ensure!(port["host_ip"] == "127.0.0.1", "{place}: {name} is published for others: {port}");
        }
    }
    tell(&file(files.last().copied().unwrap_or_default()), "Compose loads it");
    Ok(CommandLine { place, words: texts(&service["command"]), variables: names(&service["environment"]) })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|word| Some(word.as_str()?.to_owned())).collect()
}

fn names(map: &Value) -> Vec<String> {
    map.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
}
