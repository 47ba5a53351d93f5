//! Reads what one item or entry says, whatever vocabulary it says it in.
//!
//! In: the elements of one item. Out: an [`Entry`]. Where several elements say the same thing, the feed's own element
//! comes before modules, and what can be read before what cannot. Order in the document decides only between equals.

use std::borrow::Cow;
use std::cell::Cell;

use url::Url;

use super::date::{self, Stamp};
use super::document::{Dialect, Element, Space, VALUE_MAX, Walk, head, tidy};
use crate::model::{ActivityKind, Author, Content, Entry, Media};
use crate::text;

/// The longest title, summary, name, id and address that are kept, in characters or bytes.
const TITLE_MAX: usize = 1_000;
const SUMMARY_MAX: usize = 2_000;
const NAME_MAX: usize = 1_000;
const ID_MAX: usize = 2_048;
const ADDRESS_MAX: usize = 4_096;
/// A description of up to so many characters is a summary, even where it is the only text.
const TEASER_MAX: usize = 600;
/// How many bytes of one body are read: a long book. What is larger holds pictures as text.
pub(super) const BODY_MAX: usize = 4 * 1024 * 1024;
/// The most authors, categories and media of one entry.
const LIST_MAX: usize = 100;

/// The most bytes of authors that entries get from their feed.
const INHERITED_MAX: usize = 16 * 1024 * 1024;

/// What limits the whole of a document, so that many small items cannot grow large: addresses made absolute.
pub(super) struct Limits {
    joins: Cell<u32>,
    link_bytes: Cell<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { joins: Cell::new(50_000), link_bytes: Cell::new(8 * 1024 * 1024) }
    }
}

impl Limits {
    /// Counts what the links of a body took.
    pub(super) fn spend(&self, content: &Content) {
        let bytes: usize = content.links.iter().map(String::len).sum();
        self.link_bytes.set(self.link_bytes.get().saturating_sub(bytes));
        self.joins.set(self.joins.get().saturating_sub(u32::try_from(content.links.len()).unwrap_or(u32::MAX)));
    }
}

/// The address that relative ones start from.
#[derive(Clone)]
pub(super) struct Base(Option<Url>);

impl Base {
    pub(super) fn of(address: Option<&str>) -> Self {
        Self(address.filter(|address| address.len() <= ADDRESS_MAX / 2).and_then(|address| Url::parse(address).ok()))
    }

    /// The base within an element that has its own `xml:base`.
    pub(super) fn within(&self, own: Option<&str>) -> Self {
        let Some(own) = own.filter(|own| own.len() <= ADDRESS_MAX / 2) else { return self.clone() };
        let joined = match &self.0 {
            Some(base) => base.join(own).ok(),
            None => Url::parse(own).ok(),
        };
        Self(joined.filter(|joined| joined.as_str().len() <= ADDRESS_MAX / 2).or_else(|| self.0.clone()))
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The address made absolute where that is possible; else as it is. `None` for what is empty or far too long.
    pub(super) fn absolute(&self, address: &str, limits: &Limits) -> Option<String> {
        // Addresses broken over lines have their blanks taken out, as browsers do.
        let address = address.trim();
        if address.is_empty() || address.len() > ADDRESS_MAX {
            return None;
        }
        let address: Cow<'_, str> =
            if address.contains(['\n', '\r', '\t']) { address.replace(['\n', '\r', '\t'], "").into() } else { address.into() };
        if has_scheme(&address) {
            return Some(clean(&address));
        }
        let joins = limits.joins.get();
        match &self.0 {
            Some(base) if joins > 0 && limits.link_bytes.get() > 0 => {
                limits.joins.set(joins - 1);
                let joined = base.join(&address).map_or_else(|_| clean(&address), String::from);
                limits.link_bytes.set(limits.link_bytes.get().saturating_sub(joined.len()));
                Some(joined)
            }
            _ => Some(clean(&address)),
        }
    }

    pub(super) fn for_content(&self, limits: &Limits) -> Option<&Url> {
        self.0.as_ref().filter(|_| limits.joins.get() > 0 && limits.link_bytes.get() > 0)
    }
}

/// Control characters have no place in an address.
fn clean(address: &str) -> String {
    address.chars().filter(|c| !c.is_control()).collect()
}

/// RFC 3986 section 3.1.
fn has_scheme(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Whether a text is an address of the web, whole.
pub(super) fn is_web_address(text: &str) -> bool {
    let text = text.trim();
    let starts =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) && text.len() > prefix.len();
    (starts("http://") || starts("https://")) && !text.contains(char::is_whitespace)
}

/// Whether an address leads to a page: one of the web, or one that is not absolute.
pub(super) fn is_usable(address: &str) -> bool {
    let host = |scheme: &str| {
        address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && address[scheme.len()..].starts_with(|c: char| !matches!(c, '/' | '?' | '#') && !c.is_whitespace())
    };
    host("http://") || host("https://") || !has_scheme(address)
}

/// The best of several claims to one field: the lower rank wins, among equals the first.
struct Best<T> {
    rank: u8,
    value: Option<T>,
}

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self { rank: u8::MAX, value: None }
    }
}

