//! GitHub organizations and single repositories: new repositories, and releases.
//!
//! In: `org` or `owner/name`, lists of repositories and of releases, and the feed of releases that needs no key. Out:
//! repositories that are no forks, archives or templates, and releases under the keys that events give them too. A release
//! that a machine published names nobody.

use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use super::github::{Github, PLATFORM, Told, author, is_moving, is_repo_name, one_release_a_day, release_title, short_name};
use super::json::{address, at, list, number, parse, text, time, truth};
use super::{Collector, Meaning, ask_for, feed, for_source};
use crate::config::GithubConfig;
use crate::model::{
    Account, ActivityKind, Ask, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState, Validators,
};

/// Of how many repositories of an organization the releases are asked for in one poll, those pushed to last first.
const MOST_REPOSITORIES: usize = 10;
/// Repositories that were not pushed to for so long have no new release.
const STILL: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 30);
const PUBLIC_API: &str = "https://api.github.com";

pub(super) struct GithubRepo {
    github: Github,
}

impl GithubRepo {
    pub(super) fn new(config: &GithubConfig) -> Self {
        Self { github: Github::new(config) }
    }

    fn by_api(&self, repo: &str) -> Request {
        self.github.request(&format!("repos/{repo}/releases?per_page=30"))
    }

    /// The feed of releases: it needs no key and spends no limit. Only the public site is known to have it where the API
    /// has another address than usual.
    fn feed_of(source: &Source) -> Request {
        let own = Url::parse(&source.url).ok().filter(|url| url.host_str().is_some_and(|host| host != "api.github.com"));
        let root = own.map_or_else(|| "https://github.com".to_owned(), |url| url.origin().ascii_serialization());
        Request::get(format!("{root}/{}/releases.atom", source.locator))
    }

    fn first(&self, source: &Source) -> Request {
        match source.kind {
            SourceKind::GithubOrg => {
                self.github.request(&format!("orgs/{}/repos?sort=created&direction=desc&per_page=100", source.locator))
            }
            _ if self.github.has_token || self.github.api_url != PUBLIC_API => self.by_api(&source.locator),
            _ => Self::feed_of(source),
        }
    }

    fn read_repositories(&self, ask: &Ask, document: &Document) -> Result<Reading, ReadError> {
        let repositories = list(parse(document, PLATFORM)?, PLATFORM)?;
        let mut reading = Reading::default();
        let mut moved: Vec<(Timestamp, String)> = Vec::new();
        for value in &repositories {
            let Some((id, repo)) = number(value, &["id"]).zip(text(value, &["full_name"]).filter(|repo| is_repo_name(repo))) else {
                reading.skipped += 1;
                continue;
            };
            if let Some(id) = number(value, &["owner", "id"]) {
                let name = text(value, &["owner", "login"]).unwrap_or_default().to_ascii_lowercase();
                reading.account.get_or_insert(Account { id: id.to_string(), url: format!("https://github.com/{name}"), name });
            }
            if truth(value, &["private"]) == Some(true) || truth(value, &["disabled"]) == Some(true) {
                continue;
            }
            if let Some(at) = time(value, &["pushed_at"]).or_else(|| time(value, &["updated_at"]))
                && document.received_at.duration_since(at) <= STILL
                && truth(value, &["archived"]) != Some(true)
            {
                moved.push((at, repo.clone()));
            }
            let derived = ["fork", "archived", "is_template"].iter().any(|mark| truth(value, &[mark]) == Some(true));
            // The organization's own page.
            if derived || short_name(&repo) == ".github" {
                continue;
            }
            let short = short_name(&repo);
            let description = text(value, &["description"]);
            reading.entries.push(Entry {
                platform_key: Some(format!("gh:repo:{id}")),
                link: address(value, &["html_url"]).or_else(|| Some(format!("https://github.com/{repo}"))),
                title: Some(description.as_ref().map_or_else(|| short.to_owned(), |description| format!("{short}: {description}"))),
                summary: description,
                published: time(value, &["created_at"]),
                kind: Some(ActivityKind::Repository),
                counts: Counts { stars: number(value, &["stargazers_count"]), ..Counts::default() },
                ..Entry::default()
            });
        }
        moved.sort_unstable_by(|one, other| other.cmp(one));
        reading.next.extend(self.github.next_page(ask, document, repositories.len()).filter(|_| ask.page < 3));
        reading.next.extend(moved.into_iter().take(MOST_REPOSITORIES).map(|(_, repo)| self.by_api(&repo)));
        Ok(reading)
    }

