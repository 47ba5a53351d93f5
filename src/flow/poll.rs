//! One question: from due to recorded, for every source that the answer speaks for.
//!
//! A source that cannot be fetched or read is an outcome like any other; only the store can fail here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::recognize::{new_entry, recognize, told_entry};
use crate::collect::{self, Collector, Meaning};
use crate::fetch::{Fetch, FetchOutcome};
use crate::model::{
    Account, ActivityKind, Arrival, Ask, Auth, Document, Ending, Entry, EntryKey, FeedHints, GridAge, Poll, PollOutcome, ReadError,
    Reading, Repair, Request, Source, SourceId, SourceKind, SourceState, Validators, masked_text,
};
use crate::normalize::{self, Found};
use crate::schedule::{self, Observation, Observed};
use crate::store::{Evidence, Known, NewEntry, PollRecord, StoreError};

/// A question that waits for its turn, with what is remembered of the sources that it is for.
#[derive(Debug, Clone)]
pub struct Queued {
    pub ask: Ask,
    pub states: HashMap<SourceId, Arc<SourceState>>,
    /// Asked beside the ordinary questions: adds entries, and leaves health and schedule alone.
    pub is_sweep: bool,
}

/// What is wanted of answers that ask for a moment's patience before the next page.
const LONGEST_PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// How often a question may be put in another way.
const OTHER_WAYS: usize = 4;

/// The most further requests that one poll makes for pages and details.
const MAX_FOLLOW_UPS: usize = 30;
/// The most bytes of further pages that are held as evidence of one poll.
const MAX_FURTHER: usize = 8 << 20;
/// Entries older than this when first seen are a back catalogue (RECORD.md section 3).
const STALE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Asks once, and records what came of it.
///
/// Most answers are that nothing changed: what only the others need is boxed, so that this stays small.
pub(super) async fn poll(ctx: &Context, host: &str, queued: &Queued) -> Result<Vec<Poll>, StoreError> {
    if queued.is_sweep {
        return Box::pin(sweep(ctx, queued)).await;
    }
    let now = ctx.clock.now();
    let mut fetched = ctx.fetcher.fetch(&queued.ask.request).await;
    let (mut other_way, mut other_ask) = (None, None);
    if matches!(fetched.outcome, FetchOutcome::Failed(_) | FetchOutcome::Blocked { .. } | FetchOutcome::Gone) {
        (other_way, fetched) = Box::pin(ask_any_way(ctx, queued, fetched, now)).await;
        (other_ask, fetched) = Box::pin(ask_otherwise(ctx, &other_way.as_ref().unwrap_or(queued).ask, fetched)).await;
    }
    let queued = other_way.as_ref().unwrap_or(queued);
    let ask = other_ask.as_ref().unwrap_or(&queued.ask);
    let polls = match fetched.outcome {
        FetchOutcome::Fetched(document) => Box::pin(record_document(ctx, queued, ask, document, fetched.elapsed_ms, now)).await?,
        other => {
            let may_be_ours = matches!(&other, FetchOutcome::Failed(error) if error.may_be_ours());
            let (outcome, mut observed) = unread(other);
            if may_be_ours && Box::pin(ctx.weather.is_offline(host, now)).await {
                observed.outcome = Observation::Offline;
            }
            let mut polls = Vec::with_capacity(queued.ask.sources.len());
            for source in &queued.ask.sources {
                let outcome = outcome.clone();
                polls.push(
                    record_plain(ctx, queued, source, outcome, &observed, fetched.status, fetched.elapsed_ms, fetched.bytes, now).await?,
                );
            }
            polls
        }
    };
    for poll in &polls {
        ctx.weather.note(host, poll);
        metrics::counter!(crate::telemetry::POLLS, "outcome" => poll.outcome.as_str()).increment(1);
        tell(poll, queued);
    }
    if polls.iter().any(|poll| matches!(poll.outcome, PollOutcome::Failed { .. })) && ask.kind.is_youtube() {
        super::weather::spare_ill_host(ctx, host, &ask.request.url, now);
    }
    Ok(polls)
}

