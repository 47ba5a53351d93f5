//! Profiles on sites that any of several programs may run: `/@ada` is an account of Mastodon and its relatives, of PeerTube,
//! of Medium under a name of its own, of others yet. An address shows whose profile it is; what the site runs only the site
//! can say.
//!
//! In: pasted addresses, and what a site says that it runs (NodeInfo, <https://nodeinfo.diaspora.software/protocol>). Out:
//! what to ask next, and as which kinds of source a profile may be followed there. Pure.

use url::Url;

use super::discover::{bare_host, by_shape, is_name, on_platform, parse, segments, trimmed};
use super::json::value_of;

/// A profile whose address does not say what the site runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Scheme and host of the site.
    pub root: String,
    pub url: String,
    /// Of an account or channel; with the host that it comes from where that is another one.
    name: String,
    place: Place,
}

/// What an address says beside the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `/@name`: whoever it is.
    Anybody,
    /// `/c/name`, `/video-channels/name`.
    Channel,
    /// `/a/name`, `/accounts/name`.
    Account,
}

/// The profile that a pasted address shows, if its host is no platform that is known by its name.
pub fn profile(pasted: &str) -> Option<Profile> {
    /// Parts of one profile.
    const PARTS: &[&str] = &["with_replies", "media", "featured", "about", "videos", "video-channels", "video-playlists"];
    let url = parse(trimmed(pasted)).ok()?;
    if by_shape(&url).is_some() || on_platform(&bare_host(&url), &url).is_some() {
        return None;
    }
    let segments = segments(&url);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (place, name) = match segments.as_slice() {
        [name] | [name, _] if name.starts_with('@') => (Place::Anybody, name[1..].strip_suffix(".rss").unwrap_or(&name[1..])),
        ["c" | "video-channels", name] | ["c" | "video-channels", name, _] => (Place::Channel, *name),
        ["a" | "accounts", name] | ["a" | "accounts", name, _] => (Place::Account, *name),
        _ => return None,
    };
    let is_first = segments.len() == if place == Place::Anybody { 1 } else { 2 };
    let is_handle = name.split('@').count() <= 2 && name.split('@').all(is_name);
    (is_handle && (is_first || segments.last().is_some_and(|part| PARTS.contains(part)))).then(|| Profile {
        root: url.origin().ascii_serialization(),
        url: url.to_string(),
        name: name.to_owned(),
        place,
    })
}

impl Profile {
    /// The same on the site that answered for it.
    #[must_use]
    pub fn at(self, answered: &str) -> Self {
        match Url::parse(answered).map(|url| url.origin()) {
            Ok(origin) if origin.is_tuple() => Self { root: origin.ascii_serialization(), ..self },
            _ => self,
        }
    }

    /// Where the site says what it runs (NodeInfo, section 2 "Discovery").
    pub fn about_site(&self) -> String {
        format!("{}/.well-known/nodeinfo", self.root)
    }

    /// As an account that posts (PLATFORMS.md section 2), if it can be one.
    pub fn posts(&self) -> Option<String> {
        (self.place == Place::Anybody && !self.name.contains('@')).then(|| format!("{}/@{}", self.root, self.name.to_ascii_lowercase()))
    }

    /// The feeds of videos that it may have (PLATFORMS.md section 2), the likelier first: channels are what people name.
    pub fn videos(&self) -> Vec<String> {
        let feed = |parameter: &str| {
            let mut url = Url::parse(&self.root).ok()?.join("/feeds/videos.xml").ok()?;
            url.query_pairs_mut().append_pair(parameter, &self.name);
            Some(String::from(url))
        };
        let parameters: &[&str] = match self.place {
            Place::Anybody => &["videoChannelName", "accountName"],
            Place::Channel => &["videoChannelName"],
            Place::Account => &["accountName"],
        };
        parameters.iter().filter_map(|parameter| feed(parameter)).collect()
    }
}

/// Where a site describes itself, of all the versions that it offers the newest.
pub fn description_of_site(bytes: &[u8]) -> Option<String> {
    let answer = value_of(bytes)?;
    let links = answer.get("links")?.as_array()?.iter().take(20);
    let offered = links.filter_map(|link| {
        let version = link.get("rel")?.as_str()?.rsplit_once("/ns/schema/")?.1;
        let href = link.get("href")?.as_str()?.trim();
        (href.starts_with("https://") || href.starts_with("http://")).then(|| (version.to_owned(), href.to_owned()))
    });
    offered.max_by(|one, other| one.0.cmp(&other.0)).map(|(_, href)| href)
}

