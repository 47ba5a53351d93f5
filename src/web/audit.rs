//! The audit log: who did what, and when.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::auth::Visitor;
use super::error::WebError;
use super::frame::{Frame, Moment, NAME, Pager, TITLE};
use super::public::answer;
use super::state::AppState;
use crate::model::{AuditLine, masked_text};
use crate::render::short;

/// Lines on one page.
const LINES: u32 = 100;
/// The last page that can be turned to.
const LAST: u64 = 1_000;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct AuditQuery {
    #[serde(default)]
    who: String,
    #[serde(default)]
    page: String,
}

struct Line {
    at: Moment,
    who: String,
    /// The same, for the address that shows them alone.
    who_query: String,
    what: String,
    about: String,
    /// What else the decision says, each with its name.
    details: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "staff/audit.html", whitespace = "minimize")]
struct Audit {
    frame: Frame,
    me: Visitor,
    who: String,
    lines: Vec<Line>,
    pager: Pager,
}

/// `GET /staff/audit`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
        let who = short(&query.who, NAME);
        let page = query.page.parse::<u64>().unwrap_or(1).clamp(1, LAST);
        let skip = u32::try_from((page - 1) * u64::from(LINES)).unwrap_or(u32::MAX);
        // One more than is shown tells whether there is a next page.
        let asked = (!who.is_empty()).then_some(who.as_str());
        let mut lines = desk.ctx.store.audit_lines(asked, skip, LINES + 1).await?;
        let more = lines.len() > LINES as usize;
        lines.truncate(LINES as usize);
        let link = |page: u64| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("who", &who)
                .append_pair("page", &page.to_string())
                .finish();
            format!("{}/staff/audit?{query}", state.base)
        };
        let known = if more { page + 1 } else { page };
        let pager = Pager::of(page, known * u64::from(LINES), u64::from(LINES), link);
        let now = state.clock.now();
        let lines = lines.iter().map(|line| Line::of(line, now)).collect();
        Ok(Html(Audit { frame: Frame::of(&state, "audit"), me, who, lines, pager }.render()?).into_response())
    })
    .await
}

impl Line {
    fn of(line: &AuditLine, now: jiff::Timestamp) -> Self {
        let who = short(&line.who, NAME);
        Self {
            at: Moment::of(line.at, now),
            who_query: url::form_urlencoded::byte_serialize(line.who.as_bytes()).collect(),
            who: if who.is_empty() { "nobody known".to_owned() } else { who },
            what: what(line),
            about: short(&masked_text(&line.about), TITLE),
            details: line.detail.as_deref().map(details).unwrap_or_default(),
        }
    }
}

/// What was done in words; of edits and marks with which: `edit: pin`.
fn what(line: &AuditLine) -> String {
    let told: Option<Value> = line.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
    let which = told.as_ref().and_then(|told| told.get("what")?.get(&line.what)?.as_str());
    match which {
        Some(which) => format!("{}: {}", line.what, which.replace('_', " ")),
        None => line.what.replace('_', " "),
    }
}

/// What a decision says beside who and what, whatever kind it is of.
fn details(body: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(told)) = serde_json::from_str(body) else { return Vec::new() };
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    told.iter()
        .filter(|(key, value)| !matches!(key.as_str(), "by" | "decision") && !value.is_null())
        .map(|(key, value)| (key.replace('_', " "), short(&masked_text(&shown(value)), TITLE)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_of_any_kind_are_told() {
        let told = details(r#"{"by":"Edith","decision":"swap","week":"2026-W47","for_work":"a1","note":null,"count":2}"#);
        let told: Vec<_> = told.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(told, [("count", "2"), ("for work", "a1"), ("week", "2026-W47")]);
        assert!(details("nonsense").is_empty() && details("[]").is_empty());
    }
}
