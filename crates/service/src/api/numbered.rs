//! Pages of what is numbered: events, and entries of the audit.

use serde::Deserialize;
use utoipa::ToSchema;

use super::problem::{Problem, ProblemCode};

/// Which come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// The oldest.
    #[default]
    Oldest,
    /// The newest.
    Newest,
}

/// Where a page begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Behind this number, the oldest first.
    After(i64),
    /// Before this number, the newest first.
    Before(i64),
}

/// Where the page begins that a query asks for.
///
/// # Errors
/// [`ProblemCode::InvalidRequest`] where it asks for both directions at once.
pub(super) fn begin(order: Order, after: Option<i64>, before: Option<i64>) -> Result<Begin, Problem> {
    let refuse = |detail: &str| Err(Problem::new(ProblemCode::InvalidRequest, detail));
    if after.is_some_and(|after| after < 0) || before.is_some_and(|before| before < 1) {
        return refuse("`after` is 0 or more, and `before` 1 or more");
    }
    match (order, after, before) {
        (Order::Oldest, after, None) => Ok(Begin::After(after.unwrap_or(0))),
        (Order::Newest, None, before) => Ok(Begin::Before(before.unwrap_or(i64::MAX))),
        (Order::Oldest, _, Some(_)) => refuse("`before` goes with `order=newest`"),
        (Order::Newest, Some(_), _) => {
            refuse("`after` goes with `order=oldest`; the newest are those before `before`")
        }
    }
}
