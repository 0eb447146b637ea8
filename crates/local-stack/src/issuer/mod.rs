//! An issuer of tokens on loopback: a token endpoint for the client credentials grant of OAuth 2.0, and the key by which brokers
//! check its tokens. For tests of clients and brokers that speak OAUTHBEARER; it keeps nothing and knows one client.

mod http;
mod jwt;

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use crate::User;
use crate::certificates::Certificates;
use crate::error::{Result, StackError};
use crate::kafka::ServerCertificate;
use http::{Reply, Request};
use jwt::Key;

/// The client that an [`Issuer`] knows. Its secret has characters that are encoded in a form.
pub const ISSUER_CLIENT: User = User { name: "loader", password: "loader+secret/100%" };
/// For whom a token is where the request does not say it, and whom [`KafkaOptions::issuer`](crate::KafkaOptions::issuer) expects.
pub const ISSUER_AUDIENCE: &str = "kafka";
/// How an issuer calls itself.
pub(crate) const ISSUER_NAME: &str = "https://issuer.local";

/// Requests that are remembered, at most.
const REQUESTS_MAX: usize = 1_000;

/// An issuer. Dropping it ends it.
///
/// ```
/// use housepipe_local_stack::Issuer;
/// let issuer = Issuer::start()?;
/// assert!(issuer.token_url().starts_with("http://127.0.0.1:"));
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
#[derive(Debug)]
pub struct Issuer {
    shared: Arc<Shared>,
    port: u16,
    /// With the certificates, where it speaks TLS.
    tls: Option<(tempfile::TempDir, Certificates)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    key: Key,
    is_over: AtomicBool,
    state: Mutex<State>,
    tls: Option<Arc<ServerConfig>>,
}

#[derive(Debug)]
struct State {
    lifetime: Duration,
    conduct: Conduct,
    requests: Vec<String>,
}

/// What an issuer does with a request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conduct {
    /// Gives a token to whoever has the secret.
    Issue,
    /// Answers this, whoever asks.
    Answer {
        /// The status of HTTP.
        status: u16,
        /// The body.
        body: String,
    },
    /// Takes the request and never answers.
    Silence,
}

impl Issuer {
    /// An issuer over HTTP, on a free port.
    ///
    /// # Errors
    /// [`StackError::Issuer`] where no port can be had.
    pub fn start() -> Result<Self> {
        Self::start_on(None, None)
    }

    /// An issuer over HTTPS, whose certificate is signed by [`Issuer::ca_pem`].
    ///
    /// # Errors
    /// As [`Issuer::start`]; [`StackError::Certificate`] and [`StackError::File`] where its certificate cannot be made.
    pub fn start_with_tls(certificate: ServerCertificate) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(failed)?;
        let certificates = Certificates::make(folder.path(), certificate)?;
        let config = server_config(&certificates).map_err(|error| failed(std::io::Error::other(error)))?;
        Self::start_on(Some(Arc::new(config)), Some((folder, certificates)))
    }

    fn start_on(
        config: Option<Arc<ServerConfig>>,
        tls: Option<(tempfile::TempDir, Certificates)>,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let state =
            State { lifetime: Duration::from_secs(300), conduct: Conduct::Issue, requests: Vec::new() };
        let shared = Arc::new(Shared {
            key: Key::generate()?,
            is_over: AtomicBool::new(false),
            state: Mutex::new(state),
            tls: config,
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || serve(&listener, &of_thread));
        Ok(Self { shared, port, tls, thread: Some(thread) })
    }

    fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn token_url(&self) -> String {
        self.url("/token")
    }

    /// Its port on loopback, for [`KafkaOptions::issuer`](crate::KafkaOptions::issuer).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Certificate of the CA that signed its own, PEM; none where it speaks HTTP.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&Path> {
        self.tls.as_ref().map(|(_, certificates)| &*certificates.ca)
    }

    /// For how long tokens hold that it gives from now on; five minutes before this is called.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.lock().lifetime = lifetime;
    }

    /// What it does with requests for tokens from now on.
    pub fn set_conduct(&self, conduct: Conduct) {
        self.shared.lock().conduct = conduct;
    }

    /// The forms of the requests for tokens so far, the first thousand.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // The thread waits for somebody to come.
        let _ = std::net::TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply to a request; none where there is to be none.
    fn reply(&self, request: &Request) -> Option<Reply> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/jwks") => Some(Reply::json(200, &json!({ "keys": [self.key.jwk()] }))),
            ("POST", "/token") => self.token(request),
            _ => Some(Reply::json(404, &json!({ "error": "not found" }))),
        }
    }

    fn token(&self, request: &Request) -> Option<Reply> {
        let mut state = self.lock();
        if state.requests.len() < REQUESTS_MAX {
            state.requests.push(request.body.clone());
        }
        match &state.conduct {
            Conduct::Silence => return None,
            Conduct::Answer { status, body } => return Some(Reply { status: *status, body: body.clone() }),
            Conduct::Issue => {}
        }
        let lifetime_s = state.lifetime.as_secs();
        drop(state);
        let refuse = |status, error: &str| Some(Reply::json(status, &json!({ "error": error })));
        if !is_the_client(request.authorization.as_deref()) {
            return refuse(401, "invalid_client");
        }
        let field = |name: &str| {
            let pair = request.body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.map(http::form_decoded)
        };
        if field("grant_type").as_deref() != Some("client_credentials") {
            return refuse(400, "unsupported_grant_type");
        }
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = json!({
            "iss": ISSUER_NAME,
            "sub": ISSUER_CLIENT.name,
            "aud": field("audience").unwrap_or_else(|| ISSUER_AUDIENCE.to_owned()),
            "iat": now_s,
            "exp": now_s + lifetime_s,
        });
        // Kafka refuses one that is empty.
        if let Some(scope) = field("scope").filter(|scope| !scope.is_empty()) {
            claims["scope"] = scope.into();
        }
        match self.key.sign(&claims) {
            Ok(token) => Some(Reply::json(
                200,
                &json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime_s }),
            )),
            Err(_) => refuse(500, "server_error"),
        }
    }
}

/// RFC 6749, section 2.3.1: both parts are encoded as in a form.
fn is_the_client(authorization: Option<&str>) -> bool {
    let basic = authorization.and_then(|text| text.strip_prefix("Basic "));
    let text = basic.and_then(|text| String::from_utf8(BASE64_STANDARD.decode(text.trim()).ok()?).ok());
    text.as_deref().and_then(|text| text.split_once(':')).is_some_and(|(name, secret)| {
        http::form_decoded(name) == ISSUER_CLIENT.name && http::form_decoded(secret) == ISSUER_CLIENT.password
    })
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // Who hangs up or sends rubbish is of no interest.
        thread::spawn(move || drop(http::serve(stream, shared.tls.clone(), |request| shared.reply(request))));
    }
}

fn server_config(
    certificates: &Certificates,
) -> std::result::Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let chain = vec![CertificateDer::from_pem_file(&certificates.server)?];
    let key = PrivateKeyDer::from_pem_file(&certificates.server_key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

fn failed(source: std::io::Error) -> StackError {
    StackError::Issuer { source }
}
