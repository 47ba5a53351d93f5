//! Works with all that a choice among them asks about.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, to_millis};
use crate::model::{
    Activity, ActivityId, ActivityKind, BuilderId, Counts, EarlierWork, GridAge, MergeRule, SourceId, SourceKind, Topic, Work, WorkMember,
};

/// A work with its activities, and how it was received.
#[derive(Debug, Clone)]
pub struct WorkRow {
    pub work: Work,
    /// In the order of the work's members.
    pub activities: Vec<Activity>,
    /// Where a platform counts.
    pub received: Option<Received>,
    /// The address that the work is shown with: the canonical one, unless it is gone and a copy is not.
    pub link: Option<String>,
    /// What that address last answered says that it is gone.
    pub gone: bool,
}

/// How a work was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Who counted.
    pub platform: SourceKind,
    /// The response at each age of the grid.
    pub counts: [Option<u64>; 4],
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
    let mut statement = connection
        .prepare_cached("SELECT age, counts FROM sightings CROSS JOIN samples USING (entry) WHERE activity = ?1 ORDER BY entry, age")?;
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

fn work_row(connection: &Connection, id: &str) -> Result<Option<WorkRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT activity, rule, joined_to, primary_id, topic, body
         FROM works JOIN work_members ON work = works.id LEFT JOIN activities ON activities.id = activity
         WHERE works.id = ?1 ORDER BY activity",
    )?;
    let mut rows = statement.query([id])?;
    let mut head: Option<(String, Topic)> = None;
    let (mut members, mut activities): (Vec<WorkMember>, Vec<Activity>) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        if head.is_none() {
            head = Some((row.get(3)?, serde_json::from_str(text(row.get_ref(4)?)?)?));
        }
        members.push(member_in(row)?);
        if let Some(body) = row.get_ref(5)?.as_str_or_null().map_err(|error| StoreError::Broken(error.to_string()))? {
            activities.push(serde_json::from_str(body)?);
        }
    }
    let Some((primary, topic)) = head else { return Ok(None) };
    let work = Work { id: ActivityId(id.to_owned()), primary: ActivityId(primary), members, topic };
    with_answers(connection, work, activities).map(Some)
}

/// What the first three columns say.
fn member_in(row: &rusqlite::Row<'_>) -> Result<WorkMember, StoreError> {
    let rule = text(row.get_ref(1)?)?;
    Ok(WorkMember {
        activity: ActivityId(row.get(0)?),
        rule: MergeRule::parse(rule).ok_or_else(|| StoreError::Broken(format!("unknown merge rule `{rule}`")))?,
        joined_to: row.get::<_, Option<String>>(2)?.map(ActivityId),
    })
}

/// The work with how it was received, and whether it is gone.
fn with_answers(connection: &Connection, work: Work, activities: Vec<Activity>) -> Result<WorkRow, StoreError> {
    // The same for all its builders.
    let received = connection
        .prepare_cached("SELECT platform, h24, h48, h72, h168 FROM responses WHERE work = ?1 LIMIT 1")?
        .query_row([work.id.as_str()], |row| Ok((row.get::<_, String>(0)?, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])))
        .optional()?;
    let received = match received {
        Some((platform, counts)) => Some(Received {
            platform: platform.parse().map_err(StoreError::Broken)?,
            counts: counts.map(|count: Option<i64>| count.map(i64::unsigned_abs)),
        }),
        None => None,
    };
    let mut row = WorkRow { work, activities, received, link: None, gone: false };
    let shown = row.primary().map(|primary| [primary.link(), primary.url.as_deref()].map(|url| url.map(str::to_owned)));
    for url in shown.into_iter().flatten().flatten() {
        let is_gone = is_gone(connection, &url)?;
        if row.link.is_none() || !is_gone {
            (row.link, row.gone) = (Some(url), is_gone);
        }
        if !is_gone {
            break;
        }
    }
    Ok(row)
}

/// The works of which something came out from the one instant on, and before the other, that stand alone; and what belongs to
/// others. Most works stand alone, have the id of their one activity, and are read in the order in which they are kept.
fn works_in(connection: &Connection, from: i64, to: i64) -> Result<(Vec<WorkRow>, Vec<String>), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT activities.id, members, topic, body FROM activities LEFT JOIN works ON works.id = activities.id
         WHERE effective_at >= ?1 AND effective_at < ?2",
    )?;
    let mut rows = statement.query([from, to])?;
    let (mut alone, mut joined) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        if row.get::<_, Option<i64>>(1)? != Some(1) {
            joined.push(id);
            continue;
        }
        let id = ActivityId(id);
        let work = Work {
            id: id.clone(),
            primary: id.clone(),
            members: vec![WorkMember { activity: id, rule: MergeRule::Alone, joined_to: None }],
            topic: serde_json::from_str(text(row.get_ref(2)?)?)?,
        };
        alone.push(with_answers(connection, work, vec![serde_json::from_str(text(row.get_ref(3)?)?)?])?);
    }
    Ok((alone, joined))
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
    let Some(row) = work_row(connection, work)? else { return Ok(()) };
    // The counts of the activity that speaks for the work, else of the first one that was counted.
    let others = row.activities.iter().filter(|activity| activity.id != row.work.primary);
    let mut counted = None;
    for activity in row.primary().into_iter().chain(others) {
        let samples = samples_of(connection, activity.id.as_str())?;
        if !samples.is_empty() {
            counted = Some((activity, samples));
            break;
        }
    }
    let Some((activity, samples)) = counted else { return Ok(()) };
    let mut counts = [None; 4];
    for (age, sample) in samples {
        counts[age.index()] = sample.response();
    }
    let platform = activity.sightings.iter().filter_map(|sighting| kinds.get(&sighting.source).copied()).min().unwrap_or(SourceKind::Rss);
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
    /// What came out before the window, by these builders, from that instant on, …
    pub by: Vec<(BuilderId, Timestamp)>,
    /// … or since this one, …
    pub since: Timestamp,
    /// … and was found after the one instant, and at or before the other, and not in a back catalogue.
    pub found: (Timestamp, Timestamp),
    /// Works by any of their activities, whatever their dates.
    pub named: Vec<ActivityId>,
}

