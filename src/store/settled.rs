//! What the log has moved, and the derived rows that follow from it, swapped in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Store, StoreError, from_millis, log, to_millis, works};
use crate::model::{Activity, ActivityId, Arrival, BuilderId, DecisionKind, Entry, EntryKey, Seq, SourceId, Work, names_of_builder};

/// An entry as the log tells it now.
#[derive(Debug, Clone)]
pub struct EntryRow {
    /// The place of its `EntrySeen`.
    pub id: i64,
    pub source: SourceId,
    pub key: EntryKey,
    pub arrival: Arrival,
    pub first_seen_at: Timestamp,
    pub changed_at: Option<Timestamp>,
    pub left_at: Option<Timestamp>,
    /// The first telling, where a newer one differs from it.
    pub first: Option<(EntryKey, Entry)>,
    /// The newest telling.
    pub entry: Entry,
    /// When what was first told as upcoming was first told to be out.
    pub aired_at: Option<Timestamp>,
    /// Keys of addresses that it had before its newest telling.
    pub former: Vec<String>,
}

/// An activity with the entries it was computed from and the addresses it answers to.
#[derive(Debug, Clone)]
pub struct SettledActivity {
    pub activity: Activity,
    pub entries: Vec<i64>,
    /// Keys of its own and its canonical address.
    pub addresses: Vec<String>,
    /// The host that it stands on, where it may be compared with pieces on other hosts; else empty.
    pub host: String,
    /// Ids that its other identity keys would have given.
    pub aliases: Vec<ActivityId>,
}

/// Where and when a piece stands, of whom: what it may be compared with follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub builders: Vec<BuilderId>,
    pub host: String,
    pub at: Timestamp,
}

impl Place {
    /// The place of an activity on a host; `None` where that is empty.
    pub fn of(activity: &Activity, host: &str) -> Option<Self> {
        let builders = activity.credits.iter().map(|credit| credit.builder).collect();
        (!host.is_empty()).then(|| Self { builders, host: host.to_owned(), at: activity.effective_at })
    }
}

/// A work as computed.
pub type SettledWork = Work;

/// All that follows from the facts between two places of the log.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Where the derived rows stood before.
    pub after: Seq,
    /// Where they stand with this.
    pub upto: Seq,
    /// The identity keys of every entry of the components that moved.
    pub keys: Vec<(i64, Vec<String>)>,
    pub activities: Vec<SettledActivity>,
    pub works: Vec<SettledWork>,
    /// Entries that counts were taken of.
    pub counted: BTreeSet<i64>,
}

/// What facts speak of.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// The place of the last of these facts.
    pub upto: Seq,
    pub entries: Vec<EntryRow>,
    /// Entries that counts were taken of; these need not have moved.
    pub counted: BTreeSet<i64>,
}

#[derive(Deserialize)]
struct Payload {
    key: EntryKey,
    entry: Entry,
}

