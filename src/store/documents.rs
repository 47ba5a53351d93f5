//! Evidence: the documents that changed something, as they came.
//!
//! The answers to one address of a source form a chain: a whole document (the keyframe), then each later one as its
//! difference from that keyframe. Once a difference passes a third of the keyframe, the next document is kept whole
//! again. A keyframe with all that leans on it is a segment; retention drops segments, never parts of them (RECORD.md
//! section 5).

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use zstd::zstd_safe::CParameter;

use super::{Store, StoreError, from_millis, to_millis};
use crate::model::{Document, Request, SourceId};

/// How hard whole documents are packed: there is one for each source with the first poll, which nobody should wait for.
/// Level 5 takes three times as long and saves one byte in a hundred.
const KEYFRAME_LEVEL: i32 = 2;
/// How hard differences are packed: most of the work is done by the keyframe.
const DELTA_LEVEL: i32 = 12;
/// Documents beyond this are packed fast: at the levels above they would take seconds.
const LARGE: usize = 1 << 20;
/// The largest window that a reader has to hold, as a power of two.
const MAX_WINDOW: u32 = 27;

/// A whole document of a source that later ones can be told as differences from.
#[derive(Debug, Clone)]
pub struct Keyframe {
    id: i64,
    packed: usize,
    bytes: Vec<u8>,
}

/// A document, packed to be kept.
#[derive(Debug, Clone)]
pub struct Evidence {
    url: String,
    asked: String,
    page: u32,
    about: Option<String>,
    media: Option<String>,
    /// SHA-256 of the whole, hex.
    hash: String,
    size: usize,
    keyframe: Option<i64>,
    packed: Vec<u8>,
}

impl Evidence {
    /// Packs a document, as its difference from the keyframe where that is small. Takes some time: not for the async
    /// threads.
    pub fn of(document: &Document, asked: &Request, page: u32, keyframe: Option<&Keyframe>) -> Result<Self, StoreError> {
        let bytes = document.bytes.as_slice();
        let delta = keyframe.map(|keyframe| Ok::<_, StoreError>((keyframe, pack(bytes, &keyframe.bytes)?))).transpose()?;
        let (keyframe, packed) = match delta.filter(|(keyframe, delta)| delta.len() * 3 <= keyframe.packed) {
            Some((keyframe, delta)) => (Some(keyframe.id), delta),
            None => (None, pack(bytes, &[])?),
        };
        Ok(Self {
            url: document.final_url.clone(),
            asked: asked.url.clone(),
            page,
            about: asked.about.clone(),
            media: document.content_type.clone(),
            hash: crate::model::sha256_hex(bytes),
            size: bytes.len(),
            keyframe,
            packed,
        })
    }

    /// The bytes that keeping it takes.
    pub fn packed_len(&self) -> usize {
        self.packed.len()
    }
}

fn failed(error: &std::io::Error) -> StoreError {
    StoreError::Broken(format!("a document could not be packed: {error}"))
}

/// Packs bytes, with others before them that they may refer to.
fn pack(bytes: &[u8], before: &[u8]) -> Result<Vec<u8>, StoreError> {
    let reach = bytes.len() + before.len();
    let level = match (reach > LARGE, before.is_empty()) {
        (true, _) => 3,
        (false, true) => KEYFRAME_LEVEL,
        (false, false) => DELTA_LEVEL,
    };
    let mut packer = zstd::bulk::Compressor::with_dictionary(level, before).map_err(|error| failed(&error))?;
    // All of what stands before has to lie within the window.
    let window = (usize::BITS - reach.leading_zeros()).clamp(10, MAX_WINDOW);
    packer.set_parameter(CParameter::WindowLog(window)).map_err(|error| failed(&error))?;
    if reach > LARGE {
        packer.set_parameter(CParameter::EnableLongDistanceMatching(true)).map_err(|error| failed(&error))?;
    }
    packer.compress(bytes).map_err(|error| failed(&error))
}

fn unpack(packed: &[u8], before: &[u8], size: i64) -> Result<Vec<u8>, StoreError> {
    let corrupt = |error: std::io::Error| StoreError::Corrupt(format!("a kept document cannot be unpacked: {error}"));
    let size = usize::try_from(size).unwrap_or(0);
    zstd::bulk::Decompressor::with_dictionary(before).and_then(|mut unpacker| unpacker.decompress(packed, size)).map_err(corrupt)
}

