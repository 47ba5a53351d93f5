//! What a builder pastes, and what a page says of feeds: the rules of discovery.
//!
//! In: pasted texts, and pages that somebody else fetched. Out: a source's kind and locator, or a page to look at, or a
//! sentence why not; feeds that a page names, best first; places to guess. Pure: asks nothing itself.
//!
//! Rules: PLATFORMS.md sections 2 and 2.1. Platforms that are plain feeds become one at the right address.

use html5gum::{Token, Tokenizer};
use url::Url;

use crate::model::{CanonicalUrl, Entry, SourceKind};

pub use super::profile::{Profile, description_of_site, profile, shows_posts, software_of_site};

/// What a pasted text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pasted {
    /// A source, known without asking anybody.
    Source { kind: SourceKind, locator: String, url: String },
    /// A page that has to be looked at first.
    NeedsPage { url: String, why: PageNeed },
}

/// Why a page has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageNeed {
    /// It tells the `UC…` id of a channel.
    Channel,
    /// It may be a feed or name one.
    Feed,
}

/// Why a pasted text becomes no source: a sentence for the person who pasted it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASource {
    #[error("nothing was pasted: give the address of a profile, a page or a feed")]
    Empty,
    #[error("`{0}` is not an address: give the address of a profile, a page or a feed")]
    Unreadable(String),
    #[error("`{address}` names nothing of the kind `{kind}`: leave the kind out, and it is told from the address")]
    Misfit { address: String, kind: SourceKind },
    #[error("only http and https addresses can be followed, not `{0}:`")]
    Scheme(String),
    #[error("an address must not carry a user name or password")]
    UserInfo,
    #[error("`{0}` may be a name on several platforms: write `youtube:@name`, `github:name`, `devto:name`, or paste the profile's address")]
    Ambiguous(String),
    #[error(
        "{platform} shows no feed to the public, so it cannot be followed: enter single works by hand instead, with \
         `clarion work add BUILDER ADDRESS`"
    )]
    Closed { platform: &'static str },
    #[error("works that are entered by hand need no source: `clarion work add BUILDER ADDRESS` takes them")]
    ByHand,
    #[error("{platform} has no feed of its own: paste the address of {instead} instead")]
    Elsewhere { platform: &'static str, instead: &'static str },
    #[error(
        "what {host} runs cannot be told, so neither can what kind of profile {url} is ({reason}): paste its feed's address, or \
         write `mastodon:@name@{host}` if it is one of Mastodon's kind"
    )]
    Untold { url: String, host: String, reason: String },
    #[error("this is a single {what}, not a place where new ones appear: paste the address of {instead} instead")]
    Single { what: &'static str, instead: &'static str },
}

/// A feed that a page names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFeed {
    pub url: String,
    pub title: Option<String>,
    /// `application/atom+xml` and its like, as the page says it.
    pub mime: String,
}

/// Understands a pasted text.
pub fn understand(pasted: &str) -> Result<Pasted, NotASource> {
    let text = trimmed(pasted);
    if text.is_empty() {
        return Err(NotASource::Empty);
    }
    if let Some((platform, name)) = text.split_once(':').filter(|(_, rest)| !rest.starts_with("//"))
        && let Some(found) = named(&platform.to_ascii_lowercase(), name.trim())
    {
        return found;
    }
    if is_channel_id(text) {
        return Ok(channel(text));
    }
    if let Some(rest) = text.strip_prefix('@') {
        return match rest.split_once('@') {
            Some((user, host)) if is_name(user) && host.contains('.') => mastodon(user, host),
            _ => Err(NotASource::Ambiguous(shown(text))),
        };
    }
    address(text)
}

/// Understands what a roster gives beside a kind: there a bare name is enough, and whatever host serves it is taken.
pub fn understand_as(kind: SourceKind, pasted: &str) -> Result<Pasted, NotASource> {
    let address = parse(trimmed(pasted)).ok().filter(Url::has_host);
    let misfit = |url: &Url| NotASource::Misfit { address: shown(url.as_str()), kind };
    if let Some(url) = address.as_ref().filter(|url| is_elsewhere(kind, url)) {
        return Err(misfit(url));
    }
    understand_of(kind, pasted).map_err(|error| match (error, &address) {
        // The address is one: it only does not fit.
        (NotASource::Unreadable(_), Some(url)) => misfit(url),
        (error, _) => error,
    })
}

/// Whether an address is at a platform that has none of that kind: following it would follow somebody else of that name.
fn is_elsewhere(kind: SourceKind, url: &Url) -> bool {
    use SourceKind::{
        Bluesky, Devto, GithubOrg, GithubRepo, GithubUser, GitlabProject, GitlabUser, Ical, Manual, Medium, Podcast, Rss,
        SessionizeSpeaker, Sitemap, StackExchange, TwitchChannel, Vimeo, YoutubeChannel, YoutubePlaylist,
    };
    const HOMES: [(&str, &[SourceKind]); 11] = [
        ("youtube.com", &[YoutubeChannel, YoutubePlaylist]),
        ("youtu.be", &[YoutubeChannel, YoutubePlaylist]),
        ("youtube-nocookie.com", &[YoutubeChannel, YoutubePlaylist]),
        ("github.com", &[GithubUser, GithubOrg, GithubRepo]),
        ("gitlab.com", &[GitlabUser, GitlabProject]),
        ("dev.to", &[Devto]),
        ("twitch.tv", &[TwitchChannel]),
        ("sessionize.com", &[SessionizeSpeaker]),
        ("bsky.app", &[Bluesky]),
        ("vimeo.com", &[Vimeo]),
        ("medium.com", &[Medium]),
    ];
    // Documents may lie anywhere.
    if matches!(kind, Rss | Podcast | Ical | Sitemap | Manual) {
        return false;
    }
    let Some(host) = url.host_str().map(|host| host.trim_end_matches('.')) else { return false };
    if stack_exchange_site(host.strip_prefix("www.").unwrap_or(host)).is_some() {
        return kind != StackExchange;
    }
    let lies_at = |home: &str| host.strip_suffix(home).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    HOMES.iter().any(|(home, kinds)| lies_at(home) && !kinds.contains(&kind))
}

fn understand_of(kind: SourceKind, pasted: &str) -> Result<Pasted, NotASource> {
    let text = trimmed(pasted);
    if text.is_empty() {
        return Err(NotASource::Empty);
    }
    let name = text.strip_prefix('@').unwrap_or(text);
    match kind {
        SourceKind::Rss => match feed_locator(text) {
            Some(locator) if !is_youtube(&locator) => Ok(feed_at(&locator)),
            _ => understand(text),
        },
        SourceKind::YoutubeChannel if !text.contains(['/', ':', '.']) => {
            if is_channel_id(text) {
                Ok(channel(text))
            } else {
                youtube_page(&format!("@{name}"))
            }
        }
        SourceKind::GithubUser if is_name(name) => Ok(github(name)),
        SourceKind::Devto if is_name(name) => Ok(devto(name)),
        SourceKind::TwitchChannel if is_login(name) => Ok(twitch(name)),
        SourceKind::SessionizeSpeaker if is_name(name) => Ok(sessionize(name)),
        SourceKind::YoutubePlaylist if is_playlist_id(text) => playlist(Some(text.to_owned())),
        SourceKind::Medium if is_name(name) => Ok(feed_of(kind, &format!("https://medium.com/feed/@{name}"))),
        SourceKind::Vimeo if is_name(name) => Ok(feed_of(kind, &format!("https://vimeo.com/{name}/videos/rss"))),
        SourceKind::Manual => Err(NotASource::ByHand),
        SourceKind::Podcast | SourceKind::Medium | SourceKind::Vimeo | SourceKind::Peertube | SourceKind::Ical => address_of(kind, text),
        SourceKind::GithubOrg
        | SourceKind::GithubRepo
        | SourceKind::GitlabUser
        | SourceKind::GitlabProject
        | SourceKind::StackExchange
        | SourceKind::Mastodon
        | SourceKind::Bluesky
        | SourceKind::Sitemap => of_kind(kind, text),
        SourceKind::YoutubeChannel
        | SourceKind::YoutubePlaylist
        | SourceKind::GithubUser
        | SourceKind::Devto
        | SourceKind::TwitchChannel
        | SourceKind::SessionizeSpeaker => {
            let found = understand(text)?;
            let fits = match &found {
                Pasted::Source { kind: found, .. } => *found == kind,
                Pasted::NeedsPage { why, .. } => kind == SourceKind::YoutubeChannel && *why == PageNeed::Channel,
            };
            // Another host that serves the same, a test's or a company's own: it stays the address that people see.
            let url = parse(text).ok();
            let own = url.as_ref().and_then(Url::host_str).is_none_or(is_platform);
            if fits && own {
                return Ok(found);
            }
            let Some(url) = url else { return Err(NotASource::Unreadable(shown(text))) };
            let account = account_in(&url);
            let found = match kind {
                SourceKind::YoutubeChannel if is_channel_id(&account) => channel(&account),
                SourceKind::GithubUser if is_name(&account) => github(&account),
                SourceKind::Devto if is_name(&account) => devto(&account),
                SourceKind::TwitchChannel if is_login(&account) => twitch(&account),
                SourceKind::SessionizeSpeaker if is_name(&account) => sessionize(&account),
                SourceKind::YoutubePlaylist if is_playlist_id(&account) => playlist(Some(account))?,
                _ => return Err(NotASource::Unreadable(shown(text))),
            };
            Ok(match found {
                Pasted::Source { kind, locator, .. } => Pasted::Source { kind, locator, url: url.to_string() },
                page @ Pasted::NeedsPage { .. } => page,
            })
        }
    }
}