fn load_entries(connection: &Connection, ids: impl IntoIterator<Item = i64>) -> Result<Vec<EntryRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT e.source, e.key, l.detail, e.first_seen_at, e.changed_at, e.left_at, newest.body,
                CASE WHEN e.last <> e.id THEN oldest.body END, dated.body
         FROM entries e
         JOIN log l ON l.seq = e.id
         LEFT JOIN payload newest ON newest.seq = e.last
         LEFT JOIN payload oldest ON oldest.seq = e.id
         LEFT JOIN payload dated ON dated.seq = e.dated
         WHERE e.id = ?1",
    )?;
    let mut formerly = connection.prepare_cached("SELECT key FROM former_addresses WHERE source = ?1 AND entry = ?2 ORDER BY key")?;
    let mut entries = Vec::new();
    for id in ids {
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else { continue };
        // An erased payload leaves nothing to compute from.
        let Some(body) = row.get_ref(6)?.as_str_or_null().map_err(|error| StoreError::Broken(error.to_string()))? else { continue };
        let payload: Payload = serde_json::from_str(body)?;
        let mut first = match row.get_ref(7)?.as_str_or_null().map_err(|error| StoreError::Broken(error.to_string()))? {
            Some(body) => {
                let first = serde_json::from_str::<Payload>(body)?;
                Some((first.key, first.entry))
            }
            None => None,
        };
        // A better reader found other dates in the document that told it first.
        if let Some(body) = row.get_ref(8)?.as_str_or_null().map_err(|error| StoreError::Broken(error.to_string()))? {
            let dated = serde_json::from_str::<Payload>(body)?.entry;
            let (_, first) = first.get_or_insert_with(|| (payload.key.clone(), payload.entry.clone()));
            (first.published, first.updated, first.upcoming) = (dated.published, dated.updated, dated.upcoming);
            first.zone_assumed = dated.zone_assumed;
        }
        let aired_at = match &first {
            Some((_, first)) if first.upcoming => aired_at(connection, id)?,
            _ => None,
        };
        let arrival = match row.get_ref(2)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))? {
            "" => Arrival::default(),
            detail => serde_json::from_str(detail)?,
        };
        let source: i64 = row.get(0)?;
        let former = match &first {
            Some(_) => formerly.query_map([source, id], |row| row.get(0))?.collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        entries.push(EntryRow {
            id,
            source: SourceId(source),
            key: payload.key,
            arrival,
            first_seen_at: from_millis(row.get(3)?)?,
            changed_at: row.get::<_, Option<i64>>(4)?.map(from_millis).transpose()?,
            left_at: row.get::<_, Option<i64>>(5)?.map(from_millis).transpose()?,
            first,
            entry: payload.entry,
            aired_at,
            former,
        });
    }
    Ok(entries)
}

/// When an entry that was announced was first told to be out.
fn aired_at(connection: &Connection, id: i64) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, body FROM log JOIN payload USING (seq) WHERE kind = 'EntryChanged' AND subject = ?1 AND detail = ''
         ORDER BY log.seq",
    )?;
    let mut rows = statement.query([format!("e{id}")])?;
    while let Some(row) = rows.next()? {
        let body: String = row.get(1)?;
        if !serde_json::from_str::<Payload>(&body)?.entry.upcoming {
            return from_millis(row.get(0)?).map(Some);
        }
    }
    Ok(None)
}

