//! The pages' data as the store holds it.
//!
//! Reads and counts; what is said of it is left to handlers and templates.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::state::{Answer, Pages, PagesError};
use crate::flow::Context;
use crate::model::{
    ActivityId, AmplifiedView, Builder, BuilderId, BuilderRecordView, BuilderRow, BuilderView, Correction, DeliveryState, DigestSummary,
    FeaturedView, FeaturedWork, HealthView, HomeView, HostRow, Mark, MergedView, OperatorView, OutcomeCode, RecordQuery, Sight,
    SightingView, Slug, Source, SourceRow, SourceState, TaskRow, TimelineItem, Week, WordView, masked, masked_text,
};
use crate::render::{self, FeedEntry, Format};
use crate::store::{ActivityRow, DigestRow, LogFilter, StoreError, WorkRow};
use crate::telemetry;

/// Pages on an open store.
pub struct StoredPages {
    ctx: Context,
    /// What was published as it was last read: a digest's whole text is large, and never changes again.
    published: Mutex<Arc<Published>>,
}

/// What pages ask about all published digests.
#[derive(Default)]
struct Published {
    /// Newest first, each with the number of its newest edition.
    weeks: Vec<(Week, u32)>,
    summaries: Vec<DigestSummary>,
    /// The newest ones whole.
    newest: Vec<DigestRow>,
    /// What of each builder was featured, newest first.
    featured: HashMap<BuilderId, Vec<FeaturedWork>>,
    /// Of all weeks, oldest first.
    corrections: Vec<Correction>,
}

/// So many posts about a builder are shown.
const AMPLIFIED: usize = 20;
/// So many private words to a builder are shown.
const WORDS: usize = 20;
/// So many digests are in the Atom feed.
const FEED: usize = 20;

impl Published {
    fn of(weeks: Vec<(Week, u32)>, mut rows: Vec<DigestRow>, corrections: Vec<Correction>) -> Self {
        let mut featured: HashMap<_, Vec<_>> = HashMap::new();
        for (row, pick) in rows.iter().flat_map(|row| row.digest.picks().map(move |pick| (row, pick))) {
            for builder in pick.builders.iter().filter(|_| pick.removed.is_none()) {
                featured.entry(builder.id).or_default().push(FeaturedWork {
                    week: row.week,
                    title: pick.title.clone(),
                    language: pick.language.clone(),
                    kind: pick.kind,
                    url: pick.url.clone(),
                });
            }
        }
        for row in &mut rows {
            row.digest = row.digest.for_readers();
        }
        let corrected = |row: &DigestRow| corrections.iter().any(|correction| correction.week == row.week);
        let summaries = rows.iter().map(|row| DigestSummary { corrected: corrected(row), ..summary(row) }).collect();
        rows.truncate(FEED);
        Self { weeks, summaries, newest: rows, featured, corrections }
    }

    fn times_featured(&self, builder: BuilderId) -> u64 {
        self.featured.get(&builder).map_or(0, |works| works.len() as u64)
    }
}

impl From<StoreError> for PagesError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl StoredPages {
    /// Pages of this context.
    pub fn new(ctx: Context) -> Self {
        Self { ctx, published: Mutex::default() }
    }

