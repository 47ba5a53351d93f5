//! `clarion explain` and `clarion rebuild`: why the record says what it says, and whether it can be computed again.

use clap::Args;

use super::Global;
use super::output::{self, Quiet};
use crate::diagnose::CheckState;
use crate::flow;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The address of a post, video or release.
    url: String,
}

#[derive(Debug, Args)]
pub(super) struct RebuildArgs {
    /// First read all evidence that is still held again, and record what today's readers tell otherwise.
    #[arg(long)]
    reread: bool,
}

pub(super) async fn run(global: &Global, args: ExplainArgs) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let explanation = flow::explain(&ctx, &args.url).await;
    ctx.close().await?;
    let explanation = explanation?;
    if global.json {
        return output::print_json(&explanation);
    }
    let mut text = format!("{}\n", output::safe(&explanation.address));
    for check in &explanation.checks {
        let mark = match check.state {
            CheckState::Passed => "yes",
            CheckState::Failed => "NO",
            CheckState::Open => "-",
        };
        let code = check.code.map(|code| format!(" [{code}]")).unwrap_or_default();
        text.push_str(&format!("{mark:>3}  {:<13} {}{code}\n", check.step.replace('_', " "), output::safe(&check.text)));
    }
    output::print(&text)
}

pub(super) async fn rebuild(global: &Global, args: RebuildArgs) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let _lock = ctx.store.lock_collecting()?;
    let done = async {
        let reread = if args.reread { Some(flow::reread(&ctx).await?) } else { None };
        Ok::<_, crate::store::StoreError>((reread, flow::rebuild(&ctx).await?))
    }
    .await;
    ctx.close().await?;
    let (reread, report) = done?;
    if global.json {
        let mut value = serde_json::to_value(&report)?;
        value["reread"] = serde_json::to_value(&reread)?;
        output::print_json(&value)?;
    } else {
        let mut text = reread.map(|reread| told_again(&reread)).unwrap_or_default();
        if let Some(rules) = &report.rules {
            text.push_str(&adopted(rules));
        }
        let verdict = if report.same { "the same as before" } else { "NOT the same as before" };
        text.push_str(&format!(
            "computed {} activities and {} works from {} facts in {} ms: {verdict}\nbefore {}\nafter  {}\n",
            report.counters.activities, report.counters.works, report.facts, report.elapsed_ms, report.before, report.after
        ));
        output::print(&text)?;
    }
    if report.same || report.rules.is_some() { Ok(()) } else { Err(Quiet.into()) }
}

/// What newer rules changed, for people.
fn adopted(rules: &flow::RulesReport) -> String {
    let mut text = format!("{}\n", rules.sentence());
    for example in &rules.difference.examples {
        text.push_str(&format!("    {}\n", output::safe(example)));
    }
    text
}

/// What reading the evidence again found, for people.
fn told_again(reread: &flow::RereadReport) -> String {
    let mut text = String::new();
    for retold in &reread.retold {
        text.push_str(&format!("{} {}: \u{201c}{}\u{201d}\n", retold.source, output::safe(&retold.url), output::safe(&retold.title)));
        for (name, before, now) in &retold.fields {
            text.push_str(&format!("    {name}: {} -> {}\n", output::safe(before), output::safe(now)));
        }
    }
    for (source, error) in &reread.unreadable {
        text.push_str(&format!("{source}: {}\n", output::safe(error)));
    }
    for (source, count) in &reread.unknown {
        text.push_str(&format!(
            "{source}: {} that the log does not know yet; the next poll reads it anew\n",
            output::counted(*count, "entry").replace("entrys", "entries")
        ));
    }
    text.push_str(&format!(
        "read {} of {} again: {} told otherwise\n",
        output::counted(reread.documents, "document"),
        output::counted(reread.sources, "source"),
        output::counted(reread.retold.len() as u64, "entry").replace("entrys", "entries"),
    ));
    text
}