impl<T> Best<T> {
    fn offer(&mut self, rank: u8, value: impl FnOnce() -> Option<T>) {
        if rank < self.rank
            && let Some(value) = value()
        {
            *self = Self { rank, value: Some(value) };
        }
    }
}

/// Several claims that may all hold, but only those of the best rank.
struct Many<T> {
    rank: u8,
    values: Vec<T>,
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self { rank: u8::MAX, values: Vec::new() }
    }
}

impl<T: PartialEq> Many<T> {
    fn offer(&mut self, rank: u8, value: Option<T>) {
        let Some(value) = value else { return };
        if rank < self.rank {
            self.rank = rank;
            self.values.clear();
        }
        if rank == self.rank && self.values.len() < LIST_MAX && !self.values.contains(&value) {
            self.values.push(value);
        }
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if list.len() < LIST_MAX && !list.contains(&value) {
        list.push(value);
    }
}

/// The body of an entry, not yet read.
#[derive(Clone, Copy)]
struct Body<'a> {
    element: Element<'a>,
    form: Form,
}

/// How a text construct is to be understood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// Markup that was escaped, or a mixture.
    Html,
    /// Markup as elements of the document itself.
    Xhtml,
    /// No text.
    Other,
}

/// RFC 4287 section 3.1.1 and 4.1.3; Atom 0.3 says it by `mode` and MIME types.
fn atom_form(walk: &Walk<'_>, element: &Element<'_>) -> Form {
    let kind = element.attribute(&walk.decoder, "type").map(|kind| kind.to_ascii_lowercase());
    let mode = element.attribute(&walk.decoder, "mode").map(|mode| mode.to_ascii_lowercase());
    let kind = kind.as_deref().unwrap_or("").split(';').next().unwrap_or("").trim();
    match (kind, mode.as_deref()) {
        (_, Some("base64")) => Form::Other,
        ("xhtml" | "application/xhtml+xml", Some("escaped")) | ("html" | "text/html", _) => Form::Html,
        ("xhtml" | "application/xhtml+xml", _) => Form::Xhtml,
        // Elements inside what claims to be plain text: the claim is wrong.
        ("" | "text" | "text/plain", _) if element.inner.contains('<') && !element.inner.contains("<![CDATA[") => Form::Xhtml,
        ("" | "text" | "text/plain", _) => Form::Plain,
        (kind, _) if kind.contains("xml") => Form::Xhtml,
        (kind, _) if kind.starts_with("text/") || !kind.contains('/') => Form::Html,
        _ => Form::Other,
    }
}

/// The line of plain text that a text construct holds.
fn line(walk: &Walk<'_>, element: &Element<'_>, form: Form) -> Option<String> {
    let inner = head(element.inner, VALUE_MAX);
    let line = match form {
        Form::Plain | Form::Xhtml => text::collapse(&walk.decoder.text(inner)),
        Form::Html => text::plain(&walk.decoder.markup(inner)),
        Form::Other => return None,
    };
    (!line.is_empty()).then(|| text::cut(&line, TITLE_MAX).into_owned())
}

/// The text of a title in any vocabulary.
pub(super) fn title(walk: &Walk<'_>, element: &Element<'_>) -> Option<String> {
    let form = match element.space {
        // A type that nobody knows is no reason to lose the words.
        Space::Atom => Some(atom_form(walk, element)).filter(|form| *form != Form::Other).unwrap_or(Form::Html),
        _ => Form::Html,
    };
    line(walk, element, form)
}

/// The text of an element that holds one value.
pub(super) fn value<'a>(walk: &Walk<'_>, element: &Element<'a>) -> Option<Cow<'a, str>> {
    let text = tidy(walk.decoder.text(head(element.inner, VALUE_MAX)));
    (!text.is_empty()).then_some(text)
}

