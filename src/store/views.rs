//! What people ask to see: the activities of the log, sources at a glance, counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params, params_from_iter};
use serde::Serialize;

use super::works::read_activity;
use super::{Store, StoreError, from_millis, log, settled, to_millis};
use crate::model::{Activity, ActivityKind, BuilderId, Seq, SourceId};

/// Which activities are wanted.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    pub builder: Option<BuilderId>,
    /// Effective time from, and before.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub kind: Option<ActivityKind>,
    /// So many of the latest are left out.
    pub skip: u32,
    pub limit: Option<u32>,
}

/// An activity with the work that it belongs to.
#[derive(Debug, Clone)]
pub struct ActivityRow {
    pub activity: Activity,
    pub work: String,
}

/// Sizes of what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    pub builders: u64,
    pub sources: u64,
    pub entries: u64,
    pub activities: u64,
    pub works: u64,
    pub facts: u64,
    pub settled: u64,
    pub evidence_bytes: u64,
    pub database_bytes: u64,
}

/// What whole tables hold, and what it cost to know.
#[derive(Debug)]
pub(super) struct Tally {
    /// The places in the log up to which it was counted: recorded, and settled.
    places: (Seq, Seq),
    counted_at: Instant,
    took: Duration,
    activities: u64,
    works: u64,
    evidence_bytes: u64,
    entries: BTreeMap<SourceId, u64>,
    credits: BTreeMap<BuilderId, (u64, Timestamp)>,
}

/// While the log moves, counting may take this part of the time: a small database is counted whenever somebody asks, a
/// large one now and then.
const SHARE: u32 = 100;

impl Tally {
    fn of(connection: &Connection) -> Result<Self, StoreError> {
        let begun = Instant::now();
        let mut statement = connection.prepare_cached("SELECT source, count(*) FROM entries GROUP BY source")?;
        let entries =
            statement.query_map([], |row| Ok((SourceId(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs())))?.collect::<Result<_, _>>()?;
        let mut statement =
            connection.prepare_cached("SELECT builder, count(*), max(effective_at) FROM credits GROUP BY builder ORDER BY builder")?;
        let mut rows = statement.query([])?;
        let mut credits = BTreeMap::new();
        while let Some(row) = rows.next()? {
            credits.insert(BuilderId(row.get(0)?), (row.get::<_, i64>(1)?.unsigned_abs(), from_millis(row.get(2)?)?));
        }
        Ok(Self {
            places: places(connection)?,
            counted_at: begun,
            activities: count(connection, "SELECT count(*) FROM activities")?,
            // A work has the id of one of its activities; the index is a quarter of the table.
            works: count(connection, "SELECT count(*) FROM work_members INDEXED BY work_members_of_work WHERE work = activity")?,
            evidence_bytes: count(connection, "SELECT coalesce(sum(length(body)), 0) FROM evidence")?,
            entries,
            credits,
            took: begun.elapsed(),
        })
    }

    /// Whether it still holds, or is at least young for what it cost.
    fn serves(&self, places: (Seq, Seq), patience: u32) -> bool {
        self.places == places || self.counted_at.elapsed() < self.took.saturating_mul(SHARE).saturating_mul(patience)
    }
}

fn places(connection: &Connection) -> Result<(Seq, Seq), StoreError> {
    Ok((log::last_seq(connection)?, settled::settled_seq(connection)?))
}

fn count(connection: &Connection, sql: &'static str) -> Result<u64, StoreError> {
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Activities with their works, as a query gives them.
fn activity_rows(mut rows: rusqlite::Rows<'_>) -> Result<Vec<ActivityRow>, StoreError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
        found.push(ActivityRow { activity: serde_json::from_str(body)?, work: row.get(1)? });
    }
    Ok(found)
}

impl Store {
    /// The activities that fit, latest first.
    pub async fn activities(&self, filter: LogFilter) -> Result<Vec<ActivityRow>, StoreError> {
        self.read(move |connection| {
            // What filters keep out is no part of the record; `explain` tells of it.
            let mut wheres = vec!["json_extract(a.body, '$.filtered') IS NULL"];
            let mut values: Vec<rusqlite::types::Value> = Vec::new();
            // A builder's credits carry the time too, so that a page of them reads no more than that page.
            let (tables, at, id) = match filter.builder {
                Some(_) => ("credits c CROSS JOIN activities a ON a.id = c.activity", "c.effective_at", "c.activity"),
                None => ("activities a", "a.effective_at", "a.id"),
            };
            if let Some(builder) = filter.builder {
                wheres.push("c.builder = ?");
                values.push(builder.0.into());
            }
            let (since, before) = (format!("{at} >= ?"), format!("{at} < ?"));
            if let Some(from) = filter.from {
                wheres.push(&since);
                values.push(to_millis(from).into());
            }
            if let Some(to) = filter.to {
                wheres.push(&before);
                values.push(to_millis(to).into());
            }
            if let Some(kind) = filter.kind {
                wheres.push("a.kind = ?");
                values.push(kind.as_str().to_owned().into());
            }
            values.push(filter.limit.map_or(-1, i64::from).into());
            values.push(i64::from(filter.skip).into());
            let sql = format!(
                "SELECT a.body, coalesce(m.work, a.id) FROM {tables} LEFT JOIN work_members m ON m.activity = a.id
                 WHERE {} ORDER BY {at} DESC, {id} LIMIT ? OFFSET ?",
                wheres.join(" AND ")
            );
            let mut statement = connection.prepare_cached(&sql)?;
            activity_rows(statement.query(params_from_iter(values))?)
        })
        .await
    }

