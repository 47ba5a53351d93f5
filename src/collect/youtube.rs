//! YouTube channels and playlists, by the feed that needs no key.
//!
//! In: channels known by their `UC…` id, playlists known by theirs, Atom documents, and answers of the Data API where the
//! operator has a key. Out: videos, Shorts and streams with their counts. The address of a Short is kept as it is shown;
//! its identity is the id of the video. The feed does not mark what is what: of entries that are new, the channel's lists
//! of Shorts and streams are asked, and with a key the API. Knows nothing of the hours in which the platform answers 404
//! for every channel: that is the schedule's matter.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::json::{at, id, list, number, parse, text, time};
use super::{Collector, ask_for, feed, for_source};
use crate::config::YoutubeConfig;
use crate::model::{
    ActivityKind, Ask, Auth, Author, CanonicalUrl, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState,
};

const PLATFORM: &str = "YouTube";
/// The most videos that one question of the API is about.
const MAX_IDS: usize = 50;
/// Lists that YouTube keeps of each channel: their names are these letters and the channel's id without `UC`.
const SHORTS: &str = "UUSH";
const STREAMS: &str = "UULV";
const UPLOADS: &str = "UU";

pub(super) struct Youtube {
    feed_url: String,
    api_url: String,
    has_key: bool,
}

impl Youtube {
    pub(super) fn new(config: &YoutubeConfig) -> Self {
        Self {
            feed_url: config.feed_url.as_str().to_owned(),
            api_url: config.api_url.as_str().to_owned(),
            has_key: config.key_file.is_some(),
        }
    }

    fn playlist(&self, id: &str) -> Request {
        Request::get(format!("{}?playlist_id={id}", self.feed_url))
    }

    fn api(&self, path: &str) -> Request {
        Request { accept: "application/json", auth: Auth::Youtube, ..Request::get(format!("{}/{path}", self.api_url)) }
    }

    /// What tells more of the entries of a list: the channel's lists of Shorts and streams, and the API.
    fn more(&self, ask: &Ask, entries: &[Entry]) -> Vec<Request> {
        let mut more = Vec::new();
        let ids: Vec<&str> = entries.iter().filter_map(|entry| entry.platform_key.as_deref()?.strip_prefix("yt:")).take(MAX_IDS).collect();
        let channel = ask.sources.first().and_then(|source| channel_of(source));
        if entries.iter().any(|entry| entry.kind.is_none()) {
            more.extend(channel.iter().map(|channel| self.playlist(&format!("{SHORTS}{channel}"))));
            more.extend(channel.iter().filter(|_| !self.has_key).map(|channel| self.playlist(&format!("{STREAMS}{channel}"))));
        }
        if self.has_key && !ids.is_empty() {
            let parts = "snippet,contentDetails,statistics,liveStreamingDetails";
            more.push(self.api(&format!("videos?part={parts}&id={}", ids.join(","))));
        }
        more
    }

    fn read_list(&self, ask: &Ask, document: &Document) -> Result<Reading, ReadError> {
        let mut reading = feed::read_feed(document)?;
        reading.next.clear();
        let asked = playlist_of(&ask.request.url);
        let stated = asked.as_deref().and_then(kind_of_list);
        for entry in &mut reading.entries {
            as_video(entry);
            entry.kind = entry.kind.or(stated);
        }
        // A list that was asked for what it says of the entries of another.
        reading.details = ask.page > 1;
        if !reading.details {
            reading.next = self.more(ask, &reading.entries);
        }
        Ok(reading)
    }

    /// The uploads of a channel, as the API lists them: read where the feed cannot be.
    fn read_uploads(&self, ask: &Ask, document: &Document) -> Result<Reading, ReadError> {
        let items = items(document)?;
        let mut reading = Reading::default();
        for item in &items {
            match uploaded(item) {
                Some(entry) => reading.entries.push(entry),
                None => reading.skipped += 1,
            }
        }
        reading.next = self.more(ask, &reading.entries);
        Ok(reading)
    }

