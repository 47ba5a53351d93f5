//! Who was amplified where and when, and who has waited longest: posts that people make by hand about featured works.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Context;
use crate::model::{ActivityId, Amplified, BuilderId, DigestState, Pick, Week};
use crate::render::web_address;
use crate::store::StoreError;

/// Why a post was not put on record.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("there is no draft of {0} yet: make it with `clarion digest draft {0}`")]
    NoDraft(Week),
    #[error("the digest of {week} has no work `{work}`: give its place, or the first letters of its id")]
    NoWork { week: Week, work: String },
    #[error("`{0}` fits several works: give more letters of the id")]
    ManyWorks(String),
    #[error("`{0}` is no name of a channel: write one of x, bluesky, mastodon, linkedin, or another in a-z, 0-9, '-' and '_'")]
    Channel(String),
    #[error("`{0}` is no http or https address of a post")]
    Url(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A post with what it was about.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LedgerLine {
    #[serde(flatten)]
    pub posted: Amplified,
    pub title: String,
    /// The names of those who made it.
    pub names: Vec<String>,
}

/// A builder of whose featured works none was posted since.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Waiting {
    pub builder: BuilderId,
    pub name: String,
    /// When the oldest work of theirs that nobody posted was featured.
    pub since: Timestamp,
    /// Featured works that nobody posted yet.
    pub works: u32,
    pub last_posted_at: Option<Timestamp>,
}

/// The ledger as it stands.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Ledger {
    /// Latest first.
    pub posted: Vec<LedgerLine>,
    /// Longest first.
    pub waiting: Vec<Waiting>,
}

/// Puts on record that a work of a week was posted there. `work` is its place in the digest, or the beginning of its id.
pub async fn mark_posted(
    ctx: &Context,
    week: Week,
    work: &str,
    channel: &str,
    url: &str,
    by: &str,
    note: Option<String>,
) -> Result<Amplified, LedgerError> {
    let row = ctx.store.digest(week).await?.ok_or(LedgerError::NoDraft(week))?;
    let picks: Vec<&Pick> = row.digest.picks().collect();
    let pick = find(&picks, work).map_err(|many| {
        let work: String = work.chars().filter(|c| !c.is_control()).take(60).collect();
        if many { LedgerError::ManyWorks(work) } else { LedgerError::NoWork { week, work } }
    })?;
    let channel = channel.trim().to_ascii_lowercase();
    let plain = (1..=40).contains(&channel.len())
        && channel.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if !plain {
        return Err(LedgerError::Channel(channel.chars().filter(|c| !c.is_control()).take(60).collect()));
    }
    let url = web_address(url).ok_or_else(|| LedgerError::Url(url.chars().filter(|c| !c.is_control()).take(200).collect()))?;
    let posted = Amplified {
        week,
        work: pick.work.clone(),
        builders: pick.builders.iter().map(|builder| builder.id).collect(),
        channel,
        url,
        by: by.to_owned(),
        at: ctx.clock.now(),
    };
    ctx.store.record_posted(posted.clone(), note).await?;
    Ok(posted)
}

/// The pick that is meant; `Err(true)` where several fit.
fn find<'a>(picks: &[&'a Pick], work: &str) -> Result<&'a Pick, bool> {
    let work = work.trim().to_ascii_lowercase();
    let place = work.parse::<usize>().ok().filter(|_| work.len() <= 3);
    if let Some(pick) = place.and_then(|place| picks.get(place.checked_sub(1)?)) {
        return Ok(pick);
    }
    if work.len() < 4 {
        return Err(false);
    }
    let named = |pick: &&&Pick| pick.members.iter().chain([&pick.work]).any(|id| id.as_str().starts_with(&work));
    let mut fitting = picks.iter().filter(named);
    match (fitting.next(), fitting.next()) {
        (Some(pick), None) => Ok(pick),
        (None, _) => Err(false),
        (Some(_), Some(_)) => Err(true),
    }
}

/// The whole ledger.
pub async fn ledger(ctx: &Context) -> Result<Ledger, StoreError> {
    let posted = ctx.store.amplified(None).await?;
    let mut rows = ctx.store.digests().await?;
    rows.retain(|row| row.state == DigestState::Published);
    let done: BTreeSet<(Week, &ActivityId)> = posted.iter().map(|posted| (posted.week, &posted.work)).collect();
    let mut last: BTreeMap<BuilderId, Timestamp> = BTreeMap::new();
    for posted in &posted {
        for builder in &posted.builders {
            let at = last.entry(*builder).or_insert(posted.at);
            *at = posted.at.max(*at);
        }
    }
    let mut titles: BTreeMap<(Week, ActivityId), (String, Vec<String>)> = BTreeMap::new();
    let mut waiting: BTreeMap<BuilderId, Waiting> = BTreeMap::new();
    for row in &rows {
        let featured_at = row.published_at.unwrap_or(row.digest.cutoff_at);
        for pick in row.digest.picks() {
            let names = pick.builders.iter().map(|builder| builder.name.clone()).collect();
            titles.insert((row.week, pick.work.clone()), (pick.title.clone(), names));
            if done.contains(&(row.week, &pick.work)) {
                continue;
            }
            for builder in &pick.builders {
                let line = waiting.entry(builder.id).or_insert_with(|| Waiting {
                    builder: builder.id,
                    name: builder.name.clone(),
                    since: featured_at,
                    works: 0,
                    last_posted_at: last.get(&builder.id).copied(),
                });
                line.since = line.since.min(featured_at);
                line.works += 1;
            }
        }
    }
    let mut waiting: Vec<Waiting> = waiting.into_values().collect();
    waiting.sort_by_key(|line| (line.since, line.builder));
    let posted = posted
        .into_iter()
        .map(|posted| {
            let (title, names) = titles.get(&(posted.week, posted.work.clone())).cloned().unwrap_or_default();
            LedgerLine { posted, title, names }
        })
        .collect();
    Ok(Ledger { posted, waiting })
}
