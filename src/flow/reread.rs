//! Evidence read again: what is still held of a source goes through today's readers, and where they tell an entry
//! otherwise than the log does, that becomes a fact.
//!
//! An entry is compared with the very document that told it so: what a source merely re-dated or re-counted later is no
//! finding. Its dates are those of its first telling, so they come from the document that told it first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use crate::collect::Collectors;
use crate::model::{ActivityKind, Ask, CanonicalUrl, Document, Entry, EntryKey, Reading, Request, Source, SourceId};
use crate::normalize::{self, Found, Piece};
use crate::store::{EntryRow, Held, Reread, StoreError};

/// One entry that today's readers tell otherwise.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Retold {
    pub source: SourceId,
    pub url: String,
    pub title: String,
    /// What differs: name, as it stood in the log, as it is read now.
    pub fields: Vec<(String, String, String)>,
}

/// What reading again found.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct RereadReport {
    pub sources: u64,
    pub documents: u64,
    pub entries: u64,
    /// Documents that today's readers cannot read, each with a sentence.
    pub unreadable: Vec<(SourceId, String)>,
    /// Sources whose newest document holds entries that the log does not know: they are asked anew with the next poll.
    pub unknown: Vec<(SourceId, u64)>,
    pub retold: Vec<Retold>,
}

/// The most characters of a value that are shown.
const SHOWN: usize = 120;

/// Reads all evidence again and appends what is told otherwise now. Nothing is settled yet.
pub async fn reread(ctx: &Context) -> Result<RereadReport, StoreError> {
    let mut report = RereadReport::default();
    for source in ctx.store.sources().await? {
        let times = ctx.store.evidence_times(source.id).await?;
        if !times.is_empty() {
            report.sources += 1;
            reread_source(ctx, Arc::new(source), &times, &mut report).await?;
        }
    }
    Ok(report)
}

async fn reread_source(ctx: &Context, source: Arc<Source>, times: &[Timestamp], report: &mut RereadReport) -> Result<(), StoreError> {
    let ids: Vec<i64> = ctx.store.known_entries(source.id).await?.values().map(|known| known.id).collect();
    let known = ctx.store.entries(ids).await?;
    report.entries += known.len() as u64;
    let wants_pushes = ctx.store.wants_pushes(source.id).await?;
    let mut findings = Vec::new();
    for (place, at) in times.iter().enumerate() {
        let held = ctx.store.evidence_at(source.id, *at).await?;
        report.documents += held.len() as u64;
        let (collectors, of) = (Arc::clone(&ctx.collectors), Arc::clone(&source));
        let read =
            tokio::task::spawn_blocking(move || read_again(&collectors, &of, held, wants_pushes)).await.map_err(|_| StoreError::Closed)?;
        report.unreadable.extend(read.unreadable.into_iter().map(|error| (source.id, error)));
        let keys = normalize::entry_keys(&source, &read.entries);
        let matched = Matched::of(&known, &read.entries, &keys, *at);
        // A day's pushes were folded from more than one document tells.
        for (row, (key, entry)) in matched.pairs.iter().filter(|(row, _)| row.entry.kind != Some(ActivityKind::Code)) {
            findings.extend(finding(&source, row, key, entry, *at));
        }
        if place + 1 == times.len() && matched.unknown > 0 {
            report.unknown.push((source.id, matched.unknown));
            ctx.store.ask_anew(source.id).await?;
        }
    }
    let now = ctx.clock.now();
    let (facts, retold): (Vec<_>, Vec<_>) = findings.into_iter().unzip();
    if !facts.is_empty() {
        ctx.store.record_reread(facts, now).await?;
    }
    report.retold.extend(retold);
    Ok(())
}

/// The entries of all documents of one poll.
#[derive(Default)]
struct ReadAgain {
    entries: Vec<Entry>,
    unreadable: Vec<String>,
}

