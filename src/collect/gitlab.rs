//! Users and projects of GitLab sites.
//!
//! In: profile and project addresses; lists of users, events and releases; single merge requests and projects. Out:
//! releases of projects, merge requests that were merged into projects of others, and pushes folded to one a project and
//! day. An event says neither where a project lives nor whose a merge request was: both are asked for. Where a site shows
//! its interface to members alone, its feeds are read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::github::{day_of, one_release_a_day};
use super::json::{address, at, list, markdown, number, parse, text, time, truth};
use super::{Collector, Meaning, ask_for, feed, for_source};
use crate::model::{
    Account, ActivityKind, Ask, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState, Validators,
};

const PLATFORM: &str = "GitLab";
/// The most merge requests asked for singly in one poll.
const MAX_DETAILS: usize = 20;

pub(super) struct Gitlab;

/// Where a source lives: the root of its site, and the path of its user or project.
struct Place {
    root: String,
    host: String,
    path: String,
}

impl Place {
    fn of(source: &Source) -> Option<Self> {
        let url = Url::parse(&source.locator).ok()?;
        let path = url.path().trim_matches('/').to_owned();
        let host = url.host_str()?.to_owned();
        (!path.is_empty()).then(|| Self { root: url.origin().ascii_serialization(), host, path })
    }

    fn ask(&self, path: &str) -> Request {
        Request { accept: "application/json", ..Request::get(format!("{}/api/v4/{path}", self.root)) }
    }

    fn events(&self, id: &str, after: Option<Timestamp>) -> Request {
        // The day before, since days are counted in the site's own zone.
        let day = after.and_then(|after| after.checked_sub(jiff::SignedDuration::from_hours(24 * 15)).ok()).map(day_of);
        let after_day = day.map(|day| format!("&after={day}")).unwrap_or_default();
        Request { account: Some(id.to_owned()), after, ..self.ask(&format!("users/{id}/events?per_page=100{after_day}")) }
    }

    fn feed(&self, kind: SourceKind) -> Request {
        let end = if kind == SourceKind::GitlabUser { ".atom" } else { "/-/releases.atom" };
        Request::get(format!("{}/{}{end}", self.root, self.path))
    }
}

impl Collector for Gitlab {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        let planned = |(source, state): &(Arc<Source>, SourceState)| {
            let place = Place::of(source)?;
            let request = match (source.kind, &state.account) {
                (SourceKind::GitlabProject, _) => {
                    let path: String = url::form_urlencoded::byte_serialize(place.path.as_bytes()).collect();
                    place.ask(&format!("projects/{path}/releases?per_page=30"))
                }
                (_, Some(account)) => place.events(&account.id, state.reached),
                (_, None) => place.ask(&format!("users?username={}", place.path)),
            };
            Some(ask_for(source, state, request))
        };
        sources.iter().filter_map(planned).collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let Some((source, place)) = ask.sources.first().and_then(|source| Some((source, Place::of(source)?))) else {
            return Ok(Vec::new());
        };
        let url = &ask.request.url;
        let reading = if is_feed(url) {
            read_feed(source.kind, document)?
        } else if let Some(key) = &ask.request.about {
            read_detail(key, &parse(document, PLATFORM)?)
        } else if url.contains("/releases") {
            read_releases(&place, &list(parse(document, PLATFORM)?, PLATFORM)?)
        } else if url.contains("/api/v4/users?") {
            read_user(&place, &list(parse(document, PLATFORM)?, PLATFORM)?)?
        } else {
            read_events(&place, &list(parse(document, PLATFORM)?, PLATFORM)?)
        };
        Ok(for_source(ask, reading))
    }

    /// Projects are asked for where something unknown happened in them, merge requests until they are known.
    fn wants(&self, request: &Request, mut told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        match request.about.as_deref().map(|about| (about, about.strip_prefix("project:"))) {
            Some((_, Some(_))) => Iterator::any(&mut told, |entry| {
                entry.platform_key.as_ref().is_some_and(|key| !known.contains(key))
                    && entry.parts.iter().any(|part| Some(part.as_str()) == request.about.as_deref())
            }),
            Some((key, None)) => !known.contains(key),
            None => true,
        }
    }

    fn refused(&self, ask: &Ask, status: u16, _body: &[u8]) -> Meaning {
        let Some((source, place)) = ask.sources.first().and_then(|source| Some((source, Place::of(source)?))) else {
            return Meaning::AsItSays;
        };
        if ask.request.about.is_some() || !matches!(status, 401 | 403 | 404) || is_feed(&ask.request.url) {
            return Meaning::AsItSays;
        }
        Meaning::Instead(vec![Ask { request: Request { validators: Validators::default(), ..place.feed(source.kind) }, ..ask.clone() }])
    }

    fn fold(&self, reading: &mut Reading, now: Timestamp) {
        bring_together(reading, now);
        one_release_a_day(&mut reading.entries);
    }
}

