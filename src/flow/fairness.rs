//! How fair the published digests have been: who had places, measured over some weeks (DIGEST.md section 5, 12 to 17).
//!
//! In: what was published, and the roster as it stands. Out: shares of every division that staff ask about, and the
//! figures. Nothing is chosen here: these are numbers to look at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::Context;
use crate::digest;
use crate::model::{ActivityId, ActivityKind, Balance, Builder, BuilderId, Gist, Group, Week};
use crate::store::{DigestRow, StoreError};

/// A place that somebody had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub week: Week,
    /// 1 for the first on the page.
    pub position: u32,
    pub work: ActivityId,
    /// Taken out after it was published.
    pub removed: bool,
    pub title: String,
    pub title_gloss: Option<String>,
    pub summary: Option<String>,
    pub url: String,
    pub kind: ActivityKind,
    pub language: Option<String>,
    pub category: String,
    pub category_name: String,
    pub region: String,
    pub services: Vec<String>,
    pub builders: Vec<(BuilderId, String)>,
    pub lead: bool,
    /// Whether the response could be compared with earlier work.
    pub response_known: bool,
}

/// A published week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedWeek {
    pub week: Week,
    pub published_at: Option<Timestamp>,
    pub places: Vec<Place>,
    pub balance: Balance,
    /// Builders whose works could be chosen, but for the cool-down.
    pub could: BTreeSet<BuilderId>,
}

/// One group of a division.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub name: String,
    /// Places in thousandths: a place of several builders counts in part for each.
    pub places: u64,
    /// Of all places, in thousandths.
    pub share: u64,
    /// What its supply gives it, in thousandths, where the rules have a target.
    pub target: Option<i64>,
    /// Members of the roster in it, where that is known.
    pub members: Option<u64>,
}

/// A way to divide places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    pub name: &'static str,
    pub shares: Vec<Share>,
}

/// How fair some weeks were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fairness {
    pub weeks: usize,
    pub places: usize,
    pub divisions: Vec<Division>,
    /// The largest distances from target, in thousandths; none without places.
    pub region_gap: Option<i64>,
    pub category_gap: Option<i64>,
    /// Different builders among those with places, and the most places that one had.
    pub distinct: usize,
    pub most: usize,
    /// Places of somebody who had never had one before.
    pub first_time: usize,
    /// Inequality of places among those who could be chosen, in thousandths, and the least possible with so many places.
    pub gini: Option<u64>,
    pub least_gini: Option<u64>,
    /// The same with places weighted by position.
    pub weighted_gini: Option<u64>,
    /// Places whose response could be compared.
    pub responses_known: usize,
}

impl PublishedWeek {
    fn of(row: &DigestRow, gist: &Gist) -> Self {
        let digest = &row.digest;
        let names: BTreeMap<&str, &str> =
            digest.sections.iter().map(|section| (section.category.as_str(), section.name.as_str())).collect();
        let places = (1..)
            .zip(digest.picks())
            .map(|(position, pick)| Place {
                week: row.week,
                position,
                work: pick.work.clone(),
                removed: pick.removed.is_some(),
                title: pick.title.clone(),
                title_gloss: pick.title_gloss.clone(),
                summary: pick.summary.clone(),
                url: pick.url.clone(),
                kind: pick.kind,
                language: pick.language.clone(),
                category: pick.category.clone(),
                category_name: names.get(pick.category.as_str()).map_or_else(|| pick.category.clone(), |name| (*name).to_owned()),
                region: pick.region.clone(),
                services: pick.services.clone(),
                builders: pick.builders.iter().map(|builder| (builder.id, builder.name.clone())).collect(),
                lead: pick.lead,
                response_known: pick.response != 500,
            })
            .collect();
        let could = gist.could.iter().copied().collect();
        Self { week: row.week, published_at: row.published_at, places, balance: digest.balance.clone(), could }
    }
}

/// Every published week, latest first. There are many: keep what it answers.
pub async fn published_weeks(ctx: &Context) -> Result<Vec<PublishedWeek>, StoreError> {
    let rows = ctx.store.published().await?;
    Ok(rows.iter().map(|(row, gist)| PublishedWeek::of(row, gist)).collect())
}

