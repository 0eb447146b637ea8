//! The client against a registry that answers what a test wants.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

mod answers;
mod failover;
mod fake;
mod requests;
mod tls;
