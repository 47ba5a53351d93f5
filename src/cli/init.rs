//! `clarion init`: a configuration and a sample roster to begin with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::Global;
use super::output;
use crate::registry;

/// The manual, which is the configuration at its defaults.
const CONFIG: &str = include_str!("../../config.example.toml");

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder; made where it is missing.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

pub(super) fn run(global: &Global, args: &InitArgs) -> anyhow::Result<()> {
    let config = args.dir.join("clarion.toml");
    let roster = args.dir.join("roster.csv");
    for path in [&config, &roster] {
        anyhow::ensure!(!path.exists(), "{} exists already: nothing was written", path.display());
    }
    std::fs::create_dir_all(&args.dir).with_context(|| format!("cannot make the folder {}", args.dir.display()))?;
    write_new(&config, CONFIG)?;
    write_new(&roster, registry::SAMPLE)?;
    if global.json {
        return output::print_json(&serde_json::json!({ "config": config, "roster": roster }));
    }
    output::print(&format!(
        "wrote {} and {}\nnext:\n  edit both\n  clarion registry import {} --config {}\n  clarion poll --config {}\n  clarion digest draft --config {}\n",
        config.display(),
        roster.display(),
        roster.display(),
        config.display(),
        config.display(),
        config.display()
    ))
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).with_context(|| format!("cannot write {}", path.display()))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would stand in the way of the next attempt.
        let _ = std::fs::remove_file(path);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
