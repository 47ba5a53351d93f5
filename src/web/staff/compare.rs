//! *Compare*: this week's draft against the one before the edits, and against last week's digest; and what a refresh
//! would change.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::{Frame, NAME, TITLE};
use super::super::public::answer;
use super::super::state::AppState;
use super::week::sentence;
use super::{WeekPath, ctx, current_week, view, week_in, week_of};
use crate::digest;
use crate::flow::{self, EditError};
use crate::model::Difference;
use crate::render::short;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct CompareQuery {
    #[serde(default)]
    week: String,
}

struct Lines {
    head: &'static str,
    lines: Vec<String>,
}

struct Compared {
    name: String,
    groups: Vec<Lines>,
    shares: Vec<(String, i64, i64)>,
}

#[derive(Template)]
#[template(path = "staff/compare.html", whitespace = "minimize")]
struct ComparePage {
    frame: Frame,
    me: Visitor,
    week: String,
    parts: Vec<Compared>,
}

#[derive(Template)]
#[template(path = "staff/refresh.html", whitespace = "minimize")]
struct RefreshPage {
    frame: Frame,
    me: Visitor,
    week: String,
    revision: u32,
    draft: String,
    notices: Vec<String>,
    part: Compared,
    fault: Option<String>,
}

impl Compared {
    fn of(name: String, difference: &Difference) -> Self {
        let titles = |list: &[(crate::model::ActivityId, String)]| list.iter().map(|(_, title)| short(title, TITLE)).collect::<Vec<_>>();
        let moved = difference.moved.iter().map(|(_, title, from, to)| format!("{}: from {from} to {to}", short(title, TITLE))).collect();
        let lead = difference.lead.iter().map(|(before, after)| {
            let named = |title: &Option<String>| title.as_deref().map_or_else(|| "nothing".to_owned(), |title| short(title, TITLE));
            format!("{}, before that {}", named(after), named(before))
        });
        let groups = [
            ("In", titles(&difference.added)),
            ("Out", titles(&difference.removed)),
            ("Moved", moved),
            ("Reworded", titles(&difference.reworded)),
            ("Leads", lead.collect()),
        ];
        Self {
            name,
            groups: groups.into_iter().filter(|(_, lines)| !lines.is_empty()).map(|(head, lines)| Lines { head, lines }).collect(),
            shares: difference.shares.iter().map(|(name, before, after)| (short(name, NAME), *before, *after)).collect(),
        }
    }
}

/// `GET /staff/compare`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    query: Result<Query<CompareQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let week = if query.week.is_empty() { current_week(&state).await? } else { week_of(&state, &query.week)? };
        let ctx = ctx(&state)?;
        let mut parts = Vec::new();
        let now = match ctx.store.desk(week).await? {
            Some(row) => {
                let now = row.desk.digest;
                let before = ctx.store.draft_before_edits(week).await?;
                let difference = before.map(|before| digest::difference(&before, &now)).unwrap_or_default();
                parts.push(Compared::of("Against the draft before the edits".to_owned(), &difference));
                now
            }
            None => view(&state, week).await?.digest.clone(),
        };
        let before = ctx.store.digest_states().await?.into_iter().map(|(known, _)| known).find(|known| *known < week);
        if let Some(before) = before
            && let Some(row) = ctx.store.desk(before).await?
        {
            parts.push(Compared::of(format!("Against {before}"), &digest::difference(&row.desk.digest, &now)));
        }
        let page = ComparePage { frame: Frame::of(&state, "compare"), me, week: week.to_string(), parts };
        Ok(Html(page.render()?).into_response())
    })
    .await
}

/// `GET /staff/week/{week}/refresh`
pub(crate) async fn refresh(State(state): State<AppState>, Extension(me): Extension<Visitor>, week: WeekPath) -> Response {
    answer(&state, async {
        let week = week_in(&state, week)?;
        let name = "What would change".to_owned();
        let (preview, fault) = match flow::preview_refresh(ctx(&state)?, week).await {
            Ok(preview) => (Some(preview), None),
            Err(EditError::Store(error)) => return Err(error.into()),
            Err(error) => (None, Some(error.to_string())),
        };
        let page = RefreshPage {
            frame: Frame::of(&state, "staff"),
            me,
            week: week.to_string(),
            revision: preview.as_ref().map_or(0, |preview| preview.revision),
            draft: preview.as_ref().map(|preview| preview.token.clone()).unwrap_or_default(),
            notices: preview.iter().flat_map(|preview| &preview.notices).map(|notice| sentence(&notice.text)).collect(),
            part: Compared::of(name, &preview.map(|preview| preview.difference).unwrap_or_default()),
            fault,
        };
        Ok(Html(page.render()?).into_response())
    })
    .await
}
