//! Bytes of feeds made text, whatever they claim to be; each repair named.
//!
//! In: the bytes of a document and its `Content-Type`. Out: text, and what had to be mended. The order of witnesses is
//! that of the WHATWG and RFC 7303: byte order mark, HTTP charset, XML declaration. A witness that the bytes themselves
//! contradict is not believed.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::model::Repair;

/// How far into a document its declaration is looked for.
const DECLARATION_MAX: usize = 1024;

/// A repair that is always told in the same words.
pub(super) const fn named(name: &'static str) -> Repair {
    Repair(Cow::Borrowed(name))
}

/// The text of a document.
pub(super) fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>, repairs: &mut Vec<Repair>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return decode_as(encoding, &bytes[mark..], repairs);
    }
    if let Some(encoding) = wide(bytes) {
        repairs.push(named("two-byte characters without a byte order mark"));
        return decode_as(encoding, bytes, repairs);
    }
    let label = content_type.and_then(charset);
    let declared = declaration(bytes);
    // UTF-16 was told above by its zero bytes: whoever claims it here does not use it.
    let known = |label: &str| {
        Encoding::for_label(label.as_bytes())
            .filter(|encoding| *encoding != UTF_16LE && *encoding != UTF_16BE && *encoding != encoding_rs::REPLACEMENT)
    };
    // In the order in which they are believed.
    let claims = [label.as_deref().and_then(known), declared.and_then(known)];
    let claimed = claims[0].or(claims[1]);
    if claims.contains(&Some(ISO_2022_JP)) && bytes.contains(&0x1B) {
        return decode_as(ISO_2022_JP, bytes, repairs);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if text.is_ascii() {
            return Cow::Borrowed(text);
        }
        match claimed {
            None => return Cow::Borrowed(text),
            Some(encoding) if encoding == UTF_8 => return Cow::Borrowed(text),
            // Text of another encoding is hardly ever valid UTF-8 by chance. Of those with two bytes to a character it
            // can be, in a few characters.
            Some(encoding) if encoding.is_single_byte() || bytes.iter().any(|byte| *byte >= 0xE0) => {
                repairs.push(named("the text is UTF-8, not what it claims"));
                return Cow::Borrowed(text);
            }
            Some(encoding) => return decode_as(encoding, bytes, repairs),
        }
    }
    let (good, bad) = sequences(bytes);
    let mut others: Vec<&'static Encoding> = claims.into_iter().flatten().filter(|encoding| *encoding != UTF_8).collect();
    // A server's blanket charset is often wrong where the document knows better.
    if others.first() == Some(&WINDOWS_1252) {
        others.rotate_left(1);
    }
    // A few bad bytes do not make it another encoding.
    let is_utf8 = if others.is_empty() { good >= bad } else { claims.contains(&Some(UTF_8)) && good > bad };
    if is_utf8 {
        repairs.push(named("bytes that are no text replaced"));
        return String::from_utf8_lossy(bytes);
    }
    let mut readings = others.iter().map(|encoding| (*encoding, encoding.decode_without_bom_handling(bytes)));
    let reading = readings.clone().find(|(_, (_, broken))| !broken).or_else(|| readings.find(|(_, (text, _))| is_mostly_text(text)));
    let Some((encoding, (text, broken))) = reading else {
        repairs.push(named("read as windows-1252, for it is not UTF-8"));
        return WINDOWS_1252.decode_without_bom_handling(bytes).0;
    };
    if claimed != Some(encoding) && claimed != Some(WINDOWS_1252) {
        repairs.push(named("read as the document declares, not as the server says"));
    }
    if broken {
        repairs.push(named("bytes that are no text replaced"));
    }
    text
}

/// Whether of the characters beyond ASCII at least half could be read.
fn is_mostly_text(text: &str) -> bool {
    let bad = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    text.chars().filter(|c| !c.is_ascii()).count() >= 2 * bad
}

fn decode_as<'a>(encoding: &'static Encoding, bytes: &'a [u8], repairs: &mut Vec<Repair>) -> Cow<'a, str> {
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    if broken {
        repairs.push(named("bytes that are no text replaced"));
    }
    text
}

/// UTF-16 without a mark: markup is ASCII, so every other byte of its beginning is zero.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = &bytes[..bytes.len().min(64)];
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let half = start.len() / 2;
    match (zeros(0), zeros(1)) {
        (even, odd) if half >= 4 && even * 4 >= half * 3 && odd * 4 <= half => Some(UTF_16BE),
        (even, odd) if half >= 4 && odd * 4 >= half * 3 && even * 4 <= half => Some(UTF_16LE),
        _ => None,
    }
}

/// The charset of a `Content-Type`.
fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })
}

