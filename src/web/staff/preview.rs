//! How the digest will look in each of its outputs, before it is approved.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::Frame;
use super::super::public::answer;
use super::super::state::AppState;
use super::chat::{self, Count, Message};
use super::{KindPath, WeekPath, ctx, kind_in, view, week_in};
use crate::flow;
use crate::model::{Digest, Week};
use crate::render::{self, Format, Used};
use crate::store::DigestRow;

/// The page that shows an output in a frame: frames of our own alone.
const WITH_FRAME: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; frame-src 'self'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";
/// An output in its frame. Mails carry their styles with them, since mail programs read no style sheets; nothing runs.
const FRAMED: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'";

struct Tab {
    to: String,
    label: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "staff/preview.html", whitespace = "minimize")]
struct PreviewPage {
    frame: Frame,
    me: Visitor,
    week: String,
    tabs: Vec<Tab>,
    label: &'static str,
    /// What to show in a frame, or as text.
    framed: Option<String>,
    text: String,
    /// As people will see it in a chat; what is posted is then shown behind it.
    messages: Vec<Message>,
    counts: Vec<Count>,
}

/// What can be looked at: the name in the address, and the label.
fn kinds() -> Vec<(String, &'static str)> {
    let mut kinds = vec![("mail-light".to_owned(), "Mail, light"), ("mail-dark".to_owned(), "Mail, dark"), ("page".to_owned(), "Web page")];
    let label = |format: Format| match format {
        Format::Md => Some("Markdown"),
        Format::Txt => Some("Mail, plain"),
        Format::Json => Some("JSON"),
        Format::Slack => Some("Slack"),
        Format::Discord => Some("Discord"),
        Format::Teams => Some("Teams"),
        // Posts have a page of their own, and the mail is shown as a reader sees it.
        Format::Html | Format::Eml | Format::Atom | Format::Social => None,
    };
    kinds.extend(Format::ALL.into_iter().filter_map(|format| Some((format.name().to_owned(), label(format)?))));
    kinds
}

/// `GET /staff/week/{week}/preview`
pub(crate) async fn first(State(state): State<AppState>, Extension(me): Extension<Visitor>, week: WeekPath) -> Response {
    answer(&state, async { shown(&state, me, week_in(&state, week)?, "mail-light").await }).await
}

/// `GET /staff/week/{week}/preview/{format}`
pub(crate) async fn page(State(state): State<AppState>, Extension(me): Extension<Visitor>, path: KindPath) -> Response {
    answer(&state, async {
        let (week, kind) = kind_in(&state, path)?;
        shown(&state, me, week, &kind).await
    })
    .await
}

async fn shown(state: &AppState, me: Visitor, week: Week, kind: &str) -> Result<Response, WebError> {
    let kinds = kinds();
    let (_, label) = *kinds.iter().find(|(name, _)| *name == kind).ok_or(WebError::NotFound)?;
    let base = format!("{}/staff/week/{week}", state.base);
    let framed = matches!(kind, "mail-light" | "mail-dark" | "page").then(|| format!("{base}/frame/{kind}"));
    let bytes = output(state, week, kind).await?;
    let messages = match kind.parse() {
        Ok(format @ (Format::Slack | Format::Discord | Format::Teams)) => chat::messages(format, &bytes),
        _ => Vec::new(),
    };
    let page = PreviewPage {
        frame: Frame::of(state, "staff"),
        me,
        week: week.to_string(),
        tabs: kinds.iter().map(|(name, label)| Tab { to: format!("{base}/preview/{name}"), label, chosen: *name == kind }).collect(),
        label,
        counts: used(kind, &bytes).map_err(|error| failed(&error))?.into_iter().map(Count::of).collect(),
        text: if framed.is_some() { String::new() } else { bytes },
        messages,
        framed,
    };
    let mut response = Html(page.render()?).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(WITH_FRAME));
    Ok(response)
}

/// What an output uses of its limit, where it has one as a whole.
fn used(kind: &str, bytes: &str) -> Result<Option<Used>, render::RenderError> {
    if kind.starts_with("mail-") { render::mail_use(bytes).map(Some) } else { Ok(None) }
}

fn failed(error: &render::RenderError) -> WebError {
    WebError::Pages(super::super::PagesError(error.to_string()))
}

/// `GET /staff/week/{week}/frame/{format}`: an output as it is, to be shown inside a page of ours.
pub(crate) async fn framed(State(state): State<AppState>, path: KindPath) -> Response {
    answer(&state, async {
        let (week, kind) = kind_in(&state, path)?;
        if !matches!(kind.as_str(), "mail-light" | "mail-dark" | "page") {
            return Err(WebError::NotFound);
        }
        let mut response = Html(output(&state, week, &kind).await?).into_response();
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FRAMED));
        Ok(response)
    })
    .await
}

async fn output(state: &AppState, week: Week, kind: &str) -> Result<String, WebError> {
    let (digest, context) = match flow::digest_now(ctx(state)?, week).await? {
        Some(row) => (row.digest.clone(), context(state, Some(&row))?),
        None => (view(state, week).await?.digest.clone(), context(state, None)?),
    };
    written(&digest, &context, kind)
}

/// What the outputs of a week are written with, whether its draft is made or not.
pub(crate) async fn context_of(state: &AppState, week: Week) -> Result<render::Context, WebError> {
    context(state, ctx(state)?.store.digest(week).await?.as_ref())
}

fn context(state: &AppState, row: Option<&DigestRow>) -> Result<render::Context, WebError> {
    let ctx = ctx(state)?;
    Ok(row.map_or_else(|| crate::flow::running_context(ctx), |row| crate::flow::render_context(ctx, row)))
}

fn written(digest: &Digest, context: &render::Context, kind: &str) -> Result<String, WebError> {
    match kind {
        "mail-light" | "mail-dark" => render::mail_html(digest, context, kind == "mail-dark").map_err(|error| failed(&error)),
        "page" => render::render(digest, context, Format::Html)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|error| failed(&error)),
        name => {
            let format: Format = name.parse().map_err(|_| WebError::NotFound)?;
            let bytes = render::render(digest, context, format).map_err(|error| failed(&error))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}
