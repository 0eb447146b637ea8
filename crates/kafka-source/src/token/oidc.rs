//! Tokens that an issuer gives to a client for its secret: the client credentials grant of OAuth 2.0
//! (<https://www.rfc-editor.org/rfc/rfc6749#section-4.4>), as issuers of OpenID Connect have it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::{Token, answer, http};
use crate::{Pem, SourceError};

/// All but what every decoder of a form leaves as it is, so that a server that forgets to decode sees usual secrets, too.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Extensions of one client, at most.
const EXTENSIONS_MAX: usize = 16;

/// Who asks an issuer for tokens, and what is shown to the broker with them.
///
/// ```
/// use housepipe_kafka_source::OidcClient;
/// let mut client = OidcClient::new("https://login.example.com/oauth2/token", "loader", "secret");
/// client.scope = Some("kafka".to_owned());
/// client.extensions.insert("logicalCluster".to_owned(), "lkc-abc123".to_owned());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OidcClient {
    /// The issuer's token endpoint.
    pub token_url: String,
    /// The client, as the issuer knows it.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// What the token is to allow, where the issuer wants that named.
    pub scope: Option<String>,
    /// For whom the token is, where the issuer wants that named.
    pub audience: Option<String>,
    /// What the broker wants to see beside the token, such as Confluent Cloud's `logicalCluster` and `identityPoolId`.
    pub extensions: BTreeMap<String, String>,
    /// The authority that signed the certificate of the token endpoint; `None` trusts what the system trusts.
    pub ca: Option<Pem>,
    /// Whether the secret may go to the token endpoint over a network without encryption. To this machine it always may.
    pub allow_without_tls: bool,
}

impl PartialEq for OidcClient {
    fn eq(&self, other: &OidcClient) -> bool {
        let OidcClient {
            token_url,
            client_id,
            client_secret,
            scope,
            audience,
            extensions,
            ca,
            allow_without_tls,
        } = self;
        client_secret.expose_secret() == other.client_secret.expose_secret()
            && (token_url, client_id, scope, audience)
                == (&other.token_url, &other.client_id, &other.scope, &other.audience)
            && (extensions, ca, allow_without_tls) == (&other.extensions, &other.ca, &other.allow_without_tls)
    }
}

impl OidcClient {
    /// A client without scope, audience and extensions, whose issuer the system trusts.
    pub fn new(
        token_url: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> OidcClient {
        OidcClient {
            token_url: token_url.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            scope: None,
            audience: None,
            extensions: BTreeMap::new(),
            ca: None,
            allow_without_tls: false,
        }
    }

    /// Refuses what cannot work; makes no request.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        let refuse = |key: &str, reason: String| Err(SourceError::Config { key: key.to_owned(), reason });
        if let Err(reason) = check_url(&self.token_url, self.allow_without_tls) {
            return refuse("token_url", reason);
        }
        if self.client_id.is_empty() {
            return refuse("client_id", "it is empty".to_owned());
        }
        if self.client_secret.expose_secret().is_empty() {
            return refuse("client_secret", "it is empty".to_owned());
        }
        if self.extensions.len() > EXTENSIONS_MAX {
            return refuse("extensions", format!("there are more than {EXTENSIONS_MAX}"));
        }
        for (name, value) in &self.extensions {
            // RFC 7628, section 3.1.
            if name == "auth" || name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                return refuse(
                    "extensions",
                    format!("`{name}` cannot be the name of one: it has letters alone, and is not `auth`"),
                );
            }
            if value.is_empty() || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
                return refuse(
                    "extensions",
                    format!("the value of `{name}` is empty, or has other characters than those of ASCII"),
                );
            }
        }
        Ok(())
    }

    /// Asks the issuer, once.
    pub(super) fn ask(&self) -> Result<Token, SourceError> {
        let both =
            format!("{}:{}", form_encoded(&self.client_id), form_encoded(self.client_secret.expose_secret()));
        let authorization = SecretString::from(format!("Basic {}", BASE64_STANDARD.encode(both)));
        let mut form = "grant_type=client_credentials".to_owned();
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.push_str(&format!("&{name}={}", form_encoded(value)));
            }
        }
        let answer = http::post_form(&self.token_url, self.ca.as_ref(), &authorization, form)?;
        let (status, url) = (answer.status, self.token_url.clone());
        let words = || {
            answer::refusal(&answer.body)
                .map_or(format!("status {status}"), |told| format!("status {status}, {told}"))
        };
        match status {
            200 => {}
            400 | 401 | 403 => return Err(SourceError::TokenRequestRefused { url, reason: words() }),
            408 | 429 | 500..=599 => {
                return Err(SourceError::TokenEndpointUnavailable { url, reason: words() });
            }
            300..=399 => {
                let reason = format!("status {status}, which leads elsewhere and is not followed");
                return Err(SourceError::TokenAnswerInvalid { url, reason });
            }
            _ => return Err(SourceError::TokenAnswerInvalid { url, reason: words() }),
        }
        let now_ms = super::now_ms();
        let issued = answer::issued(&answer.body, now_ms)
            .map_err(|reason| SourceError::TokenAnswerInvalid { url, reason })?;
        Ok(Token {
            value: issued.value,
            principal: issued.subject.unwrap_or_else(|| self.client_id.clone()),
            extensions: self.extensions.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            made_ms: now_ms,
            expires_ms: issued.expires_ms,
        })
    }
}

fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

/// Whether a secret may be sent to this address.
fn check_url(text: &str, allow_without_tls: bool) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("it is no URL ({error}); write https://host/path"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds credentials; give them as `client_id` and `client_secret`".to_owned());
    }
    let host = url.host().ok_or("it names no host; write https://host/path")?;
    let ip = match host {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => None,
    };
    let is_link_local = match ip {
        Some(IpAddr::V4(ip)) => ip.is_link_local(),
        Some(IpAddr::V6(ip)) => {
            ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_link_local())
        }
        None => false,
    };
    if is_link_local {
        return Err(
            "it is a link-local address, where the metadata of clouds are; name the issuer's".to_owned()
        );
    }
    let is_this_machine = ip.is_some_and(|ip| ip.is_loopback()) || matches!(host, Host::Domain("localhost"));
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_this_machine || allow_without_tls => Ok(()),
        "http" => Err("the secret would cross the network unencrypted; write https://, or set `allow_without_tls: true` \
                       where the network is trusted"
            .to_owned()),
        other => Err(format!("its scheme is `{other}`; write https://host/path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(client: &OidcClient) -> String {
        client.check().unwrap_err().to_string()
    }

    #[test]
    fn a_secret_goes_only_where_it_should() {
        let client = |url: &str| OidcClient::new(url, "loader", "hunter2");
        for url in [
            "https://login.example.com/token",
            "http://localhost:8080/token",
            "http://127.0.0.1:8080/token",
            "http://[::1]:8080/token",
        ] {
            client(url).check().unwrap();
        }
        for (url, words) in [
            ("http://login.example.com/token", "unencrypted"),
            ("http://localhost.example.com/token", "unencrypted"),
            ("https://u:p@login.example.com/token", "holds credentials"),
            ("https://169.254.169.254/token", "link-local"),
            ("https://[fe80::1]/token", "link-local"),
            ("https://[::ffff:169.254.169.254]/token", "link-local"),
            ("ftp://login.example.com/token", "scheme"),
            ("login.example.com/token", "no URL"),
            ("", "no URL"),
        ] {
            let told = problem(&client(url));
            assert!(told.contains(words) && !told.contains("hunter2"), "{url}: {told}");
        }
        let mut trusted = client("http://keycloak:8080/token");
        trusted.allow_without_tls = true;
        trusted.check().unwrap();
    }

    #[test]
    fn extensions_cannot_write_other_fields_of_the_message() {
        for (name, value) in [
            ("auth", "Bearer x"),
            ("", "x"),
            ("a1", "x"),
            ("a=b", "x"),
            ("cluster", ""),
            ("cluster", "x\u{1}auth=y"),
        ] {
            let mut client = OidcClient::new("https://login.example.com/token", "loader", "secret");
            client.extensions.insert(name.to_owned(), value.to_owned());
            assert!(problem(&client).contains("extensions"), "{name} {value:?}");
        }
        let mut client = OidcClient::new("https://login.example.com/token", "loader", "secret");
        client.extensions = (0..17).map(|n| ("a".repeat(n + 1), "x".to_owned())).collect();
        assert!(problem(&client).contains("more than 16"));
    }
}