    fn request(&self, source: &Source) -> Request {
        if source.kind == SourceKind::YoutubePlaylist {
            return self.playlist(&source.locator);
        }
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
        let reading = match ask.request.url.strip_prefix(&self.api_url) {
            Some(path) if path.starts_with("/videos?") => read_details(document)?,
            Some(path) if path.starts_with("/playlistItems?") => self.read_uploads(ask, document)?,
            _ => self.read_list(ask, document)?,
        };
        Ok(for_source(ask, reading))
    }

    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        let of_api = request.auth == Auth::Youtube;
        let is_reason = |entry: &Entry| {
            let unknown = entry.platform_key.as_ref().is_none_or(|key| !known.contains(key));
            // What is announced may be put off.
            (unknown && (of_api || entry.kind.is_none())) || (of_api && entry.upcoming)
        };
        told.filter(|entry| is_reason(entry)).count() > 0
    }

    fn otherwise(&self, ask: &Ask) -> Option<Request> {
        let source = ask.sources.first().filter(|_| self.has_key)?;
        let list = match source.kind {
            SourceKind::YoutubePlaylist => source.locator.clone(),
            _ => format!("{UPLOADS}{}", channel_of(source)?),
        };
        Some(self.api(&format!("playlistItems?part=snippet,contentDetails&maxResults=20&playlistId={list}")))
    }

    fn keeps_details(&self) -> bool {
        true
    }
}

/// The id of a channel without its `UC`.
fn channel_of(source: &Source) -> Option<&str> {
    source.locator.strip_prefix("UC").filter(|_| source.kind == SourceKind::YoutubeChannel)
}

fn playlist_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.query_pairs().find(|(name, _)| name == "playlist_id").map(|(_, id)| id.into_owned())
}

/// What all entries of a list are, as its name says.
fn kind_of_list(list: &str) -> Option<ActivityKind> {
    match list.get(..4)? {
        SHORTS => Some(ActivityKind::Short),
        STREAMS => Some(ActivityKind::Livestream),
        _ => None,
    }
}

/// What the feed says of a video, in our words. No kind means: a video as far as the feed can tell.
fn as_video(entry: &mut Entry) {
    if entry.platform_key.is_none() {
        let id = entry.id.as_deref().and_then(|id| id.strip_prefix("yt:video:")).map(|id| format!("yt:{id}"));
        let of_link = || CanonicalUrl::parse(entry.link.as_deref()?).ok().map(|url| url.key()).filter(|key| key.starts_with("yt:"));
        entry.platform_key = id.or_else(of_link);
    }
    let short = entry.link.as_deref().is_some_and(|link| link.contains("/shorts/"));
    entry.kind = short.then_some(ActivityKind::Short);
    // No views at all: a premiere or stream that is announced, or a video of this minute. Either way it is not there to
    // be watched yet as far as anybody can tell (PLATFORMS.md section 6).
    entry.upcoming = entry.counts.views == Some(0) && entry.duration_s.is_none_or(|duration| duration == 0);
    without_zeros(&mut entry.counts);
    // `updated` moves with every count (PLATFORMS.md section 6): it tells nothing of the video.
    entry.updated = None;
}

/// Zeros of a new entry are no data (PLATFORMS.md section 10, 13).
fn without_zeros(counts: &mut Counts) {
    if counts.views == Some(0) {
        counts.views = None;
        counts.likes = counts.likes.filter(|likes| *likes > 0);
    }
}

fn items(document: &Document) -> Result<Vec<Value>, ReadError> {
    let mut answer = parse(document, PLATFORM)?;
    if let Some(message) = text(&answer, &["error", "message"]) {
        return Err(ReadError::Shape { platform: PLATFORM, detail: message.chars().take(200).collect() });
    }
    list(answer.get_mut("items").map(Value::take).unwrap_or_default(), PLATFORM)
}

/// One item of a playlist (Data API, `playlistItems`). `snippet.publishedAt` is when it was put on the list.
fn uploaded(item: &Value) -> Option<Entry> {
    let video = id(item, &["contentDetails", "videoId"]).or_else(|| id(item, &["snippet", "resourceId", "videoId"]))?;
    let owner = id(item, &["snippet", "videoOwnerChannelId"]);
    let (title, published) = (text(item, &["snippet", "title"]), time(item, &["contentDetails", "videoPublishedAt"]));
    // What cannot be watched stays in the list under such a name.
    if published.is_none() && title.as_deref().is_none_or(|title| matches!(title, "Private video" | "Deleted video")) {
        return None;
    }
    Some(Entry {
        link: Some(format!("https://www.youtube.com/watch?v={video}")),
        id: Some(format!("yt:video:{video}")),
        platform_key: Some(format!("yt:{video}")),
        title,
        summary: text(item, &["snippet", "description"]).map(|text| crate::text::cut(&text, 2_000).into_owned()),
        authors: text(item, &["snippet", "videoOwnerChannelTitle"])
            .map(|name| Author { name, url: owner.map(|owner| format!("https://www.youtube.com/channel/{owner}")), id: None })
            .into_iter()
            .collect(),
        published,
        ..Entry::default()
    })
}

