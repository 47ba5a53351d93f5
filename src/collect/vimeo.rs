//! Vimeo users and channels, by the feed that is not advertised.
//!
//! In: addresses of feeds, and single answers of oEmbed. Out: videos, known by the number of the clip. A title that the
//! feed leaves empty is asked for, once. Nothing is counted: feed and oEmbed tell no plays, and the API that does answers
//! registered apps alone.

use std::collections::HashSet;
use std::sync::Arc;

use super::json::{parse, seconds, text};
use super::{Collector, feed, for_source, rss};
use crate::config::VimeoConfig;
use crate::model::{ActivityKind, Ask, Document, Entry, ReadError, Reading, Request, Source, SourceState};

const PLATFORM: &str = "Vimeo";
/// The most titles that one poll asks for.
const MAX_TITLES: usize = 10;

pub(super) struct Vimeo {
    oembed_url: String,
}

impl Vimeo {
    pub(super) fn new(config: &VimeoConfig) -> Self {
        Self { oembed_url: config.oembed_url.as_str().to_owned() }
    }

    fn title_of(&self, clip: &str) -> Request {
        Request {
            accept: "application/json",
            about: Some(format!("vimeo:{clip}")),
            ..Request::get(format!("{}?url=https%3A%2F%2Fvimeo.com%2F{clip}", self.oembed_url))
        }
    }
}

impl Collector for Vimeo {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        rss::plan(sources)
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        if let Some(key) = &ask.request.about {
            let answer = parse(document, PLATFORM)?;
            let entry = Entry {
                platform_key: Some(key.clone()),
                title: text(&answer, &["title"]),
                duration_s: seconds(&answer, &["duration"]),
                ..Entry::default()
            };
            return Ok(for_source(ask, Reading { entries: vec![entry], details: true, ..Reading::default() }));
        }
        let mut reading = feed::read_feed(document)?;
        reading.next.clear();
        for entry in &mut reading.entries {
            as_clip(entry);
        }
        rss::mark_shared_links(&mut reading.entries);
        let untitled = reading.entries.iter().filter(|entry| entry.title.is_none());
        let clips = untitled.filter_map(|entry| entry.platform_key.as_deref()?.strip_prefix("vimeo:"));
        reading.next = clips.take(MAX_TITLES).map(|clip| self.title_of(clip)).collect();
        Ok(for_source(ask, reading))
    }

    fn wants(&self, request: &Request, _told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        request.about.as_ref().is_some_and(|key| !known.contains(key))
    }

    fn keeps_details(&self) -> bool {
        true
    }
}

/// What the feed says of a clip, in our words.
fn as_clip(entry: &mut Entry) {
    let digits = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty() && digits.len() <= 20).then_some(digits)
    };
    // `tag:vimeo,2026-11-16:clip1190000001`
    let of_id = entry.id.as_deref().and_then(|id| digits(id.rsplit_once(":clip")?.1));
    let of_link = || {
        let url = url::Url::parse(entry.link.as_deref()?).ok()?;
        url.path_segments()?.find_map(|segment| digits(segment).filter(|digits| digits.len() == segment.len()))
    };
    entry.platform_key = of_id.or_else(of_link).map(|clip| format!("vimeo:{clip}"));
    entry.kind = Some(ActivityKind::Video);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::collect::samples::unasked;
    use crate::config::Config;
    use crate::model::SourceKind;

    fn vimeo() -> Vimeo {
        Vimeo::new(&Config::default().vimeo)
    }

    fn ask() -> Ask {
        vimeo().plan(&[unasked(1, SourceKind::Vimeo, "https://vimeo.com/oakandash/videos/rss")]).remove(0)
    }

    fn read(ask: &Ask, body: &str) -> Result<Reading, ReadError> {
        vimeo().read(ask, &Document::of_bytes(ask.request.url.clone(), body, Timestamp::UNIX_EPOCH)).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn clips_are_known_by_their_number_and_an_empty_title_is_asked_for() {
        let reading = read(&ask(), include_str!("../../fixtures/vimeo/videos.xml")).unwrap();
        let told: Vec<_> =
            reading.entries.iter().map(|entry| (entry.platform_key.as_deref(), entry.title.as_deref(), entry.kind)).collect();
        let video = Some(ActivityKind::Video);
        assert_eq!(
            told,
            [
                (Some("vimeo:880000017"), Some("Talk: joints that hold"), video),
                (Some("vimeo:880000016"), Some("Rehearsal of a joint"), video),
                (Some("vimeo:880000015"), None, video),
                (None, Some("No number anywhere"), video),
            ]
        );
        let [request] = reading.next.as_slice() else { panic!("one title is missing: {:?}", reading.next) };
        assert_eq!(request.url, "https://vimeo.com/api/oembed.json?url=https%3A%2F%2Fvimeo.com%2F880000015");
        let known = |key: &str| HashSet::from([key.to_owned()]);
        assert!(vimeo().wants(request, &mut std::iter::empty(), &known("vimeo:1")));
        assert!(!vimeo().wants(request, &mut std::iter::empty(), &known("vimeo:880000015")));
        let title = Ask { request: request.clone(), ..ask() };
        let told = read(&title, include_str!("../../fixtures/vimeo/oembed.json")).unwrap();
        assert_eq!(
            (told.details, told.entries[0].title.as_deref(), told.entries[0].duration_s),
            (true, Some("Mitre by lamplight"), Some(605))
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_in_words_and_missing_fields_cost_nothing() {
        assert_eq!(read(&ask(), "<html><body>log in</body></html>").unwrap_err(), ReadError::Html);
        assert_eq!(read(&ask(), "").unwrap_err(), ReadError::Empty);
        assert!(read(&ask(), "<rss><channel><title>x</title></channel></rss>").unwrap().entries.is_empty());
        let title = Ask { request: vimeo().title_of("7"), ..ask() };
        for body in ["{}", "{\"title\":null,\"duration\":\"x\"}", "{\"title\":7}", "[]"] {
            assert_eq!(read(&title, body).unwrap().entries[0].title, None, "{body}");
        }
        assert!(read(&title, "<html>").is_err());
    }
}
