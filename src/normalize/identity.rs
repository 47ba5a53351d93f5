//! What names an entry within its source, and a piece across sources; and what counts as a change of an entry.
//!
//! Rules: RECORD.md section 2. Parts of an id or address that are known to be accidental count for nothing: the scheme,
//! an id that is the home page or stands on several entries, and the query of a link where the feed gives no ids.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::fold;
use crate::model::{ActivityKind, CanonicalUrl, Entry, EntryKey, Source, SourceId, SourceKind, hex, sha256_hex};

/// Keys longer than this are hashed.
const MAX_KEY: usize = 300;

/// The keys of all entries of one document, in its order.
pub fn entry_keys(_source: &Source, entries: &[Entry]) -> Vec<EntryKey> {
    let shared = shared_ids(entries);
    let repeated = repeated_titles(entries);
    entries
        .iter()
        .map(|entry| {
            let id_shared = entry.id.as_deref().is_some_and(|id| shared.contains(bare_id(id)));
            let has_title = entry.title.as_deref().is_some_and(|title| !repeated.contains(title));
            entry_key(entry, id_shared, has_title)
        })
        .collect()
}

/// Whether one id stands on several different entries of the document: then it names none of them.
pub fn ids_not_unique(entries: &[Entry]) -> bool {
    !shared_ids(entries).is_empty()
}

/// The keys that may say that two entries are one piece, the one that names it for ever first: the platform's key, the
/// canonical address, else the source with the entry's key.
pub fn identity_keys(source: SourceId, key: &EntryKey, entry: &Entry) -> Vec<String> {
    let mut keys: Vec<String> = entry.platform_key.iter().cloned().collect();
    if let Some(address) = address_key(entry)
        && !keys.contains(&address)
    {
        keys.push(address);
    }
    if keys.is_empty() {
        keys.push(local_key(source, key));
    }
    keys
}

/// The identity key of what nothing but its source knows.
pub(super) fn local_key(source: SourceId, key: &EntryKey) -> String {
    format!("{source}:{key}")
}

/// SHA-256, in hex, of what counts as a change when it changes: not counts, not the spelling of addresses, not the hour
/// of a date (some feeds date anew on every request).
pub fn fingerprint(kind: SourceKind, entry: &Entry) -> String {
    let mut hash = Sha256::new();
    let mut put = |name: &str, value: &str| {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update((value.len() as u64).to_le_bytes());
        hash.update(value.as_bytes());
    };
    let spelled =
        |url: &Option<String>| url.as_deref().map(|url| CanonicalUrl::parse(url).map_or_else(|_| url.to_owned(), |url| url.key()));
    let link = spelled(&entry.link).map(|link| match link.split_once('?') {
        // Without ids such a link may carry a token of its own on every request.
        Some((path, _)) if entry.id.is_none() && entry.platform_key.is_none() => path.to_owned(),
        _ => link,
    });
    let mut put_known = |name: &str, value: Option<&str>| value.into_iter().for_each(|value| put(name, value));
    put_known("link", link.as_deref());
    put_known("canonical", spelled(&entry.canonical_url).as_deref());
    put_known("title", entry.title.as_deref());
    put_known("summary", entry.summary.as_deref());
    put_known("text", entry.content.as_ref().map(|content| content.text.as_str()));
    put_known("published", entry.published.map(day).as_deref());
    // YouTube moves it with every count.
    put_known("updated", entry.updated.filter(|_| !kind.is_youtube()).map(day).as_deref());
    put_known("language", entry.language.as_deref());
    put_known("kind", entry.kind.map(ActivityKind::as_str));
    put_known("duration", entry.duration_s.map(|duration| duration.to_string()).as_deref());
    put_known("upcoming", entry.upcoming.then_some("yes"));
    put_known("starts", entry.starts_at.map(|at| at.as_second().to_string()).as_deref());
    put_known("unproven", entry.unproven.then_some("yes"));
    put_known("paywalled", entry.paywalled.then_some("yes"));
    for author in &entry.authors {
        put("author", &author.name);
    }
    // The order in which a feed lists tags says nothing.
    for category in entry.categories.iter().collect::<BTreeSet<_>>() {
        put("category", category);
    }
    hex(&hash.finalize())
}

