//! What each category and region is owed (DIGEST.md section 4.4).
//!
//! In: the supply and the places of the window, this digest's supply included. Out: for each group its target share, its
//! places so far, and what it is owed; and the table of all that for staff. Which work gets a place is for `select`.
//!
//! The window is this digest and those before it, drafts not yet published among them: their places are spoken for.
//! Works of the category `general`, and builders without region, belong to no group: they are owed nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::eligible::Standing;
use crate::config::{Category, Region};
use crate::model::{BuilderId, Group, PastDigest, PastPick, Pick, Week, WeekSupply};

/// The category of works about nothing that has one.
pub(super) const GENERAL: &str = "general";

/// Whether a key names a group, to which places can be owed.
pub(super) fn is_group(key: &str) -> bool {
    !key.is_empty() && key != GENERAL
}

/// How one group stands before the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// Target share in thousandths.
    pub target: i64,
    /// Thousandths of a place.
    pub owed: i64,
    /// Places in the window so far.
    pub had: i64,
    /// Builders this week, in thousandths.
    pub supply: u64,
}

/// How all groups of one division stand before the choice.
pub(super) type Accounts = BTreeMap<String, Account>;

/// The earlier digests of the window, latest first.
pub(super) fn window(week: Week, history: &[PastDigest], balance_weeks: u32) -> Vec<&PastDigest> {
    let mut digests: Vec<&PastDigest> = history.iter().filter(|digest| digest.week < week).collect();
    digests.sort_by_key(|digest| (std::cmp::Reverse(digest.week), !digest.published));
    digests.dedup_by_key(|digest| digest.week);
    digests.truncate(usize::try_from(balance_weeks.saturating_sub(1)).unwrap_or(usize::MAX));
    digests
}

