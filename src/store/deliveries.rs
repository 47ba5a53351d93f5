//! Deliveries: what is to go where, every attempt, and what came of it; and the ledger of what was posted by hand.
//!
//! Each step is a fact of the log first, and a row that says where the delivery stands second, in one transaction and
//! safe against loss of power. When to try again and what an interruption means is decided by others.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::log::{NewFact, append};
use super::{CollectorLock, Store, StoreError, from_millis, to_millis};
use crate::model::{ActivityId, Amplified, BuilderId, Decision, DecisionKind, DeliveryState, FactKind, Week};

/// Something that is to be delivered: one message to one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    pub channel: String,
    pub kind: String,
    /// 1 for the first of its channel, and of how many.
    pub part: u32,
    pub parts: u32,
    /// SHA-256 of the message, hex.
    pub hash: String,
    /// By which the receiving side knows it again: a Message-ID, an id in a header.
    pub mark: String,
    /// The address it goes to, where there is one that may be named.
    pub target: String,
    pub body: Vec<u8>,
    /// The same in another form, for a place that refuses the first.
    pub fallback: Option<Vec<u8>>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    pub id: i64,
    pub week: Week,
    pub channel: String,
    pub kind: String,
    pub part: u32,
    pub parts: u32,
    pub state: DeliveryState,
    pub attempts: u32,
    /// Times that it was sent again although it may have arrived.
    pub repeats: u32,
    pub hash: String,
    pub mark: String,
    pub target: String,
    pub planned_at: Timestamp,
    /// The next attempt, while it is planned.
    pub next_at: Timestamp,
    /// The place asked for peace until then.
    pub not_before: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// What came of the last attempt, in words.
    pub note: String,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEnd {
    pub state: DeliveryState,
    /// The next attempt, where there is to be one.
    pub next_at: Option<Timestamp>,
    /// Until when the place asked not to be tried again.
    pub not_before: Option<Timestamp>,
    /// It may have arrived before, and is sent again.
    pub again: bool,
    pub note: String,
}

const COLUMNS: &str =
    "id, week, channel, kind, part, parts, state, attempts, repeats, hash, mark, target, planned_at, next_at, ended_at, note, not_before";

type Raw = (i64, String, String, String, u32, u32, String, u32, u32, String, String, String, i64, i64, Option<i64>, String, Option<i64>);

fn raw(row: &rusqlite::Row<'_>) -> Result<Raw, rusqlite::Error> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
        row.get(10)?,
        row.get(11)?,
        row.get(12)?,
        row.get(13)?,
        row.get(14)?,
        row.get(15)?,
        row.get(16)?,
    ))
}

fn delivery(raw: Raw) -> Result<DeliveryRow, StoreError> {
    let (
        id,
        week,
        channel,
        kind,
        part,
        parts,
        state,
        attempts,
        repeats,
        hash,
        mark,
        target,
        planned_at,
        next_at,
        ended_at,
        note,
        not_before,
    ) = raw;
    Ok(DeliveryRow {
        id,
        week: week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?,
        channel,
        kind,
        part,
        parts,
        state: DeliveryState::parse(&state).ok_or_else(|| StoreError::Broken(format!("a delivery is in unknown state `{state}`")))?,
        attempts,
        repeats,
        hash,
        mark,
        target,
        planned_at: from_millis(planned_at)?,
        next_at: from_millis(next_at)?,
        not_before: not_before.map(from_millis).transpose()?,
        ended_at: ended_at.map(from_millis).transpose()?,
        note,
    })
}

fn find(connection: &Connection, id: i64) -> Result<DeliveryRow, StoreError> {
    let row = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?1"))?.query_row([id], raw).optional()?;
    row.map(delivery).transpose()?.ok_or_else(|| StoreError::Broken("a delivery is gone".into()))
}

fn told(
    connection: &Connection,
    row: &DeliveryRow,
    at: Timestamp,
    detail: serde_json::Value,
    payload: Option<serde_json::Value>,
) -> Result<(), StoreError> {
    let mut detail = detail;
    detail["channel"] = json!(row.channel);
    detail["part"] = json!(row.part);
    let fact = NewFact {
        at,
        kind: FactKind::Delivery,
        subject: row.week.to_string(),
        detail: detail.to_string(),
        payload: payload.map(|payload| payload.to_string()),
    };
    append(connection, &fact)?;
    Ok(())
}

