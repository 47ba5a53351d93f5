//! Medium: the feed of an account or a publication.
//!
//! In: addresses of feeds. Out: stories, and replies told apart from them. The number in the guid outlives titles and
//! domains; a link's `source` only says how one came. Only the missing tags show that something is a reply; for authors who
//! publish stories without tags the settings say so. Nothing is counted: the feed tells no claps, and there is no other
//! interface to read.

use std::sync::Arc;

use url::Url;

use super::{Collector, feed, for_source, rss};
use crate::config::MediumConfig;
use crate::model::{ActivityKind, Ask, CanonicalUrl, Document, Entry, ReadError, Reading, Source, SourceState};

pub(super) struct Medium {
    /// In lower case.
    untagged_stories: Vec<String>,
}

impl Medium {
    pub(super) fn new(config: &MediumConfig) -> Self {
        Self { untagged_stories: config.untagged_stories.iter().map(|name| name.trim().to_lowercase()).collect() }
    }

    /// Whether the settings say of a feed that its stories may have no tags: by `@name`, by the last part of its path, or
    /// by its host.
    fn has_untagged_stories(&self, feed: &str) -> bool {
        let Ok(url) = Url::parse(feed) else { return false };
        let host = url.host_str().unwrap_or_default().trim_start_matches("www.").to_lowercase();
        let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let account = host.strip_suffix(".medium.com").map(|name| format!("@{name}"));
        self.untagged_stories.iter().any(|named| *named == host || *named == last || account.as_ref() == Some(named))
    }
}

impl Collector for Medium {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        rss::plan(sources)
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let mut reading = feed::read_feed(document)?;
        reading.next.clear();
        let feed = ask.sources.first().map_or("", |source| source.locator.as_str());
        let untagged = self.has_untagged_stories(feed);
        for entry in &mut reading.entries {
            as_story(entry, untagged);
        }
        rss::mark_shared_links(&mut reading.entries);
        Ok(for_source(ask, reading))
    }
}

/// What the feed says of a story, in our words.
fn as_story(entry: &mut Entry, untagged: bool) {
    entry.link = entry.link.take().map(|link| super::feed::without_parameter(&link, "source"));
    if entry.platform_key.is_none() {
        let of_link = entry.link.as_deref().and_then(|link| CanonicalUrl::parse(link).ok()).map(|url| url.key());
        entry.platform_key = of_link.filter(|key| key.starts_with("medium:"));
    }
    let reply = entry.categories.is_empty() && !untagged;
    entry.kind = Some(if reply { ActivityKind::Reply } else { ActivityKind::Article });
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::collect::samples::unasked;
    use crate::model::SourceKind;

    fn read(untagged: &[&str], locator: &str, body: &str) -> Result<Vec<(String, ActivityKind, String)>, ReadError> {
        let medium = Medium::new(&MediumConfig { untagged_stories: untagged.iter().map(|name| (*name).to_owned()).collect() });
        let ask = medium.plan(&[unasked(1, SourceKind::Medium, locator)]).remove(0);
        let reading = medium.read(&ask, &Document::of_bytes(locator, body, Timestamp::UNIX_EPOCH))?.remove(0);
        let told = |entry: Entry| (entry.platform_key.unwrap_or_default(), entry.kind.unwrap(), entry.link.unwrap_or_default());
        Ok(reading.entries.into_iter().map(told).collect())
    }

    const FEED: &str = include_str!("../../fixtures/medium/stories.xml");

    #[test]
    fn stories_and_replies_are_told_apart_and_known_by_their_number() {
        let told = read(&[], "https://medium.com/feed/@bodkin", FEED).unwrap();
        assert_eq!(
            told,
            [
                (
                    "medium:0a1b2c3d4e5f".to_owned(),
                    ActivityKind::Article,
                    "https://medium.com/@bodkin/awls-and-alarms-0a1b2c3d4e5f".to_owned()
                ),
                ("medium:1b2c3d4e5f60".to_owned(), ActivityKind::Reply, "https://medium.com/@bodkin/so-true-1b2c3d4e5f60".to_owned()),
                (
                    "medium:2c3d4e5f6071".to_owned(),
                    ActivityKind::Article,
                    "https://craft.bodkin.example/stitches-2c3d4e5f6071?p=2".to_owned()
                ),
                ("medium:3d4e5f607182".to_owned(), ActivityKind::Article, "https://medium.com/@bodkin/no-guid-3d4e5f607182".to_owned()),
            ]
        );
    }

    #[test]
    fn whoever_writes_without_tags_writes_stories_all_the_same() {
        for (named, feed, wanted) in [
            ("@Bodkin", "https://medium.com/feed/@bodkin", ActivityKind::Article),
            ("@bodkin", "https://bodkin.medium.com/feed", ActivityKind::Article),
            ("craft.bodkin.example", "https://craft.bodkin.example/feed", ActivityKind::Article),
            ("awl-weekly", "https://medium.com/feed/awl-weekly", ActivityKind::Article),
            ("@awl", "https://medium.com/feed/@bodkin", ActivityKind::Reply),
        ] {
            assert_eq!(read(&[named], feed, FEED).unwrap()[1].1, wanted, "{named} {feed}");
        }
    }

    #[test]
    fn what_is_no_feed_is_told_in_words() {
        assert_eq!(read(&[], "https://medium.com/feed/@bodkin", "<!doctype html><html></html>").unwrap_err(), ReadError::Html);
        assert_eq!(read(&[], "https://medium.com/feed/@bodkin", "").unwrap_err(), ReadError::Empty);
        assert!(read(&[], "https://medium.com/feed/@bodkin", "<rss><channel></channel></rss>").unwrap().is_empty());
    }
}
