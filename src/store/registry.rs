//! Builders, their sources and who owns what: people's data, in tables that can be erased.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::log::{NewFact, append};
use super::{Store, StoreError};
use crate::model::{Account, Builder, BuilderId, FactKind, Filters, Owner, Slug, Source, SourceId, SourceKind};

/// One change of the roster, already checked.
#[derive(Debug, Clone)]
pub enum RosterChange {
    /// A builder is new, or told otherwise; the id in it is ignored, the slug decides.
    Builder(Box<Builder>),
    /// A builder owns a source, which is made where it is missing. Filters that are left out stay as they are.
    Source { builder: Slug, kind: SourceKind, locator: String, url: String, author: Option<String>, filters: Option<Box<Filters>> },
    /// A person pauses or resumes a source.
    Paused { source: SourceId, paused: bool },
}

/// What came of a list of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RosterReport {
    pub builders_added: u32,
    pub builders_changed: u32,
    pub sources_added: u32,
    pub owners_changed: u32,
}

fn read_builder(id: i64, body: &str) -> Result<Builder, StoreError> {
    let mut builder: Builder = serde_json::from_str(body)?;
    builder.id = BuilderId(id);
    Ok(builder)
}

fn builder_by_slug(connection: &Connection, slug: &str) -> Result<Option<Builder>, StoreError> {
    let row = connection
        .prepare_cached("SELECT id, body FROM builders WHERE slug = ?1")?
        .query_row([slug], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    row.map(|(id, body)| read_builder(id, &body)).transpose()
}

fn note(
    connection: &Connection,
    at: Timestamp,
    subject: String,
    detail: &serde_json::Value,
    payload: Option<String>,
) -> Result<(), StoreError> {
    append(connection, &NewFact { at, kind: FactKind::RosterChanged, subject, detail: detail.to_string(), payload })?;
    Ok(())
}

fn put_builder(
    connection: &Connection,
    builder: &Builder,
    (by, now): (&str, Timestamp),
    report: &mut RosterReport,
) -> Result<BuilderId, StoreError> {
    let known = builder_by_slug(connection, builder.slug.as_str())?;
    let mut builder = builder.clone();
    if let Some(known) = known {
        builder.id = known.id;
        builder = builder.succeeding(&known);
        if known == builder {
            return Ok(known.id);
        }
        let body = serde_json::to_string(&builder)?;
        connection.execute("UPDATE builders SET name = ?2, body = ?3 WHERE id = ?1", params![known.id.0, builder.name, body])?;
        note(connection, now, known.id.to_string(), &serde_json::json!({"change": "builder_changed", "by": by}), Some(body))?;
        report.builders_changed += 1;
        return Ok(known.id);
    }
    super::erase::refuse_erased(connection, &builder)?;
    connection.execute("INSERT INTO builders (slug, name, body) VALUES (?1, ?2, '{}')", params![builder.slug.as_str(), builder.name])?;
    builder.id = BuilderId(connection.last_insert_rowid());
    let body = serde_json::to_string(&builder)?;
    connection.execute("UPDATE builders SET body = ?2 WHERE id = ?1", params![builder.id.0, body])?;
    note(connection, now, builder.id.to_string(), &serde_json::json!({"change": "builder_added", "by": by}), Some(body))?;
    report.builders_added += 1;
    Ok(builder.id)
}

fn put_source(
    connection: &Connection,
    builder: &Slug,
    (kind, locator, url): (SourceKind, &str, &str),
    (author, filters): (Option<&str>, Option<&Filters>),
    (by, now): (&str, Timestamp),
    report: &mut RosterReport,
) -> Result<SourceId, StoreError> {
    let owner = builder_by_slug(connection, builder.as_str())?
        .ok_or_else(|| StoreError::Refused(format!("there is no builder `{builder}`: import the roster first")))?
        .id;
    let known: Option<(i64, bool)> = connection
        // An account that was renamed is known under its first name and under its present one.
        .prepare_cached(
            "SELECT id, left FROM sources WHERE kind = ?1 AND (locator = ?2
               OR id IN (SELECT accounts.source FROM accounts WHERE lower(accounts.name) = lower(?2)))
             ORDER BY locator = ?2 DESC LIMIT 1",
        )?
        .query_row(params![kind.as_str(), locator], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let source = if let Some((id, left)) = known {
        if left {
            connection.execute("UPDATE sources SET left = 0 WHERE id = ?1", [id])?;
        }
        SourceId(id)
    } else {
        connection.execute("INSERT INTO sources (kind, locator, url) VALUES (?1, ?2, ?3)", params![kind.as_str(), locator, url])?;
        let id = SourceId(connection.last_insert_rowid());
        let payload = serde_json::json!({"kind": kind, "locator": locator, "url": url}).to_string();
        note(connection, now, id.to_string(), &serde_json::json!({"change": "source_added", "by": by}), Some(payload))?;
        report.sources_added += 1;
        id
    };
    let claim: Option<(Option<String>, String)> = connection
        .prepare_cached("SELECT author, filters FROM owners WHERE source = ?1 AND builder = ?2")?
        .query_row(params![source.0, owner.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let filters = match filters {
        Some(filters) if filters.is_empty() => String::new(),
        Some(filters) => serde_json::to_string(filters)?,
        None => claim.as_ref().map(|(_, filters)| filters.clone()).unwrap_or_default(),
    };
    if claim.as_ref().map(|(author, filters)| (author.as_deref(), filters)) != Some((author, &filters)) {
        connection.execute(
            "INSERT INTO owners (source, builder, author, filters) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (source, builder) DO UPDATE SET author = excluded.author, filters = excluded.filters",
            params![source.0, owner.0, author, filters],
        )?;
        let detail = serde_json::json!({"change": "owner_set", "builder": owner.0, "by": by});
        let payload = (author.is_some() || !filters.is_empty())
            .then(|| serde_json::json!({"author": author, "filters": read_filters(&filters).ok()}).to_string());
        note(connection, now, source.to_string(), &detail, payload)?;
        report.owners_changed += 1;
    }
    Ok(source)
}

/// Keeps the account that a source was told to be of. Under a new name, people are shown the new address.
pub(super) fn put_account(connection: &Connection, source: SourceId, account: &Account, now: Timestamp) -> Result<(), StoreError> {
    let known: Option<(String, String)> = connection
        .prepare_cached("SELECT id, name FROM accounts WHERE source = ?1")?
        .query_row([source.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if known.as_ref().is_some_and(|(id, name)| *id == account.id && *name == account.name) {
        return Ok(());
    }
    connection.execute(
        "INSERT INTO accounts (source, id, name) VALUES (?1, ?2, ?3)
         ON CONFLICT (source) DO UPDATE SET id = excluded.id, name = excluded.name",
        params![source.0, account.id, account.name],
    )?;
    if known.is_some() && !account.url.is_empty() {
        connection.execute("UPDATE sources SET url = ?2 WHERE id = ?1", params![source.0, account.url])?;
    }
    let payload = serde_json::json!({"id": account.id, "name": account.name}).to_string();
    note(connection, now, source.to_string(), &serde_json::json!({"change": "account_known"}), Some(payload))
}

fn read_filters(stored: &str) -> Result<Filters, StoreError> {
    if stored.is_empty() { Ok(Filters::default()) } else { Ok(serde_json::from_str(stored)?) }
}

fn set_paused(connection: &Connection, source: SourceId, paused: bool, (by, now): (&str, Timestamp)) -> Result<(), StoreError> {
    let changed = connection.execute("UPDATE sources SET paused = ?2 WHERE id = ?1 AND paused <> ?2", params![source.0, paused])?;
    // One that is gone has stopped by itself, and waits for a person as well.
    let is_gone = "SELECT EXISTS (SELECT 1 FROM source_states WHERE source = ?1 AND status = 'gone')";
    let resumes = !paused && (changed > 0 || connection.query_row(is_gone, [source.0], |row| row.get(0))?);
    if changed > 0 || resumes {
        let change = if paused { "paused" } else { "resumed" };
        note(connection, now, source.to_string(), &serde_json::json!({ "change": change, "by": by }), None)?;
        if resumes {
            // A person wants it asked again: whatever made it stop is forgotten.
            connection.execute(
                "UPDATE source_states SET status = CASE status WHEN 'gone' THEN 'failing' ELSE status END,
                   body = json_set(body, '$.gone_count', 0, '$.gone_since', NULL, '$.failures', 0,
                                   '$.status', CASE status WHEN 'gone' THEN 'failing' ELSE status END)
                 WHERE source = ?1",
                [source.0],
            )?;
            connection.execute("UPDATE source_times SET next_poll_at = NULL WHERE source = ?1", [source.0])?;
        }
    }
    Ok(())
}

/// The builders who told us to stop collecting.
pub(super) fn stopped(connection: &Connection) -> Result<std::collections::HashSet<BuilderId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM builders WHERE body ->> '$.switches.stop_collecting'")?;
    let ids = statement.query_map([], |row| row.get(0).map(BuilderId))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// All sources with their owners, ordered by id.
pub(super) fn sources(connection: &Connection) -> Result<Vec<Source>, StoreError> {
    sources_where(connection, None)
}

/// The sources that a builder owns, with all their owners, ordered by id.
pub(super) fn sources_of(connection: &Connection, builder: BuilderId) -> Result<Vec<Source>, StoreError> {
    sources_where(connection, Some(builder))
}

fn sources_where(connection: &Connection, builder: Option<BuilderId>) -> Result<Vec<Source>, StoreError> {
    let builder = builder.map(|builder| builder.0);
    let wanted = |source: &str| match builder {
        Some(_) => format!("{source} IN (SELECT source FROM owners WHERE builder = ?1)"),
        None => "?1 IS NULL".to_owned(),
    };
    let mut owners: BTreeMap<i64, Vec<Owner>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT source, builder, author, filters FROM owners WHERE {} ORDER BY source, builder",
        wanted("source")
    ))?;
    let mut rows = statement.query([builder])?;
    while let Some(row) = rows.next()? {
        owners.entry(row.get(0)?).or_default().push(Owner {
            builder: BuilderId(row.get(1)?),
            author: row.get(2)?,
            filters: read_filters(row.get_ref(3)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?)?,
        });
    }
    let mut statement = connection
        .prepare_cached(&format!("SELECT id, kind, locator, url, paused, left FROM sources WHERE {} ORDER BY id", wanted("id")))?;
    let mut rows = statement.query([builder])?;
    let mut sources = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let kind: String = row.get(1)?;
        let kind = kind.parse().map_err(StoreError::Broken)?;
        sources.push(Source {
            id: SourceId(id),
            kind,
            locator: row.get(2)?,
            url: row.get(3)?,
            owners: owners.remove(&id).unwrap_or_default(),
            paused: row.get(4)?,
            left: row.get(5)?,
        });
    }
    Ok(sources)
}

/// All builders, ordered by id.
pub(super) fn builders(connection: &Connection) -> Result<Vec<Builder>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, body FROM builders ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    rows.into_iter().map(|(id, body)| read_builder(id, &body)).collect()
}

impl Store {
    /// All builders, ordered by id.
    pub async fn builders(&self) -> Result<Vec<Builder>, StoreError> {
        self.read(builders).await
    }

    /// The slugs and names of all builders.
    pub async fn builder_names(&self) -> Result<HashMap<BuilderId, (String, String)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id, slug, name FROM builders")?;
            let names = statement.query_map([], |row| Ok((BuilderId(row.get(0)?), (row.get(1)?, row.get(2)?))))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The builder of that slug.
    pub async fn builder(&self, slug: &Slug) -> Result<Option<Builder>, StoreError> {
        let slug = slug.clone();
        self.read(move |connection| builder_by_slug(connection, slug.as_str())).await
    }

    /// The builders of these ids, as far as they are there.
    pub async fn builders_by_id(&self, ids: Vec<BuilderId>) -> Result<Vec<Builder>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT body FROM builders WHERE id = ?1")?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(body) = statement.query_row([id.0], |row| row.get::<_, String>(0)).optional()? {
                    found.push(read_builder(id.0, &body)?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// All sources with their owners, ordered by id.
    pub async fn sources(&self) -> Result<Vec<Source>, StoreError> {
        self.read(sources).await
    }

    /// The accounts behind sources, as far as they are known.
    pub async fn accounts(&self) -> Result<HashMap<SourceId, Account>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT source, id, name FROM accounts")?;
            let rows = statement
                .query_map([], |row| Ok((SourceId(row.get(0)?), Account { id: row.get(1)?, name: row.get(2)?, url: String::new() })))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Whether one of the builders of a source wants pushes recorded.
    pub async fn wants_pushes(&self, source: SourceId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM owners JOIN builders ON builders.id = owners.builder
                     WHERE owners.source = ?1 AND json_extract(builders.body, '$.switches.pushes'))",
                )?
                .query_row([source.0], |row| row.get(0))?;
            Ok(found)
        })
        .await
    }

    /// Takes a list of changes, all or none; each that changes something becomes a fact.
    pub async fn change_roster(&self, changes: Vec<RosterChange>, now: Timestamp) -> Result<RosterReport, StoreError> {
        self.change_roster_by(changes, "import", now).await
    }

    /// The same, with who decided it.
    pub async fn change_roster_by(&self, changes: Vec<RosterChange>, by: &str, now: Timestamp) -> Result<RosterReport, StoreError> {
        let by = by.to_owned();
        self.write_safely(move |connection| {
            let mut report = RosterReport::default();
            for change in changes {
                match change {
                    RosterChange::Builder(builder) => {
                        put_builder(connection, &builder, (&by, now), &mut report)?;
                    }
                    RosterChange::Source { builder, kind, locator, url, author, filters } => {
                        put_source(
                            connection,
                            &builder,
                            (kind, &locator, &url),
                            (author.as_deref(), filters.as_deref()),
                            (&by, now),
                            &mut report,
                        )?;
                    }
                    RosterChange::Paused { source, paused } => set_paused(connection, source, paused, (&by, now))?,
                }
            }
            Ok(report)
        })
        .await
    }
}
