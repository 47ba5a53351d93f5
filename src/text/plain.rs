//! Lines of plain text: titles, names, labels.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

use super::markup::{Dress, Piece, Pieces, Tag};
use super::reference::decode;

/// No title is longer; what is, is no title.
const LINE_MAX: usize = 64 * 1024;

/// Elements that dress the words inside them.
const INLINE: [&str; 36] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "label", "mark",
    "nobr", "q", "rb", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
];

/// Elements that stand around a line of their own.
const BLOCK: [&str; 10] = ["center", "div", "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre"];

/// The plain text of a title or a name that may hold HTML: what is evidently formatting is dropped, all else in angle
/// brackets is what the author wrote about and stays, references are decoded once, white space is folded.
///
/// Formatting are elements that dress words, opened and closed around some; elements of whole lines around one; line
/// breaks and pictures between words; comments. A tag alone, one around nothing, one with blanks on both sides of what it
/// holds, and what has not the form of a tag are words.
///
/// ```
/// assert_eq!(clarion::text::plain("Why <head> <b>matters</b> &amp; when"), "Why <head> matters & when");
/// ```
pub fn plain(html_or_text: &str) -> String {
    let text = start_of(html_or_text, LINE_MAX);
    if !text.contains('<') {
        return collapse(&decode(text));
    }
    let text = &*unwrapped(text);
    let parts = parts(text);
    let mut out = String::with_capacity(text.len());
    for part in &parts {
        out.push_str(&decode(part.instead.unwrap_or(part.written)));
    }
    collapse(&out)
}

/// The text without wrappers that make text of markup: some feeds write one more than they need.
fn unwrapped(text: &str) -> Cow<'_, str> {
    const OPEN: &str = "<![CDATA[";
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, inner)) = rest.split_once(OPEN) {
        out.push_str(before);
        rest = inner;
        match inner.find("]]>") {
            Some(end) if !inner[..end].trim().is_empty() => {
                out.push_str(&inner[..end]);
                rest = &inner[end + 3..];
            }
            // Cut off before its end.
            None if out.is_empty() => break,
            // Spoken of.
            found => {
                out.push_str(OPEN);
                if found.is_none() {
                    break;
                }
            }
        }
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A piece of a line.
struct Part<'a> {
    written: &'a str,
    tag: Option<Tag<'a>>,
    /// What is shown instead, where it is formatting.
    instead: Option<&'a str>,
}

impl Part<'_> {
    /// Whether it is, or may be, a word of the line.
    fn is_words(&self) -> bool {
        match &self.tag {
            Some(tag) => place(tag).is_none() && !is_single(tag),
            None => !self.written.trim().is_empty() && self.instead.is_none(),
        }
    }

    fn is_formatting_tag(&self) -> bool {
        self.tag.is_some() && !self.is_words()
    }
}

/// The place of an element among those that dress words or lines.
fn place(tag: &Tag<'_>) -> Option<usize> {
    INLINE.iter().chain(&BLOCK).position(|name| tag.is(name))
}

/// Whether an element never holds words.
fn is_single(tag: &Tag<'_>) -> bool {
    tag.is("br") || tag.is("wbr") || tag.is("img")
}

/// The parts of a line, each judged.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut pieces = Pieces::of_line(text);
    let mut start = 0;
    while let Some(piece) = pieces.next() {
        let written = &text[start..pieces.offset()];
        start = pieces.offset();
        parts.push(match piece {
            Piece::Tag(tag) => Part { written, tag: Some(tag), instead: None },
            // A comment.
            Piece::Text("") => Part { written, tag: None, instead: Some("") },
            Piece::Text(_) => Part { written, tag: None, instead: None },
        });
    }
    let mut words = vec![0_usize];
    words.extend(parts.iter().scan(0, |count, part| {
        *count += usize::from(part.is_words());
        Some(*count)
    }));
    let mut open: Vec<Vec<usize>> = vec![Vec::new(); INLINE.len() + BLOCK.len()];
    for at in 0..parts.len() {
        let Some(tag) = parts[at].tag.as_ref().filter(|tag| tag.dress() != Dress::Odd) else { continue };
        let Some(place) = place(tag) else {
            if is_single(tag) {
                parts[at].instead = single(&parts, at, tag, words[parts.len()] > 0);
            }
            continue;
        };
        if !tag.closing {
            open[place].push(at);
        } else if let Some(from) = open[place].pop()
            && is_around_words(&parts, &words, from, at)
        {
            let gap = if place < INLINE.len() { "" } else { " " };
            (parts[from].instead, parts[at].instead) = (Some(gap), Some(gap));
        }
    }
    for at in open.into_iter().flatten() {
        if is_cut_short(&parts, &words, at) {
            parts[at].instead = Some("");
        }
    }
    parts
}

