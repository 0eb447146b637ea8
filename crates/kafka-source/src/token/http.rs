//! One request to a token endpoint, with a bound on its time and on its answer.

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{self, HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};

use crate::roots::roots;
use crate::{Pem, SourceError};

/// Time to reach a token endpoint, in milliseconds.
const CONNECT_MS_MAX: u64 = 4_000;

/// Time for a request and its answer, in milliseconds.
const REQUEST_MS_MAX: u64 = 6_000;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Sends `form` to `url`. Redirects are not followed, since the secret would go with them, and no proxy is used.
pub(super) fn post_form(
    url: &str,
    ca: Option<&Pem>,
    authorization: &SecretString,
    form: String,
) -> Result<Answer, SourceError> {
    let connector = connector(url, ca)?;
    let request = request(url, authorization, form)?;
    // A thread and a runtime of its own: whoever calls may be in a runtime, which would not let another one block there.
    let sent = thread::scope(|scope| scope.spawn(|| block_on(exchange(url, connector, request))).join());
    sent.unwrap_or_else(|_| {
        Err(SourceError::Internal { reason: "a request for a token panicked".to_owned() })
    })
}

fn block_on(exchange: impl Future<Output = Result<Answer, SourceError>>) -> Result<Answer, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SourceError::Internal { reason: format!("no runtime for a token ({error})") })?;
    let outcome = runtime.block_on(exchange);
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    outcome
}

fn request(
    url: &str,
    authorization: &SecretString,
    form: String,
) -> Result<Request<Full<Bytes>>, SourceError> {
    let unfit =
        |key: &str, reason: &str| SourceError::Config { key: key.to_owned(), reason: reason.to_owned() };
    let mut value = HeaderValue::from_str(authorization.expose_secret())
        .map_err(|_| unfit("client_secret", "it cannot be sent in a header"))?;
    value.set_sensitive(true);
    Request::post(url)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, concat!("housepipe/", env!("CARGO_PKG_VERSION")))
        .header(header::AUTHORIZATION, value)
        .body(Full::from(form))
        .map_err(|_| unfit("token_url", "no request can be made of it"))
}

async fn exchange(
    url: &str,
    connector: HttpsConnector<HttpConnector>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, SourceError> {
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let whole = async {
        let response = client.request(request).await.map_err(|error| failure(url, &error))?;
        let status = response.status().as_u16();
        // The length that an answer promises is not believed: memory grows with what arrives.
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok(Answer { status, body: body.to_bytes() }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                let reason = format!("it has more than {ANSWER_BYTES_MAX} bytes");
                Err(SourceError::TokenAnswerInvalid { url: url.to_owned(), reason })
            }
            Err(error) => Err(failure(url, error.as_ref())),
        }
    };
    match tokio::time::timeout(Duration::from_millis(REQUEST_MS_MAX), whole).await {
        Ok(outcome) => outcome,
        Err(_) => Err(SourceError::TokenEndpointUnavailable {
            url: url.to_owned(),
            reason: format!("no answer within {} s", REQUEST_MS_MAX / 1_000),
        }),
    }
}

/// Certificates are read anew for every request: requests are rare, and files are renewed. They are not asked for where there is no
/// TLS, so that a machine without any can do without.
fn connector(url: &str, ca: Option<&Pem>) -> Result<HttpsConnector<HttpConnector>, SourceError> {
    let mut store = RootCertStore::empty();
    if url.starts_with("https:") {
        let roots = roots(ca).map_err(|reason| SourceError::Config { key: "auth.ca".to_owned(), reason })?;
        store.add_parsable_certificates(roots);
    }
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| SourceError::Internal { reason: format!("TLS cannot be set up ({error})") })?
            .with_root_certificates(store)
            .with_no_client_auth();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(Duration::from_millis(CONNECT_MS_MAX)));
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector))
}

/// What stands behind an error: TLS, or everything else that keeps an answer away.
fn failure(url: &str, error: &(dyn Error + 'static)) -> SourceError {
    let (url, mut reason) = (url.to_owned(), error.to_string());
    let mut below = Some(error);
    while let Some(at) = below {
        if let Some(error) = at.downcast_ref::<rustls::Error>() {
            return SourceError::TokenEndpointUntrusted { url, reason: error.to_string() };
        }
        // The innermost one says the cause.
        reason = at.to_string();
        // An error of IO that wraps another one names that one's source as its own, and would hide TLS.
        below = match at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => at.source(),
        };
    }
    SourceError::TokenEndpointUnavailable { url, reason }
}
