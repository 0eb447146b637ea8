//! From an answer of HTTP to a schema, or to the reason why there is none.

use hyper::header;
use serde::Deserialize;
use url::Url;

use crate::address::{Subject, Target};
use crate::beginning;
use crate::error::{Cause, Fault, RegistryError};
use crate::framing::SchemaId;
use crate::http::Answer;
use crate::schema::{Reference, Schema, SchemaKind};

/// Codes of the registry's errors, which say what a 404 is about.
const NO_SUBJECT: u32 = 40_401;
const NO_VERSION: u32 = 40_402;
const NO_SCHEMA: u32 = 40_403;
/// Characters of a text by somebody else, in an error.
const QUOTE_CHARS_MAX: usize = 200;
/// The longest pause that a registry may ask for, in milliseconds.
const RETRY_AFTER_MAX_MS: u64 = 60_000;

/// `GET /schemas/ids/{id}` and `GET /subjects/{subject}/versions/{version}`, as far as it matters here.
#[derive(Deserialize)]
struct SchemaAnswer {
    id: Option<u32>,
    schema: String,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    #[serde(default)]
    references: Option<Vec<ReferenceAnswer>>,
}

#[derive(Deserialize)]
struct ReferenceAnswer {
    name: String,
    subject: String,
    version: u32,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error_code: u32,
    #[serde(default)]
    message: String,
}

/// The schema in `answer`, which came from `url` and was to be `target`.
pub(crate) fn schema(url: &Url, target: &Target, answer: &Answer) -> Result<Schema, RegistryError> {
    if !(200..=299).contains(&answer.status) {
        return Err(refusal(url, target, answer));
    }
    if let Some(limit_bytes) = answer.cut_off_at_bytes {
        return Err(too_large(url, answer, limit_bytes));
    }
    let parsed: SchemaAnswer =
        serde_json::from_slice(&answer.body).map_err(|error| unread(url, answer, error))?;
    // An answer to a question for an id does not always repeat the id.
    let id = match (target, parsed.id) {
        (Target::Id(id), _) => *id,
        (_, Some(id)) => SchemaId(id),
        (_, None) => return Err(not_a_registry(url, answer, "a schema without an id")),
    };
    let reference =
        |r: ReferenceAnswer| Reference { name: r.name, subject: Subject(r.subject), version: r.version };
    Ok(Schema {
        id,
        kind: SchemaKind::from_answer(parsed.kind.as_deref()),
        text: parsed.schema,
        references: parsed.references.into_iter().flatten().map(reference).collect(),
    })
}

fn refusal(url: &Url, target: &Target, answer: &Answer) -> RegistryError {
    let at = url.to_string();
    let error: Option<ErrorAnswer> = serde_json::from_slice(&answer.body).ok();
    match (answer.status, error.as_ref().map(|error| error.error_code)) {
        (300..=399, _) => RegistryError::Redirected { url: at, to: location(answer) },
        (status @ (401 | 403 | 407), _) => RegistryError::Denied { url: at, status },
        (status @ (429 | 503), _) => {
            RegistryError::Busy { url: at, status, retry_after_ms: retry_after_ms(answer) }
        }
        (404, Some(code @ (NO_SUBJECT | NO_VERSION | NO_SCHEMA))) => match (target, code) {
            (Target::Id(id), _) => RegistryError::NoSchema { url: at, id: *id },
            (Target::Version(subject, version), NO_VERSION) => {
                RegistryError::NoVersion { url: at, subject: subject.clone(), version: *version }
            }
            (Target::Version(subject, _), _) => {
                RegistryError::NoSubject { url: at, subject: subject.clone() }
            }
            (Target::Root, _) => not_a_registry(url, answer, "no schema was asked for"),
        },
        (status @ (408 | 500..=599), _) => {
            let detail = error.map(|error| format!(", {}: {}", error.error_code, quote(&error.message)));
            RegistryError::Failed { url: at, status, detail: detail.unwrap_or_default() }
        }
        (_, Some(code)) => {
            let message = error.map(|error| quote(&error.message)).unwrap_or_default();
            not_a_registry(url, answer, &format!("its error {code}: {message}"))
        }
        _ => not_a_registry(url, answer, &what_came(answer)),
    }
}

/// An answer that does not end within its limit may be anything. Only one that begins as a registry's does says something of the
/// schema, and records are rejected for that.
fn too_large(url: &Url, answer: &Answer, limit_bytes: usize) -> RegistryError {
    if beginning::is_of_a_schema(&answer.body) {
        return RegistryError::TooLarge { url: url.to_string(), limit_bytes };
    }
    let what = format!("a body of more than {limit_bytes} bytes that does not begin as a schema does");
    not_a_registry(url, answer, &what)
}

/// A body of a good answer that is not what it should be: cut off on the way, or of something else.
fn unread(url: &Url, answer: &Answer, error: serde_json::Error) -> RegistryError {
    let looks_whole = answer.body.trim_ascii().last() == Some(&b'}');
    if error.is_eof() && !answer.body.trim_ascii().is_empty() && !looks_whole {
        let (url, source) = (url.to_string(), Cause::new(error));
        return RegistryError::Unreachable { url, fault: Fault::Lost, source };
    }
    not_a_registry(url, answer, &what_came(answer))
}

fn not_a_registry(url: &Url, answer: &Answer, what: &str) -> RegistryError {
    RegistryError::NotARegistry { url: url.to_string(), status: answer.status, what: what.to_owned() }
}

/// The kind of body: the name that it gives itself, and no word of its content, which may be anybody's.
fn what_came(answer: &Answer) -> String {
    if answer.body.trim_ascii().is_empty() {
        return "an empty body".to_owned();
    }
    let named = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match named.map(|name| name.split(';').next().unwrap_or(name).trim()) {
        Some(name) if name.ends_with("json") => "JSON that is no answer of a registry".to_owned(),
        Some(name) => quote(name),
        None => "a body of no named kind".to_owned(),
    }
}

fn location(answer: &Answer) -> String {
    let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    location.map_or_else(|| "an address that it does not name".to_owned(), quote)
}

/// Seconds, as registries and proxies send them; the form with a date is not looked at.
fn retry_after_ms(answer: &Answer) -> Option<u64> {
    let seconds: u64 = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1_000).min(RETRY_AFTER_MAX_MS))
}

/// The beginning of somebody else's text, on one line.
fn quote(text: &str) -> String {
    let mut quoted: String =
        text.chars().take(QUOTE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        quoted.push_str("...");
    }
    quoted
}
