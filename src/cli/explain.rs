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

pub(super) async fn rebuild(global: &Global) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let _lock = ctx.store.lock_collecting()?;
    let report = flow::rebuild(&ctx).await;
    ctx.close().await?;
    let report = report?;
    if global.json {
        output::print_json(&report)?;
    } else {
        let verdict = if report.same { "the same as before" } else { "NOT the same as before" };
        output::print(&format!(
            "computed {} activities and {} works from {} facts in {} ms: {verdict}\nbefore {}\nafter  {}\n",
            report.counters.activities, report.counters.works, report.facts, report.elapsed_ms, report.before, report.after
        ))?;
    }
    if report.same { Ok(()) } else { Err(Quiet.into()) }
}
