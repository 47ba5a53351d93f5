//! The older pages of a source, read politely and one after another, each kept before the next is asked for.
//!
//! What is found is back catalogue: in the record, never in a digest. A run that was interrupted, by a person, by a host
//! that wants quiet or by a fault, goes on where it ended. The page that polls read is left to them, so that nothing new
//! is taken for old.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::poll::{evidence_of, read};
use super::recognize::{new_entry, recognize};
use super::{Context, Wanted, pass};
use crate::fetch::FetchOutcome;
use crate::model::{Arrival, Ask, Document, Entry, EntryKey, Reading, Request, Source, SourceId, SourceState, masked};
use crate::normalize::{self, Found};
use crate::store::{BackfillPage, NewEntry, StoreError};

/// The most pages of one source in one run; the next one goes on.
const MAX_PAGES: u32 = 1000;
/// The most details that are asked for beside one page.
const MAX_DETAILS: usize = 30;

/// What came of the older pages of one source.
#[derive(Debug, Clone, serde::Serialize)]
pub struct BackfillReport {
    pub source: SourceId,
    pub url: String,
    /// Pages read in this run.
    pub pages: u32,
    /// Entries that the log did not know.
    pub new: u32,
    /// The oldest date among them.
    pub oldest: Option<Timestamp>,
    /// Whether the end was reached; else the next run goes on.
    pub done: bool,
    /// Why it ended, in a sentence.
    pub note: String,
}

/// Reads what a source has beyond what its polls show, as far back as `since` where that is given.
pub async fn backfill(
    ctx: &Context,
    source: &Arc<Source>,
    since: Option<Timestamp>,
    stop: &CancellationToken,
) -> Result<BackfillReport, StoreError> {
    let mut report =
        BackfillReport { source: source.id, url: masked(&source.url), pages: 0, new: 0, oldest: None, done: false, note: String::new() };
    let state = state_of(ctx, source.id).await?;
    // What a poll would find is a poll's to find: only so is it told from what is old.
    let state = if state.last_success_at.is_some() {
        state
    } else {
        pass(ctx, &Wanted::These(vec![source.id]), stop.clone(), |_, _| {}).await?;
        state_of(ctx, source.id).await?
    };
    if state.last_success_at.is_none() {
        report.note = state.error.unwrap_or_else(|| "the source could not be read yet".into());
        return Ok(report);
    }
    let collector = ctx.collectors.get(source.kind);
    let Some(first) = collector.history(source, &state) else {
        report.note = "this platform shows nothing older than its polls do".into();
        report.done = true;
        return Ok(report);
    };
    let polled = collector.plan(&[(Arc::clone(source), state)]).first().map(|ask| ask.request.url.clone());
    let cursor = ctx.store.backfill_cursor(source.id).await?;
    let mut page = cursor.as_ref().map_or(1, |(_, page)| *page);
    let mut request = Request { url: cursor.map_or_else(|| first.url.clone(), |(url, _)| url), ..first };
    let mut asked = HashSet::new();
    let mut told: HashSet<(EntryKey, Option<String>)> = HashSet::new();
    let known: HashSet<EntryKey> = ctx.store.known_entries(source.id).await?.into_keys().collect();
    while !stop.is_cancelled() {
        if report.pages >= MAX_PAGES {
            report.note = format!("{MAX_PAGES} pages are enough for one run: the next one goes on");
            return Ok(report);
        }
        if !asked.insert(request.url.clone()) {
            return end(ctx, report, "the pages lead back to one that was read already").await;
        }
        let ask = Ask { kind: source.kind, request: request.clone(), sources: vec![Arc::clone(source)], page };
        let document = match fetch(ctx, &ask, stop).await {
            Got::Document(document) => document,
            Got::End if page > 1 => return end(ctx, report, "the last page was read").await,
            Got::End => return Ok(BackfillReport { note: "the address answers that nothing is there".into(), ..report }),
            Got::Later(note) => return Ok(BackfillReport { note, ..report }),
            Got::Stopped => break,
        };
        let readings = match read(ctx, &ask, Arc::clone(&document)).await {
            Ok(readings) => readings,
            Err(error) if page > 1 => return end(ctx, report, &format!("what follows cannot be read: {error}")).await,
            Err(error) => {
                report.note = error.to_string();
                return Ok(report);
            }
        };
        report.pages += 1;
        let mut entries: Vec<Entry> = readings.iter().flat_map(|reading| reading.entries.iter().cloned()).collect();
        let mut pages = vec![(ask.clone(), Arc::clone(&document))];
        let whole = details(ctx, &ask, &readings, &known, &mut entries, &mut pages, stop).await;
        let keys = normalize::entry_keys(source, &entries);
        // Ids that are counted anew on every page are no repetition.
        let fresh = keys.iter().zip(&entries).filter(|(key, entry)| told.insert(((*key).clone(), normalize::address_of(entry)))).count();
        if page > 1 && fresh == 0 {
            return end(ctx, report, "the pages repeat themselves: nothing older is there").await;
        }
        let is_before = |entry: &Entry| since.is_some_and(|since| normalize::published(entry).is_some_and(|published| published < since));
        let all_before = !entries.is_empty() && entries.iter().all(is_before);
        let is_polled = polled.as_deref() == Some(request.url.as_str());
        let new = if is_polled {
            Vec::new()
        } else {
            let before = ctx.store.known_entries(source.id).await?;
            let found = recognize(ctx, source, &entries, &before).await?;
            unseen(source, &entries, found, is_before)
        };
        report.new += u32::try_from(new.len()).unwrap_or(u32::MAX);
        report.oldest = new.iter().filter_map(|new| normalize::published(&new.entry)).chain(report.oldest).min();
        let evidence = if new.is_empty() { Vec::new() } else { evidence_of(ctx, source, &pages).await? };
        let next = collector.older(&ask, &document, &readings).filter(|_| !all_before);
        // A page whose details are missing is read again by the next run.
        let resume = if whole { next.as_ref().map(|next| (next.url.clone(), page + 1)) } else { Some((request.url.clone(), page)) };
        ctx.store.record_backfill(BackfillPage { source: source.id, at: ctx.clock.now(), new, evidence, next: resume }).await?;
        if !whole {
            report.note = "some details could not be had: the next run asks for them again".into();
            return Ok(report);
        }
        let Some(next) = next else {
            let note = if all_before { "all that is left is older than was asked for" } else { "the last page was read" };
            return end(ctx, report, note).await;
        };
        request = next;
        page += 1;
    }
    report.note = "interrupted: the next run goes on here".into();
    Ok(report)
}

