//! What a builder pasted: to a source, or to a sentence why not.

use super::Context;
use crate::collect::Collector;
use crate::collect::discover::{self, NotASource, Pasted, Profile};
use crate::fetch::{FetchError, FetchOutcome, Visit};
use crate::model::{Ask, Document, Filters, Reading, Request, Slug, SourceKind};
use crate::store::{RosterChange, RosterReport, StoreError};

/// What a pasted text turned out to be.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Discovered {
    pub kind: SourceKind,
    pub locator: String,
    pub url: String,
    /// What the source calls itself, and how many entries it shows, where it could be read.
    pub title: Option<String>,
    pub entries: Option<usize>,
    /// Other feeds that the page names.
    pub others: Vec<String>,
    /// A sentence where it could not be read just now.
    pub warning: Option<String>,
}

/// Understands a pasted text, asks the network where that is needed, and reads the source once. Stores nothing.
pub async fn check_pasted(ctx: &Context, pasted: &str) -> Result<Discovered, String> {
    if let Some(profile) = discover::profile(pasted) {
        return from_profile(ctx, profile).await;
    }
    match discover::understand(pasted).map_err(|error| error.to_string())? {
        Pasted::Source { kind: SourceKind::GithubUser, locator, url } => {
            // Users and organizations share one kind of address: only GitHub can tell them apart.
            let kind = if is_organization(ctx, &locator).await { SourceKind::GithubOrg } else { SourceKind::GithubUser };
            confirm(ctx, kind, locator, url, Vec::new()).await
        }
        Pasted::Source { kind, locator, url } => confirm(ctx, kind, locator, url, Vec::new()).await,
        Pasted::NeedsPage { url, .. } => from_page(ctx, &url).await,
    }
}

/// A profile on a site that any of several programs may run: what the site answers says which.
async fn from_profile(ctx: &Context, profile: Profile) -> Result<Discovered, String> {
    let site = site_of(ctx, &profile).await;
    let profile = match &site {
        Ok(Some((_, answered))) => profile.at(answered),
        _ => profile,
    };
    let software = site.as_ref().ok().and_then(|site| site.as_ref().map(|(software, _)| software.as_str()));
    if software == Some("peertube") {
        let mut refused = String::new();
        for feed in profile.videos() {
            match confirm(ctx, SourceKind::Peertube, feed, profile.url.clone(), Vec::new()).await {
                Ok(found) => return Ok(found),
                Err(reason) => refused = reason,
            }
        }
        return Err(refused);
    }
    if let Some(account) = profile.posts()
        && (software.is_some_and(discover::shows_posts) || is_account(ctx, &account).await)
    {
        return confirm(ctx, SourceKind::Mastodon, account.clone(), account, Vec::new()).await;
    }
    let reason = match from_page(ctx, &profile.url).await {
        Ok(found) => return Ok(found),
        Err(reason) => reason,
    };
    // Where the site cannot be asked at all, that is the reason.
    let reason = site.err().unwrap_or(reason);
    let host = profile.root.split_once("://").map_or(profile.root.as_str(), |(_, host)| host).to_owned();
    Err(NotASource::Untold { url: profile.url, host, reason }.to_string())
}

/// The program that a site says it runs, and the address that said so; `None` where it says nothing.
async fn site_of(ctx: &Context, profile: &Profile) -> Result<Option<(String, String)>, String> {
    let json = |url: String| Request { accept: "application/json", ..Request::get(url) };
    let about = match fetch(ctx, json(profile.about_site())).await {
        Ok(about) => about,
        Err(trouble) if trouble.answered => return Ok(None),
        Err(trouble) => return Err(trouble.text),
    };
    let Some(url) = discover::description_of_site(&about.bytes) else { return Ok(None) };
    let Ok(description) = fetch(ctx, json(url)).await else { return Ok(None) };
    Ok(discover::software_of_site(&description.bytes).map(|software| (software, about.final_url)))
}

/// Whether a site answers for an account as Mastodon does.
async fn is_account(ctx: &Context, locator: &str) -> bool {
    let source = crate::model::Source::new(crate::model::SourceId(0), SourceKind::Mastodon, locator, locator);
    let collector = ctx.collectors.get(SourceKind::Mastodon);
    let asks = collector.plan(&[(std::sync::Arc::new(source), crate::model::SourceState::default())]);
    let Some(ask) = asks.into_iter().next() else { return false };
    let Ok(document) = fetch(ctx, ask.request.clone()).await else { return false };
    let readings = tokio::task::block_in_place(|| collector.read(&ask, &document)).unwrap_or_default();
    readings.iter().any(|reading| reading.account.is_some())
}

