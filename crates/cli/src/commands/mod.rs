//! One file per command.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod errors;
pub(crate) mod infer;
pub(crate) mod metrics;
pub(crate) mod new;
pub(crate) mod offsets;
pub(crate) mod pipes;
pub(crate) mod preview;
pub(crate) mod run;
pub(crate) mod sample;
pub(crate) mod serve;
pub(crate) mod tokens;
pub(crate) mod top;
pub(crate) mod transform;
