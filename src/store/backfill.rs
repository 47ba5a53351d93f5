//! How far the older pages of a source were read: each page with the place to go on from, in one transaction.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::documents::{self, Evidence};
use super::erase::Erasures;
use super::sources::{NewEntry, put_bylines, put_new};
use super::{Store, StoreError, to_millis};
use crate::model::SourceId;

/// One older page of a source.
#[derive(Debug, Clone)]
pub struct BackfillPage {
    pub source: SourceId,
    pub at: Timestamp,
    pub new: Vec<NewEntry>,
    pub evidence: Vec<Evidence>,
    /// The address and number of the page to go on with; `None` at the end.
    pub next: Option<(String, u32)>,
}

impl Store {
    /// Where reading the older pages of a source goes on; `None` where it begins anew.
    pub async fn backfill_cursor(&self, source: SourceId) -> Result<Option<(String, u32)>, StoreError> {
        self.read(move |connection| {
            let cursor = connection
                .prepare_cached("SELECT url, page FROM backfills WHERE source = ?1 AND done_at IS NULL")?
                .query_row([source.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            Ok(cursor)
        })
        .await
    }

    /// Keeps an older page, and where to go on.
    pub async fn record_backfill(&self, page: BackfillPage) -> Result<(), StoreError> {
        self.write(move |connection| {
            put_bylines(connection, page.source, page.new.iter().map(|new| &new.entry))?;
            let erasures = Erasures::of(connection)?;
            for new in &page.new {
                put_new(connection, page.source, page.at, new, None, &erasures)?;
            }
            for evidence in &page.evidence {
                documents::put(connection, page.source, page.at, evidence)?;
            }
            if let Some((url, number)) = &page.next {
                connection
                    .prepare_cached(
                        "INSERT INTO backfills (source, url, page, at, done_at) VALUES (?1, ?2, ?3, ?4, NULL)
                         ON CONFLICT (source) DO UPDATE SET url = excluded.url, page = excluded.page, at = excluded.at, done_at = NULL",
                    )?
                    .execute(params![page.source.0, url, number, to_millis(page.at)])?;
            }
            Ok(())
        })
        .await
    }

    /// The last page of a source was read: the next run begins anew.
    pub async fn end_backfill(&self, source: SourceId) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.execute("UPDATE backfills SET done_at = at WHERE source = ?1", [source.0])?;
            Ok(())
        })
        .await
    }
}
