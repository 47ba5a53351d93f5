//! What a person types: the commands, and where each goes.
//!
//! Results go to standard output, everything else to standard error. Exit 0 done, 1 failed, 2 wrong usage or
//! configuration.

mod backfill;
mod backup;
mod builder;
mod demo;
mod digest;
mod doctor;
mod edit;
mod erase;
mod explain;
mod init;
mod log;
mod measure;
mod output;
mod parse;
mod poll;
mod registry;
mod serve;
mod simulate;
mod source;
mod status;
mod user;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError};
use crate::flow::{self, Context, ContextError};
use crate::store::{Store, StoreError};
use crate::telemetry;

/// Collects what the members of a community program make, keeps an honest log of it, and drafts a fair weekly digest.
///
/// Begin with `clarion demo --once`, which shows the whole job on an invented community, or with `clarion init`, which
/// writes a configuration and a sample roster for your own.
#[derive(Debug, Parser)]
#[command(name = "clarion", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// The configuration file; without it the one that CLARION_CONFIG names, else ./clarion.toml.
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "PATH",
        default_value_os_t = configured_path(),
        hide_default_value = true
    )]
    config: PathBuf,
    /// Print data as one JSON document.
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Who decides: stands in the log beside each decision. The system's user, unless told otherwise.
    #[arg(long = "as", global = true, help_heading = "Everywhere", value_name = "PERSON")]
    person: Option<String>,
}

/// Where the configuration is unless a path is given: an empty variable counts as none.
fn configured_path() -> PathBuf {
    let named = std::env::var_os("CLARION_CONFIG").filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from("./clarion.toml"), PathBuf::from)
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole job on a bundled, invented community, without network or configuration.
    Demo(demo::DemoArgs),
    /// Write a commented clarion.toml and a sample roster; never overwrites.
    Init(init::InitArgs),
    /// Run the daemon: due polls, the weekly cut-off, pages and metrics.
    Serve,
    /// The roster of builders and their sources.
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// What a builder may see for themselves.
    #[command(subcommand)]
    Builder(builder::BuilderCommand),
    /// Single sources: what a builder pastes becomes one, or a sentence says why not.
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// One pass over the sources that are due, or over those that are named.
    Poll(poll::PollArgs),
    /// Read what sources published before they were polled: their older pages, as back catalogue.
    Backfill(backfill::BackfillArgs),
    /// Read feed documents without storing anything: one JSON line a file.
    Parse(parse::ParseArgs),
    /// The recorded activities, each with where it was seen.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Works that no feed shows, entered by hand.
    #[command(subcommand)]
    Work(work::WorkCommand),
    /// The weekly digest, from draft to published.
    #[command(subcommand)]
    Digest(digest::DigestCommand),
    /// Run a year of an invented program through the digest's rules, and say how fair it was.
    Simulate(simulate::SimulateArgs),
    /// How well the rules do against labelled items, for those who work on them.
    #[command(subcommand, hide = true)]
    Measure(measure::MeasureCommand),
    /// Say what became of one address, and name the first check that failed.
    Explain(explain::ExplainArgs),
    /// Compute all that is derived anew from the facts, and say whether it is the same.
    Rebuild(explain::RebuildArgs),
    /// Who may sign in to the staff's and the operator's pages.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Health at a glance.
    Status,
    /// Check configuration, database, clock and network, and say what to do and what to expect.
    Doctor,
    /// Take a builder's data out for good, on their wish, and say what cannot be taken back.
    Erase(erase::EraseArgs),
    /// Make a verified copy of the database while others go on.
    Backup(backup::BackupArgs),
    /// Put a backup into a fresh folder.
    Restore(backup::RestoreArgs),
}

