//! Whether the process lives, and whether it can serve.

use axum::extract::State;
use axum::http::StatusCode;

use super::Api;

/// The path of [`alive`].
pub(crate) const ALIVE: &str = "/healthz";
/// The path of [`ready`].
pub(crate) const READY: &str = "/readyz";

/// Answers as long as the process runs.
#[utoipa::path(get, path = ALIVE, tag = "health", operation_id = "healthz", security(()), responses((status = 200, body = String)))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Answers 200 while the store answers and can be written, and what is wanted is followed. A pipe that has failed does not make the service unready.
#[utoipa::path(
    get, path = READY, tag = "health", operation_id = "readyz", security(()),
    responses((status = 200, body = String), (status = 503, body = String))
)]
pub(crate) async fn ready(State(api): State<Api>) -> (StatusCode, String) {
    let told = api.service.store().last_event().await;
    if let Some(trouble) = api.service.store().trouble() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", trouble.words()));
    }
    match told {
        Ok(_) if !api.service.follows() => (
            StatusCode::SERVICE_UNAVAILABLE,
            "what is wanted of the pipes cannot be followed at the moment\n".to_owned(),
        ),
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => {
            tracing::warn!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n".to_owned())
        }
    }
}
