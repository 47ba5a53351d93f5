//! Digests: drafts and what became of them, and the sealed bytes of what was published.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::log::{NewFact, append};
use super::{Store, StoreError, from_millis, to_millis};
use crate::model::{Decision, DecisionKind, Digest, DigestState, FactKind, Seq, Week};

/// Where a week's digest stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRow {
    pub week: Week,
    pub state: DigestState,
    pub draft_seq: Seq,
    /// SHA-256 of the draft's canonical JSON, hex.
    pub draft_hash: String,
    pub made_at: Timestamp,
    pub approved_at: Option<Timestamp>,
    pub approved_by: Option<String>,
    /// When the cooling-off is over.
    pub publish_at: Option<Timestamp>,
    pub published_at: Option<Timestamp>,
    pub digest: Digest,
}

/// A draft to be kept.
#[derive(Debug, Clone)]
pub struct NewDraft {
    pub digest: Digest,
    pub hash: String,
    pub at: Timestamp,
}

/// The sealed bytes of a published digest, by format name.
#[derive(Debug, Clone, Default)]
pub struct Edition {
    pub number: u32,
    /// Format name to its bytes.
    pub formats: BTreeMap<String, Vec<u8>>,
}

type RawRow = (String, String, i64, String, i64, Option<i64>, Option<String>, Option<i64>, Option<i64>, Option<String>);

const COLUMNS: &str = "week, state, draft_seq, draft_hash, made_at, approved_at, approved_by, publish_at, published_at, body";

fn raw(row: &rusqlite::Row<'_>) -> Result<RawRow, rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?))
}

fn digest_row(raw: RawRow) -> Result<DigestRow, StoreError> {
    let (week, state, draft_seq, draft_hash, made_at, approved_at, approved_by, publish_at, published_at, body) = raw;
    let instant = |millis: Option<i64>| millis.map(from_millis).transpose();
    let state = match state.as_str() {
        "draft" => DigestState::Draft,
        "in_review" => DigestState::InReview,
        "approved" => DigestState::Approved,
        "published" => DigestState::Published,
        other => return Err(StoreError::Broken(format!("a digest is in unknown state `{other}`"))),
    };
    let body = body.ok_or_else(|| StoreError::Broken(format!("the draft of {week} has lost its text")))?;
    Ok(DigestRow {
        week: week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?,
        state,
        draft_seq: Seq(draft_seq),
        draft_hash,
        made_at: from_millis(made_at)?,
        approved_at: instant(approved_at)?,
        approved_by,
        publish_at: instant(publish_at)?,
        published_at: instant(published_at)?,
        digest: serde_json::from_str(&body)?,
    })
}

fn find(connection: &Connection, week: Week) -> Result<Option<DigestRow>, StoreError> {
    let row = connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM digests LEFT JOIN payload ON payload.seq = draft_seq WHERE week = ?1"),
            [week.to_string()],
            raw,
        )
        .optional()?;
    row.map(digest_row).transpose()
}

fn decide(connection: &Connection, decision: &Decision, subject: String, at: Timestamp) -> Result<Seq, StoreError> {
    let fact = NewFact { at, kind: FactKind::Decision, subject, detail: String::new(), payload: Some(serde_json::to_string(decision)?) };
    append(connection, &fact)
}

impl Store {
    /// The digest of a week, where a draft was made.
    pub async fn digest(&self, week: Week) -> Result<Option<DigestRow>, StoreError> {
        self.read(move |connection| find(connection, week)).await
    }

