//! Who made it. Whoever an entry names goes before whoever owns the source, so a first claimer never blocks the author.
//!
//! All builders who claim one of the sources that show a piece are asked for by name, in every sighting of it. Where an
//! entry names none of them, the owners of its source are credited, unless a filter or the platform says that it is
//! somebody else's.

use std::collections::BTreeMap;

use super::{OwnerFacts, Seen, fold};
use crate::model::{Author, Basis, BuilderId, Credit, Role, SourceKind};

/// The credits of an activity, ordered by builder.
pub(super) fn credits(seen: &[&Seen<'_>]) -> Vec<Credit> {
    let mut claimants: BTreeMap<BuilderId, Vec<&OwnerFacts>> = BTreeMap::new();
    for owner in seen.iter().flat_map(|seen| seen.owners) {
        claimants.entry(owner.owner.builder).or_default().push(owner);
    }
    let mut credits: BTreeMap<BuilderId, (Role, Basis)> = BTreeMap::new();
    let mut give = |builder: BuilderId, role: Role, basis: Basis| {
        let credit = credits.entry(builder).or_insert((role, basis));
        *credit = (credit.0.min(role), credit.1.min(basis));
    };
    for sighting in seen {
        let named = named(sighting, &claimants);
        for (builder, (place, basis)) in &named {
            let leads = named.values().all(|(other, _)| place <= other);
            give(*builder, if leads { Role::Author } else { Role::CoAuthor }, *basis);
        }
        if named.is_empty() {
            for owner in sighting.owners.iter().filter(|owner| owns(sighting, owner)) {
                give(owner.owner.builder, Role::Author, Basis::Owner);
            }
        }
    }
    credits.into_iter().map(|(builder, (role, basis))| Credit { builder, role, basis }).collect()
}

/// The claimants that a sighting's entry names, each with the place among its authors.
fn named(sighting: &Seen<'_>, claimants: &BTreeMap<BuilderId, Vec<&OwnerFacts>>) -> BTreeMap<BuilderId, (usize, Basis)> {
    let mut named = BTreeMap::new();
    for (place, author) in sighting.entry.authors.iter().enumerate() {
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
                named.entry(*builder).or_insert((place, basis));
            }
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
        // Where an organization's release names a person, it is that person's; a machine's is the organization's.
        SourceKind::GithubOrg => authors.is_empty(),
        _ => true,
    }
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
    if !author.name.trim().is_empty() && fold(&author.name) == fold(&facts.name) {
        return true;
    }
    facts.handles.iter().any(|(network, handle)| {
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
