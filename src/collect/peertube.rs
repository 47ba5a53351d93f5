//! PeerTube channels and accounts, by their feed or by the list of the API, whichever address is known.
//!
//! In: addresses on any instance. Out: videos and streams, each known by the instance that it comes from: a channel that is
//! mirrored elsewhere shows the same videos with the addresses of their origin. Counts between polls are asked of a channel's
//! list, which tells more of them than its feed; of an account by the address that is known.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::json::{address, list, number, parse, seconds, text, time, truth};
use super::{Collector, feed, for_source, rss};
use crate::model::{ActivityKind, Ask, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceState};

const PLATFORM: &str = "PeerTube";
/// The letters of the short form of an id, in order (base 58 as Flickr writes it).
const SHORT: &[u8; 58] = b"123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

pub(super) struct Peertube;

impl Collector for Peertube {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        rss::plan(sources)
    }

    fn count(&self, source: &Arc<Source>, _entry: &Entry) -> Option<Request> {
        let url = channel_list(&source.locator).unwrap_or_else(|| source.locator.clone());
        Some(Request { accept: "application/json, */*;q=0.1", ..Request::get(url) })
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let is_api = Url::parse(&ask.request.url).is_ok_and(|url| url.path().starts_with("/api/v1/"));
        let mut reading = if is_api { read_list(document)? } else { feed::read_feed(document)? };
        reading.next.clear();
        for entry in &mut reading.entries {
            let key = entry.link.as_deref().and_then(video_key);
            entry.platform_key = key.or_else(|| entry.id.as_deref().and_then(video_key));
            entry.kind = entry.kind.or(Some(ActivityKind::Video));
        }
        rss::mark_shared_links(&mut reading.entries);
        Ok(for_source(ask, reading))
    }
}

/// The list of the channel that a feed is of (PLATFORMS.md section 2).
fn channel_list(feed: &str) -> Option<String> {
    let url = Url::parse(feed).ok()?;
    let channel = url.query_pairs().find(|(name, _)| name == "videoChannelName")?.1.into_owned();
    let mut list = url.join("/api/v1/video-channels/").ok()?;
    list.path_segments_mut().ok()?.pop_if_empty().push(&channel).push("videos");
    list.set_query(Some("sort=-publishedAt"));
    Some(list.into())
}

fn read_list(document: &Document) -> Result<Reading, ReadError> {
    let mut answer = parse(document, PLATFORM)?;
    let videos = list(answer.get_mut("data").map(Value::take).unwrap_or(answer), PLATFORM)?;
    let mut reading = Reading::default();
    for video in &videos {
        match video_of(video) {
            Some(entry) => reading.entries.push(entry),
            None => reading.skipped += 1,
        }
    }
    Ok(reading)
}

fn video_of(video: &Value) -> Option<Entry> {
    let link = address(video, &["url"])?;
    let live = truth(video, &["isLive"]) == Some(true);
    let account = text(video, &["account", "displayName"]).or_else(|| text(video, &["account", "name"]));
    Some(Entry {
        title: text(video, &["name"]),
        summary: text(video, &["truncatedDescription"]).or_else(|| text(video, &["description"])),
        authors: account
            .map(|name| Author { name, url: address(video, &["account", "url"]), id: text(video, &["account", "name"]) })
            .into_iter()
            .collect(),
        // What was imported says when it first came out.
        published: time(video, &["originallyPublishedAt"]).or_else(|| time(video, &["publishedAt"])),
        language: text(video, &["language", "id"]),
        kind: Some(if live { ActivityKind::Livestream } else { ActivityKind::Video }),
        duration_s: seconds(video, &["duration"]),
        counts: Counts {
            views: number(video, &["views"]),
            likes: number(video, &["likes"]),
            comments: number(video, &["comments"]),
            ..Counts::default()
        },
        link: Some(link),
        ..Entry::default()
    })
}

/// The key of the video that an address is about: `/w/{short}`, `/videos/watch/{id}`.
fn video_key(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let segments: Vec<&str> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    let id = match segments.as_slice() {
        ["w", id] | ["videos", "watch" | "embed", id] => uuid(id)?,
        _ => return None,
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("peertube:{}{port}:{id}", url.host_str()?))
}

