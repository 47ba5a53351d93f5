//! `clarion demo`: the whole job on an invented community.
//!
//! An origin on loopback serves the community's feeds; its roster is imported, all is polled by the same code as
//! `serve`, last week's digest is drafted, approved and published. It runs on the rehearsal's own clock: same seed and
//! week, same bytes of every output.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::output;
use super::{Global, open, registry, serve};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::Config;
use crate::flow::{self, Context, Wanted};
use crate::model::Week;
use crate::registry::RosterFormat;
use crate::rehearsal::origin::Origin;
use crate::rehearsal::program::Program;
use crate::render::Format;
use crate::{telemetry, web};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// End after publishing instead of serving the pages.
    #[arg(long)]
    once: bool,
    /// Where the outputs and the database go; an earlier demo there is replaced.
    #[arg(long, value_name = "DIR", default_value = "clarion-demo")]
    dir: PathBuf,
    /// The port of the pages.
    #[arg(long, value_name = "N", default_value_t = 8484)]
    port: u16,
    /// Which community is invented.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The week of the digest, such as 2026-W47; the last whole week unless told otherwise.
    #[arg(long, value_name = "WEEK")]
    week: Option<Week>,
}

/// Marks a folder as an earlier demo's, which may be replaced.
const MARKER: &str = ".clarion-demo";
/// So long before the cut-off the daemon of the rehearsal starts, and so often it looks what is due.
const RUN_FOR: SignedDuration = SignedDuration::from_hours(24 * 8);
const STEP: SignedDuration = SignedDuration::from_hours(6);

pub(super) async fn run(global: &Global, args: DemoArgs) -> anyhow::Result<()> {
    let week = args.week.unwrap_or_else(|| Week::last_whole(SystemClock.now()));
    telemetry::count();
    prepare(&args.dir)?;
    let program = Arc::new(Program::new(args.seed, week));
    let cut_off = program.cut_off_at();
    let clock = Arc::new(ManualClock::at(cut_off.saturating_sub(RUN_FOR).unwrap_or(cut_off)));
    let origin = Origin::start(Arc::clone(&program), Arc::clone(&clock) as Arc<dyn Clock>, None)
        .await
        .context("the invented community cannot be served on 127.0.0.1")?;
    let mut config = Config::default();
    origin.configure(&mut config);
    // Taken before the work, so that a taken port is told at once.
    let listener = if args.once {
        None
    } else {
        let taken = || format!("port {} is taken: choose another with --port", args.port);
        Some(tokio::net::TcpListener::bind(("127.0.0.1", args.port)).await.with_context(taken)?)
    };
    // Port 0 leaves the choice to the system.
    let port = listener.as_ref().and_then(|listener| listener.local_addr().ok()).map_or(args.port, |address| address.port());
    config.web.listen = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    config.web.public_url = format!("http://127.0.0.1:{port}").parse().map_err(anyhow::Error::msg)?;
    config.store.path = args.dir.join("clarion.db");
    telemetry::start(&config.log, "warn,clarion=error");
    write_config(&args.dir, &config)?;
    let roster = origin.roster_csv();
    std::fs::write(args.dir.join("roster.csv"), &roster).with_context(|| format!("cannot write into {}", args.dir.display()))?;
    telemetry::count();
    let ctx = open(config, Arc::clone(&clock) as Arc<dyn Clock>).await?;
    let _lock = ctx.store.lock_collecting()?;
    rehearse(global, &ctx, &clock, &roster, cut_off, week).await?;
    let outputs = write_outputs(&ctx, &args.dir, week).await?;
    tell(global, &args, &ctx, week, &outputs).await?;
    if let Some(listener) = listener {
        let stop = CancellationToken::new();
        let state =
            web::AppState::new(Arc::new(web::StoredPages::new(ctx.clone())), Arc::clone(&ctx.clock), &ctx.config).with_desk(ctx.clone());
        let pages = tokio::spawn(web::serve(listener, state, stop.clone().cancelled_owned()));
        output::tell(&format!("pages on http://127.0.0.1:{port}/ until Ctrl-C"));
        serve::stop_sign().await;
        stop.cancel();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), pages).await;
    }
    origin.stop().await;
    ctx.close().await?;
    Ok(())
}

