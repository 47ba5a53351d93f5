//! What editors did with drafts: edits and marks, and the desk as it stands after them.
//!
//! An edit is taken only on the revision that it was made on, in one transaction with the fact that tells of it. So of
//! two people who edit at once the second is refused, and nothing of the first is lost.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::digests::{Head, head};
use super::log::{NewFact, append};
use super::{Standing, Store, StoreError};
use crate::model::{
    ActivityId, Contender, Decision, DecisionKind, Desk, Digest, DigestState, Edit, EditRecord, FactKind, Gist, Mark, MarkRecord, Pool,
    Seq, Week,
};

/// Where a week's draft stands, with what lies on its desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskRow {
    pub head: Head,
    /// Of the digest's outcomes, those of its late shelf alone.
    pub desk: Desk,
}

/// A draft and all that edits are laid over it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftParts {
    pub head: Head,
    /// As computed.
    pub base: Digest,
    pub pool: Pool,
    pub edits: Vec<EditRecord>,
}

/// The desk after an edit, to be kept with it.
#[derive(Debug, Clone)]
pub struct NewEdit {
    pub week: Week,
    /// The revision that it was made on, and the draft.
    pub on: u32,
    pub draft: Seq,
    pub by: String,
    pub at: Timestamp,
    pub note: Option<String>,
    pub edit: Edit,
    /// In words.
    pub text: String,
    pub desk: Desk,
    pub edit_hash: Option<String>,
    /// Decisions about works that follow from it.
    pub beside: Vec<DecisionKind>,
    /// Works that it brings among those that could have a place.
    pub brought: Vec<Contender>,
}

/// Whether something was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// With this revision.
    Done(u32),
    /// Somebody else was first: the revision is this one now.
    Clash(u32),
}

/// The desk as kept: small, for pages; what later weeks ask of it; and the digest whole.
pub(super) fn put_desk(connection: &Connection, week: Week, revision: u32, edit_hash: Option<&str>, desk: &Desk) -> Result<(), StoreError> {
    let body = if revision == 0 { None } else { Some(serde_json::to_string(&desk.digest)?) };
    let gist = serde_json::to_string(&Gist::of(&desk.digest))?;
    connection.execute(
        "INSERT OR REPLACE INTO desks (week, revision, edit_hash, desk, gist, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![week.to_string(), revision, edit_hash, serde_json::to_string(&small(desk))?, gist, body],
    )?;
    Ok(())
}

/// A desk without what pages do not show.
fn small(desk: &Desk) -> Desk {
    let mut digest = desk.digest.clone();
    digest.keep_late_shelf();
    Desk { digest, ..desk.clone() }
}

/// The desk of a published digest that is another one now.
pub(super) fn put_published_desk(connection: &Connection, desk: &Desk) -> Result<(), StoreError> {
    let digest = &desk.digest;
    connection.execute(
        "UPDATE desks SET desk = ?2, gist = ?3, body = ?4 WHERE week = ?1",
        params![
            digest.week.to_string(),
            serde_json::to_string(&small(desk))?,
            serde_json::to_string(&Gist::of(digest))?,
            serde_json::to_string(digest)?
        ],
    )?;
    put_verdicts(connection, digest)
}

/// What editors see of a published digest of which something was taken out.
pub(super) fn put_published(connection: &Connection, week: Week, digest: &Digest) -> Result<(), StoreError> {
    let desk: Option<String> =
        connection.query_row("SELECT desk FROM desks WHERE week = ?1", [week.to_string()], |row| row.get(0)).optional()?;
    let Some(desk) = desk else { return Ok(()) };
    let mut desk: Desk = serde_json::from_str(&desk)?;
    let gone: Vec<&ActivityId> = digest.picks().filter(|pick| pick.removed.is_some()).map(|pick| &pick.work).collect();
    desk.rewordings.retain(|rewording| !gone.contains(&&rewording.work));
    desk.others.retain(|work, _| !gone.contains(&work));
    desk.digest = digest.clone();
    put_published_desk(connection, &desk)
}

/// What a published digest says of each activity: builders' pages ask for a few of them at a time.
pub(super) fn put_verdicts(connection: &Connection, digest: &Digest) -> Result<(), StoreError> {
    let week = digest.week.to_string();
    let mut verdicts: Vec<(&str, &str)> = Vec::new();
    for outcome in &digest.outcomes {
        verdicts.extend(outcome.members.iter().map(|activity| (activity.as_str(), outcome.code.as_str())));
    }
    // In the order of the table, so that each of its pages is touched once.
    verdicts.sort_unstable();
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO verdicts (activity, week, code) VALUES (?1, ?2, ?3)")?;
    for (activity, code) in verdicts {
        statement.execute(params![activity, week, code])?;
    }
    Ok(())
}

