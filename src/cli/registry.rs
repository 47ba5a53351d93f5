//! `clarion registry`: the roster.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};

use super::Global;
use super::output::{self, Quiet, counted};
use crate::collect::discover::{self, PageNeed, Pasted};
use crate::config::{Category, Config, Region};
use crate::flow::{self, Context};
use crate::model::{Slug, SourceKind, masked, masked_text};
use crate::registry::{self, Doubt, ImportPlan, LineOutcome, PlannedLine, RosterFormat};
use crate::store::RosterChange;

#[derive(Debug, Subcommand)]
pub(super) enum RegistryCommand {
    /// Take a roster in: CSV, TOML or OPML. Importing twice changes nothing. A line that cannot be taken is refused with its
    /// number and the reason, and the others are taken: then the exit code is 0, where that of `check` is 1.
    Import {
        /// The roster.
        file: PathBuf,
        /// Say what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Read a roster and say what is wrong with it, without a database.
    Check {
        /// The roster.
        file: PathBuf,
    },
    /// Write the roster as it stands to standard output.
    Export(ExportArgs),
    /// List builders with their sources.
    List,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// How it is written: CSV unless told otherwise. With `--json` and no format, as `registry list` prints it.
    #[arg(long, value_enum)]
    format: Option<ExportFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    Csv,
    Toml,
    Opml,
}

pub(super) async fn run(global: &Global, command: RegistryCommand) -> anyhow::Result<()> {
    if let RegistryCommand::Check { file } = &command {
        let roster = read(file)?;
        let plan = registry::plan(&roster, &[], &[], &resolve);
        // Without a configuration the built-in regions and categories hold.
        let config = if global.config.exists() { global.config("warn")? } else { Config::default() };
        let doubts = doubts_in(&roster, &flow::regions_of(&config), &flow::categories_of(&config));
        return report(global, &plan, &doubts, true, true);
    }
    let ctx = global.context().await?;
    let done = match command {
        RegistryCommand::Import { file, dry_run } => import(global, &ctx, &file, dry_run).await,
        RegistryCommand::Export(args) => export(global, &ctx, &args).await,
        RegistryCommand::List => list(global, &ctx).await,
        RegistryCommand::Check { .. } => Ok(()),
    };
    ctx.close().await?;
    done
}

fn read(file: &Path) -> anyhow::Result<registry::Roster> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read the roster {}", file.display()))?;
    let format = RosterFormat::of(file, &bytes);
    registry::read(&bytes, format).with_context(|| format!("the roster {} cannot be read", file.display()))
}

/// What a roster's line names: its kind, locator and address, told without asking the network.
fn resolve(kind: Option<SourceKind>, pasted: &str) -> Result<(SourceKind, String, String), String> {
    let understood = match kind {
        Some(kind) => discover::understand_as(kind, pasted),
        None => discover::understand(pasted),
    };
    match understood.map_err(|error| error.to_string())? {
        Pasted::Source { kind, locator, url } => Ok((kind, locator, url)),
        // A page is not asked for its feed here: the address is taken as the feed's own.
        Pasted::NeedsPage { url, why: PageNeed::Feed } => {
            let locator = discover::feed_locator(&url).ok_or("the address cannot be used")?;
            Ok((SourceKind::Rss, locator, url))
        }
        Pasted::NeedsPage { url, why: PageNeed::Channel } => Err(format!(
            "{url} names a channel by its handle, which can change: give the address with its UC id, or register it with \
             `clarion source add`, which looks the id up"
        )),
    }
}

async fn import(global: &Global, ctx: &Context, file: &Path, dry_run: bool) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read the roster {}", file.display()))?;
    let format = RosterFormat::of(file, &bytes);
    let (plan, changes, doubts) =
        plan_import(ctx, &bytes, format).await.with_context(|| format!("the roster {} cannot be read", file.display()))?;
    tell_regions(ctx, &plan);
    if !dry_run {
        ctx.store.change_roster_by(changes, &global.person(), ctx.clock.now()).await?;
        for (week, name) in flow::waiting_against_their_word(ctx).await? {
            output::tell(&format!(
                "{}: the digest of {week} is approved and has a place for them; it will not go out so: `clarion digest pull-back {week}`, then edit and approve it again",
                output::safe(&name)
            ));
        }
        for (week, left_out) in flow::waiting_left_out(ctx).await? {
            output::tell(&format!("the digest of {week} is approved: {left_out}"));
        }
    }
    report(global, &plan, &doubts, dry_run, false)
}