fn is_feed(url: &str) -> bool {
    url.split('?').next().and_then(|path| path.rsplit_once('.')).is_some_and(|(_, ending)| ending == "atom")
}

fn read_user(place: &Place, users: &[Value]) -> Result<Reading, ReadError> {
    let found = users.iter().find_map(|user| {
        let name = text(user, &["username"])?;
        let id = number(user, &["id"])?;
        name.eq_ignore_ascii_case(&place.path).then(|| Account {
            id: id.to_string(),
            url: address(user, &["web_url"]).unwrap_or_else(|| format!("{}/{name}", place.root)),
            name,
        })
    });
    let account = found.ok_or_else(|| ReadError::Shape { platform: PLATFORM, detail: "there is no user of that name".into() })?;
    let next = vec![place.events(&account.id, None)];
    Ok(Reading { account: Some(account), next, incomplete: true, ..Reading::default() })
}

fn read_events(place: &Place, events: &[Value]) -> Reading {
    let reached = events.iter().filter_map(|event| time(event, &["created_at"])).max();
    let mut reading = Reading { reached, ..Reading::default() };
    let mut seen = BTreeSet::new();
    for event in events {
        let Some(action) = text(event, &["action_name"]) else {
            reading.skipped += 1;
            continue;
        };
        if let Some(id) = number(event, &["author", "id"]).or_else(|| number(event, &["author_id"])) {
            let name = text(event, &["author", "username"]).or_else(|| text(event, &["author_username"]));
            if let Some(name) = name {
                let url = address(event, &["author", "web_url"]).unwrap_or_else(|| format!("{}/{name}", place.root));
                reading.account.get_or_insert(Account { id: id.to_string(), name, url });
            }
        }
        let Some(project) = number(event, &["project_id"]) else { continue };
        let at_time = time(event, &["created_at"]);
        let maker = author(event);
        match action.as_str() {
            "pushed to" | "pushed" => {
                if let (Some(at_time), Some(entry)) = (at_time, push(place, event, project)) {
                    let about = Some(format!("project:{project}"));
                    let request = Request { about, of_pushes: true, ..place.ask(&format!("projects/{project}")) };
                    if !reading.next.contains(&request) {
                        reading.next.push(request);
                    }
                    reading.entries.push(Entry { published: Some(at_time), authors: maker.into_iter().collect(), ..entry });
                }
            }
            "accepted" | "merged" | "opened" | "created" if text(event, &["target_type"]).as_deref() == Some("MergeRequest") => {
                let (Some(id), Some(iid)) = (number(event, &["target_id"]), number(event, &["target_iid"])) else {
                    reading.skipped += 1;
                    continue;
                };
                let key = format!("gl:{}:mr:{id}", place.host);
                let merged = matches!(action.as_str(), "accepted" | "merged");
                if seen.insert(key.clone()) && seen.len() <= MAX_DETAILS {
                    let path = format!("projects/{project}/merge_requests/{iid}");
                    let account = maker.as_ref().and_then(|maker| maker.id.clone());
                    reading.next.push(Request { about: Some(key.clone()), account, ..place.ask(&path) });
                    let about = Some(format!("project:{project}"));
                    reading.next.insert(0, Request { about, ..place.ask(&format!("projects/{project}")) });
                    // Merged by whom and when, the list of events does not tell later: it has to be read again.
                    reading.incomplete |= !merged;
                }
                let mut parts = vec![format!("project:{project}"), format!("iid:{iid}")];
                parts.extend(merged.then(|| "merged".to_owned()));
                reading.entries.push(Entry {
                    platform_key: Some(key),
                    title: text(event, &["target_title"]),
                    authors: maker.into_iter().collect(),
                    published: at_time,
                    kind: Some(ActivityKind::Contribution),
                    parts,
                    ..Entry::default()
                });
            }
            _ => {}
        }
    }
    reading
}

