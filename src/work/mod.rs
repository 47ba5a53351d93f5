//! Decides which activities are one work.
//!
//! In: activities, and what people decided about them. Out: works, each merge with its reason; the topic is left to
//! `topic`. The answer depends on the set alone, never on the order in which its members were found. Edges are taken in
//! order of rule, score and ids; a union is refused if it would join what a person split, or two activities of one host
//! that rules 1 and 2 did not join (RECORD.md section 2). Knows nothing of topics, of digests or of the store.

mod companion;
mod similarity;
mod title;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::model::{Activity, ActivityId, ActivityKind, CanonicalUrl, DecisionKind, MergeRule, Topic, Work, WorkMember};

pub use similarity::{Suggestion, suggestions};

/// The works that these activities make, ordered by id, their topics empty. Decisions are in the order of the log: of
/// two about one pair the later one counts.
pub fn cluster<'a>(activities: impl IntoIterator<Item = &'a Activity>, decisions: &[DecisionKind]) -> Vec<Work> {
    let mut activities: Vec<&Activity> = activities.into_iter().collect();
    activities.sort_by(|one, other| one.id.cmp(&other.id));
    activities.dedup_by(|one, other| one.id == other.id);
    let places: BTreeMap<&ActivityId, usize> = activities.iter().enumerate().map(|(place, activity)| (&activity.id, place)).collect();
    let addresses: Vec<Addresses> = activities.iter().map(|activity| Addresses::of(activity)).collect();
    let rulings = Rulings::of(decisions, &places);

    let mut edges = rulings.merges();
    edges.extend(address_edges(&activities, &addresses));
    let mut groups = Groups::new(activities.len(), &rulings.splits);
    edges.sort_unstable();
    for edge in edges {
        groups.join(edge);
    }
    // From here on one host may not come twice into one work, but for what is one already.
    groups.guard_hosts(&addresses);
    let mut likely = similarity::edges(&activities, &addresses);
    likely.extend(similarity::text_edges(&activities, &addresses));
    likely.sort_unstable();
    for edge in likely {
        groups.join(edge);
    }
    groups.into_works(&activities, &addresses)
}

/// What must be settled together with an activity: two activities are in one component if they share one of its keys, or
/// if [`alike`] says so, directly or over others. So settling those gives what settling everything gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighborhood {
    /// Keys of its own and its canonical address, of the only one that a short post links to, and of the beginning of its
    /// text.
    pub keys: Vec<String>,
    /// The host on which it stands, for what is compared with its builder's pieces on other hosts; empty for all else.
    pub host: String,
}

impl Neighborhood {
    /// How far apart in effective time two pieces are that may be one by their likeness.
    pub const APART: SignedDuration = SignedDuration::from_secs(similarity::APART_S);

    /// The neighborhood of an activity.
    pub fn of(activity: &Activity) -> Self {
        let addresses = Addresses::of(activity);
        let told = addresses.own.into_iter().chain(addresses.canonical).chain(addresses.mention);
        let keys: BTreeSet<String> = told.chain(similarity::text_keys(activity)).collect();
        let host = if similarity::may_be_copied(activity) { addresses.host } else { String::new() };
        Self { keys: keys.into_iter().collect(), host }
    }
}

/// Which of some activities rules 3 and 4 may join to one of the known ones, directly or over others among them.
pub fn alike<'a>(known: impl IntoIterator<Item = &'a Activity>, others: &'a [Activity]) -> Vec<bool> {
    let mut all: Vec<&Activity> = others.iter().collect();
    all.extend(known);
    let addresses: Vec<Addresses> = all.iter().map(|activity| Addresses::of(activity)).collect();
    let mut beside: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for edge in similarity::possible_edges(&all, &addresses) {
        beside.entry(edge.one).or_default().push(edge.other);
        beside.entry(edge.other).or_default().push(edge.one);
    }
    let mut reached = vec![false; all.len()];
    let mut open: Vec<usize> = (others.len()..all.len()).collect();
    while let Some(place) = open.pop() {
        if !std::mem::replace(&mut reached[place], true) {
            open.extend(beside.get(&place).into_iter().flatten());
        }
    }
    reached.truncate(others.len());
    reached
}

