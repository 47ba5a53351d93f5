//! GitHub users, by their public events.
//!
//! In: logins, pages of events and single pull requests, in the payloads of before and after October 2025. Out:
//! releases, new public repositories, pull requests merged in repositories of others, and pushes, folded to one entry a
//! repository and UTC day once that day is over. Comments and stars are no entries. What an event leaves out is unknown,
//! never "no": a pull request whose outcome is not told is asked for. The number of an account decides whose list it is,
//! whatever its login is now. Searching for what others merged is `github_search`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use jiff::{SignedDuration, Timestamp};

use super::json::{address, at, list, markdown, number, parse, text, time, truth};
use super::{Collector, Meaning, ask_for, for_source, github_search};
use crate::config::{GithubConfig, Period};
use crate::model::{
    Account, ActivityKind, Ask, Auth, Author, Counts, Document, Entry, ReadError, Reading, Repair, Request, Source, SourceState,
};

pub(super) const PLATFORM: &str = "GitHub";
/// Events are kept for 300 events or 30 days (PLATFORMS.md section 1, 3).
const MAX_EVENTS: usize = 300;
const MAX_PAGES: u32 = 10;
/// The most pull requests asked for singly in one reading; the rest comes with the next one.
const MAX_DETAILS: usize = 20;
/// Releases that a machine makes again and again under one name.
const MOVING_RELEASES: &[&str] = &["nightly", "latest", "snapshot", "canary"];

/// What a fresh branch comes after.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// Of one repository and person, one release is news in this time: a tag that moves is published anew each time.
const ONE_RELEASE: SignedDuration = SignedDuration::from_hours(24);

pub(super) struct Github {
    pub(super) api_url: String,
    bots: Vec<String>,
    prereleases: bool,
    /// Whether there is a token, which GraphQL asks for.
    pub(super) has_token: bool,
    pub(super) batch: usize,
    /// The least gap between two searches for one member.
    pub(super) search_every: SignedDuration,
}

impl Github {
    pub(super) fn new(config: &GithubConfig) -> Self {
        Self {
            api_url: config.api_url.as_str().to_owned(),
            bots: config.bots.iter().map(|bot| bot.to_lowercase()).collect(),
            prereleases: config.prereleases,
            has_token: config.token_file.is_some(),
            batch: usize::try_from(config.batch).unwrap_or(1),
            search_every: SignedDuration::from_hours(12),
        }
    }

    /// The same, with that gap between two searches.
    pub(super) fn searching_every(mut self, gap: Period) -> Self {
        self.search_every = SignedDuration::try_from(gap.0).unwrap_or(SignedDuration::MAX);
        self
    }

    pub(super) fn request(&self, path: &str) -> Request {
        Request {
            accept: "application/vnd.github+json",
            headers: vec![("x-github-api-version", "2022-11-28".into())],
            auth: Auth::Github,
            ..Request::get(format!("{}/{path}", self.api_url))
        }
    }

    /// The next page, if it lies with the same service: the token goes nowhere else.
    pub(super) fn next_page(&self, ask: &Ask, document: &Document, events: usize) -> Option<Request> {
        let next = Url::parse(document.next_page.as_deref()?).ok()?;
        let here = Url::parse(&self.api_url).ok()?;
        let read = events.saturating_mul(usize::try_from(ask.page).unwrap_or(usize::MAX));
        let more = events > 0 && read < MAX_EVENTS && ask.page < MAX_PAGES;
        (more && next.origin() == here.origin()).then(|| Request {
            url: next.to_string(),
            account: ask.request.account.clone(),
            after: ask.request.after,
            ..self.request("")
        })
    }

    fn events_of(&self, path: &str, ask: &Ask) -> Request {
        let request = self.request(&format!("{path}/events/public?per_page=100"));
        Request { account: ask.request.account.clone(), after: ask.request.after, ..request }
    }

    pub(super) fn is_bot(&self, account: &Value) -> bool {
        let Some(login) = text(account, &["login"]) else { return false };
        let login = login.to_lowercase();
        login.ends_with("[bot]") || text(account, &["type"]).as_deref() == Some("Bot") || self.bots.contains(&login)
    }