/// Reads an answer, with the further pages and details that it leads to, and records it for every source that it speaks for.
async fn record_document(
    ctx: &Context,
    queued: &Queued,
    ask: &Ask,
    document: Document,
    elapsed_ms: u32,
    now: Timestamp,
) -> Result<Vec<Poll>, StoreError> {
    let answers = read_whole(ctx, queued, ask, document).await?;
    let mut polls = Vec::with_capacity(queued.ask.sources.len());
    for source in &queued.ask.sources {
        polls.push(record_answer(ctx, queued, source, answers.for_source(source.id), elapsed_ms, now).await?);
    }
    Ok(polls)
}

/// Where a question failed, asks by the other way that the collector knows, if there is one.
async fn ask_otherwise(ctx: &Context, ask: &Ask, fetched: Fetch) -> (Option<Ask>, Fetch) {
    if matches!(fetched.outcome, FetchOutcome::Failed(_) | FetchOutcome::Gone)
        && let Some(request) = ctx.collectors.get(ask.kind).otherwise(ask)
    {
        let otherwise = ctx.fetcher.fetch(&request).await;
        if matches!(otherwise.outcome, FetchOutcome::Fetched(_)) {
            return (Some(Ask { request, ..ask.clone() }), otherwise);
        }
    }
    (None, fetched)
}

/// Where the platform refused in words that mean something else than its status, does what they mean. The question that was
/// put in the end is told where it is another.
async fn ask_any_way(ctx: &Context, queued: &Queued, mut fetched: Fetch, now: Timestamp) -> (Option<Queued>, Fetch) {
    let collector = ctx.collectors.get(queued.ask.kind);
    let mut tried = HashSet::from([way(&queued.ask.request)]);
    let mut other_way: Option<Queued> = None;
    loop {
        let ask = &other_way.as_ref().unwrap_or(queued).ask;
        let Some(status) = fetched
            .status
            .filter(|status| *status >= 400 && matches!(fetched.outcome, FetchOutcome::Failed(_) | FetchOutcome::Blocked { .. }))
        else {
            return (other_way, fetched);
        };
        match collector.refused(ask, status, &fetched.error_body) {
            Meaning::AsItSays => {}
            Meaning::Wait(seconds, error) => {
                let until = seconds.map(|seconds| after(now, seconds));
                if let Some(until) = until {
                    ctx.fetcher.close(&ask.request.url, until);
                }
                fetched.outcome = FetchOutcome::Deferred { until, error };
            }
            Meaning::Closed(error) => fetched.outcome = FetchOutcome::Blocked { challenge: false, error },
            Meaning::Instead(others) => {
                let other = others.into_iter().next().filter(|other| tried.len() < OTHER_WAYS && tried.insert(way(&other.request)));
                if let Some(ask) = other {
                    fetched = ctx.fetcher.fetch(&ask.request).await;
                    other_way = Some(Queued { ask, ..queued.clone() });
                    continue;
                }
            }
        }
        return (other_way, fetched);
    }
}

/// What tells two questions apart.
fn way(request: &Request) -> (String, Auth) {
    (request.url.clone(), request.auth)
}

