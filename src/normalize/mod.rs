//! Makes activities of entries: one address, one kind, dates with their trust, a plain title, language and credits.
//!
//! In: entries as their sources tell them, with when they were seen and who claims the sources. Out: entry keys,
//! identity keys, fingerprints, and one [`Activity`] of all sightings of one piece. Pure: the answer depends on the set
//! of sightings alone, never on their order. Knows nothing of works, of the store or of the clock.

mod credit;
mod date;
mod filter;
mod identity;
mod kind;
mod language;
mod recognize;
mod substance;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{Activity, ActivityId, Arrival, CanonicalUrl, Entry, EntryKey, Owner, Sighting, SourceId, SourceKind};
use crate::text::{self, collapse, fold};

pub use credit::People;
pub use date::{first_published, published};
pub use identity::{address_of, entry_keys, fingerprint, identity_keys, ids_not_unique, may_be_kept, successors};
pub use recognize::{Found, Piece, in_doubt, recognize};

/// A builder's claim to a source, with the names by which entries may call the builder.
#[derive(Debug, Clone)]
pub struct OwnerFacts {
    pub owner: Owner,
    pub name: String,
    /// Names that the builder had before.
    pub former_names: Vec<String>,
    /// Network to handle.
    pub handles: BTreeMap<String, String>,
}

/// One sighting of a piece: what one source tells of it, and since when.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    pub source: SourceId,
    pub kind: SourceKind,
    /// What names the source's place: tells on dev.to whether the author is the account itself.
    pub locator: &'a str,
    /// The platform's id of the account behind the source, once it was told.
    pub account: Option<&'a str>,
    pub owners: &'a [OwnerFacts],
    pub key: &'a EntryKey,
    /// As [`identity_keys`] gives them: first those of the first telling, whose first one is fixed for ever.
    pub identity_keys: &'a [String],
    pub first_seen_at: Timestamp,
    /// The newest telling.
    pub entry: &'a Entry,
    /// As [`first_published`] reads it from the first telling and the newest one.
    pub first_published: Option<Timestamp>,
    /// When what was first told as upcoming was first told to be out; `None` where it never was upcoming.
    pub aired_at: Option<Timestamp>,
    pub revised_at: Option<Timestamp>,
    pub left_at: Option<Timestamp>,
    pub arrival: Arrival,
}

/// The most characters of a title made from the text.
const MAX_TITLE: usize = 80;
/// The most characters of a summary.
const MAX_SUMMARY: usize = 600;
/// The most characters of a summary that is the beginning of the body.
const MAX_BEGINNING: usize = 280;
/// The most characters of the excerpt.
const MAX_EXCERPT: usize = 600;
const MAX_LINKS: usize = 20;
const MAX_TAGS: usize = 30;

/// The activity that all these sightings are of; `people` are the members whom an entry may name.
///
/// # Panics
/// If there is no sighting: an activity is never made of nothing.
pub fn activity(seen: &[Seen<'_>], people: &People) -> Activity {
    let mut seen: Vec<&Seen<'_>> = seen.iter().collect();
    seen.sort_by_cached_key(|seen| speaks_before(seen));
    // What was entered by hand and taken back says nothing any more where anything else speaks: neither dates nor credits.
    let (id, told) = (ActivityId::of_key(&identity(&seen)), sightings(&seen));
    if seen.iter().any(|seen| !is_withdrawn(seen)) {
        seen.retain(|seen| !is_withdrawn(seen));
    }
    let lead = *seen.first().expect("an activity has at least one sighting");
    let first_seen_at = seen.iter().map(|seen| seen.first_seen_at).min().unwrap_or(lead.first_seen_at);
    let dated = date::date(&seen, first_seen_at);
    let url = first(&seen, kind::address);
    let canonical_url = first(&seen, |entry| canonical_elsewhere(entry, url.as_ref()));
    let body = first(&seen, |entry| entry.content.as_ref().map(|content| content.text.trim()).filter(|text| !text.is_empty()));
    let own_summary = first(&seen, |entry| entry.summary.as_deref().map(str::trim).filter(|text| !text.is_empty()));
    let summary = own_summary.map(|text| shorten(text, MAX_SUMMARY)).or_else(|| body.map(|text| shorten(&sentences(text), MAX_BEGINNING)));
    let title = first(&seen, |entry| entry.title.as_deref().map(collapse).filter(|title| !title.is_empty()))
        .or_else(|| own_summary.or(body).map(|text| cut(&collapse(text), MAX_TITLE)).filter(|title| !title.is_empty()))
        .or_else(|| url.as_ref().map(ToString::to_string))
        .unwrap_or_else(|| "untitled".to_owned());
    let excerpt = cut(&collapse(body.unwrap_or_default()), MAX_EXCERPT);
    let stated = first(&seen, |entry| entry.language.as_deref().and_then(language::tag));
    let links = substance::links(&seen);
    let kind = kind::kind(&seen);
    let (credits, filtered) = credit::credits(&seen, people);
    let substance = substance::substance(&seen, kind, &links, own_summary, canonical_url.is_none() && url.is_some());
    Activity {
        id,
        kind,
        language: language::language(stated, &[&title, summary.as_deref().unwrap_or_default(), &excerpt]),
        tags: tags(&seen),
        published_at: dated.published_at,
        published_trust: dated.trust,
        effective_at: dated.effective_at,
        first_seen_at,
        revised_at: seen.iter().filter_map(|seen| seen.revised_at).max(),
        held_until: date::held_until(&seen, lead, first_seen_at),
        backfill: seen.iter().all(|seen| date::is_backfill(seen)),
        paywalled: seen.iter().any(|seen| seen.entry.paywalled),
        unproven: seen.iter().all(|seen| seen.entry.unproven),
        left: seen.iter().all(|seen| seen.left_at.is_some()),
        self_reported: seen.iter().all(|seen| seen.kind == SourceKind::Manual),
        substance,
        links: links.into_iter().take(MAX_LINKS).collect(),
        credits,
        filtered,
        sightings: told,
        url: url.map(|url| url.to_string()),
        canonical_url: canonical_url.map(|url| url.to_string()),
        title,
        summary,
        excerpt,
    }
}

/// Whose words go before whose: what is still shown, then a platform's own interface before a feed and both before what
/// was entered by hand, then the feed of the site where the piece lives before those that show it too, then the earliest
/// publication. Which of the sources happened to be asked first decides only between equals.
fn speaks_before<'a>(seen: &Seen<'a>) -> (bool, u8, bool, Timestamp, Timestamp, SourceId, &'a EntryKey) {
    let rank = match seen.kind {
        SourceKind::Manual => 2,
        SourceKind::Rss => 1,
        _ => 0,
    };
    let host = |address: &str| CanonicalUrl::parse(address).ok().map(|url| url.host());
    let is_guest = seen.kind == SourceKind::Rss
        && seen.entry.link.as_deref().and_then(host).is_none_or(|piece| host(seen.locator).is_none_or(|feed| feed != piece));
    let published = date::usable(seen).unwrap_or(Timestamp::MAX);
    (seen.left_at.is_some(), rank, is_guest, published, seen.first_seen_at, seen.source, seen.key)
}