    async fn published(&self) -> Result<Arc<Published>, StoreError> {
        let weeks = self.ctx.store.published_weeks().await?;
        let known = Arc::clone(&self.published.lock().unwrap_or_else(PoisonError::into_inner));
        if known.weeks == weeks {
            return Ok(known);
        }
        let rows: Vec<DigestRow> = self.ctx.store.published().await?.into_iter().map(|(row, _)| row).collect();
        let weeks = rows.iter().map(|row| (row.week, row.edition)).collect();
        let read = Arc::new(Published::of(weeks, rows, self.ctx.store.corrections(Timestamp::MIN, Timestamp::MAX).await?));
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&read);
        Ok(read)
    }

    fn category_name(&self, key: &str) -> Option<String> {
        self.ctx.categories.iter().find(|category| category.key == key).map(|category| category.name.clone())
    }

    /// All sources as the operator sees them.
    async fn all_sources(&self) -> Result<Vec<SourceRow>, StoreError> {
        let store = &self.ctx.store;
        let mut states = store.source_states().await?;
        let entries = store.entries_by_source().await?;
        let builders = store.builder_names().await?;
        let sources = store.sources().await?.into_iter();
        Ok(sources
            .map(|source| {
                let state = states.remove(&source.id).unwrap_or_default();
                let entries = entries.get(&source.id).copied().unwrap_or(0);
                source_row(&source, state, entries, &builders)
            })
            .collect())
    }

    /// The sources of a builder.
    async fn own_sources(&self, builder: &Builder) -> Result<Vec<SourceRow>, StoreError> {
        let store = &self.ctx.store;
        let entries = store.entries_of(builder.id).await?;
        let sources = store.sources_of(builder.id).await?;
        let shared = sources.iter().flat_map(|(source, _)| &source.owners).any(|owner| owner.builder != builder.id);
        let own = HashMap::from([(builder.id, (builder.slug.to_string(), builder.name.clone()))]);
        let builders = if shared { store.builder_names().await? } else { own };
        Ok(sources
            .into_iter()
            .map(|(source, state)| {
                let entries = entries.get(&source.id).copied().unwrap_or(0);
                source_row(&source, state, entries, &builders)
            })
            .collect())
    }

    async fn page_of(&self, slug: &Slug, query: RecordQuery) -> Result<Option<BuilderView>, StoreError> {
        let builder = self.ctx.store.builder(slug).await?;
        let Some(builder) = builder.filter(|builder| query.sight.finds(builder.switches)) else { return Ok(None) };
        if query.sight.sees_record(builder.switches) {
            return Ok(Some(BuilderView::Record(Box::new(self.record(builder, query).await?))));
        }
        let published = self.published().await?;
        let works = published.featured.get(&builder.id).map(Vec::as_slice).unwrap_or_default();
        let bounded = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Some(BuilderView::Featured(FeaturedView {
            slug: builder.slug.to_string(),
            name: builder.name,
            country: builder.country.filter(|_| builder.switches.show_place),
            found: works.len() as u64,
            works: works.iter().skip(bounded(query.skip)).take(bounded(query.take)).cloned().collect(),
        })))
    }

    async fn record(&self, builder: Builder, query: RecordQuery) -> Result<BuilderRecordView, StoreError> {
        let zone = builder.timezone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let times = self.ctx.store.activity_times(builder.id).await?;
        let sources = self.own_sources(&builder).await?;
        let today = self.ctx.clock.now().to_zoned(zone.clone()).date();
        let first_day = today.saturating_sub(jiff::Span::new().days(53 * 7));
        let mut kinds = BTreeMap::new();
        let mut days = BTreeSet::new();
        let mut calendar = BTreeMap::new();
        for (kind, effective_at) in &times {
            *kinds.entry(*kind).or_insert(0) += 1;
            let day = zone.to_datetime(*effective_at).date();
            days.insert(day);
            if day >= first_day && day <= today {
                *calendar.entry(day).or_insert(0) += 1;
            }
        }
        let published = self.published().await?;
        let found = times.iter().filter(|(kind, _)| query.kind.is_none_or(|wanted| *kind == wanted)).count() as u64;
        let bounded = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let filter = LogFilter {
            builder: Some(builder.id),
            kind: query.kind,
            skip: bounded(query.skip),
            limit: Some(bounded(query.take)),
            ..LogFilter::default()
        };
        let rows = self.ctx.store.activities(filter).await?;
        let shown: Vec<ActivityId> = rows.iter().map(|row| row.activity.id.clone()).collect();
        let outcomes = self.ctx.store.verdicts(shown.clone()).await?;
        let works = self.ctx.store.works_of(shown).await?;
        let amplified = self.amplified(builder.id).await?;
        let told_alone = if query.sight == Sight::Inside { self.words(builder.id).await? } else { Vec::new() };
        let timeline = rows.iter().map(|row| self.timeline_item(row, works.get(&row.activity.id), &zone, &sources, &outcomes)).collect();
        Ok(BuilderRecordView {
            slug: builder.slug.to_string(),
            name: builder.name,
            category: builder.categories.first().and_then(|key| self.category_name(key)),
            country: builder.country.filter(|_| builder.switches.show_place),
            timezone: builder.timezone,
            activities: times.len() as u64,
            days: days.len() as u64,
            featured: published.times_featured(builder.id),
            kinds,
            today,
            calendar,
            sources,
            found,
            timeline,
            amplified,
            words: told_alone,
        })
    }

    /// What staff told a builder in private about works of theirs, latest first.
    async fn words(&self, builder: BuilderId) -> Result<Vec<WordView>, StoreError> {
        let told = self.ctx.store.words_to_authors().await?;
        let outdated: Vec<_> = told
            .into_iter()
            .rev()
            .filter_map(|(_, record)| match record.what {
                Mark::Outdated { work, text } => Some((work, text, record.at)),
                _ => None,
            })
            .collect();
        let works = self.ctx.store.works_of(outdated.iter().map(|(work, ..)| work.clone()).collect()).await?;
        let word = |(work, text, at)| {
            let activities = &works.get(&work)?.activities;
            let is_theirs = activities.iter().flat_map(|activity| &activity.credits).any(|credit| credit.builder == builder);
            let title = activities.first().filter(|_| is_theirs)?.title.clone();
            Some(WordView { title, text, at })
        };
        Ok(outdated.into_iter().filter_map(word).take(WORDS).collect())
    }

    /// What was posted about works of a builder, each with its title as published.
    async fn amplified(&self, builder: BuilderId) -> Result<Vec<AmplifiedView>, StoreError> {
        let mut posted = self.ctx.store.amplified(Some(builder)).await?;
        posted.truncate(AMPLIFIED);
        let mut digests = HashMap::new();
        let mut views = Vec::with_capacity(posted.len());
        for posted in posted {
            let digest = match digests.entry(posted.week) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => new.insert(self.ctx.store.digest(posted.week).await?),
            };
            let pick = digest.as_ref().and_then(|row| row.digest.picks().find(|pick| pick.work == posted.work));
            views.push(AmplifiedView {
                week: posted.week,
                title: pick.map(|pick| pick.title.clone()).unwrap_or_default(),
                language: pick.and_then(|pick| pick.language.clone()),
                channel: posted.channel,
                url: posted.url,
                at: posted.at,
            });
        }
        Ok(views)
    }

    fn timeline_item(
        &self,
        row: &ActivityRow,
        work: Option<&WorkRow>,
        zone: &TimeZone,
        sources: &[SourceRow],
        outcomes: &HashMap<ActivityId, Vec<(Week, OutcomeCode)>>,
    ) -> TimelineItem {
        let activity = &row.activity;
        let merged = work.iter().flat_map(|row| &row.activities).filter(|other| other.id != activity.id).filter_map(|other| {
            let members = &work?.work.members;
            let rule = |id: &ActivityId| members.iter().find(|member| member.activity == *id).map(|member| member.rule);
            // The one that the others were joined to carries no rule of its own.
            let rule = rule(&other.id).filter(|rule| *rule != crate::model::MergeRule::Alone).or_else(|| rule(&activity.id))?;
            Some(MergedView { title: other.title.clone(), url: other.url.clone(), rule })
        });
        let merged = merged.collect();
        let topic = work.map(|row| row.work.topic.clone()).unwrap_or_default();
        let sightings = activity.sightings.iter().filter_map(|sighting| {
            let source = sources.iter().find(|source| source.id == sighting.source)?;
            Some(SightingView {
                source_kind: source.kind,
                source: source.title.clone().unwrap_or_else(|| source.url.clone()),
                first_seen_at: sighting.first_seen_at,
                left_at: sighting.left_at,
            })
        });
        TimelineItem {
            activity: activity.id.clone(),
            kind: activity.kind,
            title: activity.title.clone(),
            language: activity.language.clone(),
            url: activity.url.clone(),
            at: activity.effective_at,
            day: activity.effective_at.to_zoned(zone.clone()).date(),
            dated: activity.published_at.is_some(),
            backfill: activity.backfill,
            sightings: sightings.collect(),
            merged,
            category: self.category_name(&topic.category),
            evidence: topic.evidence.into_iter().map(|evidence| evidence.what).collect(),
            services: topic.services,
            outcomes: outcomes.get(&activity.id).cloned().unwrap_or_default(),
        }
    }

    async fn operator_view(&self) -> Result<OperatorView, StoreError> {
        let ctx = &self.ctx;
        let now = ctx.clock.now();
        let counters = ctx.store.counters().await?;
        let mut hosts: BTreeMap<String, Timestamp> = BTreeMap::new();
        let sources = self.all_sources().await?;
        for source in &sources {
            let Some(until) = source.quiet_until.filter(|until| *until > now) else { continue };
            let host = url::Url::parse(&source.url).ok().and_then(|url| url.host_str().map(str::to_owned));
            let latest = hosts.entry(host.unwrap_or_else(|| source.kind.to_string())).or_insert(until);
            *latest = until.max(*latest);
        }
        let schedule = &ctx.config.schedule;
        let timed = [
            ("cut_off", "weekly cut-off", &schedule.cut_off),
            ("links", "links", &schedule.links),
            ("engagement", "counts", &schedule.engagement),
            ("upkeep", "upkeep", &schedule.upkeep),
        ];
        let mut tasks = Vec::new();
        for (job, name, cron) in timed {
            let last = ctx.store.slots_of(job, 1).await?.into_iter().next();
            tasks.push(TaskRow {
                name: name.to_owned(),
                last_at: last.as_ref().map(|slot| slot.slot_at),
                elapsed_ms: last
                    .as_ref()
                    .and_then(|slot| u64::try_from(slot.finished_at?.duration_since(slot.started_at).as_millis()).ok()),
                failed: last.as_ref().is_some_and(|slot| slot.state == "failed"),
                outcome: last.map(|slot| if slot.note.is_empty() { slot.state } else { slot.note }),
                next_at: crate::schedule::next_slot(cron, &schedule.zone, now).ok(),
            });
        }
        for row in ctx.store.deliveries(None).await? {
            let outcome = match row.state {
                DeliveryState::Doubt => format!("it may have arrived: look there, then say so with `clarion digest resolve`. {}", row.note),
                DeliveryState::Failed => format!("not sent: {}", row.note),
                DeliveryState::Planned if row.attempts > 0 => format!("not sent yet: {}", row.note),
                _ => continue,
            };
            tasks.push(TaskRow {
                name: format!("sending {} to {}", row.week, row.channel),
                last_at: Some(row.ended_at.unwrap_or(row.planned_at)),
                elapsed_ms: None,
                failed: row.state != DeliveryState::Planned,
                outcome: Some(outcome),
                next_at: (row.state == DeliveryState::Planned).then_some(row.next_at),
            });
        }
        let seq = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Ok(OperatorView {
            sources,
            hosts: hosts.into_iter().map(|(host, until)| HostRow { host, until }).collect(),
            tasks,
            entries: counters.entries,
            activities: counters.activities,
            works: counters.works,
            log_seq: seq(counters.facts),
            settled_seq: seq(counters.settled),
            database_bytes: counters.database_bytes,
            queue: ctx.store.queue_depth() as u64,
        })
    }
}

