//! Connections: one writer with a queue, some readers.
//!
//! The writer takes whatever is waiting and commits it together, so a thousand polls are not a thousand syncs. Each
//! piece of work stands in its own savepoint: one that fails takes nothing else with it. Large work has a commit of its
//! own and no savepoint: SQLite keeps what a savepoint changed in memory, and goes through all of that with every
//! statement.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::{StoreError, migrations};

/// How safe a write must be against loss of power before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Decisions, imports, seals, deliveries: on the disk before the answer.
    Full,
    /// Batches of polls: validators and rows vanish together, so a lost poll is asked again.
    Normal,
}

/// How much a piece of work writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// A few rows: goes into one commit with others.
    Small,
    /// Thousands of rows: has a commit of its own.
    Large,
    /// Runs outside of any transaction and begins its own.
    Apart,
}

type Outcome = Result<Box<dyn Any + Send>, StoreError>;
type Work = Box<dyn FnOnce(&Connection) -> Outcome + Send>;

struct Job {
    durability: Durability,
    extent: Extent,
    work: Work,
    reply: oneshot::Sender<Outcome>,
}

/// The write-ahead log grows to so many pages of 4 KiB, 16 MiB, before it is written into the file. Each time the writer waits
/// for the disk, and a page that was written over meanwhile is written once: more often would cost a first poll a third.
const PAGES_A_CHECKPOINT: u32 = 4_096;
/// What the write-ahead log may take while little is written, in bytes.
const SMALL_WAL: u64 = 4 << 20;
/// How long others that hold the file are waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// The connections to one database file.
pub(super) struct Sqlite {
    path: PathBuf,
    /// Where the facts are, if they are not in the file itself.
    facts: Option<PathBuf>,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    waiting: Arc<AtomicUsize>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Mutex<Vec<Connection>>>,
}

/// The most pieces of work in one commit.
const BATCH: usize = 256;

impl Sqlite {
    /// Opens the file, makes it where it is missing, brings its schema up to date and starts the writer.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::on(path, None, open_writer(path)?)
    }

    /// Makes a file for derived rows alone, which are computed from the facts of another.
    pub(super) fn open_beside(path: &Path, facts: &Path) -> Result<Self, StoreError> {
        create_private(path)?;
        let connection = Connection::open(path)?;
        prepare(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Nothing is lost with this file: it is built anew.
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", -49_152)?;
        attach_facts(&connection, facts)?;
        super::beside::prepare_schema(&connection)?;
        Self::on(path, Some(facts.to_owned()), connection)
    }

    fn on(path: &Path, facts: Option<PathBuf>, connection: Connection) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel::<Job>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let depth = Arc::clone(&waiting);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run_writer(&connection, &receiver, &depth))
            .map_err(|error| StoreError::Broken(format!("the writer's thread cannot start: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            facts,
            queue: Mutex::new(Some(sender)),
            waiting,
            writer: Mutex::new(Some(writer)),
            readers: Arc::default(),
        })
    }

    /// How many pieces of work wait for the writer.
    pub(super) fn queue_depth(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Runs a piece of work in the next commit, and answers when that is done.
    pub(super) async fn write<T, F>(&self, durability: Durability, extent: Extent, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection| work(connection).map(|value| Box::new(value) as Box<dyn Any + Send>));
        {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(queue) = queue.as_ref() else { return Err(StoreError::Closed) };
            self.waiting.fetch_add(1, Ordering::Relaxed);
            queue.send(Job { durability, extent, work, reply }).map_err(|_| StoreError::Closed)?;
        }
        let value = answer.await.map_err(|_| StoreError::Closed)??;
        Ok(*value.downcast::<T>().expect("the answer has the type that the work gave"))
    }

    /// Runs a piece of work on a read-only connection, off the async threads. It sees one state of the database from its
    /// beginning to its end.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let (path, facts) = (self.path.clone(), self.facts.clone());
        tokio::task::spawn_blocking(move || {
            let idle = readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => open_reader(&path, facts.as_deref())?,
            };
            let value = {
                let _one_state = connection.unchecked_transaction()?;
                work(&connection)
            };
            let mut idle = readers.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < 8 {
                idle.push(connection);
            }
            value
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Writes a long write-ahead log into the file and cuts it off, unless a reader still needs it: nobody waits for that.
    pub(super) async fn shorten_wal(&self) -> Result<(), StoreError> {
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        if !std::fs::metadata(&wal).is_ok_and(|file| file.len() > SMALL_WAL) {
            return Ok(());
        }
        self.write(Durability::Normal, Extent::Apart, |connection| {
            connection.busy_timeout(std::time::Duration::ZERO)?;
            let shortened = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            connection.busy_timeout(PATIENCE)?;
            Ok(shortened?)
        })
        .await
    }

    /// Writes what is waiting and closes the file.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

fn run_writer(connection: &Connection, receiver: &mpsc::Receiver<Job>, depth: &AtomicUsize) {
    let mut full = false;
    let mut waiting: Option<Job> = None;
    while let Some(first) = waiting.take().or_else(|| receiver.recv().ok()) {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && batch.iter().all(|job| job.extent == Extent::Small)
            && let Ok(job) = receiver.try_recv()
        {
            if job.extent != Extent::Small {
                waiting = Some(job);
                break;
            }
            batch.push(job);
        }
        depth.fetch_sub(batch.len(), Ordering::Relaxed);
        let wants_full = batch.iter().any(|job| job.durability == Durability::Full);
        if wants_full != full {
            let level = if wants_full { "FULL" } else { "NORMAL" };
            if connection.pragma_update(None, "synchronous", level).is_ok() {
                full = wants_full;
            }
        }
        if batch.len() == 1 {
            for job in batch {
                commit_alone(connection, job);
            }
        } else {
            commit(connection, batch);
        }
    }
    // What the write-ahead log still holds goes into the file, so that a copy of the file alone is whole.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

/// Runs a batch in one transaction and answers each piece of work once that is committed.
fn commit(connection: &Connection, batch: Vec<Job>) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        let error = StoreError::from(error);
        for job in batch {
            let _ = job.reply.send(Err(error.clone()));
        }
        return;
    }
    let mut answers = Vec::with_capacity(batch.len());
    let mut lost: Option<StoreError> = None;
    for job in batch {
        if let Some(error) = &lost {
            answers.push((job.reply, Err(error.clone())));
            continue;
        }
        let outcome = in_savepoint(connection, job.work);
        // A full disk or an I/O error makes SQLite roll the whole transaction back by itself.
        if connection.is_autocommit() {
            lost = Some(match &outcome {
                Err(error) => error.clone(),
                Ok(_) => StoreError::Broken("the transaction ended by itself".into()),
            });
        }
        answers.push((job.reply, outcome));
    }
    if lost.is_none()
        && let Err(error) = connection.execute_batch("COMMIT")
    {
        lost = Some(StoreError::from(error));
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    for (reply, outcome) in answers {
        let _ = reply.send(match &lost {
            Some(error) => Err(error.clone()),
            None => outcome,
        });
    }
}

/// Runs one piece of work in a transaction of its own, and answers it once that is committed.
fn commit_alone(connection: &Connection, job: Job) {
    if job.extent == Extent::Apart {
        let _ = job.reply.send(contained(connection, job.work));
        return;
    }
    let outcome = (|| {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let value = contained(connection, job.work)?;
        connection.execute_batch("COMMIT")?;
        Ok(value)
    })();
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    let _ = job.reply.send(outcome);
}

/// Runs a piece of work; one that panics has failed, nothing worse.
fn contained(connection: &Connection, work: Work) -> Outcome {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(connection)))
        .unwrap_or_else(|_| Err(StoreError::Broken("a write came to an unexpected end".into())))
}