    fn read_releases(&self, repo: &str, document: &Document) -> Result<Reading, ReadError> {
        let releases = list(parse(document, PLATFORM)?, PLATFORM)?;
        let mut reading = Reading::default();
        for release in &releases {
            let maker = at(release, &["author"]).filter(|account| !self.github.is_bot(account)).and_then(author);
            match self.github.release_of(Some(repo), release, maker, None) {
                Told::Entry(entry) => reading.entries.push(*entry),
                Told::Unreadable => reading.skipped += 1,
                Told::Ask(_) | Told::Nothing => {}
            }
        }
        Ok(reading)
    }
}

/// Releases as their feed tells them: without numbers, so the address says which they are.
fn read_feed(repo: &str, document: &Document) -> Result<Reading, ReadError> {
    let mut reading = feed::read_feed(document)?;
    let short = short_name(repo);
    reading.entries.retain(|entry| {
        let tag = entry.link.as_deref().and_then(|link| link.rsplit_once("/tag/")).map_or("", |(_, tag)| tag);
        !is_moving(tag) && !entry.title.as_deref().is_some_and(is_moving)
    });
    for entry in &mut reading.entries {
        entry.title = Some(release_title(short, entry.title.as_deref()));
        entry.kind = Some(ActivityKind::Release);
        for maker in &mut entry.authors {
            maker.url.get_or_insert_with(|| format!("https://github.com/{}", maker.name));
        }
        entry.authors.retain(|maker| !maker.name.to_lowercase().ends_with("[bot]") && maker.name != "github-actions");
    }
    Ok(reading)
}

/// The repository that a list of releases was asked of.
fn repo_of(url: &str) -> Option<String> {
    let (_, rest) = url.rsplit_once("/repos/")?;
    let (repo, _) = rest.split_once("/releases")?;
    is_repo_name(repo).then(|| repo.to_owned())
}

