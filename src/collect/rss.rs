//! Plain feeds: RSS, Atom and JSON Feed at one address.
//!
//! In: the address and the document. Out: its entries, with those marked that share their link with others. Reading
//! the bytes is `feed`'s trade.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Collector, ask_for, feed, for_source, page_at};
use crate::model::{Ask, CanonicalUrl, Document, Entry, ReadError, Reading, Request, Source, SourceState};

/// Pages of older entries that one poll looks at, the first included.
const MAX_PAGES: u32 = 4;

pub(super) struct Rss;

impl Collector for Rss {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        plan(sources)
    }

    fn count(&self, source: &Arc<Source>, _entry: &Entry) -> Option<Request> {
        Some(Request::get(&source.locator))
    }

    fn older(&self, ask: &Ask, document: &Document, _: &[Reading]) -> Option<Request> {
        let older = feed::older_page(document, ask.page)?;
        page_at(ask, document, &older)
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let mut reading = feed::read_feed(document)?;
        mark_shared_links(&mut reading.entries);
        few_pages(ask, &mut reading);
        Ok(for_source(ask, reading))
    }

    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        wants_older(request, told, known)
    }
}

/// One question for each source that is known by its address, where it was followed to.
pub(super) fn plan(sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
    let ask = |(source, state): &(Arc<Source>, SourceState)| {
        let url = state.final_url.as_deref().unwrap_or(&source.locator);
        ask_for(source, state, Request::get(url))
    };
    sources.iter().map(ask).collect()
}

/// Leaves out the page after the last that one poll looks at.
pub(super) fn few_pages(ask: &Ask, reading: &mut Reading) {
    if ask.page >= MAX_PAGES {
        reading.next.clear();
    }
}

/// Whether a page of older entries is worth asking: a feed that was read before tells nothing but new entries, so there may
/// be more that was missed. What a feed held before its first reading is left to whoever asks for its past.
pub(super) fn wants_older(_request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
    if known.is_empty() {
        return false;
    }
    let is_known = |entry: &Entry| {
        let id = entry.id.as_deref().map(|id| id.strip_prefix("https://").or_else(|| id.strip_prefix("http://")).unwrap_or(id));
        entry.platform_key.as_ref().is_some_and(|key| known.contains(key)) || id.is_none_or(|id| known.contains(&format!("id:{id}")))
    };
    let mut told = told.peekable();
    told.peek().is_some() && !told.any(is_known)
}

/// Marks entries whose link stands on several different entries: a show's page, a home page, a change log.
pub(super) fn mark_shared_links(entries: &mut [Entry]) {
    let keys: Vec<Option<String>> = entries.iter().map(link_key).collect();
    let mut told: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut shared: Vec<&str> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let Some(key) = key.as_deref() else { continue };
        let told = told.entry(key).or_default();
        let is_new = told.iter().all(|other| alike(&entries[*other], &entries[index]) < 3);
        // An item and its correction may stand side by side; three tellings that are all different are no corrections.
        if told.first().is_some_and(|first| !same_item(&entries[*first], &entries[index])) || (is_new && told.len() == 2) {
            shared.push(key);
        } else if is_new {
            told.push(index);
        }
    }
    shared.sort_unstable();
    let marks: Vec<bool> = keys.iter().map(|key| key.as_deref().is_some_and(|key| shared.binary_search(&key).is_ok())).collect();
    for (entry, mark) in entries.iter_mut().zip(marks) {
        entry.link_shared = mark;
    }
}

fn link_key(entry: &Entry) -> Option<String> {
    CanonicalUrl::parse(entry.link.as_deref()?).ok().map(|url| url.key())
}

/// In how many of title, date and text two entries are alike.
fn alike(one: &Entry, other: &Entry) -> usize {
    let alike = [one.title == other.title, one.published == other.published, one.content == other.content];
    alike.into_iter().filter(|alike| *alike).count()
}

/// The same item told twice: one id and not much that differs, or neither with an id and all of the rest alike.
fn same_item(one: &Entry, other: &Entry) -> bool {
    match (&one.id, &other.id) {
        (Some(one_id), Some(other_id)) if one_id == other_id => alike(one, other) >= 2,
        (None, None) => one.title == other.title && one.published == other.published,
        _ => one.title == other.title && one.published == other.published && one.content == other.content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, link: &str, title: &str) -> Entry {
        Entry { id: Some(id.into()), link: Some(link.into()), title: Some(title.into()), ..Entry::default() }
    }

    #[test]
    fn a_link_that_several_entries_have_names_none_of_them() {
        let mut entries = [
            entry("1", "https://show.example.org/", "One"),
            entry("2", "https://show.example.org", "Two"),
            entry("3", "https://show.example.org/3", "Three"),
            entry("4", "https://show.example.org/twin", "Twin"),
            entry("5", "https://show.example.org/twin", "Twin"),
        ];
        mark_shared_links(&mut entries);
        let marks: Vec<bool> = entries.iter().map(|entry| entry.link_shared).collect();
        assert_eq!(marks, [true, true, false, false, false], "twins that differ in nothing but their id are one piece at one address");
    }
}
