//! What a site asks of programs that look around: robots.txt (RFC 9309).
//!
//! In: the text that lies at `/robots.txt`, and addresses. Out: whether a page may be read. Asked only where clarion looks
//! around by itself, to find the feed that a page names; a feed that somebody registered is asked because they did.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use url::Url;

/// The name that sites speak to us by (RFC 9309 section 2.2.1).
const TOKEN: &str = "clarion";
/// At least so much of the text is read (RFC 9309 section 2.5).
const MOST_BYTES: usize = 512 << 10;
/// More rules than any site means, and longer ones than any path.
const MOST_RULES: usize = 5_000;
const LONGEST: usize = 2_048;
/// How long rules are used before they are asked anew (RFC 9309 section 2.4).
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// So many sites are remembered.
const SITES: usize = 500;

/// Whether a page may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    Allowed,
    /// The site asks programs not to.
    Disallowed,
    /// The site cannot be asked now, for this reason: until it can, nothing is allowed (RFC 9309 section 2.3.1.4).
    Unknown(String),
}

/// The rules of the sites that were asked lately.
#[derive(Debug, Default)]
pub(super) struct Robots(Mutex<HashMap<String, (Arc<Rules>, Timestamp)>>);

impl Robots {
    /// What is known of a site, unless it is old.
    pub(super) fn known(&self, origin: &str, now: Timestamp) -> Option<Arc<Rules>> {
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rules, asked_at) = sites.get(origin)?;
        (now.duration_since(*asked_at).abs() < FRESH).then(|| Arc::clone(rules))
    }

    pub(super) fn remember(&self, origin: String, rules: Rules, now: Timestamp) -> Arc<Rules> {
        let rules = Arc::new(rules);
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sites.len() >= SITES {
            sites.clear();
        }
        sites.insert(origin, (Arc::clone(&rules), now));
        rules
    }
}

/// The rules that a site has for us. None: everything is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rules(Vec<(bool, String)>);

impl Rules {
    /// Reads the text: the groups that name us, all together, else those for everybody.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_BYTES)]);
        let (mut ours, mut everybodys) = (None::<Vec<_>>, Vec::new());
        // Whom the present group is for, and whether it has begun to say something.
        let (mut is_ours, mut is_everybodys, mut has_rules) = (false, false, false);
        for line in text.split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match key.as_str() {
                "user-agent" | "useragent" => {
                    if std::mem::take(&mut has_rules) {
                        (is_ours, is_everybodys) = (false, false);
                    }
                    let token: String = value.chars().take_while(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_')).collect();
                    is_everybodys |= value.starts_with('*');
                    if token.eq_ignore_ascii_case(TOKEN) {
                        is_ours = true;
                        ours.get_or_insert_default();
                    }
                }
                "allow" | "disallow" => {
                    has_rules = true;
                    if value.is_empty() || value.len() > LONGEST {
                        continue;
                    }
                    let rule = (key == "allow", normal(value));
                    if is_ours && let Some(ours) = ours.as_mut().filter(|ours| ours.len() < MOST_RULES) {
                        ours.push(rule.clone());
                    }
                    if is_everybodys && everybodys.len() < MOST_RULES {
                        everybodys.push(rule);
                    }
                }
                _ => {}
            }
        }
        Self(ours.unwrap_or(everybodys))
    }

    /// Whether that address may be read: the longest rule that fits decides, of two as long the one that allows
    /// (RFC 9309 section 2.2.2).
    pub(super) fn allow(&self, url: &Url) -> bool {
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            let _ = write!(path, "?{query}");
        }
        let path = normal(&path);
        if path == "/robots.txt" {
            return true;
        }
        let fitting = self.0.iter().filter(|(_, pattern)| fits(pattern, &path));
        fitting.max_by_key(|(allows, pattern)| (pattern.len(), *allows)).is_none_or(|(allows, _)| *allows)
    }
}

