//! The invented items in the shapes that real places give them: RSS 2.0, Atom, JSON Feed, and what the platforms' APIs
//! answer (shapes: PLATFORMS.md sections 4 to 6).
//!
//! In: a program, a place and an instant. Out: bytes to serve. The same three give the same bytes.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::program::{Form, Item, Oddity, Piece, Place, Program};
use super::words::escape;

/// How many articles the dev.to API gives on a page.
const DEVTO_PAGE: usize = 30;

/// A feed in its form, with its media type.
pub(super) fn feed(program: &Program, place: usize, now: Timestamp) -> (&'static str, String) {
    match program.places[place].form {
        Form::Atom => ("application/atom+xml; charset=utf-8", atom(program, place, now)),
        Form::JsonFeed => ("application/feed+json", json_feed(program, place, now)),
        Form::Rss | Form::Platform => ("application/rss+xml; charset=utf-8", rss(program, place, now)),
    }
}

/// A time as HTTP and RSS write it (RFC 9110 section 5.6.7, which RFC 822 allows too).
pub(super) fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

fn rss(program: &Program, place: usize, now: Timestamp) -> String {
    let spot = &program.places[place];
    let is_sloppy = spot.oddity == Some(Oddity::StrayAmpersand);
    let title = if is_sloppy { format!("{} & friends", escape(&spot.title)) } else { escape(&spot.title) };
    let site = &spot.site;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:slash=\"http://purl.org/rss/1.0/modules/slash/\">\n<channel>\n\
         <title>{title}</title>\n<link>{site}/</link>\n<description>Notes by {title}</description>\n<language>{}</language>\n<ttl>60</ttl>\n",
        spot.language
    );
    for item in program.shown(place, now) {
        let query = if is_sloppy { "?utm_source=feed&utm_medium=rss" } else { "" };
        let is_address = item.key == item.address;
        let _ = write!(
            text,
            "<item>\n<title>{}</title>\n<link>{}{query}</link>\n<guid isPermaLink=\"{is_address}\">{}</guid>\n<dc:creator>{}</dc:creator>\n",
            escape(item.title_at(now)),
            escape(&item.address),
            escape(&item.key),
            escape(program.members[item.author].name),
        );
        if item.is_dated {
            let _ = writeln!(text, "<pubDate>{}</pubDate>", http_date(item.published));
        }
        for tag in &item.tags {
            let _ = writeln!(text, "<category>{tag}</category>");
        }
        let _ = write!(
            text,
            "<slash:comments>{}</slash:comments>\n<description>{}</description>\n<content:encoded><![CDATA[{}]]></content:encoded>\n</item>\n",
            item.comments(now),
            escape(&item.summary),
            item.body.replace("]]>", "]]]]><![CDATA[>"),
        );
    }
    text.push_str("</channel>\n</rss>\n");
    text
}

fn atom(program: &Program, place: usize, now: Timestamp) -> String {
    let spot = &program.places[place];
    let shown = program.shown(place, now);
    let updated = changed_at(program, place, now);
    let site = &spot.site;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">\n<title>{}</title>\n\
         <id>{site}/</id>\n<link rel=\"alternate\" href=\"{site}/\"/>\n<link rel=\"self\" href=\"{site}/atom.xml\"/>\n<updated>{updated}</updated>\n",
        spot.language,
        escape(&spot.title),
    );
    for item in shown {
        let _ = write!(
            text,
            "<entry xml:lang=\"{}\">\n<title type=\"text\">{}</title>\n<id>{}</id>\n<link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n<author><name>{}</name></author>\n",
            item.language,
            escape(item.title_at(now)),
            escape(&item.key),
            escape(&item.address),
            escape(program.members[item.author].name),
        );
        if item.is_dated {
            let _ = write!(text, "<published>{}</published>\n<updated>{}</updated>\n", item.published, item.updated_at(now));
        }
        for tag in &item.tags {
            let _ = writeln!(text, "<category term=\"{tag}\"/>");
        }
        let _ = write!(
            text,
            "<summary>{}</summary>\n<content type=\"html\">{}</content>\n</entry>\n",
            escape(&item.summary),
            escape(&item.body)
        );
    }
    text.push_str("</feed>\n");
    text
}

fn json_feed(program: &Program, place: usize, now: Timestamp) -> String {
    let spot = &program.places[place];
    let items: Vec<Value> = program
        .shown(place, now)
        .into_iter()
        .map(|item| {
            let mut value = json!({
                "id": item.key,
                "url": item.address,
                "title": item.title_at(now),
                "summary": item.summary,
                "content_html": item.body,
                "tags": item.tags,
                "language": item.language,
                "authors": [{ "name": program.members[item.author].name }],
            });
            if item.is_dated {
                value["date_published"] = json!(item.published.to_string());
                value["date_modified"] = json!(item.updated_at(now).to_string());
            }
            value
        })
        .collect();
    let feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": spot.title,
        "home_page_url": format!("{}/", spot.site),
        "feed_url": format!("{}/feed.json", spot.site),
        "language": spot.language,
        "items": items,
    });
    format!("{feed:#}\n")
}

