//! Addresses of sources as they may be shown: without what only whoever registered them should know.
//!
//! A private feed's address is its key: a token among the parameters, a name and password before the host, a long random
//! part of the path. In: an address, or a text that may hold some. Out: the same with `…` in those places. Whoever needs
//! the whole address asks the store, or exports the roster; links of entries are what their authors published, and stay.
//! No address is refused: what cannot be read as one comes back as it is, or with more hidden than need be.

/// What stands in the place of what is hidden.
const HIDDEN: &str = "…";
/// How deep an address that is a parameter of another is looked into.
const DEPTH: u8 = 2;

/// Words that a parameter's name holds if its value is a secret.
const SECRET_WORDS: [&str; 8] = ["token", "secret", "passw", "signature", "credential", "apikey", "sessionid", "privatekey"];
/// Whole names of such parameters.
const SECRET_NAMES: [&str; 11] = ["key", "k", "sig", "sign", "pass", "pwd", "pw", "hmac", "jwt", "sid", "session"];
/// What comes after such a part of a path is for somebody alone.
const PRIVATE_PARTS: [&str; 5] = ["private", "secret", "token", "tokens", "auth"];
/// Parameters that name something public, however random it looks.
const PUBLIC_NAMES: [&str; 4] = ["channelid", "playlistid", "list", "v"];
/// Sites whose paths are made of public ids.
const PUBLIC_SITES: [&str; 4] = ["youtube.com", "youtu.be", "bsky.app", "spotify.com"];

/// An address without its secrets; the same again for what is masked already.
pub fn masked(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    mask(address, DEPTH, &mut out);
    out
}

/// A text in which every address is masked.
pub fn masked_text(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '“' | '”' | '‘' | '’');
    let around = |c: char| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '[' | ']' | '{' | '}');
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends) {
        let word = piece.trim_end_matches(ends);
        let core = word.trim_matches(around);
        if !core.contains(['/', '?', '=']) {
            out.push_str(piece);
            continue;
        }
        let start = word.len() - word.trim_start_matches(around).len();
        out.push_str(&piece[..start]);
        if core.contains(['/', '?']) {
            mask(core, DEPTH, &mut out);
        } else {
            mask_pairs(core, DEPTH, &mut out);
        }
        out.push_str(&piece[start + core.len()..]);
    }
    out
}

fn mask(address: &str, depth: u8, out: &mut String) {
    let (head, fragment) = cut(address, '#');
    let (head, query) = cut(head, '?');
    let authority = head.find("://").map_or(0, |at| at + 3);
    let (authority, path) = head.split_at(head[authority..].find('/').map_or(head.len(), |at| authority + at));
    let host = mask_authority(authority, out);
    mask_path(path, is_public_site(host), depth, out);
    for (sign, part) in [('?', query), ('#', fragment)] {
        if let Some(part) = part {
            out.push(sign);
            mask_pairs(part, depth, out);
        }
    }
}

fn cut(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(head, rest)| (head, Some(rest)))
}

/// Writes what stands before the path, without user name and password; gives the host.
fn mask_authority<'a>(authority: &'a str, out: &mut String) -> &'a str {
    let start = authority.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = authority.split_at(start);
    out.push_str(scheme);
    let Some((user, host)) = rest.rsplit_once('@') else {
        out.push_str(rest);
        return rest;
    };
    // Without a scheme, `@name@site` is a handle, and `kind:@name` a shortcut.
    let is_login = start > 0 || user.split_once(':').is_some_and(|(_, word)| !word.is_empty() && !word.starts_with('@'));
    out.push_str(if is_login && !user.is_empty() { HIDDEN } else { user });
    out.push('@');
    out.push_str(host);
    host
}

fn is_public_site(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    PUBLIC_SITES.iter().any(|site| host.strip_suffix(site).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}

fn mask_path(path: &str, public: bool, depth: u8, out: &mut String) {
    let mut after_private = false;
    for (at, part) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        if part.is_empty() {
            continue;
        }
        let plain = decoded(part).to_ascii_lowercase();
        if after_private || (!public && is_random(part)) {
            out.push_str(HIDDEN);
        } else if part.contains('=') {
            mask_pairs(part, depth, out);
        } else {
            out.push_str(part);
        }
        after_private = PRIVATE_PARTS.contains(&plain.as_str());
    }
}