/// The text at a place, if it is text.
fn text_at<'a>(parts: &[Part<'a>], at: Option<usize>) -> Option<&'a str> {
    parts.get(at?).filter(|part| part.tag.is_none()).map(|part| part.instead.unwrap_or(part.written))
}

/// Whether an element that is opened and closed is formatting, rather than spoken of.
fn is_around_words(parts: &[Part<'_>], words: &[usize], from: usize, to: usize) -> bool {
    let Some(tag) = &parts[from].tag else { return false };
    let has_words = words[to] > words[from + 1];
    let (before, after) = (words[from], words[parts.len()] - words[to + 1]);
    let is_named = tag.dress() == Dress::Named;
    if !has_words {
        // Icons are made of empty elements with a class.
        return is_named && before + after > 0;
    }
    if is_named || before + after == 0 {
        return true;
    }
    if place(tag).is_some_and(|place| place < INLINE.len()) {
        let first = text_at(parts, Some(from + 1)).is_some_and(|text| text.starts_with(char::is_whitespace));
        let last = text_at(parts, to.checked_sub(1)).is_some_and(|text| text.ends_with(char::is_whitespace));
        return !(first && last);
    }
    let is_blank = |part: &&Part<'_>| part.tag.is_none() && !part.is_words();
    let before = parts[..from].iter().rev().find(|part| !is_blank(part));
    let after = parts[to + 1..].iter().find(|part| !is_blank(part));
    [before, after].into_iter().flatten().all(Part::is_formatting_tag)
}

/// Whether an element that is never closed is formatting whose end was cut off: `<b>word` is, `a <b> tag` speaks of one.
fn is_cut_short(parts: &[Part<'_>], words: &[usize], at: usize) -> bool {
    let Some(tag) = &parts[at].tag else { return false };
    let after = text_at(parts, Some(at + 1));
    if tag.dress() == Dress::Named {
        return after.map_or(at + 1 < parts.len(), |text| !text.starts_with(char::is_whitespace));
    }
    let begins = if place(tag).is_some_and(|place| place < INLINE.len()) {
        at == 0
            || parts[at - 1].is_formatting_tag()
            || text_at(parts, at.checked_sub(1)).is_some_and(|text| text.ends_with(char::is_whitespace))
    } else {
        words[at] == 0
    };
    begins && after.is_some_and(|text| text.starts_with(char::is_alphanumeric))
}

/// What is shown instead of a line break or a picture, if it is one rather than spoken of.
fn single<'a>(parts: &[Part<'a>], at: usize, tag: &Tag<'a>, has_words: bool) -> Option<&'a str> {
    if tag.is("img") {
        // A picture has an address, and runs no scripts here.
        let is_picture = tag.attribute("src").is_some_and(|src| src.contains(['/', ':']))
            && ["onerror", "onload"].iter().all(|name| tag.attribute(name).is_none());
        let alt = tag.attribute("alt").unwrap_or("");
        // One that stands for a character, or for the whole title, is read.
        return is_picture.then_some(if has_words && alt.contains(char::is_alphanumeric) { "" } else { alt });
    }
    let touches_before = match text_at(parts, at.checked_sub(1)) {
        Some(text) => text.ends_with(|c: char| c.is_alphanumeric() || ".!?:;,…)".contains(c)),
        None => at > 0 && parts[at - 1].is_formatting_tag(),
    };
    let touches_after = match text_at(parts, Some(at + 1)) {
        Some(text) => text.starts_with(char::is_alphanumeric),
        None => parts.get(at + 1).is_some_and(Part::is_formatting_tag),
    };
    let is_break = tag.is("br");
    // Alone between blanks, only the way that HTML was written when it had to be XML tells a break from its name.
    let is_empty_element = is_break && !tag.closing && parts[at].written.ends_with("/>") && has_words;
    (touches_before || touches_after || is_empty_element).then_some(if is_break { " " } else { "" })
}

/// One line in normal form C: white space of any kind folded to single blanks, none at the ends, no control characters.
pub fn collapse(text: &str) -> String {
    if is_tidy(text) {
        return compose(text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned());
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace()) {
        let before = out.len();
        if before > 0 {
            out.push(' ');
        }
        let start = out.len();
        if word.bytes().any(|byte| byte < 0x20 || byte == 0x7F || byte == 0xC2 || byte == 0xEF) {
            out.extend(word.chars().filter(|c| !is_noise(*c)));
        } else {
            out.push_str(word);
        }
        if out.len() == start {
            out.truncate(before);
        }
    }
    compose(out)
}

/// Whether a text holds no white space but single blanks, and no control characters. Texts that hold rarer things than
/// these count as untidy even where they are not.
pub(super) fn is_tidy(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let tidy = match byte {
            b' ' => before != b' ',
            0..=0x1F | 0x7F | 0xE1 | 0xEF => false,
            // U+0080 to U+00A0
            0xC2 => bytes.get(at + 1).is_some_and(|next| *next > 0xA0),
            // U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F
            0xE2 => !matches!(
                (bytes.get(at + 1), bytes.get(at + 2)),
                (Some(0x80), Some(0x80..=0x8A | 0xA8 | 0xA9 | 0xAF)) | (Some(0x81), Some(0x9F))
            ),
            // U+3000
            0xE3 => bytes.get(at + 1..at + 3) != Some(&[0x80, 0x80]),
            _ => true,
        };
        if !tidy {
            return false;
        }
        before = *byte;
    }
    true
}

