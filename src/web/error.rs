//! What a visitor sees when there is nothing to see: a calm page that says so, and nothing of our insides.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::frame::Frame;
use super::state::{AppState, PagesError};

/// Why a page is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error("nothing is at this address")]
    NotFound,
    #[error("the address cannot be read")]
    BadRequest,
    #[error("this page can only be read")]
    MethodNotAllowed,
    #[error(transparent)]
    Pages(#[from] PagesError),
    #[error("the page could not be filled in: {0}")]
    Template(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "pages/message.html", whitespace = "minimize")]
struct Message<'a> {
    frame: Frame,
    title: &'a str,
    text: &'a str,
}

impl WebError {
    /// The answer to a visitor. What went wrong with us is logged here, once.
    pub(crate) fn page(&self, state: &AppState) -> Response {
        let (status, title, text) = match self {
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "Not found", "There is no page at this address. It may never have been, or it may not be public.")
            }
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Not understood", "The address cannot be read. Please check it."),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Not possible here", "This page can only be read."),
            Self::Pages(_) | Self::Template(_) => {
                tracing::error!(error = %self, "a page could not be made: {self}");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong",
                    "The page could not be made. The fault is ours and has been noted. Please try again in a while.",
                )
            }
        };
        message(state, status, title, text)
    }
}

impl From<crate::store::StoreError> for WebError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Pages(error.into())
    }
}

impl From<crate::flow::EditError> for WebError {
    fn from(error: crate::flow::EditError) -> Self {
        Self::Pages(super::PagesError(error.to_string()))
    }
}

/// A page of one sentence.
pub(crate) fn message(state: &AppState, status: StatusCode, title: &str, text: &str) -> Response {
    let page = Message { frame: Frame::of(state, ""), title, text }.render().unwrap_or_else(|_| title.to_owned());
    let mut response = (status, Html(page)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
