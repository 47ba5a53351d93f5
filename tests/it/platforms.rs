//! Platforms with an interface of their own, through whole paths: an origin, polls, the log and what is computed of it.

use clarion::model::{ActivityKind, SourceKind};
use jiff::SignedDuration;

use crate::support::world::World;

/// Tuesday of week 48.
const TUESDAY: &str = "2026-11-24T12:00:00Z";
const EVENTS: &str = "/gh/users/quillfern/events/public?per_page=100";

fn release(actor: (u32, &str), number: u32) -> String {
    let (id, login) = actor;
    format!(
        "[{{\"id\":\"{number}\",\"type\":\"ReleaseEvent\",\"actor\":{{\"id\":{id},\"login\":\"{login}\"}},\"repo\":{{\"id\":{number},\
         \"name\":\"{login}/tool-{number}\"}},\"payload\":{{\"action\":\"published\",\"release\":{{\"id\":{number},\"tag_name\":\"v{number}\",\
         \"html_url\":\"https://github.com/{login}/tool-{number}/releases/tag/v{number}\"}}}},\"public\":true,\
         \"created_at\":\"2026-11-24T09:0{number}:00Z\"}}]"
    )
}

async fn fern() -> World {
    let world = World::at(TUESDAY).await;
    world.source("Fern Loam", SourceKind::GithubUser, "quillfern").await;
    world
}