fn label(walk: &Walk<'_>, element: &Element<'_>) -> Option<String> {
    value(walk, element).and_then(|text| name(&text))
}

/// A name or label: references that were escaped twice are decoded, but brackets stay.
fn name(text: &str) -> Option<String> {
    let name = text::collapse(&text::decode(text));
    (!name.is_empty()).then(|| text::cut(&name, NAME_MAX).into_owned())
}

/// `ada@example.org (Ada Byron)`, `Ada Byron <ada@example.org>`: the name, else the address.
fn mailbox(text: &str) -> Option<Author> {
    let text = text.trim();
    let is_address = |text: &str| text.contains('@') && !text.contains(char::is_whitespace);
    for (open, close) in [('(', ')'), ('<', '>')] {
        if let Some((before, inside)) = text.split_once(open)
            && let Some((inside, after)) = inside.rsplit_once(close)
            && after.trim().is_empty()
        {
            let (before, inside) = (before.trim().trim_matches('"').trim(), inside.trim());
            let inside_address = inside.trim_start_matches("mailto:");
            let found = match (is_address(before), is_address(inside_address)) {
                (true, _) if !inside.is_empty() && !before.contains(':') => inside,
                (false, true) if !before.is_empty() => before,
                _ => continue,
            };
            return Some(Author { name: name(found)?, ..Author::default() });
        }
    }
    Some(Author { name: name(text)?, ..Author::default() })
}

/// A person of Atom: name, else mail address, else address. RSS feeds now and then borrow the construct.
fn person(walk: &Walk<'_>, element: &Element<'_>) -> Option<Author> {
    let inside = walk.inside(element);
    let (mut called, mut mail, mut url) = (None, None, None);
    for child in &inside {
        match child.name.as_str() {
            "name" if called.is_none() => called = label(walk, child),
            "email" if mail.is_none() => mail = label(walk, child),
            "uri" | "url" | "homepage" if url.is_none() => url = label(walk, child),
            _ => {}
        }
    }
    if inside.is_empty() || (called.is_none() && mail.is_none() && url.is_none()) {
        return mailbox(&value(walk, element)?);
    }
    let name = called.or_else(|| mail.map(|mail| mailbox(&mail).map_or(mail, |author| author.name))).or_else(|| url.clone())?;
    Some(Author { name, url, id: None })
}

/// Who an element says has made it, with the rank of its vocabulary.
pub(super) fn author(walk: &Walk<'_>, element: &Element<'_>) -> Option<(u8, Author)> {
    let (rank, author) = match (element.space, element.name.as_str()) {
        (Space::Atom | Space::Rss, "author") => (0, person(walk, element)),
        (Space::DublinCore | Space::DublinCoreTerms, "creator") => (1, person_or_name(walk, element)),
        (Space::DublinCore, "author") => (2, person_or_name(walk, element)),
        (Space::Itunes | Space::GooglePlay, "author") => (3, person_or_name(walk, element)),
        (Space::Rss, "managingeditor") => (4, person(walk, element)),
        (Space::DublinCore, "contributor") => (6, person_or_name(walk, element)),
        _ => return None,
    };
    author.map(|author| (rank, author))
}

fn person_or_name(walk: &Walk<'_>, element: &Element<'_>) -> Option<Author> {
    if element.inner.contains('<') && !element.inner.contains("<![CDATA[") {
        return person(walk, element);
    }
    let text = value(walk, element)?;
    if text.contains('@') { mailbox(&text) } else { Some(Author { name: name(&text)?, ..Author::default() }) }
}

/// The best authors among some elements.
pub(super) fn authors(walk: &Walk<'_>, elements: &[Element<'_>]) -> Vec<Author> {
    let mut many = Many::default();
    for element in elements {
        if let Some((rank, author)) = author(walk, element) {
            many.offer(rank, Some(author));
        }
    }
    many.values
}

/// Gives the authors of a feed to those of its entries that name none. Where the feed has absurdly many of them, to
/// thousands of entries, only the first.
pub(super) fn inherit_authors(mut authors: Vec<Author>, entries: &mut [Entry]) {
    let size = |author: &Author| author.name.len() + author.url.as_deref().map_or(0, str::len) + size_of::<Author>();
    let mut room = INHERITED_MAX / entries.len().max(1);
    authors.retain(|author| {
        let fits = size(author) <= room;
        room = if fits { room - size(author) } else { 0 };
        fits
    });
    for entry in entries.iter_mut().filter(|entry| entry.authors.is_empty()) {
        entry.authors.clone_from(&authors);
    }
}

