//! Pull requests that others merged: GitHub lists a merge with whoever did it, so they have to be searched for.
//!
//! In: members whose last search is some time ago. Out: with a token one GraphQL question for a few members at a time,
//! which also tells releases that machines made of their repositories; without one, a search for each by REST. A batch
//! that is too much for the server is halved. The number of an account decides whose work it is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::github::{Github, PLATFORM, Told, author, day_of, is_repo_name, owner_of, pull_key, text_of};
use super::json::{address, at, markdown, number, parse, text, time, truth};
use super::{Meaning, for_source, in_batches};
use crate::model::{
    Account, ActivityKind, Ask, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState, Validators,
};

/// How far back the first search looks, and how far the later ones look back beyond the one before: search lags.
const FIRST_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 30);
const OVERLAP: SignedDuration = SignedDuration::from_hours(24 * 3);
const MAX_FOUND: u32 = 50;

/// Questions for those whose last search is long enough ago.
pub(super) fn plan(github: &Github, sources: &[(Arc<Source>, SourceState)], is_wish: bool, now: Timestamp) -> Vec<Ask> {
    let swept_at = |state: &SourceState| state.swept_at.filter(|_| !is_wish);
    let due: Vec<(Arc<Source>, String, String)> = sources
        .iter()
        .filter(|(_, state)| swept_at(state).is_none_or(|at| now.duration_since(at) >= github.search_every))
        .map(|(source, state)| {
            let login = state.account.as_ref().map_or(source.locator.as_str(), |account| account.name.as_str());
            let since = match swept_at(state) {
                Some(at) => at.saturating_sub(OVERLAP),
                None => now.saturating_sub(FIRST_WINDOW),
            };
            let since = day_of(since.unwrap_or(Timestamp::MIN));
            (Arc::clone(source), login.to_owned(), format!("author:{login} is:pr is:merged -user:{login} merged:>={since}"))
        })
        .collect();
    if !github.has_token {
        return due.into_iter().map(|(source, _, query)| by_rest(github, source, &query)).collect();
    }
    in_batches(&due, github.batch).map(|members| by_graphql(github, &members)).collect()
}

/// Whether a question is one of this module's.
pub(super) fn is_search(url: &str) -> bool {
    url.split('?').next().is_some_and(|path| path.ends_with("/search/issues")) || is_graphql(url)
}

fn is_graphql(url: &str) -> bool {
    url.ends_with("/graphql")
}

fn by_rest(github: &Github, source: Arc<Source>, query: &str) -> Ask {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let request = github.request(&format!("search/issues?q={query}&sort=created&order=desc&per_page={MAX_FOUND}"));
    Ask { kind: SourceKind::GithubUser, request, sources: vec![source], page: 1 }
}

fn by_graphql(github: &Github, members: &[(Arc<Source>, String, String)]) -> Ask {
    let mut declared = Vec::new();
    let mut asked = String::new();
    let mut variables = serde_json::Map::new();
    for (place, (_, login, query)) in members.iter().enumerate() {
        declared.push(format!("$u{place}: String!, $q{place}: String!"));
        asked.push_str(&format!(
            " u{place}: user(login: $u{place}) {{ ...Member }} m{place}: search(type: ISSUE, first: 20, query: $q{place}) {{ ...Merged }}"
        ));
        variables.insert(format!("u{place}"), login.as_str().into());
        variables.insert(format!("q{place}"), query.as_str().into());
    }
    let query = format!(
        "query({}) {{ rateLimit {{ cost remaining resetAt }}{asked} }} \
         fragment Member on User {{ databaseId login \
           repositories(first: 5, ownerAffiliations: OWNER, isFork: false, privacy: PUBLIC, orderBy: {{field: PUSHED_AT, direction: DESC}}) {{ \
             nodes {{ nameWithOwner isArchived stargazerCount \
               releases(first: 3, orderBy: {{field: CREATED_AT, direction: DESC}}) {{ \
                 nodes {{ databaseId name tagName url publishedAt isDraft isPrerelease description }} }} }} }} }} \
         fragment Merged on SearchResultItemConnection {{ issueCount \
           nodes {{ ... on PullRequest {{ fullDatabaseId number title url mergedAt body additions deletions \
             author {{ login ... on User {{ databaseId }} }} reactions {{ totalCount }} comments {{ totalCount }} \
             repository {{ nameWithOwner isPrivate stargazerCount }} }} }} }}",
        declared.join(", ")
    );
    // GitHub Enterprise Server keeps its interfaces side by side.
    let root = github.api_url.strip_suffix("/v3").unwrap_or(&github.api_url);
    let request = Request {
        url: format!("{root}/graphql"),
        body: Some(json!({ "query": query, "variables": variables }).to_string()),
        validators: Validators::default(),
        ..github.request("")
    };
    Ask { kind: SourceKind::GithubUser, request, sources: members.iter().map(|(source, ..)| Arc::clone(source)).collect(), page: 1 }
}

