//! Text from outside made fit to be shown: one line, no controls, directions balanced, cut and wrapped at graphemes.
//!
//! In: any text. Out: text that cannot reorder or break what stands around it. Escaping for a language (HTML,
//! Markdown, XML) is left to the format that writes it.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_ISOLATE: char = '\u{2069}';
const POP_EMBEDDING: char = '\u{202C}';

/// One line of NFC text: controls and line breaks become blanks, runs of blanks one, and every directional control is
/// closed within the text (UAX #9, sections 2.1 to 2.6).
pub(crate) fn clean(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in balance(text).nfc() {
        let blank = c.is_control() || matches!(c, ' ' | '\u{2028}' | '\u{2029}' | '\u{FEFF}');
        let noncharacter = (c as u32) & 0xFFFE == 0xFFFE || matches!(c, '\u{FDD0}'..='\u{FDEF}');
        if blank || noncharacter {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(c);
        }
    }
    line.trim().to_owned()
}

/// Drops closers without opener and closes what was left open, innermost first.
pub(crate) fn balance(text: &str) -> String {
    if !text.contains(is_directional) {
        return text.to_owned();
    }
    let mut balanced = String::with_capacity(text.len() + 8);
    // What would close each opener: an isolate's end closes the embeddings in it as well.
    let mut open: Vec<char> = Vec::new();
    for c in text.chars() {
        match c {
            '\u{202A}' | '\u{202B}' | '\u{202D}' | '\u{202E}' => open.push(POP_EMBEDDING),
            '\u{2066}' | '\u{2067}' | FIRST_STRONG_ISOLATE => open.push(POP_ISOLATE),
            POP_EMBEDDING => {
                if open.last() != Some(&POP_EMBEDDING) {
                    continue;
                }
                open.pop();
            }
            POP_ISOLATE => {
                let Some(opener) = open.iter().rposition(|closer| *closer == POP_ISOLATE) else { continue };
                open.truncate(opener);
            }
            _ => {}
        }
        balanced.push(c);
    }
    balanced.extend(open.into_iter().rev());
    balanced
}

fn is_directional(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A letter of a script that is written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
        && c.is_alphabetic()
}

/// `rtl` where the first letter is of a script written from right to left, else `ltr`.
pub(crate) fn direction(text: &str) -> &'static str {
    match text.chars().find(|c| c.is_alphabetic()) {
        Some(c) if is_right_to_left(c) => "rtl",
        _ => "ltr",
    }
}

/// For plain text: wraps a cleaned field in U+2068 and U+2069 where its direction could touch its neighbors.
pub(crate) fn isolate(text: &str) -> String {
    if text.contains(|c| is_directional(c) || is_right_to_left(c)) {
        format!("{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}")
    } else {
        text.to_owned()
    }
}

/// At most `most` characters of a cleaned text, cut between graphemes and where possible between words, with `…`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    // Room for the sign of cutting, and for closers of directional controls that the cut may leave open.
    let closers = text.chars().filter(|c| is_directional(*c) && !matches!(*c, POP_EMBEDDING | POP_ISOLATE)).count();
    let room = most.saturating_sub(1 + closers);
    let mut end = 0;
    let mut chars = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        chars += grapheme.chars().count();
        if chars > room {
            break;
        }
        end = at + grapheme.len();
    }
    let mut kept = &text[..end];
    if !text[end..].starts_with(' ')
        && let Some(blank) = kept.rfind(' ')
        && blank >= end / 2
    {
        kept = &kept[..blank];
    }
    let kept = kept.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '-' | '–' | '—' | '.' | '、' | '。'));
    balance(&format!("{kept}…"))
}

/// Lines of at most `width` columns, broken at blanks; a word wider than a line is broken between graphemes.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = word.width();
        if used > 0 && used + 1 + wide <= width {
            line.push(' ');
            line.push_str(word);
            used += 1 + wide;
            continue;
        }
        // A long run without blanks (Chinese, Japanese, Thai) fills the line that it begins on.
        if used > 0 && (wide <= width || used + 1 >= width) {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        for grapheme in word.graphemes(true) {
            let columns = grapheme.width();
            if used > 0 && used + columns > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(grapheme);
            used += columns;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open_controls(text: &str) -> usize {
        let mut open: Vec<char> = Vec::new();
        for c in text.chars() {
            match c {
                '\u{202A}' | '\u{202B}' | '\u{202D}' | '\u{202E}' => open.push(POP_EMBEDDING),
                '\u{2066}'..='\u{2068}' => open.push(POP_ISOLATE),
                POP_EMBEDDING | POP_ISOLATE => assert!(open.contains(&c), "a closer without opener"),
                _ => continue,
            }
            if matches!(c, POP_EMBEDDING | POP_ISOLATE) {
                while open.pop() != Some(c) {}
            }
        }
        open.len()
    }

    proptest! {
        #[test]
        fn no_text_leaves_a_direction_open_or_a_line_broken(text in "[a-z \\n\\u{202A}-\\u{202E}\\u{2066}-\\u{2069}\\u{5D0}\\u{2028}\\u{0}]{0,60}", most in 10usize..40) {
            let clean = clean(&text);
            prop_assert_eq!(open_controls(&clean), 0);
            let broken = clean.contains(['\n', '\u{2028}', '\0']);
            prop_assert!(!broken);
            prop_assert_eq!(super::clean(&clean), clean.clone());
            let short = cut(&clean, most);
            prop_assert!(short.chars().count() <= most);
        }

        #[test]
        fn lines_keep_their_width_and_lose_no_letter(text in "[a-z 語]{0,200}") {
            let lines = wrap(&text, 12);
            prop_assert!(lines.iter().all(|line| line.width() <= 12));
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }

    #[test]
    fn a_cut_falls_between_words_and_never_in_a_grapheme() {
        assert_eq!(cut("short enough", 12), "short enough");
        assert_eq!(cut("a sentence, that goes on", 14), "a sentence…");
        assert_eq!(cut("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 10), "👩‍👩‍👧‍👦…");
        assert_eq!(cut("日本語の長い文章です", 6), "日本語の長…");
    }

    #[test]
    fn only_a_text_that_could_turn_its_neighbors_is_isolated() {
        assert_eq!(isolate("plain"), "plain");
        assert_eq!(isolate("محمد العتيبي"), "\u{2068}محمد العتيبي\u{2069}");
        assert_eq!(direction("«שלום» hello"), "rtl");
        assert_eq!(direction("AWS عربي"), "ltr");
    }
}