/// What a roster would change beside what the store holds.
pub(super) async fn plan_import(
    ctx: &Context,
    bytes: &[u8],
    format: RosterFormat,
) -> anyhow::Result<(ImportPlan, Vec<RosterChange>, Vec<Doubt>)> {
    let mut roster = registry::read(bytes, format)?;
    refuse_erased(ctx, &mut roster).await?;
    let reachable = |kind: Option<SourceKind>, pasted: &str| {
        let found = resolve(kind, pasted)?;
        match url::Url::parse(&found.2).map(|url| ctx.fetcher.client().guard().check(&url)) {
            Ok(Err(error)) => Err(error.to_string()),
            _ => Ok(found),
        }
    };
    let plan = registry::plan(&roster, &ctx.store.builders().await?, &ctx.store.sources().await?, &reachable);
    let changes = changes(&plan);
    let doubts = doubts_in(&roster, &ctx.regions, &ctx.categories);
    Ok((plan, changes, doubts))
}

fn doubts_in(roster: &registry::Roster, regions: &[Region], categories: &[Category]) -> Vec<Doubt> {
    let regions: Vec<&str> = regions.iter().map(|region| region.key.as_str()).collect();
    let categories: Vec<&str> = categories.iter().map(|category| category.key.as_str()).collect();
    registry::doubts(roster, &regions, &categories)
}

/// Says which builders name a region that the configuration does not know.
fn tell_regions(ctx: &Context, plan: &ImportPlan) {
    for planned in &plan.builders {
        let Some(region) = planned.builder.region.as_deref().filter(|region| !region.trim().is_empty()) else { continue };
        if crate::digest::region_named(region, &ctx.regions).is_none() {
            let then = match &planned.builder.country {
                Some(country) if crate::digest::region_of(country, &ctx.regions).is_some() => "the country's region counts instead",
                _ => "it counts as a region of its own",
            };
            output::tell(&format!("{}: `{}` is no region of the configuration; {then}", planned.builder.slug, output::safe(region)));
        }
    }
}

/// Lines about people who were erased are refused, with that reason.
async fn refuse_erased(ctx: &Context, roster: &mut registry::Roster) -> anyhow::Result<()> {
    let mail = |line: &registry::RosterLine| line.fields.get("email").cloned().flatten();
    let people = roster.lines.iter().map(|line| (line.builder.to_string(), mail(line))).collect();
    let reasons = ctx.store.erased_among(people).await?;
    let lines = std::mem::take(&mut roster.lines);
    // One line that names the person tells of all others of that builder.
    let known: std::collections::HashMap<Slug, String> =
        lines.iter().zip(reasons).filter_map(|(line, reason)| Some((line.builder.clone(), reason?))).collect();
    for line in lines {
        match known.get(&line.builder).cloned() {
            Some(reason) => roster.refused.push(registry::Refusal { line: line.line, builder: Some(line.builder), reason }),
            None => roster.lines.push(line),
        }
    }
    Ok(())
}

/// The changes that a plan asks of the store, builders before what they own.
fn changes(plan: &ImportPlan) -> Vec<RosterChange> {
    let builders = plan.builders.iter().map(|planned| RosterChange::Builder(Box::new(planned.builder.clone())));
    let sources = plan.sources.iter().map(|planned| RosterChange::Source {
        builder: planned.builder.clone(),
        kind: planned.kind,
        locator: planned.locator.clone(),
        url: planned.url.clone(),
        author: planned.author.clone(),
        filters: Some(Box::new(planned.filters.clone())),
    });
    builders.chain(sources).collect()
}

/// A line as it may be shown.
fn shown(line: &PlannedLine) -> PlannedLine {
    let outcome = match &line.outcome {
        LineOutcome::Refused { reason } => LineOutcome::Refused { reason: masked_text(reason) },
        other => other.clone(),
    };
    PlannedLine { source: line.source.as_deref().map(masked), outcome, ..line.clone() }
}

