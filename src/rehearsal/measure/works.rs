//! Pairs of pieces against labels: which of them the rules make one work. Each piece goes the whole way of an entry, so
//! identity, canonical addresses and the cutting of texts are measured with the rules of works.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{MeasureError, lines, rounded, share};
use crate::model::{Activity, ActivityId, ActivityKind, Arrival, BuilderId, Entry, EntryKey, Filters, Owner, Source, SourceId, SourceKind};
use crate::normalize::{self, OwnerFacts, People, Seen};
use crate::text;
use crate::work;

/// Two pieces, and whether a person says that they are one work.
#[derive(Debug, Clone, Deserialize)]
struct Pair {
    same: bool,
    /// What kind of case it is: `series`, `renamed`.
    #[serde(default)]
    about: String,
    #[serde(default)]
    language: Option<String>,
    one: Piece,
    other: Piece,
}

/// A piece as its source would tell it.
#[derive(Debug, Clone, Deserialize)]
struct Piece {
    title: String,
    url: String,
    #[serde(default)]
    at: Option<Timestamp>,
    /// Who made it; pieces of one pair that say nothing are of one builder.
    #[serde(default)]
    builder: String,
    #[serde(default)]
    kind: Option<ActivityKind>,
    #[serde(default)]
    canonical_url: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    links: Vec<String>,
}

/// How one kind of case does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseFigures {
    pub about: String,
    pub pairs: u32,
    pub right: u32,
}

/// A pair that the rules decide otherwise than the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairMiss {
    pub about: String,
    pub one: String,
    pub other: String,
    /// What the person says.
    pub same: bool,
    /// It is at least shown to staff.
    pub suggested: bool,
}

/// What the rules made of the labelled pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairFigures {
    pub pairs: u32,
    pub labelled_same: u32,
    pub found_same: u32,
    pub right_same: u32,
    pub precision: f64,
    pub recall: f64,
    pub languages: Vec<String>,
    pub cases: Vec<CaseFigures>,
    pub misses: Vec<PairMiss>,
    /// Pairs that are decided otherwise when all pieces of the file are looked at together.
    pub unlike_together: u32,
}

/// Puts the pairs of these files through the rules, each alone and then all together.
pub fn works(files: &[PathBuf]) -> Result<PairFigures, MeasureError> {
    let mut pairs: Vec<Pair> = Vec::new();
    for file in files {
        pairs.extend(lines(file)?);
    }
    let mut builders: BTreeMap<(usize, String), i64> = BTreeMap::new();
    let mut builder_of = |pair: usize, name: &str| {
        let next = i64::try_from(builders.len()).unwrap_or(i64::MAX) + 1;
        BuilderId(*builders.entry((pair, name.to_owned())).or_insert(next))
    };
    let entries: Vec<[Told; 2]> = pairs
        .iter()
        .enumerate()
        .map(|(place, pair)| {
            let told = |piece: &Piece, number: usize, builder| Told::new(piece, i64::try_from(2 * place + number).unwrap_or(0), builder);
            let (one, other) = (builder_of(place, &pair.one.builder), builder_of(place, &pair.other.builder));
            [told(&pair.one, 1, one), told(&pair.other, 2, other)]
        })
        .collect();
    let together = together(&entries);
    let mut figures = Counts::default();
    let mut misses = Vec::new();
    for (pair, told) in pairs.iter().zip(&entries) {
        let (same, suggested) = decide(told);
        figures.count(pair, same);
        figures.unlike_together += u32::from(same != together.contains(&(told[0].source, told[1].source)));
        if same != pair.same {
            misses.push(PairMiss {
                about: pair.about.clone(),
                one: pair.one.title.clone(),
                other: pair.other.title.clone(),
                same: pair.same,
                suggested,
            });
        }
    }
    let languages: BTreeSet<String> = pairs.iter().filter_map(|pair| pair.language.clone()).collect();
    Ok(figures.finish(languages.into_iter().collect(), misses))
}

/// A piece on its way: the entry with what identity asks of it.
struct Told {
    source: SourceId,
    owners: Vec<OwnerFacts>,
    key: EntryKey,
    identity_keys: Vec<String>,
    entry: Entry,
    first_seen_at: Timestamp,
}

