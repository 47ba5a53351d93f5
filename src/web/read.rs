//! Reads what pages show from the store.
//!
//! In: the context of the stories, of which only the store, the clock and the settings are used. Out: views. Decides
//! nothing: who is public is a switch of the builder, what was featured stands in published digests.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::state::{Answer, Pages, PagesError};
use crate::flow::Context;
use crate::model::{
    Activity, ActivityId, Builder, BuilderId, BuilderRecordView, BuilderRow, Digest, DigestState, DigestSummary, HealthView, HomeView,
    HostRow, MergedView, OperatorView, OutcomeCode, RecordQuery, SightingView, Slug, Source, SourceId, SourceRow, SourceState, TaskRow,
    TimelineItem, Week,
};
use crate::render::{self, FeedEntry, Format};
use crate::schedule;
use crate::store::{ActivityRow, DigestRow, LogFilter, StoreError};
use crate::telemetry;

/// Entries of the feed: half a year.
const FEED: usize = 26;
/// Days that the calendar shows.
const CALENDAR_DAYS: i64 = 53 * 7;

/// The pages' data, out of the store.
pub(crate) struct Reader {
    ctx: Context,
}

impl Reader {
    pub(crate) fn new(ctx: Context) -> Self {
        Self { ctx }
    }

    /// Published digests, latest first.
    async fn published(&self) -> Result<Vec<DigestRow>, StoreError> {
        let mut rows = self.ctx.store.digests().await?;
        rows.retain(|row| row.state == DigestState::Published);
        Ok(rows)
    }

    async fn read_home(&self) -> Result<HomeView, StoreError> {
        let published = self.published().await?;
        let counters = self.ctx.store.counters().await?;
        Ok(HomeView {
            digests: published.iter().map(summary).collect(),
            latest: published.into_iter().next().map(|row| row.digest),
            builders: counters.builders,
            sources: counters.sources,
            activities: counters.activities,
        })
    }

    async fn read_sealed(&self, week: Week, format: Format) -> Result<Option<Vec<u8>>, StoreError> {
        self.ctx.store.sealed(week, format.extension()).await
    }

    async fn read_feed(&self) -> Result<String, PagesError> {
        let published = self.published().await?;
        let context = render::Context::new(&self.ctx.config.program, self.ctx.config.web.public_url.as_str());
        let entries: Vec<FeedEntry> = published
            .into_iter()
            .take(FEED)
            .map(|row| FeedEntry { digest: row.digest, published_at: row.published_at, corrections: Vec::new() })
            .collect();
        render::feed(&entries, &context).map_err(|error| PagesError(error.to_string()))
    }

    async fn read_builders(&self) -> Result<Vec<BuilderRow>, StoreError> {
        let counts = self.ctx.store.builder_counts(self.ctx.clock.now()).await?;
        let featured = featured(&self.published().await?);
        let mut builders = self.ctx.store.builders().await?;
        builders.retain(is_public);
        builders.sort_by(|one, other| (&one.name, &one.slug).cmp(&(&other.name, &other.slug)));
        let row = |builder: Builder| {
            let count = counts.get(&builder.id);
            BuilderRow {
                category: builder.categories.first().map(|key| self.category(key)),
                country: builder.country.filter(|_| builder.switches.show_place),
                activities: count.map_or(0, |(all, _, _)| *all),
                featured: featured.get(&builder.id).copied().unwrap_or(0),
                latest_at: count.map(|(_, _, latest_at)| *latest_at),
                slug: builder.slug.as_str().to_owned(),
                name: builder.name,
            }
        };
        Ok(builders.into_iter().map(row).collect())
    }

