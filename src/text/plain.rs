//! Lines of plain text: titles, names, labels.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

use super::markup::{Piece, Pieces};
use super::reference::decode;

/// No title is longer; what is, is no title.
const LINE_MAX: usize = 64 * 1024;

/// Elements that only dress the words inside them. They go, where they stand around words; any other word in angle
/// brackets is what the author wrote about, and stays.
const DRESS: [&str; 44] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "center", "cite", "code", "del", "dfn", "div", "em", "font", "h1", "h2", "h3", "h4",
    "h5", "h6", "i", "ins", "kbd", "label", "mark", "nobr", "p", "pre", "q", "rb", "rp", "rt", "ruby", "s", "samp", "small", "span",
    "strike", "strong", "sub", "sup", "tt", "u",
];

/// The plain text of a title or a name that may hold HTML: formatting around words is dropped, other words in angle
/// brackets are kept as text, references are decoded once, white space is folded.
///
/// ```
/// assert_eq!(clarion::text::plain("Why <head> <b>matters</b> &amp; when"), "Why <head> matters & when");
/// ```
pub fn plain(html_or_text: &str) -> String {
    let text = start_of(html_or_text, LINE_MAX);
    if !text.contains('<') {
        return collapse(&decode(text));
    }
    // The last place where each element is closed: an opening tag before it stands around words.
    let mut closed_at = [0; DRESS.len()];
    let mut pieces = Pieces::of_line(text);
    while let Some(piece) = pieces.next() {
        if let Piece::Tag(tag) = piece
            && tag.closing
            && let Some(dress) = dress(tag.name)
        {
            closed_at[dress] = pieces.offset();
        }
    }
    let mut open = [0_usize; DRESS.len()];
    let mut out = String::with_capacity(text.len());
    let mut pieces = Pieces::of_line(text);
    loop {
        let start = pieces.offset();
        let Some(piece) = pieces.next() else { break };
        let tag = match piece {
            Piece::Text(words) => {
                out.push_str(&decode(words));
                continue;
            }
            Piece::Tag(tag) => tag,
        };
        // A piece may begin after a comment: the tag itself is the last that was taken.
        let written = &text[start..pieces.offset()];
        let written = &written[written.rfind('<').filter(|_| tag.attributes.is_empty()).unwrap_or(0)..];
        if tag.is("br") || tag.is("wbr") {
            out.push_str(if tag.is("br") { " " } else { "" });
            continue;
        }
        match dress(tag.name) {
            Some(dress) if tag.closing && open[dress] > 0 => open[dress] -= 1,
            Some(dress) if !tag.closing && closed_at[dress] >= pieces.offset() => open[dress] += 1,
            // `<b>word` cut short of its end is formatting all the same; `a <b> tag` speaks of one.
            Some(_) if !tag.closing && text[pieces.offset()..].starts_with(char::is_alphanumeric) => {}
            _ => out.push_str(&decode(written)),
        }
    }
    collapse(&out)
}

fn dress(name: &str) -> Option<usize> {
    DRESS.iter().position(|dress| dress.eq_ignore_ascii_case(name))
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