/// Whether a sighting was entered by hand and taken back.
fn is_withdrawn(seen: &Seen<'_>) -> bool {
    seen.kind == SourceKind::Manual && seen.left_at.is_some()
}

/// What the first sighting that has it says.
fn first<'a, T>(seen: &[&Seen<'a>], read: impl Fn(&'a Entry) -> Option<T>) -> Option<T> {
    seen.iter().find_map(|seen| read(seen.entry))
}

/// The identity key under which the activity was first known.
fn identity(seen: &[&Seen<'_>]) -> String {
    let earliest = seen.iter().min_by_key(|seen| (seen.first_seen_at, seen.source, seen.key));
    let key = earliest.and_then(|seen| seen.identity_keys.first().cloned());
    key.or_else(|| earliest.map(|seen| identity::local_key(seen.source, seen.key))).unwrap_or_default()
}

/// The address that an entry calls canonical, if it is another page than its own.
fn canonical_elsewhere(entry: &Entry, own: Option<&CanonicalUrl>) -> Option<CanonicalUrl> {
    let canonical = CanonicalUrl::parse(entry.canonical_url.as_deref()?).ok()?;
    own.is_none_or(|own| own.key() != canonical.key()).then_some(canonical)
}

fn tags(seen: &[&Seen<'_>]) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut tags = Vec::new();
    for tag in seen.iter().flat_map(|seen| &seen.entry.categories) {
        let tag = collapse(tag);
        if !tag.is_empty() && tag.chars().count() <= 80 && tags.len() < MAX_TAGS && told.insert(fold(&tag)) {
            tags.push(tag);
        }
    }
    tags
}

fn sightings(seen: &[&Seen<'_>]) -> Vec<Sighting> {
    let mut sightings: Vec<Sighting> = seen
        .iter()
        .map(|seen| Sighting { source: seen.source, key: seen.key.clone(), first_seen_at: seen.first_seen_at, left_at: seen.left_at })
        .collect();
    sightings.sort();
    sightings
}

/// The lines of a body as running text: headings left out where more follows, list items ended like sentences.
fn sentences(body: &str) -> String {
    /// A line shorter than this, in bytes, that ends no sentence is a heading.
    const HEADING: usize = 24;
    let lines = body.lines().map(str::trim).filter(|line| !line.is_empty()).take(40);
    let mut text = String::new();
    let mut headings = String::new();
    for line in lines {
        let ends_open = line.ends_with(|c: char| c.is_alphanumeric());
        let part = if ends_open && line.len() < HEADING { &mut headings } else { &mut text };
        part.push_str(line);
        part.push_str(if ends_open && line.ends_with(|c: char| c.is_ascii()) { ". " } else { " " });
    }
    if text.is_empty() { headings } else { text }
}

/// One line, at most so long, with an ellipsis where it was cut.
fn shorten(text: &str, most: usize) -> String {
    text::cut(&collapse(text), most).into_owned()
}

/// At most so many characters, cut between words where there are words, never within a grapheme cluster: no ellipsis, for
/// titles that end in one look unfinished, and texts are compared without.
fn cut(text: &str, most: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation as _;
    if text.len() <= most || text.chars().count() <= most {
        return text.to_owned();
    }
    let mut end = 0;
    let mut chars = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        chars += grapheme.chars().count();
        if chars > most {
            break;
        }
        end = start + grapheme.len();
    }
    let whole = &text[..end];
    let at_word = if text[end..].starts_with(char::is_whitespace) {
        whole
    } else {
        whole.rsplit_once(char::is_whitespace).map_or(whole, |(words, _)| words)
    };
    // Scripts without blanks have no last word to give up.
    let kept = if at_word.chars().count() * 2 < most { whole } else { at_word };
    kept.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
