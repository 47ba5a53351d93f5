//! `clarion simulate`: a year of an invented program through the digest's real rules.

use clap::Args;

use super::Global;
use super::output;
use crate::config::Config;
use crate::rehearsal::year::{self, Options};

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// How many builders the program has.
    #[arg(long, value_name = "N", default_value_t = 2635, value_parser = clap::value_parser!(u32).range(1..=i64::from(year::MOST_BUILDERS)))]
    builders: u32,
    /// How many weeks are played.
    #[arg(long, value_name = "N", default_value_t = 52, value_parser = clap::value_parser!(u32).range(1..=i64::from(year::MOST_WEEKS)))]
    weeks: u32,
    /// Which program is invented.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Plays the weeks under the digest settings of the configuration, where there is one, else under the defaults.
pub(super) fn run(global: &Global, args: &SimulateArgs) -> anyhow::Result<()> {
    let mut options = Options::new(args.builders, args.weeks, args.seed);
    if global.config.exists() {
        options.config = Config::load(&global.config)?.digest;
    }
    let report = year::simulate(&options);
    if global.json {
        return output::print_json(&report);
    }
    if report.is_empty() {
        anyhow::bail!(
            "none of these {} builders made a work that could be chosen in {} weeks, so there is nothing to judge: play more of either",
            report.builders,
            report.weeks
        );
    }
    let columns = [&report.formula, &report.most_engaged, &report.newest];
    let row = |name: &str, figure: &dyn Fn(&year::Figures) -> String| {
        std::iter::once(name.to_owned()).chain(columns.iter().map(|figures| figure(figures))).collect::<Vec<_>>()
    };
    let rows = vec![
        row("largest region gap, mean (points)", &|f| format!("{:.1}", f.region_gap_mean)),
        row("largest region gap, worst (points)", &|f| format!("{:.1}", f.region_gap_worst)),
        row("largest category gap, mean (points)", &|f| format!("{:.1}", f.category_gap_mean)),
        row("largest category gap, worst (points)", &|f| format!("{:.1}", f.category_gap_worst)),
        row("different builders per 100 places", &|f| format!("{:.1}", f.distinct_builders_per_100)),
        row("most places for one builder", &|f| f.max_places_one_builder.to_string()),
        row("places of first-timers (%)", &|f| format!("{:.0}", 100.0 * f.first_time_share)),
        row("features a year, by audience quarter", &|f| {
            f.features_by_audience_quarter.iter().map(|quarter| format!("{quarter:.2}")).collect::<Vec<_>>().join(" / ")
        }),
        row("hidden quality of picks (deviations)", &|f| format!("{:.2}", f.hidden_quality)),
        row("hidden quality, of the best possible (%)", &|f| {
            if report.quality_is_known { format!("{:.0}", 100.0 * f.hidden_quality_share) } else { "unknown".to_owned() }
        }),
    ];
    let mut text = format!(
        "{} builders, {} weeks, {} places, {} works, seed {}\n\n",
        report.builders, report.weeks, report.places, report.works, report.seed
    );
    text.push_str(&output::table(&["", "these rules", "most engaged first", "newest first"], rows));
    text.push('\n');
    let bounds = report.bounds();
    if bounds.is_empty() {
        text.push_str(&format!(
            "no promise is made for so small a program: {} builders and {} weeks are the least\n",
            year::LEAST_BUILDERS,
            year::LEAST_WEEKS
        ));
    }
    for bound in bounds {
        text.push_str(&format!("{} {:>2}  {}\n", if bound.holds { "kept  " } else { "BROKEN" }, bound.number, bound.text));
    }
    output::print(&text)
}