/// How fair the latest weeks were, so many at most.
pub fn fairness(ctx: &Context, published: &[PublishedWeek], roster: &[Builder], weeks: usize) -> Fairness {
    let window = &published[..published.len().min(weeks)];
    let places: Vec<&Place> = window.iter().flat_map(|week| &week.places).collect();
    let members: HashMap<BuilderId, &Builder> = roster.iter().map(|builder| (builder.id, builder)).collect();
    let now = ctx.clock.now();
    let active: Vec<&Builder> = roster.iter().filter(|builder| builder.is_active(now)).collect();
    let newest = window.first().map(|week| week.balance.clone()).unwrap_or_default();
    let region_names: BTreeMap<&str, &str> = ctx.regions.iter().map(|region| (region.key.as_str(), region.name.as_str())).collect();
    let region_of = |builder: &Builder| -> String {
        let told = builder.country.as_deref().and_then(|country| digest::region_of(country, &ctx.regions));
        let key = builder.region.clone().or_else(|| told.map(str::to_owned)).unwrap_or_default();
        region_names.get(key.as_str()).map_or(key.clone(), |name| (*name).to_owned())
    };
    let by_builder = |key: &dyn Fn(&Builder) -> String| {
        Counted::of(&places, |place| {
            place.builders.iter().map(|(id, _)| members.get(id).map(|builder| key(builder)).unwrap_or_default()).collect()
        })
    };
    let roster_of = |key: &dyn Fn(&Builder) -> String| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for builder in &active {
            *counts.entry(key(builder)).or_default() += 1;
        }
        counts
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let country = |builder: &Builder| text(&builder.country);
    let cohort = |builder: &Builder| text(&builder.cohort);
    let category = Counted::of(&places, |place| vec![place.category_name.clone()]);
    let region = Counted::of(&places, |place| {
        vec![region_names.get(place.region.as_str()).map_or_else(|| place.region.clone(), |name| (*name).to_owned())]
    });
    let divisions = vec![
        Division { name: "Region", shares: region.shares(Some(&newest.regions), Some(&roster_of(&region_of))) },
        Division { name: "Category", shares: category.shares(Some(&newest.categories), None) },
        Division { name: "Country", shares: by_builder(&country).shares(None, Some(&roster_of(&country))) },
        Division { name: "Language", shares: Counted::of(&places, |place| vec![text(&place.language)]).shares(None, None) },
        Division { name: "Cohort", shares: by_builder(&cohort).shares(None, Some(&roster_of(&cohort))) },
        Division { name: "Kind", shares: Counted::of(&places, |place| vec![place.kind.as_str().replace('_', " ")]).shares(None, None) },
    ];
    let gap = |division: &Division| {
        division
            .shares
            .iter()
            .filter_map(|share| Some((i64::try_from(share.share).ok()? - share.target?).abs()))
            .max()
            .filter(|_| !places.is_empty())
    };
    let mut had: BTreeMap<BuilderId, (usize, f64)> = window.iter().flat_map(|week| &week.could).map(|id| (*id, (0, 0.0))).collect();
    for place in &places {
        for (id, _) in &place.builders {
            let entry = had.entry(*id).or_insert((0, 0.0));
            entry.0 += 1;
            entry.1 += 1.0 / f64::from(place.position + 1).log2();
        }
    }
    let first_week: HashMap<BuilderId, Week> = published
        .iter()
        .flat_map(|week| week.places.iter().flat_map(move |place| place.builders.iter().map(move |(id, _)| (*id, week.week))))
        .fold(HashMap::new(), |mut first, (id, week)| {
            let entry = first.entry(id).or_insert(week);
            *entry = week.min(*entry);
            first
        });
    let is_first = |place: &&&Place| place.builders.iter().any(|(id, _)| first_week.get(id) == Some(&place.week));
    #[expect(clippy::cast_precision_loss, reason = "counts of places are small")]
    let counts: Vec<f64> = had.values().map(|(count, _)| *count as f64).collect();
    let weighted: Vec<f64> = had.values().map(|(_, weight)| *weight).collect();
    Fairness {
        weeks: window.len(),
        places: places.len(),
        region_gap: gap(&divisions[0]),
        category_gap: gap(&divisions[1]),
        divisions,
        distinct: had.values().filter(|(count, _)| *count > 0).count(),
        most: had.values().map(|(count, _)| *count).max().unwrap_or(0),
        first_time: places.iter().filter(is_first).count(),
        gini: gini(counts),
        least_gini: (!had.is_empty() && !places.is_empty()).then(|| (1_000 - 1_000 * places.len().min(had.len()) / had.len()) as u64),
        weighted_gini: gini(weighted),
        responses_known: places.iter().filter(|place| place.response_known).count(),
    }
}

