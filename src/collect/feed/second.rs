//! A second opinion: what feed-rs makes of a document that our own reader finds unreadable, before it is refused.
//!
//! In: the text of the document. Out: a reading that says by whom it was read, or nothing. feed-rs makes up ids where a
//! document has none and has its own rules of dates; neither is taken: ids are those of the document, dates are read by
//! `date`.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use feed_rs::model;
use jiff::Timestamp;

use super::item::{Base, Limits, inherit_authors, language};
use super::{ENTRIES_MAX, date, named};
use crate::model::{Author, Entry, Media, Reading};
use crate::text;

/// Larger documents are not looked at twice.
const TEXT_MAX: usize = 4 * 1024 * 1024;
/// More markup than this inside other markup is no feed's.
const DEPTH_MAX: usize = 256;
/// The most values of one kind in one entry.
const LIST_MAX: usize = 100;

/// The texts that dates were read from, and whether their zone was assumed.
type Dates = Arc<Mutex<HashMap<Timestamp, (String, bool)>>>;

/// Reads what our own reader could not. `None` where the second reader finds nothing to read either, or breaks.
pub(super) fn read(text: &str, address: Option<&str>) -> Option<Reading> {
    if text.len() > TEXT_MAX || is_too_deep(text) {
        return None;
    }
    // The text is decoded already, whatever encoding its declaration names.
    let text = text.strip_prefix("<?xml").and_then(|rest| Some(rest.split_once("?>")?.1)).unwrap_or(text);
    // A declaration that comes late makes it panic; the others it would take at their word.
    if text.match_indices("<?xml").any(|(at, found)| !text[at + found.len()..].starts_with('-')) {
        return None;
    }
    let dates = Dates::default();
    let feed = std::panic::catch_unwind(AssertUnwindSafe(|| parse(text, &dates))).ok().flatten()?;
    Some(reading(feed, address, &dates)).filter(|reading| !reading.entries.is_empty())
}

fn parse(text: &str, dates: &Dates) -> Option<model::Feed> {
    let heard = Arc::clone(dates);
    let parser = feed_rs::parser::Builder::new()
        .id_generator(|_, _, _| String::new())
        .sanitize_content(false)
        .timestamp_parser(move |raw| {
            let stamp = date::read(raw)?;
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.entry(stamp.at).or_insert_with(|| (text::cut(&text::collapse(raw), 100).into_owned(), stamp.zone_assumed));
            Some(SystemTime::from(stamp.at).into())
        })
        .build();
    parser.parse(text.as_bytes()).ok()
}

/// Whether elements stand in each other deeper than a feed's ever do. Counts roughly: what is never closed counts too.
fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    super::xml::Scanner::of(text).any(|token| {
        match token {
            super::xml::Token::Start(tag) if !tag.empty => depth += 1,
            super::xml::Token::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_MAX
    })
}

fn reading(feed: model::Feed, address: Option<&str>, dates: &Dates) -> Reading {
    let site = feed.links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate")).map(|link| link.href.as_str());
    let base = Base::of(address.or(site));
    let limits = Limits::default();
    let tongue = feed.language.as_deref().and_then(language);
    let mut entries: Vec<Entry> = feed
        .entries
        .into_iter()
        .take(ENTRIES_MAX)
        .map(|item| entry(item, &base, &limits, tongue.as_deref(), dates))
        .filter(|entry| entry.title.is_some() || entry.link.is_some() || entry.content.is_some() || entry.summary.is_some())
        .collect();
    inherit_authors(authors(feed.authors), &mut entries);
    Reading { title: feed.title.as_ref().and_then(line), entries, repairs: vec![named("read by a second reader")], ..Reading::default() }
}