/// The last change that a place shows, counts aside; the beginning of time where it shows nothing.
pub(super) fn changed_at(program: &Program, place: usize, now: Timestamp) -> Timestamp {
    program.shown(place, now).iter().map(|item| item.updated_at(now)).max().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The upload feed of a channel.
pub(super) fn youtube(program: &Program, place: usize, now: Timestamp) -> String {
    let Place { key: channel, title, .. } = &program.places[place];
    let title = escape(title);
    let bare = channel.strip_prefix("UC").unwrap_or(channel);
    let person = format!("<author>\n   <name>{title}</name>\n   <uri>https://www.youtube.com/channel/{channel}</uri>\n  </author>");
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" \
         xmlns:media=\"http://search.yahoo.com/mrss/\" xmlns=\"http://www.w3.org/2005/Atom\">\n \
         <link rel=\"self\" href=\"http://www.youtube.com/feeds/videos.xml?channel_id={channel}\"/>\n <id>yt:channel:{bare}</id>\n \
         <yt:channelId>{bare}</yt:channelId>\n <title>{title}</title>\n <link rel=\"alternate\" href=\"https://www.youtube.com/channel/{channel}\"/>\n \
         {person}\n <published>2021-03-02T10:00:00+00:00</published>\n"
    );
    for item in program.shown(place, now) {
        let id = &item.key;
        let name = escape(item.title_at(now));
        let _ = write!(
            text,
            " <entry>\n  <id>yt:video:{id}</id>\n  <yt:videoId>{id}</yt:videoId>\n  <yt:channelId>{channel}</yt:channelId>\n  <title>{name}</title>\n  \
             <link rel=\"alternate\" href=\"{}\"/>\n  {person}\n  <published>{}</published>\n  <updated>{}</updated>\n  <media:group>\n   \
             <media:title>{name}</media:title>\n   <media:content url=\"https://www.youtube.com/v/{id}?version=3\" type=\"application/x-shockwave-flash\" width=\"640\" height=\"390\"/>\n   \
             <media:description>{}</media:description>\n   <media:community>\n    <media:starRating count=\"{}\" average=\"5.00\" min=\"1\" max=\"5\"/>\n    \
             <media:statistics views=\"{}\"/>\n   </media:community>\n  </media:group>\n </entry>\n",
            escape(&item.address),
            offset(item.published),
            offset(item.updated_at(now)),
            escape(&item.summary),
            item.reactions(now),
            item.views(now),
        );
    }
    text.push_str("</feed>\n");
    text
}

/// `2026-11-17T18:01:12+00:00`, as YouTube writes UTC.
fn offset(at: Timestamp) -> String {
    at.to_string().replace('Z', "+00:00")
}

/// A page of the articles of a dev.to user; an unknown one has none.
pub(super) fn devto(program: &Program, place: Option<usize>, now: Timestamp, page: usize) -> String {
    let shown = place.map(|place| program.shown(place, now)).unwrap_or_default();
    let articles: Vec<Value> = shown
        .into_iter()
        .skip(page.saturating_sub(1).saturating_mul(DEVTO_PAGE))
        .take(DEVTO_PAGE)
        .map(|item| {
            let user = &program.places[item.place].key;
            let path = item.address.strip_prefix("https://dev.to").unwrap_or(&item.address);
            let published = item.published.to_string();
            let edited = item.edited.as_ref().filter(|(at, _)| *at <= now).map(|(at, _)| at.to_string());
            json!({
                "type_of": "article",
                "id": item.number,
                "title": item.title_at(now),
                "description": item.summary,
                "slug": path.rsplit('/').next(),
                "path": path,
                "url": item.address,
                "comments_count": item.comments(now),
                "public_reactions_count": item.reactions(now),
                "positive_reactions_count": item.reactions(now),
                "collection_id": null,
                "published_timestamp": published,
                "language": item.language,
                "cover_image": null,
                "canonical_url": item.canonical.as_ref().unwrap_or(&item.address),
                "created_at": published,
                "edited_at": edited,
                "crossposted_at": null,
                "published_at": published,
                "last_comment_at": published,
                "reading_time_minutes": 1 + item.body.len() / 1_500,
                "tag_list": item.tags,
                "tags": item.tags.join(", "),
                "user": {
                    "name": program.members[item.author].name,
                    "username": user,
                    "github_username": null,
                    "twitter_username": null,
                    "website_url": null,
                    "user_id": 520_000 + item.author,
                },
            })
        })
        .collect();
    Value::Array(articles).to_string()
}

