//! The API's description: OpenAPI 3.1.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Description};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::problem::Problem;

/// What calls may answer where they do not do what was asked; [`narrow`] takes from each call what it never answers.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is a description")]
pub(crate) enum Failures {
    /// The request is malformed.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// No token, or one that is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The token's role does not allow it, or the request came from elsewhere.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such pipe, or no such work.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The body did not come in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The name is taken, the pipe is being removed or has gone, or a replay is under way.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The pipe was changed since the `ETag` in `If-Match`.
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(Problem),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body has another media type.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(Problem),
    /// The pipe file, or the name, cannot be used, or an end of the pipe refuses something, or is out of reach.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// The address is longer than any that is known. Without a body.
    #[response(status = 414)]
    AddressTooLong,
    /// The head of the request is too large. Without a body.
    #[response(status = 431)]
    HeadTooLarge,
    /// `If-Match` is missing.
    #[response(status = 428, content_type = "application/problem+json")]
    IfMatch(Problem),
    /// Too much is under way.
    #[response(status = 429, content_type = "application/problem+json", headers(("retry-after", description = "Seconds to wait")))]
    TooMuch(Problem),
    /// A defect of housepipe.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// The store does not answer.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
    /// It took too long.
    #[response(status = 504, content_type = "application/problem+json")]
    TimedOut(Problem),
}

/// Calls on which `If-Match` may say what is meant.
const WITH_IF_MATCH: [&str; 4] = ["edit_pipe", "pause_pipe", "resume_pipe", "remove_pipe"];

/// Calls that something else may stand in the way of.
const WITH_CONFLICTS: [&str; 7] = [
    "create_pipe",
    "edit_pipe",
    "pause_pipe",
    "resume_pipe",
    "replay_errors",
    "create_token",
    "remove_token",
];

/// Calls without a body that look at the ends of a pipe.
const LOOKS_OF_PIPE: [&str; 4] =
    ["sample_pipe_source", "sample_pipe_destination", "list_errors", "summarize_errors"];

/// Calls with a body in which no pipe is named.
const WITHOUT_PIPE: [&str; 3] = ["create_pipe", "create_token", "compose_ddl"];

/// Leaves to each call the answers that it has.
pub(crate) fn narrow(api: &mut Description) {
    for (path, item) in &mut api.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for (at, operation) in operations.into_iter().enumerate() {
            let Some(operation) = operation else { continue };
            let id = operation.operation_id.clone().unwrap_or_default();
            let is_one_of = |calls: &[&str]| calls.contains(&id.as_str());
            let has_body = operation.request_body.is_some();
            let looks = is_one_of(&LOOKS_OF_PIPE);
            operation.responses.responses.retain(|status, _| match status.as_str() {
                // A look at a draft may name a pipe.
                "404" => path.contains('{') || (has_body && !is_one_of(&WITHOUT_PIPE)),
                "408" => has_body,
                "409" => is_one_of(&WITH_CONFLICTS),
                "412" => is_one_of(&WITH_IF_MATCH),
                "415" => has_body,
                "422" => has_body || looks,
                "428" => id == "edit_pipe",
                // What may change something has places, as work and streams do.
                "429" => at > 0 || looks || ["stream_events", "list_pipe_events"].contains(&id.as_str()),
                _ => true,
            });
        }
    }
}

/// The description before its paths.
#[derive(OpenApi)]
#[openapi(
    info(title = "Housepipe", description = "Loads Kafka topics into ClickHouse tables: many pipes, and their life."),
    modifiers(&Tokens),
    security(("token" = [])),
    tags(
        (name = "pipes", description = "Pipes, and what is wanted of them"),
        (name = "wizard", description = "Looks at the ends of a pipe that is, or is to be"),
        (name = "errors", description = "Records that could not be loaded"),
        (name = "work", description = "What takes longer than a call waits"),
        (name = "table", description = "What a pipe creates at its destination, and fills there"),
        (name = "events", description = "What has happened to them"),
        (name = "tokens", description = "Who may call"),
        (name = "health", description = "The process itself")
    )
)]
pub(crate) struct Described;

/// How a caller says who she is.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut Description) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A token; the first one is printed at the first start. Roles: viewer, operator, admin.",
        ));
        let components = api.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}
