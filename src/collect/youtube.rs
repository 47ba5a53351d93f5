//! YouTube channels, by the upload feed that needs no key.
//!
//! In: channels known by their `UC…` id, and Atom documents. Out: videos and Shorts with their counts. The address of a
//! Short is kept as it is shown; its identity is the id of the video. Knows nothing of the hours in which the platform
//! answers 404 for every channel: that is the schedule's matter.

use std::sync::Arc;

use super::{Collector, ask_for, feed, for_source};
use crate::config::YoutubeConfig;
use crate::model::{ActivityKind, Ask, CanonicalUrl, Document, Entry, ReadError, Reading, Request, Source, SourceState};

pub(super) struct Youtube {
    feed_url: String,
}

impl Youtube {
    pub(super) fn new(config: &YoutubeConfig) -> Self {
        Self { feed_url: config.feed_url.as_str().to_owned() }
    }

    fn request(&self, source: &Source) -> Request {
        Request::get(format!("{}?channel_id={}", self.feed_url, source.locator))
    }
}

impl Collector for Youtube {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources.iter().map(|(source, state)| ask_for(source, state, self.request(source))).collect()
    }

    fn count(&self, source: &Arc<Source>, _entry: &Entry) -> Option<Request> {
        Some(self.request(source))
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let mut reading = feed::read_feed(document)?;
        for entry in &mut reading.entries {
            as_video(entry);
        }
        Ok(for_source(ask, reading))
    }
}

/// What the feed says of a video, in our words.
fn as_video(entry: &mut Entry) {
    if entry.platform_key.is_none() {
        let id = entry.id.as_deref().and_then(|id| id.strip_prefix("yt:video:")).map(|id| format!("yt:{id}"));
        let of_link = || CanonicalUrl::parse(entry.link.as_deref()?).ok().map(|url| url.key()).filter(|key| key.starts_with("yt:"));
        entry.platform_key = id.or_else(of_link);
    }
    let short = entry.link.as_deref().is_some_and(|link| link.contains("/shorts/"));
    entry.kind = Some(if short { ActivityKind::Short } else { ActivityKind::Video });
    // No views at all: a premiere or stream that is announced, or a video of this minute. Either way it is not there to
    // be watched yet as far as anybody can tell (PLATFORMS.md section 6).
    entry.upcoming = entry.counts.views == Some(0) && entry.duration_s.is_none_or(|duration| duration == 0);
    if entry.counts.views == Some(0) {
        // Zeros of a new entry are no data (PLATFORMS.md section 10, 13).
        entry.counts.views = None;
        entry.counts.likes = entry.counts.likes.filter(|likes| *likes > 0);
    }
    // `updated` moves with every count (PLATFORMS.md section 6): it tells nothing of the video.
    entry.updated = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{Counts, SourceId, SourceKind, Validators};

    fn video(link: &str, views: Option<u64>) -> Entry {
        let mut entry = Entry {
            id: Some("yt:video:abcdefghijk".into()),
            link: Some(link.into()),
            updated: Some("2026-03-04T05:06:07Z".parse().unwrap()),
            counts: Counts { views, likes: Some(0), ..Counts::default() },
            ..Entry::default()
        };
        as_video(&mut entry);
        entry
    }

    #[test]
    fn a_short_is_told_by_its_link_and_known_by_its_video() {
        let short = video("https://www.youtube.com/shorts/abcdefghijk", Some(7));
        assert_eq!(short.kind, Some(ActivityKind::Short));
        assert_eq!(short.platform_key.as_deref(), Some("yt:abcdefghijk"));
        assert_eq!(short.link.as_deref(), Some("https://www.youtube.com/shorts/abcdefghijk"));
        assert_eq!(video("https://www.youtube.com/watch?v=abcdefghijk", Some(7)).kind, Some(ActivityKind::Video));
    }

    #[test]
    fn what_nobody_has_seen_is_not_out_yet_and_has_no_counts() {
        let premiere = video("https://www.youtube.com/watch?v=abcdefghijk", Some(0));
        assert!(premiere.upcoming && premiere.counts.is_empty());
        assert!(!video("https://www.youtube.com/watch?v=abcdefghijk", Some(1)).upcoming);
        assert!(!video("https://www.youtube.com/watch?v=abcdefghijk", None).upcoming, "no count given says nothing");
    }

    #[test]
    fn the_time_of_the_last_count_is_no_news() {
        assert_eq!(video("https://www.youtube.com/watch?v=abcdefghijk", Some(9)).updated, None);
    }

    fn channel() -> Arc<Source> {
        Arc::new(Source {
            id: SourceId(1),
            kind: SourceKind::YoutubeChannel,
            locator: "UCabcdefghijklmnopqrstuv".into(),
            url: String::new(),
            owners: Vec::new(),
            paused: false,
            left: false,
        })
    }

    #[test]
    fn a_channels_feed_gives_its_videos_with_their_counts() {
        let youtube = Youtube::new(&Config::default().youtube);
        let ask = youtube.plan(&[(channel(), SourceState::default())]).remove(0);
        let bytes = include_bytes!("../../fixtures/youtube/channel.xml").as_slice();
        let document = Document::of_bytes(ask.request.url.clone(), bytes, "2026-03-05T00:00:00Z".parse().unwrap());
        let reading = youtube.read(&ask, &document).unwrap().remove(0);
        let told: Vec<_> = reading
            .entries
            .iter()
            .map(|entry| {
                (entry.platform_key.as_deref().unwrap(), entry.kind.unwrap(), entry.upcoming, entry.counts.views, entry.counts.likes)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("yt:tlPremier01", ActivityKind::Video, true, None, Some(6)),
                ("yt:tlShortClp2", ActivityKind::Short, false, Some(5410), Some(301)),
                ("yt:tlLongFilm3", ActivityKind::Video, false, Some(2290), Some(174)),
            ]
        );
        assert_eq!(reading.entries[2].title.as_deref(), Some("Queues & candles, end to end"));
        assert!(reading.entries.iter().all(|entry| entry.updated.is_none() && entry.published.is_some()));
    }

    #[test]
    fn channels_are_asked_at_the_configured_place() {
        let source = channel();
        let validators = Validators { etag: Some("\"x\"".into()), last_modified: None };
        let state = SourceState { validators: validators.clone(), ..SourceState::default() };
        let asks = Youtube::new(&Config::default().youtube).plan(&[(source, state)]);
        assert_eq!(asks[0].request.url, "https://www.youtube.com/feeds/videos.xml?channel_id=UCabcdefghijklmnopqrstuv");
        assert_eq!(asks[0].request.validators, validators);
    }
}
