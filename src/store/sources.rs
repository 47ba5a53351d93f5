//! What is remembered of sources between polls, and the record of a poll: facts, document and state in one transaction.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};
use serde_json::json;

use super::documents::{self, Evidence};
use super::erase::Erasures;
use super::log::{NewFact, append};
use super::{Store, StoreError, Unwritten, registry, to_millis};
use crate::model::{
    Arrival, BuilderId, Byline, Counts, Entry, EntryKey, FactKind, GridAge, Poll, Source, SourceId, SourceKind, SourceState, SourceStatus,
    Times, names_of_author,
};

/// An entry that the log knows already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The place of its `EntrySeen`.
    pub id: i64,
    pub fingerprint: String,
    pub left: bool,
    /// Found on an older page, beyond what polls show.
    pub beyond: bool,
    /// Ages of the grid at which it was sampled.
    pub sampled: Vec<GridAge>,
    /// The publication time that its first telling gave, or when it was first seen.
    pub first_seen_at: Timestamp,
    /// The key of the address of its newest telling.
    pub address: Option<String>,
    /// Others of the same document had that address too.
    pub shared: bool,
    /// Addresses that it had before.
    pub former: Vec<String>,
}

/// An entry that the log does not know yet.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub key: EntryKey,
    pub fingerprint: String,
    /// The key of its address, be it its own or that of several.
    pub address: Option<String>,
    pub arrival: Arrival,
    pub entry: Entry,
}

/// An entry as today's readers find it in the evidence.
#[derive(Debug, Clone)]
pub struct Reread {
    pub id: i64,
    pub key: EntryKey,
    pub fingerprint: String,
    /// The key of its address.
    pub address: Option<String>,
    pub entry: Entry,
    /// It takes the place of the newest telling.
    pub newest: bool,
    /// Its dates take the place of those of the first telling.
    pub dated: bool,
}

/// All that one poll says of one source, to be kept together or not at all.
#[derive(Debug, Clone)]
pub struct PollRecord {
    pub poll: Poll,
    pub state: SourceState,
    pub new: Vec<NewEntry>,
    /// Known entries that are told otherwise, or shown again.
    pub changed: Vec<(i64, NewEntry)>,
    /// Known entries that the source does not show any more.
    pub left: Vec<i64>,
    /// Counts of known entries at an age of the grid.
    pub samples: Vec<(i64, GridAge, Counts)>,
    /// Counts of entries that are new in this poll.
    pub new_samples: Vec<(EntryKey, GridAge, Counts)>,
    /// The documents that say so; none where nothing changed.
    pub evidence: Vec<Evidence>,
}

/// What a person entered by hand, or takes back.
#[derive(Debug, Clone)]
pub struct ByHand {
    pub source: SourceId,
    /// The place of its `EntrySeen`, where it was entered before.
    pub known: Option<i64>,
    /// `None` where it is taken back.
    pub entry: Option<NewEntry>,
    /// Who: a name of the system or of `--as`.
    pub by: String,
    pub at: Timestamp,
}

fn entry_payload(key: &EntryKey, entry: &Entry, by: Option<&str>) -> Result<String, StoreError> {
    #[derive(serde::Serialize)]
    struct Payload<'a> {
        key: &'a EntryKey,
        entry: &'a Entry,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<&'a str>,
    }
    Ok(serde_json::to_string(&Payload { key, entry, by })?)
}

fn put_state(connection: &Connection, source: SourceId, state: &SourceState) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO source_states (source, status, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (source) DO UPDATE SET status = excluded.status, body = excluded.body",
        )?
        .execute(params![source.0, state.status.as_str(), state_body(state)?])?;
    put_times(connection, source, state)
}

/// The state as JSON: without its times, and without what says nothing, since all states are read with every pass.
fn state_body(state: &SourceState) -> Result<String, StoreError> {
    static SILENT: LazyLock<serde_json::Value> = LazyLock::new(|| serde_json::to_value(SourceState::default()).unwrap_or_default());
    let mut state = state.clone();
    state.set_times(Times::default());
    let mut body = serde_json::to_value(state)?;
    if let Some(body) = body.as_object_mut() {
        body.retain(|name, value| SILENT.get(name) != Some(value));
    }
    Ok(body.to_string())
}