/// Places by group, in thousandths.
struct Counted {
    groups: BTreeMap<String, u64>,
    places: u64,
}

impl Counted {
    fn of(places: &[&Place], groups_of: impl Fn(&Place) -> Vec<String>) -> Self {
        let mut groups = BTreeMap::new();
        for place in places {
            let names = groups_of(place);
            let part = 1_000 / (names.len() as u64).max(1);
            for name in names {
                *groups.entry(name).or_default() += part;
            }
        }
        Self { groups, places: places.len() as u64 }
    }

    /// Largest share first. A group with a target stands there although it had no place.
    fn shares(mut self, targets: Option<&Vec<Group>>, members: Option<&BTreeMap<String, u64>>) -> Vec<Share> {
        for group in targets.into_iter().flatten() {
            self.groups.entry(group.name.clone()).or_default();
        }
        let mut shares: Vec<Share> = self
            .groups
            .into_iter()
            .map(|(name, places)| Share {
                target: targets.and_then(|groups| groups.iter().find(|group| group.name == name)).map(|group| group.target),
                members: members.map(|members| members.get(&name).copied().unwrap_or(0)),
                share: (places + self.places / 2).checked_div(self.places).unwrap_or(0),
                places,
                name: if name.is_empty() { "not known".to_owned() } else { name },
            })
            .collect();
        shares.sort_by(|one, other| (other.places, &one.name).cmp(&(one.places, &other.name)));
        shares
    }
}

/// Gini's coefficient in thousandths; none where nobody has anything.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 1, of counts that are small"
)]
fn gini(mut values: Vec<f64>) -> Option<u64> {
    values.sort_by(f64::total_cmp);
    let (n, total) = (values.len() as f64, values.iter().sum::<f64>());
    if total <= 0.0 {
        return None;
    }
    let ranked: f64 = (1..).zip(&values).map(|(rank, value)| f64::from(rank) * value).sum();
    Some((1_000.0 * (2.0 * ranked / (n * total) - (n + 1.0) / n)).max(0.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Place {
        /// The first place of a week, of which nothing else is told.
        pub(in crate::flow) fn nobodys(week: Week) -> Self {
            Self {
                week,
                position: 1,
                work: ActivityId(String::new()),
                removed: false,
                title: String::new(),
                title_gloss: None,
                summary: None,
                url: String::new(),
                kind: ActivityKind::Article,
                language: None,
                category: String::new(),
                category_name: String::new(),
                region: String::new(),
                services: Vec::new(),
                builders: Vec::new(),
                lead: false,
                response_known: false,
            }
        }
    }

    #[test]
    fn equal_shares_have_no_inequality_and_one_taker_all_of_it() {
        assert_eq!(gini(vec![1.0; 10]), Some(0));
        assert_eq!(gini([vec![0.0; 9], vec![5.0]].concat()), Some(900));
        assert_eq!(gini(vec![0.0; 3]), None);
        assert_eq!(gini(Vec::new()), None);
    }

    #[test]
    fn a_place_of_two_counts_half_for_each_and_targets_are_never_left_out() {
        let week: Week = "2026-W47".parse().unwrap();
        let place = |names: &[&str]| Place { services: names.iter().map(|name| (*name).to_owned()).collect(), ..Place::nobodys(week) };
        let (one, other) = (place(&["a", "b"]), place(&["a"]));
        let group = Group { key: "c".into(), name: "c".into(), target: 250, owed: 0, had: 0, picked: 0, supply: 0 };
        let shares = Counted::of(&[&one, &other], |place| place.services.clone()).shares(Some(&vec![group]), None);
        let told: Vec<_> = shares.iter().map(|share| (share.name.as_str(), share.places, share.share, share.target)).collect();
        assert_eq!(told, [("a", 1_500, 750, None), ("b", 500, 250, None), ("c", 0, 0, Some(250))]);
    }
}
