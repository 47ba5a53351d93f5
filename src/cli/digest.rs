//! `clarion digest`: from draft to published.
//!
//! The commands that edit a draft are in `edit`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Global;
use super::output;
use crate::config::ChannelKind;
use crate::flow::{self, Context, Warnings, Wish};
use crate::model::{DeliveryState, DigestState, Week};
use crate::render::{self, Format};
use crate::store::{DeliveryRow, DigestRow};

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
    /// Send a published digest to the places that the configuration names, or a test to one address.
    Send(SendArgs),
    /// Say what was sent where, and what came of it.
    Deliveries(DeliveriesArgs),
    /// Settle by hand a delivery of which nobody knows whether it arrived, or one that was given up.
    Resolve(ResolveArgs),
    /// Put on record that a work was posted somewhere by hand.
    Posted(PostedArgs),
    /// Say who was posted about where and when, and who has waited longest.
    Ledger,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The week, such as 2026-W47; the last whole week unless told otherwise.
    week: Option<Week>,
    /// Send to this address alone, as a test: nothing is marked as sent. Works for drafts too.
    #[arg(long, value_name = "ADDRESS")]
    test: Option<String>,
    /// Only the channel of this name.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    /// The week; all weeks unless told otherwise.
    week: Option<Week>,
}

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    /// The week.
    week: Week,
    /// The channel's name.
    #[arg(long, value_name = "NAME")]
    channel: String,
    /// One part alone.
    #[arg(long, value_name = "NUMBER")]
    part: Option<u32>,
    /// It arrived: nothing more is sent.
    #[arg(long, conflicts_with = "again", required_unless_present = "again")]
    sent: bool,
    /// It did not arrive: send it again.
    #[arg(long)]
    again: bool,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct PostedArgs {
    /// The week.
    week: Week,
    /// The work: its place in the digest, or the beginning of its id.
    work: String,
    /// Where it was posted: x, bluesky, mastodon, linkedin, or another name.
    #[arg(long, value_name = "NAME")]
    channel: String,
    /// The address of the post.
    #[arg(long, value_name = "URL")]
    url: String,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct WeekArgs {
    /// The week, such as 2026-W47; unless told otherwise the last whole week, or until its cut-off the one before.
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
    Atom,
    Slack,
    Discord,
    Teams,
    Social,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Html => Self::Html,
            FormatArg::Eml => Self::Eml,
            FormatArg::Md => Self::Md,
            FormatArg::Txt => Self::Txt,
            FormatArg::Json => Self::Json,
            FormatArg::Atom => Self::Atom,
            FormatArg::Slack => Self::Slack,
            FormatArg::Discord => Self::Discord,
            FormatArg::Teams => Self::Teams,
            FormatArg::Social => Self::Social,
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
    let week_of = |args: &WeekArgs| {
        args.week.unwrap_or_else(|| {
            let (week, waits) = flow::default_week(ctx);
            if let Some((last, cut_off)) = waits {
                output::tell(&format!("{last} is cut off at {cut_off:.0}: until then {week} is meant where no week is named"));
            }
            week
        })
    };
    match command {
        DigestCommand::Draft(args) => {
            let row = flow::draft(ctx, week_of(&args)).await?;
            tell(global, ctx, &row, args.format).await
        }
        DigestCommand::Approve(ApproveArgs { week: args, note, on, strict }) => {
            let week = week_of(&args);
            let wish = Wish { by: global.person(), note, on };
            let before = ctx.store.marks(week).await?.len();
            flow::keep_quiet(ctx).await?;
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
        DigestCommand::Send(args) => {
            let week = args.week.unwrap_or_else(|| Week::last_whole(ctx.clock.now()));
            send(global, ctx, week, &args).await
        }
        DigestCommand::Deliveries(args) => {
            let rows = ctx.store.deliveries(args.week).await?;
            tell_deliveries(global, &rows)
        }
        DigestCommand::Resolve(args) => {
            let rows = flow::resolve_delivery(ctx, args.week, &args.channel, args.part, args.sent, &global.person(), args.note).await?;
            tell_deliveries(global, &rows)
        }
        DigestCommand::Posted(args) => {
            let posted = flow::mark_posted(ctx, args.week, &args.work, &args.channel, &args.url, &global.person(), args.note).await?;
            if global.json {
                return output::print_json(&posted);
            }
            output::print(&format!("{}: on record as posted on {} at {}\n", posted.week, posted.channel, output::safe(&posted.url)))
        }
        DigestCommand::Ledger => {
            let ledger = flow::ledger(ctx).await?;
            if global.json {
                return output::print_json(&ledger);
            }
            tell_ledger(&ledger)
        }
        DigestCommand::Show(args) => {
            let week = week_of(&args);
            let Some(row) = flow::digest_now(ctx, week).await? else {
                flow::may_draft(ctx, week)?;
                return Err(crate::store::Standing::NoDraft(week).into());
            };
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

async fn send(global: &Global, ctx: &Context, week: Week, args: &SendArgs) -> anyhow::Result<()> {
    if let Some(address) = &args.test {
        let channel = flow::send_test(ctx, week, address, args.channel.as_deref(), &global.person()).await?;
        if global.json {
            return output::print_json(&json!({ "week": week, "test": address, "channel": channel }));
        }
        return output::print(&format!(
            "sent {week} to {} through {channel} as a test; nothing is marked as sent\n",
            output::safe(address)
        ));
    }
    for channel in &ctx.config.delivery {
        let named = args.channel.as_ref().is_none_or(|name| *name == channel.name);
        if named && channel.kind == ChannelKind::Smtp && !channel.unsubscribe.iter().any(|address| address.starts_with("https://")) {
            output::tell(&format!(
                "the channel {} has no `unsubscribe` address for one click, so the mail has no List-Unsubscribe header for it; large mail providers may refuse it",
                channel.name
            ));
        }
    }
    let rows = flow::send(ctx, week, args.channel.as_deref()).await?;
    tell_deliveries(global, &rows)?;
    if rows.iter().all(|row| row.state == DeliveryState::Sent) { Ok(()) } else { Err(output::Quiet.into()) }
}

fn tell_deliveries(global: &Global, rows: &[DeliveryRow]) -> anyhow::Result<()> {
    if global.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "week": row.week, "channel": row.channel, "kind": row.kind, "part": row.part, "parts": row.parts, "to": row.target,
                    "state": row.state, "attempts": row.attempts, "repeats": row.repeats, "sha256": row.hash, "mark": row.mark,
                    "planned_at": row.planned_at, "ended_at": row.ended_at, "note": row.note,
                    "next_at": (row.state == DeliveryState::Planned).then_some(row.next_at),
                })
            })
            .collect();
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("nothing was sent yet\n");
    }
    let lines = rows.iter().map(|row| {
        let part = if row.parts > 1 { format!("{} of {}", row.part, row.parts) } else { String::new() };
        let mut note = output::safe(&row.note);
        if row.repeats > 0 {
            note = format!("sent again {} although it may have arrived; {note}", output::counted(u64::from(row.repeats), "time"));
        }
        if row.state == DeliveryState::Planned {
            note = format!("next attempt {:.0}; {note}", row.next_at);
        }
        if row.state == DeliveryState::Doubt {
            note = format!("{note}; look there, then: clarion digest resolve {} --channel {} --sent, or --again", row.week, row.channel);
        }
        vec![row.week.to_string(), row.channel.clone(), part, row.state.as_str().to_owned(), row.attempts.to_string(), note]
    });
    output::print(&output::table(&["week", "channel", "part", "state", "attempts", "note"], lines.collect()))
}

