//! `clarion work`: works that are entered by hand.

use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::Global;
use super::output::{self, Usage};
use crate::flow::{self, Context, Entered, Told};
use crate::model::{ActivityKind, Slug};

#[derive(Debug, Subcommand)]
pub(super) enum WorkCommand {
    /// Enter a work that no feed shows: an article on AWS Builder Center, an answer on re:Post, a talk. It is marked as
    /// self-reported. Entered again, it is told anew.
    Add {
        /// The builder's short name.
        builder: String,
        /// Where it is.
        address: String,
        /// What it is called.
        #[arg(long)]
        title: String,
        /// article, video, livestream, podcast_episode, talk, answer, event …
        #[arg(long, default_value = "article")]
        kind: String,
        /// When it came out or took place: 2026-11-26, or an instant such as 2026-11-26T18:00:00+01:00. Unknown if left out.
        #[arg(long)]
        date: Option<String>,
        /// What it is about, in a sentence or two.
        #[arg(long)]
        summary: Option<String>,
    },
    /// Take back what was entered by hand.
    Remove {
        /// The builder's short name.
        builder: String,
        /// Where it is.
        address: String,
    },
}

pub(super) async fn run(global: &Global, command: WorkCommand) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let done = dispatch(global, &ctx, command).await;
    ctx.close().await?;
    done
}

async fn dispatch(global: &Global, ctx: &Context, command: WorkCommand) -> anyhow::Result<()> {
    let slug = |name: &str| Slug::parse(name).map_err(|error| Usage(error.to_string()));
    match command {
        WorkCommand::Add { builder, address, title, kind, date, summary } => {
            let kind = ActivityKind::parse(kind.trim()).ok_or_else(|| {
                let known: Vec<_> = ActivityKind::ALL.iter().map(|kind| kind.as_str()).collect();
                Usage(format!("`{kind}` is no kind; known are {}", known.join(", ")))
            })?;
            let (published, is_day) = match date.as_deref().map(read_date) {
                None => (None, false),
                Some(Some((at, is_day))) => (Some(at), is_day),
                Some(None) => {
                    let date = date.unwrap_or_default();
                    return Err(Usage(format!("`{}` is no date: write it as 2026-11-26", output::safe(&date))).into());
                }
            };
            let told = Told { address, title, kind, published, is_day, summary };
            let entered = flow::enter(ctx, &slug(&builder)?, &told, &global.person()).await?;
            if global.json {
                return output::print_json(&serde_json::json!({ "work": entered, "builder": builder, "self_reported": true }));
            }
            output::print(match entered {
                Entered::Added => "added, marked as self-reported\n",
                Entered::Changed => "known, and told anew\n",
                Entered::Unchanged => "known already\n",
            })
        }
        WorkCommand::Remove { builder, address } => {
            if !flow::withdraw(ctx, &slug(&builder)?, &address, &global.person()).await? {
                anyhow::bail!("nothing was entered by hand for `{builder}` at that address");
            }
            if global.json {
                return output::print_json(&serde_json::json!({ "removed": true }));
            }
            output::print("removed\n")
        }
    }
}

/// An instant, or a day: noon in UTC is that day nearly everywhere.
fn read_date(text: &str) -> Option<(Timestamp, bool)> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Some((at, false));
    }
    let day: Date = text.parse().ok()?;
    Offset::UTC.to_timestamp(day.at(12, 0, 0, 0)).ok().map(|at| (at, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_are_dates_and_nothing_else_is() {
        let read = |text: &str| read_date(text).map(|(at, is_day)| (at.to_string(), is_day));
        assert_eq!(read("2026-11-26"), Some(("2026-11-26T12:00:00Z".into(), true)));
        assert_eq!(read(" 2026-11-26T18:00:00+01:00"), Some(("2026-11-26T17:00:00Z".into(), false)));
        for bad in ["", "yesterday", "26.11.2026", "2026-02-30"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
