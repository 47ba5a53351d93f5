//! GitHub users, by their public events.
//!
//! In: logins, pages of events and single pull requests, in the payloads of before and after October 2025. Out:
//! releases, new public repositories, and pull requests merged in repositories of others. Pushes, comments and stars are
//! no entries. What an event leaves out is unknown, never "no": a pull request whose outcome is not told is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::json::{address, at, list, markdown, number, parse, text, time, truth};
use super::{Collector, ask_for, for_source};
use crate::config::GithubConfig;
use crate::model::{ActivityKind, Ask, Auth, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceState};

const PLATFORM: &str = "GitHub";
/// Events are kept for 300 events or 30 days (PLATFORMS.md section 1, 3).
const MAX_EVENTS: usize = 300;
const MAX_PAGES: u32 = 10;
/// The most pull requests asked for singly in one reading; the rest comes with the next one.
const MAX_DETAILS: usize = 20;
/// Releases that a machine makes again and again under one name.
const MOVING_RELEASES: &[&str] = &["nightly", "latest", "snapshot", "canary"];

pub(super) struct Github {
    api_url: String,
    bots: Vec<String>,
    prereleases: bool,
}

impl Github {
    pub(super) fn new(config: &GithubConfig) -> Self {
        Self {
            api_url: config.api_url.as_str().to_owned(),
            bots: config.bots.iter().map(|bot| bot.to_lowercase()).collect(),
            prereleases: config.prereleases,
        }
    }

    fn request(&self, path: &str) -> Request {
        Request {
            accept: "application/vnd.github+json",
            headers: vec![("x-github-api-version", "2022-11-28".into())],
            auth: Auth::Github,
            ..Request::get(format!("{}/{path}", self.api_url))
        }
    }

    /// The next page, if it lies with the same service: the token goes nowhere else.
    fn next_page(&self, ask: &Ask, document: &Document, events: usize) -> Option<Request> {
        let next = Url::parse(document.next_page.as_deref()?).ok()?;
        let here = Url::parse(&self.api_url).ok()?;
        let read = events.saturating_mul(usize::try_from(ask.page).unwrap_or(usize::MAX));
        let more = events > 0 && read < MAX_EVENTS && ask.page < MAX_PAGES;
        (more && next.origin() == here.origin()).then(|| Request { url: next.to_string(), ..self.request("") })
    }

    fn is_bot(&self, account: &Value) -> bool {
        let Some(login) = text(account, &["login"]) else { return false };
        let login = login.to_lowercase();
        login.ends_with("[bot]") || text(account, &["type"]).as_deref() == Some("Bot") || self.bots.contains(&login)
    }

    fn read_events(&self, events: &[Value]) -> Reading {
        let mut reading = Reading::default();
        let mut by_key: HashMap<String, usize> = HashMap::new();
        for value in events {
            let Some(event) = Event::of(value) else {
                reading.skipped += 1;
                continue;
            };
            if truth(value, &["public"]) == Some(false) || event.actor.is_some_and(|actor| self.is_bot(actor)) {
                continue;
            }
            match self.read_event(&event) {
                Told::Entry(entry) => keep(&mut reading.entries, &mut by_key, *entry),
                Told::Ask(request) => {
                    if reading.next.len() < MAX_DETAILS && !reading.next.contains(&request) {
                        reading.next.push(*request);
                    }
                }
                Told::Nothing => {}
                Told::Unreadable => reading.skipped += 1,
            }
        }
        reading
    }

    fn read_event(&self, event: &Event<'_>) -> Told {
        let Some(payload) = event.payload else { return Told::Nothing };
        match event.name {
            "ReleaseEvent" => self.release(event, payload),
            "CreateEvent" if text(payload, &["ref_type"]).as_deref() == Some("repository") => repository(event, payload),
            "PublicEvent" => repository(event, payload),
            "PullRequestEvent" => self.pull_request(event, payload),
            _ => Told::Nothing,
        }
    }