/// What an error means: too much at once is asked again in halves.
pub(super) fn refused(github: &Github, ask: &Ask, status: u16, body: &[u8]) -> Meaning {
    let told = String::from_utf8_lossy(&body[..body.len().min(1 << 16)]).into_owned();
    let too_much = matches!(status, 502 | 504) || told.contains("RESOURCE_LIMITS_EXCEEDED");
    if !too_much || ask.sources.len() < 2 {
        return Meaning::AsItSays;
    }
    let members = members_of(ask);
    let (one, other) = members.split_at(members.len() / 2);
    Meaning::Instead(vec![by_graphql(github, one), by_graphql(github, other)])
}

/// Whom a question is about, as its variables say.
fn members_of(ask: &Ask) -> Vec<(Arc<Source>, String, String)> {
    let body: Value = ask.request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let variable = |name: String| body["variables"][name].as_str().unwrap_or_default().to_owned();
    let named = |(place, source): (usize, &Arc<Source>)| {
        // What was kept of an answer speaks of one member, and of no question.
        let login = Some(variable(format!("u{place}"))).filter(|login| !login.is_empty()).unwrap_or_else(|| source.locator.clone());
        (Arc::clone(source), login, variable(format!("q{place}")))
    };
    ask.sources.iter().enumerate().map(named).collect()
}

/// Reads either answer.
pub(super) fn read(github: &Github, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
    let value = parse(document, PLATFORM)?;
    if !is_graphql(&ask.request.url) {
        let mut reading = Reading::default();
        let shape =
            || ReadError::Shape { platform: PLATFORM, detail: text(&value, &["message"]).unwrap_or_else(|| "a list was expected".into()) };
        let items = at(&value, &["items"]).and_then(Value::as_array).ok_or_else(shape)?;
        for item in items {
            take(&mut reading, found(github, item));
        }
        return Ok(for_source(ask, reading));
    }
    // Data and errors come together: a member who is not found spoils nothing for the others.
    let errors: &[Value] = at(&value, &["errors"]).and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let message = errors.iter().find_map(|error| text(error, &["message"])).unwrap_or_else(|| "no data".into());
    let data = at(&value, &["data"]).filter(|data| data.is_object());
    let of_type = |wanted: &str| errors.iter().any(|error| text(error, &["type"]).as_deref() == Some(wanted));
    let Some(data) = data.filter(|_| !of_type("RESOURCE_LIMITS_EXCEEDED") && !of_type("RATE_LIMITED")) else {
        return Err(ReadError::Shape { platform: PLATFORM, detail: message });
    };
    let mut readings = Vec::new();
    for (place, (source, login, _)) in members_of(ask).into_iter().enumerate() {
        let mut reading = Reading { source: Some(source.id), ..Reading::default() };
        let member = at(data, &[&format!("u{place}")]);
        if let Some(member) = member {
            let id = number(member, &["databaseId"]);
            let name = text(member, &["login"]).unwrap_or_else(|| login.clone()).to_ascii_lowercase();
            reading.account = id.map(|id| Account { id: id.to_string(), url: format!("https://github.com/{name}"), name });
            releases(github, member, &mut reading);
        }
        for item in items(data, &[&format!("m{place}"), "nodes"]) {
            take(&mut reading, merged(github, item, member, &login));
        }
        readings.push(reading);
    }
    Ok(readings)
}

