//! `source.auth:` — who connects.
//!
//! ```yaml
//! auth: { mechanism: SCRAM-SHA-512, username: app, password: "${env:KAFKA_PASSWORD}" }
//! auth:
//!   mechanism: OAUTHBEARER
//!   token_url: https://login.example.com/oauth2/token
//!   client_id: loader
//!   client_secret: "${env:CLIENT_SECRET}"
//!   scope: kafka                                       # where the issuer wants it; so `audience`
//!   extensions: { logicalCluster: lkc-abc123, identityPoolId: pool-x1 }
//!   ca: issuer-ca.pem                                  # where the system does not trust the issuer
//! auth: { mechanism: AWS_MSK_IAM }                     # the key comes from the environment, or stands here
//! ```

use housepipe_kafka_source::{
    MskIam, OidcClient, Pem, SaslMechanism, Security, SourceError, Tls, TokenSource,
};
use secrecy::SecretString;

use super::Problem;
use super::fields::{Fields, Located};
use super::preset::{Mechanism, Preset, Vendor, what_is_sent};
use super::source::named_texts;
use super::surroundings::host_of_url;

/// The credentials. `tls` is none where it is broken, which is reported already.
pub(super) fn auth(
    at: &Located<'_>,
    preset: &mut Preset,
    tls: Option<Option<Tls>>,
    brokers: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Option<Security> {
    let mut fields = Fields::of(at, problems)?;
    let mechanism = mechanism(at, &mut fields, preset, problems)?;
    let without_tls = fields.take("allow_without_tls");
    let may_be_plain = without_tls.as_ref().and_then(|v| v.flag(problems)).unwrap_or(false);
    let who = match mechanism {
        Mechanism::Plain => password(&mut fields, SaslMechanism::Plain, problems),
        Mechanism::ScramSha256 => password(&mut fields, SaslMechanism::ScramSha256, problems),
        Mechanism::ScramSha512 => password(&mut fields, SaslMechanism::ScramSha512, problems),
        Mechanism::OAuthBearer => oidc(at, &mut fields, preset, may_be_plain, problems),
        Mechanism::AwsMskIam => msk_iam(at, &mut fields, brokers, problems),
    };
    fields.finish(problems);
    let tls = tls?;
    if tls.is_none() && (mechanism == Mechanism::AwsMskIam || !may_be_plain) {
        problems.push(unencrypted(at, mechanism));
        return None;
    }
    Some(match who? {
        Who::Password { mechanism, username, password } => {
            Security::Sasl { mechanism, username, password, tls }
        }
        Who::Token(source) => Security::Token { source, tls },
    })
}

/// Who connects, before it is said over what.
enum Who {
    Password { mechanism: SaslMechanism, username: String, password: SecretString },
    Token(TokenSource),
}

fn unencrypted(at: &Located<'_>, mechanism: Mechanism) -> Problem {
    let mend = if mechanism == Mechanism::AwsMskIam {
        "add `tls: {}` to the source: MSK takes such tokens over TLS alone"
    } else {
        "add `tls: {}` to the source, or `allow_without_tls: true` here where the network is trusted"
    };
    at.problem(format!("{} would cross the network unencrypted", what_is_sent(mechanism))).mend(mend)
}

/// What the file names, or what the vendor's preset takes in its place.
fn mechanism(
    at: &Located<'_>,
    fields: &mut Fields<'_>,
    preset: &mut Preset,
    problems: &mut Vec<Problem>,
) -> Option<Mechanism> {
    let Some(named) = fields.take("mechanism") else {
        if let Some((mechanism, words)) = preset.vendor.default_mechanism() {
            preset.sets.push(words);
            return Some(mechanism);
        }
        let names: Vec<&str> = Mechanism::CHOICES.iter().map(|(name, _)| *name).collect();
        problems.push(
            Problem::at(at.node.line, &format!("{}.mechanism", at.path), "missing")
                .mend(format!("one of: {}", names.join(", "))),
        );
        return None;
    };
    let mechanism = named.choice(&Mechanism::CHOICES, problems)?;
    match preset.vendor.refusal(mechanism) {
        None => Some(mechanism),
        Some((why, mend)) => {
            problems.push(named.problem(why).mend(mend));
            None
        }
    }
}

fn password(fields: &mut Fields<'_>, mechanism: SaslMechanism, problems: &mut Vec<Problem>) -> Option<Who> {
    let username = fields.require("username", problems).and_then(|v| v.nonempty(problems));
    let password = fields.require("password", problems).and_then(|v| v.nonempty_secret(problems));
    Some(Who::Password { mechanism, username: username?, password: password? })
}

fn oidc(
    at: &Located<'_>,
    fields: &mut Fields<'_>,
    preset: &mut Preset,
    may_be_plain: bool,
    problems: &mut Vec<Problem>,
) -> Option<Who> {
    let before = problems.len();
    let mut required = |key| fields.require(key, problems).and_then(|v| v.nonempty(problems));
    let (url, id) = (required("token_url"), required("client_id"));
    let url = url.filter(|url| {
        let host = host_of_url(url);
        host.is_none_or(|host| at.reaches(&host, problems))
    });
    let secret = fields.require("client_secret", problems).and_then(|v| v.nonempty_secret(problems));
    let mut optional = |key| fields.take(key).and_then(|v| v.nonempty(problems));
    let (scope, audience) = (optional("scope"), optional("audience"));
    let ca = fields.take("ca").and_then(|v| v.pem(problems));
    let extensions = fields
        .take("extensions")
        .and_then(|v| named_texts(&v, "{ logicalCluster: lkc-abc123 }", problems))
        .unwrap_or_default();
    let mut client = OidcClient::new(url?, id?, secret?);
    (client.scope, client.audience, client.extensions) = (scope, audience, extensions);
    client.ca = ca.map(Pem::from_path_or_inline);
    client.allow_without_tls = may_be_plain;
    if preset.vendor == Vendor::ConfluentCloud && !client.extensions.contains_key("logicalCluster") {
        preset.doubts.push(
            "`auth.extensions` has no `logicalCluster`, which Confluent Cloud wants except over AWS PrivateLink; add it, and \
             `identityPoolId` where the token is mapped to a pool"
                .to_owned(),
        );
    }
    let source = TokenSource::oidc(client).map_err(|error| problems.push(of_key(at, &error))).ok()?;
    (problems.len() == before).then_some(Who::Token(source))
}

fn msk_iam(
    at: &Located<'_>,
    fields: &mut Fields<'_>,
    brokers: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Option<Who> {
    let mut take = |key| fields.take(key).and_then(|v| v.nonempty(problems));
    let (region, id) = (take("region"), take("access_key_id"));
    let mut take = |key| fields.take(key).and_then(|v| v.nonempty_secret(problems));
    let (session, secret) = (take("session_token"), take("secret_access_key"));
    let env = |name| at.outside.surroundings().variable(name);
    let secret_env = |name| env(name).map(SecretString::from);
    let (id, secret, session) = match (id, secret) {
        (Some(id), Some(secret)) => (id, secret, session),
        (None, None) => match (env("AWS_ACCESS_KEY_ID"), secret_env("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => (id, secret, secret_env("AWS_SESSION_TOKEN")),
            _ => {
                problems.push(at.problem("there is no access key of AWS").mend(
                    "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, where the key is temporary), or \
                     give `access_key_id` and `secret_access_key`",
                ));
                return None;
            }
        },
        _ => {
            problems.push(at.problem("half an access key").mend(
                "`access_key_id` and `secret_access_key` go together, here or both in the environment",
            ));
            return None;
        }
    };
    // The host of a broker says it for certain; the environment may be about something else.
    let hosts = brokers.into_iter().flat_map(|brokers| brokers.split(','));
    let of_host =
        hosts.filter_map(|broker| MskIam::region_of(broker.rsplit_once(':')?.0).map(str::to_owned)).next();
    let region = region.or(of_host).or_else(|| env("AWS_REGION"));
    let Some(region) = region else {
        problems.push(
            at.problem("the cluster's region is not known: the brokers' names do not tell it")
                .mend("add `region: eu-central-1`, or export AWS_REGION"),
        );
        return None;
    };
    let identity = MskIam::new(region, id, secret, session);
    let identity = identity.map_err(|error| problems.push(of_key(at, &error))).ok()?;
    Some(Who::Token(TokenSource::msk_iam(identity)))
}

/// A refusal of the source's, at the key that it names.
fn of_key(at: &Located<'_>, error: &SourceError) -> Problem {
    match error {
        SourceError::Config { key, reason } => {
            Problem::at(at.node.line, &format!("{}.{key}", at.path), reason.as_str())
        }
        other => at.problem(other.to_string()),
    }
}