/// A new edition is sealed: folders get its files, whatever became of those of the one before.
pub(super) fn write_files_again(connection: &Connection, week: Week, at: Timestamp) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare(&format!("SELECT {COLUMNS} FROM deliveries WHERE week = ?1 AND kind = 'files' AND state IN ('sent', 'failed')"))?;
    let rows = statement.query_map([week.to_string()], raw)?.collect::<Result<Vec<_>, _>>()?;
    for row in rows {
        let row = delivery(row)?;
        told(connection, &row, at, json!({ "step": "intent", "kind": row.kind, "of": row.parts, "edition": "new" }), None)?;
        connection.execute(
            "UPDATE deliveries SET state = 'planned', planned_at = ?2, next_at = ?2, ended_at = NULL, attempts = 0, note = 'a new edition'
             WHERE id = ?1",
            params![row.id, to_millis(at)],
        )?;
    }
    Ok(())
}

/// Something was taken out of a published digest: messages that wait are forgotten, to be planned anew without it, and
/// those that are under way or over keep no text.
pub(super) fn plan_anew(connection: &Connection, week: Week) -> Result<(), StoreError> {
    let week = week.to_string();
    connection.execute("DELETE FROM deliveries WHERE week = ?1 AND kind <> 'files' AND state = 'planned'", [&week])?;
    connection.execute("UPDATE deliveries SET body = x'', fallback = NULL WHERE week = ?1 AND kind <> 'files'", [&week])?;
    connection.execute("DELETE FROM delivery_plans WHERE week = ?1", [&week])?;
    Ok(())
}

impl Store {
    /// Takes the right to send, which one process has at a time: what is under way while nobody holds it was interrupted.
    pub fn lock_sending(&self) -> Result<CollectorLock, StoreError> {
        self.lock_named("sending")
    }

    /// Records what of a week is to go where. `first` does so once for a week, for all channels together: done already,
    /// nothing happens and the answer is 0. Otherwise parts that are known are left as they are.
    pub async fn plan_deliveries(&self, week: Week, deliveries: Vec<NewDelivery>, first: bool, now: Timestamp) -> Result<u32, StoreError> {
        self.write_safely(move |connection| {
            if first {
                let new = connection.execute("INSERT OR IGNORE INTO delivery_plans (week, at) VALUES (?1, ?2)", params![week.to_string(), to_millis(now)])?;
                if new == 0 {
                    return Ok(0);
                }
            }
            let mut planned = 0;
            for new in deliveries {
                let known: bool = connection.query_row(
                    "SELECT EXISTS (SELECT 1 FROM deliveries WHERE week = ?1 AND channel = ?2 AND part = ?3)",
                    params![week.to_string(), new.channel, new.part],
                    |row| row.get(0),
                )?;
                if known {
                    continue;
                }
                let detail = json!({
                    "step": "intent", "channel": new.channel, "kind": new.kind, "part": new.part, "of": new.parts, "sha256": new.hash,
                });
                let payload = json!({ "to": new.target, "mark": new.mark });
                append(connection, &NewFact { at: now, kind: FactKind::Delivery, subject: week.to_string(), detail: detail.to_string(), payload: Some(payload.to_string()) })?;
                connection.execute(
                    "INSERT INTO deliveries (week, channel, kind, part, parts, state, hash, mark, target, planned_at, next_at, body, fallback)
                     VALUES (?1, ?2, ?3, ?4, ?5, 'planned', ?6, ?7, ?8, ?9, ?9, ?10, ?11)",
                    params![week.to_string(), new.channel, new.kind, new.part, new.parts, new.hash, new.mark, new.target, to_millis(now), new.body, new.fallback],
                )?;
                planned += 1;
            }
            Ok(planned)
        })
        .await
    }

