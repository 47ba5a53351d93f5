//! Canonical addresses: one spelling for one page, whoever links to it.
//!
//! Rules: PLATFORMS.md section 8, parameters of section 8.2. The original address is kept beside the canonical one;
//! only comparing uses [`CanonicalUrl::key`].

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// An http(s) address without trackers, fragment and other noise, with `https` where the platform is known to have it.
/// Two addresses of one page have equal keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CanonicalUrl(String);

/// Why a text is no address that clarion takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("`{0}` is not an address")]
    Unreadable(String),
    #[error("only http and https addresses are taken, not `{0}:`")]
    Scheme(String),
    #[error("an address must not carry a user name or password")]
    UserInfo,
    #[error("an address needs a host")]
    NoHost,
}

/// Parameters that only say how a visitor came, on any host.
const TRACKERS: &[&str] = &[
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "gclsrc",
    "msclkid",
    "twclid",
    "yclid",
    "ysclid",
    "srsltid",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_hsenc",
    "_hsmi",
    "hsctatracking",
    "vero_id",
    "oly_enc_id",
    "_bhlid",
    "__readwiselocation",
    "_branch_match_id",
    "igshid",
    "share",
];
/// Beginnings of such parameters.
const TRACKER_PREFIXES: &[&str] = &["utm_", "mtm_"];
/// Parameters that say nothing of the video, on YouTube hosts.
const YOUTUBE_NOISE: &[&str] = &["si", "feature", "pp", "t", "ab_channel", "list", "index", "start_radio"];

impl CanonicalUrl {
    /// Reads an address as given by a feed or a person.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let trimmed = text.trim();
        let url = Url::parse(trimmed).map_err(|_| UrlError::Unreadable(trimmed.chars().take(200).collect()))?;
        Self::of(url)
    }

    /// Canonicalizes a parsed address.
    pub fn of(mut url: Url) -> Result<Self, UrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        let Some(host) = url.host_str() else { return Err(UrlError::NoHost) };
        let bare = bare_host(host).to_owned();
        if let Some(origin) = amp_cache_origin(&bare, &url) {
            return Self::of(origin);
        }
        if let Some(id) = youtube_video_id(&url) {
            return Ok(Self(format!("https://www.youtube.com/watch?v={id}")));
        }
        if url.fragment().is_some_and(|fragment| !fragment.starts_with('!')) {
            url.set_fragment(None);
        }
        strip_parameters(&mut url, &bare);
        if let Some(rest) = url.host_str().filter(|host| host.ends_with('.')).map(|host| host.trim_end_matches('.').to_owned()) {
            // A host of nothing but dots stays what it is.
            let _ = url.set_host(Some(&rest));
        }
        let path = tidy_path(url.path());
        if path != url.path() {
            url.set_path(&path);
        }
        Ok(Self(url.to_string()))
    }

    /// The address, fit to be shown and followed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is compared: without scheme, `www.`, `m.`, `amp.`, trailing slash, with platform ids in one spelling.
    pub fn key(&self) -> String {
        let Some(parts) = Parts::of(&self.0) else { return self.0.clone() };
        let host = bare_host(parts.host);
        if names_its_pages(host)
            && let Ok(url) = Url::parse(&self.0)
            && let Some(key) = platform_key(host, &url)
        {
            return key;
        }
        let path = parts.path.trim_end_matches('/');
        let path = path.strip_suffix("/amp").unwrap_or(path);
        let mut key = String::with_capacity(self.0.len());
        for (before, part) in [("", host), (":", parts.port), ("", path), ("?", parts.query)] {
            if !part.is_empty() {
                key.push_str(before);
                key.push_str(part);
            }
        }
        if let Some(fragment) = parts.fragment {
            key.push('#');
            key.push_str(fragment);
        }
        key
    }

    /// The host without `www.` and its like.
    pub fn host(&self) -> String {
        Parts::of(&self.0).map(|parts| bare_host(parts.host).to_owned()).unwrap_or_default()
    }

    /// The domain that was registered (public suffix list), or the host where there is none.
    pub fn registrable_domain(&self) -> String {
        registrable_domain(&self.host())
    }

    /// Whether both are under one registered domain, or on one host where that is a number.
    pub fn same_site(&self, other: &Self) -> bool {
        let is_number = |host: &str| host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
        let (one, two) = (self.host(), other.host());
        if is_number(&one) || is_number(&two) { one == two } else { registrable_domain(&one) == registrable_domain(&two) }
    }
}

