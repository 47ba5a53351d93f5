//! The body of an entry: its plain text, and what its markup shows.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;
use url::Url;

use super::markup::{Piece, Pieces, Tag};
use super::plain::{compose, is_noise, is_tidy};
use super::reference::decode;
use crate::model::Content;

/// The most bytes of text that are kept of one body.
const TEXT_MAX: usize = 64 * 1024;
/// The most links that are kept of one body, and the longest address.
const LINKS_MAX: usize = 100;
const LINK_LEN_MAX: usize = 2048;
/// So many bytes of a body have their words counted by the tables of Unicode.
const EXACT_MAX: usize = 256 * 1024;
/// A line is counted and passed on when it reaches this length, whatever the markup says.
const LINE_MAX: usize = 16 * 1024;

/// Whether an element begins and ends a line of its own.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "br"
            | "li"
            | "ul"
            | "ol"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "pre"
            | "blockquote"
            | "table"
            | "tr"
            | "td"
            | "th"
            | "hr"
            | "section"
            | "article"
            | "figure"
            | "figcaption"
            | "header"
            | "footer"
            | "aside"
            | "main"
            | "nav"
            | "dl"
            | "dt"
            | "dd"
            | "details"
            | "summary"
            | "address"
            | "form"
            | "fieldset"
            | "center"
            | "thead"
            | "tbody"
            | "tfoot"
            | "caption"
            | "iframe"
            | "video"
            | "audio"
            | "body"
            | "html"
    )
}

/// Reads a body of HTML. Addresses are made absolute with `base`; those that cannot be are left out.
pub fn html_to_content(html: &str, base: Option<&Url>) -> Content {
    let mut gatherer = Gatherer::new(TEXT_MAX, true);
    gatherer.read_html(html, base);
    gatherer.finish()
}

/// Reads a body of plain text.
pub fn text_to_content(text: &str) -> Content {
    let mut gatherer = Gatherer::new(TEXT_MAX, true);
    gatherer.line_breaks_count = true;
    parts(text).for_each(|part| gatherer.push(part));
    gatherer.finish()
}

/// The beginning of the text of a body, at most so many bytes and a line, without counting what is in it.
pub fn html_to_text(html: &str, max_bytes: usize) -> String {
    let mut gatherer = Gatherer::new(max_bytes, false);
    gatherer.read_html(html, None);
    gatherer.finish().text
}

/// The parts of a text that are gone through at a time, so that a long one is not held twice. They end behind a blank; where
/// there is none for long, anywhere but in a reference.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    /// Longer than any reference that means something, and than nearly any word.
    const REFERENCE_MAX: usize = 40;
    const WORD_MAX: usize = 4 * 1024;
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.floor_char_boundary(LINE_MAX);
        let last = |wanted: &[char], within: usize| {
            let from = rest.floor_char_boundary(end.saturating_sub(within));
            rest[from..end].rfind(wanted).map(|at| from + at)
        };
        let end = if end == rest.len() {
            end
        } else if let Some(blank) = last(&[' ', '\n'], WORD_MAX) {
            blank + 1
        } else {
            last(&['&'], REFERENCE_MAX).filter(|at| *at > 0).unwrap_or(end)
        };
        let (part, others) = rest.split_at(end);
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

/// Words as Unicode counts them (UAX #29), but for the scripts that are counted in characters; and the characters of
/// Chinese, Japanese and Korean scripts.
pub fn count_words(text: &str) -> (u32, u32) {
    if text.bytes().all(|byte| byte < 0x80) {
        return (count_western(text), 0);
    }
    let (mut cjk, mut western) = (0, true);
    for c in text.chars() {
        if c >= '\u{250}' {
            western &= is_western(c);
            cjk += usize::from(is_cjk(c));
        }
    }
    if western {
        return (count_western(text), 0);
    }
    let words = text.unicode_words().filter(|word| !word.starts_with(|c| is_cjk(c) && !is_hangul(c))).count();
    (count(words), count(cjk))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Latin, Greek and Cyrillic with their punctuation: where the rules of words need no tables.
fn is_western(c: char) -> bool {
    matches!(c, '\0'..='\u{24F}' | '\u{388}'..='\u{482}' | '\u{48A}'..='\u{52F}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{203A}'
        | '\u{20AC}' | '\u{2190}'..='\u{21FF}')
}

/// What a character does to a word (UAX #29, table 3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Other = 0,
    Letter = 1,
    Digit = 2,
    /// `_`
    Extender = 3,
    /// Holds letters together, or digits.
    MidBoth = 4,
    MidLetter = 5,
    MidDigit = 6,
    /// Belongs to whatever it follows.
    Silent = 7,
}

