//! Digests: drafts and what became of them, and the sealed bytes of what was published.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::json;

use super::deliveries;
use super::desks::{self, Refresh, Taken, decide};
use super::log::{NewFact, append, meta};
use super::{Standing, Store, StoreError, from_millis, to_millis};
use crate::model::{
    ActivityId, Correction, Decision, DecisionKind, Desk, Digest, DigestState, FactKind, Gist, MarkRecord, OutcomeCode, Pool, Seq, Week,
};

/// Where a week's digest stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub week: Week,
    pub state: DigestState,
    pub draft_seq: Seq,
    /// SHA-256 of the computed draft's canonical JSON, hex.
    pub draft_hash: String,
    pub made_at: Timestamp,
    pub approved_at: Option<Timestamp>,
    pub approved_by: Option<String>,
    /// When the cooling-off is over.
    pub publish_at: Option<Timestamp>,
    pub published_at: Option<Timestamp>,
    /// The number of the last edit; 0 where there is none.
    pub revision: u32,
    /// SHA-256 over the edits that stand.
    pub edit_hash: Option<String>,
    /// The newest published edition, 0 before the first, and its hash.
    pub edition: u32,
    pub sealed: Option<String>,
}

/// The same with the digest, which is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRow {
    pub head: Head,
    /// With all edits laid over.
    pub digest: Digest,
}

impl std::ops::Deref for DigestRow {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

/// A draft to be kept.
#[derive(Debug, Clone)]
pub struct NewDraft {
    pub digest: Digest,
    pub hash: String,
    pub at: Timestamp,
    /// What could have a place in it.
    pub pool: Pool,
    /// With the edits before it laid over.
    pub desk: Desk,
    /// Set where a draft with edits is computed anew.
    pub refresh: Option<Refresh>,
}

/// The bytes of an edition, and what they were made from.
#[derive(Debug, Clone)]
pub struct Sealing {
    pub week: Week,
    pub at: Timestamp,
    /// Name of the format, SHA-256 of the bytes, the bytes.
    pub formats: Vec<(String, String, Vec<u8>)>,
    /// SHA-256 over the hashes of all formats.
    pub hash: String,
    /// The host in its id in the feed; the first edition's is kept.
    pub id_host: String,
    /// The edition that it follows, with its hash; 0 for the first.
    pub follows: (u32, Option<String>),
    /// Keys of the addresses that it links to.
    pub addresses: Vec<String>,
    /// Log place, configuration, edits, version: what it was made from.
    pub inputs: serde_json::Value,
}

/// An edition to be sealed.
#[derive(Debug, Clone)]
pub struct NewEdition {
    pub sealing: Sealing,
    pub by: String,
    pub why: EditionKind,
    pub note: Option<String>,
}

/// Where `meta` keeps the hosts in ids that were made: the feed's, and with a week behind it a week's.
const FEED_HOST: &str = "id_host";
const WEEK_HOST: &str = "id_host ";

/// Keeps an edition with the fact that tells of it, as the newest one of its week.
pub(super) fn put_sealing(connection: &Connection, draft: Seq, sealing: &Sealing) -> Result<(), StoreError> {
    let Sealing { week, at, formats, hash, id_host, follows, addresses, inputs } = sealing;
    let number = follows.0 + 1;
    if number == 1 {
        for key in [FEED_HOST.to_owned(), format!("{WEEK_HOST}{week}")] {
            connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)", params![key, id_host])?;
        }
    }
    let hashes: BTreeMap<&str, &str> = formats.iter().map(|(format, hash, _)| (format.as_str(), hash.as_str())).collect();
    let detail =
        json!({ "edition": number, "hash": hash, "follows": follows.1, "draft": draft, "inputs": inputs, "sha256": hashes }).to_string();
    append(connection, &NewFact { at: *at, kind: FactKind::DigestSealed, subject: week.to_string(), detail, payload: None })?;
    for (format, hash, bytes) in formats {
        connection.execute(
            "INSERT INTO editions (week, edition, format, hash, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![week.to_string(), number, format, hash, bytes],
        )?;
    }
    connection.execute(
        "UPDATE digests SET state = 'published', published_at = coalesce(published_at, ?2), edition = ?3, sealed = ?4 WHERE week = ?1",
        params![week.to_string(), to_millis(*at), number, hash],
    )?;
    if number > 1 {
        deliveries::write_files_again(connection, *week, *at)?;
    }
    for key in addresses {
        connection.execute("INSERT OR IGNORE INTO featured_addresses (key, week) VALUES (?1, ?2)", params![key, week.to_string()])?;
    }
    Ok(())
}

