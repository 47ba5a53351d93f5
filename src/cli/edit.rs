//! `clarion digest pin`, `drop`, `check` and the others that look over and edit a draft.
//!
//! Each says what it did and how the draft stands; with `--json` the whole view of the draft, so that a script can go on
//! from it. What is typed is turned into an edit or a mark here; whether it makes sense is for `flow` to say.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Global;
use super::output;
use crate::config::ChannelKind;
use crate::flow::{self, Context, Wish};
use crate::model::{ActivityId, BuilderId, DeliveryState, Difference, DigestState, DraftView, Edit, Level, Mark, Slug, Week, Wording};
use crate::store::DeliveryRow;

#[derive(Debug, Subcommand)]
pub(super) enum EditCommand {
    /// Give a work a place, whatever its points. In a full digest the pick that was added last makes room.
    Pin(WorkArgs),
    /// Take a work, or a builder with all works, out this week; the next in line has the place.
    Drop(DropArgs),
    /// Let a work wait until a later week; it is in the running again then.
    Hold(HoldArgs),
    /// Give the place of a work to another work of the same builder.
    Swap(PairArgs),
    /// Write a text anew: the gloss under the title, the summary, or a post. The original is kept beside it.
    Reword(RewordArgs),
    /// Move a work within its section.
    Move(MoveArgs),
    /// Let a work lead.
    Lead(WorkArgs),
    /// Write the sentence at the head of the digest, or of a section.
    Intro(IntroArgs),
    /// Say that two works are one. It holds for every later week too.
    Merge(PairArgs),
    /// Say that two activities of one work are two works. It holds for every later week too.
    Split(PairArgs),
    /// Take an edit back: the last one, or the one of that revision.
    Undo(UndoArgs),
    /// List the edits of a week.
    Edits(WeekArg),
    /// Say what speaks against sending the draft: errors block, warnings want a tick. Exits 1 while there are errors.
    Check(CheckArgs),
    /// Tick a warning as read, or a work as opened.
    Tick(TickArgs),
    /// Ask for a review of a work before it goes out, or say that it is done. An open review blocks the approval.
    Review(ReviewArgs),
    /// Tell the author of a work, in private, that something in it is outdated.
    Outdated(OutdatedArgs),
    /// Show what would change if the draft were computed anew from the log as it is now; with --take, do it.
    Refresh(RefreshArgs),
    /// Take an approval back before publication.
    PullBack(NotedWeek),
    /// Put a mistake in a published digest right: a new edition tells it, the old one stays as it was.
    Correct(CorrectArgs),
    /// Take a work, or what is coming up, out of a published digest for legal or safety reasons; a line says so.
    Remove(RemoveArgs),
    /// Show what differs from the draft before its edits, or from another week.
    Diff(DiffArgs),
    /// Show who is next in line for a place.
    Next(WeekArg),
}

#[derive(Debug, Args)]
pub(super) struct WeekArg {
    /// The week, such as 2026-W47; the last whole week unless told otherwise.
    week: Option<Week>,
}