/// Packs the works that could have a place; there are many, and only edits ask for them.
pub(super) fn put_pool(connection: &Connection, draft: Seq, pool: &Pool) -> Result<(), StoreError> {
    let packed = zstd::encode_all(serde_json::to_string(pool)?.as_bytes(), 3).map_err(|error| StoreError::Broken(error.to_string()))?;
    connection.execute("INSERT OR REPLACE INTO pools (draft, body) VALUES (?1, ?2)", params![draft.0, packed])?;
    Ok(())
}

/// The works that could have a place in a draft.
pub(super) fn pool(connection: &Connection, draft: Seq) -> Result<Option<Pool>, StoreError> {
    let packed: Option<Vec<u8>> =
        connection.query_row("SELECT body FROM pools WHERE draft = ?1", [draft.0], |row| row.get(0)).optional()?;
    let Some(packed) = packed else { return Ok(None) };
    let json = zstd::decode_all(packed.as_slice()).map_err(|error| StoreError::Broken(error.to_string()))?;
    Ok(Some(serde_json::from_slice(&json)?))
}

/// Keeps an edit beside the fact that tells of it.
pub(super) fn put_edit(connection: &Connection, week: Week, seq: Seq, record: &EditRecord) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO edits (week, revision, seq, body) VALUES (?1, ?2, ?3, ?4)",
        params![week.to_string(), record.revision, seq.0, serde_json::to_string(record)?],
    )?;
    Ok(())
}

fn edits(connection: &Connection, week: Week) -> Result<Vec<EditRecord>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT body FROM edits WHERE week = ?1 ORDER BY revision")?;
    let bodies = statement.query_map([week.to_string()], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut edits = bodies.iter().map(|body| serde_json::from_str::<EditRecord>(body)).collect::<Result<Vec<_>, _>>()?;
    mark_undone(&mut edits);
    Ok(edits)
}

fn mark_undone(edits: &mut [EditRecord]) {
    let undone: Vec<(u32, u32)> = edits
        .iter()
        .filter_map(|record| if let Edit::Undo { revision } = record.what { Some((revision, record.revision)) } else { None })
        .collect();
    for (revision, by) in undone {
        if let Some(record) = edits.iter_mut().find(|record| record.revision == revision) {
            record.undone_by = Some(by);
        }
    }
}

/// Refuses where the draft does not change any more.
pub(super) fn editable(head: &Head) -> Result<(), StoreError> {
    let week = head.week;
    match head.state {
        DigestState::Draft | DigestState::InReview | DigestState::Collecting => Ok(()),
        DigestState::Approved => Err(Standing::Approved(week).into()),
        DigestState::Published => Err(Standing::Published(week).into()),
    }
}

pub(super) fn missing(week: Week) -> StoreError {
    Standing::NoDraft(week).into()
}

pub(super) fn decide(connection: &Connection, decision: &Decision, week: Week, at: Timestamp) -> Result<Seq, StoreError> {
    let payload = Some(serde_json::to_string(decision)?);
    append(connection, &NewFact { at, kind: FactKind::Decision, subject: week.to_string(), detail: String::new(), payload })
}

/// Keeps a mark with the fact that tells of it.
pub(super) fn put_mark(connection: &Connection, week: Week, record: &MarkRecord) -> Result<Seq, StoreError> {
    let what = DecisionKind::Mark { week, what: record.what.clone() };
    let seq = decide(connection, &Decision { by: record.by.clone(), what, note: record.note.clone() }, week, record.at)?;
    connection.execute(
        "INSERT INTO marks (seq, week, body) VALUES (?1, ?2, ?3)",
        params![seq.0, week.to_string(), serde_json::to_string(record)?],
    )?;
    Ok(seq)
}

impl Store {
    /// Where a week stands and what lies on its desk.
    pub async fn desk(&self, week: Week) -> Result<Option<DeskRow>, StoreError> {
        self.read(move |connection| {
            let Some(head) = head(connection, week)? else { return Ok(None) };
            let desk: Option<String> =
                connection.query_row("SELECT desk FROM desks WHERE week = ?1", [week.to_string()], |row| row.get(0)).optional()?;
            let desk = desk.ok_or_else(|| StoreError::Broken(format!("the draft of {week} has no desk")))?;
            Ok(Some(DeskRow { head, desk: serde_json::from_str(&desk)? }))
        })
        .await
    }