/// Control characters, and the mark of byte order where it is no mark any more.
pub(super) fn is_noise(c: char) -> bool {
    c.is_control() || matches!(c, '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

/// Normal form C.
pub(super) fn compose(text: String) -> String {
    if text.is_ascii() || text.chars().all(is_composed) || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return text;
    }
    text.nfc().collect()
}

/// Characters of the most used scripts that normal form C leaves alone whatever stands beside them (Unicode, NFC_QC=Yes).
fn is_composed(c: char) -> bool {
    matches!(c, '\0'..='\u{2FF}' | '\u{388}'..='\u{482}' | '\u{48A}'..='\u{52F}' | '\u{5D0}'..='\u{5EA}' | '\u{620}'..='\u{64A}' | '\u{E01}'..='\u{E37}' | '\u{200B}'..='\u{205E}'
        | '\u{20A0}'..='\u{20BF}' | '\u{3001}'..='\u{3020}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{FE0F}' | '\u{1F300}'..='\u{1FAFF}')
}

/// The text, or its beginning and `…` where it is longer than so many characters: cut between words where there is a
/// blank in the later half, else between graphemes. Never longer than `max_chars`.
pub fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars || text.chars().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    if max_chars == 0 {
        return Cow::Borrowed("");
    }
    let room = max_chars - 1;
    let room_end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
    // The grapheme that crosses the edge is looked at a little beyond it, to see that it does.
    let ahead = text.char_indices().nth(room + 32).map_or(text.len(), |(at, _)| at);
    let edge = text[..ahead].grapheme_indices(true).map(|(at, _)| at).take_while(|at| *at <= room_end).last().unwrap_or(0);
    // A single grapheme longer than all the room is a joke, and is cut anywhere.
    let edge = if edge == 0 { room_end } else { edge };
    let kept = &text[..edge];
    let whole_words = if text[edge..].starts_with(char::is_whitespace) {
        kept
    } else {
        kept.rfind(char::is_whitespace).filter(|at| *at * 2 >= edge).map_or(kept, |at| &kept[..at])
    };
    let tidy = whole_words.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '.' | '-' | '–' | '—' | '…'));
    Cow::Owned(format!("{}…", if tidy.is_empty() { whole_words } else { tidy }))
}

