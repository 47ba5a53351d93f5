//! A week's digest, computed at the cut-off from the log alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::upkeep::{Effective, adopt_for, effective};
use super::{Context, rules_in_force, settle};
use crate::config::Region;
use crate::digest::{self, Edits, Inputs, LateFinds};
use crate::model::{
    Activity, ActivityId, Builder, BuilderId, Candidate, Counts, Credited, Digest, DigestState, EarlierWork, GridAge, OutcomeCode,
    PastDigest, PastPick, Pool, SourceKind, Upcoming, Week, WeekSupply, sha256_hex,
};
use crate::schedule;
use crate::store::{DigestRow, NewDraft, Standing, StoreError, Taken, WorkRow};

/// Why no draft was made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("it is too early for {week}: its draft is made from its cut-off on, {cut_off}")]
    TooEarly { week: Week, cut_off: Timestamp },
    #[error("the digest of {week} is {} already and does not change any more", .state.as_str())]
    Settled { week: Week, state: DigestState },
    #[error("{}", Standing::Edited(*.0))]
    Edited(Week),
    #[error("the cut-off cannot be computed: {0}")]
    Schedule(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The cool-down may prolong a work's window by at most this (RECORD.md section 4).
const LONGEST_PAUSE_WEEKS: i64 = 6;
/// How far ahead talks are announced.
const COMING_UP: SignedDuration = SignedDuration::from_hours(24 * 21);
/// The most works that a response is compared with, and some to spare for other platforms and kinds.
const EARLIER: u32 = 120;

/// The cut-off of a week; errs while it is too early for its draft.
pub fn may_draft(ctx: &Context, week: Week) -> Result<Timestamp, DraftError> {
    let cut_off = cut_off(ctx, week)?;
    if ctx.clock.now() < cut_off { Err(DraftError::TooEarly { week, cut_off }) } else { Ok(cut_off) }
}

/// Computes and keeps the draft of a week. A draft that exists is replaced while nobody approved it; one that comes out
/// the same again is kept as it is.
pub async fn draft(ctx: &Context, week: Week) -> Result<DigestRow, DraftError> {
    let now = ctx.clock.now();
    let cut_off = may_draft(ctx, week)?;
    let before = ctx.store.digest(week).await?;
    if let Some(row) = &before
        && matches!(row.state, DigestState::Approved | DigestState::Published)
    {
        return Err(DraftError::Settled { week, state: row.state });
    }
    if before.as_ref().is_some_and(|row| row.revision > 0) {
        return Err(DraftError::Edited(week));
    }
    adopt_for(ctx, week).await?;
    settle(ctx).await?;
    let (digest, pool) = compute(ctx, week, cut_off, now).await?;
    // A draft is itself a line of the log. One that says the same again would differ from the first in that alone.
    if let Some(row) = before {
        let same = Digest { cutoff_seq: row.digest.cutoff_seq, late: row.digest.late, ..digest.clone() };
        if hash_of(&same)? == row.draft_hash {
            return Ok(row);
        }
    }
    let hash = hash_of(&digest)?;
    let desk = digest::lay(&digest, &pool, &[]);
    if let Taken::Clash(_) = ctx.store.put_draft(NewDraft { digest, hash, at: now, pool, desk, refresh: None }).await? {
        return Err(DraftError::Edited(week));
    }
    ctx.store.digest(week).await?.ok_or(DraftError::Store(StoreError::Closed))
}

/// The digest as it would be drafted now, without keeping it: the running candidates of a week that is not over.
pub async fn preview(ctx: &Context, week: Week) -> Result<Digest, DraftError> {
    Ok(preview_with_pool(ctx, week).await?.0)
}

/// The same, with all that could have a place in it.
pub(super) async fn preview_with_pool(ctx: &Context, week: Week) -> Result<(Digest, Pool), DraftError> {
    settle(ctx).await?;
    let now = ctx.clock.now();
    let cut_off = cut_off(ctx, week)?;
    compute(ctx, week, cut_off, now).await
}

/// The week that is meant where none is named: the last whole week, or until its cut-off the one before. With it the week
/// that is still to be cut off, and when.
pub fn default_week(ctx: &Context) -> (Week, Option<(Week, Timestamp)>) {
    let now = ctx.clock.now();
    let last = Week::last_whole(now);
    let mut week = last;
    // Cut-offs may be as rare as once a month.
    for _ in 0..6 {
        match cut_off(ctx, week) {
            Ok(cut_off) if now < cut_off => week = week.previous(),
            _ => break,
        }
    }
    let waits = cut_off(ctx, last).ok().filter(|_| week != last).map(|cut_off| (last, cut_off));
    (week, waits)
}

/// The first cut-off after the week's end.
pub(super) fn cut_off(ctx: &Context, week: Week) -> Result<Timestamp, DraftError> {
    let before = week.end().saturating_sub(SignedDuration::from_millis(1)).unwrap_or(week.end());
    schedule::next_slot(&ctx.config.schedule.cut_off, &ctx.config.schedule.zone, before)
        .map_err(|error| DraftError::Schedule(error.to_string()))
}

async fn compute(ctx: &Context, week: Week, cut_off: Timestamp, now: Timestamp) -> Result<(Digest, Pool), DraftError> {
    let (_, cutoff_seq) = ctx.store.settled_and_last().await?;
    let Effective { config, categories, regions, hash: config_hash } = effective(ctx, week);
    let config = &config;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let Past { history, supply, late_finds } = past(ctx, week, cut_off, config.late_days).await?;
    let open_since = cut_off.saturating_sub(days(i64::from(config.window_days) + 7 * LONGEST_PAUSE_WEEKS)).unwrap_or(Timestamp::MIN);
    // Found late, or in the running at a cut-off that was missed.
    let late_days = i64::from(config.late_days).max(i64::from(config.window_days) + 7 * LONGEST_PAUSE_WEEKS);
    let late_since = late_finds.after.saturating_sub(days(late_days)).unwrap_or(Timestamp::MIN);
    let from = open_since.min(late_since);
    let mut works = ctx.store.works_between(from, cut_off).await?;
    let holds = holds(ctx, week).await?;
    // What editors hold stays in the running, however long ago it came out.
    for row in ctx.store.works_of(holds.keys().cloned().collect()).await?.into_values() {
        if works.iter().all(|known| known.work.id != row.work.id) {
            works.push(row);
        }
    }
    let builders = ctx.store.builders().await?;
    let credited: BTreeMap<BuilderId, Credited> =
        builders.iter().map(|builder| (builder.id, credited(&regions, builder, cut_off))).collect();
    let concerned: Vec<BuilderId> = {
        let ids: BTreeSet<BuilderId> = works.iter().flat_map(builders_of).collect();
        ids.into_iter().collect()
    };
    let earlier = ctx.store.earlier_works(concerned, cut_off, EARLIER).await?;
    let mut candidates: Vec<Candidate> = works.iter().filter_map(|row| candidate(row, &earlier, cut_off)).collect();
    let known: BTreeSet<&str> = categories.iter().map(|category| category.key.as_str()).collect();
    for candidate in &mut candidates {
        // A category that the program does not have (any more) in that week gives way to the builder's own.
        if !known.contains(candidate.topic.category.as_str()) {
            let own = candidate.builders.iter().filter_map(|builder| credited.get(builder)).map(|builder| builder.category.as_str());
            candidate.topic.category = own.into_iter().find(|own| known.contains(own)).unwrap_or("general").to_owned();
        }
    }
    let edits = Edits { holds, ..Edits::default() };
    let inputs = Inputs {
        week,
        program: &ctx.config.program.name,
        cutoff_at: cut_off,
        cutoff_seq,
        late_finds,
        // Made up after the fact: the daemon was down, or the week was asked for later.
        late: now.duration_since(cut_off) > SignedDuration::from_mins(30),
        config,
        config_hash,
        rules_version: rules_in_force(ctx).await?.unwrap_or(ctx.rules_version),
        categories: &categories,
        regions: &regions,
        builders: &credited,
        candidates: &candidates,
        history: &history,
        supply: &supply,
        edits: &edits,
    };
    let (mut digest, pool) = tokio::task::block_in_place(|| digest::compose_with_pool(&inputs));
    digest.coming_up = coming_up(ctx, &credited, cut_off).await?;
    Ok((digest, pool))
}

/// Talks and events of the three weeks after the cut-off, one line a work, by members who may be shown.
async fn coming_up(ctx: &Context, credited: &BTreeMap<BuilderId, Credited>, cut_off: Timestamp) -> Result<Vec<Upcoming>, StoreError> {
    let until = cut_off.saturating_add(COMING_UP).unwrap_or(Timestamp::MAX);
    let mut coming = Vec::new();
    let mut works = BTreeSet::new();
    for row in ctx.store.ahead(cut_off, until).await? {
        let activity = row.activity;
        let builders: Vec<Credited> = activity
            .credits
            .iter()
            .map(|credit| credit.builder)
            .collect::<BTreeSet<_>>()
            .iter()
            .filter_map(|id| credited.get(id))
            .filter(|builder| builder.active && !builder.not_featured)
            .cloned()
            .collect();
        if let Some(starts_at) = activity.published_at
            && !activity.left
            && !builders.is_empty()
            && works.insert(row.work)
        {
            coming.push(Upcoming {
                activity: activity.id,
                title: activity.title,
                language: activity.language,
                kind: activity.kind,
                url: activity.url.unwrap_or_default(),
                starts_at,
                builders,
            });
        }
    }
    Ok(coming)
}

fn credited(regions: &[Region], builder: &Builder, at: Timestamp) -> Credited {
    let told = builder.country.as_deref().and_then(|country| digest::region_of(country, regions));
    // The roster may name a region by its key or its name. One that the configuration does not know gives way to what
    // the country tells, and stands for itself where it tells nothing.
    let named = builder.region.as_deref().and_then(|region| digest::region_named(region, regions));
    Credited {
        id: builder.id,
        slug: builder.slug.to_string(),
        name: builder.name.clone(),
        region: named.or(told).or(builder.region.as_deref()).unwrap_or_default().to_owned(),
        category: builder.categories.first().cloned().unwrap_or_default(),
        country: builder.country.clone().filter(|_| builder.switches.show_place),
        handles: if builder.switches.show_place { builder.handles.clone() } else { BTreeMap::new() },
        active: builder.is_active(at),
        not_featured: builder.switches.not_featured,
        not_public: builder.switches.not_public,
    }
}

pub(super) fn builders_of(row: &WorkRow) -> BTreeSet<BuilderId> {
    row.activities.iter().flat_map(|activity| &activity.credits).map(|credit| credit.builder).collect()
}

fn primary(row: &WorkRow) -> Option<&Activity> {
    let primary = row.activities.iter().find(|activity| activity.id == row.work.primary);
    // What was taken back speaks for a work only where nothing else does.
    match primary {
        Some(primary) if primary.is_withdrawn() => row.activities.iter().find(|activity| !activity.is_withdrawn()).or(Some(primary)),
        _ => primary,
    }
}

/// What is compared: views where the platform counts them, else reactions, else stars.
fn response(counts: &Counts) -> Option<u64> {
    counts.views.or_else(|| counts.likes.map(|likes| likes + counts.comments.unwrap_or(0))).or(counts.stars)
}

/// The activity whose counts speak for the work, with the platform that counted.
fn counted(row: &WorkRow) -> Option<(&Activity, SourceKind, [Option<u64>; 4])> {
    let order = primary(row).into_iter().chain(row.activities.iter().filter(|activity| activity.id != row.work.primary));
    for activity in order {
        if let Some(samples) = row.samples.get(&activity.id) {
            let mut counts = [None; 4];
            for (age, sample) in samples {
                counts[age.index()] = response(sample);
            }
            let platform = row.platforms.get(&activity.id).and_then(|kinds| kinds.first().copied()).unwrap_or(SourceKind::Rss);
            return Some((activity, platform, counts));
        }
    }
    None
}

fn candidate(row: &WorkRow, earlier: &HashMap<BuilderId, Vec<WorkRow>>, cut_off: Timestamp) -> Option<Candidate> {
    let primary = primary(row)?;
    // What filters keep out is nobody's work.
    if row.activities.iter().all(|activity| activity.filtered.is_some()) {
        return None;
    }
    let builders: Vec<BuilderId> = builders_of(row).into_iter().collect();
    let platform = counted(row).map(|(_, platform, _)| platform);
    let all_of = |pick: fn(&Activity) -> bool| row.activities.iter().all(pick);
    let counts = known_at(counted(row).map_or([None; 4], |(_, _, counts)| counts), primary, cut_off);
    let earlier = platform
        .into_iter()
        .flat_map(|platform| {
            let of_builder = builders.first().and_then(|builder| earlier.get(builder)).into_iter().flatten();
            of_builder.filter_map(move |other| {
                let (activity, on, counts) = counted(other)?;
                let fits = on == platform && activity.kind == primary.kind && activity.effective_at < primary.effective_at;
                fits.then(|| EarlierWork {
                    work: other.work.id.clone(),
                    substance: activity.substance.clone(),
                    topic_confidence: other.work.topic.confidence,
                    kind: activity.kind,
                    counts,
                })
            })
        })
        .collect();
    let own_urls: BTreeSet<&str> = row.activities.iter().filter_map(|activity| activity.url.as_deref()).collect();
    Some(Candidate {
        work: row.work.id.clone(),
        members: row.work.members.iter().map(|member| member.activity.clone()).collect(),
        kind: primary.kind,
        title: primary.title.clone(),
        summary: primary.summary.clone().or_else(|| row.activities.iter().find_map(|activity| activity.summary.clone())),
        language: primary.language.clone(),
        url: row.link.clone(),
        also: own_urls.into_iter().filter(|url| Some(*url) != row.link.as_deref()).map(str::to_owned).collect(),
        published_at: row.activities.iter().filter_map(|activity| activity.published_at).min(),
        effective_at: row.activities.iter().map(|activity| activity.effective_at).min()?,
        first_seen_at: row.activities.iter().map(|activity| activity.first_seen_at).min()?,
        backfill: all_of(|activity| activity.backfill),
        paywalled: all_of(|activity| activity.paywalled),
        link_gone: row.gone,
        held_until: row.activities.iter().filter_map(|activity| activity.held_until).min(),
        left: all_of(|activity| activity.left),
        withdrawn: all_of(Activity::is_withdrawn),
        builders,
        substance: primary.substance.clone(),
        topic: row.work.topic.clone(),
        counts,
        earlier,
    })
}

/// Counts that were not known at the cut-off do not count.
fn known_at(mut counts: [Option<u64>; 4], activity: &Activity, cut_off: Timestamp) -> [Option<u64>; 4] {
    let age = cut_off.duration_since(activity.published_at.unwrap_or(activity.effective_at)).as_secs();
    for grid in GridAge::ALL {
        if grid.hours() * 3600 > age + 3 * 3600 {
            counts[grid.index()] = None;
        }
    }
    counts
}

/// Works that edits of other weeks hold, by the ids that they have now.
async fn holds(ctx: &Context, week: Week) -> Result<BTreeMap<ActivityId, Week>, StoreError> {
    let held = ctx.store.holds(week).await?;
    let now = ctx.store.resolve_activities(held.iter().map(|(work, _)| work.clone()).collect()).await?;
    let mut holds = BTreeMap::new();
    for (work, until) in held {
        // Of two holds of one work the later edit counts.
        holds.insert(now.get(&work).cloned().unwrap_or(work), until);
    }
    Ok(holds)
}

/// What earlier weeks left behind.
struct Past {
    history: Vec<PastDigest>,
    supply: BTreeMap<Week, WeekSupply>,
    late_finds: LateFinds,
}

/// The digests of other weeks: what was featured, what is reserved, and the supply sealed with each.
async fn past(ctx: &Context, week: Week, cut_off: Timestamp, late_days: u32) -> Result<Past, StoreError> {
    let rows = ctx.store.digests().await?;
    let mut ids: Vec<ActivityId> = Vec::new();
    for row in &rows {
        ids.extend(row.digest.picks().flat_map(|pick| pick.members.iter().cloned()));
        ids.extend(shelved(&row.digest).cloned());
    }
    let now = ctx.store.resolve_activities(ids).await?;
    let resolve = |id: &ActivityId| now.get(id).unwrap_or(id).clone();
    let mut history = Vec::new();
    let mut supply = BTreeMap::new();
    for row in rows.iter().filter(|row| row.week != week) {
        if row.week < week {
            supply.insert(row.week, row.digest.supply.clone());
        }
        history.push(PastDigest {
            week: row.week,
            published: row.state == DigestState::Published,
            cutoff_seq: row.digest.cutoff_seq,
            shelved: shelved(&row.digest).map(resolve).collect(),
            picks: row
                .digest
                .picks()
                .map(|pick| PastPick {
                    members: pick.members.iter().map(resolve).collect(),
                    builders: pick.builders.iter().map(|builder| builder.id).collect(),
                    category: pick.category.clone(),
                    region: pick.region.clone(),
                    lead: pick.lead,
                })
                .collect(),
        });
    }
    history.sort_by_key(|past| past.week);
    let before = rows.iter().filter(|row| row.week < week).max_by_key(|row| row.week).map(|row| row.digest.cutoff_at);
    let later = rows.iter().filter(|row| row.week > week).map(|row| row.digest.late_finds_after);
    let mut late_finds = LateFinds::of_new_draft(cut_off, before, later, late_days);
    // A draft that is computed again keeps the late finds that are its own, whatever weeks were made up meanwhile.
    if let Some(own) = rows.iter().find(|row| row.week == week) {
        late_finds.after = own.digest.late_finds_after;
    }
    Ok(Past { history, supply, late_finds })
}

/// All activities of the works on a late shelf.
fn shelved(digest: &Digest) -> impl Iterator<Item = &ActivityId> {
    let late = digest.outcomes.iter().filter(|outcome| outcome.code == OutcomeCode::LateShelf);
    late.flat_map(|outcome| outcome.members.iter().chain([&outcome.work]))
}

/// SHA-256, hex, of the digest's canonical JSON.
pub(super) fn hash_of(digest: &Digest) -> Result<String, StoreError> {
    Ok(sha256_hex(serde_json::to_string(digest)?.as_bytes()))
}
