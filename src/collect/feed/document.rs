//! Walks through a feed of any dialect and takes it apart: what belongs to the feed, and what to each item.
//!
//! In: the text of a document. Out: elements that borrow from it, named by namespace and local name, handed to
//! [`super::item`] item by item. Elements inside an item are cut out whole; whoever wants to know looks inside.

use std::borrow::Cow;

use super::xml::{Decoder, Scanner, Tag, Token, attributes};

/// The most elements that are kept of one item, and of the feed itself.
const ELEMENTS_MAX: usize = 2_000;
/// The most prefixes that are known at a time.
const PREFIXES_MAX: usize = 64;
/// How many bytes of a large document are looked at more than once because something is not closed.
const PATIENCE_MAX: usize = 4 * 1024 * 1024;
/// How many bytes are read of one value: a title, a name, an address. What is kept of it is far less.
pub(super) const VALUE_MAX: usize = 256 * 1024;
/// The longest name of an element that means anything here.
const NAME_MAX: usize = 24;

/// The vocabularies that mean something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// RSS of any version, or no namespace at all.
    Rss,
    Atom,
    DublinCore,
    DublinCoreTerms,
    Content,
    Media,
    Itunes,
    /// The podcast namespace.
    Podcast,
    GooglePlay,
    Youtube,
    Slash,
    Syndication,
    Thread,
    Rdf,
    Enclosure,
    Xhtml,
    Xml,
    Other,
}

/// What kind of document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// RSS 0.9x, 1.0, 2.0 and CDF.
    Rss,
    /// Atom 0.3 and 1.0.
    Atom,
}

/// A name in lower case, whatever case it was written in: feeds are careless about it.
#[derive(Clone, Copy)]
pub(super) struct Name([u8; NAME_MAX], usize);

impl Name {
    fn of(written: &str) -> Self {
        let mut bytes = [0; NAME_MAX];
        if written.len() > NAME_MAX || !written.is_ascii() {
            return Self(bytes, 0);
        }
        bytes[..written.len()].copy_from_slice(written.as_bytes());
        bytes.make_ascii_lowercase();
        Self(bytes, written.len())
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0[..self.1]).unwrap_or("")
    }
}

/// An element cut out of the document.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub space: Space,
    pub name: Name,
    attributes: &'a str,
    /// What stands between its tags, references not yet decoded.
    pub inner: &'a str,
}

impl<'a> Element<'a> {
    /// The value of an attribute by its local name, decoded and trimmed; `None` if missing or empty.
    pub(super) fn attribute(&self, decoder: &Decoder, wanted: &str) -> Option<Cow<'a, str>> {
        attribute(self.attributes, decoder, wanted)
    }

    /// The value of an attribute by its whole name (`xml:base`).
    pub(super) fn qualified(&self, decoder: &Decoder, wanted: &str) -> Option<Cow<'a, str>> {
        qualified(self.attributes, decoder, wanted)
    }
}

fn attribute<'a>(text: &'a str, decoder: &Decoder, wanted: &str) -> Option<Cow<'a, str>> {
    let local = |name: &'a str| name.rsplit_once(':').map_or(name, |(_, local)| local);
    attributes(text)
        .find(|(name, _)| !name.starts_with("xmlns") && local(name).eq_ignore_ascii_case(wanted))
        .map(|(_, value)| tidy(decoder.decode(head(value, VALUE_MAX))))
        .filter(|value| !value.is_empty())
}

fn qualified<'a>(text: &'a str, decoder: &Decoder, wanted: &str) -> Option<Cow<'a, str>> {
    attributes(text)
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| tidy(decoder.decode(head(value, VALUE_MAX))))
        .filter(|value| !value.is_empty())
}

/// The beginning of what a document says in one place: nothing that means anything is longer.
pub(super) fn head(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// Without blanks at its ends.
pub(super) fn tidy(value: Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(value.trim()),
        Cow::Owned(value) => Cow::Owned(value.trim().to_owned()),
    }
}

