//! `clarion backup` and `clarion restore`: a verified copy, and back.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Global;
use super::output;
use crate::clock::{Clock as _, SystemClock};
use crate::flow;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; it must not exist.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup.
    file: PathBuf,
    /// The folder that gets the database; it must hold none.
    dir: PathBuf,
}

pub(super) async fn backup(global: &Global, args: BackupArgs) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let size = ctx.store.backup(&args.file).await;
    let size = size.and_then(|size| flow::carry_erasures(ctx.store.path(), &args.file).map(|()| size));
    ctx.close().await?;
    let size = size?;
    if global.json {
        return output::print_json(&serde_json::json!({ "file": args.file, "bytes": size, "verified": true }));
    }
    output::print(&format!("wrote {} ({size} bytes), checked\n", args.file.display()))
}

pub(super) async fn restore(global: &Global, args: &RestoreArgs) -> anyhow::Result<()> {
    let target = args.dir.join("clarion.db");
    store::verify_file(&args.file).with_context(|| format!("{} is not restored", args.file.display()))?;
    let made = !args.dir.exists();
    std::fs::create_dir_all(&args.dir).with_context(|| format!("cannot make the folder {}", args.dir.display()))?;
    let restored = store::restore_file(&args.file, &target);
    if restored.is_err() && made {
        let _ = std::fs::remove_dir(&args.dir);
    }
    let seq = restored.with_context(|| format!("{} is not restored", args.file.display()))?;
    let erased = flow::apply_erasures(&args.file, &target, SystemClock.now()).await;
    let erased = match erased {
        Ok(erased) => erased,
        Err(error) => {
            // A copy that still holds what was erased must not be left behind.
            let _ = std::fs::remove_file(&target);
            return Err(error).context("the erasures beside the backup could not be applied, so nothing is restored");
        }
    };
    if global.json {
        return output::print_json(&serde_json::json!({ "database": target, "facts": seq, "verified": true, "erased": erased }));
    }
    if erased > 0 {
        let people = if erased == 1 { "1 person was".to_owned() } else { format!("{erased} people were") };
        output::print(&format!("{people} erased after this backup was made, and taken out again\n"))?;
    }
    output::print(&format!("restored {} up to fact {seq}\nnext: point `store.path` of a clarion.toml at it\n", target.display()))
}
