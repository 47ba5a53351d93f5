//! `clarion poll`: one pass over what is due.
//!
//! Ends when the facts are in the log. What follows from them is computed by whoever reads it next, so a poll by a timer
//! costs no more than it must.

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::output::{self, Usage, counted};
use super::{Global, source};
use crate::flow::{self, Wanted};
use crate::model::{masked, masked_text};

#[derive(Debug, Args)]
pub(super) struct PollArgs {
    /// Ask every source now, whatever the schedule says; a Retry-After or X-Poll-Interval still holds.
    #[arg(long, conflicts_with = "sources")]
    all: bool,
    /// Ask these sources now: an id such as `s12`, a builder, or the source's address.
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
}

pub(super) async fn run(global: &Global, args: PollArgs) -> anyhow::Result<()> {
    // What fails stands in the summary.
    let ctx = global.context_telling("error").await?;
    let _lock = ctx.store.lock_collecting()?;
    flow::adopt_rules(&ctx).await?;
    let wanted = if args.all {
        Wanted::All
    } else if args.sources.is_empty() {
        Wanted::Due
    } else {
        let mut ids = Vec::new();
        for name in &args.sources {
            let found = source::find(&ctx, name).await?;
            if found.is_empty() {
                return Err(Usage(format!("no source is called `{}`: `clarion source list` names them", masked(name))).into());
            }
            for source in found {
                if source.paused || source.left {
                    let why = if source.paused { "is paused: `clarion source resume` polls it again" } else { "has left the roster" };
                    output::tell(&format!("{} {why}", source.id));
                }
                ids.push(source.id);
            }
        }
        Wanted::These(ids)
    };
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let bar = progress_bar();
    let shown = bar.clone();
    let report = flow::pass(&ctx, &wanted, stop, move |total, poll| {
        if let Some(bar) = &shown {
            bar.set_length(total);
            if poll.is_some() {
                bar.inc(1);
            }
        }
    })
    .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    let sources = if report.failed.is_empty() && report.held.is_empty() { Vec::new() } else { ctx.store.sources().await? };
    ctx.close().await?;
    if global.json {
        return output::print_json(&report);
    }
    let mut text = format!(
        "asked {}: {} read, {} unchanged, {} failed, {} held back; {} new, {} changed\n",
        counted(u64::from(report.asked), "source"),
        report.read,
        report.unchanged,
        report.failed.len(),
        report.held.len(),
        counted(u64::from(report.new), "entry").replace("entrys", "entries"),
        report.changed
    );
    let url_of = |id| sources.iter().find(|source| source.id == id).map_or_else(String::new, |source| format!(" {}", masked(&source.url)));
    for (id, error) in &report.failed {
        text.push_str(&format!("failed  {id}{}: {}\n", output::safe(&url_of(*id)), output::safe(&masked_text(error))));
    }
    for (id, until) in &report.held {
        text.push_str(&format!("held    {id}{}: asks to be left alone until {until:.0}\n", output::safe(&url_of(*id))));
    }
    output::print(&text)
}

/// A bar for people; scripts and logs get none.
fn progress_bar() -> Option<indicatif::ProgressBar> {
    output::is_watched().then(|| {
        let bar = indicatif::ProgressBar::new(0);
        if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} sources  {elapsed}") {
            bar.set_style(style);
        }
        bar
    })
}
