//! One question: from due to recorded, for every source that the answer speaks for.
//!
//! A source that cannot be fetched or read is an outcome like any other; only the store can fail here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::collect::{self, Collector};
use crate::fetch::FetchOutcome;
use crate::model::{
    Arrival, Ask, Document, EntryKey, GridAge, Poll, PollOutcome, ReadError, Reading, Repair, Request, Source, SourceId, SourceKind,
    SourceState, Validators,
};
use crate::normalize;
use crate::schedule::{self, Observation, Observed};
use crate::store::{Evidence, Known, NewEntry, PollRecord, StoreError};

/// A question that waits for its turn, with what is remembered of the sources that it is for.
#[derive(Debug, Clone)]
pub struct Queued {
    pub ask: Ask,
    pub states: HashMap<SourceId, SourceState>,
}

/// The most further requests that one poll makes for pages and details.
const MAX_FOLLOW_UPS: usize = 30;
/// The most bytes of further pages that are held as evidence of one poll.
const MAX_FURTHER: usize = 8 << 20;
/// Entries older than this when first seen are a back catalogue (RECORD.md section 3).
const STALE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Asks once, and records what came of it.
pub(super) async fn poll(ctx: &Context, queued: &Queued) -> Result<Vec<Poll>, StoreError> {
    let now = ctx.clock.now();
    let fetched = ctx.fetcher.fetch(&queued.ask.request).await;
    let mut polls = Vec::with_capacity(queued.ask.sources.len());
    match fetched.outcome {
        FetchOutcome::Fetched(document) => {
            let answers = read_whole(ctx, queued, document).await?;
            for source in &queued.ask.sources {
                let answer = answers.for_source(source.id);
                polls.push(record_answer(ctx, queued, source, answer, fetched.elapsed_ms, now).await?);
            }
        }
        other => {
            let may_be_ours = matches!(&other, FetchOutcome::Failed(error) if error.may_be_ours());
            let (outcome, mut observed) = unread(other, now);
            if may_be_ours && ctx.weather.is_offline(now) {
                observed.outcome = Observation::Offline;
            }
            for source in &queued.ask.sources {
                let (outcome, observed) = (outcome.clone(), observed.clone());
                polls.push(
                    record_plain(ctx, queued, source, outcome, observed, fetched.status, fetched.elapsed_ms, fetched.bytes, now).await?,
                );
            }
        }
    }
    let host = super::lanes::host_of(&queued.ask.request.url);
    for poll in &polls {
        ctx.weather.note(&host, poll);
        metrics::counter!(crate::telemetry::POLLS, "outcome" => poll.outcome.as_str()).increment(1);
        tell(poll, queued);
    }
    if polls.iter().any(|poll| matches!(poll.outcome, PollOutcome::Failed { .. })) && queued.ask.kind == SourceKind::YoutubeChannel {
        super::weather::spare_ill_host(ctx, &host, &queued.ask.request.url, now);
    }
    Ok(polls)
}

/// What the answer of one poll says, all its pages together.
struct Answer {
    document: Arc<Document>,
    /// All documents that were read, the first one included, each with its question.
    pages: Vec<(Ask, Arc<Document>)>,
    hash: String,
    /// The same bytes as last time: nothing was read.
    same: bool,
    readings: HashMap<SourceId, Reading>,
    error: Option<ReadError>,
    /// A further page or detail could not be had: validators must not be kept, so that it is asked again.
    incomplete: bool,
}

struct AnswerFor<'a> {
    answer: &'a Answer,
    reading: Option<&'a Reading>,
}

impl Answer {
    fn for_source(&self, source: SourceId) -> AnswerFor<'_> {
        AnswerFor { answer: self, reading: self.readings.get(&source) }
    }
}

