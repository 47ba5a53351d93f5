//! `clarion source`: single sources.

use clap::Subcommand;

use super::Global;
use super::output::{self, Usage};
use crate::flow::{self, Context};
use crate::model::{Filters, Owner, Slug, Source, masked, masked_text};
use crate::store::{RosterChange, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum SourceCommand {
    /// Register what a builder pasted: a profile address, a page, a feed.
    Add {
        /// The builder's short name.
        builder: String,
        /// What they pasted.
        pasted: String,
        /// Count only entries by this author for the builder.
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
        /// Count only some entries, such as `only_tags=aws;lambda` or `not_kinds=short`; may be given several times.
        #[arg(long = "filter", value_name = "FILTER")]
        filters: Vec<String>,
    },
    /// Change which entries of a source count for a builder: `only_tags=aws`, `not_kinds=reply;short`, `only_paths=/ada/`,
    /// `not_words=`.
    Filter {
        /// An id such as `s12`, or the source's address.
        source: String,
        /// The filters to set; one that is empty lets everything pass.
        #[arg(required = true, value_name = "FILTER")]
        filters: Vec<String>,
        /// The builder for whom, where several have registered the source.
        #[arg(long, value_name = "BUILDER")]
        builder: Option<String>,
    },
    /// List all sources with their health.
    List,
    /// Say what a pasted text is, and read it once; stores nothing.
    Check {
        /// A profile address, a page, a feed.
        pasted: String,
    },
    /// Do not poll a source until resumed.
    Pause {
        /// An id such as `s12`, or the source's address.
        source: String,
    },
    /// Poll a source again.
    Resume {
        /// An id such as `s12`, or the source's address.
        source: String,
    },
}

pub(super) async fn run(global: &Global, command: SourceCommand) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let done = dispatch(global, &ctx, command).await;
    ctx.close().await?;
    done
}

async fn dispatch(global: &Global, ctx: &Context, command: SourceCommand) -> anyhow::Result<()> {
    match command {
        SourceCommand::Add { builder, pasted, author, filters } => {
            let slug = Slug::parse(&builder).map_err(|error| Usage(error.to_string()))?;
            let filters = if filters.is_empty() { None } else { Some(with_filters(Filters::default(), &filters)?) };
            if ctx.store.builder(&slug).await?.is_none() {
                anyhow::bail!("there is no builder `{slug}`: `clarion registry list` names them");
            }
            flow::keep_quiet(ctx).await?;
            let found = check_pasted(ctx, &pasted).await?;
            let report = flow::add_source(ctx, &slug, &found, author, filters, &global.person()).await?;
            if global.json {
                return output::print_json(&serde_json::json!({ "source": shown(found), "report": report }));
            }
            let verb = match (report.sources_added, report.owners_changed) {
                (0, 0) => "known already",
                (0, _) => "known, now also of this builder",
                _ => "added",
            };
            output::print(&format!("{verb}: {} {}\n{}", found.kind, output::safe(&masked(&found.url)), described(&found)))
        }
        SourceCommand::Check { pasted } => {
            flow::keep_quiet(ctx).await?;
            let found = check_pasted(ctx, &pasted).await?;
            if global.json {
                return output::print_json(&shown(found));
            }
            output::print(&format!("{} {}\n{}", found.kind, output::safe(&masked(&found.url)), described(&found)))
        }
        SourceCommand::Filter { source, filters, builder } => filter(global, ctx, &source, &filters, builder.as_deref()).await,
        SourceCommand::List => list(global, ctx).await,
        SourceCommand::Pause { source } => set_paused(global, ctx, &source, true).await,
        SourceCommand::Resume { source } => set_paused(global, ctx, &source, false).await,
    }
}

/// What a pasted text is, or why it is nothing; the sentence may be shown to others.
async fn check_pasted(ctx: &Context, pasted: &str) -> anyhow::Result<flow::Discovered> {
    flow::check_pasted(ctx, pasted).await.map_err(|error| anyhow::Error::msg(masked_text(&error)))
}

/// What was found, as it may be shown.
fn shown(found: flow::Discovered) -> flow::Discovered {
    flow::Discovered {
        locator: masked(&found.locator),
        url: masked(&found.url),
        others: found.others.iter().map(|other| masked(other)).collect(),
        warning: found.warning.as_deref().map(masked_text),
        ..found
    }
}

/// Filters as given on the command line, set on top of others.
fn with_filters(mut filters: Filters, given: &[String]) -> Result<Filters, Usage> {
    for one in given {
        let (name, list) = one.split_once('=').unwrap_or((one, ""));
        let known = Filters::named(name)
            .ok_or_else(|| Usage(format!("there is no filter `{}`; known are {}", output::safe(name), Filters::NAMES.join(", "))))?;
        filters.set(known, Some(list)).map_err(Usage)?;
    }
    Ok(filters)
}