fn entry(item: model::Entry, base: &Base, limits: &Limits, tongue: Option<&str>, dates: &Dates) -> Entry {
    let mut entry = Entry {
        id: Some(text::collapse(&item.id)).filter(|id| !id.is_empty() && id.len() <= 2_048),
        title: item.title.as_ref().and_then(line),
        language: item.language.as_deref().and_then(language).or_else(|| tongue.map(str::to_owned)),
        authors: authors(item.authors),
        updated: item.updated.and_then(|at| Timestamp::try_from(SystemTime::from(at)).ok()),
        published: item.published.and_then(|at| Timestamp::try_from(SystemTime::from(at)).ok()),
        ..Entry::default()
    };
    if let Some(published) = entry.published
        && let Some((raw, assumed)) = dates.lock().unwrap_or_else(PoisonError::into_inner).get(&published)
    {
        (entry.published_raw, entry.zone_assumed) = (Some(raw.clone()), *assumed);
    }
    let is_page = |link: &&model::Link| link.rel.as_deref().is_none_or(|rel| rel == "alternate");
    entry.link = item.links.iter().find(is_page).and_then(|link| base.absolute(&link.href, limits));
    let terms = item.categories.iter().map(|category| text::collapse(&category.term));
    entry.categories = terms.filter(|term| !term.is_empty()).take(LIST_MAX).collect();
    let attached = item.links.iter().filter(|link| link.rel.as_deref() == Some("enclosure")).map(|link| (link.href.clone(), None));
    let shown = item.media.iter().flat_map(|media| &media.content);
    let shown =
        shown.filter_map(|content| Some((content.url.as_ref()?.to_string(), content.content_type.as_ref().map(ToString::to_string))));
    let media = attached.chain(shown).filter_map(|(url, mime)| Some(Media { url: base.absolute(&url, limits)?, mime, ..Media::default() }));
    entry.media = media.take(LIST_MAX).collect();
    let body = item.content.and_then(|content| content.body).map(|body| text::html_to_content(&body, base.for_content(limits)));
    entry.content = body.filter(|content| !content.text.is_empty()).inspect(|content| limits.spend(content));
    entry.summary = item.summary.map(|summary| text::html_to_text(&summary.content, 2_000)).filter(|summary| !summary.is_empty());
    entry
}

fn line(line: &model::Text) -> Option<String> {
    let line = text::plain(&line.content);
    (!line.is_empty()).then(|| text::cut(&line, 1_000).into_owned())
}

fn authors(people: Vec<model::Person>) -> Vec<Author> {
    let named = people.into_iter().filter_map(|person| {
        let name = text::collapse(&person.name.or(person.email)?);
        (!name.is_empty()).then(|| Author { name: text::cut(&name, 300).into_owned(), url: person.uri, id: None })
    });
    named.take(LIST_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_entries_are_told_by_our_own_rules() {
        let text = r#"<?xml version="1.0" encoding="iso-8859-1"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="sw">
            <title>Tanuru</title><link href="https://kiln.example.org/"/><author><name>Ada Loam</name></author>
            <entry><title>Ash &amp; salt é</title><id> tag:kiln,2026:1 </id><link href="https://kiln.example.org/ash"/>
            <published>2026-11-25 09:30</published><category term="ash"/><content type="html">&lt;p&gt;Two &lt;b&gt;words&lt;/b&gt;</content></entry>
            <entry><title>No name of its own</title><published>last week</published></entry></feed>"#;
        let reading = read(text, None).unwrap();
        assert_eq!((reading.title.as_deref(), reading.repairs.as_slice()), (Some("Tanuru"), &[named("read by a second reader")][..]));
        let [first, second] = reading.entries.as_slice() else { panic!("{reading:?}") };
        assert_eq!((first.id.as_deref(), first.title.as_deref()), (Some("tag:kiln,2026:1"), Some("Ash & salt é")));
        assert_eq!(first.link.as_deref(), Some("https://kiln.example.org/ash"));
        assert_eq!(first.published, Some("2026-11-25T09:30:00Z".parse().unwrap()));
        assert_eq!((first.published_raw.as_deref(), first.zone_assumed), (Some("2026-11-25 09:30"), true));
        assert_eq!((first.authors[0].name.as_str(), first.categories.as_slice()), ("Ada Loam", &["ash".to_owned()][..]));
        assert_eq!(first.content.as_ref().unwrap().text, "Two words");
        assert_eq!((second.id.as_deref(), second.published), (None, None), "neither an id nor a date is made up");
    }

    #[test]
    fn what_holds_nothing_to_tell_stays_refused() {
        for text in
            ["<opml version=\"2.0\"><body/></opml>", "<feed/>", "<feed><entry/></feed>", "hello", "{\"items\":3}", "<rss version=\"2.0\">"]
        {
            assert!(read(text, None).is_none(), "{text}");
        }
        for deep in ["<feed>".repeat(100_000), format!("<rss version=\"2.0\"><channel>{}", "<item>".repeat(100_000)), "[".repeat(100_000)] {
            assert!(read(&deep, None).is_none());
        }
        let late = format!("<rss version=\"2.0\">{}<?xml version=\"1.0\" encoding=\"koi8-r\"?><channel/></rss>", " ".repeat(10_000));
        assert!(read(&late, None).is_none());
    }
}