/// How many builders of each group have a work that passes every rule but the cool-down, this week.
pub(super) fn supply(standings: &[Standing<'_>]) -> WeekSupply {
    let mut categories_of: BTreeMap<BuilderId, BTreeSet<&str>> = BTreeMap::new();
    let mut region_of: BTreeMap<BuilderId, &str> = BTreeMap::new();
    for standing in standings.iter().filter(|standing| standing.counts_as_supply) {
        for builder in standing.shown.iter().filter(|builder| builder.active) {
            region_of.insert(builder.id, &builder.region);
            let categories = categories_of.entry(builder.id).or_default();
            if is_group(&standing.candidate.topic.category) {
                categories.insert(&standing.candidate.topic.category);
            }
        }
    }
    let mut supply = WeekSupply::default();
    for categories in categories_of.into_values() {
        let part = 1000 / (categories.len().max(1) as u64);
        for category in categories {
            *supply.categories.entry(category.to_owned()).or_default() += part;
        }
    }
    for region in region_of.into_values().filter(|region| is_group(region)) {
        *supply.regions.entry(region.to_owned()).or_default() += 1000;
    }
    supply
}

/// The accounts of one division: `supply_of` and `group_of` say which.
pub(super) fn accounts(
    window: &[&PastDigest],
    earlier_supply: &BTreeMap<Week, WeekSupply>,
    this_week: &WeekSupply,
    places: u32,
    supply_of: impl Fn(&WeekSupply) -> &BTreeMap<String, u64>,
    group_of: impl Fn(&PastPick) -> &str,
) -> Accounts {
    let mut accounts = Accounts::new();
    let mut in_window: BTreeMap<&str, u128> = BTreeMap::new();
    let weeks = window.iter().filter_map(|digest| earlier_supply.get(&digest.week)).chain([this_week]);
    for (key, supply) in weeks.flat_map(&supply_of).filter(|(key, supply)| is_group(key) && **supply > 0) {
        *in_window.entry(key).or_default() += u128::from(*supply);
    }
    let mut had_in_all = 0;
    for pick in window.iter().flat_map(|digest| &digest.picks) {
        had_in_all += 1;
        if is_group(group_of(pick)) {
            accounts.entry(group_of(pick).to_owned()).or_default().had += 1;
        }
    }
    for (key, supply) in supply_of(this_week).iter().filter(|(key, _)| is_group(key)) {
        accounts.entry(key.clone()).or_default().supply = *supply;
    }
    let total: u128 = in_window.values().sum();
    let groups = in_window.len() as u128;
    for (key, supply) in &in_window {
        // 800 parts by supply, 200 evenly; one division, so that all targets together miss 1000 by less than the groups.
        let target = (800 * supply * groups + 200 * total) / (total * groups);
        accounts.entry((*key).to_owned()).or_default().target = i64::try_from(target).unwrap_or(0);
    }
    let places = i64::from(places);
    for account in accounts.values_mut() {
        account.owed = owed(account.target, had_in_all + places, account.had, places);
    }
    accounts
}

/// What a group is owed, in thousandths of a place: its target share of all places less those that it had, never less
/// than nothing or more than a whole digest.
fn owed(target: i64, all_places: i64, had: i64, places: i64) -> i64 {
    (target * all_places - 1000 * had).clamp(0, 1000 * places)
}

/// How much a group still needs a place when so many are in the digest: 0 to 1000.
pub(super) fn need(owed: i64, members: i64) -> i64 {
    (owed - 1000 * members).clamp(0, 1000)
}

/// The table of all categories: those of the program, and any other that has supply or places.
pub(super) fn category_table(accounts: &Accounts, categories: &[&Category], picks: &[&Pick]) -> Vec<Group> {
    let names: Vec<(&str, &str)> = categories.iter().map(|category| (&*category.key, &*category.name)).collect();
    table(accounts, &names, &count(picks.iter().map(|pick| &*pick.category)), false)
}

/// The table of the regions with supply or places. (There are many regions, most of them silent.)
pub(super) fn region_table(accounts: &Accounts, regions: &[Region], picks: &[&Pick]) -> Vec<Group> {
    let names: Vec<(&str, &str)> = regions.iter().map(|region| (&*region.key, &*region.name)).collect();
    table(accounts, &names, &count(picks.iter().map(|pick| &*pick.region)), true)
}

fn count<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, i64> {
    let mut counts = BTreeMap::new();
    for key in keys.filter(|key| is_group(key)) {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn table(accounts: &Accounts, groups: &[(&str, &str)], picked: &BTreeMap<&str, i64>, only_live: bool) -> Vec<Group> {
    let known: BTreeSet<&str> = groups.iter().map(|(key, _)| *key).collect();
    let strangers: BTreeSet<&str> =
        accounts.keys().map(String::as_str).chain(picked.keys().copied()).filter(|key| !known.contains(key)).collect();
    groups
        .iter()
        .copied()
        .chain(strangers.into_iter().map(|key| (key, key)))
        .map(|(key, name)| {
            let Account { target, owed, had, supply } = accounts.get(key).copied().unwrap_or_default();
            Group { key: key.to_owned(), name: name.to_owned(), target, owed, had, picked: picked.get(key).copied().unwrap_or(0), supply }
        })
        .filter(|group| !only_live || group.target > 0 || group.had > 0 || group.picked > 0 || group.supply > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::samples::past_week;

    fn week(text: &str) -> Week {
        text.parse().unwrap()
    }

    fn supply_of(categories: &[(&str, u64)]) -> WeekSupply {
        WeekSupply { categories: categories.iter().map(|(key, supply)| ((*key).to_owned(), *supply)).collect(), ..WeekSupply::default() }
    }

    fn past(week_text: &str, categories: &[&str]) -> PastDigest {
        let pick = |category: &&str| PastPick {
            members: Vec::new(),
            builders: Vec::new(),
            category: (*category).to_owned(),
            region: String::new(),
            lead: false,
        };
        PastDigest { picks: categories.iter().map(pick).collect(), ..past_week(week(week_text)) }
    }

    #[test]
    fn owed_stays_between_nothing_and_a_digest() {
        for (target, all_places, had, expected) in [
            (500, 12, 0, 6_000),
            (500, 144, 72, 0),
            (500, 144, 71, 1_000),
            (100, 144, 14, 400),
            (1000, 144, 0, 12_000),
            (0, 144, 0, 0),
            (0, 144, 9, 0),
        ] {
            assert_eq!(owed(target, all_places, had, 12), expected, "{target} of {all_places}, had {had}");
        }
    }

    #[test]
    fn need_falls_with_each_member_by_a_place() {
        let needs: Vec<i64> = (0..5).map(|members| need(2_400, members)).collect();
        assert_eq!(needs, [1000, 1000, 400, 0, 0]);
    }

    #[test]
    fn targets_are_mostly_supply_and_partly_even() {
        let history = [past("2026-W45", &["a", "a", GENERAL]), past("2026-W46", &["b"])];
        let window = window(week("2026-W47"), &history, 12);
        let earlier = BTreeMap::from([(week("2026-W46"), supply_of(&[("a", 3_000), ("b", 1_000)]))]);
        let this_week = supply_of(&[("a", 3_000), ("b", 1_000), ("c", 2_000), (GENERAL, 9_000)]);
        let accounts = accounts(&window, &earlier, &this_week, 2, |week| &week.categories, |pick| &pick.category);
        assert_eq!(accounts["a"], Account { target: 480 + 66, owed: 546 * 6 - 2_000, had: 2, supply: 3_000 });
        assert_eq!(accounts["b"], Account { target: 160 + 66, owed: 226 * 6 - 1_000, had: 1, supply: 1_000 });
        assert_eq!(accounts["c"], Account { target: 160 + 66, owed: 226 * 6, had: 0, supply: 2_000 });
        assert!(!accounts.contains_key(GENERAL));
    }

    #[test]
    fn the_window_is_the_digests_just_before() {
        let history: Vec<PastDigest> = (30..50).map(|number| past(&format!("2026-W{number}"), &[])).collect();
        let weeks: Vec<String> = window(week("2026-W47"), &history, 12).iter().map(|digest| digest.week.to_string()).collect();
        assert_eq!(weeks.len(), 11);
        assert_eq!((&*weeks[0], &*weeks[10]), ("2026-W46", "2026-W36"));
    }
}
