//! *Archive*: every week, and what was published in it, found by builder, service or word.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::{Frame, NAME, TITLE, counted};
use super::super::public::answer;
use super::super::state::AppState;
use super::{ctx, published};
use crate::flow::{Place, PublishedWeek};
use crate::model::Week;
use crate::render::{date_span, kind_label, short, web_address};
use crate::text::fold;

/// The most places found that are shown.
const FOUND: usize = 200;
/// Weeks that are shown without a search.
const WEEKS: usize = 106;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ArchiveQuery {
    #[serde(default)]
    q: String,
}

struct WeekLine {
    week: String,
    span: String,
    state: &'static str,
    tone: &'static str,
    counts: String,
    lead: Option<String>,
    corrected: bool,
}

struct PlaceLine {
    week: String,
    position: u32,
    kind: &'static str,
    title: String,
    url: Option<String>,
    by: String,
    about: String,
    corrected: bool,
}

#[derive(Template)]
#[template(path = "staff/archive.html", whitespace = "minimize")]
struct ArchivePage {
    frame: Frame,
    me: Visitor,
    q: String,
    counts: String,
    weeks: Vec<WeekLine>,
    places: Vec<PlaceLine>,
}

/// `GET /staff/archive`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    query: Result<Query<ArchiveQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let q = short(&query.q, 100);
        let published = published(&state).await?;
        let ctx = ctx(&state)?;
        let corrected: Vec<Week> =
            ctx.store.corrections(Timestamp::MIN, Timestamp::MAX).await?.into_iter().map(|correction| correction.week).collect();
        let (mut weeks, mut places) = (Vec::new(), Vec::new());
        let counts;
        if q.trim().is_empty() {
            let states = ctx.store.digest_states().await?;
            counts = format!("{}.", counted(states.len() as u64, "week", "weeks"));
            for (week, found) in states.into_iter().take(WEEKS) {
                let whole = published.iter().find(|known| known.week == week);
                weeks.push(WeekLine::of(week, found, whole, corrected.contains(&week)));
            }
        } else {
            let found: Vec<&Place> = published.iter().flat_map(|week| &week.places).filter(|place| holds(place, &q)).collect();
            counts = format!("{} found.", counted(found.len() as u64, "work", "works"));
            places = found.into_iter().take(FOUND).map(|place| PlaceLine::of(place, corrected.contains(&place.week))).collect();
        }
        Ok(Html(ArchivePage { frame: Frame::of(&state, "archive"), me, q, counts, weeks, places }.render()?).into_response())
    })
    .await
}

/// Whether every word stands somewhere in a place, whatever its case and width.
fn holds(place: &Place, q: &str) -> bool {
    let names: Vec<&str> = place.builders.iter().map(|(_, name)| name.as_str()).collect();
    let text = fold(&format!(
        "{} {} {} {} {} {} {} {}",
        place.title,
        place.title_gloss.as_deref().unwrap_or_default(),
        place.summary.as_deref().unwrap_or_default(),
        names.join(" "),
        place.services.join(" "),
        place.category_name,
        place.url,
        place.week
    ));
    fold(q).split_whitespace().all(|word| text.contains(word))
}

impl WeekLine {
    fn of(week: Week, state: crate::model::DigestState, whole: Option<&PublishedWeek>, corrected: bool) -> Self {
        use crate::model::DigestState;
        let (word, tone) = match state {
            DigestState::Collecting => ("Collecting", "plainly"),
            DigestState::Draft => ("Draft", "warn"),
            DigestState::InReview => ("In review", "warn"),
            DigestState::Approved => ("Approved", "good"),
            DigestState::Published => ("Published", "good"),
        };
        Self {
            week: week.to_string(),
            span: format!("Week {} · {}", week.number(), date_span(week)),
            state: word,
            tone,
            counts: whole.map(|whole| counted(whole.places.len() as u64, "work", "works")).unwrap_or_default(),
            lead: whole.and_then(|whole| whole.places.iter().find(|place| place.lead)).map(|place| short(&place.title, TITLE)),
            corrected,
        }
    }
}

impl PlaceLine {
    fn of(place: &Place, corrected: bool) -> Self {
        let names: Vec<&str> = place.builders.iter().map(|(_, name)| name.as_str()).collect();
        let mut about = vec![place.category_name.clone()];
        about.extend(place.services.iter().cloned());
        Self {
            week: place.week.to_string(),
            position: place.position,
            kind: kind_label(place.kind),
            title: short(&place.title, TITLE),
            url: web_address(&place.url),
            by: short(&names.join(", "), NAME),
            about: short(&about.join(", "), TITLE),
            corrected,
        }
    }
}
