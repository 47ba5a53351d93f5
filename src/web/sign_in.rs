//! Signing in and out.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::auth::{self, Desk, Fields, Peer, Visitor, address_of, cookie_line, cookie_name};
use super::error::WebError;
use super::frame::{Frame, Moment};
use super::public::answer;
use super::state::AppState;
use crate::flow::{account_key, check_password, secret_hash};
use crate::model::UserRole;
use crate::render::short;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ToQuery {
    #[serde(default)]
    to: String,
}

#[derive(Template)]
#[template(path = "staff/sign_in.html", whitespace = "minimize")]
struct SignIn {
    frame: Frame,
    /// What went wrong.
    fault: Option<&'static str>,
    /// Why nobody can sign in here.
    closed: Option<&'static str>,
    name: String,
    to: String,
}

const WRONG: &str = "The name or the password is not right.";
const TOO_MANY: &str = "There were too many tries. Wait a quarter of an hour, then try again.";
const NOT_HERE: &str = "Nobody can sign in over plain http from elsewhere: the operator has to set web.public_url to an https address.";
const NOBODY: &str = "Nobody can sign in yet: the operator adds people with the command “clarion user add NAME --role staff”.";

/// `GET /sign-in`
pub(crate) async fn page(State(state): State<AppState>, query: Result<Query<ToQuery>, QueryRejection>) -> Response {
    answer(&state, async {
        let to = query.map(|Query(query)| query.to).unwrap_or_default();
        show(&state, StatusCode::OK, None, "", &to).await
    })
    .await
}

async fn show(state: &AppState, status: StatusCode, fault: Option<&'static str>, name: &str, to: &str) -> Result<Response, WebError> {
    let closed = match &state.desk {
        None => Some(NOBODY),
        Some(_) if cookie_name(&state.web).is_none() => Some(NOT_HERE),
        Some(desk) if !desk.ctx.store.has_accounts().await? => Some(NOBODY),
        Some(_) => None,
    };
    let page = SignIn { frame: Frame::of(state, ""), fault, closed, name: short(name, 80), to: local(state, to).unwrap_or_default() };
    let mut response = (status, Html(page.render()?)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// An address of ours to go on to: never one elsewhere, however it is written.
fn local(state: &AppState, to: &str) -> Option<String> {
    let fits = to.starts_with('/')
        && to.len() <= 500
        && !to.starts_with("//")
        && to.chars().all(|c| c.is_ascii_graphic() && c != '\\')
        && to.starts_with(state.base.as_ref());
    fits.then(|| to.to_owned())
}

/// `POST /sign-in`
pub(crate) async fn enter(
    State(state): State<AppState>,
    Extension(fields): Extension<Fields>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    answer(&state, async {
        let (name, to) = (fields.get("name"), fields.get("to"));
        let Some(desk) = &state.desk else { return show(&state, StatusCode::FORBIDDEN, None, "", to).await };
        if cookie_name(&state.web).is_none() {
            return show(&state, StatusCode::FORBIDDEN, None, "", to).await;
        }
        let now = desk.ctx.clock.now();
        let address = address_of(&state.web, peer.as_ref().map(|Extension(peer)| peer), &headers);
        let key = account_key(name);
        if key.is_empty() || name.len() > 400 || fields.get("password").is_empty() {
            return show(&state, StatusCode::UNPROCESSABLE_ENTITY, Some(WRONG), name, to).await;
        }
        if !desk.throttle.admits(&key, address, now) {
            tracing::warn!("too many tries to sign in from {address}");
            return show(&state, StatusCode::TOO_MANY_REQUESTS, Some(TOO_MANY), name, to).await;
        }
        let place = desk.checks.acquire().await;
        let found = check_password(&desk.ctx, name, fields.get("password").to_owned().into()).await?;
        drop(place);
        let Some(account) = found else {
            desk.ctx.store.audit("", "sign_in_failed", &format!("{} from {address}", short(name, 80)), now).await?;
            return show(&state, StatusCode::UNPROCESSABLE_ENTITY, Some(WRONG), name, to).await;
        };
        desk.throttle.forgive(&key, address);
        end_old(desk, &state, &headers).await?;
        let secret = auth::open_session(&desk.ctx, &account, &headers, now).await?;
        let secret = secret.ok_or_else(|| WebError::Pages(super::PagesError("no random numbers".into())))?;
        let to = match local(&state, to) {
            Some(to) => to,
            None => format!("{}/account", state.base),
        };
        let mut response = Redirect::to(&to).into_response();
        if let Some(line) = cookie_line(&state.web, Some(&secret), None) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
        Ok(response)
    })
    .await
}

/// A session that the browser still held ends: a new one has a secret of its own.
async fn end_old(desk: &Desk, state: &AppState, headers: &HeaderMap) -> Result<(), WebError> {
    if let Some(old) = auth::session_cookie(&state.web, headers) {
        let hash = secret_hash(old);
        if let Some(session) = desk.ctx.store.session(&hash).await? {
            desk.ctx.store.close_session(&hash, &session.name, false, desk.ctx.clock.now()).await?;
        }
    }
    Ok(())
}

struct SessionLine {
    agent: String,
    opened: Moment,
    used: Moment,
}

#[derive(Template)]
#[template(path = "staff/account.html", whitespace = "minimize")]
struct AccountPage {
    frame: Frame,
    me: Visitor,
    roles: String,
    sessions: Vec<SessionLine>,
}

/// `GET /account`
pub(crate) async fn account(State(state): State<AppState>, Extension(me): Extension<Visitor>) -> Response {
    answer(&state, async {
        let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
        let now = desk.ctx.clock.now();
        let sessions = desk.ctx.store.sessions_of(&account_key(&me.name)).await?;
        let roles: Vec<&str> = me
            .roles
            .iter()
            .map(|role| match role {
                UserRole::Public => "reader",
                UserRole::Builder => "builder",
                UserRole::Staff => "staff",
                UserRole::Operator => "operator",
            })
            .collect();
        let sessions = sessions.into_iter().filter(|_| me.builder.is_none()).map(|session| SessionLine {
            agent: session.agent,
            opened: Moment::of(session.opened_at, now),
            used: Moment::of(session.used_at, now),
        });
        let page = AccountPage { frame: Frame::of(&state, "account"), roles: roles.join(", "), sessions: sessions.collect(), me };
        Ok(Html(page.render()?).into_response())
    })
    .await
}

/// `POST /sign-out`
pub(crate) async fn leave(State(state): State<AppState>, Extension(me): Extension<Visitor>) -> Response {
    end(&state, &me, false).await
}

/// `POST /sign-out-everywhere`
pub(crate) async fn leave_everywhere(State(state): State<AppState>, Extension(me): Extension<Visitor>) -> Response {
    end(&state, &me, true).await
}

async fn end(state: &AppState, me: &Visitor, everywhere: bool) -> Response {
    answer(state, async {
        let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
        desk.ctx.store.close_session(&me.session, &me.name, everywhere, desk.ctx.clock.now()).await?;
        let mut response = Redirect::to(&format!("{}/sign-in", state.base)).into_response();
        if let Some(line) = cookie_line(&state.web, None, None) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
        Ok(response)
    })
    .await
}
