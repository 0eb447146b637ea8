//! The calls about the error table of a pipe.

use housepipe_runtime::{ErrorSummary, ListedError, ReplayReport};
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::http::Call;
use super::work::Outcome;
use super::{Remote, RemoteError};

/// A page of errors, newest first.
#[derive(Deserialize)]
pub(crate) struct ErrorPage {
    pub(crate) error_table: String,
    pub(crate) errors: Vec<ListedError>,
    pub(crate) next: Option<String>,
}

/// What is replayed; what is empty holds for all.
#[derive(Serialize)]
pub(crate) struct Replay<'a> {
    pub(crate) codes: &'a [String],
    pub(crate) columns: &'a [String],
    pub(crate) since: Option<&'a str>,
    pub(crate) until: Option<&'a str>,
    #[serde(rename = "where")]
    pub(crate) condition: Option<&'a str>,
    pub(crate) limit: Option<u64>,
    pub(crate) dry_run: bool,
}

impl Remote {
    /// A page of the errors that `query` means.
    pub(crate) async fn errors(
        &self,
        id: &str,
        query: &[(&str, &str)],
        tell: impl FnMut(String),
    ) -> Result<Outcome<ErrorPage>, RemoteError> {
        let url = self.server().call(&["api", "v1", "pipes", id, "errors"], query);
        self.outcome(self.repeat(&Call::new(Method::GET, url)).await?, tell).await
    }

    /// The errors that `query` means, counted by what they are.
    pub(crate) async fn error_summary(
        &self,
        id: &str,
        query: &[(&str, &str)],
        tell: impl FnMut(String),
    ) -> Result<Outcome<ErrorSummary>, RemoteError> {
        let url = self.server().call(&["api", "v1", "pipes", id, "errors", "summary"], query);
        self.outcome(self.repeat(&Call::new(Method::GET, url)).await?, tell).await
    }

    /// Has records of the error table loaded. It is asked for once: one whose answer is lost goes on.
    pub(crate) async fn replay(
        &self,
        id: &str,
        wanted: &Replay<'_>,
        tell: impl FnMut(String),
    ) -> Result<Outcome<ReplayReport>, RemoteError> {
        let call =
            Call::new(Method::POST, self.server().call(&["api", "v1", "pipes", id, "errors", "replay"], &[]));
        let body = self.body(wanted)?;
        self.outcome(self.http.ask(&Call { body: Some(body), ..call }).await?, tell).await
    }
}