    async fn read_builder(&self, slug: &Slug, query: RecordQuery) -> Result<Option<BuilderRecordView>, StoreError> {
        let Some(builder) = self.ctx.store.builder(slug).await?.filter(is_public) else { return Ok(None) };
        let rows = self.ctx.store.activities(LogFilter { builder: Some(builder.id), ..LogFilter::default() }).await?;
        let published = self.published().await?;
        let sources = self.ctx.store.sources().await?;
        let states = self.ctx.store.source_states().await?;
        let overview = self.ctx.store.source_overview().await?;

        let zone = builder.timezone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let today = day(self.ctx.clock.now());
        let first = today.saturating_sub(jiff::Span::new().days(CALENDAR_DAYS));
        let mut days: BTreeMap<Date, u32> = BTreeMap::new();
        let mut kinds = BTreeMap::new();
        for row in &rows {
            *days.entry(day(row.activity.effective_at)).or_default() += 1;
            *kinds.entry(row.activity.kind).or_insert(0u64) += 1;
        }
        let wanted: Vec<&ActivityRow> = rows.iter().filter(|row| query.kind.is_none_or(|kind| row.activity.kind == kind)).collect();
        let names: HashMap<SourceId, (&Source, String)> =
            sources.iter().map(|source| (source.id, (source, source_name(source, states.get(&source.id))))).collect();
        let outcomes = Outcomes::of(&published, builder.id);
        let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
        let take = usize::try_from(query.take).unwrap_or(usize::MAX);
        let mut timeline = Vec::new();
        for row in wanted.iter().skip(skip).take(take) {
            timeline.push(self.item(row, day(row.activity.effective_at), &names, &outcomes).await?);
        }
        let own = |source: &&Source| source.owners.iter().any(|owner| owner.builder == builder.id) && !source.left;
        Ok(Some(BuilderRecordView {
            category: builder.categories.first().map(|key| self.category(key)),
            country: builder.country.clone().filter(|_| builder.switches.show_place),
            timezone: zone.iana_name().map(str::to_owned),
            activities: rows.len() as u64,
            days: days.len() as u64,
            featured: featured(&published).get(&builder.id).copied().unwrap_or(0),
            kinds,
            today,
            calendar: days.into_iter().filter(|(date, _)| *date > first).collect(),
            sources: sources
                .iter()
                .filter(own)
                .map(|source| source_row(source, states.get(&source.id), overview.get(&source.id).map_or(0, |of| of.entries), Vec::new()))
                .collect(),
            found: wanted.len() as u64,
            timeline,
            slug: builder.slug.as_str().to_owned(),
            name: builder.name,
        }))
    }

    async fn item(
        &self,
        row: &ActivityRow,
        day: Date,
        names: &HashMap<SourceId, (&Source, String)>,
        outcomes: &Outcomes,
    ) -> Result<TimelineItem, StoreError> {
        let activity = &row.activity;
        let work = self.ctx.store.work_of(&activity.id).await?;
        let mut merged = Vec::new();
        let (mut category, mut evidence, mut services) = (None, Vec::new(), Vec::new());
        if let Some(work) = work {
            for member in work.work.members.iter().filter(|member| member.activity != activity.id) {
                let Some(other) = work.activities.iter().find(|other| other.id == member.activity) else { continue };
                // The rule stands with whichever of the two joined later.
                let own = work.work.members.iter().find(|own| own.activity == activity.id && own.joined_to.as_ref() == Some(&other.id));
                merged.push(MergedView {
                    title: other.title.clone(),
                    url: other.url.clone(),
                    rule: own.map_or(member.rule, |own| own.rule),
                });
            }
            category = Some(self.category(&work.work.topic.category));
            evidence = work.work.topic.evidence.into_iter().map(|evidence| evidence.what).collect();
            services = work.work.topic.services;
        }
        let sightings = activity.sightings.iter().filter_map(|sighting| {
            let (source, name) = names.get(&sighting.source)?;
            Some(SightingView {
                source_kind: source.kind,
                source: name.clone(),
                first_seen_at: sighting.first_seen_at,
                left_at: sighting.left_at,
            })
        });
        Ok(TimelineItem {
            activity: activity.id.clone(),
            kind: activity.kind,
            title: activity.title.clone(),
            language: activity.language.clone(),
            url: activity.url.clone(),
            at: activity.effective_at,
            day,
            dated: is_dated(activity),
            backfill: activity.backfill,
            sightings: sightings.collect(),
            merged,
            category,
            evidence,
            services,
            outcomes: outcomes.by_activity.get(&activity.id).cloned().unwrap_or_default(),
        })
    }