/// An address of a kind that is known by its feed: what the platform's own pages stand for, else the address as it is.
fn address_of(kind: SourceKind, text: &str) -> Result<Pasted, NotASource> {
    match understand(text)? {
        found @ Pasted::Source { kind: found_kind, .. } if found_kind == kind => Ok(found),
        _ if kind == SourceKind::Peertube => {
            let url = parse(text)?;
            let found = peertube(&url, true);
            found.or_else(|| feed_locator(text).map(|locator| feed_of(kind, &locator))).ok_or_else(|| NotASource::Unreadable(shown(text)))
        }
        _ => feed_locator(text).map(|locator| feed_of(kind, &locator)).ok_or_else(|| NotASource::Unreadable(shown(text))),
    }
}

/// What a feed is that was pasted as an address of no particular kind, as its entries show it.
pub fn kind_of_feed(entries: &[Entry]) -> SourceKind {
    let most =
        |fits: &dyn Fn(&Entry) -> bool| !entries.is_empty() && entries.iter().filter(|entry| fits(entry)).count() * 2 > entries.len();
    let is_sound = |entry: &Entry| {
        entry.platform_key.as_deref().is_some_and(|key| key.starts_with("podcast:"))
            || entry.media.iter().any(|media| media.mime.as_deref().is_some_and(|mime| mime.starts_with("audio/")))
    };
    if most(&|entry| entry.platform_key.as_deref().is_some_and(|key| key.starts_with("medium:"))) {
        SourceKind::Medium
    } else if most(&is_sound) {
        SourceKind::Podcast
    } else {
        SourceKind::Rss
    }
}

