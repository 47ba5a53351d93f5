//! Site maps, where a site has no feed: the pages that a site lists.
//!
//! In: the address of a `urlset` or of an index of several. Out: pages that look like pieces, each with a title made from
//! its address where the map gives none. `lastmod` says when a page was touched last, not when it came out: a page's date
//! is unknown unless the map states it as news. Home pages, lists of tags and the like are no pieces.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::Event;
use url::Url;

use super::{Collector, ask_for, for_source};
use crate::model::{Ask, Document, Entry, ReadError, Reading, Repair, Request, Source, SourceState};
use crate::text::{collapse, decode};

/// The most pages kept of one map, the most maps followed from an index, the deepest text kept of one element.
const MAX_PAGES: usize = 5_000;
/// No map may list more (sitemaps.org, protocol: 50,000).
const MAX_LISTED: usize = 50_000;
const MAX_MAPS: usize = 5;
const MAX_TEXT: usize = 4_096;

pub(super) struct Sitemap;

/// One `url` or `sitemap` of a map.
#[derive(Default)]
struct Listed {
    loc: String,
    lastmod: String,
    news_title: String,
    news_date: String,
    language: String,
}

impl Collector for Sitemap {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources
            .iter()
            .map(|(source, state)| {
                ask_for(source, state, Request { accept: "application/xml, text/xml;q=0.9, */*;q=0.1", ..Request::get(&source.locator) })
            })
            .collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let mut reading = Reading::default();
        let (maps, pages) = read_map(&document.bytes, &mut reading)?;
        let site = Url::parse(&document.final_url).ok();
        let own = |text: &str| {
            let url = Url::parse(text.trim()).ok()?;
            let same = site.as_ref().is_none_or(|site| site.host_str().map(bare) == url.host_str().map(bare));
            (matches!(url.scheme(), "http" | "https") && same).then_some(url)
        };
        let mut maps: Vec<&Listed> = maps.iter().filter(|map| own(&map.loc).is_some()).collect();
        // The newest first: that is where new pages are.
        maps.sort_by(|one, other| other.lastmod.cmp(&one.lastmod));
        if ask.page == 1 {
            reading.next.extend(maps.iter().take(MAX_MAPS).map(|map| Request::get(map.loc.trim())));
        }
        for page in pages.iter().take(MAX_PAGES) {
            let Some(url) = own(&page.loc) else {
                reading.skipped += 1;
                continue;
            };
            if !is_piece(&url) {
                continue;
            }
            let title = if page.news_title.is_empty() { title_of(&url) } else { Some(collapse(&page.news_title)) };
            reading.entries.push(Entry {
                link: Some(url.to_string()),
                title,
                published: page.news_date.trim().parse().ok(),
                language: Some(collapse(&page.language)).filter(|language| !language.is_empty()),
                ..Entry::default()
            });
        }
        Ok(for_source(ask, reading))
    }

    /// The maps of an index are all of one list.
    fn wants(&self, _request: &Request, _told: &mut dyn Iterator<Item = &Entry>, _known: &std::collections::HashSet<String>) -> bool {
        true
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

/// Whether a page may be a piece: deeper than the root, and no list of others.
fn is_piece(url: &Url) -> bool {
    const LISTS: &[&str] = &[
        "tag",
        "tags",
        "category",
        "categories",
        "author",
        "authors",
        "page",
        "archive",
        "archives",
        "about",
        "contact",
        "privacy",
        "search",
        "imprint",
        "legal",
        "terms",
        "login",
        "cart",
        "feed",
    ];
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().filter(|segment| !segment.is_empty()).collect();
    let Some(last) = segments.last() else { return false };
    let listed = segments.iter().any(|segment| LISTS.contains(&segment.to_ascii_lowercase().trim_end_matches(".html")));
    let section = segments.len() == 1 && !last.contains(['-', '_', '.']) && last.len() < 12;
    !listed && !section && !last.bytes().all(|b| b.is_ascii_digit())
}

/// `pipes-end-to-end` says `Pipes end to end`.
fn title_of(url: &Url) -> Option<String> {
    let last = url.path_segments()?.rfind(|segment| !segment.is_empty())?;
    let stem = last.rsplit_once('.').map_or(last, |(stem, ending)| if ending.len() <= 5 { stem } else { last });
    let stem =
        if stem.eq_ignore_ascii_case("index") { url.path_segments()?.rev().filter(|segment| !segment.is_empty()).nth(1)? } else { stem };
    let words: String = form_urlencoded_decode(stem).chars().map(|c| if matches!(c, '-' | '_' | '+') { ' ' } else { c }).collect();
    let words = collapse(&words);
    let mut chars = words.chars();
    let first = chars.next()?;
    Some(first.to_uppercase().chain(chars).collect())
}

fn form_urlencoded_decode(text: &str) -> String {
    // A plus sign in a path is itself.
    let whole = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(whole.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The maps and the pages that a document lists. What stands after a fault of markup is lost, and said to be.
fn read_map(bytes: &[u8], reading: &mut Reading) -> Result<(Vec<Listed>, Vec<Listed>), ReadError> {
    let unpacked;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        unpacked = unpack(bytes).ok_or_else(|| ReadError::NotAFeed("a packed site map that cannot be unpacked".into()))?;
        &unpacked
    } else {
        bytes
    };
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if text.is_empty() {
        return Err(ReadError::Empty);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    let (mut maps, mut pages) = (Vec::new(), Vec::new());
    let mut current: Option<(bool, Listed)> = None;
    let mut field = String::new();
    let mut in_image = false;
    let mut root = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = start.local_name().as_ref().to_ascii_lowercase();
                let prefix = start.name().prefix().map(|prefix| prefix.as_ref().to_ascii_lowercase()).unwrap_or_default();
                match name.as_str() {
                    "html" => return Err(ReadError::Html),
                    "urlset" | "sitemapindex" => root = true,
                    "url" if prefix.is_empty() => current = Some((false, Listed::default())),
                    "sitemap" if prefix.is_empty() => current = Some((true, Listed::default())),
                    _ => {}
                }
                in_image |= matches!(prefix.as_str(), "image" | "video");
                field = name;
            }
            Ok(Event::End(end)) => {
                let name = end.local_name().as_ref().to_ascii_lowercase();
                field.clear();
                in_image = false;
                if matches!(name.as_str(), "url" | "sitemap")
                    && let Some((is_map, listed)) = current.take()
                {
                    let list = if is_map { &mut maps } else { &mut pages };
                    if list.len() < MAX_LISTED {
                        list.push(listed);
                    }
                }
            }
            Ok(Event::Text(piece)) => put(&mut current, &field, in_image, piece.as_ref()),
            Ok(Event::CData(piece)) => put(&mut current, &field, in_image, piece.as_ref()),
            Ok(Event::GeneralRef(name)) => {
                let reference = format!("&{};", AsRef::<str>::as_ref(&name));
                put(&mut current, &field, in_image, &decode(&reference));
            }
            Ok(Event::Empty(element)) => {
                root |= matches!(element.local_name().as_ref().to_ascii_lowercase().as_str(), "urlset" | "sitemapindex");
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => {
                reading.repairs.push(Repair("ends midway".into()));
                break;
            }
        }
    }
    if !root && maps.is_empty() && pages.is_empty() {
        return Err(ReadError::NotAFeed("neither a feed nor a site map".into()));
    }
    Ok((maps, pages))
}

fn put(current: &mut Option<(bool, Listed)>, field: &str, in_image: bool, text: &str) {
    let Some((_, listed)) = current.as_mut().filter(|_| !in_image) else { return };
    let target = match field {
        "loc" => &mut listed.loc,
        "lastmod" => &mut listed.lastmod,
        "title" => &mut listed.news_title,
        "publication_date" => &mut listed.news_date,
        "language" => &mut listed.language,
        _ => return,
    };
    if target.len() + text.len() <= MAX_TEXT {
        target.push_str(text);
    }
}

/// Unpacks gzip, as far as the most that any document may hold.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read as _;
    const MOST: u64 = 10 << 20;
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(MOST).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::samples::{document, unasked};

    fn source(id: i64, locator: &str) -> (Arc<Source>, SourceState) {
        unasked(id, crate::model::SourceKind::Sitemap, locator)
    }

    fn read(text: &str) -> Result<Reading, ReadError> {
        let ask = Sitemap.plan(&[source(1, "https://tallow.example.org/sitemap.xml")]).remove(0);
        Sitemap.read(&ask, &document(text)).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn more_than_a_map_may_list_is_passed_over() {
        let (maps, pages) =
            read_map(format!("<urlset>{}", "<url></url><sitemap/><sitemap></sitemap>".repeat(60_000)).as_bytes(), &mut Reading::default())
                .unwrap();
        assert_eq!((maps.len(), pages.len()), (MAX_LISTED, MAX_LISTED));
    }

    #[test]
    fn pages_that_look_like_pieces_are_told_without_a_date_of_their_own() {
        let reading = read(include_str!("../../fixtures/sitemap/pages.xml")).unwrap();
        let told: Vec<(&str, &str)> =
            reading.entries.iter().map(|entry| (entry.link.as_deref().unwrap(), entry.title.as_deref().unwrap())).collect();
        assert_eq!(
            told,
            [
                ("https://tallow.example.org/blog/trim-the-wick?a=1&b=2", "Trim the wick"),
                ("https://www.tallow.example.org/blog/2026/caf%C3%A9_candles.html", "Café candles"),
                ("https://tallow.example.org/news/1138-fire", "Fire & wax"),
            ]
        );
        let dates: Vec<bool> = reading.entries.iter().map(|entry| entry.published.is_some() || entry.updated.is_some()).collect();
        assert_eq!(dates, [false, false, true], "when a page was touched says nothing of when it came out");
        assert_eq!(reading.skipped, 3);
    }

    #[test]
    fn an_index_leads_to_the_newest_of_its_maps() {
        let listed =
            |n: u32| format!("<sitemap><loc>https://tallow.example.org/sitemap-{n}.xml</loc><lastmod>2026-01-0{n}</lastmod></sitemap>");
        let maps = (1..=9).map(listed).collect::<Vec<_>>().concat();
        let foreign = "<sitemap><loc>https://elsewhere.example.com/sitemap.xml</loc><lastmod>2027-01-01</lastmod></sitemap>";
        let reading = read(&format!("<sitemapindex>{maps}{foreign}</sitemapindex>")).unwrap();
        assert_eq!(reading.next.len(), 5);
        assert_eq!(reading.next[0].url, "https://tallow.example.org/sitemap-9.xml");
    }

    #[test]
    fn what_is_no_map_is_told_and_what_breaks_off_is_kept_as_far() {
        assert_eq!(read("<!DOCTYPE html><html><body>").unwrap_err(), ReadError::Html);
        assert_eq!(read("  ").unwrap_err(), ReadError::Empty);
        assert!(matches!(read("<rss></rss>").unwrap_err(), ReadError::NotAFeed(_)));
        assert!(matches!(read("hello").unwrap_err(), ReadError::NotAFeed(_)));
        assert!(read("<urlset/>").unwrap().entries.is_empty());
        let broken = read("<urlset><url><loc>https://tallow.example.org/blog/one-more</loc></url><url><loc>https://tall").unwrap();
        assert_eq!(broken.entries.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_reader(text in "[<>/a-z&;\\[\\]!\"= -]{0,200}") {
            let _ = read(&text);
            let _ = read(&format!("<urlset><url><loc>{text}"));
        }
    }
}