fn put_times(connection: &Connection, source: SourceId, state: &SourceState) -> Result<(), StoreError> {
    const UPDATE: &str =
        "UPDATE source_times SET next_poll_at = ?2, not_before = ?3, last_poll_at = ?4, last_success_at = ?5, interval_s = ?6
         WHERE source = ?1";
    const INSERT: &str = "INSERT INTO source_times (source, next_poll_at, not_before, last_poll_at, last_success_at, interval_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    // The first is by far the cheaper one, and all but the first time the right one.
    for statement in [UPDATE, INSERT] {
        let written = connection.prepare_cached(statement)?.execute(params![
            source.0,
            state.next_poll_at.map(to_millis),
            state.not_before.map(to_millis),
            state.last_poll_at.map(to_millis),
            state.last_success_at.map(to_millis),
            state.interval_s
        ])?;
        if written > 0 {
            break;
        }
    }
    Ok(())
}

fn put_poll(connection: &Connection, poll: &Poll) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO polls (source, at, outcome, status, elapsed_ms, bytes, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            poll.source.0,
            to_millis(poll.at),
            poll.outcome.as_str(),
            poll.status,
            poll.elapsed_ms,
            i64::try_from(poll.bytes).unwrap_or(i64::MAX),
            serde_json::to_string(&poll.outcome)?
        ])?;
    Ok(())
}

/// Whether it is the first count of that entry at that age, and so a fact.
fn sample(connection: &Connection, at: Timestamp, entry: i64, age: GridAge, counts: Counts) -> Result<bool, StoreError> {
    let inserted = connection
        .prepare_cached("INSERT OR IGNORE INTO samples (entry, age, at, counts) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![entry, age.hours(), to_millis(at), serde_json::to_string(&counts)?])?;
    if inserted > 0 {
        let detail = json!({"age": age.hours(), "counts": counts}).to_string();
        append(connection, &NewFact { at, kind: FactKind::Sampled, subject: format!("e{entry}"), detail, payload: None })?;
    }
    Ok(inserted > 0)
}

/// Keeps an entry that is seen for the first time, and answers where it stands; `None` where somebody had it erased. The
/// names of its makers are kept by [`put_bylines`].
pub(super) fn put_new(
    connection: &Connection,
    source: SourceId,
    at: Timestamp,
    new: &NewEntry,
    by: Option<&str>,
    erasures: &Erasures,
) -> Result<Option<i64>, StoreError> {
    // A source of several people may go on showing what one of them had erased.
    if erasures.hold_entry(connection, source.0, &new.key.0, new.address.as_deref().filter(|_| !new.entry.link_shared))? {
        return Ok(None);
    }
    let fact = NewFact {
        at,
        kind: FactKind::EntrySeen,
        subject: source.to_string(),
        detail: serde_json::to_string(&new.arrival)?,
        payload: Some(entry_payload(&new.key, &new.entry, by)?),
    };
    let seq = append(connection, &fact)?;
    connection
        .prepare_cached(
            "INSERT INTO entries (id, source, key, fingerprint, last, first_seen_at, beyond, address, shared)
             VALUES (?1, ?2, ?3, ?4, ?1, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            seq.0,
            source.0,
            new.key.0,
            new.fingerprint,
            to_millis(at),
            new.arrival.fetched_back,
            new.address,
            new.entry.link_shared
        ])?;
    Ok(Some(seq.0))
}

/// Keeps by which names the entries of a source call their makers.
pub(super) fn put_bylines<'a>(
    connection: &Connection,
    source: SourceId,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<(), StoreError> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for author in entries.into_iter().flat_map(|entry| &entry.authors) {
        names.extend(names_of_author(author));
        names.extend(Byline::of(&author.name).all_readings().iter().flat_map(names_of_author));
    }
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO bylines (name, source) VALUES (?1, ?2)")?;
    for name in names {
        statement.execute(params![name, source.0])?;
    }
    Ok(())
}

fn put_changed(connection: &Connection, at: Timestamp, id: i64, changed: &NewEntry, by: Option<&str>) -> Result<(), StoreError> {
    let fact = NewFact {
        at,
        kind: FactKind::EntryChanged,
        subject: format!("e{id}"),
        detail: String::new(),
        payload: Some(entry_payload(&changed.key, &changed.entry, by)?),
    };
    let seq = append(connection, &fact)?;
    put_address(connection, id, changed.address.as_deref(), changed.entry.link_shared)?;
    connection
        .prepare_cached("UPDATE entries SET key = ?5, fingerprint = ?2, last = ?3, changed_at = ?4, left_at = NULL WHERE id = ?1")?
        .execute(params![id, changed.fingerprint, seq.0, to_millis(at), changed.key.0])?;
    Ok(())
}