/// Entries that took the place of others: whoever corrects an address, and with it the id, has told nothing new; neither
/// has a site that moves with all its addresses and ids.
///
/// In: what a source stopped showing, and what it shows for the first time in the same document. Out: pairs of their
/// places. The dates must be the same instant, and the bodies the same text of at least 48 words or the titles the same.
/// Where three or more have kept title and text alone, a site was moved by something that dated all of it anew. Where
/// several fit, none is taken, so the order changes nothing.
pub fn successors(gone: &[&Entry], fresh: &[&Entry]) -> Vec<(usize, usize)> {
    const WORDS: u32 = 48;
    const MOVED: usize = 3;
    let text = |entry: &Entry| -> Option<String> {
        let content = entry.content.as_ref().filter(|content| content.words.saturating_add(content.cjk_chars) >= WORDS)?;
        Some(fold(&content.text))
    };
    let title = |entry: &Entry| entry.title.as_deref().map(fold).filter(|title| !title.is_empty());
    let mut pairs = pairs_of(gone, fresh, &[], |entry| Some((entry.published?.to_string(), text(entry)?)));
    pairs.extend(pairs_of(gone, fresh, &pairs, |entry| Some((entry.published?.to_string(), title(entry)?))));
    let moved = pairs_of(gone, fresh, &pairs, |entry| Some((title(entry)?, text(entry)?)));
    if moved.len() >= MOVED && moved.len() * 2 >= gone.len() {
        pairs.extend(moved);
    }
    pairs.sort_unstable();
    pairs
}