/// Reads what is held of one poll, and leaves out what a poll leaves out.
fn read_again(collectors: &Collectors, source: &Arc<Source>, held: Vec<Held>, wants_pushes: bool) -> ReadAgain {
    let mut read = ReadAgain::default();
    let polled_at = held.iter().map(|held| held.at).max();
    for held in held {
        let request = Request { about: held.about, ..Request::get(held.asked) };
        let ask = Ask { kind: source.kind, request, sources: vec![Arc::clone(source)], page: held.page };
        let document = Document { content_type: held.media, ..Document::of_bytes(held.url, held.bytes, held.at) };
        match collectors.get(source.kind).read(&ask, &document) {
            Ok(readings) => read.entries.extend(readings.into_iter().flat_map(|reading| reading.entries)),
            Err(error) => read.unreadable.push(format!("the document of {:.0} cannot be read any more: {error}", held.at)),
        }
    }
    if let Some(polled_at) = polled_at {
        let mut whole = Reading { entries: std::mem::take(&mut read.entries), ..Reading::default() };
        collectors.get(source.kind).fold(&mut whole, polled_at);
        read.entries = whole.entries;
    }
    read.entries.retain(|entry| wants_pushes || entry.kind != Some(ActivityKind::Code));
    read
}

/// When the entry was last told as the log has it.
fn told_at(row: &EntryRow) -> Timestamp {
    row.changed_at.unwrap_or(row.first_seen_at)
}

/// Which entries of the log the entries of a document are.
struct Matched<'a> {
    pairs: Vec<(&'a EntryRow, (EntryKey, Entry))>,
    unknown: u64,
}

impl<'a> Matched<'a> {
    /// By what names them, as a poll would; else, among those that this very document told, by address or by title, where
    /// that fits one alone.
    fn of(known: &'a [EntryRow], entries: &'a [Entry], keys: &'a [EntryKey], at: Timestamp) -> Self {
        // What this document told has the say; of the others, those that were known when it came.
        let told_here: Vec<&EntryRow> = known.iter().filter(|row| told_at(row) == at || row.first_seen_at == at).collect();
        let others: Vec<&EntryRow> = known.iter().filter(|row| told_at(row) != at && row.first_seen_at < at).collect();
        let mut pairs = Vec::new();
        let mut open: Vec<(&EntryKey, &Entry)> = Vec::new();
        let rows: Vec<&EntryRow> = told_here.into_iter().chain(others).collect();
        let addresses: Vec<Option<String>> = rows.iter().map(|row| normalize::address_of(told_entry(row, at))).collect();
        let pieces: Vec<Piece<'_>> = rows
            .iter()
            .zip(&addresses)
            .map(|(row, address)| Piece {
                id: row.id,
                key: told_key(row, at),
                address: address.as_deref(),
                shared: told_entry(row, at).link_shared,
                former: &row.former,
                told: Some(told_entry(row, at)),
            })
            .collect();
        let by_id: HashMap<i64, &EntryRow> = rows.iter().map(|row| (row.id, *row)).collect();
        for ((entry, key), found) in entries.iter().zip(keys).zip(normalize::recognize(entries, keys, &pieces)) {
            match found {
                Found::Known { id, .. } => pairs.extend(by_id.get(&id).map(|row| (*row, (key, entry)))),
                Found::New { .. } => open.push((key, entry)),
                Found::Again => {}
            }
        }
        if !open.is_empty() {
            let taken: HashSet<i64> = pairs.iter().map(|(row, _)| row.id).collect();
            let mut lost: Vec<&EntryRow> =
                known.iter().filter(|row| !taken.contains(&row.id) && (told_at(row) == at || row.first_seen_at == at)).collect();
            for trait_of in [address as fn(&Entry) -> Option<String>, title] {
                pair_by(trait_of, &mut lost, &mut open, &mut pairs);
            }
        }
        let pairs = pairs.into_iter().map(|(row, (key, entry))| (row, as_recognized(row, key, entry, at))).collect();
        Self { pairs, unknown: open.len() as u64 }
    }
}

/// The key and telling that the log has of an entry for that document: the first one where it told it first, else the
/// newest.
fn told_key(row: &EntryRow, at: Timestamp) -> &EntryKey {
    match &row.first {
        Some((key, _)) if row.first_seen_at == at => key,
        _ => &row.key,
    }
}

fn told_entry(row: &EntryRow, at: Timestamp) -> &Entry {
    match &row.first {
        Some((_, entry)) if row.first_seen_at == at => entry,
        _ => &row.entry,
    }
}

