//! Reads RSS of any version, Atom, JSON Feed and their relatives, and all platforms that are plain feeds.
//!
//! In: a document of a feed, however broken. Out: its entries as it tells them, what had to be repaired, and how often it
//! wants to be asked. One reader serves good documents and bad ones alike, so that both are read by one set of rules; it
//! keeps every item that can be read. Before a document is refused, a second reader is asked. Odd dates stay odd: judging
//! is left to `normalize`.

mod channel;
mod date;
mod document;
mod item;
mod json;
mod second;
mod xml;

use self::document::{Dialect, Element, Space, Visitor, Walk};
pub(in crate::collect) use self::item::without_parameter;
use self::item::{Base, Limits};
use super::repair::{self, named};
use crate::model::{Document, Ending, Entry, FeedHints, ReadError, Reading, Repair};

/// The most entries that are kept of one document.
const ENTRIES_MAX: usize = 20_000;

/// Reads a feed of any dialect. Where a service that counts clicks put its own address on an item, the item's own one is its
/// link.
pub fn read_feed(document: &Document) -> Result<Reading, ReadError> {
    let mut reading = read_as_told(document)?;
    for entry in &mut reading.entries {
        if let Some(original) = entry.canonical_url.take() {
            entry.link = Some(original);
        }
    }
    Ok(reading)
}

/// Reads a feed of any dialect: links are those that stand in it as such.
pub(super) fn read_as_told(document: &Document) -> Result<Reading, ReadError> {
    let base = Some(document.final_url.as_str()).filter(|url| !url.is_empty());
    // No rule of this reader panics that we know of. If one does, one source is unreadable, and nothing else happens.
    std::panic::catch_unwind(|| read_bytes(&document.bytes, document.content_type.as_deref(), base)).unwrap_or(Err(ReadError::TooHard))
}

/// Where entries older than those of a document are: its previous archive or its next page (RFC 5005, sections 3 and 4;
/// `next_url` of JSON Feed), else the next page of a feed that WordPress made. `page` is the number of the document.
pub(super) fn older_page(document: &Document, page: u32) -> Option<String> {
    std::panic::catch_unwind(|| {
        let text = repair::decode(&document.bytes, document.content_type.as_deref(), &mut Vec::new());
        let text = text.trim_start_matches('\u{FEFF}').trim();
        let base = url::Url::parse(&document.final_url).ok()?;
        if text.starts_with('{') {
            return base.join(json::next_page(text)?.trim()).ok().map(String::from);
        }
        let (walk, _) = walk(text, Some(base.as_str()), false);
        let mut made_by_wordpress = false;
        let (mut archive, mut next) = (None, None);
        for element in &walk.feed {
            match element.name.as_str() {
                "link" => {
                    let rel = element.attribute(&walk.decoder, "rel");
                    let href = || element.attribute(&walk.decoder, "href").and_then(|href| base.join(&href).ok());
                    match rel.as_deref() {
                        Some("prev-archive") => archive = archive.or_else(href),
                        Some("next") => next = next.or_else(href),
                        _ => {}
                    }
                }
                "generator" => {
                    let told = item::value(&walk, element).unwrap_or_default();
                    let uri = element.attribute(&walk.decoder, "uri").unwrap_or_default();
                    made_by_wordpress = [&*told, &*uri].into_iter().any(|text| text.to_ascii_lowercase().contains("wordpress.org"));
                }
                _ => {}
            }
        }
        archive.or(next).map(String::from).or_else(|| made_by_wordpress.then(|| next_of_wordpress(base, page)))
    })
    .unwrap_or(None)
}

/// WordPress shows older entries of any feed at the same address with `paged`.
fn next_of_wordpress(mut url: url::Url, page: u32) -> String {
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| name != "paged").map(|(name, value)| (name.into(), value.into())).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("paged", &(page + 1).to_string());
    url.into()
}