/// A tag of BCP 47 if the text looks like one.
pub(super) fn language(text: &str) -> Option<String> {
    let tag = text.trim().replace('_', "-");
    let fits = (2..=35).contains(&tag.len())
        && tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (fits && tag.as_bytes()[..2].iter().all(u8::is_ascii_alphabetic)).then_some(tag)
}

/// `95`, `1:35`, `00:01:35` in seconds (the iTunes module).
fn duration(text: &str) -> Option<u32> {
    let mut total = 0_u32;
    let parts: Vec<&str> = text.trim().split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    for part in parts {
        let whole = part.trim().split(['.', ',']).next().unwrap_or("");
        total = total.checked_mul(60)?.checked_add(whole.parse().ok()?)?;
    }
    (total > 0).then_some(total)
}

fn number(text: Option<Cow<'_, str>>) -> Option<u64> {
    text?.trim().replace([',', '_'], "").parse().ok()
}

/// What is gathered while the elements of an item are gone through.
#[derive(Default)]
struct Draft<'a> {
    title: Best<String>,
    link: Best<String>,
    id: Best<String>,
    published: Best<(Stamp, String)>,
    published_raw: Option<String>,
    updated: Best<Stamp>,
    authors: Many<Author>,
    source_authors: Vec<Author>,
    language: Best<String>,
    summary: Best<Element<'a>>,
    summary_form: Option<Form>,
    body: Best<Body<'a>>,
    video_id: Option<String>,
    /// Where an item was before a service that counts clicks put its own address there.
    original: Option<String>,
}

impl Draft<'_> {
    /// An address that no browser opens, such as a script or a mailbox, is a link only where there is no other.
    fn offer_link(&mut self, rank: u8, address: impl FnOnce() -> Option<String>) {
        const UNUSABLE: u8 = 100;
        if rank >= self.link.rank {
            return;
        }
        let Some(address) = address() else { return };
        let rank = if is_usable(&address) { rank } else { rank + UNUSABLE };
        self.link.offer(rank, || Some(address));
    }
}

