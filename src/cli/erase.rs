//! `clarion erase`: takes a person's data out, and says what cannot be taken back.

use clap::Args;

use super::Global;
use super::output::{self, Usage};
use crate::flow;
use crate::model::Slug;

#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    /// The builder's short name.
    builder: String,
}

pub(super) async fn run(global: &Global, args: EraseArgs) -> anyhow::Result<()> {
    let slug = Slug::parse(&args.builder).map_err(|error| Usage(error.to_string()))?;
    let ctx = global.context().await?;
    let _lock = ctx.store.lock_collecting()?;
    let report = flow::erase(&ctx, &slug, &global.person()).await;
    ctx.close().await?;
    let report = report?;
    if global.json {
        return output::print_json(&report);
    }
    let flow::ErasureReport { builder, erased, file, remains } = &report;
    let weeks = |weeks: &[crate::model::Week]| weeks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "erased {builder}: {} sources, {} entries, {} texts, {} documents, {} link checks\n",
        erased.sources, erased.entries, erased.texts, erased.documents, erased.links
    );
    if erased.shared_sources + erased.shared_entries > 0 {
        text.push_str(&format!(
            "{} sources and {} entries are others' too and stay, without the name\n",
            erased.shared_sources, erased.shared_entries
        ));
    }
    if !erased.drafts.is_empty() {
        text.push_str(&format!("drafts that were computed anew, with their edits, and want to be approved: {}\n", weeks(&erased.drafts)));
    }
    if !erased.editions.is_empty() {
        text.push_str(&format!("new editions of published digests, the old bytes are gone: {}\n", weeks(&erased.editions)));
    }
    text.push_str(&format!("keep {} with the backups: restoring applies it\n", file.display()));
    for line in remains {
        text.push_str(&format!("note: {line}\n"));
    }
    output::print(&text)
}