    fn release(&self, event: &Event<'_>, payload: &Value) -> Told {
        // Older payloads leave the action out.
        if text(payload, &["action"]).is_some_and(|action| action != "published") {
            return Told::Nothing;
        }
        let Some(release) = at(payload, &["release"]) else { return Told::Nothing };
        let Some(id) = number(release, &["id"]) else { return Told::Unreadable };
        let tag = text(release, &["tag_name"]);
        let name = text(release, &["name"]).or_else(|| tag.clone());
        let hidden = truth(release, &["draft"]) == Some(true)
            || (truth(release, &["prerelease"]) == Some(true) && !self.prereleases)
            || [&tag, &name].into_iter().flatten().any(|name| is_moving(name));
        if hidden {
            return Told::Nothing;
        }
        let short = event.short_repo();
        let title = match &name {
            Some(name) if name.to_lowercase().contains(&short.to_lowercase()) => name.clone(),
            Some(name) => format!("{short} {name}"),
            None => short.to_owned(),
        };
        let link = address(release, &["html_url"])
            .or_else(|| Some(format!("https://github.com/{}/releases/tag/{}", event.repo?, tag.as_deref()?)));
        Told::entry(Entry {
            platform_key: Some(format!("gh:release:{id}")),
            link,
            title: Some(title),
            content: text_of(release, "body").and_then(markdown),
            authors: event.actor.and_then(author).into_iter().collect(),
            published: time(release, &["published_at"]).or_else(|| time(event.value, &["created_at"])),
            kind: Some(ActivityKind::Release),
            counts: Counts { likes: number(release, &["reactions", "total_count"]), ..Counts::default() },
            ..Entry::default()
        })
    }

    fn pull_request(&self, event: &Event<'_>, payload: &Value) -> Told {
        let action = text(payload, &["action"]);
        if !matches!(action.as_deref(), Some("closed" | "merged")) {
            return Told::Nothing;
        }
        let (Some(pull), Some(repo)) = (at(payload, &["pull_request"]), event.repo) else { return Told::Nothing };
        let login = event.actor.and_then(|actor| text(actor, &["login"]));
        if login.as_deref().is_some_and(|login| owner_of(repo).eq_ignore_ascii_case(login)) {
            return Told::Nothing;
        }
        let Some(id) = number(pull, &["id"]) else { return Told::Unreadable };
        // Payloads since October 2025 say neither whether it was merged, nor what it was, nor by whom.
        let whole = at(pull, &["title"]).is_some() && (truth(pull, &["merged"]).is_some() || at(pull, &["merged_at"]).is_some());
        if whole {
            let same_person = match (number(pull, &["user", "id"]), event.actor.and_then(|actor| number(actor, &["id"]))) {
                (Some(author), Some(actor)) => author == actor,
                _ => true,
            };
            return if same_person { self.merged(pull, repo) } else { Told::Nothing };
        }
        if action.as_deref() == Some("closed") && truth(pull, &["merged"]) == Some(false) {
            return Told::Nothing;
        }
        let Some(number) = number(pull, &["number"]).or_else(|| number(payload, &["number"])) else { return Told::Unreadable };
        let request = self.request(&format!("repos/{repo}/pulls/{number}"));
        Told::Ask(Box::new(Request { about: Some(pull_key(id)), ..request }))
    }

    /// A pull request told whole, if it was merged and a person made it.
    fn merged(&self, pull: &Value, repo: &str) -> Told {
        let merged_at = time(pull, &["merged_at"]);
        if truth(pull, &["merged"]) == Some(false) || (truth(pull, &["merged"]).is_none() && merged_at.is_none()) {
            return Told::Nothing;
        }
        let maker = at(pull, &["user"]);
        if maker.is_some_and(|maker| self.is_bot(maker)) {
            return Told::Nothing;
        }
        let Some(id) = number(pull, &["id"]) else { return Told::Unreadable };
        let link = address(pull, &["html_url"]).or_else(|| Some(format!("https://github.com/{repo}/pull/{}", number(pull, &["number"])?)));
        Told::entry(Entry {
            platform_key: Some(pull_key(id)),
            link,
            title: text(pull, &["title"]),
            content: text_of(pull, "body").and_then(markdown),
            authors: maker.and_then(author).into_iter().collect(),
            published: merged_at,
            categories: Vec::new(),
            kind: Some(ActivityKind::Contribution),
            counts: Counts {
                stars: number(pull, &["base", "repo", "stargazers_count"]),
                comments: number(pull, &["comments"]),
                ..Counts::default()
            },
            ..Entry::default()
        })
    }