/// Reads one item.
pub(super) fn read(walk: &Walk<'_>, tag: &Element<'_>, elements: &[Element<'_>], base: &Base, limits: &Limits) -> Entry {
    let decoder = &walk.decoder;
    let base = base.within(tag.qualified(decoder, "xml:base").as_deref());
    let mut entry = Entry::default();
    let mut draft = Draft::default();
    if let Some(tongue) = tag.qualified(decoder, "xml:lang") {
        draft.language.offer(1, || language(&tongue));
    }
    if let Some(about) = tag.qualified(decoder, "rdf:about").or_else(|| tag.attribute(decoder, "about")) {
        draft.id.offer(1, || Some(about.clone().into_owned()));
        draft.offer_link(5, || is_web_address(&about).then(|| about.into_owned()));
    }
    // CDF puts the address on the item itself.
    if let Some(href) = tag.attribute(decoder, "href") {
        draft.offer_link(4, || base.absolute(&href, limits));
    }
    for element in elements {
        see(walk, element, &base, limits, &mut entry, &mut draft);
    }
    finish(walk, entry, draft, &base, limits)
}

#[expect(clippy::too_many_lines, reason = "one table of all vocabularies, to be read from top to bottom")]
fn see<'a>(walk: &Walk<'a>, element: &Element<'a>, base: &Base, limits: &Limits, entry: &mut Entry, draft: &mut Draft<'a>) {
    let decoder = &walk.decoder;
    let raw = || value(walk, element);
    match (element.space, element.name.as_str()) {
        (Space::Rss | Space::Atom, "title") => draft.title.offer(0, || title(walk, element)),
        (Space::Itunes | Space::GooglePlay, "title") => draft.title.offer(1, || title(walk, element)),
        (Space::DublinCore | Space::DublinCoreTerms, "title") => draft.title.offer(2, || title(walk, element)),
        (Space::Media, "title") => draft.title.offer(3, || title(walk, element)),

        (Space::Rss | Space::Atom, "link") => link(walk, element, base, limits, entry, draft),
        // FeedBurner and Pheedo put addresses of their own into `link`, and the item's own one here (PLATFORMS.md section 8).
        (Space::Other, "origlink") => {
            let original = raw().filter(|address| is_web_address(address) && is_usable(address));
            draft.original = draft.original.take().or_else(|| original.map(Cow::into_owned));
        }
        (Space::Rss, "guid") => {
            let id = tidy(decoder.markup(head(element.inner, VALUE_MAX)));
            if id.is_empty() {
                return;
            }
            // Without the attribute a guid is a permalink (RSS 2.0), if it looks like an address at all. One that says that
            // it is none never is (PLATFORMS.md section 10, 24).
            let permalink = element.attribute(decoder, "ispermalink").is_none_or(|value| !value.eq_ignore_ascii_case("false"));
            if permalink && is_web_address(&id) {
                draft.offer_link(2, || base.absolute(&id, limits));
            } else if permalink && !id.contains([' ', ':']) && element.attribute(decoder, "ispermalink").is_some() {
                draft.offer_link(3, || base.absolute(&id, limits));
            }
            draft.id.offer(0, || Some(id.into_owned()));
        }
        (Space::Atom | Space::Rss, "id") => draft.id.offer(0, || raw().map(Cow::into_owned)),
        (Space::DublinCore | Space::DublinCoreTerms, "identifier") => draft.id.offer(3, || raw().map(Cow::into_owned)),

        (Space::Rss, "pubdate" | "publicationdate") | (Space::Atom, "published") => published(draft, 0, raw()),
        (Space::Atom, "issued") => published(draft, 1, raw()),
        (Space::DublinCoreTerms, "issued") => published(draft, 2, raw()),
        (Space::DublinCore | Space::DublinCoreTerms, "date") => published(draft, 3, raw()),
        (Space::Rss, "date" | "published") => published(draft, 4, raw()),
        (Space::Atom | Space::DublinCoreTerms, "created") => published(draft, 5, raw()),
        (Space::DublinCoreTerms, "available" | "dateaccepted" | "datesubmitted") => published(draft, 6, raw()),
        (Space::Atom, "updated" | "modified") => draft.updated.offer(0, || date::read(&raw()?)),
        (Space::DublinCoreTerms, "modified") => draft.updated.offer(1, || date::read(&raw()?)),
        (Space::Rss, "updated" | "modified" | "lastmod") => draft.updated.offer(2, || date::read(&raw()?)),

        (Space::Atom | Space::Rss, "source") => {
            let inside = walk.inside(element);
            draft.source_authors = authors(walk, &inside);
        }
        (Space::Rss | Space::Atom, "category" | "subject") | (Space::DublinCore | Space::DublinCoreTerms, "subject") => {
            let term = if element.space == Space::Atom || element.inner.trim().is_empty() {
                element.attribute(decoder, "term").or_else(|| element.attribute(decoder, "label"))
            } else {
                None
            };
            if let Some(label) = term.or_else(raw).and_then(|text| self::name(&text)) {
                push_new(&mut entry.categories, label);
            }
        }
        (Space::Itunes, "category") => {
            if let Some(label) = element.attribute(decoder, "text").and_then(|text| self::name(&text)) {
                push_new(&mut entry.categories, label);
            }
        }
        (Space::Itunes | Space::Media, "keywords") => {
            for label in raw().as_deref().unwrap_or("").split(',').filter_map(self::name) {
                push_new(&mut entry.categories, label);
            }
        }
        (Space::Media, "category") => {
            if let Some(label) = raw().and_then(|text| self::name(&text)) {
                push_new(&mut entry.categories, label);
            }
        }

        (Space::Rss | Space::Enclosure, "enclosure") => {
            let url = element
                .attribute(decoder, "url")
                .or_else(|| element.attribute(decoder, "resource"))
                .or_else(|| element.attribute(decoder, "href"));
            media(walk, element, url.or_else(raw), base, limits, entry);
        }
        (Space::Media, "content") => {
            media(walk, element, element.attribute(decoder, "url"), base, limits, entry);
            for child in walk.inside(element) {
                see_media(walk, &child, base, limits, entry, draft);
            }
        }
        (Space::Media, "group") => {
            for child in walk.inside(element) {
                if child.name.as_str() == "content" {
                    media(walk, &child, child.attribute(decoder, "url"), base, limits, entry);
                    for grandchild in walk.inside(&child) {
                        see_media(walk, &grandchild, base, limits, entry, draft);
                    }
                } else {
                    see_media(walk, &child, base, limits, entry, draft);
                }
            }
        }
        (Space::Media, _) => see_media(walk, element, base, limits, entry, draft),
        (Space::Itunes | Space::GooglePlay, "duration") => entry.duration_s = raw().and_then(|text| duration(&text)).or(entry.duration_s),
        (Space::Itunes, "episodetype") => {
            // `full` and `bonus` are episodes like any other.
            if raw().is_some_and(|kind| kind.eq_ignore_ascii_case("trailer")) {
                entry.kind = Some(ActivityKind::Trailer);
            }
        }
        (Space::Youtube, "videoid") => draft.video_id = raw().map(Cow::into_owned),
        (Space::Slash, "comments") | (Space::Thread, "total") => entry.counts.comments = number(raw()).or(entry.counts.comments),

        (Space::DublinCore | Space::Rss, "language") => draft.language.offer(0, || language(&raw()?)),

        (Space::Content, "encoded") => body(draft, 0, element, Form::Html),
        (Space::Atom, "content") => {
            let form = atom_form(walk, element);
            if form != Form::Other && element.attribute(decoder, "src").is_none() {
                body(draft, 1, element, form);
            }
        }
        (Space::Xhtml, "body" | "div") => body(draft, 2, element, Form::Xhtml),
        (Space::Rss, "content" | "fulltext") => body(draft, 3, element, Form::Html),
        (Space::Rss, "description" | "abstract") => {
            summary(draft, 0, element, Form::Html);
            body(draft, 5, element, Form::Html);
        }
        (Space::Atom, "summary" | "tagline") => summary(draft, 0, element, atom_form(walk, element)),
        (Space::Rss, "summary") => summary(draft, 1, element, Form::Html),
        (Space::DublinCore | Space::DublinCoreTerms, "description" | "abstract") => summary(draft, 2, element, Form::Html),
        (Space::Itunes | Space::GooglePlay, "summary" | "description") => summary(draft, 3, element, Form::Html),
        (Space::Itunes, "subtitle") => summary(draft, 5, element, Form::Html),

        _ => {
            if let Some((rank, author)) = author(walk, element) {
                draft.authors.offer(rank, Some(author));
            }
        }
    }
}

