//! Calls whose result may take a while: what is asked for goes on in the service, which is asked again and again for its end.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::http::{Answer, Call};
use super::problem::Problem;
use super::{Remote, RemoteError};

/// Milliseconds for which the service is to wait before it shows work that goes on; as long as it may.
const WAIT_MS: &str = "2500";

/// A result: understood, and as it came.
pub(crate) struct Outcome<T> {
    pub(crate) result: T,
    pub(crate) document: Box<RawValue>,
}

/// Work as a service shows it.
#[derive(Deserialize)]
struct Work {
    id: String,
    state: String,
    #[serde(default)]
    waits_for: Option<String>,
    #[serde(default)]
    progress: Option<Share>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Share {
    done: u64,
}

impl Remote {
    /// What `answer` has, or what comes of the work that it names; `tell` is told what is waited for meanwhile.
    pub(super) async fn outcome<T: DeserializeOwned>(
        &self,
        answer: Answer,
        mut tell: impl FnMut(String),
    ) -> Result<Outcome<T>, RemoteError> {
        if answer.status != StatusCode::ACCEPTED {
            return Ok(Outcome { result: self.parse(&answer)?, document: self.parse(&answer)? });
        }
        let mut work: Work = self.parse(&answer)?;
        loop {
            if let Some(problem) = work.problem {
                return Err(RemoteError::Refused(Box::new(problem)));
            }
            if let Some(document) = work.result {
                let result = serde_json::from_str(document.get())
                    .map_err(|error| self.http.foreign(error.to_string()))?;
                return Ok(Outcome { result, document });
            }
            if work.state != "running" {
                return Err(self
                    .http
                    .foreign(format!("its work has ended as `{}`, with no result", work.state)));
            }
            let waits_for = work.waits_for.unwrap_or_default();
            tell(match work.progress {
                Some(Share { done }) => format!("{waits_for}: {done} done"),
                None => waits_for,
            });
            let url = self.server().call(&["api", "v1", "work", &work.id], &[("wait_ms", WAIT_MS)]);
            work = self.parse(&self.repeat(&Call::new(Method::GET, url)).await?)?;
        }
    }
}