/// The name of the program that a site describes itself to run, in lower case.
pub fn software_of_site(bytes: &[u8]) -> Option<String> {
    let answer = value_of(bytes)?;
    let name = answer.get("software")?.get("name")?.as_str()?.trim().to_ascii_lowercase();
    ((1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())).then_some(name)
}

/// Whether a program shows accounts and their posts as Mastodon does.
pub fn shows_posts(software: &str) -> bool {
    const PROGRAMS: &[&str] = &[
        "akkoma",
        "fedibird",
        "firefish",
        "friendica",
        "gotosocial",
        "hometown",
        "iceshrimp",
        "mastodon",
        "mitra",
        "pixelfed",
        "pleroma",
        "sharkey",
        "takahe",
    ];
    PROGRAMS.contains(&software)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_known_by_its_place_and_platforms_by_their_host() {
        for (pasted, posts, videos) in [
            ("weir.example/@Ada", Some("https://weir.example/@ada"), &["videoChannelName=Ada", "accountName=Ada"][..]),
            ("https://weir.example/@ada/with_replies", Some("https://weir.example/@ada"), &["videoChannelName=ada", "accountName=ada"]),
            ("https://weir.example/@ada.rss", Some("https://weir.example/@ada"), &["videoChannelName=ada", "accountName=ada"]),
            ("https://weir.example/@ada@far.example", None, &["videoChannelName=ada%40far.example", "accountName=ada%40far.example"]),
            ("https://weir.example/c/sluice/videos", None, &["videoChannelName=sluice"]),
            ("https://weir.example/video-channels/sluice", None, &["videoChannelName=sluice"]),
            ("http://weir.example:8080/a/ada?x=1", None, &["accountName=ada"]),
        ] {
            let found = profile(pasted).unwrap_or_else(|| panic!("{pasted}"));
            assert_eq!(found.posts().as_deref(), posts, "{pasted}");
            let root = &found.root;
            let wanted: Vec<String> = videos.iter().map(|query| format!("{root}/feeds/videos.xml?{query}")).collect();
            assert_eq!(found.videos(), wanted, "{pasted}");
        }
        for other in [
            "@ada@social.example",
            "https://medium.com/@ada",
            "https://www.youtube.com/@ada",
            "https://www.youtube.com/c/ada",
            "https://velog.io/@ada",
            "https://threads.net/@ada",
            "https://weir.example/@ada/1122",
            "https://weir.example/@ada/a-story-0123456789ab",
            "https://weir.example/@",
            "https://weir.example/@a@b@c",
            "https://weir.example/c/..%2f",
            "https://weir.example/feeds/videos.xml?accountName=ada",
            "ftp://weir.example/@ada",
            "",
        ] {
            assert_eq!(profile(other), None, "{other}");
        }
    }

    #[test]
    fn a_site_says_what_it_runs() {
        let links = br#"{"links":[null,{"rel":"x","href":"https://e.example/x"},
            {"rel":"http://nodeinfo.diaspora.software/ns/schema/2.0","href":"https://weir.example/nodeinfo/2.0"},
            {"rel":"http://nodeinfo.diaspora.software/ns/schema/2.1","href":"https://weir.example/nodeinfo/2.1"},
            {"rel":"http://nodeinfo.diaspora.software/ns/schema/3.0","href":"file:///etc/passwd"}]}"#;
        assert_eq!(description_of_site(links).as_deref(), Some("https://weir.example/nodeinfo/2.1"));
        assert_eq!(software_of_site(br#"{"software":{"name":"PeerTube","version":"7"}}"#).as_deref(), Some("peertube"));
        for odd in [&b"<html>"[..], b"", b"{}", b"[]", br#"{"links":{}}"#, br#"{"software":[]}"#, br#"{"software":{"name":7}}"#] {
            assert_eq!((description_of_site(odd), software_of_site(odd)), (None, None));
        }
        assert!(shows_posts("mastodon") && !shows_posts("peertube") && !shows_posts("wordpress"));
    }
}