/// What the media module says outside of the file itself.
fn see_media<'a>(walk: &Walk<'a>, element: &Element<'a>, base: &Base, limits: &Limits, entry: &mut Entry, draft: &mut Draft<'a>) {
    let decoder = &walk.decoder;
    if element.space != Space::Media {
        return;
    }
    match element.name.as_str() {
        "title" => draft.title.offer(3, || title(walk, element)),
        "description" => summary(draft, 4, element, Form::Html),
        "player" => draft.offer_link(7, || element.attribute(decoder, "url").and_then(|url| base.absolute(&url, limits))),
        "credit" => {
            let role = element.attribute(decoder, "role");
            if role.as_deref().is_none_or(|role| role.eq_ignore_ascii_case("author")) {
                draft.authors.offer(5, label(walk, element).map(|name| Author { name, ..Author::default() }));
            }
        }
        "keywords" => {
            for label in value(walk, element).as_deref().unwrap_or("").split(',').filter_map(name) {
                push_new(&mut entry.categories, label);
            }
        }
        "community" => {
            for child in walk.inside(element) {
                see_counts(walk, &child, entry);
            }
        }
        _ => see_counts(walk, element, entry),
    }
}

fn see_counts(walk: &Walk<'_>, element: &Element<'_>, entry: &mut Entry) {
    match element.name.as_str() {
        "statistics" => entry.counts.views = number(element.attribute(&walk.decoder, "views")).or(entry.counts.views),
        "starrating" => entry.counts.likes = number(element.attribute(&walk.decoder, "count")).or(entry.counts.likes),
        _ => {}
    }
}

fn published(draft: &mut Draft<'_>, rank: u8, raw: Option<Cow<'_, str>>) {
    let Some(raw) = raw else { return };
    let shown = || text::cut(&text::collapse(raw.get(..raw.floor_char_boundary(400)).unwrap_or("")), 100).into_owned();
    draft.published.offer(rank, || date::read(&raw).map(|stamp| (stamp, shown())));
    if draft.published_raw.is_none() {
        draft.published_raw = Some(shown());
    }
}

fn summary<'a>(draft: &mut Draft<'a>, rank: u8, element: &Element<'a>, form: Form) {
    if rank < draft.summary.rank && !element.inner.trim().is_empty() && form != Form::Other {
        draft.summary = Best { rank, value: Some(*element) };
        draft.summary_form = Some(form);
    }
}

