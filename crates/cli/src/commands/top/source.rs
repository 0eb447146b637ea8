//! Where looks at pipes come from.

use super::metrics;
use crate::args::TopArgs;
use crate::commands::pipes::{address, connect};
use crate::remote::{PipeView, Remote, RemoteError};

/// A service's API, or metrics.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Service(Remote),
    Metrics(Remote),
}

impl Source {
    pub(super) fn new(args: &TopArgs) -> Result<Source, RemoteError> {
        match &args.metrics {
            Some(url) => {
                let url = address("--metrics", url)?;
                Ok(Source::Metrics(Remote::new(&url, args.server.ca.as_deref(), None)?))
            }
            None => Ok(Source::Service(connect(&args.server)?)),
        }
    }

    /// Where it is.
    pub(super) fn name(&self) -> String {
        let (Source::Service(remote) | Source::Metrics(remote)) = self;
        remote.server().to_string()
    }

    /// The service, where it is one.
    pub(super) fn service(&self) -> Option<&Remote> {
        match self {
            Source::Service(remote) => Some(remote),
            Source::Metrics(_) => None,
        }
    }

    /// All pipes as they are now.
    pub(super) async fn look(&self) -> Result<Vec<PipeView>, RemoteError> {
        match self {
            Source::Service(remote) => remote.pipes().await,
            Source::Metrics(remote) => {
                let text = remote.metrics().await.map_err(RemoteError::of_metrics)?;
                metrics::pipes(&String::from_utf8_lossy(&text))
                    .map_err(|why| RemoteError::NoMetrics { server: self.name(), why })
            }
        }
    }
}