/// An approval to be recorded.
#[derive(Debug, Clone)]
pub struct NewApproval {
    pub week: Week,
    /// Of the computed draft.
    pub hash: String,
    pub revision: u32,
    pub by: String,
    pub note: Option<String>,
    pub now: Timestamp,
    pub publish_at: Timestamp,
    /// What is marked with it: warnings that are accepted, works that were opened.
    pub marks: Vec<MarkRecord>,
}

/// Why an edition is made.
#[derive(Debug, Clone)]
pub enum EditionKind {
    /// The first one; with the digest as it is sealed where that is not quite the draft that was approved.
    Publication { digest: Option<Box<Digest>> },
    /// A mistake is put right in words.
    Correction { text: String },
    /// A work is taken out; with the digest as it stands then. The bytes of earlier editions go.
    Removal { work: ActivityId, reason: String, text: String, digest: Box<Digest> },
}

/// The sealed bytes of a published digest, by format name.
#[derive(Debug, Clone, Default)]
pub struct Edition {
    pub number: u32,
    /// Format name to its bytes.
    pub formats: BTreeMap<String, Vec<u8>>,
}

const COLUMNS: &str = "digests.week, state, draft_seq, draft_hash, made_at, approved_at, approved_by, publish_at, published_at, edition, \
                       sealed, desks.revision, desks.edit_hash";
const WITH_BODY: &str = "FROM digests LEFT JOIN desks ON desks.week = digests.week LEFT JOIN payload ON payload.seq = draft_seq";

fn state_in(text: &str) -> Result<DigestState, StoreError> {
    Ok(match text {
        "draft" => DigestState::Draft,
        "in_review" => DigestState::InReview,
        "approved" => DigestState::Approved,
        "published" => DigestState::Published,
        other => return Err(StoreError::Broken(format!("a digest is in unknown state `{other}`"))),
    })
}

/// What [`COLUMNS`] say.
fn head_in(row: &rusqlite::Row<'_>) -> Result<Head, StoreError> {
    let instant = |column: usize| row.get::<_, Option<i64>>(column)?.map(from_millis).transpose();
    let state = state_in(row.get_ref(1)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?)?;
    Ok(Head {
        week: row.get::<_, String>(0)?.parse().map_err(|error| StoreError::Broken(format!("{error}")))?,
        state,
        draft_seq: Seq(row.get(2)?),
        draft_hash: row.get(3)?,
        made_at: from_millis(row.get(4)?)?,
        approved_at: instant(5)?,
        approved_by: row.get(6)?,
        publish_at: instant(7)?,
        published_at: instant(8)?,
        edition: row.get(9)?,
        sealed: row.get(10)?,
        revision: row.get::<_, Option<u32>>(11)?.unwrap_or(0),
        edit_hash: row.get(12)?,
    })
}

/// Where a week stands, without its digest.
pub(super) fn head(connection: &Connection, week: Week) -> Result<Option<Head>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM digests LEFT JOIN desks ON desks.week = digests.week WHERE digests.week = ?1");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([week.to_string()])?;
    rows.next()?.map(head_in).transpose()
}

/// What [`COLUMNS`] say, with the digest after them.
fn digest_in(row: &rusqlite::Row<'_>) -> Result<DigestRow, StoreError> {
    let head = head_in(row)?;
    let body: Option<String> = row.get(13)?;
    let body = body.ok_or_else(|| StoreError::Broken(format!("the draft of {} has lost its text", head.week)))?;
    Ok(DigestRow { head, digest: serde_json::from_str(&body)? })
}

/// The digest that lies on a desk.
#[derive(Deserialize)]
struct OnDesk {
    digest: Digest,
}

fn week_in(text: &str) -> Result<Week, StoreError> {
    text.parse().map_err(|error| StoreError::Broken(format!("{error}")))
}

