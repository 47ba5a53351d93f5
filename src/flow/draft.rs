//! A week's digest, computed at the cut-off from the log alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{Context, adopt, rules_in_force, settle};
use crate::digest::{self, Edits, Inputs};
use crate::model::{
    Activity, ActivityId, Builder, BuilderId, Candidate, Counts, Credited, Digest, DigestState, EarlierWork, GridAge, PastDigest, PastPick,
    SourceKind, Week, WeekSupply, sha256_hex,
};
use crate::schedule;
use crate::store::{DigestRow, NewDraft, StoreError, WorkRow};

/// Why no draft was made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("it is too early for {week}: its draft is made from its cut-off on, {cut_off}")]
    TooEarly { week: Week, cut_off: Timestamp },
    #[error("the digest of {week} is {} already and does not change any more", .state.as_str())]
    Settled { week: Week, state: DigestState },
    #[error("the cut-off cannot be computed: {0}")]
    Schedule(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The cool-down may prolong a work's window by at most this (RECORD.md section 4).
const LONGEST_PAUSE_WEEKS: i64 = 6;
/// The most works that a response is compared with, and some to spare for other platforms and kinds.
const EARLIER: u32 = 120;

/// Computes and keeps the draft of a week. A draft that exists is replaced while nobody approved it; one that comes out
/// the same again is kept as it is.
pub async fn draft(ctx: &Context, week: Week) -> Result<DigestRow, DraftError> {
    let now = ctx.clock.now();
    let cut_off = cut_off(ctx, week)?;
    if now < cut_off {
        return Err(DraftError::TooEarly { week, cut_off });
    }
    let before = ctx.store.digest(week).await?;
    if let Some(row) = &before
        && matches!(row.state, DigestState::Approved | DigestState::Published)
    {
        return Err(DraftError::Settled { week, state: row.state });
    }
    adopt(ctx).await?;
    settle(ctx).await?;
    let digest = compute(ctx, week, cut_off, now).await?;
    // A draft is itself a line of the log. One that says the same again would differ from the first in that alone.
    if let Some(row) = before {
        let same = Digest { cutoff_seq: row.digest.cutoff_seq, late: row.digest.late, ..digest.clone() };
        if hash_of(&same)? == row.draft_hash {
            return Ok(row);
        }
    }
    let hash = hash_of(&digest)?;
    ctx.store.put_draft(NewDraft { digest, hash, at: now }).await?;
    ctx.store.digest(week).await?.ok_or(DraftError::Store(StoreError::Closed))
}

/// The digest as it would be drafted now, without keeping it: the running candidates of a week that is not over.
pub async fn preview(ctx: &Context, week: Week) -> Result<Digest, DraftError> {
    settle(ctx).await?;
    let now = ctx.clock.now();
    let cut_off = cut_off(ctx, week)?;
    compute(ctx, week, cut_off, now).await
}

/// The first cut-off after the week's end.
fn cut_off(ctx: &Context, week: Week) -> Result<Timestamp, DraftError> {
    let before = week.end().saturating_sub(SignedDuration::from_millis(1)).unwrap_or(week.end());
    schedule::next_slot(&ctx.config.schedule.cut_off, &ctx.config.schedule.zone, before)
        .map_err(|error| DraftError::Schedule(error.to_string()))
}

async fn compute(ctx: &Context, week: Week, cut_off: Timestamp, now: Timestamp) -> Result<Digest, DraftError> {
    let (_, cutoff_seq) = ctx.store.settled_and_last().await?;
    let config = &ctx.config.digest;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let reach = i64::from(config.window_days).max(i64::from(config.late_days)) + 7 * LONGEST_PAUSE_WEEKS;
    let from = cut_off.saturating_sub(days(reach)).unwrap_or(Timestamp::MIN);
    let works = ctx.store.works_between(from, cut_off).await?;
    let builders = ctx.store.builders().await?;
    let credited: BTreeMap<BuilderId, Credited> = builders.iter().map(|builder| (builder.id, credited(ctx, builder, cut_off))).collect();
    let concerned: Vec<BuilderId> = {
        let ids: BTreeSet<BuilderId> = works.iter().flat_map(builders_of).collect();
        ids.into_iter().collect()
    };
    let earlier = ctx.store.earlier_works(concerned, cut_off, EARLIER).await?;
    let candidates: Vec<Candidate> = works.iter().filter_map(|row| candidate(row, &earlier, cut_off)).collect();
    let (history, supply) = past(ctx, week).await?;
    let config_hash = digest::config_hash(config, &ctx.categories, &ctx.regions, crate::topic::dictionary_hash());
    let edits = Edits::default();
    let inputs = Inputs {
        week,
        program: &ctx.config.program.name,
        cutoff_at: cut_off,
        cutoff_seq,
        previous_cutoff_at: self::cut_off(ctx, week.previous()).ok(),
        // Made up after the fact: the daemon was down, or the week was asked for later.
        late: now.duration_since(cut_off) > SignedDuration::from_mins(30),
        config,
        config_hash,
        rules_version: rules_in_force(ctx).await?.unwrap_or(ctx.rules_version),
        categories: &ctx.categories,
        regions: &ctx.regions,
        builders: &credited,
        candidates: &candidates,
        history: &history,
        supply: &supply,
        edits: &edits,
    };
    Ok(tokio::task::block_in_place(|| digest::compose(&inputs)))
}

fn credited(ctx: &Context, builder: &Builder, at: Timestamp) -> Credited {
    let told = builder.country.as_deref().and_then(|country| digest::region_of(country, &ctx.regions));
    Credited {
        id: builder.id,
        slug: builder.slug.to_string(),
        name: builder.name.clone(),
        region: builder.region.clone().or_else(|| told.map(str::to_owned)).unwrap_or_default(),
        category: builder.categories.first().cloned().unwrap_or_default(),
        country: builder.country.clone().filter(|_| builder.switches.show_place),
        handles: if builder.switches.show_place { builder.handles.clone() } else { BTreeMap::new() },
        active: builder.is_active(at),
        not_featured: builder.switches.not_featured,
        not_public: builder.switches.not_public,
    }
}

fn builders_of(row: &WorkRow) -> BTreeSet<BuilderId> {
    row.activities.iter().flat_map(|activity| &activity.credits).map(|credit| credit.builder).collect()
}

fn primary(row: &WorkRow) -> Option<&Activity> {
    row.activities.iter().find(|activity| activity.id == row.work.primary)
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
    let own_urls: BTreeSet<&str> =
        row.activities.iter().filter(|activity| activity.id != primary.id).filter_map(|activity| activity.url.as_deref()).collect();
    Some(Candidate {
        work: row.work.id.clone(),
        members: row.work.members.iter().map(|member| member.activity.clone()).collect(),
        kind: primary.kind,
        title: primary.title.clone(),
        summary: primary.summary.clone().or_else(|| row.activities.iter().find_map(|activity| activity.summary.clone())),
        language: primary.language.clone(),
        url: primary.url.clone(),
        also: own_urls.into_iter().filter(|url| Some(*url) != primary.url.as_deref()).map(str::to_owned).collect(),
        published_at: row.activities.iter().filter_map(|activity| activity.published_at).min(),
        effective_at: row.activities.iter().map(|activity| activity.effective_at).min()?,
        first_seen_at: row.activities.iter().map(|activity| activity.first_seen_at).min()?,
        backfill: all_of(|activity| activity.backfill),
        paywalled: all_of(|activity| activity.paywalled),
        link_gone: row.gone,
        held_until: row.activities.iter().filter_map(|activity| activity.held_until).min(),
        left: all_of(|activity| activity.left),
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

/// The digests of earlier weeks: what was featured, what is reserved, and the supply sealed with each.
async fn past(ctx: &Context, week: Week) -> Result<(Vec<PastDigest>, BTreeMap<Week, WeekSupply>), StoreError> {
    let rows = ctx.store.digests().await?;
    let mut ids: Vec<ActivityId> = Vec::new();
    for row in &rows {
        ids.extend(row.digest.picks().flat_map(|pick| pick.members.iter().cloned()));
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
    Ok((history, supply))
}

/// SHA-256, hex, of the digest's canonical JSON.
fn hash_of(digest: &Digest) -> Result<String, StoreError> {
    Ok(sha256_hex(serde_json::to_string(digest)?.as_bytes()))
}
