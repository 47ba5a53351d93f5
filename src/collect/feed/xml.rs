//! Cuts XML into tags and text, as strict as it must be and as forgiving as it can be: it never fails.
//!
//! In: a text. Out: tokens that borrow from it. Each byte is looked at a bounded number of times, and nothing recurses,
//! so that no document can make it slow. What a document means is left to its neighbors.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use memchr::memchr;

use crate::text::{self, Decoded};

/// The most bytes that declared entities may add to one document.
const EXPANSION_MAX: usize = 256 * 1024;
/// The most entities that are kept, and the longest value of one.
const ENTITIES_MAX: usize = 500;
const ENTITY_LEN_MAX: usize = 4096;

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'a> {
    /// The name as written, with its prefix.
    pub name: &'a str,
    pub attributes: &'a str,
    /// `<name/>`
    pub empty: bool,
}

/// A piece of XML.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'a> {
    Start(Tag<'a>),
    /// The name of an end tag.
    End(&'a str),
    /// References not yet decoded.
    Text(&'a str),
    /// Text as it is.
    CData(&'a str),
    /// A document type declaration, without its brackets.
    Doctype(&'a str),
}

/// The tokens of a text, in order. Comments and processing instructions are left out.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// A search for these has run to the end in vain: it need not be made again.
    no_comment_end: bool,
    no_cdata_end: bool,
    doctype_seen: bool,
    no_quote: [bool; 2],
}

impl<'a> Scanner<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0, no_comment_end: false, no_cdata_end: false, doctype_seen: false, no_quote: [false; 2] }
    }

    /// Where the next token begins.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Goes to a place where a token begins.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text between two places.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    /// What begins with `<!`: true if it was skipped, else a token.
    fn declaration(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(inner) = rest.strip_prefix("<!--") {
            if !self.no_comment_end {
                if let Some(end) = find_end(inner, b'-', "-->") {
                    self.at = start + 4 + end + 3;
                    return None;
                }
                self.no_comment_end = true;
            }
            self.at = start + 4;
            return None;
        }
        if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            let found = if self.no_cdata_end { None } else { find_end(inner, b']', "]]>") };
            if let Some(end) = found {
                self.at = start + 9 + end + 3;
                return Some(Token::CData(&inner[..end]));
            }
            // Never closed: what follows, up to the tags after it, is the text.
            self.no_cdata_end = true;
            self.at = start + 9;
            return None;
        }
        // A document has one at most; a second is skipped like anything unknown.
        if !self.doctype_seen && rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
            self.doctype_seen = true;
            // Quotation marks without their fellows: the plain end is taken.
            let end = doctype_end(rest).or_else(|| rest.find("]>").map(|at| at + 1)).or_else(|| rest.find('>')).unwrap_or(9);
            self.at = start + end + usize::from(rest.as_bytes().get(end) == Some(&b'>'));
            return Some(Token::Doctype(&rest[9..end.max(9)]));
        }
        self.at = rest.find('>').map_or(self.text.len(), |end| start + end + 1);
        None
    }

    /// The end of the tag whose attributes begin at `from`: the place of its `>`, or of the `<` before which it broke off.
    fn tag_end(&mut self, from: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            match bytes[at] {
                b'>' | b'<' => return at,
                quote @ (b'"' | b'\'') if bytes[from..at].iter().rev().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'=') => {
                    at += 1;
                    let seen = &mut self.no_quote[usize::from(quote == b'"')];
                    if *seen {
                        continue;
                    }
                    match memchr(quote, &bytes[at..]) {
                        None => *seen = true,
                        Some(len) => {
                            let value = &self.text[at..at + len];
                            // No value holds `<`: where one seems to, its quotation mark is missing, if the tag ends first.
                            if value.find('<').is_some_and(|open| value[..open].contains('>') && value.contains('=')) {
                                continue;
                            }
                            at += len + 1;
                        }
                    }
                }
                _ => at += 1,
            }
        }
        at
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            let start = self.at;
            let mut open = start;
            // A `<` that begins no markup is text.
            loop {
                match memchr(b'<', &bytes[open..]) {
                    None => {
                        self.at = bytes.len();
                        return Some(Token::Text(&self.text[start..]));
                    }
                    Some(found) => open += found,
                }
                match bytes.get(open + 1) {
                    Some(b'!' | b'?') => break,
                    Some(byte) if is_name_start(*byte) => break,
                    Some(b'/') if bytes.get(open + 2).is_some_and(|byte| is_name_start(*byte)) => break,
                    _ => open += 1,
                }
            }
            if open > start {
                self.at = open;
                return Some(Token::Text(&self.text[start..open]));
            }
            match bytes[open + 1] {
                b'!' => {
                    if let Some(token) = self.declaration() {
                        return Some(token);
                    }
                }
                b'?' => self.at = self.text[open..].find('>').map_or(bytes.len(), |end| open + end + 1),
                b'/' => {
                    let name = &self.text[open + 2..name_end(bytes, open + 2)];
                    let end = name_end(bytes, open + 2);
                    let close = end + bytes[end..].iter().position(|byte| matches!(byte, b'>' | b'<')).unwrap_or(bytes.len() - end);
                    self.at = close + usize::from(bytes.get(close) == Some(&b'>'));
                    return Some(Token::End(name));
                }
                _ => {
                    let end = name_end(bytes, open + 1);
                    let close = self.tag_end(end);
                    let name = &self.text[open + 1..end];
                    let attributes = &self.text[end..close];
                    self.at = close + usize::from(bytes.get(close) == Some(&b'>'));
                    let (attributes, empty) = match attributes.strip_suffix('/') {
                        Some(attributes) => (attributes, true),
                        None => (attributes, false),
                    };
                    return Some(Token::Start(Tag { name, attributes, empty }));
                }
            }
        }
        None
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || byte >= 0x80
}