/// Which vocabulary a namespace name means. Schemes, ends and case are forgiven: people type these by hand.
fn space_of_uri(uri: &str) -> Option<Space> {
    let uri = uri.trim();
    let bare = uri.split_once("://").map_or(uri, |(_, rest)| rest).trim_end_matches(['/', '#']).to_ascii_lowercase();
    let bare = bare.strip_prefix("www.").unwrap_or(&bare);
    Some(match bare {
        ""
        | "purl.org/rss/1.0"
        | "my.netscape.com/rdf/simple/0.9"
        | "channel.netscape.com/rdf/simple/0.9"
        | "purl.org/net/rss1.1"
        | "backend.userland.com/rss2"
        | "backend.userland.com/rss"
        | "blogs.law.harvard.edu/tech/rss"
        | "cyber.law.harvard.edu/rss/rss.html"
        | "purl.org/rss/2.0"
        | "example.com/rss2"
        | "rssboard.org/rss-specification"
        | "backend.userland.com/rss092"
        | "backend.userland.com/rss091"
        | "cyber.harvard.edu/rss" => Space::Rss,
        "w3.org/2005/atom"
        | "purl.org/atom/ns"
        | "purl.org/atom"
        | "example.com/newformat"
        | "example.com/necho"
        | "purl.org/echo"
        | "uri/of/echo/namespace" => Space::Atom,
        "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" | "purl.org/dc" => Space::DublinCore,
        "purl.org/dc/terms" => Space::DublinCoreTerms,
        "purl.org/rss/1.0/modules/content" => Space::Content,
        "search.yahoo.com/mrss" | "tools.search.yahoo.com/mrss" | "search.yahoo.com/rss" => Space::Media,
        "itunes.com/dtds/podcast-1.0.dtd" | "example.com/dtds/podcast-1.0.dtd" => Space::Itunes,
        "podcastindex.org/namespace/1.0" => Space::Podcast,
        "google.com/schemas/play-podcasts/1.0" | "google.com/schemas/play-podcasts/1.0/play-podcasts.xsd" => Space::GooglePlay,
        "youtube.com/xml/schemas/2015" => Space::Youtube,
        "purl.org/rss/1.0/modules/slash" => Space::Slash,
        "purl.org/rss/1.0/modules/syndication" => Space::Syndication,
        "purl.org/syndication/thread/1.0" => Space::Thread,
        "w3.org/1999/02/22-rdf-syntax-ns" => Space::Rdf,
        "purl.oclc.org/net/rss_2.0/enc" => Space::Enclosure,
        "w3.org/1999/xhtml" => Space::Xhtml,
        "w3.org/xml/1998/namespace" => Space::Xml,
        // The namespace's documents lay there before it had a name.
        _ if bare.starts_with("github.com/podcastindex-org/podcast-namespace") => Space::Podcast,
        _ if bare.starts_with("purl.org/atom/ns") => Space::Atom,
        _ => return None,
    })
}

/// What a prefix means where its namespace is missing or misspelt.
fn space_of_prefix(prefix: &str) -> Space {
    match prefix.to_ascii_lowercase().as_str() {
        "rss" => Space::Rss,
        "atom" | "a10" => Space::Atom,
        "dc" => Space::DublinCore,
        "dcterms" => Space::DublinCoreTerms,
        "content" => Space::Content,
        "media" => Space::Media,
        "itunes" => Space::Itunes,
        "podcast" => Space::Podcast,
        "googleplay" => Space::GooglePlay,
        "yt" => Space::Youtube,
        "slash" => Space::Slash,
        "sy" => Space::Syndication,
        "thr" => Space::Thread,
        "rdf" => Space::Rdf,
        "enc" => Space::Enclosure,
        "xhtml" => Space::Xhtml,
        "xml" => Space::Xml,
        _ => Space::Other,
    }
}

/// The prefixes in force. The empty prefix is the default namespace.
#[derive(Default)]
struct Prefixes<'a> {
    known: Vec<(&'a str, Space)>,
}

impl<'a> Prefixes<'a> {
    fn declare(&mut self, tag: &Tag<'a>) {
        if !tag.attributes.contains("xmlns") {
            return;
        }
        for (name, uri) in attributes(tag.attributes) {
            let Some(prefix) = name.strip_prefix("xmlns") else { continue };
            let prefix = prefix.strip_prefix(':').unwrap_or(prefix);
            if self.known.len() >= PREFIXES_MAX {
                return;
            }
            // An unknown default namespace is somebody's own name for the feed's own elements.
            let unknown = || if prefix.is_empty() { Space::Rss } else { space_of_prefix(prefix) };
            self.known.push((prefix, space_of_uri(uri).unwrap_or_else(unknown)));
        }
    }

    fn space(&self, prefix: &str) -> Space {
        let declared = self.known.iter().rev().find(|(known, _)| *known == prefix).map(|(_, space)| *space);
        declared.unwrap_or_else(|| if prefix.is_empty() { Space::Rss } else { space_of_prefix(prefix) })
    }

