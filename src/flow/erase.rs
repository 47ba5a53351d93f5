//! A person who wants to be forgotten: their data goes, published digests get a new edition without them, and what cannot
//! be taken back is said (RECORD.md section 10).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::decide::{EditError, Wish, refresh};
use super::draft::draft;
use super::publish::{next_context, sealing};
use super::{Context, settle};
use crate::model::{DigestState, Slug, Week};
use crate::store::{DeskRow, DigestRow, Erased, Erasing, ErasureRecord, Store, StoreError};

/// What came of it, and what nobody can undo.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ErasureReport {
    pub builder: String,
    #[serde(flatten)]
    pub erased: Erased,
    /// The file that every restored backup has to be brought together with.
    pub file: PathBuf,
    /// What is beyond our reach, in sentences.
    pub remains: Vec<String>,
}

/// The file of erasures beside a database.
pub fn erasures_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".erased");
    name.into()
}

/// Erases a builder. The collector must not run: the caller holds its lock.
pub async fn erase(ctx: &Context, slug: &Slug, by: &str) -> Result<ErasureReport, StoreError> {
    settle(ctx).await?;
    let builder = ctx.store.builder(slug).await?.ok_or_else(|| StoreError::Refused(format!("there is no builder `{slug}`")))?;
    let at = ctx.clock.now();
    let told = told(at);
    let mut editions = Vec::new();
    let is_out = |row: &DigestRow| row.state == DigestState::Published;
    for row in ctx.store.digests().await? {
        let Some(rest) = row.digest.without(builder.id, &told).filter(|_| is_out(&row) && row.digest.shows(builder.id)) else { continue };
        let row = DigestRow { digest: rest, ..row };
        let context = next_context(ctx, &row).await?;
        let sealed = sealing(&row, &context, at).map_err(|error| StoreError::Broken(error.to_string()))?;
        editions.push((sealed, row.digest));
    }
    let erasing = Erasing { builder, by: by.to_owned(), at, told, editions };
    let mut erased = ctx.store.erase(erasing).await?;
    let file = erasures_beside(ctx.store.path());
    if let Some(record) = erased.record.take() {
        note(&file, &record)?;
    }
    settle(ctx).await?;
    let mut remains =
        vec!["backups made before this still hold the data: restore them only with the file of erasures beside them".to_owned()];
    for week in &erased.drafts {
        // The draft stands without them already; their place is filled here.
        if let Err(error) = drafted_anew(ctx, *week, by).await {
            remains.push(format!("the draft of {week} could not be computed anew, do it with `clarion digest refresh`: {error}"));
        }
    }
    if !erased.editions.is_empty() {
        remains.push("mails, posts, feeds and copies of digests that went out before cannot be recalled".to_owned());
        remains.push("introductions and corrections that editors wrote may name the person".to_owned());
    }
    if erased.shared_entries > 0 {
        remains.push("works that others made too stay theirs; their texts may name the person".to_owned());
    }
    Ok(ErasureReport { builder: slug.to_string(), erased, file, remains })
}

/// Computes an open draft anew, with the edits that it has.
async fn drafted_anew(ctx: &Context, week: Week, by: &str) -> Result<(), EditError> {
    let Some(DeskRow { head, .. }) = ctx.store.desk(week).await? else { return Ok(()) };
    if head.revision == 0 {
        draft(ctx, week).await?;
    } else {
        refresh(ctx, week, None, &Wish::by(by)).await?;
    }
    Ok(())
}

/// What readers of a digest are told where a work stood.
fn told(at: Timestamp) -> String {
    format!("A work was taken out of this digest on {}: it was erased for the one who made it.", at.strftime("%-d %B %Y"))
}

fn broken(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Refused(format!("cannot write {}: {error}", path.display()))
}

/// Adds an erasure to the file beside the database, which its owner alone can read.
fn note(file: &Path, record: &ErasureRecord) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut line = serde_json::to_string(record)?;
    line.push('\n');
    let mut open = options.open(file).map_err(|error| broken(file, &error))?;
    open.write_all(line.as_bytes()).and_then(|()| open.sync_all()).map_err(|error| broken(file, &error))
}

/// Puts the file of erasures beside a backup, so that it is there when that, or an older one of the same folder, is
/// restored.
pub fn carry_erasures(database: &Path, backup: &Path) -> Result<(), StoreError> {
    let from = erasures_beside(database);
    if from.exists() {
        let to = in_folder(backup);
        std::fs::copy(&from, &to).map_err(|error| broken(&to, &error))?;
    }
    Ok(())
}

/// Where a folder of backups keeps its file of erasures.
fn in_folder(backup: &Path) -> PathBuf {
    backup.with_file_name("clarion.erased")
}

/// Applies every erasure that stands beside a backup to the database restored from it; answers how many people went.
pub async fn apply_erasures(backup: &Path, database: &Path, at: Timestamp) -> Result<u64, StoreError> {
    let file = in_folder(backup);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(StoreError::Refused(format!("cannot read {}: {error}", file.display()))),
    };
    let records: Vec<ErasureRecord> =
        text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect::<Result<_, _>>()?;
    let store = Store::open(database).await?;
    store.adopt_erasures(records.clone()).await?;
    let found = store.named_in(records).await?;
    let count = found.len() as u64;
    for builder in found {
        let erasing = Erasing { builder, by: "restore".into(), at, told: told(at), editions: Vec::new() };
        store.erase(erasing).await?;
    }
    store.close().await?;
    let beside = erasures_beside(database);
    std::fs::copy(&file, &beside).map_err(|error| broken(&beside, &error))?;
    Ok(count)
}
