//! `clarion digest`: from draft to published.
//!
//! The commands that edit a draft are in `edit`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Global;
use super::output;
use crate::flow::{self, Context, Warnings, Wish};
use crate::model::{DigestState, Week};
use crate::render::{self, Format};
use crate::store::DigestRow;

#[derive(Debug, Subcommand)]
pub(super) enum DigestCommand {
    /// Make the draft of a week, or make it again while nobody approved it.
    Draft(WeekArgs),
    /// Print a week's digest: as published, else as drafted.
    Show(WeekArgs),
    /// Approve the draft as it stands; it may be published once the cooling-off is over.
    ///
    /// Errors of `clarion digest check` block. Links that were not asked within the last hour are asked first. Warnings
    /// that nobody ticked are told, and accepted with the approval; with --strict they block too.
    Approve(ApproveArgs),
    /// Look over and edit a draft.
    #[command(flatten)]
    Edit(super::edit::EditCommand),
    /// Publish an approved digest: from then on its bytes never change.
    Publish(WeekArgs),
}

#[derive(Debug, Args)]
pub(super) struct WeekArgs {
    /// The week, such as 2026-W47; the last whole week unless told otherwise.
    week: Option<Week>,
    /// Print the digest in this format.
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    week: WeekArgs,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The revision that you looked at; refused if somebody edited since.
    #[arg(long = "on", value_name = "REVISION")]
    on: Option<u32>,
    /// Refuse while a warning is open.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    Html,
    Eml,
    Md,
    Txt,
    Json,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Html => Self::Html,
            FormatArg::Eml => Self::Eml,
            FormatArg::Md => Self::Md,
            FormatArg::Txt => Self::Txt,
            FormatArg::Json => Self::Json,
        }
    }
}

pub(super) async fn run(global: &Global, command: DigestCommand) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let done = dispatch(global, &ctx, command).await;
    ctx.close().await?;
    done
}

async fn dispatch(global: &Global, ctx: &Context, command: DigestCommand) -> anyhow::Result<()> {
    let week_of = |args: &WeekArgs| args.week.unwrap_or_else(|| Week::last_whole(ctx.clock.now()));
    match command {
        DigestCommand::Draft(args) => {
            let row = flow::draft(ctx, week_of(&args)).await?;
            tell(global, ctx, &row, args.format).await
        }
        DigestCommand::Approve(ApproveArgs { week: args, note, on, strict }) => {
            let week = week_of(&args);
            let wish = Wish { by: global.person(), note, on };
            let before = ctx.store.marks(week).await?.len();
            let row = flow::approve_draft(ctx, week, if strict { Warnings::Ticked } else { Warnings::Accept }, &wish).await?;
            if !global.json && ctx.store.marks(week).await?.len() > before {
                for finding in flow::draft_view(ctx, week).await?.findings {
                    output::tell(&format!("accepted with the approval: {}", output::safe(&finding.text)));
                }
            }
            tell(global, ctx, &row, args.format).await
        }
        DigestCommand::Edit(command) => super::edit::run(global, ctx, command).await,
        DigestCommand::Publish(args) => {
            let row = flow::publish(ctx, week_of(&args), &global.person()).await?;
            tell(global, ctx, &row, args.format).await
        }
        DigestCommand::Show(args) => {
            let week = week_of(&args);
            let row = ctx
                .store
                .digest(week)
                .await?
                .ok_or_else(|| anyhow::anyhow!("there is no draft of {week} yet: make it with `clarion digest draft {week}`"))?;
            let format = match args.format {
                Some(format) => format.into(),
                None if global.json => Format::Json,
                None => Format::Txt,
            };
            show(ctx, &row, format).await
        }
    }
}

async fn show(ctx: &Context, row: &DigestRow, format: Format) -> anyhow::Result<()> {
    if row.state == DigestState::Published
        && let Some(bytes) = ctx.store.sealed(row.week, format.extension()).await?
    {
        return output::print_bytes(&bytes);
    }
    let context = flow::edition_context(ctx, row).await?;
    output::print_bytes(&render::render(&row.digest, &context, format)?)
}

pub(super) async fn tell_row(global: &Global, ctx: &Context, row: &DigestRow) -> anyhow::Result<()> {
    tell(global, ctx, row, None).await
}

async fn tell(global: &Global, ctx: &Context, row: &DigestRow, format: Option<FormatArg>) -> anyhow::Result<()> {
    if let Some(format) = format {
        return show(ctx, row, format.into()).await;
    }
    let digest = &row.digest;
    if global.json {
        return output::print_json(&json!({
            "week": row.week, "state": row.state, "draft": row.draft_hash, "late": digest.late,
            "picks": digest.picks().count(), "eligible_works": digest.eligible_works, "nominees": digest.nominees,
            "publish_at": row.publish_at, "published_at": row.published_at, "cutoff_seq": digest.cutoff_seq,
            "config_hash": digest.config_hash, "revision": row.revision, "edit_hash": row.edit_hash, "edition": row.edition, "sealed": row.sealed,
        }));
    }
    let week = row.week;
    let mut text = format!("{week}: {}", row.state.as_str().replace('_', " "));
    if digest.late {
        text.push_str(" (made after its cut-off)");
    }
    text.push('\n');
    if digest.is_empty() {
        text.push_str("nothing could be chosen this week; `clarion digest show --format txt` says so to readers too\n");
    }
    for (place, pick) in digest.picks().enumerate() {
        let names: Vec<_> = pick.builders.iter().map(|builder| builder.name.as_str()).collect();
        let terms: Vec<_> = pick.reasons.iter().map(|reason| format!("{} {}", reason.text, reason.points)).collect();
        text.push_str(&format!(
            "{:>2}. {} \u{2014} {}\n    {} ({})\n",
            place + 1,
            output::safe(&pick.title),
            output::safe(&names.join(", ")),
            pick.gain,
            output::safe(&terms.join("; "))
        ));
    }
    text.push_str(&format!(
        "{} of {} works that could be chosen, by {} builders\n",
        digest.picks().count(),
        digest.eligible_works,
        digest.nominees
    ));
    match row.state {
        DigestState::Draft | DigestState::InReview if !digest.is_empty() => {
            text.push_str(&format!("next: clarion digest approve {week}\n"));
        }
        DigestState::Approved => {
            let from = row.publish_at.map(|at| format!(" from {at:.0} on")).unwrap_or_default();
            text.push_str(&format!("next{from}: clarion digest publish {week}\n"));
        }
        _ => {}
    }
    output::print(&text)
}