    async fn read_operator(&self) -> Result<OperatorView, StoreError> {
        let store = &self.ctx.store;
        let now = self.ctx.clock.now();
        let names: HashMap<BuilderId, (String, String)> =
            store.builders().await?.into_iter().map(|builder| (builder.id, (builder.slug.as_str().to_owned(), builder.name))).collect();
        let states = store.source_states().await?;
        let overview = store.source_overview().await?;
        let sources = store.sources().await?;
        let counters = store.counters().await?;
        let rows = sources.iter().map(|source| {
            let owners = source.owners.iter().filter_map(|owner| names.get(&owner.builder).cloned()).collect();
            source_row(source, states.get(&source.id), overview.get(&source.id).map_or(0, |of| of.entries), owners)
        });
        let mut tasks = Vec::new();
        for (job, name, cron) in
            [("cut_off", "Draft at the cut-off", &self.ctx.config.schedule.cut_off), ("upkeep", "Upkeep", &self.ctx.config.schedule.upkeep)]
        {
            let last = store.slots_of(job, 1).await?.into_iter().next();
            tasks.push(TaskRow {
                name: name.to_owned(),
                last_at: last.as_ref().map(|slot| slot.started_at),
                elapsed_ms: last.as_ref().and_then(|slot| {
                    let elapsed = slot.finished_at?.duration_since(slot.started_at);
                    u64::try_from(elapsed.as_millis()).ok()
                }),
                outcome: last.as_ref().map(|slot| if slot.note.is_empty() { slot.state.clone() } else { slot.note.clone() }),
                failed: last.as_ref().is_some_and(|slot| matches!(slot.state.as_str(), "failed" | "missed")),
                next_at: schedule::next_slot(cron, &self.ctx.config.schedule.zone, now).ok(),
            });
        }
        Ok(OperatorView {
            sources: rows.collect(),
            hosts: quiet_hosts(&sources, &states, now),
            tasks,
            entries: counters.entries,
            activities: counters.activities,
            works: counters.works,
            log_seq: i64::try_from(counters.facts).unwrap_or(i64::MAX),
            settled_seq: i64::try_from(counters.settled).unwrap_or(i64::MAX),
            database_bytes: counters.database_bytes,
            queue: store.queue_depth() as u64,
        })
    }

    /// The name of a category, or its key where it is not in use any more.
    fn category(&self, key: &str) -> String {
        self.ctx.categories.iter().find(|category| category.key == key).map_or_else(|| key.to_owned(), |category| category.name.clone())
    }
}

impl From<StoreError> for PagesError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl Pages for Reader {
    fn home(&self) -> Answer<'_, HomeView> {
        Box::pin(async { Ok(self.read_home().await?) })
    }

    fn digests(&self) -> Answer<'_, Vec<DigestSummary>> {
        Box::pin(async { Ok(self.published().await?.iter().map(summary).collect()) })
    }

    fn sealed(&self, week: Week, format: Format) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.read_sealed(week, format).await?) })
    }

    fn latest(&self) -> Answer<'_, Option<Week>> {
        Box::pin(async { Ok(self.published().await?.first().map(|row| row.week)) })
    }

    fn feed(&self) -> Answer<'_, String> {
        Box::pin(self.read_feed())
    }

    fn builders(&self) -> Answer<'_, Vec<BuilderRow>> {
        Box::pin(async { Ok(self.read_builders().await?) })
    }

    fn builder<'a>(&'a self, slug: &'a Slug, query: RecordQuery) -> Answer<'a, Option<BuilderRecordView>> {
        Box::pin(async move { Ok(self.read_builder(slug, query).await?) })
    }

    fn operator(&self) -> Answer<'_, OperatorView> {
        Box::pin(async { Ok(self.read_operator().await?) })
    }

    fn health(&self) -> Answer<'_, HealthView> {
        Box::pin(async {
            let problems = match self.ctx.store.settled_and_last().await {
                Ok(_) => Vec::new(),
                Err(error) => {
                    tracing::error!(error = %error, "the store does not answer: {error}");
                    vec!["the store does not answer".to_owned()]
                }
            };
            Ok(HealthView { problems })
        })
    }

    fn metrics(&self) -> Answer<'_, String> {
        Box::pin(async { Ok(telemetry::metrics_text()) })
    }
}

fn is_public(builder: &Builder) -> bool {
    !builder.switches.not_public
}