    /// Whether the list is of somebody who took over the login: its account has another number than the builder's.
    fn is_of_another(ask: &Ask, events: &[Value]) -> bool {
        let Some(account) = ask.request.account.as_deref() else { return false };
        let mut own = false;
        let mut other = false;
        for event in events {
            let Some(id) = number(event, &["actor", "id"]) else { continue };
            let login = text(event, &["actor", "login"]).unwrap_or_default();
            own |= id.to_string() == account;
            other |= id.to_string() != account && login_asked(&ask.request.url).is_some_and(|asked| asked.eq_ignore_ascii_case(&login));
        }
        other && !own
    }

    fn read_list(&self, ask: &Ask, document: &Document, events: &[Value]) -> Reading {
        if Self::is_of_another(ask, events) {
            let id = ask.request.account.clone().unwrap_or_default();
            return Reading {
                next: vec![self.events_of(&format!("user/{id}"), ask)],
                repairs: vec![Repair("the login belongs to another account now: the old one is followed by its number".into())],
                incomplete: true,
                ..Reading::default()
            };
        }
        let mut reading = self.read_events(events);
        // Of a day that is not over nothing is told yet.
        let today = format!(":{}", day_of(document.received_at));
        reading.next.retain(|request| !(request.of_pushes && request.about.as_deref().is_some_and(|about| about.ends_with(&today))));
        reading.account = account_of(ask, events);
        let times = || events.iter().filter_map(|event| time(event, &["created_at"]));
        reading.reached = times().max();
        let oldest = times().min();
        let met = ask.request.after.is_none_or(|after| oldest.is_none_or(|oldest| oldest <= after));
        let next = self.next_page(ask, document, events.len());
        match next {
            Some(next) if ask.request.after.is_none() || !met => reading.next.push(next),
            None if !met && events.len().saturating_mul(usize::try_from(ask.page).unwrap_or(1)) >= MAX_EVENTS => {
                reading.repairs.push(Repair("more happened than the list reaches back to: what is told is the least".into()));
            }
            _ => {}
        }
        reading
    }

