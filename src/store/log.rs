//! The log itself: appending facts, and reading them in order.

use rusqlite::{Connection, OptionalExtension, params};

use jiff::Timestamp;

use super::{Store, StoreError, from_millis, to_millis};
use crate::model::{Fact, FactKind, Seq};

/// A fact that is not in the log yet.
#[derive(Debug, Clone)]
pub struct NewFact {
    pub at: Timestamp,
    pub kind: FactKind,
    pub subject: String,
    pub detail: String,
    pub payload: Option<String>,
}

/// Appends one line and answers its place.
pub(super) fn append(connection: &Connection, fact: &NewFact) -> Result<Seq, StoreError> {
    connection.prepare_cached("INSERT INTO log (at, kind, subject, detail) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        to_millis(fact.at),
        fact.kind.as_str(),
        fact.subject,
        fact.detail
    ])?;
    let seq = connection.last_insert_rowid();
    if let Some(payload) = &fact.payload {
        connection.prepare_cached("INSERT INTO payload (seq, body) VALUES (?1, ?2)")?.execute(params![seq, payload])?;
    }
    Ok(Seq(seq))
}

/// The last place in the log; 0 while it is empty.
pub(super) fn last_seq(connection: &Connection) -> Result<Seq, StoreError> {
    Ok(Seq(connection.query_row("SELECT coalesce(max(seq), 0) FROM log", [], |row| row.get(0))?))
}

/// A value of the `meta` table.
pub(super) fn meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    Ok(connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

/// Sets a value of the `meta` table.
pub(super) fn set_meta(connection: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    connection
        .execute("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value])?;
    Ok(())
}

/// A line as its columns give it.
type RawFact = (i64, i64, String, String, String, Option<String>);

fn read_fact(row: &rusqlite::Row<'_>) -> Result<RawFact, rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn to_fact(raw: RawFact) -> Result<Fact, StoreError> {
    let (seq, at, kind, subject, detail, payload) = raw;
    let kind = FactKind::parse(&kind).ok_or_else(|| StoreError::Broken(format!("line {seq} of the log is of unknown kind `{kind}`")))?;
    Ok(Fact { seq: Seq(seq), at: from_millis(at)?, kind, subject, detail, payload })
}

impl Store {
    /// Appends a fact, safe against loss of power.
    pub async fn append(&self, fact: NewFact) -> Result<Seq, StoreError> {
        self.write_safely(move |connection| append(connection, &fact)).await
    }

    /// The last place in the log.
    pub async fn last_seq(&self) -> Result<Seq, StoreError> {
        self.read(last_seq).await
    }

    /// The newest fact of a rare kind, where there is one.
    pub async fn newest_fact(&self, kind: FactKind) -> Result<Option<Fact>, StoreError> {
        self.read(move |connection| {
            let row = connection
                .query_row(
                    &format!(
                        "SELECT log.seq, at, kind, subject, detail, body FROM log LEFT JOIN payload USING (seq)
                         WHERE kind = '{}' AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled')
                         ORDER BY log.seq DESC LIMIT 1",
                        kind.as_str()
                    ),
                    [],
                    read_fact,
                )
                .optional()?;
            row.map(to_fact).transpose()
        })
        .await
    }
}