fn read_bytes(bytes: &[u8], content_type: Option<&str>, base: Option<&str>) -> Result<Reading, ReadError> {
    let mut repairs = Vec::new();
    let text = repair::decode(bytes, content_type, &mut repairs);
    let whole = text.trim_start_matches('\u{FEFF}');
    let text = whole.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{FEFF}'));
    if text.is_empty() {
        return Err(ReadError::Empty);
    }
    if text.starts_with("<?xml") && !whole.starts_with("<?xml") {
        repairs.push(named("blanks before the XML declaration dropped"));
    }
    let first = if text.starts_with(['{', '[']) { json::read(text, base) } else { read_xml(text, base) };
    let mut reading = match first {
        // Before a document is refused, another reader is asked.
        Err(error @ (ReadError::NotAFeed(_) | ReadError::NoneReadable)) => second::read(text, base).ok_or(error)?,
        first => first?,
    };
    repairs.append(&mut reading.repairs);
    reading.repairs = repairs;
    Ok(reading)
}

fn read_xml(text: &str, address: Option<&str>) -> Result<Reading, ReadError> {
    let (mut walk, mut gather) = walk(text, address, false);
    if walk.found && gather.entries.is_empty() && mentions_items(text) {
        (walk, gather) = self::walk(text, address, true);
    }
    if !walk.found {
        return Err(if walk.html {
            ReadError::Html
        } else if let Some(name) = walk.first_name {
            ReadError::NotAFeed(format!("its outermost element is `{}`", crate::text::cut(&crate::text::collapse(name), 40)))
        } else {
            ReadError::NotAFeed("it holds no markup".to_owned())
        });
    }
    let Gather { mut entries, skipped, .. } = gather;
    if entries.is_empty() && mentions_items(text) {
        return Err(ReadError::NoneReadable);
    }
    let mut reading = Reading { skipped, ..Reading::default() };
    reading.title = walk.feed.iter().filter(|element| element.name.as_str() == "title").find_map(|element| item::title(&walk, element));
    reading.hints = hints(&walk);
    inherit(&walk, &mut entries);
    reading.entries = entries;
    channel::complete(&walk, address, &mut reading);
    reading.ending = match (walk.cut_item, walk.cut_short) {
        (true, _) => Ending::WithinEntry,
        (false, true) => Ending::Early,
        (false, false) => Ending::Whole,
    };
    reading.repairs = repairs(&walk, text);
    if skipped > 0 {
        reading.repairs.push(Repair(format!("{skipped} {} skipped", if skipped == 1 { "item" } else { "items" }).into()));
    }
    Ok(reading)
}

fn walk<'a, 'u>(text: &'a str, address: Option<&'u str>, items_anywhere: bool) -> (Walk<'a>, Gather<'u>) {
    let mut gather = Gather { address, base: None, limits: Limits::default(), entries: Vec::new(), skipped: 0 };
    (Walk::through(text, items_anywhere, &mut gather), gather)
}

/// Whether a text that gave no entries seems to hold some all the same.
fn mentions_items(text: &str) -> bool {
    let mut scanner = xml::Scanner::of(text);
    scanner.any(|token| {
        matches!(token, xml::Token::Start(tag) if matches!(tag.name, "item" | "entry") && tag.attributes.trim().is_empty() && !tag.empty)
    })
}

/// Turns items into entries as they come.
struct Gather<'u> {
    address: Option<&'u str>,
    /// Known once the first item has come: by then the feed's own links most often are.
    base: Option<Base>,
    limits: Limits,
    entries: Vec<Entry>,
    skipped: u32,
}

impl<'a> Visitor<'a> for Gather<'_> {
    fn item(&mut self, walk: &Walk<'a>, tag: &Element<'a>, elements: &[Element<'a>]) {
        if self.entries.len() >= ENTRIES_MAX {
            self.skipped += 1;
            return;
        }
        let address = self.address;
        let base = self.base.get_or_insert_with(|| base(walk, address));
        self.entries.push(item::read(walk, tag, elements, base, &self.limits));
    }
}