/// What an answer about several members says of one of them.
pub(super) fn part(ask: &Ask, document: &Document, source: &Source) -> Option<Vec<u8>> {
    let place = ask.sources.iter().position(|asked| asked.id == source.id).filter(|_| is_graphql(&ask.request.url))?;
    let value = parse(document, PLATFORM).ok()?;
    let of = |name: &str| at(&value, &["data", &format!("{name}{place}")]);
    serde_json::to_vec(&json!({ "data": { "u0": of("u"), "m0": of("m") } })).ok()
}

fn items<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten().filter(|item| !item.is_null())
}

fn take(reading: &mut Reading, told: Told) {
    match told {
        Told::Entry(entry) => reading.entries.push(*entry),
        Told::Unreadable => reading.skipped += 1,
        Told::Ask(_) | Told::Nothing => {}
    }
}

/// A pull request as REST search tells it. Search knows it as an issue, by another number than the pull request has; the
/// address says that both are one.
fn found(github: &Github, item: &Value) -> Told {
    let pull = at(item, &["pull_request"]);
    if pull.is_none() || at(item, &["user"]).is_some_and(|user| github.is_bot(user)) {
        return Told::Nothing;
    }
    let merged_at = time(item, &["pull_request", "merged_at"]);
    // Whatever was asked for, what the answer itself calls unmerged is left out; where it says nothing, it was asked for.
    if at(item, &["pull_request"]).is_some_and(|pull| pull.get("merged_at").is_some_and(Value::is_null)) {
        return Told::Nothing;
    }
    let Some(id) = number(item, &["id"]) else { return Told::Unreadable };
    let Some(link) = address(item, &["pull_request", "html_url"]).or_else(|| address(item, &["html_url"])) else { return Told::Unreadable };
    Told::entry(Entry {
        platform_key: Some(format!("gh:issue:{id}")),
        link: Some(link),
        title: text(item, &["title"]),
        content: text_of(item, "body").and_then(markdown),
        authors: at(item, &["user"]).and_then(author).into_iter().collect(),
        published: merged_at.or_else(|| time(item, &["closed_at"])),
        kind: Some(ActivityKind::Contribution),
        counts: Counts { likes: number(item, &["reactions", "total_count"]), comments: number(item, &["comments"]), ..Counts::default() },
        ..Entry::default()
    })
}

/// A pull request as GraphQL tells it.
fn merged(github: &Github, item: &Value, member: Option<&Value>, login: &str) -> Told {
    // Other results of a search have no fields at all.
    let Some(link) = address(item, &["url"]) else { return Told::Nothing };
    let repo = text(item, &["repository", "nameWithOwner"]).filter(|repo| is_repo_name(repo)).unwrap_or_default();
    let private = truth(item, &["repository", "isPrivate"]) == Some(true);
    if private || owner_of(&repo).eq_ignore_ascii_case(login) || at(item, &["author"]).is_some_and(|user| github.is_bot(user)) {
        return Told::Nothing;
    }
    let Some(id) = number(item, &["fullDatabaseId"]).or_else(|| number(item, &["databaseId"])) else { return Told::Unreadable };
    let account = number(item, &["author", "databaseId"]).or_else(|| number(member?, &["databaseId"]));
    let name = text(item, &["author", "login"]).unwrap_or_else(|| login.to_owned());
    Told::entry(Entry {
        platform_key: Some(pull_key(id)),
        link: Some(link),
        title: text(item, &["title"]),
        content: text_of(item, "body").and_then(markdown),
        authors: vec![Author { url: Some(format!("https://github.com/{name}")), id: account.map(|id| id.to_string()), name }],
        published: time(item, &["mergedAt"]),
        kind: Some(ActivityKind::Contribution),
        counts: Counts {
            likes: number(item, &["reactions", "totalCount"]),
            comments: number(item, &["comments", "totalCount"]),
            stars: number(item, &["repository", "stargazerCount"]),
            ..Counts::default()
        },
        ..Entry::default()
    })
}

