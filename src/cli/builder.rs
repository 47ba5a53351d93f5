//! `clarion builder`: private links to builders' records.

use clap::{Args, Subcommand};

use super::Global;
use super::output::{self, Usage};
use crate::flow::{self, Context};
use crate::model::{Builder, Slug};

#[derive(Debug, Subcommand)]
pub(super) enum BuilderCommand {
    /// Make a private link to a builder's record: whoever has it can read it, and nothing else. Shown once.
    Link(SlugArgs),
    /// The private links of a builder, without what is secret in them.
    Links(SlugArgs),
    /// Take back every private link of a builder, and end what was opened by them.
    Unlink(SlugArgs),
}

#[derive(Debug, Args)]
pub(super) struct SlugArgs {
    /// Whose record.
    #[arg(value_parser = Slug::parse)]
    builder: Slug,
}

pub(super) async fn run(global: &Global, command: BuilderCommand) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let done = dispatch(global, &ctx, command).await;
    ctx.close().await?;
    done
}

async fn find(ctx: &Context, slug: &Slug) -> anyhow::Result<Builder> {
    let unknown = || Usage(format!("there is no builder `{slug}`: `clarion registry list` names them"));
    Ok(ctx.store.builder(slug).await?.ok_or_else(unknown)?)
}

async fn dispatch(global: &Global, ctx: &Context, command: BuilderCommand) -> anyhow::Result<()> {
    match command {
        BuilderCommand::Link(args) => {
            let builder = find(ctx, &args.builder).await?;
            let secret = flow::make_builder_link(ctx, builder.id, &global.person()).await?;
            let url = format!("{}/link/{secret}", ctx.config.web.public_url);
            if global.json {
                return output::print_json(&serde_json::json!({ "builder": builder.slug, "url": url }));
            }
            output::print(&format!("{url}\n"))?;
            output::tell("whoever has this link reads the record: send it to the builder alone; it is not shown again");
            Ok(())
        }
        BuilderCommand::Links(args) => {
            let builder = find(ctx, &args.builder).await?;
            let links = ctx.store.builder_links(builder.id).await?;
            if global.json {
                return output::print_json(&links);
            }
            if links.is_empty() {
                return output::print("no private link was made yet\n");
            }
            let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
            let rows = links.into_iter().map(|link| {
                let state = link.revoked_at.map_or_else(|| "open".to_owned(), |at| format!("taken back {}", day(at)));
                vec![day(link.made_at), link.made_by, link.used_at.map_or_else(|| "–".to_owned(), day), state]
            });
            output::print(&output::table(&["made", "by", "last opened", "state"], rows.collect()))
        }
        BuilderCommand::Unlink(args) => {
            let builder = find(ctx, &args.builder).await?;
            let revoked = ctx.store.revoke_builder_links(builder.id, &global.person(), ctx.clock.now()).await?;
            if global.json {
                return output::print_json(&serde_json::json!({ "builder": builder.slug, "revoked": revoked }));
            }
            output::print(&format!("{} taken back\n", output::counted(revoked as u64, "link")))
        }
    }
}
