//! Posts of Bluesky accounts, by the public view of the network.
//!
//! In: handles or DIDs, and pages of an author's feed. Out: the account's own posts: no reposts, no replies. A handle is
//! resolved once; from then on the DID decides. A post's links are those of its facets and embeds, since its text shows
//! them shortened. The clock of whoever posted is trusted only as far as that of the network agrees.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::form_urlencoded;

use super::json::{address, at, number, parse, text, time};
use super::{Collector, Meaning, ask_for, for_source};
use crate::config::BlueskyConfig;
use crate::model::{Account, ActivityKind, Ask, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceState};
use crate::text::text_to_content;

const PLATFORM: &str = "Bluesky";
const MAX_PAGES: u32 = 3;
/// How far the clock of whoever posted may be from the network's.
const SLACK: SignedDuration = SignedDuration::from_hours(24);

pub(super) struct Bluesky {
    api_url: String,
}

impl Bluesky {
    pub(super) fn new(config: &BlueskyConfig) -> Self {
        Self { api_url: config.api_url.as_str().to_owned() }
    }

    fn request(&self, method: &str, parameters: &[(&str, &str)]) -> Request {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        Request { accept: "application/json", ..Request::get(format!("{}/xrpc/{method}?{query}", self.api_url)) }
    }

    fn feed(&self, actor: &str, cursor: Option<&str>) -> Request {
        let mut parameters = vec![("actor", actor), ("filter", "posts_no_replies"), ("limit", "50")];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        Request { account: actor.starts_with("did:").then(|| actor.to_owned()), ..self.request("app.bsky.feed.getAuthorFeed", &parameters) }
    }
}

impl Collector for Bluesky {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources
            .iter()
            .map(|(source, state)| {
                let did = state.account.as_ref().map(|account| account.id.as_str()).or(Some(source.locator.as_str()));
                match did.filter(|did| did.starts_with("did:")) {
                    Some(did) => {
                        let request = self.feed(did, None);
                        let account = request.account.clone();
                        let mut ask = ask_for(source, state, request);
                        ask.request.account = account;
                        ask
                    }
                    None => ask_for(source, state, self.request("com.atproto.identity.resolveHandle", &[("handle", &source.locator)])),
                }
            })
            .collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let value = parse(document, PLATFORM)?;
        let refused =
            |what: &str| ReadError::Shape { platform: PLATFORM, detail: text(&value, &["message"]).unwrap_or_else(|| what.into()) };
        if ask.request.url.contains(".resolveHandle?") {
            let did =
                text(&value, &["did"]).filter(|did| did.starts_with("did:")).ok_or_else(|| refused("the handle leads to no account"))?;
            let handle = ask.sources.first().map(|source| source.locator.clone()).unwrap_or_default();
            let next = vec![self.feed(&did, None)];
            let account = Account { url: format!("https://bsky.app/profile/{handle}"), name: handle, id: did };
            return Ok(for_source(ask, Reading { account: Some(account), next, incomplete: true, ..Reading::default() }));
        }
        let feed = at(&value, &["feed"]).and_then(Value::as_array).ok_or_else(|| refused("a list was expected"))?;
        let mut reading = Reading::default();
        let locator = ask.sources.first().map_or("", |source| source.locator.as_str());
        for item in feed {
            let Some(view) = at(item, &["post"]).filter(|view| view.is_object()) else {
                reading.skipped += 1;
                continue;
            };
            let reason = text(item, &["reason", "$type"]).unwrap_or_default();
            if reason.ends_with("#reasonRepost") || at(view, &["record", "reply"]).is_some() {
                continue;
            }
            let did = text(view, &["author", "did"]).or_else(|| text(view, &["uri"]).and_then(|uri| did_of(&uri).map(str::to_owned)));
            let handle = text(view, &["author", "handle"]);
            let own = match ask.request.account.as_deref() {
                Some(account) => did.as_deref() == Some(account),
                None => did.as_deref() == Some(locator) || handle.as_deref().is_some_and(|handle| handle.eq_ignore_ascii_case(locator)),
            };
            if !own {
                continue;
            }
            let labels = at(view, &["author", "labels"]).and_then(Value::as_array).into_iter().flatten();
            if labels.filter_map(|label| text(label, &["val"])).any(|label| label == "!no-unauthenticated") {
                return Err(ReadError::Shape { platform: PLATFORM, detail: "the account asks to be shown to members alone".into() });
            }
            if reading.account.is_none()
                && let Some(did) = did
            {
                let name = handle.filter(|handle| handle != "handle.invalid").unwrap_or_else(|| locator.to_owned());
                reading.account = Some(Account { url: format!("https://bsky.app/profile/{name}"), name, id: did });
                reading.title = text(view, &["author", "displayName"]);
            }
            match post(view) {
                Some(entry) => reading.entries.push(entry),
                None => reading.skipped += 1,
            }
        }
        if let Some(cursor) = text(&value, &["cursor"]).filter(|_| ask.page < MAX_PAGES && !reading.entries.is_empty()) {
            let actor = ask.request.account.clone().unwrap_or_else(|| locator.to_owned());
            reading.next.push(self.feed(&actor, Some(&cursor)));
        }
        Ok(for_source(ask, reading))
    }

    fn refused(&self, ask: &Ask, status: u16, body: &[u8]) -> Meaning {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let message: String = text(&value, &["message"]).unwrap_or_default().chars().take(200).collect();
        match text(&value, &["error"]).as_deref() {
            Some("RateLimitExceeded") => return Meaning::Wait(None, format!("Bluesky asks us to wait ({status})")),
            Some("AccountTakedown" | "AccountDeactivated" | "AccountSuspended") => {
                return Meaning::Closed(format!("the account is not shown any more: {message}"));
            }
            Some("BlockedActor" | "BlockedByActor") => return Meaning::Closed("the account is not shown to us".into()),
            _ => {}
        }
        // Where a handle cannot be resolved, its feed may still be had by it.
        if ask.request.url.contains(".resolveHandle?")
            && matches!(status, 400 | 404 | 501)
            && let Some(source) = ask.sources.first()
        {
            return Meaning::Instead(vec![Ask { request: self.feed(&source.locator, None), ..ask.clone() }]);
        }
        Meaning::AsItSays
    }
}

