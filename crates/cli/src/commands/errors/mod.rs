//! `housepipe errors`: the error table.

pub(crate) mod list;
pub(crate) mod replay;

use housepipe_runtime::{ErrorQuery, ErrorsError};

use crate::args::ErrorsFilter;
use crate::exit::Exit;

/// The query that the flags ask for.
fn query(filter: ErrorsFilter) -> ErrorQuery {
    ErrorQuery {
        codes: filter.codes,
        columns: filter.columns,
        since_ms: filter.since,
        until_ms: filter.until,
        condition: filter.condition,
        ..ErrorQuery::default()
    }
}

/// What was asked for wrongly is wrong usage; anything else is work that failed.
fn exit(error: ErrorsError) -> Exit {
    if error.is_usage() { Exit::usage(error.into()) } else { Exit::failed(error.into()) }
}