async fn later(world: &World) {
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_account_stays_one_source_and_its_old_login_is_somebody_else() {
    for by_number in [true, false] {
        let world = fern().await;
        world.origin.serve(EVENTS, release((70001, "quillfern"), 1));
        world.poll().await;
        // The login changes: the old one leads nowhere, the number still does.
        world.origin.serve_with(EVENTS, 404, "", "{\"message\":\"Not Found\"}");
        let renamed = release((70001, "quillfern-dev"), 2);
        if by_number {
            world.origin.serve("/gh/user/70001/events/public?per_page=100", renamed.clone());
        } else {
            world.origin.serve("/gh/user/70001", "{\"id\":70001,\"login\":\"quillfern-dev\",\"type\":\"User\"}");
        }
        world.origin.serve("/gh/users/quillfern-dev/events/public?per_page=100", renamed);
        later(&world).await;
        assert_eq!(world.titles().await, ["tool-1 v1", "tool-2 v2"], "{by_number}");
        // Another account takes the old login.
        world.origin.serve(EVENTS, release((70999, "quillfern"), 3));
        world.origin.serve("/gh/users/quillfern-dev/events/public?per_page=100", release((70001, "quillfern-dev"), 4));
        later(&world).await;
        assert_eq!(world.titles().await, ["tool-1 v1", "tool-2 v2", "tool-4 v4"]);
        assert!(world.activities().await.iter().all(|activity| activity.credits.len() == 1), "all of it is the builder's");
        let sources = world.ctx.store.sources().await.unwrap();
        assert_eq!((sources.len(), sources[0].url.as_str()), (1, "https://github.com/quillfern-dev"), "people see the newest name");
        // Whoever registers it under its new login means the same.
        world.source_again("Fern Loam", SourceKind::GithubUser, "quillfern-dev").await;
        assert_eq!(world.ctx.store.sources().await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_changed_hands_unseen_brings_nothing_of_its_new_owner() {
    let world = fern().await;
    world.origin.serve(EVENTS, release((70001, "quillfern"), 1));
    world.poll().await;
    world.origin.serve(EVENTS, release((70999, "quillfern"), 2));
    world.origin.serve("/gh/user/70001/events/public?per_page=100", release((70001, "quillfern-dev"), 3));
    later(&world).await;
    assert_eq!(world.titles().await, ["tool-1 v1", "tool-3 v3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_maintainer_merged_is_found_and_is_one_with_the_event_of_it() {
    let world = fern().await;
    world.origin.serve(EVENTS, "[]");
    let found = "{\"total_count\":1,\"incomplete_results\":false,\"items\":[{\"id\":3300,\"number\":8,\"title\":\"Mend the wick\",\
         \"html_url\":\"https://github.com/lamporg/lamp/pull/8\",\"user\":{\"login\":\"quillfern\",\"id\":70001},\
         \"pull_request\":{\"merged_at\":\"2026-11-24T08:00:00Z\"}}]}";
    world.origin.serve("/gh/search/issues?*", found);
    world.poll().await;
    let merged = world.activity("Mend the wick").await;
    assert_eq!((merged.kind, merged.credits.len(), merged.backfill), (ActivityKind::Contribution, 1, false));
    // The builder's own list tells of it too, under the pull request's number.
    let event = "[{\"id\":\"1\",\"type\":\"PullRequestEvent\",\"actor\":{\"id\":70001,\"login\":\"quillfern\"},\"repo\":{\"id\":5,\
         \"name\":\"lamporg/lamp\"},\"payload\":{\"action\":\"merged\",\"number\":8,\"pull_request\":{\"id\":558,\"number\":8,\"title\":\
         \"Mend the wick\",\"merged\":true,\"merged_at\":\"2026-11-24T08:00:00Z\",\"user\":{\"id\":70001,\"login\":\"quillfern\"},\
         \"html_url\":\"https://github.com/lamporg/lamp/pull/8\"}},\"created_at\":\"2026-11-24T08:00:01Z\"}]";
    world.origin.serve(EVENTS, event);
    later(&world).await;
    assert_eq!(world.titles().await, ["Mend the wick"]);
    assert_eq!(world.activity("Mend the wick").await.id, merged.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_adds_and_never_spoils_the_health_of_a_source() {
    let world = fern().await;
    let source = world.ctx.store.sources().await.unwrap()[0].id;
    world.origin.serve_with(EVENTS, 200, "etag: \"e\"\r\nx-honest: yes\r\n", release((70001, "quillfern"), 1));
    for (status, body) in [(422, "{\"message\":\"Validation Failed\"}"), (500, ""), (200, "<html>"), (200, "{\"items\":7}"), (200, "{}")] {
        world.origin.serve_with("/gh/search/issues?*", status, "", body);
        later(&world).await;
        let state = world.state(source).await;
        assert_eq!((state.failures, state.validators.etag.as_deref()), (0, Some("\"e\"")), "{status} {body}");
    }
    assert_eq!(world.titles().await, ["tool-1 v1"]);
    // By the schedule it is asked at most twice a day.
    let before = world.origin.asked("/gh/search").len();
    world.origin.serve("/gh/search/issues?*", "{\"items\":[]}");
    for _ in 0..26 {
        world.clock.advance(SignedDuration::from_hours(1));
        world.poll_these(clarion::flow::Wanted::Due).await;
    }
    assert_eq!(world.origin.asked("/gh/search").len() - before, 2, "every twelve hours");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_one_question_is_about_several_members() {
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&file).unwrap();
    std::fs::write(&file, "github_pat_made_up").unwrap();
    let world = World::with_token(TUESDAY, &file).await;
    for (name, login) in [("Fern Loam", "quillfern"), ("Gil Ash", "gilash"), ("Hal Oak", "haloak")] {
        world.source(name, SourceKind::GithubUser, login).await;
        world.origin.serve(&format!("/gh/users/{login}/events/public?per_page=100"), "[]");
    }
    let merged = |n: u32, login: &str| {
        format!(
            "{{\"nodes\":[{{\"fullDatabaseId\":\"{n}\",\"number\":{n},\"title\":\"Part {n}\",\"url\":\"https://github.com/lamporg/lamp/pull/{n}\",\
             \"mergedAt\":\"2026-11-24T08:00:00Z\",\"author\":{{\"login\":\"{login}\",\"databaseId\":{n}}},\
             \"repository\":{{\"nameWithOwner\":\"lamporg/lamp\",\"isPrivate\":false}}}}]}}"
        )
    };
    let member = |n: u32, login: &str| format!("{{\"databaseId\":{n},\"login\":\"{login}\"}}");
    // In the order of the question: whoever is asked for is known by place.
    world.origin.serve(
        "/gh/graphql",
        format!(
            "{{\"data\":{{\"u0\":{},\"m0\":{},\"u1\":null,\"m1\":{{\"nodes\":[]}},\"u2\":{},\"m2\":{}}},\
             \"errors\":[{{\"type\":\"NOT_FOUND\",\"path\":[\"u1\"],\"message\":\"Could not resolve\"}}]}}",
            member(1, "quillfern"),
            merged(1, "quillfern"),
            member(3, "haloak"),
            merged(3, "haloak")
        ),
    );
    world.poll().await;
    let asked = world.origin.asked("/gh/graphql");
    assert_eq!(asked.len(), 1);
    assert!(["quillfern", "gilash", "haloak"].iter().all(|login| asked[0].body.contains(login)));
    assert_eq!(asked[0].headers.get("authorization").map(String::as_str), Some("Bearer github_pat_made_up"));
    assert!(world.origin.asked("/gh/search").is_empty());
    assert_eq!(world.titles().await, ["Part 1", "Part 3"]);
    for title in ["Part 1", "Part 3"] {
        assert_eq!(world.activity(title).await.credits.len(), 1, "{title} is of whoever made it, and of nobody else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_recorded_only_where_the_builder_turned_them_on() {
    let push = |n: u32, before: &str, head: &str| {
        format!(
            "{{\"id\":\"{n}\",\"type\":\"PushEvent\",\"actor\":{{\"id\":70001,\"login\":\"quillfern\"}},\"repo\":{{\"id\":880001,\
             \"name\":\"quillfern/lamp\"}},\"payload\":{{\"push_id\":{n},\"ref\":\"refs/heads/main\",\"head\":\"{head}\",\"before\":\"{before}\"}},\
             \"public\":true,\"created_at\":\"2026-11-23T0{n}:00:00Z\"}}"
        )
    };
    let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
    let events = format!("[{},{}]", push(2, &b, &c), push(1, &a, &b));
    let commits = |shas: &[(&str, u32)]| {
        let all: Vec<String> =
            shas.iter().map(|(sha, id)| format!("{{\"sha\":\"{sha}\",\"author\":{{\"id\":{id}}},\"parents\":[{{}}]}}")).collect();
        format!("{{\"commits\":[{}]}}", all.join(","))
    };
    for wanted in [false, true] {
        let world = fern().await;
        if wanted {
            world.turn_on_pushes("Fern Loam").await;
        }
        world.origin.serve(EVENTS, events.clone());
        world.origin.serve(&format!("/gh/repos/quillfern/lamp/compare/{a}...{b}"), commits(&[("s1", 70001), ("s2", 9)]));
        world.origin.serve(&format!("/gh/repos/quillfern/lamp/compare/{b}...{c}"), commits(&[("s1", 70001), ("s3", 70001)]));
        world.poll().await;
        if wanted {
            assert_eq!(world.titles().await, ["2 commits to lamp"]);
            let code = world.activity("2 commits to lamp").await;
            assert_eq!((code.kind, code.credits.len()), (ActivityKind::Code, 1));
            assert_eq!(code.sightings[0].key.to_string(), "gh:push:70001:880001:2026-11-23");
            let facts = world.facts().await;
            later(&world).await;
            assert_eq!(world.facts().await, facts, "told once");
        } else {
            assert!(world.titles().await.is_empty());
            assert!(world.origin.asked("/gh/repos").is_empty(), "nothing is asked of them either");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_pushes_is_told_once_it_is_over_though_the_list_says_the_same() {
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let push = format!(
        "[{{\"id\":\"1\",\"type\":\"PushEvent\",\"actor\":{{\"id\":70001,\"login\":\"quillfern\"}},\"repo\":{{\"id\":880001,\
         \"name\":\"quillfern/lamp\"}},\"payload\":{{\"push_id\":1,\"ref\":\"refs/heads/main\",\"head\":\"{b}\",\"before\":\"{a}\"}},\
         \"public\":true,\"created_at\":\"TODAYT00:30:00Z\"}}]"
    );
    for wanted in [false, true] {
        let world = fern().await;
        if wanted {
            world.turn_on_pushes("Fern Loam").await;
        }
        let today = world.clock_now().to_string()[..10].to_owned();
        world.origin.serve_with(EVENTS, 200, "ETag: \"e\"\r\n", push.replace("TODAY", &today));
        let commits = "{\"commits\":[{\"sha\":\"s1\",\"author\":{\"id\":70001},\"parents\":[{}]}]}";
        world.origin.serve(&format!("/gh/repos/quillfern/lamp/compare/{a}...{b}"), commits);
        world.poll().await;
        later(&world).await;
        assert!(world.titles().await.is_empty(), "the day is not over");
        world.clock.advance(SignedDuration::from_hours(24));
        world.poll().await;
        assert_eq!(world.titles().await, if wanted { vec!["1 commit to lamp"] } else { Vec::new() });
        // Whoever wants no pushes is asked with what was remembered of the answer.
        let conditional = world.origin.asked(EVENTS).iter().filter(|asked| asked.headers.contains_key("if-none-match")).count();
        assert_eq!(conditional, if wanted { 0 } else { 2 });
    }
}

// ---- Every kind, from the roster to the explanation ------------------------------------------------------------------

/// A kind, as it stands in a roster with and without its name, what the site answers, and what becomes of it.
struct Kind {
    name: &'static str,
    /// `{site}` is the origin.
    pasted: &'static str,
    /// Whether the address alone says what it is.
    is_told: bool,
    /// Path, and answer.
    answers: &'static [(&'static str, &'static str)],
    title: &'static str,
    url: &'static str,
    activity: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "github_user",
        pasted: "https://github.com/Ada",
        is_told: true,
        answers: &[
            (
                "/gh/search/issues",
                r#"{"items":[{"id":1,"number":8,"title":"Mend the wick","html_url":"https://github.com/lamporg/lamp/pull/8",
               "user":{"login":"ada","id":7},"pull_request":{"merged_at":"2026-11-24T08:00:00Z"}}]}"#,
            ),
            ("/gh/users/ada/events/public", "[]"),
        ],
        title: "Mend the wick",
        url: "https://github.com/lamporg/lamp/pull/8",
        activity: "contribution",
    },
    Kind {
        name: "github_org",
        pasted: "https://github.com/orgs/guildhall",
        is_told: true,
        answers: &[(
            "/gh/orgs/guildhall/repos",
            r#"[{"id":5,"full_name":"guildhall/beeswax","description":"Cleaner queues","html_url":"https://github.com/guildhall/beeswax",
               "created_at":"2026-11-24T08:00:00Z","pushed_at":"2020-01-01T00:00:00Z"}]"#,
        )],
        title: "beeswax: Cleaner queues",
        url: "https://github.com/guildhall/beeswax",
        activity: "repository",
    },
    Kind {
        name: "github_repo",
        pasted: "https://github.com/guildhall/Tallow",
        is_told: true,
        answers: &[(
            "/gh/repos/guildhall/tallow/releases",
            r#"[{"id":9,"tag_name":"v1","name":null,"html_url":"https://github.com/guildhall/tallow/releases/tag/v1",
               "published_at":"2026-11-24T08:00:00Z","author":{"login":"ada","id":7}}]"#,
        )],
        title: "tallow v1",
        url: "https://github.com/guildhall/tallow/releases/tag/v1",
        activity: "release",
    },
    Kind {
        name: "gitlab_user",
        pasted: "{site}/adal",
        is_told: false,
        answers: &[
            ("/api/v4/users?username=adal", r#"[{"id":71,"username":"adal"}]"#),
            (
                "/api/v4/users/71/events",
                r#"[{"id":1,"project_id":62,"action_name":"accepted","target_id":90,"target_iid":12,"target_type":"MergeRequest",
                   "target_title":"Add a runner","author":{"id":71,"username":"adal"},"created_at":"2026-11-24T08:00:00Z"}]"#,
            ),
            (
                "/api/v4/projects/62/merge_requests/12",
                r#"{"iid":12,"project_id":62,"state":"merged","merged_at":"2026-11-24T08:00:00Z","title":"Add a runner",
                   "author":{"id":71,"username":"adal"},"web_url":"https://gitlab.com/guild/lamp/-/merge_requests/12"}"#,
            ),
            (
                "/api/v4/projects/62",
                r#"{"id":62,"name":"Lamp","web_url":"https://gitlab.com/guild/lamp","path_with_namespace":"guild/lamp"}"#,
            ),
        ],
        title: "Add a runner",
        url: "https://gitlab.com/guild/lamp/-/merge_requests/12",
        activity: "contribution",
    },
    Kind {
        name: "gitlab_project",
        pasted: "{site}/guild/lantern/-/releases",
        is_told: true,
        answers: &[(
            "/api/v4/projects/guild%2Flantern/releases",
            r#"[{"name":"1.2","tag_name":"v1.2","released_at":"2026-11-24T08:00:00Z",
               "_links":{"self":"https://gitlab.com/guild/lantern/-/releases/v1.2"}}]"#,
        )],
        title: "lantern 1.2",
        url: "https://gitlab.com/guild/lantern/-/releases/v1.2",
        activity: "release",
    },
    Kind {
        name: "stackexchange",
        pasted: "https://stackoverflow.com/users/501/ada",
        is_told: true,
        answers: &[(
            "/se/users/501/answers",
            r#"{"items":[{"owner":{"user_id":501,"display_name":"Ada"},"is_accepted":true,"score":2,"creation_date":1795507200,
               "answer_id":77,"title":"Why is wax &quot;warm&quot;?"}],"has_more":false,"quota_remaining":200}"#,
        )],
        title: "Why is wax \"warm\"?",
        url: "https://stackoverflow.com/a/77",
        activity: "answer",
    },
    Kind {
        name: "mastodon",
        pasted: "{site}/@ada",
        is_told: true,
        answers: &[
            ("/api/v1/accounts/lookup?acct=ada", r#"{"id":"1090","acct":"ada","username":"ada"}"#),
            (
                "/api/v1/accounts/1090/statuses",
                r#"[{"id":"1","uri":"https://shore.example/users/ada/1","url":"https://shore.example/@ada/1157","visibility":"public",
                   "created_at":"2026-11-24T08:00:00Z","content":"<p>Lamps are lit tonight along the whole quay</p>"}]"#,
            ),
        ],
        title: "Lamps are lit tonight along the whole quay",
        url: "https://shore.example/@ada/1157",
        activity: "post",
    },
    Kind {
        name: "bluesky",
        pasted: "https://bsky.app/profile/ada.example",
        is_told: true,
        answers: &[
            ("/bsky/xrpc/com.atproto.identity.resolveHandle?handle=ada.example", r#"{"did":"did:plc:ada"}"#),
            (
                "/bsky/xrpc/app.bsky.feed.getAuthorFeed?actor=did%3Aplc%3Aada",
                r#"{"feed":[{"post":{"uri":"at://did:plc:ada/app.bsky.feed.post/3m5a","author":{"did":"did:plc:ada","handle":"ada.example"},
                   "record":{"createdAt":"2026-11-24T08:00:00Z","text":"A harbor full of small lights"},"indexedAt":"2026-11-24T08:00:01Z"}}]}"#,
            ),
        ],
        title: "A harbor full of small lights",
        url: "https://bsky.app/profile/did:plc:ada/post/3m5a",
        activity: "post",
    },
    Kind {
        name: "sitemap",
        pasted: "{site}/sitemap.xml",
        is_told: true,
        answers: &[("/sitemap.xml", "<urlset><url><loc>{site}/notes/trim-the-wick</loc><lastmod>2026-11-24</lastmod></url></urlset>")],
        title: "Trim the wick",
        url: "{site}/notes/trim-the-wick",
        activity: "article",
    },
];

