//! The staff's pages: the week from running candidates to published, its comparison, archive and balance, and the reply
//! to whoever misses a post.
//!
//! Every page works without scripts: what changes something is a form. Rules are asked of `flow`; here is only how they
//! are shown, and where a reader's eye and focus go afterwards.

pub(crate) mod act;
pub(crate) mod archive;
pub(crate) mod balance;
mod chat;
pub(crate) mod compare;
pub(crate) mod posts;
pub(crate) mod preview;
pub(crate) mod reply;
pub(crate) mod week;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use jiff::{SignedDuration, Timestamp};

use super::error::WebError;
use super::state::AppState;
use crate::flow::{self, Context, PublishedWeek};
use crate::model::{ActivityId, DigestState, DraftView, Seq, Week};

/// How long a draft that nobody edits is read before its links are asked again.
const GLANCE_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The running candidates as they were last computed, and up to where the log was settled and went then: as long as it has not
/// moved, nothing else would come of it.
#[derive(Default)]
pub(crate) struct Running(Mutex<Option<(Place, Arc<DraftView>)>>);

type Place = (Seq, Seq);

impl Running {
    fn get(&self, week: Week, place: Place) -> Option<Arc<DraftView>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, view) = kept.as_ref()?;
        (*at == place && view.week == week).then(|| Arc::clone(view))
    }

    fn keep(&self, view: &Arc<DraftView>, place: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((place, Arc::clone(view)));
    }
}

/// The drafts whose links are asked while somebody reads them, each as it stood: week and revision, and when they were.
#[derive(Default)]
pub(crate) struct Glances(Mutex<HashMap<(Week, u32), Timestamp>>);

impl Glances {
    /// Whether nobody has asked for this one of late; whoever is told so asks.
    fn is_due(&self, week: Week, revision: u32, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now.duration_since(*at).abs() < GLANCE_FOR);
        asked.insert((week, revision), now).is_none_or(|at| now.duration_since(at).abs() >= GLANCE_FOR)
    }
}

/// Asks the links of a draft in the background, so that an approval need not wait for them, nor surprise with them.
pub(crate) fn glance_at_links(state: &AppState, seen: &DraftView) {
    let Some(desk) = state.desk.as_ref().filter(|_| seen.editable) else { return };
    if !desk.glances.is_due(seen.week, seen.revision, desk.ctx.clock.now()) {
        return;
    }
    let (ctx, week) = (desk.ctx.clone(), seen.week);
    tokio::spawn(async move {
        if let Err(error) = flow::ask_links_of(&ctx, week).await {
            tracing::warn!(error = %error, "the links of {week} could not be looked at: {error}");
        }
    });
}

/// Published weeks as they were last read, each with its edition: they are large, and change with corrections alone.
#[derive(Default)]
pub(crate) struct Published(Mutex<Kept>);

/// The weeks with their editions, and what was read of them.
type Kept = (Vec<(Week, u32)>, Arc<Vec<PublishedWeek>>);

/// Every published week, latest first.
pub(crate) async fn published(state: &AppState) -> Result<Arc<Vec<PublishedWeek>>, WebError> {
    let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
    let known = desk.ctx.store.published_weeks().await?;
    {
        let kept = desk.published.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 == known {
            return Ok(Arc::clone(&kept.1));
        }
    }
    let read = Arc::new(flow::published_weeks(&desk.ctx).await?);
    *desk.published.0.lock().unwrap_or_else(PoisonError::into_inner) = (known, Arc::clone(&read));
    Ok(read)
}

/// The context, where there is one.
pub(crate) fn ctx(state: &AppState) -> Result<&Context, WebError> {
    state.desk.as_ref().map(|desk| &desk.ctx).ok_or(WebError::NotFound)
}

/// The beginning of a work's id, for the ids of elements: enough to tell the works of one page apart.
pub(crate) fn short_id(work: &ActivityId) -> String {
    work.as_str().chars().take(10).collect()
}

/// A week of an address. One that lies far off is none.
pub(crate) fn week_of(state: &AppState, text: &str) -> Result<Week, WebError> {
    let week: Week = text.parse().map_err(|_| WebError::NotFound)?;
    let now = Week::of(state.clock.now());
    let apart = week.weeks_since(now);
    // What is to come has no candidates, and nothing was made before there was a program.
    if !(-2_000..=0).contains(&apart) || week.to_string() != text { Err(WebError::NotFound) } else { Ok(week) }
}

/// The week in the path of an address.
pub(crate) type WeekPath = Result<Path<String>, PathRejection>;
/// The week, and what of it.
pub(crate) type KindPath = Result<Path<(String, String)>, PathRejection>;

/// The week that a path names.
pub(crate) fn week_in(state: &AppState, path: WeekPath) -> Result<Week, WebError> {
    let Path(week) = path.map_err(|_| WebError::NotFound)?;
    week_of(state, &week)
}

/// The week that a path names, and what of it.
pub(crate) fn kind_in(state: &AppState, path: KindPath) -> Result<(Week, String), WebError> {
    let Path((week, kind)) = path.map_err(|_| WebError::NotFound)?;
    Ok((week_of(state, &week)?, kind))
}

/// The week that wants attention: the newest draft that is not out yet, else the one that is running.
pub(crate) async fn current_week(state: &AppState) -> Result<Week, WebError> {
    let ctx = ctx(state)?;
    let newest = ctx.store.digest_states().await?.into_iter().next();
    Ok(match newest {
        Some((week, found)) if found != DigestState::Published => week,
        Some((week, _)) => week.next().min(Week::of(state.clock.now())),
        None => Week::last_whole(state.clock.now()),
    })
}

/// What editors see of a week.
pub(crate) async fn view(state: &AppState, week: Week) -> Result<Arc<DraftView>, WebError> {
    let desk = state.desk.as_ref().ok_or(WebError::NotFound)?;
    let (ctx, running) = (&desk.ctx, &desk.running);
    if ctx.store.head(week).await?.is_some() {
        return Ok(Arc::new(flow::draft_view(ctx, week).await?));
    }
    flow::settle(ctx).await?;
    let place = ctx.store.settled_and_last().await?;
    if let Some(view) = running.get(week, place) {
        return Ok(view);
    }
    let view = Arc::new(flow::draft_view(ctx, week).await?);
    if view.state == DigestState::Collecting && ctx.store.settled_and_last().await? == place {
        running.keep(&view, place);
    }
    Ok(view)
}