/// A push to what is most likely the default branch, as a part of its day.
fn push(place: &Place, event: &Value, project: u64) -> Option<Entry> {
    let branch = text(event, &["push_data", "ref"])?;
    let of_branch = text(event, &["push_data", "ref_type"]).is_none_or(|kind| kind == "branch");
    if !of_branch || !matches!(branch.as_str(), "main" | "master") {
        return None;
    }
    let day = day_of(time(event, &["created_at"])?);
    let user = number(event, &["author_id"]).or_else(|| number(event, &["author", "id"]))?;
    let id = number(event, &["id"]).unwrap_or(0);
    // A bulk push counts no commits although there are some.
    let commits =
        number(event, &["push_data", "commit_count"]).filter(|count| *count > 0).map_or_else(|| "?".to_owned(), |n| n.to_string());
    Some(Entry {
        platform_key: Some(format!("gl:{}:push:{user}:{project}:{day}", place.host)),
        title: Some(branch),
        kind: Some(ActivityKind::Code),
        parts: vec![format!("project:{project}"), format!("push:{id}:{commits}")],
        ..Entry::default()
    })
}

/// A merge request, or the project that something happened in.
fn read_detail(key: &str, value: &Value) -> Reading {
    let mut reading = Reading::default();
    if let Some(project) = key.strip_prefix("project:") {
        let Some(link) = address(value, &["web_url"]) else { return reading };
        let namespace = text(value, &["namespace", "path"])
            .or_else(|| text(value, &["path_with_namespace"]).and_then(|path| path.split_once('/').map(|(first, _)| first.to_owned())));
        reading.entries.push(Entry {
            title: text(value, &["name"]).or_else(|| text(value, &["path"])),
            summary: namespace,
            link: Some(link),
            counts: Counts { stars: number(value, &["star_count"]), ..Counts::default() },
            parts: vec![format!("is:{project}")],
            ..Entry::default()
        });
        return reading;
    }
    let merged_at = time(value, &["merged_at"]);
    if at(value, &["iid"]).is_none() {
        return reading;
    }
    let project = number(value, &["target_project_id"]).or_else(|| number(value, &["project_id"]));
    let mut parts = vec!["whole".to_owned()];
    parts.extend(project.map(|project| format!("project:{project}")));
    parts.extend(number(value, &["iid"]).map(|iid| format!("iid:{iid}")));
    if merged_at.is_some() || text(value, &["state"]).as_deref() == Some("merged") {
        parts.push("merged".into());
    }
    let labels = at(value, &["labels"]).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    reading.entries.push(Entry {
        platform_key: Some(key.to_owned()),
        title: text(value, &["title"]),
        link: address(value, &["web_url"]),
        content: at(value, &["description"]).and_then(Value::as_str).and_then(markdown),
        authors: author(value).into_iter().collect(),
        published: merged_at,
        categories: labels.map(crate::text::collapse).collect(),
        kind: Some(ActivityKind::Contribution),
        counts: Counts { likes: number(value, &["upvotes"]), comments: number(value, &["user_notes_count"]), ..Counts::default() },
        parts,
        ..Entry::default()
    });
    reading
}

fn read_releases(place: &Place, releases: &[Value]) -> Reading {
    let mut reading = Reading::default();
    let short = place.path.rsplit('/').next().unwrap_or_default();
    for release in releases {
        let Some(tag) = text(release, &["tag_name"]) else {
            reading.skipped += 1;
            continue;
        };
        let name = text(release, &["name"]).unwrap_or_else(|| tag.clone());
        if super::github::is_moving(&tag) || super::github::is_moving(&name) {
            continue;
        }
        reading.entries.push(Entry {
            platform_key: Some(format!("gl:{}:release:{}:{tag}", place.host, place.path.to_lowercase())),
            link: address(release, &["_links", "self"]).or_else(|| Some(format!("{}/{}/-/releases/{tag}", place.root, place.path))),
            title: Some(super::github::release_title(short, Some(&name))),
            content: at(release, &["description"]).and_then(Value::as_str).and_then(markdown),
            authors: author(release).into_iter().collect(),
            published: time(release, &["released_at"]).or_else(|| time(release, &["created_at"])),
            kind: Some(ActivityKind::Release),
            upcoming: truth(release, &["upcoming_release"]) == Some(true),
            ..Entry::default()
        });
    }
    reading
}