fn source_row(source: &Source, state: SourceState, entries: u64, builders: &HashMap<BuilderId, (String, String)>) -> SourceRow {
    SourceRow {
        id: source.id,
        kind: source.kind,
        title: state.title,
        owners: source.owners.iter().filter_map(|owner| builders.get(&owner.builder).cloned()).collect(),
        url: masked(&source.url),
        status: state.status,
        paused: source.paused,
        left: source.left,
        error: state.error.as_deref().map(masked_text),
        failing_since: state.failing_since,
        failures: state.failures,
        last_poll_at: state.last_poll_at,
        last_success_at: state.last_success_at,
        last_new_at: state.last_new_at,
        next_poll_at: state.next_poll_at,
        quiet_until: state.quiet_until,
        entries,
        repairs: state.repairs,
    }
}

fn summary(row: &DigestRow) -> DigestSummary {
    let builders: BTreeSet<BuilderId> = row.digest.picks().flat_map(|pick| &pick.builders).map(|builder| builder.id).collect();
    let lead = row.digest.lead().or_else(|| row.digest.picks().next());
    DigestSummary {
        week: row.week,
        published_at: row.published_at,
        works: u32::try_from(row.digest.picks().count()).unwrap_or(u32::MAX),
        builders: u32::try_from(builders.len()).unwrap_or(u32::MAX),
        lead: lead.map(|pick| pick.title.clone()),
        lead_language: lead.and_then(|pick| pick.language.clone()),
        corrected: false,
    }
}

