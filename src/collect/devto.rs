//! dev.to users and organizations, by the Forem API: only it tells the canonical address, the responses and the
//! organization.
//!
//! In: user or organization names, and lists of articles. Out: articles, each with its author, also where an
//! organization published it. An unknown name answers with an empty list, which is no error.

use std::sync::Arc;

use serde_json::Value;

use super::json::{address, at, list, number, parse, text, time};
use super::{Collector, ask_for, for_source};
use crate::config::DevtoConfig;
use crate::model::{ActivityKind, Ask, Author, CanonicalUrl, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceState};
use crate::text::collapse;

const PLATFORM: &str = "dev.to";
/// Articles of a full page.
const PAGE: usize = 30;
const MAX_PAGES: u32 = 3;

pub(super) struct Devto {
    api_url: String,
}

impl Devto {
    pub(super) fn new(config: &DevtoConfig) -> Self {
        Self { api_url: config.api_url.as_str().to_owned() }
    }

    fn request(&self, username: &str, page: u32) -> Request {
        self.at(&format!("articles?username={username}&page={page}"))
    }

    fn at(&self, path: &str) -> Request {
        Request { accept: "application/vnd.forem.api-v1+json", ..Request::get(format!("{}/{path}", self.api_url)) }
    }
}

impl Collector for Devto {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources.iter().map(|(source, state)| ask_for(source, state, self.request(&source.locator, 1))).collect()
    }

    fn count(&self, _source: &Arc<Source>, entry: &Entry) -> Option<Request> {
        let key = entry.platform_key.as_deref()?;
        let id: u64 = key.strip_prefix("devto:")?.parse().ok()?;
        Some(Request { about: Some(key.to_owned()), ..self.at(&format!("articles/{id}")) })
    }

    /// Polls stop at the third page; the history goes on to the end.
    fn older(&self, ask: &Ask, document: &Document, _: &[Reading]) -> Option<Request> {
        let articles = list(parse(document, PLATFORM).ok()?, PLATFORM).ok()?;
        let source = ask.sources.first().filter(|_| articles.len() >= PAGE)?;
        Some(self.request(&source.locator, ask.page + 1))
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let value = parse(document, PLATFORM)?;
        if ask.request.about.is_some() {
            let entries: Vec<Entry> = article_of(&value).into_iter().collect();
            let skipped = u32::from(entries.is_empty());
            return Ok(for_source(ask, Reading { entries, skipped, ..Reading::default() }));
        }
        let articles = list(value, PLATFORM)?;
        let mut reading = Reading::default();
        for article in &articles {
            match article_of(article) {
                Some(entry) => reading.entries.push(entry),
                None => reading.skipped += 1,
            }
        }
        if articles.len() >= PAGE
            && ask.page < MAX_PAGES
            && let Some(source) = ask.sources.first()
        {
            reading.next.push(self.request(&source.locator, ask.page + 1));
        }
        Ok(for_source(ask, reading))
    }
}

fn article_of(article: &Value) -> Option<Entry> {
    let id = number(article, &["id"])?;
    let link = address(article, &["url"]);
    let canonical_url = address(article, &["canonical_url"]).filter(|canonical| is_elsewhere(canonical, link.as_deref()));
    Some(Entry {
        platform_key: Some(format!("devto:{id}")),
        title: text(article, &["title"]),
        summary: text(article, &["description"]),
        authors: author(article, link.as_deref()).into_iter().collect(),
        // An import keeps the date of the original; when it was copied is no publication.
        published: time(article, &["published_at"]).or_else(|| time(article, &["published_timestamp"])),
        updated: time(article, &["edited_at"]),
        categories: tags(article),
        language: text(article, &["language"]),
        kind: Some(ActivityKind::Article),
        counts: Counts {
            likes: number(article, &["public_reactions_count"]),
            comments: number(article, &["comments_count"]),
            views: number(article, &["page_views_count"]),
            ..Counts::default()
        },
        link,
        canonical_url,
        ..Entry::default()
    })
}

/// Whether an article's canonical address is on another host than the article: then this is a copy.
fn is_elsewhere(canonical: &str, link: Option<&str>) -> bool {
    let host = |text: &str| CanonicalUrl::parse(text).ok().map(|url| url.host());
    match (host(canonical), link.and_then(host)) {
        (Some(canonical), Some(link)) => canonical != link,
        (canonical, _) => canonical.is_some(),
    }
}

/// The person, also where an organization stands in the address.
fn author(article: &Value, link: Option<&str>) -> Option<Author> {
    let username = text(article, &["user", "username"])?;
    let url = link.and_then(|link| url::Url::parse(link).ok()?.join(&format!("/{username}")).ok()).map(|url| url.to_string());
    Some(Author { name: text(article, &["user", "name"]).unwrap_or_else(|| username.clone()), url, id: Some(username) })
}