/// The base address of a feed: its own `xml:base`; else where it was fetched from; else where it says that it lives.
///
/// RSS has no rule for relative addresses. Its writers mean the site, which the channel's link names.
fn base(walk: &Walk<'_>, address: Option<&str>) -> Base {
    let mut own_links = [None, None];
    for element in walk.feed.iter().filter(|element| element.name.as_str() == "link") {
        let rel = element.attribute(&walk.decoder, "rel");
        let href = element.attribute(&walk.decoder, "href").or_else(|| item::value(walk, element));
        let place = match rel.as_deref() {
            None | Some("alternate") => 0,
            Some("self") => 1,
            _ => continue,
        };
        if let Some(href) = href.filter(|href| item::is_web_address(href)) {
            own_links[place].get_or_insert(href);
        }
    }
    let [site, own] = own_links;
    let fetched = Base::of(address);
    let base = match walk.dialect {
        Dialect::Rss if site.is_some() => Base::of(site.as_deref()),
        _ if fetched.is_known() => fetched,
        _ => Base::of(own.or(site).as_deref()),
    };
    walk.containers.iter().fold(base, |base, container| base.within(container.qualified(&walk.decoder, "xml:base").as_deref()))
}

/// What the feed says for all of its entries: author and language.
fn inherit(walk: &Walk<'_>, entries: &mut [Entry]) {
    let authors = item::authors(walk, &walk.feed);
    let said = walk.feed.iter().filter(|element| element.name.as_str() == "language").find_map(|element| item::value(walk, element));
    let marked = || walk.containers.iter().rev().find_map(|container| container.qualified(&walk.decoder, "xml:lang"));
    let language = said.or_else(marked).and_then(|tongue| item::language(&tongue));
    item::inherit_authors(authors, entries);
    for entry in entries {
        if entry.language.is_none() {
            entry.language.clone_from(&language);
        }
    }
}

/// How often the feed wants to be asked: `ttl`, `skipHours` and `skipDays` of RSS 2.0, and the syndication module.
fn hints(walk: &Walk<'_>) -> FeedHints {
    let mut hints = FeedHints::default();
    let (mut period_s, mut frequency) = (None, 1);
    for element in &walk.feed {
        let value = || item::value(walk, element);
        match (element.space, element.name.as_str()) {
            (Space::Rss, "ttl") => {
                let minutes = value().and_then(|text| text.parse::<u64>().ok());
                hints.least_gap_s = minutes.filter(|minutes| *minutes > 0).and_then(|minutes| minutes.checked_mul(60));
            }
            (Space::Rss, "skiphours") => {
                let hours = walk.inside(element);
                let hours = hours.iter().filter_map(|hour| item::value(walk, hour)?.parse::<u8>().ok());
                // RSS 0.91 counted from 1 to 24.
                hints.skip_hours = hours.map(|hour| if hour == 24 { 0 } else { hour }).filter(|hour| *hour < 24).take(24).collect();
            }
            (Space::Rss, "skipdays") => {
                let days = walk.inside(element);
                let days = days.iter().filter_map(|day| weekday(&item::value(walk, day)?));
                hints.skip_days = days.take(7).collect();
            }
            (Space::Syndication, "updateperiod") => {
                period_s = value().and_then(|text| match text.to_ascii_lowercase().as_str() {
                    "hourly" => Some(3_600_u64),
                    "daily" => Some(86_400),
                    "weekly" => Some(7 * 86_400),
                    "monthly" => Some(30 * 86_400),
                    "yearly" => Some(365 * 86_400),
                    _ => None,
                });
            }
            (Space::Syndication, "updatefrequency") => {
                frequency = value().and_then(|text| text.parse::<u64>().ok()).filter(|frequency| *frequency > 0).unwrap_or(1);
            }
            _ => {}
        }
    }
    hints.least_gap_s = hints.least_gap_s.or(period_s.map(|period| period / frequency));
    hints
}

fn weekday(text: &str) -> Option<u8> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    names.iter().position(|name| name.eq_ignore_ascii_case(text)).and_then(|at| u8::try_from(at + 1).ok())
}

