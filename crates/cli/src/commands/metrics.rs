//! The listener for metrics, of `housepipe serve` and of `housepipe run`.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use housepipe_runtime::PipeHandle;
use housepipe_runtime::metrics::{self, Exposition, ProcessMetrics};
use housepipe_service::{Watched, serve_metrics};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::args::MetricsListen;
use crate::exit::Exit;

/// Serves metrics until it is dropped.
pub(crate) struct Metrics {
    listens: SocketAddr,
    task: AbortHandle,
}

impl Metrics {
    /// Where they are served.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.listens)
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens where that is wanted. Where nothing was said it is `otherwise`, if nobody else has that address: a second process on the same
/// machine does its work all the same.
pub(crate) async fn listen(
    wanted: Option<MetricsListen>,
    otherwise: Option<SocketAddr>,
) -> Result<Option<TcpListener>, Exit> {
    let address = match (wanted, otherwise) {
        (Some(MetricsListen::At(address)), _) | (None, Some(address)) => address,
        (Some(MetricsListen::Off), _) | (None, None) => return Ok(None),
    };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if wanted.is_none() && error.kind() == ErrorKind::AddrInUse => {
            tracing::warn!(
                "something else listens on {address}, so no metrics are served; name another address by --metrics-listen, or `off`"
            );
            Ok(None)
        }
        Err(error) => {
            let what = || format!("cannot serve metrics on {address}, which --metrics-listen changes");
            Err(error).with_context(what).map_err(Exit::failed)
        }
    }
}

/// Serves metrics of `watched` there.
pub(crate) fn serve<W: Watched>(listener: TcpListener, watched: Arc<W>) -> Result<Metrics, Exit> {
    let listens = listener.local_addr()?;
    let task = tokio::spawn(serve_metrics(listener, watched)).abort_handle();
    let metrics = Metrics { listens, task };
    tracing::info!(url = metrics.url(), "metrics are served");
    Ok(metrics)
}

/// A pipe that is watched: none before it has started.
#[derive(Debug)]
pub(crate) struct WatchedPipe {
    pub(crate) pipe: OnceLock<PipeHandle>,
    pub(crate) memory_bytes_max: usize,
}

impl Watched for WatchedPipe {
    async fn write(&self, exposition: &mut Exposition) {
        let pipes = self.pipe.get().map(PipeHandle::pipe_metrics).unwrap_or_default();
        let mut process = ProcessMetrics::now();
        process.memory_bytes = Some(self.memory_bytes_max as u64);
        metrics::write(&pipes, &process, exposition);
    }

    async fn unready(&self) -> Option<String> {
        match self.pipe.get() {
            None => Some("the pipe has not started yet".to_owned()),
            Some(pipe) if pipe.is_stopping() => Some("the pipe stops".to_owned()),
            Some(_) => None,
        }
    }
}