/// The pairs of one gone and one fresh entry, of those not taken yet, that alone have one and the same trait.
fn pairs_of(
    gone: &[&Entry],
    fresh: &[&Entry],
    taken: &[(usize, usize)],
    trait_of: impl Fn(&Entry) -> Option<(String, String)>,
) -> Vec<(usize, usize)> {
    let mut by_trait: BTreeMap<(String, String), (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    let of = |entry: &Entry| if entry.platform_key.is_none() { trait_of(entry) } else { None };
    for (place, entry) in gone.iter().enumerate().filter(|(place, _)| !taken.iter().any(|(gone, _)| gone == place)) {
        if let Some(found) = of(entry) {
            by_trait.entry(found).or_default().0.push(place);
        }
    }
    for (place, entry) in fresh.iter().enumerate().filter(|(place, _)| !taken.iter().any(|(_, fresh)| fresh == place)) {
        if let Some((_, fresh)) = of(entry).and_then(|found| by_trait.get_mut(&found)) {
            fresh.push(place);
        }
    }
    by_trait.into_values().filter(|(gone, fresh)| gone.len() == 1 && fresh.len() == 1).map(|(gone, fresh)| (gone[0], fresh[0])).collect()
}

/// The key of one entry: the platform's, else the feed's id, else the address, else title and date. `has_title`: its title is
/// that of no other entry of the document.
fn entry_key(entry: &Entry, id_shared: bool, has_title: bool) -> EntryKey {
    // A show may begin to name itself at any time: within its own feed an episode is known by its id alone.
    if let Some(key) = entry.platform_key.as_ref().filter(|key| !key.starts_with("podcast:") || entry.id.is_none() || id_shared) {
        return EntryKey(bounded(key.clone()));
    }
    if let Some(id) = entry.id.as_deref().map(str::trim).filter(|id| !id.is_empty() && !id_shared && !is_home_page(id, entry)) {
        return EntryKey(bounded(format!("id:{}", bare_id(id))));
    }
    let url = entry.link.as_deref().and_then(|link| CanonicalUrl::parse(link).ok()).filter(|_| !entry.link_shared);
    let Some(url) = url else { return EntryKey(format!("hash:{}", title_and_date(entry, ""))) };
    let key = url.key();
    match key.split_once('?') {
        // No id, and a query that may hold a token of the day: title and date decide, with the path.
        Some((path, _)) if entry.title.is_some() && entry.published.is_some() => EntryKey(format!("hash:{}", title_and_date(entry, path))),
        Some((path, _)) if has_title => EntryKey(format!("hash:{}", title_alone(entry, path))),
        _ => EntryKey(bounded(format!("url:{key}"))),
    }
}

/// The key of the entry's address, unless others of the document share it.
fn address_key(entry: &Entry) -> Option<String> {
    if entry.link_shared { None } else { address_of(entry) }
}

/// The key of the entry's address, be it its own or that of several.
pub fn address_of(entry: &Entry) -> Option<String> {
    super::kind::address(entry).map(|url| bounded(url.key()))
}

/// The keys by which an entry is known whose id is already another piece's: by its address, else by what it says.
pub(super) fn other_keys(entry: &Entry) -> Vec<EntryKey> {
    let address = address_key(entry);
    let url = address.iter().map(|address| bounded(format!("url:{address}")));
    let hash = format!("hash:{}", title_and_date(entry, address.as_deref().unwrap_or_default()));
    url.chain([hash]).map(EntryKey).collect()
}

/// Whether an entry may be known by a key though it reads otherwise: by an id that the feed gave it once, or by its address
/// or words where its id is another piece's.
pub fn may_be_kept(key: &EntryKey, entry: &Entry) -> bool {
    !key.0.starts_with("hash:") || other_keys(entry).contains(key)
}

/// Titles that stand on several entries.
fn repeated_titles(entries: &[Entry]) -> HashSet<&str> {
    let mut told = HashSet::new();
    entries.iter().filter_map(|entry| entry.title.as_deref()).filter(|title| !told.insert(*title)).collect()
}

/// Ids that stand on entries which are not the same item told twice.
fn shared_ids(entries: &[Entry]) -> BTreeSet<&str> {
    /// An item and its correction may stand side by side, three tellings that are all different are no corrections.
    const TOO_MANY: usize = 3;
    let mut told: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for entry in entries {
        let Some(id) = entry.id.as_deref().map(bare_id).filter(|id| !shared.contains(id)) else { continue };
        let told = told.entry(id).or_default();
        let is_new = told.iter().all(|other| differences(other, entry) > 0);
        // A correction changes one thing, another piece differs in two or more.
        if told.first().is_some_and(|first| differences(first, entry) >= 2) || (is_new && told.len() + 1 >= TOO_MANY) {
            shared.insert(id);
        } else if is_new {
            told.push(entry);
        }
    }
    shared
}

/// In how many of address, title, date and text two entries differ.
fn differences(one: &Entry, other: &Entry) -> usize {
    fn text(entry: &Entry) -> Option<&str> {
        entry.content.as_ref().map(|content| content.text.as_str()).or(entry.summary.as_deref())
    }
    let differs = [one.link != other.link, one.title != other.title, one.published != other.published, text(one) != text(other)];
    differs.into_iter().filter(|differs| *differs).count()
}

/// An id without the scheme: sites move from http to https.
fn bare_id(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix("https://").or_else(|| id.strip_prefix("http://")).unwrap_or(id)
}

/// Whether an id is nothing but a site's root although the entry lives elsewhere.
fn is_home_page(id: &str, entry: &Entry) -> bool {
    let Ok(url) = url::Url::parse(id) else { return false };
    matches!(url.scheme(), "http" | "https")
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && entry.link.as_deref().is_some_and(|link| bare_id(link).trim_end_matches('/') != bare_id(id).trim_end_matches('/'))
}

fn title_and_date(entry: &Entry, path: &str) -> String {
    let title = entry.title.as_deref().map(fold).unwrap_or_default();
    let title = if entry.published.is_some() { without_count(&title) } else { &title };
    // Without a title or date the text has to do.
    let text = match (&entry.title, entry.published) {
        (Some(_), Some(_)) => String::new(),
        _ => entry.summary.as_deref().or(entry.content.as_ref().map(|content| content.text.as_str())).map(fold).unwrap_or_default(),
    };
    let date = entry.published.map(|at| at.to_string()).unwrap_or_default();
    hash_of([path, title, &date, &text])
}

/// A folded title without the number of comments that some sites put behind it.
fn without_count(title: &str) -> &str {
    let title = title.trim_end();
    let Some((before, count)) = title.strip_suffix(')').and_then(|title| title.rsplit_once('(')) else { return title };
    let digits = count.trim_start().bytes().take_while(u8::is_ascii_digit).count();
    let words = &count.trim_start()[digits..];
    if digits > 0 && words.split_whitespace().count() <= 1 && !before.trim().is_empty() { before.trim_end() } else { title }
}

/// For entries without a date, whose text may tell anything.
fn title_alone(entry: &Entry, path: &str) -> String {
    hash_of([path, &entry.title.as_deref().map(fold).unwrap_or_default(), "", ""])
}

fn hash_of(parts: [&str; 4]) -> String {
    hex(&Sha256::digest(parts.join("\n").as_bytes())[..16])
}

fn bounded(key: String) -> String {
    if key.len() <= MAX_KEY { key } else { format!("sha256:{}", sha256_hex(key.as_bytes())) }
}

fn day(at: Timestamp) -> String {
    at.as_second().div_euclid(86_400).to_string()
}