impl Told {
    fn new(piece: &Piece, source: i64, builder: BuilderId) -> Self {
        let mut content = piece.text.as_deref().map(text::text_to_content);
        if !piece.links.is_empty() {
            content.get_or_insert_default().links.clone_from(&piece.links);
        }
        let entry = Entry {
            link: Some(piece.url.clone()),
            canonical_url: piece.canonical_url.clone(),
            title: Some(piece.title.clone()),
            summary: piece.summary.clone(),
            content,
            published: piece.at,
            language: piece.language.clone(),
            categories: piece.tags.clone(),
            kind: piece.kind,
            ..Entry::default()
        };
        let locator = String::new();
        let source = Source {
            id: SourceId(source),
            kind: SourceKind::Rss,
            url: locator.clone(),
            locator,
            owners: Vec::new(),
            paused: false,
            left: false,
        };
        let key = normalize::entry_keys(&source, std::slice::from_ref(&entry)).pop().unwrap_or_else(|| EntryKey(String::new()));
        let identity_keys = normalize::identity_keys(source.id, &key, &entry);
        let owner = Owner { builder, author: None, filters: Filters::default() };
        Self {
            source: source.id,
            owners: vec![OwnerFacts { owner, name: "Somebody".to_owned(), former_names: Vec::new(), handles: BTreeMap::new() }],
            key,
            identity_keys,
            first_seen_at: piece
                .at
                .unwrap_or(Timestamp::UNIX_EPOCH)
                .saturating_add(SignedDuration::from_hours(1))
                .unwrap_or(Timestamp::MAX),
            entry,
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            source: self.source,
            kind: SourceKind::Rss,
            locator: "",
            account: None,
            owners: &self.owners,
            key: &self.key,
            identity_keys: &self.identity_keys,
            first_seen_at: self.first_seen_at,
            entry: &self.entry,
            first_published: normalize::published(&self.entry),
            aired_at: None,
            revised_at: None,
            left_at: None,
            arrival: Arrival::default(),
        }
    }
}

/// The activities of these pieces: what shares an identity key is one.
fn activities<'a>(pieces: impl IntoIterator<Item = &'a Told>) -> Vec<Activity> {
    let mut groups: Vec<Vec<&Told>> = Vec::new();
    let mut at: HashMap<&str, usize> = HashMap::new();
    for piece in pieces {
        let known = piece.identity_keys.iter().find_map(|key| at.get(key.as_str()).copied());
        let place = known.unwrap_or(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(piece);
        for key in &piece.identity_keys {
            at.entry(key).or_insert(place);
        }
    }
    groups
        .iter()
        .map(|group| normalize::activity(&group.iter().map(|piece| piece.seen()).collect::<Vec<_>>(), &People::default()))
        .collect()
}

/// Whether two pieces alone are one work, and whether staff would be shown them.
fn decide(told: &[Told; 2]) -> (bool, bool) {
    let activities = activities(told);
    let works = work::cluster(&activities, &[]);
    (works.len() == 1, !work::suggestions(&activities).is_empty())
}

/// The pairs of sources whose pieces are one work when all are looked at together.
fn together(entries: &[[Told; 2]]) -> BTreeSet<(SourceId, SourceId)> {
    let activities = activities(entries.iter().flatten());
    let works = work::cluster(&activities, &[]);
    let work_of: HashMap<&ActivityId, usize> =
        works.iter().enumerate().flat_map(|(place, work)| work.members.iter().map(move |member| (&member.activity, place))).collect();
    let of_source: HashMap<SourceId, usize> = activities
        .iter()
        .filter_map(|activity| Some((work_of.get(&activity.id).copied()?, activity)))
        .flat_map(|(work, activity)| activity.sightings.iter().map(move |sighting| (sighting.source, work)))
        .collect();
    entries
        .iter()
        .map(|[one, other]| (one.source, other.source))
        .filter(|(one, other)| of_source.contains_key(one) && of_source.get(one) == of_source.get(other))
        .collect()
}

#[derive(Default)]
struct Counts {
    pairs: u32,
    labelled: u32,
    found: u32,
    right: u32,
    unlike_together: u32,
    cases: BTreeMap<String, (u32, u32)>,
}

impl Counts {
    fn count(&mut self, pair: &Pair, same: bool) {
        self.pairs += 1;
        self.labelled += u32::from(pair.same);
        self.found += u32::from(same);
        self.right += u32::from(pair.same && same);
        let case = self.cases.entry(pair.about.clone()).or_default();
        case.0 += 1;
        case.1 += u32::from(pair.same == same);
    }

    fn finish(self, languages: Vec<String>, misses: Vec<PairMiss>) -> PairFigures {
        PairFigures {
            pairs: self.pairs,
            labelled_same: self.labelled,
            found_same: self.found,
            right_same: self.right,
            precision: rounded(share(self.right, self.found)),
            recall: rounded(share(self.right, self.labelled)),
            languages,
            cases: self.cases.into_iter().map(|(about, (pairs, right))| CaseFigures { about, pairs, right }).collect(),
            misses,
            unlike_together: self.unlike_together,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labelled_pairs_are_told_apart_and_joined() {
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/works/pairs.jsonl"));
        let figures = works(&[file]).unwrap();
        assert!(figures.pairs >= 250 && figures.languages.len() >= 5, "{} in {:?}", figures.pairs, figures.languages);
        assert!(figures.precision >= 0.995 && figures.recall >= 0.95, "{:.3} {:.3}", figures.precision, figures.recall);
        assert_eq!(figures.unlike_together, 0, "other pieces change nothing");
    }
}
