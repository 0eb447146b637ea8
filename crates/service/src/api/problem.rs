//! What a call answers that does not do what was asked: problem details (RFC 9457) with a code of a closed set.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use housepipe_runtime::{PipeFileError, Problem as FileProblem};
use serde::Serialize;
use utoipa::ToSchema;

use super::masked;
use super::now_and_then::NowAndThen;
use crate::service::{ServiceError, explain};
use crate::store::StoreError;

/// The media type of problem details.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// When to come again where too much is under way, in seconds.
const RETRY_AFTER_S: &str = "5";

/// Calls that failed since the store does not answer.
static STORE_SILENT: NowAndThen = NowAndThen::new();

/// Problems of a pipe file that one answer has, at most.
const ERRORS_MAX: usize = 100;

/// Which kind of problem it is. Programs may rely on these words; there will be more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request is not formed as the API's description says.
    InvalidRequest,
    /// There is no such path.
    NoSuchPath,
    /// The path does not know the method.
    MethodNotAllowed,
    /// The body has a media type that the call does not take.
    UnsupportedMediaType,
    /// The body is larger than the call takes.
    BodyTooLarge,
    /// No token came with the request, or one that is not known.
    Unauthenticated,
    /// The token's role does not allow it.
    Forbidden,
    /// The request came from a page of another origin, or under a name that the service does not know.
    ForeignOrigin,
    /// There is no such pipe.
    NoSuchPipe,
    /// There is no such token.
    NoSuchToken,
    /// There is a pipe, or a token, of that name.
    NameTaken,
    /// A token may not have that name.
    InvalidName,
    /// The consumer group is another pipe's.
    GroupTaken,
    /// It is the last token of an admin.
    LastAdmin,
    /// The pipe is being removed.
    PipeLeaving,
    /// The pipe was changed since the `ETag` that `If-Match` names.
    PipeChanged,
    /// The call needs `If-Match`.
    IfMatchRequired,
    /// The pipe file cannot be used.
    InvalidPipe,
    /// An edit would give the pipe another name.
    PipeRenamed,
    /// The `Idempotency-Key` came with another request before.
    IdempotencyKeyReused,
    /// The `Idempotency-Key` came with the same request before, and the pipe that it made has gone.
    PipeGone,
    /// There is no such work of this token, or it was forgotten.
    NoSuchWork,
    /// Too much work is under way.
    TooMuchWork,
    /// The result is larger than one may be.
    ResultTooLarge,
    /// No broker is reached, or what answers is none.
    SourceUnreachable,
    /// ClickHouse is not reached, or what answers is something else.
    DestinationUnreachable,
    /// The schema registry is not reached, or what answers is none.
    RegistryUnreachable,
    /// An end of the pipe does not know who asks.
    NotAuthenticatedThere,
    /// An end of the pipe knows who asks, and does not allow it.
    NotAllowedThere,
    /// The brokers have no such topic.
    NoSuchTopic,
    /// ClickHouse has no such table.
    NoSuchTable,
    /// The brokers refuse something.
    SourceRefused,
    /// ClickHouse refuses something.
    DestinationRefused,
    /// The registry has no schema that can be used.
    SchemaUnusable,
    /// The columns do not fit the table, or cannot be filled.
    ColumnsUnusable,
    /// There are no samples of which columns could be made.
    NothingToInfer,
    /// The pipe has no error table, or it was not created yet.
    NoErrorTable,
    /// The condition is none.
    InvalidCondition,
    /// Another replay of the pipe is under way.
    ReplayUnderWay,
    /// A replay cannot go on without the risk of loading records twice, or leaving them out.
    ReplayHeld,
    /// The store does not answer.
    StoreUnavailable,
    /// The body of the request did not come in time.
    BodyTooSlow,
    /// Where a host of the pipe file leads was not found out in time. Nothing was done.
    LookUpTooSlow,
    /// It took too long.
    TimedOut,
    /// A defect of the service.
    Internal,
}