fn after(now: Timestamp, seconds: u64) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(seconds.min(86_400)).unwrap_or(86_400));
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Asks what ordinary answers do not tell, and adds it. Whatever goes wrong is asked again with the next sweep.
async fn sweep(ctx: &Context, queued: &Queued) -> Result<Vec<Poll>, StoreError> {
    let now = ctx.clock.now();
    let collector = ctx.collectors.get(queued.ask.kind);
    let mut waiting = vec![queued.ask.clone()];
    let mut polls = Vec::new();
    let mut asked = 0;
    while let Some(ask) = waiting.pop() {
        asked += 1;
        if asked > MAX_FOLLOW_UPS {
            break;
        }
        let fetched = ctx.fetcher.fetch(&ask.request).await;
        let (readings, document) = match fetched.outcome {
            FetchOutcome::Fetched(document) => {
                let document = Arc::new(document);
                match read(ctx, &ask, Arc::clone(&document)).await {
                    Ok(readings) => (readings, document),
                    Err(error) => {
                        tracing::debug!(%error, "a sweep could not be read");
                        if let Meaning::Instead(others) = collector.refused(&ask, document.status, &document.bytes) {
                            waiting.extend(others);
                        }
                        continue;
                    }
                }
            }
            FetchOutcome::Held { .. } | FetchOutcome::Deferred { .. } | FetchOutcome::Blocked { .. } => continue,
            _ => {
                match collector.refused(&ask, fetched.status.unwrap_or(0), &fetched.error_body) {
                    Meaning::Instead(others) => waiting.extend(others),
                    // Nobody to search for: not asked again before its time.
                    _ if matches!(fetched.status, Some(404 | 410 | 422)) => {
                        for source in &ask.sources {
                            let state = ctx.store.source_state(source.id).await?;
                            ctx.store.remember(source.id, SourceState { swept_at: Some(now), ..state }, false);
                        }
                    }
                    _ => {}
                }
                continue;
            }
        };
        for mut reading in readings {
            let found = reading.source.and_then(|id| ask.sources.iter().find(|source| source.id == id));
            let Some(source) = found.or(ask.sources.first()) else { continue };
            waiting.extend(reading.next.drain(..).map(|request| Ask {
                request,
                page: ask.page + 1,
                sources: vec![Arc::clone(source)],
                ..ask.clone()
            }));
            collector.fold(&mut reading, now);
            let state = ctx.store.source_state(source.id).await?;
            let known = ctx.store.known_entries(source.id).await?;
            let first_poll = state.swept_at.is_none();
            let found = recognize(ctx, source, &reading.entries, &known).await?;
            let mut diff = compare(source, &reading, found, &known, first_poll, window_start(ctx, now), now);
            // What is not in the answer of a search has not left anything.
            diff.left.clear();
            let outcome = PollOutcome::Read {
                entries: count(reading.entries.len()),
                new: count(diff.new.len()),
                changed: count(diff.changed.len()),
                left: 0,
            };
            let poll = poll_of(source, outcome, fetched.status, fetched.elapsed_ms, fetched.bytes, now);
            let moved = !(diff.new.is_empty() && diff.changed.is_empty());
            let pages = [(ask.clone(), Arc::clone(&document))];
            let evidence = if moved { evidence_of(ctx, source, &pages).await? } else { Vec::new() };
            let account = newer_account(&state, &reading);
            if !moved && diff.samples.is_empty() && account == state.account {
                ctx.store.remember(source.id, SourceState { swept_at: Some(now), ..state }, false);
                continue;
            }
            ctx.store
                .record_sweep(PollRecord {
                    poll: poll.clone(),
                    state: SourceState { swept_at: Some(now), account, ..state },
                    new: diff.new,
                    changed: diff.changed,
                    left: Vec::new(),
                    samples: diff.samples,
                    new_samples: diff.new_samples,
                    evidence,
                })
                .await?;
            if moved {
                tell(&poll, queued);
                polls.push(poll);
            }
        }
    }
    Ok(polls)
}

