//! Timed tasks: which slot was run, by whom, and how it ended.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Store, StoreError, from_millis, to_millis};

/// Whether a slot may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is ours: run it.
    Ours,
    /// It ran, or was recorded as missed.
    Over,
    /// Somebody runs it, and their lease holds.
    Running,
}

/// One run of a timed task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slot {
    pub job: String,
    pub slot_at: Timestamp,
    /// `claimed`, `done`, `failed` or `missed`.
    pub state: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub note: String,
}

impl Store {
    /// Claims a slot before it is run. A slot whose worker died is claimed again once its lease is over.
    pub async fn claim_slot(
        &self,
        job: &str,
        slot_at: Timestamp,
        worker: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Claim, StoreError> {
        let (job, worker) = (job.to_owned(), worker.to_owned());
        self.write_safely(move |connection| {
            let found: Option<(String, i64)> = connection
                .query_row("SELECT state, lease_until FROM slots WHERE job = ?1 AND slot_at = ?2", params![job, to_millis(slot_at)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match found {
                Some((state, lease)) if state == "claimed" && lease > to_millis(now) => return Ok(Claim::Running),
                Some((state, _)) if state == "done" || state == "missed" => return Ok(Claim::Over),
                _ => {}
            }
            connection.execute(
                "INSERT OR REPLACE INTO slots (job, slot_at, state, worker, lease_until, started_at) VALUES (?1, ?2, 'claimed', ?3, ?4, ?5)",
                params![job, to_millis(slot_at), worker, to_millis(lease_until), to_millis(now)],
            )?;
            Ok(Claim::Ours)
        })
        .await
    }

    /// Records how a claimed slot ended.
    pub async fn finish_slot(&self, job: &str, slot_at: Timestamp, state: &str, note: &str, now: Timestamp) -> Result<(), StoreError> {
        let (job, state, note) = (job.to_owned(), state.to_owned(), note.to_owned());
        self.write_safely(move |connection| {
            connection.execute(
                "INSERT INTO slots (job, slot_at, state, worker, lease_until, started_at, finished_at, note)
                 VALUES (?1, ?2, ?3, '', 0, ?5, ?5, ?4)
                 ON CONFLICT (job, slot_at) DO UPDATE SET state = ?3, note = ?4, finished_at = ?5",
                params![job, to_millis(slot_at), state, note, to_millis(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// Records slots that nobody ran and nobody will.
    pub async fn miss_slots(&self, job: &str, slots: Vec<Timestamp>, note: &str, now: Timestamp) -> Result<(), StoreError> {
        let (job, note) = (job.to_owned(), note.to_owned());
        self.write_safely(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT OR IGNORE INTO slots (job, slot_at, state, worker, lease_until, started_at, finished_at, note)
                 VALUES (?1, ?2, 'missed', '', 0, ?3, ?3, ?4)",
            )?;
            for slot in slots {
                statement.execute(params![job, to_millis(slot), to_millis(now), note])?;
            }
            Ok(())
        })
        .await
    }

    /// Drops the records of runs before an instant, but for the newest of each task, and says how many.
    pub async fn prune_slots(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.write(move |connection| {
            let dropped = connection.execute(
                "DELETE FROM slots WHERE slot_at < ?1 AND slot_at < (SELECT max(slot_at) FROM slots o WHERE o.job = slots.job)",
                [to_millis(before)],
            )?;
            Ok(dropped)
        })
        .await
    }

    /// Frees the slots that a dead worker of this database left claimed: only for whoever holds the collector's lock.
    pub async fn release_slots(&self) -> Result<usize, StoreError> {
        self.write_safely(|connection| Ok(connection.execute("DELETE FROM slots WHERE state = 'claimed'", [])?)).await
    }

    /// The newest slots of a task, newest first.
    pub async fn slots_of(&self, job: &str, limit: u32) -> Result<Vec<Slot>, StoreError> {
        let job = job.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT slot_at, state, started_at, finished_at, note FROM slots WHERE job = ?1 ORDER BY slot_at DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(params![job, limit])?;
            let mut slots = Vec::new();
            while let Some(row) = rows.next()? {
                slots.push(Slot {
                    job: job.clone(),
                    slot_at: from_millis(row.get(0)?)?,
                    state: row.get(1)?,
                    started_at: from_millis(row.get(2)?)?,
                    finished_at: row.get::<_, Option<i64>>(3)?.map(from_millis).transpose()?,
                    note: row.get(4)?,
                });
            }
            Ok(slots)
        })
        .await
    }
}
