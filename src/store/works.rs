//! Works with all that a choice among them asks about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, to_millis};
use crate::model::{
    Activity, ActivityId, ActivityKind, BuilderId, Counts, EarlierWork, GridAge, MergeRule, SourceId, SourceKind, Topic, Work, WorkMember,
};

/// A work with its activities and the counts that are known of them.
#[derive(Debug, Clone)]
pub struct WorkRow {
    pub work: Work,
    /// In the order of the work's members.
    pub activities: Vec<Activity>,
    /// Counts of each activity at each age of the grid.
    pub samples: BTreeMap<ActivityId, BTreeMap<GridAge, Counts>>,
    /// The kinds of the sources that show each activity.
    pub platforms: BTreeMap<ActivityId, Vec<SourceKind>>,
    /// What each address of the work last answered, `None` where there was no answer.
    pub gone: bool,
}

pub(super) fn read_activity(connection: &Connection, id: &str) -> Result<Option<Activity>, StoreError> {
    let body: Option<String> =
        connection.prepare_cached("SELECT body FROM activities WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()?;
    body.map(|body| serde_json::from_str(&body).map_err(StoreError::from)).transpose()
}

/// The kinds of all sources, by id.
pub(super) fn source_kinds(connection: &Connection) -> Result<HashMap<SourceId, SourceKind>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, kind FROM sources")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    rows.into_iter().map(|(id, kind)| Ok((SourceId(id), kind.parse().map_err(StoreError::Broken)?))).collect()
}

fn samples_of(connection: &Connection, activity: &str) -> Result<BTreeMap<GridAge, Counts>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT age, counts FROM samples WHERE entry IN (SELECT entry FROM sightings WHERE activity = ?1) ORDER BY age, entry",
    )?;
    let mut rows = statement.query([activity])?;
    let mut samples = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let hours: i64 = row.get(0)?;
        let body: String = row.get(1)?;
        if let Some(age) = GridAge::ALL.into_iter().find(|age| age.hours() == hours) {
            samples.entry(age).or_insert(serde_json::from_str(&body)?);
        }
    }
    Ok(samples)
}

/// Whether the last two checks of an address, at least an hour apart, both said that it is gone.
fn is_gone(connection: &Connection, url: &str) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("SELECT at, status FROM link_checks WHERE url = ?1 ORDER BY at DESC LIMIT 2")?;
    let checks =
        statement.query_map([url], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<u16>>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    Ok(match checks.as_slice() {
        [(later, one), (earlier, other)] => {
            matches!(one, Some(404 | 410)) && matches!(other, Some(404 | 410)) && later - earlier >= 3_600_000
        }
        _ => false,
    })
}

pub(super) fn work_row(connection: &Connection, kinds: &HashMap<SourceId, SourceKind>, id: &str) -> Result<Option<WorkRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT primary_id, topic, activity, rule, joined_to, body
         FROM works JOIN work_members ON work = works.id LEFT JOIN activities ON activities.id = activity
         WHERE works.id = ?1 ORDER BY activity",
    )?;
    let mut rows = statement.query([id])?;
    let mut head: Option<(String, Topic)> = None;
    let (mut members, mut activities): (Vec<WorkMember>, Vec<Activity>) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        if head.is_none() {
            head = Some((row.get(0)?, serde_json::from_str(text(row.get_ref(1)?)?)?));
        }
        let rule = text(row.get_ref(3)?)?;
        members.push(WorkMember {
            activity: ActivityId(row.get(2)?),
            rule: MergeRule::parse(rule).ok_or_else(|| StoreError::Broken(format!("unknown merge rule `{rule}`")))?,
            joined_to: row.get::<_, Option<String>>(4)?.map(ActivityId),
        });
        if let Some(body) = row.get_ref(5)?.as_str_or_null().map_err(|error| StoreError::Broken(error.to_string()))? {
            activities.push(serde_json::from_str(body)?);
        }
    }
    let Some((primary, topic)) = head else { return Ok(None) };
    let work = Work { id: ActivityId(id.to_owned()), primary: ActivityId(primary), members, topic };
    let mut samples = BTreeMap::new();
    let mut platforms = BTreeMap::new();
    for activity in &activities {
        let found = samples_of(connection, activity.id.as_str())?;
        if !found.is_empty() {
            samples.insert(activity.id.clone(), found);
        }
        let mut shown: Vec<SourceKind> = activity.sightings.iter().filter_map(|sighting| kinds.get(&sighting.source).copied()).collect();
        shown.sort_unstable();
        shown.dedup();
        platforms.insert(activity.id.clone(), shown);
    }
    let primary_url = activities.iter().find(|activity| activity.id == work.primary).and_then(|activity| activity.url.as_deref());
    let gone = match primary_url {
        Some(url) => is_gone(connection, url)?,
        None => false,
    };
    Ok(Some(WorkRow { work, activities, samples, platforms, gone }))
}

fn text(value: rusqlite::types::ValueRef<'_>) -> Result<&str, StoreError> {
    value.as_str().map_err(|error| StoreError::Broken(error.to_string()))
}

