//! How fair and how good a row of digests was (DIGEST.md section 5, 12 to 18).
//!
//! In: the places of each week, what each week had to choose from, and the same weeks chosen by quality alone. Out: the
//! figures. Computed in integers; only the last division makes decimals, for people.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::year::MEASURED_WEEKS;
use crate::model::{ActivityId, BuilderId};

/// One place in a digest, in the order shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub work: ActivityId,
    pub builders: Vec<BuilderId>,
    pub category: String,
    pub region: String,
    /// Thousandths of a standard deviation.
    pub hidden: i64,
}

/// What a week had to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Supply {
    /// Builders with a work that passes every rule but the cool-down.
    pub builders: BTreeSet<BuilderId>,
    /// Target shares over the window that ends with the week, in thousandths.
    pub regions: BTreeMap<String, i64>,
    pub categories: BTreeMap<String, i64>,
}

/// The figures of one way to choose, over the last 12 weeks where nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// How far the regions' shares of all places are from their targets, in percentage points: their mean and the largest.
    pub region_gap_mean: f64,
    pub region_gap_worst: f64,
    pub category_gap_mean: f64,
    pub category_gap_worst: f64,
    pub distinct_builders_per_100: f64,
    pub max_places_one_builder: u32,
    /// The part of all places, 0 to 1, that went to somebody for the first time.
    pub first_time_share: f64,
    /// Features per builder and year by size of audience, smallest quarter first, over all weeks; among builders who had a
    /// work to choose.
    pub features_by_audience_quarter: [f64; 4],
    /// The mean hidden quality of what was chosen, in standard deviations.
    pub hidden_quality: f64,
    /// The same as a part of what choosing by quality alone reaches; over all weeks with a full window behind them, since
    /// luck moves the mean of 12 weeks by more than the difference that this is to show.
    pub hidden_quality_share: f64,
    /// Regions and categories with supply in the last window that have no place in it.
    pub groups_left_out: u32,
    /// The least share of a region or category in the last window, as a part of its target, and the one in the middle.
    pub least_share_of_target: f64,
    pub median_share_of_target: f64,
    /// The Gini coefficient of places among builders who had a work to choose, above the least that it can be.
    pub gini_above_least: f64,
    /// The same coefficient with places weighted by 1/log2(1 + position).
    pub gini_by_position: f64,
    /// Builders who had a work to choose.
    pub builders_with_supply: u32,
}

/// Under this mean, in thousandths of a standard deviation, shares of quality mean nothing.
const LEAST_HIDDEN: i64 = 100;

/// Whether these weeks, chosen by quality alone, hold enough of it for others to be a share of.
pub(super) fn quality_is_known(by_quality: &[Vec<Place>]) -> bool {
    let measured = usize::try_from(MEASURED_WEEKS).unwrap_or(12).min(by_quality.len());
    let settled = (by_quality.len() - measured).min(measured);
    mean_hidden(&by_quality[settled..]) >= LEAST_HIDDEN
}

/// The figures of a row of digests. `supply` is that of the same weeks; `by_quality` is what quality alone would choose.
pub(super) fn figures(
    weeks: &[Vec<Place>],
    supply: &[Supply],
    by_quality: &[Vec<Place>],
    audience_of: impl Fn(BuilderId) -> u64,
) -> Figures {
    let measured = usize::try_from(MEASURED_WEEKS).unwrap_or(12).min(weeks.len());
    let first = weeks.len() - measured;
    let last: Vec<&Place> = weeks[first..].iter().flatten().collect();
    let places = count(last.len());

    let (mut region_gaps, mut category_gaps, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(last_week) = supply.last() {
        let regions = shares(&weeks[first..], |place| &place.region);
        let categories = shares(&weeks[first..], |place| &place.category);
        region_gaps = gaps(&regions, &last_week.regions);
        category_gaps = gaps(&categories, &last_week.categories);
        parts.extend(parts_of_target(&regions, &last_week.regions));
        parts.extend(parts_of_target(&categories, &last_week.categories));
    }
    parts.sort_unstable();

    let mut places_of: BTreeMap<BuilderId, i64> = BTreeMap::new();
    for builder in last.iter().flat_map(|place| &place.builders) {
        *places_of.entry(*builder).or_default() += 1;
    }
    let named: i64 = places_of.values().sum();

    let mut known: BTreeSet<BuilderId> = weeks[..first].iter().flatten().flat_map(|place| place.builders.iter().copied()).collect();
    let mut first_time = 0;
    for place in &last {
        let news: Vec<bool> = place.builders.iter().map(|builder| known.insert(*builder)).collect();
        first_time += i64::from(news.contains(&true));
    }

    let settled = first.min(measured);
    let hidden = mean_hidden(&weeks[first..]);
    let best = mean_hidden(&by_quality[settled..]);
    let reached = mean_hidden(&weeks[settled..]);
    // Of next to nothing no part can be told: as good or not is all that can be said.
    let share = if best >= LEAST_HIDDEN { 1000 * reached / best } else { 1000 * i64::from(reached >= best) };

    let with_supply: BTreeSet<BuilderId> = supply[first..].iter().flat_map(|week| week.builders.iter().copied()).collect();
    let least_gini = 1000 - 1000 * named / count(with_supply.len()).max(1);
    let mut weights: BTreeMap<BuilderId, i64> = with_supply.iter().map(|builder| (*builder, 0)).collect();
    for (index, place) in weeks[first..].iter().flat_map(|week| week.iter().enumerate()) {
        for builder in &place.builders {
            *weights.entry(*builder).or_default() += 1_000_000 / log2_thousandths(index as u64 + 2);
        }
    }
    let plain: Vec<i64> = weights.keys().map(|builder| places_of.get(builder).copied().unwrap_or(0)).collect();

    Figures {
        region_gap_mean: decimal(mean(&region_gaps), 10),
        region_gap_worst: decimal(region_gaps.iter().copied().max().unwrap_or(0), 10),
        category_gap_mean: decimal(mean(&category_gaps), 10),
        category_gap_worst: decimal(category_gaps.iter().copied().max().unwrap_or(0), 10),
        distinct_builders_per_100: decimal(1000 * count(places_of.len()) / named.max(1), 10),
        max_places_one_builder: unsigned(places_of.values().copied().max().unwrap_or(0)),
        first_time_share: decimal(1000 * first_time / places.max(1), 1000),
        features_by_audience_quarter: by_audience(weeks, supply, audience_of).map(|features| decimal(features, 1000)),
        hidden_quality: decimal(hidden, 1000),
        hidden_quality_share: decimal(share, 1000),
        groups_left_out: unsigned(count(parts.iter().filter(|part| **part == 0).count())),
        least_share_of_target: decimal(parts.first().copied().unwrap_or(0), 1000),
        median_share_of_target: decimal(parts.get(parts.len() / 2).copied().unwrap_or(0), 1000),
        gini_above_least: decimal((gini(plain) - least_gini).max(0), 1000),
        gini_by_position: decimal(gini(weights.into_values().collect()), 1000),
        builders_with_supply: unsigned(count(with_supply.len())),
    }
}

fn mean_hidden(weeks: &[Vec<Place>]) -> i64 {
    weeks.iter().flatten().map(|place| place.hidden).sum::<i64>() / count(weeks.iter().map(Vec::len).sum()).max(1)
}

/// Shares in thousandths.
fn shares<'a>(weeks: &'a [Vec<Place>], group_of: impl Fn(&'a Place) -> &'a String) -> BTreeMap<&'a str, i64> {
    let mut places: BTreeMap<&str, i64> = BTreeMap::new();
    for place in weeks.iter().flatten() {
        *places.entry(group_of(place)).or_default() += 1;
    }
    let all: i64 = places.values().sum();
    places.into_iter().map(|(key, places)| (key, 1000 * places / all.max(1))).collect()
}