/// The entries that facts speak of: those of a source or builder as a whole where the roster moved. Ends before the fact
/// that would make them more than the limit, unless that fact is the first.
fn moved(connection: &Connection, after: Seq, limit: u32) -> Result<(Seq, BTreeSet<i64>, BTreeSet<i64>), StoreError> {
    let mut entries = BTreeSet::new();
    let mut counted = BTreeSet::new();
    let mut upto = after;
    let mut people = BTreeSet::new();
    // What is seen later than the roster moved has a fact of its own to speak of it.
    let mut of_source = connection.prepare_cached("SELECT id FROM entries WHERE source = ?1 AND id < ?2")?;
    let mut of_builder =
        connection.prepare_cached("SELECT id FROM entries WHERE source IN (SELECT source FROM owners WHERE builder = ?1) AND id < ?2")?;
    let mut of_activity = connection.prepare_cached(
        "SELECT entry FROM sightings WHERE activity = ?1
         OR activity IN (SELECT activity FROM aliases WHERE alias = ?1)",
    )?;
    let mut statement = connection.prepare_cached("SELECT seq, kind, subject FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = statement.query(params![after.0, limit])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let mut spoken_of = Vec::new();
        let kind = row.get_ref(1)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
        let subject = row.get_ref(2)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
        let number = || subject.get(1..).and_then(|digits| digits.parse::<i64>().ok());
        match kind {
            "EntrySeen" => spoken_of.push(seq),
            "EntryChanged" | "EntryLeft" => spoken_of.extend(number()),
            "Sampled" => counted.extend(number()),
            "RosterChanged" => {
                if subject.starts_with('b') {
                    people.insert(subject.to_owned());
                }
                let statement = if subject.starts_with('b') { &mut of_builder } else { &mut of_source };
                if let Some(id) = number() {
                    for entry in statement.query_map([id, seq], |row| row.get::<_, i64>(0))? {
                        spoken_of.push(entry?);
                    }
                }
            }
            "Decision" => {
                let body: Option<String> =
                    connection.prepare_cached("SELECT body FROM payload WHERE seq = ?1")?.query_row([seq], |row| row.get(0)).optional()?;
                let decision = body.and_then(|body| serde_json::from_str::<crate::model::Decision>(&body).ok());
                if let Some(pair) = decision.as_ref().and_then(|decision| decision.what.pair()) {
                    for id in pair {
                        for entry in of_activity.query_map([id.as_str()], |row| row.get::<_, i64>(0))? {
                            spoken_of.push(entry?);
                        }
                    }
                }
            }
            _ => {}
        }
        if entries.len() + spoken_of.len() > limit as usize && !entries.is_empty() {
            break;
        }
        entries.extend(spoken_of);
        upto = Seq(seq);
    }
    if !people.is_empty() {
        let mut of_byline =
            connection.prepare_cached("SELECT id FROM entries WHERE source IN (SELECT source FROM bylines WHERE name = ?1) AND id < ?2")?;
        for name in names_ever(connection, &people)? {
            for entry in of_byline.query_map(params![name, upto.0], |row| row.get::<_, i64>(0))? {
                entries.insert(entry?);
            }
        }
    }
    Ok((upto, entries, counted))
}

/// Every name by which entries may have called these builders, those that they gave up included.
fn names_ever(connection: &Connection, builders: &BTreeSet<String>) -> Result<BTreeSet<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT subject, body FROM log JOIN payload USING (seq) WHERE kind = 'RosterChanged'
           AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled')",
    )?;
    let mut rows = statement.query([])?;
    let mut names = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let subject = row.get_ref(0)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
        if builders.contains(subject) {
            let body = row.get_ref(1)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
            names.extend(serde_json::from_str(body).iter().flat_map(names_of_builder));
        }
    }
    Ok(names)
}

