//! What is remembered of sources between polls, and the record of a poll: facts, document and state in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::json;

use super::documents::{self, Evidence};
use super::erase::{entry_mark, is_erased};
use super::log::{NewFact, append};
use super::{Store, StoreError, Unwritten, registry, to_millis};
use crate::model::{Arrival, Counts, Entry, EntryKey, FactKind, GridAge, Poll, Source, SourceId, SourceState, names_of_author};

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
}

/// An entry that the log does not know yet.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub key: EntryKey,
    pub fingerprint: String,
    pub arrival: Arrival,
    pub entry: Entry,
}

/// An entry as today's readers find it in the evidence.
#[derive(Debug, Clone)]
pub struct Reread {
    pub id: i64,
    pub key: EntryKey,
    pub fingerprint: String,
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

fn entry_payload(key: &EntryKey, entry: &Entry) -> Result<String, StoreError> {
    #[derive(serde::Serialize)]
    struct Payload<'a> {
        key: &'a EntryKey,
        entry: &'a Entry,
    }
    Ok(serde_json::to_string(&Payload { key, entry })?)
}

fn put_state(connection: &Connection, source: SourceId, state: &SourceState) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO source_states (source, status, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (source) DO UPDATE SET status = excluded.status, body = excluded.body",
        )?
        .execute(params![source.0, state.status.as_str(), serde_json::to_string(&state.clone().with_times_of(&SourceState::default()))?])?;
    put_times(connection, source, state)
}

fn put_times(connection: &Connection, source: SourceId, state: &SourceState) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO source_times (source, next_poll_at, not_before, last_poll_at, last_success_at, interval_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            source.0,
            state.next_poll_at.map(to_millis),
            state.not_before.map(to_millis),
            state.last_poll_at.map(to_millis),
            state.last_success_at.map(to_millis),
            state.interval_s
        ])?;
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

fn sample(connection: &Connection, at: Timestamp, entry: i64, age: GridAge, counts: Counts) -> Result<(), StoreError> {
    let inserted = connection
        .prepare_cached("INSERT OR IGNORE INTO samples (entry, age, at, counts) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![entry, age.hours(), to_millis(at), serde_json::to_string(&counts)?])?;
    if inserted > 0 {
        let detail = json!({"age": age.hours(), "counts": counts}).to_string();
        append(connection, &NewFact { at, kind: FactKind::Sampled, subject: format!("e{entry}"), detail, payload: None })?;
    }
    Ok(())
}

/// Keeps entries that are seen for the first time, and answers where each stands.
pub(super) fn put_new<'a>(
    connection: &Connection,
    source: SourceId,
    at: Timestamp,
    entries: &'a [NewEntry],
) -> Result<HashMap<&'a EntryKey, i64>, StoreError> {
    let mut ids: HashMap<&EntryKey, i64> = HashMap::new();
    put_bylines(connection, source, entries.iter().map(|new| &new.entry))?;
    for new in entries {
        // A source of several people may go on showing what one of them had erased.
        if is_erased(connection, &[entry_mark(source.0, &new.key.0)])? {
            continue;
        }
        let fact = NewFact {
            at,
            kind: FactKind::EntrySeen,
            subject: source.to_string(),
            detail: serde_json::to_string(&new.arrival)?,
            payload: Some(entry_payload(&new.key, &new.entry)?),
        };
        let seq = append(connection, &fact)?;
        connection
            .prepare_cached(
                "INSERT INTO entries (id, source, key, fingerprint, last, first_seen_at, beyond) VALUES (?1, ?2, ?3, ?4, ?1, ?5, ?6)",
            )?
            .execute(params![seq.0, source.0, new.key.0, new.fingerprint, to_millis(at), new.arrival.fetched_back])?;
        ids.insert(&new.key, seq.0);
    }
    Ok(ids)
}

fn put_bylines<'a>(connection: &Connection, source: SourceId, entries: impl Iterator<Item = &'a Entry>) -> Result<(), StoreError> {
    let names: BTreeSet<String> = entries.flat_map(|entry| &entry.authors).flat_map(names_of_author).collect();
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO bylines (name, source) VALUES (?1, ?2)")?;
    for name in names {
        statement.execute(params![name, source.0])?;
    }
    Ok(())
}