/// What the API says of single videos (Data API, `videos`).
fn read_details(document: &Document) -> Result<Reading, ReadError> {
    let entries = items(document)?.iter().filter_map(|item| details(item, document.received_at)).collect();
    Ok(Reading { entries, details: true, ..Reading::default() })
}

fn details(item: &Value, now: Timestamp) -> Option<Entry> {
    let video = id(item, &["id"])?;
    let live = at(item, &["liveStreamingDetails"]);
    let started = live.and_then(|live| time(live, &["actualStartTime"]));
    let announced = live.and_then(|live| time(live, &["scheduledStartTime"]));
    let upcoming = text(item, &["snippet", "liveBroadcastContent"]).as_deref() == Some("upcoming") && started.is_none();
    let duration = text(item, &["contentDetails", "duration"]).and_then(|text| iso_seconds(&text));
    let mut counts = Counts {
        views: number(item, &["statistics", "viewCount"]),
        likes: number(item, &["statistics", "likeCount"]),
        comments: number(item, &["statistics", "commentCount"]),
        ..Counts::default()
    };
    without_zeros(&mut counts);
    Some(Entry {
        platform_key: Some(format!("yt:{video}")),
        kind: live.filter(|_| !upcoming && started.is_some()).map(|_| ActivityKind::Livestream),
        duration_s: duration,
        language: text(item, &["snippet", "defaultAudioLanguage"]).or_else(|| text(item, &["snippet", "defaultLanguage"])),
        // Without an hour it is held as long as anything announced.
        upcoming: upcoming && announced.is_none_or(|at| at > now),
        starts_at: started.or(announced.filter(|_| upcoming)),
        counts,
        ..Entry::default()
    })
}