    /// A draft as computed; `None` while it is still as it was computed.
    pub async fn draft_before_edits(&self, week: Week) -> Result<Option<Digest>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT payload.body FROM digests JOIN desks USING (week) JOIN payload ON payload.seq = draft_seq
                       WHERE week = ?1 AND desks.body IS NOT NULL";
            let base: Option<String> = connection.query_row(sql, [week.to_string()], |row| row.get(0)).optional()?;
            base.map(|base| serde_json::from_str(&base).map_err(StoreError::from)).transpose()
        })
        .await
    }

    /// A draft as computed, with what could have a place in it and its edits.
    pub async fn draft_parts(&self, week: Week) -> Result<Option<DraftParts>, StoreError> {
        self.read(move |connection| {
            let Some(head) = head(connection, week)? else { return Ok(None) };
            let base: Option<String> =
                connection.query_row("SELECT body FROM payload WHERE seq = ?1", [head.draft_seq.0], |row| row.get(0)).optional()?;
            let base = base.ok_or_else(|| StoreError::Broken(format!("the draft of {week} has lost its text")))?;
            let pool = pool(connection, head.draft_seq)?;
            let pool = pool.ok_or_else(|| StoreError::Broken(format!("the draft of {week} has lost its candidates")))?;
            Ok(Some(DraftParts { base: serde_json::from_str(&base)?, pool, edits: edits(connection, week)?, head }))
        })
        .await
    }

    /// The edits of a week, in order; those that were taken back say by which.
    pub async fn edits(&self, week: Week) -> Result<Vec<EditRecord>, StoreError> {
        self.read(move |connection| edits(connection, week)).await
    }

    /// Works that editors hold, by the edits of all weeks but one.
    pub async fn holds(&self, but: Week) -> Result<Vec<(ActivityId, Week)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT DISTINCT week FROM edits WHERE week <> ?1 ORDER BY week")?;
            let weeks = statement.query_map([but.to_string()], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            let mut holds = Vec::new();
            for week in weeks {
                let week: Week = week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?;
                for record in edits(connection, week)?.into_iter().filter(|record| record.undone_by.is_none()) {
                    if let Edit::Hold { work, until } = record.what {
                        holds.push((work, until));
                    }
                }
            }
            Ok(holds)
        })
        .await
    }

    /// Takes an edit, unless the draft moved since it was thought of.
    pub async fn record_edit(&self, new: NewEdit) -> Result<Taken, StoreError> {
        self.write_safely(move |connection| {
            let week = new.week;
            let head = head(connection, week)?.ok_or_else(|| missing(week))?;
            editable(&head)?;
            if head.revision != new.on || head.draft_seq != new.draft {
                return Ok(Taken::Clash(head.revision));
            }
            let record = EditRecord {
                revision: new.on + 1,
                at: new.at,
                by: new.by.clone(),
                what: new.edit.clone(),
                note: new.note.clone(),
                undone_by: None,
                text: new.text.clone(),
            };
            let what = DecisionKind::Edit { week, revision: record.revision, what: new.edit.clone() };
            let seq = decide(connection, &Decision { by: new.by.clone(), what, note: new.note.clone() }, week, new.at)?;
            for what in &new.beside {
                let decision = Decision { by: new.by.clone(), what: what.clone(), note: new.note.clone() };
                decide(connection, &decision, week, new.at)?;
            }
            put_edit(connection, week, seq, &record)?;
            if !new.brought.is_empty()
                && let Some(mut pool) = pool(connection, head.draft_seq)?
            {
                pool.contenders.extend(new.brought.iter().cloned());
                put_pool(connection, head.draft_seq, &pool)?;
            }
            put_desk(connection, week, record.revision, new.edit_hash.as_deref(), &new.desk)?;
            connection.execute("UPDATE digests SET state = 'in_review' WHERE week = ?1", [week.to_string()])?;
            Ok(Taken::Done(record.revision))
        })
        .await
    }

    /// Sets a mark beside a draft that is not approved yet.
    pub async fn record_mark(&self, week: Week, record: MarkRecord) -> Result<Seq, StoreError> {
        self.write_safely(move |connection| {
            let head = head(connection, week)?.ok_or_else(|| missing(week))?;
            // A word to an author needs no draft that is still open.
            if !matches!(record.what, Mark::Outdated { .. }) {
                editable(&head)?;
            }
            let seq = put_mark(connection, week, &record)?;
            connection.execute("UPDATE digests SET state = 'in_review' WHERE week = ?1 AND state = 'draft'", [week.to_string()])?;
            Ok(seq)
        })
        .await
    }

    /// Sets marks beside a draft, all or none: none where it moved since they were thought of.
    pub async fn record_marks_on(&self, week: Week, revision: u32, hash: String, records: Vec<MarkRecord>) -> Result<Taken, StoreError> {
        self.write_safely(move |connection| {
            let head = head(connection, week)?.ok_or_else(|| missing(week))?;
            editable(&head)?;
            if head.revision != revision || head.draft_hash != hash {
                return Ok(Taken::Clash(head.revision));
            }
            for record in &records {
                put_mark(connection, week, record)?;
            }
            if !records.is_empty() {
                connection.execute("UPDATE digests SET state = 'in_review' WHERE week = ?1 AND state = 'draft'", [week.to_string()])?;
            }
            Ok(Taken::Done(revision))
        })
        .await
    }

    /// The marks beside a draft, in order.
    pub async fn marks(&self, week: Week) -> Result<Vec<MarkRecord>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT body FROM marks WHERE week = ?1 ORDER BY seq")?;
            let bodies = statement.query_map([week.to_string()], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            bodies.iter().map(|body| serde_json::from_str(body).map_err(StoreError::from)).collect()
        })
        .await
    }

    /// All private words to authors, with the weeks in which they were said, oldest first: for the pages of those authors
    /// and of staff alone.
    pub async fn words_to_authors(&self) -> Result<Vec<(Week, MarkRecord)>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT week, body FROM marks WHERE body ->> '$.what.mark' = 'outdated' ORDER BY seq")?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter()
                .map(|(week, body)| {
                    let week = week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?;
                    Ok((week, serde_json::from_str(&body)?))
                })
                .collect()
        })
        .await
    }

    /// Takes an approval back before publication.
    pub async fn pull_back(&self, week: Week, by: String, note: Option<String>, now: Timestamp) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let head = head(connection, week)?.ok_or_else(|| missing(week))?;
            match head.state {
                DigestState::Approved => {}
                DigestState::Published => {
                    return Err(StoreError::Refused(format!("the digest of {week} is published already and cannot be pulled back")));
                }
                _ => return Err(StoreError::Refused(format!("the digest of {week} is not approved: there is nothing to pull back"))),
            }
            decide(connection, &Decision { by, what: DecisionKind::PullBack { week }, note }, week, now)?;
            connection.execute(
                "UPDATE digests SET state = 'in_review', approved_at = NULL, approved_by = NULL, publish_at = NULL WHERE week = ?1",
                [week.to_string()],
            )?;
            Ok(())
        })
        .await
    }

    /// What links answered: the last two answers of each, latest first, with the instants.
    pub async fn link_answers(&self, urls: Vec<String>) -> Result<Vec<(String, Vec<LinkAnswer>)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT at, status FROM link_checks WHERE url = ?1 ORDER BY at DESC LIMIT 2")?;
            urls.into_iter()
                .map(|url| {
                    let answers = statement
                        .query_map([&url], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<u16>>(1)?)))?
                        .collect::<Result<Vec<_>, _>>()?;
                    let answers = answers
                        .into_iter()
                        .map(|(at, status)| Ok(LinkAnswer { at: super::from_millis(at)?, status }))
                        .collect::<Result<Vec<_>, StoreError>>()?;
                    Ok((url, answers))
                })
                .collect()
        })
        .await
    }
}

/// What a link answered once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAnswer {
    pub at: Timestamp,
    /// `None` where nothing answered.
    pub status: Option<u16>,
}

/// How a draft that exists is computed anew.
#[derive(Debug, Clone)]
pub struct Refresh {
    pub on: u32,
    pub draft: Seq,
    pub by: String,
    pub note: Option<String>,
    pub edit_hash: Option<String>,
}

/// Puts the refresh into the list of edits.
pub(super) fn put_refresh(connection: &Connection, week: Week, refresh: &Refresh, at: Timestamp) -> Result<EditRecord, StoreError> {
    let record = EditRecord {
        revision: refresh.on + 1,
        at,
        by: refresh.by.clone(),
        what: Edit::Refresh,
        note: refresh.note.clone(),
        undone_by: None,
        text: "computed the draft anew".to_owned(),
    };
    let what = DecisionKind::Edit { week, revision: record.revision, what: Edit::Refresh };
    let seq = decide(connection, &Decision { by: refresh.by.clone(), what, note: refresh.note.clone() }, week, at)?;
    put_edit(connection, week, seq, &record)?;
    Ok(record)
}