/// What an activity's addresses say, read once.
struct Addresses {
    own: Option<String>,
    /// The other address that it calls canonical; a site's root is none, for it stands for everything.
    canonical: Option<String>,
    /// The only address that a short post links to: where that is a known item, the post is a mention of it.
    mention: Option<String>,
    host: String,
}

impl Addresses {
    fn of(activity: &Activity) -> Self {
        let own = activity.url.as_deref().and_then(|url| CanonicalUrl::parse(url).ok());
        let canonical = activity.canonical_url.as_deref().and_then(|url| CanonicalUrl::parse(url).ok()).filter(|url| !is_root(url));
        let mention = match activity.links.as_slice() {
            [link] if activity.kind == ActivityKind::Post => CanonicalUrl::parse(link).ok().filter(|url| !is_root(url)),
            _ => None,
        };
        Self {
            mention: mention.map(|url| url.key()).filter(|key| own.as_ref().is_none_or(|own| own.key() != *key)),
            host: own.as_ref().map(CanonicalUrl::host).unwrap_or_default(),
            canonical: canonical.map(|url| url.key()),
            own: own.map(|url| url.key()),
        }
    }
}

fn is_root(url: &CanonicalUrl) -> bool {
    url::Url::parse(url.as_str()).is_ok_and(|url| matches!(url.path(), "" | "/") && url.query().is_none())
}

/// A reason to join two activities, named by their places. Ordered by rule, then score, best first, then ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    rank: u8,
    /// 1000 less the thousandths of likeness.
    distance: u16,
    one: usize,
    other: usize,
    rule: MergeRule,
}

impl Edge {
    fn new(rule: MergeRule, score: u16, one: usize, other: usize) -> Self {
        let rank = match rule {
            MergeRule::Alone | MergeRule::Decision => 0,
            MergeRule::SameAddress => 1,
            MergeRule::SameCanonical => 2,
            MergeRule::CrossPost => 3,
            MergeRule::SameText => 4,
            MergeRule::Companion => 5,
        };
        Self { rank, distance: 1000 - score.min(1000), one: one.min(other), other: one.max(other), rule }
    }
}

impl Edge {
    /// Thousandths of likeness.
    fn score(&self) -> u16 {
        1000 - self.distance
    }
}

/// Rules 1 and 2: equal addresses, and addresses that one names as canonical.
fn address_edges(activities: &[&Activity], addresses: &[Addresses]) -> Vec<Edge> {
    let mut at: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut towards: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, address) in addresses.iter().enumerate() {
        // The page of an event is that of everybody who took part in it.
        let of_event = matches!(activities[place].kind, ActivityKind::Talk | ActivityKind::Event);
        if let Some(own) = address.own.as_ref().filter(|_| !of_event) {
            at.entry(own).or_default().push(place);
        }
        if let Some(canonical) = &address.canonical {
            towards.entry(canonical).or_default().push(place);
        }
    }
    // An address under which one source shows several pieces, a show's page, names none of them.
    at.retain(|_, places| !is_shared(activities, places));
    let mut edges = Vec::new();
    for places in at.values() {
        edges.extend(places.windows(2).map(|pair| Edge::new(MergeRule::SameAddress, 1000, pair[0], pair[1])));
    }
    for (place, address) in addresses.iter().enumerate() {
        let Some(items) = address.mention.as_deref().and_then(|key| at.get(key)) else { continue };
        let makers = |place: usize| activities[place].credits.iter().map(|credit| credit.builder).collect::<BTreeSet<_>>();
        // Whoever mentions the work of another makes no part of it.
        let item = items.iter().copied().filter(|item| activities[*item].kind != ActivityKind::Post);
        if let Some(item) = item.min().filter(|_| makers(place).is_subset(&items.iter().flat_map(|item| makers(*item)).collect())) {
            edges.push(Edge::new(MergeRule::SameCanonical, 1000, place, item));
        }
    }
    for (canonical, copies) in towards {
        // A site that calls one page canonical for all of its pieces says nothing of any.
        if is_shared(activities, &copies) {
            continue;
        }
        let originals = at.get(canonical).map_or(&[][..], Vec::as_slice);
        let hub = originals.first().or(copies.first()).copied();
        let joined = copies.iter().chain(originals.iter()).filter(|place| Some(**place) != hub);
        edges.extend(joined.filter_map(|place| Some(Edge::new(MergeRule::SameCanonical, 1000, hub?, *place))));
    }
    edges
}