/// What every edit takes.
#[derive(Debug, Args)]
pub(super) struct Noted {
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The revision of the draft that you looked at; refused, with what happened since, if it is not the last any more.
    #[arg(long, value_name = "REVISION")]
    on: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct NotedWeek {
    #[command(flatten)]
    week: WeekArg,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    work: String,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct DropArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    #[arg(required_unless_present = "builder", conflicts_with = "builder")]
    work: Option<String>,
    /// A builder instead, by slug: not this builder this week.
    #[arg(long, value_name = "SLUG")]
    builder: Option<String>,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    work: String,
    /// The week in whose draft it is in the running again, at most eight weeks on.
    #[arg(long, value_name = "WEEK")]
    until: Week,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct PairArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The one: its position in the draft, the beginning of its id, or its address.
    one: String,
    /// The other, named in the same ways.
    other: String,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct RewordArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    work: String,
    /// Which text: title-gloss, summary, social, or a post for one network: social:x, social:bluesky, social:mastodon,
    /// social:linkedin.
    field: Wording,
    /// The new text.
    #[arg(required_unless_present = "original", conflicts_with = "original")]
    text: Option<String>,
    /// Put the original back.
    #[arg(long)]
    original: bool,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    work: String,
    /// `up`, `down`, or the place in its section, 1 for the first.
    to: String,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct IntroArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The sentence.
    #[arg(required_unless_present = "none", conflicts_with = "none")]
    text: Option<String>,
    /// Of a section: the key of its category.
    #[arg(long, value_name = "CATEGORY")]
    section: Option<String>,
    /// Take the sentence away.
    #[arg(long)]
    none: bool,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The revision of the edit, as `clarion digest edits` lists it; the last edit unless told otherwise.
    revision: Option<u32>,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    week: WeekArg,
}

#[derive(Debug, Args)]
pub(super) struct TickArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// Keys of warnings, as `clarion digest check` tells them.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Works that you opened: position, beginning of the id, or address; several times for several.
    #[arg(long, value_name = "WORK")]
    opened: Vec<String>,
    /// Every warning that is open.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    work: String,
    /// Who looks at it; the configured reviewer of its topic unless told otherwise.
    #[arg(long, value_name = "PERSON", conflicts_with = "done")]
    reviewer: Option<String>,
    /// The review is done.
    #[arg(long)]
    done: bool,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct OutdatedArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the draft, the beginning of its id, or its address.
    work: String,
    /// What is outdated.
    text: String,
}

#[derive(Debug, Args)]
pub(super) struct RefreshArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// Take what would change.
    #[arg(long)]
    take: bool,
    /// The token of the preview that you looked at; refused if something else would come of it by now.
    #[arg(long, value_name = "TOKEN", requires = "take")]
    token: Option<String>,
    #[command(flatten)]
    noted: Noted,
}

#[derive(Debug, Args)]
pub(super) struct CorrectArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// What was wrong and is right, in a sentence that readers see.
    text: String,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The week, such as 2026-W47.
    week: Week,
    /// The work: its position in the digest, the beginning of its id, or its address. An entry of "Coming up": its
    /// address, or the beginning of its id.
    work: String,
    /// Why, in words that readers see.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    week: WeekArg,
    /// Compare with the digest of this week instead of the draft before its edits.
    #[arg(long, value_name = "WEEK")]
    with: Option<Week>,
}

