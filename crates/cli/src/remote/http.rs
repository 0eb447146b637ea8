//! One call over HTTP/1.1, with a bound on its time and on its answer, and what stands behind a failure.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::problem::Problem;
use super::{RemoteError, ServerUrl, tls};

/// Time to connect to one address of a host, in milliseconds.
const CONNECT_MS_MAX: u64 = 10_000;
/// Time for a call and its answer, in seconds: more than a service takes for one.
const CALL_S_MAX: u64 = 40;
/// Bytes of an answer, at most: a page of a thousand pipes with their files has fewer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes of a refusal that are read.
const REFUSAL_BYTES_MAX: usize = 1 << 20;
/// Time that an unused connection is kept, in milliseconds.
const POOL_IDLE_MS: u64 = 30_000;
/// Letters of an answer that is none of a service's that are shown.
const FOREIGN_SHOWN: usize = 200;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, String)>,
    /// Of JSON. Secrets may stand in it.
    pub(super) body: Option<Bytes>,
}

impl Call {
    pub(super) fn new(method: Method, url: Url) -> Call {
        Call { method, url, headers: Vec::new(), body: None }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Call {
        self.headers.push((name, value.into()));
        self
    }
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The client over HTTP. It follows no redirects: the token would go along.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    server: ServerUrl,
}

impl Http {
    /// No IO but the file of the authority.
    pub(super) fn new(
        server: &ServerUrl,
        ca: Option<&Path>,
        token: Option<&SecretString>,
    ) -> Result<Http, RemoteError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_millis(CONNECT_MS_MAX)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(server.is_https(), ca)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_millis(POOL_IDLE_MS))
            .pool_timer(TokioTimer::new())
            .build(connector);
        let authorization = token.map(authorization).transpose()?;
        Ok(Http { client, authorization, server: server.clone() })
    }

    /// Asks once, and reads the answer to its end. What is no success is an error.
    pub(super) async fn ask(&self, call: &Call) -> Result<Answer, RemoteError> {
        let exchange = async {
            let response = self.begin(call).await?;
            let (head, body) = response.into_parts();
            let body = self.read(body, ANSWER_BYTES_MAX).await?;
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        self.in_time(exchange).await
    }

    /// Asks once, and gives an answer that goes on.
    pub(super) async fn open(&self, call: &Call) -> Result<Response<Incoming>, RemoteError> {
        self.in_time(self.begin(call)).await
    }

    async fn in_time<T>(
        &self,
        exchange: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        match tokio::time::timeout(Duration::from_secs(CALL_S_MAX), exchange).await {
            Ok(result) => result,
            Err(_) => Err(RemoteError::TimedOut { server: self.server.to_string(), after_s: CALL_S_MAX }),
        }
    }

    async fn begin(&self, call: &Call) -> Result<Response<Incoming>, RemoteError> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(call.url.as_str())
            .header(header::USER_AGENT, concat!("housepipe/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(call.body.clone().unwrap_or_default()))
            .map_err(|error| RemoteError::Setting(format!("no request can be made of it ({error})")))?;
        let response = self.client.request(request).await.map_err(|error| self.failure(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        if head.status.is_redirection() {
            let to =
                head.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            let why = format!("it answers with a redirect to {to}, which is not followed with a token");
            return Err(RemoteError::Foreign { server: self.server.to_string(), why });
        }
        let body = self.read(body, REFUSAL_BYTES_MAX).await?;
        Err(self.refusal(head.status, &body))
    }

    /// The length that an answer promises is not believed: memory grows with what arrives.
    async fn read(&self, mut incoming: Incoming, bytes_max: usize) -> Result<Bytes, RemoteError> {
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| self.failure(&error))?;
            let Some(data) = frame.data_ref() else { continue };
            if body.len() + data.len() > bytes_max {
                return Err(RemoteError::TooLong { server: self.server.to_string(), bytes_max });
            }
            body.extend_from_slice(data);
        }
        Ok(body.freeze())
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> RemoteError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => RemoteError::Refused(Box::new(problem)),
            Err(_) => {
                let text: String = String::from_utf8_lossy(body).chars().take(FOREIGN_SHOWN).collect();
                let why = format!("it answers with {status} and no problem details: {}", text.trim());
                RemoteError::Foreign { server: self.server.to_string(), why }
            }
        }
    }

    /// What an answer is taken for that is not as the API says.
    pub(super) fn foreign(&self, why: impl Into<String>) -> RemoteError {
        RemoteError::Foreign { server: self.server.to_string(), why: why.into() }
    }

    /// What `error` comes from, by the errors below it.
    pub(super) fn failure(&self, error: &(dyn Error + 'static)) -> RemoteError {
        let server = self.server.to_string();
        let mut below = Some(error);
        let mut last = error.to_string();
        while let Some(at) = below {
            last = at.to_string();
            if let Some(error) = at.downcast_ref::<rustls::Error>() {
                let (why, mend) = tls::problem(error);
                return RemoteError::Tls { server, why, mend };
            }
            let io = at.downcast_ref::<io::Error>();
            let unreachable = match io.map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => Some(
                    "start it with `housepipe serve`, or say by --server or HOUSEPIPE_SERVER where it is",
                ),
                Some(
                    io::ErrorKind::TimedOut
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable,
                ) => Some("check the address, and what stands between here and there"),
                _ if last == "dns error" => Some("nobody knows that host; check --server"),
                _ => None,
            };
            if let Some(mend) = unreachable {
                return RemoteError::Unreachable { server, why: deepest(at), mend };
            }
            if at.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
                return RemoteError::NoHttp(server);
            }
            // An error of IO that wraps another one names that one's source as its own, and would hide TLS.
            below = match io.and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => at.source(),
            };
        }
        RemoteError::Lost { server, why: last }
    }
}

/// The last cause, which says most.
fn deepest(mut error: &(dyn Error + 'static)) -> String {
    while let Some(below) = error.source() {
        error = below;
    }
    error.to_string()
}

fn authorization(token: &SecretString) -> Result<HeaderValue, RemoteError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| {
        RemoteError::Setting(
            "the token holds a character that no token has, such as a line break within it".to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