/// Whether two of these were shown by one source.
fn is_shared(activities: &[&Activity], places: &[usize]) -> bool {
    let mut shown = BTreeSet::new();
    places.iter().any(|place| {
        let sources: BTreeSet<_> = activities[*place].sightings.iter().map(|sighting| sighting.source).collect();
        sources.into_iter().any(|source| !shown.insert(source))
    })
}

/// What people decided of pairs, the latest word on each.
struct Rulings {
    merged: BTreeSet<(usize, usize)>,
    splits: BTreeSet<(usize, usize)>,
}

impl Rulings {
    fn of(decisions: &[DecisionKind], places: &BTreeMap<&ActivityId, usize>) -> Self {
        let mut said: BTreeMap<(usize, usize), Vec<bool>> = BTreeMap::new();
        for decision in decisions {
            let Some([one, other]) = decision.pair() else { continue };
            let (Some(one), Some(other)) = (places.get(one), places.get(other)) else { continue };
            let pair = (*one.min(other), *one.max(other));
            if pair.0 == pair.1 {
                continue;
            }
            let said = said.entry(pair).or_default();
            match decision {
                DecisionKind::Merge { .. } => said.push(true),
                DecisionKind::Split { .. } => said.push(false),
                _ => {
                    if let Some(last) = said.iter().rposition(|merge| !merge) {
                        said.remove(last);
                    }
                }
            }
        }
        let mut rulings = Self { merged: BTreeSet::new(), splits: BTreeSet::new() };
        for (pair, said) in said {
            match said.last() {
                Some(true) => rulings.merged.insert(pair),
                Some(false) => rulings.splits.insert(pair),
                None => false,
            };
        }
        rulings
    }

    fn merges(&self) -> Vec<Edge> {
        self.merged.iter().map(|(one, other)| Edge::new(MergeRule::Decision, 1000, *one, *other)).collect()
    }
}

/// Activities joined so far, with the edges that joined them.
struct Groups<'a> {
    parent: Vec<usize>,
    members: Vec<Vec<usize>>,
    split_from: BTreeMap<usize, Vec<usize>>,
    /// The hosts of each group, once they are guarded.
    hosts: Vec<BTreeSet<&'a str>>,
    taken: Vec<Edge>,
}

impl<'a> Groups<'a> {
    fn new(count: usize, splits: &BTreeSet<(usize, usize)>) -> Self {
        let mut split_from: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (one, other) in splits {
            split_from.entry(*one).or_default().push(*other);
            split_from.entry(*other).or_default().push(*one);
        }
        Self {
            parent: (0..count).collect(),
            members: (0..count).map(|place| vec![place]).collect(),
            split_from,
            hosts: Vec::new(),
            taken: Vec::new(),
        }
    }

    fn root(&self, mut place: usize) -> usize {
        while self.parent[place] != place {
            place = self.parent[place];
        }
        place
    }

    fn guard_hosts(&mut self, addresses: &'a [Addresses]) {
        self.hosts = self
            .members
            .iter()
            .map(|members| members.iter().map(|place| addresses[*place].host.as_str()).filter(|host| !host.is_empty()).collect())
            .collect();
    }

    /// Takes an edge, unless something stands between the groups.
    fn join(&mut self, edge: Edge) {
        let (one, other) = (self.root(edge.one), self.root(edge.other));
        if one == other || self.is_barred(one, other) {
            return;
        }
        let (big, small) = if (self.members[one].len(), other) >= (self.members[other].len(), one) { (one, other) } else { (other, one) };
        let moved = std::mem::take(&mut self.members[small]);
        self.members[big].extend(moved);
        self.parent[small] = big;
        if !self.hosts.is_empty() {
            let moved = std::mem::take(&mut self.hosts[small]);
            self.hosts[big].extend(moved);
        }
        self.taken.push(edge);
    }

