//! How the connection is encrypted and who connects.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::TokenSource;

/// Encryption and credentials of the connection.
///
/// Two are equal where their secrets are, too. That tells whether a configuration has changed; how long it takes depends on the secrets,
/// so it is nothing to check a password with.
#[derive(Debug, Clone, Default)]
pub enum Security {
    /// Neither. For a broker on the same machine or a network that is trusted.
    #[default]
    Plaintext,
    /// TLS, with a client certificate where [`Tls::client`] has one.
    Tls(Tls),
    /// User name and password.
    Sasl {
        /// How the password is proven.
        mechanism: SaslMechanism,
        /// The user.
        username: String,
        /// The user's password; never shown in errors, logs or `Debug`.
        password: SecretString,
        /// Encryption. `None` sends the credentials over a connection that anybody on the way can read or take over:
        /// configuration that comes from a user should ask for it in so many words.
        tls: Option<Tls>,
    },
    /// A token: `OAUTHBEARER`, that of an issuer or that of AWS MSK.
    Token {
        /// Where tokens come from, and who asks for them.
        source: TokenSource,
        /// Encryption. Whoever reads a token may use it while it holds, so `None` should be asked for in so many words.
        tls: Option<Tls>,
    },
}

impl PartialEq for Security {
    fn eq(&self, other: &Security) -> bool {
        match (self, other) {
            (Security::Plaintext, Security::Plaintext) => true,
            (Security::Tls(tls), Security::Tls(of_other)) => tls == of_other,
            (
                Security::Sasl { mechanism, username, password, tls },
                Security::Sasl {
                    mechanism: other_mechanism,
                    username: other_username,
                    password: other_password,
                    tls: other_tls,
                },
            ) => {
                (mechanism, username, tls) == (other_mechanism, other_username, other_tls)
                    && password.expose_secret() == other_password.expose_secret()
            }
            (Security::Token { source, tls }, Security::Token { source: other_source, tls: other_tls }) => {
                source == other_source && tls == other_tls
            }
            _ => false,
        }
    }
}

impl Security {
    /// TLS of the connection, where it has it.
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Security::Plaintext => None,
            Security::Tls(tls) => Some(tls),
            Security::Sasl { tls, .. } | Security::Token { tls, .. } => tls.as_ref(),
        }
    }

    pub(crate) fn token_source(&self) -> Option<&TokenSource> {
        match self {
            Security::Token { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// How a password is proven to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// `PLAIN`: the password itself is sent.
    Plain,
    /// `SCRAM-SHA-256`: challenge and response.
    ScramSha256,
    /// `SCRAM-SHA-512`: challenge and response.
    ScramSha512,
}

impl SaslMechanism {
    /// The registered name of the mechanism.
    pub fn as_str(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Display for SaslMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// TLS. The broker's certificate and host name are always verified.
///
/// A client is made with paths of files that can be read, and with nothing else that is no PEM:
/// [`SourceError::Config`](crate::SourceError::Config) names what is neither, and does not show it. `Debug` shows neither the certificate
/// nor the key of a client, wherever they are, since what is taken for a path may be a key without its armour.
#[derive(Clone, Default, PartialEq)]
pub struct Tls {
    /// The authority that signed the broker's certificate; `None` trusts what the system trusts.
    pub ca: Option<Pem>,
    /// Client certificate (with its chain) and key, for brokers that ask for one.
    pub client: Option<(Pem, SecretPem)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client.as_ref().map(|_| "[redacted]");
        f.debug_struct("Tls").field("ca", &self.ca).field("client", &client).finish()
    }
}

/// Something public in PEM, such as a certificate.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// A file that holds it.
    Path(String),
    /// The text itself.
    Inline(String),
}

impl Pem {
    /// Inline where `text` holds a PEM block, else the path of a file.
    ///
    /// ```
    /// use housepipe_kafka_source::Pem;
    /// assert_eq!(Pem::from_path_or_inline("/etc/ca.pem"), Pem::Path("/etc/ca.pem".to_owned()));
    /// assert!(matches!(Pem::from_path_or_inline("-----BEGIN CERTIFICATE-----\n"), Pem::Inline(_)));
    /// ```
    pub fn from_path_or_inline(text: impl Into<String>) -> Pem {
        let text = text.into();
        if is_pem(&text) { Pem::Inline(text) } else { Pem::Path(text) }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Pem::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
        }
    }
}

/// A private key in PEM. `Debug` shows nothing of it, nor the path of its file: whether that is one is not known yet.
#[derive(Clone)]
pub enum SecretPem {
    /// A file that holds it, or what is to be one.
    Path(String),
    /// The text itself.
    Inline(SecretString),
}

impl PartialEq for SecretPem {
    fn eq(&self, other: &SecretPem) -> bool {
        match (self, other) {
            (SecretPem::Path(path), SecretPem::Path(of_other)) => path == of_other,
            (SecretPem::Inline(text), SecretPem::Inline(of_other)) => {
                text.expose_secret() == of_other.expose_secret()
            }
            _ => false,
        }
    }
}

impl SecretPem {
    /// Inline where `text` holds a PEM block, else the path of a file.
    pub fn from_path_or_inline(text: impl Into<SecretString>) -> SecretPem {
        let text = text.into();
        if is_pem(text.expose_secret()) {
            SecretPem::Inline(text)
        } else {
            SecretPem::Path(text.expose_secret().to_owned())
        }
    }
}

impl fmt::Debug for SecretPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretPem::Path(_) => "Path([redacted])",
            SecretPem::Inline(_) => "Inline([redacted])",
        })
    }
}

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_password_nor_key() {
        let security = Security::Sasl {
            mechanism: SaslMechanism::Plain,
            username: "loader".to_owned(),
            password: "hunter2".into(),
            tls: Some(Tls {
                ca: Some(Pem::from_path_or_inline("ca.pem")),
                client: Some((
                    Pem::from_path_or_inline("MIIBhunter7"),
                    SecretPem::from_path_or_inline("-----BEGIN PRIVATE KEY-----\nhunter3\n"),
                )),
            }),
        };
        // Without its armour it is taken for a path.
        let bare = SecretPem::from_path_or_inline("MC4Chunter8");
        let shown = format!("{security:?} {bare:?}");
        assert!(shown.contains("loader") && shown.contains("ca.pem"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");

        let client = crate::OidcClient::new("https://login.example.com/token", "loader", "hunter4");
        let identity = crate::MskIam::new("eu-west-1", "AKID", "hunter5", Some("hunter6".into())).unwrap();
        for source in [TokenSource::oidc(client).unwrap(), TokenSource::msk_iam(identity)] {
            let shown = format!("{:?}", Security::Token { source, tls: None });
            assert!(shown.contains("loader") || shown.contains("eu-west-1"), "{shown}");
            assert!(!shown.contains("hunter"), "{shown}");
        }
    }
}
