//! Who made it. Whoever an entry names goes before whoever owns the source, so a first claimer never blocks the author.
//!
//! All builders who claim one of the sources that show a piece are asked for by name, in every sighting of it, then all
//! other members: those by their handle, or by a name of at least two words that nobody else has. Where an entry names
//! none of them, the owners of its source are credited, unless a filter or the platform says that it is somebody else's.
//!
//! A claim's filters decide first. What every claim of a source keeps out counts for nobody there.

use std::collections::{BTreeMap, HashMap};

use super::{OwnerFacts, Seen, filter, fold};
use crate::model::{Author, Basis, Builder, BuilderId, Byline, Credit, Filtered, Role, SourceKind, names_of_author, names_of_builder};

/// Every member, found by the names that entries may call them by.
#[derive(Debug, Default)]
pub struct People {
    builders: Vec<Member>,
    by_name: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Member {
    id: BuilderId,
    name: String,
    former_names: Vec<String>,
    handles: BTreeMap<String, String>,
}

impl People {
    /// The members of the roster.
    pub fn of<'a>(builders: impl Iterator<Item = &'a Builder>) -> Self {
        let mut people = Self::default();
        for builder in builders {
            for name in names_of_builder(builder) {
                people.by_name.entry(name).or_default().push(people.builders.len());
            }
            people.builders.push(Member {
                id: builder.id,
                name: builder.name.clone(),
                former_names: builder.former_names.clone(),
                handles: builder.handles.clone(),
            });
        }
        people
    }

    /// The one member whom an author can only be, whoever claims the source. Whoever has a name goes before whoever had it.
    fn find(&self, author: &Author, kind: SourceKind) -> Option<BuilderId> {
        let mut found: Vec<BuilderId> = Vec::new();
        let mut formerly: Vec<BuilderId> = Vec::new();
        for called in names_of_author(author) {
            for member in self.by_name.get(&called).into_iter().flatten().map(|place| &self.builders[*place]) {
                let is_meant = has_handle(&member.handles, author, kind) || (is_whole_name(&member.name) && has_name(&member.name, author));
                if is_meant && !found.contains(&member.id) {
                    found.push(member.id);
                }
                let had = |name: &String| is_whole_name(name) && has_name(name, author);
                if member.former_names.iter().any(had) && !formerly.contains(&member.id) {
                    formerly.push(member.id);
                }
            }
        }
        match (found.as_slice(), formerly.as_slice()) {
            ([one], _) | ([], [one]) => Some(*one),
            _ => None,
        }
    }

    /// Whether a member has that name now.
    fn has(&self, author: &Author) -> bool {
        let called = names_of_author(author);
        called.iter().flat_map(|name| self.by_name.get(name)).flatten().any(|place| has_name(&self.builders[*place].name, author))
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

/// The builders whom a sighting's entry names, each with the place among its authors: claimants before all others. A name
/// that is somebody's is never cut; else one byline may name several.
fn named(sighting: &Seen<'_>, claimants: &BTreeMap<BuilderId, Vec<&OwnerFacts>>, people: &People) -> BTreeMap<BuilderId, (usize, Basis)> {
    let mut named = BTreeMap::new();
    let mut place = 0;
    for author in &sighting.entry.authors {
        let whole = called(sighting, author, claimants, people);
        if whole.is_empty() {
            let known = |author: &Author| Some(called(sighting, author, claimants, people)).filter(|found| !found.is_empty());
            let names = Byline::of(&author.name).names(known);
            // A single word is a name only among names: a company's is no person's.
            let all_known = names.iter().all(|(_, found)| found.is_some());
            for (author, found) in names {
                for (builder, basis) in found.into_iter().flatten().filter(|_| all_known || is_whole_name(&author.name)) {
                    named.entry(builder).or_insert((place, basis));
                }
                place += 1;
            }
        }
        for (builder, basis) in whole {
            named.entry(builder).or_insert((place, basis));
        }
        place += 1;
    }
    named
}

/// The builders whom one name calls.
fn called(
    sighting: &Seen<'_>,
    author: &Author,
    claimants: &BTreeMap<BuilderId, Vec<&OwnerFacts>>,
    people: &People,
) -> Vec<(BuilderId, Basis)> {
    let mut found = Vec::new();
    let mut formerly = Vec::new();
    for (builder, facts) in claimants {
        let own_filter =
            sighting.owners.iter().filter(|owner| owner.owner.builder == *builder).find_map(|owner| owner.owner.author.as_deref());
        if own_filter.is_some_and(|filter| fits(filter, author)) {
            found.push((*builder, Basis::Filter));
        } else if facts.iter().any(|facts| is_called(facts, author, sighting.kind)) {
            found.push((*builder, Basis::Entry));
        } else if facts.iter().flat_map(|facts| &facts.former_names).any(|name| has_name(name, author)) {
            formerly.push((*builder, Basis::Entry));
        }
    }
    if found.is_empty() && !people.has(author) {
        found = formerly;
    }
    if found.is_empty() {
        found.extend(people.find(author, sighting.kind).map(|builder| (builder, Basis::Entry)));
    }
    found
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
