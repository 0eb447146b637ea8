//! Why a call did not do what was asked.

use super::problem::Problem;

/// What went wrong between here and a service, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    /// The flags, the token or the authority's file.
    #[error("{0}")]
    Setting(String),
    /// Nothing listens there, or nobody knows the host.
    #[error("no service answers at {server} ({why}); {mend}")]
    Unreachable { server: String, why: String, mend: &'static str },
    /// The two could not agree on TLS.
    #[error("no TLS connection to {server} ({why}); {mend}")]
    Tls { server: String, why: String, mend: &'static str },
    /// What answers speaks something else than HTTP.
    #[error("what answers at {0} speaks no HTTP; where it speaks TLS, write https://")]
    NoHttp(String),
    /// The connection broke.
    #[error(
        "the connection to {server} broke off ({why}); what was asked for may have come about: look before you ask again"
    )]
    Lost { server: String, why: String },
    /// No answer came in time.
    #[error("no answer from {server} within {after_s} s; what was asked for may come about all the same")]
    TimedOut { server: String, after_s: u64 },
    /// The answer is longer than any that a service gives.
    #[error("the answer of {server} has more than {bytes_max} bytes, and was not read to its end")]
    TooLong { server: String, bytes_max: usize },
    /// Something else than a service answers.
    #[error(
        "what answers at {server} is no service of housepipe, or another version ({why}); check --server"
    )]
    Foreign { server: String, why: String },
    /// What answers is no metrics of housepipe.
    #[error("{server} serves no metrics of housepipe ({why}); check --metrics")]
    NoMetrics { server: String, why: String },
    /// The service refuses.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// There is no such pipe.
    #[error("{server} has no pipe `{name}`{near}")]
    NoPipe { server: String, name: String, near: String },
}

impl RemoteError {
    /// Whether the flags, a file that they name or the pipe file are wrong, and not the work.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            RemoteError::Setting(_) => true,
            RemoteError::Refused(problem) => {
                matches!(problem.code.as_str(), "invalid_pipe" | "invalid_name" | "invalid_request")
            }
            _ => false,
        }
    }

    /// The problem details that the service gave, where it did.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match self {
            RemoteError::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// What went wrong in a word, for scripts: the code of the problem details where the service gave some.
    pub(crate) fn code(&self) -> &str {
        match self {
            RemoteError::Setting(_) => "wrong_setting",
            RemoteError::Unreachable { .. } => "unreachable",
            RemoteError::Tls { .. } => "no_tls",
            RemoteError::NoHttp(_) => "no_http",
            RemoteError::Lost { .. } => "connection_lost",
            RemoteError::TimedOut { .. } => "no_answer",
            RemoteError::TooLong { .. } => "answer_too_long",
            RemoteError::Foreign { .. } => "no_service",
            RemoteError::NoMetrics { .. } => "no_metrics",
            RemoteError::Refused(problem) => &problem.code,
            RemoteError::NoPipe { .. } => "no_such_pipe",
        }
    }

    /// The same of a call for metrics, which are where another flag says.
    pub(crate) fn of_metrics(self) -> RemoteError {
        const MEND: &str = "say by --metrics where they are: where `housepipe serve` or `housepipe run` has its --metrics-listen";
        match self {
            RemoteError::Unreachable { server, why, .. } => {
                RemoteError::Unreachable { server, why, mend: MEND }
            }
            RemoteError::Foreign { server, why } => RemoteError::NoMetrics { server, why },
            other => other,
        }
    }

    /// Whether the same call may do better in a moment: it got no answer, or the service's store gave none.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            RemoteError::Lost { .. } => true,
            RemoteError::Refused(problem) => problem.code == "store_unavailable",
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_with_metrics_is_mended_by_their_flag() {
        let (server, why) = ("http://127.0.0.1:1".to_owned(), "refused".to_owned());
        let unreachable =
            RemoteError::Unreachable { server: server.clone(), why: why.clone(), mend: "--server" };
        for error in [unreachable, RemoteError::Foreign { server, why }] {
            let told = error.of_metrics().to_string();
            assert!(told.contains("--metrics") && !told.contains("--server"), "{told}");
        }
    }

    #[test]
    fn what_the_service_cannot_read_is_wrong_usage() {
        for (code, is_usage) in
            [("invalid_pipe", true), ("invalid_request", true), ("name_taken", false), ("forbidden", false)]
        {
            let problem: Problem = serde_json::from_value(serde_json::json!({ "code": code })).unwrap();
            assert_eq!(RemoteError::Refused(Box::new(problem)).is_usage(), is_usage, "{code}");
        }
    }
}
