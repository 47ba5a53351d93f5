//! The log and what is derived from it, in the words of the domain; all SQL, and nothing but SQL.
//!
//! [`Store`] is the seam: neither its methods nor [`StoreError`] show anything of SQLite. Inside, each file has plain
//! functions over a connection, and this one runs them: writes on the one writer's thread, reads off the async threads.

mod accounts;
mod backfill;
mod beside;
mod deliveries;
mod desks;
mod digests;
mod documents;
mod erase;
mod erased_weeks;
mod log;
mod migrations;
mod registry;
mod seal;
mod settled;
mod slots;
mod sources;
mod sqlite;
mod views;
mod weeks;
mod works;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::{Seq, SourceId, SourceState, Week};
use sqlite::{Durability, Extent, Sqlite};

pub use accounts::{NewSession, PasswordRow};
pub use backfill::BackfillPage;
pub use beside::Difference;
pub use deliveries::{DeliveryEnd, DeliveryRow, NewDelivery};
pub use desks::{DeskRow, DraftParts, LinkAnswer, NewEdit, Refresh, Taken};
pub use digests::{DigestRow, Edition, EditionKind, Head, NewApproval, NewDraft, NewEdition, Sealing};
pub use documents::{Evidence, Held, Keyframe, Pruned};
pub use erase::{Erased, Erasing, ErasureRecord};
pub use log::NewFact;
pub use registry::{RosterChange, RosterReport};
pub use settled::{EntryRow, Moved, Place, Settled, SettledActivity, SettledWork};
pub use slots::{Claim, Slot};
pub use sources::{ByHand, Known, NewEntry, PollRecord, Reread};
pub use views::{ActivityRow, Counters, LogFilter};
pub use works::{Compared, Received, Wanted, WorkRow};

/// With less than this on the disk nothing is recorded: a poll with its document may need as much.
const NO_ROOM: u64 = 256 << 10;

/// What keeps a digest from what was asked of it, told for pages and commands alike: by which button or command it goes on
/// is for them to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Standing {
    #[error("there is no draft of {0} yet")]
    NoDraft(Week),
    #[error("the draft of {0} has edits: a refresh shows what would change, and keeps them")]
    Edited(Week),
    #[error("the digest of {0} is not approved, and nothing is published without an approval")]
    NotApproved(Week),
    #[error("the digest of {0} is approved: pull it back to edit it")]
    Approved(Week),
    #[error("the digest of {0} is published already: a correction puts a mistake right")]
    Published(Week),
    #[error("the digest of {0} is not published, and nothing is sent before it is")]
    NotPublished(Week),
}

/// Why the store could not do what was asked. The text says what to do where something can be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full: free some space, and clarion goes on by itself")]
    Full,
    #[error("the database cannot be written: check the rights of the file and its folder, and that the disk is not read-only")]
    ReadOnly,
    #[error("the folder {} does not exist: create it, or set `store.path` to another place", .0.display())]
    NoFolder(PathBuf),
    #[error(
        "{} cannot use a write-ahead log here (the file system answered `{mode}`); network shares do not work: use a local disk",
        .path.display()
    )]
    NoWal { path: PathBuf, mode: String },
    #[error("the database is of a newer version ({found}; this clarion knows {known}): install the newer clarion again")]
    Newer { found: i64, known: i64 },
    #[error("the database is damaged ({0}): restore the last backup with `clarion restore`")]
    Corrupt(String),
    #[error("another clarion (process {0}) collects on this database: stop it first")]
    Taken(String),
    #[error("the database stayed busy for too long: another program holds it open for writing")]
    Busy,
    #[error("the store is closed")]
    Closed,
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Standing(#[from] Standing),
    #[error("the database failed: {0}")]
    Broken(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        // Where there is no room for the index of the write-ahead log, SQLite speaks of an error of input and output.
        if error.sqlite_error().is_some_and(|told| told.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(format!("a stored text has an unknown shape: {error}"))
    }
}

/// The right to collect on a database: held by `serve`, `poll`, `backfill` and `rebuild`, by one process at a time. The
/// system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct CollectorLock {
    _file: File,
}