impl ProblemCode {
    fn status(self) -> StatusCode {
        match self {
            ProblemCode::InvalidRequest => StatusCode::BAD_REQUEST,
            ProblemCode::NoSuchPath
            | ProblemCode::NoSuchPipe
            | ProblemCode::NoSuchToken
            | ProblemCode::NoSuchWork => StatusCode::NOT_FOUND,
            ProblemCode::TooMuchWork => StatusCode::TOO_MANY_REQUESTS,
            ProblemCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ProblemCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ProblemCode::Forbidden | ProblemCode::ForeignOrigin => StatusCode::FORBIDDEN,
            ProblemCode::NameTaken
            | ProblemCode::GroupTaken
            | ProblemCode::LastAdmin
            | ProblemCode::PipeLeaving
            | ProblemCode::PipeGone
            | ProblemCode::ReplayUnderWay => StatusCode::CONFLICT,
            ProblemCode::PipeChanged => StatusCode::PRECONDITION_FAILED,
            ProblemCode::IfMatchRequired => StatusCode::PRECONDITION_REQUIRED,
            ProblemCode::InvalidPipe
            | ProblemCode::InvalidName
            | ProblemCode::PipeRenamed
            | ProblemCode::IdempotencyKeyReused
            | ProblemCode::ResultTooLarge
            | ProblemCode::SourceUnreachable
            | ProblemCode::DestinationUnreachable
            | ProblemCode::RegistryUnreachable
            | ProblemCode::NotAuthenticatedThere
            | ProblemCode::NotAllowedThere
            | ProblemCode::NoSuchTopic
            | ProblemCode::NoSuchTable
            | ProblemCode::SourceRefused
            | ProblemCode::DestinationRefused
            | ProblemCode::SchemaUnusable
            | ProblemCode::ColumnsUnusable
            | ProblemCode::NothingToInfer
            | ProblemCode::NoErrorTable
            | ProblemCode::InvalidCondition
            | ProblemCode::ReplayHeld => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemCode::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ProblemCode::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            ProblemCode::LookUpTooSlow | ProblemCode::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            ProblemCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What is the same of all problems of this kind.
    fn title(self) -> &'static str {
        match self {
            ProblemCode::InvalidRequest => "the request is malformed",
            ProblemCode::NoSuchPath => "there is no such path",
            ProblemCode::MethodNotAllowed => "the path does not know this method",
            ProblemCode::UnsupportedMediaType => "the body has another media type than the call takes",
            ProblemCode::BodyTooLarge => "the body is too large",
            ProblemCode::Unauthenticated => "who are you?",
            ProblemCode::Forbidden => "the token's role does not allow it",
            ProblemCode::ForeignOrigin => "the request came from elsewhere",
            ProblemCode::NoSuchPipe => "there is no such pipe",
            ProblemCode::NoSuchToken => "there is no such token",
            ProblemCode::NameTaken => "the name is taken",
            ProblemCode::InvalidName => "the name cannot be used",
            ProblemCode::GroupTaken => "the consumer group is another pipe's",
            ProblemCode::LastAdmin => "it is the last token of an admin",
            ProblemCode::PipeLeaving => "the pipe is being removed",
            ProblemCode::PipeChanged => "the pipe was changed meanwhile",
            ProblemCode::IfMatchRequired => "say which state of the pipe is meant",
            ProblemCode::InvalidPipe => "the pipe file cannot be used",
            ProblemCode::PipeRenamed => "a pipe keeps its name",
            ProblemCode::IdempotencyKeyReused => "the idempotency key came with another request before",
            ProblemCode::PipeGone => "the pipe of the idempotency key has gone",
            ProblemCode::NoSuchWork => "there is no such work",
            ProblemCode::TooMuchWork => "too much work is under way",
            ProblemCode::ResultTooLarge => "the result is too large",
            ProblemCode::SourceUnreachable => "the brokers are not reached",
            ProblemCode::DestinationUnreachable => "clickhouse is not reached",
            ProblemCode::RegistryUnreachable => "the schema registry is not reached",
            ProblemCode::NotAuthenticatedThere => "an end of the pipe does not know who asks",
            ProblemCode::NotAllowedThere => "an end of the pipe does not allow it",
            ProblemCode::NoSuchTopic => "there is no such topic",
            ProblemCode::NoSuchTable => "there is no such table",
            ProblemCode::SourceRefused => "the brokers refuse it",
            ProblemCode::DestinationRefused => "clickhouse refuses it",
            ProblemCode::SchemaUnusable => "the schema cannot be used",
            ProblemCode::ColumnsUnusable => "the columns cannot be used",
            ProblemCode::NothingToInfer => "there is nothing to infer columns from",
            ProblemCode::NoErrorTable => "there is no error table",
            ProblemCode::InvalidCondition => "the condition cannot be used",
            ProblemCode::ReplayUnderWay => "another replay is under way",
            ProblemCode::ReplayHeld => "the replay cannot go on",
            ProblemCode::StoreUnavailable => "the store does not answer",
            ProblemCode::BodyTooSlow => "the body did not come in time",
            ProblemCode::LookUpTooSlow => "a host could not be looked up in time",
            ProblemCode::TimedOut => "it took too long",
            ProblemCode::Internal => "a defect of housepipe",
        }
    }
}

/// One thing that is wrong with a pipe file, or a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyProblem {
    /// Path of the key, such as `source.offset`; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl From<&FileProblem> for KeyProblem {
    fn from(problem: &FileProblem) -> KeyProblem {
        KeyProblem { key: problem.key.clone(), message: problem.message.clone(), mend: problem.mend.clone() }
    }
}

