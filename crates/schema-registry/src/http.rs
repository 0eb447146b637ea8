//! One request over HTTP/1.1, with a bound on its time and on its answer, and what stands behind a failure.

use std::error::Error;
use std::io;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::ExposeSecret;
use url::Url;

use crate::config::{Credentials, RegistryConfig};
use crate::error::{Cause, Fault, RegistryError};
use crate::tls;

/// What registries call their answers; plain JSON for those that know no such name.
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json;q=0.9";
/// Time that an unused connection is kept, in milliseconds.
const POOL_IDLE_MS: u64 = 30_000;
/// Bytes of a refusal's body that are read: the status says what it is, and the body only more of it.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// An answer with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The limit, in bytes, where the body is longer, and only its beginning is here.
    pub(crate) cut_off_at_bytes: Option<usize>,
}

/// The client over HTTP.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    authorization: Option<HeaderValue>,
    request_ms: u64,
    answer_bytes_max: usize,
}

impl Http {
    /// No IO but the files of `config.tls`.
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_millis(config.limits.connect_ms)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(config)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_millis(POOL_IDLE_MS))
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Http {
            client,
            authorization: authorization(&config.credentials)?,
            request_ms: config.limits.request_ms,
            answer_bytes_max: config.limits.answer_bytes,
        })
    }

    /// Asks for `url`. Every status is an answer, however long its body is; redirects are not followed.
    pub(crate) async fn get(&self, url: &Url) -> Result<Answer, RegistryError> {
        let limit = Duration::from_millis(self.request_ms);
        match tokio::time::timeout(limit, self.exchange(url)).await {
            Ok(result) => result,
            Err(_) => Err(RegistryError::TimedOut { url: url.to_string(), after_ms: self.request_ms }),
        }
    }

    async fn exchange(&self, url: &Url) -> Result<Answer, RegistryError> {
        let mut request = Request::get(url.as_str())
            .header(header::ACCEPT, ACCEPT)
            .header(header::USER_AGENT, concat!("housepipe/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| RegistryError::Address {
                address: format!("`{url}`"),
                problem: format!("no request can be made of it ({error})"),
            })?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        let response = self.client.request(request).await.map_err(|error| failure(url, error))?;
        self.read(url, response).await
    }

    /// The length that an answer promises is not believed: memory grows with what arrives.
    async fn read(&self, url: &Url, response: Response<Incoming>) -> Result<Answer, RegistryError> {
        let (head, mut incoming) = response.into_parts();
        let limit_bytes = match head.status.is_success() {
            true => self.answer_bytes_max,
            false => self.answer_bytes_max.min(REFUSAL_BYTES_MAX),
        };
        let mut body = BytesMut::new();
        let mut cut_off_at_bytes = None;
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| failure(url, error))?;
            let Some(data) = frame.data_ref() else { continue };
            let room = limit_bytes.saturating_sub(body.len());
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                cut_off_at_bytes = Some(limit_bytes);
                break;
            }
        }
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Answer { status, headers, body: body.freeze(), cut_off_at_bytes })
    }
}

/// Certificates are not asked for where no root is `https`, so that a machine without any can use one that is not.
fn tls_config(config: &RegistryConfig) -> Result<rustls::ClientConfig, RegistryError> {
    if config.roots.iter().any(|root| root.scheme() == "https") {
        return tls::client_config(&config.tls);
    }
    let provider = rustls::crypto::ring::default_provider();
    let nobody = rustls::RootCertStore::empty();
    let builder = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| RegistryError::Config { problem: format!("TLS cannot be set up ({error})") })?;
    Ok(builder.with_root_certificates(nobody).with_no_client_auth())
}

fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, RegistryError> {
    let fail = |problem: &str| Err(RegistryError::Config { problem: problem.to_owned() });
    let text = match credentials {
        Credentials::None => return Ok(None),
        Credentials::Basic { username, .. } if username.contains(':') => {
            return fail("a user name cannot hold a colon, which ends it in HTTP's basic authentication");
        }
        Credentials::Basic { username, password } => {
            let both = format!("{username}:{}", password.expose_secret());
            format!("Basic {}", BASE64_STANDARD.encode(both))
        }
        Credentials::Bearer(token) => format!("Bearer {}", token.expose_secret().trim()),
    };
    let Ok(mut value) = HeaderValue::from_str(&text) else {
        return fail("the token holds a character that HTTP does not allow, such as a line break within it");
    };
    value.set_sensitive(true);
    Ok(Some(value))
}

/// What `error` comes from, by the errors below it.
fn failure(url: &Url, error: impl Error + Send + Sync + 'static) -> RegistryError {
    let (url, mut fault) = (url.to_string(), None);
    let mut below: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(at) = below {
        if let Some(error) = at.downcast_ref::<rustls::Error>() {
            let problem = tls_problem(error);
            return RegistryError::Tls { url, problem, source: Cause::new(error.clone()) };
        }
        let io = at.downcast_ref::<io::Error>();
        if let Some(io::ErrorKind::ConnectionRefused) = io.map(io::Error::kind) {
            fault = Some(Fault::Refused);
        }
        if let Some(error) = at.downcast_ref::<hyper::Error>()
            && error.is_parse()
        {
            fault = Some(Fault::Protocol);
        }
        if at.to_string() == "dns error" {
            fault = Some(Fault::Dns);
        }
        // An error of IO that wraps another one names that one's source as its own, and would hide TLS.
        below = match io.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => at.source(),
        };
    }
    RegistryError::Unreachable { url, fault: fault.unwrap_or(Fault::Lost), source: Cause::new(error) }
}

fn tls_problem(error: &rustls::Error) -> &'static str {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error};
    match error {
        Error::InvalidCertificate(problem) => match problem {
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "its certificate is signed by nobody who is trusted here; name its authority as `ca`"
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "its certificate has expired; renew it, or correct this machine's clock"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid yet; correct the clocks of both machines"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is for another host name; write the name that it was made for"
            }
            _ => "its certificate is not valid",
        },
        Error::InvalidMessage(_) => "what answers there speaks no TLS; check the port, or write http://",
        Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::HandshakeFailure
            | Alert::CertificateUnknown,
        ) => {
            "it asks for a client certificate and takes none or not this one; give one that it trusts, with its key"
        }
        _ => "the two could not agree on a connection",
    }
}
