//! Serves many pipes: their definitions and secrets at rest, and their life.
//!
//! [`Store`] keeps what is wanted, and [`Service`] has the supervisor of `housepipe-runtime` do it.

mod api;
mod seal;
mod server;
mod service;
mod store;
#[cfg(test)]
mod testing;
mod watch;
mod within;
mod work;

pub use api::{KeyProblem, Problem, ProblemCode, openapi, router};
pub use seal::{Seal, SealError};
pub use server::{Tls, TlsError, serve};
pub use service::{Drafted, PipeView, Service, ServiceError, ServiceOptions, Subject};
pub use store::{
    AUDIT_AT_ONCE_MAX, Asked, AuditEntry, CleanUp, Consumer, EVENTS_AT_ONCE_MAX, Edit, Event, EventKind,
    FIRST_ADMIN, IdempotencyKey, NewPipe, PAGE_BYTES_MAX, Role, Secrets, Store, StoreAddress, StoreError,
    StoredPipe, StoredToken, TokenOwner, Trouble, Wanted,
};
pub use watch::{Watched, metric_families, serve_metrics};
