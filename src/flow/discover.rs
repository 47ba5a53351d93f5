//! What a builder pasted: to a source, or to a sentence why not.

use super::Context;
use crate::collect::discover::{self, Pasted};
use crate::fetch::{FetchError, FetchOutcome};
use crate::model::{Document, Filters, Reading, Request, Slug, SourceKind};
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
    match discover::understand(pasted).map_err(|error| error.to_string())? {
        Pasted::Source { kind, locator, url } => confirm(ctx, kind, locator, url, Vec::new()).await,
        Pasted::NeedsPage { url, .. } => from_page(ctx, &url).await,
    }
}

async fn from_page(ctx: &Context, url: &str) -> Result<Discovered, String> {
    let document = fetch(ctx, Request { accept: "text/html, */*;q=0.1", ..Request::get(url) }).await?;
    if let Some(reading) = read(&document) {
        let locator = discover::feed_locator(document.moved_to.as_deref().unwrap_or(url)).ok_or("the address cannot be used")?;
        return Ok(found(SourceKind::Rss, locator.clone(), locator, &reading, Vec::new()));
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
            return Ok(found(SourceKind::Rss, locator.clone(), locator, &reading, others));
        }
    }
    // Usual places, tried without following redirects: many sites send unknown paths to their home page.
    for guess in discover::guesses(&document.final_url) {
        let Ok(document) = fetch(ctx, Request::get(&guess)).await else { continue };
        if document.final_url == guess
            && let Some(reading) = read(&document)
            && let Some(locator) = discover::feed_locator(&guess)
        {
            return Ok(found(SourceKind::Rss, locator.clone(), locator, &reading, others));
        }
    }
    Err(format!("{url} is a web page that names no feed, and none was found in the usual places: paste the feed's own address"))
}

/// Reads a source once, so that a person sees what it holds before it is taken. What may be a passing trouble is a
/// warning; what will not be better tomorrow is the reason why it is not taken.
async fn confirm(ctx: &Context, kind: SourceKind, locator: String, url: String, others: Vec<String>) -> Result<Discovered, String> {
    let source = crate::model::Source {
        id: crate::model::SourceId(0),
        kind,
        locator: locator.clone(),
        url: url.clone(),
        owners: Vec::new(),
        paused: false,
        left: false,
    };
    let collector = ctx.collectors.get(kind);
    let asks = collector.plan(&[(std::sync::Arc::new(source), crate::model::SourceState::default())]);
    let mut discovered = Discovered { kind, locator, url, title: None, entries: None, others, warning: None };
    let Some(ask) = asks.into_iter().next() else { return Ok(discovered) };
    match fetch(ctx, ask.request.clone()).await {
        // Platforms answer oddly at times for channels that are there; a feed is what it is.
        Err(trouble) if trouble.forbidden || (trouble.absent && kind == SourceKind::Rss) => return Err(trouble.text),
        Ok(document) => match tokio::task::block_in_place(|| collector.read(&ask, &document)) {
            Ok(readings) => {
                discovered.title = readings.iter().find_map(|reading| reading.title.clone());
                discovered.entries = Some(readings.iter().map(|reading| reading.entries.len()).sum());
            }
            Err(error) if kind == SourceKind::Rss => return Err(format!("{}: {error}", discovered.url)),
            Err(error) => discovered.warning = Some(error.to_string()),
        },
        Err(trouble) => discovered.warning = Some(trouble.text),
    }
    Ok(discovered)
}

fn found(kind: SourceKind, locator: String, url: String, reading: &Reading, others: Vec<String>) -> Discovered {
    Discovered { kind, locator, url, title: reading.title.clone(), entries: Some(reading.entries.len()), others, warning: None }
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
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        trouble.text
    }
}

async fn fetch(ctx: &Context, request: Request) -> Result<Document, Trouble> {
    let fetched = ctx.fetcher.fetch(&request).await;
    let absent = matches!(fetched.status, Some(404 | 410));
    let trouble = |text: String| Err(Trouble { text, forbidden: false, absent });
    match fetched.outcome {
        FetchOutcome::Fetched(document) => Ok(document),
        FetchOutcome::Failed(error) => {
            use crate::net::NetError::{Refused, Scheme, UserInfo};
            let forbidden = matches!(&error, FetchError::Net(Refused { .. } | Scheme(_) | UserInfo));
            Err(Trouble { text: error.to_string(), forbidden, absent })
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
) -> Result<RosterReport, StoreError> {
    let change = RosterChange::Source {
        builder: builder.clone(),
        kind: discovered.kind,
        locator: discovered.locator.clone(),
        url: discovered.url.clone(),
        author,
        filters: filters.map(Box::new),
    };
    ctx.store.change_roster(vec![change], ctx.clock.now()).await
}
