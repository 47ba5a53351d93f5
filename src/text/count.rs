//! How long a post is, as each network counts it.
//!
//! In: a text as it would be posted. Out: its length in the unit of a network. What the limits are, and what to do with
//! a text that is too long, is for others.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// What X and Mastodon count for an address, however long it is.
pub const URL_LENGTH: usize = 23;

/// The ranges of characters that weigh 1 on X (twitter-text, configuration v3); all others weigh 2.
pub const X_LIGHT: [(char, char); 4] = [('\0', '\u{10FF}'), ('\u{2000}', '\u{200D}'), ('\u{2010}', '\u{201F}'), ('\u{2032}', '\u{2037}')];

/// What one sees as characters: extended grapheme clusters (UAX #29). Bluesky counts these.
pub fn graphemes(text: &str) -> usize {
    text.graphemes(true).count()
}

/// UTF-16 code units: the strictest reading of LinkedIn's limit.
pub fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The weighted length of X (twitter-text, configuration v3): of the text in NFC, an emoji counts 2 however it is put
/// together, characters of the ranges U+0000–10FF, 2000–200D, 2010–201F and 2032–2037 count 1, all others 2, and an
/// address 23.
pub fn x_length(text: &str) -> usize {
    let text: String = text.nfc().collect();
    with_addresses(&text, true, |plain| plain.graphemes(true).map(x_weight).sum())
}

/// The length on Mastodon: grapheme clusters, an address 23, and `@user@host` as `@user`.
pub fn mastodon_length(text: &str) -> usize {
    with_addresses(text, false, |plain| graphemes(&without_hosts(plain)))
}

fn x_weight(grapheme: &str) -> usize {
    if is_emoji_sequence(grapheme) {
        return 2;
    }
    let weight = |c: char| if X_LIGHT.iter().any(|(first, last)| (*first..=*last).contains(&c)) { 1 } else { 2 };
    grapheme.chars().map(weight).sum()
}

/// Whether a cluster is one emoji made of several code points: a keycap, a flag, a picture with a skin tone or a sign
/// of presentation, several pictures joined (UTS #51, section 1.4).
fn is_emoji_sequence(grapheme: &str) -> bool {
    let mut chars = grapheme.chars();
    let (Some(first), Some(_)) = (chars.next(), chars.next()) else { return false };
    let regional = |c: char| matches!(c, '\u{1F1E6}'..='\u{1F1FF}');
    if regional(first) {
        return grapheme.chars().filter(|c| regional(*c)).count() == 2;
    }
    if matches!(first, '0'..='9' | '#' | '*') {
        return grapheme.contains('\u{20E3}');
    }
    let picture = matches!(first, '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{2BFF}')
        || matches!(first, '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FBFF}');
    let joined = |c: char| matches!(c, '\u{FE0F}' | '\u{200D}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0020}'..='\u{E007F}');
    picture && grapheme.chars().skip(1).any(joined)
}

/// Sums up what `count` says of the text between addresses, and 23 for each address.
fn with_addresses(text: &str, bare: bool, count: impl Fn(&str) -> usize) -> usize {
    let mut length = 0;
    let mut from = 0;
    for (start, end) in addresses(text, bare) {
        length += count(&text[from..start]) + URL_LENGTH;
        from = end;
    }
    length + count(&text[from..])
}

/// Where the networks see an address: what begins with http:// or https:// and a host, and with `bare` also a host
/// alone whose ending is a public one. What stands before it may be of any script (twitter-text, version 3): only ASCII
/// letters and digits run into it, and the signs of a name, a tag or a symbol; before a host alone also what joins names.
pub fn addresses(text: &str, bare: bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let before = text[..at].chars().next_back();
        let free = before.is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '@' | '#' | '$' | '＠' | '＃'));
        let joins = before.is_some_and(|c| matches!(c, '_' | '/' | '.' | '-'));
        if free && let Some(length) = address_length(rest, bare && !joins) {
            found.push((at, at + length));
            at += length;
            continue;
        }
        // On to the next place where an address could begin.
        let step = rest.chars().next().map_or(1, char::len_utf8);
        at += step;
        if free && rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            let run = text[at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len() - at);
            at += run;
        }
    }
    found
}