    /// Talks and events that begin after one instant and not after another, soonest first.
    pub async fn ahead(&self, after: Timestamp, until: Timestamp) -> Result<Vec<ActivityRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.body, coalesce(m.work, a.id) FROM activities a LEFT JOIN work_members m ON m.activity = a.id
                 WHERE a.kind IN ('talk', 'event') AND a.published_at > ?1 AND a.published_at <= ?2 ORDER BY a.published_at, a.id",
            )?;
            activity_rows(statement.query([to_millis(after), to_millis(until)])?)
        })
        .await
    }

    /// One activity by its id.
    pub async fn activity(&self, id: &str) -> Result<Option<Activity>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| read_activity(connection, &id)).await
    }

    /// How many activities each builder is credited with, and the latest; as old as [`Store::counters`].
    pub async fn builder_counts(&self) -> Result<BTreeMap<BuilderId, (u64, Timestamp)>, StoreError> {
        Ok(self.tally(2).await?.credits.clone())
    }

    /// How many entries each source of a builder has told.
    pub async fn entries_of(&self, owner: BuilderId) -> Result<BTreeMap<SourceId, u64>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT source, count(*) FROM entries WHERE source IN (SELECT source FROM owners WHERE builder = ?1) GROUP BY source",
            )?;
            let counts = statement
                .query_map([owner.0], |row| Ok((SourceId(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs())))?
                .collect::<Result<_, _>>()?;
            Ok(counts)
        })
        .await
    }

    /// What a builder is credited with, in its barest form: the kind and the effective time of each activity.
    pub async fn activity_times(&self, builder: BuilderId) -> Result<Vec<(ActivityKind, Timestamp)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT kind, effective_at FROM credits WHERE builder = ?1")?;
            let mut rows = statement.query([builder.0])?;
            let mut times = Vec::new();
            while let Some(row) = rows.next()? {
                let kind = row.get_ref(0)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
                let kind = ActivityKind::parse(kind).ok_or_else(|| StoreError::Broken(format!("unknown kind `{kind}`")))?;
                times.push((kind, from_millis(row.get(1)?)?));
            }
            Ok(times)
        })
        .await
    }

    /// Addresses of works that fall after an instant and were not looked at since another; one that was gone at the last
    /// look, but not at the one before, is due again sooner.
    pub async fn links_to_check(
        &self,
        since: Timestamp,
        looked_before: Timestamp,
        gone_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "WITH open AS (SELECT a.url, json_extract(a.body, '$.canonical_url') AS canonical
                               FROM activities a JOIN works w ON w.primary_id = a.id
                               WHERE a.effective_at >= ?1 AND a.backfill = 0 AND json_extract(a.body, '$.filtered') IS NULL),
                      shown (url) AS (SELECT url FROM open UNION SELECT canonical FROM open)
                 SELECT url FROM shown
                 WHERE url IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM link_checks c WHERE c.url = shown.url AND c.at > ?2
                                     AND NOT (c.status IN (404, 410) AND c.at <= ?3
                                              AND (SELECT count(*) FROM link_checks d WHERE d.url = shown.url AND d.at > ?2) = 1))
                 ORDER BY url LIMIT ?4",
            )?;
            let urls = statement
                .query_map(params![to_millis(since), to_millis(looked_before), to_millis(gone_before), limit], |row| row.get(0))?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(urls)
        })
        .await
    }

    /// What a link answered, as a fact.
    pub async fn record_link_check(&self, url: &str, status: Option<u16>, at: Timestamp) -> Result<(), StoreError> {
        let url = url.to_owned();
        self.write(move |connection| {
            let fact = log::NewFact {
                at,
                kind: crate::model::FactKind::LinkChecked,
                subject: "link".into(),
                detail: serde_json::json!({ "status": status }).to_string(),
                payload: Some(serde_json::json!({ "url": url }).to_string()),
            };
            log::append(connection, &fact)?;
            connection
                .execute("INSERT OR REPLACE INTO link_checks (url, at, status) VALUES (?1, ?2, ?3)", params![url, to_millis(at), status])?;
            Ok(())
        })
        .await
    }

    /// Whether anything is recorded yet.
    pub async fn has_activities(&self) -> Result<bool, StoreError> {
        self.read(|connection| Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM activities)", [], |row| row.get(0))?)).await
    }

    /// Sizes of what is held. Of a large database whose log moves, what whole tables hold is as it was a little ago.
    pub async fn counters(&self) -> Result<Counters, StoreError> {
        let tally = self.tally(2).await?;
        self.read(move |connection| {
            let (facts, settled) = places(connection)?;
            Ok(Counters {
                builders: count(connection, "SELECT count(*) FROM builders")?,
                sources: count(connection, "SELECT count(*) FROM sources WHERE left = 0")?,
                entries: tally.entries.values().sum(),
                activities: tally.activities,
                works: tally.works,
                facts: facts.0.unsigned_abs(),
                settled: settled.0.unsigned_abs(),
                evidence_bytes: tally.evidence_bytes,
                database_bytes: count(connection, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")?,
            })
        })
        .await
    }

    /// How many entries each source has told, as old as [`Store::counters`].
    pub async fn entries_by_source(&self) -> Result<BTreeMap<SourceId, u64>, StoreError> {
        Ok(self.tally(2).await?.entries.clone())
    }

    /// Counts ahead of those who will ask, where the last count is getting old.
    pub async fn count_ahead(&self) -> Result<(), StoreError> {
        self.tally(1).await.map(|_| ())
    }

    /// The last count if it serves, else a new one. Of many who ask at once, one counts.
    async fn tally(&self, patience: u32) -> Result<Arc<Tally>, StoreError> {
        let mut known = self.tally.lock().await;
        if let Some(tally) = &*known {
            let places = self.read(places).await?;
            if tally.serves(places, patience) {
                return Ok(Arc::clone(tally));
            }
        }
        let counted = Arc::new(self.read(Tally::of).await?);
        *known = Some(Arc::clone(&counted));
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dear_count_is_used_for_longer_while_the_log_moves() {
        let tally = |ago: u64, took: u64| Tally {
            places: (Seq(5), Seq(5)),
            counted_at: Instant::now().checked_sub(Duration::from_millis(ago)).unwrap(),
            took: Duration::from_millis(took),
            activities: 0,
            works: 0,
            evidence_bytes: 0,
            entries: BTreeMap::new(),
            credits: BTreeMap::new(),
        };
        let moved = (Seq(6), Seq(5));
        for (ago, took, places, serves) in [
            (5_000, 0, (Seq(5), Seq(5)), true),
            (50, 0, moved, false),
            (5_000, 100, moved, true),
            (50_000, 100, moved, false),
            (50_000, 600, (Seq(6), Seq(6)), true),
        ] {
            assert_eq!(tally(ago, took).serves(places, 1), serves, "{ago} ms ago, took {took} ms, now at {places:?}");
        }
    }
}