async fn read_whole(ctx: &Context, queued: &Queued, document: Document) -> Result<Answer, StoreError> {
    let document = Arc::new(document);
    let hash = collect::masked_hash(&document.bytes);
    let same = queued.states.values().all(|state| state.body_hash.as_deref() == Some(hash.as_str()) && state.error.is_none());
    let pages = vec![(queued.ask.clone(), Arc::clone(&document))];
    let mut answer =
        Answer { document: Arc::clone(&document), pages, hash, same, readings: HashMap::new(), error: None, incomplete: false };
    if same {
        return Ok(answer);
    }
    let mut waiting: Vec<Request> = Vec::new();
    match read(ctx, &queued.ask, document).await {
        Ok(readings) => {
            for reading in readings {
                take(&mut answer, reading, &mut waiting, &queued.ask);
            }
        }
        Err(error) => {
            answer.error = Some(error);
            return Ok(answer);
        }
    }
    if waiting.is_empty() {
        return Ok(answer);
    }
    let known = known_platform_keys(ctx, queued).await?;
    let mut asked: HashSet<String> = HashSet::from([queued.ask.request.url.clone()]);
    let mut page = queued.ask.page;
    let mut kept = 0;
    while let Some(request) = waiting.pop() {
        // Older pages are of use only while all that was read so far is new; a detail only if its item is unknown.
        let mut told = answer.readings.values().flat_map(|reading| &reading.entries);
        if !ctx.collectors.get(queued.ask.kind).wants(&request, &mut told, &known) || !asked.insert(request.url.clone()) {
            continue;
        }
        if asked.len() > MAX_FOLLOW_UPS {
            answer.incomplete = true;
            break;
        }
        page += 1;
        let ask = Ask { request, page, ..queued.ask.clone() };
        let fetched = ctx.fetcher.fetch(&ask.request).await;
        let FetchOutcome::Fetched(document) = fetched.outcome else {
            // A detail that is gone will not come back; anything else is asked again with the next poll.
            answer.incomplete |= !matches!(fetched.status, Some(404 | 410 | 451));
            continue;
        };
        let document = Arc::new(document);
        match read(ctx, &ask, Arc::clone(&document)).await {
            Ok(readings) => {
                for reading in readings {
                    take(&mut answer, reading, &mut waiting, &ask);
                }
                kept += document.bytes.len();
                if kept <= MAX_FURTHER {
                    answer.pages.push((ask, document));
                }
            }
            Err(_) => answer.incomplete = true,
        }
    }
    Ok(answer)
}

fn take(answer: &mut Answer, reading: Reading, waiting: &mut Vec<Request>, ask: &Ask) {
    let Some(source) = reading.source.or_else(|| ask.sources.first().map(|source| source.id)) else { return };
    waiting.extend(reading.next.iter().cloned());
    match answer.readings.entry(source) {
        std::collections::hash_map::Entry::Vacant(vacant) => {
            vacant.insert(reading);
        }
        std::collections::hash_map::Entry::Occupied(mut occupied) => {
            let whole = occupied.get_mut();
            whole.entries.extend(reading.entries);
            whole.repairs.extend(reading.repairs);
            whole.skipped += reading.skipped;
        }
    }
}

/// Reads off the async threads; a reader that breaks is an answer that cannot be read, nothing worse.
pub(super) async fn read(ctx: &Context, ask: &Ask, document: Arc<Document>) -> Result<Vec<Reading>, ReadError> {
    let collectors = Arc::clone(&ctx.collectors);
    let ask = ask.clone();
    tokio::task::spawn_blocking(move || collectors.get(ask.kind).read(&ask, &document)).await.unwrap_or(Err(ReadError::TooHard))
}

async fn known_platform_keys(ctx: &Context, queued: &Queued) -> Result<HashSet<String>, StoreError> {
    let mut keys = HashSet::new();
    for source in &queued.ask.sources {
        keys.extend(ctx.store.known_entries(source.id).await?.into_keys().map(|key| key.0));
    }
    Ok(keys)
}