/// How many bytes of the beginning are an address.
fn address_length(text: &str, bare: bool) -> Option<usize> {
    let scheme =
        ["https://", "http://"].into_iter().find(|scheme| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)));
    let start = match scheme {
        Some(scheme) => scheme.len(),
        None if bare => 0,
        None => return None,
    };
    let host_end =
        text[start..].find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))).map_or(text.len(), |at| start + at);
    let mut host = text[start..host_end].trim_end_matches(['.', '-', '_']);
    // A host ends where its public ending does: `example.com.` and `example.com..x` are one and the same.
    if let Some(double) = host.find("..") {
        host = &host[..double];
    }
    if scheme.is_none() {
        host = bare_host(text, host)?;
    }
    if !host.contains('.') || text[start + host.len()..].starts_with('@') {
        return None;
    }
    let mut end = start + host.len();
    if let Some(port) = text[end..].strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            end += 1 + digits;
        }
    }
    if text[end..].starts_with(['/', '?', '#']) && (scheme.is_some() || text[end..].starts_with('/')) {
        end += path_length(&text[end..]);
    }
    Some(end)
}

/// The longest beginning of it that is a host with a public ending, of a country or not, where a word ends (twitter-text since
/// 2.0.4; before, those of countries counted with a path alone).
fn bare_host<'a>(text: &str, host: &'a str) -> Option<&'a str> {
    let ends: Vec<usize> = host.match_indices('.').map(|(at, _)| at).skip(1).chain([host.len()]).collect();
    let is_public = |host: &str| psl::suffix(host.to_ascii_lowercase().as_bytes()).is_some_and(|suffix| suffix.is_known());
    let goes_on = |end: usize| text[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '+' | '-'));
    ends.into_iter()
        .rev()
        .map(|end| &host[..end])
        .find(|host| host.contains('.') && !host.starts_with(['.', '-', '_']) && is_public(host) && !goes_on(host.len()))
}

/// How much of a text is the path, query and fragment of an address: signs that end a sentence are not part of it, and
/// a closing parenthesis only with its opening one.
fn path_length(text: &str) -> usize {
    let part = |c: char| c.is_ascii_alphanumeric() || "!*';:=+,.$/%#[]-_~@|&?()".contains(c);
    let whole = text.find(|c: char| !part(c)).unwrap_or(text.len());
    let mut path = &text[..whole];
    loop {
        let trimmed = path.trim_end_matches(['!', '*', '\'', ';', ':', ',', '.', '$', '%', '[', ']', '~', '@', '|', '&', '?', '(']);
        let shorter = match trimmed.strip_suffix(')') {
            Some(inside) if trimmed.matches('(').count() < trimmed.matches(')').count() => inside,
            _ => trimmed,
        };
        if shorter.len() == path.len() {
            return path.len().max(1);
        }
        path = shorter;
    }
}