impl fmt::Display for CanonicalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The parts of an address as it is written out (URL Standard, "URL serializing"): told apart by their marks alone, without
/// reading it anew. What is not there is empty.
struct Parts<'a> {
    host: &'a str,
    port: &'a str,
    path: &'a str,
    query: &'a str,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// `None` where the text is no such address.
    fn of(written: &'a str) -> Option<Self> {
        let (_, rest) = written.split_once("://")?;
        let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        (!host.is_empty()).then_some(Self { host, port, path, query, fragment })
    }
}

/// The registrable domain of a host (public suffix list), or the host itself where it has none.
fn registrable_domain(host: &str) -> String {
    psl::domain_str(host).unwrap_or(host).to_owned()
}

/// A host without the labels that only name a rendering of the same site.
fn bare_host(host: &str) -> &str {
    let mut bare = host.trim_end_matches('.');
    for prefix in ["www.", "m.", "mobile.", "amp."] {
        if let Some(rest) = bare.strip_prefix(prefix)
            && rest.contains('.')
        {
            bare = rest;
        }
    }
    bare
}

/// `https://cdn.ampproject.org/c/s/example.org/page` is `https://example.org/page`.
fn amp_cache_origin(bare: &str, url: &Url) -> Option<Url> {
    if bare != "cdn.ampproject.org" && !bare.ends_with(".cdn.ampproject.org") {
        return None;
    }
    let path = url.path();
    let rest = path.strip_prefix("/c/").or_else(|| path.strip_prefix("/v/"))?;
    let (scheme, rest) = match rest.strip_prefix("s/") {
        Some(rest) => ("https", rest),
        None => ("http", rest),
    };
    Url::parse(&format!("{scheme}://{rest}")).ok()
}

fn is_youtube(bare: &str) -> bool {
    matches!(bare, "youtube.com" | "youtu.be" | "youtube-nocookie.com" | "music.youtube.com")
}

/// The id of the one video that a YouTube address is about: 11 of `A-Za-z0-9_-`.
fn youtube_video_id(url: &Url) -> Option<String> {
    let bare = bare_host(url.host_str()?);
    if !is_youtube(bare) {
        return None;
    }
    let mut segments = url.path_segments()?;
    let first = segments.next().unwrap_or_default();
    let id = match first {
        "watch" => url.query_pairs().find(|(name, _)| name == "v")?.1.into_owned(),
        "shorts" | "live" | "embed" | "v" => segments.next()?.to_owned(),
        id if bare == "youtu.be" => id.to_owned(),
        _ => return None,
    };
    let fits = id.len() == 11 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    fits.then_some(id)
}

fn is_medium(bare: &str) -> bool {
    bare == "medium.com" || bare.ends_with(".medium.com")
}

fn strip_parameters(url: &mut Url, bare: &str) {
    let Some(query) = url.query() else { return };
    let noise = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        pair.is_empty()
            || TRACKERS.contains(&name.as_str())
            || TRACKER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || (name == "source" && is_medium(bare))
            // Ghost and others name the linking site in `ref`; any other `ref` may be the page itself.
            || (name == "ref" && looks_like_host(value))
            || (name == "amp" && matches!(value, "" | "1"))
            || (is_youtube(bare) && YOUTUBE_NOISE.contains(&name.as_str()) && url.path() != "/playlist")
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !noise(pair)).collect();
    let kept = kept.join("&");
    if kept.is_empty() {
        url.set_query(None);
    } else if kept != query {
        url.set_query(Some(&kept));
    }
}