/// Parameters as they stand after a question mark.
fn mask_pairs(pairs: &str, depth: u8, out: &mut String) {
    for piece in pairs.split_inclusive(['&', ';']) {
        let pair = piece.trim_end_matches(['&', ';']);
        let (name, value) = cut(pair, '=');
        out.push_str(if is_random(name) { HIDDEN } else { name });
        if let Some(value) = value {
            out.push('=');
            let key: String = decoded(name).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let hides = is_secret_name(&key) || (is_random(value) && !PUBLIC_NAMES.contains(&key.as_str())) || holds_secret(value, depth);
            out.push_str(if hides && !value.is_empty() { HIDDEN } else { value });
        }
        out.push_str(&piece[pair.len()..]);
    }
}

/// Whether the value of a parameter with that name, in lower case and without signs, is a secret.
fn is_secret_name(key: &str) -> bool {
    SECRET_WORDS.iter().any(|word| key.contains(word))
        || SECRET_NAMES.contains(&key)
        || (key.starts_with("auth") && !key.starts_with("author"))
        || key.starts_with("authoriz")
        || ["auth", "key", "sig"].iter().any(|end| key.ends_with(end))
}

/// Whether the value of a parameter is itself an address with something to hide.
fn holds_secret(value: &str, depth: u8) -> bool {
    if depth == 0 {
        return false;
    }
    let plain = decoded(value);
    if !plain.contains(['/', '?', '=', '@']) {
        return false;
    }
    let mut out = String::with_capacity(plain.len());
    mask(&plain, depth - 1, &mut out);
    out != plain
}

/// Whether a part looks drawn by lot rather than written by a person: a UUID, a hash, a long token.
fn is_random(part: &str) -> bool {
    let plain = decoded(part);
    let stem = plain.split('.').next().unwrap_or_default();
    let lengths = stem.split('-').map(|run| if run.bytes().all(|b| b.is_ascii_hexdigit()) { run.len() } else { 0 });
    if lengths.eq([8, 4, 4, 4, 12]) {
        return true;
    }
    let switches = |text: &[u8], class: fn(u8) -> u8| text.windows(2).filter(|two| class(two[0]) != class(two[1])).count();
    let digits = |text: &[u8]| text.iter().filter(|b| b.is_ascii_digit()).count();
    let bytes = plain.as_bytes();
    let joined: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    // After words, as in the address of a post, it is a number of theirs.
    let mixed = |run: &[u8]| {
        let drawn = digits(run) >= 3 && switches(run, |b| u8::from(b.is_ascii_digit())) >= 4;
        run.len() >= 12 && drawn && run.len() * 3 > joined.len() * 2
    };
    if bytes.split(|b| !b.is_ascii_alphanumeric()).any(|run| run.len() >= 32 || mixed(run)) {
        return true;
    }
    // Base64 for addresses has a few `-` and `_` of its own.
    let class = |b: u8| if b.is_ascii_digit() { 0 } else { 1 + u8::from(b.is_ascii_uppercase()) };
    joined.len() >= 24 && bytes.len() - joined.len() <= 3 && digits(&joined) >= 3 && switches(&joined, class) * 3 >= joined.len()
}