/// Understands what a roster gives beside a kind that has addresses on many hosts, or names of its own.
fn of_kind(kind: SourceKind, text: &str) -> Result<Pasted, NotASource> {
    let unreadable = || NotASource::Unreadable(shown(text));
    let bare = text.strip_prefix('@').unwrap_or(text);
    let found = match (kind, bare.split_once('/')) {
        (SourceKind::GithubOrg, None) if is_name(bare) && !bare.contains('.') => Some(github_org(bare)),
        (SourceKind::GithubRepo, Some((owner, repo))) if is_name(owner) && !owner.contains('.') && is_name(repo) => {
            Some(github_repo(owner, repo))
        }
        (SourceKind::GitlabUser, None) if is_name(bare) && !bare.contains('.') => Some(gitlab("https://gitlab.com", bare, kind)),
        (SourceKind::GitlabProject, Some((group, _))) if is_name(group) && !group.contains('.') => {
            Some(gitlab("https://gitlab.com", bare, kind))
        }
        (SourceKind::StackExchange, None) if bare.bytes().all(|b| b.is_ascii_digit()) => Some(stack_exchange("stackoverflow", bare)),
        (SourceKind::StackExchange, None) => bare
            .rsplit_once(':')
            .filter(|(site, id)| is_name(site) && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
            .map(|(site, id)| stack_exchange(site, id)),
        (SourceKind::Bluesky, None) if bare.starts_with("did:") || (is_name(bare) && bare.contains('.')) => Some(bluesky(bare)),
        _ => None,
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let found = understand(text);
    if let Ok(Pasted::Source { kind: told, .. }) = &found
        && *told == kind
    {
        return found;
    }
    let url = parse(text)?;
    let parts = segments(&url);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let root = url.origin().ascii_serialization();
    let after = |name: &str| parts.iter().position(|part| *part == name).map(|at| &parts[at + 1..]);
    let account = account_in(&url);
    let told = match kind {
        SourceKind::GithubOrg => {
            after("orgs").or(Some(&parts[..])).and_then(<[&str]>::first).filter(|org| is_name(org)).map(|org| github_org(org))
        }
        SourceKind::GithubRepo => match after("repos").unwrap_or(&parts) {
            [owner, repo, ..] if is_name(owner) && is_name(repo) => Some(github_repo(owner, repo)),
            _ => None,
        },
        SourceKind::GitlabUser => Some(account.as_str()).filter(|user| is_name(user)).map(|user| gitlab(&root, user, kind)),
        SourceKind::GitlabProject => {
            let until = parts.iter().position(|part| *part == "-").unwrap_or(parts.len());
            (until >= 2).then(|| gitlab(&root, &parts[..until].join("/"), kind))
        }
        SourceKind::StackExchange => {
            let site = url
                .query_pairs()
                .find(|(name, _)| name == "site")
                .map_or_else(|| "stackoverflow".to_owned(), |(_, site)| site.into_owned());
            let id = after("users").and_then(<[&str]>::first).filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
            id.filter(|_| is_name(&site)).map(|id| stack_exchange(&site, id))
        }
        SourceKind::Mastodon => {
            let user = parts.first().map(|user| user.trim_start_matches('@').trim_end_matches(".rss")).filter(|user| is_name(user));
            user.map(|user| mastodon_at(&root, user))
        }
        SourceKind::Bluesky => {
            let actor = url.query_pairs().find(|(name, _)| name == "actor").map(|(_, actor)| actor.into_owned());
            let actor = actor.or_else(|| after("profile").and_then(|rest| Some((*rest.first()?).to_owned())));
            actor.filter(|actor| actor.starts_with("did:") || is_name(actor)).map(|actor| bluesky(&actor))
        }
        SourceKind::Sitemap => feed_locator(url.as_str()).map(|locator| sitemap(&locator)),
        _ => None,
    };
    let own = url.host_str().is_none_or(is_platform);
    match told.ok_or_else(unreadable)? {
        // Another host that serves the same stays the address that people see.
        Pasted::Source { kind, locator, .. } if !own => Ok(Pasted::Source { kind, locator, url: url.to_string() }),
        told => Ok(told),
    }
}

/// The name by which the API knows a site of Stack Exchange; `None` for any other host.
pub fn stack_exchange_site(host: &str) -> Option<String> {
    const SITES: &[(&str, &str)] = &[
        ("stackoverflow.com", "stackoverflow"),
        ("serverfault.com", "serverfault"),
        ("superuser.com", "superuser"),
        ("askubuntu.com", "askubuntu"),
        ("stackapps.com", "stackapps"),
        ("mathoverflow.net", "mathoverflow.net"),
    ];
    if let Some((_, site)) = SITES.iter().find(|(known, _)| *known == host) {
        return Some((*site).to_owned());
    }
    // Sites in other languages, and those of the network's own domain.
    let label = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if let Some(language) = host.strip_suffix(".stackoverflow.com").filter(|rest| label(rest)) {
        return Some(format!("{language}.stackoverflow"));
    }
    host.strip_suffix(".stackexchange.com").filter(|rest| label(rest) && *rest != "api" && *rest != "data").map(str::to_owned)
}

/// The host of a site that the API knows by that name.
pub fn stack_exchange_host(site: &str) -> String {
    match site {
        "stackoverflow" | "serverfault" | "superuser" | "askubuntu" | "stackapps" => format!("{site}.com"),
        // Spelled with its domain already.
        site => match site.rsplit_once('.') {
            Some((_, "net" | "com")) => site.to_owned(),
            Some((_, "stackoverflow")) => format!("{site}.com"),
            _ => format!("{site}.stackexchange.com"),
        },
    }
}

/// Whether a host is that of a platform itself, whose addresses have one spelling for people.
fn is_platform(host: &str) -> bool {
    const PLATFORMS: [&str; 10] = [
        "youtube.com",
        "youtu.be",
        "github.com",
        "dev.to",
        "youtube-nocookie.com",
        "twitch.tv",
        "sessionize.com",
        "gitlab.com",
        "bsky.app",
        "stackexchange.com",
    ];
    if stack_exchange_site(host.strip_prefix("www.").unwrap_or(host)).is_some() {
        return true;
    }
    PLATFORMS.iter().any(|platform| host.strip_suffix(*platform).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// The account that an address of a platform's interface, or of a profile, is about: named in the query
/// (`?channel_id=`, `?username=`), after `users` (`/users/{name}/events/public`), else last in the path.
fn account_in(url: &Url) -> String {
    let in_query = url
        .query_pairs()
        .find(|(name, _)| matches!(name.as_ref(), "channel_id" | "username" | "playlist_id" | "list" | "login"))
        .map(|(_, value)| value.into_owned());
    let path = segments(url);
    let after_users = path.iter().position(|segment| *segment == "users").and_then(|at| path.get(at + 1));
    in_query.or_else(|| after_users.or(path.last()).map(|name| name.trim_start_matches('@').to_owned())).unwrap_or_default()
}

/// The one spelling of a feed's address: without fragment, default port and trackers. `None` for what is no http(s)
/// address.
pub fn feed_locator(url: &str) -> Option<String> {
    let url = parse(trimmed(url)).ok()?;
    let canonical = CanonicalUrl::of(url).ok()?;
    let mut url = Url::parse(canonical.as_str()).ok()?;
    url.set_fragment(None);
    Some(url.to_string())
}

/// Whether an address is YouTube's.
pub fn is_youtube(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| is_host(&bare_host(&url), &["youtube.com", "youtu.be", "youtube-nocookie.com"]))
}

/// The `UC…` id that a channel's page or feed tells, in the order in which the places can be trusted
/// (PLATFORMS.md section 6).
pub fn youtube_channel_in_page(html: &str) -> Option<String> {
    let (mut canonical, mut feed, mut identifier) = (None, None, None);
    for tag in tags(html) {
        match tag.name.as_str() {
            "link" if tag.has_rel("canonical") => {
                canonical = canonical.or_else(|| tag.get("href").and_then(|href| id_after(href, "/channel/")));
            }
            "link" if tag.get("type").is_some_and(|mime| mime.eq_ignore_ascii_case("application/rss+xml")) => {
                feed = feed.or_else(|| tag.get("href").and_then(|href| id_after(href, "channel_id=")));
            }
            "meta" if tag.get("itemprop") == Some("identifier") => {
                identifier = identifier.or_else(|| tag.get("content").filter(|id| is_channel_id(id)).map(str::to_owned));
            }
            _ => {}
        }
    }
    canonical.or(feed).or(identifier).or_else(|| id_after(html, "\"externalId\":\"")).or_else(|| {
        // A feed asked for by user name names its channel as author.
        id_after(html.split_once("<uri>")?.1, "/channel/")
    })
}

/// The feeds that a page names, best first: on the page's own host, for just this page, Atom and RSS before JSON.
pub fn feeds_in_page(html: &str, base: &str) -> Vec<FoundFeed> {
    let Ok(page) = Url::parse(base) else { return Vec::new() };
    let tags = tags(html);
    let base = tags
        .iter()
        .find(|tag| tag.name == "base")
        .and_then(|tag| page.join(tag.get("href")?.trim()).ok())
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .unwrap_or_else(|| page.clone());
    let mut found: Vec<(Rank, FoundFeed)> = Vec::new();
    for tag in tags.iter().filter(|tag| tag.name == "link" && tag.has_rel("alternate")) {
        let mime = tag.get("type").map(|mime| mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()).unwrap_or_default();
        let Some(url) = tag.get("href").filter(|href| !href.trim().is_empty()).and_then(|href| base.join(href.trim()).ok()) else {
            continue;
        };
        if !is_feed_type(&mime, &url) || !matches!(url.scheme(), "http" | "https") {
            continue;
        }
        let title = tag.get("title").map(str::trim).filter(|title| !title.is_empty()).map(|title| title.chars().take(200).collect());
        let feed = FoundFeed { url: url.to_string(), title, mime };
        if found.iter().all(|(_, other)| other.url != feed.url) {
            found.push((Rank::of(&feed, &url, &page, tag.get("hreflang").is_some(), found.len()), feed));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    let all_comments = found.iter().all(|(rank, _)| rank.comments);
    found.into_iter().filter(|(rank, _)| all_comments || !rank.comments).map(|(_, feed)| feed).collect()
}

/// Whether a page is Medium's, whatever host shows it: Medium's apps are named as those that open it (App Links,
/// `al:android:app_name`).
pub fn is_medium(html: &str) -> bool {
    tags(html).iter().any(|tag| {
        tag.name == "meta"
            && tag.get("property").is_some_and(|name| matches!(name, "al:android:app_name" | "al:ios:app_name"))
            && tag.get("content").is_some_and(|app| app.trim().eq_ignore_ascii_case("medium"))
    })
}

/// Where a feed usually lies, under the page's folder first and then at the root: at most 13 addresses.
pub fn guesses(url: &str) -> Vec<String> {
    const NAMES: &[&str] = &[
        "feed/",
        "rss/",
        "atom.xml",
        "feed.xml",
        "rss.xml",
        "index.xml",
        "feed.atom",
        "index.rss",
        "feed.json",
        "rss/feed.xml",
        "blog/feed.xml",
        "blog/rss.xml",
        "blog/index.xml",
    ];
    const MOST: usize = 13;
    /// How many are tried under the folder, so that the root has its turn.
    const UNDER_FOLDER: usize = 6;
    let Ok(mut page) = Url::parse(url) else { return Vec::new() };
    if !matches!(page.scheme(), "http" | "https") {
        return Vec::new();
    }
    page.set_query(None);
    page.set_fragment(None);
    let last_is_file = page.path().rsplit('/').next().is_some_and(|last| last.contains('.'));
    if !page.path().ends_with('/') && !last_is_file {
        page.set_path(&format!("{}/", page.path()));
    }
    let folder = page.join("./").ok().filter(|folder| folder.path() != "/");
    let root = page.join("/").ok();
    let under = folder.iter().flat_map(|folder| NAMES.iter().take(UNDER_FOLDER).filter_map(|name| folder.join(name).ok()));
    let at_root = root.iter().flat_map(|root| NAMES.iter().filter_map(|name| root.join(name).ok()));
    let mut guesses: Vec<String> = Vec::new();
    for guess in under.chain(at_root).map(|url| url.to_string()) {
        if guesses.len() < MOST && !guesses.contains(&guess) {
            guesses.push(guess);
        }
    }
    guesses
}

/// Without blanks, angle brackets and the punctuation of the sentence around it.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim().trim_start_matches(['<', '(', '"', '\'']).trim_end_matches(['>', ')', '"', '\'', ',', ';', '.', '!']).trim()
}

/// `github:ada` and its like; `None` where what stands before the colon is no platform.
fn named(platform: &str, name: &str) -> Option<Result<Pasted, NotASource>> {
    let bare = name.trim_start_matches('@');
    let checked = |found: Pasted| if is_name(bare) { Ok(found) } else { Err(NotASource::Unreadable(shown(name))) };
    Some(match platform {
        "youtube" if is_channel_id(bare) => Ok(channel(bare)),
        "youtube" => youtube_page(&format!("@{bare}")),
        "github" => checked(github(bare)),
        "devto" | "dev.to" => checked(devto(bare)),
        "medium" => checked(feed_of(SourceKind::Medium, &format!("https://medium.com/feed/@{bare}"))),
        "twitch" => checked(twitch(bare)),
        "vimeo" => checked(feed_of(SourceKind::Vimeo, &format!("https://vimeo.com/{bare}/videos/rss"))),
        "gitlab" => checked(gitlab("https://gitlab.com", bare, SourceKind::GitlabUser)),
        "bluesky" | "bsky" => checked(bluesky(bare)),
        "did" => Ok(bluesky(&format!("did:{name}"))),
        "mastodon" => match bare.split_once('@') {
            Some((user, host)) => mastodon(user, host),
            None => Err(NotASource::Ambiguous(shown(name))),
        },
        "feed" if name.contains("://") || name.contains('.') => address(name),
        _ => return None,
    })
}

fn address(text: &str) -> Result<Pasted, NotASource> {
    let url = parse(text)?;
    // Addresses of interfaces say it all, whatever host serves them.
    if let Some(found) = by_shape(&url) {
        return Ok(found);
    }
    let host = bare_host(&url);
    if let Some(found) = on_platform(&host, &url) {
        return found;
    }
    let segments = segments(&url);
    if let [user] = segments.as_slice()
        && let Some(user) = user.strip_prefix('@').map(|user| user.strip_suffix(".rss").unwrap_or(user)).filter(|user| is_name(user))
    {
        return Ok(mastodon_at(&url.origin().ascii_serialization(), user));
    }
    // Sites that run GitLab under a name of their own show it in their addresses.
    if host.starts_with("gitlab.") || segments.iter().any(|segment| segment == "-") {
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        if parts.last().is_some_and(|last| !has_ending(last, "atom")) {
            return on_gitlab(&url, &parts);
        }
    }
    if segments.last().is_some_and(|last| is_sitemap(last))
        && let Some(locator) = feed_locator(url.as_str())
    {
        return Ok(sitemap(&locator));
    }
    let locator = feed_locator(url.as_str()).ok_or_else(|| NotASource::Unreadable(shown(text)))?;
    if url.path().to_ascii_lowercase().ends_with(".ics") || text.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("webcal")) {
        return Ok(feed_of(SourceKind::Ical, &locator));
    }
    if let Some(found) = peertube(&url, false) {
        return Ok(found);
    }
    Ok(if looks_like_feed(&url) {
        feed_of(if is_podcast_host(&host) { SourceKind::Podcast } else { SourceKind::Rss }, &locator)
    } else {
        Pasted::NeedsPage { url: locator, why: PageNeed::Feed }
    })
}

/// An absolute http(s) address; without a scheme `https` is meant.
pub(super) fn parse(text: &str) -> Result<Url, NotASource> {
    let unreadable = || NotASource::Unreadable(shown(text));
    let with_scheme = match text.split_once("://") {
        Some((scheme, _)) if matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") => text.to_owned(),
        Some((scheme, rest)) if matches!(scheme.to_ascii_lowercase().as_str(), "feed" | "webcal" | "webcals") => format!("https://{rest}"),
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => return Err(NotASource::Scheme(shown(scheme))),
        _ => {
            let before = text.split(['/', '?', '#']).next().unwrap_or_default();
            if let Some((scheme, port)) = before.split_once(':')
                && !port.bytes().all(|b| b.is_ascii_digit())
            {
                return Err(NotASource::Scheme(shown(scheme)));
            }
            if before.contains('@') {
                return Err(NotASource::UserInfo);
            }
            if !before.contains('.') {
                return Err(if is_name(before) && before == text { NotASource::Ambiguous(shown(text)) } else { unreadable() });
            }
            format!("https://{text}")
        }
    };
    let url = Url::parse(&with_scheme).map_err(|_| unreadable())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotASource::UserInfo);
    }
    if url.host_str().is_none() { Err(unreadable()) } else { Ok(url) }
}

/// Addresses of the feeds and interfaces themselves, on any host.
pub(super) fn by_shape(url: &Url) -> Option<Pasted> {
    let segments = segments(url);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if let Some(id) = parameter("channel_id").filter(|id| is_channel_id(id)) {
        return Some(channel(&id));
    }
    match segments.as_slice() {
        [.., "users", user, "events"] | [.., "users", user, "events", "public"] if is_name(user) => Some(github(user)),
        [.., "speaker", "json", id] if is_name(id) => Some(sessionize(id)),
        [.., "feeds", file] if file.starts_with("videos.") => {
            let names = ["videoChannelName", "videoChannelId", "accountName", "accountId"];
            let of_peertube = names.iter().any(|name| parameter(name).is_some());
            let list = parameter("playlist_id").filter(|id| is_playlist_id(id));
            match list {
                Some(list) => playlist(Some(list)).ok(),
                None => of_peertube.then(|| feed_locator(url.as_str())).flatten().map(|feed| feed_of(SourceKind::Peertube, &feed)),
            }
        }
        [.., "orgs", org, "repos"] if is_name(org) => Some(github_org(org)),
        [.., "repos", owner, repo, "releases"] if is_name(owner) && is_name(repo) => Some(github_repo(owner, repo)),
        [.., "users", id, "answers"] if id.bytes().all(|b| b.is_ascii_digit()) => {
            parameter("site").filter(|site| is_name(site)).map(|site| stack_exchange(&site, id))
        }
        ["xrpc", "app.bsky.feed.getAuthorFeed"] => parameter("actor").map(|actor| bluesky(&actor)),
        ["api", "v1", "accounts", "lookup"] => {
            parameter("acct").filter(|user| is_name(user)).map(|user| mastodon_at(&url.origin().ascii_serialization(), &user))
        }
        ["api", "v4", "users"] => parameter("username")
            .filter(|user| is_name(user))
            .map(|user| gitlab(&url.origin().ascii_serialization(), &user, SourceKind::GitlabUser)),
        ["api", "v4", "projects", path, "releases"] => {
            // The path is written as one part of the address.
            let path = path.replace("%2F", "/").replace("%2f", "/");
            path.contains('/').then(|| gitlab(&url.origin().ascii_serialization(), &path, SourceKind::GitlabProject))
        }
        [.., "api", "articles"] => parameter("username").filter(|user| is_name(user)).map(|user| devto(&user)),
        _ => None,
    }
}

/// What an address means on a platform that we know; `None` for any other site.
pub(super) fn on_platform(host: &str, url: &Url) -> Option<Result<Pasted, NotASource>> {
    let segments = segments(url);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let Some(platform) = closed(host) {
        return Some(Err(NotASource::Closed { platform }));
    }
    let feed = |url: String| Some(Ok(feed_at(&url)));
    let films = |path: &str| Some(Ok(feed_of(SourceKind::Vimeo, &format!("https://vimeo.com/{path}/videos/rss"))));
    let own = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    match host {
        "youtube.com" | "youtu.be" | "youtube-nocookie.com" => return Some(on_youtube(host, url, &segments)),
        "github.com" => return Some(on_github(&segments)),
        "dev.to" => return Some(on_devto(&segments)),
        "gitlab.com" => {
            return if segments.last().is_some_and(|last| has_ending(last, "atom")) { None } else { Some(on_gitlab(url, &segments)) };
        }
        "stackexchange.com" => {
            return Some(Err(NotASource::Elsewhere {
                platform: "a profile of the whole Stack Exchange network",
                instead: "the profile on one of its sites, such as stackoverflow.com/users/…",
            }));
        }
        "bsky.app" => {
            return match segments.as_slice() {
                ["profile", actor, ..] if actor.starts_with("did:") || (is_name(actor) && actor.contains('.')) => Some(Ok(bluesky(actor))),
                _ => Some(Err(NotASource::Elsewhere { platform: "this page of Bluesky", instead: "a profile" })),
            };
        }
        "medium.com" => return Some(on_medium(&segments)),
        "hashnode.com" => return Some(Err(NotASource::Elsewhere { platform: "a Hashnode profile", instead: "the blog" })),
        "open.spotify.com" | "spotify.com" => {
            return Some(Err(NotASource::Elsewhere { platform: "Spotify", instead: "the podcast's RSS feed" }));
        }
        "podcasts.apple.com" | "itunes.apple.com" => return Some(on_apple(&segments)),
        "twitch.tv" => return Some(on_twitch(&segments)),
        "sessionize.com" => {
            return Some(Err(NotASource::Elsewhere {
                platform: "a page of Sessionize",
                instead: "your speaker's API (https://sessionize.com/api/speaker/json/…), which Sessionize shows you under Settings, API",
            }));
        }
        "meetup.com" => return Some(on_meetup(&segments)),
        "open.substack.com" => {
            return match segments.as_slice() {
                ["pub", publication, ..] if is_name(publication) => feed(format!("https://{publication}.substack.com/feed")),
                _ => None,
            };
        }
        "substack.com" => return Some(Err(NotASource::Elsewhere { platform: "a Substack profile", instead: "the publication" })),
        "vimeo.com" => {
            return match segments.as_slice() {
                [video] if video.bytes().all(|b| b.is_ascii_digit()) => {
                    Some(Err(NotASource::Single { what: "video", instead: "the channel" }))
                }
                [place @ ("channels" | "groups"), name, ..] if is_name(name) => films(&format!("{place}/{name}")),
                [name] | [name, "videos"] | [name, "videos", "rss"] if is_name(name) => films(name),
                _ => Some(Err(NotASource::Single { what: "page", instead: "the channel" })),
            };
        }
        _ => {}
    }
    // Where the first part of the path is a person.
    let by_user = [
        ("qiita.com", "https://qiita.com/{}/feed"),
        ("zenn.dev", "https://zenn.dev/{}/feed"),
        ("note.com", "https://note.com/{}/rss"),
        ("velog.io", "https://v2.velog.io/rss/{}"),
        ("speakerdeck.com", "https://speakerdeck.com/{}.atom"),
    ];
    if let Some((_, pattern)) = by_user.iter().find(|(known, _)| *known == host)
        && let Some(user) = segments.first().map(|user| user.trim_start_matches('@')).filter(|user| is_name(user))
    {
        // A feed pasted as such is right already.
        let user = user.strip_suffix(".atom").unwrap_or(user);
        return feed(pattern.replace("{}", user));
    }
    // Where the host is the publication.
    let by_host = [
        ("medium.com", "feed"),
        ("hashnode.dev", "rss.xml"),
        ("substack.com", "feed"),
        ("wordpress.com", "feed/"),
        ("blogspot.com", "feeds/posts/default"),
        ("tumblr.com", "rss"),
    ];
    if let Some((domain, path)) = by_host.iter().find(|(domain, _)| own(domain)) {
        let kind = if *domain == "medium.com" { SourceKind::Medium } else { SourceKind::Rss };
        let own_feed = || format!("https://{}/{path}", url.host_str().unwrap_or(host).to_ascii_lowercase());
        let pasted = Some(url.as_str()).filter(|_| looks_like_feed(url)).and_then(feed_locator);
        return Some(Ok(feed_of(kind, &pasted.unwrap_or_else(own_feed))));
    }
    if let Some(site) = stack_exchange_site(host) {
        return match segments.as_slice() {
            ["users", id, ..] if id.bytes().all(|b| b.is_ascii_digit()) => Some(Ok(stack_exchange(&site, id))),
            ["feeds", ..] => None,
            ["questions" | "q" | "a", ..] => Some(Err(NotASource::Single { what: "question or answer", instead: "the profile" })),
            _ => Some(Err(NotASource::Elsewhere { platform: "this page of Stack Exchange", instead: "a profile" })),
        };
    }
    None
}

/// Networks that show nothing to readers without an account.
fn closed(host: &str) -> Option<&'static str> {
    const NETWORKS: &[(&str, &str)] = &[
        ("linkedin.com", "LinkedIn"),
        ("lnkd.in", "LinkedIn"),
        ("x.com", "X"),
        ("twitter.com", "X"),
        ("t.co", "X"),
        ("threads.net", "Threads"),
        ("threads.com", "Threads"),
        ("instagram.com", "Instagram"),
        ("facebook.com", "Facebook"),
        ("fb.com", "Facebook"),
        ("tiktok.com", "TikTok"),
        ("builder.aws.com", "AWS Builder Center"),
        ("community.aws", "AWS Builder Center"),
        ("repost.aws", "AWS re:Post"),
    ];
    NETWORKS.iter().find(|(network, _)| is_host(host, &[network])).map(|(_, name)| *name)
}