impl WorkRow {
    /// The activity that speaks for the work.
    pub fn primary(&self) -> Option<&Activity> {
        let primary = self.activities.iter().find(|activity| activity.id == self.work.primary);
        // What was taken back speaks for a work only where nothing else does.
        match primary {
            Some(primary) if primary.is_withdrawn() => self.activities.iter().find(|activity| !activity.is_withdrawn()).or(Some(primary)),
            _ => primary,
        }
    }

    /// Everybody who is credited with a part of it.
    pub fn builders(&self) -> BTreeSet<BuilderId> {
        self.activities.iter().flat_map(|activity| &activity.credits).map(|credit| credit.builder).collect()
    }

    /// The activity whose counts speak for the work, with the platform that counted, and the response at each age of the grid.
    pub fn counted(&self) -> Option<(&Activity, SourceKind, [Option<u64>; 4])> {
        let others = self.activities.iter().filter(|activity| activity.id != self.work.primary);
        for activity in self.primary().into_iter().chain(others) {
            if let Some(samples) = self.samples.get(&activity.id) {
                let mut counts = [None; 4];
                for (age, sample) in samples {
                    counts[age.index()] = sample.response();
                }
                let platform = self.platforms.get(&activity.id).and_then(|kinds| kinds.first().copied()).unwrap_or(SourceKind::Rss);
                return Some((activity, platform, counts));
            }
        }
        None
    }
}

/// Writes down how a work was received, where anybody counted: what later works of its builders are compared with.
pub(super) fn put_responses(connection: &Connection, kinds: &HashMap<SourceId, SourceKind>, work: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM responses WHERE work = ?1")?.execute([work])?;
    let is_counted: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM work_members JOIN sightings USING (activity) JOIN samples USING (entry) WHERE work = ?1)",
        )?
        .query_row([work], |row| row.get(0))?;
    if !is_counted {
        return Ok(());
    }
    let Some(row) = work_row(connection, kinds, work)? else { return Ok(()) };
    let Some((activity, platform, counts)) = row.counted() else { return Ok(()) };
    let substance = serde_json::to_string(&activity.substance)?;
    let [h24, h48, h72, h168] = counts.map(|count| count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)));
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO responses (builder, platform, kind, at, work, confidence, substance, h24, h48, h72, h168)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for builder in row.builders() {
        statement.execute(params![
            builder.0,
            platform.as_str(),
            activity.kind.as_str(),
            to_millis(activity.effective_at),
            work,
            row.work.topic.confidence,
            substance,
            h24,
            h48,
            h72,
            h168
        ])?;
    }
    Ok(())
}

/// A work whose response is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub builder: BuilderId,
    pub platform: SourceKind,
    pub kind: ActivityKind,
    pub before: Timestamp,
    /// Its own counts at each age of the grid.
    pub counts: [Option<u64>; 4],
}

/// Which works a draft has to look at.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Works of which something came out from the one instant on, and before the other.
    pub window: (Timestamp, Timestamp),
    /// What came out before the window, from that instant on, …
    pub since: Timestamp,
    /// … by these builders, …
    pub by: Vec<BuilderId>,
    /// … or was found after the one instant, and at or before the other, and not in a back catalogue.
    pub found: (Timestamp, Timestamp),
    /// Works by any of their activities, whatever their dates.
    pub named: Vec<ActivityId>,
}

fn wanted(connection: &Connection, wanted: &Wanted) -> Result<BTreeSet<String>, StoreError> {
    let (from, to) = (to_millis(wanted.window.0), to_millis(wanted.window.1));
    let since = to_millis(wanted.since);
    let mut activities: Vec<String> = Vec::new();
    let mut take = |sql: &str, bound: &[i64]| -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(bound))?;
        while let Some(row) = rows.next()? {
            activities.push(row.get(0)?);
        }
        Ok(())
    };
    take("SELECT id FROM activities WHERE effective_at >= ?1 AND effective_at < ?2", &[from, to])?;
    for builder in &wanted.by {
        take("SELECT activity FROM credits WHERE builder = ?1 AND effective_at >= ?2 AND effective_at < ?3", &[builder.0, since, from])?;
    }
    // A work is of a back catalogue where all its activities are.
    take(
        "SELECT id FROM activities WHERE first_seen_at > ?1 AND first_seen_at <= ?2 AND effective_at >= ?3 AND effective_at < ?4
           AND (NOT backfill OR EXISTS (SELECT 1 FROM work_members own JOIN work_members beside USING (work)
                  JOIN activities others ON others.id = beside.activity WHERE own.activity = activities.id AND NOT others.backfill))",
        &[to_millis(wanted.found.0), to_millis(wanted.found.1), since, from],
    )?;
    activities.extend(wanted.named.iter().map(|activity| activity.0.clone()));
    let mut work_of = connection.prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?;
    let mut works = BTreeSet::new();
    for activity in activities {
        works.extend(work_of.query_row([activity], |row| row.get::<_, String>(0)).optional()?);
    }
    Ok(works)
}