fn body<'a>(draft: &mut Draft<'a>, rank: u8, element: &Element<'a>, form: Form) {
    draft.body.offer(rank, || (!element.inner.trim().is_empty()).then_some(Body { element: *element, form }));
}

fn link(walk: &Walk<'_>, element: &Element<'_>, base: &Base, limits: &Limits, entry: &mut Entry, draft: &mut Draft<'_>) {
    let decoder = &walk.decoder;
    let base = base.within(element.qualified(decoder, "xml:base").as_deref());
    let href = element.attribute(decoder, "href");
    let rel = element.attribute(decoder, "rel");
    if href.is_none() && rel.is_none() {
        // RSS: the address is the text. Careless Atom feeds do the same.
        let rank = u8::from(element.space != Space::Rss);
        draft.offer_link(rank, || value(walk, element).and_then(|text| base.absolute(&text, limits)));
        return;
    }
    let Some(href) = href.or_else(|| value(walk, element)) else { return };
    let exact = rel.as_deref().is_none_or(|rel| rel.ends_with("alternate"));
    let rel = rel.map_or(Cow::Borrowed("alternate"), |rel| rel.to_ascii_lowercase().into());
    let rel = rel.rsplit_once('/').filter(|_| rel.contains("iana.org")).map_or(&*rel, |(_, name)| name);
    let kind = element.attribute(decoder, "type").map(|kind| kind.to_ascii_lowercase());
    match rel {
        "alternate" => {
            // A page for people comes before other forms of the same.
            let page = kind.as_deref().is_none_or(|kind| kind.contains("html") || kind == "text");
            // In RSS the element of RSS itself comes first.
            let foreign = element.space == Space::Atom && walk.dialect == Dialect::Rss;
            draft.offer_link(u8::from(!page || !exact || foreign), || base.absolute(&href, limits));
        }
        "enclosure" => media(walk, element, Some(href), &base, limits, entry),
        "replies" => {
            let count = attribute_number(walk, element, "count");
            entry.counts.comments = entry.counts.comments.or(count);
        }
        "self" => draft.offer_link(9, || base.absolute(&href, limits)),
        "related" | "via" => draft.offer_link(8, || base.absolute(&href, limits)),
        _ => {}
    }
}

fn attribute_number(walk: &Walk<'_>, element: &Element<'_>, name: &str) -> Option<u64> {
    number(element.attribute(&walk.decoder, name))
}

fn media(walk: &Walk<'_>, element: &Element<'_>, url: Option<Cow<'_, str>>, base: &Base, limits: &Limits, entry: &mut Entry) {
    let Some(url) = url.and_then(|url| base.absolute(&url, limits)) else { return };
    let decoder = &walk.decoder;
    let length =
        attribute_number(walk, element, "length").or_else(|| attribute_number(walk, element, "filesize")).filter(|length| *length > 0);
    let mime = element.attribute(decoder, "type").map(|mime| text::cut(&text::collapse(&mime), 100).into_owned());
    let duration_s = element.attribute(decoder, "duration").and_then(|text| duration(&text));
    if let Some(known) = entry.media.iter_mut().find(|known| known.url == url) {
        known.mime = known.mime.take().or(mime);
        known.length = known.length.or(length);
        known.duration_s = known.duration_s.or(duration_s);
        return;
    }
    if entry.media.len() < LIST_MAX {
        entry.media.push(Media { url, mime, length, duration_s });
    }
}