/// `PT2H28M9S` in seconds (ISO 8601 section 5.5.2); days are 24 hours.
fn iso_seconds(text: &str) -> Option<u32> {
    let span: jiff::Span = text.parse().ok()?;
    let length: SignedDuration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    u32::try_from(length.as_secs()).ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{SourceId, Validators};

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
        assert_eq!(video("https://www.youtube.com/watch?v=abcdefghijk", Some(7)).kind, None, "the feed marks nothing");
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
        Arc::new(Source::new(SourceId(1), SourceKind::YoutubeChannel, "UCabcdefghijklmnopqrstuv", ""))
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
            .map(|entry| (entry.platform_key.as_deref().unwrap(), entry.kind, entry.upcoming, entry.counts.views, entry.counts.likes))
            .collect();
        assert_eq!(
            told,
            [
                ("yt:tlPremier01", None, true, None, Some(6)),
                ("yt:tlShortClp2", Some(ActivityKind::Short), false, Some(5410), Some(301)),
                ("yt:tlLongFilm3", None, false, Some(2290), Some(174)),
            ]
        );
        assert_eq!(reading.entries[2].title.as_deref(), Some("Queues & candles, end to end"));
        assert!(reading.entries.iter().all(|entry| entry.updated.is_none() && entry.published.is_some()));
    }

    #[test]
    fn channels_are_asked_at_the_configured_place() {
        let source = channel();
        let validators = Validators { etag: Some("\"x\"".into()), ..Validators::default() };
        let state = SourceState { validators: validators.clone(), ..SourceState::default() };
        let asks = Youtube::new(&Config::default().youtube).plan(&[(source, state)]);
        assert_eq!(asks[0].request.url, "https://www.youtube.com/feeds/videos.xml?channel_id=UCabcdefghijklmnopqrstuv");
        assert_eq!(asks[0].request.validators, validators);
    }

    fn with_key() -> Youtube {
        let mut config = Config::default().youtube;
        config.key_file = Some("key".into());
        Youtube::new(&config)
    }

    fn answer(youtube: &Youtube, url: &str, page: u32, body: &str) -> Result<Reading, ReadError> {
        let request = Request::get(url);
        let ask = Ask { kind: SourceKind::YoutubeChannel, request, sources: vec![channel()], page };
        youtube.read(&ask, &Document::of_bytes(url, body, "2026-11-19T09:00:00Z".parse().unwrap())).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn new_entries_are_looked_up_in_the_lists_of_shorts_and_streams_and_known_ones_are_not() {
        let feed = include_str!("../../fixtures/youtube/channel.xml");
        let told = |youtube: &Youtube| answer(youtube, "https://www.youtube.com/feeds/videos.xml?channel_id=x", 1, feed).unwrap();
        let keyless = Youtube::new(&Config::default().youtube);
        let reading = told(&keyless);
        let urls: Vec<&str> = reading.next.iter().map(|request| request.url.rsplit('=').next().unwrap()).collect();
        assert_eq!(urls, ["UUSHabcdefghijklmnopqrstuv", "UULVabcdefghijklmnopqrstuv"]);
        let wants = |youtube: &Youtube, request: &Request, known: &[&str]| {
            let known = known.iter().map(|key| (*key).to_owned()).collect();
            youtube.wants(request, &mut reading.entries.iter(), &known)
        };
        assert!(wants(&keyless, &reading.next[0], &[]) && wants(&keyless, &reading.next[0], &["yt:tlShortClp2", "yt:tlPremier01"]));
        assert!(!wants(&keyless, &reading.next[0], &["yt:tlLongFilm3", "yt:tlPremier01"]), "the Short is known by its link");
        let keyed = told(&with_key());
        let videos = keyed.next.last().unwrap();
        assert!(videos.url.ends_with("&id=tlPremier01,tlShortClp2,tlLongFilm3") && videos.auth == Auth::Youtube);
        assert!(wants(&with_key(), videos, &["yt:tlLongFilm3", "yt:tlPremier01", "yt:tlShortClp2"]), "an announced one may be put off");
        let shorts = answer(&keyless, "https://www.youtube.com/feeds/videos.xml?playlist_id=UUSHabc", 2, feed).unwrap();
        assert!(shorts.details && shorts.next.is_empty() && shorts.entries.iter().all(|entry| entry.kind == Some(ActivityKind::Short)));
    }

    #[test]
    fn the_interface_tells_streams_premieres_and_lengths() {
        let youtube = with_key();
        let body = include_str!("../../fixtures/youtube/videos.json");
        let reading = answer(&youtube, "https://www.googleapis.com/youtube/v3/videos?part=x&id=y", 2, body).unwrap();
        let starts = |entry: &Entry| entry.starts_at.map(|at| at.to_string());
        let told: Vec<_> = reading.entries.iter().map(|entry| (entry.kind, entry.upcoming, starts(entry), entry.duration_s)).collect();
        assert_eq!(
            told,
            [
                (None, true, Some("2026-11-21T17:00:00Z".to_owned()), None),
                (Some(ActivityKind::Livestream), false, Some("2026-11-17T18:01:00Z".to_owned()), Some(8_889)),
                (Some(ActivityKind::Livestream), false, Some("2026-11-19T08:30:00Z".to_owned()), None),
                (None, false, None, Some(48)),
                (None, false, None, None),
            ]
        );
        assert!(reading.details && reading.entries[0].counts.is_empty());
        assert_eq!(reading.entries[1].counts.views, Some(1203));
    }

    #[test]
    fn where_the_feed_fails_the_uploads_are_listed_by_the_interface() {
        let youtube = with_key();
        let ask = youtube.plan(&[(channel(), SourceState::default())]).remove(0);
        let instead = youtube.otherwise(&ask).unwrap();
        assert!(instead.url.ends_with("playlistId=UUabcdefghijklmnopqrstuv") && instead.auth == Auth::Youtube);
        assert!(Youtube::new(&Config::default().youtube).otherwise(&ask).is_none(), "only with a key");
        let body = include_str!("../../fixtures/youtube/uploads.json");
        let reading = answer(&youtube, &instead.url, 1, body).unwrap();
        assert_eq!((reading.entries.len(), reading.skipped), (1, 2));
        assert_eq!(reading.entries[0].published.unwrap().to_string(), "2026-11-16T07:30:00Z", "not when it was put on the list");
        assert_eq!(reading.entries[0].platform_key.as_deref(), Some("yt:tlLongFilm3"));
    }

    #[test]
    fn what_the_interface_answers_wrongly_is_an_error_in_words() {
        let youtube = with_key();
        for (body, wanted) in [
            ("<!doctype html>", "a web page"),
            ("", "empty"),
            ("{\"error\":{\"code\":403,\"message\":\"no quota\"}}", "no quota"),
            ("{\"items\":7}", "a list was expected"),
            ("[]", "a list was expected"),
        ] {
            let error = answer(&youtube, "https://www.googleapis.com/youtube/v3/videos?x", 2, body).unwrap_err().to_string();
            assert!(error.contains(wanted), "{body}: {error}");
        }
        let odd = "{\"items\":[null,{},{\"id\":7},{\"id\":\"a b\"},{\"id\":\"abc\",\"contentDetails\":{\"duration\":\"PTX\"},\"liveStreamingDetails\":[]}]}";
        assert_eq!(answer(&youtube, "https://www.googleapis.com/youtube/v3/videos?x", 2, odd).unwrap().entries.len(), 2);
    }
}
