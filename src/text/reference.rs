//! Character references of HTML.

use std::borrow::Cow;

use memchr::memchr;

/// The longest name of a reference in HTML has 31 letters.
const NAME_MAX: usize = 32;

/// Names that browsers read even where the semicolon is missing, by the web's habit (WHATWG HTML, named character
/// references): the ones that feeds really hold.
const WITHOUT_SEMICOLON: [&str; 8] = ["amp", "lt", "gt", "quot", "nbsp", "copy", "reg", "shy"];

/// Decodes the character references of a text once. What is no reference stays as it is.
pub fn decode(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'&', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while !rest.is_empty() {
        if let Some((decoded, len)) = reference(rest) {
            decoded.push_to(&mut out);
            rest = &rest[len..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
        let next = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

/// What a reference stands for.
#[derive(Debug, Clone, Copy)]
pub enum Decoded {
    Char(char),
    Text(&'static str),
}

impl Decoded {
    /// Appends it to a text.
    pub fn push_to(self, out: &mut String) {
        match self {
            Self::Char(c) => out.push(c),
            Self::Text(text) => out.push_str(text),
        }
    }
}

/// The reference of HTML that a text begins with (its first byte is `&`), and how many bytes it takes.
pub fn reference(text: &str) -> Option<(Decoded, usize)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'&') {
        return None;
    }
    if bytes.get(1) == Some(&b'#') {
        return numeric(text);
    }
    let len = bytes[1..].iter().take(NAME_MAX).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = &text[1..=len];
    if bytes.get(len + 1) == Some(&b';') {
        return quick_xml::escape::resolve_html5_entity(name).map(|value| (Decoded::Text(value), len + 2));
    }
    // `R&amp D` but not `?a=1&copy=2`, as browsers do in attributes.
    if len > 0 && bytes.get(len + 1) != Some(&b'=') && WITHOUT_SEMICOLON.contains(&name) {
        return quick_xml::escape::resolve_html5_entity(name).map(|value| (Decoded::Text(value), len + 1));
    }
    None
}

fn numeric(text: &str) -> Option<(Decoded, usize)> {
    let bytes = text.as_bytes();
    let hex = matches!(bytes.get(2), Some(b'x' | b'X'));
    let start = if hex { 3 } else { 2 };
    let radix = if hex { 16 } else { 10 };
    let digits = bytes[start..].iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    if digits == 0 {
        return None;
    }
    // More than eight digits name no character, whatever they are.
    let significant = text[start..start + digits].trim_start_matches('0');
    let code = if significant.len() > 8 { u32::MAX } else { u32::from_str_radix(significant, radix).unwrap_or(0) };
    let end = start + digits;
    let len = if bytes.get(end) == Some(&b';') { end + 1 } else { end };
    let c = match code {
        0 => '\u{FFFD}',
        0x80..=0x9F => remap_c1(char::from_u32(code)?),
        _ => char::from_u32(code).unwrap_or('\u{FFFD}'),
    };
    Some((Decoded::Char(c), len))
}

/// Reads a C1 control character as windows-1252 means it, which is what writers of such bytes meant (WHATWG HTML,
/// numeric character reference end state).
pub fn remap_c1(c: char) -> char {
    const TABLE: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•',
        '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
    ];
    match u32::from(c) {
        code @ 0x80..=0x9F => TABLE[(code - 0x80) as usize],
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_decoded_once() {
        for (given, wanted) in [
            ("a &amp;amp; b", "a &amp; b"),
            ("&lt;b&gt; &eacute; &hellip;", "<b> é …"),
            ("&#8217;&#x2019;&#146;", "’’’"),
            ("AT&T, R&D &; && &#; &#x;", "AT&T, R&D &; && &#; &#x;"),
            ("?a=1&copy=2", "?a=1&copy=2"),
            ("R&amp D&nbsp", "R& D\u{A0}"),
            ("&nosuchname;", "&nosuchname;"),
            ("&#0;&#xD800;&#99999999999;", "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("é&é", "é&é"),
        ] {
            assert_eq!(decode(given), wanted, "{given}");
        }
    }
}