/// Whether a path begins as the pattern says; `*` stands for anything, `$` at the end for the end.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, whole) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let last = if whole { parts.pop() } else { None };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    match (whole, last) {
        (false, _) => true,
        (true, Some(last)) => rest.ends_with(last),
        (true, None) => rest.is_empty(),
    }
}

/// One spelling for paths and patterns: what needs no escape is not escaped, what is not ASCII is (RFC 9309 section 2.2.2).
fn normal(path: &str) -> String {
    let bytes = path.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let mut text = String::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        at += 1;
        let escaped = if byte == b'%' { hex(at).zip(hex(at + 1)) } else { None };
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                at += 2;
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                    text.push(char::from(byte));
                } else {
                    let _ = write!(text, "%{byte:02X}");
                }
            }
            None if byte.is_ascii() => text.push(char::from(byte)),
            None => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str, path: &str) -> bool {
        Rules::read(text.as_bytes()).allow(&Url::parse(&format!("https://a.example{path}")).unwrap())
    }

    #[test]
    fn our_own_group_goes_before_the_one_for_everybody() {
        let text = "User-agent: *\nDisallow: /\n\nuser-agent: other\nuser-agent: CLARION/2.0 # us\nDisallow: /private\nAllow: /private/feed\n\
                    Sitemap: https://a.example/s.xml\nUser-Agent: third\nDisallow: /blog\n\nUser-agent: clarion\nDisallow: /drafts\n";
        for (path, allowed) in
            [("/", true), ("/blog", true), ("/private/x", false), ("/private/feed.xml", true), ("/drafts/1", false), ("/robots.txt", true)]
        {
            assert_eq!(allows(text, path), allowed, "{path}");
        }
        assert!(!allows("User-agent: *\r\nDisallow: /\r\n", "/"), "nobody names us, so the group for everybody holds");
        assert!(allows("User-agent: *\nDisallow: /\nUser-agent: clarion\nDisallow:\n", "/x"), "an empty rule forbids nothing");
        assert!(allows("User-agent: clarions\nDisallow: /\n", "/x"), "that is another name");
    }

    #[test]
    fn the_longest_rule_that_fits_decides() {
        for (rules, path, allowed) in [
            ("Disallow: /a\nAllow: /a/b", "/a/b/c", true),
            ("Allow: /a\nDisallow: /a/b", "/a/b/c", false),
            ("Disallow: /page\nAllow: /page", "/page", true),
            ("Disallow: /*.php$", "/x/y.php", false),
            ("Disallow: /*.php$", "/x/y.php?z", true),
            ("Disallow: /*/edit", "/wiki/page/edit/1", false),
            ("Disallow: /a*b*c$", "/aXbYc/c", false),
            ("Disallow: /$", "/", false),
            ("Disallow: /$", "/x", true),
            ("Disallow: *", "/x", false),
            ("Disallow: /caf\u{e9}", "/caf%c3%a9/menu", false),
            ("Disallow: /%7Eada", "/~ada/", false),
            ("Disallow: /search?q=", "/search?q=x", false),
            ("Disallow: /A", "/a", true),
        ] {
            assert_eq!(allows(&format!("User-agent: *\n{rules}\n"), path), allowed, "{rules} {path}");
        }
    }

    #[test]
    fn what_is_no_such_text_allows_everything_and_is_read_in_no_time() {
        for text in ["", "<!doctype html><html><body>Not found: nothing here</body></html>", "Disallow: /\n", "\u{feff}", "::::\n%%%"] {
            assert!(allows(text, "/x"), "{text}");
        }
        assert!(!allows("\u{feff}User-agent: *\nDisallow: /", "/x"));
        let begun = std::time::Instant::now();
        let hard = format!("User-agent: *\n{}", format!("Disallow: /{}\n", "*a".repeat(50)).repeat(20_000));
        assert!(allows(&hard, &format!("/{}", "ab".repeat(40))));
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }
}
