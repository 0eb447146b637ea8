//! A running service, as its API shows it.

mod address;
mod calls;
mod error;
mod errors;
mod http;
mod problem;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod view;
mod work;

pub(crate) use address::ServerUrl;
pub(crate) use calls::{Remote, Shown};
pub(crate) use error::RemoteError;
pub(crate) use errors::Replay;
pub(crate) use problem::Problem;
pub(crate) use stream::Happening;
#[cfg(test)]
pub(crate) use view::Counters;
pub(crate) use view::{EventView, PartitionView, PipeView, RunView};