impl Wanted {
    /// Nothing at all, before an instant.
    pub fn nothing(at: Timestamp) -> Self {
        Self { window: (at, at), by: Vec::new(), since: at, found: (at, at), named: Vec::new() }
    }
}

/// What is wanted beside the window, by any activity.
fn wanted_beside(connection: &Connection, wanted: &Wanted) -> Result<Vec<String>, StoreError> {
    let from = to_millis(wanted.window.0);
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
    for (builder, since) in &wanted.by {
        take(
            "SELECT activity FROM credits WHERE builder = ?1 AND effective_at >= ?2 AND effective_at < ?3",
            &[builder.0, to_millis(*since), from],
        )?;
    }
    // A work is of a back catalogue where all its activities are.
    take(
        "SELECT id FROM activities WHERE first_seen_at > ?1 AND first_seen_at <= ?2 AND effective_at >= ?3 AND effective_at < ?4
           AND (NOT backfill OR EXISTS (SELECT 1 FROM work_members own JOIN work_members beside USING (work)
                  JOIN activities others ON others.id = beside.activity WHERE own.activity = activities.id AND NOT others.backfill))",
        &[to_millis(wanted.found.0), to_millis(wanted.found.1), since, from],
    )?;
    activities.extend(wanted.named.iter().map(|activity| activity.0.clone()));
    Ok(activities)
}

impl Store {
    /// The works that a draft has to look at; ordered by id.
    pub async fn works_wanted(&self, which: Wanted) -> Result<Vec<WorkRow>, StoreError> {
        let (from, to) = (to_millis(which.window.0), to_millis(which.window.1));
        // Side by side, in two halves: there are many.
        let middle = from.midpoint(to);
        let window = |from: i64, to: i64| self.read(move |connection| works_in(connection, from, to));
        let beside = self.read(move |connection| wanted_beside(connection, &which));
        let ((mut works, mut activities), (more, more_joined), beside) =
            tokio::try_join!(window(from, middle), window(middle, to), beside)?;
        works.extend(more);
        activities.extend(more_joined);
        activities.extend(beside);
        let known: HashSet<ActivityId> = works.iter().map(|row| row.work.id.clone()).collect();
        works.extend(self.work_rows(activities, known).await?);
        works.sort_unstable_by(|one, other| one.work.id.cmp(&other.work.id));
        Ok(works)
    }

    /// The works of these activities, but for those that are known.
    async fn work_rows(&self, activities: Vec<String>, known: HashSet<ActivityId>) -> Result<Vec<WorkRow>, StoreError> {
        self.read(move |connection| {
            let mut work_of = connection.prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?;
            let mut ids: BTreeSet<String> = BTreeSet::new();
            for activity in activities {
                ids.extend(work_of.query_row([activity], |row| row.get::<_, String>(0)).optional()?);
            }
            let mut works = Vec::with_capacity(ids.len());
            for id in ids.into_iter().map(ActivityId).filter(|id| !known.contains(id)) {
                works.extend(work_row(connection, id.as_str())?);
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

    /// Counts of an activity at each age of the grid.
    pub async fn samples_of(&self, activity: &ActivityId) -> Result<BTreeMap<GridAge, Counts>, StoreError> {
        let activity = activity.clone();
        self.read(move |connection| samples_of(connection, activity.as_str())).await
    }

    /// The work that an activity belongs to.
    pub async fn work_of(&self, activity: &ActivityId) -> Result<Option<WorkRow>, StoreError> {
        let activity = activity.clone();
        self.read(move |connection| {
            let work: Option<String> = connection
                .prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?
                .query_row([activity.as_str()], |row| row.get(0))
                .optional()?;
            work.map_or(Ok(None), |id| work_row(connection, &id))
        })
        .await
    }

    /// The works that these activities belong to, by activity.
    pub async fn works_of(&self, activities: Vec<ActivityId>) -> Result<HashMap<ActivityId, WorkRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT work FROM work_members WHERE activity = ?1")?;
            let mut works = HashMap::with_capacity(activities.len());
            for activity in activities {
                let work: Option<String> = statement.query_row([activity.as_str()], |row| row.get(0)).optional()?;
                if let Some(row) = work.map(|id| work_row(connection, &id)).transpose()?.flatten() {
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
