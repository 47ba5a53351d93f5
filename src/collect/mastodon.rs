//! Posts of Mastodon accounts and their relatives.
//!
//! In: profile addresses (`https://host/@name`), accounts and lists of statuses, or the profile's RSS where a site keeps
//! its interface to itself. Out: public posts of the account's own: no boosts, no replies. Links to tags and to people
//! are no links. The account's number is asked for once.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::json::{address, at, list, number, parse, text, time};
use super::{Collector, Meaning, ask_for, feed, for_source};
use crate::model::{
    Account, ActivityKind, Ask, Author, Counts, Document, Entry, Media, ReadError, Reading, Request, Source, SourceState, Validators,
};
use crate::text::html_to_content;

const PLATFORM: &str = "Mastodon";

pub(super) struct Mastodon;

/// Root of the site and name of the account.
fn place(source: &Source) -> Option<(String, String)> {
    let url = Url::parse(&source.locator).ok()?;
    let name = url.path().trim_matches('/').strip_prefix('@')?.to_owned();
    Some((url.origin().ascii_serialization(), name))
}

fn ask(root: &str, path: &str) -> Request {
    Request { accept: "application/json", ..Request::get(format!("{root}/api/v1/accounts/{path}")) }
}

fn statuses(root: &str, id: &str) -> Request {
    ask(root, &format!("{id}/statuses?exclude_replies=true&exclude_reblogs=true&limit=40"))
}

impl Collector for Mastodon {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        let planned = |(source, state): &(Arc<Source>, SourceState)| {
            let (root, name) = place(source)?;
            let request = match &state.account {
                Some(account) if is_id(&account.id) => statuses(&root, &account.id),
                _ => ask(&root, &format!("lookup?acct={name}")),
            };
            Some(ask_for(source, state, request))
        };
        sources.iter().filter_map(planned).collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let Some((root, name)) = ask.sources.first().and_then(|source| place(source)) else { return Ok(Vec::new()) };
        if !ask.request.url.contains("/api/v1/") {
            return Ok(for_source(ask, read_feed(document, &root)?));
        }
        let value = parse(document, PLATFORM)?;
        if ask.request.url.contains("/accounts/lookup") {
            let account = account_of(&value).ok_or_else(|| {
                let detail = text(&value, &["error"]).unwrap_or_else(|| format!("there is no account {name}"));
                ReadError::Shape { platform: PLATFORM, detail }
            })?;
            let next = vec![statuses(&root, &account.id)];
            let title = text(&value, &["display_name"]);
            return Ok(for_source(ask, Reading { title, account: Some(account), next, incomplete: true, ..Reading::default() }));
        }
        let mut reading = Reading::default();
        for status in &list(value, PLATFORM)? {
            // Boosts and answers are not what the account has to say; what is not for everybody is nobody's business.
            let public = text(status, &["visibility"]).is_none_or(|visibility| matches!(visibility.as_str(), "public" | "unlisted"));
            if at(status, &["reblog"]).is_some() || at(status, &["in_reply_to_id"]).is_some() || !public {
                continue;
            }
            match post(status) {
                Some(entry) => reading.entries.push(entry),
                None => reading.skipped += 1,
            }
            if reading.account.is_none() {
                reading.account = at(status, &["account"]).and_then(account_of);
                reading.title = text(status, &["account", "display_name"]);
            }
        }
        Ok(for_source(ask, reading))
    }

    fn refused(&self, ask: &Ask, status: u16, _body: &[u8]) -> Meaning {
        let Some((root, name)) = ask.sources.first().and_then(|source| place(source)) else { return Meaning::AsItSays };
        let url = &ask.request.url;
        if url.contains("/api/v1/") && matches!(status, 401 | 403 | 404 | 422) {
            let request = Request {
                validators: Validators::default(),
                account: ask.request.account.clone(),
                ..Request::get(format!("{root}/@{name}.rss"))
            };
            return Meaning::Instead(vec![Ask { request, ..ask.clone() }]);
        }
        // Others than Mastodon keep their feed elsewhere.
        if status == 404
            && url.rsplit_once('/').is_some_and(|(_, file)| file.starts_with('@') && file.split('.').next_back() == Some("rss"))
        {
            let request = Request::get(format!("{root}/@{name}/feed.rss"));
            return Meaning::Instead(vec![Ask { request, ..ask.clone() }]);
        }
        match status {
            401 => Meaning::Closed("the site shows posts to its own members alone (401)".into()),
            _ => Meaning::AsItSays,
        }
    }

    fn wants(&self, _request: &Request, _told: &mut dyn Iterator<Item = &Entry>, _known: &HashSet<String>) -> bool {
        true
    }
}