fn is_dated(activity: &Activity) -> bool {
    activity.published_at.is_some()
}

fn summary(row: &DigestRow) -> DigestSummary {
    let digest: &Digest = &row.digest;
    let builders: HashSet<BuilderId> = digest.picks().flat_map(|pick| &pick.builders).map(|builder| builder.id).collect();
    let lead = digest.lead();
    DigestSummary {
        week: row.week,
        published_at: row.published_at,
        works: u32::try_from(digest.picks().count()).unwrap_or(u32::MAX),
        builders: u32::try_from(builders.len()).unwrap_or(u32::MAX),
        lead: lead.map(|pick| pick.title.clone()),
        lead_language: lead.and_then(|pick| pick.language.clone()),
        corrected: false,
    }
}

/// Places in published digests.
fn featured(published: &[DigestRow]) -> HashMap<BuilderId, u64> {
    let mut places = HashMap::new();
    for builder in published.iter().flat_map(|row| row.digest.picks()).flat_map(|pick| &pick.builders) {
        *places.entry(builder.id).or_default() += 1;
    }
    places
}

/// What became of a builder's activities in published digests; drafts are nobody's business yet.
struct Outcomes {
    /// Oldest week first.
    by_activity: HashMap<ActivityId, Vec<(Week, OutcomeCode)>>,
}

impl Outcomes {
    fn of(published: &[DigestRow], builder: BuilderId) -> Self {
        let mut by_activity: HashMap<ActivityId, Vec<(Week, OutcomeCode)>> = HashMap::new();
        for row in published.iter().rev() {
            let chosen = row.digest.picks().filter(|pick| pick.builders.iter().any(|credited| credited.id == builder));
            let chosen: HashSet<&ActivityId> = chosen.flat_map(|pick| &pick.members).collect();
            for id in &chosen {
                by_activity.entry((*id).clone()).or_default().push((row.week, OutcomeCode::Chosen));
            }
            for outcome in row.digest.outcomes.iter().filter(|outcome| outcome.builders.contains(&builder)) {
                for id in outcome.members.iter().filter(|id| !chosen.contains(id)) {
                    by_activity.entry(id.clone()).or_default().push((row.week, outcome.code));
                }
            }
        }
        Self { by_activity }
    }
}

fn source_name(source: &Source, state: Option<&SourceState>) -> String {
    let title = state.and_then(|state| state.title.clone()).filter(|title| !title.trim().is_empty());
    title.unwrap_or_else(|| source.url.clone())
}

fn source_row(source: &Source, state: Option<&SourceState>, entries: u64, owners: Vec<(String, String)>) -> SourceRow {
    let state = state.cloned().unwrap_or_default();
    SourceRow {
        id: source.id,
        kind: source.kind,
        url: source.url.clone(),
        owners,
        paused: source.paused,
        left: source.left,
        title: state.title,
        status: state.status,
        error: state.error,
        failing_since: state.failing_since,
        failures: state.failures,
        last_poll_at: state.last_poll_at,
        last_success_at: state.last_success_at,
        last_new_at: state.last_new_at,
        next_poll_at: state.next_poll_at,
        entries,
        repairs: state.repairs,
    }
}

/// Hosts whose sources must not be asked before a time that is still to come, longest first.
fn quiet_hosts(sources: &[Source], states: &HashMap<SourceId, SourceState>, now: Timestamp) -> Vec<HostRow> {
    let mut until: BTreeMap<String, Timestamp> = BTreeMap::new();
    for source in sources {
        let state = states.get(&source.id);
        let Some(at) = state.and_then(|state| state.not_before).filter(|at| *at > now) else { continue };
        let asked = state.and_then(|state| state.final_url.as_deref()).unwrap_or(&source.url);
        let Some(host) = url::Url::parse(asked).ok().and_then(|url| url.host_str().map(str::to_owned)) else { continue };
        let latest = until.entry(host).or_insert(at);
        *latest = (*latest).max(at);
    }
    let mut hosts: Vec<HostRow> = until.into_iter().map(|(host, until)| HostRow { host, until }).collect();
    hosts.sort_by(|one, other| (other.until, &one.host).cmp(&(one.until, &other.host)));
    hosts
}
