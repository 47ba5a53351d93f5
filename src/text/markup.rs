//! Cuts HTML into tags and the text between them. It never fails: what is no tag is text.

use memchr::{memchr, memchr3};

/// A tag of HTML.
pub(super) struct Tag<'a> {
    /// As written, without a prefix (`xhtml:p`); compare without regard to case.
    pub name: &'a str,
    pub attributes: &'a str,
    pub closing: bool,
}

impl<'a> Tag<'a> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The name in lower case, if it is short enough to mean anything.
    pub(super) fn lower<'b>(&self, buffer: &'b mut [u8; 16]) -> &'b str {
        let Some(place) = buffer.get_mut(..self.name.len()) else { return "" };
        place.copy_from_slice(self.name.as_bytes());
        place.make_ascii_lowercase();
        std::str::from_utf8(place).unwrap_or("")
    }

    /// The value of an attribute, its references not yet decoded.
    pub(super) fn attribute(&self, wanted: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            // A stray `=` begins a name, as in browsers, so that the loop always moves on.
            let name_end = rest
                .char_indices()
                .skip(1)
                .find(|(_, c)| c.is_ascii_whitespace() || matches!(c, '=' | '/'))
                .map_or(rest.len(), |(at, _)| at);
            let (name, after) = rest.split_at(name_end);
            let after = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
            let Some(value) = after.strip_prefix('=') else {
                if name.eq_ignore_ascii_case(wanted) {
                    return Some("");
                }
                rest = after;
                continue;
            };
            let value = value.trim_start_matches(|c: char| c.is_ascii_whitespace());
            let (value, after) = match value.as_bytes().first() {
                Some(quote @ (b'"' | b'\'')) => {
                    let inner = &value[1..];
                    match inner.find(char::from(*quote)) {
                        Some(end) => (&inner[..end], &inner[end + 1..]),
                        None => (inner, ""),
                    }
                }
                _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
            rest = after;
        }
    }
}

/// What the attributes of a tag look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    /// There are none.
    Bare,
    /// All have names as HTML has them; the first has a value.
    Named,
    /// No tag of HTML looks like this.
    Odd,
}

impl Tag<'_> {
    /// What the attributes look like.
    pub(super) fn dress(&self) -> Dress {
        let mut rest = self.attributes.trim_ascii_start().trim_end_matches(['/', ' ', '\t', '\n', '\r']);
        if rest.is_empty() {
            return Dress::Bare;
        }
        let mut is_first = true;
        while !rest.is_empty() {
            let name =
                rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')).len();
            let after = rest[name..].trim_ascii_start();
            let value = after.strip_prefix('=').map(str::trim_ascii_start);
            if self.closing || !rest.starts_with(|c: char| c.is_ascii_alphabetic()) || is_first && value.is_none() {
                return Dress::Odd;
            }
            is_first = false;
            rest = match value.map(|value| (value, value.as_bytes().first())) {
                None => after,
                Some((value, Some(quote @ (b'"' | b'\'')))) => match value[1..].split_once(char::from(*quote)) {
                    Some((_, after)) => after.trim_ascii_start(),
                    None => return Dress::Odd,
                },
                Some((value, _)) => {
                    let end = value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len());
                    if end == 0 || value[..end].contains(['<', '"', '\'', '=', '`']) && !value.contains("://") {
                        return Dress::Odd;
                    }
                    value[end..].trim_ascii_start()
                }
            };
        }
        Dress::Named
    }
}

/// A piece of HTML.
pub(super) enum Piece<'a> {
    /// References not yet decoded.
    Text(&'a str),
    Tag(Tag<'a>),
}

/// What is never shown, and what names it in [`Pieces::no_raw_end`].
const RAW: [&str; 3] = ["script", "style", "template"];

/// The pieces of a text, in order. Comments are left out; in pages also declarations, what stands in scripts and styles,
/// and a tag that the end of the text cuts off.
pub(super) struct Pieces<'a> {
    text: &'a str,
    at: usize,
    /// A whole page or body, not a line that may speak of tags.
    page: bool,
    /// Once a search for these has run to the end in vain, it need not be made again.
    no_comment_end: bool,
    no_quote: [bool; 2],
    no_raw_end: [bool; 3],
}

impl<'a> Pieces<'a> {
    /// The pieces of a body of HTML.
    pub(super) fn of_page(text: &'a str) -> Self {
        Self { text, at: 0, page: true, no_comment_end: false, no_quote: [false; 2], no_raw_end: [false; 3] }
    }

    /// The pieces of a line such as a title: a script is a tag like any other there, declarations are text, and no tag is
    /// lost. A comment is an empty text, so that each piece begins where the one before it ended.
    pub(super) fn of_line(text: &'a str) -> Self {
        Self { page: false, ..Self::of_page(text) }
    }