fn tell_ledger(ledger: &flow::Ledger) -> anyhow::Result<()> {
    let mut text = String::new();
    if ledger.posted.is_empty() {
        text.push_str("nothing is on record as posted yet\n");
    } else {
        let rows = ledger.posted.iter().map(|line| {
            let posted = &line.posted;
            vec![
                format!("{:.0}", posted.at),
                posted.week.to_string(),
                posted.channel.clone(),
                output::safe(&line.names.join(", ")),
                output::safe(&line.title),
                output::safe(&posted.url),
            ]
        });
        text.push_str(&output::table(&["posted", "week", "channel", "by", "work", "address"], rows.collect()));
    }
    if !ledger.waiting.is_empty() {
        text.push_str("\nwaiting longest:\n");
        let rows = ledger.waiting.iter().map(|line| {
            let last = line.last_posted_at.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}"));
            vec![output::safe(&line.name), format!("{:.0}", line.since), line.works.to_string(), last]
        });
        text.push_str(&output::table(&["builder", "featured", "works not posted", "last posted"], rows.collect()));
    }
    output::print(&text)
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
        text.push_str("nothing could be chosen this week; readers are told so\n");
    }
    for (place, pick) in digest.picks().enumerate() {
        if let Some(told) = &pick.removed {
            text.push_str(&format!("{:>2}. {}\n", place + 1, output::safe(told)));
            continue;
        }
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
        DigestState::Draft | DigestState::InReview => {
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
/// The command that helps where a digest does not stand where it would have to.
pub(super) fn advice(error: &anyhow::Error) -> Option<String> {
    use crate::flow::{DeliverError, DraftError, EditError, LedgerError, PublishError};
    use crate::store::{Standing, StoreError};
    let of_store = |error: &StoreError| if let StoreError::Standing(standing) = error { Some(*standing) } else { None };
    let of_draft = |error: &DraftError| match error {
        DraftError::Edited(week) => Some(Standing::Edited(*week)),
        DraftError::Store(error) => of_store(error),
        _ => None,
    };
    let of_one = |cause: &(dyn std::error::Error + 'static)| {
        if let Some(error) = cause.downcast_ref::<EditError>() {
            return match error {
                EditError::NoDraft(week) => Some(Standing::NoDraft(*week)),
                EditError::Draft(error) => of_draft(error),
                EditError::Store(error) => of_store(error),
                _ => None,
            };
        }
        if let Some(error) = cause.downcast_ref::<PublishError>() {
            return match error {
                PublishError::NoDraft(week) => Some(Standing::NoDraft(*week)),
                PublishError::NotApproved(week) => Some(Standing::NotApproved(*week)),
                PublishError::Store(error) => of_store(error),
                _ => None,
            };
        }
        if let Some(error) = cause.downcast_ref::<DeliverError>() {
            return match error {
                DeliverError::NoDraft(week) => Some(Standing::NoDraft(*week)),
                DeliverError::NotPublished(week) => Some(Standing::NotPublished(*week)),
                DeliverError::Store(error) => of_store(error),
                _ => None,
            };
        }
        if let Some(error) = cause.downcast_ref::<LedgerError>() {
            return match error {
                LedgerError::NoDraft(week) => Some(Standing::NoDraft(*week)),
                LedgerError::Store(error) => of_store(error),
                _ => None,
            };
        }
        let plain = cause.downcast_ref::<DraftError>().and_then(of_draft);
        plain.or_else(|| cause.downcast_ref::<StoreError>().and_then(of_store)).or_else(|| cause.downcast_ref::<Standing>().copied())
    };
    Some(match error.chain().find_map(of_one)? {
        Standing::NoDraft(week) => format!("`clarion digest draft {week}` makes it"),
        Standing::Edited(week) => format!("`clarion digest refresh {week}`"),
        Standing::NotApproved(week) => format!("`clarion digest approve {week}`"),
        Standing::Approved(week) => format!("`clarion digest pull-back {week}`"),
        Standing::Published(week) => format!("`clarion digest correct {week}`"),
        Standing::NotPublished(week) => format!("`clarion digest publish {week}`"),
    })
}