fn finish(walk: &Walk<'_>, mut entry: Entry, draft: Draft<'_>, base: &Base, limits: &Limits) -> Entry {
    entry.title = draft.title.value;
    entry.id = draft.id.value.map(|id| text::collapse(&id)).filter(|id| !id.is_empty() && id.len() <= ID_MAX);
    entry.link = draft.link.value;
    entry.canonical_url = draft.original;
    if entry.link.as_deref().is_none_or(|link| !is_usable(link)) && walk.dialect == Dialect::Atom {
        // An id that is an address is the best guess left; in Atom it often is the permalink.
        let id = entry.id.as_deref().filter(|id| is_web_address(id));
        entry.link = id.and_then(|id| base.absolute(id, limits)).or(entry.link);
    }
    if let Some((stamp, raw)) = draft.published.value {
        (entry.published, entry.zone_assumed, entry.published_raw) = (Some(stamp.at), stamp.zone_assumed, Some(raw));
    } else {
        entry.published_raw = draft.published_raw;
    }
    entry.updated = draft.updated.value.map(|stamp| stamp.at);
    entry.authors = if draft.authors.values.is_empty() { draft.source_authors } else { draft.authors.values };
    entry.language = draft.language.value;
    if let Some(id) = draft
        .video_id
        .filter(|id| (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
    {
        entry.platform_key = Some(format!("yt:{id}"));
    } else if let Some(key) = entry.id.as_deref().and_then(medium_key) {
        entry.platform_key = Some(key);
        // On a domain of its own, too, Medium says in each link how one came.
        entry.link = entry.link.map(|link| without_parameter(&link, "source"));
    }
    entry.duration_s = entry.duration_s.or_else(|| entry.media.iter().find_map(|media| media.duration_s));
    let own = |element: &Element<'_>| base.within(element.qualified(&walk.decoder, "xml:base").as_deref());
    let body_is_description = draft.body.rank == 5;
    if let Some(Body { element, form }) = draft.body.value {
        let content = read_body(walk, &element, form, &own(&element), limits);
        entry.content = Some(content).filter(|content| *content != Content::default());
    }
    if let (Some(content), Some(link)) = (&mut entry.content, &entry.link) {
        drop_own_name(content, link);
    }
    if let (Some(element), Some(form)) = (draft.summary.value, draft.summary_form) {
        let text = if body_is_description && draft.summary.rank == 0 {
            // The only text of the item: short, it is a summary; long, it is the body.
            let text = entry.content.as_ref().map_or("", |content| content.text.as_str());
            (text.chars().nth(TEASER_MAX).is_none()).then(|| text::collapse(text))
        } else {
            let inner = head(element.inner, BODY_MAX);
            let markup = match form {
                Form::Xhtml => Cow::Borrowed(inner),
                Form::Plain => walk.decoder.text(inner),
                _ => walk.decoder.markup(inner),
            };
            let text = if form == Form::Plain {
                text::collapse(markup.get(..markup.floor_char_boundary(SUMMARY_MAX * 4)).unwrap_or(""))
            } else {
                text::collapse(&text::html_to_text(&markup, SUMMARY_MAX * 4))
            };
            Some(text)
        };
        entry.summary = text.filter(|text| !text.is_empty()).map(|text| text::cut(&text, SUMMARY_MAX).into_owned());
    }
    entry
}

fn read_body(walk: &Walk<'_>, element: &Element<'_>, form: Form, base: &Base, limits: &Limits) -> Content {
    let inner = head(element.inner, BODY_MAX);
    let content = match form {
        Form::Plain => text::text_to_content(&walk.decoder.text(inner)),
        Form::Xhtml => text::html_to_content(inner, base.for_content(limits)),
        _ => text::html_to_content(&walk.decoder.markup(inner), base.for_content(limits)),
    };
    limits.spend(&content);
    content
}

/// An address without one parameter of its query; as it was where it has none.
pub(in crate::collect) fn without_parameter(address: &str, name: &str) -> String {
    let Ok(mut url) = Url::parse(address) else { return address.to_owned() };
    let Some(query) = url.query() else { return address.to_owned() };
    let kept: Vec<&str> = query.split('&').filter(|pair| pair.split('=').next() != Some(name)).collect();
    if kept.len() == query.split('&').count() {
        return address.to_owned();
    }
    let kept = kept.join("&");
    url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
    url.into()
}

/// Ghost names the site itself in a `ref` of every link that leads away from it (PLATFORMS.md section 4.4).
fn drop_own_name(content: &mut Content, link: &str) {
    let Some(host) = Url::parse(link).ok().and_then(|url| url.host_str().map(|host| host.trim_start_matches("www.").to_owned())) else {
        return;
    };
    for link in content.links.iter_mut().filter(|link| link.contains("ref=")) {
        let names_us = Url::parse(link)
            .is_ok_and(|url| url.query_pairs().any(|(name, value)| name == "ref" && value.trim_start_matches("www.") == host));
        if names_us {
            *link = without_parameter(link, "ref");
        }
    }
}

/// Medium's own identity: `https://medium.com/p/{hex}`, which outlives titles and domains.
fn medium_key(id: &str) -> Option<String> {
    let hex = id.strip_prefix("https://medium.com/p/").or_else(|| id.strip_prefix("http://medium.com/p/"))?;
    ((1..=16).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| format!("medium:{hex}"))
}
