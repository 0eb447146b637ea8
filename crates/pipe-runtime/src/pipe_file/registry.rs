//! `schema_registry:` — where the schemas of records are, and which one holds for records that name none.
//!
//! ```yaml
//! schema_registry: { url: "https://registry/subjects/clicks-value", username: u, password: "${env:SR_PASSWORD}" }
//! schema_registry:
//!   url: https://registry-1.example.com/schemas/ids/7, https://registry-2.example.com   # others are asked where it is away
//!   token: "${file:/run/secrets/registry}"
//!   tls: { ca: ca.pem }
//! ```

use std::net::IpAddr;

use housepipe_schema_registry::{Address, Credentials, Pem, RegistryConfig, Subject, Target, Tls};

use super::Problem;
use super::fields::{Fields, Located};
use super::tls::{TlsTexts, tls};
use super::types::RegistrySpec;

pub(super) fn registry(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<RegistrySpec> {
    let mut fields = Fields::of(at, problems)?;
    let url = fields.require("url", problems);
    let addresses = url.as_ref().and_then(|v| {
        let list = v.parsed(problems, addresses)?;
        let mut hosts = list.iter().filter_map(|address| address.root.host_str());
        hosts.all(|host| v.reaches(host, problems)).then_some(list)
    });
    let credentials = credentials(at, &mut fields, problems);
    let without_tls = fields.take("allow_without_tls").and_then(|v| v.flag(problems)).unwrap_or(false);
    let tls = match fields.take("tls") {
        Some(v) => tls(&v, problems).map(registry_tls),
        None => Some(Tls::default()),
    };
    fields.finish(problems);
    let (addresses, credentials, tls) = (addresses?, credentials?, tls?);
    if !matches!(credentials, Credentials::None) && !without_tls && addresses.iter().any(is_open) {
        let at = url.as_ref().unwrap_or(at);
        problems.push(at.problem("the credentials would cross the network unencrypted").mend(
            "write https://, or add `allow_without_tls: true` beside the url where the network is trusted",
        ));
        return None;
    }
    let first = addresses.first()?;
    let mut config = RegistryConfig::at(first);
    let target = first.target.clone();
    config.roots = addresses.into_iter().map(|address| address.root).collect();
    (config.credentials, config.tls) = (credentials, tls);
    Some(RegistrySpec { config, target })
}

/// One address, or several of the same registry: only the first one has to name a schema.
fn addresses(text: &str) -> Result<Vec<Address>, String> {
    let mut addresses = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        addresses.push(part.parse::<Address>().map_err(|error| match text.contains('@') {
            // A password may have a comma, and the part before it would be shown.
            true => "it holds an address that is none, or credentials, which would end up in logs; give them as `username` and `password`"
                .to_owned(),
            false => error.to_string(),
        })?);
    }
    let Some(first) = addresses.first().map(|address| address.target.clone()) else {
        return Err("empty: write it as https://host:port/subjects/NAME".to_owned());
    };
    if let Target::Version(Subject(name), _) = &first
        && Subject(name.clone()).is_qualified()
    {
        return Err(format!(
            "`{name}` is in a context of its own, whose ids are others than those of the registry at large; name the context \
             before: https://host:port/contexts/:.NAME:/subjects/SUBJECT"
        ));
    }
    if addresses.iter().any(|address| address.target != first && address.target != Target::Root) {
        return Err("its addresses name different schemas; name one with the first, and the registry alone with the others"
            .to_owned());
    }
    let context = addresses.first().and_then(context);
    if addresses.iter().any(|address| self::context(address) != context) {
        return Err("its addresses name different contexts, whose ids stand for different schemas; name the same one in each, as \
                    in https://host:port/contexts/:.NAME:"
            .to_owned());
    }
    Ok(addresses)
}

/// The context of a registry that its address names.
fn context(address: &Address) -> Option<String> {
    let mut segments = address.root.path_segments()?.skip_while(|segment| *segment != "contexts");
    segments.nth(1).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Whether what is sent there can be read on the way.
fn is_open(address: &Address) -> bool {
    let host = address.root.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    address.root.scheme() == "http" && !is_here
}

fn credentials(
    at: &Located<'_>,
    fields: &mut Fields<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Credentials> {
    let before = problems.len();
    let username = fields.take("username").and_then(|v| v.nonempty(problems));
    let mut secret = |key| fields.take(key).and_then(|v| v.nonempty_secret(problems));
    let (password, token) = (secret("password"), secret("token"));
    let credentials = match (username, password, token) {
        (None, None, None) => Credentials::None,
        (Some(username), Some(password), None) => Credentials::Basic { username, password },
        (None, None, Some(token)) => Credentials::Bearer(token),
        (_, _, Some(_)) => {
            problems.push(
                at.problem("credentials of two kinds").mend("give `username` and `password`, or `token`"),
            );
            return None;
        }
        (_, _, None) => {
            // Of one that could not be read it is said already.
            if problems.len() == before {
                problems.push(at.problem("half a login").mend("`username` and `password` go together"));
            }
            return None;
        }
    };
    (problems.len() == before).then_some(credentials)
}

fn registry_tls(texts: TlsTexts) -> Tls {
    let pem = |text: String| Pem::from_path_or_inline(text);
    Tls { ca: texts.ca.map(pem), client: texts.client.map(|(certificate, key)| (pem(certificate), pem(key))) }
}