/// Percent-encoding undone (RFC 3986 section 2.1), as far as it is well formed.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high * 16 + low);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_only_the_owner_knows_is_hidden_and_the_rest_stays() {
        for (address, wanted) in [
            ("https://a.example/feed?token=abc&page=2", "https://a.example/feed?token=…&page=2"),
            ("https://a.example/feed?page=2&API_Key=abc;x=1#t", "https://a.example/feed?page=2&API_Key=…;x=1#t"),
            ("https://www.patreon.com/rss/ada?auth=x&show=9", "https://www.patreon.com/rss/ada?auth=…&show=9"),
            ("https://a.example/?access_token=a=b&X-Amz-Signature=c", "https://a.example/?access_token=…&X-Amz-Signature=…"),
            ("https://a.example/?to%6Ben=abc", "https://a.example/?to%6Ben=…"),
            ("https://ada:open%20sesame@a.example:8443/feed", "https://…@a.example:8443/feed"),
            ("https://s3cr3t@a.example", "https://…@a.example"),
            ("ada:sesame@a.example/feed", "…@a.example/feed"),
            ("https://a.example/feed/private/9f8a/rss.xml", "https://a.example/feed/private/…/rss.xml"),
            ("https://a.example/p/9f8a7b6c5d4e3f2a1b0c.xml", "https://a.example/p/…"),
            ("https://a.example/d/550e8400-e29b-41d4-a716-446655440000/rss", "https://a.example/d/…/rss"),
            ("https://calendar.example/ical/ada/private-0a1b2c3d4e5f6a7b/basic.ics", "https://calendar.example/ical/ada/…/basic.ics"),
            ("https://a.example/?x3Jk9-Qm2Zr7_tP4vL8sYw1N6bH0", "https://a.example/?…"),
            ("https://proxy.example/?url=https%3A%2F%2Fa.example%2Ff%3Ftoken%3Dabc&n=1", "https://proxy.example/?url=…&n=1"),
            ("https://a.example/feed#access_token=abc", "https://a.example/feed#access_token=…"),
            ("https://a.example/feed/token=abc/rss", "https://a.example/feed/token=…/rss"),
            ("a.example/feed?secret=abc", "a.example/feed?secret=…"),
        ] {
            assert_eq!(masked(address), wanted);
        }
        for plain in [
            "https://blog.example/2026/11/how-we-lost-a-queue-and-found-it-again/feed.xml?author=ada&format=rss&paged=2",
            "https://www.youtube.com/channel/UC0123abcd4567efgh89ijkl",
            "https://www.youtube.com/feeds/videos.xml?channel_id=UC0123abcd4567efgh89ijkl",
            "https://bsky.app/profile/did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            "https://podcasts.apple.com/us/podcast/id1234567890",
            "https://feeds.example/54nAGcIl?token=",
            "https://github.com/ada-nwosu",
            "mastodon:@ada@social.example",
            "@ada@social.example",
            "UC0123abcd4567efgh89ijkl",
            "https://medium.example/@ada/how-we-lost-a-queue-9f8a7b6c5d4e",
            "https://calendar.example/20261125T093000Z.ics",
            "",
            "://@?=&;#",
        ] {
            assert_eq!(masked(plain), plain);
        }
    }

    #[test]
    fn addresses_are_found_in_sentences() {
        for (text, wanted) in [
            (
                "error sending request for url (http://a.example/f?key=abc): closed",
                "error sending request for url (http://a.example/f?key=…): closed",
            ),
            (
                "`a.example/f?token=abc` is not an address: give the address of a page",
                "`a.example/f?token=…` is not an address: give the address of a page",
            ),
            (
                "read https://u:p@a.example/x, then \"https://a.example/?sig=abc\".",
                "read https://…@a.example/x, then \"https://a.example/?sig=…\".",
            ),
            ("blog.example answers 500 (Internal Server Error)", "blog.example answers 500 (Internal Server Error)"),
            ("the parameter token=abc is unknown and/or wrong (24/7)", "the parameter token=… is unknown and/or wrong (24/7)"),
        ] {
            assert_eq!(masked_text(text), wanted);
        }
    }

    proptest! {
        #[test]
        fn masking_twice_is_masking_once(text in "(https?://)?[a-z:@%./?&;=#\\-_0-9A-F …\"(),]{0,120}") {
            let once = masked(&text);
            prop_assert_eq!(masked(&once), once);
            let once = masked_text(&text);
            prop_assert_eq!(masked_text(&once), once);
        }

        #[test]
        fn no_secret_is_left_wherever_it_stands(secret in "[a-zA-Z0-9_~-]{6,40}Z9", page in "[a-z]{1,8}", name in "token|KEY|api_key|access-token|auth|secret|password|sig|rss_token") {
            for address in [
                format!("https://a.example/{page}?{name}={secret}"),
                format!("https://a.example/{page}?page=2&{name}={secret}&x=1"),
                format!("https://{secret}@a.example/{page}"),
                format!("https://ada:{secret}@a.example/{page}"),
                format!("https://a.example/{page}/private/{secret}/feed"),
                format!("https://a.example/{page}?u=https%3a%2f%2fb.example%2f%3f{name}%3d{secret}"),
                format!("https://a.example/{page}#{name}={secret}"),
            ] {
                for shown in [masked(&address), masked_text(&format!("cannot read ({address}): closed"))] {
                    prop_assert!(!shown.contains(&secret) && shown.contains("a.example"), "{}", shown);
                }
            }
        }
    }
}