    /// All digests, newest week first.
    pub async fn digests(&self) -> Result<Vec<DigestRow>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM digests LEFT JOIN payload ON payload.seq = draft_seq ORDER BY week DESC"
            ))?;
            let rows = statement.query_map([], raw)?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().map(digest_row).collect()
        })
        .await
    }

    /// The published weeks, newest first, each with the place of its draft: what was read once need not be read again.
    pub async fn published_weeks(&self) -> Result<Vec<(Week, Seq)>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT week, draft_seq FROM digests WHERE state = 'published' ORDER BY week DESC")?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?.collect::<Result<Vec<_>, rusqlite::Error>>()?;
            rows.into_iter()
                .map(|(week, seq)| Ok((week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?, Seq(seq))))
                .collect()
        })
        .await
    }

    /// Weeks whose approved digest may go out at an instant, each with who approved it.
    pub async fn weeks_to_publish(&self, now: Timestamp) -> Result<Vec<(Week, Option<String>)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT week, approved_by FROM digests WHERE state = 'approved' AND publish_at <= ?1 ORDER BY week DESC")?;
            let rows = statement
                .query_map([to_millis(now)], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()?;
            rows.into_iter().map(|(week, by)| Ok((week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?, by))).collect()
        })
        .await
    }

    /// Keeps a draft. An approved or published digest is not replaced.
    pub async fn put_draft(&self, draft: NewDraft) -> Result<Seq, StoreError> {
        self.write_safely(move |connection| {
            let week = draft.digest.week;
            if let Some(row) = find(connection, week)?
                && matches!(row.state, DigestState::Approved | DigestState::Published)
            {
                return Err(StoreError::Refused(format!("the digest of {week} is {} already", row.state.as_str())));
            }
            let digest = &draft.digest;
            let detail = json!({
                "cutoff_at": digest.cutoff_at, "cutoff_seq": digest.cutoff_seq, "config_hash": digest.config_hash,
                "rules_version": digest.rules_version, "draft_hash": draft.hash, "late": digest.late,
            });
            let fact = NewFact {
                at: draft.at,
                kind: FactKind::DraftMade,
                subject: week.to_string(),
                detail: detail.to_string(),
                payload: Some(serde_json::to_string(digest)?),
            };
            let seq = append(connection, &fact)?;
            connection.execute(
                "INSERT OR REPLACE INTO digests (week, state, draft_seq, draft_hash, made_at) VALUES (?1, 'draft', ?2, ?3, ?4)",
                params![week.to_string(), seq.0, draft.hash, to_millis(draft.at)],
            )?;
            Ok(seq)
        })
        .await
    }

    /// Records an approval of the draft with that hash; it may be published from `publish_at` on.
    pub async fn approve(
        &self,
        week: Week,
        hash: String,
        by: String,
        note: Option<String>,
        now: Timestamp,
        publish_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let row = find(connection, week)?.ok_or_else(|| {
                StoreError::Refused(format!("there is no draft of {week} yet: make it with `clarion digest draft {week}`"))
            })?;
            match row.state {
                DigestState::Published => return Err(StoreError::Refused(format!("the digest of {week} is published already"))),
                DigestState::Approved => return Err(StoreError::Refused(format!("the digest of {week} is approved already"))),
                DigestState::Draft | DigestState::InReview => {}
            }
            if row.draft_hash != hash {
                return Err(StoreError::Refused(format!("the draft of {week} changed meanwhile: look at it again")));
            }
            let decision = Decision { by: by.clone(), what: DecisionKind::Approve { week, draft: hash }, note };
            decide(connection, &decision, week.to_string(), now)?;
            connection.execute(
                "UPDATE digests SET state = 'approved', approved_at = ?2, approved_by = ?3, publish_at = ?4 WHERE week = ?1",
                params![week.to_string(), to_millis(now), by, to_millis(publish_at)],
            )?;
            Ok(())
        })
        .await
    }

    /// Seals the bytes of an approved digest. They never change from then on.
    pub async fn seal(&self, week: Week, by: String, formats: Vec<(String, String, Vec<u8>)>, now: Timestamp) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let row = find(connection, week)?.ok_or_else(|| StoreError::Refused(format!("there is no draft of {week} yet")))?;
            match row.state {
                DigestState::Published => return Err(StoreError::Refused(format!("the digest of {week} is published already"))),
                DigestState::Approved => {}
                DigestState::Draft | DigestState::InReview => {
                    return Err(StoreError::Refused(format!(
                        "the digest of {week} is not approved: nothing is published without `clarion digest approve {week}`"
                    )));
                }
            }
            let decision = Decision { by, what: DecisionKind::Publish { week }, note: None };
            decide(connection, &decision, week.to_string(), now)?;
            let hashes: BTreeMap<&str, &str> = formats.iter().map(|(format, hash, _)| (format.as_str(), hash.as_str())).collect();
            let detail = json!({"edition": 1, "draft": row.draft_seq, "sha256": hashes}).to_string();
            append(connection, &NewFact { at: now, kind: FactKind::DigestSealed, subject: week.to_string(), detail, payload: None })?;
            for (format, hash, bytes) in &formats {
                connection.execute(
                    "INSERT INTO editions (week, edition, format, hash, bytes) VALUES (?1, 1, ?2, ?3, ?4)",
                    params![week.to_string(), format, hash, bytes],
                )?;
            }
            connection.execute(
                "UPDATE digests SET state = 'published', published_at = ?2 WHERE week = ?1",
                params![week.to_string(), to_millis(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest sealed bytes of a week in one format.
    pub async fn sealed(&self, week: Week, format: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let format = format.to_owned();
        self.read(move |connection| {
            Ok(connection
                .query_row(
                    "SELECT bytes FROM editions WHERE week = ?1 AND format = ?2 ORDER BY edition DESC LIMIT 1",
                    params![week.to_string(), format],
                    |row| row.get(0),
                )
                .optional()?)
        })
        .await
    }
}
