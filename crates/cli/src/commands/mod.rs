//! One file per command.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod errors;
pub(crate) mod infer;
pub(crate) mod metrics;
pub(crate) mod new;
pub(crate) mod offsets;
pub(crate) mod preview;
pub(crate) mod run;
pub(crate) mod sample;
pub(crate) mod serve;
pub(crate) mod transform;