    fn read_events(&self, events: &[Value]) -> Reading {
        let branches = default_branches(events);
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
            if event.name == "PushEvent" {
                self.push(&event, &branches, &mut reading);
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
        let author = event.actor.and_then(author);
        self.release_of(event.repo, release, author, time(event.value, &["created_at"]))
    }

    /// A release as the releases of a repository and events of users tell it.
    pub(super) fn release_of(&self, repo: Option<&str>, release: &Value, author: Option<Author>, seen_at: Option<Timestamp>) -> Told {
        let Some(id) = number(release, &["id"]) else { return Told::Unreadable };
        let tag = text(release, &["tag_name"]);
        let name = text(release, &["name"]).or_else(|| tag.clone());
        let hidden = truth(release, &["draft"]) == Some(true)
            || (truth(release, &["prerelease"]) == Some(true) && !self.prereleases)
            || [&tag, &name].into_iter().flatten().any(|name| is_moving(name));
        if hidden {
            return Told::Nothing;
        }
        let short = short_name(repo.unwrap_or_default());
        let title = release_title(short, name.as_deref());
        let link =
            address(release, &["html_url"]).or_else(|| Some(format!("https://github.com/{}/releases/tag/{}", repo?, tag.as_deref()?)));
        Told::entry(Entry {
            platform_key: Some(format!("gh:release:{id}")),
            link,
            title: Some(title),
            content: text_of(release, "body").and_then(markdown),
            authors: author.into_iter().collect(),
            // When it was published counts, not when its draft was begun.
            published: time(release, &["published_at"]).or(seen_at).or_else(|| time(release, &["created_at"])),
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
        let account = event.actor.and_then(|actor| number_of(actor, "id")).map(|id| id.to_string());
        Told::Ask(Box::new(Request { account, about: Some(pull_key(id)), ..request }))
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
        let own = match (ask.request.account.as_deref(), number(pull, &["user", "id"])) {
            (Some(account), Some(id)) => id.to_string() == account,
            _ => ask.sources.first().is_none_or(|source| maker.is_none_or(|maker| maker.eq_ignore_ascii_case(&source.locator))),
        };
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
            .map(|(source, state)| {
                let login = state.account.as_ref().map_or(source.locator.as_str(), |account| account.name.as_str());
                ask_for(source, state, self.request(&format!("users/{login}/events/public?per_page=100")))
            })
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

    fn sweep(&self, sources: &[(Arc<Source>, SourceState)], is_wish: bool, now: Timestamp) -> Vec<Ask> {
        github_search::plan(self, sources, is_wish, now)
    }

    fn part(&self, ask: &Ask, document: &Document, source: &Source) -> Option<Vec<u8>> {
        github_search::part(ask, document, source)
    }

    fn refused(&self, ask: &Ask, status: u16, body: &[u8]) -> Meaning {
        if github_search::is_search(&ask.request.url) {
            return github_search::refused(self, ask, status, body);
        }
        if status != 404 && !(status == 403 && self.has_token) {
            return Meaning::AsItSays;
        }
        let again = |request: Request| Meaning::Instead(vec![Ask { request, ..ask.clone() }]);
        let is_list = ask.request.about.is_none();
        if let Some(id) = ask.request.account.as_deref().filter(|_| status == 404 && is_list) {
            let url = &ask.request.url;
            if login_asked(url).is_some() {
                // Renamed: the number still names the account.
                return again(self.events_of(&format!("user/{id}"), ask));
            }
            if url.contains("/user/") && url.contains("/events/") {
                let request = self.request(&format!("user/{id}"));
                return again(Request { account: Some(id.to_owned()), after: ask.request.after, ..request });
            }
        }
        // Some organizations refuse tokens even for what everybody may see.
        if self.has_token && ask.request.auth == Auth::Github && !is_list {
            return again(Request { auth: Auth::None, ..ask.request.clone() });
        }
        Meaning::AsItSays
    }

    fn fold(&self, reading: &mut Reading, now: Timestamp) {
        fold_pushes(reading, now);
        one_release_a_day(&mut reading.entries);
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        if github_search::is_search(&ask.request.url) {
            return github_search::read(self, ask, document);
        }
        let value = parse(document, PLATFORM)?;
        if ask.request.of_pushes {
            return Ok(for_source(ask, read_comparison(ask, &value)));
        }
        match ask.request.about.as_deref() {
            Some(key) if key.starts_with("gh:pr:") => return Ok(for_source(ask, self.read_pull(ask, &value))),
            Some(key) => return Ok(for_source(ask, read_counts(key, &value))),
            None => {}
        }
        // The account itself, asked for by its number: it tells its present login.
        if let (Some(login), Some(id), true) = (text(&value, &["login"]), number(&value, &["id"]), value.is_object()) {
            let next = self.events_of(&format!("users/{login}"), ask);
            let account = Account { id: id.to_string(), url: format!("https://github.com/{login}"), name: login };
            return Ok(for_source(ask, Reading { account: Some(account), next: vec![next], incomplete: true, ..Reading::default() }));
        }
        let events = list(value, PLATFORM)?;
        Ok(for_source(ask, self.read_list(ask, document, &events)))
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
pub(super) enum Told {
    Entry(Box<Entry>),
    /// The event leaves out what matters; this request tells it.
    Ask(Box<Request>),
    /// Nothing that is kept.
    Nothing,
    /// It should be kept, but lacks its id.
    Unreadable,
}

impl Told {
    pub(super) fn entry(entry: Entry) -> Self {
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
        self.repo.map_or("", short_name)
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

fn number_of(value: &Value, key: &str) -> Option<u64> {
    number(value, &[key])
}

/// The name of a repository without its owner.
pub(super) fn short_name(repo: &str) -> &str {
    repo.split_once('/').map_or("", |(_, name)| name)
}

/// A release's title, which names its repository.
pub(super) fn release_title(short: &str, name: Option<&str>) -> String {
    match name {
        Some(name) if name.to_lowercase().contains(&short.to_lowercase()) => name.to_owned(),
        Some(name) => format!("{short} {name}"),
        None => short.to_owned(),
    }
}

/// The login that a list of events was asked by; `None` where it was asked by number.
fn login_asked(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/users/")?;
    rest.split_once("/events").map(|(login, _)| login)
}

/// The account that a list is of: it is known by number, or by the login that was asked for.
fn account_of(ask: &Ask, events: &[Value]) -> Option<Account> {
    events.iter().find_map(|event| {
        let (id, login) = (number(event, &["actor", "id"])?.to_string(), text(event, &["actor", "login"])?);
        let own = match ask.request.account.as_deref() {
            Some(account) => account == id,
            None => login_asked(&ask.request.url).is_some_and(|asked| asked.eq_ignore_ascii_case(&login)),
        };
        own.then(|| Account { id, url: format!("https://github.com/{login}"), name: login.to_ascii_lowercase() })
    })
}

/// Repositories whose default branch an event tells.
fn default_branches(events: &[Value]) -> HashMap<u64, String> {
    let told = events.iter().filter_map(|event| Some((number(event, &["repo", "id"])?, text(event, &["payload", "master_branch"])?)));
    told.collect()
}

impl Github {
    /// A push to the default branch, as a part of its day. Which commits it brought is asked for where the event says
    /// only from where to where.
    fn push(&self, event: &Event<'_>, branches: &HashMap<u64, String>, reading: &mut Reading) {
        let (Some(payload), Some(actor), Some(repo), Some(repo_id)) = (event.payload, event.actor, event.repo, event.repo_id) else {
            return;
        };
        let Some(branch) = text(payload, &["ref"]).and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned)) else { return };
        let is_default = branches.get(&repo_id).map_or(matches!(branch.as_str(), "main" | "master"), |default| *default == branch);
        // A repository named like its owner is the profile page.
        if !is_default || owner_of(repo).eq_ignore_ascii_case(event.short_repo()) {
            return;
        }
        let (Some(actor_id), Some(at)) = (number(actor, &["id"]), time(event.value, &["created_at"])) else {
            reading.skipped += 1;
            return;
        };
        let Some(author) = author(actor) else { return };
        let key = format!("gh:push:{actor_id}:{repo_id}:{}", day_of(at));
        let head = text(payload, &["head"]).filter(|sha| is_sha(sha));
        let before = text(payload, &["before"]).filter(|sha| is_sha(sha) && sha != NO_COMMIT);
        let push = head.clone().or_else(|| number(payload, &["push_id"]).map(|id| id.to_string())).unwrap_or_default();
        let mut parts = vec![format!("?{push}")];
        if let Some(commits) = self::at(payload, &["commits"]).and_then(Value::as_array) {
            // Older payloads list them, at most twenty.
            let whole = number(payload, &["size"]).is_none_or(|size| size <= commits.len() as u64);
            if whole {
                parts.push(format!("!{push}"));
            }
            let own = commits
                .iter()
                .filter(|commit| truth(commit, &["distinct"]) != Some(false) && is_own_commit(commit, actor_id, &author.name));
            parts.extend(own.filter_map(|commit| text(commit, &["sha"])).map(|sha| format!("~{push}:{sha}")));
        }
        if let (Some(head), Some(before)) = (head, before)
            && reading.next.len() < MAX_DETAILS
        {
            let request = self.request(&format!("repos/{repo}/compare/{before}...{head}"));
            let request = Request { about: Some(key.clone()), account: Some(actor_id.to_string()), of_pushes: true, ..request };
            if !reading.next.contains(&request) {
                reading.next.push(request);
            }
        }
        reading.entries.push(Entry {
            platform_key: Some(key),
            link: Some(format!("https://github.com/{repo}/commits/{branch}?author={}", author.name)),
            title: Some(format!("Pushed to {branch} of {}", event.short_repo())),
            authors: vec![author],
            published: Some(at),
            kind: Some(ActivityKind::Code),
            parts,
            ..Entry::default()
        });
    }
}

/// The builder's own commits in a range: each has its hash, merges bring nothing of their own.
fn read_comparison(ask: &Ask, value: &Value) -> Reading {
    let head = ask.request.url.rsplit_once("...").map_or("", |(_, head)| head);
    let account = ask.request.account.as_deref().and_then(|id| id.parse().ok()).unwrap_or(0);
    let Some(commits) = at(value, &["commits"]).and_then(Value::as_array) else { return Reading::default() };
    let mut parts = vec![format!("={head}")];
    parts.extend(commits.iter().filter(|commit| is_own_commit(commit, account, "")).filter_map(|commit| text(commit, &["sha"])));
    let entry = Entry { platform_key: ask.request.about.clone(), kind: Some(ActivityKind::Code), parts, ..Entry::default() };
    Reading { entries: vec![entry], ..Reading::default() }
}

/// Whether a commit is by that account and no merge. An author without an account is taken to be the one who pushed.
fn is_own_commit(commit: &Value, account: u64, login: &str) -> bool {
    let merge = at(commit, &["parents"]).and_then(Value::as_array).is_some_and(|parents| parents.len() > 1)
        || text(commit, &["message"])
            .or_else(|| text(commit, &["commit", "message"]))
            .is_some_and(|message| message.starts_with("Merge pull request") || message.starts_with("Merge branch"));
    let own = match (number(commit, &["author", "id"]), text(commit, &["author", "login"])) {
        (Some(id), _) => id == account,
        (None, Some(author)) if !login.is_empty() => author.eq_ignore_ascii_case(login),
        _ => true,
    };
    own && !merge
}

fn is_sha(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The UTC day, as keys spell it.
pub(super) fn day_of(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// Folds pushes to one entry a repository and UTC day. A day that is not over yet is left for later: what was told of it
/// would change with every push. Marks among the parts: `?` a push, `=` one whose commits are known, `!` and `~` what an
/// event itself listed.
pub(super) fn fold_pushes(reading: &mut Reading, now: Timestamp) {
    let today = day_of(now);
    let (pushes, mut entries): (Vec<Entry>, Vec<Entry>) =
        std::mem::take(&mut reading.entries).into_iter().partition(|entry| entry.kind == Some(ActivityKind::Code));
    let mut days: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for push in pushes {
        let Some(key) = push.platform_key.clone() else { continue };
        days.entry(key).or_default().push(push);
    }
    for (key, told) in days {
        let parts: BTreeSet<&str> = told.iter().flat_map(|push| &push.parts).map(String::as_str).collect();
        let Some(shown) = told.iter().filter(|push| push.title.is_some()).max_by_key(|push| push.published) else { continue };
        if key.ends_with(&today) {
            reading.open_day = true;
            continue;
        }
        let heads: Vec<&str> = parts.iter().filter_map(|part| part.strip_prefix('?')).collect();
        let answered = |push: &str| parts.contains(format!("={push}").as_str());
        let known = heads.iter().all(|push| answered(push) || parts.contains(format!("!{push}").as_str()));
        let mut commits: BTreeSet<&str> = parts.iter().filter(|part| !part.starts_with(['?', '=', '!', '~'])).copied().collect();
        commits.extend(parts.iter().filter_map(|part| {
            let (push, sha) = part.strip_prefix('~')?.split_once(':')?;
            (!answered(push)).then_some(sha)
        }));
        let mut entry = Entry { parts: Vec::new(), ..shown.clone() };
        if known {
            // Nothing but merges and the work of others.
            if commits.is_empty() {
                continue;
            }
            let repo = entry.title.as_deref().and_then(|title| title.rsplit_once(" of ")).map_or("", |(_, repo)| repo).to_owned();
            let plural = if commits.len() == 1 { "" } else { "s" };
            entry.title = Some(format!("{} commit{plural} to {repo}", commits.len()));
        }
        entries.push(entry);
    }
    reading.entries = entries;
}

/// Leaves out releases that follow another one of the same repository and person within a day.
pub(super) fn one_release_a_day(entries: &mut Vec<Entry>) {
    let mut order: Vec<usize> = (0..entries.len()).filter(|index| entries[*index].kind == Some(ActivityKind::Release)).collect();
    order.sort_by_key(|index| (entries[*index].published, entries[*index].platform_key.clone()));
    let mut last: HashMap<(String, String), Timestamp> = HashMap::new();
    let mut dropped = BTreeSet::new();
    for index in order {
        let entry = &entries[index];
        let (Some(at), Some(author)) = (entry.published.or(entry.updated), entry.authors.first()) else { continue };
        let Some(repo) = entry.link.as_deref().and_then(|link| link.split_once("/releases")).map(|(repo, _)| repo.to_lowercase()) else {
            continue;
        };
        let place = (repo, author.name.to_lowercase());
        match last.get(&place) {
            Some(before) if at.duration_since(*before) < ONE_RELEASE => {
                dropped.insert(index);
            }
            _ => {
                last.insert(place, at);
            }
        }
    }
    let mut index = 0;
    entries.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
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

pub(super) fn author(account: &Value) -> Option<Author> {
    let login = text(account, &["login"]).filter(|login| !is_ghost(login))?;
    Some(Author { url: Some(format!("https://github.com/{login}")), id: number(account, &["id"]).map(|id| id.to_string()), name: login })
}

/// The account that stands in for those that were deleted.
fn is_ghost(login: &str) -> bool {
    login.eq_ignore_ascii_case("ghost")
}

pub(super) fn owner_of(repo: &str) -> &str {
    repo.split_once('/').map_or(repo, |(owner, _)| owner)
}

/// `owner/name` of what GitHub allows: letters, digits, `-`, `_`, `.`.
pub(super) fn is_repo_name(name: &str) -> bool {
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

pub(super) fn pull_key(id: u64) -> String {
    format!("gh:pr:{id}")
}

pub(super) fn text_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    at(value, &[key])?.as_str()
}

/// Whether a release's name says that it is made anew all the time.
pub(super) fn is_moving(name: &str) -> bool {
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
        Arc::new(Source::new(SourceId(4), SourceKind::GithubUser, "tallowick", ""))
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
        let works = reading.entries.iter().filter(|entry| entry.kind != Some(ActivityKind::Code));
        works.map(|entry| (entry.platform_key.as_deref().unwrap(), entry.title.as_deref().unwrap())).collect()
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
        let entry = reading.entries.iter().find(|entry| entry.kind == Some(ActivityKind::Contribution)).unwrap();
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

    fn read_of(github: &Github, account: &str, text: &str) -> Reading {
        let mut ask = github.plan(&[(source(), SourceState::default())]).remove(0);
        ask.request.account = Some(account.into());
        let document = Document::of_bytes(ask.request.url.clone(), text, "2026-03-06T00:00:00Z".parse().unwrap());
        github.read(&ask, &document).unwrap().remove(0)
    }

    #[test]
    fn the_number_of_an_account_says_whose_list_it_is() {
        let reading = read(NEWER);
        let account = reading.account.unwrap();
        assert_eq!((account.id.as_str(), account.name.as_str()), ("30101", "tallowick"));
        let renamed = NEWER.replace("\"login\": \"tallowick\"", "\"login\": \"tallowick-dev\"");
        assert_eq!(read_of(&github(), "30101", &renamed).account.unwrap().name, "tallowick-dev");
        // Somebody else took the login over.
        let taken = NEWER.replace("30101", "99");
        let reading = read_of(&github(), "30101", &taken);
        assert!(reading.entries.is_empty() && reading.account.is_none() && reading.incomplete);
        assert_eq!(reading.next[0].url, "https://api.github.com/user/30101/events/public?per_page=100");
    }

    #[test]
    fn a_login_that_is_gone_is_followed_by_its_number() {
        let github = github();
        let mut ask = github.plan(&[(source(), SourceState::default())]).remove(0);
        let instead = |ask: &Ask| match github.refused(ask, 404, b"{}") {
            Meaning::Instead(asks) => asks[0].clone(),
            other => panic!("{other:?}"),
        };
        assert!(matches!(github.refused(&ask, 404, b"{}"), Meaning::AsItSays), "nothing is known of it yet");
        ask.request.account = Some("30101".into());
        let by_number = instead(&ask);
        assert_eq!(by_number.request.url, "https://api.github.com/user/30101/events/public?per_page=100");
        let account = instead(&by_number);
        assert_eq!(account.request.url, "https://api.github.com/user/30101");
        let document = Document::of_bytes("", r#"{"login":"Tallowick-Dev","id":30101,"type":"User"}"#, Timestamp::UNIX_EPOCH);
        let reading = github.read(&account, &document).unwrap().remove(0);
        assert_eq!(reading.next[0].url, "https://api.github.com/users/Tallowick-Dev/events/public?per_page=100");
        assert_eq!(reading.account.unwrap().id, "30101");
    }

    fn pushed(day: &str, parts: &[&str]) -> Entry {
        Entry {
            platform_key: Some(format!("gh:push:1:2:{day}")),
            title: Some("Pushed to main of lamp".into()),
            published: Some(format!("{day}T09:00:00Z").parse().unwrap()),
            kind: Some(ActivityKind::Code),
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            ..Entry::default()
        }
    }

    fn folded(entries: Vec<Entry>) -> Vec<String> {
        let mut reading = Reading { entries, ..Reading::default() };
        fold_pushes(&mut reading, "2026-03-05T12:00:00Z".parse().unwrap());
        reading.entries.into_iter().filter_map(|entry| entry.title).collect()
    }

    #[test]
    fn pushes_of_a_day_are_one_and_commits_count_once() {
        // Three pushes whose ranges overlap: each commit is one, whoever merged it and however often it was pushed.
        let detail = |head: &str, own: &[&str]| Entry {
            title: None,
            published: None,
            ..pushed("2026-03-04", &[&[format!("={head}").as_str()], own].concat())
        };
        let three = || vec![pushed("2026-03-04", &["?c"]), pushed("2026-03-04", &["?d"]), pushed("2026-03-04", &["?e"])];
        let all = [three(), vec![detail("c", &["a", "b"]), detail("d", &["b"]), detail("e", &["a", "b"])]].concat();
        assert_eq!(folded(all), ["2 commits to lamp"]);
        assert_eq!(folded(three()), ["Pushed to main of lamp"], "a number that is not known is not told");
        assert!(folded([three(), vec![detail("c", &[]), detail("d", &[]), detail("e", &[])]].concat()).is_empty(), "nothing of their own");
        assert!(folded(vec![pushed("2026-03-05", &["?c"])]).is_empty(), "the day is not over");
        assert_eq!(folded(vec![pushed("2026-03-04", &["?c", "!c", "~c:a"])]), ["1 commit to lamp"], "older payloads list their commits");
    }

    #[test]
    fn only_own_commits_that_are_no_merges_are_counted() {
        let ask = |url: &str| {
            let github = github();
            let request =
                Request { about: Some("gh:push:1:2:d".into()), account: Some("1".into()), of_pushes: true, ..github.request(url) };
            Ask { kind: SourceKind::GithubUser, request, sources: vec![source()], page: 2 }
        };
        let ask = ask("repos/a/b/compare/aaaaaaa...eeeeeee");
        let commits = serde_json::json!({ "total_commits": 5, "commits": [
            { "sha": "a", "author": { "id": 1 }, "parents": [{}] },
            { "sha": "b", "author": { "id": 2 }, "parents": [{}] },
            { "sha": "c", "author": null, "parents": [{}] },
            { "sha": "d", "author": { "id": 1 }, "parents": [{}, {}] },
            null,
        ]});
        let document = Document::of_bytes("", commits.to_string(), Timestamp::UNIX_EPOCH);
        let reading = github().read(&ask, &document).unwrap().remove(0);
        assert_eq!(reading.entries[0].parts, ["=eeeeeee", "a", "c"]);
    }

    #[test]
    fn of_one_repository_and_person_one_release_a_day_is_news() {
        let release = |id: u32, at: &str, who: Option<&str>| Entry {
            platform_key: Some(id.to_string()),
            link: Some(format!("https://github.com/guild/lamp/releases/tag/v{id}")),
            published: Some(at.parse().unwrap()),
            kind: Some(ActivityKind::Release),
            authors: who.map(|name| Author { name: name.into(), ..Author::default() }).into_iter().collect(),
            ..Entry::default()
        };
        let mut entries = vec![
            release(4, "2026-03-04T10:00:00Z", Some("ada")),
            release(3, "2026-03-03T12:00:00Z", Some("ada")),
            release(2, "2026-03-03T10:00:00Z", Some("ada")),
            release(1, "2026-03-03T10:30:00Z", Some("bo")),
            release(5, "2026-03-03T10:30:00Z", None),
        ];
        one_release_a_day(&mut entries);
        let kept: Vec<&str> = entries.iter().filter_map(|entry| entry.platform_key.as_deref()).collect();
        assert_eq!(kept, ["4", "2", "1", "5"]);
    }

    #[test]
    fn a_list_that_does_not_reach_back_says_so() {
        let github = github();
        let read = |after: &str, page: u32, next: bool| {
            let mut ask = github.plan(&[(source(), SourceState::default())]).remove(0);
            ask.page = page;
            ask.request.after = Some(after.parse().unwrap());
            let events: Vec<Value> = (0..100).map(|n| serde_json::json!({
                "type": "WatchEvent", "actor": { "id": 1, "login": "tallowick" }, "created_at": format!("2026-03-04T10:{:02}:00Z", n % 60),
            })).collect();
            let mut document = Document::of_bytes(ask.request.url.clone(), Value::Array(events).to_string(), Timestamp::UNIX_EPOCH);
            document.next_page = next.then(|| "https://api.github.com/user/1/events/public?per_page=100&page=2".into());
            github.read(&ask, &document).unwrap().remove(0)
        };
        assert_eq!(read("2026-03-01T00:00:00Z", 1, true).next.len(), 1, "what was read before is not reached yet");
        assert!(read("2026-03-04T10:30:00Z", 1, true).next.is_empty(), "it is reached: no further page is of use");
        assert!(read("2026-03-01T00:00:00Z", 2, false).repairs.is_empty(), "the list simply ends");
        assert_eq!(read("2026-03-01T00:00:00Z", 3, false).repairs.len(), 1, "300 events, and the last known one is not among them");
    }
}
