//! Which entries of a document are which of the pieces that its source showed before.
//!
//! An id says so where its feed keeps ids, an address where the site keeps addresses, and neither alone is believed: feeds
//! number their items by place, make ids anew on every request, or begin to count again after a move, and writers give a
//! piece another address. Where the two speak of different pieces, title, date and text decide; where these are silent,
//! the address. An id at an address that was never seen is the old piece if something else of it is the same, or if the
//! rest of the document shows that this feed keeps its ids; else the id was given to another piece. A known address under
//! an id that was never seen, or under none, is the old piece too, unless all that can be told of both is different and the
//! rest of the document does not show that this feed makes its ids anew; then the address was given to another piece.
//!
//! In: the entries of a document with their keys, and the pieces that are known of its source. Out: for each entry which
//! piece it is, or the key by which a new one is known from now on. Pure, and independent of the order of the pieces.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::SignedDuration;

use super::{fold, identity, published};
use crate::model::{Entry, EntryKey};

/// A piece that a source showed before.
#[derive(Debug, Clone)]
pub struct Piece<'a> {
    /// The place of its `EntrySeen`.
    pub id: i64,
    pub key: &'a EntryKey,
    /// As [`super::address_of`] reads it from the newest telling.
    pub address: Option<&'a str>,
    /// Others had that address too, so it names none of them.
    pub shared: bool,
    /// Addresses that it had before.
    pub former: &'a [String],
    /// The newest telling; only asked for where [`in_doubt`] says so.
    pub told: Option<&'a Entry>,
}

/// What an entry of a document turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// That piece; with the key by which the feed calls it now, where that is another one and nobody else's.
    Known { id: i64, key: Option<EntryKey> },
    /// Not seen before: the key by which it is known from now on, and whether its address is known to be that of several.
    New { key: EntryKey, shared: bool },
    /// Told once more in the same document.
    Again,
}