impl Pages for StoredPages {
    fn home(&self) -> Answer<'_, HomeView> {
        Box::pin(async move {
            let published = self.published().await?;
            let counters = self.ctx.store.counters().await?;
            Ok(HomeView {
                latest: published.newest.first().map(|row| row.digest.clone()),
                digests: published.summaries.iter().take(6).cloned().collect(),
                builders: counters.builders,
                sources: counters.sources,
                activities: counters.activities,
            })
        })
    }

    fn digests(&self) -> Answer<'_, Vec<DigestSummary>> {
        Box::pin(async move { Ok(self.published().await?.summaries.clone()) })
    }

    fn sealed(&self, week: Week, format: Format) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.ctx.store.sealed(week, format.extension()).await?) })
    }

    fn latest(&self) -> Answer<'_, Option<Week>> {
        Box::pin(async move { Ok(self.published().await?.weeks.first().map(|(week, _)| *week)) })
    }

    fn feed(&self) -> Answer<'_, String> {
        Box::pin(async move {
            let published = self.published().await?;
            let (feed_host, week_hosts) = self.ctx.store.id_hosts().await?;
            let context = render::Context {
                feed_host,
                week_hosts,
                ..render::Context::new(&self.ctx.config.program, self.ctx.config.web.public_url.as_str())
            };
            let entries: Vec<FeedEntry> = published
                .newest
                .iter()
                .map(|row| FeedEntry {
                    digest: row.digest.clone(),
                    published_at: row.published_at,
                    corrections: published.corrections.iter().filter(|correction| correction.week == row.week).cloned().collect(),
                })
                .collect();
            render::feed(&entries, &context).map_err(|error| PagesError(error.to_string()))
        })
    }

    fn builders(&self, sight: Sight) -> Answer<'_, Vec<BuilderRow>> {
        Box::pin(async move {
            let counts = self.ctx.store.builder_counts().await?;
            let published = self.published().await?;
            let mut builders = self.ctx.store.builders().await?;
            builders.retain(|builder| sight.finds(builder.switches) && builder.is_active(self.ctx.clock.now()));
            builders.sort_by_cached_key(|builder| (crate::text::fold(&builder.name), builder.slug.to_string()));
            let row = |builder: Builder| {
                let whole = sight.sees_record(builder.switches);
                let told = counts.get(&builder.id).filter(|_| whole);
                BuilderRow {
                    category: builder.categories.first().filter(|_| whole).and_then(|key| self.category_name(key)),
                    activities: whole.then(|| told.map_or(0, |(all, _)| *all)),
                    latest_at: told.map(|(_, latest)| *latest),
                    country: builder.country.filter(|_| builder.switches.show_place),
                    featured: published.times_featured(builder.id),
                    not_public: builder.switches.not_public,
                    slug: builder.slug.to_string(),
                    name: builder.name,
                }
            };
            Ok(builders.into_iter().map(row).collect())
        })
    }

    fn builder<'a>(&'a self, slug: &'a Slug, query: RecordQuery) -> Answer<'a, Option<BuilderView>> {
        Box::pin(async move { Ok(self.page_of(slug, query).await?) })
    }

    fn operator(&self) -> Answer<'_, OperatorView> {
        Box::pin(async move { Ok(self.operator_view().await?) })
    }

    fn health(&self) -> Answer<'_, HealthView> {
        Box::pin(async move {
            let mut problems = Vec::new();
            match self.ctx.store.probe().await {
                Ok(()) => {}
                Err(StoreError::Full) => problems.push("storage full: nothing can be recorded".into()),
                Err(error) => {
                    tracing::debug!("the database does not answer: {error}");
                    problems.push("the database cannot be written".into());
                }
            }
            let now = self.ctx.clock.now();
            let late = self.ctx.store.oldest_overdue(now).await?;
            if late > SignedDuration::from_hours(6) {
                problems.push("polling has fallen behind by more than six hours".into());
            }
            Ok(HealthView { problems })
        })
    }

    fn metrics(&self) -> Answer<'_, String> {
        Box::pin(async move { Ok(telemetry::metrics_text()) })
    }
}