fn on_youtube(host: &str, url: &Url, segments: &[&str]) -> Result<Pasted, NotASource> {
    const SINGLE: NotASource = NotASource::Single { what: "video", instead: "its channel" };
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    match segments {
        _ if host == "youtu.be" => Err(SINGLE),
        ["channel", id, ..] if is_channel_id(id) => Ok(channel(id)),
        ["playlist"] => playlist(parameter("list")),
        ["feeds", "videos.xml"] => match parameter("user").filter(|user| is_name(user)) {
            Some(user) => youtube_page(&format!("user/{user}")),
            None => playlist(parameter("playlist_id")),
        },
        ["watch" | "shorts" | "live" | "embed" | "v", ..] => Err(SINGLE),
        [handle, ..] if handle.starts_with('@') && handle.len() > 1 => youtube_page(handle),
        ["c" | "user", name, ..] => youtube_page(&format!("{}/{name}", segments[0])),
        [name] if is_name(name) => youtube_page(name),
        _ => Err(NotASource::Single { what: "page of YouTube", instead: "a channel" }),
    }
}

fn playlist(id: Option<String>) -> Result<Pasted, NotASource> {
    let fits = |id: &String| id.len() > 2 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let id = id.filter(fits).ok_or(NotASource::Single { what: "page", instead: "the channel or the playlist" })?;
    // The list of all uploads of a channel is the channel.
    if let Some(rest) = id.strip_prefix("UU").map(|rest| format!("UC{rest}")).filter(|id| is_channel_id(id)) {
        return Ok(channel(&rest));
    }
    Ok(Pasted::Source { kind: SourceKind::YoutubePlaylist, url: format!("https://www.youtube.com/playlist?list={id}"), locator: id })
}

