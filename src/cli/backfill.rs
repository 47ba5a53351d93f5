//! `clarion backfill`: what sources published before clarion knew them.

use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::output::{self, Usage, counted};
use super::{Global, source};
use crate::flow;
use crate::model::{masked, masked_text};

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// Read the older pages of these: an id such as `s12`, a builder, or the source's address.
    #[arg(value_name = "SOURCE", required_unless_present = "all")]
    sources: Vec<String>,
    /// Read the older pages of every source.
    #[arg(long, conflicts_with = "sources")]
    all: bool,
    /// Go no further back than this day, such as 2024-01-31.
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
}

pub(super) async fn run(global: &Global, args: BackfillArgs) -> anyhow::Result<()> {
    let ctx = global.context_telling("error").await?;
    let _lock = ctx.store.lock_collecting()?;
    flow::adopt_rules(&ctx).await?;
    flow::keep_quiet(&ctx).await?;
    let since = args.since.map(|date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())).transpose();
    let since: Option<Timestamp> = since.map_err(|error| Usage(format!("that date cannot be used: {error}")))?;
    let mut wanted = Vec::new();
    if args.all {
        wanted.extend(ctx.store.pollable().await?.into_iter().map(|(source, _)| source));
    } else {
        for name in &args.sources {
            let found = source::find(&ctx, name).await?;
            if found.is_empty() {
                return Err(Usage(format!("no source is called `{}`: `clarion source list` names them", masked(name))).into());
            }
            wanted.extend(found.into_iter().map(Arc::new));
        }
    }
    wanted.sort_by_key(|source| source.id);
    wanted.dedup_by_key(|source| source.id);
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let mut reports = Vec::new();
    for source in &wanted {
        if stop.is_cancelled() {
            break;
        }
        let report = flow::backfill(&ctx, source, since, &stop).await?;
        if !global.json {
            let oldest = report.oldest.map(|at| format!(", the oldest of {}", at.strftime("%Y-%m-%d"))).unwrap_or_default();
            output::print(&format!(
                "{} {}: {} read, {} older {}{oldest}; {}\n",
                report.source,
                output::safe(&report.url),
                counted(u64::from(report.pages), "page"),
                report.new,
                if report.new == 1 { "entry" } else { "entries" },
                output::safe(&masked_text(&report.note))
            ))?;
        }
        reports.push(report);
    }
    ctx.close().await?;
    if global.json { output::print_json(&reports) } else { Ok(()) }
}