/// The pieces of which the newest telling must be known to recognize these entries.
pub fn in_doubt(entries: &[Entry], keys: &[EntryKey], pieces: &[Piece<'_>]) -> Vec<i64> {
    if pieces.is_empty() {
        return Vec::new();
    }
    let shelf = Shelf::of(pieces);
    let mut doubtful = BTreeSet::new();
    for (entry, key) in entries.iter().zip(keys) {
        if is_named_by_platform(entry, key) {
            continue;
        }
        let by_key = shelf.by_key(key);
        let address = shelf.address(entry);
        // An id and its address say enough, an address alone does not.
        let is_sure = !is_address_key(key);
        if is_sure && by_key.is_some_and(|place| address.is_some() && shelf.own_address(place) == address.as_deref()) {
            continue;
        }
        let places = by_key.into_iter().chain(shelf.at(address.as_deref())).chain(shelf.formerly_at(address.as_deref()));
        doubtful.extend(places.map(|place| pieces[place].id));
    }
    doubtful.into_iter().collect()
}

/// What each entry is, in their order; the keys are those of [`super::entry_keys`]. Where pieces have one key, it is that of
/// the first of them.
pub fn recognize(entries: &[Entry], keys: &[EntryKey], pieces: &[Piece<'_>]) -> Vec<Found> {
    let shelf = Shelf::of(pieces);
    let mut told = HashSet::new();
    let again: Vec<bool> = keys.iter().map(|key| !told.insert(key)).collect();
    let pairs = pairs(entries, keys, &again, &shelf);
    let mut found: Vec<Option<usize>> = vec![None; entries.len()];
    let mut taken = vec![false; pieces.len()];
    for (_, entry, place) in pairs {
        if found[entry].is_none() && !taken[place] {
            found[entry] = Some(place);
            taken[place] = true;
        }
    }
    let mut used: HashSet<&EntryKey> = pieces.iter().map(|piece| piece.key).collect();
    // What is known keeps its key, and is called by the new one where that is free.
    let renamed: Vec<Option<EntryKey>> = found
        .iter()
        .zip(keys)
        .map(|(place, key)| {
            let place = (*place)?;
            (pieces[place].key != key && used.insert(key)).then(|| key.clone())
        })
        .collect();
    let mut used: HashSet<EntryKey> = used.into_iter().cloned().collect();
    let mut answers = Vec::with_capacity(entries.len());
    for (at, (entry, key)) in entries.iter().zip(keys).enumerate() {
        if again[at] {
            answers.push(Found::Again);
        } else if let Some(place) = found[at] {
            answers.push(Found::Known { id: pieces[place].id, key: renamed[at].clone() });
        } else {
            let others = || identity::other_keys(entry).into_iter().find(|key| !used.contains(key));
            let free = if used.contains(key) { others() } else { Some(key.clone()) };
            // What has neither an id nor an address of its own, and the title and date of another, is that one.
            let Some(key) = free else {
                answers.push(Found::Again);
                continue;
            };
            used.insert(key.clone());
            let is_shared = |address: String| shelf.shared.contains(address.as_str());
            let shared = !shelf.shared.is_empty() && identity::address_of(entry).is_some_and(is_shared);
            answers.push(Found::New { key, shared });
        }
    }
    answers
}

/// What speaks for an entry being a piece, the strongest first; greater is stronger.
type Pair = (u32, usize, usize);

/// A platform's own key says which piece it is, whatever else changes.
const BY_PLATFORM: u32 = 1000;
/// Id and address are the same.
const BY_BOTH: u32 = 100;

/// All that may be, strongest first.
fn pairs(entries: &[Entry], keys: &[EntryKey], again: &[bool], shelf: &Shelf<'_>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    if shelf.pieces.is_empty() {
        return pairs;
    }
    // Entries whose id is that of a piece at another address with nothing else in common, and what the others tell of ids.
    let mut unlike: Vec<(usize, usize)> = Vec::new();
    let mut weak: Vec<(usize, usize)> = Vec::new();
    // Entries at the address of a piece with nothing in common, and how many show that ids are made anew.
    let mut astray: Vec<(usize, usize)> = Vec::new();
    let (mut kept, mut reused, mut renewed) = (0_usize, 0_usize, 0_usize);
    for (at, (entry, key)) in entries.iter().zip(keys).enumerate().filter(|(at, _)| !again[*at]) {
        let by_key = shelf.by_key(key);
        if is_named_by_platform(entry, key) {
            pairs.extend(by_key.map(|place| (BY_PLATFORM, at, place)));
            continue;
        }
        let address = shelf.address(entry);
        let address = address.as_deref();
        if let Some(place) = by_key.filter(|place| address.is_some() && shelf.own_address(*place) == address)
            && !(is_address_key(key) && shelf.likeness(place, entry).is_apart())
        {
            kept += 1;
            pairs.push((BY_BOTH, at, place));
        }
        let mut best = 0;
        for place in shelf.at(address).filter(|place| Some(*place) != by_key) {
            let like = shelf.likeness(place, entry);
            best = best.max(like.score());
            if like.is_apart() {
                astray.push((at, place));
            } else {
                pairs.push((2 * like.score() + 1, at, place));
            }
        }
        renewed += usize::from(best > 0 && by_key.is_none());
        for place in shelf.formerly_at(address).filter(|place| Some(*place) != by_key) {
            let like = shelf.likeness(place, entry);
            if like.score() > 0 && !like.is_weak() {
                pairs.push((2 * like.score(), at, place));
            }
        }
        let Some(place) = by_key.filter(|place| address.is_none() || shelf.own_address(*place) != address) else { continue };
        let like = shelf.likeness(place, entry);
        if best > like.score() {
            reused += 1;
        }
        match like.score() {
            0 => unlike.push((at, place)),
            _ if like.is_weak() => weak.push((at, place)),
            score => {
                kept += usize::from(score > best);
                pairs.push((2 * score, at, place));
            }
        }
    }
    if renewed > astray.len() {
        pairs.extend(astray.into_iter().map(|(at, place)| (1, at, place)));
    }
    // Where ids are given again, a date or a text alone is not enough.
    if reused == 0 {
        kept += weak.len();
        pairs.extend(weak.into_iter().map(|(at, place)| (2, at, place)));
        let keeps = kept > unlike.len();
        pairs.extend(unlike.into_iter().filter(|(at, _)| keeps || is_unique(&keys[*at])).map(|(at, place)| (0, at, place)));
    }
    pairs.sort_unstable_by(|one, other| other.0.cmp(&one.0).then_with(|| (one.1, one.2).cmp(&(other.1, other.2))));
    pairs
}

/// The known pieces, found by what may name them.
struct Shelf<'a> {
    pieces: &'a [Piece<'a>],
    keys: HashMap<&'a EntryKey, usize>,
    addresses: BTreeMap<&'a str, Vec<usize>>,
    former: BTreeMap<&'a str, Vec<usize>>,
    /// Addresses that several pieces had at once.
    shared: BTreeSet<&'a str>,
}

