//! `clarion log`: the recorded activities.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Global;
use super::output::{self, Usage};
use crate::flow::{self, Context};
use crate::model::{ActivityKind, Builder, Slug, Source, Week, masked};
use crate::store::{ActivityRow, LogFilter};

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// List activities, latest first.
    List(FilterArgs),
    /// Show one activity whole, with where it was seen.
    Show {
        /// Its id, or its address.
        activity: String,
    },
    /// Write all activities that fit to standard output.
    Export(FilterArgs),
}

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only what this builder made.
    #[arg(long, value_name = "BUILDER")]
    builder: Option<String>,
    /// Only what falls into this week, such as 2026-W47.
    #[arg(long, value_name = "WEEK")]
    week: Option<Week>,
    /// Only this kind: article, video, release …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// How it is written: `list` prints a table and `export` CSV unless told otherwise; `--json` prints one array.
    #[arg(long, value_enum)]
    format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Table,
    Csv,
    Jsonl,
}

pub(super) async fn run(global: &Global, command: LogCommand) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let done = match command {
        LogCommand::List(args) => list(global, &ctx, &args, LogFormat::Table).await,
        LogCommand::Export(args) => list(global, &ctx, &args, LogFormat::Csv).await,
        LogCommand::Show { activity } => show(&ctx, &activity).await,
    };
    ctx.close().await?;
    done
}

async fn list(global: &Global, ctx: &Context, args: &FilterArgs, default: LogFormat) -> anyhow::Result<()> {
    flow::settle(ctx).await?;
    let mut filter = LogFilter::default();
    if let Some(name) = &args.builder {
        let slug = Slug::parse(name).map_err(|error| Usage(error.to_string()))?;
        let builder = ctx.store.builder(&slug).await?;
        filter.builder = Some(builder.ok_or_else(|| anyhow::anyhow!("there is no builder `{slug}`"))?.id);
    }
    if let Some(week) = args.week {
        filter.from = Some(week.start());
        filter.to = Some(week.end());
    }
    if let Some(kind) = &args.kind {
        let known = || ActivityKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        filter.kind = Some(ActivityKind::parse(kind).ok_or_else(|| Usage(format!("`{kind}` is no kind; known are {}", known())))?);
    }
    let rows = ctx.store.activities(filter).await?;
    let names = Names { builders: ctx.store.builders().await?, sources: ctx.store.sources().await? };
    if global.json && args.format.is_none() {
        return output::print_json(&rows.iter().map(|row| as_json(row, &names)).collect::<Vec<_>>());
    }
    let text = match args.format.unwrap_or(default) {
        LogFormat::Table => table(&rows, &names),
        LogFormat::Csv => csv(&rows, &names)?,
        LogFormat::Jsonl => jsonl(&rows, &names),
    };
    output::print(&text)
}

/// Slugs and addresses for the ids in rows.
struct Names {
    builders: Vec<Builder>,
    sources: Vec<Source>,
}

impl Names {
    fn builders_of(&self, row: &ActivityRow) -> Vec<&str> {
        let slug = |id| self.builders.iter().find(|builder| builder.id == id).map(|builder| builder.slug.as_str());
        row.activity.credits.iter().filter_map(|credit| slug(credit.builder)).collect()
    }

    /// The sources that show it, the first to show it first.
    fn sources_of(&self, row: &ActivityRow) -> Vec<&Source> {
        let mut sightings: Vec<_> = row.activity.sightings.iter().collect();
        sightings.sort_by_key(|sighting| (sighting.first_seen_at, sighting.source));
        sightings.iter().filter_map(|sighting| self.sources.iter().find(|source| source.id == sighting.source)).collect()
    }
}