/// Runs what was typed and answers the exit code.
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("the runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(dispatch(cli));
    // Work that blocks, such as a name look-up, must not keep an ended program alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref::<output::Quiet>().is_some() => ExitCode::FAILURE,
        Err(error) => {
            let advice = digest::advice(&error).map(|advice| format!(" ({advice})")).unwrap_or_default();
            output::complain(&format!("{error:#}{advice}"));
            let usage = error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<output::Usage>() || is_setting(cause));
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

/// Whether it is what a setting names that cannot be used.
fn is_setting(cause: &(dyn std::error::Error + 'static)) -> bool {
    matches!(cause.downcast_ref(), Some(ContextError::Token { .. }))
}

async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Demo(args) => demo::run(&global, args).await,
        Command::Init(args) => init::run(&global, &args),
        Command::Serve => serve::run(&global).await,
        Command::Registry(command) => registry::run(&global, command).await,
        Command::Builder(command) => builder::run(&global, command).await,
        Command::Source(command) => source::run(&global, command).await,
        Command::Poll(args) => poll::run(&global, args).await,
        Command::Backfill(args) => backfill::run(&global, args).await,
        Command::Parse(args) => parse::run(&global, &args),
        Command::Log(command) => log::run(&global, command).await,
        Command::Work(command) => work::run(&global, command).await,
        Command::Digest(command) => digest::run(&global, command).await,
        Command::Simulate(args) => simulate::run(&global, &args),
        Command::Measure(command) => measure::run(&global, &command),
        Command::Explain(args) => explain::run(&global, args).await,
        Command::Rebuild(args) => explain::rebuild(&global, args).await,
        Command::User(command) => user::run(&global, command).await,
        Command::Status => status::run(&global).await,
        Command::Doctor => doctor::run(&global).await,
        Command::Erase(args) => erase::run(&global, args).await,
        Command::Backup(args) => backup::backup(&global, args).await,
        Command::Restore(args) => backup::restore(&global, &args).await,
    }
}

impl Global {
    /// The configuration. Short commands tell what needs looking at and nothing more; their results are their words.
    fn config(&self, filter: &str) -> anyhow::Result<Config> {
        let config = Config::load(&self.config)?;
        telemetry::start(&config.log, filter);
        Ok(config)
    }

    /// Everything that a story needs, on the system's clock.
    async fn context(&self) -> anyhow::Result<Context> {
        self.context_telling("warn").await
    }

    /// The same, telling what passes the filter.
    async fn context_telling(&self, filter: &str) -> anyhow::Result<Context> {
        let config = self.config(filter)?;
        open(config, Arc::new(SystemClock)).await
    }

    /// Who decides.
    fn person(&self) -> String {
        let of = |name: &str| std::env::var(name).ok();
        let told = [self.person.clone(), of("USER"), of("LOGNAME")];
        told.into_iter().flatten().find_map(|person| clean_name(&person)).unwrap_or_else(system_user)
    }
}

fn clean_name(name: &str) -> Option<String> {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    Some(clean.trim().to_owned()).filter(|clean| !clean.is_empty())
}

/// The user that the process runs as: services and containers often have no variable that names them.
#[cfg(unix)]
fn system_user() -> String {
    let id = rustix::process::geteuid().as_raw();
    let users = std::fs::read("/etc/passwd").unwrap_or_default();
    user_in(&String::from_utf8_lossy(&users), id).unwrap_or_else(|| format!("uid {id}"))
}

#[cfg(not(unix))]
fn system_user() -> String {
    "unknown".to_owned()
}

/// The name of a user's id in the system's list: `name:password:id:…`, a line a user.
#[cfg(unix)]
fn user_in(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.trim() == id.to_string()).then(|| clean_name(name))?
    })
}

/// Opens the database that the configuration names and builds the context on it.
async fn open(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Context> {
    let path = config.store.path.clone();
    let store = Store::open(&path).await.with_context(|| format!("cannot open the database {}", path.display()))?;
    let ctx = Context::new(config, store, clock)?;
    match flow::check_rules(&ctx).await {
        // Whatever only reads goes on without.
        Ok(()) | Err(StoreError::Full | StoreError::ReadOnly | StoreError::Busy) => Ok(ctx),
        Err(error) => {
            ctx.close().await?;
            Err(error.into())
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_variables_is_its_user() {
        let users = "root:x:0:0:root:/root:/bin/sh\nodd line\n\nclara:x:1000:1000:Clara,,,:/home/clara:/bin/sh\n:x:7:7::/:\n";
        assert_eq!(user_in(users, 0).as_deref(), Some("root"));
        assert_eq!(user_in(users, 1000).as_deref(), Some("clara"));
        assert_eq!(user_in(users, 10), None);
        assert_eq!(user_in(users, 7), None);
        assert!(!system_user().is_empty() && system_user() != "unknown");
    }
}