/// The one spelling of an id that is given long or short.
fn uuid(id: &str) -> Option<String> {
    let hex: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let long = id.len() == 36 && hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if long {
        u128::from_str_radix(&hex, 16).ok()?
    } else {
        let digit = |byte: u8| SHORT.iter().position(|known| *known == byte).and_then(|at| u128::try_from(at).ok());
        let fits = (20..=22).contains(&id.len());
        fits.then(|| id.bytes().try_fold(0_u128, |sum, byte| sum.checked_mul(58)?.checked_add(digit(byte)?)))??
    };
    let hex = format!("{number:032x}");
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::collect::samples::unasked;
    use crate::model::SourceKind;

    fn read(locator: &str, body: &str) -> Result<Reading, ReadError> {
        let ask = Peertube.plan(&[unasked(1, SourceKind::Peertube, locator)]).remove(0);
        Peertube.read(&ask, &Document::of_bytes(locator, body, Timestamp::UNIX_EPOCH)).map(|mut readings| readings.remove(0))
    }

    const API: &str = "https://tube.weir.example/api/v1/video-channels/sluice/videos?sort=-publishedAt";

    #[test]
    fn feed_and_list_tell_the_same_videos_by_their_origin() {
        let feed =
            read("https://tube.weir.example/feeds/videos.xml?videoChannelName=sluice", include_str!("../../fixtures/peertube/videos.xml"));
        let feed = feed.unwrap();
        let list = read(API, include_str!("../../fixtures/peertube/videos.json")).unwrap();
        let keys =
            |reading: &Reading| reading.entries.iter().map(|entry| entry.platform_key.clone().unwrap_or_default()).collect::<Vec<_>>();
        let wanted = [
            "peertube:tube.weir.example:3f2a9c4e-77d1-4b60-9a35-1c0de5f4b8a2",
            "peertube:far.mill.example:0c5b7e12-9f3d-4a6e-8b21-55aa10c3d9e7",
        ];
        assert_eq!((keys(&feed), keys(&list)), (wanted.map(str::to_owned).to_vec(), wanted.map(str::to_owned).to_vec()));
        assert_eq!((feed.entries[0].title.as_deref(), feed.entries[0].counts.views), (Some("Gates and queues"), Some(54)));
        let of_list = &list.entries[1];
        assert_eq!((of_list.kind, of_list.duration_s, of_list.counts.likes), (Some(ActivityKind::Livestream), Some(3_600), Some(6)));
        assert_eq!(of_list.published.unwrap().to_string(), "2024-05-04T10:00:00Z", "an import keeps its first date");
        assert_eq!(list.skipped, 1);
    }

    #[test]
    fn counts_are_asked_of_the_list_that_the_video_stands_in() {
        for (locator, wanted) in [
            ("https://tube.weir.example/feeds/videos.xml?videoChannelName=sluice", API),
            (
                "https://tube.weir.example/feeds/videos.atom?sort=x&videoChannelName=sluice%40far.mill.example",
                "https://tube.weir.example/api/v1/video-channels/sluice@far.mill.example/videos?sort=-publishedAt",
            ),
            (
                "https://tube.weir.example/feeds/videos.xml?videoChannelName=..%2F..%2Fusers",
                "https://tube.weir.example/api/v1/video-channels/..%2F..%2Fusers/videos?sort=-publishedAt",
            ),
            ("https://tube.weir.example/feeds/videos.xml?accountName=weir", "https://tube.weir.example/feeds/videos.xml?accountName=weir"),
            (API, API),
        ] {
            let (source, _) = unasked(1, SourceKind::Peertube, locator);
            assert_eq!(Peertube.count(&source, &Entry::default()).unwrap().url, wanted);
        }
    }

    #[test]
    fn odd_answers_are_errors_in_words_or_nothing() {
        for (locator, body, wanted) in [
            (API, "<!doctype html>", "a web page"),
            (API, "{\"error\":\"Video channel not found\"}", "Video channel not found"),
            (API, "{\"data\":{}}", "a list was expected"),
            ("https://tube.weir.example/feeds/videos.xml?accountName=x", "<html></html>", "a web page"),
        ] {
            let error = read(locator, body).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(read(API, "{\"total\":0,\"data\":[]}").unwrap().entries.is_empty());
        let odd = "{\"data\":[null,7,{\"url\":null},{\"url\":\"https://t.example/w/x\",\"name\":7,\"duration\":-1,\"views\":null,\"account\":[]}]}";
        let reading = read(API, odd).unwrap();
        assert_eq!((reading.entries.len(), reading.skipped, reading.entries[0].platform_key.as_deref()), (1, 3, None));
        for bad in ["https://t.example/w/0OIl", "https://t.example/w/ZZZZZZZZZZZZZZZZZZZZZZ", "https://t.example/about", "x"] {
            assert_eq!(video_key(bad), None, "{bad}");
        }
    }
}
