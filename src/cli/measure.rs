//! `clarion measure`: how well the rules do against labels, for those who work on the rules.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Global, output};
use crate::config::Config;
use crate::digest;
use crate::rehearsal::measure;

#[derive(Debug, Subcommand)]
pub(super) enum MeasureCommand {
    /// Services and categories of labelled items.
    Topics {
        /// Files of labelled items, a JSON object a line.
        #[arg(value_name = "FILE", default_values = ["fixtures/topics/worked.jsonl", "fixtures/topics/held.jsonl", "fixtures/topics/fresh.jsonl"])]
        files: Vec<PathBuf>,
        /// Show what was missed as well.
        #[arg(long)]
        misses: bool,
    },
    /// Which of labelled pairs the rules make one work.
    Works {
        /// Files of labelled pairs, a JSON object a line.
        #[arg(value_name = "FILE", default_values = ["fixtures/works/pairs.jsonl"])]
        files: Vec<PathBuf>,
        /// Show what was missed as well.
        #[arg(long)]
        misses: bool,
    },
}

/// Measures under the categories of the configuration, where there is one, else under the built-in.
pub(super) fn run(global: &Global, command: &MeasureCommand) -> anyhow::Result<()> {
    match command {
        MeasureCommand::Topics { files, misses } => topics(global, files, *misses),
        MeasureCommand::Works { files, misses } => works(global, files, *misses),
    }
}

fn topics(global: &Global, files: &[PathBuf], misses: bool) -> anyhow::Result<()> {
    let configured = if global.config.exists() { Config::load(&global.config)?.digest.categories } else { Vec::new() };
    let categories = if configured.is_empty() { digest::builtin_categories() } else { configured };
    let mut figures = measure::topics(files, &categories)?;
    if !misses {
        figures.misses.clear();
    }
    if global.json {
        return output::print_json(&figures);
    }
    let mut text = format!(
        "{} items in {} languages\nservices   precision {:.3}   recall {:.3}   ({} labelled, {} found, {} right)\n\
         category   accuracy  {:.3}   macro-F1 {:.3}\n\n",
        figures.items,
        figures.languages.len(),
        figures.precision,
        figures.recall,
        figures.services_labelled,
        figures.services_found,
        figures.services_right,
        figures.accuracy,
        figures.macro_f1
    );
    let rows = figures.categories.iter().map(|category| {
        let shares = [category.precision, category.recall, category.f1];
        let cells = [category.category.clone(), category.items.to_string()];
        cells.into_iter().chain(shares.iter().map(|share| format!("{share:.3}"))).collect()
    });
    text.push_str(&output::table(&["category", "items", "precision", "recall", "F1"], rows.collect()));
    for miss in &figures.misses {
        text.push_str(&format!("\n{}\n", output::safe(&miss.title)));
        if !miss.missed.is_empty() {
            text.push_str(&format!("    missed   {}\n", miss.missed.join(", ")));
        }
        if !miss.wrong.is_empty() {
            text.push_str(&format!("    wrong    {}\n", miss.wrong.join(", ")));
        }
        if let Some((wanted, found)) = &miss.category {
            text.push_str(&format!("    category {wanted}, found {found}\n"));
        }
    }
    output::print(&text)
}

fn works(global: &Global, files: &[PathBuf], misses: bool) -> anyhow::Result<()> {
    let mut figures = measure::works(files)?;
    if !misses {
        figures.misses.clear();
    }
    if global.json {
        return output::print_json(&figures);
    }
    let mut text = format!(
        "{} pairs in {} languages, {} of them one work\nprecision {:.3}   recall {:.3}   ({} found, {} right; {} otherwise together)\n\n",
        figures.pairs,
        figures.languages.len(),
        figures.labelled_same,
        figures.precision,
        figures.recall,
        figures.found_same,
        figures.right_same,
        figures.unlike_together
    );
    let rows = figures.cases.iter().map(|case| vec![case.about.clone(), case.pairs.to_string(), case.right.to_string()]);
    text.push_str(&output::table(&["case", "pairs", "right"], rows.collect()));
    for miss in &figures.misses {
        let verdict = if miss.same { "not joined" } else { "joined wrongly" };
        let suggested = if miss.suggested { ", suggested" } else { "" };
        text.push_str(&format!(
            "\n{} ({verdict}{suggested})\n    {}\n    {}\n",
            miss.about,
            output::safe(&miss.one),
            output::safe(&miss.other)
        ));
    }
    output::print(&text)
}
