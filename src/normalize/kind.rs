//! What kind of thing it is, and where it lives.
//!
//! Rules: PLATFORMS.md section 3. A platform's own word goes first; a plain feed is asked for what its links and
//! enclosures show.

use super::Seen;
use crate::model::{ActivityKind, CanonicalUrl, Entry, Media};

/// The kind of an activity: what the first sighting with a platform's word says, else what the first one looks like.
pub(super) fn kind(seen: &[&Seen<'_>]) -> ActivityKind {
    let stated = seen.iter().find_map(|seen| seen.entry.kind);
    stated.or_else(|| seen.first().map(|seen| look(seen.entry))).unwrap_or(ActivityKind::Article)
}

/// The address for people: the link, else the enclosure.
pub(super) fn address(entry: &Entry) -> Option<CanonicalUrl> {
    let link = entry.link.as_deref().and_then(|link| CanonicalUrl::parse(link).ok());
    link.or_else(|| entry.media.iter().filter(|media| is_recording(media)).find_map(|media| CanonicalUrl::parse(&media.url).ok()))
}

fn look(entry: &Entry) -> ActivityKind {
    let url = entry.link.as_deref().and_then(|link| CanonicalUrl::parse(link).ok());
    let host = url.as_ref().map(CanonicalUrl::host).unwrap_or_default();
    let path = entry.link.as_deref().and_then(|link| url::Url::parse(link).ok()).map(|url| url.path().to_owned()).unwrap_or_default();
    let key = entry.platform_key.as_deref().unwrap_or_default();
    if key.starts_with("yt:") || url.as_ref().is_some_and(|url| url.key().starts_with("yt:")) {
        return if path.starts_with("/shorts/") { ActivityKind::Short } else { ActivityKind::Video };
    }
    if is_medium(entry, key, &host) {
        return if entry.categories.is_empty() { ActivityKind::Reply } else { ActivityKind::Article };
    }
    if host == "github.com" && path.contains("/releases/") {
        return ActivityKind::Release;
    }
    if host == "vimeo.com" || key.starts_with("vimeo:") || key.starts_with("peertube:") {
        return ActivityKind::Video;
    }
    if is_short_post(entry, &host, &path) {
        return ActivityKind::Post;
    }
    if entry.duration_s.is_some_and(|duration| duration > 0) || entry.media.iter().any(is_recording) {
        return ActivityKind::PodcastEpisode;
    }
    ActivityKind::Article
}

/// Medium, also behind a domain of its own: the id tells.
fn is_medium(entry: &Entry, key: &str, host: &str) -> bool {
    let id = entry.id.as_deref().unwrap_or_default();
    key.starts_with("medium:")
        || host == "medium.com"
        || host.ends_with(".medium.com")
        || id.starts_with("https://medium.com/p/")
        || id.starts_with("http://medium.com/p/")
}

/// A post on Mastodon (`/@name/123`) or Bluesky.
fn is_short_post(entry: &Entry, host: &str, path: &str) -> bool {
    let mut segments = path.trim_matches('/').split('/');
    let (first, second, more) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default(), segments.next());
    let mastodon =
        entry.title.is_none() && first.starts_with('@') && more.is_none() && second.len() > 5 && second.bytes().all(|b| b.is_ascii_digit());
    mastodon || (host == "bsky.app" && first == "profile" && more == Some("post"))
}

/// Sound or film with something in it. A cover picture of length 0 is none; a length that is not given is not zero.
fn is_recording(media: &Media) -> bool {
    let sound = media.mime.as_deref().is_some_and(|mime| mime.trim().to_ascii_lowercase().starts_with("audio/"));
    let film = media.mime.as_deref().is_some_and(|mime| mime.trim().to_ascii_lowercase().starts_with("video/"));
    match media.length {
        Some(length) => (sound || film) && length > 0,
        None => sound,
    }
}