/// The encoding that an XML declaration names.
fn declaration(bytes: &[u8]) -> Option<&str> {
    let start = &bytes[..bytes.len().min(DECLARATION_MAX)];
    let open = find(start, b"<?xml")?;
    let declaration = &start[open..];
    let declaration = &declaration[..find(declaration, b">").unwrap_or(declaration.len())];
    let after = &declaration[find(declaration, b"encoding")? + 8..];
    let after = std::str::from_utf8(after).ok()?.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after[1..].split(quote).next().map(str::trim)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// How many sequences of several bytes are UTF-8, and how many are not.
fn sequences(bytes: &[u8]) -> (usize, usize) {
    bytes.utf8_chunks().fold((0, 0), |(good, bad), chunk| {
        (good + chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count(), bad + usize::from(!chunk.invalid().is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], content_type: Option<&str>, wanted: &str, repair: &str) {
        let mut repairs = Vec::new();
        let text = decode(bytes, content_type, &mut repairs);
        assert!(text.contains(wanted), "{text}");
        assert_eq!(repairs.first().map_or("", |repair| &repair.0), repair, "{text}");
    }

    fn wide_bytes(text: &str, little: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn the_best_witness_of_the_encoding_is_believed() {
        let lossy = "bytes that are no text replaced";
        check(b"\xEF\xBB\xBF<?xml version='1.0' encoding='latin1'?><a>\xC3\xA9</a>", None, "é", "");
        check(b"<?xml version='1.0' encoding=\"windows-1251\"?><a>\xCF\xF0</a>", Some("application/xml"), "Пр", "");
        check(b"<a>\xCF\xF0</a>", Some("text/xml; Charset=\"windows-1251\""), "Пр", "");
        check("<a>It’s</a>".as_bytes(), Some("application/xml"), "It’s", "");
        check("<?xml encoding='latin1'?><a>é</a>".as_bytes(), None, "é", "the text is UTF-8, not what it claims");
        check("<a>é</a>".as_bytes(), Some("text/xml; charset=iso-8859-1"), "é", "the text is UTF-8, not what it claims");
        check(b"<a>caf\xC3\xA9 o\xFFk</a>", None, "café o\u{FFFD}k", lossy);
        check(b"<a>caf\xE9 \x93done\x94</a>", None, "café “done”", "read as windows-1252, for it is not UTF-8");
        check(b"<?xml version='1.0' encoding='euc-kr'?><a>\xB3\xE2</a>", None, "년", "");
        check(b"<?xml version='1.0' encoding='no-such'?><a>x</a>", None, "<a>x", "");
        check(b"<?xml version='1.0' encoding='utf-16'?><a>\xC3\xA9</a>", None, "é", "");
    }

    #[test]
    fn a_charset_that_the_bytes_contradict_gives_way_to_the_next_witness() {
        let (utf8, sjis) = (Some("text/xml; charset=utf-8"), Some("text/xml; charset=shift_jis"));
        let (lossy, declared) = ("bytes that are no text replaced", "read as the document declares, not as the server says");
        let privet = b"<?xml version='1.0' encoding='windows-1251'?><a>\xCF\xF0\xE8\xE2\xE5\xF2</a>";
        check(privet, utf8, "Привет", declared);
        check(privet, Some("text/xml; charset=iso-8859-1"), "Привет", "");
        check(privet, Some("text/xml; charset=no-such"), "Привет", "");
        check(privet, Some("text/xml; charset=windows-1251"), "Привет", "");
        check(b"<?xml version='1.0' encoding='euc-kr'?><a>\xB3\xE2 \xC7\xD1</a>", utf8, "년 한", declared);
        check(b"<?xml version='1.0' encoding='utf-8'?><a>\xCF\xF0\xE8\xE2</a>", Some("text/xml; charset=windows-1251"), "Прив", "");
        check(b"<?xml version='1.0' encoding='windows-1251'?><a>\xFD\xFE\xFF</a>", sjis, "эюя", declared);
        check(
            b"<?xml version='1.0' encoding='utf-8'?><a>caf\xE9 \x93done\x94</a>",
            sjis,
            "café “done”",
            "read as windows-1252, for it is not UTF-8",
        );
        // A bad byte here and there is no other encoding, whoever claims what.
        let cafe = b"<?xml version='1.0' encoding='windows-1251'?><a>caf\xC3\xA9s \xC3\xA0 o\xFFk</a>";
        check(cafe, utf8, "cafés à o\u{FFFD}k", lossy);
        check("<?xml version='1.0' encoding='windows-1251'?><a>é</a>".as_bytes(), utf8, "é", "");
    }

    #[test]
    fn wide_characters_are_told_with_and_without_a_mark() {
        for little in [true, false] {
            let bytes = wide_bytes("\u{FEFF}<?xml version='1.0' encoding='utf-16'?><a>é</a>", little);
            check(&bytes, Some("text/xml; charset=utf-8"), "<a>é</a>", "");
            check(&bytes[2..], None, "<a>é</a>", "two-byte characters without a byte order mark");
        }
    }
}