/// The one file of state.
pub struct Store {
    sqlite: Sqlite,
    path: PathBuf,
    /// States that changed without a fact: written together, at the latest a minute later.
    unwritten: Mutex<HashMap<SourceId, Unwritten>>,
    /// What whole tables held when they were last counted.
    tally: tokio::sync::Mutex<Option<Arc<views::Tally>>>,
}

struct Unwritten {
    state: Arc<SourceState>,
    /// Whether nothing but its times differs from what is written.
    only_times: bool,
}

impl Store {
    /// Opens the database, making it where it is missing.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || {
            let sqlite = Sqlite::open(&path)?;
            Ok(Self { sqlite, path, unwritten: Mutex::default(), tally: tokio::sync::Mutex::default() })
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the right to collect, or says which process has it.
    pub fn lock_collecting(&self) -> Result<CollectorLock, StoreError> {
        self.lock_named("lock")
    }

    /// A lock beside the database whose name ends so.
    fn lock_named(&self, ending: &str) -> Result<CollectorLock, StoreError> {
        use std::io::{Read, Seek, Write};
        // One database has one lock, by whatever name it was opened.
        let mut name = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()).into_os_string();
        name.push(".");
        name.push(ending);
        let broken = |error: std::io::Error| StoreError::Broken(format!("cannot lock {}: {error}", self.path.display()));
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&name).map_err(broken)?;
        // `clarion status` holds the lock for an instant, only to see whether it is free: that is no reason to stop.
        let mut held = file.try_lock();
        for _ in 0..4 {
            if !matches!(held, Err(std::fs::TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
            held = file.try_lock();
        }
        match held {
            Ok(()) => {
                // The number is for people: a full disk is told by what needs the disk.
                let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
                Ok(CollectorLock { _file: file })
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                Err(StoreError::Taken(if holder.is_empty() { "unknown".into() } else { holder.into() }))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(broken(error)),
        }
    }

    /// Whether the database can be written right now, and has room to grow: a row of a few pages is written and taken
    /// back.
    pub async fn probe(&self) -> Result<(), StoreError> {
        if !self.has_room() {
            return Err(StoreError::Full);
        }
        self.write(|connection| {
            connection.execute_batch(
                "SAVEPOINT probe; INSERT OR REPLACE INTO meta VALUES ('probe', hex(zeroblob(8192))); ROLLBACK TO probe; RELEASE probe",
            )?;
            Ok(())
        })
        .await
    }

    /// Whether the disk has room for what one poll may bring.
    pub fn has_room(&self) -> bool {
        self.free_space().is_none_or(|free| free >= NO_ROOM)
    }

    /// The bytes that are left to us on the disk of the database; `None` where the system does not say.
    pub fn free_space(&self) -> Option<u64> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let told = rustix::fs::statvfs(folder).ok()?;
        // Some file systems know no size, and say 0 of everything.
        (told.f_blocks > 0).then(|| told.f_bavail.saturating_mul(told.f_frsize))
    }

    /// How many writes wait.
    pub fn queue_depth(&self) -> usize {
        self.sqlite.queue_depth()
    }

    /// Gives back what a burst of writes left in the write-ahead log. A reader that still needs it puts it off.
    pub async fn shorten_wal(&self) -> Result<(), StoreError> {
        self.sqlite.shorten_wal().await
    }

    /// Writes what is waiting and closes the file.
    pub async fn close(&self) -> Result<(), StoreError> {
        let flushed = self.flush_states().await;
        tokio::task::block_in_place(|| self.sqlite.close());
        flushed
    }

    /// Copies the database as it stands to `target` while others go on, and checks the copy before it gets its name.
    pub async fn backup(&self, target: &Path) -> Result<u64, StoreError> {
        let target = target.to_owned();
        self.sqlite.read(move |connection| backup(connection, &target)).await
    }

    /// Checks the file: `Ok` holds the database's own words on what is wrong, none if it is sound.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.sqlite.read(integrity).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sqlite.read(work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sqlite.write(Durability::Normal, Extent::Small, work).await
    }

    /// For work that writes thousands of rows.
    async fn write_much<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sqlite.write(Durability::Normal, Extent::Large, work).await
    }

    async fn write_safely<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.sqlite.write(Durability::Full, Extent::Small, work).await
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, HashMap<SourceId, Unwritten>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks a backup, or a database file that nobody has open, and answers its last sequence number.
///
/// A backup ends with its seal, so that a single changed bit is found; a bare database is checked as far as SQLite can.
pub fn verify_file(path: &Path) -> Result<Seq, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Refused(format!("there is no file {}", path.display())));
    }
    let damaged = |what: &str| StoreError::Refused(format!("{} is damaged ({what}): take another backup", path.display()));
    let named = |error: rusqlite::Error| match StoreError::from(error) {
        StoreError::Corrupt(what) => damaged(&what),
        other => other,
    };
    match seal::of(path).map_err(|error| StoreError::Refused(format!("cannot read {}: {error}", path.display())))? {
        seal::Seal::Holds(_) | seal::Seal::Absent => {}
        seal::Seal::Broken => return Err(damaged("it is not, byte for byte, what was written")),
    }
    let connection = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if let Some(fault) = integrity(&connection)
        .map_err(|error| match error {
            StoreError::Corrupt(what) => damaged(&what),
            other => other,
        })?
        .first()
    {
        return Err(damaged(fault));
    }
    migrations::refuse_newer(&connection)?;
    let seq = connection.query_row("SELECT coalesce(max(seq), 0) FROM log", [], |row| row.get(0)).map_err(|error| match named(error) {
        StoreError::Refused(text) => StoreError::Refused(text),
        _ => StoreError::Refused(format!("{} is a database, but not one of clarion", path.display())),
    })?;
    Ok(Seq(seq))
}

