//! What people ask to see: the activities of the log, sources at a glance, counters.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, params, params_from_iter};
use serde::Serialize;

use super::works::read_activity;
use super::{Store, StoreError, from_millis, log, settled, to_millis};
use crate::model::{Activity, ActivityKind, BuilderId, SourceId};

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

fn count(connection: &Connection, sql: &'static str) -> Result<u64, StoreError> {
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

impl Store {
    /// The activities that fit, latest first.
    pub async fn activities(&self, filter: LogFilter) -> Result<Vec<ActivityRow>, StoreError> {
        self.read(move |connection| {
            // What filters keep out is no part of the record; `explain` tells of it.
            let mut wheres = vec!["json_extract(a.body, '$.filtered') IS NULL"];
            let mut values: Vec<rusqlite::types::Value> = Vec::new();
            if let Some(builder) = filter.builder {
                wheres.push("a.id IN (SELECT activity FROM credits WHERE builder = ?)");
                values.push(builder.0.into());
            }
            if let Some(from) = filter.from {
                wheres.push("a.effective_at >= ?");
                values.push(to_millis(from).into());
            }
            if let Some(to) = filter.to {
                wheres.push("a.effective_at < ?");
                values.push(to_millis(to).into());
            }
            if let Some(kind) = filter.kind {
                wheres.push("a.kind = ?");
                values.push(kind.as_str().to_owned().into());
            }
            values.push(filter.limit.map_or(-1, i64::from).into());
            values.push(i64::from(filter.skip).into());
            let sql = format!(
                "SELECT a.body, coalesce(m.work, a.id) FROM activities a LEFT JOIN work_members m ON m.activity = a.id
                 WHERE {} ORDER BY a.effective_at DESC, a.id LIMIT ? OFFSET ?",
                wheres.join(" AND ")
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let body = row.get_ref(0)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
                found.push(ActivityRow { activity: serde_json::from_str(body)?, work: row.get(1)? });
            }
            Ok(found)
        })
        .await
    }

    /// One activity by its id.
    pub async fn activity(&self, id: &str) -> Result<Option<Activity>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| read_activity(connection, &id)).await
    }

    /// How many activities each builder is credited with, in all and since an instant, and the latest.
    pub async fn builder_counts(&self, since: Timestamp) -> Result<BTreeMap<BuilderId, (u64, u64, Timestamp)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT builder, count(*), sum(effective_at >= ?1), max(effective_at) FROM credits GROUP BY builder ORDER BY builder",
            )?;
            let mut rows = statement.query([to_millis(since)])?;
            let mut counts = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let all = row.get::<_, i64>(1)?.unsigned_abs();
                let recent = row.get::<_, i64>(2)?.unsigned_abs();
                counts.insert(BuilderId(row.get(0)?), (all, recent, from_millis(row.get(3)?)?));
            }
            Ok(counts)
        })
        .await
    }

    /// How many entries each source has told: of all, or of those that a builder owns.
    pub async fn entries_of_sources(&self, owner: Option<BuilderId>) -> Result<BTreeMap<SourceId, u64>, StoreError> {
        self.read(move |connection| {
            let wanted =
                if owner.is_some() { "WHERE source IN (SELECT source FROM owners WHERE builder = ?1)" } else { "WHERE ?1 IS NULL" };
            let mut statement =
                connection.prepare_cached(&format!("SELECT source, count(*) FROM entries {wanted} GROUP BY source ORDER BY source"))?;
            let counts = statement
                .query_map([owner.map(|owner| owner.0)], |row| Ok((SourceId(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs())))?
                .collect::<Result<_, _>>()?;
            Ok(counts)
        })
        .await
    }

    /// What a builder is credited with, in its barest form: the kind and the effective time of each activity.
    pub async fn activity_times(&self, builder: BuilderId) -> Result<Vec<(ActivityKind, Timestamp)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.kind, a.effective_at FROM credits c JOIN activities a ON a.id = c.activity WHERE c.builder = ?1",
            )?;
            let mut rows = statement.query([builder.0])?;
            let mut times = Vec::new();
            while let Some(row) = rows.next()? {
                let kind: String = row.get(0)?;
                let kind = ActivityKind::parse(&kind).ok_or_else(|| StoreError::Broken(format!("unknown kind `{kind}`")))?;
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
                "SELECT DISTINCT a.url FROM activities a JOIN works w ON w.primary_id = a.id
                 WHERE a.effective_at >= ?1 AND a.backfill = 0 AND a.url IS NOT NULL AND json_extract(a.body, '$.filtered') IS NULL
                   AND NOT EXISTS (SELECT 1 FROM link_checks c WHERE c.url = a.url AND c.at > ?2
                                     AND NOT (c.status IN (404, 410) AND c.at <= ?3
                                              AND (SELECT count(*) FROM link_checks d WHERE d.url = a.url AND d.at > ?2) = 1))
                 ORDER BY a.url LIMIT ?4",
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

    /// Sizes of what is held.
    pub async fn counters(&self) -> Result<Counters, StoreError> {
        self.read(|connection| {
            Ok(Counters {
                builders: count(connection, "SELECT count(*) FROM builders")?,
                sources: count(connection, "SELECT count(*) FROM sources WHERE left = 0")?,
                entries: count(connection, "SELECT count(*) FROM entries")?,
                activities: count(connection, "SELECT count(*) FROM activities")?,
                works: count(connection, "SELECT count(*) FROM works")?,
                facts: log::last_seq(connection)?.0.unsigned_abs(),
                settled: settled::settled_seq(connection)?.0.unsigned_abs(),
                evidence_bytes: count(connection, "SELECT coalesce(sum(length(body)), 0) FROM evidence")?,
                database_bytes: count(connection, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")?,
            })
        })
        .await
    }
}
