//! Under which name the service was called, and from which page.

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::{Problem, ProblemCode};
use super::{Api, health};
use crate::server::Encrypted;

/// Refuses requests under a name that is none of the service's, which a page of somebody else may have been given for this address (DNS
/// rebinding), and changes that a page of another origin asks for.
pub(crate) async fn known_origin(State(api): State<Api>, request: Request, next: Next) -> Response {
    match judge(&api, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn judge(api: &Api, request: &Request) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(ProblemCode::ForeignOrigin, detail));
    let named = one_of(request.headers(), &HOST)?.and_then(|value| value.to_str().ok());
    // HTTP/2 has it in the address, and so may HTTP/1.1: `Host` counts for nothing then (RFC 9112, 3.2.2).
    let host = request.uri().authority().map(Authority::as_str).or(named).unwrap_or_default();
    // Load balancers ask for these by address, and they tell nothing that a page could use.
    let is_health = [health::ALIVE, health::READY].contains(&request.uri().path());
    if !is_health && !api.is_known_host(host) {
        return refuse("the service does not know the name in `Host`; name it by --public-host");
    }
    let origin = one_of(request.headers(), &ORIGIN)?;
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if changes && let Some(origin) = origin {
        let is_encrypted = request.extensions().get::<Encrypted>().is_some();
        let origin = origin.to_str().unwrap_or_default();
        let of = origin.split_once("://").filter(|(scheme, _)| is_own_scheme(scheme, is_encrypted));
        if of.map(|(_, authority)| authority) != Some(host) {
            return refuse("a page of another origin has sent it");
        }
    }
    Ok(())
}

/// Whether a page of this scheme may be the service's own. Where the service itself does no TLS, a proxy before it may.
fn is_own_scheme(scheme: &str, is_encrypted: bool) -> bool {
    scheme == "https" || (scheme == "http" && !is_encrypted)
}

/// The header, which may come once: of two, whoever stands in between may have judged the other one.
fn one_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    match all.next() {
        None => Ok(first),
        Some(_) => Err(Problem::new(ProblemCode::InvalidRequest, format!("`{name}` comes more than once"))),
    }
}