async fn filter(global: &Global, ctx: &Context, name: &str, given: &[String], builder: Option<&str>) -> anyhow::Result<()> {
    let found = find(ctx, name).await?;
    let [source] = found.as_slice() else {
        let what = if found.is_empty() { "no source is" } else { "several sources are" };
        return Err(Usage(format!("{what} called `{}`: `clarion source list` names them by id", masked(name))).into());
    };
    let builders = ctx.store.builders().await?;
    let slug_of = |owner: &Owner| builders.iter().find(|builder| builder.id == owner.builder).map(|builder| builder.slug.clone());
    let mut owners = source.owners.iter().filter_map(|owner| Some((owner, slug_of(owner)?)));
    let (owner, slug) = match (builder, source.owners.len()) {
        (Some(builder), _) => owners.find(|(_, slug)| slug.as_str() == builder),
        (None, 1) => owners.next(),
        (None, _) => return Err(Usage(format!("several builders have registered {}: say for whom with --builder", source.id)).into()),
    }
    .ok_or_else(|| Usage(format!("{} is not registered for that builder", source.id)))?;
    let filters = with_filters(owner.filters.clone(), given)?;
    let change = RosterChange::Source {
        builder: slug.clone(),
        kind: source.kind,
        locator: source.locator.clone(),
        url: source.url.clone(),
        author: owner.author.clone(),
        filters: Some(Box::new(filters.clone())),
    };
    ctx.store.change_roster_by(vec![change], &global.person(), ctx.clock.now()).await?;
    flow::settle(ctx).await?;
    if global.json {
        return output::print_json(&serde_json::json!({ "source": source.id.to_string(), "builder": slug, "filters": filters }));
    }
    let now = if filters.is_empty() { "everything counts".to_owned() } else { output::safe(&filters.to_string()) };
    output::print(&format!("{} for {slug}: {now}\n", source.id))
}

fn described(found: &flow::Discovered) -> String {
    let mut text = String::new();
    if let Some(title) = &found.title {
        text.push_str(&format!("calls itself \u{201c}{}\u{201d}\n", output::safe(title)));
    }
    if let Some(entries) = found.entries {
        text.push_str(&if entries == 1 { "shows 1 entry\n".to_owned() } else { format!("shows {entries} entries\n") });
    }
    if let Some(warning) = &found.warning {
        text.push_str(&format!("could not be read just now: {}\n", output::safe(&masked_text(warning))));
    }
    for other in &found.others {
        text.push_str(&format!("the page also names {}\n", output::safe(&masked(other))));
    }
    text
}

async fn list(global: &Global, ctx: &Context) -> anyhow::Result<()> {
    let states = ctx.store.source_states().await?;
    let builders = ctx.store.builders().await?;
    let sources = ctx.store.sources().await?;
    let slugs = |source: &Source| -> Vec<String> {
        source
            .owners
            .iter()
            .filter_map(|owner| builders.iter().find(|builder| builder.id == owner.builder))
            .map(|builder| builder.slug.to_string())
            .collect()
    };
    if global.json {
        let rows: Vec<_> = sources
            .iter()
            .map(|source| {
                let state = states.get(&source.id).cloned().unwrap_or_default();
                serde_json::json!({
                    "source": source.id.to_string(), "kind": source.kind, "url": masked(&source.url), "locator": masked(&source.locator), "final_url": state.final_url.as_deref().map(masked),
                    "builders": slugs(source), "filters": source.owners.iter().map(|owner| &owner.filters).collect::<Vec<_>>(), "paused": source.paused, "left": source.left,
                    "status": state.status, "error": state.error.as_deref().map(masked_text), "failing_since": state.failing_since,
                    "last_poll_at": state.last_poll_at, "last_success_at": state.last_success_at,
                    "last_new_at": state.last_new_at, "next_poll_at": state.next_poll_at, "repairs": state.repairs,
                })
            })
            .collect();
        return output::print_json(&rows);
    }
    let rows = sources
        .iter()
        .map(|source| {
            let state = states.get(&source.id).cloned().unwrap_or_default();
            let word = if source.paused {
                "paused"
            } else if source.left {
                "left"
            } else {
                state.status.as_str()
            };
            vec![
                source.id.to_string(),
                source.kind.to_string(),
                slugs(source).join(", "),
                word.to_owned(),
                output::safe(&masked(&source.url)),
                output::safe(&masked_text(state.error.as_deref().unwrap_or_default())),
            ]
        })
        .collect();
    output::print(&output::table(&["source", "kind", "builders", "status", "address", "what is wrong"], rows))
}

async fn set_paused(global: &Global, ctx: &Context, name: &str, paused: bool) -> anyhow::Result<()> {
    let found = find(ctx, name).await?;
    let [source] = found.as_slice() else {
        let what = if found.is_empty() { "no source is" } else { "several sources are" };
        return Err(Usage(format!("{what} called `{}`: `clarion source list` names them by id", masked(name))).into());
    };
    flow::set_paused(ctx, source.id, paused, &global.person()).await?;
    if global.json {
        return output::print_json(&serde_json::json!({ "source": source.id.to_string(), "url": masked(&source.url), "paused": paused }));
    }
    output::print(&format!("{} is {}\n", source.id, if paused { "paused" } else { "polled again" }))
}

/// The sources that a name means: an id, an address, a locator, or a builder's slug.
pub(super) async fn find(ctx: &Context, name: &str) -> Result<Vec<Source>, StoreError> {
    let sources = ctx.store.sources().await?;
    let exact: Vec<Source> =
        sources.iter().filter(|source| source.id.to_string() == name || source.url == name || source.locator == name).cloned().collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let Ok(slug) = Slug::parse(name) else { return Ok(Vec::new()) };
    let Some(builder) = ctx.store.builder(&slug).await? else { return Ok(Vec::new()) };
    Ok(sources.into_iter().filter(|source| source.owners.iter().any(|owner| owner.builder == builder.id)).collect())
}
