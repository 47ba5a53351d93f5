//! What a feed says of itself as a whole, beside title and hints: its name as a show, where it moved, where its older
//! items are.
//!
//! In: a feed taken apart, and the reading made of its items. Out: the reading, completed. Nothing here costs an entry.

use url::Url;

use super::document::{Space, Walk};
use super::item;
use crate::model::{Entry, Reading, Request};

/// Completes a reading by what the feed says of itself.
pub(super) fn complete(walk: &Walk<'_>, address: Option<&str>, reading: &mut Reading) {
    let said = |space: Space, name: &str| {
        let mut elements = walk.feed.iter().filter(move |element| element.space == space && element.name.as_str() == name);
        elements.find_map(|element| item::value(walk, element))
    };
    if let Some(show) = said(Space::Podcast, "guid").and_then(|guid| show_id(&guid)) {
        for entry in reading.entries.iter_mut().filter(|entry| is_recording(entry)) {
            if let Some(id) = &entry.id {
                entry.platform_key = Some(format!("podcast:{show}:{id}"));
            }
        }
    }
    reading.moved_to = said(Space::Itunes, "new-feed-url")
        .filter(|new| item::is_web_address(new) && address.is_some_and(|here| !same(here, new)))
        .map(std::borrow::Cow::into_owned);
    let next = older(walk, address).filter(|next| address.is_none_or(|here| !same(here, next)));
    reading.next.extend(next.map(Request::get));
}

/// `podcast:guid` is a UUID (podcast namespace, `guid`). Anything else, and the one of all zeros, names no show.
fn show_id(guid: &str) -> Option<String> {
    let guid = guid.to_ascii_lowercase();
    let shaped = guid.len() == 36
        && guid.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    (shaped && guid.bytes().any(|byte| byte.is_ascii_hexdigit() && byte != b'0')).then_some(guid)
}

fn is_recording(entry: &Entry) -> bool {
    let sounds = |mime: &str| mime.starts_with("audio/") || mime.starts_with("video/");
    entry.duration_s.is_some() || entry.media.iter().any(|media| media.mime.as_deref().is_some_and(sounds))
}

/// Where the next page of older items is: RFC 5005 section 3 says it by a link; WordPress counts pages in `paged`.
fn older(walk: &Walk<'_>, address: Option<&str>) -> Option<String> {
    let here = Url::parse(address?).ok()?;
    let of_link = walk.feed.iter().filter(|element| element.name.as_str() == "link").find_map(|element| {
        let rel = element.attribute(&walk.decoder, "rel")?;
        rel.eq_ignore_ascii_case("next").then(|| element.attribute(&walk.decoder, "href")).flatten()
    });
    if let Some(link) = of_link {
        let next = here.join(&link).ok()?;
        return (matches!(next.scheme(), "http" | "https") && next.host_str() == here.host_str()).then(|| next.to_string());
    }
    let generator = walk.feed.iter().find(|element| element.name.as_str() == "generator").and_then(|element| item::value(walk, element))?;
    if !generator.to_ascii_lowercase().contains("wordpress") {
        return None;
    }
    let page = here.query_pairs().find(|(name, _)| name == "paged").map_or(Some(1_u32), |(_, page)| page.parse().ok())?;
    let others: Vec<(String, String)> =
        here.query_pairs().filter(|(name, _)| name != "paged").map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let mut next = here;
    next.query_pairs_mut().clear().extend_pairs(others).append_pair("paged", &page.checked_add(1)?.to_string());
    Some(next.to_string())
}

fn same(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::read_feed;
    use super::*;
    use crate::model::{ActivityKind, Document};

    fn read(address: &str, channel: &str) -> Reading {
        let text = format!(
            "<rss xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\" xmlns:podcast=\"https://podcastindex.org/namespace/1.0\"><channel>{channel}</channel></rss>"
        );
        read_feed(&Document::of_bytes(address, text, Timestamp::UNIX_EPOCH)).unwrap()
    }

    const ITEM: &str = "<item><title>One</title><guid>e1</guid><enclosure url=\"https://a.example/1.mp3\" type=\"audio/mpeg\" length=\"9\"/></item>\
                        <item><title>Notes</title><guid>n1</guid></item>\
                        <item><guid>t1</guid><enclosure url=\"https://a.example/t.mp3\" type=\"audio/mpeg\"/><itunes:episodeType>Trailer</itunes:episodeType></item>";

    #[test]
    fn a_show_that_names_itself_names_its_episodes() {
        let show = "917393E3-1B1E-5CEF-ACE4-EDAA54E1F810";
        let reading = read("https://a.example/rss", &format!("<podcast:guid> {show} </podcast:guid>{ITEM}"));
        let keys: Vec<_> = reading.entries.iter().map(|entry| entry.platform_key.as_deref()).collect();
        let of = |id: &str| format!("podcast:{}:{id}", show.to_lowercase());
        assert_eq!(keys, [Some(of("e1").as_str()), None, Some(of("t1").as_str())]);
        assert_eq!((reading.entries[0].kind, reading.entries[2].kind), (None, Some(ActivityKind::Trailer)));
        for nobody in ["", "my show", "00000000-0000-0000-0000-000000000000"] {
            let reading = read("https://a.example/rss", &format!("<podcast:guid>{nobody}</podcast:guid>{ITEM}"));
            assert!(reading.entries.iter().all(|entry| entry.platform_key.is_none()), "{nobody}");
        }
    }

    #[test]
    fn a_feed_says_where_it_moved_but_not_that_it_moved_to_itself() {
        let moved = |new: &str| read("https://a.example/rss", &format!("<itunes:new-feed-url>{new}</itunes:new-feed-url>")).moved_to;
        assert_eq!(moved("https://b.example/rss").as_deref(), Some("https://b.example/rss"));
        assert_eq!(moved("https://a.example/rss"), None);
        assert_eq!(moved("mailto:a@b.example"), None);
    }

    #[test]
    fn older_pages_are_where_the_feed_says_or_where_wordpress_has_them() {
        let next = |address: &str, channel: &str| read(address, channel).next.first().map(|request| request.url.clone());
        let linked = "<link rel=\"next\" href=\"?page=2\" xmlns=\"http://www.w3.org/2005/Atom\"/>";
        assert_eq!(next("https://a.example/rss", linked).as_deref(), Some("https://a.example/rss?page=2"));
        assert_eq!(next("https://a.example/rss", &linked.replace("?page", "https://b.example/?page")), None);
        let generator = "<generator>https://wordpress.org/?v=6.9</generator>";
        assert_eq!(next("https://a.example/feed/", generator).as_deref(), Some("https://a.example/feed/?paged=2"));
        assert_eq!(next("https://a.example/?feed=rss2&paged=2", generator).as_deref(), Some("https://a.example/?feed=rss2&paged=3"));
        assert_eq!(next("https://a.example/feed/", "<generator>Hugo</generator>"), None);
    }
}
