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
    std::fs::OpenOptions::new().create(true).write(true).mode(0o600).open(&file).unwrap();
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