    fn read_pull(&self, ask: &Ask, pull: &Value) -> Reading {
        let mut reading = Reading::default();
        let repo = text(pull, &["base", "repo", "full_name"]).or_else(|| repo_of_pull_url(&ask.request.url)).unwrap_or_default();
        // The event was the source's; the pull request may still be somebody else's, merged by the builder.
        let maker = text(pull, &["user", "login"]);
        let own = ask.sources.first().is_none_or(|source| maker.is_none_or(|maker| maker.eq_ignore_ascii_case(&source.locator)));
        match self.merged(pull, &repo) {
            Told::Entry(entry) if own => reading.entries.push(*entry),
            Told::Unreadable => reading.skipped += 1,
            _ => {}
        }
        reading
    }
}

impl Collector for Github {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        sources
            .iter()
            .map(|(source, state)| ask_for(source, state, self.request(&format!("users/{}/events/public?per_page=100", source.locator))))
            .collect()
    }

    fn count(&self, _source: &Arc<Source>, entry: &Entry) -> Option<Request> {
        let key = entry.platform_key.as_deref()?;
        let (what, id) = key.strip_prefix("gh:")?.split_once(':')?;
        let id: u64 = id.parse().ok()?;
        let url = Url::parse(entry.link.as_deref()?).ok()?;
        let path: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
        let repo = path.get(..2).map(|parts| parts.join("/")).filter(|repo| is_repo_name(repo))?;
        let place = match what {
            "release" => format!("repos/{repo}/releases/{id}"),
            "repo" => format!("repos/{repo}"),
            "pr" => format!("repos/{repo}/pulls/{}", path.get(3)?.parse::<u64>().ok()?),
            _ => return None,
        };
        Some(Request { about: Some(key.to_owned()), ..self.request(&place) })
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let value = parse(document, PLATFORM)?;
        match ask.request.about.as_deref() {
            Some(key) if key.starts_with("gh:pr:") => return Ok(for_source(ask, self.read_pull(ask, &value))),
            Some(key) => return Ok(for_source(ask, read_counts(key, &value))),
            None => {}
        }
        let events = list(value, PLATFORM)?;
        let mut reading = self.read_events(&events);
        reading.next.extend(self.next_page(ask, document, events.len()));
        Ok(for_source(ask, reading))
    }
}

/// The counts of a release or a repository, asked for by its key; nothing if the answer is about another.
fn read_counts(key: &str, value: &Value) -> Reading {
    let what = key.trim_start_matches("gh:").split(':').next().unwrap_or_default();
    let Some(id) = number(value, &["id"]).filter(|id| key == format!("gh:{what}:{id}")) else {
        return Reading { skipped: 1, ..Reading::default() };
    };
    let counts = match what {
        // A release without reactions leaves them out.
        "release" => Counts { likes: number(value, &["reactions", "total_count"]).or(Some(0)), ..Counts::default() },
        _ => Counts { stars: number(value, &["stargazers_count"]), ..Counts::default() },
    };
    let entry = Entry { platform_key: Some(format!("gh:{what}:{id}")), counts, ..Entry::default() };
    Reading { entries: vec![entry], ..Reading::default() }
}

/// What one event comes to.
enum Told {
    Entry(Box<Entry>),
    /// The event leaves out what matters; this request tells it.
    Ask(Box<Request>),
    /// Nothing that is kept.
    Nothing,
    /// It should be kept, but lacks its id.
    Unreadable,
}

impl Told {
    fn entry(entry: Entry) -> Self {
        Self::Entry(Box::new(entry))
    }
}

/// The parts of an event, as far as they are there.
struct Event<'a> {
    value: &'a Value,
    name: &'a str,
    /// `None` where the account is gone.
    actor: Option<&'a Value>,
    /// `owner/name`, made of nothing but what GitHub allows in it.
    repo: Option<&'a str>,
    repo_id: Option<u64>,
    payload: Option<&'a Value>,
}