/// Ids are numbers on Mastodon and words elsewhere.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn account_of(value: &Value) -> Option<Account> {
    let id = text(value, &["id"]).or_else(|| number(value, &["id"]).map(|id| id.to_string())).filter(|id| is_id(id))?;
    Some(Account {
        id,
        name: text(value, &["acct"]).or_else(|| text(value, &["username"]))?,
        url: address(value, &["url"]).unwrap_or_default(),
    })
}

fn post(status: &Value) -> Option<Entry> {
    let uri = text(status, &["uri"]);
    let link = address(status, &["url"]).or_else(|| uri.clone().filter(|uri| uri.starts_with("http")));
    let id = uri.or_else(|| link.clone())?;
    let mut content = html_to_content(at(status, &["content"]).and_then(Value::as_str).unwrap_or_default(), None);
    let names = |key: &str| -> Vec<String> {
        at(status, &[key]).and_then(Value::as_array).into_iter().flatten().filter_map(|item| text(item, &["url"])).collect()
    };
    let people_and_tags: HashSet<String> = names("mentions").into_iter().chain(names("tags")).map(|url| url.to_lowercase()).collect();
    let host = link.as_deref().and_then(host_of);
    content.links.retain(|link| !people_and_tags.contains(&link.to_lowercase()) && !is_own(link, host.as_deref()));
    if let Some(card) = address(status, &["card", "url"])
        && !content.links.contains(&card)
        && content.links.is_empty()
    {
        content.links.push(card);
    }
    let attachments = at(status, &["media_attachments"]).and_then(Value::as_array).into_iter().flatten();
    let media: Vec<Media> = attachments.filter_map(|item| Some(Media { url: address(item, &["url"])?, ..Media::default() })).collect();
    content.images = content.images.saturating_add(u32::try_from(media.len()).unwrap_or(0));
    Some(Entry {
        platform_key: Some(format!("ap:{id}")),
        link,
        title: text(status, &["spoiler_text"]),
        content: Some(content).filter(|content| !content.text.is_empty() || !content.links.is_empty()),
        authors: at(status, &["account"]).and_then(account_author).into_iter().collect(),
        published: time(status, &["created_at"]),
        updated: time(status, &["edited_at"]),
        categories: at(status, &["tags"]).and_then(Value::as_array).into_iter().flatten().filter_map(|tag| text(tag, &["name"])).collect(),
        media,
        language: text(status, &["language"]),
        kind: Some(ActivityKind::Post),
        counts: Counts { likes: number(status, &["favourites_count"]), comments: number(status, &["replies_count"]), ..Counts::default() },
        ..Entry::default()
    })
}

fn account_author(account: &Value) -> Option<Author> {
    let name = text(account, &["display_name"]).or_else(|| text(account, &["username"]))?;
    Some(Author { name, url: address(account, &["url"]), id: text(account, &["acct"]) })
}

fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// Whether a link leads to a tag or a person on the site itself.
fn is_own(link: &str, host: Option<&str>) -> bool {
    let Ok(url) = Url::parse(link) else { return true };
    let path = url.path();
    url.host_str() == host && (path.starts_with("/tags/") || path.starts_with("/@") || path.starts_with("/users/"))
}