/// Makes the folder, or clears away an earlier demo. A folder with anything else in it is left alone.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        let is_ours = dir.join(MARKER).is_file();
        let is_empty = std::fs::read_dir(dir).with_context(|| format!("cannot look into {}", dir.display()))?.next().is_none();
        anyhow::ensure!(is_ours || is_empty, "{} holds other things: name another folder with --dir", dir.display());
        let runs = std::fs::File::open(dir.join("clarion.db.lock")).is_ok_and(|lock| lock.try_lock().is_err());
        anyhow::ensure!(!runs, "a demo runs in {}: end it first, or name another folder with --dir", dir.display());
        for entry in std::fs::read_dir(dir)?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let written = ["clarion.", "roster.csv"].iter().any(|ours| name.starts_with(ours))
                || name.get(..8).is_some_and(|week| week.parse::<Week>().is_ok());
            if is_ours && written {
                std::fs::remove_file(entry.path()).with_context(|| format!("cannot replace {}", entry.path().display()))?;
            }
        }
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    std::fs::write(dir.join(MARKER), "").with_context(|| format!("cannot write into {}", dir.display()))
}

/// The configuration under which the demo ran, so that the other commands can be tried on its database.
fn write_config(dir: &Path, config: &Config) -> anyhow::Result<()> {
    let mut shown = config.clone();
    shown.store.path = "clarion.db".into();
    let text = toml::to_string(&shown).context("the configuration cannot be written")?;
    std::fs::write(dir.join("clarion.toml"), text).with_context(|| format!("cannot write into {}", dir.display()))
}

/// The job itself: import, polls until the cut-off, draft, approval, publication.
async fn rehearse(
    global: &Global,
    ctx: &Context,
    clock: &ManualClock,
    roster: &str,
    cut_off: jiff::Timestamp,
    week: Week,
) -> anyhow::Result<()> {
    let (plan, changes, _) = registry::plan_import(ctx, roster.as_bytes(), RosterFormat::Csv).await?;
    ctx.store.change_roster(changes, clock.now()).await?;
    if !global.json {
        output::tell(&format!("imported {} lines of the roster", plan.lines.len()));
    }
    let (mut asked, mut new) = (0u32, 0u32);
    loop {
        let report = flow::pass(ctx, &Wanted::Due, CancellationToken::new(), |_, _| {}).await?;
        flow::settle(ctx).await?;
        asked += report.asked;
        new += report.new;
        let left = cut_off.duration_since(clock.now());
        if left <= SignedDuration::ZERO {
            break;
        }
        clock.advance(left.min(STEP));
    }
    if !global.json {
        output::tell(&format!("polled eight days of it: {asked} polls, {new} entries recorded"));
    }
    flow::draft(ctx, week).await?;
    flow::approve(ctx, week, "the rehearsal", Some("an invented week".into())).await?;
    flow::publish(ctx, week, "the rehearsal").await?;
    flow::settle(ctx).await?;
    Ok(())
}

async fn write_outputs(ctx: &Context, dir: &Path, week: Week) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for format in Format::ALL {
        let bytes = ctx.store.sealed(week, format.extension()).await?.context("a published digest has lost a format")?;
        let path = dir.join(format!("{week}.{}", format.extension()));
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

async fn tell(global: &Global, args: &DemoArgs, ctx: &Context, week: Week, outputs: &[PathBuf]) -> anyhow::Result<()> {
    let database = args.dir.join("clarion.db");
    let config = args.dir.join("clarion.toml");
    let row = ctx.store.digest(week).await?.context("the digest is gone")?;
    if global.json {
        return output::print_json(&serde_json::json!({
            "week": week, "seed": args.seed, "picks": row.digest.picks().count(), "outputs": outputs,
            "database": database, "config": config,
        }));
    }
    let mut text = format!("published {week} with {} works:\n", row.digest.picks().count());
    for path in outputs {
        text.push_str(&format!("  {}\n", path.display()));
    }
    text.push_str(&format!(
        "database {}\nlook further with `clarion log list --config {config}`, or `clarion digest show {week} --config {config}`\n",
        database.display(),
        config = config.display()
    ));
    output::print(&text)
}
