//! `clarion user`: who may sign in, and in what role.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use secrecy::SecretString;

use super::Global;
use super::output::{self, Usage};
use crate::flow::{self, Context};
use crate::model::UserRole;

/// The most that a file with a password may hold.
const MAX_FILE: u64 = 8 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Let somebody sign in.
    Add(AddArgs),
    /// Everybody who can sign in.
    List,
    /// Set another password; whoever is signed in with the old one is signed out.
    Password(PasswordArgs),
    /// Let somebody sign in no longer. What they did stays on record.
    Remove(NameArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The name to sign in with; it stands beside everything that this person does.
    name: String,
    /// What they may do: `staff` edit and approve digests, `operator` see sources and health. May be given twice.
    #[arg(long, required = true, value_enum, value_name = "ROLE")]
    role: Vec<RoleArg>,
    #[command(flatten)]
    password: PasswordFile,
    /// Set no password: a reverse proxy signs this person in (`web.proxy_user_header`).
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// Whose password.
    name: String,
    #[command(flatten)]
    password: PasswordFile,
}

#[derive(Debug, Args)]
pub(super) struct PasswordFile {
    /// Take the password from the first line of this file, which nobody else may read; `-` is standard input. Asked for
    /// on the terminal otherwise.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// Whose account.
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleArg {
    Staff,
    Operator,
}

impl From<RoleArg> for UserRole {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Staff => Self::Staff,
            RoleArg::Operator => Self::Operator,
        }
    }
}

pub(super) async fn run(global: &Global, command: UserCommand) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let done = dispatch(global, &ctx, command).await;
    ctx.close().await?;
    done
}

async fn dispatch(global: &Global, ctx: &Context, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add(args) => {
            let password = if args.no_password { None } else { Some(args.password.read()?) };
            let roles: BTreeSet<UserRole> = args.role.into_iter().map(UserRole::from).collect();
            flow::add_account(ctx, &args.name, roles.clone(), password, &global.person()).await?;
            let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            let name = args.name.trim();
            if global.json {
                return output::print_json(&serde_json::json!({ "name": name, "roles": roles }));
            }
            output::print(&format!("{name} can sign in as {}: {}/sign-in\n", names.join(" and "), ctx.config.web.public_url))
        }
        UserCommand::List => list(global, ctx).await,
        UserCommand::Password(args) => {
            flow::set_password(ctx, &args.name, args.password.read()?, &global.person()).await?;
            told(global, &args.name, "password_set", "has another password, and is signed out everywhere")
        }
        UserCommand::Remove(args) => {
            flow::remove_account(ctx, &args.name, &global.person()).await?;
            told(global, &args.name, "removed", "can sign in no longer")
        }
    }
}

fn told(global: &Global, name: &str, what: &str, sentence: &str) -> anyhow::Result<()> {
    if global.json {
        return output::print_json(&serde_json::json!({ "name": name.trim(), what: true }));
    }
    output::print(&format!("{} {sentence}\n", name.trim()))
}

async fn list(global: &Global, ctx: &Context) -> anyhow::Result<()> {
    let accounts = ctx.store.users().await?;
    if global.json {
        return output::print_json(&accounts);
    }
    if accounts.is_empty() {
        return output::print("nobody can sign in yet: `clarion user add NAME --role staff`\n");
    }
    let rows = accounts
        .iter()
        .map(|account| {
            let roles: Vec<&str> = account.roles.iter().map(|role| role.as_str()).collect();
            let used = account.used_at.map_or_else(|| "–".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
            let how = if account.has_password { "password" } else { "proxy" };
            vec![account.name.clone(), roles.join(", "), how.to_owned(), used]
        })
        .collect();
    output::print(&output::table(&["name", "roles", "signs in by", "last seen"], rows))
}

impl PasswordFile {
    /// The password, from the file or the terminal.
    fn read(&self) -> anyhow::Result<SecretString> {
        match &self.password_file {
            Some(path) if path.as_os_str() == "-" => first_line(&mut std::io::stdin().lock(), "standard input"),
            Some(path) => read_file(path),
            None => ask(),
        }
    }
}

fn read_file(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    let mut file = std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let meta = file.metadata().with_context(|| format!("cannot read {shown}"))?;
    #[cfg(unix)]
    if meta.is_file() && std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0 {
        return Err(Usage(format!("others can read {shown}: run `chmod 600` on it")).into());
    }
    if meta.len() > MAX_FILE {
        return Err(Usage(format!("{shown} is too large to hold one password")).into());
    }
    first_line(&mut file, &shown.to_string())
}

fn first_line(from: &mut dyn std::io::Read, what: &str) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    from.take(MAX_FILE).read_to_string(&mut text).with_context(|| format!("cannot read the password from {what}"))?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    if line.is_empty() {
        return Err(Usage(format!("the first line of {what} is empty: the password stands there")).into());
    }
    Ok(line.into())
}

/// Asks twice on the terminal, without showing what is typed.
fn ask() -> anyhow::Result<SecretString> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Err(Usage("there is no terminal to ask for the password on: give it with --password-file".into()).into());
    }
    let read = |prompt: &str| -> anyhow::Result<String> {
        terminal.write_str(prompt).and_then(|()| terminal.read_secure_line()).context("cannot read from the terminal")
    };
    let first = read("Password: ")?;
    if read("Once more: ")? != first {
        return Err(Usage("the two are not the same: nothing was changed".into()).into());
    }
    Ok(first.into())
}
