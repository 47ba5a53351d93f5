//! Whether the daemon lives, whether it is ready, and its metrics: short plain texts for other programs.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::state::AppState;

/// `GET /healthz`: it answers, so it lives.
pub(crate) async fn live() -> Response {
    plain(StatusCode::OK, "ok\n".to_owned())
}

/// `GET /readyz`: 200, or 503 with what is in the way, a line each.
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    match state.pages.health().await {
        Ok(health) if health.problems.is_empty() => plain(StatusCode::OK, "ready\n".to_owned()),
        Ok(health) => plain(StatusCode::SERVICE_UNAVAILABLE, health.problems.join("\n") + "\n"),
        Err(error) => {
            tracing::error!(error = %error, "health could not be told: {error}");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n".to_owned())
        }
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    match state.pages.metrics().await {
        Ok(text) => {
            let mut response = plain(StatusCode::OK, text);
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
            response
        }
        Err(error) => {
            tracing::error!(error = %error, "metrics could not be told: {error}");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "metrics could not be told\n".to_owned())
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