impl<'a> Shelf<'a> {
    fn of(pieces: &'a [Piece<'a>]) -> Self {
        let mut shelf = Self {
            pieces,
            keys: HashMap::with_capacity(pieces.len()),
            addresses: BTreeMap::new(),
            former: BTreeMap::new(),
            shared: BTreeSet::new(),
        };
        for (place, piece) in pieces.iter().enumerate() {
            shelf.keys.entry(piece.key).or_insert(place);
            if piece.shared {
                shelf.shared.extend(piece.address);
            }
            // What a platform names is found by that name alone.
            if !is_platform_key(piece.key) {
                if let Some(address) = piece.address {
                    shelf.addresses.entry(address).or_default().push(place);
                }
                for address in piece.former {
                    shelf.former.entry(address).or_default().push(place);
                }
            }
        }
        for places in shelf.addresses.values_mut().chain(shelf.former.values_mut()) {
            places.sort_unstable_by_key(|place| pieces[*place].id);
        }
        shelf
    }

    fn by_key(&self, key: &EntryKey) -> Option<usize> {
        self.keys.get(key).copied()
    }

    /// The address that may name an entry: none where it stands, or stood, on several.
    fn address(&self, entry: &Entry) -> Option<String> {
        let address = identity::address_of(entry).filter(|_| !entry.link_shared)?;
        (!self.shared.contains(address.as_str())).then_some(address)
    }

    fn own_address(&self, place: usize) -> Option<&'a str> {
        self.pieces[place].address
    }

    fn at(&self, address: Option<&str>) -> impl Iterator<Item = usize> + '_ {
        address.and_then(|address| self.addresses.get(address)).into_iter().flatten().copied()
    }

    fn formerly_at(&self, address: Option<&str>) -> impl Iterator<Item = usize> + '_ {
        address.and_then(|address| self.former.get(address)).into_iter().flatten().copied()
    }

    fn likeness(&self, place: usize, entry: &Entry) -> Likeness {
        self.pieces[place].told.map(|told| Likeness::of(told, entry)).unwrap_or_default()
    }
}

/// What two tellings have in common.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "six answers that do not exclude one another")]
struct Likeness {
    title: bool,
    date: bool,
    text: bool,
    /// Both have a title, and these have other numbers or less than half of their words in common.
    other_title: bool,
    /// Both have a date, and these are more than an hour apart.
    other_date: bool,
    /// Both have a text, and these have next to nothing in common.
    other_text: bool,
}