fn name_end(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..]
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'<' | b'=' | b'"' | b'\''))
        .unwrap_or(bytes.len() - from)
}

/// Finds a closing mark by its rare first character.
fn find_end(text: &str, first: u8, mark: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(first, &text.as_bytes()[at..])?;
        if text.as_bytes()[at..].starts_with(mark.as_bytes()) {
            return Some(at);
        }
        at += 1;
    }
}

/// Where a document type declaration ends, its internal subset included.
fn doctype_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut inside, mut at) = (false, 9);
    // Once a comment is not closed, no later one is: the search need not be made again.
    let mut comments_end = true;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at += 1 + bytes[at + 1..].iter().position(|byte| *byte == quote)?,
            b'<' if comments_end && bytes[at..].starts_with(b"<!--") => {
                let end = find_end(&text[at + 4..], b'-', "-->");
                comments_end = end.is_some();
                at += 3 + end.unwrap_or(0);
            }
            b'[' => inside = true,
            b']' => inside = false,
            b'>' if !inside => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The attributes of a tag, values not yet decoded.
pub(super) fn attributes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '"' | '\'' | '='));
            if rest.is_empty() {
                return None;
            }
            let (name, after) = rest.split_at(rest.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(rest.len()));
            let after = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
            let Some(value) = after.strip_prefix('=') else {
                rest = after;
                continue;
            };
            let value = value.trim_start_matches(|c: char| c.is_ascii_whitespace());
            let (value, after) = match value.as_bytes().first() {
                Some(quote @ (b'"' | b'\'')) => {
                    let inner = &value[1..];
                    inner.split_once(char::from(*quote)).unwrap_or((inner, ""))
                }
                _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
            };
            rest = after;
            return Some((name, value));
        }
    })
}

/// The entities that a document declares, and what decoding met on its way.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    entities: HashMap<String, String>,
    /// Bytes that entities may still add.
    budget: Cell<usize>,
    pub stray_ampersand: Cell<bool>,
    pub undeclared_name: Cell<bool>,
    pub entity_refused: Cell<bool>,
}