fn report(global: &Global, plan: &ImportPlan, doubts: &[Doubt], dry_run: bool, is_check: bool) -> anyhow::Result<()> {
    let counts = plan.counts();
    let lines: Vec<PlannedLine> = plan.lines.iter().map(shown).collect();
    if global.json {
        output::print_json(&serde_json::json!({
            "dry_run": dry_run, "lines": lines, "doubts": doubts, "absent": plan.absent,
            "absent_sources": plan.absent_sources.iter().map(|absent| serde_json::json!({
                "builder": absent.builder, "source": absent.id.to_string(), "kind": absent.kind, "url": masked(&absent.url),
            })).collect::<Vec<_>>(),
            "added": counts.added, "changed": counts.changed, "unchanged": counts.unchanged, "refused": counts.refused,
        }))?;
    } else {
        let mut text = String::new();
        for line in &lines {
            let builder = line.builder.as_ref().map(Slug::as_str).unwrap_or_default();
            let what = output::safe(&format!("{builder} {}", line.source.as_deref().unwrap_or_default()));
            let outcome = match &line.outcome {
                LineOutcome::Unchanged => "unchanged".to_owned(),
                LineOutcome::Added { fields } if fields.is_empty() => "added".to_owned(),
                LineOutcome::Added { fields } => format!("added (and changed {})", fields.join(", ")),
                LineOutcome::Changed { fields } => format!("changed ({})", fields.join(", ")),
                LineOutcome::Refused { reason } => format!("refused: {}", output::safe(reason)),
            };
            let words: Vec<&str> = what.split_whitespace().chain([outcome.as_str()]).collect();
            text.push_str(&format!("line {}: {}\n", line.line, words.join(" ")));
        }
        for doubt in doubts {
            text.push_str(&format!("look at line {}: {} {}\n", doubt.line, doubt.builder, output::safe(&doubt.text)));
        }
        for slug in &plan.absent {
            text.push_str(&format!("not in this file, and kept: {slug}\n"));
        }
        for absent in &plan.absent_sources {
            text.push_str(&format!(
                "not in this file, and kept: {} of {} ({})\n",
                absent.id,
                absent.builder,
                output::safe(&masked(&absent.url))
            ));
        }
        text.push_str(&format!(
            "{}: {} added, {} changed, {} unchanged, {} refused{}\n",
            counted(plan.lines.len() as u64, "line"),
            counts.added,
            counts.changed,
            counts.unchanged,
            counts.refused,
            if dry_run { " (nothing was written)" } else { "" }
        ));
        output::print(&text)?;
    }
    if counts.refused == 0 {
        return Ok(());
    }
    // As with a poll: what could be taken was taken, and what was not is told. A check, and a file of which nothing could be
    // taken, are failures.
    let nothing = counts.refused == plan.lines.len();
    let rest = match (is_check, dry_run, nothing) {
        (true, ..) => "",
        (_, _, true) => ", so nothing of the file was taken",
        (_, true, _) => "; the rest would be taken",
        (_, false, _) => "; the rest was taken",
    };
    let were = if counts.refused == 1 { "was" } else { "were" };
    output::complain(&format!("{} of {} {were} refused{rest}", counts.refused, counted(plan.lines.len() as u64, "line")));
    if is_check || nothing { Err(Quiet.into()) } else { Ok(()) }
}

async fn export(global: &Global, ctx: &Context, args: &ExportArgs) -> anyhow::Result<()> {
    if global.json && args.format.is_none() {
        return list(global, ctx).await;
    }
    let builders = ctx.store.builders().await?;
    let sources = ctx.store.sources().await?;
    let hidden = builders.iter().filter(|builder| builder.switches.not_public).count();
    if args.format == Some(ExportFormat::Opml) {
        if hidden > 0 {
            output::tell(&format!("OPML is for sharing: {} not public left out", counted(hidden as u64, "builder")));
        }
        let private = sources.iter().filter(|source| !source.left && masked(&source.url) != source.url).count();
        if private > 0 {
            output::tell(&format!("OPML is for sharing: this one holds the whole address of {}", counted(private as u64, "private feed")));
        }
    }
    output::print(&match args.format.unwrap_or(ExportFormat::Csv) {
        ExportFormat::Csv => registry::export_csv(&builders, &sources),
        ExportFormat::Toml => registry::export_toml(&builders, &sources),
        ExportFormat::Opml => registry::export_opml(&builders, &sources),
    })
}

async fn list(global: &Global, ctx: &Context) -> anyhow::Result<()> {
    let builders = ctx.store.builders().await?;
    let sources = ctx.store.sources().await?;
    if global.json {
        let rows: Vec<_> = builders
            .iter()
            .map(|builder| {
                let own: Vec<_> = sources
                    .iter()
                    .filter(|source| source.owners.iter().any(|owner| owner.builder == builder.id))
                    .map(|source| serde_json::json!({"source": source.id.to_string(), "kind": source.kind, "url": masked(&source.url)}))
                    .collect();
                serde_json::json!({
                    "builder": builder.slug, "name": builder.name, "country": builder.country, "region": builder.region,
                    "categories": builder.categories, "cohort": builder.cohort, "timezone": builder.timezone,
                    "language": builder.language, "handles": builder.handles, "switches": builder.switches, "sources": own,
                })
            })
            .collect();
        return output::print_json(&rows);
    }
    let rows = builders
        .iter()
        .map(|builder| {
            let own = sources.iter().filter(|source| source.owners.iter().any(|owner| owner.builder == builder.id));
            vec![
                builder.slug.to_string(),
                output::safe(&builder.name),
                builder.country.clone().unwrap_or_default(),
                builder.categories.join(", "),
                own.map(|source| source.id.to_string()).collect::<Vec<_>>().join(" "),
            ]
        })
        .collect();
    output::print(&output::table(&["builder", "name", "country", "categories", "sources"], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_names_only_keys_that_the_defaults_know() {
        let roster = registry::read(registry::SAMPLE.as_bytes(), RosterFormat::Csv).unwrap();
        let config = Config::default();
        assert_eq!(doubts_in(&roster, &flow::regions_of(&config), &flow::categories_of(&config)), []);
    }
}
