//! Who was amplified where and when, and who has waited longest: posts that people make by hand about featured works.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Context;
use super::fairness::{Place, PublishedWeek, published_weeks};
use crate::model::{ActivityId, Amplified, BuilderId, Pick, Week};
use crate::render::web_address;
use crate::store::{Standing, StoreError};

/// Why a post was not put on record.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{}", Standing::NoDraft(*.0))]
    NoDraft(Week),
    #[error("the digest of {week} has no work `{work}`: give its place, or the first letters of its id")]
    NoWork { week: Week, work: String },
    #[error("this work was taken out of the digest of {0}: nothing about it is posted")]
    Removed(Week),
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

impl Waiting {
    /// Since when nothing of theirs was posted, though something could have been.
    pub fn waits_since(&self) -> Timestamp {
        self.last_posted_at.map_or(self.since, |last| last.max(self.since))
    }
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
    if pick.removed.is_some() {
        return Err(LedgerError::Removed(week));
    }
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

/// The whole ledger. Reads every published week.
pub async fn ledger(ctx: &Context) -> Result<Ledger, StoreError> {
    let posted = ctx.store.amplified(None).await?;
    let published = published_weeks(ctx).await?;
    let waiting = waiting(&published, &posted);
    let places = published.iter().flat_map(|week| &week.places);
    let titles: BTreeMap<(Week, &ActivityId), &Place> = places.map(|place| ((place.week, &place.work), place)).collect();
    let line = |posted: Amplified| {
        let place = titles.get(&(posted.week, &posted.work));
        let title = match place {
            Some(place) if place.removed => "taken out of the digest".to_owned(),
            Some(place) => place.title.clone(),
            None => String::new(),
        };
        let names = place
            .filter(|place| !place.removed)
            .map(|place| place.builders.iter().map(|(_, name)| name.clone()).collect())
            .unwrap_or_default();
        LedgerLine { posted, title, names }
    };
    let posted = posted.into_iter().map(line).collect();
    Ok(Ledger { posted, waiting })
}

/// Who has featured works that nobody posted, longest waiting first: since the last post about them or, where there was
/// none, since they were first featured in vain.
pub fn waiting(published: &[PublishedWeek], posted: &[Amplified]) -> Vec<Waiting> {
    let done: BTreeSet<(Week, &ActivityId)> = posted.iter().map(|posted| (posted.week, &posted.work)).collect();
    let mut last: BTreeMap<BuilderId, Timestamp> = BTreeMap::new();
    for posted in posted {
        for builder in &posted.builders {
            let at = last.entry(*builder).or_insert(posted.at);
            *at = posted.at.max(*at);
        }
    }
    let mut waiting: BTreeMap<BuilderId, Waiting> = BTreeMap::new();
    for week in published {
        let featured_at = week.published_at.unwrap_or_else(|| week.week.end());
        for place in week.places.iter().filter(|place| !place.removed && !done.contains(&(week.week, &place.work))) {
            for (builder, name) in &place.builders {
                let line = waiting.entry(*builder).or_insert_with(|| Waiting {
                    builder: *builder,
                    name: name.clone(),
                    since: featured_at,
                    works: 0,
                    last_posted_at: last.get(builder).copied(),
                });
                line.since = line.since.min(featured_at);
                line.works += 1;
            }
        }
    }
    let mut waiting: Vec<Waiting> = waiting.into_values().collect();
    waiting.sort_by_key(|line| (line.waits_since(), line.since, line.builder));
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Balance;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn week(name: &str, published_at: &str, works: &[(&str, i64)]) -> PublishedWeek {
        let week: Week = name.parse().unwrap();
        let places = (1..).zip(works).map(|(position, (work, builder))| Place {
            position,
            work: ActivityId((*work).to_owned()),
            removed: *work == "gone",
            builders: vec![(BuilderId(*builder), format!("builder {builder}"))],
            ..Place::nobodys(week)
        });
        PublishedWeek {
            week,
            published_at: Some(at(published_at)),
            places: places.collect(),
            balance: Balance::default(),
            could: BTreeSet::new(),
        }
    }

    #[test]
    fn who_was_never_posted_waits_since_the_feature_and_others_since_their_last_post() {
        let published = [
            week("2026-W47", "2026-11-23T08:00:00Z", &[("a2", 1), ("b", 2), ("gone", 5)]),
            week("2026-W40", "2026-10-05T08:00:00Z", &[("a1", 1), ("c", 3), ("d", 4)]),
        ];
        let post = |week: &str, work: &str, builder: i64, when: &str| Amplified {
            week: week.parse().unwrap(),
            work: ActivityId(work.to_owned()),
            builders: vec![BuilderId(builder)],
            channel: "x".into(),
            url: String::new(),
            by: String::new(),
            at: at(when),
        };
        let posted = [post("2026-W47", "a2", 1, "2026-11-24T08:00:00Z"), post("2026-W40", "d", 4, "2026-10-06T08:00:00Z")];
        let lines = waiting(&published, &posted);
        let told: Vec<_> = lines.iter().map(|line| (line.builder.0, line.works, line.last_posted_at.is_some())).collect();
        assert_eq!(told, [(3, 1, false), (2, 1, false), (1, 1, true)], "the works of 4 are all posted, that of 5 was taken out");
        assert_eq!(lines[2].waits_since(), at("2026-11-24T08:00:00Z"));
    }
}