impl<'a> Event<'a> {
    /// `None` where it is no event at all.
    fn of(value: &'a Value) -> Option<Self> {
        let name = at(value, &["type"])?.as_str()?;
        let actor = at(value, &["actor"]).filter(|actor| text(actor, &["login"]).is_some_and(|login| !is_ghost(&login)));
        let repo = at(value, &["repo", "name"]).and_then(Value::as_str).filter(|name| is_repo_name(name));
        Some(Self { value, name, actor, repo, repo_id: number(value, &["repo", "id"]), payload: at(value, &["payload"]) })
    }

    /// The name of the repository without its owner.
    fn short_repo(&self) -> &'a str {
        self.repo.and_then(|repo| repo.split_once('/')).map_or("", |(_, name)| name)
    }
}

/// A new public repository: created so, or made public later. Both are told under one key.
fn repository(event: &Event<'_>, payload: &Value) -> Told {
    let Some(repo) = event.repo else { return Told::Unreadable };
    let Some(id) = event.repo_id else { return Told::Unreadable };
    let short = event.short_repo();
    // A repository named like its owner is the profile page.
    if owner_of(repo).eq_ignore_ascii_case(short) {
        return Told::Nothing;
    }
    let description = text(payload, &["description"]);
    Told::entry(Entry {
        platform_key: Some(format!("gh:repo:{id}")),
        link: Some(format!("https://github.com/{repo}")),
        title: Some(description.as_ref().map_or_else(|| short.to_owned(), |description| format!("{short}: {description}"))),
        summary: description,
        authors: event.actor.and_then(author).into_iter().collect(),
        published: time(event.value, &["created_at"]),
        kind: Some(ActivityKind::Repository),
        ..Entry::default()
    })
}

/// Adds an entry; of two events under one key the earlier date counts, and the one that says more.
fn keep(entries: &mut Vec<Entry>, by_key: &mut HashMap<String, usize>, entry: Entry) {
    let Some(key) = entry.platform_key.clone() else { return };
    let Some(before) = by_key.get(&key).and_then(|index| entries.get_mut(*index)) else {
        by_key.insert(key, entries.len());
        entries.push(entry);
        return;
    };
    let published = [before.published, entry.published].into_iter().flatten().min();
    if before.summary.is_none() && entry.summary.is_some() {
        *before = entry;
    }
    before.published = published;
}

fn author(account: &Value) -> Option<Author> {
    let login = text(account, &["login"]).filter(|login| !is_ghost(login))?;
    Some(Author { url: Some(format!("https://github.com/{login}")), id: number(account, &["id"]).map(|id| id.to_string()), name: login })
}

/// The account that stands in for those that were deleted.
fn is_ghost(login: &str) -> bool {
    login.eq_ignore_ascii_case("ghost")
}

fn owner_of(repo: &str) -> &str {
    repo.split_once('/').map_or(repo, |(owner, _)| owner)
}

/// `owner/name` of what GitHub allows: letters, digits, `-`, `_`, `.`.
fn is_repo_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !matches!(part, "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    name.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

fn repo_of_pull_url(url: &str) -> Option<String> {
    let (_, rest) = url.rsplit_once("/repos/")?;
    let (repo, _) = rest.rsplit_once("/pulls/")?;
    is_repo_name(repo).then(|| repo.to_owned())
}

fn pull_key(id: u64) -> String {
    format!("gh:pr:{id}")
}

fn text_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    at(value, &[key])?.as_str()
}

