//! Evidence: the documents that changed something, as they came.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, to_millis};
use crate::model::{Document, SourceId};

/// A document, packed to be kept.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub url: String,
    pub media: Option<String>,
    /// SHA-256 of the whole, hex.
    pub hash: String,
    pub size: usize,
    packed: Vec<u8>,
}

impl Evidence {
    /// Packs a document. Takes some time: not for the async threads.
    pub fn of(document: &Document, hash: String) -> Result<Self, StoreError> {
        let packed = zstd::bulk::compress(&document.bytes, 1)
            .map_err(|error| StoreError::Broken(format!("a document could not be packed: {error}")))?;
        Ok(Self { url: document.final_url.clone(), media: document.content_type.clone(), hash, size: document.bytes.len(), packed })
    }
}

pub(super) fn put(connection: &Connection, source: SourceId, at: Timestamp, evidence: &Evidence) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO evidence (source, at, hash, media, url, size, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            source.0,
            to_millis(at),
            evidence.hash,
            evidence.media,
            evidence.url,
            i64::try_from(evidence.size).unwrap_or(i64::MAX),
            evidence.packed
        ])?;
    Ok(())
}

impl Store {
    /// The newest document of a source that is still held: its bytes, its address and its content type.
    pub async fn newest_evidence(&self, source: SourceId) -> Result<Option<(Vec<u8>, String, Option<String>)>, StoreError> {
        self.read(move |connection| {
            let row = connection
                .query_row("SELECT body, url, media, size FROM evidence WHERE source = ?1 ORDER BY at DESC LIMIT 1", [source.0], |row| {
                    Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
                })
                .optional()?;
            row.map(|(packed, url, media, size)| {
                let size = usize::try_from(size).unwrap_or(0);
                let bytes = zstd::bulk::decompress(&packed, size)
                    .map_err(|error| StoreError::Corrupt(format!("a kept document cannot be unpacked: {error}")))?;
                Ok((bytes, url, media))
            })
            .transpose()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_kept_comes_back_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("clarion.db")).await.unwrap();
        let at: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        let body: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let document = Document::of_bytes("https://ada.example/feed.xml", body.clone(), at);
        let evidence = Evidence::of(&document, crate::model::sha256_hex(&body)).unwrap();
        let kept = evidence.clone();
        store
            .write(move |connection| {
                connection.execute("INSERT INTO sources (id, kind, locator, url) VALUES (1, 'rss', 'x', 'x')", [])?;
                put(connection, SourceId(1), at, &kept)
            })
            .await
            .unwrap();
        let (bytes, url, _) = store.newest_evidence(SourceId(1)).await.unwrap().unwrap();
        assert_eq!((bytes, url.as_str()), (body, "https://ada.example/feed.xml"));
    }
}
