//! Reads RSS of any version, Atom, JSON Feed and their relatives, and all platforms that are plain feeds.
//!
//! In: a document of a feed, however broken. Out: its entries as it tells them, what had to be repaired, and how often it
//! wants to be asked. One reader serves good documents and bad ones alike, so that both are read by one set of rules; it
//! keeps every item that can be read. It keeps odd dates odd: judging is left to `normalize`.

mod date;
mod document;
mod item;
mod json;
mod xml;

use self::document::{Dialect, Element, Space, Visitor, Walk};
use self::item::{Base, Limits};
use super::repair::{self, named};
use crate::model::{Document, Entry, FeedHints, ReadError, Reading, Repair};

/// The most entries that are kept of one document.
const ENTRIES_MAX: usize = 20_000;

/// Reads a feed of any dialect.
pub fn read_feed(document: &Document) -> Result<Reading, ReadError> {
    let base = Some(document.final_url.as_str()).filter(|url| !url.is_empty());
    // No rule of this reader panics that we know of. If one does, one source is unreadable, and nothing else happens.
    std::panic::catch_unwind(|| read_bytes(&document.bytes, document.content_type.as_deref(), base)).unwrap_or(Err(ReadError::TooHard))
}

fn read_bytes(bytes: &[u8], content_type: Option<&str>, base: Option<&str>) -> Result<Reading, ReadError> {
    let mut repairs = Vec::new();
    let text = repair::decode(bytes, content_type, &mut repairs);
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{FEFF}'));
    if text.is_empty() {
        return Err(ReadError::Empty);
    }
    let mut reading = if text.starts_with(['{', '[']) { json::read(text, base)? } else { read_xml(text, base)? };
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
        (walk.unclosed, "an element that is never closed"),
        (walk.cut_short, "the document ends before the feed does"),
    ]
    .into_iter()
    .filter(|&(needed, _name)| needed)
    .map(|(_needed, name)| named(name))
    .collect()
}