    fn resolve(&self, written: &str) -> (Space, Name) {
        let (prefix, local) = written.split_once(':').unwrap_or(("", written));
        (self.space(prefix), Name::of(local))
    }
}

/// Takes what the walk finds.
pub(super) trait Visitor<'a> {
    /// An item or entry is complete. `attributes` are those of its own tag.
    fn item(&mut self, walk: &Walk<'a>, tag: &Element<'a>, elements: &[Element<'a>]);
}

/// A feed taken apart.
#[expect(clippy::struct_excessive_bools, reason = "independent findings, each told to the builder")]
pub(super) struct Walk<'a> {
    pub decoder: Decoder,
    pub dialect: Dialect,
    /// The tags of the containers around the items, outermost first, for their attributes.
    pub containers: Vec<Element<'a>>,
    /// The elements of the feed itself. Complete when the walk is over.
    pub feed: Vec<Element<'a>>,
    /// Something stood before the feed that does not belong there.
    pub noise_before: bool,
    /// The document ends before the feed does.
    pub cut_short: bool,
    /// It even ends within an item, before it is told what that is.
    pub cut_item: bool,
    /// An element was not closed where it should have been.
    pub unclosed: bool,
    /// Items were taken out of elements that should not hold any.
    pub items_dug_out: bool,
    /// The document's own element is that of a web page.
    pub html: bool,
    /// The feed's own element was found.
    pub found: bool,
    /// The name of the first element, for the sentence that says what it is instead.
    pub first_name: Option<&'a str>,
    /// The document ends within an element.
    cut_element: bool,
    /// Items count wherever they stand.
    items_anywhere: bool,
    prefixes: Prefixes<'a>,
    /// Bytes that may still be looked at in vain, for elements that are not closed.
    patience: usize,
}

impl<'a> Walk<'a> {
    /// Walks through a document and hands each item to the visitor. `items_anywhere` also takes items out of elements
    /// that should not hold any.
    pub(super) fn through(text: &'a str, items_anywhere: bool, visitor: &mut impl Visitor<'a>) -> Self {
        let mut walk = Self {
            decoder: Decoder::default(),
            dialect: Dialect::Rss,
            containers: Vec::new(),
            feed: Vec::new(),
            noise_before: false,
            cut_short: false,
            cut_item: false,
            unclosed: false,
            items_dug_out: false,
            html: false,
            found: false,
            first_name: None,
            cut_element: false,
            items_anywhere,
            prefixes: Prefixes::default(),
            patience: text.len().saturating_mul(4).min(text.len().saturating_add(PATIENCE_MAX)),
        };
        let mut scanner = Scanner::of(text);
        let Some(root) = walk.find_root(text, &mut scanner) else { return walk };
        walk.found = true;
        walk.body(root, &mut scanner, visitor);
        walk
    }