/// The public events of a GitHub user, of the last 30 days, newest first.
pub(super) fn github_events(program: &Program, place: usize, now: Timestamp) -> String {
    let oldest = now.saturating_sub(jiff::SignedDuration::from_hours(30 * 24)).unwrap_or(now);
    let events = program.shown(place, now).into_iter().filter(|item| item.published >= oldest).map(|item| event(program, item, now));
    Value::Array(events.collect()).to_string()
}

fn event(program: &Program, item: &Item, now: Timestamp) -> Value {
    let login = &program.places[item.place].key;
    let (name, payload) = match &item.piece {
        Piece::Release { tag, .. } => ("ReleaseEvent", json!({ "action": "published", "release": release(program, item, tag, now) })),
        Piece::Repository { .. } => {
            let payload = json!({
                "ref": null,
                "ref_type": "repository",
                "full_ref": null,
                "master_branch": "main",
                "description": item.summary,
                "pusher_type": "user",
            });
            ("CreateEvent", payload)
        }
        // Payloads since October 2025 leave out what older ones said (PLATFORMS.md section 5): half of the members get either.
        Piece::Contribution { repository, number } if item.author.is_multiple_of(2) => {
            let pull = json!({
                "url": format!("https://api.github.com/repos/{repository}/pulls/{number}"),
                "id": item.number,
                "number": number,
                "head": { "ref": "mend", "sha": sha(item.number) },
                "base": { "ref": "main", "sha": sha(item.number + 1), "repo": { "id": id_of(repository), "name": short(repository) } },
            });
            ("PullRequestEvent", json!({ "action": "merged", "number": number, "pull_request": pull }))
        }
        Piece::Contribution { number, .. } => {
            ("PullRequestEvent", json!({ "action": "closed", "number": number, "pull_request": pull_value(program, item, now) }))
        }
        _ if item.number.is_multiple_of(2) => ("WatchEvent", json!({ "action": "started" })),
        _ => {
            let payload = json!({
                "repository_id": id_of(repository_of(item)),
                "push_id": 31_000_000_000 + item.number,
                "ref": "refs/heads/main",
                "head": sha(item.number),
                "before": sha(item.number + 1),
            });
            ("PushEvent", payload)
        }
    };
    let repository = repository_of(item);
    json!({
        "id": (50_000_000_000 + item.number).to_string(),
        "type": name,
        "actor": person(item.author, login),
        "repo": { "id": id_of(repository), "name": repository, "url": format!("https://api.github.com/repos/{repository}") },
        "payload": payload,
        "public": true,
        "created_at": item.published.to_string(),
    })
}

fn release(program: &Program, item: &Item, tag: &str, now: Timestamp) -> Value {
    let repository = repository_of(item);
    let login = &program.places[item.place].key;
    json!({
        "url": format!("https://api.github.com/repos/{repository}/releases/{}", item.number),
        "html_url": item.address,
        "id": item.number,
        "author": person(item.author, login),
        "tag_name": tag,
        "target_commitish": "main",
        "name": tag,
        "draft": false,
        "prerelease": false,
        "created_at": item.published.to_string(),
        "updated_at": item.updated_at(now).to_string(),
        "published_at": item.published.to_string(),
        "assets": [],
        "body": item.body,
        "reactions": { "total_count": item.reactions(now) },
    })
}

/// A merged pull request, whole; `null` for items that are none.
pub(super) fn pull_value(program: &Program, item: &Item, now: Timestamp) -> Value {
    let Piece::Contribution { repository, number } = &item.piece else { return Value::Null };
    let login = &program.places[item.place].key;
    json!({
        "url": format!("https://api.github.com/repos/{repository}/pulls/{number}"),
        "id": item.number,
        "html_url": item.address,
        "number": number,
        "state": "closed",
        "title": item.title_at(now),
        "user": person(item.author, login),
        "body": item.body,
        "created_at": item.published.to_string(),
        "updated_at": item.updated_at(now).to_string(),
        "closed_at": item.published.to_string(),
        "merged_at": item.published.to_string(),
        "draft": false,
        "merged": true,
        "comments": item.comments(now),
        "review_comments": 1,
        "commits": 2,
        "additions": 40 + item.number % 200,
        "deletions": item.number % 60,
        "changed_files": 3,
        "base": { "label": "pier-nine-rehearsal:main", "ref": "main", "repo": repository_value(repository, None, now) },
        "head": { "ref": "mend", "sha": sha(item.number) },
    })
}