fn did_of(uri: &str) -> Option<&str> {
    uri.strip_prefix("at://")?.split('/').next()
}

fn post(view: &Value) -> Option<Entry> {
    let uri = text(view, &["uri"]).filter(|uri| uri.starts_with("at://"))?;
    let did = did_of(&uri)?;
    let key =
        uri.rsplit('/').next().filter(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~:".contains(&b)))?;
    let record = at(view, &["record"])?;
    let mut content = text_to_content(at(record, &["text"]).and_then(Value::as_str).unwrap_or_default());
    let mut links: Vec<String> = Vec::new();
    let facets = at(record, &["facets"]).and_then(Value::as_array).into_iter().flatten();
    let features = facets.filter_map(|facet| at(facet, &["features"]).and_then(Value::as_array)).flatten();
    let mut tags: Vec<String> = Vec::new();
    for feature in features {
        links.extend(address(feature, &["uri"]));
        tags.extend(text(feature, &["tag"]));
    }
    let embeds = [at(record, &["embed"]), at(record, &["embed", "media"]), at(view, &["embed"]), at(view, &["embed", "media"])];
    for embed in embeds.into_iter().flatten() {
        links.extend(address(embed, &["external", "uri"]));
        let images = at(embed, &["images"]).and_then(Value::as_array).map_or(0, Vec::len);
        content.images = content.images.max(u32::try_from(images).unwrap_or(0));
    }
    // The text shows addresses shortened: what stands there is no address.
    content.links = Vec::new();
    for link in links {
        if !content.links.contains(&link) && content.links.len() < 100 {
            content.links.push(link);
        }
    }
    tags.extend(at(record, &["tags"]).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(crate::text::collapse));
    let name = text(view, &["author", "displayName"]).or_else(|| text(view, &["author", "handle"]));
    let title = Some(content.text.trim().is_empty()).filter(|empty| *empty).and_then(|_| embed_title(view, record));
    Some(Entry {
        platform_key: Some(format!("at:{uri}")),
        link: Some(format!("https://bsky.app/profile/{did}/post/{key}")),
        title,
        content: Some(content).filter(|content| !content.text.is_empty() || !content.links.is_empty()),
        authors: name
            .map(|name| Author { name, url: Some(format!("https://bsky.app/profile/{did}")), id: text(view, &["author", "handle"]) })
            .into_iter()
            .collect(),
        published: when(time(record, &["createdAt"]), time(view, &["indexedAt"])),
        categories: tags,
        language: at(record, &["langs"])
            .and_then(Value::as_array)
            .and_then(|langs| langs.first())
            .and_then(Value::as_str)
            .map(str::to_owned),
        kind: Some(ActivityKind::Post),
        counts: Counts { likes: number(view, &["likeCount"]), comments: number(view, &["replyCount"]), ..Counts::default() },
        ..Entry::default()
    })
}

fn embed_title(view: &Value, record: &Value) -> Option<String> {
    text(record, &["embed", "external", "title"]).or_else(|| text(view, &["embed", "external", "title"]))
}

/// When it was posted: what the poster's clock says, unless the network saw it at quite another time.
fn when(created: Option<Timestamp>, indexed: Option<Timestamp>) -> Option<Timestamp> {
    match (created, indexed) {
        (Some(created), Some(indexed)) if created.duration_since(indexed).abs() > SLACK => Some(indexed),
        (created, indexed) => created.or(indexed),
    }
}