/// Letters, digits, `_` and `-`.
fn is_playlist_id(text: &str) -> bool {
    (3..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn on_twitch(segments: &[&str]) -> Result<Pasted, NotASource> {
    const PAGES: &[&str] = &["directory", "settings", "subscriptions", "search", "downloads", "jobs", "p", "wallet", "drops"];
    match segments {
        ["videos" | "clip", ..] | [_, "clip" | "v", ..] => Err(NotASource::Single { what: "video", instead: "its channel" }),
        [page, ..] if PAGES.contains(page) => Err(NotASource::Elsewhere { platform: "this page of Twitch", instead: "a channel" }),
        ["popout" | "moderator" | "u", login, ..] | [login, ..] if is_login(login) => Ok(twitch(login)),
        _ => Err(NotASource::Elsewhere { platform: "this page of Twitch", instead: "a channel" }),
    }
}

/// `/us/podcast/some-name/id1699000017`.
fn on_apple(segments: &[&str]) -> Result<Pasted, NotASource> {
    let number = segments.iter().rev().find_map(|segment| {
        let digits = segment.strip_prefix("id")?;
        ((1..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
    });
    match number {
        Some(number) if segments.contains(&"podcast") || segments.len() <= 2 => Ok(Pasted::Source {
            kind: SourceKind::Podcast,
            locator: format!("{}{number}", super::podcast::APPLE),
            url: format!("https://podcasts.apple.com/podcast/id{number}"),
        }),
        _ => Err(NotASource::Elsewhere { platform: "this page of Apple", instead: "the podcast, or its RSS feed" }),
    }
}

fn on_meetup(segments: &[&str]) -> Result<Pasted, NotASource> {
    const PAGES: &[&str] = &["apps", "about", "find", "home", "login", "members", "pro", "register", "topics", "cities", "blog"];
    match segments {
        [page, ..] if PAGES.contains(page) => Err(NotASource::Elsewhere { platform: "this page of Meetup", instead: "the group" }),
        // Addresses in another language begin with it: `/sv-SE/coast-group`.
        [tongue, group, ..] if tongue.len() == 5 && tongue.as_bytes()[2] == b'-' && is_name(group) => Ok(meetup(group)),
        [group, ..] if is_name(group) => Ok(meetup(group)),
        _ => Err(NotASource::Elsewhere { platform: "this page of Meetup", instead: "the group" }),
    }
}

fn meetup(group: &str) -> Pasted {
    let url = format!("https://www.meetup.com/{}/", group.to_ascii_lowercase());
    Pasted::Source { kind: SourceKind::Ical, locator: format!("{url}events/ical/"), url }
}

/// A channel or account of PeerTube, on whatever instance; short addresses only where the host's name or the given kind says
/// that it is one, for other sites have paths like these.
fn peertube(url: &Url, is_given: bool) -> Option<Pasted> {
    let host = bare_host(url);
    let is_tube = is_given || host.split(['.', '-']).any(|part| matches!(part, "tube" | "peertube" | "video" | "videos" | "tv" | "watch"));
    let segments = segments(url);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let is_handle = |name: &str| name.split('@').all(is_name);
    let (parameter, name) = match segments.as_slice() {
        ["video-channels", name, ..] | ["c", name, "videos" | "video-playlists"] => ("videoChannelName", *name),
        ["c", name] if is_tube => ("videoChannelName", *name),
        ["accounts" | "a", name, "video-channels" | "videos", ..] => ("accountName", *name),
        ["accounts" | "a", name] if is_tube => ("accountName", *name),
        _ => return None,
    };
    if !is_handle(name) {
        return None;
    }
    let mut feed = url.join("/feeds/videos.xml").ok()?;
    feed.query_pairs_mut().append_pair(parameter, name);
    Some(Pasted::Source { kind: SourceKind::Peertube, locator: feed.into(), url: url.to_string() })
}

/// Hosts on which nothing but podcasts has feeds.
fn is_podcast_host(host: &str) -> bool {
    const HOSTS: &[&str] = &[
        "acast.com",
        "anchor.fm",
        "art19.com",
        "audioboom.com",
        "blubrry.com",
        "buzzsprout.com",
        "captivate.fm",
        "castos.com",
        "fireside.fm",
        "libsyn.com",
        "megaphone.fm",
        "omnycontent.com",
        "pinecast.com",
        "podbean.com",
        "podigee.io",
        "redcircle.com",
        "simplecast.com",
        "spreaker.com",
        "transistor.fm",
    ];
    is_host(host, HOSTS)
}

/// Names of Twitch: 1 to 25 letters, digits and `_`.
fn is_login(text: &str) -> bool {
    (1..=25).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn youtube_page(path: &str) -> Result<Pasted, NotASource> {
    if path.chars().any(|c| c.is_whitespace() || matches!(c, '?' | '#')) || path.len() < 2 {
        return Err(NotASource::Unreadable(shown(path)));
    }
    Ok(Pasted::NeedsPage { url: format!("https://www.youtube.com/{path}"), why: PageNeed::Channel })
}

fn on_github(segments: &[&str]) -> Result<Pasted, NotASource> {
    /// First parts of addresses that are no account.
    const PAGES: &[&str] = &[
        "about",
        "apps",
        "collections",
        "contact",
        "customer-stories",
        "enterprise",
        "events",
        "explore",
        "features",
        "issues",
        "join",
        "login",
        "marketplace",
        "new",
        "notifications",
        "organizations",
        "pricing",
        "pulls",
        "search",
        "security",
        "settings",
        "site",
        "solutions",
        "stars",
        "team",
        "topics",
        "trending",
    ];
    match segments {
        ["orgs", org, ..] if is_name(org) => Ok(github_org(org)),
        ["orgs" | "enterprises", ..] => {
            Err(NotASource::Elsewhere { platform: "this page of GitHub", instead: "an organization's profile" })
        }
        ["sponsors" | "users", user, ..] if is_name(user) => Ok(github(user)),
        [page, ..] if PAGES.contains(page) => {
            Err(NotASource::Elsewhere { platform: "this page of GitHub", instead: "a profile or repository" })
        }
        [user] => match user.strip_suffix(".atom").unwrap_or(user) {
            user if is_name(user) => Ok(github(user)),
            user => Err(NotASource::Unreadable(shown(user))),
        },
        [owner, repo, ..] if is_name(owner) && repo.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) => {
            let is_feed = segments.last().is_some_and(|last| has_ending(last, "atom"));
            if is_feed && segments.last() != Some(&"releases.atom") {
                return Ok(feed_at(&format!("https://github.com/{}", segments.join("/"))));
            }
            let repo = repo.strip_suffix(".git").unwrap_or(repo);
            Ok(github_repo(owner, repo))
        }
        _ => Err(NotASource::Elsewhere { platform: "this page of GitHub", instead: "a profile or repository" }),
    }
}

fn on_devto(segments: &[&str]) -> Result<Pasted, NotASource> {
    const PAGES: &[&str] =
        &["t", "search", "settings", "new", "api", "about", "videos", "pod", "tags", "top", "latest", "challenges", "enter"];
    match segments {
        ["feed", user] if is_name(user) => Ok(devto(user)),
        [page, ..] if PAGES.contains(page) => {
            Err(NotASource::Elsewhere { platform: "this page of dev.to", instead: "a user or organization" })
        }
        [user, ..] if is_name(user) => Ok(devto(user)),
        _ => Err(NotASource::Elsewhere { platform: "this page of dev.to", instead: "a user or organization" }),
    }
}

fn on_medium(segments: &[&str]) -> Result<Pasted, NotASource> {
    match segments {
        ["feed", ..] if segments.len() > 1 => Ok(feed_of(SourceKind::Medium, &format!("https://medium.com/{}", segments.join("/")))),
        ["p", ..] => Err(NotASource::Single { what: "story", instead: "the author's profile" }),
        ["m" | "me" | "search" | "tag" | "plans", ..] | [] => {
            Err(NotASource::Elsewhere { platform: "this page of Medium", instead: "a profile or publication" })
        }
        [name, ..] if is_name(name.trim_start_matches('@')) => Ok(feed_of(SourceKind::Medium, &format!("https://medium.com/feed/{name}"))),
        _ => Err(NotASource::Elsewhere { platform: "this page of Medium", instead: "a profile or publication" }),
    }
}

fn mastodon(user: &str, host: &str) -> Result<Pasted, NotASource> {
    match Url::parse(&format!("https://{host}/")) {
        Ok(url) if is_name(user) && url.host_str().is_some() && url.path() == "/" => {
            Ok(mastodon_at(&url.origin().ascii_serialization(), user))
        }
        _ => Err(NotASource::Unreadable(shown(host))),
    }
}

/// Names are compared without regard to case.
fn mastodon_at(root: &str, user: &str) -> Pasted {
    let locator = format!("{root}/@{}", user.to_ascii_lowercase());
    Pasted::Source { kind: SourceKind::Mastodon, url: locator.clone(), locator }
}

fn on_gitlab(url: &Url, segments: &[&str]) -> Result<Pasted, NotASource> {
    const PAGES: &[&str] = &["explore", "dashboard", "help", "groups", "search", "admin", "api", "-", "projects"];
    let root = url.origin().ascii_serialization();
    let until = segments.iter().position(|part| *part == "-").unwrap_or(segments.len());
    match &segments[..until] {
        ["users", user, ..] if is_name(user) => Ok(gitlab(&root, user, SourceKind::GitlabUser)),
        [page, ..] if PAGES.contains(page) => {
            Err(NotASource::Elsewhere { platform: "this page of GitLab", instead: "a profile or project" })
        }
        [user] if is_name(user) => Ok(gitlab(&root, user, SourceKind::GitlabUser)),
        path @ [_, _, ..] if path.iter().all(|part| is_name(part)) => {
            let path = path.join("/");
            Ok(gitlab(&root, path.strip_suffix(".git").unwrap_or(&path), SourceKind::GitlabProject))
        }
        _ => Err(NotASource::Elsewhere { platform: "this page of GitLab", instead: "a profile or project" }),
    }
}

fn gitlab(root: &str, path: &str, kind: SourceKind) -> Pasted {
    let locator = format!("{root}/{}", path.trim_matches('/').to_ascii_lowercase());
    Pasted::Source { kind, url: locator.clone(), locator }
}

fn github_org(login: &str) -> Pasted {
    let login = login.to_ascii_lowercase();
    Pasted::Source { kind: SourceKind::GithubOrg, url: format!("https://github.com/{login}"), locator: login }
}

fn github_repo(owner: &str, repo: &str) -> Pasted {
    let locator = format!("{owner}/{repo}").to_ascii_lowercase();
    Pasted::Source { kind: SourceKind::GithubRepo, url: format!("https://github.com/{owner}/{repo}"), locator }
}

fn stack_exchange(site: &str, id: &str) -> Pasted {
    let site = site.to_ascii_lowercase();
    let url = format!("https://{}/users/{id}", stack_exchange_host(&site));
    Pasted::Source { kind: SourceKind::StackExchange, locator: format!("{site}:{id}"), url }
}

fn bluesky(actor: &str) -> Pasted {
    // Handles are compared without regard to case, DIDs with.
    let locator = if actor.starts_with("did:") { actor.to_owned() } else { actor.to_ascii_lowercase() };
    Pasted::Source { kind: SourceKind::Bluesky, url: format!("https://bsky.app/profile/{locator}"), locator }
}

fn sitemap(locator: &str) -> Pasted {
    Pasted::Source { kind: SourceKind::Sitemap, locator: locator.to_owned(), url: locator.to_owned() }
}

/// Whether a file's name says that it is a site map.
fn is_sitemap(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    file.contains("sitemap") && (has_ending(&file, "xml") || file.ends_with(".xml.gz"))
}

fn channel(id: &str) -> Pasted {
    let url = format!("https://www.youtube.com/channel/{id}");
    Pasted::Source { kind: SourceKind::YoutubeChannel, locator: id.to_owned(), url }
}

/// Logins are compared without regard to case.
fn github(login: &str) -> Pasted {
    let login = login.to_ascii_lowercase();
    Pasted::Source { kind: SourceKind::GithubUser, url: format!("https://github.com/{login}"), locator: login }
}

fn devto(name: &str) -> Pasted {
    let name = name.to_ascii_lowercase();
    Pasted::Source { kind: SourceKind::Devto, url: format!("https://dev.to/{name}"), locator: name }
}

fn twitch(login: &str) -> Pasted {
    let login = login.to_ascii_lowercase();
    Pasted::Source { kind: SourceKind::TwitchChannel, url: format!("https://www.twitch.tv/{login}"), locator: login }
}

fn sessionize(id: &str) -> Pasted {
    let url = format!("https://sessionize.com/api/speaker/json/{id}");
    Pasted::Source { kind: SourceKind::SessionizeSpeaker, locator: id.to_owned(), url }
}

fn feed_at(url: &str) -> Pasted {
    feed_of(SourceKind::Rss, url)
}

fn feed_of(kind: SourceKind, url: &str) -> Pasted {
    Pasted::Source { kind, locator: url.to_owned(), url: url.to_owned() }
}

/// `UC` and 22 of letters, digits, `_` and `-`.
fn is_channel_id(text: &str) -> bool {
    text.len() == 24 && text.starts_with("UC") && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// What can be a name in an address without being written otherwise.
pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

fn id_after(text: &str, before: &str) -> Option<String> {
    text.match_indices(before).find_map(|(start, found)| {
        let id = text.get(start + found.len()..start + found.len() + 24)?;
        is_channel_id(id).then(|| id.to_owned())
    })
}

/// Whether the path of an address says that it is a feed.
fn looks_like_feed(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    [".xml", ".rss", ".atom", ".rdf"].iter().any(|ending| last.ends_with(ending) && !last.contains("sitemap"))
        || matches!(last.as_str(), "feed" | "rss" | "atom" | "feed.json" | "rss2" | "index.json")
        || path.contains("/feeds/posts/")
        || url.query_pairs().any(|(name, value)| name == "feed" && value.starts_with(['r', 'a']))
}

fn has_ending(file: &str, ending: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case(ending))
}

pub(super) fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let bare = ["www.", "m.", "mobile."].iter().find_map(|prefix| host.strip_prefix(prefix).filter(|rest| rest.contains('.')));
    bare.map_or_else(|| host.clone(), str::to_owned)
}

/// Whether a host is one of these or lies below one.
fn is_host(host: &str, known: &[&str]) -> bool {
    known.iter().any(|known| host == *known || host.strip_suffix(known).is_some_and(|rest| rest.ends_with('.')))
}

pub(super) fn segments(url: &Url) -> Vec<String> {
    url.path_segments().map(|segments| segments.filter(|segment| !segment.is_empty()).map(str::to_owned).collect()).unwrap_or_default()
}

fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

/// How good a named feed is: least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    comments: bool,
    /// The sum of what speaks against it, so that the graver thing outweighs all lighter ones.
    faults: u8,
    place: usize,
}

impl Rank {
    fn of(feed: &FoundFeed, url: &Url, page: &Url, translation: bool, place: usize) -> Self {
        let path = url.path().to_ascii_lowercase();
        let folder = page.path().trim_end_matches('/').to_ascii_lowercase();
        let title = feed.title.as_deref().unwrap_or_default().to_lowercase();
        // The page's own feed lies below it; a site's feed serves every page.
        let for_page = folder.is_empty() || path.starts_with(&folder);
        let faults = [(bare_host(url) != bare_host(page), 8), (!for_page, 4), (translation, 2), (feed.mime.ends_with("json"), 1)];
        Self {
            comments: path.split(['/', '-', '_', '.']).any(|part| part == "comments") || title.contains("comment"),
            faults: faults.into_iter().filter(|(found, _)| *found).map(|(_, weight)| weight).sum(),
            place,
        }
    }
}

fn is_feed_type(mime: &str, url: &Url) -> bool {
    match mime {
        "application/rss+xml" | "application/atom+xml" | "application/feed+json" | "application/rdf+xml" => true,
        "application/json" => !url.path().contains("/wp-json/"),
        "text/xml" | "application/xml" => looks_like_feed(url),
        _ => false,
    }
}

/// A start tag that may tell of feeds.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `rel` is a list of words in any case (HTML standard, section 4.6.7).
    fn has_rel(&self, word: &str) -> bool {
        self.get("rel").is_some_and(|rel| rel.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case(word)))
    }
}

