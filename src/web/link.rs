//! Private links of builders: read-only, lasting until they are taken back.
//!
//! Opening one changes nothing, so that mail scanners may follow it; the button on its page is what opens the record.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::auth::{self, BUILDER_COOKIE, cookie_line};
use super::error::WebError;
use super::frame::{Frame, NAME};
use super::public::answer;
use super::state::AppState;
use crate::flow::secret_hash;
use crate::render::short;

#[derive(Template)]
#[template(path = "staff/link.html", whitespace = "minimize")]
struct LinkPage {
    frame: Frame,
    name: String,
    secret: String,
}

/// `GET /link/{secret}`
pub(crate) async fn page(State(state): State<AppState>, secret: Result<Path<String>, PathRejection>) -> Response {
    answer(&state, async {
        let Path(secret) = secret.map_err(|_| WebError::NotFound)?;
        let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
        let (_, _, name) = desk.ctx.store.builder_of_link(&secret_hash(&secret), None).await?.ok_or(WebError::NotFound)?;
        Ok(Html(LinkPage { frame: Frame::of(&state, ""), name: short(&name, NAME), secret }.render()?).into_response())
    })
    .await
}

/// `POST /link/{secret}`
pub(crate) async fn enter(State(state): State<AppState>, secret: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    answer(&state, async {
        let Path(secret) = secret.map_err(|_| WebError::NotFound)?;
        let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
        let now = desk.ctx.clock.now();
        let hash = secret_hash(&secret);
        let (_, slug, name) = desk.ctx.store.builder_of_link(&hash, Some(now)).await?.ok_or(WebError::NotFound)?;
        let cookie = auth::open_builder_session(&desk.ctx, &name, hash, &headers, now).await?;
        let mut response = Redirect::to(&format!("{}/builders/{slug}", state.base)).into_response();
        let line = cookie.and_then(|cookie| cookie_line(&state.web, Some(&cookie), Some(BUILDER_COOKIE)));
        response.headers_mut().append(header::SET_COOKIE, line.ok_or(WebError::NotFound)?);
        Ok(response)
    })
    .await
}