/// `blog.example.org`, not `main` or `42`.
fn looks_like_host(value: &str) -> bool {
    value.contains('.') && !value.contains('/') && psl::domain_str(value).is_some() && matches!(Host::parse(value), Ok(Host::Domain(_)))
}

/// Doubled slashes made one; an empty path stays `/`.
fn tidy_path(path: &str) -> String {
    if !path.contains("//") {
        return path.to_owned();
    }
    let mut tidy = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !tidy.ends_with('/') {
            tidy.push(c);
        }
    }
    tidy
}

/// Whether some addresses of a host hold an id that says it all.
fn names_its_pages(host: &str) -> bool {
    is_youtube(host) || is_medium(host) || matches!(host, "community.aws" | "builder.aws.com" | "stackoverflow.com")
}

/// Addresses in which an id says it all, whatever words stand around it.
fn platform_key(host: &str, url: &Url) -> Option<String> {
    let segments: Vec<&str> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    if let Some(id) = youtube_video_id(url) {
        return Some(format!("yt:{id}"));
    }
    if is_medium(host) {
        let hex = segments.last()?.rsplit('-').next()?;
        let fits = (9..=14).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        return fits.then(|| format!("medium:{hex}"));
    }
    match (host, segments.as_slice()) {
        ("community.aws" | "builder.aws.com", ["content", id, ..]) => Some(format!("aws-content:{id}")),
        ("stackoverflow.com", ["a", id, ..]) => Some(format!("se:stackoverflow.com:a:{id}")),
        ("stackoverflow.com", ["questions", _, _, id]) if id.bytes().all(|b| b.is_ascii_digit()) => {
            Some(format!("se:stackoverflow.com:a:{id}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        CanonicalUrl::parse(text).unwrap().to_string()
    }

    fn key(text: &str) -> String {
        CanonicalUrl::parse(text).unwrap().key()
    }

    #[test]
    fn the_parts_of_an_address_are_told_apart_by_their_marks() {
        for text in
            ["https://[2001:db8::1]/a", "http://[::1]:8080/a?b:c#!d", "https://example.org:8443/x:y/?q=1?2#!/a?b#c", "http://10.0.0.1"]
        {
            let (url, read) = (canonical(text), Url::parse(text).unwrap());
            let parts = Parts::of(&url).unwrap();
            let port = read.port().map(|port| port.to_string()).unwrap_or_default();
            assert_eq!((Some(parts.host), parts.port, parts.path), (read.host_str(), port.as_str(), read.path()), "{text}");
            assert_eq!((parts.query, parts.fragment), (read.query().unwrap_or_default(), read.fragment()), "{text}");
        }
    }

    #[test]
    fn what_says_only_how_one_came_is_dropped() {
        for (given, wanted) in [
            ("HTTPS://Example.ORG:443/a?utm_source=x&b=1#top", "https://example.org/a?b=1"),
            ("http://example.org", "http://example.org/"),
            ("https://example.org/?p=812", "https://example.org/?p=812"),
            ("https://example.org/a//b///c", "https://example.org/a/b/c"),
            ("https://example.org/#!/page", "https://example.org/#!/page"),
            ("https://medium.com/@u/oil-9f1?source=rss-77aa------2", "https://medium.com/@u/oil-9f1"),
            ("https://shop.example.org/list?source=mill", "https://shop.example.org/list?source=mill"),
            ("https://example.org/x?ref=blog.example.com", "https://example.org/x"),
            ("https://example.org/x?ref=main", "https://example.org/x?ref=main"),
            ("https://youtu.be/abcdefghijk?si=zzz", "https://www.youtube.com/watch?v=abcdefghijk"),
            ("https://m.youtube.com/shorts/abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk"),
            ("https://www.youtube.com/watch?feature=share&v=abcdefghijk&t=4", "https://www.youtube.com/watch?v=abcdefghijk"),
            ("https://cdn.ampproject.org/c/s/example.org/page", "https://example.org/page"),
        ] {
            assert_eq!(canonical(given), wanted, "{given}");
        }
    }

    #[test]
    fn spellings_of_one_page_have_one_key() {
        for (one, other) in [
            ("http://www.example.org/a/", "https://example.org/a"),
            ("https://m.example.org/a/amp/", "https://example.org/a"),
            ("https://ada.medium.com/title-one-0123456789ab", "https://medium.com/@ada/other-title-0123456789ab"),
            ("https://community.aws/content/2abc/x", "https://builder.aws.com/content/2abc/y"),
            ("https://stackoverflow.com/a/77", "https://stackoverflow.com/questions/5/how/77#77"),
            ("https://youtu.be/abcdefghijk", "https://www.youtube.com/live/abcdefghijk"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("https://example.org/a?p=1"), key("https://example.org/a?p=2"));
        assert_ne!(key("https://example.org:8080/a"), key("https://example.org/a"));
    }

    #[test]
    fn canonicalizing_twice_changes_nothing() {
        for text in [
            "https://example.org/a//b/?utm_x=1&c",
            "https://youtu.be/abcdefghijk",
            "http://EXAMPLE.org./",
            "http://example.org.../a",
            "http://.../a",
            "http://127../a",
            "https://example.org../\\:7",
        ] {
            let once = canonical(text);
            assert_eq!(canonical(&once), once, "{text}");
        }
        assert_eq!(canonical("https://example.org../a"), "https://example.org/a");
    }

    proptest::proptest! {
        #[test]
        fn an_address_has_one_canonical_spelling(
            host in "(www\\.|m\\.|amp\\.)?[a-z0-9.%-]{1,12}\\.{0,3}",
            rest in "[/\\\\a-z.]{0,12}(\\?[a-z_&=;+%.]{0,12})?(#[!a-z]{0,4})?",
        ) {
            if let Ok(once) = CanonicalUrl::parse(&format!("https://{host}/{rest}")) {
                let twice = CanonicalUrl::parse(once.as_str()).unwrap();
                proptest::prop_assert_eq!((twice.key(), &twice), (once.key(), &once));
            }
        }
    }

    #[test]
    fn other_schemes_and_hidden_passwords_are_refused() {
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https://u:p@example.org/",
            "//example.org/x",
            "mailto:a@b.c",
            "",
        ] {
            assert!(CanonicalUrl::parse(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_canonical_address_is_its_own_canonical_address(
            host in "(www\\.|m\\.)?(medium\\.com|dev\\.to|youtube\\.com|youtu\\.be|kiln\\.example|[a-z]{1,4}\\.example\\.org)(:80|:443|:8080)?",
            path in "(/[a-zA-Z0-9@%. ~é-]{0,8}){0,4}",
            query in "(\\?([a-z_]{1,6}|utm_source|source|v|ref|p)=[a-zA-Z0-9%&=+é/-]{0,10}){0,1}",
            fragment in "(#[a-z/!]{0,5})?",
        ) {
            for scheme in ["http", "https"] {
                let Ok(url) = CanonicalUrl::parse(&format!("{scheme}://{host}{path}{query}{fragment}")) else { continue };
                let again = CanonicalUrl::parse(url.as_str()).unwrap();
                proptest::prop_assert_eq!((again.as_str(), again.key()), (url.as_str(), url.key()));
                let (parts, read) = (Parts::of(url.as_str()).unwrap(), Url::parse(url.as_str()).unwrap());
                let port = read.port().map(|port| port.to_string()).unwrap_or_default();
                proptest::prop_assert_eq!((Some(parts.host), parts.port), (read.host_str(), port.as_str()));
                proptest::prop_assert_eq!((parts.path, parts.query), (read.path(), read.query().unwrap_or_default()));
                proptest::prop_assert_eq!(parts.fragment, read.fragment());
            }
        }
    }
}