impl Collector for GithubRepo {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources.iter().map(|(source, state)| ask_for(source, state, self.first(source))).collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let url = &ask.request.url;
        let reading = match repo_of(url) {
            Some(repo) => self.read_releases(&repo, document)?,
            None if ask.request.url.contains("/releases.atom") => {
                read_feed(ask.sources.first().map_or("", |source| source.locator.as_str()), document)?
            }
            None => self.read_repositories(ask, document)?,
        };
        Ok(for_source(ask, reading))
    }

    /// Releases are asked for with every poll: a list of repositories says nothing of them.
    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &std::collections::HashSet<String>) -> bool {
        request.url.contains("/releases")
            || told
                .filter(|entry| entry.kind == Some(ActivityKind::Repository))
                .filter_map(|entry| entry.platform_key.as_ref())
                .all(|key| !known.contains(key))
    }

    /// The list and the feed stand in for each other.
    fn refused(&self, ask: &Ask, status: u16, _body: &[u8]) -> Meaning {
        let Some(source) = ask.sources.first().filter(|source| source.kind == SourceKind::GithubRepo) else { return Meaning::AsItSays };
        if !matches!(status, 401 | 403 | 404) {
            return Meaning::AsItSays;
        }
        let other = if ask.request.url.contains("/releases.atom") { self.by_api(&source.locator) } else { Self::feed_of(source) };
        Meaning::Instead(vec![Ask { request: Request { validators: Validators::default(), ..other }, ..ask.clone() }])
    }

    fn fold(&self, reading: &mut Reading, _now: Timestamp) {
        one_release_a_day(&mut reading.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::SourceId;

    fn source(kind: SourceKind, locator: &str, url: &str) -> (Arc<Source>, SourceState) {
        let source =
            Source { id: SourceId(1), kind, locator: locator.into(), url: url.into(), owners: Vec::new(), paused: false, left: false };
        (Arc::new(source), SourceState::default())
    }

    fn collector() -> GithubRepo {
        GithubRepo::new(&Config::default().github)
    }

    fn told(reading: &Reading) -> Vec<(&str, &str, &str)> {
        let mut told = Vec::new();
        for entry in &reading.entries {
            let author = entry.authors.first().map_or("-", |author| author.name.as_str());
            told.push((entry.platform_key.as_deref().unwrap_or("-"), entry.title.as_deref().unwrap_or("-"), author));
        }
        told
    }

    fn read(ask: &Ask, text: &str) -> Result<Reading, ReadError> {
        let document = Document::of_bytes(ask.request.url.clone(), text, "2026-03-05T00:00:00Z".parse().unwrap());
        collector().read(ask, &document).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn an_organization_shows_new_repositories_and_is_asked_for_releases() {
        let ask = collector().plan(&[source(SourceKind::GithubOrg, "guildhall", "")]).remove(0);
        assert_eq!(ask.request.url, "https://api.github.com/orgs/guildhall/repos?sort=created&direction=desc&per_page=100");
        let reading = read(&ask, include_str!("../../fixtures/github/repositories.json")).unwrap();
        assert_eq!(told(&reading), [("gh:repo:700", "beeswax: Cleaner burning queues", "-")], "no fork, archive or template");
        assert_eq!(reading.skipped, 4);
        let next: Vec<&str> = reading.next.iter().map(|request| request.url.as_str()).collect();
        assert_eq!(
            next,
            [
                "https://api.github.com/repos/guildhall/beeswax/releases?per_page=30",
                "https://api.github.com/repos/guildhall/lamp/releases?per_page=30"
            ]
        );
        let known = std::collections::HashSet::from(["gh:repo:700".to_owned()]);
        assert!(collector().wants(&reading.next[0], &mut reading.entries.iter(), &known), "releases are asked for with every poll");
        assert_eq!(reading.account.unwrap().id, "500");
    }

    #[test]
    fn releases_are_those_that_people_can_have() {
        let (source, state) = source(SourceKind::GithubRepo, "guildhall/beeswax", "https://github.com/guildhall/beeswax");
        let ask = Ask { request: collector().by_api("guildhall/beeswax"), ..collector().plan(&[(source, state)]).remove(0) };
        let reading = read(&ask, include_str!("../../fixtures/github/releases.json")).unwrap();
        assert_eq!(
            told(&reading),
            [("gh:release:7300", "beeswax Slow burn", "tallowick"), ("gh:release:7299", "beeswax v3.0.1", "-")],
            "no draft, no pre-release, nothing made anew each night; a machine has no name"
        );
        assert_eq!(reading.entries[0].published.unwrap().to_string(), "2026-03-03T08:00:00Z", "not when its draft was begun");
        assert_eq!(reading.skipped, 2);
        assert!(read(&ask, "[]").unwrap().entries.is_empty());
        assert_eq!(read(&ask, "<!doctype html>").unwrap_err(), ReadError::Html);
        assert!(read(&ask, r#"{"message":"Not Found"}"#).is_err());
    }

    #[test]
    fn without_a_key_the_feed_is_read_and_either_stands_in_for_the_other() {
        let place = source(SourceKind::GithubRepo, "guildhall/beeswax", "https://github.com/guildhall/beeswax");
        let ask = collector().plan(std::slice::from_ref(&place)).remove(0);
        assert_eq!(ask.request.url, "https://github.com/guildhall/beeswax/releases.atom");
        let reading = read(&ask, include_str!("../../fixtures/github/releases.atom")).unwrap();
        assert_eq!(told(&reading), [("-", "beeswax Slow burn", "tallowick")]);
        let Meaning::Instead(other) = collector().refused(&ask, 404, b"") else { panic!() };
        assert_eq!(other[0].request.url, "https://api.github.com/repos/guildhall/beeswax/releases?per_page=30");
        let Meaning::Instead(back) = collector().refused(&other[0], 403, b"") else { panic!() };
        assert_eq!(back[0].request.url, ask.request.url);
        let own_server =
            crate::config::GithubConfig { api_url: "https://git.example.org/api/v3".parse().unwrap(), ..Config::default().github };
        let ask = GithubRepo::new(&own_server).plan(&[place]).remove(0);
        assert_eq!(ask.request.url, "https://git.example.org/api/v3/repos/guildhall/beeswax/releases?per_page=30");
    }
}