impl Likeness {
    fn of(one: &Entry, other: &Entry) -> Self {
        let title = |entry: &Entry| entry.title.as_deref().map(fold).filter(|title| !title.is_empty());
        let (same, parts) = match (words(one), words(other)) {
            (Some(one), Some(other)) => {
                let common = one.intersection(&other).count();
                let all = one.len() + other.len() - common;
                (common * 5 >= all * 4, common * 5 < all)
            }
            _ => (false, false),
        };
        let titles = title(one).zip(title(other));
        let dates = published(one).zip(published(other));
        Self {
            title: titles.as_ref().is_some_and(|(one, other)| one == other),
            date: dates.is_some_and(|(one, other)| one == other),
            text: same,
            other_title: titles.is_some_and(|(one, other)| are_apart(&one, &other)),
            other_date: dates.is_some_and(|(one, other)| one.duration_since(other).abs() > SignedDuration::from_hours(1)),
            other_text: parts,
        }
    }

    /// Whether nothing is the same, and at least two things are known to be different.
    fn is_apart(self) -> bool {
        let different = [self.other_title, self.other_date, self.other_text].into_iter().filter(|is| *is).count();
        self.score() == 0 && different >= 2
    }

    /// From nothing, 0, to everything, 3. A date alone counts for nothing beside another text.
    fn score(self) -> u32 {
        if self.other_text && !self.title { 0 } else { u32::from(self.title) + u32::from(self.date) + u32::from(self.text) }
    }

    /// Many pieces come out on one day, and some sites repeat their words in all of them.
    fn is_weak(self) -> bool {
        !(self.title || self.date && self.text)
    }
}

/// Whether two folded titles speak of different things.
fn are_apart(one: &str, other: &str) -> bool {
    fn words(title: &str) -> BTreeSet<&str> {
        title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
    }
    let is_number = |word: &&&str| word.chars().any(char::is_numeric);
    let (one, other) = (words(one), words(other));
    let common = one.intersection(&other).count();
    let all = one.len() + other.len() - common;
    common * 2 < all || !one.iter().filter(is_number).eq(other.iter().filter(is_number))
}

/// The words of a text that is long enough to be told from others.
fn words(entry: &Entry) -> Option<BTreeSet<String>> {
    const ENOUGH: usize = 12;
    const MOST: usize = 400;
    let text = entry.content.as_ref().map(|content| content.text.as_str()).filter(|text| !text.is_empty()).or(entry.summary.as_deref())?;
    let words: BTreeSet<String> = fold(text).split_whitespace().take(MOST).map(str::to_owned).collect();
    (words.len() >= ENOUGH).then_some(words)
}

/// Whether the key is the platform's own. A show's is made of the ids of its feed, and no better than they are.
fn is_named_by_platform(entry: &Entry, key: &EntryKey) -> bool {
    entry.platform_key.as_deref().is_some_and(|platform| !platform.starts_with("podcast:")) && is_platform_key(key)
}

fn is_platform_key(key: &EntryKey) -> bool {
    !["id:", "url:", "hash:", "podcast:", "sha256:"].iter().any(|begin| key.0.starts_with(begin))
}

/// Whether an entry is known by its address, since its feed gives it no id.
fn is_address_key(key: &EntryKey) -> bool {
    key.0.starts_with("url:")
}

/// Whether an id is of a kind that is made once: a tag URI (RFC 4151), a URN, a UUID (RFC 9562), the number of a post in a
/// WordPress database.
fn is_unique(key: &EntryKey) -> bool {
    let Some(id) = key.0.strip_prefix("id:") else { return false };
    let is_post = id
        .split_once("?p=")
        .or_else(|| id.split_once("&p="))
        .is_some_and(|(_, number)| number.len() > 1 && number.bytes().all(|b| b.is_ascii_digit()));
    let is_uuid = |part: &str| {
        let groups: Vec<&str> = part.split('-').collect();
        let hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
        groups.len() == 5 && groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(hex)
    };
    id.starts_with("tag:") || id.starts_with("urn:") || is_post || id.split(['/', ':', '=', '#']).any(is_uuid)
}