/// The poll of one source whose answer was had.
async fn record_answer(
    ctx: &Context,
    queued: &Queued,
    source: &Arc<Source>,
    answer: AnswerFor<'_>,
    elapsed_ms: u32,
    now: Timestamp,
) -> Result<Poll, StoreError> {
    let document = &answer.answer.document;
    let status = Some(document.status);
    let bytes = document.bytes.len() as u64;
    let mut observed = Observed {
        outcome: Observation::Unchanged,
        // What was not read whole is asked again without conditions.
        validators: if answer.answer.incomplete { Validators::default() } else { document.validators.clone() },
        freshness: document.freshness.clone(),
        moved_to: document.moved_to.clone(),
    };
    if answer.answer.same {
        return record_plain(ctx, queued, source, PollOutcome::Unchanged, observed, status, elapsed_ms, bytes, now).await;
    }
    let Some(reading) = answer.reading.filter(|_| answer.answer.error.is_none()) else {
        let error = answer.answer.error.clone().unwrap_or(ReadError::NoneReadable).to_string();
        observed.outcome = Observation::Failed { error: error.clone() };
        return record_plain(ctx, queued, source, PollOutcome::Failed { error }, observed, status, elapsed_ms, bytes, now).await;
    };
    let state = queued.states.get(&source.id);
    // Nothing can be known of a source that never answered.
    let unheard = state.is_some_and(|state| state.last_success_at.is_none() && state.last_full_at.is_none());
    let known = if unheard { HashMap::new() } else { ctx.store.known_entries(source.id).await? };
    let state = state.cloned().unwrap_or_default();
    let diff = compare(source, reading, &known, state.last_success_at.is_none(), window_start(ctx, now), now);
    let diff = follow_successors(ctx, diff).await?;
    let outcome = if reading.entries.is_empty() {
        PollOutcome::Empty
    } else {
        PollOutcome::Read {
            entries: count(reading.entries.len()),
            new: count(diff.new.len()),
            changed: count(diff.changed.len()),
            left: count(diff.left.len()),
        }
    };
    observed.outcome = if reading.entries.is_empty() {
        Observation::Empty
    } else {
        Observation::Read {
            published: reading.entries.iter().filter_map(|entry| entry.published.or(entry.updated)).collect(),
            new: count(diff.new.len()),
            hints: reading.hints.clone(),
        }
    };
    let mut state = schedule::after_poll(&ctx.config.schedule, source, &state, &observed, now);
    state.repairs = named(&reading.repairs, reading.skipped);
    if normalize::ids_not_unique(&reading.entries) {
        state.repairs.push("ids not unique".into());
    }
    state.title.clone_from(&reading.title);
    state.body_hash = Some(answer.answer.hash.clone()).filter(|_| !answer.answer.incomplete);
    let moved = !(diff.new.is_empty() && diff.changed.is_empty() && diff.left.is_empty());
    let poll = poll_of(source, outcome, status, elapsed_ms, bytes, now);
    metrics::counter!(crate::telemetry::ENTRIES_NEW).increment(diff.new.len() as u64);
    let evidence = if moved { evidence_of(ctx, source, &answer.answer.pages, reading.entries.len()).await? } else { Vec::new() };
    ctx.store
        .record_poll(PollRecord {
            poll: poll.clone(),
            state,
            new: diff.new,
            changed: diff.changed,
            left: diff.left,
            samples: diff.samples,
            new_samples: diff.new_samples,
            evidence,
        })
        .await?;
    Ok(poll)
}

/// The documents of a poll, packed. Of an answer that speaks for many sources only what it says of this one is kept.
pub(super) async fn evidence_of(
    ctx: &Context,
    source: &Arc<Source>,
    pages: &[(Ask, Arc<Document>)],
    entries: usize,
) -> Result<Vec<Evidence>, StoreError> {
    let mut evidence = Vec::with_capacity(pages.len());
    for (ask, document) in pages {
        let keyframe = ctx.store.keyframe(source.id, &ask.request.url).await?;
        let (ask, document, source) = (ask.clone(), Arc::clone(document), Arc::clone(source));
        let (collectors, alone) = (Arc::clone(&ctx.collectors), pages.len() == 1);
        let packed = tokio::task::spawn_blocking(move || {
            let part = own_part(collectors.get(ask.kind), &ask, &document, &source, alone.then_some(entries));
            Evidence::of(part.as_ref().unwrap_or(&document), &ask.request, ask.page, keyframe.as_ref())
        });
        evidence.push(packed.await.map_err(|_| StoreError::Closed)??);
    }
    Ok(evidence)
}

/// What a shared answer says of one source, if that reads as it did within the whole.
fn own_part(collector: &dyn Collector, ask: &Ask, document: &Document, source: &Arc<Source>, entries: Option<usize>) -> Option<Document> {
    if ask.sources.len() < 2 {
        return None;
    }
    let part = Document { bytes: collector.part(document, source)?, ..document.clone() };
    let alone = Ask { sources: vec![Arc::clone(source)], ..ask.clone() };
    let readings = collector.read(&alone, &part).ok()?;
    let read: usize =
        readings.iter().filter(|reading| reading.source.is_none_or(|id| id == source.id)).map(|reading| reading.entries.len()).sum();
    entries.is_none_or(|entries| entries == read).then_some(part)
}