const ASCII_PARTS: [Part; 128] = {
    let mut parts = [Part::Other; 128];
    let mut at = 0_u8;
    while at < 128 {
        parts[at as usize] = match at {
            b'a'..=b'z' | b'A'..=b'Z' => Part::Letter,
            b'0'..=b'9' => Part::Digit,
            b'_' => Part::Extender,
            b'.' | b'\'' => Part::MidBoth,
            b':' => Part::MidLetter,
            b',' | b';' => Part::MidDigit,
            _ => Part::Other,
        };
        at += 1;
    }
    parts
};

fn part(c: char) -> Part {
    if let Some(part) = ASCII_PARTS.get(c as usize) {
        return *part;
    }
    match c {
        '\u{AD}' => Part::Silent,
        '\u{2018}' | '\u{2019}' | '\u{2024}' => Part::MidBoth,
        '\u{B7}' | '\u{387}' | '\u{2027}' => Part::MidLetter,
        c if c.is_alphabetic() => Part::Letter,
        _ => Part::Other,
    }
}

/// What follows when a part comes after a state. A state is the part that the current run ends with (2 bits), the bridge
/// that stands behind it (2 bits), and whether the run is counted as a word yet (1 bit). The highest bit of an answer says
/// that a word begins to count.
const STEPS: [[u8; 8]; 32] = {
    let mut steps = [[0; 8]; 32];
    let mut state = 0_u8;
    while state < 32 {
        let (before, bridge, counted) = (state & 3, (state >> 2) & 3, state >> 4);
        let mut part = 0_u8;
        while part < 8 {
            // Numbered as in `Part`: no run, letter, digit, extender; no bridge, for both, for letters, for digits.
            steps[state as usize][part as usize] = match part {
                1..=3 => {
                    let joins = match bridge {
                        0 => before != 0,
                        1 => before == part && part != 3,
                        2 => before == 1 && part == 1,
                        _ => before == 2 && part == 2,
                    };
                    let known = joins && counted == 1;
                    // What holds no letter or digit is no word.
                    let begins = !known && part != 3;
                    part | ((known || begins) as u8) << 4 | (begins as u8) << 7
                }
                4..=6 if before != 0 && bridge == 0 => before | (part - 3) << 2 | counted << 4,
                7 => state,
                _ => 0,
            };
            part += 1;
        }
        state += 1;
    }
    steps
};

/// Counts the words of a western text: letters and digits, held together by an apostrophe or a point between them.
fn count_western(text: &str) -> u32 {
    let mut words = 0_u32;
    let mut state = 0_u8;
    for c in text.chars() {
        let step = STEPS[usize::from(state & 31)][part(c) as usize];
        words += u32::from(step >> 7);
        state = step;
    }
    words
}

fn is_hangul(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{AC00}'..='\u{D7AF}')
}