/// An entry read again, with what only the poll could know: that its id was another piece's and so no key of its own, and
/// that its address was that of several.
fn as_recognized(row: &EntryRow, key: &EntryKey, entry: &Entry, at: Timestamp) -> (EntryKey, Entry) {
    let before = told_entry(row, at);
    let known_as = told_key(row, at);
    let same_names = before.id == entry.id && before.platform_key == entry.platform_key;
    let key = if same_names && normalize::may_be_kept(known_as, before) { known_as } else { key };
    let same_address = normalize::address_of(before) == normalize::address_of(entry);
    let entry = Entry { link_shared: entry.link_shared || (before.link_shared && same_address), ..entry.clone() };
    (key.clone(), entry)
}

fn pair_by<'a>(
    trait_of: fn(&Entry) -> Option<String>,
    lost: &mut Vec<&'a EntryRow>,
    open: &mut Vec<(&'a EntryKey, &'a Entry)>,
    pairs: &mut Vec<(&'a EntryRow, (&'a EntryKey, &'a Entry))>,
) {
    let mut counts: HashMap<String, (u32, u32)> = HashMap::new();
    lost.iter().filter_map(|row| trait_of(&row.entry)).for_each(|found| counts.entry(found).or_default().0 += 1);
    open.iter().filter_map(|(_, entry)| trait_of(entry)).for_each(|found| counts.entry(found).or_default().1 += 1);
    open.retain(|one| {
        let Some(found) = trait_of(one.1).filter(|found| counts.get(found) == Some(&(1, 1))) else { return true };
        let Some(place) = lost.iter().position(|row| trait_of(&row.entry).as_deref() == Some(found.as_str())) else { return true };
        pairs.push((lost.remove(place), *one));
        false
    });
}

fn address(entry: &Entry) -> Option<String> {
    CanonicalUrl::parse(entry.link.as_deref()?).ok().map(|url| url.key())
}

fn title(entry: &Entry) -> Option<String> {
    entry.title.as_deref().map(crate::text::fold).filter(|title| !title.is_empty())
}

/// What today's reading of a document changes in the log's telling of one of its entries.
fn finding(source: &Source, row: &EntryRow, key: &EntryKey, entry: &Entry, at: Timestamp) -> Option<(Reread, Retold)> {
    let is_newest = told_at(row) == at;
    let is_first = row.first_seen_at == at;
    let first = row.first.as_ref().map_or(&row.entry, |(_, first)| first);
    let when = |entry: &Entry| (entry.published, entry.updated, entry.upcoming);
    let newest = is_newest && (row.key != *key || row.entry != without_counts(entry));
    let dated = is_first && when(first) != when(entry);
    if !newest && !dated {
        return None;
    }
    let before = if newest { &row.entry } else { first };
    let mut fields = differences(before, entry);
    if newest && row.key != *key {
        fields.insert(0, ("key".into(), row.key.0.clone(), key.0.clone()));
    }
    let retold = Retold {
        source: source.id,
        url: source.url.clone(),
        title: row.entry.title.clone().or_else(|| entry.link.clone()).unwrap_or_else(|| row.key.0.clone()),
        fields,
    };
    let reread = Reread {
        id: row.id,
        key: key.clone(),
        fingerprint: normalize::fingerprint(source.kind, entry),
        address: normalize::address_of(entry),
        entry: entry.clone(),
        newest,
        dated,
    };
    Some((reread, retold))
}

/// As the log keeps it: counts are no part of an entry.
fn without_counts(entry: &Entry) -> Entry {
    Entry { counts: crate::model::Counts::default(), ..entry.clone() }
}

fn differences(before: &Entry, now: &Entry) -> Vec<(String, String, String)> {
    let members = |entry: &Entry| match serde_json::to_value(entry) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (members(before), members(now));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| {
            let (before, now) = (shown(before.get(name)), shown(now.get(name)));
            let (before, now) = from_where_they_part(&before, &now);
            (name.clone(), before, now)
        })
        .collect()
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Long texts are shown from shortly before the place where they part.
fn from_where_they_part(before: &str, now: &str) -> (String, String) {
    const LEAD: usize = 20;
    let same = before.chars().zip(now.chars()).take_while(|(one, other)| one == other).count();
    let from = if before.chars().count().max(now.chars().count()) > SHOWN { same.saturating_sub(LEAD) } else { 0 };
    let cut = |text: &str| {
        let rest: String = text.chars().skip(from).collect();
        let short = crate::text::cut(&rest, SHOWN).into_owned();
        if from > 0 { format!("…{short}") } else { short }
    };
    (cut(before), cut(now))
}