/// The poll of one source that brought no entries: kept in memory if nothing but times changed.
#[expect(clippy::too_many_arguments, reason = "the record of one poll, taken apart")]
async fn record_plain(
    ctx: &Context,
    queued: &Queued,
    source: &Arc<Source>,
    outcome: PollOutcome,
    observed: Observed,
    status: Option<u16>,
    elapsed_ms: u32,
    bytes: u64,
    now: Timestamp,
) -> Result<Poll, StoreError> {
    let before = queued.states.get(&source.id).cloned().unwrap_or_default();
    let state = schedule::after_poll(&ctx.config.schedule, source, &before, &observed, now);
    let poll = poll_of(source, outcome, status, elapsed_ms, bytes, now);
    let quiet = matches!(poll.outcome, PollOutcome::Unchanged) && state.validators == before.validators && state.status == before.status;
    if quiet {
        let only_times = before.with_times_of(&state) == state;
        ctx.store.remember(source.id, state, only_times);
    } else {
        ctx.store
            .record_poll(PollRecord {
                poll: poll.clone(),
                state,
                new: Vec::new(),
                changed: Vec::new(),
                left: Vec::new(),
                samples: Vec::new(),
                new_samples: Vec::new(),
                evidence: Vec::new(),
            })
            .await?;
    }
    Ok(poll)
}

fn poll_of(source: &Source, outcome: PollOutcome, status: Option<u16>, elapsed_ms: u32, bytes: u64, at: Timestamp) -> Poll {
    Poll { source: source.id, at, outcome, status, elapsed_ms, bytes }
}

/// An answer that holds no document, as the record of polls and the schedule see it.
fn unread(outcome: FetchOutcome, now: Timestamp) -> (PollOutcome, Observed) {
    let observed = |outcome| Observed { outcome, ..Observed::default() };
    match outcome {
        FetchOutcome::NotModified { validators, freshness, moved_to, .. } => {
            (PollOutcome::Unchanged, Observed { outcome: Observation::Unchanged, validators, freshness, moved_to })
        }
        FetchOutcome::Deferred { until, error } => {
            (PollOutcome::Deferred { until: until.unwrap_or(now) }, observed(Observation::Deferred { until, error }))
        }
        FetchOutcome::Held { until } => (PollOutcome::Held { until }, observed(Observation::Held { until })),
        FetchOutcome::Gone => (PollOutcome::Gone, observed(Observation::Gone)),
        FetchOutcome::Blocked { error, .. } => (PollOutcome::Blocked { error: error.clone() }, observed(Observation::Blocked { error })),
        FetchOutcome::Failed(error) => {
            let error = error.to_string();
            (PollOutcome::Failed { error: error.clone() }, observed(Observation::Failed { error }))
        }
        // Read before this; an empty document is what is left to say.
        FetchOutcome::Fetched(document) => {
            (PollOutcome::Empty, Observed { validators: document.validators, ..observed(Observation::Empty) })
        }
    }
}

/// What a reading brings beside what the log knows.
#[derive(Default)]
struct Diff {
    new: Vec<NewEntry>,
    changed: Vec<(i64, NewEntry)>,
    left: Vec<i64>,
    samples: Vec<(i64, GridAge, crate::model::Counts)>,
    new_samples: Vec<(EntryKey, GridAge, crate::model::Counts)>,
}

fn compare(
    source: &Source,
    reading: &Reading,
    known: &HashMap<EntryKey, Known>,
    first_poll: bool,
    window_start: Timestamp,
    now: Timestamp,
) -> Diff {
    let keys = normalize::entry_keys(source, &reading.entries);
    let mut told: HashSet<&EntryKey> = HashSet::new();
    let mut diff = Diff::default();
    for (entry, key) in reading.entries.iter().zip(&keys) {
        // An entry told twice in one document counts as it is told first.
        if !told.insert(key) {
            continue;
        }
        let fingerprint = normalize::fingerprint(source.kind, entry);
        let age = entry.published.map_or(SignedDuration::ZERO, |published| now.duration_since(published));
        let grid = GridAge::of_age_s(age.as_secs()).filter(|_| !entry.counts.is_empty());
        if let Some(before) = known.get(key) {
            if let Some(age) = grid.filter(|age| !before.sampled.contains(age)) {
                diff.samples.push((before.id, age, entry.counts));
            }
            if before.left || before.fingerprint != fingerprint {
                diff.changed
                    .push((before.id, NewEntry { key: key.clone(), fingerprint, arrival: Arrival::default(), entry: entry.clone() }));
            }
        } else {
            if let Some(age) = grid {
                diff.new_samples.push((key.clone(), age, entry.counts));
            }
            let arrival = Arrival { first_poll, window_start: Some(window_start), ..Arrival::default() };
            diff.new.push(NewEntry { key: key.clone(), fingerprint, arrival, entry: entry.clone() });
        }
    }
    count_arrivals(&mut diff.new, now);
    // A source that shows nothing at all for once has not withdrawn everything, and what a platform lists is a window: an
    // entry that is not in it is only older.
    let shows_all = source.kind == SourceKind::Rss;
    if shows_all && !reading.entries.is_empty() {
        diff.left = known
            .iter()
            .filter(|(key, before)| !before.left && !before.beyond && !told.contains(key))
            .map(|(_, before)| before.id)
            .collect();
        diff.left.sort_unstable();
    }
    diff
}