fn table(rows: &[ActivityRow], names: &Names) -> String {
    let rows = rows
        .iter()
        .map(|row| {
            let activity = &row.activity;
            let date = activity.published_at.map_or_else(|| "undated".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
            vec![
                date,
                activity.kind.to_string(),
                names.builders_of(row).join(", "),
                output::safe(&activity.title),
                output::safe(activity.url.as_deref().unwrap_or("")),
            ]
        })
        .collect();
    output::table(&["published", "kind", "builders", "title", "address"], rows)
}

fn csv(rows: &[ActivityRow], names: &Names) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "activity",
        "builder",
        "source",
        "source_kind",
        "kind",
        "title",
        "url",
        "published_at",
        "first_seen_at",
        "work",
        "language",
        "backfill",
    ])?;
    for row in rows {
        let activity = &row.activity;
        let sources = names.sources_of(row);
        let cells = [
            activity.id.to_string(),
            names.builders_of(row).join(" "),
            sources.first().map(|source| masked(&source.url)).unwrap_or_default(),
            sources.first().map(|source| source.kind.to_string()).unwrap_or_default(),
            activity.kind.to_string(),
            activity.title.clone(),
            activity.link().unwrap_or_default().to_owned(),
            activity.published_at.map(|at| at.to_string()).unwrap_or_default(),
            activity.first_seen_at.to_string(),
            row.work.clone(),
            activity.language.clone().unwrap_or_default(),
            activity.backfill.to_string(),
        ];
        writer.write_record(cells.iter().map(|cell| crate::registry::guard_formula(cell)))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn as_json(row: &ActivityRow, names: &Names) -> serde_json::Value {
    let activity = &row.activity;
    let sources = names.sources_of(row);
    let builders = names.builders_of(row);
    json!({
        "activity": activity.id,
        "builder": builders.first(),
        "builders": builders,
        "source": sources.first().map(|source| masked(&source.url)),
        "source_kind": sources.first().map(|source| source.kind),
        "kind": activity.kind,
        "title": activity.title,
        "url": activity.link(),
        "own_url": activity.url,
        "canonical_url": activity.canonical_url,
        "published_at": activity.published_at,
        "published_trust": activity.published_trust,
        "first_seen_at": activity.first_seen_at,
        "revised_at": activity.revised_at,
        "effective_at": activity.effective_at,
        "work": row.work,
        "language": activity.language,
        "summary": activity.summary,
        "tags": activity.tags,
        "backfill": activity.backfill,
        "left": activity.left,
        "self_reported": activity.self_reported,
        "credits": activity.credits,
        "sightings": activity.sightings.iter().map(|sighting| json!({
            "source": sighting.source.to_string(),
            "url": names.sources.iter().find(|source| source.id == sighting.source).map(|source| masked(&source.url)),
            "key": sighting.key,
            "first_seen_at": sighting.first_seen_at,
            "left_at": sighting.left_at,
        })).collect::<Vec<_>>(),
    })
}

fn jsonl(rows: &[ActivityRow], names: &Names) -> String {
    rows.iter().map(|row| as_json(row, names).to_string() + "\n").collect()
}

async fn show(ctx: &Context, wanted: &str) -> anyhow::Result<()> {
    flow::settle(ctx).await?;
    let mut found = ctx.store.activity(wanted).await?;
    if found.is_none()
        && let Ok(address) = crate::model::CanonicalUrl::parse(wanted)
    {
        found = ctx.store.activities_at(&address.key()).await?.into_iter().next();
    }
    let activity =
        found.ok_or_else(|| anyhow::anyhow!("no activity is recorded as `{}`: `clarion explain` says why", output::safe(wanted)))?;
    let work = ctx.store.work_of(&activity.id).await?;
    let names = Names { builders: ctx.store.builders().await?, sources: ctx.store.sources().await? };
    let row = ActivityRow { work: work.as_ref().map_or_else(|| activity.id.0.clone(), |row| row.work.id.0.clone()), activity };
    let mut value = as_json(&row, &names);
    value["members"] = json!(work.as_ref().map(|row| &row.work.members));
    value["topic"] = json!(work.as_ref().map(|row| &row.work.topic));
    value["substance"] = json!(row.activity.substance);
    output::print_json(&value)
}