async fn from_page(ctx: &Context, url: &str) -> Result<Discovered, String> {
    // A page is read as a program reads it, which a site may not want. A feed is asked because somebody registered it.
    look(ctx, url).await?;
    let document = fetch(ctx, Request { accept: "text/html, */*;q=0.1", ..Request::get(url) }).await?;
    if document.final_url != url {
        look(ctx, &document.final_url).await?;
    }
    if let Some(reading) = read(&document) {
        let locator = discover::feed_locator(document.moved_to.as_deref().unwrap_or(url)).ok_or("the address cannot be used")?;
        return Ok(found(locator, &reading, Vec::new()));
    }
    if document.bytes.trim_ascii_start().starts_with(b"BEGIN:VCALENDAR") {
        let locator = discover::feed_locator(document.moved_to.as_deref().unwrap_or(url)).ok_or("the address cannot be used")?;
        return confirm(ctx, SourceKind::Ical, locator.clone(), locator, Vec::new()).await;
    }
    let html = String::from_utf8_lossy(&document.bytes).into_owned();
    if let Some(channel) = discover::youtube_channel_in_page(&html).filter(|_| discover::is_youtube(&document.final_url)) {
        let url = format!("https://www.youtube.com/channel/{channel}");
        return confirm(ctx, SourceKind::YoutubeChannel, channel, url, Vec::new()).await;
    }
    let feeds = discover::feeds_in_page(&html, &document.final_url);
    let others: Vec<String> = feeds.iter().skip(1).map(|feed| feed.url.clone()).collect();
    for feed in &feeds {
        if let Ok(document) = fetch(ctx, Request::get(&feed.url)).await
            && let Some(reading) = read(&document)
            && let Some(locator) = discover::feed_locator(&feed.url)
        {
            return Ok(found(locator, &reading, others));
        }
    }
    if let Some(feed) = medium_feed(&html, &document.final_url)
        && let Ok(document) = fetch(ctx, Request::get(&feed)).await
        && let Some(reading) = read(&document)
    {
        return Ok(Discovered { kind: SourceKind::Medium, ..found(feed, &reading, others) });
    }
    // Usual places, tried without following redirects: many sites send unknown paths to their home page.
    for guess in discover::guesses(&document.final_url) {
        if look(ctx, &guess).await.is_err() {
            continue;
        }
        let Ok(document) = fetch(ctx, Request::get(&guess)).await else { continue };
        if document.final_url == guess
            && let Some(reading) = read(&document)
            && let Some(locator) = discover::feed_locator(&guess)
        {
            return Ok(found(locator, &reading, others));
        }
    }
    // The last resort: what the site lists for search engines.
    if let Some(found) = site_map(ctx, &document.final_url).await {
        return Ok(found);
    }
    Err(format!("{url} is a web page that names no feed, and none was found in the usual places: paste the feed's own address"))
}

/// The feed of a site of Medium's under a name of its own (PLATFORMS.md section 2).
fn medium_feed(html: &str, page: &str) -> Option<String> {
    discover::is_medium(html).then(|| url::Url::parse(page).ok()?.join("/feed").ok().map(String::from)).flatten()
}

/// Whether a page may be looked at, or a sentence why not.
async fn look(ctx: &Context, url: &str) -> Result<(), String> {
    match ctx.fetcher.may_visit(url).await {
        Visit::Allowed => Ok(()),
        Visit::Disallowed => {
            Err(format!("{url} is not to be read by programs (so says the site's robots.txt): paste the address of its feed"))
        }
        Visit::Unknown(reason) => Err(reason),
    }
}

async fn is_organization(ctx: &Context, login: &str) -> bool {
    let request = Request {
        accept: "application/vnd.github+json",
        auth: crate::model::Auth::Github,
        ..Request::get(format!("{}/users/{login}", ctx.config.github.api_url))
    };
    let Ok(document) = fetch(ctx, request).await else { return false };
    serde_json::from_slice::<serde_json::Value>(&document.bytes).is_ok_and(|account| account["type"] == "Organization")
}

/// The map of a site, where it has one that lists pieces.
async fn site_map(ctx: &Context, page: &str) -> Option<Discovered> {
    let root = url::Url::parse(page).ok()?;
    for name in ["/sitemap.xml", "/sitemap_index.xml"] {
        let guess = root.join(name).ok()?.to_string();
        if look(ctx, &guess).await.is_err() {
            continue;
        }
        let Ok(document) = fetch(ctx, Request::get(&guess)).await else { continue };
        if document.final_url != guess {
            continue;
        }
        let Ok(mut found) = confirm(ctx, SourceKind::Sitemap, guess.clone(), guess, Vec::new()).await else { continue };
        if found.warning.is_none() {
            found.title = None;
            return Some(found);
        }
    }
    None
}