/// An entry whose id and address were corrected is the old one told otherwise, not one that left and one that came.
async fn follow_successors(ctx: &Context, mut diff: Diff) -> Result<Diff, StoreError> {
    if diff.left.is_empty() || diff.new.is_empty() {
        return Ok(diff);
    }
    let gone = ctx.store.entries(diff.left.clone()).await?;
    let pairs = {
        let old: Vec<&crate::model::Entry> = gone.iter().map(|row| &row.entry).collect();
        let fresh: Vec<&crate::model::Entry> = diff.new.iter().map(|new| &new.entry).collect();
        normalize::successors(&old, &fresh)
    };
    let mut taken: Vec<usize> = Vec::new();
    for (old, fresh) in pairs {
        let id = gone[old].id;
        diff.left.retain(|left| *left != id);
        diff.changed.push((id, diff.new[fresh].clone()));
        taken.push(fresh);
    }
    let mut place = 0;
    diff.new.retain(|_| {
        place += 1;
        !taken.contains(&(place - 1))
    });
    Ok(diff)
}

/// How many of the new entries are old, and how many came out within one hour of each.
fn count_arrivals(new: &mut [NewEntry], now: Timestamp) {
    let unseen = count(new.len());
    let stale = count(new.iter().filter(|new| new.entry.published.is_none_or(|at| now.duration_since(at) > STALE)).count());
    let mut dates: Vec<i64> = new.iter().filter_map(|new| new.entry.published).map(jiff::Timestamp::as_second).collect();
    dates.sort_unstable();
    for new in new {
        let crowd = normalize::published(&new.entry).map_or(0, |at| {
            let at = at.as_second();
            let from = dates.partition_point(|date| *date < at - 3600);
            let to = dates.partition_point(|date| *date <= at + 3600);
            count(to - from)
        });
        new.arrival = Arrival { unseen, stale, crowd, ..new.arrival };
    }
}

/// From when on a first poll's entries are ordinary: the beginning of the window of the latest cut-off.
fn window_start(ctx: &Context, now: Timestamp) -> Timestamp {
    let days = i64::from(ctx.config.digest.window_days);
    let cut_off = schedule::last_slot(&ctx.config.schedule.cut_off, &ctx.config.schedule.zone, now).unwrap_or(now);
    cut_off.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN)
}

fn named(repairs: &[Repair], skipped: u32) -> Vec<String> {
    let mut names: Vec<String> = repairs.iter().map(|repair| repair.0.to_string()).collect();
    if skipped > 0 {
        names.push(if skipped == 1 { "1 item skipped".into() } else { format!("{skipped} items skipped") });
    }
    names.dedup();
    names
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One line where something changed; the same state again is told to those who ask for more.
fn tell(poll: &Poll, queued: &Queued) {
    let id = poll.source;
    let again = queued.states.get(&id).is_some_and(|state| state.failures > 0);
    match &poll.outcome {
        PollOutcome::Read { new, changed, .. } if *new > 0 || *changed > 0 => {
            tracing::info!(source.id = %id, new = *new, changed = *changed, elapsed_ms = poll.elapsed_ms, "polled source {id}: {new} new, {changed} changed");
        }
        PollOutcome::Failed { error } | PollOutcome::Blocked { error } if !again => {
            tracing::warn!(source.id = %id, "source {id} cannot be read: {error}");
        }
        PollOutcome::Gone if !again => tracing::warn!(source.id = %id, "source {id} answers that it is gone"),
        outcome => tracing::debug!(source.id = %id, outcome = outcome.as_str(), "polled source {id}: {}", outcome.as_str()),
    }
}