#[test]
fn every_kind_goes_from_the_roster_to_the_record_and_can_be_explained() {
    use crate::support::site::{Site, answer};
    use crate::support::{configure, good, json, run};

    let site = Site::start(|asked| {
        let host = asked.header("host").unwrap_or_default().to_owned();
        let mut answers: Vec<(&str, &str)> = KINDS.iter().flat_map(|kind| kind.answers).copied().collect();
        // The longest that fits, so that a part of a path is not taken for the whole.
        answers.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        match answers.iter().find(|(path, _)| asked.path.starts_with(path)) {
            Some((_, body)) => answer("200 OK", "", &body.replace("{site}", &format!("http://{host}"))),
            None => answer("404 Not Found", "", "{}"),
        }
    });
    let base = site.url("");
    for with_kind in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        configure(
            folder,
            &format!("[github]\napi_url = \"{base}/gh\"\n[stackexchange]\napi_url = \"{base}/se\"\n[bluesky]\napi_url = \"{base}/bsky\"\n"),
        );
        let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| with_kind || kind.is_told).collect();
        let mut roster = "builder,name,kind,url\n".to_owned();
        for kind in &kinds {
            let named = if with_kind { kind.name } else { "" };
            roster.push_str(&format!(
                "of-{},Member of {},{named},{}\n",
                kind.name.replace('_', "-"),
                kind.name,
                kind.pasted.replace("{site}", &base)
            ));
        }
        std::fs::write(folder.join("roster.csv"), &roster).unwrap();
        let told = json(folder, &["registry", "import", "roster.csv"]);
        assert_eq!((&told["added"], &told["refused"]), (&kinds.len().into(), &0.into()), "{told}");
        let polled = run(folder, &["poll", "--all"]);
        assert_eq!(polled.code, 0, "{polled:?}");
        let log = good(folder, &["log", "export", "--format", "jsonl"]);
        let activities: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for kind in &kinds {
            let found =
                activities.iter().find(|activity| activity["title"] == kind.title).unwrap_or_else(|| panic!("{}: {log}", kind.name));
            let url = kind.url.replace("{site}", &base);
            assert_eq!((&found["url"], &found["kind"]), (&url.as_str().into(), &kind.activity.into()), "{found}");
            assert!(found.to_string().contains(&format!("of-{}", kind.name.replace('_', "-"))), "credited: {found}");
            let explained = json(folder, &["explain", &url]);
            assert!(!explained["checks"].as_array().unwrap().is_empty(), "{explained}");
        }
        assert_eq!(activities.len(), kinds.len(), "{log}");
        // The roster that is exported is the roster that is there.
        std::fs::write(folder.join("again.csv"), good(folder, &["registry", "export", "--format", "csv"])).unwrap();
        let again = json(folder, &["registry", "import", "again.csv"]);
        assert_eq!((&again["added"], &again["changed"], &again["refused"]), (&0.into(), &0.into(), &0.into()), "{again}");
        // What was read once is not new a second time.
        let before = good(folder, &["log", "export", "--format", "jsonl"]);
        assert_eq!(run(folder, &["poll", "--all"]).code, 0);
        assert_eq!(good(folder, &["log", "export", "--format", "jsonl"]), before);
        let sources = json(folder, &["source", "list"]);
        for source in sources.as_array().unwrap() {
            assert_eq!(source["status"], "ok", "{source}");
        }
    }
}