/// A repository; `item` is its creation, where the program tells of it.
pub(super) fn repository_value(repository: &str, item: Option<&Item>, now: Timestamp) -> Value {
    let owner = repository.split('/').next().unwrap_or_default();
    json!({
        "id": id_of(repository),
        "name": short(repository),
        "full_name": repository,
        "private": false,
        "fork": false,
        "archived": false,
        "owner": { "login": owner, "type": "User" },
        "html_url": format!("https://github.com/{repository}"),
        "description": item.map(|item| &item.summary),
        "created_at": item.map(|item| item.published.to_string()),
        "default_branch": "main",
        "stargazers_count": item.map_or(id_of(repository) % 900, |item| item.reactions(now)),
        "topics": [],
    })
}

/// The releases of a repository, newest first.
pub(super) fn releases(program: &Program, repository: &str, now: Timestamp) -> String {
    let items = program.items.iter().rev().filter(|item| item.is_visible(now) && repository_of(item) == repository);
    let releases = items.filter_map(|item| match &item.piece {
        Piece::Release { tag, .. } => Some(release(program, item, tag, now)),
        _ => None,
    });
    Value::Array(releases.collect()).to_string()
}

/// The `owner/name` that an item on GitHub is about; empty for others.
pub(super) fn repository_of(item: &Item) -> &str {
    match &item.piece {
        Piece::Release { repository, .. }
        | Piece::Repository { repository }
        | Piece::Contribution { repository, .. }
        | Piece::Noise { repository } => repository,
        Piece::Article | Piece::Video | Piece::Short => "",
    }
}

fn person(author: usize, login: &str) -> Value {
    json!({
        "id": 91_000_000 + author,
        "login": login,
        "display_login": login,
        "gravatar_id": "",
        "url": format!("https://api.github.com/users/{login}"),
        "html_url": format!("https://github.com/{login}"),
        "type": "User",
        "site_admin": false,
    })
}

fn short(repository: &str) -> &str {
    repository.rsplit('/').next().unwrap_or(repository)
}

/// A number for a repository, the same whoever asks.
fn id_of(repository: &str) -> u64 {
    800_000_000 + repository.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 90_000_000)
}

fn sha(number: u64) -> String {
    format!("{number:040x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceKind;

    fn program() -> Program {
        Program::new(1, "2026-W47".parse().unwrap())
    }

    #[test]
    fn feeds_are_read_as_they_were_meant() {
        let program = program();
        let now = program.cut_off_at();
        let mut read = 0;
        for (index, place) in program.places.iter().enumerate() {
            let text = match place.kind {
                SourceKind::Rss => feed(&program, index, now).1,
                SourceKind::YoutubeChannel => youtube(&program, index, now),
                _ => continue,
            };
            let parsed = feed_rs::parser::parse(text.as_bytes());
            if place.oddity == Some(Oddity::StrayAmpersand) {
                assert!(parsed.is_err() || parsed.is_ok_and(|feed| feed.entries.len() <= program.shown(index, now).len()));
                continue;
            }
            let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", place.key));
            let shown = program.shown(index, now);
            assert_eq!(parsed.entries.len(), shown.len(), "{}", place.key);
            for (entry, item) in parsed.entries.iter().zip(shown) {
                assert_eq!(entry.title.as_ref().map(|title| title.content.as_str()), Some(item.title_at(now)));
                assert!(entry.links.iter().any(|link| link.href == item.address), "{}", item.address);
                assert_eq!(entry.published.is_some(), item.is_dated);
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }

    #[test]
    fn events_tell_of_the_last_thirty_days_and_of_noise_too() {
        let program = program();
        let now = program.cut_off_at();
        let mut names = std::collections::BTreeSet::new();
        for (index, place) in program.places.iter().enumerate().filter(|(_, place)| place.kind == SourceKind::GithubUser) {
            let events: Vec<Value> = serde_json::from_str(&github_events(&program, index, now)).unwrap();
            for event in &events {
                names.insert(event["type"].as_str().unwrap().to_owned());
                let created: Timestamp = event["created_at"].as_str().unwrap().parse().unwrap();
                assert!(created <= now && now.duration_since(created).as_hours() <= 30 * 24, "{}", place.key);
            }
        }
        assert_eq!(Vec::from_iter(names), ["CreateEvent", "PullRequestEvent", "PushEvent", "ReleaseEvent", "WatchEvent"]);
    }

    #[test]
    fn the_second_page_of_a_short_list_is_empty() {
        let program = program();
        let place = program.places.iter().position(|place| place.kind == SourceKind::Devto);
        assert_ne!(devto(&program, place, program.cut_off_at(), 1), "[]");
        assert_eq!(devto(&program, place, program.cut_off_at(), 2), "[]");
        assert_eq!(devto(&program, None, program.cut_off_at(), 1), "[]");
    }
}