impl Decoder {
    /// Takes the entities of a document type declaration whose values hold no reference, which cannot grow.
    pub(super) fn declare(&mut self, doctype: &str) {
        self.budget.set(EXPANSION_MAX);
        let mut rest = doctype;
        while let Some(at) = rest.find("<!ENTITY") {
            rest = rest[at + 8..].trim_start();
            let Some((name, after)) = rest.split_once(|c: char| c.is_whitespace()) else { return };
            rest = after.trim_start();
            let Some(quote @ ('"' | '\'')) = rest.chars().next() else { continue };
            let Some((value, after)) = rest[1..].split_once(quote) else { return };
            rest = after;
            if self.entities.len() < ENTITIES_MAX && value.len() <= ENTITY_LEN_MAX && name.len() <= 64 && !value.contains(['&', '%', '<']) {
                // The first declaration of a name counts (XML 1.0 section 4.2).
                self.entities.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    }

    fn entity(&self, name: &str) -> Option<&str> {
        let value = self.entities.get(name)?;
        let Some(left) = self.budget.get().checked_sub(value.len()) else {
            self.entity_refused.set(true);
            return None;
        };
        self.budget.set(left);
        Some(value)
    }

    /// Text with its references decoded once. What is no reference stays as it is.
    pub(super) fn decode<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        let Some(first) = memchr(b'&', raw.as_bytes()) else { return Cow::Borrowed(raw) };
        let mut out = String::with_capacity(raw.len());
        out.push_str(&raw[..first]);
        let mut rest = &raw[first..];
        while !rest.is_empty() {
            let len = self.reference(rest, &mut out);
            rest = &rest[len..];
            let next = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
            out.push_str(&rest[..next]);
            rest = &rest[next..];
        }
        Cow::Owned(out)
    }

    /// Appends what the reference at the beginning of a text stands for, and says how long it is.
    fn reference(&self, text: &str, out: &mut String) -> usize {
        // The five of XML are by far the most frequent.
        let (c, len) = match text.as_bytes() {
            [b'&', b'l', b't', b';', ..] => ('<', 4),
            [b'&', b'g', b't', b';', ..] => ('>', 4),
            [b'&', b'a', b'm', b'p', b';', ..] => ('&', 5),
            [b'&', b'q', b'u', b'o', b't', b';', ..] => ('"', 6),
            [b'&', b'a', b'p', b'o', b's', b';', ..] => ('\'', 6),
            _ => (' ', 0),
        };
        if len > 0 {
            out.push(c);
            return len;
        }
        if !self.entities.is_empty() {
            let len =
                text[1..].bytes().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')).count();
            if text.as_bytes().get(len + 1) == Some(&b';')
                && let Some(value) = self.entity(&text[1..=len])
            {
                out.push_str(value);
                return len + 2;
            }
        }
        if let Some((decoded, len)) = text::reference(text) {
            if matches!(decoded, Decoded::Text(_)) {
                self.undeclared_name.set(true);
            }
            decoded.push_to(out);
            return len;
        }
        self.stray_ampersand.set(true);
        out.push('&');
        1
    }

    /// The text of an element's inside: elements dropped, their words kept, references decoded once.
    pub(super) fn text<'a>(&self, inner: &'a str) -> Cow<'a, str> {
        if memchr(b'<', inner.as_bytes()).is_none() {
            return self.decode(inner);
        }
        self.gather(inner, false)
    }

    /// The markup that an element holds: text decoded once, child elements as they stand.
    pub(super) fn markup<'a>(&self, inner: &'a str) -> Cow<'a, str> {
        if memchr(b'<', inner.as_bytes()).is_none() {
            return self.decode(inner);
        }
        self.gather(inner, true)
    }

    fn gather<'a>(&self, inner: &'a str, keep_tags: bool) -> Cow<'a, str> {
        let mut scanner = Scanner::of(inner);
        let mut out: Cow<'a, str> = Cow::Borrowed("");
        loop {
            let start = scanner.offset();
            let Some(token) = scanner.next() else { return out };
            let piece = match token {
                Token::Text(raw) => self.decode(raw),
                Token::CData(text) => Cow::Borrowed(text),
                Token::Start(_) | Token::End(_) if keep_tags => Cow::Borrowed(inner[start..scanner.offset()].trim_start()),
                _ => continue,
            };
            // White space around a section of CDATA is none of its text.
            if out.trim().is_empty() {
                out = piece;
            } else if !piece.is_empty() {
                out.to_mut().push_str(&piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(xml: &str) -> String {
        Scanner::of(xml)
            .map(|token| match token {
                Token::Start(tag) => format!("[{}{}{}]", tag.name, tag.attributes, if tag.empty { "/" } else { "" }),
                Token::End(name) => format!("[/{name}]"),
                Token::Text(text) => text.to_owned(),
                Token::CData(text) => format!("{{{text}}}"),
                Token::Doctype(text) => format!("(doctype{text})"),
            })
            .collect()
    }

    #[test]
    fn tokens_are_told_apart_whatever_is_broken() {
        for (xml, wanted) in [
            ("<?xml version='1.0'?><a b='1'>x<c/></a>", "[a b='1']x[c/][/a]"),
            ("<a><![CDATA[1 < 2 ]] > 3]]></a>", "[a]{1 < 2 ]] > 3}[/a]"),
            ("<a>1 < 2 && 3 <4</a>", "[a]1 < 2 && 3 <4[/a]"),
            ("<a b='x>y' c=\"'\">z</a>", "[a b='x>y' c=\"'\"]z[/a]"),
            ("<a b=\"x><c>d</c><e f=\"g\">", "[a b=\"x][c]d[/c][e f=\"g\"]"),
            ("<a <b>x</b>", "[a ][b]x[/b]"),
            ("x<!-- <a> -->y<!-- never closed <a>z", "xy never closed [a]z"),
            ("<a><![CDATA[cut off <b>x", "[a]cut off [b]x"),
            ("<!DOCTYPE rss [<!ENTITY a \"]>\">]><a>", "(doctype rss [<!ENTITY a \"]>\">])[a]"),
            ("<a", "[a]"),
            ("</a></b", "[/a][/b]"),
        ] {
            assert_eq!(shown(xml), wanted, "{xml}");
        }
    }

    #[test]
    fn attributes_are_read_in_any_dress() {
        let read: Vec<_> = attributes(" a = '1' b=2 é=\"x y\" lone c:d=\"\" e='cut").collect();
        assert_eq!(read, [("a", "1"), ("b", "2"), ("é", "x y"), ("c:d", ""), ("e", "cut")]);
    }

    #[test]
    fn entities_without_references_are_expanded_within_a_budget() {
        let mut decoder = Decoder::default();
        decoder.declare("rss [<!ENTITY a 'lamp'><!ENTITY b '&a;&a;'><!ENTITY % c 'x'><!ENTITY big \"oooooooooooooooo\">]");
        assert_eq!(decoder.decode("&a; &b; &c; &amp;a; &nbsp;& x"), "lamp &b; &c; &a; \u{A0}& x");
        assert!(decoder.stray_ampersand.get() && decoder.undeclared_name.get() && !decoder.entity_refused.get());
        assert!(decoder.decode(&"&big;".repeat(100_000)).len() < 1_000_000);
        assert!(decoder.entity_refused.get());
    }

    #[test]
    fn the_inside_of_an_element_as_text_and_as_markup() {
        let decoder = Decoder::default();
        let inner = "\n <![CDATA[a <i>b</i>]]> &lt;c&gt; <b>d</b>";
        assert_eq!(decoder.text(inner), "a <i>b</i> <c> d");
        assert_eq!(decoder.markup(inner), "a <i>b</i> <c> <b>d</b>");
    }

    proptest! {
        #[test]
        fn every_text_is_cut_to_its_end(xml in "[<>!?/&;a-b \"'=x\\[\\]\\-CDATé]{0,60}") {
            let decoder = Decoder::default();
            for token in Scanner::of(&xml) {
                if let Token::Start(tag) = token {
                    attributes(tag.attributes).count();
                }
            }
            decoder.markup(&xml);
        }
    }
}
