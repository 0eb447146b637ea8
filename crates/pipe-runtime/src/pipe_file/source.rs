//! `source:` — the topic and how to reach it.

use std::collections::BTreeMap;

use housepipe_kafka_source::{Pem, RawSettings, SecretPem, Security, SourceError, Tls};

use super::auth::auth;
use super::fields::{Fields, Located};
use super::preset::{Preset, Vendor};
use super::starts::starts;
use super::suggest::cut;
use super::tls::{TlsTexts, tls};
use super::types::{PipeName, SourceSpec, Starts};
use super::yaml::Value;
use super::{Problem, WORD_LETTERS_MAX};

/// Letters of a consumer group, at most: as many as a topic's name may have.
const GROUP_LETTERS_MAX: usize = 249;

pub(super) fn source(
    at: &Located<'_>,
    name: Option<&PipeName>,
    problems: &mut Vec<Problem>,
) -> Option<SourceSpec> {
    let mut fields = Fields::of(at, problems)?;
    let vendor = fields.require("type", problems).and_then(|v| v.choice(&Vendor::CHOICES, problems));
    let brokers = fields.require("brokers", problems).and_then(|v| {
        let list = v.parsed(problems, brokers)?;
        let mut hosts = list.split(',').filter_map(|broker| broker.rsplit_once(':'));
        hosts.all(|(host, _)| v.reaches(host, problems)).then_some(list)
    });
    let topic = fields.require("topic", problems).and_then(|v| v.nonempty(problems));
    let group = match fields.take("consumer_group") {
        Some(v) => v.nonempty(problems).and_then(|group| short_enough(&v, group, problems)),
        None => name.map(|name| format!("housepipe-{name}")),
    };
    let starts = match fields.take("offset") {
        Some(v) => starts(&v, problems),
        None => Some(Starts::default()),
    };
    let tls = fields.take("tls").map(|v| tls(&v, problems).map(client_tls));
    let credentials = fields.take("auth");
    let raw = match fields.take("unsafe_librdkafka") {
        Some(v) => raw(&v, problems),
        None => Some(RawSettings::default()),
    };
    fields.finish(problems);
    // What the credentials may be depends on the vendor.
    let mut preset = Preset::new(vendor?);
    let tls = preset.tls(tls);
    let security = match credentials {
        Some(v) => auth(&v, &mut preset, tls, brokers.as_deref(), problems),
        None => without_auth(at, &preset, tls?, problems),
    };
    if let (Some(brokers), Some(security)) = (&brokers, &security) {
        preset.look_at_ports(brokers, security);
    }
    Some(SourceSpec {
        preset,
        brokers: brokers?,
        topic: topic?,
        consumer_group: group?,
        starts: starts?,
        security: security?,
        unsafe_librdkafka: raw?,
    })
}

fn short_enough(at: &Located<'_>, group: String, problems: &mut Vec<Problem>) -> Option<String> {
    let letters = group.chars().count();
    if letters > GROUP_LETTERS_MAX {
        problems.push(at.problem(format!(
            "a consumer group has {GROUP_LETTERS_MAX} letters at most, here are {letters}"
        )));
        return None;
    }
    Some(group)
}

/// Settings of librdkafka by name.
fn raw(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<RawSettings> {
    let mut settings = RawSettings::default();
    if let Err(message) = at.outside.surroundings().allows_raw_settings() {
        problems.push(at.problem(message));
        return None;
    }
    for (name, value) in named_texts(at, "{ client.rack: euc1-az1 }", problems)? {
        if let Err(error) = settings.insert(&name, value) {
            let reason =
                if let SourceError::Config { reason, .. } = error { reason } else { error.to_string() };
            problems.push(
                at.problem(format!("`{}` is refused: {reason}", cut(&name, WORD_LETTERS_MAX)))
                    .mend("remove it"),
            );
        }
    }
    Some(settings)
}

/// Texts by names that the user chooses, or a problem that shows an `example`.
pub(super) fn named_texts(
    at: &Located<'_>,
    example: &str,
    problems: &mut Vec<Problem>,
) -> Option<BTreeMap<String, String>> {
    let Value::Map(entries) = &at.node.value else {
        problems.push(
            at.problem(format!("expected names and values, found {}", at.node.value.describe()))
                .mend(format!("write it as `{example}`")),
        );
        return None;
    };
    let mut texts = BTreeMap::new();
    for entry in entries {
        let value = at.inner(format!("{}.{}", at.path, entry.key), &entry.node);
        texts.insert(entry.key.clone(), value.nonempty_text(problems)?);
    }
    Some(texts)
}

fn without_auth(
    at: &Located<'_>,
    preset: &Preset,
    tls: Option<Tls>,
    problems: &mut Vec<Problem>,
) -> Option<Security> {
    let Some(tls) = tls else { return Some(Security::Plaintext) };
    if preset.vendor == Vendor::ConfluentCloud && tls.client.is_none() {
        problems.push(at.problem("confluent cloud lets nobody in without credentials").mend(
            "add `auth: { username: <API key>, password: <its secret> }`, or `certificate:` and `key:` to `tls:`",
        ));
        return None;
    }
    Some(Security::Tls(tls))
}

fn brokers(text: &str) -> Result<String, String> {
    let list: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if list.is_empty() {
        return Err("empty: name at least one broker as `host:port`".to_owned());
    }
    if list.iter().any(|broker| broker.contains('@')) {
        // Not quoted: it may hold a password.
        return Err(
            "a broker is `host:port`, without a user and password: these belong into `auth:`".to_owned()
        );
    }
    for broker in &list {
        let port = broker.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        match port {
            Some((host, Ok(1..)))
                if !host.is_empty()
                    && !host.contains("://")
                    && !host.contains(|c: char| c.is_whitespace() || c.is_control()) => {}
            _ => {
                return Err(format!(
                    "`{}` is no broker: write `host:port`, separated by commas",
                    cut(broker, WORD_LETTERS_MAX)
                ));
            }
        }
    }
    Ok(list.join(","))
}

/// The block as the client takes it.
fn client_tls(TlsTexts { ca, client }: TlsTexts) -> Tls {
    Tls {
        ca: ca.map(Pem::from_path_or_inline),
        client: client.map(|(certificate, key)| {
            (Pem::from_path_or_inline(certificate), SecretPem::from_path_or_inline(key))
        }),
    }
}