fn find(connection: &Connection, week: Week) -> Result<Option<DigestRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, coalesce(desks.body, payload.body) {WITH_BODY} WHERE digests.week = ?1");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([week.to_string()])?;
    rows.next()?.map(digest_in).transpose()
}

impl Store {
    /// The digest of a week, where a draft was made.
    pub async fn digest(&self, week: Week) -> Result<Option<DigestRow>, StoreError> {
        self.read(move |connection| find(connection, week)).await
    }

    /// Where the digest of a week stands, where a draft was made.
    pub async fn head(&self, week: Week) -> Result<Option<Head>, StoreError> {
        self.read(move |connection| head(connection, week)).await
    }

    /// All digests whole, newest week first. They are large.
    pub async fn digests(&self) -> Result<Vec<DigestRow>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("SELECT {COLUMNS}, coalesce(desks.body, payload.body) {WITH_BODY} ORDER BY digests.week DESC"))?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(digest_in(row)?);
            }
            Ok(found)
        })
        .await
    }

    /// What later weeks and figures ask of all digests, newest week first, each with where it stands.
    pub async fn gists(&self) -> Result<Vec<(Week, DigestState, Gist)>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT digests.week, state, gist FROM digests JOIN desks USING (week) ORDER BY week DESC")?;
            let mut rows = statement.query([])?;
            let mut gists = Vec::new();
            while let Some(row) = rows.next()? {
                let gist = row.get_ref(2)?.as_str().map_err(|error| StoreError::Broken(error.to_string()))?;
                gists.push((week_in(&row.get::<_, String>(0)?)?, state_in(&row.get::<_, String>(1)?)?, serde_json::from_str(gist)?));
            }
            Ok(gists)
        })
        .await
    }

    /// All published digests, newest week first: of outcomes, the late shelf alone. Each with what figures ask of it.
    pub async fn published(&self) -> Result<Vec<(DigestRow, Gist)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, desk, gist FROM digests JOIN desks ON desks.week = digests.week
                 WHERE state = 'published' ORDER BY digests.week DESC"
            ))?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let text = |column| row.get_ref(column)?.as_str().map_err(|error| StoreError::Broken(error.to_string()));
                let desk: OnDesk = serde_json::from_str(text(13)?)?;
                found.push((DigestRow { head: head_in(row)?, digest: desk.digest }, serde_json::from_str(text(14)?)?));
            }
            Ok(found)
        })
        .await
    }

    /// What published digests said of activities, oldest week first.
    pub async fn verdicts(&self, activities: Vec<ActivityId>) -> Result<HashMap<ActivityId, Vec<(Week, OutcomeCode)>>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT week, code FROM verdicts WHERE activity = ?1 ORDER BY week")?;
            let mut verdicts = HashMap::new();
            for activity in activities {
                let rows = statement
                    .query_map([activity.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
                    .collect::<Result<Vec<_>, _>>()?;
                let told = rows
                    .into_iter()
                    .map(|(week, code)| Ok((week_in(&week)?, serde_json::from_value(serde_json::Value::String(code))?)))
                    .collect::<Result<Vec<_>, StoreError>>()?;
                if !told.is_empty() {
                    verdicts.insert(activity, told);
                }
            }
            Ok(verdicts)
        })
        .await
    }

    /// The published weeks, newest first, each with the number of its newest edition: what was read once need not be read
    /// again.
    pub async fn published_weeks(&self) -> Result<Vec<(Week, u32)>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT week, edition FROM digests WHERE state = 'published' ORDER BY week DESC")?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?.collect::<Result<Vec<_>, rusqlite::Error>>()?;
            rows.into_iter()
                .map(|(week, edition)| Ok((week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?, edition)))
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

    /// Keeps a draft. An approved or published digest is not replaced, and one with edits only by a refresh that knows
    /// the last of them.
    pub async fn put_draft(&self, draft: NewDraft) -> Result<Taken, StoreError> {
        self.write_safely(move |connection| {
            let week = draft.digest.week;
            let mut revision = 0;
            let mut state = "draft";
            if let Some(head) = head(connection, week)? {
                if matches!(head.state, DigestState::Approved | DigestState::Published) {
                    return Err(StoreError::Refused(format!("the digest of {week} is {} already", head.state.as_str())));
                }
                match &draft.refresh {
                    None if head.revision > 0 => return Ok(Taken::Clash(head.revision)),
                    None => {}
                    Some(refresh) if refresh.on != head.revision || refresh.draft != head.draft_seq => {
                        return Ok(Taken::Clash(head.revision));
                    }
                    Some(refresh) => {
                        revision = desks::put_refresh(connection, week, refresh, draft.at)?.revision;
                        state = "in_review";
                    }
                }
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
                "INSERT OR REPLACE INTO digests (week, state, draft_seq, draft_hash, made_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![week.to_string(), state, seq.0, draft.hash, to_millis(draft.at)],
            )?;
            desks::put_pool(connection, seq, &draft.pool)?;
            let edit_hash = draft.refresh.as_ref().and_then(|refresh| refresh.edit_hash.as_deref());
            desks::put_desk(connection, week, revision, edit_hash, &draft.desk)?;
            Ok(Taken::Done(revision))
        })
        .await
    }

    /// Records an approval of the draft with that hash and revision; it may be published from `publish_at` on. What is
    /// marked with it is kept only if the approval is.
    pub async fn approve(&self, approval: NewApproval) -> Result<Taken, StoreError> {
        self.write_safely(move |connection| {
            let NewApproval { week, hash, revision, by, note, now, publish_at, marks } = approval;
            let row = head(connection, week)?.ok_or_else(|| desks::missing(week))?;
            match row.state {
                DigestState::Published => return Err(StoreError::Refused(format!("the digest of {week} is published already"))),
                DigestState::Approved => return Err(StoreError::Refused(format!("the digest of {week} is approved already"))),
                DigestState::Draft | DigestState::InReview | DigestState::Collecting => {}
            }
            if row.draft_hash != hash || row.revision != revision {
                return Ok(Taken::Clash(row.revision));
            }
            for record in &marks {
                desks::put_mark(connection, week, record)?;
            }
            let decision = Decision { by: by.clone(), what: DecisionKind::Approve { week, draft: hash }, note };
            decide(connection, &decision, week, now)?;
            connection.execute(
                "UPDATE digests SET state = 'approved', approved_at = ?2, approved_by = ?3, publish_at = ?4 WHERE week = ?1",
                params![week.to_string(), to_millis(now), by, to_millis(publish_at)],
            )?;
            Ok(Taken::Done(revision))
        })
        .await
    }

    /// Seals an edition: the first of an approved digest, or one that follows. Its bytes never change from then on.
    pub async fn seal(&self, edition: NewEdition) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let NewEdition { sealing, by, why, note } = edition;
            let (week, at, follows) = (sealing.week, sealing.at, sealing.follows.0);
            let row = head(connection, week)?.ok_or_else(|| desks::missing(week))?;
            let first = matches!(why, EditionKind::Publication { .. });
            match row.state {
                DigestState::Published if first => {
                    return Err(StoreError::Refused(format!("the digest of {week} is published already")));
                }
                DigestState::Published => {}
                DigestState::Approved if first => {}
                _ if first => {
                    return Err(Standing::NotApproved(week).into());
                }
                _ => {
                    return Err(StoreError::Refused(format!(
                        "the digest of {week} is not published yet: edit its draft, there is nothing to put right"
                    )));
                }
            }
            if row.edition != follows {
                return Err(StoreError::Refused(format!("another edition of {week} was sealed meanwhile: try again")));
            }
            let what = match &why {
                EditionKind::Publication { .. } => DecisionKind::Publish { week },
                EditionKind::Correction { text } => DecisionKind::Correct { week, text: text.clone() },
                EditionKind::Removal { work, reason, .. } => DecisionKind::Remove { week, work: work.clone(), reason: reason.clone() },
            };
            let decided = decide(connection, &Decision { by, what, note }, week, at)?;
            if first && let Some(row) = find(connection, week)? {
                desks::put_verdicts(connection, &row.digest)?;
            }
            put_sealing(connection, row.draft_seq, &sealing)?;
            let told = match &why {
                EditionKind::Publication { .. } => None,
                EditionKind::Correction { text } | EditionKind::Removal { text, .. } => Some(text),
            };
            if let Some(text) = told {
                connection.execute(
                    "INSERT INTO corrections (seq, week, at, text) VALUES (?1, ?2, ?3, ?4)",
                    params![decided.0, week.to_string(), to_millis(at), text],
                )?;
            }
            if let EditionKind::Publication { digest: Some(digest) } = &why {
                desks::put_published(connection, week, digest)?;
            }
            if let EditionKind::Removal { digest, .. } = &why {
                // The bytes go; their hashes stay in the log.
                connection.execute("DELETE FROM editions WHERE week = ?1 AND edition < ?2", params![week.to_string(), follows + 1])?;
                desks::put_published(connection, week, digest)?;
                deliveries::plan_anew(connection, week)?;
            }
            Ok(())
        })
        .await
    }

    /// All that was taken out of published digests.
    pub async fn removed_works(&self) -> Result<BTreeSet<ActivityId>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT body FROM log JOIN payload USING (seq) WHERE kind = 'Decision'
                   AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled') AND body LIKE '%\"decision\":\"remove\"%'",
            )?;
            let bodies = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            let mut removed = BTreeSet::new();
            for body in bodies {
                if let DecisionKind::Remove { work, .. } = serde_json::from_str::<Decision>(&body)?.what {
                    removed.insert(work);
                }
            }
            Ok(removed)
        })
        .await
    }

    /// Corrections made between two instants, the first left out, oldest first.
    pub async fn corrections(&self, after: Timestamp, until: Timestamp) -> Result<Vec<Correction>, StoreError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT week, at, text FROM corrections WHERE at > ?1 AND at <= ?2 ORDER BY at, seq")?;
            let rows = statement
                .query_map([to_millis(after), to_millis(until)], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()?;
            rows.into_iter()
                .map(|(week, at, text)| {
                    let week = week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?;
                    Ok(Correction { week, at: from_millis(at)?, text })
                })
                .collect()
        })
        .await
    }

    /// The hosts in ids that were made: of the feed, and of each published week.
    pub async fn id_hosts(&self) -> Result<(Option<String>, BTreeMap<Week, String>), StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT key, value FROM meta WHERE key >= ?1 AND key < ?2")?;
            let rows = statement.query_map([WEEK_HOST, "id_host!"], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let mut weeks = BTreeMap::new();
            for row in rows {
                let (key, host) = row?;
                weeks.extend(key.strip_prefix(WEEK_HOST).and_then(|week| week.parse().ok()).map(|week: Week| (week, host)));
            }
            Ok((meta(connection, FEED_HOST)?, weeks))
        })
        .await
    }

    /// Of these address keys, those that one of the last so many published digests before a week linked to, with that week.
    pub async fn seen_addresses(&self, keys: Vec<String>, before: Week, digests: u32) -> Result<Vec<(String, Week)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT max(week) FROM featured_addresses WHERE key = ?1 AND week IN
                   (SELECT week FROM digests WHERE state = 'published' AND week < ?2 ORDER BY week DESC LIMIT ?3)",
            )?;
            let mut seen = Vec::new();
            for key in keys {
                let week: Option<String> = statement.query_row(params![key, before.to_string(), digests], |row| row.get(0))?;
                if let Some(week) = week {
                    seen.push((key, week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?));
                }
            }
            Ok(seen)
        })
        .await
    }

    /// When the last digest before an instant was published.
    pub async fn published_before(&self, at: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |connection| {
            let last: Option<i64> =
                connection.query_row("SELECT max(published_at) FROM digests WHERE published_at < ?1", [to_millis(at)], |row| row.get(0))?;
            last.map(from_millis).transpose()
        })
        .await
    }

    /// What each edition of a week was made from, oldest first: the details of its `DigestSealed`.
    pub async fn editions(&self, week: Week) -> Result<Vec<serde_json::Value>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT detail FROM log WHERE kind = 'DigestSealed'
                   AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled') AND subject = ?1 ORDER BY seq",
            )?;
            let details = statement.query_map([week.to_string()], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            details.iter().map(|detail| serde_json::from_str(detail).map_err(StoreError::from)).collect()
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