/// Reads a source once, so that a person sees what it holds before it is taken. What may be a passing trouble is a
/// warning; what will not be better tomorrow is the reason why it is not taken.
async fn confirm(ctx: &Context, kind: SourceKind, locator: String, url: String, others: Vec<String>) -> Result<Discovered, String> {
    let source = crate::model::Source::new(crate::model::SourceId(0), kind, &*locator, &*url);
    let collector = ctx.collectors.get(kind);
    let asks = collector.plan(&[(std::sync::Arc::new(source), crate::model::SourceState::default())]);
    let mut discovered = Discovered { kind, locator, url, title: None, entries: None, others, warning: None };
    let Some(mut ask) = asks.into_iter().next() else { return Ok(discovered) };
    if let Some(account) = look_up(ctx, collector, &ask).await? {
        // A name is a way to the account, and nothing that lasts: its id, or the feed that it stands for, is kept.
        discovered.locator = if kind == SourceKind::Podcast { discover::feed_locator(&account).unwrap_or(account) } else { account };
        if kind == SourceKind::Podcast {
            discovered.url.clone_from(&discovered.locator);
        }
        let source = crate::model::Source { locator: discovered.locator.clone(), ..(*ask.sources[0]).clone() };
        let asks = collector.plan(&[(std::sync::Arc::new(source), crate::model::SourceState::default())]);
        ask = asks.into_iter().next().unwrap_or(ask);
    }
    match fetch(ctx, ask.request.clone()).await {
        // Platforms answer oddly at times for channels that are there; a feed is what it is.
        Err(trouble) if trouble.forbidden || (trouble.absent && kind.is_address()) => return Err(trouble.text),
        Ok(document) => match tokio::task::block_in_place(|| collector.read(&ask, &document)) {
            Ok(readings) => {
                discovered.title = readings.iter().find_map(|reading| reading.title.clone());
                if kind == SourceKind::Rss {
                    discovered.kind = readings.first().map_or(kind, |reading| discover::kind_of_feed(&reading.entries));
                }
                discovered.entries = Some(readings.iter().map(|reading| reading.entries.len()).sum());
            }
            Err(error) if kind.is_address() => return Err(format!("{}: {error}", discovered.url)),
            Err(error) => discovered.warning = Some(error.to_string()),
        },
        Err(trouble) => discovered.warning = Some(trouble.text),
    }
    Ok(discovered)
}

/// What a name leads to, where the collector has to ask for that first.
async fn look_up(ctx: &Context, collector: &dyn Collector, ask: &Ask) -> Result<Option<String>, String> {
    let by_name = match ask.kind {
        SourceKind::Podcast => ask.sources.first().is_some_and(|source| !source.locator.contains("://")),
        SourceKind::TwitchChannel => ask.sources.first().is_some_and(|source| !source.locator.bytes().all(|byte| byte.is_ascii_digit())),
        _ => false,
    };
    if !by_name {
        return Ok(None);
    }
    let document = fetch(ctx, ask.request.clone()).await?;
    let readings = tokio::task::block_in_place(|| collector.read(ask, &document)).map_err(|error| error.to_string())?;
    Ok(readings.into_iter().find_map(|reading| reading.stands_for))
}

/// A feed, as the kind that its address or its entries show.
fn found(locator: String, reading: &Reading, others: Vec<String>) -> Discovered {
    let kind = match discover::understand(&locator) {
        Ok(Pasted::Source { kind, locator: same, .. }) if same == locator && kind != SourceKind::Rss => kind,
        _ => discover::kind_of_feed(&reading.entries),
    };
    Discovered {
        kind,
        url: locator.clone(),
        locator,
        title: reading.title.clone(),
        entries: Some(reading.entries.len()),
        others,
        warning: None,
    }
}

fn read(document: &Document) -> Option<Reading> {
    tokio::task::block_in_place(|| crate::collect::read_feed(document)).ok()
}

/// Why no document was had.
struct Trouble {
    text: String,
    /// Clarion may not ask there at all.
    forbidden: bool,
    /// The site says that there is nothing at this address.
    absent: bool,
    /// The site can be reached, and answers otherwise than with a document.
    answered: bool,
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        trouble.text
    }
}

async fn fetch(ctx: &Context, request: Request) -> Result<Document, Trouble> {
    let fetched = ctx.fetcher.fetch(&request).await;
    let absent = matches!(fetched.status, Some(404 | 410));
    let answered = fetched.status.is_some_and(|status| status < 500 && status != 429);
    let trouble = |text: String| Err(Trouble { text, forbidden: false, absent, answered });
    match fetched.outcome {
        FetchOutcome::Fetched(document) => Ok(document),
        FetchOutcome::Failed(error) => {
            use crate::net::NetError::{Refused, Scheme, UserInfo};
            let forbidden = matches!(&error, FetchError::Net(Refused { .. } | Scheme(_) | UserInfo));
            Err(Trouble { text: error.to_string(), forbidden, absent, answered })
        }
        FetchOutcome::Blocked { error, .. } | FetchOutcome::Deferred { error, .. } => trouble(error),
        FetchOutcome::Gone => trouble("the address says that it is gone for good (410)".into()),
        FetchOutcome::Held { until } => trouble(format!("the site asks to be left alone until {until:.0}")),
        FetchOutcome::NotModified { .. } => trouble("the site answers that nothing changed, although it was not asked that".into()),
    }
}

/// Registers a source for a builder.
pub async fn add_source(
    ctx: &Context,
    builder: &Slug,
    discovered: &Discovered,
    author: Option<String>,
    filters: Option<Filters>,
    by: &str,
) -> Result<RosterReport, StoreError> {
    let change = RosterChange::Source {
        builder: builder.clone(),
        kind: discovered.kind,
        locator: discovered.locator.clone(),
        url: discovered.url.clone(),
        author,
        filters: filters.map(Box::new),
    };
    ctx.store.change_roster_by(vec![change], by, ctx.clock.now()).await
}
