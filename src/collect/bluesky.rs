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
        let value = super::json::value_of(body).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::samples::{document, unasked};

    fn source(id: i64, locator: &str) -> (Arc<Source>, SourceState) {
        unasked(id, crate::model::SourceKind::Bluesky, locator)
    }

    const FEED: &str = include_str!("../../fixtures/bluesky/author-feed.json");

    fn collector() -> Bluesky {
        Bluesky::new(&crate::config::Config::default().bluesky)
    }

    fn asked(locator: &str, did: Option<&str>) -> Ask {
        let mut place = source(1, locator);
        place.1.account = did.map(|did| Account { id: did.into(), ..Account::default() });
        collector().plan(&[place]).remove(0)
    }

    #[test]
    fn a_handle_is_resolved_once_and_then_the_did_decides() {
        let ask = asked("ada.example", None);
        assert_eq!(ask.request.url, "https://public.api.bsky.app/xrpc/com.atproto.identity.resolveHandle?handle=ada.example");
        let reading = collector().read(&ask, &document("{\"did\":\"did:plc:ada\"}")).unwrap().remove(0);
        let account = reading.account.unwrap();
        assert_eq!((account.id.as_str(), account.name.as_str()), ("did:plc:ada", "ada.example"));
        let feed = "https://public.api.bsky.app/xrpc/app.bsky.feed.getAuthorFeed?actor=did%3Aplc%3Aada&filter=posts_no_replies&limit=50";
        assert_eq!(reading.next[0].url, feed);
        assert_eq!(asked("ada.example", Some("did:plc:ada")).request.url, feed);
        assert_eq!(asked("did:plc:ada", None).request.url, feed);
        let Meaning::Instead(other) = collector().refused(&ask, 404, b"") else { panic!() };
        assert!(other[0].request.url.contains("actor=ada.example"));
        assert!(collector().read(&ask, &document("{\"did\":7}")).is_err());
    }

    #[test]
    fn own_posts_are_kept_with_whole_links_and_sound_dates() {
        let reading = collector().read(&asked("did:plc:ada", None), &document(FEED)).unwrap().remove(0);
        let told: Vec<(&str, String)> =
            reading.entries.iter().map(|entry| (entry.platform_key.as_deref().unwrap(), entry.published.unwrap().to_string())).collect();
        assert_eq!(
            told,
            [
                ("at:at://did:plc:ada/app.bsky.feed.post/3m5a", "2026-03-04T17:00:00Z".to_owned()),
                ("at:at://did:plc:ada/app.bsky.feed.post/3m5b", "2026-03-04T12:00:00Z".to_owned()),
                ("at:at://did:plc:ada/app.bsky.feed.post/3m5c", "2026-03-03T12:00:00Z".to_owned()),
            ],
            "no answer, no repost; a clock that is far off is the network's instead"
        );
        let first = &reading.entries[0];
        assert_eq!(first.link.as_deref(), Some("https://bsky.app/profile/did:plc:ada/post/3m5a"));
        assert_eq!(first.content.as_ref().unwrap().links, ["https://ada.example/blog/pipes-end-to-end/"]);
        assert_eq!(
            (first.counts.likes, first.language.as_deref(), first.categories.as_slice()),
            (Some(15), Some("en"), &["aws".to_owned()][..])
        );
        assert_eq!((reading.skipped, reading.next.len()), (4, 1));
        assert_eq!(reading.account.unwrap().name, "ada.example");
        // A handle that somebody else has now brings nothing.
        let other = collector().read(&asked("ada.example", Some("did:plc:old")), &document(FEED)).unwrap().remove(0);
        assert!(other.entries.is_empty() && other.account.is_none());
    }

    #[test]
    fn an_account_that_hides_from_strangers_is_left_alone() {
        let hidden = FEED.replace("\"labels\": []", "\"labels\": [{ \"val\": \"!no-unauthenticated\" }]");
        assert!(collector().read(&asked("did:plc:ada", None), &document(&hidden)).is_err());
        let ask = asked("did:plc:ada", None);
        for (status, body) in [(400, "{\"error\":\"AccountTakedown\",\"message\":\"gone\"}"), (400, "{\"error\":\"AccountDeactivated\"}")] {
            assert!(matches!(collector().refused(&ask, status, body.as_bytes()), Meaning::Closed(_)));
        }
        assert!(matches!(collector().refused(&ask, 429, b"{\"error\":\"RateLimitExceeded\"}"), Meaning::Wait(None, _)));
        assert!(matches!(collector().refused(&ask, 400, b"{\"error\":\"InvalidRequest\"}"), Meaning::AsItSays));
        assert_eq!(collector().read(&ask, &document("<html>")).unwrap_err(), ReadError::Html);
        let error = collector().read(&ask, &document("{\"error\":\"InvalidRequest\",\"message\":\"Profile not found\"}")).unwrap_err();
        assert_eq!(error.to_string(), "the answer of Bluesky has an unknown shape: Profile not found");
        assert!(collector().read(&ask, &document("{\"feed\":[]}")).unwrap()[0].entries.is_empty());
    }
}
