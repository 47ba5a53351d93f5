//! A week's digest, computed at the cut-off from the log alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::upkeep::{Effective, adopt_for, effective};
use super::{Context, rules_in_force, settle};
use crate::config::{DigestConfig, Region};
use crate::digest::{self, Edits, Inputs, LateFinds};
use crate::model::{
    Activity, ActivityId, Builder, BuilderId, Candidate, Credited, Digest, DigestState, EarlierWork, GridAge, Outcome, PastDigest,
    PastPick, Pool, Seq, Upcoming, Week, WeekSupply, sha256_hex,
};
use crate::schedule;
use crate::store::{Compared, DigestRow, NewDraft, Standing, StoreError, Taken, Wanted, WorkRow};

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
/// Of so many builders who stand highest editors see older works too, to swap.
const SWAPPED: usize = 40;

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
    let (digest, pool) = compute(ctx, week, cut_off, now, Vec::new()).await?;
    // A draft is itself a line of the log. One that says the same again would differ from the first in that alone.
    if let Some(row) = before {
        let same = Digest { cutoff_seq: row.digest.cutoff_seq, late: row.digest.late, ..digest.clone() };
        if hash_of(&same)? == row.draft_hash {
            return Ok(row);
        }
    }
    let hash = hash_of(&digest)?;
    let desk = digest::lay(&digest, &pool, &[]);
    if let Taken::Clash(_) = ctx.store.put_draft(NewDraft { digest: digest.clone(), hash, at: now, pool, desk, refresh: None }).await? {
        return Err(DraftError::Edited(week));
    }
    let head = ctx.store.head(week).await?.ok_or(DraftError::Store(StoreError::Closed))?;
    Ok(DigestRow { head, digest })
}

/// The digest as it would be drafted now, without keeping it: the running candidates of a week that is not over.
pub async fn preview(ctx: &Context, week: Week) -> Result<Digest, DraftError> {
    Ok(running(ctx, week).await?.0.clone())
}

/// What weeks come to as the log stands: computed once, and again as soon as the log has moved.
#[derive(Debug, Default)]
pub struct RunningWeeks(Mutex<Option<((Seq, Seq), ByWeek)>>);

type ByWeek = BTreeMap<Week, Arc<(Digest, Pool)>>;

/// So many weeks are kept at most.
const RUNNING: usize = 2;

/// A week as it would be drafted now, with all that could have a place in it.
pub(super) async fn running(ctx: &Context, week: Week) -> Result<Arc<(Digest, Pool)>, DraftError> {
    settle(ctx).await?;
    let now = ctx.clock.now();
    let cut_off = cut_off(ctx, week)?;
    // All that a draft is computed from stands in the log, and whether it is late.
    let place = ctx.store.settled_and_last().await?;
    let late = is_late(now, cut_off);
    let kept = |weeks: &Mutex<Option<((Seq, Seq), ByWeek)>>| {
        let weeks = weeks.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, by_week) = weeks.as_ref()?;
        by_week.get(&week).filter(|kept| *at == place && kept.0.late == late).cloned()
    };
    if let Some(kept) = kept(&ctx.running.0) {
        return Ok(kept);
    }
    let computed = Arc::new(compute(ctx, week, cut_off, now, Vec::new()).await?);
    if ctx.store.settled_and_last().await? == place {
        let mut weeks = ctx.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, by_week) = weeks.get_or_insert_with(|| (place, BTreeMap::new()));
        if *at != place {
            (*at, *by_week) = (place, BTreeMap::new());
        }
        while by_week.len() >= RUNNING {
            by_week.pop_first();
        }
        by_week.insert(week, Arc::clone(&computed));
    }
    Ok(computed)
}