pub(super) async fn run(global: &Global, ctx: &Context, command: EditCommand) -> anyhow::Result<()> {
    let week_of = |arg: &WeekArg| arg.week.unwrap_or_else(|| Week::last_whole(ctx.clock.now()));
    match command {
        EditCommand::Pin(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            edit(global, ctx, args.week, Edit::Pin { work }, args.noted).await
        }
        EditCommand::Lead(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            edit(global, ctx, args.week, Edit::Lead { work }, args.noted).await
        }
        EditCommand::Drop(args) => {
            let what = match (&args.work, &args.builder) {
                (Some(work), _) => Edit::Drop { work: flow::find_work(ctx, args.week, work).await? },
                (None, slug) => Edit::DropBuilder { builder: builder(ctx, slug.as_deref().unwrap_or_default()).await? },
            };
            edit(global, ctx, args.week, what, args.noted).await
        }
        EditCommand::Hold(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            edit(global, ctx, args.week, Edit::Hold { work, until: args.until }, args.noted).await
        }
        EditCommand::Swap(args) => {
            let (work, with) = pair(ctx, &args).await?;
            edit(global, ctx, args.week, Edit::Swap { work, with }, args.noted).await
        }
        EditCommand::Merge(args) => {
            let (one, other) = pair(ctx, &args).await?;
            edit(global, ctx, args.week, Edit::Merge { one, other }, args.noted).await
        }
        EditCommand::Split(args) => {
            let (one, other) = pair(ctx, &args).await?;
            edit(global, ctx, args.week, Edit::Split { one, other }, args.noted).await
        }
        EditCommand::Reword(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            edit(global, ctx, args.week, Edit::Reword { work, field: args.field, text: args.text }, args.noted).await
        }
        EditCommand::Move(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            let place = place(ctx, args.week, &work, &args.to).await?;
            edit(global, ctx, args.week, Edit::Move { work, place }, args.noted).await
        }
        EditCommand::Intro(args) => edit(global, ctx, args.week, Edit::Intro { section: args.section, text: args.text }, args.noted).await,
        EditCommand::Undo(args) => {
            let revision = match args.revision {
                Some(revision) => revision,
                None => last_edit(ctx, args.week).await?,
            };
            edit(global, ctx, args.week, Edit::Undo { revision }, args.noted).await
        }
        EditCommand::Edits(arg) => list_edits(global, ctx, week_of(&arg)).await,
        EditCommand::Check(args) => check(global, ctx, week_of(&args.week)).await,
        EditCommand::Tick(args) => tick(global, ctx, args).await,
        EditCommand::Review(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            let what = if args.done { Mark::Reviewed { work } } else { Mark::Review { work, reviewer: args.reviewer } };
            let view = flow::mark(ctx, args.week, what, &wish(global, args.noted)).await?;
            tell(global, &view, "noted")
        }
        EditCommand::Outdated(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            let view = flow::mark(ctx, args.week, Mark::Outdated { work, text: args.text }, &Wish::by(&global.person())).await?;
            tell(global, &view, "noted for the author alone")
        }
        EditCommand::Refresh(args) => refresh(global, ctx, args).await,
        EditCommand::PullBack(args) => {
            let view = flow::pull_back(ctx, week_of(&args.week), &wish(global, args.noted)).await?;
            tell(global, &view, "pulled back: it can be edited again")
        }
        EditCommand::Correct(args) => {
            let row = flow::correct(ctx, args.week, &args.text, &global.person(), args.note).await?;
            super::digest::tell_row(global, ctx, &row).await
        }
        EditCommand::Remove(args) => {
            let work = flow::find_work(ctx, args.week, &args.work).await?;
            let row = flow::remove(ctx, args.week, &work, &args.reason, &global.person()).await?;
            tell_what_is_out(ctx, args.week).await?;
            super::digest::tell_row(global, ctx, &row).await
        }
        EditCommand::Diff(args) => {
            let week = week_of(&args.week);
            let difference = match args.with {
                Some(other) => flow::compare_with_week(ctx, week, other).await?,
                None => flow::compare_with_computed(ctx, week).await?,
            };
            if global.json { output::print_json(&difference) } else { output::print(&told(&difference)) }
        }
        EditCommand::Next(arg) => next(global, ctx, week_of(&arg)).await,
    }
}

