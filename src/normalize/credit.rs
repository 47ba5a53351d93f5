//! Who made it. Whoever an entry names goes before whoever owns the source, so a first claimer never blocks the author.
//!
//! All builders who claim one of the sources that show a piece are asked for by name, in every sighting of it, then all
//! other members: those by their handle, or by a name of at least two words that nobody else has. Where an entry names
//! none of them, the owners of its source are credited, unless a filter or the platform says that it is somebody else's.
//!
//! A claim's filters decide first. What every claim of a source keeps out counts for nobody there.

use std::collections::{BTreeMap, HashMap};

use super::{OwnerFacts, Seen, filter, fold};
use crate::model::{Author, Basis, Builder, BuilderId, Credit, Filtered, Role, SourceKind, names_of_author, names_of_builder};

/// Every member, found by the names that entries may call them by.
#[derive(Debug, Default)]
pub struct People {
    builders: Vec<(BuilderId, String, BTreeMap<String, String>)>,
    by_name: HashMap<String, Vec<usize>>,
}

impl People {
    /// The members of the roster.
    pub fn of<'a>(builders: impl Iterator<Item = &'a Builder>) -> Self {
        let mut people = Self::default();
        for builder in builders {
            for name in names_of_builder(builder) {
                people.by_name.entry(name).or_default().push(people.builders.len());
            }
            people.builders.push((builder.id, builder.name.clone(), builder.handles.clone()));
        }
        people
    }

    /// The one member whom an author can only be, whoever claims the source.
    fn find(&self, author: &Author, kind: SourceKind) -> Option<BuilderId> {
        let mut found: Vec<BuilderId> = Vec::new();
        for name in names_of_author(author) {
            for (id, name, handles) in self.by_name.get(&name).into_iter().flatten().map(|place| &self.builders[*place]) {
                let is_meant = has_handle(handles, author, kind) || (is_whole_name(name) && has_name(name, author));
                if is_meant && !found.contains(id) {
                    found.push(*id);
                }
            }
        }
        match found.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }
}

/// A name that is likely to be one person's: given and family name, or a few characters of a script without blanks.
fn is_whole_name(name: &str) -> bool {
    name.split_whitespace().count() >= 2 || name.chars().filter(|c| !c.is_ascii()).count() >= 3
}

/// The credits of an activity, ordered by builder; and, where there are none, the filter that kept it out.
pub(super) fn credits(seen: &[&Seen<'_>], people: &People) -> (Vec<Credit>, Option<Filtered>) {
    let mut claimants: BTreeMap<BuilderId, Vec<&OwnerFacts>> = BTreeMap::new();
    for owner in seen.iter().flat_map(|seen| seen.owners) {
        claimants.entry(owner.owner.builder).or_default().push(owner);
    }
    let mut credits: BTreeMap<BuilderId, (Role, Basis)> = BTreeMap::new();
    let mut filtered: Vec<Filtered> = Vec::new();
    let mut give = |builder: BuilderId, role: Role, basis: Basis| {
        let credit = credits.entry(builder).or_insert((role, basis));
        *credit = (credit.0.min(role), credit.1.min(basis));
    };
    // What was entered by hand and taken back credits nobody.
    for sighting in seen.iter().filter(|sighting| !super::is_withdrawn(sighting)) {
        let mut passed: Vec<&OwnerFacts> = Vec::new();
        for owner in sighting.owners {
            match filter::refusal(&owner.owner.filters, sighting) {
                Some(refusal) => filtered.push(refusal),
                None => passed.push(owner),
            }
        }
        if passed.is_empty() && !sighting.owners.is_empty() {
            continue;
        }
        // Whoever's claim keeps the entry out is not credited for it here, not even by name.
        let kept_out = |builder: BuilderId| {
            let is = |owner: &OwnerFacts| owner.owner.builder == builder;
            sighting.owners.iter().any(is) && !passed.iter().any(|owner| is(owner))
        };
        let mut named = named(sighting, &claimants, people);
        named.retain(|builder, _| !kept_out(*builder));
        for (builder, (place, basis)) in &named {
            let leads = named.values().all(|(other, _)| place <= other);
            give(*builder, if leads { Role::Author } else { Role::CoAuthor }, *basis);
        }
        if named.is_empty() {
            for owner in passed {
                if owns(sighting, owner) {
                    give(owner.owner.builder, Role::Author, Basis::Owner);
                } else if let Some(author) = &owner.owner.author {
                    filtered.push(Filtered { filter: "author".into(), asks: author.clone() });
                }
            }
        }
    }
    let credits: Vec<Credit> = credits.into_iter().map(|(builder, (role, basis))| Credit { builder, role, basis }).collect();
    let filtered = filtered.into_iter().min().filter(|_| credits.is_empty());
    (credits, filtered)
}

/// The builders whom a sighting's entry names, each with the place among its authors: claimants before all others.
fn named(sighting: &Seen<'_>, claimants: &BTreeMap<BuilderId, Vec<&OwnerFacts>>, people: &People) -> BTreeMap<BuilderId, (usize, Basis)> {
    let mut named = BTreeMap::new();
    for (place, author) in sighting.entry.authors.iter().enumerate() {
        let mut is_claimant = false;
        for (builder, facts) in claimants {
            let own_filter =
                sighting.owners.iter().filter(|owner| owner.owner.builder == *builder).find_map(|owner| owner.owner.author.as_deref());
            let basis = if own_filter.is_some_and(|filter| fits(filter, author)) {
                Some(Basis::Filter)
            } else if facts.iter().any(|facts| is_called(facts, author, sighting.kind)) {
                Some(Basis::Entry)
            } else {
                None
            };
            if let Some(basis) = basis {
                is_claimant = true;
                named.entry(*builder).or_insert((place, basis));
            }
        }
        if !is_claimant && let Some(builder) = people.find(author, sighting.kind) {
            named.entry(builder).or_insert((place, Basis::Entry));
        }
    }
    named
}

/// Whether the owner of a source made an entry that names nobody known.
fn owns(sighting: &Seen<'_>, owner: &OwnerFacts) -> bool {
    if owner.owner.author.is_some() {
        return false;
    }
    let authors = &sighting.entry.authors;
    match sighting.kind {
        // The account is named with every entry. Where another one is, it is somebody else's: an organization's list on
        // dev.to, a pull request that the builder only merged. Deleted accounts have no name.
        SourceKind::GithubUser | SourceKind::Devto => {
            let account = |author: &Author| match (sighting.account, author.id.as_deref()) {
                // Names change hands, ids do not.
                (Some(account), Some(id)) => account == id,
                _ => {
                    author.name.eq_ignore_ascii_case(sighting.locator)
                        || author.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(sighting.locator))
                }
            };
            authors.iter().any(account)
        }
        // A publication has many authors; an account has one, whatever it is called.
        SourceKind::Medium => !is_publication(sighting.locator),
        // Where an organization's release names a person, it is that person's; a machine's is the organization's.
        SourceKind::GithubOrg => authors.is_empty(),
        _ => true,
    }
}

