//! Works with all that a choice among them asks about.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, to_millis};
use crate::model::{Activity, ActivityId, BuilderId, Counts, GridAge, MergeRule, SourceId, SourceKind, Topic, Work, WorkMember};

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
    /// The address that the work is shown with: the canonical one, unless it is gone and a copy is not.
    pub link: Option<String>,
    /// Whether that address is gone.
    pub gone: bool,
}

fn read_work(connection: &Connection, id: &str) -> Result<Option<Work>, StoreError> {
    let head: Option<(String, String)> = connection
        .prepare_cached("SELECT primary_id, topic FROM works WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((primary, topic)) = head else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT activity, rule, joined_to FROM work_members WHERE work = ?1 ORDER BY activity")?;
    let mut rows = statement.query([id])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        let rule: String = row.get(1)?;
        members.push(WorkMember {
            activity: ActivityId(row.get(0)?),
            rule: MergeRule::parse(&rule).ok_or_else(|| StoreError::Broken(format!("unknown merge rule `{rule}`")))?,
            joined_to: row.get::<_, Option<String>>(2)?.map(ActivityId),
        });
    }
    let topic: Topic = serde_json::from_str(&topic)?;
    Ok(Some(Work { id: ActivityId(id.to_owned()), primary: ActivityId(primary), members, topic }))
}

pub(super) fn read_activity(connection: &Connection, id: &str) -> Result<Option<Activity>, StoreError> {
    let body: Option<String> =
        connection.prepare_cached("SELECT body FROM activities WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()?;
    body.map(|body| serde_json::from_str(&body).map_err(StoreError::from)).transpose()
}

/// The kinds of all sources, by id.
fn source_kinds(connection: &Connection) -> Result<HashMap<SourceId, SourceKind>, StoreError> {
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

fn work_row(connection: &Connection, kinds: &HashMap<SourceId, SourceKind>, id: &str) -> Result<Option<WorkRow>, StoreError> {
    let Some(work) = read_work(connection, id)? else { return Ok(None) };
    let mut activities = Vec::with_capacity(work.members.len());
    let mut samples = BTreeMap::new();
    let mut platforms = BTreeMap::new();
    for member in &work.members {
        let Some(activity) = read_activity(connection, member.activity.as_str())? else { continue };
        let found = samples_of(connection, activity.id.as_str())?;
        if !found.is_empty() {
            samples.insert(activity.id.clone(), found);
        }
        let mut shown: Vec<SourceKind> = activity.sightings.iter().filter_map(|sighting| kinds.get(&sighting.source).copied()).collect();
        shown.sort_unstable();
        shown.dedup();
        platforms.insert(activity.id.clone(), shown);
        activities.push(activity);
    }
    let primary = activities.iter().find(|activity| activity.id == work.primary);
    let (mut link, mut gone) = (None, false);
    for url in primary.into_iter().flat_map(|activity| [activity.link(), activity.url.as_deref()]).flatten() {
        let is_gone = is_gone(connection, url)?;
        if link.is_none() || !is_gone {
            (link, gone) = (Some(url.to_owned()), is_gone);
        }
        if !is_gone {
            break;
        }
    }
    Ok(Some(WorkRow { work, activities, samples, platforms, link, gone }))
}

impl Store {
    /// The works of which an activity falls between two instants, or was first seen between them; ordered by id.
    pub async fn works_between(&self, from: Timestamp, to: Timestamp) -> Result<Vec<WorkRow>, StoreError> {
        self.read(move |connection| {
            let kinds = source_kinds(connection)?;
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT work FROM activities JOIN work_members ON activity = activities.id
                 WHERE effective_at >= ?1 AND effective_at < ?2 ORDER BY work",
            )?;
            let ids = statement
                .query_map(params![to_millis(from), to_millis(to)], |row| row.get::<_, String>(0))?
                .collect::<Result<Vec<_>, _>>()?;
            let mut works = Vec::with_capacity(ids.len());
            for id in ids {
                works.extend(work_row(connection, &kinds, &id)?);
            }
            Ok(works)
        })
        .await
    }

    /// The last works of builders before an instant that have counts, latest first, at most `limit` a builder.
    pub async fn earlier_works(
        &self,
        builders: Vec<BuilderId>,
        before: Timestamp,
        limit: u32,
    ) -> Result<HashMap<BuilderId, Vec<WorkRow>>, StoreError> {
        self.read(move |connection| {
            let kinds = source_kinds(connection)?;
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT work FROM credits JOIN work_members USING (activity)
                 WHERE builder = ?1 AND effective_at < ?2
                   AND EXISTS (SELECT 1 FROM sightings JOIN samples USING (entry) WHERE sightings.activity = credits.activity)
                 ORDER BY effective_at DESC, work LIMIT ?3",
            )?;
            let mut earlier = HashMap::new();
            for builder in builders {
                let ids = statement
                    .query_map(params![builder.0, to_millis(before), limit], |row| row.get::<_, String>(0))?
                    .collect::<Result<Vec<_>, _>>()?;
                let mut works = Vec::new();
                for id in ids {
                    works.extend(work_row(connection, &kinds, &id)?);
                }
                if !works.is_empty() {
                    earlier.insert(builder, works);
                }
            }
            Ok(earlier)
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