    /// Where in the text the next piece begins.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The `>` that ends the tag whose inside begins at `from`.
    fn tag_end(&mut self, from: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            let found = at + memchr3(b'>', b'"', b'\'', &bytes[at..])?;
            let quote = bytes[found];
            if quote == b'>' {
                return Some(found);
            }
            at = found + 1;
            // A quotation mark begins a value only after `=`; elsewhere it is a slip of the pen.
            if bytes[..found].iter().rev().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'=') {
                continue;
            }
            let seen = &mut self.no_quote[usize::from(quote == b'"')];
            if *seen {
                continue;
            }
            match memchr(quote, &bytes[at..]) {
                Some(end) => at += end + 1,
                None => *seen = true,
            }
        }
    }

    /// Whether a comment that says something, and ends, begins here.
    fn is_comment(&mut self, open: usize) -> bool {
        let Some(inner) = self.text[open..].strip_prefix("<!--").filter(|_| !self.no_comment_end) else { return false };
        let end = inner.find("-->");
        self.no_comment_end = end.is_none();
        end.is_some_and(|end| !inner[..end].trim().is_empty())
    }

    /// Skips `<!…`, `<?…` at the current place.
    fn skip_declaration(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with("<!--") && !self.no_comment_end {
            if let Some(end) = rest[4..].find("-->") {
                self.at += end + 7;
                return;
            }
            self.no_comment_end = true;
        }
        if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            // Feeds wrap their HTML once more now and then: the wrapper goes, the text stays.
            self.at = self.text.len() - inner.len();
            return;
        }
        self.at = rest.find('>').map_or(self.text.len(), |end| self.at + end + 1);
    }

    /// Skips what browsers never show, up to its end tag. Where there is none, somebody only speaks of the tag.
    fn skip_raw(&mut self, raw: usize) {
        if self.no_raw_end[raw] {
            return;
        }
        let name = RAW[raw];
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        while let Some(found) = self.text[at..].find("</") {
            let start = at + found + 2;
            if bytes.len() >= start + name.len() && bytes[start..start + name.len()].eq_ignore_ascii_case(name.as_bytes()) {
                self.at = self.text[start..].find('>').map_or(self.text.len(), |end| start + end + 1);
                return;
            }
            at = start;
        }
        self.no_raw_end[raw] = true;
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let bytes = self.text.as_bytes();
        loop {
            if self.at >= bytes.len() {
                return None;
            }
            let start = self.at;
            let mut open = start;
            let kind = loop {
                match memchr(b'<', &bytes[open..]) {
                    None => break None,
                    Some(found) => {
                        open += found;
                        match bytes.get(open + 1) {
                            Some(b'a'..=b'z' | b'A'..=b'Z') => break Some(false),
                            Some(b'!' | b'?') if self.page || self.is_comment(open) => break Some(false),
                            Some(b'/') if bytes.get(open + 2).is_some_and(u8::is_ascii_alphabetic) => break Some(true),
                            _ => open += 1,
                        }
                    }
                }
            };
            let Some(closing) = kind else {
                self.at = bytes.len();
                return Some(Piece::Text(&self.text[start..]));
            };
            if open > start {
                self.at = open;
                return Some(Piece::Text(&self.text[start..open]));
            }
            if matches!(bytes[open + 1], b'!' | b'?') {
                self.skip_declaration();
                if self.page {
                    continue;
                }
                return Some(Piece::Text(""));
            }
            let name_start = open + 1 + usize::from(closing);
            let name_len = bytes[name_start..].iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
            let name_end = name_start + name_len.unwrap_or(bytes.len() - name_start);
            // A tag that the end of the text cuts off is dropped, as browsers do.
            let Some(end) = self.tag_end(name_end) else {
                self.at = bytes.len();
                return (!self.page).then(|| Piece::Text(&self.text[start..]));
            };
            self.at = end + 1;
            let name = &self.text[name_start..name_end];
            let name = name.rsplit_once(':').map_or(name, |(_, local)| local);
            let tag = Tag { name, attributes: &self.text[name_end..end], closing };
            if let Some(raw) = (self.page && !closing).then(|| RAW.iter().position(|raw| tag.is(raw))).flatten() {
                self.skip_raw(raw);
                continue;
            }
            return Some(Piece::Tag(tag));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str) -> String {
        Pieces::of_page(html)
            .map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Tag(tag) => format!("[{}{}]", if tag.closing { "/" } else { "" }, tag.name),
            })
            .collect()
    }

    #[test]
    fn what_is_no_tag_is_text() {
        for (html, wanted) in [
            ("1 < 2 <b>x</b> a<", "1 < 2 [b]x[/b] a<"),
            ("<a title='1 > 0' href=x>y</a>", "[a]y[/a]"),
            ("<a href=\"x>y</a> z", "[a]y[/a] z"),
            ("a<!-- <b> -->c<?php x ?>d<!doctype html>e", "acde"),
            ("a<script>if (a<b) '</p>'</SCRIPT >c", "ac"),
            ("a<!-- never closed> b", "a b"),
            ("cut <a href=\"https://exam", "cut "),
            ("<![CDATA[a]]>", "a]]>"),
        ] {
            assert_eq!(shown(html), wanted, "{html}");
        }
    }

    #[test]
    fn attributes_are_found_in_any_dress() {
        let Some(Piece::Tag(tag)) = Pieces::of_page("<A é=1 = HREF = 'a b' rel=x checked src=\"s\">").next() else { panic!("a tag") };
        assert_eq!(tag.attribute("href"), Some("a b"));
        assert_eq!(tag.attribute("rel"), Some("x"));
        assert_eq!(tag.attribute("checked"), Some(""));
        assert_eq!(tag.attribute("src"), Some("s"));
        assert_eq!(tag.attribute("alt"), None);
    }
}