/// How a work stands in a week as it would be drafted now, by any of its activities; `None` where no rule looks at it.
pub(super) async fn standing(ctx: &Context, week: Week, members: &[ActivityId]) -> Result<Option<Outcome>, DraftError> {
    let about = |outcome: &&Outcome| outcome.members.iter().any(|member| members.contains(member));
    if let Some(outcome) = running(ctx, week).await?.0.outcomes.iter().find(about) {
        return Ok(Some(outcome.clone()));
    }
    // What the choice did not even look at stands as it would alone.
    let (now, cut_off) = (ctx.clock.now(), cut_off(ctx, week)?);
    let mut frame = Frame::of(ctx, week, cut_off, now).await?;
    let alone = Wanted { named: members.to_vec(), ..Wanted::nothing(cut_off) };
    let mut candidates = frame.candidates(ctx, alone).await?;
    // Of what came out long before, or after, this draft has nothing to say.
    let reach = frame.wanted().since;
    candidates.retain(|candidate| candidate.effective_at >= reach && candidate.effective_at < cut_off);
    let digest = digest::compose(&frame.inputs(&ctx.config.program.name, &candidates));
    Ok(digest.outcomes.into_iter().find(|outcome| about(&outcome)))
}

/// The same. Works that are named are looked at whatever their dates.
pub(super) async fn running_with(ctx: &Context, week: Week, named: Vec<ActivityId>) -> Result<Arc<(Digest, Pool)>, DraftError> {
    if named.is_empty() {
        return running(ctx, week).await;
    }
    settle(ctx).await?;
    let now = ctx.clock.now();
    let cut_off = cut_off(ctx, week)?;
    Ok(Arc::new(compute(ctx, week, cut_off, now, named).await?))
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

/// Whether a draft is made up after the fact: the daemon was down, or the week was asked for later.
fn is_late(now: Timestamp, cut_off: Timestamp) -> bool {
    now.duration_since(cut_off) > SignedDuration::from_mins(30)
}

/// What a draft is computed with, but for its candidates.
struct Frame {
    week: Week,
    cut_off: Timestamp,
    cutoff_seq: Seq,
    late: bool,
    rules_version: u32,
    effective: Effective,
    past: Past,
    /// Those whom a candidate credits, as far as candidates were read.
    builders: BTreeMap<BuilderId, Credited>,
    edits: Edits,
}

impl Frame {
    async fn of(ctx: &Context, week: Week, cut_off: Timestamp, now: Timestamp) -> Result<Self, DraftError> {
        let (_, cutoff_seq) = ctx.store.settled_and_last().await?;
        let effective = effective(ctx, week);
        let past = past(ctx, week, cut_off, &effective.config).await?;
        Ok(Self {
            week,
            cut_off,
            cutoff_seq,
            late: is_late(now, cut_off),
            rules_version: rules_in_force(ctx).await?.unwrap_or(ctx.rules_version),
            effective,
            past,
            builders: BTreeMap::new(),
            edits: Edits { holds: holds(ctx, week).await?, ..Edits::default() },
        })
    }

    fn inputs<'a>(&'a self, program: &'a str, candidates: &'a [Candidate]) -> Inputs<'a> {
        Inputs {
            week: self.week,
            program,
            cutoff_at: self.cut_off,
            cutoff_seq: self.cutoff_seq,
            late_finds: self.past.late_finds,
            late: self.late,
            config: &self.effective.config,
            config_hash: self.effective.hash.clone(),
            rules_version: self.rules_version,
            categories: &self.effective.categories,
            regions: &self.effective.regions,
            builders: &self.builders,
            candidates,
            history: &self.past.history,
            supply: &self.past.supply,
            edits: &self.edits,
        }
    }

    fn before(&self, days: i64) -> Timestamp {
        self.cut_off.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN)
    }

    /// The works that a rule may have more to say of than that they came out too long ago: those in the window, those of
    /// builders whose cool-downs may have paused it, late finds, and what editors hold, however long ago it came out. The
    /// rules themselves are for the digest; here may be more than they need, never less.
    fn wanted(&self) -> Wanted {
        let window = i64::from(self.effective.config.window_days);
        let Past { history, late_finds, .. } = &self.past;
        let since = self.before(window + 7 * LONGEST_PAUSE_WEEKS);
        let mut from = self.before(window);
        // What a week would have held whose draft was never made.
        let before = history.iter().map(|past| past.week).filter(|week| *week < self.week).max();
        if before.is_none_or(|before| before < self.week.previous()) {
            from = from.min(late_finds.after.saturating_sub(SignedDuration::from_hours(24 * window)).unwrap_or(Timestamp::MIN));
        }
        // What drafts said is held or in cool-down is looked at again, whoever has a place by now.
        let paused = history.iter().filter(|past| past.week < self.week).flat_map(|past| past.cooled.iter().chain(&past.held));
        let named: BTreeSet<&ActivityId> = self.edits.holds.keys().chain(paused).collect();
        let late_days = i64::from(self.effective.config.late_days).max(window + 7 * LONGEST_PAUSE_WEEKS);
        let late_since = late_finds.after.saturating_sub(SignedDuration::from_hours(24 * late_days)).unwrap_or(Timestamp::MIN);
        Wanted {
            window: (from, self.cut_off),
            by: self.paused(window),
            since: since.min(late_since),
            found: (late_finds.after, late_finds.until),
            named: named.into_iter().cloned().collect(),
        }
    }

    /// The builders whose cool-downs may have paused windows, each with how long ago a work of theirs may have come out.
    fn paused(&self, window_days: i64) -> Vec<(BuilderId, Timestamp)> {
        let history = &self.past.history;
        let pause = usize::try_from(self.effective.config.cool_down).unwrap_or(usize::MAX);
        let before = history.partition_point(|past| past.week < self.week);
        let longest = window_days / 7 + 1 + LONGEST_PAUSE_WEEKS;
        let mut pauses: BTreeMap<BuilderId, i64> = BTreeMap::new();
        for then in (0..before).filter(|then| self.week.weeks_since(history[*then].week) <= longest) {
            let near = history[then.saturating_sub(pause)..].iter().take(then.min(pause).saturating_add(pause).saturating_add(1));
            let cooling: BTreeSet<BuilderId> = near.flat_map(|past| &past.picks).flat_map(|pick| pick.builders.iter().copied()).collect();
            for builder in cooling {
                *pauses.entry(builder).or_default() += 1;
            }
        }
        let since = |pauses: i64| self.before(window_days + 7 * pauses.min(LONGEST_PAUSE_WEEKS));
        pauses.into_iter().map(|(builder, pauses)| (builder, since(pauses))).collect()
    }

    async fn candidates(&mut self, ctx: &Context, wanted: Wanted) -> Result<Vec<Candidate>, StoreError> {
        let works = ctx.store.works_wanted(wanted).await?;
        let mut compared = Vec::new();
        let mut candidates: Vec<(Candidate, Option<usize>)> = Vec::with_capacity(works.len());
        for row in &works {
            let Some((candidate, own)) = candidate(row, self.cut_off) else { continue };
            candidates.push((candidate, own.as_ref().map(|_| compared.len())));
            compared.extend(own);
        }
        let credits: BTreeSet<BuilderId> = candidates.iter().flat_map(|(candidate, _)| candidate.builders.iter().copied()).collect();
        let unknown = credits.into_iter().filter(|id| !self.builders.contains_key(id)).collect();
        let builders = ctx.store.builders_by_id(unknown).await?;
        let Self { cut_off, effective, .. } = &*self;
        let told: Vec<_> = builders.iter().map(|builder| (builder.id, credited(&effective.regions, builder, *cut_off))).collect();
        self.builders.extend(told);
        let config = self.effective.config.clone();
        let fits = move |own: &Compared, earlier: &EarlierWork| digest::is_compared(&own.counts, earlier, &config);
        let mut earlier = ctx.store.earlier_works(compared, digest::COMPARED, fits).await?;
        let known: BTreeSet<&str> = self.effective.categories.iter().map(|category| category.key.as_str()).collect();
        Ok(candidates
            .into_iter()
            .map(|(mut candidate, own)| {
                candidate.earlier = own.map(|own| std::mem::take(&mut earlier[own])).unwrap_or_default();
                // A category that the program does not have (any more) in that week gives way to the builder's own.
                if !known.contains(candidate.topic.category.as_str()) {
                    let own = candidate.builders.iter().filter_map(|builder| self.builders.get(builder)).map(|builder| &*builder.category);
                    candidate.topic.category = own.into_iter().find(|own| known.contains(own)).unwrap_or("general").to_owned();
                }
                candidate
            })
            .collect())
    }
}