/// Problem details, as RFC 9457 has them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:housepipe:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What is the same of all problems of this kind.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is the matter with this request, and what to do.
    detail: String,
    /// Which kind of problem it is.
    code: ProblemCode,
    /// What is wrong with a pipe file, or a name, key by key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<KeyProblem>,
}

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Problem {
        let word = serde_json::to_value(code).ok().and_then(|word| word.as_str().map(str::to_owned));
        Problem {
            kind: format!("urn:housepipe:problem:{}", word.unwrap_or_default()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code,
            errors: Vec::new(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        // Texts and numbers: that cannot fail.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"housepipe\""));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        response
    }
}

impl From<PipeFileError> for Problem {
    fn from(error: PipeFileError) -> Problem {
        let shown =
            PipeFileError { problems: error.problems.into_iter().take(ERRORS_MAX).collect(), ..error };
        let errors = shown.problems.iter().map(KeyProblem::from).collect();
        Problem { errors, ..Problem::new(ProblemCode::InvalidPipe, shown.to_string()) }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Problem {
        match error {
            ServiceError::File(error) => error.into(),
            ServiceError::NotLookedUp { .. } => Problem::new(ProblemCode::LookUpTooSlow, error.to_string()),
            ServiceError::Renamed { .. } => Problem::new(ProblemCode::PipeRenamed, error.to_string()),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let code = match &error {
            StoreError::NoPipe(_) => ProblemCode::NoSuchPipe,
            StoreError::NameTaken(_) => ProblemCode::NameTaken,
            StoreError::GroupTaken(_) => ProblemCode::GroupTaken,
            StoreError::Leaving => ProblemCode::PipeLeaving,
            StoreError::NoToken(_) => ProblemCode::NoSuchToken,
            StoreError::TokenName => {
                let (key, mend) =
                    ("name".to_owned(), Some("take another name, such as `dashboard`".to_owned()));
                let errors = vec![KeyProblem { key, message: error.to_string(), mend }];
                return Problem { errors, ..Problem::new(ProblemCode::InvalidName, error.to_string()) };
            }
            StoreError::Forgotten => ProblemCode::Unauthenticated,
            StoreError::LastAdmin => ProblemCode::LastAdmin,
            StoreError::KeyReused => ProblemCode::IdempotencyKeyReused,
            StoreError::Gone(_) => ProblemCode::PipeGone,
            StoreError::Changed(_) => ProblemCode::PipeChanged,
            StoreError::Database(_) | StoreError::Late | StoreError::Refused => {
                // What the database says may name its host and user.
                if let Some(calls) = STORE_SILENT.again() {
                    tracing::error!(calls, error = explain(&error), "the store does not answer as it should");
                }
                let detail = match error.trouble() {
                    Some(trouble) => {
                        format!("{}; pipes go on, and nothing can be changed meanwhile", trouble.words())
                    }
                    None => "try again in a moment; the service's log says more".to_owned(),
                };
                return Problem::new(ProblemCode::StoreUnavailable, detail);
            }
            _ => {
                tracing::error!(error = explain(&error), "the store cannot be used");
                return Problem::new(ProblemCode::Internal, "the service's log says more");
            }
        };
        // What was asked for may be a token where a name belongs.
        Problem::new(code, masked::sentence(&error.to_string()))
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Problem {
        let code = match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
            StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::BodyTooLarge,
            _ => ProblemCode::InvalidRequest,
        };
        Problem::new(code, rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Problem {
        Problem::new(ProblemCode::InvalidRequest, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::new(ProblemCode::InvalidRequest, rejection.body_text())
    }
}