/// Keeps the address of the newest telling of an entry, and remembers the one that it had before.
fn put_address(connection: &Connection, id: i64, address: Option<&str>, shared: bool) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO former_addresses (source, entry, key)
             SELECT source, id, address FROM entries WHERE id = ?1 AND address IS NOT NULL AND address IS NOT ?2 AND shared = 0",
        )?
        .execute(params![id, address])?;
    connection.prepare_cached("UPDATE entries SET address = ?2, shared = ?3 WHERE id = ?1")?.execute(params![id, address, shared])?;
    Ok(())
}

fn put_left(connection: &Connection, at: Timestamp, id: i64) -> Result<(), StoreError> {
    let fact = NewFact { at, kind: FactKind::EntryLeft, subject: format!("e{id}"), detail: String::new(), payload: None };
    append(connection, &fact)?;
    connection.prepare_cached("UPDATE entries SET left_at = ?2 WHERE id = ?1")?.execute(params![id, to_millis(at)])?;
    Ok(())
}

fn record(connection: &Connection, record: &PollRecord) -> Result<(), StoreError> {
    let PollRecord { poll, state, .. } = record;
    let (source, at) = (poll.source, poll.at);
    if let Some(account) = &state.account {
        registry::put_account(connection, source, account, at)?;
    }
    let told = record.new.iter().chain(record.changed.iter().map(|(_, changed)| changed));
    put_bylines(connection, source, told.map(|told| &told.entry))?;
    let erasures = Erasures::of(connection)?;
    let mut ids: HashMap<&EntryKey, i64> = HashMap::new();
    for new in &record.new {
        if let Some(id) = put_new(connection, source, at, new, None, &erasures)? {
            ids.insert(&new.key, id);
        }
    }
    for (id, changed) in &record.changed {
        put_changed(connection, at, *id, changed, None)?;
    }
    for id in &record.left {
        put_left(connection, at, *id)?;
    }
    for (id, age, counts) in &record.samples {
        sample(connection, at, *id, *age, *counts)?;
    }
    for (key, age, counts) in &record.new_samples {
        if let Some(id) = ids.get(key) {
            sample(connection, at, *id, *age, *counts)?;
        }
    }
    for evidence in &record.evidence {
        documents::put(connection, source, at, evidence)?;
    }
    put_state(connection, source, state)
}

fn record_reread(connection: &Connection, rereads: &[Reread], at: Timestamp) -> Result<(), StoreError> {
    for reread in rereads {
        let fact = NewFact {
            at,
            kind: FactKind::EntryChanged,
            subject: format!("e{}", reread.id),
            detail: json!({"reread": true, "newest": reread.newest, "dated": reread.dated}).to_string(),
            payload: Some(entry_payload(&reread.key, &reread.entry, None)?),
        };
        let seq = append(connection, &fact)?;
        if reread.newest {
            put_address(connection, reread.id, reread.address.as_deref(), reread.entry.link_shared)?;
            connection.prepare_cached("UPDATE entries SET key = ?2, fingerprint = ?3, last = ?4 WHERE id = ?1")?.execute(params![
                reread.id,
                reread.key.0,
                reread.fingerprint,
                seq.0
            ])?;
        }
        if reread.dated {
            connection.prepare_cached("UPDATE entries SET dated = ?2 WHERE id = ?1")?.execute(params![reread.id, seq.0])?;
        }
        let source: i64 = connection.query_row("SELECT source FROM entries WHERE id = ?1", [reread.id], |row| row.get(0))?;
        put_bylines(connection, SourceId(source), std::iter::once(&reread.entry))?;
    }
    Ok(())
}

impl Store {
    /// Keeps what today's readers tell otherwise than the log, all of it or nothing.
    pub async fn record_reread(&self, rereads: Vec<Reread>, at: Timestamp) -> Result<(), StoreError> {
        self.write_much(move |connection| record_reread(connection, &rereads, at)).await
    }