/// `@user@host` without its host.
fn without_hosts(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let free = rest[..at]
            .chars()
            .next_back()
            .or(kept.chars().next_back())
            .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '/' | '='));
        let name =
            rest[at + 1..].find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(rest.len() - at - 1);
        let user_end = at + 1 + name;
        kept.push_str(&rest[..user_end]);
        rest = &rest[user_end..];
        if free && name > 0 && rest.starts_with('@') {
            let host = rest[1..].find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | ':'))).unwrap_or(rest.len() - 1);
            let host = rest[1..=host].trim_end_matches(['.', '-', ':']).len();
            if host > 0 {
                rest = &rest[1 + host..];
            } else {
                kept.push('@');
                rest = &rest[1..];
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn x_weighs_scripts_emoji_and_addresses() {
        for (text, weight) in [
            ("", 0),
            ("hello", 5),
            ("e\u{301}", 1),
            ("\u{10FF}", 1),
            ("\u{1100}", 2),
            ("\u{2010}\u{201F}\u{2032}\u{2037}", 4),
            ("\u{200E}\u{2020}", 4),
            ("한글", 4),
            ("\u{1112}\u{1161}\u{11AB}", 2),
            ("नमस्ते", 6),
            ("العَرَبِيَّة", 12),
            ("日本語", 6),
            ("ﷺ", 2),
            ("👩\u{200D}👩\u{200D}👧\u{200D}👦", 2),
            ("🇳🇬", 2),
            ("🇳🇬🇰🇪", 4),
            ("👍🏽", 2),
            ("❤\u{FE0F}", 2),
            ("1\u{FE0F}\u{20E3}", 2),
            ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", 2),
            ("🦉", 2),
            ("https://example.com/a/very/long/path?with=query&and=more#fragment", 23),
            ("see https://example.com/x.", 28),
            ("(https://example.com/a_(b))", 25),
            ("example.com is fine", 31),
            ("a http://blog.example/path b", 27),
            ("a b.notanending c", 17),
            ("http://localhost/x", 18),
            ("not@example.com", 15),
            ("twitter.comこれは日本語です。example.com中国語t.co/abcde한국twitter.com example2.comテストtwitter.com/abcde", 173),
            ("日本語example.comです", 6 + 23 + 4),
            ("記事はhttps://example.com/a です", 6 + 23 + 1 + 4),
            ("これは日本語です。example.com/path/index.html中国語example.com/path한국", 18 + 23 + 6 + 23 + 4),
            ("http://twitter.com/これは", 23 + 6),
            ("abc日本example.com", 3 + 4 + 23),
            ("foo.baz foo.co.jp www.foo.co.uk foo.comm foo.jp", 8 + 23 + 1 + 23 + 1 + 8 + 1 + 23),
            ("日本@example.com #example.com ＃example.com ＠example.com", 4 + 12 + 1 + 12 + 1 + 13 + 1 + 13),
            ("x-example.com.nothing", 23 + 8),
            ("a/example.com", 13),
            ("example.com+1 example.com@b", 27),
            ("one https://example.com two http://example.org/", 4 + 23 + 5 + 23),
        ] {
            assert_eq!(x_length(text), weight, "{text}");
        }
        for (count, weight) in [(279, 279), (280, 280), (281, 281)] {
            assert_eq!(x_length(&"a".repeat(count)), weight);
        }
    }

    #[test]
    fn mastodon_counts_clusters_short_mentions_and_addresses() {
        for (text, length) in [
            ("hello", 5),
            ("👩\u{200D}👩\u{200D}👧\u{200D}👦", 1),
            ("by @ada@social.example.org", 7),
            ("@ada@social.example, @bob@other.example.", 11),
            ("ada@mail.example", 16),
            ("https://example.com/a/very/long/path", 23),
            ("example.com", 11),
            ("नमस्ते", 3),
        ] {
            assert_eq!(mastodon_length(text), length, "{text}");
        }
    }

    #[test]
    fn linkedin_and_bluesky_count_units_and_clusters() {
        assert_eq!((utf16("🦉"), graphemes("🦉")), (2, 1));
        assert_eq!((utf16("e\u{301}"), graphemes("e\u{301}")), (2, 1));
    }

    proptest! {
        #[test]
        fn counting_never_fails_and_parts_add_up(left in "\\PC{0,40}", right in "\\PC{0,40}") {
            // A line break can neither be part of an address nor of a cluster.
            let both = format!("{left}\n{right}");
            prop_assert_eq!(x_length(&both), x_length(&left) + 1 + x_length(&right));
            prop_assert_eq!(mastodon_length(&both), mastodon_length(&left) + 1 + mastodon_length(&right));
        }

        #[test]
        fn an_address_weighs_the_same_at_any_length(path in "[a-z0-9/]{0,300}", word in "[a-z]{1,20}") {
            let text = format!("{word} https://blog.example.org/{path}x {word}");
            prop_assert_eq!(x_length(&text), 2 * word.len() + 2 + URL_LENGTH);
            prop_assert_eq!(mastodon_length(&text), 2 * word.len() + 2 + URL_LENGTH);
        }
    }
}