async fn end(ctx: &Context, mut report: BackfillReport, note: &str) -> Result<BackfillReport, StoreError> {
    ctx.store.end_backfill(report.source).await?;
    report.done = true;
    note.clone_into(&mut report.note);
    Ok(report)
}

async fn state_of(ctx: &Context, source: SourceId) -> Result<SourceState, StoreError> {
    Ok(ctx.store.source_states().await?.remove(&source).unwrap_or_default())
}

enum Got {
    Document(Arc<Document>),
    /// There is nothing at this address.
    End,
    /// Not now, in a sentence.
    Later(String),
    Stopped,
}

async fn fetch(ctx: &Context, ask: &Ask, stop: &CancellationToken) -> Got {
    let fetched = tokio::select! {
        fetched = ctx.fetcher.fetch(&ask.request) => fetched,
        () = stop.cancelled() => return Got::Stopped,
    };
    match fetched.outcome {
        FetchOutcome::Fetched(document) => Got::Document(Arc::new(document)),
        FetchOutcome::Gone => Got::End,
        FetchOutcome::Deferred { until: Some(until), .. } | FetchOutcome::Held { until } => {
            Got::Later(format!("the site asks to be left alone until {until:.0}: the next run goes on here"))
        }
        FetchOutcome::Deferred { error, .. } | FetchOutcome::Blocked { error, .. } => Got::Later(error),
        // WordPress answers so beyond its last page.
        FetchOutcome::Failed(_) if matches!(fetched.status, Some(400 | 404)) => Got::End,
        FetchOutcome::Failed(error) => Got::Later(error.to_string()),
        FetchOutcome::NotModified { .. } => Got::Later("the site answers that nothing changed, although it was not asked that".into()),
    }
}

/// Asks for what a page leaves out of entries that the log does not know. `false`: something could not be had.
async fn details(
    ctx: &Context,
    ask: &Ask,
    readings: &[Reading],
    known: &HashSet<EntryKey>,
    entries: &mut Vec<Entry>,
    pages: &mut Vec<(Ask, Arc<Document>)>,
    stop: &CancellationToken,
) -> bool {
    let mut whole = true;
    let wanted = readings
        .iter()
        .flat_map(|reading| &reading.next)
        .filter(|request| request.about.as_ref().is_some_and(|about| !known.contains(&EntryKey(about.clone()))));
    for request in wanted.take(MAX_DETAILS) {
        let detail = Ask { request: request.clone(), page: ask.page + 1, ..ask.clone() };
        match fetch(ctx, &detail, stop).await {
            Got::Document(document) => match read(ctx, &detail, Arc::clone(&document)).await {
                Ok(readings) => {
                    entries.extend(readings.into_iter().flat_map(|reading| reading.entries));
                    pages.push((detail, document));
                }
                Err(_) => whole = false,
            },
            Got::End => {}
            Got::Later(_) | Got::Stopped => whole = false,
        }
    }
    whole
}

/// The entries of a page that the log does not know.
fn unseen(source: &Source, entries: &[Entry], found: Vec<Found>, is_before: impl Fn(&Entry) -> bool) -> Vec<NewEntry> {
    let arrival = Arrival { fetched_back: true, ..Arrival::default() };
    let found = entries.iter().zip(found).filter(|(entry, _)| !is_before(entry));
    found.filter_map(|(entry, found)| new_entry(source, found, arrival, entry)).collect()
}
