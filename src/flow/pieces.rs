//! Which entries are one piece: those that share an identity key, directly or over others, each key held by those alone
//! whom it still names.
//!
//! Of one source a key is that of whoever is told under it now, not of whoever was: addresses are given again, and ids of
//! feeds that count by place wander. What a source tells twice under one key is one piece if it says the same. A piece keeps
//! the name under which it was first known; where that is another's already, it has one of its own.
//!
//! In: all entries of whole components with their keys, those of the first telling first. Out: groups, each with its name.
//! Depends on the set alone, not on the order of the rows or on when they were settled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::model::SourceId;
use crate::normalize;
use crate::store::EntryRow;

/// The entries of one piece.
pub(super) struct Group<'a> {
    /// Ordered by id.
    pub(super) rows: Vec<&'a EntryRow>,
    /// The key that the piece is named by.
    pub(super) name: String,
    /// Other keys that lead to it.
    pub(super) also: BTreeSet<&'a str>,
}

/// The pieces of these entries, ordered by the first entry of each.
pub(super) fn group<'a>(rows: &'a [EntryRow], keys: &'a HashMap<i64, Vec<String>>) -> Vec<Group<'a>> {
    let keys_of = |place: usize| -> &'a [String] { keys.get(&rows[place].id).map_or(&[], Vec::as_slice) };
    let tellings: Vec<Telling> = rows.iter().map(Telling::of).collect();
    let mut bearers: HashMap<&str, Vec<usize>> = HashMap::new();
    for place in 0..rows.len() {
        for key in keys_of(place) {
            bearers.entry(key).or_default().push(place);
        }
    }
    let mut parent: Vec<usize> = (0..rows.len()).collect();
    let mut holder: HashMap<&str, usize> = HashMap::new();
    for (key, places) in &bearers {
        let held = held(rows, &tellings, key, places);
        if let Some(first) = held.iter().min() {
            holder.insert(key, *first);
            for place in &held {
                let (one, other) = (root(&mut parent, *first), root(&mut parent, *place));
                parent[one.max(other)] = one.min(other);
            }
        }
    }
    // Whoever was first told under a key is named by it.
    let mut named: HashMap<&str, usize> = HashMap::new();
    for (key, places) in &bearers {
        let first =
            places.iter().copied().filter(|place| tellings[*place].is_first(key)).min_by_key(|place| age(&rows[*place], keys_of(*place)));
        if let Some(first) = first {
            named.insert(key, first);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..rows.len() {
        let root = root(&mut parent, place);
        groups.entry(root).or_default().push(place);
    }
    let mut made: Vec<(Group<'a>, usize)> = Vec::with_capacity(groups.len());
    for (root_place, places) in &groups {
        let eldest = places.iter().copied().min_by_key(|place| age(&rows[*place], keys_of(*place))).unwrap_or(*root_place);
        let own = keys_of(eldest)
            .iter()
            .filter(|key| tellings[eldest].is_first(key))
            .find(|key| named.get(key.as_str()).is_some_and(|first| root(&mut parent, *first) == *root_place));
        let name = own.cloned().unwrap_or_else(|| name_of_its_own(&rows[eldest], keys_of(eldest)));
        let mut members: Vec<&EntryRow> = places.iter().map(|place| &rows[*place]).collect();
        members.sort_by_key(|row| row.id);
        made.push((Group { rows: members, name, also: BTreeSet::new() }, *root_place));
    }
    let taken: HashMap<String, usize> = made.iter().map(|(group, root)| (group.name.clone(), *root)).collect();
    for (group, root_place) in &mut made {
        for key in groups[root_place].iter().flat_map(|place| keys_of(*place)) {
            let held = holder.get(key.as_str()).map(|held| root(&mut parent, *held));
            if taken.get(key).copied().or(held).is_none_or(|at| at == *root_place) {
                group.also.insert(key);
            }
        }
    }
    let mut made: Vec<Group<'a>> = made.into_iter().map(|(group, _)| group).collect();
    made.sort_by_key(|group| group.rows.first().map(|row| row.id));
    made
}

/// The entries that a key names: of each source those that are told under it now, else the one that was last.
fn held(rows: &[EntryRow], tellings: &[Telling], key: &str, places: &[usize]) -> Vec<usize> {
    if places.len() == 1 {
        return places.to_vec();
    }
    let mut of_source: BTreeMap<SourceId, Vec<usize>> = BTreeMap::new();
    for place in places {
        of_source.entry(rows[*place].source).or_default().push(*place);
    }
    let mut held = Vec::new();
    for places in of_source.into_values() {
        let right = |place: &usize| -> (bool, bool, Timestamp, Timestamp, i64) {
            let row = &rows[*place];
            (
                tellings[*place].is_present(key),
                row.left_at.is_none(),
                row.changed_at.unwrap_or(row.first_seen_at),
                row.first_seen_at,
                row.id,
            )
        };
        let Some(best) = places.iter().copied().max_by_key(right) else { continue };
        let is_told_here = tellings[best].is_present(key);
        held.extend(places.into_iter().filter(|place| {
            *place == best || (is_told_here == tellings[*place].is_present(key) && says_the_same(&rows[*place], &rows[best]))
        }));
    }
    held
}

/// Which of an entry's keys are those of its newest telling, and which of its first one.
struct Telling {
    /// `None` where all are.
    present: Option<Vec<String>>,
    first: Option<Vec<String>>,
}

impl Telling {
    fn of(row: &EntryRow) -> Self {
        let Some((key, first)) = &row.first else { return Self { present: None, first: None } };
        Self {
            present: Some(normalize::identity_keys(row.source, &row.key, &row.entry)),
            first: Some(normalize::identity_keys(row.source, key, first)),
        }
    }

    fn is_present(&self, key: &str) -> bool {
        self.present.as_ref().is_none_or(|keys| keys.iter().any(|own| own == key))
    }

    fn is_first(&self, key: &str) -> bool {
        self.first.as_ref().is_none_or(|keys| keys.iter().any(|own| own == key))
    }
}

/// Whether two entries of one source are one item told twice.
fn says_the_same(one: &EntryRow, other: &EntryRow) -> bool {
    one.entry.title == other.entry.title && one.entry.published == other.entry.published
}

/// What orders entries by when they were first known, whatever their places in the log.
fn age<'a>(row: &EntryRow, keys: &'a [String]) -> (Timestamp, SourceId, Option<&'a String>, i64) {
    (row.first_seen_at, row.source, keys.first(), row.id)
}

/// A name for a piece whose first key is the name of another.
fn name_of_its_own(row: &EntryRow, keys: &[String]) -> String {
    let first = row.first.as_ref().map_or(&row.key, |(key, _)| key);
    let key = keys.first().map(String::as_str).unwrap_or_default();
    format!("{key}#{}:{first}@{}", row.source, row.first_seen_at.as_millisecond())
}

/// The first of the set that an element is in, with the way there made shorter.
fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}