/// Says what a removal cannot reach, and what the next sending does.
async fn tell_what_is_out(ctx: &Context, week: Week) -> anyhow::Result<()> {
    let rows = ctx.store.deliveries(Some(week)).await?;
    let channels = |of: &dyn Fn(&DeliveryRow) -> bool| {
        let names: std::collections::BTreeSet<&str> = rows.iter().filter(|row| of(row)).map(|row| row.channel.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let files = |row: &DeliveryRow| row.kind == ChannelKind::Files.as_str();
    let written = channels(&|row| files(row));
    let out = channels(&|row| !files(row) && matches!(row.state, DeliveryState::Sent | DeliveryState::Offered | DeliveryState::Doubt));
    if !written.is_empty() {
        output::tell(&format!("its files are written anew with the next sending (`clarion digest send {week}`): {written}"));
    }
    if !out.is_empty() {
        output::tell(&format!("what was sent cannot be recalled, take it out there yourself: {out}"));
    }
    Ok(())
}

async fn next(global: &Global, ctx: &Context, week: Week) -> anyhow::Result<()> {
    let view = flow::draft_view(ctx, week).await?;
    if global.json {
        return output::print_json(&view.next);
    }
    let mut text = String::new();
    for (place, next) in (1..).zip(&view.next) {
        let (title, builders) = (output::safe(&next.title), output::safe(&next.builders.join(", ")));
        text.push_str(&format!("{place:>2}. {title} \u{2014} {builders}\n    {} points, {}\n", next.gain, next.work));
    }
    if view.next.is_empty() {
        text.push_str("nobody is in line\n");
    }
    output::print(&text)
}

fn wish(global: &Global, noted: Noted) -> Wish {
    Wish { by: global.person(), note: noted.note, on: noted.on }
}

async fn edit(global: &Global, ctx: &Context, week: Week, what: Edit, noted: Noted) -> anyhow::Result<()> {
    let view = flow::edit(ctx, week, &what, &wish(global, noted)).await?;
    let done = view.edits.last().map(|record| record.text.clone()).unwrap_or_default();
    tell(global, &view, &done)
}

async fn pair(ctx: &Context, args: &PairArgs) -> anyhow::Result<(ActivityId, ActivityId)> {
    let one = flow::find_work(ctx, args.week, &args.one).await?;
    Ok((one, flow::find_work(ctx, args.week, &args.other).await?))
}

async fn builder(ctx: &Context, slug: &str) -> anyhow::Result<BuilderId> {
    let named = Slug::parse(slug)?;
    let builder = ctx.store.builder(&named).await?.ok_or_else(|| anyhow::anyhow!("there is no builder `{named}`"))?;
    Ok(builder.id)
}

/// The place that `up`, `down` or a number means.
async fn place(ctx: &Context, week: Week, work: &ActivityId, to: &str) -> anyhow::Result<u32> {
    if let Ok(place) = to.parse::<u32>() {
        return Ok(place);
    }
    let view = flow::draft_view(ctx, week).await?;
    let pick =
        view.picks.iter().find(|view| view.pick.is_of(work)).ok_or_else(|| anyhow::anyhow!("{work} is not among the picks of {week}"))?;
    match to {
        "up" => Ok(pick.place.saturating_sub(1).max(1)),
        "down" => Ok(pick.place + 1),
        _ => Err(output::Usage(format!("`{to}` is no place: write up, down, or a number")).into()),
    }
}

async fn last_edit(ctx: &Context, week: Week) -> anyhow::Result<u32> {
    let edits = ctx.store.edits(week).await?;
    let standing =
        |record: &&crate::model::EditRecord| record.undone_by.is_none() && !matches!(record.what, Edit::Undo { .. } | Edit::Refresh);
    let last = edits.iter().rev().find(standing);
    Ok(last.ok_or_else(|| anyhow::anyhow!("the draft of {week} has no edit that could be taken back"))?.revision)
}

async fn list_edits(global: &Global, ctx: &Context, week: Week) -> anyhow::Result<()> {
    let edits = ctx.store.edits(week).await?;
    if global.json {
        return output::print_json(&edits);
    }
    let mut text = String::new();
    for record in &edits {
        let undone = record.undone_by.map(|by| format!(" (taken back by {by})")).unwrap_or_default();
        let note = record.note.as_deref().map(|note| format!(": {}", output::safe(note))).unwrap_or_default();
        let (by, what) = (output::safe(&record.by), output::safe(&record.text));
        text.push_str(&format!("{:>3}. {:.0} {by} {what}{note}{undone}\n", record.revision, record.at));
    }
    if edits.is_empty() {
        text.push_str("no edits\n");
    }
    output::print(&text)
}

async fn check(global: &Global, ctx: &Context, week: Week) -> anyhow::Result<()> {
    let view = flow::draft_view(ctx, week).await?;
    if view.state == DigestState::Collecting {
        return Err(flow::EditError::NoDraft(week).into());
    }
    let errors = view.findings.iter().filter(|finding| finding.level == Level::Error).count();
    if global.json {
        output::print_json(&json!({
            "week": view.week, "state": view.state, "revision": view.revision, "approvable": view.approvable, "errors": errors,
            "findings": view.findings,
        }))?;
    } else {
        output::print(&findings(&view))?;
    }
    if errors > 0 { Err(output::Quiet.into()) } else { Ok(()) }
}

fn findings(view: &DraftView) -> String {
    let mut text = String::new();
    for finding in &view.findings {
        let level = match (finding.level, &finding.ticked_by) {
            (Level::Error, _) => "ERROR  ".to_owned(),
            (Level::Warning, None) => "warning".to_owned(),
            (Level::Warning, Some(by)) => format!("ticked by {}", output::safe(by)),
        };
        text.push_str(&format!("{} {level} [{}] {}\n", finding.key, finding.code, output::safe(&finding.text)));
    }
    if view.findings.is_empty() {
        text.push_str("nothing speaks against it\n");
    }
    text
}

async fn tick(global: &Global, ctx: &Context, args: TickArgs) -> anyhow::Result<()> {
    let TickArgs { week, mut keys, opened, all, noted } = args;
    let wish = wish(global, noted);
    if all {
        let open = |finding: &crate::model::Finding| finding.level == Level::Warning && finding.ticked_by.is_none();
        let view = flow::draft_view(ctx, week).await?;
        keys.extend(view.findings.into_iter().filter(open).map(|finding| finding.key));
    }
    if keys.is_empty() && opened.is_empty() && !all {
        return Err(output::Usage("name a warning by its key, a work with --opened, or say --all".to_owned()).into());
    }
    for key in keys {
        flow::mark(ctx, week, Mark::Accepted { key }, &wish).await?;
    }
    for named in opened {
        let work = flow::find_work(ctx, week, &named).await?;
        flow::mark(ctx, week, Mark::Opened { work }, &wish).await?;
    }
    tell(global, &flow::draft_view(ctx, week).await?, "ticked")
}

async fn refresh(global: &Global, ctx: &Context, args: RefreshArgs) -> anyhow::Result<()> {
    if args.take {
        let view = flow::refresh(ctx, args.week, args.token.as_deref(), &wish(global, args.noted)).await?;
        return tell(global, &view, "computed the draft anew");
    }
    let preview = flow::preview_refresh(ctx, args.week).await?;
    if global.json {
        return output::print_json(&preview);
    }
    let mut text = told(&preview.difference);
    for notice in &preview.notices {
        text.push_str(&format!("note: {}\n", output::safe(&notice.text)));
    }
    text.push_str(&format!("to take it: clarion digest refresh {} --take --token {}\n", args.week, preview.token));
    output::print(&text)
}

/// A difference in lines.
fn told(difference: &Difference) -> String {
    let mut text = String::new();
    for (_, title) in &difference.added {
        text.push_str(&format!("+ {}\n", output::safe(title)));
    }
    for (_, title) in &difference.removed {
        text.push_str(&format!("- {}\n", output::safe(title)));
    }
    for (_, title, from, to) in &difference.moved {
        text.push_str(&format!("~ {} from place {from} to {to}\n", output::safe(title)));
    }
    for (_, title) in &difference.reworded {
        text.push_str(&format!("\u{270e} {}\n", output::safe(title)));
    }
    if let Some((before, after)) = &difference.lead {
        let name = |title: &Option<String>| title.as_deref().map_or_else(|| "nobody".to_owned(), output::safe);
        text.push_str(&format!("lead: {} instead of {}\n", name(after), name(before)));
    }
    for (name, before, after) in &difference.shares {
        text.push_str(&format!("{}: {after} places instead of {before}\n", output::safe(name)));
    }
    if text.is_empty() {
        text.push_str("nothing differs\n");
    }
    text
}

/// What was done, and how the draft stands.
fn tell(global: &Global, view: &DraftView, done: &str) -> anyhow::Result<()> {
    if global.json {
        return output::print_json(view);
    }
    let open = view.findings.iter().filter(|finding| finding.level == Level::Warning && finding.ticked_by.is_none()).count();
    let errors = view.findings.iter().filter(|finding| finding.level == Level::Error).count();
    let mut text = format!("{}: {}\n", view.week, output::safe(done));
    for view in &view.picks {
        let names: Vec<&str> = view.pick.builders.iter().map(|builder| builder.name.as_str()).collect();
        let mut flags = String::new();
        if view.pick.lead {
            flags.push_str(" [lead]");
        }
        if view.pinned {
            flags.push_str(" [pinned]");
        }
        text.push_str(&format!(
            "{:>2}. {} \u{2014} {}{flags}\n",
            view.position,
            output::safe(&view.pick.title),
            output::safe(&names.join(", "))
        ));
    }
    text.push_str(&format!(
        "revision {}, {}; {}, {}\n",
        view.revision,
        view.state.as_str().replace('_', " "),
        output::counted(errors as u64, "error"),
        output::counted(open as u64, "open warning")
    ));
    output::print(&text)
}