/// Lists tell `tag_list` as an array and `tags` as a text; single articles the other way round.
fn tags(article: &Value) -> Vec<String> {
    let read = |value: &Value| -> Vec<String> {
        let texts: Vec<&str> = match value {
            Value::Array(tags) => tags.iter().filter_map(Value::as_str).collect(),
            Value::String(tags) => tags.split(',').collect(),
            _ => Vec::new(),
        };
        texts.into_iter().map(collapse).filter(|tag| !tag.is_empty()).collect()
    };
    ["tag_list", "tags"].into_iter().filter_map(|key| at(article, &[key])).map(read).find(|tags| !tags.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{SourceId, SourceKind};

    fn read(text: &str, page: u32) -> Result<Reading, ReadError> {
        let devto = Devto::new(&Config::default().devto);
        let source = Source::new(SourceId(2), SourceKind::Devto, "candle-guild", "");
        let mut ask = devto.plan(&[(Arc::new(source), SourceState::default())]).remove(0);
        assert_eq!(ask.request.url, "https://dev.to/api/articles?username=candle-guild&page=1");
        ask.page = page;
        let document = Document::of_bytes(ask.request.url.clone(), text, jiff::Timestamp::UNIX_EPOCH);
        devto.read(&ask, &document).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn copies_name_their_original_and_organizations_their_author() {
        let reading = read(include_str!("../../fixtures/devto/articles.json"), 1).unwrap();
        let [of_guild, copy, odd] = reading.entries.as_slice() else { panic!("three articles") };
        assert_eq!(of_guild.canonical_url, None, "its own address is its canonical one");
        assert_eq!(of_guild.authors[0].id.as_deref(), Some("tallowick"));
        assert_eq!(of_guild.authors[0].url.as_deref(), Some("https://dev.to/tallowick"));
        assert_eq!(of_guild.updated.unwrap().to_string(), "2026-03-03T06:30:00Z");
        assert_eq!(of_guild.categories, ["aws", "lambda"]);
        assert_eq!((of_guild.counts.likes, of_guild.counts.comments), (Some(48), Some(6)));
        assert_eq!(copy.canonical_url.as_deref(), Some("https://tallow.example.org/wax/"));
        assert_eq!(copy.published.unwrap().to_string(), "2026-02-20T08:00:00Z", "the copy keeps the original's date");
        assert_eq!(odd.categories, ["iam", "wax"], "tags told as one text");
        assert_eq!(reading.skipped, 1, "an item without id costs nobody else");
        assert!(reading.next.is_empty());
    }

    #[test]
    fn an_unknown_name_is_an_empty_list_and_a_web_page_is_an_error() {
        assert!(read("[]", 1).unwrap().entries.is_empty());
        assert_eq!(read("<!doctype html>", 1).unwrap_err(), ReadError::Html);
        assert_eq!(read(" \n", 1).unwrap_err(), ReadError::Empty);
    }

    #[test]
    fn a_single_article_is_asked_by_its_id_and_tells_its_counts() {
        let devto = Devto::new(&Config::default().devto);
        let source = Arc::new(Source::new(SourceId(2), SourceKind::Devto, "tallowick", ""));
        let entry = |key: &str| Entry { platform_key: Some(key.into()), ..Entry::default() };
        let request = devto.count(&source, &entry("devto:81")).unwrap();
        assert_eq!(request.url, "https://dev.to/api/articles/81");
        assert!(devto.count(&source, &entry("devto:../users")).is_none() && devto.count(&source, &Entry::default()).is_none());
        let ask = Ask { kind: SourceKind::Devto, request, sources: vec![source], page: 1 };
        let text = r#"{"id":81,"title":"Wax","tag_list":"aws, iam","public_reactions_count":5,"comments_count":2}"#;
        let document = Document::of_bytes(ask.request.url.clone(), text, jiff::Timestamp::UNIX_EPOCH);
        let read = devto.read(&ask, &document).unwrap().remove(0);
        assert_eq!(read.entries[0].platform_key.as_deref(), Some("devto:81"));
        assert_eq!((read.entries[0].counts.likes, read.entries[0].counts.comments), (Some(5), Some(2)));
    }

    #[test]
    fn a_full_page_leads_to_the_next_until_the_third() {
        let articles: Vec<String> = (0..30).map(|id| format!("{{\"id\":{id}}}")).collect();
        let full = format!("[{}]", articles.join(","));
        assert_eq!(read(&full, 1).unwrap().next[0].url, "https://dev.to/api/articles?username=candle-guild&page=2");
        assert!(read(&full, 3).unwrap().next.is_empty());
    }
}