    /// Goes to the first element that is a feed.
    fn find_root(&mut self, text: &'a str, scanner: &mut Scanner<'a>) -> Option<Tag<'a>> {
        // What is written before any markup: blanks are forgiven, other things named.
        let head = text.trim_start();
        self.noise_before = !head.is_empty() && (head.len() < text.len() && head.starts_with("<?xml") || !head.starts_with('<'));
        for token in scanner.by_ref() {
            match token {
                Token::Doctype(doctype) => {
                    self.html |= doctype.trim_start().get(..4).is_some_and(|name| name.eq_ignore_ascii_case("html"));
                    self.decoder.declare(doctype);
                }
                Token::Start(tag) => {
                    let local = tag.name.rsplit_once(':').map_or(tag.name, |(_, local)| local);
                    let local = Name::of(local);
                    match local.as_str() {
                        "rss" | "feed" | "rdf" | "channel" => return Some(tag),
                        "entry" | "item" if self.first_name.is_none() => return Some(tag),
                        "html" => self.html = true,
                        "head" | "body" => self.html |= self.first_name.is_none(),
                        _ => {}
                    }
                    if self.html {
                        return None;
                    }
                    if self.first_name.is_none() {
                        self.first_name = Some(tag.name);
                    }
                    self.noise_before = true;
                }
                Token::Text(text) => self.noise_before |= !text.trim().is_empty(),
                _ => {}
            }
        }
        None
    }

    fn body(&mut self, root: Tag<'a>, scanner: &mut Scanner<'a>, visitor: &mut impl Visitor<'a>) {
        let root_name = root.name;
        let mut elements: Vec<Element<'a>> = Vec::new();
        let mut item: Option<(Element<'a>, usize)> = None;
        let mut next = Some(root);
        self.cut_short = !root.empty;
        loop {
            let tag = match next.take() {
                Some(tag) => tag,
                None => match scanner.next() {
                    None => break,
                    Some(Token::Start(tag)) => tag,
                    Some(Token::End(name)) => {
                        let (space, local) = self.prefixes.resolve(name);
                        match local.as_str() {
                            "item" | "entry" if is_container(space) => self.end_item(&mut item, &mut elements, visitor),
                            "channel" | "feed" | "rss" | "rdf" if is_container(space) => {
                                self.unclosed |= item.is_some();
                                self.end_item(&mut item, &mut elements, visitor);
                            }
                            _ => {}
                        }
                        if name == root_name {
                            self.cut_short = false;
                            break;
                        }
                        continue;
                    }
                    Some(_) => continue,
                },
            };
            let (is_item, container) = {
                let before = self.prefixes.known.len();
                self.prefixes.declare(&tag);
                let (space, name) = self.prefixes.resolve(tag.name);
                let native = is_container(space);
                let is_item = native && matches!(name.as_str(), "item" | "entry");
                let container = native && matches!(name.as_str(), "rss" | "feed" | "rdf" | "channel");
                if !is_item && !container {
                    self.prefixes.known.truncate(before);
                }
                (is_item.then_some((space, name, before)), container.then_some((space, name)))
            };
            if let Some((space, name, before)) = is_item {
                if item.is_some() {
                    self.unclosed = true;
                    if tag.empty {
                        // `<item/>` inside an item says nothing.
                        self.prefixes.known.truncate(before);
                        continue;
                    }
                }
                self.end_item(&mut item, &mut elements, visitor);
                if self.containers.is_empty() {
                    self.dialect = if name.as_str() == "entry" { Dialect::Atom } else { Dialect::Rss };
                }
                item = Some((Element { space, name, attributes: tag.attributes, inner: "" }, before));
                if tag.empty {
                    self.end_item(&mut item, &mut elements, visitor);
                }
            } else if let Some((space, name)) = container {
                if name.as_str() == "feed" {
                    self.dialect = Dialect::Atom;
                }
                if self.containers.len() < 8 {
                    self.containers.push(Element { space, name, attributes: tag.attributes, inner: "" });
                }
            } else {
                let count = if item.is_some() { elements.len() } else { self.feed.len() };
                if count < ELEMENTS_MAX {
                    let element = self.take(tag, scanner);
                    if item.is_some() { elements.push(element) } else { self.feed.push(element) }
                }
            }
        }
        self.cut_item = item.is_some() && !self.is_told(&elements);
        self.end_item(&mut item, &mut elements, visitor);
    }

    /// Whether the elements that are there of an item, with which the document ends, say what it is: what is missing may be
    /// some of its text, but none of its title, address or date.
    fn is_told(&self, elements: &[Element<'a>]) -> bool {
        let is_text = |element: &Element<'a>| matches!(element.name.as_str(), "description" | "encoded" | "content" | "summary");
        let (last, whole) = match elements.split_last() {
            Some((last, whole)) if self.cut_element => (Some(last), whole),
            _ => (None, elements),
        };
        let has = |names: &[&str]| whole.iter().any(|element| names.contains(&element.name.as_str()));
        has(&["link", "guid", "id"]) && last.is_none_or(is_text) && (has(&["title"]) || last.is_some())
    }

    fn end_item(&mut self, item: &mut Option<(Element<'a>, usize)>, elements: &mut Vec<Element<'a>>, visitor: &mut impl Visitor<'a>) {
        if let Some((tag, prefixes)) = item.take() {
            visitor.item(self, &tag, elements);
            elements.clear();
            self.prefixes.known.truncate(prefixes);
        }
    }

    /// Cuts out an element whose start tag was just read, and goes on behind it.
    fn take(&mut self, tag: Tag<'a>, scanner: &mut Scanner<'a>) -> Element<'a> {
        let before = self.prefixes.known.len();
        self.prefixes.declare(&tag);
        let (space, name) = self.prefixes.resolve(tag.name);
        self.prefixes.known.truncate(before);
        // The feed's own elements are Atom's in an Atom feed without a namespace.
        let space = if space == Space::Rss && self.dialect == Dialect::Atom { Space::Atom } else { space };
        let mut element = Element { space, name, attributes: tag.attributes, inner: "" };
        if tag.empty {
            return element;
        }
        let start = scanner.offset();
        let mut first_tag = None;
        let mut open = 1_u32;
        // Items inside an element that is closed are that element's own affair: samples, copies, conflicts.
        let (mut items_open, mut items_seen, mut dug) = (0_u32, false, false);
        if self.patience > 0 {
            let mut look = scanner.clone();
            loop {
                let at = look.offset();
                let Some(token) = look.next() else {
                    // The document ends inside: if this is text, all of it belongs here.
                    let whole = first_tag.is_none() || matches!(name.as_str(), "description" | "encoded" | "content" | "summary");
                    if whole && !items_seen {
                        element.inner = scanner.slice(start, at);
                        scanner.go_to(at);
                        self.cut_short = true;
                        self.cut_element = true;
                        return element;
                    }
                    break;
                };
                match token {
                    Token::Start(inner) => {
                        first_tag.get_or_insert(at);
                        if inner.name == tag.name {
                            open += u32::from(!inner.empty);
                        } else if self.is_item_name(inner.name) {
                            if self.items_anywhere {
                                self.items_dug_out = true;
                                dug = true;
                                break;
                            }
                            items_seen = true;
                            items_open += u32::from(!inner.empty);
                        }
                    }
                    Token::End(inner) => {
                        first_tag.get_or_insert(at);
                        if inner == tag.name {
                            open -= 1;
                            if open == 0 {
                                element.inner = scanner.slice(start, at);
                                *scanner = look;
                                return element;
                            }
                        } else if self.is_item_name(inner) {
                            if items_open == 0 {
                                break;
                            }
                            items_open -= 1;
                        } else if self.containers.iter().any(|container| is_named(container, inner)) {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            self.patience = self.patience.saturating_sub(look.offset() - start);
        }
        // Never closed: only the text up to the next tag is its own.
        self.unclosed |= !dug;
        let end = first_tag.unwrap_or_else(|| {
            let mut look = scanner.clone();
            loop {
                let at = look.offset();
                if !matches!(look.next(), Some(Token::Text(_) | Token::CData(_) | Token::Doctype(_))) {
                    break at;
                }
            }
        });
        element.inner = scanner.slice(start, end);
        scanner.go_to(end);
        element
    }

    fn is_item_name(&self, written: &str) -> bool {
        let local = written.rsplit_once(':').map_or(written, |(_, local)| local);
        if !local.eq_ignore_ascii_case("item") && !local.eq_ignore_ascii_case("entry") {
            return false;
        }
        is_container(self.prefixes.resolve(written).0)
    }

    /// The elements inside an element.
    pub(super) fn inside(&self, element: &Element<'a>) -> Vec<Element<'a>> {
        let mut inside = Vec::new();
        if !element.inner.contains('<') {
            return inside;
        }
        let mut scanner = Scanner::of(element.inner);
        let mut patience = element.inner.len().saturating_mul(4);
        while let Some(token) = scanner.next() {
            let Token::Start(tag) = token else { continue };
            if inside.len() >= ELEMENTS_MAX {
                break;
            }
            let (mut space, name) = self.prefixes.resolve(tag.name);
            // Without a prefix of its own, a child speaks its parent's language.
            if space == Space::Rss && !tag.name.contains(':') {
                space = element.space;
            }
            let mut child = Element { space, name, attributes: tag.attributes, inner: "" };
            if !tag.empty && patience > 0 {
                let start = scanner.offset();
                let mut open = 1_u32;
                let mut look = scanner.clone();
                loop {
                    let at = look.offset();
                    match look.next() {
                        None => {
                            patience = patience.saturating_sub(at - start);
                            break;
                        }
                        Some(Token::Start(inner)) if inner.name == tag.name => open += u32::from(!inner.empty),
                        Some(Token::End(inner)) if inner == tag.name => {
                            open -= 1;
                            if open == 0 {
                                child.inner = scanner.slice(start, at);
                                scanner = look;
                                break;
                            }
                        }
                        Some(_) => {}
                    }
                }
            }
            inside.push(child);
        }
        inside
    }
}

/// Whether a vocabulary is that of feeds themselves.
fn is_container(space: Space) -> bool {
    matches!(space, Space::Rss | Space::Atom | Space::Rdf)
}

fn is_named(container: &Element<'_>, written: &str) -> bool {
    let local = written.rsplit_once(':').map_or(written, |(_, local)| local);
    local.eq_ignore_ascii_case(container.name.as_str())
}