fn in_savepoint(connection: &Connection, work: Work) -> Outcome {
    connection.execute_batch("SAVEPOINT work")?;
    let outcome = contained(connection, work);
    if outcome.is_ok() {
        connection.execute_batch("RELEASE work")?;
    } else if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK TO work; RELEASE work")?;
    }
    outcome
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        return Err(StoreError::NoFolder(folder.to_owned()));
    }
    create_private(path)?;
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::NoWal { path: path.to_owned(), mode });
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "journal_size_limit", SMALL_WAL.cast_signed())?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_A_CHECKPOINT)?;
    connection.pragma_update(None, "cache_size", -49_152)?;
    migrations::apply(&mut connection)?;
    Ok(connection)
}

/// Makes the file, unless it is there.
fn create_private(path: &Path) -> Result<(), StoreError> {
    match super::private().read(true).append(true).create(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem) => {
            Err(StoreError::ReadOnly)
        }
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(StoreError::Full),
        Err(error) => Err(StoreError::Broken(format!("cannot open {}: {error}", path.display()))),
    }
}

/// Makes the facts of another database visible to a connection, to be read only.
fn attach_facts(connection: &Connection, facts: &Path) -> Result<(), StoreError> {
    let absolute = std::path::absolute(facts).map_err(|error| StoreError::Broken(format!("cannot find {}: {error}", facts.display())))?;
    let mut url = url::Url::from_file_path(&absolute)
        .map_err(|()| StoreError::Broken(format!("{} cannot be written as an address", absolute.display())))?;
    url.set_query(Some("mode=ro"));
    connection.execute("ATTACH ?1 AS facts", [url.as_str()])?;
    Ok(())
}

fn open_reader(path: &Path, facts: Option<&Path>) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    if let Some(facts) = facts {
        attach_facts(&connection, facts)?;
    }
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", -4_096)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_write_ahead_log_is_short_again_after_a_burst_and_no_reader_is_waited_for() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("clarion.db");
        let sqlite = Sqlite::open(&path).unwrap();
        let reader = open_reader(&path, None).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        let before: i64 = reader.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap();
        let burst = |connection: &Connection| Ok(connection.execute("INSERT INTO meta VALUES ('burst', hex(zeroblob(3000000)))", [])?);
        sqlite.write(Durability::Normal, Extent::Small, burst).await.unwrap();
        let length = || std::fs::metadata(scratch.path().join("clarion.db-wal")).unwrap().len();
        assert!(length() > SMALL_WAL, "{}", length());

        let asked = std::time::Instant::now();
        sqlite.shorten_wal().await.unwrap();
        assert!(asked.elapsed() < PATIENCE / 2, "it waited for a reader");
        assert_eq!(reader.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0)).unwrap(), before);

        reader.execute_batch("COMMIT").unwrap();
        sqlite.shorten_wal().await.unwrap();
        assert!(length() <= SMALL_WAL, "{}", length());
        let kept = |connection: &Connection| {
            Ok(connection.query_row("SELECT length(value) FROM meta WHERE key = 'burst'", [], |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(sqlite.read(kept).await.unwrap(), 6_000_000);
    }
}