/// The feeds of a user tell every step in sentences: only releases and merges are kept of them.
fn read_feed(kind: SourceKind, document: &Document) -> Result<Reading, ReadError> {
    let mut reading = feed::read_feed(document)?;
    if kind == SourceKind::GitlabProject {
        for entry in &mut reading.entries {
            entry.kind = Some(ActivityKind::Release);
        }
        return Ok(reading);
    }
    reading.entries.retain(|entry| {
        let merged = entry
            .title
            .as_deref()
            .is_some_and(|title| title.contains(" accepted merge request ") || title.contains(" merged merge request "));
        merged && entry.link.as_deref().is_some_and(|link| link.contains("/merge_requests/"))
    });
    for entry in &mut reading.entries {
        entry.kind = Some(ActivityKind::Contribution);
    }
    Ok(reading)
}

fn author(value: &Value) -> Option<Author> {
    let name = text(value, &["author", "name"]).or_else(|| text(value, &["author", "username"]))?;
    if text(value, &["author", "bot"]).is_some() || truth(value, &["author", "bot"]) == Some(true) {
        return None;
    }
    Some(Author { name, url: address(value, &["author", "web_url"]), id: number(value, &["author", "id"]).map(|id| id.to_string()) })
}

/// Joins events with what was asked about them: whose project it is, and whether it was merged.
fn bring_together(reading: &mut Reading, now: Timestamp) {
    let mut projects: HashMap<String, Entry> = HashMap::new();
    let mut requests: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut days: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut kept = Vec::new();
    for entry in std::mem::take(&mut reading.entries) {
        if let Some(project) = entry.parts.iter().find_map(|part| part.strip_prefix("is:").map(str::to_owned)) {
            projects.insert(format!("project:{project}"), entry);
            continue;
        }
        match (entry.kind, entry.platform_key.clone(), entry.parts.is_empty()) {
            (Some(ActivityKind::Contribution), Some(key), false) => requests.entry(key).or_default().push(entry),
            (Some(ActivityKind::Code), Some(key), false) => days.entry(key).or_default().push(entry),
            _ => kept.push(entry),
        }
    }
    let login = reading.account.as_ref().map(|account| (account.id.clone(), account.name.to_lowercase()));
    let part = |entry: &Entry, prefix: &str| entry.parts.iter().find_map(|part| part.strip_prefix(prefix).map(str::to_owned));
    for told in requests.into_values() {
        let merged = told.iter().any(|entry| entry.parts.iter().any(|part| part == "merged"));
        let whole = told.iter().find(|entry| entry.parts.first().is_some_and(|part| part == "whole"));
        // Of what is told whole, the whole decides: a list may say `accepted` of what others made.
        let merged = whole.map_or(merged, |whole| whole.parts.iter().any(|part| part == "merged"));
        let Some(shown) = whole.or(told.iter().find(|entry| entry.parts.iter().any(|part| part == "merged"))) else { continue };
        let project = part(shown, "project:").and_then(|id| projects.get(&format!("project:{id}")));
        let mut entry = shown.clone();
        if let Some(project) = project {
            entry.counts.stars = project.counts.stars;
            if entry.link.is_none() {
                entry.link = project.link.as_ref().zip(part(shown, "iid:")).map(|(link, iid)| format!("{link}/-/merge_requests/{iid}"));
            }
        }
        let namespace = project.and_then(|project| project.summary.clone()).or_else(|| {
            let url = Url::parse(entry.link.as_deref()?).ok()?;
            url.path_segments()?.next().map(str::to_owned)
        });
        let own_project = login.as_ref().zip(namespace).is_some_and(|((_, login), namespace)| *login == namespace.to_lowercase());
        let of_another =
            login.as_ref().zip(entry.authors.first().and_then(|author| author.id.clone())).is_some_and(|((id, _), author)| *id != author);
        if merged && !own_project && !of_another && entry.link.is_some() {
            if entry.published.is_none() {
                entry.published = told.iter().filter_map(|entry| entry.published).max();
            }
            entry.parts.clear();
            kept.push(entry);
        }
    }
    let today = day_of(now);
    for (key, told) in days {
        if key.ends_with(&today) {
            reading.open_day = true;
            continue;
        }
        let Some(shown) = told.iter().max_by_key(|entry| entry.published) else { continue };
        let Some(project) = part(shown, "project:").and_then(|id| projects.get(&format!("project:{id}"))) else { continue };
        let pushes: BTreeSet<&str> = told.iter().flat_map(|entry| &entry.parts).filter_map(|part| part.strip_prefix("push:")).collect();
        let counts: Option<u64> = pushes.iter().map(|push| push.rsplit_once(':')?.1.parse::<u64>().ok()).sum();
        let name = project.title.clone().unwrap_or_default();
        let branch = shown.title.clone().unwrap_or_default();
        let title = match counts {
            Some(1) => format!("1 commit to {name}"),
            Some(n) => format!("{n} commits to {name}"),
            None => format!("Pushed to {branch} of {name}"),
        };
        let link = project.link.as_ref().map(|link| format!("{link}/-/commits/{branch}"));
        kept.push(Entry { title: Some(title), link, parts: Vec::new(), ..shown.clone() });
    }
    reading.entries = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::samples::{document, unasked};

    fn source(id: i64, locator: &str) -> (Arc<Source>, SourceState) {
        unasked(id, crate::model::SourceKind::GitlabUser, locator)
    }

    fn user() -> Ask {
        let mut place = source(1, "https://gitlab.com/adal");
        place.1.account = Some(Account { id: "71".into(), name: "adal".into(), url: String::new() });
        Gitlab.plan(&[place]).remove(0)
    }

    fn answer(ask: &Ask, request: &Request, text: &str) -> Reading {
        Gitlab.read(&Ask { request: request.clone(), ..ask.clone() }, &document(text)).unwrap().remove(0)
    }

    fn told(reading: &Reading) -> Vec<(&str, &str, &str)> {
        let mut told = Vec::new();
        for entry in &reading.entries {
            told.push((
                entry.platform_key.as_deref().unwrap_or("-"),
                entry.title.as_deref().unwrap_or("-"),
                entry.link.as_deref().unwrap_or("-"),
            ));
        }
        told.sort_unstable();
        told
    }

    #[test]
    fn a_user_is_looked_up_once_and_then_asked_by_number() {
        let ask = Gitlab.plan(&[source(1, "https://gitlab.com/adal")]).remove(0);
        assert_eq!(ask.request.url, "https://gitlab.com/api/v4/users?username=adal");
        let reading = answer(&ask, &ask.request, "[{\"id\":71,\"username\":\"AdaL\",\"web_url\":\"https://gitlab.com/AdaL\"}]");
        assert_eq!(reading.next[0].url, "https://gitlab.com/api/v4/users/71/events?per_page=100");
        assert_eq!(user().request.url, reading.next[0].url);
        let error = Gitlab.read(&ask, &document("[]")).unwrap_err().to_string();
        assert_eq!(error, "the answer of GitLab has an unknown shape: there is no user of that name");
        let Meaning::Instead(feed) = Gitlab.refused(&ask, 403, b"") else { panic!() };
        assert_eq!(feed[0].request.url, "https://gitlab.com/adal.atom");
    }

    #[test]
    fn merge_requests_elsewhere_count_whoever_merged_them() {
        let ask = user();
        let mut reading = answer(&ask, &ask.request, include_str!("../../fixtures/gitlab/events.json"));
        assert_eq!(reading.skipped, 3);
        assert!(reading.incomplete, "one is still open as far as the list tells");
        let asked: BTreeSet<&str> = reading.next.iter().map(|request| request.url.as_str()).collect();
        assert!(asked.contains("https://gitlab.com/api/v4/projects/62/merge_requests/13"));
        let details = [
            (
                "projects/61",
                "{\"id\":61,\"name\":\"Sails\",\"web_url\":\"https://gitlab.com/adal/sails\",\"namespace\":{\"path\":\"adal\"},\"star_count\":2}",
            ),
            (
                "projects/62",
                "{\"id\":62,\"name\":\"Lamp\",\"web_url\":\"https://gitlab.com/guild/lamp\",\"path_with_namespace\":\"guild/lamp\",\"star_count\":9}",
            ),
            (
                "projects/62/merge_requests/13",
                "{\"iid\":13,\"project_id\":62,\"state\":\"merged\",\"merged_at\":\"2026-03-04T09:00:00Z\",\"title\":\"Merged by somebody else\",\
                 \"author\":{\"id\":71,\"username\":\"adal\"},\"web_url\":\"https://gitlab.com/guild/lamp/-/merge_requests/13\",\"upvotes\":1}",
            ),
        ];
        for (path, text) in details {
            let url = format!("https://gitlab.com/api/v4/{path}");
            let request = reading.next.iter().find(|request| request.url == url).unwrap().clone();
            let more = answer(&ask, &request, text);
            reading.entries.extend(more.entries);
        }
        Gitlab.fold(&mut reading, "2026-03-05T12:00:00Z".parse().unwrap());
        assert_eq!(
            told(&reading),
            [
                ("gl:gitlab.com:mr:9001", "Add a runner", "https://gitlab.com/guild/lamp/-/merge_requests/12"),
                ("gl:gitlab.com:mr:9003", "Merged by somebody else", "https://gitlab.com/guild/lamp/-/merge_requests/13"),
                ("gl:gitlab.com:push:71:61:2026-03-04", "5 commits to Sails", "https://gitlab.com/adal/sails/-/commits/main"),
            ],
            "what went into her own project is no contribution, and a branch no news"
        );
        assert_eq!(reading.entries.iter().filter_map(|entry| entry.counts.stars).max(), Some(9));
    }

    #[test]
    fn what_is_not_known_to_be_merged_is_not_told() {
        let ask = user();
        let mut reading = answer(&ask, &ask.request, include_str!("../../fixtures/gitlab/events.json"));
        Gitlab.fold(&mut reading, "2026-03-05T12:00:00Z".parse().unwrap());
        assert!(reading.entries.is_empty(), "nor where nobody knows whose project it is");
    }

    #[test]
    fn releases_of_a_project_are_told_and_those_to_come_are_held() {
        let mut place = source(1, "https://gitlab.com/guild/tools/lamp");
        Arc::make_mut(&mut place.0).kind = SourceKind::GitlabProject;
        let ask = Gitlab.plan(&[place]).remove(0);
        assert_eq!(ask.request.url, "https://gitlab.com/api/v4/projects/guild%2Ftools%2Flamp/releases?per_page=30");
        let reading = answer(&ask, &ask.request, include_str!("../../fixtures/gitlab/releases.json"));
        assert_eq!(
            told(&reading),
            [
                ("gl:gitlab.com:release:guild/tools/lamp:v1.2.0", "lamp 1.2.0", "https://gitlab.com/guild/tools/lamp/-/releases/v1.2.0"),
                ("gl:gitlab.com:release:guild/tools/lamp:v2", "lamp v2", "https://gitlab.com/guild/tools/lamp/-/releases/v2"),
            ]
        );
        assert_eq!(reading.entries.iter().map(|entry| entry.upcoming).collect::<Vec<_>>(), [false, true]);
        assert_eq!(reading.skipped, 2);
        let Meaning::Instead(feed) = Gitlab.refused(&ask, 404, b"") else { panic!() };
        assert_eq!(feed[0].request.url, "https://gitlab.com/guild/tools/lamp/-/releases.atom");
        assert!(matches!(Gitlab.refused(&feed[0], 404, b""), Meaning::AsItSays));
        assert_eq!(Gitlab.read(&ask, &document("<html>")).unwrap_err(), ReadError::Html);
        assert!(Gitlab.read(&ask, &document("{\"message\":\"404 Project Not Found\"}")).is_err());
    }
}
