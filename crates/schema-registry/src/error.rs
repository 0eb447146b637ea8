//! What can go wrong, where, and how to mend it. Credentials never get into a message.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::address::{Subject, Version};
use crate::framing::SchemaId;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Ask again later: the registry or the way there is away or busy.
    Retry,
    /// Somebody has to mend the settings or the registry; asking again is harmless and shows when it is done.
    Hold,
    /// It stays so: this schema cannot be had, whoever asks and however often.
    Reject,
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing listens there.
    Refused,
    /// The name does not resolve.
    Dns,
    /// The connection ended before the answer did.
    Lost,
    /// What came back is not HTTP.
    Protocol,
}

/// The error of a library below, kept for whoever looks at the chain of sources.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Cause(Arc::new(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Why a schema could not be had. A clone is cheap: all who waited for one request get its error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A URL that names no registry.
    #[error("{address} is no address of a schema registry: {problem}")]
    Address {
        /// The URL, quoted.
        address: String,
        /// What is wrong with it and how to mend it.
        problem: String,
    },
    /// Settings that no request can be made with.
    #[error("the schema registry's settings cannot be used: {problem}")]
    Config {
        /// What is wrong and how to mend it.
        problem: String,
    },
    /// No answer.
    #[error("the schema registry at {url} cannot be reached: {}", fault_text(*.fault))]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        fault: Fault,
        /// The error below.
        #[source]
        source: Cause,
    },
    /// No whole answer in time.
    #[error("the schema registry at {url} did not answer within {after_ms} ms; see whether it is overloaded")]
    TimedOut {
        /// What was asked for.
        url: String,
        /// The limit, in milliseconds.
        after_ms: u64,
    },
    /// No TLS connection.
    #[error("no TLS connection to the schema registry at {url}: {problem}")]
    Tls {
        /// What was asked for.
        url: String,
        /// What is wrong and how to mend it.
        problem: &'static str,
        /// The error below.
        #[source]
        source: Cause,
    },
    /// The registry does not know who asks, or does not allow it.
    #[error("the schema registry at {url} refuses access (HTTP {status}): {}", denied_text(*.status))]
    Denied {
        /// What was asked for.
        url: String,
        /// 401, 403 or 407.
        status: u16,
    },
    /// Too many requests, or a registry that asks for a pause.
    #[error("the schema registry at {url} asks to come back later (HTTP {status})")]
    Busy {
        /// What was asked for.
        url: String,
        /// 429 or 503.
        status: u16,
        /// For how long to wait, as it says, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// An error of the registry itself.
    #[error("the schema registry at {url} failed (HTTP {status}{detail}); see its log")]
    Failed {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// Its own code and text, beginning with `, `; empty where it sent none.
        detail: String,
    },
    /// Something else answered: a login page, a proxy, another service.
    #[error("what answers at {url} is no schema registry (HTTP {status}, {what}); check host, port and path")]
    NotARegistry {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// What came instead of a registry's answer.
        what: String,
    },
    /// The registry, or something before it, sends elsewhere. Credentials are not carried there.
    #[error("the schema registry at {url} redirects to {to}; if that is right, write that address")]
    Redirected {
        /// What was asked for.
        url: String,
        /// Where to.
        to: String,
    },
    /// The answer is larger than allowed, and begins as a schema's does.
    #[error("the answer of {url} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// No schema has this id.
    #[error(
        "the schema registry at {url} has no schema with the id {id}; was the record written with another registry?"
    )]
    NoSchema {
        /// What was asked for.
        url: String,
        /// The id.
        id: SchemaId,
    },
    /// No subject has this name.
    #[error(
        "the schema registry at {url} has no subject `{subject}`; register its schema, or correct the name"
    )]
    NoSubject {
        /// What was asked for.
        url: String,
        /// The name.
        subject: Subject,
    },
    /// The subject has no such version.
    #[error("the schema registry at {url} has the subject `{subject}`, but not its version {version}")]
    NoVersion {
        /// What was asked for.
        url: String,
        /// The subject.
        subject: Subject,
        /// The version.
        version: Version,
    },
    /// One host says that the schema is not to be had, and another one, which may know better, gives no answer.
    #[error("{verdict} (that is believed once its other hosts say so, too, or have been silent for a while)")]
    Unconfirmed {
        /// What the one host says.
        verdict: Box<RegistryError>,
        /// Why the other one gives no answer.
        source: Box<RegistryError>,
    },
    /// Something that a schema refers to could not be had.
    #[error("schema {id} refers to `{name}`, version {version} of `{subject}`, which cannot be had")]
    Reference {
        /// The schema that refers.
        id: SchemaId,
        /// The name in its text.
        name: String,
        /// The subject that it stands for.
        subject: Subject,
        /// The version of the subject.
        version: u32,
        /// Why.
        source: Box<RegistryError>,
    },
    /// Schemas that refer to each other in a circle.
    #[error("the references of a schema go in a circle: {path}")]
    Cycle {
        /// The subjects and versions of the circle, with ` -> ` between them.
        path: String,
    },
    /// More references than allowed.
    #[error("schema {id} refers to too much: more than {limit} {unit}")]
    TooManyReferences {
        /// The schema.
        id: SchemaId,
        /// The limit that it passes.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
}