/// The other entries that share an identity key with these, directly or over others.
fn entries_beside(connection: &Connection, entries: &HashSet<i64>, keys: HashSet<String>) -> Result<Vec<i64>, StoreError> {
    let mut by_key = connection.prepare_cached("SELECT entry FROM entry_keys WHERE key = ?1")?;
    let mut of_entry = connection.prepare_cached("SELECT key FROM entry_keys WHERE entry = ?1")?;
    let mut seen = keys.clone();
    let mut open: Vec<String> = keys.into_iter().collect();
    // What the entries were known by before they moved counts too: those that they leave must be computed again.
    for entry in entries {
        for key in of_entry.query_map([entry], |row| row.get::<_, String>(0))? {
            let key = key?;
            if seen.insert(key.clone()) {
                open.push(key);
            }
        }
    }
    let mut found = HashSet::new();
    while let Some(key) = open.pop() {
        let others = by_key.query_map([&key], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
        for other in others {
            if entries.contains(&other) || !found.insert(other) {
                continue;
            }
            for key in of_entry.query_map([other], |row| row.get::<_, String>(0))? {
                let key = key?;
                if seen.insert(key.clone()) {
                    open.push(key);
                }
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_unstable();
    Ok(found)
}

/// The activities beyond the known ones that share a key with these, or stood in one work with them, directly or over
/// others.
fn activities_beside(
    connection: &Connection,
    mut open: Vec<ActivityId>,
    mut seen_keys: HashSet<String>,
    known: HashSet<ActivityId>,
) -> Result<Vec<Activity>, StoreError> {
    let mut by_key = connection.prepare_cached("SELECT activity FROM activity_keys WHERE key = ?1")?;
    let mut keys_of = connection.prepare_cached("SELECT key FROM activity_keys WHERE activity = ?1")?;
    let mut companions =
        connection.prepare_cached("SELECT activity FROM work_members WHERE work = (SELECT work FROM work_members WHERE activity = ?1)")?;
    let mut open_keys: Vec<String> = seen_keys.iter().cloned().collect();
    open_keys.sort_unstable();
    let mut seen = known;
    let mut found = Vec::new();
    loop {
        let mut others = Vec::new();
        if let Some(activity) = open.pop() {
            for key in keys_of.query_map([activity.as_str()], |row| row.get::<_, String>(0))? {
                let key = key?;
                if seen_keys.insert(key.clone()) {
                    open_keys.push(key);
                }
            }
            for other in companions.query_map([activity.as_str()], |row| row.get::<_, String>(0))? {
                others.push(ActivityId(other?));
            }
        } else if let Some(key) = open_keys.pop() {
            for other in by_key.query_map([&key], |row| row.get::<_, String>(0))? {
                others.push(ActivityId(other?));
            }
        } else {
            break;
        }
        for other in others {
            if seen.insert(other.clone()) {
                found.extend(works::read_activity(connection, other.as_str())?);
                open.push(other);
            }
        }
    }
    Ok(found)
}

/// The activities beyond the known ones that stand on another host than one of these places, of one of its builders and
/// at most `apart` from it; ordered by id.
fn activities_near(
    connection: &Connection,
    places: &[Place],
    apart: SignedDuration,
    known: &HashSet<ActivityId>,
) -> Result<Vec<Activity>, StoreError> {
    let apart = i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
    let mut of_builder: BTreeMap<BuilderId, Vec<(i64, &str)>> = BTreeMap::new();
    for place in places {
        for builder in &place.builders {
            of_builder.entry(*builder).or_default().push((to_millis(place.at), &place.host));
        }
    }
    let mut standing = connection.prepare_cached(
        "SELECT effective_at, host, activity FROM credits
         WHERE builder = ?1 AND effective_at BETWEEN ?2 AND ?3 AND host <> ''",
    )?;
    let mut near = BTreeSet::new();
    for (builder, mut places) in of_builder {
        places.sort_unstable();
        let (Some((first, host)), Some((last, _))) = (places.first(), places.last()) else { continue };
        let one_host = places.iter().all(|(_, other)| other == host).then_some(*host);
        let mut rows = standing.query(params![builder.0, first.saturating_sub(apart), last.saturating_add(apart)])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            let host = row.get_ref(1)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
            if one_host == Some(host) {
                continue;
            }
            let from = places.partition_point(|(other, _)| *other < at.saturating_sub(apart));
            if places[from..].iter().take_while(|(other, _)| *other <= at.saturating_add(apart)).any(|(_, other)| *other != host) {
                let id = ActivityId(row.get(2)?);
                if !known.contains(&id) {
                    near.insert(id);
                }
            }
        }
    }
    let mut activities = Vec::with_capacity(near.len());
    for id in near {
        activities.extend(works::read_activity(connection, id.as_str())?);
    }
    Ok(activities)
}

fn put(connection: &Connection, settled: &Settled) -> Result<bool, StoreError> {
    let stands: i64 = settled_seq(connection)?.0;
    if stands != settled.after.0 {
        return Ok(false);
    }
    // Out with what the entries gave before.
    {
        let mut activity_of = connection.prepare_cached("SELECT activity FROM sightings WHERE entry = ?1")?;
        let mut drop_keys = connection.prepare_cached("DELETE FROM entry_keys WHERE entry = ?1")?;
        let mut add_key = connection.prepare_cached("INSERT OR IGNORE INTO entry_keys (key, entry) VALUES (?1, ?2)")?;
        let mut former = BTreeSet::new();
        let mut added: Vec<(&str, i64)> = Vec::new();
        for (entry, keys) in &settled.keys {
            // What was never settled has left nothing behind.
            if let Some(activity) = activity_of.query_row([entry], |row| row.get::<_, String>(0)).optional()? {
                former.insert(activity);
                drop_keys.execute([entry])?;
            }
            added.extend(keys.iter().map(|key| (key.as_str(), *entry)));
        }
        // In the order of the table, so that each of its pages is touched once.
        added.sort_unstable();
        for (key, entry) in added {
            add_key.execute(params![key, entry])?;
        }
        for activity in &former {
            for statement in [
                "DELETE FROM activities WHERE id = ?1",
                "DELETE FROM credits WHERE activity = ?1",
                "DELETE FROM sightings WHERE activity = ?1",
                "DELETE FROM activity_keys WHERE activity = ?1",
                "DELETE FROM aliases WHERE activity = ?1",
                "DELETE FROM responses WHERE work = (SELECT work FROM work_members WHERE activity = ?1)",
                "DELETE FROM works WHERE id = (SELECT work FROM work_members WHERE activity = ?1)",
                "DELETE FROM work_members WHERE activity = ?1",
            ] {
                connection.prepare_cached(statement)?.execute([activity])?;
            }
        }
    }
    let mut activities: Vec<&SettledActivity> = settled.activities.iter().collect();
    activities.sort_unstable_by(|one, other| one.activity.id.cmp(&other.activity.id));
    for settled in &activities {
        put_activity(connection, settled)?;
    }
    put_addresses(connection, &activities)?;
    let mut work_of = connection.prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?;
    let mut drop_work = connection.prepare_cached("DELETE FROM works WHERE id = ?1")?;
    let mut drop_responses = connection.prepare_cached("DELETE FROM responses WHERE work = ?1")?;
    let mut drop_member = connection.prepare_cached("DELETE FROM work_members WHERE activity = ?1")?;
    for work in &settled.works {
        for member in &work.members {
            let activity = member.activity.as_str();
            if let Some(former) = work_of.query_row([activity], |row| row.get::<_, String>(0)).optional()? {
                drop_responses.execute([&former])?;
                drop_work.execute([former])?;
                drop_member.execute([activity])?;
            }
        }
    }
    let mut add_work =
        connection.prepare_cached("INSERT OR REPLACE INTO works (id, primary_id, members, topic) VALUES (?1, ?2, ?3, ?4)")?;
    let mut add_member =
        connection.prepare_cached("INSERT OR REPLACE INTO work_members (activity, work, rule, joined_to) VALUES (?1, ?2, ?3, ?4)")?;
    for work in &settled.works {
        add_work.execute(params![
            work.id.as_str(),
            work.primary.as_str(),
            u32::try_from(work.members.len()).unwrap_or(u32::MAX),
            serde_json::to_string(&work.topic)?
        ])?;
        for member in &work.members {
            add_member.execute(params![
                member.activity.as_str(),
                work.id.as_str(),
                member.rule.as_str(),
                member.joined_to.as_ref().map(ActivityId::as_str)
            ])?;
        }
    }
    let kinds = works::source_kinds(connection)?;
    let mut counted: BTreeSet<String> = settled.works.iter().map(|work| work.id.0.clone()).collect();
    let mut shown_by = connection.prepare_cached("SELECT work FROM sightings JOIN work_members USING (activity) WHERE entry = ?1")?;
    for entry in &settled.counted {
        counted.extend(shown_by.query_row([entry], |row| row.get::<_, String>(0)).optional()?);
    }
    for work in &counted {
        works::put_responses(connection, &kinds, work)?;
    }
    log::set_meta(connection, "settled_seq", &settled.upto.0.to_string())?;
    Ok(true)
}

fn put_activity(connection: &Connection, settled: &SettledActivity) -> Result<(), StoreError> {
    let SettledActivity { activity, entries, aliases, host, .. } = settled;
    let id = activity.id.as_str();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO activities (id, kind, title, url, published_at, effective_at, first_seen_at, backfill, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            id,
            activity.kind.as_str(),
            activity.title,
            activity.url,
            activity.published_at.map(to_millis),
            to_millis(activity.effective_at),
            to_millis(activity.first_seen_at),
            activity.backfill,
            serde_json::to_string(activity)?
        ])?;
    let mut sighting = connection.prepare_cached("INSERT OR REPLACE INTO sightings (entry, activity) VALUES (?1, ?2)")?;
    for entry in entries {
        sighting.execute(params![entry, id])?;
    }
    let mut credit = connection.prepare_cached(
        "INSERT OR REPLACE INTO credits (activity, builder, role, basis, effective_at, host, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for one in &activity.credits {
        credit.execute(params![
            id,
            one.builder.0,
            one.role.as_str(),
            one.basis.as_str(),
            to_millis(activity.effective_at),
            host,
            activity.kind.as_str()
        ])?;
    }
    let mut alias = connection.prepare_cached("INSERT OR REPLACE INTO aliases (alias, activity) VALUES (?1, ?2)")?;
    for other in aliases {
        alias.execute(params![other.as_str(), id])?;
    }
    Ok(())
}

/// Spread over the whole table: written in its order.
fn put_addresses(connection: &Connection, activities: &[&SettledActivity]) -> Result<(), StoreError> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for SettledActivity { activity, addresses, .. } in activities {
        pairs.extend(addresses.iter().map(|key| (key.as_str(), activity.id.as_str())));
    }
    pairs.sort_unstable();
    let mut address = connection.prepare_cached("INSERT OR IGNORE INTO activity_keys (key, activity) VALUES (?1, ?2)")?;
    for (key, id) in pairs {
        address.execute(params![key, id])?;
    }
    Ok(())
}

pub(super) fn settled_seq(connection: &Connection) -> Result<Seq, StoreError> {
    let text = log::meta(connection, "settled_seq")?.unwrap_or_default();
    Ok(Seq(text.parse().unwrap_or(0)))
}

pub(super) fn drop_derived(connection: &Connection) -> Result<(), StoreError> {
    for (table, _) in DERIVED {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    log::set_meta(connection, "settled_seq", "0")
}

/// Tables that are derived, with the order in which their rows are dumped.
pub(super) const DERIVED: &[(&str, &str)] = &[
    ("entry_keys", "key, entry"),
    ("activities", "id"),
    ("sightings", "entry"),
    ("credits", "activity, builder"),
    ("activity_keys", "key, activity"),
    ("aliases", "alias"),
    ("works", "id"),
    ("work_members", "activity"),
    ("responses", "builder, platform, kind, at, work"),
];

impl Store {
    /// How far the derived rows follow the log, and how far the log goes.
    pub async fn settled_and_last(&self) -> Result<(Seq, Seq), StoreError> {
        self.read(|connection| Ok((settled_seq(connection)?, log::last_seq(connection)?))).await
    }

    /// Entries by their ids, as the log tells them now.
    pub async fn entries(&self, ids: Vec<i64>) -> Result<Vec<EntryRow>, StoreError> {
        self.read(move |connection| load_entries(connection, ids)).await
    }

    /// Up to `limit` entries that facts after a place speak of.
    pub async fn moved_after(&self, after: Seq, limit: u32) -> Result<Moved, StoreError> {
        self.read(move |connection| {
            let (upto, ids, counted) = moved(connection, after, limit)?;
            Ok(Moved { upto, entries: load_entries(connection, ids)?, counted })
        })
        .await
    }

    /// The other entries that share an identity key with these, now or before they moved, directly or over others.
    pub async fn entries_beside(&self, entries: HashSet<i64>, keys: HashSet<String>) -> Result<Vec<EntryRow>, StoreError> {
        self.read(move |connection| {
            let ids = entries_beside(connection, &entries, keys)?;
            load_entries(connection, ids)
        })
        .await
    }

    /// The activities that were computed from these entries before, and are about to be replaced.
    pub async fn former_activities(&self, entries: Vec<i64>) -> Result<HashSet<ActivityId>, StoreError> {
        self.read(move |connection| {
            let mut activity_of = connection.prepare_cached("SELECT activity FROM sightings WHERE entry = ?1")?;
            let mut former = HashSet::new();
            for entry in entries {
                former.extend(activity_of.query_row([entry], |row| row.get::<_, String>(0)).optional()?.map(ActivityId));
            }
            Ok(former)
        })
        .await
    }

    /// The activities beyond the known ones that share a key with these, or stood in one work with them, directly or
    /// over others.
    pub async fn activities_beside(
        &self,
        open: Vec<ActivityId>,
        keys: HashSet<String>,
        known: HashSet<ActivityId>,
    ) -> Result<Vec<Activity>, StoreError> {
        self.read(move |connection| activities_beside(connection, open, keys, known)).await
    }

    /// The activities beyond the known ones that stand on another host than one of these places, of one of its builders
    /// and at most `apart` from it; ordered by id.
    pub async fn activities_near(
        &self,
        places: Vec<Place>,
        apart: SignedDuration,
        known: HashSet<ActivityId>,
    ) -> Result<Vec<Activity>, StoreError> {
        self.read(move |connection| activities_near(connection, &places, apart, &known)).await
    }

    /// Swaps the derived rows. `false`: somebody else settled meanwhile, and nothing was changed.
    pub async fn put_settled(&self, settled: Settled) -> Result<bool, StoreError> {
        self.write_much(move |connection| put(connection, &settled)).await
    }

    /// Every merge and split that a person decided, in order.
    pub async fn work_decisions(&self) -> Result<Vec<DecisionKind>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT body FROM log JOIN payload USING (seq) WHERE kind = 'Decision'
                   AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled') ORDER BY log.seq",
            )?;
            let bodies = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok(bodies
                .iter()
                .filter_map(|body| serde_json::from_str::<crate::model::Decision>(body).ok())
                .map(|decision| decision.what)
                .filter(|what| what.pair().is_some())
                .collect())
        })
        .await
    }

    /// Which activity an id stands for now: ids that other keys of the same activity would have given lead to it.
    pub async fn resolve_activities(&self, ids: Vec<ActivityId>) -> Result<HashMap<ActivityId, ActivityId>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT activity FROM aliases WHERE alias = ?1")?;
            let mut resolved = HashMap::new();
            for id in ids {
                let now = statement.query_row([id.as_str()], |row| row.get::<_, String>(0)).optional()?;
                let now = now.map_or_else(|| id.clone(), ActivityId);
                resolved.insert(id, now);
            }
            Ok(resolved)
        })
        .await
    }

    /// Drops all that is derived, so that it is computed again from the first fact on.
    pub async fn drop_derived(&self) -> Result<(), StoreError> {
        self.write_much(drop_derived).await
    }

    /// SHA-256, hex, of an ordered dump of all derived tables: equal exactly when they are.
    pub async fn derived_hash(&self) -> Result<String, StoreError> {
        self.read(|connection| {
            let mut hasher = Sha256::new();
            for (table, order) in DERIVED {
                hasher.update(table.as_bytes());
                let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for column in 0..columns {
                        match row.get_ref(column)? {
                            rusqlite::types::ValueRef::Null => hasher.update([0]),
                            rusqlite::types::ValueRef::Integer(number) => {
                                hasher.update([1]);
                                hasher.update(number.to_le_bytes());
                            }
                            rusqlite::types::ValueRef::Text(text) => {
                                hasher.update([2]);
                                hasher.update((text.len() as u64).to_le_bytes());
                                hasher.update(text);
                            }
                            rusqlite::types::ValueRef::Real(_) | rusqlite::types::ValueRef::Blob(_) => hasher.update([3]),
                        }
                    }
                }
            }
            Ok(crate::model::hex(&hasher.finalize()))
        })
        .await
    }
}