fn record(connection: &Connection, record: &PollRecord) -> Result<(), StoreError> {
    let PollRecord { poll, state, .. } = record;
    let (source, at) = (poll.source, poll.at);
    put_bylines(connection, source, record.changed.iter().map(|(_, changed)| &changed.entry))?;
    let ids = put_new(connection, source, at, &record.new)?;
    for (id, changed) in &record.changed {
        let fact = NewFact {
            at,
            kind: FactKind::EntryChanged,
            subject: format!("e{id}"),
            detail: String::new(),
            payload: Some(entry_payload(&changed.key, &changed.entry)?),
        };
        let seq = append(connection, &fact)?;
        connection
            .prepare_cached("UPDATE entries SET key = ?5, fingerprint = ?2, last = ?3, changed_at = ?4, left_at = NULL WHERE id = ?1")?
            .execute(params![id, changed.fingerprint, seq.0, to_millis(at), changed.key.0])?;
    }
    for id in &record.left {
        let fact = NewFact { at, kind: FactKind::EntryLeft, subject: format!("e{id}"), detail: String::new(), payload: None };
        append(connection, &fact)?;
        connection.prepare_cached("UPDATE entries SET left_at = ?2 WHERE id = ?1")?.execute(params![id, to_millis(at)])?;
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
    put_state(connection, source, state)?;
    put_poll(connection, poll)
}

fn record_reread(connection: &Connection, rereads: &[Reread], at: Timestamp) -> Result<(), StoreError> {
    for reread in rereads {
        let fact = NewFact {
            at,
            kind: FactKind::EntryChanged,
            subject: format!("e{}", reread.id),
            detail: json!({"reread": true, "newest": reread.newest, "dated": reread.dated}).to_string(),
            payload: Some(entry_payload(&reread.key, &reread.entry)?),
        };
        let seq = append(connection, &fact)?;
        if reread.newest {
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
                let mut states = states(connection)?;
                let sources = registry::sources(connection)?;
                let wanted = sources
                    .into_iter()
                    .filter(|source| !source.paused && !source.left && source.owners.iter().any(|owner| !stopped.contains(&owner.builder)));
                Ok(wanted
                    .map(|source| {
                        let state = states.remove(&source.id).unwrap_or_default();
                        (Arc::new(source), state)
                    })
                    .collect::<Vec<_>>())
            })
            .await?;
        let unwritten = self.unwritten();
        for (source, state) in &mut all {
            if let Some(newer) = unwritten.get(&source.id) {
                *state = SourceState::clone(&newer.state);
            }
        }
        Ok(all)
    }

    /// The states of all sources that have one.
    pub async fn source_states(&self) -> Result<HashMap<SourceId, SourceState>, StoreError> {
        let mut all = self.read(states).await?;
        for (source, newer) in self.unwritten().iter() {
            all.insert(*source, SourceState::clone(&newer.state));
        }
        Ok(all)
    }

    /// The entries that the log knows of a source.
    pub async fn known_entries(&self, source: SourceId) -> Result<HashMap<EntryKey, Known>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, key, fingerprint, left_at IS NOT NULL, first_seen_at,
                        (SELECT group_concat(age) FROM samples WHERE entry = entries.id), beyond
                 FROM entries WHERE source = ?1",
            )?;
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
                let entry = Known {
                    id: row.get(0)?,
                    fingerprint: row.get(2)?,
                    left: row.get(3)?,
                    beyond: row.get(6)?,
                    sampled,
                    first_seen_at: super::from_millis(row.get(4)?)?,
                };
                known.insert(EntryKey(row.get(1)?), entry);
            }
            Ok(known)
        })
        .await
    }

    /// Keeps what a poll says of a source: facts, document and state in one transaction, so that validators are never
    /// kept without the entries that they vouch for.
    pub async fn record_poll(&self, poll: PollRecord) -> Result<(), StoreError> {
        let source = poll.poll.source;
        self.write(move |connection| record(connection, &poll)).await?;
        self.unwritten().remove(&source);
        Ok(())
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

fn states(connection: &Connection) -> Result<HashMap<SourceId, SourceState>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT source, body, next_poll_at, not_before, last_poll_at, last_success_at, interval_s
         FROM source_states JOIN source_times USING (source)",
    )?;
    let mut rows = statement.query([])?;
    let mut states = HashMap::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
        let time = |column| row.get::<_, Option<i64>>(column)?.map(super::from_millis).transpose();
        let state = SourceState {
            next_poll_at: time(2)?,
            not_before: time(3)?,
            last_poll_at: time(4)?,
            last_success_at: time(5)?,
            interval_s: row.get(6)?,
            ..serde_json::from_str(body)?
        };
        states.insert(SourceId(row.get(0)?), state);
    }
    Ok(states)
}