/// The draft of a week and what could have a place in it. Works that are named are looked at whatever their dates.
async fn compute(
    ctx: &Context,
    week: Week,
    cut_off: Timestamp,
    now: Timestamp,
    named: Vec<ActivityId>,
) -> Result<(Digest, Pool), DraftError> {
    let mut frame = Frame::of(ctx, week, cut_off, now).await?;
    let mut wanted = frame.wanted();
    wanted.named.extend(named);
    let program = &ctx.config.program.name;
    let candidates = frame.candidates(ctx, wanted).await?;
    let (mut digest, mut pool) = tokio::task::block_in_place(|| digest::compose_with_pool(&frame.inputs(program, &candidates)));
    // Older works of those who stand highest have no part in the choice; editors may swap them in.
    let mut highest: Vec<&Outcome> = digest.outcomes.iter().filter(|outcome| outcome.gain.is_some()).collect();
    highest.sort_by_key(|outcome| (std::cmp::Reverse(outcome.gain), &outcome.work));
    let by: BTreeSet<BuilderId> = highest.iter().take(SWAPPED).flat_map(|outcome| outcome.builders.iter().copied()).collect();
    let since = frame.before(digest::POOL_DAYS);
    let by = by.into_iter().map(|builder| (builder, since)).collect();
    let older = Wanted { by, ..Wanted::nothing(cut_off) };
    let mut older = frame.candidates(ctx, older).await?;
    let known: BTreeSet<&ActivityId> = digest.outcomes.iter().map(|outcome| &outcome.work).collect();
    older.retain(|candidate| !known.contains(&candidate.work));
    pool.contenders.extend(tokio::task::block_in_place(|| digest::older_contenders(&frame.inputs(program, &older), &digest)));
    digest.coming_up = coming_up(ctx, &frame.effective.regions, cut_off).await?;
    Ok((digest, pool))
}

