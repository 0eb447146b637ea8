//! Where the registry is, who asks, and every limit of the client.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::address::Address;

/// How to reach a registry.
///
/// Two are equal where their secrets are, too. That tells whether a configuration has changed; how long it takes depends on the secrets,
/// so it is nothing to check a password with.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryConfig {
    /// The registry's API at one or more hosts, such as [`Address::root`]. One is asked; where it cannot answer, or does not have
    /// what it is asked for, the next one is, and stays the first choice from then on where it has.
    pub roots: Vec<Url>,
    /// Who asks.
    pub credentials: Credentials,
    /// Whom an `https` connection trusts, and what it shows.
    pub tls: Tls,
    /// Every limit.
    pub limits: Limits,
}

impl RegistryConfig {
    /// The registry of `address`, without credentials, with the system's authorities and the default limits.
    ///
    /// ```
    /// use housepipe_schema_registry::{Credentials, RegistryConfig};
    ///
    /// let mut config = RegistryConfig::at(&"https://registry.example".parse()?);
    /// config.credentials = Credentials::Basic { username: "app".into(), password: "secret".into() };
    /// # Ok::<(), housepipe_schema_registry::RegistryError>(())
    /// ```
    #[must_use]
    pub fn at(address: &Address) -> Self {
        RegistryConfig {
            roots: vec![address.root.clone()],
            credentials: Credentials::default(),
            tls: Tls::default(),
            limits: Limits::default(),
        }
    }
}

/// Who asks. Never shown in an error, a log or `Debug`.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// User name and password (at Confluent Cloud: API key and secret), as HTTP's basic authentication.
    Basic {
        /// The user; it cannot hold a colon.
        username: String,
        /// The user's password.
        password: SecretString,
    },
    /// A token, as HTTP's bearer authentication.
    Bearer(SecretString),
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Credentials) -> bool {
        match (self, other) {
            (Credentials::None, Credentials::None) => true,
            (
                Credentials::Basic { username, password },
                Credentials::Basic { username: other_username, password: other_password },
            ) => username == other_username && password.expose_secret() == other_password.expose_secret(),
            (Credentials::Bearer(token), Credentials::Bearer(of_other)) => {
                token.expose_secret() == of_other.expose_secret()
            }
            _ => false,
        }
    }
}

/// TLS. The registry's certificate and host name are always verified.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tls {
    /// The authority that signed the registry's certificate; `None` trusts what the system trusts.
    pub ca: Option<Pem>,
    /// Client certificate (with its chain) and key, for registries that ask for one.
    pub client: Option<(Pem, Pem)>,
}

/// Certificates or a key in PEM. `Debug` shows the path of a file, never a text.
#[derive(Clone)]
pub enum Pem {
    /// A file that holds it.
    Path(String),
    /// The text itself.
    Inline(SecretString),
}

impl PartialEq for Pem {
    fn eq(&self, other: &Pem) -> bool {
        match (self, other) {
            (Pem::Path(path), Pem::Path(of_other)) => path == of_other,
            (Pem::Inline(text), Pem::Inline(of_other)) => text.expose_secret() == of_other.expose_secret(),
            _ => false,
        }
    }
}

impl Pem {
    /// Inline where `text` holds a PEM block, else the path of a file.
    ///
    /// ```
    /// use housepipe_schema_registry::Pem;
    /// assert!(matches!(Pem::from_path_or_inline("/etc/ca.pem"), Pem::Path(_)));
    /// assert!(matches!(Pem::from_path_or_inline("-----BEGIN CERTIFICATE-----\n"), Pem::Inline(_)));
    /// ```
    pub fn from_path_or_inline(text: impl Into<String>) -> Pem {
        let text = text.into();
        if text.contains("-----BEGIN ") { Pem::Inline(text.into()) } else { Pem::Path(text) }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It may be a key without its armour.
            Pem::Path(_) => f.write_str("Path(..)"),
            Pem::Inline(_) => f.write_str("Inline(..)"),
        }
    }
}

/// Every limit of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for a connection, in milliseconds.
    pub connect_ms: u64,
    /// Time for a request and its whole answer, in milliseconds.
    pub request_ms: u64,
    /// Bytes of an answer.
    pub answer_bytes: usize,
    /// Times that a request is made, over all roots, before its error is returned; at least 1.
    pub attempts: u32,
    /// Requests that are under way at once.
    pub requests: usize,
    /// Schemas that are remembered; those that were not asked for longest are forgotten.
    pub schemas: usize,
    /// Bytes of the schemas that are remembered.
    pub cached_bytes: usize,
    /// Time for which the registry's answer that it has no such schema is believed, in milliseconds.
    pub absent_ms: u64,
    /// Time without an answer after which a host is not waited for any more where the others do not have a schema, in milliseconds,
    /// from the first question that it did not answer.
    pub silent_ms: u64,
    /// Steps from a schema by its references to the farthest one.
    pub reference_depth: usize,
    /// Schemas that one schema refers to, directly or by others.
    pub references: usize,
    /// Bytes of a schema together with all that it refers to.
    pub schema_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect_ms: 5_000,
            request_ms: 15_000,
            answer_bytes: 8 << 20,
            attempts: 3,
            requests: 8,
            schemas: 1_000,
            cached_bytes: 64 << 20,
            absent_ms: 10_000,
            silent_ms: 300_000,
            reference_depth: 32,
            references: 256,
            schema_bytes: 4 << 20,
        }
    }
}