/// Whether a feed of Medium is that of a publication: `medium.com/feed/name` rather than `medium.com/feed/@name`. Of a
/// domain of its own nothing can be told, and whoever registered it is believed.
fn is_publication(feed: &str) -> bool {
    let Ok(url) = url::Url::parse(feed) else { return false };
    let named = url.path().trim_start_matches('/').strip_prefix("feed/").unwrap_or_default();
    url.host_str().is_some_and(|host| host == "medium.com" || host == "www.medium.com") && !named.is_empty() && !named.starts_with('@')
}

/// Whether an author is the one that a claim's filter asks for: by name, account, or end of the profile's address.
fn fits(filter: &str, author: &Author) -> bool {
    let wanted = fold(filter.trim().trim_start_matches('@'));
    !wanted.is_empty()
        && (fold(&author.name) == wanted
            || author.id.as_deref().is_some_and(|id| fold(id.trim_start_matches('@')) == wanted)
            || author.url.as_deref().and_then(account_of).is_some_and(|(_, account)| fold(&account) == wanted))
}

/// Whether an author is called like a builder, or has one of the builder's handles on the same network.
fn is_called(facts: &OwnerFacts, author: &Author, kind: SourceKind) -> bool {
    has_name(&facts.name, author) || has_handle(&facts.handles, author, kind)
}

fn has_name(name: &str, author: &Author) -> bool {
    !author.name.trim().is_empty() && fold(&author.name) == fold(name)
}

fn has_handle(handles: &BTreeMap<String, String>, author: &Author, kind: SourceKind) -> bool {
    handles.iter().any(|(network, handle)| {
        let network = network.to_ascii_lowercase();
        let handle = fold(handle.trim().trim_start_matches('@'));
        let here = match kind {
            SourceKind::Devto => matches!(network.as_str(), "devto" | "dev.to" | "dev" | "forem"),
            SourceKind::GithubUser | SourceKind::GithubOrg | SourceKind::GithubRepo => network == "github",
            SourceKind::GitlabUser | SourceKind::GitlabProject => network == "gitlab",
            _ => false,
        };
        let by_account = here && [author.id.as_deref(), Some(author.name.as_str())].into_iter().flatten().any(|name| fold(name) == handle);
        let by_address = author.url.as_deref().and_then(account_of).is_some_and(|(host, account)| {
            (host.contains(&network) || (network == "devto" && host == "dev.to")) && fold(&account) == handle
        });
        !handle.is_empty() && !network.is_empty() && (by_account || by_address)
    })
}

/// Host and account of a profile's address: `https://medium.com/@ada` is `ada` on `medium.com`.
fn account_of(url: &str) -> Option<(String, String)> {
    let url = url::Url::parse(url).ok()?;
    let account = url.path_segments()?.rfind(|segment| !segment.is_empty())?.trim_start_matches('@').to_owned();
    Some((url.host_str()?.to_owned(), account))
}