/// Whether a release's name says that it is made anew all the time.
fn is_moving(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_alphanumeric()).any(|word| MOVING_RELEASES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{SourceId, SourceKind};

    const NEWER: &str = include_str!("../../fixtures/github/events.json");
    const OLDER: &str = include_str!("../../fixtures/github/events-with-details.json");
    const PULL: &str = include_str!("../../fixtures/github/pull.json");

    fn github() -> Github {
        Github::new(&Config::default().github)
    }

    fn source() -> Arc<Source> {
        Arc::new(Source {
            id: SourceId(4),
            kind: SourceKind::GithubUser,
            locator: "tallowick".into(),
            url: String::new(),
            owners: Vec::new(),
            paused: false,
            left: false,
        })
    }

    fn read(text: &str) -> Reading {
        read_with(&github(), text, None)
    }

    fn read_with(github: &Github, text: &str, next_page: Option<&str>) -> Reading {
        let ask = github.plan(&[(source(), SourceState::default())]).remove(0);
        let mut document = Document::of_bytes(ask.request.url.clone(), text, "2026-03-05T00:00:00Z".parse().unwrap());
        document.next_page = next_page.map(str::to_owned);
        github.read(&ask, &document).unwrap().remove(0)
    }

    fn told(reading: &Reading) -> Vec<(&str, &str)> {
        reading.entries.iter().map(|entry| (entry.platform_key.as_deref().unwrap(), entry.title.as_deref().unwrap())).collect()
    }

    #[test]
    fn slim_events_give_what_they_hold_and_ask_for_the_rest() {
        let reading = read(NEWER);
        assert_eq!(
            told(&reading),
            [
                ("gh:release:7100", "wick-trimmer v1.4.0: steadier flame"),
                ("gh:repo:620", "snuffer: Puts out idle instances"),
                ("gh:repo:621", "taper"),
                ("gh:release:7090", "lamp-post 2.0"),
            ]
        );
        let asked: Vec<_> = reading.next.iter().map(|request| (request.url.as_str(), request.about.as_deref().unwrap())).collect();
        assert_eq!(
            asked,
            [
                ("https://api.github.com/repos/guildhall/sconce/pulls/12", "gh:pr:9012"),
                ("https://api.github.com/repos/guildhall/sconce/pulls/9", "gh:pr:9009"),
            ],
            "an outcome that is not told is asked for; pull requests in one's own repositories are not"
        );
        assert!(reading.next.iter().all(|request| request.auth == Auth::Github));
        assert_eq!(reading.skipped, 2, "a null and a release without id cost nobody else");
    }

    #[test]
    fn events_of_deleted_accounts_are_kept_without_a_person() {
        let reading = read(NEWER);
        assert!(
            reading.entries.iter().filter(|entry| entry.authors.is_empty()).map(|e| e.platform_key.as_deref().unwrap()).eq(["gh:repo:621"])
        );
    }

    #[test]
    fn fuller_events_of_older_servers_need_no_second_question() {
        let reading = read(OLDER);
        assert_eq!(
            told(&reading),
            [("gh:pr:8041", "Trim the wick before lighting")],
            "not the unmerged one, not the one that was merged for another"
        );
        assert!(reading.next.is_empty());
        let entry = &reading.entries[0];
        assert_eq!(entry.published.unwrap().to_string(), "2025-02-03T09:00:00Z");
        assert_eq!(entry.counts.stars, Some(210));
    }

    #[test]
    fn a_pull_request_asked_for_is_read_if_it_was_merged_and_is_the_builders() {
        let github = github();
        let ask = |locator: &str| {
            let source = Arc::new(Source { locator: locator.into(), ..(*source()).clone() });
            let request = Request { about: Some("gh:pr:9012".into()), ..github.request("repos/guildhall/sconce/pulls/12") };
            Ask { kind: SourceKind::GithubUser, request, sources: vec![source], page: 2 }
        };
        let read = |locator: &str, text: &str| {
            let ask = ask(locator);
            let document = Document::of_bytes(ask.request.url.clone(), text, "2026-03-05T00:00:00Z".parse().unwrap());
            github.read(&ask, &document).unwrap().remove(0)
        };
        let reading = read("Tallowick", PULL);
        assert_eq!(told(&reading), [("gh:pr:9012", "Hang the sconce level")]);
        assert_eq!(reading.entries[0].link.as_deref(), Some("https://github.com/guildhall/sconce/pull/12"));
        assert!(read("guildmaster", PULL).entries.is_empty(), "merged for somebody else");
        assert!(read("tallowick", &PULL.replace("\"merged\": true", "\"merged\": false")).entries.is_empty());
    }

    #[test]
    fn counts_are_asked_where_the_piece_is_and_read_only_of_that_piece() {
        let github = github();
        let entry = |key: &str, link: &str| Entry { platform_key: Some(key.into()), link: Some(link.into()), ..Entry::default() };
        for (key, link, wanted) in [
            ("gh:release:7", "https://github.com/ada/lamp/releases/tag/v1", Some("repos/ada/lamp/releases/7")),
            ("gh:repo:8", "https://github.com/ada/lamp", Some("repos/ada/lamp")),
            ("gh:pr:9", "https://github.com/ada/lamp/pull/12", Some("repos/ada/lamp/pulls/12")),
            ("gh:pr:9", "https://github.com/ada/lamp", None),
            ("gh:release:x", "https://github.com/ada/lamp", None),
            ("gh:repo:8", "https://github.com/ada", None),
            ("gh:repo:8", "https://github.com/ada/..%2F..%2Fuser", None),
        ] {
            let url = github.count(&source(), &entry(key, link)).map(|request| request.url);
            assert_eq!(url, wanted.map(|path| format!("https://api.github.com/{path}")), "{key} {link}");
        }
        let counts = |key: &str, text: &str| {
            let link = "https://github.com/ada/lamp/releases/tag/v1";
            let request = github.count(&source(), &entry(key, link)).unwrap();
            let ask = Ask { kind: SourceKind::GithubUser, request, sources: vec![source()], page: 1 };
            let document = Document::of_bytes(ask.request.url.clone(), text, jiff::Timestamp::UNIX_EPOCH);
            github.read(&ask, &document).unwrap().remove(0).entries.first().map(|entry| entry.counts)
        };
        assert_eq!(counts("gh:release:7", r#"{"id":7,"reactions":{"total_count":4}}"#).unwrap().likes, Some(4));
        assert_eq!(counts("gh:release:7", r#"{"id":7}"#).unwrap().likes, Some(0));
        assert_eq!(counts("gh:repo:8", r#"{"id":8,"stargazers_count":31}"#).unwrap().stars, Some(31));
        assert_eq!(counts("gh:repo:8", r#"{"id":9,"stargazers_count":31}"#), None, "the name went to another repository");
    }

    #[test]
    fn automation_is_told_by_its_suffix_or_by_the_list_and_by_nothing_else() {
        let github = github();
        for (login, bot) in
            [("lantern-ci[bot]", true), ("renovate-bot", true), ("Renovate-Bot", true), ("robotina", false), ("abbott", false)]
        {
            assert_eq!(github.is_bot(&serde_json::json!({ "login": login })), bot, "{login}");
        }
        assert!(github.is_bot(&serde_json::json!({ "login": "lampkeeper", "type": "Bot" })));
    }

    #[test]
    fn more_pages_are_asked_only_of_the_same_service_and_only_as_far_as_it_keeps_events() {
        let github = github();
        let page = |url| read_with(&github, NEWER, Some(url)).next.iter().any(|request| request.about.is_none());
        assert!(page("https://api.github.com/user/1/events/public?per_page=100&page=2"));
        assert!(!page("https://elsewhere.example.org/events?page=2"), "the token goes nowhere else");
        assert!(!read(NEWER).next.iter().any(|request| request.about.is_none()));
    }

    #[test]
    fn a_message_in_place_of_the_list_is_passed_on() {
        let document = Document::of_bytes("https://api.github.com/x", r#"{"message":"Not so fast"}"#, jiff::Timestamp::UNIX_EPOCH);
        let ask = github().plan(&[(source(), SourceState::default())]).remove(0);
        let error = github().read(&ask, &document).unwrap_err();
        assert_eq!(error.to_string(), "the answer of GitHub has an unknown shape: Not so fast");
    }

    #[test]
    fn releases_made_anew_every_night_are_no_news() {
        for (name, moving) in
            [("nightly", true), ("v2-Nightly-build", true), ("canary.5", true), ("v1.0 latestware", false), ("2026.1", false)]
        {
            assert_eq!(is_moving(name), moving, "{name}");
        }
    }
}
