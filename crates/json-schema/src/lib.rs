//! Checks JSON records against JSON Schemas.
#![forbid(unsafe_code)]

mod draft;
mod error;
mod limits;
mod options;
mod rejected;

mod accept;
mod library;
mod record;

mod schema;
mod validator;

pub use draft::Draft;
pub use error::SchemaError;
pub use limits::Limits;
pub use options::{Formats, Options};
pub use rejected::{NotJson, Rejected, Violation};
pub use schema::Schema;
pub use validator::Validator;