/// The tags that matter, wherever they stand: YouTube puts its feed's link into the body.
fn tags(html: &str) -> Vec<Tag> {
    const MOST: usize = 500;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Tokenizer::new(html)
        .filter_map(Result::ok)
        .filter_map(|token| match token {
            Token::StartTag(tag) if matches!(&tag.name[..], b"link" | b"meta" | b"base") => Some(Tag {
                name: text(&tag.name),
                attributes: tag.attributes.iter().map(|(name, value)| (text(name), text(value))).collect(),
            }),
            _ => None,
        })
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UC: &str = "UCabcdefghijklmnopqrst_-";

    /// Kind and locator, the page to look at, or the refusal.
    fn told(pasted: &str) -> String {
        match understand(pasted) {
            Ok(Pasted::Source { kind, locator, .. }) => format!("{kind} {locator}"),
            Ok(Pasted::NeedsPage { url, .. }) => format!("page {url}"),
            Err(error) => format!("no: {error}"),
        }
    }

    #[test]
    fn an_address_of_another_platform_is_nobody_of_the_same_name() {
        for (kind, pasted) in [
            (SourceKind::GithubUser, "https://dev.to/ro"),
            (SourceKind::GithubUser, "https://gitlab.com/someone"),
            (SourceKind::Devto, "https://github.com/someone"),
            (SourceKind::Vimeo, "dev.to/someone"),
            (SourceKind::Mastodon, "https://www.youtube.com/@someone"),
            (SourceKind::YoutubeChannel, "https://github.com/fay"),
            (SourceKind::GithubRepo, "https://github.com/someone"),
            (SourceKind::GithubUser, "https://stackoverflow.com/users/1/someone"),
        ] {
            let told = understand_as(kind, pasted);
            assert!(matches!(&told, Err(NotASource::Misfit { .. })), "{kind} {pasted}: {told:?}");
        }
        for (kind, pasted) in [
            (SourceKind::GithubUser, "https://api.github.com/users/someone"),
            (SourceKind::GithubUser, "http://127.0.0.1:9/users/someone/events"),
            (SourceKind::Rss, "https://github.com/a/b/releases.atom"),
            (SourceKind::Medium, "https://someone.medium.com/"),
        ] {
            let told = understand_as(kind, pasted);
            assert!(told.is_ok(), "{kind} {pasted}: {told:?}");
        }
    }

    #[test]
    fn what_builders_paste_becomes_the_right_source() {
        for (pasted, wanted) in [
            (" <https://GitHub.com/Ada> ", "github_user ada"),
            ("github.com/ada/Engine", "github_repo ada/engine"),
            ("https://github.com/ada/engine.git", "github_repo ada/engine"),
            ("github:ada", "github_user ada"),
            ("https://api.github.com/users/ada/events/public?per_page=100", "github_user ada"),
            ("http://127.0.0.1:9000/gh/users/ada/events/public", "github_user ada"),
            ("ada.github.io/notes", "page https://ada.github.io/notes"),
            (UC, &format!("youtube_channel {UC}")),
            (&format!("https://www.youtube.com/channel/{UC}/videos"), &format!("youtube_channel {UC}")),
            (&format!("http://127.0.0.1:9000/feeds/videos.xml?channel_id={UC}"), &format!("youtube_channel {UC}")),
            ("https://www.youtube.com/@ada/featured?si=x", "page https://www.youtube.com/@ada"),
            ("youtube:@ada", "page https://www.youtube.com/@ada"),
            ("m.youtube.com/c/ada", "page https://www.youtube.com/c/ada"),
            ("https://www.youtube.com/feeds/videos.xml?user=lathe", "page https://www.youtube.com/user/lathe"),
            ("https://www.youtube.com/playlist?list=PLabc_1", "youtube_playlist PLabc_1"),
            (&format!("https://www.youtube.com/playlist?list=UU{}", &UC[2..]), &format!("youtube_channel {UC}")),
            ("dev.to/Ada", "devto ada"),
            ("https://dev.to/ada/a-post-1x2y", "devto ada"),
            ("https://dev.to/feed/ada", "devto ada"),
            ("https://dev.to/api/articles?username=aws-builders", "devto aws-builders"),
            ("https://medium.com/@ada?source=user_profile", "medium https://medium.com/feed/@ada"),
            ("https://medium.com/@ada/a-story-0123456789ab", "medium https://medium.com/feed/@ada"),
            ("ada.medium.com", "medium https://ada.medium.com/feed"),
            ("https://medium.com/some-publication", "medium https://medium.com/feed/some-publication"),
            ("https://medium.com/feed/@ada", "medium https://medium.com/feed/@ada"),
            ("https://ada.hashnode.dev/a-post", "rss https://ada.hashnode.dev/rss.xml"),
            ("https://ada.substack.com/p/a-letter", "rss https://ada.substack.com/feed"),
            ("https://open.substack.com/pub/ada/p/letter", "rss https://ada.substack.com/feed"),
            ("ada.blogspot.com", "rss https://ada.blogspot.com/feeds/posts/default"),
            ("ada.wordpress.com/about", "rss https://ada.wordpress.com/feed/"),
            ("qiita.com/ada", "rss https://qiita.com/ada/feed"),
            ("https://zenn.dev/ada/articles/1", "rss https://zenn.dev/ada/feed"),
            ("note.com/ada", "rss https://note.com/ada/rss"),
            ("velog.io/@ada", "rss https://v2.velog.io/rss/ada"),
            ("speakerdeck.com/ada", "rss https://speakerdeck.com/ada.atom"),
            ("vimeo.com/ada", "vimeo https://vimeo.com/ada/videos/rss"),
            ("https://vimeo.com/channels/lathe/page:1", "vimeo https://vimeo.com/channels/lathe/videos/rss"),
            ("vimeo:ada", "vimeo https://vimeo.com/ada/videos/rss"),
            ("https://www.youtube.com/feeds/videos.xml?playlist_id=PLabc_1", "youtube_playlist PLabc_1"),
            ("https://www.twitch.tv/AnvilCast/schedule", "twitch_channel anvilcast"),
            ("m.twitch.tv/anvilcast", "twitch_channel anvilcast"),
            ("twitch:anvilcast", "twitch_channel anvilcast"),
            ("https://podcasts.apple.com/us/podcast/talking-lathe/id1699000017?i=1000", "podcast apple:1699000017"),
            ("https://feeds.buzzsprout.com/17.rss", "podcast https://feeds.buzzsprout.com/17.rss"),
            ("https://sessionize.com/api/speaker/json/q1w2e3r4t5", "sessionize_speaker q1w2e3r4t5"),
            ("https://www.meetup.com/Weavers-of-the-Cloud/", "ical https://www.meetup.com/weavers-of-the-cloud/events/ical/"),
            ("meetup.com/sv-SE/weavers/events/410000001", "ical https://www.meetup.com/weavers/events/ical/"),
            ("webcal://weavers.example/cal?id=7", "ical https://weavers.example/cal?id=7"),
            ("https://weavers.example/events.ICS", "ical https://weavers.example/events.ICS"),
            ("https://tube.weir.example/c/sluice", "peertube https://tube.weir.example/feeds/videos.xml?videoChannelName=sluice"),
            ("weir.example/c/sluice/videos", "peertube https://weir.example/feeds/videos.xml?videoChannelName=sluice"),
            (
                "https://peertube.example/a/weir@far.mill.example",
                "peertube https://peertube.example/feeds/videos.xml?accountName=weir%40far.mill.example",
            ),
            ("https://weir.example/video-channels/sluice/videos", "peertube https://weir.example/feeds/videos.xml?videoChannelName=sluice"),
            ("https://weir.example/feeds/videos.atom?accountName=weir", "peertube https://weir.example/feeds/videos.atom?accountName=weir"),
            ("weir.example/c/sluice", "page https://weir.example/c/sluice"),
            ("@ada@social.example.org", "mastodon https://social.example.org/@ada"),
            ("https://social.example.org/@Ada", "mastodon https://social.example.org/@ada"),
            ("https://social.example.org/@ada.rss", "mastodon https://social.example.org/@ada"),
            ("https://bsky.app/profile/did:plc:aBc", "bluesky did:plc:aBc"),
            ("bsky.app/profile/Ada.example.org", "bluesky ada.example.org"),
            ("did:plc:abc", "bluesky did:plc:abc"),
            ("https://gitlab.com/Ada", "gitlab_user https://gitlab.com/ada"),
            ("https://gitlab.com/users/ada", "gitlab_user https://gitlab.com/ada"),
            ("gitlab.com/guild/tools/lamp/-/releases", "gitlab_project https://gitlab.com/guild/tools/lamp"),
            ("https://code.example.org/guild/lamp/-/tree/main", "gitlab_project https://code.example.org/guild/lamp"),
            ("gitlab:ada", "gitlab_user https://gitlab.com/ada"),
            ("https://stackoverflow.com/users/22656/ada-loam?tab=answers", "stackexchange stackoverflow:22656"),
            ("https://devops.stackexchange.com/users/7/ada", "stackexchange devops:7"),
            ("https://pt.stackoverflow.com/users/7", "stackexchange pt.stackoverflow:7"),
            ("https://mathoverflow.net/users/7", "stackexchange mathoverflow.net:7"),
            ("https://github.com/orgs/guildhall/repositories", "github_org guildhall"),
            ("https://api.github.com/orgs/guildhall/repos?sort=created", "github_org guildhall"),
            ("https://blog.example.org/sitemap_index.xml", "sitemap https://blog.example.org/sitemap_index.xml"),
            ("https://blog.example.org/index.xml.", "rss https://blog.example.org/index.xml"),
            ("feed:https://blog.example.org/x?format=1", "page https://blog.example.org/x?format=1"),
            ("https://blog.example.org/?feed=rss2", "rss https://blog.example.org/?feed=rss2"),
            ("blog.example.org/about", "page https://blog.example.org/about"),
        ] {
            assert_eq!(told(pasted), wanted, "{pasted}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_a_sentence() {
        for (pasted, wanted) in [
            ("", NotASource::Empty),
            ("@ada", NotASource::Ambiguous("@ada".into())),
            ("ada", NotASource::Ambiguous("ada".into())),
            ("https://user:word@example.org/", NotASource::UserInfo),
            ("ada@example.org", NotASource::UserInfo),
            ("javascript:alert(1)", NotASource::Scheme("javascript".into())),
            ("ftp://example.org/feed", NotASource::Scheme("ftp".into())),
            ("file:///etc/passwd", NotASource::Scheme("file".into())),
            ("https://www.linkedin.com/in/ada", NotASource::Closed { platform: "LinkedIn" }),
            ("x.com/ada", NotASource::Closed { platform: "X" }),
            ("https://builder.aws.com/community/@ada", NotASource::Closed { platform: "AWS Builder Center" }),
            ("https://www.twitch.tv/videos/2610000003", NotASource::Single { what: "video", instead: "its channel" }),
            ("repost.aws/community/users/x", NotASource::Closed { platform: "AWS re:Post" }),
            ("https://community.aws/@ada", NotASource::Closed { platform: "AWS Builder Center" }),
            ("https://vimeo.com/880000017", NotASource::Single { what: "video", instead: "the channel" }),
            ("https://youtu.be/abcdefghijk", NotASource::Single { what: "video", instead: "its channel" }),
            ("https://hashnode.com/@ada", NotASource::Elsewhere { platform: "a Hashnode profile", instead: "the blog" }),
            ("https://open.spotify.com/show/1", NotASource::Elsewhere { platform: "Spotify", instead: "the podcast's RSS feed" }),
        ] {
            assert_eq!(understand(pasted), Err(wanted), "{pasted}");
        }
        // A host that only ends like a closed one is another site.
        assert_eq!(told("netflix.com.example.org"), "page https://netflix.com.example.org/");
        assert_eq!(told("https://fox.com/"), "page https://fox.com/");
    }

    #[test]
    fn a_roster_says_the_kind_and_a_name_is_enough() {
        let source = |kind, pasted: &str| match understand_as(kind, pasted) {
            Ok(Pasted::Source { kind, locator, .. }) => format!("{kind} {locator}"),
            Ok(Pasted::NeedsPage { url, .. }) => format!("page {url}"),
            Err(error) => format!("no: {error}"),
        };
        for (kind, pasted, wanted) in [
            (SourceKind::GithubUser, "Ada", "github_user ada"),
            (SourceKind::GithubUser, "http://127.0.0.1:9000/ada", "github_user ada"),
            (SourceKind::Devto, "@ada", "devto ada"),
            (SourceKind::YoutubeChannel, "@ada", "page https://www.youtube.com/@ada"),
            (SourceKind::YoutubeChannel, UC, &format!("youtube_channel {UC}")),
            (SourceKind::Rss, "https://blog.example.org/posts", "rss https://blog.example.org/posts"),
            (SourceKind::Rss, "http://127.0.0.1:9000/a?page=x#top", "rss http://127.0.0.1:9000/a?page=x"),
            (SourceKind::Podcast, "http://127.0.0.1:9000/show", "podcast http://127.0.0.1:9000/show"),
            (SourceKind::Podcast, "https://podcasts.apple.com/podcast/id17", "podcast apple:17"),
            (SourceKind::Medium, "@ada", "medium https://medium.com/feed/@ada"),
            (SourceKind::Medium, "https://medium.com/@ada/lists", "medium https://medium.com/feed/@ada"),
            (SourceKind::Medium, "https://blog.example.org/feed", "medium https://blog.example.org/feed"),
            (SourceKind::Vimeo, "http://127.0.0.1:9000/ada/videos/rss", "vimeo http://127.0.0.1:9000/ada/videos/rss"),
            (
                SourceKind::Peertube,
                "https://weir.example/c/sluice",
                "peertube https://weir.example/feeds/videos.xml?videoChannelName=sluice",
            ),
            (SourceKind::Ical, "http://127.0.0.1:9000/calendar", "ical http://127.0.0.1:9000/calendar"),
            (SourceKind::TwitchChannel, "AnvilCast", "twitch_channel anvilcast"),
            (SourceKind::TwitchChannel, "770000012", "twitch_channel 770000012"),
            (SourceKind::TwitchChannel, "http://127.0.0.1:9000/anvilcast", "twitch_channel anvilcast"),
            (SourceKind::SessionizeSpeaker, "q1w2e3r4t5", "sessionize_speaker q1w2e3r4t5"),
            (SourceKind::SessionizeSpeaker, "http://127.0.0.1:9000/api/q1w2e3r4t5", "sessionize_speaker q1w2e3r4t5"),
            (SourceKind::YoutubePlaylist, "PLabcdefghij", "youtube_playlist PLabcdefghij"),
            (SourceKind::YoutubePlaylist, "http://127.0.0.1:9000/yt?playlist_id=PLabcdefghij", "youtube_playlist PLabcdefghij"),
        ] {
            assert_eq!(source(kind, pasted), wanted, "{pasted}");
        }
        assert!(source(SourceKind::GithubUser, "https://blog.example.org/").starts_with("no: "));
        assert!(source(SourceKind::Manual, "https://builder.aws.com/content/1").contains("clarion work add"));
        assert!(source(SourceKind::SessionizeSpeaker, "https://sessionize.com/tova-heddle/").contains("Settings, API"));
        assert!(source(SourceKind::Podcast, "https://open.spotify.com/show/1").contains("RSS"));
    }

    #[test]
    fn spellings_of_one_feed_have_one_locator() {
        for spelling in
            ["https://Team.example.org:443/feed", "https://team.example.org/feed#top", " https://team.example.org/feed?utm_source=x"]
        {
            assert_eq!(feed_locator(spelling).as_deref(), Some("https://team.example.org/feed"), "{spelling}");
        }
        assert_eq!(
            feed_locator("https://www.example.org/feed/").as_deref(),
            Some("https://www.example.org/feed/"),
            "no other host or path"
        );
        assert_eq!(feed_locator("mailto:x@example.org"), None);
    }

    #[test]
    fn a_page_names_its_feeds_and_the_nearest_one_comes_first() {
        let html = include_str!("../../fixtures/discovery/author-page.html");
        let found: Vec<String> = feeds_in_page(html, "https://tallow.example.org/author/ada/").into_iter().map(|feed| feed.url).collect();
        assert_eq!(
            found,
            [
                "https://tallow.example.org/author/ada/feed.xml",
                "https://tallow.example.org/index.xml",
                "https://tallow.example.org/feed.json",
                "https://tallow.example.org/sv/index.xml",
                "https://feeds.example.com/tallow",
            ]
        );
        assert!(feeds_in_page("<p>no feed", "https://tallow.example.org/").is_empty());
        let only = r#"<link rel=alternate type=application/rss+xml title="A comment on lamps" href=/rss>"#;
        assert_eq!(feeds_in_page(only, "https://tallow.example.org/").len(), 1, "where all say comments, the word means nothing");
    }

    #[test]
    fn guesses_begin_at_the_folder_and_are_few() {
        let under = guesses("https://e.example.org/notes/one.html?x=1#y");
        assert_eq!(under[0], "https://e.example.org/notes/feed/");
        assert!(under.contains(&"https://e.example.org/feed.xml".to_owned()));
        assert_eq!(under.len(), 13);
        let root = guesses("https://e.example.org");
        assert_eq!((root.len(), root[12].as_str()), (13, "https://e.example.org/blog/index.xml"));
        assert!(guesses("mailto:x").is_empty());
    }

    #[test]
    fn a_channel_is_told_by_its_page() {
        let page = include_str!("../../fixtures/discovery/channel-page.html");
        assert_eq!(youtube_channel_in_page(page).as_deref(), Some("UCtallowtallowtallowtal1"));
        let without_links = page.replace("<link", "<span").replace("<meta", "<span");
        assert_eq!(youtube_channel_in_page(&without_links).as_deref(), Some("UCtallowtallowtallowtal1"));
        assert_eq!(youtube_channel_in_page("<title>consent</title>"), None);
        let feed = format!("<feed><author><name>x</name><uri>https://www.youtube.com/channel/{UC}</uri></author></feed>");
        assert_eq!(youtube_channel_in_page(&feed).as_deref(), Some(UC));
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_discovery(text in ".{0,80}") {
            let _ = understand(&text);
            let _ = understand_as(SourceKind::Rss, &text);
            let _ = feeds_in_page(&text, "https://e.example.org/");
            let _ = youtube_channel_in_page(&text);
            let _ = guesses(&text);
        }
    }
}