    fn is_barred(&self, one: usize, other: usize) -> bool {
        let smaller = if self.members[one].len() <= self.members[other].len() { one } else { other };
        let larger = one + other - smaller;
        let split =
            self.members[smaller].iter().filter_map(|place| self.split_from.get(place)).flatten().any(|place| self.root(*place) == larger);
        split || (!self.hosts.is_empty() && !self.hosts[one].is_disjoint(&self.hosts[other]))
    }

    fn into_works(self, activities: &[&Activity], addresses: &[Addresses]) -> Vec<Work> {
        let mut beside: BTreeMap<usize, Vec<(Edge, usize)>> = BTreeMap::new();
        for edge in &self.taken {
            beside.entry(edge.one).or_default().push((*edge, edge.other));
            beside.entry(edge.other).or_default().push((*edge, edge.one));
        }
        let mut works: Vec<Work> = self
            .members
            .into_iter()
            .filter(|members| !members.is_empty())
            .map(|mut members| {
                members.sort_unstable();
                let primary = primary(&members, activities, addresses);
                Work {
                    id: activities[members[0]].id.clone(),
                    primary: activities[primary].id.clone(),
                    members: told_from(primary, &beside, activities),
                    topic: Topic::default(),
                }
            })
            .collect();
        works.sort_by(|one, other| one.id.cmp(&other.id));
        works
    }
}

/// The members of a group, each with the edge that leads to it from the primary one.
fn told_from(primary: usize, beside: &BTreeMap<usize, Vec<(Edge, usize)>>, activities: &[&Activity]) -> Vec<WorkMember> {
    let mut told = BTreeMap::from([(primary, (MergeRule::Alone, None))]);
    let mut waiting = VecDeque::from([primary]);
    while let Some(place) = waiting.pop_front() {
        let mut edges = beside.get(&place).cloned().unwrap_or_default();
        edges.sort_unstable();
        for (edge, other) in edges {
            if let std::collections::btree_map::Entry::Vacant(vacant) = told.entry(other) {
                vacant.insert((edge.rule, Some(place)));
                waiting.push_back(other);
            }
        }
    }
    told.into_iter()
        .map(|(place, (rule, from))| WorkMember {
            activity: activities[place].id.clone(),
            rule,
            joined_to: from.map(|from| activities[from].id.clone()),
        })
        .collect()
}

/// The member that stands for the work: the one that others call canonical, else one at an address of the builder's own,
/// else the first published (DIGEST.md section 2).
fn primary(members: &[usize], activities: &[&Activity], addresses: &[Addresses]) -> usize {
    let named: BTreeSet<&str> = members.iter().filter_map(|place| addresses[*place].canonical.as_deref()).collect();
    let rank = |place: usize| -> (bool, bool, bool, Timestamp, &ActivityId) {
        let (activity, address) = (activities[place], &addresses[place]);
        let canonical = address.own.as_deref().is_some_and(|own| named.contains(own));
        // A copy says itself that another page is the original; a reply is never the thing itself.
        let copy = address.canonical.is_some() || matches!(activity.kind, ActivityKind::Reply | ActivityKind::Post);
        (!canonical, copy || activity.url.is_none(), is_platform(&address.host), activity.effective_at, &activity.id)
    };
    members.iter().copied().min_by(|one, other| rank(*one).cmp(&rank(*other))).unwrap_or_default()
}

/// Whether a host belongs to everybody rather than to the builder.
fn is_platform(host: &str) -> bool {
    const HOSTS: &[&str] = &[
        "dev.to",
        "medium.com",
        "hashnode.dev",
        "hashnode.com",
        "substack.com",
        "youtube.com",
        "youtu.be",
        "vimeo.com",
        "twitch.tv",
        "github.com",
        "gitlab.com",
        "linkedin.com",
        "builder.aws.com",
        "community.aws",
        "qiita.com",
        "zenn.dev",
        "note.com",
        "velog.io",
        "dzone.com",
        "hackernoon.com",
        "bsky.app",
        "speakerdeck.com",
        "slideshare.net",
        "spotify.com",
        "apple.com",
        "stackoverflow.com",
    ];
    HOSTS.iter().any(|platform| host == *platform || host.strip_suffix(platform).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests;