/// The account that is remembered after a reading. Another id under the old name is another person: never taken over.
fn newer_account(state: &SourceState, reading: &Reading) -> Option<Account> {
    match (&state.account, &reading.account) {
        (None, told) => told.clone(),
        (Some(known), Some(told)) if known.id == told.id => Some(told.clone()),
        (known, _) => known.clone(),
    }
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
    /// The platform asked not to be asked again for so many seconds.
    wait_s: Option<u64>,
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

async fn read_whole(ctx: &Context, queued: &Queued, ask: &Ask, document: Document) -> Result<Answer, StoreError> {
    let document = Arc::new(document);
    let hash = collect::masked_hash(&document.bytes);
    let same = queued.states.values().all(|state| state.body_hash.as_deref() == Some(hash.as_str()) && state.error.is_none());
    let pages = vec![(ask.clone(), Arc::clone(&document))];
    let mut answer = Answer {
        document: Arc::clone(&document),
        pages,
        hash,
        same,
        readings: HashMap::new(),
        error: None,
        incomplete: false,
        wait_s: None,
    };
    // What another way told is no ground to ask the first one "has it changed?".
    answer.incomplete = ask.request.url != queued.ask.request.url;
    if same {
        return Ok(answer);
    }
    let mut waiting: Vec<Request> = Vec::new();
    match read(ctx, ask, document).await {
        Ok(readings) => {
            for reading in readings {
                take(&mut answer, reading, &mut waiting, ask);
            }
        }
        Err(error) => {
            answer.error = Some(error);
            return Ok(answer);
        }
    }
    if waiting.iter().any(|request| request.of_pushes) {
        let mut wanted = false;
        for source in &queued.ask.sources {
            wanted |= ctx.store.wants_pushes(source.id).await?;
        }
        waiting.retain(|request| wanted || !request.of_pushes);
    }
    if waiting.is_empty() {
        fold(ctx, ask, &mut answer);
        return Ok(answer);
    }
    let known = known_platform_keys(ctx, queued).await?;
    let mut asked: HashSet<(String, Auth)> = HashSet::from([way(&ask.request)]);
    let mut page = ask.page;
    let mut kept = 0;
    while let Some(request) = waiting.pop() {
        // Older pages are of use only while all that was read so far is new; a detail only if its item is unknown.
        let mut told = answer.readings.values().flat_map(|reading| &reading.entries);
        if !ctx.collectors.get(queued.ask.kind).wants(&request, &mut told, &known) || !asked.insert(way(&request)) {
            continue;
        }
        if asked.len() > MAX_FOLLOW_UPS {
            answer.incomplete = true;
            break;
        }
        page += 1;
        // Some ask for a moment's patience between two pages.
        if let Some(seconds) = answer.readings.values_mut().filter_map(|reading| reading.wait_s.take()).max() {
            answer.wait_s = answer.wait_s.max(Some(seconds));
            tokio::time::sleep(std::time::Duration::from_secs(seconds).min(LONGEST_PATIENCE)).await;
        }
        let ask = Ask { request, page, ..ask.clone() };
        let fetched = ctx.fetcher.fetch(&ask.request).await;
        let FetchOutcome::Fetched(document) = fetched.outcome else {
            let collector = ctx.collectors.get(queued.ask.kind);
            let status = fetched.status.unwrap_or(0);
            if let Meaning::Instead(others) = collector.refused(&ask, status, &fetched.error_body) {
                waiting.extend(others.into_iter().map(|other| other.request));
            }
            // A detail that is gone will not come back; anything else is asked again with the next poll.
            answer.incomplete |= !matches!(status, 404 | 410 | 451);
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
    fold(ctx, ask, &mut answer);
    Ok(answer)
}

fn fold(ctx: &Context, ask: &Ask, answer: &mut Answer) {
    let now = answer.document.received_at;
    for reading in answer.readings.values_mut() {
        answer.incomplete |= reading.incomplete;
        answer.wait_s = answer.wait_s.max(reading.wait_s);
        ctx.collectors.get(ask.kind).fold(reading, now);
    }
    if let Some(seconds) = answer.wait_s {
        ctx.fetcher.close(&ask.request.url, after(now, seconds));
    }
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
            if reading.details {
                for entry in reading.entries {
                    complete(&mut whole.entries, entry);
                }
                return;
            }
            whole.entries.extend(reading.entries);
            whole.repairs.extend(reading.repairs);
            whole.skipped += reading.skipped;
            whole.withdrawn.extend(reading.withdrawn);
            whole.perishable |= reading.perishable;
            whole.open_day |= reading.open_day;
            whole.whole &= reading.whole;
            // The first document may have told nothing but where the source is.
            whole.title = whole.title.take().or(reading.title);
            whole.moved_to = whole.moved_to.take().or(reading.moved_to);
            if whole.hints == FeedHints::default() {
                whole.hints = reading.hints;
            }
            whole.incomplete |= reading.incomplete;
            if reading.ending != Ending::Whole {
                whole.ending = reading.ending;
            }
            whole.reached = whole.reached.max(reading.reached);
            whole.wait_s = whole.wait_s.max(reading.wait_s);
            whole.account = reading.account.or(whole.account.take());
        }
    }
}

/// Adds to the entry of that key what is told of it singly.
fn complete(entries: &mut [Entry], told: Entry) {
    let Some(entry) = entries.iter_mut().find(|entry| entry.platform_key.is_some() && entry.platform_key == told.platform_key) else {
        return;
    };
    entry.upcoming = told.upcoming;
    entry.kind = told.kind.or(entry.kind);
    entry.duration_s = told.duration_s.or(entry.duration_s);
    entry.starts_at = told.starts_at.or(entry.starts_at);
    entry.title = entry.title.take().or(told.title);
    entry.language = entry.language.take().or(told.language);
    let (known, told) = (&mut entry.counts, told.counts);
    known.views = told.views.or(known.views);
    known.likes = told.likes.or(known.likes);
    known.comments = told.comments.or(known.comments);
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
        moved_to: document.moved_to.clone().or_else(|| answer.reading?.moved_to.clone()),
    };
    if answer.answer.same {
        return record_plain(ctx, queued, source, PollOutcome::Unchanged, &observed, status, elapsed_ms, bytes, now).await;
    }
    let Some(reading) = answer.reading.filter(|_| answer.answer.error.is_none()) else {
        let error = masked_text(&answer.answer.error.clone().unwrap_or(ReadError::NoneReadable).to_string());
        observed.outcome = Observation::Failed { error: error.clone() };
        return record_plain(ctx, queued, source, PollOutcome::Failed { error }, &observed, status, elapsed_ms, bytes, now).await;
    };
    let state = queued.states.get(&source.id);
    // Nothing can be known of a source that never answered.
    let unheard = state.is_some_and(|state| state.last_success_at.is_none() && state.last_full_at.is_none());
    let known = if unheard { HashMap::new() } else { ctx.store.known_entries(source.id).await? };
    let state = state.cloned().unwrap_or_default();
    let remembered = remember_details(ctx, source, reading, &known).await?;
    let reading = remembered.as_ref().unwrap_or(reading);
    let without_pushes;
    let reading = if tells_of_pushes(reading) && !ctx.store.wants_pushes(source.id).await? {
        without_pushes = Reading {
            entries: reading.entries.iter().filter(|entry| entry.kind != Some(ActivityKind::Code)).cloned().collect(),
            ..reading.clone()
        };
        &without_pushes
    } else {
        reading
    };
    let found = recognize(ctx, source, &reading.entries, &known).await?;
    let mut diff = compare(source, reading, found, &known, state.last_success_at.is_none(), window_start(ctx, now), now);
    diff.left.extend(called_off(ctx, source, reading, &known, now).await?);
    let mut diff = follow_successors(ctx, diff).await?;
    if !diff.rekeyed.is_empty() {
        ctx.store.rekey(std::mem::take(&mut diff.rekeyed)).await?;
    }
    // What was asked before that was known is no ground to ask "has it changed?" of what is asked from now on.
    let looked_up = reading.stands_for.is_some() && reading.stands_for != state.stands_for;
    // A document that says that its source moved says it again with every poll, or it would count once only.
    let waits_for_pushes = reading.open_day && ctx.store.wants_pushes(source.id).await?;
    let reread = answer.answer.incomplete || reading.perishable || waits_for_pushes || reading.moved_to.is_some() || looked_up;
    if reread {
        observed.validators = Validators::default();
    }
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
    state.account = newer_account(&state, reading);
    state.reached = state.reached.max(reading.reached);
    state.body_hash = Some(answer.answer.hash.clone()).filter(|_| !reread);
    if looked_up {
        state.stands_for.clone_from(&reading.stands_for);
    }
    let moved = !(diff.new.is_empty() && diff.changed.is_empty() && diff.left.is_empty());
    let poll = poll_of(source, outcome, status, elapsed_ms, bytes, now);
    metrics::counter!(crate::telemetry::ENTRIES_NEW).increment(diff.new.len() as u64);
    let evidence = if moved { evidence_of(ctx, source, &answer.answer.pages).await? } else { Vec::new() };
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
pub(super) async fn evidence_of(ctx: &Context, source: &Arc<Source>, pages: &[(Ask, Arc<Document>)]) -> Result<Vec<Evidence>, StoreError> {
    let mut evidence = Vec::with_capacity(pages.len());
    for (ask, document) in pages {
        let keyframe = ctx.store.keyframe(source.id, &ask.request.url).await?;
        let (ask, document, source) = (ask.clone(), Arc::clone(document), Arc::clone(source));
        let collectors = Arc::clone(&ctx.collectors);
        let packed = tokio::task::spawn_blocking(move || {
            let part = own_part(collectors.get(ask.kind), &ask, &document, &source);
            Evidence::of(part.as_ref().unwrap_or(&document), &ask.request, ask.page, keyframe.as_ref())
        });
        evidence.push(packed.await.map_err(|_| StoreError::Closed)??);
    }
    Ok(evidence)
}

/// What a shared answer says of one source.
fn own_part(collector: &dyn Collector, ask: &Ask, document: &Document, source: &Source) -> Option<Document> {
    if ask.sources.len() < 2 {
        return None;
    }
    Some(Document { bytes: collector.part(ask, document, source)?, ..document.clone() })
}

/// The poll of one source that brought no entries: kept in memory if nothing but times changed.
#[expect(clippy::too_many_arguments, reason = "the record of one poll, taken apart")]
async fn record_plain(
    ctx: &Context,
    queued: &Queued,
    source: &Arc<Source>,
    outcome: PollOutcome,
    observed: &Observed,
    status: Option<u16>,
    elapsed_ms: u32,
    bytes: u64,
    now: Timestamp,
) -> Result<Poll, StoreError> {
    let unknown = SourceState::default();
    let before = queued.states.get(&source.id).map_or(&unknown, Arc::as_ref);
    let mut state = schedule::after_poll(&ctx.config.schedule, source, before, observed, now);
    if let (PollOutcome::Deferred { .. }, Some(until)) = (&outcome, state.quiet_until) {
        // What its kind asks for beyond the host's own word holds for all of its sources there.
        ctx.fetcher.close(&queued.ask.request.url, until);
    }
    let poll = poll_of(source, outcome, status, elapsed_ms, bytes, now);
    let quiet = matches!(poll.outcome, PollOutcome::Unchanged) && state.validators == before.validators && state.status == before.status;
    if quiet {
        let times = state.times();
        state.set_times(before.times());
        let only_times = state == *before;
        state.set_times(times);
        ctx.store.remember(source.id, state, only_times);
    } else {
        let record = PollRecord {
            poll: poll.clone(),
            state,
            new: Vec::new(),
            changed: Vec::new(),
            left: Vec::new(),
            samples: Vec::new(),
            new_samples: Vec::new(),
            evidence: Vec::new(),
        };
        Box::pin(ctx.store.record_poll(record)).await?;
    }
    Ok(poll)
}

fn poll_of(source: &Source, outcome: PollOutcome, status: Option<u16>, elapsed_ms: u32, bytes: u64, at: Timestamp) -> Poll {
    Poll { source: source.id, at, outcome, status, elapsed_ms, bytes }
}

/// An answer that holds no document, as the record of polls and the schedule see it.
fn unread(outcome: FetchOutcome) -> (PollOutcome, Observed) {
    let observed = |outcome| Observed { outcome, ..Observed::default() };
    // What is recorded of a failure is shown on pages and in logs.
    match outcome {
        FetchOutcome::NotModified { validators, freshness, moved_to, .. } => {
            (PollOutcome::Unchanged, Observed { outcome: Observation::Unchanged, validators, freshness, moved_to })
        }
        FetchOutcome::Deferred { until: Some(until), error } => {
            (PollOutcome::Deferred { until }, observed(Observation::Deferred { until: Some(until), error: masked_text(&error) }))
        }
        // For how long is left to us: what the host said is all there is to tell.
        FetchOutcome::Deferred { until: None, error } => {
            let error = masked_text(&error);
            (PollOutcome::Failed { error: error.clone() }, observed(Observation::Deferred { until: None, error }))
        }
        FetchOutcome::Held { until } => (PollOutcome::Held { until }, observed(Observation::Held { until })),
        FetchOutcome::Gone => (PollOutcome::Gone, observed(Observation::Gone)),
        FetchOutcome::Blocked { error, .. } => {
            let error = masked_text(&error);
            (PollOutcome::Blocked { error: error.clone() }, observed(Observation::Blocked { error }))
        }
        FetchOutcome::Failed(error) => {
            let error = masked_text(&error.to_string());
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
    /// Known entries that are told as before, under another key.
    rekeyed: Vec<(i64, EntryKey)>,
}

fn compare(
    source: &Source,
    reading: &Reading,
    found: Vec<Found>,
    known: &HashMap<EntryKey, Known>,
    first_poll: bool,
    window_start: Timestamp,
    now: Timestamp,
) -> Diff {
    let by_id: HashMap<i64, (&EntryKey, &Known)> = known.iter().map(|(key, known)| (known.id, (key, known))).collect();
    let mut told: HashSet<i64> = HashSet::new();
    let mut diff = Diff::default();
    for (entry, found) in reading.entries.iter().zip(found) {
        let age = entry.published.map_or(SignedDuration::ZERO, |published| now.duration_since(published));
        let grid = GridAge::of_age_s(age.as_secs()).filter(|_| !entry.counts.is_empty());
        match found {
            // An entry told twice in one document counts as it is told first.
            Found::Again => {}
            Found::Known { id, key } => {
                let Some((before_key, before)) = by_id.get(&id) else { continue };
                told.insert(id);
                // A day's pushes are told once it is over, and told again only from a part of what it was.
                if entry.kind == Some(ActivityKind::Code) {
                    continue;
                }
                if let Some(age) = grid.filter(|age| !before.sampled.contains(age)) {
                    diff.samples.push((id, age, entry.counts));
                }
                let newest = key.clone().unwrap_or_else(|| (*before_key).clone());
                let now_told = told_entry(source, newest, Arrival::default(), entry.clone());
                if before.left || before.fingerprint != now_told.fingerprint {
                    diff.changed.push((id, now_told));
                } else if let Some(key) = key {
                    diff.rekeyed.push((id, key));
                }
            }
            Found::New { .. } => {
                let arrival = Arrival { first_poll, window_start: Some(window_start), ..Arrival::default() };
                let Some(new) = new_entry(source, found, arrival, entry) else { continue };
                if let Some(age) = grid {
                    diff.new_samples.push((new.key.clone(), age, entry.counts));
                }
                diff.new.push(new);
            }
        }
    }
    count_arrivals(&mut diff.new, now);
    // A source that shows nothing at all for once has not withdrawn everything, and what a platform lists is a window: an
    // entry that is not in it is only older.
    let shows_all = (matches!(source.kind, SourceKind::Rss | SourceKind::Podcast) || reading.whole) && reading.ending == Ending::Whole;
    if shows_all && !reading.entries.is_empty() {
        diff.left =
            known.values().filter(|before| !before.left && !before.beyond && !told.contains(&before.id)).map(|before| before.id).collect();
        diff.left.sort_unstable();
    }
    diff
}

/// The reading, with what only a detail told of entries that are known: it is asked for once and stays true while the list,
/// which does not tell it, is read again and again. `None` where there is nothing to add.
async fn remember_details(
    ctx: &Context,
    source: &Source,
    reading: &Reading,
    known: &HashMap<EntryKey, Known>,
) -> Result<Option<Reading>, StoreError> {
    if !ctx.collectors.get(source.kind).keeps_details() || known.is_empty() {
        return Ok(None);
    }
    let keys = normalize::entry_keys(source, &reading.entries);
    let ids = keys.iter().filter_map(|key| known.get(key)).map(|known| known.id).collect();
    let before: HashMap<EntryKey, Entry> = ctx.store.entries(ids).await?.into_iter().map(|row| (row.key, row.entry)).collect();
    let mut reading = reading.clone();
    for (entry, key) in reading.entries.iter_mut().zip(&keys) {
        let Some(before) = before.get(key) else { continue };
        let told_singly = entry.duration_s.is_some() || entry.starts_at.is_some();
        if !told_singly && (before.duration_s.is_some() || before.starts_at.is_some()) {
            entry.upcoming &= before.upcoming;
        }
        entry.kind = entry.kind.or(before.kind);
        entry.duration_s = entry.duration_s.or(before.duration_s);
        entry.starts_at = entry.starts_at.or(before.starts_at);
        entry.title = entry.title.take().or_else(|| before.title.clone());
        entry.language = entry.language.take().or_else(|| before.language.clone());
    }
    Ok(Some(reading))
}

/// Known entries that the source takes back: those that it names, and of a calendar those that were to come and are not in
/// it any more.
async fn called_off(
    ctx: &Context,
    source: &Source,
    reading: &Reading,
    known: &HashMap<EntryKey, Known>,
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let named = |key: &EntryKey| {
        reading.withdrawn.iter().any(|name| name.strip_suffix('*').map_or(key.0 == *name, |begin| key.0.starts_with(begin)))
    };
    let shown = |key: &EntryKey| reading.entries.iter().any(|entry| entry.platform_key.as_deref() == Some(key.0.as_str()));
    let mut left: Vec<i64> = known.iter().filter(|(key, known)| !known.left && named(key)).map(|(_, known)| known.id).collect();
    if source.kind == SourceKind::Ical {
        let missing = known.iter().filter(|(key, known)| !known.left && !named(key) && !shown(key)).map(|(_, known)| known.id).collect();
        let rows = ctx.store.entries(missing).await?;
        left.extend(rows.iter().filter(|row| row.entry.starts_at.is_some_and(|at| at > now)).map(|row| row.id));
    }
    left.sort_unstable();
    Ok(left)
}

fn tells_of_pushes(reading: &Reading) -> bool {
    reading.entries.iter().any(|entry| entry.kind == Some(ActivityKind::Code))
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