/// Talks and events of the three weeks after the cut-off, one line a work, by members who may be shown.
async fn coming_up(ctx: &Context, regions: &[Region], cut_off: Timestamp) -> Result<Vec<Upcoming>, StoreError> {
    let until = cut_off.saturating_add(COMING_UP).unwrap_or(Timestamp::MAX);
    let rows = ctx.store.ahead(cut_off, until).await?;
    let credits: BTreeSet<BuilderId> = rows.iter().flat_map(|row| &row.activity.credits).map(|credit| credit.builder).collect();
    let builders = ctx.store.builders_by_id(credits.into_iter().collect()).await?;
    let credited: BTreeMap<BuilderId, Credited> =
        builders.iter().map(|builder| (builder.id, credited(regions, builder, cut_off))).collect();
    let removed = ctx.store.removed_works().await?;
    let mut coming = Vec::new();
    let mut works = BTreeSet::new();
    for row in rows {
        let activity = row.activity;
        // What was taken out of one digest is not announced in the next.
        if removed.contains(&activity.id) {
            continue;
        }
        let builders: Vec<Credited> = activity
            .credits
            .iter()
            .map(|credit| credit.builder)
            .collect::<BTreeSet<_>>()
            .iter()
            .filter_map(|id| credited.get(id))
            .filter(|builder| builder.active && !builder.not_featured && !builder.not_public)
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

/// Leaves out of what is coming up whoever may not be named any more, however long ago the digest was drafted, and what
/// nobody else announces. Answers how many entries are gone. A published digest is not asked about: it stays as it is.
pub(super) async fn leave_out_unwilling(ctx: &Context, digest: &mut Digest) -> Result<usize, StoreError> {
    if digest.coming_up.is_empty() {
        return Ok(0);
    }
    let now = ctx.clock.now();
    let ids: BTreeSet<BuilderId> = digest.coming_up.iter().flat_map(|coming| &coming.builders).map(|builder| builder.id).collect();
    let builders = ctx.store.builders_by_id(ids.into_iter().collect()).await?;
    let may_be_named = |builder: &&Builder| builder.is_active(now) && !builder.switches.not_featured && !builder.switches.not_public;
    let willing: BTreeSet<BuilderId> = builders.iter().filter(may_be_named).map(|builder| builder.id).collect();
    Ok(digest.keep_coming(|credited| willing.contains(&credited.id)))
}

/// A week's digest as it would go out now; a published one as it went out.
pub async fn digest_now(ctx: &Context, week: Week) -> Result<Option<DigestRow>, StoreError> {
    let Some(mut row) = ctx.store.digest(week).await? else { return Ok(None) };
    if row.state != DigestState::Published {
        leave_out_unwilling(ctx, &mut row.digest).await?;
    }
    Ok(Some(row))
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

/// A work as the rules look at it, and with what its response is to be compared.
fn candidate(row: &WorkRow, cut_off: Timestamp) -> Option<(Candidate, Option<Compared>)> {
    let primary = row.primary()?;
    // What filters keep out is nobody's work.
    if row.activities.iter().all(|activity| activity.filtered.is_some()) {
        return None;
    }
    let builders: Vec<BuilderId> = row.builders().into_iter().collect();
    let all_of = |pick: fn(&Activity) -> bool| row.activities.iter().all(pick);
    let counts = known_at(row.received.map_or([None; 4], |received| received.counts), primary, cut_off);
    let compared = row.received.zip(builders.first()).map(|(received, builder)| Compared {
        builder: *builder,
        platform: received.platform,
        kind: primary.kind,
        before: primary.effective_at,
        counts,
    });
    let own_urls: BTreeSet<&str> = row.activities.iter().filter_map(|activity| activity.url.as_deref()).collect();
    let candidate = Candidate {
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
        unproven: all_of(|activity| activity.unproven),
        link_gone: row.gone,
        held_until: row.activities.iter().filter_map(|activity| activity.held_until).min(),
        left: all_of(|activity| activity.left),
        withdrawn: all_of(Activity::is_withdrawn),
        builders,
        substance: primary.substance.clone(),
        topic: row.work.topic.clone(),
        counts,
        earlier: Vec::new(),
    };
    Some((candidate, compared))
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
async fn past(ctx: &Context, week: Week, cut_off: Timestamp, config: &DigestConfig) -> Result<Past, StoreError> {
    let mut gists = ctx.store.gists().await?;
    // A cool-down of long ago prolongs nothing any more: windows are paused by six of them at most, and by holds.
    let holding = gists.iter().filter(|(.., gist)| !gist.held.is_empty()).count();
    let reach = i64::from(config.window_days) / 7 + 1 + LONGEST_PAUSE_WEEKS + i64::try_from(holding).unwrap_or(i64::MAX / 2);
    for (other, _, gist) in &mut gists {
        if *other >= week || week.weeks_since(*other) > reach {
            gist.cooled.clear();
        }
    }
    let mut ids: Vec<ActivityId> = Vec::new();
    for (.., gist) in &gists {
        ids.extend(gist.picks.iter().flat_map(|pick| pick.members.iter().cloned()));
        ids.extend(gist.shelved.iter().chain(&gist.cooled).chain(&gist.held).cloned());
    }
    let now = ctx.store.resolve_activities(ids).await?;
    let resolve = |id: &ActivityId| now.get(id).unwrap_or(id).clone();
    let before = gists.iter().filter(|(other, ..)| *other < week).max_by_key(|(other, ..)| *other).map(|(.., gist)| gist.cutoff_at);
    let later = gists.iter().filter(|(other, ..)| *other > week).map(|(.., gist)| gist.late_finds_after);
    let mut late_finds = LateFinds::of_new_draft(cut_off, before, later, config.late_days);
    // A draft that is computed again keeps the late finds that are its own, whatever weeks were made up meanwhile.
    if let Some((.., own)) = gists.iter().find(|(other, ..)| *other == week) {
        late_finds.after = own.late_finds_after;
    }
    let mut history = Vec::new();
    let mut supply = BTreeMap::new();
    for (other, state, gist) in gists.into_iter().filter(|(other, ..)| *other != week) {
        if other < week {
            supply.insert(other, gist.supply);
        }
        history.push(PastDigest {
            week: other,
            published: state == DigestState::Published,
            cutoff_seq: gist.cutoff_seq,
            shelved: gist.shelved.iter().map(resolve).collect(),
            cooled: gist.cooled.iter().map(resolve).collect(),
            held: gist.held.iter().map(resolve).collect(),
            picks: gist.picks.into_iter().map(|pick| PastPick { members: pick.members.iter().map(resolve).collect(), ..pick }).collect(),
        });
    }
    history.sort_by_key(|past| past.week);
    Ok(Past { history, supply, late_finds })
}

/// SHA-256, hex, of the digest's canonical JSON.
pub(super) fn hash_of(digest: &Digest) -> Result<String, StoreError> {
    Ok(sha256_hex(serde_json::to_string(digest)?.as_bytes()))
}