/// What had to be mended, in words for the builder.
fn repairs(walk: &Walk<'_>, text: &str) -> Vec<Repair> {
    // Counted to the end rather than to the first, which compilers make much faster.
    let controls = text.bytes().filter(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')).count() > 0;
    [
        (walk.noise_before, "noise before the feed dropped"),
        (controls, "control characters dropped"),
        (walk.decoder.stray_ampersand.get(), "stray ampersand escaped"),
        (walk.decoder.undeclared_name.get(), "character names of HTML read without being declared"),
        (walk.decoder.entity_refused.get(), "an entity that grows too large left as it is"),
        (walk.items_dug_out, "items taken out of elements that should hold none"),
        (walk.unclosed, "an element that is never closed"),
        (walk.cut_short, "the document ends before the feed does"),
    ]
    .into_iter()
    .filter(|(needed, _)| *needed)
    .map(|(_, name)| named(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::Media;

    /// Reads one of our fixtures as fetched from an address.
    macro_rules! fixture {
        ($name:literal) => {
            read_feed(&Document::of_bytes(
                "https://kiln.example.org/feeds/main",
                include_bytes!(concat!("../../../fixtures/feed/", $name)).as_slice(),
                Timestamp::UNIX_EPOCH,
            ))
        };
    }

    fn titles(reading: &Reading) -> Vec<&str> {
        reading.entries.iter().map(|entry| entry.title.as_deref().unwrap_or("-")).collect()
    }

    fn repairs(reading: &Reading) -> Vec<&str> {
        reading.repairs.iter().map(|repair| &*repair.0).collect()
    }

    fn link(entry: &Entry) -> &str {
        entry.link.as_deref().unwrap_or("-")
    }

    fn names(entry: &Entry) -> Vec<&str> {
        entry.authors.iter().map(|author| author.name.as_str()).collect()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn broken_documents_give_all_their_items_and_say_what_was_mended() {
        for (reading, wanted, repair) in [
            (fixture!("leading-blank.xml"), &["Glaze tests"][..], "blanks before the XML declaration dropped"),
            (fixture!("control-characters.xml"), &["Glaze", "Second firing"], "control characters dropped"),
            (fixture!("server-warning.xml"), &["Glaze tests", "Second firing"], "noise before the feed dropped"),
            (fixture!("bare-ampersand.xml"), &["Salt & soda & R&D", "Second firing"], "stray ampersand escaped"),
            (fixture!("one-bad-byte.xml"), &["Four é cuit\u{FFFD}", "Naïve"], "bytes that are no text replaced"),
            (fixture!("ends-midway.xml"), &["Glaze tests", "Second firing"], "the document ends before the feed does"),
            (fixture!("unclosed-elements.xml"), &["Glaze tests", "Second firing"], "an element that is never closed"),
            (fixture!("wrapped-items.xml"), &["A", "B"], "items taken out of elements that should hold none"),
            (fixture!("null-item.json"), &["Seven", "-"], "1 item skipped"),
        ] {
            let reading = reading.unwrap();
            assert_eq!((titles(&reading).as_slice(), repairs(&reading).as_slice()), (wanted, &[repair][..]));
        }
    }

    #[test]
    fn good_documents_need_no_repair() {
        for (reading, wanted) in [
            (fixture!("no-version.xml"), &["Glaze tests"][..]),
            (fixture!("declared-windows-1251.xml"), &["Обжиг глины"]),
            (fixture!("title-about-a-tag.xml"), &["When <main> is better & why"]),
            (fixture!("title-escaped-twice.xml"), &["<img src=x onerror=go()>"]),
            (fixture!("rss-1.0.rdf"), &["A"]),
            (fixture!("atom-0.3.xml"), &["Ash and salt"]),
            (fixture!("atom-texts.xml"), &["History of the <kiln> tag", "Less: <", "A <b> bold"]),
        ] {
            let reading = reading.unwrap();
            assert_eq!((titles(&reading).as_slice(), repairs(&reading).len()), (wanted, 0));
        }
    }

    #[test]
    fn what_a_root_says_of_its_version_decides_nothing() {
        for root in [
            "<rss>",
            "<rss version=\"2.0.1\">",
            "<rss version=\"0.93\">",
            "<rss version=''>",
            "<rss version=\"two\">",
            "<Rss Version=\"2.0\">",
            "<rss version=\"2.0\" version=\"9\">",
        ] {
            let text = format!(
                "{root}<channel><item><title>A</title><guid>a-1</guid><pubDate>Wed, 25 Nov 2026 09:30:00 GMT</pubDate></item></channel></rss>"
            );
            let reading = read_feed(&Document::of_bytes("", text, Timestamp::UNIX_EPOCH)).unwrap();
            let entry = &reading.entries[0];
            assert_eq!(
                (entry.title.as_deref(), entry.id.as_deref(), entry.published),
                (Some("A"), Some("a-1"), Some(at("2026-11-25T09:30:00Z"))),
                "{root}"
            );
        }
    }

    #[test]
    fn entities_are_expanded_only_where_they_cannot_grow() {
        let reading = fixture!("declared-entity.xml").unwrap();
        assert_eq!(titles(&reading), ["The kiln and &bomb; é"]);
    }

    #[test]
    fn what_is_no_feed_is_told_apart() {
        assert!(matches!(fixture!("web-page.html"), Err(ReadError::Html)));
        assert_eq!(fixture!("outline.opml").unwrap_err().to_string(), "this is not a feed: its outermost element is `opml`");
        for (bytes, wanted) in [(&b" \n"[..], "the answer is empty"), (b"hello", "this is not a feed: it holds no markup")] {
            assert_eq!(read_feed(&Document::of_bytes("", bytes, Timestamp::UNIX_EPOCH)).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn a_readable_date_wins_over_an_unreadable_one_and_the_feeds_own_is_none_of_the_items() {
        let reading = fixture!("useless-second-date.xml").unwrap();
        assert_eq!(reading.entries[0].published, Some(at("2026-11-25T09:30:00Z")));
        assert_eq!((reading.entries[1].published, reading.entries[1].published_raw.as_deref()), (None, Some("Invalid Date")));
        let entry = &fixture!("feed-date-only.xml").unwrap().entries[0];
        assert_eq!((entry.published, entry.updated), (None, None));
    }

    #[test]
    fn links_come_from_where_the_format_says() {
        let reading = fixture!("link-from-guid.xml").unwrap();
        let links: Vec<_> = reading.entries.iter().map(link).collect();
        assert_eq!(links, ["https://kiln.example.org/a", "-", "https://kiln.example.org/c"]);
        assert_eq!(reading.entries[1].id.as_deref(), Some("b-17"));
        let reading = fixture!("atom-texts.xml").unwrap();
        let links: Vec<_> = reading.entries.iter().map(link).collect();
        assert_eq!(links, ["https://kiln.example.org/notes/one", "https://kiln.example.org/notes/2026/two", "-"]);
        assert_eq!(reading.entries[0].media[0].url, "https://kiln.example.org/notes/a.mp3");
        assert_eq!(reading.entries[0].content.as_ref().unwrap().links, ["https://kiln.example.org/x"]);
        assert_eq!(reading.entries[1].content.as_ref().unwrap().text, "Clay\nand ash");
        assert_eq!(link(&fixture!("null-item.json").unwrap().entries[0]), "https://kiln.example.org/seven");
    }

    #[test]
    fn a_link_is_an_address_of_the_item_that_opens_in_a_browser() {
        let own = "<x:origLink xmlns:x='http://rssnamespace.org/feedburner/ext/1.0'>https://kiln.example.org/own</x:origLink>";
        let guid = "<guid>https://kiln.example.org/guid</guid>";
        for (elements, wanted) in [
            (format!("{own}<link>https://proxy.example/1</link>"), "https://kiln.example.org/own"),
            (format!("<link>https://proxy.example/1</link>{own}"), "https://kiln.example.org/own"),
            ("<link>https://proxy.example/1</link><p:origLink>not an address</p:origLink>".to_owned(), "https://proxy.example/1"),
            ("<guid isPermaLink='False'>https://kiln.example.org/?p=1</guid>".to_owned(), "-"),
            ("<guid isPermaLink='false'>https://kiln.example.org/?p=1</guid><link>/a</link>".to_owned(), "https://kiln.example.org/a"),
            (format!("<link>javascript:void(0)</link>{guid}"), "https://kiln.example.org/guid"),
            (format!("{guid}<link>mailto:ada@kiln.example.org</link>"), "https://kiln.example.org/guid"),
            (format!("<link> </link>{}", guid.replace("<guid", "<guid isPermaLink='true'")), "https://kiln.example.org/guid"),
            (format!("<link>https:///</link>{guid}"), "https://kiln.example.org/guid"),
            (format!("<link>https://kiln.example.org/a</link>{guid}"), "https://kiln.example.org/a"),
            ("<link>javascript:void(0)</link><guid>a-1</guid>".to_owned(), "javascript:void(0)"),
        ] {
            let text =
                format!("<rss><channel><link>https://kiln.example.org/</link><item><title>A</title>{elements}</item></channel></rss>");
            let reading = read_feed(&Document::of_bytes("", text.into_bytes(), Timestamp::UNIX_EPOCH)).unwrap();
            assert_eq!(link(&reading.entries[0]), wanted, "{elements}");
        }
        let atom = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>https://kiln.example.org/1</id><link href='about:blank'/></entry></feed>";
        let reading = read_feed(&Document::of_bytes("", atom.as_slice(), Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(link(&reading.entries[0]), "https://kiln.example.org/1");
        let json = br#"{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","url":"javascript:x","external_url":"https://kiln.example.org/2"}]}"#;
        let reading = read_feed(&Document::of_bytes("", json.as_slice(), Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(link(&reading.entries[0]), "https://kiln.example.org/2");
    }

    #[test]
    fn authors_come_from_the_item_then_its_source_then_the_feed() {
        let reading = fixture!("people.xml").unwrap();
        let all: Vec<_> = reading.entries.iter().map(names).collect();
        assert_eq!(all, [vec!["Ada Clay"], vec!["Bo Reed", "Cy Ash"], vec!["Dee Loam"]]);
        let reading = fixture!("atom-texts.xml").unwrap();
        assert_eq!((names(&reading.entries[1]), names(&reading.entries[2])), (vec!["Eve Kaolin"], vec!["Ada", "Bo"]));
        let entry = &fixture!("atom-0.3.xml").unwrap().entries[0];
        assert_eq!(entry.authors[0].url.as_deref(), Some("https://ada.example.org/"));
        assert_eq!((entry.published, entry.updated), (Some(at("2026-11-25T08:30:00Z")), Some(at("2026-11-26T09:30:00Z"))));
        assert_eq!(entry.language.as_deref(), Some("en"));
    }

    #[test]
    fn an_rdf_item_is_named_by_its_about() {
        let reading = fixture!("rss-1.0.rdf").unwrap();
        let entry = &reading.entries[0];
        assert_eq!(entry.id.as_deref(), Some("https://kiln.example.org/a"));
        assert_eq!((entry.categories.as_slice(), entry.published), (&["clay".to_owned()][..], Some(at("2026-11-25T08:30:00Z"))));
        assert_eq!(reading.hints.least_gap_s, Some(43_200));
    }

    #[test]
    fn a_podcast_tells_its_sound_and_its_notes() {
        let reading = fixture!("podcast.xml").unwrap();
        let entry = &reading.entries[0];
        let sound =
            Media { url: "https://cdn.example.org/4.mp3".into(), mime: Some("audio/mpeg".into()), length: Some(1234), duration_s: None };
        assert_eq!((entry.media.as_slice(), entry.duration_s), (&[sound][..], Some(3723)));
        assert_eq!((entry.title.as_deref(), entry.summary.as_deref()), (Some("Ep. 4: Ash"), Some("About ash.")));
        let content = entry.content.as_ref().unwrap();
        assert_eq!((content.text.as_str(), content.code_blocks), ("Show notes with a link.\ncone 10", 1));
        assert_eq!(entry.categories, ["ash", "wood"]);
        assert_eq!(entry.language.as_deref(), Some("en-GB"));
        let hints = FeedHints { least_gap_s: Some(5400), skip_hours: vec![1, 0], skip_days: vec![7] };
        assert_eq!(reading.hints, hints);
    }

    #[test]
    fn a_video_tells_its_id_and_counts() {
        let entries = fixture!("video-channel.xml").unwrap().entries;
        assert_eq!(entries[0].platform_key.as_deref(), Some("yt:AbCdEfGhIjK"));
        assert_eq!((entries[0].counts.views, entries[0].counts.likes), (Some(345), Some(12)));
        assert_eq!(entries[0].summary.as_deref(), Some("Smoke and water."));
        assert_eq!((entries[1].title.as_deref(), entries[1].summary.as_deref(), entries[1].counts.views), (Some("Silent"), None, None));
    }

    #[test]
    fn script_in_any_field_is_text() {
        let reading = fixture!("script-everywhere.xml").unwrap();
        let entry = &reading.entries[0];
        assert_eq!(entry.title.as_deref(), Some("I\"><img src=x onerror=go()>"));
        assert_eq!(entry.link.as_deref(), Some("javascript:go()"));
        assert_eq!(entry.categories, ["c<svg onload=go()>"]);
        assert_eq!(fixture!("title-escaped-twice.xml").unwrap().entries[0].summary.as_deref(), Some("<script>go()</script> and <input>"));
    }

    #[test]
    fn hostile_documents_stay_small_and_quick() {
        let around = |inner: &str| format!("<rss><channel><item><title>x</title>{inner}</item></channel></rss>");
        let many = |piece: &str, count: usize| piece.repeat(count);
        for (name, text) in [
            ("nested items", format!("<rss><channel>{}", many("<item>", 200_000))),
            ("nested markup", around(&many("<div>", 200_000))),
            ("attributes", format!("<rss><channel><item {}><title>x</title></item>", many("a='' ", 200_000))),
            ("open tags", around(&many("<a", 200_000))),
            ("open comments", around(&many("<!--", 200_000))),
            ("open sections", around(&many("<![CDATA[", 100_000))),
            ("open quotes", around(&many("<a b=\"", 100_000))),
            ("document types", many("<!DOCTYPE rss [", 50_000)),
            ("open comments in a document type", format!("<!DOCTYPE rss [{}]>{}", many("<!--", 200_000), around(""))),
            ("declared entities", format!("<!DOCTYPE rss [{}]>{}", many("<!ENTITY a 'b'>", 100_000), around(""))),
            ("a long word", around(&format!("<description>{}</description>", many("\u{200D}", 1_000_000)))),
            ("escaped markup", around(&format!("<description>{}</description>", many("&lt;a b=\"", 100_000)))),
            ("nested markup in a text", around(&format!("<description><![CDATA[{}]]></description>", many("<div>", 100_000)))),
            ("long date", around(&format!("<pubDate>{}</pubDate>", many("1 Jan ", 100_000)))),
            ("date of brackets", around(&format!("<pubDate>{}</pubDate>", many("(", 1_000_000)))),
            ("date of numbers", around(&format!("<pubDate>{}</pubDate>", many("1 ", 500_000)))),
            ("title of blanks", format!("<rss><channel><item><title>{}</title></item>", many(" ", 1_000_000))),
            ("link of escapes", around(&format!("<link>{}</link>", many("%25", 300_000)))),
            ("long category", around(&format!("<category>{}</category>", many("\u{301}", 500_000)))),
            (
                "dates of many items",
                format!("<rss><channel>{}", many(&format!("<item><pubDate>{}</pubDate></item>", many("(1 ", 300)), 1_000)),
            ),
            (
                "far addresses",
                format!("<rss xml:base='https://e.example/{}/'>{}", many("b", 2000), many("<item><link>a</link></item>", 20_000)),
            ),
        ] {
            let reading = read_feed(&Document::of_bytes("", text, Timestamp::UNIX_EPOCH));
            let Ok(reading) = reading else { continue };
            assert!(reading.entries.len() <= ENTRIES_MAX, "{name}");
            let links: usize = reading.entries.iter().filter_map(|entry| entry.link.as_ref()).map(String::len).sum();
            assert!(links < 16 * 1024 * 1024, "{name}");
        }
    }
}