impl Store {
    /// The works that a draft has to look at; ordered by id.
    pub async fn works_wanted(&self, which: Wanted) -> Result<Vec<WorkRow>, StoreError> {
        let mut ids: Vec<String> = self.read(move |connection| wanted(connection, &which)).await?.into_iter().collect();
        // Side by side: most of the time goes into reading what is kept as text.
        let rest = ids.split_off(ids.len() / 2);
        let (mut works, more) = tokio::try_join!(self.work_rows(ids), self.work_rows(rest))?;
        works.extend(more);
        Ok(works)
    }

    async fn work_rows(&self, ids: Vec<String>) -> Result<Vec<WorkRow>, StoreError> {
        self.read(move |connection| {
            let kinds = source_kinds(connection)?;
            let mut works = Vec::with_capacity(ids.len());
            for id in ids {
                works.extend(work_row(connection, &kinds, &id)?);
            }
            Ok(works)
        })
        .await
    }

    /// For each of these, the works to compare its response with, latest first: those of the builder before that instant that
    /// were counted on that platform, are of that kind, and fit; at most so many.
    pub async fn earlier_works(
        &self,
        compared: Vec<Compared>,
        most: usize,
        fits: impl Fn(&Compared, &EarlierWork) -> bool + Send + 'static,
    ) -> Result<Vec<Vec<EarlierWork>>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT work, confidence, substance, h24, h48, h72, h168 FROM responses
                 WHERE builder = ?1 AND platform = ?2 AND kind = ?3 AND at < ?4 ORDER BY at DESC, work",
            )?;
            let count = |row: &rusqlite::Row<'_>, column| Ok::<_, StoreError>(row.get::<_, Option<i64>>(column)?.map(i64::unsigned_abs));
            let mut all = Vec::with_capacity(compared.len());
            for one in compared {
                let mut rows = statement.query(params![one.builder.0, one.platform.as_str(), one.kind.as_str(), to_millis(one.before)])?;
                let mut earlier = Vec::new();
                while let Some(row) = rows.next()? {
                    let other = EarlierWork {
                        work: ActivityId(row.get(0)?),
                        topic_confidence: row.get(1)?,
                        substance: serde_json::from_str(text(row.get_ref(2)?)?)?,
                        kind: one.kind,
                        counts: [count(row, 3)?, count(row, 4)?, count(row, 5)?, count(row, 6)?],
                    };
                    if fits(&one, &other) {
                        earlier.push(other);
                    }
                    if earlier.len() == most {
                        break;
                    }
                }
                all.push(earlier);
            }
            Ok(all)
        })
        .await
    }

    /// The work that an activity belongs to.
    pub async fn work_of(&self, activity: &ActivityId) -> Result<Option<WorkRow>, StoreError> {
        let activity = activity.clone();
        self.read(move |connection| {
            let kinds = source_kinds(connection)?;
            let work: Option<String> = connection
                .prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?
                .query_row([activity.as_str()], |row| row.get(0))
                .optional()?;
            work.map_or(Ok(None), |id| work_row(connection, &kinds, &id))
        })
        .await
    }

    /// The works that these activities belong to, by activity.
    pub async fn works_of(&self, activities: Vec<ActivityId>) -> Result<HashMap<ActivityId, WorkRow>, StoreError> {
        self.read(move |connection| {
            let kinds = source_kinds(connection)?;
            let mut statement = connection.prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?;
            let mut works = HashMap::with_capacity(activities.len());
            for activity in activities {
                let work: Option<String> = statement.query_row([activity.as_str()], |row| row.get(0)).optional()?;
                if let Some(row) = work.map(|id| work_row(connection, &kinds, &id)).transpose()?.flatten() {
                    works.insert(activity, row);
                }
            }
            Ok(works)
        })
        .await
    }

    /// The activities that answer to an address key, ordered by id: those that stand there, that call it canonical or
    /// mention it; where there is none, those that stood there once.
    pub async fn activities_at(&self, key: &str) -> Result<Vec<Activity>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT activity FROM activity_keys WHERE key = ?1 ORDER BY activity")?;
            let mut ids = statement.query_map([&key], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            if ids.is_empty() {
                let mut formerly = connection.prepare_cached(
                    "SELECT DISTINCT activity FROM entry_keys JOIN sightings USING (entry) WHERE key = ?1 ORDER BY activity",
                )?;
                ids = formerly.query_map([&key], |row| row.get(0))?.collect::<Result<_, _>>()?;
            }
            let mut activities = Vec::new();
            for id in ids {
                activities.extend(read_activity(connection, &id)?);
            }
            Ok(activities)
        })
        .await
    }

    /// The sources of which entries stand at a site, a host with its port where it has one; at most so many.
    pub async fn sources_showing(&self, site: &str, most: usize) -> Result<Vec<SourceId>, StoreError> {
        // What follows a host in a key begins with a slash, and `0` is the character after that.
        let (from, to) = (format!("{site}/"), format!("{site}0"));
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT source FROM entry_keys JOIN entries ON id = entry WHERE entry_keys.key >= ?1 AND entry_keys.key < ?2 LIMIT ?3",
            )?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            Ok(statement.query_map(params![from, to, most], |row| row.get(0).map(SourceId))?.collect::<Result<_, _>>()?)
        })
        .await
    }
}