fn read_feed(document: &Document, root: &str) -> Result<Reading, ReadError> {
    let mut reading = feed::read_feed(document)?;
    let host = host_of(root);
    for entry in &mut reading.entries {
        entry.kind = Some(ActivityKind::Post);
        if let Some(content) = &mut entry.content {
            // Tags and people are linked wherever their own sites are.
            content.links.retain(|link| !is_own(link, host.as_deref()) && !link.contains("/tags/") && !link.contains("/@"));
        }
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: i64, locator: &str) -> (Arc<Source>, SourceState) {
        let source = Source {
            id: crate::model::SourceId(id),
            kind: crate::model::SourceKind::Mastodon,
            locator: locator.into(),
            url: String::new(),
            owners: Vec::new(),
            paused: false,
            left: false,
        };
        (Arc::new(source), SourceState::default())
    }

    fn document(text: &str) -> Document {
        Document::of_bytes("https://tallow.example.org/", text, "2026-03-05T12:00:00Z".parse().unwrap())
    }

    fn asked(account: Option<&str>) -> Ask {
        let mut place = source(1, "https://shore.example/@ada");
        place.1.account = account.map(|id| Account { id: id.into(), ..Account::default() });
        Mastodon.plan(&[place]).remove(0)
    }

    #[test]
    fn the_account_is_looked_up_once_and_then_asked_by_its_number() {
        let ask = asked(None);
        assert_eq!(ask.request.url, "https://shore.example/api/v1/accounts/lookup?acct=ada");
        let account = "{\"id\":\"1090\",\"acct\":\"ada\",\"display_name\":\"Ada Loam\",\"url\":\"https://shore.example/@ada\"}";
        let reading = Mastodon.read(&ask, &document(account)).unwrap().remove(0);
        assert_eq!(reading.account.unwrap().id, "1090");
        let statuses = "https://shore.example/api/v1/accounts/1090/statuses?exclude_replies=true&exclude_reblogs=true&limit=40";
        assert_eq!(reading.next[0].url, statuses);
        assert_eq!(asked(Some("1090")).request.url, statuses);
        assert_eq!(asked(Some("../../x")).request.url, ask.request.url, "an odd id is no part of an address");
        let error = Mastodon.read(&ask, &document("{\"error\":\"Record not found\"}")).unwrap_err().to_string();
        assert_eq!(error, "the answer of Mastodon has an unknown shape: Record not found");
    }

    #[test]
    fn only_what_the_account_itself_tells_everybody_is_kept() {
        let reading =
            Mastodon.read(&asked(Some("1090")), &document(include_str!("../../fixtures/mastodon/statuses.json"))).unwrap().remove(0);
        let keys: Vec<&str> = reading.entries.iter().filter_map(|entry| entry.platform_key.as_deref()).collect();
        assert_eq!(keys, ["ap:https://shore.example/users/ada/statuses/1157", "ap:https://shore.example/users/ada/statuses/1153"]);
        assert_eq!(reading.skipped, 2);
        let first = &reading.entries[0];
        let content = first.content.as_ref().unwrap();
        assert_eq!(content.links, ["https://github.com/ada/lamp/releases/tag/v1"], "tags and people are no links");
        assert_eq!((content.images, first.counts.likes, first.language.as_deref()), (1, Some(9), Some("en")));
        assert_eq!((first.title.as_deref(), first.kind), (None, Some(ActivityKind::Post)));
        assert_eq!(first.categories, ["aws"]);
    }

    #[test]
    fn where_the_interface_is_closed_the_feed_is_read() {
        let ask = asked(Some("1090"));
        for status in [401, 403, 404, 422] {
            let Meaning::Instead(other) = Mastodon.refused(&ask, status, b"{}") else { panic!("{status}") };
            assert_eq!(other[0].request.url, "https://shore.example/@ada.rss");
            let reading = Mastodon.read(&other[0], &document(include_str!("../../fixtures/mastodon/profile.rss"))).unwrap().remove(0);
            let entry = &reading.entries[0];
            assert_eq!((entry.kind, entry.title.as_deref()), (Some(ActivityKind::Post), None));
            assert_eq!(entry.content.as_ref().unwrap().links, ["https://github.com/ada/lamp/releases/tag/v1"]);
            assert!(matches!(Mastodon.refused(&other[0], 401, b""), Meaning::Closed(_)), "closed to strangers is no fault of ours");
            assert!(matches!(Mastodon.refused(&other[0], 404, b""), Meaning::Instead(_)), "GoToSocial has it elsewhere");
        }
        assert!(matches!(Mastodon.refused(&ask, 429, b""), Meaning::AsItSays));
        assert_eq!(Mastodon.read(&ask, &document("<html>")).unwrap_err(), ReadError::Html);
        assert!(Mastodon.read(&ask, &document("[]")).unwrap()[0].entries.is_empty());
    }
}