    /// Forgets what the next answer of a source would be compared with, so that it is read whatever it is.
    pub async fn ask_anew(&self, source: SourceId) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.execute(
                "UPDATE source_states SET body = json_set(body, '$.body_hash', NULL, '$.validators', json('{}')) WHERE source = ?1",
                [source.0],
            )?;
            Ok(())
        })
        .await
    }

    /// Every source that may be polled at all, with what is remembered of it, newest memory first. Sources that are
    /// paused, have left, or whose owners have all told us to stop are not among them.
    pub async fn pollable(&self) -> Result<Vec<(Arc<Source>, SourceState)>, StoreError> {
        let mut all = self
            .read(|connection| {
                let stopped = registry::stopped(connection)?;
                let mut states = states(connection, None)?;
                let sources = registry::sources(connection)?;
                let wanted = sources.into_iter().filter(|source| {
                    source.kind != SourceKind::Manual
                        && !source.paused
                        && !source.left
                        && source.owners.iter().any(|owner| !stopped.contains(&owner.builder))
                });
                Ok(wanted
                    .map(|source| {
                        let state = states.remove(&source.id).unwrap_or_default();
                        (Arc::new(source), state)
                    })
                    .collect::<Vec<_>>())
            })
            .await?;
        self.bring_up_to_date(&mut all);
        Ok(all)
    }

    /// The states of all sources that have one.
    pub async fn source_states(&self) -> Result<HashMap<SourceId, SourceState>, StoreError> {
        let mut all = self.read(|connection| states(connection, None)).await?;
        for (source, newer) in self.unwritten().iter() {
            all.insert(*source, SourceState::clone(&newer.state));
        }
        Ok(all)
    }

    /// The sources of a builder, each with what is remembered of it, ordered by id.
    pub async fn sources_of(&self, builder: BuilderId) -> Result<Vec<(Source, SourceState)>, StoreError> {
        let mut all = self
            .read(move |connection| {
                let mut states = states(connection, Some(builder))?;
                let sources = registry::sources_of(connection, builder)?.into_iter();
                Ok(sources
                    .map(|source| {
                        let state = states.remove(&source.id).unwrap_or_default();
                        (source, state)
                    })
                    .collect::<Vec<_>>())
            })
            .await?;
        self.bring_up_to_date(&mut all);
        Ok(all)
    }

    /// What is remembered and not yet written is newer than what was read.
    fn bring_up_to_date(&self, all: &mut [(impl Borrow<Source>, SourceState)]) {
        let unwritten = self.unwritten();
        for (source, state) in all {
            if let Some(newer) = unwritten.get(&Borrow::<Source>::borrow(source).id) {
                *state = SourceState::clone(&newer.state);
            }
        }
    }

    /// By how much the most overdue source that may be polled is late; zero if none is.
    pub async fn oldest_overdue(&self, now: Timestamp) -> Result<SignedDuration, StoreError> {
        // What is remembered and not yet written is newer than what the table says.
        let unwritten: HashMap<SourceId, Arc<SourceState>> =
            self.unwritten().iter().map(|(source, newer)| (*source, Arc::clone(&newer.state))).collect();
        let oldest = self
            .read(move |connection| {
                let mut polled = connection.prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM sources s WHERE s.id = ?1 AND s.paused = 0 AND s.left = 0
                       AND EXISTS (SELECT 1 FROM owners o JOIN builders b ON b.id = o.builder
                                   WHERE o.source = s.id AND coalesce(b.body ->> '$.switches.stop_collecting', 0) = 0))",
                )?;
                let mut oldest: Option<Timestamp> = None;
                for (source, state) in &unwritten {
                    let due = state.next_poll_at.filter(|next| *next < now && state.status != SourceStatus::Gone);
                    if let Some(due) = due.map(|next| next.max(state.not_before.unwrap_or(next)))
                        && polled.query_row([source.0], |row| row.get(0))?
                    {
                        oldest = Some(oldest.map_or(due, |oldest| oldest.min(due)));
                    }
                }
                let mut statement = connection.prepare_cached(
                    "SELECT source, max(next_poll_at, coalesce(not_before, next_poll_at)) AS due
                     FROM source_times JOIN source_states USING (source)
                     WHERE next_poll_at < ?1 AND status <> 'gone' ORDER BY due",
                )?;
                let mut rows = statement.query([to_millis(now)])?;
                // The first that counts is as late as any.
                while let Some(row) = rows.next()? {
                    let source = SourceId(row.get(0)?);
                    if !unwritten.contains_key(&source) && polled.query_row([source.0], |row| row.get(0))? {
                        let due = super::from_millis(row.get(1)?)?;
                        oldest = Some(oldest.map_or(due, |oldest| oldest.min(due)));
                        break;
                    }
                }
                Ok(oldest)
            })
            .await?;
        Ok(oldest.map_or(SignedDuration::ZERO, |due| now.duration_since(due).max(SignedDuration::ZERO)))
    }

    /// The entries that have reached an age of the grid within the last three hours, but were not counted at it; of each
    /// the age.
    pub async fn uncounted(&self, now: Timestamp) -> Result<Vec<(i64, GridAge)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.entry FROM activities a JOIN sightings s ON s.activity = a.id
                 WHERE a.effective_at > ?1 AND a.effective_at <= ?3 AND a.published_at > ?2 AND a.published_at <= ?3
                   AND NOT EXISTS (SELECT 1 FROM samples c WHERE c.entry = s.entry AND c.age = ?4)
                 ORDER BY s.entry",
            )?;
            let mut due = Vec::new();
            for age in GridAge::ALL {
                let ago = |hours: i64| to_millis(now.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(now));
                // What was announced is dated after it was first seen, by weeks at most.
                let (seen, from, to) = (ago(age.hours() + 24 * 60), ago(age.hours() + 3), ago(age.hours()));
                let ids = statement.query_map([seen, from, to, age.hours()], |row| row.get(0))?;
                for id in ids {
                    due.push((id?, age));
                }
            }
            Ok(due)
        })
        .await
    }

    /// Which of these sources have ever told counts.
    pub async fn counting_sources(&self, asked: HashSet<SourceId>) -> Result<HashSet<SourceId>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM entries e JOIN samples c ON c.entry = e.id WHERE e.source = ?1)")?;
            let mut counting = HashSet::new();
            for source in asked {
                if statement.query_row([source.0], |row| row.get(0))? {
                    counting.insert(source);
                }
            }
            Ok(counting)
        })
        .await
    }

    /// Keeps counts of entries, each as a fact unless the age was counted already; answers how many were new.
    pub async fn record_samples(&self, samples: Vec<(i64, GridAge, Counts)>, at: Timestamp) -> Result<u32, StoreError> {
        self.write(move |connection| {
            let mut new = 0;
            for (entry, age, counts) in &samples {
                new += u32::from(sample(connection, at, *entry, *age, *counts)?);
            }
            Ok(new)
        })
        .await
    }

    /// The entries that the log knows of a source.
    pub async fn known_entries(&self, source: SourceId) -> Result<HashMap<EntryKey, Known>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, key, fingerprint, left_at IS NOT NULL, first_seen_at,
                        (SELECT group_concat(age) FROM samples WHERE entry = entries.id), beyond, address, shared
                 FROM entries WHERE source = ?1",
            )?;
            let mut former: HashMap<i64, Vec<String>> = HashMap::new();
            let mut moved = connection.prepare_cached("SELECT entry, key FROM former_addresses WHERE source = ?1 ORDER BY entry, key")?;
            for row in moved.query_map([source.0], |row| Ok((row.get(0)?, row.get(1)?)))? {
                let (entry, key): (i64, String) = row?;
                former.entry(entry).or_default().push(key);
            }
            let mut rows = statement.query([source.0])?;
            let mut known = HashMap::new();
            while let Some(row) = rows.next()? {
                let ages: Option<String> = row.get(5)?;
                let sampled = ages
                    .iter()
                    .flat_map(|ages| ages.split(','))
                    .filter_map(|age| age.parse().ok())
                    .filter_map(|hours: i64| GridAge::ALL.into_iter().find(|age| age.hours() == hours))
                    .collect();
                let id = row.get(0)?;
                let entry = Known {
                    id,
                    fingerprint: row.get(2)?,
                    left: row.get(3)?,
                    beyond: row.get(6)?,
                    sampled,
                    first_seen_at: super::from_millis(row.get(4)?)?,
                    address: row.get(7)?,
                    shared: row.get(8)?,
                    former: former.remove(&id).unwrap_or_default(),
                };
                known.insert(EntryKey(row.get(1)?), entry);
            }
            Ok(known)
        })
        .await
    }

    /// Keeps by which keys a source now calls entries that are known. How a source names an entry is no fact of it: this is
    /// remembered to recognize it with the next poll.
    pub async fn rekey(&self, rekeyed: Vec<(i64, EntryKey)>) -> Result<(), StoreError> {
        self.write(move |connection| {
            let mut statement = connection.prepare_cached("UPDATE OR IGNORE entries SET key = ?2 WHERE id = ?1")?;
            for (id, key) in &rekeyed {
                statement.execute(params![id, key.0])?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps what a poll says of a source: facts, document and state in one transaction, so that validators are never
    /// kept without the entries that they vouch for.
    pub async fn record_poll(&self, poll: PollRecord) -> Result<(), StoreError> {
        let source = poll.poll.source;
        self.write(move |connection| {
            record(connection, &poll)?;
            put_poll(connection, &poll.poll)
        })
        .await?;
        self.unwritten().remove(&source);
        Ok(())
    }

    /// Keeps what a person entered by hand or takes back, safe against loss of power.
    pub async fn enter(&self, by_hand: ByHand) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let ByHand { source, known, entry, by, at } = &by_hand;
            // It is as well as a source that was read this moment.
            let state = SourceState {
                status: SourceStatus::Ok,
                last_success_at: Some(*at),
                last_new_at: Some(*at),
                last_poll_at: Some(*at),
                ..SourceState::default()
            };
            put_state(connection, *source, &state)?;
            match (known, entry) {
                (Some(id), Some(entry)) => put_changed(connection, *at, *id, entry, Some(by)),
                (None, Some(entry)) => {
                    put_bylines(connection, *source, [&entry.entry])?;
                    put_new(connection, *source, *at, entry, Some(by), &Erasures::of(connection)?).map(|_| ())
                }
                (Some(id), None) => put_left(connection, *at, *id),
                (None, None) => Ok(()),
            }
        })
        .await
    }

    /// Keeps what was learned of a source beside its ordinary polls, of whose history it is no part.
    pub async fn record_sweep(&self, sweep: PollRecord) -> Result<(), StoreError> {
        let source = sweep.poll.source;
        self.write(move |connection| record(connection, &sweep)).await?;
        self.unwritten().remove(&source);
        Ok(())
    }

    /// What is remembered of a source now.
    pub async fn source_state(&self, source: SourceId) -> Result<SourceState, StoreError> {
        if let Some(newer) = self.unwritten().get(&source) {
            return Ok(SourceState::clone(&newer.state));
        }
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT source, body, next_poll_at, not_before, last_poll_at, last_success_at, interval_s
                 FROM source_states JOIN source_times USING (source) WHERE source = ?1",
            )?;
            let mut rows = statement.query([source.0])?;
            rows.next()?.map_or_else(|| Ok(SourceState::default()), state_in)
        })
        .await
    }

    /// Remembers the state after a poll that brought nothing; it is written with others by [`Store::flush_states`].
    /// `only_times`: nothing but times differs from what was remembered before.
    pub fn remember(&self, source: SourceId, state: SourceState, only_times: bool) {
        let mut unwritten = self.unwritten();
        let only_times = only_times && unwritten.get(&source).is_none_or(|before| before.only_times);
        unwritten.insert(source, Unwritten { state: Arc::new(state), only_times });
    }

    /// Writes all remembered states in one transaction.
    pub async fn flush_states(&self) -> Result<(), StoreError> {
        let batch: Vec<_> =
            self.unwritten().iter().map(|(source, unwritten)| (*source, Arc::clone(&unwritten.state), unwritten.only_times)).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let written: Vec<_> = batch.iter().map(|(source, state, _)| (*source, Arc::clone(state))).collect();
        self.write(move |connection| {
            for (source, state, only_times) in &batch {
                let put = if *only_times { put_times } else { put_state };
                put(connection, *source, state)?;
            }
            Ok(())
        })
        .await?;
        let mut unwritten = self.unwritten();
        for (source, state) in written {
            // A newer state may have come meanwhile.
            if unwritten.get(&source).is_some_and(|now| Arc::ptr_eq(&now.state, &state)) {
                unwritten.remove(&source);
            }
        }
        Ok(())
    }

    /// Drops the records of polls before an instant, and says how many.
    pub async fn prune_polls(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.write(move |connection| Ok(connection.execute("DELETE FROM polls WHERE at < ?1", [to_millis(before)])?)).await
    }

    /// The last records of polls of a source, newest first.
    pub async fn polls_of(&self, source: SourceId, limit: u32) -> Result<Vec<Poll>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT at, status, elapsed_ms, bytes, body FROM polls WHERE source = ?1 ORDER BY at DESC LIMIT ?2")?;
            let mut rows = statement.query(params![source.0, limit])?;
            let mut polls = Vec::new();
            while let Some(row) = rows.next()? {
                let body: String = row.get(4)?;
                polls.push(Poll {
                    source,
                    at: super::from_millis(row.get(0)?)?,
                    outcome: serde_json::from_str(&body)?,
                    status: row.get(1)?,
                    elapsed_ms: row.get(2)?,
                    bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                });
            }
            Ok(polls)
        })
        .await
    }
}