pub(super) fn put(connection: &Connection, source: SourceId, at: Timestamp, evidence: &Evidence) -> Result<(), StoreError> {
    // A keyframe that was dropped just now would leave a difference that nobody can read.
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO evidence (source, at, asked, page, about, keyframe, hash, media, url, size, body)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
             WHERE ?6 IS NULL OR EXISTS (SELECT 1 FROM evidence WHERE id = ?6)",
        )?
        .execute(params![
            source.0,
            to_millis(at),
            evidence.asked,
            evidence.page,
            evidence.about,
            evidence.keyframe,
            evidence.hash,
            evidence.media,
            evidence.url,
            i64::try_from(evidence.size).unwrap_or(i64::MAX),
            evidence.packed
        ])?;
    Ok(())
}

/// A document that is still held, and the question that it answered.
#[derive(Debug, Clone)]
pub struct Held {
    pub at: Timestamp,
    pub asked: String,
    pub page: u32,
    pub about: Option<String>,
    pub url: String,
    pub media: Option<String>,
    pub bytes: Vec<u8>,
}

/// What retention dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    pub documents: u64,
    pub bytes: u64,
}

fn keyframe(connection: &Connection, id: i64) -> Result<Vec<u8>, StoreError> {
    let (packed, size) = connection
        .prepare_cached("SELECT body, size FROM evidence WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)))
        .optional()?
        .ok_or_else(|| StoreError::Corrupt("the whole document that a kept difference belongs to is missing".into()))?;
    unpack(&packed, &[], size)
}

/// Segments, the one whose newest document is oldest first: keyframe, time of the newest document, bytes.
fn segments(connection: &Connection) -> Result<Vec<(i64, i64, u64)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT coalesce(keyframe, id) AS segment, max(at), sum(length(body)) FROM evidence GROUP BY segment ORDER BY max(at), segment",
    )?;
    let segments =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))?.collect::<Result<_, _>>()?;
    Ok(segments)
}