    /// Weeks that were published after an instant and whose deliveries nobody has planned: the process ended in between.
    pub async fn weeks_to_plan(&self, since: Timestamp) -> Result<Vec<Week>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT week FROM digests WHERE state = 'published' AND published_at >= ?1
                 AND NOT EXISTS (SELECT 1 FROM delivery_plans p WHERE p.week = digests.week) ORDER BY week",
            )?;
            let weeks = statement.query_map([to_millis(since)], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            weeks.into_iter().map(|week| week.parse().map_err(|error| StoreError::Broken(format!("{error}")))).collect()
        })
        .await
    }

    /// The deliveries of a week, or of all, newest week first, by channel and part.
    pub async fn deliveries(&self, week: Option<Week>) -> Result<Vec<DeliveryRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM deliveries WHERE ?1 IS NULL OR week = ?1 ORDER BY week DESC, channel, part"
            ))?;
            let rows = statement.query_map([week.map(|week| week.to_string())], raw)?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().map(delivery).collect()
        })
        .await
    }

    /// The deliveries that are not over: neither sent nor given up.
    pub async fn open_deliveries(&self) -> Result<Vec<DeliveryRow>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM deliveries WHERE state IN ('planned', 'trying', 'offered', 'doubt') ORDER BY week, channel, part"
            ))?;
            let rows = statement.query_map([], raw)?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().map(delivery).collect()
        })
        .await
    }

    /// The message of a delivery, and its other form.
    pub async fn delivery_body(&self, id: i64) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        self.read(move |connection| {
            Ok(connection.query_row("SELECT body, fallback FROM deliveries WHERE id = ?1", [id], |row| Ok((row.get(0)?, row.get(1)?)))?)
        })
        .await
    }

    /// Records that an attempt begins. `false`: the delivery does not wait for one any more.
    pub async fn begin_delivery(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.write_safely(move |connection| {
            let row = find(connection, id)?;
            if row.state != DeliveryState::Planned {
                return Ok(false);
            }
            told(connection, &row, now, json!({ "step": "attempt", "attempt": row.attempts + 1 }), None)?;
            connection.execute("UPDATE deliveries SET state = 'trying', attempts = attempts + 1 WHERE id = ?1", [id])?;
            Ok(true)
        })
        .await
    }

    /// Records that from here on the message may arrive.
    pub async fn offer_delivery(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let row = find(connection, id)?;
            told(connection, &row, now, json!({ "step": "offered", "attempt": row.attempts }), None)?;
            connection.execute("UPDATE deliveries SET state = 'offered' WHERE id = ?1 AND state = 'trying'", [id])?;
            Ok(())
        })
        .await
    }

    /// Records what came of an attempt.
    pub async fn end_delivery(&self, id: i64, end: DeliveryEnd, now: Timestamp) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let row = find(connection, id)?;
            let detail = json!({
                "step": "result", "attempt": row.attempts, "state": end.state.as_str(), "next_at": end.next_at, "again": end.again,
            });
            told(connection, &row, now, detail, Some(json!({ "note": end.note })))?;
            let ended = matches!(end.state, DeliveryState::Sent | DeliveryState::Failed).then(|| to_millis(now));
            connection.execute(
                "UPDATE deliveries SET state = ?2, next_at = ?3, repeats = repeats + ?4, note = ?5, ended_at = ?6, not_before = ?7 WHERE id = ?1",
                params![
                    id,
                    end.state.as_str(),
                    to_millis(end.next_at.unwrap_or(row.next_at)),
                    end.again,
                    end.note,
                    ended,
                    end.not_before.map(to_millis)
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Records what a person says of a delivery that is in doubt or given up: it arrived, or it is to be sent again.
    pub async fn settle_delivery(&self, id: i64, sent: bool, by: String, note: Option<String>, now: Timestamp) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let row = find(connection, id)?;
            if !matches!(row.state, DeliveryState::Doubt | DeliveryState::Failed) {
                return Err(StoreError::Refused(format!(
                    "part {} of {} for {} is {}: only one that is in doubt or has failed is settled by hand",
                    row.part,
                    row.week,
                    row.channel,
                    row.state.as_str()
                )));
            }
            let what = DecisionKind::SettleDelivery { week: row.week, channel: row.channel.clone(), part: row.part, sent };
            let decision = serde_json::to_string(&Decision { by: by.clone(), what, note })?;
            append(
                connection,
                &NewFact {
                    at: now,
                    kind: FactKind::Decision,
                    subject: row.week.to_string(),
                    detail: String::new(),
                    payload: Some(decision),
                },
            )?;
            let (state, said) = if sent { ("sent", "says that it arrived") } else { ("planned", "wants it sent again") };
            connection.execute(
                "UPDATE deliveries SET state = ?2, next_at = ?3, planned_at = ?3, ended_at = ?4, note = ?5, attempts = 0 WHERE id = ?1",
                params![id, state, to_millis(now), sent.then(|| to_millis(now)), format!("{by} {said}")],
            )?;
            Ok(())
        })
        .await
    }

    /// Records that a test mail was sent; nothing is marked as sent by it.
    pub async fn record_test_mail(&self, week: Week, channel: String, to: String, by: String, now: Timestamp) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let detail = json!({ "step": "test", "channel": channel }).to_string();
            let payload = json!({ "to": to, "by": by }).to_string();
            append(connection, &NewFact { at: now, kind: FactKind::Delivery, subject: week.to_string(), detail, payload: Some(payload) })?;
            Ok(())
        })
        .await
    }

    /// Records where a work was posted by hand, with the builders who made it. The same post is recorded once.
    pub async fn record_posted(&self, posted: Amplified, note: Option<String>) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            let known: bool = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM amplified WHERE week = ?1 AND work = ?2 AND channel = ?3 AND url = ?4)",
                params![posted.week.to_string(), posted.work.as_str(), posted.channel, posted.url],
                |row| row.get(0),
            )?;
            if known {
                return Err(StoreError::Refused(format!("this post on {} is on record already", posted.channel)));
            }
            let what = DecisionKind::Posted {
                week: posted.week,
                work: posted.work.clone(),
                channel: posted.channel.clone(),
                url: posted.url.clone(),
            };
            let decision = serde_json::to_string(&Decision { by: posted.by.clone(), what, note })?;
            let seq = append(
                connection,
                &NewFact {
                    at: posted.at,
                    kind: FactKind::Decision,
                    subject: posted.week.to_string(),
                    detail: String::new(),
                    payload: Some(decision),
                },
            )?;
            connection.execute(
                "INSERT INTO amplified (seq, week, work, channel, url, person, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![seq.0, posted.week.to_string(), posted.work.as_str(), posted.channel, posted.url, posted.by, to_millis(posted.at)],
            )?;
            for builder in &posted.builders {
                connection.execute("INSERT OR IGNORE INTO amplified_builders (seq, builder) VALUES (?1, ?2)", params![seq.0, builder.0])?;
            }
            Ok(())
        })
        .await
    }

    /// What was posted by hand: of one builder or of all, latest first.
    pub async fn amplified(&self, builder: Option<BuilderId>) -> Result<Vec<Amplified>, StoreError> {
        self.amplified_where(builder, None).await
    }

    /// What was posted by hand of one week's digest, latest first.
    pub async fn amplified_in(&self, week: Week) -> Result<Vec<Amplified>, StoreError> {
        self.amplified_where(None, Some(week)).await
    }

    async fn amplified_where(&self, builder: Option<BuilderId>, week: Option<Week>) -> Result<Vec<Amplified>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, week, work, channel, url, person, at FROM amplified
                 WHERE (?1 IS NULL OR seq IN (SELECT seq FROM amplified_builders WHERE builder = ?1))
                   AND (?2 IS NULL OR week = ?2) ORDER BY seq DESC",
            )?;
            let mut builders = connection.prepare_cached("SELECT builder FROM amplified_builders WHERE seq = ?1 ORDER BY builder")?;
            let mut rows = statement.query(params![builder.map(|builder| builder.0), week.map(|week| week.to_string())])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let seq: i64 = row.get(0)?;
                found.push(Amplified {
                    week: row.get::<_, String>(1)?.parse().map_err(|error| StoreError::Broken(format!("{error}")))?,
                    work: ActivityId(row.get(2)?),
                    channel: row.get(3)?,
                    url: row.get(4)?,
                    by: row.get(5)?,
                    at: from_millis(row.get(6)?)?,
                    builders: builders.query_map([seq], |row| row.get(0).map(BuilderId))?.collect::<Result<_, _>>()?,
                });
            }
            Ok(found)
        })
        .await
    }
}
