//! Podcasts: the feed of a show, or the number that Apple's directory has for it.
//!
//! In: addresses of feeds, or `apple:123`. Out: episodes and trailers. A number is looked up once; the answer names the
//! feed, which is asked from then on. An episode is known by the show's own id and its guid, never by its file, whose
//! address changes. Nothing is counted: no show tells how often it was heard.

use std::collections::HashSet;
use std::sync::Arc;

use super::json::{address, list, parse};
use super::{Collector, ask_for, feed, for_source, rss};
use crate::config::PodcastConfig;
use crate::model::{ActivityKind, Ask, Document, Entry, ReadError, Reading, Request, Source, SourceState};

const PLATFORM: &str = "Apple Podcasts";
/// The beginning of a locator that is a number of Apple's directory.
pub(super) const APPLE: &str = "apple:";

pub(super) struct Podcast {
    lookup_url: String,
}

impl Podcast {
    pub(super) fn new(config: &PodcastConfig) -> Self {
        Self { lookup_url: config.lookup_url.as_str().to_owned() }
    }

    /// The feed's address, as the directory told it.
    fn read_lookup(document: &Document) -> Result<Reading, ReadError> {
        let shape = |detail: &str| ReadError::Shape { platform: PLATFORM, detail: detail.to_owned() };
        let mut answer = parse(document, PLATFORM)?;
        let results = list(answer.get_mut("results").map(serde_json::Value::take).unwrap_or_default(), PLATFORM)?;
        let result = results.first().ok_or_else(|| shape("there is no podcast of that number"))?;
        let feed = address(result, &["feedUrl"]).ok_or_else(|| shape("the directory does not tell the podcast's feed"))?;
        Ok(Reading { next: vec![Request::get(&feed)], stands_for: Some(feed), ..Reading::default() })
    }
}

impl Collector for Podcast {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources
            .iter()
            .map(|(source, state)| {
                let known = state.final_url.as_ref().or(state.stands_for.as_ref());
                let request = match (known, source.locator.strip_prefix(APPLE)) {
                    (Some(feed), _) => Request::get(feed),
                    (None, Some(number)) => {
                        Request { accept: "application/json", ..Request::get(format!("{}?id={number}&entity=podcast", self.lookup_url)) }
                    }
                    (None, None) => Request::get(&source.locator),
                };
                ask_for(source, state, request)
            })
            .collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        if ask.request.url.split_once('?').is_some_and(|(before, _)| before == self.lookup_url) {
            return Ok(for_source(ask, Self::read_lookup(document)?));
        }
        let mut reading = feed::read_feed(document)?;
        rss::mark_shared_links(&mut reading.entries);
        rss::few_pages(ask, &mut reading);
        for entry in reading.entries.iter_mut().filter(|entry| entry.kind.is_none()) {
            let sounds = |mime: &str| mime.starts_with("audio/") || mime.starts_with("video/");
            let recorded = entry.duration_s.is_some() || entry.media.iter().any(|media| media.mime.as_deref().is_some_and(sounds));
            entry.kind = recorded.then_some(ActivityKind::PodcastEpisode);
        }
        Ok(for_source(ask, reading))
    }

    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        let mut told = told.peekable();
        // Nothing told yet: the directory's answer was read, and the feed itself is next.
        told.peek().is_none() || rss::wants_older(request, &mut told, known)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::collect::samples::unasked;
    use crate::config::Config;
    use crate::model::SourceKind;

    fn source(locator: &str) -> Arc<Source> {
        unasked(1, SourceKind::Podcast, locator).0
    }

    fn read(locator: &str, state: SourceState, body: &str) -> Result<Reading, ReadError> {
        let podcast = Podcast::new(&Config::default().podcast);
        let ask = podcast.plan(&[(source(locator), state)]).remove(0);
        podcast.read(&ask, &Document::of_bytes(ask.request.url.clone(), body, Timestamp::UNIX_EPOCH)).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn episodes_trailers_and_notes_are_told_apart() {
        let reading =
            read("https://feeds.lathe.example/show", SourceState::default(), include_str!("../../fixtures/podcast/show.xml")).unwrap();
        let told: Vec<_> = reading
            .entries
            .iter()
            .map(|entry| (entry.title.as_deref().unwrap_or("-"), entry.kind, entry.duration_s, entry.link_shared))
            .collect();
        assert_eq!(
            told,
            [
                ("12: Warm bearings", Some(ActivityKind::PodcastEpisode), Some(2531), true),
                ("11: Cold starts", Some(ActivityKind::PodcastEpisode), Some(1804), true),
                ("Season two is coming", Some(ActivityKind::Trailer), Some(61), false),
                ("A word on the new feed", None, None, false),
            ]
        );
        assert_eq!(reading.moved_to.as_deref(), Some("https://audio.lathe.example/show.xml"));
        assert!(reading.entries[0].platform_key.as_deref().is_some_and(|key| key.starts_with("podcast:") && key.ends_with(":lathe-012")));
    }

    #[test]
    fn a_number_of_the_directory_leads_to_the_feed_once() {
        let reading = read("apple:1699000017", SourceState::default(), include_str!("../../fixtures/podcast/lookup.json")).unwrap();
        assert_eq!(reading.next[0].url, "https://feeds.lathe.example/show");
        let podcast = Podcast::new(&Config::default().podcast);
        let state = SourceState { stands_for: reading.stands_for, ..SourceState::default() };
        assert_eq!(podcast.plan(&[(source("apple:1699000017"), state)])[0].request.url, "https://feeds.lathe.example/show");
        assert_eq!(
            podcast.plan(&[(source("apple:1699000017"), SourceState::default())])[0].request.url,
            "https://itunes.apple.com/lookup?id=1699000017&entity=podcast"
        );
    }

    #[test]
    fn an_answer_of_the_directory_that_names_no_feed_is_an_error_in_words() {
        for (body, wanted) in [
            ("{\"resultCount\":0,\"results\":[]}", "there is no podcast of that number"),
            ("{\"results\":[{\"kind\":\"podcast\",\"feedUrl\":null}]}", "does not tell the podcast's feed"),
            ("{\"results\":[{\"feedUrl\":7}]}", "does not tell the podcast's feed"),
            ("{\"results\":{}}", "a list was expected"),
            ("[]", "a list was expected"),
            ("<!doctype html>", "a web page"),
            ("", "empty"),
        ] {
            let error = read("apple:17", SourceState::default(), body).unwrap_err().to_string();
            assert!(error.contains(wanted), "{body}: {error}");
        }
    }
}