fn is_cjk(c: char) -> bool {
    is_hangul(c)
        || matches!(c, '\u{2E80}'..='\u{2FDF}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}'
            | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

/// Gathers text line by line.
struct Gatherer {
    content: Content,
    seen_links: HashSet<String>,
    line: String,
    text_max: usize,
    /// Words, links and the like are wanted too.
    counting: bool,
    /// The whole is plain text, so line breaks count.
    line_breaks_count: bool,
    /// How many `<pre>` are open: line breaks count there too.
    preformatted: u32,
    /// Bytes whose words were counted.
    counted: usize,
    /// Between the fences of a block of code in Markdown.
    fenced: bool,
}

impl Gatherer {
    fn new(text_max: usize, counting: bool) -> Self {
        let (content, line) = (Content::default(), String::new());
        Self {
            content,
            seen_links: HashSet::new(),
            line,
            text_max,
            counting,
            line_breaks_count: false,
            preformatted: 0,
            counted: 0,
            fenced: false,
        }
    }

    fn read_html(&mut self, html: &str, base: Option<&Url>) {
        for piece in Pieces::of_page(html) {
            match piece {
                Piece::Text(text) => parts(text).for_each(|part| self.push(&decode(part))),
                Piece::Tag(tag) => self.see(&tag, base),
            }
            if !self.counting && self.content.text.len() >= self.text_max {
                return;
            }
        }
    }

    fn see(&mut self, tag: &Tag<'_>, base: Option<&Url>) {
        let mut buffer = [0; 16];
        match tag.lower(&mut buffer) {
            "a" if self.counting && !tag.closing => self.link(tag, base),
            "img" if self.counting && tag.attribute("width") != Some("1") && tag.attribute("height") != Some("1") => {
                self.content.images += 1;
            }
            "pre" => {
                self.end_line();
                if tag.closing {
                    self.preformatted = self.preformatted.saturating_sub(1);
                } else {
                    self.preformatted += 1;
                    self.content.code_blocks += 1;
                }
            }
            name if is_block(name) => self.end_line(),
            _ => {}
        }
    }

    fn link(&mut self, tag: &Tag<'_>, base: Option<&Url>) {
        let Some(href) = tag.attribute("href").filter(|href| href.len() <= LINK_LEN_MAX && self.content.links.len() < LINKS_MAX) else {
            return;
        };
        let href = decode(href.trim());
        let web = |text: &str| {
            text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"))
                || text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
        };
        let address = if web(&href) {
            href.into_owned()
        } else {
            if href.is_empty() || href.starts_with('#') {
                return;
            }
            let Some(joined) = base.and_then(|base| base.join(&href).ok()) else { return };
            if !web(joined.as_str()) {
                return;
            }
            joined.into()
        };
        if !self.seen_links.contains(&address) {
            self.seen_links.insert(address.clone());
            self.content.links.push(address);
        }
    }

    /// Takes text whose references are decoded.
    fn push(&mut self, text: &str) {
        if self.line_breaks_count || self.preformatted > 0 {
            let mut lines = text.split('\n');
            if let Some(first) = lines.next() {
                self.push_words(first);
            }
            for line in lines {
                self.end_line();
                self.push_words(line);
            }
        } else {
            self.push_words(text);
        }
    }

    fn push_words(&mut self, text: &str) {
        if is_tidy(text) && text.len() <= LINE_MAX {
            let text = text.strip_prefix(' ').inspect(|_| self.push_blank()).unwrap_or(text);
            self.line.push_str(text);
            if self.line.len() > LINE_MAX {
                self.end_line();
            }
            return;
        }
        if text.starts_with(char::is_whitespace) {
            self.push_blank();
        }
        let mut first = true;
        for word in text.split(char::is_whitespace) {
            if word.is_empty() {
                continue;
            }
            if !first {
                self.push_blank();
            }
            first = false;
            if word.bytes().any(|byte| byte < 0x20 || byte == 0x7F || byte == 0xC2 || byte == 0xEF) {
                self.line.extend(word.chars().filter(|c| !is_noise(*c)));
            } else {
                self.line.push_str(word);
            }
        }
        if !first && text.ends_with(char::is_whitespace) {
            self.push_blank();
        }
        if self.line.len() > LINE_MAX {
            self.end_line();
        }
    }

    fn push_blank(&mut self) {
        if self.line.len() > LINE_MAX {
            self.end_line();
        } else if !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
    }

    fn end_line(&mut self) {
        let line = self.line.trim_end();
        if line.is_empty() {
            self.line.clear();
            return;
        }
        if self.counting {
            if line.starts_with("```") || line.starts_with("~~~") {
                self.fenced = !self.fenced;
                self.content.code_blocks += u32::from(self.fenced && self.preformatted == 0);
            }
            // Bodies of books are counted a little more roughly after their first quarter of a megabyte.
            let exact = self.counted < EXACT_MAX;
            self.counted += line.len();
            let (words, cjk_chars) =
                if exact { count_words(line) } else { (count_western(line), count(line.chars().filter(|c| is_cjk(*c)).count())) };
            self.content.words = self.content.words.saturating_add(words);
            self.content.cjk_chars = self.content.cjk_chars.saturating_add(cjk_chars);
        }
        let room = self.text_max.saturating_sub(self.content.text.len() + 1);
        if room > 0 {
            if !self.content.text.is_empty() {
                self.content.text.push('\n');
            }
            self.content.text.push_str(line[..line.floor_char_boundary(room)].trim_end());
        }
        self.line.clear();
    }

    fn finish(mut self) -> Content {
        self.end_line();
        self.content.text = compose(self.content.text);
        // Composing can make text a little longer in rare scripts.
        let end = self.content.text.floor_char_boundary(self.text_max);
        self.content.text.truncate(end);
        self.content
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_tells_its_text_and_what_it_shows() {
        let base = Url::parse("https://example.org/blog/").unwrap();
        let html = "<h1>Lamps</h1><p>One &amp; two,\n don't <a href='x?a=1&amp;b=2'>see</a> <a href=\"https://o.example/\">that</a> \
            <a href='javascript:x'>no</a> <a href='x?a=1&amp;b=2'>again</a></p><img src=a><img src=b width=\"1\">\
            <pre><code>let a = 1;\n  let b;</code></pre><script>nothing</script>";
        let content = html_to_content(html, Some(&base));
        assert_eq!(content.text, "Lamps\nOne & two, don't see that no again\nlet a = 1;\nlet b;");
        assert_eq!(content.links, ["https://example.org/blog/x?a=1&b=2", "https://o.example/"]);
        assert_eq!((content.words, content.cjk_chars, content.code_blocks, content.images), (13, 0, 1, 1));
        assert_eq!(html_to_content("<a href=x>y</a>", None).links, Vec::<String>::new());
        assert_eq!(html_to_text(html, 10), "Lamps\nOne");
    }

    #[test]
    fn a_long_text_is_decoded_in_parts_and_no_reference_is_cut() {
        for before in 0..12 {
            for blank in [" ", ""] {
                let html = format!("{}{}", "x".repeat(before), format!("&eacute;&amp;lt;{blank}").repeat(4_000));
                let content = html_to_content(&html, None);
                let whole = "x".repeat(before) + format!("é&lt;{blank}").repeat(4_000).trim_end();
                assert_eq!(content.text.replace('\n', blank), whole, "{before}");
                assert_eq!(content.words, html_to_content(&html.replace("&eacute;&amp;lt;", "é&amp;lt;"), None).words);
            }
        }
        let words = "word ".repeat(10_000);
        assert_eq!((text_to_content(&words).words, html_to_content(&words, None).words), (10_000, 10_000));
    }

    #[test]
    fn text_is_cut_and_words_are_counted_whole() {
        let content = html_to_content(&"<p>one two</p>".repeat(50_000), None);
        assert!(content.text.len() <= TEXT_MAX);
        assert_eq!(content.words, 100_000);
    }

    #[test]
    fn characters_are_counted_where_words_are_not_parted() {
        assert_eq!(count_words("日本語 and カタカナ"), (1, 7));
        assert_eq!(count_words("한국어 단어"), (2, 5));
        assert_eq!(text_to_content("a\n```\ncode\n```\nb").code_blocks, 1);
    }

    proptest! {
        #[test]
        fn western_words_are_the_words_of_unicode(text in "[a-céдλ0-2 .,:;'’_“”\\-–\\n/]{0,30}") {
            let by_tables = text.unicode_words().count();
            prop_assert_eq!(count_western(&text) as usize, by_tables, "{:?}", text);
        }

        #[test]
        fn nothing_is_too_odd_to_read(html in "[<>&;a-b/ !\"'=#x0-9\\[\\]-]{0,80}") {
            html_to_content(&html, None);
            html_to_text(&html, 20);
        }
    }
}
