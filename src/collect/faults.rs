//! What every reader of an interface has to bear: each field of each item missing, null or of another kind, no items at
//! all, another shape, a web page. One bad item never costs the others, and nothing breaks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Collector, Collectors, Meaning};
use crate::config::Config;
use crate::model::SourceKind::{Bluesky, Devto, GithubOrg, GithubRepo, GithubUser, GitlabProject, GitlabUser, Mastodon, StackExchange};
use crate::model::{Account, Ask, Document, ReadError, Reading, Request, Source, SourceId, SourceKind, SourceState};

/// One list that a platform answers with.
struct List {
    kind: SourceKind,
    locator: &'static str,
    account: Option<&'static str>,
    /// Where it is asked for, if not by the first question.
    url: Option<&'static str>,
    text: &'static str,
    /// The path of the items; empty where the answer is the list.
    items: &'static str,
}

fn lists() -> Vec<List> {
    let list = |kind, locator, account, url, text, items| List { kind, locator, account, url, text, items };
    vec![
        list(GithubUser, "tallowick", None, None, include_str!("../../fixtures/github/events.json"), ""),
        list(GithubUser, "tallowick", None, None, include_str!("../../fixtures/github/events-with-details.json"), ""),
        list(
            GithubUser,
            "tallowick",
            None,
            Some("https://api.github.com/search/issues?q=x"),
            include_str!("../../fixtures/github/search.json"),
            "/items",
        ),
        list(GithubOrg, "guildhall", None, None, include_str!("../../fixtures/github/repositories.json"), ""),
        list(
            GithubRepo,
            "guildhall/beeswax",
            None,
            Some("https://api.github.com/repos/guildhall/beeswax/releases?per_page=30"),
            include_str!("../../fixtures/github/releases.json"),
            "",
        ),
        list(Devto, "candle-guild", None, None, include_str!("../../fixtures/devto/articles.json"), ""),
        list(GitlabUser, "https://gitlab.com/adal", Some("71"), None, include_str!("../../fixtures/gitlab/events.json"), ""),
        list(GitlabProject, "https://gitlab.com/guild/tools/lamp", None, None, include_str!("../../fixtures/gitlab/releases.json"), ""),
        list(StackExchange, "stackoverflow:501", None, None, include_str!("../../fixtures/stackexchange/answers.json"), "/items"),
        list(Mastodon, "https://shore.example/@ada", Some("1090"), None, include_str!("../../fixtures/mastodon/statuses.json"), ""),
        list(Bluesky, "did:plc:ada", None, None, include_str!("../../fixtures/bluesky/author-feed.json"), "/feed"),
    ]
}

fn ask(collector: &dyn Collector, list: &List) -> Ask {
    let source = Source {
        id: SourceId(1),
        kind: list.kind,
        locator: list.locator.into(),
        url: String::new(),
        owners: Vec::new(),
        paused: false,
        left: false,
    };
    let account = list.account.map(|id| Account { id: id.into(), name: "ada".into(), url: String::new() });
    let mut ask = collector.plan(&[(Arc::new(source), SourceState { account, ..SourceState::default() })]).remove(0);
    if let Some(url) = list.url {
        ask.request = Request::get(url);
    }
    ask
}

fn read(collector: &dyn Collector, ask: &Ask, text: String) -> Result<Reading, ReadError> {
    let now = "2026-03-06T12:00:00Z".parse().unwrap();
    let mut reading = collector.read(ask, &Document::of_bytes(ask.request.url.clone(), text, now))?.remove(0);
    collector.fold(&mut reading, now);
    Ok(reading)
}

/// Every place in a value, as JSON pointers, with the item itself.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                places(inner, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            for (place, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{place}"), all);
            }
        }
        _ => {}
    }
}

#[test]
fn one_bad_item_never_costs_the_others_and_nothing_breaks() {
    let collectors = Collectors::new(&Config::default());
    for list in lists() {
        let collector = collectors.get(list.kind);
        let ask = ask(collector, &list);
        let whole: Value = serde_json::from_str(list.text).unwrap();
        let count = read(collector, &ask, whole.to_string()).unwrap().entries.len();
        let items = whole.pointer(list.items).and_then(Value::as_array).unwrap().len();
        let mut tried = 0;
        for item in 0..items {
            let root = format!("{}/{item}", list.items);
            let mut all = Vec::new();
            places(whole.pointer(&root).unwrap(), &root, &mut all);
            for place in all {
                for wrong in [
                    json!(null),
                    json!(7),
                    json!(-3.5),
                    json!("x"),
                    json!([]),
                    json!({}),
                    json!([null, [1]]),
                    json!(true),
                    json!("a".repeat(3_000)),
                ] {
                    let mut spoiled = whole.clone();
                    *spoiled.pointer_mut(&place).unwrap() = wrong.clone();
                    let reading =
                        read(collector, &ask, spoiled.to_string()).unwrap_or_else(|error| panic!("{} {place}: {error}", list.kind));
                    // GitLab's own entries are told with what is asked about them; there the events stand for themselves.
                    assert!(reading.entries.len() + 1 >= count, "{} {place}", list.kind);
                    tried += 1;
                }
            }
        }
        assert!(tried > 50, "{}", list.kind);
    }
}

#[test]
fn other_answers_than_lists_are_errors_and_empty_lists_are_none() {
    let collectors = Collectors::new(&Config::default());
    for list in lists() {
        let collector = collectors.get(list.kind);
        let ask = ask(collector, &list);
        let kind = list.kind;
        assert_eq!(read(collector, &ask, "<!doctype html><html>".into()).unwrap_err(), ReadError::Html, "{kind}");
        assert_eq!(read(collector, &ask, "\u{feff}  ".into()).unwrap_err(), ReadError::Empty, "{kind}");
        for wrong in ["7", "null", "\"x\"", "{", "[", "{\"message\":\"Not Found\"}", "{\"items\":{}}", "{\"feed\":7}"] {
            assert!(matches!(read(collector, &ask, wrong.into()), Err(ReadError::Shape { .. })), "{kind} {wrong}");
        }
        let mut none: Value = if list.items.is_empty() { json!([]) } else { json!({}) };
        if let Some(name) = list.items.strip_prefix('/') {
            none[name] = json!([]);
        }
        assert!(read(collector, &ask, none.to_string()).unwrap().entries.is_empty(), "{kind}");
    }
}

#[test]
fn what_a_refusal_means_is_asked_without_end_nowhere() {
    let collectors = Collectors::new(&Config::default());
    for list in lists() {
        let collector = collectors.get(list.kind);
        for status in [400, 401, 403, 404, 405, 410, 422, 429, 451, 500, 502, 503, 504] {
            for body in ["", "{}", "[]", "null", "<html>", "{\"message\":\"x\"}", "{\"error\":7,\"error_name\":null}", "\u{0}"] {
                let mut ask = ask(collector, &list);
                let mut seen = std::collections::HashSet::new();
                while let Meaning::Instead(others) = collector.refused(&ask, status, body.as_bytes()) {
                    assert!(others.iter().all(|other| !other.sources.is_empty()));
                    let Some(other) = others.into_iter().next() else { break };
                    // The flow never asks the same way twice: the others must run out.
                    if !seen.insert((other.request.url.clone(), other.request.auth)) {
                        break;
                    }
                    assert!(seen.len() < 5, "{} {status}", list.kind);
                    ask = other;
                }
            }
        }
    }
}