impl RegistryError {
    /// What to do about it.
    ///
    /// A record whose schema cannot be had for a reason of [`ErrorClass::Retry`] or [`ErrorClass::Hold`] may be fine, and has
    /// to wait; one of [`ErrorClass::Reject`] never gets another verdict.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            RegistryError::Unreachable { .. }
            | RegistryError::TimedOut { .. }
            | RegistryError::Busy { .. }
            | RegistryError::Failed { .. } => ErrorClass::Retry,
            RegistryError::Address { .. }
            | RegistryError::Config { .. }
            | RegistryError::Tls { .. }
            | RegistryError::Denied { .. }
            | RegistryError::NotARegistry { .. }
            | RegistryError::Redirected { .. }
            | RegistryError::NoSubject { .. }
            | RegistryError::NoVersion { .. } => ErrorClass::Hold,
            // It is as good as no answer.
            RegistryError::Unconfirmed { source, .. } => source.class(),
            // A reference that is not there: the schema that needs it cannot be used, and will not be mended.
            RegistryError::Reference { source, .. } => match **source {
                RegistryError::NoSubject { .. } | RegistryError::NoVersion { .. } => ErrorClass::Reject,
                ref other => other.class(),
            },
            RegistryError::TooLarge { .. }
            | RegistryError::NoSchema { .. }
            | RegistryError::Cycle { .. }
            | RegistryError::TooManyReferences { .. } => ErrorClass::Reject,
        }
    }

    /// For how long the registry has asked not to be asked again, in milliseconds; none where it has named no time.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            RegistryError::Busy { retry_after_ms, .. } => *retry_after_ms,
            RegistryError::Reference { source, .. } | RegistryError::Unconfirmed { source, .. } => {
                source.retry_after_ms()
            }
            _ => None,
        }
    }

    /// Whether the registry has said that there is no such thing.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(
            self,
            RegistryError::NoSchema { .. }
                | RegistryError::NoSubject { .. }
                | RegistryError::NoVersion { .. }
        )
    }

    /// Whether a host has said that the schema is not to be had. Another one may have heard of what this one has not.
    pub(crate) fn is_verdict(&self) -> bool {
        self.is_absence() || matches!(self, RegistryError::TooLarge { .. })
    }

    /// Whether a host has given no answer that a registry gives. Another one may.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, RegistryError::Tls { .. } | RegistryError::NotARegistry { .. })
            || self.class() == ErrorClass::Retry
    }
}

fn fault_text(fault: Fault) -> &'static str {
    match fault {
        Fault::Refused => "nothing listens there; check host and port",
        Fault::Dns => "its host does not resolve; check the name",
        Fault::Lost => "the connection was closed before the whole answer was there",
        Fault::Protocol => {
            "what came back is not HTTP; check the port, and whether it has to be https:// instead of http://"
        }
    }
}

fn denied_text(status: u16) -> &'static str {
    match status {
        401 => "check user name and password, or the token",
        407 => "a proxy asks for credentials of its own",
        _ => "it knows who asks, but does not allow it; grant the right to read schemas",
    }
}