impl Store {
    /// The newest whole document of a source at an address: what its next one can be told as a difference from.
    pub async fn keyframe(&self, source: SourceId, asked: &str) -> Result<Option<Keyframe>, StoreError> {
        let asked = asked.to_owned();
        self.read(move |connection| {
            let row = connection
                .prepare_cached(
                    "SELECT id, body, size FROM evidence WHERE source = ?1 AND asked = ?2 AND keyframe IS NULL ORDER BY at DESC LIMIT 1",
                )?
                .query_row(params![source.0, asked], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?)))
                .optional()?;
            row.map(|(id, packed, size)| Ok(Keyframe { id, packed: packed.len(), bytes: unpack(&packed, &[], size)? })).transpose()
        })
        .await
    }

    /// When a source gave the documents that are still held of it, oldest first.
    pub async fn evidence_times(&self, source: SourceId) -> Result<Vec<Timestamp>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT DISTINCT at FROM evidence WHERE source = ?1 ORDER BY at")?;
            let times = statement.query_map([source.0], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
            times.into_iter().map(from_millis).collect()
        })
        .await
    }

    /// The documents that a source gave in one poll, in the order of their pages.
    pub async fn evidence_at(&self, source: SourceId, at: Timestamp) -> Result<Vec<Held>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT asked, page, about, url, media, keyframe, body, size FROM evidence WHERE source = ?1 AND at = ?2 ORDER BY page, id",
            )?;
            let mut rows = statement.query(params![source.0, to_millis(at)])?;
            let mut held = Vec::new();
            while let Some(row) = rows.next()? {
                let before = match row.get::<_, Option<i64>>(5)? {
                    Some(id) => keyframe(connection, id)?,
                    None => Vec::new(),
                };
                let packed: Vec<u8> = row.get(6)?;
                held.push(Held {
                    at,
                    asked: row.get(0)?,
                    page: row.get(1)?,
                    about: row.get(2)?,
                    url: row.get(3)?,
                    media: row.get(4)?,
                    bytes: unpack(&packed, &before, row.get(7)?)?,
                });
            }
            Ok(held)
        })
        .await
    }

    /// Drops segments whose newest document is from before an instant, then the oldest ones until all that is held takes
    /// at most so many bytes.
    pub async fn prune_evidence(&self, before: Timestamp, most: u64) -> Result<Pruned, StoreError> {
        self.write_much(move |connection| {
            let segments = segments(connection)?;
            let mut held: u64 = segments.iter().map(|(_, _, bytes)| bytes).sum();
            let mut pruned = Pruned::default();
            let mut drop_segment = connection.prepare_cached("DELETE FROM evidence WHERE id = ?1 OR keyframe = ?1")?;
            for (segment, newest, bytes) in segments {
                if newest >= to_millis(before) && held <= most {
                    break;
                }
                pruned.documents += drop_segment.execute([segment])? as u64;
                pruned.bytes += bytes;
                held -= bytes;
            }
            Ok(pruned)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_795_500_000 + hour * 3600).unwrap()
    }

    /// A feed whose newest item is the one of that number, each item with words of its own.
    fn feed(newest: u32) -> Vec<u8> {
        let mut text = format!("<rss><channel><title>Kiln</title><lastBuildDate>{newest}</lastBuildDate>");
        for item in (newest.saturating_sub(15)..=newest).rev() {
            let words: Vec<String> =
                (0..120_u32).map(|word| format!("w{}", item.wrapping_mul(2_654_435_761).wrapping_add(word * word * 97) % 9_973)).collect();
            let _ = write!(text, "<item><title>Firing {item}</title><description>{}</description></item>", words.join(" "));
        }
        (text + "</channel></rss>").into_bytes()
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("clarion.db")).await.unwrap();
        let sources = "INSERT INTO sources (id, kind, locator, url) VALUES (1, 'rss', 'x', 'x'), (2, 'rss', 'y', 'y')";
        store.write(|connection| Ok(connection.execute(sources, [])?)).await.unwrap();
        (folder, store)
    }

    async fn keep(store: &Store, source: i64, bytes: &[u8], at: Timestamp) -> Evidence {
        let request = Request::get("https://ada.example/feed.xml");
        let document = Document::of_bytes("https://ada.example/feed.xml", bytes, at);
        let keyframe = store.keyframe(SourceId(source), &request.url).await.unwrap();
        let evidence = Evidence::of(&document, &request, 1, keyframe.as_ref()).unwrap();
        let kept = evidence.clone();
        store.write(move |connection| put(connection, SourceId(source), at, &kept)).await.unwrap();
        evidence
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_kept_comes_back_byte_for_byte_and_changes_cost_little() {
        let (_folder, store) = store().await;
        let mut whole = 0;
        let mut first = 0;
        let mut total = 0;
        for n in 0..30 {
            let evidence = keep(&store, 1, &feed(100 + n), at(i64::from(n))).await;
            whole += u32::from(evidence.keyframe.is_none());
            first = if n == 0 { evidence.packed_len() } else { first };
            total += evidence.packed_len();
        }
        assert!((2..=15).contains(&whole), "{whole} keyframes of 30");
        assert!(total < 30 * first / 2, "{total} bytes for 30 documents of {first}");
        assert_eq!(store.evidence_times(SourceId(1)).await.unwrap().len(), 30);
        for n in 0..30 {
            let held = store.evidence_at(SourceId(1), at(i64::from(n))).await.unwrap();
            assert_eq!((held.len(), held[0].bytes.as_slice()), (1, feed(100 + n).as_slice()), "{n}");
        }
        // A large document of another kind stands for itself.
        let body: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
        assert!(keep(&store, 1, &body, at(90)).await.packed_len() < 100_000);
        assert_eq!(store.evidence_at(SourceId(1), at(90)).await.unwrap()[0].bytes, body);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn retention_drops_whole_segments_and_what_is_left_can_be_read() {
        let (_folder, store) = store().await;
        for n in 0..30 {
            keep(&store, 1, &feed(100 + n), at(i64::from(n))).await;
        }
        keep(&store, 2, &feed(7), at(3)).await;
        let pruned = store.prune_evidence(at(12), u64::MAX).await.unwrap();
        assert!(pruned.documents >= 2, "{pruned:?}");
        assert!(store.evidence_times(SourceId(2)).await.unwrap().is_empty());
        let mut sizes = Vec::new();
        for most in [40_000, 12_000, 0] {
            store.prune_evidence(Timestamp::MIN, most).await.unwrap();
            let times = store.evidence_times(SourceId(1)).await.unwrap();
            for at in &times {
                assert_eq!(store.evidence_at(SourceId(1), *at).await.unwrap().len(), 1);
            }
            let held: i64 = store
                .read(|connection| Ok(connection.query_row("SELECT coalesce(sum(length(body)), 0) FROM evidence", [], |row| row.get(0))?))
                .await
                .unwrap();
            assert!(held.unsigned_abs() <= most);
            sizes.push(times.len());
        }
        assert!(sizes[0] > sizes[1] && sizes[2] == 0, "{sizes:?}");
        assert!(keep(&store, 1, &feed(200), at(99)).await.keyframe.is_none(), "a chain begins anew");
    }
}