/// The states of all sources, or of those that a builder owns.
fn states(connection: &Connection, owner: Option<BuilderId>) -> Result<HashMap<SourceId, SourceState>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT source, body, next_poll_at, not_before, last_poll_at, last_success_at, interval_s
         FROM source_states JOIN source_times USING (source)
         WHERE ?1 IS NULL OR source IN (SELECT source FROM owners WHERE builder = ?1)",
    )?;
    let mut rows = statement.query([owner.map(|owner| owner.0)])?;
    let mut states = HashMap::new();
    while let Some(row) = rows.next()? {
        states.insert(SourceId(row.get(0)?), state_in(row)?);
    }
    Ok(states)
}

fn state_in(row: &Row<'_>) -> Result<SourceState, StoreError> {
    let body = row.get_ref(1)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
    let time = |column| row.get::<_, Option<i64>>(column)?.map(super::from_millis).transpose();
    Ok(SourceState {
        next_poll_at: time(2)?,
        not_before: time(3)?,
        last_poll_at: time(4)?,
        last_success_at: time(5)?,
        interval_s: row.get(6)?,
        ..serde_json::from_str(body)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Builder, Slug, SourceKind};
    use crate::store::RosterChange;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_most_overdue_source_is_told_without_reading_all() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(&scratch.path().join("clarion.db")).await.unwrap();
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let mut changes = Vec::new();
        for (slug, stop) in [("ada", false), ("zoe", true)] {
            let slug = Slug::parse(slug).unwrap();
            let builder: Builder = serde_json::from_value(json!({
                "id": 0, "slug": slug, "name": "A", "categories": [], "handles": {}, "switches": {"stop_collecting": stop},
            }))
            .unwrap();
            changes.push(RosterChange::Builder(Box::new(builder)));
            for n in 0..6 {
                let url = format!("https://{slug}-{n}.example/feed");
                changes.push(RosterChange::Source {
                    builder: slug.clone(),
                    kind: SourceKind::Rss,
                    locator: url.clone(),
                    url,
                    author: None,
                    filters: None,
                });
            }
        }
        store.change_roster(changes, now).await.unwrap();
        let hours = |hours: i64| now - SignedDuration::from_hours(hours);
        let state = |due: i64| SourceState { status: SourceStatus::Ok, next_poll_at: Some(hours(due)), ..SourceState::default() };
        assert_eq!(store.oldest_overdue(now).await.unwrap(), SignedDuration::ZERO, "nothing was ever asked");
        // Paused, gone, held back, of somebody who told us to stop, on time: none of them is late.
        store.remember(SourceId(1), state(50), false);
        store.remember(SourceId(2), SourceState { status: SourceStatus::Gone, ..state(40) }, false);
        store.remember(SourceId(3), SourceState { not_before: Some(hours(3)), ..state(30) }, false);
        store.remember(SourceId(4), state(5), false);
        store.remember(SourceId(5), state(-1), false);
        store.remember(SourceId(7), state(60), false);
        store.change_roster(vec![RosterChange::Paused { source: SourceId(1), paused: true }], now).await.unwrap();
        for written in [false, true] {
            assert_eq!(store.oldest_overdue(now).await.unwrap(), SignedDuration::from_hours(5), "written: {written}");
            store.flush_states().await.unwrap();
        }
        // What was asked meanwhile is late no more, though the table does not say so yet.
        store.remember(SourceId(4), state(-2), true);
        assert_eq!(store.oldest_overdue(now).await.unwrap(), SignedDuration::from_hours(3));
        let of_ada = store.sources_of(BuilderId(1)).await.unwrap();
        assert_eq!(of_ada.len(), 6);
        assert_eq!(of_ada[3].1.next_poll_at, Some(hours(-2)));
        assert!(of_ada.iter().all(|(source, _)| source.owners.len() == 1 && source.owners[0].builder == BuilderId(1)));
        store.close().await.unwrap();
    }
}