/// Copies a backup, without its seal, to a new place, and checks the copy. On an error nothing is left there.
pub fn restore_file(backup: &Path, target: &Path) -> Result<Seq, StoreError> {
    let seq = verify_file(backup)?;
    if target.exists() {
        return Err(StoreError::Refused(format!("{} exists already: restore into a fresh folder", target.display())));
    }
    let mut aside = target.as_os_str().to_owned();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Refused(format!("cannot write {}: {error}", target.display())),
    };
    let copied = (|| {
        let _ = std::fs::remove_file(&aside);
        let mut copy = private().create_new(true).open(&aside).map_err(broken)?;
        let mut original = File::open(backup).map_err(|error| StoreError::Refused(format!("cannot read {}: {error}", backup.display())))?;
        std::io::copy(&mut original, &mut copy).map_err(broken)?;
        drop(copy);
        if let seal::Seal::Holds(length) = seal::of(&aside).map_err(broken)? {
            let file = File::options().write(true).open(&aside).map_err(broken)?;
            file.set_len(length).map_err(broken)?;
            file.sync_all().map_err(broken)?;
        }
        verify_file(&aside)?;
        std::fs::rename(&aside, target).map_err(broken)
    })();
    if copied.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    copied.map(|()| seq)
}

/// How a file is made that its owner alone may read: it holds people's addresses.
fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn integrity(connection: &rusqlite::Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn backup(connection: &rusqlite::Connection, target: &Path) -> Result<u64, StoreError> {
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Refused(format!("cannot write the backup {}: {error}", target.display())),
    };
    if target.exists() {
        return Err(StoreError::Refused(format!("{} exists already: a backup never overwrites another", target.display())));
    }
    let mut aside = target.as_os_str().to_owned();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let _ = std::fs::remove_file(&aside);
    // Made here, since SQLite would not say why it cannot.
    private().create_new(true).open(&aside).map_err(broken)?;
    let copied = (|| {
        let mut copy = rusqlite::Connection::open(&aside)?;
        {
            let backup = rusqlite::backup::Backup::new(connection, &mut copy)?;
            backup.run_to_completion(1024, std::time::Duration::ZERO, None)?;
        }
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        let faults = integrity(&copy)?;
        faults.first().map_or(Ok(()), |fault| Err(StoreError::Corrupt(fault.clone())))
    })();
    if let Err(error) = copied {
        let _ = std::fs::remove_file(&aside);
        return Err(error);
    }
    let size = seal::put(&aside).and_then(|size| std::fs::rename(&aside, target).map(|()| size)).map_err(broken);
    if size.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    size
}

/// An instant as stored: milliseconds since 1970, UTC.
fn to_millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn from_millis(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| StoreError::Broken(format!("{millis} is no time")))
}