/// The distance of each group's share from its target, in thousandths.
fn gaps(shares: &BTreeMap<&str, i64>, targets: &BTreeMap<String, i64>) -> Vec<i64> {
    targets.iter().map(|(key, target)| (shares.get(key.as_str()).copied().unwrap_or(0) - target).abs()).collect()
}

/// Each group's share as a part of its target, in thousandths.
fn parts_of_target(shares: &BTreeMap<&str, i64>, targets: &BTreeMap<String, i64>) -> Vec<i64> {
    let live = targets.iter().filter(|(_, target)| **target > 0);
    live.map(|(key, target)| 1000 * shares.get(key.as_str()).copied().unwrap_or(0) / target).collect()
}

/// Features per builder and year, in thousandths, by quarter of audience.
fn by_audience(weeks: &[Vec<Place>], supply: &[Supply], audience_of: impl Fn(BuilderId) -> u64) -> [i64; 4] {
    let all: BTreeSet<BuilderId> = supply.iter().flat_map(|week| week.builders.iter().copied()).collect();
    let mut sorted: Vec<BuilderId> = all.into_iter().collect();
    sorted.sort_by_key(|builder| (audience_of(*builder), *builder));
    let quarter_of: BTreeMap<BuilderId, usize> =
        sorted.iter().enumerate().map(|(rank, builder)| (*builder, 4 * rank / sorted.len())).collect();
    let (mut builders, mut features) = ([0_i64; 4], [0_i64; 4]);
    for quarter in quarter_of.values() {
        builders[*quarter] += 1;
    }
    for quarter in weeks.iter().flatten().flat_map(|place| &place.builders).filter_map(|builder| quarter_of.get(builder)) {
        features[*quarter] += 1;
    }
    let years = 52 * 1000;
    std::array::from_fn(|quarter| features[quarter] * years / (builders[quarter] * count(weeks.len())).max(1))
}

/// The Gini coefficient in thousandths.
fn gini(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let (n, sum) = (count(values.len()), values.iter().sum::<i64>());
    if n == 0 || sum == 0 {
        return 0;
    }
    let ranked: i64 = (1..).zip(&values).map(|(rank, value)| rank * value).sum();
    (2000 * ranked - 1000 * (n + 1) * sum) / (n * sum)
}

/// The binary logarithm in thousandths, rounded down.
fn log2_thousandths(n: u64) -> i64 {
    let n = n.clamp(2, 1 << 31);
    let whole = n.ilog2();
    // The mantissa, 1 to 2, with 30 bits behind the point; each squaring gives a bit of the logarithm.
    let (mut mantissa, mut bits) = ((n << 30) >> whole, 0_i64);
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 30;
        bits <<= 1;
        if mantissa >= 2 << 30 {
            mantissa >>= 1;
            bits |= 1;
        }
    }
    i64::from(whole) * 1000 + ((bits * 1000) >> 16)
}

fn mean(values: &[i64]) -> i64 {
    values.iter().sum::<i64>() / count(values.len()).max(1)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unsigned(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// For people, at the very end.
fn decimal(value: i64, per: i32) -> f64 {
    f64::from(i32::try_from(value).unwrap_or(i32::MAX)) / f64::from(per)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gini_and_logarithm_agree_with_the_textbook() {
        assert_eq!(gini(vec![5; 10]), 0);
        assert_eq!(gini([vec![0; 9], vec![7]].concat()), 900);
        for (n, expected) in [(2, 1000), (3, 1584), (4, 2000), (13, 3700), (1024, 10_000)] {
            assert_eq!(log2_thousandths(n), expected, "{n}");
        }
    }
}