/// The beginning of a text, at most so many bytes, cut between characters.
pub(super) fn start_of(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// For comparing names, tags and titles: NFKC, lower case, single blanks.
pub fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    collapse(&text.nfkc().flat_map(char::to_lowercase).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formatting_goes_and_words_in_brackets_stay() {
        for (given, wanted) in [
            ("Why <head> matters &amp; when", "Why <head> matters & when"),
            ("very <strong class='x'>strong</strong> title", "very strong title"),
            ("<p>title in p</p>", "title in p"),
            ("What is <b> for?", "What is <b> for?"),
            ("What does </b> close?", "What does </b> close?"),
            ("<b>cut short", "cut short"),
            ("one<br/>two", "one two"),
            ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
            ("Vec<String> and <T: Send>", "Vec<String> and <T: Send>"),
            ("How to use <div> and </div>", "How to use <div> and </div>"),
            ("<div> and </div> explained", "<div> and </div> explained"),
            ("<p>One</p>\n<p class=x>Two</p>", "One Two"),
            ("<h1>All <b> of </b> it</h1>", "All <b> of </b> it"),
            ("Using <b> vs <strong>", "Using <b> vs <strong>"),
            ("The <b> tag makes <b>words</b> bold", "The <b> tag makes words bold"),
            ("<span></span> considered", "<span></span> considered"),
            ("<i class=\"icon-leaf\"></i> Growing", "Growing"),
            ("<a href='https://x.example/?a=1&amp;b=2'>link</a> and <font color=red>cut", "link and cut"),
            ("if a<b && c>d", "if a<b && c>d"),
            ("if a<b and c>d", "if a<b and c>d"),
            ("a<b>c in chains", "a<b>c in chains"),
            ("List<i> vs Vec<b>", "List<i> vs Vec<b>"),
            ("Map<a, b> in Go", "Map<a, b> in Go"),
            ("<?php ?> tags", "<?php ?> tags"),
            ("<!DOCTYPE html> dead", "<!DOCTYPE html> dead"),
            ("What is <!-- --> or <!-- for", "What is <!-- --> or <!-- for"),
            ("<![CDATA[a <b>b</b>]]>", "a b"),
            ("What <![CDATA[]]> and <![CDATA[ are", "What <![CDATA[]]> and <![CDATA[ are"),
            ("Why <br> matters", "Why <br> matters"),
            ("one<br>two<br><br>three <br /> four", "one two three four"),
            ("long<wbr>word and <wbr>", "longword and <wbr>"),
            ("Party <img src=\"https://s.example/1f389.png\" alt=\"🎉\"> now", "Party 🎉 now"),
            ("Why <img src=cat> needs alt", "Why <img src=cat> needs alt"),
            ("x <img src=/a onerror=MARK()> y", "x <img src=/a onerror=MARK()> y"),
            ("<script src=/a></script><style>b{}</style>", "<script src=/a></script><style>b{}</style>"),
            ("&lt;img src=x onerror=MARK()&gt;", "<img src=x onerror=MARK()>"),
            ("a <script>alert(1)</script> b", "a <script>alert(1)</script> b"),
            ("&<a", "&<a"),
            ("a <!-- note -->b", "a b"),
            ("<!-- x --><em>a</em>", "a"),
            ("AT&amp;amp;T", "AT&amp;T"),
            ("x<sup>2</sup>", "x2"),
            ("  a\u{A0}\n b\u{0}\u{8}c \u{85}", "a bc"),
            ("e\u{301}", "é"),
            ("", ""),
        ] {
            assert_eq!(plain(given), wanted, "{given}");
        }
    }

    #[test]
    fn cuts_fall_between_words_or_graphemes() {
        for (text, max, wanted) in [
            ("one two three", 13, "one two three"),
            ("one two three", 12, "one two…"),
            ("one two, three", 9, "one two…"),
            ("abcdefghij", 5, "abcd…"),
            ("日本語の文章です", 5, "日本語の…"),
            ("ab👨‍👩‍👧‍👦cd", 5, "ab…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(cut(text, max), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_taken_for_composed_is() {
        for c in ('\0'..=char::MAX).filter(|c| is_composed(*c)) {
            let class = unicode_normalization::char::canonical_combining_class(c);
            assert!(class == 0 && is_nfc_quick(std::iter::once(c)) == IsNormalized::Yes, "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_tidy_line(text in "\\PC{0,40}|[<>&;a-b/ !\"'=#x0-9\\n\\x00-]{0,60}") {
            let line = plain(&text);
            prop_assert!(!line.contains(['\n', '\t', '\0']));
            prop_assert_eq!(&collapse(&line), &line);
            let folded: Vec<&str> = line.split_whitespace().collect();
            prop_assert_eq!(folded.join(" "), &*line);
            for max in [0, 1, 5, 20] {
                prop_assert!(cut(&line, max).chars().count() <= max);
            }
        }
    }
}