/// Releases of a member's own repositories, whoever or whatever published them.
fn releases(github: &Github, member: &Value, reading: &mut Reading) {
    for repository in items(member, &["repositories", "nodes"]) {
        let Some(repo) = text(repository, &["nameWithOwner"]).filter(|repo| is_repo_name(repo)) else { continue };
        for release in items(repository, &["releases", "nodes"]) {
            // In the words of REST, so that one rule reads both.
            let told = json!({
                "id": release.get("databaseId"), "name": release.get("name"), "tag_name": release.get("tagName"),
                "html_url": release.get("url"), "published_at": release.get("publishedAt"), "draft": release.get("isDraft"),
                "prerelease": release.get("isPrerelease"), "body": release.get("description"),
            });
            let login = text(member, &["login"]).unwrap_or_default();
            let maker = author(&json!({ "login": login, "id": member.get("databaseId") }));
            let told = github.release_of(Some(&repo), &told, maker, None);
            take(reading, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Collector as _;
    use crate::collect::samples::unasked;
    use crate::config::{Config, GithubConfig};
    use crate::model::Auth;

    const FOUND: &str = include_str!("../../fixtures/github/search.json");
    const TOLD: &str = include_str!("../../fixtures/github/graphql.json");

    fn github(has_token: bool) -> Github {
        Github::new(&GithubConfig { token_file: has_token.then(|| "token".into()), batch: 4, ..Config::default().github })
    }

    fn source(id: i64, login: &str) -> (Arc<Source>, SourceState) {
        unasked(id, SourceKind::GithubUser, login)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn told(reading: &Reading) -> Vec<(&str, &str)> {
        reading.entries.iter().map(|entry| (entry.platform_key.as_deref().unwrap(), entry.title.as_deref().unwrap())).collect()
    }

    #[test]
    fn each_member_is_searched_for_at_most_twice_a_day() {
        let mut members = vec![source(1, "tallowick"), source(2, "wickstead")];
        members[1].1.swept_at = Some(at("2026-03-05T06:00:00Z"));
        let asks = github(false).sweep(&members, false, at("2026-03-05T12:00:00Z"));
        assert_eq!(asks.len(), 1);
        assert_eq!(
            asks[0].request.url,
            "https://api.github.com/search/issues?q=author%3Atallowick+is%3Apr+is%3Amerged+-user%3Atallowick+merged%3A%3E%3D2026-02-03\
             &sort=created&order=desc&per_page=50"
        );
        assert_eq!(github(false).sweep(&members, false, at("2026-03-05T18:00:00Z")).len(), 2);
    }

    #[test]
    fn what_others_merged_is_found_and_nothing_else() {
        let github = github(false);
        let ask = github.sweep(&[source(1, "tallowick")], false, at("2026-03-05T12:00:00Z")).remove(0);
        let read = |text: &str| github.read(&ask, &Document::of_bytes("", text, at("2026-03-05T12:00:00Z")));
        let reading = read(FOUND).unwrap().remove(0);
        assert_eq!(told(&reading), [("gh:issue:77000031", "Shield the flame from draughts")]);
        let entry = &reading.entries[0];
        assert_eq!(entry.link.as_deref(), Some("https://github.com/guildhall/sconce/pull/31"));
        assert_eq!((entry.published, entry.authors[0].id.as_deref()), (Some(at("2026-03-03T10:00:00Z")), Some("30101")));
        assert!(read(r#"{"total_count":0,"items":[]}"#).unwrap()[0].entries.is_empty());
        let error = read(r#"{"message":"Validation Failed"}"#).unwrap_err().to_string();
        assert_eq!(error, "the answer of GitHub has an unknown shape: Validation Failed");
        assert_eq!(read("<html>").unwrap_err(), ReadError::Html);
    }

    #[test]
    fn one_question_speaks_for_several_members() {
        let github = github(true);
        let members: Vec<_> =
            ["tallowick", "snuffed-out", "c", "d", "e"].into_iter().zip(1..).map(|(login, id)| source(id, login)).collect();
        let asks = github.sweep(&members, false, at("2026-03-05T12:00:00Z"));
        assert_eq!(asks.iter().map(|ask| ask.sources.len()).collect::<Vec<_>>(), [4, 1]);
        assert_eq!((asks[0].request.url.as_str(), asks[0].request.auth), ("https://api.github.com/graphql", Auth::Github));
        let body: Value = serde_json::from_str(asks[0].request.body.as_deref().unwrap()).unwrap();
        assert_eq!(body["variables"]["u1"], "snuffed-out");
        assert_eq!(body["variables"]["q0"], "author:tallowick is:pr is:merged -user:tallowick merged:>=2026-02-03");
        let readings = github.read(&asks[0], &Document::of_bytes("", TOLD, at("2026-03-05T12:00:00Z"))).unwrap();
        assert_eq!(readings.len(), 4, "a login that is not found spoils nothing for the others");
        assert_eq!(told(&readings[0]), [("gh:release:7200", "wick-trimmer v1.5.0"), ("gh:pr:9031", "Shield the flame from draughts")]);
        assert_eq!(readings[0].account.as_ref().unwrap().id, "30101");
        // What is kept as evidence can be read again, for its member alone.
        let kept = github.part(&asks[0], &Document::of_bytes("", TOLD, at("2026-03-05T12:00:00Z")), &members[0].0).unwrap();
        assert!(!String::from_utf8(kept.clone()).unwrap().contains("snuffed-out"));
        let mut again = asks[0].clone();
        again.sources.truncate(1);
        again.request.body = None;
        let read = github.read(&again, &Document::of_bytes("", kept, at("2026-03-05T12:00:00Z"))).unwrap();
        assert_eq!(told(&read[0]), told(&readings[0]));
        assert!(readings[1..].iter().all(|reading| reading.entries.is_empty() && reading.account.is_none()));
    }

    #[test]
    fn what_is_too_much_at_once_is_asked_in_halves() {
        let github = github(true);
        let members: Vec<_> = (1..=4).map(|id| source(id, &format!("m{id}"))).collect();
        let ask = github.sweep(&members, false, at("2026-03-05T12:00:00Z")).remove(0);
        let limit =
            r#"{"data":{"u0":null},"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"Resource limits for this query exceeded."}]}"#;
        assert!(github.read(&ask, &Document::of_bytes("", limit, at("2026-03-05T12:00:00Z"))).is_err());
        for (status, body) in [(502, ""), (504, "<html>"), (200, limit)] {
            let Meaning::Instead(halves) = github.refused(&ask, status, body.as_bytes()) else { panic!("{status}") };
            assert_eq!(halves.iter().map(|half| half.sources.len()).collect::<Vec<_>>(), [2, 2]);
            let body: Value = serde_json::from_str(halves[1].request.body.as_deref().unwrap()).unwrap();
            assert_eq!((&body["variables"]["u0"], body["variables"]["u2"].is_null()), (&Value::from("m3"), true));
        }
        let single = github.sweep(&members[..1], false, at("2026-03-05T12:00:00Z")).remove(0);
        assert!(matches!(github.refused(&single, 502, b""), Meaning::AsItSays));
        assert!(matches!(github.refused(&ask, 401, b"{}"), Meaning::AsItSays));
    }
}
