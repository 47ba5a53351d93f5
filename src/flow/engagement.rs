//! How much was made of a work at the ages of the grid, where no ordinary poll came by in time: one cheap question more.
//!
//! In: entries that reach an age without a count (RECORD.md section 6). Out: their counts as facts, once an age. A poll
//! that falls on the age counts by itself; this asks for what it left out, of single pieces where the platform tells
//! them singly. Platforms without counts are not asked.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::Context;
use crate::fetch::FetchOutcome;
use crate::model::{Ask, Counts, EntryKey, GridAge, Request, Source, SourceKind, SourceState, SourceStatus};
use crate::normalize;
use crate::store::{EntryRow, StoreError};

/// The most questions of one run; what is left has two more hours.
const MOST: usize = 200;
/// GitHub allows 60 an hour without a token, and polls come first.
const MOST_WITHOUT_TOKEN: usize = 5;

/// What was asked in vain: the answer holds no counts of that entry, and asking again would bring none.
#[derive(Debug, Default)]
pub struct Engagement {
    vain: Mutex<HashSet<(i64, GridAge)>>,
}

/// What a run of extra questions brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct EngagementReport {
    pub asked: u32,
    pub sampled: u32,
}

/// One question, and the entries that its answer may count.
struct Question {
    source: Arc<Source>,
    request: Request,
    due: Vec<(EntryRow, GridAge)>,
}

/// Asks for the counts of entries that have reached an age of the grid and were not counted at it.
pub async fn engagement(ctx: &Context) -> Result<EngagementReport, StoreError> {
    let now = ctx.clock.now();
    let due = ctx.store.uncounted(now).await?;
    let due = {
        let mut vain = ctx.engagement.vain.lock().unwrap_or_else(PoisonError::into_inner);
        vain.retain(|known| due.contains(known));
        due.into_iter().filter(|one| !vain.contains(one)).collect::<Vec<_>>()
    };
    let mut report = EngagementReport::default();
    let mut closed: HashSet<String> = HashSet::new();
    for question in questions(ctx, due).await? {
        let host = super::lanes::host_of(&question.request.url);
        if closed.contains(&host) {
            continue;
        }
        let fetched = ctx.fetcher.fetch(&question.request).await;
        report.asked += u32::from(!matches!(fetched.outcome, FetchOutcome::Held { .. }));
        let counts = match fetched.outcome {
            FetchOutcome::Fetched(document) => {
                let ask = Ask {
                    kind: question.source.kind,
                    request: question.request.clone(),
                    sources: vec![Arc::clone(&question.source)],
                    page: 1,
                };
                let source = Arc::clone(&question.source);
                let collectors = Arc::clone(&ctx.collectors);
                let read = tokio::task::spawn_blocking(move || {
                    let readings = collectors.get(ask.kind).read(&ask, &document).unwrap_or_default();
                    readings.into_iter().flat_map(|reading| keyed(&source, &reading.entries)).collect::<BTreeMap<_, _>>()
                });
                read.await.unwrap_or_default()
            }
            FetchOutcome::Gone => BTreeMap::new(),
            _ if matches!(fetched.status, Some(404 | 451)) => BTreeMap::new(),
            // The host wants quiet, or has trouble: the next run asks again while the age lasts.
            _ => {
                closed.insert(host);
                continue;
            }
        };
        report.sampled += keep(ctx, question.due, &counts).await?;
    }
    Ok(report)
}

fn keyed(source: &Source, entries: &[crate::model::Entry]) -> Vec<(EntryKey, Counts)> {
    normalize::entry_keys(source, entries).into_iter().zip(entries.iter().map(|entry| entry.counts)).collect()
}

/// Writes the counts that were told, and remembers what no counts were told of.
async fn keep(ctx: &Context, due: Vec<(EntryRow, GridAge)>, counts: &BTreeMap<EntryKey, Counts>) -> Result<u32, StoreError> {
    let now = ctx.clock.now();
    let (told, untold): (Vec<_>, Vec<_>) =
        due.iter().map(|(row, age)| (row.id, *age, counts.get(&row.key).copied().unwrap_or_default())).partition(|one| !one.2.is_empty());
    ctx.engagement.vain.lock().unwrap_or_else(PoisonError::into_inner).extend(untold.into_iter().map(|(id, age, _)| (id, age)));
    if told.is_empty() {
        return Ok(0);
    }
    ctx.store.record_samples(told, now).await
}

/// The questions that speak for all that is due, the same question once.
async fn questions(ctx: &Context, due: Vec<(i64, GridAge)>) -> Result<Vec<Question>, StoreError> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let now = ctx.clock.now();
    let ages: BTreeMap<i64, GridAge> = due.iter().copied().collect();
    let asked_at_all = |state: &SourceState| {
        state.status != SourceStatus::Gone
            && [state.not_before, state.quiet_until].iter().all(|until| until.is_none_or(|until| until <= now))
    };
    let sources: BTreeMap<_, _> = ctx
        .store
        .pollable()
        .await?
        .into_iter()
        .filter(|(_, state)| asked_at_all(state))
        .map(|(source, state)| (source.id, (source, state)))
        .collect();
    let rows = ctx.store.entries(ages.keys().copied().collect()).await?;
    let feeds = rows.iter().map(|row| row.source).filter(|id| sources.get(id).is_some_and(|(source, _)| source.kind == SourceKind::Rss));
    let counting = ctx.store.counting_sources(feeds.collect()).await?;
    let mut questions: BTreeMap<String, Question> = BTreeMap::new();
    let mut without_token = 0;
    for row in rows {
        let (Some(age), Some((source, state))) = (ages.get(&row.id), sources.get(&row.source)) else { continue };
        // Most feeds count nothing; those that do have shown it.
        if source.kind == SourceKind::Rss && !counting.contains(&source.id) {
            continue;
        }
        let Some(mut request) = ctx.collectors.get(source.kind).count(source, &row.entry) else { continue };
        if let Some(moved) = state.final_url.as_ref().filter(|_| source.kind == SourceKind::Rss) {
            request.url.clone_from(moved);
        }
        if !questions.contains_key(&request.url) {
            if source.kind == SourceKind::GithubUser && ctx.config.github.token_file.is_none() {
                without_token += 1;
                if without_token > MOST_WITHOUT_TOKEN {
                    continue;
                }
            }
            if questions.len() >= MOST {
                break;
            }
        }
        questions
            .entry(request.url.clone())
            .or_insert_with(|| Question { source: Arc::clone(source), request, due: Vec::new() })
            .due
            .push((row, *age));
    }
    Ok(questions.into_values().collect())
}
